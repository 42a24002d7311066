"""What every documented view promises: its columns, its key, and SQL that other databases can take over."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from evidence.store.objects import sql_objects

VIEWS = [item for item in sql_objects() if item.kind == "view"]
# Audits list offending rows, and the same thing may offend twice; every other view says what tells its rows apart.
KEYED = [item for item in VIEWS if "Key" in item.header]
REVIEWS = ("alf", "maternal-diet")

# Divisors that a view may use as they are: positive by a check of the table (n), as a quantile of a probability above
# one half (z, t), as a power of ten (digit), or because the view reads only what is (`pooling_effect` takes variances above 0, and what weights and
# errors are made of them is so too; level stands in an order by). Names mean nothing in another view: there, nullif.
POSITIVE = {
    "audit_mean_interval": {"n", "t", "z"},
    "audit_reported_interval": {"t", "z"},
    "contrast": {"n_a", "n_b"},
    "contrast_covariance": {"n_study"},
    "contrast_network": {"n_a", "n_b", "n_study"},
    "measurement_derived": {"animals", "divisor"},
    "measurement_variable": {"digit"},
    "measurement_choice": {"n"},
    "omission_sum": {"length", "random_weight", "tau2", "variance", "weight"},
    "pooling": {"common_std_error", "random_std_error"},
    "pooling_effect": {"variance"},
    "pooling_sum": {"length", "random_weight", "tau2", "variance", "weight"},
    "reported_contrast_standard": {"z"},
    "rob_summary": {"n"},
    "subgroup": {"common_std_error", "level", "random_std_error"},
}

# What another dialect lacks, or reads differently without a word (log: base 10 here, natural elsewhere).
FORBIDDEN_WORDS = (
    "log",
    "pivot",
    "unpivot",
    "exclude",
    "qualify",
    "struct_pack",
    "isfinite",
    "isinf",
    "arg_max",
    "any_value",
)


@pytest.fixture(scope="module")
def schema(database) -> dict:
    """Columns of every table and view, as sqlglot wants them."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in database.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal order by column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_header_documents_every_column(view, schema):
    assert view.header["Title"]
    assert view.header["Grain"]
    assert list(view.columns) == list(schema[view.name])
    assert all(view.columns.values())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_but_an_audit_has_a_key(view):
    assert ("Key" in view.header) != view.name.startswith("audit_")


@pytest.mark.parametrize("view", KEYED, ids=lambda view: view.name)
def test_key_is_among_the_columns(view):
    assert set(view.header["Key"].split(", ")) <= set(view.columns)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Bundled reviews with a bibliography, and with several experiments and time points."""
    import evidence

    directory = tmp_path_factory.mktemp("built")
    return {name: evidence.build(name, directory / f"{name}.duckdb") for name in REVIEWS}


@pytest.mark.slow
@pytest.mark.parametrize("review", REVIEWS)
def test_one_row_per_key_in_bundled_reviews(review, built):
    from evidence.database import connect

    with connect(built[review]) as connection:
        for view in KEYED:
            key = view.header["Key"]
            twice = connection.execute(
                f"select {key}, count(*) from {view.name} group by {key} having count(*) > 1 limit 3"
            ).fetchall()
            assert twice == [], view.name


@pytest.mark.slow
def test_one_row_per_key_where_rows_repeat(rows):
    """Several readings, time points with and without unit, arms of one treatment, two tools, two assessors."""
    rows.unit("d", "time", 1)
    rows.unit("h", "time", 1 / 24)
    rows.unit("min", "time", 1 / 1440)
    for extractor, day in (("anna", (24, "h")), ("zoe", (1, "d")), ("consensus", (1440, "min"))):
        for timepoint, unit in (day, (None, None), (48, "h")):
            for arm, treatment in (
                ("low", "drug"),
                ("high", "drug"),
                ("control", "control"),
                ("sham", "sham"),
            ):
                rows.arm("s", arm, treatment)
                given = {"timepoint": timepoint, "timepoint_unit": unit, "extractor": extractor}
                rows.measure("s", arm, n=5, mean=1, sd=1, **given)
    for one, two in (("low", "control"), ("control", "low"), ("low", "sham")):
        rows.report("s", one, two, measure="HR", estimate=1, se=1)
        rows.report("s", one, two, measure="HR", estimate=1, se=1)
    for view in KEYED:
        key = view.header["Key"]
        counts = Counter(tuple(row.values()) for row in rows.query(f"select {key} from {view.name}"))
        assert max(counts.values(), default=1) == 1, view.name
    assert rows.query("select * from contrast_covariance where measure = 'MD'")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_view_is_portable(view, schema):
    """Columns resolve one by one, and PostgreSQL's dialect has a word for everything."""
    assert not view.words & set(FORBIDDEN_WORDS)
    body = re.sub(r"--[^\n]*", "", view.sql)
    assert not re.search(
        r"group\s+by\s+all|order\s+by\s+all|distinct\s+on\b|\blambda\b|:=|\{", body, re.IGNORECASE
    )
    created = sqlglot.parse_one(view.sql, dialect="duckdb")
    query = qualify(created.expression, schema=schema, dialect="duckdb")
    # Names keep their case in a database only where they are quoted.
    names = [column.alias_or_name.lower() for column in query.selects]
    assert names == [column.lower() for column in view.columns]
    written = query.sql(dialect="postgres", unsupported_level=sqlglot.ErrorLevel.RAISE)
    sqlglot.parse_one(written, dialect="postgres")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_division_or_logarithm_is_unguarded(view):
    """A divisor is a constant, stands in nullif, or is known to be positive in this view; a logarithm in a case."""
    positive = POSITIVE.get(view.name, set())

    def guarded(node):
        columns = {column.name for column in node.find_all(exp.Column)}
        return columns <= positive or node.find(exp.Nullif, exp.Case) or node.find_ancestor(exp.Case)

    tree = sqlglot.parse_one(view.sql, dialect="duckdb")
    for division in tree.find_all(exp.Div, exp.IntDiv):
        assert guarded(division.expression), (
            f"{division.sql()}: write nullif(..., 0), or say in POSITIVE why not"
        )
    for logarithm in tree.find_all(exp.Ln):
        assert guarded(logarithm), logarithm.sql()
