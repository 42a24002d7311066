"""An exact posterior of a network: what it owes the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isinf, nan
from typing import TYPE_CHECKING

import numpy as np

from analysis.network import ranking, tables
from analysis.network.data.deletion import cut_off, separated, study_numbers
from analysis.network.data.network import Array, Network, pairs_of
from analysis.network.exact import refits
from analysis.network.exact.deletion import AT_ONCE, leave_one_out
from analysis.network.exact.influence import Influence
from analysis.network.exact.posterior import sides_of, slopes_at, summary, tau_summary
from analysis.network.exact.remarks import remarks
from analysis.network.exact.response import posterior_means, response
from analysis.network.exact.splitting import Split, node_split
from analysis.network.model import predictors, priors
from analysis.network.model.draws import Draws
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior, contrasts_of, shares_of
from analysis.network.model.rows import BlockRows, DesignRows, block_rows
from analysis.network.model.specification import Specification, unit_of
from analysis.network.protocol import (
    ByStudy,
    Diagnostic,
    Effects,
    LeftOut,
    NamedEffects,
    Ranks,
    Response,
    Shares,
    SplitSummary,
    Statistic,
    TauEstimate,
    TauSummary,
    Unrelated,
)
from analysis.network.result import NetworkFit, Pair
from evidence.errors import RefusedError
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

DISCONNECTED = "disconnected: no other study links these treatments"
"""Note instead of a number where a study is the only link."""


@dataclass(frozen=True, eq=False)
class ExactFit(NetworkFit):
    """Posterior of a network, free of Monte Carlo error but for ranks.

    Estimates are posterior means with posterior standard deviations; intervals are 95 % equal-tailed credible
    intervals; `p_value` is twice the smaller posterior probability of an effect on either side of zero.

    Attributes
    ----------
    network : Network
    models : tuple of str
    specification : Specification
    blocks : tuple of BlockRows
    posteriors : dict of str to Posterior
        By model.
    seed, n_draws : int
        Of the draws behind rank probabilities.
    """

    network: Network
    models: tuple[str, ...]
    specification: Specification
    blocks: tuple[BlockRows, ...]
    posteriors: dict[str, Posterior]
    seed: int
    n_draws: int
    engine: str = field(default="exact", init=False)

    # --- effects --------------------------------------------------------------------------------------------

    def relative_effects(
        self, pairs: Sequence[Pair] | None = None, *, at: Mapping[str, float] | None = None
    ) -> pd.DataFrame:
        """Estimate the effects of some treatments against others, from the whole network.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            In the direction wanted; without it every treatment against the reference.
        at : mapping of str to float, optional
            Values of the covariates in a meta-regression; the centre where not given.

        Returns
        -------
        DataFrame
            Columns of ``estimates``; pi_lower and pi_upper predict the effect in a new study.

        Raises
        ------
        CallError
            If a treatment or covariate is not in the model.
        """
        treatment, versus = self.pair_indices(pairs)
        return tables.effects(
            self, treatment, versus, lambda model: self.effects(model, treatment, versus, at or {})
        )

    def effects(
        self, model: str, treatment: Array, versus: Array, at: Mapping[str, float] | None = None
    ) -> Effects:
        """Estimate the effects of pairs of treatments, at some values of the covariates."""
        posterior = self.posteriors[model]
        if at:
            contrasts = contrasts_of(posterior, treatment, versus)
            regression = self.specification.regression
            effects = posterior.effects(contrasts + slopes_at(posterior, regression, (treatment, versus), at))
        else:
            effects = self._of_pairs(posterior, model, treatment, versus)
        found = summary(effects)
        if model == "random":
            lower, upper = posterior.predicted(effects).interval()
            found = replace(found, pi_lower=lower, pi_upper=upper)
        return found

    def effect(
        self, model: str, treatment: Array, versus: Array, *, predictive: bool = False
    ) -> NormalMixture:
        """Posterior of the effects of pairs of treatments.

        Parameters
        ----------
        model : str
        treatment, versus : (m,) int arrays
            Indices into `network.treatments`.
        predictive : bool
            The effect in a new study instead of the mean effect.

        Returns
        -------
        NormalMixture
            Of m mixtures: means, densities, probabilities, quantiles.
        """
        posterior = self.posteriors[model]
        found = self._of_pairs(posterior, model, treatment, versus)
        return posterior.predicted(found) if predictive else found

    def _of_pairs(self, posterior: Posterior, model: str, treatment: Array, versus: Array) -> NormalMixture:
        """Find the effects of pairs; those of all pairs, which several tables ask for, once."""
        n = len(self.network.treatments)
        every = pairs_of(n)
        if len(treatment) != len(every[0]) or (versus != every[0]).any() or (treatment != every[1]).any():
            return posterior.effects(contrasts_of(posterior, treatment, versus))
        if model not in self._all_effects:
            self._all_effects[model] = posterior.effects(contrasts_of(posterior, treatment, versus))
        return self._all_effects[model]

    @cached_property
    def _all_effects(self) -> dict[str, NormalMixture]:
        return {}

    def coefficients(self) -> pd.DataFrame:
        """Tabulate the slopes of a meta-regression.

        Returns
        -------
        DataFrame
            Columns of ``estimates``: the change of the effect of `treatment` against `versus` for one unit
            of the covariate in `subgroup` (or for its level). With a common slope `treatment` is "every
            other treatment".
        """
        found: dict[str, NamedEffects] = {}
        if (regression := self.specification.regression) is not None:
            treatment, subgroup = regression.slopes(self.network.treatments)
            for model, posterior in self.posteriors.items():
                last = np.eye(posterior.rows.p)[posterior.rows.p - len(treatment) :]
                slopes = summary(posterior.effects(last))
                found[model] = NamedEffects(treatment, subgroup, ["slope"] * len(treatment), slopes)
        return tables.coefficients(self, found)

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity; None where it is known, or with common effects."""
        tau = self.posteriors[model].heterogeneity
        return None if tau is None else tau_summary(tau)

    def heterogeneity_of(self, model: str) -> TauEstimate:
        """Give the posterior median and 95 % credible interval of tau."""
        posterior = self.posteriors[model]
        if (tau := posterior.heterogeneity) is not None:
            prior = tau.prior.describe(unit_of(self.network))
            return tau_summary(tau).estimate(f"posterior median, {prior}")
        known = float(posterior.solution.tau[0])
        method = "taken as known" if model == "random" else "common effect"
        return TauEstimate(method, known, nan, nan, known**2, nan, nan)

    # --- ranks ----------------------------------------------------------------------------------------------

    def sucra(self, model: str) -> Array:
        """SUCRA of every treatment, in the order of `network.treatments`, (T,).

        Raises
        ------
        RefusedError
            If the outcome has no direction of benefit.
        """
        if ranking.benefit(self.network) is None:
            raise RefusedError(ranking.NO_DIRECTION)
        return ranking.sucra(self.better[model])

    @cached_property
    def better(self) -> dict[str, Array]:
        """Probability that row is better than column, by model."""
        sign = ranking.benefit(self.network)
        n = len(self.network.treatments)
        versus, treatment = pairs_of(n)
        better = {}
        for model in self.models:
            effects = self.effect(model, treatment, versus)
            wins = effects.probability_above(0.0) if sign == 1.0 else effects.probability_below(0.0)
            better[model] = ranking.pair_matrix(n, treatment, versus, wins)
        return better

    def draws(self, model: str, n: int | None = None, seed: int | None = None) -> Draws:
        """Draw effects independently from the posterior.

        Parameters
        ----------
        model : str
        n, seed : int, optional
            Those of the fit without them.

        Returns
        -------
        Draws
            With tau at the quadrature nodes: for predictions, not for quantiles of tau itself.
        """
        posterior = self.posteriors[model]
        treatments = posterior.rows.design.treatments
        assert treatments is not None
        n, seed = n or self.n_draws, self.seed if seed is None else seed
        coefficients, tau = posterior.draws(n, seed)
        return Draws.alike(coefficients @ treatments.T, tau, seed)

    @cached_property
    def rank_chances(self) -> dict[str, Array]:
        """Probability of every rank (columns) of every treatment (rows), from draws, by model."""
        lower = bool(self.network.lower_is_better)
        # The draws, the normal numbers behind them and their order.
        refuse_without_room(
            24 * self.n_draws * len(self.network.treatments),
            f"Ranking {len(self.network.treatments):,} treatments in {self.n_draws:,} draws",
            f"Take fewer draws (draws=2_000), or the engine frequentist. {FEWER}",
        )
        return {
            model: ranking.rank_probabilities(posterior.effect_draws(self.n_draws, self.seed), lower)
            for model, posterior in self.posteriors.items()
        }

    def ranks(self, model: str) -> Ranks:
        """Rank the treatments: SUCRA exactly, the probabilities of ranks from independent draws."""
        score = self.sucra(model)
        order = ranking.best_first(score)
        return Ranks(np.arange(len(score)), score, self.rank_chances[model], self.n_draws, order)

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        treatment, versus = self.ordered_pairs()
        for model in self.models:
            effects = self.effect(model, treatment, versus)
            better = effects.probability_above(margin) if sign > 0 else effects.probability_below(-margin)
            yield model, treatment, versus, better

    # --- what other data would do ---------------------------------------------------------------------------

    def response(self, model: str) -> Response:
        """Say how the posterior means answer to what studies found, the posterior of tau held as it is."""
        self._refuse_baselines()
        return response(self.posteriors[model], self.network)

    def refitted(self, model: str, net: Network) -> Array:
        """Posterior means after studies found other effects, tau integrated anew under the same priors."""
        self._refuse_baselines()
        other = refits.again(self, self.specification, (model,), net, block_rows(net))
        return posterior_means(other.posteriors[model])

    def _refuse_baselines(self) -> None:
        if self.specification.baseline is not None:
            raise RefusedError(
                "With a prior of the baselines a study's contrasts are not all that it says: there are no "
                "thresholds. Leave the prior out."
            )

    # --- study by study -------------------------------------------------------------------------------------

    @cached_property
    def influence(self) -> dict[str, Influence]:
        """What each study does to the posterior, by model."""
        number, _ = study_numbers(self.network)
        return {model: Influence(posterior, number) for model, posterior in self.posteriors.items()}

    @cached_property
    def refits(self) -> dict[str, dict[int, Posterior | None]]:
        """Fits without the studies whose removal algebra cannot follow, by model and number of the study.

        None where no other study is left.
        """
        number, _ = study_numbers(self.network)
        found: dict[str, dict[int, Posterior | None]] = {}
        for model, influence in self.influence.items():
            found[model] = {}
            for study in influence.study[~influence.identified]:
                rest = [block.take(number[block.study] != study) for block in self.blocks]
                rest = [block for block in rest if len(block.study)]
                found[model][int(study)] = self.specification.posterior(rest, model) if rest else None
        return found

    def elpd(self, model: str) -> Array:
        """Exact leave-one-study-out log predictive density of each study, in the order of `influence`.

        Not a number with flat priors where the study is all there is to tell some effect.
        """
        influence, total = self.influence[model], self.posteriors[model].log_total
        values = influence.elpd.copy()
        for i, study in enumerate(influence.study):
            if int(study) in self.refits[model]:
                other = self.refits[model][int(study)]
                values[i] = total - (0.0 if other is None else other.log_total)
        if isinf(self.specification.effect_sd):
            values[np.isin(influence.study, list(cut_off(self.network)))] = nan
        return values

    def left_out(self, treatment: Array, versus: Array) -> Iterator[tuple[str, LeftOut]]:
        """Leave studies out by algebra on the one fit; where nothing else links two treatments, say so."""
        studies = len(study_numbers(self.network)[1])
        rows = studies * len(treatment)
        nodes = max(posterior.n_nodes for posterior in self.posteriors.values())
        # Mixtures of so many rows at once, eight numbers a component while quantiles are found; the table.
        refuse_without_room(
            64 * min(rows * nodes, AT_ONCE) + 300 * rows * len(self.models),
            f"Leaving out each of {studies:,} studies for {len(treatment):,} effects",
            f"Leave --leave-one-out out, or ask for some effects only: fit.leave_one_out(pairs). {FEWER}",
        )
        apart = cut_off(self.network)

        def contrasts(posterior: Posterior) -> Array:
            return contrasts_of(posterior, treatment, versus)

        for model, influence in self.influence.items():
            found = leave_one_out(influence, contrasts, self.refits[model])
            lost = np.array([separated(apart, study, treatment, versus) for study in found.study])
            yield model, found.lacking(lost, DISCONNECTED)

    def leave_one_treatment_out(self) -> pd.DataFrame:
        """Leave every treatment out in turn: every arm of it, and the studies left with one arm.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity``: `item` is the treatment left out, `quantity` the effect of another
            treatment against the reference, the heterogeneity (posterior median), their limits or a SUCRA.
        """
        return tables.sensitivity(self, refits.without_each_treatment(self))

    def prior_sensitivity(
        self, tau_priors: Iterable[str | priors.Prior] = (), effect_prior_sds: Iterable[float] = ()
    ) -> pd.DataFrame:
        """Fit again under other priors.

        Parameters
        ----------
        tau_priors : iterable of str or Prior
            Priors of the heterogeneity.
        effect_prior_sds : iterable of float
            Standard deviations of the effects' priors, each with the fit's own prior of tau. Without either,
            priors of tau that are in common use, made to the scale of the data.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity`` for the random-effects model: `item` is the prior, `quantity` an effect
            against the reference, the heterogeneity (posterior median), their limits or a SUCRA.
        """
        return tables.sensitivity(self, refits.under_priors(self, tau_priors, effect_prior_sds))

    def shares(self, model: str, treatment: Array, versus: Array) -> Shares:
        """Divide the precision of estimates among the comparisons within studies.

        The variance of an estimate is c' P (X' W X) P c and the prior's part; the information X' W X is a
        sum over the comparisons within studies, so shares follow without a choice of paths (compare Riley
        et al. 2018, doi:10.1177/0962280216688033). They are averaged over the posterior of tau.
        """
        return shares_of(self.posteriors[model], treatment, versus)

    # --- inconsistency --------------------------------------------------------------------------------------

    @cached_property
    def splits(self) -> dict[str, dict[tuple[int, int], Split]]:
        """Every comparison that can be split, by model and pair of treatments."""
        return {
            model: {
                pair: node_split(posterior, pair, self.specification.effect_sd)
                for pair, reason in self.sources[model].reasons.items()
                if reason is None
            }
            for model, posterior in self.posteriors.items()
        }

    def split_comparisons(self, model: str) -> Iterator[SplitSummary]:
        """Split every comparison that has independent indirect evidence."""
        sides = sides_of(list(self.splits[model].values()))
        found = dict(zip(self.splits[model], sides, strict=True))
        return self.split_each(model, lambda a, b, note: SplitSummary.of(a, b, found[a, b], note))

    @cached_property
    def unrelated_mean_effects(self) -> tuple[Array, dict[str, Posterior]]:
        """Pairs (versus, treatment), (p, 2), and the posteriors of their own effects by model."""
        design, pairs = predictors.unrelated_mean_effects(self.blocks, self.specification.effect_sd)
        rows = DesignRows(self.blocks, design)
        return pairs, {model: self.specification.integrated(rows, model) for model in self.models}

    def agreement(self) -> Iterator[tuple[str, Unrelated]]:
        """Compare with the unrelated mean effects model, by DIC, heterogeneity and marginal likelihood."""
        pairs, posteriors = self.unrelated_mean_effects
        number, _ = study_numbers(self.network)
        for model, posterior in posteriors.items():
            own, free = self.posteriors[model], posterior.heterogeneity
            text, difference = against_unrelated(
                self.sources[model],
                self.influence[model].dic,
                Influence(posterior, number).dic,
                (self.tau(model), None if free is None else tau_summary(free)),
                log_bayes=own.log_evidence - posterior.log_evidence,
                effect_sd=self.specification.effect_sd,
            )
            effects = posterior.effects(np.eye(len(pairs)))
            yield model, Unrelated(text, difference, pairs[:, 0], pairs[:, 1], effects.mean, effects.sd)

    # --- fit and computation --------------------------------------------------------------------------------

    def statistics(self, model: str) -> Iterator[Statistic | ByStudy]:
        """Give deviance, DIC, WAIC, leave-one-out and marginal likelihood, in all and by study.

        Dbar, pD and DIC are conditional on the study effects, as WinBUGS, JAGS and gemtc compute them, for
        contrasts; with "(arms)" for arms with flat baselines, to be held against the number of arms. WAIC and
        elpd integrate the study effects out and are by study.
        """
        posterior, influence, spec = self.posteriors[model], self.influence[model], self.specification
        deviance, leverage = influence.deviance
        density, parameters = influence.waic
        elpd = self.elpd(model)
        dbar, pd_ = float(deviance.sum()), float(leverage.sum())
        kind = "contrasts" if spec.baseline is None else "arms"
        compare = f"posterior mean residual deviance; compare with {posterior.rows.n} {kind}"
        yield Statistic("Dbar", dbar, compare)
        yield Statistic("pD", pd_, "Dbar less the deviance at the posterior mean fitted values")
        yield Statistic("DIC", dbar + pd_)
        if spec.baseline is None:
            units, n_arms = sum(len(block.study) for block in self.blocks), self.network.n_arms
            arms = f"flat baselines: {units} more; compare with {n_arms} arms"
            yield Statistic("Dbar (arms)", dbar + units, arms)
            yield Statistic("pD (arms)", pd_ + units)
            yield Statistic("DIC (arms)", dbar + pd_ + 2 * units)
        marginal = "study effects integrated out"
        yield Statistic("WAIC", -2.0 * float(density.sum() - parameters.sum()), marginal)
        yield Statistic("p_WAIC", float(parameters.sum()))
        yield Statistic("elpd_loo", float(elpd.sum()), f"exact leave-one-study-out, {marginal}")
        described = spec.describe(self.network, model)
        yield Statistic("log_marginal_likelihood", posterior.log_evidence, described)
        if (tau := posterior.heterogeneity) is not None:
            yield Statistic("tau mean", tau.mean)
            yield Statistic("tau sd", tau.sd)
        if ranking.benefit(self.network) is not None:
            yield Statistic("POTH", ranking.poth(self.sucra(model)), "of the SUCRAs")
        _, studies = study_numbers(self.network)
        own = {"deviance": deviance, "leverage": leverage, "data_points": influence.n_rows, "elpd_loo": elpd}
        names = [studies[study] for study in influence.study]
        for quantity, values in own.items():
            yield ByStudy(quantity, names, values.astype(float))

    def diagnosed(self, model: str) -> Iterator[Diagnostic]:
        """Say how far numbers may be off: quadrature error, Monte Carlo error of rank probabilities.

        The quadrature error is in posterior standard deviations.
        """
        posterior = self.posteriors[model]
        how = f"quadrature with {posterior.n_nodes} nodes; error in posterior standard deviations"
        how = "closed form" if posterior.heterogeneity is None else how
        yield Diagnostic("all effects and tau", mcse=posterior.error, note=how)
        if ranking.benefit(self.network) is not None:
            error = float(ranking.sampling_error(self.rank_chances[model], self.n_draws).max())
            how = f"{self.n_draws:,} independent draws, seed {self.seed}; error of the least certain one"
            yield Diagnostic("rank probabilities", mcse=error, note=how)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: priors used, what they drive, and how far the numbers can be trusted."""
        return remarks(self)
