"""What each study does to the pooled effect: influence, Baujat's two numbers, outliers, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.influence import deletion
from analysis.pairwise.pooling import MISSING
from analysis.pairwise.tables import quantities
from analysis.results import frame

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit

_Z = 1.959963984540054


def influence(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate the influence of each study under both models."""
    rows = []
    for model, method in fit.models_and_methods():
        found = deletion.influence(fit.rows, method)
        for index, study in enumerate(fit.studies):
            values = {
                name: float(array[index, 0] if array.ndim == 2 else array[index])
                for name, array in found.__dict__.items()
            }
            rows += quantities(model, "influence", study, values, study, fit.instead(model))
    return frame("sensitivity", rows)


def baujat(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate each study's contribution to Q and its influence on the pooled effect."""
    rows = []
    for model, method in fit.models_and_methods():
        contribution, moved = deletion.baujat(fit.rows, method)
        for index, study in enumerate(fit.studies):
            both = {"contribution": contribution[index], "influence": moved[index]}
            rows += quantities(model, "Baujat", study, both, study, fit.instead(model))
    return frame("sensitivity", rows)


def outliers(fit: PairwiseFit) -> pd.DataFrame:
    """Flag outliers under both models."""
    measured = influence(fit)
    residuals = measured[measured["quantity"] == "rstudent"].set_index(["model", "study"])["value"]
    effects = fit.assembly.effects
    half, y = _Z * np.sqrt(effects.variance), effects.contrasts.frame["estimate"].to_numpy()
    of_study = fit.study_of_contrast[effects.first]
    rows = []
    for item in fit.pooled:
        apart = (y + half < item.effect.ci_lower[0]) | (y - half > item.effect.ci_upper[0])
        for index, study in enumerate(fit.studies):
            flags = {
                "interval": float(apart[of_study == index].any()),
                "residual": float(abs(residuals.get((item.model, study), MISSING)) > _Z),
            }
            rows += quantities(item.model, "outliers", study, flags, study)
    return frame("sensitivity", rows)
