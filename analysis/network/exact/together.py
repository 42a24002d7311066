"""Many priors of one set of data at once: what a multiverse asks of the exact engine thousands of times.

The nodes of every prior are those that a fit of its own would take, but the likelihood is found at all of
them in one pass, and where to look is read off one interpolated likelihood instead of one for each prior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import asinh, sinh

import numpy as np

from analysis.network.data.network import Array, pairs_of
from analysis.network.model import quadrature
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import (
    MOST_NODES,
    TOLERANCE,
    Posterior,
    effect_range,
    moments_of_tau,
)
from analysis.network.model.priors import Prior
from analysis.network.model.quadrature import Coordinate, Heterogeneity, Nodes, Range
from analysis.network.model.rows import DesignRows, NodeSolutions
from analysis.network.ranking import pair_matrix

NODES = 64
"""Nodes of each prior to begin with: those that a fit of its own begins with."""
_SEEN = 96
"""Chebyshev nodes of the likelihood by which ranges are found."""


def integrate_each(rows: DesignRows, priors: Sequence[Prior]) -> list[Posterior]:
    """Integrate tau out under each of several priors.

    Parameters
    ----------
    rows : DesignRows
    priors : sequence of Prior

    Returns
    -------
    list of Posterior
        Those that `analysis.network.model.posterior.integrate` gives, at its nodes.
    """
    if not priors:
        return []
    typical = max(float(np.median(rows.theta[rows.theta > 0] ** -0.5)), 1e-3 * effect_range(rows))
    scale = float(rows.theta.max() ** -0.5)
    likelihood = _interpolated(
        rows, scale, max(typical, *(min(prior.reach, prior.upper) for prior in priors))
    )
    places: list[tuple[Coordinate, Range, int]] = []
    for prior in priors:
        where, moments = Coordinate(scale, prior.logarithmic), moments_of_tau(rows, prior)
        places.append((where, quadrature.find_range(likelihood, prior, where, typical, moments), moments))
    found: dict[int, Posterior] = {}
    n = NODES
    while left := [i for i in range(len(priors)) if i not in found]:
        rules = [quadrature.nodes(priors[i], *places[i][:2], n) for i in left]
        solved = rows.solve(np.concatenate([rule.tau for rule in rules]))
        ends = np.cumsum([0, *(len(rule.tau) for rule in rules)])
        for i, rule, start, end in zip(left, rules, ends, ends[1:]):
            made = _posterior(rows, priors[i], places[i], rule, solved.take(np.arange(start, end)))
            if made.error <= TOLERANCE or n > MOST_NODES:
                found[i] = made
        n += n // 2
    return [found[i] for i in range(len(priors))]


def _posterior(
    rows: DesignRows, prior: Prior, place: tuple[Coordinate, Range, int], rule: Nodes, solution: NodeSolutions
) -> Posterior:
    where, span, moments = place
    log_mass = rule.log_weight + solution.log_likelihood
    mass = np.exp(log_mass - log_mass.max())
    total = float(log_mass.max() + np.log(mass.sum()))
    mass /= mass.sum()
    # What the last degrees of the density hold is what more nodes would still change: no second rule needed.
    smooth = mass[int(span.atom) :]
    error = float(np.abs(smooth @ quadrature.legendre(len(smooth))[2][:, -4:]).max())
    tau = Heterogeneity(prior, where, span, rule.tau, mass, moments)
    return Posterior(rows, prior, solution, mass, tau, total, error)


def _interpolated(rows: DesignRows, scale: float, reach: float) -> Callable[[Array], Array]:
    """Give log p(y | tau), to a few digits within reach of the priors and exactly beyond."""
    end = asinh(reach / scale) + 1.0
    angle = np.pi * (np.arange(_SEEN) + 0.5) / _SEEN
    values = rows.solve(scale * np.sinh(0.5 * end * (np.cos(angle) + 1.0))).log_likelihood
    degree = np.arange(_SEEN)
    series = 2.0 / _SEEN * np.cos(np.outer(degree, angle)) @ values
    series[0] /= 2.0
    furthest = scale * sinh(end)

    def log_likelihood(tau: Array) -> Array:
        near = tau <= furthest
        x = np.clip(2.0 * np.arcsinh(tau / scale) / end - 1.0, -1.0, 1.0)
        found = np.cos(np.outer(np.arccos(x), degree)) @ series
        if not near.all():
            found[~near] = rows.solve(tau[~near]).log_likelihood
        return found

    return log_likelihood


@dataclass(frozen=True)
class Summaries:
    """Effects and ranks of many posteriors of one network.

    Attributes
    ----------
    mean, sd, lower, upper : (P, m) array
        Of each effect; the limits are those of the 95 % interval.
    tail : (P, m) array
        Twice the smaller posterior probability on either side of no effect.
    tau : (P,) array
        Posterior median of the heterogeneity; 0 with common effects.
    better : (P, T, T) array
        Probability that the effect of row is above that of column.
    """

    mean: Array
    sd: Array
    lower: Array
    upper: Array
    tail: Array
    tau: Array
    better: Array


def summaries(posteriors: Sequence[Posterior], treatment: Array, versus: Array) -> Summaries:
    """Find the effects of some pairs of treatments, and who is better, under all posteriors in one pass.

    Parameters
    ----------
    posteriors : sequence of Posterior
        Of one design.
    treatment, versus : (m,) int array
        Indices into the network's treatments.
    """
    treatments = posteriors[0].rows.design.treatments
    assert treatments is not None
    low, high = pairs_of(len(treatments))
    pairs = _stacked(posteriors, treatments[high] - treatments[low])
    wins = pairs.probability_above(0.0)
    better = np.array([pair_matrix(len(treatments), high, low, row) for row in wins])
    asked = _stacked(posteriors, treatments[treatment] - treatments[versus])
    lower, upper = asked.interval()
    tau = np.array(
        [
            float(p.solution.tau[0]) if p.heterogeneity is None else p.heterogeneity.quantile(0.5)
            for p in posteriors
        ]
    )
    return Summaries(asked.mean, asked.sd, lower, upper, asked.tail_probability(), tau, better)


def _stacked(posteriors: Sequence[Posterior], contrasts: Array) -> NormalMixture:
    """Mixtures (P, c) of all posteriors, those of fewer nodes filled up with nodes of no weight."""
    most = max(posterior.n_nodes for posterior in posteriors)
    weights = np.zeros((len(posteriors), 1, most))
    means = np.zeros((len(posteriors), len(contrasts), most))
    sds = np.ones((len(posteriors), len(contrasts), most))
    for i, posterior in enumerate(posteriors):
        # What has no weight must not widen the bracket of a quantile.
        seen = np.flatnonzero(posterior.weights > 0)
        n, core = len(seen), int(np.argmax(posterior.weights[seen]))
        half = posterior.solution.root[seen] @ contrasts.T
        weights[i, 0, :n] = posterior.weights[seen]
        means[i, :, :n] = contrasts @ posterior.solution.coefficients[seen].T
        sds[i, :, :n] = np.sqrt(np.einsum("jpc,jpc->cj", half, half))
        means[i, :, n:], sds[i, :, n:] = means[i, :, [core]].T, sds[i, :, [core]].T
    return NormalMixture(np.broadcast_to(weights, means.shape), means, sds)
