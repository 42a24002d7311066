"""Bayesian network meta-analysis of counts, by quadrature and importance sampling instead of a Markov chain.

`analysis.network.counts.posterior` has the method. A Pareto shape of the weights of 0.5 or more, or an
effective sample size below a tenth of the draws, means refusal.

The model is the generalised linear model of Dias et al. (2013, doi:10.1177/0272989X12458724) on arms, with
between-arm covariance tau2 / 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite, log, log2, nan
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from analysis.network import ranking
from analysis.network.counts.posterior import CountsPosterior, Sampling, refuse_untrusted, sample
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.data.graph import comparisons
from analysis.network.data.network import Array, Network
from analysis.network.model import predictors, priors
from analysis.network.model.draws import LARGEST_SHAPE, LEAST_SHARE, Draws, pareto_smoothed
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.likelihood import VAGUE, Counts, choose, consistency, on_link, read_counts
from analysis.network.model.rows import Design
from analysis.network.model.specification import (
    Specification,
    effect_scale,
    refuse_absurd,
    refuse_disconnected,
)
from analysis.network.result import Pair, contrast_ids
from analysis.network.sampled import SampledFit, TauSummary, specify, split_row, summary, unrelated_rows
from analysis.results import frame
from evidence.errors import CallError
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

_PIECES = 90e6  # bytes of the arrays that the quadrature works on at once


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
    draws: int = 16_384,
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
        See `analysis.network.model.priors.parse`. Without it uniform(0, u), u the largest effect observed in
        any study, as in gemtc.
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
        Gauss-Hermite points per dimension in studies of two arms to begin with, fewer with more arms; more
        are taken where that changes the posterior.
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
    refuse_absurd(net, baseline_prior=None if baseline_prior is None else float(baseline_prior[1]))
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
    _refuse_without_room(counts, len(net.treatments), len(models), how)
    posteriors = {}
    for name in models:
        posteriors[name] = sample(counts, design, specification, how, name)
        refuse_untrusted(posteriors[name], net, specification, name)
    return CountsFit(net, models, specification, counts, posteriors, how)


def _refuse_without_room(counts: Counts, treatments: int, models: int, how: Sampling) -> None:
    """Refuse more studies than the draws leave room for."""
    arms, studies = sum(y.size for y in counts.events), len(counts.study)
    # At every draw a likelihood of each study, a deviance and a fit of each arm, kept for each model, and of
    # the last one in pieces as well. At every node how each study's own effects move with the others,
    # four times. The arrays of one piece are there whatever the size.
    needed = (
        8 * how.draws * (studies + 2 * arms) * (models + 0.5)
        + 8 * 4 * (1.5 * how.nodes) * arms * treatments
        + _PIECES
    )
    refuse_without_room(
        needed,
        f"The engine counts with {studies:,} studies, {arms:,} arms and {how.draws:,} draws",
        f"Take the engine exact or frequentist, one --model, or fewer draws (draws=4_096). {FEWER}",
    )


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
    def draws(self) -> Mapping[str, Draws]:  # type: ignore[override]
        """Weighted draws by model."""
        return {model: posterior.draws() for model, posterior in self.posteriors.items()}

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity."""
        return self.posteriors[model].tau()

    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity."""
        found = self.posteriors[model].tau_posterior()
        return None if found is None else found.density

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
    ) -> tuple[Draws | None, float | None, str | None]:
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

    def _other(self, design: Design, models: Sequence[str]) -> dict[str, CountsPosterior]:
        return {m: sample(self.counts, design, self.specification, self.how, m) for m in models}

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
        for model, posterior in self._other(design, self.models).items():
            if not posterior.trusted:
                about = {"engine": self.engine, "model": model, "method": "unrelated mean effects"}
                note = (
                    "not computed: some comparisons are driven by the prior, and the importance weights "
                    f"cannot be trusted (Pareto k-hat {posterior.shape:.2f}); the engine mcmc may help"
                )
                rows.append({**about, "component": "network", "note": note})
                continue
            text, difference = against_unrelated(
                self.sources[model], self.posteriors[model].dic, posterior.dic
            )
            here, there = self.tau(model), posterior.tau()
            if here is not None and there is not None:
                text += f"; tau {here.median:.4g} with consistency, {there.median:.4g} without"
            bayes = self.posteriors[model].log_evidence - posterior.log_evidence
            prior = f"normal(0, {self.specification.effect_sd:.4g}^2)"
            text += f"; log Bayes factor for consistency {bayes:.2f} (effects' prior {prior})"
            whole = {"dic_difference": difference, "note": text}
            effect_sd = self.specification.effect_sd
            rows += unrelated_rows(
                self.engine, self.network, model, pairs, posterior.draws(), whole, effect_sd
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
        found = {model: self.sources[model].reasons for model in self.models}
        for a, b in found[self.models[0]]:
            about = {
                "engine": self.engine,
                "method": "node-split",
                "treatment": names[b],
                "versus": names[a],
            }
            why = {model: reasons[a, b] for model, reasons in found.items()}
            rows += [{**about, "model": model, "note": reason} for model, reason in why.items() if reason]
            design = predictors.split(base, cast(Any, self.counts.blocks), (a, b), spec.effect_sd)
            for model, posterior in self._other(design, [m for m in self.models if not why[m]]).items():
                row = {**about, "model": model, "note": self.sources[model].notes[a, b]}
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
                    f"Gauss-Hermite with {' or '.join(str(n) for n in sorted(set(posterior.model.orders)))} "
                    "points per dimension",
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
