"""The only place that calls ``duckdb.connect``.

Every connection divides by zero with an error rather than with an infinity, never reads Python variables as
tables, and never fetches an extension. A connection for other people's SQL is also read-only, shut off from
files and network, and cannot be reconfigured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from evidence.errors import CallError

__all__ = ["attached", "connect"]

_ALWAYS: dict[str, Any] = {
    "ieee_floating_point_ops": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # A review fills few of the usual blocks of 256 kB: small ones make files an eighth as large.
    "default_block_size": 16384,
}
# Without a temporary directory a query that wants more than the memory limit ends, and fills no disk.
_LOCKED: dict[str, Any] = {"temp_directory": "", "enable_external_access": False, "lock_configuration": True}

# Files are written in the oldest format that holds what we use: other people's DuckDB 1.5 clients open them.
STORAGE_VERSION = "v1.5.0"

STORAGE = ("v1.2.0", "v1.4.0", STORAGE_VERSION)
"""Formats that an export can be written in, each for that version of DuckDB and all later ones."""


def connect(
    path: str | Path | None = None,
    *,
    write: bool = False,
    locked: bool = False,
    allowed_path: str | Path | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
    journal: bool = True,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database.

    Parameters
    ----------
    path : path, optional
        The file; without it, an empty database in memory (which is always writable).
    write : bool
        Open the file for writing, creating it where it does not exist, in a format DuckDB 1.5 can read.
    locked : bool
        For SQL that somebody else wrote: no access to files or network, configuration locked.
    allowed_path : path, optional
        With `locked`: the one file that may be written and read all the same.
    threads : int, optional
        Number of threads. Without it DuckDB's own choice, but one where the file is written: of several, the
        first to end writes first, and equal content would not be equal bytes.
    memory_limit : str, optional
        For example ``"2GB"``.
    journal : bool
        Whether what is written goes into a log first, from which the file of a killed process is mended; a
        file that is thrown away then needs none.

    Returns
    -------
    duckdb.DuckDBPyConnection

    Raises
    ------
    CallError
        If the file to read does not exist, is not a DuckDB file, or is open for writing elsewhere.
    """
    config = dict(_ALWAYS)
    if threads is not None or write:
        config["threads"] = threads or 1
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    connection = duckdb.connect(":memory:", config=config)
    if path is not None:
        # Attached to an instance of its own: all connections of a process to one path would share theirs,
        # and with it the old content of a file that has been replaced since.
        file = Path(path)
        if not write and not file.is_file():
            raise CallError(
                f"There is no file {str(file)!r}: build one with `evidence build REVIEW -o {file}`."
            )
        if file.is_file() and not _is_duckdb(file):
            raise CallError(
                f"{str(file)!r} cannot be read as a DuckDB file: name one that `evidence build` made, "
                "a review folder, or a bundled review."
            )
        access = f"storage_version '{STORAGE_VERSION}'" if write else "read_only"
        access += "" if journal else ", recovery_mode no_wal_writes"
        try:
            connection.execute(f"attach {_literal(os.fspath(file))} as evidence_file ({access})")
        except duckdb.Error as error:
            raise CallError(f"{str(file)!r} cannot be read as a DuckDB file: {error}") from None
        connection.execute("use evidence_file")
    if locked:
        # DuckDB takes allowed paths only once it runs, so the lock closes after that, not at the start.
        if allowed_path is not None:
            connection.execute(f"set allowed_paths = [{_literal(os.fspath(allowed_path))}]")
        for name, value in _LOCKED.items():
            connection.execute(f"set {name} = {value!r}")
    return connection


@contextmanager
def attached(
    connection: duckdb.DuckDBPyConnection, path: str | Path, name: str, storage: str = STORAGE_VERSION
) -> Iterator[None]:
    """Attach a file to write, in one of the formats `STORAGE`, and detach it afterwards."""
    connection.execute(f"attach {_literal(os.fspath(path))} as {name} (storage_version '{storage}')")
    try:
        yield
    finally:
        connection.execute(f"detach {name}")


def _is_duckdb(file: Path) -> bool:
    """Tell by its first bytes; an empty file counts, DuckDB fills it."""
    try:
        with file.open("rb") as stream:
            begin = stream.read(12)
    except OSError:
        return True  # DuckDB says what is the matter
    return not begin or begin[8:] == b"DUCK"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
