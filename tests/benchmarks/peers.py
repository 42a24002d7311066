"""What a user would pick instead, on the same tables: ``python peers.py PEER FILE``; see `table`.

``python peers.py data FOLDER`` writes these tables. Imports nothing of the program.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EFFECTS = (1_000, 1_000_000)
NETWORKS = ((89, 7), (300, 50), (10_000, 40), (10_000, 100))


def cheapest(task: Callable[[], Any]) -> None:
    """Print the least CPU of three rounds after a first run, and the peak of memory.

    A round is as many runs as take a third of a second: the clock of a process may tick in hundredths.
    """

    def taken(runs: int) -> float:
        begin = time.process_time()
        for _ in range(runs):
            task()
        return (time.process_time() - begin) / runs

    least = taken(1)
    if least < 20:
        begin = time.perf_counter()
        task()
        runs = math.ceil(0.3 / (time.perf_counter() - begin))
        least = min(taken(runs) for _ in range(3))
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps({"cpu": least, "peak": int(peak[1]) / 1024 if peak else None}))


def write(folder: str) -> None:
    """Write effects, and networks of studies with two or (one in twenty) three arms."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20230115)
    for k in EFFECTS:
        v = rng.gamma(2, 0.05, k)
        table = pd.DataFrame({"y": rng.normal(0.3, np.sqrt(v + 0.1)), "v": v})
        table.to_csv(Path(folder) / f"effects-{k}.csv", index=False)
    for studies, treatments in NETWORKS:
        effect = np.concatenate([[0.0], rng.normal(0.0, 1.0, treatments - 1)])
        arms, pairs = [], []
        for s in range(studies):
            second = 1 + s % (treatments - 1)
            first = 0 if s < treatments or rng.random() < 0.8 else 1 + (s * 7 + 1) % (treatments - 1)
            among = {first, second, *((1 + (s + 2) % (treatments - 1),) if s % 20 == 0 else ())}
            given = sorted(among if len(among) > 1 else {0, second})
            error = rng.uniform(0.05, 0.4, len(given)) ** 0.5
            mean = (
                rng.normal(5.0, 1.0) + effect[given] + rng.normal(0.0, 0.2, len(given)) + rng.normal(0, error)
            )
            arms += [(s + 1, i + 1, t + 1, mean[i], error[i]) for i, t in enumerate(given)]
            pairs += [
                (s, f"t{given[i]:03d}", f"t{given[j]:03d}", mean[i] - mean[j], np.hypot(error[i], error[j]))
                for i in range(len(given))
                for j in range(i)
            ]
        name = f"{studies}x{treatments}.csv"
        columns = ["study", "arm", "treatment", "mean", "se"]
        pd.DataFrame(arms, columns=columns).to_csv(Path(folder) / f"arms-{name}", index=False)
        columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
        pd.DataFrame(pairs, columns=columns).to_csv(Path(folder) / f"contrasts-{name}", index=False)


def numpy_dl(table: Any) -> Callable[[], Any]:
    """The formulas of DerSimonian and Laird, written out."""
    y, v = table["y"].to_numpy(), table["v"].to_numpy()

    def task() -> Any:
        w = 1 / v
        total, mean = w.sum(), (w * y).sum() / w.sum()
        tau2 = max(0, ((w * (y - mean) ** 2).sum() - len(y) + 1) / (total - (w * w).sum() / total))
        w = 1 / (v + tau2)
        return (w * y).sum() / w.sum(), w.sum() ** -0.5

    return task


def pymare(method: str) -> Callable[[Any], Callable[[], Any]]:
    def prepared(table: Any) -> Callable[[], Any]:
        import numpy as np
        from pymare.estimators import DerSimonianLaird, VarianceBasedLikelihoodEstimator

        y, v = table[["y"]].to_numpy(), table[["v"]].to_numpy()
        made = DerSimonianLaird() if method == "DL" else VarianceBasedLikelihoodEstimator(method=method)
        return lambda: made.fit(y, v, np.ones_like(y)).summary().get_fe_stats()

    return prepared


def pymetaanalysis(method: str) -> Callable[[Any], Callable[[], Any]]:
    def prepared(table: Any) -> Callable[[], Any]:
        import meta_analyze

        return lambda: meta_analyze.meta_analysis(table, effect="y", variance="v", tau2_method=method)

    return prepared


def pimeta(method: str) -> Callable[[Any], Callable[[], Any]]:
    def prepared(table: Any) -> Callable[[], Any]:
        import pimeta

        return lambda: pimeta.rma(yi=table["y"].to_numpy(), vi=table["v"].to_numpy(), method=method)

    return prepared


def pimeta_network(table: Any) -> Callable[[], Any]:
    import pimeta

    columns = ("estimate", "std_error", "treatment_a", "treatment_b", "study")
    return lambda: pimeta.netmeta(*(table[name].tolist() for name in columns), method_tau="REML")


def pandas_contrasts(table: Any) -> Callable[[], Any]:
    """Pairs of arms of a study against the control, with difference and standard error: no unit, time or flag."""

    def task() -> Any:
        control = table[table["arm"] == "control"]
        pairs = table[table["arm"] != "control"].merge(control, on=["study", "outcome", "timepoint"])
        se = (pairs["sd_x"] ** 2 / pairs["n_x"] + pairs["sd_y"] ** 2 / pairs["n_y"]) ** 0.5
        return (pairs["mean_x"] - pairs["mean_y"]).sum(), se.sum()

    return task


PEERS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "NumPy DL": numpy_dl,
    "pandas contrasts": pandas_contrasts,
    "PyMARE DL": pymare("DL"),
    "PyMARE REML": pymare("REML"),
    "PyMetaAnalysis DL": pymetaanalysis("DL"),
    "PyMetaAnalysis REML": pymetaanalysis("REML"),
    "pimeta REML": pimeta("REML"),
    "pimeta network": pimeta_network,
}

if __name__ == "__main__":
    peer, path = sys.argv[1:]
    if peer == "data":
        write(path)
    else:
        import pandas

        cheapest(PEERS[peer](pandas.read_csv(path)))
