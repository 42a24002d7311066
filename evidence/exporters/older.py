"""A DuckDB file in a format that older versions of DuckDB open, browsers' among them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.database import attached, connect
from evidence.store.blank import name_by_content
from evidence.store.objects import sql_objects

if TYPE_CHECKING:
    import duckdb

_NO_LAMBDA = "v1.2.0"
"""The format whose DuckDB does not know ``lambda x: ...``, which came with 1.3."""


def write_older(file: Path, storage: str) -> list[str]:
    """Write a DuckDB file anew, in place, in an older format.

    Parameters
    ----------
    file : path
        An evidence base.
    storage : str
        One of `evidence.database.STORAGE`.

    Returns
    -------
    list of str
        What that version of DuckDB cannot compute: views that are tables of their rows now, macros that are
        left out.
    """
    older = file.with_name(f"{file.name}.older")
    views, macros = _beyond(storage)
    try:
        with connect(threads=1) as connection, attached(connection, older, "older", storage):
            with attached(connection, file, "newer"):
                connection.execute("copy from database newer to older")
                for name in views:
                    _store(connection, name)
                for name in macros:
                    connection.execute(f"drop macro older.main.{name}")
            connection.execute("checkpoint older")
        name_by_content(older)
        os.replace(older, file)
    finally:
        older.unlink(missing_ok=True)
    if not views:
        return []
    return [
        f"DuckDB {storage.removeprefix('v').removesuffix('.0')} knows no lambda functions: the views "
        f"{', '.join(views)} are tables of their rows, and the macros {', '.join(macros)} are left out"
    ]


def _beyond(storage: str) -> tuple[list[str], list[str]]:
    """Name views and macros that the DuckDB of a format cannot compute; callers of a macro before it."""
    views: list[str] = []
    macros: list[str] = []
    if storage == _NO_LAMBDA:
        for item in sql_objects():
            if "lambda" in item.words or item.uses & set(macros):
                (macros if item.kind == "macro" else views).append(item.name)
    stored = {item.name for item in sql_objects() if item.stored}
    return [name for name in views if name not in stored], macros[::-1]


def _store(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Put a table of its rows in place of a view, with the view's documentation."""
    connection.execute(f"drop view older.main.{name}")
    connection.execute(f"create table older.main.{name} as from newer.main.{name} order by all")
    about = f"database_name = 'newer' and schema_name = 'main' and {{}}_name = '{name}'"
    comments = [
        (f"table older.main.{name}", comment)
        for (comment,) in connection.execute(
            f"select comment from duckdb_views() where {about.format('view')}"
        ).fetchall()
    ]
    comments += [
        (f'column older.main.{name}."{column}"', comment)
        for column, comment in connection.execute(
            f"select column_name, comment from duckdb_columns() where {about.format('table')}"
        ).fetchall()
    ]
    for thing, comment in comments:
        if comment is not None:
            quoted = comment.replace("'", "''")
            connection.execute(f"comment on {thing} is '{quoted}'")
