"""Reference data that travels with the project: units, effect measures, appraisal tools, aliases, codes."""

from __future__ import annotations

import csv
from functools import cache

from evidence.system.resources import schema_directory

REFERENCE_TABLES = (
    "unit",
    "unit_alias",
    "effect_measure",
    "event_word",
    "measure_form",
    "measure_name",
    "engine",
    "ranking_score",
    "estimator",
    "interval_method",
    "pooling_method",
    "dependence",
    "column_alias",
    "group_word",
    "missing_code",
    "reason",
    "rob_tool",
    "rob_item",
    "rob_answer",
    "rob_symbol",
    "rob_threshold",
    "prisma_box",
)
"""Tables filled from ``schema/reference/TABLE.csv``, in load order."""


@cache
def reference(table: str) -> tuple[dict[str, str | None], ...]:
    """Rows of one reference table, as text; an empty cell is None."""
    path = schema_directory() / "reference" / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return tuple(
            {name: cell or None for name, cell in row.items()} for row in csv.DictReader(stream, strict=True)
        )


@cache
def keyed(table: str) -> dict[str, dict[str, str | None]]:
    """Return the rows of a reference table by the value of its first column."""
    return {str(next(iter(row.values()))): row for row in reference(table)}
