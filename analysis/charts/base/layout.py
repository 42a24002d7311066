"""Tables with a panel: text columns to the left and right of a drawing that shares their rows.

Forest plots of every kind are such tables. Everything is placed in pixels measured from the text itself, so
columns never overlap and names are never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt

from analysis.charts.base.theme import FAINT, INK, MUTED, SIZE, dataset, text_width, wrap

ROW = 17
"""Height of a row in pixels."""

GAP = 16
"""Pixels between columns."""

_LINE = 14
_TOP = 3
_NAME = 230
_INDENT = 12


@dataclass(frozen=True)
class Column:
    """One text column.

    Attributes
    ----------
    field : str
        Key of the rows that holds the text.
    title : str
        Heading; its line breaks are kept.
    align : {"left", "right", "center"}
        How cells and heading stand.
    group : str
        Heading over neighbouring columns of the same group.
    """

    field: str
    title: str
    align: Any = "right"
    group: str = ""

    def width(self, rows: Sequence[Mapping[str, Any]]) -> float:
        """Pixels that the widest cell or heading takes; rows marked ``span`` run on and do not count."""
        cells = [
            text_width(str(row[self.field]), bold=bool(row.get("bold")))
            + (_INDENT if row.get("indent") else 0)
            for row in rows
            if row.get(self.field) and not row.get("span")
        ]
        return max([*cells, *(text_width(line, bold=True) for line in self.title.split("\n"))], default=0)


def row_y(index: float) -> float:
    """Middle of a row in pixels from the top of the panel, clear of the rule beneath the headings."""
    return (index + 0.5) * ROW + _TOP


def pixels(field: str = "y") -> alt.Y:
    """Channel of a y position that is given in pixels."""
    return alt.Y(field, type="quantitative", scale=None, axis=None)


def linked(rows: Iterable[Mapping[str, Any]]) -> dict[str, alt.HrefValue]:
    """Channel that makes links of the rows that have an ``href``; none where no row has one."""
    if not any(row.get("href") for row in rows):
        return {}
    # Without the condition a row without a link would lead to "null".
    condition = {"test": "isValid(datum.href)", "field": "href", "type": "nominal"}
    return {"href": alt.HrefValue(alt.Undefined, condition=condition)}


@dataclass(frozen=True)
class Table:
    """Text columns around a panel.

    Attributes
    ----------
    rows : sequence of mapping
        Each with ``y`` (pixels), its texts, and where it applies ``bold``, ``muted``, ``span`` (first column
        runs on over the panel) and ``href``.
    left, right : sequence of Column
        Columns on either side of the panel.
    panel : float
        Width of the panel in pixels.
    name : str
        Name of the dataset.
    """

    rows: Sequence[Mapping[str, Any]]
    left: Sequence[Column]
    right: Sequence[Column]
    panel: float
    name: str = "rows"

    @property
    def height(self) -> float:
        """Pixels from the first row's top to the last row's bottom."""
        return max((float(row["y"]) for row in self.rows), default=0) + ROW / 2

    @property
    def cuts(self) -> list[float]:
        """Places between rows in pixels, from the first row's top to the last row's bottom.

        What belongs together has no place between: a heading and its rows, an effect and what is said of it.
        """
        places: list[float] = []
        before: Mapping[str, Any] = {}
        for row in self.rows:
            bound = row.get("indent") or row.get("kind") in ("pooled", "prediction", "note", "gap")
            if not places or (not bound and before.get("kind") != "header"):
                places.append(float(row["y"]) - ROW / 2)
            before = row
        return [*places, self.height]

    @cached_property
    def places(self) -> list[tuple[Column, float, float]]:
        """Each column with its left and right end in pixels."""
        placed = []
        x = 0.0
        for column in self.left:
            width = _group_share(column, self.left, column.width(self.rows))
            placed.append((column, x, x + width))
            x += width + GAP
        x += self.panel + GAP
        for column in self.right:
            width = _group_share(column, self.right, column.width(self.rows))
            placed.append((column, x, x + width))
            x += width + GAP
        return placed

    @property
    def origin(self) -> float:
        """Left end of the panel in pixels."""
        ends = [end for column, _, end in self.places if column in self.left]
        return ends[-1] + GAP if ends else 0.0

    @property
    def width(self) -> float:
        """Whole width in pixels."""
        return max([self.origin + self.panel, *(end for _, _, end in self.places)])

    def layers(self) -> list[Any]:
        """Text of all columns, their headings, and the rule beneath the headings."""
        data = dataset(self.rows, self.name)
        layers: list[Any] = [line(0, self.width, 0, MUTED)]
        for column, left, right in self.places:
            x = {"left": left, "right": right, "center": (left + right) / 2}[column.align]
            for bold, indent in ((False, False), (True, False), (False, True)):
                if not any(
                    (bool(row.get("bold")), self._indented(row, column)) == (bold, indent)
                    and row.get(column.field)
                    for row in self.rows
                ):
                    continue
                chosen = "datum.bold" if bold else "!datum.bold"
                if column is self.left[0]:
                    chosen += " && datum.indent" if indent else " && !datum.indent"
                layers.append(
                    alt.Chart(data)
                    .mark_text(align=column.align, baseline="middle", fontWeight="bold" if bold else "normal")
                    .transform_filter(f"{chosen} && datum['{column.field}']")
                    .encode(
                        x=alt.XValue(x + (_INDENT if indent else 0)),
                        y=pixels(),
                        text=alt.Text(column.field, type="nominal"),
                        color=alt.Color("ink:N", scale=None),
                        **(linked(self.rows) if column is self.left[0] else {}),
                    )
                )
        return layers + self._heads()

    def _indented(self, row: Mapping[str, Any], column: Column) -> bool:
        return column is self.left[0] and bool(row.get("indent"))

    def _heads(self) -> list[Any]:
        """Headings of columns and of groups of them, with a rule between."""
        heads: list[dict[str, Any]] = []
        rules: list[dict[str, Any]] = []

        def write(lines: Sequence[str], x: float, y: float, align: str) -> None:
            heads.extend(
                {"text": text, "x": x, "y": y - (len(lines) - 1 - i) * _LINE, "align": align}
                for i, text in enumerate(lines)
            )

        for column, left, right in self.places:
            x = {"left": left, "right": right, "center": (left + right) / 2}[column.align]
            write(column.title.split("\n"), x, -6, column.align)
        for group in dict.fromkeys(column.group for column, _, _ in self.places if column.group):
            members = [place for place in self.places if place[0].group == group]
            deepest = max(len(column.title.split("\n")) for column, _, _ in members)
            left, right = members[0][1], members[-1][2]
            y = -6 - deepest * _LINE - 5
            rules.append({"x": left, "x2": right, "y": y + 5})
            write(wrap(group, max(right - left, 60), bold=True), (left + right) / 2, y, "center")
        at = alt.X("x:Q", scale=None, axis=None)
        layers: list[Any] = []
        for align in ("left", "right", "center"):
            chosen = [head for head in heads if head["align"] == align]
            if chosen:
                layers.append(
                    alt.Chart(dataset(chosen, f"heads_{align}"))
                    .mark_text(align=align, baseline="alphabetic", fontWeight="bold", color=INK, aria=False)
                    .encode(x=at, y=pixels(), text=alt.Text("text:N"))
                )
        if rules:
            layers.append(
                alt.Chart(dataset(rules, "groups"))
                .mark_rule(color=FAINT, aria=False)
                .encode(x=at, x2=alt.X2("x2"), y=pixels())
            )
        # Pixels beside a panel with an axis of its own.
        return [alt.layer(*layers).resolve_scale(x="independent")]


def _group_share(column: Column, columns: Sequence[Column], width: float) -> float:
    """Widen the columns of a group whose heading would need more than three lines over them."""
    if not column.group:
        return width
    members = [other for other in columns if other.group == column.group]
    needed = text_width(column.group, bold=True) / 2.2
    return max(width, needed / len(members))


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
    offset = -(len(lines) - 1) * _LINE if rising else 0
    return (
        alt.Chart(alt.InlineData(values=[{}]))
        .mark_text(
            text=list(lines) if len(lines) > 1 else lines[0],
            align=align,
            baseline="alphabetic",
            lineHeight=_LINE,
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
    heights = [len(text) * _LINE + 2.0 for text in lines]
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
        {"text": part, "x": start, "y": middle - low + (index - (len(text) - 1) / 2) * _LINE}
        for text, middle in zip(lines, middles)
        for index, part in enumerate(text)
    ]
    x = alt.X("x:Q", scale=None, axis=None)
    return [
        alt.Chart(dataset(leaders, "name_lines"))
        .mark_rule(strokeWidth=0.7, color=MUTED, opacity=0.5, aria=False)
        .encode(x=x, y=pixels(), x2=alt.X2("x2"), y2=alt.Y2("y2")),
        alt.Chart(dataset(texts, "names"))
        .mark_text(align="left", baseline="middle", color=INK, aria=False)
        .encode(x=x, y=pixels(), text=alt.Text("text:N")),
    ], 24 + max(text_width(part) for text in lines for part in text)


class Grid:
    """Rows and columns with names, in pixels.

    Parameters
    ----------
    rows, columns : sequence of str
        Printed names; columns are widened to their longest word, rows never cut.
    cell : float
        Least width of a column in pixels.
    row : float
        Height of a row in pixels.
    """

    def __init__(self, rows: Sequence[str], columns: Sequence[str], cell: float, row: float) -> None:
        self.rows, self.columns, self.row = rows, columns, row
        self.start = max([text_width(name) for name in rows], default=0) + 18
        words_ = [text_width(word, bold=True) for head in columns for word in head.split()]
        self.cell = max(cell, min(max(words_, default=0) + 16, 140))

    @property
    def width(self) -> float:
        """Whole width in pixels."""
        return self.start + len(self.columns) * self.cell

    @property
    def height(self) -> float:
        """Height of all rows in pixels."""
        return len(self.rows) * self.row

    @property
    def cuts(self) -> list[float]:
        """Places between rows in pixels, from the first row's top to the last row's bottom."""
        return [index * self.row for index in range(len(self.rows) + 1)]

    def x(self, column: int) -> float:
        """Give the middle of a column in pixels."""
        return self.start + (column + 0.5) * self.cell

    def y(self, row: int) -> float:
        """Give the middle of a row in pixels."""
        return (row + 0.5) * self.row

    def lines(self) -> list[Any]:
        """Rule off the heading and every row."""
        rules = [{"y": index * self.row} for index in range(1, len(self.rows) + 1)]
        return [
            alt.Chart(dataset(rules, "rules"))
            .mark_rule(color="#eaeef2", aria=False)
            .encode(y=pixels(), x=alt.XValue(0), x2=alt.X2Value(self.width)),
            line(0, self.width, 0, MUTED),
        ]

    def texts(self, head: str) -> list[Any]:
        """Write the names of rows and columns; `head` stands over the former."""
        return [
            names_column(self.rows, self.row),
            words([head], 0, -7, bold=True),
            *(
                words(
                    wrap(name, self.cell - 6, bold=True),
                    self.x(i),
                    -7,
                    align="center",
                    bold=True,
                    rising=True,
                )
                for i, name in enumerate(self.columns)
            ),
        ]


def names_column(names: Sequence[str], row: float) -> Any:
    """Write names of rows, one below the other, from the left edge."""
    rows = [{"label": name, "y": (index + 0.5) * row} for index, name in enumerate(names)]
    return (
        alt.Chart(dataset(rows, "names"))
        .mark_text(align="left", baseline="middle", color=INK, aria=False)
        .encode(x=alt.XValue(0), y=pixels(), text=alt.Text("label:N"))
    )
