"""Both models of many overlapping parts of the studies, as rows of the frame leave_one_out.

Rows of known variances are fitted all at once (`deletion`); other methods anew for each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.influence import deletion
from analysis.pairwise.influence.deletion import Subsets
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.pooling import ENGINE, MISSING, CountLikelihood, EventTables, Pooled, ThreeLevel
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

Fit = Callable[[EffectRows, str | float | None], Subsets]
"""Fits to all parts at once: rows and the estimator of tau2 (None for the common effect)."""


def leave_one_out(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate both models without each study in turn."""
    order = np.arange(len(fit.studies))
    return parts(fit, order, lambda place: fit.study_of_contrast != place, deletion.leave_out)


def cumulative(fit: PairwiseFit, by: str = "year") -> pd.DataFrame:
    """Tabulate both models after each study was added, in the order of `by`."""
    order = np.argsort(_entry(fit, by), kind="stable")
    rank = np.argsort(order)
    return parts(
        fit,
        order,
        lambda place: rank[fit.study_of_contrast] <= place,
        lambda rows, method: deletion.cumulative(rows, order, method),
    )


def _entry(fit: PairwiseFit, by: str) -> Array:
    """Give what the studies are ordered by, (studies,)."""
    if by == "precision":
        return -np.bincount(fit.rows.study, fit.rows.X[:, 0] ** 2 / fit.rows.v, len(fit.studies))
    values = fit.variable(by)
    if values.dtype.kind not in "fiu":
        raise CallError(f"{by!r} is not a number in every study: a cumulative analysis needs an order.")
    key = np.full(len(fit.studies), np.nan)
    key[fit.study_of_contrast] = values.to_numpy(float)
    if np.isnan(key).any():
        missing = ", ".join(np.array(fit.studies)[np.isnan(key)])
        raise RefusedError(
            f'Studies without {by}: {missing}. Fill it in, or leave them out: where="{by} is not null".'
        )
    return key


def parts(whole: PairwiseFit, order: Array, keep: Callable[[int], Array], fit: Fit) -> pd.DataFrame:
    """Fit both models to parts of the studies.

    Parameters
    ----------
    whole : PairwiseFit
        The whole.
    order : (m,) int array
        Study that names each part.
    keep : callable
        Takes the place of a part, 0 to m - 1; returns which contrasts belong to it, (n,) bool.
    fit : callable
        The same parts of rows of known variances, all at once.

    Returns
    -------
    DataFrame
        The frame leave_one_out: the common-effect model of all parts, then the random-effects model.
    """
    pooling, options = whole.pooling, whole.options
    found: list[dict[str, Any]]
    common: Iterable[dict[str, Any]]
    if isinstance(pooling, CountLikelihood | ThreeLevel) or options.ci == "CR2":
        both = [row for place in range(len(order)) for row in _anew(whole, keep(place))]
        found = [*both[::2], *both[1::2]]
    else:
        if isinstance(pooling, EventTables):
            first = whole.assembly.tables.first
            common = (_of_tables(pooling, keep(place)[first]) for place in range(len(order)))
        else:
            common = _at_once(fit(whole.rows, None), "common", "Wald")
        ci = options.ci if options.ci.startswith("HK") else "Wald"
        found = [*common, *_at_once(fit(whole.rows, options.tau2), "random", ci)]
    about = {"treatment": whole.contrasts.treatment, "versus": whole.contrasts.versus}
    names = [whole.studies[study] for study in order] * 2
    rows = [{"study": name} | about | row for name, row in zip(names, found, strict=True)]
    return frame("leave_one_out", rows)


def _at_once(subsets: Subsets, model: str, ci: str) -> Iterator[dict[str, Any]]:
    std_error, lower, upper, _ = subsets.intervals(ci)
    for place, df in enumerate(subsets.df):
        note = None
        if df < 0:
            note = "no effect is left"
        elif df == 0 and model == "random":
            note = "one effect: tau2 taken as 0"
        yield {
            "engine": ENGINE,
            "model": model,
            "estimate": subsets.beta[place, 0],
            "std_error": std_error[place],
            "ci_lower": lower[place],
            "ci_upper": upper[place],
            "tau": np.sqrt(subsets.tau2[place]),
            "i2": subsets.i2[place],
            "q": subsets.q[place],
            "note": note,
        }


def _of_tables(pooling: EventTables, keep: Array) -> dict[str, Any]:
    """Give the common effect of some 2 x 2 tables."""
    table = pooling.table.take(keep)
    try:
        return _row(pooling.common_of(table), [pooling.common_heterogeneity_of(table)])
    except RefusedError as error:
        return _refused(pooling.options.method, "common", error)


def _anew(whole: PairwiseFit, keep: Array) -> Iterator[dict[str, Any]]:
    """Fit both models to some contrasts from the beginning."""
    try:
        if not keep.any():
            raise RefusedError("no effect is left")
        part = whole.part(keep)
        pooled, spread = part.pooled, part.pooling.heterogeneity(None)
    except RefusedError as error:
        for item in whole.pooled:
            yield _refused(item.engine, item.model, error)
        return
    for item in pooled:
        yield _row(item, [row for row in spread if row["model"] == item.model])


def _row(item: Pooled, spread: list[dict[str, Any]]) -> dict[str, Any]:
    """Give a pooled effect and its heterogeneity, that of several levels together."""
    return {
        "engine": item.engine,
        "model": item.model,
        "estimate": item.effect.estimate[0],
        "std_error": item.effect.std_error[0],
        "ci_lower": item.effect.ci_lower[0],
        "ci_upper": item.effect.ci_upper[0],
        "tau": np.sqrt(sum(row.get("tau2", MISSING) for row in spread)),
        "i2": sum(row.get("i2", MISSING) for row in spread),
        "q": spread[0]["q"],
    }


def _refused(engine: str, model: str, error: RefusedError) -> dict[str, Any]:
    return {"engine": engine, "model": model, "note": error.message}
