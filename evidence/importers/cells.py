"""Tables as people keep them: cells that hold two numbers, names that stand in the first row of several."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from evidence.errors import CallError, Problem, ReviewError
from evidence.importers.table import Table
from evidence.names import suggestion

_BETWEEN = re.compile(r"\s*(?:±|\+/-|\+-|[()\[\]/;]|,\s|\bto\b|[–—]|(?<=\d)\s*-\s*(?=\d))\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def taken_apart(table: Table, mapping: Mapping[str, str]) -> tuple[Table, dict[str, str]]:
    """Take columns apart whose cells hold several numbers: ``mean (SD)``, ``210.5 ± 31.6``, ``8/10``.

    Parameters
    ----------
    table : Table
    mapping : mapping of str to str
        Source column to what it stands for; several targets joined by ``+`` (``mean+sd``) for a column whose
        cells hold as many numbers; an empty one (``events+``) leaves its number out.

    Returns
    -------
    table : Table
        With one column a number in place of each such column.
    mapping : dict of str to str
        The mapping, for the columns of that table.

    Raises
    ------
    CallError
        If the table has no such column.
    ReviewError
        If a cell holds another count of numbers; names all of them.
    """
    if strange := [source for source in mapping if source not in table.header]:
        raise CallError(
            "The mapping names columns that the table does not have.",
            [
                Problem(f"there is no column {source!r}", _meant(source, mapping[source], table), table.name)
                for source in strange
            ],
        )
    several = {source: target.split("+") for source, target in mapping.items() if "+" in target}
    if not several:
        return table, dict(mapping)
    problems: list[Problem] = []
    rows = []
    for line, cells in table.rows:
        row: list[str] = []
        for name, cell in zip(table.header, cells, strict=True):
            if name not in several:
                row.append(cell)
                continue
            parts = _numbers(cell) if cell else [""] * len(several[name])
            if len(parts) != len(several[name]) or not all(map(_NUMBER.fullmatch, filter(None, parts))):
                wanted = " and ".join(filter(None, several[name]))
                problems.append(
                    Problem(
                        f"{cell!r} does not hold {len(several[name])} numbers",
                        f"{wanted}, as in '210.5 ± 31.6', '210.5 (31.6)' or '8/10'; or an empty cell",
                        table.name,
                        line,
                        name,
                    )
                )
                parts = [""] * len(several[name])
            row += parts
        rows.append((line, tuple(row)))
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    header: list[str] = []
    chosen: dict[str, str] = {}
    for name in table.header:
        for target in several.get(name, [None]):
            header.append(name if target is None else f"{name}, {target or 'the rest'}")
            if target is not None:
                chosen[header[-1]] = target
            elif name in mapping:
                chosen[name] = mapping[name]
    notes = [
        f"column {name!r} was taken apart into {' and '.join(filter(None, to))}"
        for name, to in several.items()
    ]
    return Table(table.name, tuple(header), tuple(rows), (*table.notes, *notes)), chosen


def _numbers(cell: str) -> list[str]:
    text = cell.replace("\N{MINUS SIGN}", "-")
    parts = [part.strip().rstrip("%").strip() for part in _BETWEEN.split(text)]
    return [part for part in parts if part]


def holds(cells: Iterable[str], n: int) -> bool:
    """Whether every cell that is not empty holds so many numbers, and one does."""
    parts = [_numbers(cell) for cell in cells if cell]
    return bool(parts) and all(len(found) == n and all(map(_NUMBER.fullmatch, found)) for found in parts)


def filled_down(table: Table, position: int) -> Table:
    """Give an empty cell of one column the cell above it, as merged cells of a spreadsheet mean it."""
    above = ""
    rows = []
    for line, cells in table.rows:
        above = cells[position] or above
        rows.append((line, (*cells[:position], above, *cells[position + 1 :])))
    note = f"an empty cell of {table.header[position]!r} means the same as the one above it"
    return Table(table.name, table.header, tuple(rows), (*table.notes, note))


def _meant(source: str, target: str, table: Table) -> str:
    """Say which column was meant: that of the right side, where NEW=OLD was written as in R."""
    if target in table.header:
        return f"the table's column comes first: --map {shlex.quote(f'{target}={source}')}"
    return suggestion(source, table.header)
