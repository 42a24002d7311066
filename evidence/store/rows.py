"""Rows into tables, without a detour through files or frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Parameters are copied value by value: this bounds the memory they take.
_CHUNK = 5_000


def insert(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append rows to a table.

    Whole columns are passed as parameters and cast to the types of the table; nothing is sniffed.

    Parameters
    ----------
    connection : DuckDBPyConnection
        A writable database.
    table : str
        The table.
    columns : mapping of str to sequence
        Values of each column given, all equally long; None is a missing value. Columns left out, and columns
        with nothing but None, take the table's default.
    """
    given = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    if not given:
        return
    described = connection.execute(f"select * from {table} limit 0").description or []
    types = {name: str(kind) for name, kind, *_ in described}
    names = ", ".join(f'"{name}"' for name in given)
    values = ", ".join(f"unnest(?::{_passed_as(types[name])}[])" for name in given)
    statement = f"insert into {table} ({names}) select {values}"
    length = len(next(iter(given.values())))
    for start in range(0, length, _CHUNK):
        connection.execute(statement, [column[start : start + _CHUNK] for column in given.values()])


def _passed_as(kind: str) -> str:
    return "varchar" if kind == "DATE" else kind


def references(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], set[str]]:
    """Return the columns by which a table refers to another one: (table, other table) -> columns."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, other, columns in connection.execute(
        "select table_name, referenced_table, constraint_column_names from duckdb_constraints() "
        "where constraint_type = 'FOREIGN KEY' and database_name = current_database()"
    ).fetchall():
        found[name, other].update(columns)
    return dict(found)


def load_order(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return the names of all tables, each after those it refers to."""
    before: dict[str, set[str]] = {
        name: set()
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = current_database() and schema_name = 'main' order by table_name"
        ).fetchall()
    }
    for name, other in references(connection):
        if name != other:
            before[name].add(other)
    return tuple(TopologicalSorter(before).static_order())
