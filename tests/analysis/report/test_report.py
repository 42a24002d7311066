"""The report: one page that loads nothing, whose every number leads to its rows; and the files beside it."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

import duckdb
import pytest

import evidence
from analysis.charts.tables import Column, Table
from analysis.report import write
from analysis.report.documents import workbook
from analysis.report.links import as_html, as_text, mark
from evidence.errors import EvidenceError
from evidence.system.resources import template_directory

# Names as people type them: markup, quotes, other scripts, sixty characters.
HOSTILE = 'Drug <b>"A"</b> & 药物 α, given into the portal vein twice'


NUMBERED = """
[[protocol.figure]]
number = "Figure 1"
title = "Selection of studies"
shows = ["prisma-flow"]
[[protocol.figure]]
number = "Figure 2"
title = "Networks"
shows = ["alt-network-network", "mortality-network-network"]
[[protocol.figure]]
number = "Table 1"
title = "League"
shows = ["league-across-outcomes"]
[[protocol.figure]]
number = "Figure 3"
title = "Nothing"
shows = ["no-such-figure"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The worked example of ``evidence new`` (simulated data), with a treatment of an awkward name."""
    copy = tmp_path_factory.mktemp("review") / "trial"
    shutil.copytree(template_directory(), copy)
    file = copy / "treatments.csv"
    lines = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    label = lines[0].index("label")
    next(line for line in lines if line[0] == "a")[label] = HOSTILE
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(lines)
    with (copy / "review.toml").open("a", encoding="utf-8") as out:
        out.write(NUMBERED)
    return copy


class Heard:
    """A connection that writes down what it is asked: for itself, its cursors and their relations."""

    def __init__(self, connection, number: int, asked: list[tuple[int, str, str]]) -> None:
        self._connection, self._number, self._asked = connection, number, asked

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._connection.close()

    def execute(self, query, parameters=None):
        self._asked.append((self._number, " ".join(query.split()), repr(parameters or [])))
        return self._connection.execute(query, parameters)

    def sql(self, query, *, params=None):
        self._asked.append((self._number, " ".join(query.split()), repr(params or [])))
        return self._connection.sql(query, params=params)

    def cursor(self):
        return Heard(self._connection.cursor(), self._number, self._asked)


@pytest.fixture(scope="module")
def asked() -> list[tuple[int, str, str]]:
    """Connection, text and parameters of every statement that is sent while `report` is written."""
    return []


@pytest.fixture(scope="module")
def report(folder, asked, tmp_path_factory) -> Path:
    connect, number = duckdb.connect, count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", lambda *a, **k: Heard(connect(*a, **k), next(number), asked))
        return write(folder, tmp_path_factory.mktemp("report")).parent


class Page(HTMLParser):
    """Ids, links and what an element of the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.ids.append(values["id"])
        link = values.get("href") or values.get("xlink:href")
        if tag == "a" and link:
            self.links.append(link)
        elif link and not link.startswith("#"):
            self.loads.append(link)
        if values.get("src"):
            self.loads.append(values["src"])

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def html(report) -> str:
    return (report / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def panel(html) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


@pytest.mark.slow
def test_the_page_loads_nothing_and_is_small(report, page, html):
    assert page.loads == []
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html
    assert (report / "index.html").stat().st_size < 5e6


def test_no_statement_is_sent_twice_while_a_report_is_written(report, asked):
    assert len(asked) > 200
    assert [statement for statement, times in Counter(asked).items() if times > 1] == []


def test_ids_are_unique_and_every_link_within_the_page_leads_somewhere(page, panel):
    assert len(page.ids) == len(set(page.ids))
    known = set(page.ids) | set(panel["numbers"]) | set(panel["studies"]) | set(panel["facts"])
    within = [link[1:] for link in page.links if link.startswith("#")]
    assert within
    assert set(within) <= known


def test_links_to_files_lead_to_files_beside_the_page(report, page):
    files = [link for link in page.links if not link.startswith("#")]
    assert files
    assert [file for file in files if not (report / file).is_file()] == []


def test_every_number_leads_to_measurements_with_place_and_weight(panel):
    assert panel["numbers"]
    readings = {row["id"]: row for row in panel["readings"]}
    assert not {row["outcome"] for row in readings.values()} & {"alt"}, "outcomes by their labels"
    weighted = [number for number in panel["numbers"].values() if number["parts"]]
    assert weighted
    for number in panel["numbers"].values():
        assert number["parts"] or number["note"]
    for contrast, weight, study in weighted[0]["parts"]:
        assert weight.endswith("%")
        assert study in panel["studies"]
        rows = [readings[row] for row in panel["contrasts"][contrast]["rows"]]
        assert len(rows) == 2
        assert all(
            row["source"] and row["locator"] and row["place"].startswith("measurements.csv:") for row in rows
        )


def test_numbers_on_the_page_are_those_of_the_result_rows(report, page):
    with evidence.open(report / "trial.duckdb") as db:
        row = db.rows(
            "select exp(estimate) as estimate, exp(ci_lower) as lower, exp(ci_upper) as upper from result_estimate "
            "inner join result_run using (run_id) where result_run.analysis = 'alt-a' and model = 'random' "
            "and level is null"
        )[0]
    text = f"{row['estimate']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]"
    assert f"{text} (random effects" in "".join(page.text)


def test_simulated_data_are_named_on_every_table_and_figure(report, html):
    words = "SIMULATED DATA"
    assert html.count(f'<p class="synthetic">{words}') == html.count('<div class="table') > 3
    for file in (report / "figures").glob("*.svg"):
        assert words in file.read_text(encoding="utf-8")
    for file in (report / "tables").glob("*.csv"):
        if not (report / "figures" / f"{file.stem}.svg").exists():
            assert words in file.read_text(encoding="utf-8")
    assert html.count(words) > 20


def test_names_are_escaped_and_not_cut(html, page):
    assert '<b>"A"</b>' not in html
    assert HOSTILE in "".join(page.text)


def test_sections_stand_in_the_order_of_a_paper(page):
    wanted = ["answer", "methods", "studies", "selection", "risk-of-bias", "coverage", "analysis-alt-network",
              "analysis-alt-a", "analysis-mortality-network", "exclusions", "audits", "measurements", "reproduce"]  # fmt: skip
    places = [page.ids.index(name) for name in wanted]
    assert places == sorted(places)


def test_methods_and_reproduction_state_what_was_done(page, report):
    text = " ".join("".join(page.text).split())
    for said in ("Hartung-Knapp", "REML", "reference Vehicle", "lower is better", "evidence-base"):
        assert said in text
    with evidence.open(report / "trial.duckdb") as db:
        assert db.value("select value from build_info where key = 'content_hash'") in text
        for run in db.rows("select run_id from result_run"):
            assert run["run_id"] in text


def test_a_choice_among_outcomes_lists_each_with_its_measure(html):
    options = re.findall(r'<option value="([^"]+)">', html)
    assert options == ["alt ROM", "mortality OR"]


def test_files_beside_the_page_are_listed_with_their_hashes(report):
    import hashlib

    rows = list(csv.DictReader((report / "manifest.csv").read_text(encoding="utf-8").splitlines()))
    assert {"index.html", "tables.xlsx", "report.docx", "trial.duckdb"} <= {row["file"] for row in rows}
    assert len({row["file"].lower() for row in rows}) == len(rows)
    for row in rows:
        assert hashlib.sha256((report / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    listed = {row["file"] for row in rows} | {"manifest.csv"}
    assert {str(file.relative_to(report)) for file in report.rglob("*") if file.is_file()} == listed


def test_the_workbook_holds_every_table_as_numbers(report):
    from openpyxl import load_workbook

    book = load_workbook(report / "tables.xlsx")
    sheet = book["summary-of-findings"]
    assert "SIMULATED" in sheet["A1"].value
    header = next(row for row in sheet.iter_rows(values_only=True) if row[0] == "outcome")
    first = list(sheet.iter_rows(values_only=True))[list(sheet.iter_rows(values_only=True)).index(header) + 1]
    cells = dict(zip(header, first, strict=True))
    assert isinstance(cells["estimate"], float)
    assert cells["ci_lower"] < cells["estimate"] < cells["ci_upper"]


def test_figures_and_tables_are_found_by_the_numbers_of_the_plan(report, html):
    with (report / "tables" / "figures.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["Number"], row["File"]) for row in rows] == [
        ("Figure 1", "figures/prisma-flow.svg"),
        ("Figure 2A", "figures/alt-network-network.svg"),
        ("Figure 2B", "figures/mortality-network-network.svg"),
        ("Table 1", "tables/league-across-outcomes.csv"),
        ("Figure 3", ""),
    ]
    assert rows[-1]["Where it stands"].startswith("not made")
    page = Page(html)
    for row in rows[:-1]:
        assert (report / row["File"]).is_file()
        kind = row["File"].split("/")[0].rstrip("s")
        anchor = f"{kind}-{Path(row['File']).stem}"
        assert anchor in page.ids
        assert f"#{anchor}" in page.links
    assert html.index("Figure 2B. Networks") > html.index('id="figure-mortality-network-network"')
    manifest = (report / "manifest.csv").read_text(encoding="utf-8")
    assert re.search(r"figures/prisma-flow.svg,Figure 1. Selection of studies", manifest)


def test_one_league_holds_every_outcome(report):
    with (report / "tables" / "league-across-outcomes.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    with (report / "results" / "estimates.csv").open(encoding="utf-8") as handle:
        kept = {
            (row["analysis"], row["treatment"], row["versus"]): row
            for row in csv.DictReader(handle)
            if row["model"] == "random" and row["evidence"] == "network"
        }
    assert {row["outcome"] for row in rows} >= {"alt", "mortality"}
    for row in rows:
        one = kept.get((row["analysis"], row["treatment"], row["versus"]))
        two = kept.get((row["analysis"], row["versus"], row["treatment"]))
        estimate = float(one["estimate"]) if one else -float(two["estimate"])
        # ratios stand as ratios in the table, as logarithms in the results
        shown = estimate if row["measure"] == "MD" else math.exp(estimate)
        assert float(row["estimate"]) == pytest.approx(shown)


def test_the_word_file_holds_every_section_figure_and_table_of_the_page(report):
    from docx import Document

    document = Document(str(report / "report.docx"))
    page = Page((report / "index.html").read_text(encoding="utf-8"))
    headings = [p.text for p in document.paragraphs if p.style.name in ("Heading 1", "Heading 2")]
    assert {"Answer", "Methods", "Included studies", "Risk of bias", "How to reproduce"} <= set(headings)
    assert headings.count("Mortality: network of 3 treatments") == 1
    figures = [name for name in page.ids if name.startswith("figure-") and "-league" not in name]
    captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
    assert sum(caption.startswith("Figure") for caption in captions) == len(figures)
    assert sum(caption.startswith("Table") for caption in captions) == len(document.tables)
    league = next(t for t in document.tables if t.cell(1, 0).text == HOSTILE)
    assert len(league.columns) == 3
    assert any("Below the diagonal" in paragraph.text for paragraph in document.paragraphs)


def test_a_refused_analysis_is_reported_with_its_reason_or_stops_a_strict_report(folder, tmp_path):
    review = tmp_path / "trial"
    shutil.copytree(folder, review)
    plan = review / "review.toml"
    # A network of the one outcome that only one study measured in treatment A cannot be pooled pairwise by MD.
    plan.write_text(
        plan.read_text(encoding="utf-8")
        + '\n[[protocol.analysis]]\nname = "impossible"\nkind = "pairwise"\noutcome = "mortality"\nmeasure = "OR"\n'
        'treatment = "a"\nversus = "b"\n',
        encoding="utf-8",
    )
    with pytest.raises(EvidenceError, match="impossible"):
        write(review, tmp_path / "strict", strict=True)


# --- parts --------------------------------------------------------------------------------------------------


def test_links_survive_writing_and_leave_their_words():
    text = f"before {mark('1 < 2', '#n1')} after"
    assert as_html(text) == 'before <a href="#n1">1 &lt; 2</a> after'
    assert as_text(text) == "before 1 < 2 after"
    assert as_text(3.5) == 3.5


def small_table(**options) -> Table:
    return Table(
        "a-name-of-more-than-thirty-one-characters", "Title",
        (Column("a", "A & B"), Column("b", "Number", "right")),
        ({"a": "=1+1", "b": "1.50", "group": "First"}, {"a": "http://x", "b": "", "group": "Second"}), **options,
    )  # fmt: skip


def test_cells_of_the_workbook_stay_text_and_sheets_have_their_own_names(tmp_path):
    from openpyxl import load_workbook

    book = load_workbook(workbook([small_table(), small_table()], tmp_path / "t.xlsx"))
    assert len(book.sheetnames) == 2
    assert all(len(name) <= 31 for name in book.sheetnames)
    cell = next(cell for row in book.worksheets[0].iter_rows() for cell in row if cell.value == "=1+1")
    assert cell.data_type == "s"


def test_tables_are_html_with_ids_of_their_own():
    html = small_table().html()
    assert "A &amp; B" in html
    assert 'id="table-a-name-of-more-than-thirty-one-characters-a"' in html
    assert 'headers="First a-name' in html or "First" in html
    assert "<style" not in html
