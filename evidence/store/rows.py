"""Rows into tables, without frames: few as parameters, many through a file that the engine reads."""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_FEW = 5_000
"""Rows that go in as parameters: copied value by value, which takes far longer than reading a file."""
_CHUNK = 100_000
"""Rows that stand in one file: this bounds what waits in memory and on the disk."""


def insert(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append rows to a table.

    Whole columns are cast to the types of the table; nothing is sniffed.

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
    target = f"{table} ({', '.join(map(_quoted, given))})"
    length = len(next(iter(given.values())))
    # In the file an empty cell is a missing value: a text of no letters has no place there.
    if length > _FEW and not any("" in column for column in given.values()):
        kinds = ", ".join(f"'{name}': '{types[name]}'" for name in given)
        _insert_from_files(connection, target, list(given.values()), kinds)
        return
    values = ", ".join(f"unnest(?::{_passed_as(types[name])}[])" for name in given)
    for start in range(0, length, _FEW):
        chunk = [column[start : start + _FEW] for column in given.values()]
        connection.execute(f"insert into {target} select {values}", chunk)


def _insert_from_files(
    connection: duckdb.DuckDBPyConnection, target: str, columns: Sequence[Sequence[Any]], kinds: str
) -> None:
    statement = (
        f"insert into {target} select * from read_csv(?, header = false, auto_detect = false, delim = ',', "
        "quote = '\"', escape = '\"', nullstr = '', max_line_size = 1000000000, parallel = false, "
        f"new_line = '\\r\\n', columns = {{{kinds}}})"
    )
    with tempfile.TemporaryDirectory(prefix="evidence-base-") as folder:
        file = Path(folder) / "rows.csv"
        for start in range(0, len(columns[0]), _CHUNK):
            # With line ends of two characters a cell that holds either is quoted.
            with file.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\r\n")
                writer.writerows(zip(*(column[start : start + _CHUNK] for column in columns), strict=True))
            connection.execute(statement, [str(file)])


def _quoted(name: str) -> str:
    return f'"{name}"'


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
