"""Print the analyses of sensitivity of a run: a table for each method, and what tests of a funnel show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from evidence.output import figures, p_value, percent, significant, statistic, write_table
from evidence.results import IMPORTANTLY_BETTER
from evidence.system.frames import records

if TYPE_CHECKING:
    from analysis.charts.base.effect import Effect
    from evidence.results import Run

NEAREST = 15
"""Effects of studies, and comparisons, whose thresholds are printed where no other number is asked for."""

Table = Callable[[Sequence[str], Sequence[Sequence[Any]], TextIO], None]
Rows = dict[tuple[str, str], dict[str, float]]

_ELSEWHERE = ("subgroups", "meta-regression", IMPORTANTLY_BETTER)
"""Methods that are printed with the results."""

_OF_EFFECTS = (
    "trim and fill", "PET", "PEESE", "cumulative by", "estimators", "Bayesian", "prediction", "effects at",
    "class effects", "GOSH", "selection model", "prior", "leave one treatment out",
)  # fmt: skip
"""Begin the methods whose estimates are effects, or slopes of them: printed as ratios where effects are."""

_NO_EFFECT = ("relative probability of publication", "i2", "heterogeneity")
"""Their items that are none."""

_LIMITS = (
    ("interval", "estimate", "ci_lower", "ci_upper"),
    ("prediction", "estimate", "pi_lower", "pi_upper"),
    ("difference interval", "difference", "difference_lower", "difference_upper"),
)
"""Headings of intervals, what they are of, and their ends."""

_SHARES = ("i2", "i2_with", "i2_without")
_STATISTICS = ("q", "q_without", "statistic", "df", "df1", "df2")
_MOST = 20
"""Pairs of designs of the net heat plot that are printed."""


def show_further(run: Run, stream: TextIO, table: Table) -> None:
    """Print what a run has of analyses of sensitivity, but for what is printed with the results."""
    found: dict[str, Rows] = {}
    notes: dict[str, dict[str, None]] = {}
    for row in records(run.frames["sensitivity"]):
        method = row["method"]
        if (method in _ELSEWHERE[:2] and run.kind == "pairwise") or method == _ELSEWHERE[2]:
            continue
        if row["quantity"] == "refused":
            stream.write(f"Not carried out: {method}. {row['note']}\n")
            continue
        of_item = found.setdefault(method, {}).setdefault((row["model"], row["item"]), {})
        if row["value"] is not None:
            of_item[row["quantity"]] = row["value"]
        if row["note"]:
            notes.setdefault(method, {})[row["note"]] = None
    for method, rows in found.items():
        if method.startswith("contribution") or method == "hat matrix":
            _shares(method, rows, stream, table)
        elif method == "net heat":
            _net_heat(rows, stream, table)
        elif method in ("prior", "leave one treatment out"):
            _headlines(run, method, rows, stream, table)
        else:
            _one(run, method, rows, stream, table)
        for said in list(notes.get(method, ()))[:_MOST]:
            stream.write(f"{method}: {said}.\n".replace("..\n", ".\n"))
    _conclude(run, found, stream)


def _one(run: Run, method: str, rows: Rows, stream: TextIO, table: Table) -> None:
    """Print a row for each item and a column for each quantity; items of other quantities apart."""
    groups: list[tuple[list[str], Rows]] = []
    for key, values in rows.items():
        for quantities, some in groups:
            if 2 * len(values.keys() & set(quantities)) > len(values.keys() | set(quantities)):
                quantities += [name for name in values if name not in quantities]
                some[key] = values
                break
        else:
            groups.append((list(values), {key: values}))
    for quantities, some in groups:
        if len(some) == 1 and len(quantities) < 3:
            ((model, item), values) = next(iter(some.items()))
            said = ", ".join(f"{name} {_number(name, values[name], False, item)}" for name in quantities)
            stream.write(f"{method} ({model}), {item}: {said}.\n")
        elif quantities:
            _alike(run, method, quantities, some, stream, table)


def _alike(
    run: Run, method: str, quantities: Sequence[str], rows: Rows, stream: TextIO, table: Table
) -> None:
    """Print items that have the same quantities, limits together."""
    limits = {name for _, _, *pair in _LIMITS for name in pair}
    heads: list[str] = []
    for name in (name for name in quantities if name not in limits):
        heads += [name, *(title for title, of, low, _ in _LIMITS if of == name and low in quantities)]
    cells = []
    for (model, item), values in rows.items():
        ratio = run.scale == "log" and method.startswith(_OF_EFFECTS) and item not in _NO_EFFECT
        shown = {name: _number(name, value, ratio, item) for name, value in values.items()}
        shown |= {title: _between(values, low, high, ratio) for title, _, low, high in _LIMITS}
        cells.append([model, item, *(shown.get(head, "") for head in heads)])
    table(["model", method, *heads], cells, stream)


_OF_EFFECT = (
    "estimate", "estimate_with", "estimate_without", "minimum", "q025", "q25", "median", "q75", "q975",
    "maximum",
)  # fmt: skip


def _number(name: str, value: float, ratio: bool, item: str) -> str:
    if name == "p_value":
        return p_value(value)
    if name in _SHARES or (item == "i2" and name in _OF_EFFECT):
        return percent(value)
    if ratio and name in _OF_EFFECT:
        return significant(math.exp(value))
    if name in _STATISTICS:
        return statistic(name, value)
    if name in _OF_EFFECT:
        return significant(value)
    return f"{value:.0f}" if float(value).is_integer() else figures(value)


def _between(values: Mapping[str, float], low: str, high: str, ratio: bool) -> str:
    if low not in values or high not in values:
        return ""
    ends = [math.exp(values[name]) if ratio else values[name] for name in (low, high)]
    return f"{significant(ends[0])} to {significant(ends[1])}"


def _shares(method: str, rows: Rows, stream: TextIO, table: Table) -> None:
    """Print what each estimate takes from which direct comparison, the largest first."""
    percents = method.startswith("contribution")
    cells = []
    for (model, item), values in rows.items():
        ordered = sorted(values.items(), key=lambda one: (-abs(round(one[1], 12)), one[0]))
        some = [
            f"{name} {percent(value, 0) if percents else figures(value)}"
            for name, value in ordered
            if abs(value) >= (0.005 if percents else 5e-4)
        ]
        cells.append([model, item, ", ".join(some)])
    table(["model", "estimate", method], cells, stream)


def _net_heat(rows: Rows, stream: TextIO, table: Table) -> None:
    """Print the pairs of designs of which detaching one changes the inconsistency of the other most."""
    change, share = "change on detaching ", "contribution of "
    cells = [
        (model, design, name.removeprefix(change), values.get(share + name.removeprefix(change)), value)
        for (model, design), values in rows.items()
        for name, value in values.items()
        if name.startswith(change)
    ]
    cells.sort(key=lambda row: (row[0], -abs(round(row[4], 9)), row[1], row[2]))
    for model in dict.fromkeys(row[0] for row in cells):
        some = [row for row in cells if row[0] == model]
        shown = [[*row[:3], figures(row[3] or 0.0), figures(row[4])] for row in some[:_MOST]]
        table(["model", "net heat: design", "detached", "contribution", "change in Q"], shown, stream)
        if len(some) > _MOST:
            stream.write(f"{model}: the {_MOST} largest changes of {len(some)}; all of them: --format csv.\n")
    if cells:
        stream.write("Change above 0: the detached design raises the inconsistency of the other.\n")


def _headlines(run: Run, method: str, rows: Rows, stream: TextIO, table: Table) -> None:
    """Print effects and heterogeneity under each change: one row an effect, one column a change."""
    for (model, item), values in rows.items():
        stream.write(f"{method}: {item} ({model})\n")
        if "connected" in values:
            stream.write("Without it the network is not connected.\n")
            continue
        effects = [name.removeprefix("estimate: ") for name in values if name.startswith("estimate: ")]
        cells = [
            [
                name,
                _number("estimate", values[f"estimate: {name}"], run.scale == "log", ""),
                _between(values, f"ci_lower: {name}", f"ci_upper: {name}", run.scale == "log"),
            ]
            for name in effects
        ]
        if "tau" in values:
            cells.append(["tau", figures(values["tau"]), _between(values, "tau_lower", "tau_upper", False)])
        table(["", "effect", "interval"], cells, stream)


def _conclude(run: Run, found: Mapping[str, Rows], stream: TextIO) -> None:
    """Say what tests of the funnel show, where some were asked for."""
    tests = ("Egger", "Peters", "Harbord", "comparison-adjusted funnel")
    if not any(method.startswith(tests) for method in found):
        return
    from analysis.asymmetry import conclusions

    for said in conclusions(run, {}):
        stream.write(f"{said}\n")


def show_thresholds(
    found: list[dict[str, Any]],
    effect: Effect,
    studies: Mapping[str, str],
    stream: TextIO,
    most: int = NEAREST,
) -> None:
    """Print thresholds of one model: what they show in sentences, and the nearest in tables."""
    from analysis.firm import words

    if not found:
        return
    for line in words.conclusions(found, effect, studies):
        stream.write(f"{line}\n")
    about = "random effects" if found[0]["model"] == "random" else "common effect"
    stream.write(f"{effect.title}; {about}, {found[0]['engine']}.\n")
    for level, head in (("study", "effect of a study"), ("comparison", "comparison, all its studies")):
        some = [(number, row) for number, row in enumerate(found, 1) if row["level"] == level]
        if some:
            _nearest(some[:most], head, effect, studies, stream)
        if len(some) > most:
            stream.write(f"The {most} nearest of {len(some)}; all of them: --rows {len(some)}.\n")
    if any(row["refitted"] for row in found):
        stream.write(
            "tau anew: sought up to ten times the largest effect of a study; ∞ where none was found.\n"
        )
    if any(row["n_arms"] is not None and row["n_arms"] > 2 for row in found):
        stream.write("An arm of a study of several arms moves against all its others.\n")


def _nearest(
    some: list[tuple[int, dict[str, Any]]],
    head: str,
    effect: Effect,
    studies: Mapping[str, str],
    stream: TextIO,
) -> None:
    from analysis.firm import words

    digits = words.digits_of([row for _, row in some], effect)
    again = any(row["refitted"] for _, row in some)
    columns = ["no.", head, "effect [95 %]", "may lie", "below it", "above it"]
    columns += ["tau anew"] if again else []
    cells = []
    for number, row in some:
        shown = effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], digits)
        line = [str(number), words.what(row, effect, studies), shown, words.invariant(row, effect, digits)]
        line += [words.named(row[f"{side}_decision"], effect) for side in ("lower", "upper")]
        cells.append([*line, words.refitted(row, effect, digits)] if again else line)
    write_table(columns, cells, stream)
