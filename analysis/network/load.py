"""From rows to a `Network`: which evidence enters, in which form, and what is refused.

Every study (and experiment) is a unit of randomisation. Its effects are held against one base arm, with the
covariance that they share: solved from the standard errors of the pairwise comparisons, or given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network.data import ArmBlock, Array, Block, Network
from analysis.network.graph import components
from evidence.errors import CallError, Problem, RefusedError
from evidence.selection import known, select_contrasts

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

LOG_MEASURES = frozenset({"OR", "RR", "HR", "IRR", "ROM", "PETO"})
"""Measures analysed as logarithms of ratios."""

ALIASES = {
    "studlab": "study",
    "treat1": "treatment_a",
    "treat2": "treatment_b",
    "treatment1": "treatment_a",
    "treatment2": "treatment_b",
    "te": "estimate",
    "sete": "std_error",
    "se": "std_error",
}
"""Column names of netmeta and others that mean the same."""

EXCLUSION_COLUMNS = ("stage", "study", "experiment", "arm", "source_file", "source_line", "reason", "remedy")
"""Columns of `Network.exclusions`."""

# Effects of one study must add up; reported numbers are rounded. Effects are taken that lie within a
# hundredth of the study's smallest standard error of effects that do, whatever the unit.
ROUNDING = 0.01


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
        Leave out studies at high risk of bias: by the overall judgement where the tool has one, else by any
        item.

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
    import pandas as pd

    if smd not in ("d", "g"):
        raise CallError(f"smd is 'd' (Cohen) or 'g' (Hedges), not {smd!r}.")
    notes: list[tuple[str, str]] = []
    if isinstance(treatments, str):
        treatments = _treatments_of_all_outcomes(db, treatments)
        notes.append(("info", f"Treatments compared in every outcome of the plan: {', '.join(treatments)}."))
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
    if exclude_high_rob:
        contrast, exclusions = _without_high_risk(db, contrast, exclusions, outcome)
    covariance = db.sql(
        "select contrast_1, contrast_2, covariance, covariance_g from contrast_covariance "
        "where outcome = ? and measure = ?",
        [outcome, measure],
    ).df()
    if measure == "SMD":
        name = {"d": "Cohen's d", "g": "Hedges' g"}[smd]
        notes.append(("info", f"Standardised by the SD pooled over all arms of a study; {name}."))
        if smd == "g":
            contrast = contrast.assign(estimate=contrast["estimate_g"], std_error=contrast["std_error_g"])
            covariance = covariance.assign(covariance=covariance["covariance_g"])
    about = db.rows("select * from outcome where outcome = ?", [outcome])[0]
    how = db.rows("select * from effect_measure where measure = ?", [measure])[0]
    found = set(contrast["treatment_a"]) | set(contrast["treatment_b"])
    if reference is None:
        planned = db.value(
            "select reference from plan where outcome = ? and reference is not null "
            "order by case when measure = ? then 0 else 1 end, position",
            [outcome, measure],
        )
        if planned in found:
            reference = planned
        elif planned is not None:
            notes.append(("warning", f"The plan's reference {planned} has no data here."))
    else:
        known(db, "treatment", reference)
    higher_is_better = how["higher_is_better"]
    net = from_contrasts(
        contrast,
        outcome=outcome,
        measure=measure,
        reference=reference,
        covariance=covariance,
        covariates=_study_variables(db, covariates) if covariates else None,
        scale=how["scale"],
        unit={"MD": about["unit"], "NMD": "%"}.get(measure),
        lower_is_better=about["lower_is_better"] if higher_is_better is None else not higher_is_better,
        labels={
            row["treatment"]: row["label"]
            for row in db.rows("select treatment, label from treatment")
            if row["treatment"] in found
        },
        smallest_important_difference=_important(about, how),
        exclusions=exclusions.reindex(columns=list(EXCLUSION_COLUMNS)).astype(object),
        notes=tuple(notes),
    )
    arm = db.sql(
        """
        select study, experiment, arm, treatment, timepoint, n, mean, sd / nullif(sqrt(n), 0) as se, events,
        exposure from measurement_standard where outcome = ?
        """,
        [outcome],
    ).df()
    times = contrast[["study", "experiment", "timepoint"]].drop_duplicates()
    arm = pd.merge(arm, times, on=["study", "experiment", "timepoint"])
    columns = {"MD": ["mean", "se"]}.get(
        measure, [] if about["kind"] == "continuous" else ["events", "exposure"]
    )
    return replace(net, arms=arm_blocks(net, arm[["study", "experiment", "treatment", "n", *columns]]))


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
    rows = db.rows(
        """
        with judged as (
            select judgement.study, judgement.tool, item.domain = 'overall' as overall, answer.severity >= 3
            as high from rob_judgement as judgement inner join rob_item as item on judgement.tool = item.tool
            and judgement.item = item.item inner join rob_answer as answer
                on judgement.tool = answer.tool and judgement.judgement = answer.judgement
            where judgement.outcome is null or judgement.outcome = ?
        ),
        tool as (select study, tool, bool_or(overall) as has_overall from judged group by study, tool)
        select judged.study from judged
        inner join tool on judged.study = tool.study and judged.tool = tool.tool
        where judged.high and (judged.overall or not tool.has_overall)
        group by judged.study order by judged.study
        """,
        [outcome],
    )
    high = contrast["study"].isin([row["study"] for row in rows])
    if high.all():
        raise RefusedError(f"Every study with outcome {outcome!r} is at high risk of bias: none is left.")
    out = [
        exclusion(*unit, None, "risk_of_bias", "high risk of bias", "include studies at high risk")
        for unit in dict.fromkeys(_units_of(contrast[high]))
    ]
    return contrast[~high].reset_index(drop=True), _with_exclusions(exclusions, out)


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
        table[name] = column.astype(float) if all(_is_number(v) for v in values.values()) else column
    return table


def from_contrasts(
    frame: pd.DataFrame,
    *,
    outcome: str = "outcome",
    measure: str = "MD",
    reference: str | None = None,
    treatments: Sequence[str] | None = None,
    covariance: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    **fields: Any,
) -> Network:
    """Build a network from pairwise comparisons within studies.

    Parameters
    ----------
    frame : DataFrame
        One row per comparison: study, treatment_a, treatment_b, estimate (a minus b, log scale for ratios)
        and std_error; the names of netmeta (studlab, treat1, treat2, TE, seTE) and treatment1, treatment2,
        te, se are understood. Optional: experiment, arm_a, arm_b (where one treatment has several arms in a
        study), n_a, n_b, contrast_id, measurement_ids. A study with k arms needs all k (k - 1) / 2
        comparisons, unless `covariance` tells what those given share.
    outcome, measure : str
        Their names.
    reference : str, optional
        Reference treatment; without it, the treatment with the most studies.
    treatments : sequence of str, optional
        Keep these treatments only.
    covariance : DataFrame, optional
        contrast_1, contrast_2, covariance: covariances of comparisons by `contrast_id`.
    covariates : DataFrame, optional
        One row per study (columns study and optionally experiment, then covariates).
    **fields
        Further fields of `Network`: unit, lower_is_better, labels, smallest_important_difference, notes,
        exclusions.

    Returns
    -------
    Network

    Raises
    ------
    CallError
        If a column or a named treatment does not exist.
    RefusedError
        If rows cannot be used, a study contradicts itself, or the network is not connected: every study by
        name.

    References
    ----------
    Rücker G, Schwarzer G (2014). Reduce dimension or reduce weights? Stat Med 33:4353-69.
    doi:10.1002/sim.6236
    """
    named = frame.rename(columns=lambda name: ALIASES.get(str(name).strip().lower(), name))
    contrast = _canonical(named, ("study", "treatment_a", "treatment_b", "estimate", "std_error"), fields)
    return _assemble(contrast, outcome, measure, reference, treatments, covariance, covariates, fields)


def from_arms(
    frame: pd.DataFrame,
    *,
    outcome: str = "outcome",
    measure: str = "MD",
    reference: str | None = None,
    treatments: Sequence[str] | None = None,
    covariates: pd.DataFrame | None = None,
    **fields: Any,
) -> Network:
    """Build a network from a statistic of each arm whose differences are the effects.

    Parameters
    ----------
    frame : DataFrame
        One row per arm: study, treatment, y (mean, log odds, log risk, log rate ... as the view
        ``arm_effect`` has it) and v, its variance. Optional: experiment, arm, n, events, exposure, mean, se.
    outcome, measure, reference, treatments, covariates, **fields
        As in `from_contrasts`.

    Returns
    -------
    Network
        With `arms` where counts or means are given.

    Raises
    ------
    CallError, RefusedError
        As `from_contrasts`.
    """
    arm = _canonical(frame, ("study", "treatment", "y", "v"), fields)
    if "arm" not in arm:
        arm["arm"] = arm["treatment"]
    problems = [
        Problem(
            f"arm {row.arm!r} is listed more than once",
            "one row for each arm of a study",
            study=row.study,
            arm=row.arm,
        )
        for row in arm[arm.duplicated(["study", "experiment", "arm"])].itertuples()
    ]
    bad = ~(np.isfinite(arm["y"]) & np.isfinite(arm["v"]) & (arm["v"] > 0))
    problems += [
        Problem(
            f"statistic {row.y} with variance {row.v}",
            "a number and a positive variance",
            study=row.study,
            arm=row.arm,
        )
        for row in arm[bad].itertuples()
    ]
    if problems:
        raise RefusedError("These arms cannot be used:", problems)
    single = arm.groupby(["study", "experiment"])["treatment"].transform("nunique") < 2
    left_out = [
        exclusion(*unit, None, "contrast", "only one treatment reported the outcome", "a second arm")
        for unit in dict.fromkeys(_units_of(arm[single]))
    ]
    compared = arm[~single]
    first, second = _pairs_within(compared.groupby(["study", "experiment"], sort=False).indices.values())
    a, b = (compared.iloc[side].reset_index(drop=True) for side in (first, second))
    contrast = a[["study", "experiment"]].copy()
    for name, side in (("a", a), ("b", b)):
        contrast[f"treatment_{name}"] = side["treatment"]
        contrast[f"arm_{name}"] = side["arm"]
        contrast[f"n_{name}"] = side["n"] if "n" in arm else np.nan
    contrast["estimate"] = a["y"] - b["y"]
    contrast["std_error"] = np.sqrt(a["v"] + b["v"])
    fields["exclusions"] = _with_exclusions(fields.get("exclusions"), left_out)
    net = _assemble(contrast, outcome, measure, reference, treatments, None, covariates, fields)
    return replace(net, arms=arm_blocks(net, arm))


def _pairs_within(groups: Iterable[Array]) -> tuple[Array, Array]:
    """Positions of the first and second member of every pair within each group."""
    by_size: dict[int, list[Array]] = {}
    for members in groups:
        by_size.setdefault(len(members), []).append(members)
    first, second = [np.empty(0, dtype=int)], [np.empty(0, dtype=int)]
    for size, found in by_size.items():
        i, j = np.triu_indices(size, 1)
        stacked = np.stack(found)
        first.append(stacked[:, i].ravel())
        second.append(stacked[:, j].ravel())
    return np.concatenate(first), np.concatenate(second)


def _canonical(frame: pd.DataFrame, needed: Sequence[str], fields: Mapping[str, Any]) -> pd.DataFrame:
    """Copy the frame with the project's column names and text where text belongs."""
    unknown = set(fields) - {
        f for f in Network.__dataclass_fields__ if f not in ("treatments", "studies", "blocks")
    }
    if unknown:
        raise CallError(f"A network has no {', '.join(sorted(unknown))}.")
    data = frame.rename(columns=lambda name: str(name).strip()).reset_index(drop=True)
    if missing := [c for c in needed if c not in data]:
        raise CallError(
            f"The table has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}. "
            f"Needed: {', '.join(needed)}."
        )
    if "experiment" not in data:
        data["experiment"] = "main"
    text = ("study", "experiment", "treatment", "treatment_a", "treatment_b", "arm", "arm_a", "arm_b")
    problems = []
    for column in (c for c in text if c in data):
        data[column] = [_text(value) for value in data[column]]
        empty = np.flatnonzero(data[column] == "")
        problems += [Problem(f"row {r + 1} names no {column}", "a name", column=column) for r in empty]
    numbers = ("estimate", "std_error", "y", "v", "n", "n_a", "n_b", "events", "exposure", "mean", "se")
    for column in (c for c in numbers if c in data):
        try:
            data[column] = data[column].astype(float)
        except (TypeError, ValueError):
            bad = [v for v in data[column] if not _is_number(v)]
            problems.append(Problem(f"{column} holds {bad[0]!r}", "numbers", column=column))
    if problems:
        raise RefusedError("The table cannot be read:", problems)
    return data


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def exclusion(
    study: str, experiment: str, arm: str | None, stage: str, reason: str, remedy: str
) -> dict[str, Any]:
    """Row of `Network.exclusions`."""
    cells = (stage, study, experiment, arm, reason, remedy)
    return dict(zip(("stage", "study", "experiment", "arm", "reason", "remedy"), cells))


def _with_exclusions(before: pd.DataFrame | None, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    new = pd.DataFrame(list(rows), columns=list(EXCLUSION_COLUMNS), dtype=object)
    if before is None or before.empty:
        return new
    return pd.concat([before, new], ignore_index=True) if rows else before


def _assemble(
    contrast: pd.DataFrame,
    outcome: str,
    measure: str,
    reference: str | None,
    treatments: Sequence[str] | None,
    covariance: pd.DataFrame | None,
    covariates: pd.DataFrame | None,
    fields: Mapping[str, Any],
) -> Network:
    """Check the comparisons, choose reference and base arms, and stack the studies in blocks."""
    for side in ("a", "b"):
        if f"arm_{side}" not in contrast:
            contrast[f"arm_{side}"] = contrast[f"treatment_{side}"]
    contrast, left_out = _filtered(contrast, treatments)
    _refuse_bad_rows(contrast)
    units, names, arm, row = _positions(contrast)
    reference, notes = _reference(arm, names, reference)
    names = (reference, *(name for name in names if name != reference))
    _refuse_disconnected(row, arm, names)
    blocks, more_notes = _stack(units, names, arm, row, contrast, covariance, measure)
    n_by_treatment = {}
    if arm["n"].notna().any():
        n_by_treatment = {str(t): float(n) for t, n in arm.groupby("treatment")["n"].sum(min_count=1).items()}
    given = dict(fields)
    return Network(
        outcome=outcome,
        measure=measure,
        scale=given.pop("scale", "log" if measure in LOG_MEASURES else "additive"),
        treatments=names,
        studies=units,
        blocks=blocks,
        labels={name: name for name in names} | given.pop("labels", {}),
        covariates=_aligned(covariates, units),
        contrasts=contrast,
        n_by_treatment=n_by_treatment,
        exclusions=_with_exclusions(given.pop("exclusions", None), left_out),
        notes=(*given.pop("notes", ()), *notes, *more_notes),
        **given,
    )


def _filtered(
    contrast: pd.DataFrame, treatments: Sequence[str] | None
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Keep the comparisons that have numbers and lie between the treatments asked for."""
    left_out = []
    if treatments is not None:
        wanted = [_text(t) for t in treatments]
        every = sorted(set(contrast["treatment_a"]) | set(contrast["treatment_b"]))
        if unknown := [t for t in wanted if t not in every]:
            raise CallError(f"No study has {', '.join(unknown)}; there are {', '.join(every)}.")
        inside = contrast["treatment_a"].isin(wanted) & contrast["treatment_b"].isin(wanted)
        used = set(_units_of(contrast[inside]))
        left_out += [
            exclusion(*unit, None, "treatments", "fewer than two of the chosen treatments", "choose more")
            for unit in dict.fromkeys(_units_of(contrast[~inside]))
            if unit not in used
        ]
        contrast = contrast[inside]
    missing = contrast["estimate"].isna() | contrast["std_error"].isna()
    left_out += [
        exclusion(
            row.study,
            row.experiment,
            None,
            "contrast",
            f"{row.treatment_a} against {row.treatment_b}: no estimate or no standard error",
            "both numbers",
        )
        for row in contrast[missing].itertuples()
    ]
    return contrast[~missing].reset_index(drop=True), left_out


def _units_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(rows["study"], rows["experiment"]))


def _refuse_bad_rows(contrast: pd.DataFrame) -> None:
    """Refuse numbers that are none, a treatment against itself, and comparisons listed twice."""
    problems = []

    def add(rows: pd.DataFrame, message: Callable[[Any], str], remedy: str) -> None:
        problems.extend(Problem(message(row), remedy, study=_label(row)) for row in rows.itertuples())

    def versus(row: Any) -> str:
        return f"{row.arm_a} against {row.arm_b}"

    if contrast.empty:
        raise RefusedError("There is no comparison to analyse: no study has an estimate for two treatments.")
    add(
        contrast[~np.isfinite(contrast["estimate"])],
        lambda row: f"{versus(row)}: the estimate is {row.estimate}",
        "a finite number",
    )
    error = contrast["std_error"]
    add(
        contrast[~(np.isfinite(error) & (error > 0))],
        lambda row: f"{versus(row)}: the standard error is {row.std_error:g}",
        "a positive number; without one the row must be left out",
    )
    add(
        contrast[contrast["arm_a"] == contrast["arm_b"]],
        lambda row: f"{versus(row)}: an arm is compared with itself",
        "two different treatments; name the arms (arm_a, arm_b) where one treatment has several",
    )
    pair = contrast[["study", "experiment"]].copy()
    pair["low"] = np.minimum(contrast["arm_a"].astype(str), contrast["arm_b"].astype(str))
    pair["high"] = np.maximum(contrast["arm_a"].astype(str), contrast["arm_b"].astype(str))
    add(
        contrast[pair.duplicated()],
        lambda row: f"{versus(row)} is listed more than once",
        "one row for each pair of arms; different time points or outcomes are different networks",
    )
    if problems:
        raise RefusedError(f"{len(problems)} comparison(s) cannot be used:", problems)


def _label(row: Any) -> str:
    return row.study if row.experiment == "main" else f"{row.study} / {row.experiment}"


def _positions(
    contrast: pd.DataFrame,
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], pd.DataFrame, pd.DataFrame]:
    """Give numbers to the units of randomisation and list their arms.

    Returns
    -------
    units : tuple of (study, experiment)
        In alphabetical order, so that the order of rows does not matter.
    names : tuple of str
        Treatments in alphabetical order.
    arm : DataFrame
        unit, arm, treatment, n; one row per arm.
    row : DataFrame
        unit, a, b: per comparison, positions in `arm`.
    """
    import pandas as pd

    units = tuple(sorted(set(_units_of(contrast))))
    number = {unit: u for u, unit in enumerate(units)}
    unit = np.array([number[u] for u in _units_of(contrast)])
    sides = []
    for side in ("a", "b"):
        n = contrast[f"n_{side}"].to_numpy() if f"n_{side}" in contrast else np.nan
        sides.append(
            pd.DataFrame(
                {
                    "unit": unit,
                    "arm": contrast[f"arm_{side}"].to_numpy(),
                    "treatment": contrast[f"treatment_{side}"].to_numpy(),
                    "n": n,
                }
            )
        )
    both = pd.concat(sides, ignore_index=True)
    code = both.groupby(["unit", "arm"], sort=True).ngroup().to_numpy()
    arm = both.groupby(["unit", "arm"], sort=True).first().reset_index()
    if (wrong := np.flatnonzero(arm["treatment"].to_numpy()[code] != both["treatment"].to_numpy())).size:
        problems = []
        for u, name in dict.fromkeys(zip(both["unit"].iloc[wrong], both["arm"].iloc[wrong])):
            seen = sorted(set(both["treatment"][(both["unit"] == u) & (both["arm"] == name)]))
            problems.append(
                Problem(
                    f"has the treatments {' and '.join(seen)}",
                    "one treatment per arm",
                    study=units[u][0],
                    arm=name,
                )
            )
        raise RefusedError("An arm has more than one treatment:", problems)
    a, b = code[: len(contrast)], code[len(contrast) :]
    return units, tuple(sorted(set(arm["treatment"]))), arm, pd.DataFrame({"unit": unit, "a": a, "b": b})


def _reference(
    arm: pd.DataFrame, names: Sequence[str], reference: str | None
) -> tuple[str, list[tuple[str, str]]]:
    """Take the reference asked for, else the treatment that most studies have; ties go to the alphabet."""
    if reference is not None:
        reference = _text(reference)
        if reference not in names:
            raise CallError(f"The reference {reference!r} is in no study; there are {', '.join(names)}.")
        return reference, []
    studies = arm.groupby("treatment")["unit"].nunique()
    chosen = min(names, key=lambda name: (-studies[name], name))
    share = f"{studies[chosen]} of {arm['unit'].nunique()}"
    return chosen, [("info", f"Reference treatment: {chosen}, which most studies have ({share}).")]


def _refuse_disconnected(row: pd.DataFrame, arm: pd.DataFrame, names: Sequence[str]) -> None:
    index = {name: t for t, name in enumerate(names)}
    treatment = np.array([index[name] for name in arm["treatment"]])
    pairs = np.column_stack([treatment[row["a"]], treatment[row["b"]]])
    part = components(len(names), pairs)
    if part.max() == 0:
        return
    parts = [[names[t] for t in np.flatnonzero(part == c)] for c in range(part.max() + 1)]
    studies = [len(set(row["unit"][part[pairs[:, 0]] == c])) for c in range(len(parts))]
    listed = [
        Problem(f"part {c + 1}: {', '.join(members)} ({n} {'study' if n == 1 else 'studies'})")
        for c, (members, n) in enumerate(zip(parts, studies))
    ]
    raise RefusedError(
        f"The network is not connected: it falls into {len(parts)} parts, and no evidence compares "
        "treatments of different parts. Analyse one part at a time (treatments = those of the part), or add "
        "a study that connects them.",
        listed,
    )


def _aligned(covariates: pd.DataFrame | None, units: Sequence[tuple[str, str]]) -> pd.DataFrame | None:
    """One row of covariates per unit of randomisation, in their order."""
    import pandas as pd

    if covariates is None:
        return None
    table = covariates.copy()
    keys = ["study", "experiment"] if "experiment" in table else ["study"]
    if "study" not in table:
        raise CallError("The covariates have no column study.")
    for key in keys:
        table[key] = [_text(value) for value in table[key]]
    if table.duplicated(keys).any():
        twice = sorted(set(table.loc[table.duplicated(keys), "study"]))
        raise RefusedError(f"Covariates are listed more than once for {', '.join(twice)}.")
    wanted = pd.DataFrame(list(units), columns=["study", "experiment"])
    return wanted.merge(table, on=keys, how="left", validate="many_to_one").drop(
        columns=["study", "experiment"]
    )


# --- blocks
# -----------------------------------------------------------------------------------------------------


def to_base(treatment: Array, effect: Array, gram: Array) -> Block:
    """Hold the effects of stacked studies against each study's first treatment.

    Parameters
    ----------
    treatment : (s, k) int array
        Treatments of the arms, in any order.
    effect : (s, k) array
        Effects of the arms up to a constant of the study.
    gram : (s, k, k) array
        Any matrix with ``gram[i, i] + gram[j, j] - 2 gram[i, j]`` the variance of arm j minus arm i, and so
        for all covariances of differences.

    Returns
    -------
    Block
        With `study` 0 to s - 1.
    """
    order = np.argsort(treatment, axis=1)
    treatment = np.take_along_axis(treatment, order, axis=1)
    effect = np.take_along_axis(effect, order, axis=1)
    gram = np.take_along_axis(np.take_along_axis(gram, order[:, :, None], axis=1), order[:, None, :], axis=2)
    S = gram[:, 1:, 1:] - gram[:, 1:, :1] - gram[:, :1, 1:] + gram[:, :1, :1]
    return Block(np.arange(len(treatment)), treatment, effect[:, 1:] - effect[:, :1], S)


def set_reference(net: Network, reference: str) -> Network:
    """Give the same network another reference treatment.

    Parameters
    ----------
    net : Network
    reference : str
        One of its treatments.

    Returns
    -------
    Network

    Raises
    ------
    CallError
        If the network has no such treatment.
    """
    if reference == net.reference:
        return net
    if reference not in net.treatments:
        raise CallError(
            f"The network has no treatment {reference!r}; there are {', '.join(sorted(net.treatments))}."
        )
    names = (reference, *sorted(name for name in net.treatments if name != reference))
    place = np.array([names.index(name) for name in net.treatments])
    blocks, arms = [], []
    for b, block in enumerate(net.blocks):
        studies, k = block.treatment.shape
        gram = np.zeros((studies, k, k))
        gram[:, 1:, 1:] = block.S
        moved = place[block.treatment]
        based = to_base(moved, np.concatenate([np.zeros((studies, 1)), block.y], axis=1), gram)
        blocks.append(replace(based, study=block.study))
        if net.arms is not None:
            order = np.argsort(moved, axis=1)
            old = net.arms[b]
            values = {
                name: None
                if (value := getattr(old, name)) is None
                else np.take_along_axis(value, order, axis=1)
                for name in ("events", "n", "exposure", "mean", "se")
            }
            arms.append(ArmBlock(block.study, blocks[-1].treatment, **values))
    return replace(
        net, treatments=names, blocks=tuple(blocks), arms=tuple(arms) if net.arms is not None else None
    )


def _stack(
    units: Sequence[tuple[str, str]],
    names: Sequence[str],
    arm: pd.DataFrame,
    row: pd.DataFrame,
    contrast: pd.DataFrame,
    covariance: pd.DataFrame | None,
    measure: str,
) -> tuple[tuple[Block, ...], list[tuple[str, str]]]:
    """Turn comparisons into blocks: all at once where a study lists all pairs of different treatments."""
    index = {name: t for t, name in enumerate(names)}
    treatment = np.array([index[name] for name in arm["treatment"]])
    unit_of_arm = arm["unit"].to_numpy()
    # Arms of a study in the order of treatments (the reference first), then of their names.
    order = np.lexsort((np.arange(len(arm)), treatment, unit_of_arm))
    position = np.empty(len(arm), dtype=int)
    size = np.bincount(unit_of_arm, minlength=len(units))
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    position[order] = np.arange(len(arm)) - first[unit_of_arm[order]]
    treatment, arm_name = treatment[order], arm["arm"].to_numpy()[order]
    repeated = np.zeros(len(units), dtype=bool)
    sorted_unit = unit_of_arm[order]
    repeated[sorted_unit[1:][(np.diff(sorted_unit) == 0) & (np.diff(treatment) == 0)]] = True

    unit, a, b = row["unit"].to_numpy(), position[row["a"]], position[row["b"]]
    low, high = np.minimum(a, b), np.maximum(a, b)
    effect = np.where(a > b, 1.0, -1.0) * contrast["estimate"].to_numpy()
    variance = contrast["std_error"].to_numpy() ** 2
    listed = np.bincount(unit, minlength=len(units))
    simple = ~repeated & (listed == size * (size - 1) // 2)

    problems: list[Problem] = []
    notes: list[tuple[str, str]] = []
    stacked: dict[int, list[tuple[Array, Block]]] = {}
    by_pair = np.lexsort((high, low, unit))
    for k in np.unique(size[simple]):
        studies = np.flatnonzero(simple & (size == k))
        rows = by_pair[np.isin(unit[by_pair], studies)].reshape(len(studies), -1)
        members = treatment[first[studies][:, None] + np.arange(k)]
        gram, centred = _from_pairs(int(k), effect[rows], variance[rows])
        block = to_base(members, centred, gram)
        labels = (
            [(_name(units[s]), [names[t] for t in members[i]]) for i, s in enumerate(studies)]
            if k > 2
            else []
        )
        found = (
            _contradictions(labels, effect[rows], variance[rows], centred, block, measure) if k > 2 else []
        )
        problems += found
        stacked.setdefault(int(k), []).append((studies, block))

    shared = _covariances(covariance, contrast)
    for s in np.flatnonzero(~simple):
        rows = np.flatnonzero(unit == s)
        arms = slice(first[s], first[s] + size[s])
        reduced = _reduce_study(
            _name(units[s]), names, treatment[arms], arm_name[arms],
            low[rows], high[rows], effect[rows], variance[rows],
            {
                (i, j): value * sign_i * sign_j
                for i, (r, sign_i) in enumerate(zip(rows, np.where(a > b, 1, -1)[rows]))
                for j, (q, sign_j) in enumerate(zip(rows, np.where(a > b, 1, -1)[rows]))
                if (value := shared.get((r, q))) is not None
            },
        )  # fmt: skip
        if isinstance(reduced, Problem):
            problems.append(reduced)
            continue
        if repeated[s]:
            twice = sorted({names[t] for t in treatment[arms] if np.sum(treatment[arms] == t) > 1})
            notes.append(
                (
                    "info",
                    f"{_name(units[s])}: arms with the same treatment ({', '.join(twice)}) were combined.",
                )
            )
        stacked.setdefault(reduced.k, []).append((np.array([s]), reduced))
    if problems:
        raise RefusedError(
            f"{len(problems)} multi-arm stud{'y' if len(problems) == 1 else 'ies'} cannot be used:", problems
        )

    blocks = []
    for k in sorted(stacked):
        study = np.concatenate([studies for studies, _ in stacked[k]])
        order = np.argsort(study)
        parts = [block for _, block in stacked[k]]
        blocks.append(
            Block(
                study[order],
                np.concatenate([part.treatment for part in parts])[order],
                np.concatenate([part.y for part in parts])[order],
                np.concatenate([part.S for part in parts])[order],
            )
        )
    return tuple(blocks), notes


def _name(unit: tuple[str, str]) -> str:
    return unit[0] if unit[1] == "main" else f"{unit[0]} / {unit[1]}"


def _from_pairs(k: int, effect: Array, variance: Array) -> tuple[Array, Array]:
    """Covariance (up to what differences do not see) and centred effects of arms, from all pairs of k arms.

    With V the variances of the differences, S_ab = (V_0a + V_0b - V_ab) / 2, so -V / 2 serves as Gram matrix.
    The effects are the means over all pairs, so that rounded reports do not depend on the order of
    treatments.
    """
    i, j = np.triu_indices(k, 1)
    difference = np.zeros((len(effect), k, k))
    difference[:, i, j], difference[:, j, i] = effect, -effect
    gram = np.zeros_like(difference)
    gram[:, i, j] = gram[:, j, i] = -variance / 2
    return gram, difference.mean(axis=1)


def _contradictions(
    labels: Sequence[tuple[str, list[str]]],
    effect: Array,
    variance: Array,
    centred: Array,
    block: Block,
    measure: str,
) -> list[Problem]:
    """Studies whose effects do not add up, or whose standard errors fit no covariance."""
    k = block.k
    i, j = np.triu_indices(k, 1)
    moved = np.abs(effect - (centred[:, j] - centred[:, i])).max(axis=1)
    problems = []
    for s in np.flatnonzero(moved > ROUNDING * np.sqrt(variance.min(axis=1))):
        study, arms = labels[s]
        told = ", ".join(f"{arms[q]} - {arms[p]} = {effect[s, r]:g}" for r, (p, q) in enumerate(zip(i, j)))
        problems.append(
            Problem(
                f"the effects do not add up: {told}", "effects that add up around every loop", study=study
            )
        )
    valid = positive_definite(block.S)
    if measure != "SMD":
        # A difference of independent arms varies by the sum of their variances, and none of these can be
        # negative. (Standardised differences share their SD, so there the arms are not independent.)
        V = np.zeros((len(variance), k, k))
        V[:, i, j] = V[:, j, i] = variance
        for c, p, q in permutations(range(k), 3):
            valid &= V[:, c, p] + V[:, c, q] - V[:, p, q] >= -1e-9 * V[:, p, q]
    for s in np.flatnonzero(~valid):
        study, arms = labels[s]
        told = ", ".join(
            f"{arms[p]} - {arms[q]}: {np.sqrt(variance[s, r]):g}" for r, (p, q) in enumerate(zip(i, j))
        )
        problems.append(
            Problem(
                f"no covariance of the arms gives these standard errors ({told})",
                "the standard errors as the study reports them, or var_base",
                study=study,
            )
        )
    return problems


def positive_definite(S: Array) -> Array:
    """Say of each (m, m) matrix of a stack whether it is positive definite, whatever its unit."""
    scale = np.sqrt(np.clip(np.diagonal(S, axis1=-2, axis2=-1), 0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = S / (scale[..., :, None] * scale[..., None, :])
    proper = np.isfinite(correlation).all(axis=(-2, -1))
    safe = np.where(proper[..., None, None], correlation, np.eye(S.shape[-1]))
    return proper & (np.linalg.eigvalsh(safe)[..., 0] > 1e-12)


def _covariances(covariance: pd.DataFrame | None, contrast: pd.DataFrame) -> dict[tuple[int, int], float]:
    """Covariances given from outside, by positions of the two comparisons."""
    if covariance is None or "contrast_id" not in contrast:
        return {}
    place = {name: r for r, name in enumerate(contrast["contrast_id"])}
    given: dict[tuple[int, int], float] = {}
    for one, two, value in zip(covariance["contrast_1"], covariance["contrast_2"], covariance["covariance"]):
        if one in place and two in place and value == value:
            given[place[one], place[two]] = given[place[two], place[one]] = float(value)
    return given


def _reduce_study(
    study: str,
    names: Sequence[str],
    treatment: Array,
    arm: Array,
    low: Array,
    high: Array,
    effect: Array,
    variance: Array,
    shared: Mapping[tuple[int, int], float],
) -> Block | Problem:
    """Reduce a study with several arms of a treatment, or not all comparisons, to effects of treatments.

    Comparisons along a spanning tree of the arms say all; their covariance is given, or solved from the
    variances of other comparisons. Arms with the same treatment are then combined by generalised least
    squares.

    Parameters
    ----------
    study : str
        Its printed name.
    names : sequence of str
        Treatments of the network.
    treatment, arm : (k,) arrays
        Treatment (index) and name of each arm.
    low, high, effect, variance : (m,) arrays
        Comparisons of arm `high` minus arm `low`.
    shared : mapping of (int, int) to float
        Known covariances of these comparisons.

    Returns
    -------
    Block or Problem
        A block of one study, or why there is none.
    """
    k = len(treatment)
    V = np.full((k, k), np.nan)
    V[low, high] = V[high, low] = variance
    np.fill_diagonal(V, 0.0)
    degree = np.bincount(np.concatenate([low, high]), minlength=k)
    reached, tree, queue = {int(np.argmax(degree))}, [], [int(np.argmax(degree))]
    while queue:
        at = queue.pop(0)
        for r in range(len(low)):
            other = {low[r]: high[r], high[r]: low[r]}.get(at)
            if other is not None and other not in reached:
                reached.add(int(other))
                queue.append(int(other))
                tree.append(r)
    if len(reached) < k:
        apart = ", ".join(str(arm[i]) for i in range(k) if i not in reached)
        return Problem(
            f"no comparison links {apart} to the other arms",
            "make them experiments of their own",
            study=study,
        )
    C = np.diag(variance[tree])
    for p, r in enumerate(tree):
        for q, t in enumerate(tree[:p]):
            solved = (V[low[r], high[t]] + V[high[r], low[t]] - V[high[r], high[t]] - V[low[r], low[t]]) / 2
            disjoint = len({low[r], high[r], low[t], high[t]}) == 4
            value = shared.get((r, t), 0.0 if disjoint and not np.isfinite(solved) else solved)
            if not np.isfinite(value):
                missing = [
                    f"{arm[i]} against {arm[j]}"
                    for i in range(k)
                    for j in range(i)
                    if not np.isfinite(V[i, j])
                ]
                arms = ", ".join(map(str, arm))
                return Problem(
                    f"{len(low)} of {k * (k - 1) // 2} comparisons of its {k} arms ({arms}), and "
                    "the variance that they share is not known",
                    f"add {', '.join(missing)}, or var_base, the variance of the base arm",
                    study=study,
                )
            C[p, q] = C[q, p] = value
    if not positive_definite(C[None])[0]:
        told = ", ".join(f"{arm[high[r]]} - {arm[low[r]]}: {np.sqrt(variance[r]):g}" for r in range(len(low)))
        return Problem(
            f"no covariance of the arms gives these standard errors ({told})",
            "the standard errors as the study reports them, or var_base",
            study=study,
        )
    incidence = np.zeros((len(tree), k))
    incidence[np.arange(len(tree)), high[tree]] = 1.0
    incidence[np.arange(len(tree)), low[tree]] = -1.0
    effects = np.linalg.lstsq(incidence, effect[tree], rcond=None)[0]
    if (np.abs(effect - (effects[high] - effects[low])) > ROUNDING * np.sqrt(variance.min())).any():
        told = ", ".join(f"{arm[high[r]]} - {arm[low[r]]} = {effect[r]:g}" for r in range(len(low)))
        return Problem(
            f"the effects do not add up: {told}", "effects that add up around every loop", study=study
        )
    members, of_arm = np.unique(treatment, return_inverse=True)
    design = np.zeros((k, len(members)))
    design[np.arange(k), of_arm] = 1.0
    X = (incidence @ design)[:, 1:]
    L = np.linalg.cholesky(C)
    white, y = np.linalg.solve(L, X), np.linalg.solve(L, effect[tree])
    S = np.linalg.inv(white.T @ white)
    return Block(np.zeros(1, dtype=int), members[None], (S @ white.T @ y)[None], S[None])


# --- arm-level data
# ---------------------------------------------------------------------------------------------


def arm_blocks(net: Network, arm: pd.DataFrame) -> tuple[ArmBlock, ...] | None:
    """Put arm-level data in step with the blocks of a network.

    Counts of arms with the same treatment are added; means are combined by their precision.

    Parameters
    ----------
    net : Network
    arm : DataFrame
        study, experiment, treatment, and events with n or exposure, or mean with se.

    Returns
    -------
    tuple of ArmBlock, or None
        None where an arm of the network lacks its data.
    """
    number = {unit: u for u, unit in enumerate(net.studies)}
    index = {name: t for t, name in enumerate(net.treatments)}
    unit = np.array([number.get(u, -1) for u in _units_of(arm)], dtype=int)
    treatment = np.array([index.get(t, -1) for t in arm["treatment"]], dtype=int)
    used = (unit >= 0) & (treatment >= 0)
    cell = unit[used] * len(net.treatments) + treatment[used]
    cells = len(net.studies) * len(net.treatments)

    def total(values: Array) -> Array:
        sums = np.zeros(cells)
        np.add.at(sums, cell, values)
        return sums

    def column(name: str) -> Array | None:
        if name not in arm or arm[name].isna().all():
            return None
        return arm[name].to_numpy(dtype=float)[used]

    values: dict[str, Array] = {}
    events, n, exposure, mean, se = (column(name) for name in ("events", "n", "exposure", "mean", "se"))
    if events is not None and (n is not None or exposure is not None):
        counts = {"events": events, "n": n, "exposure": exposure}
        values = {name: total(value) for name, value in counts.items() if value is not None}
    elif mean is not None and se is not None:
        precision = total(1 / se**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = {"mean": total(mean / se**2) / precision, "se": 1 / np.sqrt(precision)}
        if n is not None:
            values["n"] = total(n)
    if not values:
        return None
    present = np.zeros(cells, dtype=bool)
    present[cell] = True
    blocks = []
    for block in net.blocks:
        at = block.study[:, None] * len(net.treatments) + block.treatment
        found = {name: value[at] for name, value in values.items()}
        complete = present[at].all() and all(np.isfinite(value).all() for value in found.values())
        if not complete:
            return None
        blocks.append(ArmBlock(block.study, block.treatment, **found))
    return tuple(blocks)
