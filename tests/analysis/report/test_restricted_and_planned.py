"""A condition gives what deleting the other rows gives; the plan gives what the command line gives."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

import evidence
from analysis.plan import run_network, run_pairwise, run_planned
from evidence.cli import cli

CONDITIONS = {
    "y1": ("year > 2003", lambda s: s.year > 2003),
    "y2": ("model = 'acute' or year = 2001", lambda s: s.model == "acute" or s.year == 2001),
    "y3": ("study not in ('s02', 's05')", lambda s: s.study not in ("s02", "s05")),
}
PLAN = """
[[protocol.analysis]]
name = "pair"
outcome = "y"
measure = "MD"
treatment = "a"
versus = "c"
where = "year > 2003"
subgroup = "model"
[[protocol.analysis]]
name = "net"
kind = "network"
outcome = "y"
measure = "MD"
where = "year > 2003"
node_split = true
"""


@pytest.fixture(scope="module")
def file(small_review, tmp_path_factory):
    """One folder: outcome y of every study, and y1 ... of those alone that meet a condition."""
    folder = small_review.write(tmp_path_factory.mktemp("where") / "r", PLAN, small_review.studies())
    kept = {
        name: {s.study for s in small_review.studies() if keep(s)} for name, (_, keep) in CONDITIONS.items()
    }
    for path in (folder / "outcomes.csv", folder / "measurements.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        more = [
            row | {"outcome": name}
            for name, some in kept.items()
            for row in rows
            if "study" not in row or row["study"] in some
        ]
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows([*rows, *more])
    return evidence.build(folder, folder.parent / "where.duckdb")


_OF_THE_QUESTION = ("Only studies where", "Time point of each study", "Reference treatment")


def said(run):
    """Everything a run says, but for the names of rows, the outcome and what was left out."""
    names = {"contrast_id", "measurement_ids", "outcome", "run_id"}
    parts = {}
    for name in (
        "estimates",
        "heterogeneity",
        "leave_one_out",
        "weights",
        "ranking",
        "inconsistency",
        "notes",
    ):
        if name in run.frames:
            rows = run.frames[name].drop(columns=names, errors="ignore")
            if name == "notes":
                rows = rows[~rows["message"].str.startswith(_OF_THE_QUESTION)]
            parts[name] = json.loads(rows.to_json(orient="records", double_precision=12))
    return parts


@pytest.mark.slow
@pytest.mark.parametrize("outcome", CONDITIONS)
def test_a_condition_gives_what_deleting_the_other_studies_gives(file, outcome):
    where = CONDITIONS[outcome][0]
    with evidence.open(file) as db:
        pair = {"measure": "MD", "treatment": "a", "versus": "c"}
        for run, asked in ((run_pairwise, pair), (run_network, {"measure": "MD", "node_split": True})):
            restricted = said(run(db, outcome="y", where=where, **asked))
            reduced = said(run(db, outcome=outcome, **asked))
            assert restricted["estimates"]
            assert restricted == reduced


@pytest.mark.slow
def test_the_plan_says_what_the_command_line_says(file):
    commands = {
        "pair": ["pool", "--treatment", "a", "--versus", "c", "--by", "model"],
        "net": ["nma", "--reference", "c", "--node-split"],
    }
    with evidence.open(file) as db:
        for row in db.rows("select * from plan where origin = 'plan'"):
            command, *options = commands[row["analysis"]]
            asked = ["--outcome", "y", "--measure", "MD", "--where", "year > 2003", "--timepoint", "last"]
            asked += ["--format", "json"]
            printed = CliRunner().invoke(cli, [command, str(file), *asked, *options])
            assert printed.exit_code == 0, printed.output
            document = json.loads(printed.stdout)
            planned = json.loads(json.dumps(run_planned(db, row).document()))
            for part in document.keys() - {"run"}:
                assert document[part] == planned[part], part
