"""Effects that are not independent: shared controls, and several effects of one study.

References
----------
Gleser LJ, Olkin I (2009) in Cooper H et al. (eds), The Handbook of Research Synthesis, ch. 19 (covariance of
contrasts that share an arm). Vesterinen HM et al. (2014) J Neurosci Methods 221:92-102 (dividing the
control's animals). Konstantopoulos S (2011) Res Synth Methods 2:61-76 (three-level model). Johnson DL,
Thompson R (1995) J Dairy Sci 78:449-456 (average-information REML).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import Coefficients, coefficients
from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.model.robust import cluster_robust
from analysis.pairwise.model.rows import Array, EffectRows, Solution

TRUE_EFFECT_CORRELATION = 0.5
"""Correlation of the true effects of contrasts that share an arm: all arms vary equally between studies."""


def shared_arm_blocks(
    variance: Array, pairs: list[tuple[int, int, float]]
) -> Iterator[tuple[Array, Array, Array]]:
    """Blocks of contrasts that share arms, for `rows.rotate`.

    Parameters
    ----------
    variance : (n,) array
        Sampling variance of each contrast.
    pairs : list of (first, second, covariance)
        Indices of two contrasts that share an arm and the covariance of their estimates. Its sign says on
        which sides the arm stands, and is that of the correlation of the true effects.

    Yields
    ------
    (indices, V, R)
        For each set of contrasts connected by shared arms.
    """
    root = np.arange(len(variance))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = int(root[index])
        return index

    for first, second, _ in pairs:
        root[find(first)] = find(second)
    members: dict[int, list[int]] = {}
    for index in sorted({index for pair in pairs for index in pair[:2]}):
        members.setdefault(find(index), []).append(index)
    place = {index: (block, row) for block, group in members.items() for row, index in enumerate(group)}
    matrices = {block: (np.diag(variance[group]), np.eye(len(group))) for block, group in members.items()}
    for first, second, covariance in pairs:
        block, row = place[first]
        column = place[second][1]
        V, R = matrices[block]
        V[row, column] = V[column, row] = covariance
        R[row, column] = R[column, row] = np.copysign(TRUE_EFFECT_CORRELATION, covariance)
    for block, group in members.items():
        yield np.array(group), *matrices[block]


@dataclass(frozen=True)
class Multilevel:
    """A three-level model: effects within studies, studies, sampling error.

    Attributes
    ----------
    between : float
        Variance between studies.
    within : float
        Variance between the effects of one study.
    solution : Solution
        The fit; its tau2 is `within`.
    coefficients : Coefficients
        With t quantiles on studies minus coefficients (degrees of freedom by containment) or normal ones.
    weights : (n,) array
        Weight of each row in the intercept.
    """

    between: float
    within: float
    solution: Solution
    coefficients: Coefficients
    weights: Array


class _Levels:
    """Sums of ``y ~ N(X b, diag(v + within) + between s s')``, s a study's rotated ones."""

    def __init__(self, rows: EffectRows, within: float, between: float) -> None:
        self.rows = rows
        self.m = int(rows.study.max()) + 1
        self.between = between
        self.weight = 1 / (rows.v + within)
        self.ones = rows.with_design(np.ones((rows.n, 1))).X[:, 0] if rows.rotation else np.ones(rows.n)
        self.a = self._by_study(self.weight * self.ones**2)
        self.shrink = between / (1 + between * self.a)
        self.log_determinant = float(np.sum(np.log(rows.v + within)) + np.sum(np.log1p(between * self.a)))
        self.solved = self.solve(rows.X)
        self.covariance = np.linalg.inv(rows.X.T @ self.solved)
        self.beta = self.covariance @ (self.solved.T @ rows.y)
        self.residual = rows.y - rows.X @ self.beta
        self.projected = self.solve(self.residual[:, None])[:, 0]
        self.residual_ss = float(self.residual @ self.projected)

    def _by_study(self, values: Array) -> Array:
        return np.bincount(self.rows.study, values, self.m)

    def solve(self, columns: Array) -> Array:
        """Multiply columns by the inverse covariance."""
        # About the mean of each study, so that nothing cancels where the variance between studies is huge.
        study, ones = self.rows.study, self.ones[:, None]
        sums = np.column_stack([self._by_study(self.weight * self.ones * column) for column in columns.T])
        mean = sums / self.a[:, None]
        left = (mean / (1 + self.between * self.a[:, None]))[study]
        return self.weight[:, None] * (columns - ones * mean[study] + ones * left)

    def project(self, column: Array) -> Array:
        """Multiply a column by P."""
        solved = self.solve(column[:, None])[:, 0]
        return solved - self.solved @ (self.covariance @ (self.rows.X.T @ solved))

    @property
    def restricted_log_likelihood(self) -> float:
        """Without constants that do not depend on the variances."""
        log_information = -np.linalg.slogdet(self.covariance)[1]
        return -0.5 * (self.log_determinant + log_information + self.residual_ss)

    def gradient(self) -> tuple[Array, Array]:
        """Give the derivatives by (between, within), and the average information."""
        spread = self._by_study(self.ones * self.projected)
        shares = np.column_stack([self._by_study(self.ones * column) for column in self.solved.T])
        trace_within = float(
            np.sum(self.weight) - np.sum(self.shrink * self._by_study(self.weight**2 * self.ones**2))
        ) - float(np.trace(self.covariance @ (self.solved.T @ self.solved)))
        trace_between = float(np.sum(self.a * (1 - self.shrink * self.a))) - float(
            np.trace(self.covariance @ (shares.T @ shares))
        )
        directions = np.column_stack([self.ones * spread[self.rows.study], self.projected])
        slope = 0.5 * np.array(
            [spread @ spread - trace_between, self.projected @ self.projected - trace_within]
        )
        projected = np.column_stack([self.project(column) for column in directions.T])
        return slope, 0.5 * directions.T @ projected


@determined("The three-level model")
def multilevel(rows: EffectRows, ci: str = "Wald", level: float = 0.95) -> Multilevel:
    """Fit the three-level model by REML, the variances between and within studies each not below 0.

    Parameters
    ----------
    rows : EffectRows
        Data in which at least one study has two rows.
    ci : str
        "Wald" for normal quantiles, "CR2" for cluster-robust intervals on this model, else t with studies
        minus coefficients degrees of freedom.
    level : float
        Confidence level.
    """
    unit2 = rows.profile.unit2
    scaled = EffectRows(rows.y / rows.profile.unit, rows.v / unit2, rows.X, rows.study, rows.rotation)
    total = max(between_studies.estimate(scaled), 1e-3 * float(np.median(scaled.v)))
    starts = [(total / 2, total / 2), (total, 0.0), (0.0, total), (0.0, 0.0)]
    found = [_average_information(scaled, np.array(start)) for start in starts]
    between, within = max(found, key=lambda item: _Levels(scaled, item[1], item[0]).restricted_log_likelihood)
    fit = _Levels(rows, within * unit2, between * unit2)
    constant = np.log(2 * np.pi)
    log_information = float(-np.linalg.slogdet(fit.covariance)[1])
    log_design = float(np.linalg.slogdet(rows.X.T @ rows.X)[1])
    about = fit.log_determinant + fit.residual_ss
    solution = Solution(
        tau2=within * unit2,
        beta=fit.beta,
        covariance=fit.covariance,
        residual_ss=fit.residual_ss,
        likelihoods=lambda: (
            -0.5 * (rows.n * constant + about),
            -0.5 * (rows.df * constant + about + log_information - log_design),
        ),
    )
    if ci == "CR2":
        result = cluster_robust(rows, solution, between * unit2, level)
    else:
        df = np.inf if ci == "Wald" else fit.m - rows.p
        result = coefficients(fit.beta, fit.covariance, df, level)
    weights = (fit.covariance @ fit.solved.T)[0]
    return Multilevel(between * unit2, within * unit2, solution, result, weights)


def _average_information(rows: EffectRows, variances: Array) -> tuple[float, float]:
    """Climb the restricted likelihood from (between, within), the variances kept at 0 or above."""
    fit = _Levels(rows, variances[1], variances[0])
    for _ in range(200):
        slope, information = fit.gradient()
        free = (variances > 0) | (slope > 0)
        if not free.any():
            break
        step = np.zeros(2)
        step[free] = np.linalg.lstsq(information[np.ix_(free, free)], slope[free], rcond=None)[0]
        if step @ slope <= 0:
            step = np.where(free, slope, 0.0)
        for _ in range(60):
            new = np.maximum(variances + step, 0)
            trial = _Levels(rows, new[1], new[0])
            if trial.restricted_log_likelihood >= fit.restricted_log_likelihood - 1e-13 * abs(
                fit.restricted_log_likelihood
            ):
                break
            step = step / 2
        moved = np.abs(new - variances).max()
        variances, fit = new, trial
        if moved <= 1e-12 * (variances.max() + float(rows.v.min())):
            break
    return float(variances[0]), float(variances[1])
