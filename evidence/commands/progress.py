"""Progress of long work: on a terminal, and nowhere else."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evidence.system.progress import listening

_OF_SEVERAL = re.compile(r"(\d+)/(\d+) ")
"""How a step begins that is one of several: ``3/12 hba1c-metformin: pooling``."""


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is being done, on standard error, until the work ends.

    Beside it stand the time it has taken, and about how long what is left of the steps takes. Where it ends
    early, by an error or Ctrl-C, the line goes as it goes in the end.
    """
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("")

        def say(text: str) -> None:
            left = remaining(text, time.monotonic() - begun)
            shown.update(task, description=escape(f"{text} {left}".strip()))

        with listening(say):
            yield say


def remaining(step: str, elapsed: float) -> str:
    """Say how long the steps that are left take, if they take as long each as those before; or nothing.

    Parameters
    ----------
    step : str
        The step that begins now; one of several has its number first, ``3/12``.
    elapsed : float
        Seconds that the steps before have taken together.
    """
    found = _OF_SEVERAL.match(step)
    if found is None or (done := int(found[1]) - 1) < 1 or elapsed < 1:
        return ""
    left = elapsed / done * (int(found[2]) - done)
    return f"(about {left:.0f} s left)" if left < 90 else f"(about {left / 60:.0f} min left)"
