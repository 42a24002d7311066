"""How long exact Bayesian network meta-analysis takes, side by side with JAGS where R has it.

CPU seconds of one thread, so that a busy machine does not change the answer.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.network import exact
from analysis.network.data.network import Block, Network

HERE = Path(__file__).parent
OPTIONS = {"model": "random", "tau_prior": "uniform(0, 5)", "effect_prior_sd": 100.0}


def simulated(n_studies, n_treatments, seed=20230115, multi_arm=4):
    """Studies of two arms, most against the reference, and some of three, as in the model review; with arm means."""
    rng = np.random.default_rng(seed)
    effect = np.concatenate([[0.0], rng.normal(0.0, 1.0, n_treatments - 1)])
    blocks, arms, start = [], [], 0
    for k, count in ((2, n_studies - multi_arm), (3, multi_arm)):
        treatment = np.sort(np.argsort(rng.random((count, n_treatments)), axis=1)[:, :k], axis=1)
        if k == 2:
            second = 1 + np.arange(count) % (n_treatments - 1)
            treatment = np.where(
                (rng.random(count) < 0.8)[:, None], np.column_stack([0 * second, second]), treatment
            )
            treatment[: n_treatments - 1] = np.column_stack([0 * second, second])[: n_treatments - 1]
        variance = rng.uniform(0.05, 0.4, (count, k))
        shared = rng.normal(0.0, 0.3 * 0.5**0.5, (count, k))
        mean = (
            rng.normal(5.0, 1.0, (count, 1))
            + effect[treatment]
            + shared
            + variance**0.5 * rng.normal(size=(count, k))
        )
        S = variance[:, 1:, None] * np.eye(k - 1) + variance[:, :1, None]
        blocks.append(Block(start + np.arange(count), treatment, mean[:, 1:] - mean[:, :1], S))
        arms.append((start + np.arange(count), treatment, mean, variance**0.5))
        start += count
    names = tuple(f"t{t:03d}" for t in range(n_treatments))
    studies = tuple((f"s{i:05d}", "main") for i in range(n_studies))
    return Network("outcome", "MD", "additive", names, studies, tuple(blocks), lower_is_better=True), arms


def cpu(work, repeat=5):
    """Least CPU seconds of some runs; the first is not counted."""
    work()
    taken = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def core(net):
    """Fit, all pairs with their intervals and predictions, SUCRA."""
    fit = exact.fit(net, **OPTIONS)
    versus, treatment = np.triu_indices(len(net.treatments), 1)
    fit.effect("random", treatment, versus).interval()
    fit.sucra("random")
    return fit


def everything(net):
    fit = exact.fit(net, **OPTIONS)
    for table in (
        fit.estimates, fit.heterogeneity, fit.ranking, fit.rank_probabilities, fit.fit_statistics, fit.leave_one_out,
        fit.node_splits, fit.inconsistency,
    ):  # fmt: skip
        assert len(table()) > 0
    return fit


def test_model_review_shape(benchmark):
    """89 studies, 7 treatments: every table of the analysis."""
    net, _ = simulated(89, 7)
    benchmark.pedantic(everything, args=(net,), rounds=5, warmup_rounds=1)
    taken = cpu(lambda: everything(net))
    benchmark.extra_info["cpu_seconds"] = taken
    assert taken < 0.15


def test_ten_thousand_studies_of_a_hundred_treatments(benchmark):
    net, _ = simulated(10_000, 100, multi_arm=400)

    def work():
        fit = exact.fit(net, **OPTIONS)
        assert fit.posteriors["random"].error < 1e-8
        fit.relative_effects(fit.all_pairs())
        fit.ranking()

    benchmark.pedantic(work, rounds=2, warmup_rounds=1)
    taken = cpu(work, repeat=2)
    benchmark.extra_info["cpu_seconds"] = taken
    assert taken < 3.0


def test_growth_with_studies_is_linear(benchmark):
    sizes = np.array([2_500, 5_000, 10_000, 20_000, 40_000])
    nets = [simulated(int(n), 7)[0] for n in sizes]
    taken = np.array([cpu(lambda net=net: core(net), repeat=3) for net in nets])
    slope = np.polyfit(np.log(sizes), np.log(taken), 1)[0]
    benchmark.extra_info |= {"cpu_seconds": dict(zip(sizes.tolist(), taken.tolist())), "slope": slope}
    benchmark.pedantic(core, args=(nets[0],), rounds=2)
    assert slope < 1.15


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def rjags():
    script = shutil.which("Rscript")
    if script is None:
        pytest.skip("no Rscript on this machine")
    if subprocess.run([script, "-e", "library(rjags)"], capture_output=True, check=False).returncode:
        pytest.skip("R has no package rjags")
    return script


STANDALONE = """
import sys
import pandas as pd
from analysis.network import exact, from_contrasts
net = from_contrasts(pd.read_csv(sys.argv[1]), reference="t000", lower_is_better=True)
fit = exact.fit(net, model="random", tau_prior="uniform(0, 5)", effect_prior_sd=100.0)
print(len(fit.estimates()), len(fit.ranking()))
"""


def test_against_jags(benchmark, rjags, tmp_path):
    """The fit with all pairs' intervals and SUCRA, against JAGS with 4 x (5,000 + 20,000) iterations."""
    net, arms = simulated(89, 7)
    rows, contrasts = [], []
    for study, treatment, mean, se in arms:
        for i, s in enumerate(study):
            for a in range(treatment.shape[1]):
                rows.append((s + 1, a + 1, treatment[i, a] + 1, mean[i, a], se[i, a]))
                for b in range(a):
                    names = net.treatments[treatment[i, a]], net.treatments[treatment[i, b]]
                    contrasts.append((s, *names, mean[i, a] - mean[i, b], np.hypot(se[i, a], se[i, b])))
    pd.DataFrame(rows, columns=["study", "arm", "treatment", "mean", "se"]).to_csv(
        tmp_path / "arms.csv", index=False
    )
    columns = ["study", "treatment1", "treatment2", "te", "se"]
    pd.DataFrame(contrasts, columns=columns).to_csv(tmp_path / "contrasts.csv", index=False)

    before = children_cpu()
    command = [rjags, str(HERE / "tsd2_normal.R"), str(tmp_path / "arms.csv"), str(tmp_path / "out.csv")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    jags_process, jags_running = children_cpu() - before, float(output.split()[-1])

    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STANDALONE, str(tmp_path / "contrasts.csv")]
    processes = []
    for _ in range(3):
        before = children_cpu()
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=HERE.parents[1])
        processes.append(children_cpu() - before)
    exact_process, exact_running = min(processes), cpu(lambda: core(net))
    benchmark.pedantic(core, args=(net,), rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {
        "cpu_seconds": {
            "jags running": jags_running,
            "jags process": jags_process,
            "exact running": exact_running,
            "exact process": exact_process,
        },
        "times faster running": jags_running / exact_running,
        "times faster from process start": jags_process / exact_process,
    }

    # The same answer, within what 80,000 autocorrelated draws can say.
    fit = core(net)
    found = pd.read_csv(tmp_path / "out.csv").set_index("quantity")["value"]
    effects = fit.effect("random", np.arange(1, 7), np.zeros(6, dtype=int))
    assert np.max(np.abs(effects.mean - found[[f"d{t}" for t in range(2, 8)]].to_numpy()) / effects.sd) < 0.05
    assert abs(fit.posteriors["random"].heterogeneity.mean - found["sd"]) < 0.02
    assert np.max(np.abs(fit.sucra("random") - found[[f"sucra{t}" for t in range(1, 8)]].to_numpy())) < 0.01
    assert jags_running / exact_running >= 300
    assert jags_process / exact_process >= 8
