"""Traffic light and summary draw every tool: stars, yes and no, applicability, and a review's own answers."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from analysis import charts
from evidence.facts.appraisal import tools
from evidence.facts.reference import reference

LOOK = {(row["tool"], row["judgement"]): row for row in reference("rob_answer")}


def judged(name: str) -> pd.DataFrame:
    """Every item of a tool answered with each of its answers in turn, one a study."""
    tool = tools()[name]
    rows = []
    for position, item in enumerate(tool.items.values(), 1):
        for i, judgement in enumerate(item.answers):
            look = LOOK[name, judgement]
            rows.append(
                {
                    "study": f"s{i}",
                    "tool": name,
                    "position": position,
                    "domain": item.domain,
                    "label": item.label,
                    "judgement": judgement,
                    "judgement_label": look["label"],
                    "answer_position": int(str(look["position"])),
                    "severity": float(look["severity"] or "nan"),
                    **{key: look[key] for key in ("symbol", "color", "color_blind_safe")},
                    "settled_by": "single",
                    "judgements": "",
                    "n": 1,
                    "share": 1 / len(item.answers),
                    "weighted_share": None,
                }
            )
    return pd.DataFrame(rows)


def datasets(chart: object) -> dict[str, list[dict]]:
    return chart.to_dict()["datasets"]  # type: ignore[attr-defined]


KINDS = ("RoB 2 cluster", "ROBINS-I V2", "QUADAS-2", "INSPECT-SR", "NOS cohort", "JBI cohort")
"""A tool of each kind of answers; the others are marked slow."""


@pytest.mark.parametrize(
    "name", [name if name in KINDS else pytest.param(name, marks=pytest.mark.slow) for name in tools()]
)
def test_every_answer_is_drawn_with_its_symbol_and_explained_in_the_tools_order(name):
    frame = judged(name)
    light = datasets(charts.traffic_light(frame))
    dots = [row for rows in light.values() for row in rows if "study" in row and "symbol" in row]
    assert {(row["judgement"], row["symbol"]) for row in dots} == set(
        zip(frame["judgement"], frame["symbol"], strict=True)
    )
    assert len(dots) == len(frame)
    for drawn in (light, datasets(charts.rob_summary(frame))):
        keys = [
            row["text"] for rows in drawn.values() for row in rows if {"t", "text", "symbol"} <= row.keys()
        ]
        order = frame.drop_duplicates("judgement").sort_values("answer_position")["judgement_label"]
        assert keys == list(order), name


def test_parts_of_a_bar_stand_in_the_tools_order_where_no_answer_says_how_high_the_risk_is():
    frame = judged("JBI cohort")
    drawn = datasets(charts.rob_summary(frame))
    bars = [
        row for rows in drawn.values() for row in rows if row.get("item") == frame["label"][0] and "x2" in row
    ]
    assert [row["judgement"] for row in sorted(bars, key=lambda row: row["x"])] == [
        "yes",
        "not applicable",
        "unclear",
        "no",
    ]
    assert "Infinity" not in json.dumps(drawn)
