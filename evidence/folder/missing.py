"""Numbers that stand for a missing value, -99, 999 and the like: declared in review.toml, or asked about.

``[variables]`` of review.toml declares them, for every variable or for one:

    [variables]
    missing = ["-99"]
    mean_age = { type = "numeric", missing = ["999"] }
    year_of_birth = { missing = [] }    # none of its cells is a code

What is not declared, looks like such a code and lies far from all other values is taken for one, with a
warning that says how to settle it. A time is not: a row without its time would be another measurement.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence.facts.plausibility import STATISTICS
from evidence.folder.sheet import Problems, Sheet, is_number

NOT_REPORTED = "not reported"
FAR = 5
"""How many times the range of all other values a code is away from them."""
EVERY = "missing"
"""Key of [variables] that declares codes of every variable."""

_CODE = re.compile(r"-?([789])\1+(\.\1+|\.0+)?|-[789](\.0+)?")
# Codes that are seldom a value: below 0, or of three digits and more.
_STRONG = re.compile(r"-.*|\d{3,}(\..*)?")
_TIMES = ("timepoint",)
_CONTRAST_NUMBERS = ("estimate", "se", "ci_lower", "ci_upper")


@dataclass(frozen=True)
class Declared:
    """What ``[variables]`` declares.

    Attributes
    ----------
    types : dict of str to str
        numeric or category, by variable.
    codes : dict of str to tuple of str
        Codes for missing values, by variable; empty where none of its cells is one.
    every : tuple of str
        Codes of every variable that declares none of its own.
    """

    types: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    every: tuple[str, ...] = ()

    def of(self, name: str) -> tuple[str, ...]:
        """Codes of a variable."""
        return self.codes.get(name, self.every)


def declarations(table: Mapping[str, Any], problems: Problems) -> Declared:
    """Read ``[variables]`` of review.toml."""
    found = Declared(every=_codes(table.get(EVERY), EVERY, problems) if _is_list(table) else ())
    for name, said in table.items():
        if name == EVERY and _is_list(table):
            continue
        if not isinstance(said, dict):
            found.types[name] = said
            continue
        for key in said.keys() - {"type", EVERY}:
            problems.error(
                f"[variables] {name} has no key {key!r}", "it takes type and missing", file="review.toml"
            )
        if "type" in said:
            found.types[name] = said["type"]
        if EVERY in said:
            found.codes[name] = _codes(said[EVERY], name, problems)
    return found


def _is_list(table: Mapping[str, Any]) -> bool:
    """Whether ``missing`` is a list of codes, and not the type of a column of that name."""
    return isinstance(table.get(EVERY), list)


def _codes(value: Any, name: str, problems: Problems) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(code, str | int | float) and not isinstance(code, bool) for code in value
    ):
        problems.error(
            f"[variables] declares {name} missing as {value!r}",
            'write a list of codes: missing = ["-99", "999"]',
            file="review.toml",
        )
        return ()
    return tuple(map(str, value))


def leave_out(cells: Iterable[tuple[str, Sheet]], declared: Declared) -> None:
    """Put no value in place of every cell of a variable that is declared a code for a missing one.

    Parameters
    ----------
    cells : iterable of (name, Sheet)
        Variables with the sheets that have them; their values are changed.
    declared : Declared
        The codes.
    """
    for name, sheet in cells:
        codes = declared.of(name)
        if not codes:
            continue
        for index, cell in enumerate(sheet.text[name]):
            if cell and any(_same(cell, code) for code in codes):
                _empty(sheet, name, index)


def _empty(sheet: Sheet, name: str, index: int) -> None:
    """Put no value in place of a code; of a column of numbers the code is kept as the reason."""
    known = sheet.file.by_name.get(name)
    if known is None or known.type not in ("number", "integer"):
        sheet.values[name][index] = NOT_REPORTED
        return
    sheet.values[name][index] = None
    studies = sheet.text.get("study")
    sheet.missing.append(
        (sheet.lines[index], name, studies[index] if studies else None, sheet.text[name][index])
    )


def _same(cell: str, code: str) -> bool:
    if is_number(cell) and is_number(code):
        return float(cell) == float(code)
    return cell == code


def could_be_code(cell: str) -> bool:
    """Whether a cell is written as codes for a missing value are."""
    return _CODE.fullmatch(cell) is not None


def doubtful(typed: Sequence[str], strong: bool = False) -> Iterator[tuple[int, str]]:
    """Find the cells of a column that are likely codes for a missing value, each with the reason.

    Parameters
    ----------
    typed : sequence of str
        Cells that have a value.
    strong : bool
        Only codes below 0 and of three or more digits: 99 is often a value.

    Yields
    ------
    int, str
        Place in `typed`, and how the cell differs from the others.
    """
    codes = {i: cell for i, cell in enumerate(typed) if _CODE.fullmatch(cell)}
    if not codes:
        return
    others = [cell for i, cell in enumerate(typed) if i not in codes]
    numbers = [float(cell) for cell in others if is_number(cell)]
    if len(numbers) * 2 <= len(others):
        # Among words.
        if others:
            yield from ((i, "a number among words") for i, cell in codes.items() if _STRONG.fullmatch(cell))
        return
    low, high = min(numbers), max(numbers)
    far = FAR * (high - low or abs(high))
    for i, cell in codes.items():
        if strong and not (_STRONG.fullmatch(cell) and len(cell.strip("-").partition(".")[0]) > 1):
            continue
        value = float(cell)
        between = f"of the other {len(numbers)}, {low:g} to {high:g}" if low < high else f"the other, {low:g}"
        if value < 0 <= low:
            yield i, f"below 0, and none {between}, is"
        elif len(numbers) > 1 and not low - far <= value <= high + far:
            yield i, f"far from those {between}"


def ask(name: str, cells: Sequence[tuple[Sheet, int]], problems: Problems) -> set[int]:
    """Take what is likely a code for a missing value of a variable for one, and say so.

    Parameters
    ----------
    name : str
        The variable.
    cells : sequence of (Sheet, int)
        Sheet and row of each of its values; codes among them are emptied.
    problems : Problems
        Takes one warning for each code and reason in a file, and an error for each that stands for a time.

    Returns
    -------
    set of int
        Places in `cells` of the codes.
    """
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, why in doubtful([sheet.text[name][row] for sheet, row in cells]):
        sheet, row = cells[place]
        found[sheet.file.name, sheet.text[name][row], why].append(place)
    for (_, code, why), places in found.items():
        sheet, row = cells[places[0]]
        settle = (
            f"leave the cell empty; or declare the code in the folder's review.toml, under [variables]: "
            f'{EVERY} = ["{code}"]; if it is a value: {name} = {{ {EVERY} = [] }}'
        )
        if name in _TIMES:
            for sheet, row in (cells[place] for place in places):
                problems.error(
                    f"{name} is {code}, {why}: it looks like a code for a missing value",
                    settle,
                    **sheet.place(row, name),
                )
            continue
        others = [str(cells[place][0].lines[cells[place][1]]) for place in places[1:]]
        also = f" (also in line{'s' * (len(others) > 1)} {', '.join(others)})" if others else ""
        problems.warning(
            f"{name} is {code}, {why}{also}: it is taken as a code for a missing value",
            settle,
            **sheet.place(row, name),
        )
        for sheet, row in (cells[place] for place in places):
            _empty(sheet, name, row)
    return {place for places in found.values() for place in places}


def ask_statistics(sheets: Mapping[str, Sheet], problems: Problems) -> None:
    """Warn of statistics that are likely codes for a missing value."""
    for file, names, scope in (
        ("measurements.csv", STATISTICS, ("outcome", "unit")),
        ("contrasts.csv", _CONTRAST_NUMBERS, ("outcome", "measure")),
    ):
        if (sheet := sheets.get(file)) is None:
            continue
        for name in names:
            codes = filter(_CODE.fullmatch, set(sheet.text.get(name, ())))
            if not any(map(_STRONG.fullmatch, codes)):
                continue
            groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
            keys = zip(*(sheet.values[part] for part in scope), strict=True)
            for index, (key, value) in enumerate(zip(keys, sheet.values[name], strict=True)):
                if value is not None:
                    groups[key].append(index)
            for key, rows in groups.items():
                typed = [sheet.text[name][row] for row in rows]
                for place, why in doubtful(typed, strong=True):
                    problems.warning(
                        f"{name} of {key[0]} is {typed[place]}, {why}: it looks like a code for a missing "
                        "value",
                        "leave the cell empty if it was not reported",
                        **sheet.place(rows[place], name),
                    )
