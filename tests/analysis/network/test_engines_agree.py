"""Two engines, two ways of computing, one answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network

PINNED = json.loads(
    (Path(__file__).parents[2] / "oracles" / "network_netmeta.json").read_text(encoding="utf-8")
)
BESIDE = ("linde2016", "hong2015", "eae_mouse", "dietaryfat", "atrialfib")


TREE = "dietaryfat"
"""No loop of different studies: nothing to split."""


def networks(beside: Sequence[str]) -> list[Any]:
    return [*PINNED["networks"], *(pytest.param(name, marks=pytest.mark.oracle) for name in beside)]


@pytest.fixture(params=networks(BESIDE))
def net(request: pytest.FixtureRequest) -> Any:
    if request.param in PINNED["networks"]:
        pinned = PINNED["networks"][request.param]
        return network.from_contrasts(
            pd.DataFrame(pinned["contrasts"]), reference=pinned["reference"], lower_is_better=True
        )
    directory = request.getfixturevalue("oracle_directory") / "data"
    meta = json.loads((directory / f"{request.param}.meta.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(directory / f"{request.param}.contrasts.csv")
    options = {"measure": meta["effect_measure"], "reference": meta["reference"], "lower_is_better": True}
    return network.from_contrasts(frame, **options)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.05, 0.5])
def test_exact_with_flat_priors_and_tau_known_is_generalised_least_squares(net: Any, tau: float) -> None:
    frequentist = network.fit(net, tau=tau)
    exact = network.fit(net, engine="exact", tau=tau, effect_prior_sd=np.inf)
    pairs = frequentist.all_pairs()
    ours, theirs = frequentist.relative_effects(pairs), exact.relative_effects(pairs)
    assert ours["model"].tolist() == theirs["model"].tolist()
    for name in ("estimate", "std_error", "ci_lower", "ci_upper"):
        assert (np.abs(ours[name] - theirs[name]) / ours["std_error"]).max() < 1e-9
    scores = [fit.ranking().set_index(["model", "treatment"]).sort_index() for fit in (frequentist, exact)]
    np.testing.assert_allclose(scores[0]["p_score"], scores[1]["sucra"], atol=1e-9)
    np.testing.assert_allclose(scores[0]["mean_rank"], scores[1]["mean_rank"], atol=1e-8)


@pytest.mark.parametrize("net", networks([name for name in BESIDE if name != TREE]), indirect=True)
def test_splits_by_an_inconsistency_parameter_agree(net: Any) -> None:
    frequentist = network.fit(net, tau=0.2, model="random").node_splits("side-splitting")
    exact = network.fit(net, engine="exact", tau=0.2, effect_prior_sd=1e4, model="random").node_splits()
    both = frequentist.merge(exact, on=["treatment", "versus"], suffixes=("", "_exact")).dropna(
        subset="difference"
    )
    assert len(both) == frequentist["difference"].notna().sum() > 0
    for name in ("direct", "indirect", "difference"):
        gap = (both[name] - both[f"{name}_exact"]).abs() / both["difference_std_error"]
        assert gap.max() < 1e-5  # the exact engine's priors are wide, not flat


@pytest.mark.oracle
@pytest.mark.parametrize("net", [TREE], indirect=True)
def test_no_engine_splits_a_network_without_loops(net: Any) -> None:
    for splits in (
        network.fit(net, tau=0.2, model="random").node_splits("side-splitting"),
        network.fit(net, engine="exact", tau=0.2, effect_prior_sd=1e4, model="random").node_splits(),
    ):
        assert splits["difference"].isna().all()
        assert splits["note"].str.contains("indirect evidence").all()
