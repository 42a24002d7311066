"""CONTRIBUTING: every file it names is there, and its worked examples work, each in the files it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MARK = re.compile(
    r"<!-- (?P<what>new|add to|try)(?:: (?P<file>\S+)(?: (?P<side>after|before): (?P<line>.+?))?)? -->\n"
    r"```(?P<kind>\w+)\n(?P<code>.*?)```\n",
    re.DOTALL,
)


@dataclass
class Step:
    what: str
    file: str
    side: str
    line: str
    kind: str
    code: str


def steps(text):
    return [
        Step(**{name: value or "" for name, value in found.groupdict().items()})
        for found in MARK.finditer(text)
    ]


SECTIONS = {
    part.splitlines()[0]: steps(part)
    for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]
    if "<!-- try" in part
}
ROWS = {
    name: (re.findall(r"`([^`]+)`", files), test.strip().strip("`"))
    for name, files, test in re.findall(
        r"^\| \[([^]]+)\]\(#[^)]*\) \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE
    )
}


def pattern(file):
    """What the table writes of a file whose name a contributor chooses."""
    return re.compile(re.escape(file).replace("ROOM", r"\w+").replace("NAME", r"\w+"))


@pytest.mark.parametrize("name", ROWS)
def test_a_worked_example_touches_the_files_that_the_table_says(name):
    touched = {step.file: step.what for step in SECTIONS[name[0].upper() + name[1:]] if step.what != "try"}
    files, test = ROWS[name]
    assert len(files) == len(touched)
    for file, (real, what) in zip(
        files, sorted(touched.items(), key=lambda item: files_order(files, item[0])), strict=True
    ):
        assert pattern(file).fullmatch(real), (file, real)
        assert (ROOT / real).is_file() == (what == "add to"), real
    assert (ROOT / test).is_file(), test


def files_order(files, real):
    return next(place for place, file in enumerate(files) if pattern(file).fullmatch(real))


def test_all_seven_changes_have_an_example():
    assert len(ROWS) == 7
    assert {name[0].upper() + name[1:] for name in ROWS} == SECTIONS.keys()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "analysis/README.md", "evidence/README.md"])
def test_every_file_and_link_that_a_map_names_is_there(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {
        name
        for name in re.findall(r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:md|py|toml|run))`", text)
        if not re.search(r"ROOM|NAME", name)
    }
    links = {(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)}
    gone = [name for name in named if not ((ROOT / name).exists() or ((ROOT / page).parent / name).exists())]
    assert named
    assert not gone
    assert all(link.exists() for link in links), links


@pytest.mark.parametrize(
    ("page", "top"), [("analysis/README.md", "analysis"), ("evidence/README.md", "evidence")]
)
def test_the_map_names_every_room_and_every_module_outside_rooms(page, top):
    text = (ROOT / page).read_text(encoding="utf-8")
    for path in sorted((ROOT / top).rglob("*.py")):
        place = path.relative_to(ROOT / top)
        word = f"`{place.parent}/`" if place.parent != Path(".") else f"`{place.name}`"
        if place.name != "__init__.py" or place.parent != Path("."):
            assert word in text, f"{page} does not name {word}"


def changed(step, text):
    """Text of a file after a step."""
    if not step.line:
        return text.rstrip("\n") + "\n" * (3 if step.kind == "python" else 1) + step.code
    lines = text.splitlines(keepends=True)
    (at,) = (number for number, line in enumerate(lines) if step.line in line)
    lines.insert(at + (step.side == "after"), step.code)
    return "".join(lines)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with all worked examples in it."""
    place = tmp_path_factory.mktemp("contributed")
    for room in ("schema", "sql", "evidence", "analysis"):
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    for step in (step for section in SECTIONS.values() for step in section if step.what != "try"):
        file = place / step.file
        old = file.read_text(encoding="utf-8") if step.what == "add to" else ""
        file.write_text(changed(step, old) if old else step.code, encoding="utf-8")
    return place


RUN = """
import shlex, sys
from click.testing import CliRunner
from evidence.cli import cli
for line in sys.stdin.read().splitlines():
    found = CliRunner().invoke(cli, shlex.split(line)[1:])
    print(found.output)
    assert found.exit_code == 0, line
"""


@pytest.mark.slow
def test_worked_examples_work(copy, tmp_path):
    def run(*arguments, given=""):
        environment = os.environ | {"PYTHONPATH": str(copy), "EVIDENCE_CACHE": str(tmp_path / "cache")}
        call = [sys.executable, *arguments]
        found = subprocess.run(
            call, input=given, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
        return found.stdout

    (tmp_path / "cache").mkdir()
    tries = [step for section in SECTIONS.values() for step in section if step.what == "try"]
    lines = [line for step in tries if step.kind == "sh" for line in step.code.splitlines()]
    for line in (line for line in lines if line.startswith("python ")):
        run(*shlex.split(line)[1:])
    said = run("-c", RUN, given="\n".join(line for line in lines if line.startswith("evidence ")))
    for word in ("studies of that decade", "AS", "predictors", "exponential(0.5)", "studies.csv: year"):
        assert word in said, word
    assert (tmp_path / "decades.svg").read_text(encoding="utf-8").startswith("<svg")
