"""Small-study effects in a network: the comparison-adjusted funnel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.network.data.graph import comparisons
from analysis.network.data.network import Network
from analysis.network.model.inconsistency import direct_estimates
from evidence.errors import CallError

if TYPE_CHECKING:
    import pandas as pd


def comparison_adjusted(net: Network, tau2: float, order: Sequence[str]) -> pd.DataFrame:
    """Centre every comparison within studies at the pooled direct estimate of the same two treatments.

    Small-study effects show as asymmetry only if all comparisons point the same way, from the treatments
    expected to be favoured by small studies to the others: the order has to be chosen, it cannot be found
    in the data.

    Parameters
    ----------
    net : Network
    tau2 : float
        Heterogeneity variance in the direct estimates; 0 for the common-effect model.
    order : sequence of str
        All treatments; a comparison is the earlier minus the later one.

    Returns
    -------
    DataFrame
        study, experiment, treatment, versus, estimate, std_error, centre (the pooled direct estimate),
        adjusted (estimate less centre). All comparisons of a multi-arm study are listed.

    Raises
    ------
    CallError
        If the order is not one of all treatments.

    References
    ----------
    Chaimani A, Salanti G (2012). Res Synth Methods 3:161-76. doi:10.1002/jrsm.57
    """
    import pandas as pd

    names = net.treatments
    if sorted(order) != sorted(names):
        missing, surplus = sorted(set(names) - set(order)), sorted(set(order) - set(names))
        told = [
            f"{', '.join(missing)} missing" if missing else "",
            f"{', '.join(surplus)} unknown" if surplus else "",
        ]
        why = "; ".join(part for part in told if part) or "a treatment stands twice"
        raise CallError(f"The order must name every treatment of the network once: {why}.")
    place = np.array([list(order).index(name) for name in names])
    rows = comparisons(net)
    first, second, direct, _ = direct_estimates(net, tau2)
    code = first * len(names) + second
    pooled = direct[np.searchsorted(code, rows.first * len(names) + rows.second)]
    forward = place[rows.second] < place[rows.first]
    sign = np.where(forward, 1.0, -1.0)
    label = np.array(names, dtype=object)
    table = pd.DataFrame(
        {
            "study": [net.studies[s][0] for s in rows.study],
            "experiment": [net.studies[s][1] for s in rows.study],
            "treatment": label[np.where(forward, rows.second, rows.first)],
            "versus": label[np.where(forward, rows.first, rows.second)],
            "estimate": sign * rows.estimate,
            "std_error": np.sqrt(rows.variance),
            "centre": sign * pooled,
        }
    )
    table["adjusted"] = table["estimate"] - table["centre"]
    key = [place[rows.first], place[rows.second]]
    sequence = np.lexsort((rows.study, np.maximum(*key), np.minimum(*key)))
    return table.iloc[sequence].reset_index(drop=True)
