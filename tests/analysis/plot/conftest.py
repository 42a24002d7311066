"""What the tests of pictures share."""

from __future__ import annotations

import pytest

import evidence
from analysis import plan
from evidence import results


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """Reviews with the networks and pairwise analyses of their plans kept in them, by name."""
    folder = tmp_path_factory.mktemp("stored")
    found = {}
    for review in ("parkinson", "smoking"):
        path = evidence.build(review, folder / f"{review}.duckdb")
        with evidence.open(path) as db:
            runs = plan.run_plan(db)
        results.save(path, runs)
        found[review] = path
    return found
