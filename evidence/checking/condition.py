"""Conditions in SQL that choose rows: studies, contrasts, outcomes, treatments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence.checking.gate import ask
from evidence.errors import CallError
from evidence.folder.variables import DESCRIBING, UNIT, missing_meanings, mixed_units, units_refused
from evidence.names import not_found
from evidence.query import EvidenceBase


def select_studies(db: EvidenceBase, where: str) -> list[str]:
    """Studies that meet a condition.

    Parameters
    ----------
    db : EvidenceBase
    where : str
        One SQL condition. It may name the columns of table ``study`` and every characteristic of the review
        (a number if it is numeric, see table ``variable``), and hold subqueries on any view. A study for
        which the condition is unknown, a value being missing, does not meet it.

    Returns
    -------
    list of str
        In alphabetical order.

    Raises
    ------
    CallError
        If it is not one condition, or names something that is not there.
    RefusedError
        If it takes values in several units for plain numbers.
    """
    named = _named(where)
    for name in without_units(db, where):
        _refuse_units(db, name)
    query = (
        f"select study from (select {', '.join(_study_columns(db, named))} from study) as study "
        f"where (\n{where}\n) order by study"
    )
    every = [*db.columns("study"), *(row["characteristic"] for row in db.rows(_CHARACTERISTICS))]
    return _keys(db, query, f"--where {where!r}", named, "study column or characteristic", every)


def without_units(db: EvidenceBase, where: str) -> list[str]:
    """Numeric variables of a condition that have units beside them, of which the condition says nothing."""
    named = _named(where)
    rows = db.rows(
        "select number.variable from variable as number "
        "inner join variable as unit on unit.variable = concat(number.variable, ?) "
        "where number.type = 'numeric' order by number.variable",
        [UNIT],
    )
    names = [str(row["variable"]) for row in rows]
    return [name for name in names if name.lower() in named and (name + UNIT).lower() not in named]


def _refuse_units(db: EvidenceBase, name: str) -> None:
    """Refuse a variable of the studies that is typed in several units."""
    import pandas as pd

    rows = db.rows(
        "select number.value, unit.value as unit from study_variable as number "
        "left join study_variable as unit on number.study = unit.study and unit.variable = ? "
        "where number.variable = ?",
        [name + UNIT, name],
    )
    table = pd.DataFrame(
        {name: [float(row["value"]) for row in rows], name + UNIT: [row["unit"] for row in rows]}
    )
    if rows and (units := mixed_units(table, name)):
        raise units_refused(name, units)


def describes_contrasts(db: EvidenceBase, where: str) -> bool:
    """Whether a condition names what describes arms, measurements or contrasts, not studies alone."""
    return bool(_finer(db, _named(where)))


def select_contrasts(db: EvidenceBase, where: str, outcome: str, measure: str) -> set[tuple[str, str]]:
    """Sides of contrasts that meet a condition on variables of studies, arms, measurements and contrasts.

    Parameters
    ----------
    db : EvidenceBase
    where : str
        One SQL condition, as for `select_studies`; it may also name every variable of ``contrast_variable``.
    outcome, measure : str
        Of which contrasts.

    Returns
    -------
    set of (contrast_id, side)
        Side ``a`` where the condition holds with the values of arm a, ``b`` where with those of arm b.

    Raises
    ------
    CallError
        If it is not one condition, or names something that is not there.
    """
    named = _named(where)
    finer = _finer(db, named)
    columns = _study_columns(db, named - {name.lower() for name in finer})
    text, name = (_quoted(value, "'") for value in (outcome, measure))
    found: set[tuple[str, str]] = set()
    for side, ending in (("a", ""), ("b", "_b")):
        values = [
            f"(select {'number' if kind == 'numeric' else 'value'}{ending} from contrast_variable as known "
            f"where known.contrast_id = contrast.contrast_id and variable = {_quoted(variable, chr(39))}) "
            f"as {_quoted(variable, chr(34))}"
            for variable, kind in finer.items()
        ]
        query = (
            f"select contrast_id from (select {', '.join([*columns, *values])}, contrast.contrast_id "
            f"from study inner join contrast on study.study = contrast.study and outcome = {text} "
            f"and measure = {name}) as study where (\n{where}\n) order by contrast_id"
        )
        every = [*db.columns("study"), *finer, *(row["characteristic"] for row in db.rows(_CHARACTERISTICS))]
        found |= {(key, side) for key in _keys(db, query, f"--where {where!r}", named, "variable", every)}
    return found


def _finer(db: EvidenceBase, named: set[str]) -> dict[str, str]:
    """Types of the variables among some names, in lower case, that describe more than studies."""
    rows = db.rows(
        "select variable, type from variable where lower(variable) in (select unnest(?)) "
        "and files <> 'studies.csv' order by variable",
        [sorted(named)],
    )
    return {row["variable"]: row["type"] for row in rows}


def _study_columns(db: EvidenceBase, named: set[str]) -> list[str]:
    """Columns of a study and its characteristics that are named, as SQL; codes for missing are null."""
    fixed = db.columns("study")
    described = set(DESCRIBING["studies.csv"]) - {"year"}
    missing = ", ".join(_quoted(text, "'") for text in sorted(missing_meanings()))
    numeric = {
        row["variable"] for row in db.rows("select variable from variable where type = 'numeric'")
    } & described
    columns = []
    for name in fixed:
        value = f"study.{name}"
        if name in described:
            value = f"case when {value} not in ({missing}) then {value} end"
        columns.append(f"try_cast({value} as double) as {name}" if name in numeric else f"{value} as {name}")
    for row in db.rows(_CHARACTERISTICS):
        name = row["characteristic"]
        if name.lower() not in named - set(fixed):
            continue
        value = "cast(value as double)" if row["numeric"] else "value"
        columns.append(
            f"(select {value} from study_variable where study_variable.study = study.study "
            f"and variable = {_quoted(name, chr(39))}) as {_quoted(name, chr(34))}"
        )
    return columns


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


def meets(file: Path, where: str, columns: Sequence[str]) -> set[int]:
    """Rows of a table that meet a condition: what a person takes of a file that is imported.

    Parameters
    ----------
    file : Path
        A DuckDB file with the table ``rows``, which has the column ``_row`` and those named.
    where : str
        One SQL condition.
    columns : sequence of str
        What it may name.

    Returns
    -------
    set of int
        Values of ``_row``.

    Raises
    ------
    CallError
        If it is not one condition, or names something that is not there.
    """
    from evidence.database import connect

    with EvidenceBase(connect(file, locked=True), file) as db:
        query = f"select _row from rows where (\n{where}\n)"
        return set(_keys(db, query, f"--rows {where!r}", _named(where), "column", columns))


def _named(where: str) -> set[str]:
    """Names of columns in a condition, in lower case."""
    import sqlglot
    from sqlglot import exp

    try:
        condition = exp.condition(where, dialect="duckdb")
    except RecursionError:
        raise CallError(f"The condition {where[:40]!r}... is nested too deeply: write it shorter.") from None
    except sqlglot.errors.SqlglotError:
        raise CallError(
            f"{where!r} is no condition: write one SQL expression on columns, "
            "for example \"species = 'rat'\"."
        ) from None
    return {column.name.lower() for column in condition.find_all(exp.Column)}


def _keys(
    db: EvidenceBase, query: str, said: str, named: set[str], called: str, every: Sequence[str]
) -> list[Any]:
    """Ask for keys; explain a name that is not there by those that are."""
    try:
        return [row[0] for row in ask(db, query, timeout=60).rows]
    except CallError as error:
        for column in sorted(named - {name.lower() for name in every}):
            if f"{column!r}" in error.message.lower():
                raise CallError(not_found(called, column, every)) from None
        raise CallError(f"{said}: {error.message}") from None


_CHARACTERISTICS = """
    select study_variable.variable as characteristic,
        coalesce(max(variable.type) = 'numeric', bool_and(try_cast(value as double) is not null)) as numeric
    from study_variable left join variable on study_variable.variable = variable.variable
    where study_variable.variable in (select characteristic from characteristic)
    group by study_variable.variable order by study_variable.variable
"""


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
