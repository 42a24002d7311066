"""Nodes, edges, components and designs of each network."""

from __future__ import annotations

import pytest


def table(rows, view: str, columns: str, measure: str = "MD") -> list[tuple]:
    found = rows.query(f"select {columns} from {view} where measure = ? order by all", [measure])
    return [tuple(row.values()) for row in found]


@pytest.fixture
def network(rows):
    """A three-arm study, two of two arms, and one that nothing links to them."""
    for study, arms in (
        ("one", {"a": 10, "b": 11, "placebo": 12}),
        ("two", {"a": 20, "placebo": 21}),
        ("three", {"a": 30, "placebo": 31}),
        ("apart", {"y": 40, "z": 41}),
    ):
        for arm, n in arms.items():
            rows.measure(study, arm, n=n, mean=1, sd=1)
    return rows


def test_nodes(network):
    columns = "treatment, n_studies, n_arms, n_participants, n_multi_arm"
    assert table(network, "network_node", columns) == [
        ("a", 3, 3, 60, 1),
        ("b", 1, 1, 11, 1),
        ("placebo", 3, 3, 64, 1),
        ("y", 1, 1, 40, 0),
        ("z", 1, 1, 41, 0),
    ]


def test_edges(network):
    columns = "treatment_a, treatment_b, n_studies, n_arms, n_participants, n_multi_arm, n_contrasts"
    assert table(network, "network_edge", columns) == [
        ("a", "b", 1, 2, 21, 1, 1),
        ("a", "placebo", 3, 6, 124, 1, 3),
        ("b", "placebo", 1, 2, 23, 1, 1),
        ("y", "z", 1, 2, 81, 0, 1),
    ]


def test_components(network):
    columns = (
        "component, treatment, n_components, n_treatments, n_studies, n_arms, n_participants, n_multi_arm"
    )
    assert table(network, "network_component", columns) == [
        (1, "a", 2, 3, 3, 7, 135, 1),
        (1, "b", 2, 3, 3, 7, 135, 1),
        (1, "placebo", 2, 3, 3, 7, 135, 1),
        (2, "y", 2, 2, 1, 2, 81, 0),
        (2, "z", 2, 2, 1, 2, 81, 0),
    ]


def test_a_chain_is_one_component(rows):
    for i in range(30):
        for arm in (f"t{i:02}", f"t{i + 1:02}"):
            rows.measure(f"s{i}", arm, n=5, mean=1, sd=1)
    assert {row[0] for row in table(rows, "network_component", "component")} == {1}
    assert len(table(rows, "network_component", "treatment")) == 31


def test_designs(network):
    columns = "design, n_treatments, n_studies, n_arms, n_participants, n_multi_arm"
    assert table(network, "network_design", columns) == [
        ("a:b:placebo", 3, 1, 3, 33, 1),
        ("a:placebo", 2, 2, 4, 102, 0),
        ("y:z", 2, 1, 2, 81, 0),
    ]


def test_experiments_of_a_study_are_units_of_their_own(rows):
    for experiment in ("e1", "e2"):
        for arm in ("a", "placebo"):
            rows.measure("s", arm, experiment=experiment, n=5, mean=1, sd=1)
    assert table(rows, "network_edge", "n_studies, n_arms, n_contrasts, n_multi_arm") == [(1, 4, 2, 0)]
    assert table(rows, "network_design", "design, n_studies, n_arms, n_multi_arm") == [("a:placebo", 1, 4, 0)]


def test_two_doses_of_one_treatment_are_two_arms_of_a_node(rows):
    rows.arm("s", "low", "drug")
    rows.arm("s", "high", "drug")
    for arm in ("low", "high", "placebo"):
        rows.measure("s", arm, n=5, mean=1, sd=1)
    assert table(rows, "network_node", "treatment, n_arms, n_multi_arm") == [
        ("drug", 2, 1),
        ("placebo", 1, 1),
    ]
    assert table(rows, "network_edge", "n_arms, n_contrasts, n_participants") == [(3, 2, 15)]


def test_one_time_point_of_a_study_counts_first_by_its_arms_and_then_by_the_rule(rows):
    measured = {"s": {1: "abc", 2: "ab"}, "t": {1: "de", 2: "df"}}
    for study, course in measured.items():
        for timepoint, arms in course.items():
            for arm in arms:
                rows.measure(study, arm, n=5, mean=1, sd=1, timepoint=timepoint)
    assert table(rows, "network_node", "treatment, n_arms") == [(arm, 1) for arm in "abcdf"]


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize(
    "name",
    [
        "atrialfib", "baker2009", "certolizumab", "diabetes", "dietaryfat", "eae_mouse", "franchini2012", "gurusamy2011",
        "hong2015", "linde2016", "linde2016_disc", "pagliaro1992", "schwingshackl2014", "senn2013", "smoking",
    ],
)  # fmt: skip
def test_as_netmeta_counts(name, load_oracle, rows):
    network = load_oracle(name)["network"]
    measure = {"binary": "OR", "rate": "IRR"}.get(rows.one("select kind from outcome")["kind"])
    measure = measure or ("SMD" if name in ("eae_mouse", "hong2015") else "MD")
    expected = network["connection"]
    assert {
        "n_subnets": len({row[0] for row in table(rows, "network_component", "component", measure)}),
        "k": rows.one("select count(distinct study) as k from network_arm where measure = ?", [measure])["k"],
        "m": len(rows.query("select * from analysis_contrast where measure = ?", [measure])),
        "n": len(table(rows, "network_node", "treatment", measure)),
        "d": len(table(rows, "network_design", "design", measure)),
    } == {key: expected[key] for key in ("n_subnets", "k", "m", "n", "d")}
    matrix = expected["A_matrix"]
    adjacent = {
        frozenset((one, two)): studies
        for one, row in zip(matrix["rows"], matrix["values"], strict=True)
        for two, studies in zip(matrix["cols"], row, strict=True)
        if studies
    }
    columns = "treatment_a, treatment_b, n_studies"
    assert {frozenset(row[:2]): row[2] for row in table(rows, "network_edge", columns, measure)} == adjacent
