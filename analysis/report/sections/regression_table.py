"""The coefficients of a planned meta-regression, from the rows that the run stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, missing, number, p_value, percent, records
from analysis.charts.tables import Column, Table
from analysis.pairwise.regression import METHOD, REST, TEST_OF, too_few
from evidence.results import Run

_FINEST = 6


def regression_table(run: Run, effect: Effect) -> Table | None:
    """Tabulate term, estimate with interval, standard error, p-value, and what is left unexplained.

    Returns
    -------
    Table or None
        None where the run has no meta-regression.
    """
    stored, notes = _stored(run)
    if not stored:
        return None
    tests = {item: row for item, row in stored.items() if item.startswith(TEST_OF)}
    terms = {item: row for item, row in stored.items() if item not in tests and item != REST}
    written = [
        {"group": "Coefficients", "term": item, "note": notes.get(item) or "", **_coefficient(row, effect)}
        for item, row in terms.items()
    ]
    written += [
        {
            "group": "Tests",
            "term": item.removeprefix(TEST_OF),
            "statistic": number(row["statistic"], 2),
            "df": _degrees(row["df1"], row["df2"]),
            "p": p_value(row["p_value"]).removeprefix("= "),
            "note": notes.get(item) or "",
        }
        for item, row in tests.items()
    ]
    written += _permuted(run)
    written += _predicted(run, effect)
    return Table(
        f"{run.analysis}-meta-regression",
        f"Meta-regression on {', '.join(run.specification['moderators'])}",
        _COLUMNS,
        tuple(written),
        note=" ".join(_said(stored[REST], len(terms), notes.get(REST), effect)),
        data=tuple({"term": item, **row} for item, row in stored.items()),
    )


_COLUMNS = (
    Column("term", "Term"), Column("estimate", "Estimate [95% interval]", "right"),
    Column("se", "Standard error", "right"), Column("statistic", "t, z, F or χ²", "right"),
    Column("df", "df", "right"), Column("p", "p", "right"), Column("note", "Note"),
)  # fmt: skip


def _permuted(run: Run) -> Iterator[dict[str, Any]]:
    """Rows of the permutation test, where the plan has one."""
    stored, notes = _stored(run, "permutation test")
    for item, row in stored.items():
        yield {
            "group": "Permutation test",
            "term": item,
            "p": p_value(row["p_value"]).removeprefix("= "),
            "note": f"{count(row['permutations'])} permutations, {notes[item]}",
        }


def _predicted(run: Run, effect: Effect) -> Iterator[dict[str, Any]]:
    """Rows of the effects at values of the variables that the plan names."""
    for item, row in _stored(run, "prediction")[0].items():
        half = (row["ci_upper"] - row["ci_lower"]) / 2
        yield {
            "group": "Effect at",
            "term": item,
            "estimate": effect.estimate_text(
                row["estimate"], row["ci_lower"], row["ci_upper"], effect.digits([half])
            ),
            "se": figures(row["std_error"]),
        }


def network_regression_table(run: Run, effect: Effect) -> Table | None:
    """Tabulate the slopes of a network meta-regression, and effects at the values that the plan names.

    Returns
    -------
    Table or None
        None where the run has no meta-regression.
    """
    stored, notes = _stored(run)
    covariates = run.specification.get("covariates")
    if not stored or not covariates:
        return None
    written = [
        {"group": "Slopes", "term": item, "note": notes.get(item) or "", **_slope(row, effect)}
        for item, row in stored.items()
    ]
    at = dict.fromkeys(
        row["method"] for row in records(run.frames["sensitivity"]) if row["method"].startswith(_AT)
    )
    for method in at:
        for item, row in _stored(run, method)[0].items():
            treatment, _, versus = item.partition(" versus ")
            written.append(
                {
                    "group": method.capitalize(),
                    "term": f"{effect.label(treatment)} versus {effect.label(versus)}",
                    **_slope(row, effect),
                }
            )
    return Table(
        f"{run.analysis}-meta-regression",
        f"Network meta-regression on {', '.join(covariates)}",
        tuple(column for column in _COLUMNS if column.key in ("term", "estimate", "se", "note")),
        tuple(written),
        note="All other effects of this analysis are those at the centre of the covariates (see Notes).",
        data=tuple({"term": item, **row} for item, row in stored.items()),
    )


_AT = "effects at "


def _slope(row: dict[str, Any], effect: Effect) -> dict[str, str]:
    half = (row["ci_upper"] - row["ci_lower"]) / 2
    digits = effect.digits([half])
    if half:
        digits = min(_FINEST, max(digits, 1 - math.floor(math.log10(half))))
    return {
        "estimate": effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], digits),
        "se": figures(row["std_error"]),
    }


def _stored(run: Run, method: str = METHOD) -> tuple[dict[str, dict[str, Any]], dict[str, str | None]]:
    """Quantities of each item of a main model, and its note; that of R2 is of the residual heterogeneity."""
    rows = [row for row in records(run.frames["sensitivity"]) if row["method"] == method]
    models = {row["model"] for row in rows}
    rows = [row for row in rows if row["model"] == "random" or len(models) == 1]
    found: dict[str, dict[str, Any]] = {}
    notes: dict[str, str | None] = {}
    for row in rows:
        found.setdefault(row["item"], {})[row["quantity"]] = row["value"]
        if not missing(row["note"]):
            notes[row["item"]] = row["note"]
    return found, notes


def _coefficient(row: dict[str, Any], effect: Effect) -> dict[str, str]:
    half = row["ci_upper"] - row["ci_lower"] if not missing(row["ci_lower"]) else None
    digits = effect.digits([half and half / 2])
    if half:
        # A slope is of one unit of its variable: two figures of its interval, however small that is.
        digits = min(_FINEST, max(digits, 1 - math.floor(math.log10(half / 2))))
    return {
        "estimate": effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], digits),
        "se": figures(row["std_error"]),
        "statistic": number(row["statistic"], 2),
        "df": _degrees(row["df"]),
        "p": p_value(row["p_value"]).removeprefix("= "),
    }


def _degrees(*values: Any) -> str:
    """Write degrees of freedom; nothing for those of a normal distribution."""
    known = [value for value in values if not missing(value) and math.isfinite(value)]
    return ", ".join(count(value) if float(value).is_integer() else number(value, 1) for value in known)


def _said(rest: dict[str, Any], n_terms: int, about_r2: str | None, effect: Effect) -> Iterator[str]:
    """Say what the variables leave unexplained, and how far few effects can be trusted."""
    if effect.scale == "log":
        yield (
            f"Estimates are ratios: the intercept is {effect.about.label}, the others by how much it is "
            "multiplied for one unit or against the reference level; standard errors are of the logarithm."
        )
    if missing(rest.get("r2")):
        r2 = ""
    else:
        r2 = f"; R² = {percent(rest['r2'], 0)} of the variance between studies is explained"
    yield (
        f"Residual heterogeneity: τ = {figures(math.sqrt(rest['tau2']))}, I² = {percent(rest['i2'], 0)}, "
        f"Q = {number(rest['q'], 1)} (df {count(rest['df'])}, p {p_value(rest['p_value'])}){r2}."
    )
    if about_r2:
        yield about_r2.replace("R2", "R²").replace("tau2", "τ²")
    if few := too_few(int(rest["df"]) + n_terms, n_terms - 1):
        yield few
