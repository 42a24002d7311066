"""The field's charts: tidy frames in, Altair charts out, with alternative text and the table drawn.

The functions take frames with the columns of the ``result_*`` tables and of the views; they compute no
statistics. `save` writes a chart as SVG, PNG, PDF, an interactive page and CSV.
"""

from __future__ import annotations

from typing import Any

_HOMES = {
    "Effect": "base.effect",
    "compose": "base.theme",
    "mark_synthetic": "base.theme",
    "save": "base.files",
    "forest": "forests",
    "network_forest": "network_forests",
    "leave_one_out": "one_by_one",
    "cumulative": "one_by_one",
    "node_split": "network_forests",
    "prior_sensitivity": "network_forests",
    "network_diagram": "network",
    "league": "leagues",
    "funnel": "funnels",
    "comparison_adjusted_funnel": "funnels",
    "rankogram": "ranks",
    "cumulative_ranking": "ranks",
    "rank_heat_plot": "ranks",
    "net_heat": "inconsistency",
    "contributions": "inconsistency",
    "leverage": "inconsistency",
    "posterior_density": "posteriors",
    "trace": "posteriors",
    "rank_trace": "posteriors",
    "psrf": "posteriors",
    "bubble": "diagnostics",
    "baujat": "diagnostics",
    "gosh": "diagnostics",
    "traffic_light": "appraisal",
    "rob_summary": "appraisal",
    "evidence_map": "appraisal",
    "missing_data_map": "appraisal",
    "prisma_flow": "flow",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Altair is loaded when the first chart is asked for.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"analysis.charts.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
