"""A second extractor's readings join the first's.

Both readings are kept: the view ``extraction_pair`` sets them side by side, ``extraction_agreement`` measures
how far they agree, and the reading of extractor ``consensus`` (a row of its own) counts in the analyses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.column_names import plain, targets
from evidence.folder.layout import FILE
from evidence.importers.draft import ColumnMapping, Draft, ImportReport, Row
from evidence.importers.table import Reading, Table, read_table
from evidence.names import suggestion

_MEASUREMENTS = FILE["measurements.csv"]
_CELL = ("study", "experiment", "arm", "outcome", "timepoint", "timepoint_unit")
CONSENSUS = "consensus"


def import_extraction(
    file: str | Path,
    into: str | Path,
    *,
    extractor: str,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **reading: Unpack[Reading],
) -> ImportReport:
    """Add one extractor's measurements to a review folder that others have extracted into.

    Parameters
    ----------
    file : path
        Table with the columns of ``measurements.csv`` or their usual aliases; arms and outcomes must exist in
        the folder.
    into : path
        Review folder.
    extractor : str
        Who read the numbers; ``consensus`` for what extractors agreed on.
    mapping : mapping of str to str, optional
        Source column to column of ``measurements.csv``; an empty target leaves it out.
    dry_run : bool
        Check and report, write nothing.
    **reading
        How the table is opened (`evidence.importers.table.Reading`): sheet, header, encoding.

    Returns
    -------
    ImportReport
        Its notes say how many cells were read before, and where the readings differ.

    Raises
    ------
    CallError
        If the table names no study, arm and outcome.
    ReviewError
        If the extractor has read a cell before and now reads another number, or the folder would have errors.
    """
    table = read_table(file, **reading)
    columns = _columns(table, mapping or {})
    if missing := [name for name in ("study", "arm", "outcome") if name not in columns]:
        raise CallError(
            f"{table.name} has no column {' and '.join(missing)}: it needs those of measurements.csv; say"
            " with --map SOURCE=COLUMN which is which."
        )
    draft = Draft(into)
    if not draft.rows("measurements.csv"):
        raise CallError(f"{Path(into).name} has no measurements.csv yet: import arms first.")
    earlier: dict[tuple[str, ...], list[Row]] = {}
    for row in draft.rows("measurements.csv"):
        earlier.setdefault(_cell(row), []).append(row)
    report = ImportReport(table.name, notes=list(table.notes))
    problems: list[Problem] = []
    read_before = differing = 0
    for line, cells in table.rows:
        draft.place = table.name, line
        row = {name: cells[at] for name, at in columns.items() if cells[at]} | {"extractor": extractor}
        others = earlier.get(_cell(row), [])
        mine = [other for other in others if _reader(other) == extractor]
        theirs = [other for other in others if _reader(other) not in (extractor, CONSENSUS)]
        if mine:
            if differences := _differences(row, mine[0]):
                problems.append(
                    Problem(
                        f"{extractor} has read this cell before, and read {_said(differences)}",
                        "keep one of the two; what extractors agreed on has the extractor consensus",
                        table.name,
                        line,
                        study=row.get("study"),
                        arm=row.get("arm"),
                    )
                )
            continue
        if theirs:
            read_before += 1
            found = [(_reader(other), d) for other in theirs if (d := _differences(row, other))]
            differing += bool(found)
            report.notes += [
                f"line {line}: {extractor} and {reader} differ in study {row.get('study')!r}, arm"
                f" {row.get('arm')!r}, outcome {row.get('outcome')!r}: {_said(differences)}"
                for reader, differences in found
            ]
        row.setdefault("locator", f"{table.name} line {line}")
        draft.add("measurements.csv", row, key=())
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    report.notes.append(f"{read_before} cells were read by others before; {differing} of them differ")
    for name, position in columns.items():
        report.mappings.append(ColumnMapping(table.header[position], f"measurements.csv: {name}"))
    report.mappings += [
        ColumnMapping(name, "", "no column of measurements.csv")
        for position, name in enumerate(table.header)
        if position not in columns.values()
    ]
    return draft.finish(report, dry_run=dry_run)


def _columns(table: Table, mapping: Mapping[str, str]) -> dict[str, int]:
    if unknown := [name for name in mapping if name not in table.header]:
        raise CallError(f"{table.name} has no column {unknown[0]!r}: {suggestion(unknown[0], table.header)}.")
    meanings = targets("arm level")
    columns: dict[str, int] = {}
    for position, name in enumerate(table.header):
        options = {mapping[name]} if name in mapping else meanings.get(plain(name), frozenset({plain(name)}))
        own = [option for option in options if option in _MEASUREMENTS.by_name and option != "extractor"]
        if len(own) == 1:
            columns.setdefault(own[0], position)
    return columns


def _cell(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return what was measured: readings of the same cell agree in it, numbers compared as numbers."""
    key = [row.get(name, "") for name in _CELL]
    key[1] = key[1] or "main"
    key[4] = _number(key[4])
    return tuple(key)


def _reader(row: Mapping[str, str]) -> str:
    return row.get("extractor") or "extractor"


def _number(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _differences(row: Mapping[str, str], other: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Statistics and units that both give, and give differently."""
    names = [c.name for c in _MEASUREMENTS.columns if c.type == "number" and c.name not in _CELL] + ["unit"]
    return [
        (name, row[name], other[name])
        for name in names
        if row.get(name) and other.get(name) and _number(row[name]) != _number(other[name])
    ]


def _said(differences: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name} {mine} against {theirs}" for name, mine, theirs in differences)
