"""metafor with its stopping rules tightened until nothing moves: everything that iterates agrees to 1e-9.

With its default rules metafor stops where tau2 changes by less than 1e-5, whatever the unit; see
tests/oracles/README.md. These numbers are the same functions with ``threshold = 1e-12`` and ``tol = 1e-14``, on
effects divided by the root of their mean variance.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.pairwise.influence import deletion
from analysis.pairwise.model import tau2
from analysis.pairwise.model.rows import EffectRows
from analysis.pairwise.small_study import asymmetry as bias

ORACLES = Path(__file__).parents[2] / "oracles"
CONVERGED = json.loads((ORACLES / "pairwise_converged.json").read_text(encoding="utf-8"))["sets"]
HERE = json.loads((ORACLES / "pairwise_metafor.json").read_text(encoding="utf-8"))["data"]
CORE = json.loads((ORACLES / "reference_core.json").read_text(encoding="utf-8"))["pairwise"]
COMMITTED = {
    f"{name} {entry['measure']}": EffectRows.of(entry["yi"], entry["vi"]) for name, entry in HERE.items()
}


def compare(rows, expected):
    typical = rows.df / rows.profile.sums(0.0).trace_p[0] * rows.profile.unit2
    for method in ("REML", "ML", "EB", "PM"):
        assert tau2.estimate(rows, method) == pytest.approx(expected[method], rel=1e-9, abs=1e-10 * typical)
    for interval in ("QP", "PL"):
        assert tau2.interval(rows, interval) == pytest.approx(
            expected[interval], rel=1e-9, abs=1e-12 * typical
        )
    slope = bias.egger(rows.y, rows.v, "additive").slope
    assert slope.statistic[0] == pytest.approx(expected["egger"], rel=1e-9)


@pytest.mark.parametrize("name", COMMITTED)
def test_estimates_and_intervals(name):
    compare(COMMITTED[name], CONVERGED[name])


@pytest.mark.parametrize("name", COMMITTED)
def test_leave_one_out_and_influence(name):
    rows, expected = COMMITTED[name], CONVERGED[name]
    without = deletion.leave_out(rows, "REML")
    assert without.beta[:, 0] == pytest.approx(np.array(expected["loo_estimate"]), rel=1e-9)
    top = max(expected["loo_tau2"])
    assert without.tau2 == pytest.approx(np.array(expected["loo_tau2"]), rel=1e-8, abs=1e-9 * top)
    found = deletion.influence(rows, "REML")
    assert found.rstudent == pytest.approx(np.array(expected["rstudent"]), rel=1e-8)
    assert found.dffits == pytest.approx(np.array(expected["dffits"]), rel=1e-7, abs=1e-9)
    assert found.cooks_distance == pytest.approx(np.array(expected["cook"]), rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("name", sorted(set(CONVERGED) - set(COMMITTED)))
def test_every_other_set(name):
    data, measure = name.split(" ")
    entry = CORE[data][measure]
    compare(EffectRows.of(entry["yi"], entry["vi"]), CONVERGED[name])
