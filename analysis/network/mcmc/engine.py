"""Network meta-analysis by Markov chain Monte Carlo in PyMC.

For what the other engines do not take: effects exchangeable within classes, exchangeable baselines,
meta-regression of counts, and as their check. Normal likelihoods are sampled with the study effects
integrated out, ``y ~ normal(X d, 1 + tau2 theta)`` on scalar rows (`analysis.network.model.rows`), so that no
multivariate normal is needed; counts with study effects non-centred, by R^(1/2) in closed form.

Four chains run until they have converged, or say that they did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite

from analysis.network.data.network import Network
from analysis.network.mcmc.chains import require_pymc
from analysis.network.mcmc.convergence import CRITERIA
from analysis.network.mcmc.data import Structure, chain_data, observations
from analysis.network.mcmc.fitted import McmcFit
from analysis.network.mcmc.posterior import Length, sample
from analysis.network.model import priors
from analysis.network.model.specification import Regression, effect_scale, refuse_absurd, refuse_disconnected
from analysis.network.sampled import specify
from evidence.errors import CallError


def fit(
    net: Network,
    *,
    model: str = "both",
    likelihood: str | None = None,
    link: str | None = None,
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    baseline_sd_prior: str | priors.Prior | None = None,
    classes: Mapping[str, str] | None = None,
    class_sd_prior: str | priors.Prior | None = None,
    covariates: Sequence[str] = (),
    slopes: str = "common",
    centre: Mapping[str, float] | None = None,
    slope_prior_sd: Mapping[str, float] | None = None,
    seed: int = 1,
    draws: int = 1000,
    tune: int = 1000,
    max_draws: int = 8000,
    criterion: str = "rank-normalised",
) -> McmcFit:
    """Fit by Markov chain Monte Carlo.

    Parameters
    ----------
    net : Network
    model : {"both", "common", "random"}
    likelihood : {"normal", "binomial", "poisson"}, optional
        Without it that of the counts where the network has counts for its measure, else normal.
    link : {"logit", "log", "cloglog"}, optional
        Of counts, as in `analysis.network.counts.fit`.
    tau_prior : str or Prior, optional
        See `analysis.network.model.priors.parse`. Without it uniform(0, u), u the largest effect observed in
        any study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each effect against the reference. Without it 15 u.
    baseline_prior : (float, float), optional
        Mean and standard deviation of the normal prior of every study's baseline, on the link scale; for
        normal likelihoods this asks for means of arms instead of contrasts.
    baseline_sd_prior : str or Prior, optional
        Makes baselines exchangeable: normal around a common mean, which has `baseline_prior`, with a standard
        deviation that has this prior (Dias et al. 2013, NICE DSU TSD 5).
    classes : mapping of str to str, optional
        Class of treatments whose effects against the reference are exchangeable: normal around the class's
        mean. Treatments that are not mentioned keep effects of their own.
    class_sd_prior : str or Prior, optional
        Prior of the standard deviation within classes, shared by them; without it that of tau.
    covariates, slopes, centre, slope_prior_sd
        Meta-regression, as in `analysis.network.exact.fit`.
    seed : int
    draws, tune : int
        Kept and discarded iterations of each of four chains, to begin with.
    max_draws : int
        Chains that have not converged start again twice as long, up to so many kept iterations each.
    criterion : {"rank-normalised", "psrf"}
        R-hat up to 1.01 and effective sample sizes of 400, or the model review's 1.05 of the potential scale
        reduction factor.

    Returns
    -------
    McmcFit

    Raises
    ------
    CallError
        If an option is not known, or contradicts another.
    RefusedError
        If PyMC is not installed, the network is not connected, or the data lack what the likelihood needs.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if slopes not in ("common", "by_treatment"):
        raise CallError(f"slopes {slopes!r} is not one of common, by_treatment.")
    if criterion not in CRITERIA:
        raise CallError(f"criterion {criterion!r} is not one of {', '.join(CRITERIA)}.")
    if min(draws, tune) < 100 or max_draws < draws:
        raise CallError("draws and tune are 100 or more, max_draws no less than draws.")
    if baseline_prior is not None and not (isfinite(baseline_prior[0]) and 0 < baseline_prior[1] < inf):
        raise CallError(
            f"baseline_prior is {baseline_prior}; it takes a mean and a standard deviation above 0."
        )
    require_pymc()
    refuse_disconnected(net)
    refuse_absurd(net, baseline_prior=None if baseline_prior is None else float(baseline_prior[1]))
    net, data = observations(net, likelihood, link, baseline_prior, baseline_sd_prior)
    models = ("common", "random") if model == "both" else (model,)
    specification = specify(net, models, tau_prior, effect_prior_sd)
    if covariates:
        regression = Regression.of(
            net,
            covariates,
            by_treatment=slopes == "by_treatment",
            effect_sd=specification.effect_sd,
            centre=centre or {},
            slope_sd=slope_prior_sd or {},
        )
        specification = replace(specification, regression=regression)
    if unknown := sorted(set(classes or {}) - set(net.treatments[1:])):
        raise CallError(
            f"classes names {', '.join(unknown)}; classes are of {', '.join(net.treatments[1:])}."
        )
    structure = Structure(
        data.baseline or (data.middle, 15.0 * effect_scale(net)),
        None if baseline_sd_prior is None else priors.parse(baseline_sd_prior),
        {net.treatments.index(t) - 1: name for t, name in (classes or {}).items()},
        specification.prior if class_sd_prior is None else priors.parse(class_sd_prior),
    )
    length = Length(seed, draws, tune, max_draws, criterion)
    design = data.design(specification)
    posteriors = {
        name: sample(chain_data(data, design, specification, structure, name), length, design)
        for name in models
    }
    return McmcFit(net, models, specification, structure, data, posteriors, length)
