"""What the conclusions of an exact fit owe to one treatment, or to the priors: fits made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.network import ranking
from analysis.network.data.deletion import without_treatment
from analysis.network.data.network import Network
from analysis.network.model import priors
from analysis.network.model.rows import BlockRows, block_rows
from analysis.network.model.specification import Specification, effect_scale, unit_of
from analysis.network.protocol import SensitivityRow

if TYPE_CHECKING:
    from analysis.network.exact.fitted import ExactFit


def again(
    fit: ExactFit,
    specification: Specification,
    models: tuple[str, ...],
    net: Network | None = None,
    blocks: tuple[BlockRows, ...] | None = None,
) -> ExactFit:
    """Fit under another specification, to the same data or to a part of them.

    Parameters
    ----------
    fit : ExactFit
    specification : Specification
    models : tuple of str
    net : Network, optional
        What is left of the network.
    blocks : tuple of BlockRows, optional
        Its rotated data; those of the fit without them.

    Returns
    -------
    ExactFit
    """
    data = fit.blocks if blocks is None else blocks
    return replace(
        fit,
        network=net or fit.network,
        models=models,
        specification=specification,
        blocks=data,
        posteriors={model: specification.posterior(data, model) for model in models},
    )


def without_each_treatment(fit: ExactFit) -> Iterator[SensitivityRow]:
    """Leave every treatment out in turn; priors stay as they are."""
    method = "leave one treatment out"
    for t, name in enumerate(fit.network.treatments):
        smaller = without_treatment(fit.network, t)
        if smaller is None:
            note = "without it the network is not connected"
            yield from (SensitivityRow(model, method, name, "connected", 0.0, note) for model in fit.models)
            continue
        specification = replace(fit.specification, n_treatments=len(smaller.treatments), baseline=None)
        other = again(fit, specification, fit.models, smaller, block_rows(smaller))
        for model in fit.models:
            yield from _headline(other, model, method, name)


def under_priors(
    fit: ExactFit, tau_priors: Iterable[str | priors.Prior], effect_prior_sds: Iterable[float]
) -> Iterator[SensitivityRow]:
    """Fit the random-effects model under other priors, or under those in common use."""
    own = replace(fit.specification, tau=None)
    grid = [replace(own, prior=priors.parse(prior)) for prior in tau_priors]
    grid += [replace(own, effect_sd=float(sd)) for sd in effect_prior_sds]
    if not grid:
        grid = [replace(own, prior=prior) for prior in priors.customary(effect_scale(fit.network))]
    unit = unit_of(fit.network)
    for specification in grid:
        item = f"{specification.prior.describe(unit)}; effects ~ normal(0, {specification.effect_sd:g}^2)"
        yield from _headline(again(fit, specification, ("random",)), "random", "prior", item)


def _headline(fit: ExactFit, model: str, method: str, item: str) -> Iterator[SensitivityRow]:
    """Gather what sensitivity analyses compare."""
    names = fit.network.treatments
    effects = fit.effects(model, *fit.pair_indices(None))
    found: list[tuple[str, float]] = []
    for i, name in enumerate(names[1:]):
        label = f"{name} versus {names[0]}"
        for quantity in ("estimate", "ci_lower", "ci_upper"):
            found.append((f"{quantity}: {label}", float(getattr(effects, quantity)[i])))
    if (tau := fit.tau(model)) is not None:
        found += [("tau", tau.median), ("tau_lower", tau.lower), ("tau_upper", tau.upper)]
    if ranking.benefit(fit.network) is not None:
        found += [(f"sucra: {name}", float(score)) for name, score in zip(names, fit.sucra(model))]
    return (SensitivityRow(model, method, item, quantity, value) for quantity, value in found)
