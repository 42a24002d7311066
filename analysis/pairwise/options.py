"""What can be asked of a pairwise meta-analysis, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from analysis.pairwise.data.assembly import DEPENDENCE, SHARED
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.inference import INTERVALS, PREDICTIONS
from evidence import facts
from evidence.errors import CallError
from evidence.names import nearest

METHODS: dict[str, str] = {
    name: f"{method.label} ({', '.join(method.measures)})" if method.measures else method.label
    for name, method in facts.pooling_methods().items()
}
"""How studies are put together, by name."""

TABLES = tuple(name for name, method in facts.pooling_methods().items() if method.rests_on == "tables")
"""Methods that pool the events of all tables for the common effect."""

LIKELIHOODS = tuple(
    name for name, method in facts.pooling_methods().items() if method.rests_on == "likelihood"
)
"""Methods on the likelihood of counts."""


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
    dependence : str
        What is done about several effects of one study, see `assembly.DEPENDENCE`.
    by : str or None
        Variable of the subgroups.
    separate_tau2 : bool
        Whether each subgroup has its own between-study variance.
    tau2_interval : str
        Interval of the between-study variance, see `tau2.INTERVALS`.
    """

    tau2: str | float = "REML"
    ci: str = "HK"
    prediction: str = "HK"
    shared: str = "covariance"
    method: str = "inverse_variance"
    dependence: str = "combine"
    by: str | None = None
    separate_tau2: bool = True
    tau2_interval: str = "QP"

    @classmethod
    def read(
        cls,
        *,
        tau2: str | float = "REML",
        ci: str = "HK",
        prediction: str | None = None,
        shared: str = "covariance",
        method: str = "inverse_variance",
        dependence: str | None = None,
        by: str | None = None,
        separate_tau2: bool = True,
        tau2_interval: str = "QP",
    ) -> Self:
        """Check what was asked for, and fill in what follows from it.

        Raises
        ------
        CallError
            If something is not known, or does not go together.
        """
        chosen_ci, chosen_method = option("ci", ci, INTERVALS), option("method", method, METHODS)
        chosen_ci, chosen_method, chosen_dependence = _dependence(dependence, chosen_ci, chosen_method)
        if by is not None and not separate_tau2 and chosen_method in (*LIKELIHOODS, "multilevel"):
            raise CallError(
                f"One tau2 for all subgroups needs inverse variance; method {chosen_method!r} fits each "
                "subgroup apart."
            )
        return cls(
            tau2=_tau2(tau2),
            ci=chosen_ci,
            prediction=prediction_after(prediction, chosen_ci, chosen_method),
            shared=option("shared", shared, SHARED),
            method=chosen_method,
            dependence=chosen_dependence,
            by=by,
            separate_tau2=separate_tau2,
            tau2_interval=option("tau2_interval", tau2_interval, between_studies.INTERVALS),
        )

    @property
    def tau2_method(self) -> str:
        """Printed name of the estimator."""
        return self.tau2 if isinstance(self.tau2, str) else "given"


def option(name: str, value: str, known: Mapping[str, Any]) -> str:
    """Return an option in its own spelling, however its letters were typed.

    Raises
    ------
    CallError
        If it is not known; names the nearest, and all.
    """
    plain = str(value).replace("_", "").replace("-", "").casefold()
    for item in known:
        if item.replace("_", "").replace("-", "").casefold() == plain:
            return item
    close = nearest(str(value), list(known))
    hint = f" Did you mean {close!r}?" if close else ""
    raise CallError(f"There is no {name} {value!r}.{hint} There are: {', '.join(known)}.")


def _dependence(value: str | None, ci: str, method: str) -> tuple[str, str, str]:
    """Interval, method and dependence that go together: three levels and CR2 can be asked for either way."""
    if value is None:
        chosen = "multilevel" if method == "multilevel" else "CR2" if ci == "CR2" else "combine"
        return ci, method, chosen
    chosen = option("dependence", value, DEPENDENCE)
    if chosen == "multilevel" and method in ("inverse_variance", "multilevel"):
        return ci, "multilevel", chosen
    if chosen == "CR2" and ci in ("HK", "CR2"):
        return "CR2", method, chosen
    if chosen == "combine" and method != "multilevel":
        return ci, method, chosen
    if chosen == "independent" and method != "multilevel" and ci != "CR2":
        return ci, method, chosen
    raise CallError(f"dependence {chosen!r} does not go with method {method!r} and ci {ci!r}.")


def _tau2(value: str | float) -> str | float:
    if isinstance(value, str):
        return option("tau2", value, between_studies.METHODS)
    if not (np.isfinite(value) and value >= 0):
        raise CallError(f"tau2 = {value!r} is no variance: give an estimator's name or a number not below 0.")
    return float(value)


def prediction_after(value: str | None, ci: str, method: str) -> str:
    """Give the prediction interval asked for, or the one that belongs to an interval and a method."""
    # Likelihoods and three levels have no Hartung-Knapp factor: only rows of known variances do.
    has_factor = method not in (*LIKELIHOODS, "multilevel")
    after_hk = ci.startswith("HK") and has_factor
    if value is None:
        return "HK" if after_hk else "V"
    if value.casefold() == "metafor":
        return "HK" if after_hk else "S"
    chosen = option("prediction", value, PREDICTIONS)
    if chosen.startswith("HK") and not has_factor:
        raise CallError(
            f"prediction {chosen!r} rests on a Hartung-Knapp standard error, which method {method!r} does "
            "not have: choose V, HTS or S."
        )
    return chosen
