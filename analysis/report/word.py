"""The report as a Word file that co-authors edit: headings, contents, figures, tables, captions, numbered."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from analysis.charts.base.theme import SYNTHETIC
from analysis.charts.tables import Column, Table
from analysis.language.catalog import current, tr
from analysis.report.blocks import Block, Figure, Section, Text
from analysis.report.links import as_text

# A4 within its margins in pixels of 1/96 inch, upright and sideways, less room for a caption.
_UPRIGHT, _SIDEWAYS = (643.0, 850.0), (974.0, 530.0)
_MOST_COLUMNS = 7
_LEGIBLE = 0.7
"""Below this scale letters of a figure are smaller than those of print: its page is turned sideways."""

_FONTS = {"zh": "Microsoft YaHei"}


@dataclass(frozen=True)
class Picture:
    """A figure as it was drawn.

    Attributes
    ----------
    svg : str
        Without links.
    png : bytes
        The same as pixels, two for one.
    title, description : str
        Its heading, and what a reader who does not see it needs to know.
    cuts : sequence of float
        Places between its rows (see `analysis.charts.base.theme.finish`).
    """

    svg: str
    png: bytes
    title: str
    description: str
    cuts: Sequence[float] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        found = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"', self.svg)
        assert found is not None, "every figure has a size"
        return float(found[1]), float(found[2])


@dataclass(frozen=True)
class Title:
    """What stands above the first section.

    Attributes
    ----------
    title : str
    lines : sequence of str
        Sources, terms of use.
    """

    title: str
    lines: Sequence[str] = ()


def word(
    about: Title,
    sections: Sequence[Section],
    pictures: Mapping[str, Picture],
    path: Path,
    *,
    leagues: Sequence[Table] = (),
    numbers: Mapping[str, str] | None = None,
    synthetic: bool = False,
) -> Path:
    """Write all sections of a report as a Word file.

    Parameters
    ----------
    about : Title
        The review's title and sources.
    sections : sequence of Section
        As they stand on the page.
    pictures : mapping of str to Picture
        Figures by the names of their blocks.
    path : Path
        The ``.docx`` file.
    leagues : sequence of Table
        Tables that stand in place of the figures of the same name: league tables, to be edited.
    numbers : mapping of str to str, optional
        What the review's own plan calls figures and tables, by name.
    synthetic : bool
        The review's data are simulated: the file says so above every table and figure.

    Returns
    -------
    Path
        The same sections give the same bytes.
    """
    writer = _Writer(about, pictures, {table.name: table for table in leagues}, numbers or {}, synthetic)
    writer.contents(sections)
    for section in sections:
        writer.section(section, 1)
    written = io.BytesIO()
    writer.document.save(written)
    _keep_dateless(written, path)
    return path


class _Writer:
    """Puts blocks into a document one after the other, turning the paper where one is wide."""

    def __init__(
        self,
        about: Title,
        pictures: Mapping[str, Picture],
        leagues: Mapping[str, Table],
        numbers: Mapping[str, str],
        synthetic: bool,
    ) -> None:
        from datetime import datetime

        from docx import Document

        self.document = Document()
        self.pictures, self.leagues, self.numbers, self.synthetic = pictures, leagues, numbers, synthetic
        self.counted = {"figure": 0, "table": 0}
        self.waiting: list[tuple[str, int, int]] = []
        self.bookmarks = 0
        properties = self.document.core_properties
        properties.created = properties.modified = datetime(2000, 1, 1)
        properties.title, properties.author = about.title[:255], ""  # more than a title may hold
        properties.language = current()
        _style(self.document)
        self.sideways = False
        _paper(self.document.sections[0], False)
        self.document.add_paragraph(about.title, style="Title")
        if synthetic:
            self._alarm()
        for line in about.lines:
            self.document.add_paragraph(as_text(line), style="Body Text")

    def contents(self, sections: Sequence[Section]) -> None:
        """List the headings as a field that Word brings up to date, with the headings as they are now."""
        from docx.oxml import parse_xml

        self.document.add_paragraph(tr("Contents"), style="TOC Heading")
        entries = [
            (level, entry)
            for section in sections
            for level, entry in ((1, section), *((2, part) for part in section.parts))
        ]
        for place, (level, section) in enumerate(entries):
            paragraph = self.document.add_paragraph(style=f"List{' 2' if level == 2 else ''}")
            link = f'<w:hyperlink {_NS} w:anchor="{_bookmark(section)}"><w:r><w:t xml:space="preserve">'
            link += f"{escape(as_text(section.title))}</w:t></w:r></w:hyperlink>"
            if place == 0:
                for part in _field('TOC \\o "1-2" \\h \\z \\u', ""):
                    paragraph._p.append(parse_xml(part))
            paragraph._p.append(parse_xml(link))
            if place == len(entries) - 1:
                paragraph._p.append(parse_xml(_END))

    def section(self, section: Section, level: int) -> None:
        """Write a section with its parts."""
        self.bookmarks += 1
        self.waiting.append((f"{_bookmark(section)}\n{as_text(section.title)}", level, self.bookmarks))
        blocks = [
            self.leagues.get(block.name, block) if isinstance(block, Figure) else block
            for block in section.blocks
        ]
        for place, block in enumerate(blocks):
            # Text stands on the paper of what it is about: no page holds a line alone.
            self._turn(next((wide for b in blocks[place:] if (wide := self._wide(b)) is not None), False))
            self._headings()
            self.block(block)
        for part in section.parts:
            self.section(part, level + 1)

    def _wide(self, block: Block) -> bool | None:
        """Tell whether a block needs paper turned sideways; None where it suits any."""
        if isinstance(block, Text):
            return None
        if isinstance(block, Table):
            return len(block.columns) > _MOST_COLUMNS
        picture = self.pictures.get(block.name)
        return None if picture is None else _UPRIGHT[0] / picture.size[0] < _LEGIBLE

    def block(self, block: Block) -> None:
        """Write text, a figure or a table."""
        if isinstance(block, Text):
            for line in block.paragraphs:
                style = "List Bullet" if block.items else "Body Text"
                self.document.add_paragraph(as_text(line), style=style)
        elif isinstance(block, Table):
            self._table(block)
        elif (picture := self.pictures.get(block.name)) is not None:
            self._figure(block.name, picture)

    def _turn(self, sideways: bool) -> None:
        """Begin a page that is turned the other way, if it must be."""
        if sideways == self.sideways:
            return
        from docx.enum.section import WD_SECTION

        _paper(self.document.add_section(WD_SECTION.NEW_PAGE), sideways)
        self.sideways = sideways

    def _headings(self) -> None:
        """Write the headings that wait for what stands under them, so that both are on one page."""
        from docx.oxml import parse_xml

        for text, level, number in self.waiting:
            name, _, title = text.partition("\n")
            heading = self.document.add_heading(title, level=level)
            heading._p.insert(1, parse_xml(f'<w:bookmarkStart {_NS} w:id="{number}" w:name="{name}"/>'))
            heading._p.append(parse_xml(f'<w:bookmarkEnd {_NS} w:id="{number}"/>'))
        self.waiting.clear()

    def _alarm(self) -> None:
        self.document.add_paragraph(tr(SYNTHETIC), style="Alarm").paragraph_format.keep_with_next = True

    def _caption(self, kind: str, name: str, title: str) -> Any:
        """Write a caption with a number that Word counts."""
        from docx.oxml import parse_xml

        self.counted[kind] += 1
        label, sequence = (tr("Figure"), "Figure") if kind == "figure" else (tr("Table"), "Table")
        paragraph = self.document.add_paragraph(f"{label} ", style="Caption")
        for part in _field(f"SEQ {sequence} \\* ARABIC", str(self.counted[kind])):
            paragraph._p.append(parse_xml(part))
        paragraph._p.append(parse_xml(_END))
        planned = f" ({self.numbers[name]})" if name in self.numbers else ""
        paragraph.add_run(f". {as_text(title)}{planned}")
        return paragraph

    def _figure(self, name: str, picture: Picture) -> None:
        from docx.shared import Inches

        width, _ = picture.size
        room = _SIDEWAYS if self.sideways else _UPRIGHT
        parts = list(divided(picture, room))
        if self.synthetic:
            self._alarm()
        for number, (png, height) in enumerate(parts, 1):
            scale = min(1.0, room[0] / width, room[1] / height)
            paragraph = self.document.add_paragraph(style="Picture")
            inline = paragraph.add_run().add_picture(io.BytesIO(png), width=Inches(scale * width / 96))
            about = inline._inline.docPr
            about.set("descr", picture.description)
            about.set("title", picture.title)
            if number == len(parts):
                paragraph.paragraph_format.keep_with_next = True
        self._caption("figure", name, picture.title)

    def _table(self, table: Table) -> None:
        from docx.oxml import parse_xml

        if self.synthetic:
            self._alarm()
        self._caption("table", table.name, table.title).paragraph_format.keep_with_next = True
        body = self.document.element.body
        body.insert(len(body) - 1, parse_xml(_table_xml(table)))
        self.document.add_paragraph(as_text(table.note), style="Table Note")


def divided(picture: Picture, room: tuple[float, float]) -> Iterator[tuple[bytes, float]]:
    """Lay a figure that is taller than a page out as several, each with its headings and its axis.

    Parameters
    ----------
    picture : Picture
    room : tuple of float
        Width and height of a page in pixels.

    Yields
    ------
    tuple of (bytes, float)
        Pixels of a part (PNG), and its height in pixels of 1/96 inch; the whole where it fits, or where it
        has no rows to cut between.
    """
    import vl_convert

    width, height = picture.size
    most = room[1] / min(1.0, room[0] / width)
    place = re.search(r'transform="translate\([\d.]+,([\d.]+)\)"', picture.svg)
    if height <= most or not picture.cuts or place is None:
        yield picture.png, height
        return
    rows = [float(cut) + float(place[1]) for cut in picture.cuts]
    head, foot = rows[0] + 1, rows[-1]
    open_tag = re.match(r"<svg [^>]*>", picture.svg)
    assert open_tag is not None
    whole = picture.svg[open_tag.end() : picture.svg.rindex("</svg>")]
    free = max(most - head - (height - foot), rows[1] - rows[0])
    each = (foot - rows[0]) / -int(-(foot - rows[0]) // free)
    start = rows[0]
    while start < foot:
        # As even as the rows allow, and never more than a page holds.
        fitting = [y for y in rows if start < y <= start + free] or [rows[rows.index(start) + 1]]
        end = next((y for y in fitting if y >= start + each - 1e-6), fitting[-1])
        y, bands = 0.0, []
        for upper, lower in ((0.0, head), (max(start, head), end), (foot, height)):
            bands.append(
                f'<svg y="{y:g}" width="{width:g}" height="{lower - upper:g}" '
                f'viewBox="0 {upper:g} {width:g} {lower - upper:g}"><use href="#whole"/></svg>'
            )
            y += lower - upper
        tag = re.sub(r'(height|viewBox)="[^"]*"', "", open_tag[0])[:-1]
        part = (
            f'{tag} height="{y:g}" viewBox="0 0 {width:g} {y:g}"><rect width="{width:g}" height="{y:g}" '
            f'fill="white"/><defs><g id="whole">{whole}</g></defs>{"".join(bands)}</svg>'
        )
        yield vl_convert.svg_to_png(part, scale=2), y
        start = end


_NS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_END = f'<w:r {_NS}><w:fldChar w:fldCharType="end"/></w:r>'


def _field(instruction: str, shown: str) -> list[str]:
    """Begin a field of Word's; what it shows until it is brought up to date stands in it."""
    instruction = escape(instruction)
    return [
        f'<w:r {_NS}><w:fldChar w:fldCharType="begin"/></w:r>',
        f'<w:r {_NS}><w:instrText xml:space="preserve"> {instruction} </w:instrText></w:r>',
        f'<w:r {_NS}><w:fldChar w:fldCharType="separate"/></w:r>',
        *([f"<w:r {_NS}><w:t>{shown}</w:t></w:r>"] if shown else []),
    ]


def _bookmark(section: Section) -> str:
    return "_" + re.sub(r"\W", "_", section.anchor)[:38]


def _table_xml(table: Table) -> str:
    """Write a table as Word keeps it: as text, for thousands of cells one by one take minutes."""
    columns = table.columns
    size = 18 if len(columns) <= _MOST_COLUMNS else 16 if len(columns) <= 10 else 13
    spanned = any(column.group for column in columns)
    rows = []
    if spanned:
        rows.append(_row(_spanners(columns, size), head=True))
    heads = [_cell(column.label.replace("\n", " "), column, size, bold=True) for column in columns]
    rows.append(_row(heads, head=True))
    group = None
    for row in table.rows:
        if row.get("group") is not None and row["group"] != group:
            group = row["group"]
            rows.append(
                _row([_cell(str(as_text(group)), Column("", ""), size, bold=True, span=len(columns))])
            )
        rows.append(
            _row(
                [
                    _cell("" if (value := row.get(c.key)) is None else str(as_text(value)), c, size)
                    for c in columns
                ]
            )
        )
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in _widths(table))
    return (
        f'<w:tbl {_NS}><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="5000" w:type="pct"/>'
        f'<w:tblLook w:firstRow="1"/><w:tblCaption w:val="{_quoted(as_text(table.title))}"/></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _widths(table: Table) -> list[int]:
    """Share the width of a table out by what its columns hold: long texts wrap, numbers do not."""
    wanted = []
    for column in table.columns:
        cells = [column.label, *(str(as_text(row.get(column.key) or "")) for row in table.rows)]
        longest = max(len(cell) for cell in cells)
        words = max((len(word) for cell in cells for word in cell.split()), default=1)
        wanted.append(max(7, min(longest, 36), min(words, 20)))
    return [round(5000 * width / sum(wanted)) for width in wanted]


def _spanners(columns: Sequence[Column], size: int) -> list[str]:
    """Write the row of headings over groups of columns."""
    runs: list[list[Any]] = []
    for column in columns:
        if runs and runs[-1][0] == column.group:
            runs[-1][1] += 1
        else:
            runs.append([column.group, 1])
    return [_cell(group, Column("", "", "center"), size, bold=True, span=n) for group, n in runs]


def _row(cells: Sequence[str], head: bool = False) -> str:
    # Word repeats heading rows on every page, and divides no row between two.
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if head else ''}</w:trPr>{''.join(cells)}</w:tr>"


def _cell(text: str, column: Column, size: int, *, bold: bool = False, span: int = 1) -> str:
    about = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    weight = "<w:b/>" if bold else ""
    return (
        f'<w:tc><w:tcPr>{about}</w:tcPr><w:p><w:pPr><w:spacing w:before="0" w:after="0"/>'
        f'<w:jc w:val="{column.align}"/></w:pPr><w:r><w:rPr>{weight}<w:sz w:val="{size}"/></w:rPr>'
        f'<w:t xml:space="preserve">{_plain(text)}</w:t></w:r></w:p></w:tc>'
    )


def _plain(text: str) -> str:
    """Escape text; control characters, which XML cannot hold, become blanks."""
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", text))


def _quoted(text: str) -> str:
    return escape(re.sub(r"[\x00-\x1f]", " ", text), {'"': "&quot;"})


def _paper(section: Any, sideways: bool) -> None:
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm

    short, long = Cm(21.0), Cm(29.7)
    section.orientation = WD_ORIENT.LANDSCAPE if sideways else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (long, short) if sideways else (short, long)
    section.left_margin = section.right_margin = Cm(2.0)
    section.top_margin = section.bottom_margin = Cm(2.0)


def _style(document: Any) -> None:
    """Set the document's styles: one font, plain headings, what this report has besides."""
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    ink = RGBColor(0x1B, 0x1F, 0x24)
    sizes = {"Normal": 10, "Title": 18, "Heading 1": 15, "Heading 2": 12.5, "Heading 3": 11, "Caption": 9.5}
    for name, size in sizes.items():
        style = document.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = "Arial", Pt(size), ink
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in [key for key in fonts.attrib if key.endswith("Theme")]:
            del fonts.attrib[theme]
        fonts.set(qn("w:eastAsia"), _FONTS.get(current(), "Arial"))
    document.styles["Caption"].font.bold = True
    document.styles["Normal"].paragraph_format.space_after = Pt(4)
    for name, size in (("Table Note", 8.5), ("Picture", 10), ("Alarm", 10)):
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style, style.font.size = document.styles["Normal"], Pt(size)
    document.styles["Alarm"].font.bold = True
    document.styles["Alarm"].font.color.rgb = RGBColor(0xB0, 0x00, 0x20)
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:eastAsia" if current() == "zh" else "w:val"), _LOCALES[current()])


_LOCALES = {"en": "en-GB", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "zh": "zh-CN"}


def _keep_dateless(written: io.BytesIO, path: Path) -> None:
    """Write a Word file without the time of its parts: the same inputs give the same bytes."""
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            part = zipfile.ZipInfo(item.filename, (1980, 1, 1, 0, 0, 0))
            target.writestr(part, source.read(item), zipfile.ZIP_DEFLATED)
