"""The contrasts of one question, turned the way asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.described import UNDESCRIBED, Described

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("n_a", "n_b", "events_a", "events_b", "exposure_a", "exposure_b")
"""Sizes and counts of both arms; missing where they are not known."""

_SIDES = ("treatment", "arm", "n", "events", "exposure")
_COLUMNS = (
    "contrast_id", "study", "experiment", "label", "estimate", "std_error", "arm_a", "arm_b", "n_a", "n_b",
    "events_a", "events_b", "exposure_a", "exposure_b", "timepoint", "timepoint_unit", "measurement_ids",
    "continuity",
)  # fmt: skip


@dataclass(frozen=True)
class Contrasts:
    """Everything a pairwise meta-analysis needs, read once.

    Attributes
    ----------
    frame : DataFrame
        One row per contrast, treatment minus comparator: contrast_id, study, experiment, label (the printed
        name), estimate, std_error, arm_a, arm_b, n_a, n_b, events_a, events_b, exposure_a, exposure_b,
        timepoint, timepoint_unit, measurement_ids, continuity (what was added to the counts of each arm).
    covariance : DataFrame
        contrast_1, contrast_2, arm_shared, covariance: of contrasts that share an arm, as oriented in
        `frame`.
    variables : DataFrame
        One row per contrast, in the order of `frame`: variables of its study, for subgroups and
        meta-regression.
    outcome, measure, treatment, versus : str
        The question.
    scale : {"additive", "log"}
        Scale of the estimates.
    unit : str or None
        Unit of the outcome.
    lower_is_better : bool or None
        Direction of benefit.
    exclusions : DataFrame
        What did not enter: study, experiment, arm, reason, remedy and where it stands.
    notes : tuple of (severity, message)
        What was decided on the way.
    timepoint, where : str or None
        The rule and the condition that were applied.
    exclude_high_rob : bool
        Whether studies at high risk of bias were left out.
    measured : DataFrame or None
        The arms' measurements (`evidence.question.BodyOfEvidence.arms`).
    review : Described
        Names and order of what the review holds.
    """

    frame: pd.DataFrame
    covariance: pd.DataFrame
    variables: pd.DataFrame
    outcome: str
    measure: str
    treatment: str
    versus: str
    scale: str = "additive"
    unit: str | None = None
    lower_is_better: bool | None = None
    exclusions: pd.DataFrame | None = None
    notes: tuple[tuple[str, str], ...] = ()
    timepoint: str | None = None
    where: str | None = None
    exclude_high_rob: bool = False
    measured: pd.DataFrame | None = None
    review: Described = UNDESCRIBED

    def part(self, keep: np.ndarray) -> Contrasts:
        """Keep some of the contrasts, (n,) bool; the notes on the whole stay behind."""
        chosen = self.frame[keep]
        ids = set(chosen["contrast_id"])
        within = self.covariance["contrast_1"].isin(ids) & self.covariance["contrast_2"].isin(ids)
        return replace(
            self,
            frame=chosen.reset_index(drop=True),
            variables=self.variables[keep].reset_index(drop=True),
            covariance=self.covariance[within].reset_index(drop=True),
            notes=(),
        )


def each(rows: pd.DataFrame) -> Iterator[Any]:
    """Rows of a frame as named tuples."""
    return iter(rows.itertuples())


def no_pairs() -> pd.DataFrame:
    """No contrasts that share an arm."""
    import pandas as pd

    return pd.DataFrame(columns=["contrast_1", "contrast_2", "arm_shared", "covariance"])


def typed(values: pd.Series) -> pd.Series:
    """Make a variable a number if it is one throughout, unless it is declared a category."""
    import pandas as pd

    if values.dtype == "category":
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers.astype(float) if numbers.notna().sum() == values.notna().sum() else values


def orient(rows: pd.DataFrame, reverse: np.ndarray) -> pd.DataFrame:
    """Turn contrasts round where they stand comparator minus treatment."""
    rows = rows.copy()
    rows["estimate"] = np.where(reverse, -rows["estimate"], rows["estimate"])
    for name in _SIDES:
        a, b = f"{name}_a", f"{name}_b"
        if a in rows and b in rows:
            first, second = rows[a].copy(), rows[b].copy()
            rows[a] = first.where(~reverse, second)
            rows[b] = second.where(~reverse, first)
    return rows


def flip(pairs: pd.DataFrame, sign: dict[str, float]) -> pd.DataFrame:
    """Keep the covariances of the contrasts in `sign`, with the sign of those turned round."""
    pairs = pairs[pairs["contrast_1"].isin(sign) & pairs["contrast_2"].isin(sign)].reset_index(drop=True)
    signs = [sign[one] * sign[two] for one, two in zip(pairs["contrast_1"], pairs["contrast_2"], strict=True)]
    return pairs.assign(covariance=pairs["covariance"].astype(float) * np.array(signs, float))


def finish(frame: pd.DataFrame) -> pd.DataFrame:
    """Name each contrast for print, and keep the agreed columns."""
    unit = frame["study"].astype(str).tolist()
    if not (frame["experiment"] == "main").all():
        experiments = frame["experiment"].tolist()
        unit = [
            study if experiment == "main" else f"{study} / {experiment}"
            for study, experiment in zip(unit, experiments, strict=True)
        ]
    often = Counter(unit)
    if len(often) < len(unit):
        arms = frame["arm_a"].tolist() if "arm_a" in frame else [None] * len(unit)
        unit = [
            f"{name} / {arm}" if often[name] > 1 and isinstance(arm, str) else name
            for name, arm in zip(unit, arms, strict=True)
        ]
        seen: Counter[str] = Counter()
        often = Counter(unit)
        for index, name in enumerate(unit):
            seen[name] += 1
            unit[index] = f"{name} ({seen[name]})" if often[name] > 1 else name
    frame = frame.assign(label=unit).reindex(columns=list(_COLUMNS))
    for column in ("estimate", "std_error", *COUNTS):
        frame[column] = frame[column].astype(float)
    return frame.reset_index(drop=True)
