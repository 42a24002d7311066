"""The references in docs/ are what the code says: every public name, every command and option."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evidence.cli import by_task

ROOT = Path(__file__).resolve().parents[1]
GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))
DECLARING = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for top in ("evidence", "analysis")
    for path in (ROOT / top).rglob("*.py")
    if re.search(r"^__all__\b", path.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("file", GENERATE["WRITTEN"])
def test_a_reference_is_in_step_with_the_code(file):
    written = (ROOT / "docs" / file).read_text(encoding="utf-8")
    assert written == GENERATE["WRITTEN"][file](), "run `python docs/generate.py`"


def test_every_module_that_declares_public_names_is_listed():
    inner = {"analysis.report.sections.whole"}  # what its package's face gives
    assert {name for names in GENERATE["PLACES"].values() for name in names} == DECLARING - inner


def test_a_public_name_without_a_docstring_is_refused():
    with pytest.raises(ValueError, match="has no docstring"):
        GENERATE["first_line"](type("Bare", (), {}))


def test_every_command_says_what_it_does_and_shows_an_example():
    from evidence.cli import cli

    def commands(group, path):
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command.help, name
            assert command.epilog, name
            yield f"{path} {name}"
            if isinstance(command, click.Group):
                yield from commands(command, f"{path} {name}")

    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    names = list(commands(cli, "evidence"))
    assert len(names) > 25
    headings = [line.lstrip("# ") for line in written.splitlines() if line.startswith("##")]
    assert sorted(name for name in headings if name.startswith("evidence ")) == sorted(names)
    assert [name for name in headings if name not in names] == [
        *by_task(cli.list_commands(None)), "From Python"
    ]  # fmt: skip


def test_every_command_has_its_task():
    from evidence.cli import COMMANDS

    assert by_task([*COMMANDS, "walk"]).pop("More") == ["walk"], "name its task in evidence.cli.TASKS"


def test_every_option_of_an_analysis_has_a_heading_but_those_of_what_is_printed():
    from evidence.folder.options import HEADINGS, OPTIONS

    headed = [name for names in HEADINGS.values() for name in names]
    assert len(headed) == len(set(headed))
    assert set(headed) <= set(OPTIONS)
    assert {name for name, option in OPTIONS.items() if option.flag or option.flags} - set(headed) == {
        "league"
    }


def test_the_reference_of_commands_is_written_without_loading_anything_heavy():
    code = (
        "import runpy, sys; runpy.run_path('docs/generate.py')['cli']();"
        "print([m for m in ('duckdb', 'pandas', 'numpy', 'scipy', 'altair', 'pymc') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_analysis_that_python_has_is_reached_from_command_and_plan():
    """Every public method that gives rows; those of the options named are options of the commands."""
    import inspect
    from importlib import import_module

    from evidence.folder.further import NETWORK, PAIRWISE, REACHED
    from evidence.folder.options import OPTIONS

    found = {
        "under_treatment",
        "bayes",
        "sequential",
        "gosh",
        "meta_regression",
        "predict",
        "permutation_test",
    }
    for place in (
        "analysis.pairwise:PairwiseFit", "analysis.pairwise.regression:MetaRegression",
        "analysis.pairwise.influence.gosh:Gosh", "analysis.network.result:NetworkFit",
        "analysis.network.frequentist:FrequentistFit", "analysis.network.exact:ExactFit",
        "analysis.network.counts:CountsFit", "analysis.network.mcmc:McmcFit", "analysis.sensitivity:",
    ):  # fmt: skip
        module, _, name = place.partition(":")
        owner = getattr(import_module(module), name) if name else import_module(module)
        for public, thing in inspect.getmembers(owner, inspect.isfunction):
            gives = str(inspect.signature(thing).return_annotation)
            if not public.startswith("_") and "DataFrame" in gives:
                found.add(public)
    assert found - REACHED.keys() <= {"without_value"}
    assert REACHED.keys() <= found
    flags = {
        *(f"--{word.replace('_', '-')}" for word in (*PAIRWISE, *NETWORK)),
        *(
            spelled
            for name, option in OPTIONS.items()
            for flag in filter(None, [option.flag, *option.flags.values()])
            for spelled in (flag.name or "--" + name.replace("_", "-")).split()
        ),
        "--format",
    }
    keys = {option.name for option in OPTIONS.values() if option.comment}
    for command, plan, _ in REACHED.values():
        assert set(re.findall(r"--[a-z-]+", command)) - {"--table"} <= flags
        assert set(re.findall(r"`(\w+)`", plan)) <= keys
