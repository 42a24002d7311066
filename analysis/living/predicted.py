"""Whether studies that do not exist yet would change a conclusion: truth and data are drawn, and refitted.

Of a network the truth is a draw of the exact posterior (effects and tau together), and the refit is exact: at
every node of tau the new data are added in closed form, and the node's weight follows their predictive
density. Of a pairwise analysis it is a draw of what its interval says of the mean (normal, or t where the
interval is), with tau as estimated, and the analysis is carried out anew, tau included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import verdict
from evidence.errors import CallError, RefusedError
from evidence.system.frames import records

if TYPE_CHECKING:
    from analysis.network.data.network import Network
    from analysis.network.exact import ExactFit
    from analysis.pairwise import PairwiseFit
    from analysis.pairwise.model.rows import EffectRows

Array = np.ndarray

Item = tuple[str | None, str | None, str, str]
"""Treatment, versus, conclusion, and what it is now."""

TAIL = 0.025
NO_EFFECT = "interval and no effect"
IMPORTANT = "interval and smallest important difference"
FIRST_RANK = "first rank"
ANY = "any of these"
UNDRAWN = 9
"""State of an interval from which no conclusion is drawn."""


@dataclass(frozen=True)
class Changes:
    """What new studies would change.

    Attributes
    ----------
    items : list of (treatment, versus, conclusion, now)
        The conclusions; the last is that any of them changes.
    changed : (draws, m) bool array
        Whether each changes, by draw.
    n : float or None
        Size of each new study; None where the review does not say sizes: as precise as its median one.
    notes : tuple of str
        What was assumed.
    """

    items: list[Item]
    changed: Array
    n: float | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        items: list[Item],
        changed: Array,
        n: float | None,
        notes: Sequence[str],
    ) -> Changes:
        """Add that any conclusion changes, where there are several."""
        if len(items) > 1:
            items = [*items, (None, None, ANY, "")]
            changed = np.column_stack([changed, changed.any(1)])
        return cls(items, changed, n, tuple(notes))

    @property
    def probability(self) -> Array:
        """Share of the draws in which each changes, (m,)."""
        return self.changed.mean(0)

    @property
    def error(self) -> Array:
        """Monte Carlo standard error of each, (m,): never 0, as one draw more could have been another."""
        k, draws = self.changed.sum(0), len(self.changed)
        share = (k + 1) / (draws + 2)
        return np.sqrt(share * (1 - share) / (draws + 3))


# --- pairwise -----------------------------------------------------------------------------------------------


def pairwise_changes(
    fit: PairwiseFit,
    *,
    studies: int = 1,
    n: float | None = None,
    draws: int = 1000,
    seed: int = 1,
    model: str = "random",
    margin: float | None = None,
) -> Changes:
    """Count how often new studies would change the conclusion of a pairwise meta-analysis.

    Parameters
    ----------
    fit : PairwiseFit
        Pooled by inverse variance; by another method, inverse variance stands for it, which a note says.
    studies : int
        How many new studies.
    n : float, optional
        Participants or animals in each; the median of the review's studies without it. The sampling variance
        is the median of variance times size of the review's contrasts, divided by `n`.
    draws, seed : int
        Of the simulation.
    model : {"random", "common"}
    margin : float, optional
        Smallest important difference on the analysis scale.

    Returns
    -------
    Changes

    Raises
    ------
    CallError
        If a size is asked for and the review does not say its own.
    RefusedError
        If the effect or tau cannot be estimated.
    """
    variance, n = _usual_variance(fit, n)
    now = fit.inverse_variance.pooled[model == "random"]
    tau2 = fit.tau2 if model == "random" else 0.0
    if not np.isfinite(tau2):
        raise RefusedError("tau cannot be estimated from these studies: nothing can be said of new ones.")
    centre, spread = float(now.effect.estimate[0]), float(np.sqrt(now.effect.covariance[0, 0]))
    df = float(np.atleast_1d(now.effect.df)[0])
    rng = np.random.default_rng(seed)
    standard = rng.standard_normal(draws) if not np.isfinite(df) else rng.standard_t(df, draws)
    truth = centre + spread * standard
    y = truth[:, None] + np.sqrt(tau2 + variance) * rng.standard_normal((draws, studies))
    thresholds = (0.0,) if margin is None else (0.0, -margin, margin)
    before = _states(fit, fit.rows, model, thresholds)
    after = np.array([_states(fit, _with(fit.rows, some, variance), model, thresholds) for some in y])
    labels = (fit.contrasts.treatment, fit.contrasts.versus)
    items: list[Item] = [(*labels, NO_EFFECT, _said(before[0]))]
    changed = [after[:, 0] != before[0]]
    if margin is not None:
        items.append((*labels, IMPORTANT, _important(before[1:])))
        changed.append((after[:, 1:] != before[1:]).any(1))
    shape = "t" if np.isfinite(df) else "normal"
    notes = [f"truth: mean {shape} about the estimate, tau as estimated"]
    if instead := fit.instead(model):
        notes.append(f"refitted {instead}")
    return Changes.of(items, np.column_stack(changed), n, notes)


def _usual_variance(fit: PairwiseFit, n: float | None) -> tuple[float, float | None]:
    """Find the sampling variance of a new study, and its size."""
    variance = np.asarray(fit.assembly.variance, dtype=float)
    frame = fit.assembly.contrasts.frame
    sizes = frame["n_a"].to_numpy(dtype=float) + frame["n_b"].to_numpy(dtype=float)
    known = np.isfinite(sizes) & (sizes > 0)
    if not known.any():
        if n is not None:
            raise CallError(
                "The review's studies do not say their sizes, so none can be chosen: leave --n out."
            )
        return float(np.median(variance)), None
    size = float(np.median(sizes[known])) if n is None else float(n)
    return float(np.median(variance[known] * sizes[known])) / size, size


def _with(rows: EffectRows, y: Array, variance: float) -> EffectRows:
    """Add independent studies to the rows of an analysis."""
    more = len(y)
    return replace(
        rows,
        y=np.append(rows.y, y),
        v=np.append(rows.v, np.full(more, variance)),
        X=np.concatenate([rows.X, np.ones((more, 1))]),
        study=np.append(rows.study, rows.study.max(initial=-1) + 1 + np.arange(more)),
    )


def _states(fit: PairwiseFit, rows: EffectRows, model: str, thresholds: Sequence[float]) -> list[int]:
    """Give the side of each threshold on which the concluding interval lies: 1, -1, or 0 for both."""
    from analysis.pairwise.pooling import InverseVariance

    pooled = InverseVariance(replace(fit.assembly, rows=rows), fit.options, fit.contrasts.measure)
    found = pooled.common() if model == "common" else pooled.random()
    row = {
        "ci_lower": float(found.effect.ci_lower[0]),
        "ci_upper": float(found.effect.ci_upper[0]),
        "adhoc_lower": found.adhoc[0],
        "adhoc_upper": found.adhoc[1],
        "no_verdict": found.no_verdict,
    }
    limits = verdict.concluding(row)
    if limits is None:
        return [UNDRAWN] * len(thresholds)
    return [1 if limits[0] > at else -1 if limits[1] < at else 0 for at in thresholds]


def _said(state: int) -> str:
    if state == UNDRAWN:
        return "no conclusion is drawn"
    return "includes no effect" if state == 0 else "excludes no effect"


def _important(states: Sequence[int]) -> str:
    if UNDRAWN in states:
        return "no conclusion is drawn"
    if 0 not in states:
        return "all of it smaller" if tuple(states) == (1, -1) else "all of it larger"
    return "includes larger and smaller differences"


# --- network ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Template:
    """A study of the review, as a new one would be: its arms, and the covariance of its contrasts."""

    treatment: Array
    S: Array
    n: float | None


def network_changes(
    fit: ExactFit,
    *,
    studies: int = 1,
    n: float | None = None,
    draws: int = 1000,
    seed: int = 1,
    model: str = "random",
) -> Changes:
    """Count how often new studies would change a conclusion of a network.

    Parameters
    ----------
    fit : ExactFit
        Of a network; of a meta-regression, new studies stand at the covariates' centre.
    studies : int
        How many new studies. Each has the arms of a study of the review, drawn with equal chances.
    n : float, optional
        Participants or animals in each, of all arms; the median of the review's studies without it. The
        covariance of its contrasts is that of the study it is like, times that one's size over `n`.
    draws, seed : int
        Of the simulation.
    model : {"random", "common"}

    Returns
    -------
    Changes
        Of each treatment against the reference, and of the first rank by SUCRA where there is a direction.

    Raises
    ------
    CallError
        If a size is asked for and the review does not say its own.
    """
    from analysis.network import ranking
    from analysis.network.data.network import pairs_of

    net = fit.network
    templates, n, notes = _templates(net, n)
    updating = _Updating(fit, model)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.integers(len(templates), size=(draws, studies)), axis=1)
    coefficients, tau = fit.posteriors[model].draws(draws, int(rng.integers(2**31)))
    order = rng.permutation(draws)
    coefficients, tau = coefficients[order], tau[order]
    versus, treatment = pairs_of(len(net.treatments))
    margin = net.smallest_important_difference
    thresholds = [0.0] if margin is None else [0.0, -margin, margin]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for draw, group in enumerate(map(tuple, chosen.tolist())):
        groups[group].append(draw)
    below = np.empty((len(thresholds), draws, len(treatment)))
    for group in sorted(groups):
        members = np.array(groups[group])
        some = [templates[i] for i in group]
        y = _new_data(some, updating.treatments, coefficients[members], tau[members], n, rng)
        below[:, members] = updating.below(some, n, y, thresholds)
    now = updating.below_now(thresholds)
    of_reference = np.flatnonzero(versus == 0)
    states, before = _sides(below)[..., of_reference], _sides(now)[..., of_reference]
    names = [(net.treatments[t], net.reference) for t in treatment[of_reference]]
    items: list[Item] = [
        (*pair, NO_EFFECT, _said(int(state))) for pair, state in zip(names, before[0], strict=True)
    ]
    changed = [states[0] != before[0]]
    if margin is not None:
        items += [(*pair, IMPORTANT, _important(before[1:, i].tolist())) for i, pair in enumerate(names)]
        changed.append((states[1:] != before[1:, None]).any(0))
    if (sign := ranking.benefit(net)) is not None:
        first = _first(np.concatenate([now[:1], below[0]]), sign, treatment, versus, len(net.treatments))
        items.append((net.treatments[first[0]], None, FIRST_RANK, f"{net.treatments[first[0]]} is first"))
        changed.append((first[1:] != first[0])[:, None])
    return Changes.of(items, np.concatenate(changed, axis=1), n, notes)


def _templates(net: Network, n: float | None) -> tuple[list[_Template], float | None, list[str]]:
    """Studies of the review as new ones would be, and the size of these."""
    sizes = _sizes(net)
    found = [
        _Template(block.treatment[i], block.S[i], sizes.get(net.studies[int(study)]))
        for block in net.blocks
        for i, study in enumerate(block.study)
    ]
    known = [template for template in found if template.n]
    notes = [
        "truth: effects and tau drawn from the exact posterior",
        "new studies have the arms of the review's",
    ]
    if not known:
        if n is not None:
            raise CallError(
                "The review's studies do not say their sizes, so none can be chosen: leave --n out."
            )
        return found, None, notes
    if len(known) < len(found):
        notes.append(f"{len(found) - len(known)} studies do not say their size: new ones are like the others")
    size = float(np.median([template.n or 0.0 for template in known])) if n is None else float(n)
    return known, size, notes


def _sizes(net: Network) -> dict[tuple[str, str], float]:
    """Participants or animals of each unit of randomisation, where every arm says how many."""
    arms: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    if net.contrasts is None:
        return {}
    for row in records(net.contrasts):
        for side in "ab":
            value = row.get(f"n_{side}")
            arms[row["study"], row["experiment"]][str(row.get(f"arm_{side}"))] = (
                float("nan") if value is None else value
            )
    return {unit: total for unit, of in arms.items() if np.isfinite(total := sum(of.values())) and total > 0}


def _covariance(some: Sequence[_Template], n: float | None) -> Array:
    """Find the sampling covariance of the contrasts of new studies, (m, m)."""
    from scipy.linalg import block_diag

    return block_diag(
        *(template.S * (1.0 if n is None or not template.n else template.n / n) for template in some)
    )


def _heterogeneity(some: Sequence[_Template]) -> Array:
    """Covariance of the study effects of new studies for tau = 1, (m, m)."""
    from scipy.linalg import block_diag

    return block_diag(*((np.eye(len(template.S)) + 1.0) / 2.0 for template in some))


def _design(some: Sequence[_Template], treatments: Array) -> Array:
    """Contrasts of new studies in the coefficients, (m, p)."""
    return np.concatenate(
        [treatments[template.treatment[1:]] - treatments[template.treatment[0]] for template in some]
    )


def _new_data(
    some: Sequence[_Template],
    treatments: Array,
    coefficients: Array,
    tau: Array,
    n: float | None,
    rng: np.random.Generator,
) -> Array:
    """Draw the contrasts of new studies, (draws, m)."""
    mean = coefficients @ _design(some, treatments).T
    sampling = np.linalg.cholesky(_covariance(some, n))
    between = np.linalg.cholesky(_heterogeneity(some))
    shape = mean.shape
    return (
        mean
        + rng.standard_normal(shape) @ sampling.T
        + tau[:, None] * (rng.standard_normal(shape) @ between.T)
    )


class _Updating:
    """The exact posterior with more data: closed form at every node of tau, whose weights are changed."""

    def __init__(self, fit: ExactFit, model: str) -> None:
        from analysis.network.data.network import pairs_of

        posterior = fit.posteriors[model]
        treatments = posterior.rows.design.treatments
        assert treatments is not None
        self.treatments: Array = treatments
        kept = np.flatnonzero(posterior.weights > 1e-14)
        solution = posterior.solution
        self.log_weights = np.log(posterior.weights[kept])
        self.tau, self.mean, root = solution.tau[kept], solution.coefficients[kept], solution.root[kept]
        self.covariance = root.swapaxes(1, 2) @ root
        versus, treatment = pairs_of(len(treatments))
        self.pairs = treatments[treatment] - treatments[versus]
        self.variance = np.einsum("cp,jpq,cq->jc", self.pairs, self.covariance, self.pairs)

    def below_now(self, thresholds: Sequence[float]) -> Array:
        """Posterior probability of each pair's effect below each threshold, (thresholds, pairs)."""
        weights = np.exp(self.log_weights)[None]
        means = (self.mean @ self.pairs.T)[None]
        return _below(weights / weights.sum(), means, np.sqrt(self.variance), thresholds)[:, 0]

    def below(
        self, some: Sequence[_Template], n: float | None, y: Array, thresholds: Sequence[float]
    ) -> Array:
        """Give the same after new studies have been seen, (thresholds, draws, pairs), for y (draws, m)."""
        design = _design(some, self.treatments)
        spread = design @ self.covariance
        added = _covariance(some, n) + self.tau[:, None, None] ** 2 * _heterogeneity(some)
        predicted = spread @ design.T + added
        inverse = np.linalg.inv(predicted)
        gain = (self.pairs @ self.covariance @ design.T) @ inverse
        variance = self.variance - np.einsum("jcm,jcm->jc", gain, self.pairs @ self.covariance @ design.T)
        error = y[:, None, :] - (self.mean @ design.T)[None]
        distance = np.einsum("djm,jmk,djk->dj", error, inverse, error)
        log_weights = self.log_weights - 0.5 * (distance + np.linalg.slogdet(predicted)[1])
        weights = np.exp(log_weights - log_weights.max(1, keepdims=True))
        means = (self.mean @ self.pairs.T)[None] + np.einsum("djm,jcm->djc", error, gain)
        return _below(weights / weights.sum(1, keepdims=True), means, np.sqrt(variance), thresholds)


def _below(weights: Array, means: Array, sds: Array, thresholds: Sequence[float]) -> Array:
    """Probability below each threshold of mixtures of normals, (thresholds, draws, pairs)."""
    from scipy.special import ndtr

    return np.array([np.einsum("dj,djc->dc", weights, ndtr((at - means) / sds)) for at in thresholds])


def _sides(below: Array) -> Array:
    """Give the side of a threshold on which the 95 % interval lies: 1, -1, or 0 for both."""
    return (below < TAIL).astype(int) - (below > 1 - TAIL)


def _first(below: Array, sign: float, treatment: Array, versus: Array, n: int) -> Array:
    """Treatment of the highest SUCRA for each of d rows of probabilities (d, pairs)."""
    wins = 1 - below if sign > 0 else below
    score = np.zeros((len(below), n))
    for pair, (a, b) in enumerate(zip(treatment, versus, strict=True)):
        score[:, a] += wins[:, pair]
        score[:, b] += 1 - wins[:, pair]
    return score.argmax(1)


def described(items: Changes) -> list[dict[str, Any]]:
    """Tabulate the conclusions: treatment, versus, conclusion, now, probability, mcse."""
    return [
        {
            "treatment": treatment,
            "versus": versus,
            "conclusion": conclusion,
            "now": now or None,
            "probability": float(probability),
            "mcse": float(error),
        }
        for (treatment, versus, conclusion, now), probability, error in zip(
            items.items, items.probability, items.error, strict=True
        )
    ]
