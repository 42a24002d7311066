"""What is left when a study, or a treatment, is taken out of a network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np

from analysis.network.data.graph import comparisons, components, linked_by, neighbours, without_edges
from analysis.network.data.network import ArmBlock, Array, Block, Network


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
    code, owner = np.unique(np.column_stack([pairs.first * n + pairs.second, study]), axis=0).T
    distinct, first, count = np.unique(code, return_index=True, return_counts=True)
    alone = first[count == 1]
    linked = neighbours(n, distinct)
    order = np.argsort(owner[alone], kind="stable")
    found = {}
    for i, own in groupby(alone[order].tolist(), key=lambda row: int(owner[row])):
        lost = code[list(own)]
        left = without_edges(linked, n, lost)
        if all(linked_by(left, int(pair) // n, int(pair) % n) for pair in lost):
            continue
        rest = distinct[~np.isin(distinct, lost)]
        found[i] = components(n, np.column_stack([rest // n, rest % n]))
    return found


def separated(parts: Mapping[int, Array], study: int, treatment: Array, versus: Array) -> Array:
    """Say which pairs of treatments nothing links without a study.

    Parameters
    ----------
    parts : mapping of int to (T,) int array
        From `cut_off`.
    study : int
        Number of the study.
    treatment, versus : (m,) int arrays

    Returns
    -------
    (m,) bool array
    """
    part = parts.get(int(study))
    return np.zeros(len(treatment), dtype=bool) if part is None else part[treatment] != part[versus]


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


def only_studies(net: Network, kept: Collection[str]) -> Network | None:
    """Keep some studies of a network, by name, and the treatments that they compare.

    Returns
    -------
    Network or None
        As reading those studies alone would give it, but for its notes and exclusions; None where the
        reference goes with the others, or what is left is not connected.
    """
    units = [i for i, (study, _) in enumerate(net.studies) if study in kept]
    place = np.full(len(net.studies), -1)
    place[units] = np.arange(len(units))
    some = [place[block.study] >= 0 for block in net.blocks]
    there = sorted({int(t) for b, one in zip(net.blocks, some) for t in b.treatment[one].ravel()})
    if not there or there[0] != 0:
        return None
    name = np.full(len(net.treatments), -1)
    name[there] = np.arange(len(there))
    blocks = tuple(
        Block(place[block.study[one]], name[block.treatment[one]], block.y[one], block.S[one])
        for block, one in zip(net.blocks, some, strict=True)
        if one.any()
    )
    arms = net.arms and tuple(
        ArmBlock(place[block.study[one]], name[block.treatment[one]], **_taken(block, one))
        for block, one in zip(net.arms, some, strict=True)
        if one.any()
    )
    smaller = replace(
        net,
        treatments=tuple(net.treatments[t] for t in there),
        studies=tuple(net.studies[i] for i in units),
        blocks=blocks,
        arms=arms,
        covariates=None if net.covariates is None else net.covariates.iloc[units].reset_index(drop=True),
        contrasts=None if net.contrasts is None else net.contrasts[net.contrasts["study"].isin(kept)],
    )
    pairs = comparisons(smaller)
    connected = not components(len(there), np.column_stack([pairs.first, pairs.second])).any()
    return smaller if connected else None


def _taken(block: ArmBlock, rows: Array) -> dict[str, Array | None]:
    values = {name: getattr(block, name) for name in ("events", "n", "exposure", "mean", "se")}
    return {name: None if value is None else value[rows] for name, value in values.items()}


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
