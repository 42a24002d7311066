"""Mantel-Haenszel, Peto, and the exact likelihoods of counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise
from analysis.pairwise import binomial, counts
from evidence.errors import RefusedError

METAFOR = json.loads(
    (Path(__file__).parents[2] / "oracles" / "pairwise_metafor.json").read_text(encoding="utf-8")
)["data"]
BINARY = ("bcg", "nielweise2007")


def table(name):
    entry = METAFOR[name]
    cells = {key: np.array(values, float) for key, values in entry["counts"].items()}
    return pd.DataFrame(
        {
            "study": entry["study"], "yi": entry["yi"], "vi": entry["vi"], "events_a": cells["ai"],
            "n_a": cells["ai"] + cells["bi"], "events_b": cells["ci"], "n_b": cells["ci"] + cells["di"],
        }
    )  # fmt: skip


def tables(fit):
    return counts.table(fit.assembly, fit.contrasts.measure, divided=False)


def first(fit):
    return fit.estimates().iloc[0]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("method", ["MH", "Peto"])
def test_odds_ratio(name, method):
    expected = METAFOR[name]["mh"]["OR"] if method == "MH" else METAFOR[name]["peto"]
    fit = pairwise.fit(table(name), measure="OR", method=method)
    row, spread = first(fit), fit.heterogeneity().iloc[0]
    assert row["engine"] == method
    assert row["estimate"] == pytest.approx(expected["beta"], rel=1e-12)
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-12)
    assert row["p_value"] == pytest.approx(expected["pval"], rel=1e-10)
    assert spread["q"] == pytest.approx(expected["QE"], rel=1e-11)
    assert spread["p_value"] == pytest.approx(expected["QEp"], rel=1e-10)
    assert fit.estimates().iloc[1]["engine"] == "frequentist"
    assert fit.weights().query("model == 'common'")["weight"].sum() == pytest.approx(1)


def test_tests_on_tables():
    expected = METAFOR["bcg"]["mh"]["OR"]
    found = pairwise.fit(table("bcg"), measure="OR", method="MH").table_tests()
    found = found.set_index(["method", "quantity"])["value"]
    for name, key in (("Cochran-Mantel-Haenszel", "MH"), ("Breslow-Day", "BD"), ("Tarone", "TA")):
        assert found[name, "statistic"] == pytest.approx(expected[key], rel=1e-11)
        assert found[name, "p_value"] == pytest.approx(expected[f"{key}p"], rel=1e-10)


@pytest.mark.parametrize("method", ["MH", "Peto"])
def test_leaving_out(method):
    frame = table("nielweise2007")
    left_out = pairwise.fit(frame, measure="OR", method=method).leave_one_out().query("model == 'common'")
    assert (left_out["engine"] == method).all()
    for study in frame["study"][:4]:
        refit = first(pairwise.fit(frame[frame["study"] != study], measure="OR", method=method))
        row = left_out[left_out["study"] == study].iloc[0]
        assert row["estimate"] == pytest.approx(refit["estimate"], rel=1e-12)
        assert row["ci_upper"] == pytest.approx(refit["ci_upper"], rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["binomial", "CM.AL", "UM.FS"])
@pytest.mark.parametrize("name", BINARY)
def test_integrals_equal_adaptive_quadrature(name, method):
    """The likelihood at one point, written out anew and integrated by QUADPACK."""
    from scipy.integrate import quad
    from scipy.stats import binom, nchypergeom_fisher, norm

    data = tables(pairwise.fit(table(name), measure="OR", method=method))
    family = binomial.family_of(data, method, "OR")
    theta, tau = -0.9, 0.6
    ours = binomial.integrate(family, theta, tau)
    events = data.a + data.c
    informative = np.flatnonzero((events > 0) & (events < data.n1 + data.n2))
    total = 0.0
    for place, study in enumerate(informative):
        a, n1, c, n2 = (values[study] for values in (data.a, data.n1, data.c, data.n2))

        def density(effect, place=place, a=a, n1=n1, c=c, n2=n2):
            if method == "binomial":
                return nchypergeom_fisher.pmf(a, n1 + n2, n1, a + c, np.exp(effect))
            if method == "CM.AL":
                return binom.pmf(a, a + c, 1 / (1 + np.exp(-effect) * n2 / n1))
            one, two = family.mu[place] + effect / 2, family.mu[place] - effect / 2
            return binom.pmf(a, n1, 1 / (1 + np.exp(-one))) * binom.pmf(c, n2, 1 / (1 + np.exp(-two)))

        value, _ = quad(
            lambda z, density=density: density(theta + tau * z) * norm.pdf(z), -9, 9, limit=400, epsrel=1e-11,
            epsabs=0, points=[-3, -1, 0, 1, 3],
        )  # fmt: skip
        total += np.log(value)
    assert ours.log_likelihood == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("method", ["binomial", "CM.AL", "UM.FS"])
def test_derivatives(method):
    data = tables(pairwise.fit(table("nielweise2007"), measure="OR", method=method))
    family = binomial.family_of(data, method, "OR")
    at = binomial.integrate(family, -1.1, 0.7)
    step = 1e-5
    for index, change in enumerate(((step, 0), (0, step))):
        up = binomial.integrate(family, -1.1 + change[0], 0.7 + change[1])
        down = binomial.integrate(family, -1.1 - change[0], 0.7 - change[1])
        slope = (up.log_likelihood - down.log_likelihood) / (2 * step)
        assert at.gradient[index] == pytest.approx(slope, rel=1e-6, abs=1e-7)
        assert at.hessian[index] == pytest.approx(
            (up.gradient - down.gradient) / (2 * step), rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("method", ["CM.AL", "UM.FS"])
@pytest.mark.parametrize("name", BINARY)
def test_likelihood_against_metafor(name, method):
    """metafor integrates with seven nodes; where the optimum is, ours is no lower anywhere near its answer."""
    expected = METAFOR[name]["glmm"][method]
    fit = pairwise.fit(table(name), measure="OR", method=method)
    row, spread = fit.estimates().iloc[1], fit.heterogeneity().iloc[1]
    assert row["estimate"] == pytest.approx(expected["beta"], rel=1e-3)
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-3)
    assert spread["tau2"] == pytest.approx(expected["tau2"], rel=2e-3)
    assert spread["q"] == pytest.approx(expected["QE_LRT"], rel=1e-6)
    family = fit.pooling.family
    best = fit.pooling.random_fit.log_likelihood
    theirs = binomial.integrate(family, expected["beta"], np.sqrt(expected["tau2"])).log_likelihood
    assert best >= theirs - 1e-12
    for theta, tau in ((0.01, 0), (-0.01, 0), (0, 0.02), (0, -0.02)):
        near = binomial.integrate(family, row["estimate"] + theta, spread["tau"] + tau)
        assert near.log_likelihood < best


def test_interval_of_tau_by_profile_likelihood():
    from scipy.optimize import minimize_scalar

    fit = pairwise.fit(table("bcg"), measure="OR", method="CM.AL")
    spread = fit.heterogeneity().iloc[1]
    family, best = fit.pooling.family, fit.pooling.random_fit.log_likelihood
    for tau in (spread["tau_lower"], spread["tau_upper"]):
        top = -minimize_scalar(
            lambda theta, tau=tau: -binomial.integrate(family, theta, tau).log_likelihood,
            bounds=(-3, 2), method="bounded", options={"xatol": 1e-10},
        ).fun  # fmt: skip
        assert best - top == pytest.approx(1.9207294, abs=1e-6)


def test_no_between_study_variance():
    # A hundred alike studies: the likelihood falls from tau = 0 on.
    frame = pd.DataFrame(
        {"study": range(12), "yi": 0.4, "vi": 0.2, "events_a": 30, "n_a": 100, "events_b": 20, "n_b": 100}
    )
    fit = pairwise.fit(frame, measure="OR", method="binomial")
    common, random = fit.estimates().iloc[0], fit.estimates().iloc[1]
    assert fit.heterogeneity()["tau2"].iloc[1] == 0
    assert random["estimate"] == common["estimate"]
    assert fit.heterogeneity()["tau2_lower"].iloc[1] == 0
    assert fit.heterogeneity()["tau2_upper"].iloc[1] > 0


def test_rates():
    frame = pd.DataFrame(
        {"study": list("abcd"), "yi": [0.1, -0.2, 0.5, 0.3], "vi": 0.2, "x1i": [7, 8, 3, 6], "t1i": [1344, 1600, 12012, 500],
         "x2i": [11, 8, 14, 4], "t2i": [1988, 1461, 10962, 700]}
    )  # fmt: skip
    fit = pairwise.fit(frame, measure="IRR", method="binomial")
    # With tau = 0 the conditional likelihood is a logistic regression with an offset.
    from scipy.optimize import brentq

    x, m = frame["x1i"].to_numpy(), (frame["x1i"] + frame["x2i"]).to_numpy()
    offset = np.log(frame["t1i"] / frame["t2i"]).to_numpy()
    score = lambda b: np.sum(x - m / (1 + np.exp(-(b + offset))))  # noqa: E731
    assert fit.estimates()["estimate"].iloc[0] == pytest.approx(brentq(score, -5, 5, xtol=1e-13), rel=1e-9)
    assert pairwise.fit(frame, measure="IRR", method="MH").estimates()["engine"].iloc[0] == "MH"


def test_refusals():
    frame = table("bcg")
    with pytest.raises(RefusedError, match="Peto gives OR, not RR"):
        pairwise.fit(frame, measure="RR", method="Peto")
    with pytest.raises(RefusedError, match="events") as error:
        pairwise.fit(frame.assign(events_a=[np.nan, *frame["events_a"][1:]]), measure="OR", method="MH")
    assert error.value.problems[0].study == "Aronson 1948"
    with pytest.raises(RefusedError, match="infinite"):
        pairwise.fit(frame.assign(events_b=0.0), measure="OR", method="MH").estimates()
    with pytest.raises(RefusedError, match="0 or infinite"):
        pairwise.fit(frame.assign(events_b=0.0), measure="OR", method="binomial").estimates()
    with pytest.raises(RefusedError, match="whole numbers"):
        pairwise.fit(frame.assign(events_b=0.5), measure="OR", method="binomial").estimates()
    with pytest.raises(RefusedError, match="both events and non-events"):
        pairwise.fit(frame.assign(events_a=0.0, events_b=0.0), measure="OR", method="Peto").estimates()


@pytest.mark.parametrize("method", ["MH", "Peto", "CM.AL"])
def test_cumulative_equals_fitting_some(method):
    frame = table("bcg").assign(
        year=[1948, 1949, 1960, 1977, 1973, 1953, 1974, 1980, 1968, 1961, 1975, 1969, 1976]
    )
    rows = pairwise.fit(frame, measure="OR", method=method).cumulative("year")
    for which, until in (("common", 1961), ("random", 1969)):
        refit = pairwise.fit(frame[frame["year"] <= until], measure="OR", method=method).estimates()
        expected = refit[refit["model"] == which].iloc[0]
        name = frame.loc[frame["year"] == until, "study"].iloc[0]
        row = rows[(rows["model"] == which) & (rows["study"] == name)].iloc[0]
        assert row["engine"] == expected["engine"]
        for column in ("estimate", "std_error", "ci_lower"):
            assert row[column] == pytest.approx(expected[column], rel=1e-9)


def test_leaving_out_the_only_study_with_events():
    frame = table("bcg").iloc[:4].assign(events_b=[11.0, 0, 0, 0])
    left_out = pairwise.fit(frame, measure="OR", method="MH").leave_one_out().query("model == 'common'")
    gone = left_out["study"] == frame["study"].iloc[0]
    assert left_out.loc[gone, "estimate"].isna().all()
    assert left_out.loc[gone, "note"].str.contains("infinite").all()
    assert np.isfinite(left_out.loc[~gone, "estimate"].astype(float)).all()
    # The odds of the three others are infinite: the wider the distribution of effects, the likelier.
    with pytest.raises(RefusedError, match="Use method Peto or MH"):
        pairwise.fit(frame, measure="OR", method="binomial").estimates()


def test_prediction_intervals_of_likelihoods_are_named_as_they_are():
    fit = pairwise.fit(table("bcg"), measure="OR", method="CM.AL")
    row, tau = fit.estimates().iloc[1], fit.heterogeneity()["tau"].iloc[1]
    assert fit.options.prediction == "V"
    half = 2.1788128296672284 * np.hypot(tau, row["std_error"])  # t with 12 degrees of freedom
    assert row["pi_lower"] == pytest.approx(row["estimate"] - half, rel=1e-9)
    with pytest.raises(RefusedError, match="no meta-regression"):
        fit.meta_regression("yi")
