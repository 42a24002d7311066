"""Tables in the field's usual shapes become review folders, with every mapping reported."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evidence.errors import CallError, EvidenceError, ReviewError
from evidence.importers.arms import import_arms


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("study,treatment,responders,sampleSize", {"events": "3", "n": "10"}),
        ("studlab,treat,event,n", {"events": "3", "n": "10"}),
        ("Study,T,R,N", {"events": "3", "n": "10"}),
        ("id,t,r,n", {"events": "3", "n": "10"}),
        ("Trial,Intervention,Events,Total", {"events": "3", "n": "10"}),
    ],
)
def test_names_of_the_usual_tools_are_recognised(tmp_path, header, expected):
    file = write(tmp_path / "data.csv", f"{header}\nA,drug,3,10\nA,placebo,5,11\n")
    import_arms(file, tmp_path / "review", outcome="relapse", lower_is_better=True)
    measurement = rows(tmp_path / "review" / "measurements.csv")[0]
    assert {name: measurement[name] for name in expected} == expected
    assert rows(tmp_path / "review" / "outcomes.csv")[0]["kind"] == "binary"


def test_every_column_is_accounted_for(tmp_path):
    file = write(
        tmp_path / "data.csv",
        "study,trt,y,se,sample_size,year,country,note2\n"
        "A,drug,1.5,0.2,10,2001,DE,x\nA,placebo,0.5,0.3,12,2001,DE,y\n",
    )
    report = import_arms(file, tmp_path / "review", outcome="score", unit="%")
    became = {item.column: item.became for item in report.mappings}
    assert became["y"] == "measurements.csv: mean"
    assert became["se"] == "measurements.csv: se"
    assert became["country"] == "studies.csv: country"
    assert became["note2"] == "arms.csv: note2"
    assert "differs within a study" in str(report)
    assert rows(tmp_path / "review" / "studies.csv")[0]["country"] == "DE"


def test_a_method_is_how_numbers_were_read_only_if_it_says_so(tmp_path):
    header = "study,treatment,mean,sd,n,method\n"
    file = write(tmp_path / "study.csv", header + "A,x,1,1,5,chamber\nA,y,2,1,5,chamber\n")
    import_arms(file, tmp_path / "first", outcome="mass")
    assert rows(tmp_path / "first" / "studies.csv")[0]["method"] == "chamber"
    file = write(tmp_path / "read.csv", header + "A,x,1,1,5,Table\nA,y,2,1,5,Figure\n")
    import_arms(file, tmp_path / "second", outcome="mass")
    assert [row["method"] for row in rows(tmp_path / "second" / "measurements.csv")] == ["Table", "Figure"]


def test_events_of_n_with_a_follow_up_time_stay_binary(tmp_path):
    file = write(tmp_path / "d.csv", "study,treatment,responders,n,time\nA,x,3,10,5.8\nA,y,4,11,5.8\n")
    import_arms(file, tmp_path / "review", outcome="diabetes")
    assert rows(tmp_path / "review" / "outcomes.csv")[0]["kind"] == "binary"
    assert rows(tmp_path / "review" / "studies.csv")[0]["time"] == "5.8"


@pytest.mark.parametrize("name", ["error", "Variance", "dev"])
def test_a_spread_of_unknown_kind_is_asked_for(tmp_path, name):
    file = write(tmp_path / "d.csv", f"study,treatment,mean,n,{name}\nA,x,3,10,1\nA,y,4,11,1\n")
    with pytest.raises(ReviewError, match=f"--map '?{name}=sd"):
        import_arms(file, tmp_path / "review", outcome="score")
    assert not (tmp_path / "review").exists()
    import_arms(file, tmp_path / "review", outcome="score", mapping={name: "se"})
    assert rows(tmp_path / "review" / "measurements.csv")[0]["se"] == "1"


def test_contrasts_need_their_measure(tmp_path):
    file = write(tmp_path / "d.csv", "studlab,treat1,treat2,TE,seTE\nA,x,y,-0.5,0.2\n")
    with pytest.raises(CallError, match="--measure"):
        import_arms(file, tmp_path / "review", outcome="death")
    report = import_arms(file, tmp_path / "review", outcome="death", measure="OR")
    contrast = rows(tmp_path / "review" / "contrasts.csv")[0]
    assert (contrast["arm_a"], contrast["arm_b"], contrast["estimate"], contrast["se"]) == (
        "x",
        "y",
        "-0.5",
        "0.2",
    )
    assert any("log OR" in note for note in report.notes)


def test_base_rows_of_gemtc_give_the_variance_of_the_base_arm(tmp_path):
    file = write(
        tmp_path / "d.csv",
        "study,treatment,diff,std.err\nA,p,NA,0.5\nA,x,-1,0.7\nA,y,-2,0.8\nB,p,,\nB,x,-1.5,0.6\n",
    )
    import_arms(file, tmp_path / "review", outcome="off", measure="MD")
    found = rows(tmp_path / "review" / "contrasts.csv")
    assert [(c["arm_a"], c["arm_b"], c["var_base"]) for c in found] == [
        ("x", "p", "0.25"),
        ("y", "p", "0.25"),
        ("x", "p", ""),
    ]


def test_a_second_outcome_joins_the_first(tmp_path):
    folder = tmp_path / "review"
    one = write(tmp_path / "1.csv", "study,treatment,mean,sd,n\nA,x,3,1,10\nA,y,4,1,11\n")
    two = write(tmp_path / "2.csv", "study,treatment,r,n\nA,x,3,10\nA,y,4,11\nB,x,1,9\nB,y,2,9\n")
    import_arms(one, folder, outcome="score")
    report = import_arms(two, folder, outcome="death")
    assert report.added == {"studies.csv": 1, "arms.csv": 2, "measurements.csv": 4, "outcomes.csv": 1}
    assert {row["outcome"] for row in rows(folder / "outcomes.csv")} == {"score", "death"}
    assert len(rows(folder / "measurements.csv")) == 6


def test_semicolons_decimal_commas_and_a_byte_order_mark(tmp_path):
    file = tmp_path / "d.csv"
    file.write_bytes("\ufeffstudy;treatment;mean;sd;n\nA;x;3,5;1,25;10\nA;y ;4;1;11\n".encode())
    report = import_arms(file, tmp_path / "review", outcome="score")
    assert rows(tmp_path / "review" / "measurements.csv")[0]["mean"] == "3.5"
    assert {"decimal commas were read as decimal points", "a byte order mark was skipped"} <= set(
        report.notes
    )
    assert any("blanks" in note for note in report.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"study,treatment,mean,sd,n\n", "no row"),
        (b"study,treatment,mean,mean,n\nA,x,1,2,3\n", "given twice"),
        (b"study,treatment,mean,sd,n\nA,x,1,2,3,4\n", "6 cells"),
        ("study,treatment,mean,sd,n\nA,é,1,2,3\n".encode("latin-1"), "not UTF-8"),
        ("study,treatment\nA,x\n".encode("utf-16"), "UTF-16"),
        (b'study,treatment,mean,sd,n\nA,"x,1,2,3\n', "quotation"),
        (b"apples,pears\n1,2\n", "neither an arm-level nor a contrast-level"),
        (b"study,treatment,mean,sd,n\nA,x,1,-2,3\nA,y,1,2,3\n", "sd"),
        (b"study," + b"x" * 1_100_000 + b"\nA,1\n", "characters"),
    ],
)
def test_broken_files_end_in_an_error_and_leave_nothing(tmp_path, content, message):
    file = tmp_path / "d.csv"
    file.write_bytes(content)
    with pytest.raises(EvidenceError, match=message):
        import_arms(file, tmp_path / "review", outcome="score")
    assert not (tmp_path / "review").exists()


def test_a_dry_run_writes_nothing(tmp_path):
    file = write(tmp_path / "d.csv", "study,treatment,mean,sd,n\nA,x,3,1,10\nA,y,4,1,11\n")
    report = import_arms(file, tmp_path / "review", outcome="score", dry_run=True)
    assert report.added["measurements.csv"] == 2
    assert not (tmp_path / "review").exists()


@pytest.mark.oracle
def test_the_reference_networks_are_read_whole(tmp_path, oracle_directory):
    import json

    found = sorted((oracle_directory / "data").glob("*.meta.json"))
    assert len(found) >= 20
    for meta_file in found:
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
        if meta["kind"] != "network":
            continue
        folder = tmp_path / meta["name"]
        report = import_arms(oracle_directory / "data" / f"{meta['name']}.csv", folder, outcome="o")
        assert report.added["studies.csv"] == meta["n_studies"]
        assert report.added["arms.csv"] == meta["n_arms"]
        assert report.added["treatments.csv"] == meta["n_treatments"]
        assert not report.left_out


def test_columns_that_differ_within_a_study_describe_arms_measurements_and_contrasts(tmp_path):
    arms = tmp_path / "arms.csv"
    arms.write_text(
        "study,treatment,mean,sd,n,batch,assay\n"
        "s1,T,1,1,9,b1,x\ns1,C,2,1,9,b0,x\ns1,T,3,1,9,b1,y\ns1,C,4,1,9,b0,y\n"
    )
    report = import_arms(arms, tmp_path / "one", outcome="y")
    became = {item.column: item.became for item in report.mappings}
    assert became["batch"] == "arms.csv: batch"
    assert became["assay"] == "measurements.csv: assay"
    contrasts = tmp_path / "contrasts.csv"
    contrasts.write_text("study,treat1,treat2,TE,seTE,weeks\ns1,A,C,1,1,4\ns1,B,C,2,1,NR\ns2,A,C,3,1,8\n")
    import_arms(contrasts, tmp_path / "two", outcome="y", measure="MD")
    text = (tmp_path / "two" / "contrasts.csv").read_text()
    assert text.splitlines()[0].endswith(",weeks")
    assert [line.rsplit(",", 1)[1] for line in text.splitlines()[1:]] == ["4", "NR", "8"]


def test_an_empty_column_of_events_does_not_make_an_outcome_binary(tmp_path):
    """As in our own `measurement_standard`, which has a column for every statistic."""
    file = write(
        tmp_path / "t.csv", "study,treatment,n,mean,sd,events,exposure\na,x,10,1,2,,\na,y,10,2,2,,\n"
    )
    report = import_arms(file, tmp_path / "review", outcome="o")
    assert report.added["measurements.csv"] == 2
    assert "continuous" in (tmp_path / "review" / "outcomes.csv").read_text()
