"""Ranking, the same for every engine.

SUCRA of a treatment is the mean of its cumulative ranking probabilities (Salanti et al. 2011), which equals
the mean over its competitors of the probability of being better (Rücker and Schwarzer 2015: the P-score is
its frequentist twin). So it needs probabilities of pairs only, no simulation. Rank 1 is the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from analysis.network.data.network import Array, Network

if TYPE_CHECKING:
    import pandas as pd

NO_DIRECTION = (
    "Treatments are not ranked: the outcome does not say whether lower or higher values are better. "
    "Fill in lower_is_better for it in outcomes.csv."
)
"""Remark where an outcome has no direction of benefit."""


def benefit(net: Network) -> float | None:
    """Sign that makes a larger effect the better one: -1 where lower is better; None without a direction."""
    if net.lower_is_better is None:
        return None
    return -1.0 if net.lower_is_better else 1.0


def pair_matrix(n: int, treatment: Array, versus: Array, better: Array) -> Array:
    """Arrange probabilities of pairs in a matrix.

    Parameters
    ----------
    n : int
        Number of treatments.
    treatment, versus : (m,) int arrays
        All pairs, each once.
    better : (m,) array
        Probability that `treatment` is better than `versus`.

    Returns
    -------
    (n, n) array
        Row better than column; 0 on the diagonal.
    """
    matrix = np.zeros((n, n))
    matrix[treatment, versus] = better
    matrix[versus, treatment] = 1.0 - np.asarray(better)
    return matrix


def sucra(better: Array) -> Array:
    """Surface under the cumulative ranking curve, from the probabilities that row is better than column.

    Parameters
    ----------
    better : (T, T) array

    Returns
    -------
    (T,) array
        0 (certainly the worst) to 1 (certainly the best).
    """
    n = len(better)
    return (better.sum(1) - np.diagonal(better)) / (n - 1)


def mean_rank(sucra: Array) -> Array:
    """Mean rank, 1 to T, that belongs to each SUCRA."""
    return 1.0 + (len(sucra) - 1) * (1.0 - sucra)


def p_score(effect: Array, std_error: Array, lower_is_better: bool) -> Array:
    """P-scores from estimates and their standard errors.

    Rücker and Schwarzer 2015, doi:10.1186/s12874-015-0060-8.

    Parameters
    ----------
    effect, std_error : (T, T) array
        Row minus column.
    lower_is_better : bool

    Returns
    -------
    (T,) array
    """
    sign = -1.0 if lower_is_better else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        better = ndtr(sign * effect / std_error)
    return sucra(np.where(np.eye(len(effect), dtype=bool), 0.0, better))


def poth(sucra: Array) -> float:
    """Precision of the treatment hierarchy: 0 where all treatments tie, 1 where their order is certain.

    The variance of the SUCRAs (or P-scores) over the largest they can have, (T + 1) / (12 (T - 1)) (Wigle et
    al. 2025, arXiv:2501.11596).

    Parameters
    ----------
    sucra : (T,) array

    Returns
    -------
    float
    """
    n = len(sucra)
    return float(np.mean((np.asarray(sucra) - 0.5) ** 2) * 12.0 * (n - 1) / (n + 1))


def canonical(effect: Array, factor: Array) -> tuple[Array, Array]:
    """Order treatments and the root of their covariance by the effects alone.

    Draws made with it do not depend on names, on the order of treatments or on the reference: the lowest
    effect comes first, and what is drawn are the differences from it.

    Parameters
    ----------
    effect : (T,) array
        By which to order.
    factor : (J, T, p) array
        Any square roots: the covariance of the effects is ``factor @ factor'``.

    Returns
    -------
    order : (T,) int array
    root : (J, T, T - 1) array
        Lower triangular with a positive diagonal but for a first row of zeros; rows in that order.
    """
    order = np.argsort(effect, kind="stable")
    difference = factor[:, order[1:]] - factor[:, order[:1]]
    upper = np.linalg.qr(difference.swapaxes(1, 2)).R
    signs = np.where(np.diagonal(upper, axis1=1, axis2=2) < 0, -1.0, 1.0)
    lower = (upper * signs[:, :, None]).swapaxes(1, 2)
    return order, np.concatenate([np.zeros_like(lower[:, :1]), lower], axis=1)


MOST_COMPARED = 40
"""Treatments up to which each is compared with each other, draw by draw."""


def rank_probabilities(draws: Array, lower_is_better: bool) -> Array:
    """Share of draws in which each treatment holds each rank.

    Parameters
    ----------
    draws : (N, T) array
        Effects of all treatments against a common comparator (the reference's own column is 0).
    lower_is_better : bool

    Returns
    -------
    (T, T) array
        Row: treatment; column: rank, the best first. Rows and columns sum to 1.
    """
    size, n = draws.shape
    effect = np.ascontiguousarray((draws if lower_is_better else -draws).T)
    if n > MOST_COMPARED:
        order = np.argsort(effect, axis=0)
        return np.stack([np.bincount(at, minlength=n) for at in order], axis=1) / size
    # How many are better: far cheaper than sorting where treatments are few.
    rank = np.zeros((n, size), dtype=np.uint8)
    for i in range(n):
        for j in range(i):
            better = effect[j] <= effect[i]
            rank[i] += better
            rank[j] += ~better
    return np.stack([np.bincount(ranks, minlength=n) for ranks in rank]) / size


def sampling_error(probability: Array, n: int) -> Array:
    """Estimate the standard error of a share of n independent draws.

    One success and one failure are added (Agresti and Coull), because a rank that was never drawn is not
    impossible.
    """
    shrunk = (np.asarray(probability) * n + 1.0) / (n + 2.0)
    return np.sqrt(shrunk * (1.0 - shrunk) / n)


def best_first(score: Array | Sequence[float]) -> Array:
    """Positions of scores, the highest first; those that differ by rounding only stay in their order.

    Parameters
    ----------
    score : (T,) array or sequence of float

    Returns
    -------
    (T,) int array
    """
    return np.argsort(-np.round(np.asarray(score, dtype=float), 9), kind="stable")


def order(ranking: pd.DataFrame, model: str) -> list[str]:
    """Treatments from a table ``ranking``, the best first by SUCRA, or by P-score where there is none."""
    rows = ranking[ranking["model"] == model]
    score = rows["sucra"].where(rows["sucra"].notna(), rows["p_score"])
    return rows["treatment"].iloc[best_first(score.to_numpy())].tolist()
