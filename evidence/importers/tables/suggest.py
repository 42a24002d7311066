"""What to say of a table that is not understood: mappings that make it one, each tried first."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from evidence.errors import Problem, ReviewError
from evidence.folder.column_names import differences_called, effect_name, hints, plain, targets
from evidence.importers.table import Table, other_sheets
from evidence.importers.tables.cells import are_counts, are_names, number, sample
from evidence.importers.tables.header import (
    NEVER_OUTCOME,
    STATISTICS,
    group_words,
    only_names,
    readings,
    words,
)
from evidence.importers.tables.shape.claims import likely_studies
from evidence.importers.tables.shape.result import NoShapeError, NoStudyError, is_complete
from evidence.importers.tables.targets import as_options, said

_MOST = 2
_TRIED_ROWS = 500


class Suggestion(NamedTuple):
    """A mapping, and names of groups, that may make a table understood."""

    mapping: dict[str, str]
    treatment: str | None = None
    control: str | None = None
    measure: str | None = None
    number_studies: bool = False

    def __str__(self) -> str:
        said = (("measure", self.measure), ("treatment", self.treatment), ("control", self.control))
        names = [f"--{option} {shlex.quote(name)}" for option, name in said if name]
        numbered = "--number-studies" * self.number_studies
        return " ".join(filter(None, [as_options(self.mapping), *names, numbered]))


def no_shape(table: Table) -> NoShapeError:
    """Make the error of a table that is not understood."""
    return NoShapeError(f"{table.name} is neither an arm-level nor a contrast-level table.")


@contextmanager
def with_suggestions(
    table: Table, mapping: Mapping[str, str], tried: Callable[[Table, Suggestion], bool]
) -> Iterator[None]:
    """Complete the error of a table that is not understood by what would make it one.

    Parameters
    ----------
    table : Table
    mapping : mapping of str to str
        What the person has said already.
    tried : callable
        Whether a suggestion, joined to that, makes the table understood.
    """
    try:
        yield
    except NoShapeError as error:
        small = Table(table.name, table.header, table.rows[:_TRIED_ROWS], table.notes, table.doubled)
        working: list[str] = []
        nameless = isinstance(error, NoStudyError)
        candidates = _of_study(small, mapping) if nameless else _candidates(small, mapping)
        for suggestion in candidates:
            said_ = str(suggestion)
            if len(working) < _MOST and said_ and said_ not in working and tried(small, suggestion):
                working.append(said_)
        if nameless:
            raise _without_study(table, error, working) from None
        hint = f"perhaps {', or '.join(working)}; " if working else ""
        raise ReviewError(
            error.message,
            [
                Problem(
                    f"columns: {', '.join(table.header)}",
                    f"{hint}an arm-level table has study, treatment and n with mean and sd (or se),"
                    " events, or events"
                    " and exposure; a contrast-level table has study, treat1, treat2, TE and seTE; a"
                    " table with"
                    " one row per study has study, t1, r1, n1, t2, r2, n2 or ai, n1i, ci, n2i; say with --map"
                    f" SOURCE=TARGET what a column holds (targets {said()}){other_sheets(table.notes)}",
                    file=table.name,
                    line=1,
                )
            ],
        ) from None


def _without_study(table: Table, error: ReviewError, working: list[str]) -> ReviewError:
    remedy = f"say {', or '.join(working)}" if working else "add a column that names the study"
    columns = f"columns: {', '.join(filter(None, table.header))}"
    return ReviewError(error.message, [Problem(columns, remedy, table.name, 1)])


def _of_study(table: Table, mapping: Mapping[str, str]) -> Iterator[Suggestion]:
    """Columns that may name the study, and rows called by their numbers where none does."""
    free = [name for name in table.header if name and name not in mapping]
    for name in likely_studies(table, free, by_cells=False)[:1]:
        yield Suggestion({name: "study"})
    yield Suggestion({}, number_studies=True)


def _candidates(table: Table, mapping: Mapping[str, str]) -> Iterator[Suggestion]:
    free = [name for name in table.header if name and name not in mapping]
    likely = [] if "study" in mapping.values() else likely_studies(table, free)[:1]
    study = dict.fromkeys(likely, "study")
    by_words = _by_words(table, free)
    if "study" in by_words.values():
        study = {}
    yield Suggestion(by_words)
    yield Suggestion({**study, **by_words})
    yield Suggestion(study)
    for pair in _word_pairs(table, free):
        yield pair
        yield Suggestion({**study, **pair.mapping}, pair.treatment, pair.control)
    for groups in _counts_of_groups(table, free):
        yield Suggestion(groups)
        yield Suggestion({**study, **groups})
    yield Suggestion(_events_called_e(table, free))
    # A table with numbers of groups has the effects that follow from them beside.
    for measure in _measures(table, free):
        yield Suggestion({}, measure=measure)
        yield Suggestion(study, measure=measure)
    for counts in _counts(table, free):
        yield Suggestion(counts)
        yield Suggestion({**study, **counts})
    if not likely:
        yield Suggestion({}, number_studies=True)


def _by_words(table: Table, free: list[str]) -> dict[str, str]:
    """Guess by words in the names, where nothing else in a name speaks against it.

    A mean age is not the outcome's, the SE of an effect is of no arm, and a dose of the intervention does not
    name it.
    """
    known = targets("arm level").keys() | targets("contrast level").keys()
    found = hints(
        name
        for name in free
        if plain(name) not in known and effect_name(name) is None and NEVER_OUTCOME.isdisjoint(words(name))
    )
    return {
        name: target
        for name, target in found.items()
        if target != "treatment" or (only_names(name) and are_names(sample(table, table.header.index(name))))
    }


def _measures(table: Table, free: list[str]) -> list[str]:
    """Effect measures whose names are those of columns."""
    found = []
    for name in free:
        if len(plain(name)) == 1 and are_counts(sample(table, table.header.index(name))):
            continue  # The dead, not Cohen's d.
        effect = effect_name(name)
        if effect is not None and effect.measure and effect.target in ("estimate", "estimate and interval"):
            found.append(effect.measure)
        found += [measure for measure, names in differences_called().items() if plain(name) in names]
    return list(dict.fromkeys(found))


def _word_pairs(table: Table, free: list[str]) -> Iterator[Suggestion]:
    """Two groups called by words of which neither is known: who is the control, a person knows."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in free:
        for reading in readings(name):
            options = reading.options & STATISTICS
            if reading.group.startswith("=") and len(options) == 1 and not reading.is_first:
                found[reading.group[1:]].setdefault(next(iter(options)), name)
    complete = [word for word, columns in found.items() if is_complete(columns.keys())]
    parts = [part for word in complete for part in set(word.split())]
    if len(complete) > 2 and len(set(parts)) < len(parts):
        return  # Several outcomes of two groups, not several groups.
    for i, first in enumerate(complete):
        for second in complete[i + 1 :]:
            if found[first].keys() == found[second].keys():
                sides = {"1": found[first], "2": found[second]}
                if len(complete) == 2:
                    yield Suggestion({}, first, second)
                yield Suggestion(
                    {
                        name: f"{what}{side}"
                        for side, columns in sides.items()
                        for what, name in columns.items()
                    },
                    first,
                    second,
                )


def _counts(table: Table, free: list[str]) -> Iterator[dict[str, str]]:
    """Two columns of whole numbers, one never above the other: events and n, if there is no third."""
    meanings = targets("arm level")
    counts = [
        name
        for name in free
        if are_counts(sample(table, table.header.index(name)))
        and not meanings.get(plain(name), frozenset()) - {"n", "events"}
        and "year" not in words(name)
    ]
    if len(counts) != 2:
        return
    for events, n in (counts, counts[::-1]):
        if _never_above(table, events, n):
            yield {
                name: what
                for name, what in ((events, "events"), (n, "n"))
                if what not in meanings.get(plain(name), ())
            }


def _events_called_e(table: Table, free: list[str]) -> dict[str, str]:
    """Events that are called E, as person-time is: ``Ee Ne Ec Nc``."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in free:
        for reading in readings(name):
            for what in reading.options & {"n", "exposure"}:
                found[reading.group][what] = name
    of_groups = {side: found[side] for side in "12" if found[side].keys() == {"n", "exposure"}}
    if len(of_groups) < 2 or not all(_never_above(table, g["exposure"], g["n"]) for g in of_groups.values()):
        return {}
    return {group["exposure"]: f"events{side}" for side, group in of_groups.items()}


def _never_above(table: Table, events: str, n: str) -> bool:
    a, b = table.header.index(events), table.header.index(n)
    pairs = [(number(cells[a]), number(cells[b])) for _, cells in table.rows if cells[a] and cells[b]]
    return (
        len(pairs) > 1
        and all(x is not None and y is not None and 0 <= x <= y for x, y in pairs)
        and any(x != y for x, y in pairs)
    )


def _counts_of_groups(table: Table, free: list[str]) -> Iterator[dict[str, str]]:
    """Pairs of columns with n of two groups and another word: ``d.asp n.asp d.plac n.plac``."""
    sizes = {}
    for name in free:
        parts = words(name)
        if "n" in parts and len(parts) > 1:
            sizes[tuple(word for word in parts if word != "n")] = name
    if len(sizes) != 2:
        return
    # The control, where a word says which it is, comes second.
    ordered = sorted(sizes, key=lambda g: any(group_words().get(word, ("1",))[0] == "2" for word in g))
    stems: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    for name in free:
        for group in ordered:
            parts = words(name)
            rest = [word for word in parts if word not in group]
            if name not in sizes.values() and rest and len(rest) + len(group) == len(parts):
                stems[" ".join(rest)][group] = name
    for columns in stems.values():
        flags = all({*table.column(name)} <= {"0", "1", ""} for name in columns.values())
        if (
            len(columns) == 2
            and not flags
            and all(_never_above(table, columns[g], sizes[g]) for g in ordered)
        ):
            yield {
                name: f"{what}{side}"
                for side, g in enumerate(ordered, 1)
                for what, name in (("events", columns[g]), ("n", sizes[g]))
            }
