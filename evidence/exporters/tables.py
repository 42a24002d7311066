"""Every table and view, in formats that hold tables."""

from __future__ import annotations

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
from evidence.store.keys import keys, load_order
from evidence.system.files import replacing

_BATCH = 10_000


def write_csv(selection: Selection, directory: Path) -> list[Path]:
    """Write one CSV file for each table and view, and ``datapackage.json`` and ``csv-metadata.json``.

    A header, all digits, an empty cell for a missing value. They are described as Frictionless and as
    CSV on the Web have it.
    """
    files = _each(selection, directory, "csv", _copy(selection, "format csv, header, delimiter ','"))
    package = directory / "datapackage.json"
    primary, foreign = _keys({file.stem for file in files})
    package.write_text(_data_package(selection, directory, files, primary, foreign), encoding="utf-8")
    metadata = directory / "csv-metadata.json"
    metadata.write_text(_csv_on_the_web(selection, directory, files, primary, foreign), encoding="utf-8")
    return [*files, package, metadata]


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
        with connect(temporary, write=True) as connection:
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


Keys = dict[str, list[str]]
Foreign = dict[str, list[tuple[list[str], str, list[str]]]]


def _keys(written: set[str]) -> tuple[Keys, Foreign]:
    """Primary key of each table, and references to tables written: columns, table, columns of that."""
    primary: Keys = {}
    foreign: Foreign = {}
    for key in keys():
        if not key.referenced:
            primary[key.table] = list(key.columns)
        elif key.referenced in written:
            refers = (list(key.columns), key.referenced, list(key.referenced_columns))
            foreign.setdefault(key.table, []).append(refers)
    return primary, foreign


_CSVW = {"DOUBLE": "double", "INTEGER": "integer", "BIGINT": "integer", "HUGEINT": "integer",
         "BOOLEAN": "boolean", "DATE": "date"}  # fmt: skip


def _csv_on_the_web(
    selection: Selection, directory: Path, files: Iterable[Path], keys: Keys, foreign: Foreign
) -> str:
    """Describe CSV files as a table group (Metadata Vocabulary for Tabular Data, W3C 2015)."""
    place = {file.stem: file.relative_to(directory).as_posix() for file in files}
    # A reference that may be missing is none that validators of CSV on the Web know.
    required = set(
        selection.db.connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and not is_nullable"
        ).fetchall()
    )
    tables = []
    for name, url in place.items():
        entry = selection.catalog.entries[name]
        schema: dict[str, Any] = {
            "columns": [
                {
                    "name": c.name,
                    "titles": c.name,
                    "datatype": _CSVW.get(c.type, "string"),
                    "dc:description": c.comment,
                }
                for c in entry.columns
            ]
        }
        if name in keys:
            schema["primaryKey"] = keys[name]
        if name in foreign:
            schema["foreignKeys"] = [
                {"columnReference": columns, "reference": {"resource": place[to], "columnReference": theirs}}
                for columns, to, theirs in foreign[name]
                if all((name, column) in required for column in columns)
            ]
        tables.append({"url": url, "dc:description": entry.comment, "tableSchema": schema})
    review = selection.db.rows("select * from review")[0]
    group = {"@context": "http://www.w3.org/ns/csvw", "dc:title": review["title"], "tables": tables}
    return json.dumps(group, ensure_ascii=False, indent=1) + "\n"


def _data_package(
    selection: Selection, directory: Path, files: Iterable[Path], keys: Keys, foreign: Foreign
) -> str:
    """Describe CSV files as a Frictionless tabular data package (Data Package, version 1)."""
    resources = []
    for file in files:
        entry = selection.catalog.entries[file.stem]
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
            schema["foreignKeys"] = [
                {
                    "fields": columns,
                    "reference": {"resource": "" if to == file.stem else to, "fields": theirs},
                }
                for columns, to, theirs in foreign[file.stem]
            ]
        resources.append(
            {
                "name": file.stem,
                "path": file.relative_to(directory).as_posix(),
                "profile": "tabular-data-resource",
                "description": entry.comment,
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": file.stat().st_size,
                "hash": f"sha256:{selection.digest(file)}",
                "schema": schema,
            }
        )
    review = selection.db.rows("select * from review")[0]
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
