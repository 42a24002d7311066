"""The contrasts of one question: read from the evidence or a table, checked, turned the way asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.errors import CallError, EvidenceError, Problem, RefusedError
from evidence.names import nearest
from evidence.query import EvidenceBase

if TYPE_CHECKING:
    import pandas as pd


LOG_MEASURES = frozenset({"OR", "RR", "IRR", "HR", "ROM"})
"""Effect measures that are pooled as logarithms."""

_ALIASES: dict[str, tuple[str, ...]] = {
    "estimate": ("yi", "te", "effect", "y"),
    "std_error": ("sei", "sete", "se"),
    "variance": ("vi", "v"),
    "study": ("slab", "studlab", "author"),
    "n_a": ("n1i", "n1"),
    "n_b": ("n2i", "n2"),
    "events_a": ("ai", "x1i"),
    "events_b": ("ci", "x2i"),
    "exposure_a": ("t1i",),
    "exposure_b": ("t2i",),
}
_NUMBERS = ("n_a", "n_b", "events_a", "events_b", "exposure_a", "exposure_b")
_SIDES = ("treatment", "arm", "n", "events", "exposure")
_COLUMNS = (
    "contrast_id", "study", "experiment", "label", "estimate", "std_error", "arm_a", "arm_b", "n_a", "n_b",
    "events_a", "events_b", "exposure_a", "exposure_b", "timepoint", "timepoint_unit", "measurement_ids",
)  # fmt: skip


@dataclass(frozen=True)
class Contrasts:
    """Everything a pairwise meta-analysis needs, read once.

    Attributes
    ----------
    frame : DataFrame
        One row per contrast, treatment minus comparator: contrast_id, study, experiment, label (the printed
        name), estimate, std_error, arm_a, arm_b, n_a, n_b, events_a, events_b, exposure_a, exposure_b,
        timepoint, timepoint_unit, measurement_ids.
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
    columns: dict[str, str] = field(default_factory=dict)


def load(
    source: EvidenceBase | pd.DataFrame,
    *,
    outcome: str | None,
    measure: str | None,
    treatment: str | None,
    versus: str | None,
    timepoint: str | None = None,
    where: str | None = None,
    covariance: pd.DataFrame | None = None,
) -> Contrasts:
    """Read and check the contrasts of one question.

    Parameters
    ----------
    source : EvidenceBase or DataFrame
        An evidence base, or a table with the columns of the view ``contrast`` (or study, yi and vi or sei).
    outcome, measure, treatment, versus : str or None
        The question; a table that holds but one need not be told.
    timepoint, where : str, optional
        Which time point, and which studies; an evidence base only.
    covariance : DataFrame, optional
        With a table: contrast_1, contrast_2, covariance.

    Raises
    ------
    CallError
        If a name is not known, or treatment and comparator are the same.
    EvidenceError
        If the table holds numbers that cannot be effects or standard errors; every one is named.
    RefusedError
        If nothing is left to analyse.
    """
    if treatment is not None and treatment == versus:
        raise CallError(f"Treatment and comparator are both {treatment!r}: name two different treatments.")
    if not isinstance(source, EvidenceBase):
        table: Any = source
        if hasattr(table, "to_pandas"):
            table = table.to_pandas()
        if not hasattr(table, "iloc"):
            raise CallError(
                f"Give an evidence base (evidence.open(...)) or a table, not a {type(table).__name__}."
            )
        if timepoint is not None or where is not None:
            raise CallError("timepoint and where need an evidence base; filter the table itself instead.")
        return _from_frame(table, outcome, measure, treatment, versus, covariance)
    for name, value in (
        ("outcome", outcome), ("measure", measure), ("treatment", treatment), ("versus", versus)
    ):  # fmt: skip
        if value is None:
            raise CallError(f"Say which {name}: {name}=...")
    return _from_database(source, str(outcome), str(measure), str(treatment), str(versus), timepoint, where)


def each(rows: pd.DataFrame) -> Iterator[Any]:
    """Rows of a frame as named tuples."""
    return iter(rows.itertuples())


def _from_database(
    db: EvidenceBase,
    outcome: str,
    measure: str,
    treatment: str,
    versus: str,
    timepoint: str | None,
    where: str | None,
) -> Contrasts:
    from evidence.selection import find_treatment, select_contrasts, treatment_members

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
    notes = list(selection.notes)
    if len(members) > 1:
        notes.append(("info", f"{treatment} is a class of treatments: {', '.join(members)}."))
    else:
        treatment = members[0]
    about = db.rows("select unit, lower_is_better from outcome where outcome = ?", [outcome])[0]
    scale = db.value("select scale from effect_measure where measure = ?", [measure])
    reverse = (rows["treatment_a"] == versus).to_numpy()
    frame = _orient(_with_counts(db, rows, outcome), reverse)
    sign = dict(zip(frame["contrast_id"], np.where(reverse, -1.0, 1.0), strict=True))
    pairs = _shared_arms(db, outcome, measure) if rows["shared_arm"].any() else _no_pairs()
    pairs = _flip(pairs, sign)
    return Contrasts(
        frame=_finish(frame),
        covariance=pairs,
        variables=_study_variables(db, frame).assign(
            treatment=np.where(reverse, rows["treatment_b"], rows["treatment_a"])
        ),
        outcome=outcome,
        measure=measure,
        treatment=treatment,
        versus=versus,
        scale=str(scale),
        unit=about["unit"] if scale == "additive" and measure in ("MD",) else None,
        lower_is_better=about["lower_is_better"],
        exclusions=selection.exclusions,
        notes=tuple(notes),
        timepoint=str(selection.timepoint),
        where=where,
    )


def _shared_arms(db: EvidenceBase, outcome: str, measure: str) -> pd.DataFrame:
    """Covariances of the contrasts that share an arm."""
    return db.sql(
        "select contrast_1, contrast_2, arm_shared, coalesce(covariance_g, covariance) as covariance "
        "from contrast_covariance where outcome = ? and measure = ? order by contrast_1, contrast_2",
        [outcome, measure],
    ).df()


def _no_pairs() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["contrast_1", "contrast_2", "arm_shared", "covariance"])


def _with_counts(db: EvidenceBase, rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Add events and exposure of both arms, where the contrast was computed from arms."""
    import pandas as pd

    counts = db.sql(
        "select cast(measurement_id as varchar) as measurement_id, events, exposure "
        "from measurement_standard where outcome = ?",
        [outcome],
    ).df().set_index("measurement_id")  # fmt: skip
    rows = rows.copy()
    ids = rows["measurement_ids"].fillna("").astype(str).str.split(",", n=1, expand=True)
    ids = ids.reindex(columns=[0, 1])
    for side, column in zip("ab", (0, 1), strict=True):
        for name in ("events", "exposure"):
            rows[f"{name}_{side}"] = pd.to_numeric(ids[column].map(counts[name]), errors="coerce")
    return rows


def _study_variables(db: EvidenceBase, frame: pd.DataFrame) -> pd.DataFrame:
    """Read the variables of each contrast's study; those that are numbers throughout become numbers."""
    long = db.sql("select study, variable, value from study_variable order by study, variable").df()
    wide = long.pivot(index="study", columns="variable", values="value")
    return _typed(wide.reindex(frame["study"]).reset_index(drop=True))


def _typed(variables: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    variables = variables.copy()
    variables.columns = [str(column) for column in variables.columns]
    for column in variables.columns:
        numbers = pd.to_numeric(variables[column], errors="coerce")
        if numbers.notna().sum() == variables[column].notna().sum():
            variables[column] = numbers.astype(float)
    return variables


def _orient(rows: pd.DataFrame, reverse: np.ndarray) -> pd.DataFrame:
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


def _flip(pairs: pd.DataFrame, sign: dict[str, float]) -> pd.DataFrame:
    """Keep the covariances of the contrasts in `sign`, with the sign of those turned round."""
    pairs = pairs[pairs["contrast_1"].isin(sign) & pairs["contrast_2"].isin(sign)].reset_index(drop=True)
    signs = [sign[one] * sign[two] for one, two in zip(pairs["contrast_1"], pairs["contrast_2"], strict=True)]
    return pairs.assign(covariance=pairs["covariance"].astype(float) * np.array(signs, float))


def _finish(frame: pd.DataFrame) -> pd.DataFrame:
    """Name each contrast for print, and keep the agreed columns."""
    unit = frame["study"].astype(str)
    named = frame["experiment"].astype(str)
    unit = unit.where(named == "main", unit + " / " + named)
    arms = frame.get("arm_a")
    twice = unit.duplicated(keep=False)
    label = unit if arms is None else unit.where(~twice | arms.isna(), unit + " / " + arms.astype(str))
    again = label.duplicated(keep=False)
    number = label.groupby(label).cumcount() + 1
    frame = frame.assign(label=label.where(~again, label + " (" + number.astype(str) + ")"))
    frame = frame.reindex(columns=list(_COLUMNS))
    for column in ("estimate", "std_error", *_NUMBERS):
        frame[column] = frame[column].astype(float)
    return frame.reset_index(drop=True)


def _from_frame(
    table: pd.DataFrame,
    outcome: str | None,
    measure: str | None,
    treatment: str | None,
    versus: str | None,
    covariance: pd.DataFrame | None,
) -> Contrasts:
    import pandas as pd

    names = {str(column).lower(): column for column in table.columns}
    found: dict[str, Any] = {}
    for column, aliases in _ALIASES.items():
        match = next((names[name] for name in (column, *aliases) if name in names), None)
        if match is not None:
            found[column] = match
    if "estimate" not in found or not {"std_error", "variance"} & found.keys():
        raise CallError(
            "The table needs a column estimate (or yi) and a column std_error (or sei) or variance (or vi); "
            f"it has {', '.join(map(str, table.columns))}."
        )
    rows = pd.DataFrame(index=range(len(table)))
    for name in ("contrast_id", "experiment", "outcome", "measure", "timepoint", "timepoint_unit",
                 "treatment_a", "treatment_b", "arm_a", "arm_b", "measurement_ids"):  # fmt: skip
        if name in names:
            rows[name] = table[names[name]].to_numpy()
    rows["study"] = (
        table[found["study"]].astype(str).to_numpy()
        if "study" in found
        else [f"row {index + 1}" for index in range(len(table))]
    )
    rows["experiment"] = rows["experiment"].fillna("main").astype(str) if "experiment" in rows else "main"
    rows["contrast_id"] = (
        rows["contrast_id"].astype(str) if "contrast_id" in rows else [str(i + 1) for i in range(len(rows))]
    )
    problems: list[Problem] = []
    for name in ("estimate", "std_error", "variance", *_NUMBERS):
        if name in found:
            rows[name] = _numbers(table[found[name]], str(found[name]), rows["study"], problems)
    spread = "std_error" if "std_error" in found else "variance"
    problems += _check(rows, str(found["estimate"]), spread, str(found[spread]))
    if spread == "variance":
        rows["std_error"] = np.sqrt(rows["variance"].where(rows["variance"] > 0))
    if problems:
        raise EvidenceError("The table cannot be analysed as it stands.", problems)
    duplicated = rows["contrast_id"].duplicated(keep=False)
    if duplicated.any():
        raise EvidenceError(
            "Two rows have the same contrast_id.",
            [
                Problem("contrast_id occurs more than once", "give each row its own", study=row.study,
                        column="contrast_id")
                for row in each(rows[duplicated])
            ],
        )  # fmt: skip
    rows, question = _question(rows, {"outcome": outcome, "measure": measure}, treatment, versus)
    missing = rows["estimate"].isna() | rows["std_error"].isna()
    exclusions = pd.DataFrame(
        {
            "stage": "contrast",
            "study": rows.loc[missing, "study"],
            "experiment": rows.loc[missing, "experiment"],
            "arm": None,
            "source_file": None,
            "source_line": None,
            "reason": "the estimate or its standard error is missing",
            "remedy": "fill in both, or leave the row out",
        }
    ).reset_index(drop=True)
    keep = ~missing.to_numpy()
    if not keep.any():
        raise RefusedError("No row of the table has both an estimate and a standard error.")
    labels = question["measure"] or "GEN"
    notes = [("warning", f"{int(missing.sum())} of {len(rows)} rows have no estimate or no standard error: "
              f"{', '.join(rows.loc[missing, 'study'])}.")] if missing.any() else []  # fmt: skip
    pairs = _no_pairs()
    if covariance is not None:
        pairs = covariance.reindex(columns=list(pairs.columns)).astype({"contrast_1": str, "contrast_2": str})
        kept = rows[keep]
        pairs = _flip(
            pairs, dict(zip(kept["contrast_id"], np.where(kept["reverse"], -1.0, 1.0), strict=True))
        )
    oriented = _orient(rows, rows["reverse"].to_numpy())
    return Contrasts(
        frame=_finish(oriented[keep]),
        covariance=pairs,
        variables=_typed(table.iloc[rows["position"].to_numpy()[keep]].reset_index(drop=True)),
        outcome=question["outcome"] or "outcome",
        measure=labels,
        treatment=question["treatment"] or "treatment",
        versus=question["versus"] or "control",
        scale="log" if labels in LOG_MEASURES else "additive",
        exclusions=exclusions,
        notes=tuple(notes),
    )


def _numbers(column: pd.Series, name: str, study: pd.Series, problems: list[Problem]) -> np.ndarray:
    """Read a column as numbers; what is neither a number nor empty is a problem."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    bad = np.isnan(values) & column.notna().to_numpy() & (column.astype(str).str.strip() != "").to_numpy()
    for index in np.flatnonzero(bad):
        problems.append(
            Problem(f"{column.iloc[index]!r} is not a number", "a number, or nothing", line=int(index) + 1,
                    column=name, study=str(study.iloc[index]))
        )  # fmt: skip
    return values


def _check(rows: pd.DataFrame, estimate: str, spread: str, spread_name: str) -> Iterable[Problem]:
    """Find numbers that are no effects and no standard errors."""
    for row in each(rows):
        line = row.Index + 1
        if np.isinf(row.estimate):
            yield Problem("the estimate is infinite", "a finite number on the analysis scale", line=line,
                          column=estimate, study=row.study)  # fmt: skip
        value = getattr(row, spread)
        if np.isinf(value) or value <= 0:
            what = "infinite" if np.isinf(value) else "zero" if value == 0 else f"negative ({value:g})"
            yield Problem(f"the {spread.replace('_', ' ')} is {what}", "a finite number above 0", line=line,
                          column=spread_name, study=row.study)  # fmt: skip
        for name in _NUMBERS:
            number = getattr(row, name, np.nan)
            if np.isinf(number) or number < 0:
                yield Problem(f"{name} is {number:g}", "a finite number, not below 0", line=line, column=name,
                              study=row.study)  # fmt: skip
        for side in "ab":
            events, n = getattr(row, f"events_{side}", np.nan), getattr(row, f"n_{side}", np.nan)
            if events > n:
                yield Problem(f"{events:g} events among {n:g}", "events no more than n", line=line,
                              column=f"events_{side}", study=row.study)  # fmt: skip


def _question(
    rows: pd.DataFrame, wanted: dict[str, str | None], treatment: str | None, versus: str | None
) -> tuple[pd.DataFrame, dict[str, str | None]]:
    """Keep the rows that answer the question, and find what they leave unsaid."""
    rows = rows.assign(position=np.arange(len(rows)), reverse=False)
    question = dict(wanted) | {"treatment": treatment, "versus": versus}
    for name, value in wanted.items():
        if name not in rows:
            continue
        there = list(dict.fromkeys(rows[name].dropna().astype(str)))
        if value is None and len(there) > 1:
            raise CallError(f"The table holds several {name}s ({', '.join(there)}): say which, {name}=...")
        if value is not None and value not in there:
            raise CallError(_unknown(name, value, there))
        question[name] = value if value is not None else next(iter(there), None)
        rows = rows[rows[name].astype(str) == question[name]]
    if {"treatment_a", "treatment_b"} <= set(rows.columns):
        a, b = rows["treatment_a"].astype(str), rows["treatment_b"].astype(str)
        there = list(dict.fromkeys([*a, *b]))
        for value in (treatment, versus):
            if value is not None and value not in there:
                raise CallError(_unknown("treatment", value, there))
        if treatment is None and versus is None:
            pairs = list(dict.fromkeys(zip(a, b, strict=True)))
            if len({frozenset(pair) for pair in pairs}) > 1:
                shown = "; ".join(f"{one} vs {two}" for one, two in pairs[:10])
                raise CallError(f"The table holds several comparisons ({shown}): say treatment=, versus=.")
            question["treatment"], question["versus"] = pairs[0] if pairs else (None, None)
        elif treatment is None or versus is None:
            raise CallError("Say both, treatment= and versus=.")
        first, second = question["treatment"], question["versus"]
        forward, reverse = (a == first) & (b == second), (a == second) & (b == first)
        if not (forward | reverse).any():
            raise RefusedError(f"No row of the table compares {first!r} with {second!r}.")
        rows = rows.assign(reverse=reverse)[forward | reverse]
    return rows.reset_index(drop=True), question


def _unknown(what: str, name: str, there: list[str]) -> str:
    close = nearest(name, there)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"The table has no {what} {name!r}.{hint} It has: {', '.join(there[:30])}."
