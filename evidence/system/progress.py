"""Progress of long work, told from where it is done to whoever shows it.

What shows progress (a terminal) stands far from the loops that take long. So a listener is set for a while,
and a loop that may take more than two seconds goes through `counted`, whoever called it; without a listener
that costs nothing. In a notebook, where nobody sets one, a line below the cell listens (`notebook.line`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

from evidence.system import notebook

T = TypeVar("T")

_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)

OFTEN = 0.5
"""Seconds between two messages of one loop."""
SURE = 2.0
"""Seconds of a loop before its remaining time is estimated."""


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[None]:
    """Send what is told within to a function that shows it."""
    before = _LISTENER.set(say)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def heard() -> Callable[[str], None]:
    """Give who listens: whoever was set, the line of a notebook, or nobody."""
    return _LISTENER.get() or notebook.line() or _nobody


def _nobody(text: str) -> None:
    """Hear nothing."""


def tell(text: str) -> None:
    """Say what is being done, if anybody listens."""
    heard()(text)


def counted(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Go through items, and tell how many are done and how long the others will take.

    Parameters
    ----------
    items : iterable
    total : int
        How many they are.
    what : str
        What is done to each: ``leaving out studies``.
    """
    if (say := heard()) is _nobody:
        yield from items
        return
    begin = last = monotonic()
    for done, item in enumerate(items):
        now = monotonic()
        if done and now - last >= OFTEN:
            last = now
            left = (now - begin) / done * (total - done)
            say(f"{what}: {done:,} of {total:,}" + (f", {_time(left)} left" if now - begin >= SURE else ""))
        yield item


def _time(seconds: float) -> str:
    """Write a time that is an estimate: 40 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"
