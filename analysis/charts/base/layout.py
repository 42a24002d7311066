"""Drawing in pixels: places, rectangles, text and lines that every hand-placed chart is made of.

Everything is placed in pixels measured from the text itself. `panel_table` puts text columns around a panel,
`grid` rows and columns of cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from analysis.charts.base.theme import INK, MUTED, SIZE, dataset, text_width, wrap

LINE = 14
"""Height of a line of text in pixels."""

_NAME = 230


def across(field: str = "x") -> alt.X:
    """Channel of an x position that is given in pixels."""
    return alt.X(field, type="quantitative", scale=None, axis=None)


def down(field: str = "y") -> alt.Y:
    """Channel of a y position that is given in pixels."""
    return alt.Y(field, type="quantitative", scale=None, axis=None)


def extent() -> dict[str, Any]:
    """Channels of what reaches from (x, y) to (x2, y2) in pixels: a rectangle, or a line."""
    return {"x": across(), "x2": alt.X2("x2"), "y": down(), "y2": alt.Y2("y2")}


def own_color(field: str = "color") -> alt.Color:
    """Channel of colours that the rows hold themselves."""
    return alt.Color(field, type="nominal", scale=None)


def texts_at(rows: Iterable[Mapping[str, Any]], name: str, **mark: Any) -> alt.Chart:
    """Text of rows, each at its x and y in pixels.

    Parameters
    ----------
    rows : iterable of mapping
        x, y (its middle unless `mark` says otherwise) and text.
    name : str
        Name of the dataset.
    **mark
        Further properties of the text: align, fontWeight, color ...
    """
    look = {"baseline": "middle", "color": INK} | mark
    return (
        alt.Chart(dataset(rows, name))
        .mark_text(**look)
        .encode(x=across(), y=down(), text=alt.Text("text", type="nominal"))
    )


def linked(rows: Iterable[Mapping[str, Any]]) -> dict[str, alt.HrefValue]:
    """Channel that makes links of the rows that have an ``href``; none where no row has one."""
    if not any(row.get("href") for row in rows):
        return {}
    # Without the condition a row without a link would lead to "null".
    condition = {"test": "isValid(datum.href)", "field": "href", "type": "nominal"}
    return {"href": alt.HrefValue(alt.Undefined, condition=condition)}


def words(
    lines: Sequence[str],
    x: float,
    y: float,
    *,
    align: Any = "left",
    bold: bool = False,
    color: str = INK,
    rising: bool = False,
    size: float = SIZE,
) -> Any:
    """Text at a place in pixels; `rising` puts the last line at `y` and the others above it."""
    offset = -(len(lines) - 1) * LINE if rising else 0
    return (
        alt.Chart(alt.InlineData(values=[{}]))
        .mark_text(
            text=list(lines) if len(lines) > 1 else lines[0],
            align=align,
            baseline="alphabetic",
            lineHeight=LINE,
            fontWeight="bold" if bold else "normal",
            fontSize=size,
            color=color,
            aria=False,
        )
        .encode(x=alt.XValue(x), y=alt.YValue(y + offset))
    )


def line(
    x: float, x2: float, y: float, color: str = MUTED, y2: float | None = None, dash: Sequence[int] = ()
) -> Any:
    """Straight line between two places in pixels."""
    return (
        alt.Chart(alt.InlineData(values=[{}]))
        .mark_rule(color=color, strokeDash=list(dash), aria=False)
        .encode(
            x=alt.XValue(x),
            y=alt.YValue(y),
            **({"x2": alt.X2Value(x2)} if y2 is None else {"y2": alt.Y2Value(y2)}),
        )
    )


def favours(words_: tuple[str, str] | None, null: float, panel: tuple[float, float], y: float) -> list[Any]:
    """Words beneath the axis that say which side favours whom, with arrows, meeting at no effect.

    Parameters
    ----------
    words_ : tuple of str or None
        For the left and the right half.
    null : float
        Place of no effect in pixels.
    panel : tuple of float
        Its left and right end.
    y : float
        Place of the first line.
    """
    if words_ is None:
        return []
    start, end = panel
    room = 0.15 * (end - start)
    middle = min(max(null, start + room), end - room)
    left = wrap(f"←\xa0{words_[0]}", max(middle - start - 8, 120))
    right = wrap(f"{words_[1]}\xa0→", max(end - middle - 8, 120))
    return [
        words(left, middle - 8, y, align="right", color=MUTED),
        words(right, middle + 8, y, align="left", color=MUTED),
    ]


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Move labels (ascending by wanted middle) as little as keeps them apart.

    Overlapping neighbours are merged into blocks, each at the mean of what its members want: the
    pool-adjacent-violators solution of the least-squares problem.
    """
    blocks: list[tuple[float, float, list[int]]] = []  # top that members want on average, height, members
    for index, middle in enumerate(wanted):
        block = (middle - heights[index] / 2, heights[index], [index])
        while blocks and blocks[-1][0] + blocks[-1][1] > block[0]:
            top, height, members = blocks.pop()
            count, more = len(members), len(block[2])
            merged = (top * count + (block[0] - height) * more) / (count + more)
            block = (merged, height + block[1], members + block[2])
        blocks.append(block)
    placed = [0.0] * len(wanted)
    for top, _, members in blocks:
        for index in members:
            placed[index] = top + heights[index] / 2
            top += heights[index]
    return placed


def names_beside(points: Sequence[Mapping[str, Any]], width: float, height: float) -> tuple[list[Any], float]:
    """Write names to the right of a panel, each with a thin line to its point, so that none overlap.

    Parameters
    ----------
    points : sequence of mapping
        ``x`` and ``y`` of each point within the panel in pixels, and its ``label``.
    width, height : float
        Of the panel in pixels.

    Returns
    -------
    layers : list of altair charts
        None where there are no points.
    room : float
        Pixels that the names take to the right of the panel.
    """
    ordered = sorted(points, key=lambda point: (point["y"], -point["x"]))
    if not ordered:
        return [], 0.0
    lines = [wrap(str(point["label"]), _NAME) for point in ordered]
    heights = [len(text) * LINE + 2.0 for text in lines]
    middles = spread([point["y"] for point in ordered], heights)
    # Names stand within the height of the panel as far as they fit.
    low = max(0.0, middles[-1] + heights[-1] / 2 - height)
    low = min(low, middles[0] - heights[0] / 2)
    start = width + 24
    leaders = [
        {"x": point["x"], "y": point["y"], "x2": start - 4, "y2": middle - low}
        for point, middle in zip(ordered, middles)
    ]
    texts = [
        {"text": part, "x": start, "y": middle - low + (index - (len(text) - 1) / 2) * LINE}
        for text, middle in zip(lines, middles)
        for index, part in enumerate(text)
    ]
    return [
        alt.Chart(dataset(leaders, "name_lines"))
        .mark_rule(strokeWidth=0.7, color=MUTED, opacity=0.5, aria=False)
        .encode(**extent()),
        texts_at(texts, "names", align="left", aria=False),
    ], 24 + max(text_width(part) for text in lines for part in text)
