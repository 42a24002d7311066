"""Forest plots: what is drawn where, on which scale, and whom it favours."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pandas as pd
import pytest
from altair.utils.schemapi import debug_mode

from analysis import charts
from analysis.charts.base.effect import Effect
from analysis.charts.base.files import csv_text, specification, tables
from analysis.charts.base.intervals import diamond
from analysis.charts.forests import _summary


@pytest.fixture(autouse=True)
def _checked_once():
    """Altair checks each part as it is made; the whole specification is checked in one test for every chart."""
    with debug_mode(False):
        yield


NAMES = {"a": "Drug A", "b": "Placebo"}
LOWER = Effect("MD", outcome="HbA1c", unit="%", lower_is_better=True, treatments=NAMES)
HIGHER = Effect("SMD", outcome="Memory", lower_is_better=False, treatments=NAMES)
ODDS = Effect("OR", outcome="Death", lower_is_better=True, treatments=NAMES)


def studies(k: int = 3, **extra) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": [f"s{i}" for i in range(k)],
            "label": [f"Study {i}" for i in range(k)],
            "estimate": [-0.5 + 0.1 * i for i in range(k)],
            "std_error": [0.1 + 0.05 * i for i in range(k)],
            "n_a": 20.0, "mean_a": 5.0, "sd_a": 1.25, "n_b": 1200.0, "mean_b": 5.5, "sd_b": 1.5,
            "weight_common": [4.0 / (i + 1) for i in range(k)],
            "weight_random": [3.0 / (i + 1) for i in range(k)],
        }
        | extra
    )  # fmt: skip


def pooled(level=None) -> list[dict]:
    random = {
        "model": "random",
        "estimate": -0.4,
        "ci_lower": -0.6,
        "ci_upper": -0.2,
        "pi_lower": -1.0,
        "pi_upper": 0.2,
    }
    common = {**random, "model": "common", "pi_lower": None, "pi_upper": None}
    return [{**common, "level": level}, {**random, "level": level}]


SPREAD = {"model": "random", "method": "REML", "tau": 0.22, "tau2": 0.05, "i2": 0.44, "i2_lower": 0.1, "i2_upper": 0.7, "q": 12.3,
          "df": 7, "p_value": 0.04}  # fmt: skip


def drawn(chart, name: str = "rows") -> list[dict]:
    return specification(chart)["datasets"][name]


def marks(chart) -> list[dict]:
    return specification(chart)["layer"]


def words(chart) -> str:
    return str([layer["mark"] for layer in marks(chart) if "mark" in layer])


def axis(chart) -> dict:
    return next(
        layer["encoding"]["x"]
        for layer in marks(chart)
        if "values" in (layer["encoding"].get("x", {}).get("axis") or {})
    )


def forest(frame=None, effect=LOWER, **options):
    frame = studies() if frame is None else frame
    options = {"pooled": pd.DataFrame(pooled()), "heterogeneity": pd.DataFrame([SPREAD])} | options
    return charts.forest(frame, effect=effect, treatment="a", versus="b", **options)


def test_area_of_squares_is_proportional_to_the_random_weights():
    rows = [row for row in drawn(forest()) if row["kind"] == "study"]
    ratio = {row["area"] / row["weight_random"] for row in rows}
    assert len({round(value, 9) for value in ratio}) == 1


def test_rows_stand_in_the_frames_order_with_models_prediction_and_heterogeneity_after():
    rows = drawn(forest())
    kinds = ["study"] * 3 + ["pooled", "pooled", "prediction"]
    assert [row["kind"] for row in rows][:6] == kinds
    assert {row["kind"] for row in rows[6:]} == {"note"}
    assert [row["label"] for row in rows[:5]] == [
        "Study 0",
        "Study 1",
        "Study 2",
        "Common effect",
        "Random effects",
    ]
    assert sorted(row["y"] for row in rows) == [row["y"] for row in rows]
    assert "I² = 44% (10% to 70%); τ = 0.22% (REML)" in " ".join(row["label"] for row in rows[6:])
    assert rows[0]["effect_text"] == "−0.50 [−0.70, −0.30]"
    assert rows[0]["n_text_b"] == "1,200"


@pytest.mark.parametrize(("effect", "left", "right"), [
    (LOWER, "Favours Drug A", "Favours Placebo"),
    (HIGHER, "Favours Placebo", "Favours Drug A"),
    (ODDS, "Favours Drug A", "Favours Placebo"),
])  # fmt: skip
def test_favours_follows_the_outcomes_direction(effect, left, right):
    said = words(forest(effect=effect)).replace("\\xa0", " ").replace("\xa0", " ")
    assert f"← {left}" in said
    assert f"{right} →" in said


def test_without_a_direction_nobody_is_favoured():
    assert "Favours" not in words(forest(effect=Effect("MD", outcome="Weight", treatments=NAMES)))


def test_ratios_have_a_logarithmic_axis_around_one():
    chart = forest(effect=ODDS)
    x = axis(chart)
    assert x["scale"]["type"] == "log"
    assert 1.0 in x["axis"]["values"]
    assert drawn(chart, "null") == [{"x": 1.0}]
    first = drawn(chart)[0]
    assert first["estimate"] == pytest.approx(math.exp(-0.5))
    assert first["effect_text"] == "0.61 [0.50, 0.74]"


def test_a_far_interval_is_cut_with_an_arrow_and_written_in_full():
    frame = studies(8)
    frame.loc[7, ["estimate", "std_error"]] = [-0.4, 30.0]
    rows = drawn(forest(frame))
    wide = rows[7]
    assert wide["arrow_left"]
    assert wide["arrow_right"]
    assert wide["from"] > wide["ci_lower"]
    assert wide["effect_text"].endswith("[−59.20, 58.40]")
    assert not any(row["arrow_left"] or row["arrow_right"] for row in rows[:7])
    low, high = axis(forest(frame))["scale"]["domain"]
    assert high - low < 5


def test_an_estimate_off_the_axis_leaves_only_its_arrow():
    frame = studies(8)
    frame.loc[7, ["estimate", "std_error"]] = [40.0, 0.1]
    far = drawn(forest(frame))[7]
    assert far["arrow_right"]
    assert not far["inside"]


def test_the_axis_always_holds_no_effect():
    frame = studies(estimate=[5.0, 5.1, 5.2], std_error=0.01)
    low, high = axis(forest(frame, pooled=None))["scale"]["domain"]
    assert low < 0 < high


def test_each_subgroup_has_its_diamonds_and_its_heterogeneity():
    frame = studies(4, level=["rat", "mouse", "rat", "mouse"])
    rows = drawn(
        forest(
            frame,
            pooled=pd.DataFrame([*pooled("rat"), *pooled("mouse"), *pooled()]),
            heterogeneity=pd.DataFrame([{**SPREAD, "level": level} for level in ("rat", "mouse", None)]),
            footers=["Test for subgroup differences: Q = 4.2"],
        )
    )
    heads = [row["label"] for row in rows if row["kind"] == "header"]
    assert heads == ["rat", "mouse", "All studies"]
    assert [row["label"] for row in rows if row["kind"] == "study"] == [
        "Study 0",
        "Study 2",
        "Study 1",
        "Study 3",
    ]
    assert sum(row["kind"] == "pooled" for row in rows) == 6
    assert rows[-1]["label"] == "Test for subgroup differences: Q = 4.2"
    assert len({row["row"] for row in drawn(forest(frame), "diamonds")}) == 2


def test_what_pools_one_subgroup_of_all_studies_stands_once():
    both = pd.DataFrame([*pooled("rat"), *pooled()])

    def kinds(frame, estimates):
        rows = drawn(forest(frame, pooled=estimates, heterogeneity=estimates.assign(**SPREAD).iloc[1::2]))
        shown = [row["label"] if row["kind"] == "header" else row["kind"] for row in rows]
        return [
            kind
            for kind, before in zip(shown, [None, *shown])
            if kind != "gap" and (kind, before) != ("note",) * 2
        ]

    once = ["rat", "study", "study", "pooled", "pooled", "prediction", "note"]
    assert kinds(studies(2, level="rat"), both) == once
    assert kinds(studies(2, level="rat"), both[:2]) == once
    # A study of no subgroup, and a second subgroup that pools nothing, are in the overall result alone.
    for other in (None, "mouse"):
        assert kinds(studies(2, level=["rat", other]), both).count("pooled") == 4


def test_dots_of_risk_of_bias_stand_beside_their_study_with_their_symbol():
    rob = pd.DataFrame(
        [
            {"study": f"s{i}", "position": p, "label": f"Item {p}", "judgement": "low", "symbol": "+",
             "color": "#02C100", "color_blind_safe": "#FED98E"}
            for i in range(3) for p in (2, 1)
        ]
    )  # fmt: skip
    chart = forest(rob=rob)
    dots = drawn(chart, "risk_of_bias")
    rows = {row["study"]: row["y"] for row in drawn(chart) if row["kind"] == "study"}
    assert len(dots) == 6
    assert all(dot["y"] == rows[dot["study"]] and dot["symbol"] == "+" for dot in dots)
    assert "A Item 1; B Item 2" in " ".join(specification(chart)["title"]["subtitle"])
    assert min(dot["x"] for dot in dots) > 0


def test_every_row_of_a_study_has_its_dots():
    rob = pd.DataFrame(
        [
            {"study": "s0", "position": p, "label": f"Item {p}", "judgement": "low", "symbol": "+",
             "color": "#02C100", "color_blind_safe": "#FED98E"}
            for p in (1, 2)
        ]
    )  # fmt: skip
    frame = studies(study=["s0", "s0", "s1"], label=["S0 / a", "S0 / b", "S1"])
    chart = forest(frame, rob=rob)
    expected = [row["y"] for row in drawn(chart) if row["kind"] == "study" and row["study"] == "s0"]
    assert len(expected) == 2
    for item in ("Item 1", "Item 2"):
        assert sorted(dot["y"] for dot in drawn(chart, "risk_of_bias") if dot["item"] == item) == expected


def test_a_disagreement_settled_by_the_worst_is_marked():
    row = {"study": "s0", "position": 1, "label": "Item", "judgement": "high", "symbol": "×",
           "color": "#BF0000", "color_blind_safe": "#D95F0E", "judgements": "a: low, b: high"}  # fmt: skip
    for settled_by, marks in (("worst", 1), ("consensus", 0), ("agreement", 0), ("single", 0)):
        chart = forest(rob=pd.DataFrame([row | {"settled_by": settled_by}]))
        text = json.dumps(specification(chart))
        assert text.count('"mark": "*"') == marks
        assert ("assessors differ" in text) == bool(marks)
        assert ("a: low, b: high" in text) == bool(marks)


def test_long_names_widen_the_figure_instead_of_being_cut():
    name = "研究 Müller-Schröder α " * 3
    frame = studies(label=[name, "B", "C"])
    chart = forest(frame)
    short = forest()
    assert chart.width > short.width + 100
    assert drawn(chart)[0]["label"] == name


def test_a_hundred_and_fifty_studies_take_a_row_each():
    rows = [row for row in drawn(forest(studies(150))) if row["kind"] == "study"]
    gaps = {round(b["y"] - a["y"], 6) for a, b in pairwise(rows)}
    assert gaps == {17.0}


def test_the_table_and_the_alternative_text_say_what_is_drawn():
    chart = forest()
    assert csv_text(chart).splitlines()[0].startswith("kind,label,level,n_a,mean_a")
    description = specification(chart)["description"]
    assert "3 studies" in description
    assert "Random effects: mean difference −0.40 [−0.60, −0.20]" in description


def test_diamonds_are_cut_where_the_axis_ends():
    whole = diamond(0.0, -1.0, 1.0, (-2.0, 2.0), height=10)
    assert whole == [(-1.0, 0.0), (0.0, 10.0), (1.0, 0.0), (1.0, -0.0), (0.0, -10.0), (-1.0, -0.0)]
    cut = diamond(0.0, -1.0, 1.0, (-0.5, 2.0), height=10)
    assert cut[0] == (-0.5, 5.0)
    assert diamond(0.0, -1.0, 1.0, (3.0, 4.0)) == []


def network_rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"model": "random", "treatment": "a", "versus": "ref", "estimate": -0.2, "ci_lower": -0.5,
             "ci_upper": 0.1, "pi_lower": -1.0, "pi_upper": 0.6, "n_studies": 3},
            {"model": "random", "treatment": "ref", "versus": "b", "estimate": 0.8, "ci_lower": 0.5,
             "ci_upper": 1.1, "pi_lower": 0.1, "pi_upper": 1.5, "n_studies": 0},
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("lower", "order"), [(True, ["b", "a"]), (False, ["a", "b"])])
def test_a_network_forest_stands_best_first_and_turns_rows_to_the_reference(lower, order):
    effect = Effect("MD", outcome="Pain", lower_is_better=lower)
    rows = drawn(charts.network_forest(network_rows(), effect=effect, reference="ref"))
    assert [row["treatment"] for row in rows] == order
    turned = next(row for row in rows if row["treatment"] == "b")
    assert (turned["estimate"], turned["ci_lower"], turned["ci_upper"]) == (-0.8, -1.1, -0.5)
    assert turned["pi_text"] == "[−1.50, −0.10]"


def test_leave_one_out_and_cumulative_name_the_study():
    frame = pd.DataFrame(
        [
            {"study": "s1", "estimate": -0.4, "ci_lower": -0.6, "ci_upper": -0.2, "tau": 0.2, "i2": 0.4, "note": None},
            {"study": "s2", "estimate": None, "ci_lower": None, "ci_upper": None, "tau": None, "i2": None,
             "note": "one effect left"},
        ]
    )  # fmt: skip
    about = {"effect": LOWER, "treatment": "a", "versus": "b", "labels": {"s1": "Smith 1990"}}
    rows = drawn(charts.leave_one_out(frame, pooled=pooled()[1], **about))
    assert [row["label"] for row in rows] == ["Smith 1990", "s2", "All studies"]
    assert rows[1]["effect_text"] == "one effect left"
    assert [row["label"] for row in drawn(charts.cumulative(frame, **about))] == ["Smith 1990", "s2"]


def test_an_effect_without_an_interval_is_drawn_as_a_point_and_no_interval_is_made_up():
    frame = pd.DataFrame(
        [
            {"study": "s1", "estimate": -0.4, "ci_lower": None, "ci_upper": None, "note": "one effect"},
            {"study": "s2", "estimate": -0.5, "ci_lower": -0.7, "ci_upper": -0.3, "note": None},
        ]
    )
    rows = drawn(charts.cumulative(frame, effect=LOWER, treatment="a", versus="b"))
    assert rows[0]["effect_text"] == "−0.40 (no interval)"
    assert (rows[0]["kind"], rows[0]["estimate"]) == ("point", -0.4)
    assert rows[0]["ci_lower"] is None
    assert rows[0]["ci_upper"] is None


def test_what_all_priors_share_is_said_once():
    frame = pd.DataFrame(
        [
            {"scenario": f"tau ~ uniform(0, {top}); effects ~ normal(0, 10^2)", "treatment": "a", "versus": "b",
             "estimate": -0.4, "ci_lower": -0.6, "ci_upper": -0.2}
            for top in (2, 5)
        ]
    )  # fmt: skip
    chart = charts.prior_sensitivity(frame, effect=LOWER)
    assert [row["label"] for row in drawn(chart)[1:]] == ["τ ~ uniform(0, 2)", "τ ~ uniform(0, 5)"]
    assert "In all: effects ~ normal(0, 10²)." in " ".join(specification(chart)["title"]["subtitle"])
    assert [row["scenario"] for row in tables(chart)["rows"][1:]] == list(frame["scenario"])


def test_long_names_of_a_comparison_take_two_lines_of_their_heading():
    long = Effect("MD", treatments={"a": 12 * "long name ", "b": "Placebo"}, lower_is_better=True)
    frame = pd.DataFrame(
        [{"treatment": "a", "versus": "b", "direct": -0.9, "direct_std_error": 0.2, "indirect": -1.1,
          "indirect_std_error": 0.3, "p_value": 0.6}]
    )  # fmt: skip
    rows = drawn(charts.node_split(frame, effect=long))
    assert [row["label"] for row in rows[:3]] == [12 * "long name ", "vs Placebo", "direct"]


def test_a_figure_is_never_divided_between_a_heading_and_its_rows():
    frame = studies(4, level=["x", "x", "y", "y"])
    chart = forest(frame)
    meta = specification(chart)["usermeta"]["evidence"]
    rows = drawn(chart)
    tops = {row["y"] - 8.5: row["kind"] for row in rows}
    allowed = {kind for y, kind in tops.items() if y in meta["cuts"]}
    assert allowed == {"header", "study"}
    after_header = [b["y"] - 8.5 for a, b in pairwise(rows) if a["kind"] == "header"]
    assert not set(after_header) & set(meta["cuts"])


def test_numbers_beyond_a_million_to_one_are_written_as_bounds():
    assert ODDS.interval_text(-14.5, 16.5) == "[<0.0001, >1,000,000]"


def test_node_splits_show_direct_indirect_and_network_evidence():
    frame = pd.DataFrame(
        [{"treatment": "a", "versus": "b", "direct": -0.9, "direct_std_error": 0.2, "indirect": -1.1,
          "indirect_std_error": 0.3, "network": -1.0, "network_std_error": 0.17, "p_value": 0.6}]
    )  # fmt: skip
    rows = drawn(charts.node_split(frame, effect=LOWER))
    assert [row.get("evidence") for row in rows] == [None, "direct", "indirect", "network"]
    assert rows[0]["p_text"] == "p = 0.60"
    assert rows[1]["ci_lower"] == pytest.approx(-0.9 - 1.959964 * 0.2, abs=1e-6)


@pytest.mark.parametrize("reason", [None, "factor below 1 with few effects"])
def test_the_note_beside_a_diamond_says_what_the_page_says(reason):
    """The interval with the factor kept at 1 stands there; that nothing is concluded, only where nothing is."""
    row = {
        "model": "random", "level": "", "estimate": -1.2, "ci_lower": -1.4, "ci_upper": -1.0,
        "adhoc_lower": -1.5, "adhoc_upper": -0.9, "pi_lower": None, "pi_upper": None, "no_verdict": reason,
    }  # fmt: skip
    notes = [
        r["label"] for r in _summary([row], [], Effect("MD", outcome="HbA1c"), 2, None) if r["kind"] == "note"
    ]
    assert "Hartung-Knapp factor kept at 1" in notes[0]
    assert notes[0].startswith("No conclusion is drawn") == (reason is not None)
