"""The steps between tables and the views that others build on: given rows, expected rows."""

from __future__ import annotations

import math

import pytest


def table(rows, view: str, columns: str) -> list[tuple]:
    return [tuple(row.values()) for row in rows.query(f"select {columns} from {view} order by all")]


def test_unit_of_each_outcome(rows):
    rows.unit("U/L", "activity", 1)
    rows.unit("s", "duration", 1)
    rows.unit("m", "length", 1)
    rows.outcome("declared", unit="U/L")
    rows.measure("a", "drug", "declared", n=5, mean=1, sd=1)
    rows.measure("a", "drug", "typed", n=5, mean=1, sd=1, unit="s")
    rows.measure("b", "drug", "typed", n=5, mean=1, sd=1)
    rows.measure("a", "drug", "mixed", n=5, mean=1, sd=1, unit="s")
    rows.measure("b", "drug", "mixed", n=5, mean=1, sd=1, unit="m")
    rows.measure("a", "drug", "none", n=5, mean=1, sd=1)
    assert table(rows, "outcome_unit", "outcome, unit, mixed") == [
        ("declared", "U/L", False), ("mixed", None, True), ("none", None, False), ("typed", "s", False),
    ]  # fmt: skip


def test_unit_of_time_of_each_outcome(rows):
    rows.unit("d", "time", 1)
    rows.unit("h", "time", 1 / 24)
    rows.measure("a", "drug", "one unit", n=5, mean=1, sd=1, timepoint=3, timepoint_unit="h")
    rows.measure("a", "drug", "no unit", n=5, mean=1, sd=1, timepoint=3)
    rows.measure("a", "drug", "no time", n=5, mean=1, sd=1)
    rows.measure("a", "drug", "two units", n=5, mean=1, sd=1, timepoint=3, timepoint_unit="h")
    rows.report("a", "drug", "control", "two units", estimate=1, se=1, timepoint=1, timepoint_unit="d")
    assert table(rows, "outcome_timepoint", "outcome, timepoint_unit, converted") == [
        ("no unit", None, False), ("one unit", "h", False), ("two units", "d", True),
    ]  # fmt: skip


def test_every_reading_says_which_one_counts(rows):
    first = rows.measure("s", "drug", n=5, mean=1, sd=1, extractor="anna")
    second = rows.measure("s", "drug", n=5, mean=2, sd=2, extractor="zoe")
    other = rows.measure("s", "control", n=5, mean=2, sd=1, extractor="zoe")
    columns = "measurement_id, final_measurement_id, block"
    assert table(rows, "measurement_reading", columns) == [
        (first, second, first), (second, second, first), (other, other, first),
    ]  # fmt: skip


def test_derived_measurements_keep_what_cannot_be_used(rows):
    rows.measure("s", "drug", n=4, mean=1, se=2)
    rows.measure("s", "control", n=4, mean=1)
    rows.outcome("death", "binary")
    rows.measure("s", "drug", "death", n=4, events=1)
    assert table(rows, "measurement_derived", "outcome, arm, mean, sd, events, derivation, problem") == [
        ("alt", "control", 1, None, None, None, "no_spread"),
        ("alt", "drug", 1, 4, None, "se", None),
        ("death", "drug", None, None, 1, "reported", None),
    ]


def test_pairs_of_arms(rows):
    for arm, mean in (("b", 3.0), ("a", 5.0), ("control", 1.0)):
        rows.measure("s", arm, n=4, mean=mean, sd=2)
    rows.measure("other", "a", n=4, mean=9, sd=2)
    found = [
        row for row in table(rows, "arm_pair", "measure, arm_a, arm_b, y_a, y_b, v_a, v_b") if row[0] == "MD"
    ]
    assert found == [
        ("MD", "a", "b", 5, 3, 1, 1), ("MD", "a", "control", 5, 1, 1, 1), ("MD", "b", "control", 3, 1, 1, 1),
    ]  # fmt: skip


@pytest.fixture
def three_studies(rows):
    """One study with two doses against one control, and two of two arms."""
    for study, arms in (
        ("one", (("low", 3.0), ("high", 5.0), ("control", 1.0))),
        ("two", (("low", 4.0), ("control", 1.0))),
        ("three", (("low", 1.0), ("control", 1.0))),
    ):
        for arm, mean in arms:
            rows.arm(study, arm, "control" if arm == "control" else "drug")
            rows.measure(study, arm, n=8, mean=mean, sd=2)
    return rows


def test_contrasts_to_pool(three_studies):
    columns = "study, contrast_id, estimate, variance, study_once, shares_arm"
    found = [row for row in table(three_studies, "pooling_effect", columns) if "|MD|" in row[1]]
    assert [(row[0], row[2], row[3], row[4], row[5]) for row in found] == [
        ("one", 4, pytest.approx(1), "one", 1),
        ("one", 2, pytest.approx(1), None, 1),
        ("three", 0, pytest.approx(1), "three", 0),
        ("two", 3, pytest.approx(1), "two", 0),
    ]


def test_sums_behind_pooled_estimates(three_studies):
    columns = "analysis, k, n_studies, n_shared, study_ids, common_estimate, common_variance, q, tau2"
    found = three_studies.one(f"select {columns} from pooling_sum where measure = 'MD'")
    # Effects 4, 2, 0 and 3 with variance 1: mean 9/4, Q = 29 - 81/4, tau2 = (Q - 3) / (4 - 1).
    assert tuple(found.values())[:5] == ("pooled", 4, 3, 2, "one,three,two")
    assert tuple(found.values())[5:] == pytest.approx((9 / 4, 1 / 4, 35 / 4, 23 / 12), rel=1e-14)


def test_sums_without_one_study(three_studies):
    columns = "omitted_study, k, n_studies, n_shared, common_estimate, common_variance, q"
    found = three_studies.query(f"select {columns} from omission_sum where measure = 'MD' order by 1")
    assert [tuple(row.values()) for row in found] == [
        ("one", 2, 2, 0, pytest.approx(3 / 2), pytest.approx(1 / 2), pytest.approx(9 / 2)),
        ("three", 3, 2, 2, pytest.approx(3), pytest.approx(1 / 3), pytest.approx(2)),
        ("two", 3, 2, 2, pytest.approx(2), pytest.approx(1 / 3), pytest.approx(8)),
    ]


def test_pairs_of_ratings(rows):
    rows.insert("record", [{"record": "r", "title": "t", **rows.place("records.csv")}])
    for reviewer, decision in (("zoe", "include"), ("anna", "exclude"), ("consensus", "include")):
        rows.insert(
            "screening",
            [
                {
                    "record": "r", "stage": "full_text", "reviewer": reviewer, "decision": decision,
                    **rows.place("screening.csv"),
                }
            ],
        )  # fmt: skip
    columns = "rating, scale, subject, rater_a, rater_b, answer_a, answer_b, position_a, position_b"
    assert table(rows, "rating_pair", columns) == [
        ("screening", "full_text", "r", "anna", "zoe", "exclude", "include", 1, 3)
    ]


def test_printed_counts(rows):
    given = (
        ("species", "rat", 50, 89),
        ("species", "mouse", 39, 89),
        ("sex", "male", 40, 89),
        ("sex", "both", 9, 89),
    )
    rows.insert(
        "published_count",
        [
            {
                "published_count_id": i, "publication": "P", "variable": variable, "level": level, "statistic": "count",
                "value": value, "denominator": denominator, **rows.place("published_counts.csv"),
            }
            for i, (variable, level, value, denominator) in enumerate(given)
        ],
    )  # fmt: skip
    assert table(rows, "published_count_check", "variable, n_levels, total, denominator, verdict") == [
        ("sex", 2, 49, 89, "differs"), ("species", 2, 89, 89, "adds up"),
    ]  # fmt: skip


def test_printed_estimates_in_both_directions(rows):
    rows.effect_measure("OR")
    rows.insert(
        "published_estimate",
        [
            {
                "published_estimate_id": 1, "publication": "P", "outcome": "y", "treatment": "a", "versus": "b",
                "measure": "OR", "kind": "network", "estimate": 2.0, "ci_lower": 1.0, "ci_upper": 4.0,
                **rows.place("published_estimates.csv"),
            }
        ],
    )  # fmt: skip
    forward, back = rows.query("select * from published_contrast order by reversed")
    assert (forward["treatment"], back["treatment"]) == ("a", "b")
    assert forward["estimate"] == pytest.approx(math.log(2))
    assert back["estimate"] == pytest.approx(-math.log(2))
    assert (back["ci_lower"], back["ci_upper"]) == pytest.approx((-math.log(4), 0), abs=1e-15)
    assert forward["std_error"] == back["std_error"] == pytest.approx(math.log(4) / (2 * 1.959963984540054))


def test_quantiles_that_the_intervals_of_a_review_need(rows):
    """Once for each level and degrees of freedom; two-sided t as printed tables give it (NIST handbook, 1.3.6.7.2)."""
    rows.measure("s", "drug", n=10, mean=5, ci_lower=4, ci_upper=6)
    rows.measure("s", "control", n=10, mean=6, ci_lower=5, ci_upper=7)
    rows.measure("s", "drug", "other", n=21, mean=5, ci_lower=4, ci_upper=6, ci_level=0.9)
    rows.measure("s", "drug", "third", n=31, mean=5, sd=1)
    rows.measure("s", "drug", "fourth", n=1, mean=5, ci_lower=4, ci_upper=6)
    found = table(rows, "interval_quantile", "level, freedom, t")
    assert [row[:2] for row in found] == [(0.9, 20), (0.95, 9)]
    assert [row[2] for row in found] == pytest.approx([1.725, 2.262], abs=5e-4)
