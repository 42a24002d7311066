"""Whole files or none, never onto an input, a device or another program's open file."""

import json
import os
import subprocess
import sys
import threading

import duckdb
import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import CallError, ReviewError
from evidence.system import files


def run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return evidence.build("smoking", tmp_path_factory.mktemp("files") / "smoking.duckdb")


# --- One file -------------------------------------------------------------------------------------------------


def test_an_answer_does_not_replace_what_was_asked(built):
    before = built.read_bytes()
    result = run("sql", built, "select 1", "-o", built)
    assert result.exit_code == 2
    assert "is what is read here" in result.output
    assert built.read_bytes() == before


def test_a_link_names_the_file_it_points_to(built, tmp_path):
    (tmp_path / "answer.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("answer.csv")
    assert run("sql", built, "select 1 as one", "-o", tmp_path / "link.csv").exit_code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "answer.csv").read_text() == "one\n1\n"


@pytest.mark.parametrize("kind", ["pipe", "device", "dangling", "folder"])
@pytest.mark.parametrize("command", ["sql", "build"])
def test_what_a_file_cannot_replace_is_left_alone(built, tmp_path, kind, command):
    target = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        target = "/dev/null"
    elif kind == "dangling":
        target.symlink_to("nothing")
    else:
        target.mkdir()
    before = os.lstat(target)
    asked = ["sql", built, "select 1"] if command == "sql" else ["build", "smoking"]
    result = run(*asked, "-o", target)
    assert result.exit_code == 2
    assert "Error" in result.output
    assert os.lstat(target).st_mode == before.st_mode


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.replacing(target) as temporary:
        temporary.write_text(str(1 / 0))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_what_killed_processes_left_goes_with_the_next_run(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    for kind in ("part", "writing"):
        (tmp_path / f".a.txt.{dead.stdout.strip()}-00000000.{kind}").write_text("left")
    (tmp_path / f".a.txt.{os.getppid()}-00000000.part").write_text("still written")
    with files.replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == [f".a.txt.{os.getppid()}-00000000.part", "a.txt"]


# --- Another client's changes -----------------------------------------------------------------------------------

CHANGE = """
import duckdb, os, sys, time
c = duckdb.connect(sys.argv[1])
c.execute("set wal_autocheckpoint = '1TB'")
c.execute("update measurement set mean = 99, events = 9 where measurement_id = 1")
print("changed", flush=True)
if sys.argv[2] == "stay":
    time.sleep(60)
os.kill(os.getpid(), 9)
"""


def changed_by_another_client(path, how):
    client = subprocess.Popen(
        [sys.executable, "-c", CHANGE, str(path), how], stdout=subprocess.PIPE, text=True
    )
    with client.stdout as lines:
        assert lines.readline() == "changed\n"
    if how == "die":
        client.wait()
    return client


def test_a_log_of_another_client_is_not_played_into_a_new_build(tmp_path):
    path = evidence.build("smoking", tmp_path / "s.duckdb")
    with evidence.open(path) as db:
        right = db.value("select events from measurement where measurement_id = 1")
    changed_by_another_client(path, "die")
    assert path.with_name("s.duckdb.wal").exists()
    with pytest.raises(CallError, match="did not finish"):
        evidence.open(path)
    evidence.build("smoking", path)
    with evidence.open(path) as db:
        assert db.value("select events from measurement where measurement_id = 1") == right


def test_a_file_that_another_program_writes_is_not_replaced(tmp_path):
    path = evidence.build("smoking", tmp_path / "s.duckdb")
    client = changed_by_another_client(path, "stay")
    try:
        with pytest.raises(CallError, match=f"process {client.pid}"):
            evidence.build("smoking", path)
    finally:
        client.kill()
        client.wait()


def test_a_reader_does_not_keep_a_build_out(tmp_path):
    path = evidence.build("smoking", tmp_path / "s.duckdb")
    with evidence.open(path) as db:
        evidence.build("smoking", path)
        assert db.value("select count(*) from study") == 24


# --- Two writers ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_result_is_lost_between_writers(tmp_path):
    path = evidence.build("smoking", tmp_path / "s.duckdb")
    asked = [
        sys.executable,
        "-m",
        "evidence.cli",
        "pool",
        str(path),
        "--outcome",
        "cessation",
        "--measure",
        "OR",
    ]
    pairs = [("ind_counseling", "no_contact"), ("grp_counseling", "no_contact"), ("self_help", "no_contact")]
    writers = [
        subprocess.Popen([*asked, "--treatment", a, "--versus", b, "--save"], stdout=subprocess.DEVNULL)
        for a, b in pairs
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with evidence.open(path) as db:
        assert db.value("select count(*) from result_run") == len(pairs)


def test_a_writer_that_waits_too_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_WAIT", 0.1)
    held, release = threading.Event(), threading.Event()

    def hold():
        with files.locked(tmp_path):
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        with pytest.raises(CallError, match="Another evidence command"), files.locked(tmp_path):
            pass
    finally:
        release.set()
        thread.join()


# --- Folders ----------------------------------------------------------------------------------------------------


def test_a_folder_is_put_in_place_as_a_whole(tmp_path):
    target = tmp_path / "out"
    with files.directory(target) as staged:
        (staged / "sub").mkdir()
        (staged / "sub" / "a").write_text("1")
        assert not target.exists()
    assert names(target) == ["sub", "sub/a"]
    with pytest.raises(ZeroDivisionError), files.directory(target) as staged:
        (staged / "b").write_text(str(1 / 0))
    assert names(tmp_path) == ["out", "out/sub", "out/sub/a"]


@pytest.mark.slow
def test_an_export_takes_away_what_the_last_one_wrote_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    assert run("export", "smoking", "--to", target, "--format", "csv").exit_code == 0
    (target / "mine.txt").write_text("mine")
    (target / "views" / "mine.csv").write_text("mine")
    assert run("export", "smoking", "--to", target, "--format", "metafor").exit_code == 0
    assert (target / "mine.txt").read_text() == "mine"
    assert (target / "views" / "mine.csv").read_text() == "mine"
    assert not (target / "views" / "pooled.csv").exists()
    listed = set(json.loads((target / "provenance.json").read_text())["files"])
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert there - listed == {"provenance.json", "mine.txt", "views/mine.csv"}


def test_no_folder_of_a_review_is_written_over(tmp_path):
    assert run("new", tmp_path / "mine").exit_code == 0
    before = names(tmp_path)
    for asked in (
        ["export", "smoking", "--to", tmp_path / "mine"],
        ["report", "smoking", "-o", tmp_path / "mine"],
    ):
        result = run(*asked)
        assert result.exit_code == 2
        assert "review folder" in result.output
    assert names(tmp_path) == before


def test_an_import_that_is_killed_between_two_files_is_finished_by_the_next_command(tmp_path, monkeypatch):
    folder, new = tmp_path / "review", tmp_path / "new"
    folder.mkdir()
    new.mkdir()
    for name in ("a.csv", "b.csv", "c.csv"):
        (folder / name).write_text("old")
        (new / name).write_text("new")
    replaced = []

    def replace(source, target, real=os.replace):
        if len(replaced) == 1:
            raise KeyboardInterrupt
        replaced.append(target)
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        files.change(folder, {path.name: path for path in new.iterdir()})
    monkeypatch.undo()
    files.recover(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
        ("a.csv", "b.csv", "c.csv"), "new"
    )


# --- Files of a review folder that are none ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dangling", "loop", "folder", "pipe"])
@pytest.mark.parametrize("name", ["contrasts.csv", "claims.csv", "measurements.csv", "review.toml"])
def test_a_file_of_the_folder_that_is_no_plain_file_is_an_error(tmp_path, kind, name):
    folder = tmp_path / "mine"
    run("new", folder)
    path = folder / name
    path.unlink(missing_ok=True)
    if kind == "dangling":
        path.symlink_to("annex/object")
    elif kind == "loop":
        path.symlink_to(name)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(ReviewError) as error:
        evidence.build(folder, tmp_path / "x.duckdb")
    assert any(problem.file == name for problem in error.value.problems)
    assert not (tmp_path / "x.duckdb").exists()
    assert run("sql", folder, "select 1").exit_code == 1


def test_duckdb_locks_files_as_we_read_it(tmp_path):
    """`_writer` reads the lock that DuckDB takes: should that change, builds would replace open files."""
    path = tmp_path / "x.duckdb"
    duckdb.connect(str(path)).close()
    assert files._writer(path) is None


def test_what_writes_a_database_has_one_thread_for_of_several_the_first_to_end_writes_first(tmp_path):
    asked = "select current_setting('threads')"
    with connect(tmp_path / "x.duckdb", write=True) as connection:
        assert connection.execute(asked).fetchone() == (1,)
    with connect(tmp_path / "x.duckdb", write=True, threads=2) as connection:
        assert connection.execute(asked).fetchone() == (2,)
