"""Tables as people keep them: two numbers in a cell, a name in two columns, rows that are no data."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.column_names import plain, targets
from evidence.importers.table import Table
from evidence.importers.tables.cells import is_gap, number
from evidence.names import suggestion

_BETWEEN = re.compile(r"\s*(?:±|\+/-|\+-|[()\[\]/;]|,\s|\bto\b|[–—]|(?<=\d)\s*-\s*(?=\d))\s*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


_TOTAL = re.compile(
    r"(grand |sub|overall |pooled )?totals?\b.{0,20}|(overall|pooled)( .{0,20})?|pooled\b.{0,20}|sum|summary"
    r"|combined|all (studies|trials)|(weighted )?(mean|average|median)|heterogeneity.*|test for .*"
    r"|(random|fixed|common)[ -]effects?.*|meta[ -]analy.*"
    r"|summe|gesamt|insgesamt|somme|totale|promedio|media|итого|合计",
    re.IGNORECASE,
)
"""What stands in the study's column of a row that is none."""
_PER_CENT = re.compile(r"[+-]?\d+(\.\d+)? ?%")
_YEAR = re.compile(r"\(?((?:1[89]|20)\d\d) ?[a-z]?\)?")
_NO_YEAR = re.compile(
    r"\(?(in (press|prep(aration)?|review|revision)|unpub(lished)?|n\.? ?d\.?|submitted|forthcoming|preprint"
    r"|accepted|ongoing|ahead of print|online first|under review)\.?\)?",
    re.IGNORECASE,
)
_MOST_SUMMED = 10_000
"""Rows of a table that may have a row of sums."""


def joined(table: Table, mapping: Mapping[str, str]) -> tuple[Table, dict[str, str]]:
    """Make one column of several that a person joins: ``--map study+species=study``.

    Parameters
    ----------
    table : Table
    mapping : mapping of str to str
        Source to target; a source that is no column, and joins columns with ``+``, makes a new one.

    Returns
    -------
    table : Table
    mapping : dict of str to str
        The mapping, for the columns of that table; a joined column that had the same meaning is left out.
    """
    chosen = dict(mapping)
    for source, target in mapping.items():
        parts = source.split("+")
        if source in table.header or len(parts) < 2 or any(part not in table.header for part in parts):
            continue
        at = [table.header.index(part) for part in parts]
        rows = tuple(
            (line, (*cells, " ".join(filter(None, (cells[i] for i in at))) if cells[at[0]] else ""))
            for line, cells in table.rows
        )
        note = f"{target} was made of {' and '.join(map(repr, parts))}"
        table = replace(table, header=(*table.header, source), rows=rows, notes=(*table.notes, note))
        # The first part names the thing without what tells it apart from others.
        chosen.setdefault(parts[0], "")
    return table, chosen


def chosen_rows(table: Table, condition: str) -> Table:
    """Keep the rows that meet a condition in SQL, asked at the gate for other people's SQL.

    Parameters
    ----------
    table : Table
    condition : str
        One SQL expression on the table's columns, named as in the table; a column of numbers is one.

    Raises
    ------
    CallError
        If it is no condition, or names no column.
    ReviewError
        If no row meets it.
    """
    from evidence.checking.condition import meets
    from evidence.database import connect

    names = [name for name in table.header if name]
    at = [table.header.index(name) for name in names]
    kinds = [
        "double"
        if all(number(cells[i]) is not None for _, cells in table.rows if not is_gap(cells[i]))
        else "varchar"
        for i in at
    ]
    of_words = {i for i, kind in zip(at, kinds) if kind == "varchar"}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "rows.duckdb"
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        with connect(file, write=True) as connection:
            columns = ", ".join(f"{name} {kind}" for name, kind in zip(quoted, kinds))
            connection.execute(f"create table rows (_row integer, {columns})")
            marks = ", ".join("?" * (len(names) + 1))
            batch = [
                [n, *((cells[i] or None) if i in of_words or not is_gap(cells[i]) else None for i in at)]
                for n, (_, cells) in enumerate(table.rows)
            ]
            connection.execute("begin")
            connection.executemany(f"insert into rows values ({marks})", batch)
            connection.execute("commit")
        kept = meets(file, condition, names)
    if not kept:
        raise ReviewError(f"No row of {table.name} meets --rows {condition!r}.")
    rows = tuple(row for n, row in enumerate(table.rows) if n in kept)
    gone = len(table.rows) - len(rows)
    note = f"{gone} of {len(table.rows)} rows do not meet {condition!r} and were not taken"
    return replace(table, rows=rows, notes=(*table.notes, note))


def numbered_studies(table: Table, mapping: Mapping[str, str]) -> Table:
    """Call the study of each row by its number.

    Raises
    ------
    CallError
        If a column names the study.
    """
    meanings = targets("arm level")
    named = [
        name
        for name in table.header
        if mapping.get(name) == "study" or (name not in mapping and "study" in meanings.get(plain(name), ()))
    ]
    if named:
        raise CallError(
            f"{table.name} names its studies in {named[0]!r}: --number-studies is for one that does not."
        )
    rows = tuple((line, (*cells, f"Study {i}")) for i, (line, cells) in enumerate(table.rows, 1))
    note = "the table does not name its studies; they are numbered in the order of its rows"
    return replace(table, header=(*table.header, "study"), rows=rows, notes=(*table.notes, note))


def without_totals(table: Table, study: int, counts: Iterable[int], left_out: list[Problem]) -> Table:
    """Leave out rows of totals: they are no study, and would be pooled twice.

    Parameters
    ----------
    table : Table
    study : int
        Column of the study.
    counts : iterable of int
        Columns of events and n: their sums tell a total from a study of that name.
    left_out : list of Problem
        What is left out is added here.

    Raises
    ------
    ReviewError
        If a row may be a total, and its numbers do not tell; names every line.
    """
    # Nobody writes sums below a table that long; a row that is called a total is found in any.
    at = list(counts) if len(table.rows) <= _MOST_SUMMED else []
    if not at and not any(_TOTAL.fullmatch(name) for name in {cells[study] for _, cells in table.rows}):
        return table
    suspects = {}
    sums = [0.0] * len(at)
    block = [0.0] * len(at)
    rows_so_far = 0
    for line, cells in table.rows:
        values = [number(cells[i]) or 0.0 for i in at]
        filled = sum(bool(cells[i]) for i in at)
        is_sum = (
            filled >= 1
            and rows_so_far > 1
            and any(
                all(not cells[i] or value == total for i, value, total in zip(at, values, totals))
                for totals in (sums, block)
            )
        )
        named = bool(_TOTAL.fullmatch(cells[study].strip(" :.")))
        if named or (is_sum and filled >= 2 and rows_so_far > 2):
            suspects[line] = (named, is_sum or not filled)
            block = [0.0] * len(at)
            continue
        rows_so_far += 1
        sums = [a + b for a, b in zip(sums, values)]
        block = [a + b for a, b in zip(block, values)]
    if not suspects:
        return table
    kept, problems = [], []
    for line, cells in table.rows:
        if line not in suspects:
            kept.append((line, cells))
            continue
        named, is_sum = suspects[line]
        name = cells[study]
        if named and is_sum:
            left_out.append(Problem(f"{name!r} is a row of totals, not a study", "", table.name, line))
            continue
        what = "is called like a row of totals" if named else "holds the sums of the rows above it"
        condition = (
            f"\"{table.header[study]}\" <> '{name}'" if name else f'"{table.header[study]}" is not null'
        )
        problems.append(
            Problem(
                f"{name!r} {what}",
                f"leave it out with --rows {shlex.quote(condition)}; if it is a study, call it"
                " otherwise, by its"
                " year, say",
                table.name,
                line,
            )
        )
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    return replace(table, rows=tuple(kept))


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
    table, mapping = joined(table, mapping)
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
    return replace(table, header=tuple(header), rows=tuple(rows), notes=(*table.notes, *notes)), chosen


def _numbers(cell: str) -> list[str]:
    text = cell.replace("\N{MINUS SIGN}", "-")
    parts = [part.strip().rstrip("%").strip() for part in _BETWEEN.split(text)]
    return [part for part in parts if part]


def holds(cells: Iterable[str], n: int) -> bool:
    """Whether every cell that is not empty holds so many numbers, and one does."""
    parts = [_numbers(cell) for cell in cells if cell]
    return bool(parts) and all(len(found) == n and all(map(_NUMBER.fullmatch, found)) for found in parts)


def without_per_cent_signs(table: Table, positions: Iterable[int]) -> Table:
    """Take the signs off columns all of whose cells are in per cent: the women of a study, say."""
    signed = [
        at
        for at in positions
        if any(cells[at] for _, cells in table.rows)
        and all(not cells[at] or _PER_CENT.fullmatch(cells[at]) for _, cells in table.rows)
    ]
    if not signed:
        return table
    rows = tuple(
        (line, tuple(cell.rstrip("% ") if i in signed else cell for i, cell in enumerate(cells)))
        for line, cells in table.rows
    )
    names = " and ".join(repr(table.header[at]) for at in signed)
    return replace(table, rows=rows, notes=(*table.notes, f"per cent signs were taken off {names}"))


def years_read(table: Table, position: int) -> Table:
    """Read the years of ``2000a`` and ``(2000)``; what is in press has none yet.

    Two studies of one year are told apart by letters in a list of references, and by names here.
    """
    read, none = {}, set()
    for cell in {cells[position] for _, cells in table.rows}:
        if match := _YEAR.fullmatch(cell):
            read[cell] = match[1]
        elif _NO_YEAR.fullmatch(cell):
            read[cell] = ""
            none.add(cell)
    if all(cell == year for cell, year in read.items()):
        return table
    rows = tuple(
        (line, (*cells[:position], read.get(cells[position], cells[position]), *cells[position + 1 :]))
        for line, cells in table.rows
    )
    name = table.header[position]
    notes = []
    if lettered := [cell for cell, year in read.items() if year not in (cell, "")]:
        notes.append(f"{name!r} was read without its letter: {min(lettered)!r} as {read[min(lettered)]}")
    if none:
        notes.append(f"{name!r} is no year yet, and left empty: {', '.join(map(repr, sorted(none)))}")
    return replace(table, rows=rows, notes=(*table.notes, *notes))


def filled_down(table: Table, position: int) -> Table:
    """Give an empty cell of one column the cell above it, as merged cells of a spreadsheet mean it."""
    above = ""
    rows = []
    for line, cells in table.rows:
        above = cells[position] or above
        rows.append((line, (*cells[:position], above, *cells[position + 1 :])))
    note = f"an empty cell of {table.header[position]!r} means the same as the one above it"
    return replace(table, rows=tuple(rows), notes=(*table.notes, note))


def _meant(source: str, target: str, table: Table) -> str:
    """Say which column was meant: that of the right side, where NEW=OLD was written as in R."""
    if target in table.header:
        return f"the table's column comes first: --map {shlex.quote(f'{target}={source}')}"
    return suggestion(source, table.header)
