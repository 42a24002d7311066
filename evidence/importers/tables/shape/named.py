"""Groups that are called by words: of their columns' names, or of the columns that name their treatments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from evidence.folder.column_names import plain, targets
from evidence.importers.tables.cells import are_citations, are_codes, are_names, are_numbers
from evidence.importers.tables.header import STATISTICS, Reading, group_words
from evidence.importers.tables.shape.claims import (
    FULL,
    MAPPED,
    SHORT,
    USUAL,
    WEAK,
    Claims,
    Columns,
    of_row,
    rivals,
)
from evidence.importers.tables.shape.result import CONTROL, is_complete, positions, undecided

_WEAKEST = ("comparison", "reference")
"""Names of a comparator that are those of other things as well, the worse after the better."""

Groups = dict[str, dict[str, int]]
Entries = Sequence[tuple[int, Reading]]


def named_groups(
    columns: Columns, entries: Entries, treatment: str | None, control: str | None
) -> tuple[Groups, dict[str, str]] | None:
    """Find two groups called by words of which one is a word for a control group, or that a person names.

    Returns
    -------
    groups : dict of str to dict
        Column of each statistic, by group.
    labels : dict of str to str
        What the groups are called.
    """
    by_word = _by_word(columns, entries)
    complete: Groups = {}
    problems = []
    for word, found in by_word.items():
        statistics, claimed = _statistics(columns, word, found)
        problems += claimed
        # Words are weaker than an index: a mean needs its n or its spread beside it.
        if is_complete(statistics) and len(statistics) > 1 and not _is_first(word):
            complete[word] = statistics
    unknown = [word for word in complete if word.startswith("=")]
    if len(complete) != 2 or not unknown:
        return None
    if problems:
        raise undecided(columns.table, *problems)
    if len(unknown) == 2:
        sides = {word[1:]: word for word in unknown}
        one, other = (sides.get((name or "").lower()) for name in (treatment, control))
        if one is None or other is None or one == other:
            return None
        return {"1": complete[one], "2": complete[other]}, {"1": treatment or "", "2": control or ""}
    one = unknown[0]
    if "2" not in complete or complete[one].keys() != complete["2"].keys():
        return None
    label = next((reading.label for _, reading in by_word["2"] if reading.label), "")
    return (
        {"1": complete[one], "2": complete["2"]},
        {"1": _typed(columns, complete[one], one[1:]), "2": label or CONTROL},
    )


def _by_word(columns: Columns, entries: Entries) -> dict[str, list[tuple[int, Reading]]]:
    """Columns of each word; what a person maps to the first group is of the one that no word is known for."""
    by_word: dict[str, list[tuple[int, Reading]]] = defaultdict(list)
    for position, reading in entries:
        by_word[reading.group].append((position, reading))
    others = [word for word in by_word if word.startswith("=")]
    if len(others) == 1 and "2" in by_word:
        by_word[others[0]] += [entry for entry in by_word.pop("1", []) if entry[0] in columns.mapped]
    return by_word


def _statistics(
    columns: Columns, word: str, entries: Entries
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Column of each statistic of one group, and which of them several columns claim."""
    statistics: dict[str, int] = {}
    problems = []
    spread = any(reading.options & {"sd", "se"} for _, reading in entries)
    for position, reading in entries:
        options = reading.options & STATISTICS
        if options == {"events", "mean"}:
            options = frozenset(("mean" if spread else "events",))
        for meaning in options:
            first = statistics.setdefault(meaning, position)
            if first in columns.mapped or first == position:
                continue
            if position in columns.mapped:
                statistics[meaning] = position
            else:
                side = "1" if word.startswith("=") else word
                problems.append(rivals(columns, f"{meaning}{side}", {first, position}))
    return statistics, problems


def _is_first(word: str) -> bool:
    return Reading(frozenset(), "", word.removeprefix("=")).is_first


def _typed(columns: Columns, group: Mapping[str, int], word: str) -> str:
    """Write a word as the table's first name with it does."""
    name = columns.header[min(group.values())]
    at = name.lower().find(word)
    return name[at : at + len(word)] if at >= 0 else word


def treatments_of(columns: Columns, groups: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Find the column that names each group's treatment.

    Raises
    ------
    ReviewError
        If several do, with equal right, and do not say the same.
    """
    used = positions(groups)
    studies = of_row(columns)[0].get("study", {})
    if len(studies) == 1:
        used |= studies.keys()  # A 'reference' that is all there is to name the study is none of a group.
    claims: Claims = defaultdict(dict)
    for position, name in columns:
        if position in used:
            continue
        side, rank = _names_side(columns, position, name)
        if side in groups and columns.can_be(position, "treatment"):
            claims[side][position] = rank
    found = {}
    for side, ranks in claims.items():
        best = min(ranks.values())
        first = [at for at, rank in ranks.items() if rank == best]
        if len(first) > 1 and not all(are_codes(columns.table, first[0], at) for at in first[1:]):
            raise undecided(columns.table, rivals(columns, f"treatment{side}", first))
        # Of a code and a name that say the same, the name.
        found[side] = min(first, key=lambda at: (are_numbers(columns.cells(at)), at))
    return found


def _names_side(columns: Columns, position: int, name: str) -> tuple[str, int]:
    """Tell of which group a column names the treatment, and how well its name says so."""
    short = plain(name)
    mapped = position in columns.mapped
    for reading in columns.readings(position):
        if "treatment" in reading.options and reading.group.isdigit() and not reading.rest:
            rank = MAPPED if mapped else SHORT if len(short.rstrip("0123456789")) == 1 else USUAL
            return reading.group, rank
    meanings = targets("contrast level").get(short, frozenset())
    for meaning, side in (("arm_a", "1"), ("arm_b", "2")):
        if meaning not in meanings:
            continue
        if mapped or short in ("arma", "armb"):
            return side, MAPPED if mapped else FULL
        # One column for the drug, or for the comparator, of each row: names, not codes of a subgroup.
        if are_names(columns.cells(position)) and not are_citations(columns.cells(position)):
            return side, WEAK + (_WEAKEST.index(short) + 1 if short in _WEAKEST else 0)
    if "treatment" in targets("arm level").get(short, ()) and (mapped or are_names(columns.cells(position))):
        return "1", MAPPED if mapped else WEAK
    if group_words().get(short, ("",))[0] == "2" and len(short) > 2 and are_names(columns.cells(position)):
        return ("", WEAK) if are_citations(columns.cells(position)) else ("2", WEAK)
    return "", WEAK
