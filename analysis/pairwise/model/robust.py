"""Intervals that hold whatever the dependence within studies: CR2 with Satterthwaite degrees of freedom.

References
----------
Tipton E, Pustejovsky JE (2015) J Educ Behav Stat 40:604-634; Pustejovsky JE, Tipton E (2018) J Bus Econ Stat
36:672-683. Tipton E (2015) Psychol Methods 20:375-393 (how many degrees of freedom are enough).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pairwise.model.coefficients import Coefficients, coefficients, quadratic_form
from analysis.pairwise.model.rows import Array, EffectRows, Solution
from analysis.verdict import NO_WIDTH

_ROUNDING = 1e-6

LEAST_DF = 4.0
"""Degrees of freedom below which the t approximation is not to be trusted (Tipton 2015)."""


@dataclass(frozen=True)
class Clusters:
    """What CR2 is made of, for m studies and p coefficients.

    Attributes
    ----------
    scores : (m, p) array
        Share of each study in the coefficients' errors, adjusted; their cross-products are the covariance.
    own : (m, p, p) array
        Covariance of each study's adjusted errors under the working model.
    cross : (m, p, p) array
        Their covariances with the fit: ``own - cross' M cross`` belongs to one study, ``-cross' M cross`` to
        two of them.
    working : (p, p) array
        M, covariance of the coefficients under the working model.
    """

    scores: Array
    own: Array
    cross: Array
    working: Array

    @property
    def covariance(self) -> Array:
        """Robust covariance of the coefficients, (p, p)."""
        return self.scores.T @ self.scores

    def degrees_of_freedom(self, x: Array) -> float:
        """Satterthwaite's, of a combination ``x' b`` of the coefficients; NaN where it cannot be judged.

        Under the working model CR2 is unbiased, unless part of the combination rests on one study alone: that
        study then has no residual from which this part of the error could be seen.
        """
        own = np.einsum("a,cab,b->c", x, self.own, x)
        cross = self.cross @ x
        shared = np.einsum("ci,ij,cj->c", cross, self.working, cross)
        expected = np.sum(own - shared)
        if expected < (1 - _ROUNDING) * (x @ self.working @ x):
            return float("nan")
        product = self.working @ (cross.T @ cross)
        total = np.sum(own**2) - 2 * np.sum(own * shared) + np.trace(product @ product)
        return float(expected**2 / total) if total > 0 else float("nan")

    def wald_test(self, estimate: Array, columns: list[int]) -> tuple[float, float, float]:
        """Test several coefficients at once by Hotelling's T2 with approximate degrees of freedom.

        Parameters
        ----------
        estimate : (p,) array
            All coefficients.
        columns : list of int
            Those that are tested.

        Returns
        -------
        (f, df1, df2) : tuple of float
            AHT of Tipton and Pustejovsky (2015, eq. 8-10; clubSandwich's HTZ): with one coefficient the
            square of its t statistic. f is NaN where df2 is too small to test anything, or a coefficient
            rests on one study.
        """
        q = len(columns)
        if not np.isfinite([self.degrees_of_freedom(x) for x in np.eye(len(estimate))[columns]]).all():
            return float("nan"), float(q), float("nan")
        chosen = np.ix_(columns, columns)
        statistic = quadratic_form(estimate[columns], self.covariance[chosen])
        if not np.isfinite(statistic):
            return float("nan"), float(q), float("nan")
        values, vectors = np.linalg.eigh(self.working[chosen])
        whiten = (vectors / np.sqrt(values)) @ vectors.T
        own = whiten @ self.own[:, columns][:, :, columns] @ whiten
        cross = self.cross[:, :, columns] @ whiten
        variance = 0.0
        for study, other in enumerate(cross):
            blocks = -np.einsum("as,ab,cbt->cst", other, self.working, cross)
            blocks[study] += own[study]
            traces = np.trace(blocks, axis1=1, axis2=2)
            variance += float(np.sum(traces**2) + np.einsum("cst,cts->", blocks, blocks))
        eta = q * (q + 1) / variance
        df2 = eta - q + 1
        return (statistic * df2 / (eta * q) if df2 > 0 else float("nan")), float(q), df2


def cluster_robust(
    rows: EffectRows, solution: Solution, between: float = 0.0, level: float = 0.95
) -> Coefficients:
    """Intervals that hold whatever the dependence within studies.

    Parameters
    ----------
    rows, solution, between
        As in `clusters`.
    level : float
        Confidence level.

    Returns
    -------
    Coefficients
        NaN standard errors with fewer than two studies, and for coefficients of which a part rests on one
        study alone.
    """
    p = rows.p
    if int(rows.study.max()) < 1:
        return coefficients(solution.beta, np.full((p, p), np.nan), np.nan, level)
    found = clusters(rows, solution, between)
    df = np.array([found.degrees_of_freedom(x) for x in np.eye(p)])
    # Effects that fit exactly show no error of their own: no interval, not one without width.
    seen = np.diag(found.covariance) > NO_WIDTH * np.diag(solution.covariance)
    known = np.where(np.isfinite(df) & seen, 1.0, np.nan)
    return coefficients(solution.beta, found.covariance * known * known[:, None], df, level)


def clusters(rows: EffectRows, solution: Solution, between: float = 0.0) -> Clusters:
    """Make the adjusted scores of each study.

    Parameters
    ----------
    rows : EffectRows
        The data; studies are the clusters.
    solution : Solution
        The fit whose model serves as the working one.
    between : float
        Variance between studies of a multilevel working model.
    """
    m = int(rows.study.max()) + 1
    p = rows.p
    M = solution.covariance
    residual = rows.y - rows.X @ solution.beta
    ones = rows.with_design(np.ones((rows.n, 1))).X[:, 0]
    back = {int(index[0]): (index, np.linalg.inv(matrix)) for index, matrix in rows.rotation}
    order = np.argsort(rows.study, kind="stable")
    bounds = np.searchsorted(rows.study[order], np.arange(m + 1))
    scores = np.zeros((m, p))
    own = np.zeros((m, p, p))
    cross = np.zeros((m, p, p))
    for cluster in range(m):
        index = order[bounds[cluster] : bounds[cluster + 1]]
        position = {int(row): place for place, row in enumerate(index)}
        restore = np.eye(len(index))
        for row in index:
            if int(row) in back:
                block, matrix = back[int(row)]
                places = [position[int(item)] for item in block]
                restore[np.ix_(places, places)] = matrix
        s = ones[index]
        working = np.diag(rows.v[index] + solution.tau2) + between * np.outer(s, s)
        # The adjustment is not the same in rotated coordinates, so it is made in those of the contrasts.
        phi = restore @ working @ restore.T
        X = restore @ rows.X[index]
        root = np.linalg.cholesky(phi).T
        values, vectors = np.linalg.eigh(root @ (phi - X @ M @ X.T) @ root.T)
        usable = values > 1e-12 * values.max()
        inverse_root = (vectors[:, usable] / np.sqrt(values[usable])) @ vectors[:, usable].T
        adjust = root.T @ inverse_root @ root
        g = adjust.T @ np.linalg.solve(phi, X @ M)
        scores[cluster] = g.T @ (restore @ residual[index])
        own[cluster] = g.T @ phi @ g
        cross[cluster] = X.T @ g
    return Clusters(scores, own, cross, M)
