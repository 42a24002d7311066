"""Who ranks where: rankograms, cumulative ranking curves, and a heat plot across outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.layout import Grid, pixels, words
from analysis.charts.base.theme import (
    INK,
    MUTED,
    STUDY,
    dataset,
    finish,
    ink_on,
    missing,
    percent,
    records,
    wrap,
)
from evidence import facts

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _HEIGHT = 132, 74
_GAP_X, _GAP_Y = 46, 34
_AXIS = 34
_LINE = 13


def rankogram(
    probabilities: pd.DataFrame,
    ranking: pd.DataFrame | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    columns: int = 5,
    title: str = "Rank probabilities",
) -> Any:
    """Draw the probability of each rank, one small panel for each treatment.

    Parameters
    ----------
    probabilities : DataFrame
        Rows of ``result_rank_probability`` of one engine and model: treatment, rank, probability.
    ranking : DataFrame, optional
        Rows of ``result_ranking`` of the same: orders the panels, best first, and prints SUCRA.
    labels : mapping of str to str, optional
        Printed names of treatments.
    columns : int
        Panels in a row.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Rank 1 is the best.
    """
    return _panels(probabilities, ranking, labels, columns, title, cumulative=False)


def cumulative_ranking(
    probabilities: pd.DataFrame,
    ranking: pd.DataFrame | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    columns: int = 5,
    title: str = "Cumulative ranking curves",
) -> Any:
    """Draw the probability of being among the best 1, 2, ... treatments; the area beneath is SUCRA.

    Parameters
    ----------
    probabilities, ranking, labels, columns, title
        As in `rankogram`.

    Returns
    -------
    altair chart
    """
    return _panels(probabilities, ranking, labels, columns, title, cumulative=True)


def rank_heat_plot(
    ranking: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    outcomes: Mapping[str, str] | None = None,
    score: str = "sucra",
    title: str = "Ranking across outcomes",
) -> Any:
    """Draw SUCRA or P-score of each treatment on each outcome as a heat map.

    Parameters
    ----------
    ranking : DataFrame
        Rows of ``result_ranking`` of one model with a further column ``outcome``.
    labels, outcomes : mapping of str to str, optional
        Printed names of treatments and outcomes.
    score : {"sucra", "p_score"}
        What is drawn.
    title : str
        Heading.

    Returns
    -------
    altair chart
        Treatments by their mean over the outcomes, best first; an empty cell was not compared.
    """
    given = [row for row in records(ranking) if not missing(row.get(score))]
    columns = list(dict.fromkeys(row["outcome"] for row in given))
    of: dict[str, list[float]] = {}
    for row in given:
        of.setdefault(row["treatment"], []).append(row[score])
    rows = sorted(of, key=lambda treatment: -round(sum(of[treatment]) / len(of[treatment]), 9))
    grid = Grid(
        [(labels or {}).get(treatment, treatment) for treatment in rows],
        [(outcomes or {}).get(outcome, outcome) for outcome in columns],
        cell=74,
        row=24,
    )
    cells = []
    for row in given:
        column, line = columns.index(row["outcome"]), rows.index(row["treatment"])
        color = _shade(row[score])
        cells.append(
            {
                "treatment": row["treatment"], "outcome": row["outcome"], "score": row[score],
                "text": percent(row[score], 0), "color": color, "ink": ink_on(color),
                "x": grid.x(column) - grid.cell / 2, "x2": grid.x(column) + grid.cell / 2,
                "y": line * grid.row, "y2": (line + 1) * grid.row,
                "middle": grid.x(column), "center": grid.y(line),
            }
        )  # fmt: skip
    base = alt.Chart(dataset(cells, "scores"))
    name = facts.score(score)["label"]
    return finish(
        alt.layer(
            base.mark_rect(stroke="white", strokeWidth=2).encode(
                x=alt.X("x:Q", scale=None, axis=None),
                x2=alt.X2("x2"),
                y=pixels(),
                y2=alt.Y2("y2"),
                color=alt.Color("color:N", scale=None),
            ),
            *grid.lines(),
            base.mark_text(baseline="middle").encode(
                x=alt.X("middle:Q", scale=None, axis=None),
                y=pixels("center"),
                text=alt.Text("text:N"),
                color=alt.Color("ink:N", scale=None),
            ),
            *grid.texts("Treatment"),
        ).properties(width=grid.width, height=grid.height),
        name="rank_heat_plot",
        title=title,
        caption=f"{name}: 100% is certainly the best, 0% certainly the worst. "
        "An empty cell was not compared.",
        description=f"{title}: {name} of {len(rows)} treatments on {len(columns)} outcomes. "
        + (f"First on average: {grid.rows[0]}." if rows else ""),
        tables={"scores": ("treatment", "outcome", "score")},
        width=grid.width,
        cuts=grid.cuts,
    )


def _panels(
    probabilities: pd.DataFrame,
    ranking: pd.DataFrame | None,
    labels: Mapping[str, str] | None,
    columns: int,
    title: str,
    cumulative: bool,
) -> Any:
    given: dict[str, dict[int, float]] = {}
    for row in records(probabilities):
        given.setdefault(row["treatment"], {})[int(row["rank"])] = row["probability"]
    scores = {row["treatment"]: row for row in records(ranking)} if ranking is not None else {}

    def place(treatment: str) -> float:
        mean = scores.get(treatment, {}).get("mean_rank")
        drawn = sum(r * p for r, p in given[treatment].items())
        return round(drawn if mean is None or missing(mean) else mean, 9)

    treatments = sorted(given, key=place)
    n = max((max(ranks) for ranks in given.values()), default=1)
    wrapped = [wrap((labels or {}).get(t, t), _WIDTH + 18, bold=True) for t in treatments]
    columns = min(columns, max(len(treatments), 1))
    # One scale for all panels, no taller than it has to be: with many treatments every probability is small.
    highest = max((p or 0.0 for ranks in given.values() for p in ranks.values()), default=1.0)
    scale = 1.0 if cumulative else next(top for top in (0.25, 0.5, 1.0) if highest <= top + 1e-9)
    bars: list[dict[str, Any]] = []
    curve: list[dict[str, Any]] = []
    shade: list[dict[str, Any]] = []
    frames: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    step = _WIDTH / n
    top = 0.0
    for start in range(0, len(treatments), columns):
        members = treatments[start : start + columns]
        head = max(len(wrapped[start + i]) for i in range(len(members))) * _LINE + 6
        for index, treatment in enumerate(members):
            x, y = _AXIS + index * (_WIDTH + _GAP_X), top + head
            lines = wrapped[start + index]
            frames.append({"x": x, "x2": x + _WIDTH, "y": y + _HEIGHT})
            for i, text in enumerate(lines):
                texts.append(
                    {
                        "x": x,
                        "y": y - 9 - (len(lines) - 1 - i) * _LINE,
                        "text": text,
                        "align": "left",
                        "bold": True,
                    }
                )
            texts += [
                {"x": x - 5, "y": y + _HEIGHT, "text": "0", "align": "right"},
                {"x": x - 5, "y": y, "text": percent(scale, 0), "align": "right"},
                {"x": x + step / 2, "y": y + _HEIGHT + 11, "text": "1", "align": "center"},
                {"x": x + _WIDTH - step / 2, "y": y + _HEIGHT + 11, "text": str(n), "align": "center"},
            ]
            total = 0.0
            for rank in range(1, n + 1):
                probability = given[treatment].get(rank, 0.0) or 0.0
                total += probability
                value = total if cumulative else probability
                bars.append(
                    {
                        "treatment": treatment, "rank": rank, "probability": probability, "cumulative": total,
                        "x": x + (rank - 1) * step + (0 if cumulative else 0.08 * step),
                        "x2": x + rank * step - (0 if cumulative else 0.08 * step),
                        "y": y + _HEIGHT * (1 - value / scale), "y2": y + _HEIGHT,
                    }
                )  # fmt: skip
                if cumulative:
                    curve += [
                        {
                            "treatment": treatment,
                            "order": len(curve) + i,
                            "x": x + (rank - 1 + i) * step,
                            "y": y + _HEIGHT * (1 - value),
                        }
                        for i in (0, 1)
                    ]
            if cumulative:
                shade += curve[-2 * n :]
                shade += [
                    {
                        "treatment": treatment,
                        "order": len(curve) + 1 - i,
                        "x": x + i * _WIDTH,
                        "y": y + _HEIGHT,
                    }
                    for i in (1, 0)
                ]
            score = scores.get(treatment, {}).get("sucra")
            if not missing(score):
                texts.append(
                    {
                        "x": x + _WIDTH / 2,
                        "y": y + _HEIGHT + 11,
                        "text": f"SUCRA {percent(score, 0)}",
                        "align": "center",
                    }
                )
        top += head + _HEIGHT + _GAP_Y
    width = _AXIS + columns * (_WIDTH + _GAP_X) - _GAP_X
    across = alt.X("x:Q", scale=None, axis=None)
    layers: list[Any] = [
        alt.Chart(dataset(bars, "ranks"))
        .mark_rect(color=STUDY, opacity=0 if cumulative else 1)
        .encode(
            x=across,
            x2=alt.X2("x2"),
            y=pixels(),
            y2=alt.Y2("y2"),
            tooltip=[
                alt.Tooltip("treatment:N"),
                alt.Tooltip("rank:Q"),
                alt.Tooltip("probability:Q", format=".1%"),
            ],
        ),
        alt.Chart(dataset(frames, "frames"))
        .mark_rule(color=MUTED, aria=False)
        .encode(x=across, x2=alt.X2("x2"), y=pixels()),
    ]
    if curve:
        along = {
            "x": across, "y": pixels(), "detail": alt.Detail("treatment:N"), "order": alt.Order("order:Q"),
        }  # fmt: skip
        # One shape for each panel: bars side by side leave seams.
        layers.insert(
            0,
            alt.Chart(dataset(shade, "shades"))
            .mark_line(interpolate="linear-closed", fill="#a9c8e2", fillOpacity=1, strokeWidth=0, aria=False)
            .encode(**along),
        )
        layers.append(
            alt.Chart(dataset(curve, "curves"))
            .mark_line(color=STUDY, strokeWidth=1.6, aria=False)
            .encode(**along)
        )
    for align in ("left", "right", "center"):
        for bold in (False, True):
            chosen = [
                text
                for text in texts
                if text["align"] == align and bool(text.get("bold")) == bold and text["text"]
            ]
            if chosen:
                layers.append(
                    alt.Chart(dataset(chosen, f"texts_{align}_{bold}"))
                    .mark_text(
                        align=align,
                        baseline="middle",
                        fontWeight="bold" if bold else "normal",
                        fontSize=11 if bold else 10,
                        color=INK if bold else MUTED,
                        aria=False,
                    )
                    .encode(x=across, y=pixels(), text=alt.Text("text:N"))
                )
    layers.append(words(["Rank (1 is the best)"], (_AXIS + width) / 2, top + 2, align="center"))
    first = (labels or {}).get(treatments[0], treatments[0]) if treatments else "none"
    what = (
        "Probability of holding a rank or a better one; the shaded area is SUCRA."
        if cumulative
        else "Probability of each rank."
    )
    return finish(
        alt.layer(*layers).properties(width=width, height=top - _GAP_Y),
        name="cumulative_ranking" if cumulative else "rankogram",
        title=title,
        caption=f"{what} Best treatment first.",
        description=f"{title} of {len(treatments)} treatments. First: {first}.",
        tables={"ranks": ("treatment", "rank", "probability", "cumulative")},
        width=width,
    )


def _shade(share: float) -> str:
    """Colour from pale sand (0) over light blue to dark blue (1)."""
    stops = ((247, 243, 232), (158, 202, 225), (8, 69, 148))
    position = min(max(share, 0.0), 1.0) * 2
    low = min(int(position), 1)
    part = position - low
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(stops[low], stops[low + 1]))
