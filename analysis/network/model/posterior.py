"""The exact posterior of a normal network model: a mixture of normals over the nodes of tau.

Given tau, the coefficients are normal; integrated over tau they are a mixture with the nodes' masses as
weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, nan

import numpy as np

from analysis.network.data.network import pairs_of
from analysis.network.model import quadrature
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.priors import Prior
from analysis.network.model.quadrature import Heterogeneity
from analysis.network.model.rows import DesignRows, NodeSolutions
from analysis.network.protocol import Shares
from analysis.network.ranking import canonical
from evidence.facts import NORMAL_975
from evidence.system.memory import FEWER, refuse_without_room

Array = np.ndarray

TOLERANCE = 1e-8
"""Quadrature error allowed in any mean, standard deviation or quantile, in posterior standard deviations."""
MOST_NODES = 1000
"""Nodes at which refinement stops and the error is reported as it is."""

_PROBE = np.array([-NORMAL_975, 0.0, NORMAL_975])


@dataclass(frozen=True)
class Posterior:
    """Posterior of the coefficients of one design under one prior of tau, or with tau fixed.

    Attributes
    ----------
    rows : DesignRows
    prior : Prior or None
        None where tau is fixed.
    solution : NodeSolutions
        Conditional posteriors at the nodes.
    weights : (J,) array
        Posterior probabilities of the nodes.
    heterogeneity : Heterogeneity or None
        Posterior of tau; None where it is fixed.
    log_total : float
        Log of the likelihood summed over the nodes, all constants but those of flat priors included.
    error : float
        Quadrature error: largest change when half as many nodes again are used, of any mean, standard
        deviation or quantile in posterior standard deviations, or of the log marginal likelihood.
    """

    rows: DesignRows
    prior: Prior | None
    solution: NodeSolutions
    weights: Array
    heterogeneity: Heterogeneity | None
    log_total: float
    error: float = 0.0

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.weights)

    @property
    def learned(self) -> float:
        """Kullback-Leibler divergence of the posterior of tau from its prior, in nats."""
        seen = self.weights > 0
        log_likelihood = self.solution.log_likelihood[seen]
        return float(self.weights[seen] @ log_likelihood) - self.log_total

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood; not a number with flat priors of effects, where it is undefined."""
        return self.log_total if self.rows.design.precision.any() else nan

    @cached_property
    def _core(self) -> Array:
        """Nodes that can be seen in a mean or variance: weight times the largest variance there."""
        spread = np.einsum("jkp,jkp->jp", self.solution.root, self.solution.root)
        return np.flatnonzero((self.weights[:, None] * spread > 1e-15 * (self.weights @ spread)).any(1))

    @cached_property
    def probed(self) -> NormalMixture:
        """Effects by which two rules are compared: of all pairs of few treatments, else the coefficients."""
        treatments = self.rows.design.treatments
        probe = np.eye(self.rows.p)
        if treatments is not None and len(treatments) <= 12:
            i, j = pairs_of(len(treatments))
            probe = np.concatenate([treatments[j] - treatments[i], probe[~treatments.any(0)]])
            # With flat priors nothing tells of a treatment that no study links to the reference.
            probe = probe[probe.any(1)]
        return self.effects(probe)

    def effects(self, contrasts: Array) -> NormalMixture:
        """Posterior of linear combinations of the coefficients.

        Parameters
        ----------
        contrasts : (c, p) array

        Returns
        -------
        NormalMixture
            Of c mixtures.
        """
        kept = self._core
        root, coefficients = self.solution.root[kept], self.solution.coefficients[kept]
        variance = np.empty((len(contrasts), len(kept)))
        for part in node_chunks(len(kept), contrasts.size):
            half = root[part] @ contrasts.T
            variance[:, part] = np.einsum("jpc,jpc->cj", half, half)
        weights = self.weights[kept] / self.weights[kept].sum()
        return NormalMixture(weights, contrasts @ coefficients.T, np.sqrt(variance))

    def predicted(self, effects: NormalMixture) -> NormalMixture:
        """Posterior of the effects in a new study, which vary with tau around the mean effects."""
        spread = np.sqrt(effects.sds**2 + self.solution.tau[self._core] ** 2)
        return NormalMixture(effects.weights, effects.means, spread)

    def shares(self, contrasts: Array) -> Array:
        """Share of every comparison within studies in the precision of linear combinations of coefficients.

        Parameters
        ----------
        contrasts : (c, p) array

        Returns
        -------
        (c, m) array
            In the order of `DesignRows.comparison_precisions`; what is missing to 1 is the prior's.
        """
        rows, solution = self.rows, self.solution
        precision = rows.comparison_precisions(solution.weights) * self.weights
        result = np.empty((len(contrasts), len(precision)))
        for i, contrast in enumerate(contrasts):
            half = solution.root @ contrast
            influence = (solution.root.swapaxes(1, 2) @ half[:, :, None])[:, :, 0] @ rows.vectors.T
            share = influence.T**2 / (half**2).sum(1)
            result[i] = (precision * share[rows.comparison_edges]).sum(1)
        return result

    def draws(self, n: int, seed: int) -> tuple[Array, Array]:
        """Draw from the joint posterior, independently; nodes are visited in proportion to their weights.

        Parameters
        ----------
        n : int
        seed : int

        Returns
        -------
        (n, p) array
            Coefficients.
        (n,) array
            Tau; it takes the values of the nodes only, so its own quantiles are not to be read off it.
        """
        rng = np.random.default_rng(seed)
        node = self._visited(n, rng)
        z = rng.standard_normal((n, self.rows.p))
        result = np.empty_like(z)
        for j, start, end in zip(*_runs(node)):
            result[start:end] = self.solution.coefficients[j] + z[start:end] @ self.solution.root[j]
        return result, self.solution.tau[node]

    def _visited(self, n: int, rng: np.random.Generator) -> Array:
        """Node of each of n draws, ascending: by systematic sampling counts are n w_j to within one."""
        ends = np.cumsum(self.weights)
        position = (np.arange(n) + rng.random()) / n * ends[-1]
        return np.minimum(np.searchsorted(ends, position), len(ends) - 1)

    def effect_draws(self, n: int, seed: int) -> Array:
        """Draw the treatments' effects up to a constant, whatever treatments are called and ordered by.

        Parameters
        ----------
        n : int
        seed : int

        Returns
        -------
        (n, T) array
            Against the treatment with the lowest effect; columns in the network's order.
        """
        treatments = self.rows.design.treatments
        assert treatments is not None
        rng = np.random.default_rng(seed)
        node = self._visited(n, rng)
        at, starts, stops = _runs(node)
        mean = self.solution.coefficients[at] @ treatments.T
        overall = self.weights @ (self.solution.coefficients @ treatments.T)
        factor = treatments @ self.solution.root[at].swapaxes(1, 2)
        order, root = canonical(overall, factor)
        z = rng.standard_normal((n, len(order) - 1))
        result = np.empty((n, len(order)))
        for j, (start, end) in enumerate(zip(starts, stops)):
            result[start:end, order] = mean[j, order] - mean[j, order[0]] + z[start:end] @ root[j].T
        return result


def contrasts_of(posterior: Posterior, treatment: Array, versus: Array) -> Array:
    """Express the effects of pairs of treatments in the coefficients of a posterior, (m, p)."""
    treatments = posterior.rows.design.treatments
    assert treatments is not None
    p, nodes = treatments.shape[1], posterior.n_nodes
    # First both rows of coefficients and their difference; then that, and means, spreads, what a tail takes.
    refuse_without_room(
        8 * len(treatment) * max(3 * p, p + 5 * nodes),
        f"The posterior of {len(treatment):,} effects with {p:,} coefficients at {nodes} values of tau",
        f"Take the engine frequentist. {FEWER}",
    )
    return treatments[treatment] - treatments[versus]


def shares_of(posterior: Posterior, treatment: Array, versus: Array) -> Shares:
    """Divide the precision of the effects of pairs among comparisons: see `Posterior.shares`."""
    share = posterior.shares(contrasts_of(posterior, treatment, versus))
    p, r = np.nonzero(share)
    return Shares(p, r, share[p, r])


def node_chunks(n: int, size: int) -> Iterator[slice]:
    """Slices of n nodes, each of which keeps temporary arrays of `size` numbers a node within some 16 MB."""
    step = max(1, 2_000_000 // max(size, 1))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def _runs(sorted_values: Array) -> tuple[Array, Array, Array]:
    """Distinct values of a sorted array with the start and end of each run."""
    value, start = np.unique(sorted_values, return_index=True)
    return value, start, np.append(start[1:], len(sorted_values))


def fixed(rows: DesignRows, tau: float) -> Posterior:
    """Take tau as known: the posterior is a single normal; tau = 0 is the common-effect model.

    Parameters
    ----------
    rows : DesignRows
    tau : float
        In the outcome's unit.

    Returns
    -------
    Posterior
    """
    solution = rows.solve(np.array([float(tau)]))
    return Posterior(rows, None, solution, np.ones(1), None, float(solution.log_likelihood[0]))


def integrate(rows: DesignRows, prior: Prior, nodes: int = 64) -> Posterior:
    """Integrate tau out, with as many nodes as the tolerance takes.

    Parameters
    ----------
    rows : DesignRows
    prior : Prior
    nodes : int
        Gauss-Legendre nodes to begin with.

    Returns
    -------
    Posterior
        Its `error` says how far the refinement got.
    """
    typical = max(float(np.median(rows.theta[rows.theta > 0] ** -0.5)), 1e-3 * effect_range(rows))
    where = quadrature.Coordinate(float(rows.theta.max() ** -0.5), prior.logarithmic)
    moments = moments_of_tau(rows, prior)

    def log_likelihood(tau: Array) -> Array:
        return rows.solve(tau).log_likelihood

    span = quadrature.find_range(log_likelihood, prior, where, typical, moments)

    def at(n: int) -> Posterior:
        rule = quadrature.nodes(prior, where, span, n)
        solution = rows.solve(rule.tau)
        log_mass = rule.log_weight + solution.log_likelihood
        mass = np.exp(log_mass - log_mass.max())
        total = float(log_mass.max() + np.log(mass.sum()))
        mass /= mass.sum()
        heterogeneity = Heterogeneity(prior, where, span, rule.tau, mass, moments)
        return Posterior(rows, prior, solution, mass, heterogeneity, total)

    current = at(nodes)
    while True:
        nodes += nodes // 2
        finer = at(nodes)
        last = nodes > MOST_NODES
        error = _difference(current, finer, inf if last else TOLERANCE)
        if error <= TOLERANCE or last:
            return replace(current, error=error)
        current = finer


def moments_of_tau(rows: DesignRows, prior: Prior) -> int:
    """Count the moments of tau that exist, to the second: its density falls like a power of 1 / tau.

    Every row brings one power, but for those that flat priors of the effects use up; the rest is the prior's.
    """
    used = 0 if rows.design.precision.any() else rows.p
    power = int((rows.theta > 0).sum()) - used + prior.tail
    return 2 if power > 3 else 1 if power > 2 else 0


def effect_range(rows: DesignRows) -> float:
    """Largest absolute effect of a row, in the outcome's unit."""
    return float(np.max(np.abs(rows.y) / np.sqrt(np.maximum(rows.theta, np.finfo(float).tiny)), initial=0.0))


def reweighted(posterior: Posterior, log_ratio: Array) -> Array:
    """Weights of the nodes, (..., J), after the likelihood at each has been multiplied by a ratio."""
    with np.errstate(divide="ignore"):
        log_weight = np.log(posterior.weights) + log_ratio
    log_weight -= log_weight.max(-1, keepdims=True)
    weight = np.exp(log_weight)
    return weight / weight.sum(-1, keepdims=True)


def tail_left(posterior: Posterior, weights: Array) -> Array:
    """Roughly the probability beyond the nodes' range, (...), when they have other weights, (..., J)."""
    if posterior.heterogeneity is None:
        return np.zeros(weights.shape[:-1])
    span = posterior.heterogeneity.span
    gauss = quadrature.legendre(weights.shape[-1] - span.atom)[1]
    below = 0.0 if span.natural_lower else weights[..., int(span.atom)] / gauss[0]
    above = 0.0 if span.natural_upper else weights[..., -1] / gauss[-1]
    return below + above + np.zeros(weights.shape[:-1])


def _difference(coarse: Posterior, fine: Posterior, enough: float = inf) -> float:
    """Largest difference between two rules, in posterior standard deviations of the quantity concerned.

    One beyond `enough` is given as soon as it shows: what takes longest comes last.
    """
    assert coarse.heterogeneity is not None
    assert fine.heterogeneity is not None
    a, b = coarse.probed, fine.probed
    worst = [(a.mean - b.mean) / b.sd, (a.sd - b.sd) / b.sd, np.array([coarse.log_total - fine.log_total])]
    if (seen := _largest(worst)) > enough:
        return seen
    tau_a, tau_b = coarse.heterogeneity, fine.heterogeneity
    limits, moved = tau_a.limits, tau_b.moved(tau_a.limits)
    # As wide as the interval would be with this standard deviation, where there is none.
    spread = tau_b.sd if tau_b.moments > 1 else (limits[2] - limits[1]) / (2.0 * _PROBE[2])
    if spread > 0:
        worst.append(moved / spread)
        if tau_b.moments > 0:
            worst.append(np.array([tau_a.mean - tau_b.mean]) / spread)
        if tau_b.moments > 1:
            worst.append(np.array([tau_a.sd - tau_b.sd]) / spread)
    if (seen := _largest(worst)) > enough:
        return seen
    x = b.mean + _PROBE[:, None] * b.sd
    worst.append((a.probability_below(x) - b.probability_below(x)) / (b.density(x) * b.sd))
    return _largest(worst)


def _largest(differences: Iterable[Array]) -> float:
    largest = max(float(np.max(np.abs(some), initial=0.0)) for some in differences)
    return largest if np.isfinite(largest) else inf
