"""One CSV file of a review folder, read strictly: declared columns, declared types, nothing guessed.

Every cell that cannot be what its column declares is a `Problem`; reading goes on, so one pass finds all.
"""

from __future__ import annotations

import codecs
import datetime
import hashlib
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.errors import Problem
from evidence.facts.reference import keyed, reference
from evidence.folder.column_names import AMBIGUOUS, hints, plain
from evidence.folder.layout import Column, File
from evidence.folder.records import (
    UNQUOTE,
    Record,
    RecordError,
    bare,
    columns_of,
    records,
    stretches,
    swallowed,
    told_swallowed,
)
from evidence.names import INVISIBLE, nearest, skeleton, suggestion, visible
from evidence.system.bounds import MAX_BYTES

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMBERS = re.compile(rf"(?:(?>{_NUMBER.pattern})(?:\n|\Z))++")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_GROUPED = re.compile(r"[+-]?\d{1,3}([,.'’\s]\d{3})+([.,]\d+)?")
_BOOLEAN = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# "é", "µ" or a dash that was written as UTF-8 and read as Windows-1252 on the way here.
_TWICE_ENCODED = re.compile(r"Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ©±¼¶¡]|Â[µ°±]|â€.|�")


class Problems:
    """Everything found wrong so far; of several errors in one cell, only the first: others follow from it."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._cells: set[tuple[Any, Any, str]] = set()

    def error(self, message: str, remedy: str = "", **place: Any) -> None:
        """Note something that stops the build."""
        if column := place.get("column"):
            cell = (place.get("file"), place.get("line"), column)
            if cell in self._cells:
                return
            self._cells.add(cell)
        self.found.append(Problem(message, remedy, **place))

    def warning(self, message: str, remedy: str = "", **place: Any) -> None:
        """Note something that is loaded, and reported."""
        self.found.append(Problem(message, remedy, severity="warning", **place))

    @property
    def errors(self) -> list[Problem]:
        """Those that stop the build."""
        return [problem for problem in self.found if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """Those that are loaded and reported."""
        return [problem for problem in self.found if problem.severity == "warning"]


@dataclass
class Sheet:
    """The rows of one file, by column.

    Attributes
    ----------
    file : File
        What was declared.
    lines : list of int
        Line of the file on which each row begins; the header is line 1.
    text : dict of str to list of str
        Cells as typed, without blanks around them, of the columns the file has.
    values : dict of str to list
        Cells as values, of every declared column; an empty cell is its column's default, or None.
    missing : list of (line, column, study, code)
        Cells that say why they are empty.
    sha256 : str
        Hash of the cells: it does not depend on line ends, quotes or a byte order mark.
    refused : int
        Rows of the file that are not here, each named by an error.
    """

    file: File
    lines: list[int] = field(default_factory=list)
    text: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    missing: list[tuple[int, str, str | None, str]] = field(default_factory=list)
    sha256: str = ""
    refused: int = 0

    def __bool__(self) -> bool:
        """Tell that there is a sheet: with a header alone, too."""
        return True

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def further(self) -> list[str]:
        """Columns that the file has beyond those declared."""
        return [name for name in self.text if name not in self.file.by_name]

    def rows(self, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Go through the values of some columns, row by row, the line first."""
        return zip(self.lines, *(self.values[column] for column in columns), strict=True)

    def place(self, index: int, column: str | None = None) -> dict[str, Any]:
        """Where a row stands, for a `Problem`."""

        def cell(name: str) -> str | None:
            typed = self.text.get(name)
            return (typed[index] or None) if typed else None

        return {
            "file": self.file.name,
            "line": self.lines[index],
            "column": column,
            "study": cell("study"),
            "arm": cell("arm"),
        }


def read_sheet(path: Path, file: File, problems: Problems) -> Sheet | None:
    """Read one file.

    Parameters
    ----------
    path : Path
        The file.
    file : File
        What it must hold.
    problems : Problems
        Takes everything that is wrong.

    Returns
    -------
    Sheet or None
        None if the file cannot be taken apart into columns; a cell that cannot be read is None in `values`.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        problems.error(f"the file has {size:,} bytes", f"at most {MAX_BYTES:,} are read", file=file.name)
        return None
    content = _decode(path.read_bytes(), file.name, problems)
    if content is None:
        return None
    content = _visible(content, file.name, problems)
    taken = _taken_apart(content, file, problems)
    if taken is None:
        return None
    header, lines, cells, refused, sha256 = taken
    is_ascii = content.isascii()
    del content
    names = _header(header, file, problems)
    if names is None:
        return None
    sheet = Sheet(file, lines, sha256=sha256, refused=refused)
    sheet.text = {name: list(map(str.strip, column)) for name, column in zip(names, cells) if name}
    if not lines:
        problems.warning("the file has a header and no row", "fill it, or delete it", file=file.name)
    raw = dict(zip(names, cells))
    for column in file.columns:
        if column.name in sheet.text:
            sheet.values[column.name] = _convert(sheet, column, raw[column.name], problems)
        else:
            sheet.values[column.name] = [column.default] * len(sheet)
    for name in sheet.further:
        sheet.values[name] = _convert(sheet, Column(name), raw[name], problems)
    if not is_ascii:
        _mojibake(sheet, problems)
    return sheet


def _visible(content: str, name: str, problems: Problems) -> str:
    """Put a blank in place of characters that no reader sees, as they come with text copied from a PDF."""
    found = {content.count("\n", 0, match.start()) + 1: match[0] for match in INVISIBLE.finditer(content)}
    for line, character in found.items():
        problems.warning(
            f"the line holds U+{ord(character):04X}, a character that no reader sees",
            "delete it; it was read as a blank",
            file=name,
            line=line,
        )
    return visible(content) if found else content


def _decode(content: bytes, name: str, problems: Problems) -> str | None:
    save_as = "save it as 'CSV UTF-8'"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        problems.error("the file is UTF-16, not UTF-8", save_as, file=name)
        return None
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
        problems.warning(
            "the file begins with a byte order mark, as Excel writes it", "nothing: it was skipped", file=name
        )
    if not content.strip():
        problems.error("the file is empty", "give it a header line, or delete it", file=name, line=1)
        return None
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        problems.error("the file holds a NUL: it is no text, or damaged", save_as, file=name, line=line)
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        start = content.rfind(b"\n", 0, error.start) + 1
        around = (
            content[max(start, error.start - 20) : error.start + 20]
            .splitlines()[0]
            .decode("cp1252", "replace")
        )
        problems.error(
            f"the file is not UTF-8: byte 0x{content[error.start]:02x} (read as Windows-1252: {around!r})",
            save_as,
            file=name,
            line=line,
        )
        return None


def _taken_apart(
    content: str, file: File, problems: Problems
) -> tuple[list[str], list[int], list[list[str]], int, str] | None:
    """Take a file apart: header, line of each row, columns, how many rows are not there, and the hash.

    Every record with something in it is the header, a row, or named by an error.
    """
    name = file.name
    if _otherwise_separated(content, name, problems):
        return None
    header: list[str] | None = None
    lines: list[int] = []
    columns: list[list[str]] = []
    long: list[Record] = []
    refused = 0
    digest = hashlib.sha256()
    # A text that comes again and again is kept once.
    known: dict[str, str] = {}
    try:
        for before, stretch in stretches(content):
            if header is not None and _add_rows(stretch, before, lines, columns, digest):
                continue
            for record in records(stretch, before=before):
                if record.blank:
                    continue
                if len(record.lines) > 1:
                    long.append(record)
                if header is None:
                    header = list(record.cells)
                    while not header[-1].strip():
                        header.pop()
                    columns = [[] for _ in header]
                    _add(digest, header)
                    continue
                if row := _as_wide(record, len(header), name, problems):
                    lines.append(record.line)
                    for column, cell in zip(columns, row):
                        column.append(known.setdefault(cell, cell))
                    _add(digest, row)
                else:
                    refused += 1
            known.clear()
    except RecordError as error:
        problems.error(str(error), error.remedy, file=name, line=error.line)
        return None
    if header is None:
        problems.error("the file is empty", "give it a header line, or delete it", file=name, line=1)
        return None
    _say_long(long, header, file, problems)
    if refused and not lines:
        return None
    return header, lines, columns, refused, digest.hexdigest()


def _add_rows(
    stretch: str, before: int, lines: list[int], columns: list[list[str]], digest: hashlib._Hash
) -> bool:
    """Add the rows of a stretch, a line each, to those of a file, if all are as wide as its header."""
    found = columns_of(stretch, len(columns))
    if found is None:
        return False
    cells, places = found
    lines.extend(before + 1 + place for place in places)
    if places:
        known: dict[str, str] = {}
        stripped = []
        for column, raw in zip(columns, cells, strict=True):
            if raw.count("") == len(raw):
                column.extend(raw)
                stripped.append(raw)
            else:
                column.extend(map(known.setdefault, raw, raw))
                stripped.append(list(map(str.strip, raw)))
        rows = zip(*stripped, strict=True)
        digest.update(("\x1e".join(map("\x1f".join, rows)) + "\x1e").encode())
    return True


def _otherwise_separated(content: str, name: str, problems: Problems) -> bool:
    first = content.lstrip("\r\n").split("\n", 1)[0]
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in first and "," not in first:
            problems.error(
                f"the columns are separated by {word}",
                "separate them by commas, and write decimals with a point",
                file=name,
                line=1,
            )
            return True
    return False


def _as_wide(record: Record, width: int, name: str, problems: Problems) -> list[str] | None:
    """Cells of a row that has as many as the header has; empty ones beyond it do not count."""
    row = record.cells
    if len(row) > width and not any(cell.strip() for cell in row[width:]):
        row = row[:width]
    if len(row) == width:
        return row
    problems.error(
        f"the row has {len(row)} cells, the header has {width}",
        'a decimal comma or a comma in a text splits a cell: write 3.5, or put the text between two "'
        if len(row) > width
        else "give every column its comma, also where the cell is empty",
        file=name,
        line=record.line,
    )
    return None


def _say_long(long: list[Record], header: list[str], file: File, problems: Problems) -> None:
    """Name every row with a cell of several lines: an error where the lines are rows, else a warning."""
    said: dict[str, list[tuple[int, int]]] = {}
    for record in long:
        lost = swallowed(record, len(header), lambda cells: _like_a_row(cells, header, file))
        if lost:
            problems.error(
                told_swallowed(lost),
                UNQUOTE,
                file=file.name,
                line=record.line,
            )
            continue
        for name, cell in zip(header, record.cells):
            if n := len(cell.splitlines()) - 1:
                said.setdefault(name.strip(), []).append((record.line, n + 1))
    for name, places in said.items():
        line, most = max(places, key=lambda place: (place[1], -place[0]))
        more = f", and so have {len(places) - 1} more of this column" if len(places) > 1 else ""
        problems.warning(
            f"the cell has {most} lines{more}",
            "nothing, if they are one text; else look for a quotation mark too many",
            file=file.name,
            line=line,
            column=name,
        )


def _like_a_row(cells: list[str], header: list[str], file: File) -> bool:
    """Whether texts could stand under the columns of a file."""
    for name, text in zip(header, cells):
        column, cell = file.by_name.get(name.strip()), bare(text)
        if column is None:
            continue
        if not cell:
            if column.required and '"' not in text:
                return False
        elif column.type in ("number", "integer") and cell not in keyed("missing_code"):
            try:
                _READERS[column.type](cell, column)
            except _UnreadableError:
                return False
    return True


def _header(header: Sequence[str], file: File, problems: Problems) -> list[str] | None:
    """Check the names of the columns; one that must not be there becomes '' and is skipped."""
    names = [cell.strip() for cell in header]
    usable = True
    for position, name in enumerate(names):
        if not name:
            problems.error(
                f"column {position + 1} has no name", "name it, or delete it", file=file.name, line=1
            )
            usable = False
        elif name in names[:position]:
            problems.error(
                "the column is given twice", "keep one of the two", file=file.name, line=1, column=name
            )
            usable = False
    aliases = _aliases(file)
    known = [column for column in file.by_name if column not in names]
    kept = list(names)
    for position, name in enumerate(names):
        if not name or name in file.by_name:
            continue
        meant = aliases.get(name.casefold())
        if file.further is None or _mistaken(name, known, meant, file):
            remedy = (
                f"rename it to {meant!r}" if meant in known else suggestion(name, known or list(file.by_name))
            )
            if file.further is not None:
                remedy += "; a column of your own needs a name that is not taken for one of these"
            problems.error(f"{file.name} has no column {name!r}", remedy, file=file.name, line=1, column=name)
            kept[position] = ""
    for column in file.columns:
        if column.required and column.name not in names:
            problems.error(
                f"the column {column.name!r} is missing", "add it", file=file.name, line=1, column=column.name
            )
            usable = False
    return kept if usable else None


def is_own_column(name: str, file: File, given: Collection[str]) -> bool:
    """Whether a file with some declared columns takes a further one of this name as a variable."""
    if not name or file.further is None or name in file.by_name:
        return False
    meant = _aliases(file).get(name.casefold())
    return not _mistaken(name, [column for column in file.by_name if column not in given], meant, file)


def _aliases(file: File) -> dict[str, str]:
    """Names that other tools give to the file's columns."""
    return {
        str(row["alias"]).casefold(): str(row["column_name"])
        for row in reference("column_alias")
        # What a spreadsheet may call anything (size, cases) is no mistake in a file of one's own.
        if row["column_name"] in file.by_name and not str(row["tool"]).startswith("spreadsheet")
    }


def _mistaken(name: str, known: Sequence[str], meant: str | None, file: File) -> bool:
    """Tell whether a column that the file does not declare is one of those it does, under another name.

    Files of numbers are held to more than studies.csv: a column of statistics that is taken for a
    characteristic would leave its rows without them.
    """
    likely = nearest(name, known)
    if likely is not None and skeleton(likely) == skeleton(name):
        return True
    if file.table == "study":
        return False
    word = hints([name]).get(name) if name.isalpha() else None
    return (
        meant in known
        or word in known
        or (file.table != "arm" and (plain(name) in AMBIGUOUS or name.rstrip("0123456789") in file.by_name))
        or nearest(name, known, cutoff=0.85) is not None
    )


def _add(digest: hashlib._Hash, row: Sequence[str]) -> None:
    digest.update("\x1f".join(cell.strip() for cell in row).encode())
    digest.update(b"\x1e")


class _UnreadableError(Exception):
    """A cell is not what its column declares: message and remedy."""


def _convert(sheet: Sheet, column: Column, raw: Sequence[str], problems: Problems) -> list[Any]:
    """Turn one column's cells into values; each distinct text is read once."""
    text = sheet.text[column.name]
    read = _READERS[column.type]
    codes = keyed("missing_code")
    # As text a code is a code in any case; in other columns it is kept as typed, in missing_value.
    meanings = {code.casefold(): row["meaning"] for code, row in codes.items()}
    coded = column.type != "verbatim" and not (
        column.type == "name" and (column.required or column.default is not None)
    )
    values: dict[str, Any] = {"": column.default}
    wrong: dict[str, _UnreadableError] = {}
    stated: dict[str, str] = {}
    distinct = set(text)
    numbers = _plain_numbers(distinct, column) if column.type == "number" else {}
    values |= numbers
    for cell in distinct - numbers.keys() - {""}:
        if coded and (cell in codes or (column.type == "text" and cell.casefold() in meanings)):
            values[cell] = meanings[cell.casefold()] if column.type == "text" else None
            if column.type != "text" or column.required:
                stated[cell] = cell
            continue
        try:
            values[cell] = read(cell, column)
        except _UnreadableError as error:
            values[cell] = None
            wrong[cell] = error
    if wrong:
        for index, cell in enumerate(text):
            if cell in wrong:
                message, remedy = wrong[cell].args
                problems.error(message, remedy, **sheet.place(index, column.name))
    if stated:
        studies = sheet.text.get("study")
        for index, cell in enumerate(text):
            if cell in stated:
                study = studies[index] if studies else None
                sheet.missing.append((sheet.lines[index], column.name, study, cell))
    if column.required and ("" in distinct or stated):
        for index, cell in enumerate(text):
            if cell == "" or cell in stated:
                problems.error(
                    "the cell is empty" if cell == "" else f"{cell!r} where a value is needed",
                    f"every row needs its {column.name}",
                    **sheet.place(index, column.name),
                )
    if column.type == "name" and text != raw:
        for index, (typed, cell) in enumerate(zip(raw, text)):
            if typed != cell and cell:
                problems.error(
                    f"{typed!r} has a blank at its beginning or end",
                    f"write {cell!r}",
                    **sheet.place(index, column.name),
                )
    return list(map(values.__getitem__, text))


def _plain_numbers(cells: Collection[str], column: Column) -> dict[str, float]:
    """Read all cells at once, if each is a number within bounds; else none: each is looked at then."""
    typed = [cell for cell in cells if cell]
    if not _NUMBERS.fullmatch("\n".join(typed)) or not set(keyed("missing_code")).isdisjoint(typed):
        return {}
    try:
        values = list(map(float, typed))
    except ValueError:  # A cell of several lines.
        return {}
    least, most = min(values), max(values)
    within = (
        math.isfinite(least)
        and math.isfinite(most)
        and (column.above is None or least > column.above)
        and (column.at_least is None or least >= column.at_least)
        and (column.below is None or most < column.below)
        and (column.at_most is None or most <= column.at_most)
    )
    return dict(zip(typed, values, strict=True)) if within else {}


def is_number(text: str) -> bool:
    """Whether a cell is a number as review folders write them: 3.5, not 3,5 or inf."""
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _read_number(cell: str, column: Column) -> float:
    if not _NUMBER.fullmatch(cell):
        raise _not_a_number(cell)
    value = float(cell)
    if not math.isfinite(value):
        raise _UnreadableError(f"{cell} is too large for a number", "check the number of digits")
    _check_bounds(value, cell, column)
    return value


def _check_bounds(value: float, cell: str, column: Column) -> None:
    name = column.name
    if column.above is not None and value <= column.above:
        raise _UnreadableError(
            f"{name} is {cell}, it must be above {column.above:g}", f"correct it, or leave {name} empty"
        )
    if column.at_least is not None and value < column.at_least:
        raise _UnreadableError(
            f"{name} is {cell}, it must be at least {column.at_least:g}", f"correct it, or leave {name} empty"
        )
    if column.below is not None and value >= column.below:
        percent = 0 < value / 100 < column.below
        raise _UnreadableError(
            f"{name} is {cell}, it must be below {column.below:g}",
            f"write {value / 100:g}" if percent else f"correct it, or leave {name} empty",
        )
    if column.at_most is not None and value > column.at_most:
        raise _UnreadableError(
            f"{name} is {cell}, it must be at most {column.at_most:g}", f"correct it, or leave {name} empty"
        )


def _not_a_number(cell: str) -> _UnreadableError:
    plain = cell.replace("−", "-").replace("–", "-")
    if plain != cell and _NUMBER.fullmatch(plain):
        return _UnreadableError(f"{cell!r} has a dash where a minus sign should be", f"write {plain}")
    if _DECIMAL_COMMA.fullmatch(cell):
        point, grouped = cell.replace(",", "."), cell.replace(",", "")
        if _GROUPED.fullmatch(cell) and not cell.lstrip("+-").startswith("0"):
            return _UnreadableError(
                f"{cell!r} has a comma: it could mean {point} or {grouped}",
                f"write {grouped} if the comma separates thousands, {point} if it is a decimal comma",
            )
        return _UnreadableError(f"{cell!r} has a decimal comma", f"write {point}")
    if _GROUPED.fullmatch(cell):
        return _UnreadableError(
            f"{cell!r} has thousands separators", "write the number without them, with a point for decimals"
        )
    if cell.lower().lstrip("+-") in {
        "nan",
        "inf",
        "infinity",
        "#n/a",
        "#value!",
        "#div/0!",
        "#ref!",
        "#name?",
    }:
        return _UnreadableError(f"{cell!r} is not a number", "leave the cell empty if the value is not known")
    if cell[0] in "<>≤≥~≈":
        return _UnreadableError(
            f"{cell!r} is a bound, not a value", "leave the cell empty and say it in note"
        )
    if cell.endswith("%"):
        return _UnreadableError(
            f"{cell!r} has a percent sign", "write the number alone; the unit column takes the %"
        )
    if "±" in cell or "(" in cell:
        return _UnreadableError(f"{cell!r} holds two statistics", "put each into its own column")
    return _UnreadableError(
        f"{cell!r} is not a number", "write a number such as 3.5, or leave the cell empty"
    )


def _read_integer(cell: str, column: Column) -> int:
    value = _read_number(cell, column)
    if value != int(value):
        raise _UnreadableError(
            f"{cell} is not a whole number", "write a whole number, or leave the cell empty"
        )
    _check_past(int(value), cell, column)
    return int(value)


def _read_boolean(cell: str, column: Column) -> bool:
    try:
        return _BOOLEAN[cell.lower()]
    except KeyError:
        raise _UnreadableError(f"{cell!r} is neither true nor false", "write true or false") from None


def _read_date(cell: str, column: Column) -> str:
    try:
        date = datetime.date.fromisoformat(cell)
    except ValueError:
        raise _UnreadableError(
            f"{cell!r} is not a date", "write it as year-month-day, for example 2022-11-16"
        ) from None
    _check_past(date.year, cell, column)
    return date.isoformat()


def _check_past(year: int, cell: str, column: Column) -> None:
    """Refuse a year that has not come; a journal prints that of its next volume a few months early."""
    if column.past and year > datetime.date.today().year + 1:
        raise _UnreadableError(
            f"{column.name} is {cell}, which lies in the future", f"correct it, or leave {column.name} empty"
        )


def _read_name(cell: str, column: Column) -> str:
    if column.allowed and cell not in column.allowed:
        raise _UnreadableError(f"unknown {column.name} {cell!r}", suggestion(cell, column.allowed))
    return cell


def _read_text(cell: str, column: Column) -> str:
    return cell


_READERS: dict[str, Callable[[str, Column], Any]] = {
    "name": _read_name,
    "text": _read_text,
    "verbatim": _read_text,
    "identifier": _read_text,
    "number": _read_number,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "date": _read_date,
}


def _mojibake(sheet: Sheet, problems: Problems) -> None:
    """Warn of text that was encoded twice."""
    for name, cells in sheet.text.items():
        suspects = {cell for cell in set(cells) if not cell.isascii() and _TWICE_ENCODED.search(cell)}
        if suspects:
            for index, cell in enumerate(cells):
                if cell in suspects:
                    problems.warning(
                        f"{cell!r} looks like text that was encoded twice, or lost a character",
                        "type the letters again",
                        **sheet.place(index, name),
                    )
