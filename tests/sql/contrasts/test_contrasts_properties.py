"""What must hold of every contrast, whatever the numbers."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

POWERS = range(-6, 7)
ARMS = ["arm a", "arm b", "placebo", "sham"]

number = st.integers(1, 999_999).map(lambda digits: digits / 1000)
arm = st.fixed_dictionaries({"mean": number, "sd": number, "n": st.integers(2, 60)})
continuous = st.lists(st.lists(arm, min_size=2, max_size=4), min_size=1, max_size=4)
counts = st.lists(
    st.lists(
        st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=4
    ),
    min_size=1,
    max_size=4,
)
few = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def fill(rows):
    """Make one outcome after another of the same studies; forgets those of the example before."""

    number_of_row = itertools.count()

    def fill(kind: str, outcomes: dict[str, list[dict]]) -> dict[tuple, dict]:
        rows.connection.execute("rollback")
        rows.connection.execute("begin transaction")
        rows.seen.clear()
        for outcome, measurements in outcomes.items():
            rows.outcome(outcome, kind)
            for measurement in measurements:
                rows.arm(measurement["study"], measurement["arm"])
            rows.insert(
                "measurement",
                [
                    {
                        "measurement_id": next(number_of_row),
                        "experiment": "main",
                        "outcome": outcome,
                        **measurement,
                        **rows.place("measurements.csv"),
                    }
                    for measurement in measurements
                ],
            )
        return {
            tuple(row[name] for name in ("outcome", "study", "measure", "arm_a", "arm_b")): row
            for row in rows.query("""
                select network.*, pair.estimate as pair_estimate, pair.std_error as pair_std_error
                from contrast_network as network join contrast as pair using (contrast_id)
                """)
        }

    return fill


def studies(data: list[list[dict]]) -> list[dict]:
    return [
        {"study": f"s{i}", "arm": ARMS[j], **values}
        for i, arms in enumerate(data)
        for j, values in enumerate(arms)
    ]


@pytest.mark.slow
@few
@given(data=continuous)
def test_unit_and_order_of_rows_do_not_matter(fill, data):
    base = studies(data)
    scaled = {
        f"k{k}": [{**row, "mean": row["mean"] * 10.0**k, "sd": row["sd"] * 10.0**k} for row in base]
        for k in POWERS
    }
    found = fill("continuous", {**scaled, "turned": base[::-1]})
    for (outcome, *key), row in found.items():
        origin = found["k0", *key]
        factor = 1.0
        if outcome != "turned" and row["measure"] == "MD":
            factor = 10.0 ** int(outcome[1:])
        close = {"rel": 1e-9, "abs": 1e-9 * abs(origin["std_error"]) * factor}
        for name in ("estimate", "std_error", "estimate_g", "std_error_g", "pair_estimate", "pair_std_error"):
            assert row[name] == pytest.approx(origin[name] * factor, **close), (outcome, key, name)
        if outcome == "turned":
            assert (row["estimate"], row["std_error"]) == (origin["estimate"], origin["std_error"])
    assert len({len([key for key in found if key[0] == outcome]) for outcome in (*scaled, "turned")}) == 1


@pytest.mark.slow
@few
@given(data=continuous)
def test_loops_close_and_names_only_turn_signs(fill, data):
    # The same numbers under names in the opposite order: each contrast is turned round, or stays.
    swapped = [
        [{**values, "name": name} for values, name in zip(arms, ("z", "y", "x", "w"), strict=False)]
        for arms in data
    ]
    plain = [
        [{**values, "name": name} for values, name in zip(arms, ("a", "b", "c", "d"), strict=False)]
        for arms in data
    ]

    def named(table):
        return [
            {"study": f"s{i}", "arm": values["name"], **{k: v for k, v in values.items() if k != "name"}}
            for i, arms in enumerate(table)
            for values in arms
        ]

    found = fill("continuous", {"plain": named(plain), "swapped": named(swapped)})
    mirror = dict(zip("abcd", "zyxw", strict=True))
    assert any(outcome == "plain" for outcome, *_ in found)
    for (outcome, study, measure, one, two), row in found.items():
        if outcome == "plain":
            turned = found["swapped", study, measure, mirror[two], mirror[one]]
            assert turned["estimate"] == pytest.approx(-row["estimate"], rel=1e-14)
            assert turned["std_error"] == pytest.approx(row["std_error"], rel=1e-14)
            for third in "abcd":
                if two < third and ("plain", study, measure, two, third) in found:
                    across = found["plain", study, measure, one, third]
                    chain = row["estimate"] + found["plain", study, measure, two, third]["estimate"]
                    size = max(abs(row["estimate"]), abs(chain), 1e-3)
                    assert across["estimate"] == pytest.approx(chain, abs=1e-11 * size)


@few
@given(data=counts)
def test_ratios_are_finite_and_turn_with_the_arms(fill, data):
    rows = [
        {"study": f"s{i}", "arm": ARMS[j], "events": float(e), "n": float(n)}
        for i, arms in enumerate(data)
        for j, (e, n) in enumerate(arms)
    ]
    # What is an event and what is none: the log odds ratio and the risk difference change sign, nothing else.
    others = [{**row, "events": row["n"] - row["events"]} for row in rows]
    found = fill("binary", {"event": rows, "none": others})
    assert found
    for (outcome, *key), row in found.items():
        assert math.isfinite(row["estimate"])
        assert 0 < row["std_error"] < math.inf
        if outcome == "event" and row["measure"] in ("OR", "RD"):
            other = found["none", *key]
            assert other["estimate"] == pytest.approx(-row["estimate"], rel=1e-12, abs=1e-12)
            assert other["std_error"] == pytest.approx(row["std_error"], rel=1e-12)
    for i, arms in enumerate(data):
        informative = any(e for e, _ in arms) and any(e < n for e, n in arms)
        assert (("event", f"s{i}", "OR", ARMS[0], ARMS[1]) in found) == informative
        assert ("event", f"s{i}", "RD", ARMS[0], ARMS[1]) in found
