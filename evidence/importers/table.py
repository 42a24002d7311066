"""Reading any rectangular file into text cells, with the line each row stands on.

Nothing is converted here: a cell is the text a person sees, so that what is written into a review folder can
be compared with the source by eye. The only exception is a number that a binary format (XLSX, Stata, Parquet)
stores as a number: it is written with as many digits as it takes to read it back unchanged.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.errors import Problem, ReviewError
from evidence.importers.sources import check_members, read_text, unreadable

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "."})
"""Texts that other tools write for a missing cell."""


_FORMULA_ERRORS = frozenset(("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"))
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
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[str, ...] = field(default=())

    def column(self, name: str) -> list[str]:
        """All cells of one column."""
        position = self.header.index(name)
        return [cells[position] for _, cells in self.rows]


def read_table(path: str | Path, *, sheet: str | None = None) -> Table:
    """Read a CSV, TSV, XLSX, Stata or Parquet file.

    Parameters
    ----------
    path : path
        The file; its ending says what it is (anything unknown is read as text).
    sheet : str, optional
        Sheet of a workbook; the first one without it.

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
    readers = {".xlsx": _read_xlsx, ".xlsm": _read_xlsx, ".dta": _read_stata, ".parquet": _read_parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        return _read_text(file)
    header, rows, notes = reader(file, sheet)
    return _table(file.name, header, rows, notes)


def _read_text(file: Path) -> Table:
    text, notes = read_text(file)
    return table_of(file, text, notes)


def table_of(file: Path, text: str, notes: list[str] | None = None) -> Table:
    """Take a text apart into rows and columns; see `read_table`."""
    notes = notes if notes is not None else []
    first = text.split("\n", 1)[0]
    if _BUGS_HEADER.match(first):
        notes.append("read as a rectangular data table of WinBUGS")
        return _table(file.name, *_read_bugs(text), notes)
    separator = max(",;\t", key=lambda mark: (first.count(mark), mark == ","))
    if separator != ",":
        notes.append(f"columns are separated by {'tabs' if separator == chr(9) else 'semicolons'}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if not header:
                header = cells
            elif any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ReviewError(
            f"{file.name} cannot be read as a table.",
            [Problem(str(error), "close every quotation mark", file=file.name, line=reader.line_num)],
        ) from None
    if separator == ";" and any(
        "," in cell and _is_number(cell.replace(",", ".", 1)) for _, r in rows for cell in r
    ):
        rows = [(line, [_point(cell) for cell in cells]) for line, cells in rows]
        notes.append("decimal commas were read as decimal points")
    return _table(file.name, header, rows, notes)


def _read_bugs(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read columns kept apart by blanks; comments begin with #, and END ends the table."""
    lines = [(i, line.split("#", 1)[0].split()) for i, line in enumerate(text.splitlines(), 1)]
    end = next((i for i, (_, cells) in enumerate(lines) if cells[:1] == ["END"]), len(lines))
    lines = [(i, cells) for i, cells in lines[:end] if cells]
    return lines[0][1], lines[1:]


def _read_xlsx(file: Path, sheet: str | None) -> tuple[list[str], list[tuple[int, list[str]]], list[str]]:
    from zipfile import BadZipFile, ZipFile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with ZipFile(file) as archive:
            check_members(file, archive)
        pages = []
        for values_only in (True, False):
            book = openpyxl.load_workbook(file, read_only=True, data_only=values_only)
            try:
                if sheet is not None and sheet not in book.sheetnames:
                    raise unreadable(file, f"has no sheet {sheet!r}", f"sheets: {', '.join(book.sheetnames)}")
                page = book[sheet if sheet is not None else book.sheetnames[0]]
                pages.append([list(row) for row in page.iter_rows(values_only=True)])
                title = page.title
            finally:
                book.close()
    except (BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, AttributeError, OSError):
        raise unreadable(
            file, "is not a readable XLSX workbook", "save it again as .xlsx or CSV UTF-8"
        ) from None
    _check_formulas(file, *pages)
    lines = [(i, [_text(value) for value in row]) for i, row in enumerate(pages[0], 1)]
    lines = [(i, cells) for i, cells in lines if any(cell.strip() for cell in cells)]
    if not lines:
        raise unreadable(file, "is empty", "it needs a header line and one row per arm or contrast")
    return lines[0][1], lines[1:], [f"sheet {title!r}"]


def _check_formulas(file: Path, values: list[list[Any]], formulas: list[list[Any]]) -> None:
    """Refuse formulas whose result was never stored, and results that are errors."""
    problems = []
    for line, (stored, typed) in enumerate(zip(values, formulas), 1):
        for value, formula in zip(stored, typed):
            if isinstance(formula, str) and formula.startswith("=") and value is None:
                problems.append(
                    Problem(
                        f"the formula {formula!r} has no stored result",
                        "open the workbook, let it calculate, and save it; or paste the values",
                        file=file.name,
                        line=line,
                    )
                )
            elif isinstance(value, str) and value in _FORMULA_ERRORS:
                problems.append(
                    Problem(f"a formula gives {value}", "correct it, or empty the cell", file.name, line)
                )
    if problems:
        raise ReviewError(f"{file.name} cannot be imported.", problems)


def _read_stata(file: Path, sheet: str | None) -> tuple[list[str], list[tuple[int, list[str]]], list[str]]:
    import warnings

    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pd.read_stata(file, convert_categoricals=True)
    except Exception as error:
        # On a damaged file pandas raises whatever it stumbles over.
        raise unreadable(file, f"is not a readable Stata file ({error})", "save it with saveold") from None
    return _from_frame(data)


def _read_parquet(file: Path, sheet: str | None) -> tuple[list[str], list[tuple[int, list[str]]], list[str]]:
    import duckdb

    from evidence.database import connect

    try:
        with connect() as connection:
            cursor = connection.execute("select * from read_parquet(?)", [str(file)])
            header = [column[0] for column in cursor.description]
            rows = [(i, [_text(v) for v in row]) for i, row in enumerate(cursor.fetchall(), 2)]
    except duckdb.Error as error:
        raise unreadable(file, f"is not a readable Parquet file ({error})", "write it again") from None
    return header, rows, []


def _from_frame(data: Any) -> tuple[list[str], list[tuple[int, list[str]]], list[str]]:
    rows = [(i, [_text(v) for v in row]) for i, row in enumerate(data.itertuples(index=False, name=None), 2)]
    return [str(column) for column in data.columns], rows, []


def _table(
    name: str, header: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]], notes: list[str]
) -> Table:
    names = tuple(column.strip() for column in header)
    while names and not names[-1]:
        names = names[:-1]
    problems = [
        Problem(
            f"column {column!r} is given twice",
            "keep one of them, or give them different names",
            file=name,
            line=1,
        )
        for column in dict.fromkeys(names)
        if column and names.count(column) > 1
    ]
    kept: list[tuple[int, tuple[str, ...]]] = []
    blanks, width = 0, len(names)
    for line, cells in rows:
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            problems.append(
                Problem(
                    f"the row has {len(cells)} cells, the header {len(names)}",
                    "put cells that hold the separator in quotation marks",
                    file=name,
                    line=line,
                )
            )
        if len(cells) != width:
            cells = [*cells, *[""] * (width - len(cells))][:width]
        stripped = [cell.strip() for cell in cells]
        if stripped != cells:
            blanks += sum(before != after for before, after in zip(cells, stripped))
        kept.append((line, tuple(["" if cell in MISSING else cell for cell in stripped])))
    if not kept:
        problems.append(Problem("there is a header and no row", "one row per arm or contrast", file=name))
    if problems:
        raise ReviewError(f"{name} cannot be read as a table.", problems)
    if blanks:
        notes.append(f"blanks at the beginning or end of {blanks} cells were removed")
    return Table(name, names, tuple(kept), tuple(notes))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _point(cell: str) -> str:
    pointed = cell.strip().replace(",", ".", 1)
    return pointed if "," in cell and _is_number(pointed) else cell
