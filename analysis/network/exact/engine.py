"""Exact Bayesian network meta-analysis for normal likelihoods.

Given the heterogeneity tau everything is normal and integrates in closed form; tau is integrated by
quadrature with its own error control. Nothing is sampled but the rank probabilities. Leaving studies out,
splitting nodes and most of what else is asked of a fit follow from the one fit by algebra.

The model: contrasts y_i ~ N(delta_i, S_i), study effects delta_i ~ N(X_i d, tau2 R) with R = (I + J) / 2,
that is between-arm covariance tau2 / 2 (Higgins and Whitehead 1996), effects d ~ N(0, effect_prior_sd^2)
against the reference. The common-effect model has tau = 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, isinf, nan
from typing import TYPE_CHECKING

import numpy as np

from analysis.network import ranking
from analysis.network.data.network import Array, Network
from analysis.network.exact import sensitivity
from analysis.network.exact import tables as exact_tables
from analysis.network.exact.posterior import ExactPosterior, contrasts_of
from analysis.network.model import predictors, priors
from analysis.network.model.posterior import TOLERANCE, Posterior
from analysis.network.model.specification import (
    Regression,
    Specification,
    bound_remark,
    effect_scale,
    refuse_absurd,
    refuse_disconnected,
    rotated_data,
    unit_of,
)
from analysis.network.result import Pair
from analysis.results import frame
from evidence.errors import CallError

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
        Prior of the heterogeneity, in the outcome's unit; see `analysis.network.model.priors.parse`. Without
        it uniform(0, u), u the largest effect observed in any study, as in gemtc.
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
    prior = priors.Uniform(upper=scale) if tau_prior is None else priors.parse(tau_prior)
    of_tau = prior if "random" in models and tau is None else None
    baseline_sd = None if baseline_prior is None else float(baseline_prior[1])
    refuse_absurd(
        net, tau_prior=of_tau, effect_prior_sd=effect_sd, baseline_prior=baseline_sd,
        tau=None if tau is None else float(tau),
    )  # fmt: skip
    regression = None
    if covariates:
        by_treatment = slopes == "by_treatment"
        regression = Regression.of(
            net, covariates, by_treatment, effect_sd, centre or {}, slope_prior_sd or {}
        )
    specification = Specification(
        len(net.treatments),
        prior,
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


class ExactFit(ExactPosterior):
    """Posterior of a network, free of Monte Carlo error but for ranks.

    Estimates are posterior means with posterior standard deviations; intervals are 95 % equal-tailed credible
    intervals; `p_value` is twice the smaller posterior probability of an effect on either side of zero.
    """

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
        import pandas as pd

        treatment, versus = self.pair_indices(pairs)
        parts = []
        for model, posterior in self.posteriors.items():
            contrasts = contrasts_of(posterior, treatment, versus)
            if at:
                contrasts = contrasts + self._slopes_at(posterior, treatment, versus, at)
            effects = posterior.effects(contrasts)
            columns = exact_tables.summary_of(effects)
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
        return exact_tables.coefficients(self)

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

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        treatment, versus = self.ordered_pairs()
        for model in self.models:
            effects = self.effect(model, treatment, versus)
            better = effects.probability_above(margin) if sign > 0 else effects.probability_below(-margin)
            yield model, treatment, versus, better

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
            best_first = ranking.best_first(score)
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
                        "p_best": self.rank_chances[model][best_first, 0],
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
            probability = self.rank_chances[model].ravel()
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
        return exact_tables.leave_one_out(self, pairs)

    def leave_one_treatment_out(self) -> pd.DataFrame:
        """Leave every treatment out in turn: see `sensitivity.leave_one_treatment_out`."""
        return sensitivity.leave_one_treatment_out(self)

    def prior_sensitivity(
        self, tau_priors: Iterable[str | priors.Prior] = (), effect_prior_sds: Iterable[float] = ()
    ) -> pd.DataFrame:
        """Fit again under other priors: see `analysis.network.exact.sensitivity.prior_sensitivity`."""
        return sensitivity.prior_sensitivity(self, tau_priors, effect_prior_sds)

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
        return exact_tables.weights(self, pairs)

    # --- inconsistency --------------------------------------------------------------------------------------

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
        return exact_tables.node_splits(self)

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
        return exact_tables.inconsistency(self)

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
        return exact_tables.fit_statistics(self)

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate how far numbers may be off: quadrature error, Monte Carlo error of rank probabilities.

        Returns
        -------
        DataFrame
            Columns of ``diagnostics``; `mcse` of the quadrature row is its error in posterior standard
            deviations.
        """
        return exact_tables.diagnostics(self)

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
        tau = posterior.heterogeneity
        if posterior.prior is None or tau is None:
            return found
        if posterior.learned < LITTLE:
            unit, scale = unit_of(self.network), effect_scale(self.network)
            spread = f"{tau.sd:.3g} {unit}".strip()
            found.append(
                "driven by the prior: the data say next to nothing about tau, whose posterior is its prior, "
                f"{posterior.prior.describe(unit)} (standard deviation {spread}, {tau.sd / scale:.0%} of the "
                "largest effect of any study), and with it the width of every interval."
            )
        elif (cut := bound_remark(self.network, posterior.prior, tau.density)) is not None:
            found.append(cut)
        return found
