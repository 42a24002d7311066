"""What an engine owes: numbers in arrays, from which `analysis.network.tables` makes every table.

A field that is None, or NaN in an array, is an empty cell. Treatments are indices into `Network.treatments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any

import numpy as np

from analysis.network.data.network import Array


@dataclass(frozen=True)
class Effects:
    """Effects of m pairs of treatments, (m,) arrays on the analysis scale; intervals are 95 %.

    Attributes
    ----------
    estimate, std_error, ci_lower, ci_upper, p_value : (m,) array
    pi_lower, pi_upper : (m,) array or None
        Of the effect in a new study.
    """

    estimate: Array
    std_error: Array
    ci_lower: Array
    ci_upper: Array
    p_value: Array
    pi_lower: Array | None = None
    pi_upper: Array | None = None

    @classmethod
    def blank(cls, m: int) -> Effects:
        """Give no number for any of m pairs."""
        return cls(*(np.full(m, nan) for _ in range(5)))

    def where(self, known: Array) -> Effects:
        """Keep the numbers of some pairs, (m,) bool array."""
        return replace(self, **{name: np.where(known, value, nan) for name, value in filled(self).items()})


@dataclass(frozen=True)
class Response:
    """How the effects of a model answer to what studies found, the heterogeneity held as it is.

    Given the heterogeneity (or its posterior) estimates are linear in the studies' effects.

    Attributes
    ----------
    effect : (T,) array
        Of the treatments against the reference.
    rows : (T, n) array
        Change of each for one unit of a rotated row, in the order of `model.rows.block_rows`.
    low, high : (E,) int arrays
        Treatments that studies compare, ``low < high``; ascending.
    pairs : (T, E) array
        Change of each effect for one unit more in all that studies say of high minus low.
    """

    effect: Array
    rows: Array
    low: Array
    high: Array
    pairs: Array


@dataclass(frozen=True)
class TauEstimate:
    """Heterogeneity of one model, and the I2, H2 and Q of the network where the engine has them."""

    method: str | None = None
    tau: float | None = None
    tau_lower: float | None = None
    tau_upper: float | None = None
    tau2: float | None = None
    tau2_lower: float | None = None
    tau2_upper: float | None = None
    i2: float | None = None
    i2_lower: float | None = None
    i2_upper: float | None = None
    h2: float | None = None
    q: float | None = None
    df: int | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class TauSummary:
    """Posterior of the heterogeneity in numbers."""

    mean: float
    sd: float
    median: float
    lower: float
    upper: float

    def estimate(self, method: str) -> TauEstimate:
        """Take the median for the estimate; tau2 and its limits are the squares of those of tau."""
        tau = self.median, self.lower, self.upper
        return TauEstimate(method, *tau, self.median**2, self.lower**2, self.upper**2)


@dataclass(frozen=True)
class Ranks:
    """Ranks of r treatments; rank 1 is the best.

    Attributes
    ----------
    treatment : (r,) int array
        Those that are ranked, ascending.
    sucra : (r,) array
        0 (certainly the worst) to 1 (certainly the best).
    probability : (r, r) array
        Treatment by rank.
    draws : int
        Independent draws that these probabilities are as good as.
    order : (r,) int array
        Positions in the order in which the table ``ranking`` lists them.
    """

    treatment: Array
    sucra: Array
    probability: Array
    draws: int
    order: Array


@dataclass(frozen=True)
class LeftOut:
    """Effects of c pairs of treatments, and the heterogeneity, without each of s studies.

    Attributes
    ----------
    study : (s,) int array
        Number of the study left out (see `analysis.network.data.deletion.study_numbers`).
    estimate, std_error, ci_lower, ci_upper : (s, c) array
    tau : (s,) array
    note : (s, c) array of str or None
        Why there is no number, or what is wrong with it.
    i2, q : (s,) array or None
    """

    study: Array
    estimate: Array
    std_error: Array
    ci_lower: Array
    ci_upper: Array
    tau: Array
    note: Array
    i2: Array | None = None
    q: Array | None = None

    @classmethod
    def one(
        cls,
        study: int,
        found: Effects,
        tau: float,
        note: Array,
        i2: float | None = None,
        q: float | None = None,
    ) -> LeftOut:
        """Take the effects of c pairs without one study, and (c,) notes."""
        return cls(
            np.array([study]),
            found.estimate[None],
            found.std_error[None],
            found.ci_lower[None],
            found.ci_upper[None],
            np.array([tau]),
            note[None],
            None if i2 is None else np.array([i2]),
            None if q is None else np.array([q]),
        )

    def take(self, rows: Array) -> LeftOut:
        """Keep some studies, by their places."""
        return LeftOut(**{name: value[rows] for name, value in filled(self).items()})

    @classmethod
    def woven(cls, parts: Sequence[LeftOut]) -> LeftOut:
        """Put several of the same studies together, study by study."""
        columns = {
            name: np.stack([getattr(part, name) for part in parts], axis=1) for name in filled(parts[0])
        }
        return cls(**{name: value.reshape(-1, *value.shape[2:]) for name, value in columns.items()})

    def lacking(self, lost: Array, why: str) -> LeftOut:
        """Take numbers away, (s, c) bool array, and say why."""
        names = ("estimate", "std_error", "ci_lower", "ci_upper")
        numbers = {name: np.where(lost, nan, getattr(self, name)) for name in names}
        return replace(self, note=np.where(lost, why, self.note), **numbers)


@dataclass(frozen=True)
class SplitSummary:
    """Direct against indirect evidence on one comparison, ``second minus first``.

    Attributes
    ----------
    first, second : int
    note : str or None
        Why there is no number, or what is to be said of it.
    component : str or None
        Name of the comparison, where the method has one.
    """

    first: int
    second: int
    direct: float | None = None
    direct_std_error: float | None = None
    indirect: float | None = None
    indirect_std_error: float | None = None
    difference: float | None = None
    difference_std_error: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    proportion_direct: float | None = None
    p_value: float | None = None
    note: str | None = None
    component: str | None = None

    @classmethod
    def of(cls, first: int, second: int, found: Effects, note: str | None) -> SplitSummary:
        """Take three effects: direct, indirect, and their difference with its interval."""
        direct, indirect, difference = found.estimate.tolist()
        errors = found.std_error.tolist()
        return cls(
            first,
            second,
            direct,
            errors[0],
            indirect,
            errors[1],
            difference,
            errors[2],
            ci_lower=float(found.ci_lower[2]),
            ci_upper=float(found.ci_upper[2]),
            p_value=float(found.p_value[2]),
            note=note,
        )


@dataclass(frozen=True)
class Unrelated:
    """The model in which every comparison that studies make has an effect of its own.

    Attributes
    ----------
    note : str
        The two models set against each other, in words.
    dic_difference : float or None
        DIC with consistency less that without.
    first, second : (c,) int arrays
        Comparisons, ``second minus first``.
    estimate, std_error : (c,) arrays
        NaN where the data do not determine the effect.
    """

    note: str
    dic_difference: float | None = None
    first: Array = field(default_factory=lambda: np.zeros(0, dtype=int))
    second: Array = field(default_factory=lambda: np.zeros(0, dtype=int))
    estimate: Array = field(default_factory=lambda: np.zeros(0))
    std_error: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class QTest:
    """A part of Cochran's Q, or a test of it: a row of ``inconsistency``."""

    method: str
    component: str
    q: float
    df: int
    p_value: float
    note: str


@dataclass(frozen=True)
class Shares:
    """Shares of comparisons within studies in the precision of estimates, where there is any.

    Attributes
    ----------
    pair : (n,) int array
        Position of the estimate among the pairs asked for.
    comparison : (n,) int array
        Position in `analysis.network.data.graph.comparisons`.
    weight : (n,) array
    """

    pair: Array
    comparison: Array
    weight: Array


@dataclass(frozen=True)
class Statistic:
    """A measure of fit: of the whole model, or of one study."""

    quantity: str
    value: float
    note: str | None = None
    study: str | None = None


@dataclass(frozen=True)
class ByStudy:
    """A measure of fit of every study.

    Attributes
    ----------
    quantity : str
    study : list of str
    value : (s,) array
    """

    quantity: str
    study: list[str]
    value: Array


@dataclass(frozen=True)
class Diagnostic:
    """How far the computation of one parameter can be trusted."""

    parameter: str
    rhat: float | None = None
    ess_bulk: float | None = None
    ess_tail: float | None = None
    mcse: float | None = None
    divergences: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class SensitivityRow:
    """One number of a sensitivity analysis: of what, under which change."""

    model: str
    method: str
    item: str
    quantity: str
    value: float
    note: str | None = None


@dataclass(frozen=True)
class NamedEffects:
    """Coefficients beside the treatments' effects: slopes, or means of classes.

    Attributes
    ----------
    treatment : sequence of str
        Whose effect they are, or change, in words.
    subgroup, level : sequence of str
        The covariate or class, and what of it.
    effects : Effects
    """

    treatment: Sequence[str]
    subgroup: Sequence[str]
    level: Sequence[str]
    effects: Effects


def filled(record: object) -> dict[str, Any]:
    """Fields of one of these classes that are not None."""
    return {name: value for name, value in vars(record).items() if value is not None}
