"""A synthetic SyRF export with every known quirk, and a real one where it stands beside the checkout."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.importers.databases.syrf import import_syrf

HEADER = [
    "StudyId",
    "Title",
    "Authors",
    "Year",
    "Doi",
    "InvestigatorId",
    "Reconciled",
    "(RoB) Was the outcome assessor blinded?",
    "Species of animals?",
    "ExperimentId",
    "ExperimentLabel",
    "CohortId",
    "CohortLabel",
    "NumberOfAnimals",
    "IsDiseaseModelControl",
    "DiseaseModelLabel(s)",
    "IsTreatmentControl",
    "InterventionLabel",
    "Type of control used:",
    "OutcomeId",
    "OutcomeLabel",
    "OutcomeUnit",
    "GreaterIsWorse",
    "TimeInMinute",
    "OutcomeAverage",
    "OutcomeAverageType",
    "OutcomeError",
    "ErrorType",
]
BASE = {
    "StudyId": "s1",
    "Title": "Cells in mice",
    "Authors": "Li, A; Wu, B",
    "Year": "2019",
    "InvestigatorId": "ann",
    "Reconciled": "True",
    "(RoB) Was the outcome assessor blinded?": "Yes",
    "Species of animals?": "Mouse",
    "ExperimentId": "e1",
    "ExperimentLabel": "Fig 1",
    "NumberOfAnimals": "8",
    "IsDiseaseModelControl": "False",
    "DiseaseModelLabel(s)": "CCl4",
    "OutcomeId": "o1",
    "OutcomeLabel": "ALT",
    "OutcomeUnit": "U/L",
    "GreaterIsWorse": "True",
    "TimeInMinute": "1",
    "OutcomeAverageType": "Mean",
    "OutcomeError": "10",
    "ErrorType": "SEM",
}
CELLS = {"CohortId": "c1", "CohortLabel": "cells", "IsTreatmentControl": "False", "InterventionLabel": "BMSC"}
VEHICLE = {
    "CohortId": "c2",
    "CohortLabel": "ctl",
    "IsTreatmentControl": "True",
    "InterventionLabel": "vehicle",
}
SHAM = {
    "CohortId": "c3",
    "CohortLabel": "sham",
    "IsDiseaseModelControl": "True",
    "IsTreatmentControl": "True",
    "InterventionLabel": "Vehicle",
}
QUIRKS = [
    CELLS | {"OutcomeAverage": "200"},
    CELLS | {"OutcomeAverage": "190", "InvestigatorId": "bob", "Reconciled": "False"},
    CELLS | {"OutcomeAverage": "150", "TimeInMinute": "7"},
    VEHICLE | {"OutcomeAverage": "400", "OutcomeError": "30", "ErrorType": "SD"},
    VEHICLE | {"OutcomeAverage": "300", "TimeInMinute": "7", "OutcomeError": "27", "ErrorType": "IQR"},
    SHAM | {"OutcomeAverage": "40", "OutcomeError": "5", "ErrorType": ""},
    # a second experiment shares the control; a combined treatment; another outcome and unit; a median
    VEHICLE | {"ExperimentId": "e2", "ExperimentLabel": "Fig 2", "OutcomeAverage": "410"},
    CELLS
    | {
        "ExperimentId": "e2",
        "ExperimentLabel": "Fig 2",
        "CohortId": "c4",
        "CohortLabel": "cells + drug",
        "IsTreatmentControl": "True;False",
        "InterventionLabel": "VEHICLE;BMSC",
        "OutcomeAverage": "180",
    },
    CELLS
    | {
        "OutcomeId": "o2",
        "OutcomeLabel": "rearing",
        "OutcomeUnit": "beam breaks",
        "GreaterIsWorse": "False",
        "OutcomeAverage": "12",
        "OutcomeAverageType": "Median",
        "OutcomeError": "9;15",
        "ErrorType": "IQR",
    },
    # a known drug is no negative control; nothing said about a cohort
    VEHICLE
    | {
        "CohortId": "c5",
        "CohortLabel": "positive",
        "InterventionLabel": "silymarin",
        "Type of control used:": "Positive control (licensed)",
        "OutcomeAverage": "250",
    },
    {"CohortId": "c6", "CohortLabel": "??", "IsDiseaseModelControl": "", "OutcomeAverage": "9"},
    # a study that nobody reconciled
    CELLS | {"StudyId": "s2", "Title": "Rats", "Authors": "", "Reconciled": "False", "OutcomeAverage": "1"},
    CELLS
    | {
        "StudyId": "s2",
        "Title": "Rats",
        "Authors": "",
        "Reconciled": "False",
        "InvestigatorId": "bob",
        "OutcomeAverage": "2",
    },
]


@pytest.fixture
def export(tmp_path) -> Path:
    file = tmp_path / "export.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER, restval="")
        writer.writeheader()
        writer.writerows(BASE | row for row in QUIRKS)
    return file


@pytest.fixture
def found(export, tmp_path):
    report = import_syrf(export, tmp_path / "review", time_unit="d")
    files = {}
    for path in (tmp_path / "review").glob("*.csv"):
        files[path.name] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return report, files


def test_minutes_that_may_be_days_are_asked_for(export, tmp_path):
    with pytest.raises(ReviewError, match="--time-unit min or --time-unit d"):
        import_syrf(export, tmp_path / "review")
    with pytest.raises(CallError, match="no unit of time 'days'"):
        import_syrf(export, tmp_path / "review", time_unit="days")
    assert not (tmp_path / "review").exists()


def test_reconciled_rows_count(found):
    report, files = found
    readings = [r["mean"] for r in files["measurements.csv"] if r["arm"] == "cells" and r["outcome"] == "ALT"]
    assert readings == ["200", "150"]
    assert {r["extractor"] for r in files["measurements.csv"]} == {"consensus"}
    assert "choose with --annotator: ann, bob" in str(report)
    assert [r["study"] for r in files["studies.csv"]] == ["Li 2019"]


def test_an_annotator_can_be_chosen(export, tmp_path):
    import_syrf(export, tmp_path / "review", time_unit="d", annotator="bob")
    with (tmp_path / "review" / "measurements.csv").open(encoding="utf-8", newline="") as stream:
        assert [r["mean"] for r in csv.DictReader(stream) if r["study"] == "s2"] == ["2"]
    with pytest.raises(CallError, match="no annotator 'eve'"):
        import_syrf(export, tmp_path / "review", time_unit="d", annotator="eve")


def test_errors_go_where_their_type_says(found):
    report, files = found
    by_line = {r["locator"]: r for r in files["measurements.csv"]}
    assert (by_line["line 2"]["se"], by_line["line 2"]["sd"]) == ("10", "")
    assert (by_line["line 5"]["se"], by_line["line 5"]["sd"]) == ("", "30")
    assert (by_line["line 6"]["sd"], by_line["line 6"]["se"]) == ("", "")
    assert by_line["line 6"]["note"] == "error 27, IQR"
    assert (by_line["line 7"]["sd"], by_line["line 7"]["note"]) == ("", "error 5, of no stated type")
    assert [by_line["line 10"][name] for name in ("median", "q1", "q3", "mean")] == ["12", "9", "15", ""]
    assert any("1 IQR" in note or "2 IQR" in note for note in report.notes)


def test_an_interquartile_range_becomes_an_sd_only_if_asked(export, tmp_path):
    import_syrf(export, tmp_path / "review", time_unit="d", iqr_to_sd=True)
    with (tmp_path / "review" / "measurements.csv").open(encoding="utf-8", newline="") as stream:
        row = next(r for r in csv.DictReader(stream) if r["locator"] == "line 6")
    assert (row["sd"], row["note"]) == ("20", "SD = IQR/1.35 of the interquartile range 27")


def test_roles_follow_the_flags(found):
    report, files = found
    roles = {(r["experiment"], r["arm"]): (r["treatment"], r["role"]) for r in files["arms.csv"]}
    assert roles == {
        ("Fig 1", "cells"): ("BMSC", "active"),
        ("Fig 1", "ctl"): ("vehicle", "control"),
        ("Fig 1", "sham"): ("sham", "sham"),
        ("Fig 2", "ctl"): ("vehicle", "control"),
        ("Fig 2", "cells + drug"): ("vehicle + BMSC", "active"),
        ("Fig 1", "positive"): ("silymarin", "active"),
    }
    shared = [r["shared_control_of"] for r in files["arms.csv"] if r["arm"] == "ctl"]
    assert shared == ["", "Fig 1"]
    assert "treatment 'vehicle' is also spelt 'VEHICLE'" in str(report)
    assert "has no intervention, and is no control" in str(report)


def test_outcomes_keep_their_units_and_directions(found):
    _, files = found
    outcomes = {r["outcome"]: (r["unit"], r["lower_is_better"]) for r in files["outcomes.csv"]}
    assert outcomes == {"ALT": ("U/L", "true"), "rearing": ("beam breaks", "false")}
    assert [r["unit"] for r in files["units.csv"]] == ["beam breaks"]
    assert files["risk_of_bias.csv"] == [
        {"study": "Li 2019", "tool": "SYRCLE", "item": "7", "judgement": "low"}
    ]
    assert files["studies.csv"][0]["species"] == "Mouse"


def test_the_names_of_the_dictionary_do_as_well(export, tmp_path):
    text = export.read_text(encoding="utf-8")
    text = text.replace("TimeInMinute", "TimeInMinutes").replace(",ErrorType", ",OutcomeErrorType")
    export.write_text(text.replace("OutcomeAverage,", "OutcomeResult,"), encoding="utf-8")
    assert import_syrf(export, tmp_path / "review", time_unit="d").added["measurements.csv"] == 9


def test_the_command_and_what_is_no_export(export, tmp_path):
    arguments = ["import", "syrf", str(export), "--into", str(tmp_path / "review"), "--time-unit", "d"]
    result = CliRunner().invoke(cli, [*arguments, "--control", "vehicle", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "OutcomeError" in result.output
    export.write_text("a,b\n1,2\n", encoding="utf-8")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "there is no column 'cohortid'" in result.output


BARE = "Were caregivers/investigator blinded to which intervention each animal received?"
DOSE = "Dose of treatment used:"


def rewritten(export: Path, header: list[str], answers: dict[str, str]) -> None:
    with export.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*HEADER, *header])
        for row in QUIRKS:
            cells = BASE | row
            writer.writerow([*(cells.get(name, "") for name in HEADER), *(answers[name] for name in header)])


def test_a_question_of_syrcle_without_its_mark_is_read_and_others_are_not(export, tmp_path):
    header = [BARE, "(RoB) Was the study free of other problems that could result in high RoB?",
              "Random allocation to group (treatment/control)"]  # fmt: skip
    rewritten(export, header, dict.fromkeys(header, "Unclear"))
    report = import_syrf(export, tmp_path / "review", time_unit="d")
    with (tmp_path / "review" / "risk_of_bias.csv").open(encoding="utf-8", newline="") as stream:
        assert sorted(row["item"] for row in csv.DictReader(stream)) == ["10", "5", "7"]
    became = {item.column: item.became for item in report.mappings}
    assert became[header[2]] == f"studies.csv: {header[2]}"


def test_a_question_that_syrf_writes_twice_is_kept_twice(export, tmp_path):
    header = ["Method of action:", "Method of action: "]
    rewritten(export, header, {header[0]: "agonist", header[1]: "partial agonist"})
    report = import_syrf(export, tmp_path / "review", time_unit="d")
    with (tmp_path / "review" / "studies.csv").open(encoding="utf-8", newline="") as stream:
        (first, *_) = csv.DictReader(stream)
    assert (first["Method of action:"], first["Method of action: (2)"]) == ("agonist", "partial agonist")
    assert {item.became for item in report.mappings if item.column.startswith("Method")} == {
        "studies.csv: Method of action:",
        "studies.csv: Method of action: (2)",
    }


def test_a_question_can_be_mapped_to_an_item_of_any_tool_or_left_out(export, tmp_path):
    header = ["Blinding?", "Group size justified?"]
    rewritten(export, header, dict.fromkeys(header, "Yes"))
    mapping = {"Blinding?": "SYRCLE:5", "Group size justified?": ""}
    report = import_syrf(export, tmp_path / "review", time_unit="d", mapping=mapping)
    with (tmp_path / "review" / "risk_of_bias.csv").open(encoding="utf-8", newline="") as stream:
        assert sorted(row["item"] for row in csv.DictReader(stream)) == ["5", "7"]
    assert "left out as asked" in str(report)
    for wrong, said in (
        ({"Blinding?": "SYRCLE:77"}, "'Blinding?' cannot stand for 'SYRCLE:77'"),
        ({"Blindin?": "SYRCLE:5"}, "there is no column 'Blindin?'"),
    ):
        with pytest.raises(CallError) as error:
            import_syrf(export, tmp_path / "other", time_unit="d", mapping=wrong)
        assert said in str(error.value.problems[0])


def test_authors_joined_by_and_do_not_make_a_name_of_all_of_them(export, tmp_path):
    export.write_text(
        export.read_text(encoding="utf-8").replace('"Li, A; Wu, B"', "Yan L and Wang J and He X"),
        encoding="utf-8",
    )
    import_syrf(export, tmp_path / "review", time_unit="d")
    with (tmp_path / "review" / "studies.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["study"] for row in csv.DictReader(stream)] == ["Yan L 2019"]


def test_answers_that_differ_within_a_study_stand_with_the_arm_or_the_result(export, tmp_path):
    with export.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*HEADER, DOSE, "Timing"], restval="")
        writer.writeheader()
        for i, row in enumerate(QUIRKS):
            writer.writerow(BASE | row | {DOSE: f"{row['CohortId']} mg", "Timing": f"t{i}"})
    import_syrf(export, tmp_path / "review", time_unit="d")
    files = {
        name: list(csv.DictReader((tmp_path / "review" / name).read_text(encoding="utf-8").splitlines()))
        for name in ("arms.csv", "measurements.csv")
    }
    assert {(r["arm"], r[DOSE]) for r in files["arms.csv"]} >= {("cells", "c1 mg"), ("ctl", "c2 mg")}
    assert len({r["Timing"] for r in files["measurements.csv"]}) == len(files["measurements.csv"])


@pytest.mark.slow
def test_a_real_export_end_to_end(trial_data, tmp_path):
    import evidence

    file = trial_data / "galenos_lsr3" / "raw_without_abstracts.csv"
    if not file.is_file():
        pytest.skip("the real export does not stand beside the checkout")
    with pytest.raises(ReviewError, match="called minutes"):
        import_syrf(file, tmp_path / "review")
    report = import_syrf(file, tmp_path / "review", time_unit="d")
    # 580 rows; 9 of them of cohorts with neither an intervention nor a flag
    assert report.added["measurements.csv"] == 571
    assert len(report.left_out) == 9
    assert report.added["studies.csv"] == 23
    assert report.added["risk_of_bias.csv"] == 230
    with evidence.open(evidence.build(tmp_path / "review", tmp_path / "review.duckdb")) as db:
        # 485 SEM and 95 SD, less those left out
        spreads = db.sql(
            "select count(se), count(sd), count(*) from measurement where se is not null or sd is not null"
        ).fetchall()
        assert spreads[0][2] == 571
        studies = db.sql("select count(distinct study) from contrast where measure = 'SMD'").fetchall()[0]
        assert studies == (23,)
