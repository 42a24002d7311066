"""Whether the event of a time-to-event outcome is bad: what the review says, or the outcome's name.

A hazard ratio is of the event. "Higher is better" is true of survival and false of the hazard of death, so
the direction of the one must never be taken for that of the other.
"""

from __future__ import annotations

import re
from functools import cache

from evidence.facts.reference import reference


def event_is_bad(outcome: str, label: str | None, lower_is_better: bool | None) -> bool | None:
    """Decide by the name whether the event is bad, where the review does not say.

    A name that says the event (death, relapse; healing) makes ``lower_is_better`` a statement of its hazard.
    A name that says the time without it (survival, time to ...) does so only with ``lower_is_better = true``:
    nobody calls longer survival worse.

    Parameters
    ----------
    outcome, label : str
        Key and printed name.
    lower_is_better : bool or None
        As typed.

    Returns
    -------
    bool or None
        None where it cannot be told, or where name and direction contradict each other (`contradiction`).
    """
    if lower_is_better is None or contradiction(outcome, label, lower_is_better):
        return None
    senses = _senses(outcome, label)
    if "time" in senses or len(senses) == 1:
        return lower_is_better
    return None


def contradiction(outcome: str, label: str | None, lower_is_better: bool | None) -> bool:
    """Tell whether the direction can only be that of a time, not of the event's hazard.

    So it is where a longer time is called better (survival, time to relapse), and where the event is a good
    one and lower is called better: a shorter time to healing is a higher hazard of healing.
    """
    senses = _senses(outcome, label)
    if lower_is_better is None:
        return False
    if lower_is_better:
        return "good" in senses and "bad" not in senses
    return "time" in senses


def doubtful(outcome: str, label: str | None, lower_is_better: bool | None) -> bool:
    """Tell whether an event that is bad by its name is said to be better the more often it comes."""
    return lower_is_better is False and _senses(outcome, label) == {"bad"}


def _senses(outcome: str, label: str | None) -> set[str]:
    """Senses of the words in key and label: of time, bad, good."""
    text = " ".join(re.split(r"[\W_]+", f"{outcome} {label or ''}".casefold()))
    return {sense for sense, pattern in _patterns() if pattern.search(text)}


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for sense in ("time", "bad", "good"):
        words = [row for row in reference("event_word") if row["sense"] == sense]
        parts = [
            rf"\b{re.escape(str(row['word']))}\b" if row["whole"] == "true" else re.escape(str(row["word"]))
            for row in words
        ]
        found.append((sense, re.compile("|".join(parts))))
    return tuple(found)
