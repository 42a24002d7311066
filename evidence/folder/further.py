"""Analyses of sensitivity by name, as the plan's key ``sensitivity`` and the flags of commands have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from evidence.names import suggestion

Kind = Literal["pairwise", "network"]

ALL = "all"
"""In the place of names: all that apply, but for those that are only done by name."""

MULTIVERSE = "multiverse"
_EVERY = "Every defensible analysis of the question, kept as rows; `evidence multiverse` prints it."

PAIRWISE: dict[str, str] = {
    "egger": "Egger's regression test of funnel asymmetry, with multiplicative and additive error.",
    "begg": "Begg and Mazumdar's rank test of funnel asymmetry.",
    "peters": "Peters' test of funnel asymmetry (odds ratios).",
    "harbord": "Harbord's test of funnel asymmetry (odds ratios).",
    "trim_fill": "Trim and fill, with the estimators L0 and R0.",
    "pet_peese": "PET, PEESE, and PET-PEESE: the effect of a study without sampling error.",
    "selection": "Three-parameter selection model: effects beyond the step are less likely to be published.",
    "influence": "What each study does to the fit: residuals, DFFITS, Cook's distance, hat values, DFBETAS.",
    "baujat": "Each study's contribution to Q, and its influence on the pooled effect.",
    "outliers": "Studies whose interval does not meet the pooled one, or with a large residual.",
    "table_tests": "Cochran-Mantel-Haenszel, Breslow-Day and Tarone tests (odds ratios).",
    "gosh": "Every subset of the studies, or a sample of them: the spread, and what each study does to it.",
    "estimators": "The pooled effect by every estimator of tau2 and every interval.",
    "bayes": "Both models as Bayesians have them, exactly; --tau-prior and --effect-prior-sd are theirs.",
    MULTIVERSE: _EVERY,
}
"""Of a pairwise meta-analysis, with what each is."""

NETWORK: dict[str, str] = {
    "contributions": "Share of each direct comparison in each network estimate (frequentist).",
    "paths": "Mean path length and minimal parallelism of each estimate (frequentist).",
    "hat": "Hat matrix: weights of direct comparisons in network estimates (frequentist).",
    "net_heat": "Numbers of the net heat plot: which design raises inconsistency where (frequentist).",
    "small_study": "Egger's and Begg's tests of the comparison-adjusted funnel; --funnel-order is its order.",
    "prior_sensitivity": "The same under other priors: --other-tau-prior, --other-effect-prior-sd, else "
    "those in common use (exact).",
    "leave_one_treatment_out": "Refit without each treatment (exact).",
    "thresholds": "How much each study's effect would have to change to change the best treatment "
    "(frequentist, exact); --decision for another decision.",
    MULTIVERSE: _EVERY,
}
"""Of a network meta-analysis."""

BY_NAME = frozenset(
    {
        "gosh",
        "estimators",
        "bayes",
        "hat",
        "prior_sensitivity",
        "leave_one_treatment_out",
        "small_study",
        "thresholds",
        MULTIVERSE,
    }
)
"""Those that are done only by name."""


REACHED: dict[str, tuple[str, str, str]] = {
    "estimates": ("always", "always", "forest plot, tables"),
    "heterogeneity": ("always", "always", "table"),
    "weights": ("`--format json`", "always", "forest plot; contributions"),
    "exclusions": ("always", "", "Exclusions"),
    "notes": ("always", "always", "Notes"),
    "diagnostics": ("always", "always", "Convergence"),
    "leave_one_out": ("always; of networks `--leave-one-out`", "`leave_one_out`", "figure"),
    "subgroups": ("`--by`", "`subgroup`", "forest plot, test beneath"),
    "cumulative": ("`--cumulative`", "`cumulative`", "results"),
    "sequential": (
        "`--sequential`, `--anticipated-effect`, `--alpha`, `--power`, `--diversity`",
        "`sequential`",
        "Repeated looks",
    ),
    "influence": ("`--influence`", "`sensitivity`", "results"),
    "baujat": ("`--baujat`", "`sensitivity`", "results"),
    "outliers": ("`--outliers`", "`sensitivity`", "results"),
    "gosh": ("`--gosh`", "`sensitivity`", "results"),
    "egger": ("`--egger`", "`sensitivity`", "beneath the funnel plot"),
    "begg": ("`--begg`", "`sensitivity`", "beneath the funnel plot"),
    "peters": ("`--peters`", "`sensitivity`", "beneath the funnel plot"),
    "harbord": ("`--harbord`", "`sensitivity`", "beneath the funnel plot"),
    "trim_fill": ("`--trim-fill`", "`sensitivity`", "results"),
    "pet_peese": ("`--pet-peese`", "`sensitivity`", "results"),
    "selection_model": ("`--selection`", "`sensitivity`", "results"),
    "table_tests": ("`--table-tests`", "`sensitivity`", "results"),
    "estimators": ("`--estimators`", "`sensitivity`", "results"),
    "bayes": ("`--bayes`", "`sensitivity`", "results"),
    "sensitivity": ("`--sensitivity`", "`sensitivity`", "results"),
    "effect_measures": ("`--measure`, each by itself", "`measure`", ""),
    "what_if": ("`--where`, each by itself", "`where`", ""),
    "meta_regression": ("`--moderator`, `--reference-level`", "`moderators`, `reference_levels`", "table"),
    "coefficients": ("`--moderator`; of networks `--covariate`", "`moderators`, `covariates`", "table"),
    "tests": ("`--moderator`", "`moderators`", "table"),
    "frame": ("`--moderator`, `--gosh`", "`moderators`", "table"),
    "permutation_test": ("`--permutations`", "`permutations`", "table"),
    "predict": ("`--at`", "`at`", "table"),
    "bubble": ("a chart", "", ""),
    "by_study": ("`--gosh`", "`sensitivity`", "results"),
    "funnel": ("a chart", "always", "figure"),
    "under_treatment": ("`--absolute`", "`absolute`", "results"),
    "relative_effects": ("always; `--league`; `--at`", "always; `at`", "forest plot, league table"),
    "league": ("`--league`", "always", "league table"),
    "ranking": ("always", "always", "Ranking"),
    "rank_probabilities": ("`--format json`", "always", "rankogram"),
    "superiority": ("always; `--margin`", "`margin`", "Ranking"),
    "inconsistency": ("always", "always", "Inconsistency"),
    "node_splits": ("`--node-split`, `--split-method`", "`node_split`", "figure"),
    "net_heat": ("`--net-heat`", "`sensitivity`", "results"),
    "contributions": ("`--contributions`", "`sensitivity`", "figure of the studies'"),
    "path_measures": ("`--paths`", "`sensitivity`", "results"),
    "hat_matrix": ("`--hat`", "`sensitivity`", "results"),
    "small_study_effects": ("`--small-study`", "always", "beneath the funnel plot"),
    "prior_sensitivity": ("`--prior-sensitivity`", "`sensitivity`", "results"),
    "leave_one_treatment_out": ("`--leave-one-treatment-out`", "`sensitivity`", "results"),
    "thresholds": (
        "`--thresholds`, `--decision`; `threshold`",
        "`sensitivity`, `decision`",
        "what would change it",
    ),
    "class_effects": ("`--class-effects`", "`class_effects`", "results"),
    "fit_statistics": ("`--format csv --table fit`", "always", "Fit, leverage"),
    "convergence": ("`--format csv --table convergence`", "always", "figure"),
}
"""Where what Python gives stands: option of ``pool`` or ``nma``, key of the plan, place in the report."""


def of_kind(kind: Kind) -> dict[str, str]:
    """Give the analyses of sensitivity of a kind of analysis, with what each is."""
    return PAIRWISE if kind == "pairwise" else NETWORK


def wrong_names(names: Iterable[object], known: Collection[str]) -> tuple[str, str] | None:
    """Say which name is not known, and which are; None if all are."""
    for name in names:
        if name not in (ALL, *known):
            return f"names {name!r}", suggestion(str(name), [*known, ALL])
    return None
