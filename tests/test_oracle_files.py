"""Every pinned reference result has a script that makes it anew, says its source, and comes out again."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ORACLES = Path(__file__).parent / "oracles"
REGENERATE = ORACLES / "regenerate"
ROWS = {
    cells[0]: cells[1:]
    for line in (ORACLES / "README.md").read_text(encoding="utf-8").splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split("|")])[0].endswith(".json")
}
"""Script, tools, tolerance and contents of each file, as the README's table has them."""
METAFOR_ALONE = ("effects_metafor", "pooling_subgroup", "pairwise_converged", "pairwise_metadat", "pairwise_sensitivity")  # fmt: skip


def pinned(file):
    return json.loads((ORACLES / file).read_text(encoding="utf-8"))


def differences(made, old, rel, place=""):
    """Places where what was made is not what is pinned."""
    if isinstance(old, dict) and isinstance(made, dict) and made.keys() == old.keys():
        return [gap for key in old for gap in differences(made[key], old[key], rel, f"{place}/{key}")]
    if isinstance(old, list) and isinstance(made, list) and len(made) == len(old):
        return [gap for i, row in enumerate(old) for gap in differences(made[i], row, rel, f"{place}/{i}")]
    if type(old) in (int, float) and type(made) in (int, float):
        # Rounding is left over where a difference of large numbers is taken.
        return [] if math.isclose(made, old, rel_tol=rel, abs_tol=1e-14) else [(place, made, old)]
    return [] if made == old else [(place, made, old)]


def test_every_file_has_a_row_with_its_script():
    assert ROWS.keys() == {path.name for path in ORACLES.glob("*.json")}
    scripts = {path.name for path in REGENERATE.iterdir() if path.suffix in (".R", ".py")} - {"common.R"}
    assert {row[0] for row in ROWS.values()} == scripts


@pytest.mark.parametrize("file", ROWS)
def test_a_file_says_its_source_and_a_version_and_its_script_names_it(file):
    script, tools, *_ = ROWS[file]
    assert file in (REGENERATE / script).read_text(encoding="utf-8")
    source = json.dumps(pinned(file)["source"])
    assert re.search(r"\d\.\d", source)
    for tool in tools.split(", "):
        assert all(word in source for word in tool.split()), tool


def test_a_number_that_moved_is_seen():
    assert differences({"a": [1.0, None]}, {"a": [1.0, None]}, 1e-9) == []
    assert differences({"a": [1.0 + 1e-6]}, {"a": [1.0]}, 1e-9) == [("/a/0", 1.0 + 1e-6, 1.0)]
    assert differences({"a": "0.1"}, {"a": 0.1}, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", METAFOR_ALONE)
def test_metafor_gives_the_pinned_numbers_again(name):
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    call = ["Rscript", "--vanilla", str(REGENERATE / f"{name}.R")]
    found = subprocess.run(call, capture_output=True, text=True, check=False)
    if "there is no package called" in found.stderr:
        pytest.skip("R has no metafor, or no metadat")
    assert found.returncode == 0, found.stderr
    assert not differences(json.loads(found.stdout), pinned(f"{name}.json"), float(ROWS[f"{name}.json"][2]))


@pytest.mark.parametrize("file", [file for file, row in ROWS.items() if row[2] == "equal"])
def test_the_complete_results_give_what_is_pinned(file, oracle_directory):
    call = [sys.executable, str(REGENERATE / ROWS[file][0]), str(oracle_directory)]
    call += [file] * ("extracts" in call[1])
    found = subprocess.run(call, capture_output=True, text=True, check=True)
    made, old = json.loads(found.stdout), pinned(file)
    assert made["source"] == old["source"]
    assert not differences(made, old, 0)
