"""The frequentist engine against rational arithmetic, dense algebra and refits, on the networks that break others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import network
from analysis.network.data.network import Network
from analysis.network.frequentist.solution import i_squared
from analysis.results import COLUMNS
from evidence.errors import CallError, RefusedError


def contrasts(*rows: tuple[Any, ...], **options: Any) -> Network:
    columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    return network.from_contrasts(pd.DataFrame(list(rows), columns=columns), **options)


def one_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model].reset_index(drop=True)


@st.composite
def arm_tables(draw: st.DrawFn) -> pd.DataFrame:
    """Arms of a connected network of two to six treatments, in studies of two to four arms."""
    count = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    studies = [(t, (t + 1) % count) for t in range(count - 1)]
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(2, min(4, count)))
        studies.append(tuple(rng.choice(count, size, replace=False)))
    effect = rng.normal(0, 1, count)
    return pd.DataFrame(
        [
            {
                "study": f"s{s:02d}",
                "treatment": f"t{t}",
                "y": effect[t] + rng.normal(0, 0.5),
                "v": rng.uniform(0.01, 0.3),
            }
            for s, arms in enumerate(studies)
            for t in arms
        ]
    )


def textbook(net: Network, tau2: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Effects, covariance and Q by dense normal equations, study by study."""
    T = len(net.treatments)
    information, right, total = np.zeros((T - 1, T - 1)), np.zeros(T - 1), 0.0
    for block in net.blocks:
        m = block.k - 1
        for s in range(len(block.study)):
            X = np.zeros((m, T))
            X[np.arange(m), block.treatment[s, 1:]] += 1
            X[:, block.treatment[s, 0]] -= 1
            W = np.linalg.inv(block.S[s] + tau2 * (np.eye(m) + 1) / 2)
            information += X[:, 1:].T @ W @ X[:, 1:]
            right += X[:, 1:].T @ W @ block.y[s]
            total += block.y[s] @ W @ block.y[s]
    covariance = np.linalg.inv(information)
    return covariance @ right, covariance, float(total - right @ covariance @ right)


@settings(deadline=None, max_examples=15)
@given(arm_tables(), st.just(0.0) | st.floats(1e-6, 2))
def test_given_tau_the_estimates_are_generalised_least_squares(arms: pd.DataFrame, tau: float) -> None:
    net = network.from_arms(arms, lower_is_better=True)
    fit = network.fit(net, model="random", tau=tau, draws=100)
    effect, covariance, q = textbook(net, tau**2)
    table = fit.relative_effects()
    np.testing.assert_allclose(table["estimate"], effect, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(covariance)), rtol=1e-10)
    np.testing.assert_allclose(fit.solution().rss[0], q, rtol=1e-8, atol=1e-10)


@settings(deadline=None, max_examples=8)
@given(arm_tables(), st.permutations(range(6)), st.integers(-9, 9), st.sampled_from(["REML", "ML", "DL"]))
def test_names_order_unit_and_sign_do_not_matter(
    arms: pd.DataFrame, names: list[int], power: int, method: str
) -> None:
    scale = -(10.0**power)
    changed = arms.sample(frac=1, random_state=1).assign(
        treatment=[f"n{names[int(t[1:])]}" for t in arms.sample(frac=1, random_state=1)["treatment"]]
    )
    changed["y"] *= scale
    changed["v"] *= scale**2
    here = network.fit(network.from_arms(arms, lower_is_better=True), tau2=method, draws=100)
    there = network.fit(network.from_arms(changed, lower_is_better=False), tau2=method, draws=100)
    pairs = here.all_pairs()
    moved = [tuple(f"n{names[int(name[1:])]}" for name in pair) for pair in pairs]
    if np.isnan(here.tau2):
        assert np.isnan(there.tau2)
    else:
        assert there.tau2 == pytest.approx(here.tau2 * scale**2, rel=1e-8, abs=1e-9 * scale**2)
    one, other = here.relative_effects(pairs), there.relative_effects(moved)
    size = float(one["std_error"].max())
    for name in ("estimate", "std_error"):
        factor = scale if name == "estimate" else -scale
        np.testing.assert_allclose(other[name] / factor, one[name], rtol=1e-7, atol=1e-7 * size)
    np.testing.assert_allclose(other["ci_lower"] / scale, one["ci_upper"], rtol=1e-7, atol=1e-7 * size)
    score = one_model(here.ranking(), "common").set_index("treatment")["p_score"]
    again = one_model(there.ranking(), "common").set_index("treatment")["p_score"]
    np.testing.assert_allclose([again[f"n{names[int(t[1:])]}"] for t in score.index], score, atol=1e-9)
    ours, theirs = here.inconsistency(), there.inconsistency()
    np.testing.assert_allclose(
        sorted(ours["q"] * (ours["df"] > 0)), sorted(theirs["q"] * (theirs["df"] > 0)), rtol=1e-6, atol=1e-8
    )


@settings(deadline=None, max_examples=8)
@given(arm_tables())
def test_the_tables_hold_together(arms: pd.DataFrame) -> None:
    net = network.from_arms(arms, lower_is_better=True)
    fit = network.fit(net, draws=500)
    estimates = fit.estimates()
    assert list(estimates.columns) == list(COLUMNS["estimates"])
    whole = estimates[(estimates["evidence"] == "network") & (estimates["model"] == "common")]
    pairs = {(row["treatment"], row["versus"]): row["estimate"] for row in whole.to_dict("records")}
    reference = net.reference
    for (a, b), value in pairs.items():
        if b != reference:
            assert value == pytest.approx(pairs[a, reference] - pairs[b, reference], abs=1e-9)
    q = fit.inconsistency().set_index("component")["q"]
    assert q["total"] == pytest.approx(fit.heterogeneity()["q"].iloc[0], abs=1e-7, nan_ok=not fit.df)
    shares = fit.weights().groupby(["model", "treatment"])["weight"].sum()
    np.testing.assert_allclose(shares, 1.0, rtol=1e-8)
    for method in ("random walk", "shortest path"):
        totals = fit.contributions(method).groupby("estimate")["share"].sum()
        np.testing.assert_allclose(totals, 1.0, rtol=1e-8)
    hat = fit.hat_matrix("studies", "common").to_numpy()
    np.testing.assert_allclose(hat @ hat, hat, atol=1e-8)
    assert np.trace(hat) == pytest.approx(len(net.treatments) - 1)
    assert list(fit.sensitivity().columns) == list(COLUMNS["sensitivity"])
    ranks = fit.rank_probabilities()
    if len(ranks):
        np.testing.assert_allclose(ranks.groupby(["model", "treatment"])["probability"].sum(), 1.0)
        np.testing.assert_allclose(ranks.groupby(["model", "rank"])["probability"].sum(), 1.0)


def exact(net: Network) -> tuple[list[Fraction], list[list[Fraction]], Fraction]:
    """Effects, covariance and Q of two-arm studies in rational arithmetic."""
    T = len(net.treatments)
    A = [[Fraction(0)] * T for _ in range(T)]
    b = [Fraction(0)] * T
    total = Fraction(0)
    (block,) = net.blocks
    for (low, high), y, S in zip(block.treatment.tolist(), block.y[:, 0].tolist(), block.S[:, 0, 0].tolist()):
        w, y = 1 / Fraction(S), Fraction(y)
        total += w * y * y
        for i, sign_i in ((high, 1), (low, -1)):
            b[i] += sign_i * w * y
            for j, sign_j in ((high, 1), (low, -1)):
                A[i][j] += sign_i * sign_j * w
    rows = [A[i][1:] + [Fraction(int(i == j)) for j in range(1, T)] for i in range(1, T)]
    for i in range(T - 1):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(T - 1):
            if r != i:
                rows[r] = [value - rows[r][i] * other for value, other in zip(rows[r], rows[i])]
    inverse = [row[T - 1 :] for row in rows]
    effect = [Fraction(0), *(sum((c * v for c, v in zip(row, b[1:])), Fraction(0)) for row in inverse)]
    covariance = [[Fraction(0)] * T, *([Fraction(0), *row] for row in inverse)]
    return effect, covariance, total - sum((d * v for d, v in zip(effect, b)), Fraction(0))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_standard_errors_from_1e_minus_8_to_1e8_in_one_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 6))
    rows = [
        (f"s{k}", f"t{k % count}", f"t{(k + step) % count}", 3 * rng.normal(), 10 ** rng.uniform(-8, 8))
        for k in range(count + int(rng.integers(0, 4)))
        for step in [1 if k < count else int(rng.integers(1, count))]
    ]
    net = contrasts(*rows)
    effect, covariance, q = exact(net)
    fit = network.fit(net, model="common", draws=10)
    for row in fit.relative_effects(fit.all_pairs()).to_dict("records"):
        i, j = net.treatments.index(row["treatment"]), net.treatments.index(row["versus"])
        assert row["std_error"] == pytest.approx(
            float(covariance[i][i] + covariance[j][j] - 2 * covariance[i][j]) ** 0.5, rel=1e-11
        )
        assert row["estimate"] == pytest.approx(
            float(effect[i] - effect[j]), rel=1e-11, abs=1e-11 * row["std_error"]
        )
    if fit.df:
        assert fit.heterogeneity()["q"].iloc[0] == pytest.approx(float(q), rel=1e-9, abs=1e-9)


def test_precisions_too_far_apart_for_the_moment_estimator_are_refused() -> None:
    rows = [
        ("1", "A", "B", 1.0, 1e-8),
        ("2", "A", "B", 5.0, 1.0),
        ("3", "B", "C", 1.0, 1e8),
        ("4", "B", "C", 1.0, 1.0),
        ("5", "A", "C", 1.0, 1.0),
    ]
    with pytest.raises(RefusedError, match="REML holds"):
        network.fit(contrasts(*rows), tau2="DL")
    fit = network.fit(contrasts(*rows), tau2="REML")
    assert np.isfinite(fit.tau2)
    table = fit.inconsistency().set_index("component")
    assert np.isnan(table.loc["network", "q"])
    assert "differ too much" in table.loc["network", "note"]


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e8])
def test_every_answer_scales_with_the_unit(scale: float) -> None:
    rows = [
        ("1", "A", "B", 1.0, 0.2),
        ("2", "A", "B", 2.0, 0.3),
        ("3", "B", "C", 1.5, 0.4),
        ("4", "A", "C", 1.0, 0.3),
    ]
    here = network.fit(contrasts(*rows))
    there = network.fit(contrasts(*[(*row[:3], row[3] * scale, row[4] * scale) for row in rows]))
    assert there.tau2 == pytest.approx(here.tau2 * scale**2, rel=1e-9)
    for one, other in ((here.estimates(), there.estimates()), (here.leave_one_out(), there.leave_one_out())):
        for name in ("estimate", "std_error", "ci_lower", "ci_upper"):
            np.testing.assert_allclose(other[name].astype(float), one[name].astype(float) * scale, rtol=1e-8)
    np.testing.assert_allclose(
        there.heterogeneity()[["tau_lower", "tau_upper"]].astype(float),
        here.heterogeneity()[["tau_lower", "tau_upper"]].astype(float) * scale,
        rtol=1e-8,
    )


# --- networks that break others ---------------------------------------------------------------------------------


def test_a_single_study_has_an_effect_and_no_heterogeneity() -> None:
    net = contrasts(("only", "B", "A", 1.2, 0.4), reference="A", lower_is_better=True)
    fit = network.fit(net)
    common, random = (one_model(fit.relative_effects(), model).iloc[0] for model in ("common", "random"))
    assert (common["estimate"], common["std_error"]) == (1.2, 0.4)
    assert random["estimate"] == 1.2
    assert np.isnan(random["std_error"])
    assert np.isnan(random["pi_lower"])
    row = fit.heterogeneity().set_index("model").loc["random"]
    assert row["df"] == 0
    assert np.isnan(row["tau"])
    assert np.isnan(row["i2"])
    assert any("cannot be estimated" in message for message in fit.notes()["message"])
    assert set(fit.ranking()["model"]) == {"common"}
    assert fit.leave_one_out().empty
    with pytest.raises(RefusedError, match="give the value of tau2"):
        network.fit(net, model="random")
    given = one_model(network.fit(net, model="random", tau=0.3).relative_effects(), "random").iloc[0]
    assert given["std_error"] == pytest.approx(0.5)


def test_two_treatments_are_a_pairwise_meta_analysis() -> None:
    # BCG vaccine, log risk ratios (metafor's dat.bcg): tau2 0.3132, -0.7145 (0.1798) by REML (Viechtbauer 2010).
    y = [
        -0.8893,
        -1.5854,
        -1.3481,
        -1.4416,
        -0.2175,
        -0.7861,
        -1.6209,
        0.0120,
        -0.4694,
        -1.3713,
        -0.3394,
        0.4459,
        -0.0173,
    ]
    v = [
        0.3256,
        0.1946,
        0.4154,
        0.0200,
        0.0512,
        0.0069,
        0.2230,
        0.0040,
        0.0564,
        0.0730,
        0.0124,
        0.5325,
        0.0714,
    ]
    net = contrasts(
        *[(f"{i}", "vaccine", "none", a, b**0.5) for i, (a, b) in enumerate(zip(y, v))], reference="none"
    )
    fit = network.fit(net)
    random = one_model(fit.relative_effects(), "random").iloc[0]
    assert fit.tau2 == pytest.approx(0.3132, abs=2e-4)
    assert random["estimate"] == pytest.approx(-0.7145, abs=2e-4)
    assert random["std_error"] == pytest.approx(0.1798, abs=2e-4)
    # Q-profile interval of tau2 as printed by confint() in the same place: 0.1197 to 1.1115.
    interval = fit.heterogeneity().set_index("model").loc["random", ["tau2_lower", "tau2_upper"]]
    np.testing.assert_allclose(interval.astype(float), [0.1197, 1.1115], rtol=2e-3)
    assert fit.heterogeneity()["q"].iloc[0] == pytest.approx(152.23, abs=0.5)  # variances above are rounded


def test_a_star_has_direct_evidence_only() -> None:
    rows = [(f"{t}{i}", t, "P", i - 0.5, 0.5) for t in "ABC" for i in range(2)]
    fit = network.fit(contrasts(*rows, reference="P", lower_is_better=True))
    splits = fit.node_splits()
    assert splits["indirect"].isna().all()
    assert set(splits["note"]) == {"there is no indirect evidence"}
    np.testing.assert_allclose(splits["proportion_direct"], 1.0)
    table = fit.inconsistency().set_index(["method", "component"])
    assert table.loc[("decomposition", "between designs"), "df"] == 0
    assert np.isnan(table.loc[("design-by-treatment", "network"), "p_value"])
    assert "between designs after detaching" not in table.index
    assert any("consistency cannot be checked" in message for message in fit.notes()["message"])
    across = one_model(fit.relative_effects([("A", "B")]), "common").iloc[0]
    assert across["std_error"] == pytest.approx(np.sqrt(2 * 0.125))


def test_a_four_arm_study_alone_is_its_own_answer() -> None:
    arms = pd.DataFrame(
        {"study": "s", "treatment": list("ABCD"), "y": [0.0, 1.0, 2.0, 4.0], "v": [0.1, 0.2, 0.3, 0.4]}
    )
    fit = network.fit(network.from_arms(arms, reference="A"), model="common")
    table = fit.relative_effects(fit.all_pairs())
    values = dict(zip("ABCD", zip(arms["y"], arms["v"])))
    for row in table.to_dict("records"):
        (ya, va), (yb, vb) = values[row["treatment"]], values[row["versus"]]
        assert row["estimate"] == pytest.approx(ya - yb)
        assert row["std_error"] == pytest.approx((va + vb) ** 0.5)


def test_identical_studies_have_no_heterogeneity() -> None:
    for method in ("REML", "ML", "DL"):
        fit = network.fit(contrasts(*[(f"{i}", "A", "B", 0.5, 0.1) for i in range(4)]), tau2=method)
        assert fit.tau2 == 0.0
        row = fit.heterogeneity().set_index("model").loc["random"]
        assert (row["i2"], row["tau2_lower"]) == (0.0, 0.0)


def test_without_a_direction_there_is_no_ranking() -> None:
    fit = network.fit(contrasts(("1", "A", "B", 0.5, 0.1), ("2", "A", "B", 0.1, 0.1)))
    assert fit.ranking().empty
    assert fit.rank_probabilities().empty
    assert any("lower or higher" in message for message in fit.notes()["message"])
    assert len(fit.league()) == 2


def test_leaving_a_study_out_is_a_refit_without_it() -> None:
    rng = np.random.default_rng(5)
    rows = [
        (f"s{k}", f"t{a}", f"t{b}", rng.normal(), rng.uniform(0.1, 0.5))
        for k, (a, b) in enumerate([(0, 1), (0, 1), (1, 2), (0, 2), (0, 2), (2, 3)])
    ]
    rows += [("three", f"t{a}", f"t{b}", (a - b) * 0.3, 0.4) for a, b in ((1, 0), (2, 0), (2, 1))]
    net = contrasts(*rows, reference="t0", lower_is_better=True)
    for method in ("REML", "DL"):
        table = network.fit(net, tau2=method).leave_one_out()
        for study in ("s0", "s3", "three"):
            refit = network.fit(
                contrasts(*[row for row in rows if row[0] != study], reference="t0"), tau2=method
            )
            for model in ("common", "random"):
                ours = table[(table["study"] == study) & (table["model"] == model)]
                theirs = one_model(refit.relative_effects(), model)
                for name in ("estimate", "std_error", "ci_lower", "ci_upper"):
                    np.testing.assert_allclose(ours[name].astype(float), theirs[name], rtol=1e-9, atol=1e-11)
                if model == "random":
                    np.testing.assert_allclose(
                        ours["tau"].astype(float), refit.tau2**0.5, rtol=1e-7, atol=1e-9
                    )
            np.testing.assert_allclose(ours["q"].astype(float), refit.heterogeneity()["q"].iloc[0], rtol=1e-9)
    alone = table[table["study"] == "s5"].set_index(["model", "treatment"])
    assert np.isnan(alone.loc[("common", "t3"), "estimate"])
    assert alone.loc[("common", "t3"), "note"] == "not connected with t0 without this study"
    assert np.isfinite(alone.loc[("common", "t2"), "estimate"])


def test_rank_probabilities_agree_with_the_exact_scores() -> None:
    rows = [
        ("1", "A", "P", -1.0, 0.5),
        ("2", "B", "P", -0.8, 0.4),
        ("3", "C", "P", 0.2, 0.6),
        ("4", "A", "P", -0.4, 0.5),
    ]
    fit = network.fit(contrasts(*rows, reference="P", lower_is_better=True))
    ranks = one_model(fit.rank_probabilities(), "common")
    mean = ranks.assign(mean=ranks["rank"] * ranks["probability"]).groupby("treatment")["mean"].sum()
    exact_rank = one_model(fit.ranking(), "common").set_index("treatment")["mean_rank"]
    np.testing.assert_allclose(mean[exact_rank.index], exact_rank, atol=0.015)
    again = network.fit(fit.network)
    pd.testing.assert_frame_equal(again.rank_probabilities(), fit.rank_probabilities())


def test_weights_carry_the_contrasts_behind_them() -> None:
    frame = pd.DataFrame(
        [
            ("1", "A", "P", 1.0, 0.5, "one"),
            ("2", "A", "P", 1.4, 0.5, "two"),
            ("3", "B", "P", 1.0, 0.5, "three"),
        ],
        columns=["study", "treatment_a", "treatment_b", "estimate", "std_error", "contrast_id"],
    )
    fit = network.fit(network.from_contrasts(frame, reference="P"), model="common")
    weights = fit.weights().set_index(["treatment", "contrast_id"])["weight"]
    assert weights.to_dict() == pytest.approx({("A", "one"): 0.5, ("A", "two"): 0.5, ("B", "three"): 1.0})


def test_wrong_calls_are_named() -> None:
    net = contrasts(("1", "A", "B", 0.5, 0.1), ("2", "A", "B", 0.1, 0.1))
    fit = network.fit(net)
    for call, message in (
        (lambda: network.fit(net, engine="winbugs"), "no engine 'winbugs'"),
        (lambda: network.fit(net, model="fixed"), "no model 'fixed'"),
        (lambda: network.fit(net, tau2="PM"), "no estimator 'PM'"),
        (lambda: network.fit(net, tau=-1.0), "0 or more"),
        (lambda: network.fit(net, prior="vague"), "no option prior; it has"),
        (lambda: network.fit(net, reference="Z"), "no treatment 'Z'"),
        (lambda: fit.relative_effects([("A", "Z")]), "no treatment Z"),
        (lambda: fit.node_splits("magic"), "no way 'magic'"),
        (lambda: fit.hat_matrix("magic"), "no hat matrix of 'magic'"),
        (lambda: fit.contributions("magic"), "no method 'magic'"),
        (lambda: fit.funnel(["A"]), "B missing"),
        (lambda: network.fit(net, model="common").solution("random"), "was not fitted"),
    ):
        with pytest.raises(CallError, match=message):
            call()


def test_the_reference_can_be_changed_at_the_fit() -> None:
    net = contrasts(("1", "A", "B", 0.5, 0.1), ("2", "B", "C", 0.1, 0.1), reference="A")
    fit = network.fit(net, reference="C")
    assert set(fit.relative_effects()["versus"]) == {"C"}
    assert (fit.estimates().query("versus == 'A'")["treatment"] == "B").all()


def test_i2_of_the_published_example() -> None:
    # Senn 2013 (netmeta 3.4-0): Q 96.984 on 18 df.
    assert i_squared(96.9840650655013, 18) == pytest.approx((0.8144025, 0.71976722, 0.87707922), abs=1e-8)
    assert i_squared(2.0, 4)[0] == 0.0
    assert np.isnan(i_squared(0.0, 0)).all()


def test_a_negative_covariance_of_standardised_differences_is_allowed() -> None:
    # Opposite large effects: 1 / n + d1 d2 / (2 N) < 0, and the study is sound all the same.
    d, n = {"A": 0.0, "B": 4.0, "C": -4.0}, 6
    rows = [
        ("s", i, j, d[i] - d[j], (2 / n + (d[i] - d[j]) ** 2 / (2 * 3 * n)) ** 0.5)
        for i, j in (("B", "A"), ("C", "A"), ("C", "B"))
    ]
    net = contrasts(*rows, measure="SMD", reference="A")
    assert net.blocks[0].S[0, 0, 1] == pytest.approx(1 / n - 16 / (6 * n))
    fit = network.fit(net, model="common")
    table = fit.relative_effects(fit.all_pairs())
    for row in table.to_dict("records"):
        assert row["estimate"] == pytest.approx(d[row["treatment"]] - d[row["versus"]])
    assert replace(net, measure="MD").blocks == net.blocks
    with pytest.raises(RefusedError, match="no covariance"):
        contrasts(*rows, measure="MD", reference="A")


def test_better_by_a_margin_is_the_p_score_at_margin_zero() -> None:
    rows = [("1", "A", "P", -1.0, 0.5), ("2", "B", "P", -0.8, 0.4), ("3", "A", "B", 0.2, 0.6)]
    fit = network.fit(contrasts(*rows, reference="P", lower_is_better=True))
    table = fit.superiority(0.0)
    mean = table.groupby(["model", "treatment"])["probability"].mean()
    score = fit.ranking().set_index(["model", "treatment"])["p_score"]
    np.testing.assert_allclose(mean.sort_index(), score.sort_index(), rtol=1e-12)
    strict = fit.superiority(0.5)
    assert (strict["probability"] < table["probability"]).all()
    with pytest.raises(CallError, match="How much better"):
        fit.superiority()


def test_a_league_table_of_a_model_without_heterogeneity_keeps_the_order_of_the_network() -> None:
    net = contrasts(("1", "A", "P", 1.0, 0.5), ("2", "B", "P", 2.0, 0.5), reference="P", lower_is_better=True)
    table = network.fit(net).league()
    assert table.drop_duplicates("row")["row"].tolist() == ["P", "A", "B"]
    assert table["ci_lower"].isna().all()
    assert network.fit(net).league("common").drop_duplicates("row")["row"].tolist() == ["P", "A", "B"]


STAR = [(f"{t}{i}", t, "P", i - 0.5 + shift, 0.5) for shift, t in enumerate("ABC") for i in range(2)]


def test_a_value_of_tau2_stands_in_for_an_estimate() -> None:
    net = contrasts(*STAR)
    fits = network.fit(net, tau2=0.09), network.fit(net, tau=0.3)
    np.testing.assert_allclose(*(fit.relative_effects()["std_error"] for fit in fits), rtol=1e-14)
    assert fits[0].heterogeneity()["method"].iloc[1] == "given"
    with pytest.raises(CallError, match="tau2 is a variance"):
        network.fit(net, tau2=-1.0)


def test_the_precision_of_the_hierarchy_stands_among_the_statistics() -> None:
    net = contrasts(*STAR, lower_is_better=True)
    fit = network.fit(net)
    table = fit.fit_statistics().query("quantity == 'POTH'").set_index("model")["value"]
    for model, rows in fit.ranking().groupby("model"):
        score = rows["p_score"].to_numpy(dtype=float)
        count = len(score)
        # Wigle et al. 2025: variance of the scores over that of a certain order.
        certain = np.var(np.arange(count) / (count - 1))
        assert table[model] == pytest.approx(np.var(score) / certain, rel=1e-12)
    assert "POTH" not in set(network.fit(contrasts(*STAR)).fit_statistics()["quantity"])


def test_back_calculation_says_what_van_valkenhoefs_rule_would_not_split() -> None:
    # One four-arm study and one of A against B: only A and B have indirect evidence of another study.
    arms = pd.DataFrame({"study": "S1", "treatment": list("ABCD"), "y": [0.0, 1.0, 2.0, 3.5], "v": 0.1})
    two = pd.DataFrame({"study": "S2", "treatment": list("AB"), "y": [0.0, 3.0], "v": 0.1})
    net = network.from_arms(pd.concat([arms, two]))
    table = network.fit(net).node_splits().query("model == 'common'").set_index("component")
    dependent = "the only indirect evidence comes from the multi-arm studies that compare them directly"
    assert table.loc["C:A", "note"] == dependent
    assert np.isfinite(table.loc["C:A", "difference"])


def test_indirect_evidence_without_weight_is_not_called_none() -> None:
    net = contrasts(("1", "A", "B", 1.0, 1e-8), ("2", "A", "C", 2.0, 1e8), ("3", "B", "C", 1.0, 1e-8))
    table = network.fit(net).node_splits().query("model == 'common'").set_index("component")
    assert table.loc["B:A", "note"] == "the indirect evidence has less than 0.05 % of the weight"
    assert np.isnan(table.loc["B:A", "difference"])
    assert table.loc["C:A", "note"] == ""


def test_leaving_out_a_study_leaves_out_all_its_experiments() -> None:
    rows = [
        ("s1", "e1", "B", "A", 1.0, 0.3), ("s1", "e2", "C", "A", 2.0, 0.4), ("s2", "main", "B", "A", 0.5, 0.3),
        ("s3", "main", "C", "B", 0.8, 0.3), ("s4", "main", "C", "A", 1.2, 0.5),
    ]  # fmt: skip
    columns = ["study", "experiment", "treatment_a", "treatment_b", "estimate", "std_error"]
    table = pd.DataFrame(rows, columns=columns)
    found = {}
    for engine in ("frequentist", "exact"):
        net = network.from_contrasts(table, reference="A")
        left = network.fit(net, engine=engine, model="common").leave_one_out()
        found[engine] = left[["study", "treatment", "versus"]]
        rest = network.from_contrasts(table[table["study"] != "s1"], reference="A")
        again = network.fit(rest, engine=engine, model="common").relative_effects()
        np.testing.assert_allclose(
            left.query("study == 's1'")["estimate"].astype(float), again["estimate"], rtol=1e-2, atol=1e-3
        )
    assert found["frequentist"].equals(found["exact"])
    assert sorted(set(found["exact"]["study"])) == ["s1", "s2", "s3", "s4"]


def test_one_degree_of_freedom_gives_no_prediction_interval() -> None:
    rows = [("s1", "B", "A", 1.0, 0.3), ("s2", "B", "A", 0.0, 0.3)]
    columns = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    fit = network.fit(network.from_contrasts(pd.DataFrame(rows, columns=columns)), model="random")
    assert fit.relative_effects()[["pi_lower", "pi_upper"]].isna().all(axis=None)
