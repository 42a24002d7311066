"""Contrasts from an evidence base: those that answer a question, with their counts and study variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.pairwise.data.contrasts import Contrasts, finish
from evidence.question import BodyOfEvidence, Question, read

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase


def from_database(db: EvidenceBase, question: Question) -> Contrasts:
    """Read and check the contrasts of one question from an evidence base; see `reading.load`."""
    body = read(db, question)
    asked = body.question
    frame = _with_counts(body)
    return Contrasts(
        frame=finish(frame),
        covariance=body.covariance,
        variables=body.variables.assign(treatment=frame["treatment_a"]),
        outcome=asked.outcome,
        measure=asked.measure,
        treatment=str(asked.treatment),
        versus=str(asked.versus),
        scale=body.scale,
        unit=body.unit,
        lower_is_better=body.lower_is_better,
        exclusions=body.exclusions,
        notes=body.notes,
        timepoint=str(body.timepoint),
        where=asked.where,
        exclude_high_rob=asked.exclude_high_rob,
    )


def _with_counts(body: BodyOfEvidence) -> pd.DataFrame:
    """Add events and exposure of both arms, where the contrast was computed from arms."""
    counts = body.arms.set_index(["block", "arm"])[["events", "exposure"]]
    rows = body.contrasts.copy()
    for side in "ab":
        cells = list(zip(rows["block"], rows[f"arm_{side}"], strict=True))
        rows[[f"events_{side}", f"exposure_{side}"]] = counts.reindex(cells).to_numpy(float)
    return rows
