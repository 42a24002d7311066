"""The counts of a flow diagram come in, stand alone, and go out again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import EvidenceError
from evidence.export import export
from evidence.importers.flow import import_prisma


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


PRISMA = (
    "data,node,box,description,boxtext,tooltips,url,n\n"
    ",node4,prevstud,Grey title box,Previous studies,,,0\n"
    "previous_studies,node5,box1,x,x,,,15\n"
    'database_specific_results,,box2,x,x,,,"PubMed, 60; Embase, 31"\n'
    "duplicates,node8,box3,x,x,,,12\n"
    'dbr_excluded,node14,box9,x,x,,,"No control, 3; Not in vivo, rats, 2; Reason3, xxx"\n'
    "identification,node1,identification,x,x,,,0\n"
)


def test_boxes_and_reasons(tmp_path):
    (tmp_path / "PRISMA.csv").write_text(PRISMA, encoding="utf-8")
    import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")
    found = [(r["box"], r["reason"], r["n"]) for r in rows(tmp_path / "review" / "flow.csv")]
    assert found == [
        ("previous_studies", "", "15"),
        ("database_specific_results", "PubMed", "60"),
        ("database_specific_results", "Embase", "31"),
        ("duplicates", "", "12"),
        ("dbr_excluded", "No control", "3"),
        ("dbr_excluded", "Not in vivo, rats", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [("data,m\nx,1\n", "no column n"), (PRISMA.replace(",12\n", ",twelve\n"), "'twelve' in box duplicates")],
)
def test_a_broken_flow_is_refused(tmp_path, text, message):
    (tmp_path / "PRISMA.csv").write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=message):
        import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")
    assert not (tmp_path / "review").exists()


def test_the_counts_of_a_real_review(trial_data, tmp_path):
    report = import_prisma(trial_data / "galenos_lsr3" / "prisma_counts.csv", tmp_path / "review")
    found = {(r["box"], r["reason"]): r["n"] for r in rows(tmp_path / "review" / "flow.csv")}
    assert found["total_studies", ""] == "23"
    assert found["database_specific_results", "Psychosis SOLES"] == "89"
    assert not report.left_out


PRESENT = """data,n
database_results,"1,234"
duplicates,200
records_screened,1034
records_excluded,"Wrong species, 900; No control, 100"
dbr_sought_reports,34
dbr_assessed,34
dbr_excluded,"a, b, 4; c, 10"
new_studies,20
total_studies_ma,18
total_reports_ma,NA
"""


def test_a_flow_without_studies_is_built_reported_and_goes_back_as_it_came(tmp_path):
    (tmp_path / "PRISMA.csv").write_text(PRESENT, encoding="utf-8")
    report = import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")
    assert "1,234 was read as 1234" in str(report)
    assert not report.left_out
    # Nothing but what was given stands in the folder.
    assert {path.name for path in (tmp_path / "review").iterdir()} == {"review.toml", "flow.csv"}
    run = CliRunner().invoke(cli, ["build", str(tmp_path / "review"), "-o", str(tmp_path / "r.duckdb")])
    assert run.exit_code == 0
    assert "11 counts of the flow diagram" in run.output
    with evidence.open(tmp_path / "r.duckdb") as db:
        flow = db.rows("select box, reason, n from prisma_flow where box like 'records_excluded%'")
        assert {row["reason"]: row["n"] for row in flow} == {"Wrong species": 900, "No control": 100}
        assert db.value("select n from prisma_flow where box = 'total_studies_ma'") == 18
        assert not db.rows("from audit_flow")
    export(tmp_path / "r.duckdb", tmp_path / "out", ["prisma2020", "csv", "review"])
    written = {row["data"]: row["n"] for row in rows(tmp_path / "out" / "PRISMA.csv")}
    # The template has no place for reasons at title and abstract.
    assert written["records_excluded"] == "1000"
    assert written["dbr_excluded"] == "a, b, 4; c, 10"
    again = tmp_path / "out" / "review" / "flow.csv"
    assert again.read_bytes() == (tmp_path / "review" / "flow.csv").read_bytes()


@pytest.mark.parametrize("cell", ['"Wrong species, 1,234; No control, 1"', '"1,23"', "12.5"])
def test_what_may_be_two_numbers_is_asked_for(tmp_path, cell):
    (tmp_path / "PRISMA.csv").write_text(f"data,n\nrecords_excluded,{cell}\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="whole number without separators"):
        import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")
    # The remedy, to the letter.
    fixed = {'"Wrong species, 1,234; No control, 1"': '"Wrong species, 1234; No control, 1"'}.get(cell, "123")
    (tmp_path / "PRISMA.csv").write_text(f"data,n\nrecords_excluded,{fixed}\n", encoding="utf-8")
    import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")


def test_a_flow_without_a_number_is_an_error(tmp_path):
    (tmp_path / "PRISMA.csv").write_text("data,n\nduplicates,xxx\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="holds no number"):
        import_prisma(tmp_path / "PRISMA.csv", tmp_path / "review")


def test_reasons_at_title_and_abstract_are_counted(tmp_path):
    folder = tmp_path / "review"
    folder.mkdir()
    (folder / "review.toml").write_text('title = "t"\n', encoding="utf-8")
    (folder / "records.csv").write_text("record\na\nb\nc\nd\n", encoding="utf-8")
    (folder / "screening.csv").write_text(
        "record,stage,reviewer,decision,reason\n"
        "a,title_abstract,x,exclude,no animals\nb,title_abstract,x,exclude,no animals\n"
        "c,title_abstract,x,exclude,\nd,title_abstract,x,include,\n",
        encoding="utf-8",
    )
    with evidence.open(evidence.build(folder, tmp_path / "r.duckdb")) as db:
        found = db.rows("select reason, n from prisma_flow where box = 'records_excluded'")
        assert {row["reason"]: row["n"] for row in found} == {
            None: 3, "no animals": 2, "no reason given": 1,
        }  # fmt: skip
        assert not db.rows("from audit_flow")
