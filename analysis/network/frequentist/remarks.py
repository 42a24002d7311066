"""What is to be said of a frequentist fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.network import ranking
from analysis.network.data.graph import direct_comparisons

if TYPE_CHECKING:
    from analysis.network.frequentist.fitted import FrequentistFit

NO_TAU = (
    "Heterogeneity cannot be estimated: no comparison is repeated or closes a loop (no degrees of freedom). "
    "Random-effects estimates stand without standard errors; give the value of tau2, or use engine 'exact' "
    "with a prior."
)
NOTHING_TO_CHECK = "No comparison has both direct and indirect evidence: consistency cannot be checked."


def remarks(fit: FrequentistFit) -> list[tuple[str, str]]:
    """Give the rows of `notes`: what the heterogeneity rests on, and what cannot be told."""
    net, df = fit.network, fit.df
    found = list(net.notes)
    if "random" in fit.models and not np.isfinite(fit.tau2):
        found.append(("warning", NO_TAU))
    if "random" in fit.models and fit.method != "given" and 0 < df < 3:
        found.append(("warning", f"Heterogeneity rests on {df} degree{'s' * (df > 1)} of freedom only."))
    if ranking.benefit(net) is None:
        found.append(("warning", ranking.NO_DIRECTION))
    if len(direct_comparisons(net)) == len(net.treatments) - 1:
        found.append(("info", NOTHING_TO_CHECK))
    return found
