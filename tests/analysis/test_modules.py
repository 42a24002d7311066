"""Modules depend on each other in one direction: no import leads back, between files or between packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACES = {"evidence"}
"""Packages whose ``__init__`` gives names of modules within on demand: whoever imports these imports it."""
MAY_ASK = ("evidence.commands.", "evidence.exporters")
"""Where the database side asks the statistics side, when it is called: commands, formats of other programs."""
UPWARDS = {
    ("analysis.pairwise.fitting", "analysis.network"),
    ("analysis.pairwise.fitting", "analysis.plot"),
    ("analysis.network.result", "analysis.plot"),
    ("analysis.network.result", "analysis.firm.threshold"),
    ("analysis.plot.over_time", "analysis.living.replay"),
}
"""What is handed on to a package above, when it is called: `PairwiseFit.bayes`, `plot`, charts of a replay."""
PLACE = re.compile(r"((?:evidence|analysis)(?:\.\w+)+)(?::\w+)?")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(node: ast.AST) -> Iterator[str]:
    """Names that are imported when the code runs: at the top, inside a function, or by a name in a string."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.Constant) and (place := PLACE.fullmatch(str(child.value))):
            yield place[1]
        yield from imports(child)


PATHS = {name_of(path): path for top in ("evidence", "analysis") for path in (ROOT / top).rglob("*.py")}


@cache
def source(name: str) -> str:
    return PATHS[name].read_text(encoding="utf-8")


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse(source(name))


@cache
def graph() -> dict[str, set[str]]:
    """Files that each file imports, at the top or inside a function; not to be changed."""
    found = {}
    for name in PATHS:
        targets = {
            target if target in PATHS else target.rpartition(".")[0] for target in imports(parsed(name))
        }
        found[name] = set() if name in FACES else targets & PATHS.keys() - {name}
        found[name] -= {target for source, target in UPWARDS if source == name}
    return found


def unit(name: str) -> str:
    """Package within `evidence` or `analysis` that a file is of; a file of neither is one of its own."""
    return ".".join(name.split(".")[:2])


def room(name: str) -> str:
    """Folder that a file is of; its face, and a file of a folder that holds further ones, is a room of its own."""
    folder = name.rpartition(".")[0]
    return name if PATHS[name].name == "__init__.py" or folder in HALLS else folder


HALLS = {name_of(path) for path in (folder for top in ("evidence", "analysis") for folder in (ROOT / top).rglob("*/"))
         if path.is_dir() and any(path.glob("*/*.py"))} | {"evidence", "analysis"}  # fmt: skip


def units(files: dict[str, set[str]], of: Callable[[str], str] = unit) -> dict[str, set[str]]:
    """What each package or single file imports from the others, but for the faces."""
    found: dict[str, set[str]] = {}
    for name, targets in files.items():
        found.setdefault(of(name), set()).update(of(t) for t in targets - FACES if of(t) != of(name))
    return found


def test_no_cycles_of_files():
    assert len(PATHS) > 150
    list(TopologicalSorter(graph()).static_order())


def test_no_circle_of_packages_however_long():
    assert {"analysis.network", "analysis.pairwise", "analysis.charts", "analysis.report", "analysis.exchange",
            "evidence.commands", "evidence.exporters", "evidence.importers"} <= units(graph()).keys()  # fmt: skip
    list(TopologicalSorter(units(graph())).static_order())


def test_no_circle_of_rooms():
    rooms = units(graph(), room)
    assert {
        "analysis.network.exact",
        "analysis.network.model",
        "analysis.pairwise.data",
        "evidence.folder",
    } <= rooms.keys()
    list(TopologicalSorter(rooms).static_order())


def test_no_room_holds_more_than_16_modules():
    tested = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    for folder in {path.parent for path in PATHS.values()} | tested:
        assert len(list(folder.glob("*.py"))) <= 16, folder


def functions(tree: ast.AST, inside: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods of a file with their names, those inside others among them."""
    for node in ast.iter_child_nodes(tree):
        name = f"{inside}.{node.name}" if isinstance(node, ast.FunctionDef | ast.ClassDef) else inside
        if isinstance(node, ast.FunctionDef):
            yield name, node
        yield from functions(node, name)


def lines_of_code(function: ast.FunctionDef, source: list[str]) -> int:
    """Lines of a function from ``def`` on, without its docstring, comments and empty lines."""
    lines = set(range(function.lineno, (function.end_lineno or 0) + 1))
    if ast.get_docstring(function) is not None:
        lines -= set(range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1))
    return sum(1 for number in lines if (text := source[number - 1].strip()) and not text.startswith("#"))


def test_no_function_is_longer_than_80_lines_of_code():
    long = {}
    for name in PATHS:
        text = source(name).splitlines()
        for function, node in functions(parsed(name), name):
            if (node.end_lineno or 0) - node.lineno >= 80 and (lines := lines_of_code(node, text)) > 80:
                long[function] = lines
    assert not long


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("analysis.pairwise.small_study.asymmetry", "analysis.network.exact"),
        ("evidence.selection", "evidence.exporters.tables"),
        ("evidence.commands.options", "evidence.cli"),
        ("analysis.charts.base.theme", "analysis.report.words"),
    ],
)
def test_a_circle_would_be_found(file, target):
    closed = graph() | {file: graph()[file] | {target}}
    with pytest.raises(CycleError):
        list(TopologicalSorter(units(closed)).static_order())


def test_imports_are_found_wherever_they_stand():
    code = "def f():\n    from analysis import network\n    import_module('analysis.report')\nX = {'a': 'evidence.build:build'}"
    assert set(imports(ast.parse(code))) == {"analysis.network", "analysis.report", "evidence.build"}


def test_the_database_side_asks_the_statistics_side_only_where_it_is_called():
    for name, targets in graph().items():
        if name.startswith("evidence") and any(target.startswith("analysis") for target in targets):
            assert name.startswith(MAY_ASK), name
            at_the_top = ast.Module(
                [node for node in parsed(name).body if isinstance(node, ast.Import | ast.ImportFrom)], []
            )
            assert not any(target.startswith("analysis") for target in imports(at_the_top)), name
