"""Ask an evidence base: run SQL on it, and let other people's SQL run on it without harm."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from evidence.errors import CallError
from evidence.names import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EvidenceBase", "ask", "check"]

_READING = ("SELECT", "EXPLAIN")
_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(
    rf"^{_BLANK}explain\b{_BLANK}(?:analyze\b{_BLANK})?(?:\([\w\s,']*\){_BLANK})?", re.I | re.S
)
_BATCH = 2048

Parameters = Sequence[Any] | dict[str, Any] | None
_Asked = tuple[str, tuple[Any, ...]]


class EvidenceBase:
    """One evidence base, open for reading.

    Parameters
    ----------
    connection : DuckDBPyConnection
        A connection to it.
    path : Path, optional
        The file behind the connection; None for a database in memory.
    folder : TemporaryDirectory, optional
        Where the file stands, if it is a copy that goes with the connection.
    left_behind : sequence of str
        Tables and views of the file asked for that are not in the copy.

    Examples
    --------
    >>> import evidence
    >>> db = evidence.open("diabetes")
    >>> db.value("select count(*) from study")
    26
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path | None = None,
        *,
        folder: TemporaryDirectory[str] | None = None,
        left_behind: Sequence[str] = (),
    ) -> None:
        self.connection = connection
        self.path = path
        self.left_behind = tuple(left_behind)
        self._folder = folder
        self._kept: dict[_Asked, list[dict[str, Any]]] = {}
        self._kept_frames: dict[_Asked, pd.DataFrame] = {}

    def sql(self, query: str, params: Parameters = None) -> duckdb.DuckDBPyRelation:
        """Run a query.

        Parameters
        ----------
        query : str
            One SQL statement; values from outside go into `params`, never into the text.
        params : sequence or mapping, optional
            Values of ``?`` or ``$name``.

        Returns
        -------
        duckdb.DuckDBPyRelation
            Lazy result: ``.df()`` for pandas, ``.fetchall()`` for tuples.

        Raises
        ------
        CallError
            If the query names something that is not there, or would change anything.

        Examples
        --------
        >>> query = "select treatment_a, treatment_b, k from pooled where measure = 'MD' and k > ? order by k"
        >>> db.sql(query, [3]).fetchall()
        [('metf', 'plac', 4), ('rosi', 'plac', 6)]
        """
        try:
            return self.connection.sql(query, params=params)
        except duckdb.Error as error:
            raise explain(self, query, error) from None

    def frame(self, query: str, params: Parameters = None) -> pd.DataFrame:
        """Rows of a query as a pandas frame; as `sql` and ``.df()``, which plan the query twice."""
        try:
            return self.connection.execute(query, params).df()
        except duckdb.Error as error:
            raise explain(self, query, error) from None

    def rows(self, query: str, params: Parameters = None) -> list[dict[str, Any]]:
        """Rows of a query as dictionaries by column name (no pandas needed).

        Examples
        --------
        >>> db.rows("select outcome, unit, lower_is_better from outcome")
        [{'outcome': 'hba1c', 'unit': '%', 'lower_is_better': True}]
        """
        try:
            cursor = self.connection.execute(query, params)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise explain(self, query, error) from None

    def kept_rows(self, query: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Rows of a query that is asked more than once: an open file does not change, so once is enough.

        Whoever asks is given the same rows: they are not to be changed in place.
        """
        if self.path is None:
            return self.rows(query, params)
        if (key := (query, tuple(params))) not in self._kept:
            self._kept[key] = self.rows(query, params)
        return self._kept[key]

    def kept_frame(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        """Give the rows of a query as a frame, kept as `kept_rows` keeps them; not to be changed in place."""
        if self.path is None:
            return self.frame(query, params)
        if (key := (query, tuple(params))) not in self._kept_frames:
            self._kept_frames[key] = self.frame(query, params)
        return self._kept_frames[key]

    def value(self, query: str, params: Parameters = None) -> Any:
        """First column of the first row, or None where there is no row."""
        rows = self.rows(query, params)
        return next(iter(rows[0].values())) if rows else None

    def names(self, *kinds: str) -> tuple[str, ...]:
        """Names of its tables and views, or of one kind of them ("table", "view"), in alphabetical order."""
        query = " union all ".join(
            f"select {kind}_name as name from duckdb_{kind}s() "
            "where not internal and database_name = current_database() and schema_name = 'main'"
            for kind in kinds or ("table", "view")
        )
        return tuple(row[0] for row in self.connection.execute(f"{query} order by name").fetchall())

    def columns(self, name: str) -> tuple[str, ...]:
        """Columns of a table or view, in order."""
        literal = name.replace("'", "''")
        query = (
            "select column_name from duckdb_columns() where not internal "
            "and database_name = current_database() and schema_name = 'main' "
            f"and lower(table_name) = lower('{literal}') order by column_index"
        )
        return tuple(row["column_name"] for row in self.kept_rows(query))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Make a connection of its own to the same evidence base; its results outlive other queries."""
        cursor = self.connection.cursor()
        if self.path is not None:
            cursor.execute(f"use {self.value('select current_database()')}")
        return cursor

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        # DuckDB waits for a query that Ctrl-C has left running; interrupted, it ends at once.
        self.connection.interrupt()
        self.connection.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        from evidence.catalog import as_html

        return as_html(self)

    def __repr__(self) -> str:
        return f"EvidenceBase({str(self.path) if self.path else 'in memory'})"


def check(db: EvidenceBase, query: str) -> str:
    """Return the query without its closing semicolon, if it is one statement that only reads.

    The engine's lock is what protects the file and the machine; this only says early and in words what is
    wrong.

    Raises
    ------
    CallError
        If it is empty, more than one statement, or does anything but read.
    """
    try:
        statements = db.connection.extract_statements(query)
    except duckdb.Error as error:
        raise explain(db, query, error) from None
    if not statements:
        raise CallError("The query is empty: write one SQL statement, e.g. `select * from study`.")
    if len(statements) > 1:
        raise CallError(
            "One statement at a time: this text holds several (a PIVOT without IN (...) counts as several)."
        )
    kind = _kind(statements[0])
    if kind not in _READING:
        raise CallError(f"A query may only read the evidence, and {kind} does more: begin it with SELECT.")
    if kind == "EXPLAIN" and not _explains_a_query(db, statements[0].query):
        raise CallError("EXPLAIN is for queries here: write `explain select ...`.")
    return statements[0].query.strip().rstrip(";")


def _kind(statement: duckdb.Statement) -> str:
    # DuckDB has kinds of statement that its Python package cannot name (UPDATE EXTENSIONS).
    with suppress(ValueError):
        if (name := statement.type.name).isidentifier():
            return name
    return statement.query.split()[0].upper()


def _explains_a_query(db: EvidenceBase, statement: str) -> bool:
    """Tell whether what an EXPLAIN explains is a query: explained with ANALYZE, it is carried out."""
    explained = _EXPLAIN.sub("", statement, count=1)
    try:
        return [_kind(part) for part in db.connection.extract_statements(explained)] == ["SELECT"]
    except duckdb.Error:
        return False


def ask(db: EvidenceBase, query: str, *, timeout: float | None = None) -> Iterator[Any]:
    """Run one query that somebody else wrote, in this process; the gate runs it in one of its own.

    Parameters
    ----------
    db : EvidenceBase
        Opened with ``locked=True``: that is what keeps the query from files, network and settings.
    query : str
        One statement that reads.
    timeout : float, optional
        Seconds that the engine may work on it, fetching included, until it is interrupted.

    Yields
    ------
    tuple of (columns, types), then lists of tuple
        Names and types of the columns, then the rows in batches.

    Raises
    ------
    CallError
        For every way in which it can go wrong, at once or while the rows are fetched.
    """
    statement = check(db, query)
    # On a connection of its own: the next query on the same one would end the rows of this one early.
    cursor = db.cursor()
    clock = _Clock(db, cursor, statement, timeout)
    with clock.running():
        cursor.execute(statement)
        description = cursor.description or []
    yield tuple(item[0] for item in description), tuple(str(item[1]) for item in description)
    while True:
        with clock.running():
            batch = cursor.fetchmany(_BATCH)
        if not batch:
            return
        yield batch


def write_parquet(db: EvidenceBase, query: str, target: Path, *, timeout: float | None = None) -> None:
    """Write the answer to a query that somebody else wrote into a Parquet file; see `ask`."""
    statement = check(db, query)
    with _Clock(db, db.connection, statement, timeout).running():
        quoted = str(target).replace("'", "''")
        db.connection.execute(f"copy (\n{statement}\n) to '{quoted}' (format parquet, use_tmp_file false)")


@dataclass
class _Clock:
    """Counts the time that the engine works, interrupts it in the end, and translates its errors."""

    db: EvidenceBase
    connection: duckdb.DuckDBPyConnection
    query: str
    left: float | None

    @contextmanager
    def running(self) -> Iterator[None]:
        late = CallError(
            "The query took too long and was stopped: narrow it, or give it more time (--timeout)."
        )
        if self.left is not None and self.left <= 0:
            raise late
        begin = time.monotonic()
        timers = self._timers()
        try:
            with _heeding_control_c(self.connection):
                yield
        except duckdb.InterruptException:
            raise self._reason(begin) or late from None
        except MemoryError:
            raise too_much() from None
        except duckdb.Error as error:
            raise explain(self.db, self.query, error) from None
        finally:
            for timer in timers:
                timer.cancel()
            for timer in timers:
                # A thread still on its way out when Python ends takes the process down with it.
                timer.join()
            if self.left is not None:
                self.left -= time.monotonic() - begin

    def _reason(self, begin: float) -> CallError | None:
        """Ask again why a query failed: DuckDB may only say that its other threads were stopped."""
        while self.left is None or time.monotonic() - begin < self.left:
            try:
                cursor = self.connection.execute(self.query)
                while cursor.fetchmany(_BATCH):
                    pass
            except duckdb.InterruptException:
                continue
            except duckdb.Error as error:
                return explain(self.db, self.query, error)
        return None

    def _timers(self) -> list[threading.Timer]:
        if self.left is None:
            return []
        timers = [threading.Timer(self.left, self.connection.interrupt)]
        for timer in timers:
            timer.daemon = True
            timer.start()
        return timers


@contextmanager
def _heeding_control_c(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C interrupt the engine, then Python: DuckDB's own handling of it can wait for ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def interrupt(*_: object) -> None:
        nonlocal pressed
        pressed = True
        connection.interrupt()

    usual = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except (duckdb.InterruptException, RuntimeError):
        if pressed:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed:
        raise KeyboardInterrupt


def explain(db: EvidenceBase, query: str, error: duckdb.Error) -> CallError:
    """Say in the reader's words what the engine found wrong with a query."""
    text = str(error)
    if isinstance(error, duckdb.PermissionException) or "configuration has been locked" in text:
        return CallError(
            "A query may only read this evidence base: files, network and settings are out of reach."
        )
    if "read-only mode" in text:
        return CallError("A query may only read the evidence: nothing in the file changes.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return too_much()
    if match := re.search(r"Table with name (\S+) does not exist", text):
        return CallError(_unknown("table or view", match[1], db.names()))
    if (match := re.search(r'(?:Referenced column|column named?) "([^"]+)"', text)) and (
        "Ambiguous reference" not in text
    ):
        return CallError(_unknown("column", match[1], _columns_at_hand(db, query, match[1])))
    if "No space left on device" in text:
        return CallError("The answer cannot be written: No space left on device.")
    head, _, rest = text.partition("\n")
    kind, _, what = head.partition(" Error: ")
    place = "\n".join(line for line in rest.splitlines() if line.strip())
    return CallError(f"The query cannot be run: {what or kind}" + (f"\n{place}" if place else ""))


def too_much() -> CallError:
    """Say that a query wants more memory than it may use."""
    return CallError(
        "The query wants more memory than it may use: narrow it, aggregate in SQL, or raise the bound "
        "(--memory)."
    )


def _columns_at_hand(db: EvidenceBase, query: str, missing: str) -> list[str]:
    """Columns of what a query reads from, or else of all it names, without the one that is not there.

    A name may be a table's as well as a column's: ``treatment`` is no column of ``contrast``, though one of
    the table of that name.
    """
    read = {name.lower() for name in re.findall(r"\b(?:from|join)\s+(\w+)", query, re.IGNORECASE)}
    words = {name.lower() for name in re.findall(r"\w+", query)}
    for mentioned in (read, words):
        known = [column for name in db.names() if name.lower() in mentioned for column in db.columns(name)]
        if known:
            return [column for column in dict.fromkeys(known) if column.lower() != missing.lower()]
    return []


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    if several := [other for other in known if other.lower().startswith(f"{name.lower()}_")][:4]:
        hint = f" Did you mean {' or '.join(map(repr, several))}?"
    else:
        close = nearest(name, known)
        hint = f" Did you mean {close!r}?" if close else ""
    return f"There is no {kind} {name!r}.{hint} `evidence catalog FILE` lists what there is."
