"""Other people's queries and files: they see the evidence, and nothing else; nothing brings the machine down."""

import shutil
import tempfile
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

import evidence
from evidence.checking import gate
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import CallError
from evidence.store import definitions
from evidence.store.blank import copy_blank

GREEDY = "select len(range(3000000000))"
STUCK = "select regexp_extract_all(repeat('ab', 5000000), '(a?){1000}(b?){1000}')"
CRASHING = "select * from pandas_scan(null)"


@pytest.fixture(scope="module")
def smoking(tmp_path_factory):
    return evidence.build("smoking", tmp_path_factory.mktemp("gate") / "smoking.duckdb")


def run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_query_that_wants_all_memory_ends_in_a_sentence(smoking):
    with evidence.open(smoking) as db, pytest.raises(CallError, match="more memory"):
        list(gate.ask(db, GREEDY).rows)


@pytest.mark.slow
def test_a_query_that_heeds_no_interruption_is_ended(smoking):
    with evidence.open(smoking) as db, pytest.raises(CallError, match="too long and could not be stopped"):
        list(gate.ask(db, STUCK, timeout=1).rows)


def test_a_query_that_crashes_the_engine_takes_nothing_else_along(smoking):
    """DuckDB 1.5 ends with a segmentation fault, DuckDB 2 with an error: both are one sentence."""
    with evidence.open(smoking) as db:
        with pytest.raises(CallError):
            list(gate.ask(db, CRASHING).rows)
        answers = gate.ask_each(db, ["select 1", CRASHING, "select 3"], timeout=20, most=5)
    assert answers[0] == ([(1,)], 1)
    assert isinstance(answers[1], CallError)
    assert answers[2] == ([(3,)], 1)


def test_a_process_of_the_gate_that_dies_is_said():
    assert "SIGSEGV" in str(gate._died(-11))
    assert "memory" in str(gate._died(-9))


def test_rows_are_counted_and_only_some_are_kept(smoking):
    with evidence.open(smoking) as db:
        ((rows, count),) = gate.ask_each(db, ["select * from range(100000)"], timeout=20, most=5)
    assert count == 100_000
    assert len(rows) == 5


def test_no_answer_tells_the_folder_that_a_file_stands_in(smoking):
    with evidence.open(smoking) as db:
        rows = list(gate.ask(db, "select path from duckdb_databases() where path is not null").rows)
    assert rows == [("smoking.duckdb",)]


@pytest.mark.parametrize("command", ["pool", "nma"])
def test_a_condition_has_the_bounds_of_a_query(smoking, command):
    asked = [command, smoking, "--outcome", "cessation", "--measure", "OR", "--where", f"1 = ({GREEDY})"]
    if command == "pool":
        asked += ["--treatment", "ind_counseling", "--versus", "no_contact"]
    result = run(*asked)
    assert result.exit_code == 2
    assert "more memory" in result.output


def test_a_condition_of_an_export_has_the_bounds_of_a_query(smoking, tmp_path):
    result = run("export", smoking, "--to", tmp_path / "out", "--format", "csv", "--where", f"1 = ({GREEDY})")
    assert result.exit_code == 2
    assert "more memory" in result.output


def test_the_bound_can_be_raised_and_is_checked(smoking):
    assert run("sql", smoking, "select 1", "--memory", "2GB").exit_code == 0
    for wrong in ("much", "1KB", "nanGB", "-2GB"):
        result = run("sql", smoking, "select 1", "--memory", wrong)
        assert result.exit_code == 2
        assert "write 2GB" in result.output or "32MB or more" in result.output


SECRET = "select content from read_text('{}')"


@pytest.fixture
def foreign(smoking, tmp_path):
    """A file from somebody else: views that read a file, one of them under the name of ours; a trigger."""
    secret = tmp_path / "secret.txt"
    secret.write_text("xyzzy-31")
    path = tmp_path / "foreign.duckdb"
    triggers = not duckdb.__version__.startswith("1.")  # and only in files of its own format
    with duckdb.connect() as connection:
        if triggers:
            connection.execute(f"attach '{smoking}' as source (read_only)")
            connection.execute(f"attach '{path}' as target (storage_version 'v2.0.0')")
            connection.execute("copy from database source to target")
        else:  # DuckDB 1.5 copies tables before those that they refer to.
            shutil.copyfile(smoking, path)
            connection.execute(f"attach '{path}' as target")
        connection.execute("use target")
        connection.execute(f"create view v as {SECRET.format(secret)}")
        connection.execute("create or replace view pooled as select 'lie' as outcome")
        connection.execute("create table sink (x integer)")
        if triggers:
            connection.execute(
                "create trigger t after insert on result_run for each statement insert into sink values (1)"
            )
    return path


@pytest.mark.slow
def test_views_of_a_foreign_file_are_replaced_by_ours(foreign):
    assert not definitions.are_ours(foreign)
    with evidence.open(foreign) as db, evidence.open("smoking") as own:
        assert set(db.left_behind) == {"v", "sink"}
        query = "select * from pooled order by all"
        assert db.sql(query).fetchall() == own.sql(query).fetchall()
        copy = db.path
    assert not copy.exists()


def test_every_table_and_column_that_a_file_lacks_is_named():
    """Of another version's file nothing is guessed: what it does not hold is not empty."""
    place = Path("old.duckdb")
    with tempfile.TemporaryDirectory() as folder:
        copy_blank(Path(folder) / "blank.duckdb")
        with connect(Path(folder) / "blank.duckdb") as connection:
            own = definitions._columns(connection, "evidence_file")
    assert len(own) > 30
    definitions._check(place, own, own | {"theirs": {"x": "INTEGER"}})
    for table, columns in own.items():
        if table != "build_info":
            with pytest.raises(CallError, match=rf"it has no table {table}\)"):
                definitions._check(place, own, {name: own[name] for name in own if name != table})
        for column in columns:
            rest = {name: kind for name, kind in columns.items() if name != column}
            with pytest.raises(
                CallError, match=rf"no column {column} in table {table}\).*evidence build REVIEW"
            ):
                definitions._check(place, own, own | {table: rest})
            with pytest.raises(CallError, match=rf"a column {column} in table {table}\)"):
                definitions._check(place, own | {table: rest}, own)


def test_a_file_of_an_earlier_version_is_refused_in_a_sentence(tmp_path, monkeypatch):
    old = evidence.build("smoking", tmp_path / "old.duckdb")
    assert definitions.is_remembered(old)
    # The definitions have changed since, under the same number of version, as between two commits.
    with connect(old, write=True) as connection:
        connection.execute("alter table plan drop column funnel_order")
    definitions.remember(old)
    monkeypatch.setattr(definitions, "_state_of_definitions", lambda: "changed since")
    for command in (
        ["analyse", old],
        ["nma", old, "--outcome", "cessation", "--measure", "OR"],
        ["check", old],
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert "it has no column funnel_order in table plan" in result.stderr
        assert "evidence build REVIEW" in result.stderr


@pytest.mark.slow
def test_an_export_of_a_foreign_file_runs_none_of_its_views(foreign, tmp_path):
    assert run("export", foreign, "--to", tmp_path / "out", "--format", "csv,duckdb").exit_code == 0
    assert (tmp_path / "out" / "views" / "pooled.csv").exists()
    texts = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(b"xyzzy-31" in text or b"read_text" in text for text in texts)


@pytest.mark.slow
def test_results_kept_in_a_foreign_file_wake_no_trigger(foreign):
    asked = ["--outcome", "cessation", "--measure", "OR", "--treatment", "ind_counseling"]
    assert run("pool", foreign, *asked, "--versus", "no_contact", "--save").exit_code == 0
    assert definitions.are_ours(foreign)
    with evidence.open(foreign) as db:
        assert db.value("select count(*) from result_run") == 1
        assert "sink" not in db.names()


@pytest.mark.slow
def test_one_readers_values_of_a_foreign_file_stand_under_our_definitions(foreign, tmp_path):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{foreign}' as target")
        connection.execute("update target.measurement set extractor = 'BW'")
    out = tmp_path / "read.duckdb"
    result = run("readings", foreign, "--extractor", "BW", "-o", out)
    assert result.exit_code == 0, result.output
    assert definitions.are_ours(out)
    assert b"xyzzy-31" not in out.read_bytes()
    assert b"read_text" not in out.read_bytes()
    assert run("readings", foreign).exit_code == 0


def test_a_file_that_is_no_evidence_base_is_refused(tmp_path):
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("create table t (a integer)")
    result = run("sql", tmp_path / "x.duckdb", "select 1")
    assert result.exit_code == 2
    assert "evidence build" in result.output
