"""Tables with one row per study, turned into one row per arm.

The shapes of the field: an index in the name (``t1 r1 n1 t2 r2 n2 ...`` of CINeMA and rnmamod,
``T.1 Mean.1 SD.1 N.1`` of MetaInsight, ``t[,1] y[,1] se[,1] na[]`` of WinBUGS), a suffix (``mean.e sd.e n.e
mean.c ...`` of meta), and the names of metafor's ``escalc`` (``ai bi ci di``, ``m1i sd1i n1i m2i sd2i n2i``,
``x1i t1i x2i t2i``, or an effect alone: ``yi vi``, ``yi sei``).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.errors import Problem, ReviewError
from evidence.folder.column_names import AMBIGUOUS, effect_name, plain, targets
from evidence.importers.draft import ColumnMapping
from evidence.importers.table import Table

TREATED, CONTROL = "treatment", "control"
"""What the two groups are called where the table does not name them."""

_ESCALC = {
    "ai": ("events", "1"),
    "bi": ("non-events", "1"),
    "ci": ("events", "2"),
    "di": ("non-events", "2"),
    "x1i": ("events", "1"),
    "t1i": ("exposure", "1"),
    "x2i": ("events", "2"),
    "t2i": ("exposure", "2"),
    **{f"{stem}{k}i": (what, k) for stem, what in (("n", "n"), ("m", "mean"), ("sd", "sd")) for k in "12"},
}
_EFFECT = frozenset(("yi", "vi", "sei"))
_LOG_RANK = ("oe", "ominuse")
_INDEXED = (
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*)\[,\s*(?P<group>[1-9]\d*)\]"),
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*?)[._ ](?:arm|group)[._ ]?(?P<group>[1-9]\d*)", re.IGNORECASE),
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*?)[._ ]?(?P<group>[1-9]\d*)"),
    re.compile(r"(?P<stem>[A-Za-z][A-Za-z._ ]*)\.(?P<group>[ec])"),
)
_CENTRES = frozenset(("mean", "median", "events"))


@dataclass(frozen=True)
class LongForm:
    """A wide table with one row per arm.

    Attributes
    ----------
    table : Table
        One row per arm (or per study, for a table of effects); each row keeps the line of its study.
    chosen : dict of str to str
        What each column of it stands for, where that is decided.
    sources : dict of str to tuple of str
        Columns of the wide table, by the column of the long one that they went into.
    left_out : tuple of ColumnMapping
        Columns that went nowhere, and why.
    control : str or None
        Name of the control group, where the shape has one.
    notes : tuple of str
        What had to be decided.
    """

    table: Table
    chosen: dict[str, str]
    sources: dict[str, tuple[str, ...]]
    left_out: tuple[ColumnMapping, ...] = ()
    control: str | None = None
    notes: tuple[str, ...] = ()


def long_form(
    table: Table,
    chosen: Mapping[str, str],
    *,
    measure: str | None = None,
    treatment: str | None = None,
    control: str | None = None,
) -> LongForm | None:
    """Turn a table with one row per study into one row per arm.

    Parameters
    ----------
    table : Table
        Any table.
    chosen : mapping of str to str
        What columns stand for where their name does not say, for example ``{"tpos": "ai"}``.
    measure : str, optional
        Effect measure of a table of effects: its name is the name of a column (``OR``, ``logHR``).
    treatment, control : str, optional
        Names of the two groups of a shape that does not name them.

    Returns
    -------
    LongForm or None
        None if the table has none of the wide shapes.

    Raises
    ------
    ReviewError
        If it has one, and its cells contradict it or a column cannot be decided.
    """
    names = [chosen.get(name, name) for name in table.header]
    groups = _two_groups(names) or _indexed_groups(names)
    if groups is None:
        return _effects(table, names, chosen, measure, treatment or TREATED, control or CONTROL)
    named = all("treatment" in group for group in groups.values())
    labels = {} if named else dict(zip(groups, (treatment or TREATED, control or CONTROL)))
    return _arms(table, names, chosen, groups, labels)


Groups = dict[str, dict[str, int]]


def _two_groups(names: list[str]) -> Groups | None:
    groups: Groups = {"1": {}, "2": {}}
    for position, name in enumerate(names):
        if name.lower() in _ESCALC:
            what, group = _ESCALC[name.lower()]
            groups[group].setdefault(what, position)
    return groups if all(_complete(group) for group in groups.values()) else None


def _complete(group: Mapping[str, int]) -> bool:
    if "events" in group:
        return bool(group.keys() & {"n", "non-events", "exposure"})
    return bool(group.keys() & _CENTRES)


def is_wide(name: str) -> bool:
    """Whether a name is one of a table with one row per study: ``ai``, ``yi``, ``mean1``, ``na``."""
    if name.lower() in _ESCALC or name.lower() in _EFFECT or plain(name) == "na":
        return True
    parts = _indexed(name)
    return parts is not None and (parts[0] == "condition" or parts[0] in targets("arm level"))


def _indexed(name: str) -> tuple[str, str] | None:
    """Take a name apart into its stem and the arm it is about."""
    for pattern in _INDEXED:
        if match := pattern.fullmatch(name):
            return plain(match["stem"]), match["group"]
    return None


def _indexed_groups(names: list[str]) -> Groups | None:
    stems: dict[str, dict[str, int]] = defaultdict(dict)
    for position, name in enumerate(names):
        if parts := _indexed(name):
            stems[parts[0]].setdefault(parts[1], position)
    meanings = targets("arm level")
    groups: Groups = {}
    for several in (False, True):
        for stem, positions in stems.items():
            options = {"treatment"} if stem == "condition" else set(meanings.get(stem, ()))
            if len(positions) < 2 or (len(options) > 1) != several:
                continue
            known = set().union(*groups.values()) if groups else set()
            if options & {"exposure", "timepoint"} and known & {"n", "mean"}:
                options -= {"exposure", "timepoint"}
            options -= known
            if len(options) == 1:
                what = options.pop()
                for group, position in positions.items():
                    groups.setdefault(group, {})[what] = position
    found: set[str] = set().union(*groups.values()) if groups else set()
    if not found & _CENTRES or not (_complete(dict.fromkeys(found, 0))):
        return None
    if groups.keys() == {"e", "c"}:
        return {"1": groups["e"], "2": groups["c"]}
    if "treatment" not in found and groups.keys() != {"1", "2"}:
        return None
    return {group: groups[group] for group in sorted(groups, key=lambda g: (len(g), g))}


def _arms(
    table: Table, names: list[str], chosen: Mapping[str, str], groups: Groups, labels: Mapping[str, str]
) -> LongForm:
    used = {position for group in groups.values() for position in group.values()}
    per_arm = list(dict.fromkeys(what for group in groups.values() for what in group))
    given = ["n" if what == "non-events" else what for what in per_arm]
    given = list(dict.fromkeys(["treatment", *given]))
    counts = next((i for i, name in enumerate(names) if plain(name) == "na" and i not in used), None)
    left_out, kept = _others(table, names, chosen, groups, used, set(given), counts)
    study = _study(names)
    repeats = _repeats(table, names, study)
    rows, problems = _arm_rows(table, groups, labels, kept, given, counts, study is None, repeats)
    if problems:
        raise ReviewError(f"{table.name} cannot be imported.", problems)
    header = [table.header[position] for position in kept]
    decided = {name: chosen[name] for name in header if name in chosen}
    notes: list[str] = []
    if study is None:
        if counts is None:
            raise _no_study(table)
        header.append("study")
        notes.append("the table does not name its studies; they are numbered in the order of its rows")
    if repeats:
        header.append("experiment")
        notes.append(
            "a study with several rows has an experiment for each of them, since their groups may differ;"
            " where one control group served several, say so in shared_control_of of arms.csv"
        )
    # A blank in front keeps the made columns apart from a column of the table with the same name.
    made = [f" {what}" for what in given]
    decided |= dict(zip(made, given))
    if labels:
        names_of = list(labels.values())
        notes.append(f"the two groups are called {names_of[0]!r} and {names_of[1]!r}")
    return LongForm(
        Table(table.name, (*header, *made), tuple(rows), table.notes),
        decided,
        {name: _sources(table, groups, what, per_arm) for name, what in zip(made, given)},
        tuple(left_out),
        list(labels.values())[1] if labels else None,
        tuple(notes),
    )


def _sources(table: Table, groups: Groups, what: str, per_arm: Sequence[str]) -> tuple[str, ...]:
    """Columns of the table that a column of arms is made of."""
    sources = (what, "non-events") if what == "n" and "non-events" in per_arm else (what,)
    return tuple(
        table.header[columns[source]]
        for columns in groups.values()
        for source in sources
        if source in columns
    )


def _no_study(table: Table) -> ReviewError:
    return ReviewError(
        f"{table.name} does not say which study a row is.",
        [
            Problem(
                f"columns: {', '.join(table.header)}",
                "name the column of the study: --map COLUMN=study",
                file=table.name,
                line=1,
            )
        ],
    )


def _arm_rows(
    table: Table,
    groups: Groups,
    labels: Mapping[str, str],
    kept: Sequence[int],
    given: Sequence[str],
    counts: int | None,
    numbered: bool,
    repeats: Sequence[str] | None,
) -> tuple[list[tuple[int, tuple[str, ...]]], list[Problem]]:
    """Make a row of each arm: the cells that all arms of a row share, its treatment, its numbers."""
    rows: list[tuple[int, tuple[str, ...]]] = []
    problems: list[Problem] = []
    for number, (line, cells) in enumerate(table.rows, 1):
        present = 0
        shared = [cells[position] for position in kept]
        if numbered:
            shared.append(f"Study {number}")
        if repeats:
            shared.append(repeats[number - 1])
        for group, columns in groups.items():
            arm = {what: cells[position] for what, position in columns.items()}
            filled = [what for what, cell in arm.items() if cell and what != "treatment"]
            name = labels.get(group) or arm.get("treatment", "")
            if not filled and (labels or not name):
                continue
            if not name:
                said = f"arm {group} has {', '.join(filled)} and no treatment"
                remedy = "name its treatment, or empty its cells"
                problems.append(Problem(said, remedy, file=table.name, line=line))
                continue
            present += 1
            if "non-events" in arm and not arm.get("n"):
                arm["n"] = _sum(arm.get("events", ""), arm["non-events"], table, line, problems)
            rows.append((line, (*shared, name, *(arm.get(what, "") for what in given[1:]))))
        if counts is not None and cells[counts] and cells[counts] != str(present):
            said = f"{table.header[counts]} is {cells[counts]}, and {present} arms are filled in"
            remedy = "correct the number of arms, or the arms"
            problems.append(Problem(said, remedy, file=table.name, line=line))
    return rows, problems


def _others(
    table: Table,
    names: list[str],
    chosen: Mapping[str, str],
    groups: Groups,
    used: set[int],
    given: set[str],
    counts: int | None,
) -> tuple[list[ColumnMapping], list[int]]:
    """Sort the columns that are not about an arm: those that say nothing new are left out."""
    meanings = targets("arm level")
    per_stem: dict[str, set[str]] = defaultdict(set)
    for name in names:
        if parts := _indexed(name):
            per_stem[parts[0]].add(parts[1])
    left_out: list[ColumnMapping] = []
    kept: list[int] = []
    ambiguous: list[Problem] = []
    spread = given & {"sd", "se", "events"}
    for position, name in enumerate(names):
        column = table.header[position]
        parts = _indexed(name)
        if position in used:
            continue
        if position == counts:
            left_out.append(ColumnMapping(column, "", "the number of arms: checked, not kept"))
        elif parts and per_stem[parts[0]] <= {*groups, "e", "c"} and len(per_stem[parts[0]]) > 1:
            if parts[0] in AMBIGUOUS and not spread:
                ambiguous.append(
                    Problem(
                        f"column {column!r} may hold standard deviations, standard errors or variances",
                        f"say which: --map {column}=sd{parts[1]} or --map {column}=se{parts[1]}",
                        file=table.name,
                        line=1,
                    )
                )
            reason = f"no known meaning; it is about one arm: name it with --map {column}=sd{parts[1]}, say"
            left_out.append(ColumnMapping(column, "", reason))
        elif name.lower() in _EFFECT:
            left_out.append(ColumnMapping(column, "", "an effect: it follows from the arms"))
        elif (options := meanings.get(plain(name))) and options <= given and column not in chosen:
            left_out.append(ColumnMapping(column, "", "the table gives it for each arm"))
        else:
            kept.append(position)
    if ambiguous:
        raise ReviewError("What a column holds cannot be decided.", ambiguous)
    return left_out, kept


def _study(names: list[str]) -> int | None:
    meanings = targets("arm level")
    return next((i for i, name in enumerate(names) if "study" in meanings.get(plain(name), ())), None)


def _repeats(table: Table, names: list[str], study: int | None) -> list[str]:
    """Name an experiment for each further row of one study, unless a column tells the rows apart."""
    meanings = targets("arm level")
    apart = {"study", "experiment", "outcome", "timepoint", "timepoint_unit"}
    telling = [
        i
        for i, name in enumerate(names)
        if meanings.get(plain(name), set()) & apart and plain(name) != "time"
    ]
    if study is None or any("experiment" in meanings.get(plain(names[i]), ()) for i in telling):
        return []
    seen: Counter[tuple[str, ...]] = Counter()
    experiments = []
    for _, cells in table.rows:
        key = tuple(cells[i] for i in telling)
        seen[key] += 1
        experiments.append("" if seen[key] == 1 else f"row {seen[key]}")
    return experiments if any(experiments) else []


def _sum(events: str, others: str, table: Table, line: int, problems: list[Problem]) -> str:
    if not events or not others:
        return ""
    try:
        return f"{float(events) + float(others):g}"
    except ValueError:
        problems.append(Problem(f"{events!r} and {others!r} are no counts", "numbers", table.name, line))
        return ""


def _effects(
    table: Table,
    names: list[str],
    chosen: Mapping[str, str],
    measure: str | None,
    treatment: str,
    control: str,
) -> LongForm | None:
    """Name the two groups of a table that has an effect and its error, and nothing else of them."""
    plain_names = [plain(name) for name in names]
    meanings = targets("contrast level")
    effects = [effect_name(name) for name in names]
    of_ratio = {e.target for e in effects if e is not None and e.measure in (None, measure)}
    given = {name for name in plain_names if name in ("vi", "sei", "se", "cilower", *_LOG_RANK)}
    effect = {"yi", "estimate", *_LOG_RANK} & set(plain_names) or (measure and "estimate" in of_ratio)
    sides = any({"arm_a", "arm_b"} & meanings.get(name, set()) for name in plain_names)
    if not effect or sides or not (given or of_ratio & {"se", "ci_lower"}):
        return None
    rows = tuple((line, (*cells, treatment, control)) for line, cells in table.rows)
    return LongForm(
        Table(table.name, (*table.header, " arm_a", " arm_b"), rows, table.notes),
        {**chosen, " arm_a": "arm_a", " arm_b": "arm_b"},
        {" arm_a": (), " arm_b": ()},
        control=control,
        notes=(f"effects are taken as {treatment!r} minus {control!r}",),
    )
