"""What describes studies, arms and effects: which variables a review has, and whether they are numbers.

A variable is a column that says something of a study, an arm, a measurement or a reported contrast: it can be
a moderator, a subgroup or a condition. It is numeric if every one of its values is a number, or as
``[variables]`` of review.toml declares; codes for missing (`evidence.folder.missing`) are no values. The
views ``study_variable``, ``arm_variable``, ``measurement_variable`` and ``contrast_variable`` give them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evidence.errors import RefusedError
from evidence.facts.reference import reference
from evidence.folder.missing import Declared, ask, could_be_code
from evidence.folder.sheet import Problems, Sheet, is_number
from evidence.names import suggestion
from evidence.system.frames import cells

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

UNIT = "_unit"
"""Ending of the name of the column that holds the units of another."""

TYPES = ("numeric", "category")
"""Types of a variable."""

DESCRIBING: dict[str, tuple[str, ...]] = {
    "studies.csv": ("year", "design", "species", "strain", "sex", "age", "weight", "model", "country"),
    "arms.csv": ("dose", "dose_unit", "route", "timing"),
    "measurements.csv": ("timepoint",),
    "contrasts.csv": ("timepoint",),
}
"""Declared columns that are variables, by file; every further column of these files is one, too."""


class _Cell(NamedTuple):
    sheet: Sheet
    row: int
    value: Any


def variables(sheets: Mapping[str, Sheet], declared: Declared, problems: Problems) -> list[dict[str, Any]]:
    """Find the variables of a review and their types: rows of the table ``variable``.

    Parameters
    ----------
    sheets : mapping of file name to Sheet
        The files that could be read.
    declared : Declared
        ``[variables]`` of review.toml: numeric or category, and codes for missing values, by column.
    problems : Problems
        Takes every cell that is no number among numbers or likely a code for a missing value (which is
        emptied), and every declaration that cannot be followed.
    """
    cells: dict[str, list[_Cell]] = defaultdict(list)
    files: dict[str, list[str]] = defaultdict(list)
    plain: dict[str, str] = {}
    for name, sheet in described(sheets):
        files[name].append(sheet.file.name)
    for name in files:
        having = [sheet for other, sheet in described(sheets) if other == name]
        if kind := _plain_type(name, having, declared):
            plain[name] = kind
        else:
            cells[name] = [cell for sheet in having for cell in _values(sheet, name)]
    for name in {**declared.types, **declared.codes}:
        kind = declared.types.get(name, TYPES[0])
        if name not in files:
            problems.error(
                f"[variables] names {name!r}, which no file has",
                suggestion(name, files, "studies.csv, arms.csv, measurements.csv or contrasts.csv"),
                file="review.toml",
            )
        elif kind not in TYPES:
            problems.error(
                f"[variables] says {name} = {kind!r}", suggestion(str(kind), TYPES), file="review.toml"
            )
    for name in files:
        if name not in plain and name not in declared.codes:
            codes = ask(name, [(cell.sheet, cell.row) for cell in cells[name]], problems)
            cells[name] = [cell for place, cell in enumerate(cells[name]) if place not in codes]
    return [
        {
            "variable": name,
            "type": plain.get(name) or _type(name, cells[name], declared.types.get(name), problems),
            "declared": name in declared.types or name in declared.codes,
            "files": ", ".join(files[name]),
        }
        for name in sorted(files)
    ]


def variable_names(sheets: Mapping[str, Sheet]) -> list[str]:
    """Names of the variables of a review, in alphabetical order."""
    return sorted({name for name, _ in described(sheets)})


def conversions(sheets: Mapping[str, Sheet]) -> list[dict[str, Any]]:
    """Find the units that values of variables are converted from: rows of the table ``variable_unit``.

    A column beside another named ``<name>_unit`` gives its units (``dose_unit`` of ``dose``). Of every
    dimension the unit that most cells have counts, the largest one where several are as frequent; what is
    typed in others of that dimension is converted into it. Units that the table ``unit`` does not have stay
    as they are.

    Parameters
    ----------
    sheets : mapping of file name to Sheet
        The files that could be read.
    """
    typed: dict[str, Counter[str]] = defaultdict(Counter)
    names = set(variable_names(sheets))
    for name, sheet in described(sheets):
        if name.endswith(UNIT) and name.removesuffix(UNIT) in names:
            typed[name.removesuffix(UNIT)].update(str(cell.value) for cell in _values(sheet, name))
    known = {str(row["unit"]): row for row in reference("unit")}
    spelled = {str(row["alias"]): str(row["unit"]) for row in reference("unit_alias")}
    found = []
    for name, units in sorted(typed.items()):
        dimensions: dict[str, Counter[str]] = defaultdict(Counter)
        meant = {unit: unit if unit in known else spelled.get(unit, unit) for unit in units}
        for unit, n in units.items():
            if meant[unit] in known:
                dimensions[str(known[meant[unit]]["dimension"])][meant[unit]] += n
        for counted in dimensions.values():
            into = max(counted, key=lambda unit: (counted[unit], float(str(known[unit]["factor"])), unit))
            found += [
                {
                    "variable": name,
                    "unit": unit,
                    "converted_unit": into,
                    "factor": float(str(known[meant[unit]]["factor"])) / float(str(known[into]["factor"])),
                }
                for unit in sorted(units)
                if meant[unit] in counted and unit != into
            ]
    return found


def mixed_units(variables: pd.DataFrame, name: str) -> str | None:
    """Name the units of a variable of some contrasts, if their values cannot stand beside each other.

    A value of 0 is 0 in every unit.

    Parameters
    ----------
    variables : DataFrame
        As `variables_of` gives them, after conversion.
    name : str
        The variable.

    Returns
    -------
    str or None
        None where all are in one unit.
    """
    if variables[name].dtype.kind != "f" or name + UNIT not in variables:
        return None
    counts = variables[name].notna() & (variables[name] != 0)
    units = Counter(
        unit if isinstance(unit, str) else "no unit" for unit in variables[name + UNIT][counts].tolist()
    )
    if len(units) < 2:
        return None
    return ", ".join(f"{unit} ({n})" for unit, n in sorted(units.items(), key=lambda item: (-item[1], item)))


def units_refused(name: str, units: str) -> RefusedError:
    """Say that values of a variable cannot stand beside each other, and what to do."""
    return RefusedError(
        f"{name} is in several units, whose numbers cannot stand beside each other: {units}. "
        f"Take those of one unit (--where \"{name}{UNIT} = '...'\"), or name {name}{UNIT} in the condition, "
        f"or fill it in where it is missing."
    )


def missing_meanings() -> frozenset[str]:
    """Texts that stand for a missing value: no value of any variable."""
    return frozenset(str(row["meaning"]) for row in reference("missing_code"))


def variables_of(
    db: EvidenceBase, contrasts: pd.DataFrame, outcome: str, reverse: Sequence[bool] | None = None
) -> pd.DataFrame:
    """Read the variables of some contrasts, one column each: floats where numeric, else text.

    Parameters
    ----------
    db : EvidenceBase
    contrasts : DataFrame
        Rows of the view ``contrast`` or ``contrast_network``, of one outcome.
    outcome : str
        The outcome.
    reverse : (n,) sequence of bool, optional
        True where treatment b, not a, is the one asked about: its arm's values count.

    Returns
    -------
    DataFrame
        (n, number of variables), in the order of `contrasts`; what no contrast has a value of is left out.
        The same as the view ``contrast_variable``, without computing the contrasts again.
    """
    import pandas as pd

    long = db.kept_frame(
        "select measurement_id, reported_contrast_id, arm, variable, type, value, number "
        "from measurement_variable where outcome = ?",
        [outcome],
    )
    named = [
        f"{m:.0f}" if r != r else f"{r:.0f} {arm}"
        for m, r, arm in zip(
            long["measurement_id"].astype(float).tolist(),
            long["reported_contrast_id"].astype(float).tolist(),
            cells(long["arm"]),
        )
    ]
    long = long.assign(row=named)
    rows = list(_rows_asked(contrasts, reverse))
    columns: dict[str, Any] = {}
    for (name, kind), group in long.groupby(["variable", "type"], sort=True):
        known = dict(zip(cells(group["row"]), cells(group["number" if kind == "numeric" else "value"])))
        column = [known.get(row) for row in rows]
        if any(value is not None for value in column):
            values = pd.Series(column, dtype=float if kind == "numeric" else object)
            if kind == "category" and all(is_number(text) for text in values.dropna()):
                # Numbers that are names: whoever reads the column must not take them for numbers.
                values = values.astype("category")
            columns[str(name)] = values
    time = contrasts["timepoint"].astype(float).reset_index(drop=True)
    if time.notna().any():
        columns["timepoint"] = time
    return pd.DataFrame(columns, index=range(len(contrasts)))


def _rows_asked(contrasts: pd.DataFrame, reverse: Sequence[bool] | None) -> Iterator[str]:
    """Name the row of the treatment asked about: a measurement, or an arm of a reported contrast."""
    turned = [False] * len(contrasts) if reverse is None else reverse
    for ids, reported, a, b, second in zip(
        cells(contrasts["measurement_ids"]),
        contrasts["reported_contrast_id"].astype(float).tolist(),
        cells(contrasts["arm_a"]),
        cells(contrasts["arm_b"]),
        turned,
        strict=True,
    ):
        if reported == reported:
            yield f"{reported:.0f} {b if second else a}"
        else:
            yield str(ids).split(",")[1 if second else 0]


def described(sheets: Mapping[str, Sheet]) -> Iterator[tuple[str, Sheet]]:
    """Go through the variables, each with a sheet that has it."""
    for file, fixed in DESCRIBING.items():
        if sheet := sheets.get(file):
            for name in (*fixed, *sheet.further):
                if name in sheet.text:
                    yield name, sheet


def _values(sheet: Sheet, name: str) -> Iterator[_Cell]:
    missing = missing_meanings()
    for index, value in enumerate(sheet.values[name]):
        if value is not None and value not in missing:
            yield _Cell(sheet, index, value)


def _type(name: str, cells: list[_Cell], declared: str | None, problems: Problems) -> str:
    """Type of a variable; a cell that is no number where most are is an error: all would become levels."""
    others = [cell for cell in cells if not _numeric(cell)]
    n_numbers = len(cells) - len(others)
    if declared == "category":
        return "category"
    if declared == "numeric" or (others and n_numbers > len(others)):
        for cell in others:
            why = "the column is declared numeric" if declared else _as_the_others(n_numbers)
            problems.error(
                f"{cell.value!r} is no number, {why}",
                "write a number, leave the cell empty or write NR, or declare the column a category: "
                f'{name} = "category" under [variables] in review.toml',
                **cell.sheet.place(cell.row, name),
            )
        return "numeric"
    if others and n_numbers:
        cell = others[0]
        problems.warning(
            f"{name} is taken as a category: {n_numbers} of {len(cells)} values are numbers, "
            f"{cell.value!r} is none",
            "write numbers only where it is a number; or declare its type under [variables] in review.toml",
            **cell.sheet.place(cell.row, name),
        )
    return "numeric" if cells and not others else "category"


def _as_the_others(n: int) -> str:
    return "as the other 1 is" if n == 1 else f"as the other {n} are"


def _plain_type(name: str, sheets: Sequence[Sheet], declared: Declared) -> str | None:
    """Type of a variable by its distinct values; None where cells must be looked at one by one."""
    if name not in declared.codes and any(
        could_be_code(text) for sheet in sheets for text in set(sheet.text[name])
    ):
        return None
    values = set().union(*(sheet.values[name] for sheet in sheets)) - {None} - missing_meanings()
    kinds = {_is_numeric(value) for value in values}
    said = declared.types.get(name, "numeric" if kinds == {True} else "category")
    if len(kinds) > 1 or said not in TYPES or (said == "numeric" and False in kinds):
        return None
    return said


def _numeric(cell: _Cell) -> bool:
    return _is_numeric(cell.value)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, int | float) or is_number(str(value))
