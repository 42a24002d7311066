"""Contrasts from a table: its columns found, its numbers checked, every problem named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.data.contrasts import COUNTS, Contrasts, finish, flip, no_pairs, orient
from evidence import facts
from evidence.errors import CallError, EvidenceError, Problem, RefusedError
from evidence.facts.reasons import words
from evidence.names import difference, nearest, skeleton

if TYPE_CHECKING:
    import pandas as pd

_ALIASES: dict[str, tuple[str, ...]] = {
    "estimate": ("yi", "te", "effect", "y"),
    "std_error": ("sei", "sete", "se"),
    "variance": ("vi", "v"),
    "study": ("slab", "studlab", "author"),
    "n_a": ("n1i", "n1"),
    "n_b": ("n2i", "n2"),
    "events_a": ("ai", "x1i"),
    "events_b": ("ci", "x2i"),
    "exposure_a": ("t1i",),
    "exposure_b": ("t2i",),
    "treatment_a": ("treat1", "treatment1"),
    "treatment_b": ("treat2", "treatment2"),
}
_PLAIN = (
    "contrast_id", "experiment", "outcome", "measure", "timepoint", "timepoint_unit", "arm_a", "arm_b",
    "measurement_ids",
)  # fmt: skip
_TREATMENTS = ("treatment_a", "treatment_b")


def from_table(
    table: pd.DataFrame,
    outcome: str | None,
    measure: str | None,
    treatment: str | None,
    versus: str | None,
    covariance: pd.DataFrame | None,
) -> Contrasts:
    """Read and check the contrasts of one question from a table; see `reading.load`."""
    columns = _columns(table)
    position = np.arange(len(table))
    texts = {name: table[columns[name]] for name in ("outcome", "measure", *_TREATMENTS) if name in columns}
    _check_names(texts)
    question: dict[str, str | None] = {}
    for name, wanted in (("outcome", outcome), ("measure", measure)):
        question[name], position = _pick(texts.get(name), name, wanted, position)
    about = facts.measure(question["measure"] or "GEN")
    question["treatment"], question["versus"] = treatment, versus
    reverse = np.zeros(len(position), bool)
    if set(_TREATMENTS) <= texts.keys():
        _check_named(table, columns, position)
        a, b = (texts[name].iloc[position].astype(str).to_numpy() for name in _TREATMENTS)
        first, second = question["treatment"], question["versus"] = _comparison(a, b, treatment, versus)
        backward = (a == second) & (b == first)
        chosen = backward | ((a == first) & (b == second))
        if not chosen.any() and len(position):
            raise RefusedError(f"No row of the table compares {first!r} with {second!r}.")
        position, reverse = position[chosen], backward[chosen]

    rows = _rows(table.iloc[position], columns, position)
    missing = np.isnan(rows["estimate"].to_numpy()) | np.isnan(rows["std_error"].to_numpy())
    if missing.all():
        raise RefusedError("No row of the table has both an estimate and a standard error.")
    gone = rows[missing]
    notes = []
    if len(gone):
        listed = ", ".join(gone["study"])
        said = f"{len(gone)} of {len(rows)} rows have no estimate or no standard error: {listed}."
        notes.append(("warning", said))
    kept, reverse = rows[~missing], reverse[~missing]
    pairs = no_pairs()
    if covariance is not None:
        pairs = covariance.reindex(columns=list(pairs.columns)).astype({"contrast_1": str, "contrast_2": str})
        pairs = flip(pairs, dict(zip(kept["contrast_id"], np.where(reverse, -1.0, 1.0), strict=True)))
    return Contrasts(
        frame=finish(orient(kept, reverse) if reverse.any() else kept),
        covariance=pairs,
        variables=table.iloc[position[~missing]].rename(columns=str).reset_index(drop=True),
        outcome=question["outcome"] or "outcome",
        measure=about.code,
        treatment=question["treatment"] or "treatment",
        versus=question["versus"] or "control",
        scale=about.scale,
        exclusions=_exclusions(gone),
        notes=tuple(notes),
    )


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Find the columns by their names or the field's other names for them."""
    there = {str(column).lower(): column for column in table.columns}
    found = {name: there[name] for name in _PLAIN if name in there}
    for name, aliases in _ALIASES.items():
        match = next((there[alias] for alias in (name, *aliases) if alias in there), None)
        if match is not None:
            found[name] = match
    if "estimate" not in found or not {"std_error", "variance"} & found.keys():
        raise CallError(
            "The table needs a column estimate (or yi) and a column std_error (or sei) or variance (or vi); "
            f"it has {', '.join(map(str, table.columns))}."
        )
    return found


def _pick(
    column: pd.Series | None, name: str, wanted: str | None, position: np.ndarray
) -> tuple[str | None, np.ndarray]:
    """Keep the rows of one outcome or measure."""
    if column is None:
        return wanted, position
    values = column.iloc[position].astype(str).to_numpy()
    there = list(dict.fromkeys(values[column.iloc[position].notna().to_numpy()]))
    if wanted is None and len(there) > 1:
        raise CallError(f"The table holds several {name}s ({', '.join(there)}): say which, {name}=...")
    if wanted is not None and wanted not in there:
        raise CallError(_unknown(name, wanted, there))
    chosen = wanted if wanted is not None else next(iter(there), None)
    return chosen, position if chosen is None else position[values == chosen]


def _comparison(
    a: np.ndarray, b: np.ndarray, treatment: str | None, versus: str | None
) -> tuple[str | None, str | None]:
    """Find which treatment is compared with which."""
    there = list(dict.fromkeys([*a, *b]))
    for value in (treatment, versus):
        if value is not None and value not in there:
            raise CallError(_unknown("treatment", value, there))
    if treatment is not None and versus is not None:
        return treatment, versus
    if treatment is not None or versus is not None:
        raise CallError("Say both, treatment= and versus=.")
    pairs = list(dict.fromkeys(zip(a, b, strict=True)))
    if len({frozenset(pair) for pair in pairs}) > 1:
        shown = "; ".join(f"{one} vs {two}" for one, two in pairs[:10])
        raise CallError(f"The table holds several comparisons ({shown}): say treatment=, versus=.")
    return pairs[0] if pairs else (None, None)


def _rows(table: pd.DataFrame, columns: dict[str, Any], position: np.ndarray) -> pd.DataFrame:
    """Make the rows of the question, or raise with everything that is wrong with them."""
    import pandas as pd

    data: dict[str, Any] = {name: table[columns[name]].to_numpy(object) for name in _PLAIN if name in columns}
    if "study" in columns:
        data["study"] = table[columns["study"]].to_numpy(object)
    else:
        data["study"] = np.array([f"row {i + 1}" for i in position], object)
    for name in _TREATMENTS:
        if name in columns:
            data[name] = table[columns[name]].to_numpy(object)
    problems = _Problems(position, data["study"])
    if "study" in columns:
        problems.add(pd.isna(data["study"]), columns["study"], "name it", "the study has no name")
    for name in ("estimate", "std_error", "variance", *COUNTS):
        if name in columns:
            data[name] = _numbers(table[columns[name]], name, columns[name], problems)
    for side in "ab":
        events, n = data.get(f"events_{side}"), data.get(f"n_{side}")
        if events is not None and n is not None:
            remedy = "events no more than n"
            problems.add(events > n, columns[f"events_{side}"], remedy, "{:g} events among {:g}", events, n)
    if "contrast_id" in data:
        data["contrast_id"] = np.array([str(item) for item in data["contrast_id"]], object)
        twice = pd.Series(data["contrast_id"]).duplicated(keep=False).to_numpy()
        problems.add(twice, "contrast_id", "give each row its own", "this contrast_id occurs more than once")
    problems.raise_if_any()

    data.setdefault("std_error", np.sqrt(data["variance"]) if "variance" in data else None)
    data.setdefault("contrast_id", (position + 1).astype(str).astype(object))
    data["experiment"] = np.where(pd.isna(data["experiment"]), "main", data["experiment"]) if (
        "experiment" in data
    ) else "main"  # fmt: skip
    for name in ("study", *_TREATMENTS):
        if name in data:
            data[name] = np.array([str(item) for item in data[name]], object)
    return pd.DataFrame(data, index=pd.RangeIndex(len(position)))


def _numbers(column: pd.Series, name: str, printed: Any, problems: _Problems) -> np.ndarray:
    """Read a column as numbers; empty cells are missing, anything else must be a number that can be."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    text = np.isnan(values) & column.notna().to_numpy()
    text[text] = [str(item).strip() != "" for item in column[text]]
    raw, named = column.to_numpy(object), name.replace("_", " ")
    problems.add(text, printed, "a number, or nothing", "{!r} is not a number", raw)
    problems.add(np.isinf(values), printed, "a finite number", f"the {named} is infinite")
    if name != "estimate":
        finite, positive = np.isfinite(values), name in ("std_error", "variance")
        remedy = f"a finite number {'above' if positive else 'not below'} 0"
        problems.add(finite & (values < 0), printed, remedy, f"the {named} is negative ({{:g}})", values)
        problems.add(finite & positive & (values == 0), printed, remedy, f"the {named} is zero")
    return values


class _Problems:
    """Everything that is wrong with a table, by row."""

    def __init__(self, position: np.ndarray, study: np.ndarray) -> None:
        self.position, self.study = position, study
        self.found: list[tuple[int, Problem]] = []

    def add(self, wrong: np.ndarray, column: Any, remedy: str, said: str, *values: np.ndarray) -> None:
        """Name every row that is wrong; `said` is filled in with what stands there in `values`."""
        for index in np.flatnonzero(wrong):
            message = said.format(*(value[index] for value in values))
            line, study = int(self.position[index]) + 1, str(self.study[index])
            self.found.append((int(index), Problem(message, remedy, None, line, str(column), study)))

    def raise_if_any(self) -> None:
        """Raise with all of them, in the order of the rows."""
        if self.found:
            ordered = [problem for _, problem in sorted(self.found, key=lambda item: item[0])]
            raise EvidenceError("The table cannot be analysed as it stands.", ordered)


def _check_named(table: pd.DataFrame, columns: dict[str, Any], position: np.ndarray) -> None:
    """Refuse rows that do not say what is compared."""
    rows = table.iloc[position]
    problems = _Problems(
        position, rows[columns["study"]].to_numpy(object) if "study" in columns else position + 1
    )
    for name in _TREATMENTS:
        problems.add(
            rows[columns[name]].isna().to_numpy(), columns[name], "name it", "the treatment has no name"
        )
    problems.raise_if_any()


def _check_names(texts: dict[str, pd.Series]) -> None:
    """Refuse treatments that look alike but are not the same."""
    names = dict.fromkeys(
        str(name) for column in _TREATMENTS if column in texts for name in texts[column].dropna().unique()
    )
    seen: dict[str, str] = {}
    problems = []
    for name in names:
        other = seen.setdefault(skeleton(name), name)
        if other != name:
            said = f"{name!r} and {other!r} look alike but differ {difference(name, other)}"
            problems.append(Problem(said, "write one of them throughout", column="treatment"))
    if problems:
        raise EvidenceError("Two names may stand for one treatment.", problems)


def _exclusions(gone: pd.DataFrame) -> pd.DataFrame:
    """List the rows without an effect."""
    import pandas as pd

    why = words("table", "no_effect", detail="this row")
    return pd.DataFrame(
        {
            "stage": why["stage"],
            "study": gone["study"],
            "experiment": gone["experiment"],
            "arm": None,
            "source_file": None,
            "source_line": None,
            "reason": why["reason"],
            "remedy": why["remedy"],
        }
    ).reset_index(drop=True)


def _unknown(what: str, name: str, there: list[str]) -> str:
    close = nearest(name, there)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"The table has no {what} {name!r}.{hint} There are: {', '.join(there[:30])}."
