"""Conclusions do not change with how the evidence is written; see `comparing`."""

import pytest
from comparing import EACH, FIRST, SHARDS, violations


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_conclusion_changes(shard, tmp_path):
    begin = shard * EACH
    found = violations(FIRST, range(begin, begin + EACH), tmp_path)
    assert not found, "\n\n".join(found)
