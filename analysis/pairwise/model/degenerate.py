"""Numbers that do not determine what was asked for: a reason, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from evidence.errors import RefusedError

EXTREME_RATIO = 1e7
"""Largest over smallest sampling variance from which results are not to be trusted (metafor's limit)."""

FAILURES = (np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError)
"""What arithmetic raises where equations have no solution, or none that can be told from others."""


@contextmanager
def determined(what: str) -> Iterator[None]:
    """Refuse `what` where the arithmetic inside fails; also a decorator.

    Raises
    ------
    RefusedError
        In place of the error of the linear algebra.
    """
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            yield
    except FAILURES as error:
        raise RefusedError(
            f"{what}: these effects do not determine it. Effects that fit exactly, or standard errors many "
            "powers of ten apart, leave its equations without a solution: check the units."
        ) from error
