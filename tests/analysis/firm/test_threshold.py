"""Thresholds are where the winner changes: studies pushed past them, networks fitted again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import evidence
from analysis import network
from analysis.firm.decision import Decision
from analysis.firm.threshold import points, region
from evidence.errors import CallError, RefusedError
from evidence.system.frames import records

NETWORKS = {
    "diabetes": ("hba1c", "MD"),
    "smoking": ("cessation", "OR"),
    "parkinson": ("off_time", "MD"),
}
JUST = 1e-6


@pytest.fixture(scope="module")
def nets():
    found = {}
    for review, (outcome, measure) in NETWORKS.items():
        with evidence.open(review) as db:
            found[review] = network.load(db, outcome=outcome, measure=measure)
    return found


def pushed(net, row, change):
    """The network in which studies found other effects: the arm of a row against all others of its study.

    Of a comparison, every study that makes it and nothing else.
    """
    arm, other = (net.treatments.index(row[name]) for name in ("treatment", "versus"))
    blocks = []
    for block in net.blocks:
        y = block.y.copy()
        for at, unit in enumerate(block.study.tolist()):
            if row["level"] == "study" and net.studies[unit] != (row["study"], row["experiment"]):
                continue
            if row["level"] == "comparison" and {arm, other} != set(block.treatment[at].tolist()):
                continue
            place = block.treatment[at].tolist().index(arm)
            y[at] += -change if place == 0 else change * (np.arange(block.k - 1) == place - 1)
        blocks.append(replace(block, y=y))
    return replace(net, blocks=tuple(blocks))


def winners(net, engine, count=1, **options):
    """Best treatments by the table of estimates."""
    found = network.fit(net, engine=engine, **options).relative_effects()
    effects = {net.reference: 0.0} | dict(zip(found["treatment"], found["estimate"]))
    ordered = sorted(effects, key=lambda name: effects[name], reverse=not net.lower_is_better)
    return sorted(ordered[:count], key=net.treatments.index)


def sides(row, prefix=""):
    for side in ("lower", "upper"):
        if row[f"{prefix}{side}"] is not None:
            yield row[f"{prefix}{side}"], row[f"{prefix}{side}_decision"].split(", ")


@pytest.mark.parametrize("review", NETWORKS)
@pytest.mark.parametrize(
    ("engine", "options", "count"),
    [
        ("frequentist", {"model": "common"}, 1),
        ("frequentist", {"model": "random", "tau": 0.3}, 2),
        ("exact", {"model": "random", "tau": 0.3, "effect_prior_sd": 20.0}, 1),
    ],
)
def test_a_study_pushed_past_its_threshold_makes_another_treatment_win(nets, review, engine, options, count):
    net = nets[review]
    now = winners(net, engine, count, **options)
    rows = records(network.fit(net, engine=engine, **options).thresholds(f"top {count}"))
    assert rows[0]["decided"].split(", ") == now
    tried = 0
    for row in rows:
        for change, then in sides(row) if row["level"] == "study" else ():
            if abs(change) > 50:
                continue
            tried += 1
            assert winners(pushed(net, row, change * (1 - JUST)), engine, count, **options) == now
            assert winners(pushed(net, row, change * (1 + JUST)), engine, count, **options) == then
    assert tried >= 8


@pytest.mark.parametrize("review", NETWORKS)
@pytest.mark.parametrize("engine", ["frequentist", "exact"])
def test_with_tau_estimated_anew_the_winner_changes_at_the_refitted_threshold(nets, review, engine):
    net = nets[review]
    options = {"model": "random"}
    if engine == "exact":
        options |= {"tau_prior": "half-normal(1)", "effect_prior_sd": 20.0}
    now = winners(net, engine, **options)
    rows = records(network.fit(net, engine=engine, **options).thresholds(refit=2))
    rows = [row for row in rows if row["refitted"]]
    assert {row["level"] for row in rows} == {"study", "comparison"}
    assert 3 <= len(rows) <= 4
    found = 0
    for row in rows:
        for change, then in sides(row, "refitted_"):
            found += 1
            assert winners(pushed(net, row, change * (1 - JUST)), engine, **options) == now
            assert winners(pushed(net, row, change * (1 + JUST)), engine, **options) == then
    assert found >= 2


def test_what_a_comparison_says_is_what_its_two_arm_studies_say(nets):
    """All studies of a comparison without further arms pushed together: the sum of their influences."""
    net = nets["diabetes"]
    for engine in ("frequentist", "exact"):
        fit = network.fit(net, engine=engine, model="random")
        some = list(points(fit, "random", fit.response("random")))
        compared = [one for one in some if one.level == "comparison" and one.moves]
        assert len(compared) > 3
        for one in compared:
            of_studies = [
                other.change * (1 if (other.treatment, other.versus) == (one.treatment, one.versus) else -1)
                for other in some
                if other.level == "study"
                and other.n_arms == 2
                and {other.treatment, other.versus} == {one.treatment, one.versus}
            ]
            assert len(of_studies) == one.n_studies
            assert one.change == pytest.approx(np.sum(of_studies, axis=0), rel=1e-9, abs=1e-13)


def test_thresholds_follow_the_unit_the_reference_and_the_direction(nets):
    net = nets["diabetes"]
    plain = network.fit(net, model="random").thresholds()
    scaled = replace(net, blocks=tuple(replace(b, y=1000 * b.y, S=1e6 * b.S) for b in net.blocks))
    found = network.fit(scaled, model="random").thresholds()
    for name in ("lower", "upper", "invariant_lower", "nearest"):
        assert found[name].to_numpy() == pytest.approx(1000 * plain[name].to_numpy(), rel=1e-9, nan_ok=True)
    assert found["lower_decision"].equals(plain["lower_decision"])
    turned = replace(
        net, blocks=tuple(replace(b, y=-b.y) for b in net.blocks), lower_is_better=not net.lower_is_better
    )
    found = network.fit(turned, model="random").thresholds()
    assert found["upper"].to_numpy() == pytest.approx(-plain["lower"].to_numpy(), rel=1e-9, nan_ok=True)
    assert found["upper_decision"].tolist() == plain["lower_decision"].tolist()
    other = network.fit(network.set_reference(net, "rosi"), model="random").thresholds()
    kept = {
        (r["study"], r["nearest"] and round(r["nearest"], 8))
        for r in records(plain)
        if r["level"] == "study" and r["n_arms"] == 2
    }
    assert kept == {
        (r["study"], r["nearest"] and round(r["nearest"], 8))
        for r in records(other)
        if r["level"] == "study" and r["n_arms"] == 2
    }


@pytest.mark.parametrize(
    ("decision", "holds"),
    [("rosi better than plac by 0.5", True), ("Rosiglitazone better than Placebo", True),
     ("sulf better than rosi", False), ("rosi better than plac by the smallest important difference", True)],
)  # fmt: skip
def test_a_claim_turns_where_its_difference_meets_the_margin(nets, decision, holds):
    net = nets["diabetes"]
    fit = network.fit(replace(net, smallest_important_difference=0.4), model="random")
    rows = records(fit.thresholds(decision))
    assert rows[0]["decided"] == ("holds" if holds else "does not hold")
    margin = {"by 0.5": 0.5, "rence": 0.4}.get(decision[-6:], {"rence": 0.4}.get(decision[-5:], 0.0))
    rule = Decision.read(decision, fit.network)
    a, b = rule.claimed
    response = fit.response("random")
    nearest = min(
        points(fit, "random", response),
        key=lambda one: abs((response.effect[b] - response.effect[a] - margin) / (one.change[a] - one.change[b] or 1e-9)),
    )  # fmt: skip
    expected = (response.effect[b] - response.effect[a] - margin) / (nearest.change[a] - nearest.change[b])
    assert min(row["nearest"] for row in rows if row["nearest"]) == pytest.approx(abs(expected), rel=1e-9)


def test_within_a_region_nothing_changes_and_beyond_each_edge_what_is_said(nets):
    for review, rule_text in (("diabetes", "best"), ("smoking", "top 2"), ("parkinson", "best")):
        net = nets[review]
        fit = network.fit(net, model="random")
        response = fit.response("random")
        rule = Decision.read(rule_text, net)
        some = [one for one in points(fit, "random", response) if one.level == "study"][-2:]
        change = np.array([one.change for one in some]).T
        found = region(rule, response.effect, change)
        now = rule.taken(response.effect)
        corners = np.column_stack([found.x, found.y])
        for here, there, then in zip(corners, np.roll(corners, -1, axis=0), found.edge):
            middle = (here + there) / 2
            assert rule.taken(response.effect + change @ (middle * 0.999)) == now
            if then is not None:
                assert rule.taken(response.effect + change @ (middle * 1.001)) == then
        assert any(then is not None for then in found.edge)


def test_what_cannot_be_decided_is_refused_by_name(nets):
    net = nets["smoking"]
    fit = network.fit(net, model="common")
    for text, said in (
        ("worst", "There is no decision 'worst'; there is best, top 2"),
        ("top 4", "top 4 of 4 treatments decides nothing: take 1 to 3."),
        ("self_hlp better than no_contact", "did you mean 'self_help'?"),
        ("self_help better than self_help", "names one treatment twice"),
        ("best by -1", "'-1' is no margin"),
        ("important", "has no smallest important difference"),
    ):
        with pytest.raises(CallError, match=said.replace("?", r"\?")):
            fit.thresholds(text)
    with pytest.raises(RefusedError, match="Fill in lower_is_better"):
        network.fit(replace(net, lower_is_better=None), model="common").thresholds()
    some = next(block for block in net.blocks if block.k == 2)
    apart = np.flatnonzero((some.treatment == [0, 1]).all(1) | (some.treatment == [2, 3]).all(1))
    parts = replace(
        some, study=some.study[apart], treatment=some.treatment[apart], y=some.y[apart], S=some.S[apart]
    )
    with pytest.raises(RefusedError, match="not connected"):
        network.fit(replace(net, blocks=(parts,), arms=None), model="common").thresholds()
    with pytest.raises(CallError, match="take the engine frequentist or exact"):
        network.fit(net, engine="counts", model="common").thresholds()
    with pytest.raises(CallError, match="0 or more"):
        fit.thresholds(plausible_bias=-1.0)
    rule = Decision.read("important 0.1", net)
    with pytest.raises(RefusedError, match="no region"):
        region(rule, fit.response("common").effect, np.ones((4, 2)))
