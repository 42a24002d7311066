"""Ways to put studies together: what each of `options.METHODS` makes of the contrasts of one question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from analysis.pairwise import binomial, counts
from analysis.pairwise.data.assembly import Assembly
from analysis.pairwise.model import dependence
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.coefficients import Coefficients, chi2_p_value, coefficients
from analysis.pairwise.model.degenerate import EXTREME_RATIO
from analysis.pairwise.model.inference import INTERVALS, around, infer, predict
from analysis.pairwise.model.parts import Stretches
from analysis.pairwise.model.robust import LEAST_DF
from analysis.pairwise.model.rows import Array, EffectRows, Solution
from analysis.pairwise.options import LIKELIHOODS, METHODS, TABLES, Options
from analysis.verdict import LEAST_FOR_PREDICTION, NARROWS, agree, reason_against
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
    adhoc : (lower, upper)
        Hartung-Knapp interval with the factor kept at 1, where its own is below 1 and studies are few.
    no_verdict : str or None
        Why no conclusion in words is drawn; without a reason it is drawn from the ad hoc interval where there
        is one, else from the interval of the effect.
    """

    engine: str
    model: str
    effect: Coefficients
    prediction: tuple[float, float] = (MISSING, MISSING)
    adhoc: tuple[float, float] = (MISSING, MISSING)
    no_verdict: str | None = None


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
        """Severity and message of how it was done."""

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Severity and message of what these data do to it."""


@dataclass(frozen=True)
class InverseVariance:
    """Inverse variance under both models.

    `together` are the rows of all subgroups, with a mean for each, where this is one of several that share a
    tau2: they are one model, and its residuals give the intervals of all of them.
    """

    assembly: Assembly
    options: Options
    measure: str
    together: EffectRows | None = None

    @property
    def rows(self) -> EffectRows:
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
    def about(self) -> tuple[Solution, int]:
        """Fit whose residuals give Hartung and Knapp's factor, and its degrees of freedom."""
        if self.together is None:
            return self.random_solution, self.rows.df
        return self.together.profile.solve(self.random_solution.tau2), self.together.df

    @property
    def factor(self) -> float:
        """Hartung and Knapp's factor, as small as it may be; NaN without degrees of freedom."""
        solution, df = self.about
        return solution.residual_ss / df if df > 0 else MISSING

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
        ci = self.options.ci
        effect = infer(self.rows, solution, ci, about=self.about)
        if not np.isfinite(self.tau2):
            return Pooled(ENGINE, "random", effect)
        limits = predict(self.rows, solution, self.options.prediction, ci == "HK-adhoc", about=self.about)
        beside = self.adhoc or (MISSING, MISSING)
        return Pooled(ENGINE, "random", effect, limits, beside, self.no_verdict)

    @cached_property
    def adhoc(self) -> tuple[float, float] | None:
        """Interval with the factor kept at 1, where chance narrows that of Hartung and Knapp."""
        if self.options.ci != "HK" or not self.narrowed:
            return None
        return _limits(infer(self.rows, self.random_solution, "HK-adhoc", about=self.about))

    @cached_property
    def no_verdict(self) -> str | None:
        """Why no conclusion in words is drawn under random effects; None if it is."""
        if self.adhoc is None:
            return self.narrowed
        if agree(self.adhoc, _limits(self.common().effect)):
            return None
        return (
            f"{self.narrowed}; with the factor kept at 1 and under the common effect the intervals disagree"
        )

    @cached_property
    def narrowed(self) -> str | None:
        """Why no conclusion may be drawn from the random-effects interval itself; None if it may."""
        ci, k = self.options.ci, (self.together or self.rows).n
        if ci == "CR2":
            df = float(infer(self.rows, self.random_solution, ci).df[0])
            return reason_against(None, k, df, LEAST_DF)
        factor = self.factor if ci == "HK" and np.isfinite(self.factor) else None
        return reason_against(factor, k)

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
            "interval_method": between_studies.INTERVALS[interval] if interval and rows.df else None,
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
        return self.assembly.spread(self.rows.to_contrasts(weight / (weight @ x)))

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say how the random-effects model was fitted."""
        said = INTERVALS[self.options.ci]
        yield "info", f"Random effects: tau2 by {self.options.tau2_method}; interval {said}."

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Say what few or very similar effects do to the random-effects model."""
        ci, k = self.options.ci, self.rows.n
        if k == 1:
            if isinstance(self.options.tau2, str):
                yield (
                    "warning",
                    "One effect: its between-study variance cannot be estimated and is taken as 0.",
                )
            elif self.together is not None:
                yield from self._narrowed()
            return
        v = self.rows.v
        if v.max() >= EXTREME_RATIO * v.min():
            study = self.assembly.studies[int(self.rows.study[int(np.argmin(v))])]
            yield (
                "warning",
                f"The largest sampling variance is {v.max() / v.min():.2g} times the smallest ({study}): one "
                "effect decides, and results may be unstable. Check its standard error.",
            )
        if k < 5 and ci == "Wald":
            yield "warning", f"{k} effects: the Wald interval is too narrow with so few; HK allows for that."
        if k < LEAST_FOR_PREDICTION:
            yield "info", f"{k} effects: no prediction interval, which needs {LEAST_FOR_PREDICTION}."
        yield from self._narrowed()
        yield from self._apart()

    def _narrowed(self) -> Iterator[tuple[str, str]]:
        """Say where Hartung and Knapp's factor narrows the interval, or where CR2 rests on too little."""
        if self.options.ci == "CR2" and not np.isfinite(self.pooled[1].effect.ci_lower[0]):
            yield (
                "warning",
                "No robust interval: these effects show no error of their own, or one study has all.",
            )
        if self.no_verdict:
            beside = "" if self.adhoc is None else "; HK-adhoc, with the factor kept at 1, stands beside it"
            yield "warning", f"No verdict from the interval: {self.no_verdict}{beside}."
        elif self.adhoc is not None:
            yield (
                "warning",
                f"The verdict is that of the interval with the factor kept at 1 (HK-adhoc), with which the "
                f"common effect agrees: {self.narrowed}.",
            )
        elif self.options.ci == "HK" and self.factor < NARROWS:
            yield (
                "info",
                f"The Hartung-Knapp factor is {self.factor:.3g}, below 1: it narrows the interval instead of "
                "widening it; HK-adhoc keeps the factor at 1.",
            )

    def _apart(self) -> Iterator[tuple[str, str]]:
        """Say where tau2 and its interval, made in different ways, do not agree."""
        if self.together is not None:
            return  # The tau2 that subgroups share stands with its own interval.
        chosen = self.options.tau2_interval
        likelihood = "ML" if self.options.tau2 == "ML" else "REML"
        lower, upper = between_studies.interval(self.rows, chosen, likelihood=likelihood)
        name, method = between_studies.INTERVALS[chosen], self.options.tau2_method
        if chosen == "QP" and upper == 0:
            yield (
                "info",
                "The effects are more alike than chance explains: the Q-profile interval of tau2 is empty.",
            )
        slack = 1e-9 * max(upper, self.tau2)
        if not lower - slack <= self.tau2 <= upper + slack:
            own = between_studies.estimate(self.rows, "PM" if chosen == "QP" else likelihood)
            belongs = "Paule-Mandel (PM)" if chosen == "QP" else likelihood
            yield (
                "warning",
                f"tau by {method}, {np.sqrt(self.tau2):.4g}, lies outside its {name} interval, "
                f"{np.sqrt(lower):.4g} to {np.sqrt(upper):.4g}: estimate and interval are two methods. The "
                f"estimate that belongs to this interval is {belongs}: tau {np.sqrt(own):.4g}.",
            )


@dataclass(frozen=True)
class EventTables(InverseVariance):
    """Mantel-Haenszel or Peto for the common effect; inverse variance for random effects."""

    def __post_init__(self) -> None:
        """Refuse what has no tables."""
        counts.check(self.assembly, self.measure, self.options.method, self.options.shared)

    @cached_property
    def table(self) -> counts.CountTable:
        """Events of the contrasts."""
        return counts.table(self.assembly, self.measure, self.options.shared == "split")

    def common(self) -> Pooled:
        """Pooled effect of all tables."""
        return self.common_of(self.table)

    def common_of(self, table: counts.CountTable) -> Pooled:
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

    def common_heterogeneity_of(self, table: counts.CountTable) -> dict[str, Any]:
        """Row of the common-effect model for some of the tables."""
        q, df = counts.cochran_q(table, self.measure, self.options.method)
        return {"engine": self.options.method} | _about_common(q, df)

    def common_of_parts(self, parts: Stretches) -> counts.CountEstimates:
        """Pooled effects of many parts of the tables."""
        return counts.pool_parts(self.table, self.measure, self.options.method, parts)

    def common_weights(self) -> Array:
        """Shares of the tables."""
        tables = self.assembly.tables
        return counts.weights(self.table, self.measure, self.options.method)[tables.unit] * tables.share

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say which model is which."""
        yield "info", f"{METHODS[self.options.method]}."
        yield from _of_tables(self.assembly)
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
        counts.check_rare(self.assembly, self.measure, self.options.method)

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
                lower, upper = self.tau_ends
                rows[1] |= {
                    "interval_method": between_studies.INTERVALS["PL"],
                    "tau_lower": lower,
                    "tau_upper": upper,
                    "tau2_lower": lower**2,
                    "tau2_upper": upper**2,
                }
        return rows

    @cached_property
    def tau_ends(self) -> tuple[float, float]:
        """Interval of tau by profile likelihood; its upper end is NaN where it cannot be told."""
        return binomial.tau_interval(self.family, self.random_fit)

    def weights(self) -> tuple[Array, Array]:
        """Likelihoods give no weights."""
        none = np.full(len(self.assembly.contrasts.frame), MISSING)
        return none, none

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say what the intervals are."""
        yield "info", f"{METHODS[self.options.method]}; Wald intervals from the observed information."
        yield "info", "The interval of tau2 is by profile likelihood."
        yield from _of_tables(self.assembly)
        idle = len(self.assembly.tables.variance) - len(self.family.a)
        if idle:
            yield "info", f"{idle} contrasts without events, or without any other, say nothing about a ratio."

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Say what few studies do to it."""
        k = self.common_fit.k
        rare = (self.options.method, self.measure) != ("CM.AL", "OR")
        if not rare and (share := counts.largest_share(self.assembly)) > counts.RARE:
            yield "warning", f"CM.AL is for rare events: {share:.0%} of an arm have the event. Take binomial."
        if k == 1:
            yield "warning", "One study: its between-study variance cannot be estimated and is taken as 0."
        elif k < LEAST_FOR_PREDICTION:
            yield "info", f"{k} studies: no prediction interval, which needs {LEAST_FOR_PREDICTION}."
        if k > 1 and np.isnan(self.tau_ends[1]):
            yield (
                "warning",
                "The interval of tau has no upper end: these counts hardly tell how much studies differ.",
            )
        if 1 < k < 5:
            yield "warning", f"{k} studies: a Wald interval from the likelihood is too narrow with so few."


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
        least = LEAST_DF if self.options.ci == "CR2" else 0.0
        reason = reason_against(None, df + 1, float(effect.df[0]), least)
        return Pooled("multilevel", "random", effect, limits, no_verdict=reason)

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
        return self.common_weights(), self.assembly.spread(self.rows.to_contrasts(self.levels.weights))

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Say how the variances and intervals came about."""
        yield "info", "Random effects of studies and of effects within them, variances by REML."
        ci = self.options.ci
        said = INTERVALS[ci] if ci in ("Wald", "CR2") else "t with studies - 1 degrees of freedom"
        yield "info", f"Interval of the three-level model: {said}."

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Say what few studies do to it."""
        k = len(self.assembly.studies)
        if k < LEAST_FOR_PREDICTION:
            yield "info", f"{k} studies: no prediction interval, which needs {LEAST_FOR_PREDICTION}."
        if reason := self.pooled[1].no_verdict:
            yield "warning", f"No verdict from the interval: {reason}."


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


def _of_tables(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Say where events of several arms were added up, and where a study gives several tables nonetheless."""
    tables = assembly.tables
    if len(tables.variance) < len(tables.unit):
        yield "info", "Events of the arms that share a comparator are added up: one table for each."
    repeated = len(tables.variance) - len(assembly.studies)
    if repeated:
        yield (
            "warning",
            f"{len(tables.variance)} tables of {len(assembly.studies)} studies enter as if independent: this "
            "method has no way to tell that tables of one study depend on each other; inverse variance has.",
        )


def _limits(effect: Coefficients) -> tuple[float, float]:
    return float(effect.ci_lower[0]), float(effect.ci_upper[0])


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
        "h2": max(1.0, q / df) if df > 0 else MISSING,
    }
