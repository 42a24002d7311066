"""Statistics of arms that are not what their name says, or of two outcomes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evidence.importers.tables.cells import is_gap
from evidence.importers.tables.header import words
from evidence.importers.tables.shape.claims import Claims, Columns, differs_within_studies
from evidence.importers.tables.shape.result import left_out, undecided
from evidence.importers.tables.targets import as_options

Groups = Mapping[str, Mapping[str, int]]


def is_time(name: str) -> bool:
    """Whether a name of an exposure is that of a time as well: of follow-up, or of persons."""
    parts = words(name)
    return "time" in parts and not {"person", "patient", "risk"} & set(parts)


def drop_times(columns: Columns, statistics: Claims) -> list[str]:
    """Take a follow-up time for what it is: person-time is no column 'time' beside n or a mean.

    Raises
    ------
    ReviewError
        If a time without n is the same in all arms of each study, as a follow-up is, and person-time is not.
    """
    notes = []
    for position in list(statistics.get("exposure", ())):
        name = columns.header[position]
        if position in columns.mapped or not is_time(columns.names[position]):
            continue
        is_exposure = as_options({name: "exposure"})
        if {"n", "mean", "median"} & statistics.keys() or "events" not in statistics:
            del statistics["exposure"][position]
            if "n" in statistics and "events" in statistics:
                notes.append(
                    f"{name!r} was taken as a follow-up time, not as person-time of the arms; if it is"
                    f" person-time: {is_exposure}"
                )
        elif not differs_within_studies(columns, position):
            raise undecided(
                columns.table,
                (
                    f"column {name!r} is the same in all arms of a study, as a follow-up time is and"
                    " person-time is not, and there is no n",
                    f"say which column is n; or, if it is person-time, {is_exposure}",
                ),
            )
    if not statistics.get("exposure", True):
        del statistics["exposure"]
    return notes


def refuse_follow_up(columns: Columns, groups: Groups) -> None:
    """Refuse times that are the same in all groups of each row as person-time."""
    exposures = {side: group["exposure"] for side, group in groups.items() if "exposure" in group}
    at = [i for i in exposures.values() if is_time(columns.names[i]) and i not in columns.mapped]
    if len(at) < 2 or any(len({cells[i] for i in at if cells[i]}) > 1 for _, cells in columns.table.rows):
        return
    said = as_options({columns.header[i]: f"exposure{side}" for side, i in exposures.items()})
    raise undecided(
        columns.table,
        (
            f"{columns.called(at)} are the same in all groups of each study, as a follow-up time is and"
            " person-time is not",
            f"if they are person-time: {said}; else say which columns are n, --map COLUMN=n1 and so on",
        ),
    )


def refuse_two_kinds(columns: Columns, groups: Sequence[Mapping[str, int]]) -> None:
    """Refuse means and events of the same rows: they are two outcomes."""
    for group in groups:
        counted = [group[what] for what in ("events", "proportion", "percent") if what in group]
        measured = [group[what] for what in ("mean", "median") if what in group]
        if any(
            not all(is_gap(cells[at]) for at in counted) and not all(is_gap(cells[at]) for at in measured)
            for _, cells in columns.table.rows
        ):
            raise undecided(
                columns.table,
                (
                    f"{columns.called(measured)} and {columns.called(counted)} are two outcomes, of means and"
                    " of events",
                    f"leave one of them out: {left_out(columns.table, counted)}, or"
                    f" {left_out(columns.table, measured)}" + ", in each group" * (len(groups) > 1),
                ),
            )
