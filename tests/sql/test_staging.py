"""Which reading counts, and how mean and SD are got from what was reported."""

from __future__ import annotations

import math

import pytest
from scipy import stats


def standard(rows) -> dict:
    return rows.one("select * from measurement_standard")


@pytest.fixture
def units(rows):
    rows.unit("d", "time", 1)
    rows.unit("h", "time", 1 / 24)
    rows.unit("wk", "time", 7)
    rows.unit("U/L", "catalytic activity concentration", 1)
    rows.unit("ukat/L", "catalytic activity concentration", 60)
    rows.unit("ng/mL", "mass concentration", 1000)
    rows.unit("pg/mL", "mass concentration", 1)


class TestReadings:
    def test_consensus_counts(self, rows):
        rows.measure("s", "a", n=8, mean=1, sd=1, extractor="anna")
        final = rows.measure("s", "a", n=8, mean=2, sd=1, extractor="consensus")
        assert rows.one("select measurement_id, mean from measurement_final") == {
            "measurement_id": final,
            "mean": 2,
        }

    def test_the_reading_of_least_weight_counts_without_consensus(self, rows):
        rows.unit("mg", "mass", 0.001)
        rows.unit("g", "mass", 1)
        pairs = [
            ({"sd": 2, "n": 8}, {"sd": 1, "n": 8}),
            ({"sd": 1, "n": 6}, {"sd": 1, "n": 8}),
            ({"se": 1, "n": 8}, {"sd": 1, "n": 8}),
            ({"ci_lower": 0, "ci_upper": 9, "n": 8}, {"se": 1, "n": 8}),
            ({"sd": 1, "n": 8}, {"n": 8}),
            ({"sd": 2, "n": 8, "unit": "g"}, {"sd": 3, "n": 8, "unit": "mg"}),
        ]
        for number, (cautious, bold) in enumerate(pairs):
            for names in (("anna", "zoe"), ("zoe", "anna"), ("anna", "anna")):
                for order in (1, -1):
                    study = f"s{number}{names}{order}"
                    for extractor, row, mean in [(names[0], cautious, 7), (names[1], bold, 5)][::order]:
                        rows.measure(study, "a", extractor=extractor, mean=mean, **row)
        found = rows.query("select mean, count(*) as n from measurement_final group by mean")
        assert found == [{"mean": 7, "n": 36}]

    def test_neither_names_nor_order_decide_between_readings_of_one_precision(self, rows):
        for study, names in (("s", ("anna", "zoe")), ("t", ("zoe", "anna"))):
            for extractor, mean in zip(names, (1, 2), strict=True):
                rows.measure(study, "a", n=8, mean=mean, sd=1, extractor=extractor)
        rows.measure("u", "a", n=8, mean=2, sd=1, extractor="anna")
        rows.measure("u", "a", n=8, mean=1, sd=1, extractor="zoe")
        assert {row["mean"] for row in rows.query("select mean from measurement_final")} == {1}

    def test_other_time_points_are_no_readings_of_the_same(self, rows):
        rows.measure("s", "a", n=8, mean=1, sd=1, timepoint=1)
        rows.measure("s", "a", n=8, mean=2, sd=1, timepoint=2)
        rows.measure("s", "a", n=8, mean=3, sd=1)
        assert len(rows.query("select * from measurement_final")) == 3

    def test_the_same_time_in_two_units_is_one(self, rows, units):
        rows.measure("s", "a", n=8, mean=1, sd=1, timepoint=1, timepoint_unit="wk", extractor="anna")
        rows.measure("s", "a", n=8, mean=2, sd=1, timepoint=168, timepoint_unit="h", extractor="zoe")
        assert rows.one("select mean, timepoint, timepoint_unit from measurement_final") == {
            "mean": 1,
            "timepoint": 7,
            "timepoint_unit": "d",
        }

    def test_one_unit_of_time_stays_as_typed(self, rows, units):
        rows.measure("s", "a", n=8, mean=1, sd=1, timepoint=36, timepoint_unit="h")
        assert rows.one("select timepoint, timepoint_unit from measurement_final") == {
            "timepoint": 36,
            "timepoint_unit": "h",
        }

    def test_time_without_a_unit_beside_times_with_one_is_not_guessed(self, rows, units):
        rows.measure("s", "a", n=8, mean=1, sd=1, timepoint=36, timepoint_unit="h")
        rows.measure("s", "b", n=8, mean=1, sd=1, timepoint=2)
        assert [row["arm"] for row in rows.query("select arm from measurement_final")] == ["a"]
        (row,) = rows.query("select arm, reason, remedy from exclusion where stage = 'measurement_final'")
        assert row["arm"] == "b"
        assert row["remedy"] == "give its timepoint_unit"


class TestDerivation:
    def test_mean_and_sd_as_reported(self, rows):
        rows.measure("s", "a", n=8, mean=12.5, sd=2.5, se=9)
        found = standard(rows)
        assert (found["n"], found["mean"], found["sd"]) == (8, 12.5, 2.5)
        assert (found["derivation"], found["flags"]) == ("reported", "")

    def test_standard_error(self, rows):
        rows.measure("s", "a", n=9, mean=12.5, se=0.5)
        assert (standard(rows)["sd"], standard(rows)["derivation"]) == (1.5, "se")

    def test_confidence_interval(self, rows):
        cases = {"default": (None, 8), "few": (0.95, 3), "narrow": (0.90, 40), "many": (0.99, 500)}
        half = 1.75
        for study, (level, n) in cases.items():
            rows.measure(study, "a", n=n, mean=10, ci_lower=10 - half, ci_upper=10 + half, ci_level=level)
        found = rows.query("select * from measurement_standard")
        assert {row["study"] for row in found} == set(cases)
        for row in found:
            level, n = cases[row["study"]]
            t = stats.t.ppf(0.5 + (level or 0.95) / 2, n - 1)
            assert row["sd"] == pytest.approx(math.sqrt(n) * half / t, rel=1e-10)
            assert row["derivation"] == "ci"

    def test_interval_and_back(self, rows):
        # Cochrane Handbook 6.5.2.3: 25 per group, 95 % interval 30.0 to 34.2, t = 2.064: SD = 5.09.
        rows.measure("s", "a", n=25, mean=32.1, ci_lower=30.0, ci_upper=34.2)
        assert standard(rows)["sd"] == pytest.approx(5.09, abs=0.005)

    def test_sd_goes_before_se_before_interval_before_quartiles(self, rows):
        everything = {"ci_lower": 8, "ci_upper": 12, "q1": 9, "q3": 11, "min": 5, "max": 15}
        rows.measure("s1", "a", n=9, mean=10, se=0.5, **everything)
        rows.measure("s2", "a", n=9, mean=10, **everything)
        rows.measure("s3", "a", n=9, mean=10, q1=9, q3=11, min=5, max=15)
        found = rows.query("select derivation from measurement_standard order by study")
        assert [row["derivation"] for row in found] == ["se", "ci", "quartiles_range"]

    def test_median_with_quartiles_or_range(self, rows):
        a, q1, m, q3, b = 2, 7, 10, 16, 30
        given = {
            "median_range": {"min": a, "median": m, "max": b},
            "median_quartiles": {"q1": q1, "median": m, "q3": q3},
            "median_quartiles_range": {"min": a, "q1": q1, "median": m, "q3": q3, "max": b},
        }
        for code, values in given.items():
            for n in (5, 20, 120):
                rows.measure(f"{code} {n}", "a", n=n, **values)
        found = rows.query("select * from measurement_standard")
        assert len(found) == 9
        for row in found:
            n = row["n"]
            z1 = stats.norm.ppf((n - 0.375) / (n + 0.25))
            z2 = stats.norm.ppf((0.75 * n - 0.125) / (n + 0.25))
            if row["derivation"] == "median_range":
                w = 4 / (4 + n**0.75)
                mean, sd = w * (a + b) / 2 + (1 - w) * m, (b - a) / (2 * z1)
            elif row["derivation"] == "median_quartiles":
                w = 0.7 + 0.39 / n
                mean, sd = w * (q1 + q3) / 2 + (1 - w) * m, (q3 - q1) / (2 * z2)
            else:
                w1, w2 = 2.2 / (2.2 + n**0.75), 0.7 - 0.72 / n**0.55
                mean = w1 * (a + b) / 2 + w2 * (q1 + q3) / 2 + (1 - w1 - w2) * m
                sd = (b - a) / (4 * z1) + (q3 - q1) / (4 * z2)
            assert row["study"] == f"{row['derivation']} {n:g}"
            assert row["mean"] == pytest.approx(mean, rel=1e-12)
            assert row["sd"] == pytest.approx(sd, rel=1e-10)
            assert row["flags"] == "luo2018,wan2014"

    def test_reported_mean_with_quartiles_keeps_the_mean(self, rows):
        rows.measure("s", "a", n=20, mean=11, median=10, q1=7, q3=16)
        found = standard(rows)
        assert (found["mean"], found["derivation"], found["flags"]) == (11, "quartiles", "wan2014")

    def test_reported_sd_beside_a_median(self, rows):
        rows.measure("s", "a", n=20, sd=3, median=10, q1=7, q3=16)
        found = standard(rows)
        assert (found["sd"], found["derivation"]) == (3, "median_quartiles")
        assert found["flags"] == "luo2018,sd_reported"

    def test_n_of_the_arm(self, rows):
        rows.arm("s", "a", n=12)
        rows.measure("s", "a", mean=10, se=1)
        found = standard(rows)
        assert (found["n"], found["flags"]) == (12, "n_from_arm")
        assert found["sd"] == pytest.approx(math.sqrt(12), rel=1e-15)

    def test_unit_of_the_outcome(self, rows, units):
        rows.outcome("alt", unit="U/L", dimension="catalytic activity concentration")
        rows.measure("s", "a", n=8, mean=2.5, sd=0.5, unit="ukat/L")
        found = standard(rows)
        assert (found["mean"], found["sd"], found["unit"]) == (150, 30, "U/L")
        assert found["flags"] == "unit_converted"

    def test_empty_unit_is_that_of_the_outcome(self, rows, units):
        rows.outcome("alt", unit="U/L")
        rows.measure("s", "a", n=8, mean=2.5, sd=0.5)
        found = standard(rows)
        assert (found["mean"], found["unit"], found["flags"]) == (2.5, "U/L", "")

    def test_counts(self, rows):
        rows.outcome("death", "binary")
        rows.outcome("falls", "rate")
        rows.measure("s", "a", "death", n=20, events=3, exposure=40)
        rows.measure("s", "a", "falls", events=3, exposure=40)
        found = rows.query("select outcome, n, events, exposure, mean from measurement_standard order by 1")
        assert found == [
            {"outcome": "death", "n": 20, "events": 3, "exposure": None, "mean": None},
            {"outcome": "falls", "n": None, "events": 3, "exposure": 40, "mean": None},
        ]

    def test_role_is_that_of_the_treatment(self, rows):
        rows.treatment("saline", "control")
        rows.arm("s", "a", "saline", role="active")
        rows.measure("s", "a", n=8, mean=1, sd=1)
        assert standard(rows)["role"] == "control"


PROBLEMS = [
    ("continuous", {"n": 8}, "neither a mean nor a median"),
    ("continuous", {"n": 8, "mean": 1}, "no SD, SE"),
    ("continuous", {"mean": 1, "sd": 1}, "no n"),
    ("continuous", {"mean": 1, "se": 1}, "no n"),
    ("continuous", {"n": 1, "mean": 1, "sd": 1}, "below 2"),
    ("continuous", {"n": 8, "median": 1}, "without both quartiles"),
    ("continuous", {"n": 8, "median": 1, "q1": 0.5}, "without both quartiles"),
    ("continuous", {"n": 8, "median": 1, "se": 1}, "without both quartiles"),
    ("continuous", {"n": 8, "mean": 1, "sd": 0}, "spread is 0"),
    ("continuous", {"n": 8, "mean": 1, "se": 0}, "spread is 0"),
    ("continuous", {"n": 8, "mean": 1, "ci_lower": 1, "ci_upper": 1}, "spread is 0"),
    ("continuous", {"n": 8, "mean": 1, "ci_lower": 2, "ci_upper": 1}, "wrong order"),
    ("continuous", {"n": 8, "median": 1, "q1": 1, "q3": 1}, "spread is 0"),
    ("continuous", {"n": 8, "mean": 1e200, "sd": 1}, "too large or too small"),
    ("continuous", {"n": 8, "mean": 1, "sd": 1e-200}, "too large or too small"),
    ("binary", {"n": 8}, "no number of events"),
    ("binary", {"events": 3}, "no n"),
    ("binary", {"n": 8, "events": 9}, "more events"),
    ("rate", {"events": 3}, "no exposure"),
    ("rate", {"exposure": 3}, "no number of events"),
    ("time_to_event", {"n": 8, "events": 3}, "time-to-event"),
]


class TestProblems:
    def test_each_has_its_reason_place_and_remedy(self, rows):
        line = {}
        for i, (kind, given, _) in enumerate(PROBLEMS):
            rows.outcome(kind, kind)
            rows.measure(f"s{i}", "a", kind, **given)
            line[f"s{i}"] = rows.line
        assert rows.query("select * from measurement_standard") == []
        found = {row["study"]: row for row in rows.query("select * from exclusion")}
        assert len(found) == len(PROBLEMS)
        for i, (_, given, word) in enumerate(PROBLEMS):
            row = found[f"s{i}"]
            assert word in row["reason"], given
            assert row["remedy"]
            assert (row["stage"], row["arm"]) == ("measurement_standard", "a")
            assert (row["source_file"], row["source_line"]) == ("measurements.csv", line[f"s{i}"])

    def test_unit_of_another_dimension(self, rows, units):
        rows.outcome("alt", unit="U/L")
        rows.measure("s", "a", n=8, mean=1, sd=1, unit="pg/mL")
        row = rows.one("select * from exclusion")
        assert row["reason"] == "the unit pg/mL cannot be converted into U/L, the unit of the outcome"

    def test_superseded_reading_says_what_counts(self, rows):
        rows.measure("s", "a", n=8, mean=1, sd=1, extractor="anna")
        line = rows.line
        rows.measure("s", "a", n=8, mean=2, sd=1, extractor="zoe")
        row = rows.one("select * from exclusion where stage = 'measurement_final'")
        assert row["source_line"] == rows.line
        assert row["reason"] == (
            "a more cautious reading of the same arm, outcome and time point counts, that of anna "
            f"(measurements.csv:{line})"
        )


class TestReportedContrasts:
    def test_sign_follows_the_order_of_treatments(self, rows):
        rows.report("s", "control", "drug", estimate=2, se=0.5, n_a=10, n_b=20)
        row = rows.one("select * from reported_contrast_standard")
        assert (row["treatment_a"], row["treatment_b"], row["estimate"]) == ("drug", "control", -2)
        assert (row["n_a"], row["n_b"], row["std_error"]) == (20, 10, 0.5)

    @pytest.mark.parametrize("level", [None, 0.9])
    def test_standard_error_of_an_interval(self, rows, level):
        rows.report("s", "drug", "control", estimate=2, ci_lower=1, ci_upper=3, ci_level=level)
        z = stats.norm.ppf(0.5 + (level or 0.95) / 2)
        assert rows.one("select std_error from contrast")["std_error"] == pytest.approx(1 / z, rel=1e-12)

    def test_unit(self, rows, units):
        rows.outcome("alt", unit="U/L")
        rows.report("s", "drug", "control", estimate=2, se=0.5, var_base=0.1, unit="ukat/L")
        row = rows.one("select * from reported_contrast_standard")
        assert (row["estimate"], row["std_error"], row["variance_base"]) == (120, 30, 360)

    def test_readings(self, rows):
        rows.report("s", "drug", "control", estimate=2, se=0.5, extractor="anna")
        rows.report("s", "control", "drug", estimate=-3, se=0.5, extractor="consensus")
        assert rows.one("select estimate from contrast")["estimate"] == 3
        assert rows.one("select reason from exclusion")["reason"] == (
            "another reading of the same reported contrast counts"
        )

    @pytest.mark.parametrize(
        ("given", "word"),
        [({}, "neither a standard error"), ({"ci_lower": 2, "ci_upper": 2}, "no width")],
    )
    def test_problems(self, rows, given, word):
        rows.report("s", "drug", "control", estimate=2, **given)
        row = rows.one("select * from exclusion")
        assert word in row["reason"]
        assert row["arm"] == "drug, control"
        assert row["source_file"] == "contrasts.csv"


def test_study_variables(rows):
    rows.study("s1", year=2020, species="mouse")
    rows.study("s2", year=2021)
    rows.insert(
        "characteristic",
        [
            {"study": "s2", "characteristic": "funding", "value": "public", **rows.place("studies.csv")},
            {"study": "s2", "characteristic": "year", "value": "1999", **rows.place("studies.csv")},
        ],
    )
    found = rows.query("select * from study_variable order by study, variable")
    assert [tuple(row.values()) for row in found] == [
        ("s1", "species", "mouse"),
        ("s1", "year", "2020"),
        ("s2", "funding", "public"),
        ("s2", "year", "2021"),
    ]
