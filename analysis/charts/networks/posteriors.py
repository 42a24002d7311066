"""What a Bayesian fit looks like: posterior densities, traces, rank traces, PSRF by iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import (
    CATEGORIES,
    MUTED,
    PREDICTION,
    STUDY,
    dataset,
    decimals,
    finish,
    missing,
    records,
    ticks,
    wrap,
)

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _HEIGHT = 240, 110
_MOST_DRAWN = 5000
"""Points of all lines of a chart of chains: more are no more to be seen, and a page grows with them."""


def posterior_density(
    frame: pd.DataFrame,
    *,
    effect: Effect | None = None,
    labels: Mapping[str, str] | None = None,
    columns: int = 3,
    title: str = "Posterior densities",
) -> Any:
    """Draw posterior densities, one small panel for each parameter.

    Parameters
    ----------
    frame : DataFrame
        parameter, value, density; with ``ci_lower`` and ``ci_upper`` constant within a parameter, the
        interval is shaded; with ``prior`` (density of the prior at the value), the prior is drawn as a
        dashed line.
    effect : Effect, optional
        What every parameter is: all share one axis with a line at no effect; a ratio's is logarithmic.
    labels : mapping of str to str, optional
        Printed names of parameters.
    columns : int
        Panels in a row.
    title : str
        Heading.

    Returns
    -------
    altair chart
    """
    given = records(frame)
    parameters = list(dict.fromkeys(row["parameter"] for row in given))
    log = effect is not None and effect.scale == "log"
    for row in given:
        row["x"] = effect.shown(row["value"]) if effect is not None else row["value"]
        row["within"] = (
            not missing(row.get("ci_lower")) and row["ci_lower"] <= row["value"] <= row["ci_upper"]
        )
    data = dataset(given, "densities")
    ends = [row["x"] for row in given]
    null: list[Any] = []
    if effect is not None and ends and min(ends) <= effect.null <= max(ends):
        line = alt.Chart(dataset([{"x": effect.null}], "null")).mark_rule(color=MUTED, aria=False)
        null = [line.encode(x=alt.X("x:Q"))]
    panels = []
    for parameter in parameters:
        base = alt.Chart(data).transform_filter(alt.datum.parameter == parameter)
        x = alt.X(
            "x:Q",
            scale=alt.Scale(type="log" if log else "linear", zero=False, nice=False),
            axis=_plain_axis(),
        )
        y = alt.Y("density:Q", axis=None, scale=alt.Scale(zero=True))
        layers = [
            base.transform_filter("datum.within")
            .mark_area(color=STUDY, opacity=0.3, aria=False)
            .encode(x=x, y=y),
            base.mark_line(color=STUDY, strokeWidth=1.6).encode(x=x, y=y),
            *null,
        ]
        if any(not missing(row.get("prior")) for row in given if row["parameter"] == parameter):
            layers.append(
                base.mark_line(color=PREDICTION, strokeDash=[4, 3], strokeWidth=1.2).encode(
                    x=x, y=alt.Y("prior:Q")
                )
            )
        panels.append(_panel(alt.layer(*layers), (labels or {}).get(parameter, parameter)))
    has_prior = any(not missing(row.get("prior")) for row in given)
    caption = "Shaded: 95% credible interval." + (" Dashed: prior." if has_prior else "")
    if effect is not None:
        caption += f" One axis for all: {effect.title[0].lower()}{effect.title[1:]}."
    return finish(
        alt.concat(*panels, columns=columns).resolve_scale(
            x="independent" if effect is None else "shared", y="independent"
        ),
        name="posterior_density",
        title=title,
        caption=caption,
        description=f"{title} of {len(parameters)} parameters.",
        tables={"densities": ("parameter", "value", "density", *(["prior"] if has_prior else []))},
        width=min(columns, len(parameters)) * (_WIDTH + 40),
    )


def trace(
    draws: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    columns: int = 3,
    most: int = 300,
    title: str = "Traces",
) -> Any:
    """Draw the chains of each parameter.

    Parameters
    ----------
    draws : DataFrame
        parameter, chain, iteration, value.
    labels : mapping of str to str, optional
        Printed names of parameters.
    columns : int
        Panels in a row.
    most : int
        Draws of a chain that are drawn at most, evenly spaced, and fewer where all chains of all parameters
        would have more than 5,000; the caption says so where some are left out.
    title : str
        Heading.

    Returns
    -------
    altair chart
    """
    given = records(draws)
    kept = {row["iteration"] for row in given}
    chains = {(row["parameter"], row["chain"]) for row in given}
    most = min(most, max(1, _MOST_DRAWN // max(1, len(chains))))
    step = max(1, -(-len(kept) // most))
    shown = set(sorted(kept)[::step])
    rows = [row for row in given if row["iteration"] in shown]
    data = dataset(rows, "draws")
    parameters = list(dict.fromkeys(row["parameter"] for row in given))
    drawn: dict[str, list[float]] = {}
    for row in rows:
        drawn.setdefault(row["parameter"], []).append(row["value"])
    # Axes end at ticks, so that the headings of all panels stand level.
    marks = {parameter: _around(min(values), max(values)) for parameter, values in drawn.items()}
    panels = [
        _panel(
            alt.Chart(data)
            .transform_filter(alt.datum.parameter == parameter)
            .mark_line(strokeWidth=0.8, opacity=0.8)
            .encode(
                x=alt.X(
                    "iteration:Q", axis=_plain_axis("Iteration"), scale=alt.Scale(nice=False, zero=False)
                ),
                y=alt.Y(
                    "value:Q",
                    axis=alt.Axis(
                        title=None,
                        grid=False,
                        values=marks[parameter],
                        format=f",.{decimals(marks[parameter])}f",
                    ),
                    scale=alt.Scale(
                        domain=[marks[parameter][0], marks[parameter][-1]], nice=False, zero=False
                    ),
                ),
                color=alt.Color(
                    "chain:N", scale=alt.Scale(range=list(CATEGORIES)), legend=alt.Legend(title="Chain")
                ),
            ),
            (labels or {}).get(parameter, parameter),
        )
        for parameter in parameters
    ]
    return finish(
        alt.concat(*panels, columns=columns).resolve_scale(x="shared", y="independent"),
        name="trace",
        title=title,
        caption=f"One draw in {step} of {len(kept):,} of each chain is drawn." if step > 1 else "",
        description=f"{title} of {len(parameters)} parameters.",
        tables={"draws": ("parameter", "chain", "iteration", "value")},
        width=min(columns, len(parameters)) * (_WIDTH + 40),
    )


def rank_trace(
    draws: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    columns: int = 3,
    bins: int = 20,
    title: str = "Rank plots of the chains",
) -> Any:
    """Draw how each chain's draws rank among all: level where the chains explore alike.

    Parameters
    ----------
    draws : DataFrame
        parameter, chain, iteration, value.
    labels, columns, title
        As in `trace`.
    bins : int
        Number of bars across the ranks.

    Returns
    -------
    altair chart
        After Vehtari et al. (2021): one line for each chain, dashed the level of perfect mixing.
    """
    by_parameter: dict[str, list[dict[str, Any]]] = {}
    for row in records(draws):
        by_parameter.setdefault(row["parameter"], []).append(row)
    rows: list[dict[str, Any]] = []
    for parameter, members in by_parameter.items():
        counts: dict[Any, list[int]] = {row["chain"]: [0] * bins for row in members}
        for rank, row in enumerate(
            sorted(members, key=lambda row: (row["value"], row["chain"], row["iteration"]))
        ):
            counts[row["chain"]][rank * bins // len(members)] += 1
        expected = len(members) / len(counts) / bins
        rows += [
            {"parameter": parameter, "chain": chain, "bin": index + 0.5, "ratio": n / expected, "n": n}
            for chain, tally in counts.items()
            for index, n in enumerate(tally)
        ]
    data = dataset(rows, "ranks")
    top = max([2.0, *(row["ratio"] for row in rows)])
    # Bars are numbered; a reader reads ranks: how many draws, of all chains, are as small.
    each = max(map(len, by_parameter.values()), default=0) / bins
    ranks = alt.Axis(
        title="Rank",
        grid=False,
        values=[0, bins / 2, bins],
        labelExpr=f"format(datum.value * {each:g}, ',.0f')",
    )
    panels = []
    for parameter in by_parameter:
        base = alt.Chart(data).transform_filter(alt.datum.parameter == parameter)
        bars = base.mark_line(interpolate="step", strokeWidth=1.2).encode(
            x=alt.X("bin:Q", axis=ranks, scale=alt.Scale(domain=[0, bins], nice=False)),
            y=alt.Y(
                "ratio:Q", axis=_plain_axis("Draws / expected"), scale=alt.Scale(domain=[0, top], nice=True)
            ),
            color=alt.Color(
                "chain:N", scale=alt.Scale(range=list(CATEGORIES)), legend=alt.Legend(title="Chain")
            ),
        )
        level = alt.Chart(dataset([{"y": 1}], "level")).mark_rule(color=MUTED, strokeDash=[4, 3], aria=False)
        panels.append(
            _panel(alt.layer(bars, level.encode(y=alt.Y("y:Q"))), (labels or {}).get(parameter, parameter))
        )
    return finish(
        alt.concat(*panels, columns=columns).resolve_scale(x="shared", y="independent"),
        name="rank_trace",
        title=title,
        caption="Draws of each chain by their rank among all chains, relative to perfect mixing (dashed).",
        description=f"{title} of {len(by_parameter)} parameters.",
        tables={"ranks": ("parameter", "chain", "bin", "n", "ratio")},
        width=min(columns, len(by_parameter)) * (_WIDTH + 40),
    )


def psrf(
    frame: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    limit: float = 1.05,
    title: str = "Potential scale reduction factor by iteration",
) -> Any:
    """Draw the potential scale reduction factor as the chains grow.

    Parameters
    ----------
    frame : DataFrame
        Rows of ``result_convergence``: parameter, iteration, psrf, psrf_upper.
    labels : mapping of str to str, optional
        Printed names of parameters.
    limit : float
        Where convergence was judged; drawn beside 1.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Brooks and Gelman (1998).
    """
    given = [row for row in records(frame) if not missing(row.get("psrf"))]
    for row in given:
        row["label"] = (labels or {}).get(row["parameter"], row["parameter"])
    names = list(dict.fromkeys(row["label"] for row in given))
    many = len(names) > len(CATEGORIES)
    top = max([limit + 0.02, *(row["psrf"] for row in given)])
    color: Any = (
        alt.value(STUDY)
        if many
        else alt.Color(
            "label:N",
            scale=alt.Scale(domain=names, range=list(CATEGORIES)),
            legend=alt.Legend(title="Parameter"),
        )
    )
    last = {row["label"]: row["psrf"] for row in sorted(given, key=lambda row: row["iteration"])}
    worst = max(last.items(), key=lambda item: item[1], default=("none", 1.0))
    return finish(
        alt.layer(
            alt.Chart(dataset([{"y": 1.0}, {"y": limit}], "limits"))
            .mark_rule(color=MUTED, strokeDash=[4, 3], aria=False)
            .encode(y=alt.Y("y:Q")),
            alt.Chart(dataset(given, "convergence"))
            .mark_line(strokeWidth=1.3, opacity=0.6 if many else 1)
            .encode(
                x=alt.X("iteration:Q", axis=_plain_axis("Iteration"), scale=alt.Scale(nice=False)),
                y=alt.Y(
                    "psrf:Q",
                    axis=_plain_axis("PSRF"),
                    scale=alt.Scale(domain=[0.99, min(top, 2.0)], nice=False, zero=False, clamp=True),
                ),
                detail=alt.Detail("label:N"),
                color=color,
                tooltip=[
                    alt.Tooltip("label:N"),
                    alt.Tooltip("iteration:Q"),
                    alt.Tooltip("psrf:Q", format=".3f"),
                ],
            ),
        ).properties(width=460, height=240),
        name="psrf",
        title=title,
        caption=f"Dashed: 1 and {limit:g}. At the end the largest is {worst[1]:.3f} ({worst[0]}).",
        description=f"{title} of {len(names)} parameters; largest at the end: {worst[1]:.3f} ({worst[0]}).",
        tables={"convergence": ("parameter", "iteration", "psrf", "psrf_upper")},
        width=600,
    )


def _around(lower: float, upper: float) -> list[float]:
    """Ticks that hold both ends between the first and the last."""
    inner = ticks(lower, upper, 5) if lower < upper else [lower]
    step = inner[1] - inner[0] if len(inner) > 1 else 1.0
    found = list(inner)
    while found[0] > lower:
        found.insert(0, float(f"{found[0] - step:.12g}"))
    while found[-1] < upper or len(found) < 2:
        found.append(float(f"{found[-1] + step:.12g}"))
    return found


def _plain_axis(title: str = "") -> alt.Axis:
    return alt.Axis(title=title or None, grid=False, tickCount=5)


def _panel(chart: Any, name: str) -> Any:
    heading = alt.Title(text=wrap(name, _WIDTH, 11, bold=True), fontSize=11, offset=6, frame="group")
    return chart.properties(width=_WIDTH, height=_HEIGHT, title=heading)
