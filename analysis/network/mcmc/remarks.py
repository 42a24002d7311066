"""What is to be said of a fit by Markov chains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.network.mcmc.convergence import CRITERIA
from analysis.network.model.specification import unit_of

if TYPE_CHECKING:
    from analysis.network.mcmc.fitted import McmcFit
    from analysis.network.model.priors import Prior


def remarks(fit: McmcFit) -> list[tuple[str, str]]:
    """Give the rows of `notes`: likelihood, priors, what they drive, and whether the chains converged."""
    net, like = fit.network, fit.data.likelihood
    found = list(net.notes)
    if like is not None:
        found.append(("info", like.describe()))
    elif not fit.data.rows:
        found.append(("info", "Normal likelihood of the arms' means."))
    found += fit.prior_remarks(_baselines(fit) + _classes(fit))
    if (r := fit.specification.regression) is not None:
        found.append(("info", r.describe(r.names, net)))
    if fit.data.silent:
        silent = ", ".join(net.study_label(s) for s in fit.data.silent)
        message = f"Left out, because all arms have no event, or nothing but events: {silent}."
        found.append(("warning", message))
    for model, posterior in fit.posteriors.items():
        if not posterior.converged:
            message = (
                f"{model}: the chains did not converge within {posterior.kept} iterations each "
                f"({CRITERIA[fit.length.criterion]}): do not use these numbers. Take more with "
                "max_draws, or narrower priors."
            )
            found.append(("warning", message))
        if posterior.chains.divergences:
            message = (
                f"{model}: {posterior.chains.divergences} divergent transitions: part of the "
                "posterior may have been missed; compare with the engine exact or counts."
            )
            found.append(("warning", message))
    return found


def _baselines(fit: McmcFit) -> str:
    """Say what is assumed of the baselines, where there are any."""
    if fit.data.rows:
        return ""
    mean, sd = fit.structure.baseline
    if fit.structure.baseline_sd is None:
        return f"; every study's baseline ~ normal({mean:.4g}, {sd:.4g}^2)"
    spread = _spread(fit, fit.structure.baseline_sd)
    return f"; baselines exchangeable, their mean ~ normal({mean:.4g}, {sd:.4g}^2), their {spread}"


def _classes(fit: McmcFit) -> str:
    """Say which treatments make a class, where there are classes."""
    if not fit.structure.classes:
        return ""
    members: dict[str, list[str]] = {}
    for t, name in fit.structure.classes.items():
        members.setdefault(name, []).append(fit.network.treatments[t + 1])
    listed = "; ".join(f"{name}: {', '.join(sorted(ts))}" for name, ts in sorted(members.items()))
    spread = _spread(fit, fit.structure.class_sd)
    return f"; effects exchangeable within classes ({listed}), {spread}"


def _spread(fit: McmcFit, prior: Prior) -> str:
    return prior.describe(unit_of(fit.network)).replace("tau", "sd", 1)
