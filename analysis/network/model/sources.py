"""What a network estimate rests on: studies of the comparison itself, the rest of the network, or both.

Every table, figure and engine that says "direct", "indirect" or "direct and indirect" asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.network.data.graph import comparisons, splittable
from analysis.network.data.network import Array, Network
from analysis.network.model.gls import Gls

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
    sole = alone.copy()
    for c, pair in enumerate(pairs):
        if note[c] and not alone[c]:
            # Multi-arm studies tell of a comparison by their other arms too: no other study need be involved.
            together = gls.contrasts(tau2, second[c : c + 1], first[c : c + 1], _hold_both(net, gls, pair))[1]
            sole[c] = network_variance[c] / together[0] > 1 - DIRECT_ONLY
    return Sources(first, second, direct, variance, network, network_variance, proportion, sole, note)


def _hold_both(net: Network, gls: Gls, pair: tuple[int, int]) -> Array:
    """Rows of the studies that compare two treatments, (n,) bool array."""
    holds = np.zeros(len(net.studies), dtype=bool)
    for block in net.blocks:
        members = [(block.treatment == t).any(1) for t in pair]
        holds[block.study] = members[0] & members[1]
    return holds[gls.study]
