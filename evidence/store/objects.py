"""Macros, views and audits: one SQL object a file, documented in its header, put in order by what it uses.

A file is named after the object it creates and begins with a header of comment lines::

    -- Title: Contrasts between arms
    -- Grain: pair of arms x outcome x time point x measure
    -- Key: contrast_id
    -- Formula: ...
    -- Reference: ...
    -- Caveats: ...
    -- Columns:
    --   study: the study, unit of clustering
    --   estimate: effect of A minus B on the analysis scale

Text that belongs to a key goes on in the following, indented comment lines.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.store.keys import schema_statements, without_keys
from evidence.system.resources import sql_directory

if TYPE_CHECKING:
    import duckdb

# A name that hardly anybody gives a database: DuckDB takes "a.b" for a schema or for a database.
STORED = "view_rows"
"""Schema of the tables that keep the rows of views."""
_KEY = re.compile(
    r"^--\s?(Title|Grain|Key|Stored|Rows from|Formula|Reference|Caveats|Columns|Severity|Message):\s*(.*)$"
)
_CREATE = re.compile(r"create\s+(?:or\s+replace\s+)?(view|macro|table)\s+([a-z_0-9]+)", re.IGNORECASE)
_CREATE_VIEW = re.compile(r"^\s*create\s+or\s+replace\s+view\s+[a-z_0-9]+\s+as\s", re.IGNORECASE)
_COMMENT_LINES = re.compile(r"^(--[^\n]*\n)+")
_COMMENT = re.compile(r"--[^\n]*")
_NO_CODE = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
"""Strings and comments, whichever begins first: each may hold what begins the other."""
_WORD = re.compile(r"[a-z_][a-z_0-9]*", re.IGNORECASE)
_READ = re.compile(r"(?:from|join)\s+(\w+)")
_SUBQUERY = re.compile(r"(?:with|\),)\s+(\w+)(?:\s*\([^()]*\))?\s+as\s+(?:(?:not\s+)?materialized\s+)?\(")


@dataclass(frozen=True)
class SqlObject:
    """One macro or view with its documentation.

    Attributes
    ----------
    name : str
        Name of the object, equal to the file's stem.
    kind : {"view", "macro"}
        What it is.
    folder : str
        Folder under ``sql/`` it stands in (``staging``, ``macros/distributions``, ...).
    sql : str
        The file's text.
    header : dict of str to str
        Title, Grain, Key, Formula, Reference, Caveats, as far as given.
    columns : dict of str to str
        Meaning of each column of a view.
    """

    name: str
    kind: str
    folder: str
    sql: str
    header: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> str:
        """Room of ``sql/`` it stands in: staging, contrasts, pooling, ..."""
        return self.folder.partition("/")[0]

    @cached_property
    def words(self) -> frozenset[str]:
        """Names that the statement mentions (comments and strings left out)."""
        return frozenset(_WORD.findall(self._bare))

    @cached_property
    def uses(self) -> frozenset[str]:
        """Names that the statement reads from or calls, but for the subqueries that it names itself.

        A parser would say the same (a test holds that), and take seconds for what every command needs.
        """
        text = self._bare
        ends = {found[1]: _closing(text, found.end()) for found in _SUBQUERY.finditer(text)}
        # Before the end of its own subquery a name means what it means outside.
        read = {
            found[1]
            for found in _READ.finditer(text)
            if found.start() < ends.get(found[1], len(text))
            and text[found.start() - 9 : found.start()] != "distinct "
        }
        called = {_WORD.findall(part.split()[-1])[-1] for part in text.split("(") if part[-1:].isalnum()}
        return frozenset(read | called) - {self.name}

    @cached_property
    def _bare(self) -> str:
        return _NO_CODE.sub(lambda found: "''" if found[0][0] == "'" else "", self.sql).lower()

    @property
    def stored(self) -> bool:
        """Whether an evidence base keeps the rows of this view."""
        return "Stored" in self.header

    @property
    def constant(self) -> bool:
        """Whether its rows are kept from the empty file on, for no review changes them."""
        return self.header.get("Stored") == "when the empty file is made"

    @property
    def rows_from(self) -> tuple[tuple[str, str], ...]:
        """Tables, each with a column or none: with no value in any, a view has no row; empty if not said."""
        named = filter(None, self.header.get("Rows from", "").split(", "))
        return tuple((table, column) for table, _, column in (name.partition(".") for name in named))

    @property
    def query(self) -> str:
        """The statement behind a view's name."""
        return _CREATE_VIEW.sub("", _COMMENT_LINES.sub("", self.sql), count=1).strip().removesuffix(";")

    @property
    def comment(self) -> str:
        """The text stored in the database as the object's comment."""
        return "\n".join(f"{key}: {text}" for key, text in self.header.items() if text)


def parse(path: Path, folder: str) -> SqlObject:
    """Read one SQL file of a folder of ``sql/``.

    Raises
    ------
    ValueError
        If the file creates no object, or one with another name than the file's.
    """
    sql = path.read_text(encoding="utf-8")
    header: dict[str, str] = {}
    columns: dict[str, str] = {}
    key = ""
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if match := _KEY.match(line):
            key = match[1]
            if key != "Columns":
                header[key] = match[2].strip()
        elif key == "Columns":
            name, colon, text = line[2:].strip().partition(":")
            if colon and re.fullmatch(r"[A-Za-z_0-9]+(, [A-Za-z_0-9]+)*", name):
                for column in name.split(", "):
                    columns[column] = text.strip()
                last = name.split(", ")
            else:
                for column in last:
                    columns[column] = f"{columns[column]} {line[2:].strip()}"
        elif key:
            header[key] = f"{header[key]} {line[2:].strip()}".strip()
    created = _CREATE.search(_COMMENT.sub("", sql))
    if created is None or created[2].lower() != path.stem:
        raise ValueError(f"{path} must create exactly one object, called {path.stem}")
    return SqlObject(path.stem, created[1].lower(), folder, sql, header, columns)


@lru_cache(maxsize=1)
def sql_objects() -> tuple[SqlObject, ...]:
    """All macros and views, each after everything it uses.

    Raises
    ------
    graphlib.CycleError
        If two objects use each other.
    """
    root = sql_directory()
    files = sorted(root.rglob("*.sql"))
    found = {path.stem: parse(path, path.parent.relative_to(root).as_posix()) for path in files}
    order = graphlib.TopologicalSorter(
        {name: sorted(item.uses & found.keys()) for name, item in found.items()}
    )
    return tuple(found[name] for name in order.static_order())


def create_tables(connection: duckdb.DuckDBPyConnection, *, all_keys: bool = True) -> None:
    """Create every table of the schema; without `all_keys` with those that the file of a review keeps."""
    for statement in schema_statements():
        connection.execute(statement if all_keys else without_keys(statement))


def used_by(names: Iterable[str]) -> tuple[SqlObject, ...]:
    """Macros and views that statements with these words stand on, and those among the words, in order."""
    objects = sql_objects()
    wanted, known = set(names), {item.name for item in objects}
    for item in reversed(objects):
        if item.name in wanted:
            wanted |= item.uses & known
    return tuple(item for item in objects if item.name in wanted)


def create_objects(
    connection: duckdb.DuckDBPyConnection, only: Iterable[str] | None = None, *, stored: bool = False
) -> None:
    """Create every macro and view, in order, with its documentation as comments.

    Parameters
    ----------
    connection : DuckDBPyConnection
        A writable database with the schema's tables.
    only : iterable of str, optional
        Names to create, together with everything they use.
    stored : bool
        Let the views whose header says so read tables that keep their rows (`evidence.store.stored`); without
        it, every view computes.
    """
    for item in sql_objects() if only is None else used_by(only):
        connection.execute(_reading_a_table(item) if stored and item.stored else item.sql)
        if item.kind == "view":
            connection.execute(f"comment on view {item.name} is {_literal(item.comment)}")
            for column, text in item.columns.items():
                connection.execute(f'comment on column {item.name}."{column}" is {_literal(text)}')
        else:
            word = "macro table" if re.search(r"\bas\s+table\b", item.sql, re.IGNORECASE) else "macro"
            connection.execute(f"comment on {word} {item.name} is {_literal(item.comment)}")


def _reading_a_table(item: SqlObject) -> str:
    """Statements that create a view whose rows are kept."""
    return (
        f"create schema if not exists {STORED}; "
        f"create table {STORED}.{item.name} as select * from ({item.query}) limit 0; "
        f"create or replace view {item.name} as select * from {STORED}.{item.name}"
    )


def _closing(text: str, start: int) -> int:
    """Place of the parenthesis that closes the one before `start`."""
    depth = 1
    for bracket in re.finditer(r"[()]", text[start:]):
        depth += 1 if bracket[0] == "(" else -1
        if depth == 0:
            return start + bracket.start()
    return len(text)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
