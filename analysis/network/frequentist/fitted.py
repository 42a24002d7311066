"""A network fitted by generalised least squares: what it owes the tables, and what its estimates rest on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analysis.network import ranking, tables
from analysis.network.data.graph import comparisons, design_name
from analysis.network.data.network import Array, Network, unit_label
from analysis.network.frequentist import contribution, splitting
from analysis.network.frequentist.deletion import WithoutStudies
from analysis.network.frequentist.remarks import remarks
from analysis.network.frequentist.solution import i_squared, interval, rank_probabilities
from analysis.network.model import inconsistency
from analysis.network.model.gls import ESTIMATORS, Gls, Solution, tau2_interval
from analysis.network.protocol import (
    ByStudy,
    Effects,
    LeftOut,
    QTest,
    Ranks,
    Response,
    Shares,
    SplitSummary,
    Statistic,
    TauEstimate,
)
from analysis.network.result import NetworkFit, Pair
from evidence.errors import CallError
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("back-calculation", "SIDDE", "side-splitting")
"""Ways to set direct against indirect evidence."""
DRAWS = 100_000
"""Draws behind rank probabilities."""


@dataclass(frozen=True, eq=False)
class FrequentistFit(NetworkFit):
    """A network fitted by generalised least squares.

    Attributes
    ----------
    network : Network
    models : tuple of str
    gls : Gls
        The network's rows and edges.
    method : str
        Estimator of tau2, or "given".
    tau2 : float
        Heterogeneity variance of the random-effects model; NaN where it cannot be estimated.
    n_draws, seed : int
        Of the rank probabilities.
    """

    network: Network
    models: tuple[str, ...]
    gls: Gls = field(repr=False)
    method: str
    tau2: float
    n_draws: int = DRAWS
    seed: int = 1
    engine: str = field(default="frequentist", init=False)

    def known(self, model: str) -> bool:
        """Whether the heterogeneity of a model is known, and with it how precise the estimates are."""
        return model == "common" or bool(np.isfinite(self.tau2))

    def between(self, model: str) -> float:
        """Heterogeneity variance that weights the studies of a model; 0 where there is no estimate."""
        return self.tau2 if model == "random" and np.isfinite(self.tau2) else 0.0

    def _least_squares(self) -> Gls:
        return self.gls

    @cached_property
    def df(self) -> int:
        """Degrees of freedom of Q."""
        return self.gls.degrees_of_freedom()

    @cached_property
    def q(self) -> float:
        """Cochran's Q of the whole network; 0 without degrees of freedom."""
        return float(self.gls.solve([0.0]).rss[0]) if self.df else 0.0

    def solution(self, model: str | None = None) -> Solution:
        """Solve the network under one model: effects and the square root of their covariance.

        Parameters
        ----------
        model : str, optional
            common or random; the latter without it, where fitted.

        Returns
        -------
        Solution
        """
        return self.gls.solve([self.between(self.chosen_model(model))])

    # --- estimates ------------------------------------------------------------------------------------------

    def effects(self, model: str, treatment: Array, versus: Array) -> Effects:
        """Estimate the effects of pairs of treatments.

        Prediction intervals are for the effect in a new study: Student's t with the degrees of freedom of
        Q, variance of the estimate plus tau2 (netmeta's, from version 3); none below two degrees of freedom.
        """
        from scipy.special import stdtrit

        tau2 = self.between(model)
        effect, variance = self.gls.contrasts(tau2, treatment, versus)
        found = interval(effect, np.sqrt(variance) if self.known(model) else np.full(len(effect), np.nan))
        if model == "random" and self.known(model) and self.df > 1:
            reach = stdtrit(self.df, 0.975) * np.sqrt(variance + tau2)
            found = replace(found, pi_lower=effect - reach, pi_upper=effect + reach)
        return found

    def direct_and_indirect(self, model: str) -> Iterator[tuple[str, Array, Array, Effects]]:
        """Give the direct and the indirect estimates behind the network's."""
        evidence = splitting.back_calculation(self.sources[model])
        # What is left of a multi-arm study's own evidence is no other evidence.
        indirect = np.where(self.sources[model].sole, np.nan, evidence.indirect)
        for kind, effect, std_error in (
            ("direct", evidence.direct, evidence.direct_se),
            ("indirect", indirect, evidence.indirect_se),
        ):
            there = np.isfinite(effect)
            spread = std_error[there] if self.known(model) else np.full(there.sum(), np.nan)
            yield kind, evidence.second[there], evidence.first[there], interval(effect[there], spread)

    def heterogeneity_of(self, model: str) -> TauEstimate:
        """Give tau2 with its Q-profile interval, and I2 and H2 from the Q of the whole network.

        The interval of I2 is Higgins and Thompson's (2002, doi:10.1002/sim.1186), H2 is Q / df.
        """
        from scipy.special import chdtrc

        q, df = self.q, self.df
        i2, lower, upper = i_squared(q, df)
        shared = TauEstimate(
            i2=i2,
            i2_lower=lower,
            i2_upper=upper,
            h2=q / df if df else np.nan,
            q=q if df else np.nan,
            df=df,
            p_value=float(chdtrc(df, q)) if df else np.nan,
        )
        if model == "common":
            return shared
        limits = tau2_interval(self.gls) if self.method != "given" else (np.nan, np.nan)
        tau2 = (self.tau2, *limits)
        names = ("tau", "tau_lower", "tau_upper"), ("tau2", "tau2_lower", "tau2_upper")
        columns = dict(zip(names[0], np.sqrt(tau2).tolist())) | dict(zip(names[1], tau2))
        return replace(shared, method=self.method, **columns)

    # --- ranks ----------------------------------------------------------------------------------------------

    @cached_property
    def rank_chances(self) -> dict[str, Array]:
        """Probability of every rank (columns) of every treatment (rows), from draws, by model."""
        lower = bool(self.network.lower_is_better)
        return {
            model: rank_probabilities(self.solution(model), lower, self.n_draws, self.seed)
            for model in self.models
            if self.known(model)
        }

    def ranks(self, model: str) -> Ranks | None:
        """Rank by P-score, the SUCRA of the estimates' normal distribution; what is drawn are the ranks."""
        if not self.known(model):
            return None
        each = np.arange(len(self.network.treatments))
        return Ranks(each, self.p_scores(model), self.rank_chances[model], self.n_draws, each)

    def p_scores(self, model: str) -> Array:
        """P-score of every treatment, in the order of `network.treatments`, (T,)."""
        count = len(self.network.treatments)
        treatment, versus = np.triu_indices(count, 1)
        effect, variance = self.gls.contrasts(self.between(model), treatment, versus)
        effects, errors = np.zeros((count, count)), np.ones((count, count))
        effects[treatment, versus], effects[versus, treatment] = effect, -effect
        errors[treatment, versus] = errors[versus, treatment] = np.sqrt(variance)
        return ranking.p_score(effects, errors, bool(self.network.lower_is_better))

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        from scipy.special import ndtr

        treatment, versus = self.ordered_pairs()
        for model in (m for m in self.models if self.known(m)):
            effect, variance = self.gls.contrasts(self.between(model), treatment, versus)
            yield model, treatment, versus, ndtr((sign * effect - margin) / np.sqrt(variance))

    # --- what other data would do ---------------------------------------------------------------------------

    def response(self, model: str) -> Response:
        """Say how the effects answer to what studies found, tau2 held at its estimate."""
        solution = self.solution(model)
        root, weights, gls = solution.root[0], solution.weights[:, 0], self.gls
        pull = gls.conductances(self.between(model))
        return Response(
            solution.effect[0] - solution.effect[0, 0],
            _against_first(root @ ((gls.design @ root).T * weights)),
            gls.low,
            gls.high,
            _against_first(root @ ((root[gls.high] - root[gls.low]).T * pull)),
        )

    def refitted(self, model: str, net: Network) -> Array:
        """Effects after studies found others, tau2 estimated anew unless it was given."""
        gls = Gls.of(net)
        again = model == "random" and self.method in ESTIMATORS
        tau2 = ESTIMATORS[self.method](gls) if again else self.between(model)
        effect = gls.solve([tau2 if np.isfinite(tau2) else 0.0]).effect[0]
        return effect - effect[0]

    # --- inconsistency --------------------------------------------------------------------------------------

    def agreement(self) -> Iterator[tuple[str, QTest]]:
        """Decompose Q, test the designs against each other, and detach them one by one."""
        for test in inconsistency.decomposition(self.network):
            model = "random" if test.method == "design-by-treatment" else "common"
            if model in self.models:
                yield model, test

    def node_splits(self, method: str = "back-calculation") -> pd.DataFrame:
        """Set direct against indirect evidence on every comparison that studies make.

        Parameters
        ----------
        method : {"back-calculation", "SIDDE", "side-splitting"}
            Take the direct estimate out of the network estimate; leave out every study that compares the
            two; or split the network by an inconsistency parameter, estimating tau2 anew. The first two use
            the network's tau2. Side-splitting moves the arm of `treatment` in multi-arm studies.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency``; difference is direct less indirect. Where there is no indirect
            evidence `note` says so, and no difference is given. Back-calculation gives a difference also
            where the rule of van Valkenhoef (see `analysis.network.data.graph.splittable`) refuses to split,
            for what is indirect comes from the same multi-arm studies: `note` says that, too.

        Raises
        ------
        CallError
            If the method is not known.
        """
        if method not in SPLITS:
            raise CallError(f"There is no way {method!r} to split; there are {', '.join(SPLITS)}.")
        return tables.node_splits(self, method, lambda model: self.split_comparisons(model, method))

    def split_comparisons(self, model: str, method: str = SPLITS[0]) -> Iterator[SplitSummary]:
        """Set direct against indirect evidence on every comparison that studies make."""
        tau2 = self.between(model)
        if method == "side-splitting":
            again = self.method if model == "random" and self.method in ESTIMATORS else None
            evidence, spread, _ = splitting.side_splitting(self.network, self.gls, again, tau2)
        else:
            if method == "SIDDE":
                evidence = splitting.separate_designs(self.network, self.gls, tau2)
            else:
                evidence = splitting.back_calculation(self.sources[model])
            spread = np.hypot(evidence.direct_se, evidence.indirect_se)
        known = 1.0 if self.known(model) else np.nan
        difference = interval(evidence.direct - evidence.indirect, known * spread)
        for c, (a, b) in enumerate(zip(evidence.first.tolist(), evidence.second.tolist())):
            yield SplitSummary(
                a,
                b,
                direct=evidence.direct[c],
                direct_std_error=known * evidence.direct_se[c],
                indirect=evidence.indirect[c],
                indirect_std_error=known * evidence.indirect_se[c],
                difference=difference.estimate[c],
                difference_std_error=difference.std_error[c],
                ci_lower=difference.ci_lower[c],
                ci_upper=difference.ci_upper[c],
                proportion_direct=evidence.proportion[c],
                p_value=difference.p_value[c],
                note=evidence.note[c],
                component=design_name(self.network, (b, a)),
            )

    def net_heat(self, model: str | None = None) -> pd.DataFrame:
        """Locate inconsistency: the numbers of the net heat plot.

        Parameters
        ----------
        model : str, optional
            The first that was fitted without it.

        Returns
        -------
        DataFrame
            See `analysis.network.tables.net_heat`.
        """
        tau2 = self.between(self.chosen_model(model or self.models[0]))
        return tables.net_heat(inconsistency.net_heat(self.network, tau2))

    # --- fit ------------------------------------------------------------------------------------------------

    def left_out(self, treatment: Array, versus: Array) -> Iterator[tuple[Array, LeftOut]]:
        """Leave out each study, all its experiments together; heterogeneity is estimated anew.

        Found from the one fit by down-dating, which is a refit to rounding error; where that would lose
        digits the network is solved again.
        """
        without = WithoutStudies(self.network, self.gls)
        # A dozen cells a row.
        refuse_without_room(
            500 * len(without.study) * len(treatment) * len(self.models),
            f"Leaving out each of {len(without.study):,} studies for {len(treatment):,} effects",
            f"Leave --leave-one-out out. {FEWER}",
        )
        parts = [without.left_out(model, self.method, self.tau2, treatment, versus) for model in self.models]
        if len(without.study):
            yield np.tile(np.array(self.models, dtype=object), len(without.study)), LeftOut.woven(parts)

    def statistics(self, model: str) -> Iterator[Statistic | ByStudy]:
        """Give the log likelihood, what each study adds to Q, and how certain the hierarchy is.

        The quantities are q (per study, and in total), df, POTH (see `analysis.network.ranking.poth`), and
        the (restricted) log likelihood of the random-effects model up to a constant.
        """
        if not self.known(model):
            return
        solution = self.solution(model)
        each = np.bincount(self.gls.study, solution.weights[:, 0] * solution.residual[:, 0] ** 2)
        yield ByStudy("q", [unit_label(unit) for unit in self.network.studies], each)
        yield Statistic("q", solution.rss[0], "sum of squared standardised residuals")
        yield Statistic("df", float(self.df))
        if ranking.benefit(self.network) is not None and (ranks := self.ranks(model)) is not None:
            yield Statistic("POTH", ranking.poth(ranks.sucra), "of the P-scores")
        if model == "random" and self.method in ("REML", "ML"):
            value = self.gls.log_likelihood(solution, self.method == "REML")[0]
            yield Statistic(f"log likelihood ({self.method})", value)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: what the heterogeneity rests on, and what cannot be told."""
        return remarks(self)

    # --- what estimates rest on -----------------------------------------------------------------------------

    def hat_matrix(self, kind: str = "comparisons", model: str | None = None) -> pd.DataFrame:
        """Give the weights that evidence has in the network estimates.

        Parameters
        ----------
        kind : {"comparisons", "designs", "studies"}
            Columns are direct comparisons, pooled over studies (Davies et al. 2022); contrasts of each design
            against its base arm (Krahn et al. 2013); or all comparisons within studies, as are the rows
            (Rücker 2012).
        model : str, optional

        Returns
        -------
        DataFrame
            Rows are all pairs of treatments (not for studies), labelled treatment:versus.

        Raises
        ------
        CallError
            If the kind is not known.
        """
        net, tau2 = self.network, self.between(self.chosen_model(model))
        pairs = self.all_pairs()
        treatment, versus = self.pair_indices(pairs)
        if kind == "comparisons":
            hat = contribution.comparison_hat(self.gls, tau2, treatment, versus)
            return tables.hat_matrix(hat, tables.pair_names(pairs), self._edges())
        if kind == "designs":
            pooled = inconsistency.pool_designs(net, tau2)
            columns = [
                (pooled.network.studies[d][0], design_name(net, (t, row[0])))
                for block in pooled.network.blocks
                for d, row in zip(block.study, block.treatment)
                for t in row[1:]
            ]
            hat = inconsistency.design_hat(pooled, treatment, versus)
            return tables.hat_matrix(hat, tables.pair_names(pairs), columns)
        if kind == "studies":
            rows = comparisons(net)
            labels = [
                (net.study_label(int(s)), design_name(net, (b, a)))
                for s, a, b in zip(rows.study, rows.first, rows.second)
            ]
            return tables.hat_matrix(contribution.study_hat(net, self.gls, tau2), labels, labels)
        raise CallError(f"There is no hat matrix of {kind!r}; there are comparisons, designs and studies.")

    def _edges(self) -> list[str]:
        return [design_name(self.network, (b, a)) for a, b in zip(self.gls.low, self.gls.high)]

    def contributions(
        self, method: str = "random walk", model: str | None = None, pairs: Sequence[Pair] | None = None
    ) -> pd.DataFrame:
        """Divide network estimates among direct comparisons.

        Parameters
        ----------
        method : {"random walk", "shortest path"}
            See `analysis.network.frequentist.contribution.contributions`.
        model : str, optional
        pairs : sequence of (treatment, versus), optional
            All without it.

        Returns
        -------
        DataFrame
            estimate and source (treatment:versus of the network estimate and of the direct comparison),
            share; the shares of an estimate sum to 1.

        Raises
        ------
        CallError
            If the method or a treatment is not known.
        """
        pairs = self.all_pairs() if pairs is None else pairs
        share = self._contributions(self.chosen_model(model), *self.pair_indices(pairs), method)
        return tables.contributions(tables.pair_names(pairs), self._edges(), share)

    def _contributions(self, model: str, treatment: Array, versus: Array, method: str) -> Array:
        if method not in contribution.METHODS:
            raise CallError(f"There is no method {method!r}; there are {', '.join(contribution.METHODS)}.")
        tau2 = self.between(model)
        return contribution.contributions(self.network, self.gls, tau2, treatment, versus, method)

    def path_measures(self, model: str | None = None) -> pd.DataFrame:
        """Describe the paths of evidence behind every network estimate.

        Returns
        -------
        DataFrame
            treatment, versus, mean_path_length, minimal_parallelism (König et al. 2013).
        """
        pairs = self.all_pairs()
        pooled = inconsistency.pool_designs(self.network, self.between(self.chosen_model(model)))
        return tables.path_measures(pairs, *contribution.path_measures(pooled, *self.pair_indices(pairs)))

    def weights(self, pairs: Sequence[Pair] | None = None, method: str = "random walk") -> pd.DataFrame:
        """Tabulate what each comparison of each study contributes to network estimates.

        A direct comparison's contribution is divided among its studies by their weights (reduced for
        multi-arm studies).

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.
        method : {"random walk", "shortest path"}

        Returns
        -------
        DataFrame
            Columns of ``weights``: treatment and versus name the network estimate; estimate, std_error and
            contrast_id belong to the study's comparison; the weights of one estimate sum to 1.

        Raises
        ------
        CallError
            If the method or a treatment is not known.
        """
        treatment, versus = self.pair_indices(pairs)
        return tables.weights(
            self, treatment, versus, lambda model: self.shares(model, treatment, versus, method)
        )

    def shares(self, model: str, treatment: Array, versus: Array, method: str = "random walk") -> Shares:
        """Divide estimates among direct comparisons, and each of those among its studies."""
        share = self._contributions(model, treatment, versus, method)
        rows, count = comparisons(self.network), len(self.network.treatments)
        edge = np.searchsorted(self.gls.low * count + self.gls.high, rows.first * count + rows.second)
        weight = np.clip(contribution.reduced_weights(self.network, self.between(model)), 0.0, None)
        within = weight / np.bincount(edge, weight)[edge]
        p, r = np.nonzero(share[:, edge] * within)
        return Shares(p, r, share[p, edge[r]] * within[r])

    def sensitivity(
        self, parts: Collection[str] = ("contributions", "paths", "net_heat"), method: str = "random walk"
    ) -> pd.DataFrame:
        """Tabulate what the estimates rest on: contributions, paths of evidence, net heat, hat matrix.

        Parameters
        ----------
        parts : collection of {"contributions", "paths", "net_heat", "hat"}
        method : {"random walk", "shortest path"}
            Of the contributions.

        Returns
        -------
        DataFrame
            Columns of ``sensitivity``. Contributions: item is the network estimate, quantity the direct
            comparison; the hat matrix likewise. Paths: mean path length and minimal parallelism. Net heat:
            item is the design, quantity the contribution of, or the change on detaching, the design it names.
        """
        made = {
            "contributions": lambda model: self.contributions(method, model),
            "paths": self.path_measures,
            "net_heat": self.net_heat,
            "hat": lambda model: self.hat_matrix("comparisons", model),
        }
        found = {
            model: {name: make(model) for name, make in made.items() if name in parts}
            for model in self.models
        }
        return tables.structure(self, found, method)


def _against_first(change: Array) -> Array:
    """Hold changes of effects against those of the first treatment, (T, m)."""
    return change - change[0]
