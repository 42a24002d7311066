"""Ranking and league tables: definitions, orientation, and both engines in the same tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.network import exact, fit, from_contrasts, ranking, tables


def contrasts(seed=3, measure="MD"):
    rng = np.random.default_rng(seed)
    effect = {"placebo": 0.0, "old": -0.4, "new": -0.9, "newest": -1.0}
    pairs = [("old", "placebo"), ("new", "placebo"), ("newest", "placebo"), ("new", "old"), ("newest", "new")]
    rows = [
        (f"study {i}", a, b, effect[a] - effect[b] + 0.2 * rng.normal(), rng.uniform(0.1, 0.4))
        for i, (a, b) in enumerate(pairs * 3)
    ]
    frame = pd.DataFrame(rows, columns=["study", "treatment1", "treatment2", "te", "se"])
    return from_contrasts(frame, reference="placebo", measure=measure, lower_is_better=True)


@given(st.integers(0, 1000), st.integers(2, 7))
@settings(max_examples=25, deadline=None)
def test_sucra_is_the_mean_of_cumulative_rank_probabilities(seed, n):
    draws = np.random.default_rng(seed).normal(np.arange(n), 2.0, (400, n))
    table = ranking.rank_probabilities(draws, lower_is_better=True)
    assert table.sum(0) == pytest.approx(np.ones(n))
    assert table.sum(1) == pytest.approx(np.ones(n))
    by_ranks = table.cumsum(1)[:, : n - 1].mean(1)
    better = (draws[:, :, None] < draws[:, None, :]).mean(0)
    assert ranking.sucra(better) == pytest.approx(by_ranks)
    assert ranking.mean_rank(by_ranks) == pytest.approx(table @ np.arange(1, n + 1))
    turned = ranking.rank_probabilities(draws, lower_is_better=False)
    assert turned == pytest.approx(table[:, ::-1])


@given(st.lists(st.integers(0, 3), min_size=2, max_size=7), st.integers(0, 1000))
@settings(deadline=None)
def test_treatments_that_differ_by_rounding_stay_in_their_order(levels, seed):
    exact_scores = np.array(levels) / 3
    score = exact_scores + np.random.default_rng(seed).uniform(-1e-13, 1e-13, len(levels))
    assert list(ranking.best_first(score)) == list(np.argsort(-exact_scores, kind="stable"))
    names = [f"t{place}" for place in range(len(levels))]
    table = pd.DataFrame({"model": "random", "treatment": names, "sucra": score, "p_score": score})
    assert ranking.order(table, "random") == [names[place] for place in ranking.best_first(score)]


def test_poth_is_one_for_a_certain_order_and_zero_for_ties():
    assert ranking.poth(np.array([1.0, 2 / 3, 1 / 3, 0.0])) == pytest.approx(1.0)
    assert ranking.poth(np.full(5, 0.5)) == 0.0
    # Two treatments, one better with probability 0.8: (2 * 0.8 - 1)^2.
    assert ranking.poth(np.array([0.8, 0.2])) == pytest.approx(0.36)


def test_p_scores_of_two_treatments_by_hand():
    effect = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert ranking.p_score(effect, np.full((2, 2), 0.5), lower_is_better=True)[0] == pytest.approx(
        0.9772498680518208
    )
    assert ranking.p_score(effect, np.full((2, 2), 0.5), lower_is_better=False)[0] == pytest.approx(
        0.0227501319481792
    )


def test_sampling_error_is_never_zero():
    error = ranking.sampling_error(np.array([0.0, 0.5, 1.0]), 10_000)
    assert error[1] == pytest.approx(0.005, rel=1e-3)
    assert error[0] == pytest.approx(error[2])
    assert error[0] > 0


def test_sucra_without_sampling_equals_the_draws():
    fitted = exact.fit(contrasts(), tau_prior="half-normal(0.5)", effect_prior_sd=50.0, draws=100_000)
    table = fitted.rank_probabilities()
    n = 4
    for model in ("common", "random"):
        probability = table[table["model"] == model].pivot(
            index="treatment", columns="rank", values="probability"
        )
        from_draws = probability.to_numpy().cumsum(1)[:, : n - 1].mean(1)
        score = (
            fitted.ranking().query("model == @model").set_index("treatment").loc[probability.index, "sucra"]
        )
        assert np.max(np.abs(score - from_draws)) < 4 * 0.5 / 100_000**0.5
        best = fitted.ranking().query("model == @model").set_index("treatment")["p_best"]
        assert best[probability.index].to_numpy() == pytest.approx(probability[1].to_numpy())


def test_direction_turns_the_ranking_and_nothing_else():
    net = contrasts()
    low, high = exact.fit(net), exact.fit(replace(net, lower_is_better=False))
    assert low.estimates().equals(high.estimates())
    one, other = (f.ranking().query("model == 'random'").set_index("treatment")["sucra"] for f in (low, high))
    assert (one + other[one.index]).to_numpy() == pytest.approx(np.ones(4), abs=1e-12)
    unknown = exact.fit(replace(net, lower_is_better=None))
    assert unknown.ranking().empty
    assert unknown.rank_probabilities().empty
    assert ranking.NO_DIRECTION in unknown.notes()["message"].tolist()
    assert len(unknown.league()) == 12


@pytest.mark.parametrize("engine", ["exact", "frequentist"])
def test_neither_names_nor_the_order_of_rows_move_what_is_drawn(engine):
    rng = np.random.default_rng(8)
    pairs = [("d", "a"), ("b", "a"), ("c", "a"), ("c", "b"), ("d", "c")] * 2
    rows = [(f"s{i}", one, two, rng.normal(), rng.uniform(0.3, 0.6)) for i, (one, two) in enumerate(pairs)]
    frame = pd.DataFrame(rows, columns=["study", "treatment1", "treatment2", "te", "se"])
    names = {"a": "z", "b": "Y 2", "c": "A:x", "d": "m|n"}
    other = frame.replace({"treatment1": names, "treatment2": names}).iloc[::-1]

    def best(frame, reference):
        net = from_contrasts(frame, reference=reference, lower_is_better=True)
        found = fit(net, engine=engine).ranking().query("model == 'random'")
        return found.set_index("treatment")["p_best"]

    one = best(frame, "a")
    assert 0.02 < one.max() < 0.98
    again = best(other, names["a"])
    assert [again[names[t]] for t in "abcd"] == pytest.approx([one[t] for t in "abcd"], abs=1e-9)


@pytest.mark.parametrize("engine", ["exact", "frequentist"])
@pytest.mark.parametrize("measure", ["MD", "OR"])
def test_league_is_row_versus_column_best_first(engine, measure):
    fitted = fit(contrasts(measure=measure), engine=engine)
    table = fitted.league()
    assert set(table["orientation"]) == {"row versus column"}
    order = table.drop_duplicates("row").sort_values("row_position")["row"].tolist()
    score = fitted.ranking().query("model == 'random'").set_index("treatment")["sucra"].astype(float)
    assert order == score.sort_values(ascending=False).index.tolist()
    cells = table.set_index(["row", "column"])
    estimate = fitted.relative_effects([("new", "placebo")]).query("model == 'random'").iloc[0]
    shown = np.exp if measure == "OR" else (lambda x: x)
    for column in ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper"):
        assert cells.loc[("new", "placebo"), column] == pytest.approx(shown(estimate[column]))
    # The other way round: the sign turns (or the ratio inverts) and the limits change places.
    assert cells.loc[("placebo", "new"), "estimate"] == pytest.approx(shown(-estimate["estimate"]))
    assert cells.loc[("placebo", "new"), "ci_lower"] == pytest.approx(shown(-estimate["ci_upper"]))
    assert cells.loc[("placebo", "new"), "pi_upper"] == pytest.approx(shown(-estimate["pi_lower"]))


def test_league_as_printed():
    fitted = exact.fit(contrasts(), model="random", tau_prior="half-normal(0.5)", effect_prior_sd=50.0)
    square = tables.league_matrix(fitted.league())
    assert list(square.index) == list(square.columns)
    assert all(square.loc[name, name] == name for name in square.index)
    assert square.index.name == "row versus column: MD (95 % interval)"
    wider = tables.league_matrix(fitted.league(), predictive=True, digits=3)
    assert wider.index.name == "row versus column: MD (95 % prediction interval)"
    row = fitted.relative_effects([("new", "old")]).iloc[0]
    assert (
        wider.loc["new", "old"] == f"{row['estimate']:.3f} ({row['pi_lower']:.3f} to {row['pi_upper']:.3f})"
    )
