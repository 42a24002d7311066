"""Direct against indirect evidence: three ways, each from the one fit to all.

No network is fitted again but where down-dating would lose digits: see `analysis.network.model.downdate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.network.data.graph import splittable
from analysis.network.data.network import Array, Network
from analysis.network.model.downdate import LEAST, kept
from analysis.network.model.gls import ESTIMATORS, Gls, Solution, moment_estimate
from analysis.network.model.many_tau2 import at_each, tau2_of_each
from analysis.network.model.sources import ALONE, DIRECT_ONLY, Sources, direct_estimates, held_together

UNEVEN = 1e-4
"""What is left to indirect evidence, in the condition of the direct evidence, below which digits are lost."""


@dataclass(frozen=True)
class Evidence:
    """Direct and indirect evidence on comparisons; ``second minus first``.

    Attributes
    ----------
    first, second : (c,) int arrays
    direct, direct_se, indirect, indirect_se : (c,) arrays
        NaN where there is no such evidence.
    proportion : (c,) array
        Share of the direct evidence in the network estimate; NaN where the method has none.
    note : tuple of str
        Why there is no indirect estimate, or why it is not independent of the direct one.
    """

    first: Array
    second: Array
    direct: Array
    direct_se: Array
    indirect: Array
    indirect_se: Array
    proportion: Array
    note: tuple[str, ...]


def back_calculation(found: Sources) -> Evidence:
    """Take the direct estimates out of the network estimates.

    The proportion of direct evidence is the variance of the network estimate over that of the direct
    estimate; what is left is the indirect estimate (König, Krahn and Binder 2013, doi:10.1002/sim.6001;
    netmeta's default).

    Parameters
    ----------
    found : Sources
        What the network's estimates rest on, with the network's tau2.

    Returns
    -------
    Evidence
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(found.proportion > 1 - DIRECT_ONLY, np.nan, 1 - found.proportion)
        indirect = (found.network - found.proportion * found.direct) / rest
        indirect_se = np.sqrt(found.network_variance / rest)
    return Evidence(
        found.first,
        found.second,
        found.direct,
        np.sqrt(found.variance),
        indirect,
        indirect_se,
        found.proportion,
        found.note,
    )


def separate_designs(net: Network, gls: Gls, tau2: float) -> Evidence:
    """Set the direct estimates against the network without every study that compares the two treatments.

    Separate Indirect from Direct Design Evidence (SIDDE; Efthimiou et al. 2019, doi:10.1002/sim.8158).

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.
    tau2 : float
        Of the whole network.

    Returns
    -------
    Evidence
    """
    first, second, direct, variance = direct_estimates(net, tau2)
    verdict = list(splittable(net).values())
    solution = gls.solve([tau2])
    effect, root = solution.effect[0], solution.root[0]
    size = (root**2).sum(1)
    indirect, spread = effect[second] - effect[first], np.full(len(first), np.nan)
    for group in held_together(net, tau2, effect):
        half = root[group.treatment[:, 1:]] - root[group.treatment[:, :1]]
        lower = np.linalg.cholesky(group.precision)
        across = half @ half.swapaxes(1, 2)
        rest = np.eye(lower.shape[1]) - lower.swapaxes(1, 2) @ across @ lower
        least = np.linalg.eigvalsh(rest)[:, 0]
        reach = np.diagonal(across, axis1=1, axis2=2), size[group.treatment[:, 1:]]
        # Arms of one study known very unequally well cost digits, too.
        uneven = np.linalg.cond(group.precision)
        sound = (kept(least[:, None], *reach).min(1) >= LEAST) & (least >= UNEVEN * uneven)
        rest[~sound] = np.eye(lower.shape[1])
        inverse = lower @ np.linalg.inv(rest) @ lower.swapaxes(1, 2)
        own = across[:, :, 0]
        lever = (inverse @ own[:, :, None])[:, :, 0]
        left = np.linalg.solve(group.precision, group.pull[:, :, None])[:, :, 0]
        found = own[:, 0] + (own * lever).sum(1)
        indirect[group.member] -= (lever * left).sum(1)
        spread[group.member] = np.where(sound, np.sqrt(found), np.nan)
    holds = None
    for c in np.flatnonzero(np.isnan(spread)).tolist():
        indirect[c] = np.nan
        if verdict[c] is None:
            holds = _members(net) if holds is None else holds
            keep = ~np.isin(gls.study, list(holds[first[c]] & holds[second[c]]))
            if keep.any():
                alone = second[c : c + 1], first[c : c + 1]
                (indirect[c],), (square,) = gls.contrasts(tau2, *alone, keep)
                spread[c] = np.sqrt(square)
    return Evidence(
        first,
        second,
        direct,
        np.sqrt(variance),
        indirect,
        spread,
        np.full(len(first), np.nan),
        tuple("" if np.isfinite(value) else ALONE for value in indirect),
    )


def _members(net: Network) -> list[set[int]]:
    """Units of randomisation that hold each treatment."""
    holds: list[set[int]] = [set() for _ in net.treatments]
    for block in net.blocks:
        for study, treatments in zip(block.study.tolist(), block.treatment.tolist()):
            for treatment in treatments:
                holds[treatment].add(study)
    return holds


def split_network(net: Network, first: int, second: int) -> Network:
    """Give the arms of `second` a node of their own in every study that also holds `first`.

    The network then has one more treatment, the last; its effect less that of `second` is the inconsistency
    parameter of Dias et al. (2010, doi:10.1002/sim.3767). In multi-arm studies it matters which of the two
    is moved.

    Parameters
    ----------
    net : Network
    first, second : int
        Treatments.

    Returns
    -------
    Network
    """
    new = len(net.treatments)
    blocks = []
    for block in net.blocks:
        both = (block.treatment == first).any(1) & (block.treatment == second).any(1)
        moved = np.where(both[:, None] & (block.treatment == second), new, block.treatment)
        blocks.append(replace(block, treatment=moved))
    return replace(net, treatments=(*net.treatments, "split"), blocks=tuple(blocks), arms=None)


def side_splitting(net: Network, gls: Gls, method: str | None, tau2: float) -> tuple[Evidence, Array, Array]:
    """Split comparisons by an inconsistency parameter, and estimate heterogeneity anew each time.

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.
    method : str or None
        Estimator of tau2; None keeps the given `tau2`.
    tau2 : float

    Returns
    -------
    evidence : Evidence
        Only comparisons with indirect evidence of their own are split (see `splittable`); the others have
        their pooled direct estimate.
    difference_se : (c,) array
        Direct and indirect estimates of a split network are correlated through multi-arm studies.
    tau2 : (c,) array
        Of each split network.
    """
    first, second, direct, variance = direct_estimates(net, tau2)
    verdict = list(splittable(net).values())
    # Direct, indirect, their difference; variances of the three; tau2.
    effects, variances = np.full((2, 3, len(first)), np.nan)
    between = np.full(len(first), np.nan)
    effects[0], variances[0] = direct, variance
    chosen = np.array([c for c, reason in enumerate(verdict) if reason is None], dtype=int)
    if len(chosen):
        split = Splits(gls, first[chosen], second[chosen])
        effects[:, chosen], variances[:, chosen], between[chosen] = split.sides(method, tau2)
        for c in chosen[np.isnan(effects[1, chosen]) & ~np.isnan(between[chosen]) | split.lost].tolist():
            again = Gls.of(split_network(net, int(first[c]), int(second[c])))
            between[c] = tau2 if method is None else ESTIMATORS[method](again)
            if np.isfinite(between[c]):
                moved, a, b = again.n_treatments - 1, int(first[c]), int(second[c])
                pairs = np.array([moved, b, moved]), np.array([a, a, b])
                effects[:, c], variances[:, c] = again.contrasts(between[c], *pairs)
    errors = np.sqrt(variances)
    notes = tuple(
        reason or ("" if np.isfinite(value) else "heterogeneity cannot be estimated")
        for reason, value in zip(verdict, between)
    )
    no_share = np.full(len(first), np.nan)
    evidence = Evidence(first, second, effects[0], errors[0], effects[1], errors[1], no_share, notes)
    return evidence, errors[2], between


class Splits:
    """A network with each of c comparisons split, by one more column of the design.

    With z the column, g = X' W z and s = z' W z - g' P g, the inconsistency is z' W r / s with variance
    1 / s.

    Parameters
    ----------
    gls : Gls
    first, second : (c,) int arrays
        Comparisons that have indirect evidence; the arm of `second` is moved.

    Attributes
    ----------
    lost : (c,) bool array
        Comparisons whose digits are lost: to be fitted by themselves.
    """

    def __init__(self, gls: Gls, first: Array, second: Array) -> None:
        from scipy.sparse import csr_array

        self.gls, self.first, self.second = gls, first, second
        code = first * gls.n_treatments + second
        parts, start = [], 0
        for rotated in gls.blocks:
            coefficient = rotated.arm_coefficients
            studies, q, k = coefficient.shape
            i, j = np.triu_indices(k, 1)
            pair = rotated.treatment[:, i] * gls.n_treatments + rotated.treatment[:, j]
            place = np.minimum(np.searchsorted(code, pair), len(code) - 1)
            used = np.broadcast_to((code[place] == pair)[:, None, :], (studies, q, len(i)))
            row = np.broadcast_to(
                (start + np.arange(studies * q).reshape(studies, q))[:, :, None], used.shape
            )
            column = np.broadcast_to(place[:, None, :], used.shape)
            parts.append((coefficient[:, :, j][used], row[used], column[used]))
            start += studies * q
        value, row, column = (np.concatenate(part) for part in zip(*parts))
        self.column = csr_array((value, (row, column)), shape=(start, len(code)))
        self.square = self.column.multiply(self.column).tocsr()
        self.lost = np.zeros(len(code), dtype=bool)

    def sides(self, method: str | None, tau2: float) -> tuple[Array, Array, Array]:
        """Estimate both sides of every comparison.

        Parameters
        ----------
        method : str or None
            Estimator of tau2; None keeps the given `tau2`.
        tau2 : float

        Returns
        -------
        effects, variances : (3, c) arrays
            Direct, indirect, and their difference; NaN where tau2 is, and without meaning where `lost`.
        tau2 : (c,) array
        """
        freedom = self.gls.degrees_of_freedom() - 1
        if method is None:
            between = np.full(len(self.first), tau2)
        elif freedom == 0:
            between = np.full(len(self.first), np.nan)
        elif method == "DL":
            between = self._moment_tau2(freedom)
        else:
            restricted = method == "REML"
            between = tau2_of_each(
                self.gls, restricted, lambda solution: self._likelihood(solution, restricted)
            )
            self.lost |= np.isnan(between)
        found = np.full((6, len(self.first)), np.nan)
        if (there := np.isfinite(between)).any():
            found = at_each(self.gls, np.where(there, between, np.nan), self._evaluated, 6)
        return found[:3], found[3:], between

    def _bordered(
        self, solution: Solution, j: int, members: Array | slice = slice(None)
    ) -> tuple[Array, ...]:
        """Give root' g, s, z' W r and the share of z' W z that s is."""
        gls = self.gls
        weight = solution.weights[:, j]
        column = self.column[:, members] if not isinstance(members, slice) else self.column
        square = self.square[:, members] if not isinstance(members, slice) else self.square
        half = solution.root[j].T @ (gls.design.T @ column.multiply(weight[:, None])).toarray()
        own = square.T @ weight
        rest = own - (half**2).sum(0)
        return half, rest, column.T @ (weight * solution.residual[:, j]), rest / own

    def _evaluated(self, solution: Solution, members: Array) -> Array:
        """Both sides and their difference, then the variances, (6, J, members)."""
        a, b = self.first[members], self.second[members]
        found = np.empty((6, len(solution.tau2), len(members)))
        for j, root in enumerate(solution.root):
            half, rest, pull, share = self._bordered(solution, j, members)
            contrast = (root[b] - root[a]).T
            spread = (contrast**2).sum(0)
            size = np.maximum((root[a] ** 2).sum(1), (root[b] ** 2).sum(1))
            self.lost[members] |= ~(kept(share, spread, size) >= LEAST)
            along = (contrast * half).sum(0)
            with np.errstate(divide="ignore", invalid="ignore"):
                omega = pull / rest
                indirect = solution.effect[j, b] - solution.effect[j, a] - along * omega
                found[:, j] = (
                    indirect + omega,
                    indirect,
                    omega,
                    spread + (1 - along) ** 2 / rest,
                    spread + along**2 / rest,
                    1 / rest,
                )
        return found

    def _slopes(self, solution: Solution, j: int, inner: Array, half: Array) -> tuple[Array, Array]:
        """Differentiate s and z' W r by tau2."""
        gls, weight = self.gls, solution.weights[:, j]
        bent = gls.theta * weight**2
        root = solution.root[j]
        change = root.T @ (gls.design.T @ self.column.multiply(bent[:, None])).toarray()
        of_rest = 2 * (change * half).sum(0) - self.square.T @ bent - (half * (inner @ half)).sum(0)
        moved = root.T @ (gls.design.T @ (bent * solution.residual[:, j]))
        return of_rest, half.T @ moved - self.column.T @ (bent * solution.residual[:, j])

    def _likelihood(self, solution: Solution, restricted: bool) -> tuple[Array, Array]:
        """Find what the log likelihood gains where each comparison is split, and its slope, (J, c)."""
        inner = self.gls.between(solution, self.gls.theta[:, None] * solution.weights**2)
        value, slope = np.empty((2, len(solution.tau2), len(self.first)))
        for j in range(len(solution.tau2)):
            half, rest, pull, share = self._bordered(solution, j)
            of_rest, of_pull = self._slopes(solution, j, inner[j], half)
            rest = np.where(share >= LEAST, rest, np.nan)
            omega = pull / rest
            value[j] = 0.5 * (omega * pull - restricted * np.log(rest))
            slope[j] = omega * of_pull - 0.5 * of_rest * (omega**2 + restricted / rest)
        return value, slope

    def _moment_tau2(self, freedom: int) -> Array:
        """DerSimonian and Laird's estimator of each split network."""
        gls = self.gls
        solution = gls.solve([0.0])
        inner = gls.between(solution, gls.theta * solution.weights[:, 0] ** 2)[0]
        half, rest, pull, share = self._bordered(solution, 0)
        self.lost |= ~(share >= LEAST)
        of_rest, _ = self._slopes(solution, 0, inner, half)
        whole = float(gls.theta @ solution.weights[:, 0])
        excess = solution.rss[0] - pull**2 / rest - freedom
        growth = whole - float(np.trace(inner)) + of_rest / rest
        return np.array([moment_estimate(e, g, whole) for e, g in zip(excess.tolist(), growth.tolist())])
