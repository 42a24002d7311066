"""A skipped test is a failed one where everything it needs has to be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_needs_a_tool():
    pytest.skip("no such tool")

def test_needs_the_directory(oracle_directory):
    raise AssertionError("not reached")

def test_of_another_version():
    pytest.skip("not in this version: psislw")

@pytest.fixture(scope="module")
def made_with_a_package():
    pytest.importorskip("no_such_package")

def test_needs_a_package(made_with_a_package):
    raise AssertionError("not reached")
"""


@pytest.mark.parametrize(
    ("required", "failed", "skipped"),
    [
        (("REQUIRE_TOOLS",), ["test_needs_a_tool", "test_needs_a_package"], 3),
        (
            ("REQUIRE_TOOLS", "REQUIRE_ORACLES"),
            ["test_needs_a_tool", "test_needs_the_directory", "test_needs_a_package"],
            2,
        ),
    ],
)
def test_a_skip_fails_where_all_must_be_there(tmp_path, required, failed, skipped):
    """Be it the test, or a package that its fixture is made with, as in test_crate.py.

    But for benchmarks, and for what another version of a package lacks.
    """
    here = tmp_path / "checkout" / "tests"
    (here / "benchmarks").mkdir(parents=True)
    shutil.copyfile(Path(__file__).with_name("conftest.py"), here / "conftest.py")
    (here / "test_one.py").write_text(TESTS, encoding="utf-8")
    (here / "benchmarks" / "test_two.py").write_text(TESTS.split("def test_needs_the")[0], encoding="utf-8")
    (here / "pytest.ini").write_text("[pytest]\nmarkers = oracle\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REQUIRE_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "--import-mode=importlib", "-p", "no:cacheprovider", here],
        env=kept | dict.fromkeys(required, "1"), cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert sorted(line.split("::")[1].split(" ")[0] for line in lines) == sorted(failed), done.stdout
    assert f" {skipped} skipped" in done.stdout
