"""Exact Bayesian network meta-analysis for normal likelihoods.

Given the heterogeneity tau everything is normal and integrates in closed form; tau is integrated by
quadrature with its own error control. Nothing is sampled but the rank probabilities. Leaving studies out,
splitting nodes and most of what else is asked of a fit follow from the one fit by algebra.

The model: contrasts y_i ~ N(delta_i, S_i), study effects delta_i ~ N(X_i d, tau2 R) with R = (I + J) / 2,
that is between-arm covariance tau2 / 2 (Higgins and Whitehead 1996), effects d ~ N(0, effect_prior_sd^2)
against the reference. The common-effect model has tau = 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite, isinf, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import predictors, priors, ranking, sensitivity
from analysis.network.data import Array, Network
from analysis.network.deletion import cut_off, leave_one_out, study_numbers
from analysis.network.graph import comparisons, splittable
from analysis.network.influence import Influence
from analysis.network.mixture import NormalMixture
from analysis.network.posterior import TOLERANCE, Posterior
from analysis.network.result import NetworkFit, Pair
from analysis.network.rows import BlockRows, Rows
from analysis.network.specification import (
    Regression,
    Specification,
    effect_scale,
    refuse_disconnected,
    rotated_data,
    unit_of,
)
from analysis.network.splitting import Split, node_split
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

DRIVEN = 0.25
"""An effect with a posterior sd of more than this share of its prior sd is called driven by the prior."""
LITTLE = 0.1
"""So is tau where its posterior differs from its prior by less than this many nats."""
NORMAL_COUNTS = (
    "Effects of counts are taken as normal with known standard errors; the engines counts and mcmc take the "
    "counts themselves, which matters where events are few."
)
"""Remark on counts in an engine for normal likelihoods."""
DISCONNECTED = "disconnected: no other study links these treatments"
"""Note instead of a number where a study is the only link."""


def fit(
    net: Network,
    *,
    model: str = "both",
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    tau: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    covariates: Sequence[str] = (),
    slopes: str = "common",
    centre: Mapping[str, float] | None = None,
    slope_prior_sd: Mapping[str, float] | None = None,
    seed: int = 1,
    draws: int = 20_000,
    nodes: int = 64,
) -> ExactFit:
    """Fit the normal model exactly.

    Parameters
    ----------
    net : Network
        Connected.
    model : {"both", "common", "random"}
    tau_prior : str or Prior, optional
        Prior of the heterogeneity, in the outcome's unit; see `analysis.network.priors.parse`. Without it
        uniform(0, u), u the largest effect observed in any study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each treatment's effect against the reference; infinity for
        a flat prior. Without it 15 u, as in gemtc.
    tau : float, optional
        Take the heterogeneity as known in the random-effects model.
    baseline_prior : (float, float), optional
        Mean and standard deviation of a normal prior of every study's mean in its base arm: fits arm means
        instead of contrasts. Without it baselines are flat.
    covariates : sequence of str
        Columns of `net.covariates` for meta-regression. Numbers are centred at their mean over the units of
        randomisation, text becomes an indicator of every level but the most frequent.
    slopes : {"common", "by_treatment"}
        One slope shared by all treatments against the reference, or one for each.
    centre : mapping of str to float, optional
        Other values to centre numeric covariates at.
    slope_prior_sd : mapping of str to float, optional
        Prior standard deviation of a slope, by covariate. Without it, that of the effects over the
        covariate's standard deviation.
    seed, draws : int
        Seed and number of the draws behind rank probabilities.
    nodes : int
        Quadrature nodes to begin with; more are taken until the error is below 1e-8 posterior standard
        deviations.

    Returns
    -------
    ExactFit

    Raises
    ------
    CallError
        If an option is not known, or contradicts another.
    RefusedError
        If the network is not connected, a covariate is missing for some studies, or data and flat priors
        together do not determine the effects.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if slopes not in ("common", "by_treatment"):
        raise CallError(f"slopes {slopes!r} is not one of common, by_treatment.")
    if effect_prior_sd is not None and not effect_prior_sd > 0:
        raise CallError(f"effect_prior_sd is {effect_prior_sd:g}; a standard deviation is above 0.")
    if tau is not None and (tau_prior is not None or not 0 <= tau < inf):
        raise CallError("tau is either taken as known (a number, 0 or more) or given a prior, not both.")
    if draws < 1 or nodes < 8:
        raise CallError("There must be at least 1 draw and 8 quadrature nodes.")
    refuse_disconnected(net)
    models = ("common", "random") if model == "both" else (model,)
    scale = effect_scale(net)
    effect_sd = 15.0 * scale if effect_prior_sd is None else float(effect_prior_sd)
    assumed = ["effects"] if effect_prior_sd is None else []
    if "random" in models and tau_prior is None and tau is None:
        assumed.insert(0, "tau")
    regression = None
    if covariates:
        by_treatment = slopes == "by_treatment"
        regression = Regression.of(
            net, covariates, by_treatment, effect_sd, centre or {}, slope_prior_sd or {}
        )
    specification = Specification(
        len(net.treatments),
        priors.Uniform(upper=scale) if tau_prior is None else priors.parse(tau_prior),
        effect_sd,
        tau,
        regression,
        nodes,
        baseline_prior,
        tuple(assumed),
    )
    blocks = rotated_data(net, baseline_prior)
    posteriors = {name: specification.posterior(blocks, name) for name in models}
    return ExactFit(net, models, specification, blocks, posteriors, seed, draws)


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
        return posterior.effects(_contrasts(posterior, treatment, versus), predictive=predictive)

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
        import pandas as pd

        treatment, versus = self.pair_indices(pairs)
        parts = []
        for model, posterior in self.posteriors.items():
            contrasts = _contrasts(posterior, treatment, versus)
            if at:
                contrasts = contrasts + self._slopes_at(posterior, treatment, versus, at)
            effects = posterior.effects(contrasts)
            columns = _summary(effects)
            if model == "random":
                limits = posterior.effects(contrasts, predictive=True).interval()
                columns |= dict(zip(("pi_lower", "pi_upper"), limits))
            parts.append(self.estimate_rows(model, treatment, versus, evidence="network", **columns))
        return pd.concat(parts, ignore_index=True)

    def coefficients(self) -> pd.DataFrame:
        """Tabulate the slopes of a meta-regression.

        Returns
        -------
        DataFrame
            Columns of ``estimates``: the change of the effect of `treatment` against `versus` for one unit
            of the covariate in `subgroup` (or for its level). With a common slope `treatment` is "every
            other treatment".
        """
        import pandas as pd

        regression = self.specification.regression
        if regression is None:
            return frame("estimates")
        names = self.network.treatments
        who = list(names[1:]) if regression.by_treatment else ["every other treatment"]
        parts = []
        for model, posterior in self.posteriors.items():
            count = len(regression.names) * len(who)
            effects = posterior.effects(np.eye(posterior.rows.p)[posterior.rows.p - count :])
            parts.append(
                frame(
                    "estimates",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": who * len(regression.names),
                        "versus": names[0],
                        "evidence": "network",
                        "subgroup": np.repeat(regression.names, len(who)),
                        "level": "slope",
                        **_summary(effects),
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _slopes_at(
        self, posterior: Posterior, treatment: Array, versus: Array, at: Mapping[str, float]
    ) -> Array:
        regression = self.specification.regression
        known = () if regression is None else regression.names
        if unknown := [name for name in at if name not in known]:
            raise CallError(
                f"The model has no covariate {', '.join(unknown)}; it has {', '.join(known) or 'none'}."
            )
        assert regression is not None
        x = np.array(
            [at.get(name, middle) - middle for name, middle in zip(regression.names, regression.centre)]
        )
        slope = predictors.interactions(len(self.network.treatments), regression.by_treatment)
        each = (x[None, :, None] * slope[:, None, :]).reshape(len(slope), -1)
        return np.pad(each[treatment] - each[versus], ((0, 0), (posterior.rows.p - each.shape[1], 0)))

    def superiority(self, margin: float | None = None) -> pd.DataFrame:
        """Give the probability that one treatment is better than another by at least a margin.

        Parameters
        ----------
        margin : float, optional
            On the analysis scale, 0 or more; the outcome's smallest important difference without it.

        Returns
        -------
        DataFrame
            model, treatment, versus, margin, probability: every ordered pair; empty without a direction of
            benefit.

        Raises
        ------
        CallError
            If there is no margin.
        """
        import pandas as pd

        margin = self.network.smallest_important_difference if margin is None else margin
        if margin is None or not margin >= 0:
            raise CallError(
                "How much better? Give a margin of 0 or more, or smallest_important_difference in "
                "outcomes.csv."
            )
        sign = ranking.benefit(self.network)
        columns = ["model", "treatment", "versus", "margin", "probability"]
        if sign is None:
            return pd.DataFrame(columns=columns)
        n = len(self.network.treatments)
        treatment, versus = np.nonzero(~np.eye(n, dtype=bool))
        names = np.array(self.network.treatments, dtype=object)
        parts = []
        for model in self.models:
            effects = self.effect(model, treatment, versus)
            better = effects.probability_above(margin) if sign > 0 else effects.probability_below(-margin)
            parts.append(
                pd.DataFrame(
                    dict(zip(columns, (model, names[treatment], names[versus], float(margin), better)))
                )
            )
        return pd.concat(parts, ignore_index=True)

    # --- heterogeneity --------------------------------------------------------------------------------------

    def heterogeneity(self) -> pd.DataFrame:
        """Tabulate tau: posterior median and 95 % credible interval.

        Returns
        -------
        DataFrame
            Columns of ``heterogeneity``; tau2 and its limits are the squares of those of tau.
        """
        rows = []
        for model, posterior in self.posteriors.items():
            tau = posterior.heterogeneity
            if tau is None:
                known = float(posterior.solution.tau[0])
                median, lower, upper = known, nan, nan
                method = "taken as known" if model == "random" else "common effect"
            else:
                median, lower, upper = (tau.quantile(q) for q in (0.5, 0.025, 0.975))
                method = f"posterior median, {tau.prior.describe(unit_of(self.network))}"
            rows.append(
                {
                    "engine": self.engine,
                    "model": model,
                    "method": method,
                    "tau": median,
                    "tau_lower": lower,
                    "tau_upper": upper,
                    "tau2": median**2,
                    "tau2_lower": lower**2,
                    "tau2_upper": upper**2,
                }
            )
        return frame("heterogeneity", rows)

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
        return ranking.sucra(self._better[model])

    @cached_property
    def _better(self) -> dict[str, Array]:
        """Probability that row is better than column, by model."""
        sign = ranking.benefit(self.network)
        n = len(self.network.treatments)
        versus, treatment = np.triu_indices(n, 1)
        better = {}
        for model in self.models:
            effects = self.effect(model, treatment, versus)
            wins = effects.probability_above(0.0) if sign == 1.0 else effects.probability_below(0.0)
            better[model] = ranking.pair_matrix(n, treatment, versus, wins)
        return better

    def draws(self, model: str, n: int | None = None, seed: int | None = None) -> tuple[Array, Array]:
        """Draw effects independently from the posterior.

        Parameters
        ----------
        model : str
        n, seed : int, optional
            Those of the fit without them.

        Returns
        -------
        (n, T) array
            Effects against the reference, whose own column is 0.
        (n,) array
            Tau at the quadrature nodes: for predictions, not for quantiles of tau itself.
        """
        posterior = self.posteriors[model]
        assert posterior.rows.design.treatments is not None
        coefficients, tau = posterior.draws(n or self.n_draws, self.seed if seed is None else seed)
        return coefficients @ posterior.rows.design.treatments.T, tau

    @cached_property
    def _rank_probabilities(self) -> dict[str, Array]:
        lower = bool(self.network.lower_is_better)
        return {model: ranking.rank_probabilities(self.draws(model)[0], lower) for model in self.models}

    def ranking(self) -> pd.DataFrame:
        """Rank the treatments: SUCRA and mean rank exactly, the probability of being best from draws.

        Returns
        -------
        DataFrame
            Columns of ``ranking``, the best first; the P-score of a posterior is its SUCRA. Empty without a
            direction of benefit.
        """
        import pandas as pd

        if ranking.benefit(self.network) is None:
            return frame("ranking")
        parts = []
        for model in self.models:
            score = self.sucra(model)
            best_first = np.argsort(-score, kind="stable")
            parts.append(
                frame(
                    "ranking",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": np.array(self.network.treatments, dtype=object)[best_first],
                        "mean_rank": ranking.mean_rank(score)[best_first],
                        "sucra": score[best_first],
                        "p_score": score[best_first],
                        "p_best": self._rank_probabilities[model][best_first, 0],
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def rank_probabilities(self) -> pd.DataFrame:
        """Tabulate the probability of every rank, from independent draws, with its Monte Carlo error.

        Returns
        -------
        DataFrame
            Columns of ``rank_probabilities``; empty without a direction of benefit.
        """
        import pandas as pd

        if ranking.benefit(self.network) is None:
            return frame("rank_probabilities")
        n = len(self.network.treatments)
        parts = []
        for model in self.models:
            probability = self._rank_probabilities[model].ravel()
            parts.append(
                frame(
                    "rank_probabilities",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": np.repeat(np.array(self.network.treatments, dtype=object), n),
                        "rank": np.tile(np.arange(1, n + 1), n),
                        "probability": probability,
                        "std_error": ranking.sampling_error(probability, self.n_draws),
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    # --- study by study -------------------------------------------------------------------------------------

    @cached_property
    def influence(self) -> dict[str, Influence]:
        """What each study does to the posterior, by model."""
        number, _ = study_numbers(self.network)
        return {model: Influence(posterior, number) for model, posterior in self.posteriors.items()}

    @cached_property
    def _refits(self) -> dict[str, dict[int, Posterior | None]]:
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
            if int(study) in self._refits[model]:
                other = self._refits[model][int(study)]
                values[i] = total - (0.0 if other is None else other.log_total)
        if isinf(self.specification.effect_sd):
            values[np.isin(influence.study, list(cut_off(self.network)))] = nan
        return values

    def leave_one_out(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Leave every study out in turn, all its experiments together; priors stay as they are.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``leave_one_out``; tau is the posterior median. Where nothing else links two
            treatments there is no number but a note.
        """
        import pandas as pd

        treatment, versus = self.pair_indices(pairs)
        names = np.array(self.network.treatments, dtype=object)
        _, studies = study_numbers(self.network)
        apart = cut_off(self.network)

        def contrasts(posterior: Posterior) -> Array:
            return _contrasts(posterior, treatment, versus)

        parts = []
        for model, influence in self.influence.items():
            left = leave_one_out(influence, contrasts, self._refits[model])
            lost = np.zeros(left.mean.shape, dtype=bool)
            for i, study in enumerate(left.study):
                if (part := apart.get(int(study))) is not None:
                    lost[i] = part[treatment] != part[versus]
            numbers = {
                "estimate": left.mean,
                "std_error": left.sd,
                "ci_lower": left.lower,
                "ci_upper": left.upper,
            }
            parts.append(
                frame(
                    "leave_one_out",
                    {
                        "engine": self.engine,
                        "model": model,
                        "study": np.repeat(np.array(studies, dtype=object)[left.study], len(treatment)),
                        "treatment": np.tile(names[treatment], len(left.study)),
                        "versus": np.tile(names[versus], len(left.study)),
                        **{name: np.where(lost, nan, values).ravel() for name, values in numbers.items()},
                        "tau": np.repeat(left.tau, len(treatment)),
                        "note": [DISCONNECTED if gone else None for gone in lost.ravel()],
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def leave_one_treatment_out(self) -> pd.DataFrame:
        """Leave every treatment out in turn: see `analysis.network.sensitivity.leave_one_treatment_out`."""
        return sensitivity.leave_one_treatment_out(self)

    def prior_sensitivity(
        self, tau_priors: Iterable[str | priors.Prior] = (), effect_prior_sds: Iterable[float] = ()
    ) -> pd.DataFrame:
        """Fit again under other priors: see `analysis.network.sensitivity.prior_sensitivity`."""
        return sensitivity.prior_sensitivity(self, tau_priors, effect_prior_sds)

    def under(
        self,
        specification: Specification,
        models: tuple[str, ...],
        net: Network | None = None,
        blocks: tuple[BlockRows, ...] | None = None,
    ) -> ExactFit:
        """Fit again under another specification, to the same data or to a part of them.

        Parameters
        ----------
        specification : Specification
        models : tuple of str
        net : Network, optional
            What is left of the network.
        blocks : tuple of BlockRows, optional
            Its rotated data; those of the fit without them.

        Returns
        -------
        ExactFit
        """
        data = self.blocks if blocks is None else blocks
        fits = {model: specification.posterior(data, model) for model in models}
        return ExactFit(net or self.network, models, specification, data, fits, self.seed, self.n_draws)

    # --- inconsistency --------------------------------------------------------------------------------------

    @cached_property
    def splits(self) -> dict[str, dict[tuple[int, int], Split]]:
        """Every comparison that can be split, by model and pair of treatments."""
        pairs = [pair for pair, reason in splittable(self.network).items() if reason is None]
        return {
            model: {pair: node_split(posterior, pair, self.specification.effect_sd) for pair in pairs}
            for model, posterior in self.posteriors.items()
        }

    def node_splits(self) -> pd.DataFrame:
        """Set direct against indirect evidence, for every comparison where both exist independently.

        The inconsistency is added to the arm of `treatment` in every study that also has `versus` (Dias et
        al. 2010); comparisons are chosen by the rule of van Valkenhoef et al. (2016), the others are named
        with the reason.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency`` with method node-split: posterior means and standard deviations,
            interval and two-sided tail probability of the difference, direct less indirect.
        """
        names = self.network.treatments
        rows: list[dict[str, Any]] = []
        for model in self.models:
            for (a, b), reason in splittable(self.network).items():
                about = {
                    "engine": self.engine,
                    "model": model,
                    "method": "node-split",
                    "treatment": names[b],
                    "versus": names[a],
                    "note": reason,
                }
                split = self.splits[model].get((a, b))
                rows.append(about if split is None else about | _split_summary(split))
        return frame("inconsistency", rows)

    @cached_property
    def unrelated_mean_effects(self) -> tuple[Array, dict[str, Posterior]]:
        """Pairs (versus, treatment), (p, 2), and the posteriors of their own effects by model."""
        design, pairs = predictors.unrelated_mean_effects(self.blocks, self.specification.effect_sd)
        rows = Rows(self.blocks, design)
        return pairs, {model: self.specification.integrated(rows, model) for model in self.models}

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
        names = self.network.treatments
        pairs, posteriors = self.unrelated_mean_effects
        number, _ = study_numbers(self.network)
        rows: list[dict[str, Any]] = []
        for model, posterior in posteriors.items():
            about = {"engine": self.engine, "model": model, "method": "unrelated mean effects"}
            dic, free = _dic(self.influence[model]), _dic(Influence(posterior, number))
            text = f"DIC {dic:.2f} with consistency, {free:.2f} without"
            here, there = self.posteriors[model].heterogeneity, posterior.heterogeneity
            if here is not None and there is not None:
                text += f"; tau {here.quantile(0.5):.4g} with consistency, {there.quantile(0.5):.4g} without"
            evidence = self.posteriors[model].log_evidence - posterior.log_evidence
            if isfinite(evidence):
                prior = f"normal(0, {self.specification.effect_sd:.4g}^2)"
                text += f"; log Bayes factor for consistency {evidence:.2f} (effects' prior {prior})"
            rows.append({**about, "component": "network", "note": text})
            effects = posterior.effects(np.eye(len(pairs)))
            for i, (versus, treatment) in enumerate(pairs):
                rows.append(
                    {
                        **about,
                        "treatment": names[treatment],
                        "versus": names[versus],
                        "direct": effects.mean[i],
                        "direct_std_error": effects.sd[i],
                    }
                )
        return frame("inconsistency", rows)

    # --- fit and computation --------------------------------------------------------------------------------

    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate deviance, DIC, WAIC, leave-one-out and marginal likelihood, in all and by study.

        Returns
        -------
        DataFrame
            Columns of ``fit``. Dbar, pD and DIC are conditional on the study effects, as WinBUGS, JAGS and
            gemtc compute them, for contrasts; with "(arms)" for arms with flat baselines, to be held
            against the number of arms. WAIC and elpd integrate the study effects out and are by study.
        """
        _, studies = study_numbers(self.network)
        units = sum(len(block.study) for block in self.blocks)
        by_arm = self.specification.baseline is not None
        rows: list[dict[str, Any]] = []
        for model, influence in self.influence.items():
            posterior = self.posteriors[model]
            deviance, leverage = influence.deviance
            density, parameters = influence.waic
            elpd = self.elpd(model)
            dbar, pd_ = float(deviance.sum()), float(leverage.sum())
            points = posterior.rows.n
            kind = "arms" if by_arm else "contrasts"
            totals: list[tuple[str, float, str | None]] = [
                ("Dbar", dbar, f"posterior mean residual deviance; compare with {points} {kind}"),
                ("pD", pd_, "Dbar less the deviance at the posterior mean fitted values"),
                ("DIC", dbar + pd_, None),
            ]
            if not by_arm:
                arms = f"flat baselines: {units} more; compare with {self.network.n_arms} arms"
                totals += [
                    ("Dbar (arms)", dbar + units, arms),
                    ("pD (arms)", pd_ + units, None),
                    ("DIC (arms)", dbar + pd_ + 2 * units, None),
                ]
            waic = -2.0 * float(density.sum() - parameters.sum())
            marginal = "study effects integrated out"
            totals += [
                ("WAIC", waic, marginal),
                ("p_WAIC", float(parameters.sum()), None),
                ("elpd_loo", float(elpd.sum()), f"exact leave-one-study-out, {marginal}"),
                (
                    "log_marginal_likelihood",
                    posterior.log_evidence,
                    self.specification.describe(self.network, model),
                ),
            ]
            if (tau := posterior.heterogeneity) is not None:
                totals += [("tau mean", tau.mean, None), ("tau sd", tau.sd, None)]
            if ranking.benefit(self.network) is not None:
                totals.append(("POTH", ranking.poth(self.sucra(model)), "of the SUCRAs"))
            about = {"engine": self.engine, "model": model}
            rows += [{**about, "quantity": q, "value": value, "note": note} for q, value, note in totals]
            own = {
                "deviance": deviance,
                "leverage": leverage,
                "data_points": influence.n_rows,
                "elpd_loo": elpd,
            }
            for quantity, values in own.items():
                rows += [
                    {**about, "study": studies[study], "quantity": quantity, "value": float(value)}
                    for study, value in zip(influence.study, values)
                ]
        return frame("fit", rows)

    def weights(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Tabulate the share of every comparison of every study in the precision of estimates.

        The variance of an estimate is c' P (X' W X) P c and the prior's part; the information X' W X is a
        sum over the comparisons within studies, so shares follow without a choice of paths (compare Riley
        et al. 2018, doi:10.1177/0962280216688033). They are averaged over the posterior of tau.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``weights``: treatment and versus name the estimate; estimate, std_error and
            contrast_id belong to the study's comparison. What the weights of an estimate lack to 1 is the
            prior's share.
        """
        import pandas as pd

        from analysis.network.result import contrast_ids

        net = self.network
        treatment, versus = self.pair_indices(pairs)
        names = np.array(net.treatments, dtype=object)
        found, ids = comparisons(net), contrast_ids(net)
        sources = [
            ids.get((*net.studies[s], frozenset((names[a], names[b]))), (None, None))
            for s, a, b in zip(found.study, found.first, found.second)
        ]
        parts = []
        for model, posterior in self.posteriors.items():
            share = posterior.shares(_contrasts(posterior, treatment, versus))
            p, r = np.nonzero(share)
            parts.append(
                frame(
                    "weights",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": names[treatment[p]],
                        "versus": names[versus[p]],
                        "study": [net.studies[s][0] for s in found.study[r]],
                        "experiment": [net.studies[s][1] for s in found.study[r]],
                        "contrast_id": [sources[i][0] for i in r],
                        "estimate": found.estimate[r],
                        "std_error": np.sqrt(found.variance[r]),
                        "weight": share[p, r],
                        "measurement_ids": [sources[i][1] for i in r],
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate how far numbers may be off: quadrature error, Monte Carlo error of rank probabilities.

        Returns
        -------
        DataFrame
            Columns of ``diagnostics``; `mcse` of the quadrature row is its error in posterior standard
            deviations.
        """
        rows: list[dict[str, Any]] = []
        for model, posterior in self.posteriors.items():
            about = {"engine": self.engine, "model": model}
            rows.append(
                {
                    **about,
                    "parameter": "all effects and tau",
                    "mcse": posterior.error,
                    "note": "closed form"
                    if posterior.heterogeneity is None
                    else f"quadrature with {posterior.n_nodes} nodes; mcse is its error in posterior sd",
                }
            )
            if ranking.benefit(self.network) is not None:
                error = ranking.sampling_error(self._rank_probabilities[model], self.n_draws)
                rows.append(
                    {
                        **about,
                        "parameter": "rank probabilities",
                        "mcse": float(error.max()),
                        "note": f"{self.n_draws} independent draws, seed {self.seed}; the largest error",
                    }
                )
        return frame("diagnostics", rows)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: priors used, what they drive, and how far the numbers can be trusted."""
        spec, net = self.specification, self.network
        stated = spec.describe(net, self.models[-1])
        found = list(net.notes)
        if spec.assumed:
            largest = f"{effect_scale(net):.4g} {unit_of(net)}".strip()
            message = (
                f"Default priors were used for {' and '.join(spec.assumed)}, scaled as in gemtc to the "
                f"largest effect of any study, {largest}: {stated}. State your own with tau_prior and "
                "effect_prior_sd."
            )
            found.append(("warning", message))
        else:
            found.append(("info", f"Priors: {stated}."))
        if net.arms is not None and any(arms.events is not None for arms in net.arms):
            found.append(("info", NORMAL_COUNTS))
        if (r := spec.regression) is not None:
            columns = ", ".join(
                f"{name} centred at {middle:.6g}" if middle else name
                for name, middle in zip(r.names, r.centre)
            )
            kind = "one for each treatment" if r.by_treatment else "shared by all treatments"
            message = f"Meta-regression on {columns}; slopes against {net.reference}, {kind}."
            found.append(("info", f"{message} Effects are those at the centre."))
        if ranking.benefit(net) is None:
            found.append(("warning", ranking.NO_DIRECTION))
        for model, posterior in self.posteriors.items():
            found += [("warning", f"{model}: {message}") for message in self._driven(model, posterior)]
            if posterior.error > TOLERANCE:
                message = (
                    f"{model}: the quadrature error is {posterior.error:.1e} posterior standard deviations "
                    f"with {posterior.n_nodes} nodes, above {TOLERANCE:.0e}: moments of so long a tail may "
                    "not exist."
                )
                found.append(("warning", message))
        return found

    def _driven(self, model: str, posterior: Posterior) -> list[str]:
        """Say what the data leave to the prior."""
        found = []
        names, spec = self.network.treatments, self.specification
        if not isinf(spec.effect_sd):
            t = np.arange(1, len(names))
            sd = self.effect(model, t, np.zeros_like(t)).sd
            if driven := [names[i] for i in t[sd > DRIVEN * spec.effect_sd]]:
                found.append(
                    f"driven by the prior: the data hardly determine the effect of {', '.join(driven)} "
                    f"against {names[0]} (posterior sd above a quarter of the prior's {spec.effect_sd:.4g}). "
                    "Take a narrower prior that you can defend, or leave the treatment out."
                )
        if posterior.prior is not None and posterior.learned < LITTLE:
            found.append(
                "driven by the prior: the data say next to nothing about tau, whose posterior is its prior, "
                f"{posterior.prior.describe(unit_of(self.network))}, and with it the width of every interval."
            )
        return found


def _contrasts(posterior: Posterior, treatment: Array, versus: Array) -> Array:
    treatments = posterior.rows.design.treatments
    assert treatments is not None
    return treatments[treatment] - treatments[versus]


def _summary(effects: NormalMixture) -> dict[str, Array]:
    lower, upper = effects.interval()
    return {
        "estimate": effects.mean,
        "std_error": effects.sd,
        "ci_lower": lower,
        "ci_upper": upper,
        "p_value": effects.tail_probability(),
    }


def _dic(influence: Influence) -> float:
    deviance, leverage = influence.deviance
    return float(deviance.sum() + leverage.sum())


def _split_summary(split: Split) -> dict[str, float]:
    lower, upper = split.difference.interval()
    return {
        "direct": float(split.direct.mean),
        "direct_std_error": float(split.direct.sd),
        "indirect": float(split.indirect.mean),
        "indirect_std_error": float(split.indirect.sd),
        "difference": float(split.difference.mean),
        "difference_std_error": float(split.difference.sd),
        "ci_lower": float(lower),
        "ci_upper": float(upper),
        "p_value": float(split.difference.tail_probability()),
    }
