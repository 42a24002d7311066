"""Independent normal rows, and the sums from which every estimate of the between-study variance is made.

The model of a meta-analysis with known sampling variances is ``y ~ N(X b, V + tau2 R)``. A study with one
contrast gives one row of it; contrasts that share an arm give a block, which `rotate` turns into independent
rows. After that every row is ``y ~ N(x b, v + tau2)``, whatever it came from, and one set of sums serves
common and random effects, meta-regression, deletions, subsets and permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analysis.pairwise.model.parts import Array, Parts, Stretches, at_each, of_all, some_of

_CHUNK = 1 << 17
"""Largest number of weights held at once."""

_PIECE = 1 << 14
"""Rows summed at once: few enough for the processor's cache."""

LARGE = 4096
"""Rows from which on many subsets are summed at shared values of tau2; below, each cell has its weight."""


@dataclass(frozen=True)
class EffectRows:
    """Independent rows ``y ~ N(X b, v + tau2)``.

    Attributes
    ----------
    y : (n,) array
        Effects, or rotated effects.
    v : (n,) array
        Sampling variances, positive.
    X : (n, p) array
        Design, of full column rank.
    study : (n,) int array
        Number of the study each row belongs to, from 0 and without gaps.
    rotation : tuple of (indices, matrix)
        For each block of correlated contrasts: their indices, and the matrix that made the rows of the
        contrasts.
    """

    y: Array
    v: Array
    X: Array
    study: Array
    rotation: tuple[tuple[Array, Array], ...] = ()

    @classmethod
    def of(cls, y: Array, v: Array, X: Array | None = None, study: Array | None = None) -> EffectRows:
        """Make rows of independent effects; the design is an intercept where none is given."""
        y = np.asarray(y, float)
        return cls(
            y,
            np.asarray(v, float),
            # One cell seen n times: no column of ones is written, or read.
            np.broadcast_to(1.0, (len(y), 1)) if X is None else np.asarray(X, float),
            np.arange(len(y)) if study is None else np.asarray(study),
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return int(self.X.shape[1])

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.n - self.p

    def take(self, keep: Array) -> EffectRows:
        """Keep some rows; `keep` must hold whole blocks."""
        _, study = np.unique(self.study[keep], return_inverse=True)
        new = np.cumsum(keep) - 1
        rotation = tuple((new[index], matrix) for index, matrix in self.rotation if keep[index[0]])
        return EffectRows(self.y[keep], self.v[keep], self.X[keep], study, rotation)

    def with_design(self, X: Array) -> EffectRows:
        """Take another design, given for the contrasts as they were before rotation."""
        X = np.array(X, float)
        for index, matrix in self.rotation:
            X[index] = matrix @ X[index]
        return EffectRows(self.y, self.v, X, self.study, self.rotation)

    def to_contrasts(self, coefficients: Array) -> Array:
        """Carry coefficients of the rows over to the contrasts: the weights that act on the effects."""
        out = np.array(coefficients, float)
        for index, matrix in self.rotation:
            out[index] = matrix.T @ out[index]
        return out

    @cached_property
    def profile(self) -> Profile:
        """The sums over these rows, as functions of tau2."""
        return Profile(self)


def rotate(
    y: Array, v: Array, X: Array, study: Array, blocks: Iterable[tuple[Array, Array, Array]]
) -> EffectRows:
    """Turn correlated contrasts into independent rows by joint diagonalisation of V and R.

    With ``R = L L'`` and ``L^-1 V L^-T = Q diag(lambda) Q'`` the rows ``Q' L^-1 y`` are independent with
    variances ``lambda + tau2``.

    Parameters
    ----------
    y, v, X, study : arrays
        As in `EffectRows`, one entry per contrast.
    blocks : iterable of (indices, V, R)
        For each block its contrasts, their sampling covariance, and the correlation of their true effects.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a block's R is not positive definite.
    """
    y, v, X = np.array(y, float), np.array(v, float), np.array(X, float)
    rotation = []
    for index, V, R in blocks:
        whiten = np.linalg.inv(np.linalg.cholesky(R))
        variances, vectors = np.linalg.eigh(whiten @ V @ whiten.T)
        matrix = vectors.T @ whiten
        y[index], v[index], X[index] = matrix @ y[index], variances, matrix @ X[index]
        rotation.append((np.asarray(index), matrix))
    return EffectRows(y, v, X, np.asarray(study), tuple(rotation))


def _orthonormal(X: Array) -> tuple[Array, Array]:
    """Orthonormal basis of the columns and the triangle that gives them back: QR, by hand for one column."""
    if X.shape[1] == 1:
        same = X.strides[0] == 0 and len(X)
        length = np.sqrt(len(X)) * abs(X[0, 0]) if same else np.sqrt(X[:, 0] @ X[:, 0])
        return np.broadcast_to(X[0] / length, X.shape) if same else X / length, np.array([[length]])
    return np.linalg.qr(X)


@dataclass(frozen=True)
class Solution:
    """The weighted least-squares fit at one value of tau2.

    Attributes
    ----------
    tau2 : float
        Between-study variance used in the weights.
    beta : (p,) array
        Coefficients.
    covariance : (p, p) array
        ``(X' W X)^-1``.
    residual_ss : float
        Weighted sum of squared residuals: Cochran's Q at tau2 = 0.
    likelihoods : callable
        Gives `log_likelihood` and `restricted_log_likelihood`, which take the logarithm of every row.
    """

    tau2: float
    beta: Array
    covariance: Array
    residual_ss: float
    likelihoods: Callable[[], tuple[float, float]] = field(repr=False, compare=False)

    @property
    def log_likelihood(self) -> float:
        """With all constants."""
        return self.likelihoods()[0]

    @property
    def restricted_log_likelihood(self) -> float:
        """With all constants, in metafor's convention, which adds ``log|X'X| / 2``."""
        return self.likelihoods()[1]


class Profile:
    """Sums over rows as functions of tau2, for many values, subsets or designs at once.

    Works on data divided by a power of two, so that no result depends on the unit, on residuals from the
    common-effect fit and on an orthonormal basis of the design, so that no sum cancels.

    Parameters
    ----------
    rows : EffectRows
        The data.
    order : (m, n) int array, optional
        For permutation tests: row i of the design in batch b is row ``order[b, i]`` of the given one.
    """

    def __init__(self, rows: EffectRows, order: Array | None = None) -> None:
        self.rows, self.p = rows, rows.p
        self.unit = 2.0 ** np.round(0.5 * np.log2(np.mean(rows.v))) if rows.n else 1.0
        self.unit2 = self.unit**2
        self.v = rows.v / self.unit2
        y = rows.y / self.unit
        self.basis, self.triangle = _orthonormal(rows.X)
        self._long = self.p == 1 and rows.n >= LARGE
        if self._long:
            self.start = np.divide(*self._about(0.0, y))
        else:
            weighted = self.basis / self.v[:, None]
            self.start = np.linalg.solve(weighted.T @ self.basis, weighted.T @ y)
        self._order = order
        self._about_mean = None if order is None else y - np.average(y, weights=1 / self.v)
        self.z = np.subtract(y, self._combined(self.start), out=y)
        self._upper = first, second = np.triu_indices(self.p + 1)
        self._square = np.zeros((self.p + 1, self.p + 1), int)
        self._square[first, second] = self._square[second, first] = np.arange(len(first))

    @cached_property
    def products(self) -> Array:
        """Products of the columns of (basis, z), upper triangle by rows, and ones for the traces."""
        if self._order is None or self._about_mean is None:
            augmented = np.column_stack([self.basis, self.z])
        else:
            # A permuted design asks for residuals that do not rest on the original one: y about its own mean.
            z = np.broadcast_to(self._about_mean, self._order.shape)[:, :, None]
            augmented = np.concatenate([self.basis[self._order], z], axis=2)
        first, second = self._upper
        ones = np.ones((*augmented.shape[:-1], 1))
        return np.concatenate([augmented[..., first] * augmented[..., second], ones], axis=-1)

    def sums(
        self, tau2: Array | float, mask: Parts | None = None, batch: Array | None = None, order: int = 2
    ) -> Sums:
        """Evaluate the sums.

        Parameters
        ----------
        tau2 : float or (m,) array
            In this profile's unit. A float is shared by all subsets of `mask`.
        mask : (m, n) array or Stretches, optional
            How often each row counts in each subset.
        batch : (m,) int array, optional
            Which permuted design belongs to each entry of `tau2`.
        order : {1, 2, 3}
            Highest power of the weights that is needed.
        """
        if np.ndim(tau2) == 1 and mask is not None and self._at_shared_values(mask):
            return self._of_parts(np.asarray(tau2), mask, order)
        if self._long and mask is None and batch is None and np.size(tau2) == 1:
            return self._of_one_column(float(np.ravel(tau2)[0]), order)
        products = self.products if batch is None else self.products[batch]
        weight = 1 / (self.v + np.atleast_1d(tau2)[:, None])
        shared = np.ndim(tau2) == 0 and mask is not None
        power = weight if shared or mask is None else weight * mask
        totals = []
        for degree in range(order):
            power = power * weight if degree else power
            if shared:
                totals.append(mask @ (power[0][:, None] * products))
            elif products.ndim == 3:
                totals.append((power[:, None, :] @ products)[:, 0])
            else:
                totals.append(power @ products)
        return Sums([self.matrix(total) for total in totals], [total[:, -1] for total in totals])

    def _of_one_column(self, tau2: float, order: int) -> Sums:
        """Evaluate the sums of all rows at one value, without columns of products."""

        def of_piece(x: Array, v: Array, z: Array) -> Array:
            weight = 1 / (v + tau2)
            power, found = weight, []
            for degree in range(order):
                power = power * weight if degree else power
                of_x, of_z = power * x, power * z
                found.append((of_x @ x, of_x @ z, of_z @ z, power.sum()))
            return np.array(found)

        totals = self._of_pieces(of_piece, self.z).sum(axis=0)[:, None]
        return Sums([self.matrix(total) for total in totals], [total[:, -1] for total in totals])

    def _about(self, tau2: float, z: Array) -> Array:
        """Add up x z and x^2 times the weights: of one column, score and information, (2, 1)."""

        def of_piece(x: Array, v: Array, z: Array) -> Array:
            weighted = x / (v + tau2)
            return np.array([[weighted @ z], [weighted @ x]])

        return self._of_pieces(of_piece, z).sum(axis=0)

    def _residual_ss(self, tau2: float, shift: float) -> float:
        """Add up weighted squares of what one column's coefficient leaves."""

        def of_piece(x: Array, v: Array, z: Array) -> Array:
            residual = z - x * shift
            return np.asarray((residual / (v + tau2)) @ residual)

        return float(self._of_pieces(of_piece, self.z).sum())

    def _of_pieces(self, of_piece: Callable[[Array, Array, Array], Array], z: Array) -> Array:
        """Evaluate pieces of the basis's one column, of v and of z, (pieces, ...): each fits in the cache."""
        pieces = (slice(start, start + _PIECE) for start in range(0, self.rows.n, _PIECE))
        return np.stack([of_piece(self.basis[piece, 0], self.v[piece], z[piece]) for piece in pieces])

    def _combined(self, coefficients: Array) -> Array:
        """Add up the columns of the basis times their coefficients, (n,)."""
        if self.p > 1:
            return self.basis @ coefficients
        # For a matrix of one column, NumPy's product takes ten times as long.
        column = self.basis[:, 0]
        same = column.strides[0] == 0
        return np.broadcast_to(column[:1] * coefficients, column.shape) if same else column * coefficients

    def _at_shared_values(self, mask: Parts) -> bool:
        """Whether sums of these parts are interpolated: no weights of every row at every part's tau2 then."""
        return isinstance(mask, Stretches) or self.rows.n >= LARGE

    def _of_parts(self, tau2: Array, mask: Parts, order: int) -> Sums:
        """Evaluate the sums of parts, each at its own tau2."""
        smallest = float(self.v.min())
        if not len(tau2):
            found = np.zeros((0, order * self.products.shape[1]))
        elif isinstance(mask, Stretches) and mask.short:
            left_out = mask.left_out(lambda rows, part: self._powers(rows, tau2[part], order))
            every = np.arange(self.rows.n)
            whole = of_all(tau2, smallest, lambda value: self._powers(every, value, order).sum(axis=0))
            found = mask.rest(whole, left_out, lambda part: self._powers(every, tau2[part], order))
        else:
            every = np.arange(self.rows.n)
            found = at_each(
                tau2, smallest, lambda value, some: some_of(mask, some) @ self._powers(every, value, order)
            )
        totals = np.split(found, order, axis=1)
        return Sums([self.matrix(total) for total in totals], [total[:, -1] for total in totals])

    def _powers(self, rows: Array, tau2: Array | float, order: int) -> Array:
        """Products of some rows times their weights to the first, second, ... power, side by side."""
        weight = (1 / (self.v[rows] + tau2))[:, None]
        powers = [self.products[rows] * weight]
        for _ in range(1, order):
            powers.append(powers[-1] * weight)
        return np.concatenate(powers, axis=1)

    def matrix(self, total: Array) -> Array:
        """Put sums of `products`, (m, columns), into symmetric matrices, (m, p + 1, p + 1)."""
        return total[:, self._square]

    def trace_of_p(self) -> float:
        """Trace of P at tau2 = 0, without the cancellation of `Sums.trace_p` where one row outweighs all."""
        if self._long:

            def of_piece(x: Array, v: Array, z: Array) -> Array:
                weight = 1 / v
                part = weight * x * x
                return np.array([weight.sum(), part.sum(), weight @ part, part.max()])

            found = self._of_pieces(of_piece, self.z)
            total, information, lost, _ = found.sum(axis=0)
            if 2 * found[:, 3].max() <= information:
                return float(total - lost / information)
        weight = 1 / self.v
        if self.p > 1:
            _, triangle = _orthonormal(self.basis * np.sqrt(weight)[:, None])
            root = np.linalg.solve(triangle.T, (self.basis * np.sqrt(weight)[:, None]).T)
            return float(np.sum(weight * np.maximum(0, 1 - np.sum(root**2, axis=0))))
        part = weight * self.basis[:, 0] ** 2
        before, after = np.r_[0, np.cumsum(part)[:-1]], np.r_[np.cumsum(part[::-1])[::-1][1:], 0]
        return float(np.sum(weight * (before + after)) / part.sum())

    def log_determinant(self, tau2: Array, mask: Parts | None = None) -> Array:
        """Sum of ``log(v + tau2)`` over the rows of each entry, (m,)."""
        if mask is not None and self._at_shared_values(mask):
            return at_each(
                np.asarray(tau2),
                float(self.v.min()),
                lambda value, members: mask[members] @ np.log(self.v + value)[:, None],
            )[:, 0]
        logs = np.log(self.v + np.asarray(tau2)[:, None])
        return logs.sum(1) if mask is None else (logs * mask).sum(1)

    def chunks(self, m: int) -> Iterable[slice]:
        """Cut m evaluations into pieces that fit into memory."""
        step = max(1, _CHUNK // max(self.rows.n, 1))
        return (slice(start, start + step) for start in range(0, m, step))

    def solve(self, tau2: float) -> Solution:
        """Fit by weighted least squares at `tau2` (in the data's unit) by an orthogonal decomposition."""
        t = tau2 / self.unit2
        if self._long:
            score, information = self._about(t, self.z)
            triangle, shift = np.sqrt(information)[:, None], score / information
            residual_ss = self._residual_ss(t, float(shift[0]))
        else:
            root = 1 / np.sqrt(self.v + t)
            weighted, triangle = _orthonormal(self.basis * root[:, None])
            shift = np.linalg.solve(triangle, weighted.T @ (self.z * root))
            residual = (self.z - self._combined(shift)) * root
            residual_ss = float(residual @ residual)
        back = np.linalg.inv(triangle @ self.triangle)
        n, p = self.rows.n, self.p

        def likelihoods() -> tuple[float, float]:
            log_det = float(np.sum(np.log(self.v + t))) + 2 * n * np.log(self.unit)
            log_information = 2 * float(np.sum(np.log(np.abs(np.diag(triangle))))) - 2 * p * np.log(self.unit)
            constant = np.log(2 * np.pi)
            restricted = (n - p) * constant + log_det + log_information + residual_ss
            return -0.5 * (n * constant + log_det + residual_ss), -0.5 * restricted

        return Solution(
            tau2=float(tau2),
            beta=np.linalg.solve(self.triangle, self.start + shift) * self.unit,
            covariance=back @ back.T * self.unit2,
            residual_ss=residual_ss,
            likelihoods=likelihoods,
        )


class Sums:
    """What the estimating equations are made of, for a batch of m values of tau2.

    With ``P = W - W X (X'WX)^-1 X'W``: the quadratic forms ``y'Py``, ``y'PPy``, ``y'PPPy`` and the traces of
    P and PP.
    """

    def __init__(self, matrices: list[Array], traces: list[Array]) -> None:
        self._matrices = matrices
        self._traces = traces
        p = matrices[0].shape[1] - 1
        self._p = p
        information = matrices[0][:, :p, :p]
        self.inverse = 1 / information if p == 1 else np.linalg.inv(information)
        self.shift = self._times(self.inverse, matrices[0][:, :p, p])
        self._residual = np.concatenate([-self.shift, np.ones((len(self.shift), 1))], axis=1)

    @staticmethod
    def _times(matrix: Array, vector: Array) -> Array:
        return np.einsum("mab,mb->ma", matrix, vector)

    def _form(self, power: int) -> Array:
        residual = self._residual
        return np.einsum("ma,mab,mb->m", residual, self._matrices[power], residual)

    @property
    def q(self) -> Array:
        """``y'Py``: the weighted residual sum of squares, (m,)."""
        return np.maximum(self._form(0), 0)

    @cached_property
    def ypp(self) -> Array:
        """``y'PPy``, (m,)."""
        return np.maximum(self._form(1), 0)

    @cached_property
    def yppp(self) -> Array:
        """``y'PPPy``, (m,)."""
        cross = self._times(self._matrices[1][:, : self._p, :], self._residual)
        return self._form(2) - np.einsum("ma,mab,mb->m", cross, self.inverse, cross)

    @property
    def sum_w(self) -> Array:
        """Sum of the weights, (m,)."""
        return self._traces[0]

    @property
    def sum_w2(self) -> Array:
        """Sum of the squared weights, (m,)."""
        return self._traces[1]

    @cached_property
    def _ratio(self) -> Array:
        return self.inverse @ self._matrices[1][:, : self._p, : self._p]

    @property
    def trace_p(self) -> Array:
        """Trace of P, (m,)."""
        return self._traces[0] - np.trace(self._ratio, axis1=1, axis2=2)

    @property
    def trace_pp(self) -> Array:
        """Trace of PP, (m,)."""
        third = np.einsum("mab,mba->m", self.inverse, self._matrices[2][:, : self._p, : self._p])
        return self._traces[1] - 2 * third + np.einsum("mab,mba->m", self._ratio, self._ratio)

    @property
    def log_information(self) -> Array:
        """``log|X'WX|`` on the orthonormal basis, (m,)."""
        if self._p == 1:
            return -np.log(self.inverse[:, 0, 0])
        return np.linalg.slogdet(self._matrices[0][:, : self._p, : self._p])[1]
