"""Every number of every view is the same on another version of DuckDB, within what README.md promises.

The other one is a folder with the package ``duckdb``, named by the environment variable ``OTHER_DUCKDB``.
"""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evidence.review import bundled

OTHER = os.environ.get("OTHER_DUCKDB")
TOLERANCE = 1e-12
"""Largest relative difference of a number: README.md promises it."""

COMPUTED = """
import pickle, sys
import duckdb
import evidence
from evidence.store.objects import sql_objects

path = evidence.build(sys.argv[1], sys.argv[2])
found = {}
with evidence.open(path) as db:
    for item in sql_objects():
        if "Key" in item.header:
            cursor = db.connection.execute(f"select * from {item.name} order by {item.header['Key']}")
            found[item.name] = [column[0] for column in cursor.description], cursor.fetchall()
with open(sys.argv[3], "wb") as stream:
    pickle.dump((duckdb.__version__, found), stream)
"""


def computed(review: str, folder: Path, path: str | None) -> tuple[str, dict[str, Any]]:
    """Version of DuckDB, and columns and rows of every view of a bundled review."""
    folder.mkdir()
    script, rows = folder / "compute.py", folder / "rows"
    script.write_text(COMPUTED, encoding="utf-8")
    call = [sys.executable, str(script), review, str(folder / "x.duckdb"), str(rows)]
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([*([path] if path else []), root])
    subprocess.run(call, check=True, env=os.environ | {"PYTHONPATH": paths})
    return pickle.loads(rows.read_bytes())


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=0) or (one != one and other != other)
    return one == other


@pytest.mark.slow
@pytest.mark.skipif(OTHER is None, reason="OTHER_DUCKDB names no other version of DuckDB")
@pytest.mark.parametrize("review", sorted(bundled()))
def test_every_view_gives_the_same_numbers_on_another_version(review, tmp_path):
    version, here = computed(review, tmp_path / "here", None)
    other_version, there = computed(review, tmp_path / "there", OTHER)
    assert version != other_version
    assert here.keys() == there.keys()
    differing = []
    for name, (columns, rows) in here.items():
        other_columns, other_rows = there[name]
        assert (columns, len(rows)) == (other_columns, len(other_rows)), name
        differing += [
            (name, column, one, other)
            for row, other_row in zip(rows, other_rows, strict=True)
            for column, one, other in zip(columns, row, other_row, strict=True)
            if not same(one, other)
        ]
    assert differing == []
    assert sum(len(rows) for _, rows in here.values()) > 100
