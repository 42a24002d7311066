"""What the charts of a Bayesian network draw: posteriors, priors, fit by study, chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from analysis import charts
from analysis.charts.base.theme import records
from analysis.language.catalog import tr
from analysis.plot.subject import NothingToDrawError, Rows, Subject

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.exact import ExactFit

_POINTS = 81
_CHAINS, _KEPT = 4, 400
_INDEPENDENT = " (independent draws of the exact posterior)"
MOST_PARAMETERS = 12
"""Parameters that the charts of chains and densities have a panel for."""


def leverage(subject: Subject) -> Any:
    """Draw how much each study pulls the model, against how badly it fits."""
    found: dict[str, dict[str, Any]] = {}
    for row in records(subject.rows("fit")):
        if row["study"] is not None:
            label = subject.review.studies.get(row["study"], row["study"])
            of_study = found.setdefault(row["study"], {"study": row["study"], "label": label})
            of_study[row["quantity"]] = row["value"]
    rows = [found[study] for study in sorted(found) if found[study].keys() >= {"deviance", "leverage"}]
    if not rows:
        raise NothingToDrawError(
            f"The engine {subject.run.engine} has no deviance and leverage of studies: "
            "the Bayesian engines have, for instance exact."
        )
    return charts.leverage(_frame(rows), title=tr("{outcome}: leverage plot", outcome=subject.effect.outcome))


def prior_sensitivity(
    subject: Subject,
    *,
    tau_priors: Sequence[str] = (),
    effect_prior_sds: Sequence[float] = (),
    most: int = 3,
) -> Any:
    """Draw the effects of the first treatments against the reference under other priors of tau."""
    fit = _exact(subject, "fits under other priors")
    effect, reference = subject.effect, str(subject.run.reference)
    names = [t for t in fit.network.treatments if t != reference]
    ranked = {row["treatment"]: row["mean_rank"] for row in records(subject.rows("ranking"))}
    names = sorted(names, key=lambda t: ranked.get(t) or 0.0)[:most]
    pairs = {f"{t} versus {reference}": t for t in names}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(fit.prior_sensitivity(tau_priors, effect_prior_sds)):
        kind, _, pair = row["quantity"].partition(": ")
        if pair in pairs:
            about = {"scenario": row["item"], "treatment": pairs[pair], "versus": reference}
            rows.setdefault((pair, row["item"]), about)[kind] = row["value"]
    return charts.prior_sensitivity(_frame(list(rows.values())), effect=effect)


def posterior_density(subject: Subject) -> Any:
    """Draw the posterior of each effect against the reference."""
    fit = _exact(subject, "densities in closed form")
    effect, reference = subject.effect, str(subject.run.reference)
    rows: Rows = []
    for index, treatment in _first(fit.network.treatments):
        found = fit.effect(subject.model, np.array([index]), np.array([0]))
        lower, upper = (float(end[0]) for end in found.interval())
        half = (upper - lower) / 2
        about = {
            "parameter": f"{effect.label(treatment)} vs {effect.label(reference)}",
            "ci_lower": lower,
            "ci_upper": upper,
        }
        for value in np.linspace(lower - 0.8 * half, upper + 0.8 * half, _POINTS):
            density = float(found.density(np.array([value]))[0])
            rows.append({**about, "value": float(value), "density": density})
    title = f"{effect.outcome}: posterior of each effect"
    return charts.posterior_density(_frame(rows), effect=effect, title=title)


def trace(subject: Subject) -> Any:
    """Draw the chains of each effect."""
    draws, how = _draws(subject)
    return charts.trace(draws, title=f"{subject.effect.outcome}: traces{how}")


def rank_trace(subject: Subject) -> Any:
    """Draw whether the chains of each effect explore alike."""
    draws, how = _draws(subject)
    return charts.rank_trace(draws, title=f"{subject.effect.outcome}: rank plots of the chains{how}")


def psrf(subject: Subject) -> Any:
    """Draw how the chains came together, iteration by iteration."""
    title = tr("{outcome}: potential scale reduction factor by iteration", outcome=subject.effect.outcome)
    kept = subject.rows("convergence")
    if len(kept):
        labels = {name: spelled(name, subject.labels) for name in kept["parameter"].unique()}
        return charts.psrf(kept, labels=labels, title=title)
    if subject.fit is None:
        raise NothingToDrawError("The run drew no chains (in a plan: chains = true, or engine mcmc).")
    from analysis.network.mcmc.convergence import psrf_by_iteration

    draws, how = _draws(subject)
    rows: Rows = []
    for parameter in draws["parameter"].unique():
        some = draws[draws["parameter"] == parameter]
        chains = some.pivot_table(index="chain", columns="iteration", values="value")
        rows += [
            {"parameter": parameter, "iteration": iteration, "psrf": factor, "psrf_upper": upper}
            for iteration, factor, upper in zip(*psrf_by_iteration(chains.to_numpy()), strict=True)
        ]
    return charts.psrf(_frame(rows), title=title + how)


def spelled(parameter: str, names: Mapping[str, str]) -> str:
    """Spell out the treatments of a parameter that is called "A against B"."""
    first, _, second = parameter.partition(" against ")
    if first in names and second in names:
        return f"{names[first]} against {names[second]}"
    return parameter


def _draws(subject: Subject) -> tuple[pd.DataFrame, str]:
    """Draws of each effect by chain and iteration, and how they were drawn, for a title.

    The chains of the engine mcmc; of an exact posterior independent draws in the shape of chains.
    """
    fit, label = subject.network_fit, subject.effect.label
    reference = str(subject.run.reference)
    if subject.run.engine == "mcmc":
        posterior = fit.posteriors[subject.model]  # type: ignore[attr-defined]
        chains = posterior.chains.draws["coefficients"]
        if posterior.treatments is not None:
            chains = chains @ posterior.treatments.T
        how = ""
    else:
        exact = _exact(subject, "draws")
        drawn = [exact.draws(subject.model, _KEPT, chain + 1).effects for chain in range(_CHAINS)]
        chains, how = np.stack(drawn), _INDEPENDENT
    rows = [
        {
            "parameter": f"{label(treatment)} vs {label(reference)}",
            "chain": chain + 1,
            "iteration": i,
            "value": float(value),
        }
        for index, treatment in _first(fit.network.treatments)
        for chain in range(len(chains))
        for i, value in enumerate(chains[chain, :, index])
    ]
    return _frame(rows), how


def _first(treatments: Sequence[str]) -> list[tuple[int, str]]:
    """Treatments but the reference, as many as have a panel, with their places."""
    return list(enumerate(treatments))[1 : MOST_PARAMETERS + 1]


def _exact(subject: Subject, what: str) -> ExactFit:
    if subject.run.engine != "exact":
        raise NothingToDrawError(f"The engine {subject.run.engine} has no {what}: the engine exact has.")
    return cast("ExactFit", subject.network_fit)


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
