"""Sentences of the report say what their numbers say: checked on random data, under units, names and directions."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import network, pairwise
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import figures, p_value, percent
from analysis.described import Described
from analysis.pairwise.data.assembly import DEPENDENCE
from analysis.plot.network import funnel_order
from analysis.plot.subject import Subject
from analysis.plot.whole import Whole
from analysis.report import procedures, words
from analysis.report.links import Links, as_text
from analysis.report.sections.answer import counted
from analysis.report.sections.closing import _left_out
from analysis.report.sections.network import _about_order
from analysis.report.sections.published import published_section
from analysis.results import frame
from evidence.results import Run

NAMES = {"a": "Drug A", "b": "Control"}


def run_of_table(
    table: pd.DataFrame, *, measure="MD", lower_is_better=True, names=("a", "b"), by=None, **options
) -> Run:
    fit = pairwise.fit(
        table, outcome="y", measure=measure, treatment=names[0], versus=names[1], by=by, **options
    )
    return Run(
        kind="pairwise", engine="frequentist", outcome="y", measure=measure,
        scale="additive" if measure == "MD" else "log",
        specification={"ci": fit.options.ci, "tau2": fit.options.tau2, "method": "inverse_variance"},
        input_hash="", analysis="p", lower_is_better=lower_is_better, treatment=names[0], versus=names[1],
        n_studies=len(fit.studies), subgroup=by,
        frames={
            "estimates": fit.estimates(), "heterogeneity": fit.heterogeneity(),
            "inconsistency": frame("inconsistency"), "ranking": frame("ranking"),
            "sensitivity": fit.subgroups() if by and len(fit.levels) > 1 else frame("sensitivity"),
        },
    )  # fmt: skip


def said(run: Run, names=NAMES, unit=None) -> str:
    effect = Effect.of_run(run.row() | {"unit": unit}, "Score", names)
    material = SimpleNamespace(effect=lambda run: effect)
    make = words._pairwise_answer if run.kind == "pairwise" else words._network_answer
    return as_text(f"{make(run, effect, Links())} {words.spread(material, run)}")


def without_numbers(text: str) -> str:
    # The number of figures may differ with the unit, not what stands around them.
    return re.sub(r"[<>]?[−-]?\d(?:[\d,.]*\d)?(e[−-]?\d+)?", "#", text)


effects = st.lists(
    st.tuples(st.floats(-3, 3).map(lambda x: round(x, 2)), st.floats(0.1, 2).map(lambda x: round(x, 2))),
    min_size=1,
    max_size=6,
)


def table_of(values, scale=1.0) -> pd.DataFrame:
    yi, sei = np.array(values, float).T
    return pd.DataFrame({"study": [f"s{i}" for i in range(len(yi))], "yi": yi * scale, "sei": sei * scale})


@settings(max_examples=12, deadline=None)
@given(effects, st.booleans())
def test_a_verdict_says_what_its_interval_says(values, lower_is_better):
    run = run_of_table(table_of(values), lower_is_better=lower_is_better)
    text = said(run)
    rows = {row["model"]: row for row in run.frames["estimates"].to_dict("records")}
    main = rows["random"] if np.isfinite(rows["random"]["ci_lower"]) else rows["common"]
    stem = "adhoc" if np.isfinite(main["adhoc_lower"]) else "ci"
    which = "The interval" + (" with the Hartung-Knapp factor kept at 1" if stem == "adhoc" else "")
    lower, upper = main[f"{stem}_lower"], main[f"{stem}_upper"]
    barred = isinstance(main["no_verdict"], str)
    assert ("No conclusion is drawn" in text) == barred
    for name, low_side in (("Drug A", lower_is_better), ("Control", not lower_is_better)):
        excludes = upper < 0 if low_side else lower > 0
        assert (f"{which} favours {name}." in text) == (excludes and lower < upper and not barred)
    assert ("includes no effect" in text) == (lower <= 0 <= upper and not barred)
    if "expected on the same side" in text:
        tau = run.frames["heterogeneity"].query("model == 'random'")["tau"].iloc[0]
        assert len(values) >= 3
        assert tau > 0
        assert not barred
        assert main["pi_lower"] > 0 or main["pi_upper"] < 0
        assert np.sign(main["pi_lower"]) == np.sign(main["estimate"])
    if len(values) < 3:
        assert "prediction" not in text


@settings(max_examples=6, deadline=None)
@given(effects, st.sampled_from([-6, -3, 3, 6]))
def test_the_unit_changes_no_word(values, power):
    one, other = (said(run_of_table(table_of(values, 10.0**k))) for k in (0, power))
    assert without_numbers(one) == without_numbers(other)


@settings(max_examples=5, deadline=None)
@given(effects)
def test_names_change_names_and_a_reversed_direction_the_side(values):
    table = table_of(values)
    text = said(run_of_table(table))
    strange = {"x": "A versus B", "y": "favours nobody"}
    renamed = said(run_of_table(table, names=("x", "y")), strange)
    assert renamed == text.replace("favours Drug A", "favours A versus B").replace(
        "favours Control", "favours favours nobody"
    )
    reversed_ = said(run_of_table(table, lower_is_better=False))
    swapped = text.replace("favours Drug A", "favours #").replace("favours Control", "favours Drug A")
    assert reversed_ == swapped.replace("favours #", "favours Control")


def test_two_equal_effects_have_the_wider_interval_for_a_verdict_and_no_prediction():
    """Two studies of -1, variances 0.5 and 0.9: Hartung and Knapp's interval has no width."""
    table = pd.DataFrame({"study": ["a", "b"], "yi": [-1.0, -1.0], "sei": np.sqrt([0.5, 0.9])})
    text = said(run_of_table(table))
    assert "favours" not in text
    assert "prediction" not in text
    assert "expected on the same side" not in text
    # Ad hoc, by hand: -1 +- 12.706 * 0.567; the common effect agrees that it includes none.
    assert "The interval with the Hartung-Knapp factor kept at 1 includes no effect." in text
    # The common-effect interval, by hand: -1 +- 1.96 / sqrt(1 / 0.5 + 1 / 0.9).
    assert "[−2.1, 0.1] (common effect)" in text


def test_tau_outside_its_own_interval_names_both_methods():
    table = pd.DataFrame(
        {"study": [f"s{i}" for i in range(6)], "yi": [0, 0.2, -0.1, 0.1, 900, 1000], "sei": [10, 12, 9, 11, 2000, 1500]}
    )  # fmt: skip
    run = run_of_table(table)
    spread = run.frames["heterogeneity"]
    random = spread["model"] == "random"
    spread.loc[random, ["method", "interval_method"]] = ["DL", "Q-profile"]
    spread.loc[random, ["tau", "tau_lower", "tau_upper"]] = [1128.89, 1222.01, 1762.03]
    text = words.spread(SimpleNamespace(effect=lambda run: Effect("MD", unit="U/L")), run)
    # With the decimals of the effects, whose usual interval is 7 wide on each side.
    assert "τ = 1,128.9 U/L by DL, outside its interval [1,222.0, 1,762.0] by Q-profile" in text


def test_a_subgroup_of_one_study_is_named():
    table = table_of([(1, 0.5), (1.2, 0.4), (0.3, 0.6)]).assign(group=["x", "x", "y"])
    text = procedures.single_subgroups(run_of_table(table, by="group"))
    assert text.startswith("Subgroup of a single study: y.")
    assert text.endswith("the test for subgroup differences takes one τ for all subgroups.")
    assert procedures.single_subgroups(run_of_table(table.assign(group="x"), by="group")) == ""


def test_several_arms_of_one_treatment_are_told_as_they_were_treated():
    rows = [("s1", "low", "ctl"), ("s1", "high", "ctl"), ("s2", "low", "ctl")]
    contrasts = pd.DataFrame(rows, columns=["study", "arm_a", "arm_b"]).assign(
        experiment="main", treatment_a="a", treatment_b="b"
    )
    run = run_of_table(table_of([(1, 0.5), (1.2, 0.4), (0.3, 0.6)]))
    run.frames["contrasts"] = contrasts
    for dependence, said in DEPENDENCE.items():
        run.specification["dependence"] = dependence
        assert procedures._several_arms(run) == f"1 study has several arms of one treatment: {said}."


triples = st.lists(
    st.tuples(st.sampled_from(["ab", "ac", "bc"]), st.floats(-2, 2), st.floats(0.2, 1.5)),
    min_size=4,
    max_size=8,
)


def run_of_network(values, lower_is_better=True, names="abc", scale=1.0) -> Run:
    pairs = [("ab", 0.3, 0.5), ("bc", -0.2, 0.4), *values]
    spelled = dict(zip("abc", names, strict=True))
    rows = pd.DataFrame(
        [
            {"study": f"s{i}", "treatment_a": spelled[pair[0]], "treatment_b": spelled[pair[1]],
             "estimate": round(y, 3) * scale, "std_error": round(se, 3) * scale}
            for i, (pair, y, se) in enumerate(pairs)
        ]
    )  # fmt: skip
    net = network.from_contrasts(rows, outcome="y", reference=spelled["c"], lower_is_better=lower_is_better)
    fit = network.fit(net)
    return Run(
        kind="network", engine="frequentist", outcome="y", measure="MD", scale="additive", specification={},
        input_hash="", analysis="n", lower_is_better=lower_is_better, reference=net.reference,
        n_studies=len(pairs), n_treatments=3,
        frames={
            "estimates": fit.estimates(), "heterogeneity": fit.heterogeneity(), "ranking": fit.ranking(),
            "inconsistency": fit.inconsistency(), "notes": fit.notes(),
        },
    )  # fmt: skip


@settings(max_examples=5, deadline=None)
@given(triples, st.booleans())
def test_a_network_favours_whom_its_intervals_favour(values, lower_is_better):
    names = {"a": "Alpha", "b": "Beta", "c": "Gamma"}
    run = run_of_network(values, lower_is_better)
    text = said(run, names)
    rows = words.against(run, words.main_model(run))
    better = [r for r in rows if (r["ci_upper"] < 0 if lower_is_better else r["ci_lower"] > 0)]
    worse = [r for r in rows if (r["ci_lower"] > 0 if lower_is_better else r["ci_upper"] < 0)]
    verb = (
        "is better than Gamma by its interval"
        if len(better) < 2
        else "are better than Gamma by their intervals"
    )
    assert f"{len(better) or 'Not one'} of {len(rows)} treatments {verb}" in text
    assert (" worse: " in text) == bool(worse)
    scaled = said(run_of_network(values, lower_is_better, scale=1e4), names)
    assert without_numbers(scaled) == without_numbers(text)
    # Other keys, in another alphabetical order; the same printed names.
    other = run_of_network(values, lower_is_better, names="zyx")
    assert said(other, dict(zip("zyx", names.values(), strict=True))) == text


def test_a_bayesian_network_without_a_test_of_inconsistency_says_so():
    run = run_of_network([("ac", 0.1, 0.5)])
    assert "design-by-treatment test" in words._agreement(run)
    untested = Run(**{**vars(run), "frames": {**run.frames, "inconsistency": frame("inconsistency")}})
    assert words._agreement(untested).startswith("No test of inconsistency was made")


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "< 0.001"), (1e-40, "< 0.001"), (0.0497, "= 0.0497"), (0.049999, "= 0.049999"), (0.05, "= 0.050"),
     (0.0502, "= 0.0502"), (0.0123, "= 0.012"), (0.5, "= 0.50")],
)  # fmt: skip
def test_p_is_never_nothing_and_stays_on_its_side_of_five_percent(p, text):
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.9998, 1, ">99.9%"), (0.9998, 0, ">99%"), (1.0, 1, "100.0%"), (1e-5, 1, "<0.1%"), (0.0, 0, "0%"),
     (1 - 1e-15, 1, "100.0%"), (0.583, 0, "58%")],
)  # fmt: skip
def test_a_share_that_is_not_all_or_nothing_is_not_written_so(share, digits, text):
    assert percent(share, digits) == text


def test_numbers_have_figures_that_fit():
    assert [figures(x) for x in (1222.01, 54322.821, 0.012345, 0, 1270000)] == [
        "1,220", "54,300", "0.0123", "0", "1,270,000",
    ]  # fmt: skip


def test_exclusions_are_counted_apart_by_what_they_need():
    rows = [{"remedy": "none needed"}, {"remedy": ""}, {"remedy": None}, {"remedy": "give the SD"}]
    (text,) = _left_out(rows)
    assert text.startswith("1 row could be used after a remedy")
    assert "3 rows need nothing" in text
    assert _left_out([]) == ["No row that was entered had to be left out of the planned analyses."]


def test_checks_of_our_own_are_not_printed_as_claims_of_a_publication():
    verdicts = [
        ("claim", "holds"),
        ("claim", "does not hold"),
        ("check", "does not hold"),
        ("check", "holds"),
    ]
    rows = [
        {
            "kind": kind,
            "text": f"{kind} {i}",
            "verdict": verdict,
            "found": "1",
            "expected": "2",
            "locator": "p 1",
        }
        | {"needs": None, "publication": "ours"}
        for i, (kind, verdict) in enumerate(verdicts)
    ]
    answer = lambda query: rows if "claim" in query else []  # noqa: E731
    material = SimpleNamespace(
        db=SimpleNamespace(rows=answer, kept_rows=answer),
        called=str,
        whole=Whole(SimpleNamespace(kept_rows=answer), Described()),
    )
    claims, said, checks = published_section(material, Links()).blocks
    assert {row["text"] for row in claims.rows} == {"claim 0", "claim 1"}
    assert {row["text"] for row in checks.rows} == {"check 2", "check 3"}
    assert "did not say the following in these words" in said.paragraphs[0]
    assert "claim" not in checks.title.lower() + " ".join(column.label for column in checks.columns).lower()
    assert counted(rows) == [
        "2 claims were put as queries: 1 holds, 1 does not hold.",
        "2 checks of our own, which nobody claimed: 1 does not hold, 1 holds.",
    ]


def test_a_planned_order_directs_the_funnel_and_is_said():
    roles = {"c": "control", "a": "active", "b": "active", "z": "active"}
    review = Described(treatments=dict.fromkeys("cabz", "name"), roles=roles)

    def subject(*order):
        said = {"funnel_order": list(order)} if order else {}
        frames = {"ranking": pd.DataFrame({"treatment": list("abc")})}
        run = SimpleNamespace(specification=said, frames=frames, reference="c")
        return Subject(run, review, counted=([{"treatment": t} for t in "abc"], []))

    assert funnel_order(subject()) == ["a", "b", "c"]
    assert "active treatments before controls" in _about_order(subject())
    assert funnel_order(subject("b", "z", "c")) == ["b", "c", "a"]
    assert "funnel_order); those it does not name" in _about_order(subject("b", "z", "c"))
    assert funnel_order(subject("c", "b", "a")) == ["c", "b", "a"]
    assert "does not name" not in _about_order(subject("c", "b", "a"))
