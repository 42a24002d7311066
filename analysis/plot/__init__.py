"""What every chart draws: one function a chart, which takes a subject (a stored run or a live fit).

The command ``evidence plot``, ``fit.plot``, the gallery and the sections of the report all draw through it.
"""

from __future__ import annotations

from analysis.plot.asking import entry, of_base, of_fit
from analysis.plot.bayesian import (
    leverage,
    posterior_density,
    prior_sensitivity,
    psrf,
    rank_trace,
    spelled,
    trace,
)
from analysis.plot.firm import specification_curve
from analysis.plot.markup import as_html
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
from analysis.plot.over_time import replay_ranks, replay_timeline
from analysis.plot.pairwise import (
    baujat,
    bubble,
    cumulative,
    forest,
    funnel,
    gosh,
    sequential_bounds,
    spelled_levels,
)
from analysis.plot.ranking import (
    cumulative_ranking,
    published_ranking,
    rank_heat_plot,
    rankogram,
    ranks_across,
)
from analysis.plot.subject import NothingToDrawError, Subject
from analysis.plot.summary import summary_forest, summary_of_analyses, summary_of_printed
from analysis.plot.thresholds import threshold_forest, threshold_region, threshold_rows
from analysis.plot.whole import (
    Whole,
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
    "Whole",
    "appraised",
    "as_html",
    "baujat",
    "bubble",
    "comparison_adjusted_funnel",
    "contributions",
    "cumulative",
    "cumulative_ranking",
    "entry",
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
    "of_base",
    "of_fit",
    "planned_order",
    "posterior_density",
    "prior_sensitivity",
    "prisma_flow",
    "psrf",
    "published_ranking",
    "rank_heat_plot",
    "rank_trace",
    "rankogram",
    "ranks_across",
    "replay_ranks",
    "replay_timeline",
    "rob_summary",
    "sequential_bounds",
    "specification_curve",
    "spelled",
    "spelled_levels",
    "summary_forest",
    "summary_of_analyses",
    "summary_of_printed",
    "threshold_forest",
    "threshold_region",
    "threshold_rows",
    "trace",
    "traffic_light",
]
