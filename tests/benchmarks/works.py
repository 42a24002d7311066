"""One piece of the program's work in a process of its own: ``python works.py WORK FILE``; see `table`.

Prints seconds of CPU, the least of some runs once everything is imported and warm, and the peak of memory in MB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from peers import cheapest

PRIORS = {"model": "random", "tau_prior": "uniform(0, 5)", "effect_prior_sd": 100.0}


def effects(path: str) -> tuple[Any, Any]:
    import pandas as pd

    table = pd.read_csv(path)
    return table["y"].to_numpy(), table["v"].to_numpy()


def network_of(path: str) -> Any:
    import pandas as pd

    from analysis import network

    return network.from_contrasts(pd.read_csv(path), lower_is_better=True)


def pooling(method: str) -> Callable[[str], Callable[[], Any]]:
    """From two arrays to the estimate with its interval."""

    def prepared(path: str) -> Callable[[], Any]:
        from analysis.pairwise.model import tau2
        from analysis.pairwise.model.inference import infer
        from analysis.pairwise.model.rows import EffectRows

        y, v = effects(path)

        def task() -> Any:
            rows = EffectRows.of(y, v)
            return infer(rows, rows.profile.solve(tau2.estimate(rows, method)), "Wald").estimate

        return task

    return prepared


def loading(file: str) -> Callable[[], Any]:
    import evidence
    from analysis import network

    db = evidence.open(file)
    return lambda: network.load(db, outcome="hba1c", measure="MD")


def exact_of_a_review(file: str) -> Callable[[], Any]:
    from analysis import network

    net = loading(file)()
    return lambda: network.fit(net, engine="exact", reference="plac", **PRIORS).estimates()


def exact(tables: bool = False, large: bool = False) -> Callable[[str], Callable[[], Any]]:
    """Fit with every pair and its interval; or every table; or, of a large network, estimates and ranks."""

    def prepared(path: str) -> Callable[[], Any]:
        import numpy as np

        from analysis.network import exact

        net = network_of(path)
        versus, treatment = np.triu_indices(len(net.treatments), 1)

        def task() -> Any:
            fit = exact.fit(net, **PRIORS)
            if large:
                return fit.relative_effects(fit.all_pairs()), fit.ranking()
            if not tables:
                return fit.effect("random", treatment, versus).interval(), fit.sucra("random")
            every = (
                fit.estimates,
                fit.heterogeneity,
                fit.ranking,
                fit.rank_probabilities,
                fit.fit_statistics,
            )
            return [table() for table in (*every, fit.leave_one_out, fit.node_splits, fit.inconsistency)]

        return task

    return prepared


def frequentist(path: str) -> Callable[[], Any]:
    """From a table of contrasts to both models' estimates of every treatment against the reference."""
    import pandas as pd

    from analysis import network

    table = pd.read_csv(path)
    return lambda: network.fit(network.from_contrasts(table, lower_is_better=True)).relative_effects()


def leaving_out(path: str) -> Callable[[], Any]:
    from analysis import network

    net = network_of(path)
    return lambda: network.fit(net).leave_one_out()


WORKS: dict[str, Callable[..., Callable[[], Any]]] = {
    "DL": pooling("DL"),
    "REML": pooling("REML"),
    "load": loading,
    "exact review": exact_of_a_review,
    "exact pairs": exact(),
    "exact tables": exact(tables=True),
    "exact large": exact(large=True),
    "frequentist": frequentist,
    "leave one out": leaving_out,
}

if __name__ == "__main__":
    work, file = sys.argv[1:]
    if work == "exact once":
        # From process start: the process is measured, and nothing is warm.
        WORKS["exact pairs"](file)()
    else:
        cheapest(WORKS[work](file))
