"""Results brought up to date: what did not change is taken, and every row is what computing it all gives."""

from __future__ import annotations

import csv
import importlib.util
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import evidence
from analysis import plan, prepared
from analysis.living import update
from evidence import results
from evidence.database import connect
from evidence.errors import ReviewError
from evidence.folder.options import options_of
from evidence.review import find
from evidence.store.definitions import remember
from evidence.system.fingerprint import fingerprint

_SPEC = importlib.util.spec_from_file_location("edits", Path(__file__).with_name("edits.py"))
edits = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(edits)

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
    """Bring up to date, and hold every run to that of computing all anew."""
    with evidence.open(file) as db, evidence.open(before) as old:
        found = update.updated(db, old)
        anew, refused = plan.try_plan(db)
    assert list(found.refused) == list(refused)
    assert [run.row() for run in found.runs] == [run.row() for run in anew]
    assert [run.rows_hash for run in found.runs] == [run.rows_hash for run in anew]
    return found


def set_mean(study: str, treatment: str, by: float) -> Edit:
    def change(rows: list[dict[str, str]]) -> None:
        [row] = [row for row in rows if row["study"] == study and row["arm"] == treatment]
        row["mean"] = str(float(row["mean"]) + by)

    return cells("measurements.csv", change)


def test_one_cell_runs_again_what_it_enters_and_says_so(tmp_path, before):
    file = changed(tmp_path, set_mean("Willms (1999)", "metf", 0.25))
    found = same_as_anew(file, before)
    with evidence.open(file) as db:
        # NaN is never stored; repr tells 1 from 1.0 and keeps every digit.
        assert repr(kept(file, found.runs)) == repr(kept(file, plan.run_plan(db)))
    assert found.taken == {"hba1c-rosiglitazone": "as before"}
    assert list(found.lines()) == [
        "hba1c-network: re-run, 2 of 28 rows that enter changed",
        "hba1c-metformin: re-run, 1 of 4 rows that enter changed",
        "hba1c-rosiglitazone: as before",
    ]


def test_what_no_result_depends_on_runs_nothing_again(tmp_path, before):
    """Names, pages, the order of rows and a study of other treatments above all others."""

    def name(rows: list[dict[str, str]]) -> None:
        rows[0]["label"] = "Another name"

    edits = [
        cells("studies.csv", name),
        cells("treatments.csv", name),
        cells("measurements.csv", lambda rows: rows[0].update(locator="page 3")),
        cells("studies.csv", lambda rows: rows.reverse()),
    ]
    found = same_as_anew(changed(tmp_path, *edits), before)
    assert found.rerun == {}
    assert set(found.taken.values()) == {"as before"}


def test_a_study_above_all_others_moves_the_numbers_of_rows_and_no_result(tmp_path, before):
    """Rows of files are numbered; what is taken has the numbers of today, by which readers walk back."""

    def above(rows: list[dict[str, str]]) -> None:
        study = {
            "study": "A (2020)",
            "label": "A",
            "year": "2020",
            "n": "9",
            "outcome": "hba1c",
            "mean": "-1",
            "sd": "1",
        }
        arms = [{"arm": arm, "treatment": arm} for arm in ("rosi", "metf")]
        more = [study | arm for arm in arms] if "arm" in rows[0] else [study]
        rows[:0] = [{key: row.get(key, "") for key in rows[0]} for row in more]

    edits = [cells(f"{name}.csv", above) for name in ("studies", "arms", "measurements")]
    found = same_as_anew(changed(tmp_path, *edits), before)
    assert found.taken.keys() == {"hba1c-metformin", "hba1c-rosiglitazone"}
    assert found.rerun == {"hba1c-network": "1 new of 29 rows that enter"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (text('ci = "HK"\nleave', 'ci = "Wald"\nleave'), {"hba1c-metformin": "options changed"}),
        (
            cells("outcomes.csv", lambda rows: rows[0].update(lower_is_better="false")),
            dict.fromkeys(
                ["hba1c-network", "hba1c-metformin", "hba1c-rosiglitazone"],
                "unit, direction or smallest important difference of the outcome changed",
            ),
        ),
    ],
)
def test_options_and_what_an_outcome_is_run_again_what_they_are_of(tmp_path, before, edit, said):
    assert same_as_anew(changed(tmp_path, edit), before).rerun == said


@pytest.mark.slow
def test_another_name_of_an_analysis_is_no_other_analysis(tmp_path, before):
    found = same_as_anew(changed(tmp_path, text('"hba1c-metformin"', '"metformin"')), before)
    assert found.rerun == {}
    assert found.taken["metformin"] == "as before, as hba1c-metformin"


def tampered(before: Path, tmp_path: Path, statement: str) -> Path:
    copy = tmp_path / "tampered.duckdb"
    shutil.copyfile(before, copy)
    with connect(copy, write=True) as connection:
        connection.execute(statement)
    if "drop" not in statement:
        remember(copy)  # Its views are ours: not compared anew.
    return copy


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "update result_estimate set estimate = 0",
            "the rows of its earlier run are not those that were kept",
        ),
        ("delete from result_heterogeneity", "the rows of its earlier run are not those that were kept"),
        (
            "update result_run set computed_from = null",
            "its earlier run does not say what it was computed from",
        ),
        (
            "update result_run set computed_from = '[]'",
            "its earlier run does not say what it was computed from",
        ),
        (
            'update result_run set computed_from = replace(computed_from, \'"code":"\', \'"code":"x\')',
            "the code of evidence-base changed",
        ),
    ],
)
def test_rows_that_nobody_vouches_for_are_computed_anew(before, tmp_path, statement, said):
    with evidence.open(before) as db, update.opened(tampered(before, tmp_path, statement)) as old:
        found = update.taken_over(db, old.db)
    assert found.runs == []
    assert set(found.rerun.values()) == {said}


def test_a_file_that_cannot_be_read_is_left_aside_and_named(before, tmp_path):
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(before.read_bytes()[:20_000])
    nothing = tmp_path / "nothing.duckdb"
    nothing.touch()
    foreign = tampered(before, tmp_path, "alter table plan drop column seed")
    logged = tmp_path / "logged.duckdb"
    shutil.copyfile(before, logged)
    logged.with_name("logged.duckdb.wal").write_bytes(b"not written to the end")
    for file in (broken, nothing, foreign, logged):
        with update.opened(file) as old:
            assert old.db is None
            [line] = old.lines(update.Updated())
            assert line.startswith("Nothing is taken from an earlier file: ")
            assert file.name in line
    with update.opened(tmp_path / "missing.duckdb") as old:
        assert old == update.Previous()


@pytest.mark.parametrize("package", ["duckdb", "numpy", "pandas"])
def test_another_version_of_what_computes_runs_everything_again(before, monkeypatch, package):
    known = prepared.version
    monkeypatch.setattr(prepared, "version", lambda name: "0" if name == package else known(name))
    with evidence.open(before) as db:
        found = update.taken_over(db, db)
    assert set(found.rerun.values()) == {"versions of the software changed"}


def test_chains_hang_on_the_packages_that_draw_them_and_on_their_absence(before, monkeypatch):
    def key(**options: object) -> dict[str, str]:
        asked = {"outcome": "hba1c", "measure": "MD", "engine": "exact", **options}
        return prepared.prepare(db, "network", asked).key

    def without(name: str) -> str:
        if name in ("nutpie", "pymc"):
            raise PackageNotFoundError(name)
        return version(name)

    with evidence.open(before) as db:
        bare, drawn = key(), key(chains=True)
        monkeypatch.setattr(prepared, "version", without)
        assert key() == bare
        assert key(chains=True)["software"] != drawn["software"]


def test_the_key_holds_every_option_of_both_kinds(before):
    """An option that somebody declares tomorrow is in the key without being told to."""
    base = {"outcome": "hba1c", "measure": "MD"}
    with evidence.open(before) as db:
        for kind, more in (("pairwise", {"treatment": "metf", "versus": "plac"}), ("network", {})):
            found = prepared.prepare(db, kind, base | more)
            asked = [option.takes for option in options_of(kind) if not option.of_fit]
            assert asked == list(found.asked)
            first = found.key["options"]
            for name in asked:
                other = "exact" if name == "engine" else "something else"
                again = replace(found, asked={**found.asked, name: other})
                assert again.key["options"] != first, name


def test_what_is_taken_away_before_computing_changes_no_row(before):
    """Printed names, other studies and what did not enter: with them every row is the same."""
    with evidence.open(before) as db:
        for row in db.rows("select * from plan"):
            options = prepared.planned_options(row)
            del options["analysis"]
            few, whole = (
                prepared.prepare(db, row["kind"], options, whole=w, planned=True) for w in (False, True)
            )
            assert plan.carry_out(few).rows_hash == plan.carry_out(whole).rows_hash
        asked = {"outcome": "hba1c", "measure": "MD", "decision": "Metformin"}
        net = prepared.prepare(db, "network", asked).network
        assert net.labels["metf"] == "metformin"  # by which a decision may call it


def test_what_has_no_fingerprint_is_refused():
    with pytest.raises(TypeError, match="no fingerprint of object"):
        fingerprint({"a": [object()]})


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> tuple[Path, Path]:
    """A folder whose plan asks for much, and its file, analysed."""
    place = tmp_path_factory.mktemp("base")
    folder = place / "base"
    shutil.copytree(find("alf-simulated"), folder)
    toml = folder / "review.toml"
    head = toml.read_text(encoding="utf-8").split("[protocol]")[0]
    toml.write_text(head + edits.PLAN, encoding="utf-8")
    file = evidence.build(folder, place / "base.duckdb")
    with evidence.open(file) as db:
        runs = update.updated(db, None).runs
    results.save(file, runs)
    return folder, file


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("EDITS", "4"))))
def test_whatever_is_edited_every_row_is_what_computing_it_all_gives(tmp_path, base, seed):
    folder = tmp_path / "now"
    shutil.copytree(base[0], folder)
    draw = random.Random(seed)
    several = [edits.EDITS[seed % len(edits.EDITS)], *draw.sample(edits.EDITS, draw.choice([0, 1, 2]))]
    for edit in several:
        edit(folder, draw)
    try:
        file = evidence.build(folder, tmp_path / "now.duckdb")
    except ReviewError:
        return  # What was edited is no review any more.
    same_as_anew(file, base[1])
