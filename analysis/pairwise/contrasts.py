"""The contrasts of one question: read from the evidence or a table, checked, turned the way asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evidence.errors import CallError, RefusedError
from evidence.query import EvidenceBase

if TYPE_CHECKING:
    import pandas as pd

LOG_MEASURES = frozenset({"OR", "RR", "IRR", "HR", "ROM"})
"""Effect measures that are pooled as logarithms."""

COUNTS = ("n_a", "n_b", "events_a", "events_b", "exposure_a", "exposure_b")
"""Sizes and counts of both arms; missing where they are not known."""

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
        from analysis.pairwise.table import from_table

        table: Any = source
        if hasattr(table, "to_pandas"):
            table = table.to_pandas()
        if not hasattr(table, "iloc"):
            raise CallError(
                f"Give an evidence base (evidence.open(...)) or a table, not a {type(table).__name__}."
            )
        if timepoint is not None or where is not None:
            raise CallError("timepoint and where need an evidence base; filter the table itself instead.")
        return from_table(table, outcome, measure, treatment, versus, covariance)
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
    if rows.empty:
        raise RefusedError(
            f"No study compares {treatment!r} with {versus!r} on {outcome!r} in measure {measure!r}."
        )
    notes = list(selection.notes)
    if len(members) > 1:
        notes.append(("info", f"{treatment} is a class of treatments: {', '.join(members)}."))
    else:
        treatment = members[0]
    about = db.rows("select unit, lower_is_better from outcome where outcome = ?", [outcome])[0]
    scale = db.value("select scale from effect_measure where measure = ?", [measure])
    reverse = (rows["treatment_a"] == versus).to_numpy()
    frame = orient(_with_counts(db, rows, outcome), reverse)
    sign = dict(zip(frame["contrast_id"], np.where(reverse, -1.0, 1.0), strict=True))
    pairs = _shared_arms(db, outcome, measure) if rows["shared_arm"].any() else no_pairs()
    pairs = flip(pairs, sign)
    return Contrasts(
        frame=finish(frame),
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


def no_pairs() -> pd.DataFrame:
    """No contrasts that share an arm."""
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
    """Read the variables of each contrast's study, one column each."""
    long = db.sql("select study, variable, value from study_variable order by study, variable").df()
    wide = long.pivot(index="study", columns="variable", values="value")
    return wide.reindex(frame["study"]).rename(columns=str).reset_index(drop=True)


def typed(values: pd.Series) -> pd.Series:
    """Make a variable a number if it is one throughout."""
    import pandas as pd

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
