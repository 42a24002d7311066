"""Beneath every funnel plot stands its test, or the reason why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evidence
from analysis import plan
from analysis.charts.tables import Table
from analysis.report.blocks import Figure, Text, everything
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.network import network_section
from analysis.report.sections.pairwise import pairwise_section
from evidence import results

BCG = json.loads((Path(__file__).parents[2] / "oracles" / "pairwise_metafor.json").read_text())["data"]["bcg"]
PETERS = json.loads((Path(__file__).parents[2] / "oracles" / "pairwise_sensitivity.json").read_text())[
    "peters"
]
PLAN = """
[[protocol.analysis]]
name = "all"
kind = "pairwise"
outcome = "tb"
measure = "OR"
treatment = "bcg"
versus = "none"

[[protocol.analysis]]
name = "few"
kind = "pairwise"
outcome = "tb"
measure = "OR"
treatment = "bcg"
versus = "none"
where = "year < 1955"

[[protocol.analysis]]
name = "ratios"
kind = "pairwise"
outcome = "tb"
measure = "RR"
treatment = "bcg"
versus = "none"
sensitivity = ["begg"]
covariates = ["ablat"]
permutations = 50
at = { ablat = 30 }

[[protocol.analysis]]
name = "network"
kind = "network"
outcome = "tb"
measure = "OR"
engine = "exact"
reference = "none"
covariates = ["ablat"]
at = { ablat = 44 }
"""


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """Sections of four analyses of the trials of BCG (Colditz et al. 1994), by their names."""
    place = tmp_path_factory.mktemp("asymmetry")
    folder = place / "bcg"
    folder.mkdir()
    (folder / "review.toml").write_text(f'title = "BCG"\n{PLAN}')
    (folder / "treatments.csv").write_text(
        "treatment,label,role\nbcg,BCG vaccine,active\nnone,No vaccine,control\n"
    )
    (folder / "outcomes.csv").write_text("outcome,kind,lower_is_better\ntb,binary,true\n")
    studies, arms, rows = ["study,year,ablat"], ["study,arm,treatment"], ["study,arm,outcome,events,n"]
    counts = zip(
        *(BCG["counts"][key] for key in ("ai", "bi", "ci", "di")), BCG["year"], BCG["ablat"], strict=True
    )
    for i, (a, b, c, d, year, ablat) in enumerate(counts):
        studies.append(f"s{i:02},{year},{ablat}")
        arms += [f"s{i:02},v,bcg", f"s{i:02},c,none"]
        rows += [f"s{i:02},v,tb,{a},{a + b}", f"s{i:02},c,tb,{c},{c + d}"]
    for name, lines in (("studies", studies), ("arms", arms), ("measurements", rows)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    file = evidence.build(folder, place / "bcg.duckdb")
    with evidence.open(file) as db:
        runs = plan.run_plan(db)
    results.save(file, runs)
    with evidence.open(file) as db:
        material = Material(db, {})
        links = Links()
        make = {"pairwise": pairwise_section, "network": network_section}
        yield {run.analysis: make[run.kind](material, run, links) for run in material.runs}


def beneath(section):
    """What follows the funnel plot of a section."""
    blocks = list(everything([section]))
    (place,) = (
        i for i, block in enumerate(blocks) if isinstance(block, Figure) and block.name.endswith("-funnel")
    )
    return blocks[place + 1 :]


def test_every_funnel_plot_has_its_test_or_the_reason_beneath(sections):
    for section in sections.values():
        said = " ".join(
            paragraph
            for block in beneath(section)[:2]
            if isinstance(block, Text)
            for paragraph in block.paragraphs
        )
        assert "test, 13 " in said or "No test of funnel asymmetry is given: " in said


def test_an_odds_ratio_has_the_test_of_peters_with_the_numbers_of_lm(sections):
    text, table = beneath(sections["all"])[:2]
    assert text.paragraphs[0].startswith("Peters' test, 13 studies: no asymmetry beyond chance (p = 0.20,")
    assert isinstance(table, Table)
    (row,) = table.data
    found = [row[name] for name in ("estimate", "std_error", "statistic", "p_value")]
    assert found == pytest.approx(PETERS[1], rel=1e-9)
    assert (row["test"], row["k"], table.rows[0]["p"]) == ("Peters", 13, "0.20")


def test_fewer_than_ten_studies_have_the_reason_and_no_table(sections):
    text, other = beneath(sections["few"])[:2]
    assert text.paragraphs == (
        "No test of funnel asymmetry is given: there are 3 studies, and with fewer than 10 such a test can hardly "
        "tell asymmetry from chance (Sterne et al. 2011).",
    )
    assert not (isinstance(other, Table) and "asymmetry" in other.title)


def test_a_measure_whose_error_holds_the_effect_is_regressed_on_sizes_whatever_the_plan_names(sections):
    text, table = beneath(sections["ratios"])[:2]
    assert text.paragraphs[0].startswith("Egger's test, 13 studies: ")
    assert [row["predictor"] for row in table.data] == ["sqrt(1/n1+1/n2)"]


def test_a_network_has_the_test_of_its_funnel_with_any_engine(sections):
    order, text, table = beneath(sections["network"])[:3]
    assert "earlier treatment minus a later one" in order.paragraphs[0]
    assert text.paragraphs[0].startswith("Egger's test, 13 comparisons: ")
    assert table.rows[0]["k"] == "13 comparisons"


def table_of(section, words):
    (found,) = (block for block in everything([section]) if isinstance(block, Table) and words in block.title)
    return found


def test_a_meta_regression_has_its_permutation_test_and_its_predictions(sections):
    rows = table_of(sections["ratios"], "Meta-regression on ablat").rows
    by_group = {row["group"]: row for row in rows}
    assert by_group["Permutation test"]["note"] == "50 permutations, drawn, seed 1"
    assert by_group["Effect at"]["term"] == "ablat = 30"
    assert by_group["Effect at"]["estimate"].startswith("0.")


def test_a_network_meta_regression_has_its_slopes_and_effects_at_values(sections):
    slope, there = table_of(sections["network"], "Network meta-regression on ablat").rows
    assert (slope["group"], slope["term"]) == ("Slopes", "ablat")
    assert "change of the effect of" in slope["note"]
    assert (there["group"], there["term"]) == ("Effects at ablat = 44", "BCG vaccine versus No vaccine")
