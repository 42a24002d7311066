"""The field's charts: tidy frames in, Altair charts out, with alternative text and the table drawn.

The functions take frames with the columns of the ``result_*`` tables and of the views; they compute no
statistics. Given a fit instead, each draws that: ``forest(fit)`` is ``fit.plot("forest")``. `save` writes a
chart as SVG, PNG, PDF, an interactive page and CSV.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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

        found = getattr(import_module(f"analysis.charts.{_HOMES[name]}"), name)
        return _of_frames_or_fit(name, found) if name in CHARTS else found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _of_frames_or_fit(chart: str, of_frames: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(of_frames)
    def draw(*given: Any, **named: Any) -> Any:
        # A fit knows how its charts are made; nothing here does, so that charts read rows alone.
        if given and hasattr(type(given[0]), "estimates"):
            return given[0].plot(chart, *given[1:], **named)
        return of_frames(*given, **named)

    return draw
