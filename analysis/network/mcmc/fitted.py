"""A posterior by Markov chains: what it owes the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from analysis.network import tables
from analysis.network.data.deletion import cut_off, separated, study_numbers
from analysis.network.data.network import Array, Network
from analysis.network.mcmc.chains import CHAINS
from analysis.network.mcmc.convergence import CRITERIA, psrf_by_iteration
from analysis.network.mcmc.data import Observations, Structure, chain_data
from analysis.network.mcmc.posterior import Length, McmcPosterior, sample
from analysis.network.mcmc.remarks import remarks
from analysis.network.model import predictors
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.likelihood import consistency
from analysis.network.model.posterior import shares_of
from analysis.network.model.rows import Design, block_rows
from analysis.network.model.specification import Specification
from analysis.network.protocol import (
    Diagnostic,
    LeftOut,
    NamedEffects,
    Shares,
    SplitSummary,
    Statistic,
    Unrelated,
)
from analysis.network.sampled import WITHOUT, SampledFit, summary
from evidence.system.progress import counted

if TYPE_CHECKING:
    import pandas as pd

WITHOUT_CLASSES = "the classes of treatments are left out of the model without consistency"
"""Remark on unrelated mean effects and node-splits of a class model."""
UNCONVERGED = "the chains did not converge"


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

    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity; None with common effects or without a limit."""
        return self.posteriors[model].tau_density(self.specification.prior.upper)

    def coefficients(self) -> pd.DataFrame:
        """Tabulate the slopes of a meta-regression, as `analysis.network.exact.ExactFit.coefficients`."""
        found: dict[str, NamedEffects] = {}
        if (regression := self.specification.regression) is not None:
            treatment, subgroup = regression.slopes(self.network.treatments)
            for model, posterior in self.posteriors.items():
                slopes = summary(posterior.draws, posterior.coefficients[:, -len(treatment) :])
                found[model] = NamedEffects(treatment, subgroup, ["slope"] * len(treatment), slopes)
        return tables.coefficients(self, found)

    def class_effects(self) -> pd.DataFrame:
        """Tabulate the mean effects of classes against the reference, and the spread within them.

        Returns
        -------
        DataFrame
            Columns of ``estimates``, a row for each class; `level` is the class.
        """
        names = sorted(set(self.structure.classes.values()))
        treatment = [*(f"class {name}" for name in names), "spread within classes"]
        level = [*names, "standard deviation"]
        found = {}
        for model, posterior in self.posteriors.items():
            chains = posterior.chains.draws
            if "class_mean" not in chains:
                continue
            means = chains["class_mean"].reshape(-1, len(names))
            values = np.column_stack([means, chains["class_sd"].ravel()])
            effects = summary(posterior.draws, values)
            # A spread is not above or below zero.
            effects = replace(effects, p_value=np.append(effects.p_value[:-1], nan))
            found[model] = NamedEffects(treatment, ["class"] * len(level), level, effects)
        return tables.coefficients(self, found)

    # --- study by study -------------------------------------------------------------------------------------

    def _again(self, model: str, design: Design | None = None, include: Array | None = None) -> McmcPosterior:
        """Sample another design, or some of the studies, for as long as the chains of the fit were."""
        kept = self.posteriors[model].kept
        length = replace(self.length, draws=kept, tune=max(self.length.tune, kept), max_draws=kept)
        used = self.data.design(self.specification) if design is None else design
        structure = self.structure if design is None else replace(self.structure, classes={})
        data = chain_data(self.data, used, self.specification, structure, model)
        return sample(data if include is None else data.with_arrays(include=include), length, used)

    def left_out(self, treatment: Array, versus: Array) -> Iterator[tuple[str, LeftOut]]:
        """Sample without each study; nothing is compiled anew."""
        number, _ = study_numbers(self.network)
        apart = cut_off(self.network)
        for model in self.models:
            studies = np.unique(number[self.data.study])
            for study in counted(studies, len(studies), "leaving out studies"):
                posterior = self._again(model, include=(number[self.data.study] != study).astype(float))
                found = summary(posterior.draws, posterior.draws.difference(treatment, versus))
                lost = self.driven_pairs(found.std_error) | separated(apart, study, treatment, versus)
                tau = posterior.tau()
                note = None if posterior.converged else UNCONVERGED
                notes = np.full(len(treatment), note, dtype=object)
                one = LeftOut.one(study, found, 0.0 if tau is None else tau.median, notes)
                yield model, one.lacking(lost[None], WITHOUT)

    def shares(self, model: str, treatment: Array, versus: Array) -> Shares:
        """Divide the precision of estimates among the comparisons within studies.

        As the exact engine does for normal effects, with heterogeneity at its posterior median.
        """
        tau = self.tau(model)
        known = replace(
            self.specification, tau=None if tau is None else tau.median, regression=None, baseline=None
        )
        return shares_of(known.posterior(block_rows(self.network), model), treatment, versus)

    # --- inconsistency --------------------------------------------------------------------------------------

    def agreement(self) -> Iterator[tuple[str, Unrelated]]:
        """Compare with the unrelated mean effects model, by DIC and heterogeneity."""
        design, pairs = predictors.unrelated_mean_effects(self.data.blocks, self.specification.effect_sd)
        for model, own in self.posteriors.items():
            posterior = self._again(model, design)
            dic = [sum(part.sum() for part in one.deviance(self.data.likelihood)) for one in (own, posterior)]
            text, difference = against_unrelated(
                self.sources[model], dic[0], dic[1], (own.tau(), posterior.tau())
            )
            if self.structure.classes:
                text += f"; {WITHOUT_CLASSES}"
            if not posterior.converged:
                text += "; the chains of the model without consistency did not converge"
            yield model, self.unrelated_of(pairs, posterior, text, difference)

    def split_comparisons(self, model: str) -> Iterator[SplitSummary]:
        """Split every comparison that has independent indirect evidence; they share one compilation."""
        effect_sd = self.specification.effect_sd
        base = consistency(self.data.blocks, len(self.network.treatments), effect_sd)

        def split(a: int, b: int, note: str | None) -> SplitSummary:
            posterior = self._again(model, predictors.split(base, self.data.blocks, (a, b), effect_sd))
            said = [note] if note else []
            said += [WITHOUT_CLASSES] if self.structure.classes else []
            said += [] if posterior.converged else [UNCONVERGED]
            return self.split_of(a, b, posterior, "; ".join(said) or None)

        return self.split_each(model, split)

    # --- fit and computation --------------------------------------------------------------------------------

    def statistics(self, model: str) -> Iterator[Statistic]:
        """Give deviance and DIC, in all and by study.

        Dbar is the posterior mean residual deviance, pD Dbar less the deviance at the posterior mean of the
        fitted values, as WinBUGS, JAGS and gemtc have them; for contrasts with flat baselines gemtc's, by
        arms, are larger by the number of studies each.
        """
        posterior = self.posteriors[model]
        number, studies = study_numbers(self.network)
        deviance, leverage = posterior.deviance(self.data.likelihood)
        dbar, pd_ = float(deviance.sum()), float(leverage.sum())
        kind = "contrasts" if self.data.rows else "arms"
        compare = f"posterior mean residual deviance; compare with {len(deviance)} {kind}"
        yield Statistic("Dbar", dbar, compare)
        yield Statistic("pD", pd_, "Dbar less the deviance at the posterior mean fitted values")
        yield Statistic("DIC", dbar + pd_)
        yield from self.shared_statistics(model)
        owner = number[self.data.study][posterior.data.arrays["study"]]
        own = {"deviance": deviance, "leverage": leverage, "data_points": np.ones(len(deviance))}
        for quantity, values in own.items():
            total = np.bincount(owner, weights=values)
            for s in np.unique(owner):
                yield Statistic(quantity, float(total[s]), study=studies[s])

    def _names(self) -> dict[str, str]:
        """Map the parameters of `Diagnosis` to printed names."""
        net, r = self.network, self.specification.regression
        names = {f"coefficient {i}": f"{t} against {net.reference}" for i, t in enumerate(net.treatments[1:])}
        if r is not None:
            who = list(net.treatments[1:]) if r.by_treatment else [""]
            slopes = [f"slope of {name} {t}".strip() for name in r.names for t in who]
            names |= {f"coefficient {len(net.treatments) - 1 + i}": text for i, text in enumerate(slopes)}
        return names

    def diagnosed(self, model: str) -> Iterator[Diagnostic]:
        """Give R-hat, effective sample sizes, Monte Carlo errors and divergences.

        First how the chains ran, then every parameter.
        """
        posterior = self.posteriors[model]
        state = "converged" if posterior.converged else "did NOT converge"
        seed = self.length.seed + posterior.rounds - 1
        yield Diagnostic(
            "chains",
            rhat=max(one.rhat for one in posterior.diagnosis),
            ess_bulk=min(one.ess_bulk for one in posterior.diagnosis),
            ess_tail=min(one.ess_tail for one in posterior.diagnosis),
            divergences=posterior.chains.divergences,
            note=f"{state}: {CRITERIA[self.length.criterion]}; {CHAINS} chains of {posterior.kept} kept "
            f"iterations, seed {seed}, {posterior.chains.sampler}",
        )
        names = self._names()
        for one in posterior.diagnosis:
            name = names.get(one.parameter, one.parameter)
            yield Diagnostic(name, one.rhat, one.ess_bulk, one.ess_tail, one.mcse)

    def scale_reduction(self, model: str) -> Iterator[tuple[str, Array, Array, Array]]:
        """Follow the potential scale reduction factor of every parameter as the chains grow."""
        names, chains = self._names(), self.posteriors[model].chains.draws
        coefficients = np.moveaxis(chains["coefficients"], 2, 0)
        followed = {f"coefficient {i}": values for i, values in enumerate(coefficients)}
        if "tau" in chains:
            followed["tau"] = chains["tau"]
        for parameter, values in followed.items():
            yield names.get(parameter, parameter), *psrf_by_iteration(values)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: likelihood, priors, what they drive, and whether the chains converged."""
        return remarks(self)
