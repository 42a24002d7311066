"""What moved between two sets of runs: every estimate, spread and rank before and after.

>>> import evidence
>>> from analysis import plan
>>> from analysis.living.moved import moved
>>> with evidence.open("smoking") as db:
...     run = plan.run_network(db, outcome="cessation", measure="OR", model="random", analysis="mine")
>>> len(moved([run], [run]))
0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import missing
from analysis.plot.reading import main_model, ranked
from evidence import facts
from evidence.facts.reference import keyed
from evidence.results import Run
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "moved", "names_of", "numbers"]

COLUMNS = (
    "analysis", "kind", "outcome", "change", "quantity", "model", "treatment", "versus", "evidence", "level",
    "main", "measure_before", "measure_after", "unit_before", "unit_after", "factor", "before",
    "before_lower", "before_upper", "after", "after_lower", "after_upper", "run_before", "run_after",
)  # fmt: skip
"""Columns of `moved`, as those of table ``change_result``."""

_SAME = 1e-9
"""Movement, in parts of a number or of its interval, that is rounding."""

Names = Mapping[str, Mapping[str, str]]
"""New names by kind ("treatment", "outcome", "plan") and old name."""

_Key = tuple[Any, ...]
_Cell = tuple[float | None, float | None, float | None]


def moved(old_runs: Iterable[Run], new_runs: Iterable[Run], names: Names | None = None) -> pd.DataFrame:
    """Compare the results of planned analyses, number by number.

    Parameters
    ----------
    old_runs, new_runs : iterable of Run
        Of the plan, before and after; analyses are told by their names. Where ``run_id`` is the same, so is
        every number.
    names : mapping, optional
        What got another name, by kind and old name; the rows have the new names.

    Returns
    -------
    DataFrame
        One row a number that is another now, that was not there (``change`` "added") or no longer is
        ("removed"), with `COLUMNS`: effects with their intervals (``quantity`` "estimate"), heterogeneity
        ("tau" with its interval, "i2"), ranks ("mean_rank", "sucra", "p_score", "p_best") and "n_studies".
        Numbers are on the analysis scale, in ``unit_before`` and ``unit_after``: what is the same in another
        unit has not moved. ``main`` marks what a report's summary shows: the main model's effects over all
        studies, of networks against the reference, its tau and the score that it ranks by.
    """
    import pandas as pd

    known = names or {}
    analyses = known.get("plan", {})
    before = {analyses.get(str(run.analysis), str(run.analysis)): run for run in old_runs}
    after = {str(run.analysis): run for run in new_runs}
    rows: list[dict[str, Any]] = []
    for analysis in dict.fromkeys([*after, *before]):
        pair = before.get(analysis), after.get(analysis)
        if pair[0] is None or pair[1] is None or pair[0].run_id != pair[1].run_id:
            rows += _of_analysis(analysis, *pair, known)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(object).where(lambda cells: cells.notna(), None)


def _of_analysis(analysis: str, old: Run | None, new: Run | None, names: Names) -> Iterator[dict[str, Any]]:
    treatments = names.get("treatment", {})
    shown = new or old
    assert shown is not None  # One of both is there: an analysis has its name from it.
    reference = shown.reference if new is not None else treatments.get(str(shown.reference), shown.reference)
    befores = {} if old is None else numbers(old, treatments, reference)
    afters = {} if new is None else numbers(new, {}, reference)
    factor = _factor(old, new) if old is not None and new is not None else 1.0
    about = {
        "analysis": analysis,
        "kind": shown.kind,
        "outcome": shown.outcome,
        "run_before": old and old.run_id,
        "run_after": new and new.run_id,
        "measure_before": old and old.measure,
        "measure_after": new and new.measure,
        "unit_before": old and _unit(old),
        "unit_after": new and _unit(new),
    }
    main = _main(shown, afters if new is not None else befores, reference)
    for key in dict.fromkeys([*afters, *befores]):
        was, becomes = befores.get(key), afters.get(key)
        by = factor if key[0] in _IN_UNIT else 1.0
        if was is not None and becomes is not None and _equal(was, becomes, by):
            continue
        quantity, model, treatment, versus, evidence, level = key
        yield about | {
            "change": "changed" if was and becomes else "added" if becomes else "removed",
            "quantity": quantity,
            "model": model,
            "treatment": treatment,
            "versus": versus,
            "evidence": evidence,
            "level": level,
            "main": key in main,
            "factor": by,
            **dict(zip(("before", "before_lower", "before_upper"), was or (None,) * 3)),
            **dict(zip(("after", "after_lower", "after_upper"), becomes or (None,) * 3)),
        }


_IN_UNIT = ("estimate", "tau")
_RANKS = ("mean_rank", "sucra", "p_score", "p_best")


def numbers(run: Run, names: Mapping[str, str], reference: str | None) -> dict[_Key, _Cell]:
    """Give every number of a run that is compared, under what tells it from the others.

    Parameters
    ----------
    run : Run
    names : mapping of str to str
        New names of treatments.
    reference : str or None
        In the new names: effects of networks are against it, others in the order of names.

    Returns
    -------
    dict
        Number, lower and upper end of its interval, by quantity, model, treatment, versus, evidence, level.
    """
    found: dict[_Key, _Cell] = {}
    found["n_studies", None, None, None, None, None] = (_number(run.n_studies), None, None)
    for row in records(run.frames["estimates"]):
        row = row | {side: names.get(str(row[side]), row[side]) for side in ("treatment", "versus")}
        sides = row["treatment"], row["versus"]
        if run.kind == "network" and (sides[0] == reference or (sides[0] > sides[1] != reference)):
            row = turned(row)
        key = (
            "estimate",
            row["model"],
            row["treatment"],
            row["versus"],
            row["evidence"],
            _text(row.get("level")),
        )
        found[key] = _cell(row, "estimate", "ci_lower", "ci_upper")
    for row in records(run.frames["heterogeneity"]):
        for name in ("tau", "i2"):
            key = (name, row["model"], None, None, None, _text(row.get("level")))
            found[key] = _cell(row, name, f"{name}_lower", f"{name}_upper")
    for row in records(run.frames["ranking"]) if "ranking" in run.frames else ():
        for name in _RANKS:
            key = (name, row["model"], names.get(row["treatment"], row["treatment"]), None, None, None)
            found[key] = (_number(row.get(name)), None, None)
    return {key: cells for key, cells in found.items() if cells[0] is not None}


def _main(run: Run, numbers: Iterable[_Key], reference: str | None) -> set[_Key]:
    """Tell what a summary of a run shows."""
    model = main_model(run)
    _, score, _ = ranked(run, model) if run.kind == "network" else ([], None, {})

    def shown(quantity: str, of: Any, versus: Any, evidence: Any, level: Any) -> bool:
        if quantity == "n_studies":
            return True
        if of != model or level is not None:
            return False
        if quantity == "estimate" and run.kind == "network":
            return versus == reference and evidence == "network"
        return quantity in ("estimate", "tau", score)

    return {key for key in numbers if shown(key[0], key[1], *key[3:])}


def _equal(before: _Cell, after: _Cell, factor: float) -> bool:
    """Tell whether two numbers with their intervals are the same but for rounding."""
    known = [abs(value) for value in after if value is not None]
    width = after[2] - after[1] if after[1] is not None and after[2] is not None else 0.0
    slack = _SAME * max([*known, abs(width)], default=0.0)
    return all(
        one is other is None or (one is not None and other is not None and abs(one * factor - other) <= slack)
        for one, other in zip(before, after)
    )


def _factor(old: Run, new: Run) -> float:
    """By what numbers in the old unit are multiplied to be ones in the new."""
    units = keyed("unit")
    pair = [units.get(str(_unit(run))) for run in (old, new)]
    if old.measure != new.measure or None in pair or _unit(old) == _unit(new):
        return 1.0
    (before, after) = ({key: row[key] for key in ("dimension", "factor")} for row in pair if row is not None)
    if before["dimension"] != after["dimension"]:
        return 1.0
    return float(str(before["factor"])) / float(str(after["factor"]))


def _unit(run: Run) -> str | None:
    """Give the unit that a run's effects are in."""
    return facts.measure(run.measure, run.form).unit_of(run.unit)


def _cell(row: Mapping[str, Any], value: str, lower: str, upper: str) -> _Cell:
    return _number(row.get(value)), _number(row.get(lower)), _number(row.get(upper))


def _number(value: Any) -> float | None:
    return None if missing(value) else float(value)


def _text(value: Any) -> str | None:
    return None if missing(value) else str(value)


def names_of(changes: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Give the new names of what was relabelled, by kind and old name, as `moved` takes them.

    Parameters
    ----------
    changes : sequence of Change
        As `evidence.living.difference.changes` gives them.
    """
    found: dict[str, dict[str, str]] = {}
    for change in changes:
        if change.change == "relabelled" and change.column in ("analysis", change.table):
            found.setdefault(change.table, {})[change.before] = change.after
    return found
