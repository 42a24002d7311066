"""Columns of a database that say more of a study, an arm or a result: each goes where it does not vary."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from evidence.folder.layout import FILE

Cells = Mapping[str, str]

LEVELS = ("studies.csv", "arms.csv", "measurements.csv")
"""Files that take further columns, from what varies least to what varies most."""


def level_of(
    rows: Iterable[Cells],
    column: str,
    study: Callable[[Cells], object],
    arm: Callable[[Cells], object] | None = None,
    *,
    blank_is_a_value: bool = False,
) -> str:
    """Return the file that a column goes into: the first in which it is constant.

    Parameters
    ----------
    rows : iterable of mapping of column to cell
        All rows.
    column : str
        Which column.
    study, arm : callable
        What study, and which arm, a row is about; no arm where a row is about several.
    blank_is_a_value : bool
        A column that is filled in for some rows of a study only is not about the study.
    """
    seen: dict[str, dict[object, set[str]]] = {name: defaultdict(set) for name in LEVELS[:2]}
    for cells in rows:
        if (value := cells.get(column, "")) or blank_is_a_value:
            seen["studies.csv"][study(cells)].add(value)
            if arm is not None:
                seen["arms.csv"][study(cells), arm(cells)].add(value)
    for name in LEVELS[: 1 if arm is None else 2]:
        if all(len(values) == 1 for values in seen[name].values()):
            return name
    return "measurements.csv"


def is_words(cells: Iterable[str]) -> bool:
    """Whether cells are words although some are numbers, or hold a number that stands for none."""
    told = [cell for cell in cells if cell]
    numbers = [cell for cell in told if _NUMBER.fullmatch(cell)]
    return bool(numbers) and (len(numbers) < len(told) or any(cell in _NO_NUMBER for cell in numbers))


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NO_NUMBER = frozenset(f"{sign}{'9' * n}" for sign in ("", "-") for n in (2, 3, 4, 5))


def named_in(file: str, column: str) -> str:
    """Name of a further column: not that of one which a file has of its own, and may not mean the same."""
    declared = FILE[file].by_name
    known = declared.get(column)
    if known is None or (file == "studies.csv" and known.type == "text"):
        return column
    return f"{column} (as given)"
