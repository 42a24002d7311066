"""An empty evidence base, made once: every build starts from a copy of it.

Creating the views takes DuckDB a second or two, because it binds each with everything it stands on; copying a
file in which they are takes no time. It is kept in the user's cache, under a hash of what it was made from.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import struct
import time
import uuid
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.database import STORAGE_VERSION, connect
from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.store.keys import schema_statements, without_keys
from evidence.store.objects import create_objects, create_tables, sql_objects
from evidence.store.rows import insert
from evidence.store.stored import keep_definitions, refresh
from evidence.system.resources import cache_directory

if TYPE_CHECKING:
    import duckdb

_KEPT = 4


def create(connection: duckdb.DuckDBPyConnection, only: Collection[str] | None = None) -> None:
    """Create tables, macros and views in an empty database, and fill in the reference data.

    Of macros and views those in `only`, if it is given, and what they stand on.
    """
    create_tables(connection, all_keys=False)
    for table in REFERENCE_TABLES:
        rows = reference(table)
        insert(connection, table, {name: [row[name] for row in rows] for name in rows[0]})
    create_objects(connection, only, stored=True)
    if only is None:
        keep_definitions(connection)
    refresh(connection, only)


def copy_blank(target: Path) -> None:
    """Write an empty evidence base.

    Raises
    ------
    OSError
        If the target cannot be written.
    """
    full: OSError | None = None
    with contextlib.suppress(OSError):
        if not blank_file().exists():
            _make(blank_file())
        try:
            shutil.copyfile(blank_file(), target)
            return
        except OSError as error:
            full = error if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else None
    if full is not None:  # It is the target's disk, not the cache's.
        raise full
    # No cache to write to, or to read from: do without.
    _create_file(target)


def discard_blank() -> None:
    """Forget the cached file: it could not be read."""
    with contextlib.suppress(OSError):
        blank_file().unlink(missing_ok=True)


def _make(blank: Path) -> None:
    making = blank.with_name(f"{blank.stem}-{uuid.uuid4().hex}.making")
    try:
        _create_file(making)
        os.replace(making, blank)
    finally:
        making.unlink(missing_ok=True)
    _tidy(blank.parent)


def _create_file(path: Path) -> None:
    """Create the file; of the same definitions and version its bytes are the same."""
    with connect(path, write=True) as connection:
        # At once: each of 1,500 statements would be written to the log by itself.
        connection.execute("begin")
        create(connection)
        connection.execute("commit")
        connection.execute("checkpoint")
    name_by_content(path)


_HEADER, _CHECKSUM, _NAME = 4096, slice(0, 8), slice(124, 140)
"""Size of the first header of a DuckDB file, and where its checksum and the file's identifier stand."""


def name_by_content(path: Path) -> None:
    """Put a digest of the definitions in place of the random bytes by which DuckDB tells files apart.

    The identifier ties a write-ahead log to its file, and here there is none. Only a header whose checksum is
    the one of DuckDB's source (`src/common/checksum.cpp`) is written anew: another format is not touched.
    """
    with path.open("r+b") as file:
        header = bytearray(file.read(_HEADER))
        if len(header) == _HEADER and any(header[_NAME]) and header[_CHECKSUM] == _checksum(header):
            header[_NAME] = hashlib.sha256(blank_file().name.encode()).digest()[:16]
            header[_CHECKSUM] = _checksum(header)
            file.seek(0)
            file.write(header)


def _checksum(header: bytes | bytearray) -> bytes:
    total = 5381
    for (word,) in struct.iter_unpack("<Q", header[8:]):
        total ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    return struct.pack("<Q", total)


def _tidy(directory: Path) -> None:
    """Remove blank files of older versions, and what killed processes left behind."""
    blanks = sorted(directory.glob("blank-*.duckdb"), key=lambda path: -path.stat().st_mtime)
    left_behind = [
        path for path in directory.glob("blank-*.making*") if time.time() - path.stat().st_mtime > 3600
    ]
    for path in (*blanks[_KEPT:], *left_behind):
        path.unlink(missing_ok=True)


@cache
def blank_file() -> Path:
    """Return the place of the blank file of this schema, these views and this DuckDB."""
    import duckdb

    digest = hashlib.sha256(f"{duckdb.__version__} {STORAGE_VERSION}".encode())
    for statement in schema_statements():
        digest.update(without_keys(statement).encode())
    for table in REFERENCE_TABLES:
        digest.update(repr(reference(table)).encode())
    for item in sql_objects():
        digest.update(item.sql.encode())
    return cache_directory() / f"blank-{digest.hexdigest()[:16]}.duckdb"
