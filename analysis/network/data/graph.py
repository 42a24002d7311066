"""The network as a graph: components, comparisons, designs, and which comparisons can be split.

Who was compared with whom, whatever came out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.network.data.network import Array, Network
from evidence.names import joined


def components(n: int, pairs: Iterable[tuple[int, int]] | Array) -> Array:
    """Label the connected components of a graph.

    Parameters
    ----------
    n : int
        Number of nodes.
    pairs : (m, 2) int array or iterable of pairs
        Edges.

    Returns
    -------
    (n,) int array
        Component of each node, numbered by their lowest node.
    """
    edge = np.asarray(pairs if isinstance(pairs, np.ndarray) else list(pairs), dtype=int).reshape(-1, 2)
    low, high = edge[:, 0], edge[:, 1]
    lowest = np.arange(n)
    while True:
        # Every node takes the lowest node that it or a neighbour has found, then that node's own.
        found = lowest.copy()
        np.minimum.at(found, low, lowest[high])
        np.minimum.at(found, high, lowest[low])
        found = found[found]
        if np.array_equal(found, lowest):
            return np.unique(lowest, return_inverse=True)[1].ravel()
        lowest = found


@dataclass(frozen=True)
class Comparisons:
    """Every comparison of two treatments within a study: one row for each pair of arms.

    Attributes
    ----------
    block, row : (m,) int array
        Index into `Network.blocks` and the study's row in that block.
    study : (m,) int array
        Index into `Network.studies`.
    first, second : (m,) int array
        Index into `Network.treatments`, ``first < second``.
    estimate, variance : (m,) array
        Effect of `second` minus `first`, and its sampling variance.
    """

    block: Array
    row: Array
    study: Array
    first: Array
    second: Array
    estimate: Array
    variance: Array


def comparisons(net: Network) -> Comparisons:
    """Take every study's pairwise comparisons from its block.

    Parameters
    ----------
    net : Network

    Returns
    -------
    Comparisons
        Blocks in order, studies in order, pairs in the order of the treatments.
    """
    parts: list[tuple[Array, ...]] = []
    for index, block in enumerate(net.blocks):
        k, studies = block.k, len(block.study)
        i, j = np.triu_indices(k, 1)
        effect = np.concatenate([np.zeros((studies, 1)), block.y], axis=1)
        covariance = np.zeros((studies, k, k))
        covariance[:, 1:, 1:] = block.S
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        pair_variance = variance[:, i] + variance[:, j] - 2 * covariance[:, i, j]
        shape = (studies, len(i))
        parts.append(
            (
                np.full(shape, index),
                np.broadcast_to(np.arange(studies)[:, None], shape),
                np.broadcast_to(block.study[:, None], shape),
                block.treatment[:, i],
                block.treatment[:, j],
                effect[:, j] - effect[:, i],
                pair_variance,
            )
        )
    return Comparisons(*(np.concatenate([part[c].ravel() for part in parts]) for c in range(7)))


def designs(net: Network) -> list[tuple[tuple[int, ...], int, Array]]:
    """Group the studies by the set of treatments that they compare.

    Parameters
    ----------
    net : Network

    Returns
    -------
    list of (treatments, block, rows)
        Treatments of the design (indices, ascending), the block its studies stand in, and their rows there;
        ordered by number of arms, then by treatments.
    """
    found = []
    for index, block in enumerate(net.blocks):
        sets, member = np.unique(block.treatment, axis=0, return_inverse=True)
        order = np.argsort(member.ravel(), kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(member.ravel()))[:-1])
        found += [(tuple(int(t) for t in design), index, rows[d]) for d, design in enumerate(sets)]
    return found


def design_name(net: Network, treatments: Sequence[int]) -> str:
    """Name a design by its treatments, joined by colons (one within a name has a backslash before it)."""
    return joined((net.treatments[t] for t in treatments), ":")


def direct_comparisons(net: Network) -> list[tuple[int, int]]:
    """List the pairs of treatments that at least one study compares, ascending.

    Parameters
    ----------
    net : Network

    Returns
    -------
    list of (int, int)
        Indices into `Network.treatments`, the lower first.
    """
    pairs = {
        (int(design[i]), int(design[j]))
        for design, _, _ in designs(net)
        for i in range(len(design))
        for j in range(i + 1, len(design))
    }
    return sorted(pairs)


def splittable(net: Network) -> dict[tuple[int, int], str | None]:
    """Say which direct comparisons have indirect evidence of their own, so that a node-split means something.

    The rule of van Valkenhoef et al. (2016, doi:10.1002/jrsm.1167): take both treatments of the comparison
    out of every study that holds both; what is left must still connect them.

    Parameters
    ----------
    net : Network

    Returns
    -------
    dict of (int, int) to str or None
        Every direct comparison (indices, the lower first); None where it can be split, else the reason why
        not.
    """
    sets = [design for design, _, _ in designs(net)]
    verdict: dict[tuple[int, int], str | None] = {}
    for a, b in direct_comparisons(net):
        edges: list[tuple[int, int]] = []
        shares_study = False
        for design in sets:
            both = a in design and b in design
            rest = [t for t in design if not (both and t in (a, b))]
            shares_study |= both and len(rest) > 0
            edges += [(rest[0], t) for t in rest[1:]]
        label = components(len(net.treatments), edges)
        if label[a] == label[b]:
            verdict[a, b] = None
        elif shares_study:
            verdict[a, b] = (
                "the only indirect evidence comes from the multi-arm studies that compare them directly"
            )
        else:
            verdict[a, b] = "there is no indirect evidence"
    return verdict
