"""Primary and foreign keys, as ``schema/`` declares them.

The file of a review keeps those of reference data and results alone. Of what a folder fills, reading the
folder has proven each, with file and line; an engine that proves them once more takes more time and space
than all the rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from evidence.facts.reference import REFERENCE_TABLES
from evidence.system.resources import schema_directory

if TYPE_CHECKING:
    import duckdb

_TABLE = re.compile(r"^create table (\w+) \(\n(.*?)\n\);$", re.MULTILINE | re.DOTALL)
_REFERS = re.compile(r" references (\w+) \(([\w, ]+)\)")
_OF_TABLE = re.compile(r"    (?:primary|foreign) key \(([\w, ]+)\)")


@dataclass(frozen=True)
class Key:
    """Columns that tell the rows of a table apart, or that name a row of another table.

    Attributes
    ----------
    table : str
    columns : tuple of str
    referenced : str
        The other table; empty for a primary key.
    referenced_columns : tuple of str
    """

    table: str
    columns: tuple[str, ...]
    referenced: str = ""
    referenced_columns: tuple[str, ...] = ()


def schema_statements() -> tuple[str, ...]:
    """Texts of the table definitions in load order."""
    return tuple(path.read_text(encoding="utf-8") for path in sorted(schema_directory().glob("*.sql")))


@cache
def keys() -> tuple[Key, ...]:
    """Every primary and foreign key, in the order of the schema."""
    found = []
    for table, body in (match.groups() for text in schema_statements() for match in _TABLE.finditer(text)):
        for line in body.splitlines():
            several = _OF_TABLE.match(line)
            columns = tuple(several[1].split(", ")) if several else (line.split()[0],)
            if "primary key" in line:
                found.append(Key(table, columns))
            if refers := _REFERS.search(line):
                found.append(Key(table, columns, refers[1], tuple(refers[2].split(", "))))
    return tuple(found)


def is_kept(table: str) -> bool:
    """Whether the file of a review keeps the keys of a table."""
    return table in REFERENCE_TABLES or table.startswith("result_")


def without_keys(statement: str) -> str:
    """Leave out of definitions of tables the keys that the file of a review does not keep."""

    def bare(match: re.Match[str]) -> str:
        if is_kept(match[1]):
            return match[0]
        lines = [
            re.sub("(?: not null)? primary key", " not null", _REFERS.sub("", line))
            for line in match[2].splitlines()
            if not _OF_TABLE.match(line)
        ]
        lines[-1] = lines[-1].rstrip(",")
        return "\n".join([f"create table {match[1]} (", *lines, ");"])

    return _TABLE.sub(bare, statement)


def violation(connection: duckdb.DuckDBPyConnection, key: Key) -> str | None:
    """Say which rows of a table break one of its keys, None if none does."""
    names = ", ".join(f'"{name}"' for name in key.columns)
    if not key.referenced:
        found = connection.execute(
            f'select {names} from "{key.table}" group by {names} having count(*) > 1 limit 1'
        )
        if row := found.fetchone():
            return f"two rows have {_said(key.columns, row)}"
        return None
    same = " and ".join(
        f'own."{name}" = other."{there}"' for name, there in zip(key.columns, key.referenced_columns)
    )
    given = " and ".join(f'own."{name}" is not null' for name in key.columns)
    found = connection.execute(
        f'select {names} from "{key.table}" as own where {given} '
        f'and not exists (select 1 from "{key.referenced}" as other where {same}) limit 1'
    )
    if row := found.fetchone():
        return f"a row has {_said(key.columns, row)}, which table {key.referenced} does not have"
    return None


def _said(names: tuple[str, ...], cells: tuple[object, ...]) -> str:
    return ", ".join(f"{name} {cell!r}" for name, cell in zip(names, cells))


def references() -> dict[tuple[str, str], set[str]]:
    """Return the columns by which a table refers to another one: (table, other table) -> columns."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in keys():
        if key.referenced:
            found[key.table, key.referenced].update(key.columns)
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
    for name, other in references():
        if name != other and name in before:
            before[name].add(other)
    return tuple(TopologicalSorter(before).static_order())
