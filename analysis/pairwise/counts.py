"""Pooling events directly: Mantel-Haenszel and Peto, without adding anything to zero cells.

References
----------
Mantel N, Haenszel W (1959) J Natl Cancer Inst 22:719-748. Robins J, Breslow N, Greenland S (1986) Biometrics
42:311-323 (variance of the odds ratio). Greenland S, Robins JM (1985) Biometrics 41:55-68 (risk ratio, rate
ratio). Sato T, Greenland S, Robins JM (1989) Biometrics 45:1323-1324 (risk difference). Yusuf S et al. (1985)
Prog Cardiovasc Dis 27:335-371 (Peto). Breslow NE, Day NE (1980) Statistical Methods in Cancer Research I,
sect. 4.4; Tarone RE (1985) Biometrika 72:91-95 (tests of homogeneity).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.pairwise.data.assembly import Assembly, uses_of_arms
from analysis.pairwise.data.contrasts import each
from analysis.pairwise.model.coefficients import chi2_p_value
from analysis.pairwise.model.rows import Array
from evidence import facts
from evidence.errors import Problem, RefusedError


@dataclass(frozen=True)
class CountTable:
    """Events of each study, each an (n,) array.

    Attributes
    ----------
    a, c : arrays
        Events under treatment and under comparator.
    n1, n2 : arrays
        Animals or participants, or time at risk for rates.
    y, v : arrays
        Effects and variances by inverse variance (0.5 added where a study has a zero cell), for Cochran's Q.
    """

    a: Array
    n1: Array
    c: Array
    n2: Array
    y: Array
    v: Array

    def take(self, keep: Array) -> CountTable:
        """Keep some studies."""
        return CountTable(**{name: value[keep] for name, value in self.__dict__.items()})


@dataclass(frozen=True)
class CountEstimate:
    """A pooled effect on the analysis scale, with its standard error."""

    estimate: float
    std_error: float


def check(assembly: Assembly, measure: str, method: str, shared: str) -> None:
    """Refuse what cannot be pooled from counts.

    Parameters
    ----------
    assembly : Assembly
        The contrasts, with their counts.
    measure, method : str
        Effect measure, and a method that rests on tables or likelihood.
    shared : str
        What is done about contrasts that share an arm, see `assembly.SHARED`.

    Raises
    ------
    RefusedError
        If the measure is not one of the method's, contrasts came without counts, or arms are shared.
    """
    given = facts.pooling_methods()[method].measures
    if measure not in given:
        raise RefusedError(
            f"{method} gives {', '.join(given)}, not {measure}: choose one of these measures, "
            'or method="inverse_variance".'
        )
    needed = [f"{name}_{side}" for name in ("events", _size(measure)) for side in "ab"]
    problems = []
    for row in each(assembly.tables.contrasts.frame):
        lacking = [name for name in needed if not np.isfinite(getattr(row, name))]
        if lacking:
            problems.append(
                Problem(
                    f"no {', '.join(lacking)}",
                    'enter the counts, or use method="inverse_variance"',
                    study=row.study,
                    arm=None if row.arm_a is None else str(row.arm_a),
                )
            )
    if problems:
        raise RefusedError(
            f"{method} needs the events and the size of both arms of every contrast.", problems
        )
    pairs = assembly.tables.contrasts.covariance
    if shared == "covariance" and len(pairs):
        arms = sorted(set(pairs["arm_shared"].astype(str)))
        raise RefusedError(
            f"Contrasts share arms ({', '.join(arms)}), and {method} takes every table as independent: "
            'use dependence="combine" to add up the arms, shared="split" to divide them, or '
            'method="inverse_variance".'
        )


RARE = 0.1
"""Share with the event up to which an odds ratio and a risk ratio are nearly the same."""

COMMON = 0.2
"""Share above which CM.AL of an odds ratio is refused."""


def largest_share(assembly: Assembly) -> float:
    """Share of an arm with the event, over all studies, in the arm where it is larger."""
    data = table(assembly, "OR", divided=False)
    return float(max(data.a.sum() / data.n1.sum(), data.c.sum() / data.n2.sum()))


def check_rare(assembly: Assembly, measure: str, method: str) -> None:
    """Refuse CM.AL of an odds ratio where events are common: it then gives a risk ratio.

    Raises
    ------
    RefusedError
        If more than `COMMON` of either arm, over all studies, have the event.
    """
    if method != "CM.AL" or measure != "OR":
        return
    share = largest_share(assembly)
    if share > COMMON:
        raise RefusedError(
            f"CM.AL is for rare events: {share:.0%} of an arm have the event, more than {COMMON:.0%}, and "
            "its result is then nearer to a risk ratio than to an odds ratio. Use the exact form of the same "
            'likelihood (method="binomial"), UM.FS or MH.'
        )


def table(assembly: Assembly, measure: str, divided: bool) -> CountTable:
    """Events of the contrasts; shared arms divided among theirs where that was asked for."""
    frame = assembly.tables.contrasts.frame
    uses = uses_of_arms(frame) if divided else {side: np.ones(len(frame)) for side in "ab"}
    a, n1, c, n2 = (
        frame[f"{name}_{side}"].to_numpy(float) / uses[side]
        for side in "ab"
        for name in ("events", _size(measure))
    )
    return CountTable(a, n1, c, n2, frame["estimate"].to_numpy(float), assembly.tables.variance)


def _size(measure: str) -> str:
    """Name of what events are counted among."""
    return "exposure" if measure == "IRR" else "n"


def pool(data: CountTable, measure: str, method: str) -> CountEstimate:
    """Pool by Mantel-Haenszel or Peto.

    Parameters
    ----------
    data : CountTable
        The studies' events; those without any event add nothing to a ratio.
    measure : {"OR", "RR", "RD", "IRR"}
        Effect measure.
    method : {"MH", "Peto"}
        How.

    Raises
    ------
    RefusedError
        If the pooled ratio is 0 or infinite: no event under one of the treatments in any study.
    """
    a, n1, c, n2 = data.a, data.n1, data.c, data.n2
    total = n1 + n2
    if method == "Peto":
        score, information = _peto(data)
        if not information.sum() > 0:
            raise RefusedError("No study has both events and non-events: there is no odds ratio to pool.")
        return CountEstimate(float(score.sum() / information.sum()), float(1 / np.sqrt(information.sum())))
    if measure == "RD":
        weight = n1 * n2 / total
        estimate = float(np.sum((a * n2 - c * n1) / total) / weight.sum())
        p = np.sum((n1**2 * c - n2**2 * a + n1 * n2 * (n2 - n1) / 2) / total**2)
        q = np.sum((a * (n2 - c) + c * (n1 - a)) / (2 * total))
        return CountEstimate(estimate, float(np.sqrt(max(estimate * p + q, 0.0)) / weight.sum()))
    b, d = n1 - a, n2 - c
    if measure == "OR":
        r, s = a * d / total, b * c / total
        p, q = (a + d) / total, (b + c) / total
        R, S = r.sum(), s.sum()
        _not_extreme(R, S, "odds")
        variance = (
            np.sum(p * r) / (2 * R**2) + np.sum(p * s + q * r) / (2 * R * S) + np.sum(q * s) / (2 * S**2)
        )
        return CountEstimate(float(np.log(R / S)), float(np.sqrt(variance)))
    R, S = np.sum(a * n2 / total), np.sum(c * n1 / total)
    _not_extreme(R, S, "risk" if measure == "RR" else "rate")
    if measure == "RR":
        variance = np.sum((n1 * n2 * (a + c) - a * c * total) / total**2) / (R * S)
    else:
        variance = np.sum((a + c) * n1 * n2 / total**2) / (R * S)
    return CountEstimate(float(np.log(R / S)), float(np.sqrt(variance)))


def _not_extreme(R: float, S: float, what: str) -> None:
    if not (R > 0 and S > 0):
        raise RefusedError(
            f"The Mantel-Haenszel {what} ratio is {'0' if S > 0 else 'infinite'}: no study has "
            "the events it needs under both treatments. Peto or the binomial likelihood can still be used."
        )


def _peto(data: CountTable) -> tuple[Array, Array]:
    """Observed minus expected events under treatment, and its hypergeometric variance, by study."""
    a, n1, c, n2 = data.a, data.n1, data.c, data.n2
    events, total = a + c, n1 + n2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = n1 * n2 * events * (total - events) / (total**2 * (total - 1))
    return a - n1 * events / total, np.where(total > 1, variance, 0.0)


def weights(data: CountTable, measure: str, method: str) -> Array:
    """Share of each study in the pooled effect, (n,)."""
    total = data.n1 + data.n2
    if method == "Peto":
        weight = _peto(data)[1]
    elif measure == "OR":
        weight = (data.n1 - data.a) * data.c / total
    elif measure == "RD":
        weight = data.n1 * data.n2 / total
    else:
        weight = data.c * data.n1 / total
    return weight / weight.sum()


def cochran_q(data: CountTable, measure: str, method: str) -> tuple[float, int]:
    """Cochran's Q about the pooled effect and its degrees of freedom; studies with events and non-events."""
    pooled = pool(data, measure, method).estimate
    if method == "Peto":
        score, information = _peto(data)
        used = information > 0
        effect = score[used] / information[used]
        return float(np.sum(information[used] * (effect - pooled) ** 2)), int(used.sum()) - 1
    events = data.a + data.c
    used = events > 0 if measure == "IRR" else (events > 0) & (events < data.n1 + data.n2)
    return float(np.sum((data.y[used] - pooled) ** 2 / data.v[used])), int(used.sum()) - 1


def table_tests(data: CountTable, correct: bool = True) -> Iterator[tuple[str, float, int, float]]:
    """Test the effect, and its homogeneity, on 2 x 2 tables.

    Parameters
    ----------
    data : CountTable
        The studies' events.
    correct : bool
        Continuity correction of the Cochran-Mantel-Haenszel statistic.

    Yields
    ------
    (name, statistic, df, p_value)
        Cochran-Mantel-Haenszel test of the effect; Breslow-Day test of homogeneity and Tarone's correction of
        it.
    """
    score, information = _peto(data)
    gap = abs(score.sum())
    statistic = max(gap - 0.5, 0.0) ** 2 / information.sum() if correct else gap**2 / information.sum()
    yield "Cochran-Mantel-Haenszel", float(statistic), 1, chi2_p_value(float(statistic), 1)
    events, total = data.a + data.c, data.n1 + data.n2
    some = (events > 0) & (events < total)
    a, n1, c, n2 = (getattr(data, name)[some] for name in ("a", "n1", "c", "n2"))
    ratio = np.exp(pool(data, "OR", "MH").estimate)
    expected = _expected_events(ratio, n1, n2, a + c)
    variance = 1 / (1 / expected + 1 / (n1 - expected) + 1 / (a + c - expected) + 1 / (n2 - a - c + expected))
    breslow_day = float(np.sum((a - expected) ** 2 / variance))
    tarone = breslow_day - float(np.sum(a - expected) ** 2 / np.sum(variance))
    df = int(some.sum()) - 1
    yield "Breslow-Day", breslow_day, df, chi2_p_value(breslow_day, df)
    yield "Tarone", tarone, df, chi2_p_value(tarone, df)


def _expected_events(ratio: float, n1: Array, n2: Array, events: Array) -> Array:
    """Events under treatment if every study had the same odds ratio and its own margins."""
    A = 1 - ratio
    B = n2 - events + ratio * (n1 + events)
    C = -ratio * n1 * events
    # The root between the limits of the margins, in the form that does not cancel as A goes to 0.
    return -2 * C / (B + np.sqrt(np.maximum(B**2 - 4 * A * C, 0)))
