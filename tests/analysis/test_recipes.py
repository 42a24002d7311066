"""Every recipe runs, and prints what it promises."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import analysis.recipes

NAMES = sorted(
    path.stem
    for path in Path(analysis.recipes.__file__).parent.glob("*.py")
    if path.stem not in ("__init__", "convergence_of_chains")
)
PROMISED = {
    "audit_a_paper": "UCMSC",
    "compare_engines": "pramipexole",
    "pool_one_comparison": "De Fronzo (1995)",
    "query_and_export": "contrasts",
    "simulated_twin": "truth",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_recipe(name, capsys):
    recipe = import_module(f"analysis.recipes.{name}")
    assert recipe.__doc__
    recipe.main()
    assert PROMISED[name] in capsys.readouterr().out


@pytest.mark.slow
def test_convergence_of_chains(tmp_path, capsys):
    from analysis.recipes import convergence_of_chains

    convergence_of_chains.main(tmp_path, outcomes=("il6",))
    assert "rhat" in capsys.readouterr().out
    assert "Simulated data" in (tmp_path / "il6-psrf.svg").read_text(encoding="utf-8")
