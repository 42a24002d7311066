"""Counts of the arms: likelihoods, links, and what of a network they can use.

Binomial events of n with the logit (odds ratios), log (risk ratios) or complementary log-log link (hazard
ratios), Poisson events in exposure with the log link (rate ratios): the generalised linear models of Dias et
al. (2013, doi:10.1177/0272989X12458724; NICE DSU TSD 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import gammaln, xlogy

from analysis.network.data.blocks import to_base
from analysis.network.data.graph import components
from analysis.network.data.network import ArmBlock, Array, Network
from analysis.network.model.rows import Design
from evidence.errors import CallError, Problem, RefusedError

WHOLE = 1e-9
"""A count this far from a whole number is none."""
VAGUE = 5.0
"""With a standard deviation of the baselines above this, studies without contrast of events say nothing."""


@dataclass(frozen=True)
class Likelihood:
    """Distribution of the counts of arms given their linear predictors eta; log-concave in eta.

    Methods take events y, size (n or exposure) and eta as arrays that broadcast.
    """

    distribution: ClassVar[str]
    link: ClassVar[str]
    measure: ClassVar[str]
    about: ClassVar[str]

    def describe(self) -> str:
        """Name the likelihood, and what its effects are."""
        told = f"{self.distribution.capitalize()} likelihood of the arms' counts with {self.link} link"
        return f"{told}; effects are {self.about}."

    def log_density(self, y: Array, size: Array, eta: Array) -> Array:
        """Log probability of the counts, less `constant`."""
        raise NotImplementedError

    def derivatives(self, y: Array, size: Array, eta: Array) -> tuple[Array, Array]:
        """First derivative of the log density by eta, and the second with its sign turned."""
        raise NotImplementedError

    def fitted(self, size: Array, eta: Array) -> Array:
        """Compute the expected events."""
        raise NotImplementedError

    def predictor(self, y: Array, size: Array) -> Array:
        """Eta at which the expected events are y."""
        raise NotImplementedError

    def constant(self, y: Array, size: Array) -> Array:
        """Part of the log probability that does not depend on eta."""
        raise NotImplementedError

    def saturated(self, y: Array, size: Array) -> Array:
        """Log density, less `constant`, where the expected events are y."""
        raise NotImplementedError

    def deviance(self, y: Array, size: Array, fitted: Array) -> Array:
        """Residual deviance of each arm at expected events."""
        raise NotImplementedError


class Binomial(Likelihood):
    """Events among n."""

    distribution = "binomial"

    def constant(self, y: Array, size: Array) -> Array:
        """Log of the binomial coefficient."""
        return gammaln(size + 1) - gammaln(y + 1) - gammaln(size - y + 1)

    def saturated(self, y: Array, size: Array) -> Array:
        """Log density at the observed share."""
        return xlogy(y, y / size) + xlogy(size - y, (size - y) / size)

    def deviance(self, y: Array, size: Array, fitted: Array) -> Array:
        """Residual deviance: 2 [y log(y / f) + (n - y) log((n - y) / (n - f))]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2.0 * (
                self.saturated(y, size) - xlogy(y, fitted / size) - xlogy(size - y, (size - fitted) / size)
            )


class BinomialLogit(Binomial):
    """Binomial with the logit link: effects are log odds ratios."""

    link, measure, about = "logit", "OR", "odds ratios"

    def log_density(self, y: Array, size: Array, eta: Array) -> Array:
        """Log density."""
        return y * eta - size * np.logaddexp(0.0, eta)

    def derivatives(self, y: Array, size: Array, eta: Array) -> tuple[Array, Array]:
        """Score and curvature."""
        p = _logistic(eta)
        return y - size * p, size * p * (1.0 - p)

    def fitted(self, size: Array, eta: Array) -> Array:
        """Compute the expected events."""
        return size * _logistic(eta)

    def predictor(self, y: Array, size: Array) -> Array:
        """Log odds."""
        return np.log(y / (size - y))


class BinomialLog(Binomial):
    """Binomial with the log link: effects are log risk ratios; a risk cannot pass 1."""

    link, measure, about = "log", "RR", "risk ratios"

    def log_density(self, y: Array, size: Array, eta: Array) -> Array:
        """Log density; minus infinity for risks of 1 and more."""
        inside = eta < 0.0
        safe = np.where(inside, eta, -1.0)
        return np.where(inside, y * safe + (size - y) * np.log(-np.expm1(safe)), -np.inf)

    def derivatives(self, y: Array, size: Array, eta: Array) -> tuple[Array, Array]:
        """Score and curvature."""
        odds = 1.0 / np.expm1(-np.minimum(eta, -1e-12))
        return y - (size - y) * odds, (size - y) * odds * (1.0 + odds)

    def fitted(self, size: Array, eta: Array) -> Array:
        """Compute the expected events."""
        return size * np.exp(np.minimum(eta, 0.0))

    def predictor(self, y: Array, size: Array) -> Array:
        """Log risk."""
        return np.log(y / size)


class BinomialCloglog(Binomial):
    """Binomial with the complementary log-log link: effects are log hazard ratios.

    For studies of any length, as long as the arms of one study were followed equally long.
    """

    link, measure, about = "cloglog", "HR", "hazard ratios"

    def log_density(self, y: Array, size: Array, eta: Array) -> Array:
        """Log density."""
        hazard = np.maximum(_exp(eta), 1e-300)
        return xlogy(y, -np.expm1(-hazard)) - (size - y) * hazard

    def derivatives(self, y: Array, size: Array, eta: Array) -> tuple[Array, Array]:
        """Score and curvature."""
        hazard = np.clip(_exp(eta), 1e-300, 700.0)
        share = hazard / np.expm1(hazard)
        slope = share * (1.0 - hazard - share)
        return y * share - (size - y) * hazard, (size - y) * hazard - y * slope

    def fitted(self, size: Array, eta: Array) -> Array:
        """Compute the expected events."""
        return -size * np.expm1(-_exp(eta))

    def predictor(self, y: Array, size: Array) -> Array:
        """Log of the cumulative hazard."""
        return np.log(-np.log1p(-y / size))


class Poisson(Likelihood):
    """Events in exposure: effects are log rate ratios."""

    distribution, link, measure, about = "poisson", "log", "IRR", "rate ratios"

    def log_density(self, y: Array, size: Array, eta: Array) -> Array:
        """Log density."""
        return y * eta - size * _exp(eta)

    def derivatives(self, y: Array, size: Array, eta: Array) -> tuple[Array, Array]:
        """Score and curvature."""
        mean = size * _exp(eta)
        return y - mean, mean

    def fitted(self, size: Array, eta: Array) -> Array:
        """Compute the expected events."""
        return size * _exp(eta)

    def predictor(self, y: Array, size: Array) -> Array:
        """Log rate."""
        return np.log(y / size)

    def constant(self, y: Array, size: Array) -> Array:
        """Part without eta."""
        return xlogy(y, size) - gammaln(y + 1)

    def saturated(self, y: Array, size: Array) -> Array:
        """Log density at the observed rate."""
        return xlogy(y, y / size) - y

    def deviance(self, y: Array, size: Array, fitted: Array) -> Array:
        """Residual deviance: 2 [y log(y / f) - (y - f)]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2.0 * (xlogy(y, y / fitted) - (y - fitted))


def _logistic(eta: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * eta))


def _exp(eta: Array) -> Array:
    return np.exp(np.minimum(eta, 300.0))


LIKELIHOODS: tuple[Likelihood, ...] = (BinomialLogit(), BinomialLog(), BinomialCloglog(), Poisson())
"""Every distribution with its link."""


def choose(net: Network, distribution: str | None = None, link: str | None = None) -> Likelihood:
    """Find the likelihood that belongs to a network's effect measure, or the one asked for.

    Parameters
    ----------
    net : Network
    distribution : {"binomial", "poisson"}, optional
    link : {"logit", "log", "cloglog"}, optional
        The complementary log-log link turns a network of odds or risk ratios into one of hazard ratios.

    Returns
    -------
    Likelihood

    Raises
    ------
    CallError
        If there is no such likelihood, or its effects are not those of the network.
    RefusedError
        If the effect measure has no likelihood of counts.
    """
    fits = [
        one
        for one in LIKELIHOODS
        if distribution in (None, one.distribution)
        and link in (None, one.link)
        and (one.measure == net.measure or (one.link == "cloglog" == link and net.measure in ("OR", "RR")))
    ]
    if fits:
        return fits[0]
    offered = "; ".join(f"{one.measure}: {one.distribution}, {one.link} link" for one in LIKELIHOODS)
    if net.measure not in {one.measure for one in LIKELIHOODS}:
        raise RefusedError(
            f"Counts have no likelihood here whose effects are {net.measure} ({offered}). "
            f"Load the network with one of these measures, or take the engine exact for {net.measure}."
        )
    asked = " ".join(word for word in (distribution, link and f"with {link} link") if word)
    raise CallError(f"{asked}: its effects are not {net.measure}. There are {offered}.")


@dataclass(frozen=True)
class Counts:
    """Counts of the arms of all studies that say something, in blocks of equally many arms.

    Attributes
    ----------
    likelihood : Likelihood
    blocks : tuple of ArmBlock
        With `events`; the base arm first.
    sizes : tuple of (s, k) arrays
        n or exposure, in step with the blocks.
    silent : tuple of int
        Studies (indices) left out, because no or all participants had the event in every arm.
    """

    likelihood: Likelihood
    blocks: tuple[ArmBlock, ...]
    sizes: tuple[Array, ...]
    silent: tuple[int, ...] = ()

    @property
    def events(self) -> tuple[Array, ...]:
        """Events of the arms, (s, k), by block."""
        return tuple(block.events for block in self.blocks if block.events is not None)

    @property
    def study(self) -> Array:
        """Index of every study, over all blocks."""
        return np.concatenate([block.study for block in self.blocks])

    @property
    def n_arms(self) -> int:
        """Number of arms, the data points of the residual deviance."""
        return sum(block.treatment.size for block in self.blocks)

    def parts(self, n_treatments: int) -> Array:
        """Part of the network that each treatment is in, by these studies alone, (T,)."""
        pairs = [
            np.column_stack(
                [np.repeat(b.treatment[:, 0], b.treatment.shape[1] - 1), b.treatment[:, 1:].ravel()]
            )
            for b in self.blocks
        ]
        return components(n_treatments, np.concatenate(pairs))

    def without(self, studies: Sequence[int]) -> Counts:
        """Leave studies out, by index."""
        blocks, sizes = [], []
        for block, size in zip(self.blocks, self.sizes):
            kept = ~np.isin(block.study, studies)
            if kept.any():
                assert block.events is not None
                blocks.append(ArmBlock(block.study[kept], block.treatment[kept], events=block.events[kept]))
                sizes.append(size[kept])
        return replace(self, blocks=tuple(blocks), sizes=tuple(sizes))


def read_counts(net: Network, likelihood: Likelihood, *, vague_baselines: bool = True) -> Counts:
    """Take the counts of a network's arms.

    Parameters
    ----------
    net : Network
    likelihood : Likelihood
    vague_baselines : bool
        Leave out studies in which no arm, or every participant, had the event: with vague baselines they say
        nothing about effects.

    Returns
    -------
    Counts

    Raises
    ------
    RefusedError
        If arms lack counts, or counts cannot be: divided events have no likelihood.
    """
    kind = "n" if likelihood.distribution == "binomial" else "exposure"
    if net.arms is None or any(b.events is None or getattr(b, kind) is None for b in net.arms):
        raise RefusedError(
            f"A {likelihood.distribution} likelihood needs events and {kind} of every arm, which these data "
            "do not have. The engine exact takes estimates with standard errors."
        )
    problems: list[Problem] = []
    blocks, sizes, silent = [], [], []
    for arms in net.arms:
        y, size = np.asarray(arms.events, dtype=float), np.asarray(getattr(arms, kind), dtype=float)
        wrong = ~(np.isfinite(y) & (y >= 0) & (size > 0) & np.isfinite(size))
        message = f"{{y:g}} events, {kind} {{size:g}}"
        # A likelihood of counts knows no half events, as when one event of a shared arm is divided.
        wrong |= np.abs(y - np.round(y)) > WHOLE
        remedy = f"events in whole numbers of 0 or more, {kind} above 0"
        if kind == "n":
            wrong |= (y > size) | (np.abs(size - np.round(size)) > WHOLE)
            remedy = "whole numbers, events between 0 and n"
        if likelihood.link == "log" and kind == "n":
            wrong |= y >= size
            remedy += "; with an event in every participant the log link has no optimum: take OR"
        problems += [
            Problem(
                message.format(y=y[s, a], size=size[s, a]),
                remedy,
                study=net.study_label(int(arms.study[s])),
                arm=net.treatments[arms.treatment[s, a]],
            )
            for s, a in np.argwhere(wrong)
        ]
        mute = (y == 0).all(1) | ((y == size).all(1) if kind == "n" else False)
        mute &= vague_baselines
        silent += arms.study[mute].tolist()
        if not mute.all():
            blocks.append(ArmBlock(arms.study[~mute], arms.treatment[~mute], events=y[~mute]))
            sizes.append(size[~mute])
    if problems:
        raise RefusedError("Some counts cannot be used:", problems)
    if not blocks:
        raise RefusedError(
            "No study has an event in one arm and none in another participant: nothing to estimate."
        )
    return Counts(likelihood, tuple(blocks), tuple(sizes), tuple(sorted(silent)))


def on_link(net: Network, likelihood: Likelihood, counts: Counts) -> Network:
    """Give a network the effects of another link: those of its counts, for scales and names.

    Parameters
    ----------
    net : Network
        Returned as it is where its measure is the likelihood's.
    likelihood : Likelihood
    counts : Counts

    Returns
    -------
    Network
        Effects with half an event added to every cell of studies that have an empty one.
    """
    if net.measure == likelihood.measure:
        return net
    blocks = []
    for block, y, size in zip(counts.blocks, counts.events, counts.sizes):
        empty = ((y == 0) | (y == size)).any(1, keepdims=True)
        y, size = y + 0.5 * empty, size + 1.0 * empty
        eta = likelihood.predictor(y, size)
        information = likelihood.derivatives(y, size, eta)[1]
        gram = np.eye(y.shape[1]) / information[:, :, None]
        blocks.append(replace(to_base(block.treatment, eta, gram), study=block.study))
    return replace(net, measure=likelihood.measure, scale="log", blocks=tuple(blocks), contrasts=None)


def arm_predictors(design: Design) -> tuple[Array, ...]:
    """Linear predictor of every arm less that of its study's base arm, (s, k, p) by block."""
    return tuple(design.vectors[key] - design.vectors[key[:, :1]] for key in design.key)


def consistency(blocks: Sequence[ArmBlock], n_treatments: int, effect_sd: float) -> Design:
    """One effect per treatment against the reference, treatment 0.

    Parameters
    ----------
    blocks : sequence of ArmBlock
    n_treatments : int
    effect_sd : float
        Prior standard deviation of each effect.

    Returns
    -------
    Design
    """
    effects = np.eye(n_treatments)[:, 1:]
    p = n_treatments - 1
    return Design(
        tuple(block.treatment for block in blocks),
        effects,
        np.eye(p) * effect_sd**-2.0,
        -2.0 * p * float(np.log(effect_sd)),
        effects,
    )
