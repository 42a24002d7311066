"""Small-study effects in networks: the rules are those of a pairwise meta-analysis, measure by measure."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.pairwise.small_study import asymmetry as bias
from evidence.errors import CallError, RefusedError

ORDER = ["a", "b", "c"]
EFFECT = {"a": 0.0, "b": 0.6, "c": 1.2}


def contrasts(seed: int, per_pair: int, slope: float = 1.0, sizes: bool = True) -> pd.DataFrame:
    """Two-arm studies of three treatments: Hedges' g with its usual variance, which holds the effect."""
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(ORDER, 2)) * per_pair
    n = rng.integers(5, 40, len(pairs)).astype(float)
    truth = slope * np.array([EFFECT[one] - EFFECT[two] for one, two in pairs])
    # The distribution of d (Hedges 1981): a normal over a chi with n_a + n_b - 2 degrees of freedom.
    df = 2 * n - 2
    d = (truth + rng.normal(0, np.sqrt(2 / n))) / np.sqrt(rng.chisquare(df) / df)
    d *= 1 - 3 / (4 * df - 1)
    table = pd.DataFrame(pairs, columns=["treatment_a", "treatment_b"])
    table["study"] = [f"s{i:02}" for i in range(len(pairs))]
    table["estimate"], table["std_error"] = d, np.sqrt(2 / n + d**2 / (4 * n))
    return table.assign(n_a=n, n_b=n) if sizes else table


def asymmetry(table: pd.DataFrame, measure: str = "SMD", **options: Any) -> pd.DataFrame:
    fit = network.fit(network.from_contrasts(table, measure=measure, reference="a"), model="common")
    rows = fit.small_study_effects(ORDER, **options)
    return rows.assign(method=rows["method"].str.rpartition(", ")[2]).set_index(["method", "quantity"])


def test_an_smd_is_regressed_on_sizes_with_weights_of_sizes() -> None:
    table = contrasts(1, 5)
    fit = network.fit(network.from_contrasts(table, measure="SMD", reference="a"), model="common")
    y = fit.funnel(ORDER).sort_values("study")["adjusted"].to_numpy()
    size = (1 / table["n_a"] + 1 / table["n_b"]).to_numpy()
    # Second method: ordinary least squares of what has been divided by the root of the size, an intercept for
    # each of the three comparisons, which takes the place of its centre.
    pair = (table["treatment_a"] + table["treatment_b"]).to_numpy()
    design = np.column_stack(
        [np.ones(len(size)), *((pair == one) / np.sqrt(size) for one in np.unique(pair))]
    )
    beta, rest, *_ = np.linalg.lstsq(design, y / np.sqrt(size), rcond=None)
    error = np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * rest[0] / (len(y) - 4))
    found = asymmetry(table)
    assert found["value"]["Egger", "estimate"] == pytest.approx(beta[0], rel=1e-9)
    assert found["value"]["Egger", "std_error"] == pytest.approx(error, rel=1e-9)
    assert "on sqrt(1/n1+1/n2)" in found["note"]["Egger", "p_value"]


def test_a_rank_test_of_an_smd_is_refused_and_done_if_asked_for() -> None:
    found = asymmetry(contrasts(1, 5))
    assert np.isnan(found["value"]["Begg", "refused"])
    assert "the standard error of SMD depends on the effect" in found["note"]["Begg", "refused"]
    anyway = asymmetry(contrasts(1, 5), anyway=True)
    assert 0 < anyway["value"]["Begg", "p_value"] < 1
    assert "asymmetry without any bias" in anyway["note"]["Begg", "p_value"]
    assert (
        "asymmetry without any bias" in asymmetry(contrasts(1, 5), predictor="se")["note"]["Egger", "p_value"]
    )


def test_a_mean_difference_keeps_its_standard_error_as_predictor() -> None:
    found = asymmetry(contrasts(1, 5, sizes=False), "MD")
    assert found["note"]["Egger", "p_value"].startswith("on se")
    assert 0 < found["value"]["Begg", "p_value"] < 1


def test_fewer_than_ten_comparisons_are_refused() -> None:
    with pytest.raises(RefusedError, match="at least 10 comparisons; there are 9"):
        asymmetry(contrasts(1, 3))
    assert "there are 9" in asymmetry(contrasts(1, 3), anyway=True)["note"]["Egger", "p_value"]


def test_studies_whose_sizes_are_not_known_are_named() -> None:
    with pytest.raises(RefusedError, match="s00, s01"):
        asymmetry(contrasts(1, 5, sizes=False))
    table = contrasts(1, 5)
    table.loc[3, "n_b"] = np.nan
    with pytest.raises(RefusedError, match="there is none in s03"):
        asymmetry(table)
    with pytest.raises(CallError, match="no predictor 'n'"):
        asymmetry(table, predictor="n")


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.85, 1.7])
def test_the_size_for_smd_without_bias(slope: float) -> None:
    """Asymmetry is found where there is none in 3 to 7 % of reviews, whatever the effects (here up to 2)."""
    p = []
    for seed in range(1200):
        table = contrasts(seed, 8, slope)
        pair = (table["treatment_a"] + table["treatment_b"]).to_numpy()
        y, size = table["estimate"].to_numpy(), (1 / table["n_a"] + 1 / table["n_b"]).to_numpy()
        p.append(bias.egger(y, size, predictor=bias.OF_ARMS, n=size, strata=pair).slope.p_value[0])
        if seed == 0:
            # A comparison's centre goes into its intercept: the test of the network is this one.
            assert asymmetry(table)["value"]["Egger", "p_value"] == pytest.approx(p[0], rel=1e-9)
    share = float(np.mean(np.array(p) < 0.05))
    print(f"effects times {slope}: {share:.3f}")
    assert 0.03 <= share <= 0.07
