"""What the charts of a review as a whole draw: selection, risk of bias, where there is evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import charts
from analysis.charts.base.theme import missing
from analysis.described import Described
from analysis.language.catalog import tr
from analysis.plot.subject import NothingToDrawError
from evidence.errors import CallError

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

FLOW = "select * from prisma_flow order by position, reason nulls first"
"""Asks for the boxes of the flow diagram."""

_LIGHTS = (
    "select rob_traffic_light.* from rob_traffic_light inner join study using (study) "
    "order by study.year nulls last, study.label, position"
)

ANY = "any outcome"
"""In place of an outcome, or of none: the only one that studies were judged for."""


@dataclass(frozen=True)
class Whole:
    """A review as a whole, to draw.

    Attributes
    ----------
    db : EvidenceBase
    review : Described
    """

    db: EvidenceBase
    review: Described

    @classmethod
    def of(cls, db: EvidenceBase) -> Whole:
        """Make it of an evidence base."""
        return cls(db, Described.read(db))


def prisma_flow(whole: Whole) -> Any:
    """Draw the flow diagram."""
    flow = whole.db.kept_rows(FLOW)
    if len(flow) < 2:
        raise NothingToDrawError(
            "No records, screening decisions or flow counts were entered (records.csv, screening.csv, "
            "flow.csv): there is no PRISMA flow diagram to draw."
        )
    return charts.prisma_flow(_frame(flow))


def appraised(whole: Whole) -> list[tuple[str, str | None]]:
    """Tools by which studies were judged, each with its outcomes (None: the whole study)."""
    found = dict.fromkeys((row["tool"], row["outcome"]) for row in whole.db.kept_rows(_LIGHTS))
    tools = list(dict.fromkeys(tool for tool, _ in found))
    return [pair for tool in tools for pair in found if pair[0] == tool]


def _judged(whole: Whole, tool: str | None, outcome: str | None = ANY) -> tuple[str, str | None]:
    """Find the only tool and outcome of those that there are."""
    every = appraised(whole)
    if not every:
        raise NothingToDrawError("No risk-of-bias judgement was entered in the review folder.")
    wanted = [pair for pair in every if tool in (None, pair[0]) and outcome in (ANY, pair[1])]
    if len(wanted) == 1:
        return wanted[0]
    listed = "; ".join(t if o is None else f"{t} for {o}" for t, o in wanted or every)
    raise CallError(f"Which judgements: {listed}? Name --tool and, where there are several, --outcome.")


def traffic_light(
    whole: Whole, *, tool: str | None = None, outcome: str | None = ANY, palette: str = "color"
) -> Any:
    """Draw risk of bias by study, of one tool and one outcome (None: the whole study)."""
    tool, outcome = _judged(whole, tool, outcome)
    rows = whole.db.kept_rows(_LIGHTS)
    judged = [row for row in rows if (row["tool"], row["outcome"]) == (tool, outcome)]
    about = tool if outcome is None else f"{tool}, {whole.review.outcomes.get(outcome, outcome)}"
    title = tr("Risk of bias by study ({tool})", tool=about)
    return charts.traffic_light(_frame(judged), labels=whole.review.studies, palette=palette, title=title)


def rob_summary(
    whole: Whole, *, tool: str | None = None, weighted: bool = False, palette: str = "color"
) -> Any:
    """Draw risk of bias by item, of one tool; with `weighted` each study counts by its participants."""
    tools = list(dict.fromkeys(known for known, _ in appraised(whole)))
    if tool is None and len(tools) != 1:
        tool, _ = _judged(whole, tool)
    rows = whole.db.kept_rows("select * from rob_summary order by tool, position")
    some = [row for row in rows if row["tool"] == (tool or tools[0])]
    if not some:
        raise CallError(f"No study was judged by {tool!r}; tools: {', '.join(tools)}.")
    if weighted and all(row["weighted_share"] is None for row in some):
        raise NothingToDrawError("No study has a number of participants that could weigh its judgement.")
    return charts.rob_summary(_frame(some), weighted=weighted, palette=palette)


def evidence_map(whole: Whole, *, planned: Iterable[tuple[str, str]] | None = None) -> Any:
    """Draw how much evidence there is on which treatment and outcome, as far as it is planned."""
    if planned is None:
        rows = whole.db.rows("select distinct outcome, measure from plan")
        planned = [(row["outcome"], row["measure"]) for row in rows]
    wanted = set(planned)
    # Of the whole review: where there is evidence, whatever a run restricts itself to.
    nodes = [
        row
        for row in whole.db.rows(
            "select * from network_node order by n_studies desc, outcome, measure, treatment"
        )
        if (row["outcome"], row["measure"]) in wanted
    ]
    largest = {(row["outcome"], row["treatment"]): row for row in reversed(nodes)}
    if len({row["outcome"] for row in nodes}) < 2:
        raise NothingToDrawError("An evidence map takes two outcomes or more with contrasts in the plan.")
    return charts.evidence_map(
        _frame(largest.values()), treatments=whole.review.treatments, outcomes=whole.review.outcomes
    )


def missing_data_map(whole: Whole) -> Any:
    """Draw what became of each study's data on each outcome."""
    status = whole.db.frame(
        """
        with reading as (
            select measurement.study, measurement.outcome,
                max(case when standard.measurement_id is null then 0 else 1 end) as used,
                max(case when standard.derivation = 'reported' then 1 else 0 end) as as_reported
            from measurement left join measurement_standard as standard using (measurement_id)
            group by measurement.study, measurement.outcome
            union all
            select study, outcome, 1, 1 from reported_contrast group by study, outcome
        )
        select study.study, outcome.outcome,
            case
                when max(reading.used) is null then 'not reported'
                when max(reading.used) = 0 then 'not usable'
                when max(reading.as_reported) = 0 then 'used, derived'
                else 'used'
            end as status
        from study cross join outcome
        left join reading on study.study = reading.study and outcome.outcome = reading.outcome
        group by study.study, outcome.outcome, study.year, study.label, outcome.source_line
        order by study.year nulls last, study.label, study.study, outcome.source_line, outcome.outcome
        """
    )
    if not len(status) or all(missing(value) or value == "not reported" for value in status["status"]):
        raise NothingToDrawError("No study has a measurement or a reported contrast.")
    return charts.missing_data_map(status, labels=whole.review.studies, outcomes=whole.review.outcomes)


def _frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
