"""A copy of the evidence that holds only what meets some conditions: formats are written from it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evidence.checking.condition import select_keys, select_studies
from evidence.database import STORAGE_VERSION, connect
from evidence.errors import RefusedError
from evidence.opening import open as open_base
from evidence.query import EvidenceBase
from evidence.store.keys import load_order, references
from evidence.store.stored import refresh, stored_views
from evidence.system.files import scratch

if TYPE_CHECKING:
    import duckdb

    from evidence.catalog import Catalog

__all__ = ["Conditions", "Selection", "select"]

T = TypeVar("T")

REVIEW_WIDE = (
    "screening", "record_pair", "record", "search", "flow", "published_estimate", "published_count", "claim",
    "claim_result",
)  # fmt: skip
"""Tables that describe the review as a whole, and would say something wrong of a part of its studies."""


@dataclass(frozen=True)
class Conditions:
    """SQL conditions that make a subset; None where all is taken.

    Attributes
    ----------
    studies, outcomes, treatments : str or None
        On the columns of the table ``study`` (and characteristics), ``outcome`` and ``treatment``; each may
        hold subqueries on any table or view.
    """

    studies: str | None = None
    outcomes: str | None = None
    treatments: str | None = None

    def __str__(self) -> str:
        given = {"study": self.studies, "outcome": self.outcomes, "treatment": self.treatments}
        return "; ".join(f"{what} where {condition}" for what, condition in given.items() if condition)


@dataclass(frozen=True)
class Selection:
    """What is exported.

    Attributes
    ----------
    db : EvidenceBase
        A copy of the evidence base that holds only what was selected: every view is computed from it. Its
        connection may write files, and uses one thread, so that equal evidence gives equal bytes.
    conditions : Conditions
        What was asked for.
    studies : tuple of str
        The studies selected.
    n_studies : int
        How many the evidence base has.
    """

    db: EvidenceBase
    conditions: Conditions
    studies: tuple[str, ...]
    n_studies: int
    losses: dict[str, list[str]] = field(default_factory=dict)
    """What a format could not hold, by format; writers add to it with `lose`."""
    queries: dict[str, str] = field(default_factory=dict)
    """The query behind each file whose content is one query's answer, by name of the file."""
    storage: str = STORAGE_VERSION
    """Format of a DuckDB file, one of `evidence.database.STORAGE`."""
    described: dict[str, dict[str, str]] = field(default_factory=dict)
    """Meaning of each column of other files than those of tables and views, by name of the file."""
    _sorted: dict[str, str | None] = field(default_factory=dict, repr=False)
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def whole(self) -> bool:
        """Whether everything was selected."""
        return self.conditions == Conditions()

    @cached_property
    def catalog(self) -> Catalog:
        """The documentation of every table and view."""
        from evidence.catalog import Catalog

        return Catalog(self.db)

    def describe(self, file: str, columns: Mapping[str, str]) -> None:
        """Say what the columns of a file mean that is no table or view, for the data dictionary."""
        self.described[file] = dict(columns)

    def lose(self, format: str, *what: str) -> None:
        """Say what a format does not hold of the evidence selected."""
        said = self.losses.setdefault(format, [])
        said += [text for text in what if text not in said]

    @cached_property
    def synthetic(self) -> bool:
        """Whether the review's data are simulated."""
        return bool(self.db.value("select bool_or(synthetic) from review"))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Make something that several formats are written from, once for all of them."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def sorted_rows(self, name: str) -> str | None:
        """Sort the rows of a table or view by all its columns, once for all formats.

        In the copy, a view is replaced by its rows: views that read it need not compute it again.

        Returns
        -------
        str or None
            Name of a table or view with them; None if there are none.
        """
        if name not in self._sorted and name in in_order():
            self._sorted[name] = name if self.db.value(f"select exists (from {name})") else None
        if name not in self._sorted:
            table = f'memory."{name}"'
            self._sorted[name] = table
            entry = self.catalog.entries[name]
            if entry.kind == "view":
                # Only a matter of speed: views that are missed here are computed once more.
                for read in _READ.findall(entry.sql):
                    if read in self.catalog.entries:
                        self.sorted_rows(read)
            self.db.connection.execute(f"create table {table} as from {name} order by all")
            if entry.kind == "view":
                self.db.connection.execute(f"create or replace view {name} as from {table}")
            if not self.db.value(f"select exists (from {table})"):
                self._sorted[name] = None
        return self._sorted[name]

    def digest(self, file: Path) -> str:
        """SHA-256 of a file that an exporter has written, which does not change any more."""
        return self.once(f"sha256 of {file}", lambda: _digest(file))

    def content(self) -> Iterator[tuple[str, str, str]]:
        """Give kind ("table" or "view"), name and sorted rows of everything that has rows."""
        for kind in ("table", "view"):
            for name in self.db.names(kind):
                rows = self.sorted_rows(name)
                if rows is not None:
                    yield kind, name, rows


@contextmanager
def select(path: Path, conditions: Conditions = Conditions()) -> Iterator[Selection]:
    """Make a copy of an evidence base that holds only what meets some conditions.

    Raises
    ------
    CallError
        If a condition is wrong.
    RefusedError
        If nothing meets them.
    """
    with open_base(path) as db:
        n_studies = db.value("select count(*) from study")
        chosen = {
            "study": select_keys(db, "study", None)
            if conditions.studies is None
            else select_studies(db, conditions.studies),
            "outcome": select_keys(db, "outcome", conditions.outcomes),
            "treatment": select_keys(db, "treatment", conditions.treatments),
        }
        if conditions.outcomes is not None or conditions.treatments is not None:
            chosen["study"] = [row["study"] for row in db.rows(_LEFT, chosen)]
        # A review may have no study yet: all of it is what was asked for.
        if conditions != Conditions() and not all(chosen.values()):
            raise RefusedError(f"Nothing meets the condition: {conditions}. There is nothing to export.")
        with scratch() as folder:
            copy = folder / "selection.duckdb"
            # What is open has the views of this package, whatever the file had: these may be run unlocked.
            shutil.copyfile(str(db.path), copy)
            connection = connect(copy, write=True)
            try:
                # Conditions of the plan are tried in a process of their own, which needs a file of its own.
                asked = path if db.path is None else Path(db.path)
                if conditions != Conditions():
                    _keep(connection, chosen)
                    connection.execute("checkpoint")
                    asked = folder / "asked.duckdb"
                    shutil.copyfile(copy, asked)
                yield Selection(
                    EvidenceBase(connection, asked), conditions, tuple(chosen["study"]), n_studies
                )
            finally:
                connection.close()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def in_order() -> frozenset[str]:
    """Name the views whose rows the file keeps in the order of all columns: they begin with their key."""
    return frozenset(
        item.name
        for item in stored_views()
        if item.header["Key"].split(", ") == list(item.columns)[: item.header["Key"].count(",") + 1]
    )


_READ = re.compile(r"\b(?:from|join)\s+\(*(\w+)", re.IGNORECASE)
_LEFT = """
    select distinct study from (
        select measurement.study, outcome, treatment, treatment as versus
        from measurement inner join arm using (study, experiment, arm)
        union all
        select contrast.study, outcome, a.treatment, b.treatment as versus
        from reported_contrast as contrast
        inner join arm as a on (a.study, a.experiment, a.arm) = (contrast.study, contrast.experiment, arm_a)
        inner join arm as b on (b.study, b.experiment, b.arm) = (contrast.study, contrast.experiment, arm_b)
    )
    where list_contains($study::varchar[], study) and list_contains($outcome::varchar[], outcome)
        and list_contains($treatment::varchar[], treatment) and list_contains($treatment::varchar[], versus)
    order by study
"""

_KEYS = {"study": ("study",), "outcome": ("outcome",), "treatment": ("treatment", "versus", "reference")}
"""Columns that name a study, an outcome, a treatment, in tables that refer to theirs."""


def _keep(connection: duckdb.DuckDBPyConnection, chosen: Mapping[str, Sequence[str]]) -> None:
    """Delete what was not chosen, and what describes the review as a whole."""
    for what, keys in chosen.items():
        connection.execute(
            f"create temp table kept_{what} as select unnest(?::varchar[]) as key", [list(keys)]
        )
    refers = defaultdict(set, references())
    named = {
        (row[0], row[1])
        for row in connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    }
    # Rows that refer before those they refer to: which arms go is told by what is still there.
    for name in reversed(load_order(connection)):
        if name in REVIEW_WIDE or name.startswith("result_"):
            connection.execute(f"delete from {name}")
            continue
        gone = [
            f"({column} is not null and {column} not in (select key from kept_{what}))"
            for what, columns in _KEYS.items()
            for column in columns
            if (name, column) in named
            and (column == what == "study" or name == what or column in refers[name, what])
        ]
        for arm in ("arm", "arm_a", "arm_b"):
            if arm in refers[name, "arm"]:
                gone.append(
                    f"(study, experiment, {arm}) not in (select (study, experiment, arm) from arm "
                    "where treatment in (select key from kept_treatment))"
                )
        if gone:
            connection.execute(f"delete from {name} where {' or '.join(gone)}")
    refresh(connection)
