"""One reviewer's screening decisions become rows of ``screening.csv``.

Any table with a column that names the record (by its key, doi, pmid or title) and one with the decision,
among them ASReview's export with ``included`` or ``asreview_label``. Reviewers are imported one after the
other; where they differ is counted by the view ``screening_agreement`` and listed by
``audit_screening_conflict``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.column_names import plain
from evidence.folder.layout import STAGES
from evidence.importers.draft import ColumnMapping, Draft, ImportReport, Row
from evidence.importers.duplicates import plain_title
from evidence.importers.references import normal_doi
from evidence.importers.table import Reading, Table, read_table
from evidence.importers.tables.targets import as_options
from evidence.names import suggestion

_ALIASES = {
    "record": "record",
    "recordid": "record",
    "key": "record",
    "doi": "doi",
    "pmid": "pmid",
    "title": "title",
    "primarytitle": "title",
    "decision": "decision",
    "included": "decision",
    "include": "decision",
    "asreviewlabel": "decision",
    "labelincluded": "decision",
    "reason": "reason",
    "exclusionreason": "reason",
    "stage": "stage",
    "reviewer": "reviewer",
}
_DECISIONS = {
    **dict.fromkeys(("include", "included", "yes", "1", "true", "relevant"), "include"),
    **dict.fromkeys(("exclude", "excluded", "no", "0", "false", "irrelevant"), "exclude"),
    **dict.fromkeys(("unclear", "maybe", "?", "undecided"), "unclear"),
    **dict.fromkeys(("not_retrieved", "not retrieved"), "not_retrieved"),
}
_OF_DECISION = ("decision", "reason", "stage", "reviewer")
_SKIPPED = frozenset(("", "-1"))


def import_screening(
    file: str | Path,
    into: str | Path,
    *,
    reviewer: str | None = None,
    stage: str | None = None,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add screening decisions to a review folder.

    Parameters
    ----------
    file : path
        Table of decisions, CSV, TSV or XLSX.
    into : path
        Review folder with ``records.csv``.
    reviewer : str, optional
        Who decided, where the table has no such column.
    stage : {"title_abstract", "full_text", "listed"}, optional
        Stage, where the table has no such column.
    mapping : mapping of str to str, optional
        Source column to record, doi, pmid, title, decision, reason, stage or reviewer.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    CallError
        If reviewer or stage are not known, or the table has no decisions.
    ReviewError
        If a decision cannot be read, or a reviewer's earlier one says something else.
    """
    table = read_table(file, **reading)
    known = _columns(table, mapping or {})
    if "decision" not in known or not known.keys() & {"record", "doi", "pmid", "title"}:
        raise CallError(
            f"{table.name} needs a column with the decision, and one that names the record (record, doi, pmid"
            f" or title): say which with --map SOURCE=COLUMN; its columns are {', '.join(table.header)}."
        )
    for name, given in (("reviewer", reviewer), ("stage", stage)):
        if given is None and name not in known:
            raise CallError(f"{table.name} does not say the {name}: say it with --{name}.")
    if stage is not None and stage not in STAGES:
        raise CallError(f"There is no stage {stage!r}: it is {' or '.join(STAGES)}.")
    draft, report = Draft(into), ImportReport(table.name, notes=list(table.notes))
    problems = _take(table, known, {"stage": stage, "reviewer": reviewer}, draft, report)
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    for position, name in enumerate(table.header):
        target = next((column for column, at in known.items() if at == position), "")
        home = "screening.csv" if target in _OF_DECISION else "records.csv, to find it"
        report.mappings.append(
            ColumnMapping(name, f"{home}: {target}" if target else "", "" if target else "no known meaning")
        )
    return draft.finish(report, dry_run=dry_run)


def _take(
    table: Table,
    known: Mapping[str, int],
    given: Mapping[str, str | None],
    draft: Draft,
    report: ImportReport,
) -> list[Problem]:
    """Add every decision to the draft; stage and reviewer as `given` where the table does not say."""
    find = _Finder(draft.rows("records.csv"))
    present = {(r["record"], r["stage"], r.get("reviewer", "")): r for r in draft.rows("screening.csv")}
    problems: list[Problem] = []
    for line, cells in table.rows:
        draft.place = table.name, line

        def cell(name: str, cells: tuple[str, ...] = cells) -> str:
            return cells[known[name]] if name in known else ""

        said = cell("decision").lower()
        if said in _SKIPPED:
            report.left_out.append(Problem("not decided", "", table.name, line))
            continue
        record, why = find(cell)
        if said not in _DECISIONS:
            remedy = "write include, exclude, unclear or not_retrieved"
            problems.append(Problem(f"{cell('decision')!r} is no decision", remedy, table.name, line))
            continue
        if record is None:
            report.left_out.append(Problem(why, "import its reference first", table.name, line))
            continue
        decision = _DECISIONS[said]
        row = {
            "record": record,
            **{name: cell(name) or given[name] or "" for name in ("stage", "reviewer")},
            "decision": decision,
            "reason": cell("reason") if decision != "include" else "",
        }
        earlier = present.setdefault((record, row["stage"], row["reviewer"]), row)
        if earlier["decision"] != decision:
            what = f"{row['reviewer']} decided {earlier['decision']} on {record!r} before"
            remedy = f"keep that or {decision}; what reviewers agreed on has reviewer consensus"
            problems.append(Problem(what, remedy, table.name, line))
        draft.add("screening.csv", row)
    return problems


def _columns(table: Table, mapping: Mapping[str, str]) -> dict[str, int]:
    """Position of each meaning: what a person maps to it, else the column of its name.

    Raises
    ------
    CallError
        If a mapping names no column or no meaning, or two columns have one meaning and say different things.
    """
    problems = [
        Problem(f"there is no column {name!r}", suggestion(name, table.header), table.name)
        for name in mapping
        if name not in table.header
    ]
    meanings = sorted(set(_ALIASES.values()))
    problems += [
        Problem(f"{name!r} is to stand for {target!r}", f"one of {', '.join(meanings)}", table.name, 1)
        for name, target in mapping.items()
        if target and target not in meanings
    ]
    said = {name: target for name, target in mapping.items() if target in meanings}
    known: dict[str, int] = {}
    for meaning in meanings:
        mapped = [at for at, name in enumerate(table.header) if said.get(name) == meaning]
        named = [
            at
            for at, name in enumerate(table.header)
            if name not in mapping and _ALIASES.get(plain(name)) == meaning
        ]
        columns = mapped or named
        first = [table.column(table.header[at]) for at in columns[:1]]
        rivals = [at for at in columns[1:] if [table.column(table.header[at])] != first]
        # Any key, DOI or title finds the record; two decisions are two.
        if rivals and (mapped or meaning in _OF_DECISION):
            names = [table.header[at] for at in (columns[0], *rivals)]
            problems.append(
                Problem(
                    f"columns {' and '.join(map(repr, names))} may each be the {meaning}",
                    f"say which: {as_options({names[0]: meaning})}, or {as_options({names[1]: meaning})}",
                    table.name,
                    1,
                )
            )
        if columns:
            known[meaning] = columns[0]
    if problems:
        raise CallError("What a column of decisions holds cannot be decided.", problems)
    return known


class _Finder:
    """Finds a record by its key, doi, pmid or title; never by one that several records have."""

    def __init__(self, records: list[Row]) -> None:
        self.by: dict[str, dict[str, list[str]]] = {
            name: defaultdict(list) for name in ("record", "doi", "pmid", "title")
        }
        for row in records:
            # A duplicate's decisions belong to the record that was kept.
            name = row.get("duplicate_of") or row["record"]
            for column, value in self._values(row.get):
                if value and name not in self.by[column][value]:
                    self.by[column][value].append(name)

    @staticmethod
    def _values(cell: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
        yield "record", (cell("record") or "").strip()
        yield "doi", normal_doi(cell("doi") or "")
        yield "pmid", (cell("pmid") or "").strip()
        yield "title", plain_title(cell("title") or "")

    def __call__(self, cell: Callable[[str], str | None]) -> tuple[str | None, str]:
        said = ""
        for column, value in self._values(cell):
            found = self.by[column].get(value, []) if value else []
            if len(found) == 1:
                return found[0], ""
            if len(found) > 1:
                said = f"{len(found)} records have the {column} {value!r}"
        return None, said or "no record has its key, doi, pmid or title"
