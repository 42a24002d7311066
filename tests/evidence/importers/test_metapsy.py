"""A database in the Metapsy data standard: an arm in several comparisons is one arm."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import ReviewError
from evidence.importers.databases.metapsy import import_metapsy

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


WHOLE = (
    "study,year,condition_arm1,condition_arm2,multi_arm1,multi_arm2,outcome_type,instrument,time,time_weeks,"
    "rating,mean_arm1,sd_arm1,n_arm1,mean_arm2,sd_arm2,n_arm2,mean_change_arm1,sd_change_arm1,n_change_arm1,"
    "mean_change_arm2,sd_change_arm2,n_change_arm2,event_arm1,totaln_arm1,event_arm2,totaln_arm2,precalc_g,"
    "precalc_g_se,precalc_log_rr,precalc_log_rr_se,country,mean_age,format,baseline_m_arm1,baseline_m_arm2,"
    "sg,d1,d2,d3,d4,d5,rob,full_ref,.g\n"
)
COMMON = "us,40,{format},21,22,1,low,low,low,some concerns,low,some concerns,Bay. A paper. 2001,\n"


def whole(tmp_path, *rows):
    file = tmp_path / "whole.csv"
    lines = [f"{row},{COMMON.format(format=format_)}" for format_, row in rows]
    file.write_text(WHOLE + "".join(lines), encoding="utf-8")
    return file


BAY = "Bay 2001,2001,cbt,wl,NA,NA,{kind},BDI,post,6,self-report,NA,NA,NA,NA,NA,NA,"


def test_change_scores_effects_moderators_and_risk_of_bias_are_kept(tmp_path):
    file = whole(
        tmp_path,
        ("group", BAY.format(kind="change") + "-6,5,20,-2,5,19,NA,NA,NA,NA,NA,NA,NA,NA"),
        ("group", BAY.format(kind="remission (dysthymia)") + "NA,NA,NA,NA,NA,NA,9,20,4,19,NA,NA,NA,NA"),
        ("online", BAY.format(kind="msd") + "NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,-0.4,0.2,NA,NA"),
        ("online", BAY.format(kind="response") + "NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,0.7,0.3"),
    )
    report = import_metapsy(file, tmp_path / "review", controls=["wl"])
    files = {
        path.name: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in (tmp_path / "review").glob("*.csv")
    }
    assert not report.left_out
    assert [
        (r["outcome"], r["arm"], r["mean"], r["sd"], r["n"], r["events"]) for r in files["measurements.csv"]
    ] == [
        ("BDI, change (self-report)", "cbt", "-6", "5", "20", ""),
        ("BDI, change (self-report)", "wl", "-2", "5", "19", ""),
        ("BDI, remission (dysthymia) (self-report)", "cbt", "", "", "20", "9"),
        ("BDI, remission (dysthymia) (self-report)", "wl", "", "", "19", "4"),
    ]
    assert [
        (r["outcome"], r["measure"], r["estimate"], r["se"], r["scale"]) for r in files["contrasts.csv"]
    ] == [
        ("BDI (self-report)", "SMD", "-0.4", "0.2", ""),
        ("BDI, response (self-report)", "RR", "0.7", "0.3", "log"),
    ]
    (study,) = files["studies.csv"]
    assert (study["country"], study["mean_age"], study["sg"]) == ("us", "40", "1")
    assert [(r["baseline_m"], r["format"]) for r in files["measurements.csv"][:2]] == [
        ("21", "group"),
        ("22", "group"),
    ]
    assert {r["format"] for r in files["contrasts.csv"]} == {"online"}
    assert [(r["tool"], r["item"], r["judgement"]) for r in files["risk_of_bias.csv"]] == [
        *(("RoB 2", item, "low") for item in ("D1", "D2", "D3")),
        ("RoB 2", "D4", "some concerns"),
        ("RoB 2", "D5", "low"),
        ("RoB 2", "Overall", "some concerns"),
    ]
    assert files["reports.csv"][0]["title"] == "Bay. A paper. 2001"
    lost = {item.column for item in report.mappings if not item.became}
    assert lost == {".g"}


def test_an_effect_calculated_beforehand_is_pooled_as_it_stands_and_its_mirror_counts_once(tmp_path):
    import evidence

    row = BAY.format(kind="msd") + "NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,-0.4,0.2,NA,NA"
    mirror = row.replace("cbt,wl", "wl,cbt").replace("-0.4", "0.4")
    other = row.replace("-0.4", "-0.5")
    import_metapsy(whole(tmp_path, ("a", row), ("a", mirror)), tmp_path / "review", controls=["wl"])
    with evidence.open(evidence.build(tmp_path / "review", tmp_path / "r.duckdb")) as db:
        assert db.rows("select treatment_a, treatment_b, estimate, std_error from contrast") == [
            {"treatment_a": "cbt", "treatment_b": "wl", "estimate": -0.4, "std_error": 0.2}
        ]
    report = import_metapsy(whole(tmp_path, ("a", row), ("a", other)), tmp_path / "twice")
    assert "precalc_g of these arms is another than in line 2" in str(report)


def test_a_score_of_another_tool_stays_a_characteristic(tmp_path, database):
    text = HEADER.replace("study,year", "study,year,rob").replace("rating,\n", "rating\n")
    database.write_text(
        text + "".join(line.replace(",2018,", ",2018,3,", 1) + "\n" for line in ROWS.splitlines()[:3]),
        encoding="utf-8",
    )
    import_metapsy(database, tmp_path / "review")
    assert not (tmp_path / "review" / "risk_of_bias.csv").exists()
    with (tmp_path / "review" / "studies.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["rob"] for row in csv.DictReader(stream)} == {"3"}


def test_a_file_without_any_row_to_take_is_refused(tmp_path):
    with pytest.raises(ReviewError, match="has no row that can be taken"):
        import_metapsy(
            whole(tmp_path, ("a", BAY.format(kind="msd") + "NA," * 13 + "NA")), tmp_path / "review"
        )
