"""A posterior of counts: what it owes the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import nan
from typing import Any, cast

import numpy as np

from analysis.network.counts.posterior import CountsPosterior, Sampling, log_mean, sample
from analysis.network.counts.remarks import remarks
from analysis.network.data.deletion import cut_off, separated, study_numbers
from analysis.network.data.graph import comparisons
from analysis.network.data.network import Array, Network
from analysis.network.model import predictors
from analysis.network.model.draws import LARGEST_SHAPE, LEAST_SHARE, Draws, pareto_smoothed
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.likelihood import Counts, consistency
from analysis.network.model.rows import Design
from analysis.network.model.specification import Specification
from analysis.network.protocol import Diagnostic, Effects, LeftOut, Shares, SplitSummary, Statistic, Unrelated
from analysis.network.sampled import THIN, WITHOUT, SampledFit, summary
from evidence.system.progress import counted


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

    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity."""
        found = self.posteriors[model].tau_posterior()
        return None if found is None else found.density

    def _other(self, model: str, design: Design) -> CountsPosterior:
        return sample(self.counts, design, self.specification, self.how, model)

    # --- study by study -------------------------------------------------------------------------------------

    def left_out(self, treatment: Array, versus: Array) -> Iterator[tuple[str, LeftOut]]:
        """Leave studies out by weighting the draws of the one fit anew.

        Where those weights do not pass the gate the model is fitted again.
        """
        number, _ = study_numbers(self.network)
        apart = cut_off(self.network)
        owner = number[self.counts.study]
        for model in self.models:
            every: dict[int, LeftOut] = {}
            found_of_each = self.posteriors[model].log_likelihoods(owner)
            total = len(np.unique(owner))
            for study, log_likelihood in counted(found_of_each, total, "leaving out studies"):
                draws, tau, note = self._without(model, owner == study, log_likelihood)
                found, lost = Effects.blank(len(treatment)), np.zeros(len(treatment), dtype=bool)
                if draws is not None:
                    found = summary(draws, draws.difference(treatment, versus))
                    lost = self.driven_pairs(found.std_error) | separated(apart, study, treatment, versus)
                one = LeftOut.one(study, found, tau, np.full(len(treatment), note, dtype=object))
                every[study] = one.lacking(lost[None], WITHOUT)
            yield from ((model, every[study]) for study in sorted(every))

    def _without(
        self, model: str, members: Array, log_likelihood: Array
    ) -> tuple[Draws | None, float, str | None]:
        """Posterior without some studies: draws, median of tau, and a note where there are none."""
        posterior = self.posteriors[model]
        log_weight = posterior.log_weight - log_likelihood
        weight, shape = pareto_smoothed(log_weight)
        trusted = shape < LARGEST_SHAPE and 1.0 / (weight**2).sum() >= LEAST_SHARE * len(weight)
        if not trusted:
            if members.all():
                return None, nan, "no other study is left"
            rest = self.counts.without(self.counts.study[members].tolist())
            design = consistency(rest.blocks, len(self.network.treatments), self.specification.effect_sd)
            posterior = sample(rest, design, self.specification, self.how, model)
            if not posterior.trusted:
                return None, nan, WITHOUT
            weight = posterior.weight
        tau = posterior.tau(weight)
        return posterior.draws.reweighted(weight), 0.0 if tau is None else tau.median, None

    def shares(self, model: str, treatment: Array, versus: Array) -> Shares:
        """Divide the precision of estimates among the comparisons within studies.

        As in the exact engine, from the information at the joint mode: the information of a study about its
        arms' linear predictors, its own effects eliminated, is a sum over its comparisons. Averaged over tau.
        """
        posterior, observed = self.posteriors[model], comparisons(self.network)
        keys = zip(observed.study.tolist(), observed.first.tolist(), observed.second.tolist())
        place = {key: i for i, key in enumerate(keys)}
        treatments = posterior.model.design.treatments
        assert treatments is not None
        contrast = treatments[treatment] - treatments[versus]
        covariance = np.linalg.inv(posterior.modes.precision)
        reach = np.einsum("jpq,mq->jmp", covariance, contrast)
        variance = np.einsum("jmp,mp->jm", reach, contrast)
        pair, comparison, weight = [], [], []
        for block, latent in zip(self.counts.blocks, posterior.modes.latent):
            i, j = np.triu_indices(block.treatment.shape[1], 1)
            # (s, e, p)
            difference = treatments[block.treatment[:, j]] - treatments[block.treatment[:, i]]
            moved = np.einsum("jmp,sep->jmse", reach, difference) ** 2 / variance[..., None, None]
            precision = np.maximum(-latent.information[:, :, i, j], 0.0)
            share = np.einsum("j,jmse,jse->mse", posterior.proposal, moved, precision)
            for m, s, e in np.argwhere(share > 0):
                a, b = sorted((int(block.treatment[s, i[e]]), int(block.treatment[s, j[e]])))
                pair.append(m)
                comparison.append(place[int(block.study[s]), a, b])
                weight.append(share[m, s, e])
        return Shares(np.array(pair, dtype=int), np.array(comparison, dtype=int), np.array(weight))

    # --- inconsistency --------------------------------------------------------------------------------------

    def agreement(self) -> Iterator[tuple[str, Unrelated]]:
        """Compare with the unrelated mean effects model, by DIC, heterogeneity and marginal likelihood."""
        effect_sd = self.specification.effect_sd
        design, pairs = predictors.unrelated_mean_effects(cast(Any, self.counts.blocks), effect_sd)
        for model, own in self.posteriors.items():
            posterior = self._other(model, design)
            if not posterior.trusted:
                note = (
                    "not computed: some comparisons are driven by the prior, and the importance weights "
                    f"cannot be trusted (Pareto k-hat {posterior.shape:.2f}); the engine mcmc may help"
                )
                yield model, Unrelated(note)
                continue
            text, difference = against_unrelated(
                self.sources[model],
                own.dic,
                posterior.dic,
                (own.tau(), posterior.tau()),
                log_bayes=own.log_evidence - posterior.log_evidence,
                effect_sd=effect_sd,
            )
            yield model, self.unrelated_of(pairs, posterior, text, difference)

    def split_comparisons(self, model: str) -> Iterator[SplitSummary]:
        """Split every comparison that has independent indirect evidence, each with a fit of its own."""
        effect_sd = self.specification.effect_sd
        base = consistency(self.counts.blocks, len(self.network.treatments), effect_sd)

        def split(a: int, b: int, note: str | None) -> SplitSummary:
            design = predictors.split(base, cast(Any, self.counts.blocks), (a, b), effect_sd)
            posterior = self._other(model, design)
            if not posterior.trusted:
                return SplitSummary(a, b, note=THIN)
            return self.split_of(a, b, posterior, note)

        return self.split_each(model, split)

    # --- fit and computation --------------------------------------------------------------------------------

    def statistics(self, model: str) -> Iterator[Statistic]:
        """Give deviance, DIC, leave-one-out and marginal likelihood, in all and by study.

        Dbar is the posterior mean residual deviance, pD Dbar less the deviance at the posterior mean of the
        expected events, as WinBUGS, JAGS and gemtc have them.
        """
        posterior = self.posteriors[model]
        number, names = study_numbers(self.network)
        owner = number[self.counts.study]
        studies = np.unique(owner)
        deviance, leverage = posterior.deviance
        dbar, pd_ = (float(sum(part.sum() for part in parts)) for parts in (deviance, leverage))
        of_study = {s: -log_mean(posterior.weight, -each) for s, each in posterior.log_likelihoods(owner)}
        elpd = [of_study[s] for s in studies.tolist()]
        arms = f"posterior mean residual deviance; compare with {self.counts.n_arms} arms"
        yield Statistic("Dbar", dbar, arms)
        yield Statistic("pD", pd_, "Dbar less the deviance at the posterior mean expected events")
        yield Statistic("DIC", dbar + pd_)
        yield Statistic("elpd_loo", float(np.sum(elpd)), "leave-one-study-out, study effects integrated out")
        described = self.specification.describe(self.network, model)
        yield Statistic("log_marginal_likelihood", posterior.log_evidence, described)
        yield from self.shared_statistics(model)
        own = {
            "deviance": np.concatenate([part.sum(1) for part in deviance]),
            "leverage": np.concatenate([part.sum(1) for part in leverage]),
            "data_points": np.concatenate([np.full(len(y), y.shape[1]) for y in self.counts.events]),
        }
        for quantity, values in own.items():
            total = np.bincount(owner, weights=values)
            for s in studies:
                yield Statistic(quantity, float(total[s]), study=names[s])
        for s, value in zip(studies, elpd):
            yield Statistic("elpd_loo", value, study=names[s])

    def diagnosed(self, model: str) -> Iterator[Diagnostic]:
        """Say how far numbers may be off: importance weights, effects, study integrals.

        `ess_bulk` is the effective sample size of the weights, `mcse` the Monte Carlo error of a posterior
        mean as if the draws were independent (quasi-random ones do better).
        """
        posterior, names = self.posteriors[model], self.network.treatments
        effective, n = posterior.effective, len(posterior.weight)
        how = (
            f"Pareto k-hat {posterior.shape:.2f} (below {LARGEST_SHAPE:g}); {n} quasi-random "
            f"draws, seed {self.how.seed}; {len(posterior.modes.tau)} nodes of tau"
        )
        yield Diagnostic("importance weights", ess_bulk=effective, note=how)
        t = np.arange(1, len(names))
        error = posterior.draws.mcse(posterior.draws.difference(t, np.zeros_like(t)))
        for i, value in zip(t, error):
            yield Diagnostic(f"{names[i]} against {names[0]}", ess_bulk=effective, mcse=float(value))
        orders = " or ".join(str(order) for order in sorted(set(posterior.model.orders)))
        how = (
            "spread of the log likelihood's error over the posterior, against a finer rule: "
            f"Gauss-Hermite with {orders} points per dimension"
        )
        yield Diagnostic("study integrals", mcse=posterior.integration_error, note=how)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: likelihood, priors, studies that say nothing, what the prior drives."""
        return remarks(self)
