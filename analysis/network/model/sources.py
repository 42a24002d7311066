"""What a network estimate rests on: studies of the comparison itself, the rest of the network, or both.

Every table, figure and engine that says "direct", "indirect" or "direct and indirect" asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.network.data.graph import comparisons, splittable
from analysis.network.data.network import Array, Network, pairs_of
from analysis.network.model.gls import Gls
from analysis.network.model.rows import heterogeneity_correlation

DIRECT_ONLY = 0.0005
"""An indirect share below this is none: netmeta's limit."""
ALONE = "there is no indirect evidence"
NEGLIGIBLE = f"the indirect evidence has less than {100 * DIRECT_ONLY:g} % of the weight"
"""Why a comparison is not split."""
DIRECT, INDIRECT, BOTH = "direct only", "indirect only", "direct and indirect"
"""What an estimate rests on."""


@dataclass(frozen=True)
class Sources:
    """Evidence on the comparisons that studies make, ``second minus first``.

    Attributes
    ----------
    first, second : (c,) int arrays
        Indices into `Network.treatments`, ``first < second``; ascending.
    direct, variance : (c,) arrays
        Direct estimate and its variance.
    network, network_variance : (c,) arrays
        Estimate of the whole network and its variance.
    proportion : (c,) array
        Share of the direct evidence in the network estimate: the variance of the network estimate over that
        of the direct one (König, Krahn and Binder 2013, doi:10.1002/sim.6001).
    sole : (c,) bool array
        Whether there is direct evidence only: the studies that compare the two tell all but 0.05 % of it.
    note : tuple of str
        Why the comparison has no independent indirect evidence; empty where it has.
    """

    first: Array
    second: Array
    direct: Array
    variance: Array
    network: Array
    network_variance: Array
    proportion: Array
    sole: Array
    note: tuple[str, ...]

    @property
    def checkable(self) -> bool:
        """Whether any comparison has direct evidence and independent indirect evidence."""
        return not all(self.note)

    @property
    def reasons(self) -> dict[tuple[int, int], str | None]:
        """By pair (lower index first): why it cannot be split into direct and indirect evidence, or None.

        Indirect evidence of next to no weight is still evidence, and can be set against the direct.
        """
        return {pair: None if note == NEGLIGIBLE else note for pair, note in self.notes.items()}

    @property
    def notes(self) -> dict[tuple[int, int], str | None]:
        """By pair (lower index first): what is to be said of its indirect evidence, or None."""
        pairs = zip(self.first.tolist(), self.second.tolist())
        return {pair: note or None for pair, note in zip(pairs, self.note)}

    def rests_on(self, n: int) -> Array:
        """Say of every pair of n treatments what its network estimate rests on, (n, n) array of str."""
        found = np.full((n, n), INDIRECT, dtype=object)
        found[self.first, self.second] = found[self.second, self.first] = np.where(self.sole, DIRECT, BOTH)
        return found


def direct_estimates(net: Network, tau2: float) -> tuple[Array, Array, Array, Array]:
    """Pool the studies that compare two treatments, comparison by comparison, with the network's tau2.

    A network has one heterogeneity, and direct and indirect evidence add up to its estimate only where both
    are weighted by it: what R's netleague and netsplit show (netmeta 3.6-2, ``TE.direct.random``).

    Parameters
    ----------
    net : Network
    tau2 : float

    Returns
    -------
    first, second : (c,) int arrays
        Treatments, ``first < second``.
    effect, variance : (c,) arrays
        Of second minus first. Studies of several arms count as if each comparison stood alone.
    """
    rows = comparisons(net)
    code = rows.first * len(net.treatments) + rows.second
    distinct, member = np.unique(code, return_inverse=True)
    weight = 1.0 / (rows.variance + tau2)
    total = np.bincount(member, weight)
    effect = np.bincount(member, weight * rows.estimate) / total
    return distinct // len(net.treatments), distinct % len(net.treatments), effect, 1.0 / total


@dataclass(frozen=True)
class Together:
    """The studies that compare two treatments, put together: comparisons whose studies hold r + 1 treatments.

    Attributes
    ----------
    member : (g,) int array
        Place of each comparison among those that studies make, ascending.
    treatment : (g, r + 1) int array
        The two treatments, first and second, then the others of those studies.
    precision : (g, r, r) array
        Information about the effects of all but the first treatment against it.
    pull : (g, r) array
        That information times what is left of those studies' effects.
    """

    member: Array
    treatment: Array
    precision: Array
    pull: Array


def held_together(net: Network, tau2: float, effect: Array) -> list[Together]:
    """Gather, for every comparison, the studies that make it.

    Parameters
    ----------
    net : Network
    tau2 : float
    effect : (T,) array
        Effects that what is left is held against.

    Returns
    -------
    list of Together
        One for each number of treatments.
    """
    n = len(net.treatments)
    pairs, group, edge, weight, pulled = _edges_of_each(net, tau2, effect)
    first, second = pairs // n, pairs % n

    def ordered(treatment: Array) -> Array:
        """Code of a treatment within its group: the first of the comparison, the second, the others."""
        place = np.where(treatment == first[group], 0, np.where(treatment == second[group], 1, treatment + 2))
        return group * (n + 2) + place

    ends = np.concatenate([ordered(edge // n), ordered(edge % n)])
    members, place = np.unique(ends, return_inverse=True)
    owner, inside = members // (n + 2), members % (n + 2)
    named = np.where(inside == 0, first[owner], np.where(inside == 1, second[owner], inside - 2))
    size = np.bincount(owner)
    begin = np.cumsum(size) - size
    low, high = np.split(place.ravel() - begin[np.concatenate([group, group])], 2)
    found = []
    for k in np.unique(size).tolist():
        chosen, used = np.flatnonzero(size == k), np.flatnonzero(size[group] == k)
        which, i, j = np.searchsorted(chosen, group[used]), low[used], high[used]
        precision, pull = np.zeros((len(chosen), k, k)), np.zeros((len(chosen), k))
        for r, c, value in ((i, i, weight), (j, j, weight), (i, j, -weight), (j, i, -weight)):
            np.add.at(precision, (which, r, c), value[used])
        np.add.at(pull, (which, j), pulled[used])
        np.add.at(pull, (which, i), -pulled[used])
        treatment = named[begin[chosen][:, None] + np.arange(k)]
        found.append(Together(chosen, treatment, precision[:, 1:, 1:], pull[:, 1:]))
    return found


def _edges_of_each(net: Network, tau2: float, effect: Array) -> tuple[Array, ...]:
    """Sum, for every comparison, the comparisons that the studies which make it make.

    Returns
    -------
    pairs : (c,) int array
        The comparisons, first times T plus second.
    group, edge : (e,) int arrays
        Place of the comparison, and another one of the same studies, likewise.
    weight, pulled : (e,) arrays
        Weight of the other one in those studies, and that times what is left of its effect.
    """
    n, rows = len(net.treatments), comparisons(net)
    weight = reduced_weights(net, tau2)
    pulled = weight * (rows.estimate - (effect[rows.second] - effect[rows.first]))
    code = rows.first * n + rows.second
    pair, taken, start = [], [], 0
    for block in net.blocks:
        c = block.k * (block.k - 1) // 2
        row = start + np.arange(len(block.study) * c).reshape(-1, c)
        # Every comparison of a study takes all of its comparisons along.
        pair.append(np.repeat(code[row], c, axis=1).ravel())
        taken.append(np.tile(row, (1, c)).ravel())
        start += row.size
    row = np.concatenate(taken)
    distinct, at = np.unique(np.concatenate(pair) * n * n + code[row], return_inverse=True)
    pairs, group = np.unique(distinct // (n * n), return_inverse=True)
    sums = (np.bincount(at.ravel(), value[row]) for value in (weight, pulled))
    return pairs, group.ravel(), distinct % (n * n), *sums


def reduced_weights(net: Network, tau2: float) -> Array:
    """Weights of all comparisons within studies that together carry each study's information.

    Parameters
    ----------
    net : Network
    tau2 : float

    Returns
    -------
    (m,) array
        In the order of `analysis.network.data.graph.comparisons`; inverse variances for two-arm studies. For
        a study with k arms the off-diagonal elements, with changed sign, of its Laplacian matrix.

    References
    ----------
    Rücker G, Schwarzer G (2014). Reduce dimension or reduce weights? Stat Med 33:4353-69.
    doi:10.1002/sim.6236
    """
    parts = []
    for block in net.blocks:
        i, j = pairs_of(block.k)
        precision = np.linalg.inv(block.S + tau2 * heterogeneity_correlation(block.k - 1))
        difference = np.concatenate([-np.ones((block.k - 1, 1)), np.eye(block.k - 1)], axis=1)
        laplacian = difference.T @ precision @ difference
        parts.append(-laplacian[:, i, j].ravel())
    return np.concatenate(parts)


def sources(net: Network, gls: Gls, tau2: float) -> Sources:
    """Find out what the estimates of a network rest on.

    An estimate is indirect only where no study compares the two treatments; direct only where no other study
    adds to it, be it that no other path leads from one treatment to the other, or that all others have next
    to no weight; else direct and indirect. Whether the indirect part is independent of the direct one, so
    that the two can be set against each other, is the geometry's to say: see
    `analysis.network.data.graph.splittable`.

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.
    tau2 : float
        Heterogeneity variance that weights the studies.

    Returns
    -------
    Sources
    """
    first, second, direct, variance = direct_estimates(net, tau2)
    verdict = splittable(net)
    network, network_variance = gls.contrasts(tau2, second, first)
    proportion = network_variance / variance
    alone = proportion > 1 - DIRECT_ONLY
    pairs = list(zip(first.tolist(), second.tolist()))
    note = tuple(
        (ALONE if only and verdict[pair] else NEGLIGIBLE if only else verdict[pair] or "")
        for pair, only in zip(pairs, alone)
    )
    # Multi-arm studies tell of a comparison by their other arms too: no other study need be involved.
    sole = alone.copy()
    if any(text and not only for text, only in zip(note, alone)):
        together = np.empty(len(first))
        for group in held_together(net, tau2, np.zeros(len(net.treatments))):
            together[group.member] = np.linalg.inv(group.precision)[:, 0, 0]
        told = np.array([bool(text) for text in note])
        sole |= told & (network_variance / together > 1 - DIRECT_ONLY)
    return Sources(first, second, direct, variance, network, network_variance, proportion, sole, note)
