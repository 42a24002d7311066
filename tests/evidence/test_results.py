import hashlib
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import CallError, EvidenceError
from evidence.results import CONTENT, TABLES, Run, hash_rows, listing, plain, read, save, versions
from evidence.store.definitions import remember
from evidence.store.stored import refresh
from evidence.system.frames import records


def estimates(**changes):
    row = {
        "engine": "frequentist", "model": "random", "treatment": "a, \"x\"\n", "versus": "", "estimate": 0.1 + 0.2,
        "std_error": 1e-300, "ci_lower": -1 / 3, "ci_upper": math.nan, "p_value": 5e-324, "evidence": "direct",
        "n_studies": 3, "level": None,
    }  # fmt: skip
    return pd.DataFrame([row | changes, row | {"model": "common", "n_studies": None}])


@pytest.fixture
def run():
    return Run(
        kind="pairwise",
        engine="frequentist",
        outcome="hba1c",
        measure="MD",
        scale="additive",
        specification={"tau2": "REML", "ci": "HK", "by": None},
        input_hash="0" * 64,
        frames={
            "estimates": estimates(),
            "notes": pd.DataFrame([{"severity": "info", "message": "NULL, \\N and 'quotes'"}]),
            "exclusions": pd.DataFrame([{"study": "x", "reason": "no number"}]),
        },
        analysis="hba1c-metformin",
        unit="%",
        lower_is_better=True,
        treatment="metf",
        versus="plac",
        timepoint="last",
        n_studies=3,
        versions=versions(),
    )


@pytest.fixture
def file(diabetes_file, tmp_path):
    path = tmp_path / "review.duckdb"
    shutil.copyfile(diabetes_file, path)
    remember(path)  # What it holds is known: not computed anew.
    return path


def test_a_run_comes_back_to_the_last_digit(file, run):
    save(file, [run])
    with evidence.open(file) as db:
        again = read(db, "hba1c-metformin")
        assert read(db, run.run_id[:5]).run_id == read(db, run.run_id).run_id == run.run_id
    assert again.run_id == run.run_id
    assert again.specification == run.specification
    assert again.versions == run.versions
    assert again.lower_is_better is True
    left, right = run.frames["estimates"], again.frames["estimates"]
    for column in left:
        assert [plain(value) for value in left[column]] == [plain(value) for value in right[column]]
    assert list(again.frames["notes"]["message"]) == ["NULL, \\N and 'quotes'"]
    assert set(again.frames) == set(TABLES)


def test_equal_questions_have_equal_ids_and_others_do_not(run):
    assert run.run_id == replace(run, frames={}, analysis="another name", n_studies=5).run_id
    others = [
        replace(run, input_hash="1" * 64),
        replace(run, specification=run.specification | {"tau2": "DL"}),
        replace(run, seed=7),
        replace(run, engine="exact"),
        replace(run, versions=run.versions | {"duckdb": "0"}),
    ]
    assert len({item.run_id for item in [run, *others]}) == 6


def test_saving_again_replaces(file, run):
    save(file, [run])
    save(file, [replace(run, frames={"estimates": estimates(estimate=9.0)})])
    with evidence.open(file) as db:
        assert db.rows("select count(*) as n, max(estimate) as top from result_estimate") == [
            {"n": 2, "top": 9.0}
        ]
        assert db.value("select count(*) from result_note") == 0


def test_a_planned_analysis_has_one_run_and_others_stay(file, run):
    save(file, [run, replace(run, analysis=None, seed=1), replace(run, analysis=None, seed=2)])
    save(file, [replace(run, seed=3)])
    with evidence.open(file) as db:
        first = listing(db)[0]
        assert (first["analysis"], first["seed"]) == ("hba1c-metformin", 3)
        assert sorted(row["seed"] for row in listing(db)) == [1, 2, 3]


def test_what_others_have_open_stays_as_it_was(file, run):
    with evidence.open(file) as old:
        save(file, [run])
        assert old.value("select count(*) from result_run") == 0
        with evidence.open(file) as new:
            assert new.value("select count(*) from result_run") == 1


def test_all_or_nothing(file, run):
    before = file.read_bytes()
    with pytest.raises(Exception, match="CHECK"):
        save(file, [run, replace(run, seed=1, scale="cubic")])
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_permissions_stay(file, run):
    file.chmod(0o640)
    save(file, [run])
    assert file.stat().st_mode & 0o777 == 0o640


def test_the_result_opens_in_the_same_storage_format(file, run):
    save(file, [run])
    connection = connect()
    connection.execute(f"attach '{file}' as other (read_only)")
    tags = connection.execute("select tags from duckdb_databases() where database_name = 'other'").fetchone()[
        0
    ]
    assert tags["storage_version"].startswith(("v1.0", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nothing", "hba1c-metform"])
def test_runs_that_are_not_there(file, run, name):
    with evidence.open(file) as db, pytest.raises(CallError, match="no run"):
        read(db, name)
    save(file, [run])
    with evidence.open(file) as db, pytest.raises(CallError, match="hba1c-metformin"):
        read(db, name)


def test_there_must_be_a_file(tmp_path, run):
    with pytest.raises(CallError, match="no file"):
        save(tmp_path / "nothing.duckdb", [run])


def test_the_document_is_json_with_null_for_missing_numbers(run):
    document = json.loads(json.dumps(run.document(), allow_nan=False))
    assert set(document) == {"run", *TABLES, "exclusions"}
    assert document["run"]["run_id"] == run.run_id
    assert document["run"]["specification"] == run.specification
    assert document["estimates"][0]["estimate"] == 0.1 + 0.2
    assert document["estimates"][0]["ci_upper"] is None
    assert document["estimates"][1]["n_studies"] is None
    assert document["ranking"] == []


def test_hashes_of_rows_ignore_their_order_and_nothing_else():
    rows = pd.DataFrame({"a": [1.0, 2.0, math.nan], "b": ["x", None, "z"]})
    assert hash_rows(rows) == hash_rows(rows.iloc[::-1][["b", "a"]])
    assert hash_rows(rows) != hash_rows(rows.assign(a=[1.0, 2.0, 0.0]))
    assert hash_rows(rows) != hash_rows(rows.rename(columns={"b": "c"}))
    assert hash_rows(rows) != hash_rows(rows.head(2))


def test_hashes_of_rows_are_those_of_each_row_written_as_json():
    rows = pd.DataFrame(
        {
            "text": ['a"é\n', None, "\u2028"],
            "number": [0.1, -0.0, math.inf],
            "whole": pd.array([1, None, 3], "Int64"),
            "mixed": [1, True, 1.0],
            "listed": [[1, "x"], pd.NaT, np.float64(2.5)],
        }
    )
    for part in (rows, rows[[]], rows.head(0), rows.head(2)):
        columns = sorted(part.columns)
        written = (json.dumps([row[name] for name in columns], ensure_ascii=False, separators=(",", ":"))
                   for row in records(part))  # fmt: skip
        text = "\n".join([json.dumps(columns, separators=(",", ":")), *sorted(written)])
        assert hash_rows(part) == hashlib.sha256(text.encode()).hexdigest()


def test_the_tables_are_those_of_the_schema(diabetes_file):
    from analysis.results import COLUMNS

    with evidence.open(diabetes_file) as db:
        for name, table in TABLES.items():
            assert db.columns(table) == ("run_id", *COLUMNS[name]), table


def test_results_of_other_data_are_not_kept(file, run):
    with evidence.open(file) as db:
        content = db.value(CONTENT)
    save(file, [replace(run, content_hash=content)])
    before = file.read_bytes()
    with pytest.raises(EvidenceError, match="was built from other data while the analysis ran"):
        save(file, [run, replace(run, content_hash="of the folder before")])
    assert file.read_bytes() == before


@pytest.fixture
def pooled(file):
    from analysis.plan import run_pairwise

    with evidence.open(file) as db:
        runs = [run_pairwise(db, outcome="hba1c", measure="MD", treatment="metf", versus="plac")]
    save(file, runs)
    return file


CHANGES = {
    "the review": ("update build_info set value = 'x' where key = 'content_hash'", "with other content than"),
    "a number": (
        "update measurement set mean = mean + 1 where measurement_id in "
        "(select cast(split_part(measurement_ids, ',', 1) as bigint) from result_contrast limit 1)",
        "is not as it was when it entered",
    ),
    "a row": (
        "delete from measurement where measurement_id in "
        "(select cast(split_part(measurement_ids, ',', 2) as bigint) from result_contrast limit 1)",
        "is not as it was when it entered",
    ),
}


@pytest.mark.slow
def test_a_build_says_which_results_go_with_the_data(pooled):
    result = CliRunner().invoke(cli, ["build", "diabetes", "-o", str(pooled)])
    assert result.exit_code == 0
    assert "1 run of no plan: not taken over" in result.stderr


@pytest.mark.slow
def test_results_of_data_that_were_changed_since_are_an_error_of_the_audit(pooled):
    with connect(pooled, write=True) as connection:
        audit = "select severity, message from audit_result_data"
        assert connection.execute(audit).fetchall() == []
        for change, message in CHANGES.values():
            connection.execute("begin")
            connection.execute(change)
            refresh(connection, ["audit_result_data"])
            ((severity, said),) = connection.execute(audit).fetchall()
            assert severity == "error"
            assert message in said
            connection.execute("rollback")
