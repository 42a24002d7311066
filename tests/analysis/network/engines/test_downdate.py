"""What is found from the one frequentist fit, against fits made again: without a study, a design, a comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import network
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.data.graph import comparisons, components, splittable
from analysis.network.data.network import Network
from analysis.network.frequentist.splitting import separate_designs, side_splitting, split_network
from analysis.network.model.gls import ESTIMATORS, Gls
from analysis.network.model.inconsistency import WithoutDesigns, pool_designs

CLOSE = 1e-10
"""In standard errors."""


def arms(
    seed: int, studies: int, treatments: int, spread: float = 0.3, experiments: bool = False
) -> pd.DataFrame:
    """Arms of studies with two to four treatments, along a chain of all of them and at random."""
    rng = np.random.default_rng(seed)
    sets = [(t, t + 1) for t in range(treatments - 1)]
    sets += [
        tuple(rng.choice(treatments, rng.integers(2, min(4, treatments) + 1), replace=False).tolist())
        for _ in range(studies)
    ]
    effect = rng.normal(0, 1, treatments)
    return pd.DataFrame(
        [
            {
                "study": f"s{s // 2 if experiments else s:03d}",
                "experiment": f"e{s}" if experiments else "main",
                "treatment": f"t{t:02d}",
                "y": effect[t] + rng.normal(0, 0.4),
                "v": float(np.exp(spread * rng.normal()) * 0.1) ** 2,
            }
            for s, members in enumerate(sets)
            for t in members
        ]
    )


def close(found: Any, expected: Any, unit: Any = 1.0) -> None:
    """Missing in the same places, and the same to a ten thousand millionth of the unit."""
    found, expected = (np.asarray(values, dtype=float) for values in (found, expected))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    there = np.isfinite(expected)
    assert np.max((np.abs(found - expected) / unit)[there], initial=0.0) < CLOSE


def assert_left_out_are_refits(net: Network, method: str) -> None:
    fit = network.fit(net, tau2=method)
    found = fit.leave_one_out()
    number, names = study_numbers(net)
    gls, (treatment, versus) = fit.gls, fit.pair_indices(None)
    for study, name in enumerate(names):
        keep = number[gls.study] != study
        df = gls.degrees_of_freedom(keep)
        q = gls.solve([0.0], keep).rss[0] if df else np.nan
        for model in fit.models:
            rows = found[(found["study"] == name) & (found["model"] == model)]
            between = ESTIMATORS[method](gls, keep) if model == "random" else 0.0
            effect, variance = gls.contrasts(0.0 if np.isnan(between) else between, treatment, versus, keep)
            error = np.sqrt(variance) if np.isfinite(between) else np.full(len(effect), np.nan)
            close(rows["estimate"], effect, np.sqrt(variance))
            close(rows["std_error"], error, np.sqrt(variance))
            close(rows["q"], np.full(len(rows), q), max(q, 1.0) if df else 1.0)
            if model == "random" and np.isfinite(between):
                close(rows["tau"], np.full(len(rows), np.sqrt(between)), np.nanmin(error))


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 10**6), st.integers(3, 18), st.integers(2, 8), st.sampled_from(["REML", "ML", "DL"]))
def test_each_study_left_out_is_the_network_fitted_without_it(
    seed: int, studies: int, treatments: int, method: str
) -> None:
    assert_left_out_are_refits(network.from_arms(arms(seed, studies, treatments)), method)


@pytest.mark.parametrize("method", ["REML", "DL"])
def test_studies_of_several_experiments_and_of_very_different_precision_are_left_out_as_a_refit_does(
    method: str,
) -> None:
    assert_left_out_are_refits(network.from_arms(arms(3, 12, 5, experiments=True)), method)
    # Some studies are a thousand times as precise as others, and alone determine their comparison.
    assert_left_out_are_refits(network.from_arms(arms(5, 8, 6, spread=4.0)), "REML")


def test_one_study_alone_leaves_nothing_to_tabulate() -> None:
    net = network.from_arms(arms(1, 0, 2))
    assert network.fit(net).leave_one_out().empty


def test_leaving_out_takes_no_fit_for_each_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often the network is solved does not depend on the number of studies."""
    calls = []
    solve = Gls.solve
    monkeypatch.setattr(
        Gls, "solve", lambda self, *given, **named: calls.append(1) or solve(self, *given, **named)
    )
    taken = []
    for studies in (40, 160):
        fit = network.fit(network.from_arms(arms(2, studies, 4)))
        calls.clear()
        fit.leave_one_out()
        taken.append(len(calls))
    assert taken[1] <= taken[0] + 2 < 30


@settings(deadline=None, max_examples=6)
@given(
    st.integers(0, 10**6), st.integers(3, 20), st.integers(3, 7), st.sampled_from(["REML", "ML", "DL", None])
)
def test_a_split_comparison_is_a_network_with_one_more_treatment(
    seed: int, studies: int, treatments: int, method: str | None
) -> None:
    net = network.from_arms(arms(seed, studies, treatments))
    evidence, error, between = side_splitting(net, Gls.of(net), method, 0.02)
    for c, ((a, b), reason) in enumerate(splittable(net).items()):
        if reason is not None:
            assert np.isnan(evidence.indirect[c])
            continue
        split = Gls.of(split_network(net, a, b))
        tau2 = 0.02 if method is None else ESTIMATORS[method](split)
        close(between[c], tau2, 0.01)
        if np.isfinite(tau2):
            moved = split.n_treatments - 1
            sides = np.array([moved, b, moved]), np.array([a, a, b])
            effect, variance = split.contrasts(tau2, *sides)
            close([evidence.direct[c], evidence.indirect[c]], effect[:2], np.sqrt(variance[:2]))
            close(
                [evidence.direct_se[c], evidence.indirect_se[c], error[c]],
                np.sqrt(variance),
                np.sqrt(variance),
            )


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 10**6), st.integers(3, 20), st.integers(3, 7), st.sampled_from([0.3, 3.0]))
def test_indirect_designs_are_the_network_without_the_studies_that_compare(
    seed: int, studies: int, treatments: int, spread: float
) -> None:
    net = network.from_arms(arms(seed, studies, treatments, spread))
    gls = Gls.of(net)
    evidence = separate_designs(net, gls, 0.02)
    for c, (a, b) in enumerate(zip(evidence.first, evidence.second)):
        holds = [
            study
            for block in net.blocks
            for study, members in zip(block.study.tolist(), block.treatment.tolist())
            if {a, b} <= set(members)
        ]
        keep = ~np.isin(gls.study, holds)
        effect, variance = [np.nan], [np.nan]
        if keep.any():
            effect, variance = gls.contrasts(0.02, np.array([b]), np.array([a]), keep)
        # Where arms of one study are known a hundred million times better than others, two more digits go.
        unit = np.sqrt(variance[0]) * (100 if spread > 1 else 1)
        close(evidence.indirect[c], effect[0], unit)
        close(evidence.indirect_se[c], np.sqrt(variance[0]), unit)


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(3, 7))
def test_a_detached_design_is_the_network_of_the_others(seed: int, studies: int, treatments: int) -> None:
    pooled = pool_designs(network.from_arms(arms(seed, studies, treatments))).network
    gls = Gls.of(pooled)
    without = WithoutDesigns(pooled, gls)
    effects = without.effects()
    for d in range(len(pooled.studies)):
        keep = gls.study != d
        assert without.freedom[d] == gls.degrees_of_freedom(keep)
        solution = gls.solve([0.0], keep)
        close(without.q[d], solution.rss[0], max(1.0, solution.rss[0]))
        residual = gls.y - gls.design @ effects[d]
        close(residual[keep], solution.residual[keep, 0], np.maximum(1.0, np.abs(solution.residual[keep, 0])))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(2, 8))
def test_the_studies_without_which_a_network_falls_apart(seed: int, studies: int, treatments: int) -> None:
    net = network.from_arms(arms(seed, studies, treatments))
    pairs, found = comparisons(net), cut_off(net)
    for study in range(len(net.studies)):
        rest = pairs.study != study
        part = components(treatments, np.column_stack([pairs.first, pairs.second])[rest])
        assert part.any() == (study in found)
        if part.any():
            np.testing.assert_array_equal(found[study], part)
