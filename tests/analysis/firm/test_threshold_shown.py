"""Thresholds asked for in a plan are rows, and what is printed and reported of them is what the rows say."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from analysis import network, plan, plot
from analysis.charts.base.effect import Effect
from analysis.firm import words
from analysis.language.catalog import speaking
from evidence import results
from evidence.cli import cli
from evidence.system.frames import records
from evidence.system.resources import reviews_directory

PLAN = 'sensitivity = ["thresholds"]\ndecision = "top 2"\nplausible_bias = 1.0\nrefit = 1\n'


def call(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The smoking review, its network's plan asking for thresholds, analysed."""
    folder = tmp_path_factory.mktemp("thresholds") / "smoking"
    shutil.copytree(reviews_directory() / "smoking", folder)
    text = (folder / "review.toml").read_text(encoding="utf-8")
    asked = text.replace("leave_one_out = true\n", PLAN, 1).replace("node_split = true\n", "", 1)
    (folder / "review.toml").write_text(asked, encoding="utf-8")
    target = folder.parent / "smoking.duckdb"
    evidence.build(folder, target)
    with evidence.open(target) as db:
        results.save(target, [plan.run_planned(db, db.rows("select * from plan where kind = 'network'")[0])])
    return target


@pytest.fixture(scope="module")
def rows(file) -> list:
    with evidence.open(file) as db:
        return db.rows("select * from result_threshold order by rowid")


def test_planned_thresholds_are_kept_as_the_fit_gives_them(file, rows):
    with evidence.open(file) as db:
        net = network.load(db, outcome="cessation", measure="OR", reference="no_contact")
        kept = results.read(db, "cessation-network").frames["thresholds"]
    found = network.fit(net).thresholds("top 2", refit=1, plausible_bias=1.0)
    assert records(kept) == records(found)
    assert {row["model"] for row in rows} == {"common", "random"}
    assert {row["decision"] for row in rows} == {"top 2"}
    assert all(row["nearest"] is None or row["nearest"] >= 0 for row in rows)


def test_the_command_prints_what_is_kept(file, rows):
    asked = ("threshold", file, "cessation-network", "--decision", "top 2", "--refit", "1")
    printed = json.loads(call(*asked, "--plausible-bias", "1.0", "--format", "json").output)
    kept = [{name: value for name, value in row.items() if name != "run_id"} for row in rows]
    assert printed == kept
    text = call(*asked, "--rows", "3").output
    assert "Best by their estimates: Group counselling, Individual counselling." in text
    assert "grp_counseling" not in text
    assert "tau anew: sought up to ten times the largest effect of a study" in text


def test_the_report_has_a_section_only_where_the_plan_asks_for_it(file, rows):
    from analysis.report.blocks import Figure, Text
    from analysis.report.links import Links
    from analysis.report.material import Material
    from analysis.report.sections.network import network_section

    with evidence.open(file) as db:
        material = Material(db, {})
        run = results.read(db, "cessation-network")
        section = network_section(material, run, Links())
        part = next(one for one in section.parts if one.anchor.endswith("thresholds"))
        random = [row for row in rows if row["model"] == "random"]
        said = next(block for block in part.blocks if isinstance(block, Text))
        assert list(said.paragraphs) == words.conclusions(random, material.effect(run), material.studies)
        assert any(isinstance(block, Figure) for block in part.blocks)
        frames = {**run.frames, "thresholds": run.frames["thresholds"].iloc[:0]}
        bare = network_section(material, replace(run, frames=frames), Links())
        assert not [one for one in bare.parts if one.anchor.endswith("thresholds")]


def test_sentences_count_what_the_rows_show(rows):
    random = [row for row in rows if row["model"] == "random"]
    studies = [row for row in random if row["level"] == "study"]
    said = words.conclusions(random, Effect("OR", "Stopping"), {})
    nearest = min((row for row in studies if row["nearest"] is not None), key=lambda row: row["nearest"])
    inside = sum(
        (row["lower"] is not None and row["estimate"] + row["lower"] >= row["ci_lower"])
        or (row["upper"] is not None and row["estimate"] + row["upper"] <= row["ci_upper"])
        for row in studies
    )
    assert said[1].startswith(f"Nearest to a change: {nearest['study']}: ")
    assert f"Of {len(studies)} effects of studies and arms, {inside} would change it within" in said[2]
    biased = sum(row["nearest"] is not None and row["nearest"] <= 1.0 for row in studies)
    assert said[3] == f"A bias of up to a factor of 2.72 would change it in {biased} of {len(studies)}."
    with speaking("de"):
        assert words.conclusions(random, Effect("OR", "Stopping"), {})[0].startswith(
            "Nach den Schätzungen am besten"
        )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"lower": -0.5, "upper": 0.7, "lower_decision": "b"}, "Lower by 0.50, and it would be b."),
        ({"lower": -0.8, "upper": 0.7, "upper_decision": "c"}, "Higher by 0.70, and it would be c."),
        ({"decided": "holds", "lower": -0.5, "upper": None}, "Lower by 0.50, and that would turn."),
        ({"lower": None, "upper": None}, "No change of one study's effect alone, however large, would change it."),
    ],
)  # fmt: skip
def test_the_side_that_is_nearer_is_said(row, said):
    plain = {"level": "study", "model": "common", "decision": "best", "decided": "a", "study": "s", "experiment": "main",
             "treatment": "a", "versus": "b", "n_arms": 2, "estimate": 0.0, "std_error": 0.1, "ci_lower": -0.2, "ci_upper": 0.2,
             "lower_decision": None, "upper_decision": None, "plausible_bias": None}  # fmt: skip
    whole = plain | row
    known = [abs(whole[side]) for side in ("lower", "upper") if whole[side] is not None]
    whole |= {
        "nearest": min(known, default=None),
        "invariant_lower": whole["lower"],
        "invariant_upper": whole["upper"],
    }
    if whole["decided"] == "holds":
        whole["decision"] = "a better than b"
    assert any(sentence.endswith(said) for sentence in words.conclusions([whole], Effect("MD"), {}))


def test_a_wrong_call_says_what_would_be_right(file):
    for arguments, said in (
        (("alf-simulated",), "The plan has 4 networks: name one, such as alt-network"),
        (("smoking", "cesation-network"), "did you mean 'cessation-network'?"),
        (("smoking", "--decision", "the winner"), "There is no decision 'the winner'"),
        (("smoking", "--region", "1", "2"), "say where to"),
        (("smoking", "--engine", "mcmc"), "take the engine frequentist or exact"),
        (("smoking", "--outcome", "weight"), "The plan has no such network"),
    ):
        result = call("threshold", *arguments)
        assert result.exit_code == 2, result.output
        assert said in result.output, result.output


def test_charts_draw_the_rows(file, tmp_path):
    picture = tmp_path / "region.svg"
    done = call(
        "threshold", file, "cessation-network", "--region", "1", "2", "-o", picture, "--format", "csv"
    )
    assert done.exit_code == 0
    assert "<svg" in picture.read_text(encoding="utf-8")
    with evidence.open(file) as db:
        chart = plot.of_base(db, "threshold-forest").to_dict()
    (drawn,) = [rows for name, rows in chart["datasets"].items() if name == "rows"]
    labels = [row["label"] for row in drawn if row["kind"] == "point"]
    assert any("Group counselling" in label for label in labels)
    assert not any(re.search("grp_|ind_", label) for label in labels)
