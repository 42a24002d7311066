"""What a table is: rows of arms, of studies with several groups, or of contrasts; and what each column holds.

All columns are looked at before any is decided, so that their order says nothing. Each column gets a subject
(study, arm, contrast, measurement) and a meaning, from its name, its cells and the other columns. What a
person maps wins; what two columns claim with equal right is refused with both named.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evidence import facts
from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.reference import keyed, reference
from evidence.folder.column_names import effect_name, plain, targets
from evidence.folder.layout import FILE
from evidence.importers.table import Table
from evidence.importers.tables.cells import (
    are_codes,
    are_counts,
    are_names,
    are_numbers,
    are_years,
    can_be,
    sample,
)
from evidence.importers.tables.header import STATISTICS, Reading, group_words, readings, words

TREATED, CONTROL = "treatment", "control"
"""What two groups are called where the table does not name them."""

CENTRES = frozenset(("mean", "median", "events", "proportion", "percent"))
"""Statistics of which an arm must have one."""

OF_EFFECT = frozenset(("yi", "vi", "sei"))
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
_WEAK_TREATMENT = ("arm", "group", "condition", "cohort", "allocation")
_WEAKEST = ("comparison", "reference")
"""Names of a comparator that are those of other things as well."""
_WEAK_SIDE = ("control", "comparison", "versus", "vs", "reference")
_OF_ARM = frozenset(c.name for c in FILE["arms.csv"].columns) - {"study", "experiment", "n"}
_NAMING = frozenset(("treatment", "arm", "arm_a", "arm_b", "outcome", "experiment", "class"))
_MAPPED, _FULL, _USUAL, _SHORT, _WEAK = range(5)


@dataclass(frozen=True)
class Shape:
    """How a table is read.

    Attributes
    ----------
    rows : {"arms", "studies", "contrasts", "effects"}
        What a row is: one arm; a study with a set of columns for each group; a contrast of two named
        treatments; an effect whose groups nobody names.
    known : dict of str to int
        Column of each meaning that is of the whole row.
    groups : dict of str to dict
        Of rows of studies: column of each meaning, by group.
    labels : dict of str to str
        Name of a group that no column names.
    aside : dict of int to str
        Columns that say what others say better, and why they are not taken.
    units : dict of int to str
        Unit in the name of a column of times.
    notes : list of str
        What had to be decided.
    """

    rows: str
    known: dict[str, int]
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    aside: dict[int, str] = field(default_factory=dict)
    units: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def taken(self) -> set[int]:
        """Positions of all columns with a meaning."""
        return {*self.known.values(), *(at for group in self.groups.values() for at in group.values())}


class AmbiguousError(ReviewError):
    """Several columns claim one meaning."""


class _Columns:
    """A table's columns with the names they go by (the target, for a column that a person mapped)."""

    def __init__(self, table: Table, chosen: Mapping[str, str]) -> None:
        self.table, self.chosen = table, chosen
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

    def can_be(self, position: int, meaning: str) -> bool:
        """Whether a column's cells allow a meaning; what a person says they are, they are."""
        return position in self.mapped or can_be(meaning, self.cells(position))

    def called(self, positions: Iterable[int]) -> str:
        """Name columns as they stand in the table, in its order."""
        return " and ".join(repr(self.table.header[at]) for at in sorted(positions))


Claims = dict[str, dict[int, int]]
"""Rank of every column that may hold a meaning, by meaning and position."""


def understand(
    table: Table,
    chosen: Mapping[str, str],
    *,
    measure: str | None = None,
    treatment: str | None = None,
    control: str | None = None,
) -> Shape | None:
    """Tell what the rows and columns of a table are.

    Parameters
    ----------
    table : Table
    chosen : mapping of str to str
        What a person says that columns stand for; an empty target leaves a column out.
    measure : str, optional
        Effect measure of a table of contrasts: its name is the name of a column (``OR``, ``logHR``).
    treatment, control : str, optional
        Names of the two groups of a table that does not name them.

    Returns
    -------
    Shape or None
        None where the table is none that is known.

    Raises
    ------
    CallError
        If two columns are mapped to one meaning, a mapping has no place in a table of this shape, or groups
        are named that the table names itself.
    ReviewError
        If several columns claim one meaning with equal right; all of them are named.
    """
    columns = _Columns(table, chosen)
    shape = (
        _studies(columns, treatment, control)
        or _arms(columns, measure)
        or _contrasts(columns, measure, treatment, control)
    )
    if shape is None:
        return None
    _refuse_unplaced(columns, shape)
    _refuse_named(columns, shape, treatment, control)
    return shape


def _decide(columns: _Columns, claims: Claims, aside: dict[int, str]) -> dict[str, int]:
    """Give every meaning to the column with the best right to it.

    Raises
    ------
    ReviewError
        If the best right is that of several.
    """
    known: dict[str, int] = {}
    problems: list[Problem] = []
    for meaning, ranks in claims.items():
        best = min(ranks.values())
        # A better name is no better right: n beside participants may be those analysed. But for the study.
        equal = best if meaning == "study" or best == _MAPPED else max(best, _SHORT)
        first = sorted(
            (at for at, rank in ranks.items() if rank <= equal),
            key=lambda at: (meaning in _NAMING and are_numbers(columns.cells(at)), ranks[at], at),
        )
        if len(first) > 1 and best == _MAPPED:
            raise CallError(f"{columns.called(first)} are mapped to one meaning, {meaning}: map one of them.")
        if len(first) > 1 and _say_the_same(columns, meaning, first):
            first = first[:1]
        if len(first) > 1:
            problems.append(_rivals(columns, meaning, first))
        known[meaning] = first[0]
        for at in ranks.keys() - {first[0]}:
            aside[at] = f"{columns.table.header[first[0]]!r} is taken as the {meaning}"
    if problems:
        raise AmbiguousError("What a column holds cannot be decided.", problems)
    return known


def _say_the_same(columns: _Columns, meaning: str, positions: Sequence[int]) -> bool:
    """Whether columns hold the same cells, or, of names, the one codes for the other."""
    if meaning in _NAMING:
        return all(are_codes(columns.table, positions[0], at) for at in positions[1:])
    rows = columns.table.rows
    return all(cells[positions[0]] == cells[at] for _, cells in rows for at in positions[1:])


def _rivals(columns: _Columns, meaning: str, positions: Collection[int]) -> Problem:
    rivals = [columns.table.header[at] for at in sorted(positions)]
    return Problem(
        f"columns {' and '.join(map(repr, rivals))} may each be the {meaning}",
        f"say which, and leave the other out: --map {shlex.quote(f'{rivals[0]}={meaning}')}"
        + "".join(f" --map {shlex.quote(f'{name}=')}" for name in rivals[1:]),
        columns.table.name,
        1,
    )


def _rank(columns: _Columns, position: int, meaning: str) -> int:
    """How good a name's right to a meaning is; the study has an order of its own."""
    if position in columns.mapped:
        return _MAPPED
    name = plain(columns.names[position])
    if meaning == "study":
        return _FULL + next((i for i, names in enumerate(_STUDY_NAMES) if name in names), len(_STUDY_NAMES))
    if name == plain(meaning):
        return _FULL
    if name in _WEAK_TREATMENT or name in _WEAK_SIDE:
        return _WEAK
    return _SHORT if len(name) == 1 else _USUAL


_READ_FROM = frozenset(("text", "table", "figure", "author"))


def _of_row(columns: _Columns, but: Collection[str] = ()) -> tuple[Claims, dict[int, str]]:
    """Claims of columns that are about the whole row, and units of those that hold a time."""
    meanings = targets("arm level")
    claims: Claims = defaultdict(dict)
    units: dict[int, str] = {}
    for position, name in columns:
        options = meanings.get(plain(name), frozenset())
        unit = time_unit(columns.table.header[position])
        if unit and (not options or (position in columns.mapped and "timepoint" in options)):
            units[position] = unit
            options = frozenset(("timepoint",))
        for meaning in options - STATISTICS - {"treatment"} - set(but):
            read_from = _READ_FROM & {cell.lower() for cell in columns.cells(position)}
            if meaning == "method" and position not in columns.mapped and not read_from:
                continue  # Not how the numbers were read: some method of the study.
            if (
                meaning == "year"
                and position not in columns.mapped
                and not are_years(columns.cells(position))
            ):
                continue  # Centred, or a number of years.
            claims[meaning][position] = _rank(columns, position, meaning)
    return claims, units


def time_unit(name: str) -> str | None:
    """Read the unit of a column of times in its name: ``Time (h)``, ``time_weeks``."""
    parts = words(name)
    if parts[:1] not in (["time"], ["timepoint"]) or len(parts) < 2:
        return None
    unit = parts[-1]
    if parts[1:-1] not in ([], ["point"], ["in"]) or unit in ("point", "in"):
        return None
    unit = str(keyed("unit_alias").get(unit, {}).get("unit") or unit)
    known = keyed("unit").get(unit)
    return unit if known is not None and known.get("dimension") == "time" else None


def _statistics(columns: _Columns) -> tuple[Claims, dict[int, frozenset[str]]]:
    """Claims of columns that hold a statistic of the row, and those whose name leaves several open."""
    claims: Claims = defaultdict(dict)
    several: dict[int, frozenset[str]] = {}
    for position, name in columns:
        options: set[str] = set()
        for reading in readings(name):
            if not reading.group and not reading.rest:
                options |= reading.options & STATISTICS
        if len(plain(name)) == 1 or plain(name) in ("cases", "size"):
            options = {what for what in options if what == plain(name) or columns.can_be(position, what)}
        if len(options) == 1:
            meaning = options.pop()
            claims[meaning][position] = _rank(columns, position, meaning)
        elif options:
            several[position] = frozenset(options)
    return claims, several


def _arms(columns: _Columns, measure: str | None) -> Shape | None:
    """Read a table with one row for each arm, or tell that it is none."""
    claims, units = _of_row(columns)
    statistics, several = _statistics(columns)
    aside: dict[int, str] = {}
    unclear: list[int] = []
    for position, options in several.items():
        # x is a mean where it is not whole, and a count where no spread stands beside it.
        counts = are_counts(columns.cells(position))
        if counts and options == {"events", "mean"} and statistics.keys() & {"sd", "se"}:
            unclear.append(position)
        elif meaning := ({"events"} if counts else {"mean"}) & options:
            statistics[meaning.pop()][position] = _WEAK
    treated = _treatments(columns)
    if not treated or "study" not in claims or not (statistics.keys() & CENTRES or unclear):
        return None
    if measure is not None and (_has_base_rows(columns, measure) or _has_two_sides(columns, measure)):
        return None
    if unclear and not (statistics.keys() & {"mean", "events"}):
        raise AmbiguousError("What a column holds cannot be decided.", [_x(columns, at) for at in unclear])
    notes = _drop_times(columns, statistics)
    claims["study"] = _several_rows(columns, claims["study"])
    claims = {**claims, **statistics, "treatment": treated}
    known = _decide(columns, claims, aside)
    _refuse_one_side(columns, known)
    _refuse_two_kinds(columns, [known])
    if at := {i for i in units if i not in known.values()}:
        units = {i: unit for i, unit in units.items() if i not in at}
    return Shape("arms", known, aside=aside, units=units, notes=notes)


def _x(columns: _Columns, position: int) -> Problem:
    name = columns.table.header[position]
    return Problem(
        f"column {name!r} may hold means or events",
        f"say which: --map {shlex.quote(f'{name}=mean')} or --map {shlex.quote(f'{name}=events')}",
        columns.table.name,
        1,
    )


def _several_rows(columns: _Columns, studies: dict[int, int]) -> dict[int, int]:
    """Columns that give several rows one name, as the study of arms must; all, where none does."""
    several = {
        at: rank
        for at, rank in studies.items()
        if at in columns.mapped
        or len({cells[at] for _, cells in columns.table.rows}) < len(columns.table.rows)
    }
    return several or studies


def _treatments(columns: _Columns) -> dict[int, int]:
    """Rank of every column that may name the treatment of the row."""
    found = {}
    meanings = targets("arm level")
    for position, name in columns:
        short = plain(name)
        if "treatment" in meanings.get(short, ()) and columns.can_be(position, "treatment"):
            found[position] = _rank(columns, position, "treatment")
        elif short in _WEAK_TREATMENT and are_names(columns.cells(position)):
            found[position] = _WEAK
    if min(found.values(), default=_WEAK) == _WEAK:
        found = {at: rank for at, rank in found.items() if _differs_within_studies(columns, at)}
    return found


def _differs_within_studies(columns: _Columns, position: int) -> bool:
    """Whether most studies have several values in a column: what a subgroup of studies does not."""
    claims, _ = _of_row(columns)
    if "study" not in claims:
        return False
    study = min(claims["study"], key=lambda at: (claims["study"][at], at))
    seen: dict[str, set[str]] = defaultdict(set)
    for _, cells in columns.table.rows:
        seen[cells[study]].add(cells[position])
    return 2 * sum(len(found) > 1 for found in seen.values()) > len(seen)


def _drop_times(columns: _Columns, statistics: Claims) -> list[str]:
    """Take a follow-up time for what it is: person-time is no column 'time' beside n or a mean.

    Raises
    ------
    ReviewError
        If a time without n is the same in all arms of each study, as a follow-up is, and person-time is not.
    """
    notes = []
    for position in list(statistics.get("exposure", ())):
        name = columns.table.header[position]
        if position in columns.mapped or not _is_time(columns.names[position]):
            continue
        if {"n", "mean", "median"} & statistics.keys() or "events" not in statistics:
            del statistics["exposure"][position]
            if "n" in statistics and "events" in statistics:
                notes.append(
                    f"{name!r} was taken as a follow-up time, not as person-time of the arms; if it is"
                    f" person-time: --map {shlex.quote(f'{name}=exposure')}"
                )
        elif not _differs_within_studies(columns, position):
            raise ReviewError(
                "What a column holds cannot be decided.",
                [
                    Problem(
                        f"column {name!r} is the same in all arms of a study, as a follow-up time is and"
                        " person-time is not, and there is no n",
                        f"say which column is n; or, if it is person-time, --map"
                        f" {shlex.quote(f'{name}=exposure')}",
                        columns.table.name,
                        1,
                    )
                ],
            )
    if not statistics.get("exposure", True):
        del statistics["exposure"]
    return notes


def _is_time(name: str) -> bool:
    """Whether a name of an exposure is that of a time as well: of follow-up, or of persons."""
    parts = words(name)
    return "time" in parts and not {"person", "patient", "risk"} & set(parts)


def _refuse_one_side(columns: _Columns, known: Mapping[str, int]) -> None:
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
            header = columns.table.header
            beside = [known[what] for what in side if what in known]
            raise AmbiguousError(
                "What a column holds cannot be decided.",
                [
                    Problem(
                        f"{columns.called(side.values())} are of one group, and {columns.called(beside)} may"
                        " be of the other, or of each row",
                        "say of which group: "
                        + " ".join(
                            f"--map {shlex.quote(f'{header[known[what]]}={what}1')}"
                            for what in sorted(side)
                            if what in known
                        )
                        + f"; or leave the others out: --map {shlex.quote(header[min(side.values())] + '=')}"
                        " and so on",
                        columns.table.name,
                        1,
                    )
                ],
            )


def _refuse_two_kinds(columns: _Columns, groups: Iterable[Mapping[str, int]]) -> None:
    """Refuse means and events of the same rows: they are two outcomes."""
    for group in groups:
        counted = [group[what] for what in ("events", "proportion", "percent") if what in group]
        measured = [group[what] for what in ("mean", "median") if what in group]
        if not counted or not measured:
            continue
        for _, cells in columns.table.rows:
            if any(cells[at] for at in counted) and any(cells[at] for at in measured):
                header = columns.table.header
                raise AmbiguousError(
                    "What a column holds cannot be decided.",
                    [
                        Problem(
                            f"{columns.called(measured)} and {columns.called(counted)} are two"
                            " outcomes, of means"
                            " and of events",
                            "leave one of them out: "
                            + " ".join(f"--map {shlex.quote(f'{header[at]}=')}" for at in counted)
                            + ", or "
                            + " ".join(f"--map {shlex.quote(f'{header[at]}=')}" for at in measured)
                            + (", in each group" if len(list(groups)) > 1 else ""),
                            columns.table.name,
                            1,
                        )
                    ],
                )


def is_complete(group: Mapping[str, int] | Collection[str]) -> bool:
    """Whether the statistics of a group are enough to be one."""
    found = set(group)
    if found & {"events", "proportion", "percent"}:
        return bool(found & {"n", "non_events", "exposure"})
    return bool(found & {"mean", "median"})


_Entry = tuple[int, Reading]


def _studies(columns: _Columns, treatment: str | None, control: str | None) -> Shape | None:
    """Read a table with a set of columns for each group, or tell that it is none."""
    entries: dict[str, list[_Entry]] = defaultdict(list)
    for position, name in columns:
        for reading in readings(name):
            if not reading.group or not reading.options & STATISTICS or name.lower() in OF_EFFECT:
                continue
            kind = "word" if reading.group.startswith("=") else "known"
            entries[kind].append((position, reading))
    groups, labels, aside = _known_groups(columns, entries["known"]), dict[str, str](), dict[int, str]()
    if groups is None:
        found = _word_groups(columns, [*entries["known"], *entries["word"]], treatment, control)
        if found is None:
            return None
        groups, labels = found
    else:
        for position, reading in entries["known"]:
            if (
                reading.label
                and groups.get(reading.group, {}).values()
                and position in groups[reading.group].values()
            ):
                labels.setdefault(reading.group, reading.label)
    _refuse_two_kinds(columns, list(groups.values()))
    namers = _namers(columns, groups)
    for side, position in namers.items():
        groups[side]["treatment"] = position
        labels.pop(side, None)
    if len(groups) > 2 and any("treatment" not in group for group in groups.values()):
        return None
    # A dose or a class without a group's index is of no arm in particular: it stays with the study.
    used = {at for group in groups.values() for at in group.values()}
    claims, units = _of_row(columns, but=_OF_ARM)
    claims = {what: {at: r for at, r in ranks.items() if at not in used} for what, ranks in claims.items()}
    known = _decide(columns, {what: ranks for what, ranks in claims.items() if ranks}, aside)
    defaults = {"1": treatment or TREATED, "2": control or CONTROL}
    if treatment and "1" in labels:
        labels["1"] = treatment
    if control and "2" in labels:
        labels["2"] = control
    labels = {
        side: labels.get(side, defaults.get(side, side))
        for side, group in groups.items()
        if "treatment" not in group
    }
    return Shape(
        "studies", known, groups, labels, aside, {at: u for at, u in units.items() if at in known.values()}
    )


def _known_groups(columns: _Columns, entries: list[_Entry]) -> dict[str, dict[str, int]] | None:
    """Find groups by index or by words for treated and control.

    Metafor's names, words and indices are looked at apart, then together: ``mean_exp`` and ``mean1`` need not
    be of one group.
    """
    families = (
        [entry for entry in entries if entry[1].exact or entry[0] in columns.mapped],
        [entry for entry in entries if not _is_indexed(columns, entry[0])],
        [entry for entry in entries if _is_indexed(columns, entry[0])],
        entries,
    )
    complete = []
    for family in families[:3]:
        family = [
            *family,
            *(entry for entry in entries if entry[0] in columns.mapped and entry not in family),
        ]
        if (found := _one_family(columns, family)) and found not in complete:
            complete.append(found)
    if not complete:
        found = _one_family(columns, families[3])
        return found
    mapped = [found for found in complete if _positions(found) & columns.mapped]
    complete = mapped or complete
    largest = max(complete, key=lambda found: len(_positions(found)))
    apart = [found for found in complete if not _positions(found) & _positions(largest)]
    if apart:
        one, other = _positions(largest), _positions(apart[0])
        raise AmbiguousError(
            "What a column holds cannot be decided.",
            [
                Problem(
                    f"{columns.called(one)} are the numbers of two groups, and so are"
                    f" {columns.called(other)}",
                    "leave one of them out: "
                    + " ".join(
                        f"--map {shlex.quote(columns.table.header[at] + '=')}" for at in sorted(other)
                    ),
                    columns.table.name,
                    1,
                )
            ],
        )
    return largest


def _stem(columns: _Columns, position: int) -> str:
    """Return a column's name without index: ``m`` of ``m1`` and ``m1i``."""
    return plain(columns.names[position]).rstrip("0123456789i")


def _positions(groups: Mapping[str, Mapping[str, int]]) -> set[int]:
    return {at for group in groups.values() for at in group.values()}


def _is_indexed(columns: _Columns, position: int) -> bool:
    return any(word.isdigit() for word in words(columns.names[position]))


def _one_family(columns: _Columns, entries: list[_Entry]) -> dict[str, dict[str, int]] | None:
    """Put columns into the slots of groups; which of several readings of an outcome is meant is asked."""
    rests = sorted({reading.rest for _, reading in entries if not reading.is_first})
    complete: dict[str, dict[str, dict[str, int]]] = {}
    rivals: list[Problem] = []
    for rest in rests:
        found, claimed = _slots(columns, [e for e in entries if e[1].rest in (rest, "")], rest)
        if found is not None:
            complete[rest] = found
            if not rivals or rest == "":
                rivals = claimed
    if not complete:
        return None
    if "" in complete:
        complete = {"": complete[""]}
    if len(complete) > 1:
        mine = {rest: groups for rest, groups in complete.items() if _positions(groups) & columns.mapped}
        complete = mine if len(mine) == 1 else complete
    if len(complete) > 1:
        raise _several_readings(columns, complete)
    if rivals:
        raise AmbiguousError("What a column holds cannot be decided.", rivals)
    return next(iter(complete.values()))


def _several_readings(
    columns: _Columns, complete: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> ReviewError:
    header = columns.table.header
    said = []
    for rest, groups in complete.items():
        centres = [(at, what, side) for side, g in groups.items() for what, at in g.items()]
        own = [item for item in centres if rest and set(rest.split()) <= set(words(header[item[0]]))]
        said.append(
            f"for {rest!r} "
            + " ".join(f"--map {shlex.quote(f'{header[at]}={what}{side}')}" for at, what, side in sorted(own))
        )
    return AmbiguousError(
        "What a column holds cannot be decided.",
        [
            Problem(
                f"the groups are given several times: {', '.join(map(repr, complete))}",
                f"say which is meant: {'; '.join(said)}",
                columns.table.name,
                1,
            )
        ],
    )


def _drop_unlike(columns: _Columns, groups: Mapping[str, dict[str, int]]) -> None:
    """Drop what a column is not: a follow-up time is no person-time, a letter with decimals no count."""
    for group in groups.values():
        for meaning, at in list(group.items()):
            if at in columns.mapped:
                continue
            one_letter = len(_stem(columns, at)) <= 1
            decimals = are_numbers(columns.cells(at)) and not columns.can_be(at, meaning)
            time = meaning == "exposure" and _is_time(columns.names[at]) and group.keys() & {"n", "mean"}
            if time or (one_letter and decimals and meaning in ("n", "events")):
                del group[meaning]


def _slots(
    columns: _Columns, entries: list[_Entry], rest: str
) -> tuple[dict[str, dict[str, int]] | None, list[Problem]]:
    """Fill the slots of groups with columns; None where they are not complete in all groups."""
    spread = any(reading.options & {"sd", "se", "ci_lower", "sd^2", "se^2"} for _, reading in entries)
    places: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for position, reading in entries:
        options = reading.options & STATISTICS
        if options == {"events", "mean"}:
            counts = all(are_counts(columns.cells(at)) for at, r in entries if r.options == reading.options)
            options = frozenset(("mean",)) if spread or not counts else frozenset(("events",))
        for meaning in options:
            rank = _MAPPED if position in columns.mapped else _FULL if reading.rest == rest else _USUAL
            if (
                rank
                and _stem(columns, position) == "m"
                and any(_stem(columns, at) == "y" for at, _ in entries)
            ):
                rank = _WEAK  # rnmamod: y1 is the mean, m1 counts the missing.
            places[reading.group, meaning][position] = rank
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    problems = []
    for (side, meaning), ranks in places.items():
        best = min(ranks.values())
        first = [at for at, rank in ranks.items() if rank == best]
        if len(first) > 1:
            problems.append(_rivals(columns, f"{meaning}{side}", first))
        groups[side][meaning] = min(first)
    _drop_unlike(columns, groups)
    _refuse_follow_up(columns, groups)
    found: set[str] = set().union(*groups.values()) if groups else set()
    if len(groups) < 2 or not is_complete(found):
        return None, []
    sides = sorted(groups, key=lambda side: (len(side), side))
    whole = [side for side in sides if is_complete(groups[side])]
    if len(whole) < 2:
        return None, []
    if sides[:2] != ["1", "2"] and not all(side.startswith("=") for side in sides):
        return None, []
    broken = [side for side in sides if side not in whole]
    if broken and not problems:
        lacking = sorted(set().union(*(groups[side].keys() for side in whole)) - groups[broken[0]].keys())
        problems.append(
            Problem(
                f"group {broken[0]} has {columns.called(groups[broken[0]].values())}, and no column of"
                f" {' or '.join(lacking)}",
                f"say which column it is, --map COLUMN={lacking[0]}{broken[0]}; or leave them out: "
                + " ".join(
                    f"--map {shlex.quote(columns.table.header[at] + '=')}"
                    for at in groups[broken[0]].values()
                ),
                columns.table.name,
                1,
            )
        )
    return {side: groups[side] for side in sides}, problems


def _refuse_follow_up(columns: _Columns, groups: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse times that are the same in all groups of each row as person-time."""
    at = [group["exposure"] for group in groups.values() if "exposure" in group]
    at = [i for i in at if _is_time(columns.names[i]) and i not in columns.mapped]
    if len(at) < 2 or any(len({cells[i] for i in at if cells[i]}) > 1 for _, cells in columns.table.rows):
        return
    header = columns.table.header
    raise AmbiguousError(
        "What a column holds cannot be decided.",
        [
            Problem(
                f"{columns.called(at)} are the same in all groups of each study, as a follow-up time is and"
                " person-time is not",
                "if they are person-time: "
                + " ".join(
                    f"--map {shlex.quote(f'{header[found]}=exposure{side}')}"
                    for side, group in groups.items()
                    if (found := group.get("exposure")) is not None
                )
                + "; else say which columns are n, --map COLUMN=n1 and so on",
                columns.table.name,
                1,
            )
        ],
    )


def _word_groups(
    columns: _Columns, entries: list[_Entry], treatment: str | None, control: str | None
) -> tuple[dict[str, dict[str, int]], dict[str, str]] | None:
    """Find two groups called by words of which one is a word for a control group, or that a person names."""
    by_word: dict[str, list[_Entry]] = defaultdict(list)
    for position, reading in entries:
        by_word[reading.group].append((position, reading))
    others = [word for word in by_word if word.startswith("=")]
    if len(others) == 1 and "2" in by_word:
        # What a person maps to the first group is of this one.
        by_word[others[0]] += [entry for entry in by_word.pop("1", []) if entry[0] in columns.mapped]
    complete: dict[str, dict[str, int]] = {}
    rivals: list[Problem] = []
    for word, found in by_word.items():
        statistics: dict[str, int] = {}
        spread = any(r.options & {"sd", "se"} for _, r in found)
        for position, reading in found:
            options = reading.options & STATISTICS
            if options == {"events", "mean"}:
                options = frozenset(("mean",)) if spread else frozenset(("events",))
            for meaning in options:
                first = statistics.setdefault(meaning, position)
                if first in columns.mapped or first == position:
                    continue
                if position in columns.mapped:
                    statistics[meaning] = position
                else:
                    side = "1" if word.startswith("=") else word
                    rivals.append(_rivals(columns, f"{meaning}{side}", {first, position}))
        # Words are weaker than an index: a mean needs its n or its spread beside it.
        if is_complete(statistics) and (len(statistics) > 1) and not _is_first(word):
            complete[word] = statistics
    unknown = [word for word in complete if word.startswith("=")]
    if len(complete) != 2 or not unknown:
        return None
    if rivals:
        raise AmbiguousError("What a column holds cannot be decided.", rivals)
    if len(unknown) == 2:
        if not (treatment and control):
            return None
        names = {word: word[1:] for word in unknown}
        sides = {name: word for word, name in names.items()}
        treated, controls = sides.get(treatment.lower()), sides.get(control.lower())
        if treated is None or controls is None or treated == controls:
            return None
        return {"1": complete[treated], "2": complete[controls]}, {"1": treatment, "2": control}
    counterpart = next(word for word in complete if word != unknown[0])
    if counterpart != "2":
        return None
    if complete[unknown[0]].keys() != complete[counterpart].keys():
        return None
    label = next((r.label for _, r in by_word[counterpart] if r.label), "")
    return (
        {"1": complete[unknown[0]], "2": complete[counterpart]},
        {"1": _typed(columns, complete[unknown[0]], unknown[0][1:]), "2": label or CONTROL},
    )


def _is_first(word: str) -> bool:
    return Reading(frozenset(), "", word.removeprefix("=")).is_first


def _typed(columns: _Columns, group: Mapping[str, int], word: str) -> str:
    """Write a word as the table's first name with it does."""
    name = columns.table.header[min(group.values())]
    at = name.lower().find(word)
    return name[at : at + len(word)] if at >= 0 else word


def _namers(columns: _Columns, groups: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Find the column that names each group's treatment."""
    used = _positions(groups)
    studies = _of_row(columns)[0].get("study", {})
    if len(studies) == 1:
        used |= studies.keys()  # A 'reference' that is all there is to name the study is none of a group.
    claims: Claims = defaultdict(dict)
    for position, name in columns:
        if position in used:
            continue
        side, rank = _names_side(columns, position, name)
        if side in groups and columns.can_be(position, "treatment"):
            claims[side][position] = rank
    if not claims:
        return {}
    found = {}
    for side, ranks in claims.items():
        best = min(ranks.values())
        first = [at for at, rank in ranks.items() if rank == best]
        if len(first) > 1 and not all(are_codes(columns.table, first[0], at) for at in first[1:]):
            raise AmbiguousError(
                "What a column holds cannot be decided.", [_rivals(columns, f"treatment{side}", first)]
            )
        # Of a code and a name that say the same, the name.
        found[side] = min(first, key=lambda at: (are_numbers(columns.cells(at)), at))
    return found


def _names_side(columns: _Columns, position: int, name: str) -> tuple[str, int]:
    """Tell of which group a column names the treatment, and how well its name says so."""
    short = plain(name)
    mapped = position in columns.mapped
    for reading in readings(name):
        if "treatment" in reading.options and reading.group.isdigit() and not reading.rest:
            rank = _MAPPED if mapped else _SHORT if len(short.rstrip("0123456789")) == 1 else _USUAL
            return reading.group, rank
    meanings = targets("contrast level").get(short, frozenset())
    for meaning, side in (("arm_a", "1"), ("arm_b", "2")):
        if meaning not in meanings:
            continue
        if mapped or short in ("arma", "armb"):
            return side, _MAPPED if mapped else _FULL
        # One column for the drug, or for the comparator, of each row: names, not codes of a subgroup.
        if are_names(columns.cells(position)):
            return side, _WEAK + (_WEAKEST.index(short) + 1 if short in _WEAKEST else 0)
    if "treatment" in targets("arm level").get(short, ()) and (mapped or are_names(columns.cells(position))):
        return "1", _MAPPED if mapped else _WEAK
    if group_words().get(short, ("",))[0] == "2" and len(short) > 2 and are_names(columns.cells(position)):
        return "2", _WEAK
    return "", _WEAK


def _contrasts(
    columns: _Columns, measure: str | None, treatment: str | None, control: str | None
) -> Shape | None:
    """Read a table of effects, or tell that it is none."""
    aside: dict[int, str] = {}
    claims, units = _relative(columns, measure)
    if "arm_a" not in claims:
        claims.pop("arm_b", None)
    statistics = claims.keys() & {"estimate", "o_minus_e"}
    if not statistics or "study" not in claims:
        return None
    known = _decide(columns, claims, aside)
    units = {at: unit for at, unit in units.items() if at in known.values()}
    if "arm_a" in known:
        if "arm_b" not in known and not _empty_effects(columns, known):
            if not control:
                at = columns.table.header[known["arm_a"]]
                raise CallError(
                    f"{columns.table.name} names the treatment ({at}) and not what it is compared with: say"
                    " --control NAME, or which column holds it, --map COLUMN=arm_b."
                )
            return Shape("effects", known, labels={"arm_b": control}, aside=aside, units=units)
        return Shape("contrasts", known, aside=aside, units=units)
    if not known.keys() & {"se", "variance", "ci_lower"}:
        return None
    labels = {"arm_a": treatment or TREATED, "arm_b": control or CONTROL}
    return Shape("effects", known, labels=labels, aside=aside, units=units)


def _relative(columns: _Columns, measure: str | None) -> tuple[Claims, dict[int, str]]:
    """Claims of columns of a table of effects."""
    meanings = targets("contrast level")
    claims: Claims = defaultdict(dict)
    of_row, units = _of_row(columns, but=(*_OF_ARM, "study"))
    for position, name in columns:
        short = plain(name)
        options = meanings.get(short, frozenset())
        if not options:
            options = frozenset(_of_effect(name, measure))
        if not options and (side := _names_one(name)) and columns.can_be(position, "treatment"):
            claims[side][position] = _USUAL
        for meaning in options:
            if (
                len(short) == 1
                and meaning not in ("estimate", "study")
                and not columns.can_be(position, "treatment")
            ):
                continue
            if meaning == "method" or (
                meaning == "arm_b" and short in _WEAK_SIDE and not are_names(columns.cells(position))
            ):
                continue
            claims[meaning][position] = _rank(columns, position, meaning)
    for meaning, ranks in of_row.items():
        # What a study is described by has no column in contrasts.csv.
        if meaning in FILE["contrasts.csv"].by_name or meaning in FILE["studies.csv"].by_name:
            claims[meaning].update({at: rank for at, rank in ranks.items() if at not in claims[meaning]})
    return claims, units


def _names_one(name: str) -> str:
    """Side of a contrast whose treatment a column names: ``treat.exp``."""
    for reading in readings(name):
        if "treatment" in reading.options and not reading.rest:
            return {"1": "arm_a", "2": "arm_b"}.get(reading.group, "")
    return ""


def _of_effect(name: str, measure: str | None) -> set[str]:
    """Tell what a column is by the name of a ratio in it: only of the measure asked for."""
    if measure is not None and not facts.measure(measure).is_ratio:
        others = [row for row in reference("measure_name") if row["tool"] == "column"]
        called = {plain(measure), plain(facts.measure(measure).label)}
        called |= {plain(str(row["name"])) for row in others if row["measure"] == measure}
        if plain(name) in called:
            return {"estimate"}
        if plain(name) in {f"{prefix}{word}" for word in called for prefix in ("se", "seof")}:
            return {"se"}
    named = effect_name(name)
    if named is None or named.target not in ("estimate", "se", "ci_lower", "ci_upper"):
        return set()
    return {named.target} if named.measure in (None, measure) else set()


def _empty_effects(columns: _Columns, known: Mapping[str, int]) -> bool:
    return (
        any(not cells[known["estimate"]] for _, cells in columns.table.rows) if "estimate" in known else False
    )


def _has_two_sides(columns: _Columns, measure: str) -> bool:
    """Tell whether a row names two treatments beside an effect: what a person gives a measure for."""
    claims, _ = _relative(columns, measure)
    return {"estimate", "arm_a", "arm_b"} <= claims.keys()


def _has_base_rows(columns: _Columns, measure: str) -> bool:
    """Tell whether each study has one row with an empty effect: the base arm of a contrast-level table."""
    claims, _ = _relative(columns, measure)
    if "arm_b" in claims or "o_minus_e" in claims or not {"study", "arm_a", "estimate"} <= claims.keys():
        return False
    known = _decide(columns, {what: claims[what] for what in ("study", "estimate")}, {})
    empty: dict[str, int] = defaultdict(int)
    for _, cells in columns.table.rows:
        empty[cells[known["study"]]] += not cells[known["estimate"]]
    return set(empty.values()) == {1}


def _refuse_unplaced(columns: _Columns, shape: Shape) -> None:
    """Refuse a mapping that has no place in a table of this shape: it would be dropped without a word."""
    lost = sorted(columns.mapped - shape.taken)
    if not lost:
        return
    what = {
        "arms": "one row for each arm",
        "studies": "a set of columns for each group",
    }.get(shape.rows, "one row for each contrast")
    one = next((name for name in shape.groups.get("1", ())), "mean")
    remedy = {
        "arms": "a column of the row's arm is called mean, sd, n, events, treatment ...",
        "studies": f"a column of one group is called by it: {one}1, {one}2, treatment1, treatment2 ...",
    }.get(shape.rows, "columns of a contrast are arm_a, arm_b, estimate, se, ci_lower, ci_upper ...")
    raise CallError(
        "A mapping has no place in this table.",
        [
            Problem(
                f"the table has {what}, and {columns.table.header[at]!r} is to be {columns.names[at]!r}",
                f"{remedy}; see --map in evidence import arms --help",
                columns.table.name,
                1,
            )
            for at in lost
        ],
    )


def _refuse_named(columns: _Columns, shape: Shape, treatment: str | None, control: str | None) -> None:
    """Refuse names for groups that columns name."""
    if not (treatment or control):
        return
    if shape.rows in ("arms", "contrasts"):
        named = {"arms": ("treatment",), "contrasts": ("arm_a", "arm_b")}[shape.rows]
        positions = [shape.known[what] for what in named if what in shape.known]
    else:
        sides = ("1",) * bool(treatment) + ("2",) * bool(control)
        positions = [
            shape.groups[side]["treatment"]
            for side in sides
            if side in shape.groups and "treatment" in shape.groups[side]
        ]
    if positions:
        raise CallError(
            f"{columns.table.name} names its groups in {columns.called(positions)}: --treatment and --control"
            " are for groups that no column names."
        )
