"""What network estimates rest on: one verdict in every engine, table and figure, held against dense algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evidence
from analysis import network
from analysis.charts.base.effect import Effect
from analysis.charts.networks import leagues
from analysis.network.model.sources import ALONE, BOTH, DIRECT, DIRECT_ONLY, INDIRECT
from evidence.errors import RefusedError

QUICK: dict[str, dict[str, Any]] = {"frequentist": {}, "exact": {"draws": 64}}
MCMC = {"draws": 200, "tune": 200, "max_draws": 200}


def net_of(*studies: str, seed: int = 1) -> Any:
    """Make a network of studies given by their one-letter treatments; variances differ."""
    rng = np.random.default_rng(seed)
    rows = [
        {"study": f"{i:02d}", "treatment": t, "y": rng.normal(), "v": rng.uniform(0.02, 0.3)}
        for i, arms in enumerate(studies)
        for t in arms
    ]
    return network.from_arms(pd.DataFrame(rows), reference="A", lower_is_better=True)


def variance(net: Any, tau2: float, pair: tuple[int, int], only: tuple[int, int] | None = None) -> float:
    """Variance of the estimate of a pair by dense algebra, of all studies or of those that hold `only`."""
    n = len(net.treatments)
    information = np.zeros((n, n))
    for block in net.blocks:
        for treatment, S in zip(block.treatment, block.S):
            if only is None or set(only) <= set(treatment):
                m = len(treatment) - 1
                X = np.eye(n)[treatment[1:]] - np.eye(n)[treatment[0]]
                V = S + tau2 * (np.eye(m) + 1) / 2
                information += X.T @ np.linalg.inv(V) @ X
    c = np.eye(n)[pair[1]] - np.eye(n)[pair[0]]
    return float(c @ np.linalg.pinv(information, hermitian=True) @ c)


def agree(net: Any, fit: Any) -> None:
    """Hold the verdicts of a fit against dense algebra, and its tables against each other."""
    names = net.treatments
    compared = {
        (a, b): any({a, b} <= set(t) for block in net.blocks for t in block.treatment.tolist())
        for a in range(len(names))
        for b in range(a + 1, len(names))
    }
    estimates, splits, weights = fit.estimates(), fit.node_splits(), fit.weights(fit.all_pairs())
    for model in fit.models:
        told = estimates[(estimates["model"] == model) & (estimates["evidence"] == "network")]
        rests_on = {
            (names.index(v), names.index(t)): kind
            for t, v, kind in zip(told["treatment"], told["versus"], told["rests_on"])
        }
        for pair, direct in compared.items():
            kind = rests_on[pair]
            if not direct:
                assert kind == INDIRECT
                continue
            tau2 = fit.between(model)
            share = variance(net, tau2, pair) / variance(net, tau2, pair, only=pair)
            if abs(share - 1 + DIRECT_ONLY) > 1e-6:
                assert kind == (DIRECT if share > 1 - DIRECT_ONLY else BOTH)
        for row in splits[splits["model"] == model].to_dict("records"):
            kind = rests_on[names.index(row["versus"]), names.index(row["treatment"])]
            # Where the league says that there is direct evidence only, the split says so; the way back from the
            # network estimate, netmeta's, may give a number for what multi-arm studies tell by their other arms.
            if kind == DIRECT:
                assert row["note"]
                assert np.isnan(row["indirect"]) or row["note"] != ALONE
            assert (row["note"] == ALONE) <= (kind == DIRECT)
        # What stands above the league table's diagonal is what the split sets against the rest of the network
        # (netmeta's numbers: `check_splits` of the oracle): one heterogeneity weights both.
        direct = estimates[(estimates["model"] == model) & (estimates["evidence"] == "direct")]
        split = splits[splits["model"] == model].set_index(["treatment", "versus"])
        for row in direct.to_dict("records"):
            there = split.loc[row["treatment"], row["versus"]]
            assert row["estimate"] == pytest.approx(there["direct"], rel=1e-9, abs=1e-12)
            assert row["std_error"] == pytest.approx(there["direct_std_error"], rel=1e-9, nan_ok=True)
        indirect = estimates[(estimates["model"] == model) & (estimates["evidence"] == "indirect")]
        for t, v in zip(indirect["treatment"], indirect["versus"]):
            assert rests_on[names.index(v), names.index(t)] == BOTH
        for (t, v), rows in weights[weights["model"] == model].groupby(["treatment", "versus"]):
            pair = names.index(v), names.index(t)
            holds = {
                net.studies[s][0]
                for block in net.blocks
                for s, members in zip(block.study, block.treatment.tolist())
                if set(pair) <= set(members)
            }
            other = rows.loc[~rows["study"].isin(holds), "weight"].sum()
            assert (other < 0.02) if rests_on[pair] == DIRECT else (other > 0)


@pytest.mark.parametrize("engine", QUICK)
@pytest.mark.parametrize(
    ("studies", "pair", "kind"),
    [
        (("AB", "BC", "AC"), "AB", BOTH),
        (("AB", "BC"), "AB", DIRECT),
        (("AB", "BC"), "AC", INDIRECT),
        (("AB", "ABC"), "AB", DIRECT),
        # Two three-arm studies borrow from each other's other arms: still the studies of the pair alone.
        (("ABC", "ABC", "AD"), "AB", DIRECT),
        (("ABC", "AC"), "AB", BOTH),
        (("ABC", "AD"), "AD", DIRECT),
    ],
)
def test_small_networks(engine: str, studies: tuple[str, ...], pair: str, kind: str) -> None:
    fit = network.fit(net_of(*studies), engine=engine, model="common", **QUICK[engine])
    told = fit.estimates().query("evidence == 'network'").set_index(["treatment", "versus"])["rests_on"]
    assert told[pair[1], pair[0]] == kind


@pytest.mark.slow
@given(
    st.lists(st.sets(st.sampled_from("ABCDE"), min_size=2, max_size=4), min_size=1, max_size=7),
    st.integers(0, 2**16),
)
@settings(max_examples=20, deadline=None)
def test_league_splits_and_contributions_agree(designs: list[set[str]], seed: int) -> None:
    studies = ["AB", *("".join(sorted(design)) for design in designs)]
    try:
        net = net_of(*studies, seed=seed)
    except RefusedError:
        return  # not connected
    for engine, options in QUICK.items():
        agree(net, network.fit(net, engine=engine, **options))


def test_an_indirect_share_of_next_to_nothing_is_none() -> None:
    rows = [("s1", "B", "A", 0.0, 0.01), ("s2", "C", "A", 0.0, 3.0), ("s3", "C", "B", 0.0, 3.0)]
    columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    net = network.from_contrasts(pd.DataFrame(rows, columns=columns), lower_is_better=True)
    for engine, options in QUICK.items():
        fit = network.fit(net, engine=engine, model="common", **options)
        (row,) = fit.estimates().query("evidence == 'network' and treatment == 'B'").to_dict("records")[:1]
        assert row["rests_on"] == DIRECT
        split = fit.node_splits().query("treatment == 'B' and versus == 'A'").iloc[0]
        assert "less than 0.05 % of the weight" in split["note"]
        # The way back from the network estimate has no digits left for it; the split model has.
        assert np.isnan(split["indirect"]) == (engine == "frequentist")


def test_direct_estimates_are_pooled_with_the_heterogeneity_of_the_network() -> None:
    rows = [("s1", "B", "A", 0.0, 0.2), ("s2", "B", "A", 2.0, 0.4), ("s3", "C", "A", 0.0, 0.2),
            ("s4", "C", "A", 0.1, 0.4), ("s5", "C", "B", 0.5, 0.3)]  # fmt: skip
    columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    fit = network.fit(network.from_contrasts(pd.DataFrame(rows, columns=columns)), engine="frequentist")
    tau2 = {"common": 0.0, "random": fit.heterogeneity().set_index("model")["tau2"]["random"]}
    assert tau2["random"] > 0.05
    estimates = fit.estimates().query("evidence == 'direct' and versus == 'A'")
    assert len(estimates) == 4
    for row in estimates.to_dict("records"):
        own = [
            (y, 1 / (se**2 + tau2[row["model"]]))
            for _, t, v, y, se in rows
            if (t, v) == (row["treatment"], "A")
        ]
        total = sum(weight for _, weight in own)
        assert row["estimate"] == pytest.approx(sum(y * weight for y, weight in own) / total, rel=1e-9)
        assert row["std_error"] == pytest.approx(total**-0.5, rel=1e-9)


def test_the_league_table_is_coloured_by_what_the_rows_say() -> None:
    fit = network.fit(net_of("AB", "BC"), engine="exact", model="common", draws=64)
    cells = leagues.cells(fit.estimates(), None, effect=Effect("MD"), order=["A", "B", "C"])
    found = {(c["treatment"], c["versus"]): c["evidence"] for c in cells if c["triangle"] == "lower"}
    assert found == {("A", "B"): DIRECT, ("A", "C"): INDIRECT, ("B", "C"): DIRECT}
    assert set(leagues.EVIDENCE) == {DIRECT, INDIRECT, BOTH}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("review", "outcome", "measure", "engines"),
    [
        ("diabetes", "hba1c", "MD", ("frequentist", "exact")),
        ("parkinson", None, None, ("frequentist", "exact")),
        ("smoking", "cessation", "OR", ("frequentist", "exact", "counts")),
        ("alf-simulated", None, None, ("frequentist", "exact")),
    ],
)
def test_bundled_reviews(
    review: str, outcome: str | None, measure: str | None, engines: Any, tmp_path
) -> None:
    with evidence.open(evidence.build(review, output=tmp_path / "review.duckdb")) as db:
        planned = db.rows("select outcome, measure from plan where kind = 'network' order by position")
        wanted = [(outcome, measure)] if outcome else [(p["outcome"], p["measure"]) for p in planned]
        nets = [network.load(db, *which) for which in wanted]
    for net in nets:
        for engine in engines:
            options = QUICK.get(engine, {"draws": 1024, "model": "common"})
            fit = network.fit(net, engine=engine, **options)
            agree(net, fit)
            if review == "diabetes":
                rows = fit.estimates().query("evidence == 'network' and treatment == 'migl'")
                assert set(rows.query("versus == 'plac'")["rests_on"]) == {DIRECT}


@pytest.mark.slow
def test_chains_say_the_same() -> None:
    net = net_of("AB", "AC", "BC", "BD")
    agree(net, network.fit(net, engine="mcmc", model="common", **MCMC))
