"""Heterogeneity of many networks that differ from one by little: without a study, or with a comparison split.

Their likelihoods of tau2 are that of the one network and a term of their own. With tau = s sinh u, s the
smallest sampling standard deviation, all of it is analytic in u in a strip around the real line, pi / 4 or
more on either side; so a polynomial through few Chebyshev points, shared by all networks, gives each of them
to rounding error (Trefethen 2019, Approximation Theory and Approximation Practice, theorem 8.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, log, pi, sqrt

import numpy as np

from analysis.network.data.network import Array
from analysis.network.model.gls import SCAN, Gls, Solution, largest_tau2

STRIP = pi / 4
"""Half width of the strip in which nothing has a pole."""
WIDEST = 0.4
"""Range of u that one polynomial covers at most."""
DIGITS = 1e-17
"""Error of a polynomial, in units of what it stands for."""
AT_ONCE = 200_000
"""Numbers evaluated at each Chebyshev point at once."""

Term = Callable[[Solution], tuple[Array, Array]]
"""Gives what each of m likelihoods is above the network's, and the slope of that, (J, m) arrays."""


def tau2_of_each(gls: Gls, restricted: bool, term: Term) -> Array:
    """Maximise (restricted) likelihoods of tau2 that are the network's and a term of their own.

    As `analysis.network.model.gls.tau2_likelihood`: the whole range is looked at first, the zero of the score
    is found to rounding error.

    Parameters
    ----------
    gls : Gls
    restricted : bool
    term : callable

    Returns
    -------
    (m,) array
        NaN where the scan does not show where the maximum is.
    """
    unit = 1.0 / np.sqrt(gls.theta.max())
    top = np.sqrt(largest_tau2(gls))
    if top == 0.0:
        return np.zeros(term(gls.solve([0.0]))[0].shape[1])
    u = np.linspace(0.0, np.arcsinh(top / unit), SCAN)

    def looked_at(where: Array) -> tuple[Array, Array]:
        solution = gls.solve((unit * np.sinh(where)) ** 2)
        value, slope = term(solution)
        whole = gls.log_likelihood(solution, restricted), gls.score(solution, restricted)
        return whole[0][:, None] + value, whole[1][:, None] + slope

    value, slope = looked_at(u)
    best, each = np.argmax(value, axis=0), np.arange(value.shape[1])
    rising = slope[best, each] > 0
    left = np.where(rising, best, best - 1)
    none = (best == 0) & ~rising
    inside = (left >= 0) & (left < SCAN - 1)
    at = np.where(inside, left, 0)
    inside &= (slope[at, each] > 0) & (slope[at + 1, each] <= 0)
    sound = ~np.isnan(value).any(0)
    inside &= sound
    found = np.where(none & sound, 0.0, np.nan)
    for cell in np.unique(left[inside]):
        members = np.flatnonzero(inside & (left == cell))
        points = chebyshev(u[cell], u[cell + 1])
        series = _series(looked_at(points)[1][:, members])
        found[members] = (unit * np.sinh(_place(_zero(series), u[cell], u[cell + 1]))) ** 2
    return found


def at_each(gls: Gls, tau2: Array, found: Callable[[Solution, Array], Array], size: int) -> Array:
    """Evaluate a quantity of each of m networks at its own tau2.

    Parameters
    ----------
    gls : Gls
    tau2 : (m,) array
        NaN where there is none.
    found : callable
        Gives the quantity of some of them, by number, at every value of a solution, (d, J, ..., members).
    size : int
        Numbers that the quantity of one has.

    Returns
    -------
    (d, ..., m) array
        NaN where tau2 is.
    """
    unit = 1.0 / np.sqrt(gls.theta.max())
    u = np.arcsinh(np.sqrt(tau2) / unit)
    result = None
    for low, high, members in _cells(u, max(1, AT_ONCE // size)):
        points = np.array([low]) if low == high else chebyshev(low, high)
        values = found(gls.solve((unit * np.sinh(points)) ** 2), members)
        if result is None:
            result = np.full((len(values), *values.shape[2:-1], len(tau2)), np.nan)
        if low == high:
            result[..., members] = values[:, 0]
            continue
        x = (u[members] - low) / (high - low) * 2 - 1
        basis = np.cos(np.arange(len(points))[:, None] * np.arccos(np.clip(x, -1.0, 1.0)))
        series = np.moveaxis(_series(np.moveaxis(values, 1, 0)), 0, -2)
        result[..., members] = (series * basis).sum(-2)
    assert result is not None, "no network has a tau2"
    return result


def _cells(u: Array, most: int) -> Iterator[tuple[float, float, Array]]:
    """Put places into ranges that one polynomial covers, `most` in each: their ends, and which they hold."""
    there = np.flatnonzero(np.isfinite(u))
    order = there[np.argsort(u[there], kind="stable")]
    start = 0
    while start < len(order):
        low = u[order[start]]
        # Zero is a place of its own, for it is where most are.
        end = int(np.searchsorted(u[order], low if low == 0.0 else low + WIDEST, side="right"))
        end = min(end, start + most)
        yield float(low), float(u[order[end - 1]]), order[start:end]
        start = end


def chebyshev(low: float, high: float) -> Array:
    """Place as many Chebyshev points between two values of u as the error asks for, (K,)."""
    reach = 2 * STRIP / (high - low)
    count = 3 + ceil(log(DIGITS) / -log(reach + sqrt(1 + reach**2)))
    return _place(np.cos(pi * (np.arange(count) + 0.5) / count), low, high)


def _place(x: Array, low: float, high: float) -> Array:
    return low + 0.5 * (high - low) * (x + 1.0)


def _series(values: Array) -> Array:
    """Coefficients of the Chebyshev polynomials through values (K, ...) at the points of `chebyshev`."""
    count = len(values)
    transform = np.cos(np.outer(np.arange(count), pi * (np.arange(count) + 0.5) / count)) * 2 / count
    transform[0] /= 2
    return np.tensordot(transform, values, (1, 0))


def _zero(series: Array) -> Array:
    """Find where each of m falling series crosses zero on [-1, 1], by Newton's method within a bracket.

    Parameters
    ----------
    series : (K, m) array

    Returns
    -------
    (m,) array
    """
    from numpy.polynomial.chebyshev import chebder, chebval

    derivative = chebder(series)
    low, high = np.full(series.shape[1], -1.0), np.ones(series.shape[1])
    x = np.zeros(series.shape[1])
    for _ in range(100):
        value, slope = chebval(x, series, tensor=False), chebval(x, derivative, tensor=False)
        low, high = np.where(value > 0, x, low), np.where(value > 0, high, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            target = x - value / slope
        target = np.where((target >= low) & (target <= high), target, 0.5 * (low + high))
        settled = np.abs(target - x) <= 1e-15
        x = target
        if settled.all():
            break
    return x
