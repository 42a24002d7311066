"""Specification curves: what every defensible analysis found, and how each decided.

Simonsohn et al. (2020, Nat Hum Behav 4:1208-1214).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import ALARM, INK, MUTED, STUDY, count, dataset, finish, printed, records
from analysis.language.catalog import marked, tr

if TYPE_CHECKING:
    import pandas as pd

MOST = 500
"""Cells that a curve draws: of more an even sample, the planned one always in it."""
_WIDTH, _HEIGHT, _ROW = 560, 230, 14
_KEPT, _UNCLEAR, _OPPOSITE = marked("as planned"), marked("another"), marked("the opposite")
_COLORS = {_KEPT: STUDY, _UNCLEAR: "#9aa3ad", _OPPOSITE: ALARM}
_AGAINST = {"above": "below", "below": "above"}


def specification_curve(
    cells: pd.DataFrame,
    levels: pd.DataFrame,
    *,
    effect: Effect,
    treatment: str,
    versus: str,
    ranks: bool = False,
    title: str | None = None,
) -> Any:
    """Draw the cells of a multiverse in the order of their effects, above what each decided.

    Parameters
    ----------
    cells : DataFrame
        Rows of ``result_multiverse`` of one treatment and comparator, those without an estimate left out.
        Drawn are the cells in the planned measure, whose effects share a scale; with `ranks` all.
    levels : DataFrame
        Rows of ``result_multiverse_choice``.
    effect : Effect
        What the planned analysis estimates.
    treatment, versus : str
        Keys of the treatments compared.
    ranks : bool
        Draw the SUCRA (or P-score) of `treatment` instead of its effect.
    title : str, optional
        Without it, outcome, comparison and kind.

    Returns
    -------
    altair chart
    """
    given = records(cells)
    planned = next(row for row in given if row["planned"])
    shown = [row for row in given if ranks or row["measure"] == planned["measure"]]
    field = "sucra" if ranks else "estimate"
    shown.sort(key=lambda row: (row[field], row["cell"]))
    total, shown = len(shown), _sampled(shown)
    place = {row["cell"]: i for i, row in enumerate(shown, 1)}
    points = [_point(row, place[row["cell"]], planned, effect, ranks) for row in shown]
    ticks, rows = _decisions(records(levels), place, {point["cell"]: point["said"] for point in points})
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0.5, len(shown) + 0.5], nice=False))
    color = alt.Color(
        "said:N",
        scale=alt.Scale(domain=[tr(name) for name in _COLORS], range=list(_COLORS.values())),
        legend=alt.Legend(
            title=tr("Conclusion of the interval"), orient="top", symbolType="square", symbolOpacity=1
        ),
    )
    names = ("estimate", "ci_lower", "ci_upper")
    domain = effect.domain(*([row[name] for row in shown] for name in names))
    curve = _curve(points, x, color, effect, None if ranks else domain)
    decided = (
        alt.Chart(dataset(ticks, "choices"))
        .mark_tick(thickness=max(1.0, min(4.0, 0.7 * _WIDTH / len(shown))), height=_ROW - 4, aria=False)
        .encode(x=x, y=_rows_axis(rows), color=color)
        .properties(width=_WIDTH, height=_ROW * len(rows))
    )
    heading = title or tr(
        "{outcome}: {a} versus {b}, specification curve",
        outcome=effect.outcome, a=effect.label(treatment), b=effect.label(versus),
    )  # fmt: skip
    kept = sum(point["said"] == tr(_KEPT) for point in points)
    return finish(
        alt.vconcat(curve, decided, spacing=6),
        name="specification_curve",
        title=heading,
        caption=_caption(len(shown), total, len(given), ranks),
        description=tr(
            "{heading}: {kept} of {n} analyses drawn say of no effect what the planned one says.",
            heading=heading, kept=count(kept), n=count(len(points)),
        ),
        tables={
            "cells": ("cell", "planned", "estimate", "ci_lower", "ci_upper", "sucra", "said"),
            "choices": ("cell", "row"),
        },
        width=_WIDTH,
    )  # fmt: skip


def _sampled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep every so many-th of rows in their order, the planned one always."""
    step = max(1, -(-len(rows) // MOST))
    return [row for i, row in enumerate(rows) if i % step == 0 or row["planned"]]


def _point(
    row: Mapping[str, Any], x: int, planned: Mapping[str, Any], effect: Effect, ranks: bool
) -> dict[str, Any]:
    same = row["conclusion"] == planned["conclusion"]
    opposite = row["conclusion"] == _AGAINST.get(planned["conclusion"])
    said = _KEPT if same else _OPPOSITE if opposite else _UNCLEAR
    return {
        "cell": row["cell"],
        "planned": bool(row["planned"]),
        "x": x,
        "estimate": effect.shown(row["estimate"]),
        "ci_lower": effect.shown(row["ci_lower"]),
        "ci_upper": effect.shown(row["ci_upper"]),
        "sucra": row["sucra"],
        "said": tr(said),
    }


def _curve(
    points: Sequence[Mapping[str, Any]],
    x: alt.X,
    color: alt.Color,
    effect: Effect,
    domain: tuple[float, float] | None,
) -> Any:
    """Draw effects with their intervals within a domain, or SUCRAs without one."""
    data = dataset(points, "cells")
    own = alt.Chart(dataset([point for point in points if point["planned"]], "planned"))
    if domain is None:
        axis = alt.Axis(title=tr("SUCRA or P-score"), format=".0%", grid=False)
        y = alt.Y("sucra:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)
        layers = [alt.Chart(data).mark_circle(size=16, opacity=1).encode(x=x, y=y, color=color)]
    else:
        y = effect.y("estimate", domain, grid=False)
        null = alt.Chart(dataset([{"y": effect.null}], "null")).mark_rule(color="#b8c0c8", aria=False)
        rules = alt.Chart(data).mark_rule(opacity=0.45, clip=True, aria=False)
        layers = [
            null.encode(y=alt.Y("y:Q")),
            rules.encode(x=x, y=effect.y("ci_lower", domain, grid=False), y2="ci_upper:Q", color=color),
            alt.Chart(data).mark_circle(size=14, opacity=1).encode(x=x, y=y, color=color),
        ]
    layers.append(
        own.mark_point(shape="diamond", size=70, filled=False, color=INK, strokeWidth=1.6).encode(x=x, y=y)
    )
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)


def _decisions(
    levels: Sequence[Mapping[str, Any]], place: Mapping[int, int], said: Mapping[int, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Give ticks of the cells drawn, and their rows: choice by choice, the planned level first."""
    names: dict[tuple[str, int], str] = {}
    for row in levels:
        star = " *" if row["position"] == 1 else ""
        names[row["choice"], row["position"]] = printed(f"{row['choice']}: {row['level']}{star}")
    order = list(dict.fromkeys(row["choice"] for row in levels))
    rows = [name for choice in order for (of, _), name in sorted(names.items()) if of == choice]
    ticks = [
        {
            "cell": row["cell"],
            "x": place[row["cell"]],
            "row": names[row["choice"], row["position"]],
            "said": said[row["cell"]],
        }
        for row in levels
        if row["cell"] in place
    ]
    used = {tick["row"] for tick in ticks}
    drawn = {name: of for (of, _), name in names.items() if name in used}
    # A choice that all cells drawn decide alike has nothing to show.
    several = {of for of in order if sum(other == of for other in drawn.values()) > 1}
    kept = [row for row in rows if row in used and drawn[row] in several] or list(used)
    return [tick for tick in ticks if tick["row"] in kept], kept


def _rows_axis(rows: Sequence[str]) -> alt.Y:
    axis = alt.Axis(title=None, labelLimit=0, ticks=False, domain=False, grid=True, labelColor=MUTED)
    return alt.Y("row:N", sort=list(rows), scale=alt.Scale(domain=list(rows), padding=0), axis=axis)


def _caption(shown: int, total: int, every: int, ranks: bool) -> str:
    parts = [tr("Diamond and *: the planned analysis.")]
    if shown < total:
        parts.append(tr("An even sample of {n} of {of} analyses.", n=count(shown), of=count(total)))
    if not ranks and total < every:
        parts.append(
            tr("{n} analyses in other effect measures have a scale of their own.", n=count(every - total))
        )
    return " ".join(parts)
