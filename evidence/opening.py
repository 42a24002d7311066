"""Open an evidence base by what users call it: a file, a review folder or the name of a bundled review."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import evidence
from evidence.database import connect
from evidence.errors import CallError
from evidence.query import EvidenceBase
from evidence.store.definitions import are_ours, is_remembered, own_copy
from evidence.system.files import refuse_log
from evidence.system.resources import cache_directory, schema_directory, sql_directory


def open(  # the name users call: evidence.open
    source: str | Path,
    *,
    as_of: str | None = None,
    locked: bool = True,
    memory_limit: str | None = None,
) -> EvidenceBase:
    """Open an evidence base for reading.

    Of a file whose views are not those of this package (made by another version, or by somebody else) only
    the rows of the tables are read, under the definitions of this package.

    Parameters
    ----------
    source : str or Path
        A file made by `evidence.build`, a review folder, or the name of a bundled review.
    as_of : str, optional
        A year, month or day: open the review as it could have been then. Of a folder or a bundled review.
    locked : bool
        No access to files or network, and the connection's settings cannot be changed.
    memory_limit : str, optional
        For example ``"1GB"``; DuckDB's own choice without it.

    Returns
    -------
    EvidenceBase
        To be closed, or used as a context manager.

    Raises
    ------
    CallError
        If there is nothing of that name, it is not an evidence base, or it cannot be cut to the day.
    ReviewError
        If a review folder cannot be built.

    Examples
    --------
    >>> import evidence
    >>> db = evidence.open("diabetes")
    >>> db.value("select count(*) from contrast where measure = 'MD'")
    28
    >>> db.close()
    """
    path = resolve(source, as_of)
    refuse_log(path)
    if path.parent == cache_directory() or are_ours(path):
        return EvidenceBase(connect(path, locked=locked, memory_limit=memory_limit), path)
    folder = TemporaryDirectory(prefix="evidence-base-")
    try:
        copy = Path(folder.name) / path.name
        left = own_copy(path, copy)
        connection = connect(copy, locked=locked, memory_limit=memory_limit)
    except BaseException:
        folder.cleanup()
        raise
    return EvidenceBase(connection, copy, folder=folder, left_behind=left)


def resolve(source: str | Path, as_of: str | None = None) -> Path:
    """File of an evidence base given as a file, a review folder or a bundled review's name.

    A folder is built once into the user's cache, under a name made of its content and of this package's SQL,
    and used again for as long as neither changes.

    Parameters
    ----------
    source : str or Path
    as_of : str, optional
        A year, month or day that the rows of a folder are cut to.

    Raises
    ------
    CallError
        If there is nothing of that name, or it cannot be cut to the day.
    ReviewError
        If the folder cannot be built.
    """
    path = Path(source)
    if path.is_file():
        if as_of is not None:
            raise CallError(
                f"{str(path)!r} is built already, and a day cuts the rows of a review folder: name the "
                f"folder, or build it as of then (`evidence build FOLDER --as-of {as_of} -o {path.name}`)."
            )
        return path
    if path.suffix == ".duckdb":
        raise CallError(f"There is no file {str(path)!r}: build one with `evidence build REVIEW -o {path}`.")
    # Not above: most files are there already, and what builds one takes longer to load than a query.
    from evidence.review import find

    folder = find(source)
    from evidence.folder.as_of import day_of

    day = None if as_of is None else day_of(as_of).isoformat()
    then = "" if day is None else f"-{day}"
    built = cache_directory() / f"{folder.resolve().name}{then}-{_content_hash(folder)[:16]}.duckdb"
    # A file that was cut short, or written by somebody else, is made anew.
    if not (built.is_file() and is_remembered(built)):
        from evidence.build import build

        build(folder, built, as_of=day)
    return built


def own_file(source: str | Path) -> Path:
    """File of the user's own, in which results can be kept.

    Raises
    ------
    CallError
        If `source` is a folder or a bundled review's name: what is built from these goes into a cache.
    """
    path = Path(source)
    if not path.is_file():
        resolve(source)
        raise CallError(
            f"Results are kept in a file, and {str(source)!r} is none: "
            f"`evidence build {source} -o {path.name}.duckdb` makes one."
        )
    return path


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha256(evidence.__version__.encode())
    for root, patterns in (
        (folder, ("*.csv", "*.toml")),
        (schema_directory(), ("*.sql", "reference/*.csv")),
        (sql_directory(), ("**/*.sql",)),
    ):
        for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
            if not path.is_file():  # A pipe would be waited for, a device read for ever; a build says so.
                continue
            content = path.read_bytes()
            digest.update(f"\0{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
