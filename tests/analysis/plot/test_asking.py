"""A chart by its name: every chart by command, in every format, the same as the report's, or an error that helps."""

from __future__ import annotations

import json
from functools import cache

import pandas as pd
import pytest
from click.testing import CliRunner

import evidence
from analysis import charts, network, pairwise, plan, plot
from analysis.charts import registry
from analysis.charts.base.files import specification
from analysis.plot.gallery.drawings import EXAMPLES, code, command
from analysis.report.blocks import Figure, everything
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.whole import assemble
from evidence.cli import cli
from evidence.errors import CallError, RefusedError


@pytest.fixture(scope="module", autouse=True)
def _fitted_once():
    """Fit each analysis once: what is tested is what is drawn."""
    fitted = plan.fitted

    @cache
    def once(path, kind, asked):
        with evidence.open(path) as db:
            return fitted(db, kind, json.loads(asked))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            plan,
            "fitted",
            lambda db, kind, options, progress=None: once(db.path, kind, json.dumps(options, default=str)),
        )
        yield


def run(*arguments: str):
    return CliRunner().invoke(cli, ["plot", *map(str, arguments)])


def drawn(tmp_path, *arguments: str) -> dict:
    target = tmp_path / "picture.json"
    done = run(*arguments, "-o", target)
    assert done.exit_code == 0, done.output
    return json.loads(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", registry.CHARTS)
def test_every_chart_is_drawn_by_its_command(tmp_path, name):
    review, options = EXAMPLES[name]
    # The smaller of two reviews that have judgements and a flow.
    review = {"alf-simulated": "alf"}.get(review, review)
    given = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    spec = drawn(tmp_path, review, name.replace("_", "-"), *given)
    said = spec["usermeta"]["evidence"]
    assert said["chart"] == name
    assert len(spec["description"]) > 20
    if options:
        outcome = {"diabetes": "HbA1c", "smoking": "Smoking cessation"}[review]
        assert outcome.lower() in said["title"].lower(), said["title"]
        assert outcome.lower() in spec["description"].lower()


def test_the_gallery_shows_the_command_and_the_line_of_each_chart():
    assert command("bubble") == ("evidence plot smoking bubble --analysis cessation-individual -o bubble.svg")
    assert code("prisma_flow") == 'plot.of_base(evidence.open("alf-simulated"), "prisma_flow")'


@pytest.mark.parametrize("form", ["svg", "png", "pdf", "html", "csv"])
def test_a_picture_is_written_in_the_format_of_its_name(tmp_path, form):
    target = tmp_path / f"vs. no contact.{form}"
    assert run("smoking", "Forest", "-o", target).exit_code == 0
    begins = {
        "svg": b"<svg",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "html": b"<!DOCTYPE html>",
        "csv": b"kind,label",
    }
    assert target.read_bytes().lstrip().lower().startswith(begins[form].lower())


def test_without_a_name_the_picture_is_named_for_what_it_is_of_and_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("smoking", "network_diagram")
    assert done.output.split() == ["smoking-network-diagram.svg"]
    assert (tmp_path / "smoking-network-diagram.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("smoking", "forrest"), "Did you mean 'forest'"),
        (("diabetes", "forest"), "name one (--analysis hba1c-metformin); there are hba1c-metformin, hba1c-rosiglitazone"),
        (("diabetes", "forest", "--analysis", "hba1c-metf"), "Did you mean 'hba1c-metformin'?"),
        (("smoking", "forest", "--outcome", "cesation"), "Did you mean 'cessation'"),
        (("smoking", "league", "--outcome", "cessation", "--measure", "MD"), "MD"),
        (("smoking", "forest", "--outcome", "cessation", "--measure", "RR"), "name --treatment and --versus"),
        (("smoking", "league", "--versus", "no_contact"), "leave --versus out"),
        (("smoking", "forest", "-o", "picture.gif"), "svg, png, pdf, html, json, csv"),
        (("smoking", "prisma-flow", "--analysis", "x"), "of a review as a whole"),
        (("smoking", "net-heat", "--engine", "exact"), "frequentist has"),
        (("smoking", "rank-heat-plot"), "two outcomes or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_with_what_would_be_right(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code in (1, 2)
    assert said in done.output
    assert not list(tmp_path.iterdir())


def test_a_question_put_in_full_is_asked_as_pool_asks_it(tmp_path):
    question = (
        "--outcome",
        "cessation",
        "--measure",
        "OR",
        "--treatment",
        "ind_counseling",
        "--versus",
        "no_contact",
    )
    spec = drawn(tmp_path, "smoking", "forest", *question, "--tau2", "DL")
    with evidence.open("smoking") as db:
        fit = pairwise.fit(
            db, outcome="cessation", measure="OR", treatment="ind_counseling", versus="no_contact", tau2="DL"
        )
    assert spec == json.loads(json.dumps(specification(fit.plot())))
    assert "(DL)" in json.dumps(spec)


def plain(node):
    """A specification without links, which only pages have."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items() if key != "href"}
    return [plain(value) for value in node] if isinstance(node, list | tuple) else node


def test_the_command_draws_what_the_report_shows(tmp_path, stored):
    with evidence.open(stored["parkinson"]) as db:
        sections = assemble(Material(db, {}), Links())
        figures = {block.name: block.chart for block in everything(sections) if isinstance(block, Figure)}
    names = {"forest": "off-time-pramipexole-forest"}
    names |= {kind: f"off-time-network-{name}" for kind, name in (
        ("network-forest", "forest"), ("league", "league"), ("rankogram", "rankogram"), ("network-diagram", "network"),
        ("comparison-adjusted-funnel", "funnel"), ("contributions", "contributions"),
    )}  # fmt: skip
    for review in (stored["parkinson"], "parkinson"):  # from the rows that are kept, and from a fit
        for kind, name in names.items():
            spec = drawn(tmp_path, review, kind)
            assert plain(spec) == json.loads(json.dumps(plain(specification(figures[name])))), (review, kind)


# --- fits ---------------------------------------------------------------------------------------------------

NASTY = "<script>alert('x')</script>"


def table() -> pd.DataFrame:
    rows = [(f"{NASTY} {i}", 0.1 * i, 0.1 + 0.02 * i) for i in range(1, 6)]
    return pd.DataFrame(rows, columns=["study", "yi", "sei"])


def test_a_fit_shows_itself_with_every_name_escaped():
    fit = pairwise.fit(table(), outcome=NASTY, measure="MD", treatment=f"{NASTY} a", versus="b")
    html = fit._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    row = fit.estimates().query("model == 'random'").iloc[0]
    assert f"{row['estimate']:.2f}" in html
    rows = [(i, NASTY, "b", 0.1 * i, 0.2) for i in range(3)] + [(i + 9, "c", "b", 0.1, 0.2) for i in range(2)]
    names = ["study", "treatment_a", "treatment_b", "estimate", "std_error"]
    net = network.from_contrasts(pd.DataFrame(rows, columns=names), reference="b", lower_is_better=True)
    html = network.fit(net, engine="frequentist")._repr_html_()
    assert "<script" not in html
    assert "Versus b" in html


def test_the_sentence_of_a_fit_says_whom_the_interval_favours():
    with evidence.open("smoking") as db:
        fit = pairwise.fit(
            db, outcome="cessation", measure="OR", treatment="ind_counseling", versus="no_contact"
        )
    assert "The interval favours Individual counselling." in fit._repr_html_()


def test_a_fit_of_a_table_is_drawn_by_the_names_of_the_table():
    fit = pairwise.fit(table(), outcome="Pain", measure="MD", treatment="drug", versus="placebo")
    for kind in ("forest", "funnel", "leave-one-out", "baujat", "gosh"):
        assert fit.plot(kind).usermeta["evidence"]["title"].startswith("Pain: drug versus placebo")
    assert charts.forest(fit).to_dict() == fit.plot("forest").to_dict()
    with pytest.raises(CallError, match="league is of a network"):
        charts.league(fit)
    with pytest.raises(CallError, match="bubble has no option by; it has terms"):
        fit.plot("bubble", by="year")
    with pytest.raises(CallError, match="league is of a network"):
        fit.plot("league")


def test_what_an_engine_does_not_have_is_refused_by_name():
    with evidence.open("smoking") as db:
        net = network.load(db, "cessation", "OR")
    fit = network.fit(net, engine="frequentist")
    with pytest.raises(RefusedError, match="the engine exact has"):
        fit.plot("posterior_density")
    assert (
        plot.of_fit(fit, "contributions", of="comparisons").usermeta["evidence"]["caption"].count("Davies")
        == 1
    )
