"""What engines say they take is what they take, within a factor of 2; and they are refused before they take it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from analysis import network, pairwise, prepared
from analysis.network import counts
from analysis.network.data.network import ArmBlock, Block, Network
from analysis.network.exact.influence import Influence
from analysis.network.frequentist import contribution
from analysis.network.model.gls import Gls
from analysis.network.model.posterior import contrasts_of
from analysis.pairwise.small_study import asymmetry as bias
from evidence import facts
from evidence.errors import RefusedError
from evidence.system import memory


def net_of(studies: int, treatments: int, seed: int = 1) -> Network:
    """A connected network of two-arm trials, as counts and as log odds ratios."""
    rng = np.random.default_rng(seed)
    pairs = np.array([rng.choice(treatments, 2, replace=False) for _ in range(studies)])
    ring = min(studies, treatments)
    pairs[:ring] = np.stack([np.arange(ring), (np.arange(ring) + 1) % treatments], axis=1)
    pairs.sort(axis=1)
    events, n = rng.integers(10, 60, (studies, 2)).astype(float), np.full((studies, 2), 100.0)
    y, v = np.log(events / (n - events)), 1 / events + 1 / (n - events)
    index = np.arange(studies)
    names = tuple(f"t{i:04d}" for i in range(treatments))
    return Network(
        "outcome", "OR", "log", names, tuple((f"s{i}", "main") for i in index),
        (Block(index, pairs, y[:, 1:] - y[:, :1], v.sum(1)[:, None, None]),),
        lower_is_better=True, arms=(ArmBlock(index, pairs, events=events, n=n),),
    )  # fmt: skip


def table_of(k: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {"study": [f"s{i}" for i in range(k)], "yi": rng.normal(size=k), "vi": rng.uniform(0.1, 0.5, k)}
    )


def solve_gls(studies, treatments):
    gls = Gls.of(net_of(studies, treatments))
    return lambda: gls.solve(np.linspace(0.0, 1.0, 24))


def likelihood_of_tau2(studies, treatments):
    gls = Gls.of(net_of(studies, treatments))
    solution = gls.solve(np.linspace(0.0, 1.0, 24))
    return lambda: gls.resistances(solution)


def all_pairs(studies, treatments):
    gls = Gls.of(net_of(studies, treatments))
    pairs = np.triu_indices(treatments, 1)
    return lambda: gls._differences(0.1, *pairs, None, None)


def flows(studies, treatments):
    gls = Gls.of(net_of(studies, treatments))
    pairs = np.triu_indices(treatments, 1)
    return lambda: contribution.comparison_hat(gls, 0.1, *pairs)


def hat(studies, treatments):
    net = net_of(studies, treatments)
    gls = Gls.of(net)
    return lambda: contribution.study_hat(net, gls, 0.1)


def net_heat(studies, treatments):
    network.fit(net_of(10, 4), model="common").net_heat()  # Imports are not the test's.
    return network.fit(net_of(studies, treatments), model="common").net_heat


def weights(studies, treatments):
    fit = network.fit(net_of(studies, treatments), model="random", engine="exact")
    return fit.weights


def exact(studies, treatments):
    return network.fit(net_of(studies, treatments), engine="exact", model="random")


def solve_exact(studies, treatments):
    rows = exact(studies, treatments).posteriors["random"].rows
    return lambda: rows.solve(np.linspace(0.0, 1.0, 64))


def effects(studies, treatments):
    posterior = exact(studies, treatments).posteriors["random"]
    pairs = np.triu_indices(treatments, 1)
    return lambda: posterior.effects(contrasts_of(posterior, *pairs)).tail_probability()


def influence(studies, treatments):
    posterior = exact(studies, treatments).posteriors["random"]
    return lambda: Influence(posterior, np.arange(studies)).identified


def exact_left_out(studies, treatments):
    fit = exact(studies, treatments)
    assert fit.influence["random"].identified.any()
    return fit.leave_one_out


def ranks(draws, treatments):
    fit = network.fit(net_of(300, treatments), engine="exact", model="random", draws=draws)
    return lambda: fit.rank_chances


def counted(studies, draws):
    net = net_of(studies, 4)
    return lambda: network.fit(net, engine="counts", model="common", draws=draws)


def begg(k, _):
    table = table_of(k)
    bias.begg(np.arange(5.0), np.arange(1.0, 6.0), exact=True)  # Imports are not the test's.
    return lambda: bias.begg(table["yi"].to_numpy(), table["vi"].to_numpy(), exact=True)


TAKEN = [
    (solve_gls, 600, 150), (solve_gls, 200, 250), (likelihood_of_tau2, 600, 100), (likelihood_of_tau2, 1200, 150),
    (all_pairs, 400, 200), (all_pairs, 400, 300), (weights, 1000, 40), (weights, 2000, 60),
    (flows, 600, 60), (flows, 300, 120), (hat, 1500, 60), (hat, 3000, 20), (net_heat, 600, 60), (net_heat, 900, 30),
    (solve_exact, 3000, 60), (solve_exact, 600, 150), (effects, 300, 200), (effects, 500, 250),
    (influence, 4000, 10), (influence, 8000, 10), (exact_left_out, 3000, 10), (exact_left_out, 1000, 60),
    (ranks, 20_000, 150), (ranks, 80_000, 60), (counted, 100, 2**14), (counted, 60, 2**16),
    (begg, 500, 0), (begg, 900, 0),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "a", "b"), TAKEN)
def test_what_is_said_is_what_is_taken(monkeypatch, prepare, a, b):
    said = []
    for module in (
        "network.model.gls", "network.model.rows", "network.model.posterior", "network.exact.influence", "network.exact.fitted",
        "network.tables", "network.counts.engine", "network.frequentist.contribution", "network.model.inconsistency",
        "pairwise.small_study.rank",
    ):  # fmt: skip
        monkeypatch.setattr(
            f"analysis.{module}.refuse_without_room", lambda needed, what, instead: said.append(needed)
        )
    work = prepare(a, b)
    said.clear()
    tracemalloc.start()
    try:
        work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(prepare.__name__, a, b, f"said {max(said) / 1e6:.1f} MB, taken {peak / 1e6:.1f} MB")
    assert 0.5 < max(said) / peak < 2.0


@pytest.mark.parametrize(
    ("run", "remedy"),
    [
        (lambda: network.fit(net_of(2000, 150), engine="frequentist"), "--tau2 DL"),
        (lambda: network.fit(net_of(600, 250), engine="exact"), "the engine frequentist"),
        (lambda: network.fit(net_of(100, 4), engine="counts"), "the engine exact or frequentist, one --model"),
        (lambda: bias.begg(*table_of(5000)[["yi", "vi"]].to_numpy().T, exact=True), "exact=False"),
        (lambda: pairwise.fit(table_of(2500)).gosh(), "gosh(subsets=1000)"),
        pytest.param(
            lambda: network.fit(net_of(2000, 4), engine="mcmc", model="random"), "the engine counts, exact or frequentist",
            marks=pytest.mark.skipif(find_spec("pymc") is None, reason="needs the extra mcmc"),
        ),
    ],
    ids=["frequentist", "exact", "counts", "Begg", "GOSH", "mcmc"],
)  # fmt: skip
def test_refused_before_it_is_taken_with_what_would_work(monkeypatch, run, remedy):
    monkeypatch.setattr(memory, "available", lambda: 50e6)
    monkeypatch.setattr(
        "analysis.network.mcmc.chains._compiled", lambda *a, **o: pytest.fail("chains were drawn")
    )
    monkeypatch.setattr(counts.engine, "sample", lambda *args: pytest.fail("draws were taken"))
    with pytest.raises(RefusedError, match="of memory; there is 50 MB") as refused:
        run()
    assert remedy in str(refused.value)


@pytest.mark.parametrize("engine", ["frequentist", "exact"])
def test_ordinary_networks_never_ask(monkeypatch, engine):
    monkeypatch.setattr(memory, "available", lambda: pytest.fail("asked"))
    fit = network.fit(net_of(60, 8), engine=engine)
    fit.estimates(), fit.ranking(), fit.weights(), fit.fit_statistics()
    pairwise.fit(table_of(100)).sensitivity()


def test_ordinary_counts_never_refuse_where_a_gigabyte_is_free(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1e9)
    monkeypatch.setattr(counts.engine, "sample", lambda *args: {}["it begins"])
    with pytest.raises(KeyError, match="it begins"):
        network.fit(net_of(200, 8), engine="counts")


def test_more_refits_than_an_evening_holds_are_refused_before_the_first(monkeypatch):
    few = {
        code: replace(facts.engine(code), most_refits=most)
        for code, most in (("frequentist", 3), ("exact", None))
    }
    monkeypatch.setattr(prepared.facts, "engine", few.__getitem__)
    with pytest.raises(
        RefusedError, match=r"each of 9 studies.*frequentist does so for up to 3.*engine exact"
    ):
        prepared._refuse_refits("frequentist", net_of(9, 3))
    prepared._refuse_refits("exact", net_of(9, 3))
    prepared._refuse_refits("frequentist", net_of(3, 3))
