"""The exact engine against a quadrature written apart from it, JAGS and gemtc."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.network import exact, from_contrasts
from analysis.network.data.deletion import cut_off, study_numbers
from analysis.network.exact.influence import Influence
from analysis.network.exact.splitting import node_split, refitted_split
from analysis.network.model.priors import HalfNormal, Prior, Uniform

ORACLES = Path(__file__).parents[2] / "oracles"
PINNED = json.loads((ORACLES / "network_exact.json").read_text(encoding="utf-8"))["networks"]
NETWORKS = json.loads((ORACLES / "network_netmeta.json").read_text(encoding="utf-8"))["networks"]

OPEN = [
    "atrialfib", "baker2009", "certolizumab", "diabetes", "dietaryfat", "eae_mouse", "franchini2012",
    "gurusamy2011", "hong2015", "linde2016", "pagliaro1992", "schwingshackl2014", "senn2013", "smoking",
]  # fmt: skip
NORMAL = ["franchini2012", "schwingshackl2014", "senn2013"]
PAIRWISE = [
    "bcg", "curtis1998", "eklof2012", "karner2014", "nielweise2007", "nielweise2008", "normand1999", "raudenbush1985",
    "statins", "eae_pairwise",
]  # fmt: skip
QUANTILES = {"q2.5": 0.025, "q50": 0.5, "q97.5": 0.975}
CLOSE = 1e-6


def pinned_network(name):
    about = NETWORKS[name]
    # The reference ranks are those with the lowest value as the best.
    return from_contrasts(
        pd.DataFrame(about["contrasts"]), reference=about["reference"], lower_is_better=True
    )


def open_network(directory, name):
    meta = json.loads((directory / "data" / f"{name}.meta.json").read_text(encoding="utf-8"))
    contrasts = pd.read_csv(directory / "data" / f"{name}.contrasts.csv")
    # The reference sorts names as in a dictionary, capitals or not: a name that the two orders place differently
    # would be another base arm in the unrelated mean effects model.
    contrasts = contrasts.replace({"rMAO-A": "RMAO-A"})
    return from_contrasts(contrasts, reference=meta["reference"], lower_is_better=True)


def prior_of(text: str) -> Prior:
    """The reference's wording: Uniform(0, 5); half-normal(scale 1), truncated at 5."""
    if text.startswith("Uniform"):
        return Uniform(upper=float(text.split(",")[1].rstrip(")")))
    return HalfNormal(scale=float(text.split("scale ")[1].split(")")[0]), upper=float(text.split()[-1]))


def renamed(name: str) -> str:
    return name.replace("rMAO-A", "RMAO-A")


def indices(net, treatments, versus):
    place = {name: t for t, name in enumerate(net.treatments)}
    return (
        np.array([place[renamed(t)] for t in treatments]),
        np.array([place[renamed(v)] for v in versus]),
    )


def check_effects(effects, predictive, expected):
    sd = np.array(expected["sd"])
    assert np.max(np.abs(effects.mean - expected["mean"]) / sd) < CLOSE
    assert np.max(np.abs(effects.sd / sd - 1)) < CLOSE
    for name, p in QUANTILES.items():
        if name in expected:
            assert np.max(np.abs(effects.quantile([p])[:, 0] - expected[name]) / sd) < CLOSE
    if "p_lt0" in expected:
        assert np.max(np.abs(effects.probability_below(0.0) - expected["p_lt0"])) < CLOSE
    for name, p in (("pred_q2.5", 0.025), ("pred_q97.5", 0.975)):
        if name in expected:
            assert np.max(np.abs(predictive.quantile([p])[:, 0] - expected[name]) / sd) < CLOSE


def check_random(net, expected):
    prior = prior_of(expected["prior_tau"])
    fit = exact.fit(net, model="random", tau_prior=prior, effect_prior_sd=100.0)
    posterior = fit.posteriors["random"]
    assert posterior.error < 1e-8
    tau = posterior.heterogeneity
    assert abs(tau.mean - expected["tau"]["mean"]) < CLOSE * expected["tau"]["sd"]
    assert abs(tau.sd / expected["tau"]["sd"] - 1) < CLOSE
    # The reference does not renormalise a prior that it cuts off.
    cut = np.log(prior.uncut_probability(prior.upper)) if isinstance(prior, HalfNormal) else 0.0
    # On curtis1998 the reference's own evidence is off by 1.4e-8 (Simpson's rule on 200,001 points agrees with us).
    assert abs(posterior.log_evidence + cut - expected["tau"]["log_marginal_likelihood"]) < 1e-7
    if "basic" in expected:
        pairs = indices(net, expected["basic"]["treatment"], expected["basic"]["versus"])
        check_effects(
            fit.effect("random", *pairs), fit.effect("random", *pairs, predictive=True), expected["basic"]
        )
    if "other_pairs" in expected:
        pairs = indices(net, expected["other_pairs"]["t2"], expected["other_pairs"]["t1"])
        check_effects(
            fit.effect("random", *pairs),
            fit.effect("random", *pairs, predictive=True),
            expected["other_pairs"],
        )
    if "sucra_small_good" in expected:
        ranks = fit.ranking().set_index("treatment")
        wanted = {renamed(name): value for name, value in expected["sucra_small_good"].items()}
        assert np.max(np.abs(ranks["sucra"] - pd.Series(wanted))) < CLOSE
    return fit


def check_common(net, expected):
    fit = exact.fit(net, model="common", effect_prior_sd=100.0)
    pairs = indices(net, expected["basic"]["treatment"], expected["basic"]["versus"])
    effects = fit.effect("common", *pairs)
    check_effects(effects, effects, expected["basic"])
    statistics = fit.fit_statistics().set_index(["study", "quantity"])["value"]
    statistics = {q: value for (study, q), value in statistics.items() if pd.isna(study)}
    for quantity in ("Dbar", "pD", "DIC"):
        assert statistics[quantity] == pytest.approx(expected[quantity], abs=1e-6)


def check_unrelated(net, expected):
    fit = exact.fit(net, model="random", tau_prior=prior_of(expected["prior_tau"]), effect_prior_sd=100.0)
    pairs, posteriors = fit.unrelated_mean_effects
    posterior = posteriors["random"]
    tau = posterior.heterogeneity
    assert abs(tau.mean - expected["tau"]["mean"]) < CLOSE * expected["tau"]["sd"]
    assert abs(posterior.log_evidence - expected["tau"]["log_marginal_likelihood"]) < 1e-8
    effects = posterior.effects(np.eye(len(pairs)))
    basic = expected["basic"]
    assert len(basic["treatment"]) == len(pairs)
    for label, mean, sd in zip(basic["treatment"], basic["mean"], basic["sd"]):
        treatment, versus = indices(net, *([part] for part in label.split(" vs ")))
        found = np.flatnonzero((pairs == [versus[0], treatment[0]]).all(1))
        turned = np.flatnonzero((pairs == [treatment[0], versus[0]]).all(1))
        i, sign = (found[0], 1.0) if len(found) else (turned[0], -1.0)
        assert abs(sign * effects.mean[i] - mean) < CLOSE * sd
        assert abs(effects.sd[i] / sd - 1) < CLOSE


def check_splits(net, prior, expected):
    fit = exact.fit(net, model="random", tau_prior=prior, effect_prior_sd=100.0)
    splits = dict(fit.splits["random"])
    for label, values in expected.items():
        treatment, versus = indices(net, *([part] for part in label.split(" vs ")))
        pair = int(versus[0]), int(treatment[0])
        # The reference also splits comparisons whose indirect evidence comes from the same multi-arm studies.
        split = splits.pop(pair, None) or node_split(fit.posteriors["random"], pair, 100.0)
        omega = split.difference
        assert abs(omega.mean - values["mean"]) < CLOSE * values["sd"]
        assert abs(omega.sd / values["sd"] - 1) < CLOSE
        for name, p in QUANTILES.items():
            assert abs(omega.quantile([p])[0] - values[name]) < CLOSE * values["sd"]
        assert abs(omega.tail_probability() - values["p_two_sided"]) < CLOSE
        assert abs(split.tau - values["tau_mean"]) < CLOSE * values["tau_mean"]
    assert not splits


@pytest.mark.parametrize("name", PINNED)
def test_random_effects_as_pinned(name):
    net = pinned_network(name)
    for model in ("re_uniform", "re_halfnormal1"):
        check_random(net, PINNED[name]["quadrature"][model])


@pytest.mark.parametrize("name", PINNED)
def test_common_effect_and_dic_as_pinned(name):
    check_common(pinned_network(name), PINNED[name]["quadrature"]["fe"])


@pytest.mark.parametrize("name", PINNED)
def test_unrelated_mean_effects_as_pinned(name):
    check_unrelated(pinned_network(name), PINNED[name]["quadrature"]["ume"])


@pytest.mark.parametrize("name", PINNED)
def test_node_splits_as_pinned(name):
    reference = PINNED[name]["quadrature"]
    check_splits(
        pinned_network(name), prior_of(reference["re_uniform"]["prior_tau"]), reference["node_splits"]
    )


@pytest.mark.oracle
@pytest.mark.parametrize("name", OPEN)
def test_every_open_network(oracle_directory, oracle, name):
    net = open_network(oracle_directory, name)
    reference = oracle(name)["bayes_exact_contrast_level"]
    for model in ("re_uniform", "re_halfnormal1"):
        check_random(net, reference[model])
    check_common(net, reference["fe"])
    check_unrelated(net, {**reference["ume_re_uniform"]})
    if "nodesplit_omega" in reference:
        omegas = {
            label: {**split["omega"], "p_two_sided": split["p_two_sided"], "tau_mean": split["tau_mean"]}
            for label, split in reference["nodesplit_omega"].items()
        }
        check_splits(net, prior_of(reference["re_uniform"]["prior_tau"]), omegas)


@pytest.mark.oracle
@pytest.mark.parametrize("name", PAIRWISE)
def test_every_open_pairwise_set_is_a_network_of_two(oracle, name):
    reference = oracle(name)
    found = reference["bayes_exact_contrast_level"]
    measure = found["input"].split("measures$")[1].split()[0]
    studies = reference["pairwise"]["measures"][measure]
    y, v = (np.array([np.nan if x is None else x for x in studies[c]], dtype=float) for c in ("yi", "vi"))
    kept = np.isfinite(y) & np.isfinite(v)
    contrasts = pd.DataFrame(
        {
            "study": [f"study {i}" for i in np.flatnonzero(kept)],
            "treatment1": "pooled",
            "treatment2": "null",
            "te": y[kept],
            "se": np.sqrt(v[kept]),
        }
    )
    net = from_contrasts(contrasts, reference="null", lower_is_better=True)
    for model in ("re_uniform", "re_halfnormal1", "re_halfnormal05"):
        check_random(net, found[model])
    check_common(net, found["fe"])


def check_against_jags(net, reference):
    """Hold every number to three Monte Carlo errors; for sds and quantiles these follow from the effective draws."""
    fit = exact.fit(net, model="random", tau_prior=prior_of(reference["prior"]), effect_prior_sd=100.0)
    basic = reference["basic"]
    pairs = indices(net, basic["treatment"], basic["versus"])
    effects, ess = fit.effect("random", *pairs), np.array(basic["ess"])
    z = [(effects.mean - basic["mean"]) / basic["mcse"]]
    z.append((effects.sd - basic["sd"]) / (effects.sd / np.sqrt(2.0 * ess)))
    for name, p in QUANTILES.items():
        x = effects.quantile([p])[:, 0]
        z.append((x - basic[name]) * effects.density(x) / np.sqrt(p * (1.0 - p) / ess))
    predictive = fit.effect("random", *pairs, predictive=True)
    for name, p in QUANTILES.items():
        x = predictive.quantile([p])[:, 0]
        error = np.sqrt(p * (1.0 - p) / ess) / predictive.density(x)
        z.append((x - reference["prediction"][name]) / error)
    tau, about = fit.posteriors["random"].heterogeneity, reference["tau"]
    z.append(np.array([(tau.mean - about["mean"]) / about["mcse"]]))
    z.append(np.array([(tau.sd - about["sd"]) / (tau.sd / np.sqrt(2.0 * about["ess"]))]))
    for name, p in QUANTILES.items():
        x = tau.quantile(p)
        z.append(np.array([(x - about[name]) * tau.density(x) / np.sqrt(p * (1.0 - p) / about["ess"])]))
    ranks = fit.ranking().set_index("treatment")
    sucra = pd.Series(reference["sucra_small_good"])
    z.append((ranks["sucra"] - sucra).to_numpy() / (0.5 / np.sqrt(ess.min())))
    statistics = fit.fit_statistics()
    statistics = statistics[statistics["study"].isna()].set_index("quantity")["value"]
    dic = reference["dic"]
    spread = np.sqrt(2.0 * dic["pV"] / min(about["ess"], ess.min()))
    z.append(np.array([(statistics["Dbar (arms)"] - dic["Dbar"]) / spread]))
    z.append(np.array([(statistics["pD (arms)"] - dic["pD"]) / spread]))
    assert max(np.max(np.abs(part)) for part in z) < 3.0
    return fit


@pytest.mark.parametrize("name", [name for name in PINNED if "jags" in PINNED[name]])
def test_within_three_monte_carlo_errors_of_jags_as_pinned(name):
    reference = PINNED[name]["jags"]
    net = pinned_network(name)
    fit = check_against_jags(net, {**reference, "prior": "Uniform(0, 10)"})
    table = reference["rank_probabilities_small_good"]
    mine = fit.rank_probabilities().pivot(index="treatment", columns="rank", values="probability")
    difference = mine.loc[table["rows"]].to_numpy() - np.array(table["values"])
    # Both are simulated: JAGS's draws are autocorrelated, the exact engine's 20,000 are not.
    assert np.max(np.abs(difference)) < 4 * np.sqrt(0.25 / 20_000 + 0.25 / 10_000)


@pytest.mark.oracle
@pytest.mark.parametrize("name", NORMAL)
def test_within_three_monte_carlo_errors_of_jags(oracle_directory, oracle, name):
    run = oracle(name)["bayes_jags"]["re"]
    reference = {
        "prior": "Uniform(0, 10)",
        "basic": run["basic"],
        "prediction": run["prediction_new_study"],
        "tau": run["tau"],
        "sucra_small_good": run["ranking"]["small_values_good"]["sucra"],
        "dic": run["dic"],
    }
    check_against_jags(open_network(oracle_directory, name), reference)


@pytest.mark.oracle
@pytest.mark.parametrize("name", NORMAL)
def test_common_effect_within_three_monte_carlo_errors_of_jags(oracle_directory, oracle, name):
    run = oracle(name)["bayes_jags"]["fe"]
    fit = exact.fit(open_network(oracle_directory, name), model="common", effect_prior_sd=100.0)
    basic = run["basic"]
    effects = fit.effect("common", *indices(fit.network, basic["treatment"], basic["versus"]))
    ess = np.array(basic["ess"])
    assert np.max(np.abs(effects.mean - basic["mean"]) / basic["mcse"]) < 3
    assert np.max(np.abs(effects.sd / basic["sd"] - 1) * np.sqrt(2 * ess)) < 3
    for quantile, p in QUANTILES.items():
        x = effects.quantile([p])[:, 0]
        error = np.sqrt(p * (1 - p) / ess) / effects.density(x)
        assert np.max(np.abs(x - basic[quantile]) / error) < 3
    sucra = pd.Series(run["ranking"]["small_values_good"]["sucra"])
    assert np.max(np.abs(fit.ranking().set_index("treatment")["sucra"] - sucra)) < 3 * 0.5 / np.sqrt(
        ess.min()
    )
    totals = fit.fit_statistics().query("study.isna()").set_index("quantity")["value"]
    for quantity in ("Dbar", "pD", "DIC"):
        spread = np.sqrt(2 * run["dic"]["pV"] / ess.min())
        assert abs(totals[f"{quantity} (arms)"] - run["dic"][quantity]) < 3 * spread


@pytest.mark.oracle
def test_unrelated_mean_effects_within_three_monte_carlo_errors_of_jags(oracle_directory, oracle):
    run = oracle("franchini2012")["bayes_jags"]["ume_re"]
    net = open_network(oracle_directory, "franchini2012")
    fit = exact.fit(net, model="random", tau_prior="uniform(0, 10)", effect_prior_sd=100.0)
    pairs, posteriors = fit.unrelated_mean_effects
    effects, wanted = posteriors["random"].effects(np.eye(len(pairs))), run["ume_contrasts"]
    assert len(wanted["t1"]) == len(pairs)
    for i, (versus, treatment) in enumerate(zip(*indices(net, wanted["t1"], wanted["t2"]))):
        found = int(np.flatnonzero((pairs == [versus, treatment]).all(1))[0])
        assert abs(effects.mean[found] - wanted["mean"][i]) < 3 * wanted["mcse"][i]
        for name, p in QUANTILES.items():
            x = effects.quantile([p])[found, 0]
            error = np.sqrt(p * (1 - p) / run["tau"]["ess"]) / effects.density(np.full(len(pairs), x))[found]
            assert abs(x - wanted[name][i]) < 3 * error
    tau, about = posteriors["random"].heterogeneity, run["tau"]
    assert abs(tau.mean - about["mean"]) < 3 * about["mcse"]
    number, _ = study_numbers(net)
    deviance, leverage = Influence(posteriors["random"], number).deviance
    dic = deviance.sum() + leverage.sum() + 2 * len(net.studies)  # by arms, with flat baselines
    assert abs(dic - run["dic"]["DIC"]) < 3 * np.sqrt(2 * run["dic"]["pV"] / about["ess"])


def test_default_priors_are_those_of_gemtc():
    reference = PINNED["franchini2012"]["gemtc"]
    fit = exact.fit(pinned_network("franchini2012"), model="random")
    assert isinstance(fit.specification.prior, Uniform)
    assert fit.specification.prior.upper == pytest.approx(reference["om_scale"])
    assert fit.specification.effect_sd == pytest.approx(15 * reference["om_scale"])
    assert "uniform(0, 2.3)" in fit.notes()["message"].str.cat()
    assert (fit.notes()["severity"] == "warning").any()
    basic = reference["vs_reference"]
    names = [label.split(".")[-1] for label in basic["parameter"]]
    effects = fit.effect("random", *indices(fit.network, names, ["Placebo"] * len(names)))
    error = np.array(basic["sd"]) / np.sqrt(basic["ess"])
    # gemtc gives its effects against another reference the same vague prior; that moves them by less than 1 % of sd.
    assert np.max(np.abs(effects.mean - basic["mean"]) / (3 * error + 0.01 * effects.sd)) < 1
    statistics = fit.fit_statistics()
    statistics = statistics[statistics["study"].isna()].set_index("quantity")["value"]
    for quantity in ("Dbar", "pD", "DIC"):
        assert statistics[f"{quantity} (arms)"] == pytest.approx(reference[quantity], abs=0.25)
    ranks = fit.ranking().set_index("treatment")["sucra"]
    assert np.max(np.abs(ranks - pd.Series(reference["sucra_preferred-1"]))) < 0.02


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("name", OPEN)
def test_deletions_and_splits_of_every_open_network_are_refits(oracle_directory, name):
    net = open_network(oracle_directory, name)
    options = {"model": "random", "tau_prior": "half-normal(1)", "effect_prior_sd": 100.0}
    fit = exact.fit(net, **options)
    posterior, influence = fit.posteriors["random"], fit.influence["random"]
    contrasts = posterior.rows.design.treatments[1:]
    apart = cut_off(net)
    # The few whose removal the algebra cannot follow are refitted anyway.
    followed = [i for i in np.flatnonzero(influence.identified) if i not in apart]
    assert len(followed) + len(apart) >= len(influence.study) - 1
    chosen = followed[:: 1 + len(followed) // 8]
    left = influence.left_out_effects(contrasts, np.array(chosen))
    for row, i in enumerate(chosen):
        blocks = tuple(block.take(block.study != influence.study[i]) for block in fit.blocks)
        again = fit.specification.posterior(tuple(b for b in blocks if len(b.study)), "random")
        effects = again.effects(again.rows.design.treatments[1:])
        assert np.max(np.abs(left.mean[row] - effects.mean) / effects.sd) < 1e-9
        assert np.max(np.abs(left.sd[row] / effects.sd - 1)) < 1e-9
        assert influence.elpd[i] == pytest.approx(posterior.log_evidence - again.log_evidence, abs=1e-8)
    for pair, split in fit.splits["random"].items():
        other = refitted_split(posterior, pair, 100.0)
        for part in ("direct", "indirect", "difference"):
            mine, theirs = getattr(split, part), getattr(other, part)
            assert abs(mine.mean - theirs.mean) < 1e-9 * theirs.sd
            assert mine.sd == pytest.approx(theirs.sd, rel=1e-9)
        assert split.log_evidence == pytest.approx(other.log_evidence, abs=1e-8)
