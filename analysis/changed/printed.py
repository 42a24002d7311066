"""Changes as they are read: numbers as a report writes them, cells that changed alike put together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.changed.analysed import Analysed
from analysis.changed.comparison import Comparison
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, number, percent
from analysis.language.catalog import percent_sign
from analysis.plot.reading import MODELS, places
from evidence import facts
from evidence.living.difference import Change
from evidence.results import Run
from evidence.system.frames import records

LONGEST = 160
"""Characters of a cell that are shown."""

_NOUNS = {
    "rob_judgement": "judgement",
    "reported_contrast": "reported contrast",
    "plan": "analysis",
    "rob_tool": "risk-of-bias tool",
    "rob_item": "risk-of-bias item",
    "rob_answer": "risk-of-bias answer",
    "screening": "screening decision",
    "flow": "box of the flow diagram",
}
_PLURALS = {
    "study": "studies",
    "analysis": "analyses",
    "box of the flow diagram": "boxes of the flow diagram",
}


def noun(table: str, n: int = 1) -> str:
    """Call the rows of a table."""
    one = _NOUNS.get(table, table.replace("_", " "))
    return one if n == 1 else _PLURALS.get(one, f"{one}s")


@dataclass(frozen=True)
class Line:
    """Changes that are read as one: where the first stands, in words, and how many they are."""

    place: str
    text: str
    n: int = 1


def lines(evidence: Sequence[Change]) -> list[Line]:
    """Put changes of the evidence into lines: a whole study is one, and so is what changed alike."""
    whole = {(one.change, one.key) for one in evidence if one.table == "study" and one.column is None}
    within: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    alike: dict[Any, list[Change]] = defaultdict(list)
    for one in evidence:
        if one.table != "study" and one.column is None and (one.change, one.study) in whole:
            within[one.change, str(one.study)][one.table] += 1
        elif one.change in ("changed", "converted"):
            alike[one.table, one.change, one.column, one.before, one.after].append(one)
        else:
            alike[one.table, one.change, one.key, one.before, one.after].append(one)
    found = []
    for same in alike.values():
        first = same[0]
        text = _said(first)
        if first.table == "study" and first.column is None and (parts := within[first.change, first.key]):
            text += f" ({', '.join(f'{n} {noun(table, n)}' for table, n in parts.items())})"
        if len(same) > 1:
            text += f" (and {len(same) - 1:,} more {noun(first.table, len(same) - 1)} alike)"
        found.append(Line(_place(first), text, len(same)))
    return found


def _said(one: Change) -> str:
    before, after = _short(one.before), _short(one.after)
    if one.change == "relabelled":
        what = "experiment" if one.column == "experiment" else noun(one.table)
        if one.key == one.column:
            what = f"column of {noun(one.table, 2)}"
        return f"{what} renamed: {before} → {after}"
    if one.change == "converted":
        what = "time" if one.column == "timepoint" else "numbers"
        return f"{one.key}: the same {what} in another unit, {before} → {after}"
    if one.change == "changed":
        return (
            f"{one.key}: {one.column} {before} → {after}" if one.key else f"{one.column} {before} → {after}"
        )
    said = _short(one.after if one.change == "added" else one.before)
    detail = f" ({said})" if one.table != "study" and said != _EMPTY else ""
    return f"{noun(one.table)} {one.change}: {one.key}{detail}"


_EMPTY = "(empty)"


def _short(value: str | None) -> str:
    if value in (None, ""):
        return _EMPTY
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _place(one: Change) -> str:
    return ":".join(str(part) for part in (one.file, one.line) if part is not None)


# --- numbers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number that moved, as it is read."""

    analysis: str
    what: str
    before: str
    after: str
    main: bool


def numbers(comparison: Comparison) -> list[Number]:
    """Write the numbers that moved, those of a summary first within each analysis."""
    states = comparison.old, comparison.new
    by_id = [{run.run_id: run for run in state.material.runs} for state in states]
    found = []
    for row in records(comparison.results):
        pair = by_id[0].get(row["run_before"]), by_id[1].get(row["run_after"])
        state, run = (comparison.new, pair[1]) if pair[1] is not None else (comparison.old, pair[0])
        if run is None:
            continue
        written = [
            _written(row, side, one, of) if of is not None else "—"
            for side, one, of in zip(("before", "after"), states, pair)
        ]
        what = _what(row, state, run)
        found.append(Number(row["analysis"], what, written[0], written[1], row["main"]))
    return sorted(found, key=lambda one: not one.main)


def _what(row: Mapping[str, Any], state: Analysed, run: Run) -> str:
    effect = state.material.effect(run)
    quantity, model = row["quantity"], MODELS.get(row["model"], row["model"])
    if quantity == "n_studies":
        return "studies"
    if quantity == "estimate":
        parts = [
            f"{effect.label(row['treatment'])} versus {effect.label(row['versus'])}",
            effect.about.label,
            model,
            row["evidence"] if row["evidence"] not in (None, "network") and run.kind == "network" else None,
            row["level"],
        ]
    elif quantity in ("tau", "i2"):
        parts = [{"tau": "τ", "i2": "I²"}[quantity], model, row["level"]]
    else:
        parts = [
            effect.label(row["treatment"]),
            _RANKS.get(quantity) or facts.score(quantity)["label"],
            model,
        ]
    return ", ".join(str(part) for part in parts if part)


_RANKS = {"mean_rank": "mean rank", "p_best": "probability of being the best"}


def _written(row: Mapping[str, Any], side: str, state: Analysed, run: Run) -> str:
    value, lower, upper = (row[name] for name in (side, f"{side}_lower", f"{side}_upper"))
    if value is None:
        return "—"
    effect, digits = state.material.effect(run), places(run)
    quantity = row["quantity"]
    if quantity == "n_studies":
        return count(value)
    if quantity == "estimate":
        unit = effect.printed_unit
        of = "" if unit is None else percent_sign() if unit == "%" else f" {unit}"
        return f"{effect.text(value, digits)}{of} {effect.interval_text(lower, upper, digits)}".strip()
    if quantity == "tau":
        return effect.spread_text(value, digits)
    return number(value, 2) if quantity == "mean_rank" else percent(value, 1)


@dataclass(frozen=True)
class Reason:
    """Why a number or a conclusion moved, as it is read."""

    analysis: str
    what: str
    because: str


_LISTED = 3
"""Parts of a movement that are named; of more the others are one."""


def reasons(comparison: Comparison) -> list[Reason]:
    """Write why each conclusion, and each effect of a summary, moved: the changes with the largest parts."""
    of: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in records(comparison.because):
        if row["main"] and (row["part"] is None or row["quantity"] == "estimate"):
            of[tuple(row[name] for name in _TOLD)].append(row)
    runs = {str(run.analysis): run for run in comparison.new.material.runs}
    found = []
    for key in sorted(of, key=lambda key: key[1] == "estimate"):
        rows, effect = of[key], comparison.new.material.effect(runs[key[0]])
        sides = [effect.label(name) for name in key[3:5] if name is not None]
        what = (" and " if key[1] == "order" else " versus ").join(sides)
        if rows[0]["part"] is None:
            what = " ".join(filter(None, (_CONCLUDED[key[1]], what and f"({what})")))
            found.append(Reason(key[0], what, _turned(rows)))
        else:
            parts = [f"{row['because']} {_part(effect, row['part'])}" for row in rows[:_LISTED]]
            if len(rows) > _LISTED:
                left = sum(row["part"] for row in rows[_LISTED:])
                parts.append(f"{len(rows) - _LISTED} others {_part(effect, left)}")
            about = ", ".join(filter(None, (what, effect.about.label, key[6])))
            found.append(Reason(key[0], about, "; ".join(parts)))
    return found


_TOLD = ("analysis", "quantity", "model", "treatment", "versus", "evidence", "level")
_CONCLUDED = {
    "effect": "against no effect",
    "importance": "against the smallest important difference",
    "best": "the best treatment",
    "order": "order",
}


def _turned(rows: Sequence[Mapping[str, Any]]) -> str:
    """Name the smallest sets of changes that turn a conclusion."""
    sets: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        sets[row["set_number"]].append(row["because"])
    return "; or ".join(
        f"{' with '.join(names)}{' alone' if len(names) == 1 else ''}" for names in sets.values()
    )


def _part(effect: Effect, part: float) -> str:
    """Write a part of a movement: a factor of a ratio, else a difference with its sign."""
    if effect.scale == "log":
        return f"×\N{THIN SPACE}{effect.text(part)}"
    return f"{'+' if part > 0 else ''}{effect.text(part)}"


def tally(comparison: Comparison) -> str:
    """Say in a line how much changed."""
    counts = (
        (len(comparison.conclusions), "conclusion", "moved"),
        (len(comparison.results), "number", "moved"),
        (len(comparison.evidence), "change", "of the evidence"),
    )
    parts = [f"{count(n)} {one}{'' if n == 1 else 's'} {what}" for n, one, what in counts]
    return ", ".join(parts)


def sizes(comparison: Comparison) -> list[str]:
    """Name both states with what they hold."""
    found = []
    for state in comparison.states():
        held = [
            f"{count(state[f'n_{table}'])} {noun(table, state[f'n_{table}'])}"
            for table in ("study", "measurement")
        ]
        if state["n_refused"]:
            held.append(f"{count(state['n_refused'])} {noun('plan', state['n_refused'])} refused")
        found.append(f"{state['name']} ({', '.join(held)})")
    return found
