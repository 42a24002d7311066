"""The same inputs give the same bytes, whatever the locale, time zone, threads, hash seed, working folder, and cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.system.resources import template_directory

WORLDS = (
    {"LC_ALL": "C", "TZ": "UTC", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
    {"LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati", "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "77"},
)
COMMANDS = (
    ["build", str(template_directory()), "-o", "x.duckdb"],
    ["nma", "x.duckdb", "--outcome", "alt", "--measure", "ROM", "--format", "json"],
    ["export", "x.duckdb", "--to", "out", "--format", "csv,xlsx,duckdb"],
)


def made_in(folder: Path, world: dict[str, str]) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    for number, words in enumerate(COMMANDS):
        call = [sys.executable, "-m", "evidence.cli", *words]
        there = os.environ | world | {"EVIDENCE_CACHE": str(folder.parent / f"cache of {folder.name}")}
        ended = subprocess.run(call, cwd=folder, env=there, capture_output=True, check=True)
        (folder / f"printed {number}").write_bytes(ended.stdout)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_the_same_bytes_in_another_world(tmp_path):
    one, other = (made_in(tmp_path / place, world) for place, world in zip(("a", "b/c"), WORLDS, strict=True))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert len(one) > 20
