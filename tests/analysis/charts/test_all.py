"""Every chart: valid against the Vega-Lite schema, described, with its table, small enough for Altair."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import pandas as pd
import pytest
from altair.utils.schemapi import debug_mode

from analysis import charts
from analysis.charts.base.effect import Effect
from analysis.charts.flow import prisma_flow
from analysis.charts.registry import CHARTS
from analysis.plot.gallery import drawings


@pytest.fixture(autouse=True)
def _checked_once():
    """Altair checks each part as it is made; the whole specification is checked in one test for every chart."""
    with debug_mode(False):
        yield


NAMES = {"a": "Drug α", "b": "药物 B", "c": "Placebo"}
EFFECT = Effect("OR", outcome="Death", lower_is_better=True, treatments=NAMES)
PAIRS = [("a", "b"), ("a", "c"), ("b", "c")]


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def estimates() -> pd.DataFrame:
    return frame(
        {"model": "random", "treatment": a, "versus": b, "estimate": -0.4 * i, "ci_lower": -0.4 * i - 0.3,
         "ci_upper": -0.4 * i + 0.3, "pi_lower": -2.0, "pi_upper": 1.5, "n_studies": i, "evidence": "network"}
        for i, (a, b) in enumerate(PAIRS)
    )  # fmt: skip


def studies(k: int = 6) -> pd.DataFrame:
    draw = random.Random(1)
    return frame(
        {"study": f"s{i}", "treatment": PAIRS[i % 3][0], "versus": PAIRS[i % 3][1], "x": 1990.0 + i,
         "estimate": draw.gauss(-0.3, 0.2), "std_error": 0.1 + 0.05 * i, "centre": -0.3, "weight": 1.0 + i,
         "weight_random": 1.0 + i, "events_a": 3, "n_a": 30, "events_b": 5, "n_b": 31}
        for i in range(k)
    )  # fmt: skip


def rob() -> pd.DataFrame:
    return frame(
        {"study": f"s{i}", "tool": "SYRCLE", "position": p, "domain": "selection", "label": f"Item {p}",
         "judgement": j, "judgement_label": j, "severity": k, "symbol": s, "color": c, "color_blind_safe": "#FE9929"}
        for i in range(4) for p in (1, 2)
        for k, j, s, c in [[(1, "low", "+", "#02C100"), (3, "high", "×", "#BF0000")][(i + p) % 2]]
    )  # fmt: skip


def ranks() -> tuple[pd.DataFrame, pd.DataFrame]:
    chances = {"a": (0.7, 0.2, 0.1), "b": (0.2, 0.6, 0.2), "c": (0.1, 0.2, 0.7)}
    probabilities = frame(
        {"treatment": t, "rank": r, "probability": p}
        for t, row in chances.items()
        for r, p in enumerate(row, 1)
    )
    ranking = frame(
        {
            "treatment": t,
            "sucra": (2 * row[0] + row[1]) / 2,
            "mean_rank": sum(r * p for r, p in enumerate(row, 1)),
        }
        for t, row in chances.items()
    )
    return probabilities, ranking


def draws(n: int = 900) -> pd.DataFrame:
    draw = random.Random(2)
    return frame(
        {"parameter": p, "chain": c, "iteration": i, "value": draw.gauss(0, 1)}
        for p in ("tau", "d") for c in (1, 2) for i in range(n)
    )  # fmt: skip


FLOW = frame(
    {"box": box, "n": n, "reason": reason, "origin": "typed", "label": box, "section": "x", "position": 1}
    for box, n, reason in [
        ("database_results", 4211, None), ("duplicates", 211, None), ("records_screened", 4000, None),
        ("records_excluded", 3900, None), ("dbr_assessed", 100, None), ("dbr_excluded", 11, "No control group"),
        ("new_studies", 89, None),
    ]
)  # fmt: skip

# Small rows for tests that ask what is drawn; a chart without any here is held to its drawing in the gallery.
EXAMPLES = {
    "forest": lambda: charts.forest(studies(), effect=EFFECT, treatment="a", versus="c", rob=rob()),
    "network_forest": lambda: charts.network_forest(estimates(), effect=EFFECT, reference="c", ranking=ranks()[1]),
    "summary_forest": lambda: charts.summary_forest(
        estimates().assign(label="Drug α"), effect=EFFECT, sides=("treatment", "Placebo"), title="Death"
    ),
    "leave_one_out": lambda: charts.leave_one_out(
        estimates().assign(study="s", tau=0.1, i2=0.2, note=None), effect=EFFECT, treatment="a", versus="c"
    ),
    "cumulative": lambda: charts.cumulative(
        estimates().assign(study="s", tau=0.1, i2=0.2, note=None), effect=EFFECT, treatment="a", versus="c"
    ),
    "specification_curve": lambda: charts.specification_curve(
        frame([{"cell": i, "planned": i == 1, "measure": "OR", "treatment": "a", "versus": "c", "estimate": -0.1 * i,
                "ci_lower": -0.1 * i - 0.3, "ci_upper": -0.1 * i + 0.3, "sucra": 0.5,
                "conclusion": "below" if i > 3 else "not clear"} for i in range(1, 6)]),
        frame([{"cell": i, "choice": "c", "level": str(i), "position": i} for i in range(1, 6)]),
        effect=EFFECT, treatment="a", versus="c",
    ),
    "sequential_bounds": lambda: charts.sequential_bounds(
        [{"look": "2001", "n": 40.0, "information_fraction": 0.2, "z": 1.2, "bound": 4.88, "futility": None},
         {"look": "2004", "n": 120.0, "information_fraction": 0.6, "z": 3.1, "bound": 2.68, "futility": 0.4}],
        required={"information_required": 200.0, "diversity": 0.25, "alpha": 0.05, "power": 0.9, "last_bound": 1.98},
        title="Death: repeated looks",
    ),
    "node_split": lambda: charts.node_split(
        frame([{"treatment": "a", "versus": "c", "direct": -0.5, "direct_std_error": 0.2, "indirect": -0.4,
                "indirect_std_error": 0.3, "p_value": 0.7}]), effect=EFFECT
    ),
    "prior_sensitivity": lambda: charts.prior_sensitivity(estimates().assign(scenario="uniform(0, 2)"), effect=EFFECT),
    "funnel": lambda: charts.funnel(studies(), effect=EFFECT, pooled=-0.3),
    "comparison_adjusted_funnel": lambda: charts.comparison_adjusted_funnel(
        studies(), effect=EFFECT, order=["a", "b", "c"]
    ),
    "network_diagram": lambda: charts.network_diagram(
        frame({"treatment": t, "n_studies": 2, "n_participants": 20} for t in NAMES),
        frame({"treatment_a": a, "treatment_b": b, "n_studies": 2} for a, b in PAIRS), labels=NAMES,
        multi_arm=[list(NAMES)],
    ),
    "league": lambda: charts.league(estimates(), estimates(), effect=EFFECT, order=list(NAMES)),
    "rankogram": lambda: charts.rankogram(*ranks(), labels=NAMES),
    "cumulative_ranking": lambda: charts.cumulative_ranking(*ranks(), labels=NAMES),
    "rank_heat_plot": lambda: charts.rank_heat_plot(
        pd.concat([ranks()[1].assign(outcome=o) for o in ("alt", "ast")]), labels=NAMES
    ),
    "net_heat": lambda: charts.net_heat(
        frame({"design": a, "detached": b, "contribution": 0.5, "change": (-1) ** i * 2.0}
              for i, (a, b) in enumerate([("d", "d"), ("d", "e"), ("e", "d"), ("e", "e")]))
    ),
    "contributions": lambda: charts.contributions(
        frame({"estimate": e, "source": s, "share": 0.5} for e in ("x", "y") for s in ("1", "2", "3"))
    ),
    "leverage": lambda: charts.leverage(frame([{"study": "s", "deviance": 4.0, "leverage": 0.8, "sign": -1}])),
    "posterior_density": lambda: charts.posterior_density(
        frame({"parameter": "d", "value": v / 10, "density": math.exp(-v * v / 200), "prior": 0.1, "ci_lower": -1.0,
               "ci_upper": 1.0} for v in range(-30, 31)), effect=EFFECT
    ),
    "trace": lambda: charts.trace(draws()),
    "rank_trace": lambda: charts.rank_trace(draws()),
    "psrf": lambda: charts.psrf(
        frame({"parameter": "tau", "iteration": 50 * i, "psrf": 1 + 1 / i, "psrf_upper": 1.2} for i in range(1, 20))
    ),
    "bubble": lambda: charts.bubble(
        studies(), frame({"x": x, "estimate": -0.3, "ci_lower": -0.5, "ci_upper": -0.1} for x in (1990.0, 1995.0)),
        effect=EFFECT, covariate="Year",
    ),
    "baujat": lambda: charts.baujat(frame({"study": f"s{i}", "contribution": i, "influence": i / 9} for i in range(5))),
    "gosh": lambda: charts.gosh(
        frame({"estimate": -0.3 + i / 1e5, "i2": 0.5, "contains": i % 2 == 0} for i in range(9000)), effect=EFFECT,
        study="Smith 1990",
    ),
    "traffic_light": lambda: charts.traffic_light(rob(), labels={"s1": "Smith 1990"}),
    "rob_summary": lambda: charts.rob_summary(
        frame([{"tool": "SYRCLE", "position": 1, "label": "Item 1", "judgement": "low", "severity": 1, "n": 3,
                "share": 0.75, "weighted_share": 0.9, "symbol": "+", "color": "#02C100", "color_blind_safe": "#FED98E"},
               {"tool": "SYRCLE", "position": 1, "label": "Item 1", "judgement": "high", "severity": 3, "n": 1,
                "share": 0.25, "weighted_share": 0.1, "symbol": "×", "color": "#BF0000",
                "color_blind_safe": "#D95F0E"}])
    ),
    "evidence_map": lambda: charts.evidence_map(
        frame({"treatment": t, "outcome": o, "n_studies": i + 1, "n_participants": 9}
              for i, t in enumerate(NAMES) for o in ("alt", "ast")), treatments=NAMES
    ),
    "missing_data_map": lambda: charts.missing_data_map(frame([{"study": "s", "outcome": "alt", "status": "used"}])),
    "prisma_flow": lambda: prisma_flow(FLOW),
}  # fmt: skip


def test_the_registry_is_the_list_of_charts_for_the_face_and_the_gallery():
    assert set(EXAMPLES) <= set(CHARTS) <= set(charts.__all__)
    for name, entry in CHARTS.items():
        assert getattr(charts, name).__wrapped__ is entry.function
        assert callable(getattr(import_module(f"analysis.plot.{entry.room}"), name))
    assert list(drawings.EXAMPLES) == list(CHARTS)


def test_to_ask_for_the_list_of_charts_loads_nothing_heavy():
    heavy = "{'altair', 'pandas', 'numpy', 'scipy', 'vl_convert'}"
    code = f"import sys, analysis.charts; analysis.charts.__all__; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_chart_is_valid_described_and_brings_the_table_it_draws(name, check_chart):
    check_chart(name, EXAMPLES[name]())


def data(name: str, table: str) -> list[dict]:
    return EXAMPLES[name]().to_dict()["datasets"][table]


def layers(name: str) -> list[dict]:
    return EXAMPLES[name]().to_dict()["layer"]


def test_funnels_have_the_standard_error_downwards():
    for name in ("funnel", "comparison_adjusted_funnel"):
        encodings = [part.get("encoding", {}).get("y", {}) for part in layers(name)]
        scales = [y["scale"] for y in encodings if y.get("scale")]
        low, high = scales[0]["domain"]
        assert low > high == 0


def test_contours_of_a_funnel_meet_at_no_effect():
    corners = [row for row in data("funnel", "contours") if row["shade"] == 2]
    assert corners[0] == {"shade": 2, "order": 0, "x": 1.0, "y": 0.0, "color": corners[0]["color"]}
    deepest = corners[1]["y"]
    assert math.log(corners[1]["x"]) / deepest == pytest.approx(1.959964, abs=1e-6)


def test_a_comparison_adjusted_funnel_needs_and_states_its_order():
    chart = EXAMPLES["comparison_adjusted_funnel"]()
    assert "Drug α, 药物 B, Placebo" in " ".join(chart.to_dict()["title"]["subtitle"])
    back = charts.comparison_adjusted_funnel(studies(), effect=EFFECT, order=["c", "b", "a"])
    forward = {row["study"]: row["stored"] for row in data("comparison_adjusted_funnel", "studies")}
    assert {row["study"]: -row["stored"] for row in back.to_dict()["datasets"]["studies"]} == forward
    with pytest.raises(ValueError, match="does not name 'c'"):
        charts.comparison_adjusted_funnel(studies(), effect=EFFECT, order=["a", "b"])


def test_rank_panels_stand_best_first_and_accumulate():
    rows = data("cumulative_ranking", "ranks")
    assert list(dict.fromkeys(row["treatment"] for row in rows)) == ["a", "b", "c"]
    assert [row["cumulative"] for row in rows if row["treatment"] == "a"] == pytest.approx([0.7, 0.9, 1.0])
    bars = data("rankogram", "ranks")
    heights = {row["rank"]: row["y2"] - row["y"] for row in bars if row["treatment"] == "a"}
    assert heights[1] / heights[2] == pytest.approx(0.7 / 0.2)


def test_net_heat_is_red_where_inconsistency_rises_and_blue_where_it_falls():
    cells = data("net_heat", "designs")
    assert [cell["color"] for cell in cells] == ["#b2182b", "#2166ac", "#b2182b", "#2166ac"]
    assert len({cell["area"] for cell in cells}) == 1


def test_net_heat_puts_designs_that_act_alike_together_and_leaves_out_what_nothing_contradicts():
    change = {("a", "a"): 9.0, ("a", "c"): 8.0, ("c", "a"): 8.0, ("c", "c"): 9.0}
    rows = [
        {"design": d, "detached": e, "contribution": 0.2,
         "change": None if e == "d" else change.get((d, e), 0.0)}
        for d in "abcd" for e in "abcd"
    ]  # fmt: skip
    chart = charts.net_heat(frame(rows))
    designs = list(dict.fromkeys(row["design"] for row in chart.to_dict()["datasets"]["designs"]))
    assert set(designs) == {"a", "b", "c"}
    drawn = {row["design"]: row["y"] for row in chart.to_dict()["datasets"]["designs"]}
    assert abs(drawn["a"] - drawn["c"]) == min(abs(drawn["a"] - drawn["c"]), abs(drawn["b"] - drawn["c"]))
    assert "Left out: 1 design that nothing can contradict" in " ".join(chart.to_dict()["title"]["subtitle"])


def test_names_beside_a_plot_never_overlap_and_lead_to_their_points():
    name = "Mesenchymal stem cells of the umbilical cord, intravenous α 间充质"
    chart = charts.leverage(
        frame(
            {"study": f"s{i}", "label": f"{name} {i}", "deviance": 4.0, "leverage": 0.5 + i / 1000}
            for i in range(20)
        )
    )
    sets = chart.to_dict()["datasets"]
    ys = sorted(row["y"] for row in sets["names"])
    assert all(b - a >= 13 for a, b in pairwise(ys))
    assert all(row["x"] > 400 for row in sets["names"])
    assert len(sets["name_lines"]) == 12
    assert "The 12 furthest of 20 studies" in " ".join(chart.to_dict()["title"]["subtitle"])


def test_posteriors_of_one_measure_share_an_axis_and_the_line_at_no_effect():
    spec = EXAMPLES["posterior_density"]().to_dict()
    assert spec["resolve"]["scale"]["x"] == "shared"
    assert spec["datasets"]["null"] == [{"x": 1.0}]


def test_a_long_order_of_treatments_is_listed_beside_the_funnel():
    names = {f"t{i}": f"A treatment with a long name, number {i}" for i in range(30)}
    rows = [{"study": f"s{i}", "treatment": f"t{i % 30}", "versus": f"t{(i * 7 + 1) % 30}", "estimate": 0.1 * i,
             "std_error": 0.2, "centre": 0.0} for i in range(60)]  # fmt: skip
    effect = Effect("MD", outcome="ALT", lower_is_better=True, treatments=names)
    spec = charts.comparison_adjusted_funnel(
        frame(row for row in rows if row["treatment"] != row["versus"]), effect=effect, order=list(names)
    ).to_dict()
    caption = " ".join(spec["title"]["subtitle"])
    if "order" in spec["datasets"]:
        assert [row["text"] for row in spec["datasets"]["order"]][:2] == [
            f"{i + 1}. {names[f't{i}']}" for i in (0, 1)
        ]
        assert "of the list on the right" in caption
    else:
        assert "in this order" in caption
    assert names["t29"] in spec["description"]


def test_studies_beyond_the_third_parabola_are_named():
    chart = EXAMPLES["leverage"]()
    assert "beyond 3: s." in chart.to_dict()["description"]
    assert data("leverage", "studies")[0]["x"] == -2.0


def test_the_parabolas_of_a_leverage_plot_are_those_of_one_data_point():
    # A perfect fit of a study of three arms: two contrasts with a deviance of 0.95 and a leverage of 0.8 each.
    fits = {"study": "three", "deviance": 1.9, "leverage": 1.6, "data_points": 2}
    badly = {"study": "bad", "deviance": 9.0, "leverage": 1.6, "data_points": 2}
    spec = charts.leverage(frame([fits, badly])).to_dict()
    points = {row["study"]: row for row in spec["datasets"]["studies"]}
    assert (points["three"]["far"], points["bad"]["far"]) == (False, True)
    assert points["three"]["x"] == pytest.approx(0.95**0.5)
    assert points["three"]["y"] == pytest.approx(0.8)
    assert "beyond 3: bad." in spec["description"]
    # Each parabola is numbered where it meets the axis; the one that studies are held against is red, as they are.
    curves = spec["datasets"]["parabolas"]
    assert all(row["y"] == pytest.approx(row["c"] - row["x"] ** 2) for row in curves)
    assert {row["c"] for row in curves if row["color"] == points["bad"]["color"]} == {3}
    feet = {row["text"]: row["x"] ** 2 for row in spec["datasets"]["feet"]}
    assert feet == pytest.approx({"1": 1, "2": 2, "3": 3, "4": 4})
    assert "Studies beyond 3" in " ".join(spec["title"]["subtitle"])
    assert "No study is beyond 3" in " ".join(charts.leverage(frame([fits])).to_dict()["title"]["subtitle"])


def test_a_summary_of_risk_of_bias_says_whether_it_is_weighted():
    unweighted = EXAMPLES["rob_summary"]().to_dict()
    assert "not weighted" in unweighted["title"]["subtitle"][0]
    assert [row["share"] for row in unweighted["datasets"]["judgements"]] == [0.75, 0.25]


def test_symbols_stand_in_every_dot_and_either_palette_colours_it():
    dots = data("traffic_light", "judgements")
    assert {(dot["judgement"], dot["symbol"], dot["color"]) for dot in dots} == {
        ("low", "+", "#02C100"), ("high", "×", "#BF0000"),
    }  # fmt: skip
    safe = charts.traffic_light(rob(), palette="color_blind_safe").to_dict()["datasets"]["judgements"]
    assert {dot["color"] for dot in safe} == {"#FE9929"}


def texts(flow: pd.DataFrame) -> list[str]:
    return [row["text"].replace("\xa0", " ") for row in prisma_flow(flow).to_dict()["datasets"]["texts"]]


def test_the_flow_counts_reasons_and_leaves_empty_branches_out():
    said = texts(FLOW)
    assert "Databases (n = 4,211)" in said
    assert "Reports excluded (n = 11):" in said
    assert "No control group (n = 11)" in said
    assert "Studies included in review (n = 89)" in said
    heads = " ".join(row["text"] for row in prisma_flow(FLOW).to_dict()["datasets"]["heads"])
    assert "databases and registers" in heads
    assert "other methods" not in heads
    assert "Previous" not in heads


def test_a_flow_with_all_branches_has_three_columns_in_order():
    more = frame(
        {"box": box, "n": 2, "reason": None, "origin": "typed"}
        for box in ("previous_studies", "website_results", "other_assessed", "total_studies")
    )
    spec = prisma_flow(pd.concat([FLOW, more])).to_dict()
    heads = {row["text"]: row["x"] for row in spec["datasets"]["heads"]}
    columns = ["Previous", "databases", "other"]
    places = [next(x for text, x in heads.items() if column in text) for column in columns]
    assert places == sorted(places)
    assert any("New studies" in row["text"] for row in spec["datasets"]["texts"])
    boxes = spec["datasets"]["boxes"]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a["x2"] <= b["x"] or b["x2"] <= a["x"] or a["y2"] <= b["y"] or b["y2"] <= a["y"]


def test_a_count_that_is_not_known_is_said_to_be_missing():
    flow = FLOW.copy()
    flow["n"] = flow["n"].astype("float")
    flow.loc[flow["box"] == "records_screened", "n"] = float("nan")
    assert "Records screened (n not reported)" in texts(flow)


def test_gaps_in_the_evidence_stay_empty():
    chart = charts.evidence_map(
        frame([{"treatment": "a", "outcome": "alt", "n_studies": 4, "n_participants": 9},
               {"treatment": "b", "outcome": "ast", "n_studies": 1, "n_participants": 9}])
    )  # fmt: skip
    rows = chart.to_dict()["datasets"]["evidence"]
    assert len(rows) == 2
    assert rows[0]["area"] == 4 * rows[1]["area"]
    assert "2 combinations without evidence" in chart.description


def test_long_chains_are_thinned_and_the_caption_says_so():
    chart = charts.trace(draws(), most=100)
    assert "One draw in 9 of 900" in " ".join(chart.to_dict()["title"]["subtitle"])
    assert len(chart.to_dict()["datasets"]["draws"]) == 400


def test_years_are_written_without_a_thousands_mark():
    x = next(part["encoding"]["x"] for part in layers("bubble") if "axis" in part["encoding"].get("x", {}))
    assert x["axis"]["format"] == "d"


def test_an_interval_whose_ends_cannot_be_printed_is_not_printed_as_if_they_were():
    row = {
        "study": "s",
        "estimate": 0.5,
        "ci_lower": -40.0,
        "ci_upper": 41.0,
        "tau": 0.1,
        "i2": 0.2,
        "note": None,
    }
    rows = [row, row | {"ci_lower": 0.1, "ci_upper": 0.9}]
    chart = charts.cumulative(frame(rows), effect=EFFECT, treatment="a", versus="c").to_dict()
    assert [row["effect_text"] for row in chart["datasets"]["rows"]] == [
        "1.65 (interval without use)",
        "1.65 [1.11, 2.46]",
    ]


def test_a_rank_plot_says_which_ranks_its_axis_spans():
    x = EXAMPLES["rank_trace"]().to_dict()["concat"][0]["layer"][0]["encoding"]["x"]
    assert x["scale"]["domain"] == [0, 20]
    assert x["axis"]["values"] == [0, 10, 20]
    assert "* 90," in x["axis"]["labelExpr"]


@pytest.mark.parametrize(("highest", "top"), [(0.08, "10%"), (0.52, "60%"), (0.97, "100%")])
def test_the_scale_of_a_rankogram_ends_just_above_its_highest_bar(highest, top):
    probabilities = frame(
        {"treatment": "a", "rank": r, "probability": p} for r, p in enumerate((highest, 0.05), 1)
    )
    assert f'"{top}"' in json.dumps(charts.rankogram(probabilities).to_dict()["datasets"], ensure_ascii=False)
