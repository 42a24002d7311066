"""Integration over heterogeneity: where to look, at which nodes, and how far the answer may be off.

With tau = s sinh u (s the smallest sampling standard deviation) the poles of the likelihood, at tau = +-i /
sqrt(theta), lie at least pi / 2 from the real u axis, tau = 0 is an ordinary point, and far out u is log
tau. Gauss-Legendre nodes in u therefore converge geometrically. Priors that vanish at zero take u = log
tau.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import acos, asinh, exp, inf, log, pi

import numpy as np

from analysis.network.model.priors import Prior

Array = np.ndarray

LIMITS = np.array([0.5, 0.025, 0.975])
"""Probabilities of the median and the ends of an equal-tailed 95 % interval."""

ROUNDING = 2e-14
"""What a probability may be off by from adding its series up."""

_NEGLIGIBLE = 40.0  # log density this far below the maximum is left out: exp(-40) is 4e-18
_NEARLY_ZERO = 1e-7  # heterogeneity below this share of the smallest sampling error changes nothing


@lru_cache(maxsize=64)
def legendre(n: int) -> tuple[Array, Array, Array]:
    """Nodes and weights of the n-point Gauss-Legendre rule on [-1, 1], and P_0 .. P_(n-1) at the nodes."""
    x, weight = np.polynomial.legendre.leggauss(n)
    return x, weight, np.polynomial.legendre.legvander(x, n - 1)


@dataclass(frozen=True)
class Coordinate:
    """The variable of integration u.

    Attributes
    ----------
    scale : float
        s of ``tau = s sinh u``: the smallest sampling standard deviation.
    logarithmic : bool
        Use ``tau = s exp u`` instead.
    """

    scale: float
    logarithmic: bool

    def tau(self, u: Array) -> Array:
        """Heterogeneity at u."""
        return self.scale * (np.exp(u) if self.logarithmic else np.sinh(u))

    def u(self, tau: float) -> float:
        """Find the u of a heterogeneity."""
        if self.logarithmic:
            return log(tau / self.scale) if tau > 0 else -inf
        return asinh(tau / self.scale)

    def log_slope(self, u: Array) -> Array:
        """Log of d tau / d u."""
        return log(self.scale) + (u if self.logarithmic else np.logaddexp(u, -u) - log(2.0))


@dataclass(frozen=True)
class Range:
    """The interval of u that holds the posterior.

    Attributes
    ----------
    lower, upper : float
    natural_lower, natural_upper : bool
        Whether the limit is one of tau itself (zero, or the prior's own end), not a cut through a
        negligible tail.
    atom : bool
        Whether what lies below `lower` enters as one node at tau = 0.
    """

    lower: float
    upper: float
    natural_lower: bool
    natural_upper: bool
    atom: bool


def find_range(
    log_likelihood: Callable[[Array], Array], prior: Prior, where: Coordinate, typical: float, moments: int
) -> Range:
    """Find the interval outside which the posterior and its moments are negligible.

    Parameters
    ----------
    log_likelihood : callable
        Log p(y | tau) for an array of tau.
    prior : Prior
    where : Coordinate
    typical : float
        A typical size of the heterogeneity that the data could show: sampling standard deviation or range
        of effects.
    moments : {0, 1, 2}
        Highest moment of tau that exists.

    Returns
    -------
    Range
    """

    def densities(u: Array) -> tuple[Array, Array]:
        tau = where.tau(u)
        h = log_likelihood(tau) + prior.log_density(tau) + where.log_slope(u)
        # Effects' variances grow with tau squared: the tail matters for as long as that moment gains from it.
        return h, h + 0.5 * moments * np.log1p((tau / typical) ** 2)

    least = where.u(max(prior.minimum, _NEARLY_ZERO * where.scale) if where.logarithmic else prior.minimum)
    most = where.u(prior.upper) if prior.upper < inf else inf
    low, high = least, min(most, max(where.u(max(prior.reach, typical)), least + 5.0))
    count = max(48, int((high - low) / 0.5))
    u = np.linspace(low, high, count)
    h, g = densities(u)
    while high < most and max(h[-1] - h.max(), g[-1] - g.max()) > -_NEGLIGIBLE - 5.0 and high < 300.0:
        further = np.linspace(high, min(high + 5.0, most), 11)[1:]
        more = densities(further)
        u, h, g = np.concatenate([u, further]), np.concatenate([h, more[0]]), np.concatenate([g, more[1]])
        high = float(u[-1])
    for _ in range(60):
        inside = np.flatnonzero(np.maximum(h - h.max(), g - g.max()) > -_NEGLIGIBLE)
        first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(u) - 1)
        low, high = float(u[first]), float(u[last])
        if len(inside) >= 6:
            break
        u = np.linspace(low, high, 32)
        h, g = densities(u)
    return Range(low, high, low <= least, high >= most, where.logarithmic and low <= least)


@dataclass(frozen=True)
class Nodes:
    """Nodes of one rule, before the data have their say.

    Attributes
    ----------
    u, tau : (J,) array
    log_weight : (J,) array
        Log of prior density, d tau / d u and Gauss weight together: adding the log likelihood gives log
        masses.
    """

    u: Array
    tau: Array
    log_weight: Array


def nodes(prior: Prior, where: Coordinate, span: Range, n: int) -> Nodes:
    """Place n Gauss-Legendre nodes, after the atom at zero where there is one.

    Parameters
    ----------
    prior : Prior
    where : Coordinate
    span : Range
    n : int

    Returns
    -------
    Nodes
    """
    x, weight, _ = legendre(n)
    half = 0.5 * (span.upper - span.lower)
    u = span.lower + half * (x + 1.0)
    tau = where.tau(u)
    log_weight = prior.log_density(tau) + where.log_slope(u) + np.log(weight * half)
    if span.atom:
        mass = float(prior.probability(where.tau(np.asarray(span.lower))))
        u, tau = np.append(span.lower, u), np.append(0.0, tau)
        log_weight = np.append(log(mass) if mass > 0 else -inf, log_weight)
    return Nodes(u, tau, log_weight)


@lru_cache(maxsize=64)
def distribution(n: int) -> tuple[Array, Array]:
    """Make Chebyshev series of distribution and density on [-1, 1] out of the masses of n Legendre nodes.

    The density is the sum of (k + 1/2) s_k P_k with s_k the mean of P_k; the integral of P_k from -1 is
    (P_(k+1) - P_(k-1)) / (2 k + 1), and x + 1 for k = 0. Chebyshev polynomials are cosines of multiples of
    one angle, so that a whole series is found at once.

    Returns
    -------
    (n, n + 1) array, (n, n) array
        Times the masses: coefficients of the polynomials of degree 0, 1, ...
    """
    _, _, basis = legendre(n)
    angle = pi * (np.arange(n + 1) + 0.5) / (n + 1)
    transform = np.cos(np.outer(np.arange(n + 1), angle)) * 2 / (n + 1)
    transform[0] /= 2
    at = np.polynomial.legendre.legvander(np.cos(angle), n)
    below = np.concatenate([at[:, :1] + at[:, 1:2], at[:, 2:] - at[:, :-2]], axis=1) / 2
    density = at[:, :-1] * (np.arange(n) + 0.5)
    return basis @ (transform @ below).T, basis @ (transform @ density).T[:, :n]


@dataclass(frozen=True)
class Heterogeneity:
    """The posterior of tau as a polynomial density in u, from the masses of the nodes.

    Quantiles come from the integral of the Legendre series through the nodes, never from steps between nodes.

    Attributes
    ----------
    prior : Prior
    where : Coordinate
    span : Range
    tau : (J,) array
        Nodes; the first is the atom at zero where the range has one.
    mass : (J,) array
        Posterior probability of each node.
    moments : {0, 1, 2}
        Highest moment of tau that exists.
    """

    prior: Prior
    where: Coordinate
    span: Range
    tau: Array
    mass: Array
    moments: int = 2

    @property
    def mean(self) -> float:
        """Posterior mean of tau; infinity where the tail is too long for one."""
        return float(self.mass @ self.tau) if self.moments > 0 else inf

    @property
    def sd(self) -> float:
        """Posterior standard deviation of tau; infinity where the tail is too long for one."""
        return float(np.sqrt(self.mass @ (self.tau - self.mean) ** 2)) if self.moments > 1 else inf

    @cached_property
    def limits(self) -> Array:
        """Median of tau and the ends of its 95 % interval, (3,)."""
        return self.quantiles(np.tile(self.mass, (3, 1)), LIMITS)

    def moved(self, limits: Array) -> Array:
        """How far off `limits`, (3,), are as median and ends of the 95 % interval, by a step of Newton's."""
        if self._atom >= LIMITS.min():  # Below the range the series does not hold.
            return limits - self.limits
        below, density = self._series
        u = np.array([self.where.u(tau) for tau in limits.tolist()])
        x = np.clip((u - self.span.lower) / self._half - 1.0, -1.0, 1.0)
        cosine = np.cos(np.outer(np.arccos(x), np.arange(len(below))))
        excess = self._atom + cosine @ below - LIMITS
        excess[np.abs(excess) <= ROUNDING] = 0.0
        slope = self._half * np.exp(self.where.log_slope(u))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(excess == 0.0, 0.0, excess / (cosine[:, :-1] @ density)) * slope

    @cached_property
    def _series(self) -> tuple[Array, Array]:
        """Chebyshev series of distribution and density on [-1, 1], but for the atom."""
        smooth = self._smooth(self.mass)
        below, density = distribution(len(smooth))
        return smooth @ below, smooth @ density

    def _at(self, x: float) -> tuple[float, float]:
        """Probability below x, the atom left out, and density, in the variable on [-1, 1]."""
        below, density = self._series
        cosine = np.cos(np.arange(len(below)) * acos(x))
        return float(below @ cosine), float(density @ cosine[:-1])

    def _smooth(self, mass: Array) -> Array:
        """Masses (..., J) without the atom."""
        return mass[..., 1:] if self.span.atom else mass

    @property
    def _atom(self) -> float:
        return float(self.mass[0]) if self.span.atom else 0.0

    @property
    def _half(self) -> float:
        return 0.5 * (self.span.upper - self.span.lower)

    def probability_below(self, tau: float) -> float:
        """Posterior probability of a heterogeneity below tau."""
        x = (self.where.u(tau) - self.span.lower) / self._half - 1.0
        if x < -1.0 and self.span.atom:
            edge = self.where.tau(np.asarray(self.span.lower))
            return self._atom * float(self.prior.probability(tau) / self.prior.probability(edge))
        return min(max(self._atom + self._at(min(max(x, -1.0), 1.0))[0], 0.0), 1.0)

    def density(self, tau: float) -> float:
        """Posterior density of tau; 0 outside the range that holds the posterior."""
        u = self.where.u(tau)
        x = (u - self.span.lower) / self._half - 1.0
        if not -1.0 <= x <= 1.0:
            return 0.0
        slope = exp(float(self.where.log_slope(np.asarray(u))))
        return max(self._at(x)[1], 0.0) / (self._half * slope)

    def quantile(self, probability: float) -> float:
        """Find a quantile of tau.

        Parameters
        ----------
        probability : float
            Strictly between 0 and 1.

        Returns
        -------
        float
        """
        return float(self.quantiles(self.mass[None], probability)[0])

    def quantiles(self, mass: Array, probability: float | Array) -> Array:
        """Find a quantile of tau under other masses of the same nodes, by Newton's method on the series.

        Parameters
        ----------
        mass : (m, J) array
            One distribution in each row.
        probability : float or (m,) array

        Returns
        -------
        (m,) array
        """
        probability = np.broadcast_to(probability, len(mass))
        smooth = self._smooth(mass)
        atom = mass[:, 0] if self.span.atom else np.zeros(len(mass))
        nodes = legendre(smooth.shape[1])[0]
        below, density = (smooth @ series for series in distribution(smooth.shape[1]))
        degree = np.arange(below.shape[1])
        nearest = (atom[:, None] + np.cumsum(smooth, axis=1) < probability[:, None]).sum(1)
        x = nodes[np.minimum(nearest, len(nodes) - 1)]
        low, high = np.full(len(mass), -1.0), np.ones(len(mass))
        with np.errstate(divide="ignore", invalid="ignore"):
            for _ in range(100):
                cosine = np.cos(np.arccos(x)[:, None] * degree)
                excess = atom + (below * cosine).sum(1) - probability
                slope = (density * cosine[:, :-1]).sum(1)
                low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
                target = x - excess / slope
                target = np.where((target > low) & (target < high), target, 0.5 * (low + high))
                # So small an excess is rounding error, of which a small density makes a long step.
                target = np.where(np.abs(excess) <= ROUNDING, x, target)
                settled = np.abs(target - x) <= 1e-13
                x = target
                if settled.all():
                    break
        tau = self.where.tau(self.span.lower + self._half * (x + 1.0))
        for i in np.flatnonzero(atom > probability):
            tau[i] = self._prior_quantile(float(probability[i] / atom[i]))
        return tau

    def _prior_quantile(self, share: float) -> float:
        """Quantile of tau below the range, where the data say nothing and the prior's shape stays."""
        top = float(self.where.tau(np.asarray(self.span.lower)))
        target = share * float(self.prior.probability(top))
        low, high = log(top) - 700.0, log(top)
        for _ in range(200):
            middle = 0.5 * (low + high)
            if float(self.prior.probability(exp(max(middle, -740.0)))) < target:
                low = middle
            else:
                high = middle
        return exp(max(high, -740.0))
