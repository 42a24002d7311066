"""The league table as a heat map: every pair of treatments, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from analysis.charts.base.effect import Effect
from analysis.charts.base.grid import cell_texts
from analysis.charts.base.intervals import turned
from analysis.charts.base.layout import across, down, extent, linked, own_color, texts_at
from analysis.charts.base.theme import (
    FAINT,
    INK,
    SIZE,
    dataset,
    finish,
    ink_on,
    missing,
    records,
    text_width,
    wrap,
)
from analysis.language.catalog import marked, tr

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = {
    marked("direct and indirect"): "#cfe3f3",
    marked("direct only"): "#cdebd6",
    marked("indirect only"): "#fdf0d0",
}
"""Colour of a network estimate by what it rests on."""

CONFIDENCE = {
    marked("High"): "#2c7bb6",
    marked("Moderate"): "#abd9e9",
    marked("Low"): "#fdce7c",
    marked("Very low"): "#e66101",
}
"""Colours of GRADE and CINeMA's confidence, told apart with every form of colour vision."""

_ABOVE = marked(
    "Above: direct estimates, row versus column, pooled with the heterogeneity of the whole network (none "
    "in a "
    "common-effect model)."
)
"""Whose heterogeneity direct estimates are pooled with: the whole network's, as in R's netleague."""

_LINE = 13


def cells(
    network: pd.DataFrame,
    direct: pd.DataFrame | None,
    *,
    effect: Effect,
    order: Sequence[str],
    second: pd.DataFrame | None = None,
    second_effect: Effect | None = None,
) -> list[dict[str, Any]]:
    """Fill the cells of a league table.

    Parameters
    ----------
    network : DataFrame
        Network estimates of one engine and model, each pair once in either direction; `rests_on` says what
        they rest on (see `analysis.network.model.sources`).
    direct : DataFrame or None
        Direct estimates of the same, for the upper triangle: pooled with the network's tau2, as the split of
        direct and indirect evidence is, not with one of their own (see `sources.direct_estimates`).
    effect : Effect
        What is estimated.
    order : sequence of str
        Treatments, the best first.
    second, second_effect : optional
        Network estimates of another outcome for the upper triangle, instead of direct ones.

    Returns
    -------
    list of dict
        row and column (0 the best), triangle, treatment, versus, estimate, ci_lower, ci_upper (as shown),
        text.

    Notes
    -----
    Below the diagonal stands *column versus row*, above it *row versus column* (netmeta's orientation): both
    say what the better-ranked of the two does against the other.
    """
    tables = {
        "lower": (_pairs(network), effect),
        "upper": (_pairs(second if second is not None else direct), second_effect or effect),
    }
    digits = {
        triangle: scale.digits(
            (row["ci_upper"] - row["ci_lower"]) / 2 for row in pairs.values() if not missing(row["ci_lower"])
        )
        for triangle, (pairs, scale) in tables.items()
    }
    found = []
    for row, a in enumerate(order):
        for column, b in enumerate(order):
            if row == column:
                continue
            triangle = "lower" if row > column else "upper"
            treatment, versus = (b, a) if triangle == "lower" else (a, b)
            pairs, scale = tables[triangle]
            estimate = pairs.get((treatment, versus))
            cell: dict[str, Any] = {
                "row": row, "column": column, "triangle": triangle, "treatment": treatment, "versus": versus,
                "outcome": scale.outcome, "evidence": None, "text": [""], "clear": False,
            }  # fmt: skip
            if estimate is not None:
                limits = (estimate["ci_lower"], estimate["ci_upper"])
                cell |= {
                    "estimate": scale.shown(estimate["estimate"]),
                    "ci_lower": scale.shown(limits[0]),
                    "ci_upper": scale.shown(limits[1]),
                    "n_studies": estimate.get("n_studies"),
                    "text": [
                        scale.text(estimate["estimate"], digits[triangle]),
                        scale.interval_text(*limits, digits[triangle]),
                    ],
                    "clear": not missing(limits[0]) and (limits[0] > 0 or limits[1] < 0),
                    "href": estimate.get("href"),
                }
                if triangle == "lower" or second is not None:
                    cell["evidence"] = estimate.get("rests_on") or None
            found.append(cell)
    return found


def league(
    network: pd.DataFrame,
    direct: pd.DataFrame | None = None,
    *,
    effect: Effect,
    order: Sequence[str],
    second: pd.DataFrame | None = None,
    second_effect: Effect | None = None,
    confidence: Mapping[tuple[str, str], str] | None = None,
    title: str | None = None,
) -> Any:
    """Draw the league table with its cells coloured by the evidence they rest on.

    Parameters
    ----------
    network, direct, effect, order, second, second_effect
        As in `cells`.
    confidence : mapping of (treatment, versus) to str, optional
        GRADE or CINeMA's judgement for a comparison (either direction): colours the cells instead.
    title : str, optional
        Without it, outcome and kind.

    Returns
    -------
    altair chart
        Bold: the interval excludes no effect.

    Examples
    --------
    >>> import evidence
    >>> from analysis import charts, network
    >>> with evidence.open("smoking") as db:
    ...     fit = network.fit(network.load(db, outcome="cessation", measure="OR"), model="random")
    >>> effect = charts.Effect("OR", "Cessation", lower_is_better=False)
    >>> chart = charts.league(fit.estimates(), effect=effect, order=list(fit.ranking()["treatment"]))
    >>> [path.name for path in charts.save(chart, "league", formats=("csv",))]
    ['league.csv']
    """
    filled = cells(network, direct, effect=effect, order=order, second=second, second_effect=second_effect)
    names = [effect.label(treatment) for treatment in order]
    width, height = _cell_size(filled, names)
    colors = CONFIDENCE if confidence else EVIDENCE
    if confidence:
        judged = {frozenset(pair): level for pair, level in confidence.items()}
        for cell in filled:
            if "estimate" in cell:
                cell["evidence"] = judged.get(frozenset((cell["treatment"], cell["versus"])))
    _colour_and_place(filled, colors, width, height)
    present = [level for level in colors if any(cell["evidence"] == level for cell in filled)]
    total = len(order) * width
    bottom = len(order) * height
    base = alt.Chart(dataset(filled, "cells"))
    layers = [
        base.mark_rect(stroke=FAINT, strokeWidth=1).encode(**extent(), color=own_color()),
        *_diagonal(order, names, width, height),
        *_numbers(base, linked(filled)),
        *_legend(present, colors, bottom + 12),
    ]
    return finish(
        alt.layer(*layers).properties(width=total, height=bottom),
        name="league",
        title=title or tr("{outcome}: league table", outcome=effect.outcome),
        caption=caption(
            effect, second_effect, second is not None, direct is not None, bool(confidence), bool(present)
        ),
        description=_describe(effect, order, filled),
        tables={
            "cells": (
                "triangle", "outcome", "treatment", "versus", "estimate", "ci_lower", "ci_upper", "n_studies",
                "evidence",
            )
        },
        width=total,
    )  # fmt: skip


def _cell_size(filled: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[float, float]:
    """Width and height in pixels that hold every text of a cell and every name on the diagonal."""
    inner = max([text_width(line, bold=True) for cell in filled for line in cell["text"]], default=60)
    longest = max((text_width(word, bold=True) for name in names for word in name.split()), default=60)
    width = max(inner + 14, min(longest + 14, 150), 84)
    lines = max((len(wrap(name, width - 12, bold=True)) for name in names), default=1)
    return width, max(2 * _LINE + 12, lines * _LINE + 10)


def _colour_and_place(
    filled: Sequence[dict[str, Any]], colors: Mapping[str, str], width: float, height: float
) -> None:
    """Give each cell its edges and middle in pixels, its colours, and its text as two lines."""
    for cell in filled:
        color = colors.get(cell["evidence"] or "", "#ffffff")
        text = cell.pop("text")
        cell |= {
            "x": cell["column"] * width, "x2": (cell["column"] + 1) * width,
            "y": cell["row"] * height, "y2": (cell["row"] + 1) * height,
            "middle": (cell["column"] + 0.5) * width, "center": (cell["row"] + 0.5) * height,
            "color": color, "ink": ink_on(color), "first": text[0], "second": "".join(text[1:]),
        }  # fmt: skip


def _diagonal(order: Sequence[str], names: Sequence[str], width: float, height: float) -> list[Any]:
    """Draw the names of the treatments on the diagonal."""
    fields = [
        {
            "x": i * width, "x2": (i + 1) * width, "y": i * height, "y2": (i + 1) * height,
            "treatment": order[i], "label": name,
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    lines = [
        {"text": line, "x": (i + 0.5) * width, "y": (i + 0.5) * height + (j - (len(text) - 1) / 2) * _LINE}
        for i, text in enumerate(wrap(name, width - 12, bold=True) for name in names)
        for j, line in enumerate(text)
    ]
    return [
        alt.Chart(dataset(fields, "diagonal"))
        .mark_rect(stroke=FAINT, strokeWidth=1, color="#24425c")
        .encode(**extent()),
        texts_at(lines, "names", fontWeight="bold", color="white", aria=False),
    ]


def _numbers(base: alt.Chart, href: Mapping[str, Any]) -> list[Any]:
    """Write the estimate and the interval of each cell, bold where the interval excludes no effect."""
    return [
        cell_texts(
            base.transform_filter(f"isValid(datum.estimate) && {'' if bold else '!'}datum.clear"),
            field,
            dy=offset,
            fontWeight="bold" if bold else "normal",
        ).encode(**href)
        for field, offset in (("first", -_LINE / 2), ("second", _LINE / 2))
        for bold in (True, False)
    ]


def caption(
    effect: Effect,
    second: Effect | None = None,
    two: bool = False,
    direct: bool = True,
    confidence: bool = False,
    coloured: bool = True,
    bold: bool = True,
) -> str:
    """Say which triangle is what, in which direction, and what the colours mean: stands on every export.

    Parameters
    ----------
    effect : Effect
        Of the lower triangle.
    second : Effect, optional
        Of the upper triangle of a table of two outcomes.
    two : bool
        The upper triangle holds another outcome.
    direct : bool
        The upper triangle holds direct estimates.
    confidence : bool
        The colours are of confidence in the evidence.
    coloured, bold : bool
        There are colours, and bold letters where the interval excludes no effect.

    Returns
    -------
    str
    """
    first = tr("{effect} with 95% {interval}", effect=effect.title, interval=effect.interval)
    ranked = (
        tr("Treatments on the diagonal, best first.")
        if effect.lower_is_better is not None
        else tr("Treatments on the diagonal.")
    )
    if two and second is not None:
        said = [
            ranked,
            tr(
                "Below the diagonal: {first}, column versus row. Above: {second}, row versus column. Both "
                "triangles "
                "hold network estimates.",
                first=first,
                second=tr("{effect} with 95% {interval}", effect=second.title, interval=second.interval),
            ),
        ]
    else:
        said = [ranked, tr("Below the diagonal: network estimates, column versus row.")]
        if direct:
            said.append(tr(_ABOVE))
        said.append(f"{first}.")
    if bold:
        said.append(tr("Bold: the interval excludes no effect."))
    if confidence:
        said.append(tr("Colour: confidence in the evidence."))
    elif coloured:
        said.append(tr("Colour: the evidence behind a network estimate."))
    return " ".join(said)


def _pairs(frame: pd.DataFrame | None) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(frame) if frame is not None else []:
        if not missing(row.get("estimate")):
            found[row["treatment"], row["versus"]] = row
            found.setdefault((row["versus"], row["treatment"]), turned(row))
    return found


def _legend(levels: Sequence[str], colors: Mapping[str, str], y: float) -> list[Any]:
    places = []
    x = 0.0
    for level in levels:
        text = tr(level)
        places.append(
            {"x": x, "x2": x + 14, "y": y, "y2": y + 14, "text": text, "color": colors[level], "t": x + 20}
        )
        x += 20 + text_width(text) + 24
    if not places:
        return []
    base = alt.Chart(dataset(places, "legend"))
    return [
        base.mark_rect(stroke=FAINT, aria=False).encode(**extent(), color=own_color()),
        base.mark_text(align="left", baseline="middle", dy=7, color=INK, fontSize=SIZE, aria=False).encode(
            x=across("t"), y=down(), text=alt.Text("text:N")
        ),
    ]


def _describe(effect: Effect, order: Sequence[str], filled: Sequence[Mapping[str, Any]]) -> str:
    clear = sum(1 for cell in filled if cell["triangle"] == "lower" and cell["clear"])
    known = sum(1 for cell in filled if cell["triangle"] == "lower" and "estimate" in cell)
    return (
        f"League table of {len(order)} treatments for {effect.outcome}. First: {effect.label(order[0])}, "
        f"last: {effect.label(order[-1])}. {clear} of {known} network estimates exclude no effect."
        if order
        else "League table without treatments."
    )
