"""Spreadsheets as people keep them: each ends in a table that says what became of it, or in an error that helps."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import EvidenceError
from evidence.importers.arms import import_arms


def run(tmp_path: Path, content: str | list[list[object]], **options):
    """Import a text, or the rows of a workbook, as ALT in U/L."""
    if isinstance(content, str):
        file = tmp_path / "table.csv"
        file.write_text(content, encoding="utf-8")
    else:
        file = tmp_path / "table.xlsx"
        book = openpyxl.Workbook()
        for row in content:
            book.active.append(row)
        book.save(file)
    return import_arms(file, tmp_path / "review", outcome="alt", unit="U/L", **options)


def measured(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "review" / "measurements.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


TITLED = [
    ["Table 2. ALT at 24 h"],
    [],
    ["Study", "Treatment", "ALT (U/L)", None, "n"],
    [None, None, "Mean", "SD", None],
    ["Li", "cells", 210.5, 31.6, 8],
    [None, "saline", 350, 40, 8],
    ["* read from a figure"],
]


def test_a_title_above_the_header(tmp_path):
    with pytest.raises(EvidenceError, match="say which line does: --header 3, it seems"):
        run(tmp_path, TITLED)


def test_merged_cells(tmp_path):
    """Header in two lines, a study that stands once for two rows, a footnote."""
    how = {"header": 3, "mapping": {"ALT (U/L) Mean": "mean", "ALT (U/L) SD": "sd"}}
    with pytest.raises(EvidenceError, match=r"table.xlsx:6: the row has numbers and no study .* --fill-down"):
        run(tmp_path, TITLED, **how)
    report = run(tmp_path, TITLED, fill_down=True, **how)
    assert [(row["study"], row["arm"], row["mean"], row["sd"]) for row in measured(tmp_path)] == [
        ("Li", "cells", "210.5", "31.6"),
        ("Li", "saline", "350", "40"),
    ]
    said = str(report)
    assert "lines 3 and 4 name the columns together" in said
    assert "line 3 names the columns; what stands above it was not read" in said
    assert "a row without a study or a treatment: * read from a figure" in said


@pytest.mark.parametrize(
    ("cells", "mapping", "want"),
    [
        (("mean (SD)", "210.5 (31.6)", "350 ( 40 )"), "mean+sd", ("210.5", "31.6", "350", "40")),
        (("mean ± SD", "210.5±31.6", "-350 +/- 40"), "mean+sd", ("210.5", "31.6", "-350", "40")),
        (("mean ± SD", "2.1e2 ± 31.6", "\N{MINUS SIGN}350 ± 40"), "mean+sd", ("2.1e2", "31.6", "-350", "40")),
    ],
)
def test_two_statistics_in_a_cell_are_asked_for_and_taken_apart(tmp_path, cells, mapping, want):
    name, one, other = cells
    text = f"study,treatment,{name},n\nLi,cells,{one},8\nLi,saline,{other},8\n"
    with pytest.raises(EvidenceError) as caught:
        run(tmp_path, text)
    assert f"perhaps --map '{name}={mapping}'" in str(caught.value)
    run(tmp_path, text, mapping={name: mapping})
    rows = measured(tmp_path)
    assert (rows[0]["mean"], rows[0]["sd"], rows[1]["mean"], rows[1]["sd"]) == want


def test_a_median_with_quartiles(tmp_path):
    text = "study,treatment,ALT,n\nLi,cells,3.1 (2.5-3.9),8\nLi,saline,4 [3 to 5],8\n"
    run(tmp_path, text, mapping={"ALT": "median+q1+q3"})
    assert [(r["median"], r["q1"], r["q3"]) for r in measured(tmp_path)] == [
        ("3.1", "2.5", "3.9"),
        ("4", "3", "5"),
    ]


def test_a_part_of_a_cell_is_left_out_if_asked(tmp_path):
    text = "study,treatment,deaths,n\nLi,cells,5 (62%),8\nLi,saline,2/8,8\n"
    report = run(tmp_path, text, mapping={"deaths": "events+"})
    assert [row["events"] for row in measured(tmp_path)] == ["5", "2"]
    assert "deaths, the rest  -> left out" in str(report)


def test_a_cell_of_another_count_is_named(tmp_path):
    text = "study,treatment,ALT,n\nLi,cells,210 ± 31,8\nLi,saline,350,8\nWu,cells,about 9 ± 2,8\n"
    with pytest.raises(EvidenceError) as caught:
        run(tmp_path, text, mapping={"ALT": "mean+sd"})
    assert [(p.line, p.column) for p in caught.value.problems] == [(3, "ALT"), (4, "ALT")]
    assert not (tmp_path / "review").exists()


def test_units_in_headers_are_asked_about(tmp_path):
    text = "Study,Group,ALT mean [U/L],ALT SEM [U/L],N\nLi,cells,210,31,8\nLi,saline,350,40,8\n"
    with pytest.raises(EvidenceError) as caught:
        run(tmp_path, text)
    hint = "perhaps --map Group=treatment --map 'ALT mean [U/L]=mean' --map 'ALT SEM [U/L]=se'"
    assert hint in str(caught.value)


def test_sem_by_its_own_name_is_a_standard_error(tmp_path):
    run(tmp_path, "Study,Treatment,Mean,SEM,N\nLi,cells,210,31,8\nLi,saline,350,40,8\n")
    assert [row["se"] for row in measured(tmp_path)] == ["31", "40"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(tmp_path, separator):
    text = "study,treatment,mean,sd,n\nLi,cells,P,31Q6,8\nLi,saline,350,40,8\n".replace(",", separator)
    run(tmp_path, text.replace("P", "1210,5").replace("Q", ","))
    assert [(r["mean"], r["sd"]) for r in measured(tmp_path)] == [("1210.5", "31.6"), ("350", "40")]


def test_thousands_among_decimal_commas_are_asked_about(tmp_path):
    """1.350 beside 31,6 is 1350 in German and would be read as 1.35."""
    text = "study;treatment;mean;sd;n\nLi;cells;210,5;31,6;8\nLi;saline;1.350;40;8\n"
    with pytest.raises(EvidenceError, match=r"table.csv:3: '1.350' .* write 1350 or 1,350"):
        run(tmp_path, text)


def test_errors_name_the_lines_of_the_source(tmp_path):
    """Not those of the files that would have been written; each wrong cell once, also if it went into two files."""
    text = (
        'study,treatment,mean,sd,n,note\nLi,cells,180.2*,22,8/8,"two\nlines"\nLi,saline,350 ± 40,,n=10,\n'
        "Wu,cells,1,1,8,\nWu,saline,2†,1,8,\n"
    )
    with pytest.raises(EvidenceError) as caught:
        run(tmp_path, text)
    *cells, rest = caught.value.problems
    assert "--missing" in rest.remedy
    found = sorted((p.file, p.line, p.column) for p in cells)
    assert found == [
        ("table.csv", 2, "mean"), ("table.csv", 2, "n"), ("table.csv", 4, "mean"), ("table.csv", 4, "n"),
        ("table.csv", 6, "mean"),
    ]  # fmt: skip


def test_from_the_command_line(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(
        "ALT\n\nstudy,treatment,ALT,n\nLi,cells,210 (31),8\n,saline,350 (40),8\n", encoding="utf-8"
    )
    arguments = ["import", "arms", str(file), "--into", str(tmp_path / "review"), "--outcome", "alt"]
    result = CliRunner().invoke(cli, [*arguments, "--header", "3", "--fill-down", "--map", "ALT=mean+se"])
    assert result.exit_code == 0, result.output
    assert "column 'ALT' was taken apart into mean and se" in result.output
    result = CliRunner().invoke(cli, [*arguments, "--header", "99"])
    assert (result.exit_code, "has no line 99" in result.output) == (2, True)


def test_classes_of_treatments_and_sizes_of_contrasts_are_kept(tmp_path):
    """multinma's trt_class goes to the treatments, netmeta's n1 and n2 to both sides of a contrast."""
    run(tmp_path, "study,trt,r,n,trt_class\nLi,cells,1,8,stem\nLi,saline,2,8,none\n")
    with (tmp_path / "review" / "treatments.csv").open(encoding="utf-8") as stream:
        assert [(row["treatment"], row["class"]) for row in csv.DictReader(stream)] == [
            ("cells", "stem"),
            ("saline", "none"),
        ]
    file = tmp_path / "contrasts.csv"
    file.write_text("studlab,treat1,treat2,TE,seTE,n1,n2\nLi,a,b,1,0.5,10,12\n", encoding="utf-8")
    import_arms(file, tmp_path / "contrasts", outcome="alt", measure="MD")
    with (tmp_path / "contrasts" / "contrasts.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["n_a"], row["n_b"]) == ("10", "12")


def test_means_without_a_spread_are_said_to_be_of_no_use(tmp_path):
    report = run(tmp_path, "study,treatment,mean,+/-,n\nLi,cells,210,3,8\nLi,saline,350,4,8\n")
    assert any("no column holds an SD, SE, interval or quartiles" in note for note in report.notes)
    with pytest.raises(EvidenceError, match="--map ErrorBars=sd or --map ErrorBars=se"):
        run(tmp_path, "study,treatment,mean,ErrorBars,n\nLi,cells,210,3,8\nLi,saline,350,4,8\n")


def test_rows_outside_the_extent_that_a_workbook_states_are_read(tmp_path):
    """Some programs write a wrong extent, and a reader that trusts it leaves rows out unsaid."""
    run(tmp_path, [["study", "treatment", "mean", "sd", "n"], ["Li", "a", 1, 1, 8], ["Li", "b", 2, 1, 8]])
    source, broken = tmp_path / "table.xlsx", tmp_path / "broken.xlsx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(broken, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "xl/worksheets/sheet1.xml":
                assert b'ref="A1:E3"' in content
                content = content.replace(b'ref="A1:E3"', b'ref="A1:E2"')
            new.writestr(member, content)
    import_arms(broken, tmp_path / "again", outcome="alt")
    assert (tmp_path / "again" / "measurements.csv").read_text(encoding="utf-8").count("\n") == 3
