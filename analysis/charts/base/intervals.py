"""What forest plots of every kind share: rows in their places, intervals, diamonds, axis and direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.layout import down, favours, linked, own_color
from analysis.charts.base.panel_table import ROW, PanelTable, row_y
from analysis.charts.base.theme import COMMON, INK, MUTED, PREDICTION, RANDOM, STUDY, dataset, missing
from analysis.language.catalog import marked

MODELS = {"common": marked("Common effect"), "random": marked("Random effects")}
"""Printed names of the models, in English."""

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


def widened(domain: tuple[float, float], predicted: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Widen the axis for prediction intervals, at most to twice its length."""
    lower, upper = domain
    span = upper - lower
    for low, high in predicted:
        lower = min(lower, max(low - 0.02 * span, domain[0] - span / 2))
        upper = max(upper, min(high + 0.02 * span, domain[1] + span / 2))
    return (lower, upper)


def arrange(rows: list[dict[str, Any]], effect: Effect) -> tuple[tuple[float, float], list[dict[str, Any]]]:
    """Give rows their places and an axis that holds what is `stored` in them, and cut them to it.

    Returns
    -------
    domain : tuple of float
        Ends of the axis.
    corners : list of dict
        Of the diamonds.
    """
    place(rows)
    drawn = [row["stored"] for row in rows if row.get("stored")]
    domain = effect.domain(*zip(*drawn)) if drawn else (-1.0, 1.0)
    domain = widened(domain, [row["predicted"] for row in rows if row.get("predicted")])
    return domain, cut_to_axis(rows, effect, domain)


def cut_to_axis(
    rows: Iterable[dict[str, Any]], effect: Effect, domain: tuple[float, float]
) -> list[dict[str, Any]]:
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


@dataclass(frozen=True)
class Forest:
    """Text columns around intervals on an axis of effects.

    Attributes
    ----------
    table : PanelTable
        Rows that `cut_to_axis` has seen, and their columns.
    effect : Effect
        What the axis shows.
    domain : tuple of float
        Its ends.
    corners : sequence of mapping
        Of the diamonds.
    most : int
        Upper limit of the number of ticks.
    """

    table: PanelTable
    effect: Effect
    domain: tuple[float, float]
    corners: Sequence[Mapping[str, Any]]
    most: int = 6

    @property
    def panel(self) -> tuple[float, float]:
        """Left and right end of the axis in pixels."""
        return (self.table.origin, self.table.origin + self.table.panel)

    def draw(
        self,
        sides: tuple[str, str],
        *,
        pooled: Mapping[str, Any] | None = None,
        last: float | None = None,
        further: Sequence[Any] = (),
        extra: float = 0.0,
    ) -> Any:
        """Put text columns, axis, intervals and the words about direction together.

        Parameters
        ----------
        sides : tuple of str
            The treatments compared.
        pooled : mapping, optional
            Row whose estimate has a dashed line.
        last : float, optional
            Where that line ends; beneath the last row without it.
        further : sequence of altair charts
            Layers beside the table.
        extra : float
            Pixels that these take on the right.
        """
        table = self.table
        null = self.panel[0] - self.domain[0] / (self.domain[1] - self.domain[0]) * table.panel
        return alt.layer(
            *self._reference(table.height if last is None else last, pooled),
            *table.layers(),
            *self._intervals(),
            *favours(self.effect.favours(*sides), null, self.panel, table.height + 54),
            *further,
        ).properties(width=table.width + extra, height=table.height)

    def _reference(self, last: float, pooled: Mapping[str, Any] | None) -> list[Any]:
        """Axis, solid line at no effect, dashed line at the pooled effect."""
        effect, (start, end) = self.effect, self.domain
        x = effect.x(
            "x", self.domain, most=self.most, pixels=self.panel, grid=False, orient="bottom", offset=4
        )
        layers = [
            alt.Chart(dataset([{"x": effect.null}], "null"))
            .mark_rule(color=MUTED, aria=False)
            .encode(x=x, y=alt.YValue(0), y2=alt.Y2Value(self.table.height + 4))
        ]
        if pooled is not None and not missing(pooled.get("estimate")) and start <= pooled["estimate"] <= end:
            layers.append(
                alt.Chart(dataset([{"x": effect.shown(pooled["estimate"])}], "pooled_line"))
                .mark_rule(color=RANDOM, strokeDash=[3, 3], opacity=0.7, aria=False)
                .encode(x=alt.X("x:Q"), y=alt.YValue(0), y2=alt.Y2Value(last))
            )
        return layers

    def _intervals(self) -> list[Any]:
        """Lines, squares, points, diamonds, prediction bars and arrowheads of the rows."""
        rows = self.table.rows
        base = alt.Chart(dataset(rows, self.table.name))
        kinds = {row["kind"] for row in rows if "from" in row}
        tooltip = [
            alt.Tooltip("label:N", title="Row"),
            alt.Tooltip("effect_text:N", title=self.effect.name),
        ]
        if any("weight_random_text" in row for row in rows):
            tooltip.append(alt.Tooltip("weight_random_text:N", title="Weight"))
        return [
            *self._lines(base, kinds, tooltip),
            *self._arrowheads(base),
            *self._marks(base, kinds, tooltip),
            *self._diamonds(),
        ]

    def _lines(self, base: alt.Chart, kinds: set[str], tooltip: list[alt.Tooltip]) -> list[Any]:
        """Draw prediction intervals beneath intervals, and those that have rows of their own as bars."""
        across = {"x": alt.X("from:Q"), "x2": alt.X2("to:Q"), "y": down()}
        layers: list[Any] = []
        if any("pi_from" in row for row in self.table.rows):
            layers.append(
                base.transform_filter("isValid(datum.pi_from)")
                .mark_rule(strokeWidth=1, color=PREDICTION, aria=False)
                .encode(x=alt.X("pi_from:Q"), x2=alt.X2("pi_to:Q"), y=down())
            )
        if kinds & {"study", "point"}:
            layers.append(
                base.transform_filter("datum.kind == 'study' || datum.kind == 'point'")
                .transform_filter("isValid(datum.from)")
                .mark_rule(strokeWidth=1.4, aria=False)
                .encode(**across, color=own_color())
            )
        if "prediction" in kinds:
            layers.append(
                base.transform_filter("datum.kind == 'prediction'")
                .mark_rule(strokeWidth=5, color=PREDICTION, opacity=0.75)
                .encode(**across, tooltip=tooltip)
            )
        return layers

    def _arrowheads(self, base: alt.Chart) -> list[Any]:
        """Draw an arrowhead at the end of the axis where an interval goes on."""
        return [
            base.transform_filter(f"datum.arrow_{side}")
            .transform_calculate(end=str(self.effect.shown(end)))
            .mark_point(shape=f"triangle-{side}", filled=True, size=44, opacity=1, aria=False)
            .encode(x=alt.X("end:Q"), y=down(), color=alt.ColorValue(INK))
            for side, end in zip(("left", "right"), self.domain)
            if any(row.get(f"arrow_{side}") for row in self.table.rows)
        ]

    def _marks(self, base: alt.Chart, kinds: set[str], tooltip: list[alt.Tooltip]) -> list[Any]:
        """Draw estimates: squares of studies by their weight, discs of all else."""
        shared = {"x": alt.X("estimate:Q"), "y": down(), "tooltip": tooltip, **linked(self.table.rows)}
        layers: list[Any] = []
        if "study" in kinds:
            layers.append(
                base.transform_filter("datum.kind == 'study' && datum.inside")
                .mark_square(opacity=1)
                .encode(
                    size=alt.Size("area:Q", scale=None, legend=None), color=alt.ColorValue(STUDY), **shared
                )
            )
        if "point" in kinds:
            layers.append(
                base.transform_filter("datum.kind == 'point' && datum.inside")
                .mark_circle(opacity=1, size=58)
                .encode(color=own_color(), **shared)
            )
        return layers

    def _diamonds(self) -> list[Any]:
        if not self.corners:
            return []
        return [
            alt.Chart(dataset(self.corners, "diamonds"))
            .mark_line(interpolate="linear-closed", strokeWidth=1, fillOpacity=1, strokeJoin="miter")
            .encode(
                x=alt.X("x:Q"),
                y=down(),
                order=alt.Order("order:O"),
                detail=alt.Detail("row:N"),
                fill=alt.Fill("color:N", scale=None),
                stroke=alt.Stroke("color:N", scale=None),
            )
        ]


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
