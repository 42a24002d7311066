"""Effects and heterogeneity without each study, from the one fit to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analysis.network.data.network import Array
from analysis.network.exact.influence import Influence
from analysis.network.model.posterior import Posterior
from analysis.network.protocol import LeftOut

AT_ONCE = 4_000_000
"""Numbers of the conditional posteriors of deletions held at once: some 32 MB."""


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
        Of those c combinations; tau is the posterior median.
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
    return LeftOut(influence.study, mean, sd, lower, upper, tau, np.full(mean.shape, None, dtype=object))
