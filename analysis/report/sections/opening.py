"""The review as a whole: studies, their selection, risk of bias, what was measured."""

from __future__ import annotations

import pandas as pd

from analysis import charts
from analysis.charts import tables
from analysis.charts.base.theme import count, missing, plain
from analysis.charts.tables import Column, Table
from analysis.language.catalog import tr, trn
from analysis.report.blocks import Figure, Section, Text, stem
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.report.sections import agreement


def studies_section(material: Material, links: Links) -> Section:
    """Tabulate the included studies."""
    frame = material.frame("select * from study_characteristics order by year nulls last, label, study")
    frame["linked_label"] = [
        mark(label, links.study(study)) for study, label in zip(frame["study"], frame["label"], strict=True)
    ]
    doses = _doses(material)
    frame["doses"] = [doses.get(study, "") for study in frame["study"]]
    further = material.db.rows(
        "select study, characteristic, value from characteristic order by characteristic, study"
    )
    return Section(
        "studies",
        tr("Included studies") if material.measured else tr("Listed studies"),
        list(
            tables.characteristics(
                frame,
                further,
                n_label=tr(material.participants.capitalize()),
                status="included" if material.measured else "listed",
            )
        ),
    )


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
    flow = material.frame("select * from prisma_flow order by position, reason nulls first")
    section = Section("selection", tr("Study selection"))
    if len(flow) > 1:
        section.blocks.append(Figure("prisma-flow", charts.prisma_flow(flow)))
    elif len(flow):
        n = flow["n"].iloc[0]
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
    section.blocks += agreement.screening(material)
    return section


def risk_of_bias_section(material: Material, links: Links) -> Section:
    """Draw risk of bias by study and by item, in both palettes."""
    section = Section("risk-of-bias", tr("Risk of bias"))
    judged = material.frame(
        "select rob_traffic_light.* from rob_traffic_light inner join study using (study) "
        "order by study.year nulls last, study.label, position"
    )
    for tool in judged["tool"].drop_duplicates():
        for outcome in judged.loc[judged["tool"] == tool, "outcome"].drop_duplicates():
            of_outcome = judged["outcome"].isna() if missing(outcome) else judged["outcome"] == outcome
            some = judged[(judged["tool"] == tool) & of_outcome]
            about = tool if missing(outcome) else f"{tool}, {material.outcomes.get(outcome, outcome)}"
            title = tr("Risk of bias by study ({tool})", tool=about)
            light, safe = (
                charts.traffic_light(some, labels=material.studies, palette=palette, title=title)
                for palette in ("color", "color_blind_safe")
            )
            section.blocks.append(Figure(stem("risk-of-bias", tool, plain(outcome)), light, safe))
    summary = material.frame("select * from rob_summary order by tool, position")
    for tool in summary["tool"].drop_duplicates():
        some = summary[summary["tool"] == tool]
        plain_, safe = (
            charts.rob_summary(some, palette=palette) for palette in ("color", "color_blind_safe")
        )
        section.blocks.append(Figure(stem("risk-of-bias-summary", tool), plain_, safe))
        if some["weighted_share"].notna().any():
            heavy, safe = (
                charts.rob_summary(some, weighted=True, palette=palette)
                for palette in ("color", "color_blind_safe")
            )
            section.blocks.append(Figure(stem("risk-of-bias-summary-weighted", tool), heavy, safe))
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
    planned = {(run.outcome, run.measure) for run in material.runs}
    # Of the whole review: where there is evidence, whatever a run restricts itself to.
    nodes = [
        row
        for row in material.db.rows(
            "select * from network_node order by n_studies desc, outcome, measure, treatment"
        )
        if (row["outcome"], row["measure"]) in planned
    ]
    largest = {(row["outcome"], row["treatment"]): row for row in reversed(nodes)}
    if len({row["outcome"] for row in nodes}) > 1:
        chart = charts.evidence_map(
            pd.DataFrame(largest.values()), treatments=material.treatments, outcomes=material.outcomes
        )
        section.blocks.append(Figure("evidence-map", chart))
    status = material.frame(
        """
        with reading as (
            select measurement.study, measurement.outcome,
                max(case when standard.measurement_id is null then 0 else 1 end) as used,
                max(case when standard.derivation = 'reported' then 1 else 0 end) as as_reported
            from measurement left join measurement_standard as standard using (measurement_id)
            group by measurement.study, measurement.outcome
            union all
            select study, outcome, 1, 1 from reported_contrast group by study, outcome
        )
        select study.study, outcome.outcome,
            case
                when max(reading.used) is null then 'not reported'
                when max(reading.used) = 0 then 'not usable'
                when max(reading.as_reported) = 0 then 'used, derived'
                else 'used'
            end as status
        from study cross join outcome
        left join reading on study.study = reading.study and outcome.outcome = reading.outcome
        group by study.study, outcome.outcome, study.year, study.label, outcome.source_line
        order by study.year nulls last, study.label, study.study, outcome.source_line, outcome.outcome
        """
    )
    if len(status):
        section.blocks.append(
            Figure(
                "missing-data-map",
                charts.missing_data_map(status, labels=material.studies, outcomes=material.outcomes),
            )
        )
    return section
