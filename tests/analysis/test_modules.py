"""Modules depend on each other in one direction: no import leads back, between files or between packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
KNOWN = {("analysis.network", "analysis.pairwise")}
"""Pairs of packages that still import each other, at the top or inside a function. The list may only get shorter."""


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


PATHS = {name_of(path): path for top in ("evidence", "analysis") for path in (ROOT / top).rglob("*.py")}
PACKAGES = {name for name, path in PATHS.items() if path.name == "__init__.py"}


def graph() -> dict[str, set[str]]:
    """Files that each file imports, at the top or inside a function."""
    found = {}
    for name, path in PATHS.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = {target if target in PATHS else target.rpartition(".")[0] for target in imports(tree)}
        found[name] = targets & PATHS.keys() - {name}
    return found


def package_of(name: str) -> str:
    return name if name in PACKAGES else name.rpartition(".")[0]


def circles() -> set[tuple[str, str]]:
    """Pairs of packages neither of which holds the other, and each of which imports from the other."""
    arrows = {
        (package_of(name), package_of(target)) for name, targets in graph().items() for target in targets
    }

    def nested(one: str, two: str) -> bool:
        return f"{two}.".startswith(f"{one}.") or f"{one}.".startswith(f"{two}.")

    return {(a, b) for a, b in arrows if a < b and (b, a) in arrows and not nested(a, b)}


def test_no_cycles_of_files():
    assert len(PATHS) > 150
    list(TopologicalSorter(graph()).static_order())


def test_no_package_imports_one_that_imports_it():
    assert circles() == KNOWN
