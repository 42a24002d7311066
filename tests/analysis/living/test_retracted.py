"""A retracted study is named in `check`, `audit` and the report, with the analyses that it entered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from analysis.language.catalog import speaking
from analysis.plan import run_pairwise
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.opening import studies_section
from evidence.cli import cli
from evidence.results import save
from evidence.system.resources import reviews_directory


@pytest.fixture(scope="module")
def retracted(tmp_path_factory) -> Path:
    """The review smoking, where a notice is about its first study and another takes one back."""
    folder = tmp_path_factory.mktemp("retracted") / "smoking"
    shutil.copytree(reviews_directory() / "smoking", folder)
    (folder / "reports.csv").write_text(
        "study,doi,pmid\n1,https://doi.org/10.1000/FIRST,\n2,,22\n", encoding="utf-8"
    )
    (folder / "retractions.csv").write_text(
        "doi,pmid,nature,date,reason\n10.1000/first,,retraction,2024-01-23,Fake\n,22,retraction,2020-01-01,\n"
        ",22,reinstatement,2021-01-01,\n",
        encoding="utf-8",
    )
    file = folder.with_name("smoking.duckdb")
    evidence.build(folder, file)
    with evidence.open(file) as db:
        run = run_pairwise(
            db, analysis="cessation-individual", outcome="cessation", measure="OR", treatment="ind_counseling",
            versus="no_contact",
        )  # fmt: skip
    save(file, [run])
    return file


def test_check_warns_and_audit_names_it_first(retracted):
    said = CliRunner().invoke(cli, ["check", str(retracted), "--mend", "0"])
    assert said.exit_code == 0
    assert "was retracted on 2024-01-23: Fake" in said.output
    assert "look at the results without it" in said.output
    said = CliRunner().invoke(cli, ["audit", str(retracted)])
    assert said.output.startswith(
        "\nRetracted, corrected or doubted (3)\n  Reid et al. 1974: retraction, 2024-01-23 (doi "
    )
    assert "Cottraux et al. 1983: retraction, 2020-01-01 (PubMed 22); reinstated later\n" in said.output
    rows = json.loads(CliRunner().invoke(cli, ["audit", str(retracted), "--format", "json"]).stdout)[
        "retractions"
    ]
    assert next((row["study"], row["matched_by"], row["in_evidence"]) for row in rows) == (
        "1",
        "doi",
        True,
    )


def test_the_report_names_it_and_what_it_entered(retracted):
    with evidence.open(retracted) as db:
        texts = studies_section(Material(db, {}), Links()).blocks[0].paragraphs
        with speaking("de"):
            german = studies_section(Material(db, {}), Links()).blocks[0].paragraphs
    assert texts == (
        "1 study has a publication that was retracted or doubted: Reid et al. 1974 (retracted, 2024-01-23, Fake).",
        "Effects of them entered: Smoking cessation: Individual counselling versus No contact.",
    )
    assert german[0].startswith("1 Studie hat eine Veröffentlichung, die zurückgezogen")
