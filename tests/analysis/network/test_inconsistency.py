"""Agreement of designs, and of direct with indirect evidence, against models written out in full."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network.data.graph import splittable
from analysis.network.frequentist.splitting import side_splitting, split_network
from analysis.network.model.gls import ESTIMATORS, Gls
from analysis.network.model.inconsistency import pool_designs


@pytest.fixture(scope="module")
def net() -> Any:
    """Five treatments, two- to four-arm studies, disagreement within and between designs."""
    rng = np.random.default_rng(11)
    effect = dict(zip("ABCDE", rng.normal(0, 1, 5)))
    studies = ["AB", "AB", "AB", "AC", "AC", "BC", "BD", "CD", "DE", "ABC", "ABC", "ABCD", "BCE"]
    rows = [
        {
            "study": f"{s:02d}",
            "treatment": t,
            "y": effect[t] + rng.normal(0, 0.6),
            "v": rng.uniform(0.02, 0.2),
        }
        for s, arms in enumerate(studies)
        for t in arms
    ]
    return network.from_arms(pd.DataFrame(rows), reference="A", lower_is_better=True)


def dense(net: Any, tau2: float, extra: Any = None) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Estimates, covariance, Q and degrees of freedom, with further columns for the arms of each study."""
    T = len(net.treatments)
    X, y, V = [], [], []
    for block in net.blocks:
        m = block.k - 1
        for s, study in enumerate(block.study.tolist()):
            arms = np.eye(T)[block.treatment[s]][:, 1:]
            if extra is not None:
                arms = np.concatenate([arms, extra(study, block.treatment[s].tolist())], axis=1)
            X.append(arms[1:] - arms[:1])
            y.append(block.y[s])
            V.append(block.S[s] + tau2 * (np.eye(m) + 1) / 2)
    size = sum(len(part) for part in y)
    W, at = np.zeros((size, size)), 0
    for part in V:
        W[at : at + len(part), at : at + len(part)] = np.linalg.inv(part)
        at += len(part)
    x, z = np.concatenate(X), np.concatenate(y)
    covariance = np.linalg.pinv(x.T @ W @ x, rcond=1e-10)
    d = covariance @ x.T @ W @ z
    r = z - x @ d
    return d, covariance, float(r @ W @ r), size - int(np.linalg.matrix_rank(x))


def design_columns(net: Any) -> Any:
    """Give every design effects of its own: the full design-by-treatment interaction."""
    pooled = pool_designs(net)
    at = {design: d for d, design in enumerate(pooled.treatments)}
    T = len(net.treatments)

    def columns(study: int, arms: list[int]) -> np.ndarray:
        block = np.zeros((len(arms), len(at) * T))
        block[np.arange(len(arms)), at[tuple(arms)] * T + np.array(arms)] = 1.0
        return block

    return columns


def test_between_designs_q_is_what_the_interaction_model_explains(net: Any) -> None:
    table = network.fit(net).inconsistency().set_index("component")
    _, _, consistent, df = dense(net, 0.0)
    _, _, interaction, df_within = dense(net, 0.0, design_columns(net))
    assert table.loc["total", "q"] == pytest.approx(consistent, rel=1e-9)
    assert table.loc["within designs", "q"] == pytest.approx(interaction, rel=1e-8)
    assert table.loc["between designs", "q"] == pytest.approx(consistent - interaction, rel=1e-8)
    assert (table.loc["total", "df"], table.loc["within designs", "df"]) == (df, df_within)
    assert table.loc["between designs", "df"] == df - df_within


def test_the_design_by_treatment_test_is_a_wald_test_of_the_interactions(net: Any) -> None:
    tau2 = pool_designs(net).tau2_within
    assert tau2 > 0
    _, _, consistent, _ = dense(net, tau2)
    _, _, interaction, _ = dense(net, tau2, design_columns(net))
    row = network.fit(net).inconsistency().set_index("component").loc["network"]
    assert row["q"] == pytest.approx(consistent - interaction, rel=1e-8)


def test_tau_within_designs_solves_its_moment_equation(net: Any) -> None:
    # Q within designs has expectation df + growth * tau2; at the estimate it equals its expectation.
    pooled = pool_designs(net)
    columns = design_columns(net)
    growth = 0.0
    for tau2, sign in ((1.0, 1), (0.0, -1)):
        growth += sign * expected_q(net, columns, tau2)
    assert pooled.tau2_within == pytest.approx((pooled.q.sum() - pooled.df.sum()) / growth, rel=1e-8)


def expected_q(net: Any, columns: Any, tau2: float) -> float:
    """Expectation of Q (weights at tau2 = 0) when the heterogeneity variance is `tau2`."""
    X, V, R = [], [], []
    for block in net.blocks:
        for s, study in enumerate(block.study.tolist()):
            arms = columns(study, block.treatment[s].tolist())
            X.append(arms[1:] - arms[:1])
            V.append(block.S[s])
            R.append((np.eye(block.k - 1) + 1) / 2)
    from scipy.linalg import block_diag

    x, v, r = np.concatenate(X), block_diag(*V), block_diag(*R)
    W = np.linalg.inv(v)
    P = W - W @ x @ np.linalg.pinv(x.T @ W @ x, rcond=1e-10) @ x.T @ W
    return float(np.trace(P @ (v + tau2 * r)))


def test_detaching_a_design_gives_it_effects_of_its_own(net: Any) -> None:
    table = network.fit(net).inconsistency()
    detached = table[table["method"] == "between designs after detaching"].set_index("component")
    pooled = pool_designs(net)
    columns = design_columns(net)
    T = len(net.treatments)
    _, _, within, df_within = dense(net, 0.0, columns)
    for d, design in enumerate(pooled.treatments):
        name = ":".join(net.treatments[t] for t in design)

        def own(study: int, arms: list[int], d: int = d) -> np.ndarray:
            return columns(study, arms)[:, d * T : (d + 1) * T]

        _, _, q, df = dense(net, 0.0, own)
        if name in detached.index:
            assert detached.loc[name, "q"] == pytest.approx(q - within, rel=1e-7)
            assert detached.loc[name, "df"] == df - df_within
        else:
            assert df == dense(net, 0.0)[3]


def test_side_splitting_is_an_inconsistency_parameter(net: Any) -> None:
    tau2 = 0.1
    evidence, difference_se, _ = side_splitting(net, Gls.of(net), None, tau2)
    for c, (a, b) in enumerate(zip(evidence.first.tolist(), evidence.second.tolist())):
        if splittable(net)[a, b] is not None:
            assert np.isnan(evidence.indirect[c])
            continue

        def moved(study: int, arms: list[int], a: int = a, b: int = b) -> np.ndarray:
            return np.array([[float(t == b and a in arms)] for t in arms])

        d, covariance, _, _ = dense(net, tau2, moved)
        d = np.concatenate([[0.0], d])
        omega = d[-1]
        indirect = d[b] - d[a]
        assert evidence.direct[c] - evidence.indirect[c] == pytest.approx(omega, rel=1e-8)
        assert evidence.indirect[c] == pytest.approx(indirect, rel=1e-8)
        assert difference_se[c] == pytest.approx(covariance[-1, -1] ** 0.5, rel=1e-8)


def test_each_split_estimates_heterogeneity_anew(net: Any) -> None:
    fit = network.fit(net)
    _, _, tau2 = side_splitting(net, fit.gls, "REML", fit.tau2)
    first, second = next(pair for pair, reason in splittable(net).items() if reason is None)
    gls = Gls.of(split_network(net, first, second))
    position = list(splittable(net)).index((first, second))
    assert tau2[position] == pytest.approx(ESTIMATORS["REML"](gls), rel=1e-9)


def test_three_ways_to_split_agree_where_all_studies_have_two_arms() -> None:
    rows = [
        ("1", "A", "B", 0.5, 0.2), ("2", "A", "B", 0.7, 0.3), ("3", "B", "C", 0.2, 0.2), ("4", "A", "C", 1.5, 0.3),
        ("5", "A", "C", 1.0, 0.2), ("6", "C", "D", 0.1, 0.3),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["study", "treatment_a", "treatment_b", "estimate", "std_error"])
    fit = network.fit(network.from_contrasts(frame, reference="A"), tau=0.2)
    tables = [fit.node_splits(method) for method in ("back-calculation", "SIDDE", "side-splitting")]
    for table in tables[1:]:
        for name in ("direct", "indirect", "difference", "difference_std_error", "p_value"):
            np.testing.assert_allclose(table[name], tables[0][name], rtol=1e-9, atol=1e-12)
    both = tables[0].dropna(subset="difference")
    assert len(both) == 2 * 3
    assert set(tables[0].loc[tables[0]["difference"].isna(), "component"]) == {"D:C"}


def test_network_estimates_are_the_weighted_mean_of_direct_and_indirect(net: Any) -> None:
    fit = network.fit(net)
    splits = fit.node_splits().dropna(subset="indirect")
    whole = fit.estimates().query("evidence == 'network'").set_index(["model", "treatment", "versus"])
    for row in splits.to_dict("records"):
        estimate = whole.loc[(row["model"], row["treatment"], row["versus"]), "estimate"]
        mixed = row["proportion_direct"] * row["direct"] + (1 - row["proportion_direct"]) * row["indirect"]
        assert estimate == pytest.approx(mixed, rel=1e-9)


def test_net_heat_adds_up(net: Any) -> None:
    table = network.fit(net).net_heat("common")
    between = network.fit(net).inconsistency().set_index("component").loc["between designs", "q"]
    one = table.drop_duplicates("design")
    assert one["q"].sum() == pytest.approx(between, rel=1e-8)
    # What detaching a design takes away is the change of Q.
    detached = network.fit(net).inconsistency()
    detached = detached[detached["method"] == "between designs after detaching"].set_index("component")["q"]
    first = table.drop_duplicates(["design", "column_design"])
    changes = first.groupby("column_design")["change"].sum(min_count=1).dropna()
    assert set(changes.index) == set(detached.index)
    for name, change in changes.items():
        assert between - change == pytest.approx(detached[name], rel=1e-7, abs=1e-8)
