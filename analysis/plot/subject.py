"""What a picture is drawn from: a run's rows, what its review calls things, and where links lead.

A subject is made of a stored run (`Subject(run, ...)`) or of a live fit (`Subject.of`), whose rows are made
when a chart asks for them; the functions of this room draw both alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from analysis import entered
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import records
from analysis.described import Described
from analysis.plot.reading import arm_names, main_model
from evidence.errors import RefusedError
from evidence.results import Run
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit
    from analysis.pairwise import PairwiseFit

Rows = list[dict[str, Any]]


class NothingToDrawError(RefusedError):
    """A chart was asked for whose rows are not there; the message says what would give them."""


class Anchors(Protocol):
    """Where the numbers and studies of a picture lead."""

    def study(self, study: str) -> str:
        """Give the address of a study."""

    def number(self, estimate: Mapping[str, Any], effect: Effect) -> str:
        """Give the address of a row of ``result_estimate``."""


class Frames(Mapping[str, "pd.DataFrame"]):
    """Frames by name, each made when it is first asked for."""

    def __init__(self, made: Mapping[str, Callable[[], pd.DataFrame]]) -> None:
        self._made = made
        self._known: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._known:
            self._known[name] = self._made[name]()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


@dataclass(frozen=True)
class Subject:
    """What a picture shows.

    Attributes
    ----------
    run : Run
        What was asked; its frames have the columns of the ``result_*`` tables.
    review : Described
        Printed names, order and judgements.
    fit : PairwiseFit, NetworkFit or None
        Where the rows come from, if it is still there: some charts draw rows that no table keeps.
    anchors : Anchors or None
        Where numbers and studies lead; nowhere without it.
    counted : (nodes, edges) or None
        Rows of ``run_node`` and ``run_edge``, if the run is stored.
    """

    run: Run
    review: Described
    fit: PairwiseFit | NetworkFit | None = field(default=None, repr=False)
    anchors: Anchors | None = field(default=None, repr=False)
    counted: tuple[Rows, Rows] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, fit: PairwiseFit | NetworkFit) -> Subject:
        """Make a subject of a fit."""
        from analysis.network.result import NetworkFit

        if isinstance(fit, NetworkFit):
            return cls(_network_run(fit), fit.network.review, fit)
        return cls(_pairwise_run(fit), fit.contrasts.review, fit)

    @property
    def pairwise(self) -> bool:
        """Whether two treatments are compared, not a network."""
        return self.run.kind == "pairwise"

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Printed names of treatments, as the review lists them."""
        if self.review.treatments or self.fit is None:
            return self.review.treatments
        return {} if self.pairwise else self.network_fit.network.labels

    @cached_property
    def effect(self) -> Effect:
        """What is estimated."""
        outcome = self.review.outcomes.get(self.run.outcome)
        return Effect.of_run(self.run.row(), outcome, self.labels)

    @cached_property
    def model(self) -> str:
        """The model that main figures show."""
        return main_model(self.run)

    @cached_property
    def _arms(self) -> dict[tuple[str, str], str]:
        return arm_names(self.review.arms)

    def arm(self, study: str, arm: str) -> str:
        """Name an arm as it is printed."""
        return self._arms.get((study, arm), arm)

    @property
    def pairwise_fit(self) -> PairwiseFit:
        """The fit of a pairwise analysis."""
        return cast("PairwiseFit", self._live())

    @property
    def network_fit(self) -> NetworkFit:
        """The fit of a network."""
        return cast("NetworkFit", self._live())

    def _live(self) -> PairwiseFit | NetworkFit:
        if self.fit is None:
            raise NothingToDrawError("No table keeps the rows of this chart: draw it from a fit.")
        return self.fit

    def rows(self, name: str) -> pd.DataFrame:
        """Rows of a frame under the main model; empty where the run has none."""
        found = self.run.frames.get(name)
        if found is None or not len(found):
            return self.run.frames["notes"].iloc[:0] if found is None else found
        return found[found["model"] == self.model]

    def of_method(self, method: str) -> Rows:
        """Rows of the frame sensitivity that come from a method, under the main model."""
        if self.fit is not None and self.pairwise:
            frame = self.pairwise_fit.sensitivity((method,))
        else:
            frame = self.run.frames["sensitivity"]
        return [
            row for row in records(frame) if row["method"] == method and row["model"] in (None, self.model)
        ]

    def studied(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Lead rows of studies to their studies, where there are anchors."""
        if self.anchors is None:
            return [dict(row) for row in rows]
        return [{**row, "href": self.anchors.study(row["study"])} for row in rows]

    def addressed(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Lead rows of ``result_estimate`` to what stands behind them, turned ones to the row kept."""
        return [
            {key: value for key, value in row.items() if key != "kept"}
            | (
                {}
                if self.anchors is None
                else {"href": self.anchors.number(row.get("kept", row), self.effect)}
            )
            for row in rows
        ]

    def in_order(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Sort rows of studies as the forest plots do: the oldest first."""
        place = {study: index for index, study in enumerate(self.review.by_year)}
        if not place:
            return frame
        return frame.sort_values("study", key=lambda column: column.map(place), kind="stable")

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Contrasts that entered, as analysed, with weights and names of studies; oldest first."""
        frame = self.run.frames["contrasts"].copy()
        weights: dict[tuple[str, str], float] = {}
        if self.pairwise:
            for row in rows_of(self.run.frames["weights"]):
                weights[row["model"], row["contrast_id"]] = row["weight"]
        for model in ("common", "random"):
            frame[f"weight_{model}"] = [weights.get((model, name)) for name in frame["contrast_id"]]
        place = {study: index for index, study in enumerate(self.review.by_year)}
        frame["label"] = [self.review.studies.get(study, study) for study in frame["study"]]
        frame["year"] = [self.review.years.get(study) for study in frame["study"]]
        order = frame.assign(place=[place.get(study, len(place)) for study in frame["study"]])
        order = order.sort_values(["place", "experiment", "contrast_id"], kind="stable")
        return order.drop(columns="place").reset_index(drop=True)

    @cached_property
    def judgements(self) -> list[Mapping[str, Any]]:
        """Risk-of-bias judgements of the studies that entered, as they count for the outcome."""
        return self.review.judged(self.run.frames["contrasts"]["study"], self.run.outcome)

    @property
    def nodes(self) -> Rows:
        """Treatments with what entered of each, most studies first."""
        return self._counts[0]

    @property
    def edges(self) -> Rows:
        """Direct comparisons with what entered of each."""
        return self._counts[1]

    @cached_property
    def _counts(self) -> tuple[Rows, Rows]:
        return self.counted or entered.counts(self.run.frames["contrasts"])


def _pairwise_run(fit: PairwiseFit) -> Run:
    asked = fit.contrasts
    return Run(
        kind="pairwise",
        engine="frequentist",
        outcome=asked.outcome,
        measure=asked.measure,
        scale=asked.scale,
        specification={},
        input_hash="",
        frames=Frames(
            {
                "estimates": fit.estimates,
                "heterogeneity": fit.heterogeneity,
                "leave_one_out": fit.leave_one_out,
                "sensitivity": fit.sensitivity,
                "weights": fit.weights,
                "notes": fit.notes,
                "contrasts": lambda: entered.pairwise_rows(fit),
            }
        ),
        unit=asked.unit,
        lower_is_better=asked.lower_is_better,
        treatment=asked.treatment,
        versus=asked.versus,
        timepoint=asked.timepoint,
        subgroup=fit.options.by,
        where=asked.where,
        n_studies=len(fit.studies),
        synthetic=asked.review.synthetic,
    )


def _network_run(fit: NetworkFit) -> Run:
    net = fit.network

    def inconsistency() -> pd.DataFrame:
        import pandas as pd

        return pd.concat([fit.inconsistency().astype(object), fit.node_splits().astype(object)])

    return Run(
        kind="network",
        engine=fit.engine,
        outcome=net.outcome,
        measure=net.measure,
        scale=net.scale,
        specification={"smd": net.form},
        input_hash="",
        frames=Frames(
            {
                "estimates": fit.estimates,
                "heterogeneity": fit.heterogeneity,
                "ranking": fit.ranking,
                "rank_probabilities": fit.rank_probabilities,
                "inconsistency": inconsistency,
                "leave_one_out": fit.leave_one_out,
                "weights": fit.weights,
                "fit": fit.fit_statistics,
                "thresholds": fit.thresholds,
                "convergence": fit.convergence,
                "notes": fit.notes,
                "contrasts": lambda: entered.network_rows(net),
            }
        ),
        unit=net.unit,
        lower_is_better=net.lower_is_better,
        reference=net.reference,
        n_studies=len({study for study, _ in net.studies}),
        n_treatments=len(net.treatments),
        synthetic=net.review.synthetic,
    )
