"""Mixtures of normals: the posterior of an effect once heterogeneity has been integrated out.

Everything here is deterministic: moments, densities and probabilities in closed form, quantiles by Newton's
method to rounding error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt

import numpy as np
from scipy.special import ndtr, ndtri

Array = np.ndarray

INTERVAL = (0.025, 0.975)
"""Probabilities of the equal-tailed 95 % interval."""

_CHUNK = 2_000_000  # mixture terms evaluated at once: some 16 MB per temporary array


@dataclass(frozen=True)
class NormalMixture:
    """Several mixtures of normals over the same J components.

    Attributes
    ----------
    weights : (J,) or (..., J) array
        Probabilities of the components, summing to 1.
    means, sds : (..., J) array
        Mean and standard deviation of each component of each mixture.
    """

    weights: Array
    means: Array
    sds: Array

    @cached_property
    def mean(self) -> Array:
        """Mean of each mixture, shape (...)."""
        return (self.weights * self.means).sum(-1)

    @cached_property
    def sd(self) -> Array:
        """Standard deviation of each mixture, shape (...)."""
        between = self.means - self.mean[..., None]
        return np.sqrt((self.weights * (self.sds**2 + between**2)).sum(-1))

    def probability_below(self, x: Array | float) -> Array:
        """Probability of a value below x.

        Parameters
        ----------
        x : float or array broadcasting with (...)

        Returns
        -------
        array of shape (...)
        """
        return (self.weights * ndtr((np.asarray(x)[..., None] - self.means) / self.sds)).sum(-1)

    def probability_above(self, x: Array | float) -> Array:
        """Probability of a value above x, accurate where it is small."""
        return (self.weights * ndtr((self.means - np.asarray(x)[..., None]) / self.sds)).sum(-1)

    def tail_probability(self, x: float = 0.0) -> Array:
        """Two-sided tail probability: twice the smaller of the probabilities on either side of x."""
        return np.minimum(2.0 * np.minimum(self.probability_below(x), self.probability_above(x)), 1.0)

    def density(self, x: Array | float) -> Array:
        """Probability density at x, shape (...)."""
        z = (np.asarray(x)[..., None] - self.means) / self.sds
        return (self.weights * np.exp(-0.5 * z**2) / self.sds).sum(-1) / sqrt(2.0 * pi)

    def interval(self) -> tuple[Array, Array]:
        """Equal-tailed 95 % interval: lower and upper limits, each of shape (...)."""
        limits = self.quantile(INTERVAL)
        return limits[..., 0], limits[..., 1]

    def quantile(self, probabilities: Array | tuple[float, ...]) -> Array:
        """Find quantiles, exact to rounding.

        Parameters
        ----------
        probabilities : sequence of q floats
            Strictly between 0 and 1.

        Returns
        -------
        (..., q) array
        """
        p = np.asarray(probabilities, dtype=float)
        shape = self.mean.shape
        means, sds = (np.reshape(a, (-1, a.shape[-1])) for a in np.broadcast_arrays(self.means, self.sds))
        weights = np.broadcast_to(self.weights, self.means.shape).reshape(means.shape)
        mean, sd = self.mean.ravel(), self.sd.ravel()
        step = max(1, _CHUNK // (len(p) * means.shape[-1]))
        slices = [slice(i, i + step) for i in range(0, len(means), step)]
        parts = [_quantile(weights[i], means[i], sds[i], mean[i], sd[i], p) for i in slices]
        return np.concatenate(parts).reshape(*shape, len(p)) if parts else np.empty((*shape, len(p)))


def _expanded(weights: Array, means: Array, sds: Array, mean: Array, sd: Array, z: Array) -> Array:
    """Bend normal quantiles by skewness and kurtosis (Cornish and Fisher), (C, q): nearer to begin with."""
    shift, spread = (means - mean[:, None]) / sd[:, None], (sds / sd[:, None]) ** 2
    square = shift**2
    skewness = (weights * shift * (square + 3 * spread)).sum(1, keepdims=True)
    kurtosis = (weights * (square**2 + 6 * square * spread + 3 * spread**2)).sum(1, keepdims=True) - 3
    bent = z + skewness * (z**2 - 1) / 6 + kurtosis * (z**3 - 3 * z) / 24
    bent = bent - skewness**2 * (2 * z**3 - 5 * z) / 36
    # Of tails so heavy that the expansion does not hold, normal ones are the better beginning.
    return np.where((np.abs(skewness) < 1) & (kurtosis < 3), bent, z)


def _quantile(weights: Array, means: Array, sds: Array, mean: Array, sd: Array, p: Array) -> Array:
    """Find q quantiles of C mixtures, (C, J) arrays, by Halley steps within a shrinking bracket."""
    z = ndtri(p)
    if means.shape[-1] == 1:
        return means + sds * z
    w, m, s = weights[:, None, :], means[:, None, :], 1.0 / sds[:, None, :]
    # A component's own quantile lies on both sides of the mixture's: the extremes bracket it.
    own = m + sds[:, None, :] * z[:, None]
    low, high = own.min(2), own.max(2)
    x = np.clip(mean[:, None] + sd[:, None] * _expanded(weights, means, sds, mean, sd, z), low, high)
    scaled = w * s
    for _ in range(200):
        t = (x[..., None] - m) * s
        excess = np.einsum("cj,cqj->cq", weights, ndtr(t)) - p
        kernel = scaled * np.exp(-0.5 * t**2)
        density = kernel.sum(-1) / sqrt(2.0 * pi)
        slope = np.einsum("cj,cqj->cq", s[:, 0], kernel * t) / -sqrt(2.0 * pi)
        low, high = np.where(excess < 0, x, low), np.where(excess > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = excess / density
            move = newton / np.maximum(1.0 - 0.5 * newton * slope / density, 0.5)
        target = x - move
        inside = (target >= low) & (target <= high)
        target = np.where(inside, target, 0.5 * (low + high))
        # Halley's error is cubic: after a step of 1e-5 sd what is left is below rounding.
        settled = (inside & (np.abs(target - x) <= 1e-5 * sd[:, None])) | (high - low <= 1e-13 * sd[:, None])
        x = target
        if settled.all():
            break
    return x
