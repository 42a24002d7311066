"""Meta-regression and subgroups.

References
----------
Thompson SG, Higgins JPT (2002) Stat Med 21:1559-1573. Knapp G, Hartung J (2003) Stat Med 22:2693-2710.
Raudenbush SW (1994) in Cooper H, Hedges LV (eds), The Handbook of Research Synthesis, 301-321 (R2).
Lopez-Lopez JA et al. (2014) Br J Math Stat Psychol 67:30-48 (R2 with few studies). Deeks JJ et al., Cochrane
Handbook 10.11.4 (ten studies for each variable). Higgins
JPT, Thompson SG (2004) Stat Med 23:1663-1682 (permutation test). Phipson B, Smyth GK (2010) Stat Appl Genet
Mol Biol 9:39 (its p-value).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise.data.assembly import assemble
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import (
    Coefficients,
    chi2_p_value,
    f_p_value,
    quadratic_form,
    t_quantile,
)
from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.model.dependence import Multilevel, multilevel
from analysis.pairwise.model.inference import around, infer, predict
from analysis.pairwise.model.robust import clusters
from analysis.pairwise.model.rows import Array, EffectRows, Profile, Solution
from analysis.pairwise.options import LIKELIHOODS, Options
from analysis.pairwise.tables import quantities
from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.names import not_found

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

INTERCEPT = "intercept"
METHOD, REST, TEST_OF = "meta-regression", "residual heterogeneity", "test of "
"""Of the rows in the frame sensitivity: the method, and the items beside the coefficients."""
FEW = 10
"""Effects for each coefficient, and for R2, below which neither is to be trusted."""
_CELLS = 1 << 17
_TINY = 1e-150


@dataclass(frozen=True)
class Design:
    """Columns of a meta-regression.

    Attributes
    ----------
    X : (n, p) array
        An intercept, then the terms; categories against their reference level.
    names : tuple of str
        Of the columns; ``variable: level`` for categories.
    terms : dict of str to list of int
        Columns of each variable.
    reference : dict of str to str
        Reference level of each categorical variable.
    """

    X: Array
    names: tuple[str, ...]
    terms: dict[str, list[int]]
    reference: dict[str, str]


def design(
    variables: pd.DataFrame,
    reference_levels: Mapping[str, str] | None = None,
    studies: Sequence[Any] | None = None,
    information: Array | None = None,
) -> Design:
    """Make the columns of a meta-regression: numbers as they are, anything else as categories.

    Parameters
    ----------
    variables : (n, number of variables) DataFrame
    reference_levels : mapping of str to str, optional
        Level that the others are compared with, by variable. Without it the level that most studies have; of
        several the one with most effects, then the one with most information.
    studies : (n,) sequence, optional
        Study of each row; without it every row is a study of its own.
    information : (n,) array, optional
        1 / variance of each row.

    Raises
    ------
    CallError
        If a reference level is not there, or is of no categorical variable.
    RefusedError
        If a variable has one value only, or the columns depend on each other.
    """
    chosen = dict(reference_levels or {})
    categories = [name for name in variables.columns if variables[name].dtype.kind not in "fiu"]
    if unknown := [name for name in chosen if name not in categories]:
        what = "is a number: it has a slope" if unknown[0] in variables else "is no moderator"
        raise CallError(f"{unknown[0]} {what}, and no reference level.")
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
            levels = _levels(text, chosen.get(name), studies, information)
            reference[name] = levels[0]
            for level in levels[1:]:
                columns.append(np.asarray(text == level, dtype=float))
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


def _levels(
    text: pd.Series, chosen: str | None, studies: Sequence[Any] | None, information: Array | None
) -> list[str]:
    """Levels of a category, the reference first, the others in alphabetical order."""
    levels = sorted(text.unique())
    if chosen is not None and chosen not in levels:
        raise CallError(not_found(f"level of {text.name}", chosen, levels))
    unit = np.asarray(range(len(text)) if studies is None else studies)
    weight = np.ones(len(text)) if information is None else information

    def frequency(level: str) -> tuple[int, int, float]:
        has = (text == level).to_numpy()
        # As a share, rounded: neither the unit nor the order of rows decides between equals.
        share = round(float(weight[has].sum() / weight.sum()), 9)
        return len(set(unit[has].tolist())), int(has.sum()), share

    first = chosen if chosen is not None else max(levels, key=frequency)
    return [first, *(level for level in levels if level != first)]


@dataclass(frozen=True)
class MetaRegression:
    """A meta-regression.

    Attributes
    ----------
    rows : EffectRows
        With the design.
    design : Design
        What the columns mean.
    options : Options
        Estimator of tau2, intervals, prediction interval; the method multilevel gives three levels, any other
        inverse variance.
    labels : tuple of str
        Printed names of the contrasts.
    left_out : DataFrame
        Contrasts without a value of some variable, as exclusions.
    """

    rows: EffectRows
    design: Design
    options: Options
    labels: tuple[str, ...]
    left_out: pd.DataFrame

    @cached_property
    def levels(self) -> Multilevel | None:
        """The three-level model, where that was asked for."""
        return multilevel(self.rows, self.options.ci) if self.options.method == "multilevel" else None

    @cached_property
    def tau2(self) -> float:
        """Residual between-study variance; in three levels, between and within studies together."""
        if self.levels:
            return self.levels.between + self.levels.within
        if isinstance(self.options.tau2, str):
            return between_studies.estimate(self.rows, self.options.tau2)
        return self.options.tau2

    @cached_property
    def solution(self) -> Solution:
        """The weighted least-squares fit."""
        return self.levels.solution if self.levels else self.rows.profile.solve(self.tau2)

    @cached_property
    def effect(self) -> Coefficients:
        """Coefficients with their intervals."""
        return self.levels.coefficients if self.levels else infer(self.rows, self.solution, self.options.ci)

    @cached_property
    def without(self) -> float:
        """Between-study variance without the variables; NaN where tau2 was given."""
        plain = self.rows.with_design(np.ones((self.rows.n, 1)))
        if self.levels:
            without = multilevel(plain)
            return without.between + without.within
        if isinstance(self.options.tau2, str):
            return between_studies.estimate(plain, self.options.tau2)
        return float("nan")

    @property
    def r2(self) -> float:
        """Share of the between-study variance that the variables explain; NaN where there is none."""
        total = self.without
        return max(0.0, (total - self.tau2) / total) if total > 0 else float("nan")

    @determined("The meta-regression")
    def cautions(self) -> list[tuple[str, str]]:
        """Say what few effects do to the slopes and to R2, as severity and message."""
        found = []
        if few := too_few(self.rows.n, self.rows.p - 1):
            found.append(("warning", few))
        if said := self._about_r2():
            found.append(("warning" if self.r2 > 0 else "info", said))
        return found

    def _about_r2(self) -> str | None:
        """Say why R2 is not to be trusted; None where it is, or where tau2 was given."""
        total = self.without
        if total == 0:
            return "There is no R2: tau2 is 0 without moderators."
        if total < self.tau2:
            return (
                f"R2 is cut off at 0: tau2 is {self.tau2:.4g} with the moderators, {total:.4g} without them."
            )
        if total > 0 and self.rows.n < FEW:
            return f"R2 of {self.rows.n} effects is not to be trusted: fewer than {FEW}."
        return None

    @determined("The meta-regression")
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

    @determined("The meta-regression")
    def tests(self) -> pd.DataFrame:
        """Test of each variable and of all together: term, statistic, df1, df2, p_value.

        Wald chi-squared tests after Wald intervals; F tests on the degrees of freedom of the t intervals;
        after CR2, Hotelling's T2 (`robust.Clusters.wald_test`).
        """
        import pandas as pd

        groups = {**self.design.terms, "all": list(range(1, self.rows.p))}
        rows = [(term, *self._test(columns)) for term, columns in groups.items()]
        return pd.DataFrame(rows, columns=["term", "statistic", "df1", "df2", "p_value"])

    def _test(self, columns: list[int]) -> tuple[float, float, float, float]:
        if self.options.ci == "CR2":
            between = self.levels.between if self.levels else 0.0
            f, df1, df2 = clusters(self.rows, self.solution, between).wald_test(self.effect.estimate, columns)
            return f, df1, df2, f_p_value(f, df1, df2)
        estimate = self.effect.estimate[columns]
        block = self.effect.covariance[np.ix_(columns, columns)]
        q, df1 = quadratic_form(estimate, block), len(columns)
        df2 = float(self.effect.df[0])
        if math.isinf(df2):
            return q, df1, df2, chi2_p_value(q, df1)
        return q / df1, df1, df2, f_p_value(q / df1, df1, df2)

    @determined("The meta-regression")
    def heterogeneity(self) -> dict[str, float]:
        """Residual heterogeneity: tau2, its interval, i2, h2, q, df, p_value, and R2.

        In three levels tau2_between and tau2_within, too, and no interval.
        """
        q = self.rows.profile.solve(0.0).residual_ss
        i2, h2 = between_studies.i2_h2(self.rows, self.tau2)
        found = {"tau2": self.tau2}
        if self.levels:
            found |= {"tau2_between": self.levels.between, "tau2_within": self.levels.within}
        else:
            likelihood = "ML" if self.options.tau2 == "ML" else "REML"
            lower, upper = between_studies.interval(
                self.rows, self.options.tau2_interval, likelihood=likelihood
            )
            found |= {"tau2_lower": lower, "tau2_upper": upper}
        return found | {
            "i2": i2,
            "h2": h2,
            "q": q,
            "df": float(self.rows.df),
            "p_value": chi2_p_value(q, self.rows.df),
            "r2": self.r2,
        }

    @determined("The meta-regression")
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
            If effects are correlated: their order cannot be permuted; or all are equal.
        """
        import pandas as pd

        if self.rows.rotation:
            raise RefusedError(
                "Contrasts that share an arm are correlated: the permutation test does not apply."
            )
        if self.levels or self.options.ci == "CR2":
            raise RefusedError(
                "Effects of one study depend on each other: the permutation test does not apply to the "
                "multilevel model or to CR2."
            )
        n = self.rows.n
        if np.ptp(self.rows.y) <= 1e-12 * np.abs(self.rows.y).max():
            raise RefusedError("All effects are equal: no order of them differs from another.")
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
        if isinstance(self.options.tau2, str):
            tau2 = between_studies.estimates(profile, self.options.tau2, order=True)
        else:
            tau2 = np.full(len(orders), self.options.tau2)
        sums = profile.sums(tau2 / profile.unit2, batch=np.arange(len(orders)), order=1)
        back = np.linalg.inv(profile.triangle)
        beta = sums.shift @ back.T
        covariance = back @ sums.inverse @ back.T
        if self.options.ci.startswith("HK"):
            factor = sums.q / self.rows.df
            if self.options.ci == "HK-adhoc":
                factor = np.maximum(1, factor)
            # An order that fits exactly has an infinite statistic, as far as numbers go.
            covariance = covariance * np.maximum(factor, _TINY)[:, None, None]
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

    @determined("The prediction")
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
            levels = [
                self.design.reference[name],
                *(self.design.names[c].removeprefix(f"{name}: ") for c in columns),
            ]
            if str(values[name]) not in levels:
                raise CallError(f"{name} has no level {values[name]!r}; it has {', '.join(levels)}.")
            for column, level in zip(columns, levels[1:], strict=True):
                x[column] = float(str(values[name]) == level)
        return self._at(x)

    def _at(self, x: Array) -> dict[str, float]:
        estimate = float(x @ self.effect.estimate)
        variance = float(x @ self.effect.covariance @ x)
        half = float(t_quantile(0.975, self._df_at(x))) * math.sqrt(variance)
        if self.levels:
            df = float(self.rows.study.max() + 1 - self.rows.p)
            limits = around(estimate, self.tau2 + variance, self.options.prediction, df)
        else:
            adhoc = self.options.ci == "HK-adhoc"
            limits = predict(self.rows, self.solution, self.options.prediction, adhoc, x)
        return {
            "estimate": estimate,
            "std_error": math.sqrt(variance),
            "ci_lower": estimate - half,
            "ci_upper": estimate + half,
            "pi_lower": limits[0],
            "pi_upper": limits[1],
        }

    def _df_at(self, x: Array) -> float:
        """Degrees of freedom of the mean effect at a row of the design; after CR2 they depend on the row."""
        if self.options.ci != "CR2":
            return float(self.effect.df[0])
        found = clusters(self.rows, self.solution, self.levels.between if self.levels else 0.0)
        return found.degrees_of_freedom(x)

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
        variance = self._raw("v")
        weight = 1 / (variance + self.tau2)
        studies = pd.DataFrame(
            {
                "study": self.labels,
                "x": x,
                "estimate": self._raw("y"),
                "std_error": np.sqrt(variance),
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

    def compared(self) -> list[str]:
        """Say what the levels of each category are compared with, and how many studies have that level."""
        said = []
        for name, level in self.design.reference.items():
            # A row of the reference level is 0 in every column of the variable.
            has = ~self.design.X[:, self.design.terms[name]].any(axis=1)
            k = len(set(self.rows.study[has].tolist()))
            studies = "1 study has" if k == 1 else f"{k} studies have"
            said.append(f"Levels of {name} are compared with {level}, which {studies}.")
        return said

    @determined("The meta-regression")
    def frame(self) -> pd.DataFrame:
        """Everything as rows of the frame sensitivity."""
        rows: list[dict[str, Any]] = []
        tables = [("", self.coefficients()), (TEST_OF, self.tests())]
        against = {
            self.design.names[column]: f"compared with {level}"
            for name, level in self.design.reference.items()
            for column in self.design.terms[name]
        }
        for prefix, table in tables:
            for term, row in table.set_index("term").iterrows():
                values = {str(name): float(value) for name, value in row.items()}
                said = [against[str(term)]] if not prefix and term in against else []
                if self.options.ci == "CR2" and math.isnan(values["p_value"]):
                    said.append("part of it rests on one study alone: no robust test")
                note = "; ".join(said) or None
                rows += quantities("random", METHOD, f"{prefix}{term}", values, note=note)
        for name, value in self.heterogeneity().items():
            note = self._about_r2() if name == "r2" else None
            rows += quantities("random", METHOD, REST, {name: value}, note=note)
        return frame("sensitivity", rows)


def meta_regression(
    fit: PairwiseFit, terms: Sequence[str], reference_levels: Mapping[str, str] | None = None
) -> MetaRegression:
    """Regress the effects of a fit on variables of studies, arms and effects.

    Parameters
    ----------
    fit : PairwiseFit
    terms : sequence of str
        Names of the variables.
    reference_levels : mapping of str to str, optional
        As in `design`.

    Raises
    ------
    CallError
        If no variable is named, or one is not known, or a reference level is not.
    RefusedError
        If the variables cannot be told apart on these studies, or the method is a likelihood of counts.
    """
    import pandas as pd

    if not terms:
        raise CallError("Name at least one variable.")
    if fit.options.method in LIKELIHOODS:
        raise RefusedError(
            f"The likelihood of counts ({fit.options.method}) has no meta-regression here: use "
            'method="inverse_variance".'
        )
    variables = pd.DataFrame({name: fit.variable(name) for name in terms})
    known = variables.notna().all(axis=1).to_numpy()
    if not known.any():
        raise RefusedError(f"No study has a value of {', '.join(terms)}.")
    left_out = pd.concat(
        [fit.without_value(variables[name].isna().to_numpy(), "meta-regression", name) for name in terms],
        ignore_index=True,
    )
    chosen, options = variables[known].reset_index(drop=True), fit.options
    part = fit.assembly.contrasts.part(known)
    levels = list(chosen.itertuples(index=False, name=None))
    assembly = assemble(part, options.shared, options.dependence, levels)
    effects = assembly.effects
    table = effects.contrasts.frame
    information = table["std_error"].to_numpy(float) ** -2.0
    values = chosen.iloc[effects.first].reset_index(drop=True)
    built = design(values, reference_levels, table["study"].tolist(), information)
    if options.dependence == "combine" and assembly.rows.n > len(assembly.studies):
        # Effects of one study that differ in a variable stay apart: only three levels hold them together.
        options = replace(options, method="multilevel")
    labels = tuple(effects.contrasts.frame["label"])
    return MetaRegression(assembly.rows.with_design(built.X), built, options, labels, left_out)


def too_few(n: int, slopes: int) -> str | None:
    """Warn of fewer than ten effects for each coefficient beside the intercept; else None."""
    if n >= FEW * slopes:
        return None
    return (
        f"Meta-regression of {n} effects on {slopes} coefficient{'s' if slopes > 1 else ''}: with fewer than "
        f"{FEW} effects for each, what it finds may be chance."
    )


def between_groups(estimate: Array, std_error: Array) -> tuple[float, int, float]:
    """Test that subgroups have the same effect: Q, degrees of freedom, p-value (Borenstein 2009, ch. 19)."""
    usable = np.isfinite(estimate) & np.isfinite(std_error) & (std_error > 0)
    weight = 1 / std_error[usable] ** 2
    mean = np.average(estimate[usable], weights=weight) if usable.any() else math.nan
    q, df = float(np.sum(weight * (estimate[usable] - mean) ** 2)), int(usable.sum()) - 1
    return (q, df, chi2_p_value(q, df)) if df > 0 else (math.nan, df, math.nan)
