"""The field's charts: tidy frames in, Altair charts out, with alternative text and the table drawn.

The functions take frames with the columns of the ``result_*`` tables and of the views; they compute no
statistics. `save` writes a chart as SVG, PNG, PDF, an interactive page and CSV.
"""

from __future__ import annotations

from typing import Any

from analysis.charts.registry import CHARTS

_HOMES = {
    "Effect": "base.effect",
    "compose": "base.theme",
    "mark_synthetic": "base.theme",
    "save": "base.files",
} | {entry.name: entry.module for entry in CHARTS.values()}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Altair is loaded when the first chart is asked for.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"analysis.charts.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
