"""The detective: what was probably mistyped, why, and what the row would be without the slip."""

from __future__ import annotations

import csv
import math
import statistics
from collections import Counter

import pytest


@pytest.fixture
def sound(rows):
    """Eight studies that agree: placebo near 100, drug near 80, SD near a tenth, n of 16."""
    rows.outcome("alt", lower_is_better=True)
    for i in range(8):
        rows.measure(f"s{i}", "drug", n=16, mean=80 + 2 * i + 0.13, sd=8 + 0.31 * i)
        rows.measure(f"s{i}", "placebo", n=16, mean=100 + 2 * i + 0.17, sd=10 + 0.29 * i)
    return rows


def suspicions(rows) -> list[tuple]:
    found = rows.query("select * from suspicion")
    assert len({row["suspicion"] for row in found}) == len(found)
    assert all(row["likely"] and row["remedy"] and row["source_line"] for row in found)
    return [(row["cause"], row["study"], row["arm"]) for row in found]


def mended(rows, columns: str) -> list[tuple]:
    found = rows.query(f"select {columns} from mended_measurement order by measurement_id")
    return [tuple(row.values()) for row in found]


def test_nothing_of_a_sound_review(sound):
    assert suspicions(sound) == []
    assert mended(sound, "measurement_id") == []


def test_se_typed_as_sd(sound):
    sound.measure("x", "drug", n=16, mean=84.1, sd=2.1)
    sound.measure("x", "placebo", n=16, mean=103.3, sd=2.6)
    assert suspicions(sound) == [("se_as_sd", "x", None)]
    assert mended(sound, "kept, n, mean, sd, se") == [
        (True, 16, 84.1, None, 2.1),
        (True, 16, 103.3, None, 2.6),
    ]
    (likely,) = [row["likely"] for row in sound.query("select likely from suspicion")]
    usual = statistics.median(
        math.sqrt((8 + 0.31 * i) / (80 + 2 * i + 0.13) * (10 + 0.29 * i) / (100 + 2 * i + 0.17))
        for i in range(8)
    )
    # The median is over all blocks: of nine, the doubtful one is the lowest.
    typed = math.sqrt(2.1 / 84.1 * 2.6 / 103.3)
    assert float(likely.split()[3]) == pytest.approx(100 * typed / usual, abs=1.5)
    assert likely.endswith("if it is a standard error")


def test_se_typed_as_sd_in_one_arm(sound):
    sound.measure("x", "drug", n=36, mean=84.1, sd=1.4)
    sound.measure("x", "placebo", n=36, mean=103.3, sd=10.7)
    assert suspicions(sound) == [("se_as_sd", "x", "drug")]
    assert mended(sound, "mean, sd, se") == [(84.1, None, 1.4)]


def test_se_divided_by_root_n(sound):
    sound.measure("x", "drug", n=16, mean=84.1, sd=8.4 / 16)
    sound.measure("x", "placebo", n=16, mean=103.3, sd=10.4 / 16)
    assert suspicions(sound) == [("se_divided", "x", None)]
    assert [se for (se,) in mended(sound, "se")] == pytest.approx([8.4 / 4, 10.4 / 4])


def test_sd_typed_as_se(sound):
    sound.measure("x", "drug", n=25, mean=84.1, se=8.4)
    sound.measure("x", "placebo", n=25, mean=103.3, se=10.4)
    assert suspicions(sound) == [("sd_as_se", "x", None)]
    assert mended(sound, "sd, se") == [(8.4, None), (10.4, None)]


def test_decimal_point_of_a_spread(sound):
    sound.measure("x", "drug", n=9, mean=84.1, sd=84)
    sound.measure("x", "placebo", n=9, mean=103.3, sd=10.4)
    assert suspicions(sound) == [("spread_decimal", "x", "drug")]
    assert mended(sound, "sd") == [(pytest.approx(8.4),)]


def test_a_decimal_point_any_number_of_places_off(rows):
    """Of a spread or of a mean: every power of ten, each in an outcome of its own."""
    wrong = {}
    for column, powers in (("sd", (-9, -6, -3, -2, 1, 2, 3, 6, 9)), ("mean", (-6, -3, -2, 2, 3, 6))):
        for power in powers:
            name = f"{column} {power:+d}"
            rows.outcome(name, lower_is_better=True)
            for i in range(8):
                rows.measure(f"{name} {i}", "drug", name, n=16, mean=80 + 2 * i + 0.13, sd=8 + 0.31 * i)
                rows.measure(f"{name} {i}", "placebo", name, n=16, mean=100 + 2 * i + 0.17, sd=10 + 0.29 * i)
            drug = {"mean": 84.1, "sd": 8.4}
            wrong[name] = {**drug, column: drug[column] * 10.0**power}
            rows.measure(name, "drug", name, n=16, **wrong[name])
            rows.measure(name, "placebo", name, n=16, mean=103.3, sd=10.4)
    found = {row["outcome"]: row for row in rows.query("select * from suspicion")}
    assert {(row["study"], row["arm"]) for row in found.values()} == {(name, "drug") for name in wrong}
    assert len(found) == len(wrong)
    for name, row in found.items():
        column = name.split()[0]
        assert row["cause"] == {"sd": "spread_decimal", "mean": "decimal"}[column]
        right = wrong[name]["sd"] * row["factor"] if column == "sd" else row["value"]
        assert right == pytest.approx({"sd": 8.4, "mean": 84.1}[column])
        assert row["likely"]


@pytest.mark.parametrize("factor", [10, 60, 1000, 1 / 10, 1 / 100])
def test_unit(sound, factor):
    sound.measure("x", "drug", n=16, mean=84.1 * factor, sd=8.4 * factor)
    sound.measure("x", "placebo", n=16, mean=103.3 * factor, sd=10.4 * factor)
    assert suspicions(sound) == [("unit", "x", None)]
    assert [value for row in mended(sound, "mean, sd") for value in row] == pytest.approx(
        [84.1, 8.4, 103.3, 10.4]
    )


def test_swapped_arms(sound):
    sound.measure("x", "drug", n=14, mean=104.3, sd=10.4)
    sound.measure("x", "placebo", n=16, mean=84.1, sd=8.4)
    assert suspicions(sound) == [("swapped_arms", "x", None)]
    assert mended(sound, "n, mean, sd") == [(16, 84.1, 8.4), (14, 104.3, 10.4)]


def test_swapped_arms_of_counts(rows):
    rows.outcome("death", "binary", lower_is_better=True)
    for i in range(8):
        rows.measure(f"s{i}", "drug", "death", n=100, events=10 + i)
        rows.measure(f"s{i}", "placebo", "death", n=100, events=60 - i)
    rows.measure("x", "drug", "death", n=90, events=51)
    rows.measure("x", "placebo", "death", n=110, events=14)
    assert suspicions(rows) == [("swapped_arms", "x", None)]
    assert mended(rows, "n, events") == [(110, 14), (90, 51)]


def test_decimal_point_of_a_mean(sound):
    sound.measure("x", "drug", n=16, mean=8.41, sd=8.4)
    sound.measure("x", "placebo", n=16, mean=103.3, sd=10.4)
    (found,) = sound.query("select * from suspicion")
    assert (found["cause"], found["arm"], found["column_name"]) == ("decimal", "drug", "mean")
    assert (found["typed"], found["value"]) == (8.41, pytest.approx(84.1))
    assert mended(sound, "mean, sd") == [(pytest.approx(84.1), 8.4)]


def test_digits_the_wrong_way_round(rows):
    rows.outcome("score", lower_is_better=True, lower_bound=-100)
    for i in range(8):
        rows.measure(f"s{i}", "drug", "score", n=16, mean=-20 - i + 0.3, sd=12)
        rows.measure(f"s{i}", "placebo", "score", n=16, mean=-2 - i, sd=12)
    rows.measure("x", "drug", "score", n=16, mean=-92, sd=12)
    rows.measure("x", "placebo", "score", n=16, mean=-10, sd=12)
    (found,) = rows.query("select * from suspicion")
    assert (found["cause"], found["arm"], found["value"]) == ("digits", "drug", -29)


def test_minus_sign(rows):
    rows.outcome("change", lower_is_better=True)
    for i in range(8):
        rows.measure(f"s{i}", "drug", "change", n=16, mean=-20 - i / 2, sd=12)
        rows.measure(f"s{i}", "placebo", "change", n=16, mean=-3 - i / 2, sd=12)
    rows.measure("x", "drug", "change", n=16, mean=21, sd=12)
    rows.measure("x", "placebo", "change", n=16, mean=-12, sd=12)
    (found,) = rows.query("select * from suspicion")
    assert (found["cause"], found["arm"], found["value"]) == ("sign", "drug", -21)


class TestTwice:
    def test_copied_row_within_a_block(self, sound):
        sound.measure("x", "drug", n=16, mean=91.37, sd=9.83)
        sound.measure("x", "placebo", n=16, mean=91.37, sd=9.83)
        assert ("copied_row", "x", "placebo") in suspicions(sound)
        row = sound.one("select * from mended_measurement where suspicion like 'copied_row%'")
        assert row["kept"] is False

    def test_copied_row_of_another_outcome(self, sound):
        sound.measure("s3", "drug", "ast", n=16, mean=86.13, sd=8.93)
        sound.measure("s3", "placebo", "ast", n=16, mean=186.13, sd=18.93)
        assert suspicions(sound) == [("copied_row", "s3", "drug")]

    def test_a_round_number_is_no_copy(self, sound):
        sound.measure("s3", "drug", "ast", n=16, mean=90, sd=10)
        sound.measure("s3", "placebo", "ast", n=16, mean=90, sd=10)
        assert suspicions(sound) == []

    def test_one_experiment_under_two_names(self, sound):
        sound.measure("x", "drug", n=16, mean=86.13, sd=8.93)
        sound.measure("x", "placebo", n=16, mean=106.17, sd=10.87)
        assert suspicions(sound) == [("entered_twice", "x", "drug"), ("entered_twice", "x", "placebo")]
        assert mended(sound, "kept") == [(False,), (False,)]

    def test_a_control_that_counts_twice(self, sound):
        sound.measure("x", "drug", n=16, mean=81.13, sd=8.53)
        sound.measure("x", "placebo", n=16, mean=106.17, sd=10.87)
        assert suspicions(sound) == [("control_twice", "x", "placebo")]
        assert mended(sound, "kept, n, mean") == [(True, 8, 106.17), (True, 8, 106.17)]

    def test_a_control_that_is_said_to_be_shared(self, sound):
        sound.arm("s3", "same", "placebo", experiment="two", shared_control_of="main")
        sound.measure("s3", "high", experiment="two", n=16, mean=81.13, sd=8.53)
        sound.measure("s3", "same", experiment="two", n=16, mean=106.17, sd=10.87)
        assert suspicions(sound) == []


class TestScores:
    @pytest.fixture
    def score(self, rows):
        rows.outcome("score", lower_is_better=True, lower_bound=0, upper_bound=5, step=1)
        return rows

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("n", "mean", "possible"),
        [
            (7, 3.14, True),
            (7, 3.15, False),
            (7, 3.1, True),
            (28, 3.19, False),
            (28, 3.18, True),
            (200, 3.19, True),
        ],
    )
    def test_grim(self, score, n, mean, possible):
        """The published example: 28 whole readings can have the mean 5.18 or 5.21, not 5.19."""
        score.measure("x", "drug", "score", n=n, mean=mean, sd=1)
        sums = any(round(k / n, len(str(mean).split(".")[1])) == mean for k in range(5 * n + 1))
        assert possible == sums
        assert suspicions(score) == ([] if possible else [("impossible_mean", "x", "drug")])
        assert mended(score, "measurement_id") == []

    def test_read_off_a_figure(self, score):
        score.measure("x", "drug", "score", n=7, mean=3.15, sd=1, method="figure")
        assert suspicions(score) == []

    def test_spread_beyond_the_ends_of_the_scale(self, score):
        """Half of the animals at either end have the largest SD."""
        largest = math.sqrt(sum((x - 2.5) ** 2 for x in [0] * 5 + [5] * 5) / 9)
        score.measure("x", "drug", "score", n=10, mean=2.5, sd=largest)
        assert suspicions(score) == []
        score.measure("y", "drug", "score", n=10, mean=2.5, sd=1.02 * largest)
        assert suspicions(score) == [("impossible_spread", "y", "drug")]


class TestWholeOutcomes:
    def fill(self, rows, spread) -> None:
        rows.outcome("alt", lower_is_better=True)
        for i in range(8):
            rows.measure(f"s{i}", "drug", n=9, mean=80 + 2 * i + 0.13, sd=spread(14 + 0.31 * i, 9))
            rows.measure(f"s{i}", "placebo", n=9, mean=100 + 2 * i + 0.17, sd=spread(15 + 0.29 * i, 9))

    def test_every_se_typed_as_sd_or_divided(self, rows):
        """No study differs from the others then, and effects of 13 standard deviations give it away."""
        self.fill(rows, lambda sd, n: sd / n)
        assert suspicions(rows) == [("all_se_divided", None, None)]
        assert mended(rows, "sd, se")[0] == (None, pytest.approx(14 / 3))

    def test_typed_as_sd(self, rows):
        self.fill(rows, lambda sd, n: sd / math.sqrt(n))
        assert suspicions(rows) == [("all_se_as_sd", None, None)]

    def test_right(self, rows):
        self.fill(rows, lambda sd, n: sd)
        assert suspicions(rows) == []


def test_the_unit_typed_does_not_matter(rows):
    """Scores are the same in any unit."""
    scores = []
    for place, factor in enumerate((1, 1000)):
        outcome = f"alt{place}"
        rows.outcome(outcome, lower_is_better=True)
        for i in range(8):
            rows.measure(
                f"s{i}", "drug", outcome, n=16, mean=(80 + 2 * i) * factor, sd=(8 + 0.3 * i) * factor
            )
            rows.measure(f"s{i}", "placebo", outcome, n=16, mean=(100 + 2 * i) * factor, sd=10 * factor)
        rows.measure("x", "drug", outcome, n=16, mean=84 * factor, sd=2.1 * factor)
        rows.measure("x", "placebo", outcome, n=16, mean=103 * factor, sd=2.6 * factor)
        scores.append(rows.query("select cause, score from suspicion where outcome = ?", [outcome]))
    assert [row["cause"] for row in scores[0]] == [row["cause"] for row in scores[1]] == ["se_as_sd"]
    assert scores[0][0]["score"] == pytest.approx(scores[1][0]["score"], rel=1e-9)


@pytest.mark.slow
def test_standard_errors_divided_by_root_n_in_real_data(rows, trial_data):
    """Mouse studies of drugs for multiple sclerosis, with SEM / root n typed as SD: g near -16 for fingolimod."""
    folder = trial_data / "hermes_ms_mouse"
    with (
        open(folder / "arms.csv", encoding="utf-8", newline="") as arms,
        open(folder / "outcomes.csv", encoding="utf-8", newline="") as outcomes,
    ):
        about = {row["arm_id"]: row for row in csv.DictReader(arms)}
        table = [
            row
            for row in csv.DictReader(outcomes)
            if (row["outcome"], row["center_type"], row["error_type"])
            == ("EAE clinical score", "mean", "SEM")
            and float(row["n"] or 0) >= 2
            and float(row["error"] or 0) > 0
        ]
    rows.outcome("eae", lower_is_better=True, lower_bound=0)
    complete = Counter((row["study_id"], row["contrast"]) for row in table)
    for row in table:
        if complete[row["study_id"], row["contrast"]] == 2:
            arm = about[row["arm_id"]]
            n, error = float(row["n"]), float(row["error"])
            rows.measure(
                row["study_id"],
                "control" if arm["role"] == "control" else arm["treatment"],
                "eae",
                experiment=row["contrast"],
                n=n,
                mean=float(row["center"]),
                sd=error / math.sqrt(n),
            )
    fingolimod = "select random_estimate from pooled where measure = 'SMD' and treatment_a = 'Fingolimod'"
    assert rows.one(fingolimod)["random_estimate"] < -12
    assert "all_se_divided" in {cause for cause, _, _ in suspicions(rows)}
    mending = rows.query("select * from mended_measurement where suspicion = 'all_se_divided|eae'")
    assert len(mending) == sum(count == 2 for count in complete.values()) * 2
    for row in mending:
        rows.connection.execute(
            "update measurement set sd = ?, se = ? where measurement_id = ?",
            [row["sd"], row["se"], row["measurement_id"]],
        )
    rows.stored.clear()
    assert -3 < rows.one(fingolimod)["random_estimate"] < -1
    assert "all_se_divided" not in {cause for cause, _, _ in suspicions(rows)}
