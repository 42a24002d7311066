"""What is left when a study, or a treatment, is taken out of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.network.data.graph import comparisons, components
from analysis.network.data.network import Array, Block, Network
from analysis.network.exact.influence import Influence
from analysis.network.model.posterior import Posterior

AT_ONCE = 4_000_000
"""Numbers of the conditional posteriors of deletions held at once: some 32 MB."""


def study_numbers(net: Network) -> tuple[Array, tuple[str, ...]]:
    """Give every study a number, shared by its experiments.

    Parameters
    ----------
    net : Network

    Returns
    -------
    (u,) int array
        Number of the study of each unit of randomisation.
    tuple of str
        Names of the studies.
    """
    names = tuple(dict.fromkeys(study for study, _ in net.studies))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[study] for study, _ in net.studies], dtype=int), names


def cut_off(net: Network) -> dict[int, Array]:
    """Find the studies without which the network falls apart.

    Parameters
    ----------
    net : Network

    Returns
    -------
    dict of int to (T,) int array
        For the number of each such study, the part of the network that each treatment is in without it.
    """
    number, _ = study_numbers(net)
    pairs = comparisons(net)
    study = number[pairs.study]
    n = len(net.treatments)
    # Each study's distinct pairs; a study can only matter if one of its pairs is compared in no other study.
    distinct = np.unique(np.column_stack([pairs.first * n + pairs.second, study]), axis=0)
    code, count = np.unique(distinct[:, 0], return_counts=True)
    sole = np.unique(distinct[np.isin(distinct[:, 0], code[count == 1]), 1])
    found = {}
    for i in sole:
        rest = np.unique(distinct[distinct[:, 1] != i, 0])
        label = components(n, np.column_stack([rest // n, rest % n]))
        if label.any():
            found[int(i)] = label
    return found


def without_treatment(net: Network, treatment: int) -> Network | None:
    """Take a treatment out of every study; studies left with one arm go.

    Parameters
    ----------
    net : Network
    treatment : int
        Index into `net.treatments`. Without the reference, the next treatment takes its place.

    Returns
    -------
    Network or None
        None where what is left is no connected network of two or more treatments.
    """
    kept = [t for t in range(len(net.treatments)) if t != treatment]
    place = np.full(len(net.treatments), -1)
    place[kept] = np.arange(len(kept))
    parts: dict[int, list[Block]] = {}
    for block in net.blocks:
        holds = (block.treatment == treatment).any(1)
        parts.setdefault(block.k, []).append(
            Block(block.study[~holds], place[block.treatment[~holds]], block.y[~holds], block.S[~holds])
        )
        for arm in range(block.k):
            rows = block.treatment[:, arm] == treatment
            if block.k > 2 and rows.any():
                parts.setdefault(block.k - 1, []).append(_without_arm(block, rows, arm, place))
    blocks = tuple(
        Block(
            *(np.concatenate([getattr(b, name) for b in found]) for name in ("study", "treatment", "y", "S"))
        )
        for _, found in sorted(parts.items())
        if sum(len(b.study) for b in found)
    )
    smaller = replace(net, treatments=tuple(net.treatments[t] for t in kept), blocks=blocks, arms=None)
    if len(kept) < 2 or not blocks:
        return None
    pairs = comparisons(smaller)
    connected = not components(len(kept), np.column_stack([pairs.first, pairs.second])).any()
    return smaller if connected else None


def _without_arm(block: Block, rows: Array, arm: int, place: Array) -> Block:
    """Drop one arm of some studies; without the base arm the next one is the base."""
    m = block.k - 1
    change = np.eye(m)
    if arm == 0:
        change = change[1:] - change[:1]
    else:
        change = np.delete(change, arm - 1, axis=0)
    return Block(
        block.study[rows],
        place[np.delete(block.treatment[rows], arm, axis=1)],
        block.y[rows] @ change.T,
        change @ block.S[rows] @ change.T,
    )


@dataclass(frozen=True)
class LeftOut:
    """Effects and heterogeneity without each study.

    Attributes
    ----------
    study : (s,) int array
        Number of the study left out.
    mean, sd, lower, upper : (s, c) array
        Of c linear combinations of the coefficients.
    tau : (s,) array
        Posterior median of the heterogeneity.
    """

    study: Array
    mean: Array
    sd: Array
    lower: Array
    upper: Array
    tau: Array


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
    return LeftOut(influence.study, mean, sd, lower, upper, tau)
