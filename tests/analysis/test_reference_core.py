"""A core of reference figures of every open data set, pinned, so that no engine goes unchecked without the directory.

The complete reference results stand outside the project (marker ``oracle``); what is here always runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network import exact
from analysis.network.model.priors import Uniform
from analysis.pairwise.model import coefficients, inference, tau2
from analysis.pairwise.model.rows import EffectRows

ORACLES = Path(__file__).parents[1] / "oracles"
CORE = json.loads((ORACLES / "reference_core.json").read_text(encoding="utf-8"))
PAIRWISE = {
    f"{name} {measure}": entry
    for name, measures in CORE["pairwise"].items()
    for measure, entry in measures.items()
}
SHARP = {name: entry for name, entry in PAIRWISE.items() if "exact" in entry}
MODELS = [(name, model) for name in CORE["network"] for model in ("common", "random")]
EXACT = [name for name, entry in CORE["network"].items() if "exact" in entry]


def close(ours: Any, theirs: Any, rel: float = 1e-9, floor: float = 1e-12) -> None:
    theirs = np.asarray(theirs, float)
    np.testing.assert_allclose(np.asarray(ours, float), theirs, rtol=rel, atol=floor * np.abs(theirs).max())


def rows_of(entry: dict[str, Any]) -> EffectRows:
    return EffectRows.of(entry["yi"], entry["vi"])


@pytest.mark.parametrize("name", PAIRWISE)
def test_a_pairwise_set_is_what_metafor_makes_of_it(name: str) -> None:
    entry = PAIRWISE[name]
    rows = rows_of(entry)
    solution = rows.profile.solve(0.0)
    effect = coefficients.coefficients(solution.beta, solution.covariance)
    close(effect.estimate[0], entry["EE"]["beta"])
    close(effect.std_error[0], entry["EE"]["se"])
    close(solution.residual_ss, entry["EE"]["QE"])
    typical = rows.df / rows.profile.sums(0.0).trace_p[0] * rows.profile.unit2
    for method in set(entry) & {"DL", "REML", "PM"}:
        theirs = entry[method]
        ours = tau2.estimate(rows, method)
        if method == "DL":
            close(ours, theirs["tau2"], 1e-9, 1e-9)
        else:  # metafor stops where tau2 changes by less than 1e-5: see `test_pairwise_oracle`
            assert abs(ours - theirs["tau2"]) <= max(2e-4 * typical, 1e-4 * ours, 1.3e-4)
        solution = rows.profile.solve(theirs["tau2"])
        close(solution.beta[0], theirs["beta"])
        close(solution.covariance[0, 0] ** 0.5, theirs["se"])
        close(100 * tau2.i2_h2(rows, theirs["tau2"])[0], theirs["I2"])
    adjusted = inference.infer(rows, rows.profile.solve(entry["DL"]["tau2"]), "HK")
    close([adjusted.ci_lower[0], adjusted.ci_upper[0]], [entry["HK"]["ci_lb"], entry["HK"]["ci_ub"]], 1e-8)
    close(adjusted.p_value[0], entry["HK"]["pval"], 1e-8)


def test_no_cell_of_the_grid_is_empty_but_the_one_that_metafor_does_not_find() -> None:
    missing = {
        (name, method)
        for name, entry in PAIRWISE.items()
        for method in ("EE", "DL", "REML", "PM", "HK")
        if method not in entry
    }
    assert missing == {("curtis1998 MD", "PM")}
    assert {name.split()[0] for name in SHARP} == set(CORE["pairwise"])
    assert set(EXACT) == set(CORE["network"])
    # A network in pieces has no figures of the whole; its contrasts are counted in tests/sql.
    assert set(CORE["cited"]) - set(CORE["pairwise"]) - set(CORE["network"]) == {"linde2016_disc"}


def network_of(name: str) -> network.Network:
    about = CORE["network"][name]
    return network.from_contrasts(
        pd.DataFrame(about["contrasts"]).replace({"rMAO-A": "RMAO-A"}),
        measure=about["measure"], reference=about["reference"], lower_is_better=True,
    )  # fmt: skip


def pairs_of(one: list[str], two: list[str]) -> list[tuple[str, str]]:
    return [tuple(name.replace("rMAO-A", "RMAO-A") for name in pair) for pair in zip(one, two, strict=True)]


@pytest.mark.parametrize("name", CORE["network"])
def test_a_network_is_what_netmeta_makes_of_it(name: str) -> None:
    about, fit = CORE["network"][name], network.fit(network_of(name), tau2="DL", draws=100)
    spread = fit.heterogeneity().set_index("model").loc["random"]
    for ours, theirs in (("tau2", "tau2"), ("q", "Q"), ("df", "df_Q"), ("i2", "I2")):
        assert spread[ours] == pytest.approx(about["net"][theirs], rel=1e-8, abs=1e-8)
    for model in ("common", "random"):
        theirs = about[model]
        ours = fit.relative_effects(pairs_of(theirs["treat1"], theirs["treat2"]))
        ours = ours[ours["model"] == model]
        assert ours["estimate"].to_numpy() == pytest.approx(np.array(theirs["TE"]), rel=1e-8, abs=1e-8)
        assert ours["std_error"].to_numpy() == pytest.approx(np.array(theirs["seTE"]), rel=1e-8)


def check_exact(net: network.Network, expected: dict[str, Any]) -> None:
    upper = float(expected["prior_tau"].split(",")[1].rstrip(")"))
    fit = exact.fit(net, model="random", tau_prior=Uniform(upper=upper), effect_prior_sd=100.0)
    tau = fit.posteriors["random"].heterogeneity
    assert abs(tau.mean - expected["tau"]["mean"]) < 1e-6 * expected["tau"]["sd"]
    assert tau.sd == pytest.approx(expected["tau"]["sd"], rel=1e-6)
    basic = expected["basic"]
    found = fit.relative_effects(pairs_of(basic["treatment"], basic["versus"]))
    sd = np.array(basic["sd"])
    assert np.abs(found["estimate"].to_numpy() - basic["mean"]).max() < 1e-6 * sd.max()
    assert found["std_error"].to_numpy() == pytest.approx(sd, rel=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_posterior_of_a_network_is_the_other_quadratures(name: str) -> None:
    check_exact(network_of(name), CORE["network"][name]["exact"])


@pytest.mark.parametrize("name", SHARP)
def test_the_exact_posterior_of_a_pairwise_set_is_the_other_quadratures(name: str) -> None:
    entry = SHARP[name]
    table = pd.DataFrame({"te": entry["yi"], "se": np.sqrt(np.array(entry["vi"], float))}).dropna()
    names = entry["exact"]["basic"]
    table = table.assign(
        study=[f"study {i}" for i in table.index],
        treatment1=names["treatment"][0],
        treatment2=names["versus"][0],
    )
    net = network.from_contrasts(table, reference=names["versus"][0], lower_is_better=True)
    check_exact(net, entry["exact"])
