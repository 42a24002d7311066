"""One cell mended: how long bringing a review up to date takes beside building and analysing it anew."""

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import evidence
from evidence.review import find

pytestmark = pytest.mark.slow


def seconds(*arguments: object) -> float:
    """Seconds on the clock of one command, its start among them."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "evidence.cli", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def test_one_cell_of_tnf_alpha(benchmark, tmp_path: Path) -> None:
    """All four networks of alf-simulated draw chains; what is mended enters one of them."""
    folder, file, anew = tmp_path / "alf", tmp_path / "alf.duckdb", tmp_path / "anew.duckdb"
    shutil.copytree(find("alf-simulated"), folder)
    full = seconds("build", folder, "-o", file) + seconds("analyse", file)
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
        return seconds("build", folder, "-o", file) + seconds("analyse", file)

    took = benchmark.pedantic(update, rounds=1)
    benchmark.extra_info |= {
        "full": full,
        "updated": took,
        "share": took / full,
        "nothing changed": seconds("build", folder, "-o", file) + seconds("analyse", file),
        "anew": seconds("build", folder, "-o", anew) + seconds("analyse", anew, "--fresh"),
    }
