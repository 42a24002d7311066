"""Examples in docstrings run, on the bundled reviews, and print what they say."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHOWN = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for top in ("evidence", "analysis")
    for path in (ROOT / top).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
}
SLOW = {"analysis.report.writing"}
MAIN = {
    "evidence": ("open", "build", "EvidenceBase", "EvidenceBase.sql", "EvidenceBase.rows"),
    "evidence.export": ("export",),
    "evidence.results": ("save",),
    "evidence.trace": ("trace",),
    "evidence.catalog": ("Catalog",),
    "analysis.pairwise": ("fit", "PairwiseFit", "PairwiseFit.leave_one_out", "PairwiseFit.meta_regression"),
    "analysis.network": ("load", "from_contrasts", "from_arms", "fit"),
    "analysis.network.result": ("NetworkFit",),
    "analysis.charts": ("forest", "network_diagram", "league", "funnel"),
    "analysis.published": ("from_cells", "rebuild"),
    "analysis.plan": ("run_plan",),
    "analysis.report": ("write",),
}
"""What somebody new calls first."""


def examples(name):
    """Examples of a module; those of a class know the names of its own, those of a method the class's."""
    module = import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    return sorted(
        (test for test in found if test.examples), key=lambda test: (test.name.count("."), test.lineno)
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(SHOWN)]
)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made: dict[str, dict] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in examples(name):
        outer = test.name.rpartition(".")[0]
        test.globs = {"__name__": "__main__", **made.get(outer, {})}
        runner.run(test, out=said.append, clear_globs=False)
        made[test.name] = test.globs
    assert runner.tries, name
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in MAIN for name in MAIN[module]])
def test_what_is_called_first_has_an_example(module, name):
    thing = import_module(module)
    for part in name.split("."):
        thing = getattr(thing, part)
    assert ">>>" in (inspect.getdoc(thing) or "")


def test_no_example_is_skipped():
    for name in SHOWN:
        assert "doctest: " + "+SKIP" not in Path(import_module(name).__file__).read_text(encoding="utf-8"), (
            name
        )


def test_an_example_that_prints_something_else_is_found():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
