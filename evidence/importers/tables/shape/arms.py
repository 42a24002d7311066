"""Tables with one row for each arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from evidence.folder.column_names import plain, targets
from evidence.importers.tables.cells import are_counts, are_names
from evidence.importers.tables.header import STATISTICS, readings
from evidence.importers.tables.shape.claims import (
    WEAK,
    WEAK_TREATMENT,
    Claims,
    Columns,
    decide,
    differs_within_studies,
    of_row,
)
from evidence.importers.tables.shape.contrasts import has_base_rows, has_two_sides
from evidence.importers.tables.shape.result import CENTRES, Shape, is_complete, left_out, undecided
from evidence.importers.tables.shape.statistics import drop_times, refuse_two_kinds
from evidence.importers.tables.targets import as_options


def rows_of_arms(columns: Columns, measure: str | None, by_arm: bool = False) -> Shape | None:
    """Read a table with one row for each arm, or tell that it is none."""
    claims, units = of_row(columns)
    statistics, unclear = _statistics(columns)
    treated = _treatments(columns)
    if treated:
        claims["treatment"] = treated
    if (
        not (treated or (by_arm and "arm" in claims))
        or "study" not in claims
        or not (statistics.keys() & CENTRES or unclear)
    ):
        return None
    if measure is not None and (has_base_rows(columns, measure) or has_two_sides(columns, measure)):
        return None
    if unclear and not (statistics.keys() & {"mean", "events"}):
        raise undecided(columns.table, *(_mean_or_events(columns.header[at]) for at in unclear))
    notes = drop_times(columns, statistics)
    claims["study"] = _several_rows(columns, claims["study"])
    aside: dict[int, str] = {}
    known = decide(columns, {**claims, **statistics}, aside)
    _refuse_one_side(columns, known)
    refuse_two_kinds(columns, [known])
    units = {at: unit for at, unit in units.items() if at in known.values()}
    return Shape("arms", known, aside=aside, units=units, notes=notes)


def _statistics(columns: Columns) -> tuple[Claims, list[int]]:
    """Claims of columns that hold a statistic of the row, and columns that may be means or events."""
    claims: Claims = defaultdict(dict)
    several: dict[int, set[str]] = {}
    for position, name in columns:
        options = {
            what
            for reading in readings(name)
            if not reading.group and not reading.rest
            for what in reading.options & STATISTICS
        }
        if len(plain(name)) == 1 or plain(name) in ("cases", "size"):
            options = {what for what in options if what == plain(name) or columns.can_be(position, what)}
        if len(options) == 1:
            meaning = options.pop()
            claims[meaning][position] = columns.rank(position, meaning)
        elif options:
            several[position] = options
    unclear: list[int] = []
    for position, options in several.items():
        # x is a mean where it is not whole, and a count where no spread stands beside it.
        counts = are_counts(columns.cells(position))
        if counts and options == {"events", "mean"} and claims.keys() & {"sd", "se"}:
            unclear.append(position)
        elif meant := {"events" if counts else "mean"} & options:
            claims[meant.pop()][position] = WEAK
    return claims, unclear


def _mean_or_events(name: str) -> tuple[str, str]:
    return (
        f"column {name!r} may hold means or events",
        f"say which: {as_options({name: 'mean'})} or {as_options({name: 'events'})}",
    )


def _several_rows(columns: Columns, studies: dict[int, int]) -> dict[int, int]:
    """Columns that give several rows one name, as the study of arms must; all, where none does."""
    several = {
        at: rank
        for at, rank in studies.items()
        if at in columns.mapped
        or len({cells[at] for _, cells in columns.table.rows}) < len(columns.table.rows)
    }
    return several or studies


def _treatments(columns: Columns) -> dict[int, int]:
    """Rank of every column that may name the treatment of the row."""
    found = {}
    meanings = targets("arm level")
    for position, name in columns:
        short = plain(name)
        if "treatment" in meanings.get(short, ()) and columns.can_be(position, "treatment"):
            found[position] = columns.rank(position, "treatment")
        elif short in WEAK_TREATMENT and are_names(columns.cells(position)):
            found[position] = WEAK
    if min(found.values(), default=WEAK) == WEAK:
        found = {at: rank for at, rank in found.items() if differs_within_studies(columns, at)}
    return found


def _refuse_one_side(columns: Columns, known: Mapping[str, int]) -> None:
    """Refuse a table that is read as one row an arm, and has the numbers of a control group beside it."""
    sides: dict[str, dict[str, int]] = defaultdict(dict)
    for position, name in columns:
        if position in known.values():
            continue
        for reading in readings(name):
            if reading.group in ("1", "2") and not reading.rest and len(reading.options & STATISTICS) == 1:
                sides[reading.group].update(dict.fromkeys(reading.options & STATISTICS, position))
    for side in sides.values():
        if len(side) > 1 and is_complete(side) and known.keys() & side.keys() & CENTRES:
            beside = [known[what] for what in sorted(side) if what in known]
            first = as_options(
                {columns.header[known[what]]: f"{what}1" for what in sorted(side) if what in known}
            )
            raise undecided(
                columns.table,
                (
                    f"{columns.called(side.values())} are of one group, and {columns.called(beside)} may be"
                    " of the other, or of each row",
                    f"say of which group: {first}; or leave the others out:"
                    f" {left_out(columns.table, sorted(side.values()))}",
                ),
            )
