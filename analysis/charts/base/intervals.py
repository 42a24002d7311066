"""What forest plots of every kind share: rows in their places, intervals, diamonds, axis and direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.layout import ROW, Table, favours, linked, pixels, row_y
from analysis.charts.base.theme import COMMON, INK, MUTED, PREDICTION, RANDOM, STUDY, dataset, missing

MODELS = {"common": "Common effect", "random": "Random effects"}
"""Printed names of the models."""

PANEL = 300

_SQUARE = 150.0


def turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make B minus A of a row of ``result_estimate`` that holds A minus B."""

    def minus(value: Any) -> Any:
        return None if missing(value) else -value

    return {
        **row,
        "treatment": row["versus"],
        "versus": row["treatment"],
        "estimate": minus(row["estimate"]),
        "ci_lower": minus(row["ci_upper"]),
        "ci_upper": minus(row["ci_lower"]),
        "pi_lower": minus(row.get("pi_upper")),
        "pi_upper": minus(row.get("pi_lower")),
    }


def place(rows: list[dict[str, Any]]) -> None:
    """Give every row its place in pixels, its ink and its colour."""
    y = 0.0
    for row in rows:
        row["y"] = row_y(y)
        row["ink"] = MUTED if row["kind"] == "note" else INK
        row.setdefault("color", PREDICTION if row["kind"] == "prediction" else STUDY)
        y += 0.5 if row["kind"] == "gap" else 1


def pooled_row(row: Mapping[str, Any], effect: Effect, digits: int, label: str) -> dict[str, Any]:
    """Make the row of a pooled effect: a diamond."""
    stored = (row["estimate"], row["ci_lower"], row["ci_upper"])
    return {
        "kind": "pooled",
        "label": label,
        "model": row.get("model"),
        "bold": True,
        "effect_text": effect.estimate_text(*stored, digits),
        "stored": stored,
        "color": COMMON if row.get("model") == "common" else RANDOM,
        "href": row.get("href"),
    }


def holding(domain: tuple[float, float], rows: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Widen the axis for prediction intervals, at most to twice its length."""
    lower, upper = domain
    span = upper - lower
    for row in rows:
        _, low, high = row["stored"]
        lower = min(lower, max(low - 0.02 * span, domain[0] - span / 2))
        upper = max(upper, min(high + 0.02 * span, domain[1] + span / 2))
    return (lower, upper)


def fit(rows: Iterable[dict[str, Any]], effect: Effect, domain: tuple[float, float]) -> list[dict[str, Any]]:
    """Add to each row what is drawn of it: numbers as shown, cut where the axis ends.

    Returns the corners of the diamonds.
    """
    low_end, high_end = domain
    corners: list[dict[str, Any]] = []
    for row in rows:
        if not row.get("stored"):
            row.pop("stored", None)
            row.pop("predicted", None)
            continue
        estimate, lower, upper = row.pop("stored")
        predicted = row.pop("predicted", None)
        row |= {
            "estimate": effect.shown(estimate),
            "ci_lower": effect.shown(lower),
            "ci_upper": effect.shown(upper),
            "from": effect.shown(min(max(lower, low_end), high_end)),
            "to": effect.shown(max(min(upper, high_end), low_end)),
            "arrow_left": lower < low_end,
            "arrow_right": upper > high_end,
            "inside": estimate is not None and low_end <= estimate <= high_end,
        }
        if predicted:
            row |= {
                "pi_lower": effect.shown(predicted[0]),
                "pi_upper": effect.shown(predicted[1]),
                "pi_from": effect.shown(min(max(predicted[0], low_end), high_end)),
                "pi_to": effect.shown(max(min(predicted[1], high_end), low_end)),
                "arrow_left": row["arrow_left"] or predicted[0] < low_end,
                "arrow_right": row["arrow_right"] or predicted[1] > high_end,
            }
        if row["kind"] == "pooled":
            corners += [
                {
                    "x": effect.shown(x),
                    "y": row["y"] - rise,
                    "order": order,
                    "row": row["y"],
                    "color": row["color"],
                }
                for order, (x, rise) in enumerate(diamond(estimate, lower, upper, domain))
            ]
        if row["kind"] == "prediction":
            row["estimate"] = None
    return corners


def areas(rows: Iterable[dict[str, Any]], weight: str | None) -> None:
    """Make the squares' areas proportional to the studies' weights."""
    studies = [row for row in rows if row["kind"] == "study" and "from" in row]
    largest = max((row[weight] for row in studies if weight and not missing(row.get(weight))), default=None)
    for row in studies:
        row["area"] = (
            _SQUARE * row[weight] / largest if weight and largest and not missing(row.get(weight)) else 40.0
        )


def draw(
    table: Table,
    effect: Effect,
    domain: tuple[float, float],
    corners: Sequence[Mapping[str, Any]],
    sides: tuple[str, str],
    pooled: Mapping[str, Any] | None = None,
    last: float | None = None,
    further: Sequence[Any] = (),
    extra: float = 0.0,
) -> Any:
    """Put text columns, axis, intervals and the words about direction together.

    `sides` are the treatments compared, `last` where the dashed line at the pooled effect ends, `further`
    layers that take `extra` pixels on the right.
    """
    panel = (table.origin, table.origin + table.panel)
    null = panel[0] - domain[0] / (domain[1] - domain[0]) * table.panel
    return alt.layer(
        *_reference(table, effect, domain, table.height if last is None else last, pooled),
        *table.layers(),
        *_intervals(table, effect, domain, corners),
        *favours(effect.favours(*sides), null, panel, table.height + 54),
        *further,
    ).properties(width=table.width + extra, height=table.height)


def _reference(
    table: Table,
    effect: Effect,
    domain: tuple[float, float],
    last: float,
    pooled: Mapping[str, Any] | None,
) -> list[Any]:
    """Axis, solid line at no effect, dashed line at the pooled effect."""
    null = dataset([{"x": effect.null}], "null")
    panel = (table.origin, table.origin + table.panel)
    x = effect.x("x", domain, pixels=panel, grid=False, orient="bottom", offset=4)
    layers = [
        alt.Chart(null)
        .mark_rule(color=MUTED, aria=False)
        .encode(x=x, y=alt.YValue(0), y2=alt.Y2Value(table.height + 4))
    ]
    if (
        pooled is not None
        and not missing(pooled.get("estimate"))
        and domain[0] <= pooled["estimate"] <= domain[1]
    ):
        layers.append(
            alt.Chart(dataset([{"x": effect.shown(pooled["estimate"])}], "pooled_line"))
            .mark_rule(color=RANDOM, strokeDash=[3, 3], opacity=0.7, aria=False)
            .encode(x=alt.X("x:Q"), y=alt.YValue(0), y2=alt.Y2Value(last))
        )
    return layers


def _intervals(
    table: Table, effect: Effect, domain: tuple[float, float], corners: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Lines, squares, points, diamonds, prediction bars and arrowheads of the rows."""
    data = dataset(table.rows, table.name)
    base = alt.Chart(data)
    kinds = {row["kind"] for row in table.rows if "from" in row}
    color = alt.Color("color:N", scale=None)
    tooltip = [
        alt.Tooltip("label:N", title="Row"),
        alt.Tooltip("effect_text:N", title=effect.name),
    ]
    if any("weight_random_text" in row for row in table.rows):
        tooltip.append(alt.Tooltip("weight_random_text:N", title="Weight"))
    href = linked(table.rows)
    layers: list[Any] = []
    if any("pi_from" in row for row in table.rows):
        layers.append(
            base.transform_filter("isValid(datum.pi_from)")
            .mark_rule(strokeWidth=1, color=PREDICTION, aria=False)
            .encode(x=alt.X("pi_from:Q"), x2=alt.X2("pi_to:Q"), y=pixels())
        )
    if kinds & {"study", "point"}:
        layers.append(
            base.transform_filter("datum.kind == 'study' || datum.kind == 'point'")
            .transform_filter("isValid(datum.from)")
            .mark_rule(strokeWidth=1.4, aria=False)
            .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q"), y=pixels(), color=color)
        )
    if "prediction" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'prediction'")
            .mark_rule(strokeWidth=5, color=PREDICTION, opacity=0.75)
            .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q"), y=pixels(), tooltip=tooltip)
        )
    for side, shape, end in (("left", "triangle-left", domain[0]), ("right", "triangle-right", domain[1])):
        if any(row.get(f"arrow_{side}") for row in table.rows):
            layers.append(
                base.transform_filter(f"datum.arrow_{side}")
                .transform_calculate(end=str(effect.shown(end)))
                .mark_point(shape=shape, filled=True, size=44, opacity=1, aria=False)
                .encode(
                    x=alt.X("end:Q"),
                    y=pixels(),
                    color=alt.ColorValue(INK),
                )
            )
    if "study" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'study' && datum.inside")
            .mark_square(opacity=1)
            .encode(
                x=alt.X("estimate:Q"),
                y=pixels(),
                size=alt.Size("area:Q", scale=None, legend=None),
                color=alt.ColorValue(STUDY),
                tooltip=tooltip,
                **href,
            )
        )
    if "point" in kinds:
        layers.append(
            base.transform_filter("datum.kind == 'point' && datum.inside")
            .mark_circle(opacity=1, size=58)
            .encode(x=alt.X("estimate:Q"), y=pixels(), color=color, tooltip=tooltip, **href)
        )
    if corners:
        layers.append(
            alt.Chart(dataset(corners, "diamonds"))
            .mark_line(interpolate="linear-closed", strokeWidth=1, fillOpacity=1, strokeJoin="miter")
            .encode(
                x=alt.X("x:Q"),
                y=pixels(),
                order=alt.Order("order:O"),
                detail=alt.Detail("row:N"),
                fill=alt.Fill("color:N", scale=None),
                stroke=alt.Stroke("color:N", scale=None),
            )
        )
    return layers


def diamond(
    estimate: float, lower: float, upper: float, domain: tuple[float, float], height: float = 0.38 * ROW
) -> list[tuple[float, float]]:
    """Corners of a diamond from `lower` to `upper`, cut off where the axis ends.

    Parameters
    ----------
    estimate, lower, upper : float
        Where it is highest, and its tips, on the stored scale.
    domain : tuple of float
        Ends of the axis.
    height : float
        Half its height in pixels.

    Returns
    -------
    list of (x, pixels above the middle)
        In drawing order; empty where nothing of it lies on the axis.
    """

    def rise(x: float) -> float:
        side = (
            (x - lower) / (estimate - lower)
            if x < estimate
            else (upper - x) / (upper - estimate)
            if x > estimate
            else 1.0
        )
        return height * side

    start, end = max(lower, domain[0]), min(upper, domain[1])
    if start > end:
        return []
    xs = [start, *([estimate] if start < estimate < end else []), end]
    return [(x, rise(x)) for x in xs] + [(x, -rise(x)) for x in reversed(xs)]
