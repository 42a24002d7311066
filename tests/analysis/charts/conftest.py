"""What every chart owes, wherever it is drawn."""

from __future__ import annotations

import pytest

from analysis.charts.base.files import tables


def check(name: str, chart) -> None:
    spec = chart.to_dict()
    assert spec["usermeta"]["evidence"]["chart"] == name
    assert len(spec["description"]) > 20
    assert all(len(rows) <= 5000 for rows in spec["datasets"].values())
    drawn = tables(chart)
    assert drawn
    for rows in drawn.values():
        assert any(value is not None for row in rows for value in row.values())


@pytest.fixture(scope="session")
def check_chart():
    """Hold a chart to the Vega-Lite schema, a description, a size that Altair takes, and the table it draws."""
    return check
