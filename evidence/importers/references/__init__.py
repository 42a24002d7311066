"""References exported from databases and reference managers become records of a review.

RIS (with the habits of Ovid, EndNote, Zotero, Rayyan, Covidence, Cochrane and ASReview), PubMed's nbib, Web
of Science's plain text, EndNote's XML and export format, RefWorks' tagged format, BibTeX, and tables (Scopus,
Embase, PubMed, Lens, Zotero, Rayyan, Covidence, ASReview). Nothing is merged: what may be the same reference
found twice is proposed by `evidence.importers.duplicates`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.references.decisions import ASREVIEW, decisions_in, labelled
from evidence.importers.references.identifiers import normal_doi as normal_doi
from evidence.importers.references.reference import (
    BIBTEX,
    ENDNOTE,
    NBIB,
    REFWORKS,
    RIS,
    WOS,
    Layout,
    Reference,
    Tally,
    record_of,
)
from evidence.importers.references.structured import read_bibtex, read_endnote_xml
from evidence.importers.references.tables import labels_of, read_reference_table
from evidence.importers.references.tagged import (
    read_endnote,
    read_nbib,
    read_refworks,
    read_ris,
    read_wos,
)
from evidence.importers.sources import decode, refuse_unused
from evidence.importers.table import Reading
from evidence.system.bounds import read_bytes, unreadable


def import_references(
    file: str | Path,
    into: str | Path,
    *,
    database: str | None = None,
    date: str | None = None,
    query: str | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add the references of one export to ``records.csv``, and the search they come from to ``searches.csv``.

    Parameters
    ----------
    file : path
        RIS, nbib (or PubMed's text format), Web of Science's plain text, EndNote XML or export format,
        RefWorks' tagged format, BibTeX, or a table with a column of titles; told apart by content, then by
        ending.
    into : path
        Review folder to make or extend; it needs neither studies nor arms.
    database, date, query : str, optional
        The search that found them: database, day (year-month-day) and query. Without a database the records
        count as found by other methods.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the file is opened (`evidence.importers.table.Reading`): its encoding, where it is not UTF-8
        (UTF-16 is recognised); sheet and header of a table.

    Returns
    -------
    ImportReport
        What became of every tag or column; its notes say what was passed over or had to be decided.

    Raises
    ------
    ReviewError
        If the file is not one of the formats, or is damaged; names the lines.
    """
    if database is None and (date or query):
        raise CallError("A search has a database: say which with --database, for example --database PubMed.")
    export = read_export(file, database=database, date=date, **reading)
    report = export.report
    draft = Draft(into, title=Path(file).stem)
    if database:
        draft.add("searches.csv", export.searched(query))
    else:
        report.notes.append("no search is named (--database): the records count as found by other methods")
    for found in export.found:
        if not draft.add("records.csv", found.record):
            problem = f"record {found.name!r} stands in records.csv already"
            report.left_out.append(Problem(problem, "", report.source, found.reference.line))
        for decision in found.decisions:
            draft.add("screening.csv", {"record": found.name, **decision})
    return draft.finish(report, dry_run=dry_run)


@dataclass(frozen=True)
class Found:
    """One reference of an export, as the rows that it becomes.

    Attributes
    ----------
    reference : Reference
        As exported.
    record : dict of str to str
        Its row of ``records.csv``.
    decisions : list of dict
        Its rows of ``screening.csv``, without the record's name.
    """

    reference: Reference
    record: dict[str, str]
    decisions: list[dict[str, str]]

    @property
    def name(self) -> str:
        """Its key in ``records.csv``."""
        return self.record["record"]


@dataclass(frozen=True)
class Export:
    """What a file of references holds.

    Attributes
    ----------
    found : list of Found
        The references that say what they are.
    layout : Layout
        What the format's tags mean.
    report : ImportReport
        What became of every tag; references that say nothing are left out in it.
    database, date : str or None
        The search that found them, as it was named.
    n : int
        References in the file.
    """

    found: list[Found]
    layout: Layout
    report: ImportReport
    database: str | None
    date: str | None
    n: int

    @property
    def search(self) -> str:
        """Key of the search; empty where no database is named."""
        return " ".join(part for part in (self.database, self.date) if part)

    def searched(self, query: str | None) -> dict[str, object]:
        """Row of ``searches.csv``."""
        return {"search": self.search, "database": self.database, "date": self.date, "query": query,
                "hits": self.n}  # fmt: skip


def read_export(
    file: str | Path, *, database: str | None = None, date: str | None = None, **reading: Unpack[Reading]
) -> Export:
    """Read a file of references, without writing anything.

    Parameters
    ----------
    file, database, date, **reading
        As in `import_references`.

    Returns
    -------
    Export

    Raises
    ------
    ReviewError
        As `import_references`.
    """
    path = Path(file)
    references, layout, notes = _read(path, reading)
    report = ImportReport(path.name, notes=[f"read as {layout.name}", *notes])
    tally = Tally()
    label, reviewer, labels = labels_of(references) if layout not in _FORMATS.values() else ("", "", {})
    if labels and reviewer != ASREVIEW:
        report.notes.append(
            f"1 and 0 of column {label!r} are decisions at title and abstract; whose they are it does "
            f"not say: put the reviewer's name in the place of {reviewer!r} in screening.csv"
        )
    export = Export([], layout, report, database, date, len(references))
    for name, reference in zip(
        _names(references, layout, export.search or path.stem, tally), references, strict=True
    ):
        row = record_of(reference, layout, tally, database or "")
        if not row["title"] and not row["doi"] and not row["pmid"]:
            problem = "no title, doi or pmid"
            report.left_out.append(Problem(problem, "complete it at its source", path.name, reference.line))
            continue
        decisions = _decisions(reference, layout, tally, label, reviewer, labels)
        export.found.append(Found(reference, {"record": name, "search": export.search, **row}, decisions))
    _report_tags(references, layout, tally, report)
    _report_doubts(tally, report)
    return export


_Reader = Callable[[Path, str], tuple[list[Reference], list[str]]]
_FORMATS: dict[str, Layout] = {layout.name: layout for layout in (RIS, NBIB, WOS, ENDNOTE, REFWORKS, BIBTEX)}
_READERS: dict[str, _Reader] = {
    "RIS": read_ris,
    "nbib": read_nbib,
    "Web of Science": read_wos,
    "EndNote": read_endnote,
    "RefWorks": read_refworks,
    "BibTeX": read_bibtex,
}
_BEGINNINGS = (
    ("nbib", r"\s*PMID ?- "),
    ("Web of Science", r"\s*(FN |VR |PT [A-Z]\b)"),
    ("EndNote", r"\s*%[0A] "),
    ("BibTeX", r"\s*(%[^\n]*\n\s*)*@\w+\s*[{(]"),
    ("RIS", r"(?s).{0,5000}?(?:^|\n)[ \t]{0,3}TY  ?-"),
    ("RefWorks", r"(?s).{0,5000}?(?:^|\n)RT [A-Z][a-z]"),
)
"""How a file of each format begins; Ovid, Cochrane and RefWorks write lines of their own before the first."""

_ENDINGS = {".bib": "BibTeX", ".bibtex": "BibTeX", ".nbib": "nbib", ".ris": "RIS", ".ciw": "Web of Science",
            ".enw": "EndNote"}  # fmt: skip
_TABLES = frozenset((".csv", ".tsv", ".tab", ".xlsx", ".xlsm"))


def _read(path: Path, reading: Reading) -> tuple[list[Reference], Layout, list[str]]:
    """Read the references of a file, told apart by how it begins, then by its ending."""
    ending = path.suffix.lower()
    if ending in (".xlsx", ".xlsm"):
        return read_reference_table(path, None, [], reading)
    raw = read_bytes(path)
    if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower() in (b"<?xml", b"<xml>", b"<reco"):
        refuse_unused(path, "XML, which says how it is written", **reading)
        references, notes = read_endnote_xml(path, raw)
        return references, ENDNOTE, ["EndNote's XML", *notes]
    is_utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    text, notes = decode(path, raw, reading.get("encoding") or ("utf-16" if is_utf16 else None))
    tabular = {name: value for name, value in reading.items() if name != "encoding"}
    kind = next((name for name, start in _BEGINNINGS if re.match(start, text)), None) or _ENDINGS.get(ending)
    if (ending in _TABLES and kind in (None, "RIS", "BibTeX")) or (kind is None and _is_table(text)):
        refuse_unused(path, "no workbook", sheet=reading.get("sheet"))
        return read_reference_table(path, text, notes, reading)
    if kind is None:
        raise unreadable(
            path,
            "is neither RIS, nbib, BibTeX, Web of Science, EndNote, RefWorks nor a table with a column Title",
            "export the references in one of these",
        )
    refuse_unused(path, f"no table, but {kind}", **tabular)
    references, more = _READERS[kind](path, text)
    if not references:
        raise unreadable(path, f"holds no reference in {kind}", "export it again")
    return references, _FORMATS[kind], [*notes, *more]


def _is_table(text: str) -> bool:
    first = text.lstrip().split("\n", 1)[0]
    return max(map(first.count, ",;\t")) > 1


def _names(references: list[Reference], layout: Layout, prefix: str, tally: Tally) -> list[str]:
    """Name each record by the identifier its source gives, where that is unique, else by its number."""
    found = [
        next(
            ((tag, value) for tag in layout.key for value in reference.fields.get(tag, ()) if value), ("", "")
        )
        for reference in references
    ]
    count = Counter(value for _, value in found)
    names = []
    for number, (tag, value) in enumerate(found, 1):
        unique = bool(value) and count[value] == 1
        tally.used[tag]["record"] += unique
        names.append(f"{prefix}:{' '.join(value.split()) if unique else f'#{number}'}")
    return names


def _decisions(
    reference: Reference, layout: Layout, tally: Tally, label: str, reviewer: str, labels: dict[int, str]
) -> list[dict[str, str]]:
    found = []
    for tag in layout.notes:
        if decisions := decisions_in(reference.fields.get(tag, ())):
            tally.used[tag]["decision"] += 1
            found += decisions
    if reference.line in labels:
        tally.used[label]["decision"] += 1
        found.append(labelled(reviewer, labels[reference.line]))
    return found


def _report_tags(references: list[Reference], layout: Layout, tally: Tally, report: ImportReport) -> None:
    """Say of every tag what it really became, not what it could have."""
    for tag in dict.fromkeys(tag for reference in references for tag in reference.fields):
        used = [column for column, n in tally.used.get(tag, {}).items() if n]
        homes = [f"{'screening' if column == 'decision' else 'records'}.csv: {column}" for column in used]
        why = (
            "another tag holds it"
            if tag in layout.tags
            else "records hold no such field; the export keeps it"
        )
        report.mappings.append(ColumnMapping(tag, ", ".join(homes), "" if homes else why))


def _report_doubts(tally: Tally, report: ImportReport) -> None:
    """Say where a value had to be chosen, or could not be read."""
    for tag, lines in tally.repeated.items():
        n = len(lines)
        report.notes.append(
            f"{tag} has several values in {n} reference{'s' * (n != 1)} (first at line {lines[0]}): the first"
            " counts"
        )
    if tally.yearless:
        line, text = tally.yearless[0]
        report.notes.append(
            f"{len(tally.yearless)} years could not be read, and are empty: {text!r} (line {line}), for"
            " example"
        )
    if tally.guessed_pmids:
        report.notes.append(
            f"{tally.guessed_pmids} accession numbers of no named database were taken for PMIDs; if they are"
            " not PubMed's, say with --database whose they are"
        )
