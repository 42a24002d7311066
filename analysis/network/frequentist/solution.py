"""The distribution of the estimates of generalised least squares: intervals, ranks drawn from it, I2."""

from __future__ import annotations

import numpy as np

from analysis.network import ranking
from analysis.network.data.network import Array
from analysis.network.model.gls import Solution
from analysis.network.protocol import Effects
from evidence.facts import NORMAL_975

PART = 10_000
"""Draws held at once."""


def interval(effect: Array, std_error: Array) -> Effects:
    """Wald interval and two-sided p-value."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore"):
        reach = NORMAL_975 * std_error
        p_value = 2 * ndtr(-np.abs(effect) / std_error)
        return Effects(effect, std_error, effect - reach, effect + reach, p_value)


def rank_probabilities(solution: Solution, lower_is_better: bool, n: int, seed: int) -> Array:
    """Share of draws from the estimates' normal distribution with each treatment at each rank.

    Parameters
    ----------
    solution : Solution
        At one value of tau2.
    lower_is_better : bool
    n, seed : int
        Of the draws.

    Returns
    -------
    (T, T) array
        Treatment by rank.
    """
    rng, effect = np.random.default_rng(seed), solution.effect[0]
    order, roots = ranking.canonical(effect, solution.root)
    mean, root = effect[order], roots[0]
    count = np.zeros((len(effect), len(effect)))
    # In parts, so that a large network does not take gigabytes.
    for start in range(0, n, PART):
        size = min(PART, n - start)
        draws = np.empty((size, len(effect)))
        draws[:, order] = mean + rng.standard_normal((size, root.shape[1])) @ root.T
        count += size * ranking.rank_probabilities(draws, lower_is_better)
    return count / n


def i_squared(q: float, df: int) -> tuple[float, float, float]:
    """I2 with its test-based 95 % interval.

    Parameters
    ----------
    q : float
    df : int

    Returns
    -------
    i2, lower, upper : float
        Shares, 0 to 1; NaN without degrees of freedom, no interval with one.

    References
    ----------
    Higgins JPT, Thompson SG (2002). Stat Med 21:1539-58. doi:10.1002/sim.1186 (appendix A2)
    """
    if df == 0:
        return np.nan, np.nan, np.nan
    i2 = max(0.0, 1 - df / q) if q > 0 else 0.0
    if df == 1:
        return i2, np.nan, np.nan
    if q > df + 1:
        spread = 0.5 * (np.log(q) - np.log(df)) / (np.sqrt(2 * q) - np.sqrt(2 * df - 1))
    else:
        spread = np.sqrt(1 / (2 * (df - 1)) * (1 - 1 / (3 * (df - 1) ** 2)))
    h = max(1.0, np.sqrt(q / df))
    bounds = [np.exp(np.log(h) + sign * NORMAL_975 * spread) for sign in (-1, 1)]
    lower, upper = (max(0.0, 1 - 1 / bound**2) for bound in bounds)
    return i2, lower, upper
