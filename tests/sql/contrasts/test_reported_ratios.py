"""Contrasts as papers print them: ratios on either scale, log-rank tests, intervals by t or the normal distribution."""

from __future__ import annotations

import math

import pytest
from scipy import stats

Z = stats.norm.ppf(0.975)


def standard(rows) -> list[tuple]:
    """Estimate, SE and derivation of every reported contrast, in the order typed."""
    return [
        tuple(row.values())
        for row in rows.query(
            "select estimate, std_error, derivation from reported_contrast_standard order by reported_contrast_id"
        )
    ]


def test_a_ratio_is_the_same_on_either_scale(rows):
    log = {"estimate": math.log(0.62), "ci_lower": math.log(0.45), "ci_upper": math.log(0.86)}
    half = math.log(0.86 / 0.45) / 2
    given = [
        ({"scale": "natural", "estimate": 0.62, "ci_lower": 0.45, "ci_upper": 0.86}, half / Z, "ci_normal"),
        ({"scale": "log", **log}, half / Z, "ci_normal"),
        (log, half / Z, "ci_normal"),
        ({"scale": "natural", "estimate": 0.62, "se": 0.2, "se_scale": "log"}, 0.2, "reported"),
        # The delta method: the SE of a ratio is the ratio times the SE of its logarithm.
        ({"scale": "natural", "estimate": 0.62, "se": 0.124, "se_scale": "natural"}, 0.2, "ratio_se"),
        ({"scale": "log", "estimate": log["estimate"], "se": 0.124, "se_scale": "natural"}, 0.2, "ratio_se"),
        ({"estimate": log["estimate"], "se": 0.2}, 0.2, "reported"),
        # An SE that may be either stands back behind the interval.
        (
            {"scale": "natural", "estimate": 0.62, "ci_lower": 0.45, "ci_upper": 0.86, "se": 0.1},
            half / Z,
            "ci_normal",
        ),
        # n of a ratio's arms do not make its interval one of Student's.
        (
            {"scale": "natural", "estimate": 0.62, "ci_lower": 0.45, "ci_upper": 0.86, "n_a": 5, "n_b": 5},
            half / Z,
            "ci_normal",
        ),
    ]
    for number, (row, _, _) in enumerate(given):
        rows.report(f"s{number}", "drug", "control", measure="OR", **row)
    for found, (_, error, derivation) in zip(standard(rows), given, strict=True):
        assert found == (
            pytest.approx(log["estimate"], rel=1e-12),
            pytest.approx(error, rel=1e-12),
            derivation,
        )


def test_a_log_rank_test_gives_the_logarithm_of_the_hazard_ratio(rows):
    # Parmar, Torri and Stewart 1998, equations 1 and 2; the sign turns with the order of the arms.
    rows.report("s1", "drug", "control", measure="HR", o_minus_e=-4.2, variance=10)
    rows.report("s2", "control", "drug", measure="HR", o_minus_e=4.2, variance=10)
    assert standard(rows) == [(pytest.approx(-0.42), pytest.approx(1 / math.sqrt(10)), "log_rank")] * 2


def test_an_interval_of_a_mean_difference_is_by_t_where_n_are_known(rows):
    # Cochrane Handbook 6.5.2.3. SE 6.3246 with 5 and 5 animals: -10 -/+ 2.306 x 6.3246.
    error = 10 * math.sqrt(0.4)
    half = stats.t.ppf(0.975, 8) * error
    interval = {"estimate": -10, "ci_lower": -10 - half, "ci_upper": -10 + half}
    rows.report("s1", "drug", "control", n_a=5, n_b=5, **interval)
    rows.arm("s2", "drug", n=5)
    rows.arm("s2", "control", n=5)
    rows.report("s2", "drug", "control", **interval)
    rows.report("s3", "drug", "control", **interval)
    rows.report("s4", "drug", "control", n_a=1_000_000, n_b=1_000_000, **interval)
    found = standard(rows)
    assert found[0] == found[1] == (-10, pytest.approx(6.3246, abs=5e-5), "ci_t")
    assert found[2] == (-10, pytest.approx(half / Z, rel=1e-12), "ci_normal")
    assert found[3] == (-10, pytest.approx(half / Z, rel=1e-5), "ci_t")


def test_a_ratio_with_a_limit_of_zero_has_no_standard_error(rows):
    rows.report(
        "s", "drug", "control", measure="RR", scale="natural", estimate=0.05, ci_lower=0, ci_upper=0.8
    )
    assert rows.one("select problem from reported_contrast_standard") == {"problem": "no_std_error"}
    assert "neither a standard error" in rows.one("select reason from exclusion")["reason"]


def test_the_most_cautious_of_several_readings_counts_whoever_read_it(rows):
    for study, names in (("s1", ("anna", "zoe")), ("s2", ("zoe", "anna"))):
        rows.report(study, "drug", "control", estimate=2, se=0.5, extractor=names[0])
        rows.report(study, "control", "drug", estimate=-3, se=0.6, extractor=names[1])
    assert [row["estimate"] for row in rows.query("select estimate from contrast")] == [3, 3]


def audits(rows, name: str) -> list[tuple]:
    found = rows.query(f"select * from {name} order by source_line")
    assert all(row["remedy"] and row["source_file"] and row["source_line"] for row in found)
    return [(row["severity"], row["study"], row["message"]) for row in found]


def test_intervals_that_do_not_fit_their_estimate_or_se_are_named(rows):
    def md(study, estimate, lower, upper, **row):
        rows.report(study, "a", "c", estimate=estimate, ci_lower=lower, ci_upper=upper, **row)

    def hr(study, estimate, lower, upper, **row):
        rows.report(study, "a", "c", "os", measure="HR", estimate=estimate, ci_lower=lower, ci_upper=upper,
                    scale="natural", **row)  # fmt: skip

    # Right: of Stata's FAQ, symmetric but for rounding; by t; by t of unknown n; two ratios with their SEs.
    md("faq", 1.27, 0.43, 2.12)
    md("t", -10, -24.58, 4.58, se=6.32, n_a=5, n_b=5)
    md("unknown n", -10, -24.58, 4.58, se=6.32)
    hr("hr", 0.71, 0.53, 0.96, se=0.15)
    hr("hr of the ratio", 0.71, 0.53, 0.96, se=0.107)
    hr("epidemiology", 1.05, 1.00, 1.10, se=0.024)
    hr("bcg", 0.411, 0.134, 1.257)
    assert audits(rows, "audit_reported_interval") == []
    md("off centre", 1.0, 0.2, 3.9)
    md("contradiction", 5.0, 3.0, 7.0, se=3)
    md("small", 5.0, 3.0, 7.0, se=0.1, n_a=50, n_b=50)
    md("outside", 8.0, 3.0, 7.0)
    hr("hr off centre", 0.9, 0.53, 0.96)
    hr("hr level", 0.71, 0.53, 0.96, se=0.15, ci_level=0.9)
    assert [
        (severity, study, message.partition(": ")[2])
        for severity, study, message in audits(rows, "audit_reported_interval")
    ] == [
        ("warning", "off centre", "the estimate is not in the middle of its interval"),
        ("warning", "contradiction", "the SE is larger than the interval says"),
        ("warning", "small", "the SE is smaller than the interval says"),
        ("error", "outside", "the interval does not hold its estimate"),
        ("warning", "hr off centre", "the estimate is not in the middle of its interval on the log scale"),
        ("warning", "hr level", "the SE is smaller than the interval says"),
    ]


def test_the_se_or_sd_of_a_mean_is_held_against_its_interval(rows):
    def mean(study, **row):
        rows.measure(study, "a", mean=5, **row)

    mean("by t", se=0.44, ci_lower=4, ci_upper=6, n=10)
    mean("by z", se=0.51, ci_lower=4, ci_upper=6, n=10)
    mean("sd", sd=1.4, ci_lower=4, ci_upper=6, n=10)
    mean("se in sd", sd=0.44, ci_lower=4, ci_upper=6, n=10)
    mean("large", se=1, ci_lower=4, ci_upper=6, n=10)
    assert [
        (study, message.partition(": ")[2]) for _, study, message in audits(rows, "audit_mean_interval")
    ] == [
        ("se in sd", "the SD is smaller than the confidence interval says"),
        ("large", "the SE is larger than the confidence interval says"),
    ]


def test_ratios_on_the_wrong_scale_are_named_for_their_outcome(rows):
    def ratio(outcome, scale, *numbers):
        rows.report(f"{outcome}{rows.line}", "a", "c", outcome, measure="OR", scale=scale,
                    **dict(zip(("estimate", "ci_lower", "ci_upper"), numbers)))  # fmt: skip

    printed = [(0.411, 0.134, 1.257), (0.205, 0.086, 0.486), (0.456, 0.387, 0.536)]
    logs = [(0.5, 0.1, 0.9), (0.3, 0.1, 0.5), (0.8, 0.02, 1.58)]
    for numbers in printed:
        ratio("right", "natural", *numbers)
        ratio("wrong", "log", *numbers)
    for numbers in logs:
        ratio("right logs", "log", *numbers)
        ratio("wrong logs", "natural", *numbers)
    ratio("absurd", "log", 12.5, 3, 22)
    found = {
        message.partition(" (")[0]: severity for severity, _, message in audits(rows, "audit_ratio_scale")
    }
    assert found == dict.fromkeys(("OR of wrong", "OR of wrong logs", "OR of absurd"), "warning")


@pytest.mark.parametrize("factor", [1000, 1e9, 1e-3])
def test_a_slip_beyond_a_factor_of_a_hundred_is_named(rows, factor):
    for number in range(8):
        sd = 0.9 + 0.05 * number
        rows.measure(
            f"s{number}", "a", n=10, mean=-0.5 + 0.1 * number, sd=sd * (factor if number == 3 else 1)
        )
    rows.measure("s9", "a", n=10, mean=-0.5 * max(factor, 1000), sd=1)
    what = "more than 100 times" if factor > 1 else "less than a hundredth of"
    assert audits(rows, "audit_magnitude") == [
        ("warning", "s3", f"arm a, outcome alt: the SD is {what} the usual"),
        ("warning", "s9", "arm a, outcome alt: the mean is more than 100 times the usual"),
    ]


def test_an_impossible_n_is_named(rows):
    rows.arm("s", "a", n=7.5)
    for study, n in (("t", 1e9), ("u", 1e300), ("v", 12)):
        rows.measure(study, "a", n=n, mean=1, sd=1)
    assert audits(rows, "audit_magnitude") == [
        ("warning", "s", "arm a: n is no whole number"),
        ("warning", "t", "arm a, outcome alt: n is above 10 million"),
        ("error", "u", "arm a, outcome alt: n is above 10 million"),
    ]
