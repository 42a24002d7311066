"""Contrasts from an evidence base: those that answer a question, with their counts and study variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.described import Described
from analysis.pairwise.data.contrasts import Contrasts, finish
from evidence.question import BodyOfEvidence, Question, read
from evidence.system.frames import cells

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
        measured=body.arms,
        review=Described.read(db, asked.outcome),
    )


def _with_counts(body: BodyOfEvidence) -> pd.DataFrame:
    """Add events and exposure of both arms, where the contrast was computed from arms."""
    place = {arm: i for i, arm in enumerate(zip(cells(body.arms["block"]), cells(body.arms["arm"])))}
    # What has no arm takes the row below the last.
    counts = np.vstack([body.arms[["events", "exposure"]].to_numpy(float), [np.nan, np.nan]])
    rows = body.contrasts.copy()
    for side in "ab":
        arms = zip(cells(rows["block"]), cells(rows[f"arm_{side}"]))
        found = counts[[place.get(arm, -1) for arm in arms]]
        rows[f"events_{side}"], rows[f"exposure_{side}"] = found[:, 0], found[:, 1]
    return rows
