"""Eight more data sets of metadat against metafor with its stopping rules tightened, by the public functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise

SETS = json.loads(
    (Path(__file__).parents[2] / "oracles" / "pairwise_metadat.json").read_text(encoding="utf-8")
)["sets"]
every_set = pytest.mark.parametrize("name", SETS)


def table(name):
    entry = SETS[name]
    studies = [f"study {number:02}" for number in range(len(entry["yi"]))]
    moderators = {key: pd.Series(values) for key, values in entry.get("moderators", {}).items()}
    return pd.DataFrame({"study": studies, "yi": entry["yi"], "vi": entry["vi"], **moderators})


def close(ours, theirs, rel=1e-8, floor=1e-11):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    np.testing.assert_allclose(ours, theirs, rtol=rel, atol=floor * np.abs(theirs).max())


def by_study(frame, model):
    return frame[frame["model"] == model].pivot(index="study", columns="quantity", values="value")


@every_set
def test_common_effect(name):
    expected = SETS[name]["EE"]
    fit = pairwise.fit(table(name))
    row, spread = fit.estimates().iloc[0], fit.heterogeneity().iloc[0]
    close([row["estimate"], row["std_error"]], [expected["b"], expected["se"]], 1e-11)
    close(row["p_value"], expected["p"])
    # metafor gives Q / df as it is; here, and in SQL, H2 is not below 1 (Higgins and Thompson 2002).
    close([spread["q"], spread["h2"]], [SETS[name]["q"], max(1.0, expected["H2"])], 1e-10)
    close(100 * spread["i2"], expected["I2"])


@every_set
@pytest.mark.parametrize("method", ["DL", "HE", "HS", "SJ", "REML", "ML", "PM", "EB"])
def test_random_effects(name, method):
    expected = SETS[name][method]
    fit = pairwise.fit(table(name), tau2=method, ci="Wald", prediction="S")
    row, spread = fit.estimates().iloc[1], fit.heterogeneity().iloc[1]
    typical = np.median(SETS[name]["vi"])
    assert spread["tau2"] == pytest.approx(expected["tau2"], rel=1e-8, abs=1e-9 * typical)
    for ours, theirs in (
        (row["estimate"], "b"), (row["std_error"], "se"), (row["p_value"], "p"), (spread["h2"], "H2"),
    ):  # fmt: skip
        close(ours, expected[theirs], 1e-7)
    assert 100 * spread["i2"] == pytest.approx(expected["I2"], rel=1e-7, abs=1e-6)
    if "S" in expected:
        close([row["pi_lower"], row["pi_upper"]], expected["S"])
        for ci in ("HK", "HK-adhoc"):
            limits = pairwise.fit(table(name), tau2=method, ci=ci).estimates().iloc[1]
            close([limits["ci_lower"], limits["ci_upper"]], expected[ci])


@every_set
def test_intervals_of_heterogeneity(name):
    fit, expected = pairwise.fit(table(name)), SETS[name]
    small = 1e-9 * np.median(expected["vi"])
    row = fit.heterogeneity("QP").iloc[1]
    for place, (column, unit) in enumerate((("tau2", 1), ("i2", 100), ("h2", 1))):
        ours = [unit * row[f"{column}_lower"], unit * row[f"{column}_upper"]]
        assert ours == pytest.approx(expected["QP"][place], rel=1e-7, abs=small if column == "tau2" else 1e-6)
    row = fit.heterogeneity("PL").iloc[1]
    assert [row["tau2_lower"], row["tau2_upper"]] == pytest.approx(expected["PL"], rel=1e-7, abs=small)


@every_set
def test_leaving_out(name):
    expected = SETS[name]["loo"]
    rows = pairwise.fit(table(name), ci="Wald").leave_one_out().query("model == 'random'")
    for ours, theirs in (("estimate", "estimate"), ("std_error", "se"), ("q", "Q")):
        close(rows[ours], expected[theirs], 1e-7)
    typical = np.median(SETS[name]["vi"])
    close(rows["tau"].to_numpy(float) ** 2 + typical, np.array(expected["tau2"]) + typical)
    close(100 * rows["i2"] + 1, np.array(expected["I2"]) + 1, 1e-6)


@every_set
def test_influence_and_baujat(name):
    fit = pairwise.fit(table(name), tau2="DL")
    found = by_study(fit.influence(), "random")
    for ours, theirs in (
        ("rstudent", "rstudent"), ("dffits", "dffits"), ("cooks_distance", "cook.d"), ("covariance_ratio", "cov.r"),
        ("hat", "hat"),
    ):  # fmt: skip
        close(found[ours], SETS[name]["influence"][theirs], 1e-9)
    plot = by_study(fit.baujat(), "common")
    close(plot["contribution"], SETS[name]["baujat"]["x"], 1e-9)
    close(plot["influence"], SETS[name]["baujat"]["y"], 1e-9)


@every_set
def test_small_study_effects(name):
    expected, fit = SETS[name], pairwise.fit(table(name), tau2="DL", ci="Wald")
    found = fit.egger().set_index(["item", "quantity"])["value"]
    close(found["bias", "statistic"], expected["egger"]["t"])
    close(found["bias", "p_value"], expected["egger"]["p"])
    close(found["limit", "estimate"], expected["egger"]["est"])
    additive = fit.egger("additive").set_index(["item", "quantity"])["value"]
    close(additive["bias", "statistic"], expected["egger_additive"]["z"])
    begg = fit.begg(anyway=True).set_index("quantity")["value"]
    close([begg["tau"], begg["p_value"]], [expected["begg"]["tau"], expected["begg"]["p"]])
    for key, theirs in expected["trimfill"].items():
        method, estimator = key.split()
        rows = fit.trim_fill(estimator, anyway=True)
        rows = rows[rows["item"] == "all and filled in"].set_index(["model", "quantity"])["value"]
        ours = rows["common" if method == "EE" else "random"]
        assert ours["missing"] == theirs["k0"]
        close(ours["missing_std_error"], theirs["se"])
        close([ours["estimate"], ours["std_error"]], [theirs["b"], theirs["sew"]])


@pytest.mark.parametrize("name", [name for name in SETS if "selection" in SETS[name]])
def test_selection_model_says_where_else_the_likelihood_has_a_maximum(name):
    theirs = SETS[name]["selection"]
    rows = pairwise.fit(table(name)).selection_model(direction="less")
    effect = rows[rows["item"] == "effect"]
    # metafor stops at the lower of two maxima; the note names it.
    assert effect.set_index("quantity")["value"]["tau2"] == 0
    assert f"estimate {theirs['b']:.4g}" in effect["note"].iloc[0]
    assert f"tau2 {theirs['tau2']:.3g}" in effect["note"].iloc[0]


@pytest.mark.parametrize("name", [name for name in SETS if "regressions" in SETS[name]])
def test_meta_regression(name):
    assert len(SETS[name]["regressions"]) == 2
    for formula, results in SETS[name]["regressions"].items():
        terms = formula.removeprefix("~ ").replace("factor(grade)", "grade").split(" + ")
        frame = table(name)
        frame["grade"] = frame["grade"].map("grade {:g}".format)
        for key, theirs in results.items():
            tau2, test = key.split()
            # R takes the first level in the alphabet for reference, we the most frequent one.
            first = {"grade": min(frame["grade"])} if "grade" in terms else None
            ci = {"z": "Wald", "knha": "HK", "adhoc": "HK-adhoc"}[test]
            found = pairwise.fit(frame, tau2=tau2, ci=ci).meta_regression(*terms, reference_levels=first)
            coefficients, rest = found.coefficients(), found.heterogeneity()
            overall = found.tests().set_index("term").loc["all"]
            for ours, column in (("estimate", "b"), ("std_error", "se"), ("p_value", "p")):
                close(coefficients[ours], theirs[column], 1e-7)
            close([rest["tau2"], rest["q"]], [theirs["tau2"], theirs["QE"]], 1e-7)
            close([overall["statistic"], overall["p_value"]], [theirs["QM"], theirs["QMp"]], 1e-7)
            assert 100 * rest["r2"] == pytest.approx(theirs["R2"], rel=1e-7, abs=1e-7)
            assert found.rows.n == theirs["k"]
            assert len(set(found.left_out["study"])) == len(frame) - theirs["k"]
