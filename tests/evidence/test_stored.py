"""What the views compute is kept as rows, and stays what the views say."""

from __future__ import annotations

import re

import duckdb
import pytest

import evidence
from evidence.catalog import Catalog
from evidence.database import connect
from evidence.review import bundled
from evidence.selection import in_order
from evidence.store.objects import sql_objects, used_by
from evidence.store.stored import STORED, differing, refresh, stored_views


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return evidence.build("diabetes", tmp_path_factory.mktemp("stored") / "diabetes.duckdb")


@pytest.fixture
def writable(file, tmp_path):
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(file.read_bytes())
    with connect(copy, write=True) as connection:
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled())
def test_stored_rows_are_those_that_the_definitions_give(name, tmp_path):
    with connect(evidence.build(name, tmp_path / "built.duckdb")) as connection:
        assert differing(connection) == []


def test_rows_that_are_kept_in_the_order_of_their_key_need_no_sorting(file):
    """An export writes these as they stand: the same evidence gives the same bytes."""
    assert {"measurement_derived", "contrast", "pooled"} <= in_order()
    with connect(file, threads=1) as connection:
        for name in in_order():
            rows = connection.execute(f"from {name}").fetchall()
            assert rows == connection.execute(f"from {name} order by all").fetchall(), name


def test_stored_views_stand_on_nothing_that_an_analysis_writes():
    """Results and verdicts come after the build."""
    for view in stored_views():
        words = {word for item in used_by([view.name]) for word in item.words}
        assert not {word for word in words if word.startswith("result_") or "verdict" in word}, view.name


def test_no_question_plans_many_views():
    """What a view is planned with: the views it reads, and theirs, down to tables and stored rows."""
    views = {item.name: item for item in sql_objects() if item.kind == "view"}
    planned: dict[str, int] = {}
    for name, item in views.items():  # each after those it reads
        read = [views[word] for word in item.words & views.keys() - {name}]
        planned[name] = 1 + sum(planned[view.name] for view in read if not view.stored)
    # Nine of them are columns of a stored view, or of two joined, which takes next to nothing to plan.
    assert max(planned.values()) <= 30, planned


def test_views_rank_only_where_there_is_a_choice(file):
    """A window over every row takes more than all else that the build does with it."""
    # Of repeated readings; of binary outcomes; of repeated time points twice.
    most = {"measurement_choice": 1, "arm_effect": 1, "contrast_place": 2}
    grown = ("measurement_reading", "measurement_variable", "measurement_derived", "contrast", "contrast_choice",
             "contrast_network", "contrast_standardised", "contrast_covariance", "exclusion", "network_arm")  # fmt: skip
    queries = {item.name: item.query for item in sql_objects() if item.kind == "view"}
    with connect(file) as connection:
        for name in (*most, *grown):
            plan = connection.execute(f"explain (format json) {queries[name]}").fetchall()[0][1]
            windows = re.findall(r'"name": "\w*WINDOW\w*"', plan)
            assert len(windows) <= most.get(name, 0), (name, windows)


@pytest.mark.slow
def test_what_is_stored_follows_the_tables(writable):
    before = writable.execute("select count(*) from contrast").fetchall()
    writable.execute("delete from measurement where study = (select min(study) from measurement)")
    assert differing(writable)
    refresh(writable)
    assert differing(writable) == []
    assert writable.execute("select count(*) from contrast").fetchall() < before


def test_only_what_is_asked_for_is_computed_anew(writable):
    writable.execute("delete from measurement where study = (select min(study) from measurement)")
    refresh(writable, ["contrast"])
    found = set(differing(writable))
    assert "contrast_standardised" in found
    assert not {"measurement_standard", "arm_effect", "contrast"} & found


@pytest.mark.slow
def test_definitions_stay_readable_in_the_file_and_the_catalog(file):
    with duckdb.connect(str(file), read_only=True) as plain:
        kept = dict(plain.execute(f"from {STORED}.definition").fetchall())
    assert kept == {view.name: view.query for view in stored_views()}
    with evidence.open(file) as db:
        catalog = Catalog(db)
        assert "hedges_correction(n_a + n_b - 2)" in catalog.entry("contrast").sql
        assert catalog.entry("contrast").kind == "view"
        assert {"measurement.mean", "measurement.n"} <= set(catalog.lineage("contrast", "estimate").leaves())
        assert not [name for name in catalog.entries if name.startswith(STORED) or name == "definition"]


@pytest.mark.slow
def test_a_file_whose_stored_rows_were_changed_is_computed_anew(file, tmp_path):
    """Somebody else's file has our views, and rows behind them that they do not give."""
    copy = tmp_path / "from elsewhere.duckdb"
    copy.write_bytes(file.read_bytes())
    with evidence.open(file) as db:
        true = db.rows("select contrast_id, estimate from contrast order by all")
    with connect(copy, write=True) as connection:
        connection.execute(f"update {STORED}.contrast set estimate = 99")
    with evidence.open(copy) as db:
        assert db.rows("select contrast_id, estimate from contrast order by all") == true


@pytest.mark.slow
@pytest.mark.parametrize(
    "view", [view for view in stored_views() if view.rows_from], ids=lambda view: view.name
)
def test_a_view_said_to_have_no_row_without_some_values_has_none(view, writable):
    """The build does not plan it then."""
    refresh(writable)
    for table, column in view.rows_from:
        if column:
            writable.execute(f"update {table} set {column} = null")
        else:
            for other in ("measurement_characteristic", "contrast_characteristic"):
                if other.startswith(table.removeprefix("reported_")):
                    writable.execute(f"delete from {other}")
            writable.execute(f"delete from {table}")
    for item in stored_views():
        writable.execute(f"delete from {STORED}.{item.name}")
        writable.execute(f"insert into {STORED}.{item.name} select * from ({item.query})")
        if item.name == view.name:
            break
    assert writable.execute(f"select count(*) from {STORED}.{view.name}").fetchall() == [(0,)]
