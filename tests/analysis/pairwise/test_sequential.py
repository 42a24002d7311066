"""Bounds for repeated looks and required information: ldbounds, RTSA, published examples, and simulation."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import quad
from scipy.stats import norm

import evidence
from analysis import pairwise
from analysis.pairwise.boundaries import crossing, efficacy, spent, wedge
from analysis.pairwise.sequential import LOOK, information_size
from analysis.plan import run_pairwise
from evidence.cli import cli
from evidence.errors import CallError, RefusedError
from evidence.importers.arms import import_arms
from evidence.system.frames import records

PINNED = json.loads((Path(__file__).parents[2] / "oracles" / "sequential.json").read_text(encoding="utf-8"))
ASKED = {
    "outcome": "infection",
    "measure": "RR",
    "treatment": "high oxygen",
    "versus": "low oxygen",
    "tau2": "DL",
}


@pytest.mark.parametrize("case", PINNED["ldbounds"], ids=lambda case: f"{case['t'][0]:.2g} {case['alpha']}")
def test_bounds_are_those_of_ldbounds_within_its_grid(case):
    np.testing.assert_allclose(efficacy(case["t"], case["alpha"]), case["upper"], rtol=3e-4)


@pytest.mark.parametrize("t", [(0.2, 0.35), (0.25, 0.5), (0.5, 0.52)])
def test_the_second_bound_is_that_of_an_adaptive_quadrature(t):
    first, second = efficacy(t)

    def leaving(z):
        return norm.pdf(z) * norm.sf((second * np.sqrt(t[1]) - z * np.sqrt(t[0])) / np.sqrt(t[1] - t[0]))

    left = quad(leaving, -first, first, epsabs=1e-15, limit=200)[0]
    assert left == pytest.approx(np.diff(spent(np.array(t), 0.025))[0], rel=1e-9)


@pytest.mark.parametrize("case", PINNED["wedge"], ids=lambda case: f"{case['t'][0]:.2g} {case['beta']}")
def test_bounds_futility_and_inflation_are_those_of_rtsa(case):
    found = wedge(case["t"], 0.05, case["beta"])
    # RTSA's are of one side: what would have left on the other stays, and comes back once in a million.
    np.testing.assert_allclose(efficacy(case["t"]), case["upper"], atol=2e-6)
    lower = np.array(case["lower"])
    assert (np.isnan(found.lower) == (lower < 0)).all()
    np.testing.assert_allclose(found.lower[lower > 0], lower[lower > 0], atol=1e-5)
    assert found.inflation == pytest.approx(case["inflation"], abs=1e-6)


@pytest.mark.parametrize("case", [*PINNED["size"], *PINNED["published"]], ids=lambda case: case["outcome"])
def test_information_that_is_required(case):
    if case["outcome"] == "MD":
        delta, variance = case["mc"], case["sd_mc"] ** 2
    else:
        odds = case["pC"] / (1 - case["pC"]) * case["mc"]
        other = case["pC"] * case["mc"] if case["outcome"] == "RR" else odds / (1 + odds)
        mean = (case["pC"] + other) / 2
        delta, variance = case["pC"] - other, mean * (1 - mean)
    fixed = information_size(delta, variance, case["alpha"], 1 - case["beta"])
    if "fixed" in case:
        assert np.ceil(fixed) == case["fixed"]
    # RTSA rounds up before it allows for diversity, and again.
    assert 0 <= case["required"] - fixed / (1 - case["d2"]) < 1 + 1 / (1 - case["d2"])


LOOKS = {
    "even": np.linspace(0.1, 1, 10),
    "uneven": np.array([0.08, 0.3, 0.31, 0.55, 0.9, 1.0]),
    "every year": np.linspace(0.02, 1, 50),
}


@pytest.mark.parametrize("looks", LOOKS.values(), ids=list(LOOKS))
def test_all_looks_together_err_as_often_as_one_may(looks):
    """By the recursion exactly; by simulation of the walk itself within its error."""
    bound = efficacy(looks)
    assert crossing(looks, bound) == pytest.approx(0.05, abs=1e-9)
    steps = np.sqrt(np.diff(looks, prepend=0.0))
    walk = np.cumsum(np.random.default_rng(3).standard_normal((100_000, len(looks))) * steps, axis=1)
    share = (np.abs(walk) / np.sqrt(looks) > bound).any(1).mean()
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 100_000)


def test_power_is_what_was_asked_for_once_the_information_is_inflated():
    for case in PINNED["wedge"][:2]:
        found = wedge(case["t"], 0.05, case["beta"])
        usual = 1.959963984540054 + {0.1: 1.2815515655446004, 0.2: 0.8416212335729143}[case["beta"]]
        # Stopping for futility costs power; the bounds of efficacy alone have more.
        alone = crossing(case["t"], efficacy(case["t"]), usual * np.sqrt(found.inflation))
        assert 1 - case["beta"] < alone < 1 - case["beta"] + 0.05
        steps = np.sqrt(np.diff(case["t"], prepend=0.0))
        drift = usual * np.sqrt(found.inflation) * np.array(case["t"])
        walk = np.cumsum(np.random.default_rng(4).standard_normal((200_000, 4)) * steps, axis=1) + drift
        z = walk / np.sqrt(case["t"])
        shown, given_up = z > efficacy(case["t"]), z < np.array(case["lower"])
        first = np.where(shown.any(1), shown.argmax(1), 9) < np.where(given_up.any(1), given_up.argmax(1), 9)
        assert abs(first.mean() - (1 - case["beta"])) < 0.004


def test_odd_looks():
    assert efficacy([1.0])[0] == pytest.approx(1.959963984540054)
    assert efficacy([1.7])[0] == pytest.approx(1.959963984540054)
    assert np.isinf(efficacy([0.01, 0.02])).all()
    # What hardly adds information is no look of its own, and after all is spent nothing is tested.
    found = efficacy([0.5, 0.50001, 1.2, 1.5])
    assert np.isnan(found[[1, 3]]).all()
    np.testing.assert_allclose(found[[0, 2]], efficacy([0.5, 1.0]), atol=1e-12)
    assert spent(np.array([0.5, 1.0, 2.0]), 0.025)[1:].tolist() == pytest.approx([0.025, 0.025])


@pytest.fixture(scope="module")
def oxygen(tmp_path_factory):
    """RTSA's data set as a review: 15 trials of perioperative oxygen, from 2000 to 2013."""
    folder, data = tmp_path_factory.mktemp("oxygen"), PINNED["perioOxy"]
    lines = ["study,year,treatment,n,events"]
    for study, *counts in zip(data["study"], data["nI"], data["eI"], data["nC"], data["eC"], strict=True):
        year = study.split()[-1]
        lines += [
            f"{study},{year},high oxygen,{counts[0]},{counts[1]}",
            f"{study},{year},low oxygen,{counts[2]},{counts[3]}",
        ]
    (folder / "arms.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_arms(folder / "arms.csv", folder / "r", outcome="infection", lower_is_better=True)
    with evidence.open(folder / "r") as db:
        yield db


def test_a_review_gives_what_metafor_and_the_formula_give(oxygen):
    found = pairwise.fit(oxygen, **ASKED).sequential(0.8, power=0.8)
    data, required, last = PINNED["perioOxy"], found.required, found.looks[-1]
    assert required.diversity == pytest.approx(
        data["d2"], rel=1e-3
    )  # metafor adds 1/2 to a study's empty cell alike
    assert required.control_risk == pytest.approx(sum(data["eC"]) / sum(data["nC"]))
    mean = required.control_risk * 0.9
    fixed = information_size(required.control_risk * 0.2, mean * (1 - mean), 0.05, 0.8)
    assert required.required == pytest.approx(fixed / (1 - required.diversity))
    assert last["z"] == pytest.approx(data["z"], rel=1e-3)
    assert last["n"] == sum(data["nI"]) + sum(data["nC"])
    assert [look["studies"] for look in found.looks][:2] == [1, 2]
    shares = [look["information_fraction"] for look in found.looks]
    bound = efficacy(shares)[-1]
    assert last["bound"] == pytest.approx(bound)
    assert last["adjusted_upper"] == pytest.approx(last["estimate"] + bound * last["std_error"])


def test_looks_are_the_studies_up_to_each_year_cut_off(oxygen):
    """Each look is the meta-analysis of what there was then."""
    found = pairwise.fit(oxygen, **ASKED).sequential(0.8)
    for look in (found.looks[3], found.looks[6]):
        then = pairwise.fit(oxygen, **ASKED, where=f"year <= {look['item']}", ci="Wald")
        row = next(row for row in records(then.estimates()) if row["model"] == "random")
        assert (look["estimate"], look["std_error"]) == pytest.approx(
            (row["estimate"], row["std_error"]), rel=1e-9
        )


SENTENCES = {
    # A large anticipated effect takes little information, a small one more than there is.
    "reached": (0.5, "were there in", "and no bound was crossed: an effect of 0.5"),
    "early": (0.9, "% of the required", "no bound is crossed: too early to conclude"),
}


@pytest.mark.parametrize(("effect", "one", "other"), SENTENCES.values(), ids=list(SENTENCES))
def test_sentences_of_what_is_not_shown(oxygen, effect, one, other):
    found = pairwise.fit(oxygen, **ASKED).sequential(effect, diversity=0.0 if effect == 0.5 else None)
    said = found.sentence()
    assert one in said
    assert other in said or "futility" in said


def test_the_direction_of_the_data_does_not_matter_nor_the_unit():
    with evidence.open("diabetes") as db:
        asked = {"outcome": "hba1c", "measure": "MD"}
        one = pairwise.fit(db, **asked, treatment="rosi", versus="plac").sequential(-0.25)
        other = pairwise.fit(db, **asked, treatment="plac", versus="rosi").sequential(0.25)
    assert "the monitoring bound was crossed in 1999" in one.sentence()
    for mine, theirs in zip(one.looks, other.looks, strict=True):
        assert mine["z"] == pytest.approx(-theirs["z"])
        assert [mine[name] for name in ("bound", "futility", "n")] == [
            theirs[name] for name in ("bound", "futility", "n")
        ]


def test_a_run_keeps_every_look_and_its_conclusion(oxygen):
    run = run_pairwise(oxygen, **ASKED, sequential=True, anticipated_effect=0.8)
    rows = [row for row in records(run.frames["sensitivity"]) if row["method"] == "sequential"]
    items = list(dict.fromkeys(row["item"] for row in rows))
    assert (items[0], items[-1]) == ("required", "conclusion")
    assert {row["quantity"] for row in rows if row["item"] == items[-2]} <= set(LOOK)
    assert run.specification["anticipated_effect"] == 0.8
    assert "sequential" not in run_pairwise(oxygen, **ASKED).specification


def test_the_smallest_important_difference_is_what_is_worth_finding(tmp_path):
    folder = tmp_path / "r"
    assert CliRunner().invoke(cli, ["new", str(folder)]).exit_code == 0
    with evidence.open("smoking") as db:
        fit = pairwise.fit(
            db, outcome="cessation", measure="OR", treatment="ind_counseling", versus="no_contact"
        )
    assert fit.sequential(exp(0.3)).required.anticipated == pytest.approx(0.3)
    assert fit.sequential(1.5).required.anticipated == log(1.5)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"anticipated": 1.0}, CallError, "above 0, and not 1"),
        ({"anticipated": 0.8, "alpha": 2.0}, CallError, "alpha is 2"),
        ({"anticipated": 0.8, "power": 0.01}, CallError, "nothing is to be found"),
        ({"anticipated": 0.8, "diversity": 1.0}, CallError, "below 1"),
        ({"anticipated": 12.0}, CallError, "such an effect gives no risk"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(oxygen, given, error, said):
    with pytest.raises(error, match=said):
        pairwise.fit(oxygen, **ASKED).sequential(given.pop("anticipated"), **given)


def test_the_command_prints_it_and_says_what_is_missing():
    call = [
        "pool",
        "diabetes",
        "--outcome",
        "hba1c",
        "--measure",
        "MD",
        "--treatment",
        "rosi",
        "--versus",
        "plac",
    ]
    said = CliRunner().invoke(cli, [*call, "--sequential", "--anticipated-effect", "-0.25"]).output
    assert "sequential: the monitoring bound was crossed in 1999" in said
    said = CliRunner().invoke(cli, [*call, "--sequential"])
    assert (said.exit_code, "--anticipated-effect" in said.output) == (2, True)
    said = CliRunner().invoke(cli, [*call, "--power", "0.8"])
    assert (said.exit_code, "ask for it, --sequential" in said.output) == (2, True)


def test_a_study_without_a_year_is_refused(oxygen):
    fit = pairwise.fit(oxygen, **ASKED)
    fit.assembly.contrasts.variables.loc[0, "year"] = np.nan
    with pytest.raises(RefusedError, match="without a year"):
        fit.sequential(0.8)
