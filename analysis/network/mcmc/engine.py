"""Network meta-analysis by Markov chain Monte Carlo in PyMC.

For what the other engines do not take: effects exchangeable within classes, exchangeable baselines,
meta-regression of counts, and as their check. Normal likelihoods are sampled with the study effects
integrated out, ``y ~ normal(X d, 1 + tau2 theta)`` on scalar rows (`analysis.network.model.rows`), so that no
multivariate normal is needed; counts with study effects non-centred, by R^(1/2) in closed form.

Four chains run until they have converged, or say that they did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.data.network import Array, Network
from analysis.network.mcmc.chains import CHAINS, require_pymc
from analysis.network.mcmc.convergence import ESS, PSRF, RHAT, psrf_by_iteration
from analysis.network.mcmc.data import Observations, Structure, chain_data, observations
from analysis.network.mcmc.posterior import Length, McmcPosterior, sample
from analysis.network.model import predictors, priors
from analysis.network.model.draws import Draws
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.likelihood import consistency
from analysis.network.model.rows import Design
from analysis.network.model.specification import (
    Regression,
    Specification,
    effect_scale,
    refuse_absurd,
    refuse_disconnected,
    unit_of,
)
from analysis.network.result import Pair
from analysis.network.sampled import SampledFit, TauSummary, specify, split_row, summary, unrelated_rows
from analysis.results import frame
from evidence.errors import CallError

if TYPE_CHECKING:
    import pandas as pd

CRITERIA = {
    "rank-normalised": f"R-hat up to {RHAT:g}, bulk and tail ESS of {ESS:g} or more (Vehtari et al. 2021)",
    "psrf": f"potential scale reduction factor up to {PSRF:g} (Brooks and Gelman 1998; Ma et al. 2023)",
}
"""When chains count as converged."""


def fit(
    net: Network,
    *,
    model: str = "both",
    likelihood: str | None = None,
    link: str | None = None,
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    baseline_sd_prior: str | priors.Prior | None = None,
    classes: Mapping[str, str] | None = None,
    class_sd_prior: str | priors.Prior | None = None,
    covariates: Sequence[str] = (),
    slopes: str = "common",
    centre: Mapping[str, float] | None = None,
    slope_prior_sd: Mapping[str, float] | None = None,
    seed: int = 1,
    draws: int = 1000,
    tune: int = 1000,
    max_draws: int = 8000,
    criterion: str = "rank-normalised",
) -> McmcFit:
    """Fit by Markov chain Monte Carlo.

    Parameters
    ----------
    net : Network
    model : {"both", "common", "random"}
    likelihood : {"normal", "binomial", "poisson"}, optional
        Without it that of the counts where the network has counts for its measure, else normal.
    link : {"logit", "log", "cloglog"}, optional
        Of counts, as in `analysis.network.counts.fit`.
    tau_prior : str or Prior, optional
        See `analysis.network.model.priors.parse`. Without it uniform(0, u), u the largest effect observed in
        any study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each effect against the reference. Without it 15 u.
    baseline_prior : (float, float), optional
        Mean and standard deviation of the normal prior of every study's baseline, on the link scale; for
        normal likelihoods this asks for means of arms instead of contrasts.
    baseline_sd_prior : str or Prior, optional
        Makes baselines exchangeable: normal around a common mean, which has `baseline_prior`, with a standard
        deviation that has this prior (Dias et al. 2013, NICE DSU TSD 5).
    classes : mapping of str to str, optional
        Class of treatments whose effects against the reference are exchangeable: normal around the class's
        mean. Treatments that are not mentioned keep effects of their own.
    class_sd_prior : str or Prior, optional
        Prior of the standard deviation within classes, shared by them; without it that of tau.
    covariates, slopes, centre, slope_prior_sd
        Meta-regression, as in `analysis.network.exact.fit`.
    seed : int
    draws, tune : int
        Kept and discarded iterations of each of four chains, to begin with.
    max_draws : int
        Chains that have not converged start again twice as long, up to so many kept iterations each.
    criterion : {"rank-normalised", "psrf"}
        R-hat up to 1.01 and effective sample sizes of 400, or the model review's 1.05 of the potential scale
        reduction factor.

    Returns
    -------
    McmcFit

    Raises
    ------
    CallError
        If an option is not known, or contradicts another.
    RefusedError
        If PyMC is not installed, the network is not connected, or the data lack what the likelihood needs.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if slopes not in ("common", "by_treatment"):
        raise CallError(f"slopes {slopes!r} is not one of common, by_treatment.")
    if criterion not in CRITERIA:
        raise CallError(f"criterion {criterion!r} is not one of {', '.join(CRITERIA)}.")
    if min(draws, tune) < 100 or max_draws < draws:
        raise CallError("draws and tune are 100 or more, max_draws no less than draws.")
    if baseline_prior is not None and not (isfinite(baseline_prior[0]) and 0 < baseline_prior[1] < inf):
        raise CallError(
            f"baseline_prior is {baseline_prior}; it takes a mean and a standard deviation above 0."
        )
    require_pymc()
    refuse_disconnected(net)
    refuse_absurd(net, baseline_prior=None if baseline_prior is None else float(baseline_prior[1]))
    net, data = observations(net, likelihood, link, baseline_prior, baseline_sd_prior)
    models = ("common", "random") if model == "both" else (model,)
    specification = specify(net, models, tau_prior, effect_prior_sd)
    if covariates:
        regression = Regression.of(
            net,
            covariates,
            slopes == "by_treatment",
            specification.effect_sd,
            centre or {},
            slope_prior_sd or {},
        )
        specification = replace(specification, regression=regression)
    if unknown := sorted(set(classes or {}) - set(net.treatments[1:])):
        raise CallError(
            f"classes names {', '.join(unknown)}; classes are of {', '.join(net.treatments[1:])}."
        )
    structure = Structure(
        data.baseline or (data.middle, 15.0 * effect_scale(net)),
        None if baseline_sd_prior is None else priors.parse(baseline_sd_prior),
        {net.treatments.index(t) - 1: name for t, name in (classes or {}).items()},
        specification.prior if class_sd_prior is None else priors.parse(class_sd_prior),
    )
    length = Length(seed, draws, tune, max_draws, criterion)
    design = data.design(specification)
    posteriors = {
        name: sample(chain_data(data, design, specification, structure, name), length, design)
        for name in models
    }
    return McmcFit(net, models, specification, structure, data, posteriors, length)


WITHOUT_CLASSES = "the classes of treatments are left out of the model without consistency"
"""Remark on unrelated mean effects and node-splits of a class model."""


@dataclass(frozen=True, eq=False)
class McmcFit(SampledFit):
    """Posterior of a network by Markov chain Monte Carlo.

    Attributes
    ----------
    network : Network
    models : tuple of str
    specification : Specification
    structure : Structure
    data : Observations
    posteriors : dict of str to McmcPosterior
        By model.
    length : Length
    """

    network: Network
    models: tuple[str, ...]
    specification: Specification
    structure: Structure
    data: Observations
    posteriors: dict[str, McmcPosterior]
    length: Length
    engine: str = field(default="mcmc", init=False)

    @cached_property
    def draws(self) -> Mapping[str, Draws]:  # type: ignore[override]
        """Draws by model."""
        return {model: posterior.draws for model, posterior in self.posteriors.items()}

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity."""
        return self.posteriors[model].tau()

    def effective(self, model: str) -> float:
        """Smallest effective sample size of the bulk."""
        return self.posteriors[model].effective

    def coefficients(self) -> pd.DataFrame:
        """Tabulate the slopes of a meta-regression, as `analysis.network.exact.ExactFit.coefficients`."""
        import pandas as pd

        r = self.specification.regression
        if r is None:
            return frame("estimates")
        names = self.network.treatments
        who = list(names[1:]) if r.by_treatment else ["every other treatment"]
        parts = []
        for model, posterior in self.posteriors.items():
            count = len(r.names) * len(who)
            values = posterior.coefficients[:, -count:]
            parts.append(
                frame(
                    "estimates",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": who * len(r.names),
                        "versus": names[0],
                        "evidence": "network",
                        "subgroup": np.repeat(r.names, len(who)),
                        "level": "slope",
                        **summary(posterior.draws, values),
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def class_effects(self) -> pd.DataFrame:
        """Tabulate the mean effects of classes against the reference, and the spread within them.

        Returns
        -------
        DataFrame
            Columns of ``estimates``, a row for each class; `level` is the class.
        """
        import pandas as pd

        names = sorted(set(self.structure.classes.values()))
        parts = [frame("estimates")]
        for model, posterior in self.posteriors.items():
            if "class_mean" not in posterior.chains.draws:
                continue
            values = posterior.chains.draws["class_mean"].reshape(-1, len(names))
            values = np.column_stack([values, posterior.chains.draws["class_sd"].ravel()])
            columns = summary(posterior.draws, values)
            columns["p_value"][-1] = nan
            parts.append(
                frame(
                    "estimates",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": [*(f"class {name}" for name in names), "spread within classes"],
                        "versus": self.network.reference,
                        "evidence": "network",
                        "subgroup": "class",
                        "level": [*names, "standard deviation"],
                        **columns,
                    },
                )
            )
        return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]

    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity; None with common effects or without a limit."""
        return self.posteriors[model].tau_density(self.specification.prior.upper)

    # --- study by study -------------------------------------------------------------------------------------

    def _again(self, model: str, design: Design | None = None, include: Array | None = None) -> McmcPosterior:
        """Sample another design, or some of the studies, for as long as the chains of the fit were."""
        first = self.posteriors[model]
        kept = first.chains.draws["coefficients"].shape[1]
        length = replace(self.length, draws=kept, tune=max(self.length.tune, kept), max_draws=kept)
        used = self.data.design(self.specification) if design is None else design
        structure = self.structure if design is None else replace(self.structure, classes={})
        data = chain_data(self.data, used, self.specification, structure, model)
        return sample(data if include is None else data.with_arrays(include=include), length, used)

    def leave_one_out(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Sample without each study in turn, all its experiments together; nothing is compiled anew.

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
        for model in self.models:
            for study in np.unique(number[self.data.study]):
                include = (number[self.data.study] != study).astype(float)
                posterior = self._again(model, include=include)
                found = summary(posterior.draws, posterior.draws.difference(treatment, versus))
                driven = self._driven_pairs(found["std_error"])
                if (part := apart.get(int(study))) is not None:
                    driven |= part[treatment] != part[versus]
                note = None if posterior.converged else "the chains did not converge"
                tau = posterior.tau()
                del found["p_value"]
                parts.append(
                    frame(
                        "leave_one_out",
                        {
                            "engine": self.engine,
                            "model": model,
                            "study": studies[study],
                            "treatment": names[treatment],
                            "versus": names[versus],
                            **{name: np.where(driven, nan, value) for name, value in found.items()},
                            "tau": 0.0 if tau is None else tau.median,
                            "note": ["driven by the prior without this study" if d else note for d in driven],
                        },
                    )
                )
        return pd.concat(parts, ignore_index=True)

    def weights(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Tabulate the share of every comparison of every study in the precision of estimates.

        Those of normal effects with heterogeneity at its posterior median: see
        `analysis.network.exact.ExactFit.weights`.
        """
        import pandas as pd

        from analysis.network import exact

        parts = []
        for model in self.models:
            tau = self.tau(model)
            twin = exact.fit(
                self.network,
                model=model,
                tau=None if tau is None else tau.median,
                effect_prior_sd=self.specification.effect_sd,
            )
            parts.append(twin.weights(pairs).assign(engine=self.engine))
        return pd.concat(parts, ignore_index=True)

    # --- inconsistency --------------------------------------------------------------------------------------

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
        effect_sd = self.specification.effect_sd
        design, pairs = predictors.unrelated_mean_effects(self.data.blocks, effect_sd)
        rows: list[dict[str, Any]] = []
        for model, own in self.posteriors.items():
            posterior = self._again(model, design)
            dic = [sum(part.sum() for part in one.deviance(self.data.likelihood)) for one in (own, posterior)]
            text, difference = against_unrelated(self.sources[model], dic[0], dic[1])
            here, there = own.tau(), posterior.tau()
            if here is not None and there is not None:
                text += f"; tau {here.median:.4g} with consistency, {there.median:.4g} without"
            if self.structure.classes:
                text += f"; {WITHOUT_CLASSES}"
            if not posterior.converged:
                text += "; the chains of the model without consistency did not converge"
            about = {"dic_difference": difference, "note": text}
            rows += unrelated_rows(self.engine, self.network, model, pairs, posterior.draws, about, effect_sd)
        return frame("inconsistency", rows)

    def node_splits(self) -> pd.DataFrame:
        """Set direct against indirect evidence, for every comparison where both exist independently.

        The inconsistency is added to the arm of `treatment` in every study that also has `versus` (Dias et
        al. 2010); comparisons are chosen by the rule of van Valkenhoef et al. (2016), the others are named
        with the reason. All splits of a model share one compilation.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency`` with method node-split.
        """
        names, effect_sd = self.network.treatments, self.specification.effect_sd
        base = consistency(self.data.blocks, len(names), effect_sd)
        rows: list[dict[str, Any]] = []
        for model in self.models:
            for (a, b), reason in self.sources[model].reasons.items():
                about = {
                    "engine": self.engine,
                    "model": model,
                    "method": "node-split",
                    "treatment": names[b],
                    "versus": names[a],
                    "note": reason,
                }
                if reason is not None:
                    rows.append(about)
                    continue
                design = predictors.split(base, self.data.blocks, (a, b), effect_sd)
                posterior = self._again(model, design)
                indirect = posterior.draws.difference(np.array([b]), np.array([a]))
                omega = posterior.coefficients[:, -1:]
                values = np.concatenate([indirect + omega, indirect, omega], axis=1)
                if self._driven_pairs(posterior.draws.sd(values)).any():
                    rows.append(
                        about | {"note": "driven by the prior: direct or indirect evidence is too thin"}
                    )
                    continue
                said = [thin] if (thin := self.sources[model].notes[a, b]) else []
                said += [WITHOUT_CLASSES] if self.structure.classes else []
                said += [] if posterior.converged else ["the chains did not converge"]
                about["note"] = "; ".join(said) or None
                rows.append(about | split_row(summary(posterior.draws, values)))
        return frame("inconsistency", rows)

    # --- fit and computation --------------------------------------------------------------------------------

    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate deviance and DIC, in all and by study.

        Returns
        -------
        DataFrame
            Columns of ``fit``. Dbar is the posterior mean residual deviance, pD Dbar less the deviance at the
            posterior mean of the fitted values, as WinBUGS, JAGS and gemtc have them; for contrasts with flat
            baselines gemtc's, by arms, are larger by the number of studies each.
        """
        number, studies = study_numbers(self.network)
        rows: list[dict[str, Any]] = []
        for model, posterior in self.posteriors.items():
            deviance, leverage = posterior.deviance(self.data.likelihood)
            dbar, pd_ = float(deviance.sum()), float(leverage.sum())
            kind = "contrasts" if self.data.rows else "arms"
            about = {"engine": self.engine, "model": model}
            compare = f"posterior mean residual deviance; compare with {len(deviance)} {kind}"
            totals: list[tuple[str, float, str | None]] = [
                ("Dbar", dbar, compare),
                ("pD", pd_, "Dbar less the deviance at the posterior mean fitted values"),
                ("DIC", dbar + pd_, None),
            ]
            if (tau := posterior.tau()) is not None:
                totals += [("tau mean", tau.mean, None), ("tau sd", tau.sd, None)]
            scores = self.ranking()
            if len(scores):
                sucra = scores.loc[scores["model"] == model, "sucra"].to_numpy()
                totals.append(("POTH", ranking.poth(sucra), "of the SUCRAs"))
            rows += [{**about, "quantity": q, "value": value, "note": note} for q, value, note in totals]
            owner = number[self.data.study][posterior.data.arrays["study"]]
            for quantity, values in (
                ("deviance", deviance),
                ("leverage", leverage),
                ("data_points", np.ones(len(deviance))),
            ):
                total = np.bincount(owner, weights=values)
                rows += [
                    {**about, "study": studies[s], "quantity": quantity, "value": float(total[s])}
                    for s in np.unique(owner)
                ]
        return frame("fit", rows)

    def _names(self, model: str) -> dict[str, str]:
        """Map the parameters of `Diagnosis` to printed names."""
        net, r = self.network, self.specification.regression
        names = {f"coefficient {i}": f"{t} against {net.reference}" for i, t in enumerate(net.treatments[1:])}
        if r is not None:
            who = list(net.treatments[1:]) if r.by_treatment else [""]
            slopes = [f"slope of {name} {t}".strip() for name in r.names for t in who]
            names |= {f"coefficient {len(net.treatments) - 1 + i}": text for i, text in enumerate(slopes)}
        return names

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate R-hat, effective sample sizes, Monte Carlo errors and divergences.

        Returns
        -------
        DataFrame
            Columns of ``diagnostics``; a first row for each model says how the chains ran.
        """
        rows: list[dict[str, Any]] = []
        for model, posterior in self.posteriors.items():
            about = {"engine": self.engine, "model": model}
            kept = posterior.chains.draws["coefficients"].shape[1]
            state = "converged" if posterior.converged else "did NOT converge"
            rows.append(
                {
                    **about,
                    "parameter": "chains",
                    "rhat": max(one.rhat for one in posterior.diagnosis),
                    "ess_bulk": min(one.ess_bulk for one in posterior.diagnosis),
                    "ess_tail": min(one.ess_tail for one in posterior.diagnosis),
                    "divergences": posterior.chains.divergences,
                    "note": f"{state}: {CRITERIA[self.length.criterion]}; {CHAINS} chains of {kept} kept "
                    f"iterations, seed {self.length.seed + posterior.rounds - 1}, {posterior.chains.sampler}",
                }
            )
            names = self._names(model)
            rows += [
                {
                    **about,
                    "parameter": names.get(one.parameter, one.parameter),
                    "rhat": one.rhat,
                    "ess_bulk": one.ess_bulk,
                    "ess_tail": one.ess_tail,
                    "mcse": one.mcse,
                }
                for one in posterior.diagnosis
            ]
        return frame("diagnostics", rows)

    def convergence(self) -> pd.DataFrame:
        """Follow the potential scale reduction factor of every parameter as the chains grow.

        Returns
        -------
        DataFrame
            Columns of ``convergence``: iteration, point estimate and 97.5 % upper limit.
        """
        import pandas as pd

        parts = []
        for model, posterior in self.posteriors.items():
            names, chains = self._names(model), posterior.chains.draws
            followed = {
                names.get(f"coefficient {i}", f"coefficient {i}"): chains["coefficients"][:, :, i]
                for i in range(chains["coefficients"].shape[2])
            }
            if "tau" in chains:
                followed["tau"] = chains["tau"]
            for parameter, values in followed.items():
                iteration, point, upper = psrf_by_iteration(values)
                columns = {"iteration": iteration, "psrf": point, "psrf_upper": upper}
                parts.append(frame("convergence", {"model": model, "parameter": parameter, **columns}))
        return pd.concat(parts, ignore_index=True)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: likelihood, priors, what they drive, and whether the chains converged."""
        net, like, structure = self.network, self.data.likelihood, self.structure
        found = list(net.notes)
        if like is not None:
            told = f"{like.distribution.capitalize()} likelihood of the arms' counts with {like.link} link"
            found.append(("info", f"{told}; effects are {like.about}."))
        elif not self.data.rows:
            found.append(("info", "Normal likelihood of the arms' means."))
        more = ""
        if not self.data.rows:
            mean, sd = structure.baseline
            if structure.baseline_sd is None:
                more = f"; every study's baseline ~ normal({mean:.4g}, {sd:.4g}^2)"
            else:
                spread = structure.baseline_sd.describe(unit_of(net)).replace("tau", "sd", 1)
                more = (
                    f"; baselines exchangeable, their mean ~ normal({mean:.4g}, {sd:.4g}^2), their {spread}"
                )
        if structure.classes:
            members: dict[str, list[str]] = {}
            for t, name in structure.classes.items():
                members.setdefault(name, []).append(net.treatments[t + 1])
            listed = "; ".join(f"{name}: {', '.join(sorted(ts))}" for name, ts in sorted(members.items()))
            spread = structure.class_sd.describe(unit_of(net)).replace("tau", "sd", 1)
            more += f"; effects exchangeable within classes ({listed}), {spread}"
        found += self.prior_remarks(more)
        if (r := self.specification.regression) is not None:
            kind = "one for each treatment" if r.by_treatment else "shared by all treatments"
            about = f"Meta-regression on {', '.join(r.names)}; slopes against {net.reference}, {kind}."
            found.append(("info", f"{about} Effects are those at the centre."))
        if self.data.silent:
            silent = ", ".join(net.study_label(s) for s in self.data.silent)
            found.append(
                ("warning", f"Left out, because all arms have no event, or nothing but events: {silent}.")
            )
        for model, posterior in self.posteriors.items():
            if not posterior.converged:
                kept = posterior.chains.draws["coefficients"].shape[1]
                found.append(
                    (
                        "warning",
                        f"{model}: the chains did not converge within {kept} iterations each "
                        f"({CRITERIA[self.length.criterion]}): do not use these numbers. Take more with "
                        "max_draws, or narrower priors.",
                    )
                )
            if posterior.chains.divergences:
                found.append(
                    (
                        "warning",
                        f"{model}: {posterior.chains.divergences} divergent transitions: part of the "
                        "posterior may have been missed; compare with the engine exact or counts.",
                    )
                )
        return found
