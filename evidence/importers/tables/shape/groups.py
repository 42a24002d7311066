"""Tables with a set of columns for each group: which group a column is of, and what it holds of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evidence.folder.column_names import plain
from evidence.importers.tables.cells import are_counts, are_numbers
from evidence.importers.tables.header import STATISTICS, Reading, words
from evidence.importers.tables.shape.claims import FULL, MAPPED, USUAL, WEAK, Columns, decide, of_row, rivals
from evidence.importers.tables.shape.contrasts import OF_ARM
from evidence.importers.tables.shape.named import named_groups, treatments_of
from evidence.importers.tables.shape.result import (
    CONTROL,
    OF_EFFECT,
    TREATED,
    Shape,
    is_complete,
    left_out,
    positions,
    undecided,
)
from evidence.importers.tables.shape.statistics import is_time, refuse_follow_up, refuse_two_kinds
from evidence.importers.tables.targets import as_options

Groups = dict[str, dict[str, int]]
"""Column of each statistic, by group."""

Said = tuple[str, str]
"""What is unclear, and what would settle it."""


class Entry(NamedTuple):
    """A column, and one way to read its name as a statistic of a group."""

    at: int
    reading: Reading


def rows_of_studies(columns: Columns, treatment: str | None, control: str | None) -> Shape | None:
    """Read a table with a set of columns for each group, or tell that it is none."""
    entries = [
        Entry(at, reading)
        for at, name in columns
        for reading in columns.readings(at)
        if reading.group and reading.options & STATISTICS and name.lower() not in OF_EFFECT
    ]
    known_words = [entry for entry in entries if not entry.reading.group.startswith("=")]
    groups, labels = _known_groups(columns, known_words), dict[str, str]()
    if groups is None:
        found = named_groups(columns, sorted(entries, key=lambda e: e not in known_words), treatment, control)
        if found is None:
            return None
        groups, labels = found
    else:
        for at, reading in known_words:
            if reading.label and at in groups.get(reading.group, {}).values():
                labels.setdefault(reading.group, reading.label)
    refuse_two_kinds(columns, list(groups.values()))
    for side, position in treatments_of(columns, groups).items():
        groups[side]["treatment"] = position
    if len(groups) > 2 and any("treatment" not in group for group in groups.values()):
        return None
    # A dose or a class without a group's index is of no arm in particular: it stays with the study.
    used = positions(groups)
    claims, units = of_row(columns, but=OF_ARM)
    free = {
        what: {at: rank for at, rank in ranks.items() if at not in used} for what, ranks in claims.items()
    }
    aside: dict[int, str] = {}
    known = decide(columns, {what: ranks for what, ranks in free.items() if ranks}, aside)
    called = {"1": TREATED, "2": CONTROL} | labels
    called |= {side: name for side, name in (("1", treatment), ("2", control)) if name}
    labels = {side: called.get(side, side) for side, group in groups.items() if "treatment" not in group}
    units = {at: unit for at, unit in units.items() if at in known.values()}
    return Shape("studies", known, groups, labels, aside, units)


def _known_groups(columns: Columns, entries: Sequence[Entry]) -> Groups | None:
    """Find groups by index or by words for treated and control.

    Metafor's names, words and indices are looked at apart, then together: ``mean_exp`` and ``mean1`` need not
    be of one group.
    """

    def indexed(entry: Entry) -> bool:
        return any(word.isdigit() for word in words(columns.names[entry.at]))

    mapped = [entry for entry in entries if entry.at in columns.mapped]
    complete: list[Groups] = []
    for family in (
        [entry for entry in entries if entry.reading.exact],
        [entry for entry in entries if not indexed(entry)],
        [entry for entry in entries if indexed(entry)],
    ):
        found = _one_family(columns, [*family, *(entry for entry in mapped if entry not in family)])
        if found and found not in complete:
            complete.append(found)
    if not complete:
        return _one_family(columns, entries)
    complete = [found for found in complete if positions(found) & columns.mapped] or complete
    largest = max(complete, key=lambda found: len(positions(found)))
    for other in complete:
        if not positions(other) & positions(largest):
            raise undecided(
                columns.table,
                (
                    f"{columns.called(positions(largest))} are the numbers of two groups, and so are"
                    f" {columns.called(positions(other))}",
                    f"leave one of them out: {left_out(columns.table, sorted(positions(other)))}",
                ),
            )
    return largest


def _one_family(columns: Columns, entries: Sequence[Entry]) -> Groups | None:
    """Put columns into the slots of groups; which of several readings of an outcome is meant is asked."""
    complete: dict[str, Groups] = {}
    claimed: dict[str, list[Said]] = {}
    for rest in sorted({entry.reading.rest for entry in entries if not entry.reading.is_first}):
        of_rest = [entry for entry in entries if entry.reading.rest in (rest, "")]
        groups, problems = _slots(columns, of_rest, rest)
        if groups is not None:
            complete[rest], claimed[rest] = groups, problems
    if not complete:
        return None
    if "" in complete:
        complete = {"": complete[""]}
    if len(complete) > 1:
        mine = {rest: groups for rest, groups in complete.items() if positions(groups) & columns.mapped}
        complete = mine if len(mine) == 1 else complete
    if len(complete) > 1:
        raise undecided(columns.table, _several_readings(columns, complete))
    ((rest, groups),) = complete.items()
    if claimed[rest]:
        raise undecided(columns.table, *claimed[rest])
    return groups


def _several_readings(columns: Columns, complete: Mapping[str, Groups]) -> Said:
    """Ask which of several readings (final, change) is meant."""
    said = []
    for rest, groups in complete.items():
        own = {
            columns.header[at]: f"{what}{side}"
            for side, group in groups.items()
            for what, at in group.items()
            if rest and set(rest.split()) <= set(words(columns.header[at]))
        }
        in_order = dict(sorted(own.items(), key=lambda item: columns.header.index(item[0])))
        said.append(f"for {rest!r} {as_options(in_order)}")
    return (
        f"the groups are given several times: {', '.join(map(repr, complete))}",
        f"say which is meant: {'; '.join(said)}",
    )


def _slots(columns: Columns, entries: Sequence[Entry], rest: str) -> tuple[Groups | None, list[Said]]:
    """Fill the slots of groups with columns; None where they are not complete in all groups."""
    groups: Groups = defaultdict(dict)
    problems: list[Said] = []
    for (side, meaning), ranks in _places(columns, entries, rest).items():
        best = min(ranks.values())
        first = [at for at, rank in ranks.items() if rank == best]
        if len(first) > 1:
            problems.append(rivals(columns, f"{meaning}{side}", first))
        groups[side][meaning] = min(first)
    _drop_unlike(columns, groups)
    refuse_follow_up(columns, groups)
    sides = sorted(groups, key=lambda side: (len(side), side))
    whole = [side for side in sides if is_complete(groups[side])]
    if len(whole) < 2 or sides[:2] != ["1", "2"]:
        return None, []
    broken = next((side for side in sides if side not in whole), None)
    if broken and not problems:
        own = groups[broken]
        lacking = sorted(set().union(*(groups[side].keys() for side in whole)) - own.keys())
        problems.append(
            (
                f"group {broken} has {columns.called(own.values())}, and no column of {' or '.join(lacking)}",
                f"say which column it is, --map COLUMN={lacking[0]}{broken}; or leave them out:"
                f" {left_out(columns.table, own.values())}",
            )
        )
    return {side: groups[side] for side in sides}, problems


def _places(columns: Columns, entries: Sequence[Entry], rest: str) -> dict[tuple[str, str], dict[int, int]]:
    """Rank of every column that may be a statistic of a group."""
    spread = any(reading.options & {"sd", "se", "ci_lower", "sd^2", "se^2"} for _, reading in entries)
    places: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for at, reading in entries:
        options = reading.options & STATISTICS
        if options == {"events", "mean"}:
            alike = [e.at for e in entries if e.reading.options == reading.options]
            means = spread or not all(are_counts(columns.cells(i)) for i in alike)
            options = frozenset(("mean" if means else "events",))
        rank = MAPPED if at in columns.mapped else FULL if reading.rest == rest else USUAL
        if rank != MAPPED and _stem(columns, at) == "m" and any(_stem(columns, e.at) == "y" for e in entries):
            rank = WEAK  # rnmamod: y1 is the mean, m1 counts the missing.
        for meaning in options:
            places[reading.group, meaning][at] = rank
    return places


def _drop_unlike(columns: Columns, groups: Groups) -> None:
    """Drop what a column is not: a follow-up time is no person-time, a letter with decimals no count."""
    for group in groups.values():
        for meaning, at in list(group.items()):
            if at in columns.mapped:
                continue
            one_letter = len(_stem(columns, at)) <= 1
            decimals = are_numbers(columns.cells(at)) and not columns.can_be(at, meaning)
            time = meaning == "exposure" and is_time(columns.names[at]) and group.keys() & {"n", "mean"}
            if time or (one_letter and decimals and meaning in ("n", "events")):
                del group[meaning]


def _stem(columns: Columns, position: int) -> str:
    """Return a column's name without index: ``m`` of ``m1`` and ``m1i``."""
    return plain(columns.names[position]).rstrip("0123456789i")
