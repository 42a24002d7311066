"""Looking behind a pairwise meta-analysis: meta-regression bubbles, Baujat and GOSH plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.layout import linked, names_beside
from analysis.charts.base.theme import RANDOM, STUDY, dataset, decimals, finish, missing, records, ticks

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _HEIGHT = 420, 300


def bubble(
    studies: pd.DataFrame,
    line: pd.DataFrame | None = None,
    *,
    effect: Effect,
    covariate: str,
    title: str | None = None,
) -> Any:
    """Draw a meta-regression on one number.

    Parameters
    ----------
    studies : DataFrame
        study, x (the covariate), estimate, std_error, weight (bubble area); label and href where known.
    line : DataFrame, optional
        The fitted line: x, estimate, ci_lower, ci_upper.
    effect : Effect
        What is estimated.
    covariate : str
        Printed name of the covariate, with its unit.
    title : str, optional
        Without it, outcome and covariate.

    Returns
    -------
    altair chart
    """
    given = [
        row for row in records(studies) if not missing(row.get("x")) and not missing(row.get("estimate"))
    ]
    fitted = records(line) if line is not None else []
    largest = max((row["weight"] for row in given if not missing(row.get("weight"))), default=1) or 1
    drawn = [0.0, *(row["estimate"] for row in given)]
    drawn += [row[key] for row in fitted for key in ("estimate", "ci_lower", "ci_upper")]
    margin = 0.08 * (max(drawn) - min(drawn)) or 1.0
    domain = (min(drawn) - margin, max(drawn) + margin)
    bubbles = [
        {
            **row,
            "label": row.get("label") or str(row["study"]),
            "estimate": effect.shown(row["estimate"]),
            "area": 700 * (1 if missing(row.get("weight")) else row["weight"]) / largest,
        }
        for row in given
    ]
    x = _covariate_axis([row["x"] for row in given], covariate)
    null = alt.Chart(dataset([{"y": effect.null}], "null")).mark_rule(color="#b8c0c8", aria=False)
    circles = alt.Chart(dataset(bubbles, "studies")).mark_circle(
        color=STUDY, opacity=0.55, stroke="white", strokeWidth=0.8
    )
    layers = [
        null.encode(y=alt.Y("y:Q")),
        *_line_and_band(fitted, effect, x),
        circles.encode(
            x=x,
            y=effect.y("estimate", domain, grid=False),
            size=alt.Size("area:Q", scale=None, legend=None),
            tooltip=[alt.Tooltip("label:N"), alt.Tooltip("x:Q"), alt.Tooltip("estimate:Q")],
            **linked(bubbles),
        ),
    ]
    heading = title or f"{effect.outcome}: {effect.name.lower()} by {covariate}"
    return finish(
        alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        name="bubble",
        title=heading,
        caption="Area of a bubble: weight of the study." + (" Band: 95% confidence." if fitted else ""),
        description=f"{heading}: {len(bubbles)} studies.",
        tables={"studies": ("study", "label", "x", "estimate", "std_error", "weight")},
        width=_WIDTH,
    )


def _covariate_axis(values: Sequence[float], title: str) -> alt.X:
    """Axis that holds the values of a covariate; years have no thousands' separator."""
    start, end = min(values, default=0.0), max(values, default=1.0)
    edge = 0.06 * (end - start) or 1.0
    marks = ticks(start - edge, end + edge)
    years = all(float(x).is_integer() and 1800 <= x <= 2200 for x in values)
    written = "d" if years else f",.{decimals(marks)}f"
    return alt.X(
        "x:Q",
        axis=alt.Axis(title=title, grid=False, values=marks, format=written),
        scale=alt.Scale(domain=[start - edge, end + edge], nice=False, zero=False),
    )


def _line_and_band(fitted: Sequence[Mapping[str, Any]], effect: Effect, x: alt.X) -> list[Any]:
    """Draw a fitted line in its confidence band; nothing where there is none."""
    if not fitted:
        return []
    band = [
        {**row, **{key: effect.shown(row[key]) for key in ("estimate", "ci_lower", "ci_upper")}}
        for row in fitted
    ]
    base = alt.Chart(dataset(band, "line"))
    area = base.mark_area(color=RANDOM, opacity=0.14, aria=False, clip=True)
    return [
        area.encode(x=x, y=alt.Y("ci_lower:Q"), y2=alt.Y2("ci_upper")),
        base.mark_line(color=RANDOM, strokeWidth=1.8, clip=True).encode(x=x, y=alt.Y("estimate:Q")),
    ]


def baujat(frame: pd.DataFrame, *, title: str = "Baujat plot") -> Any:
    """Draw each study's part in heterogeneity against its pull on the result.

    Parameters
    ----------
    frame : DataFrame
        study, contribution (to Q), influence (squared standardised change of the pooled effect without it).
    title : str
        Heading.

    Returns
    -------
    altair chart
        Baujat et al. (2002); the four studies that stand out most are named.
    """
    given = [
        row
        for row in records(frame)
        if not missing(row.get("contribution")) and not missing(row.get("influence"))
    ]
    top = max((row["contribution"] for row in given), default=1) or 1
    right = max((row["influence"] for row in given), default=1) or 1
    far = sorted(
        given, key=lambda row: -((row["contribution"] / top) ** 2 + (row["influence"] / right) ** 2)
    )[:4]
    for row in given:
        row["label"] = row.get("label") or str(row["study"])
    across, up = 1.06 * top, 1.06 * right
    names, room = names_beside(
        [
            {
                "label": row["label"],
                "x": row["contribution"] / across * _WIDTH,
                "y": (1 - row["influence"] / up) * _HEIGHT,
            }
            for row in far
        ],
        _WIDTH,
        _HEIGHT,
    )
    x, y = (
        channel(
            f"{field}:Q",
            axis=alt.Axis(title=words, grid=False, tickCount=6),
            scale=alt.Scale(domain=[0, end], nice=False),
        )
        for channel, field, words, end in (
            (alt.X, "contribution", "Contribution to Q", across),
            (alt.Y, "influence", "Influence on the pooled effect", up),
        )
    )
    return finish(
        alt.layer(
            *names,
            alt.Chart(dataset(given, "studies"))
            .mark_point(filled=True, size=60, opacity=0.85, color=STUDY)
            .encode(
                x=x,
                y=y,
                tooltip=[alt.Tooltip("label:N"), alt.Tooltip("contribution:Q"), alt.Tooltip("influence:Q")],
            ),
        ).properties(width=_WIDTH, height=_HEIGHT),
        name="baujat",
        title=title,
        caption="Upper right: studies that add to heterogeneity and move the result. The furthest are named.",
        description=f"{title} of {len(given)} studies. Furthest: {', '.join(row['label'] for row in far)}.",
        tables={"studies": ("study", "label", "contribution", "influence")},
        width=_WIDTH + room,
    )


def gosh(
    frame: pd.DataFrame,
    *,
    effect: Effect,
    study: str | None = None,
    most: int = 4000,
    title: str | None = None,
) -> Any:
    """Draw the pooled effect and heterogeneity of many subsets of the studies.

    Parameters
    ----------
    frame : DataFrame
        One row per subset: estimate, i2; ``contains`` (boolean) where one study is to be told apart.
    effect : Effect
        What is estimated.
    study : str, optional
        Printed name of the study that ``contains`` is about.
    most : int
        Subsets drawn at most: evenly spaced rows of the frame; the caption says so where some are left out.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
        Olkin, Dahabreh and Trikalinos (2012).
    """
    given = [row for row in records(frame) if not missing(row.get("estimate"))]
    step = max(1, -(-len(given) // most))
    rows = given[::step]
    marked = study is not None and any("contains" in row for row in rows)
    points = [
        {
            "estimate": effect.shown(row["estimate"]),
            "i2": row["i2"],
            "which": ("with " if row.get("contains") else "without ") + study if marked and study else "",
        }
        for row in rows
    ]
    values = [row["estimate"] for row in rows]
    lower, upper = min(values, default=-1.0), max(values, default=1.0)
    margin = 0.05 * (upper - lower) or 1.0
    color: Any = alt.value(STUDY)
    if marked:
        color = alt.Color(
            "which:N",
            scale=alt.Scale(domain=[f"with {study}", f"without {study}"], range=["#d55e00", STUDY]),
            legend=alt.Legend(title=None, orient="top"),
        )
    heading = title or f"{effect.outcome}: subsets of the studies (GOSH)"
    return finish(
        alt.Chart(dataset(points, "subsets"))
        .mark_circle(size=7, opacity=0.35)
        .encode(
            x=effect.x("estimate", (lower - margin, upper + margin), grid=False),
            y=alt.Y(
                "i2:Q", axis=alt.Axis(title="I²", format="%", grid=False), scale=alt.Scale(domain=[0, 1])
            ),
            color=color,
        )
        .properties(width=_WIDTH, height=_HEIGHT),
        name="gosh",
        title=heading,
        caption=f"{len(points):,} subsets" + (f" of {len(given):,}, evenly spaced." if step > 1 else "."),
        description=f"{heading}: {len(points)} subsets.",
        tables={"subsets": ("estimate", "i2", "which") if marked else ("estimate", "i2")},
        width=_WIDTH,
    )
