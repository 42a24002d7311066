"""The tables of a review folder as rows to compare: which columns tell a row, and which name something."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.folder.layout import FILES, Column, File
from evidence.folder.protocol import FILE_NAME
from evidence.query import EvidenceBase

Row = dict[str, Any]
"""Cells of a row by column, further columns of its file among them, ``source_file`` and ``source_line``."""
State = dict[str, list[Row]]
"""Rows of every table of a review folder."""

_STATISTICS = (
    "mean", "sd", "se", "median", "q1", "q3", "min", "max", "ci_lower", "ci_upper", "events", "exposure",
)  # fmt: skip
_EFFECTS = ("estimate", "se", "ci_lower", "ci_upper", "o_minus_e", "variance")


@dataclass(frozen=True)
class Table:
    """How the rows of one table are compared.

    Attributes
    ----------
    name, file : str
        The table, and the file of the review folder that it is loaded from.
    columns : tuple of str
        Columns that are compared; further columns of the file come on top.
    key : tuple of str
        Columns that tell a row from all others; without it rows are matched by what they say.
    names : mapping of str to str
        Columns that name something, and the kind of it: ``{"arm_a": "arm"}``.
    within : sequence of tuple of str
        Columns in which rows that no key matches must agree to be one row that was changed, narrow first.
    telling : tuple of str
        Columns whose cells must agree in half at least for that; all of them without it.
    shown : tuple of str
        Columns that name a row in a sentence; the key without it.
    converted : mapping of str to int
        Columns in the row's unit, and the power of the unit they are in.
    """

    name: str
    file: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    within: Sequence[tuple[str, ...]] = ()
    telling: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    converted: Mapping[str, int] = field(default_factory=dict)


_GROUPS: dict[str, dict[str, Any]] = {
    "measurement": {
        "within": (("study", "experiment", "arm", "outcome"), ("study",)),
        "telling": _STATISTICS,
        "converted": dict.fromkeys(_STATISTICS[:10], 1),
    },
    "reported_contrast": {
        "within": (("study", "experiment", "outcome", "arm_a", "arm_b"), ("study",)),
        "telling": _EFFECTS,
        "converted": {name: 2 if name == "variance" else 1 for name in _EFFECTS if name != "o_minus_e"}
        | {"var_base": 2},
    },
    "outcome": {
        "converted": dict.fromkeys(("smallest_important_difference", "lower_bound", "upper_bound", "step"), 1)
    },
    "rob_judgement": {"within": (("study", "tool", "item"),)},
    "screening": {"within": (("record", "stage"),)},
    "flow": {"within": (("box",),)},
    "report": {"within": (("study",), ()), "shown": ("study", "doi", "pmid", "title")},
    "published_estimate": {
        "within": (("publication",),),
        "shown": ("publication", "outcome", "treatment", "versus", "measure", "kind"),
    },
    "published_count": {
        "within": (("publication",),),
        "shown": ("publication", "variable", "level", "statistic"),
    },
}
"""What the layout of the folder does not say: rows whose key changed, and what a unit applies to."""

_ARMS = {"arm": "arm", "arm_a": "arm", "arm_b": "arm", "experiment": "experiment"}
_NAMED = ("study", "treatment", "outcome", "record", "search")


def _of_file(file: File) -> Table:
    names = {column.target: kind for column in file.columns if (kind := _kind(file, column))}
    columns = tuple(column.target for column in file.columns)
    return Table(file.table, file.name, columns, file.key, names, **_GROUPS.get(file.table, {}))


def _kind(file: File, column: Column) -> str | None:
    """Tell what a column names, if it is anything that may get another name."""
    if column.references in _NAMED:
        return column.references
    if (column.name,) == file.key and file.table not in REFERENCE_TABLES:
        return file.table
    return _ARMS.get(column.name) if column.type == "name" else None


_OF_PROTOCOL = (
    Table(
        "review",
        FILE_NAME,
        ("title", "question", "citation", "licence", "source", "language", "synthetic"),
    ),
    Table("variable", FILE_NAME, ("variable", "type"), ("variable",)),
    Table(
        "plan",
        FILE_NAME,
        (),
        ("analysis",),
        {"analysis": "plan", "outcome": "outcome"}
        | dict.fromkeys(("treatment", "versus", "reference"), "treatment"),
    ),
    Table("plan_figure", FILE_NAME, ("figure", "title", "shows"), ("figure",)),
)  # fmt: skip

TABLES: dict[str, Table] = {table.name: table for table in (*_OF_PROTOCOL, *map(_of_file, FILES))}
"""Every table that a review folder fills, by name: ``review.toml`` first, then in the order of the files."""

_NO_CELLS = frozenset(("position", "origin"))
"""Columns of the plan that nobody writes: the order of analyses, and whether there is a plan."""


def state_of(db: EvidenceBase, *, codes: bool = True) -> State:
    """Read the rows that a review folder brought into an evidence base.

    A cell that says why it is empty holds the code it was given, but without `codes`; of reference tables
    there are only the rows that the review added.
    """
    coded = db.rows("select source_file, source_line, column_name, code from missing_value") if codes else []
    missing = {(row["source_file"], row["source_line"], row["column_name"]): row["code"] for row in coded}
    state = {name: db.rows(f"select * from {name}") for name in TABLES}
    for file in FILES:
        rows = state[file.table]
        if file.table in REFERENCE_TABLES:
            ours = {tuple(row[part] for part in file.key) for row in reference(file.table)}
            state[file.table] = [row for row in rows if tuple(row[part] for part in file.key) not in ours]
        if file.further:
            _add_further(db, file, rows)
        for row in rows if missing else ():
            place = row.get("source_file"), row.get("source_line")
            for column in file.columns:
                if row[column.target] is None and (code := missing.get((*place, column.name))):
                    row[column.target] = code
    state["plan"] = [row for row in state["plan"] if row["origin"] == "plan"]
    state["variable"] = [row for row in state["variable"] if row["declared"]]
    for row in state["plan"]:
        row["treatments"] = _list(row["treatments"])
    return state


def _list(text: Any) -> Any:
    """Read a list of the plan; what is none stays as it is."""
    found = json.loads(text) if isinstance(text, str) and text.startswith("[") else text
    return tuple(found) if isinstance(found, list) else found


def _add_further(db: EvidenceBase, file: File, rows: Iterable[Row]) -> None:
    by_key = {tuple(row[part] for part in file.identity): row for row in rows}
    for cell in db.rows(f"select * from {file.further}"):
        by_key[tuple(cell[part] for part in file.identity)][cell["characteristic"]] = cell["value"]


def compared(table: Table, *rows: Row) -> list[str]:
    """Columns in which rows of a table are compared, those of the layout first."""
    known = [name for name in table.columns if any(name in row for row in rows)]
    skipped = {*known, *_SKIPPED.get(table.name, ())}
    return known + sorted({name for row in rows for name in row} - skipped)


def _skipped(table: Table) -> set[str]:
    file = next((file for file in FILES if file.table == table.name), None)
    numbered = {file.numbered} if file and file.numbered else set()
    others = (
        {"review"} if table.name == "review" else {"declared", "files"} if table.name == "variable" else set()
    )
    return {"source_file", "source_line", *numbered, *others, *(_NO_CELLS if table.name in _PLANS else ())}


_PLANS = ("plan", "plan_figure")
_SKIPPED = {name: _skipped(table) for name, table in TABLES.items()}
