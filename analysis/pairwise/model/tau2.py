"""The between-study variance: eight estimators, each taken to its optimum, and two intervals.

Every estimator works on a batch (subsets of rows, permuted designs) as well as on one data set, so that
deletions, cumulative analyses, GOSH and permutation tests solve the same equations as the main analysis.

References
----------
DerSimonian R, Laird N (1986) Control Clin Trials 7:177-188 (DL). Hedges LV, Olkin I (1985) Statistical
Methods for Meta-Analysis, ch. 9 (HE). Hunter JE, Schmidt FL (2004) Methods of Meta-Analysis (HS). Sidik K,
Jonkman JN (2005) J R Stat Soc C 54:367-384 (SJ). Paule RC, Mandel J (1982) J Res Natl Bur Stand 87:377-385
(PM). Morris CN (1983) J Am Stat Assoc 78:47-55 (EB). Viechtbauer W (2005) J Educ Behav Stat 30:261-293 (ML,
REML, and comparison of all). Viechtbauer W (2007) Stat Med 26:37-52 (Q-profile and profile-likelihood
intervals).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.pairwise.model.parts import Parts, some_of
from analysis.pairwise.model.rows import Array, EffectRows, Profile, Sums
from analysis.roots import zero_between
from evidence import facts

METHODS: dict[str, str] = {name: row.label for name, row in facts.estimators().items() if row.pairwise}
"""Estimators of the between-study variance by name."""

INTERVALS: dict[str, str] = facts.interval_methods("tau2")
"""Intervals of the between-study variance by name."""


def estimate(rows: EffectRows, method: str = "REML") -> float:
    """Estimate the between-study variance.

    Parameters
    ----------
    rows : EffectRows
        Data, with at least one residual degree of freedom.
    method : str
        One of `METHODS`. EB solves the same equation as PM, ``Q(tau2) = k - p``, and so gives the same
        number.

    Returns
    -------
    float
        tau2 in the squared unit of the effects, not below 0; NaN without residual degrees of freedom. Where
        the likelihood has several maxima, the highest.
    """
    return float(estimates(rows.profile, method)[0])


def estimates(profile: Profile, method: str, mask: Parts | None = None, order: bool = False) -> Array:
    """Estimate tau2 for each of m subsets or permuted designs.

    Parameters
    ----------
    profile : Profile
        The sums of the data.
    method : str
        One of `METHODS`.
    mask : (m, n) array or Stretches, optional
        How often each row counts in each subset.
    order : bool
        True where the profile holds permuted designs, one batch each.

    Returns
    -------
    (m,) array
        In the squared unit of the data; NaN where a subset has no residual degree of freedom.
    """
    batch = np.arange(len(profile.products)) if order else None
    count = np.array([profile.rows.n]) if mask is None else mask.sum(1)
    if batch is not None:
        count = np.repeat(count, len(batch))
    usable = count > profile.p
    if not usable.all():
        out = np.full(len(count), np.nan)
        if usable.any():
            out[usable] = estimates(profile, method, None if mask is None else mask[usable], order)
        return out
    equation = _Equation(profile, mask, batch, count)
    solver: Callable[[], Array] = getattr(equation, method.lower())
    return solver() * profile.unit2


class _Equation:
    """The estimating equations of one batch, in the profile's unit."""

    def __init__(self, profile: Profile, mask: Parts | None, batch: Array | None, count: Array) -> None:
        self.profile = profile
        self.mask = mask
        self.batch = batch
        self.count = count
        self.df = count - profile.p
        self.m = len(count)

    def at(self, tau2: Array, active: Array, order: int) -> Sums:
        """Evaluate the sums at one value of tau2 for each member `active` of the batch."""
        mask = None if self.mask is None else some_of(self.mask, active)
        batch = None if self.batch is None else self.batch[active]
        return self.profile.sums(tau2, mask, batch, order)

    def shared(self, tau2: float, order: int = 2) -> Sums:
        """Evaluate the sums at one value of tau2 for the whole batch."""
        return self.profile.sums(tau2, self.mask, self.batch, order)

    def unweighted(self) -> tuple[Array, Array, Array]:
        """Unweighted residual sum of squares, its mean at tau2 = 0, and the same sum about an intercept."""
        profile, p = self.profile, self.profile.p
        products = profile.products if self.batch is None else profile.products[self.batch]
        mask = np.ones((1, profile.rows.n)) if self.mask is None else self.mask
        if products.ndim == 3:
            plain = profile.matrix(products.sum(1))
            weighted = profile.matrix((products * profile.v[:, None]).sum(1))
        else:
            plain = profile.matrix(mask @ products)
            weighted = profile.matrix(mask @ (products * profile.v[:, None]))
        inverse = np.linalg.inv(plain[:, :p, :p])
        b, c = plain[:, :p, p], plain[:, p, p]
        about_design = c - np.einsum("ma,mab,mb->m", b, inverse, b)
        about_intercept = c - plain[:, 0, p] ** 2 / plain[:, 0, 0]
        trace = mask @ profile.v - np.einsum("mab,mba->m", inverse, weighted[:, :p, :p])
        return about_design, trace, about_intercept

    def dl(self) -> Array:
        whole = self.mask is None and self.batch is None
        sums = self.shared(0.0, order=1 if whole else 2)
        trace = self.profile.trace_of_p() if whole else sums.trace_p
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (sums.q - self.df) / trace
        # A part of the effects that one of them outweighs altogether shows no variance between studies.
        return np.where(np.asarray(trace) > 0, np.maximum(0, found), 0.0)

    def hs(self) -> Array:
        sums = self.shared(0.0, order=1)
        return np.maximum(0, (sums.q - self.count) / sums.sum_w)

    def he(self) -> Array:
        about_design, trace, _ = self.unweighted()
        return np.maximum(0, (about_design - trace) / self.df)

    def sj(self) -> Array:
        start = np.maximum(self.unweighted()[2], 0) / self.count
        # Effects that are all equal have no spread to begin from: the estimator's limit is 0.
        safe = np.where(start > 0, start, 1.0)
        q = self.at(safe, np.arange(self.m), 1).q
        return np.where(start > 0, start * q / self.df, 0.0)

    def pm(self) -> Array:
        return self.q_equals(self.df.astype(float))

    eb = pm

    def reml(self) -> Array:
        return self.maximise(restricted=True)

    def ml(self) -> Array:
        return self.maximise(restricted=False)

    def q_equals(self, target: Array) -> Array:
        """Solve ``Q(tau2) = target``; Q falls monotonically, so 0 where it begins below the target."""
        out = np.zeros(self.m)
        at_zero = self.shared(0.0)
        q = np.broadcast_to(at_zero.q, self.m)
        index = np.flatnonzero(q > target)
        if len(index):
            goal = target[index]
            # Q(t) <= sum z^2 / t, whatever the weights; DerSimonian and Laird's step is where to begin.
            repeat = 1.0 if self.mask is None else max(1.0, float(self.mask.max()))
            high = repeat * float(self.profile.z @ self.profile.z) / goal
            # A trace that rounding has brought to 0 or below gives no step: the middle is as good.
            trace = np.broadcast_to(at_zero.trace_p, self.m)[index]
            step = np.where(trace > 0, (q[index] - goal) / np.where(trace > 0, trace, 1.0), high / 2)

            def excess(tau2: Array, active: Array) -> tuple[Array, Array]:
                sums = self.at(tau2, index[active], 2)
                return sums.q - goal[active], -sums.ypp

            scale = float(self.profile.v.min())
            out[index] = _newton(excess, np.zeros(len(index)), high, scale, np.minimum(step, high / 2))
        return out

    def score(self, sums: Sums, restricted: bool) -> Array:
        """Twice the derivative of the (restricted) log likelihood."""
        return sums.ypp - (sums.trace_p if restricted else sums.sum_w)

    def log_likelihood(self, tau2: Array, active: Array, restricted: bool) -> Array:
        mask = None if self.mask is None else self.mask[active]
        sums = self.at(tau2, active, 1)
        value = self.profile.log_determinant(tau2, mask) + sums.q
        return -0.5 * (value + sums.log_information if restricted else value)

    def grid(self) -> Array:
        """Values of tau2 between which the score is scanned for sign changes: 0, then in steps of a factor 2.

        The score is smooth in ``log(v + tau2)`` and negative beyond the last value: there
        ``y'PPy <= sum z^2 / (tau2 + min v)^2`` and ``tr P >= (k - p) / (tau2 + max v)``.
        """
        v, z = self.profile.v, self.profile.z
        repeat = 1.0 if self.mask is None else max(1.0, float(self.mask.max()))
        low = float(v.min())
        high = max(2 * repeat * float(z @ z) / float(self.df.min()), float(v.max()))
        steps = int(np.ceil(np.log2(high / low + 1)))
        return low * (2.0 ** np.arange(steps + 1) - 1)

    def maximise(self, restricted: bool) -> Array:
        """Find the highest maximum of the (restricted) likelihood over tau2 >= 0."""
        grid = self.grid()
        if self.mask is None and self.batch is None:
            scores = np.concatenate(
                [
                    self.score(self.profile.sums(grid[part]), restricted)
                    for part in self.profile.chunks(len(grid))
                ]
            )[:, None]
        else:
            scores = np.stack(
                [np.broadcast_to(self.score(self.shared(value), restricted), self.m) for value in grid]
            )
        step, member = np.nonzero((scores[:-1] > 0) & (scores[1:] <= 0))
        # The score is nearly straight between two values: where it would cross 0 is the place to begin.
        left, right = scores[step, member], scores[step + 1, member]
        start = grid[step] + (grid[step + 1] - grid[step]) * left / (left - right)
        at_zero = np.flatnonzero(scores[0] <= 0)

        def slope(tau2: Array, active: Array) -> tuple[Array, Array]:
            sums = self.at(tau2, member[active], 3)
            curvature = -2 * sums.yppp + (sums.trace_pp if restricted else sums.sum_w2)
            return self.score(sums, restricted), curvature

        inside = _newton(slope, grid[step], grid[step + 1], float(self.profile.v.min()), start)
        member = np.concatenate([at_zero, member])
        tau2 = np.concatenate([np.zeros(len(at_zero)), inside])
        if len(member) > self.m:
            height = self.log_likelihood(tau2, member, restricted)
            best = np.lexsort((-height, member))
            member, tau2 = member[best], tau2[best]
        first = np.unique(member, return_index=True)[1]
        return tau2[first]


def _newton(
    function: Callable[[Array, Array], tuple[Array, Array]],
    low: Array,
    high: Array,
    scale: float,
    start: Array | None = None,
) -> Array:
    """Solve ``function = 0`` between `low`, where it is positive, and `high`, by Newton kept in the bracket.

    Parameters
    ----------
    function : callable
        Takes values and the indices they belong to; returns the function and its slope.
    low, high : (m,) arrays
        Brackets.
    scale : float
        Smallest sampling variance: values are wanted to a relative 1e-12 of themselves plus this.
    start : (m,) array, optional
        Where to begin; the middle of the bracket without it.
    """
    low, high = low.copy(), high.copy()
    value = np.sqrt((low + scale) * (high + scale)) - scale if start is None else start.copy()
    active = np.arange(len(value))
    for _ in range(100):
        if not len(active):
            break
        now = value[active]
        f, slope = function(now, active)
        low[active] = np.where(f > 0, now, low[active])
        high[active] = np.where(f > 0, high[active], now)
        a, b = low[active], high[active]
        with np.errstate(divide="ignore", invalid="ignore"):
            new = now - f / slope
        middle = np.sqrt((a + scale) * (b + scale)) - scale
        new = np.where((slope < 0) & (new > a) & (new < b), new, middle)
        new = np.where(f == 0, now, new)
        value[active] = new
        active = active[np.abs(new - now) > 1e-12 * (new + scale)]
    return value


def interval(
    rows: EffectRows, method: str = "QP", level: float = 0.95, likelihood: str = "REML"
) -> tuple[float, float]:
    """Interval for the between-study variance.

    Parameters
    ----------
    rows : EffectRows
        Data with residual degrees of freedom.
    method : {"QP", "PL"}
        Q-profile (Viechtbauer 2007, eq. 11), exact under the model; or profile likelihood.
    level : float
        Confidence level.
    likelihood : {"REML", "ML"}
        Which likelihood is profiled.

    Returns
    -------
    (lower, upper) : tuple of float
        In the squared unit of the data. (0, 0) where even tau2 = 0 makes the effects more alike than the
        level allows: the Q-profile interval is then empty.
    """
    from scipy.special import chdtri

    if rows.df < 1:
        return float("nan"), float("nan")
    profile = rows.profile
    equation = _Equation(profile, None, None, np.array([rows.n]))
    tail = (1 - level) / 2
    if method == "QP":
        quantiles = chdtri(rows.df, tail), chdtri(rows.df, 1 - tail)
        lower, upper = (float(equation.q_equals(np.array([quantile]))[0]) for quantile in quantiles)
    else:
        lower, upper = _profile_likelihood(equation, likelihood == "REML", float(chdtri(1, 1 - level)) / 2)
    return lower * profile.unit2, upper * profile.unit2


def _profile_likelihood(equation: _Equation, restricted: bool, drop: float) -> tuple[float, float]:
    """Find the ends of the values of tau2 whose log likelihood is within `drop` of the highest."""
    best = float(equation.maximise(restricted)[0])
    zero = np.array([0])

    def above(tau2: float) -> float:
        return float(equation.log_likelihood(np.array([tau2]), zero, restricted)[0]) - level

    level = float(equation.log_likelihood(np.array([best]), zero, restricted)[0]) - drop
    scale = float(equation.profile.v.min())
    high = 2 * (best + scale)
    while above(high) > 0:
        high *= 2
    upper = zero_between(above, best, high, relative=8.9e-16)
    lower = 0.0 if above(0.0) >= 0 else zero_between(above, 0.0, best, relative=8.9e-16)
    return lower, upper


def i2_h2(rows: EffectRows, tau2: float) -> tuple[float, float]:
    """Share of the total variability that is between studies, and total over sampling variability.

    Parameters
    ----------
    rows : EffectRows
        Data with residual degrees of freedom.
    tau2 : float
        Between-study variance; pass an end of its interval to have that end of I2's and H2's.

    Returns
    -------
    (i2, h2) : tuple of float
        I2 (0 to 1) and H2 with the typical sampling variance ``(k - p) / tr P`` (Higgins and Thompson 2002,
        Stat Med 21:1539-1558, eq. 9, 12), which for the DL estimate equal ``(Q - df) / Q`` and ``Q / df``.
    """
    if rows.df < 1 or not np.isfinite(tau2):
        return float("nan"), float("nan")
    ratio = tau2 / typical_variance(rows)
    return ratio / (1 + ratio), 1 + ratio


def typical_variance(rows: EffectRows) -> float:
    """Give the sampling variance of a typical effect, ``(k - p) / tr P`` (Higgins and Thompson, eq. 9)."""
    return rows.df / rows.profile.trace_of_p() * rows.profile.unit2
