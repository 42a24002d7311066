"""Arm effects, contrasts, their covariance, and what is left out of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

# escalc of metafor 3.8-1 (Debian r-cran-metafor) with its defaults: yi, vi; ROM with the bias correction that is the
# default since metafor 4.8, yi = ln(10 / 7) + (4 / 400 - 9 / 245) / 2.
ESCALC = {
    ("continuous", "MD"): (3, 2.7999999999999998),
    ("continuous", "SMD"): (1.0175642642225642, 0.50752427954571155),
    ("continuous", "ROM"): (0.34330759699995688, 0.046734693877551026),
    ("binary", "OR"): (-0.79013944654725521, 0.59056956115779646),
    ("binary", "RR"): (-0.62415430907299396, 0.3861904761904762),
    ("binary", "RD"): (-0.13000000000000003, 0.014439),
    ("rate", "IRR"): (-0.92127827338519408, 0.44444444444444442),
    ("rate", "IRD"): (-0.045149253731343278, 0.00092202235093190765),
}
GIVEN = {
    "continuous": ({"mean": 10, "sd": 2, "n": 4}, {"mean": 7, "sd": 3, "n": 5}),
    "binary": ({"events": 3, "n": 20}, {"events": 7, "n": 25}),
    "rate": ({"events": 3, "exposure": 100.5}, {"events": 9, "exposure": 120}),
}


def contrast(rows, measure: str, view: str = "contrast") -> dict:
    return rows.one(f"select * from {view} where measure = ?", [measure])


def two_arms(rows, kind: str, drug: dict, control: dict, study: str = "s", **shared) -> None:
    rows.outcome("y", kind)
    rows.measure(study, "drug", "y", **drug, **shared)
    rows.measure(study, "control", "y", **control, **shared)


class TestTwoArms:
    @pytest.mark.parametrize("kind", GIVEN)
    def test_equal_escalc(self, rows, kind):
        two_arms(rows, kind, *GIVEN[kind])
        found = {row["measure"]: row for row in rows.query("select * from contrast")}
        assert set(found) == {measure for of, measure in ESCALC if of == kind}
        for measure, row in found.items():
            y, v = ESCALC[kind, measure]
            assert row["estimate"] == pytest.approx(y, rel=1e-14)
            assert row["std_error"] ** 2 == pytest.approx(v, rel=1e-14)
            assert (row["treatment_a"], row["treatment_b"]) == ("drug", "control")
            assert (row["origin"], row["shared_arm"], row["measurement_ids"]) == ("arms", False, "1,2")

    @pytest.mark.parametrize(
        ("n_1", "n_2", "y", "v"),
        [
            (400, 500, 0.19188610798847336, 0.0045204557102438694),
            (40000, 50000, 0.19205363193752331, 4.5204914430779967e-05),
        ],
    )
    def test_smd_of_large_groups(self, rows, n_1, n_2, y, v):
        two_arms(rows, "continuous", {"mean": 10, "sd": 2, "n": n_1}, {"mean": 9.5, "sd": 3, "n": n_2})
        assert contrast(rows, "SMD")["estimate"] == pytest.approx(y, rel=1e-10)
        assert contrast(rows, "SMD")["std_error"] ** 2 == pytest.approx(v, rel=1e-10)

    @pytest.mark.parametrize("m", [2, 3, 5, 17, 199, 200, 201, 202, 1000, 10_000])
    def test_hedges_correction_is_exact(self, empty_database, m):
        # By the recurrence of the gamma function J(m) J(m - 1) = (m - 2) / sqrt(m (m - 1)); J(2) = 1 / sqrt(pi).
        j = 1 / math.sqrt(math.pi)
        for k in range(3, m + 1):
            j = (k - 2) / math.sqrt(k * (k - 1)) / j
        (found,) = empty_database.execute("select hedges_correction(?::double)", [m]).fetchone()
        assert found == pytest.approx(j, rel=2e-12)

    def test_hedges_correction_joins_its_two_ranges(self, empty_database):
        rows = empty_database.execute(
            "select hedges_correction(200.0), hedges_correction(200.0001), hedges_correction(1.0), hedges_correction(1e9)"
        ).fetchone()
        assert rows[1] - rows[0] == pytest.approx(3 * 4e-4 / 799**2, rel=1e-3)
        assert rows[2] is None
        assert rows[3] == pytest.approx(1 - 0.75e-9, rel=1e-15)

    def test_order_is_active_control_sham_then_by_name(self, rows):
        for treatment, role in (("b", "active"), ("a", "active"), ("0", "control"), ("00", "sham")):
            rows.treatment(treatment, role)
            rows.arm("s", f"arm {treatment}", treatment)
            rows.measure("s", f"arm {treatment}", n=5, mean=1, sd=1)
        found = rows.query("select treatment_a, treatment_b from contrast where measure = 'MD' order by all")
        assert [tuple(row.values()) for row in found] == [
            ("0", "00"), ("a", "0"), ("a", "00"), ("a", "b"), ("b", "0"), ("b", "00"),
        ]  # fmt: skip

    def test_only_within_study_experiment_outcome_and_time(self, rows):
        keys = [
            ("s", "e", "y", 1),
            ("t", "e", "y", 1),
            ("s", "f", "y", 1),
            ("s", "e", "z", 1),
            ("s", "e", "y", None),
        ]
        for arm, (study, experiment, outcome, timepoint) in zip("abcde", keys, strict=True):
            rows.measure(study, arm, outcome, experiment, timepoint=timepoint, n=5, mean=1, sd=1)
        assert rows.query("select * from contrast") == []
        assert len(rows.query("select * from exclusion where stage = 'contrast' and measure is null")) == 5

    def test_no_time_point_equals_no_time_point(self, rows):
        two_arms(rows, "continuous", *GIVEN["continuous"], timepoint=None)
        two_arms(rows, "continuous", *GIVEN["continuous"], timepoint=7)
        found = rows.query("select contrast_id from contrast where measure = 'MD' order by all")
        assert [row["contrast_id"] for row in found] == [
            "s|main|y|7.0|MD|drug|control",
            "s|main|y||MD|drug|control",
        ]

    def test_arms_of_the_same_treatment_are_not_compared(self, rows):
        rows.arm("s", "low", "drug")
        rows.arm("s", "high", "drug")
        for arm in ("low", "high", "control"):
            rows.measure("s", arm, n=5, mean=1, sd=1)
        found = rows.query("select arm_a, arm_b, shared_arm from contrast where measure = 'MD' order by all")
        assert [tuple(row.values()) for row in found] == [("high", "control", True), ("low", "control", True)]


class TestZeroCells:
    # escalc of metafor 3.8-1: yi, vi.
    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            (
                0,
                {
                    "OR": (-2.8107043551622937, 2.2361678751922653),
                    "RR": (-2.4944761008041509, 2.0472527472527475),
                    "RD": (-0.2646520146520146, 0.0090010795881161777),
                },
            ),
            (
                20,
                {
                    "OR": (4.6164397782463213, 2.2361678751922653),
                    "RR": (1.219095965900157, 0.096033235057625316),
                    "RD": (0.68772893772893773, 0.0090010795881161777),
                },
            ),
        ],
    )
    def test_half_is_added_where_a_cell_is_zero_and_only_there(self, rows, events, expected):
        two_arms(rows, "binary", {"events": events, "n": 20}, {"events": 7, "n": 25}, study="zero")
        two_arms(rows, "binary", *GIVEN["binary"], study="other")
        for measure, (y, v) in expected.items():
            zero, other = (
                rows.one("select * from contrast where measure = ? and study = ?", [measure, study])
                for study in ("zero", "other")
            )
            assert zero["estimate"] == pytest.approx(y, rel=1e-14)
            assert zero["std_error"] ** 2 == pytest.approx(v, rel=1e-14)
            assert other["estimate"] == pytest.approx(ESCALC["binary", measure][0], rel=1e-14)

    def test_rate(self, rows):
        two_arms(rows, "rate", {"events": 0, "exposure": 100.5}, {"events": 9, "exposure": 120})
        assert contrast(rows, "IRR")["estimate"] == pytest.approx(-2.7671049638835248, rel=1e-14)
        assert contrast(rows, "IRR")["std_error"] ** 2 == pytest.approx(2.1052631578947367, rel=1e-14)
        assert contrast(rows, "IRD")["estimate"] == pytest.approx(-0.074191542288557205, rel=1e-14)
        assert contrast(rows, "IRD")["std_error"] ** 2 == pytest.approx(0.0007092259473775402, rel=1e-14)

    @pytest.mark.parametrize(
        ("drug", "control", "word", "silent"),
        [(0, 0, "no arm of the study has an event", ["OR", "RR"]), (20, 25, "all", ["OR"])],
    )
    def test_what_tells_nothing_of_a_ratio_tells_something_of_others(self, rows, drug, control, word, silent):
        """Where all have the event the risk ratio is 1, and only the odds ratio is unknown."""
        two_arms(rows, "binary", {"events": drug, "n": 20}, {"events": control, "n": 25})
        given = {row["measure"] for row in rows.query("select measure from contrast")}
        assert given == {"OR", "RR", "RD"} - set(silent)
        found = rows.query("select * from exclusion order by measure, arm")
        assert [(row["measure"], row["arm"], row["stage"]) for row in found] == [
            (measure, arm, "arm_effect") for measure in silent for arm in ("control", "drug")
        ]
        assert all(word in row["reason"] and row["remedy"] for row in found)

    def test_difference_without_events_as_escalc(self, rows):
        two_arms(rows, "binary", {"events": 0, "n": 20}, {"events": 0, "n": 25})
        assert contrast(rows, "RD")["estimate"] == pytest.approx(0.0045787545787545764, rel=1e-12)
        assert contrast(rows, "RD")["std_error"] ** 2 == pytest.approx(0.0018322129517939201, rel=1e-12)

    def test_no_events_leave_no_rate_ratio(self, rows):
        two_arms(rows, "rate", {"events": 0, "exposure": 10}, {"events": 0, "exposure": 12})
        assert contrast(rows, "IRD")["estimate"] == pytest.approx(0.0083333333333333384, rel=1e-14)
        assert contrast(rows, "IRD")["std_error"] ** 2 == pytest.approx(0.0084722222222222213, rel=1e-14)
        assert {row["measure"] for row in rows.query("select measure from contrast")} == {"IRD"}
        assert {row["measure"] for row in rows.query("select measure from exclusion")} == {"IRR"}

    def test_all_arms_of_the_study_are_corrected(self, rows):
        rows.outcome("y", "binary")
        for arm, events in (("a", 0), ("b", 3), ("c", 5)):
            rows.measure("s", arm, "y", events=events, n=10)
        found = {r["arm"]: r for r in rows.query("select * from arm_effect where measure = 'OR'")}
        assert found["c"]["y"] == pytest.approx(math.log(5.5 / 5.5), abs=1e-15)
        assert found["b"]["y"] == pytest.approx(math.log(3.5 / 7.5), rel=1e-14)
        assert found["a"]["v"] == pytest.approx(1 / 0.5 + 1 / 10.5, rel=1e-14)


class TestOtherMeasures:
    def test_rom_needs_means_above_zero(self, rows):
        two_arms(rows, "continuous", {"mean": -1, "sd": 2, "n": 4}, {"mean": 7, "sd": 3, "n": 5})
        assert {row["measure"] for row in rows.query("select measure from contrast")} == {"MD", "SMD"}
        found = rows.query("select arm, stage, reason from exclusion order by arm")
        assert [(row["arm"], row["stage"]) for row in found] == [
            ("control", "contrast"),
            ("drug", "arm_effect"),
        ]
        assert (
            found[0]["reason"] == "no arm with another treatment in the same study and experiment gives ROM"
        )

    def test_nmd(self, rows):
        # GALENOS LSR3: 100 (C - T) / (C - S); SDs scaled by the same factor.
        for arm, mean in (("drug", 60), ("control", 100), ("sham", 20)):
            rows.measure("s", arm, n=8, mean=mean, sd=16)
        drug = rows.one(
            "select * from contrast where measure = 'NMD' and treatment_a = 'drug' and treatment_b = 'control'"
        )
        assert drug["estimate"] == pytest.approx(50, rel=1e-15)
        assert drug["std_error"] == pytest.approx(math.sqrt(2 * 20**2 / 8), rel=1e-14)
        sham = rows.one("select y from arm_effect where measure = 'NMD' and arm = 'sham'")
        assert sham["y"] == 100

    @pytest.mark.parametrize(
        ("arms", "word"),
        [
            ((("drug", 1), ("control", 2)), "no sham arm"),
            ((("drug", 1), ("sham", 2)), "no control arm"),
            ((("drug", 1), ("control", 2), ("sham", 2)), "same mean"),
            ((("drug", 1), ("control", 2), ("placebo", 2), ("sham", 3)), "several control"),
        ],
    )
    def test_nmd_is_refused_by_name(self, rows, arms, word):
        rows.measure("other", "sham", n=5, mean=1, sd=1)
        for arm, mean in arms:
            rows.measure("s", arm, n=5, mean=mean, sd=1)
        assert rows.query("select * from contrast where measure = 'NMD'") == []
        found = rows.query("select reason, remedy from exclusion where measure = 'NMD' and study = 's'")
        assert len(found) == len(arms)
        assert all(word in row["reason"] and row["remedy"] for row in found)

    def test_nmd_is_no_question_without_any_sham(self, rows):
        two_arms(rows, "continuous", *GIVEN["continuous"])
        assert rows.query("select * from exclusion") == []

    def test_raw_means_of_several_units_are_not_compared(self, rows):
        rows.unit("s", "time", 1)
        rows.unit("m", "length", 1)
        for study, unit in (("one", "s"), ("two", "m")):
            for arm in ("drug", "control"):
                rows.measure(study, arm, n=5, mean=1, sd=1, unit=unit)
        assert {row["measure"] for row in rows.query("select measure from contrast")} == {"SMD", "ROM"}
        assert {row["measure"] for row in rows.query("select measure from contrast_network")} == {
            "SMD",
            "ROM",
        }
        found = rows.query("select * from exclusion")
        assert len(found) == 4
        assert all(row["measure"] == "MD" and "measured in several" in row["reason"] for row in found)

    def test_arms_in_different_units_are_not_compared(self, rows):
        rows.unit("s", "time", 1)
        rows.unit("m", "length", 1)
        rows.measure("s", "drug", n=5, mean=1, sd=1, unit="s")
        rows.measure("s", "control", n=5, mean=1, sd=1, unit="m")
        assert rows.query("select * from contrast") == []
        assert all("other units" in row["reason"] for row in rows.query("select reason from exclusion"))


class TestThreeArms:
    @pytest.fixture
    def three(self, rows):
        for arm, n, mean, sd in (("a", 4, 10, 2), ("b", 6, 7, 3), ("control", 5, 5, 1)):
            rows.measure("s", arm, n=n, mean=mean, sd=sd)
        return rows

    def test_cohens_d_with_the_sd_of_all_arms(self, three):
        # Crippa and Orsini 2016, equation 5: s^2 = (3 * 4 + 5 * 9 + 4 * 1) / 12, N = 15.
        sd = math.sqrt(61 / 12)
        d = 3 / sd
        row = three.one(
            "select * from contrast_network where measure = 'SMD' and arm_a = 'a' and arm_b = 'b'"
        )
        assert row["estimate"] == pytest.approx(d, rel=1e-14)
        assert row["std_error"] ** 2 == pytest.approx(1 / 4 + 1 / 6 + d**2 / 30, rel=1e-14)
        j = math.exp(math.lgamma(6) - math.lgamma(5.5)) / math.sqrt(6)
        assert row["estimate_g"] == pytest.approx(j * d, rel=1e-14)
        assert row["std_error_g"] ** 2 == pytest.approx(1 / 4 + 1 / 6 + (j * d) ** 2 / 30, rel=1e-14)

    def test_two_arms_give_the_g_of_the_pair(self, rows):
        two_arms(rows, "continuous", *GIVEN["continuous"])
        pair, network = contrast(rows, "SMD"), contrast(rows, "SMD", "contrast_network")
        assert network["estimate_g"] == pytest.approx(pair["estimate"], rel=1e-14)
        assert network["std_error_g"] == pytest.approx(pair["std_error"], rel=1e-14)

    def test_additive_measures_are_those_of_contrast(self, three):
        differing = three.query(
            """
            select * from contrast join contrast_network using (contrast_id)
            where contrast.measure <> 'SMD' and (
                contrast.estimate <> contrast_network.estimate or contrast.std_error <> contrast_network.std_error
                or contrast.estimate <> contrast_network.estimate_g
            )
            """
        )
        assert differing == []

    def test_covariance_of_mean_differences(self, three):
        found = {
            (
                row["contrast_1"].split("|")[-2:][0],
                row["contrast_2"].split("|")[-2:][0],
                row["arm_shared"],
            ): row
            for row in three.query("select * from contrast_covariance where measure = 'MD'")
        }
        covariances = sorted((row["arm_shared"], row["covariance"]) for row in found.values())
        # a - b and a - control share a: + 4/4; a - b and b - control share b: - 9/6; both controls: + 1/5.
        assert covariances == [("a", 1.0), ("b", -1.5), ("control", pytest.approx(0.2))]
        assert all(row["covariance_g"] == row["covariance"] for row in found.values())

    @pytest.mark.parametrize(("estimate", "error", "shared"), [
        ("estimate", "std_error", "covariance"), ("estimate_g", "std_error_g", "covariance_g"),
    ])  # fmt: skip
    @pytest.mark.parametrize("measure", ["MD", "SMD", "ROM"])
    def test_contrasts_close_and_so_does_their_covariance(self, three, measure, estimate, error, shared):
        contrasts = three.query(
            f"select contrast_id, {estimate} as y, {error} as se from contrast_network where measure = ? order by 1",
            [measure],
        )
        position = {row["contrast_id"]: i for i, row in enumerate(contrasts)}
        V = np.diag([row["se"] ** 2 for row in contrasts])
        for row in three.query("select * from contrast_covariance where measure = ?", [measure]):
            i, j = position[row["contrast_1"]], position[row["contrast_2"]]
            V[i, j] = V[j, i] = row[shared]
        ab, ac, bc = (
            next(i for c, i in position.items() if c.endswith(end))
            for end in ("a|b", "a|control", "b|control")
        )
        loop = np.zeros(3)
        loop[[ab, bc, ac]] = 1, 1, -1
        assert loop @ [row["y"] for row in contrasts] == pytest.approx(0, abs=1e-14)
        # A - B + B - C - (A - C) is nothing, and so is its variance: V has rank 2 and no negative eigenvalue.
        assert loop @ V @ loop == pytest.approx(0, abs=1e-14)
        assert np.linalg.eigvalsh(V)[0] > -1e-14

    def test_standardised_differences_without_a_common_arm_share_the_sd_of_the_study(self, rows):
        means = {"t1": 70, "t2": 80, "p1": 100, "p2": 90}
        for arm, mean in means.items():
            rows.arm("s", arm, {"t": "T", "p": "placebo"}[arm[0]])
            rows.measure("s", arm, n=10, mean=mean, sd=10)
        found = rows.query("select * from contrast_covariance where measure = 'SMD' and arm_shared is null")
        # T1 - P1 with T2 - P2: (-3)(-1) / 80; T1 - P2 with T2 - P1: (-2)(-2) / 80.
        assert sorted(row["covariance"] for row in found) == pytest.approx([0.0375, 0.05], rel=1e-14)
        j = math.exp(math.lgamma(18) - math.lgamma(17.5)) / math.sqrt(18)
        assert sorted(row["covariance_g"] for row in found) == pytest.approx(
            [0.0375 * j**2, 0.05 * j**2], rel=1e-13
        )
        others = "select * from contrast_covariance where measure <> 'SMD' and arm_shared is null"
        assert rows.query(others) == []

    def test_shared_arm(self, three):
        assert {row["shared_arm"] for row in three.query("select shared_arm from contrast")} == {True}

    def test_pairwise_smd_uses_the_sd_of_the_pair(self, three):
        row = three.one("select * from contrast where measure = 'SMD' and arm_a = 'a' and arm_b = 'b'")
        sd = math.sqrt((3 * 4 + 5 * 9) / 8)
        j = math.exp(math.lgamma(4) - math.lgamma(3.5)) / 2
        assert row["estimate"] == pytest.approx(j * 3 / sd, rel=1e-14)


class TestReported:
    def test_covariance_by_the_base_variance(self, rows):
        rows.report("s", "a", "control", estimate=1, se=0.5, var_base=0.1)
        rows.report("s", "b", "control", estimate=2, se=0.6, var_base=0.1)
        assert rows.one("select covariance, arm_shared from contrast_covariance") == {
            "covariance": 0.1,
            "arm_shared": "control",
        }
        assert rows.query("select * from audit_reported_covariance") == []

    def test_covariance_is_signed(self, rows):
        # As typed the base arm is a: its contrasts with the two others are turned by the order rule, or not.
        rows.report("s", "b", "a", estimate=1, se=0.5, var_base=0.1)
        rows.report("s", "control", "a", estimate=2, se=0.6, var_base=0.1)
        found = {row["arm_b"]: row["estimate"] for row in rows.query("select * from contrast")}
        assert found == {"b": -1, "control": -2}
        assert rows.one("select covariance from contrast_covariance")["covariance"] == pytest.approx(0.1)

    def test_covariance_solved_from_all_three(self, rows):
        v = {"a": 0.1, "b": 0.2, "control": 0.05}
        for one, two in (("a", "b"), ("a", "control"), ("b", "control")):
            rows.report("s", one, two, estimate=1, se=math.sqrt(v[one] + v[two]))
        found = {
            row["arm_shared"]: row["covariance"] for row in rows.query("select * from contrast_covariance")
        }
        assert found == {"a": pytest.approx(0.1), "b": pytest.approx(-0.2), "control": pytest.approx(0.05)}

    def test_unknown_covariance_is_named(self, rows):
        rows.report("s", "a", "control", estimate=1, se=0.5)
        rows.report("s", "b", "control", estimate=2, se=0.6)
        assert rows.query("select * from contrast_covariance") == []
        row = rows.one("select * from audit_reported_covariance")
        assert (row["severity"], row["study"]) == ("error", "s")
        assert "not known" in row["message"]

    def test_negative_variance_is_named(self, rows):
        for one, two, se in (("a", "b", 1), ("a", "control", 0.1), ("b", "control", 0.1)):
            rows.report("s", one, two, estimate=1, se=se)
        found = rows.query("select message from audit_reported_covariance")
        assert len(found) == 1
        assert "share arm control, whose variance comes out negative" in found[0]["message"]

    def test_arms_go_before_what_is_reported(self, rows):
        two_arms(rows, "continuous", *GIVEN["continuous"])
        rows.report("s", "drug", "control", "y", estimate=9, se=0.5)
        rows.report("s", "drug", "control", "y", estimate=9, se=0.5, measure="HR")
        found = {row["measure"]: row for row in rows.query("select * from contrast")}
        assert (found["MD"]["origin"], found["MD"]["estimate"]) == ("arms", 3)
        assert (found["HR"]["origin"], found["HR"]["estimate"]) == ("reported", 9)
        assert (found["HR"]["measurement_ids"], found["HR"]["reported_contrast_id"]) == (None, 4)
        assert "the arms of this study give" in rows.one("select reason from exclusion")["reason"]

    def test_contrasts_without_a_common_arm_share_none(self, rows):
        rows.report("s", "a", "b", estimate=1, se=0.5)
        rows.report("s", "c", "d", estimate=1, se=0.5)
        assert {row["shared_arm"] for row in rows.query("select shared_arm from contrast")} == {False}


class TestTimePoints:
    def measure_course(self, rows, outcome="alt"):
        for timepoint, mean in ((1, 11), (3, 13), (7, 17), (None, 99)):
            for arm, value in (("drug", mean), ("control", 10)):
                rows.measure("s", arm, outcome, n=5, mean=value, sd=1, timepoint=timepoint)

    @pytest.fixture
    def course(self, rows):
        self.measure_course(rows)
        return rows

    def plan(self, rows, timepoint, measure="MD", outcome="alt", position=1):
        for name in ("MD", "SMD", "ROM", measure):
            rows.effect_measure(name)
        rows.insert(
            "plan",
            [
                {
                    "analysis": f"{outcome} {measure} {position}",
                    "position": position,
                    "kind": "network",
                    "outcome": outcome,
                    "measure": measure,
                    "timepoint": timepoint,
                    "origin": "plan",
                }
            ],
        )

    def test_rules(self, rows):
        taken = {
            "none": (None, 7), "last": ("last", 7), "first": ("first", 1), "value": ("3", 3),
            "near": ("nearest:4", 3), "nearer": ("nearest:6", 7), "tie": ("nearest:2", 1),
        }  # fmt: skip
        for outcome, (rule, _) in taken.items():
            self.measure_course(rows, outcome)
            if rule:
                self.plan(rows, rule, outcome=outcome)
        found = rows.query("select outcome, timepoint, rule from analysis_contrast where measure = 'MD'")
        assert {row["outcome"]: (row["rule"], row["timepoint"]) for row in found} == {
            **taken,
            "none": ("last", 7),
        }
        left = rows.query(
            "select distinct outcome, timepoint from exclusion where stage = 'analysis_contrast'"
        )
        assert {(row["outcome"], row["timepoint"]) for row in left} == {
            (outcome, timepoint) for outcome, (_, t) in taken.items() for timepoint in {1, 3, 7, None} - {t}
        }

    def test_a_time_point_that_the_study_does_not_have(self, course):
        self.plan(course, "5")
        assert course.query("select * from analysis_contrast") == []
        found = course.query("select * from exclusion where stage = 'analysis_contrast'")
        assert len(found) == 8
        assert "that the plan asks for" in found[0]["reason"]

    def test_measures_of_the_plan_may_differ(self, course):
        self.plan(course, "first", "SMD", position=2)
        self.plan(course, "3", "MD", position=1)
        found = {row["measure"]: row["timepoint"] for row in course.query("select * from analysis_contrast")}
        # ROM has no rule of its own: that of the outcome's first analysis holds.
        assert found == {"MD": 3, "SMD": 1, "ROM": 3}

    def test_untyped_time_counts_where_there_is_no_other(self, rows):
        two_arms(rows, "continuous", *GIVEN["continuous"])
        assert rows.one("select timepoint from analysis_contrast where measure = 'MD'") == {"timepoint": None}
        assert rows.query("select * from exclusion") == []
