"""The plan as one Stata do-file (meta; White's network for networks), with the rows that enter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.exchange.arms import STAMP, for_network, network_rank, network_setup
from analysis.exchange.datasets import MEANINGS, one_line
from analysis.exchange.planned import Planned, planned
from analysis.pairwise import PairwiseFit
from analysis.pairwise.data.assembly import assemble
from evidence import facts
from evidence.selection import Selection
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    from analysis.pairwise.data.assembly import Assembly

_ERRORS = {"HK": " se(khartung)", "HK-adhoc": " se(khartung, truncated)", "Wald": ""}
_PAIRWISE = {
    "study": "study",
    "yi": "effect on the analysis scale (log for ratios), treatment minus comparator",
    "sei": "its standard error",
}


def write_plan_stata(selection: Selection, directory: Path) -> list[Path]:
    """Write every analysis of the plan that Stata has: its rows, and ``plan.do``, which carries them all out.

    Effects of one study are combined before, as the analysis does.
    """
    target = directory / "plan-stata"
    target.mkdir(exist_ok=True)
    files: list[Path] = []
    title = _said(str(selection.db.value("select title from review")))
    lines = [
        f"* The planned analyses of: {title}",
        "* The files beside this do-file hold the rows that enter each analysis: conditions, time rule and",
        "* the rule on risk of bias are applied. Stata 17 or later; networks need the package network:",
        "* ssc install network, ssc install mvmeta",
        "version 17",
    ]
    for one in planned(selection):
        lines += ["", f"* --- {_said(one.name)}", *(f"* {_said(text)}" for text in one.said())]
        reason = one.refused or _beyond(one)
        if reason:
            selection.lose("plan-stata", f"{one.name} is not written: {reason}")
            lines.append(f"* Not in this do-file: {_said(reason)}")
            continue
        write = _pairwise if one.fit is not None else _network
        for line in write(selection, target, one, files.append):
            lines.append(line)
    script = target / "plan.do"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*files, script]


def _said(text: str) -> str:
    """Write a text into a comment: one line, and nothing that Stata reads in it."""
    return re.sub(r"[/*`$\"'\\]", " ", one_line(text))


def _beyond(one: Planned) -> str | None:
    """Say why Stata cannot carry an analysis out; None if it can."""
    if one.fit is not None:
        options = one.fit.options
        if options.dependence in ("multilevel", "CR2"):
            return f"several effects of one study by {options.dependence}, with the covariance of shared arms"
        if one.fit.assembly.effects.pairs:
            return "effects that share an arm are correlated, which Stata's meta cannot take"
        return None
    assert one.dataset is not None
    if one.bayesian:
        return f"the engine {one.row['engine']} is Bayesian: --format plan-r, jags or multinma"
    if network_setup(one.dataset, for_network(one.dataset) or [{}]) is None:
        return "White's network takes events or means of every arm, and no other measure: --format plan-r"
    if one.models == ["random"] and _no_estimator(one):
        return _no_estimator(one)
    return None


def _no_estimator(one: Planned) -> str | None:
    """Say why Stata's network cannot estimate the heterogeneity as planned; None if it can."""
    if facts.estimators()[one.row["tau2"]].stata_network:
        return None
    return (
        f"random effects by {one.row['tau2']}: mvmeta has no method of moments for a heterogeneity that all "
        "comparisons share: --format plan-r"
    )


# --- pairwise -----------------------------------------------------------------------------------------------


def _pairwise(selection: Selection, target: Path, one: Planned, add: Callable[[Path], None]) -> Iterator[str]:
    fit = one.fit
    assert fit is not None
    tau2 = f"random({facts.estimators()[fit.options.tau2_method].stata}){_ERRORS[fit.options.ci]}"
    yield from _read(selection, target, one.file, _effects(fit.assembly), _PAIRWISE, add)
    yield "meta summarize, fixed(invvariance)"
    yield f"meta summarize, {tau2} predinterval"
    yield f"meta summarize, {tau2} leaveoneout"
    if fit.options.by is not None:
        rows = [
            {**row, "subgroup": level}
            for level, part in fit.levels.items()
            for row in _effects(part.assembly)
        ]
        about = f"level of {fit.options.by}"
        columns = {**_PAIRWISE, "subgroup": about}
        # A number with a label: names of levels are data.
        levels = {about: [str(level) for level in fit.levels]}
        yield from _read(selection, target, f"{one.file}-subgroups", rows, columns, add, levels)
        yield f"meta summarize, {tau2} subgroup(subgroup)"
    if one.moderators:
        rows, columns = _regression_rows(one, fit)
        names = [name for name in columns if name not in _PAIRWISE]
        yield from _read(selection, target, f"{one.file}-regression", rows, columns, add, one.levels)
        terms = (
            f"i.{name}" if column in one.levels else f"c.{name}"
            for name, column in zip(names, one.moderators, strict=True)
        )
        yield f"meta regress {' '.join(terms)}, {tau2}"


def _effects(assembly: Assembly) -> list[dict[str, Any]]:
    effects = assembly.effects
    return [
        {"study": row["label"], "yi": row["estimate"], "sei": float(np.sqrt(variance))}
        for row, variance in zip(rows_of(effects.contrasts.frame), effects.variance, strict=True)
    ]


def _regression_rows(one: Planned, fit: PairwiseFit) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Effects combined where study and moderators are the same, with the moderators."""
    values = [fit.variable(name) for name in one.moderators]
    known = np.logical_and.reduce([column.notna().to_numpy() for column in values])
    within = list(zip(*(column[known] for column in values), strict=True))
    part = assemble(fit.assembly.contrasts.part(known), fit.options.shared, fit.options.dependence, within)
    columns = {f"moderator_{place}": name for place, name in enumerate(one.moderators, 1)}
    rows = [
        row | dict(zip(columns, within[int(first)], strict=True))
        for row, first in zip(_effects(part), part.effects.first, strict=True)
    ]
    return rows, {**_PAIRWISE, **columns}


def _read(
    selection: Selection,
    target: Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    add: Callable[[Path], None],
    levels: Mapping[str, list[str]] | None = None,
) -> Iterator[str]:
    """Write a file of effects, and give the lines that read it."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(columns))
    for column, about in columns.items():
        if levels and about in levels:
            # The first category is the one that the others are compared with.
            table[column] = pd.Categorical(table[column].astype(str), categories=levels[about])
    add(_write(target / f"{name}.dta", table))
    selection.describe(f"plan-stata/{name}.dta", columns)
    yield f'use "{name}.dta", clear'
    yield "meta set yi sei, studylabel(study)"


def _write(path: Path, table: Any) -> Path:
    table.to_stata(path, write_index=False, version=118, time_stamp=STAMP)
    return path


# --- networks -----------------------------------------------------------------------------------------------


def _network(selection: Selection, target: Path, one: Planned, add: Callable[[Path], None]) -> Iterator[str]:
    import pandas as pd

    assert one.dataset is not None
    rows = for_network(one.dataset) or []
    add(_write(target / f"{one.file}.dta", pd.DataFrame(rows)))
    selection.describe(f"plan-stata/{one.file}.dta", {name: MEANINGS[name] for name in rows[0]})
    yield f'use "{one.file}.dta", clear'
    yield str(network_setup(one.dataset, rows))
    if one.dataset.net.measure == "SMD":
        yield "* network has standardised differences by White and Thomas 2005: their errors differ a little."
    lacking = _no_estimator(one)
    for model in one.models:
        if model == "random" and lacking:
            selection.lose("plan-stata", f"{one.name}, random effects, is not written: {lacking}")
            yield f"* Not in this do-file: {_said(lacking)}"
        elif model == "random":
            # Where no design has two studies, network asks whether it is meant.
            yield f"network meta consistency, {facts.estimators()[one.row['tau2']].stata_network} force"
        else:
            yield "network meta consistency, fixed"
    yield from network_rank(one.dataset)
    if one.row["node_split"] and not (lacking and "random" in one.models):
        method = facts.estimators()[one.row["tau2"]].stata_network if "random" in one.models else "fixed"
        yield f"network sidesplit all, tau {method}"
    if one.row["leave_one_out"]:
        yield "* Not in this do-file: the analysis without each study (--format plan-r has it)."
