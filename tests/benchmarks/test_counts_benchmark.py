"""How long counts take: importance sampling, all tables, and growth with the number of studies."""

import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network import counts

PINNED = json.loads(
    (Path(__file__).parents[1] / "oracles" / "network_counts.json").read_text(encoding="utf-8")
)["networks"]


def network_of(arms):
    frame = pd.DataFrame(arms)
    half = 0.5 * frame["study"].isin(frame["study"][frame["events"] == 0])
    y, rest = frame["events"] + half, frame["n"] + half - frame["events"]
    frame["y"], frame["v"] = np.log(y / rest), 1 / y + 1 / rest
    return network.from_arms(frame, measure="OR", reference=frame["treatment"].iloc[0], lower_is_better=False)


def simulated(studies, treatments=7, seed=3):
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        base = rng.normal(-1.0, 0.5)
        for arm in (0, 1 + study % (treatments - 1)):
            eta = base + 0.1 * arm + (rng.normal(0, 0.3) if arm else 0.0)
            rows.append((str(study), f"T{arm}", int(rng.binomial(120, 1 / (1 + np.exp(-eta)))), 120))
    return network_of(pd.DataFrame(rows, columns=["study", "treatment", "events", "n"]))


@pytest.mark.benchmark(group="counts")
def test_random_effects_on_smoking(benchmark):
    about = PINNED["smoking"]
    net = network_of(about["arms"])
    fit = benchmark.pedantic(
        counts.fit, (net,), {"model": "random", "draws": 1024}, rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["effective"] = fit.posteriors["random"].effective
    assert fit.posteriors["random"].trusted


@pytest.mark.benchmark(group="counts")
def test_all_leave_one_outs_on_smoking(benchmark):
    fit = counts.fit(network_of(PINNED["smoking"]["arms"]), model="random")
    left = benchmark.pedantic(fit.leave_one_out, rounds=1)
    assert left["study"].nunique() == 24


@pytest.mark.benchmark(group="counts growth")
def test_memory_does_not_grow_by_draws_times_studies(benchmark):
    def measure():
        net, peaks = simulated(400), []
        for draws in (1024, 4096):
            tracemalloc.start()
            counts.fit(net, model="random", draws=draws).fit_statistics()
            peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
            tracemalloc.stop()
        return peaks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.network.counts.posterior.KEPT", 0)
        peaks = benchmark.pedantic(measure, rounds=1)
    print(f"counts, 400 studies, 1,024 and 4,096 draws: peak {peaks[0]:.0f} and {peaks[1]:.0f} MB")
    assert peaks[1] < peaks[0] + 20


@pytest.mark.benchmark(group="counts growth")
def test_time_grows_linearly_with_studies(benchmark):
    def measure():
        times = {}
        for studies in (50, 200, 800):
            net = simulated(studies)
            start = time.process_time()
            assert counts.fit(net, model="random", draws=1024).posteriors["random"].trusted
            times[studies] = time.process_time() - start
        return times

    times = benchmark.pedantic(measure, rounds=1)
    slope = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
    benchmark.extra_info.update({"seconds": times, "slope": slope})
    print(f"counts: {times} s CPU, grows with power {slope:.2f}")
    assert slope < 1.3
