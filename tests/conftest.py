"""Shared fixtures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Reference results may stand beside the checkout; tests that use them say so and skip where they are absent.
_BESIDE = Path(__file__).resolve().parents[2] / "shared"


def _beside(*parts: str) -> Path:
    path = _BESIDE.joinpath(*parts)
    if not path.exists():
        if os.environ.get("REQUIRE_ORACLES"):
            pytest.fail(f"reference data {'/'.join(parts)} are required but absent")
        pytest.skip(f"reference data {'/'.join(parts)} do not stand beside the checkout")
    return path


@pytest.fixture(scope="session", autouse=True)
def built_cache(tmp_path_factory) -> Iterator[Path]:
    """Keep what tests build out of the user's cache, in one place for all workers of a run."""
    place = tmp_path_factory.getbasetemp().parent / "evidence-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVIDENCE_CACHE", str(place))
        yield place


@pytest.fixture(scope="session")
def oracle_directory() -> Path:
    """Directory with open reference results (data/ and expected/); skips where it is absent."""
    return _beside("oracle")


@pytest.fixture(scope="session")
def oracle(oracle_directory):
    """Load one reference result by name: ``oracle("senn2013")["network"]``."""

    def load(name: str) -> dict:
        return json.loads((oracle_directory / "expected" / f"{name}.json").read_text(encoding="utf-8"))

    return load


@pytest.fixture(scope="session")
def trial_data() -> Path:
    """Directory with real evidence for trials, not part of the project; skips where it is absent."""
    return _beside("data")


@pytest.fixture
def empty_database(tmp_path):
    """An empty evidence base, open for writing, with all tables, macros and views."""
    from evidence.blank import copy_blank
    from evidence.database import connect

    copy_blank(tmp_path / "empty.duckdb")
    with connect(tmp_path / "empty.duckdb", write=True) as connection:
        yield connection
