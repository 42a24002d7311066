"""Nothing is dropped in silence: whatever a review holds is used, or stands in `exclusion`, once and with a remedy."""

from __future__ import annotations

import random
from collections import Counter

import pytest

ARMS = {"low": "drug", "high": "drug", "other": "other", "control": "control", "sham": "sham"}
KINDS = ("continuous", "binary", "rate", "time_to_event")
MEASURES = {
    "continuous": {"MD", "SMD", "ROM"},
    "binary": {"OR", "RR", "RD"},
    "rate": {"IRR", "IRD"},
    "time_to_event": set(),
}


def reported_statistics(draw: random.Random, kind: str) -> dict:
    """What an article may give of one arm: often enough, sometimes too little or nonsense."""
    if kind == "continuous":
        mean = draw.choice([5.0, 0.0, -2.0, 12.5, 1e-3])
        spread = draw.choice(
            [
                {"sd": 1.5},
                {"se": 0.5},
                {"sd": 0.0},
                {"ci_lower": mean - 1, "ci_upper": mean + 1},
                {"ci_lower": mean + 1, "ci_upper": mean - 1},
                {"q1": mean - 1, "q3": mean + 1},
                {"min": mean - 2, "max": mean + 3},
                {},
            ]
        )
        center = draw.choice([{"mean": mean}, {"mean": mean}, {"median": mean}, {}])
        return {
            "n": draw.choice([None, 1, 2, 7, 7.5]),
            "unit": draw.choice([None, "s", "m"]),
            **center,
            **spread,
        }
    if kind == "binary":
        return {"n": draw.choice([None, 5, 5]), "events": draw.choice([None, 0, 0, 2, 5, 6])}
    return {"events": draw.choice([None, 0, 3]), "exposure": draw.choice([None, 10.0, 20.0])}


def fill(rows, draw: random.Random) -> None:
    rows.unit("d", "time", 1)
    rows.unit("h", "time", 1 / 24)
    rows.unit("s", "duration", 1)
    rows.unit("m", "length", 1)
    for kind in KINDS:
        for unit in (None, "s"):
            outcome = f"{kind} {unit}"
            rows.outcome(outcome, kind, unit=unit if kind == "continuous" else None)
            for study in "abcd":
                for arm in draw.sample(list(ARMS), draw.randint(1, 5)):
                    experiment = draw.choice(["main", "main", "second"])
                    rows.arm(study, arm, ARMS[arm], experiment=experiment)
                    for timepoint in draw.sample([1, 2, 3, None], draw.randint(1, 2)):
                        time = {"timepoint": timepoint, "timepoint_unit": draw.choice(["d", "d", "h", None])}
                        if timepoint is None:
                            time["timepoint_unit"] = None
                        for extractor in draw.sample(["anna", "zoe", "consensus"], draw.choice([1, 1, 2])):
                            given = reported_statistics(draw, kind)
                            rows.measure(
                                study, arm, outcome, experiment, extractor=extractor, **time, **given
                            )
                if draw.random() < 0.8:
                    one, two = draw.sample(list(ARMS), 2)
                    for arm in (one, two):
                        rows.arm(study, arm, ARMS[arm])
                    for measure in draw.sample(["HR", "MD", "OR"], 2):
                        for timepoint in draw.sample([1, 2, 3], 2):
                            error = draw.choice([{"se": 0.5}, {}, {"ci_lower": 1, "ci_upper": 1}])
                            rows.report(
                                study, one, two, outcome, measure=measure, estimate=0.5, timepoint=timepoint,
                                timepoint_unit="d", **error,
                            )  # fmt: skip
    rules = ["first", "last", "2", "nearest:1"]
    rows.insert(
        "plan",
        [
            {
                "analysis": f"{kind} {unit} {measure}", "position": position, "kind": "network",
                "outcome": f"{kind} {unit}", "measure": measure, "timepoint": draw.choice(rules), "origin": "plan",
            }
            for kind in KINDS[:3]
            for unit in (None, "s")
            for position, measure in enumerate(draw.sample(sorted(MEASURES[kind]), 2))
        ],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_used_or_excluded(rows, seed):
    for measure in ("MD", "SMD", "ROM", "OR", "RR", "RD", "IRR", "IRD", "HR"):
        rows.effect_measure(measure)
    fill(rows, random.Random(seed))
    excluded = rows.query("select * from exclusion")
    assert all(
        row["reason"] and row["remedy"] and row["source_file"] and row["source_line"] for row in excluded
    )
    assert (
        max(
            Counter(
                (row["stage"], row["measurement_id"], row["reported_contrast_id"], row["measure"])
                for row in excluded
            ).values()
        )
        == 1
    )

    # Each measurement is usable, or one of the first two steps says why it is not.
    early = Counter(
        row["measurement_id"]
        for row in excluded
        if row["stage"] in ("measurement_final", "measurement_standard")
    )
    usable = {row["measurement_id"]: row for row in rows.query("select * from measurement_standard")}
    for row in rows.query("select measurement_id from measurement"):
        number = row["measurement_id"]
        assert (number in usable) + early[number] == 1

    # Each usable measurement is compared in every measure of its kind, or the reason is given.
    contrasts = rows.query("select * from contrast")
    compared = {
        (int(number), row["measure"])
        for row in contrasts
        if row["measurement_ids"]
        for number in row["measurement_ids"].split(",")
    }
    late = {
        (row["measurement_id"], row["measure"])
        for row in excluded
        if row["stage"] in ("arm_effect", "contrast") and row["measurement_id"]
    }
    for number, row in usable.items():
        for measure in MEASURES[row["kind"]]:
            in_use = (number, measure) in compared
            named = (number, measure) in late or (number, None) in late
            assert in_use != named, (number, measure)

    # Each reported contrast is one of the contrasts, or excluded once.
    reported = {row["reported_contrast_id"] for row in contrasts} - {None}
    out = Counter(row["reported_contrast_id"] for row in excluded if row["stage"] == "contrast")
    for row in rows.query("select reported_contrast_id as number from reported_contrast"):
        assert (row["number"] in reported) + out[row["number"]] == 1

    # Each contrast is analysed, or its rows are named as of another time point.
    analysed = {
        row["contrast_id"]
        for row in rows.query(
            "select contrast_id from analysis_contrast union select contrast_id from comparison_contrast"
        )
    }
    other = {
        (row["measurement_id"] or -row["reported_contrast_id"], row["measure"])
        for row in excluded
        if row["stage"] == "analysis_contrast"
    }
    assert len(analysed) < len(contrasts)
    for row in contrasts:
        numbers = (
            [int(number) for number in row["measurement_ids"].split(",")]
            if row["measurement_ids"]
            else [-row["reported_contrast_id"]]
        )
        for number in numbers:
            named = (number, row["measure"]) in other or (number, None) in other
            assert (row["contrast_id"] in analysed) != named
