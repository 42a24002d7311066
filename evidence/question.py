"""The one reader of a question: what enters an analysis, what does not, and why.

A `Question` says what is asked: outcome, measure, treatments, time rule, condition, risk of bias. `read`
answers it with a `BodyOfEvidence`: contrasts with their covariance, arms, scale, unit, direction, exclusions.
Pairwise and network analyses, the plan, exporters and reports ask here and nowhere else.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from evidence import facts
from evidence.checking.condition import describes_contrasts, select_contrasts, select_studies, without_units
from evidence.errors import CallError, RefusedError
from evidence.facts.reasons import words
from evidence.facts.timepoint import TimepointRule
from evidence.folder.options import ALL_OUTCOMES
from evidence.folder.variables import UNIT, mixed_units, units_refused, variables_of
from evidence.names import not_found
from evidence.query import EvidenceBase
from evidence.system.frames import cells
from evidence.system.resources import sql_directory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BodyOfEvidence", "Question", "comparisons", "measured", "measures", "read", "study_variables"]

EXCLUSION_COLUMNS = (
    "stage", "study", "experiment", "arm", "source_file", "source_line", "reason", "remedy",
)  # fmt: skip
"""Columns of `BodyOfEvidence.exclusions`."""


@dataclass(frozen=True)
class Question:
    """What is asked of the evidence.

    Attributes
    ----------
    outcome, measure : str
        What is compared, and how.
    treatment, versus : str or None
        A treatment, or a class of them, and its comparator: the question is pairwise.
    treatments : tuple of str, "all outcomes" or None
        Of a network: compare these only.
    timepoint : str or None
        first, last, a time with its unit (24 h) or nearest:24 h; without it the rule of the plan's first
        analysis of this outcome and measure, else of this outcome, else last.
    where : str or None
        SQL condition on variables of the studies, and of arms, measurements and reported contrasts: of a
        contrast those of the treatment asked about, in a network those of both arms but for controls.
    exclude_high_rob : bool
        Leave out studies at high risk of bias: those of the view ``high_risk_study``.
    smd : {"d", "g"}
        Of a network of SMDs: Cohen's d with the SD pooled over all arms of a study, or Hedges' g.
    """

    outcome: str
    measure: str
    treatment: str | None = None
    versus: str | None = None
    treatments: tuple[str, ...] | str | None = None
    timepoint: str | None = None
    where: str | None = None
    exclude_high_rob: bool = False
    smd: str = "d"

    @classmethod
    def of_plan(cls, row: Mapping[str, Any]) -> Question:
        """Make the question of a row of table ``plan``."""
        listed = None if row["treatments"] is None else json.loads(row["treatments"])
        paired = row["kind"] == "pairwise"
        return cls(
            row["outcome"],
            row["measure"],
            treatment=row["treatment"] if paired else None,
            versus=row["versus"] if paired else None,
            treatments=tuple(listed) if isinstance(listed, list) else listed,
            timepoint=row["timepoint"],
            where=row["where_sql"],
            exclude_high_rob=row["exclude_high_rob"],
            smd=row["smd"],
        )

    @property
    def pairwise(self) -> bool:
        """Whether two treatments are compared, not a network."""
        return self.versus is not None


@dataclass(frozen=True)
class BodyOfEvidence:
    """The answer to a question: everything that an analysis of it needs.

    Attributes
    ----------
    question : Question
        As it was understood: treatments by their ids, the time rule with its unit.
    members : tuple of str
        Of a pairwise question: the treatments that `Question.treatment` stands for.
    contrasts : DataFrame
        What enters: columns of the view ``contrast`` (of a network ``contrast_network``). Of a pairwise
        question treatment_a is a member and treatment_b the comparator, else as in the view. One time point
        for each study and experiment. Estimates are on the analysis scale.
    covariance : DataFrame
        contrast_1, contrast_2, arm_shared, covariance: of contrasts of one study, as they stand in
        `contrasts`.
    variables : DataFrame
        Variables of each contrast, in the order of `contrasts`, one column each: of the arm of the treatment
        asked about (of a network arm a), its study, its own row and time point; numbers where numeric, else
        text.
    arms : DataFrame
        Arms of `contrasts` that were measured: study, experiment, arm, treatment, timepoint, n, mean, sd, se,
        events, exposure, measurement_id, block.
    scale : {"additive", "log"}
        Of estimates.
    unit : str or None
        Of estimates.
    lower_is_better : bool or None
        Direction of benefit of the effect.
    smallest_important_difference : float or None
        On the analysis scale.
    labels : dict of str to str
        Printed name of each treatment in `contrasts`.
    timepoint : TimepointRule
        The rule that was applied.
    exclusions : DataFrame
        What did not enter: columns `EXCLUSION_COLUMNS`.
    notes : tuple of (severity, message)
        What was decided on the way.
    """

    question: Question
    members: tuple[str, ...]
    contrasts: pd.DataFrame
    covariance: pd.DataFrame
    variables: pd.DataFrame
    arms: pd.DataFrame
    scale: str
    unit: str | None
    lower_is_better: bool | None
    smallest_important_difference: float | None
    labels: dict[str, str]
    timepoint: TimepointRule
    exclusions: pd.DataFrame
    notes: tuple[tuple[str, str], ...]


def read(db: EvidenceBase, question: Question) -> BodyOfEvidence:
    """Read what answers a question.

    Parameters
    ----------
    db : EvidenceBase
    question : Question

    Returns
    -------
    BodyOfEvidence

    Raises
    ------
    CallError
        If a name, rule or condition is not known, or a number in the time rule could mean several times.
    RefusedError
        If nothing is left to analyse; says why.
    """
    asked, members, notes = _understood(db, question)
    rule, origin, remark = time_rule(db, asked.outcome, asked.measure, asked.timepoint)
    notes += [("info", remark)] if remark else []
    every = _contrasts(db, asked)
    kept, left_out, more = _kept(db, asked, members, every)
    kept = _timed(db, asked, rule, kept)
    counts = kept["place"] == 1
    chosen = kept[counts].drop(columns=["place", "alone"]).reset_index(drop=True)
    left_out += _untimely(kept, counts, rule)
    exclusions = _exclusion_frame(left_out, set(_units(chosen)))
    if chosen.empty:
        raise RefusedError(_nothing_left(db, asked, rule, every, kept, exclusions))
    if kept.groupby(["study", "experiment"])["timepoint"].nunique(dropna=False).max() > 1:
        notes.append(("info", f"Time point of each study: {rule} ({origin})."))
    notes += [*more, *_moved(kept, counts, rule), *_unreached(db, asked, chosen, exclusions)]
    covariance = _covariance(db, asked, chosen)
    turned = chosen["treatment_a"] == asked.versus
    variables = variables_of(db, chosen, asked.outcome, turned.tolist())
    if asked.pairwise:
        chosen, covariance = _oriented(chosen, covariance, str(asked.versus))
    elif asked.measure == "SMD":
        name = facts.measure("SMD", asked.smd).form_name
        notes.append(("info", f"Standardised by the SD pooled over all arms of a study; {name}."))
    about = db.kept_rows("select * from outcome where outcome = ?", [asked.outcome])[0]
    how = facts.measure(asked.measure)
    treatments = db.kept_rows("select treatment, label from treatment order by treatment")
    labels = {row["treatment"]: row["label"] for row in treatments}
    found = sorted({*chosen["treatment_a"], *chosen["treatment_b"]})
    return BodyOfEvidence(
        question=replace(asked, timepoint=str(rule)),
        members=members,
        contrasts=chosen,
        covariance=covariance,
        variables=variables,
        arms=_arms(db, asked.outcome, chosen),
        scale=how.scale,
        unit=how.unit_of(about["unit"]),
        lower_is_better=how.lower_is_better(about),
        smallest_important_difference=important_difference(about, how),
        labels={name: labels[name] for name in found},
        timepoint=rule,
        exclusions=exclusions,
        notes=tuple(notes),
    )


def measured(db: EvidenceBase, outcome: str) -> pd.DataFrame:
    """Give the usable measurements of an outcome, by study, experiment, arm and time: not to be changed."""
    return db.kept_frame(
        "select study, experiment, arm, treatment, timepoint, n, mean, sd, sd / nullif(sqrt(n), 0) as se, "
        "events, exposure, measurement_id, block from measurement_standard where outcome = ? "
        "order by study, experiment, arm, timepoint nulls first",
        [outcome],
    )


def measures(db: EvidenceBase) -> dict[str, list[str]]:
    """List the measures that each outcome has contrasts in."""
    found: dict[str, list[str]] = {}
    for row in db.kept_rows("select distinct outcome, measure from contrast order by outcome, measure"):
        found.setdefault(row["outcome"], []).append(row["measure"])
    return found


def comparisons(db: EvidenceBase, outcome: str, measure: str) -> list[tuple[str, str]]:
    """List the pairs of treatments that studies compare, as the views orient them."""
    rows = db.rows(
        "select distinct treatment_a, treatment_b from comparison_contrast "
        "where outcome = ? and measure = ? order by treatment_a, treatment_b",
        [outcome, measure],
    )
    return [(row["treatment_a"], row["treatment_b"]) for row in rows]


def as_reported(db: EvidenceBase) -> dict[str, int]:
    """Give the row of the review folder that each contrast comes from that was reported as such."""
    rows = db.kept_rows(
        "select contrast_id, reported_contrast_id from contrast where reported_contrast_id is not null"
    )
    return {row["contrast_id"]: row["reported_contrast_id"] for row in rows}


def at_high_risk(db: EvidenceBase, outcome: str) -> list[str]:
    """Studies at high risk of bias for an outcome, as `exclude_high_rob` leaves them out."""
    rows = db.rows("select distinct study from high_risk_study where outcome = ? order by study", [outcome])
    return [str(row["study"]) for row in rows]


def study_variables(db: EvidenceBase, names: Sequence[str]) -> pd.DataFrame:
    """Variables of every study, one row each: study and the columns named; numbers where numeric, else text.

    Raises
    ------
    CallError
        If a name is no variable of the studies.
    """
    import pandas as pd

    rows = db.rows(
        "select study, variable, value, coalesce(variable.type, 'category') as type from study_variable "
        "left join variable using (variable)"
    )
    types = {row["variable"]: row["type"] for row in rows}
    if unknown := [name for name in names if name not in types]:
        finer = [row["variable"] for row in db.rows("select variable from variable")]
        if unknown[0] in finer:
            raise CallError(f"{unknown[0]} does not describe studies: a covariate of a network must.")
        raise CallError(not_found("study variable", unknown[0], sorted(types)))
    table = pd.DataFrame(
        {"study": [row["study"] for row in db.rows("select study from study order by study")]}
    )
    for name in names:
        values = {row["study"]: row["value"] for row in rows if row["variable"] == name}
        column = table["study"].map(values)
        table[name] = column.astype(float) if types[name] == "numeric" else column
        units = {row["study"]: row["value"] for row in rows if row["variable"] == name + UNIT}
        beside = table.assign(**{name + UNIT: table["study"].map(units)})
        if units and (mixed := mixed_units(beside, name)):
            raise units_refused(name, mixed)
    return table


# --- names --------------------------------------------------------------------------------------------------


def _understood(
    db: EvidenceBase, question: Question
) -> tuple[Question, tuple[str, ...], list[tuple[str, str]]]:
    """Check every name of a question, and replace printed names, classes and rules by what they stand for."""
    known(db, "outcome", question.outcome)
    known(db, "effect_measure", question.measure, "measure")
    if question.smd not in {form.form for form in facts.forms("SMD")}:
        raise CallError(f"smd is 'd' (Cohen) or 'g' (Hedges), not {question.smd!r}.")
    if not question.pairwise:
        asked, notes = _network_treatments(db, question)
        return asked, (), notes
    versus = find_treatment(db, str(question.versus))
    name = str(question.treatment)
    members = tuple(member for member in treatment_members(db, name) if member != versus)
    if not members:
        raise CallError(f"Treatment and comparator are both {versus!r}: name two different treatments.")
    if len(members) > 1:
        notes = [("info", f"{name} is a class of treatments: {', '.join(members)}.")]
        return replace(question, versus=versus), members, notes
    return replace(question, treatment=members[0], versus=versus), members, []


def _network_treatments(db: EvidenceBase, question: Question) -> tuple[Question, list[tuple[str, str]]]:
    if question.treatments is None:
        return question, []
    if not isinstance(question.treatments, str):
        listed = tuple(known(db, "treatment", item) for item in dict.fromkeys(question.treatments))
        return replace(question, treatments=listed), []
    listed = _treatments_of_all_outcomes(db, question.treatments)
    note = ("info", f"Treatments compared in every outcome of the plan: {', '.join(listed)}.")
    return replace(question, treatments=listed), [note]


def _treatments_of_all_outcomes(db: EvidenceBase, words: str) -> tuple[str, ...]:
    if words != ALL_OUTCOMES:
        raise CallError(f"treatments is a list of treatments or {ALL_OUTCOMES!r}, not {words!r}.")
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
    return tuple(row["treatment"] for row in rows)


def known(db: EvidenceBase, table: str, name: str, called: str | None = None) -> str:
    """Return `name` if it is a key of one of the tables outcome, treatment, effect_measure or study.

    Raises
    ------
    CallError
        With the nearest names, and all of them where they are few.
    """
    called = called or table
    column = called if called in db.columns(table) else db.columns(table)[0]
    every = [row[column] for row in db.kept_rows(f"select {column} from {table} order by {column}")]
    if name not in every:
        raise CallError(not_found(called, name, every))
    return name


def find_treatment(db: EvidenceBase, name: str) -> str:
    """Return the id of a treatment given by its id or its printed name.

    Raises
    ------
    CallError
        If there is none of that name, or several with that printed name.
    """
    found = _treatments_named(db, name)
    if len(found) > 1:
        raise CallError(f"{name!r} is the printed name of several treatments: {', '.join(found)}.")
    return found[0] if found else known(db, "treatment", name)


def treatment_members(db: EvidenceBase, name: str) -> tuple[str, ...]:
    """Return the treatments that a name stands for: one, by its id or printed name, or all of a class.

    Raises
    ------
    CallError
        If there is neither a treatment nor a class of that name.
    """
    rows = db.kept_rows("select treatment, class from treatment order by treatment")
    if not _treatments_named(db, name) and (members := [r["treatment"] for r in rows if r["class"] == name]):
        return tuple(members)
    return (find_treatment(db, name),)


def _treatments_named(db: EvidenceBase, name: str) -> list[str]:
    rows = db.kept_rows("select treatment, label from treatment order by treatment")
    if any(row["treatment"] == name for row in rows):
        return [name]
    return [row["treatment"] for row in rows if row["label"].casefold() == name.casefold()]


# --- what is kept -------------------------------------------------------------------------------------------


def _contrasts(db: EvidenceBase, asked: Question) -> pd.DataFrame:
    """Every contrast of the outcome and measure, in one order."""
    view = "contrast" if asked.pairwise else "contrast_network"
    rows = db.kept_frame(
        f"select * from {view} where outcome = ? and measure = ? order by study, experiment, "
        "timepoint nulls first, treatment_a, treatment_b, arm_a, arm_b, contrast_id",
        [asked.outcome, asked.measure],
    )
    if not asked.pairwise and asked.measure == "SMD" and asked.smd == "g":
        rows = rows.assign(estimate=rows["estimate_g"], std_error=rows["std_error_g"])
    return rows


def _kept(
    db: EvidenceBase, asked: Question, members: tuple[str, ...], rows: pd.DataFrame
) -> tuple[pd.DataFrame, list[dict[str, Any]], list[tuple[str, str]]]:
    """Keep the contrasts of the studies and treatments asked about; list the others, say what was done."""
    left_out = _excluded_before(db, asked.outcome, asked.measure)
    notes: list[tuple[str, str]] = []
    if asked.where is not None:
        meets, note = _meets(db, asked, members, rows)
        notes.append(("info", note))
        left_out += _unmet(asked.where, rows, meets)
        rows = rows[meets]
    if asked.exclude_high_rob:
        risky = rows["study"].isin(at_high_risk(db, asked.outcome))
        left_out += _excluded_by(rows[risky], words("risk_of_bias", "high"))
        rows = rows[~risky]
        notes += _unknown_risk(db, asked.outcome, set(rows["study"]))
    a, b = rows["treatment_a"], rows["treatment_b"]
    if asked.pairwise:
        # Of a class, each member against the comparator; members against each other answer another question.
        among = (a.isin(members) & (b == asked.versus)) | (b.isin(members) & (a == asked.versus))
        why = words("treatments", "not_the_two")
        left_out += _among_members(str(asked.treatment), rows[a.isin(members) & b.isin(members)])
    elif asked.treatments is not None:
        among = a.isin(asked.treatments) & b.isin(asked.treatments)
        why = words("treatments", "not_compared")
    else:
        return rows.reset_index(drop=True), left_out, notes
    left_out += _excluded_by(rows[~among], why)
    return rows[among].reset_index(drop=True), left_out, notes


def _unknown_risk(db: EvidenceBase, outcome: str, studies: set[str]) -> list[tuple[str, str]]:
    """Say which studies stay in although nobody knows how high their risk of bias is."""
    judged = db.rows(
        """
        select study, tool, bool_or(severity is not null) as told from (
            select study, tool, severity from rob_by_outcome where outcome = $1
            union all select study, tool, severity from rob_points where outcome = $1
        ) group by study, tool order by tool, study
        """,
        [outcome],
    )
    told = {row["study"] for row in judged if row["told"]}
    notes = []
    for tool in dict.fromkeys(row["tool"] for row in judged if not row["told"]):
        silent = [row["study"] for row in judged if row["tool"] == tool and row["study"] in studies - told]
        if silent:
            why = db.value("select note from rob_tool where tool = ?", [tool])
            text = f"The judgements by {tool} do not say how high the risk of bias is of {', '.join(silent)}"
            notes.append(("warning", f"{text}: they stay in.{f' {why}' if why else ''}"))
    if unjudged := sorted(studies - {row["study"] for row in judged}):
        notes.append(("info", f"The risk of bias is not judged of {', '.join(unjudged)}: they stay in."))
    return notes


def _meets(
    db: EvidenceBase, asked: Question, members: tuple[str, ...], rows: pd.DataFrame
) -> tuple[pd.Series, str]:
    """Tell which contrasts meet the condition, and say so."""
    import pandas as pd

    where = str(asked.where)
    if not describes_contrasts(db, where):
        studies = select_studies(db, where)
        total = db.value("select count(*) from study")
        return rows["study"].isin(studies), f"Only studies where {where}: {len(studies)} of {total}."
    sides = select_contrasts(db, where, asked.outcome, asked.measure)
    # A control has no dose: in a network only treatments that are not controls must meet the condition.
    active = {row["treatment"] for row in db.rows("select treatment from treatment where role = 'active'")}
    if unsaid := without_units(db, where):
        concerned = set(members) if asked.pairwise else active & set(asked.treatments or active)
        _refuse_units(db, asked.outcome, rows, concerned, unsaid)
    found = []
    for key, a, b in zip(rows["contrast_id"], rows["treatment_a"], rows["treatment_b"], strict=True):
        in_a, in_b = ((key, side) in sides for side in "ab")
        if asked.pairwise:
            found.append(in_b if a == asked.versus else in_a)
        else:
            found.append(in_a and (in_b or b not in active))
    meets = pd.Series(found, index=rows.index, dtype=bool)
    return meets, f"Only effects where {where}: {int(meets.sum())} of {len(rows)}."


def _refuse_units(
    db: EvidenceBase, outcome: str, rows: pd.DataFrame, treatments: set[str], names: Sequence[str]
) -> None:
    """Refuse a condition on numbers that are in several units on the arms of some treatments."""
    import pandas as pd

    sides = []
    for side, second in (("a", False), ("b", True)):
        part = rows[rows[f"treatment_{side}"].isin(treatments)]
        sides.append(variables_of(db, part, outcome, [second] * len(part)))
    values = pd.concat(sides, ignore_index=True)
    for name in names:
        if name in values and (units := mixed_units(values, name)):
            raise units_refused(name, units)


def _unmet(where: str, rows: pd.DataFrame, meets: pd.Series) -> list[dict[str, Any]]:
    """Studies that do not meet the condition, and arms of the others."""
    kept = set(_units(rows[meets]))
    gone = [unit not in kept for unit in _units(rows)]
    found = _excluded_by(rows.loc[gone], words("where", "condition", detail=where))
    used, arms = _sides(rows[meets]), _sides(rows[~meets])
    within = set(zip(used["study"], used["experiment"], used["arm"], strict=True))
    lost = dict.fromkeys(zip(arms["study"], arms["experiment"], arms["arm"], strict=True))
    why = words("where", "arm", detail=where)
    return found + [_row(arm, why) for arm in lost if arm not in within and arm[:2] in kept]


def _excluded_before(db: EvidenceBase, outcome: str, measure: str) -> list[dict[str, Any]]:
    """Rows that no view could use; not those of other time points, whose rule need not be this one's."""
    rows = db.kept_rows(
        f"select {', '.join(EXCLUSION_COLUMNS)}, outcome, measure from exclusion "
        "where stage <> 'analysis_contrast' "
        "order by source_file, source_line, study, experiment, arm, reason"
    )
    return [row for row in rows if row["outcome"] in (None, outcome) and row["measure"] in (None, measure)]


def _excluded_by(rows: pd.DataFrame, why: dict[str, str]) -> list[dict[str, Any]]:
    return [_row((*unit, None), why) for unit in dict.fromkeys(_units(rows))]


def _among_members(name: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Contrasts of two members of a class."""
    pairs = zip(rows["study"], rows["experiment"], rows["treatment_a"], rows["treatment_b"], strict=True)
    return [
        _row((study, experiment, None), words("class", "among_members", detail=f"{a} and {b}", more=name))
        for study, experiment, a, b in dict.fromkeys(pairs)
    ]


def _row(arm: tuple[str, str, str | None], why: dict[str, str]) -> dict[str, Any]:
    return dict(zip(("study", "experiment", "arm"), arm, strict=True)) | why


def _units(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(cells(rows["study"]), cells(rows["experiment"]), strict=True))


# --- time points --------------------------------------------------------------------------------------------


def time_rule(
    db: EvidenceBase, outcome: str, measure: str, timepoint: str | None = None
) -> tuple[TimepointRule, str, str | None]:
    """Find the time rule of an analysis, with the unit of its number.

    Returns
    -------
    rule : TimepointRule
    origin : str
        Where it comes from, in words.
    note : str or None
        What was decided about its unit.

    Raises
    ------
    CallError
        If `timepoint` is no rule, or its number could mean several times.
    """
    rule, origin = _rule_of(db, outcome, measure, timepoint)
    typed = db.kept_rows(
        "select timepoint_unit from measurement where outcome = $1 and timepoint is not null union "
        "select timepoint_unit from reported_contrast where outcome = $1 and timepoint is not null "
        "order by timepoint_unit",
        [outcome],
    )
    settled, note = rule.settled(outcome, (row["timepoint_unit"] for row in typed))
    return settled, origin, note


def _rule_of(
    db: EvidenceBase, outcome: str, measure: str, timepoint: str | None
) -> tuple[TimepointRule, str]:
    if timepoint is not None:
        return TimepointRule.parse(timepoint), "as asked"
    planned = db.kept_rows(
        "select timepoint, origin from plan where outcome = ? "
        "order by case when measure = ? then 0 else 1 end, position, analysis limit 1",
        [outcome, measure],
    )
    if planned and planned[0]["origin"] == "plan":
        return TimepointRule.parse(planned[0]["timepoint"]), "by the review's plan"
    rule = TimepointRule.parse(planned[0]["timepoint"] if planned else "last")
    return rule, "the review's plan gives no rule for this outcome"


@cache
def _body(view: str) -> str:
    """Return the query of a view, to be asked of other rows than the view's own."""
    text = (sql_directory() / "contrasts" / f"{view}.sql").read_text(encoding="utf-8")
    return re.split(rf"create or replace view {view} as", text)[1]


def _timed(db: EvidenceBase, asked: Question, rule: TimepointRule, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the place of each contrast under the time rule: 1 counts; and its place by the rule alone.

    The query is that of the views ``planned_time``, ``contrast_place`` and ``contrast_choice``; the rule and
    the contrasts asked about stand in place of the plan and the view ``contrast``. For a class of treatments
    the comparison is that of the class. Where each study has one time point there is nothing to choose,
    unless the rule is a time.
    """
    if rule.kind != "value" and len(set(_units(rows))) == rows["block"].nunique():
        return rows.assign(place=1, alone=1)
    columns = ("study", "experiment", "arm_a", "arm_b", "timepoint", "block")
    cells = {name: [None if cell != cell else cell for cell in rows[name].tolist()] for name in columns}
    given = [f"unnest(${name}) as {name}" for name in columns]
    known_here = {*columns, "contrast_id", "outcome", "measure", "treatment_a", "treatment_b"}
    absent = [f"null as {name}" for name in db.columns("contrast") if name not in known_here]
    found = db.rows(
        f"""
        with plan as (
            select 'asked' as analysis, 1 as position, $outcome as outcome, $measure as measure,
                $rule as timepoint
        ),
        time_rule as ({_body("planned_time")}),
        contrast as (
            select unnest(range({len(rows)})) as contrast_id, {", ".join([*given, *absent])},
                $outcome as outcome, $measure as measure, 'any' as treatment_a, 'comparator' as treatment_b
        ),
        contrast_place as ({_body("contrast_place")})
        select contrast_id, network_place, comparison_place from ({_body("contrast_choice")})
        """,
        {**cells, "outcome": asked.outcome, "measure": asked.measure, "rule": str(rule)},
    )
    place = "comparison_place" if asked.pairwise else "network_place"
    by_row = {row["contrast_id"]: row for row in found}
    return rows.assign(
        place=[by_row[number][place] if number in by_row else 0 for number in range(len(rows))],
        alone=[by_row[number]["comparison_place"] if number in by_row else 0 for number in range(len(rows))],
    )


def _when(time: Any, unit: Any) -> str:
    import pandas as pd

    return "no time point" if pd.isna(time) else f"{time:g}{'' if pd.isna(unit) else f' {unit}'}"


def _times(rows: pd.DataFrame) -> str:
    times = dict.fromkeys(zip(rows["timepoint"], rows["timepoint_unit"], strict=True))
    return ", ".join(_when(*time) for time in sorted(times, key=lambda time: (time[0] != time[0], time[0])))


def _untimely(rows: pd.DataFrame, counts: pd.Series, rule: TimepointRule) -> list[dict[str, Any]]:
    """Time points of each study that do not count, and arms that have no other."""
    if counts.all():
        return []
    taken = {unit: _times(part) for unit, part in rows[counts].groupby(["study", "experiment"])}
    found = []
    for (study, experiment, time, unit), _ in rows[~counts].groupby(
        ["study", "experiment", "timepoint", "timepoint_unit"], dropna=False, sort=False
    ):
        when = "no time point" if time != time else f"time point {_when(time, unit)}"
        other = taken.get((study, experiment))
        code, more = ("not_chosen", f"{rule}; {other} does") if other else ("none_counts", str(rule))
        found.append(
            _row((str(study), str(experiment), None), words("timepoint", code, detail=when, more=more))
        )
    return found + list(_arms_lost(rows, counts, taken, rule))


def _arms_lost(
    rows: pd.DataFrame, counts: pd.Series, taken: Mapping[Any, str], rule: TimepointRule
) -> Iterator[dict[str, Any]]:
    arms = _sides(rows)
    used = set(zip(*(_sides(rows[counts])[name] for name in ("study", "experiment", "arm")), strict=True))
    for (study, experiment, arm, treatment), part in arms.groupby(
        ["study", "experiment", "arm", "treatment"], sort=True
    ):
        other = taken.get((study, experiment))
        if (study, experiment, arm) in used or other is None:
            continue
        detail = f"{arm} ({treatment}) was measured at {_times(part)} and not at {other}"
        why = words("timepoint", "arm_lost", detail=detail, more=str(rule))
        yield _row((str(study), str(experiment), str(arm)), why)


def _sides(rows: pd.DataFrame) -> pd.DataFrame:
    """Both arms of every contrast, one row each."""
    import pandas as pd

    shared = ["study", "experiment", "timepoint", "timepoint_unit"]
    return pd.concat(
        [
            rows[[*shared, f"arm_{side}", f"treatment_{side}"]].rename(
                columns={f"arm_{side}": "arm", f"treatment_{side}": "treatment"}
            )
            for side in "ab"
        ],
        ignore_index=True,
    )


def _moved(rows: pd.DataFrame, counts: pd.Series, rule: TimepointRule) -> list[tuple[str, str]]:
    """Name the studies that enter a network at another time point than the rule alone would take."""
    places = rows["alone"].where(rows["alone"] > 0)
    alone = places.groupby([rows["study"], rows["experiment"]]).transform("min")
    moved = rows[counts & (rows["alone"] > alone)]
    if moved.empty:
        return []
    named = []
    for unit, part in moved.groupby(["study", "experiment"]):
        same = rows[(rows["study"] == unit[0]) & (rows["experiment"] == unit[1])]
        named.append(f"{unit[0]} ({_times(part)}, not {_times(same[same['alone'] == 1])})")
    text = f"So that more of their arms enter, a time point other than {rule} counts for "
    return [("info", text + ", ".join(named) + ".")]


def _unreached(
    db: EvidenceBase, asked: Question, chosen: pd.DataFrame, exclusions: pd.DataFrame
) -> list[tuple[str, str]]:
    """Name the treatments of a network of which nothing could be used."""
    if asked.pairwise or asked.treatments is not None or exclusions["arm"].isna().all():
        return []
    treatment = {
        (row["study"], row["experiment"], row["arm"]): row["treatment"]
        for row in db.rows("select study, experiment, arm, treatment from arm")
    }
    cells = zip(
        exclusions["study"], exclusions["experiment"], exclusions["arm"], exclusions["reason"], strict=True
    )
    why = {name: reason for *arm, reason in cells if (name := treatment.get(tuple(arm))) is not None}
    return [
        ("warning", f"{name} is not in the network, for none of its data could be used: {why[name]}.")
        for name in sorted(set(why) - {*chosen["treatment_a"], *chosen["treatment_b"]})
    ]


# --- the rest of the answer ---------------------------------------------------------------------------------


def _covariance(db: EvidenceBase, asked: Question, chosen: pd.DataFrame) -> pd.DataFrame:
    """Covariances of the contrasts that enter, of those estimates that enter."""
    # The g of two arms has the SD of the two alone: only a common arm is shared.
    condition = "arm_shared is not null" if asked.pairwise else "true"
    g = asked.measure == "SMD" and (asked.pairwise or asked.smd == "g")
    value = "coalesce(covariance_g, covariance)" if g else "covariance"
    if not chosen["shared_arm"].any():
        condition = "false"
    pairs = db.kept_frame(
        f"select contrast_1, contrast_2, arm_shared, {value} as covariance from contrast_covariance "
        f"where outcome = ? and measure = ? and {condition} order by contrast_1, contrast_2",
        [asked.outcome, asked.measure],
    )
    ids = cells(chosen["contrast_id"])
    within = pairs["contrast_1"].isin(ids) & pairs["contrast_2"].isin(ids)
    return pairs[within].reset_index(drop=True)


def _oriented(rows: pd.DataFrame, pairs: pd.DataFrame, versus: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn contrasts, and their covariances, so that each is a treatment minus the comparator."""
    reverse = rows["treatment_a"] == versus
    rows = rows.copy()
    rows["estimate"] = rows["estimate"].where(~reverse, -rows["estimate"])
    for name in ("treatment", "arm", "n"):
        a, b = f"{name}_a", f"{name}_b"
        rows[a], rows[b] = rows[a].where(~reverse, rows[b]), rows[b].where(~reverse, rows[a])
    turned = set(rows["contrast_id"][reverse])
    against = pairs["contrast_1"].isin(turned) != pairs["contrast_2"].isin(turned)
    return rows, pairs.assign(covariance=pairs["covariance"].where(~against, -pairs["covariance"]))


def _arms(db: EvidenceBase, outcome: str, chosen: pd.DataFrame) -> pd.DataFrame:
    """Measurements of the arms that are compared."""
    arms = measured(db, outcome)
    compared = {
        (block, arm)
        for side in "ab"
        for block, arm in zip(cells(chosen["block"]), cells(chosen[f"arm_{side}"]), strict=True)
    }
    measured_arms = zip(cells(arms["block"]), cells(arms["arm"]), strict=True)
    inside = [i for i, cell in enumerate(measured_arms) if cell in compared]
    # By position: a list of no truth values would take away the columns.
    return arms.iloc[inside].reset_index(drop=True)


def important_difference(about: Mapping[str, Any], how: facts.Measure) -> float | None:
    """Smallest important difference on the analysis scale: of a mean in its unit, of a ratio as a ratio.

    Parameters
    ----------
    about : mapping
        Row of ``outcome``: kind, smallest_important_difference.
    how : Measure

    Returns
    -------
    float or None
        Above 0; None where the outcome has none, or none in this measure.
    """
    value = about["smallest_important_difference"]
    if value is None or (about["kind"] == "continuous") != (how.unit == "outcome"):
        return None
    return abs(math.log(value)) or None if how.is_ratio else float(value)


def _exclusion_frame(rows: list[dict[str, Any]], used: set[tuple[str, str]]) -> pd.DataFrame:
    import pandas as pd

    # A study with one contrast outside the treatments asked for, and another one inside, is in the analysis.
    rows = [
        row for row in rows if row["stage"] != "treatments" or (row["study"], row["experiment"]) not in used
    ]
    return pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))


def _nothing_left(
    db: EvidenceBase,
    asked: Question,
    rule: TimepointRule,
    every: pd.DataFrame,
    kept: pd.DataFrame,
    exclusions: pd.DataFrame,
) -> str:
    about = f"outcome {asked.outcome!r} in measure {asked.measure!r}"
    if every.empty:
        others = measures(db).get(asked.outcome)
        text = f"Outcome {asked.outcome!r} has no contrast in measure {asked.measure!r}."
        text += f" It has: {', '.join(others)}." if others else " It has none in any measure."
    elif len(kept):
        text = (
            f"No contrast of {about} is left with time point {rule}: "
            f"the time points there are {_times(kept)}."
        )
    elif asked.pairwise and not asked.where and not asked.exclude_high_rob:
        return f"No study compares {asked.treatment!r} with {asked.versus!r} on {about}."
    else:
        said = [f"time point {rule}"]
        said += [f"studies where {asked.where}"] if asked.where else []
        said += ["studies not at high risk of bias"] if asked.exclude_high_rob else []
        said += [f"treatments {', '.join(asked.treatments)}"] if asked.treatments else []
        said += [f"{asked.treatment} versus {asked.versus}"] if asked.pairwise else []
        text = f"No contrast of {about} is left with {'; '.join(said)}."
    reasons = sorted(Counter(exclusions["reason"]).items(), key=lambda item: (-item[1], item[0]))
    listed = "".join(f"\n  {count} x {reason}" for reason, count in reasons[:8])
    return text + (f" What did not enter:{listed}" if listed else "")
