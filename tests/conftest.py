"""Shared fixtures."""

from __future__ import annotations

import json
import os
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
def empty_database():
    """An empty database in memory with all tables, macros and views."""
    from evidence.database import connect
    from evidence.objects import create_objects, create_tables

    connection = connect()
    create_tables(connection)
    create_objects(connection)
    yield connection
    connection.close()
