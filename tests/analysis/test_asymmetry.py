"""What is said of a funnel's tests: right in its direction, the same in any unit, and no more than they show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise
from analysis.asymmetry import conclusions
from analysis.further import funnel_order


def run_of(y, v, *, lower, measure="MD", treatment="drug", n_studies=None):
    table = pd.DataFrame({"study": [f"s{i:02}" for i in range(len(y))], "yi": y, "vi": v})
    fit = pairwise.fit(table, measure=measure)
    return SimpleNamespace(
        kind="pairwise",
        measure=measure,
        treatment=treatment,
        lower_is_better=lower,
        n_studies=n_studies or len(y),
        frames={"sensitivity": fit.sensitivity()},
    )


def funnel(k=12, slope=0.0, seed=2):
    """Effects whose mean moves with the standard error by `slope`, with little else."""
    rng = np.random.default_rng(seed)
    se = np.linspace(0.1, 1.0, k)
    return slope * se + rng.normal(0, 0.3, k) * se, se**2


@pytest.mark.parametrize("unit", [1.0, 1000.0])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("slope", [2.0, -2.0])
def test_the_direction_is_that_of_benefit_whatever_unit_and_order(slope, lower, swapped, unit):
    y, v = funnel(slope=slope)
    sign, name = (-1, "placebo") if swapped else (1, "drug")
    (said,) = conclusions(
        run_of(sign * unit * y, unit**2 * v, lower=lower, treatment=name), {name: name.title()}
    )
    more = ((slope < 0) == lower) != swapped
    assert f"effects {'more' if more else 'less'} favourable to {name.title()} than larger ones do" in said
    assert said.startswith("Egger's test, 12 studies: ")
    assert "may be the reason; so may be" in said
    assert "publication bias" not in said


def test_without_a_direction_of_benefit_only_the_side_is_said():
    (said,) = conclusions(run_of(*funnel(slope=2.0), lower=None), {})
    assert "the effects of smaller studies lie above those of larger ones (p" in said


def test_a_test_that_finds_nothing_does_not_deny_bias():
    (said,) = conclusions(run_of(*funnel(slope=0.0), lower=True), {})
    assert "no asymmetry beyond chance (p = " in said
    assert "does not show that there is no bias" in said


def test_fewer_than_ten_studies_are_given_a_reason_not_a_test():
    (said,) = conclusions(run_of(*funnel(9, slope=5.0), lower=True), {})
    assert said.startswith(
        "No test of funnel asymmetry is given: there are 9 studies, and with fewer than 10"
    )
    (other,) = conclusions(run_of(*funnel(9, slope=5.0), lower=True, n_studies=4), {})
    assert "there are 9 effects" in other


def test_equally_precise_studies_are_given_the_reason():
    y, v = funnel()
    (said,) = conclusions(run_of(y, np.full_like(v, 0.04), lower=True), {})
    assert said.startswith("No test of funnel asymmetry is given: ")
    assert "equally precise" in said


def test_rows_that_were_not_kept_are_not_taken_for_a_finding():
    run = run_of(*funnel(), lower=True)
    run.frames["sensitivity"] = run.frames["sensitivity"].iloc[:0]
    assert conclusions(run, {}) == [
        "No test of funnel asymmetry was kept with this analysis: carry it out again."
    ]


def test_the_order_of_a_funnel_is_the_plans_then_active_treatments_then_controls():
    roles = {"p": "control", "a": "active", "s": "sham", "b": "active"}
    assert funnel_order(list(roles), roles, None) == ["a", "b", "p", "s"]
    assert funnel_order(list(roles), roles, ["b", "unknown"]) == ["b", "a", "p", "s"]
