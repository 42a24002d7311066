"""A search run again gives what is new, names what may be known, and flags what was taken back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, ReviewError
from evidence.importers.references import import_references, read_export
from evidence.importers.retractions import import_retractions
from evidence.living.new_records import new_records
from evidence.living.retraction import said_by

FIRST = """TY  - JOUR
ID  - E1
T1  - Mesenchymal stem cells protect mice from acute liver failure
A1  - Zheng, S.
JO  - Stem Cells
Y1  - 2019/03//
DO  - https://doi.org/10.1002/STEM.0001
ER  -

TY  - JOUR
ID  - E2
TI  - Umbilical cord cells in rats with liver injury
AU  - Wu, Li
PY  - 2020
ER  -
"""
AGAIN = """
PMID- 31000001
DP  - 2019 Mar 4
TI  - RETRACTED: Mesenchymal stem cells protect mice from acute liver failure.
FAU - Zheng, Sheng
JT  - Stem cells
AID - 10.1002/stem.0001 [doi]
PT  - Journal Article
PT  - Retracted Publication
RIN - Stem cells. 2024 Jan;1(1):1. doi: 10.1002/stem.0999. PMID: 38000001

PMID- 38000001
DP  - 2024
TI  - Retraction notice to "Mesenchymal stem cells protect mice from acute liver failure".
FAU - Zheng, Sheng
AID - 10.1002/stem.0999 [doi]
PT  - Retraction of Publication
ROF - Stem cells. 2019 Mar;1(1):1. doi: 10.1002/stem.0001. PMID: 31000001

PMID- 31000002
DP  - 2021
TI  - Umbilical cord cell in rats with liver injury.
FAU - Wu, Li

PMID- 31000003
DP  - 2023
TI  - Amnion cells in pigs with paracetamol poisoning: a controlled experiment.
FAU - Meyer, Ida

PMID- 31000003
DP  - 2023
TI  - Amnion cells in pigs with paracetamol poisoning: a controlled experiment.
FAU - Meyer, Ida

PMID- 31000004
DP  - 2022
TI  - Correction of anaemia in rats with liver injury.
FAU - Roth, Bea
"""
WATCH = """Record ID,Title,RetractionDate,RetractionDOI,RetractionPubMedID,OriginalPaperDOI,OriginalPaperPubMedID,\
RetractionNature,Reason
1,Mesenchymal stem cells,1/23/2024 0:00,10.1002/stem.0999,38000001,https://doi.org/10.1002/STEM.0001,0,Retraction,\
+Concerns/Issues about Data;+Fake;
2,Amnion cells,2/3/2024 0:00,unavailable,0,unavailable,31000003,Correction,+Error in Text;
3,Umbilical cord cells in rats with liver injury,2/3/2024 0:00,unavailable,0,10.1/other,0,Retraction,
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def review(tmp_path) -> Path:
    for name, text in (("first.ris", FIRST), ("again.nbib", AGAIN), ("watch.csv", WATCH)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    import_references(
        tmp_path / "first.ris", tmp_path / "r", database="Embase", date="2020-01-01", query="liver"
    )
    return tmp_path / "r"


@pytest.fixture
def again(review) -> Path:
    return review.with_name("again.nbib")


def test_what_is_new_is_added_with_its_search_and_what_is_known_is_not(review, again):
    found = new_records(again, review, database="PubMed", date="2024-05-03")
    status = {one.found.name.rpartition(":")[2]: one.status for one in found.judged}
    assert [one.status for one in found.judged] == ["known", "new", "unsure", "new", "known", "new"]
    assert status["38000001"] == "new"
    records = rows(review / "records.csv")
    assert [row["record"] for row in records[2:]] == [
        "PubMed 2024-05-03:38000001",
        "PubMed 2024-05-03:#4",
        "PubMed 2024-05-03:31000004",
        "PubMed 2024-05-03:31000002",
    ]
    assert {row["search"] for row in records[2:]} == {"PubMed 2024-05-03"}
    assert rows(review / "searches.csv")[1]["hits"] == "6"


def test_what_is_unsure_is_named_with_its_pair_and_asked_by_duplicates(review, again):
    found = new_records(again, review, database="PubMed", date="2024-05-03")
    (unsure,) = found.of("unsure")
    assert (unsure.found.name, unsure.same_as) == ("PubMed 2024-05-03:31000002", "Embase 2020-01-01:E2")
    assert unsure.evidence.startswith("similar title")
    pairs = review.with_name("pairs.csv")
    assert (
        CliRunner()
        .invoke(cli, ["import", "duplicates", "--into", str(review), "--propose", str(pairs)])
        .exit_code
        == 0
    )
    assert [(row["record"], row["duplicate_of"]) for row in rows(pairs)] == [
        (unsure.found.name, unsure.same_as)
    ]


def test_a_second_run_and_a_dry_run_change_nothing(review, again):
    before = everything(review)
    dry = new_records(again, review, database="PubMed", date="2024-05-03", dry_run=True)
    assert dry.report.added == {"searches.csv": 1, "records.csv": 4}
    assert everything(review) == before
    new_records(
        again, review, database="PubMed", date="2024-05-03", retractions=review.with_name("watch.csv")
    )
    after = everything(review)
    second = new_records(
        again, review, database="PubMed", date="2024-05-03", retractions=review.with_name("watch.csv")
    )
    assert [one.status for one in second.judged] == ["known"] * 6
    assert (everything(review), second.report.added) == (after, {})


def test_retractions_are_flagged_of_what_is_known_and_what_is_new(review, again):
    found = new_records(
        again, review, database="PubMed", date="2024-05-03", retractions=review.with_name("watch.csv")
    )
    assert [str(flag) for flag in found.flags] == [
        "record Embase 2020-01-01:E1 is retracted (RIN)",
        "record PubMed 2024-05-03:38000001 is a notice of retraction about record Embase 2020-01-01:E1 (ROF)",
        "record Embase 2020-01-01:E1 is retracted (watch.csv, 2024-01-23)",
        "record PubMed 2024-05-03:#4 is corrected (watch.csv, 2024-02-03)",
    ]
    assert [
        (row["doi"], row["pmid"], row["nature"], row["reason"]) for row in rows(review / "retractions.csv")
    ] == [
        ("10.1002/stem.0001", "", "retraction", "Concerns/Issues about Data; Fake"),
        ("", "31000003", "correction", "Error in Text"),
    ]


def test_a_search_of_the_review_lends_its_database_and_query(review, again):
    new_records(again, review, search="Embase 2020-01-01", date="2024-05-03")
    assert rows(review / "searches.csv")[1] == {
        "search": "Embase 2024-05-03", "database": "Embase", "date": "2024-05-03", "query": "liver", "hits": "6",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"search": "Embase 2020"}, "no search 'Embase 2020'"),
        ({"search": "Embase 2020-01-01"}, "Say it with --date"),
        ({"date": "2024-05-03"}, "A search has a database"),
    ],
)
def test_a_search_that_is_not_known_is_refused(review, again, given, said):
    before = everything(review)
    with pytest.raises(CallError, match=said):
        new_records(again, review, **given)
    assert everything(review) == before


def test_a_report_of_a_study_is_known_though_it_was_never_a_record(review, again):
    (review / "records.csv").unlink()
    (review / "studies.csv").write_text("study\nZheng 2019\n", encoding="utf-8")
    for name in ("treatments", "outcomes", "arms"):
        CliRunner().invoke(cli, ["new", str(review.with_name("new"))])
        (review / f"{name}.csv").write_bytes(
            (review.with_name("new") / f"{name}.csv").read_bytes().split(b"\n")[0] + b"\n"
        )
    (review / "reports.csv").write_text("study,doi\nZheng 2019,10.1002/stem.0001\n", encoding="utf-8")
    found = new_records(again, review, database="PubMed", date="2024-05-03")
    assert (found.judged[0].status, found.judged[0].same_as) == ("known", "a report of Zheng 2019")
    assert str(found.flags[1]).endswith("about a report of Zheng 2019 (ROF)")


def test_an_export_that_numbers_its_references_as_the_review_does_loses_none(review):
    again = review.with_name("Embase 2020-01-01.ris")
    again.write_text(FIRST.replace("E1", "E2").replace("Mesenchymal stem", "Completely different amnion")
                     .replace("STEM.0001", "x.7").split("\n\n")[0] + "\n", encoding="utf-8")  # fmt: skip
    found = new_records(again, review)
    assert [(one.status, one.found.name) for one in found.judged] == [("new", "Embase 2020-01-01:E2 (2)")]


def test_nothing_is_written_where_the_folder_would_have_an_error(review, again):
    with (review / "records.csv").open("a", encoding="utf-8") as handle:
        handle.write("Embase 2020-01-01:E1,,,,,,\n")
    before = everything(review)
    with pytest.raises(ReviewError):
        new_records(again, review, database="PubMed", date="2024-05-03")
    assert everything(review) == before


TITLES = {
    "RETRACTED: Cells in mice": "retracted",
    "[Retracted] Cells in mice": "retracted",
    "Cells in mice (Retracted article)": "retracted",
    "Retraction: Cells in mice": "retraction",
    'Retraction of "Cells in mice"': "retraction",
    "Author Correction: Cells in mice": "correction",
    "Corrigendum to cells in mice": "correction",
    "Expression of concern: Cells in mice": "expression of concern",
    "Correction of anaemia in mice": None,
    "Retraction of the sternum": None,
    "Retractions in medicine": None,
    "Correction for multiple testing": None,
}


def test_titles_that_say_so_are_told_from_those_of_a_subject(tmp_path):
    file = tmp_path / "t.ris"
    file.write_text("".join(f"TY  - JOUR\nTI  - {title}\nER  -\n\n" for title in TITLES), encoding="utf-8")
    export = read_export(file)
    kinds = [[said.kind for said in said_by(found, export.layout)] for found in export.found]
    assert kinds == [[kind] if kind else [] for kind in TITLES.values()]


def test_the_command_says_what_is_new_and_what_to_do_next(review, again):
    run = CliRunner().invoke
    call = [
        "records",
        "new",
        str(again),
        "--into",
        str(review),
        "--database",
        "PubMed",
        "--date",
        "2024-05-03",
    ]
    document = json.loads(run(cli, [*call, "--dry-run", "--format", "json"]).stdout)
    assert {key: document[key] for key in ("new", "known", "unsure", "references")} == {
        "new": 3, "known": 2, "unsure": 1, "references": 6,
    }  # fmt: skip
    said = run(cli, call).stdout
    assert said.startswith("again.nbib: 6 references: 3 new, 2 known, 1 unsure.\n")
    assert "PubMed 2024-05-03:31000002 may be Embase 2020-01-01:E2: similar title" in said
    assert said.endswith(f"Next: evidence import duplicates --into {review} --propose pairs.csv\n")


def test_a_list_without_identifiers_or_a_nature_is_named(review):
    watch = review.with_name("watch.csv")
    watch.write_text("Title,Reason\nx,y\n", encoding="utf-8")
    with pytest.raises(CallError, match="no column with the DOI or PubMed identifier"):
        import_retractions(watch, review)
    watch.write_text("Article DOI,Nature,Date\n10.1002/stem.0001,Celebration,23/1/2024\n", encoding="utf-8")
    report = import_retractions(watch, review)
    assert "'Celebration' is no nature of a notice" in str(report)
    watch.write_text("Article DOI,Nature,Date\n10.1002/stem.0001,Retraction,23/1/2024\n", encoding="utf-8")
    import_retractions(watch, review)
    assert rows(review / "retractions.csv")[0]["date"] == "2024-01-23"


def test_a_notice_without_an_identifier_is_an_error_of_the_folder(review):
    (review / "retractions.csv").write_text("title,nature\nCells,retraction\n", encoding="utf-8")
    said = CliRunner().invoke(cli, ["check", str(review)])
    assert said.exit_code == 1
    assert "retractions.csv:2" in said.output
    assert "nothing is matched by its title" in said.output
