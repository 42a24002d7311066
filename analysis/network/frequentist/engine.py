"""Frequentist network meta-analysis: generalised least squares, common and random effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.network import ranking
from analysis.network.data.deletion import study_numbers
from analysis.network.data.graph import design_name, direct_comparisons
from analysis.network.data.network import Array, Network
from analysis.network.frequentist.structure import EvidenceStructure
from analysis.network.model import inconsistency
from analysis.network.model.gls import ESTIMATORS, Gls, Solution, tau2_interval
from analysis.network.model.specification import effect_scale, refuse_absurd, unit_of
from analysis.network.result import Pair
from analysis.proportion import refuse_beyond
from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.system.memory import FEWER, refuse_without_room

if TYPE_CHECKING:
    import pandas as pd

Z = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
SPLITS = ("back-calculation", "SIDDE", "side-splitting")
"""Ways to set direct against indirect evidence."""
DRAWS = 100_000
"""Draws behind rank probabilities."""
PART = 10_000
"""Draws held at once."""

NO_TAU = (
    "Heterogeneity cannot be estimated: no comparison is repeated or closes a loop (no degrees of freedom). "
    "Random-effects estimates stand without standard errors; give the value of tau2, or use engine 'exact' "
    "with a prior."
)


def fit(
    net: Network,
    *,
    model: str = "both",
    tau2: str | float = "REML",
    tau: float | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> FrequentistFit:
    """Fit a network by generalised least squares.

    Multi-arm studies enter with their full covariance; random effects of one study have correlation 1/2. The
    work is linear in the number of studies.

    REML and ML maximise the likelihood of the studies' contrasts with that covariance, as metafor's
    ``rma.mv`` does; netmeta's REML, which takes multi-arm studies apart into weighted pairs, finds other
    values where there are such studies.

    Parameters
    ----------
    net : Network
    model : {"both", "common", "random"}
    tau2 : {"REML", "DL", "ML"} or float
        Estimator of the heterogeneity variance: restricted maximum likelihood, the generalised moment
        estimator of DerSimonian and Laird (netmeta's default), maximum likelihood; or its value.
    tau : float, optional
        Heterogeneity standard deviation to use instead of an estimate, on the analysis scale.
    draws, seed : int
        Of the rank probabilities; everything else is exact.

    Returns
    -------
    FrequentistFit

    Raises
    ------
    CallError
        If the estimator is not known, or tau or tau2 is negative.
    RefusedError
        If only the random-effects model is asked for and its heterogeneity cannot be estimated.
    """
    if not isinstance(tau2, str):
        if not (np.isfinite(tau2) and tau2 >= 0):
            raise CallError(f"tau2 is a variance, 0 or more; not {tau2!r}.")
        tau = float(np.sqrt(tau2))
        if tau > 0:
            refuse_beyond(f"tau2 = {tau2:g}, a tau of {tau:g}", tau, effect_scale(net), unit_of(net))
        tau2 = "REML"
    method = next((name for name in ESTIMATORS if name == tau2.upper()), None)
    if method is None:
        raise CallError(
            f"There is no estimator {tau2!r} of tau2 for networks; there are {', '.join(ESTIMATORS)}."
        )
    if tau is not None and not (np.isfinite(tau) and tau >= 0):
        raise CallError(f"tau is a standard deviation, 0 or more; not {tau!r}.")
    if draws < 1:
        raise CallError(f"draws is {draws}; there must be at least 1.")
    refuse_absurd(net, tau=None if tau is None else float(tau))
    models = ("common", "random") if model == "both" else (model,)
    gls = Gls.of(net)
    between = np.nan
    if "random" in models:
        between = ESTIMATORS[method](gls) if tau is None else float(tau) ** 2
        if not np.isfinite(between) and gls.degrees_of_freedom() > 0:
            raise RefusedError(
                "The studies' precisions differ too much for the moment estimator of tau2 (DL); REML holds."
            )
        if models == ("random",) and not np.isfinite(between):
            raise RefusedError(NO_TAU)
    return FrequentistFit(net, models, gls, method if tau is None else "given", between, draws, seed)


@dataclass(frozen=True, eq=False)
class FrequentistFit(EvidenceStructure):
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
    draws, seed : int
        Of the rank probabilities.
    """

    network: Network
    models: tuple[str, ...]
    gls: Gls = field(repr=False)
    method: str
    tau2: float
    draws: int = DRAWS
    seed: int = 1
    engine: str = field(default="frequentist", init=False)

    def _known(self, model: str) -> bool:
        return model == "common" or bool(np.isfinite(self.tau2))

    @cached_property
    def _df(self) -> int:
        return self.gls.degrees_of_freedom()

    @cached_property
    def _q(self) -> float:
        return float(self.gls.solve([0.0]).rss[0]) if self._df else 0.0

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

    def relative_effects(self, pairs: Sequence[Pair] | None = None) -> pd.DataFrame:
        """Estimate the effects of some treatments against others, from the whole network.

        Prediction intervals are for the effect in a new study: Student's t with the degrees of freedom of
        Q, variance of the estimate plus tau2 (netmeta's, from version 3); none below two degrees of freedom.

        Parameters
        ----------
        pairs : sequence of (treatment, versus), optional
            Without it every treatment against the reference.

        Returns
        -------
        DataFrame
            Columns of ``estimates``.

        Raises
        ------
        CallError
            If a treatment is not in the network.
        """
        import pandas as pd
        from scipy.special import stdtrit

        treatment, versus = self.pair_indices(pairs)
        parts = []
        for model in self.models:
            tau2 = self.between(model)
            effect, variance = self.gls.contrasts(tau2, treatment, versus)
            std_error = np.sqrt(variance) if self._known(model) else np.full(len(effect), np.nan)
            columns = _interval(effect, std_error)
            if model == "random" and self._known(model) and self._df > 1:
                reach = stdtrit(self._df, 0.975) * np.sqrt(variance + tau2)
                columns |= {"pi_lower": effect - reach, "pi_upper": effect + reach}
            parts.append(self.estimate_rows(model, treatment, versus, evidence="network", **columns))
        return pd.concat(parts, ignore_index=True)

    def estimates(self) -> pd.DataFrame:
        """Tabulate all pairs of treatments, and the direct and indirect estimates behind them.

        Returns
        -------
        DataFrame
            Columns of ``estimates``. Each pair stands once in `evidence` network, the reference always in
            `versus`; directly compared pairs stand again as direct and, where the network holds more than
            that, indirect.
        """
        import pandas as pd

        parts = [super().estimates()]
        for model in self.models:
            evidence = inconsistency.back_calculation(self.network, self.gls, self.between(model))
            # What is left of a multi-arm study's own evidence is no other evidence.
            indirect = np.where(self.sources[model].sole, np.nan, evidence.indirect)
            for kind, effect, std_error in (
                ("direct", evidence.direct, evidence.direct_se),
                ("indirect", indirect, evidence.indirect_se),
            ):
                there = np.isfinite(effect)
                spread = std_error[there] if self._known(model) else np.full(there.sum(), np.nan)
                columns = _interval(effect[there], spread)
                second, first = evidence.second[there], evidence.first[there]
                parts.append(self.estimate_rows(model, second, first, evidence=kind, **columns))
        return pd.concat([part for part in parts if len(part)], ignore_index=True)

    def heterogeneity(self) -> pd.DataFrame:
        """Tabulate tau2 with its Q-profile interval, and I2 and H2 from the Q of the whole network.

        Returns
        -------
        DataFrame
            Columns of ``heterogeneity``; the interval of I2 is Higgins and Thompson's (2002,
            doi:10.1002/sim.1186), h2 is Q / df.
        """
        from scipy.special import chdtrc

        q, df = self._q, self._df
        i2, lower, upper = i_squared(q, df)
        shared: dict[str, Any] = {
            "engine": self.engine,
            "i2": i2,
            "i2_lower": lower,
            "i2_upper": upper,
            "h2": q / df if df else np.nan,
            "q": q if df else np.nan,
            "df": df,
            "p_value": float(chdtrc(df, q)) if df else np.nan,
        }
        rows = []
        for model in self.models:
            row = {"model": model, **shared}
            if model == "random":
                tau2_lower, tau2_upper = (
                    tau2_interval(self.gls) if self.method != "given" else (np.nan, np.nan)
                )
                row |= {
                    "method": self.method,
                    "tau": np.sqrt(self.tau2),
                    "tau_lower": np.sqrt(tau2_lower),
                    "tau_upper": np.sqrt(tau2_upper),
                    "tau2": self.tau2,
                    "tau2_lower": tau2_lower,
                    "tau2_upper": tau2_upper,
                }
            rows.append(row)
        return frame("heterogeneity", rows)

    # --- ranking --------------------------------------------------------------------------------------------

    def ranking(self) -> pd.DataFrame:
        """Rank the treatments by P-score.

        Returns
        -------
        DataFrame
            Columns of ``ranking``: the P-score is the SUCRA of the estimates' normal distribution, so both
            columns hold the same exact number; p_best is simulated. Empty where the outcome has no
            direction of benefit.
        """
        sign = ranking.benefit(self.network)
        rows: list[dict[str, Any]] = []
        if sign is None:
            return frame("ranking")
        count = len(self.network.treatments)
        treatment, versus = np.triu_indices(count, 1)
        for model in (m for m in self.models if self._known(m)):
            effect, variance = self.gls.contrasts(self.between(model), treatment, versus)
            effects, errors = np.zeros((count, count)), np.ones((count, count))
            effects[treatment, versus], effects[versus, treatment] = effect, -effect
            errors[treatment, versus] = errors[versus, treatment] = np.sqrt(variance)
            score = ranking.p_score(effects, errors, lower_is_better=sign < 0)
            rank = ranking.mean_rank(score)
            best = self._simulated[model][:, 0]
            rows += [
                {
                    "engine": self.engine,
                    "model": model,
                    "treatment": name,
                    "mean_rank": rank[t],
                    "sucra": score[t],
                    "p_score": score[t],
                    "p_best": best[t],
                }
                for t, name in enumerate(self.network.treatments)
            ]
        return frame("ranking", rows)

    @cached_property
    def _simulated(self) -> dict[str, Array]:
        """Share of draws from the estimates' normal distribution with each treatment at each rank, (T, T)."""
        found = {}
        for model in (m for m in self.models if self._known(m)):
            solution, rng = self.solution(model), np.random.default_rng(self.seed)
            effect = solution.effect[0]
            order, roots = ranking.canonical(effect, solution.root)
            mean, root = effect[order], roots[0]
            count = np.zeros((len(effect), len(effect)))
            # In parts, so that a large network does not take gigabytes.
            for start in range(0, self.draws, PART):
                size = min(PART, self.draws - start)
                draws = np.empty((size, len(effect)))
                draws[:, order] = mean + rng.standard_normal((size, root.shape[1])) @ root.T
                count += size * ranking.rank_probabilities(draws, bool(self.network.lower_is_better))
            found[model] = count / self.draws
        return found

    def rank_probabilities(self) -> pd.DataFrame:
        """Simulate the probability of every rank from the normal distribution of the estimates.

        Returns
        -------
        DataFrame
            Columns of ``rank_probabilities``; std_error is the simulation's.
        """
        if ranking.benefit(self.network) is None:
            return frame("rank_probabilities")
        rows = []
        for model in (m for m in self.models if self._known(m)):
            probability = self._simulated[model]
            error = ranking.sampling_error(probability, self.draws)
            rows += [
                {
                    "engine": self.engine,
                    "model": model,
                    "treatment": name,
                    "rank": rank + 1,
                    "probability": probability[t, rank],
                    "std_error": error[t, rank],
                }
                for t, name in enumerate(self.network.treatments)
                for rank in range(len(self.network.treatments))
            ]
        return frame("rank_probabilities", rows)

    def better_by(self, sign: float, margin: float) -> Iterator[tuple[str, Array, Array, Array]]:
        """Give the probability of being better by a margin: see `NetworkFit.better_by`."""
        from scipy.special import ndtr

        treatment, versus = self.ordered_pairs()
        for model in (m for m in self.models if self._known(m)):
            effect, variance = self.gls.contrasts(self.between(model), treatment, versus)
            yield model, treatment, versus, ndtr((sign * effect - margin) / np.sqrt(variance))

    # --- inconsistency --------------------------------------------------------------------------------------

    def inconsistency(self) -> pd.DataFrame:
        """Decompose Q, test the designs against each other, and detach them one by one.

        Returns
        -------
        DataFrame
            Columns of ``inconsistency``; see `analysis.network.model.inconsistency.decomposition`.
        """
        table = inconsistency.decomposition(self.network)
        random = table["method"] == "design-by-treatment"
        table["model"] = np.where(random, "random", "common")
        table["engine"] = self.engine
        kept = table[table["model"].isin(self.models)]
        return frame("inconsistency", {str(name): kept[name].to_numpy() for name in kept})

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
        import pandas as pd

        if method not in SPLITS:
            raise CallError(f"There is no way {method!r} to split; there are {', '.join(SPLITS)}.")
        return pd.concat([self._splits(model, method) for model in self.models], ignore_index=True)

    def _splits(self, model: str, method: str) -> pd.DataFrame:
        tau2 = self.between(model)
        if method == "side-splitting":
            again = self.method if model == "random" and self.method in ESTIMATORS else None
            evidence, spread, _ = inconsistency.side_splitting(self.network, again, tau2)
        else:
            split = (
                inconsistency.back_calculation
                if method == "back-calculation"
                else inconsistency.separate_designs
            )
            evidence = split(self.network, self.gls, tau2)
            spread = np.hypot(evidence.direct_se, evidence.indirect_se)
        known = 1.0 if self._known(model) else np.nan
        names = np.array(self.network.treatments, dtype=object)
        difference = evidence.direct - evidence.indirect
        interval = _interval(difference, known * spread)
        return frame(
            "inconsistency",
            {
                "engine": self.engine,
                "model": model,
                "method": method,
                "component": [
                    design_name(self.network, (b, a)) for a, b in zip(evidence.first, evidence.second)
                ],
                "treatment": names[evidence.second],
                "versus": names[evidence.first],
                "direct": evidence.direct,
                "direct_std_error": known * evidence.direct_se,
                "indirect": evidence.indirect,
                "indirect_std_error": known * evidence.indirect_se,
                "difference": difference,
                "difference_std_error": interval["std_error"],
                "ci_lower": interval["ci_lower"],
                "ci_upper": interval["ci_upper"],
                "proportion_direct": evidence.proportion,
                "p_value": interval["p_value"],
                "note": list(evidence.note),
            },
        )

    # --- sensitivity and fit --------------------------------------------------------------------------------

    def leave_one_out(self) -> pd.DataFrame:
        """Refit without each study, all its experiments together; every treatment against the reference.

        Heterogeneity is estimated anew.

        Returns
        -------
        DataFrame
            Columns of ``leave_one_out``. Where the network falls apart without the study, the treatments
            cut off from the reference have no estimate and `note` says so.
        """
        net, count = self.network, len(self.network.treatments)
        treatment, versus = self.pair_indices(None)
        names = np.array(net.treatments, dtype=object)
        parts: dict[str, list[Any]] = {}
        number, studies = study_numbers(net)
        rows = len(studies) * len(treatment) * len(self.models)
        # A dozen cells a row, each a Python number until the table stands.
        refuse_without_room(
            500 * rows,
            f"Leaving out each of {len(studies):,} studies for {len(treatment):,} effects",
            f"Leave --leave-one-out out. {FEWER}",
        )
        for s, study in enumerate(studies):
            keep = number[self.gls.study] != s
            if not keep.any():
                continue
            df = self.gls.degrees_of_freedom(keep)
            q = float(self.gls.solve([0.0], keep).rss[0]) if df else np.nan
            for model in self.models:
                between = 0.0
                if model == "random":
                    between = (
                        ESTIMATORS[self.method](self.gls, keep) if self.method in ESTIMATORS else self.tau2
                    )
                known = bool(np.isfinite(between))
                effect, variance = self.gls.contrasts(between if known else 0.0, treatment, versus, keep)
                std_error = np.sqrt(variance) if known else np.full(count - 1, np.nan)
                columns = _interval(effect, std_error) | {
                    "engine": self.engine,
                    "model": model,
                    "study": study,
                    "treatment": names[treatment],
                    "versus": names[versus],
                    "tau": np.sqrt(between) if model == "random" else np.nan,
                    "i2": max(0.0, 1 - df / q) if df and q > 0 else (0.0 if df else np.nan),
                    "q": q,
                    "note": np.where(
                        np.isnan(effect),
                        f"not connected with {net.reference} without this study",
                        "" if known else "heterogeneity cannot be estimated",
                    ),
                }
                columns.pop("p_value")
                for name, values in columns.items():
                    parts.setdefault(name, []).append(
                        np.broadcast_to(np.asarray(values, dtype=object), count - 1)
                    )
        return frame(
            "leave_one_out", {name: np.concatenate(values) for name, values in parts.items()}
        ).infer_objects()

    def fit_statistics(self) -> pd.DataFrame:
        """Tabulate the log likelihoods, what each study adds to Q, and how certain the hierarchy is.

        Returns
        -------
        DataFrame
            Columns of ``fit``; quantity is q (per study, and in total), df, POTH (see
            `analysis.network.ranking.poth`), and the (restricted) log likelihood of the random-effects model
            up to a constant.
        """
        rows: list[dict[str, Any]] = []
        scores_of = self.ranking()
        for model in (m for m in self.models if self._known(m)):
            solution = self.solution(model)
            each = np.bincount(self.gls.study, solution.weights[:, 0] * solution.residual[:, 0] ** 2)
            shared = {"engine": self.engine, "model": model}
            rows += [
                {**shared, "study": self.network.study_label(s), "quantity": "q", "value": value}
                for s, value in enumerate(each)
            ]
            rows += [
                {
                    **shared,
                    "quantity": "q",
                    "value": solution.rss[0],
                    "note": "sum of squared standardised residuals",
                },
                {**shared, "quantity": "df", "value": float(self._df)},
            ]
            if len(scores := scores_of[scores_of["model"] == model]):
                value = ranking.poth(scores["p_score"].to_numpy(dtype=float))
                rows.append({**shared, "quantity": "POTH", "value": value, "note": "of the P-scores"})
            if model == "random" and self.method in ("REML", "ML"):
                value = self.gls.log_likelihood(solution, self.method == "REML")[0]
                rows.append({**shared, "quantity": f"log likelihood ({self.method})", "value": value})
        return frame("fit", rows)

    def remarks(self) -> list[tuple[str, str]]:
        """Give the rows of `notes`: severity and message."""
        found = list(self.network.notes)
        if "random" in self.models and not np.isfinite(self.tau2):
            found.append(("warning", NO_TAU))
        if "random" in self.models and self.method != "given" and 0 < self._df < 3:
            found.append(
                (
                    "warning",
                    f"Heterogeneity rests on {self._df} degree{'s' * (self._df > 1)} of freedom only.",
                )
            )
        if ranking.benefit(self.network) is None:
            found.append(("warning", ranking.NO_DIRECTION))
        if len(direct_comparisons(self.network)) == len(self.network.treatments) - 1:
            found.append(
                (
                    "info",
                    "No comparison has both direct and indirect evidence: consistency cannot be checked.",
                )
            )
        return found


def _interval(effect: Array, std_error: Array) -> dict[str, Array]:
    """Wald interval and two-sided p-value."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore"):
        return {
            "estimate": effect,
            "std_error": std_error,
            "ci_lower": effect - Z * std_error,
            "ci_upper": effect + Z * std_error,
            "p_value": 2 * ndtr(-np.abs(effect) / std_error),
        }


def i_squared(q: float, df: int) -> tuple[float, float, float]:
    """I2 with its test-based 95 % interval.

    Parameters
    ----------
    q : float
    df : int

    Returns
    -------
    i2, lower, upper : float
        Shares, 0 to 1; NaN without degrees of freedom, no interval with one.

    References
    ----------
    Higgins JPT, Thompson SG (2002). Stat Med 21:1539-58. doi:10.1002/sim.1186 (appendix A2)
    """
    if df == 0:
        return np.nan, np.nan, np.nan
    i2 = max(0.0, 1 - df / q) if q > 0 else 0.0
    if df == 1:
        return i2, np.nan, np.nan
    if q > df + 1:
        spread = 0.5 * (np.log(q) - np.log(df)) / (np.sqrt(2 * q) - np.sqrt(2 * df - 1))
    else:
        spread = np.sqrt(1 / (2 * (df - 1)) * (1 - 1 / (3 * (df - 1) ** 2)))
    h = max(1.0, np.sqrt(q / df))
    bounds = [np.exp(np.log(h) + sign * Z * spread) for sign in (-1, 1)]
    lower, upper = (max(0.0, 1 - 1 / bound**2) for bound in bounds)
    return i2, lower, upper
