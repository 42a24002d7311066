"""Every data line of a file is a row that was loaded, or is named."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import ReviewError
from evidence.folder.layout import FILE
from evidence.folder.records import RecordError, records
from evidence.folder.sheet import Problems, read_sheet
from evidence.importers.table import read_table
from evidence.review import read

MEASURED = "measurements.csv"


def quoted(text: str, *lines: int) -> str:
    """Put a stray quotation mark, such as a ditto mark, at the end of some lines."""
    return "".join(
        line.rstrip("\n") + '"\n' if number in lines else line
        for number, line in enumerate(text.splitlines(keepends=True), 1)
    )


@pytest.mark.parametrize(("first", "last"), [*itertools.combinations(range(2, 11), 2)])
def test_two_stray_quotation_marks_are_an_error(review_folder, tmp_path, first, last):
    text = (review_folder() / MEASURED).read_text()
    (tmp_path / MEASURED).write_text(quoted(text, first, last))
    problems = Problems()
    read_sheet(tmp_path / MEASURED, FILE[MEASURED], problems)
    (error,) = problems.errors
    assert error.line == first
    lost = f"line {last}, which" if last == first + 1 else f"lines {first + 1} to {last}, which"
    assert lost in error.message


def test_quotation_marks_in_the_middle_of_rows_are_an_error(review_folder):
    text = "study,arm,treatment,n,note,dose\nLi 2019,cells,BMSC,10,a,1\nLi 2019,control,saline,10,b,2\n"
    text += "Wu 2020,bm,BMSC,8,c,3\nWu 2020,uc,UCMSC,8,d,4\nWu 2020,control,saline,9,e,5\n"
    text += "Xu 2021,cells,UCMSC,12,f,6\nXu 2021,control,saline,12,g,7\n"
    for cells in (("a", "b"), ("a", "c"), ("c", "d")):
        wrong = text
        for cell, mark in zip(cells, ('"x', 'y"')):
            wrong = wrong.replace(f",{cell},", f",{mark},")
        with pytest.raises(ReviewError, match="a quotation mark is opened here"):
            read(review_folder({"arms.csv": wrong}))


def test_a_quotation_mark_in_the_header_is_an_error(review_folder):
    text = (review_folder() / "studies.csv").read_text()
    with pytest.raises(
        ReviewError, match=r"studies\.csv:1: a quotation mark is opened here, and lines 2 to 3"
    ):
        read(review_folder({"studies.csv": quoted(text.replace("\n", ",\n"), 1, 3)}))


@pytest.mark.parametrize("column", ["study", "label", "year"])
def test_a_cell_of_two_lines_in_any_column_is_no_swallowed_row(tmp_path, column):
    """As spreadsheets write it: one of its lines is as wide as a row, which no row was."""
    row = {"study": "Li 2019", "label": "Li", "year": "2019"}
    two = {**row, column: f'"{row[column]}\nof the year"'}
    text = "study,label,year\nWu 2020,Wu,2020\n" + ",".join(two.values()) + "\nXu 2021,Xu,2021\n"
    (tmp_path / "studies.csv").write_text(text)
    problems = Problems()
    sheet = read_sheet(tmp_path / "studies.csv", FILE["studies.csv"], problems)
    assert not [problem for problem in problems.errors if "quotation" in problem.message]
    assert sheet is not None


def test_a_text_of_several_lines_is_said_once_for_its_column(review_folder):
    rows = 'Li 2019,SYRCLE,1,low,"random,\nthey say"\nLi 2019,SYRCLE,2,low,"a\n\nb, c, d, e, f"\n'
    review = read(review_folder({"risk_of_bias.csv": f"study,tool,item,judgement,support\n{rows}"}))
    (warning,) = review.warnings
    assert (warning.line, warning.column) == (4, "support")
    assert warning.message == "the cell has 3 lines, and so have 1 more of this column"
    (judged,) = (part for part in review.rows if part.table == "rob_judgement")
    assert judged.columns["source_line"] == [2, 4]


def test_an_imported_table_with_stray_quotation_marks_is_refused(tmp_path):
    text = "study,treatment,mean,sd,n,note\nA,x,1,1,8,\nA,y,2,1,8,\nB,x,1,1,8,\nB,y,2,1,8,\n"
    for separator in (",", ";", "\t"):
        path = tmp_path / "d.csv"
        path.write_text(quoted(text, 2, 4).replace(",", separator))
        with pytest.raises(ReviewError, match="lines 3 to 4, which would be rows"):
            read_table(path)
    path.write_text(text.replace("B,x,1,1,8,\nB", 'B,x,1,1,8,"two\nlines"\nB'))
    assert "the row of line 4 has a cell of several lines" in " ".join(read_table(path).notes)


pieces = st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", " ", "a", "1", ';"', "\u2028", "\x0c"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, max_size=40).map("".join))
def test_every_line_belongs_to_one_record(text):
    try:
        found = list(records(text))
    except RecordError:
        return
    assert "".join(line for record in found for line in record.lines) == text
    assert [record.cells for record in found] == list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [record.line for record in found] == [
        1 + sum(len(before.lines) for before in found[:place]) for place in range(len(found))
    ]


def test_expected_counts_are_held(review_folder):
    title = 'title = "T"\n[expected]\n'
    assert read(review_folder({"review.toml": f"{title}studies = 3\narms = 7\nmeasurements = 9\nflow = 3\n"}))
    wrong = f"{title}studies = 4\narms = 6\nclaims = 2\nmeasurments = 9\nreports = -1\nrecords = true\n"
    with pytest.raises(ReviewError) as caught:
        read(review_folder({"review.toml": wrong}))
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (3, "[expected] says that studies.csv has 4 rows, and it has 3"),
        (4, "[expected] says that arms.csv has 6 rows, and it has 7"),
        (5, "[expected] says that claims.csv has 2 rows, and it has 1"),
        (6, "[expected] has no file 'measurments'"),
        (7, "reports of [expected] is -1"),
        (8, "records of [expected] is True"),
    ]


def test_rows_with_errors_count_among_those_expected(review_folder):
    arms = (review_folder() / "arms.csv").read_text().replace("BMSC,8\n", "BMSC,8,5\n")
    toml = 'title = "T"\n[expected]\narms = 7\n'
    with pytest.raises(ReviewError) as caught:
        read(review_folder({"review.toml": toml, "arms.csv": arms}))
    assert not [problem for problem in caught.value.problems if problem.file == "review.toml"]


def test_a_file_with_a_header_alone_is_a_file_whose_rows_are_missing(review_folder):
    folder = review_folder()
    header = (folder / "arms.csv").read_text().splitlines()[0]
    with pytest.raises(ReviewError, match=r"measurements\.csv:2 .*the study has no arm in arms\.csv"):
        read(review_folder({"arms.csv": header + "\n"}))
