"""A fit: its tables, and the numbers that an engine owes them.

What `fit.estimates()` and the others give stands here, how a row looks in `analysis.network.tables`, where
the numbers come from in ``fitted.py`` of the engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import tables
from analysis.network.data.graph import shared_studies
from analysis.network.data.network import Array, Network
from analysis.network.funnel import comparison_adjusted, small_study_tests
from analysis.network.model.gls import Gls
from analysis.network.model.sources import Sources, sources
from analysis.network.protocol import (
    ByStudy,
    Diagnostic,
    Effects,
    LeftOut,
    QTest,
    Ranks,
    Response,
    SensitivityRow,
    Shares,
    SplitSummary,
    Statistic,
    TauEstimate,
    Unrelated,
)
from evidence import facts
from evidence.errors import CallError
from evidence.system.progress import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NetworkFit"]

Pair = tuple[str, str]


class NetworkFit(ABC):
    """A fitted network meta-analysis.

    Estimates are *treatment minus versus* on the analysis scale, logarithms for ratio measures; intervals
    are 95 % and equal-tailed. Tables hold one row per model unless they say otherwise.

    Attributes
    ----------
    engine : str
        Name of the engine.
    network : Network
        What was fitted.
    models : tuple of str
        common, random, or both.

    Examples
    --------
    >>> import evidence
    >>> from analysis import network
    >>> with evidence.open("smoking") as db:
    ...     net = network.load(db, outcome="cessation", measure="OR", reference="no_contact")
    >>> fit = network.fit(net, engine="frequentist", model="random")
    >>> print(fit.ranking()[["treatment", "mean_rank", "p_score"]].round(2).to_string(index=False))
         treatment  mean_rank  p_score
        no_contact       3.88     0.04
    grp_counseling       1.46     0.85
    ind_counseling       1.85     0.72
         self_help       2.81     0.40
    >>> found = fit.node_splits()
    >>> print(found[["treatment", "versus", "direct", "indirect"]].round(2).head(2).to_string(index=False))
         treatment     versus  direct  indirect
    grp_counseling no_contact    0.81      0.89
    ind_counseling no_contact    0.72      0.59
    >>> len(fit.league())
    12
    """

    engine: str
    network: Network
    models: tuple[str, ...]

    # --- tables ---------------------------------------------------------------------------------------------

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
        treatment, versus = self.pair_indices(pairs)
        return tables.effects(self, treatment, versus, lambda model: self.effects(model, treatment, versus))

    def estimates(self) -> pd.DataFrame:
        """Tabulate all pairs of treatments, and what direct and indirect estimates the engine has.

        Returns
        -------
        DataFrame
            Columns of ``estimates``. Each pair stands once in `evidence` network, the reference always in
            `versus`; from the frequentist engine directly compared pairs stand again as direct and, where the
            network holds more than that, indirect.
        """
        return tables.estimates(self)

    def heterogeneity(self) -> pd.DataFrame:
        """Tabulate tau and its interval; I2, H2 and Q where the engine has them.

        Returns
        -------
        DataFrame
            Columns of ``heterogeneity``.
        """
        return tables.heterogeneity(self)

    def ranking(self) -> pd.DataFrame:
        """Rank the treatments by SUCRA, mean rank and the probability of being best.

        Returns
        -------
        DataFrame
            Columns of ``ranking``; the P-score is the SUCRA of the estimates' distribution, so both columns
            hold the same number. Treatments whose effect is driven by the prior are not ranked. Empty without
            a direction of benefit.
        """
        return tables.ranking(self)

    def rank_probabilities(self) -> pd.DataFrame:
        """Tabulate the probability of every rank for every treatment, with its Monte Carlo error.

        Returns
        -------
        DataFrame
            Columns of ``rank_probabilities``; empty without a direction of benefit.
        """
        return tables.rank_probabilities(self)

    def superiority(self, margin: float | None = None) -> pd.DataFrame:
        """Tabulate how likely one treatment is better than another by at least a margin.

        The mean over comparators is the P-score, or SUCRA, for a clinically important value (Mavridis et al.
        2020, doi:10.1002/jrsm.1381).

        Parameters
        ----------
        margin : float, optional
            On the analysis scale, 0 or more; the outcome's smallest important difference without it.

        Returns
        -------
        DataFrame
            model, treatment, versus, margin, probability: every ordered pair of ranked treatments; empty
            without a direction of benefit.

        Raises
        ------
        CallError
            If there is no margin.
        """
        margin = self.network.smallest_important_difference if margin is None else margin
        if margin is None or not margin >= 0:
            raise CallError(
                "How much better? Give a margin of 0 or more, or smallest_important_difference in "
                "outcomes.csv."
            )
        return tables.superiority(self, margin)

    def league(self, model: str | None = None) -> pd.DataFrame:
        """Make the league table, the best treatment first.

        Parameters
        ----------
        model : str, optional
            common or random; without it, random where it was fitted.

        Returns
        -------
        DataFrame
            See `analysis.network.tables.league`. Where the treatments are not ranked (no direction of
            benefit, or a heterogeneity that cannot be estimated), the order is the network's.

        Raises
        ------
        CallError
            If the model was not fitted.
        """
        return tables.league(self, self.chosen_model(model))

    def inconsistency(self) -> pd.DataFrame:
        """Assess whether the studies agree with each other, beyond chance and heterogeneity.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency``. Frequentist: Cochran's Q decomposed, the designs tested against each
            other and detached one by one (see `analysis.network.model.inconsistency.decomposition`).
            Bayesian: the unrelated mean effects model, in which every comparison has an effect of its own. A
            row without treatments sets DIC and heterogeneity of the two models against each other; the others
            hold, as `direct`, each comparison's own effect. In multi-arm studies that model depends on the
            base arm: the reference where the study has it, else the first in the order of treatments.
        """
        return tables.inconsistency(self)

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
        return tables.node_splits(self, "node-split", self.split_comparisons)

    def leave_one_out(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Leave every study out in turn, all its experiments together; priors stay as they are.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``leave_one_out``; tau is estimated anew, a posterior's is its median. Where the data
            without the study do not determine an effect there is no number but a note.
        """
        return tables.leave_one_out(self, *self.pair_indices(pairs))

    def weights(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Tabulate the share of every comparison of every study in the precision of estimates.

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
        treatment, versus = self.pair_indices(pairs)
        return tables.weights(self, treatment, versus, lambda model: self.shares(model, treatment, versus))

    def funnel(self, order: Sequence[str], model: str | None = None) -> pd.DataFrame:
        """Give the points of the comparison-adjusted funnel.

        Parameters
        ----------
        order : sequence of str
            All treatments: see `analysis.network.funnel.comparison_adjusted`.
        model : str, optional

        Returns
        -------
        DataFrame
            See `analysis.network.tables.funnel`.

        Raises
        ------
        CallError
            If the order is not one of all treatments.
        """
        tau2 = self.between(self.chosen_model(model))
        return tables.funnel(self.network, comparison_adjusted(self.network, tau2, order))

    def small_study_effects(
        self,
        order: Sequence[str],
        model: str | None = None,
        *,
        predictor: str | None = None,
        anyway: bool = False,
    ) -> pd.DataFrame:
        """Test the comparison-adjusted funnel for asymmetry, by the rules of a pairwise meta-analysis.

        Parameters
        ----------
        order : sequence of str
            All treatments; see `analysis.network.funnel.comparison_adjusted`.
        model : str, optional
        predictor : {"se", "sqrt(1/n1+1/n2)"}, optional
            Of Egger's regression. Without it se, or sqrt(1/n1+1/n2) for a measure whose standard error
            depends on the effect (Pustejovsky and Rodgers 2019).
        anyway : bool
            Carry out what does not hold (below ten comparisons; Begg's test of a measure whose standard error
            depends on the effect), with a note.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity``: Egger's regression and Begg's rank test. They take the comparisons of
            a multi-arm study as independent, and count comparisons that a single study makes, which are their
            own centre; a note says so. A test that does not hold has a row with the quantity ``refused``.

        Raises
        ------
        CallError
            If the order is not one of all treatments, or the predictor is not known.
        RefusedError
            If there are fewer than ten comparisons, all are equally precise, or the predictor needs numbers
            of participants that are not known.
        """
        model = self.chosen_model(model)
        points = comparison_adjusted(self.network, self.between(model), order)
        return tables.sensitivity(
            self,
            [
                SensitivityRow(
                    model,
                    f"comparison-adjusted funnel, {test.name}",
                    " > ".join(order),
                    quantity,
                    value,
                    "; ".join(test.notes),
                )
                for test in small_study_tests(self.network, points, predictor, anyway)
                for quantity, value in test.numbers.items()
            ],
        )

    def thresholds(self, decision: str = "best", **options: Any) -> pd.DataFrame:
        """Say how much each study's effect, and each comparison's, would have to change to change a decision.

        Parameters
        ----------
        decision : str
            best, top 2, important 0.5, or "A better than B by 0.5": see `analysis.firm.decision.Decision`.
        **options
            refit, plausible_bias: see `analysis.firm.threshold.thresholds`.

        Returns
        -------
        DataFrame
            Columns of ``thresholds``, the nearest first.

        Raises
        ------
        CallError
            If the engine's estimates are not linear in the studies' effects, or the decision is not known.
        RefusedError
            If the outcome does not say which direction is better.
        """
        from analysis.firm.threshold import thresholds

        return thresholds(self, decision, **options)

    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate measures of fit, of the whole and by study.

        Returns
        -------
        DataFrame
            Columns of ``fit``: quantity names the measure; where it needs a word, `note` has it.
        """
        return tables.fit_statistics(self)

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate how far the computation can be trusted; empty where there is no doubt.

        Returns
        -------
        DataFrame
            Columns of ``diagnostics``.
        """
        return tables.diagnostics(self)

    def convergence(self) -> pd.DataFrame:
        """Tabulate how chains came together, iteration by iteration; empty where none are drawn.

        Returns
        -------
        DataFrame
            Columns of ``convergence``: the potential scale reduction factor of every parameter as the chains
            grow, and its 97.5 % upper limit.
        """
        return tables.convergence(self)

    def notes(self) -> pd.DataFrame:
        """List what was decided on the way and what to keep in mind."""
        return tables.notes(self)

    # --- pictures -------------------------------------------------------------------------------------------

    def plot(self, kind: str = "network_forest", **options: Any) -> Any:
        """Draw a chart of this network.

        Parameters
        ----------
        kind : str
            network_forest, network_diagram, league, rankogram and the others of `analysis.charts.registry`
            that are of a network.
        **options
            Those of the chart's function in `analysis.plot`.

        Returns
        -------
        altair chart
            Shown as it is in a notebook; `analysis.charts.save` writes it to files.

        Raises
        ------
        CallError
            If there is no such chart or option.
        RefusedError
            If there is nothing to draw, or the engine has no rows of it.
        """
        from analysis import plot

        return plot.of_fit(self, kind, **options)

    def _repr_html_(self) -> str:
        from analysis import plot

        return plot.as_html(self)

    # --- what an engine owes --------------------------------------------------------------------------------

    @abstractmethod
    def effects(self, model: str, treatment: Array, versus: Array) -> Effects:
        """Estimate the effects of pairs of treatments, (m,) int arrays."""

    def direct_and_indirect(self, model: str) -> Iterable[tuple[str, Array, Array, Effects]]:
        """Give the direct and indirect estimates there are: which of the two, treatment, versus, effects."""
        return ()

    @abstractmethod
    def heterogeneity_of(self, model: str) -> TauEstimate:
        """Give the heterogeneity of a model."""

    @abstractmethod
    def ranks(self, model: str) -> Ranks | None:
        """Rank the treatments of an outcome with a direction of benefit; None where they cannot be."""

    @abstractmethod
    def better_by(self, sign: float, margin: float) -> Iterable[tuple[str, Array, Array, Array]]:
        """Give the probability that treatments are better than others by at least a margin, model by model.

        Parameters
        ----------
        sign : float
            -1 where lower is better, else 1.
        margin : float
            On the analysis scale, 0 or more.

        Returns
        -------
        iterable of (model, treatment, versus, probability)
            Every ordered pair of ranked treatments, as indices into `Network.treatments`; (m,) arrays.
        """

    @abstractmethod
    def agreement(self) -> Iterable[tuple[str, QTest | Unrelated]]:
        """Say whether the studies agree, with the model of each answer."""

    @abstractmethod
    def split_comparisons(self, model: str) -> Iterable[SplitSummary]:
        """Set direct against indirect evidence on every comparison that studies make, or say why not."""

    @abstractmethod
    def left_out(self, treatment: Array, versus: Array) -> Iterator[tuple[str | Array, LeftOut]]:
        """Leave studies out, in the order of the table, with the model of all answers or of each."""

    @abstractmethod
    def shares(self, model: str, treatment: Array, versus: Array) -> Shares:
        """Divide the precision of estimates among the comparisons within studies."""

    @abstractmethod
    def statistics(self, model: str) -> Iterable[Statistic | ByStudy]:
        """Measure the fit of a model."""

    def diagnosed(self, model: str) -> Iterable[Diagnostic]:
        """Say how far the computation of a model can be trusted."""
        return ()

    def scale_reduction(self, model: str) -> Iterable[tuple[str, Array, Array, Array]]:
        """Follow the chains of a model: parameter, iteration, scale reduction factor and its upper limit."""
        return ()

    def response(self, model: str) -> Response:
        """Say how the effects of a model answer to what studies found: see `protocol.Response`."""
        raise CallError(self._not_linear())

    def refitted(self, model: str, net: Network) -> Array:
        """Effects of the treatments, (T,), after studies found others, the heterogeneity estimated anew.

        Parameters
        ----------
        model : str
        net : Network
            The same studies with other effects; priors stay as they are.
        """
        raise CallError(self._not_linear())

    def _not_linear(self) -> str:
        able = " or ".join(facts.offering("thresholds"))
        return (
            f"Effects of the {self.engine} engine are not linear in what studies found, so that it has no "
            f"thresholds: take the engine {able}."
        )

    @abstractmethod
    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: severity and message."""

    # --- shared parts ---------------------------------------------------------------------------------------

    def chosen_model(self, model: str | None) -> str:
        """Return the model asked for; without one random where it was fitted, else common.

        Raises
        ------
        CallError
            If the model was not fitted.
        """
        if model is None:
            return self.models[-1]
        if model not in self.models:
            raise CallError(f"The model {model!r} was not fitted; there is {', '.join(self.models)}.")
        return model

    def all_pairs(self) -> list[Pair]:
        """List all pairs of treatments; the earlier one in `network.treatments` is the comparator."""
        return [(b, a) for a, b in combinations(self.network.treatments, 2)]

    def pair_indices(self, pairs: Sequence[Pair] | None) -> tuple[Array, Array]:
        """Find treatments by name.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), or None
            None stands for every treatment against the reference.

        Returns
        -------
        treatment, versus : (m,) int arrays
            Indices into `Network.treatments`.

        Raises
        ------
        CallError
            If a treatment is not in the network.
        """
        names = self.network.treatments
        if pairs is None:
            return np.arange(1, len(names)), np.zeros(len(names) - 1, dtype=int)
        index = {name: t for t, name in enumerate(names)}
        if unknown := sorted({name for pair in pairs for name in pair if name not in index}):
            raise CallError(f"The network has no treatment {', '.join(unknown)}; it has {', '.join(names)}.")
        found = np.array([[index[a], index[b]] for a, b in pairs], dtype=int).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def ordered_pairs(self) -> tuple[Array, Array]:
        """List all ordered pairs of treatments by index, (m,) int arrays."""
        first, second = np.nonzero(~np.eye(len(self.network.treatments), dtype=bool))
        return first, second

    @cached_property
    def studies_comparing(self) -> Array:
        """Number of studies that compare two treatments directly, (T, T)."""
        return shared_studies(self.network)

    def between(self, model: str) -> float:
        """Heterogeneity variance that weights the studies of a model; 0 where there is no estimate."""
        tau2 = self.heterogeneity_of(model).tau2
        return tau2 if tau2 is not None and np.isfinite(tau2) else 0.0

    @cached_property
    def sources(self) -> dict[str, Sources]:
        """What the estimates rest on, by model."""
        gls = self._least_squares()
        return {model: sources(self.network, gls, self.between(model)) for model in self.models}

    def _least_squares(self) -> Gls:
        return Gls.of(self.network)

    def split_each(
        self, model: str, split: Callable[[int, int, str | None], SplitSummary]
    ) -> Iterator[SplitSummary]:
        """Split every comparison that has independent indirect evidence; say of the others why not.

        Parameters
        ----------
        model : str
        split : callable
            Splits the comparison of two treatments (the lower index first), with what is to be said of it.
        """
        found = self.sources[model]
        for (a, b), reason in counted(found.reasons.items(), len(found.reasons), "splitting comparisons"):
            yield SplitSummary(a, b, note=reason) if reason else split(a, b, found.notes[a, b])
