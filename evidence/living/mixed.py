"""States between two states of a review: the evidence as it was, with some of its changes made.

What differs is put into groups: all changes of one study; where one study alone changed, each of its cells; a
row of another table (an outcome's smallest important difference, a treatment, an analysis of the plan). A
state between is made of rows of tables, and the views compute on it what they compute on any. All of them
live in one file: of a study that changed every version stands in it, under a name of its own, and a state is
the file without the other versions, within a transaction that is taken back.

Names, units and times of the old state are those of the new one from the start: what is only called or
written otherwise is no change of the evidence.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from evidence import facts
from evidence.database import connect
from evidence.folder.layout import FILES
from evidence.living.difference import Change
from evidence.living.renames import Rename, renamed
from evidence.living.tables import TABLES, Row, State, state_of
from evidence.query import EvidenceBase
from evidence.store.blank import copy_blank
from evidence.store.objects import STORED, SqlObject, used_by
from evidence.store.rows import insert
from evidence.store.stored import refresh

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["Between", "Group"]

_OF_STUDIES = ("study", "arm", "measurement", "reported_contrast", "rob_judgement")
"""Tables that hold what a study brings into an analysis, in load order."""
_KEYS: dict[str, tuple[str, ...]] = {
    "unit": ("unit",),
    "rob_tool": ("tool",),
    "rob_item": ("tool", "item"),
    "rob_answer": ("tool", "answer"),
    "treatment": ("treatment",),
    "outcome": ("outcome",),
    "variable": ("variable",),
    "variable_unit": ("variable", "unit"),
    "plan": ("analysis",),
}
"""Other tables that an analysis stands on, in load order, and what tells their rows."""
_VIEWS = (
    "contrast", "contrast_network", "contrast_covariance", "contrast_choice", "comparison_contrast",
    "measurement_standard", "planned_time", "study_variable", "arm_variable", "measurement_variable",
    "contrast_variable", "high_risk_study", "rob_by_outcome", "rob_points", "exclusion",
)  # fmt: skip
"""Views that a question reads."""
_SAID = ("label", "source_file", "source_line", "position", "origin", "declared", "files")
"""Columns that no number comes from."""
_CELLWISE = 8
"""Changes of the one study that changed that are told apart; of more, rows."""
_LINES = 10_000_000
"""Lines are moved by so many for each version of a study: they tell rows."""


@dataclass(frozen=True)
class Group:
    """Changes that are made together or not at all.

    Attributes
    ----------
    name : str
        In words: the study, the cell, or the row of another table.
    table : str
        ``study`` for all that a study says, else the table of the row.
    study, outcome, arm : str or None
        What it is about.
    changes : tuple of Change
        What it consists of, as `evidence.living.difference.changes` has it.
    """

    name: str
    table: str
    study: str | None = None
    outcome: str | None = None
    arm: str | None = None
    changes: tuple[Change, ...] = ()


_Pair = tuple[str, str]

Applied = frozenset[int]
"""Groups that are made, by their place in `Between.groups`."""


class _Within(EvidenceBase):
    """An evidence base as a transaction has it: asked in this process, and each question once."""

    def kept_rows(self, query: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        key = (query, tuple(params))
        if key not in self._kept:
            self._kept[key] = self.rows(query, params)
        return self._kept[key]

    def kept_frame(self, query: str, params: Sequence[Any] = ()) -> pd.DataFrame:
        key = (query, tuple(params))
        if key not in self._kept_frames:
            self._kept_frames[key] = self.frame(query, params)
        return self._kept_frames[key]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        # Another connection does not see what this transaction did.
        return self.connection


class Between:
    """Two states of a review, and every state between them.

    Parameters
    ----------
    old, new : EvidenceBase
    changes : sequence of Change
        As `evidence.living.difference.changes` finds them.

    Attributes
    ----------
    groups : tuple of Group
        What differs; those of studies first.
    renamed : tuple of Rename
        What got another name: made in every state.
    converted : tuple of Change
        What is written in another unit: made in every state.

    Examples
    --------
    >>> import evidence
    >>> from evidence.living.difference import changes
    >>> from evidence.living.mixed import Between
    >>> with evidence.open("diabetes") as db, Between(db, db, changes(db, db)) as between:
    ...     between.groups
    ()
    """

    def __init__(self, old: EvidenceBase, new: EvidenceBase, changes: Sequence[Change]) -> None:
        before, self._new = (state_of(db, codes=False) for db in (old, new))
        self._old, renames = renamed(before, self._new)
        self.renamed: tuple[Rename, ...] = tuple(renames)
        self._others = _others(self._old, old, renames), _others(self._new, new, [])
        self.converted = tuple(change for change in changes if change.change == "converted")
        self._write_units()
        for change in self.converted:
            self._convert(change)
        said = [change for change in changes if change.change not in ("converted", "relabelled")]
        self._of_study: dict[str, list[int]] = {}
        self._cells: dict[int, Change] = {}
        self.groups: tuple[Group, ...] = tuple(self._grouped(said))
        self._following = _followers(self._old) | _followers(self._new)
        self._folder = TemporaryDirectory(prefix="evidence-between-")
        try:
            self._connection = self._filled(Path(self._folder.name) / "between.duckdb")
            self._needed = [item for item in used_by(_VIEWS) if item.stored]
            of_all = [item for item in self._needed if "study" not in item.columns and self._can_tell(item)]
            self._of_all = [(item, self._rows_of(item)) for item in of_all]
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._folder.cleanup()

    @property
    def all(self) -> Applied:
        """Every group: the new state."""
        return frozenset(range(len(self.groups)))

    def has(self, applied: Applied) -> bool:
        """Whether `made` can give a state: of one study with many changes only some versions are there."""
        versions = {study: frozenset(places) & applied for study, places in self._of_study.items()}
        return all(
            len(made) == len(self._of_study[study]) or self._version(study, made) in self._names[study]
            for study, made in versions.items()
        )

    def plan(self, analysis: str, applied: Applied) -> Row | None:
        """Row of table ``plan`` of an analysis in a state between; None of one that not both states have."""
        old, new = (rows["plan"].get((analysis,)) for rows in self._others)
        if old is None or new is None:
            return None
        name = _named("plan", (analysis,))
        return old if any(self.groups[i].name == name for i in self.all - applied) else new

    # --- what differs ---------------------------------------------------------------------------------------

    def _write_units(self) -> None:
        """Write the unit beside each number of an outcome that has another unit now: it is the number's."""
        was, becomes = (
            {key[0]: row["unit"] for key, row in rows["outcome"].items()} for rows in self._others
        )
        differing = {name for name in was.keys() & becomes.keys() if was[name] != becomes[name]}
        for state, units in ((self._old, was), (self._new, becomes)):
            for table in ("measurement", "reported_contrast") if differing else ():
                for row in state[table]:
                    if row["outcome"] in differing and row["unit"] is None and _has_unit(table, row):
                        row["unit"] = units[row["outcome"]]

    def _convert(self, change: Change) -> None:
        """Write a row of the old state in the unit of the new one."""
        old, new = _at(self._old[change.table], change.old_line), _at(self._new[change.table], change.line)
        if old is None or new is None:
            return
        time = change.column == "timepoint"
        columns = (
            ("timepoint", "timepoint_unit")
            if time
            else ("unit", "dimension", *TABLES[change.table].converted)
        )
        old.update({name: new[name] for name in columns if name in new})

    def _grouped(self, changes: Sequence[Change]) -> Iterator[Group]:
        every = dict.fromkeys(row["study"] for state in (self._new, self._old) for row in state["study"])
        studies = [name for name in every if _content(self._old, name) != _content(self._new, name)]
        n = 0
        for study in studies:
            mine = [one for one in changes if one.study == study and one.table in _OF_STUDIES]
            alone = len(studies) == 1 and len(mine) > 1 and self._told_apart(study, mine)
            for part in [[one] for one in mine] if alone else [mine]:
                if alone:
                    self._cells[n] = part[0]
                self._of_study.setdefault(study, []).append(n)
                n += 1
                yield _about_study(study, part, cell=alone or len(mine) == 1)
        old, new = self._others
        for table in _KEYS:
            for key, row in new[table].items():
                was = old[table].get(key)
                if was is not None and _numbers(was) != _numbers(row):
                    said = tuple(one for one in changes if one.table == table and _is_of(one, key))
                    yield Group(
                        _named(table, key), table, None, key[0] if table == "outcome" else None, None, said
                    )

    def _told_apart(self, study: str, changes: Sequence[Change]) -> bool:
        """Whether the new study is the old one once each of the changes is taken back by itself."""
        both = [any(row["study"] == study for row in state["study"]) for state in (self._old, self._new)]
        taken_back = self._without(study, changes)
        return all(both) and _content(taken_back, study) == _content(self._old, study)

    def _without(self, study: str, changes: Iterable[Change]) -> State:
        """Rows of a study in the new state but for some changes of single cells and rows."""
        state = {
            name: [dict(row) for row in self._new[name] if row["study"] == study] for name in _OF_STUDIES
        }
        gone: list[tuple[str, Row]] = []
        for change in changes:
            rows = state[change.table]
            now, was = _at(rows, change.line), _at(self._old[change.table], change.old_line)
            if change.change == "removed" and was is not None:
                gone.append((change.table, dict(was)))
            elif change.change == "added" and now is not None:
                rows.remove(now)
            elif now is not None and was is not None and change.column is not None:
                now[change.column] = was.get(change.column)
                if (change.table, change.column) == ("arm", "treatment"):
                    now["role"] = was["role"]
        for table, row in gone:
            state[table].append(row)
        return state

    # --- the file -------------------------------------------------------------------------------------------

    def _makes(self, study: str) -> list[Applied]:
        """Which changes of a study are made together in some version of it; not all of them."""
        places = frozenset(self._of_study[study])
        if len(places) > _CELLWISE:
            return _one_by_one(places)
        several = (frozenset(some) for n in range(len(places)) for some in combinations(sorted(places), n))
        return list(several)

    def _rows(self, study: str, made: Applied) -> State:
        """Rows of a study with some of its changes made."""
        left = frozenset(self._of_study[study]) - made
        if left <= self._cells.keys():
            return self._without(study, [self._cells[place] for place in sorted(left)])
        return {name: [row for row in self._old[name] if row["study"] == study] for name in _OF_STUDIES}

    def _version(self, study: str, applied: Applied) -> str:
        """Name under which a version of a study stands in the file."""
        made = [place for place in self._of_study[study] if place in applied]
        if len(made) == len(self._of_study[study]):
            return study
        return f"{study}\x1f{'.'.join(map(str, made))}"

    def _filled(self, path: Path) -> duckdb.DuckDBPyConnection:
        """Write every version of every study, beside what the new state has."""
        copy_blank(path)
        connection = connect(path, write=True, journal=False, locked=True)
        old, new = self._others
        _insert(connection, "review", self._new["review"])
        for table in _KEYS:
            _insert(
                connection,
                table,
                [*({**old[table], **new[table]} if table != "plan" else new[table]).values()],
            )
        state = {name: list(self._new[name]) for name in _OF_STUDIES}
        self._names: dict[str, set[str]] = defaultdict(set)
        makes = [(study, made) for study in self._of_study for made in self._makes(study)]
        for number, (study, made) in enumerate(makes, 1):
            name = self._version(study, made)
            self._names[study].add(name)
            rows = self._rows(study, made)
            for table in _OF_STUDIES:
                state[table] += [_moved(row, name, number) for row in rows[table]]
        for table in _OF_STUDIES:
            _insert_with_further(connection, table, state[table])
        refresh(connection, _VIEWS)
        return connection

    @contextmanager
    def made(self, applied: Applied) -> Iterator[EvidenceBase]:
        """Give a state between.

        Parameters
        ----------
        applied : frozenset of int
            The groups that are made, by their place in `groups`; the others are as they were. Where one study
            alone changed in more than eight cells: none, all, one, or all but one of them.

        Yields
        ------
        EvidenceBase
            Its views that a question reads; of use only within the block.
        """
        with self._state(applied, applied) as db:
            yield db

    @contextmanager
    def every_version(self, applied: Applied) -> Iterator[tuple[EvidenceBase, dict[int, list[_Pair]]]]:
        """Give all versions of all studies at once, and of each group the pairs of versions that it tells.

        Whether a group changes what enters an analysis is seen by what the views make of the two.
        """
        pairs: dict[int, list[_Pair]] = defaultdict(list)
        for study, places in self._of_study.items():
            for made in self._makes(study):
                for place in set(places) - made:
                    pair = self._version(study, made), self._version(study, made | {place})
                    if pair[1] == study or pair[1] in self._names[study]:
                        pairs[place].append(pair)
        with self._state(applied, None) as db:
            yield db, pairs

    @contextmanager
    def _state(self, applied: Applied, made: Applied | None) -> Iterator[EvidenceBase]:
        """Leave the versions of studies with the changes `made`, under their own names; all for None."""
        connection = self._connection
        left = [self.groups[i] for i in sorted(self.all - applied) if self.groups[i].table in _KEYS]
        connection.execute("begin")
        try:
            for group in left:
                self._take_back(group)
            if any(group.table == "treatment" for group in left):
                self._let_roles_follow()
            if made is not None:
                self._leave(
                    made, [*_OF_STUDIES, *filter(None, (_FILES[name].further for name in _OF_STUDIES))]
                )
            if left or self._speak_otherwise():
                refresh(connection, _VIEWS)
            elif made is not None:
                stored = [item.name for item in self._needed if "study" in item.columns]
                self._leave(made, [f"{STORED}.{name}" for name in stored])
            yield _Within(connection)
        finally:
            connection.execute("rollback")

    def _leave(self, made: Applied, tables: Sequence[str]) -> None:
        """Leave of tables, or stored views, the rows of one version of each study."""
        kept = {self._version(study, made): study for study in self._of_study}
        every = {name for study, names in self._names.items() for name in (*names, study)}
        gone = sorted(every - kept.keys())
        called = {name: study for name, study in kept.items() if name != study}
        for table in tables if gone else ():
            if table in _BY_NUMBER:
                number, of = _BY_NUMBER[table]
                self._connection.execute(
                    f"delete from {table} where {number} not in (select {number} from {of})"
                )
                continue
            self._connection.execute(f"delete from {table} where list_contains(?, study)", [gone])
            for name, study in called.items():
                self._connection.execute(f"update {table} set study = ? where study = ?", [study, name])

    def shared_rules_hold(self) -> bool:
        """Whether what an outcome's measurements together say (unit, time) is the same with all versions."""
        for applied in (self.all, frozenset[int]()):
            self._connection.execute("begin")
            try:
                self._leave(applied, _OF_STUDIES)
                if self._speak_otherwise():
                    return False
            finally:
                self._connection.execute("rollback")
        return True

    def _can_tell(self, item: SqlObject) -> bool:
        """Whether versions of a study differ in what a view reads that speaks of all studies together."""
        for table in item.uses & set(_OF_STUDIES):
            for study in self._of_study:
                versions = [self._rows(study, made)[table] for made in self._makes(study)]
                versions.append([row for row in self._new[table] if row["study"] == study])
                read = [Counter(_part(row, item.words) for row in rows) for rows in versions]
                if any(one != read[0] for one in read):
                    return True
        return False

    def _speak_otherwise(self) -> bool:
        """Whether a view that speaks of all studies together says other than with every version there is."""
        return any(self._rows_of(item) != rows for item, rows in self._of_all)

    def _rows_of(self, item: SqlObject) -> Counter[tuple[Any, ...]]:
        return Counter(self._connection.execute(item.query).fetchall())

    def _take_back(self, group: Group) -> None:
        old, new = self._others
        for key, row in old[group.table].items():
            if key in new[group.table] and _named(group.table, key) == group.name:
                condition = " and ".join(f'"{name}" = ?' for name in _KEYS[group.table])
                self._connection.execute(f"delete from {group.table} where {condition}", list(key))
                _insert(self._connection, group.table, [row])

    def _let_roles_follow(self) -> None:
        """Give arms without a role of their own that of their treatment."""
        rows = [f"{study}\x1e{experiment}\x1e{arm}" for study, experiment, arm in sorted(self._following)]
        self._connection.execute(
            "update arm set role = treatment.role from treatment where arm.treatment = treatment.treatment "
            "and treatment.role is not null and list_contains(?, "
            "concat(split_part(arm.study, chr(31), 1), chr(30), arm.experiment, chr(30), arm.arm))",
            [rows],
        )


def _named(table: str, key: Sequence[Any]) -> str:
    """Name a row of another table than those of studies."""
    return f"{_CALLED.get(table, table)} {', '.join(map(str, key))}"


_CALLED = {
    "plan": "analysis",
    "rob_tool": "tool",
    "rob_item": "item",
    "rob_answer": "answer",
    "variable_unit": "unit of",
}


def _one_by_one(places: Applied) -> list[Applied]:
    """None of some changes, each alone, and all but each."""
    alone = [frozenset((place,)) for place in sorted(places)]
    return list(dict.fromkeys([frozenset(), *alone, *(places - one for one in alone)]))


def _is_of(change: Change, key: Sequence[Any]) -> bool:
    return change.key.split(", ")[: len(key)] == [str(part) for part in key]


def _about_study(study: str, changes: Sequence[Change], *, cell: bool) -> Group:
    if not cell:
        return Group(study, "study", study, changes=tuple(changes))
    (one,) = changes
    said = {"added": "added", "removed": "removed"}.get(one.change) or str(one.column)
    key = one.key if one.key.startswith(study) else f"{study}, {one.key}"
    return Group(f"{key}: {said}", one.table, study, one.outcome, one.arm, (one,))


def _others(
    state: State, db: EvidenceBase, renames: Sequence[Rename]
) -> dict[str, dict[tuple[Any, ...], Row]]:
    """Rows of the other tables by their keys, in the new names."""
    names = {(one.kind, one.before): one.after for one in renames if not one.scope}
    names |= {("further", one.before): one.after for one in renames if one.kind == "further"}
    found: dict[str, dict[tuple[Any, ...], Row]] = {}
    for table, key in _KEYS.items():
        if table in ("plan", "variable", "variable_unit"):
            rows = db.rows(f"select * from {table}")
            for row in rows:
                kinds = TABLES["plan"].names if table == "plan" else {"variable": "further"}
                row.update({name: names.get((kind, row[name]), row[name]) for name, kind in kinds.items()})
                if table == "plan" and str(row["treatments"]).startswith("["):
                    listed = [names.get(("treatment", one), one) for one in json.loads(row["treatments"])]
                    row["treatments"] = json.dumps(listed)
        else:
            rows = state[table]
        found[table] = {tuple(row[name] for name in key): row for row in rows}
    return found


def _followers(state: State) -> set[tuple[str, str, str]]:
    """Arms that have the role of their treatment."""
    roles = {row["treatment"]: row["role"] for row in state["treatment"]}
    return {
        (row["study"], row["experiment"], row["arm"])
        for row in state["arm"]
        if row["role"] == roles.get(row["treatment"])
    }


def _has_unit(table: str, row: Row) -> bool:
    """Whether the numbers of a row are in the unit of the outcome."""
    if table == "measurement":
        return any(row.get(name) is not None for name in ("mean", "median"))
    return row["measure"] is not None and facts.measure(row["measure"]).unit == "outcome"


def _at(rows: Iterable[Row], line: int | None) -> Row | None:
    return next((row for row in rows if row.get("source_line") == line), None)


def _part(row: Row, names: Container[str]) -> frozenset[tuple[str, Any]]:
    return frozenset((name, value) for name, value in row.items() if name in names)


def _numbers(row: Row) -> Row:
    """Cells of a row that a number can come from."""
    return {name: value for name, value in row.items() if name not in _SAID}


def _content(state: State, study: str) -> dict[str, Counter[frozenset[tuple[str, Any]]]]:
    """Everything that a state says of a study, in no order."""
    return {
        table: Counter(
            frozenset(
                (name, value)
                for name, value in row.items()
                if value is not None and name not in (*_NUMBERED, "source_file", "source_line")
            )
            for row in state[table]
            if row["study"] == study
        )
        for table in _OF_STUDIES
    }


_FILES = {file.table: file for file in FILES}
_NUMBERED = {file.numbered for file in FILES if file.numbered}
_BY_NUMBER = {file.further: (file.numbered, file.table) for file in FILES if file.further and file.numbered}
"""Tables of further columns whose rows say by number what they belong to: its name, and the table."""


def _moved(row: Row, name: str, number: int) -> Row:
    """Give a row to another version of its study."""
    return row | {"study": name, "source_line": row["source_line"] + number * _LINES}


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        known = [name for name, *_ in connection.execute(f"select * from {table} limit 0").description or []]
        insert(connection, table, {name: [row.get(name) for row in rows] for name in known})


def _insert_with_further(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Store rows, numbered anew, and their further columns in the table that takes these."""
    file = _FILES[table]
    if file.numbered:
        rows = [row | {file.numbered: number} for number, row in enumerate(rows, 1)]
    _insert(connection, table, rows)
    if file.further is None:
        return
    known = {name for name, *_ in connection.execute(f"select * from {table} limit 0").description or []}
    cells = [
        {part: row[part] for part in file.identity}
        | {
            "characteristic": name,
            "value": value,
            "source_file": file.name,
            "source_line": row["source_line"],
        }
        for row in rows
        for name, value in row.items()
        if name not in known and value is not None
    ]
    _insert(connection, file.further, cells)
