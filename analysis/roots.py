"""The zero of a function between two ends, by Brent's method.

As ``scipy.optimize.brentq``, to the last bit, which a test holds: to import that one takes a sixth of the
time of a whole network meta-analysis from the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, inf, nan


def zero_between(
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    absolute: float = 1e-300,
    relative: float = 1e-15,
    steps: int = 500,
) -> float:
    """Find a zero of a continuous function between two ends at which its signs differ.

    Parameters
    ----------
    function : callable
        Of one number, giving one number.
    low, high : float
        The ends, in either order.
    absolute, relative : float
        How near to the zero the answer is: within `absolute` plus `relative` times the answer.
    steps : int
        Most values of the function that are asked for, the ends aside.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the function has the same sign at both ends, or is not a number somewhere.

    References
    ----------
    Brent RP (1973). Algorithms for minimization without derivatives, chapter 4.
    """
    before, now = float(low), float(high)
    f_before, f_now = _number(function(before)), _number(function(now))
    if f_before == 0 or f_now == 0:
        return before if f_before == 0 else now
    if _same_sign(f_before, f_now):
        raise ValueError("The function has the same sign at both ends.")
    other = f_other = step = last = 0.0
    for _ in range(steps):
        if f_before != 0 and f_now != 0 and not _same_sign(f_before, f_now):
            other, f_other = before, f_before
            step = last = now - before
        if abs(f_other) < abs(f_now):
            before, now, other = now, other, now
            f_before, f_now, f_other = f_now, f_other, f_now
        near = (absolute + relative * abs(now)) / 2
        half = (other - now) / 2
        if f_now == 0 or abs(half) < near:
            return now
        tried = inf
        if abs(last) > near and abs(f_now) < abs(f_before):
            if before == other:
                tried = _quotient(-f_now * (now - before), f_now - f_before)
            else:
                a, b = (f_before - f_now) / (before - now), (f_other - f_now) / (other - now)
                tried = _quotient(-f_now * (f_other * b - f_before * a), b * a * (f_other - f_before))
        if 2 * abs(tried) < min(abs(last), 3 * abs(half) - near):
            last, step = step, tried
        else:
            last = step = half
        before, f_before = now, f_now
        now += step if abs(step) > near else copysign(near, half)
        f_now = _number(function(now))
    return now


def _number(value: float) -> float:
    if value != value:
        raise ValueError("The function is not a number within the interval.")
    return float(value)


def _same_sign(a: float, b: float) -> bool:
    return copysign(1.0, a) == copysign(1.0, b)


def _quotient(above: float, below: float) -> float:
    return above / below if below else nan
