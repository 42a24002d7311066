"""Tables with a row for each pair of arms: a study of several arms stands in several rows, each arm in many.

metafor's data and netmeta's ``pairwise`` are such. An arm is the same in two rows where a column says so
(``first_arm``, ``second_arm``), or where a study has a row for each pair of its treatments, and each of them
has the same numbers in all its rows: no groups of their own would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from evidence.errors import Problem, ReviewError
from evidence.folder.column_names import plain
from evidence.importers.table import Table

Groups = Mapping[str, Mapping[str, int]]
Key = tuple[str, ...]

_NAMES = {"1": ("firstarm", "armid1", "arm1id"), "2": ("secondarm", "armid2", "arm2id")}
_IDENTITY = ("treatment", "arm")


def with_names(table: Table, groups: Groups) -> dict[str, dict[str, int]]:
    """Add to both groups the column that names their arm, where both have one and one for their treatment."""
    used = {at for group in groups.values() for at in group.values()}
    found = {
        side: at
        for side, names in _NAMES.items()
        for at, column in enumerate(table.header)
        if plain(column) in names and side in groups and at not in used
    }
    named = len(found) == 2 == len(groups) and all("treatment" in group for group in groups.values())
    return {side: {**group, **({"arm": found[side]} if named else {})} for side, group in groups.items()}


def studies_in_pairs(table: Table, groups: Groups, telling: Sequence[int]) -> list[Key | None]:
    """Tell which rows are pairs of arms of one study.

    Parameters
    ----------
    table : Table
    groups : mapping of str to mapping
        Column of each meaning, by group.
    telling : sequence of int
        Columns that tell the rows of one study apart, its own among them.

    Returns
    -------
    list of tuple or None
        For each row what makes its study, outcome and time one; None where its arms are its own.

    Raises
    ------
    ReviewError
        If an arm of one name has other numbers in another row; names every line.
    """
    none: list[Key | None] = [None] * len(table.rows)
    if len(groups) != 2 or not all("treatment" in group for group in groups.values()):
        return none
    by_study: dict[Key, list[int]] = defaultdict(list)
    for number, (_, cells) in enumerate(table.rows):
        by_study[tuple(cells[at] for at in telling)].append(number)
    named = all("arm" in group for group in groups.values())
    found, problems = none, []
    for key, numbers in by_study.items():
        if named:
            problems += _contradictions(table, groups, numbers)
        if named or _all_pairs(table, groups, numbers):
            for number in numbers:
                found[number] = key
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    return found


def name_of(arm: Mapping[str, str]) -> str:
    """Name an arm within its study: by its own column, else its treatment."""
    return arm.get("arm") or arm.get("treatment", "")


def _sides(table: Table, groups: Groups, number: int) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Name and numbers of both arms of a row."""
    _, cells = table.rows[number]
    sides = []
    for group in groups.values():
        arm = {what: cells[at] for what, at in group.items()}
        numbers = {what: cell for what, cell in arm.items() if what not in _IDENTITY}
        # An arm is given its treatment by its name, too.
        sides.append((name_of(arm), tuple(sorted({**numbers, "treatment": arm["treatment"]}.items()))))
    return sides


def _all_pairs(table: Table, groups: Groups, numbers: Sequence[int]) -> bool:
    """Whether rows are each pair of three or more treatments once, and agree on each treatment's numbers."""
    if len(numbers) < 3:
        return False
    arms: dict[str, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    pairs = set()
    for number in numbers:
        sides = _sides(table, groups, number)
        pairs.add(frozenset(name for name, _ in sides))
        for name, said in sides:
            arms[name].add(said)
    k = len(arms)
    whole = k > 2 and len(numbers) == len(pairs) == k * (k - 1) // 2 and all(len(pair) == 2 for pair in pairs)
    return whole and "" not in arms and all(len(said) == 1 for said in arms.values())


def _contradictions(table: Table, groups: Groups, numbers: Sequence[int]) -> list[Problem]:
    """Find arms of one name with different numbers."""
    first: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
    problems = []
    for number in numbers:
        line = table.rows[number][0]
        for name, said in _sides(table, groups, number):
            before, there = first.setdefault(name, (line, said))
            if name and there != said:
                differing = sorted({what for (what, one), (_, other) in zip(there, said) if one != other})
                problems.append(
                    Problem(
                        f"arm {name!r} has another {' and '.join(differing)} than in line {before}",
                        "correct one of them, or give the arms different names",
                        table.name,
                        line,
                    )
                )
    return problems
