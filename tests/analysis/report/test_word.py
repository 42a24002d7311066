"""The Word file: read back with python-docx, it has the page's headings, contents, figures, tables and captions."""

from __future__ import annotations

import re
import zipfile

import pytest
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn

from analysis.charts.tables import Column, Table
from analysis.report.blocks import Figure, Section, Text
from analysis.report.links import mark
from analysis.report.word import Picture, Title, divided, word


def svg(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<g transform="translate(5,40)"><rect width="{width - 9}" height="{height - 60}" fill="#2f6b9a"/></g></svg>'
    )


def picture(width: float = 600, height: float = 300, cuts=()) -> Picture:
    import vl_convert

    drawn = svg(width, height)
    return Picture(
        drawn, vl_convert.svg_to_png(drawn, scale=2), "ALT: forest", "Forest plot of 3 studies.", cuts
    )


def columns(n: int, group: str = "") -> tuple[Column, ...]:
    return tuple(Column(f"c{i}", f"Head {i}", "right" if i else "left", group if i else "") for i in range(n))


@pytest.fixture(scope="module")
def sections():
    narrow = Table("narrow", "Main results", columns(3, "Group"), ({"group": "ALT <&>", "c0": mark("A", "#n1"), "c1": "−1", "c2": 2},
                   {"group": "ALT <&>", "c0": "B", "c1": "x", "c2": "y"}), note="How to read it.")  # fmt: skip
    wide = Table("wide", "Characteristics", columns(9), ({f"c{i}": i for i in range(9)},))
    return [
        Section("answer", "Answer", [Text(("Which?",))], [
            Section("answer-alt", "ALT: cells versus control", [Text(("78 studies.",))]),
            Section("answer-ast", "AST: cells versus control", [Text(("71 studies.",))]),
            Section("findings", "Summary of findings", [narrow]),
        ]),
        Section("studies", "Included studies", [Text(("Listed by year.",)), wide]),
        Section("alt", "ALT: network", [Figure("forest", None), Figure("alt-league", None), Text(("A note.",), items=True)]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def file(sections, tmp_path_factory):
    league = Table("alt-league", "League table: ALT", columns(2), ({"c0": "a", "c1": "b"},))
    path = tmp_path_factory.mktemp("word") / "report.docx"
    pictures = {"forest": picture(), "alt-league": picture()}
    return word(Title("Cells", ["Ma 2023"]), sections, pictures, path, leagues=[league],
                numbers={"forest": "Figure 3A. Forest plots"}, synthetic=False)  # fmt: skip


@pytest.fixture(scope="module")
def document(file):
    return Document(str(file))


def test_every_heading_of_the_page_is_a_heading_with_its_text_beneath(document):
    said = [
        (p.style.name, p.text) for p in document.paragraphs if p.style.name.startswith(("Heading", "Body"))
    ]
    assert said == [
        ("Body Text", "Ma 2023"),
        ("Heading 1", "Answer"), ("Body Text", "Which?"),
        ("Heading 2", "ALT: cells versus control"), ("Body Text", "78 studies."),
        ("Heading 2", "AST: cells versus control"), ("Body Text", "71 studies."),
        ("Heading 2", "Summary of findings"),
        ("Heading 1", "Included studies"), ("Body Text", "Listed by year."),
        ("Heading 1", "ALT: network"),
    ]  # fmt: skip
    assert document.paragraphs[0].style.name == "Title"
    assert [p.text for p in document.paragraphs if p.style.name == "List Bullet"] == ["A note."]


def test_captions_are_numbered_by_word_and_say_the_plans_number(document):
    captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
    assert captions == [
        "Table 1. Main results",
        "Table 2. Characteristics",
        "Figure 1. ALT: forest (Figure 3A. Forest plots)",
        "Table 3. League table: ALT",
    ]
    fields = re.findall(r"SEQ (\w+)", document.element.xml)
    assert fields == ["Table", "Table", "Figure", "Table"]


def test_contents_are_a_field_whose_entries_lead_to_the_headings(document):
    xml = document.element.xml
    anchors = re.findall(r'w:hyperlink [^>]*w:anchor="(\w+)"', xml)
    marks = re.findall(r'w:bookmarkStart [^>]*w:name="(\w+)"', xml)
    assert 'TOC \\o "1-2"' in xml
    assert len(anchors) == 6
    assert set(anchors) == set(marks)
    assert xml.count('fldCharType="begin"') == xml.count('fldCharType="end"') == 5


def test_tables_repeat_their_heads_keep_rows_whole_and_hold_plain_cells(document):
    narrow, wide, league = document.tables
    heads = [
        row
        for row in narrow._tbl.tr_lst
        if row.trPr is not None and row.trPr.find(qn("w:tblHeader")) is not None
    ]
    assert len(heads) == 2, "the headings over groups, and those of the columns"
    assert all(row.trPr.find(qn("w:cantSplit")) is not None for row in narrow._tbl.tr_lst)
    assert [cell.text for cell in narrow.rows[1].cells] == ["Head 0", "Head 1", "Head 2"]
    assert narrow.rows[2].cells[0].text == "ALT <&>"
    assert [cell.text for cell in narrow.rows[3].cells] == ["A", "−1", "2"]
    assert len(wide.columns) == 9
    assert league.cell(0, 0).text == "Head 0"
    assert any(p.text == "How to read it." for p in document.paragraphs)


def test_wide_tables_stand_on_paper_turned_sideways_with_their_heading(document):
    turned = [section.orientation for section in document.sections]
    assert turned == [WD_ORIENT.PORTRAIT, WD_ORIENT.LANDSCAPE, WD_ORIENT.PORTRAIT]
    assert document.sections[1].page_width > document.sections[1].page_height
    # The heading is on the page of its table, not on the one before.
    body = list(document.element.body)
    breaks = [i for i, part in enumerate(body) if part.find(".//" + qn("w:sectPr")) is not None]
    heading = next(
        i for i, part in enumerate(body) if "Included studies" in "".join(part.itertext()) and i > 12
    )
    assert breaks[0] < heading < breaks[1]


def test_pictures_have_words_for_who_does_not_see_them(document):
    (about,) = [shape._inline.docPr for shape in document.inline_shapes]
    assert about.get("descr") == "Forest plot of 3 studies."
    assert about.get("title") == "ALT: forest"


def test_a_figure_taller_than_a_page_is_divided_between_rows():
    cuts = [float(y) for y in range(20, 2900, 20)]
    parts = list(divided(picture(600, 3000, cuts), (643.0, 850.0)))
    assert len(parts) == 5
    assert all(height <= 851 for _, height in parts)
    # Every part repeats what stands above and beneath the rows: 61 and 80 pixels.
    assert sum(height for _, height in parts) - 3000 == pytest.approx(4 * (61 + 80), abs=4)
    (whole,) = divided(picture(600, 3000), (643.0, 850.0))
    assert whole[1] == 3000


def test_simulated_data_are_said_above_every_figure_and_table(sections, tmp_path):
    made = Document(
        str(word(Title("T"), sections, {"forest": picture()}, tmp_path / "s.docx", synthetic=True))
    )
    assert sum("SIMULATED" in p.text for p in made.paragraphs) == 1 + 3


def test_the_same_report_gives_the_same_bytes(sections, file, tmp_path):
    one, two = (
        word(Title("T"), sections, {"forest": picture()}, tmp_path / name).read_bytes() for name in "ab"
    )
    assert one == two
    with zipfile.ZipFile(file) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert parts.testzip() is None
