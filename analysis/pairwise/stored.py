"""Contrasts from an evidence base: selected, with their counts, covariances and study variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.contrasts import Contrasts, finish, flip, no_pairs, orient
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.selection import find_treatment, select_contrasts, treatment_members
from evidence.variables import variables_of

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase


def from_database(
    db: EvidenceBase,
    outcome: str,
    measure: str,
    treatment: str,
    versus: str,
    timepoint: str | None,
    where: str | None,
) -> Contrasts:
    """Read and check the contrasts of one question from an evidence base; see `reading.load`."""
    versus = find_treatment(db, versus)
    members = tuple(member for member in treatment_members(db, treatment) if member != versus)
    if not members:
        raise CallError(f"Treatment and comparator are both {versus!r}: name two different treatments.")
    selection = select_contrasts(
        db, "contrast", outcome=outcome, measure=measure, timepoint=timepoint, where=where,
        treatments=(*members, versus),
    )  # fmt: skip
    rows = selection.contrasts
    # Of a class, each member against the comparator; members against each other answer another question.
    rows = rows[(rows["treatment_a"] == versus) | (rows["treatment_b"] == versus)].reset_index(drop=True)
    if rows.empty:
        raise RefusedError(
            f"No study compares {treatment!r} with {versus!r} on {outcome!r} in measure {measure!r}."
        )
    notes = list(selection.notes)
    if len(members) > 1:
        notes.append(("info", f"{treatment} is a class of treatments: {', '.join(members)}."))
    else:
        treatment = members[0]
    about = db.rows("select * from outcome where outcome = ?", [outcome])[0]
    how = facts.measure(measure)
    reverse = (rows["treatment_a"] == versus).to_numpy()
    frame = orient(_with_counts(db, rows, outcome), reverse)
    sign = dict(zip(frame["contrast_id"], np.where(reverse, -1.0, 1.0), strict=True))
    pairs = _shared_arms(db, outcome, measure) if rows["shared_arm"].any() else no_pairs()
    pairs = flip(pairs, sign)
    return Contrasts(
        frame=finish(frame),
        covariance=pairs,
        variables=variables_of(db, rows, outcome, reverse).assign(
            treatment=np.where(reverse, rows["treatment_b"], rows["treatment_a"])
        ),
        outcome=outcome,
        measure=measure,
        treatment=treatment,
        versus=versus,
        scale=how.scale,
        unit=how.unit_of(about["unit"]),
        lower_is_better=how.lower_is_better(about),
        exclusions=selection.exclusions,
        notes=tuple(notes),
        timepoint=str(selection.timepoint),
        where=where,
    )


def _shared_arms(db: EvidenceBase, outcome: str, measure: str) -> pd.DataFrame:
    """Covariances of the contrasts that share an arm."""
    return db.frame(
        "select contrast_1, contrast_2, arm_shared, coalesce(covariance_g, covariance) as covariance "
        "from contrast_covariance where outcome = ? and measure = ? and arm_shared is not null "
        "order by contrast_1, contrast_2",
        [outcome, measure],
    )


def _with_counts(db: EvidenceBase, rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Add events and exposure of both arms, where the contrast was computed from arms."""
    import pandas as pd

    counts = db.frame(
        "select cast(measurement_id as varchar) as measurement_id, events, exposure "
        "from measurement_standard where outcome = ?",
        [outcome],
    ).set_index("measurement_id")  # fmt: skip
    rows = rows.copy()
    ids = rows["measurement_ids"].fillna("").astype(str).str.split(",", n=1, expand=True)
    ids = ids.reindex(columns=[0, 1])
    for side, column in zip("ab", (0, 1), strict=True):
        for name in ("events", "exposure"):
            rows[f"{name}_{side}"] = pd.to_numeric(ids[column].map(counts[name]), errors="coerce")
    return rows
