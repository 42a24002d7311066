"""How many planted slips of the pen the detective finds, and how many alarms are false, beside the rule |z| > 3.

Slips are planted in one block of arms in twenty of each table, and looked for in view `suspicion`; the rule flags
blocks whose mean, spread or effect lies more than three standard deviations from the mean of the table's.
Run with ``pytest tests/benchmarks/test_detective_benchmark.py --benchmark-only -s``.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from pathlib import Path

import pytest

import evidence
from evidence.database import connect
from evidence.importers.arms import import_arms

BUNDLED = ("diabetes", "smoking", "parkinson", "maternal-diet")
TABLES = (
    "schwingshackl2014",
    "hong2015",
    "eae_mouse",
    "normand1999",
    "curtis1998",
    "eklof2012",
    "baker2009",
    "linde2016",
)
RATE = 0.05

Row = dict[str, float | int | str | None]


def se_as_sd(rows: list[Row], rng: random.Random) -> None:
    for row in rows:
        row["sd"] = row["sd"] / math.sqrt(row["n"])


def se_divided(rows: list[Row], rng: random.Random) -> None:
    for row in rows:
        row["sd"] = row["sd"] / row["n"]


def sd_as_se(rows: list[Row], rng: random.Random) -> None:
    for row in rows:
        row["se"], row["sd"] = row["sd"], None


def unit(rows: list[Row], rng: random.Random) -> None:
    factor = rng.choice((10, 1000, 1 / 10, 1 / 1000, 60, 1 / 60))
    for row in rows:
        row["mean"] *= factor
        row["sd"] *= factor


def swapped_arms(rows: list[Row], rng: random.Random) -> None:
    a, b = rows[:2]
    for name in ("n", "mean", "sd", "events"):
        a[name], b[name] = b[name], a[name]


def decimal(rows: list[Row], rng: random.Random) -> None:
    row, name = rng.choice(rows), "mean" if rows[0]["mean"] is not None else "events"
    if name == "mean" or row[name] * 10 <= row["n"]:
        row[name] *= 10


def digits(rows: list[Row], rng: random.Random) -> None:
    row, name = rng.choice(rows), "mean" if rows[0]["mean"] is not None else "events"
    text = f"{abs(row[name]):.4f}".rstrip("0").rstrip(".")
    first = next(
        (i for i in range(len(text) - 1) if "." not in text[i : i + 2] and text[i] != text[i + 1]), None
    )
    if first is not None:
        value = float(text[:first] + text[first + 1] + text[first] + text[first + 2 :])
        if name == "mean" or value <= row["n"]:
            row[name] = math.copysign(value, row[name])


def copied_row(rows: list[Row], rng: random.Random) -> None:
    for name in ("n", "mean", "sd", "events"):
        rows[1][name] = rows[0][name]


SLIPS = {
    "se_as_sd": (se_as_sd, "continuous"),
    "se_divided": (se_divided, "continuous"),
    "sd_as_se": (sd_as_se, "continuous"),
    "unit": (unit, "continuous"),
    "swapped_arms": (swapped_arms, "both"),
    "decimal": (decimal, "both"),
    "digits": (digits, "both"),
    "copied_row": (copied_row, "both"),
}


def flagged_by_z(blocks: dict[int, list[Row]]) -> set[int]:
    """Blocks of which some number is more than three standard deviations from the table's mean."""
    numbers: dict[str, dict[int, float]] = {"mean": {}, "spread": {}, "effect": {}}
    for block, rows in blocks.items():
        if rows[0]["mean"] is None:
            odds = [math.log((r["events"] + 0.5) / (r["n"] - r["events"] + 0.5)) for r in rows[:2]]
            numbers["effect"][block] = odds[0] - odds[1]
            continue
        numbers["mean"][block] = statistics.fmean(r["mean"] for r in rows)
        numbers["spread"][block] = statistics.fmean(
            r["sd"] if r["sd"] is not None else r["se"] * math.sqrt(r["n"]) for r in rows
        )
        numbers["effect"][block] = rows[0]["mean"] - rows[1]["mean"]
    found = set()
    for values in numbers.values():
        if len(values) > 2 and (spread := statistics.stdev(values.values())):
            middle = statistics.fmean(values.values())
            found |= {block for block, value in values.items() if abs(value - middle) > 3 * spread}
    return found


def suspected(connection) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for block, cause in connection.execute(
        "select block, cause from suspicion where block is not null"
    ).fetchall():
        found.setdefault(block, set()).add(cause)
    return found


def read(connection, outcome: str) -> dict[int, list[Row]]:
    cursor = connection.execute(
        "select final.block, final.measurement_id, coalesce(final.n, arm.n) as n, final.mean, final.sd, "
        "final.se, final.events from measurement_final as final inner join arm using (study, experiment, arm) "
        "where outcome = ? and coalesce(sd, events) is not null order by block, arm.role, measurement_id",
        [outcome],
    )
    names = [column[0] for column in cursor.description]
    blocks: dict[int, list[Row]] = {}
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        blocks.setdefault(row["block"], []).append(row)
    return {block: rows for block, rows in blocks.items() if len(rows) > 1}


def write(connection, rows: list[Row]) -> None:
    for row in rows:
        connection.execute(
            "update measurement set n = ?, mean = ?, sd = ?, se = ?, events = ? where measurement_id = ?",
            [row[name] for name in ("n", "mean", "sd", "se", "events", "measurement_id")],
        )


def tables(directory: Path, oracles: Path | None) -> list[Path]:
    made = [evidence.build(name, directory / f"{name}.duckdb") for name in BUNDLED]
    for name in TABLES if oracles else ():
        folder = directory / name
        import_arms(oracles / "data" / f"{name}.csv", folder, outcome="y", lower_is_better=True)
        made.append(evidence.build(folder, directory / f"{name}.duckdb"))
    return made


@pytest.fixture
def oracles() -> Path | None:
    beside = Path(__file__).resolve().parents[3] / "shared" / "oracle"
    return beside if beside.is_dir() else None


def test_recall_and_false_alarms(benchmark, tmp_path, oracles, capsys):
    planted, found, named, by_z = Counter(), Counter(), Counter(), Counter()
    alarms = Counter()

    def run() -> None:
        rng = random.Random(20231)
        for path in tables(tmp_path, oracles):
            with connect(path, write=True) as connection:
                outcomes = connection.execute("select outcome, kind from outcome order by outcome").fetchall()
                clean = suspected(connection)
                for outcome, kind in outcomes:
                    blocks = read(connection, outcome)
                    if len(blocks) < 5:
                        continue
                    alarms["blocks"] += len(blocks)
                    alarms["detective"] += len(clean.keys() & blocks.keys())
                    alarms["z"] += len(flagged_by_z(blocks))
                    for cause, (slip, of) in SLIPS.items():
                        if of not in ("both", kind):
                            continue
                        chosen = rng.sample(sorted(blocks), max(1, round(RATE * len(blocks))))
                        connection.execute("begin")
                        changed = {block: [dict(row) for row in rows] for block, rows in blocks.items()}
                        for block in chosen:
                            slip(changed[block], rng)
                            write(connection, changed[block])
                        after, z = suspected(connection), flagged_by_z(changed)
                        connection.execute("rollback")
                        chosen = [block for block in chosen if changed[block] != blocks[block]]
                        planted[cause] += len(chosen)
                        found[cause] += sum(block in after for block in chosen)
                        named[cause] += sum(cause in after.get(block, ()) for block in chosen)
                        by_z[cause] += sum(block in z for block in chosen)

    benchmark.pedantic(run, rounds=1, iterations=1)
    with capsys.disabled():
        print(f"\n{'slip':<14}{'planted':>8}{'found':>8}{'named':>8}{'|z| > 3':>9}")
        for cause in SLIPS:
            share = [100 * counts[cause] / planted[cause] for counts in (found, named, by_z)]
            print(f"{cause:<14}{planted[cause]:>8}" + "".join(f"{value:>7.0f}%" for value in share))
        print(
            f"alarms on {alarms['blocks']} blocks as published: detective {alarms['detective']}, "
            f"|z| > 3 {alarms['z']}"
        )
    assert sum(found.values()) > sum(by_z.values())
