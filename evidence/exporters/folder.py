"""The review folder itself: what was compiled, or a part of it, as text again."""

from __future__ import annotations

import csv
import datetime
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.folder.layout import FILES, File, needed
from evidence.folder.options import options_of
from evidence.folder.protocol import FILE_NAME, REVIEW_KEYS
from evidence.selection import Selection


def write_review(selection: Selection, directory: Path) -> list[Path]:
    """Write a review folder that builds into the evidence selected.

    Codes for missing values stand where they stood. Of ``review.toml`` the review and the planned analyses
    are written.
    """
    target = directory / "review"
    target.mkdir(exist_ok=True)
    protocol = target / FILE_NAME
    protocol.write_text(_protocol(selection), encoding="utf-8")
    codes = _codes(selection)
    files = [protocol]
    contents = {file.name: _rows(selection, file, codes) for file in FILES}
    required = needed({name for name, rows in contents.items() if rows})
    for file in FILES:
        if contents[file.name] or file in required:
            files.append(_write(target / file.name, file, contents[file.name]))
    return files


def _rows(
    selection: Selection, file: File, codes: Mapping[tuple[str, int], dict[str, str]]
) -> list[dict[str, Any]]:
    """Rows of one file in their order, with further columns and codes for missing values."""
    if file.table in REFERENCE_TABLES:
        # What the project brings itself stands in the same table as what the review adds.
        brought = {row[file.key[0]] for row in reference(file.table)}
        added = selection.db.rows(f"select * from {file.table} order by {', '.join(file.key)}")
        return [
            {column.name: row[column.target] for column in file.columns}
            for row in added
            if row[file.key[0]] not in brought
        ]
    found = selection.db.rows(f"select * from {file.table} order by source_line")
    further: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    if file.further:
        for row in selection.db.rows(f"select * from {file.further} order by rowid"):
            further[tuple(row[key] for key in file.identity)][row["characteristic"]] = row["value"]
    rows = []
    for row in found:
        cells = {column.name: row[column.target] for column in file.columns}
        cells |= further.get(tuple(row[key] for key in file.identity), {}) if file.further else {}
        cells |= codes.get((file.name, row["source_line"]), {})
        rows.append(cells)
    return rows


def _codes(selection: Selection) -> dict[tuple[str, int], dict[str, str]]:
    """Codes for missing values, by file and line, then by column."""
    found: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row in selection.db.rows("from missing_value"):
        found[row["source_file"], row["source_line"]][row["column_name"]] = row["code"]
    return found


def _write(path: Path, file: File, rows: list[dict[str, Any]]) -> Path:
    declared = [column.name for column in file.columns]
    required = {column.name for column in file.columns if column.required}
    used = dict.fromkeys(name for row in rows for name, cell in row.items() if cell is not None)
    columns = [name for name in declared if name in used or name in required]
    columns += [name for name in used if name not in declared]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(row.get(name)) for name in columns] for row in rows)
    return path


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)


def _protocol(selection: Selection) -> str:
    review = selection.db.rows("select * from review")[0]
    lines = [f"{key} = {_toml(review[key])}" for key in REVIEW_KEYS if review.get(key) not in (None, False)]
    typed = selection.db.rows("select variable, type from variable where declared order by variable")
    if typed:
        # Codes for missing values are out of the cells: what is left is a value.
        lines += ["", "[variables]"]
        lines += [
            f"{_toml(row['variable'])} = {_toml({'type': row['type'], 'missing': []})}" for row in typed
        ]
    for row in selection.db.rows("select * from plan where origin = 'plan' order by position"):
        lines += ["", "[[protocol.analysis]]"]
        for option in options_of(planned=True):
            if row[option.column] is not None:
                lines.append(f"{option.name} = {_toml(option.loaded(row[option.column]))}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(item)}' for key, item in value.items())} }}"
    # JSON's texts, lists, numbers and truth values are TOML's too.
    return json.dumps(value, ensure_ascii=False)
