"""Study effects of counts integrated out: joint modes, Laplace's approximation, adaptive Gauss-Hermite rules.

The linear predictor of arm k of study i is eta_ik = mu_i + [X_i d + tau R^(1/2) z_i]_k, with z standard
normal and R = (I + J) / 2. In (mu, z) instead of (mu, delta) everything stays well conditioned as tau goes to
0. Given d and tau the studies are independent, and each is an integral over its few latent variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, pi, sqrt

import numpy as np

from analysis.network.data.network import Array
from analysis.network.model.likelihood import Counts
from analysis.network.model.rows import Design
from evidence.system.progress import counted

_AT_ONCE = 1_000_000  # numbers held in one temporary array: some 8 MB
_STEPS = 200
DRAWS_AT_ONCE = 64
"""Draws, at least, at which a study is integrated at once: of many studies some come after the others."""


def root_of_correlation(m: int) -> Array:
    """Symmetric root of (I + J) / 2 in closed form: sqrt(1/2) (I + (sqrt(m + 1) - 1) / m J), (m, m)."""
    return sqrt(0.5) * (np.eye(m) + (sqrt(m + 1.0) - 1.0) / m)


def loadings(k: int, tau: Array, *, common: bool = False) -> Array:
    """Tell what the latent variables (mu, z) of a study with k arms do to its linear predictors.

    Parameters
    ----------
    k : int
    tau : (J,) array
    common : bool
        Common effects: mu alone.

    Returns
    -------
    (J, k, q) array
        q is k, or 1 with common effects.
    """
    ones = np.ones((len(tau), k, 1))
    if common:
        return ones
    z = np.zeros((len(tau), k, k - 1))
    z[:, 1:] = tau[:, None, None] * root_of_correlation(k - 1)
    return np.concatenate([ones, z], axis=2)


def order_of(dimensions: int, order: int) -> int:
    """Points per dimension to begin with: fewer where there are more dimensions."""
    return max(3, order + 2 - dimensions) if dimensions > 2 else order


@lru_cache(maxsize=32)
def gauss_hermite(dimensions: int, order: int) -> tuple[Array, Array]:
    """Nodes (q, Q) and log weights (Q,) of the product rule for integrals of f(x) like exp(-x'x / 2)."""
    x, weight = np.polynomial.hermite_e.hermegauss(order)
    log_weight = np.log(weight) + 0.5 * x**2
    grids = np.meshgrid(*([x] * dimensions), indexing="ij")
    logs = np.meshgrid(*([log_weight] * dimensions), indexing="ij")
    return np.stack([g.ravel() for g in grids]), np.sum([g.ravel() for g in logs], axis=0)


def cholesky(matrix: Array) -> Array:
    """Lower Cholesky factors of a large stack of small matrices, (..., q, q), column by column."""
    lower = np.zeros_like(matrix)
    q = matrix.shape[-1]
    for j in range(q):
        pivot = matrix[..., j, j] - (lower[..., j, :j] ** 2).sum(-1)
        lower[..., j, j] = np.sqrt(np.maximum(pivot, 1e-300))
        for i in range(j + 1, q):
            rest = matrix[..., i, j] - (lower[..., i, :j] * lower[..., j, :j]).sum(-1)
            lower[..., i, j] = rest / lower[..., j, j]
    return lower


def invert_lower(lower: Array) -> Array:
    """Inverses of lower triangular matrices, (..., q, q)."""
    q = lower.shape[-1]
    inverse = np.zeros_like(lower)
    for j in range(q):
        inverse[..., j, j] = 1.0 / lower[..., j, j]
        for i in range(j + 1, q):
            total = (lower[..., i, j:i] * inverse[..., j:i, j]).sum(-1)
            inverse[..., i, j] = -total / lower[..., i, i]
    return inverse


@dataclass(frozen=True)
class Latent:
    """Latent variables of the studies of one block at a joint mode.

    Attributes
    ----------
    loadings : (J, k, q) array
    mode : (J, s, q) array
    response : (J, s, q, p) array
        How the mode moves with d: minus its derivative.
    information : (J, s, k, k) array
        Information about the linear predictors once the latent variables are eliminated.
    log_determinant : (J, s) array
        Of the latent variables' precision.
    """

    loadings: Array
    mode: Array
    response: Array
    information: Array
    log_determinant: Array


@dataclass(frozen=True)
class Modes:
    """Joint posterior modes of effects and latent variables at several values of tau.

    Attributes
    ----------
    tau : (J,) array
    effects : (J, p) array
    precision : (J, p, p) array
        Of the effects, latent variables eliminated.
    latent : tuple of Latent
        By block.
    log_likelihood : (J,) array
        Laplace's approximation of log p(y | tau).
    """

    tau: Array
    effects: Array
    precision: Array
    latent: tuple[Latent, ...]
    log_likelihood: Array


@dataclass(frozen=True)
class StudyIntegrals:
    """Each study's likelihood with its latent variables integrated out, at N points (d, tau).

    Attributes
    ----------
    log_likelihood : (N, S) array
        Studies in the order of `Counts.study`.
    deviance, fitted : tuple of (N, s, k) arrays or None
        Posterior means of residual deviances and expected events given (d, tau), by block.
    """

    log_likelihood: Array
    deviance: tuple[Array, ...] | None = None
    fitted: tuple[Array, ...] | None = None


class CountsModel:
    """A network's counts under one design and one prior of the baselines.

    Parameters
    ----------
    counts : Counts
    design : Design
        In step with `counts.blocks`.
    predictors : sequence of (s, k, p) arrays
        Linear predictors of the arms against their study's base arm.
    baseline : (float, float)
        Mean and standard deviation of the normal prior of mu.
    common : bool
        Common effects: tau is 0.
    order : int or sequence of int
        Gauss-Hermite points per dimension: in studies of two arms, fewer with more arms; or by block.
    """

    def __init__(
        self,
        counts: Counts,
        design: Design,
        predictors: Sequence[Array],
        baseline: tuple[float, float],
        *,
        common: bool = False,
        order: int | Sequence[int] = 5,
    ) -> None:
        self.counts, self.design, self.common = counts, design, common
        self.dimensions = [1 if common else y.shape[1] for y in counts.events]
        self.starts = np.cumsum([0, *(len(y) for y in counts.events)])
        self.orders = (
            tuple(order_of(q, order) for q in self.dimensions) if isinstance(order, int) else tuple(order)
        )
        self.predictors = tuple(predictors)
        self.baseline = baseline
        like = counts.likelihood
        self.constants = np.concatenate(
            [like.constant(y, size).sum(1) for y, size in zip(counts.events, counts.sizes)]
        )

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return self.design.vectors.shape[1]

    def _prior(self, q: int) -> tuple[Array, Array]:
        """Mean and precision of the latent variables, (q,)."""
        mean, precision = np.zeros(q), np.ones(q)
        mean[0], precision[0] = self.baseline[0], self.baseline[1] ** -2.0
        return mean, precision

    def log_prior_effects(self, effects: Array) -> Array:
        """Log prior density of (N, p) coefficients, (N,)."""
        quadratic = ((effects @ self.design.precision) * effects).sum(-1)
        return -0.5 * (quadratic + self.p * log(2 * pi) - self.design.log_precision)

    def modes(self, tau: Array) -> Modes:
        """Find the joint mode at every tau by Newton's method, latent variables eliminated study by study.

        Parameters
        ----------
        tau : (J,) array

        Returns
        -------
        Modes
        """
        counts, like = self.counts, self.counts.likelihood
        J = len(tau)
        T = [loadings(b.treatment.shape[1], tau, common=self.common) for b in counts.blocks]
        d = np.zeros((J, self.p))
        v = []
        for t, y, size in zip(T, counts.events, counts.sizes):
            start = np.zeros((J, len(y), t.shape[2]))
            start[:, :, 0] = like.predictor(y.sum(1) + 0.5, size.sum(1) + 1.0)
            v.append(start)
        value = self._joint(d, v, T)
        for _ in range(_STEPS):
            step_d, step_v, decrement, _, _ = self._newton(d, v, T)
            if (decrement < 1e-16 * (1.0 + np.abs(value))).all():
                break
            factor = np.where(np.isfinite(decrement), 1.0, 0.0)
            for _ in range(40):
                new_d = d + factor[:, None] * step_d
                new_v = [a + factor[:, None, None] * b for a, b in zip(v, step_v)]
                new = self._joint(new_d, new_v, T)
                worse = ~(new >= value - 1e-10 * (1.0 + np.abs(value))) & (factor > 0)
                if not worse.any():
                    break
                factor = np.where(worse, 0.5 * factor, factor)
            if (decrement < 1e-9).all() and (new <= value + 1e-12 * np.abs(value)).all():
                d, v, value = new_d, new_v, np.maximum(new, value)
                break
            d, v, value = new_d, new_v, new
        _, _, _, precision, latent = self._newton(d, v, T)
        dimension = self.p + sum(a.shape[1] * a.shape[2] for a in v)
        half = np.linalg.cholesky(precision)
        log_determinant = 2.0 * np.log(np.diagonal(half, axis1=1, axis2=2)).sum(1)
        log_determinant += sum(one.log_determinant.sum(1) for one in latent)
        total = value + self.constants.sum() - 0.5 * log_determinant + 0.5 * dimension * log(2 * pi)
        return Modes(tau, d, precision, tuple(latent), total)

    def _joint(self, d: Array, v: Sequence[Array], T: Sequence[Array]) -> Array:
        """Log joint density of data, effects and latent variables at every node, less `constants`."""
        total = self.log_prior_effects(d)
        like = self.counts.likelihood
        for x, latent, t, y, size in zip(self.predictors, v, T, self.counts.events, self.counts.sizes):
            eta = np.tensordot(d, x, (1, 2)) + latent @ t.swapaxes(1, 2)
            total = total + like.log_density(y, size, eta).sum((1, 2)) + self._log_prior(latent).sum(1)
        return np.where(np.isnan(total), -np.inf, total)

    def _log_prior(self, latent: Array) -> Array:
        """Log prior density of latent variables, (..., q)."""
        mean, precision = self._prior(latent.shape[-1])
        return -0.5 * (
            (precision * (latent - mean) ** 2).sum(-1) + len(mean) * log(2 * pi) - np.log(precision).sum()
        )

    def _newton(
        self, d: Array, v: Sequence[Array], T: Sequence[Array]
    ) -> tuple[Array, list[Array], Array, Array, list[Latent]]:
        """Newton step of effects and latent variables, its decrement, and the curvature."""
        gradient = -d @ self.design.precision
        precision = np.broadcast_to(self.design.precision, (len(d), self.p, self.p)).copy()
        kept = []
        for x, latent, t, y, size in zip(self.predictors, v, T, self.counts.events, self.counts.sizes):
            eta = np.tensordot(d, x, (1, 2)) + latent @ t.swapaxes(1, 2)
            score, curvature = self.counts.likelihood.derivatives(y, size, eta)
            mean, prior = self._prior(latent.shape[-1])
            own = score @ t - (latent - mean) * prior
            weighted = curvature[..., None] * t[:, None]  # (J, s, k, q)
            H = t[:, None].swapaxes(2, 3) @ weighted + np.diag(prior)
            root = invert_lower(cholesky(H))
            inverse = root.swapaxes(2, 3) @ root
            cross = inverse @ weighted.swapaxes(2, 3)  # (J, s, q, k)
            information = -weighted @ cross
            k = np.arange(y.shape[1])
            information[..., k, k] += curvature
            moved = score - (weighted @ (inverse @ own[..., None]))[..., 0]
            flat = x.reshape(-1, self.p)
            gradient = gradient + moved.reshape(len(d), -1) @ flat
            informed = (information @ x).reshape(len(d), -1, self.p)
            precision += flat.T @ informed
            log_determinant = -2.0 * np.log(np.diagonal(root, axis1=2, axis2=3)).sum(2)
            kept.append((own, inverse, cross @ x, information, log_determinant))
        step_d = np.linalg.solve(precision, gradient[:, :, None])[:, :, 0]
        decrement = (step_d * gradient).sum(1)
        steps, found = [], []
        for latent, t, (own, inverse, response, information, log_determinant) in zip(v, T, kept):
            alone = (inverse @ own[..., None])[..., 0]
            steps.append(alone - (response @ step_d[:, None, :, None])[..., 0])
            decrement = decrement + (own * alone).sum((1, 2))
            found.append(Latent(t, latent, response, information, log_determinant))
        return step_d, steps, decrement, precision, found

    def integrate(
        self,
        modes: Modes,
        node: Array,
        effects: Array,
        *,
        fit: bool = False,
        orders: Sequence[int] | None = None,
    ) -> StudyIntegrals:
        """Integrate every study's latent variables by an adaptive Gauss-Hermite rule around their own mode.

        Parameters
        ----------
        modes : Modes
        node : (N,) int array
            Which tau.
        effects : (N, p) array
        fit : bool
            Also the posterior means of deviances and expected events.
        orders : sequence of int, optional
            Other orders than the model's, by block.

        Returns
        -------
        StudyIntegrals
        """
        orders = orders or self.orders
        total = np.empty((len(node), len(self.constants)))
        shapes = [(len(node), *y.shape) for y in self.counts.events]
        deviances, fitted = ([np.empty(shape) for shape in shapes if fit] for _ in range(2))
        for b, studies in self.tiles(orders):
            for draws, found in self._pieces(b, studies, modes, node, effects, fit, orders[b]):
                first = self.starts[b]
                total[draws, first + studies.start : first + studies.stop] = found[0]
                if fit:
                    deviances[b][draws, studies], fitted[b][draws, studies] = found[1:]
        total += self.constants
        return StudyIntegrals(total, tuple(deviances) if fit else None, tuple(fitted) if fit else None)

    def tiles(self, orders: Sequence[int]) -> Iterator[tuple[int, slice]]:
        """Cut the studies of every block into parts, of which some draws at least are integrated at once."""
        for b, (y, latent) in enumerate(zip(self.counts.events, self.dimensions)):
            most = max(1, _AT_ONCE // (DRAWS_AT_ONCE * y.shape[1] * orders[b] ** latent))
            yield from ((b, slice(i, min(i + most, len(y)))) for i in range(0, len(y), most))

    def sums(
        self, modes: Modes, node: Array, effects: Array, weight: Array | None = None
    ) -> tuple[Array, list[Array], list[Array]]:
        """Integrate every study, and keep sums only, whose size does not grow with draws times studies.

        Parameters
        ----------
        modes, node, effects
            As in `integrate`.
        weight : (N,) array, optional
            Weights of the draws; without them no means are formed.

        Returns
        -------
        log_likelihood : (N,) array
            Of all studies.
        deviance, fitted : list of (s, k) arrays
            Weighted sums over the draws, by block; empty without weights.
        """
        total = np.full(len(node), self.constants.sum())
        events = self.counts.events if weight is not None else ()
        deviance: list[Array] = [np.zeros(y.shape) for y in events]
        fitted: list[Array] = [np.zeros(y.shape) for y in events]
        for b, studies in self.tiles(self.orders):
            fit = weight is not None
            for draws, found in self._pieces(b, studies, modes, node, effects, fit, self.orders[b]):
                total[draws] += found[0].sum(1)
                if weight is not None:
                    deviance[b][studies] += np.tensordot(weight[draws], found[1], 1)
                    fitted[b][studies] += np.tensordot(weight[draws], found[2], 1)
        return total, deviance, fitted

    def by_study(self, modes: Modes, node: Array, effects: Array) -> Iterator[tuple[Array, Array]]:
        """Integrate some studies after the other: places in `Counts.study`, (N, m) log likelihoods."""
        for b, studies in self.tiles(self.orders):
            place = self.starts[b] + np.arange(studies.start, studies.stop)
            found = np.empty((len(node), len(place)))
            for draws, (part, *_) in self._pieces(b, studies, modes, node, effects, False, self.orders[b]):
                found[draws] = part
            yield place, found + self.constants[place]

    def _pieces(
        self, b: int, studies: slice, modes: Modes, node: Array, effects: Array, fit: bool, order: int
    ) -> Iterator[tuple[slice, tuple[Array, Array, Array]]]:
        """Integrate some studies of a block at some draws after the other."""
        k, q = self.counts.events[b].shape[1], self.dimensions[b]
        chunk = max(1, _AT_ONCE // ((studies.stop - studies.start) * k * order**q))
        parts = range(0, len(node), chunk)
        what = (
            f"integrating studies {self.starts[b] + studies.start + 1:,} to {self.starts[b] + studies.stop:,}"
        )
        for i in counted(parts, len(parts), f"{what} of {len(self.constants):,}, parts"):
            draws = slice(i, min(i + chunk, len(node)))
            yield draws, self._integrate_block(b, studies, modes, node[draws], effects[draws], fit, order)

    def _integrate_block(
        self, b: int, studies: slice, modes: Modes, node: Array, effects: Array, fit: bool, order: int
    ) -> tuple[Array, Array, Array]:
        like, latent = self.counts.likelihood, modes.latent[b]
        y, size = self.counts.events[b][studies], self.counts.sizes[b][studies]
        T = latent.loadings[node]
        q = T.shape[2]
        mean, prior = self._prior(q)
        shift = np.tensordot(effects, self.predictors[b][studies], (1, 2))  # (N, s, k)
        response = latent.response[:, studies][node]
        v = (
            latent.mode[:, studies][node]
            - (response @ (effects - modes.effects[node])[:, None, :, None])[..., 0]
        )

        def density(v: Array) -> Array:
            eta = shift + v @ T.swapaxes(1, 2)
            return like.log_density(y, size, eta).sum(2) + self._log_prior(v)

        value = density(v)
        lost = ~np.isfinite(value)
        if lost.any():
            # Outside the range of the link: begin where every arm of the study is inside.
            inside = np.zeros_like(v)
            inside[..., 0] = like.predictor(y.sum(1) + 0.5, size.sum(1) + 1.0) - np.maximum(shift.max(2), 0.0)
            v = np.where(lost[..., None], inside, v)
            value = density(v)
        for _ in range(_STEPS):
            eta = shift + v @ T.swapaxes(1, 2)
            score, curvature = like.derivatives(y, size, eta)
            gradient = score @ T - (v - mean) * prior
            H = T[:, None].swapaxes(2, 3) @ (curvature[..., None] * T[:, None]) + np.diag(prior)
            root = invert_lower(cholesky(H))
            half = (root @ gradient[..., None])[..., 0]
            if ((half**2).sum(-1) < 1e-8).all():
                break
            step = (root.swapaxes(2, 3) @ half[..., None])[..., 0]
            factor = np.ones(value.shape)
            for _ in range(40):
                new = density(v + factor[..., None] * step)
                worse = ~(new >= value - 1e-9 * (1.0 + np.abs(value)))
                if not worse.any():
                    break
                factor = np.where(worse, 0.5 * factor, factor)
            v, value = v + factor[..., None] * step, new
        x, log_weight = gauss_hermite(q, order)
        away = root.swapaxes(2, 3) @ x  # (N, s, q, Q)
        eta = eta[..., None] + T[:, None] @ away
        each = like.log_density(y[..., None], size[..., None], eta)
        points = v[..., None] + away
        log_prior = -0.5 * (
            (prior[:, None] * (points - mean[:, None]) ** 2).sum(2) + q * log(2 * pi) - np.log(prior).sum()
        )
        terms = each.sum(2) + log_prior + log_weight
        top = terms.max(-1)
        share = np.exp(terms - top[..., None])
        total = share.sum(-1)
        log_likelihood = top + np.log(total) + np.log(np.diagonal(root, axis1=2, axis2=3)).sum(-1)
        if not fit:
            return log_likelihood, log_likelihood, log_likelihood
        share = (share / total[..., None])[:, :, None]
        with np.errstate(invalid="ignore"):
            each = np.where(share > 0, each, 0.0)
        deviance = 2.0 * (like.saturated(y, size) - (share * each).sum(-1))
        return log_likelihood, deviance, (share * like.fitted(size[..., None], eta)).sum(-1)
