"""What differs between two states of a review: every row and cell of its folder, matched by what it is.

Rows are matched by their keys, never by their order; what got another name, another unit or another time
point is said to have, and is not one row removed and another added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isclose
from typing import Any, Literal

from evidence.living.renames import Rename, renamed
from evidence.living.tables import TABLES, Row, State, Table, compared, state_of
from evidence.query import EvidenceBase

__all__ = ["Change", "changes", "differences"]

Kind = Literal["added", "removed", "changed", "relabelled", "converted"]

_SAME = 1e-9
"""Relative difference of numbers in two units that are the same number."""


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes
    ----------
    table : str
        Table of the evidence base: study, arm, measurement, plan (analyses of ``review.toml``), review ...
    key : str
        The row in words: the study, arm, outcome, time point ...; in the new names, but of a removed row.
    change : {"added", "removed", "changed", "relabelled", "converted"}
        A row that is new or gone, a cell that says something else, a name that became another, a quantity
        that is the same in another unit.
    column : str or None
        The cell's column; None for a whole row.
    before, after : str or None
        What stood there and what stands there; of a whole row what it says, None for nothing.
    file, line : str or None, int or None
        Where it stands now; where it stood, of what is gone. ``review.toml`` has no lines.
    old_file, old_line : str or None, int or None
        Where it stood; None of what is new.
    study, outcome, arm : str or None
        What it is about, as far as it is about one.
    """

    table: str
    key: str
    change: Kind
    column: str | None
    before: str | None
    after: str | None
    file: str | None
    line: int | None
    old_file: str | None = None
    old_line: int | None = None
    study: str | None = None
    outcome: str | None = None
    arm: str | None = None


def changes(old: EvidenceBase, new: EvidenceBase) -> list[Change]:
    """Find every difference of the evidence of two states.

    Parameters
    ----------
    old, new : EvidenceBase

    Returns
    -------
    list of Change
        By table in the order of the folder's files, then by key. Empty where both say the same, in whatever
        order of rows and columns.

    Examples
    --------
    >>> import evidence
    >>> from evidence.living.difference import changes
    >>> with evidence.open("diabetes") as db:
    ...     changes(db, db)
    []
    """
    return differences(state_of(old), state_of(new))


def differences(old: State, new: State) -> list[Change]:
    """Find every difference of two states that were read; see `changes`."""
    state, names = renamed(old, new)
    between = _Between(state, new, _units(old) | _units(new))
    found = list(map(_relabelled, names))
    for name, table in TABLES.items():
        pairs, gone, come = _matched(table, state[name], new[name])
        found += [_whole(table, row, "removed") for row in gone]
        found += [_whole(table, row, "added") for row in come]
        for before, after in pairs:
            found += _cells(table, before, after, between)
    order = {name: place for place, name in enumerate(TABLES)}
    return sorted(
        found, key=lambda one: (order[one.table], one.key, one.change, one.column or "", one.line or 0)
    )


def _units(state: State) -> dict[str, tuple[str, float]]:
    """Dimension and factor of every unit that a state knows."""
    from evidence.facts.reference import keyed

    rows: list[Mapping[str, Any]] = [*keyed("unit").values(), *state["unit"]]
    return {row["unit"]: (row["dimension"], float(row["factor"])) for row in rows}


# --- rows that are one --------------------------------------------------------------------------------------

Pairs = list[tuple[Row, Row]]


def _matched(table: Table, old: Sequence[Row], new: Sequence[Row]) -> tuple[Pairs, list[Row], list[Row]]:
    """Pair rows of two states; give the pairs, and what only one of them has."""
    if table.name == "review":
        return list(zip(old, new)), [], []
    pairs: Pairs = []
    gone, come = list(old), list(new)
    for columns in (table.key, None) if table.key else (None,):
        # By the key; then whole rows that are alike, whatever tells them apart.
        waiting: dict[Any, list[Row]] = defaultdict(list)
        for row in come:
            waiting[_identity(table, row, columns)].append(row)
        left: list[Row] = []
        for row in gone:
            if others := waiting[_identity(table, row, columns)]:
                pairs.append((row, others.pop(0)))
            else:
                left.append(row)
        gone, come = left, [row for rows in waiting.values() for row in rows]
    for within in table.within:
        found = _alike(table, gone, come, within)
        pairs += found
        taken = {id(row) for pair in found for row in pair}
        gone, come = ([row for row in rows if id(row) not in taken] for rows in (gone, come))
    return pairs, gone, come


def _identity(table: Table, row: Row, columns: Sequence[str] | None) -> tuple[Any, ...]:
    if columns is not None:
        return tuple(row[name] for name in columns)
    return tuple((name, row[name]) for name in compared(table, row) if row.get(name) is not None)


def _alike(table: Table, gone: Sequence[Row], come: Sequence[Row], within: tuple[str, ...]) -> Pairs:
    """Pair rows that agree in the columns `within` and in what they say, the most alike first."""
    groups: dict[Any, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((gone, come)):
        for row in rows:
            groups[tuple(row[name] for name in within)][side].append(row)
    # Rows that are held to be one though they are about another arm or outcome must agree in all they say.
    narrow = within == table.within[0]
    found: Pairs = []
    for some, others in groups.values():
        scored = []
        for one in some:
            for other in others:
                shared, union = _agreement(table, one, other)
                if shared and (2 * shared >= union if narrow else shared == union > 1):
                    scored.append((-shared / union, _sorted(table, one), _sorted(table, other), one, other))
        taken: set[int] = set()
        for *_, one, other in sorted(scored, key=lambda item: item[:3]):
            if not taken & {id(one), id(other)}:
                taken |= {id(one), id(other)}
                found.append((one, other))
    return found


def _agreement(table: Table, one: Row, other: Row) -> tuple[int, int]:
    """Count the cells of what two rows say in which they agree, and all of them that either fills."""
    telling = table.telling or [
        name for name in compared(table, one, other) if name not in (*table.key, *table.names)
    ]
    filled = [name for name in telling if one.get(name) is not None or other.get(name) is not None]
    return sum(one.get(name) == other.get(name) for name in filled), len(filled)


def _sorted(table: Table, row: Row) -> tuple[str, ...]:
    return tuple(_text(row.get(name)) or "" for name in (*table.key, *table.columns))


# --- what is said of them -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Between:
    """Both states, the old one in the names of the new, and dimension and factor of every unit."""

    old: State
    new: State
    units: Mapping[str, tuple[str, float]]

    def sides(self, before: Row, after: Row) -> tuple[tuple[Row, State], tuple[Row, State]]:
        """Give two rows, each with its state."""
        return (before, self.old), (after, self.new)


def _cells(table: Table, before: Row, after: Row, between: _Between) -> Iterator[Change]:
    """Compare two rows that are one, cell by cell."""
    differing = [name for name in compared(table, before, after) if before.get(name) != after.get(name)]
    if not differing:
        return
    for column, was, becomes, covered in _conversions(table, before, after, between):
        yield _cell(table, before, after, column, "converted", was, becomes)
        differing = [name for name in differing if name not in covered]
    for name in differing:
        if not _follows(table, name, before, after, between):
            yield _cell(
                table, before, after, name, "changed", _text(before.get(name)), _text(after.get(name))
            )


def _conversions(
    table: Table, before: Row, after: Row, between: _Between
) -> Iterator[tuple[str, str, str, set[str]]]:
    """Find quantities that are the same in another unit: column, both units, and the cells it covers."""
    if "timepoint_unit" in table.columns:
        times = [(row["timepoint"], row["timepoint_unit"]) for row in (before, after)]
        ratio = _ratio(times[0][1], times[1][1], between.units)
        if ratio is not None and _same(times[0][0], times[1][0], ratio):
            was, becomes = (f"{_text(time)} {unit}" for time, unit in times)
            yield "timepoint", was, becomes, {"timepoint", "timepoint_unit"}
    if table.converted:
        units = [_unit(table, row, state) for row, state in between.sides(before, after)]
        ratio = _ratio(units[0], units[1], between.units)
        cells = {name: power for name, power in table.converted.items() if name in table.columns}
        filled = [name for name in cells if before.get(name) is not None or after.get(name) is not None]
        if (
            ratio is not None
            and filled
            and all(_same(before[name], after[name], ratio ** cells[name]) for name in filled)
        ):
            yield "unit", str(units[0]), str(units[1]), {"unit", "dimension", *filled}


def _same(before: Any, after: Any, ratio: float) -> bool:
    if not all(isinstance(value, int | float) for value in (before, after)):
        return False
    return isclose(before * ratio, after, rel_tol=_SAME)


def _ratio(before: str | None, after: str | None, factors: Mapping[str, tuple[str, float]]) -> float | None:
    """By what a number in one unit is multiplied to be one in another; None where it is not to be."""
    if before is None or after is None or before == after or not {before, after} <= factors.keys():
        return None
    (dimension, factor), (other, by) = factors[before], factors[after]
    return factor / by if dimension == other else None


def _unit(table: Table, row: Row, state: State) -> str | None:
    """Give the unit that a row's numbers are in: its own, or its outcome's."""
    if row["unit"] is not None or table.name == "outcome":
        return row["unit"]
    return next((one["unit"] for one in state["outcome"] if one["outcome"] == row["outcome"]), None)


def _follows(table: Table, column: str, before: Row, after: Row, between: _Between) -> bool:
    """Tell whether a cell only follows from another one that changed, because nobody had filled it."""
    if column == "label" and len(table.key) == 1:
        return all(row["label"] == row[table.key[0]] for row in (before, after))
    if column == "dimension":
        known = (between.units.get(row["unit"]) for row in (before, after))
        return all(of and of[0] == row["dimension"] for of, row in zip(known, (before, after)))
    if (table.name, column) == ("arm", "role"):
        return all(
            any(
                (one["treatment"], one["role"]) == (row["treatment"], row["role"])
                for one in state["treatment"]
            )
            for row, state in between.sides(before, after)
        )
    return False


def _cell(
    table: Table, before: Row, after: Row, column: str, kind: Kind, was: str | None, becomes: str | None
) -> Change:
    return Change(
        table.name,
        key_of(table, after),
        kind,
        column,
        was,
        becomes,
        *_place(table, after),
        *_place(table, before),
        *_about(after),
    )


def _whole(table: Table, row: Row, kind: Literal["added", "removed"]) -> Change:
    said = ", ".join(
        f"{name} {_text(row[name])}"
        for name in compared(table, row)
        if row.get(name) is not None and name not in (table.shown or table.key)
    )
    place = _place(table, row)
    return Change(
        table.name,
        key_of(table, row),
        kind,
        None,
        said if kind == "removed" else None,
        said if kind == "added" else None,
        *place,
        *(place if kind == "removed" else (None, None)),
        *_about(row),
    )


def _relabelled(rename: Rename) -> Change:
    if rename.kind == "further":
        table, column = TABLES[rename.scope[0]], rename.after
        key, places = rename.after, (*_place(table, {}), *_place(table, {}))
    else:
        table = TABLES["arm" if rename.kind == "experiment" else rename.kind]
        column = next(name for name, kind in table.names.items() if kind == rename.kind)
        key = ", ".join([*map(str, rename.scope), rename.after])
        places = (*_place(table, rename.row), *_place(table, rename.old_row))
    words = rename.before, rename.after
    return Change(table.name, key, "relabelled", column, *words, *places, *_about(rename.row))


_UNSAID = {"experiment": "main", "extractor": "extractor", "assessor": "assessor", "reviewer": "reviewer"}
"""Names that stand for the only one there is."""


def key_of(table: Table, row: Row) -> str:
    """Name a row: the parts of its key, without those that say nothing."""
    parts: list[str] = []
    for name in table.shown or table.key:
        value = row.get(name)
        if value is None or _UNSAID.get(name) == value:
            continue
        if name == "timepoint_unit":
            parts[-1] += f" {value}" if row.get("timepoint") is not None else ""
        else:
            parts.append(str(_text(value)))
    return ", ".join(parts)


def _place(table: Table, row: Mapping[str, Any]) -> tuple[str | None, int | None]:
    return row.get("source_file") or table.file, row.get("source_line")


def _about(row: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    return row.get("study"), row.get("outcome"), row.get("arm")


def _text(value: Any) -> str | None:
    """Write a cell: numbers with every digit, and none that they do not need."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Iterable):
        return ", ".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value)
