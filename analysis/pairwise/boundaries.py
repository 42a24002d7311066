"""Bounds for looking repeatedly at evidence that accumulates: spending functions and exit probabilities.

A cumulative z statistic behaves like Brownian motion ``B(t) = z sqrt(t)`` in the share t of the information
that is needed, with drift theta where there is an effect. The density of B within the bounds is carried from
look to look by numerical integration; each bound is where what leaves then is what may be spent.

References
----------
Armitage P, McPherson CK, Rowe BC (1969) J R Stat Soc A 132:235-244 (the recursion). Lan KKG, DeMets DL
(1983) Biometrika 70:659-663 (spending). Reboussin DM, DeMets DL, Kim K, Lan KKG (2000) Control Clin Trials
21:190-207. Jennison C, Turnbull BW (1999) Group Sequential Methods, ch. 19. Pampallona S, Tsiatis AA, Kim K
(2001) Drug Inf J 35:1113-1121 (spending of beta).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.roots import zero_between

Array = np.ndarray

LEAST = 1e-12
"""What a look may spend at least for there to be a bound: less is beyond 7 standard errors."""
_REACH = 9.0
"""Standard deviations of B where a density without bounds is cut off."""
_FURTHEST = 12.0
LEAST_STEP = 2e-4
"""Share of the information that a look must add: what adds less is no look of its own."""
_EACH, _MOST_PANELS = 12, 220
"""Nodes of a panel, and most panels."""


def spent(t: Array | float, error: float) -> Array:
    """Find the error that may be spent on one side up to each share of the information: O'Brien-Fleming type.

    Parameters
    ----------
    t : (k,) array
        Shares of the information, above 0; from 1 on all of it is spent.
    error : float
        In all, on that side: alpha / 2 of a two-sided test, or beta.

    Returns
    -------
    (k,) array
        ``2 - 2 Phi(z_(1 - error / 2) / sqrt(t))`` (Lan and DeMets 1983).
    """
    share = np.minimum(np.asarray(t, dtype=float), 1.0)
    return 2.0 * ndtr(ndtri(error / 2) / np.sqrt(share))


@dataclass(frozen=True)
class _Inside:
    """Density of B at a look, for those that have not left: values at nodes, times their weights."""

    t: float
    x: Array
    mass: Array

    def leaving(self, t: float, drift: float, at: float, side: int) -> float:
        """Probability that B is beyond `at` at the next look, above (side 1) or below (-1)."""
        ahead = t - self.t
        return float(self.mass @ ndtr(side * (self.x + drift * ahead - at) / sqrt(ahead)))

    def next(self, t: float, drift: float, lower: float, upper: float, finest: float) -> _Inside:
        """Carry the density to the next look, within bounds of B there; infinite ones are cut far out.

        Nodes lie closer than what is narrowest: the step to this look, or `finest`, a step that is to come.
        """
        ahead = t - self.t
        spread = sqrt(ahead)
        low = max(lower, float(self.x.min()) + drift * ahead - _REACH * spread)
        high = min(upper, float(self.x.max()) + drift * ahead + _REACH * spread)
        x, weight = _panels(low, high, min(finest, spread))
        scaled = (x[:, None] - self.x - drift * ahead) / spread
        density = np.exp(-0.5 * scaled**2) @ self.mass / (spread * sqrt(2 * np.pi))
        return _Inside(t, x, density * weight)


def _panels(low: float, high: float, width: float) -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre's rule on panels between two ends."""
    n = int(min(_MOST_PANELS, np.ceil((high - low) / (1.5 * width)) + 1))
    node, weight = np.polynomial.legendre.leggauss(_EACH)
    edges = np.linspace(low, high, n + 1)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (node + 1.0)).ravel(), (half * weight).ravel()


def _steps(t: Sequence[float] | Array) -> tuple[Array, float]:
    """Find the looks that are looked at, and the smallest standard deviation of a step between them.

    A look after all is spent, or one that hardly adds information to the last, is none: not a number.
    """
    share = np.minimum(np.asarray(t, dtype=float), 1.0)
    kept, last = np.full(len(share), np.nan), 0.0
    for look, now in enumerate(share):
        if now - last >= LEAST_STEP or (now == 1.0 and last < 1.0):
            kept[look] = last = now
    ahead = np.diff(kept[np.isfinite(kept)], prepend=0.0)
    return kept, sqrt(max(float(ahead.min(initial=1.0)), LEAST_STEP))


_START = _Inside(0.0, np.zeros(1), np.ones(1))


def efficacy(t: Sequence[float] | Array, alpha: float = 0.05) -> Array:
    """Symmetric bounds of z at each look: beyond them an effect is shown, two-sided.

    Parameters
    ----------
    t : sequence of k floats
        Shares of the information at the looks, ascending, above 0. From the first that is 1 or more on
        nothing is left to spend.
    alpha : float
        Two-sided error of all looks together.

    Returns
    -------
    (k,) array
        Infinite where less than `LEAST` may be spent; not a number at looks after all is spent.

    Examples
    --------
    >>> from analysis.pairwise.boundaries import efficacy
    >>> efficacy([0.2, 0.4, 0.6, 0.8, 1.0]).round(3)
    array([4.877, 3.357, 2.68 , 2.29 , 2.031])
    """
    share, finest = _steps(t)
    found = np.full(len(share), np.nan)
    inside, before = _START, 0.0
    for look in np.flatnonzero(np.isfinite(share)):
        now = float(share[look])
        total = float(spent(now, alpha / 2))
        may, root = total - before, sqrt(now)
        if may < LEAST:
            found[look] = inf
        else:
            before = total
            found[look] = _where(inside, now, 0.0, may, 1) / root
        inside = inside.next(now, 0.0, -found[look] * root, found[look] * root, finest)
    return found


def _where(inside: _Inside, t: float, drift: float, may: float, side: int) -> float:
    """Bound of B beyond which just what may be spent leaves."""
    reach = _FURTHEST * sqrt(t) + abs(drift) * t
    if may >= inside.mass.sum():
        return -side * reach  # nobody stays
    return zero_between(lambda at: inside.leaving(t, drift, at, side) - may, -reach, reach, absolute=1e-12)


def futility(t: Sequence[float] | Array, upper: Array, beta: float, drift: float) -> Array:
    """Lower bounds of z in the direction of the effect: below them it is unlikely to be shown any more.

    Not binding: the bounds of efficacy hold whether one stops there or not.

    Parameters
    ----------
    t, upper : (k,)
        Looks, the last of which is 1, and bounds of efficacy.
    beta : float
        Error of the second kind of all looks together, spent as `spent` says.
    drift : float
        Expected z at t = 1 under the effect that is anticipated.

    Returns
    -------
    (k,) array
        Minus infinity where nothing may be spent.
    """
    share, finest = _steps(t)
    found = np.full(len(upper), -inf)
    inside, before = _START, 0.0
    for look in np.flatnonzero(np.isfinite(share)):
        now = float(share[look])
        total = float(spent(now, beta))
        may, root = total - before, sqrt(now)
        if may >= LEAST:
            before = total
            found[look] = _where(inside, now, drift, may, -1) / root
        ceiling = upper[look] * root
        if not found[look] * root < ceiling:
            break
        inside = inside.next(now, drift, found[look] * root, ceiling, finest)
    return found


@dataclass(frozen=True)
class Wedge:
    """Bounds of futility that meet those of efficacy when all information is there.

    Attributes
    ----------
    lower : (k,) array
        Bounds of z at the looks; not a number where the wedge has not begun.
    inflation : float
        By how much more information the looks take than one analysis of the same power.
    """

    lower: Array
    inflation: float


def wedge(t: Sequence[float] | Array, alpha: float, beta: float) -> Wedge:
    """Find the bounds of futility, with a last look when all information is there, whether it was or not.

    The drift is chosen so that both kinds of bounds meet at that look, as in gsDesign's test type 4.

    Parameters
    ----------
    t : sequence of k floats
        Shares of the information at the looks so far, ascending.
    alpha, beta : float
        Two-sided error of the first kind, error of the second.
    """
    share = np.asarray(t, dtype=float)
    looks = np.append(share[share < 1.0], 1.0)
    upper = efficacy(looks, alpha)
    usual = float(ndtri(1 - alpha / 2) + ndtri(1 - beta))

    def apart(factor: float) -> float:
        lower = futility(looks, upper, beta, usual * factor)
        return float(np.clip(lower[-1], -50, 50)) - float(upper[-1]) if np.isfinite(lower[-1]) else 50.0

    factor = zero_between(apart, 0.9, 1.6, absolute=1e-10)
    lower = futility(looks, upper, beta, usual * factor)
    found = np.full(len(share), np.nan)
    n = int((share < 1.0).sum())
    found[:n] = lower[:n]
    if n < len(share):
        found[n] = lower[-1]
    return Wedge(np.where(found > 0, found, np.nan), factor**2)


def crossing(t: Sequence[float] | Array, upper: Array, drift: float = 0.0) -> float:
    """Probability that z leaves symmetric bounds at some look: alpha without drift, the power with it.

    Parameters
    ----------
    t, upper : (k,)
        Looks and bounds of z.
    drift : float
        Expected z at t = 1.
    """
    left, inside = 0.0, _START
    share, finest = _steps(t)
    for now, bound in zip(share, upper, strict=True):
        if np.isnan(now) or np.isnan(bound):
            continue
        limit = bound * sqrt(now)
        left += inside.leaving(now, drift, limit, 1) + inside.leaving(now, drift, -limit, -1)
        inside = inside.next(now, drift, -limit, limit, finest)
    return left
