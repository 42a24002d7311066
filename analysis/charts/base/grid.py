"""Rows and columns of cells in pixels: heat maps, evidence maps, traffic lights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from analysis.charts.base.layout import across, down, extent, line, own_color, words
from analysis.charts.base.theme import INK, MUTED, dataset, text_width, wrap


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

    def cell_at(self, row: int, column: int) -> dict[str, float]:
        """Give the edges of a cell in pixels (x, x2, y, y2) and its middle and center."""
        middle = self.x(column)
        return {
            "x": middle - self.cell / 2, "x2": middle + self.cell / 2, "middle": middle,
            "y": row * self.row, "y2": (row + 1) * self.row, "center": self.y(row),
        }  # fmt: skip

    def heat_map(
        self, cells: alt.Chart, *, over: alt.Chart, head: str, gap: float, tooltip: Sequence[alt.Tooltip] = ()
    ) -> Any:
        """Draw cells in their own colours, what stands `over` them, and the names of rows and columns.

        Parameters
        ----------
        cells : altair chart
            Its rows have the places of `cell_at` and a color.
        over : altair chart
            What is drawn on the cells and the lines between rows.
        head : str
            What the rows are.
        gap : float
            White between cells in pixels.
        tooltip : sequence of altair tooltips
            What a cell says.
        """
        channels = extent() | {"color": own_color()} | ({"tooltip": list(tooltip)} if tooltip else {})
        filled = cells.mark_rect(stroke="white", strokeWidth=gap).encode(**channels)
        return self.drawn(filled, *self.lines(), over, *self.texts(head))

    def drawn(self, *layers: Any) -> Any:
        """Put layers together, as large as the grid."""
        return alt.layer(*layers).properties(width=self.width, height=self.height)

    def lines(self) -> list[Any]:
        """Rule off the heading and every row."""
        rules = [{"y": index * self.row} for index in range(1, len(self.rows) + 1)]
        return [
            alt.Chart(dataset(rules, "rules"))
            .mark_rule(color="#eaeef2", aria=False)
            .encode(y=down(), x=alt.XValue(0), x2=alt.X2Value(self.width)),
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


def cell_texts(cells: alt.Chart, field: str = "text", **look: Any) -> alt.Chart:
    """Write a text in the middle of each cell, in the cell's own ink.

    Parameters
    ----------
    cells : altair chart
        Its rows have middle and center in pixels, ink, and the text in `field`.
    field : str
        Key of the text.
    **look
        Further properties of the text.
    """
    marked = cells.mark_text(baseline="middle", **look)
    text = alt.Text(field, type="nominal")
    return marked.encode(x=across("middle"), y=down("center"), text=text, color=own_color("ink"))


def names_column(names: Sequence[str], row: float) -> Any:
    """Write names of rows, one below the other, from the left edge."""
    rows = [{"label": name, "y": (index + 0.5) * row} for index, name in enumerate(names)]
    return (
        alt.Chart(dataset(rows, "names"))
        .mark_text(align="left", baseline="middle", color=INK, aria=False)
        .encode(x=alt.XValue(0), y=down(), text=alt.Text("label:N"))
    )
