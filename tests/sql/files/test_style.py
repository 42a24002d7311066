"""The style page can be followed, long views are cut, and lines are short."""

from __future__ import annotations

import re

import pytest

from evidence.store.objects import parse, sql_objects
from evidence.system.resources import sql_directory

LONGEST = 200
"""Lines of SQL of one file, without its header and without comments and empty lines."""
LONGER = {
    "pooling_sum": "one computation of two passes; cut, each half would carry a dozen columns of intermediate sums",
    "omission_sum": "the same, for all studies but one: over one membership for both, conditions would not reach the scans",
    "suspect_spread": "one model: two ways to look at a spread, of which the one that varies less counts",
}
"""What remains above that, and why."""


def statement(sql: str) -> list[str]:
    return [line for line in sql.splitlines() if line.strip() and not line.lstrip().startswith("--")]


def test_views_are_cut_where_a_concept_ends():
    long = {item.name for item in sql_objects() if len(statement(item.sql)) > LONGEST}
    assert long == LONGER.keys()


def test_lines_are_at_most_120_characters():
    assert [
        f"{item.folder}/{item.name}: {line}"
        for item in sql_objects()
        for line in item.sql.splitlines()
        if len(line) > 120
    ] == []


@pytest.fixture
def blocks() -> dict[str, str]:
    """The worked example of the style page: the view and its test."""
    text = (sql_directory() / "STYLE.md").read_text(encoding="utf-8")
    return dict(re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL))


def test_the_worked_example_of_the_style_page_passes_its_test(blocks, rows, tmp_path):
    file = tmp_path / "treatment_size.sql"
    file.write_text(blocks["sql"], encoding="utf-8")
    view = parse(file, "network")
    assert {"Title", "Grain", "Key", "Formula", "Caveats"} == view.header.keys()
    rows.connection.execute(view.sql)
    found = rows.connection.execute("select * from treatment_size").description
    assert [column[0] for column in found] == list(view.columns)
    scope: dict = {}
    # A query computes the stored views that it names: here those behind a view that is no file yet.
    exec(blocks["python"].replace("treatment_size", f"({' '.join(view.query.split())})"), scope)
    (test,) = (thing for name, thing in scope.items() if name.startswith("test_"))
    test(rows)


def test_the_style_page_names_every_field_of_a_header(blocks):
    text = (sql_directory() / "STYLE.md").read_text(encoding="utf-8")
    for field in {field for item in sql_objects() for field in item.header}:
        assert f"`{field}`" in text, field
