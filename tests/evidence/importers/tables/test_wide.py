"""Tables with one row per study: every shape of the field gives the arms that its numbers say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evidence.errors import CallError, EvidenceError
from evidence.importers.arms import import_arms


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def imported(tmp_path):
    """Import a text as a table; gives the report and the measurements as (study, arm, statistics...)."""

    def run(text: str, *columns: str, name: str = "data.csv", **options):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        report = import_arms(file, tmp_path / "review", outcome="y", **options)
        found = rows(tmp_path / "review" / "measurements.csv")
        return report, [(row["study"], row["arm"], *(row.get(c, "") for c in columns)) for row in found]

    return run


BINARY = [("A", "drug", "3", "10"), ("A", "placebo", "5", "11"), ("B", "drug", "2", "9")]


@pytest.mark.parametrize(
    "text",
    [
        "study,t1,r1,n1,t2,r2,n2\nA,drug,3,10,placebo,5,11\nB,drug,2,9,placebo,4,8\n",
        "id,t1,t2,r1,r2,n1,n2\nA,drug,placebo,3,5,10,11\nB,drug,placebo,2,4,9,8\n",
        "studlab,treat1,event1,n1,treat2,event2,n2\nA,drug,3,10,placebo,5,11\nB,drug,2,9,placebo,4,8\n",
        "Study,T.1,R.1,N.1,T.2,R.2,N.2\nA,drug,3,10,placebo,5,11\nB,drug,2,9,placebo,4,8\n",
        "study,t1,r1,n1,t2,r2,n2,t3,r3,n3,na\nA,drug,3,10,placebo,5,11,NA,NA,NA,2\n"
        "B,drug,2,9,placebo,4,8,,,,2\n",
    ],
)
def test_indexed_columns_of_events(imported, text):
    report, found = imported(text, "events", "n")
    assert found == [*BINARY, ("B", "placebo", "4", "8")]
    assert not report.left_out


def test_metainsight_continuous_with_three_arms(imported):
    report, found = imported(
        "Study,T.1,Mean.1,SD.1,N.1,T.2,Mean.2,SD.2,N.2,T.3,Mean.3,SD.3,N.3,country\n"
        "A,x,1.5,0.5,10,y,2,0.6,11,z,3,0.7,12,DE\nB,x,1.7,0.5,10,y,2.2,0.6,11,,,,,FR\n",
        "mean",
        "sd",
        "n",
    )
    assert [row[1] for row in found] == ["x", "y", "z", "x", "y"]
    assert found[2] == ("A", "z", "3", "0.7", "12")
    became = {item.column: item.became for item in report.mappings}
    assert became["Mean.3"] == "measurements.csv: mean"
    assert became["T.2"] == "arms.csv: treatment"
    assert became["country"] == "studies.csv: country"


def test_rectangular_data_of_winbugs(imported, tmp_path):
    report, found = imported(
        "t[,1] t[,2] t[,3] y[,1] y[,2] y[,3] se[,1] se[,2] se[,3] na[]\n"
        "1 3 NA -1.22 -1.53 NA 0.504 0.439 NA 2 # study 1\n1 2 3 -0.7 -2.4 -0.3 0.28 0.26 0.3 3\nEND\nrest\n",
        "mean",
        "se",
        name="parkinson.txt",
    )
    assert found[0] == ("Study 1", "1", "-1.22", "0.504")
    assert found[1] == ("Study 1", "3", "-1.53", "0.439")
    assert len(found) == 5
    assert any("numbered" in note for note in report.notes)
    assert {"se[,3]", "na[]"} <= {item.column for item in report.mappings}


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        (
            "study,ai,bi,ci,di\nA,3,7,5,6\n",
            ("events", "n"),
            [("A", "BCG", "3", "10"), ("A", "none", "5", "11")],
        ),
        (
            "study,ai,n1i,ci,n2i\nA,3,10,5,11\n",
            ("events", "n"),
            [("A", "BCG", "3", "10"), ("A", "none", "5", "11")],
        ),
        (
            "study,m1i,sd1i,n1i,m2i,sd2i,n2i,yi,vi\nA,3,1,10,5,1.2,11,-2,0.1\n",
            ("mean", "sd", "n"),
            [("A", "BCG", "3", "1", "10"), ("A", "none", "5", "1.2", "11")],
        ),
        (
            "study,x1i,t1i,x2i,t2i\nA,3,100.5,5,99\n",
            ("events", "exposure"),
            [("A", "BCG", "3", "100.5"), ("A", "none", "5", "99")],
        ),
        (
            "studlab,mean.e,sd.e,n.e,mean.c,sd.c,n.c\nA,3,1,10,5,1.2,11\n",
            ("mean", "sd", "n"),
            [("A", "BCG", "3", "1", "10"), ("A", "none", "5", "1.2", "11")],
        ),
    ],
)
def test_two_groups_of_escalc(imported, tmp_path, text, columns, expected):
    report, found = imported(text, *columns, treatment="BCG", control="none")
    assert found == expected
    roles = {row["treatment"]: row.get("role", "") for row in rows(tmp_path / "review" / "treatments.csv")}
    assert roles == {"BCG": "", "none": "control"}
    assert "the two groups are called 'BCG' and 'none'" in report.notes


def test_names_that_do_not_say_it_are_mapped(imported):
    text = "trial,sick,well,sick0,well0\nAronson,4,119,11,128\n"
    with pytest.raises(EvidenceError, match="--map"):
        imported(text, "events", "n")
    _, found = imported(
        text,
        "events",
        "n",
        mapping={"trial": "study", "sick": "ai", "well": "bi", "sick0": "ci", "well0": "di"},
    )
    assert found == [("Aronson", "treatment", "4", "123"), ("Aronson", "control", "11", "139")]


def test_positive_and_negative_of_treated_and_control_say_it(imported):
    _, found = imported("trial,tpos,tneg,cpos,cneg\nAronson,4,119,11,128\n", "events", "n")
    assert found == [("Aronson", "treatment", "4", "123"), ("Aronson", "control", "11", "139")]


def test_effects_alone_need_their_measure(imported, tmp_path):
    text = "study,yi,vi\nA,-0.5,0.04\nB,-0.3,0.09\n"
    with pytest.raises(CallError, match="--measure"):
        imported(text)
    file = tmp_path / "data.csv"
    import_arms(file, tmp_path / "review", outcome="y", measure="RR", control="placebo")
    found = rows(tmp_path / "review" / "contrasts.csv")
    assert [(r["arm_a"], r["arm_b"], r["estimate"], r["se"]) for r in found] == [
        ("treatment", "placebo", "-0.5", "0.2"),
        ("treatment", "placebo", "-0.3", "0.3"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study,t1,mean1,error1,n1,t2,mean2,error2,n2\nA,x,1,1,9,y,2,1,9\n", r"--map error1=sd1"),
        ("study,t1,r1,n1,t2,r2,n2\nA,x,1,9,,2,9\n", "arm 2 has events, n and no treatment"),
        ("study,t1,r1,n1,t2,r2,n2,na\nA,x,1,9,y,2,9,3\n", "na is 3, and 2 arms are filled in"),
        ("study,ai,bi,ci,di\nA,some,7,5,6\n", "no counts"),
        ("t1,r1,n1,t2,r2,n2\nx,1,9,y,2,9\n", "say --number-studies"),
    ],
)
def test_what_cannot_be_decided_is_asked_for(imported, tmp_path, text, message):
    with pytest.raises(EvidenceError, match=message):
        imported(text)
    assert not (tmp_path / "review").exists()


def test_a_spread_that_was_asked_for_is_taken(imported):
    _, found = imported(
        "study,t1,mean1,error1,n1,t2,mean2,error2,n2\nA,x,1,1.5,9,y,2,1,9\n",
        "sd",
        mapping={"error1": "sd1", "error2": "sd2"},
    )
    assert found == [("A", "x", "1.5"), ("A", "y", "1")]


def test_several_rows_of_a_study_are_experiments_of_their_own(imported, tmp_path):
    report, _ = imported("study,t1,r1,n1,t2,r2,n2\nA,x,1,9,y,2,9\nA,x,2,8,y,3,8\nB,x,1,9,y,2,9\n")
    found = [(r["study"], r.get("experiment", "")) for r in rows(tmp_path / "review" / "arms.csv")]
    assert found == [("A", ""), ("A", ""), ("A", "row 2"), ("A", "row 2"), ("B", ""), ("B", "")]
    assert any("shared_control_of" in note for note in report.notes)


def test_time_points_of_one_arm_are_no_further_arms(imported, tmp_path):
    imported("study,treatment,mean,sd,n,timepoint\nA,x,1,1,9,1\nA,x,2,1,9,2\nA,y,1,1,9,1\nA,y,2,1,9,2\n")
    assert len(rows(tmp_path / "review" / "arms.csv")) == 2


@pytest.mark.parametrize("ending", ["dta", "parquet", "xlsx", "tsv"])
def test_every_file_format(tmp_path, ending):
    import pandas as pd

    frame = pd.DataFrame(
        {"study": ["A"], "t1": ["x"], "r1": [3], "n1": [10], "t2": ["y"], "r2": [5], "n2": [11]}
    )
    file = tmp_path / f"d.{ending}"
    if ending == "dta":
        frame.to_stata(file, write_index=False)
    elif ending == "parquet":
        import duckdb

        duckdb.sql(
            "copy (select 'A' as study, 'x' as t1, 3 as r1, 10 as n1, 'y' as t2, 5 as r2, 11 as n2)"
            f" to '{file}' (format parquet)"
        )
    elif ending == "xlsx":
        frame.to_excel(file, index=False)
    else:
        frame.to_csv(file, index=False, sep="\t")
    import_arms(file, tmp_path / "review", outcome="y")
    found = rows(tmp_path / "review" / "measurements.csv")
    assert [(r["arm"], r["events"], r["n"]) for r in found] == [("x", "3", "10"), ("y", "5", "11")]


@pytest.mark.oracle
def test_the_two_group_tables_of_metadat_are_read_whole(tmp_path, oracle_directory):
    import json

    read = 0
    for meta_file in sorted((oracle_directory / "data").glob("*.meta.json")):
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
        file = oracle_directory / "data" / f"{meta['name']}.csv"
        if meta["kind"] == "network" or "eae" in meta["name"]:
            continue
        header = set(file.read_text(encoding="utf-8").split("\n", 1)[0].split(","))
        measure = None if header & {"ai", "m1i", "x1i"} else "MD"
        report = import_arms(file, tmp_path / meta["name"], outcome="o", measure=measure)
        assert not report.left_out, meta["name"]
        read += 1
    assert read > 3


def test_columns_of_one_arm_without_a_meaning_are_no_characteristics(imported, tmp_path):
    # rnmamod writes the number of missing outcomes as m1, m2.
    report, found = imported(
        "study,t1,t2,y1,y2,sd1,sd2,m1,m2,n1,n2,rob\nA,x,y,1,2,1,1,0,3,10,11,2\n", "mean", "sd", "n"
    )
    assert found == [("A", "x", "1", "1", "10"), ("A", "y", "2", "1", "11")]
    became = {item.column: item.became for item in report.mappings}
    assert (became["m1"], became["m2"], became["rob"]) == ("", "", "studies.csv: rob")


def test_contrasts_with_two_treatments_stay_contrasts(tmp_path):
    file = tmp_path / "iv.csv"
    file.write_text("id,t1,t2,effect,se,rob,indirectness\nA,x,y,-0.5,0.2,1,2\n", encoding="utf-8")
    import_arms(file, tmp_path / "iv", outcome="y", measure="OR")
    assert rows(tmp_path / "iv" / "contrasts.csv")[0]["arm_b"] == "y"
    assert rows(tmp_path / "iv" / "studies.csv")[0]["indirectness"] == "2"
