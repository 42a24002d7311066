"""A data set of MetaLab: two groups are arms, other designs the effect that was calculated beforehand."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import ReviewError
from evidence.importers.databases.metalab import import_metalab

HEADER = (
    "study_ID,short_cite,long_cite,expt_num,expt_condition,same_infant,method,participant_design,native_lang,"
    "group_name_1,group_name_2,n_1,n_2,mean_age_1,mean_age_2,x_1,x_2,SD_1,SD_2,t,F,r,d,d_var,corr,g_calc,g_var_calc\n"
)
ROWS = {
    "between": "lee2001,Lee (2001),Lee. A paper.,1,nouns,1,CF,between,English,exp,ctrl,16,15,300,310,8.5,7.5,2,2.1,"
    "2.2,NA,NA,NA,NA,NA,0.47,0.13\n",
    "within": "lee2001,Lee (2001),Lee. A paper.,1,verbs,1,CF,within_two,English,exp,NA,16,NA,300,NA,8,7,2,2,"
    "3.2,NA,NA,NA,NA,0.5,0.4,0.04\n",
    "printed": "kim2002,Kim (2002),Kim. A paper.,2,NA,a,HPP,within_one,French,exp,NA,20,NA,200,NA,0.6,0.5,NA,NA,"
    "NA,NA,NA,0.3,0.09,NA,NA,NA\n",
    "bare": "roe2003,Roe (2003),Roe. A paper.,1,NA,a,CF,within_two,French,exp,NA,20,NA,200,NA,6,5,1,1,"
    "NA,NA,NA,NA,NA,0.4,NA,NA\n",
}


@pytest.fixture
def data(tmp_path):
    (tmp_path / "gaze.csv").write_text(HEADER + "".join(ROWS.values()), encoding="utf-8")
    return tmp_path / "gaze.csv"


def test_every_field_has_its_place_and_t_r_and_d_are_no_arms(data, tmp_path):
    report = import_metalab(data, tmp_path / "review", outcome="gaze", treatment="eye", control="chance")
    files = {
        path.name: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in (tmp_path / "review").glob("*.csv")
    }
    assert [(r["experiment"], r["arm"], r["mean"], r["sd"], r["n"]) for r in files["measurements.csv"]] == [
        ("1, nouns", "eye", "8.5", "2", "16"),
        ("1, nouns", "chance", "7.5", "2.1", "15"),
    ]
    told = [
        (r["study"], r["experiment"], r["measure"], r["estimate"], r["se"]) for r in files["contrasts.csv"]
    ]
    assert told == [
        ("lee2001", "1, verbs", "SMD", "0.4", "0.2"),
        ("kim2002", "2", "SMD", "0.3", "0.3"),
    ]
    assert [problem.study for problem in report.left_out] == ["roe2003"]
    assert files["studies.csv"][0]["native_lang"] == "English"
    ages = {(r["experiment"], r["arm"]): r["mean_age"] for r in files["arms.csv"]}
    assert (ages["1, nouns", "eye"], ages["1, nouns", "chance"]) == ("300", "310")
    assert files["measurements.csv"][0]["t"] == "2.2"
    assert files["contrasts.csv"][0]["corr"] == "0.5"
    empty = {"F", "r"}
    assert {item.column for item in report.mappings if not item.became} <= empty
    with evidence.open(evidence.build(tmp_path / "review", tmp_path / "r.duckdb")) as db:
        found = db.rows("select study, estimate from contrast where measure = 'SMD' order by estimate")
        assert [row["study"] for row in found] == ["kim2002", "lee2001", "lee2001"]


def test_the_command_and_what_is_no_such_table(data, tmp_path):
    arguments = ["import", "metalab", str(data), "--into", str(tmp_path / "review"), "--outcome", "gaze"]
    result = CliRunner().invoke(cli, [*arguments, "--higher-is-better"])
    assert result.exit_code == 0, result.output
    assert "effects are taken as 'treatment' minus 'control'" in result.output
    data.write_text("a,b\n1,2\n", encoding="utf-8")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "there is no column 'participant_design'" in result.output


def test_a_table_without_any_effect_is_refused(data, tmp_path):
    data.write_text(HEADER + ROWS["bare"], encoding="utf-8")
    with pytest.raises(ReviewError, match="has no row that can be taken") as error:
        import_metalab(data, tmp_path / "review", outcome="gaze")
    assert "give d and d_var" in error.value.problems[0].remedy
