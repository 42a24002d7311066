"""A report does not print a sentence that its data do not bear out, and says so with its exit code."""

from __future__ import annotations

import re
import shutil

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.system.resources import reviews_directory

CLAIMS = """claim,text,query,operator,expected
first,Pramipexole reduces off-time most,{query},=,pramipexole
wrong,Ropinirole reduces off-time most,{query},=,ropinirole
"""
QUERY = "select treatment from result_ranking where model = 'random' order by sucra desc limit 1"


@pytest.mark.slow
def test_a_sentence_that_fails_is_shown_as_failed(tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(reviews_directory() / "parkinson", folder)
    (folder / "claims.csv").write_text(CLAIMS.format(query=QUERY), encoding="utf-8")
    result = CliRunner().invoke(cli, ["report", str(folder), "-o", str(tmp_path / "report"), "--strict"])
    assert result.exit_code == 1
    assert "Ropinirole reduces off-time most -> found pramipexole" in result.output
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    answer = page[page.index('id="answer"') : page.index('id="methods"')]
    assert "Pramipexole reduces off-time most" in answer
    assert "Ropinirole reduces off-time most" not in answer
    assert re.search(
        r"Does not hold.{0,900}Ropinirole reduces off-time most.{0,900}[Pp]ramipexole", page, re.DOTALL
    )
