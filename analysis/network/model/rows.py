"""Scalar rows: every study, multi-arm studies included, as independent normal observations.

A study's contrasts y ~ N(X d, S + tau2 R), R = (I + J) / 2, have a sampling and a heterogeneity covariance.
One rotation, found once and good for every tau, makes both diagonal: with S = L L' and L^-1 R L^-T = Q
diag(theta) Q', the rows of M y, M = Q' L^-1, are independent with variances 1 + tau2 theta. From then on
multi-arm correlation needs no code of its own, here and in MCMC.

The linear predictor of an arm is a row of a table of vectors; a comparison of two arms is an *edge*, the
difference of two such vectors. Studies share edges, so that information matrices are sums over edges, not
over studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import Any

import numpy as np

from analysis.network.data.network import ArmBlock, Block, Network, once, pairs_of
from evidence.errors import Problem, RefusedError
from evidence.system.memory import FEWER, refuse_without_room

Array = np.ndarray

_SMALL = 4096
"""Numbers of a matrix up to which to multiply all of them is faster than to skip its zeros."""


def heterogeneity_correlation(m: int) -> Array:
    """Correlation of m study-specific effects that share a base arm: 1 on the diagonal, 1/2 off it.

    Parameters
    ----------
    m : int
        Number of arms but the base arm.

    Returns
    -------
    (m, m) array
    """
    return (np.eye(m) + 1.0) / 2.0


@dataclass(frozen=True)
class BlockRows:
    """Rotated data of the studies of one block: s studies with k arms give s times q rows.

    Attributes
    ----------
    study : (s,) int array
        Index into `Network.studies`.
    treatment : (s, k) int array
        Index into `Network.treatments` of each arm, base arm first.
    y : (s, q) array
        Rotated data, with unit sampling variance.
    theta : (s, q) array
        Rotated heterogeneity: row variance is 1 + tau2 theta.
    rotation : (s, q, k - 1) array
        What the rotation makes of the effects against the base arm.
    deviance : (s, q, q) array or None
        Quadratic form that turns rotated residuals into residual deviance; None where it is the identity.
    constant : (s,) array
        Log density of a study's data less that of its rotated rows, log |L^-1|.
    """

    study: Array
    treatment: Array
    y: Array
    theta: Array
    rotation: Array
    deviance: Array | None
    constant: Array

    @property
    def arm_coefficients(self) -> Array:
        """What the rotation makes of the linear predictors of all arms, base arm first: (s, q, k)."""
        return np.concatenate([-self.rotation.sum(2, keepdims=True), self.rotation], axis=2)

    def take(self, studies: Array) -> BlockRows:
        """Keep some of the studies, given as indices or a mask."""
        deviance = None if self.deviance is None else self.deviance[studies]
        return BlockRows(
            self.study[studies],
            self.treatment[studies],
            self.y[studies],
            self.theta[studies],
            self.rotation[studies],
            deviance,
            self.constant[studies],
        )


def _rotate(sampling: Array, heterogeneity: Array, names: Sequence[str]) -> tuple[Array, Array, Array]:
    """Diagonalise both covariances: the rotation (s, q, q), theta (s, q) and log |rotation| (s,)."""
    if sampling.shape[-1] == 1:
        variance = sampling[:, 0, 0]
        bad = ~(variance > 0) | ~np.isfinite(variance)
        _refuse(bad, names)
        theta = heterogeneity[0, 0] / variance
        return 1.0 / np.sqrt(sampling), theta[:, None], -0.5 * np.log(variance)
    scale = np.sqrt(np.diagonal(sampling, axis1=1, axis2=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = sampling / (scale[:, :, None] * scale[:, None, :])
    finite = np.isfinite(correlation).all((1, 2))
    smallest = np.linalg.eigvalsh(np.where(finite[:, None, None], correlation, np.eye(scale.shape[1])))[:, 0]
    _refuse(~finite | (smallest < 1e-13), names)
    lower = np.linalg.cholesky(sampling)
    inverse = np.linalg.inv(lower)
    theta, q = np.linalg.eigh(inverse @ heterogeneity @ inverse.swapaxes(1, 2))
    log_determinant = -np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
    return q.swapaxes(1, 2) @ inverse, np.maximum(theta, 0.0), log_determinant


def _refuse(bad: Array, names: Sequence[str]) -> None:
    if not bad.any():
        return
    raise RefusedError(
        "The standard errors of some studies cannot belong to one set of data.",
        [
            Problem(
                "the covariance of its effects is not positive definite",
                "give the standard error of every comparison (above 0), or the arms' own data",
                study=names[int(i)],
            )
            for i in np.flatnonzero(bad)
        ],
    )


def contrast_rows(block: Block, names: Sequence[str]) -> BlockRows:
    """Rotate contrast data; the baselines are flat, which is what contrasts mean.

    Parameters
    ----------
    block : Block
    names : sequence of str
        Printed names of the block's studies, for errors.

    Returns
    -------
    BlockRows
        With q = k - 1.

    Raises
    ------
    RefusedError
        If a study's covariance is not positive definite.
    """
    rotation, theta, constant = _rotate(block.S, heterogeneity_correlation(block.k - 1), names)
    y = (rotation @ block.y[:, :, None])[:, :, 0]
    return BlockRows(block.study, block.treatment, y, theta, rotation, None, constant)


def arm_rows(arms: ArmBlock, baseline_mean: float, baseline_sd: float, names: Sequence[str]) -> BlockRows:
    """Rotate arm means with a normal prior on every study's baseline.

    Parameters
    ----------
    arms : ArmBlock
        With `mean` and `se`.
    baseline_mean, baseline_sd : float
        Prior of the base arm's mean, in the outcome's unit.
    names : sequence of str
        Printed names of the studies, for errors.

    Returns
    -------
    BlockRows
        With q = k.

    Raises
    ------
    RefusedError
        If a study's covariance is not positive definite.
    """
    assert arms.mean is not None
    assert arms.se is not None
    k = arms.treatment.shape[1]
    heterogeneity = np.zeros((k, k))
    heterogeneity[1:, 1:] = heterogeneity_correlation(k - 1)
    variance = arms.se**2
    error = variance[:, :, None] * np.eye(k)
    rotation, theta, constant = _rotate(error + baseline_sd**2, heterogeneity, names)
    y = (rotation @ (arms.mean - baseline_mean)[:, :, None])[:, :, 0]
    # Data less baseline and study effect: E[error | y] = error M' W r, in units of its own standard error.
    deviance = (rotation * variance[:, None, :]) @ rotation.swapaxes(1, 2)
    return BlockRows(arms.study, arms.treatment, y, theta, rotation[:, :, 1:], deviance, constant)


@dataclass(frozen=True)
class Design:
    """What the effects of the arms are made of, and the prior of the coefficients.

    Attributes
    ----------
    key : tuple of (s, k) int arrays
        For each block, the row of `vectors` of each arm.
    vectors : (K, p) array
        Linear predictors as combinations of the p coefficients.
    precision : (p, p) array
        Prior precision of the coefficients (their prior mean is 0); zero where the prior is flat.
    log_precision : float
        Log determinant of `precision`; 0 with flat priors, whose marginal likelihood is undefined.
    treatments : (T, p) array or None
        Linear predictor of each treatment against the reference; None where there is no such thing.
    """

    key: tuple[Array, ...]
    vectors: Array
    precision: Array
    log_precision: float
    treatments: Array | None = None


class DesignRows:
    """All rows under one design: given tau, the likelihood is a least-squares problem in them.

    Parameters
    ----------
    blocks : sequence of BlockRows
    design : Design
    """

    def __init__(self, blocks: Sequence[BlockRows], design: Design) -> None:
        self.blocks = tuple(blocks)
        self.design = design
        self.y = np.concatenate([b.y.ravel() for b in blocks])
        self.theta = np.concatenate([b.theta.ravel() for b in blocks])
        self.constant = float(sum(b.constant.sum() for b in blocks))
        self.offsets = np.cumsum([0, *(b.y.size for b in blocks)])
        self._index_edges()

    def _index_edges(self) -> None:
        """Find the distinct comparisons, and what each row takes from them."""
        n_keys = len(self.design.vectors)
        signs, codes = [], []
        for block, key in zip(self.blocks, self.design.key):
            i, j = pairs_of(block.rotation.shape[2] + 1)
            codes.append(np.minimum(key[:, i], key[:, j]) * n_keys + np.maximum(key[:, i], key[:, j]))
            signs.append(np.where(key[:, 1:] >= key[:, :1], 1.0, -1.0))
        distinct, found = np.unique(np.concatenate([code.ravel() for code in codes]), return_inverse=True)
        low, high = distinct // n_keys, distinct % n_keys
        self.edges = np.column_stack([low, high])
        self.vectors = self.design.vectors[high] - self.design.vectors[low]
        self.comparison_edges = found.ravel()
        parts, start = [], 0
        for block, code, sign, offset in zip(self.blocks, codes, signs, self.offsets):
            s, q, m = block.rotation.shape
            c = block.arm_coefficients
            i, j = pairs_of(m + 1)
            row = offset + np.arange(s * q).reshape(s, q)
            edge = self.comparison_edges[start : start + code.size].reshape(code.shape)
            start += code.size
            weight = -c[:, :, i] * c[:, :, j]
            shape = weight.shape
            parts.append(
                (
                    np.broadcast_to(row[:, :, None], shape).ravel(),
                    np.broadcast_to(edge[:, None, :], shape).ravel(),
                    weight.ravel(),
                    np.broadcast_to(row[:, :, None], (s, q, m)).ravel(),
                    np.broadcast_to(edge[:, None, :m], (s, q, m)).ravel(),
                    (block.rotation * sign[:, None, :]).ravel(),
                )
            )
        row, edge, weight, x_row, x_edge, x = (np.concatenate([part[n] for part in parts]) for n in range(6))
        n, count, p = len(self.y), len(distinct), self.vectors.shape[1]
        self._weights = _matrix(weight, edge, row, (count, n))
        self._predict = _matrix(x, x_row, x_edge, (n, count))
        self._project = _matrix(x, x_edge, x_row, (count, n))
        outer = (
            (self.vectors[:, :, None] * self.vectors[:, None, :]).reshape(count, p * p) if p <= 12 else None
        )
        self._outer = _outer_products(self.vectors) if outer is None else outer.T

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return self.vectors.shape[1]

    @cached_property
    def matrix(self) -> Array:
        """Design matrix of the rows, (n, p): for engines that sample ``y ~ N(X d, sqrt(1 + tau2 theta))``."""
        return self._predict @ self.vectors

    def weights(self, tau: Array) -> Array:
        """Inverse row variances at each tau, (n, J)."""
        return 1.0 / (1.0 + np.outer(self.theta, tau**2))

    def information(self, weights: Array) -> Array:
        """X' W X at each node, (J, p, p)."""
        return (self._outer @ (self._weights @ weights)).T.reshape(-1, self.p, self.p)

    def comparison_precisions(self, weights: Array) -> Array:
        """Precision that every comparison of two arms of every study brings, at each node.

        Parameters
        ----------
        weights : (n, J) array
            Inverse row variances.

        Returns
        -------
        (m, J) array
            Blocks in order, studies in order, pairs of arms in order. The information X' W X is the sum of
            these times the outer products of the vectors of `comparison_edges`.
        """
        parts = []
        for block, offset in zip(self.blocks, self.offsets):
            i, j = pairs_of(block.treatment.shape[1])
            c = block.arm_coefficients
            own = weights[offset : offset + block.y.size].reshape(*block.y.shape, -1)
            parts.append(
                np.einsum("sqp,sqj->spj", -c[:, :, i] * c[:, :, j], own).reshape(-1, weights.shape[1])
            )
        return np.concatenate(parts)

    def score(self, weighted: Array) -> Array:
        """X' v for an (n, J) array v; gives (J, p)."""
        return (self._project @ weighted).T @ self.vectors

    def predict(self, coefficients: Array) -> Array:
        """X d for (J, p) coefficients; gives (n, J)."""
        return self._predict @ (self.vectors @ coefficients.T)

    def solve(self, tau: Array) -> NodeSolutions:
        """Posterior of the coefficients given each tau, and the marginal likelihood of tau.

        Parameters
        ----------
        tau : (J,) array

        Returns
        -------
        NodeSolutions

        Raises
        ------
        numpy.linalg.LinAlgError
            If the data and the prior together do not determine the coefficients.
        """
        # Weights, residuals and a product of the two; the information, its Cholesky factor and the inverse.
        refuse_without_room(
            24 * len(tau) * (self.n + self.p**2),
            f"The exact engine with {self.n:,} effects, {self.p:,} coefficients and {len(tau)} values of tau",
            f"Take the engine frequentist. {FEWER}",
        )
        weights = self.weights(tau)
        information = self.information(weights) + self.design.precision
        lower = np.linalg.cholesky(information)
        root = np.linalg.inv(lower)
        coefficients = self._normal_equations(root, self.score(weights * self.y[:, None]))
        residual = self.y[:, None] - self.predict(coefficients)
        # One step of iterative refinement: the residuals are exact where the normal equations are not.
        gradient = self.score(weights * residual) - coefficients @ self.design.precision
        correction = self._normal_equations(root, gradient)
        coefficients += correction
        residual -= self.predict(correction)
        penalty = ((coefficients @ self.design.precision) * coefficients).sum(1)
        log_likelihood = self.constant - 0.5 * (
            (weights * residual**2).sum(0)
            + penalty
            - np.log(weights).sum(0)
            - self.design.log_precision
            + 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
            + self.n * log(2.0 * pi)
        )
        return NodeSolutions(tau, weights, coefficients, root, residual, log_likelihood)

    @staticmethod
    def _normal_equations(root: Array, right: Array) -> Array:
        half = root @ right[:, :, None]
        return (root.swapaxes(1, 2) @ half)[:, :, 0]


@dataclass(frozen=True)
class NodeSolutions:
    """Conditional posteriors at J values of tau.

    Attributes
    ----------
    tau : (J,) array
    weights : (n, J) array
        Inverse row variances.
    coefficients : (J, p) array
        Posterior means.
    root : (J, p, p) array
        Inverse of the lower Cholesky factor of the posterior precision: the covariance is root' root.
    residual : (n, J) array
        Data less prediction.
    log_likelihood : (J,) array
        Log p(y | tau), coefficients integrated out.
    """

    tau: Array
    weights: Array
    coefficients: Array
    root: Array
    residual: Array
    log_likelihood: Array

    def take(self, nodes: Array) -> NodeSolutions:
        """Keep some of the nodes."""
        return NodeSolutions(
            self.tau[nodes],
            self.weights[:, nodes],
            self.coefficients[nodes],
            self.root[nodes],
            self.residual[:, nodes],
            self.log_likelihood[nodes],
        )


def _matrix(value: Array, row: Array, column: Array, shape: tuple[int, int]) -> Any:
    """Put numbers into their places of a matrix, a sparse one unless it is small; those of one place add."""
    if (size := shape[0] * shape[1]) <= _SMALL:
        return np.bincount(row * shape[1] + column, value, size).reshape(shape)
    from scipy.sparse import csr_array

    return csr_array((value, (row, column)), shape=shape)


def _outer_products(vectors: Array) -> Any:
    """Outer product of each of E sparse vectors with itself, as the columns of a (p p, E) sparse matrix."""
    edge, column = np.nonzero(vectors)
    counts = np.bincount(edge, minlength=len(vectors))
    start = np.cumsum(counts) - counts
    # Every non-zero entry of a vector meets all of them in turn.
    repeat = counts[edge]
    first = np.repeat(np.arange(len(edge)), repeat)
    second = start[edge[first]] + np.arange(len(first)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    value = vectors[edge[first], column[first]] * vectors[edge[first], column[second]]
    p = vectors.shape[1]
    return _matrix(value, column[first] * p + column[second], edge[first], (p * p, len(vectors)))


@once
def block_rows(net: Network) -> tuple[BlockRows, ...]:
    """Rotate all contrast data of a network.

    Parameters
    ----------
    net : Network

    Returns
    -------
    tuple of BlockRows
        One for each block.
    """
    return tuple(contrast_rows(b, [net.study_label(int(i)) for i in b.study]) for b in net.blocks)
