"""The data dictionary and the entity diagram, written from the schema itself.

``python -m evidence.store.dictionary`` rewrites ``schema/README.md``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.folder.layout import FILES
from evidence.store.objects import create_tables
from evidence.system.resources import schema_directory

if TYPE_CHECKING:
    import duckdb

_HEAD = """# Tables

Written by `python -m evidence.store.dictionary` from the statements in this folder; do not edit.

Each row of a table that is loaded from a review folder carries the file and the line it came from. *Key*
marks the primary key, *required* a column that is never empty. Keys and references of what a folder fills
are proven when it is read; the file itself keeps those of reference data and results.

"""


def data_dictionary() -> str:
    """Describe every table and column, and which refers to which, as Markdown with a Mermaid diagram."""
    from evidence.database import connect

    with connect() as connection:
        create_tables(connection)
        return _HEAD + _diagram(connection) + "".join(_sections(connection))


def _sections(connection: duckdb.DuckDBPyConnection) -> list[str]:
    comments = dict(connection.execute("select table_name, comment from duckdb_tables()").fetchall())
    columns: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for table, *column in connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() where not internal "
        "order by table_name, column_index"
    ).fetchall():
        columns[table].append((column[0], column[1].lower(), column[2]))
    keys, required, references = _constraints(connection)
    loaded = {file.table: file for file in FILES}
    sections = []
    for path in sorted(schema_directory().glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        sections.append(f"\n## {path.name}\n\n{_heading(text)}\n")
        for table in re.findall(r"create table (\w+)", text):
            file = loaded.get(table)
            origin = f" Loaded from `{file.name}`: one row per {file.grain}." if file else ""
            lines = [
                f"\n### {table}\n\n{comments[table]}{origin}\n\n",
                "| column | type | | meaning |\n",
                "|---|---|---|---|\n",
            ]
            for name, kind, comment in columns[table]:
                marks = ["key"] if name in keys[table] else ["required"] if name in required[table] else []
                marks += [f"→ {other}" for other in references[table].get(name, [])]
                lines.append(f"| {name} | {kind} | {', '.join(marks)} | {_cell(comment)} |\n")
            sections.append("".join(lines))
    return sections


def _constraints(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, dict[str, list[str]]]]:
    """Primary keys, required columns and referenced tables, by table."""
    keys: dict[str, set[str]] = defaultdict(set)
    required: dict[str, set[str]] = defaultdict(set)
    references: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for table, kind, names, other in connection.execute(
        "select table_name, constraint_type, constraint_column_names, referenced_table "
        "from duckdb_constraints() order by table_name, constraint_index"
    ).fetchall():
        if kind == "PRIMARY KEY":
            keys[table].update(names)
        elif kind == "NOT NULL":
            required[table].update(names)
        elif kind == "FOREIGN KEY":
            for name in names:
                if other not in references[table][name]:
                    references[table][name].append(other)
    return keys, required, references


def _diagram(connection: duckdb.DuckDBPyConnection) -> str:
    rows = connection.execute(
        "select distinct referenced_table, table_name, array_to_string(constraint_column_names, ', ') "
        "from duckdb_constraints() where constraint_type = 'FOREIGN KEY' and table_name not like 'result_%' "
        "order by all"
    ).fetchall()
    lines = [f'    {parent} ||--o{{ {child} : "{names}"\n' for parent, child, names in rows]
    return (
        "```mermaid\nerDiagram\n"
        + "".join(lines)
        + "```\n\nEvery `result_*` table refers to `result_run` by `run_id`.\n"
    )


def _heading(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|").replace("\n", " ")


def write(path: Path | None = None) -> Path:
    """Write the data dictionary, by default to ``schema/README.md``."""
    target = path or schema_directory() / "README.md"
    target.write_text(data_dictionary(), encoding="utf-8")
    return target


if __name__ == "__main__":
    print(write())
