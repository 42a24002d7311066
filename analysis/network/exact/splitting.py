"""Node-splits: whether the direct evidence on a comparison is at odds with the rest of the network.

Splitting a comparison appends one column z to the model, whose coefficient omega is the direct less the
indirect effect. Bordering the fitted model with z gives the split model at every node of tau without
refitting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.network.exact.influence import IDENTIFIED, TAIL
from analysis.network.model import predictors
from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior, fixed, integrate, reweighted, tail_left
from analysis.network.model.rows import DesignRows

Array = np.ndarray


@dataclass(frozen=True)
class Split:
    """One comparison split into direct and indirect evidence.

    Attributes
    ----------
    pair : (int, int)
        Treatments a, b; effects are b minus a.
    direct, indirect, difference : NormalMixture
        Each a single mixture.
    tau : float
        Posterior mean of the heterogeneity in the split model.
    log_evidence : float
        Log marginal likelihood of the split model.
    """

    pair: tuple[int, int]
    direct: NormalMixture
    indirect: NormalMixture
    difference: NormalMixture
    tau: float
    log_evidence: float


def node_split(posterior: Posterior, pair: tuple[int, int], effect_sd: float) -> Split:
    """Split one comparison.

    Parameters
    ----------
    posterior : Posterior
        Of the consistency model.
    pair : (int, int)
        Treatments a < b with direct evidence and independent indirect evidence. The inconsistency is added
        to the effects of arm b in every study that holds both; in multi-arm studies it matters which arm
        that is.
    effect_sd : float
        Prior standard deviation of the inconsistency.

    Returns
    -------
    Split
    """
    rows, solution = posterior.rows, posterior.solution
    a, b = pair
    index, column = _column(rows, pair)
    x, weights = rows.matrix[index], solution.weights[index]
    weighted = weights * column[:, None]
    g = weighted.T @ x
    pg = (solution.root.swapaxes(1, 2) @ (solution.root @ g[:, :, None]))[:, :, 0]
    own = weighted.T @ column + effect_sd**-2.0
    s = own - (g * pg).sum(1)
    seen = posterior.weights > 1e-12
    # Standard errors of very different sizes leave no digit of a variance that is a difference.
    if (s <= 0).any() or (s[seen] / own[seen]).min() < IDENTIFIED:
        return refitted_split(posterior, pair, effect_sd)
    omega = (weighted * solution.residual[index]).sum(0) / s
    log_ratio = 0.5 * (omega**2 * s - np.log(s))
    node_weights = reweighted(posterior, log_ratio)
    if tail_left(posterior, node_weights) > TAIL:
        return refitted_split(posterior, pair, effect_sd)
    assert rows.design.treatments is not None
    contrast = rows.design.treatments[b] - rows.design.treatments[a]
    along = pg @ contrast
    half = solution.root @ contrast
    spread = (half**2).sum(1)
    mean = solution.coefficients @ contrast - along * omega

    def mixture(means: Array, variances: Array) -> NormalMixture:
        return NormalMixture(node_weights, means, np.sqrt(variances))

    flat = not np.isfinite(effect_sd)
    evidence = (
        np.nan
        if flat
        else posterior.log_evidence
        + float(
            np.log(posterior.weights @ np.exp(log_ratio - log_ratio.max()))
            + log_ratio.max()
            - np.log(effect_sd)
        )
    )
    return Split(
        pair,
        mixture(mean + omega, spread + (1.0 - along) ** 2 / s),
        mixture(mean, spread + along**2 / s),
        mixture(omega, 1.0 / s),
        float(node_weights @ solution.tau),
        evidence,
    )


def _column(rows: DesignRows, pair: tuple[int, int]) -> tuple[Array, Array]:
    """Rows of the studies that hold both treatments, and the column that stands for their inconsistency."""
    a, b = pair
    index, column = [], []
    for block, offset in zip(rows.blocks, rows.offsets):
        study = np.flatnonzero((block.treatment == a).any(1) & (block.treatment == b).any(1))
        if len(study):
            arm = (block.treatment[study] == b).astype(float)
            q = block.y.shape[1]
            column.append((block.arm_coefficients[study] @ arm[:, :, None])[:, :, 0].ravel())
            index.append((offset + study[:, None] * q + np.arange(q)).ravel())
    return np.concatenate(index), np.concatenate(column)


def refitted_split(posterior: Posterior, pair: tuple[int, int], effect_sd: float) -> Split:
    """Fit the split model itself, where bordering would lose digits."""
    rows, treatments = posterior.rows, posterior.rows.design.treatments
    assert treatments is not None
    a, b = pair
    if len(rows.design.vectors) == len(treatments):
        design, difference = predictors.split_along_tree(rows.blocks, len(treatments), pair, effect_sd)
    else:
        design = predictors.split(rows.design, rows.blocks, pair, effect_sd)
        difference = np.eye(design.vectors.shape[1])[-1]
    extended = DesignRows(rows.blocks, design)
    if posterior.prior is None:
        fit = fixed(extended, float(posterior.solution.tau[0]))
    else:
        fit = integrate(extended, posterior.prior)
    assert design.treatments is not None
    indirect = design.treatments[b] - design.treatments[a]
    effects = fit.effects(np.stack([indirect + difference, indirect, difference]))
    single = [NormalMixture(effects.weights, effects.means[i], effects.sds[i]) for i in range(3)]
    return Split(
        pair, single[0], single[1], single[2], float(fit.weights @ fit.solution.tau), fit.log_evidence
    )
