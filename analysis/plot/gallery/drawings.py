"""What the gallery draws of each chart of the registry: a bundled review, and what is asked of it."""

from __future__ import annotations

import json
from typing import Any

from analysis import plot
from analysis.plot.gallery.bench import Bench

NETWORK: tuple[str, dict[str, Any]] = ("diabetes", {"analysis": "hba1c-network"})
PAIRWISE: tuple[str, dict[str, Any]] = ("smoking", {"analysis": "cessation-individual"})
SIMULATED: tuple[str, dict[str, Any]] = ("alf-simulated", {})

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "forest": PAIRWISE,
    "network_forest": NETWORK,
    "summary_forest": NETWORK,
    "leave_one_out": PAIRWISE,
    "cumulative": PAIRWISE,
    "specification_curve": NETWORK,
    "sequential_bounds": ("diabetes", {"analysis": "hba1c-rosiglitazone", "anticipated_effect": -0.25}),
    "node_split": NETWORK,
    "threshold_forest": NETWORK,
    "threshold_region": NETWORK,
    "prior_sensitivity": NETWORK,
    "funnel": PAIRWISE,
    "comparison_adjusted_funnel": NETWORK,
    "network_diagram": NETWORK,
    "league": NETWORK,
    "rankogram": NETWORK,
    "cumulative_ranking": NETWORK,
    "rank_heat_plot": ("alf", {}),
    "net_heat": NETWORK,
    "contributions": NETWORK,
    "leverage": NETWORK,
    "posterior_density": NETWORK,
    "trace": NETWORK,
    "rank_trace": NETWORK,
    "psrf": NETWORK,
    "bubble": PAIRWISE,
    "baujat": PAIRWISE,
    "gosh": PAIRWISE,
    "traffic_light": SIMULATED,
    "rob_summary": SIMULATED,
    "evidence_map": ("maternal-diet", {}),
    "missing_data_map": ("maternal-diet", {}),
    "replay_ranks": NETWORK,
    "replay_timeline": ("smoking", {}),
    "prisma_flow": SIMULATED,
}
"""Bundled review and options of `analysis.plot.of_base`, by chart."""


def draw(name: str, bench: Bench) -> Any:
    """Draw the chart of that name."""
    review, options = EXAMPLES[name]
    return plot.of_base(bench.db(review), name, **options)


def command(name: str) -> str:
    """Write the command that draws it."""
    review, options = EXAMPLES[name]
    given = "".join(f" --{key.replace('_', '-')} {value}" for key, value in options.items())
    kind = name.replace("_", "-")
    return f"evidence plot {review} {kind}{given} -o {kind}.svg"


def code(name: str) -> str:
    """Write the line of Python that draws it."""
    review, options = EXAMPLES[name]
    given = "".join(f", {key}={json.dumps(value)}" for key, value in options.items())
    return f'plot.of_base(evidence.open("{review}"), "{name}"{given})'
