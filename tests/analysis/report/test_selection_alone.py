"""A review that says only how studies were found is built, checked, reported and exported, before it has a study."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli

FLOW = """box,n,reason
database_results,218,
duplicates,18,
records_screened,200,
records_excluded,150,
dbr_sought_reports,50,
dbr_notretrieved_reports,1,
dbr_assessed,49,
dbr_excluded,40,no control group
new_studies,9,
"""
RECORDS = """record,title,doi,year,duplicate_of
r1,Cells in mice,10.1000/a,2019,
r2,Cells in mice.,10.1000/a,2019,r1
r3,Cords in rats,,2020,
"""
DECISIONS = """record,stage,decision,reason
r1,title_abstract,include,
r3,title_abstract,exclude,no control group
r1,full_text,include,
"""
REVIEWS = {
    "flow": ({"flow.csv": FLOW}, "prisma2020", ("Records screened", "200", "no control group")),
    "records": (
        {"records.csv": RECORDS, "screening.csv": DECISIONS},
        "prisma2020,references,ris,bibtex",
        ("Duplicate records", "no control group"),
    ),
}


@pytest.mark.parametrize("kind", [pytest.param("flow", marks=pytest.mark.slow), "records"])
def test_a_review_of_records_or_of_a_flow_alone_goes_all_the_way(tmp_path: Path, kind: str):
    files, formats, words = REVIEWS[kind]
    folder, file, out = tmp_path / kind, tmp_path / "r.duckdb", tmp_path / "out"
    folder.mkdir()
    (folder / "review.toml").write_text(f'title = "A review of {kind} alone"\n', encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in (
        ["build", str(folder), "-o", str(file)],
        ["check", str(file)],
        ["report", str(file), "-o", str(tmp_path / "report")],
        ["export", str(file), "--to", str(out), "--format", formats],
    ):
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert f"A review of {kind} alone" in page
    for text in words:
        assert text in page
    assert (out / "PRISMA.csv").is_file()
    assert (out / "references.ris").exists() == (kind == "records")
