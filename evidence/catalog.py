"""What an evidence base holds, documented: tables, views, macros; and where a column comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from evidence.errors import CallError
from evidence.names import nearest
from evidence.store.objects import STORED
from evidence.store.viewmap import FIRST, ROOMS

if TYPE_CHECKING:
    from sqlglot.optimizer.scope import Scope
    from sqlglot.schema import Schema

    from evidence.query import EvidenceBase

__all__ = ["Catalog", "Column", "Entry", "Origin", "dictionary", "grouped"]


@dataclass(frozen=True)
class Column:
    """One column: its name, its DuckDB type, what it means."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class Entry:
    """One table, view or macro.

    Attributes
    ----------
    name : str
    kind : {"table", "view", "macro"}
    comment : str
        All of its documentation; lines ``Key: text`` for views and macros.
    columns : tuple of Column
        Of a table or view.
    parameters : tuple of str
        Of a macro.
    sql : str
        Its definition.
    """

    name: str
    kind: str
    comment: str = ""
    columns: tuple[Column, ...] = ()
    parameters: tuple[str, ...] = ()
    sql: str = ""

    @property
    def title(self) -> str:
        """First thing its documentation says."""
        first = self.comment.partition("\n")[0]
        return first.removeprefix("Title:").strip()

    @property
    def signature(self) -> str:
        """Name, with the parameters of a macro."""
        return f"{self.name}({', '.join(self.parameters)})" if self.kind == "macro" else self.name


@dataclass(frozen=True)
class Origin:
    """A column, and the columns that it is computed from.

    Attributes
    ----------
    relation, column : str
        Which column.
    kind : {"table", "view"}
        What the relation is: a table's column comes from the review folder.
    sources : tuple of Origin
        The columns it is computed from; empty for a table's, and where the same tree stands elsewhere.
    repeated : bool
        Whether its sources were left out because the same column stands above, with them.
    """

    relation: str
    column: str
    kind: str
    sources: tuple[Origin, ...] = ()
    repeated: bool = False

    @property
    def name(self) -> str:
        """``relation.column``."""
        return f"{self.relation}.{self.column}"

    def leaves(self) -> Iterator[str]:
        """Names of the table columns at the ends of the tree."""
        if self.kind == "table":
            yield self.name
        for source in self.sources:
            yield from source.leaves()


@dataclass
class Catalog:
    """The documentation of one evidence base.

    Parameters
    ----------
    db : EvidenceBase

    Examples
    --------
    >>> import evidence
    >>> from evidence.catalog import Catalog
    >>> with evidence.open("diabetes") as db:
    ...     print(Catalog(db).entry("contrast").title)
    ...     print(sorted(set(Catalog(db).lineage("contrast", "treatment_a").leaves())))
    Contrasts between arms
    ['arm.treatment', 'treatment.role']
    """

    db: EvidenceBase
    _scopes: dict[str, Scope] = field(default_factory=dict, repr=False)
    _known_sources: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict, repr=False)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every table, view and macro, by name: tables first, then views, then macros."""
        columns: dict[str, list[Column]] = {}
        for row in self.db.rows(
            "select table_name, column_name, data_type, comment from duckdb_columns() "
            "where not internal and database_name = current_database() and schema_name = 'main' "
            "order by table_name, column_index"
        ):
            columns.setdefault(row["table_name"], []).append(
                Column(row["column_name"], row["data_type"], row["comment"] or "")
            )
        found: dict[str, Entry] = {}
        queries = self._stored_queries()
        for kind in ("table", "view"):
            for row in self.db.rows(
                f"select {kind}_name as name, comment, sql from duckdb_{kind}s() where not internal "
                "and database_name = current_database() and schema_name = 'main' order by name"
            ):
                name = row["name"]
                sql = f"CREATE VIEW {name} AS {queries[name]};" if name in queries else row["sql"]
                found[name] = Entry(
                    name, kind, row["comment"] or "", tuple(columns.get(name, ())), (), sql or ""
                )
        for row in self.db.rows(
            "select function_name as name, comment, parameters, macro_definition from duckdb_functions() "
            "where not internal and function_type in ('macro', 'table_macro') order by name"
        ):
            definition = row["macro_definition"] or ""
            found[row["name"]] = Entry(
                row["name"], "macro", row["comment"] or "", (), tuple(row["parameters"]), definition
            )
        return found

    def _stored_queries(self) -> dict[str, str]:
        """Statements behind the views whose rows are kept, as the file has them."""
        if not self.db.value(
            "select count(*) from duckdb_tables() where table_name = 'definition' and schema_name = ?",
            [STORED],
        ):
            return {}
        return {row["view_name"]: row["query"] for row in self.db.rows(f"from {STORED}.definition")}

    def entry(self, name: str) -> Entry:
        """Find one object.

        Raises
        ------
        CallError
            If there is none of that name.
        """
        if name.lower() not in self.entries:
            whole, _, column = name.lower().partition(".")
            if column and whole in self.entries:
                hint = f" Its columns stand under {whole!r}; --lineage {name} follows one to its sources."
            else:
                close = nearest(name, self.entries)
                hint = f" Did you mean {close!r}?" if close else ""
            raise CallError(
                f"There is no table, view or macro {name!r}.{hint} `evidence catalog FILE` lists all."
            )
        return self.entries[name.lower()]

    def lineage(self, relation: str, column: str) -> Origin:
        """Follow a column through the views down to the tables.

        What a column is computed from counts, and so do the columns of scalar subqueries in it; conditions
        and joins that choose rows do not.

        Raises
        ------
        CallError
            If there is no such table or view, or no such column in it.
        """
        entry = self.entry(relation)
        known = [item.name for item in entry.columns]
        if column.lower() not in self._spelled[entry.name]:
            close = nearest(column, known)
            hint = f" Did you mean {close!r}?" if close else ""
            raise CallError(f"{relation!r} has no column {column!r}.{hint} It has: {', '.join(known)}.")
        return self._origin(entry.name, self._spelled[entry.name][column.lower()], set())

    def _origin(self, relation: str, column: str, seen: set[tuple[str, str]]) -> Origin:
        kind = self.entries[relation].kind
        if kind == "table":
            return Origin(relation, column, kind)
        if (relation, column) in seen:
            return Origin(relation, column, kind, repeated=True)
        seen.add((relation, column))
        sources = tuple(self._origin(*source, seen) for source in self._sources(relation, column))
        return Origin(relation, column, kind, sources)

    def _sources(self, relation: str, column: str) -> list[tuple[str, str]]:
        """Columns of tables and views that a view's column is computed from, in alphabetical order."""
        from sqlglot import exp
        from sqlglot.errors import SqlglotError
        from sqlglot.lineage import lineage

        if (relation, column) in self._known_sources:
            return self._known_sources[relation, column]
        try:
            scope = self._scope(relation)
            node = lineage(
                column,
                scope.expression,
                schema=self._schema,
                scope=scope,
                dialect="duckdb",
                # Copies of the statement, one for each step, would take most of the time.
                trim_selects=False,
                copy=False,
            )
        except SqlglotError as error:
            raise CallError(f"The lineage of {relation}.{column} cannot be followed: {error}.") from None
        # A leaf is a column of a table or view; its name is qualified by the alias used in the statement.
        leaves = {
            (leaf.expression.name, leaf.name.rpartition(".")[2].strip('"').lower())
            for leaf in node.walk()
            if isinstance(leaf.expression, exp.Table)
        }
        self._known_sources[relation, column] = sorted(
            (name, self._spelled[name].get(source, source)) for name, source in leaves
        )
        return self._known_sources[relation, column]

    def _scope(self, relation: str) -> Scope:
        """Parse the statement of a view, and resolve every column in it."""
        if relation not in self._scopes:
            import sqlglot
            from sqlglot.errors import SqlglotError
            from sqlglot.optimizer.qualify import qualify
            from sqlglot.optimizer.scope import build_scope

            statement = sqlglot.parse_one(self.entries[relation].sql, dialect="duckdb")
            query = qualify(
                statement.expression,
                schema=self._schema,
                dialect="duckdb",
                validate_qualify_columns=False,
                identify=False,
            )
            scope = build_scope(query)
            if scope is None:
                raise SqlglotError("it is no query")
            self._scopes[relation] = scope
        return self._scopes[relation]

    @cached_property
    def _spelled(self) -> dict[str, dict[str, str]]:
        """Columns of each table and view as they are spelled, by their names in small letters."""
        return {
            entry.name: {column.name.lower(): column.name for column in entry.columns}
            for entry in self.entries.values()
        }

    @cached_property
    def _schema(self) -> Schema:
        from sqlglot.schema import MappingSchema

        columns: dict[str, object] = {
            entry.name: {column.name: column.type for column in entry.columns}
            for entry in self.entries.values()
            if entry.columns
        }
        return MappingSchema(columns, dialect="duckdb")


_STEP = re.compile(r"\bA (?:step|tool) of\b")


def grouped(catalog: Catalog, *, every: bool = False) -> dict[str, list[Entry]]:
    """Put what there is into the order of reading.

    Parameters
    ----------
    catalog : Catalog
    every : bool
        With steps and tools of other views and reference data, too.

    Returns
    -------
    dict of str to list of Entry
        Under the words for each group: `FIRST`, results, the rooms of ``sql/``, what was typed.
    """
    from evidence.store.objects import sql_objects

    rooms = {item.name: item.room for item in sql_objects()}
    known = catalog.entries
    groups: dict[str, list[Entry]] = {"asked first": [known[name] for name in FIRST if name in known]}
    groups["results of analyses"] = []
    groups |= {ROOMS[room]: [] for room in (*(room for room in ROOMS if room != "macros"), "macros")}
    groups |= {"what was typed, as it was typed": [], "of this file alone": []}
    inner: dict[str, list[Entry]] = {"steps and tools of the above": [], "reference data": []}
    for name, entry in known.items():
        if name in FIRST:
            continue
        if _STEP.search(entry.comment):
            inner["steps and tools of the above"].append(entry)
        elif entry.kind == "table" and re.search("Reference data|Written by the build", entry.comment):
            inner["reference data"].append(entry)
        elif name.startswith("result_"):
            groups["results of analyses"].append(entry)
        elif entry.kind == "table":
            groups["what was typed, as it was typed"].append(entry)
        else:
            groups[ROOMS.get(rooms.get(name, ""), "of this file alone")].append(entry)
    if every:
        groups |= inner
    return {said: entries for said, entries in groups.items() if entries}


def as_html(db: EvidenceBase) -> str:
    """Write what an evidence base holds and what to ask first as HTML; every name escaped."""
    from evidence.output import SYNTHETIC
    from evidence.system.notebook import table

    review = next(iter(db.rows("select review, title, synthetic from review")), {})
    built = {row["key"]: row["value"] for row in db.rows("from build_info")}
    made = [
        f"made by version {built['package_version']}" if "package_version" in built else "",
        f"DuckDB file {db.path.name}" if db.path else "in memory",
    ]
    counts = [
        (db.value(f"select count(*) from {name}"), word)
        for name, word in (("study", "studies"), ("treatment", "treatments"), ("outcome", "outcomes"),
                           ("measurement", "measurements"), ("reported_contrast", "reported contrasts"),
                           ("rob_judgement", "judgements of risk of bias"), ("record", "records found"),
                           ("result_run", "analyses kept"))
    ]  # fmt: skip
    views = Catalog(db).entries
    rows = [(name, views[name].title) for name in FIRST if name in views]
    title = str(review.get("title") or review.get("review") or "Evidence base")
    warning = f'<p style="color: #b00020"><strong>{escape(SYNTHETIC)}</strong></p>'
    parts = [
        warning if review.get("synthetic") else "",
        f"<p><strong>{escape(title)}</strong><br>",
        f"{escape(', '.join(filter(None, made)))}</p>",
        f"<p>{', '.join(f'{n:,} {word}' for n, word in counts if n)}</p>",
        table(("Ask first", "What it holds"), rows),
        "<p>One of them: <code>db.sql(&quot;from contrast&quot;).df()</code>; "
        "all of them: <code>db.names()</code></p>",
    ]
    return f"<div>{''.join(parts)}</div>"


def dictionary(catalog: Catalog) -> list[dict[str, Any]]:
    """Return one row for each column of each table and view: the data dictionary."""
    return [
        {
            "object": entry.name,
            "kind": entry.kind,
            "column": column.name,
            "type": column.type,
            "meaning": column.comment,
            "object_meaning": re.sub(r"\s+", " ", entry.title),
        }
        for entry in catalog.entries.values()
        for column in entry.columns
    ]
