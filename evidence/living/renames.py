"""What got another name: a study, arm, treatment, outcome ... whose rows say the same under another key.

Two states are told apart by names, so a name that changed would be everything removed and everything added.
Names that only one state has are held against each other by what is said of them: each kind of row counts the
more, the fewer of the candidates have it, and half of it must agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.living.tables import TABLES, Row, State, Table, compared

_LEAST = 0.5
"""Share of what is said of two names that must agree for them to be one; and what it must weigh at least."""


@dataclass(frozen=True)
class Rename:
    """A name that became another.

    Attributes
    ----------
    kind : str
        What it is of: study, experiment, arm, treatment, outcome, record, search, claim, plan (an analysis),
        or further (a further column of a table).
    scope : tuple
        Where names of this kind are told apart: the study, and the experiment of an arm; the table of a
        column. In the new names.
    before, after : str
    row : mapping
        The row that defines it now; empty for a column.
    old_row : mapping
        The row that defined it.
    """

    kind: str
    scope: tuple[Any, ...]
    before: str
    after: str
    row: Row
    old_row: Row


@dataclass(frozen=True)
class _Kind:
    """A kind of name: the table that defines it, in which column, and within what."""

    name: str
    table: str
    column: str
    scope: tuple[str, ...] = ()


_KINDS = (
    _Kind("study", "study", "study"),
    _Kind("experiment", "arm", "experiment", ("study",)),
    _Kind("arm", "arm", "arm", ("study", "experiment")),
    _Kind("outcome", "outcome", "outcome"),
    _Kind("treatment", "treatment", "treatment"),
    _Kind("search", "search", "search"),
    _Kind("record", "record", "record"),
    _Kind("claim", "claim", "claim"),
    _Kind("plan", "plan", "analysis"),
)
"""In this order: what is said of a later one may mention an earlier one, which has its new name by then."""
_FURTHER = ("study", "arm", "measurement", "reported_contrast")


def renamed(old: State, new: State) -> tuple[State, list[Rename]]:
    """Find what got another name.

    Parameters
    ----------
    old, new : State

    Returns
    -------
    (State, list of Rename)
        The rows of `old` in the names of `new`, and what was renamed.
    """
    state = {table: [dict(row) for row in rows] for table, rows in old.items()}
    found: list[Rename] = []
    settled: set[str] = set()
    for kind in _KINDS:
        pairs = list(_pairs_of(kind, state, new, settled))
        if pairs:
            _apply(kind, pairs, state)
        found += pairs
        settled.add(kind.name)
    for table in _FURTHER:
        for rename in _columns(TABLES[table], state[table], new[table]):
            for row in state[table]:
                if rename.before in row:
                    row[rename.after] = row.pop(rename.before)
            found.append(rename)
    return state, found


def _pairs_of(kind: _Kind, old: State, new: State, settled: set[str]) -> Iterator[Rename]:
    before, after = _defined(kind, old[kind.table]), _defined(kind, new[kind.table])
    open_scopes = {
        scope: (gone, come)
        for scope in sorted(before.keys() & after.keys())
        if (gone := [name for name in before[scope] if name not in after[scope]])
        and (come := [name for name in after[scope] if name not in before[scope]])
    }
    if not open_scopes:
        return
    said = [_said(kind, state, open_scopes, settled) for state in (old, new)]
    for scope, (gone, come) in open_scopes.items():
        for one, other in _matched(gone, come, *(of[scope] for of in said)):
            yield Rename(kind.name, scope, one, other, after[scope][other], before[scope][one])


def _defined(kind: _Kind, rows: Iterable[Row]) -> dict[tuple[Any, ...], dict[str, Row]]:
    """Names of a kind with the row that defines each, by where they are told apart."""
    found: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        found[tuple(row[part] for part in kind.scope)].setdefault(row[kind.column], row)
    return found


_Said = dict[str, Counter[Hashable]]
"""What is said of names, row by row, and how often."""


def _said(
    kind: _Kind, state: State, scopes: Container[tuple[Any, ...]], settled: set[str]
) -> dict[tuple[Any, ...], _Said]:
    """Collect what rows say of each name of a kind, without the names that may be others by now."""
    found: dict[tuple[Any, ...], _Said] = defaultdict(lambda: defaultdict(Counter))
    for name, table in TABLES.items():
        naming = [column for column, of in table.names.items() if of == kind.name]
        if not naming or not set(kind.scope) <= set(table.columns):
            continue
        unsaid = {column for column, of in table.names.items() if of not in settled} | {"shared_control_of"}
        for row in state[name]:
            scope = tuple(row[part] for part in kind.scope)
            if scope not in scopes:
                continue
            cells = tuple(
                (column, value)
                for column in compared(table, row)
                if column not in unsaid
                and (value := row.get(column)) is not None
                and not (column == "label" and value == row.get(kind.column))
            )
            for column in naming:
                if row[column] is not None:
                    found[scope][row[column]][(name, column, cells)] += 1
    return found


def _matched(
    gone: Sequence[str],
    come: Sequence[str],
    before: Mapping[str, Counter[Hashable]],
    after: Mapping[str, Counter[Hashable]],
) -> list[tuple[str, str]]:
    """Pair names of which the same is said; where two would do as well, none."""
    having = [Counter(said for of in state.values() for said in of) for state in (before, after)]

    def weight(said: Counter[Hashable]) -> float:
        return sum(n / max(1, *(count[one] for count in having)) for one, n in said.items())

    # Only names with something in common are held against each other: of thousands most have nothing.
    places: dict[Hashable, list[str]] = defaultdict(list)
    for other in come:
        for said in after.get(other, ()):
            places[said].append(other)
    likeness: dict[tuple[str, str], float] = {}
    for one in gone:
        mine = before.get(one, Counter())
        candidates = {other for said in mine if having[0][said] <= 20 for other in places[said]}
        for other in candidates:
            shared, union = weight(mine & after[other]), weight(mine | after[other])
            if shared >= _LEAST and shared >= _LEAST * union:
                likeness[one, other] = shared / union
    best = [_clearly_first(likeness, side) for side in (0, 1)]
    return sorted(pair for pair in likeness if best[0].get(pair[0]) == pair == best[1].get(pair[1]))


def _clearly_first(likeness: Mapping[tuple[str, str], float], side: int) -> dict[str, tuple[str, str]]:
    """Give the pair in which each name of a side is more alike than in any other."""
    best: dict[str, tuple[float, tuple[str, str] | None]] = {}
    for pair, value in likeness.items():
        most, _ = known = best.get(pair[side], (0.0, None))
        best[pair[side]] = (value, pair) if value > most else (most, None) if value == most else known
    return {name: pair for name, (_, pair) in best.items() if pair is not None}


def _apply(kind: _Kind, renames: Sequence[Rename], state: State) -> None:
    """Put the new names into every row that mentions an old one."""
    names = {(rename.scope, rename.before): rename.after for rename in renames}
    # A label that nobody typed is the name; one that was typed stays what it was.
    labels = {(one.scope, one.before) for one in renames if one.row.get("label") == one.after}
    for name, table in TABLES.items():
        naming = [column for column, of in table.names.items() if of == kind.name]
        if not set(kind.scope) <= set(table.columns):
            continue
        for row in state[name]:
            scope = tuple(row[part] for part in kind.scope)
            for column in naming:
                if (key := (scope, row[column])) in names:
                    if key in labels and row.get("label") == row[column]:
                        row["label"] = names[key]
                    row[column] = names[key]
            if name == "plan" and kind.name == "treatment" and isinstance(row["treatments"], tuple):
                row["treatments"] = tuple(names.get(((), one), one) for one in row["treatments"])
            if name == "arm" and kind.name in ("experiment", "arm"):
                # It names an experiment or an arm, anywhere in the study.
                others = {
                    before: after for (where, before), after in names.items() if where[0] == row["study"]
                }
                row["shared_control_of"] = others.get(row["shared_control_of"], row["shared_control_of"])


def _columns(table: Table, old: Sequence[Row], new: Sequence[Row]) -> list[Rename]:
    """Find further columns of a table that got another header: their cells are the same, row by row."""
    filled = [_cells_of(table, rows) for rows in (old, new)]
    gone, come = ([name for name in some if name not in other] for some, other in (filled, filled[::-1]))
    pairs = _matched(gone, come, *filled)
    return [Rename("further", (table.name,), one, other, {}, {}) for one, other in pairs]


def _cells_of(table: Table, rows: Sequence[Row]) -> dict[str, Counter[Hashable]]:
    found: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for row in rows:
        key = tuple(row[part] for part in table.key)
        for column in compared(table, row):
            if column not in table.columns and row[column] is not None:
                found[column][key, row[column]] += 1
    return found
