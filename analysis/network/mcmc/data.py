"""What a Markov chain is run on: the data points of a network, what is assumed of them, as flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, cast

import numpy as np

from analysis.network.data.network import ArmBlock, Array, Network
from analysis.network.mcmc.chains import ChainData, Shape, prior_kind, prior_numbers
from analysis.network.model import predictors, priors
from analysis.network.model.integrals import root_of_correlation
from analysis.network.model.likelihood import (
    LIKELIHOODS,
    VAGUE,
    Counts,
    Likelihood,
    arm_predictors,
    choose,
    consistency,
    on_link,
    read_counts,
)
from analysis.network.model.rows import BlockRows, Design, DesignRows, block_rows
from analysis.network.model.specification import Specification
from evidence.errors import CallError, RefusedError


@dataclass(frozen=True)
class Structure:
    """What is assumed beside tau and effects: baselines, and classes by number of the coefficient."""

    baseline: tuple[float, float]
    baseline_sd: priors.Prior | None
    classes: Mapping[int, str]
    class_sd: priors.Prior


@dataclass(frozen=True)
class Observations:
    """Data points of a network: rotated rows, or arms with a likelihood.

    Attributes
    ----------
    rows : tuple of BlockRows
        Normal, study effects integrated out; empty where arms are used.
    likelihood : Likelihood or None
        Of counts; None for normal.
    arms : tuple of ArmBlock
    y, size : tuple of (s, k) arrays
        Events with n or exposure, or means with standard errors, by block.
    silent : tuple of int
        Studies left out because they say nothing.
    baseline : (float, float) or None
        Prior of the baselines where it was stated.
    middle : float
        Centre of the default prior of the baselines.
    """

    rows: tuple[BlockRows, ...] = ()
    likelihood: Likelihood | None = None
    arms: tuple[ArmBlock, ...] = ()
    y: tuple[Array, ...] = ()
    size: tuple[Array, ...] = ()
    silent: tuple[int, ...] = ()
    baseline: tuple[float, float] | None = None
    middle: float = 0.0

    @property
    def blocks(self) -> tuple[Any, ...]:
        """Blocks with `study` and `treatment`."""
        return self.rows or self.arms

    @property
    def study(self) -> Array:
        """Index of every study, over all blocks."""
        return np.concatenate([block.study for block in self.blocks])

    @property
    def name(self) -> str:
        """Name of the likelihood in `Shape`."""
        if self.rows:
            return "rows"
        if self.likelihood is None:
            return "normal"
        return "poisson" if self.likelihood.distribution == "poisson" else self.likelihood.link

    def design(self, specification: Specification) -> Design:
        """Consistency, with meta-regression where there is one."""
        base = consistency(self.blocks, specification.n_treatments, specification.effect_sd)
        if (r := specification.regression) is None:
            return base
        return predictors.regression(base, self.blocks, r.values, r.by_treatment, r.slope_sd)


def observations(
    net: Network,
    likelihood: str | None,
    link: str | None,
    baseline: tuple[float, float] | None,
    baseline_sd: str | priors.Prior | None,
) -> tuple[Network, Observations]:
    """Choose the likelihood and take the data that it needs."""
    if likelihood not in (None, "normal", "binomial", "poisson"):
        raise CallError(f"likelihood {likelihood!r} is not one of normal, binomial, poisson.")
    has_counts = net.arms is not None and all(block.events is not None for block in net.arms)
    counted = net.measure in {one.measure for one in LIKELIHOODS}
    if likelihood is None and not (has_counts and (counted or link)):
        likelihood = "normal"
    if likelihood == "normal":
        if link is not None:
            raise CallError("A normal likelihood has no link.")
        if baseline is None and baseline_sd is None:
            return net, Observations(rows=block_rows(net))
        if net.arms is None or any(b.mean is None or b.se is None for b in net.arms):
            raise RefusedError(
                "A model of the baselines needs means and standard errors of arms, or counts, which these "
                "data do not have. Leave baseline_prior and baseline_sd_prior out: baselines are then flat."
            )
        means = tuple(cast(Array, b.mean) for b in net.arms)
        middle = float(np.mean(np.concatenate([y[:, 0] for y in means])))
        errors = tuple(cast(Array, b.se) for b in net.arms)
        return net, Observations(arms=net.arms, y=means, size=errors, baseline=baseline, middle=middle)
    chosen = choose(net, likelihood, link)
    vague = baseline_sd is None and (baseline is None or baseline[1] > VAGUE)
    counts: Counts = read_counts(net, chosen, vague_baselines=vague)
    middle = 0.0
    if chosen.distribution == "poisson":
        middle = log(sum(y.sum() for y in counts.events) / sum(size.sum() for size in counts.sizes))
    return on_link(net, chosen, counts), Observations(
        (), chosen, counts.blocks, counts.events, counts.sizes, counts.silent, baseline, middle
    )


def chain_data(
    data: Observations, design: Design, specification: Specification, structure: Structure, model: str
) -> ChainData:
    """Lay a model's data out as flat arrays.

    Parameters
    ----------
    data : Observations
    design : Design
    specification : Specification
    structure : Structure
    model : {"common", "random"}

    Returns
    -------
    ChainData
    """
    p = design.vectors.shape[1]
    random = model == "random"
    places = np.cumsum([0, *(len(block.study) for block in data.blocks)])
    arrays: dict[str, Array] = {
        "include": np.ones(places[-1]),
        "prior_sd": np.diagonal(design.precision) ** -0.5,
    }
    if data.rows:
        rows = DesignRows(data.rows, design)
        arrays |= {"y": rows.y, "size": rows.theta, "x": rows.matrix}
        members = [
            np.repeat(first + np.arange(len(b.study)), b.y.shape[1]) for first, b in zip(places, data.rows)
        ]
    else:
        x = np.concatenate([part.reshape(-1, p) for part in arm_predictors(design)])
        arrays |= {
            "y": np.concatenate([y.ravel() for y in data.y]).astype(float),
            "size": np.concatenate([size.ravel() for size in data.size]).astype(float),
            "x": x,
            "baseline_numbers": np.array(structure.baseline, dtype=float),
        }
        members = [np.repeat(first + np.arange(len(y)), y.shape[1]) for first, y in zip(places, data.y)]
        if random:
            arrays |= _loads(data.y)
        if structure.baseline_sd is not None:
            arrays["baseline_sd_numbers"] = prior_numbers(structure.baseline_sd)
        else:
            pooled = [
                y.mean(1)
                if data.likelihood is None
                else data.likelihood.predictor(y.sum(1) + 0.5, size.sum(1) + 1.0)
                for y, size in zip(data.y, data.size)
            ]
            arrays["baseline_start"] = np.concatenate(pooled)
    arrays["study"] = np.concatenate(members)
    if random:
        arrays["tau_numbers"] = prior_numbers(specification.prior)
    if structure.classes and design.treatments is not None:
        names = sorted(set(structure.classes.values()))
        membership = np.zeros((p, len(names)))
        for treatment, name in structure.classes.items():
            membership[treatment, names.index(name)] = 1.0
        inside = membership.any(1)
        arrays |= {
            "membership": membership,
            "class_prior_sd": np.full(len(names), specification.effect_sd),
            "within_sd": np.where(inside, 1.0, arrays["prior_sd"]),
            "class_numbers": prior_numbers(structure.class_sd),
        }
    spread = prior_kind(structure.class_sd) if "membership" in arrays else None
    width = None if structure.baseline_sd is None or data.rows else prior_kind(structure.baseline_sd)
    tau = prior_kind(specification.prior) if random else None
    return ChainData(Shape(data.name, not random, tau, spread, width), arrays)


def _loads(y: Sequence[Array]) -> dict[str, Array]:
    """Tell what the standard normal study effects do to the arms: rows of R^(1/2), none of the base arm's.

    Returns
    -------
    dict
        load, (N, q) array, and load_index, (N, q) int array: q is the most effects that a study has; where it
        has fewer, the rest is zero times its first.
    """
    most = max(part.shape[1] for part in y) - 1
    load, index, start = [], [], 0
    for part in y:
        studies, k = part.shape
        one = np.zeros((k, most))
        one[1:, : k - 1] = root_of_correlation(k - 1)
        load.append(np.tile(one, (studies, 1)))
        first = start + (k - 1) * np.repeat(np.arange(studies), k)
        within = np.where(np.arange(most) < k - 1, np.arange(most), 0)
        index.append(first[:, None] + within)
        start += studies * (k - 1)
    return {"load": np.concatenate(load), "load_index": np.concatenate(index)}
