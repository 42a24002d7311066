"""robvis tables become rows; what is no judgement is refused with its place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.importers.appraisal.robvis import import_robvis
from evidence.importers.draft import Draft, ImportReport

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


D = ("Study", *(f"D{i}" for i in range(1, 8)), "Overall")


def taken(tmp_path: Path, *lines: str, into: str = "review", **options) -> tuple[ImportReport, list[dict]]:
    (tmp_path / "rob.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = import_robvis(tmp_path / "rob.csv", tmp_path / into, **options)
    return report, rows(tmp_path / into / "risk_of_bias.csv")


def domains(n: int) -> str:
    return ",".join((*D[: n + 1], "Overall"))


@pytest.mark.parametrize(
    ("header", "cells", "tool"),
    [
        (domains(7), "Low,Some concerns,Very high,NI,High,Low,Low,Very high", "ROBINS-E"),
        (domains(6), "Low,Moderate,High,No information,Low,Low,High", "QUIPS"),
        (domains(6), "Low except for concerns about uncontrolled confounding,Low,Low,Moderate,Low,Serious,Serious",
         "ROBINS-I V2"),
        (domains(4), "Low,Some concerns,High,No information,High", "QUADAS-2"),
        (domains(4), "No concerns,Some concerns,No concerns,Serious concerns,Serious concerns", "INSPECT-SR"),
        ("Study,D1,D1b,D2,D3,D4,D5,Overall", "Low,Not applicable,Low,Low,High,Low,High", "RoB 2 cluster"),
        ("Study,D1,DS,D2,D3,D4,D5,Overall", "Low,SC,Low,Low,High,Low,High", "RoB 2 crossover"),
        ("Study,Randomization process,Deviations from intended interventions,Mising outcome data,Measurement of"
         " the outcome,Selection of the reported result,Overall Bias", "Low,Low,Low,Low,Some concerns,Some concerns",
         "RoB 2"),
        ("Study,Confounding,Classification of interventions,Selection of participants,Missing data,Measurement of"
         " the outcome,Selection of the reported result", "Low,Low,Low,Low,Low,Low", "ROBINS-I V2"),
        ("Study,D1 confounding,D2 classification,D3 selection of participants,D4 missing data,D5 measurement,D6"
         " reported result,Overall", "Low,Low,Low,Low,Low,Moderate,Moderate", "ROBINS-I V2"),
        ("Study,Random.sequence.generation,Allocation.concealment,Blinding.of.participants.and.personnel,"
         "Blinding.of.outcome.assessment,Incomplete.outcome.data,Selective.reporting,Other.sources.of.bias",
         "Low,Unclear,High,Low,Low,Low,Low", "RoB 1"),
        ("Study,Random sequence generation (selection bias),Allocation concealment (selection bias),Blinding of"
         " participants and personnel (performance bias): All outcomes,Blinding of outcome assessment (detection"
         " bias),Incomplete outcome data (attrition bias),Selective reporting (reporting bias),Other bias",
         "Low risk,Unclear risk,High risk of bias,Low risk,Low risk,Low risk,Low risk", "RoB 1"),
        ("Study," + ",".join(f"Q{i}" for i in range(1, 12)) + ",Overall Appraisal,Total score",
         "Y,Y,U,Y,Y,Yes,Y,N,Y,Not applicable,Y,Include,8", "JBI cohort"),
        ("Study,Selection,Comparability,Outcome,Total", "★★★,★★,**,7", "NOS cohort"),
        ("Study,Selection,Comparability,Exposure,Total", "4,1,3 stars,8", "NOS case-control"),
        ("Study,RoB: Patient selection,RoB: Index test,RoB: Reference standard,RoB: Flow and timing,"
         "AC: Patient selection,AC: Index test,AC: Reference standard", "Low,High,Unclear,Low,Low,High,Unclear",
         "QUADAS-2"),
        ("Study,Patient selection,Index test,Reference standard,Flow and timing,Applicability: patient selection,"
         "Applicability: index test,Applicability: reference standard", "Low,High,Unclear,Low,Low,High,Unclear",
         "QUADAS-2"),
    ],
)  # fmt: skip
def test_a_table_is_of_the_one_tool_whose_items_and_answers_it_has(tmp_path, header, cells, tool):
    report, found = taken(tmp_path, header, f"A 2001,{cells}")
    assert {row["tool"] for row in found} == {tool}
    assert f"read as {tool}" in report.notes
    judged = [column for column in header.split(",")[1:] if column != "Total score"]
    assert len(found) == len(judged)


@pytest.mark.parametrize(
    ("header", "cells", "asked"),
    [
        (domains(6), "Low,Moderate,Low,Low,Low,Low,Moderate", "ROBINS-I V2 or QUIPS"),
        (domains(7), "Low,Low,Low,Low,Low,Low,Low,Low", "RoB 1, ROBINS-I or ROBINS-E"),
        ("Study," + ",".join(f"Q{i}" for i in range(1, 10)), "Y,Y,Y,Y,Y,Y,Y,Y,Y",
         "JBI quasi-experimental or JBI prevalence"),
    ],
)  # fmt: skip
def test_what_several_tools_fit_is_asked_and_the_answer_is_obeyed(tmp_path, header, cells, asked):
    with pytest.raises(CallError) as error:
        taken(tmp_path, header, f"A,{cells}")
    assert f"may be {asked}: say which with --tool" in error.value.message
    tool = asked.split(" or ")[-1]
    _, found = taken(tmp_path, header, f"A,{cells}", tool=tool)
    assert {row["tool"] for row in found} == {tool}


@pytest.mark.parametrize(
    ("header", "cells", "judgements", "note"),
    [
        # The product's own chart draws some concerns as -, high as a cross; so does robvis.
        (domains(5), "+,-,+,x,+,x", ["low", "some concerns", "low", "high", "low", "high"], "this tool here"),
        (domains(5), "+,−,+,✕,?,X", ["low", "some concerns", "low", "high", "no information", "high"], ""),
        (domains(5), "+,-,+,+,+,-", ["low", "some concerns", *["low"] * 3, "some concerns"], "--map -=high"),
        (domains(5), "+,!,+,-,+,-", ["low", "some concerns", "low", "high", "low", "high"], "the Excel tool"),
        (domains(7) + ",Weight", "+,-,x,!,?,+,+,!,1",
         ["low", "moderate", "serious", "critical", "no information", "low", "low", "critical"], ""),
        ("Study,Sequence generation,Allocation concealment,Random housing", "+,?,-", ["low", "unclear", "high"],
         "RevMan"),
        ("Study,Sequence generation,Allocation concealment,Random housing", "+,-,x", ["low", "unclear", "high"],
         "robvis"),
    ],
)  # fmt: skip
def test_symbols_mean_what_one_chart_of_the_tool_means(tmp_path, header, cells, judgements, note):
    tool = "ROBINS-I" if "Weight" in header else None
    report, found = taken(tmp_path, header, f"A,{cells}", tool=tool)
    assert [row["judgement"] for row in found] == judgements
    (said,) = (text for text in report.notes if text.startswith("symbols are read as"))
    assert note in said


def test_the_note_on_symbols_works_to_the_letter(tmp_path):
    report, _ = taken(tmp_path, domains(5), "A,+,-,+,+,+,-")
    (said,) = (text for text in report.notes if "--map" in text)
    _, source, target = said.rpartition("--map ")[2].partition("-="), "-", said.rpartition("=")[2]
    assert (source, target) == ("-", "high")
    _, found = taken(tmp_path, domains(5), "A,+,-,+,+,+,-", into="other", mapping={"-": "high"})
    assert [row["judgement"] for row in found][1] == "high"


def test_a_symbol_of_no_chart_is_refused_and_mapped(tmp_path):
    with pytest.raises(ReviewError) as error:
        taken(tmp_path, domains(5), "A,+,!,+,x,+,x")
    assert "'!' is no judgement of RoB 2" in str(error.value.problems[0])
    assert "--map '!=JUDGEMENT'" in error.value.problems[0].remedy
    _, found = taken(tmp_path, domains(5), "A,+,!,+,x,+,x", mapping={"!": "some concerns"})
    assert found[1]["judgement"] == "some concerns"


def test_what_a_judgement_rests_on_is_read_beside_it(tmp_path):
    header = "study_id,D1_randomization,D2_deviations,D3_missing_data,D4_measurement,D5_reporting,Overall,"
    header += "D1_justification,Support for D3,Comments,2.1,2.2"
    _, found = taken(tmp_path, header, "A,SC,L,L,L,SC,SC,by minimisation,all completed,small,PN,NI")
    assert [(row["item"], row["support"]) for row in found] == [
        ("D1", "by minimisation"), ("D2", "2.1 PN, 2.2 NI"), ("D3", "all completed"), ("D4", ""), ("D5", ""),
        ("Overall", "small"),
    ]  # fmt: skip
    _, found = taken(
        tmp_path,
        "Study,Domain (judgement): Allocation concealment (selection bias),Domain (support): Allocation"
        " concealment (selection bias)",
        '"The ""Study ID"" as (or to be) entered in RevMan. Mandatory.",,',
        "B,Low risk,sealed envelopes",
        into="revman",
        tool="RoB 1",
    )
    assert [(r["study"], r["item"], r["support"]) for r in found] == [("B", "2", "sealed envelopes")]


def test_a_judgement_a_row_and_items_as_rows_are_read(tmp_path):
    _, found = taken(
        tmp_path,
        "study,domain,judgement,support,assessor",
        "A,D1,Low,drawn lots,AB",
        "A,D2,Some concerns,,AB",
        "A,D1,High,,CD",
        tool="RoB 2",
    )
    assert [(r["item"], r["judgement"], r["assessor"]) for r in found] == [
        ("D1", "low", "AB"),
        ("D2", "some concerns", "AB"),
        ("D1", "high", "CD"),
    ]
    questions = (
        "1. Were the two groups similar and recruited from the same population?",
        "2. Were the exposures measured similarly to assign people to both exposed and unexposed groups?",
        "3. Was the exposure measured in a valid and reliable way?",
    )
    lines = [f"{question},Yes,No" for question in questions]
    report, found = taken(tmp_path, "Question,A 2001,B 2002", *lines, into="turned", tool="JBI cohort")
    assert [(r["study"], r["item"], r["judgement"]) for r in found] == [
        *(("A 2001", str(i), "yes") for i in (1, 2, 3)),
        *(("B 2002", str(i), "no") for i in (1, 2, 3)),
    ]
    assert "columns are studies, rows are items" in report.notes


def test_not_applicable_is_an_answer_where_the_tool_has_it_and_else_no_judgement(tmp_path):
    questions = "Study," + ",".join(f"Q{i}" for i in range(1, 12))
    _, found = taken(tmp_path, questions, "A,Y,N,U,NA,N/A,Y,Y,Y,Y,Y,Y")
    assert [row["judgement"] for row in found][:5] == ["yes", "no", "unclear", *["not applicable"] * 2]
    report, found = taken(tmp_path, domains(5), "B,L,NA,L,L,L,L", into="other")
    assert len(found) == 5
    assert any("1 cell 'not applicable'" in note for note in report.notes)


def test_author_and_year_name_a_study_together_and_numbers_of_rows_name_none(tmp_path):
    header = ",Author,Year,D1,D2,D3,D4,D5,RoB"
    _, found = taken(tmp_path, header, "1,Smith,2001,L,L,L,L,L,L", "2,Smith,2003,H,L,L,L,L,H")
    assert [(r["study"], r["item"]) for r in found][::6] == [("Smith 2001", "D1"), ("Smith 2003", "D1")]
    assert found[-1]["item"] == "Overall"
    assert [row["year"] for row in rows(tmp_path / "review" / "studies.csv")] == ["2001", "2003"]


def test_a_header_that_is_not_the_first_line_is_found_where_it_is_said(tmp_path):
    lines = ("Assessments of 2024", "Study,D1,D2,D3,D4,D5,Overall", "A,L,L,L,L,L,L")
    with pytest.raises(ReviewError, match="--header 2"):
        taken(tmp_path, *lines)
    _, found = taken(tmp_path, *lines, header=2)
    assert len(found) == 6


def test_the_folders_own_file_with_several_tools_is_read_back(tmp_path):
    lines = ("study,tool,item,judgement,support,assessor", "A,SYRCLE,1,low,drawn,AB", "A,RoB 2,D1,high,,AB")
    report, found = taken(tmp_path, *lines)
    assert [(r["tool"], r["item"], r["judgement"], r["support"], r["assessor"]) for r in found] == [
        ("SYRCLE", "1", "low", "drawn", "AB"),
        ("RoB 2", "D1", "high", "", "AB"),
    ]
    assert {"read as SYRCLE", "read as RoB 2"} <= set(report.notes)


def test_a_study_spelt_otherwise_is_asked_about_and_the_remedy_is_obeyed(tmp_path):
    taken(tmp_path, domains(5), "A 2001,L,L,L,L,L,L", "Smith 2001,L,L,L,L,L,L", assessor="AB")
    lines = (domains(5), "A. 2001,L,L,L,L,L,H", "Smiht 2001,L,L,L,L,L,L", "Smith 2003,L,L,L,L,L,L")
    with pytest.raises(ReviewError) as error:
        taken(tmp_path, *lines, assessor="CD")
    told = [str(problem) for problem in error.value.problems]
    assert len(told) == 2
    assert "the folder has no study 'A. 2001': did you mean 'A 2001'? -> --map 'A. 2001=A 2001'" in told[0]
    assert "did you mean 'Smith 2001'?" in told[1]
    mapping = {"A. 2001": "A 2001", "Smiht 2001": "Smiht 2001"}
    report, _ = taken(tmp_path, *lines, assessor="CD", mapping=mapping)
    studies = [row["study"] for row in rows(tmp_path / "review" / "studies.csv")]
    assert studies == ["A 2001", "Smith 2001", "Smiht 2001", "Smith 2003"]
    assert any("2 studies were not in the folder" in note for note in report.notes)


def test_a_second_judgement_of_the_same_is_no_silent_first_one(tmp_path):
    lines = (domains(5), "A,L,L,L,L,L,L", "A,L,L,H,L,L,H")
    with pytest.raises(ReviewError, match="item D3 of 'A' is low in line 2 already, and high here") as error:
        taken(tmp_path, *lines)
    assert "--assessor NAME" in error.value.problems[0].remedy
    taken(tmp_path, *lines[:2])
    with pytest.raises(ReviewError, match=r"is low in risk_of_bias\.csv already"):
        taken(tmp_path, lines[0], lines[2])
    _, found = taken(tmp_path, lines[0], lines[2], assessor="CD")
    assert len(found) == 12
    with pytest.raises(ReviewError, match="holds no judgement that is not in the folder"):
        taken(tmp_path, domains(5), "A,,,,,,")


def test_an_outcome_that_there_is_not_is_named_with_both_ways_out(tmp_path):
    lines = ("Study,Outcome,D1,D2,D3,D4,D5,Overall", "A,pain,L,L,L,L,L,L")
    with pytest.raises(ReviewError) as error:
        taken(tmp_path, *lines)
    assert "unknown outcome 'pain' -> add it to outcomes.csv; or --map Outcome=" in str(
        error.value.problems[0]
    )
    _, found = taken(tmp_path, *lines, mapping={"Outcome": ""})
    assert len(found) == 6
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "outcomes.csv").write_text("outcome,kind\npain,continuous\n", encoding="utf-8")
    _, found = taken(tmp_path, *lines, into="other")
    assert {row["outcome"] for row in found} == {"pain"}


def test_two_columns_of_one_item_are_named_and_one_can_be_left_out(tmp_path):
    blind = "Blinding of outcome assessment (detection bias)"
    lines = (f"Study,Allocation concealment,{blind}: Objective,{blind}: Subjective", "A,Low,Low,High")
    with pytest.raises(ReviewError) as error:
        taken(tmp_path, *lines, tool="RoB 1")
    assert f"--map '{blind}: Subjective='" in error.value.problems[0].remedy
    _, found = taken(tmp_path, *lines, tool="RoB 1", mapping={f"{blind}: Subjective": ""})
    assert [(r["item"], r["judgement"]) for r in found] == [("2", "low"), ("4", "low")]


def test_an_own_tool_of_the_folder_is_read_like_a_known_one(tmp_path):
    lines = ("Study,light cycle,cage size", "A,g,Poor", "B,poor,good")
    with pytest.raises(CallError, match=r"a review's own stands in its rob_tools\.csv"):
        taken(tmp_path, *lines, tool="Housing")
    review = tmp_path / "review"
    review.mkdir()
    own = {
        "rob_tools.csv": "tool\nHousing\n",
        "rob_items.csv": "tool,item,label\nHousing,light,light cycle\nHousing,cage,cage size\n",
        "rob_answers.csv": "tool,judgement,severity,codes\nHousing,good,1,g\nHousing,poor,3,\n",
    }
    for name, text in own.items():
        (review / name).write_text(text, encoding="utf-8")
    _, found = taken(tmp_path, *lines)
    assert [(r["tool"], r["item"], r["judgement"]) for r in found] == [
        ("Housing", "light", "good"),
        ("Housing", "cage", "poor"),
        ("Housing", "light", "poor"),
        ("Housing", "cage", "good"),
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"D9": "D1"}, "there is no column, judgement or study 'D9'"),
        ({"D1": "D77"}, "'D1' cannot stand for 'D77'"),
        ({"SC": "hihg"}, "'SC' cannot stand for 'hihg'"),
    ],
)
def test_a_mapping_to_or_from_nothing_is_refused(tmp_path, mapping, said):
    with pytest.raises((CallError, ReviewError)) as error:
        taken(tmp_path, domains(5), "A,SC,L,L,L,L,L", tool="RoB 2", mapping=mapping)
    assert said in "\n".join([error.value.message, *map(str, error.value.problems)])


def test_a_tool_goes_by_several_names_and_an_unknown_one_is_refused(tmp_path):
    for name in ("ROB2", "rob 2", "RoB 2.0"):
        taken(tmp_path, domains(5), "A,L,L,L,L,L,L", tool=name, into=name)
    with pytest.raises(CallError, match="There is no tool 'RoB 3'"):
        taken(tmp_path, domains(5), "A,L,L,L,L,L,L", tool="RoB 3")
    with pytest.raises(CallError, match="may be JBI quasi-experimental or JBI prevalence"):
        taken(tmp_path, "Study," + ",".join(f"Q{i}" for i in range(1, 10)), "A" + ",Y" * 9, tool="JBI")


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
