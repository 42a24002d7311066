"""Whether a sentence may be said from an interval, in one home for the command line, reports and charts.

A Hartung-Knapp interval is right on average, not in every data set: where a few effects happen to agree its
factor is far below 1, and two trials seem to fix an effect to four digits (Roever C, Knapp G, Friede T 2015,
BMC Med Res Methodol 15:99; Wiksten A, Ruecker G, Schwarzer G 2016, Stat Med 35:2503-2515). Such a number is
shown, with the interval whose factor is kept at 1 beside it (Knapp and Hartung 2003); no conclusion in words
is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Say why no conclusion in words may be drawn from an interval; None if it may.

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


def may_be_said(row: Mapping[str, Any]) -> bool:
    """Whether a conclusion in words may be drawn from the interval of a row of the frame estimates."""
    lower, upper, reason = (row.get(name) for name in ("ci_lower", "ci_upper", "no_verdict"))
    if lower is None or upper is None or isinstance(reason, str):
        return False
    return bool(upper > lower)
