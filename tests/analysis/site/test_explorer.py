"""The explorer in a real browser: SQL, its way back, links, charts, what if; nothing asked of any other place."""

from __future__ import annotations

import csv
import io
import math
import shutil
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest

import evidence
from analysis import site as sites
from analysis.site.writing import _for_browsers
from evidence.store.viewmap import FIRST
from evidence.system.resources import template_directory

pytestmark = pytest.mark.browser

HOSTILE = """<img src=x onerror="window.owned=1"></script><script>window.owned=1</script> "it's" & \\"""
"""A name that would be markup, script, or the end of a string."""
DONE = "/ row.*, in [0-9.]+ s/.test(document.getElementById('status').textContent)"
WRONG = "document.getElementById('status').classList.contains('wrong')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A site whose review has hostile names wherever a name is free text."""
    if sites.find() is None:
        pytest.skip("DuckDB for browsers is not installed: pip install ./wasm")
    review = tmp_path_factory.mktemp("review") / "trial"
    shutil.copytree(template_directory(), review)
    for name, column in (
        ("studies.csv", "label"),
        ("treatments.csv", "label"),
        ("outcomes.csv", "label"),
        ("measurements.csv", "locator"),
    ):
        rows = list(csv.DictReader(io.StringIO((review / name).read_text(encoding="utf-8"))))
        for number, row in enumerate(rows):
            row[column] = f"{HOSTILE} {number}"
        with (review / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return sites.write(review, tmp_path_factory.mktemp("site") / "s").parent


@pytest.fixture
def page(folder) -> Path:
    return folder / "explorer.html"


def shared(page: Path, sql: str) -> str:
    return f"{page.as_uri()}#sql={quote(sql)}"


def answered(browser, page: Path, sql: str, **size: int) -> None:
    browser.open(shared(page, sql), **size)
    browser.wait(f"{DONE} || {WRONG}")
    assert not browser.run(WRONG), browser.run("document.getElementById('status').textContent")


def plain(value):
    """A value as the page has it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def key(row):
    return [f"{value:.9g}" if isinstance(value, float) else str(value) for value in row]


def equal(one, other) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return str(one) == str(other)


@pytest.mark.parametrize("review", ["diabetes", "smoking"])
def test_what_reviewers_need_first_is_computed_in_the_browser_as_in_the_file(
    browser, folder, tmp_path, review
):
    here = shutil.copytree(folder, tmp_path / "site")
    file = evidence.build(review, tmp_path / "review.duckdb")
    (here / "explorer" / "review.js").write_bytes(_for_browsers(file))
    browser.open(here / "explorer.html")
    names = [*FIRST, "leave_one_out", "network_edge", "pooling", "t_quantile"]
    with evidence.open(file) as db:
        for name in names:
            sql = f"select * from {name}"
            if name == "t_quantile":  # a function with a lambda in it
                sql = "select p, t_quantile(p, 7.0) as t from range(1, 20) as r(i), lateral (select i / 20.0 as p)"
            cursor = db.connection.execute(sql)
            columns = [column[0] for column in cursor.description]
            own = [[plain(value) for value in row] for row in cursor.fetchall()]
            found = browser.run(f"evidenceAsk({sql!r}, 1e9)")
            assert found["columns"] == columns, name
            assert len(found["rows"]) == len(own), name
            for one, other in zip(sorted(own, key=key), sorted(found["rows"], key=key), strict=True):
                assert all(map(equal, one, other)), (name, one, other)
    assert browser.run("evidenceAsk('select version() as v').then(found => found.rows[0][0])") == "v1.4.3"


@pytest.mark.parametrize("over", ["a disk", "a server"])
def test_it_asks_for_its_own_files_only_and_has_no_error(browser, page, over):
    browser.events.clear()
    if over == "a disk":
        answered(browser, page, "select * from pooled")
        root = page.parent.as_uri()
    else:
        import threading

        with sites.serve(page.parent) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            root = f"http://127.0.0.1:{server.server_address[1]}"
            browser.open(f"{root}/explorer.html#sql={quote('select * from pooled')}")
            browser.wait(f"{DONE} || {WRONG}")
            server.shutdown()
            thread.join()
        assert not browser.run(WRONG)
    browser.run("document.getElementById('chart').click()")
    browser.wait("document.querySelector('#picture svg') && document.querySelector('#forest svg')")
    assert browser.troubles() == []
    own = {"explorer.html", *(f"explorer/{name}.js" for name in ("explorer", "charts", "engine", "review"))}
    asked = {address.partition("#")[0] for address in browser.asked() if not address.startswith("blob:")}
    assert asked - {f"{root}/favicon.ico"} == {f"{root}/{name}" for name in own}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from read_csv('https://example.org/x.csv')", "disabled"),
        ("select * from 'https://example.org/x.parquet'", "disabled|does not exist"),
        ("load httpfs", "disabled"),
        ("copy (select 1) to 'x.csv'", "disabled"),
        ("create table x (a integer)", "read-only"),
        ("set autoload_known_extensions = true", "locked"),
        ("select * from poole", "pooled"),
        ("selec 1", "syntax error"),
    ],
)
def test_what_it_cannot_do_is_said_and_nothing_is_asked_of_another_place(browser, page, sql, said):
    import re

    browser.events.clear()
    browser.open(shared(page, sql))
    browser.wait(f"{DONE} || {WRONG}")
    assert browser.run(WRONG)
    assert re.search(said, browser.run("document.getElementById('status').textContent"))
    assert [address for address in browser.asked() if not address.startswith(("file:", "blob:"))] == []


def test_the_policy_of_the_page_holds_in_the_worker_too(browser, page):
    browser.open(page)
    browser.events.clear()
    tried = browser.run(
        """new Promise(done => {
        const code = "fetch('https://example.org/').then(() => postMessage('reached'), () => postMessage('refused'))";
        const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
        worker.onmessage = event => done(event.data);
    })"""
    )
    assert tried == "refused"


def test_a_query_is_written_run_and_followed_to_its_pages_by_keyboard(browser, page):
    browser.open(page)
    browser.run("document.getElementById('query').value = ''; document.getElementById('query').focus()")
    browser.call("Input.insertText", text="select * from contrast order by contrast_id")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            modifiers=2,
        )
    browser.wait(f"{DONE} || {WRONG}")
    seen = []
    for _ in range(40):
        browser.press("Tab", 9)
        seen.append(
            browser.run("document.activeElement.getAttribute('aria-label') || document.activeElement.id")
        )
        if seen[-1] == "Pages behind row 1":
            break
    assert {"run", "share", "save", "chart"} <= set(seen)
    browser.press("Enter", 13)
    browser.wait("/stand behind it/.test(document.getElementById('panel-body').innerText)")
    said = browser.run("document.getElementById('panel-body').innerText")
    assert all(words in said for words in ("measurements.csv:", "As reported", "Page or figure", "2 rows"))
    browser.press("Escape", 27)
    assert not browser.run("document.getElementById('panel').open")


def test_names_of_a_review_stay_text(browser, page):
    answered(browser, page, "select study.label, contrast.* from contrast inner join study using (study)")
    browser.run("document.getElementById('chart').click()")
    browser.wait("document.querySelector('#picture svg') && document.querySelector('#forest svg')")
    browser.run("document.querySelector('#table td button').click()")
    browser.wait("/stand behind it/.test(document.getElementById('panel-body').innerText)")
    assert HOSTILE in browser.run("document.getElementById('panel-body').textContent")
    for place in ("table", "effects", "analysis", "without"):
        assert HOSTILE in browser.run(f"document.getElementById({place!r}).textContent"), place
    assert "window.owned" in browser.run("document.querySelector('#forest svg').textContent")
    assert browser.run(
        "window.owned === undefined && document.querySelectorAll('main img, main script').length === 0"
    )


KEYS = {
    "select * from pooled where measure = 'ROM' and treatment_a = 'a' and treatment_b = 'vehicle'": 6,
    "select * from leave_one_out where measure = 'ROM' and treatment_a = 'a' and omitted_study = 'Example 2018'": 4,
    "select * from result_estimate where evidence = 'network'": None,
    "select * from result_leave_one_out": None,
    "select * from result_weight where weight is not null": None,
    "select * from contrast": 2,
    "select * from measurement_standard": 1,
    "select * from study_characteristics": None,
    "select * from rob_traffic_light": 1,
    "select * from evidence_page": 1,
    "select study, arm from arm": None,
}
"""Queries, and how many rows of the review folder stand behind the first row, where it is known."""


@pytest.mark.parametrize("sql", KEYS)
def test_every_row_leads_to_its_pages(browser, page, sql):
    answered(browser, page, sql)
    browser.run("document.querySelector('#table td button').click()")
    browser.wait("!/Looking/.test(document.getElementById('panel-body').innerText)")
    said = browser.run("document.getElementById('panel-body').innerText")
    assert ".csv:" in said, said
    if KEYS[sql]:
        assert f"{KEYS[sql]} row" in said, said


def test_pages_behind_a_pooled_estimate_are_those_of_its_studies_and_no_other(browser, page):
    answered(browser, page, "select * from pooled where k > 1")
    with evidence.open(next(page.parent.glob("*.duckdb"))) as db:
        wanted = db.rows(
            "select outcome, measure, treatment_a, treatment_b, list(distinct source_file || ':' || source_line) as places"
            " from evidence_page group by outcome, measure, treatment_a, treatment_b"
        )
    for row in wanted:
        names = ("outcome", "measure", "treatment_a", "treatment_b")
        given = ", ".join(f"{name}: {row[name]!r}" for name in names)
        found = browser.run(f"evidenceAsk(evidenceWayBack({{{given}}}, ''), 1e9)")
        place = [found["columns"].index(name) for name in ("source_file", "source_line")]
        assert {f"{r[place[0]]}:{r[place[1]]}" for r in found["rows"]} == set(row["places"]), row


def test_an_answer_is_sorted_paged_and_bounded_and_saved_as_csv(browser, page):
    answered(browser, page, "select i, 'a,\"' || i as word from range(20000) as r(i)")
    assert "first 10,000 rows" in browser.run("document.getElementById('status').textContent")
    assert browser.run("document.querySelectorAll('#table tbody tr').length") == 50
    browser.run("document.querySelector('#pages button:last-of-type').focus()")
    browser.press("Enter", 13)
    assert "Rows 51 to 100 of 10,000" in browser.run("document.getElementById('pages').innerText")
    browser.run("document.querySelector('#table th button').click()")
    browser.run("document.querySelector('#table th button').click()")
    assert browser.run("document.querySelector('#table th').getAttribute('aria-sort')") == "descending"
    assert browser.run("document.querySelector('#table tbody td').textContent") == "9999"
    rows = list(csv.reader(io.StringIO(browser.run("evidenceCsv()"))))
    assert rows[0][:2] == ["i", "word"]
    assert rows[1][:2] == ["9999", 'a,"9999']
    assert rows[1][2].startswith("SIMULATED")  # the template's data are


def test_a_long_query_is_stopped_and_the_next_one_runs(browser, page):
    browser.open(
        shared(page, "select count(*) from range(100000000) a(i), range(100000) b(j) where i * j % 7 = 3")
    )
    browser.wait("document.getElementById('status').textContent === 'Running ...'")
    browser.run("document.getElementById('stop').click()")
    assert browser.run("document.getElementById('status').textContent") == "Stopped."
    browser.run(
        "document.getElementById('query').value = 'select 42 as answer'; document.getElementById('run').click()"
    )
    browser.wait(DONE)
    assert browser.run("document.querySelector('#table tbody td').textContent") == "42"


def test_the_link_of_a_query_holds_it(browser, page):
    sql = "select '100 % & more #' as what"
    browser.open(page)
    browser.run(f"document.getElementById('query').value = {sql!r}; document.getElementById('share').click()")
    browser.wait("!document.getElementById('link').hidden")
    link = browser.run("document.getElementById('address').value")
    browser.open(link)
    browser.wait(f"{DONE} || {WRONG}")
    assert browser.run("document.querySelector('#table tbody td').textContent") == "100 % & more #"


def test_studies_are_left_out_and_priors_changed(browser, page):
    browser.open(page)
    browser.wait("document.querySelector('#forest svg')")
    whole = browser.run("document.querySelector('#effects tbody td:nth-child(2)').textContent")
    browser.run("without.value = '0'; without.dispatchEvent(new Event('change'))")
    left = browser.run("document.querySelector('#effects tbody td:nth-child(2)').textContent")
    assert left != whole
    assert browser.run("document.querySelector('#effects tbody td:nth-child(3)').textContent") == whole
    assert browser.run("document.getElementById('changed').textContent").startswith("Without ")
    browser.run("without.value = '-1'; model.value = '4'; model.dispatchEvent(new Event('change'))")
    assert "half-cauchy" in browser.run("document.getElementById('changed').textContent")


@pytest.mark.parametrize("width", [400, 768, 1280])
def test_the_page_never_scrolls_sideways(browser, page, width):
    answered(browser, page, "select * from pooled", width=width)
    browser.run("document.getElementById('chart').click()")
    browser.wait("document.querySelector('#picture svg') && document.querySelector('#forest svg')")
    browser.run("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert browser.run("document.documentElement.scrollWidth") <= width
    silent = (
        "[...document.querySelectorAll('div.table, div.picture')].filter(part =>"
        " part.scrollWidth > part.clientWidth + 1 && !getComputedStyle(part, '::before').content.includes('scrolls'))"
        ".map(part => part.id)"
    )
    assert browser.run(silent) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_reader_chooses_light_or_dark(browser, page, theme):
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    paper, ink = ("getComputedStyle(document.body).backgroundColor", "getComputedStyle(document.body).color")
    drawn = "getComputedStyle(document.querySelector('#forest svg .role-axis-label text')).fill"
    try:
        browser.open(page)
        browser.wait("document.querySelector('#forest svg')")
        before = browser.run(paper)
        assert (before == "rgb(255, 255, 255)") == (theme == "light")
        assert browser.run(drawn) == browser.run(ink)
        browser.run("document.getElementById('theme').click()")
        assert browser.run(paper) != before
        browser.wait(f"{drawn} === {ink}")
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_report_and_explorer_lead_to_each_other(browser, folder):
    for page, other in (("index.html", "explorer.html"), ("explorer.html", "index.html")):
        browser.open(folder / page)
        browser.run(f"""document.querySelector('a[href="{other}"]').click()""")
        browser.wait(f"location.pathname.endsWith('/{other}') && document.readyState === 'complete'")


def test_every_control_and_picture_has_a_name(browser, page):
    answered(browser, page, "select * from pooled")
    browser.run("document.getElementById('chart').click()")
    browser.wait("document.querySelector('#picture svg') && document.querySelector('#forest svg')")
    unnamed = """[...document.querySelectorAll('select, button, input, textarea, [tabindex="0"], .picture > div > svg')]
        .filter(c => !(c.labels?.length || c.innerText?.trim() || c.getAttribute('aria-label'))).map(c => c.outerHTML.slice(0, 80))"""
    assert browser.run(unnamed) == []
    assert browser.run("document.getElementById('status').getAttribute('aria-live')") == "polite"


def test_a_browser_without_webassembly_is_told_and_shows_the_rest(browser, page):
    lost = browser.call("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.WebAssembly;")
    try:
        browser.open(page)
        browser.wait("document.querySelector('#forest svg')")
        browser.run("document.getElementById('run').click()")
        assert "lacks WebAssembly" in browser.run("document.getElementById('status').textContent")
        assert browser.run("document.getElementById('remedy').getClientRects().length") > 0
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=lost["identifier"])
