"""Effects, heterogeneity and Q without each study: down-dated from the one fit to all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.network.data.deletion import cut_off, separated, study_numbers
from analysis.network.data.network import Array, Network
from analysis.network.frequentist.solution import interval
from analysis.network.model.downdate import LEAST, SHARP, Deletions
from analysis.network.model.gls import ESTIMATORS, Gls, Solution
from analysis.network.model.many_tau2 import at_each, tau2_of_each
from analysis.network.protocol import LeftOut
from evidence.system.progress import counted

UNKNOWN_TAU = "heterogeneity cannot be estimated"


class WithoutStudies:
    """The network without each of its studies, all experiments of one together.

    Parameters
    ----------
    net : Network
    gls : Gls
        Of the same network.

    Attributes
    ----------
    study : (s,) int array
        Numbers of the studies beside which there are others.
    freedom : (s,) int array
        Degrees of freedom without each.
    q, i2 : (s,) arrays
        Cochran's Q and I2 without each; NaN without degrees of freedom.
    """

    def __init__(self, net: Network, gls: Gls) -> None:
        self.net, self.gls = net, gls
        number, names = study_numbers(net)
        self.study = np.arange(len(names)) if len(names) > 1 else np.zeros(0, dtype=int)
        self.member = number[gls.study]
        self.apart = cut_off(net)
        bridges, parts = np.zeros(len(names), dtype=bool), np.ones(len(names), dtype=int)
        for study, part in self.apart.items():
            bridges[study], parts[study] = True, part.max() + 1
        self.deletions = Deletions(gls, self.member, bridges)
        self.common = gls.solve([0.0])
        self.freedom = len(gls.y) - self.deletions.size - gls.n_treatments + parts
        self.followed = self.deletions.left(self.common) >= LEAST
        q = self.deletions.q(self.common)
        for study in self.study[~self.followed[self.study]]:
            q[study] = gls.solve([0.0], self.member != study).rss[0]
        self.q = np.where(self.freedom > 0, q, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.i2 = np.where(self.q > 0, np.maximum(0.0, 1 - self.freedom / self.q), 0.0)
        self.i2[self.freedom == 0] = np.nan

    def left_out(self, model: str, method: str, tau2: float, treatment: Array, versus: Array) -> LeftOut:
        """Estimate effects of pairs without each study; heterogeneity is estimated anew.

        Parameters
        ----------
        model : {"common", "random"}
        method : str
            Estimator of tau2; any other word keeps the `tau2` given.
        tau2 : float
        treatment, versus : (c,) int arrays

        Returns
        -------
        LeftOut
        """
        between, again = self._between(model, method, tau2)
        known = np.isfinite(between)
        at = np.where(known, between, 0.0)

        def down_dated(solution: Solution, members: Array) -> Array:
            return self.deletions.only(members).effects(solution, treatment, versus)

        if (at == at[0]).all():
            effect, variance = down_dated(self.gls.solve(at[:1]), np.arange(len(at)))[:, 0]
        else:
            effect, variance = at_each(self.gls, at, down_dated, 2 * len(treatment))
        effect, variance = effect.T, variance.T
        if not self._sharp(at[0], treatment, versus):
            again[:] = True
        for study in self._solved_again(again):
            keep = self.member != study
            effect[study], variance[study] = self.gls.contrasts(at[study], treatment, versus, keep)
        for study in self.apart:
            lost = separated(self.apart, study, treatment, versus)
            effect[study, lost] = variance[study, lost] = np.nan
        variance[~known] = np.nan
        cut = [f"not connected with {self.net.treatments[v]} without this study" for v in versus]
        note = np.where(np.isnan(effect), np.array(cut, dtype=object), np.array("", dtype=object))
        note[~np.isnan(effect) & ~known[:, None]] = UNKNOWN_TAU
        found = interval(effect, np.sqrt(variance))
        limits = found.std_error, found.ci_lower, found.ci_upper
        tau = np.sqrt(between) if model == "random" else np.full(len(between), np.nan)
        every = LeftOut(np.arange(len(between)), effect, *limits, tau, note, self.i2, self.q)
        return every.take(self.study)

    def _between(self, model: str, method: str, tau2: float) -> tuple[Array, Array]:
        """Heterogeneity without each study, (s,), and whether the network is solved again, (s,) bool."""
        again = ~self.followed
        if model == "common":
            return np.zeros(len(again)), again
        if method not in ESTIMATORS:
            return np.full(len(again), tau2), again
        if method == "DL":
            between = self.deletions.moment_tau2(self.common, self.freedom)
        else:
            restricted = method == "REML"
            between = tau2_of_each(
                self.gls, restricted, lambda solution: self.deletions.likelihood(solution, restricted)
            )
            between[self.freedom == 0] = np.nan
            again |= np.isnan(between) & (self.freedom > 0)
        for study in self._solved_again(again):
            between[study] = ESTIMATORS[method](self.gls, self.member != study)
        return between, again

    def _solved_again(self, which: Array) -> Iterator[int]:
        studies = self.study[which[self.study]].tolist()
        return counted(studies, len(studies), "fitting without studies that cannot be down-dated")

    def _sharp(self, tau2: float, treatment: Array, versus: Array) -> bool:
        """Whether the differences of treatments keep their digits, held against one root."""
        root = self.gls.solve([tau2]).root[0]
        size = (root**2).sum(1)
        variance = ((root[treatment] - root[versus]) ** 2).sum(1)
        return bool((variance >= SHARP * np.maximum(size[treatment], size[versus])).all())
