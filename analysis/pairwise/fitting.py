"""A pairwise meta-analysis: one question, both models, and every analysis that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.data.reading import load
from analysis.pairwise.influence import deletion, sequences
from analysis.pairwise.model.degenerate import determined
from analysis.pairwise.model.rows import Array
from analysis.pairwise.models import quantities
from analysis.pairwise.options import Options, option
from analysis.pairwise.pooling import MISSING
from analysis.pairwise.regression import MetaRegression, between_groups, meta_regression
from analysis.pairwise.small_study.effects import SmallStudyEffects
from analysis.proportion import refuse_beyond
from analysis.results import frame
from evidence.errors import CallError, EvidenceError, RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.network.result import NetworkFit
    from analysis.pairwise.data.contrasts import Contrasts
    from analysis.pairwise.influence.gosh import Gosh
    from evidence.query import EvidenceBase

_Z = 1.959963984540054


APART = ("inverse_variance", "MH", "Peto")
"""Methods whose random-effects model is that of inverse variance."""

LARGE = 1000
"""Studies above which analyses whose work grows with their square run only when asked for by name."""


def _too_many(k: int) -> Callable[[], pd.DataFrame]:
    def refuse() -> pd.DataFrame:
        raise RefusedError(f"{k} studies: above {LARGE} it runs only when asked for by name, in Python.")

    return refuse


class PairwiseFit(SmallStudyEffects):
    """A pairwise meta-analysis; its methods return tidy frames.

    Attributes
    ----------
    contrasts : Contrasts
        What was read.
    options : Options
        What was asked for.
    assembly : Assembly
        What enters the computation.

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

    # --- Bayes ----------------------------------------------------------------------------------------------

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

    # --- deletions ------------------------------------------------------------------------------------------

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
        order = np.arange(len(self.studies))
        return sequences.parts(self, order, lambda place: self.study_of_contrast != place, deletion.leave_out)

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
        order = np.argsort(self._entry(by), kind="stable")
        rank = np.argsort(order)
        return sequences.parts(
            self,
            order,
            lambda place: rank[self.study_of_contrast] <= place,
            lambda rows, method: deletion.cumulative(rows, order, method),
        )

    def _entry(self, by: str) -> Array:
        """Give what the studies are ordered by, (studies,)."""
        if by == "precision":
            return -np.bincount(self.rows.study, self.rows.X[:, 0] ** 2 / self.rows.v, len(self.studies))
        values = self.variable(by)
        if values.dtype.kind not in "fiu":
            raise CallError(f"{by!r} is not a number in every study: a cumulative analysis needs an order.")
        key = np.full(len(self.studies), np.nan)
        key[self.study_of_contrast] = values.to_numpy(float)
        if np.isnan(key).any():
            missing = ", ".join(np.array(self.studies)[np.isnan(key)])
            raise RefusedError(
                f'Studies without {by}: {missing}. Fill it in, or leave them out: where="{by} is not null".'
            )
        return key

    # --- sensitivity ----------------------------------------------------------------------------------------

    def influence(self) -> pd.DataFrame:
        """Measure the influence of each study under both models, as rows of the frame sensitivity.

        Quantities: rstudent, dffits, cooks_distance, covariance_ratio, tau2_without, q_without, hat, weight,
        dfbetas, influential (1 or 0); see `deletion.Influence`. By inverse variance whatever the method; the
        note says so where that differs.
        """
        rows = []
        for model, method in self.models_and_methods():
            found = deletion.influence(self.rows, method)
            for index, study in enumerate(self.studies):
                values = {
                    name: float(array[index, 0] if array.ndim == 2 else array[index])
                    for name, array in found.__dict__.items()
                }
                rows += quantities(model, "influence", study, values, study, self.instead(model))
        return frame("sensitivity", rows)

    def baujat(self) -> pd.DataFrame:
        """Give each study's contribution to Q and its influence on the pooled effect, under both models."""
        rows = []
        for model, method in self.models_and_methods():
            contribution, moved = deletion.baujat(self.rows, method)
            for index, study in enumerate(self.studies):
                both = {"contribution": contribution[index], "influence": moved[index]}
                rows += quantities(model, "Baujat", study, both, study, self.instead(model))
        return frame("sensitivity", rows)

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
        influence = self.influence()
        residuals = influence[influence["quantity"] == "rstudent"].set_index(["model", "study"])["value"]
        effects = self.assembly.effects
        half, y = _Z * np.sqrt(effects.variance), effects.contrasts.frame["estimate"].to_numpy()
        of_study = self.study_of_contrast[effects.first]
        rows = []
        for item in self.pooled:
            apart = (y + half < item.effect.ci_lower[0]) | (y - half > item.effect.ci_upper[0])
            for index, study in enumerate(self.studies):
                flags = {
                    "interval": float(apart[of_study == index].any()),
                    "residual": float(abs(residuals.get((item.model, study), MISSING)) > _Z),
                }
                rows += quantities(item.model, "outliers", study, flags, study)
        return frame("sensitivity", rows)

    def sensitivity(self) -> pd.DataFrame:
        """Run every sensitivity analysis that applies, one under the other, as rows of the frame sensitivity.

        Influence, Baujat, outliers (up to `LARGE` studies), for odds ratios Peters and Harbord, Egger (both
        forms), Begg, trim and fill (L0, R0), PET-PEESE, the selection model, between-group tests, and for
        odds ratios the tests on 2 x 2 tables. One that the data do not allow, or with which it does not hold
        its level, has a row with the quantity ``refused`` and the reason in its note.
        """
        import pandas as pd

        asked: dict[str, Callable[[], pd.DataFrame]] = {
            "influence": self.influence,
            "Baujat": self.baujat,
            "outliers": self.outliers,
        }
        if len(self.studies) > LARGE:
            asked = {name: _too_many(len(self.studies)) for name in asked}
        if self.contrasts.measure == "OR":
            asked |= {"Peters": self.peters, "Harbord": self._harbord_where_it_holds}
        asked |= {
            "Egger, multiplicative error": self.egger,
            "Egger, additive error": lambda: self.egger("additive"),
            "Begg": self.begg,
            "trim and fill L0": self.trim_fill,
            "trim and fill R0": lambda: self.trim_fill("R0"),
            "PET-PEESE": self.pet_peese,
            "selection model": self.selection_model,
        }
        if self.options.by is not None:
            asked["subgroups"] = self.subgroups
        if self.contrasts.measure == "OR":
            asked["tests on tables"] = self.table_tests
        frames = []
        for method, run in asked.items():
            try:
                with determined(method):
                    frames.append(run())
            except EvidenceError as error:
                said = quantities("common", method, "refused", {"refused": MISSING}, note=error.message)
                frames.append(frame("sensitivity", said))
        return pd.concat([found.astype(object) for found in frames], ignore_index=True).astype(
            {"value": float}
        )

    def subgroups(self) -> pd.DataFrame:
        """Test that the subgroups have the same effect, under both models, as rows of the frame sensitivity.

        Quantities: q, df, p_value. Cochran's Q between the subgroups' pooled effects, with their standard
        errors without Hartung and Knapp's factor. Subgroups are taken as independent; the note says so where
        a study is in several.
        """
        if self.options.by is None:
            raise CallError('Name the variable that makes subgroups: fit(..., by="...").')
        rows = []
        found = [study for part in self.levels.values() for study in part.studies]
        repeated = len(set(found)) < len(found)
        shared = "studies in several subgroups are taken as independent" if repeated else None
        # One study shows no tau2 of its own: a subgroup of it would enter the test as if it were 0.
        alone = [level for level, part in self.levels.items() if part.rows.n == 1]
        own = (
            self.options.separate_tau2 and isinstance(self.options.tau2, str) and self.options.method in APART
        )
        fits = {"common": self, "random": self}
        if alone and own and len(self.levels) > 1 and len(alone) < len(self.levels):
            fits["random"] = self.of(self.contrasts, replace(self.options, separate_tau2=False))
        for model, fit in fits.items():
            effects = [part.wald(model) for part in fit.levels.values()]
            estimate, std_error = (np.array(values) for values in zip(*effects, strict=True))
            q, df, p_value = between_groups(estimate, std_error)
            tau2 = "a tau2 for each" if fit.options.separate_tau2 else "one tau2 for all"
            if fit is not self:
                tau2 += f", since one study alone shows none ({', '.join(alone)})"
            test = {"q": q, "df": df, "p_value": p_value}
            note = "; ".join(filter(None, [tau2 if model == "random" else None, shared])) or None
            rows += quantities(model, "subgroups", self.options.by, test, note=note)
        return frame("sensitivity", rows)

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
