"""Reviews of 1,000 to 1,000,000 measurements: build, views and check, each from process start.

One table: seconds of CPU (user and system, with what a process starts with), peak of resident memory, and the growth
exponent: the slope of log CPU on log size between the two largest reviews, where starting up no longer shows.
Run with ``pytest tests/benchmarks/test_size_benchmark.py --benchmark-only -s``; ``SIZES=1000,10000`` takes fewer.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.folder.simulate import simulate, synthetic_shape

pytestmark = pytest.mark.benchmark

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


def cost(call: list[str], folder: Path) -> tuple[float, float]:
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
    def run() -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in WORK}
        for size in SIZES:
            place = tmp_path / str(size)
            place.mkdir()
            folder = simulate(synthetic_shape(round(size / 2.1)), place / "review")
            names = {"folder": folder, "file": place / "review.duckdb", "export": place / "csv"}
            for name, words in WORK.items():
                call = [sys.executable, "-m", "evidence.cli", *(word.format(**names) for word in words)]
                found[name].append(cost(call, place))
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
