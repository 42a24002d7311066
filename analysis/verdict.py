"""Whether a sentence may be said from an interval, in one home for the command line, reports and charts.

A Hartung-Knapp interval is right on average, not in every data set: where a few effects happen to agree its
factor is far below 1, and two trials seem to fix an effect to four digits (Roever C, Knapp G, Friede T 2015,
BMC Med Res Methodol 15:99; Wiksten A, Ruecker G, Schwarzer G 2016, Stat Med 35:2503-2515). Such a number is
shown, with the interval whose factor is kept at 1 beside it (Knapp and Hartung 2003). The conclusion is drawn
from that wider one where the common-effect interval tells the same of no effect, and says so; where the two
disagree none is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

FEW = 10
"""Below this many effects a factor below 1 is taken for chance."""

NARROWS = 0.9995
"""A factor below this narrows the interval: one that is printed as 1 does not."""

NO_WIDTH = 1e-6
"""A factor below this leaves no interval; where exactly would depend on rounding."""

LEAST_FOR_PREDICTION = 3
"""Effects without which there is no prediction interval: two show no spread about their mean."""


def reason_against(
    factor: float | None, k: int, df: float = float("inf"), least_df: float = 0.0
) -> str | None:
    """Say why no conclusion in words may be drawn from this interval itself; None if it may.

    Parameters
    ----------
    factor : float or None
        Hartung and Knapp's, before it is kept from falling; None where the interval has none.
    k : int
        Effects behind it.
    df, least_df : float
        Degrees of freedom of the interval's t distribution, and those below which it is not to be trusted.
    """
    if factor is not None and factor < NO_WIDTH:
        return (
            f"the {k} effects agree so closely that the Hartung-Knapp interval has no width: its factor is "
            "kept at 1"
        )
    if factor is not None and factor < NARROWS and k < FEW:
        return f"the Hartung-Knapp factor is {factor:.3g}: with {k} effects it narrows the interval by chance"
    if df < least_df:
        return f"the interval rests on {df:.1f} degrees of freedom, fewer than {least_df:g}"
    return None


def agree(adhoc: tuple[float, float], common: tuple[float, float]) -> bool:
    """Whether two intervals, each (lower, upper), tell the same of no effect."""
    return _side(adhoc) == _side(common)


def _side(limits: tuple[float, float]) -> int:
    lower, upper = limits
    return 1 if lower > 0 else -1 if upper < 0 else 0


def from_adhoc(row: Mapping[str, Any]) -> bool:
    """Whether the conclusion of a row of the frame estimates is that of its ad hoc interval."""
    lower = row.get("adhoc_lower")
    return lower is not None and isfinite(lower) and not isinstance(row.get("no_verdict"), str)


def concluding(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Interval (lower, upper) from which the conclusion of a row of the frame estimates is drawn, or None.

    A row with an ad hoc interval and no reason against a conclusion has it from that interval.
    """
    if isinstance(row.get("no_verdict"), str):
        return None
    stem = "adhoc" if from_adhoc(row) else "ci"
    lower, upper = (row.get(f"{stem}_{end}") for end in ("lower", "upper"))
    return (lower, upper) if lower is not None and upper is not None and upper > lower else None


def may_be_said(row: Mapping[str, Any]) -> bool:
    """Whether a conclusion in words may be drawn from a row of the frame estimates."""
    return concluding(row) is not None
