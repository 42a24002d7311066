"""Notebooks: tables as HTML, and a line below the cell that says what long work is doing.

Nothing of Jupyter is needed: where IPython runs, it has been imported by whoever started it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

_CELL = 'style="text-align: left; padding: 0.1em 0.8em 0.1em 0"'


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write a table as HTML: every text escaped, columns without any content left out."""
    kept = [i for i, _ in enumerate(heads) if any(row[i] for row in rows)]
    head = "".join(f"<th {_CELL}>{escape(heads[i])}</th>" for i in kept)
    body = "".join(
        "<tr>" + "".join(f"<td {_CELL}>{escape(str(row[i]))}</td>" for i in kept) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def line() -> Callable[[str], None] | None:
    """Give the line of the notebook that runs; None where none runs.

    Each text takes the place of the one before; when the cell ends, by an error too, the line is empty.
    """
    global _LINE
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return None
    if _LINE is None or _LINE.shell is not shell:
        _LINE = _Line(shell)
    return _LINE


class _Line:
    """A line on standard error, which notebooks and terminals write over after a carriage return."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._width = 0
        shell.events.register("post_run_cell", self._end)

    def __call__(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()
        self._width = len(text)

    def _end(self, *_: object) -> None:
        if self._width:
            self("")
            sys.stderr.write("\r")


_LINE: _Line | None = None
