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
from analysis.pairwise.model.parts import Array, Stretches
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
    estimate, std_error, why = _of_sums(
        _summands(data, measure, method).sum(axis=1)[:, None], measure, method
    )
    if why[0]:
        raise RefusedError(why[0])
    return CountEstimate(float(estimate[0]), float(std_error[0]))


@dataclass(frozen=True)
class CountEstimates:
    """Pooled effects of m parts of the studies, (m,) arrays; NaN where `why` says that there is none.

    Attributes
    ----------
    estimate, std_error : arrays
        On the analysis scale.
    q, df : arrays
        Cochran's Q and its degrees of freedom.
    why : list of str or None
        Why a part has no pooled effect.
    """

    estimate: Array
    std_error: Array
    q: Array
    df: Array
    why: list[str | None]


def pool_parts(data: CountTable, measure: str, method: str, parts: Stretches) -> CountEstimates:
    """Pool many parts of the studies from the sums over all of them; see `pool` and `cochran_q`."""
    estimate, std_error, why = _of_sums((parts @ _summands(data, measure, method).T).T, measure, method)
    effect, precision = _inverse_variance(data, measure, method)
    # About one centre, so that squares do not cancel.
    centre = float(precision @ effect / precision.sum()) if precision.any() else 0.0
    z = effect - centre
    columns = np.stack([precision * z**2, precision * z, precision, precision > 0], axis=1)
    squares, linear, total, count = (parts @ columns).T
    shift = estimate - centre
    q = squares - 2 * shift * linear + shift**2 * total
    for part in np.flatnonzero(q < 1e-3 * squares):
        kept = parts.rows(int(part))
        q[part] = float(np.sum(precision[kept] * (effect[kept] - estimate[part]) ** 2))
    return CountEstimates(estimate, std_error, q, count - 1, why)


def _summands(data: CountTable, measure: str, method: str) -> Array:
    """Give what every study adds to the sums that a pooled effect is made of, (sums, n)."""
    a, n1, c, n2 = data.a, data.n1, data.c, data.n2
    total = n1 + n2
    if method == "Peto":
        return np.stack(_peto(data))
    if measure == "RD":
        p = (n1**2 * c - n2**2 * a + n1 * n2 * (n2 - n1) / 2) / total**2
        q = (a * (n2 - c) + c * (n1 - a)) / (2 * total)
        return np.stack([(a * n2 - c * n1) / total, n1 * n2 / total, p, q])
    if measure == "OR":
        b, d = n1 - a, n2 - c
        r, s = a * d / total, b * c / total
        p, q = (a + d) / total, (b + c) / total
        return np.stack([r, s, p * r, p * s + q * r, q * s])
    if measure == "RR":
        variance = (n1 * n2 * (a + c) - a * c * total) / total**2
    else:
        variance = (a + c) * n1 * n2 / total**2
    return np.stack([a * n2 / total, c * n1 / total, variance])


def _of_sums(sums: Array, measure: str, method: str) -> tuple[Array, Array, list[str | None]]:
    """Make pooled effects, their standard errors and why there are none out of sums, (sums, m)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "Peto":
            score, information = sums
            lacking = ~(information > 0)
            estimate, std_error = score / information, 1 / np.sqrt(information)
            why = [_NO_TABLES if one else None for one in lacking]
        elif measure == "RD":
            difference, weight, p, q = sums
            estimate = difference / weight
            std_error = np.sqrt(np.maximum(estimate * p + q, 0.0)) / weight
            why = [None] * len(estimate)
        else:
            R, S, *variance = sums
            what = "odds" if measure == "OR" else "risk" if measure == "RR" else "rate"
            why = [None if one > 0 and other > 0 else _extreme(other, what) for one, other in zip(R, S)]
            estimate = np.log(R / S)
            if measure == "OR":
                pr, mixed, qs = variance
                std_error = np.sqrt(pr / (2 * R**2) + mixed / (2 * R * S) + qs / (2 * S**2))
            else:
                std_error = np.sqrt(variance[0] / (R * S))
    lost = np.array([reason is not None for reason in why], bool)
    return np.where(lost, np.nan, estimate), np.where(lost, np.nan, std_error), why


_NO_TABLES = "No study has both events and non-events: there is no odds ratio to pool."


def _extreme(S: float, what: str) -> str:
    return (
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
    effect, precision = _inverse_variance(data, measure, method)
    used = precision > 0
    squares = (effect[used] - pooled) ** 2
    weighted = precision[used] * squares if method == "Peto" else squares / data.v[used]
    return float(np.sum(weighted)), int(used.sum()) - 1


def _inverse_variance(data: CountTable, measure: str, method: str) -> tuple[Array, Array]:
    """Give each study's effect and its precision, which is 0 where it has no events or nothing else."""
    if method == "Peto":
        score, information = _peto(data)
        used = information > 0
        return np.divide(score, information, out=np.zeros_like(score), where=used), information * used
    events = data.a + data.c
    used = events > 0 if measure == "IRR" else (events > 0) & (events < data.n1 + data.n2)
    return np.where(used, data.y, 0.0), np.where(used, 1 / data.v, 0.0)


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
