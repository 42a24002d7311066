"""A database in the Metapsy data standard: an arm in several comparisons is one arm."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import ReviewError
from evidence.importers.metapsy import import_metapsy

HEADER = (
    "study,year,condition_arm1,condition_arm2,multi_arm1,multi_arm2,outcome_type,instrument,time,time_weeks,rating,"
    "mean_arm1,sd_arm1,n_arm1,mean_arm2,sd_arm2,n_arm2,event_arm1,event_arm2,totaln_arm1,totaln_arm2,.g\n"
)
ROWS = (
    "Abas 2018,2018,cbt,wl,group,,msd,PHQ-9,post,8,self-report,10,4,20,14,5,19,NA,NA,NA,NA,-0.9\n"
    "Abas 2018,2018,CBT,wl,online,,msd,PHQ-9,post,8,self-report,11,4,21,14,5,19,NA,NA,NA,NA,-0.6\n"
    "Abas 2018,2018,cbt,wl,group,,response,PHQ-9,post,8,self-report,NA,NA,NA,NA,NA,NA,9,4,20,19,NA\n"
    "Bay 2001,2001,cbt,wl,,,msd,BDI,post,6,self-report,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,-0.4\n"
)


@pytest.fixture
def database(tmp_path):
    (tmp_path / "db.csv").write_text(HEADER + ROWS, encoding="utf-8")
    return tmp_path / "db.csv"


def test_comparisons_become_arms(database, tmp_path):
    report = import_metapsy(database, tmp_path / "review", controls=["wl"])
    with (tmp_path / "review" / "measurements.csv").open(encoding="utf-8", newline="") as handle:
        found = [(r["arm"], r["outcome"], r["mean"], r["events"], r["n"]) for r in csv.DictReader(handle)]
    assert found == [
        ("cbt group", "PHQ-9 (self-report)", "10", "", "20"),
        ("wl", "PHQ-9 (self-report)", "14", "", "19"),
        ("cbt online", "PHQ-9 (self-report)", "11", "", "21"),
        ("cbt group", "PHQ-9, response (self-report)", "", "9", "20"),
        ("wl", "PHQ-9, response (self-report)", "", "4", "19"),
    ]
    assert [problem.line for problem in report.left_out] == [5]


def test_an_arm_with_two_sets_of_numbers_is_reported(database, tmp_path):
    database.write_text(HEADER + ROWS.replace("11,4,21,14,5,19", "11,4,21,15,5,19"), encoding="utf-8")
    report = import_metapsy(database, tmp_path / "review")
    assert "arm 'wl' has other numbers than in line 2" in str(report)


def test_the_command_and_what_is_no_such_database(database, tmp_path):
    arguments = ["import", "metapsy", str(database), "--into", str(tmp_path / "review"), "--control", "wl"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    database.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ReviewError, match="no column 'condition_arm1'"):
        import_metapsy(database, tmp_path / "other")
