"""What the conclusions of an exact fit owe to one treatment, or to the priors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.deletion import without_treatment
from analysis.network.exact.posterior import ExactPosterior
from analysis.network.model import priors
from analysis.network.model.rows import block_rows
from analysis.network.model.specification import effect_scale, unit_of
from analysis.results import frame

if TYPE_CHECKING:
    import pandas as pd


def leave_one_treatment_out(fit: ExactPosterior) -> pd.DataFrame:
    """Leave every treatment out in turn: every arm of it, and the studies left with one arm.

    Parameters
    ----------
    fit : ExactPosterior
        To all treatments; its priors stay as they are.

    Returns
    -------
    DataFrame
        Columns of ``sensitivity``: `item` is the treatment left out, `quantity` the effect of another
        treatment against the reference, the heterogeneity (posterior median), their limits or a SUCRA.
    """
    rows: list[dict[str, Any]] = []
    for t, name in enumerate(fit.network.treatments):
        smaller = without_treatment(fit.network, t)
        about = {"engine": fit.engine, "method": "leave one treatment out", "item": name}
        if smaller is None:
            note = "without it the network is not connected"
            rows += [
                {**about, "model": model, "quantity": "connected", "value": 0.0, "note": note}
                for model in fit.models
            ]
            continue
        specification = replace(fit.specification, n_treatments=len(smaller.treatments), baseline=None)
        again = fit.under(specification, fit.models, smaller, block_rows(smaller))
        rows += [{**about, **row} for model in fit.models for row in _headline(again, model)]
    return frame("sensitivity", rows)


def prior_sensitivity(
    fit: ExactPosterior, tau_priors: Iterable[str | priors.Prior] = (), effect_prior_sds: Iterable[float] = ()
) -> pd.DataFrame:
    """Fit again under other priors.

    Parameters
    ----------
    fit : ExactPosterior
    tau_priors : iterable of str or Prior
        Priors of the heterogeneity.
    effect_prior_sds : iterable of float
        Standard deviations of the effects' priors, each with the fit's own prior of tau. Without either,
        priors of tau that are in common use, made to the scale of the data.

    Returns
    -------
    DataFrame
        Columns of ``sensitivity`` for the random-effects model: `item` is the prior, `quantity` an effect
        against the reference, the heterogeneity (posterior median), their limits or a SUCRA.
    """
    own = replace(fit.specification, tau=None)
    grid = [replace(own, prior=priors.parse(prior)) for prior in tau_priors]
    grid += [replace(own, effect_sd=float(sd)) for sd in effect_prior_sds]
    if not grid:
        grid = [replace(own, prior=prior) for prior in priors.customary(effect_scale(fit.network))]
    unit = unit_of(fit.network)
    rows: list[dict[str, Any]] = []
    for specification in grid:
        again = fit.under(specification, ("random",))
        item = f"{specification.prior.describe(unit)}; effects ~ normal(0, {specification.effect_sd:g}^2)"
        about = {"engine": fit.engine, "method": "prior", "item": item}
        rows += [{**about, **row} for row in _headline(again, "random")]
    return frame("sensitivity", rows)


def _headline(fit: ExactPosterior, model: str) -> list[dict[str, Any]]:
    """Gather what sensitivity analyses compare."""
    names = fit.network.treatments
    effects = fit.effect(model, np.arange(1, len(names)), np.zeros(len(names) - 1, dtype=int))
    lower, upper = effects.interval()
    found: list[tuple[str, float]] = []
    for i, name in enumerate(names[1:]):
        label = f"{name} versus {names[0]}"
        for quantity, values in (("estimate", effects.mean), ("ci_lower", lower), ("ci_upper", upper)):
            found.append((f"{quantity}: {label}", float(values[i])))
    if (tau := fit.posteriors[model].heterogeneity) is not None:
        limits = (("tau", 0.5), ("tau_lower", 0.025), ("tau_upper", 0.975))
        found += [(quantity, tau.quantile(q)) for quantity, q in limits]
    if ranking.benefit(fit.network) is not None:
        found += [(f"sucra: {name}", float(score)) for name, score in zip(names, fit.sucra(model))]
    return [{"model": model, "quantity": quantity, "value": value} for quantity, value in found]
