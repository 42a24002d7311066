"""100,000 rows, or IMPORT_ROWS: how long an import takes, and how much memory."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = int(os.environ.get("IMPORT_ROWS", "100_000"))
SECONDS = 25 * ROWS / 100_000
GIGABYTES = 2

IMPORT = """
import sys, time
from evidence.importers.arms import import_arms
start = time.process_time()
report = import_arms(sys.argv[1], sys.argv[2], outcome="alt", unit="U/L")
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM:")).split()[1]) / 1e6
print(report.added["measurements.csv"], time.process_time() - start, peak)
"""


@pytest.fixture(scope="module")
def large_table(tmp_path_factory) -> Path:
    """A long table of studies with five arms each."""
    file = tmp_path_factory.mktemp("large") / "table.csv"
    draw = random.Random(20230115)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["study", "treatment", "mean", "sd", "n", "year", "country"])
        for row in range(ROWS):
            study, arm = divmod(row, 5)
            mean, sd, n = round(draw.gauss(100, 20), 3), round(draw.uniform(1, 9), 3), draw.randint(4, 30)
            writer.writerow([f"Study {study:06d}", f"drug {arm}", mean, sd, n, 1990 + study % 30, "DE"])
    return file


def run(table: Path, into: Path) -> tuple[int, float, float]:
    """Import in a process of its own: rows, seconds of CPU, and peak memory in gigabytes."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(table), str(into)], capture_output=True, text=True, check=True
    )
    rows, seconds, peak = done.stdout.split()
    return int(rows), float(seconds), float(peak)


@pytest.mark.slow
def test_25_seconds_of_cpu_for_100_000_rows_and_2_gigabytes(large_table, tmp_path):
    rows, seconds, peak = run(large_table, tmp_path / "review")
    print(f"{rows:,} rows: {seconds:.1f} s of CPU, {peak:.2f} GB")
    assert rows == ROWS
    assert seconds < SECONDS
    assert peak < GIGABYTES


def test_import_of_many_rows(benchmark, large_table, tmp_path):
    benchmark.pedantic(run, (large_table, tmp_path / "review"), rounds=1)
