"""Is an update worth it: the probability that new evidence of the size just found changes a conclusion.

>>> import evidence
>>> from analysis.living.monitoring import update_worth
>>> with evidence.open("diabetes") as db:
...     (worth,) = update_worth(db, "hba1c-metformin", draws=200)
>>> worth.n, worth.changes.items[0][2:]
(246.5, ('interval and no effect', 'excludes no effect'))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.living.predicted import Changes, described, network_changes, pairwise_changes
from evidence.errors import CallError
from evidence.names import suggestion

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

__all__ = ["RECORDS", "Worth", "records_waiting", "update_worth"]

RECORDS = "records"
"""Stands for the number of new studies: as many as records of the last search wait for a decision."""

COLUMNS = (
    "analysis", "kind", "engine", "model", "treatment", "versus", "conclusion", "now", "studies", "n",
    "probability", "mcse", "draws", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Worth:
    """What more studies would change in one analysis.

    Attributes
    ----------
    analysis, kind, engine, model : str
        Which analysis, and how it was refitted.
    studies : int
        New studies.
    units : str
        What their size counts: participants or animals.
    draws, seed : int
        Of the simulation.
    changes : Changes
        How often each conclusion changed.
    """

    analysis: str
    kind: str
    engine: str
    model: str
    studies: int
    units: str
    draws: int
    seed: int
    changes: Changes

    @property
    def notes(self) -> list[str]:
        """What was assumed, each with the kind of analysis it is about."""
        return [f"{self.kind}: {note}" for note in self.changes.notes]

    @property
    def n(self) -> float | None:
        """Size of each new study."""
        return self.changes.n

    def rows(self) -> list[dict[str, Any]]:
        """Tabulate: one row a conclusion, with the columns of `COLUMNS`."""
        about = {name: getattr(self, name) for name in COLUMNS if hasattr(self, name)}
        return [{name: (about | row)[name] for name in COLUMNS} for row in described(self.changes)]

    def sentence(self) -> str:
        """Say it: the probability that any conclusion changes, its error, and which is likeliest to."""
        rows = described(self.changes)
        whole, parts = rows[-1], rows[:-1] or rows
        size = (
            f" of {self.n:,.0f} {self.units} each" if self.n else " as precise as the review's median study"
        )
        study = "1 more study" if self.studies == 1 else f"{self.studies} more studies"
        size = size.replace(" each", "") if self.studies == 1 else size
        head = (
            f"{self.analysis} ({self.model} effects): {study}{size} would change "
            f"{'a' if len(rows) > 1 else 'the'} conclusion with probability {whole['probability']:.3f} "
            f"(Monte Carlo error {whole['mcse']:.3f})"
        )
        if len(rows) == 1:
            return f"{head}; now, {whole['now']}."
        likeliest = max(parts, key=lambda row: row["probability"])
        if not likeliest["probability"]:
            return f"{head}."
        pair = " versus ".join(filter(None, (likeliest["treatment"], likeliest["versus"])))
        about = f"{likeliest['conclusion']} ({likeliest['now']})"
        return f"{head}; likeliest, {pair}: {about}, {likeliest['probability']:.3f}."


def update_worth(
    db: EvidenceBase,
    analysis: str | None = None,
    *,
    studies: int | str = 1,
    n: float | None = None,
    draws: int = 1000,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[Worth]:
    """Find the probability that more studies change a conclusion of the planned analyses.

    Parameters
    ----------
    db : EvidenceBase
    analysis : str, optional
        Name in the plan; all of them without it.
    studies : int or "records"
        How many new studies; with `RECORDS` as many as records of the last search wait for a decision.
    n : float, optional
        Participants or animals in each; the median of the studies of each analysis without it.
    draws, seed : int
        Of the simulation.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    list of Worth
        In the plan's order. Pairwise analyses are refitted as planned under random effects, networks by the
        exact engine whatever engine is planned, with the plan's priors or that engine's own.

    Raises
    ------
    CallError
        If there is no such analysis, or a number makes no sense.
    EvidenceError
        If an analysis cannot be carried out.
    """
    waiting = records_waiting(db) if studies == RECORDS else studies
    if not isinstance(waiting, int) or waiting < 1 or draws < 1 or (n is not None and not n > 0):
        raise CallError(
            "No record of the last search waits for a decision: say --studies K."
            if studies == RECORDS
            else "studies and draws are whole numbers from 1 on, n is above 0."
        )
    plan = db.rows("select * from plan order by position, analysis")
    names = [row["analysis"] for row in plan]
    if analysis is not None and analysis not in names:
        raise CallError(f"The plan has no analysis {analysis!r}: {suggestion(analysis, names)}.")
    say = progress or (lambda step: None)
    found = []
    for row in plan:
        if analysis in (None, row["analysis"]):
            say(f"{row['analysis']}: {draws:,} times {waiting} more")
            found.append(_worth(db, row, waiting, n, draws, seed))
    return found


def records_waiting(db: EvidenceBase) -> int:
    """Count the records of the last search that are no duplicates and have no decision and no study yet."""
    return int(
        db.value(
            "select count(*) from record where duplicate_of is null and study is null "
            "and search in (select search from search where date = (select max(date) from search)) "
            "and record not in (select record from screening)"
        )
    )


def _worth(
    db: EvidenceBase, row: Mapping[str, Any], studies: int, n: float | None, draws: int, seed: int
) -> Worth:
    from analysis import plan

    given: dict[str, Any] = {"studies": studies, "n": n, "draws": draws, "seed": seed}
    if row["kind"] == "pairwise":
        fit = plan.planned_pairwise(db, row)
        changes = pairwise_changes(fit, margin=_margin(db, row), **given)
        units = fit.contrasts.review.units(fit.studies)
        return Worth(
            row["analysis"], "pairwise", "frequentist", "random", studies, units, draws, seed, changes
        )
    from analysis import network

    net = plan.planned_network(db, row)
    asked = plan.planned_options(row)
    named = ("tau_prior", "effect_prior_sd", "tau", "covariates", "slopes", "centre", "slope_prior_sd")
    told = {name: asked[name] for name in named if asked.get(name)}
    model = "common" if asked.get("model") == "common" else "random"
    exact: Any = network.fit(net, engine="exact", model=model, **told)
    changes = network_changes(exact, model=model, **given)
    units = net.review.units([study for study, _ in net.studies])
    return Worth(row["analysis"], "network", "exact", model, studies, units, draws, seed, changes)


def _margin(db: EvidenceBase, row: Mapping[str, Any]) -> float | None:
    from evidence import facts
    from evidence.question import important_difference

    about = db.rows(
        "select kind, smallest_important_difference from outcome where outcome = ?", [row["outcome"]]
    )[0]
    return important_difference(about, facts.measure(row["measure"]))
