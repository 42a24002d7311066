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


@pytest.fixture
def finished(rows):
    """A pairwise run and a network with what stands behind how firm they are, numbers made up."""
    for treatment in ("a", "b", "c"):
        rows.treatment(treatment)
    rows.outcome("y")
    about = {"engine": "frequentist", "outcome": "y", "measure": "MD", "scale": "additive", "specification": "{}",
             "input_hash": "", "versions": "{}"}  # fmt: skip
    rows.effect_measure("MD")
    rows.insert(
        "result_run",
        [about | {"run_id": "p", "kind": "pairwise", "treatment": "a", "versus": "c"},
         about | {"run_id": "n", "kind": "network", "reference": "c"}],
    )  # fmt: skip

    def effect(run, treatment, versus, lower, upper, **row):
        return {"run_id": run, "engine": "frequentist", "model": "random", "treatment": treatment, "versus": versus,
                "estimate": (lower + upper) / 2, "ci_lower": lower, "ci_upper": upper, "evidence": "network"} | row  # fmt: skip

    rows.insert(
        "result_estimate",
        [effect("p", "a", "c", -3.0, -1.0, pi_lower=-5.0, pi_upper=1.0, evidence="direct"),
         effect("p", "a", "c", 1.0, 2.0, level="x", evidence="direct"),
         effect("n", "a", "c", -3.0, -1.0, pi_lower=-4.0, pi_upper=-0.5),
         effect("n", "c", "b", 1.0, 3.0, pi_lower=-1.0, pi_upper=5.0),
         effect("n", "a", "b", -1.0, 1.0, pi_lower=-2.0, pi_upper=2.0)],
    )  # fmt: skip
    left = ("run_id", "treatment", "versus", "study", "estimate", "ci_lower", "ci_upper")
    rows.insert(
        "result_leave_one_out",
        [dict(zip(left, row, strict=True)) | {"engine": "frequentist", "model": "random"}
         for row in [("p", "a", "c", "s1", -2.0, -3.0, -1.0), ("p", "a", "c", "s2", -1.0, -2.5, 0.5),
                     ("n", "a", "c", "s1", 2.0, 1.0, 3.0), ("n", "c", "b", "s1", 2.0, 1.0, 3.0),
                     ("n", "a", "c", "s2", -2.0, -3.0, -1.0), ("n", "c", "b", "s2", 2.0, 1.0, 3.0)]],
    )  # fmt: skip
    rows.insert(
        "result_inconsistency",
        [{"run_id": "n", "engine": "frequentist", "model": "random", "method": method, "treatment": t, "p_value": p}
         for method, t, p in [("back-calculation", "a", 0.04), ("back-calculation", "b", 0.5),
                              ("design-by-treatment", None, 0.3), ("between designs", None, 0.01)]],
    )  # fmt: skip
    rows.insert(
        "result_heterogeneity",
        [{"run_id": "p", "engine": "frequentist", "model": "random", "tau": 0.7, "i2": 0.4}],
    )
    return rows


def test_how_firm_a_run_is_is_counted_over_its_main_effects(finished):
    found = {
        (row["run_id"], row["aspect"]): tuple(row[key] for key in ("n", "n_of", "lower", "upper", "p_value"))
        for row in finished.query("select * from run_firmness")
    }
    assert found == {
        ("p", "heterogeneity"): (None, None, None, None, None),
        # Its interval excludes no effect, its prediction interval includes it.
        ("p", "prediction"): (1, 1, -5.0, 1.0, None),
        # Without s2 the interval includes no effect.
        ("p", "leave one out"): (1, 2, -2.0, -1.0, None),
        # Of the two effects against the reference; that of a on b is none of them.
        ("n", "prediction"): (1, 2, None, None, None),
        # Without s1 the effect of a turns to the other side.
        ("n", "leave one out"): (1, 2, None, None, None),
        ("n", "inconsistency"): (1, 2, None, None, 0.3),
    }
    (row,) = finished.query("select share, value from run_firmness where aspect = 'heterogeneity'")
    assert (row["share"], row["value"]) == (0.4, 0.7)


def test_no_study_is_said_to_change_a_conclusion_that_is_not_drawn_from_the_interval(finished):
    finished.connection.execute(
        "update result_estimate set adhoc_lower = -9, adhoc_upper = 9 where run_id = 'p'"
    )
    (row,) = finished.query(
        "select n, n_of, lower from run_firmness where run_id = 'p' and aspect = 'leave one out'"
    )
    assert (row["n"], row["n_of"], row["lower"]) == (None, 2, -2.0)
