"""The report of a restricted run is that of a review from which everything else was deleted."""

from __future__ import annotations

import json
import re

import pytest

import evidence
from analysis import plan
from analysis.charts.base.files import specification
from analysis.charts.tables import Table
from analysis.report import words
from analysis.report.blocks import Figure, Text, everything
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.network import network_section
from analysis.report.sections.pairwise import pairwise_section
from analysis.report.sections.whole import findings, league_tables
from evidence import results

# What a run says about its own restriction, which the reduced review has no need to say.
_ABOUT_THE_RESTRICTION = re.compile(
    r"^(Only studies where|Time point of each study|Reference treatment|Treatments? |Without studies|.*high risk)"
)

NETWORK = """
[[protocol.analysis]]
name = "net"
kind = "network"
outcome = "y"
measure = "{measure}"
engine = "{engine}"
reference = "c"
{options}
"""
PAIR = """
[[protocol.analysis]]
name = "pair"
kind = "pairwise"
outcome = "y"
measure = "{measure}"
treatment = "a"
versus = "c"
subgroup = "model"
{options}
"""

RESTRICTIONS = {
    "where": ("where = \"model = 'acute'\"", lambda s: s.model == "acute", "abcd", (1, 4)),
    "risk of bias": ("exclude_high_rob = true", lambda s: not s.high_risk, "abcd", (1, 4)),
    "treatments": ('treatments = ["a", "b", "c"]', lambda s: True, "abc", (1, 4)),
    "time point": ('timepoint = "first"', lambda s: True, "abcd", (1,)),
    "all": (
        'where = "year > 2001"\nexclude_high_rob = true\ntimepoint = "first"',
        lambda s: s.year > 2001 and not s.high_risk,
        "abcd",
        (1,),
    ),
}


def drawn(folder, database) -> tuple[dict[str, str], dict[str, tuple], list[str]]:
    """Figures (with their data), tables and sentences of every analysis of a review's plan."""
    file = evidence.build(folder, database)
    with evidence.open(file) as db:
        runs = plan.run_plan(db)
    results.save(file, runs)
    figures, tables, sentences = {}, {}, []
    with evidence.open(file) as db:
        material, links = Material(db, {}), Links()
        sections = []
        for run in material.runs:
            make = network_section if run.kind == "network" else pairwise_section
            sections.append(make(material, run, links))
            sentences.append(words.answer(material, run, links))
        blocks = [*everything(sections), findings(material, links), *league_tables(material, links)]
        for block in blocks:
            if isinstance(block, Figure):
                text = json.dumps(specification(block.chart), sort_keys=True, default=str)
                figures[block.name] = re.sub(r'"(view|param|concat|layer)_\d+', r'"\1', text)
            elif isinstance(block, Table):
                tables[block.name] = (block.title, block.rows, block.note)
            elif isinstance(block, Text):
                sentences += [p for p in block.paragraphs if not _ABOUT_THE_RESTRICTION.match(p)]
    return figures, tables, sentences


def compare(small_review, place, name, plans, **what) -> None:
    options, keep, treatments, times = RESTRICTIONS[name]
    every = small_review.studies()
    full = small_review.write(place / "full", plans(options), every, **what)
    some = [study for study in every if keep(study)]
    part = small_review.write(place / "part", plans(""), some, treatments=treatments, times=times, **what)
    figures, tables, sentences = drawn(full, place / "full.duckdb")
    other_figures, other_tables, other_sentences = drawn(part, place / "part.duckdb")
    assert len(figures) > 3
    assert set(figures) == set(other_figures)
    assert [key for key in figures if figures[key] != other_figures[key]] == []
    assert [key for key in tables if tables[key] != other_tables[key]] == []
    assert sentences == other_sentences


@pytest.mark.slow
def test_every_figure_table_and_sentence_of_a_restricted_run_is_that_of_the_reduced_review(
    small_review, tmp_path
):
    def plans(options: str) -> str:
        net = NETWORK.format(measure="SMD", engine="frequentist", options=f'smd = "g"\n{options}')
        return net + PAIR.format(measure="MD", options=f'moderators = ["year"]\n{options}')

    compare(small_review, tmp_path, "all", plans)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["where", "risk of bias", "treatments", "time point"])
def test_the_same_under_each_restriction(small_review, tmp_path, name):
    def plans(options: str) -> str:
        net = NETWORK.format(measure="MD", engine="exact", options=options)
        if name == "treatments":
            return net
        return net + PAIR.format(measure="SMD", options=options)

    compare(small_review, tmp_path, name, plans)


@pytest.mark.slow
def test_the_same_with_a_likelihood_of_counts(small_review, tmp_path):
    outcome = {"outcome": "y", "label": "Dead", "kind": "binary", "lower_is_better": "true"}
    compare(
        small_review,
        tmp_path,
        "all",
        lambda options: NETWORK.format(measure="OR", engine="counts", options=options),
        outcome=outcome,
        value=small_review.counts,
    )
