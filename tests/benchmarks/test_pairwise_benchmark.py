"""Speed of pairwise meta-analysis, beside the Python packages that compute the same.

Peers that are not installed are left out. To have them, in an environment of their own::

    pip install pymare PyMetaAnalysis statsmodels pimeta pytest pytest-benchmark
    PYTHONPATH=. pytest tests/benchmarks/test_pairwise_benchmark.py --benchmark-only -s -c /dev/null
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
import pytest

from analysis import pairwise
from analysis.pairwise.influence import deletion
from analysis.pairwise.influence.gosh import gosh
from analysis.pairwise.model import tau2
from analysis.pairwise.model.inference import infer
from analysis.pairwise.model.rows import EffectRows

Task = Callable[[], float]


def data(k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20230115)
    v = rng.gamma(2, 0.05, k)
    return rng.normal(0.3, np.sqrt(v + 0.1)), v


def frame(y, v):
    import pandas as pd

    return pd.DataFrame({"study": [f"study {i}" for i in range(len(y))], "yi": y, "vi": v})


def cpu(task: Task, repeats: int = 5) -> float:
    """Best CPU time in seconds, with the first run left out."""
    task()
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        task()
        best = min(best, time.process_time() - start)
    return best


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def pymare_reml(y, v) -> Task:
    from pymare.estimators import VarianceBasedLikelihoodEstimator

    X = np.ones((len(y), 1))

    def task() -> float:
        result = VarianceBasedLikelihoodEstimator(method="REML").fit(y[:, None], v[:, None], X).summary()
        return float(np.ravel(result.get_fe_stats()["est"])[0])

    return task


def pymetaanalysis_reml(y, v) -> Task:
    import meta_analyze

    table = frame(y, v)

    def task() -> float:
        result = meta_analyze.meta_analysis(
            table, effect="yi", variance="vi", study="study", tau2_method="REML", ci_method="hksj"
        )
        return float(result.estimate)

    return task


def pimeta_reml(y, v) -> Task:
    import pimeta

    return lambda: float(np.ravel(pimeta.rma(yi=y, vi=v, method="REML").b)[0])


def statsmodels_pm(y, v) -> Task:
    from statsmodels.stats.meta_analysis import combine_effects

    return lambda: float(combine_effects(y, v, method_re="iterated").mean_effect_re)


def ours(y, v, method: str = "REML") -> Task:
    def task() -> float:
        rows = EffectRows.of(y, v)
        solution = rows.profile.solve(tau2.estimate(rows, method))
        return float(infer(rows, solution, "HK").estimate[0])

    return task


def report(benchmark, title: str, seconds: dict[str, float]) -> None:
    benchmark.extra_info.update({name: f"{1e3 * value:.2f} ms CPU" for name, value in seconds.items()})
    print(f"\n{title}: " + ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in seconds.items()))


@pytest.mark.parametrize("k", [1_000, 10_000])
def test_reml(benchmark, k):
    y, v = data(k)
    task = ours(y, v)
    benchmark(task)
    seconds = {"ours": cpu(task)}
    peers = {"pymare": pymare_reml, "meta_analyze": pymetaanalysis_reml}
    if k <= 1_000:  # builds dense matrices, does not come back within minutes beyond that
        peers["pimeta"] = pimeta_reml
    for module, peer in peers.items():
        if installed(module):
            other = peer(y, v)
            assert other() == pytest.approx(task(), rel=1e-4)
            seconds[module] = cpu(other, 3)
    report(benchmark, f"REML, {k} studies", seconds)
    assert all(seconds["ours"] <= value for value in seconds.values())


def test_reml_from_a_table(benchmark):
    """With everything that reading, checking and naming 10,000 studies takes."""
    table = frame(*data(10_000))
    benchmark(lambda: pairwise.fit(table).pooled)


def test_paule_mandel(benchmark):
    y, v = data(10_000)
    task = ours(y, v, "PM")
    benchmark(task)
    seconds = {"ours": cpu(task)}
    if installed("statsmodels"):
        other = statsmodels_pm(y, v)
        assert other() == pytest.approx(task(), rel=1e-4)
        seconds["statsmodels"] = cpu(other, 3)
    # Not a race: statsmodels stops where tau2 moves by less than 1e-5, ours goes on to 1e-12 of itself.
    report(benchmark, "Paule-Mandel, 10000 studies", seconds)


def test_leave_one_out(benchmark):
    k = 1_000
    y, v = data(k)

    def task() -> float:
        return float(deletion.leave_out(EffectRows.of(y, v), "REML").beta[7, 0])

    benchmark.pedantic(task, rounds=3)
    seconds = {"ours": cpu(task, 3)}
    keep = np.arange(k) != 7
    # The others fit anew for each study: five deletions are timed, and all of them reckoned from these.
    for module, peer in {
        "pymare": pymare_reml,
        "meta_analyze": pymetaanalysis_reml,
        "pimeta": pimeta_reml,
    }.items():
        if installed(module):
            one = peer(y[keep], v[keep])
            assert one() == pytest.approx(task(), rel=1e-4)
            seconds[module] = cpu(one, 3) * k
    if installed("statsmodels"):
        one = statsmodels_pm(y[keep], v[keep])
        seconds["statsmodels (Paule-Mandel)"] = cpu(one, 3) * k
    report(benchmark, f"leave-one-out by REML, {k} studies", seconds)
    assert all(seconds["ours"] <= value for value in seconds.values())


@pytest.mark.parametrize("method", [None, "DL", "REML", "PM"])
def test_gosh(benchmark, method):
    rows = EffectRows.of(*data(20))
    names = tuple(f"study {i}" for i in range(20))
    start = time.process_time()
    found = benchmark.pedantic(lambda: gosh(rows, names, method, subsets=1 << 20), rounds=1)
    seconds = time.process_time() - start
    assert found.complete
    assert len(found.estimate) > 1_000_000
    report(
        benchmark,
        f"GOSH, {len(found.estimate)} subsets of 20 studies, {method or 'common'}",
        {"ours": seconds},
    )
    assert seconds < 10
