"""How many planted slips of the pen the detective finds, how many alarms are false, and what its scores are worth.

Slips are planted in one block of arms in twenty of each table, and looked for in view `suspicion`; the rule flags
blocks whose mean, spread or effect lies more than three standard deviations from the mean of the table's.
Simulated reviews (normal data, so that the sampling error of every SD is known) tell false alarms by the number of
animals, and hold the probabilities that the scores claim against how often something was wrong indeed.
Run with ``pytest tests/benchmarks/test_detective_benchmark.py --benchmark-only -s``.
"""

from __future__ import annotations

import copy
import itertools
import math
import random
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import evidence
from evidence.database import connect
from evidence.importers.arms import import_arms
from evidence.store.blank import copy_blank
from evidence.store.stored import refresh

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


def spread_decimal(rows: list[Row], rng: random.Random) -> None:
    row, factor = rng.choice(rows), 10.0 ** rng.choice((-9, -3, -2, -1, 1, 2, 3, 9))
    row["sd"] = None if row["sd"] is None else row["sd"] * factor
    row["se"] = None if row["se"] is None else row["se"] * factor


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
    "spread_decimal": (spread_decimal, "continuous"),
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
    refresh(connection, ["suspicion"])
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


# --- Simulated reviews ----------------------------------------------------------------------------------------

N_BANDS = ((3, 4), (5, 8), (9, 16), (17, 30), (3, 30))
SCORE_BANDS = (0.3, 1, 1.5, 2, 3, 4, 6, math.inf)
OF_SDS = ("se_as_sd", "se_divided", "sd_as_se")
SHARE_OF_SLIPS = 0.08

Blocks = dict[str, list[Row]]


def simulated(rng: np.random.Generator, name: str, low: int, high: int) -> Blocks:
    """One outcome of 6 to 30 studies with two or three arms: means and SDs of normal numbers, as printed."""
    middle, between = math.log(rng.uniform(5, 200)), rng.uniform(0.1, 0.5)
    cv, of_spread, within = rng.uniform(0.1, 0.5), rng.uniform(0, 0.4), rng.uniform(0, 0.15)
    effect, of_effect = rng.uniform(-0.7, 0.2), rng.uniform(0, 0.2)
    blocks: Blocks = {}
    for i in range(rng.integers(6, 31)):
        level = math.exp(middle + between * rng.standard_normal())
        spread = cv * math.exp(of_spread * rng.standard_normal())
        change = math.exp(effect + of_effect * rng.standard_normal())
        as_se = rng.random() < 0.3
        rows: list[Row] = []
        for arm in ("control", "drug", "high")[: 3 if rng.random() < 0.15 else 2]:
            n, mean = int(rng.integers(low, high + 1)), level * (1 if arm == "control" else change)
            sd = mean * spread * math.exp(within * rng.standard_normal())
            found = 0.0
            while found <= 0:
                found = rng.normal(mean, sd / math.sqrt(n))
            sd *= math.sqrt(rng.chisquare(n - 1) / (n - 1)) / (math.sqrt(n) if as_se else 1)
            printed = float(f"{sd:.3g}")
            rows.append(
                {"study": f"{name} {i:02}", "arm": arm, "outcome": name, "n": n, "mean": float(f"{found:.4g}"),
                 "sd": None if as_se else printed, "se": printed if as_se else None, "events": None}
            )  # fmt: skip
        blocks[f"{name} {i:02}"] = rows
    return blocks


def fill(connection, table: str, rows: list[dict]) -> None:
    for at in range(0, len(rows), 500):
        part = rows[at : at + 500]
        one = f"({', '.join('?' for _ in part[0])})"
        connection.execute(
            f"insert into {table} ({', '.join(part[0])}) values {', '.join([one] * len(part))}",
            [value for row in part for value in row.values()],
        )


def claims(connection, blocks: Blocks) -> dict[str, float]:
    """Study -> probability, by its score, that something in it is mistyped; of studies that are suspected."""
    rows = [row for block in blocks.values() for row in block]
    place = {"source_file": "x.csv", "source_line": 2}
    connection.execute("begin")
    arms = {"control": "control", "drug": "active", "high": "active"}
    fill(connection, "treatment", [{"treatment": t, "label": t, "role": r, **place} for t, r in arms.items()])
    about = {"kind": "continuous", "lower_is_better": True, **place}
    outcomes = sorted({row["outcome"] for row in rows})
    fill(connection, "outcome", [{"outcome": name, "label": name, **about} for name in outcomes])
    fill(connection, "study", [{"study": name, "label": name, **place} for name in blocks])
    keys = ("study", "arm", "outcome", "n", "mean", "sd", "se")
    fill(
        connection, "arm",
        [{"study": r["study"], "experiment": "main", "arm": r["arm"], "treatment": r["arm"],
          "role": arms[r["arm"]], **place} for r in rows],
    )  # fmt: skip
    fill(
        connection, "measurement",
        [{"measurement_id": i, "experiment": "main", **{key: row[key] for key in keys}, **place}
         for i, row in enumerate(rows)],
    )  # fmt: skip
    refresh(connection, ["suspicion"])
    found = connection.execute(
        "select study, max(coalesce(score, 99)) from suspicion where block is not null group by study"
    ).fetchall()
    connection.execute("rollback")
    return {study: 1 / (1 + math.exp(-score)) for study, score in found}


def corrupted(blocks: Blocks, rng: random.Random) -> tuple[Blocks, dict[str, str]]:
    """A copy with a slip in some blocks, and which."""
    blocks, truth = copy.deepcopy(blocks), {}
    for study, rows in blocks.items():
        cause = rng.choice([name for name in SLIPS if name != "copied_row"])
        typed_se = rows[0]["se"] is not None
        if rng.random() > SHARE_OF_SLIPS or (cause in OF_SDS and typed_se != (cause == "sd_as_se")):
            continue
        before = copy.deepcopy(rows)
        if cause == "sd_as_se":
            for row in rows:
                row["se"] *= math.sqrt(row["n"])
        elif cause == "unit":
            factor = rng.choice((10, 1000, 1 / 10, 1 / 1000, 60, 1 / 60))
            for row in rows:
                row |= {name: row[name] * factor for name in ("mean", "sd", "se") if row[name] is not None}
        elif cause == "swapped_arms":
            for name in ("n", "mean", "sd", "se"):
                rows[0][name], rows[1][name] = rows[1][name], rows[0][name]
        else:
            SLIPS[cause][0](rows, rng)
        if rows != before:
            truth[study] = cause
    return blocks, truth


def calibration(directory: Path, per_band: int, seed: int) -> dict[str, list[tuple]]:
    """Tables: false alarms by animals an arm; claimed and observed by score; recall by slip."""
    draw, rng = np.random.default_rng(seed), random.Random(seed)
    blocks: Blocks = {}
    for low, high in N_BANDS:
        for i in range(per_band):
            blocks |= simulated(draw, f"{low}-{high} {i:03}", low, high)
    copy_blank(directory / "simulated.duckdb")
    with connect(directory / "simulated.duckdb", write=True) as connection:
        clean = claims(connection, blocks)
        wrong, truth = corrupted(blocks, rng)
        found = claims(connection, wrong)
    bands = Counter(study.split()[0] for study in blocks)
    alarms = Counter(study.split()[0] for study in clean)
    scores = []
    for low, high in itertools.pairwise(SCORE_BANDS):
        part = [(p, s in truth) for s, p in found.items() if low <= math.log(p / max(1 - p, 1e-300)) < high]
        scores.append((low, len(part), sum(p for p, _ in part), sum(hit for _, hit in part)))
    planted = Counter(truth.values())
    seen = Counter(truth[study] for study in found if study in truth)
    return {
        "n": [(band, bands[band], alarms[band]) for band in bands],
        "score": scores,
        "slip": [(cause, planted[cause], seen[cause]) for cause in planted],
        "among clean": [(len(blocks) - len(truth), sum(study not in truth for study in found))],
    }


def show(tables: dict[str, list[tuple]]) -> None:
    print("\nanimals an arm, blocks without a slip, share suspected")
    for band, blocks, alarms in tables["n"]:
        print(f"  {band:<6}{blocks:>7}{alarms / blocks:>8.2%}")
    print("score from, suspicions, probability claimed, share that was wrong indeed")
    for low, count, claimed, true in tables["score"]:
        print(f"  {low:<6}{count:>7}" + (f"{claimed / count:>8.1%}{true / count:>8.1%}" if count else ""))
    print(
        f"  sum of claims {sum(r[2] for r in tables['score']):.1f}, wrong {sum(r[3] for r in tables['score'])}"
    )
    print("slip, planted, found")
    for cause, planted, found in tables["slip"]:
        print(f"  {cause:<15}{planted:>6}{found / planted:>8.0%}")
    ((clean, alarms),) = tables["among clean"]
    print(f"suspected among {clean} sound blocks of the corrupted reviews: {alarms} ({alarms / clean:.2%})")


def check(tables: dict[str, list[tuple]]) -> None:
    """False alarms below 2 % in every band; as many errors as claimed, within Monte Carlo error."""
    assert all(alarms < 0.02 * blocks for _, blocks, alarms in tables["n"])
    ((clean, alarms),) = tables["among clean"]
    assert alarms < 0.02 * clean
    claimed, true = (sum(row[i] for row in tables["score"]) for i in (2, 3))
    count = sum(row[1] for row in tables["score"])
    # Bernoulli variance of what is claimed, and a slip or two for a small sample.
    assert abs(claimed - true) < 3 * math.sqrt(max(claimed * (1 - claimed / count), 1)) + 2
    assert true > 0.35 * sum(planted for _, planted, _ in tables["slip"])


@pytest.mark.slow
def test_scores_claim_what_is_true_and_sound_reviews_give_few_alarms(tmp_path):
    tables = calibration(tmp_path, per_band=12, seed=20261)
    show(tables)
    check(tables)


def test_calibration(benchmark, tmp_path, capsys):
    tables = benchmark.pedantic(lambda: calibration(tmp_path, per_band=60, seed=1), rounds=1, iterations=1)
    with capsys.disabled():
        show(tables)
    check(tables)
