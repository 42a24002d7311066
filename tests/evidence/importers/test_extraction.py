"""Two extractors' readings stand side by side, and an analysis can be run on either's."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.checking.readings import as_read_by, cost
from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.importers.arms import import_arms
from evidence.importers.extraction import import_extraction

FIRST = """study,treatment,mean,sd,n,extractor
A,cells,100,10,10,AL
A,saline,120,10,10,AL
B,cells,90,10,10,AL
B,saline,115,10,10,AL
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "first.csv").write_text(FIRST, encoding="utf-8")
    import_arms(tmp_path / "first.csv", tmp_path / "review", outcome="alt", unit="U/L")
    return tmp_path / "review"


def second(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "second.csv"
    file.write_text("study,arm,outcome,mean,sd,n\n" + text, encoding="utf-8")
    return file


def measurements(folder: Path) -> list[dict[str, str]]:
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_both_readings_are_kept_and_differences_listed(folder, tmp_path):
    before = measurements(folder)
    file = second(tmp_path, "A,cells,alt,100.0,10,10\nA,saline,alt,102,31.6,10\n")
    report = import_extraction(file, folder, extractor="BW")
    assert [row["extractor"] for row in measurements(folder)] == ["AL"] * 4 + ["BW"] * 2
    assert [row["mean"] for row in measurements(folder)[:4]] == [row["mean"] for row in before]
    assert "2 cells were read by others before; 1 of them differ" in report.notes
    assert any("mean 102 against 120, sd 31.6 against 10" in note for note in report.notes)


def test_nothing_is_overwritten(folder, tmp_path):
    import_extraction(second(tmp_path, "A,cells,alt,100,10,10\n"), folder, extractor="BW")
    before = (folder / "measurements.csv").read_bytes()
    again = import_extraction(second(tmp_path, "A,cells,alt,100,10,10\n"), folder, extractor="BW")
    assert "measurements.csv" not in again.added
    with pytest.raises(ReviewError, match="read mean 101 against 100"):
        import_extraction(second(tmp_path, "A,cells,alt,101,10,10\n"), folder, extractor="BW")
    assert (folder / "measurements.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("A,nothing,alt,1,1,9\n", ReviewError, "nothing"),
        ("A,cells,ast,1,1,9\n", ReviewError, "unknown outcome 'ast'"),
    ],
)
def test_what_does_not_exist_is_refused(folder, tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        import_extraction(second(tmp_path, text), folder, extractor="BW")


def test_the_columns_are_asked_for(folder, tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text("work,what,where,mean\nA,cells,alt,3\nA,saline,alt,4\n", encoding="utf-8")
    with pytest.raises(ReviewError, match="say with --map"):
        import_extraction(file, folder, extractor="BW")
    mapping = {"work": "study", "what": "arm", "where": "outcome"}
    assert import_extraction(file, folder, extractor="BW", mapping=mapping).added == {"measurements.csv": 2}


def test_the_second_extractors_sheet_is_understood_as_the_firsts(tmp_path):
    """Two groups beside each other, per cent, a mapping that wins: whatever arms reads, extraction reads."""
    first = "study,n_exp,deaths_exp,n_ctrl,deaths_ctrl\nA,20,5,20,8\nB,40,10,40,20\n"
    second = "Trial,exp n,exp %,ctrl n,ctrl %,old %\nA,20,25,20,40,1\nB,40,25,40,45,2\n"
    for name, text in (("first.csv", first), ("second.csv", second)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    import_arms(
        tmp_path / "first.csv",
        tmp_path / "review",
        outcome="death",
        mapping={"deaths_exp": "events1", "deaths_ctrl": "events2"},
    )
    report = import_extraction(
        tmp_path / "second.csv", tmp_path / "review", extractor="BW", mapping={"old %": ""}
    )
    assert "4 cells were read by others before; 1 of them differ" in report.notes
    assert any("events 18 against 20" in note for note in report.notes)
    assert [r["events"] for r in measurements(tmp_path / "review")] == [
        "5",
        "8",
        "10",
        "20",
        "5",
        "8",
        "10",
        "18",
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_two_columns_that_claim_one_meaning_are_asked_about_in_any_order(folder, tmp_path, turned):
    header, cells = ["study", "arm", "outcome", "mean", "average"], ["A", "cells", "alt", "100", "90"]
    if turned:
        header, cells = header[::-1], cells[::-1]
    file = tmp_path / "second.csv"
    file.write_text(f"{','.join(header)}\n{','.join(cells)}\n", encoding="utf-8")
    with pytest.raises(ReviewError, match="may each be the mean"):
        import_extraction(file, folder, extractor="BW")
    import_extraction(file, folder, extractor="BW", mapping={"average": "mean"})
    assert measurements(folder)[-1]["mean"] == "90"


def test_an_arm_is_found_by_its_treatment_and_the_outcome_where_there_is_one(tmp_path):
    first = "study,arm,treatment,n,mean,sd\nA,T1,drug,9,5,2\nA,T2,placebo,9,7,2\n"
    second = "study,treatment,n,mean,sd\nA,drug,9,5,2\nA,placebo,9,NR,2\n"
    for name, text in (("first.csv", first), ("second.csv", second)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    import_arms(tmp_path / "first.csv", tmp_path / "review", outcome="pain")
    report = import_extraction(tmp_path / "second.csv", tmp_path / "review", extractor="BW")
    assert [r["arm"] for r in measurements(tmp_path / "review")[2:]] == ["T1", "T2"]
    assert "1 cell of 'mean' (NR; line 3) is missing" in report.notes
    import_arms(tmp_path / "first.csv", tmp_path / "review", outcome="other")
    with pytest.raises(CallError, match="--outcome NAME"):
        import_extraction(tmp_path / "second.csv", tmp_path / "review", extractor="CD")
    (tmp_path / "c.csv").write_text("study,treat1,treat2,TE,seTE\nA,a,b,1,1\n", encoding="utf-8")
    with pytest.raises(CallError, match="one row per contrast"):
        import_extraction(tmp_path / "c.csv", tmp_path / "review", extractor="CD")


@pytest.fixture
def twice(folder, tmp_path) -> Path:
    """AL and BW read study A differently; they agreed on AL's number of its control."""
    import_extraction(
        second(tmp_path, "A,cells,alt,95,10,10\nA,saline,alt,130,10,10\n"), folder, extractor="BW"
    )
    import_extraction(second(tmp_path, "A,saline,alt,120,10,10\n"), folder, extractor="consensus")
    return evidence.build(folder, tmp_path / "review.duckdb")


def effect_of_a(path: Path) -> float:
    with evidence.open(path) as db:
        return db.sql("select estimate from contrast where study = 'A' and measure = 'MD'").fetchall()[0][0]


def test_an_analysis_runs_on_either_extractors_values(twice, tmp_path):
    # The consensus on the control, and BW's reading of the cells: as precise as AL's, and the smaller.
    assert effect_of_a(twice) == 95 - 120
    assert effect_of_a(as_read_by(twice, "BW", tmp_path / "bw.duckdb")) == 95 - 130
    assert effect_of_a(as_read_by(twice, "AL", tmp_path / "al.duckdb")) == 100 - 120
    assert effect_of_a(twice) == 95 - 120
    with pytest.raises(CallError, match="no extractor 'XY'"):
        as_read_by(twice, "XY", tmp_path / "xy.duckdb")
    assert not (tmp_path / "xy.duckdb").exists()


@pytest.mark.slow
def test_what_disagreement_costs(twice):
    columns, rows = cost(twice, outcome="alt", measure="MD")
    found = {row[columns.index("readings")]: dict(zip(columns, row)) for row in rows}
    assert list(found) == ["final", "AL", "BW"]
    # Two studies of equal variance: the common estimate is the mean of -25 and -25, of -35 and -25.
    assert math.isclose(found["final"]["common_estimate"], -25)
    assert math.isclose(found["BW"]["common_estimate"], -30)
    assert math.isclose(
        found["BW"]["shift"], found["BW"]["random_estimate"] - found["final"]["random_estimate"]
    )
    assert math.isclose(found["AL"]["common_estimate"], -22.5)


@pytest.mark.slow
def test_the_commands(folder, twice, tmp_path):
    result = CliRunner().invoke(cli, ["readings", str(twice), "--measure", "MD"])
    assert result.exit_code == 0, result.output
    assert "BW" in result.output
    output = tmp_path / "bw.duckdb"
    result = CliRunner().invoke(cli, ["readings", str(twice), "--extractor", "BW", "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert output.is_file()
    assert CliRunner().invoke(cli, ["readings", str(twice), "--extractor", "BW"]).exit_code == 2
