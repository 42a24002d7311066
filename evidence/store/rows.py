"""Rows into tables, without frames: few as parameters, many as arrays that the engine reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_FEW = 5_000
"""Rows that go in as parameters: copied value by value, which takes far longer than reading arrays."""
_CHUNK = 100_000
"""Rows that stand in one set of arrays: this bounds what waits in memory."""


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
    if length > _FEW:
        _insert_arrays(connection, target, given, types)
        return
    values = ", ".join(f"unnest(?::{_passed_as(types[name])}[])" for name in given)
    for start in range(0, length, _FEW):
        chunk = [column[start : start + _FEW] for column in given.values()]
        connection.execute(f"insert into {target} select {values}", chunk)


def _insert_arrays(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    columns: Mapping[str, Sequence[Any]],
    types: Mapping[str, str],
) -> None:
    # What is missing is no number in the array: of arrays with a mask DuckDB 1.5 takes what is under it.
    read = (
        f"case when not isnan({_quoted(name)}) then {_quoted(name)} end"
        if types[name] == "DOUBLE"
        else _quoted(name)
        for name in columns
    )
    statement = f"insert into {target} select {', '.join(read)} from rows_to_insert"
    # Text stays text: what is in some cells does not say what is in the others.
    connection.execute("set pandas_analyze_sample = 0")
    try:
        for start in range(0, len(next(iter(columns.values()))), _CHUNK):
            chunk = {
                name: _array(cells[start : start + _CHUNK], types[name]) for name, cells in columns.items()
            }
            connection.register("rows_to_insert", chunk)
            connection.execute(statement)
            connection.unregister("rows_to_insert")
    finally:
        connection.execute("reset pandas_analyze_sample")


def _array(cells: Sequence[Any], kind: str) -> Any:
    """Give cells as an array that the engine reads without asking Python for each number."""
    # Only where there are many rows: a small review does not wait for this.
    import numpy as np

    if kind == "DOUBLE":
        array = np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
        if np.count_nonzero(np.isnan(array)) > sum(cell is None for cell in cells):
            raise ValueError("a number to be stored is NaN: what is missing is None")
        return array
    if kind in ("INTEGER", "BIGINT") and None not in cells:
        return np.array(cells, dtype=np.int64)
    return np.array(cells, dtype=object)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _passed_as(kind: str) -> str:
    return "varchar" if kind == "DATE" else kind
