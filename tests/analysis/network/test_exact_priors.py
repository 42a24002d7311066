"""Priors of tau against SciPy's distributions, their text, and their change of unit."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from analysis.network.model.priors import (
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    LogNormal,
    LogT,
    Uniform,
    customary,
    parse,
)
from evidence.errors import CallError

TAU = np.array([0.01, 0.3, 1.0, 2.7])

# Densities of tau; those of tau2 have the Jacobian 2 tau.
SCIPY = {
    "uniform(0.005, 5)": lambda t: stats.uniform(0.005, 4.995).pdf(t),
    "half-normal(1.5)": lambda t: stats.halfnorm(scale=1.5).pdf(t),
    "half-cauchy(0.5)": lambda t: stats.halfcauchy(scale=0.5).pdf(t),
    "log-normal(-2.56, 1.74)": lambda t: stats.lognorm(1.74, scale=np.exp(-2.56)).pdf(t**2) * 2 * t,
    "log-t(-3.44, 2.59, 5)": lambda t: stats.t(5, -3.44, 2.59).pdf(np.log(t**2)) * 2 / t,
    "inverse-gamma(0.5, 0.02)": lambda t: stats.invgamma(0.5, scale=0.02).pdf(t**2) * 2 * t,
}


@pytest.mark.parametrize("text", SCIPY)
def test_density_is_scipy_s(text):
    prior = parse(text)
    assert np.exp(prior.log_density(TAU)) == pytest.approx(SCIPY[text](TAU), rel=1e-12)
    between, _ = quad(lambda t: float(np.exp(prior.log_density(np.array(t)))), 0.1, 2.0, epsabs=1e-12)
    assert prior.probability(2.0) - prior.probability(0.1) == pytest.approx(between, abs=1e-9)


@pytest.mark.parametrize("text", SCIPY)
def test_a_cut_prior_is_renormalised_and_ends_at_its_limit(text):
    if text.startswith("uniform"):
        return
    prior = parse(f"{text} T(, 1.3)")
    assert prior.upper == 1.3
    assert prior.log_density(np.array([1.31]))[0] == -np.inf
    assert float(prior.probability(1.3)) == pytest.approx(1.0, abs=1e-12)
    kept = parse(text).probability(1.3)
    assert np.exp(prior.log_density(TAU[:3])) == pytest.approx(SCIPY[text](TAU[:3]) / kept, rel=1e-10)
    assert "T(, 1.3)" in str(prior)


@pytest.mark.parametrize("text", SCIPY)
@pytest.mark.parametrize("factor", [1e-6, 0.5, 1000.0])
def test_change_of_unit(text, factor):
    prior = parse(text)
    other = prior.rescaled(factor)
    assert np.exp(other.log_density(TAU * factor)) * factor == pytest.approx(
        np.exp(prior.log_density(TAU)), rel=1e-9
    )
    assert other.reach == pytest.approx(prior.reach * factor, rel=1e-9)


def test_text_is_read_generously():
    assert parse("Uniform(0,5)") == Uniform(upper=5.0)
    assert parse("tau ~ half-normal( 0.5 )") == HalfNormal(scale=0.5)
    assert parse("half normal(1)") == parse("halfnormal(1)") == HalfNormal(scale=1.0)
    assert parse("half_cauchy(2)") == HalfCauchy(scale=2.0)
    assert parse("log-normal(-2.56, 1.74) of tau2") == LogNormal(mean=-2.56, sd=1.74)
    assert parse("tau2 ~ log-t(-3.44, 2.59, 5)") == LogT(mean=-3.44, scale=2.59, df=5.0)
    assert parse("inverse-gamma(0.001, 0.001)") == InverseGamma(shape=0.001, rate=0.001)
    assert parse(HalfNormal(scale=2.0)) == HalfNormal(scale=2.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uniform",
        "uniform(5)",
        "uniform(5, 1)",
        "uniform(-1, 1)",
        "uniform(0, x)",
        "uniform(0, 5) T(, 3)",
        "half-normal(0)",
        "half-normal(-1)",
        "half-normal(nan)",
        "log-normal(0, 0)",
        "log-t(0, 1)",
        "gamma(1, 1)",
        "inverse-gamma(0, 1)",
        "half-normal(inf)",
    ],
)
def test_text_that_is_no_prior_says_what_would_be(text):
    with pytest.raises(CallError) as refused:
        parse(text)
    assert "prior" in str(refused.value)


def test_words_carry_the_unit():
    assert parse("uniform(0, 5)").describe("mmol/L") == "tau ~ uniform(0, 5) mmol/L"
    assert (
        parse("log-normal(-2.56, 1.74)").describe("mmol/L")
        == "tau2 ~ log-normal(-2.56, 1.74) with tau in mmol/L"
    )
    assert str(parse("half-normal(1)")) == "tau ~ half-normal(1)"


def test_customary_priors_follow_the_scale():
    for one, other in zip(customary(2.0), customary(2000.0)):
        assert np.exp(other.log_density(TAU * 1000)) * 1000 == pytest.approx(
            np.exp(one.log_density(TAU)), rel=1e-9
        )
