"""The network diagram and the league table."""

from __future__ import annotations

import math
from itertools import combinations

import pandas as pd
import pytest
from altair.utils.schemapi import debug_mode

from analysis import charts
from analysis.charts.base.effect import Effect
from analysis.charts.base.files import specification
from analysis.charts.base.theme import text_width
from analysis.charts.networks.leagues import cells
from analysis.charts.networks.network import circle
from analysis.charts.tables import league_table


@pytest.fixture(autouse=True)
def _checked_once():
    """Altair checks each part as it is made; the whole specification is checked in one test for every chart."""
    with debug_mode(False):
        yield


LONG = "Mesenchymal stem cells of the umbilical cord, intravenous α 间充质"


def boxes(places) -> list[tuple[float, float, float, float]]:
    found = []
    for place in places:
        width = max(text_width(line) for line in place.lines)
        left = place.label_x - {"left": 0, "right": width, "center": width / 2}[place.align]
        half = len(place.lines) * 13 / 2
        found.append((left, place.label_y - half, left + width, place.label_y + half))
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 30, 45])
@pytest.mark.parametrize("name", ["B", LONG])
@pytest.mark.parametrize("sizes", ["alike", "apart"])
def test_labels_and_nodes_never_overlap_and_nothing_is_cut(n, name, sizes):
    shares = [1.0 if sizes == "alike" else ((7 * i) % 10 + 1) / 10 for i in range(n)]
    places, radius, width, height = circle([f"{name} {i}" for i in range(n)], shares)
    for a, b in combinations(boxes(places), 2):
        apart = a[2] <= b[0] + 0.01 or b[2] <= a[0] + 0.01 or a[3] <= b[1] + 0.01 or b[3] <= a[1] + 0.01
        assert apart
    for left, top, right, bottom in boxes(places):
        assert left >= -0.01
        assert top >= -0.01
        assert right <= width + 0.01
        assert bottom <= height + 0.01
    for a, b in combinations(places, 2):
        assert math.dist((a.x, a.y), (b.x, b.y)) > 1.9 * radius
    for place, box in zip(places, boxes(places), strict=True):
        for other, share in zip(places, shares, strict=True):
            nearest = (min(max(other.x, box[0]), box[2]), min(max(other.y, box[1]), box[3]))
            assert math.dist(nearest, (other.x, other.y)) >= share * radius - 0.01, place.lines


def test_a_label_stands_beside_its_own_node_not_beside_the_largest():
    near, far = (circle(["A", "B", "C", "D"], shares)[0][1] for shares in ([1, 0.1, 1, 1], [1, 1, 1, 1]))
    assert near.label_x - near.x < far.label_x - far.x


def diagram(**options):
    nodes = pd.DataFrame(
        {"treatment": ["a", "b", "c"], "n_studies": [3, 2, 1], "n_participants": [100.0, 400, 25]}
    )
    edges = pd.DataFrame({"treatment_a": ["a", "a"], "treatment_b": ["b", "c"], "n_studies": [6, 2]})
    return charts.network_diagram(nodes, edges, **options)


def layer(chart, mark: str) -> dict:
    return next(part for part in specification(chart)["layer"] if part["mark"]["type"] == mark)


def test_area_of_nodes_and_width_of_lines_are_proportional_and_start_at_nothing():
    chart = diagram()
    size = layer(chart, "circle")["encoding"]["size"]
    assert size["field"] == "n_participants"
    assert size["scale"]["domain"] == [0, 400]
    assert size["scale"]["range"][0] == 0
    width = layer(chart, "rule")["encoding"]["strokeWidth"]
    assert width["field"] == "n_studies"
    assert (width["scale"]["domain"], width["scale"]["range"][0]) == ([0, 6], 0)


def test_the_order_is_fixed_clockwise_from_the_top():
    rows = diagram(order=["c", "a", "b"]).to_dict()["datasets"]["nodes"]
    assert [row["treatment"] for row in rows] == ["c", "a", "b"]
    assert rows[0]["y"] == min(row["y"] for row in rows)
    assert rows[1]["x"] > rows[0]["x"] > rows[2]["x"]


def test_multi_arm_studies_are_shaded_and_risk_of_bias_colours_the_lines():
    plain = diagram()
    assert "multi_arm" not in plain.to_dict()["datasets"]
    shaded = diagram(multi_arm=[["c", "a", "b"]]).to_dict()
    assert len(shaded["datasets"]["multi_arm"]) == 3
    nodes = pd.DataFrame({"treatment": ["a", "b"], "n_studies": [1, 1], "n_participants": [9, 9]})
    edges = pd.DataFrame(
        {"treatment_a": ["a"], "treatment_b": ["b"], "n_studies": [1], "low_risk_share": [0.25]}
    )
    judged = layer(charts.network_diagram(nodes, edges), "rule")["encoding"]["color"]
    assert (judged["field"], judged["scale"]["domain"]) == ("low_risk_share", [0, 0.5, 1])


def test_what_area_stands_for_is_said():
    chart = diagram(size_title="Animals").to_dict()
    assert "Area of a node: animals." in " ".join(chart["title"]["subtitle"])
    assert "a with b: 6" in chart["description"]


# --- the league table ---------------------------------------------------------------------------------------

EFFECT = Effect(
    "MD", outcome="HbA1c", unit="%", lower_is_better=True, treatments={"r": "Rosi", "m": "Metf", "p": "Plac"}
)
ORDER = ["r", "m", "p"]


def network() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"treatment": "r", "versus": "p", "estimate": -1.2, "ci_lower": -1.4, "ci_upper": -1.0},
            {"treatment": "m", "versus": "p", "estimate": -1.1, "ci_lower": -1.3, "ci_upper": -0.9},
            {"treatment": "m", "versus": "r", "estimate": 0.1, "ci_lower": -0.2, "ci_upper": 0.4},
        ]
    ).assign(rests_on=["indirect only", "direct and indirect", "indirect only"])


def direct() -> pd.DataFrame:
    return pd.DataFrame(
        [{"treatment": "p", "versus": "m", "estimate": 1.0, "ci_lower": 0.7, "ci_upper": 1.3}]
    )


def at(row: int, column: int, **options) -> dict:
    found = cells(network(), direct(), effect=EFFECT, order=ORDER, **options)
    return next(cell for cell in found if (cell["row"], cell["column"]) == (row, column))


def test_below_the_diagonal_stands_column_versus_row_above_it_row_versus_column():
    below = at(2, 0)  # row placebo, column rosiglitazone
    assert (below["treatment"], below["versus"]) == ("r", "p")
    assert (below["estimate"], below["text"][0]) == (-1.2, "−1.20")
    turned = at(1, 0)
    assert (turned["estimate"], turned["ci_lower"], turned["ci_upper"]) == (-0.1, -0.4, 0.2)
    above = at(1, 2)  # row metformin, column placebo: direct, turned
    assert (above["treatment"], above["versus"], above["estimate"]) == ("m", "p", -1.0)
    assert "estimate" not in at(0, 2)


def test_cells_tell_what_they_rest_on_and_whether_no_effect_is_excluded():
    assert at(2, 1)["evidence"] == "direct and indirect"
    assert at(2, 0)["evidence"] == "indirect only"
    assert at(2, 0)["clear"]
    assert not at(1, 0)["clear"]


def test_every_cell_of_a_triangle_has_the_same_decimals():
    rows = network().assign(ci_lower=[-1.4, -31.1, -0.2])
    found = cells(rows, direct(), effect=EFFECT, order=ORDER)
    written = [cell["text"][0] for cell in found if cell["triangle"] == "lower"]
    assert {len(text.partition(".")[2]) for text in written} == {2}


def test_two_outcomes_share_one_table():
    second = Effect("OR", outcome="Weight gain", lower_is_better=True)
    other = network().assign(estimate=[0.0, math.log(2), 0.0], ci_lower=-1.0, ci_upper=1.0)
    cell = at(1, 2, second=other, second_effect=second)
    assert (cell["outcome"], cell["estimate"]) == ("Weight gain", pytest.approx(2.0))
    chart = charts.league(network(), effect=EFFECT, order=ORDER, second=other, second_effect=second)
    said = " ".join(specification(chart)["title"]["subtitle"])
    assert "Below the diagonal: Mean difference: HbA1c (%) with 95% CI, column versus row." in said
    assert "Above: Odds ratio: Weight gain with 95% CI, row versus column." in said


def test_the_caption_of_every_export_says_which_triangle_is_what():
    chart = charts.league(network(), direct(), effect=EFFECT, order=ORDER)
    said = " ".join(specification(chart)["title"]["subtitle"])
    written = league_table(network(), direct(), effect=EFFECT, order=ORDER).note
    for text in (said, written):
        assert "Below the diagonal: network estimates, column versus row." in text
        assert (
            "Above: direct estimates, row versus column, pooled with the heterogeneity of the whole" in text
        )
    alone = league_table(network(), None, effect=EFFECT, order=ORDER).note
    assert "direct" not in alone
    assert [row["label"] for row in specification(chart)["datasets"]["diagonal"]] == ["Rosi", "Metf", "Plac"]


def test_confidence_in_the_evidence_can_colour_the_cells():
    chart = charts.league(
        network(), direct(), effect=EFFECT, order=ORDER, confidence={("p", "r"): "Low", ("m", "p"): "High"}
    )
    colors = {
        (cell["treatment"], cell["versus"]): cell["color"]
        for cell in specification(chart)["datasets"]["cells"]
        if cell["triangle"] == "lower"
    }
    assert colors["r", "p"] == "#fdce7c"
    assert colors["r", "m"] == "#ffffff"
