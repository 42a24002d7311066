"""The one gate for other people's SQL: it runs in a process of its own, which can always be stopped.

A review, a claim, a plan or a file may come from anybody. Their queries see one evidence base, read-only, and
neither files, network nor settings (the engine's own lock); they may take so much time and memory (an
interrupt, the engine's limit, the operating system's limit); and where the engine heeds none of these, or
crashes, only the process of the gate ends, and the person reads a sentence.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.errors import CallError, EvidenceError
from evidence.system.progress import counted

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from evidence.query import EvidenceBase

MEMORY: ContextVar[str] = ContextVar("memory", default="1GB")
"""Memory that a query from outside may use; the commands' option ``--memory`` raises it."""

TIMEOUT = 60.0
"""Seconds that a condition on studies, outcomes or treatments may take."""

_GRACE = 3.0
_ROOM = 2 << 30
"""Bytes that the program and its threads may use beside the engine's own limit."""

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a query returned.

    Attributes
    ----------
    columns, types : tuple of str
        Names, and DuckDB's types, of the columns.
    rows : iterator of tuple
        The rows, fetched as they are used.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def ask(source: EvidenceBase, query: str, *, timeout: float | None = TIMEOUT) -> Answer:
    """Run one query that somebody else wrote.

    Parameters
    ----------
    source : EvidenceBase
    query : str
        One statement that reads.
    timeout : float, optional
        Seconds that the engine may work on it, fetching included.

    Raises
    ------
    CallError
        For every way in which it can go wrong, at once or while the rows are fetched.
    """
    if source.path is not None:
        items = _apart(_ask, timeout, source.path, query, timeout)
    else:  # A database in memory is nobody else's.
        from evidence.query import ask as run

        items = run(source, query, timeout=timeout)
    columns, types = next(items)
    return Answer(columns, types, (row for batch in items for row in batch))


def ask_each(
    source: EvidenceBase, queries: Sequence[str], *, timeout: float, most: int
) -> list[tuple[list[tuple[Any, ...]], int] | CallError]:
    """Run queries that somebody else wrote, each within its own limits.

    Parameters
    ----------
    source : EvidenceBase
    queries : sequence of str
        One statement each.
    timeout : float
        Seconds for each.
    most : int
        Rows to return of each.

    Returns
    -------
    list of ((list of tuple, int) or CallError)
        The first rows of each query and how many it gave, or why it gave none.
    """
    if source.path is None:
        return list(_each(source, queries, timeout, most))
    found: list[tuple[list[tuple[Any, ...]], int] | CallError] = []
    while len(found) < len(queries):
        try:
            left = tuple(queries[len(found) :])
            answers = _apart(_ask_each, timeout, source.path, left, timeout, most)
            found.extend(counted(answers, len(left), "asking queries"))
        except CallError as error:  # What brings the process down takes none but itself along.
            found.append(error)
    return found


def save_parquet(source: EvidenceBase, query: str, target: Path, *, timeout: float | None = None) -> None:
    """Write the answer to a query that somebody else wrote into a Parquet file.

    DuckDB itself writes it, on a connection that is locked but for this one path.

    Parameters
    ----------
    source : EvidenceBase
        With a file behind it.
    query : str
        One statement that reads.
    target : Path
        A file that may be overwritten.
    timeout : float, optional
        As `ask`.

    Raises
    ------
    CallError
        As `ask`.
    """
    for _ in _apart(_write_parquet, timeout, source.path, query, target.absolute(), timeout):
        pass


def size(text: str) -> int:
    """Bytes that a size such as ``2GB`` or ``512MiB`` stands for.

    Raises
    ------
    CallError
        If it is none, or too small to work with.
    """
    number = text.strip().rstrip("BbKkMmGgTtIi").strip()
    unit = text.strip()[len(number) :].strip().upper()
    try:
        value = float(number) * _UNITS[unit]
    except (KeyError, ValueError):
        raise CallError(f"{text!r} is no amount of memory: write 2GB, 500MB or 4GiB.") from None
    if not 32e6 <= value < 1e15:
        raise CallError(f"A query cannot work within {text!r}: give it 32MB or more.")
    return int(value)


def _locked(path: Path, **options: Any) -> EvidenceBase:
    from evidence.database import connect
    from evidence.query import EvidenceBase

    return EvidenceBase(connect(path, locked=True, memory_limit=MEMORY.get(), **options), path)


def _ask(path: Path, query: str, timeout: float | None) -> Iterator[Any]:
    from evidence.query import ask as run

    with _locked(path) as db:
        items = run(db, query, timeout=timeout)
        yield next(items)
        for batch in items:
            yield _placeless(batch, path)


def _ask_each(path: Path, queries: Sequence[str], timeout: float, most: int) -> Iterator[Any]:
    with _locked(path) as db:
        for item in _each(db, queries, timeout, most):
            yield item if isinstance(item, CallError) else (_placeless(item[0], path), item[1])


def _each(db: EvidenceBase, queries: Sequence[str], timeout: float, most: int) -> Iterator[Any]:
    from evidence.query import ask as run

    for query in queries:
        first: list[tuple[Any, ...]] = []
        count = 0
        try:
            batches = run(db, query, timeout=timeout)
            next(batches)
            for batch in batches:
                first += batch[: most - len(first)]
                count += len(batch)
        except CallError as error:
            yield error
        else:
            yield first, count


def _placeless(rows: list[tuple[Any, ...]], path: Path) -> list[tuple[Any, ...]]:
    """Leave out the folder a file stands in: what a claim prints goes into reports that others read."""
    folder = f"{path.resolve().parent}{os.sep}"
    return [
        tuple(cell.replace(folder, "") if isinstance(cell, str) and folder in cell else cell for cell in row)
        for row in rows
    ]


def _write_parquet(path: Path, query: str, target: Path, timeout: float | None) -> Iterator[Any]:
    from evidence.query import write_parquet

    with _locked(path, allowed_path=target) as db:
        write_parquet(db, query, target, timeout=timeout)
    yield from ()


def _apart(work: Callable[..., Iterator[Any]], timeout: float | None, *given: Any) -> Iterator[Any]:
    """Run a generator in a process of its own and hand on what it yields; `timeout` is for each item."""
    from multiprocessing import get_context

    # A fork costs a hundredth of a new interpreter; only Linux has one that is safe beside other libraries.
    context: Any = get_context("fork" if sys.platform == "linux" else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, MEMORY.get(), work, given), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of threads beside a fork; the engine's are idle, and the child makes its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()
    try:
        while receiver.poll(None if timeout is None else timeout + _GRACE):
            try:
                kind, item = receiver.recv()
            except (EOFError, OSError):
                process.join()
                raise _died(process.exitcode) from None
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
        raise CallError(
            "The query took too long and could not be stopped: its process was ended. Narrow it, "
            "or give it more time (--timeout)."
        )
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        receiver.close()


def _died(code: int | None) -> CallError:
    if code is not None and code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            if name == "SIGKILL":
                return CallError("The query was killed, most likely for want of memory: narrow it.")
            return CallError(
                f"The database engine crashed on this query ({name}): nothing was changed. Ask another way."
            )
    return CallError("The query ended without an answer: ask another way.")


def _serve(sender: Connection, memory: str, work: Callable[..., Iterator[Any]], given: Sequence[Any]) -> None:
    """Work in the process of the gate."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    MEMORY.set(memory)
    _bound(size(memory) + _ROOM)
    try:
        try:
            for item in work(*given):
                sender.send(("item", item))
            sender.send(("end", None))
        except MemoryError:
            from evidence.query import too_much

            sender.send(("error", too_much()))
        except EvidenceError as error:
            sender.send(("error", error))
    except (BrokenPipeError, ConnectionResetError):
        pass  # Nobody wants the rest.
    finally:
        sender.close()
        # Neither the engine nor Python need clear up, and either may wait for a thread that is stuck.
        os._exit(0)


def _bound(most: int) -> None:
    """Have the operating system refuse memory that the engine's own limit does not count (one long list)."""
    try:
        import resource

        # Pages of data and stack, beside what the process has already.
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except (ImportError, OSError):  # Only Linux has both.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    given = [limit for limit in (soft, hard, used + most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(given), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
