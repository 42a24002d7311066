"""A review over time: the path of each treatment through the ranks, and since when each sentence is true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.grid import Grid
from analysis.charts.base.theme import (
    CATEGORIES,
    FAINT,
    INK,
    RANDOM,
    dataset,
    finish,
    missing,
    percent,
    records,
)
from analysis.language.catalog import marked, tr
from evidence import facts

if TYPE_CHECKING:
    import pandas as pd


def replay_ranks(
    ranking: pd.DataFrame, *, labels: Mapping[str, str] | None = None, title: str = "Ranks over time"
) -> Any:
    """Draw the place of every treatment at the end of each year.

    Parameters
    ----------
    ranking : DataFrame
        Rows of the frame ranking of `analysis.living.replay`, of one analysis and model.
    labels : mapping of str to str, optional
        Printed names of treatments.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Years in which nothing was ranked are not on the axis; a line begins where its treatment is new.
    """
    rows = [row for row in records(ranking) if not missing(row.get("place"))]
    score = facts.engine(rows[0]["engine"]).score
    named = facts.score(score)["label"]
    years = sorted({row["year"] for row in rows})
    last = {row["treatment"]: row for row in rows}
    order = sorted(last, key=lambda name: (last[name]["place"], name))
    color = {name: CATEGORIES[i % len(CATEGORIES)] for i, name in enumerate(order)}
    for row in rows:
        row["label"] = (labels or {}).get(row["treatment"], row["treatment"])
        row["score"] = percent(row[score], 0)
        row["color"] = color[row["treatment"]]
        row["dash"] = order.index(row["treatment"]) // len(CATEGORIES)
    width = max(46 * len(years), 220)
    places = max(row["place"] for row in rows)
    base = alt.Chart(dataset(rows, "ranks")).encode(
        x=alt.X("year:O", title=tr("Year"), axis=alt.Axis(labelAngle=0, grid=False)),
        y=alt.Y(
            "place:Q",
            title=tr("Place"),
            scale=alt.Scale(domain=[0.5, places + 0.5], reverse=True, nice=False),
            axis=alt.Axis(values=list(range(1, int(places) + 1)), grid=True, format="d"),
        ),
        color=alt.Color("color:N", scale=None, legend=None),
    )
    tooltip = [
        alt.Tooltip("label:N", title=tr("Treatment")),
        alt.Tooltip("year:O", title=tr("Year")),
        alt.Tooltip("place:Q", title=tr("Place")),
        alt.Tooltip("score:N", title=named),
        alt.Tooltip("n_studies:Q", title=tr("Studies")),
    ]
    lines = base.mark_line(strokeWidth=2).encode(
        detail="treatment:N", strokeDash=alt.StrokeDash("dash:O", legend=None)
    )
    points = base.mark_circle(size=60, opacity=1).encode(tooltip=tooltip)
    names = (
        base.transform_filter(f"datum.year == {years[-1]}")
        .mark_text(align="left", dx=9, color=INK)
        .encode(text="label:N", color=alt.value(INK))
    )
    first = (labels or {}).get(order[0], order[0])
    return finish(
        alt.layer(lines, points, names).properties(width=width, height=max(24 * places, 120)),
        name="replay_ranks",
        title=title,
        caption=tr("Place by {score} at the end of each year, 1 the best.", score=named),
        description=f"{title}: {len(order)} treatments over {len(years)} years; first at the end: {first}.",
        tables={"ranks": ("treatment", "year", "n_studies", "place", score)},
        width=width + 160,
    )


TRUE, OTHERWISE, SILENT = marked("true then"), marked("not true then"), marked("nothing could be said")
_COLORS = {TRUE: RANDOM, OTHERWISE: FAINT, SILENT: "#ffffff"}


def replay_timeline(
    timeline: pd.DataFrame, statements: pd.DataFrame, *, title: str = "Since when each sentence is true"
) -> Any:
    """Draw in which years each thing that can be said now could be said.

    Parameters
    ----------
    timeline, statements : DataFrame
        Frames of `analysis.living.replay`, of one analysis or of all.
    title : str
        Heading.

    Returns
    -------
    altair chart
        A row for each sentence of today; dark where it was true, light where another was, white where
        nothing could be said.
    """
    subject = ("analysis", "about", "treatment", "versus", "claim")
    then = {(*(row[name] for name in subject), row["year"]): row["verdict"] for row in records(timeline)}
    years = sorted({row["year"] for row in records(timeline)})
    told = records(statements)
    several = len({row["analysis"] for row in told if row["analysis"] is not None}) > 1
    rows = [
        f"{row['analysis']}: {row['statement']}"
        if several and row["analysis"] is not None
        else row["statement"]
        for row in told
    ]
    grid = Grid(rows, [str(year) for year in years], cell=34, row=20)
    cells = []
    for i, row in enumerate(told):
        for j, year in enumerate(years):
            verdict = then.get((*(row[name] for name in subject), year))
            state = SILENT if verdict is None else TRUE if verdict == row["verdict"] else OTHERWISE
            cells.append(
                {
                    "statement": rows[i],
                    "year": year,
                    "state": tr(state),
                    "color": _COLORS[state],
                    "said": row["said"],
                }
                | grid.cell_at(i, j)
            )
    base = alt.Chart(dataset(cells, "sentences"))
    nothing = base.transform_filter("false").mark_text()
    tooltip = [
        alt.Tooltip("said:N", title=tr("Sentence")),
        alt.Tooltip("year:O", title=tr("Year")),
        alt.Tooltip("state:N", title=tr("State")),
    ]
    return finish(
        grid.heat_map(base, over=nothing, head=tr("What can be said now"), gap=2, tooltip=tooltip),
        name="replay_timeline",
        title=title,
        caption=tr("Dark: true at the end of the year. Light: it was not. White: nothing could be said yet."),
        description=f"{title}: {len(rows)} sentences over {len(years)} years.",
        tables={"sentences": ("statement", "year", "state")},
        width=grid.width,
        cuts=grid.cuts,
    )
