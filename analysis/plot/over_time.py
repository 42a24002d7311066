"""What the charts of a review over time draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis import charts
from analysis.language.catalog import tr
from analysis.plot.subject import NothingToDrawError
from analysis.plot.whole import Whole
from evidence.errors import CallError

if TYPE_CHECKING:
    from analysis.living.replay import Replay


def replay_ranks(whole: Whole, *, analysis: str | None = None) -> Any:
    """Draw the path of each treatment through the ranks: of the plan's only network, or of one named."""
    found = _replayed(whole, analysis, claims=False)
    networks = list(dict.fromkeys(found.states[found.states["kind"] == "network"]["analysis"]))
    if len(networks) > 1:
        raise CallError(f"Which network: {', '.join(networks)}? Name one, --analysis {networks[0]}.")
    rows = found.ranking[found.ranking["place"].notna()]
    models = set(rows["model"])
    rows = rows[rows["model"] == ("random" if "random" in models else "common")]
    if rows.empty:
        raise NothingToDrawError("No network of the plan ranks its treatments in any year.")
    outcome = found.states[found.states["analysis"] == rows["analysis"].iloc[0]]["outcome"].iloc[0]
    named = whole.review.outcomes.get(outcome, outcome)
    return charts.replay_ranks(
        rows, labels=whole.review.treatments, title=tr("{outcome}: ranks over time", outcome=named)
    )


def replay_timeline(whole: Whole, *, analysis: str | None = None) -> Any:
    """Draw since when what can be said now is true: of one analysis of the plan, or of all and the claims."""
    found = _replayed(whole, analysis, claims=analysis is None)
    if found.statements.empty:
        raise NothingToDrawError("No analysis of the plan says anything in the last year.")
    return charts.replay_timeline(
        found.timeline, found.statements, title=tr("Since when each sentence is true")
    )


def _replayed(whole: Whole, analysis: str | None, *, claims: bool) -> Replay:
    from analysis.living.replay import replay

    return replay(whole.db, analyses=[] if analysis is None else [analysis], claims=claims)
