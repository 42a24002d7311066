"""Sums over very many parts of the rows, each at its own value of tau2, in time linear in the rows.

A part that leaves one study out is all rows but a few, and a cumulative analysis has all rows up to a place:
what is left out is taken from sums over all rows, unless it is nearly all of them, or running sums are kept,
so that nothing cancels. Where every part has its own tau2, sums of ``1 / (v + tau2)^d`` are interpolated
between few shared values of it: their poles stand at ``-v``, so that polynomials converge geometrically, and
are exact to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

_EPSILON = 38.0
"""Minus the logarithm of the error that is left: that of rounding."""


@dataclass(frozen=True)
class Stretches:
    """Parts of the rows that are all but one stretch of them, in some order: as a mask, without its cells.

    ``stretches @ values`` are the sums over each part, ``stretches[index]`` are some of the parts, and
    ``stretches.sum(1)`` their numbers of rows, as of a (m, n) array of 0 and 1.

    Attributes
    ----------
    order : (n,) int array
        The rows, in the order in which stretches are counted.
    start, stop : (m,) int arrays
        First row that is left out of each part, and the first one after it.
    """

    order: Array
    start: Array
    stop: Array

    @classmethod
    def without_each(cls, study: Array) -> Stretches:
        """Leave out the rows of each study in turn; studies are numbered from 0."""
        ends = np.cumsum(np.bincount(study))
        return cls(np.argsort(study, kind="stable"), np.r_[0, ends[:-1]], ends)

    @classmethod
    def up_to_each(cls, place: Array) -> Stretches:
        """Take the rows of the first study, of the first two, ...: `place` of each row's study, from 0."""
        ends = np.cumsum(np.bincount(place))
        return cls(np.argsort(place, kind="stable"), ends, np.full(len(ends), len(place)))

    @classmethod
    def whole(cls, m: int, n: int) -> Stretches:
        """Take all n rows, m times."""
        return cls(np.arange(n), np.full(m, n), np.full(m, n))

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: Array) -> Stretches:
        return Stretches(self.order, self.start[index], self.stop[index])

    @property
    def short(self) -> bool:
        """Whether what the parts leave out is no more, all together, than a few times the rows."""
        return int((self.stop - self.start).sum()) <= 2 * len(self.order)

    def __matmul__(self, values: Array) -> Array:
        if self.short:
            left_out = self.left_out(lambda rows, part: values[rows])
            return self.rest(
                np.broadcast_to(values.sum(axis=0), left_out.shape), left_out, lambda part: values
            )
        arranged = values[self.order]
        none = np.zeros((1, *arranged.shape[1:]))
        before = np.concatenate([none, np.cumsum(arranged, axis=0)])
        after = np.concatenate([np.cumsum(arranged[::-1], axis=0)[::-1], none])
        return before[self.start] + after[self.stop]

    def left_out(self, values: Callable[[Array, Array], Array]) -> Array:
        """Sum over the rows that each part leaves out.

        Parameters
        ----------
        values : callable
            Takes rows, and for each of them the place of the part that leaves it out; gives its values.
        """
        length = self.stop - self.start
        ends = np.cumsum(length)
        part = np.repeat(np.arange(len(self)), length)
        rows = self.order[np.arange(len(part)) - np.repeat(ends - length - self.start, length)]
        found = values(rows, part)
        if (length == 1).all():
            return found
        out = np.zeros((len(self), *found.shape[1:]))
        some = np.flatnonzero(length)
        if len(some):
            out[some] = np.add.reduceat(found, (ends - length)[some], axis=0)
        return out

    def rest(self, whole: Array, left_out: Array, values: Callable[[int], Array]) -> Array:
        """Take what is left out from sums over all rows; where it is nearly all of them, add up what is left.

        Parameters
        ----------
        whole, left_out : (m,) or (m, columns) arrays
            Sums over all rows, and over those that each part leaves out.
        values : callable
            Takes the place of a part; gives the values of all rows.
        """
        out = whole - left_out
        # Of numbers of both signs a small sum is no sign that one of them outweighs the others.
        nearly = (left_out > 0) & (out < 0.1 * left_out) & (left_out >= 0).all(axis=0)
        for part in np.flatnonzero(nearly.reshape(len(self), -1).any(axis=1)).tolist():
            out[part] = values(part)[self.rows(part)].sum(axis=0)
        return out

    def rows(self, part: int) -> Array:
        """Rows of one part."""
        return np.r_[self.order[: self.start[part]], self.order[self.stop[part] :]]

    def sum(self, axis: int = 1) -> Array:
        """Rows of each part."""
        if axis != 1:
            raise ValueError("Only the rows of each part are counted: axis 1.")
        return (len(self.order) - (self.stop - self.start)).astype(float)

    def max(self) -> float:
        """How often a row counts at most."""
        return 1.0


Parts = Array | Stretches
"""Parts of the rows: how often each row (columns) counts in each part (rows), or stretches of them."""


def some_of(parts: Parts, places: Array) -> Parts:
    """Take the parts at some places; all of them, in their order, without a copy."""
    every = len(places) == len(parts) and np.array_equal(places, np.arange(len(parts)))
    return parts if every else parts[places]


def at_each(tau2: Array, smallest: float, sums: Callable[[float, Array], Array]) -> Array:
    """Evaluate sums over parts, each at its own value of tau2, from sums at few values that parts share.

    Parameters
    ----------
    tau2 : (m,) array
        Value of each part.
    smallest : float
        Smallest sampling variance: the sums are analytic above minus it.
    sums : callable
        Takes a value of tau2 and the places of some parts; gives their sums there, (parts, columns).

    Returns
    -------
    (m, columns) array

    Notes
    -----
    Within a factor of 2 in ``tau2 + smallest`` the error of Chebyshev interpolation in N points falls at
    least as ``5.8^-N`` (Trefethen 2013, Approximation Theory and Approximation Practice, ch. 8), faster in
    what is narrower.
    """
    out: Array | None = None
    for members in _octaves(tau2, smallest):
        values = tau2[members]
        points, weights = _points(values, smallest)
        for point, weight in zip(points, weights.T, strict=True):
            # One value of a part alone: no other part has anything of it.
            some = np.flatnonzero(weight) if len(points) == len(values) else np.arange(len(values))
            found = sums(float(point), members[some])
            if out is None:
                out = np.zeros((len(tau2), found.shape[1]))
            out[members[some]] += weight[some, None] * found
    return np.zeros((0, 1)) if out is None else out


def of_all(tau2: Array, smallest: float, sums: Callable[[float], Array]) -> Array:
    """Evaluate sums over all rows at many values of tau2, as `at_each` does; ``sums(tau2)`` is (columns,)."""
    out: Array | None = None
    for members in _octaves(tau2, smallest):
        points, weights = _points(tau2[members], smallest)
        table = np.stack([sums(float(point)) for point in points])
        if out is None:
            out = np.empty((len(tau2), table.shape[1]))
        out[members] = table if len(points) == len(members) and len(points) > 1 else weights @ table
    return np.zeros((0, 1)) if out is None else out


def _octaves(tau2: Array, smallest: float) -> Iterator[Array]:
    """Places of the parts whose tau2 are within a factor of 2 of each other, `smallest` added."""
    octave = np.floor(np.log2(tau2 / smallest + 1))
    for value in np.unique(octave):
        yield np.flatnonzero(octave == value)


def _points(values: Array, smallest: float) -> tuple[Array, Array]:
    """Values of tau2 to evaluate at, and the weight of each, (m, points), in what stands at `values`."""
    low, high = float(values.min()), float(values.max())
    half, middle = (high - low) / 2, (high + low) / 2
    if half <= 0:
        return np.array([middle]), np.ones((len(values), 1))
    far = (middle + smallest) / half
    n = int(np.ceil(_EPSILON / np.log(far + np.sqrt(far * far - 1)))) + 4
    if n >= len(values):
        return values, np.eye(len(values))
    angle = (2 * np.arange(n) + 1) * np.pi / (2 * n)
    degree = np.arange(n)
    onto = 2 / n * np.cos(np.outer(degree, angle))
    onto[0] /= 2
    place = np.arccos(np.clip((values - middle) / half, -1, 1))
    return middle + half * np.cos(angle), np.cos(np.outer(place, degree)) @ onto
