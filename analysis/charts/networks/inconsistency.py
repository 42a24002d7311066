"""Where a network's evidence comes from, where it disagrees, and which studies fit badly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.grid import Grid, cell_texts
from analysis.charts.base.layout import across, down, names_beside, own_color
from analysis.charts.base.theme import (
    ALARM,
    BLUE_RED,
    MUTED,
    STUDY,
    dataset,
    finish,
    ink_on,
    missing,
    number,
    percent,
    records,
)
from analysis.language.catalog import tr

if TYPE_CHECKING:
    import pandas as pd

_CELL = 30.0

_WIDTH, _HEIGHT = 400, 300
_FAR = 3
"""What a data point adds to DIC from which a study is named."""
_MOST_NAMES = 12


def net_heat(
    frame: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    title: str = "Net heat plot",
) -> Any:
    """Draw which designs drive the estimates of which, and which drive inconsistency.

    Parameters
    ----------
    frame : DataFrame
        One row per pair of designs: design, detached, contribution (0 to 1: of the direct evidence of
        `detached` to the network estimate of `design`), change (of the inconsistency Q of `design` when
        `detached` is relaxed).
    labels : mapping of str to str, optional
        Printed names of designs.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Grey squares by contribution; red raises, blue lowers inconsistency (Krahn, Binder and König 2013).
        Designs that act alike stand together, by complete linkage of their rows and columns; those that
        nothing else in the network can contradict are left out, and the caption says how many.
    """
    given = records(frame)
    designs, left_out = _clustered(given)
    names = [f"{index}  {(labels or {}).get(design, design)}" for index, design in enumerate(designs, 1)]
    grid = Grid(names, [str(index) for index in range(1, len(designs) + 1)], cell=_CELL, row=_CELL)
    given = [row for row in given if row["design"] in designs and row["detached"] in designs]
    largest = max((abs(row["change"]) for row in given if not missing(row.get("change"))), default=0) or 1.0
    cells = []
    for row in given:
        change = 0.0 if missing(row.get("change")) else row["change"]
        share = 0.0 if missing(row.get("contribution")) else min(abs(row["contribution"]), 1.0)
        cells.append(
            {
                **{key: row.get(key) for key in ("design", "detached", "contribution", "change")},
                **grid.cell_at(designs.index(row["design"]), designs.index(row["detached"])),
                "color": _diverging(change / largest),
                "area": share * (0.8 * min(grid.cell, grid.row)) ** 2,
            }
        )
    base = alt.Chart(dataset(cells, "designs"))
    squares = base.transform_filter("datum.area > 0").mark_square(color="#6e7781", opacity=0.75, aria=False)
    area = alt.Size("area:Q", scale=None, legend=None)
    return finish(
        grid.heat_map(
            base,
            over=squares.encode(x=across("middle"), y=down("center"), size=area),
            head="Design",
            gap=1,
            tooltip=[
                alt.Tooltip("design:N"),
                alt.Tooltip("detached:N"),
                alt.Tooltip("contribution:Q", format=".1%"),
                alt.Tooltip("change:Q"),
            ],
        ),
        name="net_heat",
        title=title,
        caption="Grey squares: how much the direct evidence of the column's design adds to the row's "
        "estimate. Red: detaching the column raises the row's inconsistency, blue lowers it "
        f"(strongest colour: {number(largest, 1)}). Columns have the numbers of the rows."
        + (
            f" Left out: {left_out} {'design' if left_out == 1 else 'designs'} that nothing can contradict."
            if left_out
            else ""
        ),
        description=f"{title} of {len(designs)} designs. Largest change: {number(largest, 1)}.",
        tables={"designs": ("design", "detached", "contribution", "change")},
        width=grid.width,
        cuts=grid.cuts,
    )


def _clustered(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], int]:
    """Order designs so that those that act alike stand together; count those that cannot be detached."""
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    every = list(dict.fromkeys(row["design"] for row in rows))
    kept = [
        design
        for design in every
        if any(row["detached"] == design and not missing(row.get("change")) for row in rows)
    ]
    if not kept:
        return every, 0
    place = {design: index for index, design in enumerate(kept)}
    change = np.zeros((len(kept), len(kept)))
    for row in rows:
        if row["design"] in place and row["detached"] in place and not missing(row.get("change")):
            change[place[row["design"]], place[row["detached"]]] = row["change"]
    if len(kept) > 2:
        distance = pdist(change, "cityblock") + pdist(change.T, "cityblock")
        kept = [kept[index] for index in leaves_list(linkage(distance, "complete"))]
    return kept, len(every) - len(kept)


def contributions(
    frame: pd.DataFrame,
    *,
    estimates: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
    algorithm: str = "",
    title: str = "Contribution of direct evidence",
) -> Any:
    """Draw what share of each estimate comes from which study or direct comparison.

    Parameters
    ----------
    frame : DataFrame
        estimate (a comparison), source (a study or a direct comparison), share (0 to 1; each estimate's
        sum to 1).
    estimates, sources : mapping of str to str, optional
        Printed names.
    algorithm : str
        How shares were computed; algorithms differ, so the caption says which.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Whichever there are more of, estimates or sources, are the rows.
    """
    given = [row for row in records(frame) if not missing(row.get("share"))]
    keys = [list(dict.fromkeys(row[key] for row in given)) for key in ("estimate", "source")]
    names = [[(labels or {}).get(k, k) for k in found] for labels, found in zip((estimates, sources), keys)]
    by_estimate = len(keys[0]) >= len(keys[1])
    if not by_estimate:
        names.reverse()
    grid = Grid(names[0], names[1], cell=52, row=22)
    cells = []
    for row in given:
        i, j = keys[0].index(row["estimate"]), keys[1].index(row["source"])
        if not by_estimate:
            i, j = j, i
        color = _sequential(row["share"])
        cells.append(
            {
                "estimate": row["estimate"], "source": row["source"], "share": row["share"],
                "text": percent(row["share"], 0) if row["share"] >= 0.005 else "", "color": color,
                "ink": ink_on(color), **grid.cell_at(i, j),
            }
        )  # fmt: skip
    base = alt.Chart(dataset(cells, "shares"))
    how = f" Computed by {algorithm}." if algorithm else ""
    return finish(
        grid.heat_map(
            base,
            over=cell_texts(base, fontSize=10),
            head=tr("Estimate") if by_estimate else tr("Source"),
            gap=1,
            tooltip=[
                alt.Tooltip("estimate:N"),
                alt.Tooltip("source:N"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        ),
        name="contributions",
        title=title,
        caption=(
            tr("Rows sum to 100%; shares below 0.5% are left blank.")
            if by_estimate
            else tr("Columns sum to 100%; shares below 0.5% are left blank.")
        )
        + how,
        description=f"{title}: {len(keys[0])} estimates from {len(keys[1])} sources.",
        tables={"shares": ("estimate", "source", "share")},
        width=grid.width,
        cuts=grid.cuts,
    )


def leverage(frame: pd.DataFrame, *, title: str = "Leverage plot") -> Any:
    """Draw how much each study pulls the model, against how badly the model fits it.

    Parameters
    ----------
    frame : DataFrame
        study, deviance (residual deviance of its data points), leverage (their share of pD), data_points (how
        many they are; 1 where the column is absent); sign of the residual where known; label where known. One
        row per study or per arm.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Signed root of the deviance across, leverage upwards, both per data point, with the parabolas
        x² + y = c: each data point of the study adds c to DIC; studies beyond c = 3, whose parabola is red,
        are named (Spiegelhalter et al. 2002).
    """
    points = _signed_roots(records(frame))
    reach = max([2.1, *(1.08 * abs(point["x"]) for point in points)])
    top = max([1.1, *(1.1 * point["y"] for point in points)])
    start = -reach if any(point["x"] < 0 for point in points) else 0.0
    far = sorted(
        (point for point in points if point["far"]), key=lambda point: -(point["x"] ** 2 + point["y"])
    )
    named = [
        {
            "label": point["label"],
            "x": (point["x"] - start) / (reach - start) * _WIDTH,
            "y": (1 - point["y"] / top) * _HEIGHT,
        }
        for point in far[:_MOST_NAMES]
    ]
    names, room = names_beside(named, _WIDTH, _HEIGHT)
    which = tr("Studies beyond 3 (red) fit badly or pull hard.") if far else tr("No study is beyond 3 (red).")
    if len(far) > _MOST_NAMES:
        which = tr(
            "The {some} furthest of {n} studies beyond 3 (red) are named.", some=_MOST_NAMES, n=len(far)
        )
    layers = [*_parabolas(both=start < 0), *names, _deviances(points, (start, reach), top)]
    return finish(
        alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        name="leverage",
        title=title,
        caption=tr("Dashed: x² + y = 1, 2, 3, 4, what each data point adds to DIC.") + f" {which}",
        description=f"{title}: {len(points)} points, beyond 3: "
        + (", ".join(str(point["label"]) for point in points if point["far"]) or "none")
        + ".",
        tables={"studies": ("study", "label", "deviance", "leverage", "data_points")},
        width=_WIDTH + max(room, 60),
    )


def _signed_roots(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Points of a leverage plot: x the signed root of the deviance, y the leverage, per data point."""
    points = []
    for row in rows:
        if missing(row.get("deviance")) or missing(row.get("leverage")):
            continue
        n = row.get("data_points", 1)
        x, y = math.sqrt(max(row["deviance"], 0.0) / n), row["leverage"] / n
        if not missing(row.get("sign")) and row["sign"] < 0:
            x = -x
        total = x * x + y
        points.append(
            {
                "study": row["study"], "label": row.get("label") or str(row["study"]),
                "deviance": row["deviance"],
                "leverage": row["leverage"], "data_points": n, "x": x, "y": y,
                "far": total > _FAR, "color": ALARM if total > _FAR else STUDY,
            }
        )  # fmt: skip
    return points


def _parabolas(both: bool) -> list[Any]:
    """Draw x² + y = 1, 2, 3, 4, to `both` sides or to the right, each numbered where it meets the axis."""
    colors = {c: ALARM if c == _FAR else MUTED for c in (1, 2, 3, 4)}
    curves = [
        {"c": c, "order": k, "x": x, "y": c - x * x, "color": color}
        for c, color in colors.items()
        for k in range(61)
        for x in [math.sqrt(c) * (k / 30 - 1 if both else k / 60)]
    ]
    feet = [{"x": math.sqrt(c), "text": str(c), "color": color} for c, color in colors.items()]
    return [
        alt.Chart(dataset(curves, "parabolas"))
        .mark_line(strokeDash=[3, 3], strokeWidth=1, clip=True, aria=False)
        .encode(
            x=alt.X("x:Q"),
            y=alt.Y("y:Q"),
            detail=alt.Detail("c:O"),
            order=alt.Order("order:O"),
            color=own_color(),
        ),
        alt.Chart(dataset(feet, "feet"))
        .mark_text(align="right", baseline="bottom", dx=-6, dy=-2, aria=False)
        .encode(x=alt.X("x:Q"), y=alt.datum(0), text=alt.Text("text:N"), color=own_color()),
    ]


def _deviances(points: Sequence[Mapping[str, Any]], ends: tuple[float, float], top: float) -> Any:
    """Draw the points of a leverage plot, and its axes from and to `ends`, and up to `top`."""
    several, signed = any(point["data_points"] != 1 for point in points), ends[0] < 0
    across_title = {
        (False, False): tr("Root of the residual deviance"),
        (False, True): tr("Root of the residual deviance, signed"),
        (True, False): tr("Root of the residual deviance per data point"),
        (True, True): tr("Root of the residual deviance per data point, signed"),
    }[several, signed]
    x, y = (
        channel(
            field,
            scale=alt.Scale(domain=list(domain), nice=False),
            axis=alt.Axis(title=title, grid=False),
        )
        for channel, field, domain, title in (
            (alt.X, "x:Q", ends, across_title),
            (alt.Y, "y:Q", (0, top), tr("Leverage per data point") if several else tr("Leverage")),
        )
    )
    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("deviance:Q", format=".2f"),
        alt.Tooltip("leverage:Q", format=".2f"),
        alt.Tooltip("data_points:Q", title="data points"),
    ]
    dots = alt.Chart(dataset(points, "studies")).mark_point(filled=True, size=55, opacity=0.85)
    return dots.encode(x=x, y=y, color=own_color(), tooltip=tooltip)


def _mix(first: str, second: str, part: float) -> str:
    pairs = zip((first[1:3], first[3:5], first[5:7]), (second[1:3], second[3:5], second[5:7]))
    return "#" + "".join(f"{round(int(a, 16) + (int(b, 16) - int(a, 16)) * part):02x}" for a, b in pairs)


def _diverging(value: float) -> str:
    """Colour of a change between -1 (blue) and 1 (red)."""
    return _mix(BLUE_RED[1], BLUE_RED[2] if value > 0 else BLUE_RED[0], min(abs(value), 1.0))


def _sequential(share: float) -> str:
    """Colour of a share between 0 (white) and 1 (dark blue)."""
    return _mix("#ffffff", "#0b4f8a", min(max(share, 0.0), 1.0) ** 0.7)
