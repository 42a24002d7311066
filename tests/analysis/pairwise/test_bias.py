"""Small-study effects against metafor, lm, and the likelihood."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise, results
from analysis.pairwise.small_study import asymmetry as bias
from analysis.pairwise.small_study.selection_model import selection_model
from evidence.errors import CallError, RefusedError

ORACLES = Path(__file__).parents[2] / "oracles"
METAFOR = json.loads((ORACLES / "pairwise_metafor.json").read_text(encoding="utf-8"))["data"]
OTHER = json.loads((ORACLES / "pairwise_sensitivity.json").read_text(encoding="utf-8"))


def effects(name):
    return np.array(METAFOR[name]["yi"]), np.array(METAFOR[name]["vi"])


def values(frame, item, model=None):
    part = frame[frame["item"] == item]
    part = part if model is None else part[part["model"] == model]
    return part.set_index("quantity")["value"]


@pytest.mark.parametrize("name", METAFOR)
def test_egger_is_the_weighted_regression(name):
    y, v = effects(name)
    found, expected = bias.egger(y, v), METAFOR[name]["regtest"]
    intercept, slope = expected["lm_coefficients"]["values"]
    assert [found.limit.estimate[0], found.limit.std_error[0]] == pytest.approx(intercept[:2], rel=1e-9)
    assert [found.slope.estimate[0], found.slope.std_error[0]] == pytest.approx(slope[:2], rel=1e-9)
    assert found.slope.p_value[0] == pytest.approx(expected["lm_sei"]["pval"], rel=1e-9)
    # Egger's own form: the intercept of y / se on 1 / se.
    classic = expected["egger_classic_z_on_precision"]["values"][0]
    assert [found.slope.estimate[0], found.slope.std_error[0]] == pytest.approx(classic[:2], rel=1e-9)


@pytest.mark.parametrize("name", ["bcg", "normand1999", "eklof2012"])
def test_additive_egger_is_metafors_default(name):
    y, v = effects(name)
    found, expected = bias.egger(y, v, "additive"), METAFOR[name]["regtest"]["rma_sei_reml"]
    assert found.slope.statistic[0] == pytest.approx(expected["stat"], rel=2e-6)
    assert found.slope.p_value[0] == pytest.approx(expected["pval"], rel=2e-6)
    assert found.limit.estimate[0] == pytest.approx(expected["est"]["intrcpt"], rel=1e-6)
    assert found.limit.ci_lower[0] == pytest.approx(expected["ci_lb"], rel=2e-6)


def test_predictors():
    y, v = effects("bcg")
    counts = METAFOR["bcg"]["counts"]
    n = np.array([sum(counts[cell][i] for cell in counts) for i in range(13)], float)
    for predictor, x in (
        ("variance", v),
        ("n", n),
        ("1/n", 1 / n),
        ("sqrt(n)", n**0.5),
        ("1/sqrt(n)", n**-0.5),
    ):
        found = bias.egger(y, v, predictor=predictor, n=n)
        w = 1 / v
        slope = np.sum(w * (x - np.average(x, weights=w)) * y) / np.sum(
            w * (x - np.average(x, weights=w)) ** 2
        )
        assert found.slope.estimate[0] == pytest.approx(slope, rel=1e-9)
    with pytest.raises(RefusedError, match="participants"):
        bias.egger(y, v, predictor="n")
    with pytest.raises(CallError, match="no predictor"):
        bias.egger(y, v, predictor="mass")
    with pytest.raises(CallError, match="no model"):
        bias.egger(y, v, model="random")


@pytest.mark.parametrize("name", METAFOR)
def test_begg(name):
    y, v = effects(name)
    expected = METAFOR[name]["ranktest"]
    found = bias.begg(y, v)
    tau = expected["tau"]["tau"] if isinstance(expected["tau"], dict) else expected["tau"]
    assert found.tau == pytest.approx(tau, rel=1e-12, abs=1e-15)
    assert found.p_value == pytest.approx(expected["pval"], rel=1e-9)
    assert bias.begg(y, v, exact=False).p_value == pytest.approx(
        METAFOR[name]["ranktest_inexact"]["pval"], rel=1e-9
    )


def test_begg_does_not_see_rounding_as_order():
    y, v = np.array([0.1, 0.3, 0.2, 0.5, 0.4]), np.array([0.1, 0.2, 0.3, 0.1, 0.5])
    assert not bias.begg(y, v).exact
    shaken = v * (1 + np.array([0, 0, 0, 2e-16, 0]))
    assert bias.begg(y, shaken) == bias.begg(y, v)
    assert bias.begg(y * 0.1, v * 0.01) == bias.begg(y, v)


def test_begg_ties_effects_that_equal_the_mean():
    v = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    y = np.array([1.0, -2.0, 0.0, 4.0, 0.0, 0.0])
    y[1] -= np.sum(y / v) * v[1]  # the mean is 0, and so are three of the effects, but for rounding
    tests = [bias.begg(y + 1e-16 * np.array([0, 0, *signs]), v) for signs in ((0, 1, 0, -1), (0, -1, 0, 1))]
    assert tests[0] == tests[1]
    assert not tests[0].exact


def test_harbord_and_peters_equal_lm():
    counts = {key: np.array(item, float) for key, item in METAFOR["bcg"]["counts"].items()}
    a, c = counts["ai"], counts["ci"]
    n1, n2 = a + counts["bi"], c + counts["di"]
    found, expected = bias.harbord(a, n1, c, n2), OTHER["harbord"][0]
    assert [found.slope.estimate[0], found.slope.std_error[0], found.slope.p_value[0]] == pytest.approx(
        [expected[0], expected[1], expected[3]], rel=1e-9
    )
    found, expected = bias.peters(effects("bcg")[0], a + c, n1 + n2), OTHER["peters"][1]
    assert [found.slope.estimate[0], found.slope.std_error[0], found.slope.p_value[0]] == pytest.approx(
        [expected[0], expected[1], expected[3]], rel=1e-9
    )


def test_pet_peese_equals_lm():
    found = bias.pet_peese(*effects("bcg"))
    for ours, theirs in ((found.pet, OTHER["pet"][0]), (found.peese, OTHER["peese"][0])):
        assert [ours.estimate[0], ours.std_error[0], ours.p_value[0]] == pytest.approx(
            [theirs[0], theirs[1], theirs[3]], rel=1e-9
        )
    assert found.chosen == "PET"  # p = 0.52
    y, v = effects("normand1999")
    strong = bias.pet_peese(np.full(6, 2.0) + 0.01 * np.arange(6), np.linspace(0.01, 0.4, 6))
    assert strong.chosen == "PEESE"
    assert bias.pet_peese(-y, v).chosen == bias.pet_peese(y, v).chosen


@pytest.mark.parametrize("name", METAFOR)
def test_trim_and_fill(name):
    y, v = effects(name)
    assert len(METAFOR[name]["trimfill"]) == 6
    for key, expected in METAFOR[name]["trimfill"].items():
        model, estimator = key.split("_")
        found = bias.trim_fill(y, v, None if model == "EE" else model, estimator)
        rel = 1e-4 if model == "REML" else 1e-10
        assert (found.missing, found.side) == (expected["k0"], expected["side"])
        assert found.std_error == pytest.approx(expected["se_k0"], rel=1e-9)
        assert np.sort(found.y[len(y) :]) == pytest.approx(np.sort(expected["fill_yi"]), rel=rel)
        assert found.solution.beta[0] == pytest.approx(expected["beta"], rel=rel)
        assert found.solution.covariance[0, 0] ** 0.5 == pytest.approx(expected["se"], rel=rel)


def test_trim_and_fill_mirrors():
    y, v = effects("bcg")
    for estimator in ("L0", "R0"):
        one, other = bias.trim_fill(y, v, None, estimator), bias.trim_fill(-y, v, None, estimator)
        assert one.missing == other.missing
        assert one.side != other.side
        assert one.solution.beta[0] == pytest.approx(-other.solution.beta[0], rel=1e-12)
    with pytest.raises(CallError):
        bias.trim_fill(y, v, None, "Q0")


@pytest.mark.parametrize("name", OTHER["selection"])
def test_selection_model(name):
    expected = OTHER["selection"][name]
    y, v = np.array(expected["yi"]), np.array(expected["vi"])
    found = selection_model(y, v, direction=expected["alt"])
    assert found.log_likelihood >= expected["ll"] - 1e-9
    assert found.effect.estimate[0] == pytest.approx(expected["beta"], rel=1e-6)
    assert found.effect.std_error[0] == pytest.approx(expected["se"], rel=2e-6)
    assert found.tau2 == pytest.approx(expected["tau2"], rel=1e-6, abs=1e-9)
    assert found.relative_probability.estimate[0] == pytest.approx(expected["delta"][1], rel=1e-5)
    assert found.relative_probability.std_error[0] == pytest.approx(expected["se_delta"][1], rel=5e-5)
    assert found.lr_statistic == pytest.approx(expected["LRT"], rel=1e-7)
    assert found.lr_p_value == pytest.approx(expected["LRTp"], rel=1e-7)


def test_selection_model_is_the_maximum():
    from scipy.stats import norm

    expected = OTHER["selection"]["hackshaw"]
    y, v = np.array(expected["yi"]), np.array(expected["vi"])
    found = selection_model(y, v, direction="greater")

    def height(mu, tau2, ratio):
        s = np.sqrt(v + tau2)
        seen = norm.sf(1.959963984540054 * np.sqrt(v), mu, s)
        weight = np.where(y >= 1.959963984540054 * np.sqrt(v), 1, ratio)
        return np.sum(norm.logpdf(y, mu, s) + np.log(weight) - np.log(seen + ratio * (1 - seen)))

    at = (found.effect.estimate[0], found.tau2, found.relative_probability.estimate[0])
    assert height(*at) == pytest.approx(found.log_likelihood, rel=1e-10)
    rng = np.random.default_rng(2)
    for _ in range(300):
        factors = np.exp(rng.normal(0, 0.3, 3))
        assert height(*(np.array(at) * factors)) <= found.log_likelihood


def test_selection_model_mirrors_and_refuses():
    expected = OTHER["selection"]["bcg"]
    y, v = np.array(expected["yi"]), np.array(expected["vi"])
    one, other = selection_model(y, v), selection_model(-y * 1e3, v * 1e6)
    assert (one.direction, other.direction) == ("less", "greater")
    assert other.effect.estimate[0] == pytest.approx(-1e3 * one.effect.estimate[0], rel=1e-7)
    assert other.lr_statistic == pytest.approx(one.lr_statistic, rel=1e-7)
    with pytest.raises(RefusedError, match="one-sided p"):
        selection_model(np.full(12, 3.0) + np.arange(12) * 0.1, np.full(12, 0.1))
    with pytest.raises(RefusedError, match="needs 10 effects"):
        selection_model(y[:5], v[:5])
    with pytest.raises(CallError):
        selection_model(y, v, direction="up")
    with pytest.raises(CallError):
        selection_model(y, v, step=1.5)


def test_frames():
    entry = METAFOR["bcg"]
    counts = {key: np.array(item, float) for key, item in entry["counts"].items()}
    frame = pd.DataFrame(
        {"study": entry["study"], "yi": entry["yi"], "vi": entry["vi"], "events_a": counts["ai"],
         "n_a": counts["ai"] + counts["bi"], "events_b": counts["ci"], "n_b": counts["ci"] + counts["di"]}
    )  # fmt: skip
    fit = pairwise.fit(frame, measure="OR", tau2="DL", ci="Wald")
    slope = entry["regtest"]["lm_coefficients"]["values"][1]
    assert values(fit.egger(predictor="se"), "bias")["std_error"] == pytest.approx(slope[1], rel=1e-9)
    assert values(fit.begg(anyway=True), "rank correlation")["p_value"] == pytest.approx(
        entry["ranktest"]["pval"], rel=1e-9
    )
    harbord = fit.harbord()
    assert "too often without any bias" in harbord["note"].iloc[0]  # log odds ratio -0.75
    together = fit.sensitivity()
    assert together[together["method"].str.startswith("Harbord")]["quantity"].tolist() == ["refused"]
    assert values(harbord, "bias")["estimate"] == pytest.approx(OTHER["harbord"][0][0], rel=1e-9)
    assert values(fit.peters(), "bias")["estimate"] == pytest.approx(OTHER["peters"][1][0], rel=1e-9)
    trimmed = fit.trim_fill(anyway=True)
    for model, key in (("common", "EE_L0"), ("random", "DL_L0")):
        found = values(trimmed, "all and filled in", model)
        assert found["missing"] == entry["trimfill"][key]["k0"]
        assert found["estimate"] == pytest.approx(entry["trimfill"][key]["beta"], rel=1e-10)
    assert (trimmed["item"].str.startswith("filled in") & (trimmed["quantity"] == "estimate")).sum() == 4
    assert fit.pet_peese(anyway=True)["method"].unique().tolist() == ["PET", "PEESE", "PET-PEESE"]
    assert values(fit.selection_model(), "effect")["estimate"] == pytest.approx(
        OTHER["selection"]["bcg"]["beta"], rel=1e-6
    )
    assert "up to 9 %" in fit.egger("additive")["note"].iloc[0]
    adjusted = pairwise.fit(frame, measure="OR", ci="HK").egger("additive")
    assert not adjusted["note"].str.contains("9 %", na=False).any()
    few = pairwise.fit(frame.iloc[:6], measure="OR").egger()
    assert few["note"].str.contains("fewer than ten").any()


def test_harbord_stands_beside_peters_where_it_holds_its_level():
    rng = np.random.default_rng(5)
    n = rng.integers(40, 90, 12).astype(float)
    events = np.round(0.4 * n)
    differ = rng.integers(-3, 4, 12)
    for more, holds in ((0, True), (12, False)):
        frame = pd.DataFrame(
            {
                "study": [f"s{i}" for i in range(12)],
                "events_a": events + differ + more,
                "n_a": n,
                "events_b": events,
                "n_b": n,
            }
        )
        odds = [(frame[f"events_{x}"] + 0.5, frame[f"n_{x}"] - frame[f"events_{x}"] + 0.5) for x in "ab"]
        (a, b), (c, d) = odds
        fit = pairwise.fit(
            frame.assign(yi=np.log(a * d / b / c), vi=1 / a + 1 / b + 1 / c + 1 / d), measure="OR"
        )
        found = fit.sensitivity().query("quantity != 'refused'")
        given = {"Peters", "Harbord"} & set(found["method"].str.split(",").str[0])
        assert given == ({"Peters", "Harbord"} if holds else {"Peters"})


def test_all_of_them_at_once():
    entry = METAFOR["bcg"]
    frame = pd.DataFrame(
        {"study": entry["study"], "yi": entry["yi"], "vi": entry["vi"], "alloc": entry["alloc"]}
    )
    fit = pairwise.fit(frame, measure="OR", by="alloc")
    found = fit.sensitivity()
    assert list(found.columns) == list(results.COLUMNS["sensitivity"])
    for method in ("influence", "Baujat", "outliers", "Begg", "trim and fill L0", "PET-PEESE", "subgroups"):
        assert (found["method"] == method).any()
    refused = found[found["quantity"] == "refused"]
    assert list(refused["method"])[:2] == ["Peters", "Harbord"]  # no counts in this table
    assert refused["note"].iloc[:2].str.contains("events").all()
    # The standard error of a log odds ratio holds the ratio.
    assert {"Begg", "trim and fill L0", "PET-PEESE"} <= set(refused["method"])
    alone = pairwise.fit(frame.iloc[:1]).sensitivity()
    assert {"Begg", "selection model"} <= set(alone[alone["quantity"] == "refused"]["method"])


def test_funnel():
    entry = METAFOR["bcg"]
    frame = pd.DataFrame({"study": entry["study"], "yi": entry["yi"], "vi": entry["vi"]})
    points, lines = pairwise.fit(frame).funnel()
    assert points["std_error"].to_numpy() == pytest.approx(np.sqrt(entry["vi"]))
    contour = lines[(lines["kind"] == "contour") & (lines["level"] == 0.95)]
    assert (contour["upper"] / contour["std_error"]).iloc[1:].to_numpy() == pytest.approx(1.959964, rel=1e-6)
    pseudo = lines[lines["kind"] == "pseudo confidence limit"]
    assert (pseudo["lower"] + pseudo["upper"]).iloc[0] / 2 == pytest.approx(
        entry["models"]["EE"]["beta"], rel=1e-9
    )


def test_refusals():
    frame = pd.DataFrame({"study": list("abcd"), "yi": [1.0, 2.0, 3.0, 2.5], "vi": 0.5})
    fit = pairwise.fit(frame, measure="MD")
    with pytest.raises(RefusedError, match="equally precise"):
        fit.egger()
    with pytest.raises(RefusedError, match="odds ratios"):
        fit.peters()
    with pytest.raises(RefusedError, match="odds ratios"):
        fit.harbord()
    with pytest.raises(RefusedError, match="at least 10"):
        pairwise.fit(frame.iloc[:2]).begg()


def test_smd_is_regressed_on_what_does_not_hold_the_effect():
    rng = np.random.default_rng(2)
    n = rng.integers(4, 16, 12).astype(float)
    g = rng.normal(1.5, 0.5, 12)
    frame = pd.DataFrame(
        {"study": [f"s{i}" for i in range(12)], "yi": g, "vi": 2 / n + g**2 / (4 * n), "n_a": n, "n_b": n}
    )
    fit = pairwise.fit(frame, measure="SMD")
    found = fit.egger()
    assert found["method"].str.contains("sqrt(1/n1+1/n2)", regex=False).all()
    # The same as ordinary weighted least squares on the sizes.
    w, x = n / 2, np.sqrt(2 / n)
    X = np.column_stack([np.ones(12), x])
    beta = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * g))
    assert values(found, "bias")["estimate"] == pytest.approx(beta[1], rel=1e-9)
    # With a variance between studies the sizes weigh as much in sum as the variances do, and hold no effect either.
    even = (2 / n) * (frame["vi"].sum() / (2 / n).sum())
    by_hand = pairwise.fit(frame.assign(vi=even, size=x), measure="MD").meta_regression("size").coefficients()
    slope = by_hand[by_hand["term"] == "size"].iloc[0]
    additive = values(fit.egger("additive"), "bias", "random")
    assert additive["estimate"] == pytest.approx(slope["estimate"], rel=1e-6)
    assert additive["p_value"] == pytest.approx(slope["p_value"], rel=1e-5)
    shifted = pairwise.fit(
        frame.assign(vi=frame["vi"].sample(frac=1, random_state=1).to_numpy()), measure="SMD"
    )
    assert values(shifted.egger("additive"), "bias", "random").to_dict() == pytest.approx(
        additive.to_dict(), rel=1e-9
    )
    assert "without any bias" in str(fit.egger(predictor="se")["note"].iloc[0])
    for name in ("begg", "trim_fill", "pet_peese"):
        with pytest.raises(RefusedError, match="lopsided"):
            getattr(fit, name)()
    with pytest.raises(RefusedError, match="number of participants"):
        pairwise.fit(frame.drop(columns=["n_a", "n_b"]), measure="SMD").egger()
    few = pairwise.fit(frame.iloc[:9].drop(columns=["n_a", "n_b"]), measure="MD").sensitivity()
    refused = few[few["quantity"] == "refused"]
    assert {"Begg", "trim and fill L0", "PET-PEESE", "selection model"} <= set(refused["method"])
    assert refused["note"].str.contains("at least 10|10 effects").any()
