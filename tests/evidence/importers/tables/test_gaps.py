"""Cells of numbers that hold none, and rows that no column names: said, with advice that works to the letter."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli


class Folder:
    """A table on disk, and the folder that it is imported into."""

    def __init__(self, place: Path, text: str) -> None:
        self.file, self.folder = place / "t.csv", place / "review"
        self.file.write_text(text, encoding="utf-8")

    def take(self, *given: str) -> tuple[int, str]:
        arguments = ["import", "arms", str(self.file), "--into", str(self.folder), "--outcome", "y", *given]
        result = CliRunner().invoke(cli, arguments)
        assert self.folder.exists() is (result.exit_code == 0)
        return result.exit_code, result.output

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))


def advised(said: str, option: str) -> list[str]:
    """Every use of an option in a message, as it would be typed."""
    words = shlex.split(said[said.index(option) :].split(";")[0].split("\n")[0])
    return words


MIXED = """study,treatment,n,mean,sd,age,dose,year
A,drug,20,5,2,43,5 mg,2001a
A,placebo,20,7,NR,43,10,2001a
B,drug,20,n/a,2,about 40,see text,in press
B,placebo,20,<0.01,see text,about 40,3,in press
C,drug,20,5,Not reported,50,5,1999
C,placebo,20,7,2,50,10,1999
"""


def test_words_among_numbers_are_missing_or_refused_all_at_once_and_the_advice_imports_the_rest(tmp_path):
    folder = Folder(tmp_path, MIXED)
    code, said = folder.take()
    assert code == 1
    assert "t.csv:5 (study 'B', arm 'placebo', column 'mean'): '<0.01' is a bound" in said
    assert "'see text' is not a number" in said
    advice = advised(said, "--missing")
    assert advice == ["--missing", "<0.01", "--missing", "see text"]
    code, said = folder.take(*advice)
    assert code == 0, said
    assert [(r["mean"], r["sd"]) for r in folder.rows("measurements")] == [
        ("5", "2"), ("7", "NR"), ("n/a", "2"), ("NR", "NR"), ("5", "Not reported"), ("7", "2"),
    ]  # fmt: skip
    assert folder.rows("measurements")[3]["note"] == "mean: <0.01; sd: see text"
    assert "1 cell of 'mean' (n/a; line 4) is missing" in said
    assert "2 cells of 'sd' (NR, Not reported; lines 3, 6) are missing" in said
    with evidence.open(evidence.build(folder.folder, tmp_path / "r.duckdb")) as db:
        usable = "select study from contrast where measure = 'MD'"
        assert db.sql(usable).fetchall() == []
        read = (
            "select study, mean, sd from measurement where mean is not null and sd is not null order by all"
        )
        assert db.sql(read).fetchall() == [("A", 5, 2), ("C", 7, 2)]


def test_descriptions_of_mixed_kind_are_kept_as_words_and_stop_nothing(tmp_path):
    folder = Folder(tmp_path, MIXED)
    code, said = folder.take("--missing", "<0.01", "--missing", "see text")
    assert code == 0, said
    assert [r["age"] for r in folder.rows("studies")] == ["43", "about 40", "50"]
    assert [r["year"] for r in folder.rows("studies")] == ["2001", "", "1999"]
    assert [r["dose_as_written"] for r in folder.rows("arms")] == ["5 mg", "10", "see text", "3", "5", "10"]
    assert "'age' has numbers and words ('about 40'): kept as words" in said
    assert re.search(r"dose +-> arms.csv: dose_as_written", said)
    with evidence.open(evidence.build(folder.folder, tmp_path / "r.duckdb")) as db:
        kinds = dict(db.sql("select variable, type from variable").fetchall())
        assert kinds["age"] == kinds["dose_as_written"] == "category"


def test_words_in_a_column_of_years_are_kept_beside_the_years(tmp_path):
    folder = Folder(
        tmp_path, "study,year,treatment,n,mean,sd\nA,1999,a,9,5,2\nA,1999,b,9,6,2\nB,thesis,a,9,5,2\n"
    )
    code, said = folder.take()
    assert code == 0, said
    assert [r.get("year") for r in folder.rows("studies")] == ["1999", ""]
    assert [r["year_as_written"] for r in folder.rows("studies")] == ["1999", "thesis"]


def test_a_description_that_the_folder_has_as_numbers_stays_one(tmp_path):
    folder = Folder(tmp_path, "study,treatment,n,mean,sd,age\nA,a,9,5,2,43\nA,b,9,6,2,43\n")
    assert folder.take()[0] == 0
    more = "study,treatment,n,mean,sd,age\n" + "".join(
        f"{s},{t},9,5,2,{age}\n" for s, age in zip("BCD", (40, 41, "young")) for t in "ab"
    )
    folder.file.write_text(more, encoding="utf-8")
    before = (folder.folder / "studies.csv").read_bytes()
    result = CliRunner().invoke(
        cli, ["import", "arms", str(folder.file), "--into", str(folder.folder), "--outcome", "y"]
    )
    assert result.exit_code == 1
    assert "'young' is no number" in result.output
    assert (folder.folder / "studies.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("cell", "fine"),
    [("NR", True), ("n.r.", True), ("-", True), ("nA", True), ("No Data", True), ("ns", False)],
)
def test_words_for_not_reported_in_any_spelling(tmp_path, cell, fine):
    folder = Folder(tmp_path, f"study,n1,mean1,sd1,n2,mean2,sd2\nA,9,5,{cell},9,7,2\nB,9,5,1,9,7,2\n")
    code, said = folder.take()
    assert (code == 0) is fine, said
    if not fine:
        assert folder.take(*advised(said, "--missing"))[0] == 0
    with evidence.open(evidence.build(folder.folder, tmp_path / "r.duckdb")) as db:
        assert db.sql("select study from contrast where measure = 'MD'").fetchall() == [("B",)]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("study,treatment,n,percent\nA,a,20,25%\nA,b,20,NR\n", ["5", "NR"]),
        ("study,ai,bi,ci,di\nA,5,15,NR,12\nB,4,6,2,8\n", ["5", "NR", "4", "2"]),
        ("study,treatment,n,deaths\nA,a,20,n/a\nA,b,20,3\nB,a,10,1\nB,b,10,0\n", ["n/a", "3", "1", "0"]),
    ],
)
def test_what_is_not_reported_is_never_reckoned_with(tmp_path, text, events):
    folder = Folder(tmp_path, text)
    code, said = folder.take("--map", "deaths=events") if "deaths" in text else folder.take()
    assert code == 0, said
    assert [r["events"] for r in folder.rows("measurements")] == events


def test_a_column_of_two_numbers_a_cell_is_taken_apart_as_advised(tmp_path):
    folder = Folder(tmp_path, "study,treatment,n,mean\nA,a,9,5.1 (2.0)\nA,b,9,6.2 (1.5)\n")
    code, said = folder.take()
    assert code == 1
    assert folder.take(*advised(said, "--map"))[0] == 0
    assert [(r["mean"], r["sd"]) for r in folder.rows("measurements")] == [("5.1", "2.0"), ("6.2", "1.5")]


def test_a_text_that_no_cell_of_numbers_holds_and_a_time_are_not_taken_for_missing(tmp_path):
    folder = Folder(tmp_path, "study,treatment,n,mean,sd,timepoint\nA,a,9,5,2,late\nA,b,9,5,2,late\n")
    code, said = folder.take()
    assert code == 1
    assert "--missing" not in said
    assert "has no cell of numbers with the text 'sea text'" in folder.take("--missing", "sea text")[1]


def test_a_condition_on_a_column_with_words_for_missing_compares_numbers(tmp_path):
    folder = Folder(tmp_path, "study,treatment,n,mean,sd,age\n" + "".join(
        f"{s},{t},9,5,2,{age}\n" for s, age in (("A", 9), ("B", 10), ("C", "NR")) for t in "ab"
    ))  # fmt: skip
    assert folder.take("--rows", "age > 9.5")[0] == 0
    assert [r["study"] for r in folder.rows("studies")] == ["B"]


WIDE = "n1,mean1,sd1,n2,mean2,sd2"


@pytest.mark.parametrize(
    ("text", "studies"),
    [
        (f"year,{WIDE}\n2001,9,5,2,9,7,2\n2001,9,6,2,9,7,2\n", ["Study 1", "Study 2"]),
        (f"{WIDE}\n9,5,2,9,7,2\n9,6,2,9,7,2\n", ["Study 1", "Study 2"]),
        (f"paper no,{WIDE}\nP1,9,5,2,9,7,2\nP2,9,6,2,9,7,2\n", ["P1", "P2"]),
        (f"country,{WIDE}\nFrance,9,5,2,9,7,2\nSpain,9,6,2,9,7,2\nPeru,9,6,2,9,7,2\n",
         ["Study 1", "Study 2", "Study 3"]),
        ("t1,r1,n1,t2,r2,n2\na,1,9,b,2,9\na,1,9,c,3,9\n", ["Study 1", "Study 2"]),
    ],
)  # fmt: skip
def test_a_wide_table_without_a_study_is_imported_as_the_refusal_says(tmp_path, text, studies):
    folder = Folder(tmp_path, text)
    code, said = folder.take()
    assert code == 1
    first = re.search(r"-> say (.*?)(, or .*)?$", said, re.MULTILINE)[1]
    assert folder.take(*shlex.split(first))[0] == 0
    assert [r["study"] for r in folder.rows("studies")] == studies


def test_effects_without_a_study_are_numbered_when_that_is_said(tmp_path):
    folder = Folder(tmp_path, "yi,sei\n1.5,0.5\n2.5,0.4\n")
    code, said = folder.take("--measure", "MD")
    assert code == 1
    assert "perhaps --number-studies" in said
    assert folder.take("--measure", "MD", "--number-studies")[0] == 0
    assert [r["study"] for r in folder.rows("contrasts")] == ["Study 1", "Study 2"]


def test_studies_are_not_numbered_where_a_column_names_them_or_a_row_is_an_arm(tmp_path):
    named = Folder(tmp_path, f"study,{WIDE}\nA,9,5,2,9,7,2\n")
    assert "names its studies in 'study'" in named.take("--number-studies")[1]
    long = Folder(tmp_path, "treatment,n,mean,sd\na,9,5,2\nb,9,6,2\n")
    code, said = long.take("--number-studies")
    assert (code, "one row for each arm" in said) == (2, True)
    assert "--number-studies" not in long.take()[1]


def test_two_names_of_the_study_that_contradict_each_other_are_asked_about(tmp_path):
    """An id that is not the study's would pair the arms of one study with those of another."""
    rows = "7,A,a,9,5,2\n8,A,b,9,6,2\n8,B,a,9,1,2\n7,B,b,9,2,2\n"
    folder = Folder(tmp_path, f"id,author,treatment,n,mean,sd\n{rows}")
    code, said = folder.take()
    assert code == 1
    assert "'id' and 'author' may each name the study, and contradict each other" in said
    assert folder.take("--map", "author=study")[0] == 0
    assert [r["study"] for r in folder.rows("studies")] == ["A", "B"]
