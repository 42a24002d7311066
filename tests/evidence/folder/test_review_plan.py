"""From review.toml to the plan: what is written, and what follows where nothing is."""

from __future__ import annotations

import json

import pytest

import evidence
from evidence.errors import ReviewError
from evidence.review import read


def plan_of(folder):
    (rows,) = [rows for rows in read(folder).rows if rows.table == "plan"]
    names = list(rows.columns)
    return [dict(zip(names, values)) for values in zip(*rows.columns.values())]


def test_default_plan(review_folder):
    plan = plan_of(review_folder())
    assert [(row["analysis"], row["kind"], row["outcome"], row["measure"]) for row in plan] == [
        ("alt MD", "network", "alt", "MD"),
        ("death OR BMSC saline", "pairwise", "death", "OR"),
        ("falls IRR UCMSC saline", "pairwise", "falls", "IRR"),
        ("survival HR UCMSC saline", "pairwise", "survival", "HR"),
    ]
    assert [row["reference"] for row in plan] == ["saline", None, None, None]
    assert [row["versus"] for row in plan] == [None, "saline", "saline", "saline"]
    assert {row["origin"] for row in plan} == {"default"}
    assert [row["position"] for row in plan] == [1, 2, 3, 4]


def test_default_plan_of_a_network_that_falls_apart(review_folder):
    folder = review_folder(
        {
            "treatments.csv": "treatment,role\nA,active\nB,active\nC,control\nD,active\nE,active\n",
            "studies.csv": "study\ns1\ns2\ns3\n",
            "arms.csv": "study,arm,treatment,n\ns1,a,A,9\ns1,b,B,9\ns2,b,B,9\ns2,c,C,9\ns3,d,D,9\ns3,e,E,9\n",
            "measurements.csv": "study,arm,outcome,mean,sd\n"
            + "".join(
                f"{s},{a},alt,1,1\n" for s, arms in (("s1", "ab"), ("s2", "bc"), ("s3", "de")) for a in arms
            ),
            "contrasts.csv": None,
            "risk_of_bias.csv": None,
            "records.csv": None,
            "screening.csv": None,
        }
    )
    plan = plan_of(folder)
    assert [(row["kind"], row["reference"], row["treatment"], row["versus"]) for row in plan] == [
        ("network", "C", None, None),
        ("pairwise", None, "E", "D"),
    ]
    assert json.loads(plan[0]["treatments"]) == ["A", "B", "C"]


def test_protocol_settings_hold_for_the_default_plan(review_folder):
    toml = """\
title = "T"
[protocol]
reference = "BMSC"
timepoint = "nearest:3"
seed = 7
where = "species = 'mouse'"
[protocol.defaults]
tau2 = "DL"
ci = "Wald"
"""
    network = plan_of(review_folder({"review.toml": toml}))[0]
    expected = {
        "reference": "BMSC", "timepoint": "nearest:3 d", "seed": 7, "where_sql": "species = 'mouse'", "tau2": "DL", "ci": "Wald",
    }  # fmt: skip
    assert {key: network[key] for key in expected} == expected


def test_planned_analyses(review_folder):
    toml = """\
title = "T"
[protocol]
reference = "saline"
timepoint = "nearest:2"
[protocol.defaults]
seed = 11
[[protocol.analysis]]
name = "main"
outcome = "alt"
engine = "exact"
tau_prior = "uniform(0, 200)"
effect_prior_sd = 1000
treatments = ["BMSC", "saline"]
node_split = true
chains = true
[[protocol.analysis]]
outcome = "alt"
measure = "ROM"
treatment = "BMSC"
versus = "saline"
subgroup = "species"
dependence = "multilevel"
seed = 3
leave_one_out = true
"""
    network, pairwise = plan_of(review_folder({"review.toml": toml}))
    stated = {
        "analysis": "main", "position": 1, "kind": "network", "outcome": "alt", "measure": "MD", "treatment": None,
        "versus": None, "reference": "saline", "treatments": '["BMSC", "saline"]', "timepoint": "nearest:2 d",
        "engine": "exact", "model": "both", "tau2": "REML", "ci": "HK", "method": None, "dependence": None, "tau_prior": "uniform(0, 200)",
        "effect_prior_sd": 1000, "subgroup": None, "moderators": None, "reference_levels": None,
        "where_sql": None, "exclude_high_rob": False, "smd": "d",
        "node_split": True, "leave_one_out": False, "chains": True, "funnel_order": None, "seed": 11, "origin": "plan",
    }  # fmt: skip
    assert {key: network[key] for key in stated} == stated
    assert {network[key] for key in network.keys() - stated.keys()} == {None, False}
    assert (pairwise["analysis"], pairwise["kind"]) == ("alt ROM BMSC saline", "pairwise")
    assert pairwise["dependence"] == "multilevel"
    assert (pairwise["seed"], pairwise["subgroup"], pairwise["leave_one_out"]) == (3, "species", True)


def test_the_plan_states_the_order_of_a_funnel_and_refuses_one_that_no_funnel_can_have(review_folder):
    toml = 'title = "T"\n[[protocol.analysis]]\noutcome = "alt"\nfunnel_order = ["BMSC", "saline"]\n'
    (network,) = plan_of(review_folder({"review.toml": toml}))
    assert network["funnel_order"] == '["BMSC", "saline"]'
    wrong = toml.replace('"saline"]', '"salin", "BMSC"]')
    pairwise = f'{toml}treatment = "BMSC"\nversus = "saline"\n'
    for text, expected in (
        (wrong, ["did you mean 'saline'?", "names 'BMSC' 2 times in funnel_order"]),
        (pairwise, ["is pairwise, which takes no funnel_order"]),
    ):
        with pytest.raises(ReviewError) as refused:
            read(review_folder({"review.toml": text}))
        said = " ".join(f"{problem.message} {problem.remedy}" for problem in refused.value.problems)
        assert all(words in said for words in expected)


@pytest.mark.parametrize("key", ["name", "kind", "outcome", "treatment", "versus"])
def test_what_only_one_analysis_can_say_does_not_spill_into_the_default_plan(review_folder, key):
    value = {"name": "x", "kind": "network", "outcome": "alt", "treatment": "BMSC", "versus": "saline"}[key]
    toml = f'title = "T"\n[protocol.defaults]\n{key} = "{value}"\n'
    assert len(plan_of(review_folder({"review.toml": toml}))) == 4


FIGURES = """\
title = "T"
[[protocol.figure]]
number = "Figure 1"
title = "Selection"
shows = ["prisma-flow"]
[[protocol.figure]]
number = "Figure 2"
title = "Networks"
shows = ["a-network", "b-network"]
"""


def test_figures_have_the_numbers_of_the_plan_with_letters_where_one_shows_several(review_folder):
    with evidence.open(review_folder({"review.toml": FIGURES})) as db:
        rows = db.sql("select figure, title, shows from plan_figure order by position").fetchall()
    assert rows == [
        ("Figure 1", "Selection", "prisma-flow"),
        ("Figure 2A", "Networks", "a-network"),
        ("Figure 2B", "Networks", "b-network"),
    ]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ('[[protocol.figure]]\nnumber = "Figure 3"\nshows = ["x"]\n', "figure 'Figure 3' has no title"),
        (
            '[[protocol.figure]]\nnumber = "Figure 1"\ntitle = "x"\nshows = ["x"]\n',
            "two figures are called 'Figure 1'",
        ),
        (
            f'[[protocol.figure]]\nnumber = "F"\ntitle = "x"\nshows = {["x"] * 27}\n',
            "shows 27, more than there are letters",
        ),
        ('[[protocol.figure]]\nnumbr = "F"\n', "has no key 'numbr'"),
        (
            '[[protocol.analysis]]\noutcome = "alt"\nchains = true\nengine = "mcmc"\n',
            "asks for chains beside another engine",
        ),
    ],
)
def test_figures_and_chains_that_cannot_be_are_named(review_folder, extra, message):
    with pytest.raises(ReviewError) as refused:
        evidence.open(review_folder({"review.toml": FIGURES + extra}))
    assert any(message in problem.message for problem in refused.value.problems)
