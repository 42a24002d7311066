"""Frequentist networks: seconds, memory, growth with the number of studies, and a peer on the same data."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import evidence
from analysis import network

PEER = Path("/opt/venv-peers/bin/python")


def simulated(studies: int, treatments: int, seed: int = 1) -> pd.DataFrame:
    """All comparisons of studies with two or (one in ten) three arms, around a common comparator and a ring."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=treatments)
    rows: list[tuple[Any, ...]] = []
    for s in range(studies):
        second = int(rng.integers(1, treatments))
        arms = [0 if rng.random() < 0.7 or treatments == 2 else second % (treatments - 1) + 1, second]
        if arms[0] == arms[1]:
            arms[0] = 0
        third = int(rng.integers(treatments))
        if rng.random() < 0.1 and third not in arms:
            arms.append(third)
        error = rng.uniform(0.1, 0.5, len(arms))
        y = effect[arms] + rng.normal(0, 0.2, len(arms)) + rng.normal(0, error)
        rows += [
            (
                f"s{s:05d}",
                f"t{arms[i]:03d}",
                f"t{arms[j]:03d}",
                y[i] - y[j],
                float(np.hypot(error[i], error[j])),
            )
            for i in range(len(arms))
            for j in range(i)
        ]
    return pd.DataFrame(rows, columns=["study", "treatment_a", "treatment_b", "estimate", "std_error"])


def whole_fit(frame: pd.DataFrame) -> Any:
    """From a table to tau2 by REML and both models' estimates of every treatment against the reference."""
    fit = network.fit(network.from_contrasts(frame, lower_is_better=True))
    return fit, fit.relative_effects()


@pytest.mark.parametrize(("studies", "treatments"), [(89, 7), (1_000, 7), (10_000, 7), (10_000, 100)])
def test_fit(benchmark: Any, studies: int, treatments: int) -> None:
    frame = simulated(studies, treatments)
    fit, _ = benchmark.pedantic(whole_fit, args=(frame,), rounds=3, warmup_rounds=1)
    assert len(fit.network.studies) == studies


def test_ten_thousand_studies_take_less_than_a_second_and_500_mb(benchmark: Any) -> None:
    frame = simulated(10_000, 40)
    whole_fit(frame.head(100))  # imports
    start = time.process_time()
    benchmark.pedantic(whole_fit, args=(frame,), rounds=1)
    seconds = time.process_time() - start
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    benchmark.extra_info |= {"cpu_seconds": seconds, "peak_megabytes": megabytes}
    print(f"frequentist, 10,000 x 40, from table to estimates: {seconds:.2f} s CPU, peak {megabytes:.0f} MB")
    assert seconds < 1.0
    assert megabytes < 500


def test_time_grows_linearly_with_studies(benchmark: Any) -> None:
    sizes = [1_000, 3_000, 10_000, 30_000]
    nets = [network.from_contrasts(simulated(size, 20)) for size in sizes]

    def cpu(net: Any) -> float:
        start = time.process_time()
        network.fit(net).relative_effects()
        return time.process_time() - start

    cpu(nets[0])
    seconds = [min(cpu(net) for _ in range(3)) for net in nets]
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    benchmark.extra_info |= {"sizes": sizes, "cpu_seconds": seconds, "slope": slope}
    benchmark.pedantic(cpu, args=(nets[2],), rounds=3)
    assert slope < 1.15


def least_cpu(work: Any, repeat: int = 3) -> float:
    work()
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def peak() -> float:
    """Megabytes of memory of this process at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_loading_a_network_of_26_studies(benchmark: Any) -> None:
    with evidence.open("diabetes") as db:
        seconds = least_cpu(lambda: network.load(db, outcome="hba1c", measure="MD"), 7)
        benchmark.pedantic(network.load, (db, "hba1c", "MD"), rounds=1)
    print(f"network.load, 26 studies, warm: {seconds:.3f} s CPU")


def test_leave_one_out_of_300_studies_of_50_treatments_is_down_dated(benchmark: Any) -> None:
    fit = network.fit(network.from_contrasts(simulated(300, 50), lower_is_better=True))
    seconds = least_cpu(fit.leave_one_out)
    benchmark.pedantic(fit.leave_one_out, rounds=1)
    print(f"frequentist leave-one-out, 300 x 50: {seconds:.2f} s CPU, peak {peak():.0f} MB")
    assert seconds < 1.0


def test_leaving_out_and_splitting_grow_linearly_with_studies(benchmark: Any) -> None:
    sizes = [1_000, 3_000, 10_000]
    fits = [network.fit(network.from_contrasts(simulated(size, 10), lower_is_better=True)) for size in sizes]
    for name, work in (
        ("leave-one-out", lambda fit: fit.leave_one_out()),
        ("SIDDE", lambda fit: fit.node_splits("SIDDE")),
        ("side-splitting", lambda fit: fit.node_splits("side-splitting")),
    ):
        seconds = [least_cpu(lambda fit=fit, work=work: work(fit), 2) for fit in fits]
        slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        print(f"{name} of {sizes}: {[round(s, 3) for s in seconds]} s CPU, grows with power {slope:.2f}")
        benchmark.extra_info[name] = {"cpu_seconds": seconds, "slope": slope}
        assert slope < 1.15
    benchmark.pedantic(fits[0].leave_one_out, rounds=1)


def test_leave_one_out_of_89_studies(benchmark: Any) -> None:
    fit = network.fit(network.from_contrasts(simulated(89, 7), lower_is_better=True))
    table = benchmark.pedantic(fit.leave_one_out, rounds=3, warmup_rounds=1)
    assert table["study"].nunique() == 89


@pytest.mark.skipif(not PEER.exists(), reason="pimeta is not installed in an environment of its own")
@pytest.mark.parametrize(("studies", "treatments"), [(89, 7), (1_000, 7)])
def test_pimeta_on_the_same_data(benchmark: Any, tmp_path: Path, studies: int, treatments: int) -> None:
    frame = simulated(studies, treatments)
    frame.to_csv(tmp_path / "contrasts.csv", index=False)
    script = (
        "import csv, json, sys, time, numpy as np, pimeta as ma\n"
        "d = list(csv.DictReader(open(sys.argv[1])))\n"
        "y, se = (np.array([float(r[c]) for r in d]) for c in ('estimate', 'std_error'))\n"
        "a, b, s = (np.array([r[c] for r in d]) for c in ('treatment_a', 'treatment_b', 'study'))\n"
        "ma.netmeta(y, se, a, b, studlab=s)\n"
        "t = time.process_time(); n = ma.netmeta(y, se, a, b, studlab=s); t = time.process_time() - t\n"
        "print(json.dumps({'cpu': t, 'tau2': float(n.tau2)}))\n"
    )
    answer = subprocess.run(
        [PEER, "-c", script, str(tmp_path / "contrasts.csv")], capture_output=True, text=True, check=True
    )
    peer = json.loads(answer.stdout.splitlines()[-1])

    def ours() -> Any:
        net = network.from_contrasts(frame)
        fit = network.fit(net, tau2="DL")
        return fit, fit.estimates()

    fit, _ = benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    start = time.process_time()
    ours()
    tables = time.process_time() - start
    # pimeta starts from arrays and gives arrays; so does this.
    start = time.process_time()
    again = network.fit(fit.network, tau2="DL")
    for model in ("common", "random"):
        again.gls.contrasts(again.between(model), *again.pair_indices(again.all_pairs()))
    arrays = time.process_time() - start
    benchmark.extra_info |= {
        "pimeta_cpu": peer["cpu"],
        "cpu_from_table_to_tables": tables,
        "cpu_arrays": arrays,
    }
    assert fit.tau2 == pytest.approx(peer["tau2"], rel=1e-6)
