"""A pairwise meta-analysis as a network of two treatments, for the engines that networks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.network.data.assemble import from_contrasts

if TYPE_CHECKING:
    from analysis.network.data.network import Network
    from analysis.pairwise import PairwiseFit


def from_pairwise(fit: PairwiseFit) -> Network:
    """Make a network of the effects of a pairwise meta-analysis, with their covariance.

    ``network.fit(network.from_pairwise(meta), engine="exact", tau_prior="half-normal(0.5)")`` fits both
    models as Bayesians do; its ``estimates()`` hold credible intervals, its notes print the priors.

    Parameters
    ----------
    fit : PairwiseFit

    Returns
    -------
    Network
        Of the comparator, its reference, and the treatment.
    """
    import pandas as pd

    effects = fit.assembly.effects
    contrasts, table = effects.contrasts, effects.contrasts.frame
    ids = table["contrast_id"].to_numpy()
    pairs = pd.DataFrame(
        [(ids[a], ids[b], value) for a, b, value in effects.pairs],
        columns=["contrast_1", "contrast_2", "covariance"],
    )
    both = {contrasts.treatment, contrasts.versus}
    # Effects that are correlated stay in their unit; any other is a unit of its own, as in the rows.
    linked = table["contrast_id"].isin({*pairs["contrast_1"], *pairs["contrast_2"]})
    columns = ["contrast_id", "study", "estimate", "n_a", "n_b", "measurement_ids"]
    rows = table[columns].assign(
        experiment=table["experiment"].where(linked, table["contrast_id"]),
        arm_a=table["arm_a"].where(linked, "treatment"),
        arm_b=table["arm_b"].where(linked, "comparator"),
        std_error=np.sqrt(effects.variance),
        treatment_a=contrasts.treatment,
        treatment_b=contrasts.versus,
    )
    return from_contrasts(
        rows,
        outcome=contrasts.outcome,
        measure=contrasts.measure,
        reference=contrasts.versus,
        covariance=pairs if len(pairs) else None,
        unit=contrasts.unit,
        lower_is_better=contrasts.lower_is_better,
        labels={name: label for name, label in contrasts.review.treatments.items() if name in both},
        review=contrasts.review,
    )
