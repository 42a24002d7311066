"""Evidence that is looked at repeatedly: the z of the studies so far between its monitoring bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from analysis.charts.base.theme import (
    ALARM,
    COMMON,
    FAINT,
    INK,
    MUTED,
    PREDICTION,
    STUDY,
    count,
    dataset,
    finish,
    number,
    percent,
)
from analysis.language.catalog import tr
from evidence.facts import NORMAL_975

_WIDTH, _HEIGHT = 480, 320
_HALO: dict[str, Any] = {"stroke": "white", "strokeWidth": 3}
_FURTHEST = 8.0
"""Bounds beyond this z are not drawn: no evidence gets there so early."""


def sequential_bounds(
    looks: Sequence[Mapping[str, Any]],
    *,
    required: Mapping[str, Any],
    units: str = "participants",
    title: str,
) -> Any:
    """Draw the z of the studies so far against bounds for looking repeatedly.

    Parameters
    ----------
    looks : sequence of mapping
        One a look: look (its year), information_fraction, z, and n, bound, futility where there are any.
    required : mapping
        information_required, diversity, alpha, power, and last_bound: where the bounds meet.
    units : str
        What n counts.
    title : str

    Returns
    -------
    altair chart
    """
    counted = all(look.get("n") is not None for look in looks)
    needed = float(required["information_required"])
    points = [
        dict(look) | {"x": look["n"] if counted else look["information_fraction"] * needed} for look in looks
    ]
    # Bounds are drawn up to where all is there, though it is not yet.
    short = [point for point in points if point["information_fraction"] < 1]
    end = {"x": needed, "bound": required["last_bound"], "futility": required["last_bound"]}
    lines = [
        {"x": point["x"], "z": sign * value, "line": f"{name} {sign:+d}", "kind": name}
        for name in ("bound", "futility")
        for sign in (1, -1)
        for point in (*short, end)
        if (value := point.get(name)) is not None and value <= _FURTHEST
    ]
    highest = max([abs(point["z"]) for point in points] + [line["z"] for line in lines] + [NORMAL_975])
    top = min(highest, 20.0) * 1.08
    x = alt.X(
        "x:Q",
        title=tr(units.capitalize()) if counted else tr("Information (1 / variance)"),
        scale=alt.Scale(domain=[0, max(needed, points[-1]["x"]) * 1.04], nice=False),
        axis=alt.Axis(grid=False, tickCount=6),
    )
    y = alt.Y(
        "z:Q",
        title="z",
        scale=alt.Scale(domain=[-top, top], nice=False, clamp=True),
        axis=alt.Axis(grid=False),
    )
    layers = [
        _rules([0.0], y, FAINT),
        _rules([NORMAL_975, -NORMAL_975], y, COMMON, [3, 3]),
        _rules([needed], x, MUTED, [6, 3]),
        *(_line([line for line in lines if line["kind"] == kind], kind, x, y, color)
          for kind, color in (("bound", ALARM), ("futility", PREDICTION))),
        *_path(points, x, y),
    ]  # fmt: skip
    size = f"{count(math.ceil(needed))} {tr(units)}" if counted else number(needed)
    caption = tr(
        "Red: bounds that keep the error of all looks at {alpha}; orange: futility; dashed grey: the bound "
        "of a single look. Upright: the information required, {size}, with diversity {diversity} and power "
        "{power}.",
        alpha=percent(required["alpha"], 0),
        size=size,
        diversity=percent(required["diversity"], 0),
        power=percent(required["power"], 0),
    )
    last = points[-1]
    return finish(
        alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        name="sequential_bounds",
        title=title,
        caption=caption,
        description=f"{title}: {len(points)} looks, z {last['z']:.2f} at the last, "
        f"{last['information_fraction']:.0%} of the required information.",
        tables={"looks": ("look", "n", "information_fraction", "z", "bound", "futility")},
        width=_WIDTH + 60,
    )  # fmt: skip


def _rules(places: Sequence[float], channel: Any, color: str, dash: Sequence[int] = (1, 0)) -> alt.Chart:
    """Lines across the whole picture."""
    name = "x" if isinstance(channel, alt.X) else "z"
    data = dataset([{name: place} for place in places], f"rules-{name}-{color}")
    encoding = {"x" if name == "x" else "y": channel}
    return alt.Chart(data).mark_rule(color=color, strokeDash=list(dash)).encode(**encoding)


def _line(rows: Sequence[Mapping[str, Any]], name: str, x: alt.X, y: alt.Y, color: str) -> alt.Chart:
    """Bounds of both sides."""
    return (
        alt.Chart(dataset([dict(row) for row in rows], f"{name}s"))
        .mark_line(color=color, strokeWidth=1.5, point=alt.OverlayMarkDef(color=color, size=14))
        .encode(x=x, y=y, detail="line:N")
    )


def _path(points: Sequence[Mapping[str, Any]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Draw the z so far, with the years of the first look and the last."""
    names = ("look", "n", "information_fraction", "z", "bound", "futility", "x")
    drawn = [{name: point.get(name) for name in names} for point in points]
    base = alt.Chart(dataset(drawn, "looks"))
    rising = len(points) > 1 and points[1]["z"] > points[0]["z"]
    ends: list[tuple[str, Any, dict[str, Any]]] = []
    if len(points) > 1:
        ends.append(("first", drawn[:1], {"dy": 12 if rising else -10, "align": "center"}))
    ends.append(("last", drawn[-1:], {"dx": 7, "align": "left"}))
    texts = [
        alt.Chart(dataset(rows, f"{name}-{halo}"))
        .mark_text(baseline="middle", color=INK, **where, **(_HALO if halo else {}))
        .encode(x=x, y=y, text="look:N")
        for name, rows, where in ends
        for halo in (True, False)
    ]
    return [
        base.mark_line(color=STUDY, strokeWidth=2).encode(x=x, y=y),
        base.mark_point(color=STUDY, filled=True, size=36, opacity=1).encode(x=x, y=y),
        *texts,
    ]
