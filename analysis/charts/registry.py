"""Every chart by name: which function draws it, what it shows, and which rows it needs.

This is the only list of charts: the face of `analysis.charts` and the gallery read it. The gallery draws each
by the function of its name, with an underscore before, in `gallery.drawings`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One chart.

    Attributes
    ----------
    name : str
        Name of the function in `analysis.charts`, and of the chart in ``usermeta.evidence.chart``.
    module : str
        Module of `analysis.charts` that it stands in.
    shows : str
        What a reader sees.
    rows : str
        Which rows it draws.
    """

    name: str
    module: str
    shows: str
    rows: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function that draws it."""
        return getattr(import_module(f"analysis.charts.{self.module}"), self.name)


CHARTS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "forest",
            "forests",
            "A pairwise meta-analysis: studies, arms, weights, subgroups, pooled effects, prediction "
            "interval",
            "result_weight with contrast and measurement_standard, result_estimate, result_heterogeneity",
        ),
        Entry(
            "network_forest",
            "network_forests",
            "Every treatment of a network against the reference, best first",
            "result_estimate, result_ranking",
        ),
        Entry(
            "summary_forest",
            "summaries",
            "The main effects at a glance: an answer's picture",
            "result_estimate, or result_weight with result_estimate",
        ),
        Entry("leave_one_out", "one_by_one", "The pooled effect without each study", "result_leave_one_out"),
        Entry(
            "cumulative",
            "one_by_one",
            "The pooled effect as studies are added",
            "result_leave_one_out's columns",
        ),
        Entry("node_split", "network_forests", "Direct against indirect evidence", "result_inconsistency"),
        Entry(
            "prior_sensitivity",
            "network_forests",
            "Effects under other priors",
            "result_sensitivity, one row an effect",
        ),
        Entry("funnel", "funnels", "Small-study effects, with contours of significance", "result_weight"),
        Entry(
            "comparison_adjusted_funnel",
            "funnels",
            "Small-study effects in a network, order of treatments stated",
            "contrast_network with the direct rows of result_estimate",
        ),
        Entry(
            "network_diagram",
            "network",
            "Who was compared with whom",
            "network_node, network_edge, network_arm",
        ),
        Entry("league", "leagues", "Every pair of treatments, one or two outcomes", "result_estimate"),
        Entry(
            "rankogram", "ranks", "The probability of every rank", "result_rank_probability, result_ranking"
        ),
        Entry(
            "cumulative_ranking",
            "ranks",
            "Cumulative ranking curves",
            "result_rank_probability, result_ranking",
        ),
        Entry("rank_heat_plot", "ranks", "Ranking across outcomes", "result_ranking of several runs"),
        Entry("net_heat", "inconsistency", "Which designs drive inconsistency", "NetworkFit.net_heat()"),
        Entry(
            "contributions",
            "inconsistency",
            "What each estimate rests on",
            "result_weight, or contributions()",
        ),
        Entry("leverage", "inconsistency", "Studies that fit badly or pull hard", "result_fit by study"),
        Entry(
            "posterior_density",
            "posteriors",
            "Posterior densities, with priors",
            "value and density by parameter",
        ),
        Entry("trace", "posteriors", "Chains of a simulation", "draws by parameter and chain"),
        Entry("rank_trace", "posteriors", "Whether chains explore alike", "draws by parameter and chain"),
        Entry("psrf", "posteriors", "Convergence by iteration", "result_convergence"),
        Entry("bubble", "diagnostics", "A meta-regression on one number", "MetaRegression.bubble()"),
        Entry(
            "baujat",
            "diagnostics",
            "Studies that add heterogeneity and move the result",
            "PairwiseFit.baujat()",
        ),
        Entry("gosh", "diagnostics", "The meta-analysis of many subsets", "PairwiseFit.gosh()"),
        Entry("traffic_light", "appraisal", "Risk of bias by study", "rob_traffic_light"),
        Entry("rob_summary", "appraisal", "Risk of bias by item", "rob_summary"),
        Entry("evidence_map", "appraisal", "How much evidence there is on what", "network_node"),
        Entry("missing_data_map", "appraisal", "What became of each study's data", "measurement_standard"),
        Entry("prisma_flow", "flow", "The PRISMA 2020 flow diagram", "prisma_flow"),
    )
}
"""All charts, in the order of the gallery."""
