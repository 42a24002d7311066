"""Markov chains: their densities against numpy, their diagnostics against ArviZ, their answers against exact."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import network
from analysis.network import mcmc
from analysis.network.mcmc import chains
from analysis.network.mcmc import data as mcmc_data
from analysis.network.mcmc import posterior as mcmc_posterior
from analysis.network.mcmc.convergence import (
    Diagnosis,
    ess_bulk,
    ess_tail,
    mcse_mean,
    potential_scale_reduction,
    psrf_by_iteration,
    rhat,
)
from analysis.network.model.priors import parse
from evidence.errors import CallError, RefusedError

ORACLES = Path(__file__).parents[2] / "oracles"
PINNED = json.loads((ORACLES / "network_netmeta.json").read_text(encoding="utf-8"))["networks"]
COUNTED = json.loads((ORACLES / "network_counts.json").read_text(encoding="utf-8"))["networks"]
PRIORS = [
    "uniform(0, 5)",
    "half-normal(0.5)",
    "half-cauchy(0.5)",
    "log-normal(-2.56, 1.74)",
    "log-t(-3.44, 2.59, 5)",
    "inverse-gamma(0.1, 0.1)",
    "half-normal(0.5) T(, 2)",
]

pymc_needed = pytest.mark.skipif(importlib.util.find_spec("pymc") is None, reason="PyMC is not installed")
quiet = pytest.mark.filterwarnings("ignore")


def normal_network(name="franchini2012"):
    about = PINNED[name]
    return network.from_contrasts(
        pd.DataFrame(about["contrasts"]), reference=about["reference"], lower_is_better=True
    )


def counted_network(name="smoking"):
    about = COUNTED[name]
    frame = pd.DataFrame(about["arms"])
    size = frame["n"] if "n" in frame else frame["exposure"]
    half = 0.5 * frame["study"].isin(frame["study"][frame["events"] == 0])
    y, rest = frame["events"] + half, size + half - frame["events"]
    frame["y"] = np.log(y / rest) if "n" in frame else np.log(y / size)
    frame["v"] = 1 / y + (1 / rest if "n" in frame else 0)
    return network.from_arms(
        frame, measure=about["measure"], reference=about["reference"], lower_is_better=False
    )


def prepared(
    net,
    model="random",
    *,
    tau_prior="half-normal(0.5)",
    baseline=None,
    baseline_sd=None,
    classes=None,
    link=None,
):
    likelihood = None if net.measure != "MD" else "normal"
    net, data = mcmc.engine.observations(net, likelihood, link, baseline, baseline_sd)
    specification = mcmc.engine.specify(net, (model,), tau_prior, 10.0)
    structure = mcmc.engine.Structure(
        baseline or (0.0, 10.0),
        None if baseline_sd is None else parse(baseline_sd),
        classes or {},
        parse("half-normal(0.3)"),
    )
    return mcmc.engine.chain_data(data, data.design(specification), specification, structure, model)


def log_density_at(data, point):
    """Log density of a PyMC model at values of its free variables, without the transformations' Jacobians."""
    import pytensor

    model = chains.build(data)
    values = [model.rvs_to_values[model[name]] for name in point]
    graph = model.logp(jacobian=False)
    function = pytensor.function(values, graph, mode="FAST_COMPILE", on_unused_input="ignore")
    forward = []
    for name, value in point.items():
        transform = model.rvs_to_transforms[model[name]]
        rv = model[name]
        moved = value if transform is None else transform.forward(np.asarray(value), *rv.owner.inputs).eval()
        forward.append(np.asarray(moved, dtype=float))
    return float(function(*forward))


def arm_means():
    rng = np.random.default_rng(8)
    rows = [
        (str(i), t, rng.normal(), 0.04 + 0.1 * rng.random())
        for i, design in enumerate(["AB", "AC", "BC", "ABC"])
        for t in design
    ]
    frame = pd.DataFrame(rows, columns=["study", "treatment", "y", "v"])
    frame["mean"], frame["se"] = frame["y"], frame["v"] ** 0.5
    return network.from_arms(frame, measure="MD", reference="A", lower_is_better=True)


@pytest.mark.slow
@pymc_needed
@quiet
@pytest.mark.parametrize("likelihood", ["rows", "normal", "logit", "log", "cloglog", "poisson"])
def test_log_densities_are_those_of_the_model(likelihood):
    rng = np.random.default_rng(3)
    options = {}
    if likelihood == "rows":
        net = normal_network()
    elif likelihood == "normal":
        net, options = arm_means(), {"baseline": (0.0, 10.0)}
    elif likelihood == "poisson":
        net = counted_network("dietaryfat")
    else:
        net, options = counted_network(), {"link": likelihood}
        if likelihood == "log":
            net, options = replace(net, measure="RR"), {}
    data = prepared(net, **options)
    assert data.shape.likelihood == likelihood
    a = data.arrays
    d, tau = rng.normal(0, 0.5, a["x"].shape[1]), 0.37
    point = {"tau": tau, "coefficients": d}
    prior = stats.norm.logpdf(d, 0, 10.0).sum() - 0.5 * (tau / 0.5) ** 2
    if likelihood == "rows":
        variance = 1 + tau**2 * a["size"]
        expected = (-0.5 * ((a["y"] - a["x"] @ d) ** 2 / variance + np.log(variance))).sum() + prior
    else:
        studies, effects = len(a["include"]), chains.study_effects(a)
        mu, z = rng.normal(-4, 0.3, studies), rng.normal(size=effects)
        point |= {"baseline": mu, "z": z}
        eta = mu[a["study"]] + a["x"] @ d + tau * dense_loads(a) @ z
        prior += stats.norm.logpdf(mu, 0, 10.0).sum() + stats.norm.logpdf(z).sum()
        if likelihood == "normal":
            expected = stats.norm.logpdf(a["y"], eta, a["size"]).sum()
            expected -= stats.norm.logpdf(0.0, 0.0, a["size"]).sum()
        elif likelihood == "poisson":
            from scipy.special import gammaln, xlogy

            expected = stats.poisson.logpmf(a["y"], a["size"] * np.exp(eta)).sum()
            expected -= (xlogy(a["y"], a["size"]) - gammaln(a["y"] + 1)).sum()
        else:
            risk = {
                "logit": lambda e: 1 / (1 + np.exp(-e)),
                "log": np.exp,
                "cloglog": lambda e: -np.expm1(-np.exp(e)),
            }[likelihood](eta)
            constant = stats.binom.logpmf(a["y"], a["size"], 0.5) - a["size"] * np.log(0.5)
            expected = stats.binom.logpmf(a["y"], a["size"], risk).sum() - constant.sum()
        expected += prior
    assert log_density_at(data, point) == pytest.approx(expected, rel=1e-9)


@pymc_needed
@quiet
def test_log_density_of_classes_and_exchangeable_baselines():
    rng = np.random.default_rng(4)
    classes = {0: "counselling", 1: "counselling"}
    data = prepared(counted_network(), baseline=(-1.0, 4.0), baseline_sd="half-normal(1)", classes=classes)
    a = data.arrays
    tau, spread, middle, width = 0.4, 0.25, -2.0, 0.6
    mean, within = rng.normal(size=1), rng.normal(size=3)
    raw, z = rng.normal(size=len(a["include"])), rng.normal(size=chains.study_effects(a))
    point = {
        "tau": tau, "class_sd": spread, "class_mean": mean, "within": within, "baseline_mean": middle,
        "baseline_sd": width, "baseline_z": raw, "z": z,
    }  # fmt: skip
    # Two effects are their class's mean and a deviation, the third stands alone with its own vague prior.
    d = np.array([mean[0] + spread * within[0], mean[0] + spread * within[1], within[2]])
    eta = (middle + width * raw)[a["study"]] + a["x"] @ d + tau * dense_loads(a) @ z
    constant = stats.binom.logpmf(a["y"], a["size"], 0.5) - a["size"] * np.log(0.5)
    expected = stats.binom.logpmf(a["y"], a["size"], 1 / (1 + np.exp(-eta))).sum() - constant.sum()
    expected += -0.5 * ((tau / 0.5) ** 2 + (spread / 0.3) ** 2 + width**2)
    expected += stats.norm.logpdf(mean, 0, 10).sum() + stats.norm.logpdf(within, 0, [1, 1, 10]).sum()
    expected += stats.norm.logpdf(middle, -1, 4) + stats.norm.logpdf(raw).sum() + stats.norm.logpdf(z).sum()
    assert log_density_at(data, point) == pytest.approx(expected, rel=1e-9)


@pymc_needed
@quiet
@pytest.mark.parametrize("text", PRIORS)
def test_priors_of_standard_deviations(text):
    import pymc as pm
    import pytensor

    prior = parse(text)
    with pm.Model() as model:
        chains._standard_deviation("tau", chains.prior_kind(prior), chains.prior_numbers(prior))
    value = model.rvs_to_values[model["tau"]]
    function = pytensor.function([value], model.logp(jacobian=False), mode="FAST_COMPILE")
    points = (0.3, 1.1)
    if prior.upper < np.inf:
        forward = [np.log(x - prior.minimum) - np.log(prior.upper - x) for x in points]
    else:
        forward = [np.log(x) for x in points]
    ours = [float(function(u)) for u in forward]
    reference = prior.log_density(np.array(points))
    assert ours[1] - ours[0] == pytest.approx(float(reference[1] - reference[0]), abs=1e-9)


def dense_loads(arrays):
    """What the study effects do to the arms as one matrix, which no model holds: arms by study effects."""
    size = len(arrays["y"]), chains.study_effects(arrays)
    matrix = np.zeros(size)
    np.add.at(matrix, (np.arange(size[0])[:, None], arrays["load_index"]), arrays["load"])
    return matrix


def test_loads_give_the_covariance_of_arms():
    y = (np.zeros((2, 2)), np.zeros((1, 4)))
    arrays = mcmc_data._loads(y)
    load = dense_loads(arrays | {"y": np.zeros(8), "include": np.ones(3)})
    assert load.shape == (8, 5)
    one = [[0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    np.testing.assert_allclose(load[:4], one, atol=1e-14)
    expected = np.zeros((4, 4))
    expected[1:, 1:] = (np.eye(3) + 1) / 2
    np.testing.assert_allclose(load[4:] @ load[4:].T, expected, atol=1e-14)


def test_the_data_of_a_model_grow_with_arms_not_with_arms_times_studies():
    sizes = []
    for studies in (100, 400):
        arrays = mcmc_data._loads((np.zeros((studies, 2)), np.zeros((studies // 4, 3))))
        sizes.append(sum(array.nbytes for array in arrays.values()))
    assert sizes[1] == 4 * sizes[0]


def autocorrelated(seed, m=4, n=500, phi=0.6, shift=0.0):
    rng = np.random.default_rng(seed)
    x = np.zeros((m, n))
    for t in range(1, n):
        x[:, t] = phi * x[:, t - 1] + rng.normal(size=m)
    x[0] += shift
    return x


@quiet
@pytest.mark.parametrize(("phi", "shift"), [(0.0, 0.0), (0.6, 0.0), (0.95, 0.0), (-0.4, 0.0), (0.5, 1.5)])
def test_diagnostics_are_those_of_arviz(phi, shift):
    arviz = pytest.importorskip("arviz")
    values = autocorrelated(11, n=501, phi=phi, shift=shift)
    data = arviz.convert_to_dataset({"x": values})

    def theirs(function, **options):
        return float(function(data, **options)["x"])

    assert rhat(values) == pytest.approx(theirs(arviz.rhat), rel=1e-10)
    assert ess_bulk(values) == pytest.approx(theirs(arviz.ess, method="bulk"), rel=1e-8)
    assert ess_tail(values) == pytest.approx(theirs(arviz.ess, method="tail", prob=(0.05, 0.95)), rel=1e-8)
    assert mcse_mean(values) == pytest.approx(theirs(arviz.mcse, method="mean"), rel=1e-8)


def test_psrf_against_coda():
    # gelman.diag(mcmc.list(x1, x2, x3), autoburnin = FALSE) of coda 0.19-4 on x_k = sin((1:40) * k) + k / 10:
    # point estimate and upper limit; recomputed here from the published formulas.
    x = np.array([np.sin(np.arange(1, 41) * k) + k / 10 for k in (1, 2, 3)])
    point, upper = potential_scale_reduction(x)
    m, n = x.shape
    within, means = x.var(axis=1, ddof=1), x.mean(axis=1)
    w, b = within.mean(), n * means.var(ddof=1)
    v = (n - 1) / n * w + (1 + 1 / m) * b / n
    covariance = np.cov(within, means**2)[0, 1] - 2 * means.mean() * np.cov(within, means)[0, 1]
    spread = ((n - 1) / n) ** 2 * within.var(ddof=1) / m + ((m + 1) / (m * n)) ** 2 * 2 / (m - 1) * b**2
    spread += 2 * (m + 1) * (n - 1) / (m * n**2) * n / m * covariance
    d = 2 * v**2 / spread
    assert point == pytest.approx(np.sqrt((d + 3) / (d + 1) * v / w), rel=1e-12)
    f = stats.f.ppf(0.975, m - 1, 2 * w**2 / (within.var(ddof=1) / m))
    assert upper == pytest.approx(
        np.sqrt((d + 3) / (d + 1) * ((n - 1) / n + (m + 1) / (m * n) * f * b / w)), rel=1e-12
    )
    iteration, points, uppers = psrf_by_iteration(autocorrelated(3, n=1000), 20)
    assert iteration[0] == 50
    assert iteration[-1] == 1000
    assert points[-1] == pytest.approx(potential_scale_reduction(autocorrelated(3, n=1000)[:, 500:])[0])
    assert (uppers >= points).all()


def test_convergence_is_judged_by_the_criterion():
    good = Diagnosis.of("x", autocorrelated(1, phi=0.0, n=1000))
    assert good.converged("rank-normalised")
    assert good.converged("psrf")
    apart = Diagnosis.of("x", autocorrelated(1, phi=0.0, n=1000, shift=2.0))
    assert not apart.converged("rank-normalised")
    assert not apart.converged("psrf")
    slow = Diagnosis.of("x", autocorrelated(1, phi=0.9, n=300))
    assert not slow.converged("rank-normalised")
    constant = Diagnosis.of("x", np.ones((4, 100)))
    assert not constant.converged("rank-normalised")


def stored(net, monkeypatch, **options):
    """A fit whose chains are made up: everything after the sampler without the sampler."""
    calls = []

    def run(data, *, draws, tune, seed):
        calls.append((draws, tune, seed, data.key))
        rng = np.random.default_rng(seed)
        p = data.arrays["x"].shape[1]
        found = {"coefficients": rng.normal(0.3, 0.1, (4, draws, p))}
        if data.shape.tau is not None:
            found["tau"] = np.abs(rng.normal(0.2, 0.05, (4, draws)))
        if "baseline_numbers" in data.arrays:
            found["baseline"] = rng.normal(-1.5, 0.2, (4, draws, len(data.arrays["include"])))
            if "load" in data.arrays:
                found["z"] = rng.normal(size=(4, draws, chains.study_effects(data.arrays)))
        if data.shape.spread is not None:
            found["class_mean"] = rng.normal(size=(4, draws, data.arrays["membership"].shape[1]))
            found["class_sd"] = np.abs(rng.normal(size=(4, draws)))
        return chains.Chains(found, 0, "stored")

    monkeypatch.setattr(mcmc_posterior, "run", run)
    monkeypatch.setattr(mcmc.engine, "require_pymc", lambda: None)
    return mcmc.fit(net, **options), calls


@pytest.mark.slow
def test_every_table_from_stored_draws(monkeypatch):
    for net in (normal_network(), counted_network()):
        fit, calls = stored(net, monkeypatch, tau_prior="half-normal(1)", effect_prior_sd=10.0, draws=200)
        names = (
            "estimates",
            "heterogeneity",
            "ranking",
            "rank_probabilities",
            "inconsistency",
            "node_splits",
        )
        for name in (
            *names,
            "leave_one_out",
            "weights",
            "fit_statistics",
            "diagnostics",
            "convergence",
            "notes",
        ):
            assert len(getattr(fit, name)()), name
        assert len(fit.league()) == len(net.treatments) * (len(net.treatments) - 1)
        assert "converged" in fit.diagnostics()["note"].iloc[0]
        # Leaving studies out changes data, never the shape of the model: nothing is compiled anew.
        kept = {call[3] for call in calls[:2]}
        fit.leave_one_out()
        assert {call[3] for call in calls[-2 * len(net.studies) :]} == kept


def test_splits_and_unrelated_effects_say_that_classes_are_left_out(monkeypatch):
    net = counted_network()
    two = dict.fromkeys(net.treatments[1:3], "some")
    same = {"model": "random", "tau_prior": "half-normal(1)", "effect_prior_sd": 10.0, "draws": 100}
    for classes, expected in ((two, True), (None, False)):
        fit, calls = stored(net, monkeypatch, classes=classes, **same)
        splits = fit.node_splits()
        made = splits[splits["difference"].notna()]
        assert len(made)
        assert made["note"].fillna("").str.contains(mcmc.fitted.WITHOUT_CLASSES).all() == expected
        whole = fit.inconsistency().query("component == 'network'")
        assert whole["note"].str.contains(mcmc.fitted.WITHOUT_CLASSES).all() == expected
        # And so they are: every model but the fit itself is that of a network without classes.
        spreads = [part.spread for call in calls for part in call[3] if isinstance(part, chains.Shape)]
        n_own = spreads.index(None) if expected else 0
        assert n_own >= expected
        assert not any(spreads[n_own:])


def test_chains_that_do_not_converge_run_longer_and_say_so(monkeypatch):
    net = normal_network()
    monkeypatch.setattr(Diagnosis, "converged", lambda self, criterion: False)
    fit, calls = stored(net, monkeypatch, model="random", draws=100, tune=100, max_draws=450)
    assert [call[:3] for call in calls] == [(100, 100, 1), (200, 200, 2), (400, 400, 3)]
    assert "did NOT converge" in fit.diagnostics()["note"].iloc[0]
    assert "did not converge within 400 iterations" in " ".join(fit.notes()["message"])


def test_classes_baselines_and_regression_enter_the_data(monkeypatch):
    net = counted_network()
    classes = {"grp_counseling": "counselling", "ind_counseling": "counselling"}
    data = prepared(net, baseline_sd="half-normal(1)", classes={0: "counselling", 1: "counselling"})
    assert data.shape.spread == ("half-normal", False)
    assert data.shape.baseline_spread == ("half-normal", False)
    np.testing.assert_array_equal(data.arrays["membership"], [[1.0], [1.0], [0.0]])
    np.testing.assert_array_equal(data.arrays["within_sd"], [1.0, 1.0, 10.0])
    fit, _ = stored(net, monkeypatch, classes=classes, baseline_sd_prior="half-normal(1)", model="random")
    assert fit.class_effects()["level"].tolist() == ["counselling", "standard deviation"]
    told = " ".join(fit.notes()["message"])
    assert "exchangeable within classes (counselling: grp_counseling, ind_counseling)" in told
    assert "baselines exchangeable" in told
    covariates = pd.DataFrame({"year": np.arange(len(net.studies), dtype=float)})
    fit, _ = stored(replace(net, covariates=covariates), monkeypatch, covariates=["year"], model="common")
    assert len(fit.coefficients()) == 1
    assert "slope of year" in fit.diagnostics()["parameter"].tolist()


def test_refusals(monkeypatch):
    net = normal_network()
    with pytest.raises(CallError, match="not one of normal, binomial, poisson"):
        mcmc.fit(net, likelihood="gamma")
    with pytest.raises(CallError, match="criterion"):
        mcmc.fit(net, criterion="eye")
    with pytest.raises(CallError, match="classes names X"):
        mcmc.fit(net, classes={"X": "y"})
    with pytest.raises(RefusedError, match="means and standard errors of arms"):
        mcmc.fit(net, baseline_prior=(0.0, 10.0))
    monkeypatch.setattr(chains, "find_spec", lambda name: None)
    with pytest.raises(RefusedError, match=r"pip install 'evidence-base\[mcmc\]'"):
        mcmc.fit(net)
    assert "pymc" not in vars(mcmc)


def test_importing_the_engine_imports_no_pymc():
    import subprocess

    code = "import sys; import analysis.network.mcmc; print('pymc' in sys.modules, 'arviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pymc_needed
@quiet
@pytest.mark.slow
def test_chains_agree_with_exact():
    net = normal_network()
    same = {"tau_prior": "half-normal(1)", "effect_prior_sd": 10.0, "model": "random"}
    ours, theirs = mcmc.fit(net, **same), network.fit(net, engine="exact", **same)
    assert ours.posteriors["random"].converged
    a, b = ours.estimates(), theirs.estimates()
    effective = ours.effective("random")
    assert (np.abs(a["estimate"] - b["estimate"]) / b["std_error"] < 3.5 / np.sqrt(effective)).all()
    assert (np.abs(a["std_error"] / b["std_error"] - 1) < 5 / np.sqrt(effective)).all()
    for name in ("ci_lower", "ci_upper"):
        assert (np.abs(a[name] - b[name]) / b["std_error"] < 12 / np.sqrt(effective)).all()
    scores = [fit.ranking().set_index("treatment")["sucra"] for fit in (ours, theirs)]
    assert (scores[0] - scores[1]).abs().max() < 2 / np.sqrt(effective)
    totals = [
        fit.fit_statistics().query("study.isna()").set_index("quantity")["value"] for fit in (ours, theirs)
    ]
    for name in ("Dbar", "pD"):
        assert totals[0][name] == pytest.approx(totals[1][name], abs=0.3)
    tau, posterior = ours.tau("random"), theirs.posteriors["random"].heterogeneity
    for value, probability in ((tau.lower, 0.025), (tau.median, 0.5), (tau.upper, 0.975)):
        error = np.sqrt(probability * (1 - probability) / effective)
        assert abs(posterior.probability_below(value) - probability) < 4 * error
    left = ours.leave_one_out().set_index(["study", "treatment"])["estimate"]
    exact_left = theirs.leave_one_out().set_index(["study", "treatment"])
    gap = (left - exact_left["estimate"]).abs() / exact_left["std_error"]
    assert gap.max() < 5 / np.sqrt(effective)


@pymc_needed
@quiet
@pytest.mark.slow
def test_chains_agree_with_importance_sampling_on_smoking():
    net = counted_network()
    same = {"tau_prior": "uniform(0, 5)", "effect_prior_sd": 100.0, "baseline_prior": (0.0, 100.0)}
    ours = mcmc.fit(net, model="random", **same)
    theirs = network.fit(net, engine="counts", model="random", **same)
    effective = ours.effective("random")
    assert ours.posteriors["random"].converged
    a, b = ours.estimates(), theirs.estimates()
    assert (np.abs(a["estimate"] - b["estimate"]) / b["std_error"] < 3.5 / np.sqrt(effective)).all()
    assert (np.abs(a["std_error"] / b["std_error"] - 1) < 5 / np.sqrt(effective)).all()
    tau = [fit.tau("random") for fit in (ours, theirs)]
    assert abs(tau[0].mean - tau[1].mean) / tau[1].sd < 3.5 / np.sqrt(effective)
    totals = [
        fit.fit_statistics().query("study.isna()").set_index("quantity")["value"] for fit in (ours, theirs)
    ]
    assert totals[0]["DIC"] == pytest.approx(totals[1]["DIC"], abs=1.5)


@pymc_needed
@quiet
@pytest.mark.slow
def test_simulation_based_calibration_of_chains_and_exact():
    """Parameters from the prior, data from them: the truth ranks uniformly among the draws (Talts et al. 2018).

    The same data go to the exact engine, whose probabilities below the truth are uniform, too, and those of the
    chains but for their Monte Carlo error.
    """
    rng = np.random.default_rng(1804)
    designs = [("a", "b")] * 3 + [("a", "c")] * 2 + [("b", "c")] + [("a", "b", "c")] * 2
    errors = [rng.uniform(0.2, 0.5, len(design)) for design in designs]
    options = {"model": "random", "tau_prior": "half-normal(0.5)", "effect_prior_sd": 2.0}
    ranks, exact_below, gaps = [], [], []
    kept = 100
    for seed in range(60):
        tau, effect = abs(rng.normal(0, 0.5)), {"a": 0.0, "b": rng.normal(0, 2), "c": rng.normal(0, 2)}
        rows = []
        for i, (design, error) in enumerate(zip(designs, errors)):
            # Normal per arm with half the variance: contrasts have variance tau2 and share half of it.
            arm = [effect[t] + rng.normal(0, tau * 0.5**0.5) for t in design] + rng.normal(0, error)
            rows += [(str(i), t, y, e**2) for t, y, e in zip(design, arm, error)]
        arms = pd.DataFrame(rows, columns=["study", "treatment", "y", "v"])
        net = network.from_arms(arms, measure="MD", reference="a", lower_is_better=True)
        chain = mcmc.fit(net, seed=seed + 1, draws=500, tune=500, max_draws=500, **options)
        exact = network.fit(net, engine="exact", **options).posteriors["random"]
        draws = chain.posteriors["random"].draws
        truth = np.array([effect["b"], effect["c"], tau])
        values = np.column_stack([draws.effects[:, 1:], draws.tau])
        thinned = values[:: len(values) // kept][:kept]
        ranks.append((thinned < truth).sum(0))
        below = [
            *exact.effects(exact.rows.design.treatments[1:]).probability_below(truth[:2]),
            exact.heterogeneity.probability_below(tau),
        ]
        exact_below.append(below)
        gaps.append((values < truth).mean(0) - below)
    assert np.abs(gaps).max() < 5 * 0.5 / np.sqrt(200)  # at least 200 effective draws of 2,000
    assert np.abs(np.mean(gaps, axis=0)).max() < 0.01
    for rank, probability in zip(np.transpose(ranks), np.transpose(exact_below)):
        counted = np.histogram(rank, bins=np.linspace(-0.5, kept + 0.5, 6))[0]
        assert stats.chisquare(counted).pvalue > 0.002
        assert stats.kstest(probability, "uniform").pvalue > 0.002


@pymc_needed
@quiet
@pytest.mark.slow
def test_seeds_fix_every_byte_and_a_shape_is_compiled_once():
    net = normal_network()
    options = {"model": "random", "effect_prior_sd": 10.0, "draws": 300, "tune": 300, "max_draws": 300}
    chains._compiled.cache_clear()
    first = mcmc.fit(net, tau_prior="half-normal(1)", seed=5, **options).posteriors["random"].chains.draws
    again = mcmc.fit(net, tau_prior="half-normal(1)", seed=5, **options).posteriors["random"].chains.draws
    other = mcmc.fit(net, tau_prior="half-normal(0.5)", seed=6, **options)
    for name, values in first.items():
        assert values.tobytes() == again[name].tobytes()
    assert not np.array_equal(first["tau"], other.posteriors["random"].chains.draws["tau"])
    other.leave_one_out()
    assert chains._compiled.cache_info().misses == 1  # other data, priors and studies: the same model
