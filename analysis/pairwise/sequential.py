"""Trial sequential analysis: whether evidence that was looked at again and again is enough.

The information that a meta-analysis needs is that of one trial with the same power, times 1 / (1 - D2) for
the diversity of its studies. The z statistic of the studies so far is held against bounds that keep the error
of all looks together (`analysis.pairwise.boundaries`).

References
----------
Wetterslev J, Thorlund K, Brok J, Gluud C (2008) J Clin Epidemiol 61:64-75; (2009) BMC Med Res Methodol 9:86
(D2). Wetterslev J, Jakobsen JC, Gluud C (2017) BMC Med Res Methodol 17:39 (adjusted intervals). Thorlund K et
al. (2017) User manual for trial sequential analysis, 2nd ed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp, isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from analysis.pairwise.boundaries import efficacy, wedge
from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.output import percent, significant
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

Array = np.ndarray

METHOD = "sequential"
_RATIOS = ("OR", "RR")
LOOK = (
    "studies", "n", "information_fraction", "estimate", "std_error", "z", "bound", "futility",
    "adjusted_lower", "adjusted_upper",
)  # fmt: skip
"""Quantities of a look."""


def information_size(delta: float, variance: float, alpha: float = 0.05, power: float = 0.9) -> float:
    """Participants that one trial of two arms of the same size needs.

    Parameters
    ----------
    delta : float
        Difference that is anticipated.
    variance : float
        Of one participant's outcome: sd squared of a mean, p (1 - p) of a risk, p the mean of both arms'.
    alpha : float
        Two-sided.
    power : float

    Returns
    -------
    float
        In both arms: 4 (z_(1 - alpha / 2) + z_power)^2 variance / delta^2.

    Examples
    --------
    Thorlund et al. (2010) Clin Epidemiol 2:57-66: risks 5 % and 3.75 %, alpha 1 %, power 90 %, and
    1 / (1 - 0.2) as much for heterogeneity.

    >>> from analysis.pairwise.sequential import information_size
    >>> p = (0.05 + 0.0375) / 2
    >>> round(information_size(0.0125, p * (1 - p), alpha=0.01, power=0.9) / (1 - 0.2))
    19920
    """
    return 4.0 * _standard(alpha, power) ** 2 * variance / delta**2


def _standard(alpha: float, power: float) -> float:
    """Give the expected z of the anticipated effect when all information is there."""
    return float(ndtri(1 - alpha / 2) + ndtri(power))


@dataclass(frozen=True)
class Required:
    """The information that is required, and what it was computed from.

    Attributes
    ----------
    anticipated : float
        Effect on the analysis scale.
    variance : float
        Of one participant's outcome; of one unit of information where sizes are not known.
    control_risk : float or None
        Risk in the comparator's arms together, of measures of events.
    fixed, required : float
        Participants of one trial, and of a meta-analysis of this diversity; without sizes, information
        (1 / variance).
    diversity : float
        D2, or what was said in its place.
    counted : bool
        Whether participants are counted, not information.
    """

    anticipated: float
    variance: float
    control_risk: float | None
    fixed: float
    required: float
    diversity: float
    counted: bool


@dataclass(frozen=True)
class Sequential:
    """A meta-analysis that is looked at after every year with new studies.

    Attributes
    ----------
    required : Required
    alpha, power : float
    looks : tuple of dict
        One a look: `LOOK`, year as ``item``.
    inflation : float
        By how much more information the looks take than one analysis of the same power.
    last_bound : float
        Bound of z when all that is required is there, at these looks and then: efficacy and futility meet.
    scale : {"additive", "log"}
    units : str
        What is counted: participants or animals.
    """

    required: Required
    alpha: float
    power: float
    looks: tuple[dict[str, Any], ...]
    inflation: float
    last_bound: float
    scale: str
    units: str

    @property
    def crossed(self) -> dict[str, Any] | None:
        """First look beyond the bound of efficacy."""
        return next((look for look in self.looks if abs(look["z"]) > _number(look["bound"])), None)

    @property
    def futile(self) -> dict[str, Any] | None:
        """Last look, where it is within the wedge of futility, whose bounds are not binding."""
        last = self.looks[-1]
        return last if abs(last["z"]) < (last["futility"] or 0.0) else None

    @property
    def reached(self) -> dict[str, Any] | None:
        """First look with all the information that is required."""
        return next((look for look in self.looks if look["information_fraction"] >= 1), None)

    def sentence(self) -> str:
        """Say what may be concluded, with the look at which it could be."""
        last = self.looks[-1]
        share = percent(min(last["information_fraction"], 9.99), 0)
        if self.required.counted:
            size = f"{self.required.required:,.0f} {self.units}"
        else:
            size = f"an information of {significant(self.required.required)}"
        conventional = float(ndtri(1 - self.alpha / 2))
        if look := self.crossed:
            return (
                f"the monitoring bound was crossed in {look['item']} (z {look['z']:.2f}, bound "
                f"{look['bound']:.2f}): an effect is shown, however often it was looked; {share} of the "
                f"required {size} are there"
            )
        if look := self.futile:
            return (
                f"the bound of futility is crossed in {look['item']} (z {look['z']:.2f}, bound "
                f"{look['futility']:.2f}): an effect of {self._anticipated()} is unlikely to be shown; "
                f"{share} of the required {size} are there"
            )
        if look := self.reached:
            return (
                f"the required {size} were there in {look['item']}, and no bound was crossed: an effect of "
                f"{self._anticipated()} is not shown"
            )
        beyond = abs(last["z"]) > conventional
        so = (
            "the conventional bound is crossed, that for repeated looks is not: too early to conclude"
            if beyond
            else "no bound is crossed: too early to conclude"
        )
        return f"{share} of the required {size} are there, and {so} (z {last['z']:.2f})"

    def _anticipated(self) -> str:
        value = self.required.anticipated
        return significant(exp(value) if self.scale == "log" else value)

    def frame(self) -> pd.DataFrame:
        """Tabulate as rows of the frame sensitivity: what was required, each look, and the conclusion."""
        required = self.required
        plan = {
            "anticipated_effect": required.anticipated,
            "alpha": self.alpha,
            "power": self.power,
            "control_risk": required.control_risk,
            "variance": required.variance,
            "diversity": required.diversity,
            "information_fixed": required.fixed,
            "information_required": required.required,
            "inflation": self.inflation,
            "last_bound": self.last_bound,
            "looks": float(len(self.looks)),
        }
        rows = list(_rows("required", plan, None))
        for look in self.looks:
            rows += _rows(str(look["item"]), {name: look[name] for name in LOOK}, None)
        state = {"crossed": self.crossed is not None, "futile": self.futile is not None}
        state["reached"] = self.reached is not None
        return frame("sensitivity", [*rows, *_rows("conclusion", state, self.sentence())])


def _number(value: float | None) -> float:
    return float("inf") if value is None else value


def _rows(item: str, values: dict[str, Any], note: str | None) -> Iterator[dict[str, Any]]:
    for quantity, value in values.items():
        if value is not None and isfinite(value):
            yield {
                "engine": "frequentist",
                "model": "random",
                "method": METHOD,
                "item": item,
                "quantity": quantity,
                "value": float(value),
                "note": note,
            }


def sequential(
    fit: PairwiseFit,
    anticipated: float,
    *,
    alpha: float = 0.05,
    power: float = 0.9,
    diversity: float | None = None,
) -> Sequential:
    """Look at a meta-analysis after every year with new studies, with bounds for looking repeatedly.

    Parameters
    ----------
    fit : PairwiseFit
        Its random-effects model, by inverse variance, with the estimator of tau2 that it was given.
    anticipated : float
        Effect worth finding: a ratio of ratio measures (0.8), else in the unit of the effect.
    alpha : float
        Two-sided error of all looks together.
    power : float
    diversity : float, optional
        In place of D2, 1 less the ratio of the common to the random-effects variance of the pooled effect.

    Returns
    -------
    Sequential

    Raises
    ------
    CallError
        If a number makes no sense.
    RefusedError
        If a study has no year.
    """
    delta = _on_scale(fit, anticipated)
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise CallError(f"{name} is {value:g}; it lies between 0 and 1.")
    if not alpha < power:
        raise CallError(f"With a power of {power:g}, alpha {alpha:g} or less, nothing is to be found.")
    if diversity is not None and not 0 <= diversity < 1:
        raise CallError(f"diversity is {diversity:g}; it is 0 or more, and below 1.")
    years, sizes = _years(fit), _sizes(fit)
    required = _required(fit, delta, sizes, alpha, power, diversity)
    looks = list(_looks(fit, years, sizes, required))
    shares = [look["information_fraction"] for look in looks]
    bounds, inner = efficacy(shares, alpha), wedge(shares, alpha, 1 - power)
    for look, bound, lower in zip(looks, bounds, inner.lower, strict=True):
        look["bound"] = float(bound) if isfinite(bound) else None
        look["futility"] = float(lower) if isfinite(lower) else None
        half = float(bound) * look["std_error"]
        look["adjusted_lower"] = look["estimate"] - half if isfinite(half) else None
        look["adjusted_upper"] = look["estimate"] + half if isfinite(half) else None
    units = fit.contrasts.review.units(fit.studies)
    before = [share for share in shares if share < 1]
    last = float(efficacy([*before, 1.0], alpha)[-1])
    return Sequential(required, alpha, power, tuple(looks), inner.inflation, last, fit.contrasts.scale, units)


def _on_scale(fit: PairwiseFit, anticipated: float) -> float:
    """Bring the anticipated effect to the analysis scale."""
    if fit.contrasts.scale == "log":
        if not (anticipated > 0 and anticipated != 1 and isfinite(anticipated)):
            raise CallError(f"anticipated_effect is {anticipated:g}; of a ratio it is above 0, and not 1.")
        return log(anticipated)
    if not isfinite(anticipated) or anticipated == 0:
        raise CallError(f"anticipated_effect is {anticipated:g}; an effect worth finding is not 0.")
    return anticipated


def _years(fit: PairwiseFit) -> Array:
    """Year of each study, (studies,)."""
    values = fit.variable("year").to_numpy(dtype=float)
    found = np.full(len(fit.studies), np.nan)
    found[fit.study_of_contrast] = values
    if np.isnan(found).any():
        missing = ", ".join(np.array(fit.studies)[np.isnan(found)])
        raise RefusedError(
            f"Studies without a year: {missing}. Fill it in: it says when they could be looked at."
        )
    return found


def _sizes(fit: PairwiseFit) -> Array | None:
    """Participants of each study, each arm once; None where one does not say."""
    arms: list[dict[tuple[str, str], float]] = [{} for _ in fit.studies]
    rows = records(fit.assembly.contrasts.frame)
    for study, row in zip(fit.study_of_contrast, rows, strict=True):
        for side in "ab":
            value = row[f"n_{side}"]
            arms[int(study)][row["experiment"], row[f"arm_{side}"]] = float("nan") if value is None else value
    found = np.array([sum(of.values()) for of in arms])
    return found if np.isfinite(found).all() else None


def _required(
    fit: PairwiseFit, delta: float, sizes: Array | None, alpha: float, power: float, diversity: float | None
) -> Required:
    """Find how much information is needed for an effect on the analysis scale."""
    common, random = fit.inverse_variance.common_solution, fit.inverse_variance.random_solution
    v = float(common.covariance[0, 0])
    if diversity is None:
        diversity = max(0.0, 1 - v / float(random.covariance[0, 0]))
    risk = _control_risk(fit) if fit.contrasts.measure in (*_RATIOS, "RD") else None
    if sizes is None:
        fixed = _standard(alpha, power) ** 2 / delta**2
        variance = 1.0
    elif risk is None:
        # What the studies show of one participant: their sizes times the variance of all of them together.
        variance = float(sizes.sum()) * v / 4
        fixed = information_size(delta, variance, alpha, power)
    else:
        other = _risk_at(fit.contrasts.measure, risk, delta)
        mean = (risk + other) / 2
        variance = mean * (1 - mean)
        fixed = information_size(risk - other, variance, alpha, power)
    return Required(delta, variance, risk, fixed, fixed / (1 - diversity), diversity, sizes is not None)


def _control_risk(fit: PairwiseFit) -> float | None:
    """Risk in the comparator's arms together; None where events are not known."""
    arms: dict[tuple[Any, ...], tuple[float, float]] = {}
    for row in records(fit.assembly.contrasts.frame):
        if row.get("events_b") is None or row.get("n_b") is None:
            return None
        arms[row["study"], row["experiment"], row["arm_b"]] = (row["events_b"], row["n_b"])
    events, n = (sum(of) for of in zip(*arms.values(), strict=True))
    return events / n if 0 < events < n else None


def _risk_at(measure: str, risk: float, delta: float) -> float:
    """Risk under treatment where the comparator's is `risk`."""
    if measure == "OR":
        odds = risk / (1 - risk) * exp(delta)
        other = odds / (1 + odds)
    else:
        other = risk * exp(delta) if measure == "RR" else risk + delta
    if not 0 < other < 1:
        raise CallError(
            f"At a risk of {risk:.3g}, that of the comparator's arms, such an effect gives no risk."
        )
    return other


def _looks(
    fit: PairwiseFit, years: Array, sizes: Array | None, required: Required
) -> Iterator[dict[str, Any]]:
    """Pool the studies up to each year."""
    from analysis.pairwise.pooling import InverseVariance

    of_rows = years[fit.rows.study]
    for year in np.unique(years):
        rows = fit.rows.take(of_rows <= year)
        part = InverseVariance(replace(fit.assembly, rows=rows), fit.options, fit.contrasts.measure)
        solution = part.random_solution
        estimate, error = float(solution.beta[0]), float(np.sqrt(solution.covariance[0, 0]))
        n = None if sizes is None else float(sizes[years <= year].sum())
        # Without sizes it is the information of the common effect: the diversity is in what is required.
        have = 1 / float(part.common_solution.covariance[0, 0]) if n is None else n
        yield {
            "item": f"{year:.0f}",
            "studies": int((years <= year).sum()),
            "n": n,
            "information_fraction": have / required.required,
            "estimate": estimate,
            "std_error": error,
            "z": estimate / error,
        }
