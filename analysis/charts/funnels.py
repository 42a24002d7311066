"""Funnel plots: of one comparison with contours of significance, and of a whole network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.layout import across, down, favours, linked, texts_at, words
from analysis.charts.base.theme import (
    CATEGORIES,
    FAINT,
    MUTED,
    RANDOM,
    STUDY,
    dataset,
    decimals,
    finish,
    missing,
    records,
    text_width,
    ticks,
)
from analysis.language.catalog import tr
from evidence.facts import NORMAL_975

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _HEIGHT = 400, 320

# Two-sided p-value at the outer edge of each shade, the normal quantile there, its colour.
_SHADES = (("p < 0.01", None, "#f3f5f7"), ("0.01 to 0.05", 2.5758293035489004, "#e0e6eb"),
           ("0.05 to 0.10", NORMAL_975, "#c6d0d9"), ("p > 0.10", 1.6448536269514722, "#ffffff"))  # fmt: skip

_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def funnel(
    studies: pd.DataFrame,
    *,
    effect: Effect,
    pooled: float | None = None,
    contours: bool = True,
    title: str | None = None,
) -> Any:
    """Draw a funnel plot.

    Parameters
    ----------
    studies : DataFrame
        study, estimate, std_error; label and href where known.
    effect : Effect
        What is estimated.
    pooled : float, optional
        Pooled effect on the stored scale: centre of the pseudo 95 % limits.
    contours : bool
        Shade by the two-sided p-value against no effect: 0.10, 0.05, 0.01 (Peters et al. 2008).
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
        Standard error downwards; the most precise studies on top.

    Examples
    --------
    >>> import pandas as pd
    >>> from analysis import charts
    >>> rows = [("a", 0.2, 0.1), ("b", 0.5, 0.2), ("c", 0.1, 0.1)]
    >>> table = pd.DataFrame(rows, columns=["study", "estimate", "std_error"])
    >>> chart = charts.funnel(table, effect=charts.Effect("SMD", "Pain"), pooled=0.2)
    >>> [path.name for path in charts.save(chart, "funnel", formats=("csv",))]
    ['funnel.csv']
    """
    points = _points(records(studies), effect)
    heading = title or tr("{outcome}: funnel plot", outcome=effect.outcome)
    deepest, domain = _frame(points, 0.0 if pooled is None else pooled)
    layers: list[Any] = []
    if contours:
        layers += _contours(deepest, domain, effect)
    layers += _limits(pooled, deepest, effect)
    layers += _dots(points, domain, deepest, effect, effect.title, color=alt.value(STUDY))
    caption = [tr("Dashed: pseudo 95% limits around the pooled effect.")] if pooled is not None else []
    if contours:
        caption.append(tr("Shades: p-value of a study against no effect."))
    if effect.measure == "SMD":
        caption.append(
            tr(
                "The standard error of a standardised mean difference depends on the difference itself, "
                "so some "
                "asymmetry is built in."
            )
        )
    return finish(
        alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        name="funnel",
        title=heading,
        caption=" ".join(caption),
        description=f"{heading}: {len(points)} studies, effect across, standard error downwards.",
        tables={"studies": ("study", "label", "estimate", "std_error")},
        width=_WIDTH + 130,
    )


def comparison_adjusted_funnel(
    studies: pd.DataFrame, *, effect: Effect, order: Sequence[str], title: str | None = None
) -> Any:
    """Draw a network's funnel plot, each study about its own comparison's effect.

    Parameters
    ----------
    studies : DataFrame
        study, treatment, versus, estimate, std_error, centre: the comparison's effect, in the same direction.
    effect : Effect
        What is estimated.
    order : sequence of str
        Treatments in the order that gives every comparison its direction: an earlier minus a later one (for
        instance from the newest to the oldest). Without a meaningful order the sign of a study, and with it
        any asymmetry, is arbitrary (Chaimani and Salanti 2012), so it must be given, and the caption states
        it.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart

    Raises
    ------
    ValueError
        If a treatment is not in `order`.
    """
    given = _about_their_comparisons(records(studies), effect, order)
    points = _points(given, effect)
    heading = title or tr("{outcome}: comparison-adjusted funnel plot", outcome=effect.outcome)
    deepest, domain = _frame(points, 0.0)
    comparisons = sorted(dict.fromkeys(point["comparison"] for point in points))
    channels = _comparison_channels(comparisons)
    title_x = (
        tr("Study effect divided by its comparison's effect ({measure})")
        if effect.scale == "log"
        else tr("Study effect minus its comparison's effect ({measure})")
    ).format(measure=tr(effect.about.label))
    middle = -domain[0] / (domain[1] - domain[0]) * _WIDTH
    layers = [
        *_limits(0.0, deepest, effect),
        *_dots(points, domain, deepest, effect, title_x, **channels),
        *favours(effect.favours(tr("the earlier"), tr("the later")), middle, (0, _WIDTH), _HEIGHT + 52),
    ]
    names = [effect.label(treatment) for treatment in order]
    listed = ", ".join(names)
    room = max([text_width(name) for name in comparisons], default=0) if "shape" in channels else 0.0
    caption = tr(
        "Every comparison is an earlier versus a later treatment in this order: {order}. Dashed: pseudo "
        "95% limits.",
        order=listed,
    )
    if "shape" not in channels and text_width(listed) > 2 * _WIDTH:
        # A long order is a list of its own.
        layers.append(_order(names))
        room = max(text_width(f"00. {name}") for name in names)
        caption = tr(
            "Every comparison is an earlier versus a later treatment of the list on the right. Dashed: "
            "pseudo 95% "
            "limits."
        )
    return finish(
        alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        name="comparison_adjusted_funnel",
        title=heading,
        caption=caption,
        description=f"{heading}: {len(points)} contrasts of {len(comparisons)} comparisons. "
        f"Order of treatments: {listed}.",
        tables={"studies": ("study", "treatment", "versus", "estimate", "std_error")},
        width=_WIDTH + 40 + room,
    )


def _about_their_comparisons(
    rows: Sequence[Mapping[str, Any]], effect: Effect, order: Sequence[str]
) -> list[dict[str, Any]]:
    """Differences of studies from their comparison's effect, each an earlier minus a later treatment."""
    place = {treatment: index for index, treatment in enumerate(order)}
    given = []
    for row in rows:
        for treatment in (row["treatment"], row["versus"]):
            if treatment not in place:
                raise ValueError(f"The order of treatments does not name {treatment!r}")
        if missing(row.get("estimate")) or missing(row.get("std_error")) or missing(row.get("centre")):
            continue
        difference = row["estimate"] - row["centre"]
        first, second = row["treatment"], row["versus"]
        if place[first] > place[second]:
            first, second, difference = second, first, -difference
        given.append(
            {
                **row, "treatment": first, "versus": second, "estimate": difference,
                "comparison": tr("{a} vs {b}", a=effect.label(first), b=effect.label(second)),
            }
        )  # fmt: skip
    return given


def _comparison_channels(comparisons: Sequence[str]) -> dict[str, Any]:
    """Channels that tell comparisons apart by colour and shape; all alike where they are one or too many."""
    if not 1 < len(comparisons) <= len(CATEGORIES) * len(_SHAPES):
        return {"color": alt.value(STUDY)}
    looks = {
        "color": [CATEGORIES[index % len(CATEGORIES)] for index in range(len(comparisons))],
        "shape": [_SHAPES[index // len(CATEGORIES)] for index in range(len(comparisons))],
    }
    legend = alt.Legend(title=tr("Comparison"), columns=1 + len(comparisons) // 22)
    return {
        name: channel("comparison:N", scale=alt.Scale(domain=comparisons, range=looks[name]), legend=legend)
        for name, channel in (("color", alt.Color), ("shape", alt.Shape))
    }


def _order(names: Sequence[str]) -> Any:
    """List the treatments to the right of the plot by number, the first on top."""
    rows = [
        {"text": f"{index}. {name}", "x": _WIDTH + 30, "y": 22 + 15 * index}
        for index, name in enumerate(names, 1)
    ]
    return alt.layer(
        words([tr("Order of treatments")], _WIDTH + 30, 14, bold=True),
        texts_at(rows, "order", align="left", aria=False),
    )


def _points(rows: Sequence[Mapping[str, Any]], effect: Effect) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "label": row.get("label") or str(row["study"]),
            "stored": row["estimate"],
            "estimate": effect.shown(row["estimate"]),
        }
        for row in rows
        if not missing(row.get("estimate")) and not missing(row.get("std_error"))
    ]


def _frame(points: Sequence[Mapping[str, Any]], centre: float) -> tuple[float, tuple[float, float]]:
    """Give the largest standard error of the axis, and ends of the effect's axis that hold the funnel."""
    deepest = 1.05 * max((point["std_error"] for point in points), default=1.0)
    reach = max([NORMAL_975 * deepest, *(abs(point["stored"] - centre) for point in points)])
    # No effect, where the contours meet, stands within the axis, not at its end.
    lower, upper = min(centre - reach, -0.25 * reach), max(centre + reach, 0.25 * reach)
    margin = 0.04 * (upper - lower)
    return deepest, (lower - margin, upper + margin)


def _contours(deepest: float, domain: tuple[float, float], effect: Effect) -> list[Any]:
    corners = []
    for index, (_, quantile, color) in enumerate(_SHADES):
        if quantile is None:
            outline = [(domain[0], 0.0), (domain[1], 0.0), (domain[1], deepest), (domain[0], deepest)]
        else:
            outline = [(0.0, 0.0), (quantile * deepest, deepest), (-quantile * deepest, deepest)]
        corners += [
            {"shade": index, "order": order, "x": effect.shown(x), "y": y, "color": color}
            for order, (x, y) in enumerate(outline)
        ]
    key = [
        {"name": name, "x": _WIDTH + 18, "y": 10 + 20 * i, "color": color}
        for i, (name, _, color) in enumerate(_SHADES)
    ]
    base = alt.Chart(dataset(key, "key"))
    place = {"x": across(), "y": down()}
    swatches = alt.layer(
        base.mark_square(size=170, opacity=1, stroke=FAINT, strokeWidth=1, aria=False).encode(
            **place, fill=alt.Fill("color:N", scale=None)
        ),
        base.mark_text(align="left", dx=13, baseline="middle", aria=False).encode(
            **place, text=alt.Text("name:N")
        ),
    )
    return [
        alt.Chart(dataset(corners, "contours"))
        .mark_line(interpolate="linear-closed", fillOpacity=1, strokeWidth=0, clip=True, aria=False)
        .encode(
            x=alt.X("x:Q"),
            y=alt.Y("y:Q"),
            order=alt.Order("order:O"),
            detail=alt.Detail("shade:O"),
            fill=alt.Fill("color:N", scale=None),
        ),
        swatches,
    ]


def _limits(pooled: float | None, deepest: float, effect: Effect) -> list[Any]:
    null = (
        alt.Chart(dataset([{"x": effect.null}], "null"))
        .mark_rule(color=MUTED, aria=False)
        .encode(x=alt.X("x:Q"))
    )
    if pooled is None:
        return [null]
    ends = [
        {"side": side, "order": order, "x": effect.shown(pooled + side * NORMAL_975 * se), "y": se}
        for side in (-1, 0, 1)
        for order, se in enumerate((0.0, deepest))
    ]
    return [
        null,
        alt.Chart(dataset(ends, "limits"))
        .mark_line(color=RANDOM, strokeDash=[5, 4], strokeWidth=1, clip=True, aria=False)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), detail=alt.Detail("side:O"), order=alt.Order("order:O")),
    ]


def _dots(
    points: Sequence[Mapping[str, Any]],
    domain: tuple[float, float],
    deepest: float,
    effect: Effect,
    title: str,
    **channels: Any,
) -> list[Any]:
    values = ticks(0, deepest, 6)
    y = alt.Y(
        "std_error:Q",
        scale=alt.Scale(domain=[deepest, 0], nice=False, zero=False),
        axis=alt.Axis(values=values, format=f",.{decimals(values)}f", title=tr("Standard error"), grid=False),
    )
    return [
        alt.Chart(dataset(points, "studies"))
        .mark_point(filled=True, size=52, opacity=0.9, stroke="white", strokeWidth=0.7)
        .encode(
            x=effect.x("estimate", domain, title=title, grid=False),
            y=y,
            tooltip=[
                alt.Tooltip("label:N", title="Study"),
                alt.Tooltip("estimate:Q", title=effect.name, format=",.3g"),
                alt.Tooltip("std_error:Q", title="Standard error", format=",.3g"),
            ],
            **channels,
            **linked(points),
        )
    ]
