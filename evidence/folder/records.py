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


def records(text: str, separator: str = ",") -> Iterator[Record]:
    """Go through the records of a text; every line of it belongs to exactly one.

    Parameters
    ----------
    text : str
    separator : str
        What parts the cells.

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
        begin = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _told(error, begin + 1, begin + len(taken), separator) from None
        yield Record(begin + 1, cells, tuple(taken))
        taken.clear()


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
