"""CPU from process start, memory peak and growth of what a user calls: ``pytest tests/benchmarks/... -s``.

Seconds of CPU (user and system) of a whole process, the least of three; the peak is that of the process itself.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest

from analysis import pairwise
from analysis.pairwise.influence import deletion
from analysis.pairwise.model import tau2
from analysis.pairwise.model.rows import EffectRows
from analysis.pairwise.small_study.asymmetry import begg, trim_fill

POOL = (
    "pool",
    "diabetes",
    "--outcome",
    "hba1c",
    "--measure",
    "MD",
    "--treatment",
    "metf",
    "--versus",
    "plac",
)
COMMANDS = {
    "pool": POOL,
    "nma": ("nma", "smoking", "--outcome", "cessation", "--measure", "OR"),
    "plot": ("plot", "smoking", "forest", "-o", str(Path(gettempdir()) / "forest.svg")),
    "check": ("check", "smoking"),
    "sql": ("sql", "diabetes", "select count(*) from contrast"),
}


def process(*arguments: str, repeats: int = 3) -> tuple[float, float]:
    """CPU seconds of a command, the least of some, and its peak of memory in MB."""
    command = [sys.executable, "-m", "evidence.cli", *arguments]
    found = []
    for _ in range(repeats):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        assert status == 0
        found.append((used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    return min(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_small_review(benchmark, name):
    seconds, peak = benchmark.pedantic(lambda: process(*COMMANDS[name]), rounds=1)
    print(f"\n{name}: {seconds:.2f} s CPU from process start, {peak:.0f} MB")
    benchmark.extra_info.update(cpu=seconds, peak_mb=peak)


def test_the_report_of_diabetes(benchmark, tmp_path):
    given = ("report", "diabetes", "-o", str(tmp_path / "report"))
    seconds, peak = benchmark.pedantic(lambda: process(*given), rounds=1)
    print(f"\nreport of diabetes: {seconds:.2f} s CPU, {peak:.0f} MB")


def effects(k: int) -> EffectRows:
    draw = np.random.default_rng(20230115)
    v = draw.gamma(2, 0.05, k)
    return EffectRows.of(draw.normal(0.3, np.sqrt(v + 0.1)), v)


WORK = {
    "DL": lambda rows: tau2.estimate(EffectRows.of(rows.y, rows.v), "DL"),
    "REML": lambda rows: tau2.estimate(EffectRows.of(rows.y, rows.v), "REML"),
    "leave-one-out, REML": lambda rows: deletion.leave_out(rows, "REML"),
    "influence, REML": lambda rows: deletion.influence(rows, "REML"),
    "Begg": lambda rows: begg(rows.y, rows.v),
    "trim and fill": lambda rows: trim_fill(rows.y, rows.v, side="left"),
}


@pytest.mark.parametrize("name", WORK)
def test_growth_with_the_number_of_studies(benchmark, name):
    sizes, seconds = (1_000, 10_000, 100_000), []
    for k in sizes:
        rows = effects(k)
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            WORK[name](rows)
            best = min(best, time.process_time() - start)
        seconds.append(best)
    benchmark.pedantic(lambda: None, rounds=1)
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    told = ", ".join(f"{k:,}: {1e3 * value:.1f} ms" for k, value in zip(sizes, seconds, strict=True))
    print(f"\n{name}: {told}; growth exponent {exponent:.2f}")


def test_der_simonian_and_laird_against_bare_numpy(benchmark):
    rows = effects(1_000_000)
    y, v = rows.y, rows.v

    def bare() -> float:
        w = 1 / v
        sum_w = w.sum()
        mean = (w * y).sum() / sum_w
        q = (w * (y - mean) ** 2).sum()
        return max(0.0, (q - len(y) + 1) / (sum_w - (w * w).sum() / sum_w))

    def least(task) -> float:
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            task()
            best = min(best, time.process_time() - start)
        return best

    ours = benchmark.pedantic(lambda: least(lambda: WORK["DL"](rows)), rounds=1)
    numpy = least(bare)
    assert WORK["DL"](rows) == pytest.approx(bare(), rel=1e-9)
    print(
        f"\nDL, 1,000,000 studies: {1e3 * ours:.1f} ms, bare NumPy {1e3 * numpy:.1f} ms: {ours / numpy:.1f} x"
    )


def test_everything_that_pool_computes_of_20_000_studies(benchmark):
    import pandas as pd

    rows = effects(20_000)
    table = pd.DataFrame({"study": [f"study {i}" for i in range(rows.n)], "yi": rows.y, "vi": rows.v})

    def task() -> None:
        meta = pairwise.fit(table)
        for part in ("estimates", "heterogeneity", "weights", "notes", "leave_one_out", "sensitivity"):
            getattr(meta, part)()

    start = time.process_time()
    benchmark.pedantic(task, rounds=1)
    print(f"\npool's frames, 20,000 studies: {time.process_time() - start:.2f} s CPU")
