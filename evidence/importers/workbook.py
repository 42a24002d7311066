"""Reading a sheet of a workbook as a person sees it: the sheets in sight, cells as they are shown."""

from __future__ import annotations

import datetime
import io
import math
import posixpath
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from evidence.errors import Problem, ReviewError
from evidence.system.bounds import check_members, counted, parsing, read_bytes, unreadable

Lines = list[tuple[int, list[str]]]
"""Line number and cells of every line that is not blank, that of the header first."""

_FORMULA_ERRORS = frozenset(("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"))
_PER_CENT = re.compile(rb'formatCode="[^"]*%|numFmtId="(?:9|10)"')
"""What a workbook's styles hold where some cell may be shown in per cent (9 and 10 are built in)."""
_MOST = 10


def read_workbook(file: Path, sheet: str | None) -> tuple[Lines, list[str]]:
    """Read one sheet.

    Parameters
    ----------
    file : Path
    sheet : str, optional
        Its name; without it, the first one that is not hidden and holds something.

    Returns
    -------
    lines : list of (int, list of str)
        Cells as text. A number that is shown in per cent is one with the sign: 0.357 shown as 35.7%.
    notes : list of str
        What was read and what was not: other sheets, hidden rows and columns, comments.

    Raises
    ------
    ReviewError
        If the workbook cannot be read, has no such sheet, is empty, or holds formulas without a result.
    """
    import openpyxl

    pages: list[list[list[Any]]] = []
    with parsing(file, "a readable XLSX workbook", "save it again as .xlsx or CSV UTF-8"):
        content = io.BytesIO(read_bytes(file))
        with ZipFile(content) as archive:
            check_members(file, archive)
            shares = bool(_PER_CENT.search(_member(archive, "xl/styles.xml")))
        for values_only in (True, False):
            book = openpyxl.load_workbook(content, read_only=True, data_only=values_only)
            try:
                if values_only:
                    title = sheet if sheet is not None else _first(file, book)
                    if title not in book.sheetnames:
                        raise unreadable(
                            file, f"has no sheet {title!r}", f"sheets: {', '.join(book.sheetnames)}"
                        )
                page = book[title]
                # What the file says of its own extent can be wrong, and would cut rows off unsaid.
                page.reset_dimensions()
                rows = _as_shown(page) if shares and values_only else page.iter_rows(values_only=True)
                pages.append(counted(file, rows))
                others = [
                    repr(other.title) + " (hidden)" * (other.sheet_state != "visible")
                    for other in book.worksheets
                    if other.title != title
                ]
                place = str(getattr(page, "_worksheet_path", "")).lstrip("/")
            finally:
                book.close()
        with ZipFile(content) as archive:
            aside = _left_aside(archive, place, max(map(len, pages[0]), default=0))
    notes = [f"sheet {title!r}" + (f"; not read: {', '.join(others)} (--sheet)" if others else ""), *aside]
    _check_formulas(file, *pages)
    lines = [(i, [as_text(value) for value in row]) for i, row in enumerate(pages[0], 1)]
    lines = [(i, cells) for i, cells in lines if any(cell.strip() for cell in cells)]
    if not lines:
        remedy = "it needs a header line and one row per arm or contrast"
        other = f"; other sheets: {', '.join(others)} (--sheet)" if others else ""
        raise unreadable(file, f"is empty in sheet {title!r}", remedy + other)
    return lines, notes


def as_text(value: Any) -> str:
    """Write a value as the text of a cell; a number, with as many digits as it takes to read it back."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def _first(file: Path, book: Any) -> str:
    """Name the first sheet that a person sees something in."""
    in_sight = [page for page in book.worksheets if page.sheet_state == "visible"] or book.worksheets
    if not in_sight:
        raise unreadable(
            file, "is not a readable XLSX workbook: it has no sheet", "save it again as .xlsx or CSV UTF-8"
        )
    for page in in_sight:
        if any(value is not None for row in page.iter_rows(values_only=True) for value in row):
            return str(page.title)
    return str(in_sight[0].title)


def _as_shown(page: Any) -> Iterator[tuple[Any, ...]]:
    """Values of rows; a number that is shown in per cent is a text, as it would be in a CSV file."""
    for row in page.iter_rows():
        yield tuple(_shown(cell) for cell in row)


def _shown(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool) and "%" in (cell.number_format or ""):
        return f"{(Decimal(repr(value)) * 100).normalize():f}%"
    return value


def _member(archive: ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""


def _left_aside(archive: ZipFile, place: str, width: int) -> list[str]:
    """Say which rows and columns of a sheet are hidden, and which cells have comments."""
    text = _member(archive, place)
    rows = [
        int(number[1])
        for row in re.findall(rb"<(?:\w+:)?row\b[^>]*>", text)
        if re.search(rb'\bhidden="(?:1|true)"', row) and (number := re.search(rb'\br="(\d+)"', row))
    ]
    columns = sum(
        max(0, min(int(upto[1]), width) - int(start[1]) + 1)
        for column in re.findall(rb"<(?:\w+:)?col\b[^>]*>", text)
        if re.search(rb'\bhidden="(?:1|true)"', column)
        and (start := re.search(rb'\bmin="(\d+)"', column))
        and (upto := re.search(rb'\bmax="(\d+)"', column))
    )
    folder, name = posixpath.split(place)
    related = _member(archive, f"{folder}/_rels/{name}.rels")
    comments = [
        found.decode()
        for target in re.findall(rb'Target="([^"]*comments?\d*\.xml)"', related)
        for found in re.findall(
            rb'<(?:\w+:)?comment\b[^>]*\bref="([A-Z]+\d+)"',
            _member(archive, posixpath.normpath(posixpath.join(folder, target.decode())).lstrip("/")),
        )
    ]
    notes = []
    if rows:
        notes.append(f"{_hidden(len(rows), 'row')} ({_few(sorted(rows))}) were read like the others")
    if columns:
        notes.append(f"{_hidden(columns, 'column')} were read like the others")
    if comments:
        notes.append(f"comments of cells were not read: {_few(comments)}")
    return notes


def _hidden(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)} of the sheet hidden in the workbook"


def _few(items: list[Any]) -> str:
    return ", ".join(map(str, items[:_MOST])) + " ..." * (len(items) > _MOST)


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
