"""Random effects on the exact likelihood of the counts, the study effects integrated out by quadrature.

Rare events leave normal approximations nowhere to stand: a study with no event under one treatment has no
finite log odds ratio. Here each study enters by the probability of its own counts.

* Conditional exact (CM.EL): events under treatment given all events of the study, non-central hypergeometric.
* Conditional approximate (CM.AL): the same by a binomial, right where events are rare; exact for rates.
* Unconditional with fixed study effects (UM.FS): two binomials, the effect halved between the arms.

References
----------
Stijnen T, Hamza TH, Ozdemir P (2010) Stat Med 29:3046-3067 (conditional models). Jackson D et al. (2018) Stat
Med 37:1059-1085 (comparison; UM.FS is their model 4). Pinheiro JC, Bates DM (1995) J Comput Graph Stat
4:12-35 (adaptive quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from analysis.pairwise.counts import CountTable
from analysis.pairwise.model.rows import Array
from analysis.roots import zero_between
from evidence.errors import RefusedError

_NODES = 32
_LARGEST_TAU = 6.0
"""SD of log ratios beyond which there is no estimate: the quadrature does not hold there either."""
_TRUST = 0.01
"""Difference that twice the nodes may make to a log likelihood from which an interval is read."""
_SMALLEST_TAU = 1e-5
_LARGEST_EFFECT = 25.0


@dataclass(frozen=True)
class Parts:
    """Log likelihood of each study at effects e, and its derivatives; every array is (k, nodes).

    Attributes
    ----------
    value, e, ee : arrays
        The log likelihood, its first and its second derivative by the effect.
    m, mm, em : arrays or None
        Derivatives by the study's own nuisance parameter, where the likelihood has one.
    """

    value: Array
    e: Array
    ee: Array
    m: Array | None = None
    mm: Array | None = None
    em: Array | None = None


class Family(Protocol):
    """Likelihood of every study as a function of its own effect."""

    a: Array
    mu: Array | None

    def at(self, effect: Array) -> Parts:
        """Evaluate at effects (k, nodes)."""


class Hypergeometric:
    """Events under treatment given the margins: ``a e - log sum_j C(n1, j) C(n2, m - j) exp(j e)``."""

    mu = None

    def __init__(self, a: Array, n1: Array, c: Array, n2: Array) -> None:
        self.a = a
        events = a + c
        low, high = np.maximum(0, events - n2), np.minimum(n1, events)
        self.support, self.log_ways = [], []
        for study in range(len(a)):
            j = np.arange(low[study], high[study] + 1)
            ways = _log_choose(n1[study], j) + _log_choose(n2[study], events[study] - j)
            own = _log_choose(n1[study], a[study]) + _log_choose(n2[study], c[study])
            self.support.append(j - a[study])
            self.log_ways.append(ways - own)

    def at(self, effect: Array) -> Parts:
        """Evaluate at effects (k, nodes)."""
        value, first, second = (np.empty(effect.shape) for _ in range(3))
        for study, (shift, ways) in enumerate(zip(self.support, self.log_ways, strict=True)):
            share = ways[:, None] + shift[:, None] * effect[study]
            top = share.max(0)
            np.exp(share - top, out=share)
            total = share.sum(0)
            mean, square = (shift @ share) / total, (shift**2 @ share) / total
            value[study] = -(top + np.log(total))
            first[study] = -mean
            second[study] = mean**2 - square
        return Parts(value, first, second)


class Binomial:
    """Events under treatment among all events: binomial with logit ``effect + log(n1 / n2)``."""

    mu = None

    def __init__(self, a: Array, n1: Array, c: Array, n2: Array) -> None:
        self.a, self.m = a, a + c
        self.offset = np.log(n1 / n2)
        self.constant = _log_choose(self.m, a)

    def at(self, effect: Array) -> Parts:
        """Evaluate at effects (k, nodes)."""
        from scipy.special import expit, log_expit

        logit = effect + self.offset[:, None]
        share = expit(logit)
        a, m = self.a[:, None], self.m[:, None]
        value = self.constant[:, None] + a * log_expit(logit) + (m - a) * log_expit(-logit)
        return Parts(value, a - m * share, -m * share * (1 - share))


class TwoBinomials:
    """Two binomials with logits ``mu + effect / 2`` and ``mu - effect / 2``, mu free in every study."""

    def __init__(self, a: Array, n1: Array, c: Array, n2: Array) -> None:
        self.a, self.n1, self.c, self.n2 = a, n1, c, n2
        self.constant = _log_choose(n1, a) + _log_choose(n2, c)
        start = (a + c + 0.5) / (n1 + n2 + 1)
        self.mu = np.log(start / (1 - start))

    def at(self, effect: Array) -> Parts:
        """Evaluate at effects (k, nodes)."""
        from scipy.special import expit, log_expit

        mu = self.mu[:, None]
        one, two = mu + effect / 2, mu - effect / 2
        p1, p2 = expit(one), expit(two)
        a, n1, c, n2 = (item[:, None] for item in (self.a, self.n1, self.c, self.n2))
        value = (
            self.constant[:, None]
            + a * log_expit(one) + (n1 - a) * log_expit(-one)
            + c * log_expit(two) + (n2 - c) * log_expit(-two)
        )  # fmt: skip
        s1, s2 = a - n1 * p1, c - n2 * p2
        v1, v2 = n1 * p1 * (1 - p1), n2 * p2 * (1 - p2)
        return Parts(value, (s1 - s2) / 2, -(v1 + v2) / 4, s1 + s2, -(v1 + v2), -(v1 - v2) / 2)


def _log_choose(n: Array, k: Array) -> Array:
    from scipy.special import gammaln

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


@dataclass(frozen=True)
class Integral:
    """The likelihood with the study effects integrated out, at one (theta, tau).

    Attributes
    ----------
    log_likelihood : float
        With all constants.
    gradient : (2,) array
        By theta and tau; nuisance parameters at their optimum.
    hessian : (2, 2) array
        Second derivatives of the same.
    """

    log_likelihood: float
    gradient: Array
    hessian: Array


def integrate(family: Family, theta: float, tau: float, nodes: int = _NODES) -> Integral:
    """Integrate every study's effect out by Gauss-Hermite quadrature about the mode of its integrand.

    Parameters
    ----------
    family : Family
        The likelihood; its nuisance parameters, where it has any, are brought to their optimum.
    theta, tau : float
        Mean and standard deviation of the study effects.
    nodes : int
        Of the quadrature. With tau = 0 there is nothing to integrate.
    """
    z, share, log_integral, parts = _quadrature(family, theta, tau, nodes)
    if family.mu is not None:
        for _ in range(100):
            slope, curvature = _nuisance(parts, share)
            step = np.clip(-slope / np.minimum(curvature, -1e-8), -2, 2)
            family.mu = family.mu + step
            z, share, log_integral, parts = _quadrature(family, theta, tau, nodes)
            if np.abs(step).max() < 1e-11 * (1 + np.abs(family.mu).max()):
                break

    def mean(values: Array) -> Array:
        return (share * values).sum(1)

    directions = (np.ones_like(z), z)
    slopes = [mean(parts.e * direction) for direction in directions]
    hessian = np.empty((2, 2))
    for i, one in enumerate(directions):
        for j, two in enumerate(directions):
            hessian[i, j] = np.sum(mean((parts.ee + parts.e**2) * one * two) - slopes[i] * slopes[j])
    if parts.m is not None and parts.em is not None:
        slope, curvature = _nuisance(parts, share)
        mixed = [
            mean((parts.em + parts.m * parts.e) * direction) - slope * slopes[i]
            for i, direction in enumerate(directions)
        ]
        for i in range(2):
            for j in range(2):
                hessian[i, j] -= np.sum(mixed[i] * mixed[j] / curvature)
    return Integral(float(log_integral.sum()), np.array([item.sum() for item in slopes]), hessian)


def _nuisance(parts: Parts, share: Array) -> tuple[Array, Array]:
    """First and second derivative of each study's integrated log likelihood by its nuisance parameter."""
    assert parts.m is not None
    assert parts.mm is not None
    slope = (share * parts.m).sum(1)
    return slope, (share * (parts.mm + parts.m**2)).sum(1) - slope**2


def _quadrature(family: Family, theta: float, tau: float, nodes: int) -> tuple[Array, Array, Array, Parts]:
    """Standardised nodes (k, nodes), their posterior shares, log integrals (k,), and the likelihood there."""
    z = np.zeros((len(family.a), 1))
    if tau == 0:
        parts = family.at(theta + z)
        return z, z + 1, parts.value[:, 0], parts
    for _ in range(60):
        parts = family.at(theta + tau * z)
        width = 1 / np.sqrt(1 - tau**2 * parts.ee)
        step = np.clip((tau * parts.e - z) * width**2, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
        z = z + step
    x, weight = np.polynomial.hermite.hermgauss(nodes)
    place = z + np.sqrt(2) * width * x
    parts = family.at(theta + tau * place)
    exponent = parts.value - place**2 / 2 + x**2 + np.log(weight)
    top = exponent.max(1, keepdims=True)
    share = np.exp(exponent - top)
    total = share.sum(1)
    log_integral = top[:, 0] + np.log(total) + np.log(width[:, 0]) - 0.5 * np.log(np.pi)
    return place, share / total[:, None], log_integral, parts


@dataclass(frozen=True)
class LikelihoodFit:
    """Maximum of the likelihood.

    Attributes
    ----------
    estimate, std_error : float
        Pooled log ratio, from the observed information.
    tau : float
        Standard deviation of the study effects.
    log_likelihood : float
        At the maximum, with all constants.
    k : int
        Studies that carry information.
    """

    estimate: float
    std_error: float
    tau: float
    log_likelihood: float
    k: int


def family_of(data: CountTable, method: str, measure: str) -> Any:
    """Likelihood of the informative studies.

    Raises
    ------
    RefusedError
        If no study is informative, or counts are no whole numbers.
    """
    events = data.a + data.c
    some = events > 0 if measure == "IRR" else (events > 0) & (events < data.n1 + data.n2)
    kept = data.take(some)
    if not some.any():
        raise RefusedError(
            "No study has both events and non-events: the counts say nothing about the effect."
        )
    whole = [kept.a, kept.c] if measure == "IRR" else [kept.a, kept.c, kept.n1, kept.n2]
    if any(np.abs(values - np.round(values)).max() > 1e-9 for values in whole):
        raise RefusedError("The likelihood of counts needs whole numbers: events or arms were divided.")
    if measure == "IRR" or method == "CM.AL":
        kind: Any = Binomial
    else:
        kind = TwoBinomials if method == "UM.FS" else Hypergeometric
    return kind(kept.a, kept.n1, kept.c, kept.n2)


def fit_common(family: Family) -> LikelihoodFit:
    """Maximise the likelihood with tau = 0.

    Raises
    ------
    RefusedError
        If there is no maximum: no event under one of the treatments in any study.
    """
    theta = _best_theta(family, 0.0, 0.0)
    at = integrate(family, theta, 0.0)
    return LikelihoodFit(theta, float(1 / np.sqrt(-at.hessian[0, 0])), 0.0, at.log_likelihood, len(family.a))


def _best_theta(family: Family, tau: float, start: float, most: int = 200) -> float:
    """Maximise over theta at a given tau in at most so many steps: the likelihood is log-concave in it."""
    theta = start
    for _ in range(most):
        at = integrate(family, theta, tau)
        step = float(np.clip(-at.gradient[0] / min(at.hessian[0, 0], -1e-12), -1, 1))
        theta += step
        if abs(theta) > _LARGEST_EFFECT:
            raise RefusedError(
                "No study has events under one of the treatments, or none has any without: "
                "the pooled ratio is 0 or infinite."
            )
        if abs(step) < 1e-11:
            break
    return theta


def fit_random(family: Family) -> LikelihoodFit:
    """Maximise the likelihood over theta and tau >= 0: the highest of the maximum at 0 and those above.

    Raises
    ------
    RefusedError
        If there is no maximum.
    """
    best = fit_common(family)
    if len(family.a) < 2:
        nan = float("nan")
        return LikelihoodFit(nan, nan, nan, nan, len(family.a))
    common = best
    for start in (0.3, 1.5):
        point = np.array([common.estimate, start])
        at = integrate(family, *point)
        for _ in range(100):
            values, vectors = np.linalg.eigh(at.hessian)
            # Uphill also where the likelihood is not yet concave.
            step = vectors @ ((vectors.T @ at.gradient) / np.maximum(np.abs(values), 1e-3))
            step *= min(1.0, 1 / np.abs(step).max()) if step.any() else 1.0
            for _ in range(40):
                new = point + step
                new[1] = abs(new[1])
                trial = integrate(family, *new)
                if trial.log_likelihood >= at.log_likelihood - 1e-12:
                    break
                step = step / 2
            else:
                break  # No step leads uphill any more: rounding is all that is left.
            moved = np.abs(new - point).max()
            point, at = new, trial
            if point[1] > _LARGEST_TAU and at.log_likelihood > best.log_likelihood + 1e-10:
                raise RefusedError(
                    "The likelihood of these counts grows with tau beyond all bounds: arms with no event, or "
                    "with nothing else, decide it. Use method Peto or MH."
                )
            if moved < 1e-9 or point[1] < _SMALLEST_TAU or point[1] > _LARGEST_TAU:
                break
        if point[1] >= _SMALLEST_TAU and at.log_likelihood > best.log_likelihood + 1e-10:
            covariance = np.linalg.inv(-at.hessian)
            best = LikelihoodFit(
                float(point[0]),
                float(np.sqrt(covariance[0, 0])),
                float(point[1]),
                at.log_likelihood,
                common.k,
            )
    return best


def tau_interval(family: Any, random: LikelihoodFit, level: float = 0.95) -> tuple[float, float]:
    """Profile-likelihood interval of tau.

    Its upper end is NaN where the likelihood of large tau cannot be told: where it falls too slowly, as with
    studies in which one arm has all the events, or where the quadrature does not hold any more.
    """
    from scipy.special import chdtri

    drop = float(chdtri(1, 1 - level)) / 2

    def above(tau: float) -> float:
        theta = _best_theta(family, tau, random.estimate, 40)
        value = integrate(family, theta, tau).log_likelihood
        if tau > 0 and abs(integrate(family, theta, tau, 2 * _NODES).log_likelihood - value) > _TRUST:
            raise _NotToldError
        return value - random.log_likelihood + drop

    try:
        high = 2 * random.tau + 0.5
        while above(high) > 0:
            high *= 2
        upper = zero_between(above, random.tau, high, absolute=1e-9, relative=1e-9)
    except (_NotToldError, RefusedError):
        upper = float("nan")
    lower = (
        0.0
        if random.tau == 0 or above(0.0) >= 0
        else zero_between(above, 0.0, random.tau, absolute=1e-9, relative=1e-9)
    )
    return lower, upper


class _NotToldError(Exception):
    """The likelihood is not known well enough."""


def saturated_log_likelihood(family: Any) -> float:
    """Log likelihood with an effect of its own for each study: the likelihood-ratio Q is measured from it."""
    if isinstance(family, TwoBinomials):
        a, n1, c, n2 = family.a, family.n1, family.c, family.n2
        value = np.asarray(family.constant, float).copy()
        for events, size in ((a, n1), (c, n2)):
            share = events / size
            with np.errstate(divide="ignore", invalid="ignore"):
                value += np.where(events > 0, events * np.log(share), 0)
                value += np.where(events < size, (size - events) * np.log1p(-share), 0)
        return float(value.sum())
    effect = np.zeros((len(family.a), 1))
    for _ in range(200):
        parts = family.at(effect)
        effect = np.clip(effect + np.clip(-parts.e / np.minimum(parts.ee, -1e-12), -1, 1), -40, 40)
    return float(family.at(effect).value.sum())
