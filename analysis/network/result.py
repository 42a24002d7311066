"""What every engine's fit has in common: its tables, with the columns of `analysis.results`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.graph import designs
from analysis.network.data.network import Array, Network
from analysis.network.model.gls import Gls
from analysis.network.model.sources import Sources, sources
from analysis.results import frame
from evidence.errors import CallError
from evidence.system.frames import rows as rows_of
from evidence.system.memory import FEWER, refuse_without_room

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
    """

    engine: str
    network: Network
    models: tuple[str, ...]

    @abstractmethod
    def relative_effects(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Estimate the effects of some treatments against others, from the whole network.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            In the direction wanted; without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``estimates``.

        Raises
        ------
        CallError
            If a treatment is not in the network.
        """

    def estimates(self) -> pd.DataFrame:
        """Tabulate all pairs of treatments, each once; the reference always stands in `versus`.

        Returns
        -------
        DataFrame
            Columns of ``estimates``; `evidence` says whether a row is a network, direct or indirect estimate.
        """
        return self.relative_effects(self.all_pairs())

    @abstractmethod
    def heterogeneity(self) -> pd.DataFrame:
        """Tabulate tau, I2 and the like."""

    @abstractmethod
    def ranking(self) -> pd.DataFrame:
        """Rank the treatments by the outcome's direction of benefit; none without a direction."""

    @abstractmethod
    def rank_probabilities(self) -> pd.DataFrame:
        """Tabulate the probability of every rank for every treatment."""

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
        import pandas as pd

        margin = self.network.smallest_important_difference if margin is None else margin
        if margin is None or not margin >= 0:
            raise CallError(
                "How much better? Give a margin of 0 or more, or smallest_important_difference in "
                "outcomes.csv."
            )
        sign = ranking.benefit(self.network)
        names = np.array(self.network.treatments, dtype=object)
        parts = [
            pd.DataFrame(
                {
                    "model": model,
                    "treatment": names[treatment],
                    "versus": names[versus],
                    "margin": float(margin),
                    "probability": better,
                }
            )
            for model, treatment, versus, better in (self.better_by(sign, margin) if sign else ())
        ]
        columns = ["model", "treatment", "versus", "margin", "probability"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    @abstractmethod
    def inconsistency(self) -> pd.DataFrame:
        """Assess whether the designs of the network agree."""

    @abstractmethod
    def node_splits(self) -> pd.DataFrame:
        """Set direct against indirect evidence, comparison by comparison."""

    @abstractmethod
    def leave_one_out(self) -> pd.DataFrame:
        """Refit without each study."""

    @abstractmethod
    def weights(self) -> pd.DataFrame:
        """Tabulate what each study contributes to each estimate."""

    @abstractmethod
    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate measures of fit."""

    def league(self, model: str | None = None) -> pd.DataFrame:
        """Make the league table, the best treatment first.

        Parameters
        ----------
        model : str, optional
            common or random; without it, random where it was fitted.

        Returns
        -------
        DataFrame
            See `analysis.network.ranking.league`. Where the treatments are not ranked (no direction of
            benefit, or a heterogeneity that cannot be estimated), the order is the network's.

        Raises
        ------
        CallError
            If the model was not fitted.
        """
        model = self.chosen_model(model)
        table = self.ranking()
        best_first = ranking.order(table, model) if len(table) else []
        return ranking.league(
            self.relative_effects(self.all_pairs()),
            best_first or self.network.treatments,
            model,
            self.network.measure,
            self.network.scale,
        )

    def diagnostics(self) -> pd.DataFrame:
        """Tabulate how far the computation can be trusted; empty where it is exact."""
        return frame("diagnostics")

    def convergence(self) -> pd.DataFrame:
        """Tabulate how chains came together, iteration by iteration; empty where none are drawn."""
        return frame("convergence")

    def notes(self) -> pd.DataFrame:
        """List what was decided on the way and what to keep in mind."""
        rows = [{"severity": severity, "message": message} for severity, message in self.remarks()]
        return frame("notes", rows)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: severity and message."""
        return list(self.network.notes)

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

    # --- shared parts ---------------------------------------------------------------------------------------

    def refuse_long_weights(self, effects: int, comparisons: int) -> None:
        """Refuse a table of weights, a row for each effect and comparison of a study, that does not fit."""
        refuse_without_room(
            170 * effects * comparisons * len(self.models),
            f"The weights of {comparisons:,} comparisons of studies in {effects:,} effects",
            f"Ask for some effects only, in Python: fit.weights(pairs). {FEWER}",
        )

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

    def studies_comparing(self) -> Array:
        """Count the studies that compare two treatments directly, (T, T)."""
        count = np.zeros((len(self.network.treatments),) * 2, dtype=int)
        for design, _, rows in designs(self.network):
            members = np.array(design)
            count[np.ix_(members, members)] += len(rows)
        return count

    def between(self, model: str) -> float:
        """Heterogeneity variance that weights the studies of a model; 0 where there is no estimate."""
        table = self.heterogeneity()
        tau2 = float(table.loc[table["model"] == model, "tau2"].iloc[0])
        return tau2 if np.isfinite(tau2) else 0.0

    @cached_property
    def sources(self) -> dict[str, Sources]:
        """What the estimates rest on, by model."""
        gls = Gls.of(self.network)
        return {model: sources(self.network, gls, self.between(model)) for model in self.models}

    def estimate_rows(self, model: str, treatment: Array, versus: Array, **columns: Any) -> pd.DataFrame:
        """Make rows of the table ``estimates`` for pairs given by index."""
        names = np.array(self.network.treatments, dtype=object)
        if columns.get("evidence") == "network":
            columns["rests_on"] = self.sources[model].rests_on(len(names))[treatment, versus]
        return frame(
            "estimates",
            {
                "engine": self.engine,
                "model": model,
                "treatment": names[treatment],
                "versus": names[versus],
                "n_studies": self.studies_comparing()[treatment, versus],
                **columns,
            },
        )


def contrast_ids(net: Network) -> dict[tuple[str, str, frozenset[str]], tuple[str | None, str | None]]:
    """Ids of the contrasts and measurements behind each study's comparison of two treatments."""
    if net.contrasts is None or "contrast_id" not in net.contrasts:
        return {}
    found: dict[tuple[str, str, frozenset[str]], tuple[str | None, str | None]] = {}
    for row in rows_of(net.contrasts):
        key = (row["study"], row["experiment"], frozenset((row["treatment_a"], row["treatment_b"])))
        joined = [
            ",".join(text for text in (old, new) if isinstance(text, str) and text)
            for old, new in zip(found.get(key, ("", "")), (row["contrast_id"], row.get("measurement_ids")))
        ]
        found[key] = (joined[0] or None, joined[1] or None)
    return found
