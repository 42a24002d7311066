"""A review as of a day: what was known when, what is cut with it, and what is said of it."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import CallError, EvidenceError
from evidence.folder.as_of import day_of, days_of, said_of
from evidence.review import read

SEARCHED = {
    "searches.csv": "search,database,date,hits\nfirst,PubMed,2019-03-01,10\nagain,PubMed,2021-02-01,15\n",
    "records.csv": "record,search,title,year,duplicate_of,study\n"
    "r1,first,Li,2018,,Li 2019\nr2,again,Wu,2021,,Wu 2020\nr3,again,Wu,2021,r2,\nr4,first,Other,2017,r5,\n"
    "r5,again,Other,2022,,\n",
    "screening.csv": "record,stage,reviewer,decision\nr1,full_text,A,include\nr2,full_text,A,include\n",
    "flow.csv": "box,n\ndatabase_results,218\n",
}


def opened(folder: Path | str, day: str):
    return evidence.open(folder, as_of=day)


def info(db) -> dict[str, str]:
    return {row["key"]: row["value"] for row in db.rows("select key, value from build_info")}


@pytest.mark.parametrize(
    ("text", "day"),
    [("2015", date(2015, 12, 31)), ("2016-02", date(2016, 2, 29)), (" 2016-02-03 ", date(2016, 2, 3))],
)
def test_a_year_or_month_means_its_end(text, day):
    assert day_of(text) == day


@pytest.mark.parametrize("text", ["15", "2015-13", "2015-02-30", "last year", "2015-6", "0000", ""])
def test_what_is_no_date_is_refused_with_what_would_be_one(text):
    with pytest.raises(CallError, match=r"is no date: write a year \(2015\)"):
        day_of(text)


def test_a_study_is_known_by_its_search_or_the_end_of_a_year_whichever_is_first(review_folder):
    folder = review_folder(SEARCHED)
    lines = list(csv.DictReader((folder / "studies.csv").read_text().splitlines()))
    years = {row["study"]: row["year"] for row in lines}
    days = days_of(read(folder).rows).by_study
    assert days["Li 2019"] == (date(2018, 12, 31), "record")  # published before the search that found it
    assert days["Wu 2020"] == (date(2021, 2, 1), "search")  # found before its year of publication ended
    (other,) = set(days) - {"Li 2019", "Wu 2020"}
    assert days[other] == (date(int(years[other]), 12, 31), "study")


def test_what_came_later_goes_with_all_that_belongs_to_it(review_folder):
    with opened(review_folder(SEARCHED), "2019-06") as db:
        assert [row["study"] for row in db.rows("select study from study")] == ["Li 2019"]
        for table in ("arm", "measurement", "rob_judgement", "characteristic"):
            assert {row["study"] for row in db.rows(f"select * from {table}") if "study" in row} <= {
                "Li 2019"
            }
        # The record kept is its own original now: the one it duplicates was not found yet.
        records = db.rows("select record, duplicate_of from record order by record")
        assert records == [{"record": "r1", "duplicate_of": None}, {"record": "r4", "duplicate_of": None}]
        assert [row["search"] for row in db.rows("select search from search")] == ["first"]
        assert [row["record"] for row in db.rows("select record from screening")] == ["r1"]
        assert db.value("select count(*) from flow") == 0  # a box typed in counts the whole review


def test_as_of_the_last_day_is_the_whole_review(review_folder):
    folder = review_folder({**SEARCHED, "flow.csv": None})
    with evidence.open(folder) as whole, opened(folder, "2022") as last:
        tables = [name for name in whole.names("table") if name not in ("build_info", "claim_result")]
        for name in tables:
            assert whole.rows(f"from {name}") == last.rows(f"from {name}"), name


def test_undated_studies_count_from_the_last_day_that_is_known_and_that_is_said(review_folder):
    folder = review_folder(dict.fromkeys(SEARCHED))
    text = (folder / "studies.csv").read_text().splitlines()
    header = text[0].split(",")
    rows = [line.split(",") for line in text[1:]]
    rows[-1][header.index("year")] = ""
    (folder / "studies.csv").write_text("\n".join([text[0], *map(",".join, rows)]) + "\n")
    dated = sorted(int(row[header.index("year")]) for row in rows[:-1])
    with opened(folder, str(dated[0])) as first, opened(folder, str(dated[-1])) as last:
        assert rows[-1][0] not in {row["study"] for row in first.rows("select study from study")}
        assert last.value("select count(*) from study") == len(rows)
        assert f"Without a date: 1. These count from {dated[-1]}-12-31" in said_of(info(first))


def test_a_review_without_any_date_is_refused_with_what_would_give_it_one(review_folder):
    folder = review_folder(dict.fromkeys(SEARCHED))
    text = (folder / "studies.csv").read_text().splitlines()
    place = text[0].split(",").index("year")
    kept = [",".join(cell for i, cell in enumerate(line.split(",")) if i != place) for line in text]
    (folder / "studies.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(EvidenceError, match=r"No study of liver has a date.*fill in year in studies\.csv"):
        opened(folder, "2020")


def test_before_the_first_study_there_is_nothing(diabetes_file):
    with pytest.raises(CallError, match=r"the first is Johnston \(1994\) \(1994-12-31\)"):
        opened("diabetes", "1993")
    with pytest.raises(CallError, match="name the folder, or build it as of then"):
        opened(diabetes_file, "2000")


def test_what_the_whole_folder_says_is_checked_and_kept_apart_by_its_hash():
    whole, then, later = (read("diabetes", day) for day in (None, date(2000, 1, 1), date(2001, 1, 1)))
    assert len({whole.content_hash, then.content_hash, later.content_hash}) == 3
    plan = [[rows.columns for rows in review.rows if rows.table == "plan"] for review in (whole, then)]
    assert plan[0] == plan[1]  # what is asked is the review's, whatever was known


def test_a_cut_changes_nothing_of_what_it_is_made_from():
    review = read("smoking")
    before = {rows.table: {name: list(cells) for name, cells in rows.columns.items()} for rows in review.rows}
    review.cut(date(1985, 1, 1))
    assert {rows.table: rows.columns for rows in review.rows} == before


def test_views_as_of_a_day_are_those_of_a_folder_without_the_later_studies(physically_cut):
    contrasts = (
        "select study, experiment, treatment_a, treatment_b, measure, estimate, std_error, n_a, n_b "
        "from contrast order by all"
    )
    for name, year in (("smoking", 1984), ("maternal-diet", 1999)):
        with opened(name, str(year)) as cut, evidence.open(physically_cut(name, year)) as smaller:
            assert cut.value("select count(*) from contrast") > 0
            for query in (
                contrasts,
                "select * from pooled order by all",
                "select * from network_edge order by all",
            ):
                assert cut.rows(query) == smaller.rows(query)


@pytest.mark.parametrize(
    "call",
    [
        ["build", "diabetes", "-o", "{tmp}/then.duckdb"],
        [
            "pool",
            "diabetes",
            "--outcome",
            "hba1c",
            "--measure",
            "MD",
            "--treatment",
            "metf",
            "--versus",
            "plac",
        ],
        ["nma", "diabetes", "--outcome", "hba1c", "--measure", "MD"],
        ["sql", "diabetes", "select count(*) from study"],
        ["plot", "diabetes", "forest", "--analysis", "hba1c-metformin", "-o", "{tmp}/forest.json"],
    ],
    ids=lambda call: call[0],
)
def test_commands_say_what_was_known_and_by_what(call, tmp_path):
    given = [word.format(tmp=tmp_path) for word in call]
    done = CliRunner().invoke(cli, [*given, "--as-of", "2000"])
    assert done.exit_code == 0, done.output
    said = "As of 2000-12-31: 9 of 26 studies, each from its year in studies.csv; a year counts from its end."
    assert said in done.stderr


@pytest.mark.slow
def test_a_report_says_in_its_head_what_was_known(tmp_path):
    from analysis import report

    page = report.write("parkinson", tmp_path / "then", as_of="1998", language="de").read_text("utf-8")
    assert '<p class="as-of">Stand 1998-12-31: ' in page
    assert "von 7 Studien, jede datiert durch ihr Jahr in studies.csv" in page
