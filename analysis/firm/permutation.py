"""Whether the cells of a multiverse agree more than chance makes them: signs of studies flipped at random.

Where no treatment has an effect, a study's contrasts are as likely as the same with the other sign (Follmann
and Proschan 1999, Biometrics 55:732-737). Cells share their studies, and so do the flips: what all cells say
together is held against what they would say together by chance (Simonsohn et al. 2020, Nat Hum Behav
4:1208-1214, section on joint inference).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asinh, inf, nan

import numpy as np

from analysis.network.data.network import Array, Network
from analysis.network.exact.engine import fit
from analysis.network.model import priors, quadrature
from analysis.network.model.rows import DesignRows
from analysis.network.model.specification import effect_scale

_NODES = 48
_AT_ONCE = 500
"""Flips at once: some 10 MB a set of data."""


def flipped(sets: Sequence[Network], pairs: Sequence[tuple[str, str]], flips: int, seed: int) -> list[float]:
    """Hold what all sets of data say of each comparison against flips of the studies' signs.

    The statistic of a set is the posterior mean of the comparison, with random effects, tau uniform up to the
    largest effect (which no flip changes) and flat effects, over the standard deviation that it has as
    observed: flips make studies disagree, and a standard deviation of their own would credit a comparison
    with the agreement of others. Of the sets together it is the absolute median.

    Parameters
    ----------
    sets : sequence of Network
        The distinct sets of data behind the cells.
    pairs : sequence of (treatment, versus)
    flips : int
    seed : int

    Returns
    -------
    list of float
        p-value of each pair; NaN where no set has the comparison. One that rests on a single study has 1:
        its sign alone shows nothing.
    """
    names = sorted({study for net in sets for study, _ in net.studies})
    place = {name: index for index, name in enumerate(names)}
    rng = np.random.default_rng(seed)
    # The first is what was observed: it counts among its permutations.
    signs = np.concatenate([np.ones((1, len(names))), rng.choice([-1.0, 1.0], (flips, len(names)))])
    values = np.full((len(sets), len(pairs), flips + 1), nan)
    for i, net in enumerate(sets):
        index = {name: number for number, name in enumerate(net.treatments)}
        there = [k for k, pair in enumerate(pairs) if set(pair) <= index.keys()]
        if not there:
            continue
        rows = fit(net, model="common", effect_prior_sd=inf).posteriors["common"].rows
        study = np.array([place[name] for name, _ in net.studies])
        own = np.empty((len(there), 1))
        contrasts = np.array([[index[name] for name in pairs[k]] for k in there])
        for start in range(0, flips + 1, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            means, sds = _means(rows, net, signs[part][:, study], contrasts)
            own = sds[:, :1] if start == 0 else own
            values[i, there, part] = means / own
    return [_p_value(values[:, k]) for k in range(len(pairs))]


def _p_value(values: Array) -> float:
    known = values[np.isfinite(values).all(1)]
    if not len(known):
        return nan
    median = np.abs(np.median(known, axis=0))
    # Sums in another order differ in their last digits: a tie is a tie.
    return float((median >= median[0] * (1 - 1e-9)).mean())


def _means(rows: DesignRows, net: Network, signs: Array, contrasts: Array) -> tuple[Array, Array]:
    """Posterior mean and standard deviation of each comparison under each flip, (c, P)."""
    scale = float(rows.theta.max() ** -0.5)
    prior = priors.Uniform(upper=effect_scale(net))
    where = quadrature.Coordinate(scale, logarithmic=False)
    span = quadrature.Range(0.0, asinh(prior.upper / scale), True, True, False)
    rule = quadrature.nodes(prior, where, span, _NODES)
    solved = rows.solve(rule.tau)
    own = np.concatenate([np.repeat(block.study, block.y.shape[1]) for block in rows.blocks])
    data = rows.y[:, None] * signs.T[own]
    # Squares know no sign: of the likelihood only what the coefficients explain changes.
    half = np.array(
        [
            root @ rows.score(weight[:, None] * data).T
            for root, weight in zip(solved.root, solved.weights.T, strict=True)
        ]
    )
    explained = (half**2).sum(1)
    plain = rows.score(solved.weights * rows.y[:, None])
    observed = (np.einsum("jpq,jq->jp", solved.root, plain) ** 2).sum(1)
    log_mass = (rule.log_weight + solved.log_likelihood)[:, None] + 0.5 * (explained - observed[:, None])
    mass = np.exp(log_mass - log_mass.max(0))
    mass /= mass.sum(0)
    treatments = rows.design.treatments
    assert treatments is not None
    wanted = treatments[contrasts[:, 0]] - treatments[contrasts[:, 1]]
    loaded = solved.root @ wanted.T
    mean = np.einsum("jpc,jpf->jcf", loaded, half)
    variance = (loaded**2).sum(1)[:, :, None]
    center = np.einsum("jf,jcf->cf", mass, mean)
    square = np.einsum("jf,jcf->cf", mass, variance + mean**2)
    return center, np.sqrt(square - center**2)
