"""Conclusions do not change with what is asked beside it, or the other way round; see `comparing`."""

import pytest
from comparing import EACH, SECOND, SHARDS, violations


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_conclusion_changes(shard, tmp_path):
    begin = 50_000 + shard * EACH
    found = violations(SECOND, range(begin, begin + EACH), tmp_path)
    assert not found, "\n\n".join(found)
