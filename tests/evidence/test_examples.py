"""Every example of the help, and so of docs/cli.md, is carried out as it stands."""

from __future__ import annotations

import runpy
import shlex
import subprocess
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.output import write_xlsx

IMPORTERS = Path(__file__).parent / "importers"
INTERVIEW = Path(__file__).parent / "folder" / "test_interview.py"
SLOW = {"report", "site", "gallery", "audit", "export", "analyse", "trace", "simulate", "plot", "diff"}
"""Commands whose examples take longer than two seconds."""

WATCH = "OriginalPaperDOI,RetractionNature\n10.1002/stem.0001,Retraction\n"
ARMS = "study,arm,treatment,outcome,mean,sd,n,unit,extractor\n"
READ = "".join(
    f"{study},{arm},{arm},{outcome},{mean},2,10,%,{who}\n"
    for study in ("A", "B")
    for arm, mean in (("drug", 7), ("placebo", 9))
    for outcome in ("hba1c",)
    for who in ("AL", "BW")
)
TRIALS = "study,treatment,mean,sd,n\nA,drug,7,1,10\nA,placebo,8,1,10\nB,drug,7,1,12\nB,placebo,9,1,12\n"


@cache
def sample(module: str) -> dict:
    """Sample files of the tests of an importer."""
    return runpy.run_path(str(IMPORTERS / f"test_{module}.py"))


def table(path: Path, text: str) -> None:
    """Write a CSV as a workbook."""
    header, *rows = (line.split(",") for line in text.splitlines())
    write_xlsx(header, rows, path)


def files_of(path: str) -> dict[str, str]:
    """Files that the examples of a command read, by name."""
    syrf = sample("syrf") if path == "import syrf" else {}
    of_records = ("references", "duplicates", "screening", "retractions", "new")
    refs = (
        sample("references")
        if path.split()[0] in ("import", "records") and path.split()[1] in of_records
        else {}
    )
    return {
        "import arms": lambda: {"trials.csv": TRIALS},
        "import syrf": lambda: {
            "export.csv": "\n".join(
                ",".join(f'"{({**syrf["BASE"], **row}).get(name, "")}"' for name in syrf["HEADER"])
                for row in ({name: name for name in syrf["HEADER"]}, *syrf["QUIRKS"][:4])
            )
        },
        "import revman": lambda: {
            "CD001234.rm5": sample("revman")["WHOLE"],
            "study-results.csv": "Study,Outcome,Arm,Sample size,Cases,Mean,SD,Footnotes\n"
            "Adams 2001,pain,Drug,20,,3,1,\nAdams 2001,pain,Placebo,21,,4,1,\n",
            "study-arms.csv": "Study,Arm,Description,Intervention\nAdams 2001,Drug,x,Drug\n",
        },
        "import gemtc": lambda: {"network.gemtc.xml": sample("network")["XML"]},
        "import bugs": lambda: {
            "data.txt": "list(ns=2, nt=2, t=structure(.Data=c(1,2, 1,2), .Dim=c(2,2)), "
            "r=structure(.Data=c(9,23, 11,12), .Dim=c(2,2)), n=structure(.Data=c(140,141, 78,85), .Dim=c(2,2)))"
        },
        "import metalab": lambda: {
            "gaze_following.csv": sample("metalab")["HEADER"] + sample("metalab")["ROWS"]["between"]
        },
        "import extraction": lambda: {
            "table-bw.csv": "study,arm,outcome,mean,sd,n\nA,drug,alt,3,1,10\nA,placebo,alt,4,1,10\n"
        },
        "import robvis": lambda: {"rob2.csv": sample("appraisal")["ROB2"]},
        "import prisma": lambda: {"PRISMA.csv": sample("flow")["PRISMA"]},
        "import references": lambda: {"pubmed.nbib": refs["NBIB"], "embase.ris": refs["RIS"]},
        "import duplicates": lambda: {"pubmed.nbib": refs["NBIB"], "embase.ris": refs["RIS"]},
        "import screening": lambda: {"a.ris": refs["RIS"]},
        "import retractions": lambda: {"a.ris": refs["RIS"], "retraction_watch.csv": WATCH},
        "records new": lambda: {
            "a.ris": refs["RIS"],
            "pubmed.nbib": refs["NBIB"],
            "retraction_watch.csv": WATCH,
        },
        "readings": lambda: {"read.csv": ARMS + READ},
    }.get(path, dict)()


BEFORE = {
    "import extraction": ["import arms trials.csv --into my-review --outcome alt --unit U/L"],
    "import duplicates": [
        "import references pubmed.nbib --into my-review --database PubMed",
        "import references embase.ris --into my-review --database Embase",
    ],
    "import screening": ["import references a.ris --into my-review --database Embase --date 2024-05-03"],
    "import retractions": ["import references a.ris --into my-review --database Embase --date 2024-05-03"],
    "records new": ["import references a.ris --into my-review --database Embase --date 2024-05-03"],
    "readings": ["import arms read.csv --into my-review", "build my-review -o my-review.duckdb"],
    "check": ["new my-review"],
    "describe": ["new my-review"],
    "diff": ["new my-review"],
    "trace": ["build diabetes -o diabetes.duckdb"],
}
"""What is called before the examples of a command."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List all commands of a group, as the words that call them."""
    found = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        inner = commands(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
        found += inner
    return found


PATHS = [
    pytest.param(path, marks=[pytest.mark.slow] if path[0] in SLOW else [], id=" ".join(path))
    for path in commands(cli)
]


def call(line: str) -> None:
    typed = runpy.run_path(str(INTERVIEW))["TYPED"] if "--from-question" in line else None
    result = CliRunner().invoke(cli, shlex.split(line), input=typed)
    assert result.exit_code == 0, f"evidence {line}\n{result.output}"


@pytest.mark.parametrize("path", PATHS)
def test_the_examples_of_a_command_work(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = " ".join(path)
    for file, text in {"trials.csv": TRIALS, **files_of(name)}.items():
        Path(file).write_text(text, encoding="utf-8")
    if name == "import arms":
        table(Path("deaths.xlsx"), "author,year,treatment,n,Deaths %\nLi,2001,a,10,20\nLi,2001,b,10,30\n")
    if name == "import metapsy":
        rows = sample("metapsy")
        table(Path("depression.xlsx"), rows["HEADER"] + rows["ROWS"])
    for line in BEFORE.get(name, []):
        call(line)
    if name == "diff":
        git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
        for words in (["init", "-q"], ["add", "my-review"], ["commit", "-q", "-m", "begun"]):
            subprocess.run([*git, *words], check=True)
    if name == "import screening":
        record = Path("my-review/records.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
        Path("decisions-ab.csv").write_text(f"record,decision\n{record},include\n", encoding="utf-8")
    command: click.Command = cli
    for word in path:
        command = command.get_command(click.Context(command), word)  # type: ignore[attr-defined]
    examples = [
        line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("evidence ")
    ]
    assert any(line.startswith(f"evidence {name}") for line in examples)
    for line in examples:
        call(line.removeprefix("evidence "))
