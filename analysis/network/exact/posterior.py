"""What is read off an exact posterior: numbers for the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.network.data.network import Array
from analysis.network.exact.splitting import Split
from analysis.network.model import predictors
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior
from analysis.network.model.quadrature import Heterogeneity
from analysis.network.model.specification import Regression
from analysis.network.protocol import Effects, TauSummary
from evidence.errors import CallError

FIELDS = ("weights", "means", "sds")
EFFECTS = ("estimate", "std_error", "ci_lower", "ci_upper", "p_value")


def summary(effects: NormalMixture) -> Effects:
    """Give mean, standard deviation, interval and two-sided tail probability of each mixture."""
    return Effects(effects.mean, effects.sd, *effects.interval(), effects.tail_probability())


def sides_of(splits: Sequence[Split]) -> list[Effects]:
    """Summarise the direct, the indirect effect and their difference of each split, all at once."""
    found: dict[int, Effects] = {}
    for nodes in {split.direct.means.shape[-1] for split in splits}:
        places = [i for i, split in enumerate(splits) if split.direct.means.shape[-1] == nodes]
        sides = [(splits[i].direct, splits[i].indirect, splits[i].difference) for i in places]
        mixture = NormalMixture(
            *(np.array([[getattr(side, name) for side in three] for three in sides]) for name in FIELDS)
        )
        every = summary(mixture)
        for row, i in enumerate(places):
            found[i] = Effects(*(getattr(every, name)[row] for name in EFFECTS))
    return [found[i] for i in range(len(splits))]


def tau_summary(tau: Heterogeneity) -> TauSummary:
    """Give moments and quantiles of the heterogeneity."""
    median, lower, upper = tau.limits.tolist()
    return TauSummary(tau.mean, tau.sd, median, lower, upper)


def slopes_at(
    posterior: Posterior,
    regression: Regression | None,
    pairs: tuple[Array, Array],
    at: Mapping[str, float],
) -> Array:
    """Express what values of the covariates add to the effects of pairs in the coefficients, (m, p).

    Parameters
    ----------
    posterior : Posterior
    regression : Regression or None
    pairs : (m,) int arrays
        Treatment and versus.
    at : mapping of str to float
        Values of covariates; the centre where not given.

    Raises
    ------
    CallError
        If the model has no such covariate.
    """
    known: Sequence[str] = () if regression is None else regression.names
    if unknown := [name for name in at if name not in known]:
        raise CallError(
            f"The model has no covariate {', '.join(unknown)}; it has {', '.join(known) or 'none'}."
        )
    assert regression is not None
    x = np.array([at.get(name, middle) - middle for name, middle in zip(regression.names, regression.centre)])
    treatments = posterior.rows.design.treatments
    assert treatments is not None
    slope = predictors.interactions(len(treatments), regression.by_treatment)
    each = (x[None, :, None] * slope[:, None, :]).reshape(len(slope), -1)
    return np.pad(each[pairs[0]] - each[pairs[1]], ((0, 0), (posterior.rows.p - each.shape[1], 0)))
