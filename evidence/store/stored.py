"""What the views compute, kept as rows: a question reads them, and plans nothing.

Planning a view plans everything it stands on, again for each question, which takes far longer than computing
a review's few rows. So the views whose header says ``Stored`` are computed once, when rows have gone into the
tables; each stands on those before it. Their names, columns and documentation are those of views, and table
``view_rows.definition`` keeps the statement that their rows come from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import duckdb

from evidence.errors import EvidenceError
from evidence.store.objects import STORED, SqlObject, sql_objects, used_by
from evidence.system.progress import counted


def stored_views() -> tuple[SqlObject, ...]:
    """Return the views whose rows are kept, each after those it stands on."""
    return tuple(item for item in sql_objects() if item.stored)


def keep_definitions(connection: duckdb.DuckDBPyConnection) -> None:
    """Write down the statement behind each view whose rows are kept."""
    connection.execute(
        f"create table {STORED}.definition (view_name varchar primary key, query varchar not null)"
    )
    connection.execute(
        f"comment on table {STORED}.definition is 'The statement that the rows of each stored view come from'"
    )
    for item in stored_views():
        connection.execute(f"insert into {STORED}.definition values (?, ?)", [item.name, item.query])


def refresh(
    connection: duckdb.DuckDBPyConnection, names: Iterable[str] | None = None, without: Container[str] = ()
) -> None:
    """Compute the stored views anew from what now stands in the tables.

    Parameters
    ----------
    connection : DuckDBPyConnection
        An evidence base, open for writing; within a transaction where the old rows should come back.
    names : iterable of str, optional
        Only what these views stand on, and themselves.
    without : container of str
        Views to leave as they are.

    Raises
    ------
    EvidenceError
        If a view cannot be computed.
    """
    filled: dict[tuple[str, str], bool] = {}
    views = list(stored_views() if names is None else used_by(names))
    for item in counted(views, len(views), "computing views"):
        if not item.stored or item.name in without:
            continue
        if item.constant and connection.execute(f"select exists (from {STORED}.{item.name})").fetchone() == (
            True,
        ):
            continue
        try:
            connection.execute(f"delete from {STORED}.{item.name}")
            if _has_rows(connection, item, filled):
                _store(connection, f"insert into {STORED}.{item.name} {_ordered(item)}")
        except duckdb.Error as error:
            raise EvidenceError(f"View {item.name} cannot be computed: {error}") from None


def _store(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    try:
        connection.execute(statement)
    except duckdb.OutOfMemoryException:
        # Not everything can wait on the disk: beyond what a build allows, what the machine has.
        connection.execute("reset memory_limit")
        connection.execute(statement)


def differing(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the stored views whose rows are not those that their definition gives."""
    found = []
    for item in stored_views():
        # Each definition stands in the statement once: planning it is what takes long.
        kept, computed = f"select *, 1 from {STORED}.{item.name}", f"select *, -1 from ({item.query})"
        names = [f"c{place}" for place in range(len(item.columns) + 1)]
        *columns, side = names
        both = f"({kept} union all {computed}) as compared ({', '.join(names)})"
        if connection.execute(
            f"select exists (select 1 from {both} group by {', '.join(columns)} having sum({side}) <> 0)"
        ).fetchone() != (False,):
            found.append(item.name)
    return found


def _has_rows(
    connection: duckdb.DuckDBPyConnection, item: SqlObject, filled: dict[tuple[str, str], bool]
) -> bool:
    """Whether a view can have rows: planning it, to find that it has none, is what takes long."""
    for table, column in item.rows_from:
        if (table, column) not in filled:
            where = f" where {column} is not null" if column else ""
            found = connection.execute(f"select exists (select 1 from {table}{where})").fetchone()
            filled[table, column] = found == (True,)
    return not item.rows_from or any(filled[place] for place in item.rows_from)


def _ordered(item: SqlObject) -> str:
    """Query of a view in the order of its key: the same rows make the same file."""
    return f"select * from ({item.query}) order by {item.header['Key']}"
