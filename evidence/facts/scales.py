"""Whether a column holds ratios as papers print them, or their natural logarithms.

Judged from the column as a whole, never from one row: a confidence interval of a ratio is symmetric about
its estimate on the log scale (Cochrane Handbook, 6.3.2), so all intervals together tell on which scale they
were computed, where they are wide enough. What they do not tell is left to the column's name, and then to a
person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from evidence.facts import NORMAL_975
from evidence.facts.plausibility import rounding

_OFF_CENTRE = 0.05
"""Distance of an estimate from the middle of its interval that is usual besides rounding, in half widths."""
_STRAY = 0.01
"""Share of intervals that are symmetric on neither scale."""
_DECIDED = math.log(100)
"""Log likelihood ratio from which the intervals decide."""
_NO_LOGARITHM = 7.0
"""A logarithm of a ratio that nobody has seen: the ratio would be 1,097."""
_NEITHER = 0.3
"""Typical distance from the middle, in half widths, from which a column is symmetric on neither scale."""


class Printed(NamedTuple):
    """A ratio with its interval as typed; empty text where there is none."""

    estimate: str
    lower: str = ""
    upper: str = ""


class Verdict(NamedTuple):
    """How ratios are written (``log``, ``natural``, or None: undecided), and by what it is known."""

    scale: str | None
    reason: str


class _Numbers(NamedTuple):
    estimate: float
    lower: float
    upper: float
    room: tuple[float, float, float]


def judge(column: Iterable[Printed], named: str | None = None) -> Verdict:
    """Judge on which scale the ratios of one column are written.

    Parameters
    ----------
    column : iterable of Printed
        All ratios of one outcome and measure in one file.
    named : {"log", "natural"}, optional
        What the name of the column says.

    Returns
    -------
    Verdict
        Numbers of 0 or below are logarithms. Numbers above 7, with none of 0 or below, are ratios. Else the
        likelihood of the estimates, given their intervals, decides: normal about the middle of the interval
        on the one scale or on the other, with the rounding of the digits typed, 5 % of the half width, and
        1 % of strays. A name decides where the intervals do not; a name and intervals that contradict each
        other decide nothing.
    """
    rows = [row for row in map(_numbers, column) if row is not None]
    by_numbers = _by_numbers(rows)
    if by_numbers.scale is None and by_numbers.reason:
        return by_numbers
    if by_numbers.scale is None:
        return Verdict(named, "by its name") if named else Verdict(None, "nothing tells which")
    if named and by_numbers.scale != named and not any(row.estimate <= 0 for row in rows):
        words = {"log": "logarithms", "natural": "ratios"}
        return Verdict(None, f"its name says {words[named]}, its intervals {words[by_numbers.scale]}")
    return by_numbers


def fits_se(column: Iterable[tuple[str, str, str, str]], scale: str, z: float = NORMAL_975) -> str | None:
    """Tell which SE stands beside ratios and their intervals.

    Parameters
    ----------
    column : iterable of (estimate, lower, upper, se)
        As typed, on `scale`.
    scale : {"log", "natural"}
        Scale of estimate and limits.
    z : float
        Normal quantile of the intervals.

    Returns
    -------
    {"log", "natural"} or None
        Whose standard error it is: the one that the intervals agree with, for at least nine rows of ten,
        where they do not agree with the other; else None.
    """
    hits = {"log": 0, "natural": 0}
    n = 0
    for estimate, lower, upper, se in column:
        row, error = _numbers(Printed(estimate, lower, upper)), _number(se)
        if row is None or error is None or error <= 0 or not row.lower < row.upper:
            continue
        if scale == "natural" and row.lower <= 0:
            continue
        low, high, at = (
            map(math.log, (row.lower, row.upper, row.estimate)) if scale == "natural" else
            (row.lower, row.upper, row.estimate)
        )  # fmt: skip
        expected = (high - low) / (2 * z)
        n += 1
        for kind, found in (("log", expected), ("natural", expected * math.exp(min(at, 50)))):
            hits[kind] += abs(error - found) <= rounding(se) + 0.03 * found
    if not n:
        return None
    fitting = [kind for kind, count in hits.items() if count >= 0.9 * n]
    return fitting[0] if len(fitting) == 1 else None


def _by_numbers(rows: Sequence[_Numbers]) -> Verdict:
    """Decide by the numbers alone: a scale; or None with a reason where they contradict themselves."""
    if not rows:
        return Verdict(None, "")
    ratio = sum(map(_evidence, rows))
    values = [
        value for row in rows for value in (row.estimate, row.lower, row.upper) if not math.isnan(value)
    ]
    # A limit of 0 may be a ratio's, rounded.
    if any(row.estimate <= 0 for row in rows) or min(values) < 0:
        if ratio > _DECIDED:
            return Verdict(
                None, "some numbers are below 0, and the intervals of the others are those of ratios"
            )
        return Verdict("log", "some numbers are 0 or below")
    if max(values) > _NO_LOGARITHM:
        if ratio < -_DECIDED:
            return Verdict(
                None, f"{max(values):g} is no logarithm of a ratio, and the intervals are those of logarithms"
            )
        return Verdict("natural", f"{max(values):g} is no logarithm of a ratio")
    if abs(ratio) < _DECIDED:
        return Verdict(None, "")
    scale = "natural" if ratio > 0 else "log"
    if median(abs(_off_centre(row, scale)) for row in rows if _whole(row)) > _NEITHER:
        return Verdict(None, "its intervals are symmetric neither as ratios nor as logarithms")
    return Verdict(
        scale, f"its intervals are symmetric as {'ratios' if scale == 'natural' else 'logarithms'}"
    )


def _whole(row: _Numbers) -> bool:
    return 0 < row.lower < row.upper and row.estimate > 0


def _evidence(row: _Numbers) -> float:
    """Log density of an estimate within its interval as a ratio, less that as a logarithm."""
    if not _whole(row):
        return 0.0
    width = row.upper - row.lower
    log = _log_density(*_middle(row, "log"), width)
    natural = _log_density(*_middle(row, "natural"), width, row.estimate)
    return natural - log


def _middle(row: _Numbers, scale: str) -> tuple[float, float, float]:
    """Distance of the estimate from the middle of its interval, half the width, and SD by rounding alone."""
    if scale == "log":
        at, low, high = row.estimate, row.lower, row.upper
        room = row.room
    else:
        at, low, high = map(math.log, (row.estimate, row.lower, row.upper))
        room = tuple(map(_log_room, (row.estimate, row.lower, row.upper), row.room))  # type: ignore[assignment]
    rounded = math.sqrt((room[0] ** 2 + (room[1] ** 2 + room[2] ** 2) / 4) / 3)
    return at - (low + high) / 2, (high - low) / 2, rounded


def _off_centre(row: _Numbers, scale: str) -> float:
    distance, half, rounded = _middle(row, scale)
    return max(abs(distance) - 2 * rounded, 0) / half


def _log_room(value: float, room: float) -> float:
    """Half the range of the logarithms of what a number can have been before it was rounded."""
    return (math.log(value + room) - math.log(max(value - room, value / 20))) / 2


def _log_density(distance: float, half: float, rounded: float, width: float, per: float = 1.0) -> float:
    sd = math.hypot(_OFF_CENTRE * half, rounded)
    normal = math.exp(-0.5 * (distance / sd) ** 2) / (sd * math.sqrt(2 * math.pi) * per)
    return math.log((1 - _STRAY) * normal + _STRAY / width)


def _numbers(row: Printed) -> _Numbers | None:
    estimate, lower, upper = map(_number, row)
    if estimate is None:
        return None
    room = (rounding(row.estimate), rounding(row.lower), rounding(row.upper))
    return _Numbers(
        estimate, math.nan if lower is None else lower, math.nan if upper is None else upper, room
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
