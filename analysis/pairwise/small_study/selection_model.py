"""A selection model: effects that are not significant are less likely to be seen.

Three parameters: the mean effect, the between-study variance, and how likely an effect with one-sided p above
the step is to be published relative to one below it (Vevea JL, Hedges LV 1995, Psychometrika 60:419-435;
McShane BB, Bockenholt U, Hansen KT 2016, Perspect Psychol Sci 11:730-749).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import Coefficients, chi2_p_value, coefficients
from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.model.rows import Array, EffectRows
from evidence.errors import CallError, RefusedError

_SMALLEST_TAU = 1e-6
MANY_EFFECTS, PART = 1000, 500
"""Effects from which on the places to climb from are found on a part of them, and how many it has."""

LEAST_EFFECTS = 10
"""Effects without which three parameters cannot be told apart (McShane et al. 2016 simulate from 20 on)."""


@dataclass(frozen=True)
class Maximum:
    """A lower maximum of the likelihood: mean effect, tau2, relative probability, how much lower it is."""

    estimate: float
    tau2: float
    relative_probability: float
    below: float


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
    others : tuple of Maximum
        Lower maxima of the likelihood, where it has several: the data do not tell them apart well.
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
    others: tuple[Maximum, ...]


@determined("The selection model")
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
        With fewer than ten effects, or if all effects are on one side of the step: their relative
        probability cannot be estimated.
    """
    from scipy.special import ndtri

    if direction not in (None, "greater", "less"):
        raise CallError(f"There is no direction {direction!r}; there are greater, less.")
    if not 0 < step < 1:
        raise CallError(f"The step is a one-sided p-value between 0 and 1, not {step}.")
    if len(y) < LEAST_EFFECTS:
        raise RefusedError(
            f"A selection model has three parameters and needs {LEAST_EFFECTS} effects; there are {len(y)}."
        )
    rows = EffectRows.of(y, v)
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
    plain = EffectRows.of(effect, variance)
    tau2 = between_studies.estimate(plain, "ML")
    without = plain.profile.solve(tau2)
    maxima = likelihood.maxima(without.beta[0], np.sqrt(tau2))
    value, point = maxima[0]
    free = [0, 1, 2] if point[1] > 0 else [0, 2]
    hessian = likelihood.second(point)[np.ix_(free, free)]
    covariance = np.linalg.inv(-hessian)
    ratio = float(np.exp(point[2]))
    mean_variance = covariance[0, 0] * unit**2
    ratio_variance = covariance[-1, -1] * ratio**2
    statistic = max(0.0, 2 * (value - without.log_likelihood))
    others = tuple(
        Maximum(sign * where[0] * unit, where[1] ** 2 * unit**2, float(np.exp(where[2])), value - height)
        for height, where in maxima[1:]
    )
    return SelectionModel(
        effect=coefficients(sign * point[0] * unit, mean_variance),
        tau2=float(point[1] ** 2 * unit**2) if len(free) == 3 else 0.0,
        relative_probability=coefficients(ratio, ratio_variance),
        log_likelihood=value - rows.n * np.log(unit),
        lr_statistic=statistic,
        lr_p_value=chi2_p_value(statistic, 1),
        n_significant=n_significant,
        n_other=n_other,
        direction=direction,
        step=step,
        others=others,
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

    def maxima(self, mean: float, tau: float) -> list[tuple[float, Array]]:
        """Climb from many places; give the maxima found, highest first.

        Parameters
        ----------
        mean, tau : float
            Of the model without selection.
        """
        found = self._from_a_part(mean, tau) if len(self.y) > MANY_EFFECTS else self._from_afar(mean, tau)
        kept: list[tuple[float, Array]] = []
        for value, point in sorted(found, key=lambda item: -item[0]):
            if point[1] < _SMALLEST_TAU:
                point = np.array([point[0], 0.0, point[2]])
            curvature = np.linalg.eigvalsh(self.second(point))[-1]
            if curvature < 0 and all(np.abs(point - other).max() > 1e-3 for _, other in kept):
                kept.append((value, point))
        return kept or [max(found, key=lambda item: item[0])]

    def _from_afar(self, mean: float, tau: float) -> list[tuple[float, Array]]:
        """Climb from places all over."""
        starts = [(height, ratio) for height in (tau + 0.05, 1.0, 4.0) for ratio in (0.0, -1.5, -4.0, 2.5)]
        found = [self.climb(np.array([mean, height, ratio])) for height, ratio in starts]
        return found + [self.climb(np.array([mean, 0.0, ratio]), free=(0, 2)) for _, ratio in starts[:4]]

    def _from_a_part(self, mean: float, tau: float) -> list[tuple[float, Array]]:
        """Climb from the maxima that a part of the effects has, spread evenly over variances and effects."""
        order = np.lexsort((self.y, self.v))
        part = order[:: -(-len(order) // PART)]
        below = _Likelihood(self.y[part], self.v[part], self.cut[part], self.below[part])
        found = []
        for _, point in below.maxima(mean, tau):
            found.append(self.climb(np.array([point[0], max(point[1], 0.05), point[2]])))
            if point[1] == 0:
                found.append(self.climb(point, free=(0, 2)))
        return found
