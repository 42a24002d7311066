"""Who ranks where: rankograms, cumulative ranking curves, and a heat plot across outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.grid import Grid, cell_texts
from analysis.charts.base.layout import across, down, extent, texts_at, words
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
from analysis.language.catalog import percent_sign, tr
from evidence import facts

if TYPE_CHECKING:
    import pandas as pd

_WIDTH, _HEIGHT = 132, 74
_GAP_X, _GAP_Y = 46, 34
_AXIS = 34
_LINE = 13
_GROUND = "#eef1f4"
_LEAST_STEP = 12.0
"""Pixels of a rank beneath which only the highest bar has its number."""
_LEAST_SHOWN = 0.05
"""Probability beneath which a bar has no number."""


_TOPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the scale of probabilities may end."""


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
        color = _shade(row[score])
        cells.append(
            {
                "treatment": row["treatment"], "outcome": row["outcome"], "score": row[score],
                "text": percent(row[score], 0), "color": color, "ink": ink_on(color),
                **grid.cell_at(rows.index(row["treatment"]), columns.index(row["outcome"])),
            }
        )  # fmt: skip
    base = alt.Chart(dataset(cells, "scores"))
    name = facts.score(score)["label"]
    return finish(
        grid.heat_map(base, over=cell_texts(base), head=tr("Treatment"), gap=2),
        name="rank_heat_plot",
        title=title,
        caption=tr(
            "{score}: 100% is certainly the best, 0% certainly the worst. An empty cell was not compared.",
            score=name,
        ),
        description=f"{title}: {name} of {len(rows)} treatments on {len(columns)} outcomes. "
        + (f"First on average: {grid.rows[0]}." if rows else ""),
        tables={"scores": ("treatment", "outcome", "score")},
        width=grid.width,
        cuts=grid.cuts,
    )


@dataclass(frozen=True)
class _Panel:
    """The ranks of one treatment; x and y are the upper left corner of its axes in pixels."""

    treatment: str
    title: Sequence[str]
    chances: Sequence[float]
    sucra: float | None
    x: float
    y: float
    over: float

    @property
    def step(self) -> float:
        """Width of a rank."""
        return _WIDTH / len(self.chances)

    @property
    def foot(self) -> float:
        """Place of the horizontal axis."""
        return self.y + _HEIGHT

    @property
    def frame(self) -> dict[str, Any]:
        """Line of the horizontal axis."""
        return {"x": self.x, "x2": self.x + _WIDTH, "y": self.foot}

    def bars(self, scale: float, cumulative: bool) -> list[dict[str, Any]]:
        """Probability of each rank, or of it and all better ones, as rectangles; the axis ends at `scale`."""
        found = []
        total = 0.0
        aside = 0 if cumulative else 0.08 * self.step
        for rank, probability in enumerate(self.chances, 1):
            total += probability
            value = total if cumulative else probability
            found.append(
                {
                    "treatment": self.treatment, "rank": rank, "probability": probability,
                    "cumulative": total,
                    "x": self.x + (rank - 1) * self.step + aside, "x2": self.x + rank * self.step - aside,
                    "y": self.y + _HEIGHT * (1 - value / scale), "y2": self.foot,
                }
            )  # fmt: skip
        return found

    def ground(self) -> list[dict[str, Any]]:
        """Give the whole of each rank's place, so that the height of a bar is seen as a share of it."""
        aside = 0.08 * self.step
        return [
            {
                "x": self.x + rank * self.step + aside, "x2": self.x + (rank + 1) * self.step - aside,
                "y": self.y, "y2": self.foot,
            }
            for rank in range(len(self.chances))
        ]  # fmt: skip

    def values(self, scale: float) -> list[dict[str, Any]]:
        """Percentages above the bars: of all that are not small where they fit, else of the highest."""
        highest = max(range(len(self.chances)), key=lambda rank: self.chances[rank])
        fits = self.step >= _LEAST_STEP
        return [
            {
                "x": self.x + (rank + 0.5) * self.step, "y": self.y + _HEIGHT * (1 - chance / scale) - 6,
                "text": percent(chance, 0).removesuffix(percent_sign()), "align": "center",
                "look": "value",
            }
            for rank, chance in enumerate(self.chances)
            if chance >= _LEAST_SHOWN and (fits or rank == highest)
        ]  # fmt: skip

    def curve(self, bars: Sequence[Mapping[str, Any]], first: int) -> list[dict[str, Any]]:
        """Give the steps over the cumulative bars, numbered from `first` on."""
        return [
            {
                "treatment": self.treatment,
                "order": first + 2 * index + i,
                "x": self.x + (index + i) * self.step,
                "y": self.y + _HEIGHT * (1 - bar["cumulative"]),
            }
            for index, bar in enumerate(bars)
            for i in (0, 1)
        ]

    def shade(self, curve: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Outline of the area beneath the curve."""
        after = curve[-1]["order"] + 1
        back = [
            {"treatment": self.treatment, "order": after + 1 - i, "x": self.x + i * _WIDTH, "y": self.foot}
            for i in (1, 0)
        ]
        return [*curve, *back]

    def texts(self, scale: float) -> list[dict[str, Any]]:
        """Title, ends of both axes, and SUCRA."""
        beneath = self.foot + 11
        titles = [
            {
                "x": self.x,
                "y": self.y - self.over - left * _LINE,
                "text": text,
                "align": "left",
                "look": "title",
            }
            for left, text in zip(reversed(range(len(self.title))), self.title)
        ]
        places = [
            (self.x - 5, self.foot, "0", "right"),
            (self.x - 5, self.y, percent(scale, 0), "right"),
            (self.x + self.step / 2, beneath, "1", "center"),
            (self.x + _WIDTH - self.step / 2, beneath, str(len(self.chances)), "center"),
        ]
        if not missing(self.sucra):
            places.append((self.x + _WIDTH / 2, beneath, f"SUCRA {percent(self.sucra, 0)}", "center"))
        return titles + [dict(zip(("x", "y", "text", "align"), place)) for place in places]


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
    treatments = _best_first(given, scores)
    columns = min(columns, max(len(treatments), 1))
    # Numbers stand between the bars and the title.
    panels, bottom = _placed(treatments, given, scores, labels or {}, columns, 9 if cumulative else 19)
    # One scale for all panels, no taller than it has to be: with many treatments every probability is small.
    highest = max((p or 0.0 for ranks in given.values() for p in ranks.values()), default=1.0)
    scale = 1.0 if cumulative else next(top for top in _TOPS if highest <= top + 1e-9)
    width = _AXIS + columns * (_WIDTH + _GAP_X) - _GAP_X
    layers = [
        *(_curves(panels) if cumulative else _bars(panels, scale)),
        *_panel_texts([text for panel in panels for text in panel.texts(scale)]),
        *([] if cumulative else _panel_texts([text for panel in panels for text in panel.values(scale)])),
        words([tr("Rank (1 is the best)")], (_AXIS + width) / 2, bottom + 2, align="center"),
    ]
    first = (labels or {}).get(treatments[0], treatments[0]) if treatments else "none"
    caption = (
        tr("Probability of holding a rank or a better one; the shaded area is SUCRA. Best treatment first.")
        if cumulative
        else tr("Probability of each rank, in percent. Best treatment first.")
    )
    return finish(
        alt.layer(*layers).properties(width=width, height=bottom - _GAP_Y),
        name="cumulative_ranking" if cumulative else "rankogram",
        title=title,
        caption=caption,
        description=f"{title} of {len(treatments)} treatments. First: {first}.",
        tables={"ranks": ("treatment", "rank", "probability", "cumulative")},
        width=width,
    )


def _best_first(
    given: Mapping[str, Mapping[int, float]], scores: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Treatments by their mean rank: as printed where it is known, else of the probabilities."""

    def place(treatment: str) -> float:
        mean = scores.get(treatment, {}).get("mean_rank")
        drawn = sum(r * p for r, p in given[treatment].items())
        return round(drawn if mean is None or missing(mean) else mean, 9)

    return sorted(given, key=place)


def _placed(
    treatments: Sequence[str],
    given: Mapping[str, Mapping[int, float]],
    scores: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
    columns: int,
    over: float,
) -> tuple[list[_Panel], float]:
    """Panels in rows as high as their longest title, and the place beneath the last row."""
    n = max((max(ranks) for ranks in given.values()), default=1)
    panels: list[_Panel] = []
    top = 0.0
    for start in range(0, len(treatments), columns):
        members = treatments[start : start + columns]
        titles = [wrap(labels.get(t, t), _WIDTH + 18, bold=True) for t in members]
        head = max(len(lines) for lines in titles) * _LINE + over - 3
        for index, (treatment, lines) in enumerate(zip(members, titles)):
            chances = [given[treatment].get(rank, 0.0) or 0.0 for rank in range(1, n + 1)]
            sucra = scores.get(treatment, {}).get("sucra")
            x = _AXIS + index * (_WIDTH + _GAP_X)
            panels.append(_Panel(treatment, lines, chances, sucra, x, top + head, over))
        top += head + _HEIGHT + _GAP_Y
    return panels, top


def _bars(panels: Sequence[_Panel], scale: float, cumulative: bool = False) -> list[Any]:
    """Bars of all panels, which have the tooltips, and the lines that they stand on."""
    bars = [bar for panel in panels for bar in panel.bars(scale, cumulative)]
    tooltip = [alt.Tooltip("treatment:N"), alt.Tooltip("rank:Q"), alt.Tooltip("probability:Q", format=".1%")]
    ground = [] if cumulative else [place for panel in panels for place in panel.ground()]
    return [
        *(
            [alt.Chart(dataset(ground, "ground")).mark_rect(color=_GROUND, aria=False).encode(**extent())]
            if ground
            else []
        ),
        alt.Chart(dataset(bars, "ranks"))
        .mark_rect(color=STUDY, opacity=0 if cumulative else 1)
        .encode(**extent(), tooltip=tooltip),
        alt.Chart(dataset([panel.frame for panel in panels], "frames"))
        .mark_rule(color=MUTED, aria=False)
        .encode(x=across(), x2=alt.X2("x2"), y=down()),
    ]


def _curves(panels: Sequence[_Panel]) -> list[Any]:
    """Curves of all panels over the areas beneath; the bars are there, unseen, for their tooltips."""
    curves: list[dict[str, Any]] = []
    shades: list[Mapping[str, Any]] = []
    for panel in panels:
        curve = panel.curve(panel.bars(1.0, True), len(curves))
        curves += curve
        shades += panel.shade(curve)
    if not curves:
        return _bars(panels, 1.0, cumulative=True)
    along = {
        "x": across(), "y": down(), "detail": alt.Detail("treatment:N"), "order": alt.Order("order:Q"),
    }  # fmt: skip
    return [
        # One shape for each panel: bars side by side leave seams.
        alt.Chart(dataset(shades, "shades"))
        .mark_line(interpolate="linear-closed", fill="#a9c8e2", fillOpacity=1, strokeWidth=0, aria=False)
        .encode(**along),
        *_bars(panels, 1.0, cumulative=True),
        alt.Chart(dataset(curves, "curves"))
        .mark_line(color=STUDY, strokeWidth=1.6, aria=False)
        .encode(**along),
    ]


def _panel_texts(texts: Sequence[Mapping[str, Any]]) -> list[Any]:
    layers = []
    looks = {
        "value": {"fontWeight": "normal", "fontSize": 9, "color": INK},
        "axis": {"fontWeight": "normal", "fontSize": 10, "color": MUTED},
        "title": {"fontWeight": "bold", "fontSize": 11, "color": INK},
    }
    for align in ("left", "right", "center"):
        for name, look in looks.items():
            chosen = [t for t in texts if t["align"] == align and t.get("look", "axis") == name and t["text"]]
            if chosen:
                layers.append(texts_at(chosen, f"texts_{align}_{name}", align=align, aria=False, **look))
    return layers


def _shade(share: float) -> str:
    """Colour from pale sand (0) over light blue to dark blue (1)."""
    stops = ((247, 243, 232), (158, 202, 225), (8, 69, 148))
    position = min(max(share, 0.0), 1.0) * 2
    low = min(int(position), 1)
    part = position - low
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(stops[low], stops[low + 1]))
