"""What co-authors edit: a workbook of all tables, and a Word file with the findings and league tables."""

from __future__ import annotations

import io
import zipfile
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


def word(
    title: str,
    findings: Table,
    leagues: Sequence[Table],
    path: Path,
    *,
    lines: Sequence[tuple[str, str]] = (),
    synthetic: bool = False,
) -> Path:
    """Write the summary of findings and the league tables as a Word file.

    Parameters
    ----------
    title : str
        The review's title.
    findings : Table
        Summary of findings.
    leagues : sequence of Table
        One for each network.
    path : Path
        The ``.docx`` file.
    lines : sequence of (str, str)
        What stands before the tables: each answer's heading and its sentences.
    synthetic : bool
        The review's data are simulated: the file says so above every table.

    Returns
    -------
    Path
    """
    from datetime import datetime

    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm, Pt

    document = Document()
    document.core_properties.created = document.core_properties.modified = datetime(2000, 1, 1)
    document.core_properties.title = title[:255]  # more than it may hold
    document.core_properties.author = ""
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Cm(29.7), Cm(21.0)
    section.left_margin = section.right_margin = Cm(1.8)
    section.top_margin = section.bottom_margin = Cm(1.8)
    document.styles["Normal"].font.name = "Arial"  # type: ignore[attr-defined]
    document.styles["Normal"].font.size = Pt(9.5)  # type: ignore[attr-defined]
    document.add_heading(title, level=1)
    heading = ""
    for title_of_line, line in lines:
        if title_of_line != heading:
            document.add_heading(as_text(title_of_line), level=2)
        heading = title_of_line
        document.add_paragraph(as_text(line))
    for table in (findings, *leagues):
        if synthetic:
            document.add_paragraph().add_run(SYNTHETIC).bold = True
        _word_table(document, table)
    written = io.BytesIO()
    document.save(written)
    _keep_dateless(written, path)
    return path


def _keep_dateless(written: io.BytesIO, path: Path) -> None:
    """Write a Word file without the time of its parts: the same inputs give the same bytes."""
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            part = zipfile.ZipInfo(item.filename, (1980, 1, 1, 0, 0, 0))
            target.writestr(part, source.read(item), zipfile.ZIP_DEFLATED)


def _word_table(document: Any, table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    align = {
        "left": WD_ALIGN_PARAGRAPH.LEFT, "center": WD_ALIGN_PARAGRAPH.CENTER,
        "right": WD_ALIGN_PARAGRAPH.RIGHT,
    }  # fmt: skip
    document.add_heading(table.title, level=2)
    made = document.add_table(rows=1, cols=len(table.columns))
    made.style = "Table Grid"
    size = Pt(9) if len(table.columns) <= 9 else Pt(7) if len(table.columns) <= 14 else Pt(5)

    def write(cell: Any, text: str, how: str, bold: bool = False) -> None:
        paragraph = cell.paragraphs[0]
        paragraph.alignment = align[how]
        run = paragraph.add_run(text)
        run.bold = bold
        run.font.size = size

    for cell, column in zip(made.rows[0].cells, table.columns):
        write(cell, column.label.replace("\n", " "), column.align, bold=True)
    group = None
    for row in table.rows:
        if row.get("group") is not None and row["group"] != group:
            group = row["group"]
            cells = made.add_row().cells
            write(cells[0].merge(cells[-1]), str(as_text(group)), "left", bold=True)
        cells = made.add_row().cells
        for cell, column in zip(cells, table.columns):
            value = row.get(column.key)
            write(cell, "" if value is None else str(as_text(value)), column.align)
    # Word repeats the heading row on every page.
    from docx.oxml import OxmlElement

    made.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    if table.note:
        document.add_paragraph().add_run(as_text(table.note)).italic = True


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
