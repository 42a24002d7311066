"""What is to be said of an exact fit."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

import numpy as np

from analysis.network import ranking
from analysis.network.model.posterior import TOLERANCE, Posterior
from analysis.network.model.specification import bound_remark, effect_scale, unit_of

if TYPE_CHECKING:
    from analysis.network.exact.fitted import ExactFit

DRIVEN = 0.25
"""An effect with a posterior sd of more than this share of its prior sd is called driven by the prior."""
LITTLE = 0.1
"""So is tau where its posterior differs from its prior by less than this many nats."""
NORMAL_COUNTS = (
    "Effects of counts are taken as normal with known standard errors; the engines counts and mcmc take the "
    "counts themselves, which matters where events are few."
)
"""Remark on counts in an engine for normal likelihoods."""


def remarks(fit: ExactFit) -> list[tuple[str, str]]:
    """Give the rows of `notes`: priors used, what they drive, and how far the numbers can be trusted."""
    spec, net = fit.specification, fit.network
    found = [*net.notes, spec.remark(net, fit.models[-1])]
    if net.arms is not None and any(arms.events is not None for arms in net.arms):
        found.append(("info", NORMAL_COUNTS))
    if (r := spec.regression) is not None:
        columns = [
            f"{name} centred at {middle:.6g}" if middle else name for name, middle in zip(r.names, r.centre)
        ]
        found.append(("info", r.describe(columns, net)))
    if ranking.benefit(net) is None:
        found.append(("warning", ranking.NO_DIRECTION))
    for model, posterior in fit.posteriors.items():
        found += [("warning", f"{model}: {message}") for message in _driven(fit, model, posterior)]
        if posterior.error > TOLERANCE:
            message = (
                f"{model}: the quadrature error is {posterior.error:.1e} posterior standard deviations "
                f"with {posterior.n_nodes} nodes, above {TOLERANCE:.0e}: moments of so long a tail may "
                "not exist."
            )
            found.append(("warning", message))
    return found


def _driven(fit: ExactFit, model: str, posterior: Posterior) -> list[str]:
    """Say what the data leave to the prior."""
    found = []
    net, spec = fit.network, fit.specification
    if not isinf(spec.effect_sd):
        t = np.arange(1, len(net.treatments))
        sd = fit.effect(model, t, np.zeros_like(t)).sd
        if driven := [net.treatments[i] for i in t[sd > DRIVEN * spec.effect_sd]]:
            found.append(
                f"driven by the prior: the data hardly determine the effect of {', '.join(driven)} "
                f"against {net.reference} (posterior sd above a quarter of the prior's "
                f"{spec.effect_sd:.4g}). Take a narrower prior that you can defend, or leave the treatment "
                "out."
            )
    tau = posterior.heterogeneity
    if posterior.prior is None or tau is None:
        return found
    if posterior.learned < LITTLE:
        unit, scale = unit_of(net), effect_scale(net)
        spread = f"{tau.sd:.3g} {unit}".strip()
        found.append(
            "driven by the prior: the data say next to nothing about tau, whose posterior is its prior, "
            f"{posterior.prior.describe(unit)} (standard deviation {spread}, {tau.sd / scale:.0%} of the "
            "largest effect of any study), and with it the width of every interval."
        )
    elif (cut := bound_remark(net, posterior.prior, tau.density)) is not None:
        found.append(cut)
    return found
