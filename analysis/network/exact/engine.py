"""Exact Bayesian network meta-analysis for normal likelihoods.

Given the heterogeneity tau everything is normal and integrates in closed form; tau is integrated by
quadrature with its own error control. Nothing is sampled but the rank probabilities. Leaving studies out,
splitting nodes and most of what else is asked of a fit follow from the one fit by algebra.

The model: contrasts y_i ~ N(delta_i, S_i), study effects delta_i ~ N(X_i d, tau2 R) with R = (I + J) / 2,
that is between-arm covariance tau2 / 2 (Higgins and Whitehead 1996), effects d ~ N(0, effect_prior_sd^2)
against the reference. The common-effect model has tau = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from analysis.network.data.network import Network
from analysis.network.exact.fitted import ExactFit
from analysis.network.model import priors
from analysis.network.model.specification import (
    Regression,
    Specification,
    effect_scale,
    refuse_absurd,
    refuse_disconnected,
    rotated_data,
)
from evidence.errors import CallError


def fit(
    net: Network,
    *,
    model: str = "both",
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    tau: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    covariates: Sequence[str] = (),
    slopes: str = "common",
    centre: Mapping[str, float] | None = None,
    slope_prior_sd: Mapping[str, float] | None = None,
    seed: int = 1,
    draws: int = 20_000,
    nodes: int = 64,
) -> ExactFit:
    """Fit the normal model exactly.

    Parameters
    ----------
    net : Network
        Connected.
    model : {"both", "common", "random"}
    tau_prior : str or Prior, optional
        Prior of the heterogeneity, in the outcome's unit; see `analysis.network.model.priors.parse`. Without
        it uniform(0, u), u the largest effect observed in any study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each treatment's effect against the reference; infinity for
        a flat prior. Without it 15 u, as in gemtc.
    tau : float, optional
        Take the heterogeneity as known in the random-effects model.
    baseline_prior : (float, float), optional
        Mean and standard deviation of a normal prior of every study's mean in its base arm: fits arm means
        instead of contrasts. Without it baselines are flat.
    covariates : sequence of str
        Columns of `net.covariates` for meta-regression. Numbers are centred at their mean over the units of
        randomisation, text becomes an indicator of every level but the most frequent.
    slopes : {"common", "by_treatment"}
        One slope shared by all treatments against the reference, or one for each.
    centre : mapping of str to float, optional
        Other values to centre numeric covariates at.
    slope_prior_sd : mapping of str to float, optional
        Prior standard deviation of a slope, by covariate. Without it, that of the effects over the
        covariate's standard deviation.
    seed, draws : int
        Seed and number of the draws behind rank probabilities.
    nodes : int
        Quadrature nodes to begin with; more are taken until the error is below 1e-8 posterior standard
        deviations.

    Returns
    -------
    ExactFit

    Raises
    ------
    CallError
        If an option is not known, or contradicts another.
    RefusedError
        If the network is not connected, a covariate is missing for some studies, or data and flat priors
        together do not determine the effects.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if slopes not in ("common", "by_treatment"):
        raise CallError(f"slopes {slopes!r} is not one of common, by_treatment.")
    if effect_prior_sd is not None and not effect_prior_sd > 0:
        raise CallError(f"effect_prior_sd is {effect_prior_sd:g}; a standard deviation is above 0.")
    if tau is not None and (tau_prior is not None or not 0 <= tau < inf):
        raise CallError("tau is either taken as known (a number, 0 or more) or given a prior, not both.")
    if draws < 1 or nodes < 8:
        raise CallError("There must be at least 1 draw and 8 quadrature nodes.")
    refuse_disconnected(net)
    models = ("common", "random") if model == "both" else (model,)
    scale = effect_scale(net)
    effect_sd = 15.0 * scale if effect_prior_sd is None else float(effect_prior_sd)
    assumed = ["effects"] if effect_prior_sd is None else []
    if "random" in models and tau_prior is None and tau is None:
        assumed.insert(0, "tau")
    prior = priors.Uniform(upper=scale) if tau_prior is None else priors.parse(tau_prior)
    of_tau = prior if "random" in models and tau is None else None
    baseline_sd = None if baseline_prior is None else float(baseline_prior[1])
    refuse_absurd(
        net, tau_prior=of_tau, effect_prior_sd=effect_sd, baseline_prior=baseline_sd,
        tau=None if tau is None else float(tau),
    )  # fmt: skip
    regression = None
    if covariates:
        regression = Regression.of(
            net,
            covariates,
            by_treatment=slopes == "by_treatment",
            effect_sd=effect_sd,
            centre=centre or {},
            slope_sd=slope_prior_sd or {},
        )
    specification = Specification(
        len(net.treatments),
        prior,
        effect_sd,
        tau=tau,
        regression=regression,
        nodes=nodes,
        baseline=baseline_prior,
        assumed=tuple(assumed),
    )
    blocks = rotated_data(net, baseline_prior)
    rows = specification.rows(blocks)
    posteriors = {name: specification.integrated(rows, name) for name in models}
    return ExactFit(net, models, specification, blocks, posteriors, seed, draws)
