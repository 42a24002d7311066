"""The only place that calls ``duckdb.connect``.

Every connection divides by zero with an error rather than with an infinity, never reads Python variables as
tables, and never fetches an extension. A connection for other people's SQL is also read-only, shut off from
files and network, and cannot be reconfigured.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

from evidence.errors import CallError

_ALWAYS: dict[str, Any] = {
    "ieee_floating_point_ops": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# Without a temporary directory a query that wants more than the memory limit ends, and fills no disk.
_LOCKED: dict[str, Any] = {"temp_directory": "", "enable_external_access": False, "lock_configuration": True}

# Files are written in the oldest format that holds what we use: other people's DuckDB 1.5 clients open them.
STORAGE_VERSION = "v1.5.0"


def connect(
    path: str | Path | None = None,
    *,
    write: bool = False,
    locked: bool = False,
    allowed_path: str | Path | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
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
        Number of threads; DuckDB's own choice without it.
    memory_limit : str, optional
        For example ``"2GB"``.

    Returns
    -------
    duckdb.DuckDBPyConnection

    Raises
    ------
    CallError
        If the file to read does not exist, is not a DuckDB file, or is open for writing elsewhere.
    """
    config = dict(_ALWAYS)
    if threads is not None:
        config["threads"] = threads
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    if locked and allowed_path is None:
        config |= _LOCKED
    if path is None:
        return duckdb.connect(":memory:", config=config)
    file = Path(path)
    if write:
        connection = duckdb.connect(":memory:", config=config)
        quoted = str(file).replace("'", "''")
        connection.execute(f"attach '{quoted}' as evidence_file (storage_version '{STORAGE_VERSION}')")
        connection.execute("use evidence_file")
        return connection
    if not file.is_file():
        raise CallError(f"There is no file {str(file)!r}: build one with `evidence build REVIEW -o {file}`.")
    try:
        connection = duckdb.connect(str(file), read_only=True, config=config)
    except duckdb.Error as error:
        raise CallError(f"{os.fspath(file)!r} cannot be read as a DuckDB file: {error}") from None
    if locked and allowed_path is not None:
        # DuckDB takes allowed paths only once it runs, so the lock closes after that, not at the start.
        quoted = os.fspath(allowed_path).replace("'", "''")
        connection.execute(f"set allowed_paths = ['{quoted}']")
        for name, value in _LOCKED.items():
            connection.execute(f"set {name} = {value!r}")
    return connection
