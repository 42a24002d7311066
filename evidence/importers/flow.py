"""The numbers of a PRISMA 2020 flow diagram become rows of ``flow.csv``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Unpack

from evidence.errors import Problem, ReviewError
from evidence.facts.reference import keyed
from evidence.importers.draft import ColumnMapping, Draft, ImportReport
from evidence.importers.table import Reading, read_table
from evidence.names import nearest, suggestion

_LISTS = frozenset(
    ("database_specific_results", "register_specific_results", "dbr_excluded", "other_excluded")
)
"""Boxes of the template that hold a list; reviewers give reasons in others, too (PRISMA2020, issue 82)."""

_STAGES = frozenset(("identification", "screening", "included"))
_PLACEHOLDERS = frozenset(("", "xxx", "na"))


def import_prisma(
    file: str | Path, into: str | Path, *, dry_run: bool = False, **reading: Unpack[Reading]
) -> ImportReport:
    """Add the boxes of a PRISMA 2020 flow diagram to ``flow.csv``.

    Parameters
    ----------
    file : path
        ``PRISMA.csv`` of the PRISMA2020 package: columns ``data`` and ``n``. Reasons are written
        ``Reason1, 3; Reason2, 5``, in the boxes of the template and in those of records excluded and reports
        not retrieved.
    into : path
        Review folder; it needs neither studies nor records.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport

    Raises
    ------
    ReviewError
        If the columns are missing, a number cannot be read, or the table holds no number.
    """
    table = read_table(file, **reading)
    missing = [name for name in ("data", "n") if name not in table.header]
    if missing:
        raise ReviewError(
            f"{table.name} is no table of the PRISMA2020 package: it has no column {', '.join(missing)}."
        )
    report = ImportReport(table.name, notes=list(table.notes))
    draft = Draft(into, title=Path(file).stem)
    at, n = table.header.index("data"), table.header.index("n")
    problems: list[Problem] = []
    for line, cells in table.rows:
        draft.place = table.name, line
        box = cells[at]
        if box not in keyed("prisma_box"):
            if nearest(box, keyed("prisma_box")) and box not in _STAGES:
                report.left_out.append(
                    Problem(f"unknown box {box!r}", suggestion(box, keyed("prisma_box")), table.name, line)
                )
            continue
        for reason, number, wrong in _counts(box, cells[n]):
            if number.strip().lower() in _PLACEHOLDERS:
                continue
            if wrong:
                problems.append(Problem(f"{wrong} in box {box}", _REMEDY, table.name, line))
                continue
            if "," in number:
                report.notes.append(f"box {box}: {number} was read as {number.replace(',', '')}")
            count = number.strip().replace(",", "")
            draft.add("flow.csv", {"box": box, "n": count, "reason": reason})
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    if not draft.changed and not draft.rows("flow.csv"):
        raise ReviewError(
            f"{table.name} holds no number.",
            [Problem("the column n is empty in every box", "write how many into it", table.name)],
        )
    for name in table.header:
        became = {"data": "flow.csv: box", "n": "flow.csv: n, reason"}.get(name, "")
        report.mappings.append(ColumnMapping(name, became, "" if became else "words of the diagram"))
    return draft.finish(report, dry_run=dry_run)


_REMEDY = "a whole number without separators (1234), or 'reason, number; reason, number'"


def _counts(box: str, cell: str) -> list[tuple[str, str, str]]:
    """Reason and number of each part of a cell, and what is wrong with it, which is empty if nothing is."""
    listed = box in _LISTS or ";" in cell or re.search(r"[^\W\d]", cell.replace("xxx", ""))
    if not listed:
        return [("", cell, "" if _is_count(cell) else repr(cell))]
    found = []
    for part in filter(None, map(str.strip, cell.split(";"))):
        reason, _, number = part.rpartition(",")
        # "Wrong design, 1,234" may be 1234 records, or a reason that ends in a number.
        doubtful = re.search(r"(^|[\s,])\d{1,3},\d{3}$", part) is not None
        wrong = doubtful or not re.fullmatch(r"\d+", number.strip())
        found.append((reason.strip(), number, repr(part) if wrong else ""))
    return found


def _is_count(text: str) -> bool:
    return re.fullmatch(r"\d+|\d{1,3}(,\d{3})+", text.strip()) is not None
