"""Changes are rows: the tables ``change_*`` of the new state's evidence base."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.changed.comparison import Comparison, comparing
from evidence.build import output_file
from evidence.database import connect
from evidence.store.definitions import remember
from evidence.store.rows import insert
from evidence.system.files import replacing
from evidence.system.frames import records

_COLUMNS = {
    "table": "table_name",
    "key": "row_key",
    "column": "column_name",
    "file": "source_file",
    "line": "source_line",
}
"""Columns of ``change_evidence`` whose names in Python are words of SQL."""


def tables(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of every table ``change_*``.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    dict of str to list of dict
    """
    evidence = [
        {_COLUMNS.get(name, name): value for name, value in asdict(one).items()}
        for one in comparison.evidence
    ]
    return {
        "change_state": comparison.states(),
        "change_evidence": _numbered(evidence),
        "change_result": _numbered(records(comparison.results)),
        "change_conclusion": _numbered(records(comparison.conclusions)),
        "change_because": _numbered(records(comparison.because)),
    }


def _numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"change_id": number, **row} for number, row in enumerate(rows, 1)]


def keep(comparison: Comparison, output: Path) -> None:
    """Write the new state with its results and the tables of changes, in one atomic rename.

    Parameters
    ----------
    comparison : Comparison
        Its states open.
    output : Path
        File to write.

    Raises
    ------
    CallError
        If it cannot be written, or is there and no DuckDB file.
    """
    assert comparison.new.db.path is not None
    target = output_file(output)
    with replacing(target) as copy:
        shutil.copyfile(comparison.new.db.path, copy)
        write(comparison, copy)
    remember(target)


def write(comparison: Comparison, file: Path) -> None:
    """Put the rows into an evidence base that nobody else has open."""
    with connect(file, write=True) as connection:
        for table, rows in tables(comparison).items():
            connection.execute(f"delete from {table}")
            if rows:
                insert(connection, table, {name: [row[name] for row in rows] for name in rows[0]})
        connection.execute("checkpoint")


@contextmanager
def since_kept(
    old: str | None, new: str, *, progress: Callable[[str], None] | None = None
) -> Iterator[str | Path]:
    """Give a review with what changed since an earlier state in it, as `analysis.report.write` takes one.

    Without an earlier state it is the review as it was called.
    """
    if old is None:
        yield new
        return
    with TemporaryDirectory(prefix="evidence-since-") as folder:
        with comparing(old, new, complete=True, why=False, progress=progress) as comparison:
            file = Path(folder) / f"{comparison.new.material.info.get('review', 'review')}.duckdb"
            keep(comparison, file)
        yield file
