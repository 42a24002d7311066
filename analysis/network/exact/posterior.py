"""The exact posterior of a network under each model, and what follows from it by algebra."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isinf, nan
from typing import Self

import numpy as np

from analysis.network import ranking
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.data.network import Array, Network
from analysis.network.exact.influence import Influence
from analysis.network.exact.splitting import Split, node_split
from analysis.network.model import predictors
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior
from analysis.network.model.rows import BlockRows, DesignRows
from analysis.network.model.specification import Specification
from analysis.network.result import NetworkFit
from evidence.errors import RefusedError
from evidence.system.memory import FEWER, refuse_without_room


@dataclass(frozen=True, eq=False)
class ExactPosterior(NetworkFit):
    """What every table of an exact fit is made of, computed when it is first asked for.

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
        return posterior.effects(contrasts_of(posterior, treatment, versus), predictive=predictive)

    # --- ranks --------------------------------------------------------------------------------------------

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

    # --- study by study -----------------------------------------------------------------------------------

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

    def under(
        self,
        specification: Specification,
        models: tuple[str, ...],
        net: Network | None = None,
        blocks: tuple[BlockRows, ...] | None = None,
    ) -> Self:
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
        ExactPosterior
        """
        data = self.blocks if blocks is None else blocks
        return replace(
            self,
            network=net or self.network,
            models=models,
            specification=specification,
            blocks=data,
            posteriors={model: specification.posterior(data, model) for model in models},
        )

    # --- inconsistency ------------------------------------------------------------------------------------

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

    @cached_property
    def unrelated_mean_effects(self) -> tuple[Array, dict[str, Posterior]]:
        """Pairs (versus, treatment), (p, 2), and the posteriors of their own effects by model."""
        design, pairs = predictors.unrelated_mean_effects(self.blocks, self.specification.effect_sd)
        rows = DesignRows(self.blocks, design)
        return pairs, {model: self.specification.integrated(rows, model) for model in self.models}


def contrasts_of(posterior: Posterior, treatment: Array, versus: Array) -> Array:
    """Express the effects of pairs of treatments in the coefficients of a posterior, (m, p)."""
    treatments = posterior.rows.design.treatments
    assert treatments is not None
    p, nodes = treatments.shape[1], posterior.n_nodes
    # First both rows of coefficients and their difference; then that, and means, spreads, what a tail takes.
    refuse_without_room(
        8 * len(treatment) * max(3 * p, p + 5 * nodes),
        f"The posterior of {len(treatment):,} effects with {p:,} coefficients at {nodes} values of tau",
        f"Take the engine frequentist. {FEWER}",
    )
    return treatments[treatment] - treatments[versus]
