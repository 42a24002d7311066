"""Write the evidence, or a subset of it, for other tools, with a data dictionary and provenance."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.database import connect
from evidence.errors import CallError, RefusedError
from evidence.exporters import WRITERS
from evidence.names import nearest
from evidence.query import EvidenceBase, resolve
from evidence.query import open as open_base
from evidence.results import versions
from evidence.selection import select_studies

if TYPE_CHECKING:
    import duckdb

REVIEW_WIDE = ("screening", "record", "search", "flow", "published_estimate", "published_count", "claim")
"""Tables that describe the review as a whole, and would say something wrong of a part of its studies."""


@dataclass(frozen=True)
class Selection:
    """What is exported.

    Attributes
    ----------
    db : EvidenceBase
        A copy of the evidence base that holds only the studies selected: every view is computed from these.
        Its connection may write files, and uses one thread, so that equal evidence gives equal bytes.
    where : str or None
        The condition on studies.
    studies : tuple of str
        The studies selected.
    n_studies : int
        How many the evidence base has.
    """

    db: EvidenceBase
    where: str | None
    studies: tuple[str, ...]
    n_studies: int
    _sorted: dict[str, str | None] = field(default_factory=dict, repr=False)

    def sorted_rows(self, name: str) -> str | None:
        """Sort the rows of a table or view by all its columns, once for all formats.

        Returns
        -------
        str or None
            Name of a table with them; None if there are none.
        """
        if name not in self._sorted:
            table = f'memory."{name}"'
            self.db.connection.execute(f"create table {table} as from {name} order by all")
            self._sorted[name] = table if self.db.value(f"select exists (from {table})") else None
        return self._sorted[name]


def export(
    source: str | Path, directory: str | Path, formats: Sequence[str], *, where: str | None = None
) -> list[Path]:
    """Write the evidence, or a subset of it, with a data dictionary and its provenance.

    Parameters
    ----------
    source : str or Path
        An evidence base: a file, a review folder, or a bundled review's name.
    directory : path
        Folder to write into; made where it is not there. Files of the same names are replaced.
    formats : sequence of str
        Keys of `WRITERS`.
    where : str, optional
        Condition on study and characteristic columns.

    Returns
    -------
    list of Path
        Every file written, in order.

    Raises
    ------
    CallError
        If a format or the condition is not known, or the folder cannot be written.
    RefusedError
        If no study meets the condition.
    """
    writers = [_writer(name) for name in dict.fromkeys(formats)]
    path = resolve(source)
    target = Path(directory)
    with select(path, where) as selection:
        try:
            target.mkdir(parents=True, exist_ok=True)
            files = [file for write in writers for file in write(selection, target)]
            files += _dictionary(selection, target)
            provenance = target / "provenance.json"
            provenance.write_text(_provenance(selection, target, files), encoding="utf-8")
        except OSError as error:
            raise CallError(f"{str(target)!r} cannot be written: {error.strerror}.") from None
    return [*files, provenance]


@contextmanager
def select(path: Path, where: str | None = None) -> Iterator[Selection]:
    """Make a copy of an evidence base that holds only the studies that meet a condition.

    Raises
    ------
    CallError
        If the condition is wrong.
    RefusedError
        If no study meets it.
    """
    with open_base(path) as db:
        every = [row["study"] for row in db.rows("select study from study order by study")]
        chosen = every if where is None else select_studies(db, where)
    if not chosen:
        raise RefusedError(f"No study meets the condition {where!r}: there is nothing to export.")
    with tempfile.TemporaryDirectory(prefix="evidence-export-") as folder:
        copy = Path(folder) / "selection.duckdb"
        shutil.copyfile(path, copy)
        connection = connect(copy, write=True, threads=1)
        try:
            if len(chosen) < len(every):
                _keep(connection, chosen)
            yield Selection(EvidenceBase(connection, copy), where, tuple(chosen), len(every))
        finally:
            connection.close()


def _keep(connection: duckdb.DuckDBPyConnection, studies: Sequence[str]) -> None:
    """Delete what belongs to other studies, and what describes the review as a whole."""
    tables = [row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()]
    keyed = connection.execute(
        "select table_name, referenced_table from duckdb_constraints() where constraint_type = 'FOREIGN KEY'"
    ).fetchall()
    referring: dict[str, set[str]] = {name: set() for name in tables}
    for name, referenced in keyed:
        if name != referenced:
            referring[referenced].add(name)
    of_study = {
        row[0]
        for row in connection.execute(
            "select distinct table_name from duckdb_columns() where not internal and column_name = 'study'"
        ).fetchall()
    }
    # Rows that refer before those they refer to, each statement on its own: DuckDB checks a foreign key
    # against rows deleted in the same transaction.
    for name in TopologicalSorter(referring).static_order():
        if name in REVIEW_WIDE or name.startswith("result_"):
            connection.execute(f"delete from {name}")
        elif name in of_study and name in referring:
            connection.execute(
                f"delete from {name} where study is not null and not list_contains(?::varchar[], study)",
                [list(studies)],
            )


def _writer(name: str) -> Callable[[Selection, Path], list[Path]]:
    if name not in WRITERS:
        close = nearest(name, WRITERS)
        hint = f" Did you mean {close!r}?" if close else ""
        raise CallError(f"There is no format {name!r}.{hint} There are: {', '.join(WRITERS)}.")
    module, _, function = WRITERS[name].partition(":")
    return getattr(import_module(module), function)


def _dictionary(selection: Selection, directory: Path) -> list[Path]:
    """Write what every table, view and column means, as CSV and to read."""
    from evidence.catalog import Catalog, dictionary
    from evidence.output import write_csv

    catalog = Catalog(selection.db)
    rows = dictionary(catalog)
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
    text = directory / "dictionary.md"
    text.write_text("\n".join(lines), encoding="utf-8")
    return [table, text]


def _provenance(selection: Selection, directory: Path, files: Sequence[Path]) -> str:
    """Say where the files come from, without anything that differs between equal exports."""
    db = selection.db
    subset = len(selection.studies) < selection.n_studies
    content = {
        "review": db.rows("select * from review"),
        "build": {
            row["key"]: row["value"] for row in db.rows("select key, value from build_info order by key")
        },
        "loaded_files": db.rows("select file, n_rows, sha256 from loaded_file order by file"),
        "where": selection.where,
        "studies": list(selection.studies),
        "n_studies": {"selected": len(selection.studies), "in_evidence_base": selection.n_studies},
        "left_out": {
            name: "describes the review as a whole" for name in (*REVIEW_WIDE, "result_*") if subset
        },
        "versions": versions(),
        "files": {
            file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n"
