"""The first sentences of a report: who was better, by how much, and which treatment is best only if intervals say so."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.charts.base.effect import Effect
from analysis.report.conclusion import listed, network_conclusion, pairwise_conclusion
from analysis.report.links import Links, as_text
from analysis.report.sections.answer import printed_conclusion
from analysis.results import frame
from evidence.results import Run

NAMES = {"a": "Alpha", "b": "Beta", "c": "Control"}
SIZE = "4 studies with 80 animals"


def estimate(treatment, versus, effect, lower, upper, **row) -> dict:
    return {"engine": "frequentist", "model": "random", "treatment": treatment, "versus": versus, "estimate": effect,
            "std_error": (upper - lower) / 3.92, "ci_lower": lower, "ci_upper": upper, "evidence": "direct"} | row  # fmt: skip


def pairwise(
    effect, lower, upper, *, lower_is_better=True, important=None, unit="U/L", measure="MD", **row
) -> str:
    run = Run(
        kind="pairwise", engine="frequentist", outcome="y", measure=measure, scale="additive", specification={},
        input_hash="", lower_is_better=lower_is_better, treatment="a", versus="c", n_studies=4, unit=unit,
        frames={"estimates": frame("estimates", [estimate("a", "c", effect, lower, upper, **row)])},
    )  # fmt: skip
    return as_text(pairwise_conclusion(run, Effect.of_run(run.row(), "ALT", NAMES), Links(), SIZE, important))


def network(rows, scores=None, *, lower_is_better=True, important=None) -> str:
    ranking = [
        {"engine": "frequentist", "model": "random", "treatment": t, "p_score": s}
        for t, s in (scores or {}).items()
    ]
    run = Run(
        kind="network", engine="frequentist", outcome="y", measure="MD", scale="additive", specification={},
        input_hash="", lower_is_better=lower_is_better, reference="c", n_studies=4, n_treatments=3, unit="U/L",
        frames={
            "estimates": frame("estimates", [estimate(*row, evidence="network") for row in rows]),
            "ranking": frame("ranking", ranking),
        },
    )  # fmt: skip
    return as_text(network_conclusion(run, Effect.of_run(run.row(), "ALT", NAMES), Links(), SIZE, important))


def test_a_pairwise_conclusion_says_who_by_how_much_in_what_unit_on_how_many():
    assert pairwise(-12, -20, -4) == (
        "In 4 studies with 80 animals, Alpha was better than Control: mean difference −12.0 U/L (95% CI −20.0 to −4.0), "
        "lower is better. The interval excludes no effect."
    )
    assert pairwise(-12, -20, -4, lower_is_better=False) == (
        "In 4 studies with 80 animals, Alpha was worse than Control: mean difference −12.0 U/L (95% CI −20.0 to −4.0), "
        "higher is better. The interval excludes no effect."
    )
    assert "could not be told apart" in pairwise(-12, -25, 1)
    assert "Alpha and Control differed" in pairwise(-12, -20, -4, lower_is_better=None)
    assert "does not say which direction is better" in pairwise(-12, -20, -4, lower_is_better=None)


def test_no_conclusion_is_drawn_where_none_may_be():
    text = pairwise(-12, -20, -4, no_verdict="the effects agree by chance")
    assert text.startswith("No conclusion is drawn on Alpha versus Control")
    assert "better than" not in text
    # The conclusion is that of the wider interval, and says so.
    text = pairwise(-12, -20, -4, adhoc_lower=-30.0, adhoc_upper=6.0)
    assert "could not be told apart" in text
    assert "The interval with the Hartung-Knapp factor kept at 1 includes no effect" in text


@pytest.mark.parametrize(
    ("interval", "said"),
    [((-20, -12), "and every value in it is at least the smallest important difference (10 U/L)"),
     ((-20, -4), "but benefits smaller than the smallest important difference (10 U/L) are within it"),
     ((-9, -4), "but every value in it is smaller than the smallest important difference (10 U/L)"),
     ((4, 20), "but harms smaller than the smallest important difference (10 U/L) are within it"),
     ((-9, 9), "and no difference as large as the smallest important difference (10 U/L)"),
     ((-12, 2), "and benefits of at least the smallest important difference (10 U/L)"),
     ((-2, 12), "and harms of at least the smallest important difference (10 U/L)"),
     ((-12, 12), "and benefits and harms of at least the smallest important difference (10 U/L)")],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_an_interval_is_held_against_the_smallest_important_difference(interval, said, turned):
    lower, upper = (-interval[1], -interval[0]) if turned else interval
    text = pairwise((lower + upper) / 2, lower, upper, lower_is_better=not turned, important=10.0)
    assert text.endswith(f"no effect, {said}.")


limits = st.tuples(st.floats(-9, 9), st.floats(0.01, 9)).map(
    lambda pair: (pair[0] - pair[1], pair[0] + pair[1])
)


@settings(max_examples=40, deadline=None)
@given(limits, st.booleans())
def test_better_is_said_of_the_one_whom_the_whole_interval_favours(interval, lower_is_better):
    lower, upper = interval
    text = pairwise((lower + upper) / 2, lower, upper, lower_is_better=lower_is_better)
    for word, beyond in (("better", upper < 0), ("worse", lower > 0)):
        said = f"Alpha was {word if lower_is_better else {'better': 'worse', 'worse': 'better'}[word]} than"
        assert (said in text) == beyond
    # Turned round and read the other way, every word stays; a unit a thousand times as large changes none.
    words = re.sub(r"[−\d.,]+", "#", text).replace("lower is", "higher is")
    mirrored = pairwise(-(lower + upper) / 2, -upper, -lower, lower_is_better=not lower_is_better)
    assert re.sub(r"[−\d.,]+", "#", mirrored).replace("lower is", "higher is") == words


PAIRS = [("a", "c", -9, -12, -6), ("b", "c", -4, -7, -1), ("a", "b", -5, -8, -2)]


def test_the_best_treatment_is_named_only_by_its_intervals_against_all_others():
    scores = {"a": 0.99, "b": 0.5, "c": 0.01}
    text = network(PAIRS, scores)
    assert text.startswith(
        "The best is Alpha (P-score 99%) with a mean difference −9.0 U/L (95% CI −12.0 to −6.0) against Control: its "
        "interval against each of the others excludes no effect."
    )
    assert "Against Control, 2 of 2 treatments were better (4 studies with 80 animals)." in text
    overlap = [*PAIRS[:2], ("b", "a", 5, -1, 11)]  # kept the other way round
    text = network(overlap, scores)
    assert text.startswith("No single best treatment can be named: Alpha ranked first")
    assert "is not shown to be better than Beta." in text
    # A comparison that was not estimated shows nothing.
    assert "not shown to be better than Beta" in network(PAIRS[:2], scores)
    # The same numbers where more is better: the order and the words turn round.
    text = network(PAIRS, {"a": 0.01, "b": 0.5, "c": 0.99}, lower_is_better=False)
    assert text.startswith("The best is Control (P-score 99%): its interval against each")
    assert "none of 2 treatments were better; 2 were worse" in text


def test_without_a_direction_or_a_ranking_no_treatment_is_best():
    assert "best" not in network(PAIRS, lower_is_better=None)
    assert "excludes no effect for 2 of 2 treatments" in network(PAIRS, lower_is_better=None)
    assert "best" not in network(PAIRS)
    assert "(1 of them by at least the smallest important difference)" in network(PAIRS, important=5.0)


def test_long_lists_of_names_are_counted():
    assert listed(["A"]) == "A"
    assert listed(["A", "B", "C"]) == "A, B or C"
    assert listed(list("ABCDE")) == "A, B or 3 others"


def test_a_printed_league_table_names_a_best_treatment_only_by_its_intervals():
    effect = Effect("MD", "ALT", "U/L", True, NAMES)
    ranking = [{"treatment": t, "n_incoherent": 0} for t in "abc"]
    cells = [
        {"treatment": "a", "versus": v, "estimate": -9, "ci_lower": -12, "ci_upper": u, "versus_role": role}
        for v, u, role in (("b", -1, "active"), ("c", -6, "control"))
    ]
    text = printed_conclusion(effect, "a", ranking, cells)
    assert text.startswith("As printed, Alpha is better than each of the other 2 treatments")
    assert "−9.0 U/L (95% CI −12.0 to −6.0) against Control" in text
    cells[0]["ci_upper"] = 1
    assert "do not show it to be better than Beta." in printed_conclusion(effect, "a", ranking, cells)
    incoherent = [row | {"n_incoherent": 2} for row in ranking]
    assert printed_conclusion(effect, "a", incoherent, cells).endswith("no ranking can be relied on.")
    assert "Alpha" not in printed_conclusion(effect, "a", incoherent, cells)
