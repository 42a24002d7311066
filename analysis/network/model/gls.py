"""Generalised least squares on a network, as the reduction of an electrical network.

Treatments are nodes, precisions conductances, effects voltages (Rücker 2012, doi:10.1002/jrsm.1058). Nodes
are eliminated one by one: a star of conductances around a node becomes a mesh between its neighbours. Every
step adds and multiplies quantities of one sign, so that nothing cancels, however different the standard
errors are; ordinary normal equations lose the imprecise studies of a network beside the precise ones (Alfa,
Xue and Ye 2002, doi:10.1090/S0025-5718-01-01325-4).

Everything is evaluated at many heterogeneity values at once. Studies may be left out, and the network may
fall apart; each part then has a root of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np

from analysis.network.data.graph import components
from analysis.network.data.network import Array, Block, Network, once, pairs_of
from analysis.network.model.rows import BlockRows, block_rows
from analysis.roots import zero_between
from evidence.system.memory import FEWER, refuse_without_room

SCAN = 24
"""Heterogeneity values at which a likelihood is looked at before its maximum is sought."""


@dataclass(frozen=True)
class Solution:
    """The network estimates at J heterogeneity values.

    Attributes
    ----------
    tau2 : (J,) array
    weights : (n, J) array
        Inverse variances of the rows; zero where a study is left out.
    effect : (J, T) array
        Treatment effects against the root of each treatment's part of the network.
    root : (J, T, T) array
        Square root of their covariance: the covariance is ``root @ root'``.
    rss : (J,) array
        Weighted sum of squared residuals; Cochran's Q at tau2 = 0.
    log_det : (J,) array
        Log determinant of the information matrix.
    residual : (n, J) array
    """

    tau2: Array
    weights: Array
    effect: Array
    root: Array
    rss: Array
    log_det: Array
    residual: Array


class Gls:
    """A network's rows and edges, ready to be solved at any tau2.

    Parameters
    ----------
    rows : sequence of BlockRows
        Rotated data, from `analysis.network.model.rows`.
    blocks : sequence of Block
        The same studies unrotated.
    n_treatments : int

    Attributes
    ----------
    blocks : tuple of BlockRows
        The rotated data.
    y, theta, study : (n,) arrays
        Rotated effects, their share in tau2, and the unit of randomisation of each row.
    low, high : (E,) int arrays
        Treatments of each edge.
    design : (n, T) sparse array
        What the rotation makes of the treatments' effects.
    """

    def __init__(self, rows: Sequence[BlockRows], blocks: Sequence[Block], n_treatments: int) -> None:
        from scipy.sparse import csr_array

        self.n_treatments, self.blocks = n_treatments, tuple(rows)
        self.y = np.concatenate([block.y.ravel() for block in rows])
        self.theta = np.concatenate([block.theta.ravel() for block in rows])
        self.study = np.concatenate([np.repeat(block.study, block.y.shape[1]) for block in rows])
        parts = []
        start = 0
        for rotated, block in zip(rows, blocks):
            studies, q, m = rotated.rotation.shape
            # Coefficients of all arms in each row; they sum to zero.
            c = np.concatenate([-rotated.rotation.sum(2, keepdims=True), rotated.rotation], axis=2)
            i, j = pairs_of(m + 1)
            row = start + np.arange(studies * q).reshape(studies, q)
            effect = np.concatenate([np.zeros((studies, 1)), block.y], axis=1)
            conductance = -c[:, :, i] * c[:, :, j]
            shape = conductance.shape
            low = np.minimum(block.treatment[:, i], block.treatment[:, j])
            high = np.maximum(block.treatment[:, i], block.treatment[:, j])
            voltage = np.where(high == block.treatment[:, j], 1.0, -1.0) * (effect[:, j] - effect[:, i])
            parts.append(
                (
                    np.broadcast_to(row[:, :, None], shape).ravel(),
                    np.broadcast_to((low * n_treatments + high)[:, None, :], shape).ravel(),
                    conductance.ravel(),
                    (conductance * voltage[:, None, :]).ravel(),
                    np.broadcast_to(row[:, :, None], c.shape).ravel(),
                    np.broadcast_to(block.treatment[:, None, :], c.shape).ravel(),
                    c.ravel(),
                )
            )
            start += studies * q
        row, code, conductance, current, x_row, x_treatment, x = (
            np.concatenate([part[n] for part in parts]) for n in range(7)
        )
        distinct, edge = np.unique(code, return_inverse=True)
        self.low, self.high = distinct // n_treatments, distinct % n_treatments
        n, edges = len(self.y), len(distinct)
        self._conductance = csr_array((conductance, (edge.ravel(), row)), shape=(edges, n))
        self._current = csr_array((current, (edge.ravel(), row)), shape=(edges, n))
        self.design = csr_array((x, (x_row, x_treatment)), shape=(n, n_treatments))
        total = self._conductance @ np.ones(n)
        strength = np.bincount(self.low, total, n_treatments) + np.bincount(self.high, total, n_treatments)
        # The best connected treatment is the root, so that effects within a well connected part stay sharp.
        self._order = np.argsort(-strength, kind="stable")

    @classmethod
    def of(cls, net: Network) -> Gls:
        """Take all studies of a network.

        Parameters
        ----------
        net : Network

        Returns
        -------
        Gls
        """
        return _of(net)

    def conductances(self, tau2: float, keep: Array | None = None) -> Array:
        """Precision of each edge ``(low, high)``, summed over studies, (E,)."""
        return self._conductance @ self._weights(np.array([tau2]), keep)[:, 0]

    def _weights(self, tau2: Array, keep: Array | None) -> Array:
        weights = 1.0 / (1.0 + np.outer(self.theta, tau2))
        return weights if keep is None else weights * keep[:, None]

    def solve(
        self, tau2: Array | Sequence[float], keep: Array | None = None, root: int | None = None
    ) -> Solution:
        """Solve the network.

        Parameters
        ----------
        tau2 : (J,) array
            Heterogeneity variances.
        keep : (n,) bool array, optional
            Rows that count.
        root : int, optional
            Treatment against which effects are held; the best connected one without it.

        Returns
        -------
        Solution
        """
        tau2 = np.asarray(tau2, dtype=float)
        # Four square arrays a value and a fifth while nodes are eliminated; three numbers a row.
        refuse_without_room(
            8 * len(tau2) * (5 * self.n_treatments**2 + 3 * len(self.y)),
            f"Least squares of {len(self.y):,} effects of {self.n_treatments:,} treatments, at {len(tau2)} "
            "values of tau2,",
            FEWER,
        )
        weights = self._weights(tau2, keep)
        order = self._order
        if root is not None:
            order = np.concatenate([[root], order[order != root]])
        place = np.argsort(order)
        low, high = place[self.low], place[self.high]
        size = (len(tau2), self.n_treatments, self.n_treatments)
        g, current = np.zeros(size), np.zeros(size)
        g[:, low, high] = g[:, high, low] = (self._conductance @ weights).T
        current[:, high, low] = (self._current @ weights).T
        current[:, low, high] = -current[:, high, low]
        effect, factor, log_det = _eliminate(g, current)
        effect, factor = effect[:, place], factor[:, place]
        residual = self.y[:, None] - self.design @ effect.T
        rss = (weights * residual**2).sum(0)
        return Solution(tau2, weights, effect, factor, rss, log_det, residual)

    def contrasts(
        self, tau2: float, treatment: Array, versus: Array, keep: Array | None = None
    ) -> tuple[Array, Array]:
        """Estimate effects of treatments against others.

        Parameters
        ----------
        tau2 : float
        treatment, versus : (m,) int arrays
        keep : (n,) bool array, optional
            Rows that count.

        Returns
        -------
        effect, variance : (m,) arrays
            NaN where the two are not connected.
        """
        effect, variance, size = self._differences(tau2, treatment, versus, keep, None)
        # Two treatments that know each other far better than the root: the difference loses digits. Ask one
        # of them.
        for at in np.unique(versus[variance < 1e-8 * size]):
            of = (versus == at) & (variance < 1e-8 * size)
            effect[of], variance[of], _ = self._differences(tau2, treatment[of], versus[of], keep, int(at))
        part = self.parts(keep)
        apart = part[treatment] != part[versus]
        effect[apart] = variance[apart] = np.nan
        return effect, variance

    def _differences(
        self, tau2: float, treatment: Array, versus: Array, keep: Array | None, root: int | None
    ) -> tuple[Array, Array, Array]:
        # The rows of a root of the covariance, twice, for every pair.
        refuse_without_room(
            16 * len(treatment) * self.n_treatments,
            f"The table of {len(treatment):,} pairs of {self.n_treatments:,} treatments",
            FEWER,
        )
        solution = self.solve([tau2], keep, root)
        effect, factor = solution.effect[0], solution.root[0]
        size = (factor**2).sum(1)
        variance = ((factor[treatment] - factor[versus]) ** 2).sum(1)
        return effect[treatment] - effect[versus], variance, np.maximum(size[treatment], size[versus])

    def degrees_of_freedom(self, keep: Array | None = None) -> int:
        """Rows less estimated effects."""
        rows = len(self.y) if keep is None else int(keep.sum())
        return rows - self.n_treatments + int(self.parts(keep).max()) + 1

    def parts(self, keep: Array | None = None) -> Array:
        """Label the connected part of each treatment, (T,)."""
        present = np.ones(len(self.low), dtype=bool)
        if keep is not None:
            present = abs(self._conductance) @ keep.astype(float) > 0
        return components(self.n_treatments, np.column_stack([self.low, self.high])[present])

    def log_likelihood(self, solution: Solution, restricted: bool) -> Array:
        """(Restricted) log likelihood of tau2 at each value, up to a constant, (J,)."""
        used = solution.weights > 0
        spread = -np.log(np.where(used, solution.weights, 1.0)).sum(0)
        return -0.5 * (spread + restricted * solution.log_det + solution.rss)

    def score(self, solution: Solution, restricted: bool) -> Array:
        """Differentiate `log_likelihood` by tau2, (J,)."""
        w = solution.weights
        slope = -(self.theta @ w) + (self.theta[:, None] * (w * solution.residual) ** 2).sum(0)
        if restricted:
            change = self._conductance @ (self.theta[:, None] * w**2)
            slope += (change * self.resistances(solution)).sum(0)
        return 0.5 * slope

    def between(self, solution: Solution, coefficient: Array) -> Array:
        """Hold weighted rows between the roots of the covariance: root' X' diag(c) X root, (J, T, T).

        Parameters
        ----------
        solution : Solution
            At J values of tau2.
        coefficient : (n, J) or (n,) array
        """
        of_edge = (self._conductance @ coefficient).reshape(len(self.low), -1)
        found = np.empty_like(solution.root)
        for j, root in enumerate(solution.root):
            difference = root[self.high] - root[self.low]
            found[j] = difference.T @ (of_edge[:, j, None] * difference)
        return found

    def resistances(self, solution: Solution) -> Array:
        """Variance of the network estimate of each edge, (E, J)."""
        values, edges = len(solution.tau2), len(self.low)
        # The rows of both treatments, and their difference.
        refuse_without_room(
            24 * values * edges * self.n_treatments,
            f"The likelihood of tau2 with {edges:,} comparisons of {self.n_treatments:,} treatments",
            f"Take --tau2 DL, which needs {values} times less, or a value. {FEWER}" if values > 1 else FEWER,
        )
        difference = solution.root[:, self.high] - solution.root[:, self.low]
        return (difference**2).sum(2).T


@once
def _of(net: Network) -> Gls:
    return Gls(block_rows(net), net.blocks, len(net.treatments))


def _eliminate(g: Array, current: Array) -> tuple[Array, Array, Array]:
    """Eliminate all nodes but the first, the last one first; then go back.

    Parameters
    ----------
    g : (J, T, T) array
        Conductances between nodes; overwritten.
    current : (J, T, T) array
        Conductance times voltage from the second index to the first; overwritten.

    Returns
    -------
    effect : (J, T) array
        Potentials; zero at the first node, and at the first node of every part not connected with it.
    root : (J, T, T) array
        Square root of their covariance.
    log_det : (J,) array
        Log determinant of the information matrix.
    """
    values, nodes, _ = g.shape
    share, offset, spread = np.zeros_like(g), np.zeros((values, nodes)), np.zeros((values, nodes))
    log_det = np.zeros(values)
    for k in range(nodes - 1, 0, -1):
        to, flow = g[:, k, :k].copy(), current[:, k, :k]
        total = to.sum(1, keepdims=True)
        linked = total > 0
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=linked)
        share[:, k, :k] = to * inverse
        offset[:, k] = (flow * inverse).sum(1)
        spread[:, k] = np.sqrt(inverse[:, 0])
        log_det += np.log(total, out=np.zeros_like(total), where=linked)[:, 0]
        through = to[:, :, None] * (flow * inverse)[:, None, :]
        current[:, :k, :k] += through - through.swapaxes(1, 2)
        g[:, :k, :k] += to[:, :, None] * share[:, k, None, :k]
    effect, root = np.zeros((values, nodes)), np.zeros_like(g)
    for k in range(1, nodes):
        effect[:, k] = (share[:, k, :k] * effect[:, :k]).sum(1) + offset[:, k]
        root[:, k] = (share[:, k, None, :k] @ root[:, :k])[:, 0]
        root[:, k, k] = spread[:, k]
    return effect, root, log_det


# --- heterogeneity
# ----------------------------------------------------------------------------------------------


def tau2_dersimonian_laird(gls: Gls, keep: Array | None = None) -> float:
    """Generalised moment estimator of DerSimonian and Laird for networks.

    Parameters
    ----------
    gls : Gls
    keep : (n,) bool array, optional
        Rows that count.

    Returns
    -------
    float
        (Q - df) over its expected growth with tau2, or 0; NaN without degrees of freedom, or where the
        precisions of the studies differ so much that the growth is lost in rounding.

    References
    ----------
    Jackson D, White IR, Riley RD (2012). Stat Med 31:3805-20. doi:10.1002/sim.5453
    """
    df = gls.degrees_of_freedom(keep)
    if df == 0:
        return np.nan
    solution = gls.solve([0.0], keep)
    w = solution.weights[:, 0]
    total = float(gls.theta @ w)
    growth = total - (gls._conductance @ (gls.theta * w)) @ gls.resistances(solution)[:, 0]
    return moment_estimate(float(solution.rss[0]) - df, float(growth), total)


def moment_estimate(excess: float, growth: float, total: float) -> float:
    """Divide the excess of Q over its degrees of freedom by its growth with tau2.

    Parameters
    ----------
    excess : float
    growth : float
        Found as the difference of `total` and what the effects take up.
    total : float

    Returns
    -------
    float
        At least 0; NaN where the precisions differ so much that the growth is lost in rounding.
    """
    return max(0.0, excess / growth) if growth > 1e-9 * total else np.nan


def tau2_likelihood(gls: Gls, restricted: bool = True, keep: Array | None = None) -> float:
    """Maximise the (restricted) likelihood of tau2.

    The whole range is looked at first, so that the highest of several maxima is taken; the zero of the score
    is then found to rounding error.

    Parameters
    ----------
    gls : Gls
    restricted : bool
        REML, else ML.
    keep : (n,) bool array, optional
        Rows that count.

    Returns
    -------
    float
        NaN without degrees of freedom.
    """
    if gls.degrees_of_freedom(keep) == 0:
        return np.nan
    low, high = 0.0, np.sqrt(largest_tau2(gls, keep))
    unit = 1.0 / np.sqrt(gls.theta.max())
    if high == 0.0:
        return 0.0

    def score(tau2: float) -> float:
        return float(gls.score(gls.solve([tau2], keep), restricted)[0])

    for _ in range(40):
        # Equidistant in asinh: linear near 0, logarithmic far away.
        nodes = unit * np.sinh(np.linspace(np.arcsinh(low / unit), np.arcsinh(high / unit), SCAN))
        solution = gls.solve(nodes**2, keep)
        slope = gls.score(solution, restricted)
        best = int(np.argmax(gls.log_likelihood(solution, restricted)))
        if best == SCAN - 1 and slope[-1] > 0:
            low, high = nodes[-2], 4 * high
            continue
        if best == 0 and nodes[0] == 0.0 and slope[0] <= 0:
            return 0.0
        left = best if slope[best] > 0 else best - 1
        if 0 <= left < SCAN - 1 and slope[left] > 0 >= slope[left + 1]:
            ends = nodes[left] ** 2, nodes[left + 1] ** 2
            # At its zero the score is rounding error, and so may be its sign at the ends.
            if score(ends[0]) <= 0 or score(ends[1]) >= 0:
                return float(ends[0] if score(ends[0]) <= 0 else ends[1])
            return zero_between(score, *ends, relative=1e-15)
        low, high = nodes[max(best - 1, 0)], nodes[min(best + 1, SCAN - 1)]
    return float(nodes[best] ** 2)


def largest_tau2(gls: Gls, keep: Array | None = None) -> float:
    """Bound on tau2: the sum of squared residuals were there no sampling error, with room to spare."""
    far = 1e16 / gls.theta.min()
    return 16.0 * far * float(gls.solve([far], keep).rss[0])


ESTIMATORS = {
    "REML": lambda gls, keep=None: tau2_likelihood(gls, True, keep),
    "ML": lambda gls, keep=None: tau2_likelihood(gls, False, keep),
    "DL": tau2_dersimonian_laird,
}
"""Estimators of tau2 by name."""


def tau2_interval(gls: Gls, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of tau2 by the generalised Q statistic (Q-profile).

    Parameters
    ----------
    gls : Gls
    level : float

    Returns
    -------
    lower, upper : float
        NaN without degrees of freedom.

    References
    ----------
    Viechtbauer W (2007). Stat Med 26:37-52. doi:10.1002/sim.2514; for networks Jackson D et al. (2014). Stat
    Med 33:3639-54. doi:10.1002/sim.6188
    """
    from scipy.special import chdtri

    df = gls.degrees_of_freedom()
    if df == 0:
        return np.nan, np.nan

    def excess(tau2: float, target: float) -> float:
        return float(gls.solve([tau2]).rss[0]) - target

    bounds = []
    for target in chdtri(df, [(1 - level) / 2, (1 + level) / 2]):
        if excess(0.0, target) <= 0:
            bounds.append(0.0)
            continue
        high = largest_tau2(gls)
        while excess(high, target) > 0 and high < inf:
            high *= 16
        bounds.append(zero_between(partial(excess, target=target), 0.0, high, relative=1e-14))
    return bounds[0], bounds[1]
