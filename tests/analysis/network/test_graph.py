"""Who was compared with whom: parts, designs, comparisons, and what can be split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network.data import graph


def net_of(*studies: str) -> Any:
    """Make a network of studies given by their one-letter treatments."""
    rows = [
        {"study": f"{i:02d}", "treatment": t, "y": float(ord(t)), "v": 0.1}
        for i, arms in enumerate(studies)
        for t in arms
    ]
    return network.from_arms(pd.DataFrame(rows), reference="A")


def test_components_are_numbered_by_their_lowest_node() -> None:
    assert graph.components(6, [(4, 5), (1, 3)]).tolist() == [0, 1, 2, 1, 3, 3]
    assert graph.components(3, []).tolist() == [0, 1, 2]


def test_comparisons_come_from_every_pair_of_arms() -> None:
    net = net_of("AB", "ABC", "BD")
    rows = graph.comparisons(net)
    found = {
        (net.studies[s][0], net.treatments[a], net.treatments[b]): (float(y), round(float(v), 12))
        for s, a, b, y, v in zip(rows.study, rows.first, rows.second, rows.estimate, rows.variance)
    }
    assert found == {
        ("00", "A", "B"): (1.0, 0.2),
        ("01", "A", "B"): (1.0, 0.2),
        ("01", "A", "C"): (2.0, 0.2),
        ("01", "B", "C"): (1.0, 0.2),
        ("02", "B", "D"): (2.0, 0.2),
    }
    assert graph.direct_comparisons(net) == [(0, 1), (0, 2), (1, 2), (1, 3)]


def test_designs_gather_studies_with_the_same_treatments() -> None:
    net = net_of("AB", "BA", "ABC", "BC")
    found = {graph.design_name(net, design): len(rows) for design, _, rows in graph.designs(net)}
    assert found == {"A:B": 2, "B:C": 1, "A:B:C": 1}


@pytest.mark.parametrize(
    ("studies", "pair", "reason"),
    [
        (("AB", "BC", "AC"), "AB", None),
        (("AB", "BC"), "AB", "no indirect evidence"),
        (("ABC",), "AB", "only indirect evidence"),
        (("AB", "ABC"), "AB", "only indirect evidence"),
        # C and B are compared elsewhere, but A reaches C only in the study that compares A with B.
        (("ABC", "BC"), "AB", "only indirect evidence"),
        (("ABC", "BC", "AC"), "AB", None),
        (("ABCD", "CD"), "AB", "only indirect evidence"),
    ],
)
def test_what_can_be_split(studies: tuple[str, ...], pair: str, reason: str | None) -> None:
    net = net_of(*studies)
    index = tuple(net.treatments.index(name) for name in pair)
    verdict = graph.splittable(net)[index]  # type: ignore[index]
    assert verdict is None if reason is None else reason in str(verdict)


def test_the_diabetes_network_has_fifteen_comparisons_of_which_eleven_split(tmp_path) -> None:
    import evidence

    with evidence.open(evidence.build("diabetes", output=tmp_path / "diabetes.duckdb")) as db:
        verdict = graph.splittable(network.load(db, "hba1c", "MD"))
    assert len(verdict) == 15
    assert sum(reason is None for reason in verdict.values()) == 11


def test_studies_without_a_comparison_leave_nothing_behind() -> None:
    net = net_of("AB", "A", "BC")
    assert [study for study, _ in net.studies] == ["00", "02"]
    assert np.array_equal(graph.comparisons(net).study, [0, 1])
