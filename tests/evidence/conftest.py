"""A small review folder that is right, for tests to break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

RIGHT = {
    "review.toml": """\
title = "Stem cells in liver failure"
question = "Which cell works best?"
synthetic = true
""",
    "studies.csv": """\
study,label,year,design,species,cell source
Li 2019,Li et al. 2019,2019,controlled experiment,mouse,human
Wu 2020,,2020,controlled experiment,rat,human
Xu 2021,,2021,controlled experiment,mouse,NR
""",
    "treatments.csv": """\
treatment,label,role
BMSC,bone marrow stem cells,active
UCMSC,umbilical cord stem cells,active
saline,,control
""",
    "outcomes.csv": """\
outcome,label,kind,unit,lower_is_better
alt,ALT,continuous,U/L,true
death,Death,binary,,true
falls,Falls,rate,,true
survival,Survival,time_to_event,,true
""",
    "arms.csv": """\
study,arm,treatment,n
Li 2019,cells,BMSC,10
Li 2019,control,saline,10
Wu 2020,bm,BMSC,8
Wu 2020,uc,UCMSC,8
Wu 2020,control,saline,9
Xu 2021,cells,UCMSC,12
Xu 2021,control,saline,12
""",
    "measurements.csv": """\
study,arm,outcome,timepoint,timepoint_unit,n,mean,sd,se,median,q1,q3,min,max,ci_lower,ci_upper,events,exposure,unit,note
Li 2019,cells,alt,1,d,10,210,31.6,10,,,,,,,,,,U/L,
Li 2019,control,alt,1,d,10,350,40,,,,,,,,,,,U/L,
Wu 2020,bm,alt,1,d,8,3.4,,0.2,,,,,,,,,,ukat/L,
Wu 2020,uc,alt,1,d,8,,,,3.1,2.5,3.9,2,5,,,,,ukat/L,
Wu 2020,control,alt,1,d,9,5.5,,,,,,,,5,6,,,ukat/L,
Li 2019,cells,death,7,d,10,,,,,,,,,,,2,,,
Li 2019,control,death,7,d,,,,,,,,,,,,6,,,
Xu 2021,cells,falls,7,d,,,,,,,,,,,,3,84,,
Xu 2021,control,falls,7,d,,,,,,,,,,,,5,80,,
""",
    "contrasts.csv": """\
study,outcome,arm_a,arm_b,measure,estimate,se,ci_lower,ci_upper
Xu 2021,survival,cells,control,HR,-0.51,0.2,-0.9,-0.12
""",
    "risk_of_bias.csv": """\
study,tool,item,judgement,support
Li 2019,SYRCLE,1,unclear,not described
Li 2019,SYRCLE,7,low,assessor blinded
""",
    "searches.csv": """\
database,date,query,hits
PubMed,2022-05-03,liver failure,120
Embase,2022-05-03,liver failure,98
""",
    "records.csv": """\
record,search,doi,title,duplicate_of,study
r1,PubMed 2022-05-03,10.1/a,A,,Li 2019
r2,Embase 2022-05-03,10.1/a,A,r1,
""",
    "screening.csv": """\
record,stage,reviewer,decision,reason
r1,title_abstract,AB,include,
r1,full_text,AB,include,
""",
    "flow.csv": """\
box,n,reason
database_results,218,
dbr_excluded,3,no control
dbr_excluded,2,no outcome
""",
    "published_estimates.csv": """\
publication,outcome,treatment,versus,measure,kind,estimate,ci_lower,ci_upper,significant
Ma 2023,alt,cells,control,MD,pairwise,-181.05,-191.71,-170.39,true
""",
    "claims.csv": """\
claim,publication,text,query,operator,expected
mice,Ma 2023,two studies used mice,select count(*) from study where species = 'mouse',=,2
""",
}


@pytest.fixture(scope="session")
def right() -> Mapping[str, str]:
    """Text of each file of the small review folder."""
    return RIGHT


WriteFolder = Callable[..., Path]


@pytest.fixture
def review_folder(tmp_path) -> WriteFolder:
    """Write the small review folder; files given by name are replaced, those given as None left out."""

    def write(changes: Mapping[str, str | bytes | None] | None = None, *, name: str = "liver") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file, content in {**RIGHT, **(changes or {})}.items():
            if isinstance(content, bytes):
                (folder / file).write_bytes(content)
            elif content is not None:
                (folder / file).write_text(content, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def edited(review_folder) -> WriteFolder:
    """Write the small review folder with one line of one file replaced: ``edited("arms.csv", 2, "...")``."""

    def write(file: str, line: int, text: str) -> Path:
        lines = RIGHT[file].splitlines()
        lines[line - 1 : line] = text.split("\n")
        return review_folder({file: "\n".join(lines) + "\n"})

    return write


@pytest.fixture(scope="session")
def diabetes_file(tmp_path_factory) -> Path:
    """Build the bundled review ``diabetes``."""
    from evidence import build

    return build("diabetes", tmp_path_factory.mktemp("built") / "diabetes.duckdb")


@pytest.fixture(scope="session")
def example_file(tmp_path_factory) -> Path:
    """Build the worked example that ``evidence new`` writes: four studies, units, medians, time points."""
    from evidence import build
    from evidence.system.resources import template_directory

    return build(template_directory(), tmp_path_factory.mktemp("built") / "example.duckdb")
