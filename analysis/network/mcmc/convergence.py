"""Have Markov chains converged? Numbers from arrays of draws alone, whatever library drew them."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
from scipy.special import fdtri, ndtri
from scipy.stats import rankdata

from analysis.network.data.network import Array

RHAT = 1.01
"""Largest rank-normalised split R-hat of chains that have converged (Vehtari et al. 2021)."""
ESS = 400.0
"""Least effective sample size, of the bulk and of the tails (Vehtari et al. 2021)."""
PSRF = 1.05
"""Largest potential scale reduction factor where that is the criterion."""

CRITERIA = {
    "rank-normalised": f"R-hat up to {RHAT:g}, bulk and tail ESS of {ESS:g} or more (Vehtari et al. 2021)",
    "psrf": f"potential scale reduction factor up to {PSRF:g} (Brooks and Gelman 1998; Ma et al. 2023)",
}
"""When chains count as converged."""


def split(chains: Array) -> Array:
    """Cut every chain in two halves, (2 m, n // 2); the middle draw of an odd number goes."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, chains.shape[1] - half :]])


def rank_normalised(chains: Array) -> Array:
    """Replace draws by normal scores of their ranks over all chains (Vehtari et al. 2021, eq. 14)."""
    rank = rankdata(chains, method="average").reshape(chains.shape)
    return ndtri((rank - 0.375) / (chains.size + 0.25))


def rhat(chains: Array) -> float:
    """Compute the rank-normalised split R-hat, of the bulk or of the tails, whichever is larger.

    Parameters
    ----------
    chains : (m, n) array

    Returns
    -------
    float
        Not a number where draws are not, or do not vary.

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner PC (2021). Rank-normalization, folding, and
    localization. Bayesian Analysis 16:667-718.
    """
    if not np.isfinite(chains).all() or np.ptp(chains) == 0:
        return float("nan")
    halves = split(chains)
    folded = np.abs(halves - np.median(halves))
    return max(_basic_rhat(rank_normalised(halves)), _basic_rhat(rank_normalised(folded)))


def _basic_rhat(chains: Array) -> float:
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    between = chains.mean(axis=1).var(ddof=1)
    return float(np.sqrt((n - 1) / n + between / within))


def effective_size(chains: Array) -> float:
    """Effective sample size of the mean, by Geyer's initial monotone sequence over all chains.

    Parameters
    ----------
    chains : (m, n) array
        Split already, if they are to be.

    Returns
    -------
    float
    """
    m, n = chains.shape
    if n < 4 or not np.isfinite(chains).all() or np.ptp(chains) == 0:
        return float("nan")
    centred = chains - chains.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :n].mean(0) / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (chains.mean(axis=1).var(ddof=1) if m > 1 else 0.0)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    last = (n - 1) // 2 - 1
    pairs = rho[0 : 2 * last : 2] + rho[1 : 2 * last + 1 : 2]
    stop = int(np.argmax(pairs < 0)) if (pairs < 0).any() else len(pairs)
    time = -1.0 + 2.0 * np.minimum.accumulate(pairs[:stop]).sum() + max(rho[2 * stop], 0.0)
    return float(m * n / max(time, 1.0 / log10(m * n)))


def ess_bulk(chains: Array) -> float:
    """Effective sample size of the bulk: of the rank-normalised split chains."""
    return effective_size(rank_normalised(split(chains)))


def ess_tail(chains: Array) -> float:
    """Effective sample size of the tails: the smaller of those of the 5 % and 95 % quantiles."""
    halves = split(chains)
    return min(effective_size((halves <= np.quantile(chains, q)).astype(float)) for q in (0.05, 0.95))


def mcse_mean(chains: Array) -> float:
    """Monte Carlo standard error of the mean."""
    return float(chains.std(ddof=1) / np.sqrt(effective_size(split(chains))))


def potential_scale_reduction(chains: Array) -> tuple[float, float]:
    """Compute the potential scale reduction factor with its 97.5 % upper limit.

    Parameters
    ----------
    chains : (m, n) array
        Two or more, burn-in removed.

    Returns
    -------
    point, upper : float

    References
    ----------
    Gelman A, Rubin DB (1992). Stat Sci 7:457-72; Brooks SP, Gelman A (1998). J Comput Graph Stat 7:434-55,
    with the correction (d + 3) / (d + 1) for the degrees of freedom d of the pooled variance.
    """
    m, n = chains.shape
    mean, variance = chains.mean(axis=1), chains.var(axis=1, ddof=1)
    within, between = variance.mean(), n * mean.var(ddof=1)
    if not within > 0:
        return float("nan"), float("nan")
    within_variance = variance.var(ddof=1) / m
    between_variance = 2.0 * between**2 / (m - 1)
    cross = np.cov(variance, mean**2)[0, 1] - 2.0 * mean.mean() * np.cov(variance, mean)[0, 1]
    grown = (1.0 + 1.0 / m) / n
    pooled = (n - 1) / n * within + grown * between
    pooled_variance = (
        ((n - 1) / n) ** 2 * within_variance
        + grown**2 * between_variance
        + 2.0 * (n - 1) / n * grown * n / m * cross
    )
    df = 2.0 * pooled**2 / pooled_variance
    correction = (df + 3.0) / (df + 1.0)
    random = grown * between / within
    quantile = fdtri(m - 1.0, 2.0 * within**2 / within_variance, 0.975)
    fixed = (n - 1) / n
    return float(np.sqrt(correction * (fixed + random))), float(
        np.sqrt(correction * (fixed + quantile * random))
    )


def psrf_by_iteration(chains: Array, points: int = 50) -> tuple[Array, Array, Array]:
    """Follow the potential scale reduction factor as the chains grow, the first half always discarded.

    The picture of Brooks and Gelman (1998), as in the review of Ma et al. (2023), Figure 7.

    Parameters
    ----------
    chains : (m, n) array
    points : int
        How many lengths, evenly spaced.

    Returns
    -------
    iteration : (q,) int array
    psrf, upper : (q,) array
    """
    n = chains.shape[1]
    lengths = np.unique(np.linspace(min(50, n), n, points).astype(int))
    found = np.array([potential_scale_reduction(chains[:, length // 2 : length]) for length in lengths])
    return lengths, found[:, 0], found[:, 1]


@dataclass(frozen=True)
class Diagnosis:
    """Diagnostics of one parameter."""

    parameter: str
    rhat: float
    ess_bulk: float
    ess_tail: float
    mcse: float
    psrf: float

    @classmethod
    def of(cls, parameter: str, chains: Array) -> Diagnosis:
        """Compute all of them from (m, n) draws."""
        return cls(
            parameter,
            rhat(chains),
            ess_bulk(chains),
            ess_tail(chains),
            mcse_mean(chains),
            potential_scale_reduction(chains[:, chains.shape[1] // 2 :])[0],
        )

    def converged(self, criterion: str) -> bool:
        """Say whether a criterion is met: ``rank-normalised`` (the default elsewhere) or ``psrf``."""
        if criterion == "psrf":
            return self.psrf <= PSRF
        return self.rhat <= RHAT and min(self.ess_bulk, self.ess_tail) >= ESS
