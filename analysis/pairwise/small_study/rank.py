"""Kendall's rank correlation with its test, in n log n.

As ``scipy.stats.kendalltau`` has it, to rounding (a test holds that): `scipy.stats` takes longer to load than
a whole pairwise analysis takes.

References
----------
Kendall MG (1970) Rank Correlation Methods, 4th ed., ch. 4-5. Knight WR (1966) J Am Stat Assoc 61:436-439.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

from analysis.pairwise.model.rows import Array
from evidence.system.memory import refuse_without_room


def kendall(x: Array, y: Array, exact: bool) -> tuple[float, float]:
    """Correlate two variables by ranks.

    Parameters
    ----------
    x, y : (n,) arrays
        n of at least 2.
    exact : bool
        The exact distribution of tau, for variables without ties; else the normal one.

    Returns
    -------
    (tau, p_value) : tuple of float
        Kendall's tau-b, and its two-sided p-value; both NaN where all values of a variable are tied.

    Raises
    ------
    RefusedError
        If there is no room for the exact distribution.
    """
    n = len(x)
    order = np.lexsort((y, x))
    ranks = np.unique(y, return_inverse=True)[1][order]
    all_pairs = n * (n - 1) // 2
    in_x, in_y = _tied(x), _tied(y)
    in_both = _tied(np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)[1].reshape(-1))
    if all_pairs in (in_x[0], in_y[0]):
        return float("nan"), float("nan")
    discordant = inversions(ranks)
    surplus = all_pairs - in_x[0] - in_y[0] + in_both[0] - 2 * discordant
    tau = surplus / sqrt(all_pairs - in_x[0]) / sqrt(all_pairs - in_y[0])
    tau = min(1.0, max(-1.0, tau))
    if exact:
        return tau, _exact(n, min(discordant, all_pairs - discordant))
    m = n * (n - 1.0)
    variance = (m * (2 * n + 5) - in_x[2] - in_y[2]) / 18 + 2 * in_x[0] * in_y[0] / m
    if n > 2:
        variance += in_x[1] * in_y[1] / (9 * m * (n - 2))
    return tau, erfc(abs(surplus) / sqrt(variance) / sqrt(2))


def _tied(values: Array) -> tuple[int, float, float]:
    """Tied pairs, and what else of the sizes t of ties the variance takes: t(t-1)(t-2) and t(t-1)(2t+5)."""
    sizes = np.unique(values, return_counts=True)[1]
    # Whole numbers, which do not fit 64 bits where very many are tied.
    t = sizes[sizes > 1].astype(float)
    pairs = t * (t - 1)
    return int(pairs.sum() // 2), float((pairs * (t - 2)).sum()), float((pairs * (2 * t + 5)).sum())


def inversions(ranks: Array) -> int:
    """Count pairs in which the larger stands first, merging sorted pieces of twice the length each time."""
    n = len(ranks)
    size = 1 << max(1, (n - 1).bit_length())
    last = int(ranks.max()) + 1
    pieces = np.concatenate([ranks, np.full(size - n, last)]).astype(np.int64)
    count = 0
    width = 1
    while width < size:
        halves = pieces.reshape(-1, 2, width)
        # Each piece in a range of its own: one search counts for all of them.
        shift = np.arange(len(halves))[:, None] * (last + 1)
        left, right = (halves[:, 0] + shift).ravel(), (halves[:, 1] + shift).ravel()
        below = np.searchsorted(left, right, side="right") - np.repeat(np.arange(len(halves)) * width, width)
        count += int((width - below).sum())
        width *= 2
        pieces = np.sort(pieces.reshape(-1, width), axis=1)
    return count


def _exact(n: int, least: int) -> float:
    """Two-sided p-value of `least` discordant (or concordant) pairs, whichever are fewer, without ties."""
    # The distribution of up to n (n - 1) / 4 inversions, three times.
    refuse_without_room(
        6.0 * n**2,
        f"The exact distribution of Kendall's tau of {n:,} effects",
        "Take the asymptotic one: exact=False.",
    )
    if 4 * least >= n * (n - 1):
        return 1.0
    # Shares of the orders of 1, 2, ... values by their inversions: each value adds 0 to (its place) of them.
    share = np.zeros(least + 1)
    share[0] = 1.0
    for place in range(2, n + 1):
        running = np.cumsum(share)
        running[place:] -= running[:-place].copy()
        share = running / place
    return float(min(1.0, 2 * share.sum()))
