"""Ctrl-C while a command writes: a sentence, exit code 130, and the folder as it was."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import evidence
from evidence.folder.simulate import simulate, synthetic_shape

COMMANDS = {
    "build": "build review -o new.duckdb",
    "build over a file": "build review -o review.duckdb",
    "analyse": "analyse review.duckdb",
    "report": "report review -o report",
    "site": "site review -o site",
    "export": "export review.duckdb --to out --format csv,xlsx,json",
    "simulate": "simulate twin --studies 20000",
    "import": "import arms arms.csv --into imported --outcome y --lower-is-better",
    "gallery": "gallery -o gallery",
    "new": "new mine",
    "pool --save": "pool review.duckdb --outcome o1 --measure MD --treatment T001 --versus control --save",
    "nma --save": "nma review.duckdb --outcome o1 --measure MD --save",
    "sql": "sql review.duckdb 'select * from contrast, range(200)' -o answer.csv",
    "readings": "readings review.duckdb --extractor simulation -o read.duckdb",
}
QUICK = {"new"}
"""Those that may be done before Ctrl-C comes in."""
OFTEN = {"build over a file"}
"""Those that the default tests run."""
MOMENTS = (0.0, 0.2)
"""Seconds after the first sign of what is written (beside its place), at which Ctrl-C comes in."""


SENTENCE = "Error: Stopped by Ctrl-C: what was there is as it was, and nothing is left half written."


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A review of 300 studies with its file, and a table of arms."""
    folder = tmp_path_factory.mktemp("stopped")
    simulate(synthetic_shape(300, treatments=6), folder / "review")
    evidence.build(folder / "review", folder / "review.duckdb")
    lines = [f"s{i},{arm},{arm},20,{i % 7 + 1},2" for i in range(20_000) for arm in "ab"]
    (folder / "arms.csv").write_text("\n".join(["study,arm,treatment,n,mean,sd", *lines]), encoding="utf-8")
    return folder


def held(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def stopped(command: str, folder: Path, after: float) -> tuple[int, str]:
    """Exit code and what is said, of a command stopped once it has begun to write (or after 20 seconds)."""
    before = set(os.listdir(folder))
    process = subprocess.Popen(
        [sys.executable, "-m", "evidence.cli", *shlex.split(command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        end = time.monotonic() + 20
        while set(os.listdir(folder)) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, said


@pytest.mark.parametrize("after", MOMENTS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.slow) for name in COMMANDS]
)
def test_ctrl_c_leaves_everything_as_it_was_and_says_so(place, tmp_path, name, after):
    here = shutil.copytree(place, tmp_path / "here")
    before = held(here)
    code, said = stopped(COMMANDS[name], here, after)
    assert "Traceback" not in said
    if code == 0 and (after or name in QUICK):  # It was quicker than that.
        return
    assert (code, said.strip().splitlines()[-1:]) == (130, [SENTENCE])
    assert held(here) == before


def test_ctrl_c_that_python_could_only_print_is_heeded(monkeypatch, capsys):
    """It falls into the end of an object, where an exception has nobody to go to."""
    from evidence import cli

    class Ends:
        def __del__(self):
            raise KeyboardInterrupt

    def work(**given):
        Ends()
        time.sleep(5)

    hook = sys.unraisablehook
    monkeypatch.setattr(cli.cli, "main", work)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 130
    assert "Traceback" not in capsys.readouterr().err
    assert sys.unraisablehook is hook
