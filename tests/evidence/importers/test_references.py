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
        ("a.ris", "TY  - JOUR\nTI  - é\nER  - \n".encode("latin-1"), "not UTF-8"),
        ("a.txt", b"hello\n", "neither RIS, nbib, BibTeX"),
        ("a.csv", b"a,b,c\n1,2,3\n", "without a column of titles"),
        ("a.nbib", b"TI  - x\n", "before the first PMID"),
        ("a.bib", b"@article{a, title={x}\n", "not proper BibTeX"),
        ("a.ciw", b"FN WoS\nPT J\nTI x\n", "cut off"),
        ("a.xml", b"<?xml version='1.0'?><html/>", "XML of another kind"),
        ("a.ris", b"", "is empty"),
    ],
)
def test_broken_exports_end_in_an_error_and_leave_nothing(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvidenceError, match=message):
        import_references(tmp_path / name, tmp_path / "review")
    assert not (tmp_path / "review").exists()


def read_one(tmp_path: Path, name: str, text: str, **options: str) -> tuple[list[dict[str, str]], str]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    report = import_references(tmp_path / name, tmp_path / "review", **options)
    return rows(tmp_path / "review" / "records.csv"), str(report)


OVID = """1.
TY  - JOUR
DB  - Ovid MEDLINE(R)
AN  - 31000001
T1  - A title
SN  - 0957-9672
ER  -

Link to the Ovid Full Text or citation:
https://ovidsp.ovid.com/x

2.
ID  - before TY
TY  - JOUR
stray
T1  - Another title
N2  - An abstract
VL  - 12
IP  - 3
SP  - 221
EP  - 8
TY  - JOUR
T1  - Not ended above
T1  - And another
ER  -
"""


def test_what_ovid_writes_between_references_is_passed_over_with_a_note(tmp_path):
    found, said = read_one(tmp_path, "ovid.ris", OVID)
    assert [row["title"] for row in found] == ["A title", "Another title", "Not ended above"]
    assert found[0]["pmid"] == "31000001"
    assert found[1]["record"] == "ovid:before TY"
    assert (found[1]["abstract"], found[1]["volume"], found[1]["pages"]) == ("An abstract", "12", "221-8")
    assert "line 1 '1.'" in said
    assert "ended where the next begins" in said
    assert "T1 has several values in 1 reference" in said


@pytest.mark.parametrize(
    "lines",
    [
        "AN  - 31000001\nDB  - PubMed",
        "AN  - 31000001\nDB  - Embase\nMedline",
        "DB  - Scopus\nC2  - 31000001",
        "C5  - 31000001\nDB  - Embase",
        "C3  - PUBMED 31000001,EMBASE 643589775",
        "N1  - Place: London PMID: 31000001 PMCID: PMC1",
        "UR  - https://www.ncbi.nlm.nih.gov/pubmed/31000001",
        "L2  - http://europepmc.org/article/MED/31000001",
        "PM  - 31000001 [http://www.ncbi.nlm.nih.gov/pubmed/?term=31000001]",
        "AN  - 31000001\nID  - 889",
        "ID  - 31000001\nDB  - MEDLINE",
    ],
)
def test_a_pmid_is_found_wherever_it_stands(tmp_path, lines):
    found, _ = read_one(tmp_path, "a.ris", f"TY  - JOUR\nTI  - A title\n{lines}\nER  - \n")
    assert found[0]["pmid"] == "31000001"


@pytest.mark.parametrize(
    "lines",
    [
        "AN  - 2005112233\nDB  - Embase",
        "AN  - 30123456\nDB  - Embase",
        "AN  - WOS:000795478200004",
        "ID  - 889\nDB  - Embase\nMedline",
        "N1  - cites https://pubmed.ncbi.nlm.nih.gov/29761836 and https://pubmed.ncbi.nlm.nih.gov/24272526",
    ],
)
def test_what_is_no_pmid_is_not_taken_for_one(tmp_path, lines):
    found, said = read_one(tmp_path, "a.ris", f"TY  - JOUR\nTI  - A title\n{lines}\nER  - \n")
    assert not found[0].get("pmid")
    assert "records.csv: pmid" not in said


def test_an_accession_number_of_no_database_is_told_of_and_the_remedy_works(tmp_path):
    text = "TY  - JOUR\nTI  - A title\nAN  - 30123456\nER  - \n"
    _, said = read_one(tmp_path, "a.ris", text)
    assert "say with --database whose they are" in said
    (tmp_path / "other").mkdir()
    found, _ = read_one(tmp_path / "other", "a.ris", text, database="Embase")
    assert not found[0].get("pmid")


SCOPUS_BIB = """@ARTICLE{Smith2021, title={One}, funding_details={a}, funding_details={b}, year={2021a}}
@ARTICLE{Smith2021, title={Two}, year={in press}, pubmed_id={31000001}, abstract={5% of {R}ats \\& mice}}
@CONFERENCE{Li, title={A {\\"O}dd way}, author={Li, A. and M{\\"u}ller, B.}, pages={1--9}, url={x%y_z}}
"""


def test_repeated_keys_and_fields_of_bibtex_are_kept_with_a_note(tmp_path):
    found, said = read_one(tmp_path, "scopus.bib", SCOPUS_BIB)
    assert [row["title"] for row in found] == ["One", "Two", "A Ödd way"]
    assert [row["record"] for row in found] == ["scopus:#1", "scopus:#2", "scopus:Li"]
    assert [row["year"] for row in found] == ["2021", "", ""]
    assert (found[1]["pmid"], found[1]["abstract"]) == ("31000001", "5% of Rats & mice")
    assert (found[2]["authors"], found[2]["pages"], found[2]["url"]) == ("Li, A.; Müller, B.", "1-9", "x%y_z")
    assert found[2]["type"] == "conference paper"
    for part in (
        "'Smith2021' (line 2) stands for several",
        "'funding_details' (line 1) is given twice",
        "'in press'",
    ):
        assert part in said


WOS = """\ufeffFN Clarivate Analytics Web of Science
VR 1.0
PT J
AU Li, A
   Wu, B
AF Li, An
   Wu, Bo
TI A title on
   two lines
SO JOURNAL OF X
VL 3
BP 7
EP 12
DI 10.1000/x
EA JAN 2021
UT WOS:1
PM 31000001
ER

EF
"""
ENDNOTE_XML = """<?xml version="1.0" encoding="UTF-8"?><xml><records><record><database name="x">x</database>
<ref-type name="Journal Article">17</ref-type><contributors><authors><author><style>Li, A.</style></author>
<author>Wu, B.</author></authors></contributors><titles><title><style>A </style><style>title&#x2;</style></title>
<secondary-title>J</secondary-title></titles><dates><year>2020</year></dates><volume>3</volume>
<accession-num>31000001</accession-num><remote-database-name>PubMed</remote-database-name>
<electronic-resource-num>doi:10.1000/X</electronic-resource-num></record></records></xml>"""
ENDNOTE = "%0 Journal Article\n%A Li, A.\n%A Wu, B.\n%T A title\n%J J\n%D 2020\n%R 10.1000/x\n%U y\n"


def test_web_of_science_endnote_xml_and_endnote_export_are_read(tmp_path):
    found, _ = read_one(tmp_path, "a.ciw", WOS)
    assert found[0] | {"search": ""} == found[0] | {
        "search": "", "title": "A title on two lines", "authors": "Li, An; Wu, Bo", "year": "2021",
        "pages": "7-12", "pmid": "31000001", "doi": "10.1000/x", "record": "a:WOS:1", "volume": "3",
    }  # fmt: skip
    found, said = read_one(tmp_path, "b.xml", ENDNOTE_XML)
    assert found[1] | {
        "title": "A title", "authors": "Li, A.; Wu, B.", "journal": "J", "year": "2020", "volume": "3",
        "pmid": "31000001", "doi": "10.1000/x", "type": "journal article",
    } == found[1]  # fmt: skip
    assert "control characters" in said
    found, _ = read_one(tmp_path, "c.enw", ENDNOTE)
    assert (found[2]["title"], found[2]["authors"], found[2]["doi"]) == (
        "A title", "Li, A.; Wu, B.", "10.1000/x",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Authors,Title,Year,Source title,Volume,Page start,Page end,DOI,PubMed ID,Source,EID\n"
            '"Li A.B., Wu C.",T,2020,J,3,7,12,10.1000/x,31000001,Scopus,2-s\n',
            {"journal": "J", "pages": "7-12", "pmid": "31000001", "authors": "Li A.B.; Wu C."},
        ),
        (
            "PMID,Title,Authors,Citation,Journal/Book,Publication Year,DOI\n"
            '31000001,T,"Li AB, Wu C.","J. 2020 Feb;63(2):103640. doi: 10.1.",J,2020,10.1000/x\n',
            {"volume": "63", "issue": "2", "pages": "103640", "authors": "Li AB; Wu C"},
        ),
        (
            "Key,Item Type,Publication Year,Author,Title,Publication Title,DOI,Extra\n"
            'AB1,journalArticle,2020,"Li, A.; Wu, B.",T,J,10.1000/x,Place: UK PMID: 31000001\n',
            {"record": "a:AB1", "pmid": "31000001", "type": "journal article", "authors": "Li, A.; Wu, B."},
        ),
        (
            "SEARCH QUERY,x\n-----\n\nTitle,Author Names,Source title,Publication Year,Medline PMID\n"
            '"T","Li A.B., Wu C.",J,2020,31000001\n',
            {"pmid": "31000001", "journal": "J", "year": "2020"},
        ),
    ],
    ids=["scopus", "pubmed", "zotero", "embase"],
)
def test_tables_of_databases_are_read(tmp_path, text, expected):
    found, _ = read_one(tmp_path, "a.csv", text)
    assert {name: found[0][name] for name in expected} == expected


def test_labels_of_asreview_and_decisions_of_rayyan_are_read_from_tables_and_ris(tmp_path):
    read_one(
        tmp_path,
        "asreview.csv",
        "record_id,title,asreview_label\n0,First,1\n1,Second,0\n2,Third,\n",
    )
    read_one(tmp_path, "b.ris", "TY  - JOUR\nTI  - Fourth\nN1  - ASReview_relevant\nER  - \n")
    note = '"RAYYAN-INCLUSION: {""Ana""=>""Excluded""} | RAYYAN-EXCLUSION-REASONS: wrong design"'
    read_one(tmp_path, "c.csv", f"key,title,notes\nrayyan-1,Fifth,{note}\n")
    found = rows(tmp_path / "review" / "screening.csv")
    assert [(row["record"], row["reviewer"], row["decision"], row.get("reason", "")) for row in found] == [
        ("asreview:0", "ASReview", "include", ""),
        ("asreview:1", "ASReview", "exclude", ""),
        ("b:#1", "ASReview", "include", ""),
        ("c:rayyan-1", "Ana", "exclude", "wrong design"),
    ]


def test_a_column_of_decisions_that_names_no_reviewer_is_credited_to_nobody(tmp_path):
    _, said = read_one(tmp_path, "a.csv", "title,included\nAlpha trial,1\nBeta trial,0\n")
    found = rows(tmp_path / "review" / "screening.csv")
    assert [(row["reviewer"], row["decision"]) for row in found] == [
        ("column included", "include"),
        ("column included", "exclude"),
    ]
    assert "whose they are it does not say" in said


def test_records_alone_are_built_and_go_out_as_ris_bibtex_and_csv_without_duplicates(folder, tmp_path):
    import evidence
    from evidence.export import export

    write_proposals(folder, tmp_path / "d.csv")
    text = (tmp_path / "d.csv").read_text(encoding="utf-8").replace("\n,", "\nyes,")
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    confirm(tmp_path / "d.csv", folder)
    assert not (folder / "arms.csv").exists()
    file = evidence.build(folder, tmp_path / "r.duckdb")
    export(file, tmp_path / "out", ["ris", "bibtex", "references", "csv"])
    kept = [row for row in rows(folder / "records.csv") if not row["duplicate_of"]]
    assert len(kept) == 4
    for name in ("references.ris", "references.bib", "references.csv"):
        import_references(tmp_path / "out" / name, tmp_path / name)
        back = rows(tmp_path / name / "records.csv")
        for before, after in zip(kept, back, strict=True):
            for column in ("title", "authors", "year", "journal", "doi", "pmid"):
                assert after.get(column, "") == before[column], (name, column)


def test_a_file_in_another_encoding_is_read_as_said(tmp_path):
    text = "TY  - JOUR\nTI  - Café\nER  - \n"
    (tmp_path / "a.ris").write_bytes(text.encode("latin-1"))
    import_references(tmp_path / "a.ris", tmp_path / "review", encoding="latin-1")
    (tmp_path / "b.ris").write_bytes(text.encode("utf-16"))
    import_references(tmp_path / "b.ris", tmp_path / "review")
    assert [row["title"] for row in rows(tmp_path / "review" / "records.csv")] == ["Café", "Café"]


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


# --- exports of programs, by their own columns and tags -----------------------------------------------------------

COVIDENCE = (
    "Title,Authors,Abstract,Published Year,Published Month,Journal,Volume,Issue,Pages,Accession Number,DOI,Ref,"
    "Covidence #,Study,Notes,Tags\n"
    '"Cells, and mice","Zheng, Sheng; Yang, Juan",They lived.,2019,3,Stem cells,37,4,501-9,31000001,'
    "10.1002/stem.0001,17,#204,Zheng 2019,Exclusion reason: Wrong study design; ,Ongoing study\n"
    'Cords in rats,"Wu, Li",,2020,,Liver,,,,rayyan-12,,18,#205,Wu 2020,,\n'
)
LENS = (
    "Lens ID,Title,Date Published,Publication Year,Publication Type,Source Title,ISSNs,Publisher,Source Country,"
    "Author/s,Abstract,Volume,Issue Number,Start Page,End Page,Fields of Study,Keywords,MeSH Terms,Chemicals,Funding,"
    "Source URLs,External URL,PMID,DOI,Microsoft Academic ID,PMCID,Citing Patents Count,References,"
    "Citing Works Count,Is Open Access,Open Access License,Open Access Colour\n"
    "000-001-002-003-00X,Cells and mice,2019-03-04,2019,journal article,Stem cells,10665099,Wiley,United Kingdom,"
    "Sheng Zheng; Juan Yang,They lived.,37,4,501,509,Medicine,stem cells; liver,Mice,,,"
    "https://pubmed.ncbi.nlm.nih.gov/31000001,https://doi.org/10.1002/stem.0001,31000001,10.1002/STEM.0001,2901,"
    "PMC6430000,0,,12,true,cc-by,gold\n"
)
REFWORKS = """Refworks Export Tagged Format

Character Set=utf-8

Tag legend
*****
RT=Reference Type
T1=Primary Title

*****

RT Journal Article
SR Electronic(1)
ID 271
A1 Zheng,Sheng
A1 Yang,Juan
T1 Cells and mice
JF Stem cells
JO Stem Cells
YR 2019
FD Mar
VO 37
IS 4
SP 501
OP 509
K1 stem cells
K1 liver
AB They lived.
IN THIS TRIAL it goes on.
NO PO: Human
AN 31000001
DB PubMed
DO 10.1002/stem.0001
LK https://doi.org/10.1002/stem.0001
OL English (30)

RT Dissertation
SR Print(0)
ID 272
A1 Wu,Li
T1 Cords in rats
YR 2020
"""
EXPECTED = {
    "authors": ("Zheng, Sheng; Yang, Juan", "Sheng Zheng; Juan Yang", "Zheng,Sheng; Yang,Juan"),
    "year": ("2019",), "journal": ("Stem cells",), "volume": ("37",), "issue": ("4",), "pages": ("501-9", "501-509"),
    "doi": ("10.1002/stem.0001",), "pmid": ("31000001",),
    "abstract": ("They lived.", "They lived. IN THIS TRIAL it goes on."),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "key", "others"),
    [
        ("review_1_excluded_csv.csv", COVIDENCE, "#204", 1),
        ("lens-export.csv", LENS, "000-001-002-003-00X", 0),
        ("refworks.txt", REFWORKS, "271", 1),
    ],
)
def test_exports_of_covidence_lens_and_refworks_keep_what_they_hold(tmp_path, name, text, key, others):
    (tmp_path / name).write_text(text, encoding="utf-8")
    report = import_references(tmp_path / name, tmp_path / "review", database="PubMed")
    found = rows(tmp_path / "review" / "records.csv")
    assert len(found) == 1 + others
    assert found[0]["record"] == f"PubMed:{key}"
    assert found[0]["title"] in ("Cells, and mice", "Cells and mice")
    for column, values in EXPECTED.items():
        assert found[0][column] in values, (column, found[0][column])
    assert not report.left_out
    # Every column or tag is accounted for: kept, or said why not.
    assert all(item.became or item.note for item in report.mappings)


def test_the_reason_of_exclusion_of_covidence_is_a_decision_at_full_text(tmp_path):
    (tmp_path / "c.csv").write_text(COVIDENCE, encoding="utf-8")
    import_references(tmp_path / "c.csv", tmp_path / "review")
    decided = [tuple(row.values()) for row in rows(tmp_path / "review" / "screening.csv")]
    assert decided == [("c:#204", "full_text", "Covidence", "exclude", "Wrong study design")]


def test_the_ris_of_refworks_is_read_by_its_habits(tmp_path):
    """ID from 1, Y2 beside Y1, authors without a blank behind the comma, the link as a further DOI."""
    (tmp_path / "rw.ris").write_text(
        "TY  - JOUR\nID  - 271\nT1  - Cells and mice\nA1  - Zheng,Sheng\nA1  - Yang,Juan\nY1  - 2019///Mar\n"
        "JF  - Stem cells\nJA  - Stem Cells\nVL  - 37\nIS  - 4\nSP  - 501\nEP  - 509\nN2  - They lived.\n"
        "U2  - 31000001\nUR  - https://doi.org/10.1002/stem.0001\nDO  - 10.1002/stem.0001\nAN  - 31000001\n"
        "M1  - Journal Article\nER  - \n",
        encoding="utf-8",
    )
    import_references(tmp_path / "rw.ris", tmp_path / "review", database="PubMed")
    (found,) = rows(tmp_path / "review" / "records.csv")
    for column, values in EXPECTED.items():
        assert found[column] in values, (column, found[column])
