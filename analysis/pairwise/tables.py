"""Result frames of a pairwise meta-analysis: the one place that says how its rows look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.continuity import pairwise_note
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.inference import PREDICTIONS
from analysis.pairwise.model.rows import Array
from analysis.pairwise.options import option
from analysis.pairwise.pooling import ENGINE
from analysis.results import frame
from evidence.facts.reasons import words
from evidence.question import EXCLUSION_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit


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


def _parts(fit: PairwiseFit) -> Iterator[tuple[str | None, str | None, PairwiseFit]]:
    """All studies together, then each subgroup: the variable, its level, and the fit."""
    yield None, None, fit
    for level, part in fit.levels.items():
        yield fit.options.by, level, part


def estimates(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate pooled effects under both models, then those of each subgroup."""
    return frame(
        "estimates",
        [
            {
                "engine": item.engine,
                "model": item.model,
                "treatment": fit.contrasts.treatment,
                "versus": fit.contrasts.versus,
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
            for variable, level, part in _parts(fit)
            for item in part.pooled
        ],
    )


def heterogeneity(fit: PairwiseFit, interval: str | None = None) -> pd.DataFrame:
    """Tabulate heterogeneity of all studies and of each subgroup."""
    chosen = option("interval", interval or fit.options.tau2_interval, between_studies.INTERVALS)
    return frame(
        "heterogeneity",
        [
            {"subgroup": variable, "level": level} | _of_all_subgroups(fit, row, part, chosen)
            for variable, level, part in _parts(fit)
            for row in part.pooling.heterogeneity(chosen)
        ],
    )


def _of_all_subgroups(
    fit: PairwiseFit, row: dict[str, Any], part: PairwiseFit, interval: str
) -> dict[str, Any]:
    """Put the interval of the tau2 that all subgroups share in place of the subgroup's own."""
    if fit.together is None or part is fit or row["engine"] != ENGINE or row["model"] != "random":
        return row
    likelihood = "ML" if fit.options.tau2 == "ML" else "REML"
    ends = between_studies.interval(fit.together, interval, likelihood=likelihood)
    shared: dict[str, Any] = {"method": f"{fit.options.tau2_method}, one for all subgroups"}
    for side, end in zip(("lower", "upper"), ends, strict=True):
        i2, h2 = between_studies.i2_h2(part.rows, end)
        shared |= {f"tau2_{side}": end, f"tau_{side}": np.sqrt(end), f"i2_{side}": i2, f"h2_{side}": h2}
    return row | shared


def weights(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate the share of each contrast in the pooled effect of each model."""
    import pandas as pd

    table = fit.assembly.contrasts.frame
    known = ("study", "experiment", "contrast_id", "estimate", "measurement_ids")
    same = {name: table[name].to_numpy() for name in known} | {
        "treatment": fit.contrasts.treatment,
        "versus": fit.contrasts.versus,
        "std_error": np.sqrt(fit.assembly.variance),
    }
    parts = [
        frame("weights", same | {"engine": item.engine, "model": item.model, "weight": weight})
        for item, weight in zip(fit.pooled, fit.pooling.weights(), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def exclusions(fit: PairwiseFit) -> pd.DataFrame:
    """List what did not enter, with the reason and what would make it usable."""
    import pandas as pd

    found = fit.assembly.contrasts.exclusions
    parts = [pd.DataFrame(columns=list(EXCLUSION_COLUMNS)) if found is None else found]
    if fit.options.by is not None:
        missing = fit.level_of_contrast.isna().to_numpy()
        parts.append(without_value(fit, missing, "subgroup", fit.options.by))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def without_value(fit: PairwiseFit, missing: Array, stage: str, name: str) -> pd.DataFrame:
    """Exclusions of the contrasts, (n,) bool, that have no value of a variable."""
    table = fit.assembly.contrasts.frame[missing]
    return table[["study", "experiment"]].assign(
        arm=table["arm_a"],
        source_file=None,
        source_line=None,
        **words("moderator", "no_value", detail=name) | {"stage": stage},
    )[list(EXCLUSION_COLUMNS)]


def notes(fit: PairwiseFit) -> pd.DataFrame:
    """List what was decided on the way, and what a reader should know."""
    notes = [*fit.assembly.contrasts.notes, *_remarks(fit)]
    return frame("notes", [{"severity": severity, "message": message} for severity, message in notes])


def _remarks(fit: PairwiseFit) -> Iterator[tuple[str, str]]:
    options = fit.options
    yield from fit.pooling.remarks()
    contrasts = fit.assembly.contrasts
    yield from pairwise_note(contrasts.frame, contrasts.measure, options.method)
    yield "info", f"Prediction interval {options.prediction}: {PREDICTIONS[options.prediction]}."
    yield from fit.pooling.cautions()
    for level, part in fit.levels.items():
        for severity, message in part.pooling.cautions():
            yield severity, f"{options.by} = {level}: {message}"
    if options.by is not None:
        missing = int(fit.level_of_contrast.isna().sum())
        if missing:
            yield "warning", f"{missing} contrasts have no value of {options.by} and are in no subgroup."
