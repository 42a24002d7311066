"""The review as a whole: studies, their selection, risk of bias, what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis import plot
from analysis.charts import tables
from analysis.charts.base.theme import count
from analysis.charts.tables import Column, Table
from analysis.language.catalog import tr, trn
from analysis.plot import NothingToDrawError
from analysis.plot.whole import FLOW
from analysis.report import words
from analysis.report.blocks import Figure, Section, Text, drawn, stem
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.report.sections import agreement

_PALETTES = ("color", "color_blind_safe")


def studies_section(material: Material, links: Links) -> Section:
    """Tabulate the included studies."""
    frame = material.frame("select * from study_characteristics order by year nulls last, label, study")
    frame["linked_label"] = [
        mark(label, links.study(study)) for study, label in zip(frame["study"], frame["label"], strict=True)
    ]
    if frame.empty:
        return Section("studies", tr("Included studies"))
    doses = _doses(material)
    frame["doses"] = [doses.get(study, "") for study in frame["study"]]
    further = material.db.rows(
        "select study, characteristic, value from characteristic order by characteristic, study"
    )
    return Section(
        "studies",
        tr("Included studies") if material.measured else tr("Listed studies"),
        [
            *_retracted(material),
            *tables.characteristics(
                frame,
                further,
                n_label=tr(material.participants.capitalize()),
                status="included" if material.measured else "listed",
            ),
        ],
    )


def _retracted(material: Material) -> list[Text]:
    """Name the studies with a publication that was retracted or doubted, and not reinstated."""
    rows = material.db.rows(
        "select study, label, nature, date, reason from retracted_study where not reinstated "
        "and nature in ('retraction', 'expression_of_concern') order by label, date, nature"
    )
    if not rows:
        return []
    said = {"retraction": tr("retracted"), "expression_of_concern": tr("expression of concern")}
    named = []
    for row in rows:
        about = ", ".join(filter(None, (said[row["nature"]], str(row["date"] or ""), row["reason"])))
        named.append(f"{row['label']} ({about})")
    n = len({row["study"] for row in rows})
    text = trn(
        "{n} study has a publication that was retracted or doubted: {named}.",
        "{n} studies have a publication that was retracted or doubted: {named}.",
        n,
        n=count(n),
        named="; ".join(named),
    )
    studies = {row["study"] for row in rows}
    entered = [run for run in material.runs if studies & set(run.frames["contrasts"]["study"])]
    analyses = "; ".join(words.headline(run, material.effect(run)) for run in entered)
    used = (
        tr("Effects of them entered: {analyses}.", analyses=analyses)
        if entered
        else tr("No effect of them entered an analysis.")
    )
    return [Text((text, used))]


def _doses(material: Material) -> dict[str, str]:
    """Doses of each study's arms, as they are printed."""
    found: dict[str, list[str]] = {}
    for row in material.db.rows(
        "select distinct study, dose, dose_unit from arm where dose is not null order by study, dose, "
        "dose_unit"
    ):
        found.setdefault(row["study"], []).append(tables.dose(row["dose"], row["dose_unit"]))
    return {study: "; ".join(dict.fromkeys(doses)) for study, doses in found.items()}


def selection_section(material: Material) -> Section:
    """Draw the flow diagram, list the searches, and say how far two screeners agreed."""
    section = Section("selection", tr("Study selection"))
    section.blocks += drawn("prisma-flow", lambda: plot.prisma_flow(material.whole))
    flow = material.db.kept_rows(FLOW)
    if flow and not section.blocks:
        n = flow[0]["n"]
        said = trn(
            "{n} study is included. No records, screening decisions or flow counts were entered, so there "
            "is no "
            "PRISMA flow diagram to draw.",
            "{n} studies are included. No records, screening decisions or flow counts were entered, so "
            "there is "
            "no PRISMA flow diagram to draw.",
            n,
            n=count(n),
        )
        section.blocks.append(Text((said,)))
    searches = material.db.rows("select search, source, date, hits, query from search order by source_line")
    if searches:
        section.blocks.append(
            Table(
                "searches",
                tr("Searches"),
                (
                    Column("source", tr("Source")),
                    Column("date", tr("Date")),
                    Column("hits", tr("Records"), "right"),
                    Column("query", tr("Query")),
                ),
                tuple({**row, "hits": count(row["hits"])} for row in searches),
            )
        )
        section.blocks += _times_searched([row["date"] for row in searches])
    section.blocks += agreement.screening(material)
    return section


def _times_searched(dates: Sequence[Any]) -> list[Text]:
    """Say how often it was looked for evidence, where it was more than once."""
    days = sorted({day for day in dates if day is not None})
    if len(days) < 2:
        return []
    return [
        Text(
            (
                tr(
                    "It was looked for evidence {n} times, from {first} to {last}.",
                    n=count(len(days)),
                    first=str(days[0]),
                    last=str(days[-1]),
                ),
            )
        )
    ]


def risk_of_bias_section(material: Material, links: Links) -> Section:
    """Draw risk of bias by study and by item, in both palettes."""
    section = Section("risk-of-bias", tr("Risk of bias"))
    pairs = plot.appraised(material.whole)
    for tool, outcome in pairs:
        light, safe = (
            plot.traffic_light(material.whole, tool=tool, outcome=outcome, palette=palette)
            for palette in _PALETTES
        )
        section.blocks.append(Figure(stem("risk-of-bias", tool, outcome), light, safe))
    for tool in sorted(dict(pairs)):
        for weighted, name in ((False, "risk-of-bias-summary"), (True, "risk-of-bias-summary-weighted")):
            try:
                summary, safe = (
                    plot.rob_summary(material.whole, tool=tool, weighted=weighted, palette=palette)
                    for palette in _PALETTES
                )
            except NothingToDrawError:
                continue
            section.blocks.append(Figure(stem(name, tool), summary, safe))
    if not section.blocks:
        section.blocks.append(Text((tr("No risk-of-bias judgement was entered in the review folder."),)))
    read_as = material.db.rows(
        "select tool, note from rob_tool where note is not null and tool in (select tool from rob_judgement) "
        "order by tool"
    )
    if read_as:
        section.blocks.append(Text(tuple(f"{row['tool']}: {row['note']}" for row in read_as)))
    section.blocks += agreement.risk_of_bias(material)
    return section


def coverage_section(material: Material) -> Section | None:
    """Where there is evidence, and what became of each study's data."""
    if len(material.outcomes) < 2 or not material.measured:
        return None
    section = Section("coverage", tr("What was measured"))
    planned = [(run.outcome, run.measure) for run in material.runs]
    section.blocks += drawn("evidence-map", lambda: plot.evidence_map(material.whole, planned=planned))
    section.blocks += drawn("missing-data-map", lambda: plot.missing_data_map(material.whole))
    return section
