"""Both models of many overlapping parts of the studies, as rows of the frame leave_one_out.

Rows of known variances are fitted all at once (`deletion`); other methods anew for each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.influence import deletion
from analysis.pairwise.influence.deletion import Subsets
from analysis.pairwise.model.coefficients import t_quantile
from analysis.pairwise.model.parts import Stretches
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.pooling import ENGINE, MISSING, CountLikelihood, EventTables, Pooled, ThreeLevel
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

Columns = dict[str, Any]
"""Columns of a frame, or the one value that all its rows have."""

Fit = Callable[[EffectRows, str | float | None], Subsets]
"""Fits to all parts at once: rows and the estimator of tau2 (None for the common effect)."""


def at_once(fit: PairwiseFit) -> bool:
    """Whether all parts of the studies are fitted together, from sums over the rows."""
    anew = isinstance(fit.pooling, CountLikelihood | ThreeLevel)
    return not anew and fit.options.ci != "CR2"


def leave_one_out(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate both models without each study in turn."""
    order = np.arange(len(fit.studies))
    return parts(
        fit,
        order,
        lambda place: fit.study_of_contrast != place,
        deletion.leave_out,
        lambda study: Stretches.without_each(study),
    )


def cumulative(fit: PairwiseFit, by: str = "year") -> pd.DataFrame:
    """Tabulate both models after each study was added, in the order of `by`."""
    order = np.argsort(_entry(fit, by), kind="stable")
    rank = np.argsort(order)
    return parts(
        fit,
        order,
        lambda place: rank[fit.study_of_contrast] <= place,
        lambda rows, method: deletion.cumulative(rows, order, method),
        lambda study: Stretches.up_to_each(rank[study]),
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


def parts(
    whole: PairwiseFit,
    order: Array,
    keep: Callable[[int], Array],
    fit: Fit,
    stretches: Callable[[Array], Stretches],
) -> pd.DataFrame:
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
    stretches : callable
        Takes the study of each of some rows; gives the same parts of them.

    Returns
    -------
    DataFrame
        The frame leave_one_out: the common-effect model of all parts, then the random-effects model.
    """
    import pandas as pd

    pooling, options = whole.pooling, whole.options
    names = [whole.studies[study] for study in order]
    both: list[pd.DataFrame]
    tables: Columns | list[dict[str, Any]]
    if isinstance(pooling, CountLikelihood | ThreeLevel) or options.ci == "CR2":
        rows = [row for place in range(len(order)) for row in _anew(whole, keep(place))]
        both = [_named(whole, names, rows[::2]), _named(whole, names, rows[1::2])]
    else:
        if isinstance(pooling, EventTables):
            first = whole.assembly.tables.first
            if len(order) >= deletion.MANY:
                tables = _of_many_tables(pooling, stretches(whole.study_of_contrast[first]))
            else:
                tables = [_of_tables(pooling, keep(place)[first]) for place in range(len(order))]
            common = _named(whole, names, tables)
        else:
            common = _named(whole, names, _at_once(fit(whole.rows, None), "common", "Wald"))
        ci = options.ci if options.ci.startswith("HK") else "Wald"
        both = [common, _named(whole, names, _at_once(fit(whole.rows, options.tau2), "random", ci))]
    return pd.concat(both, ignore_index=True)


def _named(whole: PairwiseFit, names: list[str], found: Columns | list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of one model, with the study that names each and the question."""
    import pandas as pd

    about = {"treatment": whole.contrasts.treatment, "versus": whole.contrasts.versus}
    rows = frame("leave_one_out", found)
    return rows.assign(study=pd.Series(names, rows.index), **about)


def _at_once(subsets: Subsets, model: str, ci: str) -> Columns:
    std_error, lower, upper, _ = subsets.intervals(ci)
    alone = "one effect: tau2 taken as 0" if model == "random" else None
    return {
        "engine": ENGINE,
        "model": model,
        "estimate": subsets.beta[:, 0],
        "std_error": std_error,
        "ci_lower": lower,
        "ci_upper": upper,
        "tau": np.sqrt(subsets.tau2),
        "i2": subsets.i2,
        "q": subsets.q,
        "note": ["no effect is left" if df < 0 else alone if df == 0 else None for df in subsets.df],
    }


def _of_tables(pooling: EventTables, keep: Array) -> dict[str, Any]:
    """Give the common effect of some 2 x 2 tables."""
    table = pooling.table.take(keep)
    try:
        return _row(pooling.common_of(table), [pooling.common_heterogeneity_of(table)])
    except RefusedError as error:
        return _refused(pooling.options.method, "common", error)


def _of_many_tables(pooling: EventTables, parts: Stretches) -> Columns:
    """Give the common effects of very many parts of 2 x 2 tables, from sums over all of them."""
    found = pooling.common_of_parts(parts)
    half = t_quantile(0.975, np.inf) * found.std_error
    known = np.array([reason is None for reason in found.why])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(found.q > 0, np.maximum(0.0, 1 - found.df / found.q), 0.0)
    return {
        "engine": pooling.options.method,
        "model": "common",
        "estimate": found.estimate,
        "std_error": found.std_error,
        "ci_lower": found.estimate - half,
        "ci_upper": found.estimate + half,
        "tau": np.where(known, 0.0, MISSING),
        "i2": np.where(known & (found.df > 0), share, MISSING),
        "q": np.where(known, found.q, MISSING),
        "note": found.why,
    }


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
