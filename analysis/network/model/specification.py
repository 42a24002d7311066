"""What an exact fit assumes: priors, covariates, baselines, and the words to say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isinf

import numpy as np

from analysis.network.data.graph import comparisons, components
from analysis.network.data.network import Array, Network
from analysis.network.model import predictors
from analysis.network.model.posterior import Posterior, fixed, integrate, moments_of_tau
from analysis.network.model.priors import Prior, piled
from analysis.network.model.rows import BlockRows, DesignRows, arm_rows, block_rows
from analysis.proportion import FURTHEST, refuse_beyond
from evidence import facts
from evidence.errors import CallError, Problem, RefusedError


def effect_scale(net: Network) -> float:
    """Find the largest effect observed in any study, the scale of gemtc's default priors (its ``om.scale``).

    Parameters
    ----------
    net : Network

    Returns
    -------
    float
        Over all pairs of arms, in the outcome's unit; the largest standard error where all effects are 0.
    """
    pairs = comparisons(net)
    largest = float(np.max(np.abs(pairs.estimate)))
    return largest if largest > 0 else float(np.sqrt(np.max(pairs.variance)))


def unit_of(net: Network) -> str:
    """Name the unit of effects and tau on the analysis scale."""
    return facts.measure(net.measure).unit_of_analysis(net.unit)


PILED = 0.1
"""A posterior density of tau at the prior's limit above this share of its maximum is cut off by the prior."""


def refuse_absurd(net: Network, **widths: float | Prior | None) -> None:
    """Refuse priors and settings whose size has nothing to do with the data, before arithmetic overflows.

    Parameters
    ----------
    net : Network
    **widths : float, Prior or None
        Standard deviations and priors of them, by the name of the option. Of a prior its reach counts;
        infinity is a flat prior, 0 and None are nothing to check.

    Raises
    ------
    CallError
        With what is out of proportion to what.
    """
    scale = effect_scale(net)
    for name, value in widths.items():
        prior = value if isinstance(value, Prior) else None
        width = prior.reach if prior is not None else value
        if not isinstance(width, float) or (prior is None and (width == 0 or isinf(width))):
            continue
        # Nine widths of a logarithm reach far, and harm nothing.
        furthest = 1e100 if prior is not None and prior.logarithmic else FURTHEST
        stated = f"{width:g}" if prior is None else f"{prior}, which reaches to {width:g}"
        refuse_beyond(f"{name} = {stated}", width, scale, unit_of(net), furthest)


def bound_remark(net: Network, prior: Prior, density: Callable[[float], float]) -> str | None:
    """Say that the upper limit of the prior cuts the posterior of tau off, where it does.

    Parameters
    ----------
    net : Network
    prior : Prior
        Of tau.
    density : callable
        Posterior density of tau.

    Returns
    -------
    str or None
    """
    share = piled(prior, density)
    if share <= PILED:
        return None
    limit = f"{prior.upper:.4g} {unit_of(net)}".strip()
    return (
        f"the posterior of tau is cut off by the upper limit of its prior, {limit}: its density there is "
        f"{share:.0%} of its maximum. A wider prior gives wider intervals; state one with tau_prior, such as "
        f"uniform(0, {5 * prior.upper:.4g})."
    )


def refuse_disconnected(net: Network) -> None:
    """Refuse a network that falls apart, listing its parts.

    Raises
    ------
    RefusedError
    """
    pairs = comparisons(net)
    part = components(len(net.treatments), np.column_stack([pairs.first, pairs.second]))
    if part.any():
        listed = [
            ", ".join(net.treatments[t] for t in np.flatnonzero(part == p)) for p in range(part.max() + 1)
        ]
        raise RefusedError(
            f"The network is not connected: no study links {' | '.join(listed)}. Analyse one part at a time."
        )


def rotated_data(net: Network, baseline: tuple[float, float] | None) -> tuple[BlockRows, ...]:
    """Rotate a network's contrasts or, with a prior of the baselines, its arm means.

    Parameters
    ----------
    net : Network
    baseline : (float, float) or None
        Mean and standard deviation of the prior of every study's mean in its base arm.

    Returns
    -------
    tuple of BlockRows

    Raises
    ------
    CallError
        If the prior is no normal distribution, or so wide that flat baselines are the better way to say it.
    RefusedError
        If there is a prior of the baselines but no arm means.
    """
    if baseline is None:
        return block_rows(net)
    mean, sd = baseline
    if not (isfinite(mean) and 0 < sd < inf):
        raise CallError(f"baseline_prior is {baseline}; it takes a mean and a standard deviation above 0.")
    blocks = []
    for arms in net.arms or (None,):
        if arms is None or arms.mean is None or arms.se is None:
            raise RefusedError(
                "A prior of the baselines needs means and standard errors of arms, which these data do not "
                "have. Leave baseline_prior out: baselines are then flat."
            )
        if sd > 1e4 * float(arms.se.min()):
            raise CallError(
                f"A baseline prior with standard deviation {sd:g} loses digits beside a standard error of "
                f"{arms.se.min():g}. Leave baseline_prior out: baselines are then flat, which is its limit."
            )
        blocks.append(arm_rows(arms, mean, sd, [net.study_label(int(i)) for i in arms.study]))
    return tuple(blocks)


@dataclass(frozen=True)
class Regression:
    """Treatment-by-covariate interactions.

    Attributes
    ----------
    names : tuple of str
        One per column: the covariate, or ``covariate = level`` for text.
    values : (u, c) array
        Centred covariates of each unit of randomisation.
    centre : (c,) array
        What was subtracted; 0 for levels.
    by_treatment : bool
        A slope for every treatment instead of a common one.
    slope_sd : (c,) array
        Prior standard deviations.
    """

    names: tuple[str, ...]
    values: Array
    centre: Array
    by_treatment: bool
    slope_sd: Array

    @classmethod
    def of(
        cls,
        net: Network,
        covariates: Sequence[str],
        *,
        by_treatment: bool,
        effect_sd: float,
        centre: Mapping[str, float],
        slope_sd: Mapping[str, float],
    ) -> Regression:
        """Read covariates from the network.

        Numbers are centred at their mean over the units, unless `centre` says where; text becomes an
        indicator of every level but the most frequent. A slope's prior standard deviation is that of the
        effects over the covariate's standard deviation, unless `slope_sd` says otherwise.

        Raises
        ------
        CallError
            If the network has no such covariate.
        RefusedError
            If a covariate is missing for a study or does not vary.
        """
        import pandas as pd

        table = pd.DataFrame() if net.covariates is None else net.covariates
        known = [str(c) for c in table.columns if c not in ("study", "experiment")]
        if unknown := [c for c in covariates if c not in known]:
            raise CallError(
                f"The network has no covariate {', '.join(unknown)}; "
                f"it was read with {', '.join(known) or 'none'}."
            )
        used = np.unique(np.concatenate([block.study for block in net.blocks]))
        remedy = "fill it in, or leave the study out"
        problems = [
            Problem("the covariate is missing", remedy, column=c, study=net.study_label(int(i)))
            for c in covariates
            for i in used
            if pd.isna(table[c].iloc[i])
        ]
        if problems:
            raise RefusedError("Meta-regression needs every covariate of every study.", problems)
        names: list[str] = []
        columns: list[Array] = []
        centres: list[float] = []
        sds: list[float] = []
        for c in covariates:
            if pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c]):
                x = np.nan_to_num(table[c].to_numpy(dtype=float))
                middle = float(centre.get(c, x[used].mean()))
                found = [(c, x - middle, middle)]
            else:
                text = table[c].astype(str)
                # The most frequent is the one compared with; of equally frequent ones the first name.
                often = Counter(text.iloc[used])
                levels = sorted(often, key=lambda level: (-often[level], level))[1:]
                found = [(f"{c} = {level}", (text == level).to_numpy(dtype=float), 0.0) for level in levels]
            if not found or any(np.ptp(x[used]) == 0 for _, x, _ in found):
                raise RefusedError(f"The covariate {c} is the same in every study: it explains nothing.")
            for name, x, middle in found:
                names.append(name)
                columns.append(x)
                centres.append(middle)
                sds.append(float(slope_sd.get(c, effect_sd / x[used].std())))
        return cls(tuple(names), np.column_stack(columns), np.array(centres), by_treatment, np.array(sds))

    def slopes(self, treatments: Sequence[str]) -> tuple[list[str], list[str]]:
        """Name whose effect each slope changes, and its covariate, in the order of the coefficients."""
        who = list(treatments[1:]) if self.by_treatment else ["every other treatment"]
        return who * len(self.names), [name for name in self.names for _ in who]

    def describe(self, covariates: Sequence[str], net: Network) -> str:
        """Say what the effects are regressed on."""
        kind = "one for each treatment" if self.by_treatment else "shared by all treatments"
        about = f"Meta-regression on {', '.join(covariates)}; slopes against {net.reference}, {kind}."
        return f"{about} Effects are those at the centre."


@dataclass(frozen=True)
class Specification:
    """Everything about a model but the data, so that it can be fitted to other data too.

    Attributes
    ----------
    n_treatments : int
    prior : Prior
        Of tau.
    effect_sd : float
        Prior standard deviation of the effects against the reference.
    tau : float or None
        Heterogeneity of the random-effects model where it is taken as known.
    regression : Regression or None
    nodes : int
        Quadrature nodes to begin with.
    baseline : (float, float) or None
        Prior of the baselines.
    assumed : tuple of str
        What was left to default priors: tau, effects.
    """

    n_treatments: int
    prior: Prior
    effect_sd: float
    tau: float | None = None
    regression: Regression | None = None
    nodes: int = 64
    baseline: tuple[float, float] | None = None
    assumed: tuple[str, ...] = ()

    def posterior(self, blocks: Sequence[BlockRows], model: str) -> Posterior:
        """Fit the consistency (or regression) model to some data, with common or random effects."""
        return self.integrated(self.rows(blocks), model)

    def rows(self, blocks: Sequence[BlockRows]) -> DesignRows:
        """Put some data under the design of the consistency (or regression) model."""
        design = predictors.consistency(blocks, self.n_treatments, self.effect_sd)
        if (r := self.regression) is not None:
            design = predictors.regression(design, blocks, r.values, r.by_treatment, r.slope_sd)
        return DesignRows(blocks, design)

    def integrated(self, rows: DesignRows, model: str) -> Posterior:
        """Fit rows of any design.

        Raises
        ------
        RefusedError
            If flat priors leave something undetermined.
        """
        try:
            if model == "common":
                return fixed(rows, 0.0)
            if self.tau is not None:
                return fixed(rows, self.tau)
            if isinf(self.effect_sd) and moments_of_tau(rows, self.prior) < 2:
                raise RefusedError(
                    f"With flat priors of the effects and {self.prior}, so few data leave the effects "
                    "without a standard deviation. Give a finite effect_prior_sd, or cut the prior of tau "
                    "off with T(, upper)."
                )
            return integrate(rows, self.prior, self.nodes)
        except np.linalg.LinAlgError:
            raise RefusedError(
                "The data and the priors together do not determine all effects. Give the effects a proper "
                "prior: a finite effect_prior_sd."
            ) from None

    def describe(self, net: Network, model: str) -> str:
        """Put the priors of one model into words, with their unit."""
        unit = unit_of(net)
        effects = f"each effect against {net.reference} ~ normal(0, {self.effect_sd:.4g}^2) {unit}".strip()
        if isinf(self.effect_sd):
            effects = "flat priors of the effects"
        if model == "common":
            return effects
        if self.tau is not None:
            return f"tau known to be {self.tau:.4g} {unit}; {effects}"
        return f"{self.prior.describe(unit)}; {effects}"

    def remark(self, net: Network, model: str, more: str = "") -> tuple[str, str]:
        """Say the priors in words, as a warning where defaults were taken."""
        stated = self.describe(net, model) + more
        if not self.assumed:
            return "info", f"Priors: {stated}."
        largest = f"{effect_scale(net):.4g} {unit_of(net)}".strip()
        return (
            "warning",
            f"Default priors were used for {' and '.join(self.assumed)}, scaled as in gemtc to the "
            f"largest effect of any study, {largest}: {stated}. State your own with tau_prior and "
            "effect_prior_sd.",
        )
