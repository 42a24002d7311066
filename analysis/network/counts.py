"""Bayesian network meta-analysis of counts, by quadrature and importance sampling instead of a Markov chain.

Heterogeneity is integrated at Gauss-Legendre nodes, every study's own effects by an adaptive Gauss-Hermite
rule (`analysis.network.integrals`); only the treatment effects are drawn, from a t distribution around their
mode at each node, with quasi-random numbers, and weighted. A Pareto shape of the weights of 0.5 or more, or
an effective sample size below a tenth of the draws, means refusal.

The model is the generalised linear model of Dias et al. (2013, doi:10.1177/0272989X12458724) on arms, with
between-arm covariance tau2 / 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, isfinite, lgamma, log, log2, nan, pi
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.special import gammaincinv, ndtri

from analysis.network import predictors, priors, quadrature, ranking
from analysis.network.data import Array, Network
from analysis.network.deletion import cut_off, study_numbers
from analysis.network.graph import comparisons, splittable
from analysis.network.importance import LARGEST_SHAPE, LEAST_SHARE, WeightedDraws, pareto_smoothed
from analysis.network.integrals import CountsModel, Modes, StudyIntegrals
from analysis.network.likelihood import (
    VAGUE,
    Counts,
    arm_predictors,
    choose,
    consistency,
    on_link,
    read_counts,
)
from analysis.network.quadrature import Heterogeneity
from analysis.network.result import Pair, contrast_ids
from analysis.network.rows import Design
from analysis.network.sampled import (
    SampledFit,
    TauSummary,
    driven_text,
    specify,
    split_row,
    summary,
    undetermined,
    unrelated_rows,
)
from analysis.network.specification import Specification, effect_scale, refuse_disconnected
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

FREEDOM = 15.0
"""Degrees of freedom of the t distribution that effects are drawn from."""
NODE_TOLERANCE = 1e-4
"""Change of the quantiles of tau, in posterior standard deviations, at which no more nodes are taken."""
MOST_NODES = 200


def fit(
    net: Network,
    *,
    model: str = "both",
    likelihood: str | None = None,
    link: str | None = None,
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    seed: int = 1,
    draws: int = 8192,
    order: int = 5,
    nodes: int = 32,
) -> CountsFit:
    """Fit counts of the arms with their own likelihood.

    Parameters
    ----------
    net : Network
        With counts of arms: events of n (measures OR, RR) or events in exposure (IRR).
    model : {"both", "common", "random"}
    likelihood : {"binomial", "poisson"}, optional
        What belongs to the effect measure without it.
    link : {"logit", "log", "cloglog"}, optional
        Likewise; ``"cloglog"`` makes a network of odds or risk ratios one of hazard ratios, for arms followed
        equally long within each study.
    tau_prior : str or Prior, optional
        See `analysis.network.priors.parse`. Without it uniform(0, u), u the largest effect observed in any
        study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each effect against the reference. Without it 15 u.
    baseline_prior : (float, float), optional
        Mean and standard deviation of the normal prior of every study's baseline on the link scale. Without
        it (0, 15 u), for rates around the crude log rate of all arms: units of exposure do not matter.
    seed : int
        Of the quasi-random numbers.
    draws : int
        Rounded up to a power of two.
    order : int
        Gauss-Hermite points per dimension in studies of two arms; fewer with more arms.
    nodes : int
        Of the heterogeneity, to begin with.

    Returns
    -------
    CountsFit

    Raises
    ------
    CallError
        If an option is not known.
    RefusedError
        If there are no counts, the network is not connected, or the weights cannot be trusted.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if not 3 <= order <= 15 or draws < 256 or nodes < 8:
        raise CallError("order is 3 to 15, draws 256 or more, nodes 8 or more.")
    if baseline_prior is not None and not (isfinite(baseline_prior[0]) and 0 < baseline_prior[1] < inf):
        raise CallError(
            f"baseline_prior is {baseline_prior}; it takes a mean and a standard deviation above 0."
        )
    refuse_disconnected(net)
    chosen = choose(net, likelihood, link)
    vague = baseline_prior is None or baseline_prior[1] > VAGUE
    counts = read_counts(net, chosen, vague_baselines=vague)
    net = on_link(net, chosen, counts)
    models = ("common", "random") if model == "both" else (model,)
    specification = specify(net, models, tau_prior, effect_prior_sd)
    if baseline_prior is None:
        middle = 0.0
        if chosen.distribution == "poisson":
            middle = log(sum(y.sum() for y in counts.events) / sum(size.sum() for size in counts.sizes))
        baseline_prior = (middle, 15.0 * effect_scale(net))
    how = Sampling(baseline_prior, seed, 2 ** max(8, int(np.ceil(log2(draws)))), order, nodes)
    design = consistency(counts.blocks, len(net.treatments), specification.effect_sd)
    posteriors = {}
    for name in models:
        posteriors[name] = sample(counts, design, specification, how, name)
        refuse_untrusted(posteriors[name], net, specification, name)
    return CountsFit(net, models, specification, counts, posteriors, how)


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
    integrals : StudyIntegrals
        Of every study at every draw.
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
    integrals: StudyIntegrals
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

    def draws(self, weight: Array | None = None) -> WeightedDraws:
        """Draws of the treatments' effects, or of the coefficients where a design has no treatments."""
        treatments = self.model.design.treatments
        effects = self.coefficients if treatments is None else self.coefficients @ treatments.T
        used = self.weight if weight is None else weight
        return WeightedDraws(used, effects, self.modes.tau[self.node], self.noise)

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

    def tau(self, weight: Array | None = None) -> TauSummary | None:
        """Posterior of the heterogeneity, perhaps under other weights; None with common effects."""
        if self.heterogeneity is None:
            return None
        own = replace(self.heterogeneity, mass=self.tau_mass(self.weight if weight is None else weight))
        lower, median, upper = (own.quantile(q) for q in (0.025, 0.5, 0.975))
        return TauSummary(own.mean, own.sd, median, lower, upper)

    @cached_property
    def finer(self) -> tuple[Array, StudyIntegrals]:
        """Some of the draws, and their study integrals by a rule with four points more."""
        some = np.arange(0, len(self.weight), max(1, len(self.weight) // 256))
        node, coefficients = self.node[some], self.coefficients[some]
        order = self.model.order + 4
        return some, self.model.integrate(self.modes, node, coefficients, fit=True, order=order)

    @property
    def integration_error(self) -> float:
        """Standard deviation over draws of the error of the log likelihood from the Gauss-Hermite rule."""
        some, finer = self.finer
        change = (finer.log_likelihood - self.integrals.log_likelihood[some]).sum(1)
        weight = self.weight[some] / self.weight[some].sum()
        return float(np.sqrt(weight @ (change - weight @ change) ** 2))

    @cached_property
    def deviance(self) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Posterior mean residual deviance of every arm, and its leverage, (s, k) by block.

        Leverage is the mean deviance less the deviance at the posterior mean of the expected events. Both are
        corrected by what a finer rule finds at some of the draws.
        """
        assert self.integrals.deviance is not None
        assert self.integrals.fitted is not None
        counts = self.model.counts
        some, finer = self.finer
        weight = self.weight[some] / self.weight[some].sum()
        assert finer.deviance is not None
        assert finer.fitted is not None

        def corrected(coarse: tuple[Array, ...], fine: tuple[Array, ...]) -> list[Array]:
            return [
                np.tensordot(self.weight, c, 1) + np.tensordot(weight, f - c[some], 1)
                for c, f in zip(coarse, fine)
            ]

        mean = corrected(self.integrals.deviance, finer.deviance)
        leverage = []
        fitted = corrected(self.integrals.fitted, finer.fitted)
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
    integrals = likelihood.integrate(modes, node, coefficients, fit=True)
    target = integrals.log_likelihood.sum(1) + likelihood.log_prior_effects(coefficients)
    log_weight = log_node[node] + target - log_proposal
    weight, shape = pareto_smoothed(log_weight)
    return CountsPosterior(
        likelihood, modes, node, coefficients, integrals, log_weight, weight, shape, proposal, tau, noise
    )


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
    away = likelihood.integrate(modes, node, points, order=3).log_likelihood.sum(1)
    away += likelihood.log_prior_effects(points)
    at = likelihood.integrate(modes, some, modes.effects[some], order=3).log_likelihood.sum(1)
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


@dataclass(frozen=True, eq=False)
class CountsFit(SampledFit):
    """Posterior of counts.

    Attributes
    ----------
    network : Network
    models : tuple of str
    specification : Specification
    counts : Counts
        The studies that say something.
    posteriors : dict of str to CountsPosterior
        By model.
    how : Sampling
    """

    network: Network
    models: tuple[str, ...]
    specification: Specification
    counts: Counts
    posteriors: dict[str, CountsPosterior]
    how: Sampling
    engine: str = field(default="counts", init=False)

    @cached_property
    def draws(self) -> Mapping[str, WeightedDraws]:  # type: ignore[override]
        """Weighted draws by model."""
        return {model: posterior.draws() for model, posterior in self.posteriors.items()}

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity."""
        return self.posteriors[model].tau()

    # --- study by study -------------------------------------------------------------------------------------

    def leave_one_out(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Leave every study out in turn, all its experiments together; priors stay as they are.

        The draws of the one fit are weighted anew; where those weights do not pass the gate the model is
        fitted again.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``leave_one_out``; tau is the posterior median. Where the data without the study do
            not determine an effect there is no number but a note.
        """
        import pandas as pd

        treatment, versus = self.pair_indices(pairs)
        names = np.array(self.network.treatments, dtype=object)
        number, studies = study_numbers(self.network)
        apart = cut_off(self.network)
        parts = []
        for model, posterior in self.posteriors.items():
            for study in np.unique(number[self.counts.study]):
                members = number[self.counts.study] == study
                draws, tau, note = self._without(model, posterior, members)
                columns = {
                    name: np.full(len(treatment), nan)
                    for name in ("estimate", "std_error", "ci_lower", "ci_upper")
                }
                notes = [note] * len(treatment)
                if draws is not None:
                    found = summary(draws, draws.difference(treatment, versus))
                    driven = self._driven_pairs(found["std_error"])
                    if (part := apart.get(int(study))) is not None:
                        driven |= part[treatment] != part[versus]
                    columns = {name: np.where(driven, nan, found[name]) for name in columns}
                    notes = ["driven by the prior without this study" if gone else note for gone in driven]
                parts.append(
                    frame(
                        "leave_one_out",
                        {
                            "engine": self.engine,
                            "model": model,
                            "study": studies[study],
                            "treatment": names[treatment],
                            "versus": names[versus],
                            **columns,
                            "tau": nan if tau is None else tau,
                            "note": notes,
                        },
                    )
                )
        return pd.concat(parts, ignore_index=True)

    def _without(
        self, model: str, posterior: CountsPosterior, members: Array
    ) -> tuple[WeightedDraws | None, float | None, str | None]:
        """Posterior without some studies: draws, median of tau, and a note where there are none."""
        log_weight = posterior.log_weight - posterior.integrals.log_likelihood[:, members].sum(1)
        weight, shape = pareto_smoothed(log_weight)
        trusted = shape < LARGEST_SHAPE and 1.0 / (weight**2).sum() >= LEAST_SHARE * len(weight)
        if not trusted:
            if members.all():
                return None, None, "no other study is left"
            rest = self.counts.without(self.counts.study[members].tolist())
            design = consistency(rest.blocks, len(self.network.treatments), self.specification.effect_sd)
            posterior = sample(rest, design, self.specification, self.how, model)
            if not posterior.trusted:
                return None, None, "driven by the prior without this study"
            weight = posterior.weight
        tau = posterior.tau(weight)
        return posterior.draws(weight), 0.0 if tau is None else tau.median, None

    def weights(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Tabulate the share of every comparison of every study in the precision of estimates.

        As in the exact engine, from the information at the joint mode: the information of a study about its
        arms' linear predictors, its own effects eliminated, is a sum over its comparisons. Averaged over tau.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``weights``. What the weights of an estimate lack to 1 is the priors' share.
        """
        import pandas as pd

        net = self.network
        treatment, versus = self.pair_indices(pairs)
        names = np.array(net.treatments, dtype=object)
        observed = comparisons(net)
        ids = contrast_ids(net)
        place = {
            (s, a, b): i
            for i, (s, a, b) in enumerate(
                zip(observed.study.tolist(), observed.first.tolist(), observed.second.tolist())
            )
        }
        parts = []
        for model, posterior in self.posteriors.items():
            treatments = posterior.model.design.treatments
            assert treatments is not None
            contrast = treatments[treatment] - treatments[versus]
            covariance = np.linalg.inv(posterior.modes.precision)
            reach = np.einsum("jpq,mq->jmp", covariance, contrast)
            variance = np.einsum("jmp,mp->jm", reach, contrast)
            for block, latent in zip(self.counts.blocks, posterior.modes.latent):
                i, j = np.triu_indices(block.treatment.shape[1], 1)
                difference = (
                    treatments[block.treatment[:, j]] - treatments[block.treatment[:, i]]
                )  # (s, e, p)
                moved = np.einsum("jmp,sep->jmse", reach, difference) ** 2 / variance[..., None, None]
                precision = np.maximum(-latent.information[:, :, i, j], 0.0)
                share = np.einsum("j,jmse,jse->mse", posterior.proposal, moved, precision)
                for m, s, e in np.argwhere(share > 0):
                    study = int(block.study[s])
                    a, b = int(block.treatment[s, i[e]]), int(block.treatment[s, j[e]])
                    unit = net.studies[study]
                    source = ids.get((*unit, frozenset((names[a], names[b]))), (None, None))
                    at = place.get((study, a, b), place.get((study, b, a)))
                    parts.append(
                        {
                            "engine": self.engine,
                            "model": model,
                            "treatment": names[treatment[m]],
                            "versus": names[versus[m]],
                            "study": unit[0],
                            "experiment": unit[1],
                            "contrast_id": source[0],
                            "estimate": None if at is None else observed.estimate[at],
                            "std_error": None if at is None else np.sqrt(observed.variance[at]),
                            "weight": share[m, s, e],
                            "measurement_ids": source[1],
                        }
                    )
        return frame("weights", parts) if parts else pd.concat([frame("weights")])

    # --- inconsistency --------------------------------------------------------------------------------------

    def _other(self, design: Design) -> dict[str, CountsPosterior]:
        return {m: sample(self.counts, design, self.specification, self.how, m) for m in self.models}

    def inconsistency(self) -> pd.DataFrame:
        """Compare with the unrelated mean effects model, in which every comparison has an effect of its own.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency``. A row without treatments sets DIC and heterogeneity of the two
            models against each other; the others hold, as `direct`, each comparison's own effect. In
            multi-arm studies that model depends on the base arm: the reference where the study has it, else
            the first in the order of treatments.
        """
        design, pairs = predictors.unrelated_mean_effects(
            cast(Any, self.counts.blocks), self.specification.effect_sd
        )
        rows: list[dict[str, Any]] = []
        for model, posterior in self._other(design).items():
            if not posterior.trusted:
                about = {"engine": self.engine, "model": model, "method": "unrelated mean effects"}
                note = (
                    "not computed: some comparisons are driven by the prior, and the importance weights "
                    f"cannot be trusted (Pareto k-hat {posterior.shape:.2f}); the engine mcmc may help"
                )
                rows.append({**about, "component": "network", "note": note})
                continue
            text = f"DIC {self.posteriors[model].dic:.2f} with consistency, {posterior.dic:.2f} without"
            here, there = self.tau(model), posterior.tau()
            if here is not None and there is not None:
                text += f"; tau {here.median:.4g} with consistency, {there.median:.4g} without"
            bayes = self.posteriors[model].log_evidence - posterior.log_evidence
            prior = f"normal(0, {self.specification.effect_sd:.4g}^2)"
            text += f"; log Bayes factor for consistency {bayes:.2f} (effects' prior {prior})"
            rows += unrelated_rows(
                self.engine, self.network, model, pairs, posterior.draws(), text, self.specification.effect_sd
            )
        return frame("inconsistency", rows)

    def node_splits(self) -> pd.DataFrame:
        """Set direct against indirect evidence, for every comparison where both exist independently.

        The inconsistency is added to the arm of `treatment` in every study that also has `versus` (Dias et
        al. 2010); comparisons are chosen by the rule of van Valkenhoef et al. (2016), the others are named
        with the reason.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency`` with method node-split.
        """
        names, spec = self.network.treatments, self.specification
        base = consistency(self.counts.blocks, len(names), spec.effect_sd)
        rows: list[dict[str, Any]] = []
        found = splittable(self.network)
        for (a, b), reason in found.items():
            about = {
                "engine": self.engine,
                "method": "node-split",
                "treatment": names[b],
                "versus": names[a],
                "note": reason,
            }
            if reason is not None:
                rows += [{**about, "model": model} for model in self.models]
                continue
            design = predictors.split(base, cast(Any, self.counts.blocks), (a, b), spec.effect_sd)
            for model, posterior in self._other(design).items():
                row = {**about, "model": model}
                draws = posterior.draws()
                omega = posterior.coefficients[:, -1:]
                indirect = draws.difference(np.array([b]), np.array([a]))
                values = np.concatenate([indirect + omega, indirect, omega], axis=1)
                if not posterior.trusted or self._driven_pairs(draws.sd(values)).any():
                    rows.append(
                        row | {"note": "driven by the prior: direct or indirect evidence is too thin"}
                    )
                    continue
                columns = summary(draws, values)
                rows.append(row | split_row(columns))
        rows.sort(key=lambda row: self.models.index(row["model"]))
        return frame("inconsistency", rows)

    # --- fit and computation --------------------------------------------------------------------------------

    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate deviance, DIC, leave-one-out and marginal likelihood, in all and by study.

        Returns
        -------
        DataFrame
            Columns of ``fit``. Dbar is the posterior mean residual deviance, pD Dbar less the deviance at the
            posterior mean of the expected events, as WinBUGS, JAGS and gemtc have them.
        """
        number, studies = study_numbers(self.network)
        rows: list[dict[str, Any]] = []
        for model, posterior in self.posteriors.items():
            deviance, leverage = posterior.deviance
            dbar, pd_ = (float(sum(part.sum() for part in parts)) for parts in (deviance, leverage))
            elpd = [
                -_log_mean(
                    posterior.weight,
                    -posterior.integrals.log_likelihood[:, number[self.counts.study] == s].sum(1),
                )
                for s in np.unique(number[self.counts.study])
            ]
            arms = f"posterior mean residual deviance; compare with {self.counts.n_arms} arms"
            described = self.specification.describe(self.network, model)
            totals: list[tuple[str, float, str | None]] = [
                ("Dbar", dbar, arms),
                ("pD", pd_, "Dbar less the deviance at the posterior mean expected events"),
                ("DIC", dbar + pd_, None),
                ("elpd_loo", float(np.sum(elpd)), "leave-one-study-out, study effects integrated out"),
                ("log_marginal_likelihood", posterior.log_evidence, described),
            ]
            if (tau := posterior.tau()) is not None:
                totals += [("tau mean", tau.mean, None), ("tau sd", tau.sd, None)]
            scores = self.ranking()
            if len(scores):
                totals.append(
                    (
                        "POTH",
                        ranking.poth(scores.loc[scores["model"] == model, "sucra"].to_numpy()),
                        "of the SUCRAs",
                    )
                )
            about = {"engine": self.engine, "model": model}
            rows += [{**about, "quantity": q, "value": value, "note": note} for q, value, note in totals]
            own = {
                "deviance": np.concatenate([part.sum(1) for part in deviance]),
                "leverage": np.concatenate([part.sum(1) for part in leverage]),
                "data_points": np.concatenate([np.full(len(y), y.shape[1]) for y in self.counts.events]),
            }
            for quantity, values in own.items():
                total = np.bincount(number[self.counts.study], weights=values)
                rows += [
                    {**about, "study": studies[s], "quantity": quantity, "value": float(total[s])}
                    for s in np.unique(number[self.counts.study])
                ]
            rows += [
                {**about, "study": studies[s], "quantity": "elpd_loo", "value": value}
                for s, value in zip(np.unique(number[self.counts.study]), elpd)
            ]
        return frame("fit", rows)

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate how far numbers may be off: importance weights, effects, study integrals.

        Returns
        -------
        DataFrame
            Columns of ``diagnostics``: `ess_bulk` is the effective sample size of the weights, `mcse` the
            Monte Carlo error of a posterior mean as if the draws were independent (quasi-random ones do
            better).
        """
        rows: list[dict[str, Any]] = []
        names = self.network.treatments
        for model, posterior in self.posteriors.items():
            about = {"engine": self.engine, "model": model}
            n = len(posterior.weight)
            rows.append(
                {
                    **about,
                    "parameter": "importance weights",
                    "ess_bulk": posterior.effective,
                    "note": f"Pareto k-hat {posterior.shape:.2f} (below {LARGEST_SHAPE:g}); {n} quasi-random "
                    f"draws, seed {self.how.seed}; {len(posterior.modes.tau)} nodes of tau",
                }
            )
            draws = self.draws[model]
            t = np.arange(1, len(names))
            error = draws.mcse(draws.difference(t, np.zeros_like(t)))
            rows += [
                {
                    **about,
                    "parameter": f"{names[i]} against {names[0]}",
                    "ess_bulk": posterior.effective,
                    "mcse": float(value),
                }
                for i, value in zip(t, error)
            ]
            rows.append(
                {
                    **about,
                    "parameter": "study integrals",
                    "mcse": posterior.integration_error,
                    "note": "spread of the log likelihood's error over the posterior, against a finer rule: "
                    f"Gauss-Hermite of order {self.how.order}",
                }
            )
        return frame("diagnostics", rows)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: likelihood, priors, studies that say nothing, what the prior drives."""
        net, like = self.network, self.counts.likelihood
        mean, sd = self.how.baseline
        found = list(net.notes)
        found.append(
            (
                "info",
                f"{like.distribution.capitalize()} likelihood of the arms' counts with {like.link} link; "
                f"effects are {like.about}.",
            )
        )
        found += self.prior_remarks(
            f"; every study's baseline ~ normal({mean:.4g}, {sd:.4g}^2) on the link scale"
        )
        if self.counts.silent:
            silent = ", ".join(net.study_label(s) for s in self.counts.silent)
            extreme = "no participant" if like.distribution == "poisson" else "no or every participant"
            found.append(
                (
                    "warning",
                    f"Left out, because in every arm {extreme} had the event: {silent}. They say nothing.",
                )
            )
        parts = self.counts.parts(len(net.treatments))
        if parts.any():
            lost = ", ".join(net.treatments[t] for t in np.flatnonzero(parts != parts[0]))
            found.append(("warning", f"Only studies that say nothing link {lost} to {net.reference}."))
        return found


def _log_mean(weight: Array, log_values: Array) -> float:
    """Log of the weighted mean of exponentials."""
    with np.errstate(divide="ignore"):
        log_terms = np.log(weight) + log_values
    top = float(log_terms.max())
    return top + float(np.log(np.exp(log_terms - top).sum()))
