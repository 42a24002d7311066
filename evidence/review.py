"""The review folder: plain text in, checked rows out.

A review folder holds ``review.toml`` and the CSV files declared in `FILES`. `read` takes all of it in, finds
everything that is wrong in one pass, and returns the rows of each table, ready to be stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import compress
from pathlib import Path
from typing import Any

from evidence.errors import CallError, Problem, ReviewError
from evidence.facts.appraisal import completed
from evidence.facts.hazard import event_is_bad
from evidence.facts.reference import REFERENCE_TABLES, keyed, reference
from evidence.folder.as_of import AsOf, cut
from evidence.folder.checks import check
from evidence.folder.layout import FILE, FILES, Column, File, needed
from evidence.folder.missing import ask_statistics, declarations, leave_out
from evidence.folder.protocol import (
    FILE_NAME,
    PROTOCOL_KEYS,
    REVIEW_KEYS,
    check_expected,
    numbered,
    plan,
    read_protocol,
)
from evidence.folder.sheet import Problems, Sheet, read_sheet
from evidence.folder.variables import conversions, described, variables
from evidence.names import nearest, suggestion
from evidence.store.bulk import uncollected
from evidence.system.files import recover
from evidence.system.memory import in_words, refuse_without_room
from evidence.system.resources import reviews_directory

MEMORY_A_BYTE = 22
"""Bytes of memory that a build takes for each byte of text: values of cells, then rows and views."""

__all__ = [
    "FILE",
    "FILES",
    "PROTOCOL_KEYS",
    "REVIEW_KEYS",
    "Column",
    "File",
    "Review",
    "Rows",
    "bundled",
    "find",
    "read",
]


@dataclass(frozen=True)
class Rows:
    """Rows of one table, by column; all columns are equally long.

    Attributes
    ----------
    table : str
        The table.
    columns : dict of str to list
        Values of each column given; None is a missing value.
    """

    table: str
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


@dataclass(frozen=True)
class Review:
    """A review folder, read and checked.

    Attributes
    ----------
    name : str
        Name of the folder.
    rows : tuple of Rows
        What goes into each table, in load order (a table comes after those it refers to).
    warnings : tuple of Problem
        What was loaded and should be looked at.
    content_hash : str
        SHA-256 of the review's content: equal for folders that say the same, cut to the same day.
    as_of : AsOf or None
        The day that its rows were cut to, if they were.
    """

    name: str
    rows: tuple[Rows, ...]
    warnings: tuple[Problem, ...]
    content_hash: str
    as_of: AsOf | None = None

    def cut(self, day: date) -> Review:
        """Give the review as it could have been on a day; see `evidence.folder.as_of`.

        Raises
        ------
        EvidenceError
            If no study has a date.
        CallError
            If no study was known on that day.
        """
        rows, as_of = cut(self.name, self.rows, day)
        content = hashlib.sha256(f"{self.content_hash} as of {day}".encode()).hexdigest()
        return Review(self.name, tuple(part for part in rows if len(part)), self.warnings, content, as_of)


def bundled() -> dict[str, Path]:
    """Return the review folders that travel with the package, by name."""
    root = reviews_directory()
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{FILE_NAME}"))}


def find(review: str | Path) -> Path:
    """Find a review folder: a path, or the name of a bundled review.

    Raises
    ------
    CallError
        If there is neither.
    """
    folder = Path(review)
    known = bundled()
    # A folder that merely has a bundled review's name, such as that of its report, does not hide the review.
    if folder.is_dir() and ((folder / FILE_NAME).is_file() or str(review) not in known):
        return folder
    if str(review) in known:
        return known[str(review)]
    if folder.is_file():
        raise CallError(f"{str(review)!r} is a file: name the review folder it stands in.")
    raise CallError(
        f"There is no review folder {str(review)!r}, and no bundled review of that name: "
        f"{suggestion(str(review), known)}."
    )


@uncollected()
def read(review: str | Path, as_of: date | None = None) -> Review:
    """Read and check a review folder.

    Parameters
    ----------
    review : str or Path
        A review folder, or the name of a bundled one.
    as_of : date, optional
        Give it as it could have been on that day. All of it is checked.

    Returns
    -------
    Review

    Raises
    ------
    CallError
        If there is no such folder, or no study was known on the day.
    EvidenceError
        If a day is given, and no study has a date.
    ReviewError
        If anything in it is wrong; its `problems` are all errors, in the order of files and lines.
    """
    folder = find(review)
    with suppress(OSError):
        recover(folder)
    _refuse_without_room(folder)
    problems = Problems()
    protocol = read_protocol(folder / FILE_NAME, problems)
    sheets = _sheets(folder, problems)
    declared = declarations(protocol.variables if protocol is not None else {}, problems)
    leave_out(described(sheets), declared)
    _fill(sheets, problems)
    check(sheets, problems)
    ask_statistics(sheets, problems)
    found = variables(sheets, declared, problems)
    analyses = plan(protocol, sheets, problems) if protocol is not None else []
    figures = numbered(protocol, problems) if protocol is not None else []
    if protocol is not None:
        check_expected(protocol, sheets, problems)
    name = folder.resolve().name
    if problems.errors or protocol is None:
        errors = sorted(problems.errors, key=_position)
        raise ReviewError(f"{name} cannot be built: {len(errors)} error{'s' * (len(errors) > 1)}.", errors)
    hashes = {FILE_NAME: hashlib.sha256(protocol.text.encode()).hexdigest()} | {
        file: sheet.sha256 for file, sheet in sheets.items()
    }
    content_hash = hashlib.sha256(
        "\n".join(f"{file} {hashes[file]}" for file in sorted(hashes)).encode()
    ).hexdigest()
    tables = [_table("review", [{"review": name, "synthetic": False} | protocol.review])]
    tables += [rows for sheet in sheets.values() for rows in _rows(sheet)]
    tables.append(_table("variable", found))
    tables.append(_table("variable_unit", conversions(sheets)))
    tables.append(_missing_values(sheets.values()))
    tables.append(_table("plan", analyses))
    tables.append(_table("plan_figure", figures))
    warnings = sorted(problems.warnings, key=_position)
    tables.append(_table("build_warning", [_warning(problem) for problem in warnings]))
    tables.append(
        _table(
            "loaded_file",
            [
                {"file": f, "n_rows": len(sheets[f]) if f in sheets else 0, "sha256": h}
                for f, h in hashes.items()
            ],
        )
    )
    whole = Review(name, tuple(rows for rows in tables if len(rows)), tuple(warnings), content_hash)
    return whole if as_of is None else whole.cut(as_of)


_ORDER = {FILE_NAME: -1} | {file.name: position for position, file in enumerate(FILES)}


def _position(problem: Problem) -> tuple[int, int]:
    return (_ORDER.get(problem.file or "", len(FILES)), problem.line or 0)


def _refuse_without_room(folder: Path) -> None:
    """Refuse a folder whose rows, once as values and once as rows of the file, leave no room."""
    size = sum(path.stat().st_size for path in map(folder.joinpath, FILE) if path.is_file())
    refuse_without_room(
        MEMORY_A_BYTE * size,
        f"A review folder of {in_words(size)} of text",
        "Build it on a machine with more memory; the file that comes of it opens on a smaller one.",
    )


def _sheets(folder: Path, problems: Problems) -> dict[str, Sheet]:
    present = {path.name: path for path in sorted(folder.iterdir())}
    sheets: dict[str, Sheet] = {}
    for file in FILES:
        if file.name in present and _is_plain(present[file.name], problems):
            sheet = read_sheet(present[file.name], file, problems)
            if sheet is not None:
                sheets[file.name] = sheet
    unread = present.keys() & FILE.keys() - sheets.keys()
    for file in needed({name for name, sheet in sheets.items() if len(sheet) or sheet.refused} | unread):
        if file.name not in present:
            problems.error(
                f"the review folder has no {file.name}", f"add it: one row per {file.grain}", file=file.name
            )
    for name in present.keys() - FILE.keys():
        if name.lower().endswith((".csv", ".tsv", ".xlsx", ".xls")):
            _report_stranger(name, present, problems)
    return sheets


def _is_plain(path: Path, problems: Problems) -> bool:
    """Tell whether a file of the folder can be read; what cannot is an error: its rows would be missing."""
    if path.is_file():
        if os.access(path, os.R_OK):
            return True
        problems.error("the file may not be read", "give yourself the right to read it", file=path.name)
    elif path.is_symlink() and not path.exists():
        problems.error(
            "the file is a link to nothing", "bring what it points to, or delete it", file=path.name
        )
    else:
        what = "a folder" if path.is_dir() else "a pipe or a device"
        problems.error(f"{path.name} is {what}, not a file", "put a plain file there", file=path.name)
    return False


def _report_stranger(name: str, present: Container[str], problems: Problems) -> None:
    """Report a table in the folder that is not read: it may be one that is, under a mistyped name."""
    stems = {file.name.removesuffix(".csv"): file.name for file in FILES}
    of_tables = {file.table: file.name.removesuffix(".csv") for file in FILES}
    meant = stems.get(nearest(Path(name).stem, stems, of_tables, cutoff=0.8) or "")
    if meant is None or (meant in present and not name.lower().endswith(".csv")):
        problems.warning(f"{name} is not a file of a review folder, and was not read", "", file=name)
    elif meant in present:
        problems.error(
            f"{name!r} looks like {meant!r}, which is there too",
            f"put its rows into {meant!r}, or move it out of the folder",
            file=name,
        )
    else:
        problems.error(
            f"a review folder has no {name!r}",
            f"rename it to {meant!r}, or move it out of the folder"
            if name.lower().endswith(".csv")
            else f"save it as {meant!r} (CSV UTF-8), or move it out of the folder",
            file=name,
        )


def _fill(sheets: dict[str, Sheet], problems: Problems) -> None:
    """Fill what follows from other cells: labels, roles of arms, names of searches."""
    for file, key in (("studies.csv", "study"), ("treatments.csv", "treatment"), ("outcomes.csv", "outcome")):
        if sheet := sheets.get(file):
            values = sheet.values
            values["label"] = [label or name for label, name in zip(values["label"], values[key])]
    if outcomes := sheets.get("outcomes.csv"):
        rows = outcomes.rows("outcome", "label", "kind", "lower_is_better", "event_is_bad")
        outcomes.values["event_is_bad"] = [
            event_is_bad(outcome, label, lower) if bad is None and kind == "time_to_event" else bad
            for _, outcome, label, kind, lower, bad in rows
        ]
    if arms := sheets.get("arms.csv"):
        roles: dict[Any, Any] = {}
        if treatments := sheets.get("treatments.csv"):
            roles = dict(zip(treatments.values["treatment"], treatments.values["role"]))
        arms.values["role"] = [
            role or roles.get(treatment, "active")
            for role, treatment in zip(arms.values["role"], arms.values["treatment"])
        ]
    for file in ("rob_tools.csv", "rob_items.csv", "rob_answers.csv"):
        if sheet := sheets.get(file):
            names = list(sheet.values)
            typed = [dict(zip(names, cells)) for cells in zip(*sheet.values.values(), strict=True)]
            filled = completed(FILE[file].table, typed)
            sheet.values.update({name: [row[name] for row in filled] for name in names})
    if searches := sheets.get("searches.csv"):
        values = searches.values
        values["search"] = [
            search or " ".join(part for part in (database, date) if part) or None
            for search, database, date in zip(values["search"], values["database"], values["date"])
        ]


def _rows(sheet: Sheet) -> list[Rows]:
    """Rows of a file's table, and of the table that takes its further columns."""
    file = sheet.file
    placed: dict[str, list[Any]] = {"source_file": [file.name] * len(sheet), "source_line": sheet.lines}
    columns: dict[str, list[Any]] = {}
    if file.numbered:
        columns[file.numbered] = list(range(1, len(sheet) + 1))
    columns |= {column.target: sheet.values[column.name] for column in file.columns}
    if file.table in REFERENCE_TABLES:
        return [_new_rows(file, columns)]
    if file.table == "outcome":
        dimensions = {name: row["dimension"] for name, row in keyed("unit").items()}
        columns["dimension"] = [
            dimension or dimensions.get(unit)
            for dimension, unit in zip(columns["dimension"], columns["unit"])
        ]
    tables = [Rows(file.table, columns | placed)]
    if file.further:
        tables.append(_characteristics(sheet, {part: columns[part] for part in file.identity}))
    return tables


def _new_rows(file: File, columns: dict[str, list[Any]]) -> Rows:
    """Rows that a review adds to reference data: those of units and tools that are not known already."""
    brought = {row[file.key[0]] for row in reference(file.table)}
    new = [index for index, key in enumerate(columns[file.key[0]]) if key not in brought]
    return Rows(file.table, {name: [values[index] for index in new] for name, values in columns.items()})


def _characteristics(sheet: Sheet, identity: dict[str, list[Any]]) -> Rows:
    """Rows of the table that takes a file's further columns, one for each cell that has a value."""
    found: dict[str, list[Any]] = {
        name: [] for name in (*identity, "characteristic", "value", "source_file", "source_line")
    }
    for name in sheet.further:
        given = [value is not None for value in sheet.values[name]]
        for part, column in (identity | {"value": sheet.values[name], "source_line": sheet.lines}).items():
            found[part].extend(compress(column, given))
        n = sum(given)
        found["characteristic"] += [name] * n
        found["source_file"] += [sheet.file.name] * n
    return Rows(str(sheet.file.further), found)


def _missing_values(sheets: Iterable[Sheet]) -> Rows:
    return _table(
        "missing_value",
        [
            {
                "source_file": sheet.file.name,
                "source_line": line,
                "column_name": column,
                "study": study,
                "code": code,
            }
            for sheet in sheets
            for line, column, study, code in sheet.missing
        ],
    )


def _warning(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "message": problem.message,
        "remedy": problem.remedy or None,
        "source_file": problem.file,
        "source_line": problem.line,
        "column_name": problem.column,
        "study": problem.study,
        "arm": problem.arm,
    }


def _table(table: str, rows: list[dict[str, Any]]) -> Rows:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Rows(table, {name: [row.get(name) for row in rows] for name in names})
