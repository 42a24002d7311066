"""Ways to put studies together: what each of `options.METHODS` makes of the contrasts of one question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from analysis.pairwise import binomial, counts, dependence
from analysis.pairwise import tau2 as between_studies
from analysis.pairwise.assembly import Assembly
from analysis.pairwise.coefficients import Coefficients, chi2_p_value, coefficients
from analysis.pairwise.inference import INTERVALS, around, hartung_knapp_factor, infer, predict
from analysis.pairwise.options import LIKELIHOODS, METHODS, TABLES, Options
from analysis.pairwise.rows import Array, Rows, Solution
from evidence.errors import RefusedError

MISSING = float("nan")
ENGINE = "frequentist"
"""Name under which inverse-variance results are listed."""


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


class Pooling(Protocol):
    """What every way of putting studies together gives."""

    @property
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Pooled effect under the common-effect and the random-effects model."""

    def heterogeneity(self, interval: str | None) -> list[dict[str, Any]]:
        """Rows of the frame heterogeneity, with an interval of `tau2.INTERVALS`, or none."""

    def weights(self) -> tuple[Array, Array]:
        """Weights of the contrasts under both models, each with the sum 1; NaN where there are none."""

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Severity and message of what a reader should know."""


@dataclass(frozen=True)
class InverseVariance:
    """Inverse variance under both models."""

    assembly: Assembly
    options: Options
    measure: str

    @property
    def rows(self) -> Rows:
        """Independent rows of the analysis."""
        return self.assembly.rows

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
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Pooled effect under both models."""
        return self.common(), self.random()

    def common(self) -> Pooled:
        """Pooled effect without between-study variance."""
        solution = self.common_solution
        return Pooled(ENGINE, "common", coefficients(solution.beta, solution.covariance))

    def random(self) -> Pooled:
        """Pooled effect at the estimated tau2."""
        solution = self.random_solution
        effect = infer(self.rows, solution, self.options.ci)
        if not np.isfinite(self.tau2):
            return Pooled(ENGINE, "random", effect)
        limits = predict(self.rows, solution, self.options.prediction, self.options.ci == "HK-adhoc")
        return Pooled(ENGINE, "random", effect, limits)

    def heterogeneity(self, interval: str | None) -> list[dict[str, Any]]:
        """Q about the common effect; tau2, I2 and H2 with their intervals."""
        rows = self.rows
        i2, h2 = between_studies.i2_h2(rows, self.tau2)
        likelihood = "ML" if self.options.tau2 == "ML" else "REML"
        lower, upper = (
            between_studies.interval(rows, interval, likelihood=likelihood)
            if interval
            else (MISSING, MISSING)
        )
        (i2_lower, h2_lower), (i2_upper, h2_upper) = (
            between_studies.i2_h2(rows, end) for end in (lower, upper)
        )
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
            "i2_lower": i2_lower,
            "i2_upper": i2_upper,
            "h2": h2,
            "h2_lower": h2_lower,
            "h2_upper": h2_upper,
        }
        return [self.common_heterogeneity(), random | self.q_test()]

    def q_test(self) -> dict[str, Any]:
        """Cochran's Q about the common effect by inverse variance."""
        return _test(self.common_solution.residual_ss, self.rows.df)

    def common_heterogeneity(self) -> dict[str, Any]:
        """Row of the common-effect model."""
        return {"engine": ENGINE} | _about_common(self.common_solution.residual_ss, self.rows.df)

    def weights(self) -> tuple[Array, Array]:
        """Shares of the contrasts."""
        return self.common_weights(), self._shares(self.random_solution.tau2)

    def common_weights(self) -> Array:
        """Shares of the contrasts in the common effect."""
        return self._shares(0.0)

    def _shares(self, tau2: float) -> Array:
        x = self.rows.X[:, 0]
        weight = x / (self.rows.v + tau2)
        return self.rows.to_contrasts(weight / (weight @ x))

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say how the random-effects model was fitted, and what few or very similar effects do to it."""
        ci = self.options.ci
        yield "info", f"Random effects: tau2 by {self.options.tau2_method}; interval {INTERVALS[ci]}."
        k = self.rows.n
        if k == 1:
            yield "warning", "One effect: its between-study variance cannot be estimated and is taken as 0."
            return
        if k < 5 and ci == "Wald":
            yield "warning", f"{k} effects: the Wald interval is too narrow with so few; HK allows for that."
        if ci == "HK":
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


@dataclass(frozen=True)
class EventTables(InverseVariance):
    """Mantel-Haenszel or Peto for the common effect; inverse variance for random effects."""

    def __post_init__(self) -> None:
        """Refuse what has no tables."""
        counts.check(self.assembly, self.measure, self.options.method, self.options.shared)

    @cached_property
    def table(self) -> counts.Table:
        """Events of the contrasts."""
        return counts.table(self.assembly, self.measure, self.options.shared == "split")

    def common(self) -> Pooled:
        """Pooled effect of all tables."""
        return self.common_of(self.table)

    def common_of(self, table: counts.Table) -> Pooled:
        """Pooled effect of some of the tables.

        Raises
        ------
        RefusedError
            If it is 0, infinite or not determined.
        """
        result = counts.pool(table, self.measure, self.options.method)
        return Pooled(self.options.method, "common", coefficients(result.estimate, result.std_error**2))

    def common_heterogeneity(self) -> dict[str, Any]:
        """Row of the common-effect model."""
        return self.common_heterogeneity_of(self.table)

    def common_heterogeneity_of(self, table: counts.Table) -> dict[str, Any]:
        """Row of the common-effect model for some of the tables."""
        q, df = counts.cochran_q(table, self.measure, self.options.method)
        return {"engine": self.options.method} | _about_common(q, df)

    def common_weights(self) -> Array:
        """Shares of the tables."""
        return counts.weights(self.table, self.measure, self.options.method)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say which model is which."""
        yield "info", f"{METHODS[self.options.method]}."
        yield from super().remarks()


@dataclass(frozen=True)
class CountLikelihood:
    """The likelihood of the counts under both models."""

    assembly: Assembly
    options: Options
    measure: str

    def __post_init__(self) -> None:
        """Refuse what has no counts."""
        counts.check(self.assembly, self.measure, self.options.method, self.options.shared)

    @cached_property
    def family(self) -> Any:
        """Likelihood of every study as a function of its own effect."""
        table = counts.table(self.assembly, self.measure, self.options.shared == "split")
        return binomial.family_of(table, self.options.method, self.measure)

    @cached_property
    def common_fit(self) -> binomial.LikelihoodFit:
        """Maximum with tau = 0."""
        return binomial.fit_common(self.family)

    @cached_property
    def random_fit(self) -> binomial.LikelihoodFit:
        """Maximum over both parameters."""
        return binomial.fit_random(self.family)

    @property
    def tau2(self) -> float:
        """Between-study variance by maximum likelihood; NaN if it cannot be estimated."""
        return self.random_fit.tau**2

    @cached_property
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Pooled effect under both models, with Wald intervals from the observed information."""
        common, random = self.common_fit, self.random_fit
        method, variance = self.options.method, random.tau**2 + random.std_error**2
        limits = around(random.estimate, variance, self.options.prediction, random.k - 1)
        return (
            Pooled(method, "common", coefficients(common.estimate, common.std_error**2)),
            Pooled(method, "random", coefficients(random.estimate, random.std_error**2), limits),
        )

    def heterogeneity(self, interval: str | None) -> list[dict[str, Any]]:
        """Q is the likelihood-ratio statistic against one effect per study; tau2 by profile likelihood.

        There is no Q-profile interval of a likelihood of counts: any `interval` is by profile likelihood.
        """
        common, random = self.common_fit, self.random_fit
        q = max(0.0, 2 * (binomial.saturated_log_likelihood(self.family) - common.log_likelihood))
        test = {"engine": self.options.method} | _test(q, common.k - 1)
        rows: list[dict[str, Any]] = [
            test | {"model": "common", "method": "likelihood ratio", "tau": 0.0, "tau2": 0.0},
            test | {"model": "random", "method": "ML"},
        ]
        if np.isfinite(random.tau):
            rows[1] |= {"tau": random.tau, "tau2": random.tau**2}
            if interval:
                lower, upper = binomial.tau_interval(self.family, random)
                rows[1] |= {
                    "tau_lower": lower,
                    "tau_upper": upper,
                    "tau2_lower": lower**2,
                    "tau2_upper": upper**2,
                }
        return rows

    def weights(self) -> tuple[Array, Array]:
        """Likelihoods give no weights."""
        none = np.full(len(self.assembly.contrasts.frame), MISSING)
        return none, none

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say what the intervals are."""
        yield "info", f"{METHODS[self.options.method]}; Wald intervals from the observed information."
        yield "info", "The interval of tau2 is by profile likelihood."
        idle = len(self.assembly.contrasts.frame) - len(self.family.a)
        if idle:
            yield "info", f"{idle} contrasts without events, or without any other, say nothing about a ratio."


@dataclass(frozen=True)
class ThreeLevel(InverseVariance):
    """Random effects of studies and of effects within them; inverse variance for the common effect."""

    def __post_init__(self) -> None:
        """Refuse data without a third level."""
        if self.rows.n == len(self.assembly.studies):
            raise RefusedError(
                "Every study gives one effect: the multilevel model needs studies with several. "
                'Use method="inverse_variance".'
            )

    @cached_property
    def levels(self) -> dependence.Multilevel:
        """The fitted model."""
        return dependence.multilevel(self.rows, self.options.ci)

    def random(self) -> Pooled:
        """Pooled effect of the three-level model."""
        effect = self.levels.coefficients
        variance = self.levels.between + self.levels.within + effect.covariance[0, 0]
        df = len(self.assembly.studies) - 1
        limits = around(float(effect.estimate[0]), float(variance), self.options.prediction, df)
        return Pooled("multilevel", "random", effect, limits)

    def heterogeneity(self, interval: str | None) -> list[dict[str, Any]]:
        """Variances and their shares in the total; without intervals, so `interval` makes no difference."""
        between, within = self.levels.between, self.levels.within
        total = between + within + between_studies.typical_variance(self.rows)
        levels = {"REML, between studies": between, "REML, within studies": within}
        return [self.common_heterogeneity()] + [
            self.q_test()
            | {"engine": "multilevel", "model": "random", "method": name}
            | {"tau2": value, "tau": np.sqrt(value), "i2": value / total}
            for name, value in levels.items()
        ]

    def weights(self) -> tuple[Array, Array]:
        """Shares of the contrasts."""
        return self.common_weights(), self.rows.to_contrasts(self.levels.weights)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say how the variances and intervals came about."""
        yield "info", "Random effects of studies and of effects within them, variances by REML."
        ci = self.options.ci
        said = INTERVALS[ci] if ci in ("Wald", "CR2") else "t with studies - 1 degrees of freedom"
        yield "info", f"Interval of the three-level model: {said}."


def pooling(assembly: Assembly, options: Options, measure: str) -> Pooling:
    """Put studies together as asked.

    Raises
    ------
    RefusedError
        If the method cannot be used with the measure or the data.
    """
    if options.method in TABLES:
        return EventTables(assembly, options, measure)
    if options.method in LIKELIHOODS:
        return CountLikelihood(assembly, options, measure)
    if options.method == "multilevel":
        return ThreeLevel(assembly, options, measure)
    return InverseVariance(assembly, options, measure)


def _test(q: float, df: float) -> dict[str, Any]:
    return {"q": q, "df": df, "p_value": chi2_p_value(q, df)}


def _about_common(q: float, df: float) -> dict[str, Any]:
    """Heterogeneity as Q shows it: I2 and H2 with the degrees of freedom (Higgins and Thompson 2002)."""
    share = (max(0.0, 1 - df / q) if q > 0 else 0.0) if df > 0 else MISSING
    return _test(q, df) | {
        "model": "common",
        "method": "Q",
        "tau": 0.0,
        "tau2": 0.0,
        "i2": share,
        "h2": q / df if df > 0 else MISSING,
    }
