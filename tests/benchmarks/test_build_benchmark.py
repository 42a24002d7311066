"""How long the build, the views and a check take, and what memory: 100,000 measurements, and 1,000 to 1,000,000."""

import csv
import math
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import evidence
from evidence.folder.simulate import simulate, synthetic_shape
from evidence.review import MEMORY_A_BYTE, find

# Seconds of CPU: they do not depend on what else the machine does.
pytestmark = pytest.mark.benchmark(timer=time.process_time)

_FIXED = 150_000_000
"""Bytes that any large build takes, whatever its size."""

STUDIES, OUTCOMES, TIMEPOINTS = 4_000, 5, 2


@pytest.fixture(scope="module")
def large_review(tmp_path_factory) -> Path:
    """A generated review of 4,000 studies with 2 or 3 arms: 100,000 measurements."""
    folder = tmp_path_factory.mktemp("large") / "large-review"
    folder.mkdir()
    draw = random.Random(20230115)
    (folder / "review.toml").write_text('title = "Generated"\nsynthetic = true\n', encoding="utf-8")

    def write(name: str, header: list[str], rows: list[list[object]]) -> None:
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])

    treatments = ["control", *(f"drug {letter}" for letter in "ABCDEFGH")]
    write(
        "treatments.csv",
        ["treatment", "role"],
        [[t, "control" if t == "control" else "active"] for t in treatments],
    )
    write(
        "outcomes.csv",
        ["outcome", "kind", "unit", "lower_is_better"],
        [[f"enzyme {k}", "continuous", "U/L", "true"] for k in range(OUTCOMES)],
    )
    studies: list[list[object]] = []
    arms: list[list[object]] = []
    measurements: list[list[object]] = []
    for number in range(STUDIES):
        study = f"Study {number:05d}"
        studies.append([study, 1990 + number % 35, draw.choice(["mouse", "rat", "pig"])])
        given = ["control", *draw.sample(treatments[1:], 1 + number % 2)]
        for treatment in given:
            n = draw.randint(4, 30)
            arms.append([study, treatment, treatment, n])
            for outcome in range(OUTCOMES):
                for day in range(1, TIMEPOINTS + 1):
                    mean = 200 * draw.lognormvariate(0, 0.3)
                    measurements.append(
                        [
                            study,
                            treatment,
                            f"enzyme {outcome}",
                            day,
                            "d",
                            round(mean, 3),
                            round(mean * 0.2, 3),
                            "U/L",
                        ]
                    )
    write("studies.csv", ["study", "year", "species"], studies)
    write("arms.csv", ["study", "arm", "treatment", "n"], arms)
    write(
        "measurements.csv",
        ["study", "arm", "outcome", "timepoint", "timepoint_unit", "mean", "sd", "unit"],
        measurements,
    )
    assert len(measurements) == 100_000
    return folder


@pytest.fixture(scope="module")
def large_file(large_review, tmp_path_factory) -> Path:
    return evidence.build(large_review, tmp_path_factory.mktemp("built") / "large.duckdb")


BUILD = """
import sys, time, evidence
start = time.process_time()
evidence.build(sys.argv[1], sys.argv[2])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(time.process_time() - start, int(peak.split()[1]) * 1024)
"""


def cost(review: Path, output: Path) -> tuple[float, int]:
    """Seconds of CPU that a build takes, and bytes of memory at most, in a process of its own."""
    call = [sys.executable, "-c", BUILD, str(review), str(output)]
    # The engine draws its progress for a program without a file.
    *_, seconds, peak = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), int(peak)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_build_takes_40_seconds_of_cpu_and_2_kb_of_memory_a_measurement(large_review, tmp_path):
    """Measurements and, in the other review, with an arm each and a study for every other one."""
    simulate(synthetic_shape(12_000, treatments=12), tmp_path / "arms")
    _, small = cost("diabetes", tmp_path / "small.duckdb")
    seconds, large = cost(large_review, tmp_path / "large.duckdb")
    assert seconds < 40
    assert large - small < 2_000 * 100_000
    said = MEMORY_A_BYTE * sum(file.stat().st_size for file in large_review.glob("*.csv"))
    print(f"said {said / 1e6:.0f} MB, taken {(large - small) / 1e6:.0f} MB")
    assert 0.5 < said / (large - small) < 2
    _, arms = cost(tmp_path / "arms", tmp_path / "arms.duckdb")
    assert arms - small < 2_000 * 25_000 + _FIXED


def test_build_of_100_000_measurements(benchmark, large_review, tmp_path):
    benchmark.pedantic(evidence.build, (large_review, tmp_path / "large.duckdb"), rounds=3)


@pytest.mark.parametrize(
    "query",
    [
        "select count(*), sum(estimate), sum(std_error) from contrast",
        "select count(*), sum(random_estimate), sum(random_p_value), sum(q_between) from subgroup",
    ],
    ids=["contrasts", "subgroups"],
)
def test_views_over_100_000_measurements(benchmark, large_file, query):
    with evidence.open(large_file) as db:
        benchmark.pedantic(lambda: db.sql(query).fetchall(), rounds=3)


SIZES = tuple(map(int, os.environ.get("SIZES", "1000,10000,100000,1000000").split(",")))
"""Measurements."""

WORK = {
    "build": ("build", "{folder}", "-o", "{file}"),
    "contrast": ("sql", "{file}", "select count(*), sum(estimate), sum(std_error) from contrast"),
    "pooled": ("sql", "{file}", "select count(*), sum(random_estimate), sum(hk_p_value) from pooled"),
    "exclusion": ("sql", "{file}", "select count(*), max(reason) from exclusion"),
    "suspicion": ("sql", "{file}", "select count(*), max(cause) from suspicion"),
    "check": ("check", "{file}"),
    "export csv": ("export", "{file}", "--to", "{export}", "--format", "csv"),
}


def cost_of(call: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of CPU and megabytes of memory at most that a program takes, with the processes it starts."""
    with (folder / "output.txt").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(call, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # `check` ends with 1 where it finds errors.
    assert process.returncode in (0, 1), (folder / "output.txt").read_text(encoding="utf-8")[-500:]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures the process that it starts")
def test_work_over_reviews_of_all_sizes(benchmark, tmp_path):
    """Print CPU from process start, peak of memory, and the slope of log CPU on log size at the largest."""

    def run() -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in WORK}
        for size in SIZES:
            place = tmp_path / str(size)
            place.mkdir()
            folder = simulate(synthetic_shape(round(size / 2.1)), place / "review")
            names = {"folder": folder, "file": place / "review.duckdb", "export": place / "csv"}
            for name, words in WORK.items():
                call = [sys.executable, "-m", "evidence.cli", *(word.format(**names) for word in words)]
                found[name].append(cost_of(call, place))
        return found

    found = benchmark.pedantic(run, rounds=1)
    print(f"\n{'work':12}" + "".join(f"{size:>22,}" for size in SIZES) + "   growth")
    for name, costs in found.items():
        cells = "".join(f"{seconds:>11.2f} s {memory:>6.0f} MB" for seconds, memory in costs)
        exponent = ""
        if len(costs) > 1:
            grown = math.log(costs[-1][0] / costs[-2][0]) / math.log(SIZES[-1] / SIZES[-2])
            exponent = f"{grown:9.2f}"
        print(f"{name:12}{cells}{exponent}")


def wall(*arguments: object) -> float:
    """Seconds on the clock of one command, its start among them."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "evidence.cli", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


@pytest.mark.slow
def test_one_cell_of_tnf_alpha_beside_all_anew(benchmark, tmp_path: Path) -> None:
    """All four networks of alf-simulated draw chains; what is mended enters one of them."""
    folder, file, anew = tmp_path / "alf", tmp_path / "alf.duckdb", tmp_path / "anew.duckdb"
    shutil.copytree(find("alf-simulated"), folder)
    full = wall("build", folder, "-o", file) + wall("analyse", file)
    with evidence.open(file) as db:
        ids = db.value(
            "select measurement_ids from result_contrast inner join result_run using (run_id) "
            "where analysis = 'tnf_alpha-pairwise' order by contrast_id"
        )
    path = folder / "measurements.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = rows[int(ids.split(",")[0]) - 1]
    row["mean"] = f"{float(row['mean']) * 1.1:.1f}"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    def update() -> float:
        return wall("build", folder, "-o", file) + wall("analyse", file)

    took = benchmark.pedantic(update, rounds=1)
    benchmark.extra_info |= {
        "full": full,
        "updated": took,
        "share": took / full,
        "nothing changed": wall("build", folder, "-o", file) + wall("analyse", file),
        "anew": wall("build", folder, "-o", anew) + wall("analyse", anew, "--fresh"),
    }
