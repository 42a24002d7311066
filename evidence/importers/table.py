"""Reading any rectangular file into text cells, with the line each row stands on.

Nothing is converted here: a cell is the text a person sees, so that what is written into a review folder can
be compared with the source by eye. The only exception is a number that a binary format (XLSX, Stata, Parquet)
stores as a number: it is written with as many digits as it takes to read it back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from evidence.errors import CallError, Problem, ReviewError
from evidence.folder.records import UNQUOTE, RecordError, records, swallowed, told_swallowed
from evidence.importers.sources import read_text, refuse_unused
from evidence.importers.workbook import Lines, as_text, read_workbook
from evidence.system.bounds import check_size, counted, parsing

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "."})
"""Texts that other tools write for a missing cell."""


THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""What may be thousands parted by points, or a number with three decimals."""
_BUGS_HEADER = re.compile(r"\s*[A-Za-z][\w.]*\[,?\d*\](\s+[A-Za-z][\w.]*\[,?\d*\])*\s*$")


@dataclass(frozen=True)
class Table:
    """A rectangular file as text.

    Attributes
    ----------
    name : str
        File name, for messages.
    header : tuple of str
        Column names as written, blanks around them removed.
    rows : tuple of (line, cells)
        Line number in the file (the header is line 1) and one text per column; missing cells are empty.
    notes : tuple of str
        What had to be decided to read it: encoding, separator, decimal comma.
    doubled : tuple of (str, str)
        Columns whose name was given before, by the name they have here, and that name.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[str, ...] = field(default=())
    doubled: tuple[tuple[str, str], ...] = field(default=())

    def column(self, name: str) -> list[str]:
        """All cells of one column."""
        position = self.header.index(name)
        return [cells[position] for _, cells in self.rows]

    def refuse_without(self, missing: Sequence[str], what: str, remedy: str) -> None:
        """Refuse a file that lacks columns which its layout always has.

        Parameters
        ----------
        missing : sequence of str
            Those that it lacks; nothing happens where there are none.
        what : str
            What the file is not: ``is not in the layout of MetaLab``.
        remedy : str
            What would be right.

        Raises
        ------
        ReviewError
            Naming every one.
        """
        if missing:
            problems = [Problem(f"there is no column {name!r}", remedy, self.name, 1) for name in missing]
            raise ReviewError(f"{self.name} {what}.", problems)


class Reading(TypedDict, total=False):
    """How a table is opened: what every importer of tables takes, and hands to `read_table`.

    Attributes
    ----------
    sheet : str or None
        Sheet of a workbook; the first one without it.
    header : int or None
        Line that names the columns, where it is not the first.
    encoding : str or None
        Encoding of a text file that is not UTF-8.
    """

    sheet: str | None
    header: int | None
    encoding: str | None


def read_table(
    path: str | Path,
    *,
    sheet: str | None = None,
    header: int | None = None,
    encoding: str | None = None,
    doubled: str = "refuse",
    missing: frozenset[str] = MISSING,
) -> Table:
    """Read a CSV, TSV, XLSX, Stata or Parquet file.

    Parameters
    ----------
    path : path
        The file; its ending says what it is (anything unknown is read as text).
    sheet : str, optional
        Sheet of a workbook; without it, the first one in sight that holds something.
    header : int, optional
        Line that names the columns; the lines above it are not read. The first line without it. A line of
        group names over several columns, and one of names below it, are read together.
    encoding : str, optional
        Encoding of a text file that is not UTF-8.
    doubled : {"refuse", "keep"}
        What to do with a name that is given twice: refuse it, unless both columns hold the same; or keep
        both, the second as ``name (2)``, for a reader that uses neither or asks.
    missing : frozenset of str
        Texts that stand for a missing cell.

    Returns
    -------
    Table

    Raises
    ------
    ReviewError
        If the file cannot be read as a table; says where and what would be right.
    """
    file = Path(path)
    if not file.is_file():
        raise ReviewError(f"There is no file {str(path)!r}.")
    readers = {".xlsx": read_workbook, ".xlsm": read_workbook, ".dta": _read_stata, ".parquet": _read_parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        refuse_unused(file, "no workbook", sheet=sheet)
        text, notes = read_text(file, encoding)
        return table_of(file, text, notes, header, doubled, missing)
    refuse_unused(file, "no text file", encoding=encoding)
    if reader is not read_workbook:
        refuse_unused(file, "no workbook", sheet=sheet)
    check_size(file)
    lines, notes = reader(file, sheet)
    return _table(file.name, lines, notes, header, doubled, missing)


def table_of(
    file: Path,
    text: str,
    notes: list[str] | None = None,
    header: int | None = None,
    doubled: str = "refuse",
    missing: frozenset[str] = MISSING,
) -> Table:
    """Take a text apart into rows and columns; see `read_table`."""
    notes = notes if notes is not None else []
    first = next((line for line in text.split("\n")[(header or 1) - 1 :] if line.strip()), "")
    if _BUGS_HEADER.match(first):
        notes.append("read as a rectangular data table of WinBUGS")
        found = _read_bugs(text)
        return _table(file.name, found, notes, header or found[0][0], doubled, missing)
    if (lines := _written_by_r(text, first, notes)) is not None:
        return _table(file.name, lines, notes, header, doubled, missing)
    separator = max(",;\t", key=lambda mark: (first.count(mark), mark == ","))
    if separator != ",":
        notes.append(f"columns are separated by {'tabs' if separator == chr(9) else 'semicolons'}")
    lines = _records(file, text, separator, notes)
    if separator != "," and any(
        "," in cell and _is_number(cell.replace(",", ".", 1)) for _, cells in lines[1:] for cell in cells
    ):
        _refuse_points(file, lines)
        lines = [(line, [_point(cell) for cell in cells]) for line, cells in lines]
        notes.append("decimal commas were read as decimal points")
    return _table(file.name, lines, notes, header, doubled, missing)


_BY_R = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


def _written_by_r(text: str, first: str, notes: list[str]) -> Lines | None:
    """Read what R's ``write.table`` writes: columns kept apart by blanks, names of rows without a name."""
    if any(mark in re.sub(r'"[^"]*"', "", first) for mark in ",;\t") or len(_BY_R.findall(first)) < 2:
        return None
    lines = [
        (i, [cell.strip('"') if cell.startswith('"') else cell for cell in _BY_R.findall(line)])
        for i, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    width = len(lines[0][1])
    widths = {len(cells) for _, cells in lines[1:]}
    # Names of rows are quoted, or the header is: a title of some words is no header.
    if len(widths) != 1 or not widths <= {width, width + 1} or (widths == {width} and '"' not in first):
        return None
    notes.append("columns are separated by blanks")
    if widths == {width + 1}:
        names = [cells[0] for _, cells in lines[1:]]
        numbered = names == [str(i) for i in range(1, len(names) + 1)]
        if numbered:
            notes.append("the numbers of the rows were not taken")
            return [lines[0], *((i, cells[1:]) for i, cells in lines[1:])]
        return [(lines[0][0], ["", *lines[0][1]]), *lines[1:]]
    return lines


def _records(file: Path, text: str, separator: str, notes: list[str]) -> Lines:
    """Cells of every line that holds something; a row with others inside one of its cells is refused."""
    try:
        found = [record for record in records(text, separator) if not record.blank]
    except RecordError as error:
        raise ReviewError(
            f"{file.name} cannot be read as a table.",
            [Problem(str(error), error.remedy, file=file.name, line=error.line)],
        ) from None
    long = [record for record in found if len(record.lines) > 1]
    width = len(found[0].cells) if found else 0
    problems = [
        Problem(
            told_swallowed(lost),
            UNQUOTE,
            file.name,
            record.line,
        )
        for record in long
        if (lost := swallowed(record, width, separator=separator))
    ]
    if problems:
        raise ReviewError(f"{file.name} cannot be read as a table.", problems)
    if long:
        more = f", and {len(long) - 1} more" if len(long) > 1 else ""
        notes.append(f"the row of line {long[0].line}{more} has a cell of several lines")
    return [(record.line, record.cells) for record in found]


def _refuse_points(file: Path, lines: Lines) -> None:
    """Refuse what may be thousands in a file with decimal commas: 1.350 may be 1350 or 1,350."""
    problems = [
        Problem(
            f"{cell!r} in a file with decimal commas: its point may part thousands, or decimals",
            f"write {cell.replace('.', '')} or {cell.replace('.', ',')}",
            file.name,
            line,
        )
        for line, cells in lines[1:]
        for cell in map(str.strip, cells)
        if THOUSANDS.fullmatch(cell)
    ]
    if problems:
        raise ReviewError(f"{file.name} cannot be imported.", problems)


def _read_bugs(text: str) -> Lines:
    """Read columns kept apart by blanks; comments begin with #, and END ends the table."""
    lines = [(i, line.split("#", 1)[0].split()) for i, line in enumerate(text.splitlines(), 1)]
    end = next((i for i, (_, cells) in enumerate(lines) if cells[:1] == ["END"]), len(lines))
    return [(i, cells) for i, cells in lines[:end] if cells]


def _read_stata(file: Path, sheet: str | None) -> tuple[Lines, list[str]]:
    import warnings

    import pandas as pd

    with parsing(file, "a readable Stata file", "save it with saveold"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pd.read_stata(file, convert_categoricals=True)
    rows = [
        (i, [as_text(v) for v in row]) for i, row in enumerate(data.itertuples(index=False, name=None), 2)
    ]
    return [(1, [str(column) for column in data.columns]), *rows], []


def _read_parquet(file: Path, sheet: str | None) -> tuple[Lines, list[str]]:
    from evidence.database import connect

    with parsing(file, "a readable Parquet file", "write it again"), connect() as connection:
        cursor = connection.execute("select * from read_parquet(?)", [str(file)])
        header = [column[0] for column in cursor.description]
        rows = [(i, [as_text(v) for v in row]) for i, row in enumerate(counted(file, _fetched(cursor)), 2)]
    return [(1, header), *rows], []


def _fetched(cursor: Any) -> Iterator[Any]:
    while batch := cursor.fetchmany(10_000):
        yield from batch


def _table(
    name: str,
    lines: Lines,
    notes: list[str],
    header: int | None,
    doubled: str = "refuse",
    missing: frozenset[str] = MISSING,
) -> Table:
    if header is not None:
        if header not in (line for line, _ in lines):
            raise CallError(f"{name} has no line {header} to take the names of columns from.")
        above = [(line, cells) for line, cells in lines if line < header]
        lines = [(line, cells) for line, cells in lines if line >= header]
        if above and _is_heading(above[-1], lines):
            lines = [above[-1], *lines]
        elif above:
            notes.append(f"line {header} names the columns; what stands above it was not read")
    else:
        _refuse_title(name, lines, other_sheets(notes))
    if len(lines) > 2 and _is_heading(lines[0], lines[1:]):
        notes.append(f"lines {lines[0][0]} and {lines[1][0]} name the columns together")
        lines = [(lines[1][0], _two_lines(lines[0][1], lines[1][1])), *lines[2:]]
    first, rows = lines[0][0], lines[1:]
    names, again = _apart(_names(lines, notes))
    problems = [_twice(name, first, column) for column in again.values() if doubled == "refuse"]
    kept: list[tuple[int, tuple[str, ...]]] = []
    blanks, width = 0, len(names)
    for line, cells in rows:
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            problems.append(_too_wide(name, line, len(cells), width, notes))
        if len(cells) != width:
            cells = [*cells, *[""] * (width - len(cells))][:width]
        stripped = [cell.strip() for cell in cells]
        if stripped != cells:
            blanks += sum(before != after for before, after in zip(cells, stripped))
        kept.append((line, tuple(["" if cell in missing else cell for cell in stripped])))
    if not kept:
        problems.append(Problem("there is a header and no row", "one row per arm or contrast", file=name))
    if same := [place for place in again if kept and _is_same(kept, place, names.index(again[place]))]:
        problems = [problem for problem in problems if problem.column not in {again[place] for place in same}]
        kept, names = _without(kept, same), tuple(n for i, n in enumerate(names) if i not in same)
        notes += [f"column {again[place]!r} stands twice, with the same cells: read once" for place in same]
        again = {names.index(f"{n} (2)"): n for n in again.values() if f"{n} (2)" in names}
    if problems:
        raise ReviewError(f"{name} cannot be read as a table.", problems)
    if blanks:
        notes.append(f"blanks at the beginning or end of {blanks} cells were removed")
    return Table(name, names, tuple(kept), tuple(notes), tuple((names[i], n) for i, n in again.items()))


def _twice(name: str, line: int, column: str) -> Problem:
    remedy = "keep one of them, or give them different names"
    return Problem(f"column {column!r} is given twice", remedy, file=name, line=line, column=column)


def _too_wide(name: str, line: int, cells: int, width: int, notes: list[str]) -> Problem:
    remedy = "put cells that hold the separator in quotation marks"
    if any(note.startswith("sheet ") for note in notes):
        remedy = "name every column in the header; where another line names them, say which: --header LINE"
        remedy += other_sheets(notes)
    return Problem(f"the row has {cells} cells, the header {width}", remedy, file=name, line=line)


def _apart(names: tuple[str, ...]) -> tuple[tuple[str, ...], dict[int, str]]:
    """Give a number to names that come again; returns the names, and the later ones by position."""
    given: dict[str, int] = {}
    apart, again = [], {}
    for position, name in enumerate(names):
        given[name] = given.get(name, 0) + 1
        if name and given[name] > 1:
            again[position] = name
            name = f"{name} ({given[name]})"
            while name in names:
                name += "'"
        apart.append(name)
    return tuple(apart), again


def _is_same(rows: list[tuple[int, tuple[str, ...]]], one: int, other: int) -> bool:
    return all(cells[one] == cells[other] for _, cells in rows)


def _without(
    rows: list[tuple[int, tuple[str, ...]]], positions: list[int]
) -> list[tuple[int, tuple[str, ...]]]:
    gone = set(positions)
    return [(line, tuple([c for i, c in enumerate(cells) if i not in gone])) for line, cells in rows]


def _is_heading(upper: tuple[int, list[str]], below: Lines) -> bool:
    """Whether a line names groups of columns (merged cells) and the next the columns in them."""
    if len(below) < 2:
        return False
    top, names, row = upper[1], below[0][1], below[1][1]
    width = max(len(top), len(names))
    top, names = ([*(c.strip() for c in cells), *[""] * (width - len(cells))] for cells in (top, names))
    spanned = [i for i in range(1, width) if names[i] and not top[i]]
    text = all(not _is_number(cell) for cell in names if cell) and sum(map(bool, names)) > 1
    # A row of data has numbers; the cells under a heading of two lines are names only.
    return bool(spanned) and text and sum(map(bool, top)) > 1 and any(map(_is_number, row))


def _two_lines(top: list[str], names: list[str]) -> list[str]:
    """Join two lines of names; a name above stands for all columns up to the next one."""
    width = max(len(top), len(names))
    top, names = ([*(c.strip() for c in cells), *[""] * (width - len(cells))] for cells in (top, names))
    joined, above = [], ""
    for one, other in zip(top, names):
        if one or not other:
            above = one
        joined.append(f"{above} {other}".strip() if other else one)
    return joined


def _names(lines: Lines, notes: list[str]) -> tuple[str, ...]:
    """Names of the columns; one without a name that holds something is called by its place."""
    header, *rows = (cells for _, cells in lines)
    names = [cell.strip() for cell in header]
    for i, name in enumerate(names):
        if not name and any(len(cells) > i and cells[i].strip() for cells in rows):
            names[i] = f"column {i + 1}"
            notes.append(f"column {i + 1} has no name, and is called {names[i]!r}")
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def other_sheets(notes: Sequence[str]) -> str:
    """Say, for a message of what is wrong with a sheet, that the workbook has others."""
    found = next((note for note in notes if note.startswith("sheet ") and "; not read: " in note), "")
    return f"; or the table stands in another sheet: {found.split('; not read: ')[1]}" if found else ""


def _refuse_title(name: str, lines: Lines, others: str) -> None:
    """Refuse a table whose first line is a title, and say where the header seems to stand."""
    filled = [(sum(bool(cell.strip()) for cell in cells), line) for line, cells in lines[:20]]
    likely = next((line for count, line in filled if count >= 3), None)
    if filled[0][0] > 1 or likely is None:
        return
    line, cells = lines[0]
    title = next(cell.strip() for cell in cells if cell.strip())
    raise ReviewError(
        f"{name} cannot be read as a table.",
        [
            Problem(
                f"the first line is {title!r}, which names no columns",
                f"say which line does: --header {likely}, it seems{others}",
                name,
                line,
            )
        ],
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _point(cell: str) -> str:
    pointed = cell.strip().replace(",", ".", 1)
    return pointed if "," in cell and _is_number(pointed) else cell
