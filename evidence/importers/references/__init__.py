"""References exported from databases and reference managers become records of a review.

RIS (with the tags of EndNote, Zotero, Rayyan and ASReview), PubMed's nbib, and BibTeX. Nothing is merged:
what may be the same reference found twice is proposed by `evidence.importers.duplicates`.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from evidence.errors import CallError, Problem, ReviewError
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.sources import read_text
from evidence.system.bounds import parsing, unreadable

_RIS_LINE = re.compile(r"(?P<tag>[A-Z][A-Z0-9])  ?-(?: (?P<value>.*))?$")
_NBIB_LINE = re.compile(r"(?P<tag>[A-Z]{2,4}) *- (?P<value>.*)$")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_RAYYAN = re.compile(r"RAYYAN-INCLUSION:\s*\{(?P<votes>[^}]*)\}")
_RAYYAN_VOTE = re.compile(r'"(?P<reviewer>[^"]+)"\s*=>\s*"(?P<vote>[^"]+)"')
_RAYYAN_REASON = re.compile(r"RAYYAN-EXCLUSION-REASONS:\s*(?P<reasons>[^|\n]+)")
_VOTES = {"included": "include", "excluded": "exclude", "maybe": "unclear", "undecided": "unclear"}

_RIS_COLUMNS = {
    "TI": "title",
    "T1": "title",
    "AU": "authors",
    "A1": "authors",
    "T2": "journal",
    "JO": "journal",
    "JF": "journal",
    "JA": "journal",
    "PY": "year",
    "Y1": "year",
    "DA": "year",
    "DO": "doi",
    "ID": "record",
    "AN": "record",
}
_NBIB_COLUMNS = {
    "TI": "title",
    "FAU": "authors",
    "AU": "authors",
    "JT": "journal",
    "TA": "journal",
    "DP": "year",
    "AID": "doi",
    "LID": "doi",
    "PMID": "pmid",
}
_BIBTEX_COLUMNS = {
    "title": "title",
    "author": "authors",
    "journal": "journal",
    "journaltitle": "journal",
    "booktitle": "journal",
    "year": "year",
    "date": "year",
    "doi": "doi",
    "pmid": "pmid",
}


@dataclass
class Reference:
    """One reference as exported.

    Attributes
    ----------
    line : int
        Line on which it begins.
    fields : dict of str to list of str
        Values by the format's own tag.
    """

    line: int
    fields: dict[str, list[str]] = field(default_factory=dict)

    def first(self, *tags: str) -> str:
        """Value of the first tag that has one."""
        return next((value for tag in tags for value in self.fields.get(tag, ()) if value), "")


def import_references(
    file: str | Path,
    into: str | Path,
    *,
    database: str | None = None,
    date: str | None = None,
    query: str | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Add the references of one export to ``records.csv``, and the search they come from to ``searches.csv``.

    Parameters
    ----------
    file : path
        RIS, nbib (or PubMed's text format) or BibTeX; told apart by ending and content.
    into : path
        Review folder to make or extend.
    database, date, query : str, optional
        The search that found them: database, day (year-month-day) and query. Without a database the records
        count as found by other methods.
    dry_run : bool
        Check and report, write nothing.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If the file is not one of the formats, or is damaged; names the lines.
    """
    path = Path(file)
    text, notes = read_text(path)
    if database is None and (date or query):
        raise CallError("A search has a database: say which with --database, for example --database PubMed.")
    references, columns, kind = _read(path, text)
    report = ImportReport(path.name, notes=[*notes, f"read as {kind}"])
    draft = Draft(into, title=path.stem)
    search = " ".join(part for part in (database, date) if part)
    if database:
        draft.add(
            "searches.csv",
            {"search": search, "database": database, "date": date, "query": query, "hits": len(references)},
        )
    else:
        report.notes.append("no search is named (--database): the records count as found by other methods")
    names = _names(references, search or path.stem)
    for name, reference in zip(names, references):
        row = _record(reference, kind)
        if not row["title"] and not row["doi"] and not row["pmid"]:
            report.left_out.append(
                Problem("no title, doi or pmid", "complete it at its source", path.name, reference.line)
            )
            continue
        if not draft.add("records.csv", {"record": name, "search": search, **row}):
            report.left_out.append(
                Problem(f"record {name!r} stands in records.csv already", "", path.name, reference.line)
            )
        for decision in _rayyan(reference):
            draft.add("screening.csv", {"record": name, "stage": "title_abstract", **decision})
    _report_tags(references, columns, report)
    return draft.finish(report, dry_run=dry_run)


def _read(path: Path, text: str) -> tuple[list[Reference], dict[str, str], str]:
    ending = path.suffix.lower()
    start = text.lstrip()
    readers: dict[str, tuple[Callable[[Path, str], list[Reference]], dict[str, str]]] = {
        "BibTeX": (_read_bibtex, _BIBTEX_COLUMNS),
        "nbib": (_read_nbib, _NBIB_COLUMNS),
        "RIS": (_read_ris, _RIS_COLUMNS),
    }
    if ending in (".bib", ".bibtex") or start.startswith("@"):
        kind = "BibTeX"
    elif ending == ".nbib" or re.match(r"PMID ?- ", start):
        kind = "nbib"
    elif ending == ".ris" or re.match(r"TY  ?-", start):
        kind = "RIS"
    else:
        raise unreadable(path, "is neither RIS, nbib nor BibTeX", "export the references in one of the three")
    reader, columns = readers[kind]
    references = reader(path, text)
    if not references:
        raise unreadable(path, f"holds no reference in {kind}", "export it again")
    return references, columns, kind


def _read_ris(path: Path, text: str) -> list[Reference]:
    """Take RIS apart: where each reference begins and ends is checked first, then rispy reads its tags."""
    import rispy

    problems: list[Problem] = []
    starts: list[int] = []
    kept: list[str] = []
    begun: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        match = _RIS_LINE.match(line.rstrip())
        tag = match["tag"] if match else None
        if tag == "TY":
            if begun is not None:
                problems.append(
                    Problem("the reference has no end", "close it with a line 'ER  - '", path.name, begun)
                )
            begun = number
            starts.append(number)
        elif begun is None and line.strip():
            problems.append(
                Problem(f"{line.strip()[:60]!r} stands outside a reference", "", path.name, number)
            )
            continue
        elif tag == "ER":
            begun = None
        elif begun is not None and tag is None and kept[-1].startswith("TY"):
            # There is no field yet that a further line could belong to.
            if line.strip():
                problems.append(
                    Problem(f"{line.strip()[:60]!r} belongs to no field", "delete it", path.name, number)
                )
            continue
        # One blank before the dash, as some exports have it, is not RIS to rispy.
        kept.append(f"{tag}  - {match['value'] or ''}" if match else line)
    if begun is not None:
        problems.append(
            Problem("the reference has no end: the file was cut off", "export it again", path.name, begun)
        )
    if problems:
        raise ReviewError(f"{path.name} is not proper RIS.", problems)
    # Each tag keeps its own name, and every tag may be repeated.
    tags = sorted({kept_line[:2] for kept_line in kept if _RIS_LINE.match(kept_line)} - {"TY", "ER"})
    mapping = {"TY": "TY", "ER": "ER", **{tag: tag for tag in tags}}
    with parsing(path, "proper RIS"):
        entries = rispy.loads("\n".join(kept), mapping=mapping, list_tags=tags, enforce_list_tags=True)
    if len(entries) != len(starts):
        raise unreadable(
            path, f"has {len(starts)} references, of which {len(entries)} can be read", "export it again"
        )
    return [
        Reference(line, {tag: value for tag, value in entry.items() if isinstance(value, list)})
        for line, entry in zip(starts, entries, strict=True)
    ]


def _read_nbib(path: Path, text: str) -> list[Reference]:
    references: list[Reference] = []
    problems: list[Problem] = []
    last: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if match := _NBIB_LINE.match(line):
            if match["tag"] == "PMID":
                references.append(Reference(number))
            if not references:
                problems.append(
                    Problem("a field before the first PMID", "export it again", path.name, number)
                )
                continue
            last = references[-1].fields.setdefault(match["tag"], [])
            last.append(match["value"].strip())
        elif line.startswith("      ") and last:
            last[-1] = f"{last[-1]} {line.strip()}"
        elif line.strip():
            problems.append(
                Problem(f"{line.strip()[:60]!r} is no field", "export it again", path.name, number)
            )
    if problems:
        raise ReviewError(f"{path.name} is not proper nbib.", problems)
    return references


def _read_bibtex(path: Path, text: str) -> list[Reference]:
    import bibtexparser
    from bibtexparser.middlewares import LatexDecodingMiddleware

    # What it could not read is reported below, with the line.
    logging.getLogger("bibtexparser").addHandler(logging.NullHandler())
    with parsing(path, "proper BibTeX"):
        library = bibtexparser.parse_string(text, append_middleware=[LatexDecodingMiddleware()])
    problems = [
        Problem(
            f"an entry cannot be read: {_reason(block.error)}",
            "close every brace and quotation mark, and give every entry a key of its own",
            path.name,
            None if block.start_line is None else block.start_line + 1,
        )
        for block in library.failed_blocks
    ]
    if problems:
        raise ReviewError(f"{path.name} is not proper BibTeX.", problems)
    return [
        Reference(
            (entry.start_line or 0) + 1,
            {
                "key": [entry.key],
                **{name.lower(): [_text(value.value)] for name, value in entry.fields_dict.items()},
            },
        )
        for entry in library.entries
    ]


def _reason(error: Exception | None) -> str:
    said = str(getattr(error, "abort_reason", error) or "it is not BibTeX")
    return (said.splitlines() or [said])[0][:120]


def _text(value: object) -> str:
    return re.sub(r"\s+", " ", str(value).replace("{", "").replace("}", "")).strip()


def _record(reference: Reference, kind: str) -> dict[str, str]:
    """Return the columns of ``records.csv``, from whichever tags the format has for them."""
    if kind == "RIS":
        doi = reference.first("DO") or next(
            (
                m[0]
                for tag in ("UR", "L3", "M3")
                for v in reference.fields.get(tag, ())
                if (m := _DOI.search(v))
            ),
            "",
        )
        accession = reference.first("AN", "C6")
        pubmed = any("pubmed" in v.lower() for t in ("DB", "DP", "UR") for v in reference.fields.get(t, ()))
        pmid = accession if pubmed and accession.isdigit() else ""
        authors = reference.fields.get("AU") or reference.fields.get("A1") or []
        title, journal = reference.first("TI", "T1"), reference.first("T2", "JO", "JF", "JA")
        year = reference.first("PY", "Y1", "DA")
    elif kind == "nbib":
        ids = reference.fields.get("AID", []) + reference.fields.get("LID", [])
        doi = next((value.removesuffix("[doi]").strip() for value in ids if value.endswith("[doi]")), "")
        pmid = reference.first("PMID")
        authors = reference.fields.get("FAU") or reference.fields.get("AU") or []
        title, journal, year = reference.first("TI"), reference.first("JT", "TA"), reference.first("DP")
    else:
        doi, pmid = reference.first("doi"), reference.first("pmid")
        authors = re.split(r"\s+and\s+", reference.first("author")) if reference.first("author") else []
        title, journal = reference.first("title"), reference.first("journal", "journaltitle", "booktitle")
        year = reference.first("year", "date")
    four = re.search(r"\b(1[89]|20|21)\d\d\b", year)
    return {
        "doi": normal_doi(doi),
        "pmid": pmid if pmid.isdigit() else "",
        "title": title,
        "authors": "; ".join(author.strip().rstrip(",") for author in authors),
        "journal": journal,
        "year": four[0] if four else "",
    }


def normal_doi(text: str) -> str:
    """Return a DOI in lower case, without the address or the word before it; empty if it is none."""
    match = _DOI.search(text.strip().lower())
    return match[0].rstrip(".,;") if match else ""


def _names(references: list[Reference], prefix: str) -> list[str]:
    """Name each record by the identifier its source gives, where that is unique, else by its number."""
    given = [reference.first("key", "PMID", "ID", "AN") for reference in references]
    count = Counter(given)
    return [
        f"{prefix}:{name if name and count[name] == 1 else f'#{number}'}"
        for number, name in enumerate(given, 1)
    ]


def _rayyan(reference: Reference) -> list[dict[str, str]]:
    """Read the decisions that Rayyan writes into the notes of a reference."""
    notes = "\n".join(value for tag in ("N1", "note") for value in reference.fields.get(tag, ()))
    votes = _RAYYAN.search(notes)
    if votes is None:
        return []
    reasons = _RAYYAN_REASON.search(notes)
    return [
        {
            "reviewer": vote["reviewer"],
            "decision": _VOTES[vote["vote"].lower()],
            "reason": reasons["reasons"].strip() if reasons and vote["vote"].lower() == "excluded" else "",
        }
        for vote in _RAYYAN_VOTE.finditer(votes["votes"])
        if vote["vote"].lower() in _VOTES
    ]


def _report_tags(references: list[Reference], columns: dict[str, str], report: ImportReport) -> None:
    for tag in dict.fromkeys(tag for reference in references for tag in reference.fields):
        column = columns.get(tag)
        became = f"records.csv: {column}" if column else ""
        report.mappings.append(
            ColumnMapping(tag, became, "" if column else "records hold no such field; the export keeps it")
        )
