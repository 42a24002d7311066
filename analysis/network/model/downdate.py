"""Least squares without some of its rows, from the one fit to all: down-dating instead of refits.

With rows of variance V, residuals r and the spread of their fitted values A = X P X', everything that leaving
them out does follows from U = V - A, the covariance of what is left of them once the others are fitted
(Belsley, Kuh and Welsch 1980, doi:10.1002/0471725153):

- effects move by -P X' U^-1 r, their covariance grows by P X' U^-1 X P;
- Q falls by r' U^-1 r;
- the (restricted) likelihood of tau2 loses the density of the rows given the others.

U is a difference, and so is A. Where a thousandth of a row's variance is left, three of its digits are lost,
and as many where treatments know each other a thousand times better, in standard errors, than the root knows
them: where both together cost more, the rows are named, and the network is to be solved without them.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np

from analysis.network.data.network import Array
from analysis.network.model.gls import Gls, Solution, moment_estimate

LEAST = 1e-3
"""Share of some combination of rows that the others leave to them (`kept`), below which digits are lost."""
SHARP = 1e-8
"""Share of a difference's variance in that of its treatments, below which it has lost digits."""
AT_ONCE = 2_000_000
"""Numbers of one temporary array, some 16 MB."""


def kept(left: Array, difference: Array, size: Array) -> Array:
    """Take off a share that is left what the digits of differences cost it, to be held against `LEAST`.

    Parameters
    ----------
    left : array
        Share of a variance that is left.
    difference, size : arrays
        Variance of differences of treatments, and of the treatments themselves; of the same shape.
    """
    ratio = np.divide(difference, size, out=np.zeros_like(size), where=size > 0)
    return left * np.sqrt(np.clip(ratio, 0.0, 1.0))


@dataclass(frozen=True)
class Group:
    """Sets of q rows, each to be left out.

    Attributes
    ----------
    member : (g,) int array
        Place of each set among all.
    rows : (g, q) int array
    bridge : (g,) bool array
        Single rows that alone link two parts of the network: without them nothing else changes.
    """

    member: Array
    rows: Array
    bridge: Array


@dataclass(frozen=True)
class Taken:
    """What is to know of a `Group` at one value of tau2.

    Attributes
    ----------
    inverse : (g, q, q) array
        U^-1; zero for a bridge.
    log_left : (g,) array
        Log of |U| / |V|; zero for a bridge.
    left : (g,) array
        Smallest eigenvalue of V^-1/2 U V^-1/2, as far as its digits are `kept`; 1 for a bridge.
    half : (g, q, T) array
        X times the root of the covariance.
    residual : (g, q) array
    """

    inverse: Array
    log_left: Array
    left: Array
    half: Array
    residual: Array

    @property
    def q(self) -> Array:
        """Say what Q falls by, (g,)."""
        return np.einsum("gi,gij,gj->g", self.residual, self.inverse, self.residual)


class Deletions:
    """A network without each of some sets of rows.

    Parameters
    ----------
    gls : Gls
    member : (n,) int array
        Which set each row belongs to, 0 to s - 1; sets have at least one row.
    bridges : (s,) bool array
        Sets without which the network falls apart.
    """

    def __init__(self, gls: Gls, member: Array, bridges: Array) -> None:
        self.gls = gls
        self.square = gls.design.multiply(gls.design).tocsr()
        self.size = np.bincount(member)
        order, first = np.argsort(member, kind="stable"), np.cumsum(self.size) - self.size
        self.groups: list[Group] = []
        for q in np.unique(self.size).tolist():
            sets = np.flatnonzero(self.size == q)
            step = max(1, AT_ONCE // (q * gls.n_treatments))
            for part in (sets[i : i + step] for i in range(0, len(sets), step)):
                rows = order[first[part][:, None] + np.arange(q)]
                self.groups.append(Group(part, rows, bridges[part] & (q == 1)))

    def __len__(self) -> int:
        return len(self.size)

    def only(self, members: Array) -> Deletions:
        """Keep some of the sets, in the order given."""
        place = np.full(len(self), -1)
        place[members] = np.arange(len(members))
        some = copy(self)
        some.size = self.size[members]
        some.groups = [
            Group(place[group.member[kept]], group.rows[kept], group.bridge[kept])
            for group in self.groups
            if (kept := place[group.member] >= 0).any()
        ]
        return some

    def taken(self, group: Group, solution: Solution, j: int = 0) -> Taken:
        """Find U and what belongs to it at one of the solution's values of tau2."""
        g, q = group.rows.shape
        rows, root = group.rows.ravel(), solution.root[j]
        half = (self.gls.design[rows] @ root).reshape(g, q, -1)
        weight = np.sqrt(solution.weights[rows, j].reshape(g, q))
        spread = half @ half.swapaxes(1, 2)
        # A difference of treatments that know each other far better than the root has lost its digits.
        of_treatments = (self.square[rows] @ (root**2).sum(1)).reshape(g, q)
        rest = np.eye(q) - weight[:, :, None] * spread * weight[:, None, :]
        left = rest[:, 0, 0] if q == 1 else np.linalg.eigvalsh(rest)[:, 0]
        left = kept(left[:, None], np.diagonal(spread, axis1=1, axis2=2), of_treatments).min(1)
        left = np.where(group.bridge, 1.0, left)
        rest[(left < LEAST) | group.bridge] = np.eye(q)
        inverse = np.linalg.inv(rest) if q > 1 else 1.0 / rest
        log_left = np.linalg.slogdet(rest)[1] if q > 1 else np.log(rest[:, 0, 0])
        inverse *= weight[:, :, None] * weight[:, None, :] * ~group.bridge[:, None, None]
        return Taken(inverse, log_left, left, half, solution.residual[rows, j].reshape(g, q))

    def each(self, work: Callable[[Group], Array], *shape: int) -> Array:
        """Put what is found of each group in the order of the sets, (..., s)."""
        found = np.empty((*shape, len(self)))
        for group in self.groups:
            found[..., group.member] = work(group)
        return found

    def left(self, solution: Solution) -> Array:
        """Smallest share that the others leave to each set at any of the values of tau2, (s,)."""
        values = range(len(solution.tau2))
        return self.each(lambda group: np.min([self.taken(group, solution, j).left for j in values], axis=0))

    def q(self, solution: Solution) -> Array:
        """Sum of squared residuals without each set, at one value of tau2, (s,)."""
        return solution.rss[0] - self.each(lambda group: self.taken(group, solution).q)

    def effects(self, solution: Solution, treatment: Array, versus: Array) -> Array:
        """Effects of pairs of treatments without each set.

        Parameters
        ----------
        solution : Solution
            At J values of tau2.
        treatment, versus : (m,) int arrays

        Returns
        -------
        (2, J, m, s) array
            Effects, and their variances.
        """
        found = np.empty((2, len(solution.tau2), len(treatment), len(self)))
        for j in range(len(solution.tau2)):
            contrast = (solution.root[j, treatment] - solution.root[j, versus]).T
            effect = solution.effect[j, treatment] - solution.effect[j, versus]
            variance = (contrast**2).sum(0)
            for group in self.groups:
                taken = self.taken(group, solution, j)
                reach = taken.half @ contrast  # (g, q, m)
                lever = taken.inverse @ reach
                found[0, j][:, group.member] = (effect - np.einsum("gqm,gq->gm", lever, taken.residual)).T
                found[1, j][:, group.member] = (variance + (lever * reach).sum(1)).T
        return found

    def moment_tau2(self, solution: Solution, freedom: Array) -> Array:
        """DerSimonian and Laird's estimator without each set, (s,): see `gls.tau2_dersimonian_laird`.

        Parameters
        ----------
        solution : Solution
            At tau2 = 0.
        freedom : (s,) int array
            Degrees of freedom without each.
        """
        gls, theta = self.gls, self.gls.theta
        weight = solution.weights[:, 0]
        inner = gls.between(solution, theta * weight**2)[0]
        whole = float(theta @ weight)
        used = float(np.trace(inner))

        def growth(group: Group) -> Array:
            taken = self.taken(group, solution)
            own = theta[group.rows]
            reach = taken.inverse @ (taken.half @ inner @ taken.half.swapaxes(1, 2))
            # What the rest takes up of its own weights: of all of them, and what the rows leave behind.
            spread = taken.half @ taken.half.swapaxes(1, 2)
            spread = spread + spread @ taken.inverse @ spread
            back = (np.diagonal(spread, axis1=1, axis2=2) * own * weight[group.rows] ** 2).sum(1)
            gone = (own * weight[group.rows]).sum(1)
            return whole - gone - (used + np.trace(reach, axis1=1, axis2=2) - back)

        total = whole - self.each(lambda group: (theta * weight)[group.rows].sum(1))
        excess = self.q(solution) - freedom
        grown = self.each(growth)
        found = [moment_estimate(*cells) for cells in zip(excess.tolist(), grown.tolist(), total.tolist())]
        return np.where(freedom > 0, found, np.nan)

    def likelihood(self, solution: Solution, restricted: bool) -> tuple[Array, Array]:
        """Find what the log likelihood gains where each set is left out, and its slope, (J, s) arrays.

        NaN where too little is left.
        """
        gls, theta = self.gls, self.gls.theta
        weights = solution.weights
        inner = gls.between(solution, theta[:, None] * weights**2)
        pull = gls.design.T @ (theta[:, None] * weights**2 * solution.residual)  # (T, J)
        value, slope = np.empty((2, len(solution.tau2), len(self)))
        for j in range(len(solution.tau2)):
            moved = solution.root[j].T @ pull[:, j]
            for group in self.groups:
                taken = self.taken(group, solution, j)
                own, weight = theta[group.rows], weights[group.rows, j]
                change = -(taken.half @ inner[j] @ taken.half.swapaxes(1, 2))
                q = np.arange(own.shape[1])
                change[:, q, q] += own
                pulled = np.einsum("gij,gj->gi", taken.inverse, taken.residual)
                gain = np.where(taken.left < LEAST, np.nan, taken.q) - np.log(weight).sum(1)
                rise = (own * weight).sum(1) + 2 * (pulled * (taken.half @ moved)).sum(1)
                rise -= np.einsum("gi,gij,gj->g", pulled, change, pulled)
                if restricted:
                    gain -= np.where(group.bridge, -np.log(weight[:, 0]), taken.log_left)
                    lost = np.einsum("gij,gji->g", taken.inverse, change)
                    rise += np.where(group.bridge, -(own * weight)[:, 0], (own * weight).sum(1) - lost)
                value[j, group.member], slope[j, group.member] = 0.5 * gain, 0.5 * rise
        return value, slope
