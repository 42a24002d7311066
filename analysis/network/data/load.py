"""Read a `Network` from an evidence base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.continuity import network_note
from analysis.described import Described
from analysis.network.data.assemble import EXCLUSION_COLUMNS, from_contrasts
from analysis.network.data.blocks import arm_blocks
from analysis.network.data.network import Network
from evidence import facts

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase
    from evidence.question import BodyOfEvidence


def load(
    db: EvidenceBase,
    outcome: str,
    measure: str,
    *,
    reference: str | None = None,
    timepoint: str | None = None,
    where: str | None = None,
    treatments: Sequence[str] | None = None,
    smd: str = "d",
    covariates: Sequence[str] = (),
    exclude_high_rob: bool = False,
) -> Network:
    """Read a network from an evidence base.

    Parameters
    ----------
    db : EvidenceBase
        From ``evidence.open``.
    outcome, measure : str
        What is compared, and how.
    reference : str, optional
        Reference treatment; without it the plan's, else the treatment that most studies have.
    timepoint : str, optional
        first, last, a time with its unit (24 h) or nearest:24 h; without it the plan's rule, else last. Of a
        study's time points those with the most arms come before the others.
    where : str, optional
        SQL condition on the columns and characteristics of the studies.
    treatments : sequence of str, optional
        Compare these only. ``"all outcomes"`` takes the treatments that are compared in every outcome of the
        review's plan.
    smd : {"d", "g"}
        For SMD: Cohen's d with the SD pooled over all arms of a study, or the same with Hedges' correction.
    covariates : sequence of str, optional
        Study variables to carry along.
    exclude_high_rob : bool
        Leave out studies at high risk of bias: those of the view ``high_risk_study``.

    Returns
    -------
    Network

    Raises
    ------
    CallError
        If a name, rule or condition is not known.
    RefusedError
        If nothing is left, a study cannot be used, or the network is not connected.

    Examples
    --------
    >>> import evidence
    >>> from analysis import network
    >>> with evidence.open("diabetes") as db:
    ...     net = network.load(db, outcome="hba1c", measure="MD", reference="plac")
    >>> net.treatments[:3], net.unit, len(net.studies)
    (('plac', 'acar', 'benf'), '%', 26)
    """
    # Not above: networks made from tables need no database.
    from evidence.question import Question, read

    if treatments is not None and not isinstance(treatments, str):
        treatments = tuple(treatments)
    body = read(
        db,
        Question(
            outcome,
            measure,
            treatments=treatments,
            timepoint=timepoint,
            where=where,
            exclude_high_rob=exclude_high_rob,
            smd=smd,
        ),
    )
    return of_body(db, body, reference=reference, covariates=covariates)


def of_body(
    db: EvidenceBase, body: BodyOfEvidence, *, reference: str | None = None, covariates: Sequence[str] = ()
) -> Network:
    """Make a network of a question that was read before from the same evidence base, or of some of it.

    Parameters
    ----------
    db : EvidenceBase
    body : BodyOfEvidence
    reference, covariates
        As in `load`.

    Raises
    ------
    CallError, RefusedError
        As `load`.
    """
    from evidence.question import known, study_variables

    outcome, measure = body.question.outcome, body.question.measure
    notes = [*body.notes, *network_note(body.contrasts)]
    if reference is None:
        reference, more = _planned_reference(db, outcome, measure, set(body.labels))
        notes += more
    else:
        known(db, "treatment", reference)
    net = from_contrasts(
        body.contrasts,
        outcome=outcome,
        measure=measure,
        reference=reference,
        covariance=body.covariance,
        covariates=study_variables(db, covariates) if covariates else None,
        scale=body.scale,
        unit=body.unit,
        lower_is_better=body.lower_is_better,
        labels=body.labels,
        smallest_important_difference=body.smallest_important_difference,
        exclusions=body.exclusions.reindex(columns=list(EXCLUSION_COLUMNS)).astype(object),
        notes=tuple(notes),
        measured=body.arms,
        form=body.question.smd if facts.forms(measure) else None,
        review=Described.read(db, outcome),
    )
    return replace(net, arms=arm_blocks(net, _measured(body)))


def _planned_reference(
    db: EvidenceBase, outcome: str, measure: str, found: set[str]
) -> tuple[str | None, list[tuple[str, str]]]:
    """Find the plan's reference treatment, of this measure before others of the outcome."""
    planned = db.rows(
        "select plan.reference, plan.origin, treatment.role from plan "
        "inner join treatment on plan.reference = treatment.treatment "
        "where plan.outcome = ? order by case when plan.measure = ? then 0 else 1 end, plan.position",
        [outcome, measure],
    )
    for row in planned:
        name = row["reference"]
        if name in found:
            why = "by the review's plan"
            if row["origin"] == "default":
                why = "the control of most studies" if row["role"] == "control" else "which most studies have"
                why += "; the review's plan names none"
            return name, [("info", f"Reference treatment: {name}, {why}.")]
    absent = sorted({row["reference"] for row in planned if row["origin"] == "plan"})
    return None, [("warning", f"The plan's reference {name} has no data here.") for name in absent]


def _measured(body: BodyOfEvidence) -> pd.DataFrame:
    """Give counts of the arms, or means where differences of means are the effects."""
    arms = body.arms
    if arms["mean"].notna().any():
        columns = ["mean", "se"] if body.question.measure == "MD" else []
    else:
        columns = ["events", "exposure"]
    return arms[["study", "experiment", "treatment", "n", *columns]]
