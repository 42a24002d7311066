"""Results are rows: keep the frames of an analysis in the evidence base, and read them back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from itertools import repeat
from json.encoder import encode_basestring
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evidence
from evidence.errors import CallError, EvidenceError
from evidence.names import nearest
from evidence.system.files import locked, replacing
from evidence.system.frames import cells, plain, records

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from evidence.query import EvidenceBase

__all__ = ["TABLES", "Run", "hash_rows", "listing", "read", "save", "versions"]

TABLES: dict[str, str] = {
    "estimates": "result_estimate",
    "heterogeneity": "result_heterogeneity",
    "ranking": "result_ranking",
    "rank_probabilities": "result_rank_probability",
    "inconsistency": "result_inconsistency",
    "leave_one_out": "result_leave_one_out",
    "weights": "result_weight",
    "diagnostics": "result_diagnostic",
    "convergence": "result_convergence",
    "fit": "result_fit",
    "sensitivity": "result_sensitivity",
    "thresholds": "result_threshold",
    "notes": "result_note",
    "contrasts": "result_contrast",
    "multiverse": "result_multiverse",
    "multiverse_choice": "result_multiverse_choice",
}
"""Table that keeps each frame of a run."""
IMPORTANTLY_BETTER = "better by at least the smallest important difference"
"""Method of the rows of "sensitivity" that say how likely that is."""
OVER_ALL = "mean probability over all others"
"""Their quantity that sums up a treatment."""


@dataclass(frozen=True)
class Run:
    """One analysis that was carried out: what was asked, on which data, with what, and what came out.

    Attributes
    ----------
    kind : {"pairwise", "network"}
    engine : str
        As in table ``engine``.
    outcome, measure : str
        What was compared, and how.
    scale : {"additive", "log"}
        Scale of every estimate: ratio measures are kept as logarithms.
    specification : mapping
        Every option that can change a number.
    input_hash : str
        Hash of the rows that entered (`hash_rows`).
    frames : mapping of str to DataFrame
        Results by name (keys of `TABLES`), with the columns of those tables but ``run_id``; and what is
        printed but not kept: "exclusions", as the view ``exclusion`` has it, and "league" where asked for.
    analysis : str or None
        Name in the review's plan.
    unit, lower_is_better, treatment, versus, reference, timepoint, subgroup, where, seed :
        The parts of the specification, and of the outcome, that a reader of the row needs.
    n_studies, n_arms, n_treatments : int or None
        Size of what entered.
    synthetic : bool
        Whether the review's data are simulated.
    versions : mapping
        Versions of the software that computes.
    content_hash : str or None
        Hash of the review that was read (``build_info``): results are kept only beside the same content.
    computed_from : mapping of str to str
        Fingerprints of everything that the rows follow from (`analysis.prepared.PARTS`): a later analysis
        that has the same takes them over.
    """

    kind: str
    engine: str
    outcome: str
    measure: str
    scale: str
    specification: Mapping[str, Any]
    input_hash: str
    frames: Mapping[str, pd.DataFrame] = field(repr=False)
    analysis: str | None = None
    unit: str | None = None
    lower_is_better: bool | None = None
    treatment: str | None = None
    versus: str | None = None
    reference: str | None = None
    timepoint: str | None = None
    subgroup: str | None = None
    where: str | None = None
    seed: int | None = None
    n_studies: int | None = None
    n_arms: int | None = None
    n_treatments: int | None = None
    synthetic: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    content_hash: str | None = None
    computed_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> str | None:
        """Which SMD was computed: Hedges' g in pairwise runs, what the option says in networks."""
        return "g" if self.kind == "pairwise" else self.specification.get("smd")

    @cached_property
    def run_id(self) -> str:
        """Hash of inputs, specification, seed and versions: equal where every number must be equal."""
        key = [self.kind, self.engine, self.input_hash, self.specification, self.seed, self.versions]
        return hashlib.sha256(_json(key).encode()).hexdigest()[:16]

    @cached_property
    def rows_hash(self) -> str:
        """Hash of the rows that tables keep of it, as they are kept: equal once they are read back."""
        found = []
        for name in TABLES:
            if (frame := self.frames.get(name)) is None or frame.empty:
                continue
            columns = {column: [as_kept(cell) for cell in cells(frame[column])] for column in frame.columns}
            filled = {
                column: values for column, values in columns.items() if any(v is not None for v in values)
            }
            found.append([name, len(frame), filled])
        return hashlib.sha256(_json(found).encode()).hexdigest()[:16]

    def row(self) -> dict[str, Any]:
        """Return the run as a row of ``result_run``."""
        return {
            "run_id": self.run_id,
            "analysis": self.analysis,
            "kind": self.kind,
            "engine": self.engine,
            "outcome": self.outcome,
            "measure": self.measure,
            "scale": self.scale,
            "unit": self.unit,
            "lower_is_better": self.lower_is_better,
            "treatment": self.treatment,
            "versus": self.versus,
            "reference": self.reference,
            "timepoint": self.timepoint,
            "subgroup": self.subgroup,
            "where_sql": self.where,
            "seed": self.seed,
            "n_studies": self.n_studies,
            "n_arms": self.n_arms,
            "n_treatments": self.n_treatments,
            "specification": _json(self.specification),
            "input_hash": self.input_hash,
            "versions": _json(self.versions),
            "synthetic": self.synthetic,
            "content_hash": self.content_hash,
        }

    def document(self) -> dict[str, Any]:
        """Return the run and its frames as one object of plain values, missing numbers as None."""
        head = self.row() | {"specification": dict(self.specification), "versions": dict(self.versions)}
        frames: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        frames |= {name: records(rows) for name, rows in self.frames.items()}
        return {"run": {key: plain(value) for key, value in head.items()}, **frames}


def versions(*packages: str) -> dict[str, str]:
    """Version of this package and of those that compute (DuckDB, NumPy, SciPy and `packages`)."""
    names = ["duckdb", "numpy", "scipy", *packages]
    return {"evidence-base": evidence.__version__} | {name: _version(name) for name in names}


@cache
def _version(package: str) -> str:
    return metadata.version(package)


def hash_rows(rows: pd.DataFrame) -> str:
    """Hash of the values of a frame, independent of the order of its rows and columns."""
    columns = sorted(rows.columns)
    # Column by column, each kind of value by its own writer: a tenth of what JSON takes for rows.
    texts = [_json_cells(cells(rows[name])) for name in columns]
    lines = [f"[{','.join(row)}]" for row in zip(*texts, strict=True)] if texts else ["[]"] * len(rows)
    return hashlib.sha256("\n".join([_json(columns), *sorted(lines)]).encode()).hexdigest()


def _json_cells(values: list[Any]) -> list[str]:
    """Write each cell of a column as JSON."""
    writers = {
        kind: _WRITERS.get(kind.__name__, lambda value: _json(plain(value)))
        for kind in set(map(type, values))
    }
    return [writers[type(value)](value) for value in values]


_WRITERS: dict[str, Callable[[Any], str]] = {
    "str": encode_basestring,
    "int": repr,
    "float": lambda value: repr(value) if isfinite(value) else "null",
    **dict.fromkeys(("NoneType", "NAType", "NaTType"), lambda value: "null"),
}
"""How values of each type are written."""


def save(path: str | Path, runs: Iterable[Run]) -> None:
    """Keep runs in an evidence base: all of them or, if anything fails, none.

    The file is copied, the rows go into the copy, and the copy takes the file's place in one atomic rename;
    whoever has the old file open goes on reading it. A run replaces what is there under its `run_id`, and an
    earlier run of the same planned analysis.

    Parameters
    ----------
    path : path
        File of the evidence base.
    runs : iterable of Run

    Raises
    ------
    CallError
        If the file is not there, its folder cannot be written, or another version made it.
    EvidenceError
        If the file was built from other content while the analysis ran: its results are of the data before.

    Examples
    --------
    >>> import evidence
    >>> from analysis import plan
    >>> from evidence import results
    >>> file = evidence.build("smoking", "smoking.duckdb")
    >>> with evidence.open(file) as db:
    ...     run = plan.run_network(db, outcome="cessation", measure="OR", analysis="mine")
    >>> results.save(file, [run])
    >>> with evidence.open(file) as db:
    ...     print(results.read(db, "mine").run_id == run.run_id)
    True
    """
    from evidence.checking.claims import record_verdicts
    from evidence.database import connect
    from evidence.store.definitions import are_ours, own_copy, remember

    runs = list(runs)
    target = Path(path).resolve()
    if not target.is_file():
        raise CallError(f"There is no file {str(path)!r} to keep results in.")
    with locked(target.parent), replacing(target) as copy:
        if are_ours(target):
            shutil.copyfile(target, copy)
        else:  # Views and triggers of other people's files must not run where files can be written.
            own_copy(target, copy)
        connection = connect(copy, write=True)
        try:
            _refuse_other_data(path, connection, runs)
            put(connection, runs)
            connection.execute("checkpoint")
        finally:
            connection.close()
        record_verdicts(copy)
    remember(target)


def listing(db: EvidenceBase) -> list[dict[str, Any]]:
    """Rows of ``result_run``, planned analyses first, in the plan's order; not to be changed in place."""
    return db.kept_rows(
        "select result_run.* from result_run left join plan using (analysis) "
        "order by plan.position nulls last, result_run.analysis nulls last, result_run.run_id"
    )


def read(db: EvidenceBase, run: str) -> Run:
    """Read a run back.

    Parameters
    ----------
    db : EvidenceBase
    run : str
        Its `run_id`, the beginning of it, or the name of the planned analysis.

    Raises
    ------
    CallError
        If there is no such run, or more than one.
    """
    found = [row for row in listing(db) if row["analysis"] == run or row["run_id"].startswith(run)]
    exact = [row for row in found if run in (row["analysis"], row["run_id"])]
    if len(exact or found) != 1:
        every = [row["analysis"] or row["run_id"] for row in listing(db)]
        close = nearest(run, every)
        hint = f" Did you mean {close!r}?" if close else ""
        known = f" There are: {', '.join(every)}." if every else " `evidence analyse FILE` keeps them."
        raise CallError(
            f"{len(found)} runs begin with {run!r}." if found else f"There is no run {run!r}.{hint}{known}"
        )
    row = (exact or found)[0]
    frames = {
        name: db.frame(f"select * from {table} where run_id = ? order by rowid", [row["run_id"]]).drop(
            columns="run_id"
        )
        for name, table in TABLES.items()
    }
    fields = {key: value for key, value in row.items() if key not in ("run_id", "where_sql", "rows_hash")}
    for name in ("specification", "versions", "computed_from"):
        fields[name] = json.loads(row[name] or "{}")
    return Run(**fields, where=row["where_sql"], frames=frames)


CONTENT = "select value from build_info where key = 'content_hash'"
"""Asks a file for the hash of the review it was built from."""


def _refuse_other_data(path: Any, connection: duckdb.DuckDBPyConnection, runs: Sequence[Run]) -> None:
    """Refuse results of data that are no longer those of the file."""
    now = next(iter(connection.execute(CONTENT).fetchone() or ()), None)
    if any(run.content_hash not in (None, now) for run in runs):
        raise EvidenceError(
            f"{str(path)!r} was built from other data while the analysis ran, whose results are of the data "
            "before: nothing was kept. Run it again."
        )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_other)


def as_kept(value: Any) -> Any:
    """Give a cell as a table gives it back, whole numbers as every other."""
    value = plain(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _other(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    return plain(value) if hasattr(value, "item") else str(value)


def put(connection: duckdb.DuckDBPyConnection, runs: Sequence[Run]) -> None:
    """Put runs in the place of those with their ids and of the same planned analyses, the last of each."""
    from evidence.build import insert

    kept = [
        run for place, run in enumerate(runs) if not any(_same(run, later) for later in runs[place + 1 :])
    ]
    if not kept:
        return
    named = [run.analysis for run in kept if run.analysis is not None]
    stale = [
        row[0]
        for row in connection.execute(
            "select run_id from result_run where list_contains(?, run_id) or list_contains(?, analysis)",
            [[run.run_id for run in kept], named],
        ).fetchall()
    ]
    # Statement by statement: DuckDB checks a foreign key against rows deleted in the same transaction.
    for table in (*TABLES.values(), "result_run") if stale else ():
        connection.execute(f"delete from {table} where list_contains(?, run_id)", [stale])
    described = [
        run.row() | {"computed_from": _json(run.computed_from), "rows_hash": run.rows_hash} for run in kept
    ]
    insert(connection, "result_run", {name: [row[name] for row in described] for name in described[0]})
    for name, table in TABLES.items():
        frames = [(run.run_id, frame) for run in kept if (frame := run.frames.get(name)) is not None]
        columns: dict[str, list[Any]] = {"run_id": [run for run, frame in frames for _ in range(len(frame))]}
        for column in dict.fromkeys(column for _, frame in frames for column in frame.columns):
            columns[column] = [
                plain(value)
                for _, frame in frames
                for value in (frame[column] if column in frame else repeat(None, len(frame)))
            ]
        insert(connection, table, columns)


def _same(one: Run, other: Run) -> bool:
    """Tell whether of two runs one takes the other's place."""
    return one.run_id == other.run_id or (one.analysis is not None and one.analysis == other.analysis)
