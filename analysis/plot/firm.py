"""What the charts of how firm an answer is draw."""

from __future__ import annotations

from typing import Any

from analysis import charts
from analysis.charts.base.theme import records
from analysis.plot.subject import NothingToDrawError, Subject
from evidence.errors import CallError


def specification_curve(subject: Subject, *, treatment: str | None = None, ranks: bool = False) -> Any:
    """Draw every defensible analysis of one comparison; of a network that of the treatment ranked first.

    Parameters
    ----------
    subject : Subject
    treatment : str, optional
        Of a network: whose effect against the reference.
    ranks : bool
        Draw its SUCRA (or P-score) instead.

    Raises
    ------
    NothingToDrawError
        If the run keeps no multiverse.
    CallError
        If the treatment is not in the network, or has no ranks.
    """
    if "multiverse" not in subject.run.frames or subject.run.frames["multiverse"].empty:
        raise NothingToDrawError(
            "The run keeps no multiverse: name it among the analyses of the plan (sensitivity = "
            '["multiverse"]), or draw it anew.'
        )
    cells = subject.run.frames["multiverse"]
    fitted = cells[cells["refused"].isna()]
    planned = records(fitted[fitted["planned"].astype(bool)])
    there = [str(row["treatment"]) for row in planned]
    if treatment is None:
        best = str(planned[0]["best"])
        treatment = best if best in there else there[0]
    if treatment not in there:
        raise CallError(f"{treatment!r} is not among the treatments: {', '.join(there)}.")
    own = fitted[fitted["treatment"] == treatment]
    if ranks and own["sucra"].isna().all():
        raise CallError("There are no ranks: only treatments of a network with a direction of benefit have.")
    return charts.specification_curve(
        own,
        subject.run.frames["multiverse_choice"],
        effect=subject.effect,
        treatment=treatment,
        versus=str(planned[0]["versus"]),
        ranks=ranks,
    )
