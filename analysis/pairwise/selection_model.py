"""A selection model: effects that are not significant are less likely to be seen.

Three parameters: the mean effect, the between-study variance, and how likely an effect with one-sided p above
the step is to be published relative to one below it (Vevea JL, Hedges LV 1995, Psychometrika 60:419-435;
McShane BB, Bockenholt U, Hansen KT 2016, Perspect Psychol Sci 11:730-749).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise import tau2 as between_studies
from analysis.pairwise.coefficients import Coefficients, chi2_p_value, coefficients
from analysis.pairwise.rows import Array, Rows
from evidence.errors import CallError, RefusedError


@dataclass(frozen=True)
class SelectionModel:
    """The three-parameter step selection model.

    Attributes
    ----------
    effect : Coefficients
        Mean effect before selection, Wald interval.
    tau2 : float
        Between-study variance, by maximum likelihood.
    relative_probability : Coefficients
        Of publication above the step, 1 below it; its test is of equality to 1 by the likelihood ratio.
    log_likelihood : float
        At the maximum.
    lr_statistic, lr_p_value : float
        Likelihood-ratio test against no selection.
    n_significant, n_other : int
        Effects below and above the step.
    direction : {"greater", "less"}
        Effects in this direction are the favoured ones.
    step : float
        One-sided p-value at which the probability changes.
    """

    effect: Coefficients
    tau2: float
    relative_probability: Coefficients
    log_likelihood: float
    lr_statistic: float
    lr_p_value: float
    n_significant: int
    n_other: int
    direction: str
    step: float


def selection_model(y: Array, v: Array, step: float = 0.025, direction: str | None = None) -> SelectionModel:
    """Fit the three-parameter step selection model by maximum likelihood.

    Parameters
    ----------
    y, v : (k,) arrays
        Effects and sampling variances.
    step : float
        One-sided p-value at which the probability of publication changes.
    direction : {"greater", "less"}, optional
        Direction that is favoured; that of the common effect without it.

    Raises
    ------
    RefusedError
        If all effects are on one side of the step: their relative probability cannot be estimated.
    """
    from scipy.special import ndtri

    if direction not in (None, "greater", "less"):
        raise CallError(f"There is no direction {direction!r}; there are greater, less.")
    if not 0 < step < 1:
        raise CallError(f"The step is a one-sided p-value between 0 and 1, not {step}.")
    rows = Rows.of(y, v)
    if direction is None:
        direction = "greater" if rows.profile.solve(0.0).beta[0] >= 0 else "less"
    sign = 1.0 if direction == "greater" else -1.0
    unit = rows.profile.unit
    effect, variance = sign * rows.y / unit, rows.v / unit**2
    cut = -float(ndtri(step)) * np.sqrt(variance)
    below = effect >= cut
    n_significant, n_other = int(below.sum()), int((~below).sum())
    if not (n_significant and n_other):
        where = "below" if n_significant else "above"
        raise RefusedError(
            f"All {rows.n} effects have one-sided p {where} {step}: the probability of publishing the others "
            "cannot be estimated."
        )
    likelihood = _Likelihood(effect, variance, cut, below)
    plain = Rows.of(effect, variance)
    tau2 = between_studies.estimate(plain, "ML")
    without = plain.profile.solve(tau2)
    best: tuple[float, Array] | None = None
    for start_tau in (np.sqrt(tau2) + 0.05, 1.0):
        for start_ratio in (0.0, -1.5):
            found = likelihood.climb(np.array([without.beta[0], start_tau, start_ratio]))
            if best is None or found[0] > best[0]:
                best = found
    at_zero = likelihood.climb(np.array([without.beta[0], 0.0, 0.0]), free=(0, 2))
    if best is None or at_zero[0] >= best[0] - 1e-10:
        best = at_zero
    value, point = best
    free = [0, 1, 2] if point[1] > 1e-7 else [0, 2]
    hessian = likelihood.second(point)[np.ix_(free, free)]
    covariance = np.linalg.inv(-hessian)
    ratio = float(np.exp(point[2]))
    mean_variance = covariance[0, 0] * unit**2
    ratio_variance = covariance[-1, -1] * ratio**2
    log_likelihood = value - rows.n * np.log(unit)
    statistic = max(0.0, 2 * (log_likelihood - without.log_likelihood + rows.n * np.log(unit)))
    return SelectionModel(
        effect=coefficients(sign * point[0] * unit, mean_variance),
        tau2=float(point[1] ** 2 * unit**2) if len(free) == 3 else 0.0,
        relative_probability=coefficients(ratio, ratio_variance),
        log_likelihood=log_likelihood,
        lr_statistic=statistic,
        lr_p_value=chi2_p_value(statistic, 1),
        n_significant=n_significant,
        n_other=n_other,
        direction=direction,
        step=step,
    )


class _Likelihood:
    """Log likelihood of (mean, tau, log relative probability); effects favoured upwards."""

    def __init__(self, y: Array, v: Array, cut: Array, below: Array) -> None:
        self.y, self.v, self.cut, self.below = y, v, cut, below

    def value(self, point: Array) -> tuple[float, Array]:
        """Value and gradient."""
        from scipy.special import log_ndtr

        mean, tau, log_ratio = point
        spread = np.sqrt(self.v + tau**2)
        ratio = np.exp(log_ratio)
        z, c = (self.y - mean) / spread, (self.cut - mean) / spread
        significant, other = np.exp(log_ndtr(-c)), np.exp(log_ndtr(c))
        seen = significant + ratio * other
        density = np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi)
        value = np.sum(-np.log(spread) - z**2 / 2 - 0.5 * np.log(2 * np.pi) - np.log(seen))
        value += log_ratio * np.sum(~self.below)
        # d seen / d c = (ratio - 1) density; c falls by 1 / spread with the mean and by c / spread with the
        # spread.
        slope = (ratio - 1) * density / seen
        by_mean = np.sum(z / spread + slope / spread)
        by_spread = (z**2 - 1) / spread + slope * c / spread
        by_ratio = np.sum(~self.below) - np.sum(ratio * other / seen)
        return float(value), np.array([by_mean, np.sum(by_spread * tau / spread), by_ratio])

    def second(self, point: Array) -> Array:
        """Second derivatives by fourth-order central differences of the gradient."""
        step = 1e-3
        out = np.zeros((3, 3))
        for index in range(3):
            change = np.zeros(3)
            change[index] = step
            near = self.value(point + change)[1] - self.value(point - change)[1]
            far = self.value(point + 2 * change)[1] - self.value(point - 2 * change)[1]
            out[index] = (8 * near - far) / (12 * step)
        return (out + out.T) / 2

    def climb(self, point: Array, free: tuple[int, ...] = (0, 1, 2)) -> tuple[float, Array]:
        """Newton's method uphill, over some of the parameters."""
        index = list(free)
        value, gradient = self.value(point)
        for _ in range(200):
            curvature, vectors = np.linalg.eigh(self.second(point)[np.ix_(index, index)])
            move = vectors @ ((vectors.T @ gradient[index]) / np.maximum(np.abs(curvature), 1e-4))
            step = np.zeros(3)
            step[index] = move * min(1.0, 1 / max(np.abs(move).max(), 1e-300))
            for _ in range(50):
                trial = point + step
                trial[1] = abs(trial[1])
                new_value, new_gradient = self.value(trial)
                if new_value >= value - 1e-13 * abs(value):
                    break
                step = step / 2
            moved = float(np.abs(trial - point).max())
            point, value, gradient = trial, new_value, new_gradient
            if moved < 1e-11:
                break
        return value, point
