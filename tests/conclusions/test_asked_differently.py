"""Conclusions do not change with what must not change them; see `comparing`.

A generated review is one evidence set (`evidence_sets`): one outcome with everything of its own. Fifty stand in
one folder. CONCLUSIONS is how many are generated in all; half of them in this file.
"""

import os

import pytest
from comparing import SECOND, violations

EACH = 50
SHARDS = max(1, int(os.environ.get("CONCLUSIONS", "2000")) // 2 // EACH)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_conclusion_changes(shard, tmp_path):
    begin = 50_000 + shard * EACH
    found = violations(SECOND, range(begin, begin + EACH), tmp_path)
    assert not found, "\n\n".join(found)
