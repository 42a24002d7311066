"""Whether the views of a file are ours: files come from other people, and a view can say anything.

What an evidence base computes is defined by this package, not by the file. A file whose views, macros and
tables are those of this package, and whose stored rows are those that its views give, is read as it stands;
of any other, the rows are put under our definitions.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import duckdb

import evidence
from evidence.database import connect
from evidence.errors import CallError
from evidence.facts.reference import REFERENCE_TABLES
from evidence.store.blank import blank_file, copy_blank
from evidence.store.keys import is_kept, keys, load_order, violation
from evidence.store.stored import differing, refresh
from evidence.system.resources import cache_directory, schema_directory, sql_directory

_DEFINITIONS = """
    select 'view', view_name, sql from duckdb_views() where not internal and database_name = $name
    union all
    select 'table', table_name, sql from duckdb_tables() where not internal and database_name = $name
    union all
    select function_type, function_name || '(' || array_to_string(parameters, ', ') || ')', macro_definition
    from duckdb_functions() where not internal and database_name = $name
"""
_KEPT = 1000
# What `names.INVISIBLE` finds, as the engine writes it.
_INVISIBLE = r"[\x{1}-\x{8}\x{b}\x{c}\x{e}-\x{1f}\x{7f}\x{e000}-\x{e00f}\x{fffe}\x{ffff}]"


def are_ours(path: Path) -> bool:
    """Tell whether a file has the tables, views and macros of this package and no others.

    The answer is kept in the user's cache for as long as the file is the same.
    """
    if is_remembered(path):
        return True
    with connect(path) as connection:
        same = (
            _digest(connection, "evidence_file") == _own()
            and not _holds_invisible(connection)
            and not differing(connection)
        )
    if same:
        remember(path)
    return same


def is_remembered(path: Path) -> bool:
    """Tell whether a file is as this package last wrote it, or as it was found to be ours."""
    with suppress(OSError):
        return _mark(path) in _register().read_text(encoding="utf-8").split()
    return False


def remember(path: Path) -> None:
    """Note in the user's cache that a file was written by this package."""
    register = _register()
    with suppress(OSError):
        known = register.read_text(encoding="utf-8").split() if register.exists() else []
        part = register.with_name(f"{register.name}.{os.getpid()}.part")
        part.write_text("\n".join([*known, _mark(path)][-_KEPT:]), encoding="utf-8")
        os.replace(part, register)


def own_copy(path: Path, target: Path) -> list[str]:
    """Write the rows of an evidence base under the definitions of this package.

    Parameters
    ----------
    path : Path
        The file, which may be anybody's: nothing in it but rows of tables is read.
    target : Path
        Where to write to.

    Returns
    -------
    list of str
        Tables and views of the file that were left behind, for they are none of this package's.

    Raises
    ------
    CallError
        If the tables are those of another version.
    """
    copy_blank(target)
    with connect(target, write=True) as connection:
        connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as foreign_file (read_only)")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        foreign = _columns(connection, "foreign_file")
        own = _columns(connection, "evidence_file")
        _check(path, own, foreign)
        keyed = _keyed(connection)
        for table in load_order(connection):
            names = ", ".join(f'"{name}"' for name in foreign[table])
            cells = ", ".join(
                f"regexp_replace(\"{name}\", '{_INVISIBLE}', ' ', 'g')" if kind == "VARCHAR" else f'"{name}"'
                for name, kind in foreign[table].items()
            )
            # What a review adds to the reference data is taken; what it says of ours is not.
            insert = "insert into"
            if table in REFERENCE_TABLES:
                if table not in keyed:
                    continue
                insert = "insert or ignore into"
            try:
                connection.execute(
                    f'{insert} {table} ({names}) select {cells} from foreign_file.main."{table}"'
                )
            except duckdb.Error as error:
                raise _another_version(path, f"table {table} cannot be read: {error}") from None
            for key in keys():
                if key.table == table and not is_kept(table) and (said := violation(connection, key)):
                    raise _another_version(path, f"table {table} cannot be read: {said}")
        left = [
            row[0]
            for row in connection.execute(
                "select table_name from duckdb_tables() "
                "where database_name = 'foreign_file' and schema_name = 'main' "
                "union all select view_name from duckdb_views() "
                "where not internal and database_name = 'foreign_file' order by 1"
            ).fetchall()
            if row[0] not in own and row[0] not in _views(connection)
        ]
        connection.execute("detach foreign_file")
        refresh(connection)
        connection.execute("checkpoint")
    return left


def _check(path: Path, own: dict[str, dict[str, str]], foreign: dict[str, dict[str, str]]) -> None:
    if "build_info" not in foreign:
        raise CallError(
            f"{str(path)!r} is a DuckDB file, but no evidence base: "
            "build one with `evidence build REVIEW -o FILE`."
        )
    # What a table or column would have said is not known, and empty is not the same: a plan without its order
    # of a funnel plot, a run without what entered it.
    lacks = [f"table {table}" for table in own if table not in foreign]
    lacks += [
        f"column {name} in table {table}"
        for table in own.keys() & foreign.keys()
        for name in own[table]
        if name not in foreign[table]
    ]
    more = [
        f"column {name} in table {table}"
        for table in own.keys() & foreign.keys()
        for name in foreign[table]
        if name not in own[table]
    ]
    if lacks:
        raise _another_version(path, f"it has no {', no '.join(sorted(lacks))}")
    if more:
        raise _another_version(path, f"it has a {', a '.join(sorted(more))}")


def _another_version(path: Path, why: str) -> CallError:
    return CallError(
        f"{str(path)!r} was not built by this version of evidence-base ({why}): build it anew from its "
        "review folder (`evidence build REVIEW -o FILE`), and run its plan again (`evidence analyse FILE`)."
    )


def _holds_invisible(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether a text holds characters that no reader sees; a build leaves none."""
    for table, columns in _columns(connection, "evidence_file").items():
        texts = ", ".join(f'"{name}"' for name, kind in columns.items() if kind == "VARCHAR")
        if texts and connection.execute(
            f"select exists (from \"{table}\" where regexp_matches(concat_ws(' ', {texts}), '{_INVISIBLE}'))"
        ).fetchone() == (True,):
            return True
    return False


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, dict[str, str]]:
    """Columns of each table, which is no view, with their types."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() inner join duckdb_tables() "
        "using (database_name, schema_name, table_name) where database_name = $name "
        "and schema_name = 'main' order by table_name, column_index",
        {"name": name},
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _keyed(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "select table_name from duckdb_constraints() "
            "where constraint_type = 'PRIMARY KEY' and database_name = 'evidence_file'"
        ).fetchall()
    }


def _views(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "select view_name from duckdb_views() where not internal and database_name = 'evidence_file'"
        ).fetchall()
    }


def _digest(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    rows = connection.execute(_DEFINITIONS, {"name": name}).fetchall()
    with suppress(duckdb.Error):  # Only DuckDB 2 has triggers, and none of ours.
        rows += connection.execute(
            "select 'trigger', trigger_name, sql from duckdb_triggers() where database_name = $name",
            {"name": name},
        ).fetchall()
    return hashlib.sha256(json.dumps(sorted(rows, key=repr)).encode()).hexdigest()


def _own() -> str:
    """Digest of this package's definitions, as this DuckDB writes them."""
    kept = blank_file().with_suffix(".definitions")
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="evidence-base-") as folder:
        blank = Path(folder) / "blank.duckdb"
        copy_blank(blank)
        with connect(blank) as connection:
            digest = _digest(connection, "evidence_file")
    with suppress(OSError):
        kept.write_text(digest, encoding="utf-8")
    return digest


def _register() -> Path:
    return cache_directory() / "own-files"


@cache
def _state_of_definitions() -> str:
    """Sizes and times of the files that define tables and views: they change without a version's number."""
    found = []
    for root in (schema_directory(), sql_directory()):
        for name in sorted(root.rglob("*.[sc][qs][lv]")):
            state = name.stat()
            found.append(f"{name.relative_to(root)}|{state.st_size}|{state.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _mark(path: Path) -> str:
    """Tell one state of a file, under one state of our definitions, from another, without reading either."""
    state = path.stat()
    versions = f"{evidence.__version__}|{duckdb.__version__}|{_state_of_definitions()}"
    text = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{state.st_ino}|{versions}"
    return hashlib.sha256(text.encode()).hexdigest()
