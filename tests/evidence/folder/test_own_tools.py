"""A review's own tool for risk of bias: declared in its folder, checked, drawn and exported as the known ones are."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import ReviewError
from evidence.facts.appraisal import tools
from evidence.review import read

OWN = {
    "rob_tools.csv": "tool,label\nHousing,Checklist of housing\n",
    "rob_answers.csv": "tool,judgement,label,severity,codes\nHousing,good,Good,1,g\nHousing,poor,Poor,3,p\nHousing,unknown,,,\n",
    "rob_items.csv": "tool,item,label,answers,optional\nHousing,light,light cycle,,\nHousing,cage,cage size,good|poor,\n"
    "Housing,notes,,,true\n",
    "risk_of_bias.csv": "study,tool,item,judgement\nLi 2019,Housing,light,unknown\nLi 2019,Housing,cage,poor\n"
    "Wu 2020,Housing,light,good\nWu 2020,Housing,cage,good\nXu 2021,Housing,light,good\n",
}


def test_an_own_tool_is_built_with_symbols_colours_and_places_of_its_answers(review_folder, tmp_path):
    with evidence.open(evidence.build(review_folder(OWN), tmp_path / "r.duckdb")) as db:
        seen = db.rows(
            "select study, item, position, label, judgement_label, answer_position, severity, symbol, color "
            "from rob_traffic_light order by study, position"
        )
        assert [tuple(row.values()) for row in seen[:3]] == [
            ("Li 2019", "light", 1, "light cycle", "unknown", 3, None, "?", "#4EA1F7"),
            ("Li 2019", "cage", 2, "cage size", "Poor", 2, 3, "×", "#BF0000"),
            ("Wu 2020", "light", 1, "light cycle", "Good", 1, 1, "+", "#02C100"),
        ]
        assert {row["study"] for row in db.rows("from high_risk_study")} == {"Li 2019"}
        missing = [
            row["message"]
            for row in db.rows("from audit_item_not_judged where message like 'Housing%' order by message")
        ]
        # An optional item may be left out.
        assert missing == ["Housing item cage (cage size) is not judged"]


def test_an_own_tool_survives_a_way_out_and_back(review_folder, tmp_path):
    folder = review_folder(OWN)
    result = CliRunner().invoke(
        cli, ["export", str(folder), "--to", str(tmp_path / "out"), "--format", "review"]
    )
    assert result.exit_code == 0, result.output
    again = tmp_path / "out" / "review"
    with (again / "rob_items.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["item"] for row in csv.DictReader(stream)} == {"light", "cage", "notes"}
    judged = [
        evidence.open(evidence.build(path, tmp_path / f"{i}.duckdb")).rows(
            "select * exclude (rob_judgement_id) from rob_traffic_light order by all"
        )
        for i, path in enumerate((folder, again))
    ]
    assert judged[0] == judged[1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"rob_tools.csv": "tool,label\nRoB 2,mine\n"},
            "the tool 'RoB 2' is known already -> give yours another name",
        ),
        (
            {"rob_items.csv": "tool,item\n"},
            "the tool 'Housing' has no items -> add them to rob_items.csv, one a row",
        ),
        ({"rob_answers.csv": "tool,judgement\n"}, "the tool 'Housing' has no answers"),
        (
            {"rob_items.csv": "tool,item,answers\nHousing,light,godo|poor\nHousing,cage,\n"},
            "'godo' is no judgement of Housing -> did you mean 'good'?",
        ),
        ({"rob_answers.csv": "tool,judgement,color\nHousing,good,green\n"}, "'green' is no colour"),
        (
            {"risk_of_bias.csv": "study,tool,item,judgement\nLi 2019,Housing,cage,unknown\n"},
            "'unknown' is no judgement of item cage of Housing -> one of 'good', 'poor'",
        ),
        (
            {"risk_of_bias.csv": "study,tool,item,judgement\nLi 2019,Housng,cage,good\n"},
            "unknown tool 'Housng' -> did you mean 'Housing'? or add it to rob_tools.csv".replace(
                "? or", "?, or"
            ),
        ),
    ],
)
def test_what_is_wrong_with_an_own_tool_is_said_with_its_place(review_folder, changes, said):
    with pytest.raises(ReviewError) as error:
        read(review_folder(OWN | changes))
    assert said in str(error.value) + "\n".join(map(str, error.value.problems))


def test_the_known_tools_are_read_from_their_rows():
    every = tools()
    assert every["RoB 2"].symbols["-"] == ("some concerns",)
    assert every["RoB 2 cluster"].items["D1"].answers == ("low", "some concerns", "high", "no information")
    assert every["QUADAS-2"].items["A1"].answers == ("low concern", "unclear concern", "high concern")
    assert every["RoB 1"].charts["RevMan"] == {"+": ("low",), "?": ("unclear",), "-": ("high",)}


SEVERAL = {
    "NOS cohort": {"Selection": "3 stars", "C1": "2 stars", "Outcome": "0 stars", "Total": "5 stars"},
    "QUADAS-2": {"D1": "low", "D2": "unclear", "D3": "high", "D4": "low", "A1": "high concern",
                 "A2": "low concern", "A3": "unclear concern"},
    "JBI cohort": {str(i): "not applicable" if i == 8 else "yes" for i in range(1, 12)} | {"Overall": "include"},
    "RoB 2 cluster": {"D1": "low", "D1b": "not applicable", "D2": "some concerns", "D3": "high", "D4": "low",
                      "D5": "no information", "Overall": "high"},
    "ROBINS-I V2": {**{f"D{i}": "moderate" for i in range(2, 7)}, "D1": "low except confounding",
                    "Overall": "serious"},
}  # fmt: skip


def test_judgements_of_every_kind_of_tool_go_out_for_robvis_and_come_back(review_folder, tmp_path):
    from evidence.importers.appraisal.robvis import import_robvis

    lines = [
        f"Li 2019,{tool},{item},{said}" for tool, items in SEVERAL.items() for item, said in items.items()
    ]
    text = "\n".join(("study,tool,item,judgement", *lines)) + "\n"
    folder = review_folder({"risk_of_bias.csv": text})
    result = CliRunner().invoke(
        cli, ["export", str(folder), "--to", str(tmp_path / "out"), "--format", "robvis"]
    )
    assert result.exit_code == 0, result.output
    for tool, items in SEVERAL.items():
        name = tool.lower().replace(" ", "-")
        into = tmp_path / name
        report = import_robvis(tmp_path / "out" / "robvis" / f"{name}.csv", into, tool=tool)
        with (into / "risk_of_bias.csv").open(encoding="utf-8", newline="") as stream:
            found = {row["item"]: row["judgement"] for row in csv.DictReader(stream)}
        assert found == items, (tool, str(report))
