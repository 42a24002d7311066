"""Frequentist network meta-analysis: generalised least squares, common and random effects."""

from __future__ import annotations

import numpy as np

from analysis.network.data.network import Network
from analysis.network.frequentist.fitted import DRAWS, FrequentistFit
from analysis.network.frequentist.remarks import NO_TAU
from analysis.network.model.gls import ESTIMATORS, Gls
from analysis.network.model.specification import effect_scale, refuse_absurd, unit_of
from analysis.proportion import refuse_beyond
from evidence.errors import CallError, RefusedError


def fit(
    net: Network,
    *,
    model: str = "both",
    tau2: str | float = "REML",
    tau: float | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> FrequentistFit:
    """Fit a network by generalised least squares.

    Multi-arm studies enter with their full covariance; random effects of one study have correlation 1/2. The
    work is linear in the number of studies.

    REML and ML maximise the likelihood of the studies' contrasts with that covariance, as metafor's
    ``rma.mv`` does; netmeta's REML, which takes multi-arm studies apart into weighted pairs, finds other
    values where there are such studies.

    Parameters
    ----------
    net : Network
    model : {"both", "common", "random"}
    tau2 : {"REML", "DL", "ML"} or float
        Estimator of the heterogeneity variance: restricted maximum likelihood, the generalised moment
        estimator of DerSimonian and Laird (netmeta's default), maximum likelihood; or its value.
    tau : float, optional
        Heterogeneity standard deviation to use instead of an estimate, on the analysis scale.
    draws, seed : int
        Of the rank probabilities; everything else is exact.

    Returns
    -------
    FrequentistFit

    Raises
    ------
    CallError
        If the estimator is not known, or tau or tau2 is negative.
    RefusedError
        If only the random-effects model is asked for and its heterogeneity cannot be estimated.
    """
    if not isinstance(tau2, str):
        if not (np.isfinite(tau2) and tau2 >= 0):
            raise CallError(f"tau2 is a variance, 0 or more; not {tau2!r}.")
        tau = float(np.sqrt(tau2))
        if tau > 0:
            refuse_beyond(f"tau2 = {tau2:g}, a tau of {tau:g}", tau, effect_scale(net), unit_of(net))
        tau2 = "REML"
    method = next((name for name in ESTIMATORS if name == tau2.upper()), None)
    if method is None:
        raise CallError(
            f"There is no estimator {tau2!r} of tau2 for networks; there are {', '.join(ESTIMATORS)}."
        )
    if tau is not None and not (np.isfinite(tau) and tau >= 0):
        raise CallError(f"tau is a standard deviation, 0 or more; not {tau!r}.")
    if draws < 1:
        raise CallError(f"draws is {draws}; there must be at least 1.")
    refuse_absurd(net, tau=None if tau is None else float(tau))
    models = ("common", "random") if model == "both" else (model,)
    gls = Gls.of(net)
    between = np.nan
    if "random" in models:
        between = ESTIMATORS[method](gls) if tau is None else float(tau) ** 2
        if not np.isfinite(between) and gls.degrees_of_freedom() > 0:
            raise RefusedError(
                "The studies' precisions differ too much for the moment estimator of tau2 (DL); REML holds."
            )
        if models == ("random",) and not np.isfinite(between):
            raise RefusedError(NO_TAU)
    return FrequentistFit(net, models, gls, method if tau is None else "given", between, draws, seed)
