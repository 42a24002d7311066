"""Typography of the report: lines that break where they should, and tall figures on paper."""

from __future__ import annotations

import re

import pytest

from analysis.report.sections.closing import places_of, rows_alike
from analysis.report.typeset import lines, sheets, wide


def test_intervals_and_values_stay_in_one_piece():
    assert lines("a 0.5 [−1.2, 0.3] b") == 'a 0.5 <span class="whole">[−1.2, 0.3]</span> b'
    assert lines("<td>[0.5, 12.0]</td>") == '<td><span class="whole">[0.5, 12.0]</span></td>'
    assert lines("(df 3, p = 0.04)") == "(df 3, p\u00a0=\u00a00.04)"
    assert lines("p &lt; 0.001") == "p\u00a0&lt;\u00a00.001"
    assert lines("[see note, page 3]") == "[see note, page 3]"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("short_word", "short_word"),
        ("litter_size_equalized", "litter_<wbr>size_<wbr>equalized"),
        ("measurements.csv:752", "measurements.<wbr>csv:<wbr>752"),
        ("0123456789abcdef0123", "0123456789abcdef<wbr>0123"),
        ("药物治疗药物治疗药物治疗药物治疗", "药物治疗药物治疗药物治疗药物治疗"),
    ],
)
def test_long_words_break_at_their_joints(word, written):
    assert lines(word) == written


def test_nothing_within_tags_links_or_references_changes():
    html = '<a href="#a_very_long_anchor.name">x &amp; y</a>\ue000#n1\ue001word\ue002'
    assert lines(html) == html


def picture(height: int) -> str:
    return (
        f'<svg xmlns="x" width="500" height="{height}" viewBox="0 0 500 {height}" font-family="Arial">'
        '<g fill="none" stroke-miterlimit="10" transform="translate(12,50)"><g>drawing</g></g></svg>'
    )


def test_a_figure_that_fits_a_page_is_left_alone():
    assert sheets(picture(800), "forest", [0, 17, 700]) == picture(800)
    assert sheets(picture(5000), "funnel", []) == picture(5000)


def test_a_tall_figure_is_laid_out_on_sheets_that_show_every_row_once_with_headings_and_axis():
    rows = [3 + 17 * index for index in range(151)]
    height = 50 + rows[-1] + 60
    drawn = sheets(picture(height), "forest", rows)
    views = [tuple(map(float, box)) for box in re.findall(r'viewBox="0 ([\d.]+) 500 ([\d.]+)"><use', drawn)]
    assert len(views) % 3 == 0
    heads, bodies, feet = views[0::3], views[1::3], views[2::3]
    assert len(bodies) == drawn.count('class="sheet"') == 3
    assert set(heads) == {(0.0, 54.0)}
    assert set(feet) == {(rows[-1] + 50.0, 60.0)}
    # Each sheet goes on where the one before it ended, between two rows.
    ends = [start + tall for start, tall in bodies]
    assert [start for start, _ in bodies[1:]] == ends[:-1]
    assert bodies[0][0] == 54.0
    assert ends[-1] == rows[-1] + 50
    assert {end - 50 for end in ends} <= set(rows)
    assert all(tall < 1050 for _, tall in bodies)
    assert drawn.count("drawing") == 1
    assert "sheet 3 of 3" in drawn


def test_a_wide_figure_is_printed_sideways():
    assert not wide(picture(900))
    assert wide(picture(900).replace('width="500"', 'width="1500"'))


def test_rows_left_out_for_one_reason_share_a_line_with_theirplaces_of():
    assert (
        places_of([("a.csv", 4), ("a.csv", 2), ("a.csv", 3), ("b.csv", 9), ("a.csv", 7)])
        == "a.csv:2–4, 7; b.csv:9"
    )
    assert places_of([("a.csv", None), (None, None)]) == "a.csv"
    rows = [{"why": "x", "n": 1}, {"why": "y", "n": 2}, {"why": "x", "n": 3}]
    assert [[row["n"] for row in some] for some in rows_alike(rows, ("why",))] == [[1, 3], [2]]


def test_long_words_of_letters_stay_whole_and_hashes_break():
    assert lines("lipopolysaccharide") == "lipopolysaccharide"
    assert lines("Mittelwertdifferenz") == "Mittelwertdifferenz"
    assert lines("a1" * 16) == "<wbr>".join(["a1" * 8] * 2)
