"""Taking a CSV text apart: its records with the lines they span, and the rows that a stray quote swallows.

A quotation mark that is opened by mistake makes one cell of everything up to the next one; the rows between
are gone, and nothing else tells. So a record of several lines is looked at: lines that would be rows by
themselves were most likely rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from evidence.system.bounds import MAX_CELL

UNQUOTE = (
    "delete the quotation mark that is too many; or put the text on one line, if it belongs into the cell"
)
"""What to do about rows inside a cell."""

csv.field_size_limit(MAX_CELL)

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


_STRETCH = 1 << 18
"""Characters that are taken apart at a time."""


class RecordError(ValueError):
    """A record that cannot be taken apart.

    Attributes
    ----------
    line : int
        Line on which it begins.
    remedy : str
        What would be right.
    """

    def __init__(self, message: str, remedy: str, line: int) -> None:
        super().__init__(message)
        self.line = line
        self.remedy = remedy


class Record(NamedTuple):
    """One record of a text: the line it begins on, its cells, and the lines as they stand in the text."""

    line: int
    cells: list[str]
    lines: tuple[str, ...]

    @property
    def blank(self) -> bool:
        """Whether no cell holds anything."""
        return not "".join(self.cells).strip()


def records(text: str, separator: str = ",", before: int = 0) -> Iterator[Record]:
    """Go through the records of a text; every line of it belongs to exactly one.

    Parameters
    ----------
    text : str
    separator : str
        What parts the cells.
    before : int
        Lines of the file that stand before the text.

    Raises
    ------
    RecordError
        If a quotation mark is never closed, or stands where none may.
    """
    taken: list[str] = []

    def lines() -> Iterator[str]:
        # One after the other: a list of them takes as much memory as the whole text, and again as much.
        for line in _LINE.finditer(text):
            taken.append(line[0])
            yield line[0]

    reader = csv.reader(lines(), delimiter=separator, strict=True)
    while True:
        begin = before + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _told(error, begin + 1, begin + len(taken), separator) from None
        yield Record(begin + 1, cells, tuple(taken))
        taken.clear()


def stretches(text: str) -> Iterator[tuple[int, str]]:
    """Part a text into stretches that end where a record ends.

    Parameters
    ----------
    text : str
        Records whose cells are parted by commas.

    Yields
    ------
    line : int
        Lines before the stretch.
    stretch : str
    """
    begin = line = 0
    while begin < len(text):
        # The first one is the header, which the others are held to.
        end = _end_of_line(text, begin + (_STRETCH if begin else 0))
        n_quotes = text.count('"', begin, end)
        while end < len(text) and n_quotes % 2:  # Within a quoted cell no record ends.
            counted, end = end, _end_of_line(text, end + _STRETCH)
            n_quotes += text.count('"', counted, end)
        stretch = text[begin:end]
        lines = _lines(stretch)
        n_lines = len(lines)
        # A quotation mark within a cell makes them even, too.
        if n_quotes and end < len(text) and _read(lines) is None:
            try:
                n_lines = sum(len(record.lines) for record in records(stretch))
            except RecordError:
                stretch = text[begin:]
        yield line, stretch
        begin, line = begin + len(stretch), line + n_lines


def _end_of_line(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def _lines(text: str) -> list[str]:
    return _LINE.findall(text) if "\r" in text else text.removesuffix("\n").split("\n")


def _read(lines: list[str]) -> list[list[str]] | None:
    try:
        rows = list(csv.reader(lines, strict=True))
    except csv.Error:
        return None
    return rows if len(rows) == len(lines) else None


def columns_of(stretch: str, width: int) -> tuple[list[list[str]], list[int]] | None:
    """Take a stretch apart into columns, if each of its lines is a record as wide as the header, or empty.

    Returns
    -------
    tuple or None
        The cells of each column, and the places of the rows among the lines; else None: see `records`.
    """
    lines = _lines(stretch)
    plain = '"' not in stretch and "\r" not in stretch and len(max(lines, key=len)) <= MAX_CELL
    if plain and {line.count(",") for line in lines} == {width - 1}:
        cells = ",".join(lines).split(",")
        columns = [cells[place::width] for place in range(width)]
        if all(columns[0]) and not any(map(str.isspace, columns[0])):
            return columns, list(range(len(lines)))
    rows = _read(lines)
    if rows is None:
        return None
    places = [place for place, row in enumerate(rows) if "".join(row).strip()]
    full = [rows[place] for place in places]
    if any(len(row) != width for row in full):
        return None
    return [list(column) for column in zip(*full, strict=True)] or [[] for _ in range(width)], places


def _told(error: csv.Error, line: int, last: int, separator: str) -> RecordError:
    if "unexpected end" in str(error):
        swallowed = f", so that everything to line {last} would be one cell" if last > line else ""
        return RecordError(
            f"a quotation mark is opened and never closed{swallowed}",
            'delete it, or close it; write a " inside a quoted cell twice',
            line,
        )
    if "field larger" in str(error):
        return RecordError(
            f"a cell has more than {MAX_CELL:,} characters", "look for a quotation mark too many", line
        )
    return RecordError(
        f"the row cannot be read as CSV: {error}",
        f'put a cell with a {separator!r} or a line break between two ", and double every " inside it',
        line,
    )


def swallowed(
    record: Record, width: int, fits: Callable[[list[str]], bool] = lambda cells: True, separator: str = ","
) -> list[int]:
    """Find lines within a record that would be rows by themselves.

    Parameters
    ----------
    record : Record
    width : int
        Cells of a row.
    fits : callable, optional
        Whether cells are such as a row has; it is given as many as there are columns, quotes included.
    separator : str
        What parts the cells.

    Returns
    -------
    list of int
        Numbers of those lines.

    Notes
    -----
    Prose has blanks after its commas, a table has none. With fewer than three columns nothing can be told.
    """
    if width < 3:
        return []
    found = []
    for number, line in enumerate(record.lines, record.line):
        cells = line.rstrip("\r\n").split(separator)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if number == record.line:
            is_row = len(cells) >= width
        else:
            is_row = (
                len(cells) == width and not any(c[:1].isspace() for c in cells if c.strip()) and fits(cells)
            )
        if is_row:
            found.append(number)
    # Of a row with a cell of two lines, as spreadsheets write it, one line may be as wide as a row, not both.
    return [number for number in found if number > record.line] if len(found) > 1 else []


def bare(cell: str) -> str:
    """Strip blanks and quotation marks around a cell's text."""
    return cell.strip().strip('"').strip()


def told_swallowed(numbers: list[int]) -> str:
    """Say which lines (`swallowed`) a quotation mark has made part of a cell."""
    if len(numbers) == 1:
        lost = f"line {numbers[0]}, which would be a row, is"
    else:
        lost = f"lines {numbers[0]} to {numbers[-1]}, which would be rows, are"
    return f"a quotation mark is opened here, and {lost} inside the cell"
