"""How far what studies found is from changing a decision: invariant intervals, and regions of two at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.intervals import PANEL, Forest, cut_to_axis, place, widened
from analysis.charts.base.layout import down, names_beside
from analysis.charts.base.panel_table import PanelTable, TextColumn
from analysis.charts.base.theme import FAINT, INK, MUTED, dataset, finish, missing, records, wrap
from analysis.language.catalog import tr

if TYPE_CHECKING:
    import pandas as pd

SAFE, NEAR = "#b8cced", "#edb8cc"
"""Invariant intervals, and the half of one that ends within the 95 % interval: colours as published."""
_BAR = 11.0
_SIDE = 360.0


def threshold_forest(
    rows: pd.DataFrame, *, effect: Effect, decided: str, title: str | None = None, further: int = 0
) -> Any:
    """Draw effects with their 95 % intervals on the intervals within which a decision stays as it is.

    Parameters
    ----------
    rows : DataFrame
        In the order of drawing: level (study, comparison), label, estimate, ci_lower, ci_upper,
        invariant_lower, invariant_upper (missing where nothing ends it), invariant_text, below, above
        (printed names of what would be decided beyond), near_lower, near_upper (whether the end lies within
        the 95 % interval).
    effect : Effect
        What is estimated.
    decided : str
        What is decided, in words.
    title : str, optional
        Without it, outcome and kind.
    further : int
        Rows that were left out, with thresholds further away.

    Returns
    -------
    altair chart
        As in Phillippo et al. 2018, doi:10.1111/rssa.12341, figure 3.
    """
    given = records(rows)
    digits = effect.digits((row["ci_upper"] - row["ci_lower"]) / 2 for row in given)
    table_rows: list[dict[str, Any]] = []
    heads = {"study": tr("Studies"), "comparison": tr("Comparisons, all their studies together")}
    for level, head in heads.items():
        if some := [_row(row, effect, digits) for row in given if row["level"] == level]:
            table_rows += [{"kind": "header", "bold": True, "label": head}, *some]
    domain = _place(table_rows, given, effect)
    bars = [bar for row in table_rows if "ends" in row for bar in _bars(row, effect, domain)]
    table = PanelTable(
        table_rows,
        [
            TextColumn("label", tr("What would change"), "left"),
            TextColumn("effect_text", f"{effect.measure} [95% {effect.interval}]"),
        ],
        [
            TextColumn("below", tr("Below it"), "left", tr("Decision beyond the invariant interval")),
            TextColumn(
                "invariant_text",
                tr("Invariant interval"),
                "center",
                tr("Decision beyond the invariant interval"),
            ),
            TextColumn("above", tr("Above it"), "left", tr("Decision beyond the invariant interval")),
        ],
        PANEL,
    )
    drawn = Forest(table, effect, domain, ()).draw((tr("first"), tr("second")))
    drawn.layer.insert(1, _bar_layer(bars))
    heading = title or tr("{outcome}: what would change the decision", outcome=effect.outcome)
    caption = f"{decided} " + tr(
        "Bars: where the effect may lie, all else as it is, before another decision would be taken; pink "
        "where one ends within the effect's own 95% interval. An arm of a study of several arms moves "
        "against all its others."
    )
    if further:
        caption += " " + tr("The nearest {n} of {all}.", n=str(len(given)), all=str(len(given) + further))
    return finish(
        drawn,
        name="threshold_forest",
        title=heading,
        caption=caption,
        description=f"{heading}. {len(given)} rows. {decided}",
        tables={
            "rows": (
                "label", "estimate", "ci_lower", "ci_upper", "below", "invariant_lower", "invariant_upper",
                "above",
            )
        },
        width=table.width,
        cuts=table.cuts,
    )  # fmt: skip


def _row(row: Mapping[str, Any], effect: Effect, digits: int) -> dict[str, Any]:
    stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
    near = bool(row["near_lower"] or row["near_upper"])
    names = ("invariant_lower", "invariant_upper")
    return {
        "kind": "point",
        "label": row["label"],
        "bold": near,
        "effect_text": effect.estimate_text(*stored, digits),
        "invariant_text": row["invariant_text"],
        "below": row["below"],
        "above": row["above"],
        "invariant_lower": effect.shown(row["invariant_lower"]),
        "invariant_upper": effect.shown(row["invariant_upper"]),
        "stored": stored,
        "ends": [(row["estimate"], row[name], bool(row[f"near_{name[10:]}"])) for name in names],
        "color": INK,
        "href": row.get("href"),
    }


def _place(
    rows: list[dict[str, Any]], given: Sequence[Mapping[str, Any]], effect: Effect
) -> tuple[float, float]:
    """Give rows their places and an axis that holds the intervals, and ends of bars that are not far off."""
    place(rows)
    domain = effect.domain(*zip(*(row["stored"] for row in rows if "stored" in row))) if rows else (-1.0, 1.0)
    ends = [row[name] for row in given for name in ("invariant_lower", "invariant_upper")]
    domain = widened(domain, [(end, end) for end in ends if not missing(end)])
    cut_to_axis(rows, effect, domain)
    return domain


def _bars(row: dict[str, Any], effect: Effect, domain: tuple[float, float]) -> list[dict[str, Any]]:
    """Halves of an invariant interval, below and above the estimate, cut where the axis ends."""
    found = []
    for (estimate, limit, near), end in zip(row.pop("ends"), domain):
        ends = sorted(
            min(max(value, domain[0]), domain[1]) for value in (estimate, end if missing(limit) else limit)
        )
        found.append(
            {
                "from": effect.shown(ends[0]),
                "to": effect.shown(ends[1]),
                "top": row["y"] - _BAR / 2,
                "bottom": row["y"] + _BAR / 2,
                "fill": NEAR if near else SAFE,
            }
        )
    return found


def _bar_layer(bars: Sequence[Mapping[str, Any]]) -> Any:
    return (
        alt.Chart(dataset(bars, "bars"))
        .mark_rect(opacity=1, aria=False)
        .encode(
            x=alt.X("from:Q"),
            x2=alt.X2("to:Q"),
            y=down("top"),
            y2=alt.Y2("bottom"),
            color=alt.Color("fill:N", scale=None),
        )
    )


def threshold_region(
    corners: pd.DataFrame,
    *,
    effect: Effect,
    axes: tuple[str, str],
    windows: tuple[tuple[float, float], tuple[float, float]],
    decided: str,
    title: str | None = None,
) -> Any:
    """Draw the changes of two effects together that leave a decision as it is.

    Parameters
    ----------
    corners : DataFrame
        x, y (changes on the analysis scale) of each corner in order, and `beyond`, the printed name of what
        would be decided beyond the edge from it to the next; empty where only the window ends it.
    effect : Effect
        What is estimated.
    axes : (str, str)
        What changes along x and along y.
    windows : ((low, high), (low, high))
        Changes shown, on the analysis scale.
    decided : str
        What is decided, in words.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
        As in Phillippo et al. 2018, figure 5.
    """
    given = records(corners)
    shown = [
        {"x": effect.shown(row["x"]), "y": effect.shown(row["y"]), "order": place, "beyond": row["beyond"]}
        for place, row in enumerate(given)
    ]
    titles = [wrap(tr("Change of {what}", what=name), _SIDE) for name in axes]
    x = effect.x("x", windows[0], title=titles[0], most=7)
    y = effect.y("y", windows[1], title=titles[1], most=7)
    area = (
        alt.Chart(dataset(shown, "corners"))
        .mark_line(interpolate="linear-closed", strokeWidth=0, fill=SAFE, fillOpacity=0.8)
        .encode(x=x, y=y, order=alt.Order("order:Q"))
    )
    lines = [
        {"x": here["x"], "y": here["y"], "x2": there["x"], "y2": there["y"]}
        for here, there in zip(shown, [*shown[1:], *shown[:1]])
        if here["beyond"]
    ]
    drawn = (
        alt.Chart(dataset(lines, "edges"))
        .mark_rule(color=INK, strokeWidth=1.4)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), x2=alt.X2("x2"), y2=alt.Y2("y2"))
    )
    edges, points = _edges(given, windows)
    beside, room = names_beside(points, _SIDE, _SIDE)
    null = effect.null
    cross = [
        alt.Chart(dataset([{"at": null}], "no_change"))
        .mark_rule(color=MUTED, strokeDash=[4, 3], aria=False)
        .encode(**{axis: channel})
        for axis, channel in (("x", alt.X("at:Q")), ("y", alt.Y("at:Q")))
    ]
    frame_ = alt.Chart(alt.InlineData(values=[{}])).mark_rect(
        x=0, x2=_SIDE, y=0, y2=_SIDE, fill=None, stroke=FAINT, aria=False
    )
    heading = title or tr("{outcome}: two effects changed at once", outcome=effect.outcome)
    caption = f"{decided} " + tr(
        "Within the shaded region both effects may change together, all else as it is, without another "
        "decision; beyond an edge it would be the one named."
    )
    return finish(
        alt.layer(frame_, area, drawn, *cross, *beside).properties(width=_SIDE, height=_SIDE),
        name="threshold_region",
        title=heading,
        caption=caption,
        description=f"{heading}: {axes[0]}; {axes[1]}. {decided} "
        + " ".join(f"{name}." for name in dict.fromkeys(edges)),
        tables={"corners": ("x", "y", "beyond")},
        width=_SIDE + room,
    )


def _edges(
    given: Sequence[Mapping[str, Any]], windows: tuple[tuple[float, float], tuple[float, float]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Name the edges beyond which another decision lies: the longest of each, at its middle, in pixels."""
    (x0, x1), (y0, y1) = windows
    longest: dict[str, tuple[float, dict[str, Any]]] = {}
    for here, there in zip(given, [*given[1:], *given[:1]]):
        if not here["beyond"]:
            continue
        ends = [((p["x"] - x0) / (x1 - x0), (y1 - p["y"]) / (y1 - y0)) for p in (here, there)]
        length = (ends[0][0] - ends[1][0]) ** 2 + (ends[0][1] - ends[1][1]) ** 2
        middle = {
            "x": _SIDE * (ends[0][0] + ends[1][0]) / 2,
            "y": _SIDE * (ends[0][1] + ends[1][1]) / 2,
            "label": here["beyond"],
        }
        if length > longest.get(here["beyond"], (-1.0, {}))[0]:
            longest[here["beyond"]] = (length, middle)
    return list(longest), [point for _, point in longest.values()]
