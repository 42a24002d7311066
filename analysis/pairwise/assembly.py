"""From contrasts to independent rows, with what is done about shared arms said aloud."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.contrasts import Contrasts, each
from analysis.pairwise.dependence import shared_arm_blocks
from analysis.pairwise.rows import Rows, rotate
from evidence.errors import EvidenceError, Problem

if TYPE_CHECKING:
    import pandas as pd

SHARED: dict[str, str] = {
    "covariance": "contrasts that share an arm enter with their exact covariance",
    "split": "the shared arm's animals or participants are divided among its contrasts",
    "ignore": "contrasts that share an arm enter as if independent",
}
"""What can be done about contrasts that share an arm."""


@dataclass(frozen=True)
class Assembly:
    """The rows of an analysis and the contrasts behind them, in the same order.

    Attributes
    ----------
    contrasts : Contrasts
        Those that enter; the others stand in its exclusions, what was decided in its notes.
    rows : Rows
        With an intercept.
    studies : tuple of str
        Name of each study by its number in `Rows.study`.
    variance : (n,) array
        Sampling variance of each contrast as it enters.
    """

    contrasts: Contrasts
    rows: Rows
    studies: tuple[str, ...]
    variance: np.ndarray


def assemble(contrasts: Contrasts, shared: str) -> Assembly:
    """Make independent rows.

    Parameters
    ----------
    contrasts : Contrasts
        The question's contrasts.
    shared : str
        One of `SHARED`.
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
        if row.contrast_1 in place and row.contrast_2 in place and np.isfinite(row.covariance)
    ]
    unknown = int(contrasts.covariance["covariance"].isna().sum())
    if unknown:
        notes.append(
            (
                "warning",
                f"{unknown} pairs of contrasts share an arm whose variance was not reported: "
                "they enter as if independent.",
            )
        )
    if n_shared:
        severity = "info" if shared == "covariance" else "warning"
        notes.append((severity, f"{n_shared} contrasts share an arm with another one: {SHARED[shared]}."))
    if shared == "split":
        variance = variance + _split(frame, contrasts, variance)
    studies, study = np.unique(frame["study"].to_numpy(str), return_inverse=True)
    repeated = len(frame) - len(studies)
    if repeated and not (shared == "covariance" and _all_linked(study, pairs)):
        notes.append(
            (
                "warning",
                f"{repeated} contrasts come from studies that give several; beyond shared arms they enter "
                'as if independent. method="multilevel" or ci="CR2" takes the study into account.',
            )
        )
    design = np.ones((len(frame), 1))
    blocks = list(shared_arm_blocks(variance, pairs)) if shared == "covariance" else []
    _check_blocks(frame, blocks)
    rows = rotate(frame["estimate"].to_numpy(), variance, design, study, blocks)
    contrasts = replace(contrasts, notes=(*contrasts.notes, *notes))
    return Assembly(contrasts, rows, tuple(studies.tolist()), variance)


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


def _all_linked(study: np.ndarray, pairs: list[tuple[int, int, float]]) -> bool:
    """Whether every study's contrasts hang together by shared arms."""
    root = list(range(len(study)))

    def find(index: int) -> int:
        while root[index] != index:
            index = root[index]
        return index

    for first, second, _ in pairs:
        root[find(first)] = find(second)
    groups = {(int(study[index]), find(index)) for index in range(len(study))}
    return len(groups) == len(set(study.tolist()))


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
        {
            "stage": "shared arms",
            "study": out["study"],
            "experiment": out["experiment"],
            "arm": out["arm_a"],
            "reason": "the contrast of "
            + out["arm_a"].astype(str)
            + " and "
            + out["arm_b"].astype(str)
            + " follows from the study's other contrasts",
            "remedy": "none needed: nothing is lost",
        }
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
