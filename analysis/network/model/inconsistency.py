"""Do the studies agree with each other: within designs, between designs, direct with indirect evidence.

A *design* is the set of treatments that a study compares. Heterogeneity is disagreement of studies of one
design, inconsistency disagreement of designs (Krahn, Binder and König 2013, doi:10.1186/1471-2288-13-35).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.network.data.deletion import cut_off
from analysis.network.data.graph import design_name
from analysis.network.data.network import Array, Block, Network
from analysis.network.model.downdate import LEAST, Deletions
from analysis.network.model.gls import Gls, moment_estimate
from analysis.network.model.rows import heterogeneity_correlation
from analysis.network.model.sources import Sources
from analysis.network.protocol import QTest, TauSummary
from evidence.output import figures
from evidence.system.memory import FEWER, refuse_without_room

DIC_MATTERS = 3.0
"""A DIC lower by this much or less is not called better (Dias et al. 2013, doi:10.1177/0272989X12455847)."""
NOTHING_TO_CHECK = "no comparison has both direct and independent indirect evidence: nothing to check"


def against_unrelated(
    found: Sources,
    consistent: float,
    unrelated: float,
    taus: tuple[TauSummary | None, TauSummary | None],
    *,
    log_bayes: float = np.nan,
    effect_sd: float = np.nan,
) -> tuple[str, float]:
    """Set the model with consistency against that of unrelated mean effects, in words and as a number.

    Parameters
    ----------
    found : Sources
        Of the network and model.
    consistent, unrelated : float
        DIC of the two models.
    taus : (TauSummary or None, TauSummary or None)
        Their heterogeneity.
    log_bayes : float
        Log Bayes factor for consistency, where there is one.
    effect_sd : float
        Prior standard deviation of the effects in both.

    Returns
    -------
    str
        The two, and what they say.
    float
        DIC of the first less that of the second; above 0 where the data ask for inconsistency.
    """
    difference = consistent - unrelated
    if not found.checkable:
        reading = NOTHING_TO_CHECK
    elif difference > DIC_MATTERS:
        reading = f"better without by more than {DIC_MATTERS:g}: a sign of inconsistency"
    else:
        reading = f"without is not better by more than {DIC_MATTERS:g}: no sign of inconsistency"
    text = f"DIC {consistent:.2f} with consistency, {unrelated:.2f} without ({reading})"
    here, there = taus
    if here is not None and there is not None:
        text += f"; tau {here.median:.4g} with consistency, {there.median:.4g} without"
    if np.isfinite(log_bayes):
        prior = f"normal(0, {effect_sd:.4g}^2)"
        text += f"; log Bayes factor for consistency {log_bayes:.2f} (effects' prior {prior})"
    return text, difference


@dataclass(frozen=True)
class Designs:
    """Studies pooled within their designs.

    Attributes
    ----------
    network : Network
        The designs in place of studies: effects pooled within each design, and their covariance.
    treatments : tuple of tuple of int
        Treatments of each design.
    n_studies : (d,) int array
    q, df : (d,) arrays
        Heterogeneity within each design.
    tau2_within : float
        Heterogeneity variance under which every design has effects of its own: moment estimator; 0 where no
        design has more than one study, NaN where rounding leaves nothing of it.
    """

    network: Network
    treatments: tuple[tuple[int, ...], ...]
    n_studies: Array
    q: Array
    df: Array
    tau2_within: float


def pool_designs(net: Network, tau2: float = 0.0) -> Designs:
    """Pool the studies of each design.

    Parameters
    ----------
    net : Network
    tau2 : float
        Heterogeneity variance added to the studies' sampling variances.

    Returns
    -------
    Designs
    """
    sets: list[tuple[int, ...]] = []
    blocks, counts, q, df = [], [], [], []
    whole = taken = 0.0
    for block in net.blocks:
        m = block.k - 1
        R = heterogeneity_correlation(m)
        precision = np.linalg.inv(block.S + tau2 * R)
        design, member = np.unique(block.treatment, axis=0, return_inverse=True)
        member = member.ravel()

        def total(values: Array, member: Array = member, n: int = len(design)) -> Array:
            sums = np.zeros((n, *values.shape[1:]))
            np.add.at(sums, member, values)
            return sums

        information = total(precision)
        covariance = np.linalg.inv(information)
        effect = (covariance @ total(precision @ block.y[:, :, None]))[:, :, 0]
        residual = block.y - effect[member]
        n = np.bincount(member)
        start = len(sets)
        blocks.append(Block(np.arange(start, start + len(design)), design, effect, covariance))
        sets += [tuple(int(t) for t in row) for row in design]
        counts.append(n)
        q.append(total(np.einsum("si,sij,sj->s", residual, precision, residual)))
        df.append((n - 1) * m)
        whole += float(np.einsum("sij,ji->", precision, R))
        taken += float(np.einsum("dij,dji->", covariance, total(precision @ R @ precision)))
    spread, freedom = float(sum(part.sum() for part in q)), int(sum(part.sum() for part in df))
    names = tuple((design_name(net, design), "main") for design in sets)
    pooled = replace(net, studies=names, blocks=tuple(blocks), arms=None, contrasts=None, covariates=None)
    return Designs(
        pooled,
        tuple(sets),
        np.concatenate(counts),
        np.concatenate(q),
        np.concatenate(df),
        moment_estimate(spread - freedom, whole - taken, whole) if freedom else 0.0,
    )


def decomposition(net: Network) -> list[QTest]:
    """Split Cochran's Q of the common-effect model into heterogeneity and inconsistency.

    Parameters
    ----------
    net : Network

    Returns
    -------
    list of QTest
        Total, within and between designs; each design's heterogeneity; what inconsistency is left when a
        design is detached, that is given effects of its own; and the design-by-treatment test, which allows
        for heterogeneity within designs (with the moment estimator of tau2 within designs, as netmeta).

    References
    ----------
    Krahn U et al. (2013), as above. Higgins JPT et al. (2012). Res Synth Methods 3:98-110.
    doi:10.1002/jrsm.1044
    """
    pooled = pool_designs(net)
    gls = Gls.of(pooled.network)
    between, df_between = float(gls.solve([0.0]).rss[0]), gls.degrees_of_freedom()
    within, df_within = float(pooled.q.sum()), int(pooled.df.sum())
    adjusted = np.nan
    told = "the studies' precisions differ too much for a moment estimate of tau within designs"
    if np.isfinite(pooled.tau2_within):
        adjusted = float(Gls.of(pool_designs(net, pooled.tau2_within).network).solve([0.0]).rss[0])
        told = f"tau within designs {figures(float(np.sqrt(pooled.tau2_within)))}"
    names = [design_name(net, design) for design in pooled.treatments]
    tests = [
        _q_test("decomposition", "total", within + between, df_within + df_between),
        _q_test("decomposition", "within designs", within, df_within),
        _q_test("decomposition", "between designs", between, df_between),
        _q_test("design-by-treatment", "network", adjusted, df_between, told),
    ]
    for name, q, df, n in zip(names, pooled.q, pooled.df, pooled.n_studies):
        count = f"{n} {'study' if n == 1 else 'studies'}"
        tests.append(_q_test("heterogeneity within design", name, q, df, count))
    without = WithoutDesigns(pooled.network, gls)
    for name, df, rest in zip(names, without.freedom.tolist(), without.q.tolist()):
        if df < df_between:
            tests.append(_q_test("between designs after detaching", name, rest, df))
    return tests


class WithoutDesigns:
    """The pooled designs, at no further heterogeneity, without each of them.

    Parameters
    ----------
    net : Network
        The designs in place of studies.
    gls : Gls
        Of the same network.

    Attributes
    ----------
    freedom : (d,) int array
        Degrees of freedom without each.
    q : (d,) array
        Cochran's Q without each.
    """

    def __init__(self, net: Network, gls: Gls) -> None:
        self.gls = gls
        self.solution = gls.solve([0.0])
        bridges, parts = np.zeros(len(net.studies), dtype=bool), np.ones(len(net.studies), dtype=int)
        for design, part in cut_off(net).items():
            bridges[design], parts[design] = True, part.max() + 1
        self.deletions = Deletions(gls, gls.study, bridges)
        self.freedom = len(gls.y) - self.deletions.size - gls.n_treatments + parts
        self.followed = self.deletions.left(self.solution) >= LEAST
        self.q = self.deletions.q(self.solution)
        self._again = {d: gls.solve([0.0], gls.study != d) for d in np.flatnonzero(~self.followed).tolist()}
        for design, solution in self._again.items():
            self.q[design] = solution.rss[0]

    def effects(self) -> Array:
        """Effects of the treatments against the first, as far as the rest connects them, (d, T)."""
        every = np.arange(self.gls.n_treatments)
        found = self.deletions.effects(self.solution, every, 0 * every)[0, 0].T
        for design, solution in self._again.items():
            found[design] = solution.effect[0]
        return found


def _q_test(method: str, component: str, q: float, df: int, note: str = "") -> QTest:
    """Test Q against chi-squared.

    Where nothing is left to test there is no p-value, and what stands in q is rounding error.
    """
    from scipy.special import chdtrc

    if df == 0:
        return QTest(method, component, 0.0, 0, np.nan, note)
    return QTest(method, component, float(q), int(df), float(chdtrc(df, q)), note)


@dataclass(frozen=True)
class NetHeat:
    """Numbers of a net heat plot, for c contrasts that are specific to a design.

    Attributes
    ----------
    contrast, design : list of str
        What the contrast is called, and the design that it is of.
    contribution : (c, c) array
        Weight of the column's contrast in the network estimate of the row's.
    q : (c,) array
        Part of each in the inconsistency Q.
    change : (c, c) array
        That part of the row less what is left of it when the column's design is detached; NaN where that
        changes nothing.
    """

    contrast: list[str]
    design: list[str]
    contribution: Array
    q: Array
    change: Array


def net_heat(net: Network, tau2: float = 0.0) -> NetHeat:
    """Locate inconsistency: what each design contributes, and how that changes when another is detached.

    Parameters
    ----------
    net : Network
    tau2 : float
        0 for the common-effect model.

    Returns
    -------
    NetHeat

    References
    ----------
    Krahn U, Binder H, König J (2013). BMC Med Res Methodol 13:35. doi:10.1186/1471-2288-13-35
    """
    pooled = pool_designs(net, tau2)
    gls = Gls.of(pooled.network)
    blocks = pooled.network.blocks
    design = np.concatenate([np.repeat(block.study, block.k - 1) for block in blocks])
    base = np.concatenate([np.repeat(block.treatment[:, 0], block.k - 1) for block in blocks])
    other = np.concatenate([block.treatment[:, 1:].ravel() for block in blocks])
    refuse_without_room(
        150 * len(design) ** 2,
        f"The net heat of {len(pooled.treatments):,} designs with {len(design):,} comparisons",
        FEWER,
    )
    hat = design_hat(pooled, other, base)

    def parts(effect: Array) -> Array:
        """Contribution of each contrast to Q: its residual times the precision-weighted residuals."""
        found = []
        for block in blocks:
            residual = block.y - (effect[block.treatment[:, 1:]] - effect[block.treatment[:, :1]])
            weighted = np.linalg.solve(block.S, residual[:, :, None])[:, :, 0]
            found.append((residual * weighted).ravel())
        return np.concatenate(found)

    whole = parts(gls.solve([0.0]).effect[0])
    freedom = gls.degrees_of_freedom()
    difference = np.full((len(design), len(design)), np.nan)
    without = WithoutDesigns(pooled.network, gls)
    for d, effect in enumerate(without.effects()):
        if without.freedom[d] < freedom:
            rest = np.where(design == d, 0.0, parts(effect))
            difference[:, design == d] = (whole - rest)[:, None]
    names = [design_name(net, treatments) for treatments in pooled.treatments]
    of = [names[d] for d in design]
    labels = [
        of[r] if len(pooled.treatments[d]) == 2 else f"{design_name(net, (a, b))}_{of[r]}"
        for r, (d, a, b) in enumerate(zip(design, base, other))
    ]
    return NetHeat(labels, of, hat, whole, difference)


def design_hat(pooled: Designs, treatment: Array, versus: Array) -> Array:
    """Weight of each design-specific contrast in the network estimates ``treatment - versus`` (Krahn 2013).

    Parameters
    ----------
    pooled : Designs
    treatment, versus : (m,) int arrays

    Returns
    -------
    (m, contrasts) array
        Contrasts against each design's base arm, designs in order.
    """
    root = Gls.of(pooled.network).solve([0.0]).root[0]
    wanted = root[treatment] - root[versus]
    columns = []
    for block in pooled.network.blocks:
        arms = root[block.treatment[:, 1:]] - root[block.treatment[:, :1]]
        spread = np.linalg.solve(block.S, arms)
        columns.append(np.einsum("mt,dit->mdi", wanted, spread).reshape(len(wanted), -1))
    return np.concatenate(columns, axis=1)
