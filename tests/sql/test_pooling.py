"""Pooled estimates in SQL: metafor's numbers, closed forms, and what must not change them."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.database import connect
from evidence.store.objects import used_by

ORACLES = Path(__file__).parents[1] / "oracles"
KEYS = "outcome, measure, treatment_a, treatment_b"
CONTRAST = (
    "contrast_id", "study", "experiment", "outcome", "measure", "treatment_a", "treatment_b", "arm_a", "arm_b",
    "estimate", "std_error",
)  # fmt: skip
REPEATED = settings(
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def stand_in():
    """The pooling views over plain tables in place of the contrasts and study variables they read."""
    connection = connect(threads=1)
    text = [
        "contrast_id",
        "study",
        "experiment",
        "outcome",
        "measure",
        "treatment_a",
        "treatment_b",
        "arm_a",
        "arm_b",
    ]
    columns = ", ".join(f"{name} text" for name in text)
    connection.execute(f"create table comparison_contrast ({columns}, estimate double, std_error double)")
    connection.execute("create table study_variable (study text, variable text, value text)")
    for item in used_by(("pooled", "subgroup", "leave_one_out")):
        if item.room in ("macros", "pooling"):
            connection.execute(item.sql)
    yield connection
    connection.close()


class Pooling:
    """Fills the stand-in tables and reads the views as dictionaries."""

    def __init__(self, connection):
        self.connection = connection

    def fill(self, contrasts, variables=()) -> Pooling:
        self.connection.execute("delete from comparison_contrast")
        self.connection.execute("delete from study_variable")
        columns = [[row[name] for row in contrasts] for name in CONTRAST]
        types = ["text[]"] * 9 + ["double[]"] * 2
        unnested = ", ".join(f"unnest(cast(? as {kind}))" for kind in types)
        self.connection.execute(f"insert into comparison_contrast select {unnested}", columns)
        if variables:
            self.connection.executemany("insert into study_variable values (?, ?, ?)", list(variables))
        return self

    def effects(self, estimates, variances, **constant) -> Pooling:
        return self.fill(studies(estimates, variances, **constant))

    def view(self, name: str, order: str = "1, 2, 3, 4, 5, 6") -> list[dict]:
        cursor = self.connection.execute(f"select * from {name} order by {order}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self) -> dict:
        (row,) = self.view("pooled")
        return row


@pytest.fixture
def pooling(stand_in) -> Pooling:
    return Pooling(stand_in)


def contrast(study: str, estimate: float, std_error: float, **other) -> dict:
    row = {
        "study": study,
        "experiment": "main",
        "outcome": "alt",
        "measure": "MD",
        "treatment_a": "A",
        "treatment_b": "B",
        "arm_a": "a",
        "arm_b": "b",
        "estimate": estimate,
        "std_error": std_error,
        **other,
    }
    parts = ("study", "experiment", "outcome", "measure", "arm_a", "arm_b")
    return {"contrast_id": "|".join(row[part] for part in parts), **row}


def studies(estimates, variances, **constant) -> list[dict]:
    return [
        contrast(f"study {i:04d}", y, math.sqrt(v), **constant)
        for i, (y, v) in enumerate(zip(estimates, variances, strict=True))
    ]


def close(expected, rel=1e-10, abs=1e-14):
    return pytest.approx(expected, rel=rel, abs=abs)


def check_common(row: dict, reference: dict, **tolerance) -> None:
    """A row of the views against metafor's common-effect fit."""
    assert row["common_estimate"] == close(reference["beta"], **tolerance)
    assert row["common_std_error"] == close(reference["se"], **tolerance)
    assert row["Q"] == close(reference["QE"], **tolerance)
    if row["k"] > 1:
        assert row["p_Q"] == close(reference["QEp"], rel=1e-8, abs=1e-300)
    for name, column in (
        ("ci_lb", "common_ci_lower"),
        ("ci_ub", "common_ci_upper"),
        ("pval", "common_p_value"),
    ):
        if name in reference:
            assert row[column] == close(reference[name], rel=1e-8, abs=1e-300)


def check_random(row: dict, reference: dict, **tolerance) -> None:
    """A row of the views against metafor's DerSimonian-Laird fit."""
    assert row["tau2"] == close(reference["tau2"], **tolerance)
    assert row["random_estimate"] == close(reference["beta"], **tolerance)
    assert row["random_std_error"] == close(reference["se"], **tolerance)
    for name, column in (
        ("ci_lb", "random_ci_lower"),
        ("ci_ub", "random_ci_upper"),
        ("pval", "random_p_value"),
    ):
        if name in reference:
            assert row[column] == close(reference[name], rel=1e-8, abs=1e-300)
    if "I2" in reference and row["k"] > 1:
        assert row["I2"] * 100 == close(reference["I2"], rel=1e-9, abs=1e-10)
        assert row["H2"] == close(reference["H2"], rel=1e-9)


def check_hartung_knapp(row: dict, reference: dict) -> None:
    assert row["hk_std_error"] == close(reference["se"])
    assert row["hk_ci_lower"] == close(reference["ci_lb"], rel=1e-9, abs=0)
    assert row["hk_ci_upper"] == close(reference["ci_ub"], rel=1e-9, abs=0)
    assert row["hk_p_value"] == close(reference["pval"], rel=1e-8, abs=1e-300)


def check_omissions(rows: list[dict], reference: dict) -> None:
    """leave_one_out against metafor's leave1out with DerSimonian and Laird's tau2."""
    names = {
        "estimate": "random_estimate", "se": "random_std_error", "zval": "random_z", "pval": "random_p_value",
        "ci.lb": "random_ci_lower", "ci.ub": "random_ci_upper", "Q": "Q", "Qp": "p_Q", "tau2": "tau2", "H2": "H2",
    }  # fmt: skip
    assert len(rows) == len(reference["estimate"])
    for i, row in enumerate(rows):
        for theirs, ours in names.items():
            assert row[ours] == close(reference[theirs][i], rel=1e-8, abs=1e-11), (ours, row["omitted_study"])
        assert row["I2"] * 100 == close(reference["I2"][i], rel=1e-8, abs=1e-9)


def check_prediction(row: dict) -> None:
    if row["k"] < 3:
        assert row["pi_lower"] is None
        assert row["pi_upper"] is None
        return
    half = stats.t.ppf(0.975, row["k"] - 2) * math.sqrt(row["tau2"] + row["random_std_error"] ** 2)
    assert row["pi_lower"] == close(row["random_estimate"] - half)
    assert row["pi_upper"] == close(row["random_estimate"] + half)


class TestMetafor:
    PINNED = json.loads((ORACLES / "pairwise_metafor.json").read_text(encoding="utf-8"))["data"]

    @pytest.mark.parametrize("name", [name for name, data in PINNED.items() if "yi" in data])
    def test_pooled(self, pooling, name):
        data = self.PINNED[name]
        row = pooling.effects(data["yi"], data["vi"]).one()
        assert row["k"] == row["n_studies"] == len(data["yi"])
        check_common(row, data["models"]["EE"])
        check_random(row, data["models"]["DL"])
        check_hartung_knapp(row, data["knapp_hartung"]["DL"])
        check_prediction(row)

    @pytest.mark.parametrize("name", [name for name, data in PINNED.items() if "leave1out_dl" in data])
    def test_leave_one_out(self, pooling, name):
        data = self.PINNED[name]
        check_omissions(pooling.effects(data["yi"], data["vi"]).view("leave_one_out"), data["leave1out_dl"])

    def test_subgroups(self, pooling):
        data = json.loads((ORACLES / "pooling_subgroup.json").read_text(encoding="utf-8"))
        contrasts = studies(data["yi"], data["vi"])
        allocation = [
            (row["study"], "allocation", value) for row, value in zip(contrasts, data["alloc"], strict=True)
        ]
        rows = pooling.fill(contrasts, allocation).view("subgroup")
        assert [row["level"] for row in rows] == list(data["levels"])
        for row in rows:
            check_common(row, data["levels"][row["level"]]["EE"])
            check_random(row, data["levels"][row["level"]]["DL"])
            assert row["df_between"] == 2
            assert row["q_between"] == close(data["between"]["DL"]["Q"])
            assert row["p_between"] == close(data["between"]["DL"]["p"])
            assert row["q_between_common"] == close(data["between"]["EE"]["Q"])
            assert row["p_between_common"] == close(data["between"]["EE"]["p"])

    @pytest.mark.oracle
    def test_every_reference_result(self, pooling, oracle, oracle_directory):
        references = {
            (file.stem, measure): data
            for file in (oracle_directory / "expected").glob("*.json")
            for measure, data in oracle(file.stem).get("pairwise", {}).get("measures", {}).items()
        }
        assert len(references) >= 20
        pooling.fill(
            [
                row
                for (name, measure), data in references.items()
                for row in studies(data["yi"], data["vi"], outcome=name, measure=measure)
            ]
        )
        omissions: dict[tuple, list[dict]] = {key: [] for key in references}
        for row in pooling.view("leave_one_out"):
            omissions[row["outcome"], row["measure"]].append(row)
        for row in pooling.view("pooled"):
            data = references.pop((row["outcome"], row["measure"]))
            check_common(row, data["models"]["EE"])
            check_random(row, data["models"]["DL"])
            check_hartung_knapp(row, data["knapp_hartung"]["DL"])
            check_omissions(omissions[row["outcome"], row["measure"]], data["leave1out_dl"])
        assert not references

    @pytest.mark.slow
    @pytest.mark.oracle
    @pytest.mark.parametrize("name", ["bcg", "karner2014", "raudenbush1985", "eklof2012", "statins"])
    def test_every_reference_subgroup(self, pooling, oracle, oracle_directory, name):
        import csv

        with open(oracle_directory / "data" / f"{name}.csv", encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream))
        checked = 0
        for data in oracle(name)["pairwise"]["measures"].values():
            contrasts = studies(data["yi"], data["vi"])
            for variable, reference in (data.get("moderators") or {}).items():
                if "subgroups_separate_tau2_DL" not in reference:
                    continue
                values = [
                    (row["study"], variable, line[variable])
                    for row, line in zip(contrasts, table, strict=True)
                    if line[variable] not in ("", "NA")
                ]
                rows = {row["level"]: row for row in pooling.fill(contrasts, values).view("subgroup")}
                for level, expected in reference["subgroups_separate_tau2_EE"].items():
                    check_common(rows[level], expected)
                for level, expected in reference["subgroups_separate_tau2_DL"].items():
                    check_random(rows[level], expected)
                    between = reference["Q_between_separate_tau2_DL"]
                    assert rows[level]["q_between"] == close(between["Q"], rel=1e-9)
                    assert rows[level]["p_between"] == close(between["p"], rel=1e-9)
                    assert rows[level]["q_between_common"] == close(
                        reference["Q_between_separate_tau2_EE"]["Q"]
                    )
                checked += 1
        assert checked

    @pytest.mark.slow
    @pytest.mark.oracle
    @pytest.mark.parametrize(
        "name",
        [
            "bcg", "curtis1998", "eae_pairwise", "eklof2012", "karner2014", "nielweise2007", "nielweise2008",
            "normand1999", "statins",
        ],
    )  # fmt: skip
    def test_from_arms_to_pooled(self, rows, load_oracle, name):
        references = load_oracle(name)["pairwise"]["measures"]
        found = {row["measure"]: row for row in rows.query("select * from pooled")}
        checked = 0
        for measure, data in references.items():
            row = found[measure]
            assert row["treatment_b"] == "control"
            # The reference keeps studies without any event; here they are left out of ratios.
            if row["k"] == len(data["yi"]):
                check_common(row, data["models"]["EE"])
                check_random(row, data["models"]["DL"])
                check_hartung_knapp(row, data["knapp_hartung"]["DL"])
                checked += 1
        assert checked


class TestClosedForms:
    def test_one_contrast(self, pooling):
        row = pooling.effects([2.0], [0.25]).one()
        assert (row["k"], row["n_studies"], row["df"], row["Q"], row["tau2"]) == (1, 1, 0, 0, 0)
        assert row["common_estimate"] == row["random_estimate"] == 2
        assert row["common_std_error"] == row["random_std_error"] == 0.5
        assert row["common_p_value"] == close(2 * stats.norm.sf(4))
        assert (row["common_ci_lower"], row["random_ci_upper"]) == close(
            (2 - 0.5 * stats.norm.ppf(0.975), 2 + 0.5 * stats.norm.ppf(0.975))
        )
        empty = [
            "hk_std_error",
            "hk_ci_lower",
            "hk_ci_upper",
            "hk_t",
            "hk_p_value",
            "pi_lower",
            "pi_upper",
            "p_Q",
            "I2",
            "H2",
        ]
        assert {name: row[name] for name in empty} == dict.fromkeys(empty)

    def test_two_contrasts(self, pooling):
        row = pooling.effects([1.0, 3.0], [0.5, 0.5]).one()
        assert (row["Q"], row["df"], row["tau2"], row["I2"], row["H2"]) == close((4, 1, 1.5, 0.75, 4))
        assert (row["common_estimate"], row["random_estimate"]) == (2, 2)
        assert (row["common_std_error"], row["random_std_error"], row["hk_std_error"]) == close((0.5, 1, 1))
        assert row["hk_ci_upper"] == close(2 + stats.t.ppf(0.975, 1))
        assert row["hk_p_value"] == close(2 * stats.t.sf(2, 1))
        assert row["pi_lower"] is None

    def test_identical_effects(self, pooling):
        row = pooling.effects([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]).one()
        assert (row["Q"], row["tau2"], row["I2"], row["H2"], row["p_Q"]) == close((0, 0, 0, 1, 1), abs=1e-12)
        # Effects that agree leave the Hartung-Knapp interval no width: its factor is then kept at 1.
        assert row["hk_std_error"] == close(row["random_std_error"], rel=1e-12)

    def test_equal_variances_are_the_plain_mean(self, pooling):
        y = np.random.default_rng(7).normal(5, 3, 40)
        row = pooling.effects(y, [1.0] * 40).one()
        assert row["common_estimate"] == row["random_estimate"] == close(float(np.mean(y)))
        assert row["tau2"] == close(float(np.var(y, ddof=1)) - 1)
        # With equal variances Hartung and Knapp's test is the t test of one sample.
        test = stats.ttest_1samp(y, 0)
        assert row["hk_t"] == close(test.statistic)
        assert row["hk_p_value"] == close(test.pvalue, rel=1e-9, abs=0)

    def test_subgroup_of_one_level_has_no_test_of_differences(self, pooling):
        contrasts = studies([1, 2, 3], [1, 1, 1])
        rows = pooling.fill(contrasts, [(row["study"], "species", "mouse") for row in contrasts]).view(
            "subgroup"
        )
        assert len(rows) == 1
        assert rows[0]["k"] == 3
        assert rows[0]["q_between"] is None
        assert rows[0]["p_between"] is None

    def test_studies_without_a_value_are_in_no_level(self, pooling):
        contrasts = studies([1, 2, 3, 5], [1, 1, 1, 1])
        variables = [
            ("study 0000", "sex", "female"),
            ("study 0001", "sex", "male"),
            ("study 0003", "sex", "male"),
        ]
        rows = pooling.fill(contrasts, variables).view("subgroup")
        assert [(row["level"], row["k"], row["study_ids"]) for row in rows] == [
            ("female", 1, "study 0000"),
            ("male", 2, "study 0001,study 0003"),
        ]
        assert rows[0]["df_between"] == 1

    def test_very_small_p_values(self, pooling):
        row = pooling.effects([10.0, 10.5], [0.2, 0.2]).one()
        assert row["common_p_value"] == close(2 * stats.norm.sf(row["common_z"]), rel=1e-9, abs=0)
        assert 0 < row["common_p_value"] < 1e-200


class TestCounts:
    def test_contrasts_that_share_an_arm(self, pooling):
        rows = [
            contrast("Smith", 1, 1, arm_a="low dose", arm_b="control"),
            contrast("Smith", 2, 1, arm_a="high dose", arm_b="control"),
            contrast("Smith", 3, 1, arm_a="low dose", arm_b="control", experiment="second"),
            contrast("Jones", 4, 1),
            contrast("Jones", 4, 1, treatment_a="C", arm_a="c"),
        ]
        first, second = pooling.fill(rows).view("pooled")
        assert (first["k"], first["n_studies"], first["n_shared"]) == (4, 2, 2)
        assert first["study_ids"] == "Jones,Smith"
        # The third arm of Jones is compared elsewhere: nothing is shared within one comparison.
        assert (second["treatment_a"], second["k"], second["n_shared"]) == ("C", 1, 0)

    def test_leaving_out_a_study_takes_all_its_contrasts(self, pooling):
        rows = [
            contrast("Smith", 1, 1, arm_a="low dose"),
            contrast("Smith", 2, 1, arm_a="high dose"),
            contrast("Jones", 4, 1),
        ]
        omissions = pooling.fill(rows).view("leave_one_out")
        assert [(row["omitted_study"], row["k"], row["n_studies"], row["n_shared"]) for row in omissions] == [
            ("Jones", 2, 1, 2),
            ("Smith", 1, 1, 0),
        ]
        assert omissions[1]["random_estimate"] == 4

    def test_a_single_study_cannot_be_left_out(self, pooling):
        assert pooling.effects([1.0], [1.0]).view("leave_one_out") == []

    def test_above_a_thousand_studies_none_is_left_out(self, pooling):
        """The work grows with the square; the comparisons beside it go on."""
        many = studies([0.1 * (i % 7) for i in range(1001)], [0.1] * 1001, outcome="many")
        few = studies([0.1, 0.2, 0.3], [0.1] * 3, outcome="few")
        pooling.fill([*many, *few])
        assert {row["outcome"]: row["k"] for row in pooling.view("pooled")} == {"many": 1001, "few": 3}
        assert [row["outcome"] for row in pooling.view("leave_one_out")] == ["few"] * 3

    def test_contrasts_without_a_usable_standard_error_are_not_pooled(self, pooling):
        rows = [
            contrast("Smith", 1, 1),
            contrast("Jones", 2, 0),
            contrast("Brown", 3, None),
            contrast("Green", None, 1),
        ]
        row = pooling.fill(rows).one()
        assert (row["k"], row["study_ids"], row["common_estimate"]) == (1, "Smith", 1)

    def test_outcomes_and_measures_stand_apart(self, pooling):
        rows = [
            contrast("Smith", 1, 1),
            contrast("Smith", 2, 1, outcome="ast"),
            contrast("Smith", 3, 1, measure="SMD"),
            contrast("Smith", 4, 1, treatment_b="C", arm_b="c"),
        ]
        found = pooling.fill(rows).view("pooled")
        assert [row["common_estimate"] for row in found] == [1, 4, 3, 2]


class TestAccuracy:
    Y = np.array([0.3, -0.1, 0.5, 0.2, 0.9, 0.0, 0.4])
    V = np.array([0.02, 0.05, 0.01, 0.2, 0.03, 0.04, 0.015])
    NUMBERS = ("Q", "tau2", "I2", "common_std_error", "random_std_error", "hk_std_error")

    def test_a_large_common_offset(self, pooling):
        # 2^20: adding it to these numbers, each a multiple of 2^-30, rounds nothing away.
        y = np.round(self.Y * 2**30) / 2**30
        plain = pooling.effects(y, self.V).one()
        moved = pooling.effects(y + 2**20, self.V).one()
        for name in self.NUMBERS:
            assert moved[name] == close(plain[name], rel=1e-12), name
        assert moved["random_estimate"] - 2**20 == close(plain["random_estimate"], abs=1e-9)

    def test_one_overwhelming_weight(self, pooling):
        from fractions import Fraction

        y, v = [*self.Y, 5.0], [*self.V, 1e-14]
        row = pooling.effects(y, v).one()
        w = [1 / (Fraction(math.sqrt(one)) ** 2) for one in v]
        ys = [Fraction(one) for one in y]
        centre = sum(a * b for a, b in zip(w, ys)) / sum(w)
        q = sum(a * (b - centre) ** 2 for a, b in zip(w, ys))
        c = sum(w) - sum(a * a for a in w) / sum(w)
        assert row["Q"] == close(float(q), rel=1e-12)
        assert row["tau2"] == close(float((q - len(w) + 1) / c), rel=1e-12)

    def test_leaving_out_the_overwhelming_outlier(self, pooling):
        plain = pooling.effects(self.Y, self.V).one()
        rows = pooling.effects([*self.Y, 1e6], [*self.V, 1e-10]).view("leave_one_out")
        last = rows[-1]
        assert last["omitted_study"] == "study 0007"
        for name in (*self.NUMBERS, "common_estimate", "random_estimate", "p_Q"):
            assert last[name] == close(plain[name], rel=1e-13), name

    def test_leave_one_out_is_pooled_without_that_study(self, pooling):
        draw = np.random.default_rng(3)
        rows = studies(draw.normal(0, 1, 12), draw.uniform(0.01, 2, 12))
        omissions = pooling.fill(rows).view("leave_one_out")
        without = [
            {**row, "outcome": f"without {omitted['study']}"}
            for omitted in rows
            for row in rows
            if row is not omitted
        ]
        assert len(omissions) == 12
        for omission, alone in zip(omissions, pooling.fill(without).view("pooled"), strict=True):
            for name, value in alone.items():
                if not isinstance(value, str):
                    assert omission[name] == close(value, rel=1e-12), name


NUMBERS_THAT_SCALE = (
    "common_estimate", "common_std_error", "common_ci_lower", "random_estimate", "random_std_error", "random_ci_upper",
    "hk_std_error", "hk_ci_lower", "pi_upper",
)  # fmt: skip
NUMBERS_THAT_STAY = (
    "common_z",
    "common_p_value",
    "random_p_value",
    "hk_p_value",
    "Q",
    "p_Q",
    "I2",
    "H2",
    "k",
    "df",
)
# Ten comparisons at a time, each an outcome of its own: most of the time of a query goes into planning it.
EFFECT = st.tuples(st.floats(-50, 50).map(lambda y: round(y, 6)), st.floats(0.01, 10))
COMPARISONS = st.lists(st.lists(EFFECT, min_size=1, max_size=8), min_size=10, max_size=10)


def comparisons(drawn, change=lambda row: row) -> list[dict]:
    """Contrasts of several comparisons, told apart by their outcome."""
    return [
        change(row)
        for number, effects in enumerate(drawn)
        for row in studies(*zip(*effects, strict=True), outcome=f"outcome {number}")
    ]


class TestInvariance:
    @pytest.mark.slow
    @REPEATED
    @given(drawn=COMPARISONS, power=st.integers(-6, 6))
    def test_unit(self, pooling, drawn, power):
        scale = 10.0**power
        plain = pooling.fill(comparisons(drawn)).view("pooled")

        def convert(row):
            return {**row, "estimate": row["estimate"] * scale, "std_error": row["std_error"] * scale}

        scaled = pooling.fill(comparisons(drawn, convert)).view("pooled")
        for before, after in zip(plain, scaled, strict=True):
            for name in NUMBERS_THAT_SCALE:
                if before[name] is not None:
                    assert after[name] / scale == pytest.approx(before[name], rel=1e-9, abs=1e-10), name
            assert after["tau2"] / scale**2 == pytest.approx(before["tau2"], rel=1e-9, abs=1e-9)
            for name in ("Q", "I2", "H2", "k", "df"):
                if before[name] is not None:
                    assert after[name] == pytest.approx(before[name], rel=1e-9, abs=1e-9), name

    def test_unit_by_powers_of_two_is_exact(self, pooling):
        draw = np.random.default_rng(11)
        rows = studies(draw.normal(1, 2, 15), draw.uniform(0.1, 3, 15))
        plain = pooling.fill(rows).one()
        big = [
            {**row, "estimate": row["estimate"] * 2**20, "std_error": row["std_error"] * 2**20}
            for row in rows
        ]
        scaled = pooling.fill(big).one()
        assert [scaled[name] for name in NUMBERS_THAT_SCALE] == [
            plain[name] * 2**20 for name in NUMBERS_THAT_SCALE
        ]
        assert [scaled[name] for name in NUMBERS_THAT_STAY] == [plain[name] for name in NUMBERS_THAT_STAY]

    @pytest.mark.slow
    @REPEATED
    @given(drawn=COMPARISONS)
    def test_sign(self, pooling, drawn):
        plain = pooling.fill(comparisons(drawn)).view("pooled")
        negated = comparisons(drawn, lambda row: {**row, "estimate": -row["estimate"]})
        for before, after in zip(plain, pooling.fill(negated).view("pooled"), strict=True):
            assert after["random_estimate"] == -before["random_estimate"]
            assert after["random_ci_lower"] == -before["random_ci_upper"]
            if before["pi_upper"] is not None:
                assert after["pi_lower"] == -before["pi_upper"]
            for name in NUMBERS_THAT_STAY[1:]:
                assert after[name] == before[name], name

    @pytest.mark.slow
    @REPEATED
    @given(drawn=COMPARISONS, order=st.randoms(use_true_random=False))
    def test_row_order_and_names(self, pooling, drawn, order):
        rows = comparisons(drawn)
        plain = pooling.fill(rows).view("pooled")
        assert plain
        shuffled = [
            {**row, "study": f"S{i}", "contrast_id": f"c{i}", "treatment_a": "Z"}
            for i, row in enumerate(rows)
        ]
        order.shuffle(shuffled)
        for before, after in zip(plain, pooling.fill(shuffled).view("pooled"), strict=True):
            for name, value in before.items():
                if value is not None and not isinstance(value, str):
                    assert after[name] == value, name


def test_asking_for_one_analysis_does_not_work_out_leave_one_out(stand_in):
    def numbers_studies(view: str) -> bool:
        plan = stand_in.execute(f"explain (format json) select * from {view}").fetchone()[1].lower()
        return "partition by outcome, measure, treatment_a, treatment_b order by study" in plan

    assert numbers_studies("leave_one_out")
    assert not numbers_studies("pooled")
    assert not numbers_studies("subgroup")


def test_leaving_out_studies_of_one_comparison_does_not_work_out_the_others(pooling):
    draw = np.random.default_rng(8)
    pooling.fill(
        [
            row
            for number in range(20)
            for row in studies(
                draw.normal(0, 1, 300), draw.uniform(0.1, 1, 300), treatment_a=f"drug {number}"
            )
        ]
    )
    every = "select * from leave_one_out"
    one = f"{every} where outcome = 'alt' and treatment_a = 'drug 7'"

    def seconds(query: str) -> tuple[list, float]:
        start = time.process_time()
        return pooling.connection.execute(query).fetchall(), time.process_time() - start

    asked, for_one = seconds(one)
    answer, for_every = seconds(every)
    assert sorted(asked) == sorted(row for row in answer if row[2] == "drug 7")
    assert for_one < for_every / 2


@pytest.mark.slow
def test_threads_and_row_order_change_no_bit():
    connection = connect(threads=1)
    connection.execute(
        """
        create table comparison_contrast as
        select
            concat('c', i) as contrast_id, concat('s', i) as study, 'main' as experiment, 'alt' as outcome,
            'MD' as measure, concat('A', i % 3) as treatment_a, 'B' as treatment_b, 'a' as arm_a, 'b' as arm_b,
            ln(i + 1) * sin(i) as estimate, 0.1 + abs(cos(i)) as std_error
        from range(6000) as drawn (i)
        """
    )
    connection.execute(
        "create table study_variable as select concat('s', i) as study, 'sex' as variable, i % 2 as value from range(6000) as drawn (i)"
    )
    for item in used_by(("pooled", "subgroup", "leave_one_out")):
        if item.room in ("macros", "pooling"):
            connection.execute(item.sql)

    def answers() -> list:
        return [
            connection.execute(f"select * from {view} order by all").fetchall()
            for view in ("pooled", "subgroup")
        ]

    plain = answers()
    connection.execute("set threads = 4")
    assert all(answers() == plain for _ in range(3))
    connection.execute(
        "create table turned as select * from comparison_contrast order by sin(length(study)), study desc"
    )
    connection.execute("delete from comparison_contrast")
    connection.execute("insert into comparison_contrast select * from turned")
    assert answers() == plain
    connection.close()


def test_a_million_terms_of_leave_one_out(pooling):
    draw = np.random.default_rng(5)
    rows = pooling.effects(draw.normal(0, 1, 1000), draw.uniform(0.1, 1, 1000)).view("leave_one_out")
    assert len(rows) == 1000
    assert {row["k"] for row in rows} == {999}


def test_many_degrees_of_freedom(pooling):
    draw = np.random.default_rng(6)
    y, v = draw.normal(0, 2, 5000), draw.uniform(0.1, 1, 5000)
    row = pooling.effects(y, v).one()
    w = 1 / v
    q = float(np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2))
    assert row["Q"] == close(q)
    assert row["p_Q"] == pytest.approx(stats.chi2.sf(q, 4999), rel=1e-9) or row["p_Q"] == 0
