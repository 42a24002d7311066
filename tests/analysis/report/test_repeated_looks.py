"""A report says how often it was looked for evidence, and what bounds for repeated looks tell where asked."""

from __future__ import annotations

import shutil

import evidence
from analysis.plan import run_planned
from analysis.report.blocks import Figure, Text
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.opening import selection_section
from analysis.report.sections.pairwise import pairwise_section
from evidence.results import save
from evidence.system.resources import reviews_directory


def test_a_planned_sequential_analysis_has_its_figure_and_its_sentence(tmp_path):
    folder, file = tmp_path / "diabetes", tmp_path / "d.duckdb"
    shutil.copytree(reviews_directory() / "diabetes", folder)
    plan = (folder / "review.toml").read_text(encoding="utf-8")
    asked = 'name = "hba1c-rosiglitazone"\nsequential = true\nanticipated_effect = -0.25'
    (folder / "review.toml").write_text(plan.replace('name = "hba1c-rosiglitazone"', asked), encoding="utf-8")
    (folder / "searches.csv").write_text(
        "search,database,date\na,PubMed,2020-01-31\nb,PubMed,2023-05-01\nc,Embase,2023-05-01\n",
        encoding="utf-8",
    )
    evidence.build(folder, file)
    with evidence.open(file) as db:
        rows = db.rows("select * from plan where analysis in ('hba1c-rosiglitazone', 'hba1c-metformin')")
        save_later = [run_planned(db, row) for row in rows]
    save(file, save_later)
    with evidence.open(file) as db:
        material = Material(db, {})
        sections = {run.analysis: pairwise_section(material, run, Links()) for run in material.runs}
        searched = selection_section(material)
    figures = [block.name for block in sections["hba1c-rosiglitazone"].blocks if isinstance(block, Figure)]
    assert "hba1c-rosiglitazone-sequential-bounds" in figures
    said = [
        text
        for block in sections["hba1c-rosiglitazone"].blocks
        if isinstance(block, Text)
        for text in block.paragraphs
    ]
    assert any(
        text.startswith("Trial sequential analysis: the monitoring bound was crossed in 1999 ")
        for text in said
    )
    assert not [
        b for b in sections["hba1c-metformin"].blocks if isinstance(b, Figure) and "sequential" in b.name
    ]
    assert searched.blocks[-1].paragraphs == (
        "It was looked for evidence 2 times, from 2020-01-31 to 2023-05-01.",
    )
