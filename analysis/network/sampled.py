"""What fits made of draws have in common, whether the draws are weighted or come from Markov chains."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import nan
from typing import Protocol

import numpy as np

from analysis.network import ranking
from analysis.network.data.network import Array, Network
from analysis.network.model import priors
from analysis.network.model.draws import Draws
from analysis.network.model.mixture import INTERVAL
from analysis.network.model.specification import (
    Specification,
    bound_remark,
    effect_scale,
    refuse_absurd,
    unit_of,
)
from analysis.network.protocol import (
    Effects,
    Ranks,
    SplitSummary,
    Statistic,
    TauEstimate,
    TauSummary,
    Unrelated,
)
from analysis.network.result import NetworkFit
from evidence.errors import CallError

DRIVEN = 0.25
"""An effect with a posterior sd above this share of a vague prior's is driven by it and gets no number."""
VAGUE_LOG_RATIO = 5.0
"""A prior standard deviation of log ratios above this is vague: it allows ratios beyond 10,000."""
THIN = "driven by the prior: direct or indirect evidence is too thin"
"""Note instead of a node-split."""
WITHOUT = "driven by the prior without this study"
"""Note instead of an effect when a study is left out."""


def undetermined(net: Network, effect_sd: float) -> float:
    """Posterior standard deviation above which an effect is driven by its prior.

    A quarter of a vague prior's; nine tenths of a prior that says something itself, which is then part of the
    answer.

    Parameters
    ----------
    net : Network
    effect_sd : float
        Prior standard deviation of the effects.

    Returns
    -------
    float
    """
    vague = VAGUE_LOG_RATIO if net.scale == "log" else 3.0 * effect_scale(net)
    return (DRIVEN if effect_sd > vague else 0.9) * effect_sd


class SampledPosterior(Protocol):
    """What a fit made of draws asks of the posterior of each model."""

    @property
    def draws(self) -> Draws:
        """Draws of the treatments' effects, or of the coefficients where a design has no treatments."""

    @property
    def coefficients(self) -> Array:
        """Draws of the coefficients, (N, p)."""

    @property
    def effective(self) -> float:
        """Effective number of draws."""

    def tau(self) -> TauSummary | None:
        """Posterior of the heterogeneity; None with common effects."""


class SampledFit(NetworkFit):
    """A fit whose tables are summaries of draws.

    Estimates are posterior means with posterior standard deviations; intervals are 95 % equal-tailed credible
    intervals; `p_value` is twice the smaller posterior probability of an effect on either side of zero. Where
    the data hardly determine an effect (see `undetermined`) the tables
    hold no number, and the notes say what is driven by the prior.

    Attributes
    ----------
    specification : Specification
    posteriors : dict of str to SampledPosterior
        By model.
    """

    specification: Specification
    posteriors: Mapping[str, SampledPosterior]

    def draws(self, model: str) -> Draws:
        """Draws of the effects and the heterogeneity of a model."""
        return self.posteriors[model].draws

    def effective(self, model: str) -> float:
        """Effective number of draws."""
        return self.posteriors[model].effective

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity; None with common effects."""
        return self.posteriors[model].tau()

    @abstractmethod
    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity; None with common effects."""

    # --- effects --------------------------------------------------------------------------------------------

    def effects(self, model: str, treatment: Array, versus: Array) -> Effects:
        """Estimate the effects of pairs of treatments; no numbers where the prior drives them."""
        draws = self.draws(model)
        found = summary(draws, draws.difference(treatment, versus))
        if model == "random":
            limits = draws.quantile(draws.difference(treatment, versus, predictive=True), INTERVAL)
            found = replace(found, pi_lower=limits[:, 0], pi_upper=limits[:, 1])
        return found.where(~self.driven_pairs(found.std_error))

    def driven_pairs(self, sd: Array) -> Array:
        """Whether effects with these posterior standard deviations are driven by the prior."""
        return ~(sd <= undetermined(self.network, self.specification.effect_sd))

    def driven(self, model: str) -> list[str]:
        """Treatments whose effect against the reference the data hardly determine."""
        t = np.arange(1, len(self.network.treatments))
        draws = self.draws(model)
        sd = draws.sd(draws.difference(t, np.zeros_like(t)))
        return [self.network.treatments[i] for i in t[self.driven_pairs(sd)]]

    def heterogeneity_of(self, model: str) -> TauEstimate:
        """Give the posterior median and 95 % credible interval of tau."""
        if (tau := self.tau(model)) is None:
            return TauEstimate("common effect", tau=0.0, tau2=0.0)
        return tau.estimate(f"posterior median, {self.specification.prior.describe(unit_of(self.network))}")

    # --- ranks ----------------------------------------------------------------------------------------------

    @cached_property
    def _ranked(self) -> dict[str, tuple[Array, Draws]]:
        """Treatments whose effects are determined, and their draws, by model."""
        found = {}
        for model in self.models:
            driven, draws = self.driven(model), self.draws(model)
            kept = np.array([t for t, name in enumerate(self.network.treatments) if name not in driven])
            found[model] = (kept, replace(draws, effects=draws.effects[:, kept]))
        return found

    def ranks(self, model: str) -> Ranks:
        """Rank the treatments whose effect is not driven by the prior."""
        kept, draws = self._ranked[model]
        lower = bool(self.network.lower_is_better)
        probability = draws.rank_probabilities(lower)
        score = np.ones(1)
        if (n := len(kept)) > 1:
            versus, treatment = np.triu_indices(n, 1)
            above = draws.probability_above(draws.difference(treatment, versus))
            score = ranking.sucra(ranking.pair_matrix(n, treatment, versus, 1.0 - above if lower else above))
        return Ranks(kept, score, probability, int(self.effective(model)), ranking.best_first(score))

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        for model, (kept, draws) in self._ranked.items():
            treatment, versus = np.nonzero(~np.eye(len(kept), dtype=bool))
            better = draws.probability_above(sign * draws.difference(treatment, versus), margin)
            yield model, kept[treatment], kept[versus], better

    # --- direct and indirect evidence -----------------------------------------------------------------------

    def split_of(self, a: int, b: int, posterior: SampledPosterior, note: str | None) -> SplitSummary:
        """Summarise a posterior whose last coefficient is the direct less the indirect effect of b and a."""
        indirect = posterior.draws.difference(np.array([b]), np.array([a]))
        omega = posterior.coefficients[:, -1:]
        values = np.concatenate([indirect + omega, indirect, omega], axis=1)
        if self.driven_pairs(posterior.draws.sd(values)).any():
            return SplitSummary(a, b, note=THIN)
        return SplitSummary.of(a, b, summary(posterior.draws, values), note)

    def unrelated_of(
        self, pairs: Array, posterior: SampledPosterior, note: str, difference: float
    ) -> Unrelated:
        """Summarise a posterior whose coefficients are the effects of pairs (versus, treatment), (c, 2)."""
        draws = posterior.draws
        mean, sd = draws.mean(draws.effects), draws.sd(draws.effects)
        driven = self.driven_pairs(sd)
        mean, sd = np.where(driven, nan, mean), np.where(driven, nan, sd)
        return Unrelated(note, difference, pairs[:, 0], pairs[:, 1], mean, sd)

    # --- fit and notes --------------------------------------------------------------------------------------

    def shared_statistics(self, model: str) -> Iterator[Statistic]:
        """Give moments of the heterogeneity, and how certain the hierarchy is (see `ranking.poth`)."""
        if (tau := self.tau(model)) is not None:
            yield Statistic("tau mean", tau.mean)
            yield Statistic("tau sd", tau.sd)
        if ranking.benefit(self.network) is not None and len(self._ranked[model][0]) > 1:
            ranks = self.ranks(model)
            yield Statistic("POTH", ranking.poth(ranks.sucra[ranks.order]), "of the SUCRAs")

    def prior_remarks(self, more: str = "") -> list[tuple[str, str]]:
        """Say the priors in words, as a warning where defaults were taken, and what they drive."""
        spec, net = self.specification, self.network
        found = [spec.remark(net, self.models[-1], more)]
        if ranking.benefit(net) is None:
            found.append(("warning", ranking.NO_DIRECTION))
        for model in self.models:
            if driven := self.driven(model):
                found.append(("warning", f"{model}: {driven_text(net, driven, spec.effect_sd)}"))
            density = self.tau_density(model)
            if density is not None and (cut := bound_remark(net, spec.prior, density)) is not None:
                found.append(("warning", f"{model}: {cut}"))
        return found


def driven_text(net: Network, driven: Sequence[str], effect_sd: float) -> str:
    """Say which effects are driven by the prior, and what can be done."""
    threshold = undetermined(net, effect_sd)
    return (
        f"driven by the prior: the data do not determine the effect of {', '.join(driven)} against "
        f"{net.reference} (posterior sd above {threshold:.4g}, with {effect_sd:.4g} a priori), so no number "
        "is given. Take a narrower prior that you can defend (effect_prior_sd=2.5 allows log ratios up to "
        "about 5), or leave the treatment out."
    )


def summary(draws: Draws, values: Array) -> Effects:
    """Summarise the columns of values: mean, sd, interval, two-sided tail probability."""
    limits = draws.quantile(values, INTERVAL)
    above, below = draws.probability_above(values), draws.probability_above(-values)
    p_value = np.minimum(2.0 * np.minimum(above, below), 1.0)
    return Effects(draws.mean(values), draws.sd(values), limits[:, 0], limits[:, 1], p_value)


def specify(
    net: Network,
    models: Sequence[str],
    tau_prior: str | priors.Prior | None,
    effect_prior_sd: float | None,
) -> Specification:
    """Read the priors, with gemtc's defaults where none are given.

    Raises
    ------
    CallError
        If a prior is none, or flat where it must be proper.
    """
    if effect_prior_sd is not None and not 0 < effect_prior_sd < np.inf:
        raise CallError(
            f"effect_prior_sd is {effect_prior_sd:g}; this engine needs a finite standard deviation above 0."
        )
    scale = effect_scale(net)
    assumed = [] if effect_prior_sd is not None else ["effects"]
    if "random" in models and tau_prior is None:
        assumed.insert(0, "tau")
    prior = priors.Uniform(upper=scale) if tau_prior is None else priors.parse(tau_prior)
    effect_sd = 15.0 * scale if effect_prior_sd is None else float(effect_prior_sd)
    refuse_absurd(net, tau_prior=prior if "random" in models else None, effect_prior_sd=effect_sd)
    return Specification(len(net.treatments), prior, effect_sd, assumed=tuple(assumed))
