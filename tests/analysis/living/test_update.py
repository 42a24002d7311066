"""Results brought up to date: what did not change is taken, and every row is what computing it all gives."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import evidence
from analysis import plan
from analysis.living import update
from evidence import results
from evidence.database import connect
from evidence.review import find

Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """The review of diabetes, analysed."""
    file = evidence.build("diabetes", tmp_path_factory.mktemp("before") / "diabetes.duckdb")
    with evidence.open(file) as db:
        runs = update.updated(db, None).runs
    results.save(file, runs)
    return file


def changed(tmp_path: Path, *edits: Edit, review: str = "diabetes") -> Path:
    """Build a copy of a bundled review with some edits."""
    folder = tmp_path / review
    shutil.copytree(find(review), folder)
    for edit in edits:
        edit(folder)
    return evidence.build(folder, tmp_path / "now.duckdb")


def cells(file: str, change: Callable[[list[dict[str, str]]], object]) -> Edit:
    """Change the rows of a file in place."""

    def edit(folder: Path) -> None:
        path = folder / file
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        change(rows)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)

    return edit


def text(old: str, new: str) -> Edit:
    """Change review.toml."""

    def edit(folder: Path) -> None:
        path = folder / "review.toml"
        said = path.read_text(encoding="utf-8")
        assert old in said
        path.write_text(said.replace(old, new), encoding="utf-8")

    return edit


def kept(file: Path, runs: list[results.Run]) -> dict[str, list[tuple]]:
    """Save runs in a copy of a file, and read every row of results back, table by table."""
    copy = file.with_name(f"kept-{len(list(file.parent.iterdir()))}.duckdb")
    shutil.copyfile(file, copy)
    results.save(copy, runs)
    with connect(copy) as connection:
        return {
            table: connection.execute(f"select * from {table} order by rowid").fetchall()
            for table in ("result_run", *results.TABLES.values())
        }


def same_as_anew(file: Path, before: Path) -> update.Updated:
    """Bring up to date, and hold every row to that of computing all anew."""
    with evidence.open(file) as db, evidence.open(before) as old:
        found = update.updated(db, old)
        anew, refused = plan.try_plan(db)
    assert found.refused.keys() == refused.keys()
    # NaN is never stored; repr tells 1 from 1.0 and keeps every digit.
    assert repr(kept(file, found.runs)) == repr(kept(file, anew))
    return found


def set_mean(study: str, treatment: str, by: float) -> Edit:
    def change(rows: list[dict[str, str]]) -> None:
        [row] = [row for row in rows if row["study"] == study and row["arm"] == treatment]
        row["mean"] = str(float(row["mean"]) + by)

    return cells("measurements.csv", change)


def test_one_cell_runs_again_what_it_enters_and_says_so(tmp_path, before):
    found = same_as_anew(changed(tmp_path, set_mean("Willms (1999)", "metf", 0.25)), before)
    assert found.taken == {"hba1c-rosiglitazone": "as before"}
    assert list(found.lines()) == [
        "hba1c-network: re-run, 2 of 28 rows that enter changed",
        "hba1c-metformin: re-run, 1 of 4 rows that enter changed",
        "hba1c-rosiglitazone: as before",
    ]
