"""Estimators of the between-study variance against metafor, and against the equations that define them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pairwise.model import tau2
from analysis.pairwise.model.rows import EffectRows, rotate

CLOSED = ("DL", "HE", "HS", "SJ")
ITERATED = ("REML", "ML", "PM", "EB")
REFERENCE = json.loads(
    (Path(__file__).parents[2] / "oracles" / "pairwise_metafor.json").read_text(encoding="utf-8")
)


def data(name: str) -> tuple[EffectRows, dict]:
    entry = REFERENCE["data"][name]
    return EffectRows.of(entry["yi"], entry["vi"]), entry


def log_likelihood(y, v, t, restricted=True):
    """The likelihood written out anew, without any of the package's shortcuts."""
    w = 1 / (v + t)
    mu = np.sum(w * y) / np.sum(w)
    value = np.sum(np.log(v + t)) + np.sum(w * (y - mu) ** 2)
    return -0.5 * (value + np.log(np.sum(w)) if restricted else value)


@pytest.mark.parametrize("name", REFERENCE["data"])
@pytest.mark.parametrize("method", CLOSED)
def test_closed_forms_equal_metafor(name, method):
    rows, entry = data(name)
    expected = entry["models"][method]
    estimate = tau2.estimate(rows, method)
    solution = rows.profile.solve(estimate)
    assert estimate == pytest.approx(expected["tau2"], rel=1e-10, abs=1e-14)
    assert solution.beta[0] == pytest.approx(expected["beta"], rel=1e-10)
    assert solution.covariance[0, 0] ** 0.5 == pytest.approx(expected["se"], rel=1e-10)


@pytest.mark.parametrize("name", REFERENCE["data"])
def test_common_effect_equals_metafor(name):
    rows, entry = data(name)
    solution = rows.profile.solve(0.0)
    expected = entry["models"]["EE"]
    assert solution.beta[0] == pytest.approx(expected["beta"], rel=1e-12)
    assert solution.residual_ss == pytest.approx(expected["QE"], rel=1e-12)
    assert solution.log_likelihood == pytest.approx(expected["ll_ml"], rel=1e-12)
    assert solution.restricted_log_likelihood == pytest.approx(expected["ll_reml"], rel=1e-12)


@pytest.mark.parametrize("name", REFERENCE["data"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_likelihood_is_nowhere_higher(name, method):
    rows, entry = data(name)
    restricted = method == "REML"
    estimate = tau2.estimate(rows, method)
    best = log_likelihood(rows.y, rows.v, estimate, restricted)
    elsewhere = [*np.geomspace(1e-8, 1e4, 4001) * rows.v.mean(), 0.0, entry["models"][method]["tau2"]]
    assert all(best >= log_likelihood(rows.y, rows.v, t, restricted) - 1e-12 for t in elsewhere)
    assert estimate == pytest.approx(entry["models"][method]["tau2"], rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("name", REFERENCE["data"])
@pytest.mark.parametrize("method", ["PM", "EB"])
def test_q_equals_its_degrees_of_freedom(name, method):
    rows, _ = data(name)
    estimate = tau2.estimate(rows, method)
    if estimate > 0:
        assert rows.profile.solve(estimate).residual_ss == pytest.approx(rows.df, rel=1e-12)
    else:
        assert rows.profile.solve(0.0).residual_ss <= rows.df


@pytest.mark.parametrize("name", REFERENCE["data"])
def test_intervals_solve_their_equations(name):
    from scipy.stats import chi2

    rows, _ = data(name)
    lower, upper = tau2.interval(rows, "QP")
    for end, probability in ((lower, 0.975), (upper, 0.025)):
        target = chi2.ppf(probability, rows.df)
        q = rows.profile.solve(end).residual_ss
        assert q == pytest.approx(target, rel=1e-10) if end > 0 else q <= target
    lower, upper = tau2.interval(rows, "PL")
    best = log_likelihood(rows.y, rows.v, tau2.estimate(rows, "REML"))
    drop = chi2.ppf(0.95, 1) / 2
    assert best - log_likelihood(rows.y, rows.v, upper) == pytest.approx(drop, rel=1e-9)
    if lower > 0:
        assert best - log_likelihood(rows.y, rows.v, lower) == pytest.approx(drop, rel=1e-9)


@pytest.mark.parametrize("method", tau2.METHODS)
@pytest.mark.parametrize("power", [-60, -9, 7, 60])
def test_scale_does_not_matter(method, power):
    rows, _ = data("bcg")
    scaled = EffectRows.of(rows.y * 10.0**power, rows.v * 100.0**power)
    one, other = tau2.estimate(rows, method), tau2.estimate(scaled, method)
    assert other / 100.0**power == pytest.approx(one, rel=1e-12)
    for name in tau2.INTERVALS:
        assert np.array(tau2.interval(scaled, name)) / 100.0**power == pytest.approx(
            np.array(tau2.interval(rows, name)), rel=1e-9
        )


def test_highest_of_several_maxima():
    # Two tight pairs far apart from each other and a loose study: the restricted likelihood has two maxima.
    y = np.array([0.0, 0.0, 10.0, 3.0, -3.0])
    v = np.array([1e-4, 1e-4, 400.0, 4.0, 4.0])
    rows = EffectRows.of(y, v)
    grid = np.concatenate([[0], np.geomspace(1e-8, 1e4, 20001)])
    heights = np.array([log_likelihood(y, v, t) for t in grid])
    assert log_likelihood(y, v, tau2.estimate(rows, "REML")) >= heights.max() - 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-6, 3)),
        min_size=2,
        max_size=9,
    )
)
def test_reml_is_the_global_maximum(pairs):
    y = np.array([pair[0] for pair in pairs])
    v = 10.0 ** np.array([pair[1] for pair in pairs])
    estimate = tau2.estimate(EffectRows.of(y, v), "REML")
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e4, 300)])
    best = max(log_likelihood(y, v, t) for t in grid)
    assert log_likelihood(y, v, estimate) >= best - 1e-9 * max(1.0, abs(best))


def test_correlated_rows_have_the_multivariate_likelihood():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(7)
    V = np.array([[0.3, 0.1, 0.0], [0.1, 0.2, 0.0], [0.0, 0.0, 0.5]])
    R = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    y = rng.normal(size=3)
    rows = rotate(
        y, np.diag(V), np.ones((3, 1)), np.array([0, 0, 1]), [(np.array([0, 1]), V[:2, :2], R[:2, :2])]
    )
    for t in (0.0, 0.1, 2.0):
        inverse = np.linalg.inv(V + t * R)
        mu = inverse.sum(0) @ y / inverse.sum()
        solution = rows.profile.solve(t)
        assert solution.beta[0] == pytest.approx(mu, rel=1e-12)
        assert solution.covariance[0, 0] == pytest.approx(1 / inverse.sum(), rel=1e-12)
        expected = multivariate_normal.logpdf(y, np.full(3, mu), V + t * R)
        # The rows are those of R^-1/2 y: their density differs by the constant log |R| / 2.
        assert solution.log_likelihood == pytest.approx(expected + 0.5 * np.linalg.slogdet(R)[1], rel=1e-12)
    weights = rows.to_contrasts(rows.X[:, 0] / (rows.v + 0.1))
    inverse = np.linalg.inv(V + 0.1 * R)
    assert weights == pytest.approx(inverse.sum(0), rel=1e-12)
