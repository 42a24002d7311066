"""The site of a review: its files, its page, its ready questions, and what was computed in advance."""

from __future__ import annotations

import csv
import json
import threading
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from analysis import network, plan
from analysis import site as sites
from analysis.site import catalog, questions, what_if, writing
from evidence import results
from evidence.cli import cli
from evidence.store.viewmap import FIRST
from evidence.system.resources import template_directory


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    """The worked example, its plan carried out."""
    file = evidence.build(template_directory(), tmp_path_factory.mktemp("file") / "trial.duckdb")
    with evidence.open(file) as db:
        runs = plan.run_plan(db)
    results.save(file, runs)
    return file


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Path:
    """A folder that looks like one with DuckDB for browsers."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "engine.js").write_text("/* engine */", encoding="utf-8")
    (folder / "LICENSES.txt").write_text("licences", encoding="utf-8")
    return folder


def added(folder: Path, database: Path, engine: Path | None) -> Path:
    """A folder with the explorer, as beside a report."""
    folder.mkdir()
    (folder / "manifest.csv").write_text("file,what,bytes,sha256\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vl_convert.javascript_bundle", lambda snippet: "/* charts */")  # seconds
        writing._add(folder, database, engine, lambda step: None)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, database, engine) -> Path:
    return added(tmp_path_factory.mktemp("site") / "s", database, engine)


def test_every_file_is_listed(folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names = ("what-if.csv", "explorer.js", "charts.js", "review.js", "engine.js", "LICENSES.txt")
    assert files == {"manifest.csv", "explorer.html", *(f"explorer/{name}" for name in names)}
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["file"] for row in csv.DictReader(stream)} == files - {"manifest.csv"}


@pytest.mark.slow
def test_the_same_review_gives_the_same_bytes(folder, tmp_path, database, engine):
    other = added(tmp_path / "other", database, engine)
    for path in sorted(folder.rglob("*")):
        assert path.is_dir() or path.read_bytes() == (other / path.relative_to(folder)).read_bytes(), path


def test_the_page_may_connect_nowhere_and_its_data_end_no_script(folder):
    page = (folder / "explorer.html").read_text(encoding="utf-8")
    policy = page.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    data = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["engine"] is True
    assert 'href="index.html"' in page
    assert "SIMULATED DATA" in page  # the worked example is simulated


def test_without_the_engine_the_page_says_what_to_do():
    data = {"file": "x.duckdb", "what_if": [], "version": "1"}
    page = writing._page({"title": "A review", "synthetic": False}, data, has_engine=False)
    assert "pip install ./wasm" in page.partition('id="remedy"')[2].partition("</p>")[0]
    assert "pip install ./wasm" not in writing._page({"title": "A review", "synthetic": False}, data, True)


def test_a_folder_without_an_engine_is_refused_before_anything_is_computed(tmp_path):
    called = CliRunner().invoke(cli, ["site", "smoking", "-o", str(tmp_path / "s"), "--wasm", str(tmp_path)])
    assert called.exit_code == 2
    assert "There is no engine.js and no LICENSES.txt in" in called.output
    assert "python wasm/make.py" in called.output
    assert list(tmp_path.iterdir()) == []


def test_the_engine_is_found_where_it_is_named_or_installed(engine, monkeypatch):
    assert sites.find(engine) == engine
    monkeypatch.setattr("analysis.site.engine.find_spec", lambda name: None)
    assert sites.find() is None


def test_the_catalog_has_everything_once_what_a_reviewer_needs_first(database):
    with evidence.open(database) as db:
        groups = catalog.groups(db)
        known = set(db.names("table", "view"))
    listed = [entry["name"] for group in groups for entry in group["entries"]]
    assert tuple(listed[: len(FIRST)]) == FIRST
    assert len(set(listed)) == len(listed)
    assert known <= set(listed)
    assert all(entry["title"] for group in groups for entry in group["entries"])


def test_every_question_is_asked_in_words_and_answered_where_there_are_rows(database):
    assert 10 <= len(questions.QUESTIONS) <= 16
    with evidence.open(database) as db:
        offered = questions.of(db)
        for question in questions.QUESTIONS:
            assert question.asks.endswith("?")
            rows = db.rows(question.sql)
            assert bool(rows) == (question.name in {item["name"] for item in offered}), question.name
    assert len(offered) >= 12


@pytest.mark.slow
def test_every_question_has_an_answer_in_a_bundled_review(tmp_path):
    unanswered = {question.name for question in questions.QUESTIONS}
    for review in ("smoking", "diabetes", "parkinson", "maternal-diet", "alf"):
        file = evidence.build(review, tmp_path / f"{review}.duckdb")
        with evidence.open(file) as db:
            runs, _ = plan.try_plan(db)
        results.save(file, runs)
        with evidence.open(file) as db:
            offered = {question["name"] for question in questions.of(db)}
        assert {"studies", "pages", "pooled"} <= offered or review == "alf", review
        unanswered -= offered
    assert unanswered == set()


def test_what_was_computed_in_advance_is_what_the_exact_engine_gives_without_the_study():
    with evidence.open("smoking") as db:
        rows, refused = what_if.rows(db)
        assert refused == {}
        [planned] = db.rows("select * from plan where kind = 'network'")
        own = network.fit(plan.planned_network(db, planned), engine="exact", model="random")
        rest = network.load(
            db, outcome="cessation", measure="OR", reference="no_contact", where="study <> '3'"
        )
        # The priors are those of all studies: leaving one out changes the data, not what was known before.
        given = {"tau_prior": own.specification.prior, "effect_prior_sd": own.specification.effect_sd}
        again = network.fit(rest, engine="exact", model="random", **given).relative_effects()
    prior = rows[0]["model"]
    for left_out, wanted in (("", own.relative_effects()), ("3", again)):
        found = [
            row
            for row in rows
            if (row["analysis"], row["model"], row["left_out"]) == (planned["analysis"], prior, left_out)
        ]
        assert [row["treatment"] for row in found] == list(wanted["treatment"])
        for name in ("estimate", "ci_lower", "ci_upper"):
            assert [row[name] for row in found] == pytest.approx(list(wanted[name]), rel=1e-6)
    assert len({row["model"] for row in rows if row["analysis"] == planned["analysis"]}) == 7


def test_the_page_is_given_the_rows_on_the_scale_on_which_they_are_read():
    with evidence.open("smoking") as db:
        rows, refused = what_if.rows(db)
        first = what_if.for_the_page(db, rows, refused)[0]
    assert first["log"] is True
    assert first["favours"] == ("Favours No contact", "Favours the treatment")
    [row] = [
        row
        for row in rows
        if row["analysis"] == first["name"]
        and row["model"] == first["models"][0]
        and row["left_out"] == ""
        and row["treatment"] == "self_help"
    ]
    cell = first["cells"][0][-1][first["treatments"].index("Self-help")]
    from math import exp

    assert cell[:3] == pytest.approx(
        [exp(row[name]) for name in ("estimate", "ci_lower", "ci_upper")], rel=1e-6
    )
    assert cell[3] == f"{cell[0]:.2f} [{cell[1]:.2f}, {cell[2]:.2f}]"


def test_the_server_is_this_machines_alone(tmp_path):
    (tmp_path / "explorer.js").write_text("1", encoding="utf-8")
    with sites.serve(tmp_path) as server:
        assert server.server_address[0] == "127.0.0.1"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/explorer.js") as given:
            assert given.headers["Content-Type"] == "text/javascript"
        server.shutdown()
        thread.join()
