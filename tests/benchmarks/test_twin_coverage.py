"""Do the exact engine's 95 % intervals cover the truth? On simulated twins of the model review.

Every replicate draws all four outcomes anew for the same 89 studies: random effects, animals, habits of reporting,
units, medians in place of means. Run with ``pytest tests/benchmarks/test_twin_coverage.py --benchmark-only -s``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import evidence
from analysis import network
from evidence.folder.simulate import ALF, simulate, truth

TWINS = 200
NODES = ("ADMSC", "AFMSC", "BMSC", "LSC", "MenSC", "UCMSC", "placebo")


def test_coverage_on_simulated_twins(benchmark, tmp_path):
    outcomes = tuple(
        replace(outcome, outcome=f"{outcome.outcome}.{r}", label=f"{outcome.label} {r}")
        for outcome in ALF.outcomes
        for r in range(TWINS)
    )
    folder = simulate(replace(ALF, name="twins", outcomes=outcomes), tmp_path / "twins", seed=11)
    file = evidence.build(folder, tmp_path / "twins.duckdb")
    known = truth(ALF)

    def coverage():
        inside: dict[str, list[bool]] = defaultdict(list)
        with evidence.open(file) as db:
            contrasts = db.sql("select * from contrast_network where measure = 'MD' and timepoint = 3").df()
            shared = db.sql("select * from contrast_covariance where measure = 'MD' and timepoint = 3").df()
        shared = dict(tuple(shared.groupby("outcome")))
        for name, rows in contrasts.groupby("outcome"):
            net = network.from_contrasts(
                rows, outcome=name, reference="placebo", treatments=NODES, covariance=shared.get(name)
            )
            estimates = network.fit(net, engine="exact", model="random").relative_effects()
            outcome = name.partition(".")[0]
            for row in estimates.itertuples():
                inside[outcome].append(row.ci_lower <= known[outcome, row.treatment] <= row.ci_upper)
        return inside

    inside = benchmark.pedantic(coverage, rounds=1)
    every = [hit for hits in inside.values() for hit in hits]
    print()
    for outcome, hits in inside.items():
        print(f"{outcome}: {len(hits)} intervals, {100 * sum(hits) / len(hits):.1f} % cover the truth")
    print(f"all: {len(every)} intervals, {100 * sum(every) / len(every):.1f} % cover the truth")
    assert len(every) == 6 * 4 * TWINS
    assert 0.93 <= sum(every) / len(every) <= 0.97
