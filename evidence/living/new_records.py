"""A search that was run again: which of its references are new to a review.

The same comparison as of records found twice (`evidence.importers.duplicates`) says what is known. What is
only perhaps known becomes a record too, and its pair is named: a study that is screened twice costs a
minute, one that is never screened is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from evidence.errors import CallError
from evidence.importers.draft import Draft, ImportReport, Row
from evidence.importers.duplicates.likeness import Certainty, Likeness, candidate
from evidence.importers.duplicates.pairs import matches
from evidence.importers.references import Export, Found, read_export
from evidence.importers.references.identifiers import bare_pmid, normal_doi
from evidence.importers.retractions import Publication, add_notices, publications
from evidence.importers.table import Reading
from evidence.living.retraction import ITSELF, NOTICES, said_by
from evidence.names import suggestion

NEW, KNOWN, UNSURE = "new", "known", "unsure"
_REPORT = "\0report "
"""Begins the name of a report while it is compared: no cell of a file can."""


@dataclass(frozen=True)
class Judged:
    """One reference of the export.

    Attributes
    ----------
    found : Found
        The reference.
    status : {"new", "known", "unsure"}
        Whether it is new to the review.
    same_as : str
        The record, or report of a study, that it is or may be; empty where it is new.
    evidence : str
        What they agree in, and what contradicts it.
    similarity : float or None
        Of their titles, 0 to 100.
    """

    found: Found
    status: str
    same_as: str = ""
    evidence: str = ""
    similarity: float | None = None


@dataclass(frozen=True)
class Flag:
    """What is to be known of a reference before it is used.

    Attributes
    ----------
    record : str
        The record; of what is known, the one that the review has.
    kind : str
        retracted, corrected, concern (of itself); retraction, correction, expression of concern (a notice).
    by : str
        Where it is said: type, title, a field of PubMed's, or the list of retractions.
    about : str
        Of a notice, the records and reports of the review that it is about.
    """

    record: str
    kind: str
    by: str
    about: str = ""

    def __str__(self) -> str:
        what = ITSELF.get(self.kind) or NOTICES[self.kind]
        about = f" about {self.about}" if self.about else ""
        return f"{self.record} is {what}{about} ({self.by})"


@dataclass
class NewRecords:
    """What a search that was run again has found.

    Attributes
    ----------
    report : ImportReport
        What became of the file.
    judged : list of Judged
        Every reference, in the order of the export.
    flags : list of Flag
        Retractions and corrections, of what is new and of what is known.
    search : str
        Key of the search in ``searches.csv``; empty where none is named.
    """

    report: ImportReport
    judged: list[Judged] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    search: str = ""

    def of(self, status: str) -> list[Judged]:
        """Give the references of one status: new, known or unsure."""
        return [one for one in self.judged if one.status == status]

    def document(self) -> dict[str, Any]:
        """Give everything as one object for JSON."""
        return {
            "search": self.search or None,
            "references": len(self.judged) + len(self.report.left_out),
            **{status: len(self.of(status)) for status in (NEW, KNOWN, UNSURE)},
            "records": [
                {
                    "record": one.found.name,
                    "status": one.status,
                    "title": one.found.record.get("title") or None,
                    "same_as": one.same_as or None,
                    "evidence": one.evidence or None,
                    "similarity": one.similarity,
                    "line": one.found.reference.line,
                }
                for one in self.judged
            ],
            "flags": [vars(flag) | {"about": flag.about or None} for flag in self.flags],
            "left_out": [str(problem) for problem in self.report.left_out],
        }


def new_records(
    file: str | Path,
    into: str | Path,
    *,
    database: str | None = None,
    date: str | None = None,
    query: str | None = None,
    search: str | None = None,
    retractions: str | Path | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> NewRecords:
    """Add to ``records.csv`` those references of an export that the review does not have yet.

    Parameters
    ----------
    file : path
        An export as `evidence.importers.references.import_references` reads it.
    into : path
        Review folder with ``records.csv`` or ``reports.csv``.
    database, date, query : str, optional
        The search that found them: database, day (year-month-day) and query.
    search : str, optional
        A search of ``searches.csv`` that was run again: gives database and query.
    retractions : path, optional
        A list of retractions (`evidence.importers.retractions`): notices about the review's publications and
        about the new ones are kept in ``retractions.csv``.
    dry_run : bool
        Say what would be added, write nothing.
    **reading
        How the file is opened (`evidence.importers.table.Reading`).

    Returns
    -------
    NewRecords

    Raises
    ------
    CallError
        If the folder has nothing to compare with, or the search is not known.
    ReviewError
        If the file is damaged or of no known format, or the folder has errors.
    """
    draft = Draft(into)
    _refuse_without_publications(draft, Path(into))
    if search is not None:
        database, query = _run_before(draft, search, database, query, date)
    elif database is None and (date or query):
        raise CallError(
            "A search has a database: say which with --database, or which was run again, --search."
        )
    export = read_export(file, database=database, date=date, **reading)
    result = NewRecords(export.report, search=export.search)
    result.judged = judge(draft, export)
    if database:
        draft.add("searches.csv", export.searched(query))
    _add(draft, result)
    known = publications(draft)
    result.flags = _flags(result, export, known)
    if retractions is not None:
        notices = ImportReport(Path(retractions).name)
        for row, about in add_notices(retractions, draft, notices, known):
            listed = ", ".join(map(str, about))
            day = f", {row['date']}" if row["date"] else ""
            result.flags.append(Flag(listed, _AS_FLAG[row["nature"]], f"{notices.source}{day}"))
        result.report.notes += [f"{notices.source}: {note}" for note in notices.notes]
        result.report.left_out += notices.left_out
    result.flags = list(dict.fromkeys(flag for flag in result.flags if flag.kind != "reinstated"))
    draft.finish(result.report, dry_run=dry_run)
    return result


_AS_FLAG = {
    "retraction": "retracted",
    "correction": "corrected",
    "expression_of_concern": "concern",
    "reinstatement": "reinstated",
}
"""What a notice of ``retractions.csv`` makes of its publication."""


def judge(draft: Draft, export: Export) -> list[Judged]:
    """Tell of every reference of an export whether it is new.

    Parameters
    ----------
    draft : Draft
        The review: its records, duplicates among them, and its reports.
    export : Export

    Returns
    -------
    list of Judged
        In the order of the export. Of references that stand several times in it, the first counts.
    """
    present = [*draft.rows("records.csv"), *_reports(draft)]
    # While they are compared, references go by number: an export may call one as the review calls another.
    rows: list[Row] = [dict(found.record, record=str(i)) for i, found in enumerate(export.found)]
    first = len(present)
    pairs: dict[int, dict[str, tuple[int, Likeness]]] = {}
    for one, other, like in matches([candidate(row) for row in (*present, *rows)]):
        if other >= first:
            pairs.setdefault(other, {}).setdefault(like.certainty, (one, like))
    names = [row["record"] for row in present]
    judged: list[Judged] = []
    for index, found in enumerate(export.found, first):
        matched = pairs.get(index, {})
        if not matched:
            judged.append(Judged(found, NEW))
        else:
            certainty: Certainty = "sure" if "sure" in matched else "ask"
            one, like = matched[certainty]
            name = _called(names[one])
            judged.append(
                Judged(found, KNOWN if certainty == "sure" else UNSURE, name, like.evidence, like.similarity)
            )
        # What is the same as a reference before it is the same as what that one is.
        names.append(judged[-1].same_as if judged[-1].status == KNOWN else found.name)
    return judged


def _called(name: str) -> str:
    return f"a report of {name.removeprefix(_REPORT)}" if name.startswith(_REPORT) else name


def _reports(draft: Draft) -> list[Row]:
    """Give the reports as records: what became a study without a record is known as well."""
    return [
        {**{name: row.get(name, "") for name in ("doi", "pmid", "title", "authors", "journal", "year")},
         "record": f"{_REPORT}{row['study']}"}
        for row in draft.rows("reports.csv")
    ]  # fmt: skip


def _refuse_without_publications(draft: Draft, folder: Path) -> None:
    if not draft.rows("records.csv") and not draft.rows("reports.csv"):
        raise CallError(
            f"{folder.name} has neither records.csv nor reports.csv to compare with: the first search is "
            "read by evidence import references."
        )


def _run_before(
    draft: Draft, search: str, database: str | None, query: str | None, date: str | None
) -> tuple[str, str | None]:
    """Database and query of a search that was run again."""
    rows = draft.rows("searches.csv")
    named = {
        row.get("search") or " ".join(filter(None, (row["database"], row.get("date", "")))): row
        for row in rows
    }
    if search not in named:
        raise CallError(f"searches.csv has no search {search!r}: {suggestion(search, named)}.")
    if not date:
        raise CallError("When was it run again? Say it with --date, year-month-day.")
    return database or named[search]["database"], query or named[search].get("query") or None


def _add(draft: Draft, result: NewRecords) -> None:
    """Add what is new or perhaps new; a name that the review gives to another record is told apart."""
    taken = {row["record"] for row in draft.rows("records.csv")}
    for one in (*result.of(NEW), *result.of(UNSURE)):
        name, n = one.found.name, 1
        while name in taken:
            n += 1
            name = f"{one.found.name} ({n})"
        taken.add(name)
        one.found.record["record"] = name
        draft.add("records.csv", one.found.record)
        for decision in one.found.decisions:
            draft.add("screening.csv", {"record": name, **decision})


def _flags(result: NewRecords, export: Export, known: Sequence[Publication]) -> list[Flag]:
    """Tell what the references say of retractions and corrections, each of its record in the review."""
    found = []
    for one in result.judged:
        name = one.same_as if one.status == KNOWN else one.found.name
        own = _identifiers(one.found.record)
        for said in said_by(one.found, export.layout):
            if said.kind in ITSELF:
                found.append(Flag(_of_study(name, known), said.kind, said.by))
                continue
            about = _about(said.doi, said.pmid, known, own)
            found.append(Flag(_of_study(name, known), said.kind, said.by, ", ".join(about)))
    return found


def _identifiers(row: Row) -> tuple[str, str]:
    return normal_doi(row.get("doi", "")), bare_pmid([row.get("pmid", "")])


def _about(doi: str, pmid: str, known: Iterable[Publication], own: tuple[str, str]) -> list[str]:
    """Publications of the review that a notice names by DOI or PMID; it is not about itself."""
    return [
        str(one)
        for one in known
        if ((doi and one.doi == doi) or (pmid and one.pmid == pmid)) and (one.doi, one.pmid) != own
    ]


def _of_study(name: str, known: Iterable[Publication]) -> str:
    """Name a record with the study that it became."""
    return next((str(one) for one in known if one.what == "record" and one.name == name), name)
