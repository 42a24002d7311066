"""Write the answer to a query: as a table to read, or as CSV, JSON, Markdown, XLSX."""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from evidence.errors import CallError
from evidence.names import visible

if TYPE_CHECKING:
    from rich.console import Console

SYNTHETIC = "SIMULATED DATA: no number here is evidence about any treatment"
"""The words that everything made from simulated data carries."""

TABLE_ROWS = 1000
"""Rows that a printed table shows; the other formats give all."""

_SHEET_ROWS = 1_048_575
_SHEET_CELL = 32_767
# Sheets carry the time they were made; a fixed one keeps equal answers equal to the byte.
_SHEET_DATE = datetime.datetime(2000, 1, 1)

Row = Sequence[Any]


def console(stream: TextIO) -> Console:
    """Console for tables: as wide as the terminal, or as wide as they need to be where there is none."""
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else 10_000, highlight=False, emoji=False)


def write_table(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Print a table to read; says how many rows it does not show."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = iter(rows)
    shown = list(islice(rows, TABLE_ROWS))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        given = [row[index] for row in shown if row[index] is not None]
        numeric = bool(given) and all(map(_is_number, given))
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(display(value)) for value in row))
    console(stream).print(table)
    if left := sum(1 for _ in rows):
        stream.write(f"{left} more rows are not shown: --format csv, json or parquet gives all.\n")


def display(value: Any) -> str:
    """Show a value in a printed table: numbers with six significant digits, missing ones as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(str(value))


def significant(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits, trailing zeros too, so that columns line up."""
    rounded = float(f"{value:.{digits - 1}e}")
    if not 1e-4 <= abs(rounded) < 1e7:
        return "0" if value == 0 else f"{value:.{digits}g}"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def figures(value: float) -> str:
    """Write a number with three significant figures, without an exponent where that is readable.

    >>> from evidence.output import figures
    >>> figures(1219214.2), figures(0.37966), figures(0.0), figures(3.3e-15)
    ('1220000', '0.38', '0', '3.3e-15')
    """
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    if "e" in text and 1e-12 < abs(value) < 1e12:
        return f"{float(text):.0f}" if abs(value) >= 1 else f"{float(text):.15f}".rstrip("0")
    return text


def effect_digits(half_widths: Iterable[float | None], *, least: int = 0, log: bool = False) -> int:
    """Choose decimals, of effects and their spread, that show about two figures of the usual half interval.

    Parameters
    ----------
    half_widths : iterable of float or None
        Halves of the intervals; what is missing or 0 says nothing.
    least : int
        At least so many.
    log : bool
        Whether they are of logarithms: ratios have two.
    """
    known = sorted(abs(width) for width in half_widths if width and width == width)
    if log or not known:
        return 2
    return min(12, max(least, 1 - math.floor(math.log10(known[(len(known) - 1) // 2]))))


def positive(value: float | None, digits: int) -> str:
    """Write what cannot be negative with so many decimals: nothing but zero is written as zero.

    >>> from evidence.output import positive
    >>> positive(1222.0099, 0), positive(0.0004, 2), positive(0.0, 2), positive(0.354, 2)
    ('1222', '<0.01', '0', '0.35')
    """
    if value is None or value != value:
        return ""
    if value == 0:
        return "0"
    least = 10.0**-digits
    return f"{value:.{digits}f}" if value >= least / 2 else f"<{least:.{digits}f}"


def statistic(name: str, value: float | None) -> str:
    """Write a test's statistic: Q with one decimal, t, z and F with two, degrees of freedom as they are.

    >>> from evidence.output import statistic
    >>> statistic("q", 183.604), statistic("df", 14.0), statistic("df", 6.52), statistic("statistic", -2.0317)
    ('183.6', '14', '6.5', '-2.03')
    """
    if value is None or value != value:
        return ""
    if name.startswith("df"):
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
    text = f"{value:.{1 if name.startswith('q') else 2}f}"
    # Q of one study is 0 but for rounding.
    return text.lstrip("-") if not text.strip("-0.") else text


def p_value(value: float | None) -> str:
    """Write a p-value: two or three decimals, more where they would round it to 0.05, or that it is smaller.

    >>> from evidence.output import p_value
    >>> p_value(0.0123), p_value(0.0497), p_value(0.0), p_value(0.3)
    ('0.012', '0.0497', '< 0.001', '0.30')
    """
    if value is None or value != value:
        return ""
    if value < 0.001:
        return "< 0.001"
    digits = 3 if value < 0.1 else 2
    while value != 0.05 and digits < 15 and float(f"{value:.{digits}f}") == 0.05:
        digits += 1
    return f"{value:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share (0 to 1) in percent; what is not all or nothing is not printed as if it were.

    >>> from evidence.output import percent
    >>> percent(0.5), percent(0.9998), percent(1.0), percent(0.0001)
    ('50.0 %', '> 99.9 %', '100.0 %', '< 0.1 %')
    """
    if share is None or share != share:
        return ""
    text, step = f"{100 * share:.{digits}f}", 10.0**-digits
    if share < 1 and float(text) == 100:
        return f"> {100 - step:.{digits}f} %"
    if share > 0 and float(text) == 0:
        return f"< {step:.{digits}f} %"
    return f"{text} %"


def write_csv(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write CSV: a header, numbers with all their digits, an empty cell for a missing value."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value) for value in row] for row in rows)


def write_json(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write a JSON array with one object a row; what is no finite number becomes null."""
    names = unique(columns)
    stream.write("[")
    for index, row in enumerate(rows):
        record = {name: jsonable(value) for name, value in zip(names, row, strict=True)}
        stream.write(
            ("," if index else "") + "\n  " + json.dumps(record, ensure_ascii=False, allow_nan=False)
        )
    stream.write("\n]\n")


def write_markdown(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write a Markdown table."""
    for index, row in enumerate([columns, *([display(value) for value in row] for row in rows)]):
        cells = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>") for cell in row)
        stream.write(f"| {' | '.join(cells)} |\n")
        if index == 0:
            stream.write(f"|{' --- |' * len(columns)}\n")


def write_xlsx(columns: Sequence[str], rows: Iterable[Row], path: Path, about: Iterable[Row] = ()) -> None:
    """Write an XLSX workbook in which no text is taken for a formula or a link.

    Parameters
    ----------
    columns, rows
        The answer, on the first sheet.
    path : Path
        Where to.
    about : iterable of (str, str)
        Where it comes from, on a second sheet.

    Raises
    ------
    CallError
        If there are more rows, or longer texts, than a sheet can hold.
    """
    write_workbook([("answer", columns, rows), ("about", ("what", "value"), about)], path)


def write_workbook(sheets: Iterable[tuple[str, Sequence[str], Iterable[Row]]], path: Path) -> None:
    """Write an XLSX workbook in which no text is taken for a formula or a link.

    Parameters
    ----------
    sheets : iterable of (name, columns, rows)
        Names have at most 31 characters.
    path : Path
        Where to.

    Raises
    ------
    CallError
        If there are more rows, or longer texts, than a sheet can hold.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(str(path), options)
    try:
        book.set_properties({"created": _SHEET_DATE})
        bold = book.add_format({"bold": True})
        for name, header, content in sheets:
            sheet = book.add_worksheet(name)
            for column, text in enumerate(header):
                sheet.write_string(0, column, text, bold)
            sheet.freeze_panes(1, 0)
            for line, row in enumerate(content, 1):
                if line > _SHEET_ROWS:
                    raise CallError(
                        f"A sheet holds {_SHEET_ROWS:,} rows, {name} has more: use parquet or csv."
                    )
                for column, value in enumerate(row):
                    _write_cell(sheet, line, column, value)
    finally:
        book.close()


def _write_cell(sheet: Any, line: int, column: int, value: Any) -> None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif _is_number(value) and math.isfinite(value) and abs(value) < 10**15:
        sheet.write_number(line, column, float(value))
    else:
        text = _text(value)
        if len(text) > _SHEET_CELL:
            raise CallError(
                f"A cell of a sheet holds {_SHEET_CELL:,} characters, row {line} has more: use csv."
            )
        sheet.write_string(line, column, text)


TEXT_WRITERS: dict[str, Callable[[Sequence[str], Iterable[Row], TextIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "md": write_markdown,
}
"""Formats that can be printed as well as written to a file."""


def unique(columns: Sequence[str]) -> list[str]:
    """Names of columns with a number added to those that came before (``study, study_1``)."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def jsonable(value: Any) -> Any:
    """Turn a value of the database into one that JSON can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | dict):
        return json.dumps(jsonable(value), ensure_ascii=False)
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool)
