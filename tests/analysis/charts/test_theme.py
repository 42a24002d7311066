"""Text, numbers, ticks and files of charts."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import altair as alt
import pytest

from analysis.charts.base import theme
from analysis.charts.base.files import csv_text, save, svg, tables
from evidence.errors import CallError

# Adobe's Helvetica metrics (AFM, core 14 fonts), whose widths Arial and Liberation Sans share.
HELVETICA = {
    "A": 667,
    "W": 944,
    "i": 222,
    "m": 833,
    "1": 556,
    "%": 889,
    " ": 278,
    "(": 333,
    "[": 278,
    ".": 278,
}


@pytest.mark.parametrize(("character", "width"), HELVETICA.items())
def test_text_is_measured_by_the_metrics_of_the_named_fonts(character, width):
    assert theme.text_width(character, size=1000) == width


def test_wide_scripts_take_a_whole_em_and_marks_none():
    assert theme.text_width("研究", size=10) == 20
    assert theme.text_width("e\u0301", size=10) == theme.text_width("e", size=10)
    assert theme.text_width("Placebo", bold=True) > theme.text_width("Placebo")


@pytest.mark.parametrize("text", ["one two three four", "unbreakable" * 9, "研究" * 20, "α-β γ", ""])
def test_wrapped_lines_fit_and_lose_nothing(text):
    lines = theme.wrap(text, 60)
    assert all(theme.text_width(line) <= 60 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_numbers_are_written_for_reading():
    assert theme.number(-1234.567, 1) == "−1,234.6"
    assert theme.number(-0.001, 2) == "0.00"
    assert theme.number(None) == theme.number(float("nan")) == ""
    assert theme.count(1234.0) == "1,234"
    assert theme.count(7.5) == "7.5"
    assert [theme.p_value(p) for p in (0.0001, 0.042, 0.5)] == ["< 0.001", "= 0.042", "= 0.50"]
    assert theme.percent(0.255, 0) in ("25%", "26%")


@pytest.mark.parametrize(("ends", "expected"), [
    ((-1.4, 0.5), [-1.0, -0.5, 0.0, 0.5]),
    ((0, 100), [0, 20, 40, 60, 80, 100]),
    ((-0.03, 0.061), [-0.02, 0.0, 0.02, 0.04, 0.06]),
])  # fmt: skip
def test_linear_ticks_are_round(ends, expected):
    assert theme.ticks(*ends) == pytest.approx(expected)


@pytest.mark.parametrize("ends", [(0.04, 11), (0.6, 1.7), (1e-4, 1e5), (0.98, 1.03), (0.3, 110)])
def test_logarithmic_ticks_are_round_few_and_inside(ends):
    found = theme.log_ticks(*ends)
    assert 3 <= len(found) <= 9
    assert found == sorted(found)
    assert all(ends[0] * 0.999 <= tick <= ends[1] * 1.001 for tick in found)
    if ends[0] < 0.5 and ends[1] > 2:
        assert 1.0 in found


def test_letters_are_readable_on_every_colour_of_risk_of_bias():
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for color in ("#02C100", "#E2DF07", "#BF0000", "#820000", "#4EA1F7", "#CCCCCC", "#FED98E", "#FE9929",
                  "#D95F0E", "#993404"):  # fmt: skip
        pair = sorted((luminance(color), luminance(theme.ink_on(color))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.4  # WCAG 2 asks 4.5 of small, 3 of bold text


def small_chart(name: str = "points") -> alt.Chart:
    rows = [
        {"study": 'A & "B" <i>', "x": 1.0, "hidden": 0},
        {"study": "研究", "x": float("nan"), "hidden": 0},
    ]
    drawn = alt.Chart(theme.dataset(rows, name)).mark_point().encode(x="x:Q", tooltip="study:N")
    return theme.finish(
        alt.layer(drawn, drawn), name="points", title="Title", description='Two "points" & <more>',
        tables={name: ("study", "x")},
    )  # fmt: skip


def test_a_finished_chart_holds_each_table_once_and_says_which_it_draws():
    spec = small_chart().to_dict()
    assert spec["datasets"]["points"][1]["x"] is None
    assert spec["usermeta"]["evidence"]["tables"] == {"points": ["study", "x"]}
    assert str(spec["layer"]).count("研究") == 0
    assert "Arial" in spec["config"]["font"]


def test_two_tables_of_one_name_are_refused():
    one = alt.Chart(theme.dataset([{"x": 1}], "rows")).mark_point().encode(x="x:Q")
    other = alt.Chart(theme.dataset([{"x": 2}], "rows")).mark_point().encode(x="x:Q")
    with pytest.raises(ValueError, match="both called 'rows'"):
        theme.finish(alt.layer(one, other), name="n", title="t", description="d", tables={})


def test_charts_put_together_keep_their_tables_apart():
    whole = theme.compose([small_chart(), small_chart()], name="both", title="Both", description="Both")
    assert set(tables(whole)) == {"points_1", "points_2"}
    rows = list(csv.DictReader(io.StringIO(csv_text(whole))))
    assert [row["table"] for row in rows] == ["points_1", "points_1", "points_2", "points_2"]


def test_simulated_data_are_named_in_the_title_and_the_alternative_text():
    marked = theme.mark_synthetic(small_chart())
    assert "SIMULATED" in str(marked.to_dict()["title"]["text"][0])
    assert marked.description.startswith("SIMULATED")
    assert "SIMULATED" not in small_chart().to_dict()["description"]


@pytest.mark.slow
def test_a_chart_saves_in_every_format_without_the_network(tmp_path):
    files = save(
        small_chart(), tmp_path / "vs. placebo", ("svg", "png", "pdf", "html", "csv", "json"), scale=1
    )
    assert [file.name for file in files] == [
        f"vs. placebo.{kind}" for kind in ("svg", "png", "pdf", "html", "csv", "json")
    ]
    content = {file.suffix: file.read_bytes() for file in files}
    assert content[".png"].startswith(b"\x89PNG")
    assert content[".pdf"].startswith(b"%PDF")
    assert b'role="img" aria-label="Two &quot;points&quot; &amp; &lt;more&gt;"' in content[".svg"]
    assert b"<script src" not in content[".html"]
    assert b"<link" not in content[".html"]
    assert content[".csv"].decode().splitlines() == ["study,x", '"A & ""B"" <i>",1.0', "研究,"]


def test_the_same_chart_gives_the_same_bytes():
    assert svg(small_chart()) == svg(small_chart())


def test_an_unknown_format_is_refused_by_name(tmp_path):
    with pytest.raises(CallError, match=r"'gif'.*svg, png"):
        save(small_chart(), tmp_path / "x", ("gif",))


def test_a_chart_drawn_again_has_the_same_bytes_whatever_was_drawn_before_and_keeps_the_words_of_its_texts():
    words = 'see id="clip77" url(#clip77)'
    rows = [{"a": 1, "b": 2, "c": words}, {"a": 2, "b": 5, "c": words}]
    base = alt.Chart(alt.Data(values=rows)).encode(x="a:Q", y="b:Q")
    chart = base.mark_line(clip=True).encode(color="b:Q") + base.mark_text().encode(text="c:N")
    first = svg(chart)
    assert svg(chart) == first
    counted = re.findall(r'<clipPath id="(\w+)"', first)
    assert set(re.findall(r'clip-path="url\(#(\w+)\)"', first)) <= set(counted)
    assert counted == ["clip1", "clip2"][: len(counted)]
    assert len(counted) > 0
    assert f">{words}<" in unescape(first)
