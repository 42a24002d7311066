"""The section of a pairwise meta-analysis."""

from __future__ import annotations

import pandas as pd

from analysis import plot
from analysis.charts import tables
from analysis.charts.base.theme import records
from analysis.language.catalog import tr
from analysis.report import words
from analysis.report.blocks import Block, Section, Text, drawn, key_of
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.about_runs import notes_of, opening_of
from analysis.report.sections.regression_table import regression_table
from analysis.report.sections.small_study import asymmetry
from evidence.results import Run


def pairwise_section(material: Material, run: Run, links: Links) -> Section:
    """Make the section of a pairwise meta-analysis: forest, heterogeneity, leave-one-out, funnel."""
    effect = material.effect(run)
    section = Section(
        f"analysis-{run.analysis}",
        f"{words.headline(run, effect)} ({effect.measure})",
        analysis=key_of(run),
    )
    section.blocks += opening_of(material, run, links)
    subject = material.subject(run, links)
    spread = pd.DataFrame(plot.spelled_levels(subject, records(run.frames["heterogeneity"])))
    section.blocks += drawn(f"{run.analysis}-forest", lambda: plot.forest(subject))
    section.blocks.append(
        tables.heterogeneity_and_inconsistency(
            spread, effect=effect, digits=words.places(run), name=f"{run.analysis}-heterogeneity"
        )
    )
    if (regression := regression_table(run, effect)) is not None:
        section.blocks.append(regression)
    section.blocks += drawn(f"{run.analysis}-leave-one-out", lambda: plot.leave_one_out(subject))
    if funnel := drawn(f"{run.analysis}-funnel", lambda: plot.funnel(subject)):
        section.blocks += [*funnel, *asymmetry(run, effect)]
    section.blocks += repeated_looks(run, subject)
    section.blocks += notes_of(run, material.treatments)
    return section


def repeated_looks(run: Run, subject: plot.Subject) -> list[Block]:
    """Draw the bounds for looking repeatedly, and say what may be concluded, where the plan asks for it."""
    rows = [row for row in records(run.frames["sensitivity"]) if row["method"] == "sequential"]
    said = next((row["note"] for row in rows if row["item"] == "conclusion"), None)
    if said is None:
        return []
    return [
        *drawn(f"{run.analysis}-sequential-bounds", lambda: plot.sequential_bounds(subject)),
        Text((tr("Trial sequential analysis: {said}.", said=said),)),
    ]
