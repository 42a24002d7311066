"""The exact engine against a second method, closed forms, refits, and at the edges."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import inf, log, pi

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import simpson

from analysis.network import exact, frequentist, from_contrasts
from analysis.network.data.network import ArmBlock, Block, Network
from analysis.network.exact.splitting import refitted_split
from analysis.network.model import gls, quadrature, rows
from evidence.errors import CallError, RefusedError


def correlation(m):
    return (np.eye(m) + 1.0) / 2.0


def network(blocks, n_treatments, **fields):
    """A network from (treatment, y, S) of its blocks; treatments are called a, b, c ..."""
    built, start = [], 0
    for treatment, y, S in blocks:
        study = start + np.arange(len(treatment))
        built.append(Block(study, np.asarray(treatment), np.asarray(y, float), np.asarray(S, float)))
        start += len(treatment)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[:n_treatments])
    studies = tuple((f"study {i}", "main") for i in range(start))
    fields = {"lower_is_better": True, **fields}
    return Network("outcome", "MD", "additive", names, studies, tuple(built), **fields)


def simulated(seed, n_treatments=4, studies=(9, 2, 1), heterogeneity=0.3):
    """A connected network with studies of two, three and four arms."""
    rng = np.random.default_rng(seed)
    effects = np.concatenate([[0.0], rng.normal(size=n_treatments - 1)])
    blocks = []
    for k, count in zip((2, 3, 4), studies):
        if not count or k > n_treatments:
            continue
        treatment = np.sort([rng.choice(n_treatments, k, replace=False) for _ in range(count)], axis=1)
        if k == 2:
            treatment[: n_treatments - 1] = [[0, t] for t in range(1, n_treatments)]
        variance = rng.uniform(0.02, 0.3, (count, k))
        S = variance[:, 1:, None] * np.eye(k - 1) + variance[:, :1, None]
        root = np.linalg.cholesky(S + heterogeneity**2 * correlation(k - 1))
        noise = (root @ rng.normal(size=(count, k - 1, 1)))[:, :, 0]
        blocks.append((treatment, effects[treatment[:, 1:]] - effects[treatment[:, :1]] + noise, S))
    return network(blocks, n_treatments)


def rescaled(net, factor):
    blocks = tuple(replace(b, y=b.y * factor, S=b.S * factor**2) for b in net.blocks)
    return replace(net, blocks=blocks)


def stacked(net):
    """Design matrix of effects against the first treatment, data, and the list of study covariances."""
    design = np.eye(len(net.treatments))[:, 1:]
    X, y, S = [], [], []
    for block in net.blocks:
        X += list(design[block.treatment[:, 1:]] - design[block.treatment[:, :1]])
        y += list(block.y)
        S += list(block.S)
    return np.concatenate(X), np.concatenate(y), S


def covariance_at(S, tau):
    from scipy.linalg import block_diag

    return block_diag(*(s + tau**2 * correlation(len(s)) for s in S))


def second_method(net, prior, effect_sd, points):
    """Posterior by Simpson's rule in log tau on y ~ N(0, s0^2 X X' + V(tau)): no rotation, no Gauss nodes."""
    X, y, S = stacked(net)
    grid = np.linspace(log(1e-9), log(points[-1]), 1001)
    tau = np.exp(grid)
    p = X.shape[1]
    log_density, means, seconds = np.empty(len(tau)), np.empty((len(tau), p)), np.empty((len(tau), p, p))
    for j, t in enumerate(tau):
        total = covariance_at(S, t) + effect_sd**2 * X @ X.T
        gain = np.linalg.solve(total, effect_sd**2 * X).T
        means[j] = gain @ y
        covariance = effect_sd**2 * (np.eye(p) - gain @ X)
        seconds[j] = covariance + np.outer(means[j], means[j])
        quadratic = y @ np.linalg.solve(total, y)
        log_density[j] = -0.5 * (len(y) * log(2 * pi) + np.linalg.slogdet(total)[1] + quadratic)
    # What the prior has below the grid, where tau is nothing beside the sampling errors.
    below = np.log(max(float(prior.probability(tau[0])), 1e-300)) + log_density[0]
    log_density += prior.log_density(tau) + grid
    density, rest = np.exp(log_density - log_density.max()), np.exp(below - log_density.max())
    mass = simpson(density, x=grid) + rest

    def mean_of(values):
        inside = simpson(density.reshape(-1, *[1] * (np.ndim(values) - 1)) * values, x=grid, axis=0)
        return (inside + rest * values[0]) / mass

    mean = mean_of(means)
    return {
        "evidence": log_density.max() + log(mass),
        "mean": mean,
        "sd": np.sqrt(np.diag(mean_of(seconds) - np.outer(mean, mean))),
        "tau mean": mean_of(tau),
        "tau sd": np.sqrt(mean_of(tau**2) - mean_of(tau) ** 2),
        "tau below": [mean_of((tau <= point).astype(float)) for point in points[:-1]],
    }


BASIC = (np.arange(1, 4), np.zeros(3, dtype=int))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "upper"),
    [
        ("half-normal(0.5)", 6.0),
        ("uniform(0, 3)", 3.0),
        ("half-cauchy(0.3) T(, 8)", 8.0),
        ("log-normal(-2.56, 1.74)", 40.0),
        ("log-t(-3.44, 2.59, 5) T(, 8)", 8.0),
        ("inverse-gamma(1, 0.1)", 40.0),
    ],
)
def test_agrees_with_a_second_method(prior, upper):
    net = simulated(1)
    fit = exact.fit(net, model="random", tau_prior=prior, effect_prior_sd=10.0)
    posterior = fit.posteriors["random"]
    tau = posterior.heterogeneity
    points = [tau.quantile(0.025), tau.quantile(0.5), tau.quantile(0.975), upper]
    other = second_method(net, posterior.prior, 10.0, points)
    effects = fit.effect("random", *BASIC)
    assert posterior.error < 1e-8
    assert np.max(np.abs(effects.mean - other["mean"]) / other["sd"]) < 1e-7
    assert np.max(np.abs(effects.sd / other["sd"] - 1)) < 1e-7
    assert posterior.log_evidence == pytest.approx(other["evidence"], abs=1e-6)
    assert tau.mean == pytest.approx(other["tau mean"], abs=1e-6 * tau.sd)
    assert tau.sd == pytest.approx(other["tau sd"], rel=1e-6)
    # A step function under Simpson's rule: good to the mass between two of its points.
    assert other["tau below"] == pytest.approx([0.025, 0.5, 0.975], abs=0.01)
    assert [tau.probability_below(x) for x in points[:3]] == pytest.approx([0.025, 0.5, 0.975], abs=1e-12)


@pytest.mark.parametrize("prior", ["half-normal(0.5)", "log-normal(-2.56, 1.74)", "log-t(-3.44, 2.59, 5)"])
def test_density_of_tau_integrates_to_its_distribution(prior):
    tau = exact.fit(simulated(3), model="random", tau_prior=prior).posteriors["random"].heterogeneity
    x = np.linspace(tau.quantile(0.05), tau.quantile(0.95), 2001)
    assert simpson([tau.density(t) for t in x], x=x) == pytest.approx(0.9, abs=1e-8)
    below = [tau.probability_below(t) for t in x]
    assert np.all(np.diff(below) >= 0)


def test_tau_below_the_reach_of_the_data_keeps_the_shape_of_its_prior():
    # So wide a prior has much mass where tau is nothing beside the sampling errors: an atom in the
    # quadrature.
    net = network([([[0, 1]] * 6, [[0.1], [0.1], [0.1], [0.1], [0.1], [0.1]], [[[1.0]]] * 6)], 2)
    fit = exact.fit(net, model="random", tau_prior="log-t(-40, 20, 2)", effect_prior_sd=10.0)
    posterior = fit.posteriors["random"]
    tau = posterior.heterogeneity
    assert posterior.error < 1e-8
    prior = posterior.prior
    low, lower = 1e-12, 1e-15
    # Below the reach of the data the likelihood is flat: ratios of probabilities are the prior's.
    expected = prior.probability(low) / prior.probability(lower)
    assert tau.probability_below(low) / tau.probability_below(lower) == pytest.approx(expected, rel=1e-9)
    for q in (0.025, 0.2, 0.5, 0.9):
        assert tau.probability_below(tau.quantile(q)) == pytest.approx(q, abs=1e-9)


@given(seed=st.integers(0, 10_000), tau=st.sampled_from([0.0, 0.05, 0.4, 3.0]))
@settings(max_examples=25, deadline=None)
def test_flat_priors_and_known_tau_are_generalised_least_squares(seed, tau):
    net = simulated(seed)
    fit = exact.fit(net, tau=tau, effect_prior_sd=inf)
    X, y, S = stacked(net)
    for model, t in (("common", 0.0), ("random", tau)):
        precision = np.linalg.inv(covariance_at(S, t))
        covariance = np.linalg.inv(X.T @ precision @ X)
        estimate = covariance @ X.T @ precision @ y
        effects = fit.effect(model, *BASIC)
        sd = np.sqrt(np.diag(covariance))
        assert np.max(np.abs(effects.mean - estimate) / sd) < 1e-9
        assert np.max(np.abs(effects.sd / sd - 1)) < 1e-9
    other = frequentist.fit(net, tau=tau).relative_effects()
    mine = fit.relative_effects()
    for column in ("estimate", "std_error", "ci_lower", "ci_upper"):
        assert np.max(np.abs(mine[column] - other[column]) / other["std_error"]) < 1e-9
    assert np.isnan(fit.posteriors["random"].log_evidence)


@given(seed=st.integers(0, 10_000), exponent=st.sampled_from([-12, -8, -3, 3, 8, 12]))
@settings(max_examples=8, deadline=None)
def test_answers_do_not_depend_on_the_unit(seed, exponent):
    net, factor = simulated(seed, studies=(6, 1, 1)), 10.0**exponent
    one, other = exact.fit(net), exact.fit(rescaled(net, factor))
    a, b = one.estimates(), other.estimates()
    for column in ("estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper"):
        assert b[column].to_numpy() == pytest.approx(factor * a[column].to_numpy(), rel=1e-9, nan_ok=True)
    assert other.ranking()["sucra"].to_numpy() == pytest.approx(one.ranking()["sucra"].to_numpy(), abs=1e-10)
    assert other.ranking()["treatment"].tolist() == one.ranking()["treatment"].tolist()
    tau = [fit.heterogeneity().set_index("model").loc["random", "tau"] for fit in (one, other)]
    assert tau[1] == pytest.approx(factor * tau[0], rel=1e-9)
    for quantity in ("DIC", "pD"):
        values = [
            f.fit_statistics().set_index(["model", "quantity"])["value"][:, quantity] for f in (one, other)
        ]
        assert values[1].to_numpy() == pytest.approx(values[0].to_numpy(), rel=1e-9)


@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_answers_do_not_depend_on_the_order_of_the_rows(seed, order):
    net = simulated(seed)
    blocks = []
    for block in net.blocks:
        place = list(range(len(block.study)))
        order.shuffle(place)
        blocks.append(Block(block.study[place], block.treatment[place], block.y[place], block.S[place]))
    one, other = exact.fit(net).estimates(), exact.fit(replace(net, blocks=tuple(blocks[::-1]))).estimates()
    for column in ("estimate", "std_error", "ci_lower", "pi_upper"):
        assert other[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-10, nan_ok=True)


def exact_rational_solution(edges, n_treatments):
    """Least squares on comparisons (a, b, y, standard error) in rational numbers: effects and covariance."""
    p = n_treatments - 1
    information = [[Fraction(0)] * p for _ in range(p)]
    right = [Fraction(0)] * p
    for a, b, y, se in edges:
        weight = 1 / Fraction(se) ** 2
        x = [Fraction(int(t == b) - int(t == a)) for t in range(1, n_treatments)]
        for i in range(p):
            right[i] += weight * x[i] * Fraction(y)
            for j in range(p):
                information[i][j] += weight * x[i] * x[j]
    table = [
        row + [r] + [Fraction(int(i == j)) for j in range(p)]
        for i, (row, r) in enumerate(zip(information, right))
    ]
    for i in range(p):
        pivot = table[i][i]
        table[i] = [value / pivot for value in table[i]]
        for k in range(p):
            if k != i:
                table[k] = [v - table[k][i] * w for v, w in zip(table[k], table[i])]
    return [row[p] for row in table], [row[p + 1 :] for row in table]


def test_standard_errors_from_1e_minus_8_to_1e8_in_one_network():
    edges = [
        (0, 1, 3.0, 1e8), (0, 2, -2.0, 2e8), (1, 2, 0.25, 1e-8), (2, 3, -0.125, 1.0), (1, 3, 0.5, 1e4),
        (3, 4, 0.375, 1e-8), (0, 4, 1.0, 1e7),
    ]  # fmt: skip
    treatment = [[a, b] for a, b, _, _ in edges]
    net = network([(treatment, [[y] for *_, y, _ in edges], [[[se**2]] for *_, se in edges])], 5)
    mean, covariance = exact_rational_solution(edges, 5)
    fit = exact.fit(net, model="common", effect_prior_sd=inf)
    versus, treatment = np.triu_indices(5, 1)
    effects = fit.effect("common", treatment, versus)
    for i, (a, b) in enumerate(zip(versus, treatment)):
        contrast = [Fraction(int(t == b) - int(t == a)) for t in range(1, 5)]
        expected = sum(c * m for c, m in zip(contrast, mean))
        variance = sum(contrast[r] * covariance[r][c] * contrast[c] for r in range(4) for c in range(4))
        sd = float(variance) ** 0.5
        assert abs(effects.mean[i] - float(expected)) < 1e-7 * sd
        assert effects.sd[i] == pytest.approx(sd, rel=1e-9)


@pytest.mark.filterwarnings("error")
def test_flat_priors_and_a_study_that_alone_links_a_treatment():
    edges = [(0, 1, 0.3, 0.2), (0, 1, 0.5, 0.3), (0, 1, 0.2, 0.3), (0, 1, 0.4, 0.25), (1, 2, 0.6, 0.3)]
    blocks = [([[a, b] for a, b, _, _ in edges], [[y] for *_, y, _ in edges], [[[v**2]] for *_, v in edges])]
    net = network(blocks, 3)
    fit = exact.fit(net, tau_prior="uniform(0, 2)", effect_prior_sd=inf)
    table = fit.leave_one_out()
    last = table[table["study"] == "study 4"].set_index(["model", "treatment"])
    assert last.loc[(slice(None), "c"), "estimate"].isna().all()
    assert last.loc[(slice(None), "c"), "note"].str.startswith("disconnected").all()
    rest = network([([[0, 1]] * 4, *([part[:4] for part in blocks[0][1:]]))], 2)
    again = exact.fit(rest, tau_prior="uniform(0, 2)", effect_prior_sd=inf).relative_effects()
    for model, estimate in zip(again["model"], again["estimate"]):
        assert last.loc[(model, "b"), "estimate"] == pytest.approx(estimate, rel=1e-9)
    assert all(one.error < 1e-8 for refits in fit.refits.values() for one in refits.values())


@pytest.mark.filterwarnings("error")
def test_splits_with_standard_errors_from_1e_minus_8_to_1e8_are_refits():
    edges = [(0, 1, 0.3, 1e-8), (0, 1, 0.4, 1e8), (0, 2, 1.0, 1.0), (1, 2, 0.2, 1e-3), (1, 2, 0.6, 1e4)]
    treatment = [[a, b] for a, b, _, _ in edges]
    net = network([(treatment, [[y] for *_, y, _ in edges], [[[se**2]] for *_, se in edges])], 3)
    fit = exact.fit(net, tau_prior="half-normal(0.5)", effect_prior_sd=1000.0)
    splits = fit.node_splits().set_index(["model", "treatment", "versus"])
    # One comparison's direct evidence against the sum of the two others: variances add up.
    indirect = np.hypot(1.0, 1e-3)
    own = splits.loc[("common", "b", "a")]
    assert own["direct"] == pytest.approx(0.3, abs=1e-6)
    assert own["indirect"] == pytest.approx(1.0 - 0.2, abs=1e-4)
    assert own["indirect_std_error"] == pytest.approx(indirect, rel=1e-4)
    for model, posterior in fit.posteriors.items():
        for pair, split in fit.splits[model].items():
            other = refitted_split(posterior, pair, 1000.0)
            assert split.difference.mean == pytest.approx(
                other.difference.mean, abs=1e-6 * other.difference.sd
            )


@pytest.mark.parametrize("se", [1e-8, 1e-4, 1e4, 1e8])
def test_any_size_of_standard_error(se):
    net = rescaled(simulated(5), se)
    fit = exact.fit(net)
    assert max(p.error for p in fit.posteriors.values()) < 1e-8
    reference = exact.fit(simulated(5)).estimates()
    assert fit.estimates()["estimate"].to_numpy() == pytest.approx(
        se * reference["estimate"].to_numpy(), rel=1e-9
    )


def test_very_unequal_standard_errors_with_heterogeneity():
    rng = np.random.default_rng(2)
    se = 10.0 ** np.array([-8, -6, -4, -2, 0, 2, 4, 6, 8, -1, -1, 0])
    y = 0.3 * rng.normal(size=len(se)) + se * rng.normal(size=len(se))
    y[:3] += 1.0
    net = network([([[0, 1]] * len(se), y[:, None], (se**2)[:, None, None])], 2)
    fit = exact.fit(net, model="random", tau_prior="half-normal(1)", effect_prior_sd=100.0)
    posterior = fit.posteriors["random"]
    assert posterior.error < 1e-8
    other = second_method(net, posterior.prior, 100.0, [1.0, 12.0])
    effects = fit.effect("random", np.array([1]), np.array([0]))
    assert abs(effects.mean[0] - other["mean"][0]) < 1e-5 * other["sd"][0]
    assert effects.sd[0] == pytest.approx(other["sd"][0], rel=1e-5)


# --- deletions and splits -----------------------------------------------------------------------------------


def without_study(net, study):
    blocks = []
    for block in net.blocks:
        kept = np.array([net.studies[i][0] != study for i in block.study])
        blocks.append(Block(block.study[kept], block.treatment[kept], block.y[kept], block.S[kept]))
    return replace(net, blocks=tuple(b for b in blocks if len(b.study)))


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@settings(max_examples=4, deadline=None)
def test_leave_one_out_is_a_refit(seed):
    net = simulated(seed, studies=(8, 2, 1))
    options = {"tau_prior": "half-normal(0.5)", "effect_prior_sd": 20.0}
    fit = exact.fit(net, **options)
    table = fit.leave_one_out().set_index(["model", "study"])
    total = {model: posterior.log_evidence for model, posterior in fit.posteriors.items()}
    for model, influence in fit.influence.items():
        for i, study in enumerate(influence.study):
            name = net.studies[study][0]
            try:
                again = exact.fit(without_study(net, name), model=model, **options)
            except RefusedError:
                assert "disconnected" in table.loc[(model, name), "note"].dropna().iloc[0]
                continue
            rows = table.loc[(model, name)]
            expected = again.relative_effects()
            sd = expected["std_error"].to_numpy()
            for column in ("estimate", "std_error", "ci_lower", "ci_upper"):
                assert np.max(np.abs(rows[column].to_numpy() - expected[column].to_numpy()) / sd) < 1e-9
            left = total[model] - again.posteriors[model].log_evidence
            assert fit.elpd(model)[i] == pytest.approx(left, abs=1e-9)
            tau = again.heterogeneity()["tau"].iloc[0]
            assert rows["tau"].iloc[0] == pytest.approx(tau, abs=1e-9)


def test_experiments_of_one_study_are_left_out_together():
    net = simulated(11)
    studies = (
        ("study 0", "one"),
        ("study 0", "two"),
        *net.studies[2:9],
        ("study 0", "three"),
        *net.studies[10:],
    )
    net = replace(net, studies=studies)
    options = {"model": "random", "tau_prior": "half-normal(0.5)", "effect_prior_sd": 20.0}
    fit = exact.fit(net, **options)
    rows = fit.leave_one_out().set_index("study").loc["study 0"]
    expected = exact.fit(without_study(net, "study 0"), **options).relative_effects()
    for column in ("estimate", "std_error", "ci_lower"):
        assert rows[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-9)
    statistics = fit.fit_statistics()
    assert (statistics["study"] == "study 0").sum() == 4


@given(seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_node_splits_are_refits_with_one_more_column(seed):
    fit = exact.fit(simulated(seed), tau_prior="half-normal(0.5)", effect_prior_sd=20.0)
    for model, splits in fit.splits.items():
        for pair, split in splits.items():
            other = refitted_split(fit.posteriors[model], pair, 20.0)
            assert split.log_evidence == pytest.approx(other.log_evidence, abs=1e-9)
            for part in ("direct", "indirect", "difference"):
                mine, theirs = getattr(split, part), getattr(other, part)
                assert abs(mine.mean - theirs.mean) < 1e-9 * theirs.sd
                assert mine.sd == pytest.approx(theirs.sd, rel=1e-9)
                assert np.max(np.abs(mine.quantile([0.025, 0.975]) - theirs.quantile([0.025, 0.975]))) < 1e-8
            assert split.difference.mean == pytest.approx(split.direct.mean - split.indirect.mean, abs=1e-12)


def test_a_deletion_that_moves_heterogeneity_far_is_refitted():
    # Without the outlier tau is near zero: the nodes of the fit to all studies do not serve.
    y = np.array([0.0, 0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.01, 500.0])
    net = network([([[0, 1]] * 9, y[:, None], np.full((9, 1, 1), 1e-4))], 2)
    options = {"model": "random", "tau_prior": "uniform(0, 1000)", "effect_prior_sd": 1e4}
    fit = exact.fit(net, **options)
    assert not fit.influence["random"].identified.all()
    rows = fit.leave_one_out().set_index("study").loc["study 8"]
    expected = exact.fit(without_study(net, "study 8"), **options)
    assert rows["estimate"] == pytest.approx(expected.relative_effects()["estimate"].iloc[0], abs=1e-9)
    assert rows["tau"] == pytest.approx(expected.heterogeneity()["tau"].iloc[0], rel=1e-8)
    left = fit.posteriors["random"].log_evidence - expected.posteriors["random"].log_evidence
    assert fit.elpd("random")[8] == pytest.approx(left, abs=1e-9)


def test_a_study_that_is_the_only_link_leaves_no_number():
    treatment = [[0, 1], [0, 1], [0, 1], [1, 2], [2, 3], [2, 3]]
    net = network([(treatment, np.arange(6.0)[:, None], np.full((6, 1, 1), 0.1))], 4)
    for options in (
        {"effect_prior_sd": 50.0, "tau_prior": "half-normal(1)"},
        {"effect_prior_sd": inf, "tau": 0.4},
    ):
        fit = exact.fit(net, **options)
        table = fit.leave_one_out()
        bridge = table[table["study"] == "study 3"].set_index(["model", "treatment"])
        for model in ("common", "random"):
            assert np.isfinite(bridge.loc[(model, "b"), "estimate"])
            assert bridge.loc[(model, ["c", "d"]), "estimate"].isna().all()
            assert bridge.loc[(model, ["c", "d"]), "note"].str.contains("disconnected").all()
        assert np.isfinite(table[table["study"] != "study 3"]["estimate"].astype(float)).all()
    assert np.isnan(fit.elpd("random")[3])
    assert np.isfinite(np.delete(fit.elpd("random"), 3)).all()


def test_leave_one_treatment_out_is_a_fit_to_the_smaller_network():
    net = simulated(4)
    options = {"tau_prior": "half-normal(0.5)", "effect_prior_sd": 20.0}
    table = exact.fit(net, **options).leave_one_treatment_out()
    contrasts = []
    for block in net.blocks:
        full = np.concatenate([np.zeros((len(block.study), 1)), block.y], axis=1)
        S = np.pad(block.S, ((0, 0), (1, 0), (1, 0)))
        for s, study in enumerate(block.study):
            for i in range(block.k):
                for j in range(i + 1, block.k):
                    a, b = (net.treatments[t] for t in block.treatment[s, [i, j]])
                    se = (S[s, i, i] + S[s, j, j] - 2 * S[s, i, j]) ** 0.5
                    contrasts.append((f"study {study}", b, a, full[s, j] - full[s, i], se))
    contrasts = pd.DataFrame(contrasts, columns=["study", "treatment1", "treatment2", "te", "se"])
    for gone, reference in (("c", "a"), ("a", "b")):
        rest = contrasts[(contrasts["treatment1"] != gone) & (contrasts["treatment2"] != gone)]
        smaller = from_contrasts(rest, reference=reference, lower_is_better=True)
        for model in ("common", "random"):
            expected = exact.fit(smaller, model=model, **options).relative_effects()
            mine = table[(table["item"] == gone) & (table["model"] == model)].set_index("quantity")["value"]
            for row in expected.itertuples():
                label = f"{row.treatment} versus {row.versus}"
                assert mine[f"estimate: {label}"] == pytest.approx(row.estimate, abs=1e-9)
                assert mine[f"ci_upper: {label}"] == pytest.approx(row.ci_upper, abs=1e-9)


# --- fit ----------------------------------------------------------------------------------------------------


def test_deviance_leverage_and_waic_by_simulation():
    net = simulated(7)
    fit = exact.fit(net, model="random", tau_prior="half-normal(0.5)", effect_prior_sd=10.0)
    influence = fit.influence["random"]
    draws = fit.draws("random", 60_000, seed=5)
    effects, tau = draws.effects, draws.tau
    rng = np.random.default_rng(6)
    deviance, fitted, density = {}, {}, {}
    for block in net.blocks:
        m = block.k - 1
        mean = effects[:, block.treatment[:, 1:]] - effects[:, block.treatment[:, :1]]
        for s, study in enumerate(block.study):
            S, y = block.S[s], block.y[s]
            between = tau[:, None, None] ** 2 * correlation(m)
            total = S + between
            residual = y - mean[:, s]
            solved = np.linalg.solve(total, residual[:, :, None])[:, :, 0]
            density[study] = -0.5 * (
                m * log(2 * pi) + np.linalg.slogdet(total)[1] + (residual * solved).sum(1)
            )
            # The study's own effects given everything else.
            gain = between @ np.linalg.inv(total)
            own = mean[:, s] + (gain @ residual[:, :, None])[:, :, 0]
            spread = between - gain @ between + 1e-15 * np.eye(m)
            own += (np.linalg.cholesky(spread) @ rng.normal(size=(len(own), m, 1)))[:, :, 0]
            precision = np.linalg.inv(S)
            deviance[study] = np.einsum("nm,mk,nk->n", y - own, precision, y - own)
            left = y - own.mean(0)
            fitted[study] = left @ precision @ left
    for i, study in enumerate(influence.study):
        total, leverage = influence.deviance[0][i], influence.deviance[1][i]
        error = deviance[study].std() / 60_000**0.5
        assert total == pytest.approx(deviance[study].mean(), abs=4 * error)
        assert leverage == pytest.approx(deviance[study].mean() - fitted[study], abs=5 * error)
        expected = np.log(np.mean(np.exp(density[study])))
        assert influence.waic[0][i] == pytest.approx(expected, abs=0.02)
        assert influence.waic[1][i] == pytest.approx(density[study].var(), rel=0.05, abs=0.005)


def test_arm_means_with_vague_baselines_are_contrasts_with_flat_ones():
    rng = np.random.default_rng(8)
    blocks, arms = [], []
    for k, count in ((2, 7), (3, 3)):
        treatment = np.sort([rng.choice(4, k, replace=False) for _ in range(count)], axis=1)
        if k == 2:
            treatment[:3] = [[0, 1], [0, 2], [0, 3]]
        mean, se = rng.normal(2.0, 1.0, (count, k)), rng.uniform(0.1, 0.5, (count, k))
        S = se[:, 1:, None] ** 2 * np.eye(k - 1) + se[:, :1, None] ** 2
        blocks.append((treatment, mean[:, 1:] - mean[:, :1], S))
        arms.append((treatment, mean, se))
    net = network(blocks, 4)
    arm_blocks = tuple(ArmBlock(b.study, b.treatment, mean=m, se=s) for b, (_, m, s) in zip(net.blocks, arms))
    net = replace(net, arms=arm_blocks)
    options = {"tau_prior": "half-normal(0.5)", "effect_prior_sd": 20.0}
    flat, vague = exact.fit(net, **options), exact.fit(net, baseline_prior=(0.0, 500.0), **options)
    a, b = flat.estimates(), vague.estimates()
    for column in ("estimate", "ci_lower", "pi_upper"):
        assert np.max(np.abs(a[column] - b[column]) / a["std_error"]) < 1e-4
    one, other = (
        f.fit_statistics().query("study.isna()").set_index(["model", "quantity"])["value"]
        for f in (flat, vague)
    )
    for model in ("common", "random"):
        for quantity in ("Dbar", "pD", "DIC"):
            assert other[model, quantity] == pytest.approx(one[model, f"{quantity} (arms)"], abs=1e-3)
    # An informative baseline moves the answer, and does not depend on which way round arms are compared.
    informed = exact.fit(net, baseline_prior=(2.0, 0.5), **options).estimates()
    assert np.max(np.abs(informed["estimate"] - a["estimate"]) / a["std_error"]) > 0.05
    with pytest.raises(CallError, match="loses digits"):
        exact.fit(net, baseline_prior=(0.0, 1e6))
    with pytest.raises(RefusedError, match="baseline_prior"):
        exact.fit(replace(net, arms=None), baseline_prior=(0.0, 10.0))


def test_informed_baselines_by_the_joint_normal():
    mean, se = np.array([[1.0, 2.0, 1.5]]), np.array([[0.3, 0.4, 0.5]])
    S = se[:, 1:, None] ** 2 * np.eye(2) + se[:, :1, None] ** 2
    net = network([([[0, 1, 2]], mean[:, 1:] - mean[:, :1], S)], 3)
    net = replace(net, arms=(ArmBlock(np.array([0]), np.array([[0, 1, 2]]), mean=mean, se=se),))
    fit = exact.fit(net, model="random", tau=0.6, effect_prior_sd=3.0, baseline_prior=(0.5, 0.8))
    # (mu, d1, d2) and data are jointly normal.
    design = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]])
    V = np.diag(se[0] ** 2)
    V[1:, 1:] += 0.36 * correlation(2)
    prior = np.diag([0.8**-2, 1 / 9, 1 / 9])
    precision = prior + design.T @ np.linalg.inv(V) @ design
    centre = prior @ [0.5, 0, 0] + design.T @ np.linalg.solve(V, mean[0])
    effects = fit.effect("random", np.array([1, 2]), np.array([0, 0]))
    assert effects.mean == pytest.approx(np.linalg.solve(precision, centre)[1:], rel=1e-10)
    assert effects.sd == pytest.approx(np.sqrt(np.diag(np.linalg.inv(precision)))[1:], rel=1e-10)


def test_weights_add_up_to_the_data_s_share_and_name_the_comparisons():
    net = simulated(9)
    table = exact.fit(net, effect_prior_sd=1e3, tau_prior="half-normal(1)").weights()
    total = table.groupby(["model", "treatment"])["weight"].sum()
    assert total.to_numpy() == pytest.approx(1.0, abs=1e-4)
    assert (table["weight"] > 0).all()
    # One two-arm study and nothing else: all of the weight.
    alone = exact.fit(
        network([([[0, 1]], [[1.0]], [[[0.1]]])], 2), model="common", effect_prior_sd=inf
    ).weights()
    assert alone["weight"].tolist() == pytest.approx([1.0])
    assert alone["estimate"].tolist() == [1.0]


# --- meta-regression ----------------------------------------------------------------------------------------


def regression_network(seed=12, studies=12):
    rng = np.random.default_rng(seed)
    year = rng.integers(1990, 2020, studies).astype(float)
    treatment = np.array([[0, 1 + i % 2] for i in range(studies)])
    treatment[-2:] = [1, 2]
    slope = np.where(treatment[:, 0] == 0, 0.05 * (year - 2005), 0.0)
    y = (treatment[:, 1] - treatment[:, 0]) * 0.5 + slope + 0.1 * rng.normal(size=studies)
    net = network([(treatment, y[:, None], rng.uniform(0.01, 0.1, (studies, 1, 1)))], 3)
    species = np.where(np.arange(studies) % 3 == 0, "rat", "mouse")
    covariates = pd.DataFrame({"study": [s for s, _ in net.studies], "year": year, "species": species})
    return replace(net, covariates=covariates)


@pytest.mark.parametrize("slopes", ["common", "by_treatment"])
def test_meta_regression_is_least_squares_with_more_columns(slopes):
    net = regression_network()
    fit = exact.fit(net, tau=0.2, effect_prior_sd=inf, covariates=["year"], slopes=slopes)
    X, y, S = stacked(net)
    z = net.covariates["year"].to_numpy()[np.concatenate([b.study for b in net.blocks])]
    z = z - net.covariates["year"].mean()
    extra = X.sum(1, keepdims=True) if slopes == "common" else X
    design = np.concatenate([X, z[:, None] * extra], axis=1)
    for model, tau in (("common", 0.0), ("random", 0.2)):
        precision = np.linalg.inv(covariance_at(S, tau))
        covariance = np.linalg.inv(design.T @ precision @ design)
        estimate = covariance @ design.T @ precision @ y
        effects = fit.relative_effects().set_index("model").loc[[model]]
        assert effects["estimate"].to_numpy() == pytest.approx(estimate[:2], rel=1e-9)
        slope = fit.coefficients().set_index("model").loc[[model]]
        assert slope["estimate"].to_numpy() == pytest.approx(estimate[2:], rel=1e-9)
        assert slope["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(covariance))[2:], rel=1e-9)
        later = fit.relative_effects([("c", "a")], at={"year": 2010.0}).set_index("model").loc[[model]]
        shift = (2010.0 - net.covariates["year"].mean()) * estimate[-1]
        assert later["estimate"].iloc[0] == pytest.approx(estimate[1] + shift, rel=1e-9)
    assert "year centred at" in fit.notes()["message"].str.cat()


def test_of_equally_frequent_levels_the_first_name_is_the_one_compared_with():
    net = regression_network()
    studies = sorted(net.covariates["study"])
    even = studies[: len(studies) // 2 * 2]
    for first in (0, 1):
        level = {study: "ab"[(place + first) % 2] for place, study in enumerate(even)}
        table = net.covariates.assign(strain=net.covariates["study"].map(level).fillna("c"))
        fit = exact.fit(replace(net, covariates=table.iloc[::-1]), covariates=["strain"], model="common")
        assert fit.coefficients()["subgroup"].iloc[0] == "strain = b"


def test_meta_regression_on_text_and_its_refusals():
    net = regression_network()
    fit = exact.fit(net, covariates=["species"], model="random")
    assert fit.coefficients()["subgroup"].tolist() == ["species = rat"]
    with pytest.raises(CallError, match="no covariate dose"):
        exact.fit(net, covariates=["dose"])
    with pytest.raises(CallError, match="no covariate dose"):
        fit.relative_effects(at={"dose": 1.0})
    gap = net.covariates.assign(year=net.covariates["year"].where(net.covariates["study"] != "study 3"))
    with pytest.raises(RefusedError, match="study 3"):
        exact.fit(replace(net, covariates=gap), covariates=["year"])
    with pytest.raises(RefusedError, match="same in every study"):
        exact.fit(replace(net, covariates=net.covariates.assign(year=2000.0)), covariates=["year"])
    # Deletions and splits of a regression are those of the model with its slopes.
    years = exact.fit(
        net, covariates=["year"], model="random", tau_prior="half-normal(1)", effect_prior_sd=30.0
    )
    rows = years.leave_one_out().set_index("study").loc["study 4"]
    smaller = without_study(net, "study 4")
    again = exact.fit(
        smaller, covariates=["year"], model="random", tau_prior="half-normal(1)", effect_prior_sd=30.0,
        centre={"year": net.covariates["year"].mean()}, slope_prior_sd={"year": 30.0 / net.covariates["year"].std(ddof=0)},
    )  # fmt: skip
    assert rows["estimate"].to_numpy() == pytest.approx(
        again.relative_effects()["estimate"].to_numpy(), rel=1e-9
    )
    split = years.splits["random"][0, 1]
    other = refitted_split(years.posteriors["random"], (0, 1), 30.0)
    assert split.difference.mean == pytest.approx(other.difference.mean, rel=1e-9)


# --- networks at the edge -----------------------------------------------------------------------------------


def test_a_single_study_says_that_its_heterogeneity_is_the_prior():
    net = network([([[0, 1]], [[1.2]], [[[0.04]]])], 2)
    fit = exact.fit(net, tau_prior="half-normal(0.5)", effect_prior_sd=100.0)
    common = fit.estimates().set_index("model").loc["common"]
    assert common["estimate"] == pytest.approx(1.2 / (1 + 0.04 / 1e4), rel=1e-12)
    tau = fit.posteriors["random"].heterogeneity
    assert tau.quantile(0.5) == pytest.approx(0.5 * 0.6744897501960817, rel=1e-4)
    message = fit.notes()["message"].str.cat(sep="\n")
    assert "random: driven by the prior: the data say next to nothing about tau" in message
    # Mean 1.2, variance se^2 + E[tau^2].
    random = fit.estimates().set_index("model").loc["random"]
    assert random["std_error"] == pytest.approx((0.04 + 0.25) ** 0.5, rel=1e-4)
    table = fit.leave_one_out()
    assert table["estimate"].isna().all()
    assert table["note"].str.contains("disconnected").all()
    # Nothing is left to predict it from but the prior.
    assert fit.elpd("random")[0] == pytest.approx(fit.posteriors["random"].log_evidence, abs=1e-9)


def test_an_effect_that_the_data_do_not_determine_is_named():
    net = network([([[0, 1]] * 3 + [[0, 2]], [[1.0], [1.1], [0.9], [0.0]], [[[0.1]]] * 3 + [[[1e6]]])], 3)
    fit = exact.fit(net, effect_prior_sd=10.0, tau_prior="half-normal(1)")
    message = fit.notes()["message"].str.cat(sep="\n")
    assert "driven by the prior: the data hardly determine the effect of c against a" in message
    assert "effect of b" not in message


def test_a_star_has_no_split_and_says_why():
    net = network(
        [([[0, t] for t in (1, 2, 3) for _ in range(3)], np.arange(9.0)[:, None], np.full((9, 1, 1), 0.3))], 4
    )
    table = exact.fit(net).node_splits()
    assert table["difference"].isna().all()
    assert table["note"].str.contains("no indirect evidence").all()
    assert len(table) == 6


def test_a_four_arm_study_alone():
    rng = np.random.default_rng(1)
    variance = rng.uniform(0.1, 0.2, 4)
    S = np.diag(variance[1:]) + variance[0]
    y = rng.normal(size=(1, 3))
    fit = exact.fit(network([([[0, 1, 2, 3]], y, S[None])], 4), model="common", effect_prior_sd=inf)
    assert fit.relative_effects()["estimate"].to_numpy() == pytest.approx(y[0], rel=1e-12)
    assert fit.relative_effects([("d", "b")])["std_error"].iloc[0] == pytest.approx(
        (variance[1] + variance[3]) ** 0.5
    )


def test_a_network_that_falls_apart_is_refused_by_its_parts():
    net = network([([[0, 1], [2, 3]], [[1.0], [2.0]], [[[0.1]], [[0.1]]])], 4)
    with pytest.raises(RefusedError, match=r"a, b \| c, d"):
        exact.fit(net)


def test_impossible_standard_errors_are_refused_by_study():
    net = network([([[0, 1, 2]], [[1.0, 2.0]], [[[1.0, 1.5], [1.5, 1.0]]])], 3)
    with pytest.raises(RefusedError, match="study 0"):
        exact.fit(net)


def test_identical_effects_and_heterogeneity_at_zero():
    net = network([([[0, 1]] * 5 + [[0, 2]] * 5, np.zeros((10, 1)), np.full((10, 1, 1), 0.2))], 3)
    fit = exact.fit(net)
    assert max(p.error for p in fit.posteriors.values()) < 1e-8
    assert np.max(np.abs(fit.estimates()["estimate"])) < 1e-12
    assert fit.specification.prior.upper == pytest.approx(0.2**0.5)


def test_a_tail_too_long_for_moments_is_said():
    net = network([([[0, 1]] * 2, [[1.0], [1.4]], [[[0.1]]] * 2)], 2)
    fit = exact.fit(net, model="random", tau_prior="log-t(-3, 2, 3)", effect_prior_sd=10.0)
    tau = fit.posteriors["random"].heterogeneity
    # Two studies and the prior: tau's density falls like tau^-3, so it has a mean but no standard deviation.
    assert np.isfinite(tau.mean)
    assert tau.sd == inf
    assert fit.posteriors["random"].error < 1e-8
    assert np.isfinite(fit.estimates()["std_error"]).all()
    with pytest.raises(RefusedError, match="without a standard deviation"):
        exact.fit(net, model="random", tau_prior="half-cauchy(0.5)", effect_prior_sd=inf)
    exact.fit(net, model="random", tau_prior="half-cauchy(0.5) T(, 10)", effect_prior_sd=inf)


def test_heterogeneity_far_beyond_a_narrow_prior():
    # The prior ends far below what the data say: the posterior piles up at its limit.
    y = np.array([-50.0, 50.0, -40.0, 30.0, 0.0])
    net = network([([[0, 1]] * 5, y[:, None], np.ones((5, 1, 1)))], 2)
    fit = exact.fit(net, model="random", tau_prior="uniform(0, 5)", effect_prior_sd=100.0)
    posterior = fit.posteriors["random"]
    tau = np.linspace(4.0, 5.0, 20_001)
    log_likelihood = posterior.rows.solve(tau).log_likelihood
    weight = np.exp(log_likelihood - log_likelihood.max())
    mean = simpson(weight * tau, x=tau) / simpson(weight, x=tau)
    assert posterior.heterogeneity.mean == pytest.approx(mean, rel=1e-9)
    assert posterior.error < 1e-8


@pytest.mark.parametrize(
    "options",
    [
        {"model": "fixed"},
        {"effect_prior_sd": 0.0},
        {"effect_prior_sd": float("nan")},
        {"tau": -1.0},
        {"tau": 0.3, "tau_prior": "half-normal(1)"},
        {"tau_prior": "gamma(1, 1)"},
        {"slopes": "many"},
        {"nodes": 2},
    ],
)
def test_calls_that_are_wrong(options):
    with pytest.raises(CallError):
        exact.fit(simulated(1), **options)


def test_bayes_factor_and_unrelated_effects_are_reported():
    fit = exact.fit(simulated(13))
    table = fit.inconsistency()
    assert table["note"].dropna().str.contains("log Bayes factor for consistency").all()
    assert set(table["method"]) == {"unrelated mean effects"}


def test_prior_sensitivity_repeats_the_fit():
    net = simulated(14)
    fit = exact.fit(net, tau_prior="half-normal(0.5)", effect_prior_sd=20.0)
    table = fit.prior_sensitivity(["half-normal(0.5)", "uniform(0, 2)"], [50.0])
    assert table["item"].nunique() == 3
    own = fit.relative_effects().query("model == 'random'").set_index("treatment")["estimate"]
    first = table[table["item"].str.startswith("tau ~ half-normal(0.5)") & table["item"].str.contains("20")]
    values = first.set_index("quantity")["value"]
    assert values["estimate: b versus a"] == pytest.approx(own["b"], rel=1e-12)
    assert len(fit.prior_sensitivity()) > 0


def test_the_model_is_never_chosen_by_heterogeneity_and_the_seed_fixes_the_draws():
    net = simulated(15)
    fit = exact.fit(net)
    assert fit.models == ("common", "random")
    assert fit.rank_probabilities().equals(exact.fit(net).rank_probabilities())
    other = exact.fit(net, seed=2).rank_probabilities()
    assert np.max(np.abs(fit.rank_probabilities()["probability"] - other["probability"])) < 0.025
    assert fit.estimates().equals(exact.fit(net, seed=2).estimates())


def test_posterior_draws_have_the_posterior_s_moments():
    fit = exact.fit(simulated(16), model="random", draws=50_000)
    values = fit.draws("random").effects
    effects = fit.effect("random", *BASIC)
    assert np.max(np.abs(values[:, 1:].mean(0) - effects.mean) / effects.sd) < 4 / 50_000**0.5
    assert np.max(np.abs(values[:, 1:].std(0) / effects.sd - 1)) < 0.02
    assert np.all(values[:, 0] == 0)


def test_probability_of_an_important_difference():
    net = replace(simulated(17), smallest_important_difference=0.2)
    fit = exact.fit(net, model="common")
    table = fit.superiority().set_index(["treatment", "versus"])
    effects = fit.effect("common", np.array([1]), np.array([0]))
    assert table.loc[("b", "a"), "probability"] == pytest.approx(
        effects.probability_below(-0.2)[0], abs=1e-12
    )
    assert table.loc[("b", "a"), "margin"] == 0.2
    both = table.loc[("b", "a"), "probability"] + table.loc[("a", "b"), "probability"]
    assert both < 1
    with pytest.raises(CallError, match="How much better"):
        exact.fit(simulated(17)).superiority()


@pytest.mark.slow
def test_simulation_based_calibration():
    """Parameters from the prior, data from the parameters: posterior probabilities of the truth are uniform.

    Talts et al. 2018, arXiv:1804.06788; with exact probabilities in place of ranks among draws.
    """
    from scipy.stats import kstest

    rng = np.random.default_rng(2026)
    template = simulated(21)
    found = {"b": [], "c": [], "d": [], "d against c": [], "tau": [], "new study": []}
    for _ in range(1000):
        tau = abs(rng.normal(0.0, 0.5))
        effects = np.concatenate([[0.0], rng.normal(0.0, 2.0, 3)])
        blocks = []
        for block in template.blocks:
            root = np.linalg.cholesky(block.S + tau**2 * correlation(block.k - 1))
            noise = (root @ rng.normal(size=(*block.y.shape, 1)))[:, :, 0]
            mean = effects[block.treatment[:, 1:]] - effects[block.treatment[:, :1]]
            blocks.append(replace(block, y=mean + noise))
        net = replace(template, blocks=tuple(blocks))
        fit = exact.fit(net, model="random", tau_prior="half-normal(0.5)", effect_prior_sd=2.0)
        pairs = (np.array([1, 2, 3, 3]), np.array([0, 0, 0, 2]))
        truth = effects[pairs[0]] - effects[pairs[1]]
        below = fit.effect("random", *pairs).probability_below(truth)
        for name, probability in zip(found, below):
            found[name].append(probability)
        found["tau"].append(fit.posteriors["random"].heterogeneity.probability_below(tau))
        new = np.array([rng.normal(effects[1], tau)])
        predicted = fit.effect("random", np.array([1]), np.array([0]), predictive=True)
        found["new study"].append(predicted.probability_below(new)[0])
    for name, values in found.items():
        assert kstest(values, "uniform").pvalue > 0.005, name


def test_importing_the_engine_is_light():
    code = (
        "import sys, analysis.network.exact;"
        "heavy = {'scipy.stats', 'pymc', 'pytensor', 'arviz', 'numba', 'altair', 'duckdb', 'pandas'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_a_network_is_rotated_and_indexed_once_whatever_is_asked_of_it(monkeypatch):
    net, counts = simulated(5), Counter()

    def counted(place, name):
        whole = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given: counts.update([name]) or whole(*given))

    for place, name in (
        (rows, "_rotate"), (rows.DesignRows, "_index_edges"), (rows.DesignRows, "solve"), (gls.Gls, "__init__"),
        (quadrature.Heterogeneity, "quantiles"),
    ):  # fmt: skip
        counted(place, name)
    for _ in range(2):
        fit = exact.fit(net, tau_prior="uniform(0, 5)", effect_prior_sd=100.0)
        fit.estimates(), fit.ranking(), fit.heterogeneity(), fit.league("random")
    assert counts["_rotate"] == len(net.blocks)
    assert counts["_index_edges"] == 2  # one for each fit: both models have the same rows
    assert counts["__init__"] == 1
    # Where to look, a rule and the next finer ones; the common effect at tau = 0.
    assert counts["solve"] <= 2 * 6
    assert counts["quantiles"] <= 2 * 3
