"""Nothing vanishes: what a study reports in one measure only is named in the exclusions of every other question."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import RefusedError
from evidence.facts.reasons import words
from evidence.facts.reference import reference
from evidence.query import EvidenceBase
from evidence.question import Question, read
from evidence.store.objects import sql_objects

BINARY = ("OR", "RR", "RD")


def measures(rows) -> None:
    for row in reference("effect_measure"):
        kept = {name: cell for name, cell in row.items() if cell is not None}
        rows.once("effect_measure", (row["measure"],), **kept)


def test_a_reported_risk_ratio_is_named_in_a_question_about_odds_ratios(rows):
    measures(rows)
    rows.outcome("ev", "binary")
    for study, arm, events, n in (
        ("s1", "A", 10, 50),
        ("s1", "P", 15, 50),
        ("s2", "B", 9, 60),
        ("s2", "P", 14, 58),
    ):
        rows.measure(study, arm, "ev", events=events, n=n)
    for study, a, b in (("s3", "A", "B"), ("s4", "B", "P"), ("s1", "A", "P")):
        rows.report(study, a, b, "ev", measure="RR", estimate=-0.4, se=0.2)
    found = rows.query(
        "select * from exclusion where stage = 'other_measure' and measure = 'OR' order by study"
    )
    # s1 gives the comparison by its arms; only what is not there otherwise is lost.
    assert [(row["study"], row["arm"]) for row in found] == [("s3", "A, B"), ("s4", "B, P")]
    assert found[0]["reason"] == (
        "the study reports this comparison as RR, without the numbers of its arms: it has no OR"
    )
    assert found[0]["remedy"] == "analyse RR, or ask the authors for events and n of both arms"
    assert found[0]["source_file"] == "contrasts.csv"
    assert not rows.query("select * from exclusion where stage = 'other_measure' and measure = 'RR'")


def test_a_planned_measure_counts_where_no_study_gives_it(rows):
    measures(rows)
    rows.report("s1", "A", "P", "y", measure="MD", estimate=1, se=0.2)
    plan = {
        "analysis": "y SMD",
        "position": 1,
        "kind": "pairwise",
        "outcome": "y",
        "measure": "SMD",
        "origin": "plan",
    }
    rows.insert("plan", [plan])
    (found,) = rows.query("select * from exclusion")
    assert (found["study"], found["measure"], found["stage"]) == ("s1", "SMD", "other_measure")
    assert "ask the authors for mean, sd and n of both arms" in found["remedy"]


STUDY = st.one_of(
    st.fixed_dictionaries(
        {"arms": st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 5])), min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries({"measure": st.sampled_from(BINARY), "se": st.sampled_from([0.3, None])}),
)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(studies=st.lists(STUDY, min_size=1, max_size=5))
def test_every_study_with_data_is_in_the_analysis_or_named(database, review_rows, studies):
    database.execute("begin transaction")
    try:
        rows = review_rows(database)
        measures(rows)
        rows.outcome("ev", "binary")
        for number, study in enumerate(studies):
            name = f"s{number}"
            for arm, (events, n) in zip(("A", "B", "control"), study.get("arms", ()), strict=False):
                rows.measure(name, arm, "ev", events=events, n=n or None)
            if "measure" in study:
                rows.report(
                    name, "A", "control", "ev", measure=study["measure"], estimate=-0.1, se=study["se"]
                )
        with_data = {f"s{number}" for number in range(len(studies))}
        db = EvidenceBase(database, None)
        for measure in BINARY:
            try:
                selection = read(db, Question("ev", measure))
            except RefusedError:
                continue
            used = set(selection.contrasts["study"])
            assert used | set(selection.exclusions["study"]) == with_data, measure
    finally:
        database.execute("rollback")


def test_every_code_of_a_view_has_its_words():
    text = "".join(item.sql for item in sql_objects() if item.folder == "audits/exclusions")
    known = {(row["stage"], row["code"]) for row in reference("reason")}
    codes = {code for _, code in known}
    problems = {
        code
        for item in sql_objects()
        if item.name in ("measurement_derived", "reported_contrast_standard")
        for case in re.findall(r"case\n((?:(?!\bcase\b)[\s\S])*?)end as problem", item.sql)
        for code in re.findall(r"then '(\w+)'", case)
    }
    assert len(problems) > 15
    assert problems <= codes
    written = {
        code
        for case in re.findall(r"case\n((?:(?!\bcase\b)[\s\S])*?)end as code", text)
        for code in re.findall(r"(?:then|else) '(\w+)'", case)
    }
    assert len(written) > 15
    assert written <= codes


def test_the_words_are_filled_in_and_an_unknown_reason_raises():
    assert words("where", "condition", detail="year > 2000")["reason"].endswith("condition: year > 2000")
    with pytest.raises(KeyError):
        words("where", "nothing")
    for row in reference("reason"):
        for name in re.findall(r"<(\w+)>", f"{row['reason']} {row['remedy']}"):
            assert name == "measure" or row[name], row
