"""Thousands of damaged, hostile and absurd inputs: each ends in an answer or in a sentence, never in a traceback.

Seeded: FUZZ_SEED draws other cases, FUZZ_CASES says how many (50000 for a night), FUZZ_KINDS which of
folders, imports, options, queries, kills. A case that fails names the seed that gives it again by itself (FUZZ_CASE).
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import duckdb
import pytest
from click.testing import CliRunner

import evidence
from evidence.checking import claims, condition, gate
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import EvidenceError, ReviewError
from evidence.names import INVISIBLE
from evidence.review import read
from evidence.system.files import recover

SEED = int(os.environ.get("FUZZ_SEED", "2026"))
CASES = int(os.environ.get("FUZZ_CASES", "2000"))
ONE = os.environ.get("FUZZ_CASE")
SHARE = {"folders": 0.815, "imports": 0.15, "options": 0.015, "queries": 0.012, "kills": 0.003}
KINDS = os.environ.get("FUZZ_KINDS", ",".join(SHARE)).split(",")

# --- a small review that is right -------------------------------------------------------------------------------

FOLDER = {
    "review.toml": 'title = "Cells"\nsynthetic = true\n\n[protocol]\nreference = "saline"\ntimepoint = "last"\n'
    'seed = 1\n\n[[protocol.analysis]]\nname = "alt"\nkind = "pairwise"\noutcome = "alt"\nmeasure = "MD"\n'
    'treatment = "BMSC"\nversus = "saline"\n',
    "studies.csv": "study,label,year,design,species,dose\nLi 2019,Li et al.,2019,trial,mouse,5\n"
    "Wu 2020,,2020,trial,rat,10\nXu 2021,,2021,trial,mouse,NR\n",
    "treatments.csv": "treatment,label,role\nBMSC,marrow cells,active\nUCMSC,cord cells,active\nsaline,,control\n",
    "outcomes.csv": "outcome,label,kind,unit,lower_is_better\nalt,ALT,continuous,U/L,true\n"
    "death,Death,binary,,true\n",
    "arms.csv": "study,arm,treatment,n\nLi 2019,cells,BMSC,10\nLi 2019,control,saline,10\nWu 2020,bm,BMSC,8\n"
    "Wu 2020,uc,UCMSC,8\nWu 2020,control,saline,9\nXu 2021,cells,BMSC,12\nXu 2021,control,saline,12\n",
    "measurements.csv": "study,arm,outcome,timepoint,timepoint_unit,n,mean,sd,se,events,unit,note\n"
    "Li 2019,cells,alt,1,d,10,210,31.6,,,U/L,\nLi 2019,control,alt,1,d,10,350,40,,,U/L,\n"
    "Wu 2020,bm,alt,1,d,8,3.4,,0.2,,ukat/L,table 1\nWu 2020,uc,alt,1,d,8,3.1,0.5,,,ukat/L,\n"
    "Wu 2020,control,alt,1,d,9,5.5,0.6,,,ukat/L,\nXu 2021,cells,alt,1,d,12,200,30,,,U/L,\n"
    "Xu 2021,control,alt,1,d,12,340,35,,,U/L,\nLi 2019,cells,death,7,d,10,,,,2,,\n"
    "Li 2019,control,death,7,d,10,,,,6,,\n",
    "risk_of_bias.csv": "study,tool,item,judgement,support\nLi 2019,SYRCLE,1,unclear,not described\n"
    "Li 2019,SYRCLE,7,low,blinded\n",
    "searches.csv": "database,date,query,hits\nPubMed,2022-05-03,liver,120\n",
    "records.csv": "record,search,doi,title,duplicate_of,study\nr1,PubMed 2022-05-03,10.1/a,A,,Li 2019\n"
    "r2,PubMed 2022-05-03,10.1/b,B,,\n",
    "screening.csv": "record,stage,reviewer,decision,reason\nr1,title_abstract,AB,include,\n",
    "claims.csv": "claim,text,query,operator,expected\nc1,Cells help,select count(*) from study,>,2\n",
}

NUMBERS = (
    "9" * 400, "1e308", "-1e308", "1e-400", "1e400", "NaN", "inf", "-", "+", ".", "−5", "١٢", "5,3", "1.234.567",
    "0x10", "1_000", "1e1e1", "00012", "-0", "5%", "<0.05", "9" * 5000, "1E+999999999999999999",
)  # fmt: skip
DATES = (
    "2021-02-30",
    "0000-00-00",
    "99999-01-01",
    "2021-W01-1",
    "20210101",
    "12/31/2021",
    "2021-01-01T00:00:00Z",
)
NAMES = (
    "../../../escaped", "'; drop table study; --", '"><img src=x onerror=alert(1)>', "=cmd|' /C calc'!A0", "NULL",
    "\x1b[31mred", "\x02\x0b\x1f", "\ue000\ue001", "a" * 3000, "naïve – µ 中文 🙂 עברית", "\u2028\u0085", " blank ",
    "line\nbreak", "a|b", "%s{0}{{7*7}}", "CON", "\ufeff", "\u200b", "é" * 50, "", "NR", "NA", "unclear",
)  # fmt: skip
BYTES = (
    b'"', b'""', b'",', b',"', b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc3", b"\r", b"\r\n", b"\n", b"\n\n",
    b",", b",,,", b";", b"\t", b"\x1a", b"\x80", b"\xed\xa0\x80", b"#", b"\\", b"'", b"`", b"\xe2\x80\xa8",
)  # fmt: skip
TOML = (
    b"a = " + b"[" * 3000, b"a" + b".a" * 5000 + b" = 1\n", b"seed = " + b"9" * 5000 + b"\n", b"seed = -1\n",
    b"title = 3\n", b"[[protocol.figure]]\nnumber = 3\n", b'[[protocol.figure]]\nshows = "x"\n', b"[protocol]\n",
    b"where = \"1 = 1; drop table study\"\n", b"timepoint = nan\n", b"timepoint = inf\n", b"a = 1979-05-27T07:32:00Z\n",
    b"effect_prior_sd = 1e400\n", b'"" = 1\n', b"'\\u0000' = 2\n", b"[expected]\nstudies = 3\n",
    b"[expected]\nstudies = 1e3\n", b'[variables]\ndose = "x"\n', b"{", b'"""', b"protocol = 5\n", b"analysis = []\n",
    b'[[protocol.analysis]]\nname = "../x"\nkind = "network"\noutcome = "alt"\nmeasure = "MD"\n',
    b"[[protocol.analysis]]\n", b'tau_prior = "half-normal(1e300)"\n', b"treatments = [[[1]]]\n",
)  # fmt: skip


def written(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def damaged(content: bytes, draw: random.Random, more: tuple[bytes, ...] = ()) -> bytes:
    """Damage a text in one place."""
    lines = content.split(b"\n")
    at = draw.randrange(len(content) + 1)
    line = draw.randrange(len(lines))
    cells = lines[line].split(b",")
    cell = draw.randrange(len(cells))
    kind = draw.randrange(14)
    if kind == 0:
        return content[:at] + draw.choice(BYTES + more) + content[at:]
    if kind == 1:
        return content[:at] + content[at + draw.randrange(1, 30) :]
    if kind == 2:
        return content[:at]
    if kind == 3:
        return content[:at] + bytes(draw.randrange(256) for _ in range(draw.randrange(1, 9))) + content[at:]
    if kind in (4, 5, 6):
        said = draw.choice((NUMBERS, DATES, NAMES))
        cells[cell] = draw.choice(said).encode("utf-8", "surrogatepass")
        lines[line] = b",".join(cells)
    elif kind == 7:
        lines.insert(line, lines[draw.randrange(len(lines))])
    elif kind == 8:
        del lines[line]
    elif kind == 9:
        header = lines[0].split(b",")
        header[draw.randrange(len(header))] = draw.choice([*header, b"", b" n ", b"N", b"mean ", b"xyz"])
        lines[0] = b",".join(header)
    elif kind == 10:
        codec = draw.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"])
        return content.decode("utf-8", "replace").encode(codec, "replace")
    elif kind == 11:
        return content.replace(b"\n", draw.choice([b"\r", b"\r\n", b"\n\n", b"\n,,,\n"]))
    elif kind == 12:
        for place in draw.sample(range(len(lines)), min(2, len(lines))):
            lines[place] += draw.choice([b'"', b',"', b'"x'])
    else:
        return content + draw.choice(BYTES + more)
    return b"\n".join(lines)


def rows_of(content: bytes) -> int:
    """Count the lines of a file that hold anything, without taking it for a table."""
    text = content.decode("utf-8-sig")
    return (
        sum(bool(re.sub('[\\s,"]', "", INVISIBLE.sub("", line))) for line in re.split("\r\n|\r|\n", text)) - 1
    )


def assert_named(error: EvidenceError) -> None:
    """Hold every error to a file, and to a sentence that a person can read."""
    assert error.problems
    for problem in error.problems:
        assert problem.message
        assert problem.file, str(problem)
        assert len(str(problem)) < 20_000, str(problem)[:300]


def fuzz_folder(draw: random.Random, place: Path) -> str:
    """Damage a review folder: every error names its file, or every line of every file is loaded."""
    files = {name: text.encode() for name, text in FOLDER.items()}
    for _ in range(draw.choice([1, 1, 2, 3])):
        name = draw.choice(list(files))
        kind = draw.randrange(30)
        if kind == 0:
            del files[name]
        elif kind == 1:
            files[name] = files[draw.choice(list(files))]
        elif kind == 2:
            files[draw.choice(NAMES[7:14]).replace("/", "-").replace("\0", "")[:100] + ".csv"] = files[name]
        elif kind == 3:
            files[name] = bytes(draw.randrange(256) for _ in range(draw.randrange(300)))
        elif kind < 6:
            old = draw.choice(["BMSC", "alt", "Li 2019", "control", "saline"])
            new = '"' + draw.choice(NAMES).replace('"', '""') + '"'
            for other in files:
                if other.endswith(".csv"):
                    name_of = re.compile(rb"(?<=[,\n])" + old.encode() + rb"(?=[,\n])")
                    files[other] = new.encode().join(name_of.split(files[other]))
        else:
            files[name] = damaged(files[name], draw, TOML if name == "review.toml" else ())
        if not files:
            break
    written(place, files)
    try:
        review = read(place)
    except ReviewError as error:
        assert_named(error)
        return "refused"
    (loaded,) = (part.columns for part in review.rows if part.table == "loaded_file")
    long = {warning.file for warning in review.warnings if "the cell has" in warning.message}
    for name, n in zip(loaded["file"], loaded["n_rows"], strict=True):
        if name.endswith(".csv") and name not in long:
            assert n == rows_of(files[name]), f"{name}: {n} rows of {rows_of(files[name])} lines"
    if draw.random() < 0.01:
        built = evidence.build(place, place / "out.duckdb")
        with evidence.open(built) as db:
            assert (
                db.value("select count(*) from measurement")
                == rows_of(files.get("measurements.csv", b"study"))
                or long
            )
        return "built"
    return "read"


# --- files of every importer ------------------------------------------------------------------------------------

RIS = (
    "TY  - JOUR\nID  - E1\nT1  - Cells in mice\nA1  - Zheng, S.\nJO  - Cells\nY1  - 2019/03//\n"
    'DO  - 10.1002/STEM.1\nN1  - RAYYAN-INCLUSION: {"Ana"=>"Included"} | RAYYAN-EXCLUSION-REASONS: x\nER  - \n\n'
    "TY  - JOUR\nID  - E2\nTI  - Cells in rats\nAU  - Wu, Li\nPY  - 2020\nER  - \n"
)
NBIB = (
    "PMID- 31000001\nDP  - 2019 Mar 4\nTI  - Cells protect\n      the liver.\nFAU - Zheng, S\nJT  - Cells\n"
    "AID - 10.1002/stem.1 [doi]\n\nPMID- 31000002\nDP  - 2020\nTI  - Cells in rats.\n"
)
BIBTEX = (
    '@article{m2001,\n  title = {{DNA} repair in {K{\\"o}ln}},\n  author = {M{\\"u}ller, Anna and Roth, Bea},\n'
    "  journal = {Hepatology}, year = 2001, doi = {10.1000/xyz}\n}\n@comment{x}\n@string{a = {b}}\n"
)
TABLE = "study,treatment,mean,sd,n,timepoint\nA,x,1.5,0.5,10,4\nA,y,2,0.6,11,4\nB,x,1.7,0.5,10,4\nB,y,2.2,0.6,9,4\n"
CONTRASTS = "study,treat1,treat2,TE,seTE\nA,x,y,-0.5,0.2\nB,x,y,-0.3,0.25\nC,y,z,0.1,0.3\n"
WIDE = "study,t1,r1,n1,t2,r2,n2,t3,r3,n3\nA,drug,3,10,placebo,5,11,NA,NA,NA\nB,drug,2,9,placebo,4,8,x,1,9\n"
ROBVIS = "Study,D1,D2,D3,D4,D5,Overall,Weight\nA,Low,Some concerns,High,Low,No information,High,33\n"
PRISMA = (
    "data,node,box,description,boxtext,tooltips,url,n\ndatabase_results,node4,newstud,a,Databases,t,u,120\n"
    'duplicates,node7,x,a,Duplicates,t,u,12\ndbr_excluded,node11,x,a,b,t,u,"reason one, 3; reason two, 4"\n'
)
SYRF = (
    "StudyId,Title,Authors,Year,Doi,InvestigatorId,Reconciled,Species of animals?,ExperimentId,ExperimentLabel,"
    "CohortId,CohortLabel,NumberOfAnimals,IsDiseaseModelControl,DiseaseModelLabel(s),IsTreatmentControl,"
    "InterventionLabel,OutcomeId,OutcomeLabel,OutcomeUnit,GreaterIsWorse,TimeInMinute,OutcomeAverage,"
    "OutcomeAverageType,OutcomeError,ErrorType\n"
    's1,Cells,"Li, A",2019,,ann,True,Mouse,e1,Fig 1,c1,cells,8,False,CCl4,False,BMSC,o1,ALT,U/L,True,1,200,Mean,10,SEM\n'
    's1,Cells,"Li, A",2019,,ann,True,Mouse,e1,Fig 1,c2,ctl,8,False,CCl4,True,veh,o1,ALT,U/L,True,1,400,Mean,30,SD\n'
)
METAPSY = (
    "study,year,condition_arm1,condition_arm2,multi_arm1,multi_arm2,outcome_type,instrument,time,time_weeks,rating,"
    "mean_arm1,sd_arm1,n_arm1,mean_arm2,sd_arm2,n_arm2,event_arm1,event_arm2,totaln_arm1,totaln_arm2,.g\n"
    "Abas 2018,2018,cbt,wl,group,,msd,PHQ-9,post,8,self-report,10,4,20,14,5,19,NA,NA,NA,NA,-0.9\n"
    "Bay 2001,2001,cbt,wl,,,response,BDI,post,6,self-report,NA,NA,NA,NA,NA,NA,9,4,20,19,NA\n"
)
BUGS = (
    "list(ns=2, nt=3,\nt=structure(.Data=c(1,2,3, 2,3,NA), .Dim=c(2,3)),\n"
    "r=structure(.Data=c(9,23,10, 11,12,NA), .Dim=c(2,3)),\n"
    "n=structure(.Data=c(140,141,138, 78,85,NA), .Dim=c(2,3)), na=c(3,2:2))\n"
)
DUMP = "`t` <-\nstructure(c(1, 2, 2, 3), .Dim = c(2, 2))\nr <- structure(c(9, 11, 23, 12), .Dim = c(2L, 2L))\nn <- structure(c(140, 78, 141, 85), dim = c(2, 2))\nns <- 2\n"
RECTANGULAR = "list(ns=2)\nr[,1] n[,1] r[,2] n[,2] t[,1] t[,2]\n9 140 23 141 1 2\n11 78 12 85 2 3\nEND\n"
GEMTC = (
    '<?xml version="1.0"?><network type="rate"><treatments><treatment id="P">placebo</treatment>'
    '<treatment id="A"/></treatments><studies><study id="S1"><measurement treatment="P" responders="9" sample="140"/>'
    '<measurement treatment="A" responders="11" sample="141"/></study></studies></network>'
)
GEMTC_JSON = (
    '{"treatments": [{"id": "P", "name": "placebo"}, {"id": "A"}], "entries": [{"study": "S1", "treatment": "P", '
    '"responders": 9, "sampleSize": 140}, {"study": "S1", "treatment": "A", "responders": 11, "sampleSize": 141}]}'
)
RM5 = (
    '<?xml version="1.0" encoding="UTF-8"?><COCHRANE_REVIEW><STUDIES_AND_REFERENCES><STUDIES><INCLUDED_STUDIES>'
    '<STUDY ID="STD-A" NAME="A" YEAR="1948"/><STUDY ID="STD-B" NAME="B" YEAR="1949"/></INCLUDED_STUDIES></STUDIES>'
    '</STUDIES_AND_REFERENCES><ANALYSES_AND_DATA><COMPARISON ID="CMP-001" NO="1"><NAME>Vaccine</NAME>'
    '<DICH_OUTCOME ID="CMP-001.01" NO="1" EFFECT_MEASURE="RR" METHOD="MH" RANDOM="NO" TOTALS="YES" ESTIMABLE="YES" '
    'SWAP_EVENTS="NO" EFFECT_SIZE="0.3" CI_START="0.2" CI_END="0.4"><NAME>TB</NAME>'
    "<GROUP_LABEL_1>BCG</GROUP_LABEL_1><GROUP_LABEL_2>none</GROUP_LABEL_2>"
    '<DICH_DATA STUDY_ID="STD-A" EVENTS_1="4" TOTAL_1="123" EVENTS_2="11" TOTAL_2="139"/>'
    '<DICH_DATA STUDY_ID="STD-B" EVENTS_1="6" TOTAL_1="306" EVENTS_2="29" TOTAL_2="303"/>'
    "</DICH_OUTCOME></COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"
)
REVMAN = {
    "CD1-data-rows.csv": "Analysis group,Analysis number,Analysis name,Subgroup,Study,Study year,GIV Mean,GIV SE,"
    "Experimental cases,Experimental N,Control cases,Control N\n1,1,TB,,A,1948,,,4,123,11,139\n1,1,TB,,B,1949,,,6,306,29,303\n",
    "CD1-overall-estimates-and-settings.csv": "Analysis group,Analysis group name,Analysis number,Analysis name,"
    "Data type,Statistical method,Effect measure,Analysis model,Experimental intervention,Control intervention,Mean,"
    "CI start,CI end\n1,Vaccine,1,TB,Dichotomous,Mantel-Haenszel,Risk Ratio,Fixed effect,BCG,none,0.3,0.2,0.4\n",
    "CD1-risk-of-bias.csv": "Study,Domain (judgement) 1: Randomisation\nA,Low risk\n",
}


def workbook(text: str) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for line in text.splitlines():
        book.active.append(
            [float(cell) if re.fullmatch(r"-?\d+\.?\d*", cell) else cell for cell in line.split(",")]
        )
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def archived(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def binary(ending: str) -> bytes:
    import pandas as pd

    frame = pd.read_csv(io.StringIO(TABLE))
    stream = io.BytesIO()
    if ending == "dta":
        frame.to_stata(stream, write_index=False)
    else:
        frame.to_parquet(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sources() -> list[tuple[list[str], str, bytes]]:
    """Arguments, file name and content of a sound file for every importer."""
    arms = ["arms", "--outcome", "y", "--lower-is-better"]
    found = [
        (arms, "d.csv", TABLE),
        (arms, "d.tsv", TABLE.replace(",", "\t")),
        (arms, "w.csv", WIDE),
        ([*arms, "--measure", "MD"], "c.csv", CONTRASTS),
        (["references", "--database", "PubMed", "--date", "2024-05-03"], "r.ris", RIS),
        (["references"], "r.nbib", NBIB),
        (["references"], "r.bib", BIBTEX),
        (["robvis"], "rob.csv", ROBVIS),
        (["prisma"], "PRISMA.csv", PRISMA),
        (["syrf", "--time-unit", "d"], "export.csv", SYRF),
        (["metapsy", "--control", "wl"], "m.csv", METAPSY),
        (["bugs", "--outcome", "y"], "b.txt", BUGS),
        (["bugs", "--outcome", "y", "--name", "1=a", "--name", "2=b", "--name", "3=c"], "b.txt", DUMP),
        (["bugs", "--outcome", "y"], "b.txt", RECTANGULAR),
        (["gemtc", "--outcome", "y"], "g.xml", GEMTC),
        (["gemtc", "--outcome", "y"], "g.json", GEMTC_JSON),
        (["revman"], "r.rm5", RM5),
        (
            ["extraction", "--extractor", "BW"],
            "e.csv",
            "study,arm,outcome,mean,sd,n\nLi 2019,cells,alt,100,10,10\n",
        ),
        (
            ["screening", "--reviewer", "CD", "--stage", "title_abstract"],
            "s.csv",
            "record,decision\nr1,include\nr2,exclude\n",
        ),
        (["duplicates"], "p.csv", "confirmed,record,duplicate_of,evidence\nyes,r2,r1,same title\n"),
    ]
    binaries = [
        (arms, "d.xlsx", workbook(TABLE)),
        (["metapsy"], "m.xlsx", workbook(METAPSY)),
        (arms, "d.dta", binary("dta")),
        (arms, "d.parquet", binary("parquet")),
        (["revman"], "r.zip", archived({name: text.encode() for name, text in REVMAN.items()})),
    ]
    return [(words, name, text.encode()) for words, name, text in found] + binaries


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><network>&b;</network>'
)
BOMBS = (
    b"{" * 5000, b"[" * 50_000, LAUGHS, b"<a>" * 20_000, b"c(" * 5000, b"1e400", b"1:1e400", b"c(1e400,2)",
    b"9" * 5000, b"TY  - \n\nUK  - \n", b"@article{a, title={", b"list(r = system('touch pwned'))", b"-1:3", b"1:0.5",
)  # fmt: skip


def broken(content: bytes, name: str, draw: random.Random) -> bytes:
    """Damage a file: archives by member or byte, others as text."""
    if name.endswith((".xlsx", ".zip")) and draw.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        member = draw.choice(list(members))
        kind = draw.randrange(5)
        if kind == 0:
            del members[member]
        elif kind == 1:
            members[draw.choice(["", "../x", "/etc/x", "a" * 500, "C:\\x", "x/"])] = members[member]
        elif kind == 2:
            members[member] = draw.choice(BOMBS)
        else:
            members[member] = damaged(members[member], draw, BOMBS)
        return archived(members)
    for _ in range(draw.choice([1, 1, 2, 3])):
        content = damaged(content, draw, BOMBS)
    return content


def call(arguments: list[str]) -> tuple[int, str]:
    """Call the command line; anything but a sentence and an exit code is a fault."""
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2), f"exit code {result.exit_code}"
    assert "Traceback" not in result.output
    assert result.exit_code == 0 or result.output.strip(), "no word"
    return result.exit_code, result.output


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def fuzz_import(draw: random.Random, place: Path, sources: list) -> str:
    """Damage a file of an importer: it is imported whole, or the folder stays as it was."""
    words, name, content = draw.choice(sources)
    place.mkdir()
    content = broken(content, name, draw)
    (place / name).write_bytes(content)
    into = place / "review"
    if words[0] in ("extraction", "screening", "duplicates") or draw.random() < 0.15:
        written(into, {file: text.encode() for file, text in FOLDER.items()})
    before = content_of(into) if into.exists() else None
    # What RevMan pooled is pooled again beside it, which takes a build: seldom here.
    dry = ["--dry-run"] if draw.random() < (0.9 if words[0] == "revman" else 0.05) else []
    code, output = call(["import", words[0], str(place / name), "--into", str(into), *words[1:], *dry])
    if code == 0 and not dry:
        read(into)
        return "imported"
    assert (content_of(into) if into.exists() else None) == before, "an import left something behind"
    if code == 0:
        return "checked"
    assert name in output or "--" in output or "CD1-" in output or "review" in output, (
        f"{output!r} does not name the file"
    )
    return "refused"


# --- options ----------------------------------------------------------------------------------------------------

ODD = (
    "nan", "inf", "-inf", "1e300", "1e-300", "-1", "0", "1e400", str(2**70), "9" * 500, "", " ", "REML", "x", "a\0b",
    "None", "1,2", "--", "-", "é", "../x", "'", '"', "1e308", "5e-324", "-0.0", "true", "\ud800", "%s", "*",
)  # fmt: skip
PRIORS = (
    "uniform(0, 5)", "uniform(0, 1e308)", "uniform(0, 1e-300)", "uniform(5, 0)", "uniform(0, inf)", "uniform(nan, 1)",
    "half-normal(1e300)", "half-normal(1e-300)", "half-normal(0)", "half-normal(-1)", "half-cauchy(1e300)", "x(1)",
    "uniform(0)", "uniform(0,1,2)", "uniform(0 1)", "half-normal(nan)", "lognormal(0, 1e300)", "uniform(" * 500,
)  # fmt: skip
POOL = {
    "--outcome": ("alt", "death"), "--measure": ("MD", "OR", "SMD", "RR", "ROM"), "--treatment": ("BMSC", "UCMSC"),
    "--versus": ("saline", "BMSC"), "--tau2": ("DL", "PM", "0.1"), "--ci": ("HK", "Wald"), "--prediction": ("HTS", "V"),
    "--tau2-interval": ("QP", "PL"), "--by": ("species", "year"), "--moderator": ("year", "dose"),
    "--method": ("MH", "Peto", "inverse_variance"), "--shared": ("split", "ignore"), "--timepoint": ("first", "nearest:1 d"),
    "--where": ("species = 'mouse'", "1 = 0"), "--format": ("json", "table"), "--dependence": ("rho",),
}  # fmt: skip
NMA = {
    "--outcome": ("alt", "death"), "--measure": ("MD", "OR", "SMD"), "--engine": ("frequentist", "exact"),
    "--model": ("common", "random", "both"), "--tau2": ("DL", "REML", "0.1"), "--reference": ("saline", "BMSC"),
    "--tau-prior": PRIORS, "--effect-prior-sd": ("100", "1e-300", "1e300"), "--seed": ("1", "7"), "--smd": ("d", "g"),
    "--timepoint": ("first", "24 h"), "--where": ("species = 'mouse'",), "--treatment": ("BMSC",), "--format": ("json",),
}  # fmt: skip
OTHERS = (
    ["simulate", "{new}", "--studies", "{odd}"], ["simulate", "{new}", "--studies", "3", "--seed", "{odd}"],
    ["simulate", "{new}", "--studies", "3", "--treatments", "{odd}"], ["catalog", "{file}", "{odd}"],
    ["simulate", "{new}", "--studies", "2", "--outcomes", "{odd}"], ["catalog", "{file}", "--lineage", "{odd}"],
    ["sql", "{file}", "select 1", "--timeout", "{odd}"], ["sql", "{file}", "select 1", "--memory", "{odd}"],
    ["sql", "{file}", "select 1", "-o", "{odd}"], ["sql", "{file}", "{odd}"], ["trace", "{file}", "{odd}"],
    ["build", "{odd}"], ["check", "{odd}"], ["new", "{odd}"], ["{odd}"], ["readings", "{file}", "{odd}"],
    ["export", "{file}", "--to", "{new}", "--format", "{odd}"], ["export", "{file}", "--to", "{new}", "--where", "{odd}"],
    ["import", "arms", "{odd}", "--into", "{new}", "--outcome", "{odd}"], ["check", "{file}", "--mend", "{odd}"],
)  # fmt: skip


def commands(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command there is, with the words that call it."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from commands(group.get_command(context, name), (*path, name))
    else:
        yield path, group


def any_option(draw: random.Random, place: Path, file: Path) -> list[str]:
    """Call any command with an absurd value of any of its options; the rest is in order, or a single letter."""
    path, command = draw.choice(
        [found for found in commands(cli) if found[0] not in (("report",), ("gallery",), ("export",))]
    )
    options = [p for p in command.params if isinstance(p, click.Option) and not p.is_flag]
    given = {
        p.opts[-1]: str(place / p.name) if p.name in ("into", "to") else "x" for p in options if p.required
    }
    if path in (("pool",), ("nma",)):
        given = dict(zip(ALT[: 8 if path == ("pool",) else 4][::2], ALT[1::2]))
    arguments = [str(file)] * any(isinstance(p, click.Argument) for p in command.params)
    if options:
        given[draw.choice(options).opts[-1]] = draw.choice(ODD)
    return [*path, *arguments, *(word for pair in given.items() for word in pair)]


def fuzz_options(draw: random.Random, place: Path, file: Path) -> str:
    """Give absurd values to options; nothing that was not finished stays behind."""
    place.mkdir()
    if draw.random() < 0.3:
        words = any_option(draw, place, file)
    elif draw.random() < 0.4:
        words = [
            word.format(file=file, new=place / "new", odd="").strip()
            if "{odd}" not in word
            else draw.choice(ODD)
            for word in draw.choice(OTHERS)
        ]
    else:
        command, known = draw.choice([("pool", POOL), ("nma", NMA)])
        needed = ["--outcome", "--measure", *(["--treatment", "--versus"] if command == "pool" else [])]
        others = draw.sample([name for name in known if name not in needed], draw.randrange(1, 4))
        words = [command, str(file)]
        for name in [*needed, *others]:
            odd = draw.random() < (0.06 if name in needed else 0.5)
            words += [name, draw.choice(ODD if odd else known[name])]
    here = Path.cwd()
    os.chdir(place)
    try:
        code, _ = call(words)
    except BaseException as error:
        error.add_note(f"evidence {words}")
        raise
    finally:
        os.chdir(here)
    left = [path.name for path in place.rglob("*") if re.search(r"\.(part|writing|old|wal)$", path.name)]
    assert not left, f"{words} left {left}"
    return ("done", "refused", "refused")[code]


ALT = ["--outcome", "alt", "--measure", "MD", "--treatment", "BMSC", "--versus", "saline"]
QUERIES = (
    "select * from read_text('/etc/passwd')", "copy study to '/tmp/fuzz-escaped.csv'", "attach '/tmp/fuzz.db' as x",
    "install httpfs", "load httpfs", "set memory_limit = '100GB'", "pragma enable_profiling", "drop table study",
    "update study set label = 'x'", "select * from glob('/*')", "select getenv('HOME')", "create table x (a int)",
    "select 1; select 2", "select", "", "--", "/*", "select * from study where", "select * from study cross join study",
    "with recursive r as (select 1 as a union all select a + 1 from r) select count(*) from r",
    "select repeat('x', 1000000000)", "select len(range(1000000000))", "select * from pandas_scan(null)", "call dbgen(1)",
    "select * from duckdb_settings()", "select 1 / 0", "select cast('x' as int)", "select '\\0'", "select \u0000 1",
    "export database '/tmp/fuzz-escaped'", "checkpoint", "vacuum", "explain analyze select 1", "describe study",
    "select * from sniff_csv('/etc/passwd')", "from '/etc/passwd'", "select * from 'x.csv'", "reset all",
    "select current_setting('secret_directory')", "prepare p as select 1", "execute p", "select $1", "select ?",
    "select * from enable_logging(storage='file', storage_path='/tmp/fuzz-log')", "set lock_configuration = false",
    "select {'a': [1, 2]}", "select map([1], [2])", "select 'a'::blob", "select timestamp '9999-12-31 23:59:59.999'",
    "select interval '1000000 years'", "select 1e400", "select 'nan'::double, 'inf'::double", "select " + "(" * 3000,
    "select " + "1 + " * 3000 + "1", "select * from contrast limit 3", "select * from pooled limit 3",
)  # fmt: skip


def in_a_claim(query: str, place: Path, file: Path) -> list[str]:
    header = "claim,text,query,operator,expected"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(["c1", "As said", query, ">", "2"])
    files = FOLDER | {"claims.csv": f"{header}\n{text.getvalue()}"}
    written(place / "review", {name: content.encode("utf-8", "replace") for name, content in files.items()})
    return ["audit", str(place / "review")]


def in_the_plan(query: str, place: Path, file: Path) -> list[str]:
    plan = FOLDER["review.toml"] + f"where = {json.dumps(query)}\n"
    files = FOLDER | {"review.toml": plan}
    written(place / "review", {name: content.encode("utf-8", "replace") for name, content in files.items()})
    try:
        return ["analyse", str(evidence.build(place / "review", place / "planned.duckdb"))]
    except EvidenceError:
        return ["report", str(place / "review"), "-o", str(place / "out")]


def in_a_foreign_file(query: str, place: Path, file: Path) -> list[str]:
    """Put a query behind the name of one of our views, where DuckDB lets it."""
    theirs = shutil.copyfile(file, place / "theirs.duckdb")
    for name in ("contrast", "pooled", "study_variable"):
        with suppress(duckdb.Error), duckdb.connect(theirs) as db:
            db.execute(f"drop view if exists {name}")
            db.execute(f"create view {name} as {query}")
    out = str(place / "out")
    command = random.Random(query).choice((["check"], ["export", "--to", out], ["trace"], ["pool", *ALT]))
    return [command[0], str(theirs), *(["contrast"] if command == ["trace"] else command[1:])]


def _option(command: str, name: str) -> Callable[[str, Path, Path], list[str]]:
    rest = {"pool": ALT, "nma": ALT[:4]}

    def words(query: str, place: Path, file: Path) -> list[str]:
        return [command, str(file), *rest.get(command, ["--to", str(place / "out")]), name, query]

    return words


BOUNDS = ["--timeout", "2", "--memory", "200MB"]
GATES = {
    "table": lambda query, place, file: ["sql", str(file), query, *BOUNDS],
    "csv": lambda query, place, file: ["sql", str(file), query, "--format", "csv", *BOUNDS],
    "json": lambda query, place, file: ["sql", str(file), query, "--format", "json", *BOUNDS],
    "md": lambda query, place, file: ["sql", str(file), query, "--format", "md", *BOUNDS],
    "parquet": lambda query, place, file: [
        "sql",
        str(file),
        query,
        "-o",
        str(place / "out.parquet"),
        *BOUNDS,
    ],
    "pool": _option("pool", "--where"),
    "nma": _option("nma", "--where"),
    "export": _option("export", "--where"),
    "outcomes": _option("export", "--outcomes"),
    "treatments": _option("export", "--treatments"),
    "claim": in_a_claim,
    "plan": in_the_plan,
    "foreign file": in_a_foreign_file,
}
"""Every way in for a query that somebody else wrote."""


def fuzz_query(draw: random.Random, place: Path, file: Path) -> str:
    """Ask hostile and damaged queries at every gate: no file, setting or other process is touched."""
    place.mkdir()
    way = draw.choice(list(GATES))
    query = draw.choice(QUERIES)
    if draw.random() < 0.5:
        query = damaged(query.encode(), draw).decode("utf-8", "replace")
    if way in ("pool", "nma", "export", "outcomes", "treatments", "plan") and draw.random() < 0.5:
        query = f"(select count(*) from ({query})) > 0"
    before = file.read_bytes()
    try:
        code, output = call(GATES[way](query, place, file))
    except BaseException as error:
        error.add_note(f"{way}: {query!r}")
        raise
    assert file.read_bytes() == before, query
    assert "root:" not in output, query
    assert not list(Path("/tmp").glob("fuzz-*")), query
    for path in place.rglob("*"):
        assert not path.is_file() or b"root:x:" not in path.read_bytes(), query
    return f"{way} {'answered' if code == 0 else 'refused'}"


@pytest.fixture(autouse=True)
def short_time(monkeypatch):
    """What is asked in a condition or claim has its minute, which a fuzz has not."""
    monkeypatch.setattr(condition, "ask", lambda db, query, timeout: gate.ask(db, query, timeout=2))
    monkeypatch.setattr(claims, "_TIMEOUT", 2)


# --- kills ------------------------------------------------------------------------------------------------------

WRITING = {
    "new": ["new", "out"],
    "build": ["build", "review", "-o", "out.duckdb"],
    "analyse": ["analyse", "file.duckdb"],
    "save": ["pool", "file.duckdb", *ALT, "--save"],
    "report": ["report", "review", "-o", "out"],
    "export": ["export", "file.duckdb", "--to", "out", "--format", "csv,json,duckdb,review,metafor"],
    "simulate": ["simulate", "out", "--studies", "30"],
    "import": ["import", "arms", "more.csv", "--into", "review", "--outcome", "weight"],
    "sql": ["sql", "file.duckdb", "select * from measurement_standard", "-o", "out.xlsx"],
}
"""Every command that writes."""
ONTO_OLD = ("build", "report", "export", "sql")
"""Those that put what they write in place of something older."""


class Kills:
    """What each command makes of a folder, and how long it takes: found out once."""

    def __init__(self, start: Path, built: Path):
        self.start, self.built = start, built
        self.known: dict[str, tuple[dict[str, bytes], float]] = {}

    def folder(self, place: Path) -> None:
        written(place / "review", {name: text.encode() for name, text in FOLDER.items()})
        (place / "more.csv").write_text(TABLE, encoding="utf-8")
        shutil.copyfile(self.built, place / "file.duckdb")

    def whole(self, command: str) -> tuple[dict[str, bytes], float]:
        if command not in self.known:
            place = self.start / command
            self.folder(place)
            begun = time.monotonic()
            process = self.run(command, place)
            said = process.communicate()[0]
            assert process.returncode == 0, said
            self.known[command] = content_of(place), time.monotonic() - begun
        return self.known[command]

    @staticmethod
    def run(command: str, place: Path) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "evidence.cli", *WRITING[command]],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def same(one: dict[str, bytes], two: dict[str, bytes], place: Path) -> bool:
    """Whether two folders hold the same: files to the byte, or else DuckDB files row by row."""
    if one.keys() != two.keys():
        return False
    differing = [name for name in one if one[name] != two[name]]
    return all(
        name.endswith(".duckdb") and stored(one[name], place) == stored(two[name], place)
        for name in differing
    )


def unlike(one: dict[str, bytes], two: dict[str, bytes]) -> str:
    """Which files of two folders differ, and for each the first place where it does, as either has it."""
    told = []
    for name in sorted(name for name in {*one, *two} if one.get(name) != two.get(name)):
        a, b = one.get(name, b""), two.get(name, b"")
        at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        told.append(f"{name} at {at}: {a[max(0, at - 60) : at + 60]!r} | {b[max(0, at - 60) : at + 60]!r}")
    return "; ".join(told[:5])


def stored(content: bytes, place: Path) -> dict[str, list]:
    (place / "looked-at").write_bytes(content)
    with connect(place / "looked-at") as db:
        names = db.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        found = {name: sorted(db.execute(f"from {name}").fetchall(), key=str) for (name,) in names}
    (place / "looked-at").unlink()
    return found


def fuzz_kill(draw: random.Random, place: Path, kills: Kills) -> str:
    """Kill a command at some moment: what it writes is as before or whole, and a second run equals a first."""
    command = draw.choice(list(WRITING))
    first, seconds = kills.whole(command)
    kills.folder(place)
    if command in ONTO_OLD and draw.random() < 0.5:
        kills.run(command, place).communicate()
        for path in place.rglob("*"):
            if path.suffix in (".html", ".csv", ".xlsx") and path.relative_to(place).parts[0].startswith(
                "out"
            ):
                path.write_bytes(b"old")
    before = content_of(place)
    process = kills.run(command, place)
    time.sleep(draw.random() * seconds * 1.05)
    process.kill()
    process.communicate()
    # As whoever works on a folder next does first; what else is left in the making goes with the next writer.
    recover(place / "review")
    found = {
        name: content
        for name, content in content_of(place).items()
        if not any(part.startswith(".") for part in Path(name).parts)
    }
    if found != before and not same(found, first, place):
        raise AssertionError(f"{command} left other than before or whole: {unlike(found, first)}")
    if found == before or command not in ("new", "simulate", "import"):
        process = kills.run(command, place)
        said = process.communicate()[0]
        assert process.returncode == 0, f"{command} after a kill: {said[-500:]}"
        after = content_of(place)
        if not same(after, first, place):
            raise AssertionError(f"{command} after a kill differs: {unlike(after, first)}")
    return f"{command} {'before' if found == before else 'whole'}"


# --- all of them ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("fuzz")
    written(place / "review", {name: text.encode() for name, text in FOLDER.items()})
    return evidence.build(place / "review", place / "review.duckdb")


@pytest.mark.slow
def test_the_small_review_and_every_file_are_sound(tmp_path, sources):
    written(tmp_path / "review", {name: text.encode() for name, text in FOLDER.items()})
    assert not read(tmp_path / "review").warnings
    for number, (words, name, content) in enumerate(sources):
        into = tmp_path / f"into {number}"
        if words[0] in ("extraction", "screening", "duplicates"):
            shutil.copytree(tmp_path / "review", into)
        (tmp_path / name).write_bytes(content)
        code, output = call(["import", words[0], str(tmp_path / name), "--into", str(into), *words[1:]])
        assert code == 0, (words, name, output)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", KINDS)
def test_no_input_ends_in_a_traceback(kind, tmp_path, sources, built, capsys):
    known: dict[str, Callable[[random.Random, Path], str]] = {
        "folders": fuzz_folder,
        "imports": lambda draw, place: fuzz_import(draw, place, sources),
        "options": lambda draw, place: fuzz_options(draw, place, built),
        "queries": lambda draw, place: fuzz_query(draw, place, built),
        "kills": lambda draw, place: fuzz_kill(draw, place, kills),
    }
    kills = Kills(tmp_path / "whole", built)
    number = round(CASES * SHARE[kind] / sum(SHARE[name] for name in KINDS))
    seeds = [ONE] if ONE else [f"{SEED}-{kind}-{case}" for case in range(number)]
    ends: Counter[str] = Counter()
    faults: dict[str, str] = {}
    start = time.process_time()
    for seed in seeds:
        place = tmp_path / "case"
        begun = time.monotonic()
        try:
            ends[known[kind](random.Random(seed), place)] += 1
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
            faults.setdefault(
                where, f"FUZZ_CASE={seed}: {str(error)[:300]} {getattr(error, '__notes__', '')}"
            )
            ends["fault"] += 1
        if time.monotonic() - begun > 60:
            faults.setdefault("slow", f"FUZZ_CASE={seed} took {time.monotonic() - begun:.0f} s")
        shutil.rmtree(place, ignore_errors=True)
    with capsys.disabled():
        print(f"\n{len(seeds)} {kind} in {time.process_time() - start:.0f} s of CPU: {dict(ends)}")
    assert not faults, "\n".join(f"{where}: {what}" for where, what in faults.items())
