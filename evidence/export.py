"""Write the evidence, or a subset of it, for other tools, with a data dictionary and provenance."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evidence.condition import select_keys, select_studies
from evidence.database import connect
from evidence.errors import CallError, RefusedError
from evidence.exporters import LOSSES, WRITERS
from evidence.files import directory as whole_directory
from evidence.files import scratch
from evidence.names import nearest
from evidence.opening import open as open_base
from evidence.opening import resolve
from evidence.output import SYNTHETIC
from evidence.query import EvidenceBase
from evidence.results import versions
from evidence.storage import load_order, references
from evidence.stored import refresh

if TYPE_CHECKING:
    import duckdb

    from evidence.catalog import Catalog

T = TypeVar("T")

REVIEW_WIDE = (
    "screening", "record", "search", "flow", "published_estimate", "published_count", "claim", "claim_result",
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
            Name of a table with them; None if there are none.
        """
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

    def content(self) -> Iterator[tuple[str, str, str]]:
        """Give kind ("table" or "view"), name and sorted rows of everything that has rows."""
        for kind in ("table", "view"):
            for name in self.db.names(kind):
                rows = self.sorted_rows(name)
                if rows is not None:
                    yield kind, name, rows


def export(
    source: str | Path,
    directory: str | Path,
    formats: Sequence[str],
    *,
    where: str | None = None,
    outcomes: str | None = None,
    treatments: str | None = None,
) -> list[Path]:
    """Write the evidence, or a subset of it, with a data dictionary and its provenance.

    Parameters
    ----------
    source : str or Path
        An evidence base: a file, a review folder, or a bundled review's name.
    directory : path
        Folder to write; made where it is not there. What an earlier export wrote goes, files of others stay.
    formats : sequence of str
        Keys of `WRITERS`.
    where : str, optional
        Condition on study and characteristic columns, with subqueries on any table or view.
    outcomes, treatments : str, optional
        Conditions on the columns of the tables ``outcome`` and ``treatment``. Arms of other treatments and
        measurements of other outcomes are left out, and studies of which nothing is left.

    Returns
    -------
    list of Path
        Every file written, in order.

    Raises
    ------
    CallError
        If a format or a condition is not known, or the folder cannot be written.
    RefusedError
        If nothing meets the conditions, or none of the formats can hold anything of it.
    """
    writers = {name: _writer(name) for name in formats}
    target = Path(directory)
    # The evidence may stand in the folder written to; a review folder may not be it.
    inputs = [Path(source)] if Path(source).is_dir() else []
    with (
        select(resolve(source), Conditions(where, outcomes, treatments)) as selection,
        whole_directory(target, inputs=inputs) as staged,
    ):
        files: list[Path] = []
        refused: list[str] = []
        for name, write in writers.items():
            selection.lose(name, *([LOSSES[name]] if name in LOSSES else []))
            try:
                files += write(selection, staged)
            except RefusedError as error:
                refused.append(error.message)
                selection.lose(name, f"nothing is written: {error.message}")
        if not files:
            raise RefusedError("\n".join(refused))
        files += _dictionary(selection, staged)
        if selection.synthetic:
            notice = staged / "SIMULATED-DATA.txt"
            notice.write_text(f"{SYNTHETIC}\n", encoding="utf-8")
            files.append(notice)
        provenance = staged / "provenance.json"
        provenance.write_text(_provenance(selection, staged, files), encoding="utf-8")
        return [target / file.relative_to(staged) for file in (*files, provenance)]


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
        if not all(chosen.values()):
            raise RefusedError(f"Nothing meets the condition: {conditions}. There is nothing to export.")
        with scratch() as folder:
            copy = folder / "selection.duckdb"
            # What is open has the views of this package, whatever the file had: these may be run unlocked.
            shutil.copyfile(str(db.path), copy)
            connection = connect(copy, write=True, threads=1)
            try:
                if conditions != Conditions():
                    _keep(connection, chosen)
                yield Selection(EvidenceBase(connection, copy), conditions, tuple(chosen["study"]), n_studies)
            finally:
                connection.close()


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
    refers = defaultdict(set, references(connection))
    named = {
        (row[0], row[1])
        for row in connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    }
    # Rows that refer before those they refer to, each statement on its own: DuckDB checks a foreign key
    # against rows deleted in the same transaction.
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


def _writer(name: str) -> Callable[[Selection, Path], list[Path]]:
    if name not in WRITERS:
        close = nearest(name, WRITERS)
        hint = f" Did you mean {close!r}?" if close else ""
        raise CallError(f"There is no format {name!r}.{hint} There are: {', '.join(WRITERS)}.")
    module, _, function = WRITERS[name].partition(":")
    return getattr(import_module(module), function)


def _dictionary(selection: Selection, directory: Path) -> list[Path]:
    """Write what every table, view and column means, as CSV and to read."""
    from evidence.catalog import dictionary
    from evidence.output import write_csv

    catalog = selection.catalog
    rows = dictionary(catalog)
    rows += [
        {
            "object": file,
            "kind": "file",
            "column": column,
            "type": "",
            "meaning": meaning,
            "object_meaning": "",
        }
        for file, columns in selection.described.items()
        for column, meaning in columns.items()
    ]
    table = directory / "dictionary.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        write_csv(list(rows[0]), [list(row.values()) for row in rows], stream)
    lines = ["# Data dictionary", ""]
    for entry in catalog.entries.values():
        if not entry.columns:
            continue
        lines += [f"## {entry.name} ({entry.kind})", "", entry.comment.replace("\n", "  \n"), ""]
        lines += ["| column | type | meaning |", "| --- | --- | --- |"]
        for column in entry.columns:
            meaning = column.comment.replace("|", "\\|")
            lines.append(f"| {column.name} | {column.type.lower()} | {meaning} |")
        lines.append("")
    for file, columns in selection.described.items():
        lines += [f"## {file} (file)", "", "| column | meaning |", "| --- | --- |"]
        lines += [f"| {column} | {meaning} |" for column, meaning in columns.items()]
        lines.append("")
    text = directory / "dictionary.md"
    text.write_text("\n".join(lines), encoding="utf-8")
    return [table, text]


def _provenance(selection: Selection, directory: Path, files: Sequence[Path]) -> str:
    """Say where the files come from, without anything that differs between equal exports."""
    db = selection.db
    content = {
        "review": db.rows("select * from review"),
        "build": {
            row["key"]: row["value"] for row in db.rows("select key, value from build_info order by key")
        },
        "loaded_files": db.rows("select file, n_rows, sha256 from loaded_file order by file"),
        "where": selection.conditions.studies,
        "outcomes": selection.conditions.outcomes,
        "treatments": selection.conditions.treatments,
        "studies": list(selection.studies),
        "n_studies": {"selected": len(selection.studies), "in_evidence_base": selection.n_studies},
        "left_out": {
            name: "describes the review as a whole"
            for name in (*REVIEW_WIDE, "result_*")
            if not selection.whole
        },
        "losses": selection.losses,
        "queries": selection.queries,
        "versions": versions(),
        "files": {
            file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n"
