"""Priors, options and counts that no engine can use are refused by name; every prior has one density everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import inf, log
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from analysis import network
from analysis.exchange import bugs
from analysis.network.mcmc import chains
from analysis.network.model import priors
from evidence.cli import cli
from evidence.errors import CallError, RefusedError

COLUMNS = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
EXAMPLES = [
    priors.Uniform(upper=2.0, lower=0.25),
    priors.HalfNormal(scale=0.7),
    priors.HalfCauchy(scale=0.4),
    priors.LogNormal(mean=-1.2, sd=0.9),
    priors.LogT(mean=-1.5, scale=1.1, df=5.0),
    priors.InverseGamma(shape=1.3, rate=0.4),
]
TAU = np.array([0.3, 0.55, 0.9, 1.4])


def outside(prior: priors.Prior, tau: np.ndarray) -> np.ndarray:
    """Log density of tau by SciPy, without the cut."""
    match prior:
        case priors.Uniform():
            return stats.uniform(prior.lower, prior.upper - prior.lower).logpdf(tau)
        case priors.HalfNormal():
            return stats.halfnorm(scale=prior.scale).logpdf(tau)
        case priors.HalfCauchy():
            return stats.halfcauchy(scale=prior.scale).logpdf(tau)
        case priors.LogNormal():
            return stats.lognorm(prior.sd, scale=np.exp(prior.mean)).logpdf(tau**2) + np.log(2 * tau)
        case priors.LogT():
            return stats.t(prior.df, prior.mean, prior.scale).logpdf(np.log(tau**2)) + np.log(2 / tau)
        case priors.InverseGamma():
            return stats.invgamma(prior.shape, scale=prior.rate).logpdf(tau**2) + np.log(2 * tau)
    raise AssertionError(prior)


def of_bugs(prior: priors.Prior, tau: np.ndarray) -> tuple[np.ndarray, str]:
    """Log density of tau that a BUGS program states, and what stands in its brackets of the cut."""
    text = bugs._heterogeneity(prior, "T")
    found = re.search(r"([a-z.2]+) ~ d(\w+)\(([^)]*)\)(?:T\(([^)]*)\))?", text)
    assert found is not None
    name, kind, cells, cut = found.groups()
    a = [float(cell) for cell in cells.split(",")]
    of = {
        "unif": lambda: stats.uniform(a[0], a[1] - a[0]),
        "norm": lambda: stats.norm(a[0], a[1] ** -0.5),
        "t": lambda: stats.t(a[2], a[0], a[1] ** -0.5),
        "lnorm": lambda: stats.lognorm(a[1] ** -0.5, scale=np.exp(a[0])),
        "gamma": lambda: stats.gamma(a[0], scale=1 / a[1]),
    }[kind]()
    value, slope = {
        "sd": (tau, np.ones_like(tau)),
        "sd.2": (tau**2, 2 * tau),
        "log.sd.2": (2 * np.log(tau), 2 / tau),
        "tau": (tau**-2.0, 2 * tau**-3.0),
    }[name]
    return of.logpdf(value) + np.log(slope), cut or ""


def test_every_prior_is_tried() -> None:
    assert [type(prior) for prior in EXAMPLES] == list(priors.PRIORS.values())
    assert [priors.parse(prior.example).name for prior in priors.PRIORS.values()] == list(priors.PRIORS)


@pytest.fixture
def of_precision():
    """A prior that a contributor adds, as one class: half-normal, by its precision."""

    @dataclass(frozen=True)
    class OfPrecision(priors.Prior):
        precision: float = 1.0

        name: ClassVar[str] = "half-normal-precision"
        example: ClassVar[str] = "half-normal-precision(4)"

        @property
        def reach(self):
            return 9.0 * self.precision**-0.5

        def log_kernel(self, tau):
            return 0.5 * np.log(2.0 * self.precision / np.pi) - 0.5 * self.precision * tau**2

        def uncut_probability(self, tau):
            return stats.halfnorm(scale=self.precision**-0.5).cdf(tau)

        def rescaled(self, factor):
            return replace(self, precision=self.precision / factor**2, upper=self.upper * factor)

        @classmethod
        def chain_kernel(cls, tau, *parameters):
            return -0.5 * parameters[0] * tau**2

        def in_bugs(self):
            return priors.Bugs("sd", "dnorm", (0.0, self.precision), (0.0, self.cut), ("tau <- pow(sd, -2)",))

    yield OfPrecision
    del priors.PRIORS[OfPrecision.name]


ARMS = pd.DataFrame(
    [(f"s{i}", t, e, 40) for i, pair in enumerate(((8, 12), (6, 15), (9, 11))) for t, e in zip("ab", pair)],
    columns=["study", "treatment", "events", "n"],
).assign(
    y=lambda arms: np.log(arms["events"] / (arms["n"] - arms["events"])),
    v=lambda arms: 1 / arms["events"] + 1 / (arms["n"] - arms["events"]),
)


@pytest.mark.parametrize("engine", ["exact", "counts"])
def test_a_prior_is_one_class_that_engines_and_programs_take(of_precision, engine) -> None:
    net = network.from_arms(ARMS, measure="OR", reference="a", lower_is_better=True)
    new, same = (
        network.fit(net, engine=engine, tau_prior=text)
        for text in ("half normal precision(4)", "half-normal(0.5)")
    )
    assert isinstance(new.specification.prior, of_precision)
    for mine, theirs in (
        (new.estimates(), same.estimates()),
        (new.heterogeneity().drop(columns="method"), same.heterogeneity().drop(columns="method")),
    ):
        pd.testing.assert_frame_equal(mine, theirs, rtol=1e-9)
    cut = priors.parse("half-normal-precision(4) T(, 2)")
    assert bugs._heterogeneity(cut, "T") == bugs._heterogeneity(priors.parse("half-normal(0.5) T(, 2)"), "T")
    assert str(cut) == "tau ~ half-normal-precision(4) T(, 2)"


@pytest.mark.slow
def test_a_prior_that_is_added_is_drawn_from_and_named_by_the_command(of_precision) -> None:
    asked = [
        "nma",
        "smoking",
        "--outcome",
        "cessation",
        "--measure",
        "OR",
        "--engine",
        "exact",
        "--tau-prior",
    ]
    called = CliRunner().invoke(cli, [*asked, of_precision.example])
    assert called.exit_code == 0, called.output
    refused = CliRunner().invoke(cli, [*asked, "half-t(1)"])
    assert refused.exit_code == 2
    assert of_precision.example in refused.output
    pytest.importorskip("pymc")
    prior = of_precision(precision=4.0)
    sampled = chains._log_kernel(prior.name, chains.prior_numbers(prior), TAU)
    np.testing.assert_allclose(np.diff(sampled), np.diff(prior.log_density(TAU)), rtol=1e-12)


def test_what_a_prior_does_not_define_is_refused_not_guessed(of_precision) -> None:
    for part in ("chain_kernel", "in_bugs"):
        delattr(of_precision, part)
    with pytest.raises(NotImplementedError, match="half-normal-precision"):
        chains._log_kernel(of_precision.name, np.ones(3), 1.0)
    with pytest.raises(NotImplementedError, match="half-normal-precision"):
        bugs._heterogeneity(of_precision(), "T")


@pytest.mark.slow
@pytest.mark.parametrize("prior", EXAMPLES, ids=str)
def test_a_prior_has_the_same_density_in_every_engine_and_program(prior: priors.Prior) -> None:
    expected = outside(prior, TAU)
    np.testing.assert_allclose(prior.log_density(TAU), expected, rtol=1e-12)
    pytest.importorskip("pymc")
    numbers = chains.prior_numbers(prior)
    sampled = chains._log_kernel(prior.name, numbers, TAU)
    sampled = np.asarray(sampled.eval() if hasattr(sampled, "eval") else sampled)
    # Samplers drop constants.
    np.testing.assert_allclose(np.diff(sampled), np.diff(expected), rtol=1e-9, atol=1e-12)
    stated, _ = of_bugs(prior, TAU)
    np.testing.assert_allclose(np.diff(stated), np.diff(expected), rtol=1e-6)


@pytest.mark.parametrize("prior", EXAMPLES[1:], ids=str)
def test_a_cut_is_the_same_everywhere(prior: priors.Prior) -> None:
    cut = type(prior)(**{**prior.__dict__, "upper": 1.2})
    inside = np.linspace(1e-6, 1.2, 40_001)
    density = np.exp(cut.log_density(inside))
    assert np.trapezoid(density, inside) == pytest.approx(1.0, abs=2e-3)
    assert cut.log_density(np.array([1.3]))[0] == -inf
    _, limits = of_bugs(cut, TAU)
    lower, upper = limits.split(",")
    assert {
        "half-normal": (lower, upper) == ("0", "1.2"),
        "half-cauchy": (lower, upper) == ("0", "1.2"),
        "log-normal": upper and float(upper) == pytest.approx(1.44),
        "log-t": upper and float(upper) == pytest.approx(2 * log(1.2), rel=1e-5),
        "inverse-gamma": lower and float(lower) == pytest.approx(1.2**-2, rel=1e-5),
    }[prior.name]


def test_what_the_sampler_does_not_know_it_refuses() -> None:
    pytest.importorskip("pymc")
    with pytest.raises(NotImplementedError, match="no density for the prior 'half-t'"):
        chains._log_kernel("half-t", np.ones(5), 1.0)
    with pytest.raises(NotImplementedError, match="no likelihood 'probit'"):
        chains._log_likelihood("probit", 1.0, 2.0, 0.5)


# --- options -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three() -> Any:
    rows = [("s1", "B", "A", -1.0, 0.1), ("s2", "B", "A", 0.2, 0.1), ("s3", "B", "A", 1.0, 0.1)]
    return network.from_contrasts(pd.DataFrame(rows, columns=COLUMNS), lower_is_better=True)


def counts_of(*events: float) -> Any:
    arm = pd.DataFrame({"study": list("aabbcc"), "treatment": list("ABABAB"), "events": events, "n": 50.0})
    arm["y"], arm["v"] = np.log(arm["events"] / (50 - arm["events"])), 0.3
    return network.from_arms(arm, measure="OR", lower_is_better=True)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 1.5},
        {"effect_prior_sd": 1e-300},
        {"effect_prior_sd": 1e300},
        {"effect_prior_sd": float("nan")},
        {"tau_prior": "uniform(0, 1e308)"},
        {"tau_prior": "half-normal(1e300)"},
        {"tau_prior": "half-normal(1e-300)"},
        {"tau_prior": "half-normal(nan)"},
        {"tau_prior": "half-normal(1) T(, 1e-200)"},
        {"tau_prior": "log-normal(1000, 5)"},
        {"tau_prior": "log-normal(0, 1e-200)"},
        {"tau_prior": "log-t(0, 1, 1e-300)"},
        {"tau_prior": "inverse-gamma(1e300, 1)"},
        {"tau_prior": "half-t(1)"},
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ["exact", "counts"])
def test_odd_options_are_refused_in_a_sentence(three: Any, engine: str, options: dict[str, Any]) -> None:
    net = three if engine == "exact" else counts_of(20, 10, 5, 9, 30, 8)
    with pytest.raises(CallError):
        network.fit(net, engine=engine, **options)


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"draws": -1}, {"tau": 1e300}, {"tau": float("nan")}, {"tau2": 1e300}, {"tau2": 1e-300}],
    ids=str,
)
def test_odd_options_of_the_frequentist_engine(three: Any, options: dict[str, Any]) -> None:
    with pytest.raises(CallError):
        network.fit(three, **options)


@pytest.mark.parametrize("tau2", ["1e300", "1e-290", "1e26", "nan", "inf", "-1", "-1e-300"])
@pytest.mark.parametrize("command", ["pool", "nma"])
def test_an_absurd_tau2_is_refused_by_pool_and_nma_alike(command: str, tau2: str) -> None:
    asked = [command, "diabetes", "--outcome", "hba1c", "--measure", "MD", "--tau2", tau2]
    asked += ["--treatment", "metf", "--versus", "plac"] if command == "pool" else []
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 2, result.output
    assert "tau2" in result.output


def test_a_negative_seed_is_a_wrong_call() -> None:
    result = CliRunner().invoke(cli, ["simulate", "somewhere", "--studies", "3", "--seed", "-1"])
    assert result.exit_code == 2
    assert "-1" in result.output


def test_half_an_event_has_no_likelihood() -> None:
    with pytest.raises(RefusedError, match=r"12\.5 events, n 50 -> whole numbers"):
        network.fit(counts_of(12.5, 10, 5, 9, 30, 8), engine="counts")


# --- what priors drive ------------------------------------------------------------------------------------------


def warned(fit: Any) -> list[str]:
    return [message for severity, message in fit.remarks() if severity == "warning"]


def test_a_posterior_piled_at_the_prior_s_bound_is_warned_of(three: Any) -> None:
    said = [m for m in warned(network.fit(three, engine="exact", draws=64)) if "cut off" in m]
    assert len(said) == 1
    assert "upper limit of its prior, 1: its density there is 100% of its maximum" in said[0]
    wide = network.fit(three, engine="exact", tau_prior="uniform(0, 20)", draws=64)
    assert not any("cut off" in message for message in warned(wide))
    # The share is that of the posterior by brute force: flat prior, three effects of standard error 0.1.
    tau = np.linspace(1e-3, 1, 2001)
    y, v = np.array([-1, 0.2, 1.0]), 0.01 + np.repeat(tau[:, None] ** 2, 3, axis=1)
    spread = (1 / v).sum(1)
    centre = (y / v).sum(1) / spread
    log_density = -0.5 * (np.log(v) + (y - centre[:, None]) ** 2 / v).sum(1) - 0.5 * np.log(spread)
    fit = network.fit(three, engine="exact", tau_prior="uniform(0, 1)", draws=64)
    own = fit.posteriors["random"].heterogeneity.density
    ratio = np.exp(log_density[1000] - log_density[-1])
    assert own(float(tau[1000])) / own(1 - 1e-9) == pytest.approx(ratio, rel=5e-3)


def test_how_wide_a_prior_is_that_drives_tau_is_said() -> None:
    net = network.from_contrasts(pd.DataFrame([("s", "B", "A", 2.0, 1.0)], columns=COLUMNS))
    (said,) = (m for m in warned(network.fit(net, engine="exact", draws=64)) if "next to nothing" in m)
    # Uniform on (0, 2): 2 / sqrt(12).
    assert "standard deviation 0.577, 29% of the largest effect of any study" in said


def test_counts_warn_of_a_piled_prior_too() -> None:
    fit = network.fit(counts_of(5, 30, 40, 4, 25, 25), engine="counts", tau_prior="uniform(0, 1)")
    assert any("cut off by the upper limit" in message for message in warned(fit))


# --- ranks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["exact", "frequentist"])
def test_the_probability_of_being_best_knows_no_names_and_no_order(engine: str) -> None:
    rng = np.random.default_rng(5)
    rows = [
        (f"s{i}", *pair, rng.normal(0, 0.5), 0.4)
        for i, pair in enumerate([("A", "B"), ("B", "C"), ("C", "D"), ("A", "D"), ("A", "C"), ("B", "D")])
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    flat = {"effect_prior_sd": inf, "tau_prior": "half-normal(1)"} if engine == "exact" else {}
    found = []
    for names, reference in (("ABCD", "A"), ("DBAC", "A"), ("zaqm", "m"), ("CADB", "B")):
        renamed = dict(zip("ABCD", names))
        swapped = table.sample(frac=1, random_state=len(found)).replace(
            {"treatment_a": renamed, "treatment_b": renamed}
        )
        net = network.from_contrasts(swapped, reference=reference, lower_is_better=True)
        fit = network.fit(net, engine=engine, draws=2000, **flat)
        best = fit.ranking().query("model == 'random'").set_index("treatment")["p_best"]
        found.append([best[renamed[name]] for name in "ABCD"])
    np.testing.assert_allclose(found[1:], [found[0]] * 3, atol=1e-9)
    assert sum(found[0]) == pytest.approx(1.0)
    # Turned round, the best are the worst.
    turned = network.fit(
        network.from_contrasts(table, reference="A", lower_is_better=False), engine=engine, draws=2000, **flat
    )
    chances = turned.rank_probabilities().query("model == 'random' and rank == 4").set_index("treatment")
    np.testing.assert_allclose([chances["probability"][name] for name in "ABCD"], found[0], atol=1e-9)
