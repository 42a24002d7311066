"""Effects and heterogeneity without each study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.network.data.network import Array
from analysis.network.exact.influence import Influence
from analysis.network.model.posterior import Posterior

AT_ONCE = 4_000_000
"""Numbers of the conditional posteriors of deletions held at once: some 32 MB."""


@dataclass(frozen=True)
class LeftOut:
    """Effects and heterogeneity without each study.

    Attributes
    ----------
    study : (s,) int array
        Number of the study left out.
    mean, sd, lower, upper : (s, c) array
        Of c linear combinations of the coefficients.
    tau : (s,) array
        Posterior median of the heterogeneity.
    """

    study: Array
    mean: Array
    sd: Array
    lower: Array
    upper: Array
    tau: Array


def leave_one_out(
    influence: Influence,
    contrasts: Callable[[Posterior], Array],
    refits: Mapping[int, Posterior | None],
) -> LeftOut:
    """Leave every study out in turn.

    Parameters
    ----------
    influence : Influence
        Of the fit to all studies.
    contrasts : callable
        Gives the (c, p) combinations of the coefficients of a posterior.
    refits : mapping of int to Posterior or None
        Fits without the studies, by number, whose removal the algebra of the one fit cannot follow; None
        where no study would be left.

    Returns
    -------
    LeftOut
    """
    posterior = influence.posterior
    c = contrasts(posterior)
    total = len(influence.study)
    mean, sd, lower, upper = (np.full((total, len(c)), np.nan) for _ in range(4))
    tau = np.full(total, np.nan)
    followed = np.flatnonzero(influence.identified)
    step = max(1, AT_ONCE // (len(c) * posterior.n_nodes))
    for chunk in (followed[i : i + step] for i in range(0, len(followed), step)):
        effects = influence.left_out_effects(c, chunk)
        mean[chunk], sd[chunk] = effects.mean, effects.sd
        lower[chunk], upper[chunk] = effects.interval()
    if posterior.heterogeneity is None:
        tau[:] = posterior.solution.tau[0]
    else:
        tau[followed] = posterior.heterogeneity.quantiles(influence.left_out_weights[followed], 0.5)
    for i in np.flatnonzero(~influence.identified):
        other = refits[int(influence.study[i])]
        if other is None:
            continue
        combinations = contrasts(other)
        known = combinations.any(1)  # with flat priors, what nothing links any more has no posterior
        effects = other.effects(combinations[known])
        mean[i, known], sd[i, known] = effects.mean, effects.sd
        lower[i, known], upper[i, known] = effects.interval()
        tau[i] = other.solution.tau[0] if other.heterogeneity is None else other.heterogeneity.quantile(0.5)
    return LeftOut(influence.study, mean, sd, lower, upper, tau)
