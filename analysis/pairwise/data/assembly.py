"""From contrasts to independent rows, with what is done about shared arms and about studies said aloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.data.combining import Combined, Pairs, apart, combine
from analysis.pairwise.data.contrasts import Contrasts, each
from analysis.pairwise.model.dependence import shared_arm_blocks
from analysis.pairwise.model.rows import EffectRows, rotate
from evidence import facts
from evidence.errors import EvidenceError, Problem
from evidence.facts.reasons import words

if TYPE_CHECKING:
    import pandas as pd

SHARED = facts.SHARED_ARMS
"""What can be done about contrasts that share an arm."""

DEPENDENCE = facts.dependence()
"""What can be done about several effects of one study."""


@dataclass(frozen=True)
class Assembly:
    """The rows of an analysis and the contrasts behind them, in the same order.

    Attributes
    ----------
    contrasts : Contrasts
        Those that enter; the others stand in its exclusions, what was decided in its notes.
    rows : EffectRows
        With an intercept; one for each effect.
    studies : tuple of str
        Name of each study by its number in `EffectRows.study`.
    variance : (n,) array
        Sampling variance of each contrast as it enters.
    effects : Combined
        The effects that the rows stand for, and which contrasts each is made of.
    tables : Combined
        The same for methods that pool events: the arms that share a control added up.
    """

    contrasts: Contrasts
    rows: EffectRows
    studies: tuple[str, ...]
    variance: np.ndarray
    effects: Combined
    tables: Combined

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Divide the weights of effects, (m,), among the contrasts they are made of, (n,)."""
        return weights[self.effects.unit] * self.effects.share


def assemble(
    contrasts: Contrasts, shared: str, dependence: str = "combine", within: Sequence[Any] | None = None
) -> Assembly:
    """Make independent rows.

    Parameters
    ----------
    contrasts : Contrasts
        The question's contrasts.
    shared : str
        One of `SHARED`.
    dependence : str
        One of `DEPENDENCE`.
    within : sequence of n hashable values, optional
        Contrasts of one study are combined only where they have the same value.
    """
    notes: list[tuple[str, str]] = []
    n_shared = len(set(contrasts.covariance["contrast_1"]) | set(contrasts.covariance["contrast_2"]))
    if shared == "covariance":
        contrasts, closing = _spanning(contrasts)
        if closing:
            notes.append(
                ("info", f"{closing} contrasts follow from others of the same study and do not enter.")
            )
    frame = contrasts.frame
    _check_magnitudes(frame)
    variance = frame["std_error"].to_numpy() ** 2
    place = {name: index for index, name in enumerate(frame["contrast_id"])} if n_shared else {}
    pairs = [
        (place[row.contrast_1], place[row.contrast_2], float(row.covariance))
        for row in each(contrasts.covariance)
        if row.contrast_1 in place and row.contrast_2 in place
    ]
    notes += _of_shared_arms(contrasts, shared, dependence, n_shared)
    if shared == "split":
        variance = variance + _split(frame, contrasts, variance)
    known = [pair for pair in pairs if np.isfinite(pair[2])] if shared == "covariance" else []
    _check_blocks(frame, list(shared_arm_blocks(variance, known)))
    names = frame["study"].to_numpy(str)
    effects = tables = apart(contrasts, variance, known)
    if dependence == "combine":
        linked = pairs if shared == "covariance" else []
        keys = list(zip(names, within, strict=True)) if within is not None else list(names)
        effects = combine(contrasts, variance, linked, keys)
        tables = combine(contrasts, variance, linked, connected(len(names), linked)) if linked else tables
    studies, study = np.unique(effects.contrasts.frame["study"].to_numpy(str), return_inverse=True)
    notes += _of_several(names, dependence)
    design = np.ones((len(study), 1))
    blocks = shared_arm_blocks(effects.variance, effects.pairs)
    estimate = effects.contrasts.frame["estimate"].to_numpy(float)
    rows = rotate(estimate, effects.variance, design, study, blocks)
    contrasts = replace(contrasts, notes=(*contrasts.notes, *notes))
    return Assembly(contrasts, rows, tuple(studies.tolist()), variance, effects, tables)


def _of_shared_arms(
    contrasts: Contrasts, shared: str, dependence: str, n_shared: int
) -> Iterator[tuple[str, str]]:
    """Say how many contrasts share an arm, and what is done about them."""
    unknown = int(contrasts.covariance["covariance"].isna().sum())
    if unknown:
        taken = (
            "with a correlation of 1/2"
            if dependence == "combine" and shared == "covariance"
            else "as if independent"
        )
        yield (
            "warning",
            f"{unknown} pairs of contrasts share an arm whose variance was not reported: they enter {taken}.",
        )
    if n_shared:
        severity = "info" if shared == "covariance" else "warning"
        yield severity, f"{n_shared} contrasts share an arm with another one: {SHARED[shared]}."


def _of_several(study: np.ndarray, dependence: str) -> Iterator[tuple[str, str]]:
    """Say how many effects come from studies that give several, and what is done about them."""
    often = Counter(study.tolist())
    several = [count for count in often.values() if count > 1]
    if not several:
        return
    studies = "1 study that gives" if len(several) == 1 else f"{len(several)} studies that give"
    said = f"{sum(several)} of {len(study)} effects come from {studies} several: {DEPENDENCE[dependence]}"
    if dependence == "independent":
        others = ", ".join(name for name in DEPENDENCE if name != dependence)
        yield "warning", f"{said}. dependence can also be {others}."
    else:
        yield "info", f"{said}."


def _check_magnitudes(frame: pd.DataFrame) -> None:
    """Refuse numbers so far apart that arithmetic on their squares and cubes would lose them."""
    effect, error = frame["estimate"].to_numpy(), frame["std_error"].to_numpy()
    middle = float(np.median(error))
    strange = ~((error > 1e-130) & (error < 1e130) & (error > 1e-15 * middle) & (error < 1e15 * middle))
    far = ~strange & (np.abs(effect) > 1e50 * error)
    problems = []
    for index in np.flatnonzero(strange | far):
        if strange[index]:
            column = "std_error"
            said = f"the standard error {error[index]:g} is out of all proportion (the median is {middle:g})"
        else:
            column, said = (
                "estimate",
                f"the estimate {effect[index]:g} is more than 1e50 standard errors from 0",
            )
        problems.append(Problem(said, "check its unit", study=str(frame["study"].iloc[index]), column=column))
    if problems:
        raise EvidenceError("Effects that are so far apart cannot be pooled.", problems)


def _check_blocks(frame: pd.DataFrame, blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Refuse covariances that no data can have."""
    problems = []
    for index, V, R in blocks:
        smallest = min(np.linalg.eigvalsh(matrix)[0] / matrix.diagonal().max() for matrix in (V, R))
        if smallest < 1e-10:
            labels = ", ".join(frame["label"].iloc[index])
            problems.append(
                Problem(
                    f"the covariances of {labels} cannot belong to these standard errors",
                    'check them, or use shared="split" or shared="ignore"',
                    study=str(frame["study"].iloc[index[0]]),
                    column="covariance",
                )
            )
    if problems:
        raise EvidenceError("Contrasts that share an arm contradict each other.", problems)


def connected(n: int, pairs: Pairs) -> list[int]:
    """Give each of n contrasts the number of the group that shared arms connect it to."""
    root = list(range(n))

    def find(index: int) -> int:
        while root[index] != index:
            index = root[index]
        return index

    for first, second, _ in pairs:
        root[find(first)] = find(second)
    return [find(index) for index in range(n)]


def _spanning(contrasts: Contrasts) -> tuple[Contrasts, int]:
    """Leave out contrasts whose two arms others connect already: they carry no information of their own."""
    import pandas as pd

    if contrasts.covariance.empty:
        return contrasts, 0
    frame = contrasts.frame
    linked = set(contrasts.covariance["contrast_1"]) | set(contrasts.covariance["contrast_2"])
    root: dict[tuple, tuple] = {}

    def find(arm: tuple) -> tuple:
        root.setdefault(arm, arm)
        while root[arm] != arm:
            arm = root[arm]
        return arm

    closing = []
    for row in each(frame[frame["contrast_id"].isin(linked)]):
        ends = [find((row.study, row.experiment, str(row.timepoint), arm)) for arm in (row.arm_a, row.arm_b)]
        if pd.isna(row.arm_a) or pd.isna(row.arm_b):
            continue
        if ends[0] == ends[1]:
            closing.append(row.Index)
        root[ends[0]] = ends[1]
    if not closing:
        return contrasts, 0
    out = frame.loc[closing]
    reasons = pd.DataFrame(
        [
            {"study": row.study, "experiment": row.experiment, "arm": row.arm_a}
            | words("shared_arms", "follows", detail=f"{row.arm_a} and {row.arm_b}")
            for row in each(out)
        ]
    )
    before = contrasts.exclusions
    exclusions = (
        reasons if before is None or before.empty else pd.concat([before, reasons], ignore_index=True)
    )
    keep = ~frame.index.isin(closing)
    covariance = contrasts.covariance
    ids = set(frame.loc[keep, "contrast_id"])
    return replace(
        contrasts,
        frame=frame[keep].reset_index(drop=True),
        variables=contrasts.variables[keep].reset_index(drop=True),
        covariance=covariance[covariance["contrast_1"].isin(ids) & covariance["contrast_2"].isin(ids)],
        exclusions=exclusions.reset_index(drop=True),
    ), len(closing)


def _split(frame: pd.DataFrame, contrasts: Contrasts, variance: np.ndarray) -> np.ndarray:
    """Variance added by dividing shared arms among the contrasts they stand in.

    An arm in m contrasts counts with n / m in each. Additive measures: its variance, which is the covariance
    of the contrasts that share it, is multiplied by m. SMD: the variance is computed with n / m, the estimate
    is kept.
    """
    place = {name: index for index, name in enumerate(frame["contrast_id"])}
    uses = uses_of_arms(frame)
    if contrasts.measure == "SMD":
        g = frame["estimate"].to_numpy()
        n_a, n_b = (frame[f"n_{side}"].to_numpy() / uses[side] for side in "ab")
        divided = 1 / n_a + 1 / n_b + g**2 / (2 * (n_a + n_b))
        shared = np.maximum(uses["a"], uses["b"]) > 1
        return np.where(shared & np.isfinite(divided), divided - variance, 0.0)
    added = np.zeros(len(frame))
    seen: set[tuple[int, str]] = set()
    for row in each(contrasts.covariance):
        for name in (row.contrast_1, row.contrast_2):
            index = place[name]
            if (index, row.arm_shared) in seen or not np.isfinite(row.covariance):
                continue
            seen.add((index, row.arm_shared))
            side = "a" if frame["arm_a"].iloc[index] == row.arm_shared else "b"
            added[index] += (uses[side][index] - 1) * abs(row.covariance)
    return added


def uses_of_arms(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """In how many contrasts each contrast's arms stand, by side."""
    unit = [frame[name].astype(str) for name in ("study", "experiment", "timepoint")]
    keys = {side: list(zip(*unit, frame[f"arm_{side}"].astype(str), strict=True)) for side in "ab"}
    total = Counter([*keys["a"], *keys["b"]])
    return {side: np.array([total[key] for key in keys[side]], float) for side in "ab"}
