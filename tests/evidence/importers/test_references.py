"""References become records; what may be the same is proposed; decisions are matched to records."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, EvidenceError, ReviewError
from evidence.importers.duplicates import confirm, propose, write_proposals
from evidence.importers.references import import_references, normal_doi
from evidence.importers.screening import import_screening

NBIB = """
PMID- 31000001
OWN - NLM
DP  - 2019 Mar 4
TI  - Mesenchymal stem cells protect mice from acute
      liver failure.
FAU - Zheng, Sheng
FAU - Yang, Juan
JT  - Stem cells
AID - S0000-1 [pii]
AID - 10.1002/stem.0001 [doi]

PMID- 31000002
DP  - 2020
TI  - Umbilical cord cells in rats: part 1.
FAU - Wu, Li
"""
RIS = """TY  - JOUR
ID  - E1
T1  - Mesenchymal Stem Cells protect mice from acute liver failure
A1  - Zheng, S.
JO  - Stem Cells
Y1  - 2019/03//
DO  - https://doi.org/10.1002/STEM.0001
N1  - RAYYAN-INCLUSION: {"Ana"=>"Included", "Ben"=>"Excluded"} | RAYYAN-EXCLUSION-REASONS: wrong outcome
C9  - kept apart
ER  -

TY  - JOUR
ID  - E2
TI  - Umbilical cord cells in rats: part 2
AU  - Wu, Li
PY  - 2020
ER  -

TY  - JOUR
ID  - E3
TI  - Umbilical cords cells in rats: part 1
AU  - Wu, L.
PY  - 2021
ER  -
"""
BIBTEX = """@article{mueller2001,
  title = {{DNA} repair in the {K{\\"o}ln} model of liver failure},
  author = {M{\\"u}ller, Anna and Roth, Bea},
  journal = {Hepatology}, year = 2001, doi = {10.1000/xyz}
}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "a.nbib").write_text(NBIB, encoding="utf-8")
    (tmp_path / "b.ris").write_text(RIS, encoding="utf-8")
    (tmp_path / "c.bib").write_text(BIBTEX, encoding="utf-8")
    into = tmp_path / "review"
    import_references(tmp_path / "a.nbib", into, database="PubMed", date="2024-05-03", query="liver")
    import_references(tmp_path / "b.ris", into, database="Embase", date="2024-05-03")
    import_references(tmp_path / "c.bib", into)
    return into


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_three_formats_become_records(folder):
    found = {row["record"]: row for row in rows(folder / "records.csv")}
    assert list(found) == [
        "PubMed 2024-05-03:31000001",
        "PubMed 2024-05-03:31000002",
        "Embase 2024-05-03:E1",
        "Embase 2024-05-03:E2",
        "Embase 2024-05-03:E3",
        "c:mueller2001",
    ]
    first = found["PubMed 2024-05-03:31000001"]
    assert first["title"] == "Mesenchymal stem cells protect mice from acute liver failure."
    assert (first["doi"], first["pmid"], first["year"]) == ("10.1002/stem.0001", "31000001", "2019")
    assert first["authors"] == "Zheng, Sheng; Yang, Juan"
    assert found["Embase 2024-05-03:E1"]["doi"] == "10.1002/stem.0001"
    assert found["c:mueller2001"]["title"] == "DNA repair in the Köln model of liver failure"
    assert found["c:mueller2001"]["authors"] == "Müller, Anna; Roth, Bea"
    searches = {row["search"]: row["hits"] for row in rows(folder / "searches.csv")}
    assert searches == {"PubMed 2024-05-03": "2", "Embase 2024-05-03": "3"}


def test_every_tag_is_accounted_for(tmp_path):
    (tmp_path / "b.ris").write_text(RIS, encoding="utf-8")
    report = import_references(tmp_path / "b.ris", tmp_path / "review", dry_run=True)
    became = {item.column: item.became for item in report.mappings}
    assert became["T1"] == "records.csv: title"
    assert became["C9"] == ""
    assert not (tmp_path / "review").exists()


def test_decisions_of_rayyan_are_read(folder):
    found = [(r["reviewer"], r["decision"], r.get("reason", "")) for r in rows(folder / "screening.csv")]
    assert found == [("Ana", "include", ""), ("Ben", "exclude", "wrong outcome")]


def test_importing_twice_adds_nothing(folder, tmp_path):
    before = (folder / "records.csv").read_bytes()
    report = import_references(
        tmp_path / "a.nbib", folder, database="PubMed", date="2024-05-03", query="liver"
    )
    assert len(report.left_out) == 2
    assert (folder / "records.csv").read_bytes() == before


def test_duplicates_are_proposed_and_only_confirmed_ones_marked(folder, tmp_path):
    before = (folder / "records.csv").read_bytes()
    proposals = write_proposals(folder, tmp_path / "duplicates.csv")
    assert [(p.record[-2:], p.duplicate_of[-8:], p.evidence) for p in proposals] == [
        ("E1", "31000001", "same doi"),
        ("E3", "31000002", "similar title (99 %)"),
    ]
    assert (folder / "records.csv").read_bytes() == before
    text = (tmp_path / "duplicates.csv").read_text(encoding="utf-8").splitlines()
    text[1], text[2] = "yes" + text[1], "no" + text[2]
    (tmp_path / "duplicates.csv").write_text("\n".join(text), encoding="utf-8")
    confirm(tmp_path / "duplicates.csv", folder)
    marked = {row["record"]: row["duplicate_of"] for row in rows(folder / "records.csv")}
    assert marked["Embase 2024-05-03:E1"] == "PubMed 2024-05-03:31000001"
    assert marked["Embase 2024-05-03:E3"] == ""


def record(name: str, title: str, year: str = "2020", **cells: str) -> dict[str, str]:
    return {"record": name, "title": title, "year": year, **cells}


@pytest.mark.parametrize(
    ("one", "other", "evidence"),
    [
        ({"pmid": "1"}, {"pmid": "1"}, "same pmid"),
        ({"doi": "10.1000/A"}, {"doi": "doi:10.1000/a"}, "same doi"),
        ({"doi": "10.1000/a"}, {"doi": "10.1000/b"}, "same title, but doi 10.1000/a against 10.1000/b"),
        ({}, {"year": "2021"}, "same title"),
        ({}, {"year": ""}, "same title"),
        ({}, {"year": "2023"}, None),
        ({}, {"title": "Cells in the liver of rats and mice: trial 2"}, None),
        (
            {"doi": "10.1000/a"},
            {"doi": "10.1000/b", "title": "Cells in the livers of rats and mice: trial 1"},
            None,
        ),
    ],
)
def test_what_counts_as_evidence(one, other, evidence):
    title = "Cells in the liver of rats and mice: trial 1"
    pair = [record("a", title) | one, record("b", title) | other]
    assert [p.evidence for p in propose(pair)] == ([evidence] if evidence else [])


def test_thousands_of_records_are_compared_in_seconds():
    import random
    import time

    draw = random.Random(7)
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(300)]
    records = [record(f"r{i}", " ".join(draw.choices(words, k=12)), str(1990 + i % 30)) for i in range(4_000)]
    records += [{**row, "record": f"copy {i}"} for i, row in enumerate(records[:500])]
    start = time.process_time()
    assert len(propose(records)) == 500
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("text", "found"),
    [("https://doi.org/10.1002/ABC.", "10.1002/abc"), ("no doi", ""), ("DOI: 10.1/x", "")],
)
def test_dois(text, found):
    assert normal_doi(text) == found


def test_decisions_are_matched_to_records(folder, tmp_path):
    file = tmp_path / "ana.csv"
    file.write_text(
        "doi,title,asreview_label\n10.1002/STEM.0001,,1\n,umbilical cord cells in rats: Part 2,0\n,Unknown,1\n,x,\n",
        encoding="utf-8",
    )
    with pytest.raises(CallError, match="--reviewer"):
        import_screening(file, folder, stage="title_abstract")
    report = import_screening(file, folder, reviewer="CD", stage="title_abstract")
    found = [(r["record"], r["decision"]) for r in rows(folder / "screening.csv") if r["reviewer"] == "CD"]
    assert found == [("Embase 2024-05-03:E2", "exclude")]
    assert "2 records have the doi" in str(report)
    assert "no record has its key" in str(report)
    file.write_text("record,decision\nEmbase 2024-05-03:E2,include\n", encoding="utf-8")
    with pytest.raises(ReviewError, match="decided exclude on"):
        import_screening(file, folder, reviewer="CD", stage="title_abstract")


def test_the_flow_is_counted_from_what_was_imported(folder, tmp_path):
    import evidence

    write_proposals(folder, tmp_path / "d.csv")
    text = (tmp_path / "d.csv").read_text(encoding="utf-8").replace("\n,", "\nyes,")
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    confirm(tmp_path / "d.csv", folder)
    for reviewer, decisions in (("A", "101"), ("B", "100")):
        names = ("PubMed 2024-05-03:31000001", "PubMed 2024-05-03:31000002", "Embase 2024-05-03:E2")
        lines = [f"{name},{decision}" for name, decision in zip(names, decisions)]
        (tmp_path / "s.csv").write_text("record,included\n" + "\n".join(lines), encoding="utf-8")
        import_screening(tmp_path / "s.csv", folder, reviewer=reviewer, stage="title_abstract")
    with evidence.open(evidence.build(folder, tmp_path / "r.duckdb")) as db:
        flow = dict(db.sql("select box, n from prisma_flow where reason is null").fetchall())
        conflicts = db.sql("select message from audit_screening_conflict").fetchall()
        agreement = db.sql(
            "select n, n_agree, kappa from screening_agreement where reviewer_a = 'A' and reviewer_b = 'B'"
        ).fetchall()
    assert (flow["database_results"], flow["citations_results"], flow["duplicates"]) == (5, 1, 2)
    assert (flow["records_screened"], flow["records_excluded"]) == (3, 1)
    assert len(conflicts) == 1
    # 2 of 3 agree, chance agreement 2/3 * 1/3 + 1/3 * 2/3 = 4/9: kappa = (2/3 - 4/9)/(1 - 4/9) = 2/5
    assert agreement == [(3, 2, pytest.approx(0.4))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ris", b"TY  - JOUR\nTI  - x\n", "cut off"),
        ("a.ris", b"TY  - JOUR\nTI  - x\nTY  - JOUR\nER  - \n", r"a\.ris:1: the reference has no end"),
        ("a.ris", b"TI  - x\nTY  - JOUR\nER  - \n", "stands outside a reference"),
        ("a.ris", "TY  - JOUR\nTI  - é\nER  - \n".encode("latin-1"), "not UTF-8"),
        ("a.txt", b"hello\n", "neither RIS, nbib nor BibTeX"),
        ("a.nbib", b"TI  - x\n", "before the first PMID"),
        ("a.bib", b"@article{a, title={x}\n", "not proper BibTeX"),
        ("a.bib", b"@article{a, title={x}}\n@article{a, title={y}}\n", "not proper BibTeX"),
        ("a.ris", b"", "is empty"),
    ],
)
def test_broken_exports_end_in_an_error_and_leave_nothing(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvidenceError, match=message):
        import_references(tmp_path / name, tmp_path / "review")
    assert not (tmp_path / "review").exists()


def test_the_commands_say_what_they_did(folder, tmp_path):
    output = tmp_path / "proposals.csv"
    result = CliRunner().invoke(
        cli, ["import", "duplicates", "--into", str(folder), "--propose", str(output)], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "2 proposals" in result.output
    result = CliRunner().invoke(cli, ["import", "duplicates", str(output), "--into", str(folder)])
    assert result.exit_code == 0, result.output
    assert "0 records marked" in result.output
