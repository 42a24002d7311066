"""What network estimates rest on: hat matrices, contributions of comparisons, paths of evidence."""

from __future__ import annotations

from collections import deque

import numpy as np

from analysis.network.data.graph import comparisons
from analysis.network.data.network import Array, Network
from analysis.network.model.gls import Gls
from analysis.network.model.inconsistency import Designs, design_hat
from analysis.network.model.sources import reduced_weights
from evidence.system.memory import FEWER, refuse_without_room

METHODS = {
    "random walk": "expected use of each comparison by a random walk along the evidence (Davies et al. 2022)",
    "shortest path": "streams of evidence taken off along shortest paths (Papakonstantinou et al. 2018)",
}
"""Ways to divide a network estimate among direct comparisons, and what they mean."""


def comparison_hat(gls: Gls, tau2: float, treatment: Array, versus: Array) -> Array:
    """Weight of each direct comparison in network estimates, multi-arm studies as equivalent two-arm ones.

    Parameters
    ----------
    gls : Gls
    tau2 : float
    treatment, versus : (m,) int arrays

    Returns
    -------
    (m, E) array
        For the estimate ``treatment - versus`` and the comparison ``high - low`` of each edge of `gls`.

    References
    ----------
    Rücker G (2012). Res Synth Methods 3:312-24; Davies AL, Papakonstantinou T, Nikolakopoulou A, Rücker G,
    Galla T (2022). Stat Med 41:2091-114. doi:10.1002/sim.9346
    """
    edges, treatments = len(gls.high), gls.n_treatments
    refuse_without_room(
        8 * (2 * len(treatment) * edges + (len(treatment) + edges) * treatments),
        f"The weight of {edges:,} direct comparisons in {len(treatment):,} estimates",
        FEWER,
    )
    root = gls.solve([tau2]).root[0]
    conductance = gls.conductances(tau2)
    return ((root[treatment] - root[versus]) @ (root[gls.high] - root[gls.low]).T) * conductance


def study_hat(net: Network, gls: Gls, tau2: float) -> Array:
    """Hat matrix of all comparisons within studies (Rücker 2012): fitted effects are ``H @ effects``.

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.
    tau2 : float

    Returns
    -------
    (m, m) array
        In the order and orientation of `analysis.network.data.graph.comparisons`. The comparisons of a
        multi-arm study have weights reduced such that together they carry the study's information.
    """
    rows = comparisons(net)
    refuse_without_room(
        8 * len(rows.first) * (2 * len(rows.first) + 3 * gls.n_treatments),
        f"The hat matrix of {len(rows.first):,} comparisons within studies",
        FEWER,
    )
    root = gls.solve([tau2]).root[0]
    difference = root[rows.second] - root[rows.first]
    return (difference @ difference.T) * reduced_weights(net, tau2)


def contributions(
    net: Network, gls: Gls, tau2: float, treatment: Array, versus: Array, method: str = "random walk"
) -> Array:
    """Divide each network estimate among the direct comparisons.

    The row of the hat matrix is a flow of evidence from one treatment to the other. *Random walk* lets a
    walker follow the flow, and averages over all of its paths. *Shortest path* takes streams off the flow,
    each along a shortest path, until nothing is left; where several paths are equally short, it takes the
    one netmeta takes, which depends on the alphabet. Either way a stream is divided equally among the
    comparisons on its path, and each row sums to 1.

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.
    tau2 : float
    treatment, versus : (m,) int arrays
    method : {"random walk", "shortest path"}

    Returns
    -------
    (m, E) array
        For the edges ``(low, high)`` of `gls`.

    References
    ----------
    Davies AL, Papakonstantinou T, Nikolakopoulou A, Rücker G, Galla T (2022). Stat Med 41:2091-114.
    doi:10.1002/sim.9346; Papakonstantinou T et al. (2018). F1000Research 7:610.
    doi:10.12688/f1000research.14770.3
    """
    hat = comparison_hat(gls, tau2, treatment, versus)
    root = gls.solve([tau2]).root[0]
    rank = np.argsort(np.argsort(np.array(net.treatments)))
    alphabetical = np.lexsort(
        (np.maximum(rank[gls.low], rank[gls.high]), np.minimum(rank[gls.low], rank[gls.high]))
    )
    result = np.zeros_like(hat)
    for row, (a, b) in enumerate(zip(treatment, versus)):
        # A positive weight of high - low in a - b sends evidence from a through high and low to b, downhill.
        source = np.where(hat[row] > 0, gls.high, gls.low)
        target = np.where(hat[row] > 0, gls.low, gls.high)
        downhill = np.argsort(-(root @ (root[a] - root[b])), kind="stable")
        place = np.argsort(downhill)
        # Rounding leaves tiny flows where there are none, and those may run uphill.
        used = (np.abs(hat[row]) > 1e-14) & (place[source] < place[target])
        flow = np.where(used, np.abs(hat[row]), 0.0)
        if method == "random walk":
            result[row] = _random_walk(flow, source, target, a, b, place)
        else:
            result[row] = _shortest_paths(flow, source, target, a, b, alphabetical)
    return result


def _shortest_paths(flow: Array, source: Array, target: Array, start: int, end: int, order: Array) -> Array:
    """Take streams off a flow along shortest paths until none is left.

    Among equally short paths nodes count that come first when the edges are read in `order`, source before
    target.
    """
    flow, share = flow.copy(), np.zeros_like(flow)
    edges = [int(edge) for edge in order if flow[edge] > 0]
    number = {
        node: n
        for n, node in enumerate(dict.fromkeys(int(node) for e in edges for node in (source[e], target[e])))
    }
    leaving: dict[int, list[int]] = {}
    for edge in sorted(edges, key=lambda e: number[int(target[e])]):
        leaving.setdefault(int(source[edge]), []).append(edge)
    while True:
        reached: dict[int, int | None] = {start: None}
        queue = deque([start])
        while queue and end not in reached:
            for edge in leaving.get(queue.popleft(), ()):
                if flow[edge] > 0 and (to := int(target[edge])) not in reached:
                    reached[to] = edge
                    queue.append(to)
        if end not in reached:
            return share
        path: list[int] = []
        at = end
        while (edge_in := reached[at]) is not None:
            path.append(edge_in)
            at = int(source[edge_in])
        stream = flow[path].min()
        share[path] += stream / len(path)
        flow[path] -= stream
        # What rounding leaves of a stream is none.
        flow[[edge for edge in path if flow[edge] <= 1e-14]] = 0.0


def _random_walk(flow: Array, source: Array, target: Array, start: int, end: int, place: Array) -> Array:
    """Average over all paths of a walker: probability of the path, divided by its length.

    `place` numbers the nodes downhill. Paths are not listed: what counts is how likely a walker stands at a
    node after l steps, and how likely it reaches the end in l steps from there.
    """
    n = len(place)
    edges = np.flatnonzero(flow > 0)
    edges = edges[np.argsort(place[source[edges]], kind="stable")]
    out = np.bincount(source[edges], flow[edges], n)
    step = flow[edges] / out[source[edges]]
    # Probability of standing at a node after l steps from the start, and of reaching the end in l steps
    # from it.
    to, fro = np.zeros((n, n)), np.zeros((n, n))
    to[start, 0] = fro[end, 0] = 1.0
    for edge, p in zip(edges, step):
        to[target[edge], 1:] += p * to[source[edge], :-1]
    for edge, p in zip(edges[::-1], step[::-1]):
        fro[source[edge], 1:] += p * fro[target[edge], :-1]
    length = np.add.outer(np.arange(n), np.arange(n)) + 1.0
    share = np.zeros_like(flow)
    for edge, p in zip(edges, step):
        share[edge] = p * (np.outer(to[source[edge]], fro[target[edge]]) / length).sum()
    return share


def path_measures(pooled: Designs, treatment: Array, versus: Array) -> tuple[Array, Array]:
    """Describe the flow of evidence behind network estimates.

    Parameters
    ----------
    pooled : Designs
        From `analysis.network.model.inconsistency.pool_designs`.
    treatment, versus : (m,) int arrays

    Returns
    -------
    mean_path_length, minimal_parallelism : (m,) arrays
        Number of designs on an average path; least number of independent paths. What passes through a
        design is half the sum of what enters and leaves at its treatments.

    References
    ----------
    König J, Krahn U, Binder H (2013). Stat Med 32:5414-29. doi:10.1002/sim.6001
    """
    hat = design_hat(pooled, treatment, versus)
    through = []
    start = 0
    for block in pooled.network.blocks:
        designs, m = block.y.shape
        at = hat[:, start : start + designs * m].reshape(len(hat), designs, m)
        through.append((np.abs(at).sum(2) + np.abs(at.sum(2))) / 2)
        start += designs * m
    passing = np.concatenate(through, axis=1)
    return passing.sum(1), 1.0 / passing.max(1)
