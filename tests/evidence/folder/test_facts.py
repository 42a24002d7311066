"""The one home of facts: what stands in the reference tables, typed, complete, and raising for what is not there."""

from __future__ import annotations

import math

import pytest

from evidence import facts
from evidence.errors import CallError
from evidence.folder.layout import KINDS


def test_every_kind_of_outcome_has_one_usual_measure():
    for kind in KINDS:
        assert len([m for m in facts.measures(kind=kind) if m.default_of_kind]) == 1
    assert [facts.default_measure(kind).code for kind in KINDS] == ["MD", "OR", "IRR", "HR"]
    with pytest.raises(CallError, match=r"no kind of outcome 'ordinal'.*continuous"):
        facts.default_measure("ordinal")


def test_ratios_are_analysed_as_logarithms_and_nothing_else_is():
    ratios = {measure.code for measure in facts.measures() if measure.is_ratio}
    assert ratios == {"ROM", "OR", "RR", "IRR", "HR", "PETO"}
    for measure in facts.measures():
        assert measure.shown(0) == measure.null
        assert measure.stored(measure.shown(0.3)) == pytest.approx(0.3)
    assert facts.measure("PETO").shown(math.log(2)) == pytest.approx(2)


def test_units_of_measures():
    assert {m.code: m.unit_of("mmol/L") for m in facts.measures() if m.unit_of("mmol/L")} == {
        "MD": "mmol/L", "NMD": "%",
    }  # fmt: skip
    assert facts.measure("OR").unit_of_analysis("x") == "(log OR)"
    assert facts.measure("SMD").unit_of_analysis("x") == "(standard deviations)"
    assert facts.measure("MD").unit_of_analysis(None) == ""


def test_direction_is_the_outcomes_the_measures_or_the_events():
    row = {"lower_is_better": True, "event_is_bad": False}
    assert facts.measure("MD").lower_is_better(row) is True
    assert facts.measure("NMD").lower_is_better(row) is False
    assert facts.measure("HR").lower_is_better(row) is False
    assert facts.measure("HR").lower_is_better({"lower_is_better": True, "event_is_bad": None}) is None
    assert facts.measure("RR").lower_is_better({"lower_is_better": float("nan")}) is None


@pytest.mark.parametrize(
    ("measure", "none", "every", "usual"),
    [
        ("OR", False, False, True),
        ("RR", False, True, True),
        ("RD", True, True, True),
        ("IRR", False, True, True),
    ],
)
def test_what_two_arms_without_or_with_events_only_tell(measure, none, every, usual):
    tells = facts.measure(measure).tells
    assert (tells(0, 20, 0, 22), tells(20, 20, 22, 22), tells(3, 20, 0, 22)) == (none, every, usual)
    assert tells(20, 20, 20, 22)


def test_an_unknown_measure_is_answered_by_a_list_and_never_by_another_measure():
    with pytest.raises(CallError) as error:
        facts.measure("ZOR")
    assert error.value.message.startswith("There is no effect measure 'ZOR'. There are: MD, SMD, ")
    assert "?." not in error.value.message
    assert "mean" not in error.value.message
    with pytest.raises(CallError, match="Write 'OR': the two differ only by upper and lower case"):
        facts.measure("or")


def test_a_review_holds_measures_with_arms_or_contrasts():
    assert facts.review_measure("HR").label == "hazard ratio"
    with pytest.raises(CallError, match=r"no correlation, Fisher's z \(ZCOR\).*Python.*holds: MD, SMD"):
        facts.review_measure("ZCOR")


def test_smd_is_named_by_the_form_that_was_computed():
    assert facts.measure("SMD", "g").title == "Standardised mean difference (Hedges' g)"
    assert facts.measure("SMD", "d").form_name == "Cohen's d"
    assert facts.measure("MD", "d") is facts.measure("MD")
    with pytest.raises(CallError, match=r"no form of SMD 'e'.*g, d"):
        facts.measure("SMD", "e")


def test_engines_say_how_they_rank_and_what_their_intervals_are():
    found = {engine.code: (engine.interval, engine.score_label) for engine in facts.engines()}
    assert found == {
        "frequentist": ("CI", "P-score"),
        "exact": ("CrI", "SUCRA"),
        "counts": ("CrI", "SUCRA"),
        "mcmc": ("CrI", "SUCRA"),
    }
    assert facts.default_engine() == "frequentist"
    assert not facts.engine("frequentist").bayesian
    with pytest.raises(CallError, match=r"no engine 'stan'. There are: frequentist, exact, counts, mcmc"):
        facts.engine("stan")


def test_units_of_time_are_read_in_any_usual_spelling():
    assert [facts.time_unit(word).code for word in ("h", "hours", "Days", "wk", "weeks", "months", "y")] == [
        "h", "h", "d", "wk", "wk", "mo", "a",
    ]  # fmt: skip
    assert facts.time_unit("h").days * 24 == pytest.approx(1, rel=1e-15)
    with pytest.raises(CallError, match=r"no unit of time 'mmol'. There are: s, min, h, d"):
        facts.time_unit("mmol")


def test_names_in_other_tools_lead_there_and_back():
    for tool in ("metafor", "meta", "netmeta", "stata", "revman"):
        for code, name in facts.names_in(tool).items():
            # netmeta has no NMD: it is a difference, and prints as one.
            assert facts.read_name(tool, name) == ("MD" if (tool, code) == ("netmeta", "NMD") else code)
    assert facts.read_name("revman", "PETO_OR") == facts.read_name("revman", "peto odds ratio") == "OR"
    assert facts.read_name("revman", "Kappa") is None
    assert facts.name_in("revman", "NMD") is None
    with pytest.raises(CallError, match="no tool 'spss'"):
        facts.names_in("spss")
