"""Modules of the statistics side depend on each other in one direction: no import leads back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(node: ast.AST) -> Iterator[str]:
    """Names that are imported when the code runs, at the top or inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        yield from imports(child)


def test_no_cycles_of_imports():
    paths = {name_of(path): path for path in (ROOT / "analysis").rglob("*.py")}
    graph = {}
    for name, path in paths.items():
        found = {
            target if target in paths else target.rpartition(".")[0]
            for target in imports(ast.parse(path.read_text(encoding="utf-8")))
        }
        graph[name] = found & paths.keys() - {name}
    list(TopologicalSorter(graph).static_order())
