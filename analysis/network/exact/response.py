"""Posterior means as linear functions of what studies found, with the posterior of tau held as it is.

Given tau the posterior mean of the effects is linear in the data; the marginal one is the mean of these over
the nodes of tau, whose weights are held.
"""

from __future__ import annotations

import numpy as np

from analysis.network.data.network import Array, Network, pairs_of
from analysis.network.model.posterior import Posterior
from analysis.network.protocol import Response

NEGLIGIBLE = 1e-14
"""Weight of a node of tau that no mean shows."""


def posterior_means(posterior: Posterior) -> Array:
    """Posterior means of the treatments' effects against the reference, (T,)."""
    treatments = posterior.rows.design.treatments
    assert treatments is not None
    return treatments @ (posterior.weights @ posterior.solution.coefficients)


def response(posterior: Posterior, net: Network) -> Response:
    """Say how the posterior means answer to the rows of the data, and to what is said of a comparison.

    Parameters
    ----------
    posterior : Posterior
    net : Network
        Its data.

    Returns
    -------
    Response
    """
    rows, solution = posterior.rows, posterior.solution
    treatments = rows.design.treatments
    assert treatments is not None
    count = len(treatments)
    ends = [np.sort(block.treatment[:, np.array(pairs_of(block.k))], axis=1) for block in net.blocks]
    code = np.concatenate([(end[:, 0] * count + end[:, 1]).ravel() for end in ends])
    distinct, place = np.unique(code, return_inverse=True)
    low, high = distinct // count, distinct % count
    changes, pairs = np.zeros((count, rows.n)), np.zeros((count, len(distinct)))
    edges = rows.vectors[rows.comparison_edges]
    # An edge of the design leads from its lower key to its higher one, not always from the lower treatment.
    edges = edges * _signs(edges, treatments, low[place], high[place])[:, None]
    for node in np.flatnonzero(posterior.weights > NEGLIGIBLE):
        covariance = solution.root[node].T @ solution.root[node]
        weights = solution.weights[:, node]
        share = posterior.weights[node] * (treatments @ covariance)
        changes += (share @ rows.matrix.T) * weights
        precision = rows.comparison_precisions(weights[:, None])[:, 0]
        own = np.zeros((len(distinct), rows.p))
        np.add.at(own, place, precision[:, None] * edges)
        pairs += share @ own.T
    return Response(posterior_means(posterior), changes, low, high, pairs)


def _signs(edges: Array, treatments: Array, low: Array, high: Array) -> Array:
    """Say of each edge whether it leads from the lower treatment to the higher one (1) or back (-1)."""
    return np.where(np.einsum("mp,mp->m", edges, treatments[high] - treatments[low]) >= 0, 1.0, -1.0)
