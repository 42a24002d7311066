"""robvis tables become rows; what is no judgement is refused with its place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.importers.appraisal import import_robvis
from evidence.importers.draft import Draft

ROB2 = "Study,D1,D2,D3,D4,D5,Overall,Weight\nA,Low,Some concerns,High,Low,No information,High,33\n"
ROBINS = "Study,D1,D2,D3,D4,D5,D6,D7,Overall\nA,Low,Moderate,S,Critical,NI,Low,Low,Critical\n"
SYRCLE = (
    "Study,Sequence generation,Baseline characteristics,Allocation concealment,Random housing,Blinding of"
    " caregivers and investigators,Random outcome assessment,Blinding of outcome assessors,Incomplete outcome"
    " data,Selective outcome reporting,Other sources of bias\nA,Low,High,Unclear,Yes,No,?,+,-,L,U\n"
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(
    ("text", "tool", "judgements"),
    [
        (ROB2, "RoB 2", ["low", "some concerns", "high", "low", "no information", "high"]),
        (
            ROBINS,
            "ROBINS-I",
            ["low", "moderate", "serious", "critical", "no information", "low", "low", "critical"],
        ),
        (
            SYRCLE,
            "SYRCLE",
            ["low", "high", "unclear", "low", "high", "unclear", "low", "high", "low", "unclear"],
        ),
    ],
)
def test_tools_are_told_apart_by_their_columns(tmp_path, text, tool, judgements):
    (tmp_path / "rob.csv").write_text(text, encoding="utf-8")
    report = import_robvis(tmp_path / "rob.csv", tmp_path / "review", assessor="AB")
    found = rows(tmp_path / "review" / "risk_of_bias.csv")
    assert {row["tool"] for row in found} == {tool}
    assert [row["judgement"] for row in found] == judgements
    assert {row["assessor"] for row in found} == {"AB"}
    assert f"read as {tool}" in report.notes


def test_a_column_that_is_no_item_is_asked_for(tmp_path):
    file = tmp_path / "rob.csv"
    file.write_text("Study,Randomised?,Blinded?,Funding\nA,Low,High,x\n", encoding="utf-8")
    with pytest.raises(CallError, match="--tool"):
        import_robvis(file, tmp_path / "review")
    with pytest.raises(ReviewError, match=r"--map 'Randomised\?=ITEM'"):
        import_robvis(file, tmp_path / "review", tool="SYRCLE")
    mapping = {"Randomised?": "1", "Blinded?": "7", "Funding": ""}
    import_robvis(file, tmp_path / "review", tool="SYRCLE", mapping=mapping)
    assert [row["item"] for row in rows(tmp_path / "review" / "risk_of_bias.csv")] == ["1", "7"]


def test_what_is_no_judgement_names_its_place(tmp_path):
    (tmp_path / "rob.csv").write_text(ROB2.replace("Some concerns", "Moderate"), encoding="utf-8")
    with pytest.raises(
        ReviewError, match=r"rob\.csv:2 \(study 'A', column 'D2'\): 'Moderate' is no judgement"
    ):
        import_robvis(tmp_path / "rob.csv", tmp_path / "review")
    assert not (tmp_path / "review").exists()


def test_the_command(tmp_path):
    (tmp_path / "rob.csv").write_text(SYRCLE, encoding="utf-8")
    into = ["--into", str(tmp_path / "review")]
    result = CliRunner().invoke(cli, ["import", "robvis", str(tmp_path / "rob.csv"), *into])
    assert result.exit_code == 0, result.output


def test_a_row_is_known_by_the_key_of_its_file_so_that_another_assessor_does_not_hide_it(tmp_path):
    draft = Draft(tmp_path / "review")
    row = {"study": "A", "tool": "SYRCLE", "item": "1", "judgement": "low"}
    assert draft.add("risk_of_bias.csv", row | {"assessor": "AB"})
    assert draft.add("risk_of_bias.csv", row)
    assert not draft.add("risk_of_bias.csv", row | {"support": "page 3"})
    assert draft.rows("risk_of_bias.csv")[1]["support"] == "page 3"
    assert draft.add("measurements.csv", {"study": "A"}, key=())
    assert draft.add("measurements.csv", {"study": "A"}, key=())
