"""What the operating system refuses is said in a sentence, with the exit code of a wrong call."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from evidence.build import build
from evidence.cli import cli
from evidence.errors import CallError
from evidence.store import blank
from evidence.system import files, resources

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refusing(error):
    def refuse(*arguments, **options):
        raise error

    return refuse


def run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_no_room_for_a_build_is_no_damaged_file(review_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(blank.shutil, "copyfile", refusing(FULL))
    with pytest.raises(CallError, match=r"out\.duckdb' cannot be written: No space left on device"):
        build(review_folder(), tmp_path / "out.duckdb")
    assert not list(tmp_path.glob(".out*"))


def test_no_room_for_a_new_folder(tmp_path, monkeypatch):
    listed = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])
    monkeypatch.setattr(shutil, "copytree", refusing(listed))
    result = run("new", tmp_path / "new")
    assert result.exit_code == 2
    assert result.output == f"Error: '{tmp_path}/new' cannot be written: No space left on device.\n"
    assert not list(tmp_path.iterdir())


def test_what_the_engine_cannot_write(tmp_path):
    """So does DuckDB say that the disk is full."""
    error = duckdb.IOException('Async write failed: {"exception_message": "x: No space left on device"}')
    with pytest.raises(CallError, match="'out' cannot be written: No space left on device"):
        raise files.cannot_write(Path("out"), error)
    for way in (files.replacing, files.directory):
        with pytest.raises(CallError, match="No space left on device"), way(tmp_path / "out"):
            raise error
    with pytest.raises(duckdb.BinderException), files.replacing(tmp_path / "out"):
        raise duckdb.BinderException("not of the disk")
    assert not list(tmp_path.iterdir())


def test_an_import_that_cannot_be_kept_leaves_no_folder(tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("study,treatment,mean,sd,n\nA,x,1,1,9\nA,y,2,1,9\n")
    monkeypatch.setattr(files, "change", refusing(FULL))
    result = run("import", "arms", tmp_path / "d.csv", "--into", tmp_path / "review", "--outcome", "y")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert not (tmp_path / "review").exists()


def test_a_cache_that_cannot_be_written_is_passed_by(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_CACHE", str(tmp_path))
    assert resources.cache_directory() == tmp_path
    monkeypatch.setattr(os, "access", lambda *given: False)
    private = resources.cache_directory()
    assert private not in (tmp_path, Path.home())
    assert resources.cache_directory() == private


@pytest.mark.parametrize("timeout", ["nan", "inf", "1e300", "0", "-1"])
def test_times_that_are_none(tmp_path, timeout):
    assert run("sql", tmp_path, "select 1", "--timeout", timeout).exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("command", ["--help", "reviews"])
def test_standard_output_that_is_full_or_closed(command):
    call = [sys.executable, "-m", "evidence.cli", command]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "Error: What is printed cannot be written: No space left on device.\n"
    quoted = " ".join(call)
    closed = subprocess.run(["sh", "-c", f"{quoted} >&-"], stderr=subprocess.PIPE, text=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, "")
