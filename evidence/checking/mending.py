"""What mending a suspicion would do to the pooled results: the views, run on the studies that are mended."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evidence import facts
from evidence.database import connect
from evidence.facts.plausibility import STATISTICS
from evidence.store.blank import copy_blank
from evidence.store.objects import STORED, sql_objects, used_by
from evidence.store.rows import load_order, references
from evidence.store.stored import refresh

if TYPE_CHECKING:
    import duckdb

    from evidence.query import EvidenceBase

__all__ = ["Effect", "effects", "telling"]

# What the plan does not ask for is shown by the first of these that the outcome has.
# A slip of unit or spread shows in standard deviations first, then in the usual measure of the kind.
_MEASURES = sorted(
    (found.code for found in facts.measures(given=("arms",))),
    key=lambda code: (not facts.forms(code), not facts.measure(code).default_of_kind),
)


_Comparison = tuple[str, str, str]
_Pooled = tuple[int, float | None, float | None, float | None]


class Effect(NamedTuple):
    """A pooled estimate as it is, and as it would be.

    Attributes
    ----------
    suspicion : str
        Key of view `suspicion`.
    outcome, measure, treatment_a, treatment_b : str
        The comparison, A minus B.
    k, estimate, ci_lower, ci_upper : int and float
        Contrasts; random-effects estimate (DerSimonian-Laird) with its 95 % interval, of view `pooled`, on
        the analysis scale (log for ratios).
    mended_k, mended_estimate, mended_ci_lower, mended_ci_upper : int and float
        The same once mended; 0 and None where nothing is left to pool.
    """

    suspicion: str
    outcome: str
    measure: str
    treatment_a: str
    treatment_b: str
    k: int
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    mended_k: int
    mended_estimate: float | None
    mended_ci_lower: float | None
    mended_ci_upper: float | None


def effects(
    db: EvidenceBase, most: int | None = None, progress: Callable[[str], None] = lambda text: None
) -> list[Effect]:
    """Work out what mending each suspicion, it alone, would do to the pooled results.

    Parameters
    ----------
    db : EvidenceBase
        Read only; the mending happens in a file that is thrown away.
    most : int, optional
        Take no more than so many suspicions, the likeliest first.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    list of Effect
        One for each suspicion and comparison that it moves, the likeliest suspicion first.
    """
    mended: dict[str, list[dict[str, Any]]] = {}
    for row in db.rows("select * from mended_measurement order by score desc, suspicion, measurement_id"):
        mended.setdefault(row["suspicion"], []).append(row)
    suspicions = list(mended)[:most]
    if not suspicions or db.path is None:
        return []
    found = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        _beside(db.path, Path(scratch)) as (connection, of_studies),
    ):
        before: dict[str, dict[_Comparison, _Pooled]] = {}
        for i, name in enumerate(suspicions):
            progress(f"Mending {i + 1} of {len(suspicions)}")
            outcome = mended[name][0]["outcome"]
            if outcome not in before:
                before[outcome] = _pooled(db.connection, outcome)
            after = _mended(connection, of_studies, outcome, mended[name])
            for comparison, now in after.items():
                was = before[outcome].get(comparison)
                if was is not None and now != was:
                    found.append(Effect._make((name, outcome, *comparison, *was, *now)))
    return found


def telling(db: EvidenceBase, found: list[Effect]) -> dict[str, Effect]:
    """Choose the one effect of each suspicion to tell first.

    Parameters
    ----------
    db : EvidenceBase
    found : list of Effect

    Returns
    -------
    dict of str to Effect
        By suspicion: of the measure that the plan asks for (else SMD, MD, OR, IRR), the comparison that moves
        most, in halves of its interval.
    """
    planned = {
        (row["outcome"], row["measure"]): -1
        for row in db.rows("select outcome, measure from plan where measure is not null")
    }
    places = {measure: place for place, measure in enumerate(_MEASURES)}

    def order(effect: Effect) -> tuple[int, float]:
        place = planned.get((effect.outcome, effect.measure), places.get(effect.measure, len(places)))
        if effect.mended_estimate is None or effect.estimate is None:
            return place, float("-inf")
        width = (effect.ci_upper or 0) - (effect.ci_lower or 0)
        return place, -abs(effect.mended_estimate - effect.estimate) / width if width > 0 else 0.0

    chosen: dict[str, Effect] = {}
    for effect in found:
        if effect.suspicion not in chosen or order(effect) < order(chosen[effect.suspicion]):
            chosen[effect.suspicion] = effect
    return chosen


_OF_ALL_STUDIES = ("outcome_unit", "outcome_timepoint")
"""Stored views that say of an outcome what all its measurements together say."""


@contextmanager
def _beside(path: Path, folder: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[str]]]:
    """Open an evidence base without studies beside another, ``whole``, whose other tables it has."""
    part = folder / "mended.duckdb"
    copy_blank(part)
    with connect(part, write=True) as connection:
        connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as whole (read_only)")
        tables = _tables(connection)
        of_studies = [table for table in tables if _of_a_study(connection, table)]
        for table in tables:
            if table not in of_studies:
                connection.execute(f"insert or ignore into {table} from whole.{table}")
        yield connection, of_studies


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables that pooled results stand on, in load order."""
    needed = {word for item in used_by(["pooled"]) for word in item.words}
    order = load_order(connection)
    refers = list(references(connection))
    for table in reversed(order):
        needed |= {other for name, other in refers if name == table and table in needed}
    return [table for table in order if table in needed]


def _of_a_study(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    columns = connection.execute(f"select * from {table} limit 0").description or []
    return any(name == "study" for name, *_ in columns)


def _pooled(connection: duckdb.DuckDBPyConnection, outcome: str) -> dict[_Comparison, _Pooled]:
    (view,) = (item for item in sql_objects() if item.name == "pooled")
    rows = connection.execute(
        "select measure, treatment_a, treatment_b, k, random_estimate, random_ci_lower, random_ci_upper "
        f"from ({view.query}) as pooled where outcome = ? order by measure, treatment_a, treatment_b",
        [outcome],
    ).fetchall()
    return {(measure, a, b): (k, *numbers) for measure, a, b, k, *numbers in rows}


def _mended(
    connection: duckdb.DuckDBPyConnection, of_studies: list[str], outcome: str, rows: list[dict[str, Any]]
) -> dict[_Comparison, _Pooled]:
    """Pool once mended the comparisons that the mended studies take part in, or did."""
    connection.execute("begin")
    try:
        ids = [row["measurement_id"] for row in rows]
        connection.execute(
            "create temp table mended as select distinct study from whole.measurement "
            "where measurement_id in (select unnest(?::bigint[]))",
            [ids],
        )
        for table in of_studies:
            connection.execute(
                f"insert into {table} from whole.{table} where study in (select study from mended)"
            )
        for row in rows:
            if row["kept"]:
                assignments = ", ".join(f'"{name}" = ?' for name in STATISTICS)
                connection.execute(
                    f"update measurement set {assignments} where measurement_id = ?",
                    [*(row[name] for name in STATISTICS), row["measurement_id"]],
                )
            else:
                connection.execute(
                    "delete from measurement where measurement_id = ?", [row["measurement_id"]]
                )
        _know_outcomes(connection, [row["measurement_id"] for row in rows if not row["kept"]])
        refresh(connection, ["contrast_choice"], without=_OF_ALL_STUDIES)
        columns = "measure, treatment_a, treatment_b"
        theirs = f"select {columns} from %s.contrast_choice where study in (select study from mended)"
        touched = f"select {columns} from ({theirs % STORED} union {theirs % f'whole.{STORED}'}) as touched"
        moved = connection.execute(f"{touched} order by all").fetchall()
        connection.execute(
            f"insert into {STORED}.contrast_choice from whole.{STORED}.contrast_choice "
            f"where outcome = ? and ({columns}) in ({touched}) "
            "and study not in (select study from mended)",
            [outcome],
        )
        pooled = _pooled(connection, outcome)
        return {comparison: pooled.get(comparison, (0, None, None, None)) for comparison in moved}
    finally:
        connection.execute("rollback")


def _know_outcomes(connection: duckdb.DuckDBPyConnection, gone: list[int]) -> None:
    """Fill the stored views that speak of all studies, from all their rows but some measurements."""
    for item in sql_objects():
        if item.name in _OF_ALL_STUDIES:
            connection.execute(f"delete from {STORED}.{item.name}")
            connection.execute(
                f"insert into {STORED}.{item.name} with measurement as (from whole.measurement "
                "where measurement_id not in (select unnest(?::bigint[]))), "
                f"reported_contrast as (from whole.reported_contrast) select * from ({item.query})",
                [gone],
            )
