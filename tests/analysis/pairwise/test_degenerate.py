"""Odd but valid numbers: every analysis gives numbers or a reason, never a traceback or a verdict on nothing."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from analysis import network, pairwise
from analysis.pairwise.data.assembly import DEPENDENCE
from analysis.pairwise.model.inference import INTERVALS
from analysis.verdict import may_be_said
from evidence.errors import EvidenceError, RefusedError


def table(estimate, std_error, **more):
    k = len(estimate)
    return pd.DataFrame({"study": [f"s{i}" for i in range(k)], "yi": estimate, "sei": std_error} | more)


def tables_of_events(measure, a, n_a, b, n_b):
    """Rows with counts, and with the effects they have after 0.5 was added to every cell."""
    p, q = (a + 0.5) / (n_a + 1), (b + 0.5) / (n_b + 1)
    if measure == "OR":
        y = np.log(p / (1 - p)) - np.log(q / (1 - q))
        v = 1 / (a + 0.5) + 1 / (n_a - a + 0.5) + 1 / (b + 0.5) + 1 / (n_b - b + 0.5)
    elif measure == "RR":
        y, v = np.log(p / q), (1 - p) / (n_a + 1) / p + (1 - q) / (n_b + 1) / q
    else:
        y, v = p - q, p * (1 - p) / (n_a + 1) + q * (1 - q) / (n_b + 1)
    counts = {"events_a": a, "n_a": n_a, "events_b": b, "n_b": n_b}
    return pd.DataFrame({"study": [f"s{i}" for i in range(len(y))], "yi": y, "vi": v} | counts)


def everything(fit):
    """Every frame that belongs to a fit; a side analysis that is refused says so in a row of its own."""
    return [
        fit.estimates(), fit.heterogeneity(), fit.weights(), fit.notes(), fit.exclusions(),
        fit.leave_one_out(), fit.sensitivity(),
    ]  # fmt: skip


@pytest.mark.parametrize("ci", ["HK", "HK-adhoc", "Wald", "CR2"])
@pytest.mark.parametrize(
    "effects", [[0.0] * 4, [1.0] * 3, [-0.3] * 4, [0.2] * 3], ids=["zeros", "ones", "four", "three"]
)
def test_equal_effects_have_a_slope_of_0_or_a_reason_whatever_the_rounding(effects, ci):
    k = len(effects)
    data = table(effects, [0.1, 0.15, 0.12, 0.2][:k], mg=[10.0, 20.0, 30.0, 50.0][:k])
    with suppress(RefusedError):
        found = pairwise.fit(data, ci=ci).meta_regression("mg").coefficients().set_index("term")
        slope = found.loc["mg"]
        assert slope["estimate"] == pytest.approx(0, abs=1e-12)
        # A slope of 0 whose standard error rounding makes is no finding.
        assert not slope["p_value"] < 0.05


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_equal_risks_with_a_moderator_end_in_numbers_or_a_reason(measure):
    n, events = np.array([50, 80, 60, 90]), np.array([5, 8, 6, 9])
    data = tables_of_events(measure, events, n, events, n).assign(x=[1.0, 2, 3, 5])
    assert pairwise.fit(data, measure=measure).estimates()["estimate"].to_numpy() == pytest.approx(
        0, abs=1e-12
    )
    for ci in INTERVALS:
        with suppress(RefusedError):
            pairwise.fit(data, measure=measure, ci=ci).meta_regression("x").coefficients()


@pytest.mark.parametrize("tiny", [1e-8, 1e-9, 1e-10, 1e-12])
def test_one_tiny_standard_error_leaves_the_main_result_and_warns(tiny):
    fit = pairwise.fit(table([0.3, 0.5, 0.1, 0.4], [tiny, 0.1, 0.12, 0.11]))
    everything(fit)
    common = fit.estimates().iloc[0]
    assert common["estimate"] == pytest.approx(0.3, abs=1e-9)
    notes = fit.notes()
    said = notes[notes["severity"] == "warning"]["message"]
    assert said.str.contains("variance|standard error", regex=True).any()


def test_three_levels_with_a_stray_cell_count_end_in_numbers_or_a_reason():
    data = pd.DataFrame(
        {"study": ["a", "a", "b"], "yi": [0.27, 0.00002, 1.4e6], "sei": [0.2, 0.25, 0.3]}
    ).assign(experiment=["one", "two", "one"])
    for how in ("multilevel", "CR2", "combine", "independent"):
        with suppress(EvidenceError):
            fit = pairwise.fit(data, dependence=how)
            everything(fit)


def test_two_effects_of_one_study_twelve_powers_apart_have_a_heterogeneity_or_a_reason():
    data = pd.DataFrame(
        {"study": ["a", "a"], "experiment": ["x", "y"], "yi": [1.0, 2.0], "sei": [6.5, 1.3e-11]}
    )
    for how in DEPENDENCE:
        with suppress(EvidenceError):
            fit = pairwise.fit(data, dependence=how)
            everything(fit)


def test_cr2_meta_regression_on_variances_sixteen_powers_apart_ends_in_numbers_or_a_reason():
    data = table(np.linspace(0, 1, 9), 10.0 ** np.linspace(-4, 4, 9), x=np.arange(9.0) ** 2)
    for ci in INTERVALS:
        with suppress(EvidenceError):
            pairwise.fit(data, ci=ci).meta_regression("x").coefficients()


def test_a_pairwise_prior_piled_at_its_bound_is_warned_of():
    # Effects that differ more than uniform(0, 1) allows: its upper end would be read as a finding.
    data = table([-1.0, 0.2, 1.0], [0.1, 0.1, 0.1])
    cut = network.fit(
        network.from_pairwise(pairwise.fit(data)), engine="exact", tau_prior="uniform(0, 1)"
    ).notes()
    assert cut[cut["severity"] == "warning"]["message"].str.contains("cut off by the upper limit").any()
    wide = network.fit(
        network.from_pairwise(pairwise.fit(data)), engine="exact", tau_prior="uniform(0, 10)"
    ).notes()
    assert not wide[wide["severity"] == "warning"]["message"].str.contains("cut off").any()


def _random_table(rng):
    """A small table as people bring them, and as nobody should."""
    k = int(rng.integers(1, 9))
    scale = 10.0 ** rng.integers(-6, 7)
    estimate = rng.normal(0, 1, k) * rng.choice([0.0, 1e-3, 1.0, 1e3])
    if rng.random() < 0.3:
        estimate = np.full(k, rng.choice([0.0, 1.0, -0.3, 0.2]))
    std_error = rng.uniform(0.05, 1, k)
    if rng.random() < 0.3:
        std_error[rng.integers(k)] *= 10.0 ** rng.integers(-12, 12)
    if rng.random() < 0.3:
        std_error[:] = std_error[0]
    names = [
        f"s{i}" for i in (np.arange(k) if rng.random() < 0.5 else rng.integers(0, max(1, k // 2) + 1, k))
    ]
    levels = rng.choice(["p", "q", "r"], k) if rng.random() < 0.7 else np.full(k, "p")
    number = [np.full(k, 3.0), np.arange(k) * 1.0, rng.normal(size=k) * scale][rng.integers(3)]
    return pd.DataFrame(
        {
            "study": names,
            "experiment": [f"e{i}" for i in range(k)],
            "yi": estimate * scale,
            "sei": std_error * scale,
            "n_a": rng.integers(2, 40, k),
            "n_b": rng.integers(2, 40, k),
            "group": levels,
            "number": number,
        }
    )


@pytest.mark.slow
def test_any_small_table_gives_numbers_or_a_reason_and_no_verdict_without_an_interval():
    rng = np.random.default_rng(20261129)
    answered = refused = 0
    for trial in range(90):
        data = _random_table(rng)
        asked = {
            "measure": str(rng.choice(["MD", "SMD", "ROM", "GEN"])),
            "ci": str(rng.choice(list(INTERVALS))),
            "tau2": str(rng.choice(["REML", "DL", "PM", "ML", "HE", "HS", "SJ", "EB"])),
            "method": str(rng.choice(["inverse_variance", "multilevel"])),
            "dependence": [None, *DEPENDENCE][rng.integers(5)],
            "by": [None, "group"][rng.integers(2)],
        }
        try:
            fit = pairwise.fit(data, **asked)
            frames = everything(fit)
            answered += 1
        except EvidenceError:
            refused += 1
            continue
        for row in frames[0].to_dict("records"):
            if not np.isfinite([row["ci_lower"], row["ci_upper"]]).all():
                assert not may_be_said(row), (trial, asked, row)
        for terms in (["number"], ["group"], ["group", "number"]):
            with suppress(EvidenceError):
                fit.meta_regression(*terms).frame()
    assert answered > 25
    assert refused > 3
