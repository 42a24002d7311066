"""From a weighted least-squares fit to intervals, tests and predictions, each variant by its name.

References
----------
Hartung J, Knapp G (2001) Stat Med 20:3875-3889; Sidik K, Jonkman JN (2002) Stat Med 21:3153-3159 (HK). Knapp
G, Hartung J (2003) Stat Med 22:2693-2710 (meta-regression, and the ad hoc correction that never lets the
factor fall below 1). Higgins JPT, Thompson SG, Spiegelhalter DJ (2009) J R Stat Soc A 172:137-159 (HTS).
Veroniki AA et al. (2019) Res Synth Methods 10:23-43 (V). Partlett C, Riley RD (2017) Stat Med 36:301-317
(HK-PR). Skipka G (2006) (S).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise.rows import Array, Rows, Solution

INTERVALS: dict[str, str] = {
    "Wald": "Wald, normal quantiles",
    "HK": "Hartung-Knapp, t with k - p degrees of freedom",
    "HK-adhoc": "Hartung-Knapp, its factor not below 1, t with k - p degrees of freedom",
    "CR2": "cluster-robust by study (CR2), t with Satterthwaite degrees of freedom",
}
"""Confidence intervals of the random-effects model by name."""

PREDICTIONS: dict[str, str] = {
    "HTS": "Higgins-Thompson-Spiegelhalter: t with k - 2 degrees of freedom, classic standard error",
    "V": "Veroniki: t with k - 1 degrees of freedom, classic standard error",
    "HK": "Hartung-Knapp: t with k - 1 degrees of freedom, Hartung-Knapp standard error",
    "HK-PR": "Partlett-Riley: t with k - 2 degrees of freedom, Hartung-Knapp standard error",
    "S": "normal quantiles, classic standard error",
}
"""Prediction intervals by name; HK is metafor's after ``test = "knha"``, S is metafor's without it."""


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


def hartung_knapp_factor(solution: Solution, df: int, adhoc: bool = False) -> float:
    """Factor on the squared standard errors: the residual mean square at tau2; NaN if df is 0."""
    if df < 1:
        return float("nan")
    factor = solution.residual_ss / df
    return max(1.0, factor) if adhoc else factor


def infer(rows: Rows, solution: Solution, ci: str = "Wald", level: float = 0.95) -> Coefficients:
    """Intervals of a fit.

    Parameters
    ----------
    rows : Rows
        The data.
    solution : Solution
        The fit at the estimated tau2.
    ci : str
        One of `INTERVALS`.
    level : float
        Confidence level.
    """
    if ci == "CR2":
        from analysis.pairwise.dependence import cluster_robust

        return cluster_robust(rows, solution, level=level)
    if ci == "Wald":
        return coefficients(solution.beta, solution.covariance, np.inf, level)
    factor = hartung_knapp_factor(solution, rows.df, adhoc=ci == "HK-adhoc")
    return coefficients(solution.beta, solution.covariance * factor, rows.df, level)


def predict(
    rows: Rows,
    solution: Solution,
    variant: str,
    adhoc: bool = False,
    at: Array | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval in which the true effect of a new study is expected.

    Parameters
    ----------
    rows : Rows
        The data.
    solution : Solution
        The fit at the estimated tau2.
    variant : str
        One of `PREDICTIONS`.
    adhoc : bool
        Whether the Hartung-Knapp factor is kept from falling below 1.
    at : (p,) array, optional
        Row of the design; an intercept's without it.
    level : float
        Coverage wanted.

    Returns
    -------
    (lower, upper) : tuple of float
        NaN where there are not enough studies for the variant's degrees of freedom.
    """
    x = np.eye(rows.p)[0] if at is None else np.asarray(at, float)
    centre = float(x @ solution.beta)
    variance = float(x @ solution.covariance @ x)
    if variant.startswith("HK"):
        variance *= hartung_knapp_factor(solution, rows.df, adhoc)
    df = {"S": np.inf, "HTS": rows.df - 1, "HK-PR": rows.df - 1}.get(variant, rows.df)
    half = float(t_quantile(0.5 + level / 2, df)) * np.sqrt(solution.tau2 + variance)
    return centre - half, centre + half
