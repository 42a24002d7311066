"""A pairwise meta-analysis: one question, both models, and every analysis that belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.pairwise import sensitivity, sequential, subgroups, tables
from analysis.pairwise.data.assembly import Assembly, assemble
from analysis.pairwise.data.contrasts import Contrasts, typed
from analysis.pairwise.data.reading import load
from analysis.pairwise.influence import deletion, sequences, studies
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.options import Options, option
from analysis.pairwise.pooling import ENGINE, InverseVariance, Pooled, Pooling, pooling
from analysis.pairwise.regression import MetaRegression, meta_regression
from analysis.pairwise.sequential import Sequential
from analysis.pairwise.small_study import effects
from analysis.proportion import refuse_beyond
from evidence.errors import CallError
from evidence.folder.variables import mixed_units, units_refused
from evidence.names import nearest

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit
    from analysis.pairwise.influence.gosh import Gosh
    from evidence.query import EvidenceBase


@dataclass(frozen=True)
class PairwiseFit:
    """A pairwise meta-analysis; its methods return tidy frames.

    Attributes
    ----------
    contrasts : Contrasts
        What was read.
    options : Options
        What was asked for.
    assembly : Assembly
        What enters the computation.
    pooling : Pooling
        How the studies are put together.

    Notes
    -----
    Here stand the two models, and every method with what it takes. How a method makes its rows stands in
    `tables` (results), `subgroups`, `influence` (studies left out, added, weighed), `small_study` (funnels),
    `sensitivity` (all of these) and `regression`.

    Examples
    --------
    >>> import evidence
    >>> from analysis import pairwise
    >>> db = evidence.open("diabetes")
    >>> meta = pairwise.fit(db, outcome="hba1c", measure="MD", treatment="metf", versus="plac")
    >>> print(meta.heterogeneity()[["model", "tau", "i2", "q", "df"]].round(2).to_string(index=False))
     model  tau   i2     q  df
    common 0.00 0.93 42.18   3
    random 0.59 0.91 42.18   3
    """

    contrasts: Contrasts
    options: Options
    assembly: Assembly
    pooling: Pooling

    @classmethod
    def of(cls, contrasts: Contrasts, options: Options) -> PairwiseFit:
        """Fit contrasts that were read before: what enters is put together, numbers are found when asked for.

        Raises
        ------
        RefusedError
            If the method cannot be used with the measure or the data.
        """
        assembly = assemble(contrasts, options.shared, options.dependence)
        fitted = cls(contrasts, options, assembly, pooling(assembly, options, contrasts.measure))
        if options.by is not None:
            fitted.variable(options.by)
        return fitted

    # --- the two models -----------------------------------------------------------------------------------

    @property
    def rows(self) -> EffectRows:
        """Independent rows of the analysis."""
        return self.assembly.rows

    @property
    def studies(self) -> tuple[str, ...]:
        """Names of the studies, in alphabetical order."""
        return self.assembly.studies

    @cached_property
    def study_of_contrast(self) -> Array:
        """Number of each contrast's study."""
        names = {name: index for index, name in enumerate(self.studies)}
        return np.array([names[str(name)] for name in self.assembly.contrasts.frame["study"]])

    @cached_property
    def inverse_variance(self) -> InverseVariance:
        """Inverse variance on the same contrasts: what the sensitivity analyses rest on."""
        return InverseVariance(self.assembly, self.options, self.contrasts.measure)

    @property
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Pooled effect under the common-effect and the random-effects model."""
        return self.pooling.pooled

    @property
    def tau2(self) -> float:
        """Between-study variance by inverse variance; NaN if it cannot be estimated."""
        return self.inverse_variance.tau2

    def models_and_methods(self) -> list[tuple[str, str | float | None]]:
        """Names of the models, with the estimator of tau2 of each."""
        return [("common", None), ("random", self.options.tau2)]

    def instead(self, model: str) -> str | None:
        """Say that a sensitivity analysis takes inverse variance where the model itself does not."""
        engine = next(item.engine for item in self.pooled if item.model == model)
        return None if engine == ENGINE else f"by inverse variance, not {engine}"

    def wald(self, model: str) -> tuple[float, float]:
        """Pooled effect and its standard error, robust where that was asked for, without HK's factor."""
        item = next(item for item in self.pooled if item.model == model)
        covariance = item.effect.covariance
        if item.engine == ENGINE and self.options.ci != "CR2":
            plain = self.inverse_variance
            covariance = (plain.common_solution if model == "common" else plain.random_solution).covariance
        return float(item.effect.estimate[0]), float(np.sqrt(covariance[0, 0]))

    def part(self, keep: Array, **changes: Any) -> PairwiseFit:
        """Fit some of the contrasts, (n,) bool, anew: without subgroups, options changed where given.

        Raises
        ------
        RefusedError
            If the method cannot be used with these.
        """
        return self.of(self.assembly.contrasts.part(keep), replace(self.options, by=None, **changes))

    def variable(self, name: str) -> pd.Series:
        """Values of a study variable, one per contrast of the analysis.

        Raises
        ------
        CallError
            If there is no such variable.
        RefusedError
            If its values are in units that cannot be converted.
        """
        variables = self.assembly.contrasts.variables
        if name in variables.columns:
            if units := mixed_units(variables, name):
                raise units_refused(name, units)
            return typed(variables[name])
        close = nearest(name, list(variables.columns))
        hint = f" Did you mean {close!r}?" if close else ""
        listed = ", ".join(list(variables.columns)[:40]) or "none"
        raise CallError(f"The studies have no variable {name!r}.{hint} They have: {listed}.")

    def bayes(self, tau_prior: str | None = None, effect_prior_sd: float | None = None) -> NetworkFit:
        """Fit both models as Bayesians do, exactly: as a network of two treatments.

        Parameters
        ----------
        tau_prior : str, optional
            Prior of tau in the outcome's unit, for example "half-normal(0.5)"; see
            `analysis.network.model.priors.parse`.
        effect_prior_sd : float, optional
            Standard deviation of the effect's normal prior.

        Returns
        -------
        NetworkFit
            Its ``estimates()`` hold credible intervals; its notes print the priors. Other engines take
            `analysis.network.from_pairwise` of the fit.
        """
        from analysis import network

        return network.fit(
            network.from_pairwise(self), engine="exact", tau_prior=tau_prior, effect_prior_sd=effect_prior_sd
        )

    # --- subgroups ------------------------------------------------------------------------------------------

    @cached_property
    def levels(self) -> dict[str, PairwiseFit]:
        """The same analysis in each subgroup, by level; empty without `by`."""
        return subgroups.levels(self) if self.options.by is not None else {}

    @cached_property
    def level_of_contrast(self) -> pd.Series:
        """Subgroup of each contrast; None where it is in none."""
        return self.variable(str(self.options.by)).map(subgroups.level_name)

    @cached_property
    def together(self) -> EffectRows | None:
        """Rows of all subgroups with one mean for each, where they share an estimated tau2."""
        return subgroups.together(self)

    def subgroups(self) -> pd.DataFrame:
        """Test that the subgroups have the same effect, under both models, as rows of the frame sensitivity.

        Quantities: q, df, p_value. Cochran's Q between the subgroups' pooled effects, with their standard
        errors without Hartung and Knapp's factor. Subgroups are taken as independent; the note says so where
        a study is in several.
        """
        return subgroups.differences(self)

    # --- results --------------------------------------------------------------------------------------------

    def estimates(self) -> pd.DataFrame:
        """Pooled effects under both models, then those of each subgroup: columns of `results.COLUMNS`."""
        return tables.estimates(self)

    def heterogeneity(self, interval: str | None = None) -> pd.DataFrame:
        """Between-study variance, I2, H2 and Q, of all studies and of each subgroup.

        Parameters
        ----------
        interval : {"QP", "PL"}, optional
            Q-profile or profile-likelihood interval of tau2, and of I2 and H2 through it; the one that was
            asked for without it.
        """
        return tables.heterogeneity(self, interval)

    def weights(self) -> pd.DataFrame:
        """Share of each contrast in the pooled effect of each model, with the measurements behind it.

        A contrast that shares an arm can have a negative weight: what it adds is then how it corrects another
        one.
        """
        return tables.weights(self)

    def exclusions(self) -> pd.DataFrame:
        """List what did not enter, with the reason and what would make it usable."""
        return tables.exclusions(self)

    def without_value(self, missing: Array, stage: str, name: str) -> pd.DataFrame:
        """Exclusions of the contrasts, (n,) bool, that have no value of a variable."""
        return tables.without_value(self, missing, stage, name)

    def notes(self) -> pd.DataFrame:
        """List what was decided on the way, and what a reader should know."""
        return tables.notes(self)

    # --- studies left out, added, weighed -------------------------------------------------------------------

    @property
    def left_out_at_once(self) -> bool:
        """Whether every study is left out from the sums of one fit, and none takes a fit of its own."""
        return sequences.at_once(self)

    def leave_one_out(self) -> pd.DataFrame:
        """Both models without each study in turn.

        Examples
        --------
        >>> rows = meta.leave_one_out().query("model == 'random'")
        >>> print(rows[["study", "estimate", "ci_lower", "ci_upper"]].round(2).to_string(index=False))
                        study  estimate  ci_lower  ci_upper
             De Fronzo (1995)     -0.82     -1.22     -0.43
        Gonzalez-Ortiz (2004)     -1.31     -2.73      0.11
                 Lewin (2007)     -1.24     -3.11      0.63
                Willms (1999)     -1.09     -3.00      0.81
        """
        return sequences.leave_one_out(self)

    def cumulative(self, by: str = "year") -> pd.DataFrame:
        """Both models after each study was added, as in the frame leave_one_out; study is the one added last.

        Parameters
        ----------
        by : str
            A variable of the studies, smallest first, or "precision", most precise study first.

        Raises
        ------
        CallError
            If the variable is not known, or no number.
        RefusedError
            If a study has no value of it.
        """
        return sequences.cumulative(self, by)

    def sequential(
        self, anticipated: float, *, alpha: float = 0.05, power: float = 0.9, diversity: float | None = None
    ) -> Sequential:
        """Hold the evidence of each year against bounds for looking repeatedly: see `sequential.sequential`.

        Parameters
        ----------
        anticipated : float
            Effect worth finding: a ratio of ratio measures (0.8), else in the unit of the effect.
        alpha, power : float
            Two-sided error of all looks together; probability of showing that effect.
        diversity : float, optional
            In place of D2, by which heterogeneity enlarges the required information.

        Examples
        --------
        >>> looked = meta.sequential(-0.5)
        >>> round(looked.required.required), looked.crossed is None
        (5025, True)
        """
        return sequential.sequential(self, anticipated, alpha=alpha, power=power, diversity=diversity)

    @cached_property
    def influences(self) -> dict[str, deletion.Influence]:
        """What each study does to the fit, by model."""
        return {model: deletion.influence(self.rows, method) for model, method in self.models_and_methods()}

    def influence(self) -> pd.DataFrame:
        """Measure the influence of each study under both models, as rows of the frame sensitivity.

        Quantities: rstudent, dffits, cooks_distance, covariance_ratio, tau2_without, q_without, hat, weight,
        dfbetas, influential (1 or 0); see `deletion.Influence`. By inverse variance whatever the method; the
        note says so where that differs.
        """
        return studies.influence(self)

    def baujat(self) -> pd.DataFrame:
        """Give each study's contribution to Q and its influence on the pooled effect, under both models."""
        return studies.baujat(self)

    def gosh(self, model: str = "random", subsets: int = 1_000_000, seed: int = 1) -> Gosh:
        """Fit every subset of the studies, or a sample of them, by inverse variance.

        Parameters
        ----------
        model : {"common", "random"}
            Which model is fitted; the random one with the fit's estimator of tau2.
        subsets, seed : int
            Most subsets that are fitted, and the seed of the sample where there are more.
        """
        from analysis.pairwise.influence.gosh import gosh

        model = option("model", model, dict.fromkeys(("common", "random")))
        return gosh(self.rows, self.studies, self.options.tau2 if model == "random" else None, subsets, seed)

    def outliers(self) -> pd.DataFrame:
        """Flag outliers under both models, as rows of the frame sensitivity.

        Quantities, 1 or 0: interval, the study's 95 % interval does not meet the pooled effect's (Harrer et
        al. 2021, Doing Meta-Analysis with R, ch. 5); residual, its externally standardised residual is beyond
        1.96.
        """
        return studies.outliers(self)

    # --- small-study effects --------------------------------------------------------------------------------

    def egger(self, model: str = "multiplicative", predictor: str | None = None) -> pd.DataFrame:
        """Run Egger's test; see `asymmetry.egger`.

        Parameters
        ----------
        model : {"multiplicative", "additive"}
            Multiplicative is Egger's own; additive, with the fit's estimator of tau2, is metafor's default.
        predictor : str, optional
            se, variance, n, 1/n, sqrt(n), 1/sqrt(n) or sqrt(1/n1+1/n2). Without it se, or sqrt(1/n1+1/n2)
            for a measure whose standard error depends on the effect.
        """
        return effects.egger(self, model, predictor)

    def begg(self, exact: bool | None = None, anyway: bool = False) -> pd.DataFrame:
        """Run Begg's rank test; see `asymmetry.begg`.

        Parameters
        ----------
        exact : bool, optional
            As there.
        anyway : bool
            Carry it out where it does not hold, with a note.
        """
        return effects.begg(self, exact, anyway)

    def peters(self) -> pd.DataFrame:
        """Run Peters' test, for odds ratios; see `asymmetry.peters`."""
        return effects.peters(self)

    def harbord(self) -> pd.DataFrame:
        """Run Harbord's test, for odds ratios; see `asymmetry.harbord`. A note says where it fails."""
        return effects.harbord(self)

    def table_tests(self, correct: bool = True) -> pd.DataFrame:
        """Run the Cochran-Mantel-Haenszel, Breslow-Day and Tarone tests on the counts.

        Parameters
        ----------
        correct : bool
            Continuity correction of the Cochran-Mantel-Haenszel statistic.
        """
        return effects.table_tests(self, correct)

    def trim_fill(self, estimator: str = "L0", side: str | None = None, anyway: bool = False) -> pd.DataFrame:
        """Trim and fill under both models; see `asymmetry.trim_fill`, and `begg` for `anyway`."""
        return effects.trim_fill(self, estimator, side, anyway)

    def pet_peese(self, anyway: bool = False) -> pd.DataFrame:
        """Give PET, PEESE and the conditional PET-PEESE estimate; see `asymmetry.pet_peese`.

        Parameters
        ----------
        anyway : bool
            Carry it out where it does not hold, with a note.
        """
        return effects.pet_peese(self, anyway)

    def selection_model(self, step: float = 0.025, direction: str | None = None) -> pd.DataFrame:
        """Fit the three-parameter step selection model; see `selection_model.selection_model`.

        Parameters
        ----------
        step : float
            One-sided p-value at which the probability of publication changes.
        direction : {"greater", "less"}, optional
            Direction that is favoured; that of the common effect without it.
        """
        return effects.selection_model(self, step, direction)

    def funnel(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the data of a funnel plot.

        Returns
        -------
        (effects, limits) : tuple of DataFrame
            study, label, contrast_id, estimate, std_error; and the lines of `bias.contours`, about no effect
            and about the common effect.
        """
        return effects.funnel(self)

    # --- pictures -------------------------------------------------------------------------------------------

    def plot(self, kind: str = "forest", **options: Any) -> Any:
        """Draw a chart of this analysis.

        Parameters
        ----------
        kind : str
            forest, leave_one_out, cumulative, funnel, bubble, baujat or gosh.
        **options
            Those of the chart's function in `analysis.plot`: by of cumulative, terms of bubble, subsets of
            gosh.

        Returns
        -------
        altair chart
            Shown as it is in a notebook; `analysis.charts.save` writes it to files.

        Raises
        ------
        CallError
            If there is no such chart or option.
        RefusedError
            If there is nothing to draw.

        Examples
        --------
        >>> meta.plot("funnel").usermeta["evidence"]["title"]
        'HbA1c: metformin versus placebo, funnel plot'
        """
        from analysis import plot

        return plot.of_fit(self, kind, **options)

    def _repr_html_(self) -> str:
        from analysis import plot

        return plot.as_html(self)

    # --- all of these, and moderators -----------------------------------------------------------------------

    def sensitivity(
        self, methods: Collection[str] | None = None, settings: sensitivity.Settings | None = None
    ) -> pd.DataFrame:
        """Run every sensitivity analysis that applies, one under the other, as rows of the frame sensitivity.

        Influence, Baujat, outliers (up to `sensitivity.LARGE` studies), for odds ratios Peters and Harbord,
        Egger (both forms), Begg, trim and fill (L0, R0), PET-PEESE, the selection model, between-group tests,
        and for odds ratios the tests on 2 x 2 tables. One that the data do not allow, or with which it does
        not hold its level, has a row with the quantity ``refused`` and the reason in its note.

        Parameters
        ----------
        methods : collection of str, optional
            Only those of these names, as they stand in the column method; also what does not apply, which is
            then refused by name.
        settings : sensitivity.Settings, optional
            What they are told; the usual without it.
        """
        return sensitivity.every(self, methods, settings)

    def meta_regression(
        self, *terms: str, reference_levels: Mapping[str, str] | None = None
    ) -> MetaRegression:
        """Regress the effects on variables: numbers as they are, anything else as categories.

        Parameters
        ----------
        *terms : str
            Variables of studies, arms and effects, or columns of the table.
        reference_levels : mapping of str to str, optional
            Level that the others are compared with, by variable; else the one that most studies have.

        Examples
        --------
        >>> found = meta.meta_regression("year").coefficients()
        >>> print(found[["term", "estimate", "std_error"]].round(3).to_string(index=False))
             term  estimate  std_error
        intercept  -188.273     62.362
             year     0.093      0.031
        """
        return meta_regression(self, terms, reference_levels)


def fit(
    source: EvidenceBase | pd.DataFrame,
    *,
    outcome: str | None = None,
    measure: str | None = None,
    treatment: str | None = None,
    versus: str | None = None,
    tau2: str | float = "REML",
    ci: str = "HK",
    prediction: str | None = None,
    by: str | None = None,
    timepoint: str | None = None,
    where: str | None = None,
    exclude_high_rob: bool = False,
    shared: str = "covariance",
    method: str = "inverse_variance",
    dependence: str | None = None,
    separate_tau2: bool = True,
    tau2_interval: str = "QP",
    covariance: pd.DataFrame | None = None,
) -> PairwiseFit:
    """Meta-analyse the contrasts of one treatment with one comparator.

    Parameters
    ----------
    source : EvidenceBase or DataFrame
        An open evidence base, or a table with the columns of the view ``contrast`` (or study, yi and vi or
        sei).
    outcome, measure, treatment, versus : str
        The question; effects are `treatment` minus `versus`, ratios as logarithms. A table that holds but one
        question need not be told.
    tau2 : str or float
        Estimator of the between-study variance: REML (default), DL, PM, ML, HE, HS, SJ, EB; or its value.
    ci : str
        Interval of the random-effects model: HK (default), HK-adhoc, Wald, CR2. The common-effect model's is
        Wald's.
    prediction : str, optional
        Prediction interval: HTS, V, HK, HK-PR, S. Without it t with k - 1 degrees of freedom on the standard
        error of `ci`: HK after HK, V after the others. "metafor" is HK after HK and S after the others.
        Likelihoods and the multilevel model have no HK; k counts studies there.
    by : str, optional
        Variable of the studies (or column of the table) that makes subgroups.
    timepoint : str, optional
        first, last, a time with its unit (24 h), or nearest:24 h; the plan's rule, else last, without it.
    where : str, optional
        SQL condition on study and characteristic columns.
    exclude_high_rob : bool
        Leave out studies at high risk of bias: those of the view ``high_risk_study``.
    shared : {"covariance", "split", "ignore"}
        What to do about contrasts that share an arm; always said in the notes.
    method : str
        inverse_variance (default), MH, Peto, binomial, CM.AL, UM.FS, multilevel; see `METHODS`.
    dependence : str, optional
        What to do about several effects of one study (arms of one treatment, members of a class,
        experiments): combine (default), multilevel, CR2, independent; see `assembly.DEPENDENCE`. The default
        keeps 95 % intervals at 95 %, independent does not.
    separate_tau2 : bool
        Whether each subgroup has its own between-study variance (default) or all share one.
    tau2_interval : {"QP", "PL"}
        Interval of the between-study variance, and of I2 and H2 through it: Q-profile or profile likelihood.
    covariance : DataFrame, optional
        With a table: contrast_1, contrast_2, covariance.

    Returns
    -------
    PairwiseFit

    Raises
    ------
    CallError
        If an option or a name is not known.
    EvidenceError
        If the table holds numbers that cannot be effects or standard errors.
    RefusedError
        If nothing is left to analyse, or the method does not fit the data.

    Examples
    --------
    >>> import pandas as pd
    >>> from analysis import pairwise
    >>> table = pd.DataFrame({"study": ["a", "b", "c"], "yi": [0.2, 0.5, 0.1], "sei": [0.1, 0.2, 0.1]})
    >>> found = pairwise.fit(table, tau2="DL").estimates()
    >>> print(found[["model", "estimate", "std_error"]].round(3).to_string(index=False))
     model  estimate  std_error
    common     0.189      0.067
    random     0.207      0.097
    """
    options = Options.read(
        tau2=tau2, ci=ci, prediction=prediction, shared=shared, method=method, dependence=dependence,
        by=by, separate_tau2=separate_tau2, tau2_interval=tau2_interval,
    )  # fmt: skip
    contrasts = load(
        source, outcome=outcome, measure=measure, treatment=treatment, versus=versus, timepoint=timepoint,
        where=where, exclude_high_rob=exclude_high_rob, covariance=covariance,
    )  # fmt: skip
    return of_contrasts(contrasts, options)


def of_contrasts(contrasts: Contrasts, options: Options) -> PairwiseFit:
    """Fit contrasts that were read, whose options nobody has looked at beside them.

    Raises
    ------
    RefusedError
        If the method cannot be used with the measure or the data, or tau2 has nothing to do with the effects.
    """
    _check_size(contrasts, options)
    return PairwiseFit.of(contrasts, options)


def _check_size(contrasts: Contrasts, options: Options) -> None:
    """Refuse a tau2 that has nothing to do with the effects, as the networks do."""
    if isinstance(options.tau2, str) or options.tau2 == 0:
        return
    effects = contrasts.frame[["estimate", "std_error"]].to_numpy(float)
    found = [abs(column[np.isfinite(column)]).max(initial=0.0) for column in effects.T]
    tau, largest = float(np.sqrt(options.tau2)), float(found[0] or found[1])
    refuse_beyond(f"tau2 = {options.tau2:g}, a tau of {tau:g}", tau, largest, contrasts.unit or "")
