"""Linear predictors of the arms: consistency, unrelated mean effects, meta-regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isinf, log

import numpy as np

from analysis.network.data.network import pairs_of
from analysis.network.model.rows import BlockRows, Design

Array = np.ndarray


def spanning_tree(blocks: Sequence[BlockRows], n_treatments: int, effect_sd: float) -> Array:
    """Write each treatment's effect against the reference as a path along the most precise comparisons.

    Coefficients that follow a maximum spanning tree keep the information matrix close to diagonal however
    far apart the studies' precisions are; those against one reference do not. Heterogeneity keeps the order
    of precisions, so one tree is right for every tau.

    Parameters
    ----------
    blocks : sequence of BlockRows
    n_treatments : int
    effect_sd : float
        Prior standard deviation of the effects against the reference, which link every treatment to it.

    Returns
    -------
    (n_treatments, p) array of 0 and 1
        Row t: the path from the reference (treatment 0) to treatment t. p is n_treatments - 1, less with flat
        priors for every part of the network that nothing links to the reference.
    """
    precision = np.zeros((n_treatments, n_treatments))
    for block in blocks:
        i, j = pairs_of(block.treatment.shape[1])
        c = block.arm_coefficients
        weight = np.maximum(-(c[:, :, i] * c[:, :, j]).sum(1), 0.0)
        np.add.at(precision, (block.treatment[:, i], block.treatment[:, j]), weight)
    precision += precision.T
    precision[0, 1:] += effect_sd**-2.0
    precision[1:, 0] = precision[0, 1:]
    path = np.zeros((n_treatments, n_treatments - 1))
    outside = np.ones(n_treatments, dtype=bool)
    outside[0] = False
    link, parent = precision[0].copy(), np.zeros(n_treatments, dtype=int)
    for _ in range(n_treatments - 1):
        t = int(np.argmax(np.where(outside, link, -1.0)))
        outside[t] = False
        path[t] = path[parent[t]]
        path[t, t - 1] = 1.0
        nearer = outside & (precision[t] > link)
        link[nearer], parent[nearer] = precision[t, nearer], t
    return path[:, link[1:] > 0]


def consistency(blocks: Sequence[BlockRows], n_treatments: int, effect_sd: float) -> Design:
    """One effect per treatment against the reference; all studies, whatever they compare, estimate these.

    Parameters
    ----------
    blocks : sequence of BlockRows
    n_treatments : int
    effect_sd : float
        Prior standard deviation of each effect against the reference; infinity for a flat prior.

    Returns
    -------
    Design
        With one key per treatment.
    """
    path = spanning_tree(blocks, n_treatments, effect_sd)
    return Design(
        tuple(block.treatment for block in blocks),
        path,
        path.T @ path * effect_sd**-2.0,
        0.0 if isinf(effect_sd) else -2.0 * log(effect_sd) * (n_treatments - 1),
        path,
    )


def unrelated_mean_effects(blocks: Sequence[BlockRows], effect_sd: float) -> tuple[Design, Array]:
    """One effect for every pair of base arm and further arm: no consistency (Dias et al. 2011, TSD 4).

    In multi-arm studies the model depends on which arm is the base arm: here the network's reference where
    the study has it, else the first treatment in alphabetical order.

    Parameters
    ----------
    blocks : sequence of BlockRows
    effect_sd : float
        Prior standard deviation of each effect.

    Returns
    -------
    Design
        With one coefficient per pair.
    (p, 2) int array
        Base treatment and treatment of each coefficient, ascending.
    """
    pairs = [np.stack(np.broadcast_arrays(b.treatment[:, :1], b.treatment[:, 1:]), axis=-1) for b in blocks]
    distinct, index = np.unique(
        np.concatenate([p.reshape(-1, 2) for p in pairs]), axis=0, return_inverse=True
    )
    ends = np.cumsum([0, *(p.shape[0] * p.shape[1] for p in pairs)])
    keys = []
    for pair, start, end in zip(pairs, ends, ends[1:]):
        own = index.ravel()[start:end].reshape(pair.shape[:2]) + 1
        keys.append(np.concatenate([np.zeros((len(own), 1), dtype=int), own], axis=1))
    p = len(distinct)
    design = Design(
        tuple(keys),
        np.concatenate([np.zeros((1, p)), np.eye(p)]),
        np.eye(p) * effect_sd**-2.0,
        0.0 if isinf(effect_sd) else -2.0 * log(effect_sd) * p,
    )
    return design, distinct


def split(base: Design, blocks: Sequence[BlockRows], pair: tuple[int, int], effect_sd: float) -> Design:
    """Consistency but for one comparison, whose direct evidence may differ (Dias et al. 2010).

    Parameters
    ----------
    base : Design
        The consistency design.
    blocks : sequence of BlockRows
    pair : (int, int)
        The treatments a, b: every arm of b in a study that holds both has the inconsistency added to its
        effect.
    effect_sd : float
        Prior standard deviation of the inconsistency.

    Returns
    -------
    Design
        The last coefficient is the inconsistency: direct less indirect effect of b against a.
    """
    a, b = pair
    n, p = base.vectors.shape
    keys = []
    for block, key in zip(blocks, base.key):
        both = (block.treatment == a).any(1) & (block.treatment == b).any(1)
        keys.append(np.where(both[:, None] & (block.treatment == b), key + n, key))
    vectors = np.zeros((2 * n, p + 1))
    vectors[:n, :p] = vectors[n:, :p] = base.vectors
    vectors[n:, p] = 1.0
    precision = np.zeros((p + 1, p + 1))
    precision[:p, :p] = base.precision
    precision[p, p] = effect_sd**-2.0
    log_precision = base.log_precision - (0.0 if isinf(effect_sd) else 2.0 * log(effect_sd))
    return Design(tuple(keys), vectors, precision, log_precision, _widened(base.treatments, 1))


def split_along_tree(
    blocks: Sequence[BlockRows], n_treatments: int, pair: tuple[int, int], effect_sd: float
) -> tuple[Design, Array]:
    """Write the model of `split` in coefficients that follow the most precise comparisons once it is split.

    The arms of b beside a are a node of their own, as in White (2015): where standard errors differ by many
    powers of ten, the inconsistency as a coefficient would lose all digits.

    Parameters
    ----------
    blocks : sequence of BlockRows
    n_treatments : int
    pair : (int, int)
        The treatments a, b.
    effect_sd : float
        Prior standard deviation of the inconsistency, and of the effects against the reference.

    Returns
    -------
    Design
        With a key for every treatment, and one for b beside a.
    (p,) array
        The inconsistency in these coefficients.
    """
    a, b = pair
    parted = []
    for block in blocks:
        both = (block.treatment == a).any(1) & (block.treatment == b).any(1)
        own = both[:, None] & (block.treatment == b)
        parted.append(replace(block, treatment=np.where(own, n_treatments, block.treatment)))
    path = spanning_tree(parted, n_treatments + 1, effect_sd)
    inconsistency = path[n_treatments] - path[b]
    effects = np.concatenate([path[:n_treatments], inconsistency[None]])
    design = Design(
        tuple(block.treatment for block in parted),
        path,
        effects.T @ effects * effect_sd**-2.0,
        0.0 if isinf(effect_sd) else -2.0 * log(effect_sd) * n_treatments,
        path[:n_treatments],
    )
    return design, inconsistency


def _widened(treatments: Array | None, columns: int) -> Array | None:
    """Append coefficients that the treatments' own effects do not depend on."""
    return None if treatments is None else np.pad(treatments, ((0, 0), (0, columns)))


def regression(
    base: Design, blocks: Sequence[BlockRows], values: Array, by_treatment: bool, slope_sd: Array
) -> Design:
    """Consistency with treatment-by-covariate interactions against the reference (Dias et al. 2013, TSD 3).

    Parameters
    ----------
    base : Design
        The consistency design.
    blocks : sequence of BlockRows
    values : (n_studies, c) array
        Centred covariates of each unit of randomisation.
    by_treatment : bool
        A slope for every treatment; otherwise one slope shared by all treatments against the reference.
    slope_sd : (c,) array
        Prior standard deviations of the slopes.

    Returns
    -------
    Design
        Slopes follow the effects: covariate by covariate, within it treatment by treatment.
    """
    contrast = interactions(len(base.vectors), by_treatment)
    p = base.vectors.shape[1]
    keys, vectors, start = [], [], 0
    for block in blocks:
        s, k = block.treatment.shape
        slopes = values[block.study][:, None, :, None] * contrast[block.treatment][:, :, None, :]
        both = np.concatenate([base.vectors[block.treatment], slopes.reshape(s, k, -1)], axis=2)
        vectors.append(both.reshape(s * k, -1))
        keys.append(start + np.arange(s * k).reshape(s, k))
        start += s * k
    slope_precision = np.repeat(slope_sd, contrast.shape[1]) ** -2.0
    precision = np.zeros((p + len(slope_precision),) * 2)
    precision[:p, :p] = base.precision
    precision[p:, p:] = np.diag(slope_precision)
    log_precision = base.log_precision + float(np.log(slope_precision[slope_precision > 0]).sum())
    treatments = _widened(base.treatments, len(slope_precision))
    return Design(tuple(keys), np.concatenate(vectors), precision, log_precision, treatments)


def interactions(n_treatments: int, by_treatment: bool) -> Array:
    """Write the slope of each treatment as a combination of the slopes of one covariate, (T, c)."""
    if by_treatment:
        return np.eye(n_treatments)[:, 1:]
    return (np.arange(n_treatments) > 0).astype(float)[:, None]
