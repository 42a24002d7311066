"""Both models of one question: pooled effects, heterogeneity, weights, subgroups, and what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from analysis.pairwise import tau2 as between_studies
from analysis.pairwise.assembly import Assembly, assemble
from analysis.pairwise.contrasts import Contrasts, each, typed
from analysis.pairwise.inference import (
    INTERVALS,
    PREDICTIONS,
    Coefficients,
    chi2_p_value,
    coefficients,
    hartung_knapp_factor,
    infer,
    predict,
    t_quantile,
)
from analysis.pairwise.rows import Array, Rows, Solution
from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.names import nearest

if TYPE_CHECKING:
    import pandas as pd

METHODS: dict[str, str] = {
    "inverse_variance": "inverse variance, common and random effects",
    "MH": "Mantel-Haenszel for the common effect (OR, RR, RD, IRR), inverse variance for random effects",
    "Peto": "Peto for the common effect (OR), inverse variance for random effects",
    "binomial": "exact conditional likelihood of the counts (OR, IRR), normal random effects (CM.EL)",
    "CM.AL": "approximate conditional likelihood of the counts (OR, IRR), normal random effects",
    "UM.FS": "binomial likelihood with fixed study effects (OR), normal random effects",
    "multilevel": "effects within studies, studies (three-level model), REML",
}
"""How studies are put together, by name."""

LIKELIHOODS = ("binomial", "CM.AL", "UM.FS")
"""Methods on the likelihood of counts."""

MISSING = float("nan")
ENGINE = "frequentist"
"""Name under which inverse-variance results are listed."""


@dataclass(frozen=True)
class Options:
    """What was asked for; every entry can change a number.

    Attributes
    ----------
    tau2 : str or float
        Estimator of the between-study variance, or its value.
    ci : str
        Confidence interval of the random-effects model, see `inference.INTERVALS`.
    prediction : str
        Prediction interval, see `inference.PREDICTIONS`.
    shared : str
        What is done about contrasts that share an arm, see `assembly.SHARED`.
    method : str
        See `METHODS`.
    by : str or None
        Variable of the subgroups.
    separate_tau2 : bool
        Whether each subgroup has its own between-study variance.
    """

    tau2: str | float = "REML"
    ci: str = "HK"
    prediction: str = "HK"
    shared: str = "covariance"
    method: str = "inverse_variance"
    by: str | None = None
    separate_tau2: bool = True

    @property
    def tau2_method(self) -> str:
        """Printed name of the estimator."""
        return self.tau2 if isinstance(self.tau2, str) else "given"


@dataclass(frozen=True)
class Pooled:
    """One pooled effect.

    Attributes
    ----------
    engine, model : str
        How it was computed; "common" or "random".
    effect : Coefficients
        With one entry.
    prediction : (lower, upper)
        NaN under the common-effect model.
    """

    engine: str
    model: str
    effect: Coefficients
    prediction: tuple[float, float] = (MISSING, MISSING)


@dataclass(frozen=True)
class PairwiseModels:
    """Both models of a pairwise meta-analysis, of all studies and of subgroups.

    Attributes
    ----------
    contrasts : Contrasts
        What was read.
    options : Options
        What was asked for.
    assembly : Assembly
        What enters the computation.
    """

    contrasts: Contrasts
    options: Options
    assembly: Assembly

    @classmethod
    def of(cls, contrasts: Contrasts, options: Options) -> Self:
        """Fit contrasts that were read and checked before.

        Raises
        ------
        RefusedError
            If the method cannot be used with the measure or the data.
        """
        fitted = cls(contrasts, options, assemble(contrasts, options.shared))
        fitted._check()
        return fitted

    # --- the two models -----------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        """Independent rows of the analysis."""
        return self.assembly.rows

    @property
    def studies(self) -> tuple[str, ...]:
        """Names of the studies, in alphabetical order."""
        return self.assembly.studies

    @cached_property
    def tau2(self) -> float:
        """Between-study variance; NaN if it cannot be estimated."""
        if isinstance(self.options.tau2, float):
            return self.options.tau2
        return between_studies.estimate(self.rows, self.options.tau2)

    @cached_property
    def common_solution(self) -> Solution:
        """Weighted least squares without between-study variance."""
        return self.rows.profile.solve(0.0)

    @cached_property
    def random_solution(self) -> Solution:
        """Weighted least squares at the estimated tau2, for a single effect at 0."""
        return self.rows.profile.solve(self.tau2 if np.isfinite(self.tau2) else 0.0)

    @cached_property
    def pooled(self) -> tuple[Pooled, ...]:
        """Pooled effect under the common-effect and the random-effects model."""
        match self.options.method:
            case "binomial" | "CM.AL" | "UM.FS":
                from analysis.pairwise.binomial import pooled as by_likelihood

                return by_likelihood(self)
            case "multilevel":
                return self._common, self._multilevel
            case _:
                return self._common, self._random

    @property
    def _common(self) -> Pooled:
        if self.options.method in ("MH", "Peto"):
            from analysis.pairwise import counts

            result = counts.pool(counts.table(self), self.contrasts.measure, self.options.method)
            return Pooled(self.options.method, "common", coefficients(result.estimate, result.std_error**2))
        solution = self.common_solution
        return Pooled(ENGINE, "common", coefficients(solution.beta, solution.covariance))

    @property
    def _random(self) -> Pooled:
        solution = self.random_solution
        effect = infer(self.rows, solution, self.options.ci)
        if not np.isfinite(self.tau2):
            return Pooled(ENGINE, "random", effect)
        limits = predict(self.rows, solution, self.options.prediction, self.options.ci == "HK-adhoc")
        return Pooled(ENGINE, "random", effect, limits)

    @property
    def _multilevel(self) -> Pooled:
        effect = self.multilevel.coefficients
        spread = np.sqrt(self.multilevel.between + self.multilevel.within + effect.covariance[0, 0])
        half = float(t_quantile(0.975, effect.df)[0] * spread)
        centre = float(effect.estimate[0])
        return Pooled("multilevel", "random", effect, (centre - half, centre + half))

    @cached_property
    def likelihood(self) -> Any:
        """The likelihood of the counts under both models; see `binomial.Likelihood`."""
        from analysis.pairwise.binomial import Likelihood

        return Likelihood.of(self)

    @cached_property
    def multilevel(self) -> Any:
        """The three-level model (effects within studies, studies); see `dependence.Multilevel`."""
        from analysis.pairwise import dependence

        return dependence.multilevel(self.rows, self.options.ci)

    def models_and_methods(self) -> list[tuple[str, str | float | None]]:
        """Names of the models, with the estimator of tau2 of each."""
        return [("common", None), ("random", self.options.tau2)]

    def wald(self, model: str) -> tuple[float, float]:
        """Pooled effect and its standard error without Hartung and Knapp's factor."""
        item = next(item for item in self.pooled if item.model == model)
        solution = self.common_solution if model == "common" else self.random_solution
        covariance = solution.covariance if item.engine == ENGINE else item.effect.covariance
        return float(item.effect.estimate[0]), float(np.sqrt(covariance[0, 0]))

    def restricted(self, keep: Array) -> Assembly:
        """Assemble some of the contrasts only."""
        return assemble(part_of(self.assembly.contrasts, keep), self.options.shared)

    @property
    def study_of_contrast(self) -> Array:
        """Number of each contrast's study."""
        names = {name: index for index, name in enumerate(self.studies)}
        return np.array([names[str(name)] for name in self.assembly.contrasts.frame["study"]])

    # --- subgroups ------------------------------------------------------------------------------------------

    @cached_property
    def levels(self) -> dict[str, Self]:
        """The same analysis in each subgroup, by level; empty without `by`."""
        if self.options.by is None:
            return {}
        values = self.variable(self.options.by)
        texts = values.map(level_name)
        tau2: str | float = self.options.tau2
        if not self.options.separate_tau2 and isinstance(tau2, str):
            tau2 = self._common_tau2(texts)
        found = {}
        for level in sorted(texts.dropna().unique(), key=natural_order):
            part = part_of(self.assembly.contrasts, (texts == level).to_numpy())
            found[level] = self.of(part, replace(self.options, by=None, tau2=tau2))
        return found

    def _common_tau2(self, texts: pd.Series) -> float:
        """Between-study variance common to all subgroups: that of the model with one mean per subgroup."""
        known = texts.notna().to_numpy()
        rows = self.rows.take(known)
        design = (texts[known].to_numpy()[:, None] == np.unique(texts[known])[None, :]).astype(float)
        estimate = between_studies.estimate(rows.with_design(design), str(self.options.tau2))
        if not np.isfinite(estimate):
            raise RefusedError("Every subgroup holds one study: a common tau2 cannot be estimated.")
        return estimate

    def variable(self, name: str) -> pd.Series:
        """Values of a study variable, one per contrast of the analysis.

        Raises
        ------
        CallError
            If there is no such variable.
        """
        variables = self.assembly.contrasts.variables
        if name in variables.columns:
            return typed(variables[name])
        close = nearest(name, list(variables.columns))
        hint = f" Did you mean {close!r}?" if close else ""
        listed = ", ".join(list(variables.columns)[:40]) or "none"
        raise CallError(f"The studies have no variable {name!r}.{hint} They have: {listed}.")

    def _fits(self) -> Iterator[tuple[str | None, str | None, Self]]:
        yield None, None, self
        for level, part in self.levels.items():
            yield self.options.by, level, part

    # --- frames ---------------------------------------------------------------------------------------------

    def estimates(self) -> pd.DataFrame:
        """Pooled effects under both models, then those of each subgroup: columns of `results.COLUMNS`."""
        return frame(
            "estimates",
            [
                {
                    "engine": item.engine,
                    "model": item.model,
                    "treatment": self.contrasts.treatment,
                    "versus": self.contrasts.versus,
                    "estimate": item.effect.estimate[0],
                    "std_error": item.effect.std_error[0],
                    "ci_lower": item.effect.ci_lower[0],
                    "ci_upper": item.effect.ci_upper[0],
                    "pi_lower": item.prediction[0],
                    "pi_upper": item.prediction[1],
                    "p_value": item.effect.p_value[0],
                    "evidence": "direct",
                    "n_studies": len(part.studies),
                    "subgroup": variable,
                    "level": level,
                }
                for variable, level, part in self._fits()
                for item in part.pooled
            ],
        )

    def heterogeneity(self, interval: str = "QP") -> pd.DataFrame:
        """Between-study variance, I2, H2 and Q, of all studies and of each subgroup.

        Parameters
        ----------
        interval : {"QP", "PL"}
            Q-profile or profile-likelihood interval of tau2, and of I2 through it.
        """
        interval = option("interval", interval, dict.fromkeys(between_studies.INTERVALS, ""))
        rows = []
        for variable, level, part in self._fits():
            for row in part._heterogeneity(interval):
                rows.append({"subgroup": variable, "level": level} | row)
        return frame("heterogeneity", rows)

    def _heterogeneity(self, interval: str) -> list[dict[str, Any]]:
        if self.options.method in LIKELIHOODS:
            from analysis.pairwise.binomial import heterogeneity as of_counts

            return of_counts(self)
        rows = self.rows
        df = rows.df
        q = self.common_solution.residual_ss
        if self.options.method in ("MH", "Peto"):
            from analysis.pairwise import counts

            q, df = counts.cochran_q(counts.table(self), self.contrasts.measure, self.options.method)
        test = {"q": q, "df": df, "p_value": chi2_p_value(q, df)}
        common = test | {
            "engine": self.pooled[0].engine,
            "model": "common",
            "method": "Q",
            "tau": 0.0,
            "tau2": 0.0,
            "i2": max(0.0, 1 - df / q) if df > 0 and q > 0 else (0.0 if df > 0 else MISSING),
            "h2": q / df if df > 0 else MISSING,
        }
        if self.options.method == "multilevel":
            fitted = self.multilevel
            typical = rows.df / float(rows.profile.sums(0.0).trace_p[0]) * rows.profile.unit2
            total = fitted.between + fitted.within + typical
            levels = (("REML, between studies", fitted.between), ("REML, within studies", fitted.within))
            return [common] + [
                test | {
                    "engine": "multilevel", "model": "random", "method": name, "tau2": value,
                    "tau": np.sqrt(value), "i2": value / total,
                }
                for name, value in levels
            ]  # fmt: skip
        q = self.common_solution.residual_ss
        i2, h2 = between_studies.i2_h2(rows, self.tau2)
        likelihood = "ML" if self.options.tau2 == "ML" else "REML"
        lower, upper = between_studies.interval(rows, interval, likelihood=likelihood)
        random = {
            "engine": ENGINE,
            "model": "random",
            "method": self.options.tau2_method,
            "tau": np.sqrt(self.tau2),
            "tau_lower": np.sqrt(lower),
            "tau_upper": np.sqrt(upper),
            "tau2": self.tau2,
            "tau2_lower": lower,
            "tau2_upper": upper,
            "i2": i2,
            "i2_lower": between_studies.i2_h2(rows, lower)[0],
            "i2_upper": between_studies.i2_h2(rows, upper)[0],
            "h2": h2,
            "q": q,
            "df": rows.df,
            "p_value": chi2_p_value(q, rows.df),
        }
        return [common, random]

    def h2_interval(self, interval: str = "QP") -> tuple[float, float]:
        """Interval of H2, by way of that of tau2."""
        lower, upper = between_studies.interval(self.rows, interval)
        return between_studies.i2_h2(self.rows, lower)[1], between_studies.i2_h2(self.rows, upper)[1]

    def weights(self) -> pd.DataFrame:
        """Share of each contrast in the pooled effect of each model, with the measurements behind it.

        A contrast that shares an arm can have a negative weight: what it adds is then how it corrects another
        one.
        """
        contrasts = self.assembly.contrasts
        rows = []
        for item, weight in zip(self.pooled, self._weights(), strict=True):
            for index, row in enumerate(each(contrasts.frame)):
                rows.append(
                    {
                        "engine": item.engine,
                        "model": item.model,
                        "treatment": self.contrasts.treatment,
                        "versus": self.contrasts.versus,
                        "study": row.study,
                        "experiment": row.experiment,
                        "contrast_id": row.contrast_id,
                        "estimate": row.estimate,
                        "std_error": np.sqrt(self.assembly.variance[index]),
                        "weight": weight[index],
                        "measurement_ids": row.measurement_ids,
                    }
                )
        return frame("weights", rows)

    def _weights(self) -> list[Array]:
        """Weights of the contrasts, each model's sum is 1; NaN where a likelihood gives none."""
        rows = self.rows
        out: list[Array] = []
        for item in self.pooled:
            if item.engine in ("MH", "Peto"):
                from analysis.pairwise import counts

                out.append(counts.weights(counts.table(self), self.contrasts.measure, item.engine))
            elif item.engine == "multilevel":
                out.append(rows.to_contrasts(self.multilevel.weights))
            elif item.engine in LIKELIHOODS:
                out.append(np.full(rows.n, MISSING))
            else:
                weight = rows.X[:, 0] / (
                    rows.v + (0.0 if item.model == "common" else self.random_solution.tau2)
                )
                out.append(rows.to_contrasts(weight / (weight @ rows.X[:, 0])))
        return out

    # --- what was decided -----------------------------------------------------------------------------------

    def exclusions(self) -> pd.DataFrame:
        """List what did not enter, with the reason and what would make it usable."""
        import pandas as pd

        from evidence.selection import EXCLUSION_COLUMNS

        found = self.assembly.contrasts.exclusions
        return pd.DataFrame(columns=list(EXCLUSION_COLUMNS)) if found is None else found

    def notes(self) -> pd.DataFrame:
        """List what was decided on the way, and what a reader should know."""
        notes = [*self.assembly.contrasts.notes, *self._remarks()]
        return frame("notes", [{"severity": severity, "message": message} for severity, message in notes])

    def _remarks(self) -> Iterator[tuple[str, str]]:
        options, k = self.options, self.rows.n
        if options.method in LIKELIHOODS:
            yield "info", f"{METHODS[options.method]}; Wald intervals from the observed information."
        elif options.method == "multilevel":
            yield "info", "Random effects of studies and of effects within them, variances by REML."
        else:
            if options.method != "inverse_variance":
                yield "info", f"{METHODS[options.method]}."
            yield "info", f"Random effects: tau2 by {options.tau2_method}; interval {INTERVALS[options.ci]}."
            yield from self._small_numbers()
        yield "info", f"Prediction interval {options.prediction}: {PREDICTIONS[options.prediction]}."
        if k == 2 and options.prediction in ("HTS", "HK-PR"):
            yield (
                "warning",
                "Two effects: a prediction interval with k - 2 degrees of freedom does not exist.",
            )
        if options.by is not None:
            missing = int(self.variable(options.by).map(level_name).isna().sum())
            if missing:
                yield "warning", f"{missing} contrasts have no value of {options.by} and are in no subgroup."

    def _small_numbers(self) -> Iterator[tuple[str, str]]:
        """Warn of what few or very similar effects do to the random-effects model."""
        k = self.rows.n
        if k == 1:
            yield "warning", "One effect: its between-study variance cannot be estimated and is taken as 0."
            return
        if k < 5 and self.options.ci == "Wald":
            yield "warning", f"{k} effects: the Wald interval is too narrow with so few; HK allows for that."
        if self.options.ci == "HK":
            factor = hartung_knapp_factor(self.random_solution, self.rows.df)
            if factor < 1:
                yield (
                    "warning" if factor < 1e-6 else "info",
                    f"The Hartung-Knapp factor is {factor:.3g}, below 1: it narrows the interval instead of "
                    "widening it; HK-adhoc keeps the factor at 1.",
                )
        if between_studies.interval(self.rows)[1] == 0:
            yield (
                "info",
                "The effects are more alike than chance explains: the Q-profile interval of tau2 is empty.",
            )

    def _check(self) -> None:
        """Refuse what the data or the measure do not allow."""
        if self.options.method in ("MH", "Peto", *LIKELIHOODS):
            from analysis.pairwise import counts

            counts.check(self)
        if self.options.by is not None:
            self.variable(self.options.by)
        if self.options.method == "multilevel" and self.rows.n == len(self.studies):
            raise RefusedError(
                "Every study gives one effect: the multilevel model needs studies with several. "
                'Use method="inverse_variance".'
            )


def part_of(contrasts: Contrasts, keep: Array) -> Contrasts:
    """Contrasts of a subset."""
    chosen = contrasts.frame[keep]
    ids = set(chosen["contrast_id"])
    pairs = contrasts.covariance
    return replace(
        contrasts,
        frame=chosen.reset_index(drop=True),
        variables=contrasts.variables[keep].reset_index(drop=True),
        covariance=pairs[pairs["contrast_1"].isin(ids) & pairs["contrast_2"].isin(ids)].reset_index(
            drop=True
        ),
        notes=(),
    )


def level_name(value: Any) -> str | None:
    """Name of a subgroup: numbers without a trailing .0, None where the value is missing."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def natural_order(level: str) -> tuple[int, float, str]:
    """Sort numbers by size, before words."""
    try:
        return 0, float(level), level
    except ValueError:
        return 1, 0.0, level


def quantities(
    model: str,
    method: str,
    item: str,
    values: Mapping[str, float],
    study: str | None = None,
    note: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of the frame sensitivity, one for each quantity."""
    return [
        {
            "engine": ENGINE,
            "model": model,
            "method": method,
            "item": item,
            "study": study,
            "quantity": quantity,
            "value": float(value),
            "note": note,
        }
        for quantity, value in values.items()
    ]


def option(name: str, value: str, known: Mapping[str, Any]) -> str:
    """Return an option in its own spelling, however its letters were typed."""
    plain = str(value).replace("_", "").replace("-", "").casefold()
    for item in known:
        if item.replace("_", "").replace("-", "").casefold() == plain:
            return item
    close = nearest(str(value), list(known))
    hint = f" Did you mean {close!r}?" if close else ""
    raise CallError(f"There is no {name} {value!r}.{hint} There are: {', '.join(known)}.")
