"""A list of retractions, such as Retraction Watch's, becomes those rows of ``retractions.csv`` that matter.

A notice concerns the review where its publication has the DOI or the PubMed identifier of a report or record.
Titles decide nothing: other publications are called alike, and a list has tens of thousands of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem
from evidence.folder.column_names import plain
from evidence.folder.layout import NATURES
from evidence.importers.draft import ColumnMapping, Draft, ImportReport, Row
from evidence.importers.references.identifiers import bare_pmid, normal_doi
from evidence.importers.table import Reading, Table, read_table

COLUMNS: dict[str, tuple[str, ...]] = {
    "doi": ("originalpaperdoi", "originaldoi", "articledoi", "paperdoi", "doi"),
    "pmid": ("originalpaperpubmedid", "originalpaperpmid", "originalpmid", "pubmedid", "pmid"),
    "nature": ("retractionnature", "nature", "noticetype", "type"),
    "date": ("retractiondate", "noticedate", "date"),
    "reason": ("reason", "reasons"),
    "notice_doi": ("retractiondoi", "noticedoi"),
    "notice_pmid": ("retractionpubmedid", "retractionpmid", "noticepmid"),
    "title": ("title", "originaltitle"),
}
"""Headers of each column of ``retractions.csv``, the likeliest first: these are Retraction Watch's."""

_NATURE = (
    ("reinstatement", r"reinstat"),
    ("expression_of_concern", r"concern"),
    ("retraction", r"retract|withdraw|removal"),
    ("correction", r"correct|errat|corrigend"),
)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:\s.*)?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T\s].*)?")


def import_retractions(
    file: str | Path,
    into: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add to ``retractions.csv`` the notices of a list that concern the review's reports and records.

    Parameters
    ----------
    file : path
        Table with a column of DOIs or PubMed identifiers of the publications that the notices are about
        (Retraction Watch: ``OriginalPaperDOI``, ``OriginalPaperPubMedID``).
    into : path
        Review folder with ``reports.csv`` or ``records.csv``.
    mapping : mapping of str to str, optional
        Source column to a column of ``retractions.csv``.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport
        Its notes say how many notices the list has, and which concern the review.

    Raises
    ------
    CallError
        If the table has neither DOIs nor PubMed identifiers, or the review has no publications.
    """
    draft = Draft(into)
    report = ImportReport(Path(file).name)
    add_notices(file, draft, report, publications(draft), mapping, **reading)
    return draft.finish(report, dry_run=dry_run)


@dataclass(frozen=True)
class Publication:
    """A report or record of the review, as notices are matched with it.

    Attributes
    ----------
    name : str
        Of a record its key, of a report its study.
    what : {"record", "report"}
    doi, pmid : str
        In the form in which equal ones are equal; empty where there is none.
    study : str
        The study it belongs to; empty where it is of none.
    """

    name: str
    what: str
    doi: str
    pmid: str
    study: str

    def __str__(self) -> str:
        if self.what == "report":
            return f"a report of {self.study}"
        return f"record {self.name}" + (f" (study {self.study})" if self.study else "")


def publications(draft: Draft) -> list[Publication]:
    """List the reports and records of a review folder that have a DOI or PubMed identifier."""
    records = draft.rows("records.csv")
    studies = {row["record"]: row.get("study", "") for row in records}
    found = [_publication(row, "report", row["study"], row["study"]) for row in draft.rows("reports.csv")]
    for row in records:
        study = row.get("study") or studies.get(row.get("duplicate_of", ""), "")
        found.append(_publication(row, "record", row["record"], study))
    return [one for one in found if one.doi or one.pmid]


def _publication(row: Row, what: str, name: str, study: str) -> Publication:
    return Publication(name, what, normal_doi(row.get("doi", "")), bare_pmid([row.get("pmid", "")]), study)


def add_notices(
    file: str | Path,
    draft: Draft,
    report: ImportReport,
    known: Iterable[Publication],
    mapping: Mapping[str, str] | None = None,
    **reading: Unpack[Reading],
) -> list[tuple[Row, list[Publication]]]:
    """Add the notices of a list that concern some publications to a folder in the making.

    Returns
    -------
    list of (row, publications)
        The notices, those that the folder had already among them, and what each is about.
    """
    by_id: dict[tuple[str, str], list[Publication]] = {}
    for publication in known:
        for kind in ("doi", "pmid"):
            if identifier := getattr(publication, kind):
                by_id.setdefault((kind, identifier), []).append(publication)
    if not by_id:
        raise CallError(
            "The review has no doi and no pmid of a report or record: fill in reports.csv, or import its "
            "references, so that notices can be matched."
        )
    table = read_table(file, **reading)
    at = _columns(table, mapping or {})
    report.notes += table.notes
    for position, name in enumerate(table.header):
        target = next((column for column, place in at.items() if place == position), "")
        home = f"retractions.csv: {target}" if target else ""
        report.mappings.append(ColumnMapping(name, home, "" if target else "notices hold no such field"))
    days = _order_of_days(table, at, report)
    found = []
    for line, cells in table.rows:
        doi = normal_doi(cells[at["doi"]]) if "doi" in at else ""
        pmid = bare_pmid([cells[at["pmid"]]]) if "pmid" in at else ""
        about = [*by_id.get(("doi", doi), ()), *by_id.get(("pmid", pmid), ())]
        if not about:
            continue
        row = _notice(table, line, cells, at, days, report)
        if row is not None:
            row |= {"doi": doi, "pmid": pmid}
            draft.place = table.name, line
            draft.add("retractions.csv", row)
            found.append((row, list(dict.fromkeys(about))))
    draft.place = None
    report.notes.append(_said(len(table.rows), found))
    return found


def _notice(
    table: Table,
    line: int,
    cells: tuple[str, ...],
    at: Mapping[str, int],
    days: str,
    report: ImportReport,
) -> Row | None:
    """Make a row of ``retractions.csv``, but for the identifiers; None where its nature is not known."""

    def cell(name: str) -> str:
        return " ".join(cells[at[name]].split()) if name in at else ""

    written = cell("nature")
    nature = next((name for name, words in _NATURE if re.search(words, written.lower())), "")
    if written and not nature:
        report.left_out.append(
            Problem(f"{written!r} is no nature of a notice", f"one of {', '.join(NATURES)}", table.name, line)
        )
        return None
    day = _day(cell("date"), days)
    if cell("date") and not day:
        report.notes.append(f"line {line}: {cell('date')!r} is no day, and is left empty")
    reasons = [part.strip(" +") for part in cell("reason").split(";")]
    return {
        "nature": nature or "retraction",
        "date": day,
        "reason": "; ".join(filter(None, reasons)),
        "notice_doi": normal_doi(cell("notice_doi")),
        "notice_pmid": bare_pmid([cell("notice_pmid")]),
        "title": cell("title"),
        "source": table.name,
    }


def _columns(table: Table, mapping: Mapping[str, str]) -> dict[str, int]:
    """Position of each column of ``retractions.csv`` in the table."""
    for source, target in mapping.items():
        if source not in table.header or (target and target not in COLUMNS):
            raise CallError(
                f"--map {source}={target} names no column of {table.name} or none of retractions.csv: the "
                f"first has {', '.join(table.header)}, the second {', '.join(COLUMNS)}."
            )
    free = [name for name in table.header if name not in mapping]
    found = {target: table.header.index(source) for source, target in mapping.items() if target}
    for column, names in COLUMNS.items():
        match = next((name for alias in names for name in free if plain(name) == alias), None)
        if match is not None:
            found.setdefault(column, table.header.index(match))
    if "doi" not in found and "pmid" not in found:
        raise CallError(
            f"{table.name} has no column with the DOI or PubMed identifier of the publications: say which "
            f"with --map SOURCE=doi; its columns are {', '.join(table.header)}."
        )
    return found


def _order_of_days(table: Table, at: Mapping[str, int], report: ImportReport) -> str:
    """Tell from the whole column whether 3/4/2020 is of March, as Retraction Watch has it, or of April."""
    if "date" not in at:
        return "month first"
    found: Counter[str] = Counter()
    for _, cells in table.rows:
        if match := _SLASHED.fullmatch(cells[at["date"]].strip()):
            one, two = int(match[1]), int(match[2])
            found["day first" if one > 12 else "month first" if two > 12 else "either"] += 1
    if not found:
        return "month first"
    order = "day first" if found["day first"] and not found["month first"] else "month first"
    if found["day first"] and found["month first"]:
        report.notes.append(
            "days are written in two orders: the month was taken to stand first where both fit"
        )
    else:
        report.notes.append(f"days such as 3/4/2020 were read with the {order.replace(' ', ' standing ')}")
    return order


def _day(text: str, order: str) -> str:
    """Write a day as year-month-day; empty if it is none."""
    if match := _ISO.fullmatch(text):
        parts = [tuple(map(int, match.groups()))]
    elif match := _SLASHED.fullmatch(text):
        one, two, year = map(int, match.groups())
        parts = [(year, one, two), (year, two, one)]
        parts = parts[::-1] if order == "day first" else parts
    else:
        return ""
    for year, month, day in parts:
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            continue
    return ""


def _said(n: int, found: list[tuple[Row, list[Publication]]]) -> str:
    if not found:
        return f"{n:,} notices, none of them about a report or record of this review"
    about = "; ".join(
        f"{row['nature'].replace('_', ' ')} of {', '.join(map(str, publications))}"
        for row, publications in found[:20]
    )
    more = f"; and {len(found) - 20} more" if len(found) > 20 else ""
    return f"{n:,} notices, {len(found)} of them about this review: {about}{more}"
