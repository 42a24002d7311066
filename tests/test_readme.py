"""Every command and every piece of Python in the README runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(
    r"(<!-- command: \w+ -->\n)?```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
)
SHELL = [
    line for start, kind, text in BLOCKS if kind == "sh" and not start for line in text.splitlines() if line
]
PYTHON = [text for _, kind, text in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


@pytest.mark.slow
@pytest.mark.parametrize("line", SHELL)
def test_command(line, place, monkeypatch):
    from click.testing import CliRunner

    from evidence.cli import cli

    monkeypatch.chdir(place)
    program, *arguments = shlex.split(line)
    assert program == "evidence"
    needs = {
        "diabetes.duckdb": ["build", "diabetes", "-o", "diabetes.duckdb"],
        "my-review": ["new", "my-review"],
    }
    for name, make in needs.items():
        if name in arguments and make != arguments and not (place / name).exists():
            CliRunner().invoke(cli, make, catch_exceptions=False)
    if arguments[0] == "trace":
        CliRunner().invoke(cli, ["analyse", arguments[1]], catch_exceptions=False)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.strip()


@pytest.mark.parametrize("code", PYTHON)
def test_python(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert "rosi" in capsys.readouterr().out


def test_the_two_commands_do_their_own_set_up():
    assert re.search(
        r"<!-- command: main -->\n```sh\npython3 -m venv .*evidence report diabetes", README.read_text()
    )
    assert re.search(r"<!-- command: test -->\n```sh\npython3 -m venv .*pytest", README.read_text())
