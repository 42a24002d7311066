"""A run keeps the rows that entered it, and every count of it follows from them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import evidence
from analysis import plan
from analysis.charts.base.files import tables
from analysis.report import words
from analysis.report.blocks import Figure, everything
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.network import network_section
from analysis.report.sections.whole import findings
from evidence import results
from evidence.database import connect
from evidence.errors import CallError
from evidence.trace import trace

PLAN = """
[[protocol.analysis]]
name = "low"
kind = "network"
outcome = "y"
measure = "SMD"
exclude_high_rob = true
smd = "g"
timepoint = "first"

[[protocol.analysis]]
name = "pair"
kind = "pairwise"
outcome = "y"
measure = "MD"
treatment = "a"
versus = "c"
subgroup = "model"
exclude_high_rob = true

[[protocol.analysis]]
name = "class"
kind = "pairwise"
outcome = "y"
measure = "MD"
treatment = "drugs"
versus = "c"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory, small_review):
    place = tmp_path_factory.mktemp("entered")
    folder = small_review.write(place / "small", PLAN, small_review.studies())
    return evidence.build(folder, place / "small.duckdb")


@pytest.fixture(scope="module")
def db(file):
    with evidence.open(file) as base:
        runs = plan.run_plan(base)
    results.save(file, runs)
    with evidence.open(file) as base:
        yield base


def arms_of(small_review, low: bool) -> dict[tuple[str, str], int]:
    return {
        (study.study, treatment): n
        for study in small_review.studies()
        if not (low and study.high_risk)
        for treatment, n in study.arms.values()
    }


@pytest.mark.slow
def test_nodes_and_size_of_a_run_count_what_entered_it(db, small_review):
    arms = arms_of(small_review, low=True)
    run = results.read(db, "low")
    found = db.rows("select * from run_size where run_id = ?", [run.run_id])[0]
    assert found["n_participants"] == sum(arms.values())
    assert found["n_studies"] == len({study for study, _ in arms}) == run.n_studies
    assert found["n_arms"] == len(arms) == run.n_arms
    nodes = {
        row["treatment"]: row for row in db.rows("select * from run_node where run_id = ?", [run.run_id])
    }
    for treatment in "abcd":
        own = {key: n for key, n in arms.items() if key[1] == treatment}
        assert nodes[treatment]["n_participants"] == sum(own.values())
        assert nodes[treatment]["n_studies"] == nodes[treatment]["n_arms"] == len(own)


@pytest.mark.slow
def test_an_analysis_of_a_class_counts_its_animals_a_shared_control_once(db, small_review):
    run = results.read(db, "class")
    arms = [study.arms.values() for study in small_review.studies()]
    used = [[n for t, n in some if t in "abc"] for some in arms if {"c"} < {t for t, _ in some if t in "abc"}]
    found = db.rows("select * from run_size where run_id = ?", [run.run_id])[0]
    assert found["n_participants"] == sum(map(sum, used))
    assert found["n_studies"] == len(used)


@pytest.mark.slow
def test_edges_and_designs_of_a_run_count_what_entered_it(db, small_review):
    low = [study for study in small_review.studies() if not study.high_risk]
    run = results.read(db, "low")
    for row in db.rows("select * from run_edge where run_id = ?", [run.run_id]):
        pair = {row["treatment_a"], row["treatment_b"]}
        own = [study for study in low if pair <= {t for t, _ in study.arms.values()}]
        assert row["n_studies"] == row["n_contrasts"] == len(own)
        assert row["n_participants"] == sum(n for s in own for t, n in s.arms.values() if t in pair)
        assert row["n_multi_arm"] == sum(len(s.arms) > 2 for s in own)
    designs = {
        row["design"]: row["n_studies"]
        for row in db.rows("select * from run_design where run_id = ?", [run.run_id])
    }
    assert sum(designs.values()) == len(low)
    assert designs["a:b:c"] == sum({t for t, _ in s.arms.values()} == set("abc") for s in low)


@pytest.mark.slow
def test_rows_of_a_run_are_as_analysed_g_at_its_own_time_point(db):
    run = results.read(db, "low")
    kept = {row["contrast_id"]: row for row in run.frames["contrasts"].to_dict("records")}
    views = db.rows("select * from contrast_network where measure = 'SMD' and timepoint = 1")
    assert kept
    assert {row["timepoint"] for row in kept.values()} == {1}
    for row in views:
        if row["contrast_id"] in kept:
            own = kept[row["contrast_id"]]
            assert (own["estimate"], own["std_error"]) == (row["estimate_g"], row["std_error_g"])
            assert abs(own["estimate"]) < abs(row["estimate"])
            assert own["mean_a"] is not None
            assert own["sd_b"] > 0


@pytest.mark.slow
def test_a_pairwise_run_keeps_treatment_minus_comparator_with_the_level_of_its_subgroup(db, small_review):
    run = results.read(db, "pair")
    by_study = {study.study: study for study in small_review.studies()}
    rows = run.frames["contrasts"]
    assert set(rows["treatment_a"]) == {"a"}
    assert set(rows["treatment_b"]) == {"c"}
    assert not any(by_study[name].high_risk for name in rows["study"])
    assert list(rows["level"]) == [by_study[name].model for name in rows["study"]]
    assert list(rows["estimate"]) == pytest.approx(list(rows["mean_a"] - rows["mean_b"]))


@pytest.mark.slow
def test_figures_of_a_restricted_run_draw_its_own_rows(db, small_review):
    """Seven or nine studies at low risk are drawn and counted, at day 1, as g: not the twelve of the review."""
    material, links = Material(db, {}), Links()
    run = next(run for run in material.runs if run.analysis == "low")
    low = {study.study for study in small_review.studies() if not study.high_risk}
    section = network_section(material, run, links)
    figures = {
        block.name: tables(block.chart) for block in everything([section]) if isinstance(block, Figure)
    }
    nodes = {row["treatment"]: row for row in figures["low-network"]["nodes"]}
    arms = arms_of(small_review, low=True)
    for treatment, node in nodes.items():
        assert node["n_participants"] == sum(n for (_, t), n in arms.items() if t == treatment)
    kept = run.frames["contrasts"]
    assert set(kept["study"]) == low
    (drawn,) = (rows for rows in figures["low-funnel"].values() if rows and "study" in rows[0])
    assert len(drawn) == len(kept)
    assert sorted(round(row["std_error"], 9) for row in drawn) == sorted(
        round(se, 9) for se in kept["std_error"]
    )
    text = words.answer(material, run, links)
    assert text.startswith(f"{len(low)} studies with {sum(arms.values())} animals.")
    table = findings(material, links)
    edges = {(row["treatment_a"], row["treatment_b"]): row for row in material.edges(run)}
    counted = {
        (row["comparison"], row["n_studies"], row["n_participants"])
        for row in table.data
        if row["measure"] == "SMD"
    }
    for (a, b), edge in edges.items():
        if b == "c":
            assert (f"Drug {a} versus Drug c", edge["n_studies"], edge["n_participants"]) in counted


@pytest.mark.slow
def test_a_subgroups_number_leads_to_the_contrasts_of_its_level(db, small_review):
    by_study = {study.study: study for study in small_review.studies()}
    found = trace(db, "pair/a/c/common/model=acute")
    assert found.parts
    assert {by_study[part.study].model for part in found.parts} == {"acute"}


@pytest.mark.slow
def test_a_control_group_of_several_experiments_counts_once(db, tmp_path):
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(db.path.read_bytes())
    with connect(copy, write=True) as connection:
        head = "insert into result_run (run_id, kind, engine, outcome, measure, scale, specification, input_hash, versions)"
        connection.execute(f"{head} values ('r', 'pairwise', 'e', 'y', 'MD', 'additive', '', '', '')")
        rows = "(run_id, contrast_id, study, experiment, treatment_a, treatment_b, arm_a, arm_b, n_a, n_b, animals_a, animals_b)"
        connection.execute(
            f"insert into result_contrast {rows} values "
            "('r', '1', 's', 'one', 'a', 'c', 'a1', 'c', 10, 7, 'one/a1', 'one/c'), "
            "('r', '2', 's', 'one', 'a', 'c', 'a2', 'c', 11, 7, 'one/a2', 'one/c'), "
            "('r', '3', 's', 'two', 'b', 'c', 'b', 'ctl', 12, 7, 'two/b', 'one/c'), "
            "('r', '4', 't', 'one', 'b', 'c', 'b', 'c', 5, null, 'one/b', 'one/c')"
        )
        size = connection.execute(
            "select n_participants, n_unknown, n_studies, n_arms, n_multi_arm from run_size where run_id = 'r'"
        )
        assert size.fetchone() == (10 + 11 + 12 + 7 + 5, 1, 2, 7, 0)
        edges = connection.execute(
            "select treatment_a, n_participants, n_arms from run_edge where run_id = 'r' order by treatment_a"
        )
        assert edges.fetchall() == [("a", 28, 3), ("b", 24, 4)]
        nodes = connection.execute(
            "select treatment, n_participants from run_node where run_id = 'r' order by treatment"
        )
        assert nodes.fetchall() == [("a", 21), ("b", 17), ("c", 7)]


@pytest.mark.slow
def test_results_are_not_kept_in_a_file_of_another_version(db, tmp_path):
    copy = tmp_path / "old.duckdb"
    copy.write_bytes(db.path.read_bytes())
    run = results.read(db, "low")
    with connect(copy, write=True) as connection:
        for view in ("run_size", "run_node", "run_edge", "run_design", "run_arm"):
            connection.execute(f"drop view {view}")
        connection.execute("drop table result_contrast")
    before = copy.read_bytes()
    with pytest.raises(CallError, match=r"no table result_contrast.*evidence analyse"):
        results.save(copy, [run])
    assert copy.read_bytes() == before


def test_the_report_reads_no_view_beside_the_run():
    """Where there is evidence (the map of the whole review) is the one question that is not about a run."""
    beside = re.compile(
        r"\b(network_(node|edge|arm|design|component)|analysis_contrast|contrast_network|pooled|subgroup|"
        r"(from|join)\s+contrast)\b(?=[^:]*(where|using|order|on|outcome|group)\b)"
    )
    found = {}
    rooms = (Path(plan.__file__).parent / name for name in ("plot", "report"))
    for path in sorted(path for room in rooms for path in room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.search(r"\b(from|join)\b", text) and beside.search(text):
                found.setdefault(path.name, []).append(text)
    assert {name: len(texts) for name, texts in found.items()} == {"whole.py": 1}
