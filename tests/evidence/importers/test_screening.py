"""Tables of screening decisions: the column that a person names is the one that is read."""

from __future__ import annotations

import csv

import pytest

from evidence.errors import CallError
from evidence.importers.references import import_references
from evidence.importers.screening import import_screening


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "refs.csv").write_text("title,doi\nAlpha,10.1/a\nBeta,10.1/b\n", encoding="utf-8")
    import_references(tmp_path / "refs.csv", tmp_path / "review")
    return tmp_path / "review"


def decided(folder, text, **options):
    file = folder.parent / "s.csv"
    file.write_text(text, encoding="utf-8")
    import_screening(file, folder, reviewer="A", stage="full_text", **options)
    with (folder / "screening.csv").open(encoding="utf-8", newline="") as handle:
        return [row["decision"] for row in csv.DictReader(handle)]


BOTH = "title,decision,final\nAlpha,exclude,include\nBeta,exclude,exclude\n"


@pytest.mark.parametrize("order", ["title,decision,final", "final,title,decision", "decision,final,title"])
def test_a_decision_that_is_mapped_wins_over_a_name_in_any_order(folder, order):
    names = order.split(",")
    at = [["title", "decision", "final"].index(name) for name in names]
    text = "\n".join(",".join(line.split(",")[i] for i in at) for line in BOTH.splitlines()) + "\n"
    assert decided(folder, text, mapping={"final": "decision"}) == ["include", "exclude"]


def test_two_decisions_are_asked_about_and_the_answers_work(folder):
    text = BOTH.replace("final", "included")
    with pytest.raises(
        CallError, match="columns 'decision' and 'included' may each be the decision"
    ) as caught:
        decided(folder, text)
    assert "--map decision=decision, or --map included=decision" in str(caught.value)
    assert decided(folder, text, mapping={"included": "decision"}) == ["include", "exclude"]


def test_what_a_mapping_cannot_be_is_refused_all_at_once(folder):
    with pytest.raises(CallError) as caught:
        decided(folder, BOTH, mapping={"nothing": "decision", "final": "verdict"})
    assert "there is no column 'nothing'" in str(caught.value)
    assert "'final' is to stand for 'verdict' -> one of decision, doi, pmid" in str(caught.value)
    with pytest.raises(CallError, match="'decision' and 'final' may each be the decision"):
        decided(folder, BOTH, mapping={"decision": "decision", "final": "decision"})


def test_columns_that_say_the_same_are_one(folder):
    assert decided(folder, "title,decision,included\nAlpha,include,include\n") == ["include"]
