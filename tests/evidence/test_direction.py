"""The direction of a hazard ratio: what the review says, what the outcome's name says, and what is asked."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from evidence import build
from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.facts import hazard
from evidence.importers.arms import import_arms
from evidence.opening import open as open_base
from evidence.review import read

OUTCOMES = """\
outcome,label,kind,unit,lower_is_better,event_is_bad
alt,ALT,continuous,U/L,true,
death,Death,binary,,true,
falls,Falls,rate,,true,
"""


@pytest.mark.parametrize(
    ("outcome", "label", "lower", "bad"),
    [
        ("death", "Death", True, True),
        ("all_cause_mortality", None, True, True),
        ("relapse", "Relapse", True, True),
        ("progression", None, True, True),
        ("death", "Death", False, False),
        ("healing", "Wound healing", False, False),
        ("os", "Overall survival", True, True),
        ("pfs", None, True, True),
        ("time_to_relapse", None, True, True),
        ("gesamt", "Gesamtüberleben", True, True),
        ("y", "Primary endpoint", True, None),
        ("y", "Primary endpoint", False, None),
        ("loss_of_response", None, True, None),
        ("os", "Overall survival", None, None),
    ],
)
def test_names_that_tell_the_event(outcome, label, lower, bad):
    assert hazard.event_is_bad(outcome, label, lower) is bad
    assert not hazard.contradiction(outcome, label, lower)


@pytest.mark.parametrize(
    ("outcome", "label", "lower"),
    [
        ("os", None, False),
        ("survival", "Survival", False),
        ("PFS", "Progression-free survival", False),
        ("x", "Relapse free", False),
        ("x", "Time to death", False),
        ("x", "Time to healing", False),
        ("x", "Time to healing", True),
        ("x", "Wound healing", True),
        ("x", "Überleben", False),
        ("x", "Survie globale", False),
        ("lifespan", None, False),
    ],
)
def test_names_that_contradict_the_direction(outcome, label, lower):
    assert hazard.contradiction(outcome, label, lower)
    assert hazard.event_is_bad(outcome, label, lower) is None


def test_survival_with_higher_is_better_is_an_error_that_says_what_to_write(review_folder):
    row = "survival,Overall survival,time_to_event,,{}\n"
    with pytest.raises(ReviewError) as error:
        read(review_folder({"outcomes.csv": OUTCOMES + row.format("false,")}))
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.column) == ("outcomes.csv", 5, "lower_is_better")
    assert "'Overall survival' does not say whether the event is bad" in problem.message
    assert "event_is_bad: true if the event counted is bad (death" in problem.remedy


def test_what_the_review_says_of_the_event_wins(review_folder, tmp_path):
    typed = {
        "os": "Overall survival,time_to_event,,false,true",
        "pfs": "PFS,time_to_event,,true,",
        "survival": "Survival,time_to_event,,,true",
        "healing": "Time to healing,time_to_event,,true,false",
        "endpoint": "Primary endpoint,time_to_event,,true,",
        "efs": "EFS,time_to_event,,,",
    }
    rows = "".join(f"{key},{row}\n" for key, row in typed.items())
    with open_base(build(review_folder({"outcomes.csv": OUTCOMES + rows}), tmp_path / "x.duckdb")) as db:
        found = db.rows("select outcome, lower_is_better from outcome_direction where measure = 'HR'")
        warned = db.rows("select message from audit_direction_missing order by message")
    assert {row["outcome"]: row["lower_is_better"] for row in found} == {
        "os": True, "pfs": True, "survival": True, "healing": False, "endpoint": None, "efs": None,
    }  # fmt: skip
    assert [row["message"] for row in warned] == [
        f"outcome {key} does not say whether its event is bad: a hazard ratio has no direction"
        for key in ("efs", "endpoint")
    ]


def test_event_is_bad_is_for_time_to_event_only(review_folder):
    text = OUTCOMES.replace("death,Death,binary,,true,", "death,Death,binary,,true,true")
    with pytest.raises(ReviewError, match="event_is_bad is for time_to_event outcomes; 'death' is binary"):
        read(review_folder({"outcomes.csv": text + "survival,Survival,time_to_event,,true,\n"}))


TABLE = "study,treat1,treat2,TE,seTE\ns1,drug,ctl,-0.5,0.1\ns2,drug,ctl,-0.4,0.1\n"


def hazard_ratios(tmp_path, **options):
    (tmp_path / "t.csv").write_text(TABLE)
    return import_arms(tmp_path / "t.csv", tmp_path / "r", measure="HR", **options)


def test_an_import_of_hazard_ratios_asks_for_the_event(tmp_path):
    with pytest.raises(CallError, match=r"--event-is-bad \(death, relapse\) or --event-is-good"):
        hazard_ratios(tmp_path, outcome="os", label="Overall survival", lower_is_better=False)
    report = hazard_ratios(tmp_path, outcome="endpoint", lower_is_better=True)
    assert any("has no direction of benefit yet" in note for note in report.notes)


def test_the_advice_of_an_import_of_hazard_ratios_works(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    words = ["import", "arms", str(tmp_path / "t.csv"), "--into", str(tmp_path / "r"), "--measure", "HR"]
    words += ["--outcome", "os", "--label", "Overall survival", "--higher-is-better"]
    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 2
    done = CliRunner().invoke(cli, [*words, "--event-is-bad"])
    assert done.exit_code == 0, done.output
    assert "time_to_event,false,true" in (tmp_path / "r" / "outcomes.csv").read_text()
