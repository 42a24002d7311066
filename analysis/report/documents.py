"""What co-authors compute with: a workbook of all tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.charts.base.theme import ALARM, SYNTHETIC
from analysis.charts.tables import Table
from analysis.report.links import as_text

_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))


def workbook(tables: Sequence[Table], path: Path, *, synthetic: bool = False) -> Path:
    """Write every table as a sheet of one workbook.

    Parameters
    ----------
    tables : sequence of Table
    path : Path
        The ``.xlsx`` file.
    synthetic : bool
        The review's data are simulated: every sheet says so in its first row.

    Returns
    -------
    Path
    """
    import xlsxwriter

    # Cells are data: text that begins with "=" or looks like an address stays text.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        # The creation date is fixed so that the same tables give the same bytes.
        from datetime import UTC, datetime

        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)})
        bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        title = book.add_format({"bold": True, "font_size": 13})
        alarm = book.add_format({"bold": True, "font_color": ALARM})
        note = book.add_format({"italic": True, "font_color": "#57606a"})
        names: set[str] = set()
        for table in tables:
            sheet = book.add_worksheet(_sheet_name(table.name, names))
            row = 0
            if synthetic:
                sheet.write_string(row, 0, SYNTHETIC, alarm)
                row += 1
            sheet.write_string(row, 0, table.title, title)
            row += 1
            if table.note:
                sheet.write_string(row, 0, table.note, note)
                row += 1
            records = table.records()
            columns = list(dict.fromkeys(key for record in records for key in record))
            row += 1
            for index, column in enumerate(columns):
                sheet.write_string(row, index, column, bold)
                longest = max([len(str(column)), *(len(str(as_text(r.get(column)) or "")) for r in records)])
                sheet.set_column(index, index, min(max(8, longest + 1), 60))
            for record in records:
                row += 1
                for index, column in enumerate(columns):
                    _write(sheet, row, index, as_text(record.get(column)))
    return path


def _sheet_name(name: str, taken: set[str]) -> str:
    """Make a sheet's name: at most 31 characters, unlike any other, without what Excel forbids."""
    short = name.translate(_FORBIDDEN)[:31]
    number = 2
    while short.lower() in taken:
        tail = f"-{number}"
        short = name.translate(_FORBIDDEN)[: 31 - len(tail)] + tail
        number += 1
    taken.add(short.lower())
    return short


def _write(sheet: Any, row: int, column: int, value: Any) -> None:
    from analysis.charts.base.theme import plain

    value = plain(value)
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, str(value))
