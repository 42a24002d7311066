"""An answer at a glance: the main effects of a review on one axis, small enough for the head of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import Forest, areas, cut_to_axis, place, pooled_row, widened
from analysis.charts.base.panel_table import PanelTable, TextColumn
from analysis.charts.base.theme import finish, log_ticks, missing, records, text_width, ticks
from analysis.language.catalog import tr

if TYPE_CHECKING:
    import pandas as pd

_PANEL = 190
"""Pixels of the axis: with names and numbers beside it the figure fills half a page."""


def summary_forest(
    effects: pd.DataFrame,
    *,
    effect: Effect,
    sides: tuple[str, str],
    title: str,
    caption: str = "",
) -> Any:
    """Draw a few effects with their intervals, and nothing beside them but their names and numbers.

    Parameters
    ----------
    effects : DataFrame
        In the order of drawing: label, estimate, ci_lower, ci_upper on the analysis scale, and where they
        apply kind ("study", "point" or "pooled"; point without it), pi_lower, pi_upper, weight (of a study),
        digits, href. Rows without an interval are left out.
    effect : Effect
        What is estimated.
    sides : tuple of str
        What is compared, first minus second, as printed.
    title, caption : str
        What is shown, and how to read it.

    Returns
    -------
    altair chart
        Prediction intervals are the thin lines that go on from the intervals.
    """
    given = [
        row
        for row in records(effects)
        if not any(missing(row[key]) for key in ("estimate", "ci_lower", "ci_upper"))
    ]
    usual = effect.digits((row["ci_upper"] - row["ci_lower"]) / 2 for row in given)
    rows = [_row(row, effect, usual) for row in given]
    place(rows)
    domain = _domain(rows, effect)
    corners = cut_to_axis(rows, effect, domain)
    areas(rows, "weight")
    table = PanelTable(
        rows,
        [TextColumn("label", "", "left")],
        [TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]")],
        _PANEL,
    )
    predicted = "pi_from" in _keys(rows)
    said = tr("Lines: 95% {interval}; thin: prediction.") if predicted else tr("Lines: 95% {interval}.")
    said = said.format(interval=effect.interval)
    first = f" First: {rows[0]['label']}, {rows[0]['effect_text']}." if rows else ""
    return finish(
        Forest(table, effect, domain, corners, most=_ticks(domain, effect)).draw(sides),
        name="summary_forest",
        title=title,
        caption=f"{caption} {said}".strip(),
        description=f"{title}. {len(rows)} effects.{first}",
        tables={
            "rows": ("kind", "label", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "weight")
        },
        width=table.width,
        cuts=table.cuts,
    )


def _domain(rows: list[dict[str, Any]], effect: Effect) -> tuple[float, float]:
    """Choose the ends of the axis as every forest plot does, but so that no effect lies beyond them."""
    stored = [row["stored"] for row in rows]
    lower, upper = effect.domain(*zip(*stored, strict=True)) if stored else (-1.0, 1.0)
    margin = 0.04 * (upper - lower)
    lower = min([lower, *(estimate - margin for estimate, _, _ in stored)])
    upper = max([upper, *(estimate + margin for estimate, _, _ in stored)])
    return widened((lower, upper), [row["predicted"] for row in rows if row.get("predicted")])


def _ticks(domain: tuple[float, float], effect: Effect) -> int:
    """How many ticks the axis takes before their labels touch."""
    log = effect.scale == "log"
    lower, upper = (math.exp(end) if log else end for end in domain)
    for most in (6, 5, 4, 3):
        values = (log_ticks if log else ticks)(lower, upper, most)
        widest = max((text_width(f"{value:,g}") for value in values), default=0)
        places = [math.log(value) if log else value for value in values]
        apart = min((b - a for a, b in pairwise(places)), default=math.inf)
        if apart / (domain[1] - domain[0]) * _PANEL > widest + 6:
            return most
    return 2


def _keys(rows: list[dict[str, Any]]) -> set[str]:
    return {key for row in rows for key in row}


def _row(row: Mapping[str, Any], effect: Effect, usual: int) -> dict[str, Any]:
    digits = usual if missing(row.get("digits")) else int(row["digits"])
    if row.get("kind") == "pooled":
        return pooled_row(row, effect, digits, str(row["label"]))
    stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
    predicted = None if missing(row.get("pi_lower")) else (row["pi_lower"], row["pi_upper"])
    return {
        "kind": "study" if row.get("kind") == "study" else "point",
        "label": str(row["label"]),
        "effect_text": effect.estimate_text(*stored, digits),
        "stored": stored,
        "predicted": predicted,
        "weight": None if missing(row.get("weight")) else row["weight"],
        "href": row.get("href"),
    }
