"""The network as a graph: components, comparisons, designs, and which comparisons can be split.

Who was compared with whom, whatever came out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from analysis.network.data.network import Array, Network, once, pairs_of
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


@once
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
        i, j = pairs_of(k)
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


@once
def shared_studies(net: Network) -> Array:
    """Count the units of randomisation that hold both of two treatments, (T, T) int array.

    On the diagonal those that hold the treatment.
    """
    n = len(net.treatments)
    count = np.zeros(n * n, dtype=int)
    for block in net.blocks:
        i, j = np.indices((block.k, block.k)).reshape(2, -1)
        count += np.bincount((block.treatment[:, i] * n + block.treatment[:, j]).ravel(), minlength=n * n)
    return count.reshape(n, n)


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
    first, second = np.nonzero(np.triu(shared_studies(net), 1))
    return list(zip(first.tolist(), second.tolist()))


@once
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
    n, count = len(net.treatments), shared_studies(net)
    lost, together = _lost_with(net, count)
    first, second = np.nonzero(np.triu(count, 1))
    linked = neighbours(n, first * n + second)
    verdict: dict[tuple[int, int], str | None] = {}
    for a, b in direct_comparisons(net):
        kept = [linked[t] & ~(1 << other) & ~lost.get((a * n + b, t), 0) for t, other in ((a, b), (b, a))]
        if _path(kept[0], kept[1], linked, ~(1 << a | 1 << b)):
            verdict[a, b] = None
        elif a * n + b in together:
            verdict[a, b] = (
                "the only indirect evidence comes from the multi-arm studies that compare them directly"
            )
        else:
            verdict[a, b] = "there is no indirect evidence"
    return verdict


def _lost_with(net: Network, count: Array) -> tuple[dict[tuple[int, int], int], set[int]]:
    """Find the neighbours that a treatment has only in studies that hold a second one as well.

    Parameters
    ----------
    net : Network
    count : (T, T) int array
        From `shared_studies`.

    Returns
    -------
    dict of (int, int) to int
        By the pair, as the lower times T plus the higher, and one of the two: its lost neighbours as bits.
    set of int
        Pairs that some study holds beside a third treatment.
    """
    n = len(net.treatments)
    codes = [np.zeros(0, dtype=int)]
    for block in net.blocks:
        if block.k > 2:
            at = np.array(list(permutations(range(block.k), 3))).T
            one, two, third = (block.treatment[:, arm].ravel() for arm in at)
            codes.append((one * n + two) * n + third)
    code, times = np.unique(np.concatenate(codes), return_counts=True)
    one, two, third = code // n // n, code // n % n, code % n
    pair = np.minimum(one, two) * n + np.maximum(one, two)
    alone = times == count[one, third]
    lost: dict[tuple[int, int], int] = {}
    for key in zip(pair[alone].tolist(), one[alone].tolist(), third[alone].tolist()):
        lost[key[:2]] = lost.get(key[:2], 0) | 1 << key[2]
    return lost, set(pair.tolist())


def neighbours(n: int, codes: Array) -> list[int]:
    """Give the neighbours of each of n treatments as the bits of a number.

    Parameters
    ----------
    n : int
    codes : (m,) int array
        Pairs of treatments, one times n plus the other.

    Returns
    -------
    list of int
    """
    bits = [0] * n
    for one, other in zip((codes // n).tolist(), (codes % n).tolist()):
        bits[one] |= 1 << other
        bits[other] |= 1 << one
    return bits


def without_edges(bits: Sequence[int], n: int, codes: Array) -> list[int]:
    """Take pairs, as of `neighbours`, away from those that are linked."""
    left = list(bits)
    for one, other in zip((codes // n).tolist(), (codes % n).tolist()):
        left[one] &= ~(1 << other)
        left[other] &= ~(1 << one)
    return left


def linked_by(bits: Sequence[int], one: int, other: int) -> bool:
    """Whether a path leads from one treatment to another."""
    return _path(1 << one, 1 << other, bits, -1)


def _path(start: int, goal: int, bits: Sequence[int], within: int) -> bool:
    """Whether a path leads from a set of treatments to another, all as bits, over the treatments `within`."""
    reached = new = start & within
    goal &= within
    while new and not reached & goal:
        found = 0
        while new:
            found |= bits[(new & -new).bit_length() - 1]
            new &= new - 1
        new = found & within & ~reached
        reached |= new
    return bool(reached & goal)
