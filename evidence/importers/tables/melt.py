"""Tables with a set of columns for each group, turned into one row for each arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.errors import Problem, ReviewError
from evidence.folder.column_names import AMBIGUOUS, effect_name, plain
from evidence.importers.draft import ColumnMapping
from evidence.importers.table import Table
from evidence.importers.tables.cells import can_be, is_gap, sample
from evidence.importers.tables.header import CONVERTED, STATISTICS, group_of, readings, words
from evidence.importers.tables.occasions import refuse_untold_times
from evidence.importers.tables.pairs import Key, name_of, studies_in_pairs, with_names
from evidence.importers.tables.shape.result import OF_EFFECT, NoStudyError, Shape, undecided
from evidence.importers.tables.targets import as_options

_APART = ("study", "experiment", "outcome", "timepoint", "timepoint_unit")
"""What tells the rows of one study apart."""
_TELLING = (*_APART, "extractor")


@dataclass(frozen=True)
class LongForm:
    """A table with one row for each arm, or each contrast.

    Attributes
    ----------
    table : Table
        Each row keeps the line of its study.
    known : dict of str to int
        Column of each meaning.
    further : tuple of int
        Columns without one.
    sources : dict of str to tuple of str
        Columns of the original table, by the made column that they went into.
    left_out : tuple of ColumnMapping
        Columns that went nowhere, and why.
    control : str or None
        Name of the control group, where no column names it.
    notes : tuple of str
        What had to be decided.
    """

    table: Table
    known: dict[str, int]
    further: tuple[int, ...]
    sources: dict[str, tuple[str, ...]]
    left_out: tuple[ColumnMapping, ...] = ()
    control: str | None = None
    notes: tuple[str, ...] = ()


def long_form(table: Table, shape: Shape, chosen: Mapping[str, str]) -> LongForm:
    """Give a table one row for each arm, or for each contrast, and every column its meaning.

    Parameters
    ----------
    table : Table
    shape : Shape
        What `evidence.importers.tables.shape.understand.understand` found it to be.
    chosen : mapping of str to str
        What a person says that columns stand for; an empty target leaves a column out.

    Raises
    ------
    ReviewError
        If its cells contradict its shape, or a column cannot be decided.
    """
    left_out = [
        ColumnMapping(name, "", "left out as asked") for name in table.header if chosen.get(name) == ""
    ]
    if shape.rows == "studies":
        return _one_row_an_arm(table, shape, chosen, left_out)
    asked = {i for i, name in enumerate(table.header) if chosen.get(name) == ""}
    taken = shape.taken
    further = tuple(i for i in range(len(table.header)) if i not in taken and i not in asked)
    known, notes = dict(shape.known), list(shape.notes)
    who = ("arm" if "arm" in known else "treatment",) if shape.rows == "arms" else ("arm_a", "arm_b")
    refuse_untold_times(table, known, [known[what] for what in who if what in known], further)
    made: dict[str, tuple[str, ...]] = {}
    if shape.rows == "effects":
        labels = shape.labels
        # A blank in front keeps a made column apart from one of the table.
        header = (*table.header, *(f" {what}" for what in labels))
        known |= {what: len(table.header) + i for i, what in enumerate(labels)}
        rows = tuple((line, (*cells, *labels.values())) for line, cells in table.rows)
        table = Table(table.name, header, rows, table.notes)
        made = {f" {what}": () for what in labels}
        if "arm_a" in labels:
            notes.append(f"effects are taken as {labels['arm_a']!r} minus {labels['arm_b']!r}")
    if shape.rows != "arms" and "arm_b" in known and (repeats := _repeats(table, known, ("arm_a", "arm_b"))):
        known["experiment"] = len(table.header)
        rows = tuple((line, (*cells, nth)) for (line, cells), nth in zip(table.rows, repeats))
        table = Table(table.name, (*table.header, " experiment"), rows, table.notes)
        made[" experiment"] = ()
        notes.append(
            "a study with several effects of the same two treatments has an experiment for each of them"
        )
    return LongForm(table, known, further, made, tuple(left_out), shape.labels.get("arm_b"), tuple(notes))


def _one_row_an_arm(
    table: Table, shape: Shape, chosen: Mapping[str, str], left_out: list[ColumnMapping]
) -> LongForm:
    groups, labels = with_names(table, shape.groups), shape.labels
    per_arm = list(dict.fromkeys(what for group in groups.values() for what in group if what != "treatment"))
    given = ["treatment", *dict.fromkeys("n" if what == "non_events" else what for what in per_arm)]
    used = {at for group in groups.values() for at in group.values()}
    counts = next((i for i, name in enumerate(table.header) if plain(name) == "na" and i not in used), None)
    aside, kept = _others(table, shape, chosen, used, set(given), counts)
    study = shape.known.get("study")
    named = [group["treatment"] for group in groups.values() if "treatment" in group]
    refuse_untold_times(table, shape.known, named, [at for at in kept if at not in shape.known.values()])
    telling = [at for what, at in shape.known.items() if what in _TELLING and study is not None]
    pairs = studies_in_pairs(table, groups, telling)
    repeats = ["" if pair else nth for nth, pair in zip(_repeats(table, shape.known), pairs)]
    repeats = repeats if any(repeats) else []
    rows, problems = _arm_rows(table, groups, labels, kept, given, counts, study is None, repeats, pairs)
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    header = [table.header[position] for position in kept]
    known = {what: kept.index(at) for what, at in shape.known.items() if at in kept}
    notes = list(shape.notes)
    if n := sum(rows > 1 for pair, rows in Counter(pairs).items() if pair is not None):
        notes.append(
            f"{n} stud{'y stands' if n == 1 else 'ies stand'} in pairs of arms: each arm is taken once"
        )
    notes += _effects_alone(table, groups, aside)
    if study is None:
        if counts is None:
            raise NoStudyError(f"{table.name} does not say which study a row is.")
        known["study"] = len(header)
        header.append("study")
        notes.append("the table does not name its studies; they are numbered in the order of its rows")
    if repeats:
        known["experiment"] = len(header)
        header.append("experiment")
        notes.append(
            "a study with several rows has an experiment for each of them, since their groups may differ;"
            " where one control group served several, say so in shared_control_of of arms.csv"
        )
    further = tuple(i for i in range(len(kept)) if i not in known.values())
    made = [f" {what}" for what in given]
    known |= {what: len(header) + i for i, what in enumerate(given)}
    if labels:
        names = [repr(label) for label in labels.values()]
        notes.append(
            f"the two groups are called {names[0]} and {names[1]}" if len(names) == 2
            else f"no column names one of the two groups, which is called {names[0]}"
        )  # fmt: skip
    sources = {}
    for name, what in zip(made, given):
        parts = (what, "non_events") if what == "n" and "non_events" in per_arm else (what,)
        sources[name] = tuple(
            table.header[group[part]] for group in groups.values() for part in parts if part in group
        )
    return LongForm(
        Table(table.name, (*header, *made), tuple(rows), table.notes),
        known,
        further,
        sources,
        (*left_out, *aside),
        labels.get("2"),
        tuple(notes),
    )


def _effects_alone(
    table: Table, groups: Mapping[str, Mapping[str, int]], aside: Sequence[ColumnMapping]
) -> list[str]:
    """Say which rows have an effect that does not follow from their arms, which have no numbers."""
    effects = [table.header.index(item.column) for item in aside if "follows from the arms" in item.note]
    numbers = [
        at for group in groups.values() for what, at in group.items() if what not in ("treatment", "arm")
    ]
    lines = [
        line
        for line, cells in table.rows
        if any(cells[at] for at in effects) and not any(cells[at] for at in numbers)
    ]
    if not lines:
        return []
    where = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:5]))}{' ...' * (len(lines) > 5)}"
    return [
        f"{where}: an effect and no numbers of its arms; NOT TAKEN: import them as a table of effects alone"
    ]


def _arm_rows(
    table: Table,
    groups: Mapping[str, Mapping[str, int]],
    labels: Mapping[str, str],
    kept: Sequence[int],
    given: Sequence[str],
    counts: int | None,
    numbered: bool,
    repeats: Sequence[str] | None,
    pairs: Sequence[Key | None],
) -> tuple[list[tuple[int, tuple[str, ...]]], list[Problem]]:
    """Make a row of each arm: the cells that all arms of a row share, its treatment, its numbers."""
    rows: list[tuple[int, tuple[str, ...]]] = []
    problems: list[Problem] = []
    seen: set[tuple[Key, str]] = set()
    for number, (line, cells) in enumerate(table.rows, 1):
        present = 0
        shared = [cells[position] for position in kept]
        if numbered:
            shared.append(f"Study {number}")
        if repeats:
            shared.append(repeats[number - 1])
        for group, columns in groups.items():
            arm = {what: cells[position] for what, position in columns.items()}
            filled = [
                what for what, cell in arm.items() if not is_gap(cell) and what not in ("treatment", "arm")
            ]
            name = labels.get(group) or arm.get("treatment", "")
            if not filled and (group in labels or not name):
                continue
            if not name:
                said = f"arm {group} has {', '.join(filled)} and no treatment"
                remedy = "name its treatment, or empty its cells"
                if not problems:
                    way = as_options({table.header[columns["treatment"]]: ""})
                    remedy += f"; an import can do without these names: {way}"
                problems.append(Problem(said, remedy, file=table.name, line=line))
                continue
            present += 1
            if (pair := pairs[number - 1]) is not None:
                if (pair, name_of(arm)) in seen:
                    continue
                seen.add((pair, name_of(arm)))
            if "non_events" in arm and not arm.get("n"):
                arm["n"] = _sum(arm.get("events", ""), arm["non_events"], table, line, problems)
            rows.append((line, (*shared, name, *(arm.get(what, "") for what in given[1:]))))
        if counts is not None and cells[counts] and cells[counts] != str(present):
            said = f"{table.header[counts]} is {cells[counts]}, and {present} arms are filled in"
            remedy = "correct the number of arms, or the arms"
            problems.append(Problem(said, remedy, file=table.name, line=line))
    return rows, problems


def _others(
    table: Table,
    shape: Shape,
    chosen: Mapping[str, str],
    used: set[int],
    given: set[str],
    counts: int | None,
) -> tuple[list[ColumnMapping], list[int]]:
    """Sort the columns that are not about an arm: those that say nothing new of the study are left out."""
    left_out: list[ColumnMapping] = []
    kept: list[int] = []
    ambiguous: dict[str, str] = {}
    spread = given & {"sd", "se", "events", "sd^2", "se^2", "ci_lower"}
    stems = Counter(stem for name in table.header if (stem := _stem(name, shape)))
    for position, column in enumerate(table.header):
        if position in used or chosen.get(column) == "":
            continue
        if position in shape.known.values():
            kept.append(position)
        elif position == counts:
            left_out.append(ColumnMapping(column, "", "the number of arms: checked, not kept"))
        elif (stem := _stem(column, shape)) and stems[stem] > 1:
            if stem in AMBIGUOUS and not spread:
                ambiguous[column] = (group_of(column) or ("", "1"))[1]
            left_out.append(ColumnMapping(column, "", _unknown_of_arm(column)))
        elif not spread and (side := _spreads_of_groups(table, shape, position)):
            ambiguous[column] = side
        elif about := _about_effect(table, position):
            left_out.append(ColumnMapping(column, "", about))
        else:
            kept.append(position)
    if ambiguous:
        _refuse_spreads(table, ambiguous)
    return left_out, kept


def _spreads_of_groups(table: Table, shape: Shape, position: int) -> str:
    """Find the group of a column whose name says that it is a spread, and not of which kind."""
    parts = set(words(table.header[position]))
    if not parts & AMBIGUOUS:
        return ""
    common = set.intersection(*(
        set(words(table.header[at])) for group in shape.groups.values() for at in group.values()
    ))  # fmt: skip
    for side, group in shape.groups.items():
        own = set.intersection(*(set(words(table.header[at])) for at in group.values())) - common
        if own & parts:
            return side
    return ""


def _stem(name: str, shape: Shape) -> str:
    """Name of a column about one arm, without its group; empty where no other group has it."""
    found = group_of(name)
    return found[0] if found is not None and found[1] in shape.groups else ""


def _refuse_spreads(table: Table, columns: Mapping[str, str]) -> None:
    """Ask whether columns hold SDs, SEs or variances; `columns` gives the group of each."""
    squared = all({"var", "variance"} & set(words(column)) for column in columns)
    kinds = ("sd^2", "se^2") if squared else ("sd", "se")
    options = [as_options({column: f"{kind}{side}" for column, side in columns.items()}) for kind in kinds]
    what = "variances of the values or of the mean" if squared else (
        "standard deviations, standard errors or variances"
    )  # fmt: skip
    raise undecided(
        table,
        (
            f"column{'s' * (len(columns) > 1)} {' and '.join(map(repr, columns))} may hold {what}",
            f"say which: {' or '.join(options)}",
        ),
    )


def _unknown_of_arm(column: str) -> str:
    _, group = group_of(column) or ("", "1")
    return f"no known meaning; it is about one arm: name it with {as_options({column: f'sd{group}'})}, say"


def _about_effect(table: Table, position: int) -> str:
    """Say that a column is about the effect, or a number of the whole study, where it is."""
    name = table.header[position]
    if name.lower() in OF_EFFECT or plain(name) in (
        "te",
        "sete",
        "md",
        "smd",
        "rd",
        "g",
        "hedgesg",
        "estimate",
    ):
        return "an effect: it follows from the arms"
    if (named := effect_name(name)) is not None and (named.measure or named.target != "estimate"):
        return "about the effect, which follows from the arms"
    options = {
        what
        for reading in readings(name)
        if not reading.group and not reading.rest
        for what in reading.options
    } & (STATISTICS - {"n", "exposure"})
    if any(can_be(what, sample(table, position)) for what in options) and len(plain(name)) > 1:
        first = sorted(options)[0]
        option = as_options({name: f"{first}1"})
        return f"no group is named: about the study or its effect, not an arm; else {option}, say"
    return ""


def _repeats(table: Table, known: Mapping[str, int], also: Sequence[str] = ()) -> list[str]:
    """Name an experiment for each further row of one study, unless a column tells the rows apart."""
    telling = [known[what] for what in (*_TELLING, *also) if what in known]
    if "study" not in known or "experiment" in known:
        return []
    seen: Counter[tuple[str, ...]] = Counter()
    experiments = []
    for _, cells in table.rows:
        key = tuple(cells[i] for i in telling)
        seen[key] += 1
        experiments.append("" if seen[key] == 1 else f"row {seen[key]}")
    return experiments if any(experiments) else []


def _sum(events: str, others: str, table: Table, line: int, problems: list[Problem]) -> str:
    if is_gap(events) or is_gap(others):
        return events if is_gap(events) else others
    try:
        return f"{float(events) + float(others):.15g}"
    except ValueError:
        problems.append(Problem(f"{events!r} and {others!r} are no counts", "numbers", table.name, line))
        return ""


def converted(form: LongForm) -> LongForm:
    """Make events of shares, SDs of variances, n of events and others, whole counts of nearly whole ones.

    Raises
    ------
    ReviewError
        If a share of n is no whole number of events; names every line.
    """
    from evidence.importers.tables.numbers import Converter

    if not form.known.keys() & {"n", "events", *CONVERTED}:
        return form
    converter = Converter(form.table, form.known)
    table, known, notes = converter.run()
    if table is form.table and known == form.known:
        return form
    return LongForm(
        table, known, form.further, form.sources, form.left_out, form.control, (*form.notes, *notes)
    )
