"""The field's charts: tidy frames in, Altair charts out, each with its alternative text and the table it draws.

The functions take frames with the columns of the ``result_*`` tables and of the views; they compute no statistics.
`save` writes a chart as SVG, PNG, PDF, an interactive page and CSV.
"""

from __future__ import annotations

from typing import Any

_HOMES = {
    "Effect": "effect",
    "compose": "theme",
    "mark_synthetic": "theme",
    "save": "save",
    "forest": "forest",
    "network_forest": "forest",
    "leave_one_out": "forest",
    "node_split": "forest",
    "prior_sensitivity": "forest",
    "network_diagram": "network",
    "league": "league",
}

__all__ = list(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    # Altair is loaded when the first chart is asked for.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"analysis.charts.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
