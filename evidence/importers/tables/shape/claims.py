"""What each column may hold, by its name and its cells, and which has the best right to a meaning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from evidence.errors import CallError
from evidence.facts.reference import keyed
from evidence.folder.column_names import plain, targets
from evidence.folder.layout import FILE
from evidence.importers.table import Table
from evidence.importers.tables.cells import are_codes, are_names, are_numbers, are_years, can_be, sample
from evidence.importers.tables.header import STATISTICS, Reading, readings, words
from evidence.importers.tables.shape.result import is_complete, left_out, undecided
from evidence.importers.tables.targets import as_options

_STUDY_NAMES = (
    ("study", "studlab", "studyname", "studylabel"),
    ("trial", "trialname"),
    ("studyid", "trialid"),
    ("id", "s"),
    ("author", "authors", "firstauthor", "authoryear", "shorttitle", "citation", "paper", "article",
     "publication"),
    ("reference",),
)  # fmt: skip
"""What may name the study, the best first: an ``id`` beside a ``study`` is a number, and authors have
several."""
_OF_STUDY = ("study", "trial", "paper", "article", "publication", "author", "reference", "citation")
"""Words for a study, or what reports it, in the name of a column; the best first."""
WEAK_TREATMENT = ("arm", "group", "condition", "cohort", "allocation")
WEAK_SIDE = ("control", "comparison", "versus", "vs", "reference")
"""Names of a comparator that are those of other things as well."""
_NAMING = frozenset(("treatment", "arm", "arm_a", "arm_b", "outcome", "experiment", "class"))
_READ_FROM = frozenset(("text", "table", "figure", "author"))
_ALLOWED = {
    column.name: frozenset(column.allowed)
    for file in ("arms.csv", "measurements.csv", "contrasts.csv")
    for column in FILE[file].columns
    if column.allowed
}
"""What may stand in columns with a fixed list: one of that name that holds other words is another."""
MAPPED, FULL, USUAL, SHORT, WEAK = range(5)
"""How good the right of a column to a meaning is: said by a person, or by its name."""

_LETTERED = {"=a": "1", "=b": "2"}

Claims = dict[str, dict[int, int]]
"""Rank of every column that may hold a meaning, by meaning and position."""


class Columns:
    """A table's columns with the names they go by (the target, for a column that a person mapped)."""

    def __init__(self, table: Table, chosen: Mapping[str, str]) -> None:
        self.table, self.header = table, table.header
        self.names = [chosen.get(name, name) for name in table.header]
        self.mapped = {i for i, name in enumerate(table.header) if chosen.get(name)}
        self.left_out = {i for i, name in enumerate(table.header) if name in chosen and not chosen[name]}
        self._cells: dict[int, list[str]] = {}

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((i, name) for i, name in enumerate(self.names) if i not in self.left_out and name)

    def cells(self, position: int) -> list[str]:
        """Cells of a column, of which a large table gives some."""
        if position not in self._cells:
            self._cells[position] = sample(self.table, position)
        return self._cells[position]

    def readings(self, position: int) -> tuple[Reading, ...]:
        """Ways to read a column's name; the groups of a table that letters both (A and B) are 1 and 2."""
        found = readings(self.names[position])
        if not self._are_lettered:
            return found
        return tuple(r._replace(group=_LETTERED.get(r.group, r.group)) for r in found)

    @cached_property
    def _are_lettered(self) -> bool:
        """Whether the same statistics are there for a group A and a group B."""
        own: dict[str, set[str]] = {group: set() for group in _LETTERED}
        for _, name in self:
            for reading in readings(name):
                if reading.group in own:
                    own[reading.group] |= reading.options & STATISTICS
        first, second = own.values()
        return first == second and is_complete(first)

    def can_be(self, position: int, meaning: str) -> bool:
        """Whether a column's cells allow a meaning; what a person says they are, they are."""
        return position in self.mapped or can_be(meaning, self.cells(position))

    def called(self, positions: Iterable[int]) -> str:
        """Name columns as they stand in the table, in its order."""
        return " and ".join(repr(self.header[at]) for at in sorted(positions))

    def rank(self, position: int, meaning: str) -> int:
        """How good a name's right to a meaning is; the study has an order of its own."""
        if position in self.mapped:
            return MAPPED
        name = plain(self.names[position])
        if meaning == "study":
            return FULL + next(
                (i for i, names in enumerate(_STUDY_NAMES) if name in names), len(_STUDY_NAMES)
            )
        if name == plain(meaning):
            return FULL
        if name in WEAK_TREATMENT or name in WEAK_SIDE:
            return WEAK
        return SHORT if len(name) == 1 else USUAL


def decide(columns: Columns, claims: Claims, aside: dict[int, str]) -> dict[str, int]:
    """Give every meaning to the column with the best right to it.

    Parameters
    ----------
    columns : Columns
    claims : dict of str to dict
    aside : dict of int to str
        Columns that lose are added here, with the reason.

    Raises
    ------
    CallError
        If two columns are mapped to one meaning.
    ReviewError
        If the best right is that of several.
    """
    known: dict[str, int] = {}
    problems = []
    for meaning, ranks in claims.items():
        best = min(ranks.values())
        # A better name is no better right: n beside participants may be those analysed. But for the study.
        equal = best if meaning == "study" or best == MAPPED else max(best, SHORT)
        first = sorted(
            (at for at, rank in ranks.items() if rank <= equal),
            key=lambda at: (meaning in _NAMING and are_numbers(columns.cells(at)), ranks[at], at),
        )
        if len(first) > 1 and best == MAPPED:
            raise CallError(f"{columns.called(first)} are mapped to one meaning, {meaning}: map one of them.")
        if len(first) > 1 and not _say_the_same(columns, meaning, first):
            problems.append(rivals(columns, meaning, first))
        if meaning == "study" and best != MAPPED:
            crossing = [at for at in ranks if at != first[0] and _crosses(columns, first[0], at)]
            problems += [_studies_crossing(columns, first[0], at) for at in crossing[:1]]
        known[meaning] = first[0]
        for at in ranks.keys() - {first[0]}:
            aside[at] = f"{columns.header[first[0]]!r} is taken as the {meaning}"
    if problems:
        raise undecided(columns.table, *problems)
    return known


def _crosses(columns: Columns, one: int, other: int) -> bool:
    """Whether one column puts rows into a study that another keeps apart, and is no better for it.

    A study may have several publications, and an author several studies; but not both at once.
    """
    of_one: dict[str, set[str]] = defaultdict(set)
    of_other: dict[str, set[str]] = defaultdict(set)
    for _, cells in columns.table.rows:
        if cells[one] and cells[other]:
            of_one[cells[one]].add(cells[other])
            of_other[cells[other]].add(cells[one])
    if all(len(found) == 1 for found in of_one.values()):
        return False
    is_code = plain(columns.names[one]) in ("id", "s")
    return is_code or len(of_one) == 1 or any(len(found) > 1 for found in of_other.values())


def _studies_crossing(columns: Columns, one: int, other: int) -> tuple[str, str]:
    names = [columns.header[at] for at in (one, other)]
    return (
        f"columns {names[0]!r} and {names[1]!r} may each name the study, and contradict each other",
        f"say which does: {as_options({names[0]: 'study'})} or {as_options({names[1]: 'study'})}",
    )


def _say_the_same(columns: Columns, meaning: str, positions: Sequence[int]) -> bool:
    """Whether columns hold the same cells, or, of names, the one codes for the other."""
    if meaning in _NAMING:
        return all(are_codes(columns.table, positions[0], at) for at in positions[1:])
    return all(cells[positions[0]] == cells[at] for _, cells in columns.table.rows for at in positions[1:])


def rivals(columns: Columns, meaning: str, positions: Collection[int]) -> tuple[str, str]:
    """Say that columns claim one meaning, and what would settle it."""
    first, *others = sorted(positions)
    return (
        f"columns {columns.called(positions)} may each be the {meaning}",
        "say which, and leave the other out: "
        f"{as_options({columns.header[first]: meaning})} {left_out(columns.table, others)}",
    )


def of_row(columns: Columns, but: Collection[str] = ()) -> tuple[Claims, dict[int, str]]:
    """Claims of columns that are about the whole row, and units of those that hold a time."""
    meanings = targets("arm level")
    claims: Claims = defaultdict(dict)
    units: dict[int, str] = {}
    for position, name in columns:
        options = meanings.get(plain(name), frozenset())
        unit = time_unit(columns.header[position])
        if position in columns.mapped and "timepoint" in options:
            unit = unit or _unit_in(columns.header[position])
        if unit and (not options or (position in columns.mapped and "timepoint" in options)):
            units[position] = unit
            options = frozenset(("timepoint",))
        for meaning in options - STATISTICS - {"treatment"} - set(but):
            if position in columns.mapped or is_what_it_says(meaning, columns.cells(position)):
                claims[meaning][position] = columns.rank(position, meaning)
    return claims, units


def is_what_it_says(meaning: str, cells: Sequence[str]) -> bool:
    """Whether cells are what a name says: not every method is one of reading, nor a scale log or natural."""
    if meaning == "year":
        return are_years(cells)
    if meaning == "method":
        return not _READ_FROM.isdisjoint(cell.lower() for cell in cells)
    if meaning in _ALLOWED:
        return not cells or 2 * sum(cell.lower() in _ALLOWED[meaning] for cell in cells) >= len(cells)
    return True


def time_unit(name: str) -> str | None:
    """Read the unit of a column of times in its name: ``Time (h)``, ``time_weeks``."""
    parts = words(name)
    if parts[:1] not in (["time"], ["timepoint"]) or len(parts) < 2:
        return None
    unit = parts[-1]
    if parts[1:-1] not in ([], ["point"], ["in"]) or unit in ("point", "in"):
        return None
    return _as_unit(unit)


def _as_unit(word: str) -> str | None:
    """Return the unit of time that a word stands for."""
    unit = str(keyed("unit_alias").get(word, {}).get("unit") or word)
    known = keyed("unit").get(unit)
    return unit if known is not None and known.get("dimension") == "time" else None


def _unit_in(name: str) -> str | None:
    """Read the one unit of time in the name of a column that a person says holds times: ``weeks``."""
    found = {unit for word in words(name) if len(word) > 1 and (unit := _as_unit(word))}
    return found.pop() if len(found) == 1 else None


def likely_studies(table: Table, names: Sequence[str], *, by_cells: bool = True) -> list[str]:
    """Guess which columns may name the study, where none has its name: by words, else by cells.

    Returns
    -------
    list of str
        Columns whose names are of papers or authors; else, last, those whose cells are names most of which
        are there once or twice; none where a column is known to name the study.
    """
    meanings = targets("arm level")
    free = [name for name in names if plain(name) not in meanings]
    if any("study" in meanings.get(plain(name), ()) for name in names):
        return []
    filled = {name: cells for name in free if (cells := sample(table, table.header.index(name)))}
    by_word = [
        name
        for word in _OF_STUDY
        for name in filled
        if word in (part.removesuffix("s") for part in words(name))
    ]
    if by_word or not by_cells:
        return list(dict.fromkeys(by_word))
    return [
        name for name, cells in filled.items() if are_names(cells) and 2 * len(set(cells)) >= len(cells) > 2
    ]


def differs_within_studies(columns: Columns, position: int) -> bool:
    """Whether most studies have several values in a column: what a subgroup of studies does not."""
    claims, _ = of_row(columns)
    if "study" not in claims:
        return False
    study = min(claims["study"], key=lambda at: (claims["study"][at], at))
    seen: dict[str, set[str]] = defaultdict(set)
    for _, cells in columns.table.rows:
        seen[cells[study]].add(cells[position])
    return 2 * sum(len(found) > 1 for found in seen.values()) > len(seen)
