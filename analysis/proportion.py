"""Numbers that a person types, held against the data: what is out of all proportion is a slip of the pen."""

from __future__ import annotations

from math import isfinite

from evidence.errors import CallError

FURTHEST = 1e12
"""A width this many times wider, or narrower, than the effects of the studies is a slip of the pen."""


def refuse_beyond(
    stated: str, width: float, scale: float, unit: str = "", furthest: float = FURTHEST
) -> None:
    """Refuse a width whose size has nothing to do with the data, before arithmetic overflows.

    Parameters
    ----------
    stated : str
        What was asked for, as the person may have typed it: ``tau2 = 1e+300``.
    width : float
        The standard deviation that it stands for, above 0.
    scale : float
        The largest effect of any study.
    unit : str
        Of both.
    furthest : float
        How many times wider or narrower it may be.

    Raises
    ------
    CallError
        With what is out of proportion to what.
    """
    if isfinite(scale) and scale > 0 and not 1 / furthest <= width / scale <= furthest:
        largest = f"{scale:.4g} {unit}".strip()
        raise CallError(
            f"{stated}: out of all proportion to the largest effect of any study, {largest}. "
            f"Stay within {furthest:g} times of it."
        )
