"""The report's sections: which stand where, and what the answer, the findings and the leagues are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from analysis import plot
from analysis.charts import tables
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import missing, records
from analysis.charts.tables import Table
from analysis.language.catalog import speaking, tr
from analysis.report import words
from analysis.report.blocks import Block, Figure, Section, Text, drawn, everything, tell_apart
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections import across
from analysis.report.sections.answer import answer_section
from analysis.report.sections.changed import changed_section
from analysis.report.sections.closing import (
    audits_section,
    exclusions_section,
    measurements_section,
    refused_section,
    reproduction_section,
)
from analysis.report.sections.firm import firm_section
from analysis.report.sections.network import network_section
from analysis.report.sections.opening import (
    coverage_section,
    risk_of_bias_section,
    selection_section,
    studies_section,
)
from analysis.report.sections.pairwise import pairwise_section
from analysis.report.sections.published import published_section
from evidence.facts.languages import DEFAULT
from evidence.results import Run

__all__ = ["Block", "Figure", "Section", "Text", "assemble", "everything", "findings", "league_tables"]


def assemble(
    material: Material, links: Links, say: Callable[[str], None] = lambda step: None
) -> list[Section]:
    """Make all sections of the report.

    Parameters
    ----------
    material : Material
    links : Links
        Hands out the anchors of numbers and studies.
    say : callable
        Called with a few words before each step.

    Returns
    -------
    list of Section
        In the order of the page; an analysis that was refused has its section, with the reason.
    """
    say("writing the answer and the methods")
    found = [
        answer_section(material, links),
        firm_section(material, links),
        Section(
            "findings",
            tr("Summary of findings"),
            [findings(material, links)] if material.runs else [],
        ),
        Section("methods", tr("Methods"), [Text(tuple(_methods(material)))]),
        studies_section(material, links),
        selection_section(material),
        risk_of_bias_section(material, links),
        coverage_section(material),
    ]
    for run in material.runs:
        say(f"drawing {run.analysis}")
        found.append(
            pairwise_section(material, run, links)
            if run.kind == "pairwise"
            else network_section(material, run, links)
        )
    found += [refused_section(material), _several(material, links), published_section(material, links)]
    found += [exclusions_section(material), audits_section(material)]
    found += [measurements_section(material, links), reproduction_section(material)]
    sections = [section for section in found if section is not None and (section.blocks or section.parts)]
    if not material.runs:
        # Nothing but what others printed, or what was found: that is the answer, and stands beside it.
        first = {"answer": 0, "published": 1} | ({} if material.measured else {"selection": 2})
        sections.sort(key=lambda section: first.get(section.anchor, 3))
    if (changed := changed_section(material, links)) is not None:
        sections.insert(0, changed)
    before = tell_apart(sections)
    # What the plan numbers, it calls by the name that it gave.
    material.numbers.update(
        {name: material.numbers[old] for name, old in before.items() if old in material.numbers}
    )
    material.numbers.update(_parts(sections, material))
    numbered = across.by_number(material, _standing(sections, before))
    if numbered is not None:
        place = 2 + (changed is not None)
        sections.insert(place, Section("figures", tr("Figures and tables by number"), [numbered]))
    return sections


def _parts(sections: Sequence[Section], material: Material) -> dict[str, str]:
    """Give the parts of a table that the plan numbers the number of the whole, by their names."""
    found, whole = {}, None
    for block in everything(sections):
        if isinstance(block, Table):
            if not block.part:
                whole = material.numbers.get(block.name)
            elif whole is not None:
                found[block.name] = tr("{number} (part {part})", number=whole, part=block.part)
    return found


def _methods(material: Material) -> list[str]:
    """Write the methods, which are said in English: so are their numbers."""
    with speaking(DEFAULT):
        return words.methods(material)


def _standing(sections: Sequence[Section], before: dict[str, str]) -> dict[str, tuple[str, str, str]]:
    """Anchor, heading and file of every figure and table, by the name that it was given."""
    return {
        before[block.name]: (
            (f"figure-{block.name}", section.title, f"figures/{block.name}.svg")
            if isinstance(block, Figure)
            else (f"table-{block.name}", section.title, f"tables/{block.name}.csv")
        )
        for section in sections
        for block in everything([section])
        if not isinstance(block, Text)
    }


def findings(material: Material, links: Links) -> Table:
    """Tabulate pairwise effects, and the effect of each treatment of a network against its reference."""
    rows = []
    for run in material.runs:
        effect = material.effect(run)
        model = words.main_model(run)
        spread = next(
            (
                r
                for r in records(run.frames["heterogeneity"])
                if r["model"] == model and missing(r.get("level"))
            ),
            {},
        )
        if run.kind == "pairwise":
            some = [
                row | {"kept": row}
                for row in words.estimate_rows(run)
                if row["model"] == model and missing(row.get("level"))
            ]
            n: Any = material.size(run).get("n_participants")
        else:
            some, n = words.against(run, model), None
            direct = {frozenset((e["treatment_a"], e["treatment_b"])): e for e in material.edges(run)}
            for row in some:
                edge = direct.get(frozenset((row["treatment"], row["versus"])), {})
                row |= {"n_studies": edge.get("n_studies", 0), "n_participants": edge.get("n_participants")}
        for row in some:
            if missing(row["estimate"]) or missing(row["ci_lower"]):
                continue
            rows.append(
                row
                | {
                    "comparison": tr(
                        "{a} versus {b}", a=effect.label(row["treatment"]), b=effect.label(row["versus"])
                    ),
                    "n_participants": row.get("n_participants", n),
                    "model": _model_of(run, model),
                    "effect": effect,
                    "tau": spread.get("tau"),
                    "i2": spread.get("i2"),
                    "linked": words.linked(row, effect, links),
                }
            )
    return tables.summary_of_findings(rows, n_label=tr(material.participants.capitalize()))


def _model_of(run: Run, model: str) -> str:
    """Name kind and model of an analysis."""
    if run.kind == "network":
        return tr("network, {model}", model=tr(words.MODELS[model]))
    return tr("pairwise, {model}", model=tr(words.MODELS[model]))


def league_tables(material: Material, links: Links) -> list[Table]:
    """Write the league table of every network."""
    found = []
    for run in material.runs:
        if run.kind == "network":
            network, direct = map(pd.DataFrame, plot.league_rows(material.subject(run)))
            effect = material.effect(run)
            order, _, _ = words.ranked(run, words.main_model(run))
            cells = {
                pair: words.linked(row, effect, links)
                for row in records(network)
                for pair in ((row["treatment"], row["versus"]),)
            }
            found.append(
                tables.league_table(
                    network,
                    direct,
                    effect=effect,
                    order=order,
                    name=f"{run.analysis}-league",
                    links=_both(cells, network, effect, links),
                )
            )
    return found


def _both(
    cells: dict[tuple[str, str], str], network: pd.DataFrame, effect: Effect, links: Links
) -> dict[tuple[str, str], str]:
    """Cells in both directions: a turned one leads to the row that is kept."""
    from analysis.charts.base.intervals import turned

    for row in records(network):
        back = turned(row)
        cells.setdefault(
            (back["treatment"], back["versus"]), words.linked(back | {"kept": row}, effect, links)
        )
    return cells


def _several(material: Material, links: Links) -> Section:
    """Rankings and estimates of several outcomes side by side."""
    section = Section("ranking-across-outcomes", tr("Across outcomes"))
    league = across.league_across(material, links)
    if league is not None:
        section.blocks.append(league)
    networks = [material.subject(run) for run in material.runs if run.kind == "network"]
    section.blocks += drawn("rank-heat-plot", lambda: plot.ranks_across(networks))
    return section
