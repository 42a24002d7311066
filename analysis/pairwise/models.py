"""Both models of one question: pooled effects, heterogeneity, weights, subgroups, and what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from analysis.continuity import pairwise_note
from analysis.pairwise.data.assembly import Assembly, assemble
from analysis.pairwise.data.contrasts import Contrasts, each, typed
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.inference import PREDICTIONS
from analysis.pairwise.model.rows import Array, EffectRows
from analysis.pairwise.options import Options, option
from analysis.pairwise.pooling import ENGINE, InverseVariance, Pooled, Pooling, pooling
from analysis.results import frame
from evidence.errors import CallError, RefusedError
from evidence.facts.reasons import words
from evidence.folder.variables import mixed_units, units_refused
from evidence.names import nearest
from evidence.question import EXCLUSION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairwiseModels:
    """Both models of a pairwise meta-analysis, of all studies and of subgroups.

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
    """

    contrasts: Contrasts
    options: Options
    assembly: Assembly
    pooling: Pooling

    @classmethod
    def of(cls, contrasts: Contrasts, options: Options) -> Self:
        """Fit contrasts that were read and checked before.

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

    def part(self, keep: Array, **changes: Any) -> Self:
        """Fit some of the contrasts, (n,) bool, anew: without subgroups, options changed where given.

        Raises
        ------
        RefusedError
            If the method cannot be used with these.
        """
        return self.of(self.assembly.contrasts.part(keep), replace(self.options, by=None, **changes))

    # --- subgroups ------------------------------------------------------------------------------------------

    @cached_property
    def levels(self) -> dict[str, Self]:
        """The same analysis in each subgroup, by level; empty without `by`."""
        if self.options.by is None:
            return {}
        texts = self._level_of_contrast
        common = self._together
        tau2 = between_studies.estimate(common, str(self.options.tau2)) if common else self.options.tau2
        if isinstance(tau2, float) and not np.isfinite(tau2):
            raise RefusedError("Every subgroup holds one study: a common tau2 cannot be estimated.")
        found = {}
        for level in sorted(texts.dropna().unique(), key=natural_order):
            try:
                part = self.part((texts == level).to_numpy(), tau2=tau2)
            except RefusedError as error:
                raise RefusedError(f"{self.options.by} = {level}: {error.message}", error.problems) from None
            if common is not None and isinstance(part.pooling, InverseVariance):
                part = replace(part, pooling=replace(part.pooling, together=common))
            found[level] = part
        return found

    @cached_property
    def _level_of_contrast(self) -> pd.Series:
        """Subgroup of each contrast; None where it is in none."""
        return self.variable(str(self.options.by)).map(level_name)

    @cached_property
    def _together(self) -> EffectRows | None:
        """Rows of all subgroups with one mean for each, where they share an estimated tau2."""
        options = self.options
        if options.by is None or options.separate_tau2 or not isinstance(options.tau2, str):
            return None
        texts = self._level_of_contrast
        known = texts.notna().to_numpy()
        values = texts[known].to_numpy()
        design = (values[:, None] == np.unique(values)[None, :]).astype(float)
        part = self.assembly.contrasts.part(known)
        together = assemble(part, options.shared, options.dependence, list(values))
        return together.rows.with_design(design[together.effects.first])

    def _of_all_subgroups(self, row: dict[str, Any], part: Self, interval: str) -> dict[str, Any]:
        """Put the interval of the tau2 that all subgroups share in place of the subgroup's own."""
        if self._together is None or part is self or row["engine"] != ENGINE or row["model"] != "random":
            return row
        likelihood = "ML" if self.options.tau2 == "ML" else "REML"
        ends = between_studies.interval(self._together, interval, likelihood=likelihood)
        shared: dict[str, Any] = {"method": f"{self.options.tau2_method}, one for all subgroups"}
        for side, end in zip(("lower", "upper"), ends, strict=True):
            i2, h2 = between_studies.i2_h2(part.rows, end)
            shared |= {f"tau2_{side}": end, f"tau_{side}": np.sqrt(end), f"i2_{side}": i2, f"h2_{side}": h2}
        return row | shared

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

    def _fits(self) -> Iterator[tuple[str | None, str | None, Self]]:
        yield None, None, self
        for level, part in self.levels.items():
            yield self.options.by, level, part

    # --- frames ---------------------------------------------------------------------------------------------

    def estimates(self) -> pd.DataFrame:
        """Pooled effects under both models, then those of each subgroup: columns of `results.COLUMNS`."""
        return frame(
            "estimates",
            [
                {
                    "engine": item.engine,
                    "model": item.model,
                    "treatment": self.contrasts.treatment,
                    "versus": self.contrasts.versus,
                    "estimate": item.effect.estimate[0],
                    "std_error": item.effect.std_error[0],
                    "ci_lower": item.effect.ci_lower[0],
                    "ci_upper": item.effect.ci_upper[0],
                    "pi_lower": item.prediction[0],
                    "pi_upper": item.prediction[1],
                    "p_value": item.effect.p_value[0],
                    "evidence": "direct",
                    "n_studies": len(part.studies),
                    "subgroup": variable,
                    "level": level,
                    "adhoc_lower": item.adhoc[0],
                    "adhoc_upper": item.adhoc[1],
                    "no_verdict": item.no_verdict,
                }
                for variable, level, part in self._fits()
                for item in part.pooled
            ],
        )

    def heterogeneity(self, interval: str | None = None) -> pd.DataFrame:
        """Between-study variance, I2, H2 and Q, of all studies and of each subgroup.

        Parameters
        ----------
        interval : {"QP", "PL"}, optional
            Q-profile or profile-likelihood interval of tau2, and of I2 and H2 through it; the one that was
            asked for without it.
        """
        chosen = option("interval", interval or self.options.tau2_interval, between_studies.INTERVALS)
        return frame(
            "heterogeneity",
            [
                {"subgroup": variable, "level": level} | self._of_all_subgroups(row, part, chosen)
                for variable, level, part in self._fits()
                for row in part.pooling.heterogeneity(chosen)
            ],
        )

    def weights(self) -> pd.DataFrame:
        """Share of each contrast in the pooled effect of each model, with the measurements behind it.

        A contrast that shares an arm can have a negative weight: what it adds is then how it corrects another
        one.
        """
        contrasts = self.assembly.contrasts
        rows = []
        for item, weight in zip(self.pooled, self.pooling.weights(), strict=True):
            for index, row in enumerate(each(contrasts.frame)):
                rows.append(
                    {
                        "engine": item.engine,
                        "model": item.model,
                        "treatment": self.contrasts.treatment,
                        "versus": self.contrasts.versus,
                        "study": row.study,
                        "experiment": row.experiment,
                        "contrast_id": row.contrast_id,
                        "estimate": row.estimate,
                        "std_error": np.sqrt(self.assembly.variance[index]),
                        "weight": weight[index],
                        "measurement_ids": row.measurement_ids,
                    }
                )
        return frame("weights", rows)

    # --- what was decided -----------------------------------------------------------------------------------

    def exclusions(self) -> pd.DataFrame:
        """List what did not enter, with the reason and what would make it usable."""
        import pandas as pd

        found = self.assembly.contrasts.exclusions
        parts = [pd.DataFrame(columns=list(EXCLUSION_COLUMNS)) if found is None else found]
        if self.options.by is not None:
            missing = self._level_of_contrast.isna().to_numpy()
            parts.append(self.without_value(missing, "subgroup", self.options.by))
        return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)

    def without_value(self, missing: Array, stage: str, name: str) -> pd.DataFrame:
        """Exclusions of the contrasts, (n,) bool, that have no value of a variable."""
        table = self.assembly.contrasts.frame[missing]
        return table[["study", "experiment"]].assign(
            arm=table["arm_a"],
            source_file=None,
            source_line=None,
            **words("moderator", "no_value", detail=name) | {"stage": stage},
        )[list(EXCLUSION_COLUMNS)]

    def notes(self) -> pd.DataFrame:
        """List what was decided on the way, and what a reader should know."""
        notes = [*self.assembly.contrasts.notes, *self._remarks()]
        return frame("notes", [{"severity": severity, "message": message} for severity, message in notes])

    def _remarks(self) -> Iterator[tuple[str, str]]:
        options = self.options
        yield from self.pooling.remarks()
        contrasts = self.assembly.contrasts
        yield from pairwise_note(contrasts.frame, contrasts.measure, options.method)
        yield "info", f"Prediction interval {options.prediction}: {PREDICTIONS[options.prediction]}."
        yield from self.pooling.cautions()
        for level, part in self.levels.items():
            for severity, message in part.pooling.cautions():
                yield severity, f"{options.by} = {level}: {message}"
        if options.by is not None:
            missing = int(self._level_of_contrast.isna().sum())
            if missing:
                yield "warning", f"{missing} contrasts have no value of {options.by} and are in no subgroup."


def level_name(value: Any) -> str | None:
    """Name of a subgroup: numbers without a trailing .0, None where the value is missing."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def natural_order(level: str) -> tuple[int, float, str]:
    """Sort numbers by size, before words."""
    try:
        return 0, float(level), level
    except ValueError:
        return 1, 0.0, level


def quantities(
    model: str,
    method: str,
    item: str,
    values: Mapping[str, float],
    study: str | None = None,
    note: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of the frame sensitivity, one for each quantity."""
    return [
        {
            "engine": ENGINE,
            "model": model,
            "method": method,
            "item": item,
            "study": study,
            "quantity": quantity,
            "value": float(value),
            "note": note,
        }
        for quantity, value in values.items()
    ]
