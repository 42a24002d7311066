"""Time rules: which time point of a study counts. A number in a rule carries its unit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from evidence import facts
from evidence.errors import CallError

RULES = "first, last, a time with its unit (24 h), or nearest:24 h"
"""What a rule can be, in words."""

_FORM = re.compile(r"(nearest\s*:)?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([^\W\d].*)?", re.IGNORECASE)


class TimeRuleError(CallError):
    """A time rule cannot be applied to an outcome: what is wrong, and what would be right."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what[:1].upper()}{what[1:]}: {remedy}.")


@dataclass(frozen=True)
class TimepointRule:
    """Which time point of a study (and experiment) counts for one outcome.

    Attributes
    ----------
    kind : {"first", "last", "value", "nearest"}
        Earliest; latest; exactly `value`; the one closest to `value`, the earlier of two equally close.
    value : float or None
        In `unit`.
    unit : str or None
        Unit of time; None for first and last, and where the review types its time points without a unit.
    """

    kind: str
    value: float | None = None
    unit: str | None = None

    @classmethod
    def parse(cls, text: str) -> TimepointRule:
        """Read ``first``, ``last``, ``24 h``, or ``nearest:24 h``; the unit may be missing, see `settled`.

        Raises
        ------
        CallError
            If it is none of these, or the unit is no unit of time.
        """
        word = str(text).strip()
        if word.lower() in ("first", "last"):
            return cls(word.lower())
        form = _FORM.fullmatch(word)
        # A number of 400 digits reads as infinity.
        if form is None or abs(float(form[2])) > 1e300:
            raise CallError(f"{text!r} is no time point rule: write {RULES}.")
        unit = None if form[3] is None else _unit(form[3].strip(), str(text))
        return cls("nearest" if form[1] else "value", float(form[2]), unit)

    def settled(self, outcome: str, typed: Iterable[str | None]) -> tuple[TimepointRule, str | None]:
        """Give the rule the unit that its number is meant in.

        Parameters
        ----------
        outcome : str
            Whose time points are chosen; for the message.
        typed : iterable of str or None
            Units in which the time points of the outcome are typed; None for those without.

        Returns
        -------
        rule : TimepointRule
        note : str or None
            What was decided, if anything was.

        Raises
        ------
        TimeRuleError
            If the number could be meant in several units, or cannot be compared with the time points.
        """
        units = sorted({unit or "" for unit in typed})
        if self.value is None or not units:
            return self, None
        if self.unit is not None:
            if units == [""]:
                raise TimeRuleError(
                    f"the time rule {self} has a unit, and the time points of {outcome!r} have none",
                    f"fill in timepoint_unit, or write {replace(self, unit=None)}",
                )
            return self, None
        if units == [""]:
            return self, None
        if len(units) > 1:
            named = ", ".join(unit or "no unit" for unit in units)
            example = replace(self, unit=next(unit for unit in units if unit))
            raise TimeRuleError(
                f"the number in the time rule {self} could mean several times: the time points of "
                f"{outcome!r} are typed in different units ({named})",
                f"write it with its unit, for example {example}",
            )
        rule = replace(self, unit=units[0])
        return (
            rule,
            f"The time rule {self} is read as {rule}: every time point of {outcome} is in {units[0]}.",
        )

    def __str__(self) -> str:
        if self.value is None:
            return self.kind
        number = f"{self.value:.15g}" + (f" {self.unit}" if self.unit else "")
        return f"nearest:{number}" if self.kind == "nearest" else number


def in_days(time: float, unit: str | None) -> float:
    """Convert a time to days, rounded as the views do; as it stands where it has no unit."""
    return time if unit is None else float(f"{time * facts.time_unit(unit).days:.9f}")


def _unit(name: str, text: str) -> str:
    """Find the unit of time that a word of a rule means."""
    try:
        return facts.time_unit(name).code
    except CallError as error:
        raise CallError(f"{text!r} is no time point rule: {error.message}") from None
