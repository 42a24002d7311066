"""What is wrong is said by name: never a traceback, never a quiet number."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import pairwise
from analysis.pairwise.model import tau2
from analysis.pairwise.model.rows import EffectRows
from evidence.errors import CallError, EvidenceError, RefusedError


def table(**changes):
    frame = pd.DataFrame(
        {"study": ["Ada 2001", "Bo 2002", "Cy 2003", "Di 2004"], "estimate": [0.1, 0.4, 0.3, 0.2], "std_error": [0.1, 0.2, 0.3, 0.2]}
    )  # fmt: skip
    for column, (row, value) in changes.items():
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("std_error", -0.2, "negative"),
        ("std_error", 0.0, "zero"),
        ("std_error", np.inf, "infinite"),
        ("estimate", np.inf, "infinite"),
        ("estimate", -np.inf, "infinite"),
        ("estimate", "0,3", "not a number"),
        ("std_error", "n.r.", "not a number"),
        ("estimate", 1e150, "1e50 standard errors"),
    ],
)
def test_impossible_numbers_are_named(column, value, said):
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(table(**{column: (1, value)}))
    assert [problem.study for problem in error.value.problems] == ["Bo 2002"]
    assert error.value.problems[0].column == column
    assert said in error.value.problems[0].message


def test_variances_too():
    frame = table().rename(columns={"std_error": "vi", "estimate": "yi"})
    frame["vi"] = [0.1, -0.2, 0.0, np.inf]
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(frame)
    assert [problem.study for problem in error.value.problems] == ["Bo 2002", "Cy 2003", "Di 2004"]
    assert {problem.column for problem in error.value.problems} == {"vi"}


def test_all_problems_in_one_pass():
    frame = table(std_error=(0, -1), estimate=(3, "x"))
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(frame)
    assert [problem.study for problem in error.value.problems] == ["Ada 2001", "Di 2004"]
    assert "Ada 2001" in str(error.value)


def test_missing_numbers_are_listed():
    fit = pairwise.fit(table(estimate=(1, np.nan)))
    assert fit.exclusions()["study"].tolist() == ["Bo 2002"]
    assert "missing" in fit.exclusions()["reason"].iloc[0]
    assert "Bo 2002" in fit.notes()["message"].iloc[0]
    assert fit.studies == ("Ada 2001", "Cy 2003", "Di 2004")
    with pytest.raises(RefusedError, match="No row"):
        pairwise.fit(table().assign(estimate=np.nan))


def test_an_empty_table():
    with pytest.raises(RefusedError, match="No row"):
        pairwise.fit(table().iloc[:0])


def test_no_column_for_the_effect():
    with pytest.raises(CallError, match="std_error"):
        pairwise.fit(table().drop(columns="std_error"))
    with pytest.raises(CallError, match="evidence base"):
        pairwise.fit([1, 2, 3])


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("tau2", "REMl2", "REML"), ("ci", "Knapp", "HK"), ("prediction", "HST", "HTS"), ("shared", "splitt", "split"),
        ("method", "Mantel", "MH"), ("tau2", -1.0, "variance"), ("tau2", float("nan"), "variance"),
    ],
)  # fmt: skip
def test_unknown_options_name_what_there_is(option, value, hint):
    with pytest.raises(CallError, match=hint):
        pairwise.fit(table(), **{option: value})


def test_options_however_typed():
    fit = pairwise.fit(table(), tau2="reml", ci="hk_adhoc", prediction="hts", method="Inverse-Variance")
    assert (fit.options.tau2, fit.options.ci, fit.options.prediction) == ("REML", "HK-adhoc", "HTS")


def test_treatment_against_itself():
    with pytest.raises(CallError, match="both 'a'"):
        pairwise.fit(table(), treatment="a", versus="a")


def test_comparisons_are_not_mixed():
    frame = table().assign(treatment_a=["x", "y", "x", "x"], treatment_b=["z", "z", "z", "w"])
    with pytest.raises(CallError, match="several comparisons"):
        pairwise.fit(frame)
    with pytest.raises(CallError, match="Say both"):
        pairwise.fit(frame, treatment="x")
    with pytest.raises(CallError, match="Did you mean 'x'"):
        pairwise.fit(frame, treatment="x ", versus="z")
    with pytest.raises(RefusedError, match="No row of the table compares"):
        pairwise.fit(frame, treatment="y", versus="w")
    fit = pairwise.fit(frame, treatment="z", versus="x")
    assert fit.estimates()["estimate"].iloc[0] < 0
    assert fit.studies == ("Ada 2001", "Cy 2003")


def test_outcomes_and_measures_are_not_mixed():
    frame = table().assign(outcome=["weight", "length", "weight", "weight"], measure="MD")
    with pytest.raises(CallError, match="several outcomes"):
        pairwise.fit(frame)
    with pytest.raises(CallError, match="Did you mean 'weight'"):
        pairwise.fit(frame, outcome="wieght")
    assert len(pairwise.fit(frame, outcome="weight").studies) == 3
    with pytest.raises(CallError, match="no measure 'SMD'"):
        pairwise.fit(frame, outcome="weight", measure="SMD")


def test_time_points_and_conditions_need_an_evidence_base():
    with pytest.raises(CallError, match="evidence base"):
        pairwise.fit(table(), where="year > 2000")


def test_names_that_look_alike():
    frame = table().assign(treatment_a=["drug", "drug ", "drug", "Drug"], treatment_b="saline")
    with pytest.raises(EvidenceError, match="stand for one treatment") as error:
        pairwise.fit(frame, treatment="drug", versus="saline")
    assert ["blank" in problem.message or "case" in problem.message for problem in error.value.problems] == [
        True,
        True,
    ]


def test_rows_without_a_name():
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(table().assign(study=["a", None, "c", "d"]))
    assert (error.value.problems[0].line, error.value.problems[0].column) == (2, "study")
    frame = table().assign(treatment_a=["x", "x", None, "x"], treatment_b="z")
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(frame)
    assert "Cy 2003" in str(error.value)


def test_measures_are_known_ones():
    with pytest.raises(CallError, match=r"There is no effect measure 'SMDD'. There are: MD, SMD, ROM"):
        pairwise.fit(table(), measure="SMDD")
    for measure, scale in (("OR", "log"), ("PETO", "log"), ("ZCOR", "additive")):
        assert pairwise.fit(table(), measure=measure).contrasts.scale == scale


def test_what_is_wrong_elsewhere_does_not_matter():
    frame = table(std_error=(3, -1)).assign(outcome=["w", "w", "w", "x"])
    assert len(pairwise.fit(frame, outcome="w").studies) == 3
    with pytest.raises(EvidenceError):
        pairwise.fit(frame, outcome="x")


def test_twice_the_same_contrast():
    with pytest.raises(EvidenceError, match="occurs more than once") as error:
        pairwise.fit(table().assign(contrast_id=["1", "1", "2", "3"]))
    assert {problem.study for problem in error.value.problems} == {"Ada 2001", "Bo 2002"}


def test_events_beyond_n():
    frame = table().assign(events_a=[1, 12, 1, 1], n_a=10, events_b=1, n_b=[10, 10, -3, 10])
    with pytest.raises(EvidenceError) as error:
        pairwise.fit(frame)
    assert [(problem.study, problem.column) for problem in error.value.problems] == [
        ("Bo 2002", "events_a"), ("Cy 2003", "n_b"), ("Cy 2003", "events_b"),
    ]  # fmt: skip


def test_covariances_that_cannot_be():
    frame = table().assign(contrast_id=list("1234"), study=["a", "a", "b", "c"])
    pairs = pd.DataFrame({"contrast_1": ["1"], "contrast_2": ["2"], "arm_shared": ["c"], "covariance": [0.5]})
    with pytest.raises(EvidenceError, match="contradict each other") as error:
        pairwise.fit(frame, covariance=pairs)
    assert error.value.problems[0].study == "a"


def test_subgroups_and_regression_on_what_is_not_there():
    frame = table().assign(dose=[1.0, 2.0, 3.0, 4.0], same="x", twice=[2.0, 4.0, 6.0, 8.0])
    with pytest.raises(CallError, match="Did you mean 'dose'"):
        pairwise.fit(frame, by="doze")
    fit = pairwise.fit(frame)
    with pytest.raises(CallError, match="no variable"):
        fit.meta_regression("nothing")
    with pytest.raises(CallError, match="at least one"):
        fit.meta_regression()
    with pytest.raises(RefusedError, match="the same in every study"):
        fit.meta_regression("same")
    with pytest.raises(RefusedError, match="follows from"):
        fit.meta_regression("dose", "twice")
    with pytest.raises(RefusedError, match="cannot determine"):
        pairwise.fit(frame.iloc[:2]).meta_regression("dose")
    with pytest.raises(CallError, match="not a number"):
        fit.cumulative("study")
    with pytest.raises(RefusedError, match="Ada 2001"):
        pairwise.fit(frame.assign(dose=[np.nan, 1, 2, 3])).cumulative("dose")
    with pytest.raises(CallError, match="subgroups"):
        fit.subgroups()
    regression = fit.meta_regression("dose")
    with pytest.raises(CallError, match="value to each"):
        regression.predict(weight=3)
    with pytest.raises(CallError, match="no number"):
        regression.bubble("same")


def test_alike_effects_are_said_to_be():
    frame = table().assign(estimate=0.25)
    fit = pairwise.fit(frame)
    assert fit.notes().query("severity == 'warning'")["message"].str.contains("no width").any()
    assert fit.notes()["message"].str.contains("Q-profile interval of tau2 is empty").any()
    assert fit.tau2 == 0
    for method in ("DL", "HE", "HS", "SJ", "PM", "ML", "EB"):
        assert pairwise.fit(frame, tau2=method).tau2 == 0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True, width=64),
            st.floats(allow_nan=True, allow_infinity=True, width=64),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_anything_gives_an_answer_or_an_error_of_ours(pairs):
    frame = pd.DataFrame(
        {
            "study": [f"s{i}" for i in range(len(pairs))],
            "yi": [p[0] for p in pairs],
            "vi": [p[1] for p in pairs],
        }
    )
    try:
        fit = pairwise.fit(frame)
        estimates = fit.estimates()
    except EvidenceError:
        return
    common = estimates.iloc[0]
    assert np.isfinite(common["estimate"])
    assert common["std_error"] >= 0
    kept = frame[frame["study"].isin(fit.studies)]["yi"]
    slack = 1e-9 * kept.abs().max() + 1e-12 * common["std_error"]
    assert kept.min() - slack <= common["estimate"] <= kept.max() + slack


EDGES = {
    "one": ([0.3], [0.1]),
    "two": ([0.3, 0.5], [0.1, 0.2]),
    "two alike": ([0.3, 0.3], [0.1, 0.1]),
    "three": ([0.1, 0.5, -0.3], [0.1, 0.2, 0.05]),
    "all equal": ([0.2] * 6, [0.1] * 6),
    "tiny": ([1e-9, 3e-9, 2e-9, -1e-9], [1e-20, 2e-20, 1e-20, 3e-20]),
    "huge": ([1e9, 3e9, 2e9, -1e9], [1e18, 2e18, 1e18, 3e18]),
    "negative": ([-1, -2, -3, -1.5, -2.5], [0.1, 0.2, 0.1, 0.3, 0.2]),
    "variances sixteen powers apart": ([1, 2, 3, 4], [1e-8, 1, 1e8, 1e-3]),
}


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {}, {"ci": "CR2"}, {"ci": "Wald", "tau2": "SJ", "prediction": "HTS"}, {"ci": "HK-adhoc", "tau2": "PM"}, {"tau2": 0.3},
])  # fmt: skip
@pytest.mark.parametrize("edge", EDGES)
def test_every_analysis_at_the_edges(edge, options):
    """An answer or a refusal, and no warning of NumPy's (pytest makes them errors)."""
    y, v = EDGES[edge]
    frame = pd.DataFrame({"study": [f"s{i}" for i in range(len(y))], "yi": y, "vi": v, "x": range(len(y))})
    fit = pairwise.fit(frame, **options)
    assert np.isfinite(fit.estimates()["estimate"]).all()
    assert np.isfinite(fit.heterogeneity("PL")["tau2"]).all() or len(y) == 1
    for analysis in (
        fit.leave_one_out, fit.sensitivity, fit.weights, fit.notes, fit.funnel, lambda: fit.cumulative("x"),
        lambda: fit.gosh().by_study(), lambda: fit.meta_regression("x").frame(),
        lambda: fit.meta_regression("x").permutation_test(50),
    ):  # fmt: skip
        with contextlib.suppress(RefusedError):
            analysis()


def test_subsets_and_orders_need_something_to_choose_from():
    with pytest.raises(RefusedError, match="at least three"):
        pairwise.fit(table().iloc[:2]).gosh()
    alike = table().assign(estimate=0.2, dose=[1.0, 2.0, 3.0, 5.0])
    with pytest.raises(RefusedError, match="All effects are equal"):
        pairwise.fit(alike).meta_regression("dose").permutation_test()


def test_paule_mandel_on_precision_that_varies_sixteen_powers_of_ten():
    y, v = (np.array(values, float) for values in EDGES["variances sixteen powers apart"])
    rows = EffectRows.of(y, v, np.column_stack([np.ones(4), np.sqrt(v)]))
    found = tau2.estimate(rows, "PM")
    assert rows.profile.solve(found).residual_ss == pytest.approx(2, rel=1e-6)
