"""Covariates: doses with units, moderators of the plan, reference levels."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

import evidence
from analysis import network, pairwise
from analysis.charts.base.effect import Effect
from analysis.plan import run_pairwise, run_planned
from analysis.report.sections.regression_table import regression_table
from evidence.errors import CallError, EvidenceError, RefusedError, ReviewError
from evidence.question import Question
from evidence.question import read as read_question
from evidence.review import read

ASKED = {"outcome": "y", "measure": "MD", "treatment": "drug", "versus": "placebo"}
TIMES = ("late", "early", "late", "early", "late", "never")
PLANNED = """
[[protocol.analysis]]
name = "doses"
outcome = "y"
measure = "MD"
treatment = "drug"
versus = "placebo"
where = "dose < 30"
subgroup = "timing"
moderators = ["dose", "timing"]
reference_levels = { timing = "early" }
"""


def table(rows):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def base(folder, doses=(1, 2, 5, 10, 20, 40), units=("mg/kg",) * 6, toml=""):
    """Six studies of a drug, the doses in arms.csv; the lesion's volume is a column of measurements.csv."""
    folder.mkdir()
    arms, measurements = [], []
    for number, (dose, unit, timing) in enumerate(zip(doses, units, TIMES, strict=True)):
        own = {"study": f"s{number}", "n": 10}
        arms += [
            own | {"arm": "t", "treatment": "drug", "dose": dose, "dose_unit": unit, "timing": timing},
            own | {"arm": "c", "treatment": "placebo", "dose": "", "dose_unit": "", "timing": ""},
        ]
        measurements += [
            {"study": f"s{number}", "arm": arm, "outcome": "y", "mean": mean, "sd": 2 + 0.1 * number}
            | {"volume": volume}
            for arm, mean, volume in (("t", 10 - number, 100 + number**2), ("c", 12, 1))
        ]
    (folder / "studies.csv").write_text(table([{"study": f"s{number}"} for number in range(6)]))
    (folder / "arms.csv").write_text(table(arms))
    (folder / "measurements.csv").write_text(table(measurements))
    (folder / "treatments.csv").write_text("treatment,role\ndrug,active\nplacebo,control\n")
    (folder / "outcomes.csv").write_text("outcome,kind,lower_is_better\ny,continuous,true\n")
    (folder / "review.toml").write_text(f'title = "doses"\n{toml}')
    return folder


def opened(folder):
    return evidence.open(evidence.build(folder, folder.parent / f"{folder.name}.duckdb"))


@pytest.fixture(scope="module")
def one_unit(tmp_path_factory):
    return opened(base(tmp_path_factory.mktemp("doses") / "one", toml=PLANNED))


def slope(values):
    """Weighted least squares of the six effects on a variable: what a common-effect regression gives."""
    number = np.arange(6)
    y, v = 10.0 - number - 12, 2 * (2 + 0.1 * number) ** 2 / 10
    X = np.column_stack([np.ones(6), values])
    return np.linalg.solve(X.T @ (X / v[:, None]), X.T @ (y / v))[1]


def test_arms_and_measurements_give_moderators(one_unit):
    fit = pairwise.fit(one_unit, **ASKED, tau2=0.0, ci="Wald")
    for name, values in (("dose", [1, 2, 5, 10, 20, 40]), ("volume", 100 + np.arange(6.0) ** 2)):
        found = fit.meta_regression(name).coefficients().set_index("term")
        assert found.loc[name, "estimate"] == pytest.approx(slope(values), rel=1e-9)


def test_the_report_tabulates_the_coefficients_that_the_run_stored(one_unit):
    run = run_pairwise(one_unit, **ASKED, moderators=["dose"], tau2="DL")
    table = regression_table(run, Effect.of_run(run.row(), "Y", {}))
    assert table.title == "Meta-regression on dose"
    stored = run.frames["sensitivity"].query("method == 'meta-regression' and item == 'dose'")
    stored = stored.set_index("quantity")["value"]
    row = next(row for row in table.rows if row["term"] == "dose" and row["group"] == "Coefficients")
    # The same by hand: nothing is left between the studies, so weighted least squares; F of one slope is t^2.
    assert stored["estimate"] == pytest.approx(slope([1, 2, 5, 10, 20, 40]), rel=1e-9)
    shown = float(row["estimate"].split(" ")[0].replace("−", "-"))
    assert shown == pytest.approx(
        stored["estimate"], abs=0.5 * 10 ** -len(row["estimate"].split(" ")[0].split(".")[1])
    )
    test = next(row for row in table.rows if row["term"] == "dose" and row["group"] == "Tests")
    assert float(test["statistic"]) == pytest.approx(stored["statistic"] ** 2, abs=0.01)
    assert row["p"] == test["p"]
    assert "Residual heterogeneity: τ = 0" in table.note
    assert "6 effects on 1 coefficient: with fewer than 10" in table.note
    numbers = {row["term"]: row for row in table.data}
    assert numbers["dose"]["std_error"] == stored["std_error"]
    assert regression_table(run_pairwise(one_unit, **ASKED), Effect.of_run(run.row(), "Y", {})) is None


@pytest.mark.slow
def test_the_plan_and_the_call_give_the_same_numbers(one_unit):
    row = one_unit.rows("select * from plan")[0]
    planned = run_planned(one_unit, row)
    called = run_pairwise(
        one_unit, **ASKED, where="dose < 30", by="timing", moderators=["dose", "timing"],
        reference_levels={"timing": "early"},
    )  # fmt: skip
    for name in ("estimates", "sensitivity", "exclusions", "notes"):
        pd.testing.assert_frame_equal(planned.frames[name], called.frames[name])
    assert planned.n_studies == 5
    rows = planned.frames["sensitivity"]
    assert "timing: late" in set(rows["item"])
    assert set(rows.loc[rows["item"] == "timing: late", "note"]) == {"compared with early"}
    assert "Levels of timing are compared with early, which 2 studies have." in set(
        planned.frames["notes"]["message"]
    )
    assert json.loads(row["moderators"]) == ["dose", "timing"]


@pytest.mark.slow
def test_doses_of_one_dimension_are_converted(tmp_path, one_unit):
    mixed = opened(
        base(tmp_path / "two", (1, 2, 5, 10, "0.02", "0.04"), ("mg/kg",) * 4 + ("g/kg",) * 2, PLANNED)
    )
    for question in ({"moderators": ["dose"]}, {"by": "dose"}, {"where": "dose > 5"}):
        one, two = (run_pairwise(db, **ASKED, **question) for db in (one_unit, mixed))
        for name in ("estimates", "sensitivity", "exclusions"):
            pd.testing.assert_frame_equal(one.frames[name], two.frames[name])
    assert mixed.rows("select * from variable_unit") == [
        {"variable": "dose", "unit": "g/kg", "converted_unit": "mg/kg", "factor": 1000.0}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("other", ["cells", ""])
def test_doses_that_cannot_be_converted_are_refused_with_the_remedy(tmp_path, other):
    db = opened(base(tmp_path / "mixed", units=("mg/kg",) * 4 + (other,) * 2))
    said = rf"dose is in several units.*mg/kg \(4\), {other or 'no unit'} \(2\).*dose_unit = "
    for question in ({"moderators": ["dose"]}, {"by": "dose"}, {"where": "dose > 5"}):
        with pytest.raises(RefusedError, match=said):
            run_pairwise(db, **ASKED, **question)
    kept = run_pairwise(db, **ASKED, where="dose_unit = 'mg/kg'", moderators=["dose"])
    assert kept.n_studies == 4
    assert run_pairwise(db, **ASKED, where="dose > 1 and dose_unit = 'mg/kg'").n_studies == 3


def test_a_plan_names_variables_that_there_are(tmp_path):
    toml = PLANNED.replace('["dose", "timing"]', '["doze", "timing"]').replace("{ timing", "{ timings")
    toml += '\n[[protocol.analysis]]\nname = "net"\noutcome = "y"\nkind = "network"\nmoderators = ["dose"]\n'
    with pytest.raises(ReviewError) as caught:
        read(base(tmp_path / "wrong", toml=toml))
    found = {problem.message: problem.remedy for problem in caught.value.problems}
    assert "did you mean 'dose'?" in found["analysis 'doses' names the unknown variable 'doze'"]
    assert any("reference level of 'timings', which is none of its moderators" in text for text in found)
    assert found["analysis 'net': the engine frequentist has no covariates"] == 'write `engine = "exact"`'


# Two levels that many studies have, and one, first in the alphabet, that one study alone has.
LEVELS = ["a"] + ["b"] * 4 + ["c"] * 6
EFFECTS = pd.DataFrame(
    {
        "study": [f"s{number}" for number in range(11)],
        "yi": [0.9, 0.1, 0.3, 0.2, 0.4, 0.8, 0.6, 0.9, 0.7, 0.5, 0.6],
        "vi": [0.05] * 11,
        "kind": LEVELS,
    }
)


def test_the_most_frequent_level_is_the_reference_and_another_can_be_chosen():
    fit = pairwise.fit(EFFECTS, tau2="REML", ci="CR2")
    regression = fit.meta_regression("kind")
    assert regression.design.reference == {"kind": "c"}
    rows = regression.coefficients().set_index("term")
    # Means of the levels: equal variances weight them alike.
    assert rows.loc["intercept", "estimate"] == pytest.approx(4.1 / 6)
    assert rows.loc["kind: b", "estimate"] == pytest.approx(0.25 - 4.1 / 6)
    assert np.isfinite(rows.loc[["intercept", "kind: b"], ["std_error", "df", "p_value"]]).all(axis=None)
    # One study alone has level a: its difference from c has no robust error.
    assert np.isnan(rows.loc["kind: a", "std_error"])
    assert rows.loc["kind: a", "estimate"] == pytest.approx(0.9 - 4.1 / 6)
    chosen = fit.meta_regression("kind", reference_levels={"kind": "b"})
    assert chosen.coefficients()["term"].tolist() == ["intercept", "kind: a", "kind: c"]
    assert chosen.tau2 == pytest.approx(regression.tau2)
    for levels, said in (({"kind": "d"}, "no level of kind 'd'"), ({"x": "b"}, "x is no moderator")):
        with pytest.raises(CallError, match=said):
            fit.meta_regression("kind", reference_levels=levels)


def test_there_is_no_r2_where_no_variance_is_left_to_explain():
    """metafor prints none either where tau2 is 0 without moderators; a share of a given tau2 is no estimate."""
    rows = pd.DataFrame(
        {
            "study": list("abcdef"),
            "estimate": [0.1, 0.12, 0.09, 0.11, 0.1, 0.13],
            "std_error": [0.3] * 6,
            "x": [1, 2, 3, 4, 5, 6],
        }
    )
    for options, said in ({"tau2": "REML"}, True), ({"tau2": 0.0}, False), ({"tau2": 0.3}, False):
        fit = pairwise.fit(rows, **options).meta_regression("x")
        assert np.isnan(fit.r2), options
        assert any("There is no R2" in text for _, text in fit.cautions()) == said


def test_between_levels_as_frequent_the_information_decides_and_not_the_alphabet():
    part = EFFECTS.iloc[1:9].assign(vi=[0.05] * 4 + [0.04] * 4)
    for names in ({"b": "b", "c": "c"}, {"b": "z", "c": "y"}, {"b": "y", "c": "z"}):
        renamed = part.assign(kind=part["kind"].map(names))
        assert pairwise.fit(renamed).meta_regression("kind").design.reference == {"kind": names["c"]}


def test_contrasts_among_members_of_a_class_are_listed_as_left_out(tmp_path):
    folder = base(tmp_path / "class")
    arms = (folder / "arms.csv").read_text() + "s0,10,u,other,,,\n"
    (folder / "arms.csv").write_text(arms)
    measured = (folder / "measurements.csv").read_text() + "s0,u,y,9,2,\n"
    (folder / "measurements.csv").write_text(measured)
    (folder / "treatments.csv").write_text(
        "treatment,role,class\ndrug,active,drugs\nother,active,drugs\nplacebo,control,\n"
    )
    body = read_question(opened(folder), Question("y", "MD", treatment="drugs", versus="placebo"))
    left = body.exclusions[body.exclusions["stage"] == "class"]
    assert left[["study", "reason"]].values.tolist() == [
        ["s0", "the contrast of drug and other is between members of drugs, which is compared as one"]
    ]


def test_a_covariate_not_reported_is_refused_by_study_and_column(tmp_path):
    for code in ("NR", ""):
        folder = base(tmp_path / f"age{code}")
        ages = [code if number == 2 else str(20 + number) for number in range(6)]
        (folder / "studies.csv").write_text(
            table([{"study": f"s{number}", "age": age} for number, age in enumerate(ages)])
        )
        db = opened(folder)
        net = network.load(db, "y", "MD", covariates=["age"])
        with pytest.raises(EvidenceError) as caught:
            network.fit(net, engine="exact", covariates=["age"])
        assert "age" in str(caught.value)
        assert "s2" in str(caught.value)
    with pytest.raises(CallError, match="dose does not describe studies"):
        network.load(db, "y", "MD", covariates=["dose"])
