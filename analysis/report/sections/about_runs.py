"""What the sections of pairwise and network analyses share: how they open, and their notes."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.charts.base.theme import missing, records
from analysis.report import words
from analysis.report.blocks import Block, Text
from analysis.report.firmness import firmness
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.words import plain_words
from evidence.results import Run


def opening_of(material: Material, run: Run, links: Links) -> list[Block]:
    """Say what a run found, in numbers, and how firm that is."""
    firm = firmness(material, run, links)
    said: list[Block] = [Text((words.opening(material, run, links),))]
    return said + ([Text(tuple(firm), items=True, kind="firmness")] if firm else [])


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
