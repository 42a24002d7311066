"""Absolute effects: what a relative effect means at a baseline.

The outcome under a treatment follows from that under its comparator and the effect: a risk from an odds ratio
as ``p OR / (1 - p + p OR)``, from a risk ratio as ``p RR``, from a hazard ratio as ``1 - (1 - p)^HR``; a
rate or mean from a ratio by multiplication; anything from a difference by addition. The baseline is taken as
known: intervals are those of the effect alone (Cochrane Handbook 5.1, sections 11.5.5 and 12.5.4).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

METHOD = "absolute effect"
MEDIAN = "median"
"""In place of a baseline: the median over the arms of the comparator that entered."""

Array = np.ndarray


def _added(baseline: float, effect: Array) -> Array:
    return baseline + effect


def _multiplied(baseline: float, effect: Array) -> Array:
    return baseline * np.exp(effect)


def _odds(baseline: float, effect: Array) -> Array:
    odds = baseline / (1 - baseline) * np.exp(effect)
    return odds / (1 + odds)


def _hazard(baseline: float, effect: Array) -> Array:
    return -np.expm1(np.log1p(-baseline) * np.exp(effect))


MEASURES: dict[str, tuple[str, Callable[[float, Array], Array]]] = {
    "OR": ("risk", _odds),
    "RR": ("risk", _multiplied),
    "RD": ("risk", _added),
    "HR": ("risk", _hazard),
    "IRR": ("rate", _multiplied),
    "IRD": ("rate", _added),
    "MD": ("mean", _added),
    "ROM": ("mean", _multiplied),
}
"""Of each effect measure: what its baseline is, and the outcome under treatment from it and the effect."""

_STATISTICS = {"risk": ("events", "n"), "rate": ("events", "exposure"), "mean": ("mean", None)}


def under_treatment(measure: str, effect: Array, baseline: float) -> Array:
    """Find the outcome under a treatment.

    Parameters
    ----------
    measure : str
        One of `MEASURES`.
    effect : array
        On the analysis scale: logarithms of ratios.
    baseline : float
        Outcome under the comparator: a risk (0 to 1), a rate, or a mean in the outcome's unit.

    Returns
    -------
    array
        The same under treatment. A risk from a risk ratio or difference is cut at 0 and 1.

    Raises
    ------
    RefusedError
        If the measure says nothing of an outcome's own scale.
    CallError
        If there can be no such baseline.

    Examples
    --------
    An odds ratio of 0.73 where 30 % have the event: 62 fewer in a thousand (Cochrane Handbook 5.1, 12.5.4.3).

    >>> import numpy as np
    >>> from analysis.absolute import under_treatment
    >>> round(1000 * (0.3 - float(under_treatment("OR", np.log(0.73), 0.3))))
    62
    """
    kind, formula = _of(measure)
    if kind == "risk" and not 0 < baseline < 1:
        raise CallError(f"A baseline risk is between 0 and 1, not {baseline:g}.")
    if kind == "rate" and not 0 < baseline < math.inf:
        raise CallError(f"A baseline rate is above 0, not {baseline:g}.")
    if kind == "mean" and not (math.isfinite(baseline) and (baseline > 0 or measure == "MD")):
        raise CallError(f"A baseline mean of {measure} is a number above 0, not {baseline:g}.")
    found = formula(baseline, np.asarray(effect, float))
    return np.clip(found, 0.0, 1.0) if kind == "risk" else found


def _of(measure: str) -> tuple[str, Callable[[float, Array], Array]]:
    if measure not in MEASURES:
        known = ", ".join(MEASURES)
        raise RefusedError(
            f"{measure} says nothing of the outcome's own scale: absolute effects are of {known}."
        )
    return MEASURES[measure]


def median_baseline(measure: str, contrasts: pd.DataFrame, comparator: str) -> tuple[float, int]:
    """Find the median outcome of the comparator's arms, and how many there are.

    Parameters
    ----------
    measure : str
    contrasts : DataFrame
        What entered: columns of ``result_contrast``.
    comparator : str

    Raises
    ------
    RefusedError
        If no arm of the comparator has what it takes.
    """
    kind = _of(measure)[0]
    top, bottom = _STATISTICS[kind]
    found: dict[tuple[Any, ...], float] = {}
    for row in records(contrasts):
        for side in "ab":
            if row[f"treatment_{side}"] != comparator or row.get(f"{top}_{side}") is None:
                continue
            over = 1.0 if bottom is None else row.get(f"{bottom}_{side}")
            if over:
                key = row["study"], row["experiment"], row[f"arm_{side}"]
                found[key] = float(row[f"{top}_{side}"]) / float(over)
    if not found:
        raise RefusedError(
            f"No arm of {comparator} has its own {kind}, so there is no median: give the baseline, "
            "--absolute NUMBER."
        )
    return float(np.median(list(found.values()))), len(found)


def of_estimates(
    measure: str,
    estimates: pd.DataFrame,
    comparator: str,
    asked: Any,
    contrasts: Callable[[], pd.DataFrame],
) -> pd.DataFrame:
    """Tabulate the absolute effects of a run: rows of the frame sensitivity.

    Parameters
    ----------
    measure : str
    estimates : DataFrame
        Of the run; of a network those against the comparator count.
    comparator : str
    asked : str or float
        The baseline, or "median".
    contrasts : callable
        Gives what entered, where the median is asked for.
    """
    if str(asked) == MEDIAN:
        baseline, n = median_baseline(measure, contrasts(), comparator)
        said = f"baseline: median of {n} arms of {comparator}"
    else:
        try:
            baseline = float(asked)
        except ValueError:
            raise CallError(f"A baseline is a number, or {MEDIAN}, not {asked!r}.") from None
        said = "baseline as given"
    # Of a network the estimate from all evidence; a pair has the direct one alone.
    whole = [row for row in records(estimates) if row["versus"] == comparator and row["level"] is None]
    whole = [row for row in whole if row["evidence"] == "network"] or whole
    rows = [
        {"engine": row["engine"], "model": row["model"], "method": METHOD, "item": row["treatment"]}
        | {"quantity": quantity, "value": value, "note": f"{said}; it is taken as known"}
        for row in whole
        for quantity, value in _quantities(measure, row, baseline)
    ]
    return frame("sensitivity", rows)


def _quantities(measure: str, row: Mapping[str, Any], baseline: float) -> Iterator[tuple[str, float]]:
    names: Sequence[str] = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
    known = [name for name in names if row[name] is not None]
    found = dict(
        zip(known, under_treatment(measure, np.array([row[name] for name in known]), baseline), strict=True)
    )
    yield "baseline", baseline
    yield from ((name, float(value)) for name, value in found.items())
    difference = {name: float(value) - baseline for name, value in found.items()}
    for name, quantity in (
        ("estimate", "difference"), ("ci_lower", "difference_lower"), ("ci_upper", "difference_upper")
    ):  # fmt: skip
        if name in difference:
            yield quantity, difference[name]
    ends = [difference.get("ci_lower"), difference.get("ci_upper")]
    if MEASURES[measure][0] == "risk" and None not in ends and ends[0] * ends[1] > 0:  # type: ignore[operator]
        # Rounded up by convention; the hair is for what divides to a whole number.
        yield "number needed to treat", float(math.ceil(1 / abs(difference["estimate"]) - 1e-9))
