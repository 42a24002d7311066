"""Small-study effects: tests of funnel asymmetry, trim and fill, PET-PEESE, and the data of funnel plots.

None of these shows publication bias: small studies may differ for other reasons, and with fewer than ten
studies the tests have little power (Sterne JAC et al. 2011, BMJ 343:d4002).

References
----------
Egger M et al. (1997) BMJ 315:629-634; Sterne JAC, Egger M (2005) in Rothstein HR et al. (eds), Publication
Bias in Meta-Analysis, ch. 6. Begg CB, Mazumdar M (1994) Biometrics 50:1088-1101. Peters JL et al. (2006) JAMA
295:676-680. Harbord RM, Egger M, Sterne JAC (2006) Stat Med 25:3443-3457. Pustejovsky JE, Rodgers MA (2019)
Res Synth Methods 10:57-71 (standardised mean differences). Duval S, Tweedie R (2000) Biometrics 56:455-463; J
Am Stat Assoc 95:89-98. Stanley TD, Doucouliagos H (2014) Res Synth Methods 5:60-78 (PET-PEESE). Peters JL et
al. (2008) J Clin Epidemiol 61:991-996 (contours).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import Coefficients, coefficients, t_p_value
from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.model.inference import infer
from analysis.pairwise.model.rows import Array, EffectRows, Solution
from analysis.pairwise.small_study.rank import kendall
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

LEAST_EFFECTS = 10
"""Effects without which corrections and rank tests are not given (Sterne et al. 2011)."""

OF_ARMS = "sqrt(1/n1+1/n2)"
"""Predictor of the sizes of both arms, which does not hold the effect (Pustejovsky and Rodgers 2019)."""

PREDICTORS: dict[str, Callable[[Array, Array], Array]] = {
    "se": lambda v, n: np.sqrt(v),
    "variance": lambda v, n: v,
    "n": lambda v, n: n,
    "1/n": lambda v, n: 1 / n,
    "sqrt(n)": lambda v, n: np.sqrt(n),
    "1/sqrt(n)": lambda v, n: 1 / np.sqrt(n),
    OF_ARMS: lambda v, n: np.sqrt(n),
}
"""What an effect may be regressed on, from its variance and the study's total n."""


EXACT_BELOW = 50
"""Effects from which Begg's test takes the normal distribution, as R's does: nothing differs by then."""


@dataclass(frozen=True)
class Asymmetry:
    """A test of funnel asymmetry by regression.

    Attributes
    ----------
    method : str
        Its name.
    slope : Coefficients
        Of the predictor (the bias coefficient), with its test.
    limit : Coefficients
        Effect where the predictor is 0 (for n: meaningless).
    tau2 : float
        Residual between-study variance; NaN for multiplicative error.
    k : int
        Effects used.
    """

    method: str
    slope: Coefficients
    limit: Coefficients
    tau2: float
    k: int


def _split(all_of_them: Coefficients, index: int) -> Coefficients:
    part = {name: value[[index]] for name, value in all_of_them.__dict__.items() if name != "covariance"}
    return Coefficients(**part, covariance=all_of_them.covariance[[index]][:, [index]])


def _few(k: int, least: int, what: str) -> None:
    if k < least:
        raise RefusedError(f"{what} needs at least {least} effects; there are {k}.")


def _weighted_regression(y: Array, x: Array, v: Array, method: str, strata: Array | None = None) -> Asymmetry:
    """Regress y on x, weights 1 / v, error variance a free multiple of v; t with k - 2 degrees of freedom.

    With `strata` each of them has its intercept: k - 1 degrees of freedom less one for each.
    """
    groups = np.zeros(len(y), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    intercepts = (groups[:, None] == np.arange(groups.max() + 1)).astype(float)
    _few(len(y), intercepts.shape[1] + 2, method)
    _varies(x, method)
    rows = EffectRows.of(y, v, np.column_stack([intercepts[:, 0], x, intercepts[:, 1:]]))
    solution = rows.profile.solve(0.0)
    both = coefficients(solution.beta, solution.covariance * solution.residual_ss / rows.df, rows.df)
    return Asymmetry(method, _split(both, 1), _split(both, 0), float("nan"), len(y))


def _varies(x: Array, method: str) -> None:
    if np.ptp(x) <= 1e-12 * np.abs(x).max():
        raise RefusedError(
            f"{method}: all studies are equally precise, so nothing can be regressed on precision."
        )


@determined("Egger's test")
def egger(
    y: Array,
    v: Array,
    model: str = "multiplicative",
    predictor: str = "se",
    n: Array | None = None,
    tau2: str | float = "REML",
    ci: str = "Wald",
    strata: Array | None = None,
) -> Asymmetry:
    """Regress the effects on their standard errors (or another measure of precision).

    Parameters
    ----------
    y, v : (k,) arrays
        Effects and sampling variances.
    model : {"multiplicative", "additive"}
        Multiplicative: weights 1 / v, error variance a free multiple, t with k - 2 degrees of freedom. With
        ``predictor="se"`` this is Egger's regression of y / se on 1 / se, whose intercept is this slope.
        Additive: meta-regression with a between-study variance (what ``regtest`` of metafor does unless told
        otherwise).
    predictor : str
        One of `PREDICTORS`.
    n : (k,) array, optional
        Total number of animals or participants, for predictors made of it; for sqrt(1/n1+1/n2) what stands
        under the root.
    tau2, ci : str or float, str
        Of the additive model: estimator of the residual between-study variance or its value; interval.
    strata : (k,) array, optional
        Of the multiplicative model: groups that have an intercept of their own, whose number the degrees of
        freedom are fewer by; the intercept in the answer is then the first one's.
    """
    if predictor not in PREDICTORS:
        raise CallError(f"There is no predictor {predictor!r}; there are {', '.join(PREDICTORS)}.")
    if "n" in predictor and predictor != "variance" and (n is None or not np.isfinite(n).all()):
        raise RefusedError(f"The predictor {predictor} needs the number of participants of every study.")
    x = PREDICTORS[predictor](np.asarray(v, float), np.asarray(v if n is None else n, float))
    if model == "multiplicative":
        return _weighted_regression(y, x, v, f"Egger, multiplicative error, on {predictor}", strata)
    if model != "additive":
        raise CallError(f"There is no model {model!r}; there are multiplicative, additive.")
    method = f"Egger, additive error, on {predictor}"
    _few(len(y), 3, method)
    _varies(x, method)
    rows = EffectRows.of(y, v, np.column_stack([np.ones(len(y)), x]))
    between = between_studies.estimate(rows, tau2) if isinstance(tau2, str) else tau2
    both = infer(rows, rows.profile.solve(between), ci)
    return Asymmetry(method, _split(both, 1), _split(both, 0), between, len(y))


@dataclass(frozen=True)
class RankTest:
    """A rank correlation: Kendall's tau, its p-value, and whether the p-value is exact."""

    tau: float
    p_value: float
    exact: bool
    k: int


@determined("Begg's test")
def begg(y: Array, v: Array, exact: bool | None = None) -> RankTest:
    """Correlate the standardised effects with their variances by ranks (Begg and Mazumdar 1994).

    Parameters
    ----------
    y, v : (k,) arrays
        Effects and sampling variances.
    exact : bool, optional
        Exact distribution of Kendall's tau; where there are no ties and fewer than 50 effects without it.
    """
    _few(len(y), 3, "Begg's test")
    y, v = np.asarray(y, float), np.asarray(v, float)
    weight = 1 / v
    mean = np.sum(weight * y) / np.sum(weight)
    standardised = (y - mean) / np.sqrt(v - 1 / np.sum(weight))
    # What differs by rounding only is tied, or the result would depend on the unit. Standardised effects are
    # differences: their rounding error is that of the largest, also where they are 0.
    largest = np.abs(standardised).max() or 1.0
    ranked = [
        np.round(standardised / largest, 12),
        np.array([float(f"{value:.12g}") for value in v]),
    ]
    ties = any(len(np.unique(values)) < len(values) for values in ranked)
    use_exact = not ties and len(y) < EXACT_BELOW if exact is None else exact and not ties
    tau, p_value = kendall(ranked[0], ranked[1], use_exact)
    return RankTest(tau, p_value, use_exact, len(y))


@determined("Peters' test")
def peters(y: Array, events: Array, total: Array) -> Asymmetry:
    """Regress the log odds ratio on 1 / n, weights ``1 / (1 / events + 1 / non-events)`` (Peters 2006).

    Parameters
    ----------
    y : (k,) array
        Log odds ratios.
    events, total : (k,) arrays
        Events and participants of both arms together.
    """
    some = (events > 0) & (events < total)
    events, total = events[some], total[some]
    return _weighted_regression(y[some], 1 / total, 1 / events + 1 / (total - events), "Peters, on 1/n")


@determined("Harbord's test")
def harbord(a: Array, n1: Array, c: Array, n2: Array) -> Asymmetry:
    """Regress the score over its standard deviation on that deviation: the intercept is the bias.

    The score stands for the log odds ratio near 0 only: elsewhere it depends on the deviation without any
    bias.

    Parameters
    ----------
    a, n1, c, n2 : (k,) arrays
        Events and participants under treatment and comparator.
    """
    events, total = a + c, n1 + n2
    some = (events > 0) & (events < total)
    a, n1, events, total = a[some], n1[some], events[some], total[some]
    score = a - n1 * events / total
    variance = n1 * (total - n1) * events * (total - events) / (total**2 * (total - 1))
    return _weighted_regression(
        score / variance, 1 / np.sqrt(variance), 1 / variance, "Harbord, score on its sd"
    )


@dataclass(frozen=True)
class TrimFill:
    """Trim and fill.

    Attributes
    ----------
    missing : int
        Estimated number of missing studies.
    std_error : float
        Of that number.
    side : {"left", "right"}
        Side of the funnel on which they are missing.
    estimator : {"L0", "R0"}
        Which was used.
    y, v : arrays
        The observed effects and variances followed by those filled in.
    solution, tau2 : Solution, float
        The model fitted to them.
    """

    missing: int
    std_error: float
    side: str
    estimator: str
    y: Array
    v: Array
    solution: Solution
    tau2: float


@determined("Trim and fill")
def trim_fill(
    y: Array, v: Array, method: str | float | None = "REML", estimator: str = "L0", side: str | None = None
) -> TrimFill:
    """Trim the studies without counterpart, estimate the centre, and mirror them (Duval and Tweedie 2000).

    Parameters
    ----------
    y, v : (k,) arrays
        Effects and sampling variances.
    method : str, float or None
        Estimator of tau2 or its value; None for the common-effect model.
    estimator : {"L0", "R0"}
        Of the number of missing studies.
    side : {"left", "right"}, optional
        Where studies are missing; by the sign of Egger's slope (in the same model) without it.

    Raises
    ------
    CallError
        If estimator or side is not known.
    """
    if estimator not in ("L0", "R0"):
        raise CallError(f"There is no estimator {estimator!r}; there are L0, R0.")
    if side not in (None, "left", "right"):
        raise CallError(f"There is no side {side!r}; there are left, right.")
    _few(len(y), 3, "Trim and fill")
    y, v = np.asarray(y, float), np.asarray(v, float)

    def between(rows: EffectRows) -> float:
        if isinstance(method, str):
            return between_studies.estimate(rows, method) if rows.df > 0 else 0.0
        return method or 0.0

    def centre(effects: Array, variances: Array) -> tuple[Solution, float]:
        rows = EffectRows.of(effects, variances)
        tau2 = between(rows)
        return rows.profile.solve(tau2), tau2

    if side is None:
        _varies(np.sqrt(v), "Egger's slope")
        rows = EffectRows.of(y, v, np.column_stack([np.ones(len(y)), np.sqrt(v)]))
        side = "right" if rows.profile.solve(between(rows)).beta[1] < 0 else "left"
    sign = -1.0 if side == "right" else 1.0
    order = np.argsort(sign * y, kind="stable")
    effect, variance = sign * y[order], v[order]
    k = len(y)
    missing, before = 0, -1
    seen = []
    while missing != before and missing not in seen:
        seen.append(before)
        before = missing
        middle = centre(effect[: k - missing], variance[: k - missing])[0].beta[0]
        missing, std_error = _count_missing(effect - middle, estimator)
        missing = min(missing, k - 2)
    middle = centre(effect[: k - missing], variance[: k - missing])[0].beta[0]
    filled = sign * (2 * middle - effect[k - missing :])
    full_y = np.concatenate([y, filled])
    full_v = np.concatenate([v, variance[k - missing :]])
    solution, tau2 = centre(full_y, full_v)
    return TrimFill(missing, std_error, side, estimator, full_y, full_v, solution, tau2)


def _count_missing(centred: Array, estimator: str) -> tuple[int, float]:
    """Estimate how many studies are missing, and the standard error of that number."""
    k = len(centred)
    rank = np.empty(k)
    rank[np.argsort(np.abs(centred), kind="stable")] = np.arange(1, k + 1)
    signed = np.sign(centred) * rank
    if estimator == "R0":
        below = -signed[signed < 0]
        missing = max(0, int(k - below.max() - 1)) if len(below) else max(0, k - 1)
        return missing, float(np.sqrt(2 * max(0, missing) + 2))
    total = float(signed[signed > 0].sum())
    estimate = (4 * total - k * (k + 1)) / (2 * k - 1)
    missing, m = max(0, int(np.rint(estimate))), estimate
    variance = (
        k * (k + 1) * (2 * k + 1) + 10 * m**3 + 27 * m**2 + 17 * m - 18 * k * m**2 - 18 * k * m + 6 * k**2 * m
    ) / 24
    return missing, float(4 * np.sqrt(max(variance, 0.0)) / (2 * k - 1))


@dataclass(frozen=True)
class PetPeese:
    """Precision-effect test and precision-effect estimate with standard error.

    Attributes
    ----------
    pet, peese : Coefficients
        Effect of a study with standard error 0, regressing on the standard error and on the variance.
    pet_slope, peese_slope : Coefficients
        Of the predictor.
    chosen : {"PET", "PEESE"}
        PEESE where PET's one-sided test of an effect in its own direction has p < 0.05, else PET.
    """

    pet: Coefficients
    peese: Coefficients
    pet_slope: Coefficients
    peese_slope: Coefficients
    chosen: str


@determined("PET-PEESE")
def pet_peese(y: Array, v: Array) -> PetPeese:
    """Extrapolate to a study without sampling error (Stanley and Doucouliagos 2014)."""
    pet = _weighted_regression(y, np.sqrt(v), v, "PET")
    peese = _weighted_regression(y, np.asarray(v, float), v, "PEESE")
    mean = np.average(y, weights=1 / np.asarray(v))
    one_sided = float(t_p_value(pet.limit.statistic, pet.limit.df)[0]) / 2
    same_direction = pet.limit.estimate[0] * mean > 0
    chosen = "PEESE" if same_direction and one_sided < 0.05 else "PET"
    return PetPeese(pet.limit, peese.limit, pet.slope, peese.slope, chosen)


def contours(
    largest: float, centre: float, levels: tuple[float, ...] = (0.9, 0.95, 0.99), points: int = 100
) -> pd.DataFrame:
    """Limits of a funnel plot: about no effect (contours of significance) and about the pooled effect.

    Parameters
    ----------
    largest : float
        Largest standard error to be drawn.
    centre : float
        Pooled effect; its pseudo confidence limits are 95 %.
    levels : tuple of float
        Confidence levels of the contours.
    points : int
        Per line.

    Returns
    -------
    DataFrame
        kind ("contour", "pseudo confidence limit"), level, std_error, lower, upper.
    """
    import pandas as pd
    from scipy.special import ndtri

    std_error = np.linspace(0, largest, points)
    parts = [("contour", level, 0.0) for level in levels] + [("pseudo confidence limit", 0.95, centre)]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "kind": kind,
                    "level": level,
                    "std_error": std_error,
                    "lower": middle - ndtri(0.5 + level / 2) * std_error,
                    "upper": middle + ndtri(0.5 + level / 2) * std_error,
                }
            )
            for kind, level, middle in parts
        ],
        ignore_index=True,
    )
