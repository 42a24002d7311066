"""Everything that a report draws on, read from the evidence base: result rows and views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analysis.charts.effect import Effect
from evidence import results
from evidence.audit import run_audits
from evidence.errors import Problem
from evidence.query import EvidenceBase
from evidence.results import Run

if TYPE_CHECKING:
    import pandas as pd

_ANIMALS = ("mouse", "mice", "rat", "rabbit", "pig", "dog", "monkey", "sheep", "zebrafish")


@dataclass(frozen=True)
class Material:
    """The evidence base as a report reads it.

    Attributes
    ----------
    db : EvidenceBase
        Built, with the plan's results kept in it.
    refused : dict of str to str
        Why planned analyses could not be carried out, by name.
    """

    db: EvidenceBase
    refused: dict[str, str]

    def frame(self, query: str, parameters: Sequence[Any] | None = None) -> pd.DataFrame:
        """Rows of a query as a frame."""
        return self.db.frame(query, params=parameters)

    @cached_property
    def review(self) -> dict[str, Any]:
        """The row of table ``review``."""
        return self.db.rows("select * from review")[0]

    @cached_property
    def synthetic(self) -> bool:
        """Whether the review's data are simulated."""
        return bool(self.review["synthetic"])

    @cached_property
    def studies(self) -> dict[str, str]:
        """Printed names of studies."""
        return {
            row["study"]: row["label"]
            for row in self.db.rows("select study, label from study order by study")
        }

    @cached_property
    def by_year(self) -> list[str]:
        """Studies, the oldest first, as every forest plot and table lists them."""
        rows = self.db.rows("select study from study order by year nulls last, label, study")
        return [row["study"] for row in rows]

    @cached_property
    def treatments(self) -> dict[str, str]:
        """Printed names of treatments."""
        rows = self.db.rows("select treatment, label from treatment order by source_line")
        return {row["treatment"]: row["label"] for row in rows}

    @cached_property
    def outcomes(self) -> dict[str, str]:
        """Printed names of outcomes."""
        rows = self.db.rows("select outcome, label from outcome order by source_line")
        return {row["outcome"]: row["label"] for row in rows}

    @cached_property
    def measured(self) -> bool:
        """Whether any study has a measurement or a reported contrast."""
        n = "select (select count(*) from measurement) + (select count(*) from reported_contrast)"
        return bool(self.db.value(n))

    @cached_property
    def participants(self) -> str:
        """What the units are: animals where every study's species is one, else participants."""
        rows = self.db.rows("select distinct lower(species) as species from study")
        known = [str(row["species"]) for row in rows if row["species"] is not None]
        animals = [name for name in known if any(animal in name for animal in _ANIMALS)]
        return "animals" if known and len(animals) == len(known) else "participants"

    @cached_property
    def plan(self) -> list[dict[str, Any]]:
        """The review's plan."""
        return self.db.rows("select * from plan order by position")

    @cached_property
    def numbered(self) -> list[dict[str, Any]]:
        """Figures and tables that the plan gives numbers."""
        if not self.has("plan_figure"):
            return []
        return self.db.rows("select figure, title, shows from plan_figure order by position")

    @cached_property
    def numbers(self) -> dict[str, str]:
        """Number of a figure or table in the plan, with what it is about, by its name."""
        return {row["shows"]: f"{row['figure']}. {row['title']}" for row in self.numbered}

    @cached_property
    def runs(self) -> list[Run]:
        """Results of the planned analyses, in the plan's order."""
        return [
            results.read(self.db, row["run_id"])
            for row in results.listing(self.db)
            if row["analysis"] is not None
        ]

    @cached_property
    def problems(self) -> list[Problem]:
        """What the audits found."""
        return run_audits(self.db)

    @cached_property
    def info(self) -> dict[str, str]:
        """What the file was made from."""
        return {row["key"]: row["value"] for row in self.db.rows("select key, value from build_info")}

    def effect(self, run: Run) -> Effect:
        """Say what a run estimates."""
        return Effect.of_run(run.row(), self.outcomes.get(run.outcome), self.treatments)

    @cached_property
    def _nodes(self) -> list[dict[str, Any]]:
        return self.db.rows("select * from network_node order by n_studies desc, outcome, measure, treatment")

    @cached_property
    def _edges(self) -> list[dict[str, Any]]:
        return self.db.rows("select * from network_edge order by outcome, measure, treatment_a, treatment_b")

    def nodes(self, outcome: str | None = None, measure: str | None = None) -> list[dict[str, Any]]:
        """Rows of ``network_node`` of one network, or of all; most studies first."""
        return [
            row
            for row in self._nodes
            if outcome is None or (row["outcome"], row["measure"]) == (outcome, measure)
        ]

    def edges(self, run: Run) -> list[dict[str, Any]]:
        """Rows of ``network_edge`` of a run's outcome and measure."""
        return [row for row in self._edges if (row["outcome"], row["measure"]) == (run.outcome, run.measure)]

    def n_participants(self, run: Run) -> float | None:
        """Count animals or participants by the network views; None where studies were restricted."""
        if run.where:
            return None
        if run.kind == "pairwise":
            pair = {run.treatment, run.versus}
            found = [row for row in self.edges(run) if {row["treatment_a"], row["treatment_b"]} == pair]
        else:
            found = self.nodes(run.outcome, run.measure)
        counts = [row["n_participants"] for row in found if row["n_participants"] is not None]
        return sum(counts) if counts else None

    def contrasts(self, run: Run) -> pd.DataFrame:
        """Contrasts that entered a pairwise run, with the statistics of their arms and their weights."""
        return self.frame(
            """
            with weighted as (
                select study, experiment, contrast_id,
                    max(case when model = 'common' then weight end) as weight_common,
                    max(case when model = 'random' then weight end) as weight_random,
                    max(estimate) as estimate, max(std_error) as std_error
                from result_weight where run_id = $run
                group by study, experiment, contrast_id
            )
            select weighted.*, contrast.treatment_a, contrast.arm_a, contrast.arm_b,
                contrast.n_a, contrast.n_b,
                a.mean as mean_a, a.sd as sd_a, a.events as events_a,
                b.mean as mean_b, b.sd as sd_b, b.events as events_b, study.year, study.label,
                case
                    when $by = 'treatment' and contrast.treatment_a = $versus then contrast.treatment_b
                    when $by = 'treatment' then contrast.treatment_a
                    else variable.value
                end as level
            from weighted
            inner join study on weighted.study = study.study
            left join contrast on weighted.contrast_id = contrast.contrast_id
            left join measurement_standard as a
                on a.measurement_id = try_cast(split_part(contrast.measurement_ids, ',', 1) as bigint)
            left join measurement_standard as b
                on b.measurement_id = try_cast(split_part(contrast.measurement_ids, ',', 2) as bigint)
            left join study_variable as variable
                on weighted.study = variable.study and variable.variable = $by
            order by study.year nulls last, study.label, weighted.experiment, weighted.contrast_id
            """,
            {"run": run.run_id, "by": run.subgroup, "versus": run.versus},  # type: ignore[arg-type]
        )

    def results(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of every table of results that has any, with the name of the analysis."""
        found = {
            name: self.db.rows(
                f"select result_run.analysis, result.* from {table} as result inner join result_run using "
                "(run_id) "
                "order by result_run.analysis, result.rowid"
            )
            for name, table in results.TABLES.items()
        }
        return {name: rows for name, rows in found.items() if rows}

    def has(self, name: str) -> bool:
        """Tell whether the evidence base has a table or view."""
        return name in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.db.names())
