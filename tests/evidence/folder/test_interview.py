"""A folder from a few answers: on a terminal, by a pipe, from a file; what is wrong is asked again or named."""

from __future__ import annotations

import csv
import tomllib

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli

TYPED = """\
Do MSC lower ALT?

MSC, ADMSC
saline
rat

sycle
SYRCLE
ALT

fold
U/L


md
y
mortality
binary
y
RR
n
Li 2019, Wu 2020
"""
ANSWERS = """\
question = "Does drug A lower HbA1c?"
treatments = ["A"]
control = "placebo"
tool = "RoB 2"
studies = ["Smith 2001"]

[[outcomes]]
label = "HbA1c"
unit = "%"
lower_is_better = true

[[outcomes]]
label = "Survival"
kind = "time_to_event"
"""


def new(*arguments, **named):
    return CliRunner().invoke(cli, ["new", *map(str, arguments)], **named)


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_typed_answers_make_a_folder_that_builds(tmp_path):
    folder = tmp_path / "mine"
    done = new(folder, "--from-question", input=TYPED)
    assert done.exit_code == 0, done.output
    assert "'sycle' is not known: did you mean 'SYRCLE'?" in done.output
    assert "did you mean 'fold change'?" in done.output
    said = tomllib.loads((folder / "review.toml").read_text(encoding="utf-8"))
    assert said["title"] == "Do MSC lower ALT"
    assert said["protocol"]["reference"] == "saline"
    assert said["protocol"]["analysis"] == [
        {"name": "alt", "kind": "network", "outcome": "alt", "measure": "MD"},
        {"name": "mortality", "kind": "network", "outcome": "mortality", "measure": "RR"},
    ]
    assert [row["treatment"] for row in rows(folder, "treatments.csv")] == ["MSC", "ADMSC", "saline"]
    alt, mortality = rows(folder, "outcomes.csv")
    assert (alt["unit"], alt["lower_is_better"], alt["lower_bound"]) == ("U/L", "true", "0")
    assert (mortality["kind"], mortality["lower_bound"]) == ("binary", "")
    assert [(row["study"], row["year"], row["species"]) for row in rows(folder, "studies.csv")] == [
        ("Li 2019", "2019", "rat"),
        ("Wu 2020", "2020", "rat"),
    ]
    db = evidence.open(evidence.build(folder, tmp_path / "mine.duckdb"))
    assert db.value("select count(*) from build_warning where severity = 'error'") == 0
    db.close()


def test_a_negative_mean_of_what_cannot_be_negative_is_named(tmp_path):
    folder = tmp_path / "mine"
    new(folder, "--from-question", input=TYPED)
    (folder / "arms.csv").write_text("study,arm,treatment,n\nLi 2019,a,MSC,8\nLi 2019,c,saline,8\n", "utf-8")
    (folder / "measurements.csv").write_text(
        "study,arm,outcome,mean,sd\nLi 2019,a,alt,-310,40\nLi 2019,c,alt,900,90\n", "utf-8"
    )
    evidence.build(folder, tmp_path / "mine.duckdb")
    told = CliRunner().invoke(cli, ["check", str(tmp_path / "mine.duckdb")]).output
    assert "measurements.csv:2" in told
    assert "mean -310 is outside the outcome's possible values" in told


def test_answers_of_a_file(tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text(ANSWERS, encoding="utf-8")
    done = new(tmp_path / "mine", "--answers", file)
    assert done.exit_code == 0, done.output
    said = tomllib.loads((tmp_path / "mine" / "review.toml").read_text(encoding="utf-8"))
    hba1c, survival = said["protocol"]["analysis"]
    assert hba1c == {
        "name": "hba1c", "kind": "pairwise", "outcome": "hba1c", "measure": "MD", "treatment": "A", "versus": "placebo"
    }  # fmt: skip
    assert survival["measure"] == "HR"
    evidence.build(tmp_path / "mine", tmp_path / "mine.duckdb")


@pytest.mark.parametrize(
    ("old", "new_", "words"),
    [
        ('question = "Does drug A lower HbA1c?"\n', "", "has no question"),
        ('treatments = ["A"]', "treatments = []", "name at least one"),
        ('control = "placebo"', 'control = "A"', "'A' is one of the treatments"),
        ('tool = "RoB 2"', 'tool = "rob2"', "tool: 'rob2' is not known"),
        ('unit = "%"', 'unit = "percent"', "unit: 'percent' is not known"),
        ('unit = "%"', 'units = "%"', "unknown key 'units': did you mean 'unit'?"),
        ('label = "Survival"', 'label = "HbA1c"', "two outcomes have the same short name"),
        ("[[outcomes]]", "[[outcome]]", "has no [[outcomes]]"),
        ("question =", "question", "is not TOML"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_written(old, new_, words, tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text(ANSWERS.replace(old, new_), encoding="utf-8")
    done = new(tmp_path / "mine", "--answers", file)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert not (tmp_path / "mine").exists()


def test_answers_that_end_too_early(tmp_path):
    done = new(tmp_path / "mine", "--from-question", input="Do MSC lower ALT?\n")
    assert done.exit_code == 2
    assert "There is no answer to 'Title of the review'" in done.output
    assert not (tmp_path / "mine").exists()
