"""Bayesian network meta-analysis of counts, by quadrature and importance sampling instead of a Markov chain.

`analysis.network.counts.posterior` has the method. A Pareto shape of the weights of 0.5 or more, or an
effective sample size below a tenth of the draws, means refusal.

The model is the generalised linear model of Dias et al. (2013, doi:10.1177/0272989X12458724) on arms, with
between-arm covariance tau2 / 2.
"""

from __future__ import annotations

from math import inf, isfinite, log, log2

import numpy as np

from analysis.network.counts.fitted import CountsFit
from analysis.network.counts.posterior import (
    KEPT,
    PILOT,
    Sampling,
    integrals_in_bytes,
    refuse_untrusted,
    sample,
)
from analysis.network.data.network import Network
from analysis.network.model import priors
from analysis.network.model.likelihood import VAGUE, Counts, choose, consistency, on_link, read_counts
from analysis.network.model.specification import effect_scale, refuse_absurd, refuse_disconnected
from analysis.network.sampled import specify
from evidence.errors import CallError
from evidence.system.memory import FEWER, refuse_without_room

_PIECES = 90e6  # bytes of the arrays that the quadrature works on at once


def fit(
    net: Network,
    *,
    model: str = "both",
    likelihood: str | None = None,
    link: str | None = None,
    tau_prior: str | priors.Prior | None = None,
    effect_prior_sd: float | None = None,
    baseline_prior: tuple[float, float] | None = None,
    seed: int = 1,
    draws: int = 16_384,
    order: int = 5,
    nodes: int = 32,
) -> CountsFit:
    """Fit counts of the arms with their own likelihood.

    Parameters
    ----------
    net : Network
        With counts of arms: events of n (measures OR, RR) or events in exposure (IRR).
    model : {"both", "common", "random"}
    likelihood : {"binomial", "poisson"}, optional
        What belongs to the effect measure without it.
    link : {"logit", "log", "cloglog"}, optional
        Likewise; ``"cloglog"`` makes a network of odds or risk ratios one of hazard ratios, for arms followed
        equally long within each study.
    tau_prior : str or Prior, optional
        See `analysis.network.model.priors.parse`. Without it uniform(0, u), u the largest effect observed in
        any study, as in gemtc.
    effect_prior_sd : float, optional
        Standard deviation of the normal prior of each effect against the reference. Without it 15 u.
    baseline_prior : (float, float), optional
        Mean and standard deviation of the normal prior of every study's baseline on the link scale. Without
        it (0, 15 u), for rates around the crude log rate of all arms: units of exposure do not matter.
    seed : int
        Of the quasi-random numbers.
    draws : int
        Rounded up to a power of two.
    order : int
        Gauss-Hermite points per dimension in studies of two arms to begin with, fewer with more arms; more
        are taken where that changes the posterior.
    nodes : int
        Of the heterogeneity, to begin with.

    Returns
    -------
    CountsFit

    Raises
    ------
    CallError
        If an option is not known.
    RefusedError
        If there are no counts, the network is not connected, or the weights cannot be trusted.
    """
    if model not in ("both", "common", "random"):
        raise CallError(f"model {model!r} is not one of both, common, random.")
    if not 3 <= order <= 15 or draws < 256 or nodes < 8:
        raise CallError("order is 3 to 15, draws 256 or more, nodes 8 or more.")
    if baseline_prior is not None and not (isfinite(baseline_prior[0]) and 0 < baseline_prior[1] < inf):
        raise CallError(
            f"baseline_prior is {baseline_prior}; it takes a mean and a standard deviation above 0."
        )
    refuse_disconnected(net)
    refuse_absurd(net, baseline_prior=None if baseline_prior is None else float(baseline_prior[1]))
    chosen = choose(net, likelihood, link)
    vague = baseline_prior is None or baseline_prior[1] > VAGUE
    counts = read_counts(net, chosen, vague_baselines=vague)
    net = on_link(net, chosen, counts)
    models = ("common", "random") if model == "both" else (model,)
    specification = specify(net, models, tau_prior, effect_prior_sd)
    if baseline_prior is None:
        middle = 0.0
        if chosen.distribution == "poisson":
            middle = log(sum(y.sum() for y in counts.events) / sum(size.sum() for size in counts.sizes))
        baseline_prior = (middle, 15.0 * effect_scale(net))
    how = Sampling(baseline_prior, seed, 2 ** max(8, int(np.ceil(log2(draws)))), order, nodes)
    design = consistency(counts.blocks, len(net.treatments), specification.effect_sd)
    _refuse_without_room(counts, len(net.treatments), len(models), how)
    posteriors = {}
    for name in models:
        posteriors[name] = sample(counts, design, specification, how, name)
        refuse_untrusted(posteriors[name], net, specification, name)
    return CountsFit(net, models, specification, counts, posteriors, how)


def _refuse_without_room(counts: Counts, treatments: int, models: int, how: Sampling) -> None:
    """Refuse more studies than the draws leave room for."""
    arms, studies = sum(y.size for y in counts.events), len(counts.study)
    # What is kept of every draw, for each model, and of the last one in pieces as well; a likelihood, a
    # deviance and a fit at some draws by two rules. At every node how each study's own effects move with the
    # others, four times. The arrays of one piece are there whatever the size.
    kept = integrals_in_bytes(counts, how.draws)
    needed = (
        (kept * (models + 0.5) if kept <= KEPT else 0)
        + 2 * models * integrals_in_bytes(counts, PILOT)
        + 8 * 4 * (1.5 * how.nodes) * arms * treatments
        + _PIECES
    )
    refuse_without_room(
        needed,
        f"The engine counts with {studies:,} studies, {arms:,} arms and {how.draws:,} draws",
        f"Take the engine exact or frequentist, one --model, or fewer draws (draws=4_096). {FEWER}",
    )
