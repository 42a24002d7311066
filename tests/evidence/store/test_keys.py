"""Keys are declared in the schema; the file of a review keeps those that nothing else has proven."""

from __future__ import annotations

import shutil

import pytest

import evidence
from evidence.database import connect
from evidence.errors import CallError
from evidence.store.definitions import own_copy
from evidence.store.keys import is_kept, keys, violation
from evidence.store.objects import create_tables


def constraints(connection):
    return connection.execute(
        "select table_name, constraint_type, constraint_column_names, coalesce(referenced_table, ''), "
        "referenced_column_names from duckdb_constraints() "
        "where constraint_type in ('PRIMARY KEY', 'FOREIGN KEY') order by all"
    ).fetchall()


def required(connection):
    return set(
        connection.execute(
            "select table_name, column_name from duckdb_columns() where not is_nullable and not internal"
        ).fetchall()
    )


def test_the_keys_read_from_the_schema_are_those_that_the_engine_finds_in_it():
    with connect() as connection, connect() as bare:
        create_tables(connection)
        create_tables(bare, all_keys=False)
        read = [
            (
                key.table,
                "FOREIGN KEY" if key.referenced else "PRIMARY KEY",
                list(key.columns),
                key.referenced,
                list(key.referenced_columns),
            )
            for key in keys()
        ]
        assert sorted(read) == constraints(connection)
        assert constraints(bare) == [row for row in constraints(connection) if is_kept(row[0])]
        assert required(bare) == required(connection)
        checks = "select table_name, expression from duckdb_constraints() where constraint_type = 'CHECK' order by all"
        assert bare.execute(checks).fetchall() == connection.execute(checks).fetchall()


def test_a_built_review_breaks_no_key(diabetes_file, example_file):
    for path in (diabetes_file, example_file):
        with evidence.open(path) as db:
            assert [said for key in keys() if (said := violation(db.connection, key))] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "insert into measurement select * from measurement limit 1",
            "table measurement cannot be read: two rows have measurement_id 1",
        ),
        (
            "update arm set treatment = 'nobody' where source_line = 2",
            "table arm cannot be read: a row has treatment 'nobody', which table treatment does not have",
        ),
    ],
)
def test_a_file_from_elsewhere_whose_rows_break_a_key_is_refused(diabetes_file, tmp_path, change, said):
    shutil.copy(diabetes_file, tmp_path / "theirs.duckdb")
    with connect(tmp_path / "theirs.duckdb", write=True) as connection:
        connection.execute(change)
    with pytest.raises(CallError, match=said):
        own_copy(tmp_path / "theirs.duckdb", tmp_path / "ours.duckdb")
