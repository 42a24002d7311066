"""The posterior of counts by quadrature and importance sampling.

Heterogeneity is integrated at Gauss-Legendre nodes, every study's own effects by an adaptive Gauss-Hermite
rule (`analysis.network.model.integrals`); only the treatment effects are drawn, from a t distribution around
their mode at each node, with quasi-random numbers, and weighted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import lgamma, log, pi

import numpy as np
from scipy.special import gammaincinv, ndtri

from analysis.network.data.network import Array, Network
from analysis.network.model import priors, quadrature
from analysis.network.model.draws import LARGEST_SHAPE, LEAST_SHARE, Draws, pareto_smoothed
from analysis.network.model.integrals import CountsModel, Modes, StudyIntegrals
from analysis.network.model.likelihood import Counts, arm_predictors
from analysis.network.model.quadrature import Heterogeneity
from analysis.network.model.rows import Design
from analysis.network.model.specification import Specification
from analysis.network.protocol import TauSummary
from analysis.network.sampled import driven_text, undetermined
from evidence.errors import RefusedError

FREEDOM = 15.0
"""Degrees of freedom of the t distribution that effects are drawn from."""
NODE_TOLERANCE = 1e-4
"""Change of the quantiles of tau, in posterior standard deviations, at which no more nodes are taken."""
MOST_NODES = 200
PILOT = 256
"""Draws, the first of the quasi-random sequence, on which a finer Gauss-Hermite rule is tried."""
FINER = 2
"""Points per dimension by which it is finer."""
ORDER_TOLERANCE = 1e-3
"""Spread over the posterior of what that changes in the log likelihood, at which a rule is fine enough."""
KEPT = 150_000_000
"""Bytes up to which the integrals of every study at every draw are kept."""
MOST_POINTS = 15
"""Points per dimension beyond which no rule goes."""


@dataclass(frozen=True)
class Sampling:
    """How a posterior of counts is computed, besides what it assumes of effects.

    Attributes
    ----------
    baseline : (float, float)
        Prior of the baselines.
    seed, draws, order, nodes : int
        As in `fit`.
    """

    baseline: tuple[float, float]
    seed: int
    draws: int
    order: int
    nodes: int


def integrals_in_bytes(counts: Counts, draws: int) -> int:
    """Bytes that a likelihood of each study and two numbers of each arm take at every draw."""
    return 8 * draws * sum(len(y) + 2 * y.size for y in counts.events)


@dataclass(frozen=True, eq=False)
class CountsPosterior:
    """Weighted draws of the coefficients of one design.

    Attributes
    ----------
    model : CountsModel
    modes : Modes
        At the nodes of tau.
    node : (N,) int array
        Node of each draw.
    coefficients : (N, p) array
    integrals : StudyIntegrals or None
        Of every study at every draw, where that is no more than `KEPT` bytes; else they are found anew when
        they are asked for, some studies after the other.
    log_weight, weight : (N,) array
        As they are, and smoothed and normalised.
    shape : float
        Pareto k-hat.
    proposal : (J,) array
        Probabilities of the nodes as they were drawn.
    heterogeneity : Heterogeneity or None
        None with common effects.
    noise : (N,) array
    """

    model: CountsModel
    modes: Modes
    node: Array
    coefficients: Array
    integrals: StudyIntegrals | None
    log_weight: Array
    weight: Array
    shape: float
    proposal: Array
    heterogeneity: Heterogeneity | None
    noise: Array

    @property
    def effective(self) -> float:
        """Effective number of draws."""
        return float(1.0 / (self.weight**2).sum())

    @property
    def trusted(self) -> bool:
        """Whether the weights pass the gate."""
        return bool(
            np.isfinite(self.weight).all()
            and self.shape < LARGEST_SHAPE
            and self.effective >= LEAST_SHARE * len(self.weight)
        )

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood."""
        top = self.log_weight.max()
        return float(top + np.log(np.exp(self.log_weight - top).mean()))

    @cached_property
    def draws(self) -> Draws:
        """Draws of the treatments' effects, or of the coefficients where a design has no treatments."""
        treatments = self.model.design.treatments
        effects = self.coefficients if treatments is None else self.coefficients @ treatments.T
        return Draws(self.weight, effects, self.modes.tau[self.node], self.noise)

    def tau_mass(self, weight: Array) -> Array:
        """Probabilities of the nodes under weights of the draws, (J,).

        The ratio to the probabilities that they were drawn with is smooth in tau: a cubic polynomial for its
        logarithm takes the Monte Carlo noise out.
        """
        J = len(self.proposal)
        found = np.bincount(self.node, weights=weight, minlength=J)
        number = np.bincount(self.node, minlength=J) / len(self.node)
        seen = (found > 0) & (number * len(self.node) >= 5)
        if seen.sum() < 6:
            return self.proposal
        assert self.heterogeneity is not None
        where = self.heterogeneity.where
        u = np.array([where.u(max(t, 1e-12 * where.scale)) for t in self.modes.tau[-J:]])
        middle, spread = self.proposal @ u, np.sqrt(self.proposal @ (u - self.proposal @ u) ** 2)
        x = np.polynomial.polynomial.polyvander(np.clip((u - middle) / spread, -4.0, 4.0), 3)
        ratio = np.log(found[seen] / number[seen])
        root = np.sqrt(found[seen])
        coefficients = np.linalg.lstsq(x[seen] * root[:, None], ratio * root, rcond=None)[0]
        log_mass = np.log(np.maximum(self.proposal, 1e-300)) + x @ coefficients
        mass = np.exp(log_mass - log_mass.max())
        return mass / mass.sum()

    def tau_posterior(self, weight: Array | None = None) -> Heterogeneity | None:
        """Posterior of the heterogeneity on its nodes; None with common effects."""
        if self.heterogeneity is None:
            return None
        return replace(self.heterogeneity, mass=self.tau_mass(self.weight if weight is None else weight))

    def tau(self, weight: Array | None = None) -> TauSummary | None:
        """Posterior of the heterogeneity, perhaps under other weights; None with common effects."""
        if (own := self.tau_posterior(weight)) is None:
            return None
        lower, median, upper = (own.quantile(q) for q in (0.025, 0.5, 0.975))
        return TauSummary(own.mean, own.sd, median, lower, upper)

    @cached_property
    def finer(self) -> tuple[Array, StudyIntegrals]:
        """Some of the draws, and their study integrals by a rule with more points."""
        some = np.arange(PILOT)
        orders = [order + FINER for order in self.model.orders]
        node, coefficients = self.node[some], self.coefficients[some]
        return some, self.model.integrate(self.modes, node, coefficients, fit=True, orders=orders)

    @cached_property
    def coarse(self) -> StudyIntegrals:
        """The study integrals that were used, at the draws of `finer`."""
        some = np.arange(PILOT)
        if (kept := self.integrals) is None:
            return self.model.integrate(self.modes, self.node[some], self.coefficients[some], fit=True)
        assert kept.deviance is not None
        assert kept.fitted is not None
        parts = (tuple(part[some] for part in parts) for parts in (kept.deviance, kept.fitted))
        return StudyIntegrals(kept.log_likelihood[some], *parts)

    def log_likelihoods(self, owner: Array) -> Iterator[tuple[int, Array]]:
        """Give each study's log likelihood at every draw, some studies after the other.

        Parameters
        ----------
        owner : (S,) int array
            Number of the study of each unit of randomisation, in the order of `Counts.study`.

        Returns
        -------
        iterator of (int, (N,) array)
            Once for each number, in no order.
        """
        if self.integrals is None:
            parts = self.model.by_study(self.modes, self.node, self.coefficients)
        else:
            parts = iter([(np.arange(len(owner)), self.integrals.log_likelihood)])
        missing, waiting = np.bincount(owner), dict[int, Array]()
        for places, values in parts:
            for column, study in enumerate(owner[places].tolist()):
                waiting[study] = waiting.get(study, 0.0) + values[:, column]
                missing[study] -= 1
                if not missing[study]:
                    yield study, waiting.pop(study)

    @property
    def integration_error(self) -> float:
        """Standard deviation over draws of the error of the log likelihood from the Gauss-Hermite rule."""
        some, finer = self.finer
        change = (finer.log_likelihood - self.coarse.log_likelihood).sum(1)
        return float(_spread(change, self.log_weight[some]))

    @cached_property
    def deviance(self) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Posterior mean residual deviance of every arm, and its leverage, (s, k) by block.

        Leverage is the mean deviance less the deviance at the posterior mean of the expected events. Both are
        corrected by what a finer rule finds at some of the draws.
        """
        counts = self.model.counts
        some, finer = self.finer
        weight = self.weight[some] / self.weight[some].sum()

        def corrected(name: str, sums: Sequence[Array]) -> list[Array]:
            at_some = zip(sums, getattr(self.coarse, name), getattr(finer, name))
            return [whole + np.tensordot(weight, f - c, 1) for whole, c, f in at_some]

        if (kept := self.integrals) is None:
            _, *sums = self.model.sums(self.modes, self.node, self.coefficients, self.weight)
        else:
            assert kept.deviance is not None
            assert kept.fitted is not None
            sums = [[np.tensordot(self.weight, c, 1) for c in part] for part in (kept.deviance, kept.fitted)]
        mean, fitted = corrected("deviance", sums[0]), corrected("fitted", sums[1])
        leverage = []
        for own, expected, y, size in zip(mean, fitted, counts.events, counts.sizes):
            leverage.append(own - counts.likelihood.deviance(y, size, expected))
        return tuple(mean), tuple(leverage)

    @property
    def dic(self) -> float:
        """Deviance information criterion: mean residual deviance and leverages, summed."""
        return float(sum(part.sum() for parts in self.deviance for part in parts))


def sample(
    counts: Counts, design: Design, specification: Specification, how: Sampling, model: str
) -> CountsPosterior:
    """Draw the coefficients of a design from their posterior.

    Parameters
    ----------
    counts : Counts
    design : Design
    specification : Specification
        Prior of tau.
    how : Sampling
    model : {"common", "random"}

    Returns
    -------
    CountsPosterior
    """
    likelihood = CountsModel(
        counts, design, arm_predictors(design), how.baseline, common=model == "common", order=how.order
    )
    if model == "common":
        modes = likelihood.modes(np.zeros(1))
        log_node, proposal, tau = np.zeros(1), np.ones(1), None
    else:
        modes, log_node, proposal, tau = _nodes(likelihood, specification.prior, how.nodes)
    stretch = _stretch(likelihood, modes, proposal)
    node, coefficients, log_proposal, noise = _propose(modes, proposal, stretch, how)
    outside = log_node[node] + likelihood.log_prior_effects(coefficients) - log_proposal
    likelihood.orders = _orders(likelihood, modes, node[:PILOT], coefficients[:PILOT], outside[:PILOT])
    integrals, total = None, np.zeros(0)
    if integrals_in_bytes(counts, len(node)) <= KEPT:
        integrals = likelihood.integrate(modes, node, coefficients, fit=True)
        total = integrals.log_likelihood.sum(1)
    else:
        total = likelihood.sums(modes, node, coefficients)[0]
    log_weight = total + outside
    weight, shape = pareto_smoothed(log_weight)
    return CountsPosterior(
        likelihood, modes, node, coefficients, integrals, log_weight, weight, shape, proposal, tau, noise
    )


def _orders(
    likelihood: CountsModel, modes: Modes, node: Array, coefficients: Array, outside: Array
) -> tuple[int, ...]:
    """Take more points in those blocks of studies where that still changes the posterior.

    Where an arm has no events and tau is large, five points are too few: the upper end of tau's posterior
    would be off.

    Parameters
    ----------
    likelihood : CountsModel
    modes : Modes
    node, coefficients : (N,) and (N, p) array
        Some draws.
    outside : (N,) array
        Their log weights but for the likelihood.
    """
    ends = np.cumsum([len(y) for y in likelihood.counts.events])[:-1]
    orders = list(likelihood.orders)

    def by_block() -> list[Array]:
        found = likelihood.integrate(modes, node, coefficients, orders=orders).log_likelihood
        return [part.sum(1) for part in np.split(found, ends, axis=1)]

    current, coarse = by_block(), [True] * len(orders)
    while True:
        before = list(orders)
        orders[:] = [n + FINER if more else n for n, more in zip(orders, coarse)]
        finer = by_block()
        log_weight = np.sum(finer, axis=0) + outside
        coarse = [
            more and n + FINER <= MOST_POINTS and _spread(new - old, log_weight) > ORDER_TOLERANCE
            for n, more, new, old in zip(orders, coarse, finer, current)
        ]
        if not any(coarse):
            return tuple(before)
        orders[:] = [n if more else old for n, more, old in zip(orders, coarse, before)]
        current = [new if more else old for more, new, old in zip(coarse, finer, current)]


def _spread(values: Array, log_weight: Array) -> float:
    """Compute the standard deviation of values under unnormalised log weights."""
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return float(np.sqrt(weight @ (values - weight @ values) ** 2))


def _nodes(likelihood: CountsModel, prior: priors.Prior, n: int) -> tuple[Modes, Array, Array, Heterogeneity]:
    """Place nodes where the posterior of tau is, and find their probabilities with effects at their modes."""
    counts = likelihood.counts
    error = [
        1.0
        / counts.likelihood.derivatives(
            y + 0.5, size + 1.0, counts.likelihood.predictor(y + 0.5, size + 1.0)
        )[1]
        for y, size in zip(counts.events, counts.sizes)
    ]
    sd = np.sqrt(np.concatenate([(v[:, :1] + v[:, 1:]).ravel() for v in error]))
    where = quadrature.Coordinate(float(sd.min()), prior.logarithmic)
    typical = float(np.median(sd))
    rows = sum(y.size - len(y) for y in counts.events)
    moments = 2 if rows + prior.tail > 3 else 1 if rows + prior.tail > 2 else 0
    span = quadrature.find_range(lambda t: likelihood.modes(t).log_likelihood, prior, where, typical, moments)

    def at(n: int) -> tuple[Modes, Array, Array, Heterogeneity]:
        rule = quadrature.nodes(prior, where, span, n)
        modes = likelihood.modes(rule.tau)
        exact = likelihood.integrate(modes, np.arange(len(rule.tau)), modes.effects).log_likelihood.sum(1)
        half = np.linalg.cholesky(modes.precision)
        log_mass = rule.log_weight + exact + likelihood.log_prior_effects(modes.effects)
        log_mass -= np.log(np.diagonal(half, axis1=1, axis2=2)).sum(1)
        mass = np.exp(log_mass - log_mass.max())
        mass /= mass.sum()
        return modes, rule.log_weight, mass, Heterogeneity(prior, where, span, rule.tau, mass, moments)

    current = at(n)
    while True:
        n += n // 2
        finer = at(n)
        old, new = current[3], finer[3]
        spread = (new.quantile(0.975) - new.quantile(0.025)) / 4.0
        change = max(abs(old.quantile(q) - new.quantile(q)) for q in (0.025, 0.5, 0.975)) / spread
        if change < NODE_TOLERANCE:
            return current
        if n > MOST_NODES:
            return finer
        current = finer


def _stretch(likelihood: CountsModel, modes: Modes, probability: Array) -> Array:
    """Find how much wider than at the mode the posterior is on either side of it, along every axis.

    Where an arm has no events the effect's posterior has one long tail. The scale of each half of each axis
    of the t distribution is the largest that some point far out asks for (Geweke 1989, Econometrica
    57:1317-39), found at some nodes and interpolated.

    Returns
    -------
    (J, p, 2) array
        Scales of the positive and the negative half of every axis.
    """
    J, p = modes.effects.shape
    some = np.unique(np.searchsorted(np.cumsum(probability), np.linspace(0.02, 0.98, 7)).clip(0, J - 1))
    distance = np.array([1.5, 3.0, 5.0, 8.0])
    axes = np.concatenate([np.eye(p), -np.eye(p)]).reshape(2, p, 1, p) * distance[:, None]  # (2, p, 4, p)
    root = np.linalg.inv(np.linalg.cholesky(modes.precision[some]))
    points = modes.effects[some][:, None] + axes.reshape(-1, p) @ root
    node = np.repeat(some, points.shape[1])
    points = points.reshape(-1, p)
    rough = [3] * len(likelihood.orders)
    away = likelihood.integrate(modes, node, points, orders=rough).log_likelihood.sum(1)
    away += likelihood.log_prior_effects(points)
    at = likelihood.integrate(modes, some, modes.effects[some], orders=rough).log_likelihood.sum(1)
    at += likelihood.log_prior_effects(modes.effects[some])
    drop = np.maximum(at[:, None, None, None] - away.reshape(len(some), 2, p, len(distance)), 1e-3)
    scale = (distance / np.sqrt(2.0 * drop)).max(3).clip(0.8, 20.0)
    flat = scale.swapaxes(1, 2).reshape(len(some), -1)
    between = [np.interp(np.arange(J), some, column) for column in flat.T]
    return np.stack(between, axis=1).reshape(J, p, 2)


def _propose(
    modes: Modes, probability: Array, scales: Array, how: Sampling
) -> tuple[Array, Array, Array, Array]:
    """Draw nodes, coefficients around their modes, and normal noise; with the log density of the proposal."""
    from scipy.stats import qmc

    p = modes.effects.shape[1]
    points = qmc.Sobol(p + 3, scramble=True, seed=how.seed).random(how.draws)
    points = np.clip(points, 1e-12, 1.0 - 1e-12)
    ends = np.cumsum(probability)
    node = np.minimum(np.searchsorted(ends, points[:, 0] * ends[-1]), len(ends) - 1)
    z = ndtri(points[:, 1 : p + 1])
    stretch = np.sqrt(2.0 * gammaincinv(FREEDOM / 2.0, points[:, p + 1]) / FREEDOM)
    t = z / stretch[:, None]
    lower = np.linalg.cholesky(modes.precision)
    root = np.linalg.inv(lower)
    side = np.where(t > 0, scales[node, :, 0], scales[node, :, 1])
    coefficients = modes.effects[node] + ((t * side)[:, None, :] @ root[node])[:, 0]
    log_density = (
        lgamma((FREEDOM + p) / 2.0)
        - lgamma(FREEDOM / 2.0)
        - 0.5 * p * log(FREEDOM * pi)
        + np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)[node]
        - 0.5 * (FREEDOM + p) * np.log1p((t**2).sum(1) / FREEDOM)
        - np.log(side).sum(1)
    )
    return node, coefficients, np.log(probability[node]) + log_density, ndtri(points[:, p + 2])


def refuse_untrusted(
    posterior: CountsPosterior, net: Network, specification: Specification, model: str
) -> None:
    """Refuse a posterior whose weights do not pass the gate, naming what the prior drives.

    Raises
    ------
    RefusedError
    """
    if posterior.trusted:
        return
    measured = (
        f"{model}: the importance weights cannot be trusted (Pareto k-hat {posterior.shape:.2f}, to be below "
        f"{LARGEST_SHAPE:g}; effective sample size {posterior.effective:.0f} of {len(posterior.weight)} "
        "draws, to be a tenth or more)."
    )
    treatments = posterior.model.design.treatments
    driven: list[str] = []
    if treatments is not None:
        covariance = np.linalg.inv(posterior.modes.precision)
        variance = np.einsum("tp,jpq,tq->jt", treatments, covariance, treatments)
        sd = np.sqrt(posterior.proposal @ variance)
        driven = [net.treatments[t] for t in np.flatnonzero(sd > undetermined(net, specification.effect_sd))]
    if driven:
        text = driven_text(net, driven, specification.effect_sd)
        raise RefusedError(f"{measured} {text[0].upper()}{text[1:]}")
    raise RefusedError(f"{measured} Take more draws, narrower priors, or the engine mcmc.")


def log_mean(weight: Array, log_values: Array) -> float:
    """Log of the weighted mean of exponentials."""
    with np.errstate(divide="ignore"):
        log_terms = np.log(weight) + log_values
    top = float(log_terms.max())
    return top + float(np.log(np.exp(log_terms - top).sum()))
