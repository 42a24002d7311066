"""What the cells of a column say of its meaning: a count is whole, a treatment is no decimal."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from evidence.facts.reference import keyed
from evidence.importers.table import Table

_LOOKED_AT = 4000
"""Cells that are looked at to tell what a column is: the fifth of them that may be wrong does not change
it."""

_CITATION = re.compile(r"\b(1[89]|20)\d\d[a-z]?\b|\bet al\b", re.IGNORECASE)
WHOLE = 1e-3
"""Distance from a whole number that is a program's noise: 10.000004 animals are ten."""


def sample(table: Table, position: int) -> list[str]:
    """Cells of one column that hold something, evenly from the whole table."""
    step = max(1, len(table.rows) // _LOOKED_AT)
    return [cells[position] for _, cells in table.rows[::step] if not is_gap(cells[position])]


def missing_code(cell: str) -> str | None:
    """Return the code of ``missing_code`` that a text is, in any case and with or without a point."""
    return cell if cell in keyed("missing_code") else _codes().get(cell.casefold().strip(" ."))


@cache
def _codes() -> dict[str, str]:
    found: dict[str, str] = {}
    for code in map(str, keyed("missing_code")):
        if bare := code.casefold().strip(" ."):
            found.setdefault(bare, code)
    return found


def is_gap(cell: str) -> bool:
    """Whether a cell is empty, or holds a word for a missing value."""
    return not cell or (not cell[-1].isdigit() and missing_code(cell) is not None)


def number(cell: str) -> float | None:
    """Return the number that a cell holds, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _share(cells: Iterable[str], holds: Callable[[float | None], bool]) -> float:
    found = [holds(number(cell)) for cell in cells]
    return sum(found) / len(found) if found else 0.0


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether most cells hold numbers."""
    return _share(cells, lambda value: value is not None) >= 0.5


def are_counts(cells: Sequence[str], least: float = 0) -> bool:
    """Whether most cells hold whole numbers."""
    return _share(cells, lambda x: x is not None and x >= least and abs(x - round(x)) <= WHOLE) >= 0.5


def are_years(cells: Sequence[str]) -> bool:
    """Whether some cell is a year, or none holds a number: what a year is not, its own check says."""
    values = [value for value in map(number, cells) if value is not None]
    return not values or 2 * sum(1800 <= value <= 2200 for value in values) >= len(values)


def are_names(cells: Sequence[str]) -> bool:
    """Whether most cells hold something other than numbers."""
    return bool(cells) and not are_numbers(cells)


def are_citations(cells: Sequence[str]) -> bool:
    """Whether most cells name papers, by their year or their further authors: no treatments."""
    return bool(cells) and 2 * sum(bool(_CITATION.search(cell)) for cell in cells) >= len(cells)


def can_be(meaning: str, cells: Sequence[str]) -> bool:
    """Whether most cells of a column can be what a short name says they are; none can be anything."""
    if not cells:
        return True
    if meaning == "treatment":
        return not are_numbers(cells) or are_counts(cells)
    if meaning in ("events", "n", "non_events"):
        return are_counts(cells, least=0 if meaning != "n" else 1)
    if meaning in ("sd", "se", "exposure"):
        return _share(cells, lambda x: x is not None and x >= 0) >= 0.5
    if meaning in ("mean", "median"):
        return are_numbers(cells)
    return True


def are_codes(table: Table, code: int, name: int) -> bool:
    """Whether two columns say the same: each value of the one stands beside one value of the other."""
    pairs: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for _, cells in table.rows:
        pairs[cells[code]].add(cells[name])
        back[cells[name]].add(cells[code])
    return all(len(found) == 1 for found in (*pairs.values(), *back.values()))
