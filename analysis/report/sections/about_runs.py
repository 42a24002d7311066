"""What the sections of pairwise and network analyses share: notes, units, order of studies."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.charts.base.theme import missing, records
from analysis.report.blocks import Block, Text
from analysis.report.material import Material
from analysis.report.words import plain_words
from evidence.results import Run


def notes_of(run: Run, names: Mapping[str, str]) -> list[Block]:
    """List what an analysis had to say, warnings first; of the only level of a subgroup nothing twice.

    Parameters
    ----------
    run : Run
    names : mapping of str to str
        Printed names of treatments.
    """
    notes = [row for row in records(run.frames["notes"]) if not _of_all(run, str(row["message"]))]
    return [
        Text(
            tuple(plain_words(str(row["message"]), names) for row in notes if row["severity"] == kind),
            items=True,
            kind=kind,
        )
        for kind in ("warning", "info")
        if any(row["severity"] == kind for row in notes)
    ]


def _of_all(run: Run, message: str) -> bool:
    """Tell whether a note is of the only level that a subgroup has."""
    estimates = run.frames["estimates"]
    levels = [level for level in estimates.get("level", ()) if not missing(level)]
    return len(set(levels)) == 1 and message.startswith(f"{run.subgroup} = {levels[0]}: ")


def in_order_of_year(material: Material, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows of studies as the forest plots do: the oldest first."""
    place = {study: index for index, study in enumerate(material.by_year)}
    return frame.sort_values("study", key=lambda column: column.map(place), kind="stable")
