"""Read a `Network` from an evidence base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.continuity import network_note
from analysis.network.assemble import (
    EXCLUSION_COLUMNS,
    exclusion,
    from_contrasts,
    is_number,
    units_of,
    with_exclusions,
)
from analysis.network.blocks import arm_blocks
from analysis.network.data import Network
from evidence import facts
from evidence.errors import CallError, RefusedError
from evidence.reasons import words

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase


def load(
    db: EvidenceBase,
    outcome: str,
    measure: str,
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
        first, last, a value or nearest:VALUE; without it the plan's rule, else last.
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
    """
    if smd not in ("d", "g"):
        raise CallError(f"smd is 'd' (Cohen) or 'g' (Hedges), not {smd!r}.")
    notes: list[tuple[str, str]] = []
    if isinstance(treatments, str):
        treatments = _treatments_of_all_outcomes(db, treatments)
        notes.append(("info", f"Treatments compared in every outcome of the plan: {', '.join(treatments)}."))
    # Not above: networks made from tables need no database.
    from evidence.selection import known, select_contrasts

    selection = select_contrasts(
        db,
        "contrast_network",
        outcome=outcome,
        measure=measure,
        timepoint=timepoint,
        where=where,
        treatments=treatments,
    )
    contrast, exclusions = selection.contrasts, selection.exclusions
    notes += selection.notes
    notes += network_note(contrast)
    if exclude_high_rob:
        contrast, exclusions = _without_high_risk(db, contrast, exclusions, outcome)
    covariance = db.frame(
        "select contrast_1, contrast_2, covariance, covariance_g from contrast_covariance "
        "where outcome = ? and measure = ?",
        [outcome, measure],
    )
    if measure == "SMD":
        name = facts.measure(measure, smd).form_name
        notes.append(("info", f"Standardised by the SD pooled over all arms of a study; {name}."))
        if smd == "g":
            contrast = contrast.assign(estimate=contrast["estimate_g"], std_error=contrast["std_error_g"])
            covariance = covariance.assign(covariance=covariance["covariance_g"])
    found = set(contrast["treatment_a"]) | set(contrast["treatment_b"])
    if treatments is None:
        notes += _unreached(db, found, selection.exclusions)
    if reference is None:
        reference, more = _planned_reference(db, outcome, measure, found)
        notes += more
    else:
        known(db, "treatment", reference)
    about = db.rows("select * from outcome where outcome = ?", [outcome])[0]
    how = db.rows("select * from effect_measure where measure = ?", [measure])[0]
    labels = {row["treatment"]: row["label"] for row in db.rows("select treatment, label from treatment")}
    net = from_contrasts(
        contrast,
        outcome=outcome,
        measure=measure,
        reference=reference,
        covariance=covariance,
        covariates=_study_variables(db, covariates) if covariates else None,
        scale=how["scale"],
        unit=facts.measure(measure).unit_of(about["unit"]),
        lower_is_better=facts.measure(measure).lower_is_better(about),
        labels={name: labels[name] for name in found},
        smallest_important_difference=_important(about, how),
        exclusions=exclusions.reindex(columns=list(EXCLUSION_COLUMNS)).astype(object),
        notes=tuple(notes),
    )
    return replace(net, arms=arm_blocks(net, _arm_data(db, about, measure, contrast)))


def _unreached(db: EvidenceBase, found: set[str], exclusions: pd.DataFrame) -> list[tuple[str, str]]:
    """Name the treatments of which nothing could be used."""
    treatment = {
        (row["study"], row["experiment"], row["arm"]): row["treatment"]
        for row in db.rows("select study, experiment, arm, treatment from arm")
    }
    cells = zip(exclusions["study"], exclusions["experiment"], exclusions["arm"], exclusions["reason"])
    why = {name: reason for *arm, reason in cells if (name := treatment.get(tuple(arm))) is not None}
    return [
        ("warning", f"{name} is not in the network, for none of its data could be used: {why[name]}.")
        for name in sorted(set(why) - found)
    ]


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


def _arm_data(
    db: EvidenceBase, about: Mapping[str, Any], measure: str, contrast: pd.DataFrame
) -> pd.DataFrame:
    """Read counts of the arms, or means where differences of means are the effects, at the chosen times."""
    import pandas as pd

    arm = db.frame(
        "select study, experiment, arm, treatment, timepoint, n, mean, sd / nullif(sqrt(n), 0) as se, "
        "events, exposure from measurement_standard where outcome = ?",
        [about["outcome"]],
    )
    columns = ["events", "exposure"]
    if about["kind"] == "continuous":
        columns = ["mean", "se"] if measure == "MD" else []
    times = contrast[["study", "experiment", "timepoint"]].drop_duplicates()
    arm = pd.merge(arm, times, on=["study", "experiment", "timepoint"])
    return arm[["study", "experiment", "treatment", "n", *columns]]


def _important(about: Mapping[str, Any], how: Mapping[str, Any]) -> float | None:
    """Smallest important difference on the analysis scale: of a mean in its unit, of a ratio as a ratio."""
    value = about["smallest_important_difference"]
    if value is None or (about["kind"] == "continuous") != (how["measure"] == "MD"):
        return None
    if how["scale"] == "log":
        return float(abs(np.log(value))) or None
    return float(value)


def _treatments_of_all_outcomes(db: EvidenceBase, rule: str) -> list[str]:
    if rule != "all outcomes":
        raise CallError(f"treatments is a list of treatments or 'all outcomes', not {rule!r}.")
    rows = db.rows(
        """
        with planned as (select distinct outcome from plan),
        compared as (
            select outcome, treatment_a as treatment from contrast
            union
            select outcome, treatment_b as treatment from contrast
        )
        select treatment from compared inner join planned on compared.outcome = planned.outcome
        group by treatment having count(*) = (select count(*) from planned) order by treatment
        """
    )
    return [row["treatment"] for row in rows]


def _without_high_risk(
    db: EvidenceBase, contrast: pd.DataFrame, exclusions: pd.DataFrame, outcome: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out studies at high risk of bias, and list them."""
    rows = db.rows("select distinct study from high_risk_study where outcome = ?", [outcome])
    high = contrast["study"].isin([row["study"] for row in rows])
    if high.all():
        raise RefusedError(f"Every study with outcome {outcome!r} is at high risk of bias: none is left.")
    out = [
        exclusion(*unit, None, **words("risk_of_bias", "high"))
        for unit in dict.fromkeys(units_of(contrast[high]))
    ]
    return contrast[~high].reset_index(drop=True), with_exclusions(exclusions, out)


def _study_variables(db: EvidenceBase, names: Sequence[str]) -> pd.DataFrame:
    """Study variables as columns, numeric where every value is a number."""
    import pandas as pd

    every = [
        row["variable"] for row in db.rows("select distinct variable from study_variable order by variable")
    ]
    if unknown := [name for name in names if name not in every]:
        raise CallError(f"There is no study variable {', '.join(unknown)}; there are {', '.join(every)}.")
    table = pd.DataFrame(
        {"study": [row["study"] for row in db.rows("select study from study order by study")]}
    )
    for name in names:
        values = {
            row["study"]: row["value"]
            for row in db.rows("select study, value from study_variable where variable = ?", [name])
        }
        column = table["study"].map(values)
        table[name] = column.astype(float) if all(is_number(v) for v in values.values()) else column
    return table
