"""Agreement of two people: answers (kappa, weighted kappa, AC1) and numbers (concordance, limits of agreement)."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

# Cohen (1968) style table: 3 ordered judgements by two assessors, counts by (first, second).
COUNTS = {
    ("low", "low"): 20,
    ("low", "unclear"): 5,
    ("low", "high"): 1,
    ("unclear", "low"): 4,
    ("unclear", "unclear"): 10,
    ("unclear", "high"): 3,
    ("high", "low"): 0,
    ("high", "unclear"): 2,
    ("high", "high"): 15,
}
ORDER = ("low", "unclear", "high")


def weighted_kappa(counts, power):
    """Compute kappa from the definition, cell by cell."""
    n = sum(counts.values())
    first = {i: sum(counts[i, j] for j in ORDER) / n for i in ORDER}
    second = {j: sum(counts[i, j] for i in ORDER) / n for j in ORDER}
    cells = list(itertools.product(ORDER, ORDER))

    def distance(i, j):
        return (i != j) if power == 0 else abs(ORDER.index(i) - ORDER.index(j)) ** power

    observed = sum(counts[i, j] / n * distance(i, j) for i, j in cells)
    expected = sum(first[i] * second[j] * distance(i, j) for i, j in cells)
    return 1 - observed / expected


@pytest.fixture
def judged(rows):
    """Two assessors' judgements of 60 studies on one item."""
    rows.insert("rob_tool", [{"tool": "SYRCLE", "label": "SYRCLE", "citation": "x"}])
    rows.insert(
        "rob_item",
        [{"tool": "SYRCLE", "item": "1", "position": 1, "domain": "selection", "label": "sequence"}],
    )
    rows.insert(
        "rob_answer",
        [
            {
                "tool": "SYRCLE",
                "judgement": judgement,
                "label": judgement,
                "position": severity,
                "severity": severity,
                "symbol": "+",
                "color": "#000000",
                "color_blind_safe": "#000000",
            }
            for severity, judgement in enumerate(ORDER, 1)
        ],
    )
    number = itertools.count(1)
    judgements = []
    for answers, count in COUNTS.items():
        for _ in range(count):
            study = f"s{next(number)}"
            rows.study(study)
            judgements += [
                {
                    "rob_judgement_id": next(number) * 1000,
                    "study": study,
                    "tool": "SYRCLE",
                    "item": "1",
                    "judgement": answer,
                    "assessor": assessor,
                    **rows.place("risk_of_bias.csv"),
                }
                for assessor, answer in zip(("ann", "bob"), answers)
            ]
    rows.insert("rob_judgement", judgements)
    return rows.one("select * from rating_agreement")


def test_kappa_of_judgements(judged):
    assert (judged["n"], judged["n_agree"], judged["n_ordered"]) == (60, 45, 60)
    assert judged["agreement"] == 0.75
    assert judged["kappa"] == pytest.approx(weighted_kappa(COUNTS, 0))
    assert judged["weighted_kappa_linear"] == pytest.approx(weighted_kappa(COUNTS, 1))
    assert judged["weighted_kappa_quadratic"] == pytest.approx(weighted_kappa(COUNTS, 2))


def test_ac1_and_the_standard_error_of_kappa(judged):
    means = [(26 + 24) / 120, (17 + 17) / 120, (17 + 19) / 120]
    chance = sum(p * (1 - p) for p in means) / 2
    assert judged["ac1"] == pytest.approx((0.75 - chance) / (1 - chance))
    expected = (26 * 24 + 17 * 17 + 17 * 19) / 3600
    assert judged["kappa_std_error"] == pytest.approx(math.sqrt(0.75 * 0.25 / 60) / (1 - expected))


def screened(rows, decisions):
    for number, (first, second) in enumerate(decisions):
        rows.insert("record", [{"record": f"r{number}", **rows.place("records.csv")}])
        rows.insert(
            "screening",
            [
                {
                    "record": f"r{number}",
                    "stage": "title_abstract",
                    "reviewer": reviewer,
                    "decision": decision,
                    **rows.place("screening.csv"),
                }
                for reviewer, decision in (("A", first), ("B", second), ("consensus", first))
            ],
        )
    return rows.query("select * from screening_agreement")


def test_the_paradox_of_kappa(rows):
    # A table 118, 5, 2, 0 as Feinstein and Cicchetti (1990) discuss: 94 % agreement, and kappa below 0. By hand:
    # kappa has p_e = (123 * 120 + 2 * 5)/125^2 = 0.94528; AC1 has pi = 243/250, p_e = 2 pi (1 - pi) = 0.054432.
    decisions = [("include", "include")] * 118 + [("include", "exclude")] * 5 + [("exclude", "include")] * 2
    (found,) = screened(rows, decisions)
    assert (found["n"], found["n_agree"]) == (125, 118)
    assert found["kappa"] == pytest.approx((0.944 - 0.94528) / (1 - 0.94528))
    assert found["ac1"] == pytest.approx((0.944 - 0.054432) / (1 - 0.054432))


def test_where_all_agree_there_is_nothing_beyond_chance(rows):
    (found,) = screened(rows, [("exclude", "exclude")] * 3)
    assert (found["agreement"], found["kappa"], found["ac1"]) == (1, None, 1)


def test_kappa_of_cohen(rows):
    """Cohen (1960), Table 1: 200 judgements in three classes, kappa .492 with standard error .055."""
    table = (
        ("include", "include", 88), ("include", "exclude", 14), ("include", "unclear", 18),
        ("exclude", "include", 10), ("exclude", "exclude", 40), ("exclude", "unclear", 10),
        ("unclear", "include", 2), ("unclear", "exclude", 6), ("unclear", "unclear", 12),
    )  # fmt: skip
    (found,) = screened(rows, [(first, second) for first, second, count in table for _ in range(count)])
    assert (round(found["agreement"], 2), round(found["kappa"], 3)) == (0.70, 0.492)
    assert round(found["kappa_std_error"], 3) == 0.055


def test_one_reviewer_alone_has_no_agreement(rows):
    rows.insert("record", [{"record": "r", **rows.place("records.csv")}])
    assert rows.query("select * from rating_agreement") == []


A = [44.0, 41.0, 35.0, 40.0, 40.0, 39.0]
B = [42.0, 37.0, 38.0, 40.0, 42.0, 39.0]


@pytest.fixture
def read_twice(rows):
    for number, (a, b) in enumerate(zip(A, B)):
        rows.measure(f"s{number}", "drug", extractor="ann", mean=a, sd=2, n=9, unit=None)
        rows.measure(f"s{number}", "drug", extractor="bob", mean=b, n=9, unit=None)
    return rows


def test_concordance_and_limits_of_agreement(read_twice):
    found = read_twice.one("select * from extraction_agreement where statistic = 'mean'")
    differences = [a - b for a, b in zip(A, B)]
    covariance = statistics.fmean((a - statistics.fmean(A)) * (b - statistics.fmean(B)) for a, b in zip(A, B))
    concordance = (
        2
        * covariance
        / (
            statistics.pvariance(A)
            + statistics.pvariance(B)
            + (statistics.fmean(A) - statistics.fmean(B)) ** 2
        )
    )
    assert (found["n"], found["n_equal"], found["n_one_sided"]) == (6, 2, 0)
    assert found["concordance"] == pytest.approx(concordance)
    assert found["mean_difference"] == pytest.approx(statistics.fmean(differences))
    spread = statistics.stdev(differences)
    assert found["limit_lower"] == pytest.approx(statistics.fmean(differences) - 1.959963984540054 * spread)
    assert found["limit_upper"] == pytest.approx(statistics.fmean(differences) + 1.959963984540054 * spread)


WRIGHT = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)


def test_limits_of_agreement_of_bland_and_altman(rows):
    """Bland and Altman (1986), Table 1: peak flow by two meters, mean difference -2.1 l/min, SD 38.8."""
    for number, (large, mini) in enumerate(zip(WRIGHT, MINI)):
        rows.measure(f"s{number}", "drug", extractor="large", mean=large, unit=None)
        rows.measure(f"s{number}", "drug", extractor="mini", mean=mini, unit=None)
    found = rows.one("select * from extraction_agreement where statistic = 'mean'")
    assert (round(found["mean_difference"], 1), round(found["sd_difference"], 1)) == (-2.1, 38.8)
    # They print -79.7 and 75.5, from the rounded mean and SD and with 2 in place of 1.96.
    two = 2 / 1.959963984540054
    limits = [found["mean_difference"] + two * (found[name] - found["mean_difference"])
              for name in ("limit_lower", "limit_upper")]  # fmt: skip
    assert limits == pytest.approx([-79.7, 75.5], abs=0.1)


def test_what_only_one_gives_is_counted_apart(read_twice):
    found = read_twice.one("select * from extraction_agreement where statistic = 'sd'")
    assert (found["n"], found["n_one_sided"], found["concordance"]) == (0, 6, None)
    equal = read_twice.one("select * from extraction_agreement where statistic = 'n'")
    assert (equal["n_equal"], equal["agreement"], equal["concordance"]) == (6, 1, None)


def test_a_consensus_settles_and_overwrites_nothing(read_twice):
    read_twice.measure("s0", "drug", extractor="consensus", mean=43, sd=2, n=9)
    pairs = read_twice.query(
        "select study, value_a, value_b, settled from extraction_pair where statistic = 'mean' and not equal"
        " order by study"
    )
    assert pairs[0] == {"study": "s0", "value_a": 44, "value_b": 42, "settled": True}
    assert [pair["settled"] for pair in pairs[1:]] == [False] * 3
    assert read_twice.one("select mean from measurement_final where study = 's0'") == {"mean": 43}
    assert read_twice.one("select count(*) as n from measurement where study = 's0'") == {"n": 3}


def test_numbers_in_different_units_have_no_difference(rows):
    rows.unit("g", "mass", 1)
    rows.unit("kg", "mass", 1000)
    rows.measure("s", "drug", extractor="ann", mean=1, unit="kg")
    rows.measure("s", "drug", extractor="bob", mean=1, unit="g")
    found = rows.one("select equal, difference from extraction_pair")
    assert found == {"equal": False, "difference": None}
