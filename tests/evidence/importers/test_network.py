"""Data of GeMTC, BUGS and JAGS: the same network in five files gives the same review."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.errors import CallError, EvidenceError
from evidence.importers.network import import_bugs, import_gemtc

# Three studies, the first with three arms; treatments 1 placebo, 2 A, 3 B.
ARMS = [
    ("Study 1", "placebo", "9", "140"),
    ("Study 1", "A", "23", "141"),
    ("Study 1", "B", "10", "138"),
    ("Study 2", "A", "11", "78"),
    ("Study 2", "B", "12", "85"),
    ("Study 3", "placebo", "75", "731"),
    ("Study 3", "B", "363", "714"),
]
ROWS = """list(ns=3, nt=3, # by rows
t=structure(.Data=c(1,2,3, 2,3,NA, 1,3,NA), .Dim=c(3,3)),
r=structure(.Data=c(9,23,10, 11,12,NA, 75,363,NA), .Dim=c(3,3)),
n=structure(.Data=c(140,141,138, 78,85,NA, 731,714,NA), .Dim=c(3,3)),
na=c(3,2,2))
"""
DPUT = """list(ns = 3L, nt = 3L, t = structure(c(1L, 2L, 1L, 2L, 3L, 3L, 3L, NA, NA), .Dim = c(3L, 3L)),
    r = structure(c(9, 11, 75, 23, 12, 363, 10, NA, NA), .Dim = c(3L, 3L), .Dimnames = list(NULL, c("a", "b", "c"))),
    n = structure(c(140, 78, 731, 141, 85, 714, 138, NA, NA), dim = c(3L, 3L)), na = c(3L, 2L, 2L))
"""
DUMP = """`t` <-
structure(c(1, 2, 1, 2, 3, 3, 3, NA, NA), .Dim = c(3, 3))
"r" <- structure(.Data = c(9, 11, 75, 23, 12, 363, 10, NA, NA), .Dim = c(3, 3))
n <- structure(c(140, 78, 731, 141, 85, 714, 138, NA, NA), .Dim = c(3, 3))
na <- c(3, 2:2, 2)
ns <- 3
"""
RECTANGULAR = """list(ns=3, nt=3)
r[,1] n[,1] r[,2] n[,2] r[,3] n[,3] t[,1] t[,2] t[,3] na[]
9 140 23 141 10 138 1 2 3 3 # first
11 78 12 85 NA NA 2 3 NA 2
75 731 363 714 NA NA 1 3 NA 2
END
"""
LONG = """list(s=c(1,1,1,2,2,3,3), t=c(1,2,3,2,3,1,3), r=c(9,23,10,11,12,75,363),
n=c(140,141,138,78,85,731,714), ns=3)"""
XML = (
    '<?xml version="1.0"?><network type="rate"><treatments><treatment id="P">placebo</treatment>'
    '<treatment id="A"/><treatment id="B">B</treatment></treatments><studies>'
    + "".join(
        f'<study id="Study {i}">'
        + "".join(
            f'<measurement treatment="{"P" if t == "placebo" else t}" responders="{r}" sample="{n}"/>'
            for s, t, r, n in ARMS
            if s == f"Study {i}"
        )
        + "</study>"
        for i in (1, 2, 3)
    )
    + "</studies></network>"
)
NAMES = {"1": "placebo", "2": "A", "3": "B"}


def arms(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as handle:
        return [tuple(r[c] for c in ("study", "arm", "events", "n")) for r in csv.DictReader(handle)]


@pytest.mark.parametrize(
    ("text", "order"),
    [(ROWS, "row by row"), (DPUT, "column by column"), (DUMP, "column by column"), (RECTANGULAR, "")],
    ids=["rows", "dput", "dump", "rectangular"],
)
def test_every_order_of_a_matrix(tmp_path, text, order):
    (tmp_path / "data.txt").write_text(text, encoding="utf-8")
    report = import_bugs(tmp_path / "data.txt", tmp_path / "review", outcome="quit", names=NAMES)
    assert arms(tmp_path / "review") == ARMS
    assert order in str(report)


def test_vectors_with_a_row_for_each_arm(tmp_path):
    (tmp_path / "data.txt").write_text(LONG, encoding="utf-8")
    import_bugs(tmp_path / "data.txt", tmp_path / "review", outcome="quit", names=NAMES)
    assert [row[1:] for row in arms(tmp_path / "review")] == [row[1:] for row in ARMS]


def test_a_wrong_order_is_noticed_by_na(tmp_path):
    (tmp_path / "data.txt").write_text(ROWS, encoding="utf-8")
    with pytest.raises(EvidenceError, match="--by-column or --by-row"):
        import_bugs(tmp_path / "data.txt", tmp_path / "review", outcome="quit", by_column=True)
    assert not (tmp_path / "review").exists()


def test_every_treatment_needs_its_name(tmp_path):
    (tmp_path / "data.txt").write_text(ROWS, encoding="utf-8")
    with pytest.raises(CallError, match="--name 3=NAME"):
        import_bugs(tmp_path / "data.txt", tmp_path / "review", outcome="quit", names={"1": "p", "2": "a"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("list(r = c(1, 2", "cannot be read"),
        ("list(t = structure(.Data = c(1, 2, 3), .Dim = c(2, 2)))", "2 by 2 with 3 values"),
        ("list(ns = 3)", "holds no vector or matrix"),
        ("list(r = system('ls'))", "is no number"),
        ("list(r = 1:99999999999)", "too long"),
        ("model { }", "cannot be read"),
        ("just words", "cannot be read"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path, text, message):
    (tmp_path / "data.txt").write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=message):
        import_bugs(tmp_path / "data.txt", tmp_path / "review", outcome="quit")
    assert not (tmp_path / "review").exists()


def test_gemtc_xml(tmp_path):
    (tmp_path / "n.xml").write_text(XML, encoding="utf-8")
    import_gemtc(tmp_path / "n.xml", tmp_path / "review", outcome="quit")
    assert arms(tmp_path / "review") == ARMS


def test_gemtc_json(tmp_path):
    import json

    entries = [
        {
            "study": s,
            "treatment": 1 + ["placebo", "A", "B"].index(t),
            "responders": int(r),
            "sampleSize": int(n),
        }
        for s, t, r, n in ARMS
    ]
    treatments = [{"id": int(i), "name": name} for i, name in NAMES.items()]
    (tmp_path / "n.json").write_text(json.dumps({"entries": entries, "treatments": treatments}))
    import_gemtc(tmp_path / "n.json", tmp_path / "review", outcome="quit")
    assert arms(tmp_path / "review") == ARMS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.xml", XML.replace('treatment="A"', 'treatment="Q"'), "unknown treatment 'Q'"),
        ("n.xml", "<html/>", "not network"),
        ("n.xml", "<network/>", "no measurement"),
        ("n.json", "{", "is not JSON"),
        ("n.json", "{}", "no list of entries"),
        ("n.json", "[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_network_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=message):
        import_gemtc(tmp_path / name, tmp_path / "review", outcome="quit")


def test_the_commands(tmp_path):
    (tmp_path / "n.xml").write_text(XML, encoding="utf-8")
    (tmp_path / "d.txt").write_text(ROWS, encoding="utf-8")
    options = ["--outcome", "quit", "--higher-is-better"]
    names = [part for number, name in NAMES.items() for part in ("--name", f"{number}={name}")]
    for kind, file, more in (("gemtc", "n.xml", []), ("bugs", "d.txt", names)):
        into = ["--into", str(tmp_path / kind)]
        result = CliRunner().invoke(cli, ["import", kind, str(tmp_path / file), *into, *options, *more])
        assert result.exit_code == 0, result.output
        assert arms(tmp_path / kind) == ARMS
