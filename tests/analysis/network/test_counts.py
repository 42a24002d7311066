"""Counts of arms: the importance sampler against JAGS, brute-force integrals and closed forms; refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from analysis import network
from analysis.network import counts
from analysis.network.counts import posterior as counts_posterior
from analysis.network.model.draws import generalised_pareto, pareto_smoothed
from analysis.network.model.integrals import CountsModel, root_of_correlation
from analysis.network.model.likelihood import LIKELIHOODS, arm_predictors, choose, consistency, read_counts
from evidence.errors import CallError, RefusedError

PINNED = json.loads(
    (Path(__file__).parents[2] / "oracles" / "network_counts.json").read_text(encoding="utf-8")
)["networks"]
OPEN = ["smoking", "dietaryfat", "certolizumab", "diabetes", "pagliaro1992", "baker2009", "atrialfib"]
VAGUE = {"effect_prior_sd": 100.0, "baseline_prior": (0.0, 100.0)}


def network_of(arms, measure, reference=None, **fields):
    """A network from counts; half an event where a study has an empty cell."""
    frame = pd.DataFrame(arms)
    size = frame["exposure"] if measure == "IRR" else frame["n"]
    empty = (frame["events"] == 0) | ((frame["events"] == size) & (measure != "IRR"))
    half = 0.5 * frame["study"].isin(frame["study"][empty])
    y = frame["events"] + half
    if measure == "IRR":
        frame["y"], frame["v"] = np.log(y / size), 1 / y
    elif measure == "RR":
        frame["y"], frame["v"] = np.log(y / (size + half)), 1 / y - 1 / (size + 2 * half)
    else:
        rest = size + 2 * half - y
        frame["y"], frame["v"] = np.log(y / rest), 1 / y + 1 / rest
    return network.from_arms(
        frame, measure=measure, reference=reference, **({"lower_is_better": False} | fields)
    )


def arms_of(rows, size="n"):
    return pd.DataFrame(rows, columns=["study", "treatment", "events", size])


def check_against_chains(fit, model, expected, tau_usable=True, errors=3.0):
    """Within three (or so many) Monte Carlo errors of both; those of quantiles from the spacing of the chains' draws."""
    basic = expected["basic"]
    found = fit.relative_effects(list(zip(basic["treatment"], basic["versus"])))
    sd, ess, own = np.array(basic["sd"]), np.array(basic["ess"]), fit.posteriors[model].effective
    both = 1.0 / ess + 1.0 / own
    assert (np.abs(found["estimate"] - basic["mean"]) / sd < errors * np.sqrt(both)).all()
    assert (np.abs(found["std_error"] / sd - 1.0) < errors * np.sqrt(2.0 * both)).all()
    for column, name in (("ci_lower", "q2.5"), ("ci_upper", "q97.5")):
        # Effects are skewed where events are few: their tails are up to twice as thin as a normal's.
        error = np.sqrt(0.025 * 0.975 * both) / (0.5 * stats.norm.pdf(1.96))
        assert (np.abs(found[column] - basic[name]) / sd < errors * error).all()
    scores = fit.ranking().set_index("treatment")["sucra"]
    for treatment, score in expected["sucra"].items():
        assert abs(scores[treatment] - score) < errors * 0.5 * np.sqrt(both.max()) + 1e-4
    statistics = fit.fit_statistics()
    totals = statistics[statistics["study"].isna()].set_index("quantity")["value"]
    for name in ("Dbar", "pD", "DIC"):
        # The deviance varies by sqrt(2 pD); chains mix it no better than the effects.
        error = np.sqrt(2.0 * expected["dic"]["pD"] * both.max())
        assert abs(totals[name] - expected["dic"][name]) < errors * error
    if model == "random" and tau_usable:
        tau, about = fit.tau(model), expected["tau"]
        error = np.sqrt(1.0 / about["ess"] + 1.0 / own)
        assert abs(tau.mean - about["mean"]) / about["sd"] < errors * error
        assert abs(tau.sd / about["sd"] - 1.0) < errors * np.sqrt(2.0) * error
        for value, name, p in (
            (tau.lower, "q2.5", 0.025),
            (tau.median, "q50", 0.5),
            (tau.upper, "q97.5", 0.975),
        ):
            spread = np.sqrt(p * (1 - p)) / (0.5 * stats.norm.pdf(stats.norm.ppf(p)))
            assert abs(value - about[name]) / about["sd"] < errors * spread * error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name, one in PINNED.items() for model in one["models"]]
)
def test_agrees_with_jags(name, model):
    about = PINNED[name]
    net = network_of(about["arms"], about["measure"], about["reference"])
    fit = counts.fit(net, model=model, tau_prior="uniform(0, 5)", **VAGUE)
    assert fit.posteriors[model].trusted
    check_against_chains(fit, model, about["models"][model])
    if model == "random":
        prediction = about["models"]["random"]["prediction"]
        found = fit.relative_effects([(t, about["reference"]) for t in prediction["treatment"]])
        width = found["pi_upper"] - found["pi_lower"]
        assert (np.abs(found["pi_lower"] - prediction["q2.5"]) / width < 0.05).all()
        assert (np.abs(found["pi_upper"] - prediction["q97.5"]) / width < 0.05).all()


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("name", OPEN)
def test_agrees_with_jags_on_open_networks(oracle_directory, oracle, name):
    meta = json.loads((oracle_directory / "data" / f"{name}.meta.json").read_text(encoding="utf-8"))
    arms = pd.read_csv(oracle_directory / "data" / f"{name}.csv").rename(columns={"responders": "events"})
    arms = arms.astype({"study": str, "treatment": str})
    net = network_of(arms, meta["effect_measure"], meta["reference"])
    for key, model in (("fe", "common"), ("re", "random")):
        if key in oracle(name)["bayes_jags"]:
            expected = oracle(name)["bayes_jags"][key]
            expected["sucra"] = expected["ranking"]["large_values_good"]["sucra"]
            fit = counts.fit(net, model=model, tau_prior="uniform(0, 5)", **VAGUE)
            # These chains linger near tau = 0 (lower quantile .001 for .004, and .017 for .035): their own
            # Monte Carlo errors are too small, and effects follow tau. NUTS agrees with the quadrature.
            lingering = name in ("baker2009", "atrialfib")
            check_against_chains(
                fit, model, expected, tau_usable=not lingering, errors=4.5 if lingering else 3.0
            )


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize(
    ("key", "model"), [("consistency_fe_default", "common"), ("consistency_re_default", "random")]
)
def test_default_priors_give_what_gemtc_gives(oracle, key, model):
    """gemtc's own scale of its default priors, effects, SUCRA and DIC on smoking."""
    about, expected = PINNED["smoking"], oracle("smoking")["bayes_gemtc"][key]
    fit = counts.fit(network_of(about["arms"], "OR", about["reference"]), model=model)
    assert fit.specification.prior.upper == pytest.approx(expected["om_scale"], rel=1e-9)
    assert fit.specification.effect_sd == pytest.approx(15 * expected["om_scale"], rel=1e-9)
    wanted = expected["vs_reference"]
    pairs = [(label.split(".")[-1], label.split(".")[1]) for label in wanted["parameter"]]
    found = fit.relative_effects(pairs)
    sd, ess = np.array(wanted["sd"]), np.array(wanted["ess"])
    error = np.sqrt(1 / ess + 1 / fit.posteriors[model].effective)
    assert (np.abs(found["estimate"] - wanted["mean"]) / sd < 3 * error).all()
    assert (np.abs(found["std_error"] / sd - 1) < 3 * np.sqrt(2) * error).all()
    totals = fit.fit_statistics().query("study.isna()").set_index("quantity")["value"]
    for name in ("Dbar", "pD", "DIC"):
        assert abs(totals[name] - expected[name]) < 3 * np.sqrt(2 * expected["pD"]) * error.max()
    scores = fit.ranking().set_index("treatment")["sucra"]
    assert (scores - pd.Series(expected["sucra_preferred1"])).abs().max() < 1.5 * error.max()
    table = expected["rank_prob_preferred1"]
    ranks = fit.rank_probabilities().pivot(index="treatment", columns="rank", values="probability")
    assert np.abs(ranks.loc[table["rows"]].to_numpy() - np.array(table["values"])).max() < 1.5 * error.max()


@pytest.mark.parametrize("one", LIKELIHOODS, ids=lambda one: f"{one.distribution}-{one.link}")
def test_likelihoods_against_scipy(one):
    y, size = np.array([0.0, 3.0, 7.0]), np.array([10.0, 10.0, 12.0])
    eta = np.array([-2.5, -0.7, -0.2])
    inverse = {
        "logit": lambda e: 1 / (1 + np.exp(-e)),
        "log": np.exp,
        "cloglog": lambda e: -np.expm1(-np.exp(e)),
    }
    mean = inverse[one.link](eta)
    if one.distribution == "poisson":
        reference = stats.poisson.logpmf(y, size * mean)
    else:
        reference = stats.binom.logpmf(y, size, mean)
    np.testing.assert_allclose(one.log_density(y, size, eta) + one.constant(y, size), reference, rtol=1e-11)
    step = 1e-4
    up, down = (one.log_density(y, size, eta + move) for move in (step, -step))
    score, curvature = one.derivatives(y, size, eta)
    np.testing.assert_allclose(score, (up - down) / (2 * step), rtol=1e-5, atol=1e-6)
    both = [one.derivatives(y, size, eta + move)[0] for move in (step, -step)]
    np.testing.assert_allclose(curvature, (both[1] - both[0]) / (2 * step), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one.fitted(size, eta), size * mean, rtol=1e-12)
    np.testing.assert_allclose(one.fitted(size[1:], one.predictor(y[1:], size[1:])), y[1:], rtol=1e-12)
    deviance = 2 * (one.saturated(y, size) - one.log_density(y, size, eta))
    np.testing.assert_allclose(one.deviance(y, size, one.fitted(size, eta)), deviance, rtol=1e-10)


def test_root_of_the_correlation():
    for m in (1, 2, 5):
        root = root_of_correlation(m)
        np.testing.assert_allclose(root @ root, (np.eye(m) + 1) / 2, atol=1e-14)


@pytest.mark.slow
def test_study_integral_against_brute_force():
    net = network_of(arms_of([("1", "A", 0, 20), ("1", "B", 4, 25)]), "OR", "A")
    read = read_counts(net, choose(net))
    design = consistency(read.blocks, 2, 10.0)
    model = CountsModel(read, design, arm_predictors(design), (0.0, 5.0), order=9)
    modes = model.modes(np.array([0.8]))
    ours = model.integrate(modes, np.zeros(1, dtype=int), np.array([[1.3]]), fit=True)

    def weighted(factor):
        def inner(z, mu):
            p = 1 / (1 + np.exp(-np.array([mu, mu + 1.3 + 0.8 * z])))
            like = stats.binom.pmf([0, 4], [20, 25], p).prod()
            return like * np.exp(-0.5 * z * z - 0.5 * (mu / 5) ** 2) / (2 * np.pi * 5) * factor(p)

        return integrate.dblquad(inner, -25, 10, -8, 8, epsabs=1e-12)[0]

    total = weighted(lambda p: 1.0)
    assert ours.log_likelihood[0, 0] == pytest.approx(np.log(total), abs=2e-3)
    assert ours.fitted[0][0, 0, 1] == pytest.approx(weighted(lambda p: 25 * p[1]) / total, rel=2e-3)


@pytest.mark.slow
def test_more_points_are_taken_where_five_are_too_few():
    """Where a control arm has no events, five points bias the upper end of tau; the error found is the true one."""
    about = PINNED["certolizumab"]
    net = network_of(about["arms"], about["measure"], about["reference"])
    fit = counts.fit(net, model="random", tau_prior="uniform(0, 5)", draws=4096, **VAGUE)
    posterior = fit.posteriors["random"]
    assert all(order > 5 for order in posterior.model.orders)
    best = posterior.model.integrate(posterior.modes, posterior.node, posterior.coefficients, orders=[15])

    def spread(orders):
        found = posterior.model.integrate(
            posterior.modes, posterior.node, posterior.coefficients, orders=orders
        )
        error = (best.log_likelihood - found.log_likelihood).sum(1)
        return np.sqrt(posterior.weight @ (error - posterior.weight @ error) ** 2)

    assert spread([5]) > 5e-3
    assert spread(posterior.model.orders) < 2e-3
    assert posterior.integration_error == pytest.approx(spread(posterior.model.orders), rel=0.7)
    smoking = PINNED["smoking"]
    easy = counts.fit(network_of(smoking["arms"], "OR", smoking["reference"]), model="random", draws=256)
    assert easy.posteriors["random"].model.orders == (5, 4)


@pytest.mark.slow
def test_many_events_are_nearly_normal():
    """With thousands of events the exact engine for normal effects gives the same answer."""
    rng = np.random.default_rng(5)
    rows = []
    for study in range(12):
        base = rng.normal(-0.5, 0.3)
        for t in {0: "AB", 1: "AC", 2: "BC", 3: "ABC"}[study % 4]:
            p = 1 / (1 + np.exp(-(base + {"A": 0, "B": 0.4, "C": 0.9}[t] + rng.normal(0, 0.1))))
            rows.append((str(study), t, rng.binomial(20_000, p), 20_000))
    net = network_of(arms_of(rows), "OR", "A")
    same = {"tau_prior": "half-normal(0.5)", "effect_prior_sd": 10.0}
    ours = network.fit(net, engine="counts", baseline_prior=(0, 100), **same)
    theirs = network.fit(net, engine="exact", **same)
    a, b = (fit.estimates().query("model == 'random'") for fit in (ours, theirs))
    assert a[["model", "treatment", "versus"]].equals(b[["model", "treatment", "versus"]])
    for name, tolerance in (("estimate", 0.02), ("ci_lower", 0.08), ("ci_upper", 0.08), ("pi_lower", 0.15)):
        gap = (a[name] - b[name]).abs() / b["std_error"]
        assert gap.dropna().max() < tolerance
    tau = [fit.heterogeneity().set_index("model").loc["random"] for fit in (ours, theirs)]
    np.testing.assert_allclose(
        tau[0][["tau", "tau_lower", "tau_upper"]].astype(float),
        tau[1][["tau", "tau_lower", "tau_upper"]].astype(float),
        rtol=5e-3,
    )
    # What is left out by weighting anew is what a fit to the rest finds.
    left = ours.leave_one_out().query("study == '3' and model == 'random'")
    rest = network_of(arms_of([row for row in rows if row[0] != "3"]), "OR", "A")
    again = counts.fit(rest, model="random", baseline_prior=(0, 100), **same)
    effects = again.relative_effects()
    assert (np.abs(left["estimate"].to_numpy() - effects["estimate"]) / effects["std_error"] < 0.05).all()
    assert left["tau"].iloc[0] == pytest.approx(again.tau("random").median, rel=0.02)
    weights = ours.weights().query("model == 'random'").groupby("treatment")["weight"].sum()
    np.testing.assert_allclose(weights, 1.0, atol=0.01)


def test_leave_one_out_fits_again_where_weights_fail():
    about = PINNED["certolizumab"]
    net = network_of(about["arms"], about["measure"], about["reference"])
    fit = counts.fit(net, model="common", effect_prior_sd=10.0, draws=1024)
    left = fit.leave_one_out()
    assert set(left["study"]) == {study for study, _ in net.studies}
    alone = left[left["note"].notna()]
    assert alone["estimate"].isna().all()
    assert (left["estimate"].notna() | left["note"].notna()).all()


def test_unit_of_exposure_and_names_do_not_matter():
    about = PINNED["dietaryfat"]
    arms = pd.DataFrame(about["arms"])
    first = counts.fit(network_of(arms, "IRR", "1"), model="random", draws=1024)
    changed = arms.assign(exposure=arms["exposure"] * 1e3).iloc[::-1]
    second = counts.fit(network_of(changed, "IRR", "1"), model="random", draws=1024)
    a, b = first.estimates(), second.estimates()
    np.testing.assert_allclose(a["estimate"], b["estimate"], rtol=1e-6)
    np.testing.assert_allclose(a["std_error"], b["std_error"], rtol=1e-6)
    again = counts.fit(network_of(arms, "IRR", "1"), model="random", draws=1024)
    pd.testing.assert_frame_equal(first.estimates(), again.estimates(), check_exact=True)


def test_links_and_measures():
    arms = arms_of([("1", "A", 20, 100), ("1", "B", 35, 100), ("2", "A", 11, 60), ("2", "B", 22, 65)])
    results = {}
    for measure, link in (("OR", None), ("RR", None), ("OR", "cloglog")):
        fit = counts.fit(
            network_of(arms, measure, "A"), link=link, model="common", effect_prior_sd=10.0, draws=1024
        )
        results[fit.network.measure] = float(fit.relative_effects()["estimate"].iloc[0])
    # Of one risk against another: odds ratio > hazard ratio > risk ratio, each near its crude value.
    assert results["OR"] > results["HR"] > results["RR"] > 0
    assert results["RR"] == pytest.approx(np.log((57 / 165) / (31 / 160)), abs=0.05)
    net = network_of(arms, "OR", "A")
    with pytest.raises(CallError, match="OR: binomial, logit link"):
        counts.fit(net, likelihood="poisson")
    with pytest.raises(RefusedError, match="no likelihood here whose effects are MD"):
        counts.fit(
            network.from_contrasts(
                pd.DataFrame(
                    {
                        "study": ["1"],
                        "treatment_a": ["A"],
                        "treatment_b": ["B"],
                        "estimate": [1.0],
                        "std_error": [0.2],
                    }
                )
            )
        )
    with pytest.raises(RefusedError, match="needs events and n of every arm"):
        counts.fit(
            network.from_contrasts(
                pd.DataFrame(
                    {
                        "study": ["1"],
                        "treatment_a": ["A"],
                        "treatment_b": ["B"],
                        "estimate": [1.0],
                        "std_error": [0.2],
                    }
                ),
                measure="OR",
            )
        )
    with pytest.raises(CallError, match="finite standard deviation"):
        counts.fit(net, effect_prior_sd=np.inf)


def test_impossible_counts_are_named_all_at_once():
    arms = arms_of([("1", "A", 20, 100), ("1", "B", 35, 100), ("2", "A", 11, 60), ("2", "B", 22, 65)])
    net = network_of(arms, "RR", "A")
    net.arms[0].events[0, 1], net.arms[0].events[1, 0] = 100, -1
    with pytest.raises(RefusedError) as caught:
        counts.fit(net)
    assert [problem.study for problem in caught.value.problems] == ["1", "2"]


def test_a_treatment_reached_by_a_silent_study_only_is_driven_by_the_prior():
    rows = [("1", "A", 20, 100), ("1", "B", 35, 100), ("2", "A", 11, 60), ("2", "B", 22, 65)]
    net = network_of(arms_of([*rows, ("3", "A", 0, 30), ("3", "C", 0, 31)]), "OR", "A")
    fit = counts.fit(net, effect_prior_sd=10.0)
    effects = fit.estimates().set_index(["model", "treatment", "versus"])
    assert effects.loc[("random", "C", "A"), ["estimate", "std_error", "ci_lower", "pi_upper"]].isna().all()
    assert np.isfinite(effects.loc[("random", "B", "A"), "estimate"])
    told = " ".join(fit.notes()["message"])
    assert "driven by the prior: the data do not determine the effect of C against A" in told
    assert "had the event: 3." in told
    assert "link C to A" in told
    ranking = fit.ranking()
    assert set(ranking["treatment"]) == {"A", "B"}
    # Of two ranked treatments the SUCRA is the probability of being better at all.
    better = fit.superiority(0.0)
    assert set(better["treatment"]) | set(better["versus"]) == {"A", "B"}
    keys = ["model", "treatment"]
    pairs = better.merge(ranking, on=keys)
    np.testing.assert_allclose(pairs["probability"], pairs["sucra"].astype(float), atol=1e-9)
    assert (fit.superiority(1.0)["probability"] <= better["probability"]).all()


def test_separated_networks_are_named_not_numbered():
    rows = [("1", "A", 20, 100), ("1", "B", 35, 100), ("2", "A", 5, 100), ("2", "C", 0, 100)]
    fit = counts.fit(network_of(arms_of(rows), "OR", "A"), model="random", tau_prior="uniform(0, 2)", **VAGUE)
    assert fit.driven("random") == ["C"]
    assert fit.relative_effects([("C", "B")])["estimate"].isna().all()
    narrow = counts.fit(
        network_of(arms_of(rows), "OR", "A"), model="random", tau_prior="uniform(0, 2)", effect_prior_sd=2.5
    )
    assert np.isfinite(narrow.relative_effects()["estimate"]).all()


def test_weights_beyond_trust_are_refused(monkeypatch):
    monkeypatch.setattr(counts_posterior, "LARGEST_SHAPE", -10.0)
    rows = [("1", "A", 20, 100), ("1", "B", 35, 100), ("2", "A", 11, 60), ("2", "B", 22, 65)]
    with pytest.raises(RefusedError, match=r"Pareto k-hat .* engine mcmc"):
        counts.fit(network_of(arms_of(rows), "OR", "A"), model="common", draws=256)


def test_four_arms_two_treatments_and_a_single_study():
    rows = [("1", t, events, 80) for t, events in zip("ABCD", (10, 20, 15, 30))]
    four = counts.fit(network_of(arms_of(rows), "OR", "A"), model="common", effect_prior_sd=10.0)
    crude = [np.log(e / (80 - e)) - np.log(10 / 70) for e in (20, 15, 30)]
    np.testing.assert_allclose(four.relative_effects()["estimate"], crude, atol=0.06)
    two = counts.fit(
        network_of(arms_of(rows[:2]), "OR", "A"), effect_prior_sd=10.0, tau_prior="half-normal(1)"
    )
    assert len(two.estimates()) == 2
    assert two.league()["row"].tolist() == ["B", "A"]


def test_node_splits_and_unrelated_mean_effects():
    about = PINNED["smoking"]
    net = network_of(about["arms"], about["measure"], about["reference"])
    fit = counts.fit(net, model="common", draws=1024, **VAGUE)
    splits = fit.node_splits()
    assert len(splits) == 6
    gap = splits["direct"] - splits["indirect"] - splits["difference"]
    assert np.nanmax(np.abs(gap.astype(float))) < 1e-10


@pytest.mark.slow
def test_unrelated_mean_effects_agree_with_jags():
    about, expected = PINNED["smoking"], PINNED["smoking"]["unrelated_mean_effects"]
    net = network_of(about["arms"], about["measure"], about["reference"])
    fit = counts.fit(net, model="random", tau_prior="uniform(0, 5)", **VAGUE)
    rows = fit.inconsistency()
    note = rows["note"].iloc[0]
    dic = float(note.split(" without")[0].split(", ")[1])
    tau = float(note.split(" with consistency, ")[2].split(" without")[0])
    assert dic == pytest.approx(expected["DIC"], abs=0.5)
    assert tau == pytest.approx(expected["tau_median"], abs=0.015)
    found = rows.iloc[1:].set_index(["treatment", "versus"])
    for treatment, versus, mean, sd, ess in zip(
        *(expected[name] for name in ("treatment", "versus", "mean", "sd", "ess")), strict=True
    ):
        own = found.loc[(treatment, versus)]
        error = np.sqrt(1 / ess + 1 / 4000)
        assert abs(own["direct"] - mean) / sd < 3 * error
        assert abs(own["direct_std_error"] / sd - 1) < 3 * np.sqrt(2) * error


def test_pareto_smoothing():
    rng = np.random.default_rng(2)
    for shape in (0.2, 0.7):
        sample = np.sort(stats.genpareto.rvs(shape, size=4000, random_state=rng))
        assert generalised_pareto(sample)[0] == pytest.approx(shape, abs=0.06)
    weight, shape = pareto_smoothed(np.zeros(500))
    assert shape == -np.inf
    np.testing.assert_allclose(weight, 1 / 500)
    weight, shape = pareto_smoothed(np.array([0.0, np.nan]))
    assert shape == np.inf
    arviz = pytest.importorskip("arviz")
    if not hasattr(arviz, "psislw"):
        pytest.skip("not in this version: psislw")
    log_weight = stats.t.rvs(4, size=3000, random_state=rng)
    smoothed, k = arviz.psislw(log_weight.copy())
    weight, shape = pareto_smoothed(log_weight)
    assert shape == pytest.approx(float(k), abs=1e-6)
    np.testing.assert_allclose(np.log(weight), np.asarray(smoothed), atol=1e-6)


def test_integrals_that_are_found_in_chunks_give_the_tables_of_those_that_are_kept(monkeypatch):
    """Of many studies nothing is kept of every draw but its weight; of few everything is."""
    rng = np.random.default_rng(3)
    rows = [
        (f"s{s % 12}", f"e{s}", t, int(rng.binomial(60, 0.2 + 0.1 * (t == "b"))), 60)
        for s in range(13)
        for t in (("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c"))[s % 4]
    ]
    arms = pd.DataFrame(rows, columns=["study", "experiment", "treatment", "events", "n"])
    arms["y"] = np.log((arms["events"] + 0.5) / (arms["n"] - arms["events"] + 0.5))
    arms["v"] = 1 / (arms["events"] + 0.5) + 1 / (arms["n"] - arms["events"] + 0.5)
    net = network.from_arms(arms, measure="OR", reference="a", lower_is_better=True)
    kept = counts.fit(net, draws=512)
    monkeypatch.setattr("analysis.network.counts.posterior.KEPT", 0)
    monkeypatch.setattr("analysis.network.model.integrals._AT_ONCE", 20_000)
    chunked = counts.fit(net, draws=512)
    assert kept.posteriors["random"].integrals is not None
    assert chunked.posteriors["random"].integrals is None
    for table in ("estimates", "fit_statistics", "leave_one_out", "diagnostics"):
        pd.testing.assert_frame_equal(getattr(kept, table)(), getattr(chunked, table)(), rtol=1e-9, atol=1e-9)
