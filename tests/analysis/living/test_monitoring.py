"""The probability that new studies change a conclusion: closed forms, refits of the whole network, invariances."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import norm

import evidence
from analysis import network, pairwise
from analysis.living import predicted
from analysis.living.monitoring import records_waiting, update_worth
from analysis.network.data.network import Block
from evidence.cli import cli
from evidence.errors import CallError

ASKED = {"outcome": "hba1c", "measure": "MD", "treatment": "metf", "versus": "plac"}


@pytest.fixture(scope="module")
def diabetes():
    with evidence.open("diabetes") as db:
        yield db


@pytest.fixture(scope="module")
def exact(diabetes):
    return network.fit(network.load(diabetes, outcome="hba1c", measure="MD"), engine="exact", model="random")


def closed_form(estimate: float, variance: float, tau2: float, new: float, studies: int) -> float:
    """Probability that the interval changes its side of 0: known variances, a flat prior (normal theory)."""
    more = studies / (tau2 + new)
    total = 1 / variance + more
    centre, spread = estimate, np.sqrt(variance - 1 / total)  # of the estimate that is to come
    limit = norm.ppf(0.975) / np.sqrt(total)
    chances = {1: norm.sf(limit, centre, spread), -1: norm.cdf(-limit, centre, spread)}
    chances[0] = 1 - chances[1] - chances[-1]
    now = int(np.sign(estimate)) if abs(estimate) > norm.ppf(0.975) * np.sqrt(variance) else 0
    return 1 - chances[now]


@pytest.mark.parametrize(("shift", "studies", "n"), [(0.55, 1, 100.0), (0.95, 3, 400.0), (0.97, 2, None)])
@pytest.mark.parametrize("model", ["common", "random"])
def test_with_known_variances_it_is_the_closed_form(diabetes, model, shift, studies, n):
    """tau taken as known: the new estimate is normal about the old one, its interval as wide as the weights say."""
    fit = pairwise.fit(diabetes, **ASKED, tau2=0.25, ci="Wald")
    fit = pairwise.PairwiseFit.of(
        replace(
            fit.contrasts, frame=fit.contrasts.frame.assign(estimate=fit.contrasts.frame["estimate"] + shift)
        ),
        fit.options,
    )
    found = predicted.pairwise_changes(fit, model=model, studies=studies, n=n, draws=3000)
    pooled = fit.pooled[model == "random"].effect
    sizes = fit.contrasts.frame["n_a"] + fit.contrasts.frame["n_b"]
    new = np.median(fit.assembly.variance * sizes) / found.n
    truth = closed_form(
        float(pooled.estimate[0]), float(pooled.covariance[0, 0]), 0.25 * (model == "random"), new, studies
    )
    assert found.n == (n or sizes.median())
    assert abs(found.probability[0] - truth) < 4 * found.error[0], (found.probability, truth)


def added(net, template, y: np.ndarray, scale: float):
    """The network with one more study, written into its blocks."""
    blocks = list(net.blocks)
    at = next(i for i, block in enumerate(blocks) if block.k == len(template.treatment))
    block = blocks[at]
    blocks[at] = Block(
        np.append(block.study, len(net.studies)),
        np.vstack([block.treatment, template.treatment]),
        np.vstack([block.y, y]),
        np.concatenate([block.S, template.S[None] * scale]),
    )
    return replace(net, blocks=tuple(blocks), studies=(*net.studies, ("new", "main")), contrasts=None)


def test_the_closed_form_at_every_node_is_the_refit_of_the_whole_network(exact):
    """With the priors of the first fit, a study of two arms and one of three give what a fit from nothing gives."""
    net, spec = exact.network, exact.specification
    templates, _, _ = predicted._templates(net, None)
    updating = predicted._Updating(exact, "random")
    versus, treatment = np.triu_indices(len(net.treatments), 1)
    for template in (templates[0], next(t for t in templates if len(t.treatment) == 3)):
        y = np.full((2, len(template.S)), 0.4)
        y[1] -= 1.7
        below = updating.below([template], template.n / 0.5, y, [0.0, -0.3])
        for draw in range(2):
            again = network.fit(
                added(net, template, y[draw], 0.5), engine="exact", model="random", tau_prior=spec.prior,
                effect_prior_sd=spec.effect_sd,
            ).effect("random", treatment, versus)  # fmt: skip
            np.testing.assert_allclose(below[0, draw], again.probability_below(0.0), atol=2e-8)
            np.testing.assert_allclose(below[1, draw], again.probability_below(-0.3), atol=2e-8)


def test_what_is_known_now_is_the_mean_of_what_will_be_known(exact):
    """Probabilities are a martingale: their mean over the predictive distribution is the one of now."""
    net = exact.network
    templates, n, _ = predicted._templates(net, None)
    updating, some = predicted._Updating(exact, "random"), [templates[3]]
    coefficients, tau = exact.posteriors["random"].draws(2000, 5)
    y = predicted._new_data(some, updating.treatments, coefficients, tau, n, np.random.default_rng(2))
    below = updating.below(some, n, y, [0.0])[0]
    error = below.std(0) / np.sqrt(len(below)) + 1e-4
    assert (np.abs(below.mean(0) - updating.below_now([0.0])[0]) < 4 * error).all()


def test_neither_unit_nor_a_study_that_says_nothing_changes_anything(exact):
    scaled = network.fit(_scaled(exact.network, 1000.0), engine="exact", model="random")
    one, other = (predicted.network_changes(fit, draws=300) for fit in (exact, scaled))
    assert (one.changed == other.changed).all()
    assert [item[:3] for item in one.items] == [item[:3] for item in other.items]
    assert not predicted.network_changes(exact, n=1e-9, draws=100).changed.any()


def _scaled(net, factor):
    blocks = tuple(replace(block, y=block.y * factor, S=block.S * factor**2) for block in net.blocks)
    return replace(net, blocks=blocks)


def test_a_size_that_the_review_does_not_say_cannot_be_chosen():
    frame = pd.DataFrame(
        [("1", "a", "b", -0.5, 0.2), ("2", "a", "b", -0.1, 0.2), ("3", "c", "b", -0.3, 0.3)],
        columns=["study", "treatment_a", "treatment_b", "estimate", "std_error"],
    )
    fit = network.fit(network.from_contrasts(frame), engine="exact", model="random")
    assert predicted.network_changes(fit, draws=50).n is None
    with pytest.raises(CallError, match="do not say their sizes"):
        predicted.network_changes(fit, n=10)


def test_the_command_says_it_in_a_sentence_and_in_rows():
    call = ["update-worth", "diabetes", "--draws", "100"]
    said = CliRunner().invoke(cli, [*call, "hba1c-metformin", "--studies", "2", "--n", "100"]).stdout
    assert said.startswith(
        "hba1c-metformin (random effects): 2 more studies of 100 participants each would change "
    )
    assert "(Monte Carlo error 0.0" in said
    rows = json.loads(CliRunner().invoke(cli, [*call, "--format", "json"]).stdout)
    assert {row["kind"]: row["engine"] for row in rows} == {"network": "exact", "pairwise": "frequentist"}
    network_rows = [row for row in rows if row["kind"] == "network"]
    assert [row["conclusion"] for row in network_rows[-2:]] == ["first rank", "any of these"]
    assert network_rows[-1]["probability"] >= max(row["probability"] for row in network_rows)
    table = CliRunner().invoke(cli, [*call, "--format", "csv"]).stdout
    assert len(list(csv.DictReader(io.StringIO(table)))) == len(rows)


@pytest.mark.parametrize(
    ("given", "said"),
    [(["no-such"], "no analysis 'no-such'"), (["--studies", "few"], "'few' is neither"), (["--studies", "records"],
      "No record of the last search waits"), (["--n", "0"], "n is above 0")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(given, said):
    result = CliRunner().invoke(cli, ["update-worth", "diabetes", *given])
    assert result.exit_code == 2
    assert said in result.output


def test_records_of_the_last_search_that_wait_are_counted(tmp_path):
    (tmp_path / "review.toml").write_text('title = "x"\n', encoding="utf-8")
    (tmp_path / "searches.csv").write_text("search,database,date\na,PubMed,2020-01-01\nb,PubMed,2024-01-01\n")
    (tmp_path / "records.csv").write_text(
        "record,search,title,duplicate_of\nr1,a,A,\nr2,b,B,\nr3,b,C,r2\nr4,b,D,\nr5,b,E,\n", encoding="utf-8"
    )
    (tmp_path / "screening.csv").write_text(
        "record,stage,decision\nr4,title_abstract,exclude\n", encoding="utf-8"
    )
    with evidence.open(tmp_path) as db:
        assert records_waiting(db) == 2
        assert update_worth(db) == []
