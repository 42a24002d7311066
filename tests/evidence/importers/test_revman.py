"""Reviews of RevMan Web and RevMan 5: every row comes over, and their pooled results are met by ours.

The pooled results in the fixtures are metafor 3.8.1's on the first five studies of dat.bcg and dat.normand1999
(rma.mh without correction, rma.peto, rma with DL, FE, and REML with Knapp-Hartung).
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import EvidenceError
from evidence.importers.revman import import_revman, read_revman

BCG = [
    ("Aronson", "1948", 4, 123, 11, 139),
    ("Ferguson", "1949", 6, 306, 29, 303),
    ("Rosenthal", "1960", 3, 231, 11, 220),
    ("Hart", "1977", 62, 13598, 248, 12867),
    ("Frimodt", "1973", 33, 5069, 47, 5808),
]
STROKE = [
    ("Edinburgh", "", 55, 47, 155, 75, 64, 156),
    ("Mild", "", 27, 7, 31, 29, 4, 32),
    ("Moderate", "", 64, 17, 75, 119, 29, 71),
    ("Severe", "", 66, 20, 18, 137, 48, 18),
    ("Home", "", 14, 8, 8, 18, 11, 13),
]
HAZARD = [("Aronson", -0.5, 0.2), ("Hart", -0.2, 0.25), ("Mild", 0.1, 0.3)]
MH = (0.3110253560, 0.2513632122, 0.3848485673)
DL = (0.3443868664, 0.1759378877, 0.6741146849)
PETO = (0.3397464570, 0.2821897117, 0.4090427478)
MD = (-8.9388693627, -11.4014739300, -6.4762647953)
HR = (0.7755242130, 0.3727409217, 1.6135545359)


def _outcome(tag, number, name, measure, method, random, pooled, rows, labels=("BCG", "no vaccine")):
    values = zip(("EFFECT_SIZE", "CI_START", "CI_END"), pooled)
    attributes = " ".join(f'{key}="{value}"' for key, value in values)
    return (
        f'<{tag}_OUTCOME ID="CMP-001.0{number}" NO="{number}" EFFECT_MEASURE="{measure}" METHOD="{method}"'
        f' RANDOM="{random}" TOTALS="YES" ESTIMABLE="YES" SWAP_EVENTS="NO" {attributes}><NAME>{name}</NAME>'
        f"<GROUP_LABEL_1>{labels[0]}</GROUP_LABEL_1><GROUP_LABEL_2>{labels[1]}</GROUP_LABEL_2>"
        f"{''.join(rows)}</{tag}_OUTCOME>"
    )


@pytest.fixture
def rm5(tmp_path) -> Path:
    names = [row[:2] for row in BCG + STROKE]
    studies = "".join(f'<STUDY ID="STD-{name}" NAME="{name}" YEAR="{year}"/>' for name, year in names)
    events = [
        f'<DICH_DATA STUDY_ID="STD-{s}" EVENTS_1="{a}" TOTAL_1="{n}" EVENTS_2="{c}" TOTAL_2="{m}" SE="0.1">'
        "<FOOTNOTE>1</FOOTNOTE></DICH_DATA>"
        for s, _, a, n, c, m in BCG
    ]
    means = [
        f'<CONT_DATA STUDY_ID="STD-{s}" MEAN_1="{m1}" SD_1="{s1}" TOTAL_1="{n1}" MEAN_2="{m2}" SD_2="{s2}"'
        f' TOTAL_2="{n2}"/>'
        for s, _, m1, s1, n1, m2, s2, n2 in STROKE
    ]
    none = '<CONT_DATA STUDY_ID="STD-Hart" MEAN_1="0" SD_1="0" TOTAL_1="0" MEAN_2="0" SD_2="0" TOTAL_2="0"/>'
    groups = (
        f'<CONT_SUBGROUP NO="1"><NAME>hospital</NAME>{"".join(means[:4])}{none}</CONT_SUBGROUP>'
        f'<CONT_SUBGROUP NO="2"><NAME>home</NAME>{means[4]}</CONT_SUBGROUP>'
    )
    hazards = [f'<IV_DATA STUDY_ID="STD-{s}" ESTIMATE="{e}" SE="{se}"/>' for s, e, se in HAZARD]
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><COCHRANE_REVIEW><STUDIES_AND_REFERENCES><STUDIES>'
        f"<INCLUDED_STUDIES>{studies}</INCLUDED_STUDIES></STUDIES></STUDIES_AND_REFERENCES>"
        '<ANALYSES_AND_DATA><COMPARISON ID="CMP-001" NO="1"><NAME>Vaccine</NAME>'
        + _outcome("DICH", 1, "TB, common", "RR", "MH", "NO", MH, events)
        + _outcome("DICH", 2, "TB, random", "RR", "IV", "YES", DL, events)
        + _outcome("DICH", 3, "TB, Peto", "PETO_OR", "PETO", "NO", PETO, events)
        + "</COMPARISON>"
        + '<COMPARISON ID="CMP-002" NO="2"><NAME>Care</NAME>'
        + _outcome("CONT", 1, "Days", "MD", "IV", "NO", MD, [groups], ("care", "usual"))
        + _outcome("IV", 2, "Death", "HAZARD_RATIO", "IV", "NO", (0.7, 0.5, 1), hazards)
        + "</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"
    )
    (tmp_path / "review.rm5").write_text(text, encoding="utf-8")
    return tmp_path / "review.rm5"


def _csv(header: list[str], rows: list[dict[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, restval="", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


@pytest.fixture
def package(tmp_path) -> Path:
    """A data package: a dichotomous and a continuous analysis, and hazard ratios pooled by REML and HKSJ."""
    sides = [
        f"{side} {what}" for side in ("Experimental", "Control") for what in ("mean", "SD", "cases", "N")
    ]
    data = [
        "Analysis group",
        "Analysis number",
        "Analysis name",
        "Subgroup",
        "Study",
        "Study year",
        "GIV Mean",
        "GIV SE",
    ]
    data += [*sides, "O-E", "Variance", "Weight", "Mean", "CI start", "CI end", "Footnotes"]
    rows: list[dict[str, object]] = []
    for number, estimate in ((1, BCG), (2, STROKE)):
        for row in estimate:
            one = {"Analysis group": 1, "Analysis number": number, "Study": row[0], "Study year": row[1]}
            names = ("cases", "N") if number == 1 else ("mean", "SD", "N")
            columns = [f"{side} {name}" for side in ("Experimental", "Control") for name in names]
            rows.append(one | dict(zip(columns, row[2:])))
    for study, estimate, error in HAZARD:
        one = {"Analysis group": 1, "Analysis number": 3, "Study": study}
        rows.append(one | {"GIV Mean": estimate, "GIV SE": error})
    settings = [
        ("1", "TB", "Dichotomous", "Mantel-Haenszel", "Risk Ratio", "Fixed effect", "", "Wald", MH),
        ("2", "Days", "Continuous", "Inverse variance", "Mean Difference", "Fixed effect", "", "Wald", MD),
        (
            "3",
            "Death",
            "Contrast level",
            "Inverse variance",
            "Hazard Ratio",
            "Random effect",
            "REML",
            "HKSJ",
            HR,
        ),
    ]
    names = "Analysis number,Analysis name,Data type,Statistical method,Effect measure,Analysis model"
    header = [*names.split(","), "Heterogeneity estimator", "CI method", "Mean", "CI start", "CI end"]
    overall = [
        dict(zip(header, (*item[:8], *item[8])))
        | {"Analysis group": 1, "Experimental group label": "BCG", "Control group label": "no vaccine"}
        for item in settings
    ]
    labels = ["Analysis group", "Experimental group label", "Control group label", *header]
    domain = "Domain (judgement): Bias arising from the randomization process: All outcomes"
    rob = _csv(
        ["Study", domain, "Domain (judgement): Blinding (performance bias and detection bias)"],
        [
            {
                "Study": "Aronson",
                domain: "Low risk of bias",
                "Domain (judgement): Blinding (performance bias and detection bias)": "High risk",
            }
        ],
    )
    file = tmp_path / "CD1.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("CD1-analysis-data/CD1-data-rows.csv", "\ufeff" + _csv(data, rows))
        archive.writestr("CD1-analysis-data/CD1-overall-estimates-and-settings.csv", _csv(labels, overall))
        archive.writestr("CD1-study-data/CD1-risk-of-bias.csv", rob)
    return file


def measurements(folder: Path) -> list[dict[str, str]]:
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_revman_5(rm5, tmp_path):
    report, analyses = import_revman(rm5, tmp_path / "review")
    assert [a.outcome for a in analyses][:2] == ["1.1 TB, common", "1.2 TB, random"]
    found = measurements(tmp_path / "review")
    assert len(found) == 3 * 10 + 10
    assert (found[0]["arm"], found[0]["events"], found[0]["n"]) == ("BCG", "4", "123")
    assert "no numbers" in str(report)
    assert report.added["contrasts.csv"] == 3


@pytest.mark.parametrize(("source", "met"), [("rm5", 4), ("package", 3)])
def test_their_pooled_results_are_ours(request, source, met, tmp_path):
    file = request.getfixturevalue(source)
    result = CliRunner().invoke(cli, ["import", "revman", str(file), "--into", str(tmp_path / "review")])
    assert result.exit_code == 0, result.output
    lines = [
        re.split(r"  +", line.strip()) for line in result.output.splitlines() if re.match(r" *\d\.\d ", line)
    ]
    printed = {line[0]: line[5:] for line in lines}
    for item in read_revman(file)[0][:met]:
        theirs, their_interval, ours, our_interval, difference = printed[item.outcome]
        assert theirs == ours
        assert their_interval == our_interval
        assert abs(float(difference)) < 1e-6
    if source == "rm5":
        # The last one is made up: what differs is shown and named, not hidden.
        assert abs(float(printed["2.2 Death"][-1])) > 0.01
        assert "4 of 5 analyses agree" in result.output
        assert "not so: 2.2 Death: RevMan has 0.7, ours is" in result.output


WHOLE = """<?xml version="1.0" encoding="ISO-8859-1"?><COCHRANE_REVIEW><COVER_SHEET><TITLE>A review</TITLE>
</COVER_SHEET><STUDIES_AND_REFERENCES><STUDIES><INCLUDED_STUDIES>
<STUDY ID="A" NAME="Adams 2001" YEAR="2001"><REFERENCE TYPE="JOURNAL_ARTICLE"><AU>Adams A</AU><TI>A title</TI>
<SO>J</SO><YR>2001</YR><IDENTIFIERS><IDENTIFIER TYPE="DOI" VALUE="10.1000/X"/></IDENTIFIERS></REFERENCE></STUDY>
<STUDY ID="B" NAME="Brown 2002" YEAR="2002"/></INCLUDED_STUDIES><EXCLUDED_STUDIES>
<STUDY ID="X" NAME="Xu 1999" YEAR="1999"><REFERENCE TYPE="JOURNAL_ARTICLE"><AU>Xu X</AU><TI>Not random</TI><SO>J</SO>
<YR>1999</YR></REFERENCE><REFERENCE TYPE="JOURNAL_ARTICLE"><TI>Again</TI></REFERENCE></STUDY>
<STUDY ID="Y" NAME="Yi 1998" YEAR="1998"/></EXCLUDED_STUDIES><ONGOING_STUDIES><STUDY ID="Z" NAME="Zuse" YEAR="2030"/>
</ONGOING_STUDIES></STUDIES></STUDIES_AND_REFERENCES><SOF_TABLES><SOF_TABLE ID="SOF-01"><TITLE>Drug for men</TITLE>
<TABLE><TR><TD><P>Death</P></TD></TR></TABLE></SOF_TABLE></SOF_TABLES>
<CHARACTERISTICS_OF_STUDIES><CHARACTERISTICS_OF_INCLUDED_STUDIES><INCLUDED_CHAR STUDY_ID="A"><CHAR_METHODS><P>Open
study</P></CHAR_METHODS><CHAR_PARTICIPANTS><P>20 men</P></CHAR_PARTICIPANTS></INCLUDED_CHAR>
<FOOTNOTES><P>F: Fahrenheit</P></FOOTNOTES></CHARACTERISTICS_OF_INCLUDED_STUDIES><CHARACTERISTICS_OF_EXCLUDED_STUDIES>
<EXCLUDED_CHAR STUDY_ID="X"><CHAR_REASON_FOR_EXCLUSION><P>Not randomised</P></CHAR_REASON_FOR_EXCLUSION></EXCLUDED_CHAR>
</CHARACTERISTICS_OF_EXCLUDED_STUDIES></CHARACTERISTICS_OF_STUDIES>
<QUALITY_ITEMS><QUALITY_ITEM LEVEL="STUDY"><NAME>Allocation concealment (selection bias)</NAME><QUALITY_ITEM_DATA>
<QUALITY_ITEM_DATA_ENTRY RESULT="YES" STUDY_ID="A"><DESCRIPTION><P>Sealed envelopes</P></DESCRIPTION>
</QUALITY_ITEM_DATA_ENTRY><QUALITY_ITEM_DATA_ENTRY RESULT="NO" STUDY_ID="B"><DESCRIPTION/></QUALITY_ITEM_DATA_ENTRY>
</QUALITY_ITEM_DATA></QUALITY_ITEM></QUALITY_ITEMS><ANALYSES_AND_DATA><COMPARISON NO="1"><NAME>C</NAME>
<DICH_OUTCOME ID="CMP-001.01" NO="1" EFFECT_MEASURE="RR" METHOD="MH" RANDOM="NO" TOTALS="YES" ESTIMABLE="YES"
EFFECT_SIZE="0.5" CI_START="0.2" CI_END="1.2"><NAME>Death</NAME><GROUP_LABEL_1>Drug</GROUP_LABEL_1>
<GROUP_LABEL_2>Placebo</GROUP_LABEL_2><DICH_DATA STUDY_ID="A" EVENTS_1="5" TOTAL_1="50" EVENTS_2="10" TOTAL_2="50">
<FOOTNOTE>at one year</FOOTNOTE></DICH_DATA></DICH_OUTCOME>
<DICH_OUTCOME ID="CMP-001.02" NO="2" EFFECT_MEASURE="RR" METHOD="MH" RANDOM="NO" TOTALS="YES" ESTIMABLE="YES"
EFFECT_SIZE="0.14285714" CI_START="0.00785" CI_END="2.6"><NAME>Relapse</NAME><GROUP_LABEL_1>Drug</GROUP_LABEL_1>
<GROUP_LABEL_2>Placebo</GROUP_LABEL_2><DICH_DATA STUDY_ID="A" EVENTS_1="0" TOTAL_1="20" EVENTS_2="3" TOTAL_2="20"/>
</DICH_OUTCOME><DICH_OUTCOME ID="CMP-001.03" NO="3" EFFECT_MEASURE="RR" METHOD="MH" TOTALS="YES" ESTIMABLE="NO">
<NAME>Harms</NAME><GROUP_LABEL_1>Drug</GROUP_LABEL_1><GROUP_LABEL_2>Placebo</GROUP_LABEL_2></DICH_OUTCOME>
</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"""


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_one_empty_analysis_stops_nothing_and_the_review_comes_over_whole(tmp_path):
    (tmp_path / "a.rm5").write_text(WHOLE, encoding="latin-1")
    into = tmp_path / "review"
    dry = CliRunner().invoke(
        cli, ["import", "revman", str(tmp_path / "a.rm5"), "--into", str(into), "--dry-run"]
    )
    run = CliRunner().invoke(cli, ["import", "revman", str(tmp_path / "a.rm5"), "--into", str(into)])
    assert (dry.exit_code, run.exit_code) == (0, 0), run.output
    assert "2 of 3 analyses agree with RevMan's own result" in run.output
    assert "not so: 1.3 Harms: RevMan did not pool it" in run.output
    assert "analysis '1.3 Harms' has no study" in run.output
    study = rows_of(into / "studies.csv")
    assert (study[0]["methods"], study[0]["participants"]) == ("Open study", "20 men")
    # A study without a result is a study of the review all the same.
    assert [row["study"] for row in study] == ["Adams 2001", "Brown 2002"]
    report = rows_of(into / "reports.csv")[0]
    assert (report["title"], report["doi"], report["year"]) == ("A title", "10.1000/x", "2001")
    assert rows_of(into / "measurements.csv")[0]["note"] == "at one year"
    judged = rows_of(into / "risk_of_bias.csv")
    assert [(row["tool"], row["item"], row["judgement"], row["support"]) for row in judged] == [
        ("RoB 1", "2", "low", "Sealed envelopes"), ("RoB 1", "2", "high", ""),
    ]  # fmt: skip
    protocol = tomllib.loads((into / "review.toml").read_text(encoding="utf-8"))
    assert protocol["title"] == "A review"
    assert "F: Fahrenheit" in protocol["source"]
    planned = protocol["protocol"]["analysis"]
    # Without an event under one treatment, RevMan adds halves.
    assert [(p["outcome"], p["measure"], p.get("method"), p["treatment"]) for p in planned] == [
        ("1.1 Death", "RR", "MH", "Drug"), ("1.2 Relapse", "RR", None, "Drug"),
    ]  # fmt: skip


def test_studies_that_a_review_lists_and_does_not_include_keep_their_reasons_and_make_no_flow(tmp_path):
    (tmp_path / "a.rm5").write_text(WHOLE, encoding="latin-1")
    report, _ = import_revman(tmp_path / "a.rm5", tmp_path / "review")
    assert "the table of findings 'Drug for men' is not kept" in str(report)
    with evidence.open(tmp_path / "review") as db:
        found = db.rows(
            "select title, year, decision, reason from record inner join screening using (record) order by record"
        )
        assert [tuple(row.values()) for row in found] == [
            ("Not random", 1999, "exclude", "Not randomised"), ("Again", None, "exclude", "Not randomised"),
            ("Yi 1998", None, "exclude", None), ("Zuse", None, "unclear", "ongoing"),
        ]  # fmt: skip
        # Nobody knows how many records there were: the list says nothing of that.
        assert {row["box"] for row in db.rows("from prisma_flow")} == {"total_studies"}


def test_a_package_has_the_studies_that_were_not_included_as_ris(package, tmp_path):
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("CD1-excluded.ris", "TY  - JOUR\nTI  - Not random\nPY  - 1999\nNS  - Xu 1999\nER  - \n")
    import_revman(other, tmp_path / "review")
    assert [(row["record"], row["title"]) for row in rows_of(tmp_path / "review" / "records.csv")] == [
        ("listed Xu 1999", "Not random")
    ]
    decided = rows_of(tmp_path / "review" / "screening.csv")
    assert [(row["stage"], row["decision"]) for row in decided] == [("listed", "exclude")]


def test_the_plan_that_comes_of_it_is_carried_out_by_the_review_s_own_method(tmp_path):
    (tmp_path / "a.rm5").write_text(WHOLE, encoding="latin-1")
    import_revman(tmp_path / "a.rm5", tmp_path / "review")
    file = tmp_path / "r.duckdb"
    for command in (["build", str(tmp_path / "review"), "-o", str(file)], ["analyse", str(file)]):
        assert CliRunner().invoke(cli, command).exit_code == 0
    with evidence.open(file) as db:
        found = db.rows(
            "select outcome, exp(estimate) as rr from result_estimate inner join result_run using (run_id)"
            " where result_estimate.model = 'common'"
        )
    # 5/50 against 10/50, and (0 + 1/2)/21 against (3 + 1/2)/21.
    assert {row["outcome"]: row["rr"] for row in found} == {
        "1.1 Death": pytest.approx(0.5), "1.2 Relapse": pytest.approx(1 / 7),
    }  # fmt: skip


def test_the_zip_as_downloaded_holds_the_package_within(package, tmp_path):
    outer = tmp_path / "CD1-downloaded.zip"
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("CD1/CD1-article.pdf", "%PDF")
        archive.write(package, "CD1/CD1-files/CD1-data.zip")
    inner, _ = import_revman(package, tmp_path / "inner")
    whole, analyses = import_revman(outer, tmp_path / "outer")
    assert len(analyses) == 3
    assert inner.added == whole.added
    for name in ("studies.csv", "arms.csv", "contrasts.csv"):
        assert len(rows_of(tmp_path / "inner" / name)) == len(rows_of(tmp_path / "outer" / name))


EXPORT = """Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Statistical Method,Effect Measure,Analysis Model,Events 1,Mean 1,SD 1,Total 1,Events 2,Mean 2,SD 2,Total 2,Effect Estimate,SE,CI Start,CI End,Weight,df,Group Label 1,Group Label 2,Year of study
1,0,0,Vaccine,,,,,,,,,,,,,,,,,,,,,
1,1,0,TB,DIC,MH,RR,Fixed,,,,,,,,,{0},,{1},{2},100,4,BCG,none,
1,1,1,north,,,,,,,,,,,,,0.3,,0.2,0.4,60,2,,,
{3}
"""


def test_the_csv_of_revman_5(tmp_path):
    rows = [f"1,1,1,{s},,,,,{a},0,0,{n},{c},0,0,{m},1,0.1,1,1,20,,,,{year}" for s, year, a, n, c, m in BCG]
    (tmp_path / "a.csv").write_text(EXPORT.format(*MH, "\n".join(rows)), encoding="utf-8")
    into = tmp_path / "review"
    run = CliRunner().invoke(cli, ["import", "revman", str(tmp_path / "a.csv"), "--into", str(into)])
    assert run.exit_code == 0, run.output
    assert "1 of 1 analyses agree" in run.output
    found = rows_of(into / "measurements.csv")
    assert (len(found), found[0]["subgroup"], found[0]["events"]) == (10, "north", "4")
    assert rows_of(into / "outcomes.csv")[0]["description"] == "Vaccine"


def test_study_data_of_revman_and_its_templates(tmp_path):
    (tmp_path / "results.csv").write_text(
        "Study,Outcome,Arm,Sample size,Cases,Mean,SD,Footnotes\n"
        "Name of the study,,Name of the arm,Total number,Number of events,Mean,SD,\n"
        "A 2001,death,drug,20,3,,,a note\nA 2001,death,placebo,21,5,,,\n"
        "A 2001,pain,drug,20,,3.1,1.2,\nA 2001,pain,placebo,21,,4.1,1.3,\n",
        encoding="utf-8",
    )
    (tmp_path / "arms.csv").write_text(
        "Study,Arm,Description,Intervention\nA 2001,drug,x,Aspirin\n", encoding="utf-8"
    )
    report, _ = import_revman(tmp_path / "results.csv", tmp_path / "review", arms=tmp_path / "arms.csv")
    assert "line of help" in str(report)
    assert not report.left_out
    found = [
        (r["arm"], r["outcome"], r["n"], r["events"], r["mean"]) for r in measurements(tmp_path / "review")
    ]
    assert found == [
        ("drug", "death", "20", "3", ""), ("placebo", "death", "21", "5", ""),
        ("drug", "pain", "20", "", "3.1"), ("placebo", "pain", "21", "", "4.1"),
    ]  # fmt: skip
    treatments = {row["arm"]: row["treatment"] for row in rows_of(tmp_path / "review" / "arms.csv")}
    assert treatments == {"drug": "Aspirin", "placebo": "placebo"}


def test_the_judgements_of_a_package(package, tmp_path):
    report, _ = import_revman(package, tmp_path / "review")
    with (tmp_path / "review" / "risk_of_bias.csv").open(encoding="utf-8", newline="") as handle:
        found = [(row["study"], row["tool"], row["item"], row["judgement"]) for row in csv.DictReader(handle)]
    # Old reviews have items of their own: a tool of the folder holds them.
    assert sorted(found) == [
        ("Aronson", "RoB 2", "D1", "low"),
        ("Aronson", "RoB of this review", "Blinding (performance bias and detection bias)", "high"),
    ]
    assert "items that no tool here has" in str(report)


def bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a-data-rows.csv", b"0" * 50_000_000)
    return path


def slip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../etc/a-data-rows.csv", "x")
    return path


def text(content: bytes):
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.zip", bomb, "unpacks from"),
        ("a.zip", slip, "leaves its folder"),
        ("a.zip", text(b"no archive"), "not a readable ZIP"),
        ("a.rm5", text(LAUGHS), "declares entities"),
        ("a.rm5", text(OUTSIDE), "declares entities"),
        ("a.rm5", text(b"<COCHRANE_REVIEW>"), "not well-formed"),
        ("a.rm5", text(b"<html/>"), "not COCHRANE_REVIEW"),
        ("a.rm5", text(b"<COCHRANE_REVIEW/>"), "holds no analysis"),
    ],
)
def test_hostile_and_broken_files_are_refused(tmp_path, name, write, message):
    with pytest.raises(EvidenceError, match=message):
        import_revman(write(tmp_path / name), tmp_path / "review")
    assert not (tmp_path / "review").exists()


def test_an_error_in_a_file_of_an_archive_names_both(package, tmp_path):
    with zipfile.ZipFile(package) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("-data-rows.csv"))
    header, *rows = members[name].split(b"\n")
    table = name.rpartition("/")[2]
    cells = header.count(b",") + 1
    for content, place in (
        (b"\n".join([header, rows[0], b"x," * cells + b"y", *rows[1:]]), f"{table}:3"),
        (members[name][:400] + b"\xff" + members[name][400:], table),
        (b"\n".join([header, b'"', *rows]), f"{table}:2"),
    ):
        damaged = tmp_path / "review.zip"
        with zipfile.ZipFile(damaged, "w") as archive:
            for other, text in (members | {name: content}).items():
                archive.writestr(other, text)
        with pytest.raises(EvidenceError) as refused:
            import_revman(damaged, tmp_path / "damaged")
        assert f"review.zip: {place}" in str(refused.value)


def test_a_package_without_its_tables_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(EvidenceError, match=r"no files \.\.\.-data-rows\.csv"):
        import_revman(tmp_path / "a.zip", tmp_path / "review")
