"""Which contrasts enter an analysis, by time point, study and treatment; what does not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.errors import CallError, RefusedError
from evidence.gate import ask
from evidence.names import nearest
from evidence.query import EvidenceBase
from evidence.reasons import words
from evidence.variables import DESCRIBING, missing_meanings

if TYPE_CHECKING:
    import pandas as pd

EXCLUSION_COLUMNS = (
    "stage", "study", "experiment", "arm", "source_file", "source_line", "reason", "remedy",
)  # fmt: skip
"""Columns of `Selection.exclusions`."""


@dataclass(frozen=True)
class TimepointRule:
    """Which time point of a study (and experiment) counts for one outcome.

    Attributes
    ----------
    kind : {"first", "last", "value", "nearest"}
        Earliest; latest; exactly `value`; the one closest to `value`, the earlier of two equally close.
    value : float or None
        In the time unit of the outcome's contrasts.
    """

    kind: str
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> TimepointRule:
        """Read ``first``, ``last``, a number, or ``nearest:NUMBER``.

        Raises
        ------
        CallError
            If it is none of these.
        """
        word = str(text).strip().lower()
        if word in ("first", "last"):
            return cls(word)
        head, colon, tail = word.partition(":")
        kind, number = ("nearest", tail) if colon and head.strip() == "nearest" else ("value", word)
        try:
            return cls(kind, float(number))
        except ValueError:
            raise CallError(
                f"{text!r} is no time point rule: write first, last, a number (12) or nearest:NUMBER."
            ) from None

    @property
    def order(self) -> str:
        """SQL expressions that sort the time points of a study, the one that counts first."""
        match self.kind:
            case "first":
                return "timepoint asc nulls last"
            case "nearest":
                return f"abs(timepoint - {self.value!r}) asc nulls last, timepoint asc"
            case _:
                return "timepoint desc nulls last"

    @property
    def condition(self) -> str:
        """SQL condition that a time point must meet to be considered at all."""
        # Time points in mixed units were converted to days: equal but for rounding.
        return f"abs(timepoint - {self.value!r}) <= 1e-9 * abs(timepoint)" if self.kind == "value" else "true"

    def __str__(self) -> str:
        match self.kind:
            case "value":
                return f"{self.value:g}"
            case "nearest":
                return f"nearest:{self.value:g}"
            case _:
                return self.kind


@dataclass(frozen=True)
class Selection:
    """The contrasts that enter an analysis.

    Attributes
    ----------
    contrasts : DataFrame
        Rows of the view, ordered by study, experiment and arms; one time point for each study and experiment.
    exclusions : DataFrame
        What did not enter: columns `EXCLUSION_COLUMNS`.
    notes : tuple of (severity, message)
        What was decided: the time point rule and where it comes from, how many studies meet the condition.
    timepoint : TimepointRule
        The rule that was applied.
    where : str or None
        The condition that was applied.
    """

    contrasts: pd.DataFrame
    exclusions: pd.DataFrame
    notes: tuple[tuple[str, str], ...]
    timepoint: TimepointRule
    where: str | None


def select_contrasts(
    db: EvidenceBase,
    view: str = "contrast",
    *,
    outcome: str,
    measure: str,
    timepoint: str | None = None,
    where: str | None = None,
    treatments: Iterable[str] | None = None,
) -> Selection:
    """Read the contrasts of one outcome and effect measure that an analysis uses.

    Parameters
    ----------
    db : EvidenceBase
    view : {"contrast", "contrast_network"}
        Where to read from.
    outcome, measure : str
        What is compared, and how.
    timepoint : str, optional
        Rule as in `TimepointRule.parse`; without it the rule of the plan's first analysis of this outcome and
        measure, else of this outcome, else ``last``: what ``analysis_contrast`` does. It picks one time point
        for each study and experiment, among those with a contrast of this measure.
    where : str, optional
        Condition on study and characteristic columns, as in `select_studies`.
    treatments : iterable of str, optional
        Only contrasts between two of these.

    Returns
    -------
    Selection

    Raises
    ------
    CallError
        If the outcome, measure, treatment, rule or condition is not known.
    RefusedError
        If nothing is left to analyse; says why.
    """
    known(db, "outcome", outcome)
    known(db, "effect_measure", measure, "measure")
    wanted = (
        None if treatments is None else [known(db, "treatment", item) for item in dict.fromkeys(treatments)]
    )
    rule, origin = timepoint_rule(db, outcome, measure, timepoint)
    notes: list[tuple[str, str]] = []
    studies = None if where is None else select_studies(db, where)
    if where is not None and studies is not None:
        total = db.value("select count(*) from study")
        notes.append(("info", f"Only studies where {where}: {len(studies)} of {total}."))

    order = "study, experiment, timepoint nulls first, treatment_a, treatment_b, arm_a, arm_b, contrast_id"
    rows = db.frame(
        f"""
        with candidate as (select * from {view} where outcome = ? and measure = ?),
        considered as (select distinct study, experiment, timepoint from candidate where {rule.condition}),
        counted as (
            select study, experiment, timepoint,
                row_number() over (partition by study, experiment order by {rule.order}) as place
            from considered
        )
        select candidate.*, counted.place is not null and counted.place = 1 as at_timepoint
        from candidate left join counted
            on counted.study = candidate.study and counted.experiment = candidate.experiment
            and counted.timepoint is not distinct from candidate.timepoint
        order by {order}
        """,
        [outcome, measure],
    )

    if rows.groupby(["study", "experiment"])["timepoint"].nunique(dropna=False).max() > 1:
        notes.append(("info", f"Time point of each study: {rule} ({origin})."))
    meets = rows["study"].isin(studies) if studies is not None else rows["study"].notna()
    among = (
        rows["treatment_a"].isin(wanted) & rows["treatment_b"].isin(wanted)
        if wanted is not None
        else rows["study"].notna()
    )
    timely = rows["at_timepoint"].astype(bool)
    chosen = rows[meets & among & timely].drop(columns="at_timepoint").reset_index(drop=True)
    left_out = [
        *_excluded_before(db, outcome, measure),
        *_excluded_by(rows[~meets], words("where", "condition", detail=where or "")),
        *_excluded_by(rows[meets & ~among], words("treatments", "not_compared")),
        *_untimely(rows[meets & among & ~timely], rule),
    ]
    exclusions = _exclusion_frame(left_out, set(zip(chosen["study"], chosen["experiment"], strict=True)))
    if chosen.empty:
        raise RefusedError(_nothing_left(db, view, outcome, measure, rule, where, wanted, exclusions))
    return Selection(chosen, exclusions, tuple(notes), rule, where)


def select_studies(db: EvidenceBase, where: str) -> list[str]:
    """Studies that meet a condition.

    Parameters
    ----------
    db : EvidenceBase
    where : str
        One SQL condition. It may name the columns of table ``study`` and every characteristic of the review
        (text, unless all its values are numbers), and hold subqueries on any view. A study for which the
        condition is unknown, a value being missing, does not meet it.

    Returns
    -------
    list of str
        In alphabetical order.

    Raises
    ------
    CallError
        If it is not one condition, or names something that is not there.
    """
    fixed = db.columns("study")
    named = _named(where)
    further = [
        row for row in db.rows(_CHARACTERISTICS) if row["characteristic"].lower() in named - set(fixed)
    ]
    described = set(DESCRIBING["studies.csv"]) - {"year"}
    missing = ", ".join(_quoted(text, "'") for text in sorted(missing_meanings()))
    columns = [
        f"case when {name} not in ({missing}) then {name} end as {name}" if name in described else name
        for name in fixed
    ]
    for row in further:
        value = "cast(value as double)" if row["numeric"] else "value"
        name = row["characteristic"]
        columns.append(
            f"(select {value} from study_variable where study_variable.study = study.study "
            f"and variable = {_quoted(name, chr(39))}) as {_quoted(name, chr(34))}"
        )
    query = (
        f"select study from (select {', '.join(columns)} from study) as study "
        f"where (\n{where}\n) order by study"
    )
    every = [*fixed, *(row["characteristic"] for row in db.rows(_CHARACTERISTICS))]
    return _keys(db, query, f"--where {where!r}", named, "study column or characteristic", every)


def select_keys(db: EvidenceBase, table: str, where: str | None = None) -> list[str]:
    """Keys of the tables study, outcome or treatment that meet a condition on the table's columns.

    Parameters
    ----------
    db : EvidenceBase
    table : {"study", "outcome", "treatment"}
    where : str, optional
        One SQL condition, which may hold subqueries on any view; every key without it.

    Returns
    -------
    list of str
        In alphabetical order.

    Raises
    ------
    CallError
        If it is not one condition, or names something that is not there.
    """
    query = f"select {table} from {table}"
    if where is None:
        return [row[table] for row in db.rows(f"{query} order by {table}")]
    query = f"{query} where (\n{where}\n) order by {table}"
    return _keys(db, query, f"--{table}s {where!r}", _named(where), f"{table} column", db.columns(table))


def _named(where: str) -> set[str]:
    """Names of columns in a condition, in lower case."""
    import sqlglot
    from sqlglot import exp

    try:
        condition = exp.condition(where, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        raise CallError(
            f"{where!r} is no condition: write one SQL expression on columns, "
            "for example \"species = 'rat'\"."
        ) from None
    return {column.name.lower() for column in condition.find_all(exp.Column)}


def _keys(
    db: EvidenceBase, query: str, said: str, named: set[str], called: str, every: Sequence[str]
) -> list[str]:
    """Ask for keys; explain a name that is not there by those that are."""
    try:
        return [row[0] for row in ask(db, query).rows]
    except CallError as error:
        for column in sorted(named - {name.lower() for name in every}):
            if f"{column!r}" in error.message.lower():
                raise CallError(_not_found(called, column, every)) from None
        raise CallError(f"{said}: {error.message}") from None


_CHARACTERISTICS = """
    select study_variable.variable as characteristic,
        coalesce(max(variable.type) = 'numeric', bool_and(try_cast(value as double) is not null)) as numeric
    from study_variable left join variable on study_variable.variable = variable.variable
    where study_variable.variable in (select characteristic from characteristic)
    group by study_variable.variable order by study_variable.variable
"""


def known(db: EvidenceBase, table: str, name: str, called: str | None = None) -> str:
    """Return `name` if it is a key of one of the tables outcome, treatment, effect_measure or study.

    Raises
    ------
    CallError
        With the nearest names, and all of them where they are few.
    """
    called = called or table
    column = called if called in db.columns(table) else db.columns(table)[0]
    every = [row[column] for row in db.rows(f"select {column} from {table} order by {column}")]
    if name not in every:
        raise CallError(_not_found(called, name, every))
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
    rows = db.rows("select treatment, class from treatment order by treatment")
    if not _treatments_named(db, name) and (members := [r["treatment"] for r in rows if r["class"] == name]):
        return tuple(members)
    return (find_treatment(db, name),)


def _treatments_named(db: EvidenceBase, name: str) -> list[str]:
    rows = db.rows("select treatment, label from treatment order by treatment")
    if any(row["treatment"] == name for row in rows):
        return [name]
    return [row["treatment"] for row in rows if row["label"].casefold() == name.casefold()]


def _not_found(called: str, name: str, every: Sequence[str]) -> str:
    close = nearest(name, every)
    text = f"There is no {called} {name!r}." + (f" Did you mean {close!r}?" if close else "")
    return text + (f" There are: {', '.join(every)}." if len(every) <= 30 else "")


def timepoint_rule(
    db: EvidenceBase, outcome: str, measure: str, timepoint: str | None = None
) -> tuple[TimepointRule, str]:
    """Find the rule of an analysis, and say where it comes from.

    Raises
    ------
    CallError
        If `timepoint` is no rule.
    """
    if timepoint is not None:
        return TimepointRule.parse(timepoint), "as asked"
    planned = db.rows(
        "select timepoint, origin from plan where outcome = ? "
        "order by case when measure = ? then 0 else 1 end, position, analysis limit 1",
        [outcome, measure],
    )
    if planned and planned[0]["origin"] == "plan":
        return TimepointRule.parse(planned[0]["timepoint"]), "by the review's plan"
    rule = TimepointRule.parse(planned[0]["timepoint"] if planned else "last")
    return rule, "the review's plan gives no rule for this outcome"


def _excluded_before(db: EvidenceBase, outcome: str, measure: str) -> list[dict[str, Any]]:
    """Rows that no view could use; not those of other time points, whose rule need not be this one's."""
    rows = db.kept_rows(
        f"select {', '.join(EXCLUSION_COLUMNS)}, outcome, measure from exclusion "
        "where stage <> 'analysis_contrast' "
        "order by source_file, source_line, study, experiment, arm, reason"
    )
    return [row for row in rows if row["outcome"] in (None, outcome) and row["measure"] in (None, measure)]


def _excluded_by(rows: pd.DataFrame, why: dict[str, str]) -> list[dict[str, Any]]:
    units = dict.fromkeys(zip(rows["study"], rows["experiment"], strict=True))
    return [{"study": study, "experiment": experiment} | why for study, experiment in units]


def _untimely(rows: pd.DataFrame, rule: TimepointRule) -> list[dict[str, Any]]:
    import pandas as pd

    units = dict.fromkeys(zip(rows["study"], rows["experiment"], rows["timepoint"], rows["timepoint_unit"]))
    found = []
    for study, experiment, time, unit in units:
        when = (
            "no time point" if pd.isna(time) else f"time point {time:g}{'' if pd.isna(unit) else f' {unit}'}"
        )
        found.append(
            {"study": study, "experiment": experiment}
            | words("timepoint", "not_chosen", detail=when, more=str(rule))
        )
    return found


def _exclusion_frame(rows: list[dict[str, Any]], used: set[tuple[str, str]]) -> pd.DataFrame:
    import pandas as pd

    # A study with one contrast outside the treatments asked for, and another one inside, is in the analysis.
    rows = [
        row for row in rows if row["stage"] != "treatments" or (row["study"], row["experiment"]) not in used
    ]
    return pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))


def _nothing_left(
    db: EvidenceBase,
    view: str,
    outcome: str,
    measure: str,
    rule: TimepointRule,
    where: str | None,
    treatments: list[str] | None,
    exclusions: pd.DataFrame,
) -> str:
    measures = [
        row["measure"]
        for row in db.rows(
            f"select distinct measure from {view} where outcome = ? order by measure", [outcome]
        )
    ]
    if measure not in measures:
        text = f"Outcome {outcome!r} has no contrast in measure {measure!r}."
        text += f" It has: {', '.join(measures)}." if measures else " It has none in any measure."
    else:
        asked = [f"time point {rule}"]
        asked += [f"studies where {where}"] if where else []
        asked += [f"treatments {', '.join(treatments)}"] if treatments else []
        text = f"No contrast of outcome {outcome!r} in measure {measure!r} is left with {'; '.join(asked)}."
    reasons = exclusions.groupby("reason", sort=False).size()
    listed = "".join(f"\n  {count} x {reason}" for reason, count in reasons.head(8).items())
    return text + (f" What did not enter:{listed}" if listed else "")


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
