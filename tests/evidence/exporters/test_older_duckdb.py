"""A DuckDB export in an older format is opened by older versions, with the same rows and documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.database import STORAGE, connect
from evidence.export import export

OLDEST = os.environ.get("OLDEST_DUCKDB")
"""A folder with the package ``duckdb`` 1.2."""
NUMBER = {"v1.2.0": 65, "v1.4.0": 67, "v1.5.0": 68}
"""What DuckDB writes into the header of a file in each format (its `storage_info.cpp`)."""
EVERYTHING = """
import json, sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
named = connection.execute(
    "select view_name, comment from duckdb_views() where schema_name = 'main' and not internal "
    "union all select table_name, comment from duckdb_tables() where schema_name = 'main'"
).fetchall()
found = {name: [comment, connection.execute(f'select * from "{name}"').fetchall()] for name, comment in named}
columns = connection.execute(
    "select table_name, column_name, data_type, comment from duckdb_columns() where schema_name = 'main' "
    "and not internal"
).fetchall()
print(json.dumps([duckdb.__version__, found, columns], default=str))
"""


def everything(file: Path, package: str | None = None) -> tuple[str, dict, set]:
    """Version of DuckDB; comment and rows of every table and view; columns, types and their comments."""
    paths = {"PYTHONPATH": package} if package else {}
    call = [sys.executable, "-c", EVERYTHING, str(file)]
    done = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | paths)
    version, found, columns = json.loads(done.stdout)
    return version, found, {tuple(row) for row in columns}


def plain(rows: list) -> list:
    """Rows in one order, numbers to twelve digits."""
    rounded = [[f"{cell:.12g}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    return sorted(rounded, key=repr)


def same(one: tuple, other: tuple) -> None:
    assert one[2] == other[2]
    assert one[1].keys() == other[1].keys()
    for name, (comment, rows) in one[1].items():
        assert other[1][name][0] == comment, name
        assert plain(other[1][name][1]) == plain(rows), name


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    """The bundled review of counts, in every format."""
    folder = tmp_path_factory.mktemp("older")
    for storage in STORAGE:
        export("smoking", folder / storage, ["duckdb"], storage=storage)
    return {storage: folder / storage / "evidence.duckdb" for storage in STORAGE}


@pytest.mark.slow
def test_every_format_holds_the_same_rows_types_and_comments(exported):
    want = everything(exported["v1.5.0"])
    for storage, file in exported.items():
        assert int.from_bytes(file.read_bytes()[12:20], "little") == NUMBER[storage]
        same(want, everything(file))
    with connect(exported["v1.2.0"]) as connection:
        macros = connection.execute(
            "select macro_definition from duckdb_functions() where function_type = 'macro' and not internal"
        ).fetchall()
        views = connection.execute("select sql from duckdb_views() where not internal").fetchall()
        assert macros
        assert not [text for (text,) in (*macros, *views) if "lambda" in text.lower()]
    said = json.loads((exported["v1.2.0"].parent / "provenance.json").read_text(encoding="utf-8"))["losses"]
    assert "pooling" in said["duckdb"][0]
    assert "t_quantile" in said["duckdb"][0]


@pytest.mark.slow
def test_an_older_file_is_an_evidence_base(exported):
    with evidence.open(exported["v1.2.0"]) as db, evidence.open("smoking") as source:
        assert db.rows("from contrast order by all") == source.rows("from contrast order by all")
        assert db.rows("from pooled order by all") == source.rows("from pooled order by all")


@pytest.mark.slow
@pytest.mark.skipif(OLDEST is None, reason="OLDEST_DUCKDB names no DuckDB 1.2")
def test_duckdb_1_2_opens_every_table_and_view_with_the_same_rows(exported):
    older = everything(exported["v1.2.0"], OLDEST)
    assert older[0].startswith("1.2.")
    same(everything(exported["v1.5.0"]), older)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "duckdb", "--storage", "v1.1.0"], "There is no storage 'v1.1.0'; there are: v1.2.0"),
        (["--format", "csv", "--storage", "v1.2.0"], "ask for --format duckdb, too"),
    ],
)
def test_a_wrong_storage_is_refused_before_anything_is_read(tmp_path, arguments, words):
    result = CliRunner().invoke(cli, ["export", "smoking", "--to", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "out").exists()
