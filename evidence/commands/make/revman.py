"""RevMan's own pooled results beside ours, analysis by analysis."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

COLUMNS = (
    "analysis",
    "measure",
    "method",
    "model",
    "k",
    "RevMan",
    "RevMan CI",
    "ours",
    "our CI",
    "difference",
)
_CLOSE = 0.01
"""Relative difference from which a result is named as differing."""


def beside_revman(analyses: list[Any], into: Path) -> None:
    """Pool every analysis as RevMan did, and print both results; an analysis that cannot be is named.

    Parameters
    ----------
    analyses : list of evidence.importers.revman.model.Analysis
    into : path
        The review folder that they were imported into.
    """
    import evidence
    from evidence.output import write_table

    rows, misses = [], []
    agree = 0
    with evidence.open(into) as db:
        for item in analyses:
            row, miss = _compared(db, item)
            rows.append(row)
            if miss:
                misses.append(f"{item.outcome}: {miss}")
            else:
                agree += 1
    write_table(COLUMNS, rows, sys.stdout)
    click.echo(f"{agree} of {len(analyses)} analyses agree with RevMan's own result to 1 %.")
    for miss in misses:
        click.echo(f"  not so: {miss}")


def _compared(db: Any, item: Any) -> tuple[list[Any], str]:
    """Make the row of one analysis, and say what is amiss; empty if the results agree."""
    from evidence.errors import EvidenceError

    how = [item.outcome, item.measure, item.method, item.model]
    theirs = f"{item.ci_lower:.4g} to {item.ci_upper:.4g}" if item.ci_upper is not None else ""
    why = (
        "RevMan did not pool it"
        if item.estimate is None
        else "it is of those without the event"
        if item.swapped
        else ""
    )
    if why:
        return [*how, None, item.estimate, theirs, None, None, why], why
    said = ""
    ours: tuple[float, float, float, int] | None
    try:
        ours = _pooled(db, item, item.method)
    except EvidenceError as error:
        # RevMan adds halves where no study has an event under one treatment.
        said = error.message
        try:
            ours = _pooled(db, item, "inverse_variance") if item.method == "MH" else None
        except EvidenceError:
            ours = None
        if ours is None:
            return [*how, None, item.estimate, theirs, None, None, said], said
        how[2] = "inverse_variance"
    value, low, high, k = ours
    away = abs(value - item.estimate)
    row = [*how, k, item.estimate, theirs, value, f"{low:.4g} to {high:.4g}", f"{value - item.estimate:.2g}"]
    bound = _CLOSE * max(abs(item.estimate), abs(value), 1e-12)
    if away > bound:
        return row, f"RevMan has {item.estimate:.4g}, ours is {value:.4g}" + (f" ({said})" if said else "")
    return row, ""


def _pooled(db: Any, item: Any, method: str) -> tuple[float, float, float, int]:
    """Pool an analysis on the scale that RevMan prints: estimate, interval, studies.

    RevMan takes every row for a study of its own, and the heterogeneity of its Mantel-Haenszel analyses about
    the Mantel-Haenszel effect (Deeks and Higgins 2010, Statistical algorithms in Review Manager 5).
    """
    from analysis import pairwise
    from evidence.facts.reference import keyed

    asked = {
        "outcome": item.outcome,
        "measure": item.measure,
        "treatment": item.experimental,
        "versus": item.control,
        "ci": item.ci,
        "dependence": "independent",
    }
    fit = pairwise.fit(db, **asked, tau2=item.tau2, method=method)
    found = _row(fit, item.model)
    if method == "MH" and item.model == "random" and item.tau2 == "DL":
        center = float(_row(fit, "common")["estimate"])
        rows = pairwise.fit(db, **asked, tau2="DL").rows
        weights = [1 / v for v in rows.v]
        q = sum(w * (y - center) ** 2 for w, y in zip(weights, rows.y, strict=True))
        spread = sum(weights) - sum(w * w for w in weights) / sum(weights)
        tau2 = max(0.0, (q - (len(weights) - 1)) / spread) if spread > 0 else 0.0
        found = _row(pairwise.fit(db, **asked, tau2=tau2), "random")
    ratio = keyed("effect_measure")[item.measure]["scale"] == "log"
    names = ("estimate", "ci_lower", "ci_upper")
    value, low, high = (math.exp(found[name]) if ratio else float(found[name]) for name in names)
    return value, low, high, int(found["n_studies"])


def _row(fit: Any, model: str) -> Any:
    found = fit.estimates()
    return found[(found["model"] == model) & found["level"].isna()].iloc[0]
