"""What each study does to an exact posterior: fit, leverage, and the posterior without the study.

All of it follows from one quantity per study and node of tau: with rows of variance V = 1/W, residuals e and
H = X P X', the spread of the fitted values, the eigenvalues of W^1/2 H W^1/2 say how far the study
determines its own fit. Leaving a study out is then algebra on the one fit, exact, not an approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log, pi

import numpy as np
from scipy.special import logsumexp

from analysis.network.model.mixture import NormalMixture
from analysis.network.model.posterior import Posterior, node_chunks, reweighted, tail_left
from evidence.system.memory import FEWER, refuse_without_room

Array = np.ndarray

IDENTIFIED = 1e-6
"""A study with less than this share of some combination of its rows left to others is refitted without."""
TAIL = 1e-9
"""So is one whose removal puts more than about this probability outside the range of the nodes."""


@dataclass(frozen=True)
class StudyClass:
    """Studies with equally many rows.

    Attributes
    ----------
    member : (g,) int array
        Index into `Network.studies`' study names (see `Influence`).
    index : (g, q) int array
        Their rows.
    basis : (J, g, q, q) array
        Eigenvectors of W^1/2 H W^1/2 at each node, in columns.
    own : (J, g, q) array
        Its eigenvalues, in [0, 1).
    residual : (J, g, q) array
        Standardised residuals in the basis.
    """

    member: Array
    index: Array
    basis: Array
    own: Array
    residual: Array


class Influence:
    """Study-level quantities of one posterior.

    Attributes
    ----------
    study, n_rows : (s,) int arrays
        Number of each study, ascending, and its number of rows; all results are in this order.

    Parameters
    ----------
    posterior : Posterior
    unit_study : (u,) int array
        For each unit of randomisation (study and experiment) the number of its study: the experiments of
        one study are left out together.
    """

    def __init__(self, posterior: Posterior, unit_study: Array) -> None:
        self.posterior = posterior
        self.unit_study = unit_study
        rows = posterior.rows
        # A dozen quantities of every effect at every node, and the design.
        refuse_without_room(
            8 * rows.n * (14 * posterior.n_nodes + rows.p),
            f"The influence of each study, of {rows.n:,} effects at {posterior.n_nodes} values of tau",
            f"Take the engine frequentist. {FEWER}",
        )
        study = np.concatenate([np.repeat(unit_study[b.study], b.y.shape[1]) for b in rows.blocks])
        self.study, counts = np.unique(study, return_counts=True)
        self.n_rows = counts
        order = np.argsort(study, kind="stable")
        starts = np.cumsum(counts) - counts
        self.constant = np.zeros(len(self.study))
        for block in rows.blocks:
            np.add.at(self.constant, np.searchsorted(self.study, unit_study[block.study]), block.constant)
        self.classes = [
            self._class(member, order[starts[member][:, None] + np.arange(q)])
            for q in np.unique(counts)
            for member in [np.flatnonzero(counts == q)]
        ]

    def _class(self, member: Array, index: Array) -> StudyClass:
        solution = self.posterior.solution
        root_weight = np.sqrt(solution.weights[index]).transpose(2, 0, 1)
        standardised = root_weight * solution.residual[index].transpose(2, 0, 1)
        x = self.posterior.rows.matrix[index]
        g, q, p = x.shape
        spread = np.empty((len(root_weight), g, q, q))
        for part in node_chunks(len(root_weight), g * q * p):
            half = (solution.root[part] @ x.reshape(g * q, p).T).reshape(-1, p, g, q)
            if q == 1:
                spread[part, :, 0, 0] = np.einsum("jpg,jpg->jg", half[..., 0], half[..., 0])
            else:
                half = half.transpose(0, 2, 3, 1)
                spread[part] = half @ half.swapaxes(2, 3)
        spread *= root_weight[:, :, :, None] * root_weight[:, :, None, :]
        if q == 1:
            return StudyClass(member, index, np.ones_like(spread), spread[:, :, :, 0], standardised)
        own, basis = np.linalg.eigh(spread)
        rotated = (basis.swapaxes(2, 3) @ standardised[..., None])[..., 0]
        return StudyClass(member, index, basis, np.maximum(own, 0.0), rotated)

    def _gather(self, parts: list[Array]) -> Array:
        """Put per-class results with the studies on the first axis in the order of `study`."""
        result = np.empty((len(self.study), *parts[0].shape[1:]), dtype=parts[0].dtype)
        for group, part in zip(self.classes, parts):
            result[group.member] = part
        return result

    def _log_variance(self, group: StudyClass) -> Array:
        """Sum of log V over a study's rows, (J, g)."""
        return -np.log(self.posterior.solution.weights[group.index]).sum(1).T

    @cached_property
    def log_left_out(self) -> Array:
        """Log p(y_i | y without i, tau) at each node, (studies, J); not a number where not `identified`."""
        parts = []
        for group in self.classes:
            left = np.where(group.own < 1.0, 1.0 - group.own, np.nan)
            quadratic = (group.residual**2 / left).sum(2)
            value = -0.5 * (
                group.index.shape[1] * log(2.0 * pi)
                + self._log_variance(group)
                - np.log(left).sum(2)
                + quadratic
            )
            parts.append(value.T)
        return self._gather(parts) + self.constant[:, None]

    @cached_property
    def identified(self) -> Array:
        """Whether the algebra is accurate for each study; the others must be refitted without."""
        seen = self.posterior.weights > 1e-12
        determined = self._gather(
            [(group.own[seen].max((0, 2)) < 1.0 - IDENTIFIED) for group in self.classes]
        )
        weights = self.left_out_weights
        return determined & np.isfinite(weights).all(1) & (tail_left(self.posterior, weights) < TAIL)

    @cached_property
    def left_out_weights(self) -> Array:
        """Weights of the nodes without each study, (studies, J)."""
        return reweighted(self.posterior, np.where(self.posterior.weights > 0, -self.log_left_out, -np.inf))

    @cached_property
    def elpd(self) -> Array:
        """Log p(y_i | y without i) of each study: its exact leave-one-out log predictive density."""
        with np.errstate(divide="ignore"):
            return -logsumexp(np.log(self.posterior.weights) - self.log_left_out, axis=1)

    def left_out_effects(self, contrasts: Array, studies: Array) -> NormalMixture:
        """Posterior of linear combinations of the coefficients without each of some studies.

        Parameters
        ----------
        contrasts : (c, p) array
        studies : (m,) int array
            Positions in `study`.

        Returns
        -------
        NormalMixture
            Of m x c mixtures.
        """
        solution = self.posterior.solution
        nodes = len(self.posterior.weights)
        mean = np.empty((len(studies), len(contrasts), nodes))
        variance = np.empty_like(mean)
        x = self.posterior.rows.matrix
        place = np.full(len(self.study), -1)
        place[studies] = np.arange(len(studies))
        base = solution.coefficients @ contrasts.T
        half = solution.root @ contrasts.T
        base_variance = np.einsum("jpc,jpc->jc", half, half)
        for group in self.classes:
            chosen = np.flatnonzero(place[group.member] >= 0)
            if not len(chosen):
                continue
            at = place[group.member[chosen]]
            index = group.index[chosen]
            g, q = index.shape
            for part in node_chunks(nodes, g * q * max(len(contrasts), self.posterior.rows.p)):
                own = (solution.root[part] @ x[index].reshape(g * q, -1).T).swapaxes(1, 2)
                cross = (own @ half[part]).reshape(-1, g, q, len(contrasts))
                root_weight = np.sqrt(solution.weights[index][:, :, part]).transpose(2, 0, 1)
                cross = group.basis[part][:, chosen].swapaxes(2, 3) @ (root_weight[..., None] * cross)
                left = 1.0 - group.own[part][:, chosen]
                with np.errstate(divide="ignore", invalid="ignore"):
                    shift = np.einsum("jgqc,jgq->jgc", cross, group.residual[part][:, chosen] / left)
                    extra = np.einsum("jgqc,jgq->jgc", cross**2, 1.0 / left)
                mean[at, :, part] = (base[part][:, None] - shift).transpose(1, 2, 0)
                variance[at, :, part] = (base_variance[part][:, None] + extra).transpose(1, 2, 0)
        weights = self.left_out_weights[studies]
        return NormalMixture(weights[:, None, :], mean, np.sqrt(np.maximum(variance, 0.0)))

    @cached_property
    def waic(self) -> tuple[Array, Array]:
        """Log pointwise predictive density and effective number of parameters of each study (Watanabe 2010).

        The study's effects are integrated out: the version conditional on them is unreliable (Millar 2018).
        """
        weights = self.posterior.weights
        with np.errstate(divide="ignore"):
            log_weights = np.log(weights)
        density, parameters = [], []
        for group in self.classes:
            own, square = group.own, group.residual**2
            constant = group.index.shape[1] * log(2.0 * pi) + self._log_variance(group)
            predictive = -0.5 * (constant + np.log1p(own).sum(2) + (square / (1.0 + own)).sum(2))
            density.append(logsumexp(log_weights[:, None] + predictive, axis=0))
            mean = -0.5 * (constant + square.sum(2) + own.sum(2))
            within = 0.5 * (own**2).sum(2) + (own * square).sum(2)
            overall = weights @ mean
            parameters.append(weights @ (within + (mean - overall) ** 2))
        return self._gather(density) + self.constant, self._gather(parameters)

    @cached_property
    def deviance(self) -> tuple[Array, Array]:
        """Posterior mean of the residual deviance of each study, and its leverage (Spiegelhalter et al.

        Given the study effects, as WinBUGS, JAGS and gemtc compute them: leverage is the mean deviance less
        the deviance at the mean fitted values, and the leverages add up to pD.
        """
        weights = self.posterior.weights
        mean_deviance, leverage = [], []
        for group in self.classes:
            form = self._deviance_form(group)
            root_weight = np.sqrt(self.posterior.solution.weights[group.index]).transpose(2, 0, 1)
            fitted = root_weight * (group.basis @ group.residual[..., None])[..., 0]
            spread = (group.basis * group.own[:, :, None, :]) @ group.basis.swapaxes(2, 3)
            spread *= root_weight[..., :, None] * root_weight[..., None, :]
            at_nodes = (
                np.einsum("jgq,gqr,jgr->jg", fitted, form, fitted)
                + group.index.shape[1]
                - np.einsum("gqq,jgq->jg", form, root_weight**2)
                + np.einsum("gqr,jgqr->jg", form, spread)
            )
            total = weights @ at_nodes
            at_mean = np.einsum("j,jgq->gq", weights, fitted)
            mean_deviance.append(total)
            leverage.append(total - np.einsum("gq,gqr,gr->g", at_mean, form, at_mean))
        return self._gather(mean_deviance), self._gather(leverage)

    @property
    def dic(self) -> float:
        """Deviance information criterion: mean residual deviance and leverages, summed."""
        deviance, leverage = self.deviance
        return float(deviance.sum() + leverage.sum())

    def _deviance_form(self, group: StudyClass) -> Array:
        """Quadratic form of the residual deviance in the rows of each study of a class, (g, q, q)."""
        g, q = group.index.shape
        blocks = self.posterior.rows.blocks
        if all(block.deviance is None for block in blocks):
            return np.broadcast_to(np.eye(q), (g, q, q))
        form = np.zeros((g, q, q))
        # Rows of one unit of randomisation belong together; those of a study's other experiments do not.
        for block, offset in zip(blocks, self.posterior.rows.offsets):
            assert block.deviance is not None
            s, rows = block.y.shape
            unit, within = np.divmod(group.index - offset, rows)
            here = (group.index >= offset) & (unit < s)
            together = here[:, :, None] & here[:, None, :] & (unit[:, :, None] == unit[:, None, :])
            member, i, j = np.nonzero(together)
            form[member, i, j] = block.deviance[unit[member, i], within[member, i], within[member, j]]
        return form
