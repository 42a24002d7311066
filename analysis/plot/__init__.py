"""What every chart draws: one function a chart, which takes a subject (a stored run or a live fit).

The command ``evidence plot``, ``fit.plot``, the gallery and the sections of the report all draw through it.
"""

from __future__ import annotations

from analysis.plot.bayesian import (
    leverage,
    posterior_density,
    prior_sensitivity,
    psrf,
    rank_trace,
    spelled,
    trace,
)
from analysis.plot.network import (
    comparison_adjusted_funnel,
    contributions,
    league,
    league_rows,
    leave_one_out,
    net_heat,
    network_diagram,
    network_forest,
    node_split,
    planned_order,
)
from analysis.plot.pairwise import baujat, bubble, cumulative, forest, funnel, gosh, spelled_levels
from analysis.plot.ranking import cumulative_ranking, published_ranking, rank_heat_plot, rankogram
from analysis.plot.subject import NothingToDrawError, Subject
from analysis.plot.whole import (
    appraised,
    evidence_map,
    missing_data_map,
    prisma_flow,
    rob_summary,
    traffic_light,
)

__all__ = [
    "NothingToDrawError",
    "Subject",
    "appraised",
    "baujat",
    "bubble",
    "comparison_adjusted_funnel",
    "contributions",
    "cumulative",
    "cumulative_ranking",
    "evidence_map",
    "forest",
    "funnel",
    "gosh",
    "league",
    "league_rows",
    "leave_one_out",
    "leverage",
    "missing_data_map",
    "net_heat",
    "network_diagram",
    "network_forest",
    "node_split",
    "planned_order",
    "posterior_density",
    "prior_sensitivity",
    "prisma_flow",
    "psrf",
    "published_ranking",
    "rank_heat_plot",
    "rank_trace",
    "rankogram",
    "rob_summary",
    "spelled",
    "spelled_levels",
    "trace",
    "traffic_light",
]
