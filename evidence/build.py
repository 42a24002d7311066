"""Compile a review folder into one DuckDB file.

The file is built under another name beside its target, checked, and put in place with one rename: whoever
has the old one open goes on reading it, and a build that fails or is killed leaves it as it was.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

import evidence
from evidence.database import STORAGE_VERSION, connect
from evidence.errors import CallError, EvidenceError
from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.folder.as_of import day_of
from evidence.review import Review, Rows, find, read
from evidence.store.blank import copy_blank, discard_blank
from evidence.store.definitions import remember
from evidence.store.rows import insert
from evidence.store.stored import refresh
from evidence.system import files
from evidence.system.progress import counted, tell

FORMAT_VERSION = "1"

_LEAST, _A_ROW = 100_000_000, 350
"""Bytes that the engine may hold in memory to compute views: in any case, and for each row stored."""

Progress = Callable[[str], None]


def build(
    review: str | Path,
    output: str | Path | None = None,
    *,
    as_of: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Compile a review folder into a DuckDB file.

    Parameters
    ----------
    review : str or Path
        A review folder, or the name of a bundled one.
    output : str or Path, optional
        The file; ``NAME.duckdb`` in the current directory without it.
    as_of : str, optional
        A year, month or day (``2015``, ``2015-06``, ``2015-06-30``): compile the review as it could have been
        then; see `evidence.folder.as_of`.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ReviewError
        If the folder has errors; all of them are in its `problems`.
    CallError
        If there is no such folder, the output cannot be written, or no study was known as of the day.
    EvidenceError
        If a day is given, and no study of the review has a date.

    Examples
    --------
    >>> import evidence
    >>> evidence.build("smoking", "smoking.duckdb").name
    'smoking.duckdb'
    """
    say = progress or tell
    folder = find(review)
    named = Path(output) if output is not None else Path(f"{folder.resolve().name}.duckdb")
    target = output_file(named)
    say("reading and checking the review folder")
    content = read(folder, None if as_of is None else day_of(as_of))
    has_claims = any(rows.table == "claim" and len(rows) for rows in content.rows)
    files.tidy(target)
    building = files.beside(target, "part")
    spill = files.beside(target, "writing")
    try:
        say("creating tables and views")
        with _empty(building) as connection:
            n_rows = sum(map(len, content.rows))
            say("storing rows")
            fill(connection, content)
            say("computing views")
            _bound(connection, n_rows, spill)
            refresh(connection)
            connection.execute("checkpoint")
        if has_claims:
            from evidence.checking.claims import record_verdicts

            say("checking claims")
            record_verdicts(building)
        say("putting the file in place")
        with files.locked(target.parent):
            files.put(building, target)
        remember(target)
    except OSError as error:
        raise files.cannot_write(named, error) from None
    except duckdb.IOException as error:
        raise files.cannot_write(named, error) from None
    finally:
        _remove(building)
        shutil.rmtree(spill, ignore_errors=True)
    return named


def _bound(connection: duckdb.DuckDBPyConnection, n_rows: int, spill: Path) -> None:
    """Have the engine put on the disk, beside the file, what goes beyond a few hundred bytes a row."""
    connection.execute(f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
    with contextlib.suppress(duckdb.OutOfMemoryException):
        connection.execute(f"set memory_limit = '{_LEAST + n_rows * _A_ROW}B'")


def _empty(path: Path) -> duckdb.DuckDBPyConnection:
    """Write an empty evidence base and open it."""
    copy_blank(path)
    try:
        return connect(path, write=True, journal=False)
    except CallError:
        # The cached file was damaged.
        discard_blank()
        _remove(path)
        copy_blank(path)
        return connect(path, write=True, journal=False)


def fill(connection: duckdb.DuckDBPyConnection, review: Review) -> None:
    """Store a review in an empty evidence base, and count its rows.

    The review is taken: what is stored is no longer in it, for two copies of every row take twice the memory.

    Raises
    ------
    EvidenceError
        If a row did not arrive.
    """
    expected = {table: len(reference(table)) for table in REFERENCE_TABLES}
    connection.execute("begin")
    try:
        every = (*review.rows, _build_info(review))
        for rows in counted(every, len(every), "storing tables"):
            expected[rows.table] = expected.get(rows.table, 0) + len(rows)
            insert(connection, rows.table, rows.columns)
            rows.columns.clear()
    except duckdb.Error as error:
        if files.is_of_the_disk(error):
            raise
        connection.execute("rollback")
        raise EvidenceError(f"{review.name} cannot be stored in table {rows.table}: {error}") from None
    connection.execute("commit")
    counts = connection.execute(
        " union all ".join(f"select '{table}', count(*) from {table}" for table in expected)
    ).fetchall()
    if wrong := {table: n for table, n in counts if n != expected[table]}:
        raise EvidenceError(f"Not every row of {review.name} was stored: {wrong} in place of {expected}.")


def _build_info(review: Review) -> Rows:
    info = {
        "format_version": FORMAT_VERSION,
        "package_version": evidence.__version__,
        "duckdb_version": duckdb.__version__,
        "storage_version": STORAGE_VERSION,
        "review": review.name,
        "content_hash": review.content_hash,
    } | ({} if review.as_of is None else review.as_of.info())
    return Rows("build_info", {"key": list(info), "value": list(info.values())})


def output_file(named: Path) -> Path:
    """Find the file to write, which is new or a DuckDB file."""
    if named.is_dir():
        example = str(named / "review.duckdb")
        raise CallError(f"{str(named)!r} is a folder: name the file to write, for example {example!r}.")
    target = files.target(named)
    if target.exists():
        with target.open("rb") as stream:
            start = stream.read(12)
        if start and start[8:12] != b"DUCK":
            raise CallError(f"{str(named)!r} exists and is not a DuckDB file: name another output.")
    return target


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        with contextlib.suppress(OSError):
            leftover.unlink(missing_ok=True)
