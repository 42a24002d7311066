"""What changed between two states: conclusions that turned, numbers that moved, and how both are written."""

from __future__ import annotations

import csv
import json
import subprocess

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

import evidence
from analysis import plan
from analysis.changed.comparison import comparing
from analysis.changed.conclusions import turned as turned_conclusions
from analysis.changed.kept import keep
from analysis.changed.written import document, escaped, markdown, text
from evidence.cli import cli
from evidence.errors import ReviewError
from evidence.system.frames import records

_PLAN = """
title = "Pain"
[protocol]
reference = "placebo"
[[protocol.analysis]]
name = "pair"
kind = "pairwise"
outcome = "pain"
measure = "MD"
treatment = "drug"
versus = "placebo"
ci = "Wald"
[[protocol.analysis]]
name = "net"
kind = "network"
outcome = "pain"
measure = "MD"
"""
_CLAIM = "claim,text,query,operator,expected\nfew,There are five studies,select count(*) from study,=,5\n"
# Study by study: drug and placebo, or drug, other and placebo; means, with SD 2 and 40 in each arm.
_MEANS = {
    "A": {"drug": 4.0, "placebo": 5.0},
    "B": {"drug": 4.2, "placebo": 5.1},
    "C": {"drug": 4.1, "other": 4.6, "placebo": 5.2},
    "D": {"other": 4.7, "placebo": 5.3},
    "E": {"drug": 4.4, "placebo": 5.2},
}


def write(folder, means=None, *, names=None, unit="cm", scale=1.0, toml=_PLAN, difference="0.5"):
    """A review folder: one continuous outcome, three treatments."""
    named = (names or {}).get
    means = _MEANS if means is None else means
    folder.mkdir(parents=True)
    tables = {
        "studies.csv": [("study", "year"), *((study, 2000) for study in means)],
        "treatments.csv": [("treatment", "label", "role"), *(
            (named(name, name), named(name, name), "control" if name == "placebo" else "active")
            for name in ("drug", "other", "placebo")
        )],
        "outcomes.csv": [
            ("outcome", "label", "kind", "unit", "lower_is_better", "smallest_important_difference"),
            ("pain", "Pain", "continuous", unit, "true", float(difference) * scale if difference else ""),
        ],
        "arms.csv": [("study", "arm", "treatment", "n"), *(
            (study, arm, named(arm, arm), 40) for study, arms in means.items() for arm in arms
        )],
        "measurements.csv": [("study", "arm", "outcome", "mean", "sd"), *(
            (study, arm, "pain", f"{mean * scale:.10g}", f"{2 * scale:.10g}")
            for study, arms in means.items() for arm, mean in arms.items()
        )],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / name).open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
    for name in ("placebo",):
        toml = toml.replace(f'"{name}"', json.dumps(named(name, name)))
    (folder / "review.toml").write_text(toml.replace('"drug"', json.dumps(named("drug", "drug"))))
    (folder / "claims.csv").write_text(_CLAIM)
    return folder


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The old state: a folder."""
    return write(tmp_path_factory.mktemp("changes") / "review")


@pytest.fixture(scope="module")
def weaker(tmp_path_factory):
    """The new one: in study A the drug did worse, and a sixth study shows the other treatment to be good."""
    means = _MEANS | {"A": {"drug": 6.5, "placebo": 5.0}, "F": {"other": 3.0, "placebo": 5.0}}
    return write(tmp_path_factory.mktemp("changes") / "review", means)


@pytest.fixture(scope="module")
def turned(old, weaker):
    """What changed, with both states open."""
    with comparing(old, weaker) as comparison:
        yield comparison


def of_kind(comparison, kind):
    return [row for row in records(comparison.conclusions) if row["kind"] == kind]


# --- conclusions and numbers --------------------------------------------------------------------------------


def test_an_interval_that_comes_to_hold_no_effect_turns_and_both_sentences_are_the_report_s(
    turned, old, weaker
):
    from analysis.report.conclusion import conclude
    from analysis.report.links import Links, as_text

    (row,) = [row for row in of_kind(turned, "effect") if row["analysis"] == "pair"]
    assert (row["before"], row["after"]) == ("better", "not told apart")
    assert (row["treatment"], row["versus"], row["outcome"]) == ("drug", "placebo", "pain")
    for side, state in (("before", turned.old), ("after", turned.new)):
        run = next(run for run in state.material.runs if run.analysis == "pair")
        assert row[f"sentence_{side}"] == as_text(conclude(state.material, run, Links()))
        assert row[f"run_{side}"] == run.run_id
    assert row["sentence_before"].startswith(
        "In 4 studies with 320 participants, drug was better than placebo"
    )


def test_numbers_that_moved_are_those_of_both_runs(turned, old, weaker):
    moved = {
        (row["analysis"], row["quantity"], row["model"], row["treatment"], row["versus"]): row
        for row in records(turned.results)
        if row["evidence"] in (None, "direct", "network")
    }
    for folder, side in ((old, "before"), (weaker, "after")):
        with evidence.open(folder) as db:
            run = plan.run_pairwise(
                db,
                outcome="pain",
                measure="MD",
                treatment="drug",
                versus="placebo",
                ci="Wald",
                analysis="pair",
            )
        for row in records(run.frames["estimates"]):
            found = moved["pair", "estimate", row["model"], "drug", "placebo"]
            assert [found[side], found[f"{side}_lower"], found[f"{side}_upper"]] == pytest.approx(
                [row["estimate"], row["ci_lower"], row["ci_upper"]], rel=1e-12
            )
    # By hand: in each study 40 + 40 with SD 2, so a common effect is the mean of the four differences.
    common = moved["pair", "estimate", "common", "drug", "placebo"]
    assert common["before"] == pytest.approx((-1.0 - 0.9 - 1.1 - 0.8) / 4)
    assert common["after"] == pytest.approx((1.5 - 0.9 - 1.1 - 0.8) / 4)
    assert ("pair", "n_studies", None, None, None) not in moved
    assert moved["net", "n_studies", None, None, None]["after"] == 6


def test_treatments_that_swapped_places_and_the_leader_are_conclusions(turned):
    (order,) = of_kind(turned, "order")
    assert (order["treatment"], order["versus"]) == ("drug", "other")
    assert order["sentence_before"].startswith("drug ranked before other (P-score ")
    assert order["sentence_after"].startswith("other ranked before drug (P-score ")
    (best,) = of_kind(turned, "best")
    assert "drug ranked first" in best["sentence_before"]
    assert "other" in best["after"]


def test_a_claim_that_fails_is_a_conclusion(turned):
    (claim,) = of_kind(turned, "claim")
    assert (claim["before"], claim["after"]) == ("holds", "does not hold")
    assert claim["sentence_after"] == "There are five studies (does not hold, found 6, expected = 5)"


@pytest.mark.slow
def test_what_an_interval_says_of_the_smallest_important_difference_is_a_conclusion(old, tmp_path):
    # The interval of the drug is -0.95 +- 1.96 * sqrt(2 * 4 / 40 / 4) = -1.39 to -0.51.
    with comparing(old, write(tmp_path / "higher", difference="0.6")) as found:
        (row,) = [row for row in of_kind(found, "importance") if row["analysis"] == "pair"]
        assert (row["before"], row["after"]) == ("better: all", "better: some")
        assert (
            "every value in it is at least the smallest important difference (0.5 cm)"
            in row["sentence_before"]
        )
        assert "benefits smaller than the smallest important difference (0.6 cm)" in row["sentence_after"]


@pytest.mark.slow
def test_an_analysis_that_is_refused_now_is_a_conclusion_with_the_reason(old, tmp_path):
    means = {"C": {"drug": 4.1, "other": 4.6}, "D": {"other": 4.7, "placebo": 5.3}}
    with comparing(old, write(tmp_path / "review", means)) as found:
        (row,) = of_kind(found, "analysis")
    assert (row["analysis"], row["before"], row["after"]) == ("pair", "carried out", "refused")
    assert "drug" in row["sentence_after"]


@pytest.mark.slow
def test_audits_new_and_settled_are_conclusions(old, tmp_path):
    new = write(tmp_path / "review")
    text = (new / "measurements.csv").read_text()
    (new / "measurements.csv").write_text(text.replace("A,drug,pain,4,2", "A,drug,pain,4,0.00002"))
    with comparing(old, new) as found:
        there = of_kind(found, "audit")
        back = records(turned_conclusions(found.new, found.old))
    assert there
    assert all(row["before"] is None and row["sentence_after"] for row in there)
    settled = [row["sentence_before"] for row in back if row["kind"] == "audit" and row["after"] is None]
    assert settled == [row["sentence_after"] for row in there]


# --- what is the same ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_other_names_and_units_move_neither_numbers_nor_conclusions(old, tmp_path):
    new = write(tmp_path / "review", names={"drug": "Zdrug", "placebo": "A sham"}, unit="mm", scale=10.0)
    with comparing(old, new) as found:
        assert {one.change for one in found.evidence} == {"relabelled", "converted"}
        assert [(one.before, one.after) for one in found.evidence if one.change == "relabelled"] == [
            ("placebo", "A sham"), ("drug", "Zdrug"),
        ]  # fmt: skip
        assert found.results.empty
        assert found.conclusions.empty
        assert "3 changes of the evidence" not in text(found)


@pytest.mark.slow
def test_another_measure_is_shown_in_both_measures(old, tmp_path):
    new = write(tmp_path / "review", toml=_PLAN.replace('"MD"\ntreatment', '"SMD"\ntreatment'))
    with comparing(old, new) as found:
        rows = [row for row in records(found.results) if row["main"] and row["quantity"] == "estimate"]
        assert [(row["measure_before"], row["measure_after"]) for row in rows] == [("MD", "SMD")]
        assert [(row["unit_before"], row["unit_after"]) for row in rows] == [("cm", None)]


def test_the_same_state_has_no_change_and_nothing_is_fitted(old, monkeypatch):
    monkeypatch.setattr("analysis.changed.analysed.updated", None)
    with comparing(old, old) as found:
        assert found.nothing
        assert text(found).endswith(": no change.\n")
        assert "**no change**" in markdown(found)
        assert document(found)["changed"] is False


# --- written ------------------------------------------------------------------------------------------------


def test_on_a_terminal_conclusions_come_first_and_blocks_are_short(turned):
    said = text(turned, most=2)
    places = [
        said.index(part) for part in ("Conclusions that moved", "Numbers that moved", "Evidence that changed")
    ]
    assert places == sorted(places)
    assert "measurements.csv:2  A, drug, pain: mean 4 → 6.5" in said
    assert "studies.csv:7  study added: F (2 arms, 2 measurements)" in said
    assert "  and " in said
    assert max(map(len, said.splitlines())) <= 100
    assert "drug versus placebo, mean difference, random effects: −0.95 cm [−1.39, −0.51] → " in said


def test_json_has_every_row_and_the_columns_of_the_tables(turned):
    found = json.loads(json.dumps(document(turned), allow_nan=False))
    assert found["changed"] is True
    assert [state["n_study"] for state in found["states"]] == [5, 6]
    assert len(found["results"]) == len(turned.results)
    assert {"table", "key", "change", "before", "after", "file", "line"} <= found["evidence"][0].keys()


HOSTILE = (
    "@maintainer #1 GH-2 owner/repo#3 https://example.org www.example.org a@b.org :tada: "
    "<img src=x onerror=alert(1)> [link](https://e.org) ![p](x) `code` **bold** _em_ ~~no~~ | cell\n# head $x^2$"
)


def test_a_hostile_name_is_text_in_a_comment(old, tmp_path):
    means = {(HOSTILE.replace("\n", " ") if name == "A" else name): arms for name, arms in _MEANS.items()}
    new = write(tmp_path / "review", means, toml=_PLAN.replace('"Pain"', json.dumps(HOSTILE)))
    with comparing(old, new) as found:
        said = markdown(found)
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = [token for block in reader.parse(said) for token in (block, *(block.children or ()))]
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "code_inline", "em_open", "s_open", "fence", "code_block"}
    ours = {"<details><summary>", "</details>", "<span>", "</span>"}
    for token in tokens:
        if token.type in ("html_inline", "html_block"):
            assert any(token.content.strip().startswith(one) for one in ours), token.content
    headings = [token for token in tokens if token.type == "heading_open"]
    assert len(headings) == 1
    read = " ".join(token.content for token in tokens if token.type == "text")
    for linked in ("@maintainer", "#1", "GH-2", "repo#3", "://", "www.", "a@b", ":tada:"):
        assert linked not in read
    assert "\N{WORD JOINER}" in read
    # Strong text is ours: the tally.
    assert sum(token.type == "strong_open" for token in tokens) == 1
    assert escaped("$a$") == "<span>$</span>a<span>$</span>"


# --- the command --------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(cli, ["diff", *map(str, arguments)], catch_exceptions=False)


def test_exit_codes_and_the_file_of_changes(old, weaker, tmp_path):
    done = run(old, old, "--fail-on", "conclusions")
    assert (done.exit_code, done.stdout.strip().endswith("no change.")) == (0, True)
    file = tmp_path / "changed.duckdb"
    done = run(old, weaker, "--fail-on", "conclusions", "--format", "json", "-o", file)
    assert done.exit_code == 1
    printed = json.loads(done.stdout)
    with evidence.open(file) as db:
        assert db.value("select count(*) from study") == 6
        for table, part in (("conclusion", "conclusions"), ("result", "results"), ("evidence", "evidence")):
            assert db.value(f"select count(*) from change_{table}") == len(printed[part])
        rows = db.rows("select * from change_conclusion where kind = 'effect' and analysis = 'pair'")
        assert [row["sentence_after"] for row in rows] == [
            row["sentence_after"]
            for row in printed["conclusions"]
            if (row["kind"], row["analysis"]) == ("effect", "pair")
        ]
        # Walks on to the run that it rests on.
        run_id = rows[0]["run_after"]
        assert db.value("select count(*) from result_weight where run_id = ?", [run_id])
    assert run(old, "nowhere").exit_code == 2


@pytest.mark.slow
def test_a_changed_word_moves_no_conclusion_and_passes(old, tmp_path):
    new = write(tmp_path / "review", toml=_PLAN.replace('"Pain"', '"Pain in adults"'))
    done = run(old, new, "--fail-on", "conclusions")
    assert done.exit_code == 0
    assert "review.toml  title Pain → Pain in adults" in done.stdout
    assert "Conclusions" not in done.stdout


def test_states_that_do_not_build_say_every_error_of_both_and_nothing_is_written(old, tmp_path):
    broken = [write(tmp_path / name / "review") for name in ("one", "two")]
    for folder, cell in zip(broken, ("many", "some")):
        text = (folder / "studies.csv").read_text()
        (folder / "studies.csv").write_text(text.replace("A,2000", f"A,{cell}").replace("B,2000", "B,1"))
    file = tmp_path / "kept.duckdb"
    done = run(*broken, "-o", file)
    assert done.exit_code == 1
    assert [done.output.count(word) for word in ("many", "some", "studies.csv:3")] == [1, 1, 2]
    assert not file.exists()
    with pytest.raises(ReviewError), comparing(old, broken[0]):
        pass


@pytest.mark.slow
def test_a_review_folder_is_compared_with_a_revision_of_itself(tmp_path):
    folder = write(tmp_path / "repository" / "review")
    git = ["git", "-C", str(folder.parent), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    cells = (folder / "measurements.csv").read_text().replace("A,drug,pain,4,", "A,drug,pain,3.9,")
    (folder / "measurements.csv").write_text(cells)
    done = run(f"{folder}@HEAD", folder, "--format", "markdown")
    assert done.exit_code == 0
    assert "| measurements.csv:2 | A, drug, pain: mean 4 → 3.9 |" in done.stdout
    assert "No conclusion moved." in done.stdout


# --- the report ---------------------------------------------------------------------------------------------


def test_a_report_since_an_earlier_state_opens_with_what_changed_and_walks_back_to_rows(turned, tmp_path):
    from analysis.report.links import Links, as_text
    from analysis.report.material import Material
    from analysis.report.sections.changed import changed_section

    file = tmp_path / "review.duckdb"
    keep(turned, file)
    with evidence.open(file) as db:
        links = Links()
        section = changed_section(Material(db, {}), links)
        assert section.title == "What changed"
        said, conclusions, numbers, cells = section.blocks
        assert said.paragraphs[0].startswith(f"Since {turned.old.name}: conclusions that moved ")
        assert [row["after"] for row in conclusions.rows] == [
            row["sentence_after"] or row["after"] for row in records(turned.conclusions)
        ]
        (pair,) = [row for row in numbers.rows if as_text(row["what"]).startswith("drug versus placebo, random")
                   and row["group"].startswith("Pain: drug")]  # fmt: skip
        assert pair["before"] == "−0.95 [−1.39, −0.51]"
        assert pair["after"] != as_text(pair["after"])
        assert "measurements.csv:2" in [row["place"] for row in cells.rows]
        panel = links.panel(db, {})
        for fact in panel["facts"].values():
            assert str(db.rows(fact["query"])[0]["change_id"]) == fact["rows"][0]["change_id"]
        assert panel["numbers"]
    with evidence.open("smoking") as db:
        assert changed_section(Material(db, {}), Links()) is None


@pytest.mark.slow
def test_the_command_report_opens_with_what_changed(old, weaker, tmp_path):
    done = CliRunner().invoke(
        cli,
        ["report", str(weaker), "-o", str(tmp_path / "report"), "--since", str(old)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.index('id="changed-title"') < page.index('id="answer-title"')
    assert (tmp_path / "report" / "review.duckdb").is_file()
