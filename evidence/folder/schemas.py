"""Schemas of a review folder, by which editors help: of review.toml (JSON), of the CSV files (Frictionless).

Both follow from what the loader reads: `evidence.folder.layout`, `evidence.folder.options`, the keys of
`evidence.folder.protocol`, and the comments of the tables in ``schema/``. What a schema cannot express (an
arm that its study does not have, an n above 0) the loader alone refuses.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from evidence import facts
from evidence.facts.languages import LANGUAGES
from evidence.facts.reference import keyed
from evidence.folder import further
from evidence.folder.layout import FILE, FILES, Column, File
from evidence.folder.options import ALSO_CALLED, MULTIVERSE_KEYS, OPTIONS, Option, kind_of_choice, options_of
from evidence.folder.protocol import FIGURE_KEYS, REVIEW_KEYS
from evidence.folder.variables import TYPES
from evidence.system.resources import schema_directory

REVIEW_SCHEMA = "review.schema.json"
"""The JSON Schema of review.toml, in the folder; the line ``#:schema ./review.schema.json`` leads to it."""
DATA_PACKAGE = "datapackage.json"
"""The table schemas of the folder's CSV files, as Frictionless has them."""

_JSON = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_FIELD = {"number": "number", "integer": "integer", "boolean": "boolean", "date": "date"}
_SAID = {
    "variables": "Types of variables (numeric or category) and codes for missing values, by column.",
    "expected": "Rows that a file must have below its header, by its name without .csv.",
    "protocol": "What was planned: settings of all analyses, and the analyses.",
    "defaults": "Settings that every planned analysis has unless it says otherwise.",
    "analysis": "One planned analysis: [[protocol.analysis]].",
    "figure": "Numbers of figures and tables: [[protocol.figure]].",
}
"""Meaning of the keys of review.toml that hold tables."""


@cache
def meanings() -> dict[tuple[str, str], str]:
    """Read what each column of each table means, by table and column: the comments in ``schema/``."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(schema_directory().glob("*.sql")))
    found = re.findall(r"comment on column (\w+)\.\"?(\w+)\"? is\s+'((?:[^']|'')*)'", text)
    return {(table, column): said.replace("''", "'") for table, column, said in found}


def meaning(file: File, column: Column) -> str:
    """Say what a column of a file means."""
    return meanings()[file.table, column.target]


def key_meaning(key: str) -> str:
    """Say what a key of review.toml means: one at its top, or an option of analyses."""
    if key in _SAID:
        return _SAID[key]
    said = _plain(OPTIONS[key].comment if key in OPTIONS else meanings()["review", key])
    return (
        said.replace("as a JSON list", "as a list")
        .replace("as a JSON object by variable", "by variable")
        .replace("as a JSON object", "as a table")
        .strip()
    )


def figure_meaning(key: str) -> str:
    """Say what a key of ``[[protocol.figure]]`` means."""
    return _plain(meanings()["plan_figure", "figure" if key == "number" else key])


def _plain(said: str) -> str:
    """Leave out where a column comes from, which comments of tables say."""
    return re.sub(r"\s?\b\w+ in review\.toml[.:,]?", "", said).strip()


def values(column: Column) -> tuple[str, ...]:
    """All values that a column may have, where the project knows them; none where the review says them.

    The review's own units and tools (units.csv, rob_tools.csv) come on top.
    """
    if column.allowed:
        return column.allowed
    if column.references == "unit":
        time = column.name == "timepoint_unit"
        return tuple(name for name, row in keyed("unit").items() if not time or row["dimension"] == "time")
    if column.references == "effect_measure":
        return tuple(measure.code for measure in facts.measures(given=facts.REVIEW))
    if column.references in ("rob_tool", "prisma_box"):
        return tuple(keyed(column.references))
    return ()


# --- review.toml --------------------------------------------------------------------------------------------


def review_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 7) of review.toml."""
    keys_of_analyses = {option.name: _option(option) for option in options_of(planned=True)}
    for also, name in (pair for names in ALSO_CALLED.values() for pair in names.items()):
        keys_of_analyses.setdefault(also, keys_of_analyses[name])
    analysis = _object(keys_of_analyses)
    shared = {option.name: _option(option) for option in OPTIONS.values() if option.shared}
    figure = _object(
        {key: _said({"type": _JSON[kind]}, figure_meaning(key)) for key, kind in FIGURE_KEYS.items()}
    )
    for part in figure["properties"].values():
        part["minItems" if part["type"] == "array" else "minLength"] = 1
    protocol = _object(
        shared
        | {
            "defaults": _said({"$ref": "#/definitions/analysis"}, key_meaning("defaults")),
            "analysis": _said(
                {"type": "array", "items": {"$ref": "#/definitions/analysis"}}, key_meaning("analysis")
            ),
            "figure": _said(
                {"type": "array", "items": figure | {"required": list(FIGURE_KEYS)}}, key_meaning("figure")
            ),
        }
    )
    codes = {"type": "array", "items": {"type": ["string", "number"]}}
    tables = {
        "variables": {
            "type": "object",
            "properties": {"missing": {"anyOf": [codes, *_variable(codes)]}},
            "additionalProperties": {"anyOf": _variable(codes)},
        },
        "expected": _object(
            {file.name.removesuffix(".csv"): {"type": "integer", "minimum": 0} for file in FILES}
        ),
        "protocol": protocol,
    }
    keys = {
        key: _said(tables.get(key, {"type": _JSON[kind]}), key_meaning(key))
        for key, kind in REVIEW_KEYS.items()
    }
    keys["title"]["minLength"] = 1
    keys["language"]["enum"] = list(LANGUAGES)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "review.toml",
        **_object(keys),
        "required": ["title"],
        "definitions": {"analysis": analysis},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _said(schema: dict[str, Any], said: str) -> dict[str, Any]:
    # Beside a reference nothing counts in draft 7: what is said stands around it.
    return {"allOf": [schema], "description": said} if "$ref" in schema else {**schema, "description": said}


def _variable(codes: dict[str, Any]) -> list[dict[str, Any]]:
    kind = {"enum": list(TYPES)}
    return [kind, _object({"type": kind, "missing": codes})]


def _option(option: Option) -> dict[str, Any]:
    kinds = sorted({_JSON[kind] for kind in (option.typed, *option.also)})
    schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    choices = (
        values(Column("measure", references="effect_measure")) if option.name == "measure" else option.choices
    )
    if choices:
        schema["enum"] = list(choices)
    elif option.typed in (int, float) and option.refusal(-1):
        schema["exclusiveMinimum" if option.refusal(0) else "minimum"] = 0
        if option.refusal(1):  # a share
            schema["exclusiveMaximum"] = 1
    if option.name == "absolute":  # a number, which an exported plan has as a text
        schema["pattern"] = r"^(median|[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)$"
    if option.name == "sensitivity":
        schema["items"] = {"enum": [*further.PAIRWISE, *further.NETWORK, further.ALL]}
    if option.name == "multiverse":
        schema |= _object({key: _choice(key) for key in MULTIVERSE_KEYS})
    if option.words:
        schema = {"anyOf": [schema, {"enum": list(option.words)}]}
    if option.default not in (None, ()):
        schema["default"] = option.default
    return _said(schema, key_meaning(option.name))


def _choice(key: str) -> dict[str, Any]:
    """Say what a key of ``multiverse`` may hold."""
    kind = kind_of_choice(key)
    schema: dict[str, Any] = {"type": _JSON[kind]}
    if kind is not int:
        schema["items" if kind is list else "additionalProperties"] = {"type": "string"}
    return _said(schema, MULTIVERSE_KEYS[key])


# --- CSV files ----------------------------------------------------------------------------------------------


def data_package(folder: Path, name: str | None = None) -> dict[str, Any]:
    """Describe the CSV files that a folder has, as a Frictionless data package.

    Columns stand in the order of the file's header, those that the project does not know as text; the
    review's own units and tools count. It is called as the folder is, unless it will be called otherwise.
    """
    present = {file.name: header for file in FILES if (header := _header(folder / file.name))}
    return {
        "name": re.sub(r"[^a-z0-9._-]+", "-", (name or folder.resolve().name).lower()) or "review",
        "profile": "tabular-data-package",
        "resources": [
            {
                "name": name.removesuffix(".csv"),
                "path": name,
                "profile": "tabular-data-resource",
                "title": f"One row per {FILE[name].grain}",
                "encoding": "utf-8",
                "schema": _table_schema(FILE[name], header, present, _own(folder)),
            }
            for name, header in present.items()
        ],
    }


def _table_schema(
    file: File, header: list[str], present: Mapping[str, Any], own: Mapping[str, list[str]]
) -> dict[str, Any]:
    fields = [_field(file, name, own) for name in header]
    tables = {FILE[name].table: name for name in present}
    foreign = [
        {
            "fields": column.name,
            "reference": {
                "resource": "" if other == file.name else other.removesuffix(".csv"),
                "fields": FILE[other].key[0],
            },
        }
        for name in header
        if (column := file.by_name.get(name))
        and (other := tables.get(column.references or ""))
        and column.references not in ("unit", "rob_tool")
    ]
    numbers = any(column.type in _FIELD for column in file.columns)
    taken = {value for column in file.columns for value in values(column)}
    codes = [code for code in keyed("missing_code") if code not in taken] if numbers else []
    schema: dict[str, Any] = {"fields": fields, "missingValues": ["", *codes]}
    if len(file.key) == 1 and file.key[0] in header:
        schema["primaryKey"] = file.key[0]
    return schema | ({"foreignKeys": foreign} if foreign else {})


def _field(file: File, name: str, own: Mapping[str, list[str]]) -> dict[str, Any]:
    column = file.by_name.get(name)
    if column is None:
        return {"name": name, "type": "string", "description": "A variable of this review."}
    field: dict[str, Any] = {
        "name": name,
        "type": _FIELD.get(column.type, "string"),
        "description": meaning(file, column),
    }
    limits: dict[str, Any] = {}
    # Of verbatim text a code for missing is a text like any other, which Frictionless would take for none.
    if column.required and column.type != "verbatim":
        limits["required"] = True
    if allowed := values(column):
        limits["enum"] = [*allowed, *own.get(column.references or "", [])]
    # Frictionless has no bound that is not one of the values: n above 0 is left to the loader.
    lower, upper = (
        (column.above if column.at_least is None else column.at_least),
        (column.below if column.at_most is None else column.at_most),
    )
    limits |= {key: bound for key, bound in (("minimum", lower), ("maximum", upper)) if bound is not None}
    if column.type == "integer":
        limits = {
            key: int(bound) if key in ("minimum", "maximum") else bound for key, bound in limits.items()
        }
    if column.type == "boolean":
        field |= {
            "trueValues": ["true", "True", "TRUE", "yes", "1"],
            "falseValues": ["false", "False", "FALSE", "no", "0"],
        }
    return field | ({"constraints": limits} if limits else {})


def _own(folder: Path) -> dict[str, list[str]]:
    """Read the review's own units and tools, by the table they are added to."""
    found = {}
    for name in ("units.csv", "rob_tools.csv"):
        key = FILE[name].key[0]
        if key in _header(folder / name):
            with (folder / name).open(encoding="utf-8-sig", newline="") as stream:
                found[FILE[name].table] = [row[key] for row in csv.DictReader(stream) if row.get(key)]
    return found


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # The build says what is wrong with it.


def write(folder: Path, name: str | None = None) -> list[Path]:
    """Write both schemas into a review folder (to be called `name`), and give their paths."""
    from evidence.system.files import replacing

    written = []
    for file, content in ((REVIEW_SCHEMA, review_schema()), (DATA_PACKAGE, data_package(folder, name))):
        with replacing(folder / file) as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        written.append(folder / file)
    return written
