"""Importance sampling with Pareto smoothed weights, and summaries of weighted draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log, sqrt

import numpy as np

from analysis.network.data.network import Array

LARGEST_SHAPE = 0.5
"""A Pareto shape k-hat of the weights from this on is not trusted: their variance may not exist."""
LEAST_SHARE = 0.1
"""Nor is an effective sample size below this share of the draws."""


def pareto_smoothed(log_weight: Array) -> tuple[Array, float]:
    """Smooth the largest importance weights by a generalised Pareto distribution.

    Parameters
    ----------
    log_weight : (N,) array
        Unnormalised.

    Returns
    -------
    weight : (N,) array
        Summing to 1.
    shape : float
        k-hat; infinity where the weights are no numbers, minus infinity where they are all alike.

    References
    ----------
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024). Pareto smoothed importance sampling. JMLR 25(72).
    """
    log_weight = np.asarray(log_weight, dtype=float)
    n = len(log_weight)
    if np.isnan(log_weight).any() or not np.isfinite(log_weight.max()):
        return np.full(n, np.nan), np.inf
    log_weight = log_weight - log_weight.max()
    tail = ceil(min(0.2 * n, 3.0 * sqrt(n)))
    order = np.argsort(log_weight, kind="stable")
    top = order[n - tail :]
    shape = -np.inf
    cut = max(log_weight[order[n - tail - 1]], log_weight.min()) if n > tail else log_weight.min()
    cut = max(cut, log(np.finfo(float).tiny))
    excess = np.exp(log_weight[top]) - np.exp(cut)
    if tail >= 5 and excess[-1] > 0 and np.ptp(log_weight[top]) > 1e-9:
        shape, scale = generalised_pareto(np.maximum(excess, 0.0))
        if np.isfinite(shape):
            p = (np.arange(tail) + 0.5) / tail
            quantile = scale * (
                np.expm1(-shape * np.log1p(-p)) / shape if abs(shape) > 1e-12 else -np.log1p(-p)
            )
            log_weight = log_weight.copy()
            log_weight[top] = np.minimum(np.log(quantile + np.exp(cut)), 0.0)
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum(), float(shape)


def generalised_pareto(excess: Array) -> tuple[float, float]:
    """Fit a generalised Pareto distribution to excesses over a threshold.

    Parameters
    ----------
    excess : (M,) array
        Ascending, 0 or more.

    Returns
    -------
    shape, scale : float
        The shape drawn towards 1/2 as by 10 further observations.

    References
    ----------
    Zhang J, Stephens MA (2009). A new and efficient estimation method for the generalized Pareto
    distribution. Technometrics 51:316-25; the prior of the shape as in Vehtari et al. (2024).
    """
    n = len(excess)
    m = 30 + int(sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    if quartile <= 0:
        quartile = excess[excess > 0][0]
    theta = (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3.0 * quartile) + 1.0 / excess[-1]
    k = np.log1p(-theta[:, None] * excess).mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = n * (np.log(-theta / k) - k - 1.0)
    weight = np.exp(profile - profile.max())
    weight /= weight.sum()
    keep = weight >= 10 * np.finfo(float).eps
    theta, weight = theta[keep], weight[keep] / weight[keep].sum()
    middle = float(theta @ weight)
    shape = float(np.log1p(-middle * excess).mean())
    scale = -shape / middle
    return (n * shape + 10 * 0.5) / (n + 10), scale


@dataclass(frozen=True)
class Draws:
    """Draws from a posterior with their weights, equal where a Markov chain made them.

    Attributes
    ----------
    weight : (N,) array
        Summing to 1.
    effects : (N, T) array
        Effects of the treatments against the reference, whose own column is 0.
    tau : (N,) array
        Heterogeneity; 0 with common effects.
    noise : (N,) array
        Standard normal numbers, for predictions.
    """

    weight: Array
    effects: Array
    tau: Array
    noise: Array

    @classmethod
    def alike(cls, effects: Array, tau: Array, seed: int) -> Draws:
        """Give all draws the same weight, and numbers for predictions by a seed of their own."""
        n = len(effects)
        return cls(np.full(n, 1.0 / n), effects, tau, np.random.default_rng(seed).standard_normal(n))

    @cached_property
    def effective(self) -> float:
        """Kish's effective number of draws, as if they were independent."""
        return float(1.0 / (self.weight**2).sum())

    def reweighted(self, weight: Array) -> Draws:
        """Give the same draws other weights."""
        return Draws(weight, self.effects, self.tau, self.noise)

    def difference(self, treatment: Array, versus: Array, *, predictive: bool = False) -> Array:
        """Draws of the effects of pairs, (N, m), or of the effects in a new study."""
        values = self.effects[:, treatment] - self.effects[:, versus]
        return values + (self.tau * self.noise)[:, None] if predictive else values

    def mean(self, values: Array) -> Array:
        """Means of the columns of (N, m) values."""
        return self.weight @ values

    def sd(self, values: Array) -> Array:
        """Compute standard deviations of the columns."""
        return np.sqrt(np.maximum(self.weight @ (values - self.mean(values)) ** 2, 0.0))

    def quantile(self, values: Array, probabilities: tuple[float, ...]) -> Array:
        """Quantiles of the columns, (m, q), interpolated between draws."""
        result = np.empty((values.shape[1], len(probabilities)))
        for i, column in enumerate(values.T):
            order = np.argsort(column, kind="stable")
            weight = self.weight[order]
            result[i] = np.interp(probabilities, np.cumsum(weight) - 0.5 * weight, column[order])
        return result

    def probability_above(self, values: Array, x: float = 0.0) -> Array:
        """Probabilities that the columns exceed x; ties count half."""
        return self.weight @ ((values > x) + 0.5 * (values == x))

    def mcse(self, values: Array) -> Array:
        """Monte Carlo standard errors of the means of the columns, as if the draws were independent."""
        return np.sqrt((self.weight**2) @ (values - self.mean(values)) ** 2)

    def rank_probabilities(self, lower_is_better: bool) -> Array:
        """Probability of every rank (columns, the best first) of every treatment (rows)."""
        n = self.effects.shape[1]
        order = np.argsort(self.effects if lower_is_better else -self.effects, axis=1)
        return np.stack(
            [np.bincount(order[:, rank], weights=self.weight, minlength=n) for rank in range(n)], axis=1
        )
