"""Every chart by name: which function draws it, what it shows, and which rows it needs.

This is the only list of charts: the face of `analysis.charts` and the gallery read it. The gallery draws each
on a bundled review (`gallery.drawings`), through the function of its name in the room `analysis.plot`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from evidence import facts


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
    room : str
        Module of `analysis.plot` whose function of that name makes these rows.
    of : tuple of {"pairwise", "network", "review"}
        What it is a picture of: an analysis of these kinds, or a review as a whole.
    needs : str
        What an engine must offer to have its rows (column ``offers`` of ``engine``); empty for all engines.
    """

    name: str
    module: str
    shows: str
    rows: str
    room: str = "whole"
    of: tuple[str, ...] = ("review",)
    needs: str = ""

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines that have its rows, the one that is taken where none is asked for first; empty for all."""
        return facts.offering(self.needs) if self.needs else ()

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
            "A pairwise meta-analysis: studies, arms, weights, subgroups, pooled effects, prediction",
            "result_contrast, result_weight, result_estimate, result_heterogeneity",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "network_forest",
            "networks.network_forests",
            "Every treatment of a network against the reference, best first",
            "result_estimate, result_ranking",
            "network",
            ("network",),
        ),
        Entry(
            "summary_forest",
            "summaries",
            "The main effects at a glance: an answer's picture",
            "result_estimate, result_contrast",
            "summary",
            ("pairwise", "network"),
        ),
        Entry(
            "leave_one_out",
            "one_by_one",
            "The pooled effect without each study",
            "result_leave_one_out",
            "network",
            ("pairwise", "network"),
        ),
        Entry(
            "cumulative",
            "one_by_one",
            "The pooled effect as studies are added",
            "PairwiseFit.cumulative()",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "specification_curve",
            "multiverse",
            "Every defensible analysis, in the order of its effect, and how each decided",
            "result_multiverse, result_multiverse_choice",
            "firm",
            ("pairwise", "network"),
        ),
        Entry(
            "sequential_bounds",
            "sequential",
            "The z of the studies so far against bounds for looking repeatedly",
            "PairwiseFit.sequential()",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "node_split",
            "networks.network_forests",
            "Direct against indirect evidence",
            "result_inconsistency",
            "network",
            ("network",),
        ),
        Entry(
            "threshold_forest",
            "networks.thresholds",
            "How far each effect may move before the decision changes",
            "result_threshold",
            "thresholds",
            ("network",),
            "thresholds",
        ),
        Entry(
            "threshold_region",
            "networks.thresholds",
            "How far two effects may move together before the decision changes",
            "regions of the live fit",
            "thresholds",
            ("network",),
            "thresholds",
        ),
        Entry(
            "prior_sensitivity",
            "networks.network_forests",
            "Effects under other priors",
            "ExactFit.prior_sensitivity()",
            "bayesian",
            ("network",),
            "prior_sensitivity",
        ),
        Entry(
            "funnel",
            "funnels",
            "Small-study effects, with contours of significance",
            "result_contrast",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "comparison_adjusted_funnel",
            "funnels",
            "Small-study effects in a network, order of treatments stated",
            "result_contrast with the direct rows of result_estimate",
            "network",
            ("network",),
        ),
        Entry(
            "network_diagram",
            "networks.network",
            "Who was compared with whom",
            "run_node, run_edge, result_contrast",
            "network",
            ("network",),
        ),
        Entry(
            "league",
            "networks.leagues",
            "Every pair of treatments, one or two outcomes",
            "result_estimate",
            "network",
            ("network",),
        ),
        Entry(
            "rankogram",
            "networks.ranks",
            "The probability of every rank",
            "result_rank_probability, result_ranking",
            "ranking",
            ("network",),
        ),
        Entry(
            "cumulative_ranking",
            "networks.ranks",
            "Cumulative ranking curves",
            "result_rank_probability, result_ranking",
            "ranking",
            ("network",),
        ),
        Entry(
            "rank_heat_plot",
            "networks.ranks",
            "Ranking across outcomes",
            "result_ranking of several runs, or published_ranking",
            "ranking",
        ),
        Entry(
            "net_heat",
            "networks.inconsistency",
            "Which designs drive inconsistency",
            "NetworkFit.net_heat()",
            "network",
            ("network",),
            "net_heat",
        ),
        Entry(
            "contributions",
            "networks.inconsistency",
            "What each estimate rests on",
            "result_weight, or NetworkFit.contributions()",
            "network",
            ("network",),
        ),
        Entry(
            "leverage",
            "networks.inconsistency",
            "Studies that fit badly or pull hard",
            "result_fit by study",
            "bayesian",
            ("network",),
            "leverage",
        ),
        Entry(
            "posterior_density",
            "networks.posteriors",
            "Posterior densities, with priors",
            "densities of ExactFit.effect()",
            "bayesian",
            ("network",),
            "densities",
        ),
        Entry(
            "trace",
            "networks.posteriors",
            "Chains of a simulation",
            "draws by parameter and chain",
            "bayesian",
            ("network",),
            "chains",
        ),
        Entry(
            "rank_trace",
            "networks.posteriors",
            "Whether chains explore alike",
            "draws by parameter and chain",
            "bayesian",
            ("network",),
            "chains",
        ),
        Entry(
            "psrf",
            "networks.posteriors",
            "Convergence by iteration",
            "result_convergence",
            "bayesian",
            ("network",),
            "chains",
        ),
        Entry(
            "bubble",
            "diagnostics",
            "A meta-regression on one number",
            "MetaRegression.bubble()",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "baujat",
            "diagnostics",
            "Studies that add heterogeneity and move the result",
            "PairwiseFit.baujat()",
            "pairwise",
            ("pairwise",),
        ),
        Entry(
            "gosh",
            "diagnostics",
            "The meta-analysis of many subsets",
            "PairwiseFit.gosh()",
            "pairwise",
            ("pairwise",),
        ),
        Entry("traffic_light", "appraisal", "Risk of bias by study", "rob_traffic_light"),
        Entry("rob_summary", "appraisal", "Risk of bias by item", "rob_summary"),
        Entry("evidence_map", "appraisal", "How much evidence there is on what", "network_node"),
        Entry("missing_data_map", "appraisal", "What became of each study's data", "measurement_standard"),
        Entry(
            "replay_ranks",
            "over_time",
            "The place of every treatment of a network at the end of each year",
            "ranking of analysis.living.replay",
            "over_time",
        ),
        Entry(
            "replay_timeline",
            "over_time",
            "Since when each thing that can be said now is true",
            "timeline and statements of analysis.living.replay",
            "over_time",
        ),
        Entry("prisma_flow", "flow", "The PRISMA 2020 flow diagram", "prisma_flow"),
    )
}
"""All charts, in the order of the gallery."""
