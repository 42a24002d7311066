"""The way in: the contrasts of one question from an evidence base or from a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.pairwise.data.contrasts import Contrasts
from analysis.pairwise.data.stored import from_database
from analysis.pairwise.data.table import from_table
from evidence.errors import CallError
from evidence.query import EvidenceBase
from evidence.question import Question

if TYPE_CHECKING:
    import pandas as pd


def load(
    source: EvidenceBase | pd.DataFrame,
    *,
    outcome: str | None,
    measure: str | None,
    treatment: str | None,
    versus: str | None,
    timepoint: str | None = None,
    where: str | None = None,
    exclude_high_rob: bool = False,
    covariance: pd.DataFrame | None = None,
) -> Contrasts:
    """Read and check the contrasts of one question.

    Parameters
    ----------
    source : EvidenceBase or DataFrame
        An evidence base, or a table with the columns of the view ``contrast`` (or study, yi and vi or sei).
    outcome, measure, treatment, versus : str or None
        The question; a table that holds but one need not be told.
    timepoint, where : str, optional
        Which time point, and which studies; an evidence base only.
    exclude_high_rob : bool
        Leave out studies at high risk of bias; an evidence base only.
    covariance : DataFrame, optional
        With a table: contrast_1, contrast_2, covariance.

    Raises
    ------
    CallError
        If a name is not known, or treatment and comparator are the same.
    EvidenceError
        If the table holds numbers that cannot be effects or standard errors; every one is named.
    RefusedError
        If nothing is left to analyse.
    """
    if treatment is not None and treatment == versus:
        raise CallError(f"Treatment and comparator are both {treatment!r}: name two different treatments.")
    if not isinstance(source, EvidenceBase):
        table: Any = source
        if hasattr(table, "to_pandas"):
            table = table.to_pandas()
        if not hasattr(table, "iloc"):
            raise CallError(
                f"Give an evidence base (evidence.open(...)) or a table, not a {type(table).__name__}."
            )
        if timepoint is not None or where is not None or exclude_high_rob:
            raise CallError(
                "timepoint, where and exclude_high_rob need an evidence base; filter the table itself."
            )
        return from_table(table, outcome, measure, treatment, versus, covariance)
    for name, value in (
        ("outcome", outcome), ("measure", measure), ("treatment", treatment), ("versus", versus)
    ):  # fmt: skip
        if value is None:
            raise CallError(f"Say which {name}: {name}=...")
    question = Question(
        str(outcome),
        str(measure),
        treatment=str(treatment),
        versus=str(versus),
        timepoint=timepoint,
        where=where,
        exclude_high_rob=exclude_high_rob,
    )
    return from_database(source, question)
