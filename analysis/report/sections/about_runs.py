"""What the sections of pairwise and network analyses share: notes, units, order of studies."""

from __future__ import annotations

import pandas as pd

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import records
from analysis.report.blocks import Block, Text
from analysis.report.material import Material
from evidence.results import Run


def notes_of(run: Run) -> list[Block]:
    """List what an analysis had to say, warnings first."""
    notes = records(run.frames["notes"])
    return [
        Text(
            tuple(printed(str(row["message"])) for row in notes if row["severity"] == kind),
            items=True,
            kind=kind,
        )
        for kind in ("warning", "info")
        if any(row["severity"] == kind for row in notes)
    ]


def printed(message: str) -> str:
    """Write a message of an analysis with the signs of print."""
    return message.replace("tau2", "τ²").replace(" - ", " − ")


def tau_unit(effect: Effect) -> str | None:
    """Give the unit of the between-study standard deviation."""
    return effect.unit if effect.measure == "MD" else "log scale" if effect.scale == "log" else None


def in_order_of_year(material: Material, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows of studies as the forest plots do: the oldest first."""
    place = {study: index for index, study in enumerate(material.by_year)}
    return frame.sort_values("study", key=lambda column: column.map(place), kind="stable")
