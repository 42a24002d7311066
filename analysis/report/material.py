"""Everything that a report draws on, read from the evidence base: result rows and views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.described import Described
from analysis.plot.reading import arm_names
from analysis.plot.subject import Subject
from analysis.plot.whole import Whole
from analysis.report.links import Links, readings
from evidence import results
from evidence.checking.audit import run_audits
from evidence.errors import CallError, Problem
from evidence.names import slug
from evidence.query import EvidenceBase
from evidence.question import important_difference
from evidence.results import Run

if TYPE_CHECKING:
    import pandas as pd


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
    def described(self) -> Described:
        """Printed names, order, roles and judgements of bias."""
        return Described.read(self.db)

    @property
    def studies(self) -> Mapping[str, str]:
        """Printed names of studies."""
        return self.described.studies

    @property
    def by_year(self) -> list[str]:
        """Studies, the oldest first, as every forest plot and table lists them."""
        return self.described.by_year

    @property
    def treatments(self) -> Mapping[str, str]:
        """Printed names of treatments."""
        return self.described.treatments

    @property
    def roles(self) -> Mapping[str, str]:
        """Role of each treatment: active, control or sham."""
        return self.described.roles

    @cached_property
    def _arms(self) -> dict[tuple[str, str], str]:
        return arm_names(self.described.arms)

    def arm(self, study: str, arms: Any) -> str:
        """Name an arm, or several that are separated by commas, as they are printed."""
        return ", ".join(self._arms.get((study, arm), arm) for arm in str(arms or "").split(", "))

    def called(self, value: Any) -> str:
        """Write what a claim's query found or expects: names for keys, and no sign where it is equality."""
        text = str(value).removeprefix("= ").removeprefix("is ") if value is not None else ""
        return self.treatments.get(text) or self.outcomes.get(text) or text

    @property
    def outcomes(self) -> Mapping[str, str]:
        """Printed names of outcomes."""
        return self.described.outcomes

    @cached_property
    def measured(self) -> bool:
        """Whether any study has a measurement or a reported contrast."""
        n = "select (select count(*) from measurement) + (select count(*) from reported_contrast)"
        return bool(self.db.value(n))

    @property
    def participants(self) -> str:
        """What the units of the review are: animals where every study's species is one, else participants."""
        return self.described.units()

    def units(self, run: Run) -> str:
        """Say what the units of a run are: as `participants`, of the studies that entered it."""
        return self.described.units(run.frames["contrasts"]["study"])

    @cached_property
    def plan(self) -> list[dict[str, Any]]:
        """The review's plan."""
        return self.db.rows("select * from plan order by position")

    @cached_property
    def numbered(self) -> list[dict[str, Any]]:
        """Figures and tables that the plan gives numbers."""
        return self.db.rows("select figure, title, shows from plan_figure order by position")

    @cached_property
    def numbers(self) -> dict[str, str]:
        """Number of a figure or table in the plan, with what it is about, by its name."""
        return {slug(row["shows"]): f"{row['figure']}. {row['title']}" for row in self.numbered}

    @cached_property
    def runs(self) -> list[Run]:
        """Results of the planned analyses, in the plan's order."""
        found = [
            results.read(self.db, row["run_id"])
            for row in results.listing(self.db)
            if row["analysis"] is not None
        ]
        if bare := [str(run.analysis) for run in found if run.frames["contrasts"].empty]:
            raise CallError(
                f"An earlier version kept {', '.join(bare)} without what entered: run the plan again "
                "(`evidence analyse FILE`)."
            )
        return found

    @cached_property
    def problems(self) -> list[Problem]:
        """What the audits found."""
        return run_audits(self.db)

    @cached_property
    def readings(self) -> list[dict[str, Any]]:
        """Every measurement and reported contrast as it was read (`links.readings`)."""
        return readings(self.db, self.studies)

    @cached_property
    def info(self) -> dict[str, str]:
        """What the file was made from."""
        return {row["key"]: row["value"] for row in self.db.rows("select key, value from build_info")}

    def subject(self, run: Run, links: Links | None = None) -> Subject:
        """Give a run as what its pictures are drawn from, its numbers and studies linked where asked for."""
        return Subject(run, self.described, anchors=links, counted=(self.nodes(run), self.edges(run)))

    @cached_property
    def whole(self) -> Whole:
        """Give the review as a whole as what its pictures are drawn from."""
        return Whole(self.db, self.described)

    def effect(self, run: Run) -> Effect:
        """Say what a run estimates."""
        return Effect.of_run(run.row(), self.outcomes.get(run.outcome), self.treatments)

    def important(self, run: Run) -> float | None:
        """Smallest important difference of a run on the analysis scale, if its outcome has one."""
        effect = self.effect(run)
        about = self._differences.get(run.outcome)
        return None if about is None else important_difference(about, effect.about)

    @cached_property
    def _differences(self) -> dict[str, dict[str, Any]]:
        rows = self.db.rows("select outcome, kind, smallest_important_difference from outcome")
        return {row["outcome"]: row for row in rows}

    def firmness(self, run: Run) -> list[dict[str, Any]]:
        """How firm a run's main effects are (``run_firmness``), by model and aspect."""
        return self._firmness.get(run.run_id, [])

    @cached_property
    def _firmness(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_firmness", "model, aspect")

    def multiverse(self, run: Run) -> list[dict[str, Any]]:
        """Give what every defensible analysis says of a run's conclusions (``run_multiverse``)."""
        return self._multiverse.get(run.run_id, [])

    def multiverse_choices(self, run: Run) -> list[dict[str, Any]]:
        """Give how much each choice moves them (``run_multiverse_choice``)."""
        return self._multiverse_choices.get(run.run_id, [])

    @cached_property
    def _multiverse(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_multiverse", "treatment, versus")

    @cached_property
    def _multiverse_choices(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_multiverse_choice", "treatment, versus, choice") if self._multiverse else {}

    def _by_run(self, view: str, order: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.db.rows(f"select * from {view} order by run_id, {order}"):
            found.setdefault(row.pop("run_id"), []).append(row)
        return found

    @cached_property
    def _nodes(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_node", "n_studies desc, treatment")

    @cached_property
    def _edges(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_edge", "treatment_a, treatment_b")

    @cached_property
    def _sizes(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_run("run_size", "n_studies")

    def nodes(self, run: Run) -> list[dict[str, Any]]:
        """Treatments of a run with what entered of each (``run_node``); most studies first."""
        return self._nodes.get(run.run_id, [])

    def edges(self, run: Run) -> list[dict[str, Any]]:
        """Direct comparisons of a run with what entered of each (``run_edge``)."""
        return self._edges.get(run.run_id, [])

    def size(self, run: Run) -> dict[str, Any]:
        """Give the size of a run (``run_size``): n_studies, n_arms, n_participants, n_unknown and others."""
        return self._sizes.get(run.run_id, [{}])[0]

    def with_data(self, outcome: str) -> list[str]:
        """Studies with data on an outcome, in any measure; the oldest first."""
        rows = self.db.kept_rows(
            "select study from measurement where outcome = ? "
            "union select study from reported_contrast where outcome = ? order by study",
            [outcome, outcome],
        )
        known = {row["study"] for row in rows}
        return [study for study in self.by_year if study in known]

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
