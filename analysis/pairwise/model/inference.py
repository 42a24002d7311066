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

import numpy as np

from analysis.pairwise.model.coefficients import Coefficients, coefficients, t_quantile
from analysis.pairwise.model.robust import cluster_robust
from analysis.pairwise.model.rows import Array, EffectRows, Solution
from analysis.verdict import LEAST_FOR_PREDICTION, NO_WIDTH
from evidence import facts

INTERVALS: dict[str, str] = facts.interval_methods("effect")
"""Confidence intervals of the random-effects model by name."""

PREDICTIONS: dict[str, str] = facts.interval_methods("prediction")
"""Prediction intervals by name; HK is metafor's after ``test = "knha"``, S is metafor's without it."""


def hartung_knapp_factor(solution: Solution, df: int, adhoc: bool = False) -> float:
    """Factor on the squared standard errors: the residual mean square at tau2; NaN if df is 0.

    Kept at 1 where effects agree so closely that the interval would have no width (`verdict.NO_WIDTH`).
    """
    if df < 1:
        return float("nan")
    factor = solution.residual_ss / df
    return max(1.0, factor) if adhoc or factor < NO_WIDTH else factor


def infer(
    rows: EffectRows,
    solution: Solution,
    ci: str = "Wald",
    level: float = 0.95,
    about: tuple[Solution, int] | None = None,
) -> Coefficients:
    """Intervals of a fit.

    Parameters
    ----------
    rows : EffectRows
        The data.
    solution : Solution
        The fit at the estimated tau2.
    ci : str
        One of `INTERVALS`.
    level : float
        Confidence level.
    about : (Solution, int), optional
        Fit whose residuals give Hartung and Knapp's factor, and its degrees of freedom; this one without it.
    """
    if ci == "CR2":
        return cluster_robust(rows, solution, level=level)
    if ci == "Wald":
        return coefficients(solution.beta, solution.covariance, np.inf, level)
    spread, df = about or (solution, rows.df)
    factor = hartung_knapp_factor(spread, df, adhoc=ci == "HK-adhoc")
    return coefficients(solution.beta, solution.covariance * factor, df, level)


def predict(
    rows: EffectRows,
    solution: Solution,
    variant: str,
    adhoc: bool = False,
    at: Array | None = None,
    level: float = 0.95,
    about: tuple[Solution, int] | None = None,
) -> tuple[float, float]:
    """Interval in which the true effect of a new study is expected.

    Parameters
    ----------
    rows : EffectRows
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
    about : (Solution, int), optional
        As in `infer`.

    Returns
    -------
    (lower, upper) : tuple of float
        NaN with fewer than three effects about one mean, whatever the variant.
    """
    x = np.eye(rows.p)[0] if at is None else np.asarray(at, float)
    centre = float(x @ solution.beta)
    variance = float(x @ solution.covariance @ x)
    spread, df = about or (solution, rows.df)
    if variant.startswith("HK"):
        variance *= hartung_knapp_factor(spread, df, adhoc)
    if rows.df < LEAST_FOR_PREDICTION - 1:
        return float("nan"), float("nan")
    return around(centre, solution.tau2 + variance, variant, df, level)


def around(
    centre: float, variance: float, variant: str, df: float, level: float = 0.95
) -> tuple[float, float]:
    """Give the ends of a prediction interval.

    Parameters
    ----------
    centre : float
        Mean of the true effects.
    variance : float
        Of the true effects about their mean and of its estimate, together.
    variant : str
        One of `PREDICTIONS`.
    df : float
        Residual degrees of freedom: k - 1 about one mean.
    level : float
        Coverage wanted.
    """
    if df < LEAST_FOR_PREDICTION - 1:
        return float("nan"), float("nan")
    degrees = {"S": np.inf, "HTS": df - 1, "HK-PR": df - 1}.get(variant, df)
    half = float(t_quantile(0.5 + level / 2, degrees)) * float(np.sqrt(variance))
    return centre - half, centre + half
