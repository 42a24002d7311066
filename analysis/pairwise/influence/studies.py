"""What each study does to the pooled effect: influence, Baujat's two numbers, outliers, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.pairwise.influence import deletion
from analysis.pairwise.model.rows import Array
from analysis.pairwise.pooling import ENGINE
from analysis.results import frame
from evidence.facts import NORMAL_975

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pairwise.fitting import PairwiseFit


def influence(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate the influence of each study under both models."""
    import pandas as pd

    parts = []
    for model, found in fit.influences.items():
        values = {
            name: array[:, 0] if array.ndim == 2 else array.astype(float)
            for name, array in found.__dict__.items()
        }
        parts.append(_of_each(fit, model, "influence", values, fit.instead(model)))
    return pd.concat(parts, ignore_index=True)


def baujat(fit: PairwiseFit) -> pd.DataFrame:
    """Tabulate each study's contribution to Q and its influence on the pooled effect."""
    import pandas as pd

    parts = []
    for model, method in fit.models_and_methods():
        contribution, moved = deletion.baujat(fit.rows, method)
        values = {"contribution": contribution, "influence": moved}
        parts.append(_of_each(fit, model, "Baujat", values, fit.instead(model)))
    return pd.concat(parts, ignore_index=True)


def outliers(fit: PairwiseFit) -> pd.DataFrame:
    """Flag outliers under both models."""
    import pandas as pd

    effects = fit.assembly.effects
    half, y = NORMAL_975 * np.sqrt(effects.variance), effects.contrasts.frame["estimate"].to_numpy()
    of_study = fit.study_of_contrast[effects.first]
    parts = []
    for item in fit.pooled:
        apart = (y + half < item.effect.ci_lower[0]) | (y - half > item.effect.ci_upper[0])
        flags = {
            "interval": (np.bincount(of_study, apart, len(fit.studies)) > 0).astype(float),
            "residual": (np.abs(fit.influences[item.model].rstudent) > NORMAL_975).astype(float),
        }
        parts.append(_of_each(fit, item.model, "outliers", flags, None))
    return pd.concat(parts, ignore_index=True)


def _of_each(
    fit: PairwiseFit, model: str, method: str, values: dict[str, Array], note: str | None
) -> pd.DataFrame:
    """Rows of the frame sensitivity: quantities that each study has, (studies,) each, study by study."""
    study = np.repeat(np.array(fit.studies, object), len(values))
    return frame(
        "sensitivity",
        {
            "engine": ENGINE,
            "model": model,
            "method": method,
            "item": study,
            "study": study,
            "quantity": np.tile(np.array(list(values), object), len(fit.studies)),
            "value": np.column_stack(list(values.values())).ravel(),
            "note": note,
        },
    )
