"""The tidy frames every analysis returns: names and columns of the ``result_*`` tables.

A method that gives, say, estimates returns exactly the columns listed here (more may follow), one row per
model, treatment and comparator. Estimates of ratio measures are on the log scale; printing exponentiates,
storing does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evidence.results import TABLES as TABLES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "TABLES", "frame", "text_column"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "estimates": (
        "engine",
        "model",
        "treatment",
        "versus",
        "estimate",
        "std_error",
        "ci_lower",
        "ci_upper",
        "pi_lower",
        "pi_upper",
        "p_value",
        "evidence",
        "rests_on",
        "n_studies",
        "subgroup",
        "level",
        "adhoc_lower",
        "adhoc_upper",
        "no_verdict",
    ),
    "heterogeneity": (
        "engine",
        "model",
        "subgroup",
        "level",
        "method",
        "tau",
        "tau_lower",
        "tau_upper",
        "tau2",
        "tau2_lower",
        "tau2_upper",
        "i2",
        "i2_lower",
        "i2_upper",
        "h2",
        "h2_lower",
        "h2_upper",
        "q",
        "df",
        "p_value",
        "interval_method",
    ),
    "ranking": ("engine", "model", "treatment", "mean_rank", "sucra", "p_score", "p_best"),
    "rank_probabilities": ("engine", "model", "treatment", "rank", "probability", "std_error"),
    "inconsistency": (
        "engine",
        "model",
        "method",
        "component",
        "treatment",
        "versus",
        "direct",
        "direct_std_error",
        "indirect",
        "indirect_std_error",
        "difference",
        "difference_std_error",
        "ci_lower",
        "ci_upper",
        "proportion_direct",
        "dic_difference",
        "q",
        "df",
        "p_value",
        "note",
    ),
    "leave_one_out": (
        "engine",
        "model",
        "study",
        "treatment",
        "versus",
        "estimate",
        "std_error",
        "ci_lower",
        "ci_upper",
        "tau",
        "i2",
        "q",
        "note",
    ),
    "weights": (
        "engine",
        "model",
        "treatment",
        "versus",
        "study",
        "experiment",
        "contrast_id",
        "estimate",
        "std_error",
        "weight",
        "measurement_ids",
    ),
    "diagnostics": (
        "engine",
        "model",
        "parameter",
        "rhat",
        "ess_bulk",
        "ess_tail",
        "mcse",
        "divergences",
        "note",
    ),
    "convergence": ("model", "parameter", "iteration", "psrf", "psrf_upper"),
    "fit": ("engine", "model", "study", "quantity", "value", "note"),
    "sensitivity": ("engine", "model", "method", "item", "study", "quantity", "value", "note"),
    "thresholds": (
        "engine",
        "model",
        "decision",
        "decided",
        "level",
        "study",
        "experiment",
        "treatment",
        "versus",
        "n_arms",
        "n_studies",
        "estimate",
        "std_error",
        "ci_lower",
        "ci_upper",
        "lower",
        "lower_decision",
        "upper",
        "upper_decision",
        "invariant_lower",
        "invariant_upper",
        "nearest",
        "plausible_bias",
        "refitted",
        "refitted_lower",
        "refitted_lower_decision",
        "refitted_upper",
        "refitted_upper_decision",
    ),
    "notes": ("severity", "message"),
    "contrasts": (
        "contrast_id",
        "reported_contrast_id",
        "study",
        "experiment",
        "timepoint",
        "timepoint_unit",
        "treatment_a",
        "treatment_b",
        "arm_a",
        "arm_b",
        "n_a",
        "n_b",
        "estimate",
        "std_error",
        "mean_a",
        "mean_b",
        "sd_a",
        "sd_b",
        "events_a",
        "events_b",
        "exposure_a",
        "exposure_b",
        "animals_a",
        "animals_b",
        "measurement_ids",
        "continuity",
        "level",
        "variables",
    ),
    "multiverse": (
        "cell",
        "planned",
        "measure",
        "model",
        "treatment",
        "versus",
        "estimate",
        "std_error",
        "ci_lower",
        "ci_upper",
        "p_value",
        "tau",
        "n_studies",
        "conclusion",
        "rank",
        "sucra",
        "best",
        "options",
        "refused",
    ),
    "multiverse_choice": ("cell", "choice", "level", "position", "reason"),
}
"""Columns of each frame, in order. I2 is a share (0 to 1); ranks begin at 1, the best."""


def frame(name: str, rows: Iterable[Mapping[str, Any]] | Mapping[str, Any] = ()) -> pd.DataFrame:
    """Make the tidy frame `name` with its agreed columns.

    Parameters
    ----------
    name : str
        One of `COLUMNS`.
    rows : iterable of mapping, or mapping of column to values
        Columns that are left out are missing values; columns that do not belong are an error.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    KeyError
        If a row has a column that the frame does not have.
    """
    import pandas as pd

    columns = COLUMNS[name]
    if isinstance(rows, Mapping):
        if unknown := [column for column in rows if column not in columns]:
            raise KeyError(f"{name} has no column {unknown}")
        if rows:
            # All columns at once: to add those that are missing takes as long again.
            return pd.DataFrame({column: rows.get(column, math.nan) for column in columns})
    data = pd.DataFrame(rows if isinstance(rows, Mapping) else list(rows))
    if unknown := [column for column in data.columns if column not in columns]:
        raise KeyError(f"{name} has no column {unknown}")
    return data.reindex(columns=list(columns))


def text_column(values: Sequence[str | None]) -> Any:
    """Make a column of text, of which a frame's column is taken row by row: `take` with their places."""
    import pandas as pd

    return pd.array(list(values), dtype="str")
