"""What mending a suspicion would do to the pooled results: the views, run on the studies that are mended.

Planning the views takes longer than computing the few studies of a suspicion, so many suspicions are mended
at once, in one file: each in a world of its own, which is an outcome of that file. Outcomes are never pooled
together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evidence import facts
from evidence.checking.suspicions import reading_suspicions
from evidence.database import connect
from evidence.facts.plausibility import STATISTICS
from evidence.facts.reference import REFERENCE_TABLES
from evidence.store.blank import copy_blank
from evidence.store.keys import load_order, references
from evidence.store.objects import STORED, sql_objects, used_by
from evidence.store.rows import insert
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


_POOLED = "measure, treatment_a, treatment_b, k, random_estimate, random_ci_lower, random_ci_upper"
"""A comparison, and what is told of it."""
_AT_ONCE = 2_000_000
"""Contrasts of all worlds together, at most, that are pooled at once."""


class _World(NamedTuple):
    """A suspicion that is mended, with its rows of ``mended_measurement``."""

    number: int
    suspicion: str
    rows: list[dict[str, Any]]

    @property
    def outcome(self) -> str:
        return str(self.rows[0]["outcome"])

    @property
    def label(self) -> str:
        """Name of the outcome that stands for it."""
        return f"{self.number}|{self.outcome}"


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
    for row in db.rows(
        f"{reading_suspicions(db, 'mended_measurement')} order by score desc, suspicion, measurement_id"
    ):
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
        at_once = max(1, _AT_ONCE // (1 + db.value(f"select count(*) from {STORED}.contrast")))
        for start in range(0, len(suspicions), at_once):
            progress(f"Mending {start + 1} of {len(suspicions)}")
            worlds = [_World(i, name, mended[name]) for i, name in enumerate(suspicions[start:][:at_once])]
            after = _mended(connection, of_studies, worlds)
            for world in worlds:
                if world.outcome not in before:
                    before[world.outcome] = _pooled_as_it_is(db, world.outcome)
                for comparison, now in sorted(after[world.number].items()):
                    was = before[world.outcome].get(comparison)
                    if was is not None and now != was:
                        found.append(Effect._make((world.suspicion, world.outcome, *comparison, *was, *now)))
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
                known = "or ignore " if table in REFERENCE_TABLES else ""
                connection.execute(f"insert {known}into {table} from whole.{table}")
        yield connection, of_studies


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables that pooled results stand on, in load order."""
    needed = {word for item in used_by(["pooled"]) for word in item.words}
    order = load_order(connection)
    refers = list(references())
    for table in reversed(order):
        needed |= {other for name, other in refers if name == table and table in needed}
    return [table for table in order if table in needed]


def _of_a_study(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    columns = connection.execute(f"select * from {table} limit 0").description or []
    return any(name == "study" for name, *_ in columns)


def _pooled_as_it_is(db: EvidenceBase, outcome: str) -> dict[_Comparison, _Pooled]:
    rows = db.connection.execute(f"select {_POOLED} from pooled where outcome = ?", [outcome]).fetchall()
    return {(measure, a, b): (k, *numbers) for measure, a, b, k, *numbers in rows}


def _mended(
    connection: duckdb.DuckDBPyConnection, of_studies: list[str], worlds: list[_World]
) -> dict[int, dict[_Comparison, _Pooled]]:
    """Pool once mended, world by world, the comparisons that the mended studies take part in, or did."""
    connection.execute("begin")
    try:
        _make_worlds(connection, worlds)
        for table in of_studies:
            if table not in ("measurement", "reported_contrast"):
                connection.execute(
                    f"insert into {table} from whole.{table} where study in (select study from mended)"
                )
        _copy_rows(connection)
        _know_outcomes(connection, worlds)
        refresh(connection, ["contrast_choice"], without=_OF_ALL_STUDIES)
        _add_other_studies(connection)
        (view,) = (item for item in sql_objects() if item.name == "pooled")
        pooled = {
            (label, measure, a, b): (k, *numbers)
            for label, measure, a, b, k, *numbers in connection.execute(
                f"select outcome, {_POOLED} from ({view.query}) as pooled"
            ).fetchall()
        }
        found: dict[int, dict[_Comparison, _Pooled]] = {world.number: {} for world in worlds}
        for number, label, *comparison in connection.execute(
            "select number, label, measure, treatment_a, treatment_b from touched"
        ).fetchall():
            measure, a, b = comparison
            found[number][measure, a, b] = pooled.get((label, measure, a, b), (0, None, None, None))
        return found
    finally:
        connection.execute("rollback")


def _make_worlds(connection: duckdb.DuckDBPyConnection, worlds: list[_World]) -> None:
    """Name each world as an outcome, planned like its own, and list what is mended in it, and whose."""
    columns = ", ".join(f'"{name}" double' for name in STATISTICS)
    connection.execute(
        f"create temp table edit (number bigint, measurement_id bigint, kept boolean, {columns})"
    )
    rows = [{"number": world.number, **row} for world in worlds for row in world.rows]
    names = ("number", "measurement_id", "kept", *STATISTICS)
    insert(connection, "edit", {name: [row[name] for row in rows] for name in names})
    connection.execute("create temp table world (number bigint, outcome varchar, label varchar)")
    connection.executemany(
        "insert into world values (?, ?, ?)", [[world.number, world.outcome, world.label] for world in worlds]
    )
    connection.execute(
        """
        create temp table mended as
        select distinct world.number, world.outcome, world.label, measurement.study
        from edit
        inner join world on edit.number = world.number
        inner join whole.measurement as measurement on edit.measurement_id = measurement.measurement_id
        """
    )
    connection.execute(
        "insert into outcome select outcome.* replace (world.label as outcome) "
        "from outcome inner join world on outcome.outcome = world.outcome"
    )
    connection.execute(
        "insert into plan select plan.* replace "
        "(world.label as outcome, concat(world.label, '|', plan.analysis) as analysis) "
        "from plan inner join world on plan.outcome = world.outcome"
    )


def _copy_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy what the mended studies say of a world's outcome, as it is once mended."""
    statistics = ", ".join(
        f'case when edit.number is null then own."{name}" else edit."{name}" end as "{name}"'
        for name in STATISTICS
    )
    connection.execute(
        f"""
        insert into measurement
        select own.* replace (
            mended.label as outcome,
            own.measurement_id + mended.number * (select max(measurement_id) from whole.measurement)
                as measurement_id,
            {statistics}
        )
        from whole.measurement as own
        inner join mended on own.study = mended.study and own.outcome = mended.outcome
        left join edit on mended.number = edit.number and own.measurement_id = edit.measurement_id
        where coalesce(edit.kept, true)
        """
    )
    connection.execute(
        """
        insert into reported_contrast
        select own.* replace (
            mended.label as outcome,
            own.reported_contrast_id + mended.number * (
                select max(reported_contrast_id) from whole.reported_contrast
            ) as reported_contrast_id
        )
        from whole.reported_contrast as own
        inner join mended on own.study = mended.study and own.outcome = mended.outcome
        """
    )


def _know_outcomes(connection: duckdb.DuckDBPyConnection, worlds: list[_World]) -> None:
    """Fill the stored views that speak of all studies, from all their rows but those that a world has not."""
    for item in sql_objects():
        if item.name not in _OF_ALL_STUDIES:
            continue
        target = f"{STORED}.{item.name}"
        connection.execute(f"delete from {target}")
        connection.execute(
            f"insert into {target} select known.* replace (world.label as outcome) "
            f"from whole.{target} as known inner join world on known.outcome = world.outcome "
            "where not exists (select 1 from edit where edit.number = world.number and not edit.kept)"
        )
        for world in worlds:
            if gone := [row["measurement_id"] for row in world.rows if not row["kept"]]:
                connection.execute(
                    f"insert into {target} with measurement as (from whole.measurement "
                    "where measurement_id not in (select unnest($gone::bigint[]))), "
                    "reported_contrast as (from whole.reported_contrast) "
                    f"select known.* replace ($label as outcome) from ({item.query}) as known "
                    "where outcome = $outcome",
                    {"gone": gone, "label": world.label, "outcome": world.outcome},
                )


def _add_other_studies(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the contrasts of the comparisons that a world's studies take part in, or did."""
    connection.execute(
        f"""
        create temp table touched as
        select distinct
            world.number, world.outcome, world.label, own.measure, own.treatment_a, own.treatment_b
        from {STORED}.contrast as own
        inner join world on own.outcome = world.label
        left join {STORED}.contrast_place as place on own.contrast_id = place.contrast_id
        where coalesce(place.network_place, 1) > 0
        union
        select mended.number, mended.outcome, mended.label, was.measure, was.treatment_a, was.treatment_b
        from whole.{STORED}.contrast as was
        inner join mended on was.study = mended.study and was.outcome = mended.outcome
        left join whole.{STORED}.contrast_place as place on was.contrast_id = place.contrast_id
        where coalesce(place.network_place, 1) > 0
        """
    )
    pooled_by = "study, experiment, measure, treatment_a, treatment_b, arm_a, arm_b, estimate, std_error"
    theirs = ", ".join(f"theirs.{name}" for name in pooled_by.split(", "))
    connection.execute(
        f"""
        insert into {STORED}.contrast (contrast_id, outcome, {pooled_by})
        select concat(touched.label, '|', theirs.contrast_id), touched.label, {theirs}
        from whole.{STORED}.contrast as theirs
        inner join touched
            on
                theirs.outcome = touched.outcome
                and theirs.measure = touched.measure
                and theirs.treatment_a = touched.treatment_a
                and theirs.treatment_b = touched.treatment_b
        left join mended on theirs.study = mended.study and touched.number = mended.number
        left join whole.{STORED}.contrast_place as place on theirs.contrast_id = place.contrast_id
        where mended.number is null and coalesce(place.comparison_place, 1) = 1
        """
    )
