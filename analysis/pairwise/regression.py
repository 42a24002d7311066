"""Meta-regression and subgroups.

References
----------
Thompson SG, Higgins JPT (2002) Stat Med 21:1559-1573. Knapp G, Hartung J (2003) Stat Med 22:2693-2710.
Raudenbush SW (1994) in Cooper H, Hedges LV (eds), The Handbook of Research Synthesis, 301-321 (R2). Higgins
JPT, Thompson SG (2004) Stat Med 23:1663-1682 (permutation test). Phipson B, Smyth GK (2010) Stat Appl Genet
Mol Biol 9:39 (its p-value).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise import tau2 as between_studies
from analysis.pairwise.inference import (
    Coefficients,
    chi2_p_value,
    f_p_value,
    infer,
    predict,
    t_quantile,
)
from analysis.pairwise.models import quantities
from analysis.pairwise.rows import Array, Profile, Rows, Solution
from analysis.results import frame
from evidence.errors import CallError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.models import PairwiseModels

INTERCEPT = "intercept"
_CELLS = 1 << 17


@dataclass(frozen=True)
class Design:
    """Columns of a meta-regression.

    Attributes
    ----------
    X : (n, p) array
        An intercept, then the terms; categories against their first level.
    names : tuple of str
        Of the columns; ``variable: level`` for categories.
    terms : dict of str to list of int
        Columns of each variable.
    reference : dict of str to str
        First level of each categorical variable.
    """

    X: Array
    names: tuple[str, ...]
    terms: dict[str, list[int]]
    reference: dict[str, str]


def design(variables: pd.DataFrame) -> Design:
    """Make the columns of a meta-regression: numbers as they are, anything else as categories.

    Raises
    ------
    RefusedError
        If a variable has one value only, or the columns depend on each other.
    """
    columns, names = [np.ones(len(variables))], [INTERCEPT]
    terms: dict[str, list[int]] = {}
    reference: dict[str, str] = {}
    for name in variables.columns:
        values = variables[name]
        start = len(columns)
        if values.dtype.kind in "fiu":
            columns.append(values.to_numpy(float))
            names.append(name)
        else:
            text = values.astype(str)
            levels = sorted(text.unique())
            reference[name] = levels[0]
            for level in levels[1:]:
                columns.append((text == level).to_numpy(float))
                names.append(f"{name}: {level}")
        terms[name] = list(range(start, len(columns)))
        if values.nunique() < 2:
            raise RefusedError(f"{name} is the same in every study: it cannot explain any difference.")
    X = np.column_stack(columns)
    scale = np.linalg.norm(X, axis=0)
    for column in range(1, X.shape[1] + 1):
        if np.linalg.matrix_rank(X[:, :column] / scale[:column], tol=1e-10) < column:
            raise RefusedError(
                f"{names[column - 1]} follows from the variables before it: leave one of them out."
            )
    if len(X) <= X.shape[1]:
        raise RefusedError(
            f"{len(X)} effects cannot determine {X.shape[1]} coefficients and a between-study variance."
        )
    return Design(X, tuple(names), terms, reference)


@dataclass(frozen=True)
class MetaRegression:
    """A meta-regression.

    Attributes
    ----------
    rows : Rows
        With the design.
    design : Design
        What the columns mean.
    tau2_method : str or float
        Estimator of the residual between-study variance, or its value.
    ci : str
        Interval of the coefficients.
    labels : tuple of str
        Printed names of the contrasts.
    left_out : tuple of str
        Contrasts without a value of some variable.
    """

    rows: Rows
    design: Design
    tau2_method: str | float
    ci: str
    labels: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @cached_property
    def tau2(self) -> float:
        """Residual between-study variance."""
        if isinstance(self.tau2_method, str):
            return between_studies.estimate(self.rows, self.tau2_method)
        return self.tau2_method

    @cached_property
    def solution(self) -> Solution:
        """The weighted least-squares fit."""
        return self.rows.profile.solve(self.tau2)

    @cached_property
    def effect(self) -> Coefficients:
        """Coefficients with their intervals."""
        return infer(self.rows, self.solution, self.ci)

    @cached_property
    def r2(self) -> float:
        """Share of the between-study variance that the variables explain; NaN where there is none."""
        if not isinstance(self.tau2_method, str):
            return float("nan")
        plain = self.rows.with_design(np.ones((self.rows.n, 1)))
        total = between_studies.estimate(plain, self.tau2_method)
        return max(0.0, (total - self.tau2) / total) if total > 0 else float("nan")

    def coefficients(self) -> pd.DataFrame:
        """Tabulate term, estimate, std_error, ci_lower, ci_upper, statistic, df and p_value."""
        import pandas as pd

        effect = self.effect
        return pd.DataFrame(
            {
                "term": self.design.names,
                "estimate": effect.estimate,
                "std_error": effect.std_error,
                "ci_lower": effect.ci_lower,
                "ci_upper": effect.ci_upper,
                "statistic": effect.statistic,
                "df": effect.df,
                "p_value": effect.p_value,
            }
        )

    def tests(self) -> pd.DataFrame:
        """Test of each variable and of all together: term, statistic, df1, df2, p_value.

        Wald chi-squared tests, F tests on the residual degrees of freedom where the intervals are t
        intervals.
        """
        import pandas as pd

        groups = {**self.design.terms, "all": list(range(1, self.rows.p))}
        rows = []
        for term, columns in groups.items():
            estimate = self.effect.estimate[columns]
            block = self.effect.covariance[np.ix_(columns, columns)]
            q, df = float(estimate @ np.linalg.solve(block, estimate)), len(columns)
            if self.ci.startswith("HK"):
                rows.append((term, q / df, df, float(self.rows.df), f_p_value(q / df, df, self.rows.df)))
            else:
                rows.append((term, q, df, math.inf, chi2_p_value(q, df)))
        return pd.DataFrame(rows, columns=["term", "statistic", "df1", "df2", "p_value"])

    def heterogeneity(self) -> dict[str, float]:
        """Residual heterogeneity: tau2, its Q-profile interval, i2, h2, q, df, p_value, and R2."""
        q = self.rows.profile.solve(0.0).residual_ss
        i2, h2 = between_studies.i2_h2(self.rows, self.tau2)
        lower, upper = between_studies.interval(self.rows)
        return {
            "tau2": self.tau2,
            "tau2_lower": lower,
            "tau2_upper": upper,
            "i2": i2,
            "h2": h2,
            "q": q,
            "df": float(self.rows.df),
            "p_value": chi2_p_value(q, self.rows.df),
            "r2": self.r2,
        }

    def permutation_test(self, permutations: int = 1000, seed: int = 1) -> pd.DataFrame:
        """Test the coefficients by permuting the rows of the design.

        Parameters
        ----------
        permutations : int
            How many are drawn; all are taken where there are no more than this.
        seed : int
            Of the draw.

        Returns
        -------
        DataFrame
            term, p_value, permutations, exact. Drawn p-values count the observed order as one of the draws.

        Raises
        ------
        RefusedError
            If effects are correlated: their order cannot be permuted.
        """
        import pandas as pd

        if self.rows.rotation:
            raise RefusedError(
                "Contrasts that share an arm are correlated: the permutation test does not apply."
            )
        n = self.rows.n
        exact = math.factorial(n) <= permutations if n < 15 else False
        if exact:
            orders = np.array(list(itertools.permutations(range(n))))
        else:
            rng = np.random.default_rng(seed)
            orders = rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
        groups = [[column] for column in range(1, self.rows.p)] + [list(range(1, self.rows.p))]
        observed = self._statistics(np.arange(n)[None, :], groups)[0]
        step = max(1, _CELLS // (n * self.rows.p**2))
        reached = np.zeros(len(groups))
        for start in range(0, len(orders), step):
            drawn = self._statistics(orders[start : start + step], groups)
            reached += (drawn >= observed * (1 - 1e-9)).sum(0)
        p_value = reached / len(orders) if exact else (reached + 1) / (len(orders) + 1)
        return pd.DataFrame(
            {
                "term": [*self.design.names[1:], "all"],
                "p_value": p_value,
                "permutations": len(orders),
                "exact": exact,
            }
        )

    def _statistics(self, orders: Array, groups: Sequence[list[int]]) -> Array:
        """Wald statistics of groups of coefficients under permuted designs, (m, groups)."""
        profile = Profile(self.rows, orders)
        if isinstance(self.tau2_method, str):
            tau2 = between_studies.estimates(profile, self.tau2_method, order=True)
        else:
            tau2 = np.full(len(orders), self.tau2_method)
        sums = profile.sums(tau2 / profile.unit2, batch=np.arange(len(orders)), order=1)
        back = np.linalg.inv(profile.triangle)
        beta = sums.shift @ back.T
        covariance = back @ sums.inverse @ back.T
        if self.ci.startswith("HK"):
            factor = sums.q / self.rows.df
            covariance = (
                covariance * (np.maximum(1, factor) if self.ci == "HK-adhoc" else factor)[:, None, None]
            )
        return np.column_stack(
            [
                np.einsum(
                    "ma,ma->m",
                    beta[:, columns],
                    np.linalg.solve(covariance[:, columns][:, :, columns], beta[:, columns, None])[..., 0],
                )
                for columns in groups
            ]
        )

    def predict(self, **values: Any) -> dict[str, float]:
        """Predict the mean effect, its interval and the prediction interval at values of the variables.

        Raises
        ------
        CallError
            If a variable is missing or unknown, or a level is.
        """
        x = np.zeros(self.rows.p)
        x[0] = 1
        unknown = set(values) ^ set(self.design.terms)
        if unknown:
            raise CallError(
                f"Give a value to each of {', '.join(self.design.terms)} (not {', '.join(unknown)})."
            )
        for name, columns in self.design.terms.items():
            if name not in self.design.reference:
                x[columns[0]] = float(values[name])
                continue
            levels = [self.design.reference[name], *(self.design.names[c].split(": ", 1)[1] for c in columns)]
            if str(values[name]) not in levels:
                raise CallError(f"{name} has no level {values[name]!r}; it has {', '.join(levels)}.")
            for column, level in zip(columns, levels[1:], strict=True):
                x[column] = float(str(values[name]) == level)
        return self._at(x)

    def _at(self, x: Array) -> dict[str, float]:
        estimate = float(x @ self.effect.estimate)
        std_error = float(np.sqrt(x @ self.effect.covariance @ x))
        df = float(self.effect.df[0])
        half = float(t_quantile(0.975, df)) * std_error
        variant = "HK" if self.ci.startswith("HK") else "V"
        lower, upper = predict(self.rows, self.solution, variant, self.ci == "HK-adhoc", x)
        return {
            "estimate": estimate,
            "std_error": std_error,
            "ci_lower": estimate - half,
            "ci_upper": estimate + half,
            "pi_lower": lower,
            "pi_upper": upper,
        }

    def bubble(self, term: str, points: int = 50) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the data of a bubble plot: the studies, and the fitted line with its intervals.

        Parameters
        ----------
        term : str
            A variable that is a number.
        points : int
            Of the line. The other variables are at their means.

        Returns
        -------
        (studies, line) : tuple of DataFrame
            study, x, estimate, std_error, weight (share); x, estimate, ci_lower, ci_upper, pi_lower,
            pi_upper.
        """
        import pandas as pd

        if term not in self.design.terms or term in self.design.reference:
            numbers = [name for name in self.design.terms if name not in self.design.reference]
            raise CallError(f"{term!r} is no number in this meta-regression; numbers: {', '.join(numbers)}.")
        column = self.design.terms[term][0]
        x = self.design.X[:, column]
        weight = 1 / (self.rows.v + self.tau2)
        studies = pd.DataFrame(
            {
                "study": self.labels,
                "x": x,
                "estimate": self._raw("y"),
                "std_error": np.sqrt(self._raw("v")),
                "weight": weight / weight.sum(),
            }
        )
        middle = self.design.X.mean(0)
        line = []
        for value in np.linspace(x.min(), x.max(), points):
            at = middle.copy()
            at[column] = value
            line.append({"x": value} | self._at(at))
        return studies, pd.DataFrame(line).drop(columns="std_error")

    def _raw(self, name: str) -> Array:
        """Effects or variances of the contrasts, as they were before rotation."""
        out = np.array(getattr(self.rows, name), float)
        for index, matrix in self.rows.rotation:
            back = np.linalg.inv(matrix)
            out[index] = back @ out[index] if name == "y" else np.diag(back @ np.diag(out[index]) @ back.T)
        return out

    def frame(self) -> pd.DataFrame:
        """Everything as rows of the frame sensitivity."""
        rows: list[dict[str, Any]] = []
        tables = [("", self.coefficients()), ("test of ", self.tests())]
        for prefix, table in tables:
            for term, row in table.set_index("term").iterrows():
                values = {str(name): float(value) for name, value in row.items()}
                rows += quantities("random", "meta-regression", f"{prefix}{term}", values)
        rows += quantities("random", "meta-regression", "residual heterogeneity", self.heterogeneity())
        return frame("sensitivity", rows)


def meta_regression(fit: PairwiseModels, terms: Sequence[str]) -> MetaRegression:
    """Regress the effects of a fit on variables of the studies.

    Raises
    ------
    CallError
        If no variable is named, or one is not known.
    RefusedError
        If the variables cannot be told apart on these studies.
    """
    import pandas as pd

    if not terms:
        raise CallError("Name at least one variable of the studies.")
    variables = pd.DataFrame({name: fit.variable(name) for name in terms})
    known = variables.notna().all(axis=1).to_numpy()
    labels = fit.assembly.contrasts.frame["label"].to_numpy()
    assembly = fit.assembly if known.all() else fit.restricted(known)
    if assembly.rows.n == 0:
        raise RefusedError(f"No study has a value of {', '.join(terms)}.")
    built = design(variables[known].reset_index(drop=True))
    return MetaRegression(
        rows=assembly.rows.with_design(built.X),
        design=built,
        tau2_method=fit.options.tau2,
        ci=fit.options.ci,
        labels=tuple(labels[known]),
        left_out=tuple(labels[~known]),
    )


def between_groups(estimate: Array, std_error: Array) -> tuple[float, int, float]:
    """Test that subgroups have the same effect: Q, degrees of freedom, p-value (Borenstein 2009, ch. 19)."""
    usable = np.isfinite(estimate) & np.isfinite(std_error) & (std_error > 0)
    weight = 1 / std_error[usable] ** 2
    mean = np.average(estimate[usable], weights=weight) if usable.any() else math.nan
    q, df = float(np.sum(weight * (estimate[usable] - mean) ** 2)), int(usable.sum()) - 1
    return (q, df, chi2_p_value(q, df)) if df > 0 else (math.nan, df, math.nan)
