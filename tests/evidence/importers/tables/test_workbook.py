"""A sheet is read as a person sees it."""

from __future__ import annotations

import openpyxl
import pytest
from openpyxl.comments import Comment

from evidence.errors import ReviewError
from evidence.importers.arms import import_arms
from evidence.importers.table import read_table

ROWS = [
    ("study", "treatment", "n", "mean", "sd"),
    ("A", "drug", 20, 5.5, 2), ("A", "placebo", 21, 7, 2), ("B", "drug", 9, 4, 1), ("B", "placebo", 8, 5, 1),
]  # fmt: skip


@pytest.fixture
def book():
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in ROWS:
        book.active.append(row)
    return book


def read(book, place, **options):
    book.save(place / "t.xlsx")
    return read_table(place / "t.xlsx", **options)


def test_the_first_sheet_in_sight_that_holds_something_is_read_and_the_others_are_named(book, tmp_path):
    old = book.create_sheet("old", 0)
    old.append(["study", "treatment", "n"])
    old.append(["Z", "drug", 1])
    old.sheet_state = "hidden"
    book.create_sheet("empty", 0)
    table = read(book, tmp_path)
    assert table.column("study") == ["A", "A", "B", "B"]
    assert table.notes[0] == "sheet 'Data'; not read: 'empty', 'old' (hidden) (--sheet)"
    assert read(book, tmp_path, sheet="old").column("study") == ["Z"]
    with pytest.raises(ReviewError, match=r"is empty in sheet 'empty'.*other sheets: 'old'"):
        read(book, tmp_path, sheet="empty")


def test_a_sheet_that_is_no_table_is_refused_with_the_names_of_the_others(book, tmp_path):
    page = book.create_sheet("README", 0)
    for text in ("This workbook", "holds data"):
        page.append([text])
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(ReviewError, match="another sheet: 'Data'"):
        import_arms(tmp_path / "t.xlsx", tmp_path / "r", outcome="y")
    page["C3"], page["D3"], page["E3"] = "study", "n", "mean"
    with pytest.raises(
        ReviewError, match=r"--header 3, it seems; or the table stands in another sheet: 'Data'"
    ):
        read(book, tmp_path)


def test_hidden_rows_and_columns_and_comments_are_said(book, tmp_path):
    page = book.active
    page.row_dimensions[3].hidden = True
    page.column_dimensions["E"].hidden = True
    page["D2"].comment = Comment("an SE!", "AB")
    table = read(book, tmp_path)
    assert table.notes[1:] == (
        "1 row of the sheet hidden in the workbook (3) were read like the others",
        "1 column of the sheet hidden in the workbook were read like the others",
        "comments of cells were not read: D2",
    )


def test_a_share_that_is_shown_in_per_cent_is_one(book, tmp_path):
    """Excel holds 0.357 where it shows 35.7%: read as 0.357, it would be a hundredth of what people see."""
    page = book.active
    page["D2"], page["D2"].number_format = 0.357, "0.0%"
    page["D4"], page["D4"].number_format = 1 / 3, "0%"
    page["D5"].number_format = '0.0" points"'
    assert read(book, tmp_path).column("mean") == ["35.7%", "7", "33.33333333333333%", "5"]
    with pytest.raises(ReviewError, match=r"'35\.7%' has a percent sign"):
        import_arms(tmp_path / "t.xlsx", tmp_path / "r", outcome="y")


def test_events_and_characteristics_in_per_cent_are_numbers(tmp_path):
    book = openpyxl.Workbook()
    for row in [
        ("study", "treatment", "n", "AE", "women"),
        ("A", "x", 28, 10 / 28, 0.45),
        ("A", "y", 20, 0.25, 0.45),
    ]:
        book.active.append(row)
    for row in book.active.iter_rows(min_row=2, min_col=4):
        for cell in row:
            cell.number_format = "0%"
    book.save(tmp_path / "t.xlsx")
    report = import_arms(
        tmp_path / "t.xlsx", tmp_path / "r", outcome="ae", lower_is_better=True, mapping={"AE": "percent"}
    )
    assert "per cent signs were taken off 'women'" in str(report)
    measured = (tmp_path / "r" / "measurements.csv").read_text().splitlines()
    assert [line.split(",")[4] for line in measured] == ["events", "10", "5"]
    assert (tmp_path / "r" / "studies.csv").read_text().splitlines()[1] == "A,A,45"
