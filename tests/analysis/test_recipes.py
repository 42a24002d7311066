"""Every recipe runs, and prints what it promises."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import analysis.recipes

NAMES = sorted(
    path.stem for path in Path(analysis.recipes.__file__).parent.glob("*.py") if path.stem != "__init__"
)
PROMISED = {
    "audit_a_paper": "UCMSC",
    "compare_engines": "pramipexole",
    "pool_one_comparison": "De Fronzo (1995)",
    "query_and_export": "contrasts",
    "simulated_twin": "truth",
}


@pytest.mark.parametrize("name", NAMES)
def test_recipe(name, capsys):
    recipe = import_module(f"analysis.recipes.{name}")
    assert recipe.__doc__
    recipe.main()
    assert PROMISED[name] in capsys.readouterr().out
