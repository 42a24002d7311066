"""Tables of an exact fit: slopes, studies left out, inconsistency, fit, weights, diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.data.graph import comparisons
from analysis.network.data.network import Array
from analysis.network.exact.deletion import AT_ONCE
from analysis.network.exact.deletion import leave_one_out as each_left_out
from analysis.network.exact.influence import Influence
from analysis.network.exact.posterior import ExactPosterior, contrasts_of
from analysis.network.exact.splitting import Split
from analysis.network.model.inconsistency import against_unrelated
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior
from analysis.network.result import Pair, contrast_ids
from analysis.results import frame
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

DISCONNECTED = "disconnected: no other study links these treatments"
"""Note instead of a number where a study is the only link."""


def coefficients(fit: ExactPosterior) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.coefficients`."""
    import pandas as pd

    regression = fit.specification.regression
    if regression is None:
        return frame("estimates")
    names = fit.network.treatments
    who = list(names[1:]) if regression.by_treatment else ["every other treatment"]
    parts = []
    for model, posterior in fit.posteriors.items():
        count = len(regression.names) * len(who)
        effects = posterior.effects(np.eye(posterior.rows.p)[posterior.rows.p - count :])
        parts.append(
            frame(
                "estimates",
                {
                    "engine": fit.engine,
                    "model": model,
                    "treatment": who * len(regression.names),
                    "versus": names[0],
                    "evidence": "network",
                    "subgroup": np.repeat(regression.names, len(who)),
                    "level": "slope",
                    **summary_of(effects),
                },
            )
        )
    return pd.concat(parts, ignore_index=True)


def leave_one_out(fit: ExactPosterior, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.leave_one_out`."""
    import pandas as pd

    treatment, versus = fit.pair_indices(pairs)
    names = np.array(fit.network.treatments, dtype=object)
    _, studies = study_numbers(fit.network)
    rows = len(studies) * len(treatment)
    nodes = max(posterior.n_nodes for posterior in fit.posteriors.values())
    # Mixtures of so many rows at once, eight numbers a component while quantiles are found; then the table.
    refuse_without_room(
        64 * min(rows * nodes, AT_ONCE) + 300 * rows * len(fit.models),
        f"Leaving out each of {len(studies):,} studies for {len(treatment):,} effects",
        f"Leave --leave-one-out out, or ask for some effects only: fit.leave_one_out(pairs). {FEWER}",
    )
    apart = cut_off(fit.network)

    def contrasts(posterior: Posterior) -> Array:
        return contrasts_of(posterior, treatment, versus)

    parts = []
    for model, influence in fit.influence.items():
        left = each_left_out(influence, contrasts, fit.refits[model])
        lost = np.zeros(left.mean.shape, dtype=bool)
        for i, study in enumerate(left.study):
            if (part := apart.get(int(study))) is not None:
                lost[i] = part[treatment] != part[versus]
        numbers = {
            "estimate": left.mean,
            "std_error": left.sd,
            "ci_lower": left.lower,
            "ci_upper": left.upper,
        }
        parts.append(
            frame(
                "leave_one_out",
                {
                    "engine": fit.engine,
                    "model": model,
                    "study": np.repeat(np.array(studies, dtype=object)[left.study], len(treatment)),
                    "treatment": np.tile(names[treatment], len(left.study)),
                    "versus": np.tile(names[versus], len(left.study)),
                    **{name: np.where(lost, nan, values).ravel() for name, values in numbers.items()},
                    "tau": np.repeat(left.tau, len(treatment)),
                    "note": [DISCONNECTED if gone else None for gone in lost.ravel()],
                },
            )
        )
    return pd.concat(parts, ignore_index=True)


def node_splits(fit: ExactPosterior) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.node_splits`."""
    names = fit.network.treatments
    rows: list[dict[str, Any]] = []
    for model in fit.models:
        for (a, b), reason in fit.sources[model].notes.items():
            about = {
                "engine": fit.engine,
                "model": model,
                "method": "node-split",
                "treatment": names[b],
                "versus": names[a],
                "note": reason,
            }
            split = fit.splits[model].get((a, b))
            rows.append(about if split is None else about | _split_summary(split))
    return frame("inconsistency", rows)


def inconsistency(fit: ExactPosterior) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.inconsistency`."""
    names = fit.network.treatments
    pairs, posteriors = fit.unrelated_mean_effects
    number, _ = study_numbers(fit.network)
    rows: list[dict[str, Any]] = []
    for model, posterior in posteriors.items():
        about = {"engine": fit.engine, "model": model, "method": "unrelated mean effects"}
        dic, free = _dic(fit.influence[model]), _dic(Influence(posterior, number))
        text, difference = against_unrelated(fit.sources[model], dic, free)
        here, there = fit.posteriors[model].heterogeneity, posterior.heterogeneity
        if here is not None and there is not None:
            text += f"; tau {here.quantile(0.5):.4g} with consistency, {there.quantile(0.5):.4g} without"
        evidence = fit.posteriors[model].log_evidence - posterior.log_evidence
        if isfinite(evidence):
            prior = f"normal(0, {fit.specification.effect_sd:.4g}^2)"
            text += f"; log Bayes factor for consistency {evidence:.2f} (effects' prior {prior})"
        rows.append({**about, "component": "network", "dic_difference": difference, "note": text})
        effects = posterior.effects(np.eye(len(pairs)))
        for i, (versus, treatment) in enumerate(pairs):
            rows.append(
                {
                    **about,
                    "treatment": names[treatment],
                    "versus": names[versus],
                    "direct": effects.mean[i],
                    "direct_std_error": effects.sd[i],
                }
            )
    return frame("inconsistency", rows)


def fit_statistics(fit: ExactPosterior) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.fit_statistics`."""
    _, studies = study_numbers(fit.network)
    units = sum(len(block.study) for block in fit.blocks)
    by_arm = fit.specification.baseline is not None
    rows: list[dict[str, Any]] = []
    for model, influence in fit.influence.items():
        posterior = fit.posteriors[model]
        deviance, leverage = influence.deviance
        density, parameters = influence.waic
        elpd = fit.elpd(model)
        dbar, pd_ = float(deviance.sum()), float(leverage.sum())
        points = posterior.rows.n
        kind = "arms" if by_arm else "contrasts"
        totals: list[tuple[str, float, str | None]] = [
            ("Dbar", dbar, f"posterior mean residual deviance; compare with {points} {kind}"),
            ("pD", pd_, "Dbar less the deviance at the posterior mean fitted values"),
            ("DIC", dbar + pd_, None),
        ]
        if not by_arm:
            arms = f"flat baselines: {units} more; compare with {fit.network.n_arms} arms"
            totals += [
                ("Dbar (arms)", dbar + units, arms),
                ("pD (arms)", pd_ + units, None),
                ("DIC (arms)", dbar + pd_ + 2 * units, None),
            ]
        waic = -2.0 * float(density.sum() - parameters.sum())
        marginal = "study effects integrated out"
        totals += [
            ("WAIC", waic, marginal),
            ("p_WAIC", float(parameters.sum()), None),
            ("elpd_loo", float(elpd.sum()), f"exact leave-one-study-out, {marginal}"),
            (
                "log_marginal_likelihood",
                posterior.log_evidence,
                fit.specification.describe(fit.network, model),
            ),
        ]
        if (tau := posterior.heterogeneity) is not None:
            totals += [("tau mean", tau.mean, None), ("tau sd", tau.sd, None)]
        if ranking.benefit(fit.network) is not None:
            totals.append(("POTH", ranking.poth(fit.sucra(model)), "of the SUCRAs"))
        about = {"engine": fit.engine, "model": model}
        rows += [{**about, "quantity": q, "value": value, "note": note} for q, value, note in totals]
        own = {
            "deviance": deviance,
            "leverage": leverage,
            "data_points": influence.n_rows,
            "elpd_loo": elpd,
        }
        for quantity, values in own.items():
            rows += [
                {**about, "study": studies[study], "quantity": quantity, "value": float(value)}
                for study, value in zip(influence.study, values)
            ]
    return frame("fit", rows)


def weights(fit: ExactPosterior, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.weights`."""
    import pandas as pd

    net = fit.network
    treatment, versus = fit.pair_indices(pairs)
    names = np.array(net.treatments, dtype=object)
    found, ids = comparisons(net), contrast_ids(net)
    fit.refuse_long_weights(len(treatment), len(found.study))
    sources = [
        ids.get((*net.studies[s], frozenset((names[a], names[b]))), (None, None))
        for s, a, b in zip(found.study, found.first, found.second)
    ]
    parts = []
    for model, posterior in fit.posteriors.items():
        share = posterior.shares(contrasts_of(posterior, treatment, versus))
        p, r = np.nonzero(share)
        parts.append(
            frame(
                "weights",
                {
                    "engine": fit.engine,
                    "model": model,
                    "treatment": names[treatment[p]],
                    "versus": names[versus[p]],
                    "study": [net.studies[s][0] for s in found.study[r]],
                    "experiment": [net.studies[s][1] for s in found.study[r]],
                    "contrast_id": [sources[i][0] for i in r],
                    "estimate": found.estimate[r],
                    "std_error": np.sqrt(found.variance[r]),
                    "weight": share[p, r],
                    "measurement_ids": [sources[i][1] for i in r],
                },
            )
        )
    return pd.concat(parts, ignore_index=True)


def diagnostics(fit: ExactPosterior) -> pd.DataFrame:
    """See `analysis.network.exact.ExactFit.diagnostics`."""
    rows: list[dict[str, Any]] = []
    for model, posterior in fit.posteriors.items():
        about = {"engine": fit.engine, "model": model}
        rows.append(
            {
                **about,
                "parameter": "all effects and tau",
                "mcse": posterior.error,
                "note": "closed form"
                if posterior.heterogeneity is None
                else f"quadrature with {posterior.n_nodes} nodes; mcse is its error in posterior sd",
            }
        )
        if ranking.benefit(fit.network) is not None:
            error = ranking.sampling_error(fit.rank_chances[model], fit.n_draws)
            rows.append(
                {
                    **about,
                    "parameter": "rank probabilities",
                    "mcse": float(error.max()),
                    "note": f"{fit.n_draws} independent draws, seed {fit.seed}; the largest error",
                }
            )
    return frame("diagnostics", rows)


def summary_of(effects: NormalMixture) -> dict[str, Array]:
    """Cells of ``estimates``: mean, standard deviation, interval, two-sided tail probability."""
    lower, upper = effects.interval()
    return {
        "estimate": effects.mean,
        "std_error": effects.sd,
        "ci_lower": lower,
        "ci_upper": upper,
        "p_value": effects.tail_probability(),
    }


def _dic(influence: Influence) -> float:
    deviance, leverage = influence.deviance
    return float(deviance.sum() + leverage.sum())


def _split_summary(split: Split) -> dict[str, float]:
    lower, upper = split.difference.interval()
    return {
        "direct": float(split.direct.mean),
        "direct_std_error": float(split.direct.sd),
        "indirect": float(split.indirect.mean),
        "indirect_std_error": float(split.indirect.sd),
        "difference": float(split.difference.mean),
        "difference_std_error": float(split.difference.sd),
        "ci_lower": float(lower),
        "ci_upper": float(upper),
        "p_value": float(split.difference.tail_probability()),
    }
