"""What fits made of draws have in common, whether the draws are weighted or come from Markov chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.network import Array, Network
from analysis.network.model import priors
from analysis.network.model.draws import Draws
from analysis.network.model.specification import (
    Specification,
    bound_remark,
    effect_scale,
    refuse_absurd,
    unit_of,
)
from analysis.network.result import NetworkFit, Pair
from analysis.results import frame
from evidence.errors import CallError

if TYPE_CHECKING:
    import pandas as pd

DRIVEN = 0.25
"""An effect with a posterior sd above this share of a vague prior's is driven by it and gets no number."""
VAGUE_LOG_RATIO = 5.0
"""A prior standard deviation of log ratios above this is vague: it allows ratios beyond 10,000."""
INTERVAL = (0.025, 0.975)


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


@dataclass(frozen=True)
class TauSummary:
    """Posterior of the heterogeneity in numbers."""

    mean: float
    sd: float
    median: float
    lower: float
    upper: float


class SampledFit(NetworkFit):
    """A fit whose tables are summaries of draws.

    Estimates are posterior means with posterior standard deviations; intervals are 95 % equal-tailed credible
    intervals; `p_value` is twice the smaller posterior probability of an effect on either side of zero. Where
    the data hardly determine an effect (see `undetermined`) the tables
    hold no number, and the notes say what is driven by the prior.

    Attributes
    ----------
    specification : Specification
    draws : dict of str to Draws
        By model.
    """

    specification: Specification
    draws: Mapping[str, Draws]

    def tau(self, model: str) -> TauSummary | None:
        """Posterior of the heterogeneity; None with common effects."""
        raise NotImplementedError

    def tau_density(self, model: str) -> Callable[[float], float] | None:
        """Posterior density of the heterogeneity; None with common effects."""
        raise NotImplementedError

    # --- effects --------------------------------------------------------------------------------------------

    def relative_effects(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Estimate the effects of some treatments against others, from the whole network.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            In the direction wanted; without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``estimates``; pi_lower and pi_upper predict the effect in a new study.

        Raises
        ------
        CallError
            If a treatment is not in the network.
        """
        import pandas as pd

        treatment, versus = self.pair_indices(pairs)
        parts = []
        for model, draws in self.draws.items():
            values = draws.difference(treatment, versus)
            columns = summary(draws, values)
            if model == "random":
                limits = draws.quantile(draws.difference(treatment, versus, predictive=True), INTERVAL)
                columns |= {"pi_lower": limits[:, 0], "pi_upper": limits[:, 1]}
            driven = self._driven_pairs(columns["std_error"])
            columns = {name: np.where(driven, nan, value) for name, value in columns.items()}
            parts.append(self.estimate_rows(model, treatment, versus, evidence="network", **columns))
        return pd.concat(parts, ignore_index=True)

    def _driven_pairs(self, sd: Array) -> Array:
        return ~(sd <= undetermined(self.network, self.specification.effect_sd))

    def driven(self, model: str) -> list[str]:
        """Treatments whose effect against the reference the data hardly determine."""
        t = np.arange(1, len(self.network.treatments))
        draws = self.draws[model]
        sd = draws.sd(draws.difference(t, np.zeros_like(t)))
        return [self.network.treatments[i] for i in t[self._driven_pairs(sd)]]

    def heterogeneity(self) -> pd.DataFrame:
        """Tabulate tau: posterior median and 95 % credible interval.

        Returns
        -------
        DataFrame
            Columns of ``heterogeneity``; tau2 and its limits are the squares of those of tau.
        """
        rows = []
        for model in self.models:
            about = {"engine": self.engine, "model": model}
            if (tau := self.tau(model)) is None:
                rows.append({**about, "method": "common effect", "tau": 0.0, "tau2": 0.0})
                continue
            prior = self.specification.prior.describe(unit_of(self.network))
            rows.append(
                {
                    **about,
                    "method": f"posterior median, {prior}",
                    "tau": tau.median,
                    "tau_lower": tau.lower,
                    "tau_upper": tau.upper,
                    "tau2": tau.median**2,
                    "tau2_lower": tau.lower**2,
                    "tau2_upper": tau.upper**2,
                }
            )
        return frame("heterogeneity", rows)

    # --- ranks ----------------------------------------------------------------------------------------------

    @cached_property
    def _ranked(self) -> dict[str, tuple[Array, Draws]]:
        """Treatments whose effects are determined, and their draws, by model."""
        found = {}
        for model, draws in self.draws.items():
            driven = self.driven(model)
            kept = np.array([t for t, name in enumerate(self.network.treatments) if name not in driven])
            found[model] = (
                kept,
                Draws(draws.weight, draws.effects[:, kept], draws.tau, draws.noise),
            )
        return found

    def ranking(self) -> pd.DataFrame:
        """Rank the treatments by SUCRA, mean rank and the probability of being best.

        Returns
        -------
        DataFrame
            Columns of ``ranking``, the best first; the P-score of a posterior is its SUCRA. Treatments whose
            effect is driven by the prior are not ranked. Empty without a direction of benefit.
        """
        import pandas as pd

        sign = ranking.benefit(self.network)
        parts = [frame("ranking")]
        for model, (kept, draws) in self._ranked.items() if sign is not None and self._ranked else ():
            n = len(kept)
            if n < 2:
                continue
            versus, treatment = np.triu_indices(n, 1)
            above = draws.probability_above(draws.difference(treatment, versus))
            better = ranking.pair_matrix(n, treatment, versus, above if sign == 1.0 else 1.0 - above)
            score = ranking.sucra(better)
            best_first = ranking.best_first(score)
            ranks = draws.rank_probabilities(bool(self.network.lower_is_better))
            parts.append(
                frame(
                    "ranking",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": np.array(self.network.treatments, dtype=object)[kept[best_first]],
                        "mean_rank": ranking.mean_rank(score)[best_first],
                        "sucra": score[best_first],
                        "p_score": score[best_first],
                        "p_best": ranks[best_first, 0],
                    },
                )
            )
        return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]

    def rank_probabilities(self) -> pd.DataFrame:
        """Tabulate the probability of every rank with its Monte Carlo error.

        Returns
        -------
        DataFrame
            Columns of ``rank_probabilities``; empty without a direction of benefit.
        """
        import pandas as pd

        if ranking.benefit(self.network) is None:
            return frame("rank_probabilities")
        parts = []
        for model, (kept, draws) in self._ranked.items():
            n = len(kept)
            probability = draws.rank_probabilities(bool(self.network.lower_is_better)).ravel()
            parts.append(
                frame(
                    "rank_probabilities",
                    {
                        "engine": self.engine,
                        "model": model,
                        "treatment": np.repeat(np.array(self.network.treatments, dtype=object)[kept], n),
                        "rank": np.tile(np.arange(1, n + 1), n),
                        "probability": probability,
                        "std_error": ranking.sampling_error(probability, int(self.effective(model))),
                    },
                )
            )
        return pd.concat(parts, ignore_index=True)

    def effective(self, model: str) -> float:
        """Effective number of draws."""
        return self.draws[model].effective

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        for model, (kept, draws) in self._ranked.items():
            treatment, versus = np.nonzero(~np.eye(len(kept), dtype=bool))
            index = np.arange(len(self.network.treatments))[kept]
            better = draws.probability_above(sign * draws.difference(treatment, versus), margin)
            yield model, index[treatment], index[versus], better

    # --- notes ----------------------------------------------------------------------------------------------

    def prior_remarks(self, more: str = "") -> list[tuple[str, str]]:
        """Say the priors in words, as a warning where defaults were taken, and what they drive."""
        spec, net = self.specification, self.network
        stated = spec.describe(net, self.models[-1]) + more
        if spec.assumed:
            largest = f"{effect_scale(net):.4g} {unit_of(net)}".strip()
            found = [
                (
                    "warning",
                    f"Default priors were used for {' and '.join(spec.assumed)}, scaled as in gemtc to the "
                    f"largest effect of any study, {largest}: {stated}. State your own with tau_prior and "
                    "effect_prior_sd.",
                )
            ]
        else:
            found = [("info", f"Priors: {stated}.")]
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


def summary(draws: Draws, values: Array) -> dict[str, Array]:
    """Summarise the columns of values: mean, sd, interval, two-sided tail probability."""
    limits = draws.quantile(values, INTERVAL)
    above, below = draws.probability_above(values), draws.probability_above(-values)
    return {
        "estimate": draws.mean(values),
        "std_error": draws.sd(values),
        "ci_lower": limits[:, 0],
        "ci_upper": limits[:, 1],
        "p_value": np.minimum(2.0 * np.minimum(above, below), 1.0),
    }


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


def unrelated_rows(
    engine: str,
    net: Network,
    model: str,
    pairs: Array,
    draws: Draws,
    whole: Mapping[str, Any],
    effect_sd: float,
) -> list[dict[str, Any]]:
    """Rows of ``inconsistency`` for unrelated mean effects: the whole network, then every comparison."""
    about = {"engine": engine, "model": model, "method": "unrelated mean effects"}
    mean, sd = draws.mean(draws.effects), draws.sd(draws.effects)
    rows: list[dict[str, Any]] = [{**about, "component": "network", **whole}]
    for i, (versus, treatment) in enumerate(pairs):
        row = {**about, "treatment": net.treatments[treatment], "versus": net.treatments[versus]}
        if sd[i] <= undetermined(net, effect_sd):
            row |= {"direct": mean[i], "direct_std_error": sd[i]}
        else:
            row["note"] = "driven by the prior: the data do not determine this effect"
        rows.append(row)
    return rows


def split_row(columns: Mapping[str, Array]) -> dict[str, float]:
    """Cells of a node-split from summaries of direct, indirect and difference."""
    mean, sd = columns["estimate"].tolist(), columns["std_error"].tolist()
    return {
        "direct": mean[0],
        "direct_std_error": sd[0],
        "indirect": mean[1],
        "indirect_std_error": sd[1],
        "difference": mean[2],
        "difference_std_error": sd[2],
        "ci_lower": float(columns["ci_lower"][2]),
        "ci_upper": float(columns["ci_upper"][2]),
        "p_value": float(columns["p_value"][2]),
    }
