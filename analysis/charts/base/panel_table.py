"""Tables with a panel: text columns to the left and right of a drawing that shares their rows.

Forest plots of every kind are such tables. Everything is placed in pixels measured from the text itself, so
columns never overlap and names are never cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt

from analysis.charts.base.layout import LINE, across, down, line, linked, own_color, texts_at
from analysis.charts.base.theme import FAINT, MUTED, dataset, text_width, wrap

ROW = 17
"""Height of a row in pixels."""

GAP = 16
"""Pixels between columns."""

_TOP = 3
_INDENT = 12


@dataclass(frozen=True)
class TextColumn:
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


@dataclass(frozen=True)
class PanelTable:
    """Text columns around a panel.

    Attributes
    ----------
    rows : sequence of mapping
        Each with ``y`` (pixels), its texts, and where it applies ``bold``, ``muted``, ``span`` (first column
        runs on over the panel) and ``href``.
    left, right : sequence of TextColumn
        Columns on either side of the panel.
    panel : float
        Width of the panel in pixels.
    name : str
        Name of the dataset.
    """

    rows: Sequence[Mapping[str, Any]]
    left: Sequence[TextColumn]
    right: Sequence[TextColumn]
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
    def places(self) -> list[tuple[TextColumn, float, float]]:
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
                        y=down(),
                        text=alt.Text(column.field, type="nominal"),
                        color=own_color("ink"),
                        **(linked(self.rows) if column is self.left[0] else {}),
                    )
                )
        return layers + self._heads()

    def _indented(self, row: Mapping[str, Any], column: TextColumn) -> bool:
        return column is self.left[0] and bool(row.get("indent"))

    def _heads(self) -> list[Any]:
        """Headings of columns and of groups of them, with a rule between."""
        heads: list[dict[str, Any]] = []
        rules: list[dict[str, Any]] = []

        def write(lines: Sequence[str], x: float, y: float, align: str) -> None:
            heads.extend(
                {"text": text, "x": x, "y": y - (len(lines) - 1 - i) * LINE, "align": align}
                for i, text in enumerate(lines)
            )

        for column, left, right in self.places:
            x = {"left": left, "right": right, "center": (left + right) / 2}[column.align]
            write(column.title.split("\n"), x, -6, column.align)
        for group in dict.fromkeys(column.group for column, _, _ in self.places if column.group):
            members = [place for place in self.places if place[0].group == group]
            deepest = max(len(column.title.split("\n")) for column, _, _ in members)
            left, right = members[0][1], members[-1][2]
            y = -6 - deepest * LINE - 5
            rules.append({"x": left, "x2": right, "y": y + 5})
            write(wrap(group, max(right - left, 60), bold=True), (left + right) / 2, y, "center")
        layers: list[Any] = []
        for align in ("left", "right", "center"):
            chosen = [head for head in heads if head["align"] == align]
            if chosen:
                look = {"baseline": "alphabetic", "fontWeight": "bold", "aria": False}
                layers.append(texts_at(chosen, f"heads_{align}", align=align, **look))
        if rules:
            layers.append(
                alt.Chart(dataset(rules, "groups"))
                .mark_rule(color=FAINT, aria=False)
                .encode(x=across(), x2=alt.X2("x2"), y=down())
            )
        # Pixels beside a panel with an axis of its own.
        return [alt.layer(*layers).resolve_scale(x="independent")]


def _group_share(column: TextColumn, columns: Sequence[TextColumn], width: float) -> float:
    """Widen the columns of a group whose heading would need more than three lines over them."""
    if not column.group:
        return width
    members = [other for other in columns if other.group == column.group]
    needed = text_width(column.group, bold=True) / 2.2
    return max(width, needed / len(members))
