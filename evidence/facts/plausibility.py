"""Numbers of one row that cannot all be true, whatever study they come from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evidence.facts import Measure

STATISTICS = (
    "n",
    "mean",
    "sd",
    "se",
    "median",
    "q1",
    "q3",
    "min",
    "max",
    "ci_lower",
    "ci_upper",
    "events",
    "exposure",
)
"""Statistics of an arm, as reported."""

_TYPED = re.compile(r"[+−–-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Beyond the rounding of their digits, sd and se that agree to 2 % do not contradict each other.
_SLACK = 0.02

# Each of these must not be above the next.
_ORDERED = (
    ("min", "q1"),
    ("q1", "median"),
    ("median", "q3"),
    ("q3", "max"),
    ("min", "median"),
    ("median", "max"),
    ("min", "mean"),
    ("mean", "max"),
)
_PAIRS = (("ci_lower", "ci_upper"), ("q1", "q3"), ("min", "max"))

Given = Mapping[str, float | None]
Typed = Mapping[str, str]


class Finding(NamedTuple):
    """Something implausible in a row: how bad, in which column, what, and what would be right."""

    severity: str
    column: str
    message: str
    remedy: str


def _error(column: str, message: str, remedy: str) -> Finding:
    return Finding("error", column, message, remedy)


def _warning(column: str, message: str, remedy: str) -> Finding:
    return Finding("warning", column, message, remedy)


def arm_findings(given: Given, typed: Typed) -> Iterator[Finding]:
    """Find what contradicts itself among the statistics of one arm.

    Parameters
    ----------
    given : mapping of statistic to value
        What was reported; None where it was not.
    typed : mapping of statistic to str
        The same as typed: the digits say how far a number was rounded.
    """
    yield from _spread(given, typed)
    yield from _order(given, typed)
    for one, other in _PAIRS:
        if (given[one] is None) != (given[other] is None):
            absent, present = (one, other) if given[one] is None else (other, one)
            yield _warning(absent, f"{present} is given without {absent}: it cannot be used", f"add {absent}")
    for name in ("sd", "se"):
        if given[name] == 0:
            yield _warning(
                name,
                f"{name} is 0: values that do not vary are rarely real",
                f"leave {name} empty if it was not reported",
            )
    n = given["n"]
    if n is not None and n != int(n):
        yield _warning("n", f"n is {n!r}, not a whole number", "right if it is an effective sample size")


def remarkable(columns: Mapping[str, Sequence[float | None]]) -> set[int]:
    """Find the rows of which `arm_findings` may say something.

    Parameters
    ----------
    columns : mapping of statistic to (n,) sequence
        What was reported; None where it was not.

    Returns
    -------
    set of int
        Some of these are right once the digits they were printed with are looked at; the others all are.
    """
    given = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    found: set[int] = set()

    def rows(*names: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
        return enumerate(zip(*(columns[name] for name in names), strict=True))

    for low, high in (*_PAIRS, *_ORDERED):
        if low in given and high in given:
            found.update(i for i, (a, b) in rows(low, high) if a is not None and b is not None and a > b)
    for one, other in _PAIRS:
        if one in given or other in given:
            found.update(i for i, (a, b) in rows(one, other) if (a is None) != (b is None))
    if "ci_lower" in given and "ci_upper" in given:
        found.update(
            i
            for i, (mean, median, low, high) in rows("mean", "median", "ci_lower", "ci_upper")
            if low is not None and high is not None
            if (estimate := median if mean is None else mean) is not None and not low <= estimate <= high
        )
    if "sd" in given:
        for name in ("se", "max"):
            if name in given:
                found.update(i for i, (sd, b) in rows("sd", name) if sd is not None and b is not None)
    for name in ("sd", "se"):
        if name in given:
            found.update(i for i, value in enumerate(columns[name]) if value == 0)
    if "n" in given:
        found.update(i for i, n in enumerate(columns["n"]) if n is not None and n % 1)
    return found


def counted_as_usual(kind: str | None, given: Sequence[float | None]) -> bool:
    """Whether n, mean, median, events and exposure are such that `kind_findings` says nothing of them."""
    n, mean, median, events, exposure = given
    if kind == "continuous":
        return events is None or mean is not None or median is not None
    if events is None or events % 1:
        return False
    return (kind == "binary" and n is not None and events <= n) or (kind == "rate" and exposure is not None)


def _spread(given: Given, typed: Typed) -> Iterator[Finding]:
    n, sd, se, smallest, largest = (given[name] for name in ("n", "sd", "se", "min", "max"))
    if n is None or sd is None:
        return
    if se is not None:
        from_se = se * math.sqrt(n)
        room = _room(typed, "sd") + _room(typed, "se") * math.sqrt(n)
        if abs(sd - from_se) > room + _SLACK * max(sd, from_se):
            yield _error(
                "se",
                f"sd {sd:g} and se {se:g} contradict each other: n = {n:g} makes se {sd / math.sqrt(n):.4g}",
                "keep the one that the article prints, and empty the other",
            )
    if smallest is not None and largest is not None and smallest <= largest and n > 1:
        # Popoviciu (1935): the SD is largest when half the values are at either end.
        widest = largest - smallest + _room(typed, "min", "max")
        most = widest / 2 * math.sqrt(n / (n - 1))
        if sd > most * (1 + _SLACK) + _room(typed, "sd"):
            yield _error(
                "sd",
                f"sd {sd:g} is impossible between min {smallest:g} and max {largest:g}: at most {most:.4g}",
                "check sd, min and max",
            )


def _order(given: Given, typed: Typed) -> Iterator[Finding]:
    for low, high in (*_PAIRS, *_ORDERED):
        below, above = given[low], given[high]
        if below is not None and above is not None and below - above > _gap(typed, low, high):
            yield _error(
                low,
                f"{low} {below:g} is above {high} {above:g}",
                "check both values, and whether they were typed into the right columns",
            )
    name = "mean" if given["mean"] is not None else "median"
    estimate, lower, upper = given[name], given["ci_lower"], given["ci_upper"]
    if estimate is None or lower is None or upper is None or lower > upper:
        return
    if not _holds(estimate, lower, upper, typed, name):
        yield _error(
            "ci_lower",
            f"the interval from {lower:g} to {upper:g} does not hold its {name} {estimate:g}",
            "check the three values",
        )


def _holds(estimate: float, lower: float, upper: float, typed: Typed, name: str) -> bool:
    """Whether an interval can hold its estimate, by the digits that are printed of the three."""
    below = lower - estimate <= _gap(typed, "ci_lower", name)
    above = estimate - upper <= _gap(typed, name, "ci_upper")
    return below and above


def _gap(typed: Typed, low: str, high: str) -> float:
    """Return how far rounding can have put the lower of two numbers above the higher.

    Rounding to the same digits keeps their order; only rounding to different ones can turn it round.
    """
    same = rounding(typed.get(low, "")) == rounding(typed.get(high, ""))
    return 0.0 if same else _room(typed, low, high)


def _room(typed: Typed, *names: str) -> float:
    """Return how far rounding can have moved some numbers, together."""
    # The last part is the error of the computer's own arithmetic.
    return sum(rounding(typed.get(name, "")) for name in names) * (1 + 1e-9)


def kind_findings(kind: str | None, given: Given, documented: bool) -> Iterator[Finding]:
    """Find statistics that do not go with the kind of outcome.

    Parameters
    ----------
    kind : str or None
        Kind of the outcome.
    given : mapping of statistic to value
        What was reported.
    documented : bool
        The row says, in ``adjusted`` or ``note``, that its numbers are not as counted.
    """
    n, events, exposure = given["n"], given["events"], given["exposure"]
    average = given["mean"] is not None or given["median"] is not None
    if kind == "continuous":
        if events is not None and not average:
            yield _error(
                "mean",
                "the outcome is continuous, and the row has events but no mean or median",
                "give mean or median, or make the outcome's kind binary",
            )
        return
    if kind in ("binary", "rate") and events is None and average:
        yield _error(
            "events",
            f"the outcome's kind is {kind}, and the row has a mean or median but no events",
            "give events, or make the outcome's kind continuous",
        )
    if kind == "binary" and events is not None and n is None:
        yield _error("n", "events without n", "give n here or in arms.csv")
    if kind == "rate" and (events is None) != (exposure is None):
        absent = "events" if events is None else "exposure"
        yield _error(absent, f"a rate needs events and exposure, and {absent} is missing", f"give {absent}")
    if events is None:
        return
    if kind in ("binary", "time_to_event") and n is not None and events > n:
        yield _error("events", f"{events:g} events among n = {n:g}", "check events and n")
    if events != int(events):
        # Imputed or cluster-adjusted counts are real; a fraction that nobody explains is a typing error.
        explained = documented or kind != "binary"
        yield (_warning if explained else _error)(
            "events",
            f"events is {events!r}, not a whole number",
            "right if counts were imputed or adjusted for clusters"
            if explained
            else "write the count, or say in adjusted or note why it is not whole",
        )


def contrast_findings(measure: Measure, row: Mapping[str, Any], typed: Typed) -> Iterator[Finding]:
    """Find what contradicts itself in a reported contrast.

    Parameters
    ----------
    measure : Measure
        Effect measure of the contrast.
    row : mapping
        scale, se_scale, estimate, se, ci_lower, ci_upper, o_minus_e and variance; None where not reported.
    typed : mapping of statistic to str
        The same as typed.
    """
    yield from _ratio_scale(measure, row)
    yield from _log_rank(measure, row, typed)
    estimate, lower, upper = row["estimate"], row["ci_lower"], row["ci_upper"]
    if lower is None and upper is None and row["se"] is None and row["o_minus_e"] is None:
        yield _warning(
            "se",
            "the contrast has neither se nor an interval: it cannot be weighted",
            "give se, or both limits",
        )
    if (lower is None) != (upper is None):
        absent = "ci_lower" if lower is None else "ci_upper"
        yield _warning(absent, f"the interval has no {absent}: it cannot be used", f"add {absent}")
    if estimate is None or lower is None or upper is None:
        return
    if lower > upper:
        yield _error(
            "ci_lower",
            f"ci_lower {lower:g} is above ci_upper {upper:g}",
            "exchange them, or check both",
        )
    elif not _holds(estimate, lower, upper, typed, "estimate"):
        yield _error(
            "estimate",
            f"the interval from {lower:g} to {upper:g} does not hold its estimate {estimate:g}",
            "check the three values; a ratio and its interval are on one scale",
        )


def _ratio_scale(measure: Measure, row: Mapping[str, Any]) -> Iterator[Finding]:
    if not measure.is_ratio:
        for name in ("scale", "se_scale"):
            if row[name] == "log":
                yield _error(
                    name,
                    f"{measure.code} is a difference, which has no logarithm",
                    f"leave {name} empty, or write the measure that it is",
                )
        return
    if row["scale"] != "natural":
        return
    for name in ("estimate", "ci_lower", "ci_upper"):
        value = row[name]
        if value is not None and (value < 0 or (value == 0 and name != "ci_lower")):
            yield _error(
                name,
                f"{name} is {value:g}, and a ratio is above 0",
                "check the value; write log in scale if these are logarithms",
            )
    whole = row["ci_lower"] is not None and row["ci_upper"] is not None and row["ci_lower"] > 0
    if row["ci_lower"] == 0 and row["se"] is None:
        yield _warning(
            "ci_lower",
            "ci_lower is 0: rounded so far, the interval of a ratio says nothing of its SE",
            "give the limit with more digits, or se",
        )
    if row["se"] is not None and row["se_scale"] is None and not whole:
        yield _error(
            "se_scale",
            "se beside a ratio on the natural scale may be that of the ratio or of its logarithm",
            "write natural (of the ratio itself) or log (of its logarithm) in se_scale; or give the interval",
        )


def _log_rank(measure: Measure, row: Mapping[str, Any], typed: Typed) -> Iterator[Finding]:
    observed, variance = row["o_minus_e"], row["variance"]
    if (observed is None) != (variance is None):
        absent = "o_minus_e" if observed is None else "variance"
        yield _error(
            absent, f"o_minus_e and variance belong together, and {absent} is missing", f"give {absent}"
        )
    # A ratio of events is one that events can say nothing about.
    if observed is not None and not (measure.is_ratio and measure.no_information != "never"):
        yield _error(
            "o_minus_e",
            f"o_minus_e gives the logarithm of a ratio of events, and {measure.code} is none",
            "write the measure that it is (a hazard ratio, Peto's odds ratio), or give the estimate",
        )
    if row["estimate"] is None and observed is None:
        code = typed.get("estimate", "")
        yield _error(
            "estimate",
            f"{code!r} where a value is needed" if code else "the cell is empty",
            "every row needs its estimate, or o_minus_e and variance",
        )


def rounding(typed: str) -> float:
    """Return half a unit in the last digit of a number as typed; 0 for what is none."""
    if not _TYPED.fullmatch(typed.strip()):
        return 0.0
    mantissa, _, exponent = typed.strip().lower().partition("e")
    power = int(exponent or 0) - len(mantissa.partition(".")[2])
    return 0.5 * 10.0**power if mantissa and abs(power) < 300 else 0.0
