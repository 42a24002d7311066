"""Many subsets of the rows at once: leave one out, cumulative, and what each study does to the result.

References
----------
Viechtbauer W, Cheung MW-L (2010) Res Synth Methods 1:112-125 (influence). Baujat B et al. (2002) Stat Med
21:2641-2652.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import t_p_value, t_quantile
from analysis.pairwise.model.parts import Parts, Stretches, some_of
from analysis.pairwise.model.rows import LARGE, Array, EffectRows
from analysis.verdict import NO_WIDTH

_CELLS = 1 << 16
"""Cells of the mask worked on at once: few enough for the processor's cache, several times faster."""

MANY = 512
"""Studies from which on parts are stretches of the rows (`parts`), and no cell of a mask is written."""

_AT_ONCE = 1 << 24
"""Cells of the mask worked on at once where every pass over the rows serves all subsets."""


@dataclass(frozen=True)
class Subsets:
    """Fits to m subsets.

    Attributes
    ----------
    tau2, q, i2, h2 : (m,) arrays
        Heterogeneity; `q` is Cochran's.
    beta : (m, p) array
        Coefficients.
    covariance : (m, p, p) array
        ``(X'WX)^-1``.
    residual_ss : (m,) array
        Weighted residual sum of squares at tau2.
    df : (m,) array
        Residual degrees of freedom.
    """

    tau2: Array
    beta: Array
    covariance: Array
    q: Array
    residual_ss: Array
    df: Array
    i2: Array
    h2: Array

    def intervals(self, ci: str, level: float = 0.95, column: int = 0) -> tuple[Array, Array, Array, Array]:
        """Give standard error, ends of the interval and p-value of one coefficient, each (m,)."""
        variance = self.covariance[:, column, column]
        df = np.full(len(variance), np.inf)
        if ci.startswith("HK"):
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = np.where(self.df > 0, self.residual_ss / self.df, np.nan)
            kept = (ci == "HK-adhoc") | (factor < NO_WIDTH)
            variance = variance * np.where(kept, np.maximum(1, factor), factor)
            df = np.where(self.df > 0, self.df, np.nan)
        std_error = np.sqrt(variance)
        half = t_quantile(0.5 + level / 2, df) * std_error
        estimate = self.beta[:, column]
        with np.errstate(divide="ignore", invalid="ignore"):
            p_value = t_p_value(estimate / std_error, df)
        return std_error, estimate - half, estimate + half, p_value


def fit_subsets(rows: EffectRows, mask: Array, method: str | float | None) -> Subsets:
    """Fit the common-effect (no method) or the random-effects model to subsets of the rows.

    Parameters
    ----------
    rows : EffectRows
        All rows.
    mask : (m, n) array
        1 where a row belongs to a subset.
    method : str, float or None
        One of `tau2.METHODS`, or the value of tau2.

    Returns
    -------
    Subsets
        NaN where a subset has fewer rows than coefficients, or its design is singular. A subset with as many
        rows as coefficients is fitted without between-study variance; its tau2 is NaN.
    """
    step = max(1, (_CELLS if rows.n < LARGE else _AT_ONCE) // max(rows.n, 1))
    parts = [
        _fit(rows, np.asarray(mask[start : start + step], float), method)
        for start in range(0, len(mask), step)
    ]
    return parts[0] if len(parts) == 1 else _stack(parts)


def _stack(parts: list[Subsets]) -> Subsets:
    return Subsets(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in parts[0].__dict__}
    )


def _fit(rows: EffectRows, mask: Parts, method: str | float | None) -> Subsets:
    profile, p = rows.profile, rows.p
    m = len(mask)
    count = mask.sum(1)
    usable = count >= p
    if p > 1 and usable.any():
        outer = (profile.basis[:, :, None] * profile.basis[:, None, :]).reshape(rows.n, -1)
        weighted = (mask @ (outer / profile.v[:, None])).reshape(-1, p, p)
        spread = np.linalg.eigvalsh(weighted)
        usable &= spread[:, 0] > 1e-12 * spread[:, -1]
    out = {
        name: np.full(shape, np.nan)
        for name, shape in {
            "tau2": (m,), "beta": (m, p), "covariance": (m, p, p), "q": (m,), "residual_ss": (m,),
            "df": (m,), "i2": (m,), "h2": (m,),
        }.items()
    }  # fmt: skip
    out["df"] = count - p
    if usable.any():
        chosen = some_of(mask, np.flatnonzero(usable))
        zero = profile.sums(0.0, chosen)
        if isinstance(method, str):
            tau2 = between_studies.estimates(profile, method, chosen)
        else:
            tau2 = np.full(len(chosen), method or 0.0)
        # A subset that cannot tell a between-study variance is fitted without one.
        sums = zero if method is None else profile.sums(np.nan_to_num(tau2) / profile.unit2, chosen, order=1)
        back = np.linalg.inv(profile.triangle)
        df = out["df"][usable]
        out["tau2"][usable] = tau2
        out["beta"][usable] = (profile.start + sums.shift) @ back.T * profile.unit
        out["covariance"][usable] = back @ sums.inverse @ back.T * profile.unit2
        out["q"][usable] = zero.q
        out["residual_ss"][usable] = sums.q
        with np.errstate(divide="ignore", invalid="ignore"):
            if method is None:
                out["i2"][usable] = np.where(df > 0, np.maximum(0, 1 - df / zero.q), np.nan)
                out["h2"][usable] = np.where(df > 0, zero.q / df, np.nan)
            else:
                ratio = tau2 / profile.unit2 * zero.trace_p / df
                out["i2"][usable] = ratio / (1 + ratio)
                out["h2"][usable] = 1 + ratio
    return Subsets(**out)


def leave_out(rows: EffectRows, method: str | float | None) -> Subsets:
    """Fit without each study in turn; entry i is without study i."""
    studies = int(rows.study.max()) + 1
    if studies >= MANY:
        return _fit(rows, Stretches.without_each(rows.study), method)
    step = max(1, _CELLS // rows.n)
    parts = []
    for start in range(0, studies, step):
        left_out = np.arange(start, min(start + step, studies))
        parts.append(_fit(rows, (rows.study[None, :] != left_out[:, None]).astype(float), method))
    return _stack(parts)


def cumulative(rows: EffectRows, order: Array, method: str | float | None) -> Subsets:
    """Fit to the first, the first two, ... studies.

    Parameters
    ----------
    order : (studies,) int array
        Numbers of the studies in the order in which they enter.
    """
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    if len(order) >= MANY:
        return _fit(rows, Stretches.up_to_each(rank[rows.study]), method)
    step = max(1, _CELLS // rows.n)
    parts = []
    for start in range(0, len(order), step):
        last = np.arange(start, min(start + step, len(order)))
        parts.append(_fit(rows, (rank[rows.study][None, :] <= last[:, None]).astype(float), method))
    return _stack(parts)


@dataclass(frozen=True)
class Influence:
    """What each study does to the fit (Viechtbauer and Cheung 2010); every array has one entry per study.

    Attributes
    ----------
    rstudent : array
        Externally standardised residual; NaN for studies with several rows.
    dffits : array
        Change of the study's predicted effect without it, in standard errors; NaN for studies with several
        rows.
    cooks_distance : array
        Squared Mahalanobis distance between the coefficients with and without the study.
    covariance_ratio : array
        Determinant of the coefficients' covariance without the study over that with it.
    tau2_without, q_without : arrays
        Between-study variance and Q without the study.
    hat : array
        Leverage, summed over the study's rows.
    weight : array
        Weight in the pooled estimate as a share (the hat value's in meta-regression).
    dfbetas : (studies, p) array
        Change of each coefficient without the study, in standard errors.
    influential : bool array
        Whether any of these passes its conventional limit.
    """

    rstudent: Array
    dffits: Array
    cooks_distance: Array
    covariance_ratio: Array
    tau2_without: Array
    q_without: Array
    hat: Array
    weight: Array
    dfbetas: Array
    influential: Array


def influence(rows: EffectRows, method: str | float | None) -> Influence:
    """Measure the influence of each study on the fit.

    Parameters
    ----------
    rows : EffectRows
        The data.
    method : str, float or None
        Estimator of tau2 or its value; None for the common-effect model.
    """
    from scipy.special import chdtr

    studies = int(rows.study.max()) + 1
    tau2 = between_studies.estimate(rows, method) if isinstance(method, str) else method or 0.0
    full = rows.profile.solve(tau2)
    without = leave_out(rows, method)
    by_study = np.bincount(rows.study, minlength=studies)
    row_of = np.zeros(studies, int)
    row_of[rows.study] = np.arange(rows.n)
    single = by_study == 1
    x, y, v = rows.X[row_of], rows.y[row_of], rows.v[row_of]

    hat_rows = np.einsum("ia,ab,ib->i", rows.X, full.covariance, rows.X) / (rows.v + full.tau2)
    hat = np.bincount(rows.study, hat_rows, studies)
    spread = v + without.tau2
    with np.errstate(divide="ignore", invalid="ignore"):
        deleted_variance = spread + np.einsum("ia,iab,ib->i", x, without.covariance, x)
        rstudent = (y - np.einsum("ia,ia->i", x, without.beta)) / np.sqrt(deleted_variance)
        change = full.beta - without.beta
        dffits = np.einsum("ia,ia->i", x, change) / np.sqrt(hat * spread)
        cooks = np.einsum("ia,ab,ib->i", change, np.linalg.inv(full.covariance), change)
        ratio = np.linalg.det(without.covariance) / np.linalg.det(full.covariance)
        at_deleted = rows.profile.sums(
            np.where(np.isfinite(without.tau2), without.tau2, 0) / rows.profile.unit2,
            Stretches.whole(studies, rows.n) if studies >= MANY else np.ones((studies, rows.n)),
            order=1,
        )
        back = np.linalg.inv(rows.profile.triangle)
        scale = np.diagonal(back @ at_deleted.inverse @ back.T, axis1=1, axis2=2) * rows.profile.unit2
        dfbetas = change / np.sqrt(scale)
    p, k = rows.p, rows.n
    limit = 3 * np.sqrt(p / (k - p)) if k > p else np.inf
    influential = (
        (np.abs(np.where(single, dffits, 0)) > limit)
        | (chdtr(p, np.nan_to_num(cooks)) > 0.5)
        | (hat > 3 * p / k)
        | (np.abs(dfbetas) > 1).any(1)
    )
    return Influence(
        rstudent=np.where(single, rstudent, np.nan),
        dffits=np.where(single, dffits, np.nan),
        cooks_distance=cooks,
        covariance_ratio=ratio,
        tau2_without=without.tau2,
        q_without=without.q,
        hat=hat,
        weight=hat / hat.sum(),
        dfbetas=dfbetas,
        influential=influential,
    )


def baujat(rows: EffectRows, method: str | float | None) -> tuple[Array, Array]:
    """Coordinates of the Baujat plot.

    Returns
    -------
    (contribution, influence) : (studies,) arrays
        Squared Pearson residuals, summed over a study's rows: its contribution to Q; and the squared change
        of the pooled estimate without the study, over its variance then.
    """
    studies = int(rows.study.max()) + 1
    tau2 = between_studies.estimate(rows, method) if isinstance(method, str) else method or 0.0
    full = rows.profile.solve(tau2)
    without = leave_out(rows, method)
    residual = rows.y - rows.X @ full.beta
    contribution = np.bincount(rows.study, residual**2 / (rows.v + full.tau2), studies)
    change = full.beta - without.beta
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.einsum("ia,ia->i", change, change) / np.trace(without.covariance, axis1=1, axis2=2)
    return contribution, moved
