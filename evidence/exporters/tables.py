"""Every table and view, in formats that hold tables."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from evidence.output import SYNTHETIC, jsonable, write_workbook
from evidence.output import write_json as write_objects
from evidence.query import EvidenceBase
from evidence.selection import Selection
from evidence.store.rows import load_order
from evidence.system.files import replacing

_BATCH = 10_000


def write_csv(selection: Selection, directory: Path) -> list[Path]:
    """Write one CSV file for each table and view, and ``datapackage.json``, which describes them.

    A header, all digits, an empty cell for a missing value.
    """
    files = _each(selection, directory, "csv", _copy(selection, "format csv, header, delimiter ','"))
    package = directory / "datapackage.json"
    package.write_text(_data_package(selection, directory, files), encoding="utf-8")
    return [*files, package]


def write_parquet(selection: Selection, directory: Path) -> list[Path]:
    """Write one Parquet file for each table and view."""
    return _each(selection, directory, "parquet", _copy(selection, "format parquet, compression zstd"))


def write_json(selection: Selection, directory: Path) -> list[Path]:
    """Write one JSON file for each table and view: a list of objects, one a row."""

    def write(rows: str, file: Path) -> None:
        columns, content = _rows(selection.db, rows)
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            write_objects(columns, content, stream)

    return _each(selection, directory, "json", write)


def write_xlsx(selection: Selection, directory: Path) -> list[Path]:
    """Write a workbook of all tables and one of all views, a sheet each, in which no text is a formula."""
    files = []
    notice: list[tuple[str, Any, Any]] = (
        [("SIMULATED DATA", ("data",), [(SYNTHETIC,)])] if selection.synthetic else []
    )
    for kind in ("table", "view"):
        content = (
            (name, *_rows(selection.db, rows))
            for of_kind, name, rows in selection.content()
            if of_kind == kind
        )
        sheets = chain(notice, content)
        file = directory / f"{kind}s.xlsx"
        write_workbook(sheets, file)
        files.append(file)
    return files


def write_sqlite(selection: Selection, directory: Path) -> list[Path]:
    """Write one SQLite database: tables as they are, views as tables of their rows."""
    file = directory / "evidence.sqlite"
    with replacing(file) as temporary:
        database = sqlite3.connect(temporary)
        try:
            for _, name, rows in selection.content():
                columns, content = _rows(selection.db, rows)
                about = selection.catalog.entries[name].columns
                declared = ", ".join(f'"{item.name}" {_SQLITE.get(item.type, "text")}' for item in about)
                database.execute(f'create table "{name}" ({declared})')
                places = ", ".join("?" * len(columns))
                database.executemany(
                    f'insert into "{name}" values ({places})',
                    ([_plain(cell) for cell in row] for row in content),
                )
            database.commit()
        finally:
            database.close()
    return [file]


def write_duckdb(selection: Selection, directory: Path) -> list[Path]:
    """Write a DuckDB file that is an evidence base of its own, with every view and macro."""
    from evidence.database import STORAGE_VERSION, attached, connect
    from evidence.exporters.older import write_older
    from evidence.store.blank import copy_blank
    from evidence.store.stored import refresh

    file = directory / "evidence.duckdb"
    with replacing(file) as temporary:
        copy_blank(temporary)
        with attached(selection.db.connection, temporary, "subset"):
            for table in load_order(selection.db.connection):
                # The reference tables are there already, but for what the review adds.
                selection.db.connection.execute(
                    f'insert into subset."{table}" by name from "{table}" except all from subset."{table}"'
                )
            if not selection.whole:
                selection.db.connection.execute(
                    "insert into subset.build_info values ('subset', ?)", [str(selection.conditions)]
                )
        with connect(temporary, write=True, threads=1) as connection:
            refresh(connection)
        if selection.storage != STORAGE_VERSION:
            selection.lose("duckdb", *write_older(temporary, selection.storage))
    return [file]


_SQLITE = {
    "DOUBLE": "real",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "BOOLEAN": "integer",
}


def _plain(value: Any) -> Any:
    value = jsonable(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _each(
    selection: Selection, directory: Path, suffix: str, write: Callable[[str, Path], None]
) -> list[Path]:
    """Write each table and view into a file of its own."""
    files = []
    for kind, name, rows in selection.content():
        file = directory / f"{kind}s" / f"{name}.{suffix}"
        file.parent.mkdir(exist_ok=True)
        write(rows, file)
        selection.queries[file.relative_to(directory).as_posix()] = f"from {name} order by all"
        files.append(file)
    return files


def _copy(selection: Selection, options: str) -> Callable[[str, Path], None]:
    """Let DuckDB write a file."""

    def write(rows: str, file: Path) -> None:
        quoted = str(file).replace("'", "''")
        selection.db.connection.execute(f"copy {rows} to '{quoted}' ({options}, use_tmp_file false)")

    return write


def _rows(db: EvidenceBase, rows: str) -> tuple[list[str], Iterable[tuple[Any, ...]]]:
    """Columns and rows of a table, a batch at a time."""
    cursor = db.cursor().execute(f"from {rows}")
    columns = [column[0] for column in cursor.description]
    return columns, (row for batch in iter(lambda: cursor.fetchmany(_BATCH), []) for row in batch)


_FRICTIONLESS = {
    "DOUBLE": "number",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
}


def _data_package(selection: Selection, directory: Path, files: Iterable[Path]) -> str:
    """Describe CSV files as a Frictionless tabular data package (Data Package, version 1)."""
    db = selection.db
    keys: dict[str, list[str]] = {}
    foreign: dict[str, list[dict[str, Any]]] = {}
    written = {file.stem for file in files}
    for table, kind, columns, referenced, referenced_columns in db.connection.execute(
        "select table_name, constraint_type, constraint_column_names, referenced_table, "
        "referenced_column_names from duckdb_constraints() where database_name = current_database() "
        "order by table_name, constraint_index"
    ).fetchall():
        if kind == "PRIMARY KEY":
            keys[table] = list(columns)
        elif kind == "FOREIGN KEY" and referenced in written:
            reference = {
                "resource": "" if referenced == table else referenced,
                "fields": list(referenced_columns),
            }
            foreign.setdefault(table, []).append({"fields": list(columns), "reference": reference})
    resources = []
    for file in files:
        entry = selection.catalog.entries[file.stem]
        content = file.read_bytes()
        schema: dict[str, Any] = {
            "fields": [
                {"name": c.name, "type": _FRICTIONLESS.get(c.type, "string"), "description": c.comment}
                for c in entry.columns
            ],
            "missingValues": [""],
        }
        if file.stem in keys:
            schema["primaryKey"] = keys[file.stem]
        if file.stem in foreign:
            schema["foreignKeys"] = foreign[file.stem]
        resources.append(
            {
                "name": file.stem,
                "path": file.relative_to(directory).as_posix(),
                "profile": "tabular-data-resource",
                "description": entry.comment,
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": len(content),
                "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
                "schema": schema,
            }
        )
    review = db.rows("select * from review")[0]
    package = {
        "profile": "tabular-data-package",
        "name": _identifier(review["review"]),
        "title": review["title"],
        "description": review["question"],
        "sources": [{"title": review["citation"] or review["source"]}]
        if review["citation"] or review["source"]
        else None,
        "resources": resources,
    }
    given = {key: value for key, value in package.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, indent=1) + "\n"


def _identifier(text: str) -> str:
    """Make a name of lower-case letters, digits and dashes."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in text.lower())
