"""Estimates with their intervals and tests, and the tail probabilities behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise.model.rows import Array

SINGULAR = 1e-13
"""Smallest eigenvalue of a correlation matrix that can be told from 0."""


@dataclass(frozen=True)
class Coefficients:
    """Coefficients with their intervals.

    Attributes
    ----------
    estimate, std_error, ci_lower, ci_upper, statistic, p_value : (p,) arrays
        On the analysis scale; two-sided p-values.
    df : (p,) array
        Degrees of freedom of the t distribution, infinite for the normal one.
    covariance : (p, p) array
        Of the estimates, with the interval's own correction.
    """

    estimate: Array
    std_error: Array
    ci_lower: Array
    ci_upper: Array
    statistic: Array
    p_value: Array
    df: Array
    covariance: Array


def quadratic_form(estimate: Array, covariance: Array) -> float:
    """``b' C^-1 b``: NaN where the covariance leaves no such number, as where effects fit exactly.

    Coefficients are brought to one scale first, so that neither units nor sizes far apart decide.
    """
    scale = np.sqrt(np.diag(covariance))
    if not (np.isfinite(covariance).all() and (scale > 0).all()):
        return float("nan")
    whitened, values = covariance / scale / scale[:, None], estimate / scale
    if np.linalg.eigvalsh(whitened)[0] < SINGULAR:
        return float("nan")
    return float(values @ np.linalg.solve(whitened, values))


def t_quantile(probability: float, df: Array | float) -> Array:
    """Quantile of Student's t; the normal distribution's for infinite `df`, NaN where `df` is not above 0."""
    from scipy.special import ndtri, stdtrit

    df = np.asarray(df, float)
    finite = np.isfinite(df) & (df > 0)
    t = stdtrit(np.where(finite, df, 1.0), probability)
    return np.where(finite, t, np.where(df > 0, ndtri(probability), np.nan))


def t_p_value(statistic: Array, df: Array | float) -> Array:
    """Two-sided p-value of a t (or normal) statistic, exact far out in the tails."""
    from scipy.special import ndtr, stdtr

    df = np.asarray(df, float)
    low = -np.abs(np.asarray(statistic, float))
    finite = np.isfinite(df) & (df > 0)
    tail = np.where(finite, stdtr(np.where(finite, df, 1.0), low), ndtr(low))
    return np.where(df > 0, 2 * tail, np.nan)


def chi2_p_value(statistic: float, df: float) -> float:
    """Upper tail of the chi-squared distribution; NaN without degrees of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic)) if df > 0 else float("nan")


def f_p_value(statistic: float, df1: float, df2: float) -> float:
    """Upper tail of the F distribution; NaN without degrees of freedom."""
    from scipy.special import fdtrc

    return float(fdtrc(df1, df2, statistic)) if df1 > 0 and df2 > 0 else float("nan")


def coefficients(
    estimate: Array | float, covariance: Array | float, df: Array | float = np.inf, level: float = 0.95
) -> Coefficients:
    """Make intervals and tests from estimates, their covariance and their degrees of freedom."""
    estimate = np.atleast_1d(np.asarray(estimate, float))
    covariance = np.atleast_2d(np.asarray(covariance, float))
    std_error = np.sqrt(np.diag(covariance))
    df = np.broadcast_to(np.asarray(df, float), estimate.shape)
    half = t_quantile(0.5 + level / 2, df) * std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
    return Coefficients(
        estimate,
        std_error,
        estimate - half,
        estimate + half,
        statistic,
        t_p_value(statistic, df),
        df,
        covariance,
    )
