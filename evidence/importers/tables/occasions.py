"""Rows of the same people at several times, in a table whose column of times says so in no known word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from evidence.importers.table import Table
from evidence.importers.tables.header import words
from evidence.importers.tables.shape.result import undecided
from evidence.importers.tables.targets import as_options

_TIMES = frozenset(
    ("time", "timepoint", "visit", "wave", "follow", "followup", "fu", "hour", "hours", "day", "days", "week",
     "weeks", "wk", "wks", "month", "months", "mo", "mos", "occasion")
)  # fmt: skip
"""Words in the name of a column of times; a year is more often that of the publication."""
_NO_TIMES = frozenset(("age", "ages", "aged", "per", "dose", "unit", "old"))


def refuse_untold_times(
    table: Table,
    known: Mapping[str, int],
    people: Iterable[int],
    further: Collection[int],
) -> None:
    """Ask about rows of one treatment in one study that nothing but a column of times tells apart.

    Taken as groups of their own, the same people would count several times.

    Parameters
    ----------
    table : Table
    known : dict of str to int
        Column of each meaning that is of the whole row.
    people : iterable of int
        Columns that say who was measured, beside the study and its experiment: arm or treatments.
    further : collection of int
        Columns without a meaning.

    Raises
    ------
    ReviewError
        If such a column tells all these rows apart; says what it can stand for.
    """
    if "timepoint" in known or "study" not in known:
        return
    same = ("study", "experiment", "outcome", "extractor")
    at = [*(known[what] for what in same if what in known), *people]
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, (_, cells) in enumerate(table.rows):
        alike[tuple(cells[i] for i in at)].append(row)
    several = [rows for rows in alike.values() if len(rows) > 1]
    if not several:
        return
    for position in further:
        name = table.header[position]
        parts = set(words(name))
        if _TIMES.isdisjoint(parts) or not _NO_TIMES.isdisjoint(parts):
            continue
        times = [[table.rows[row][1][position] for row in rows] for rows in several]
        if all(all(found) and len(set(found)) == len(found) for found in times):
            lines = ", ".join(str(table.rows[row][0]) for row in several[0][:3])
            raise undecided(
                table,
                (
                    f"lines {lines} are of one study and the same treatment, and {name!r} tells them apart",
                    "say whether these are the same people at several times,"
                    f" {as_options({name: 'timepoint'})}; groups of their own,"
                    f" {as_options({name: 'experiment'})}; or neither, {as_options({name: ''})}",
                ),
            )
