"""Every command and every piece of Python in the README and the tutorials runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
TUTORIALS = [
    ROOT / "docs" / f"{name}.md" for name in ("query", "analyse", "export", "import", "own-review", "firm")
]


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """What stands before a block of code (a comment), its language, its text."""
    return re.findall(r"(<!-- \w+: .* -->\n)?```(\w+)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


SHELL = [
    pytest.param(path.stem, line, id=f"{path.stem}: {line}")
    for path in (README, *TUTORIALS)
    for start, kind, text in blocks(path)
    if kind == "sh" and not start.startswith(("<!-- command", "<!-- mistake", "<!-- mended"))
    for line in text.splitlines()
    if line
]
PYTHON = [text for path in (README, *TUTORIALS) for _, kind, text in blocks(path) if kind == "python"]
STORY = re.findall(
    r"<!-- (?:mistake|mended): (\S+) (\d+) (\S+) (\S+) -->\n```sh\n(.*?)```\n(?:```text\n(.*?)```)?",
    README.read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder for each page, in which its commands run one after the other."""
    made = {path.stem: tmp_path_factory.mktemp(path.stem) for path in (README, *TUTORIALS)}
    for file, text in GIVEN.items():
        (made["import"] / file).write_text(text, encoding="utf-8")
    return made


GIVEN = {
    "pubmed.nbib": "PMID- 1\nTI  - Another invented article\nDP  - 2026 May\nFAU - Example, Dora\n"
    "JT  - Journal of Examples\nLID - 10.5555/example.2026 [doi]\n",
    "retraction_watch.csv": "Record ID,Title,RetractionDate,RetractionDOI,RetractionPubMedID,OriginalPaperDOI,"
    "OriginalPaperPubMedID,RetractionNature,Reason\n1,An invented article on A,1/2/2020 0:00,10.5555/notice,0,"
    "10.5555/example.2018,0,Retraction,+Error in Data;\n",
}
"""What a page's commands are given by other programs."""


NEEDS = {
    "diabetes.duckdb": ["build", "diabetes", "-o", "diabetes.duckdb"],
    "alf.duckdb": ["build", "alf-simulated", "-o", "alf.duckdb"],
    "my-review": ["new", "my-review"],
    "smoking-csv/views/measurement_standard.csv": [
        "export",
        "smoking",
        "--to",
        "smoking-csv",
        "--format",
        "csv",
    ],
    "of-question": ["new", "of-question", "--answers", "answers.toml"],
}
"""What a command of a page takes from one before, where it runs alone."""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "line"), SHELL)
def test_command(page, line, places, monkeypatch):
    from click.testing import CliRunner

    from evidence.cli import cli

    place = places[page]
    monkeypatch.chdir(place)
    for _, kind, text in blocks(ROOT / "docs" / f"{page}.md" if page != "README" else README):
        if kind == "toml":
            (place / "answers.toml").write_text(text, encoding="utf-8")
    program, *arguments = shlex.split(line, comments=True)
    assert program == "evidence"
    for name, make in NEEDS.items():
        if name in arguments and make != arguments and not (place / name).exists():
            CliRunner().invoke(cli, make, catch_exceptions=False)
    if arguments[0] == "trace" or "result_" in line:
        CliRunner().invoke(cli, ["analyse", arguments[1]], catch_exceptions=False)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.strip() or "-o" in arguments
    if arguments[0] == "sql" and "-o" not in arguments and "left_out" not in line:
        # A header alone would be no example.
        assert len([row for row in result.output.splitlines() if row.strip()]) > 2, result.output


@pytest.mark.parametrize("code", PYTHON)
def test_python_shows_effects(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "..." not in printed
    assert "rosi" in printed
    assert re.search(r"random +-1\.\d\d +-\d\.\d\d +-?\d\.\d\d", printed), printed


def test_a_mistake_in_a_review_of_ones_own_is_told_as_printed_and_mended(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from evidence.cli import cli

    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["new", "my-review"]).exit_code == 0
    assert [bool(printed) for *_, printed in STORY] == [True, False]
    for file, line, old, new, commands, printed in STORY:
        lines = (tmp_path / file).read_text(encoding="utf-8").split("\n")
        assert old in lines[int(line) - 1]
        lines[int(line) - 1] = lines[int(line) - 1].replace(old, new)
        (tmp_path / file).write_text("\n".join(lines), encoding="utf-8")
        for command in commands.splitlines():
            if "report" in command:
                continue  # The report of this folder is that of other tests.
            done = CliRunner().invoke(cli, shlex.split(command)[1:])
            assert done.exit_code == (1 if printed else 0), done.output
            assert not printed or done.output == printed


def test_the_two_commands_do_their_own_set_up():
    assert re.search(
        r"<!-- command: main -->\n```sh\npython3 -m venv .*evidence report diabetes", README.read_text()
    )
    assert re.search(r"<!-- command: test -->\n```sh\npython3 -m venv .*pytest", README.read_text())


def test_the_picture_is_there_and_small():
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert 10_000 < (README.parent / picture).stat().st_size < 200_000


def test_every_file_that_is_linked_is_there():
    for name in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / name).is_file(), name
