"""What a picture is drawn from: a live fit and its stored run are one subject."""

from __future__ import annotations

import pytest

import evidence
from analysis import entered, network, plan, plot
from analysis.charts.base.files import specification
from evidence import results


@pytest.mark.parametrize("review", ["parkinson", "smoking"])
def test_what_entered_a_live_fit_is_counted_as_the_views_count_a_stored_run(stored, review):
    with evidence.open(stored[review]) as db:
        for row in results.listing(db):
            nodes, edges = entered.counts(results.read(db, row["run_id"]).frames["contrasts"])
            for view, rows, order in (
                ("run_node", nodes, "n_studies desc, treatment"),
                ("run_edge", edges, "treatment_a, treatment_b"),
            ):
                query = f"select * from {view} where run_id = ? order by {order}"
                expected = db.rows(query, [row["run_id"]])
                assert len(expected) == len(rows) > 0
                for row_of_view, found in zip(expected, rows, strict=True):
                    assert {key: value for key, value in row_of_view.items() if key != "run_id"} == found


def test_arms_that_share_their_animals_are_counted_once():
    import pandas as pd

    rows = [
        {"study": "s", "experiment": experiment, "arm_a": "t", "arm_b": "c", "treatment_a": "drug",
         "treatment_b": "placebo", "n_a": 5.0, "n_b": 8.0, "animals_a": f"{experiment}/t", "animals_b": "one/c"}
        for experiment in ("one", "two")
    ]  # fmt: skip
    nodes, edges = entered.counts(pd.DataFrame(rows))
    assert {row["treatment"]: (row["n_arms"], row["n_participants"]) for row in nodes} == {
        "drug": (2, 10.0),
        "placebo": (2, 8.0),
    }
    assert edges[0]["n_participants"] == 18


@pytest.mark.parametrize(
    "kind", ["network_diagram", "network_forest", "league", "rankogram", "contributions"]
)
def test_a_network_is_drawn_alike_from_its_stored_run_and_from_its_fit(stored, kind):
    with evidence.open(stored["parkinson"]) as db:
        row = next(row for row in db.rows("select * from plan") if row["kind"] == "network")
        run = results.read(db, row["analysis"])
        net = plan.planned_network(db, row)
        described = net.review
    kept = plot.Subject(run, described)
    # The evidence base is closed: a fit brings what its pictures need.
    live = plot.Subject.of(network.fit(net, engine=row["engine"], seed=row["seed"]))
    draw = getattr(plot, kind)
    assert specification(draw(kept)) == specification(draw(live))
