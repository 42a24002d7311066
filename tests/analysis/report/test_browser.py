"""The report in a real browser: no error, no request, every control by keyboard, narrow screens, paper."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.report import write
from evidence.system.resources import template_directory

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("review") / "trial"
    shutil.copytree(template_directory(), folder)
    return write(folder, tmp_path_factory.mktemp("report"))


def test_no_error_and_no_request(browser, report):
    browser.events.clear()
    browser.open(report)
    browser.run("document.querySelectorAll('a[href^=\"#n\"]')[0].click()")
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.troubles() == []
    assert browser.asked() == [report.as_uri()]


INSIDE = """
(selector => { const box = document.querySelector(selector).getBoundingClientRect();
               return [box.left, box.top, box.right, box.bottom]; })
"""
PARTS = ("#answer .question", "#answer .conclusion", "#figure-at-a-glance svg", "#answer .firm li:last-child")
"""Question, answer, picture, how firm it is."""


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (400, 844)])
def test_the_first_screen_holds_question_answer_picture_and_how_firm_it_is(browser, report, width, height):
    browser.open(report, width=width, height=height)
    for selector in PARTS:
        left, top, right, bottom = browser.run(f"{INSIDE}({json.dumps(selector)})")
        assert 0 <= left < right <= width, selector
        assert 0 < top < bottom <= height, selector
    # Counts of claims and of checks come after it.
    assert browser.run("document.querySelector('.screen').innerText.match(/claim|check/i)") is None


def test_contents_follow_the_reader_and_fold_where_they_would_cover_the_page(browser, report):
    current = "[...document.querySelectorAll('nav a[aria-current]')].map(a => a.innerText)"
    browser.open(report, width=1280, height=720)
    assert browser.run(current) == ["Answer"]
    assert browser.run("document.getElementById('contents').open")
    browser.run("document.documentElement.style.scrollBehavior = 'auto'; location.hash = 'risk-of-bias'")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert browser.run(current) == ["Risk of bias"]
    left, top, _, bottom = browser.run(f"{INSIDE}('nav a[aria-current]')")
    assert left >= 0
    assert 0 <= top < bottom <= 720
    browser.open(report, width=400, height=800)
    assert not browser.run("document.getElementById('contents').open")
    browser.run("document.querySelector('nav summary').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.getElementById('contents').open")
    browser.press("Escape", 27)
    assert not browser.run("document.getElementById('contents').open")
    assert browser.run("document.activeElement.tagName") == "SUMMARY"


CONTRAST = """
(() => {
  const lit = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = lit(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Map();
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest("script, style, noscript, dialog")) continue;
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const drawn = element.closest("svg");
    const style = getComputedStyle(element);
    if (drawn && element.tagName !== "text") continue;
    const ink = lit(drawn ? style.fill : style.color);
    // Letters within bars and dots of a figure have the colours of the figure, the same on any page.
    if (drawn && !["#1b1f24", "#57606a"].includes(element.getAttribute("fill"))) continue;
    const [a, b] = [light(ink), light(paper(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.set(`${element.tagName}.${element.className.baseVal ?? element.className} ${ratio.toFixed(2)}`, 1);
  }
  return [...poor.keys()];
})()
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_from_the_page_in_either_theme(browser, report, theme):
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    paper = "getComputedStyle(document.body).backgroundColor"
    try:
        browser.open(report)
        assert browser.run(CONTRAST) == []
        before = browser.run(paper)
        assert (before == "rgb(255, 255, 255)") == (theme == "light")
        # The reader's choice goes before the system's.
        browser.run("document.getElementById('theme').focus()")
        browser.press("Enter", 13)
        assert browser.run(CONTRAST) == []
        assert browser.run(paper) != before
        assert (
            browser.run("document.getElementById('theme').getAttribute('aria-pressed')")
            == str(theme == "light").lower()
        )
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_what_is_shown_has_an_address_and_a_way_back(browser, report):
    browser.open(report)
    browser.run("document.querySelector('#answer .firm a').focus()")
    browser.press("Enter", 13)
    said = browser.run("document.getElementById('panel').innerText")
    assert "run_firmness" in said
    assert browser.run("location.hash") == "#f1"
    browser.press("Escape", 27)
    assert browser.run("location.hash") == ""
    browser.run("location.hash = document.querySelector('main a[href^=\"#n\"]').getAttribute('href')")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("document.getElementById('panel').open")
    browser.press("Escape", 27)


def test_tables_are_read_on_a_narrow_screen(browser, report):
    browser.open(report, width=400, height=800)
    # The effect itself is in sight, and the table needs no scrolling.
    cell = "[...document.querySelectorAll('#table-summary-of-findings td')].find(td => td.querySelector('a'))"
    assert browser.run(f"{cell}.getBoundingClientRect().right") <= 400
    assert browser.run(f"getComputedStyle({cell}, '::before').content").startswith('"Effect')
    # Whatever is wider than the screen says that it scrolls.
    silent = (
        "[...document.querySelectorAll('div.table, div.picture')].filter(part =>"
        " part.scrollWidth > part.clientWidth + 1 && !getComputedStyle(part, '::before').content.includes('scrolls'))"
        ".map(part => part.id || part.parentElement.id)"
    )
    assert browser.run(silent) == []


def test_sheets_for_paper_are_not_on_the_screen_and_headings_go_down_by_steps(browser, report):
    browser.open(report)
    assert (
        browser.run("[...document.querySelectorAll('.sheet')].filter(s => s.getClientRects().length).length")
        == 0
    )
    levels = browser.run(
        "[...document.querySelectorAll('main h1, main h2, main h3, main h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 2
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert browser.run("document.querySelectorAll('h1').length") == 1
    unnamed = "[...document.querySelectorAll('main section')].filter(s => !s.id || !s.querySelector('h2, h3')).length"
    assert browser.run(unnamed) == 0


REACHABLE = """
[...document.querySelectorAll('a, button, select, [tabindex="0"]')].filter(element =>
    !element.closest('dialog, [hidden]') && (element.getClientRects().length > 0))
"""


def test_the_keyboard_reaches_every_control(browser, report):
    browser.open(report)
    browser.run(f"window.wanted = new Set({REACHABLE}); window.total = wanted.size")
    total = browser.run("total")
    assert total > 100
    for _ in range(total + 5):
        browser.press("Tab", 9)
        browser.run("wanted.delete(document.activeElement)")
        if browser.run("wanted.size") == 0:
            break
    assert browser.run("[...wanted].map(element => element.outerHTML.slice(0, 120))") == []


def test_a_number_opens_the_rows_behind_it_and_escape_goes_back(browser, report):
    browser.open(report)
    browser.run("document.querySelector('main a[href^=\"#n\"]').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.getElementById('panel').open")
    said = browser.run("document.getElementById('panel').innerText")
    for words in ("versus Vehicle", "weight", "measurements.csv:", "evidence trace", "As reported"):
        assert words in said
    browser.run("document.querySelector('#panel-body h3 a').focus()")
    browser.press("Enter", 13)
    assert "readings of this study" in browser.run("document.getElementById('panel').innerText")
    browser.press("Escape", 27)
    assert not browser.run("document.getElementById('panel').open")
    assert browser.run("document.activeElement.getAttribute('href')").startswith("#n")


def test_a_study_lights_up_wherever_it_stands(browser, report):
    browser.open(report)
    browser.run("document.querySelector('#studies a[href^=\"#s\"]').focus()")
    lit = browser.run("document.querySelectorAll('.lit').length")
    assert lit >= 3
    assert browser.run("document.querySelectorAll('svg .lit').length") >= 1
    browser.run("document.activeElement.blur()")
    assert browser.run("document.querySelectorAll('.lit').length") == 0


def test_one_outcome_can_be_chosen(browser, report):
    browser.open(report)
    shown = (
        "[...document.querySelectorAll('main > section[id^=analysis]')].filter(s => !s.hidden).map(s => s.id)"
    )
    before = browser.run(shown)
    browser.run("choice.value = 'mortality OR'; choice.dispatchEvent(new Event('change'))")
    assert browser.run(shown) == ["analysis-mortality-network"]
    browser.run("choice.value = ''; choice.dispatchEvent(new Event('change'))")
    assert browser.run(shown) == before


def test_colours_for_the_colour_blind_replace_cochranes(browser, report):
    browser.open(report)
    visible = "[...document.querySelectorAll('#risk-of-bias figure')][0].querySelectorAll('.picture svg')[0]"
    assert "#02C100" in browser.run(f"{visible}.outerHTML")
    browser.run("document.querySelector('.palette').focus()")
    browser.press("Enter", 13)
    assert "#02C100" not in browser.run(f"{visible}.outerHTML")
    assert browser.run("document.querySelector('.palette').getAttribute('aria-pressed')") == "true"


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_never_scrolls_sideways_and_letters_stay_readable(browser, report, width):
    browser.open(report, width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    # A figure may scroll within itself; its letters (11 pixels drawn) are shown at three quarters or more.
    smallest = browser.run(
        "Math.min(...[...document.querySelectorAll('.picture svg')]"
        ".map(svg => svg.getBoundingClientRect().width / svg.getAttribute('width')))"
    )
    assert smallest >= 0.74


def test_every_picture_and_table_has_a_name_for_those_who_do_not_see_it(browser, report):
    browser.open(report)
    named = (
        "[...document.querySelectorAll('.picture svg')].every(s => s.getAttribute('aria-label').length > 20)"
    )
    assert browser.run(named)
    assert browser.run("[...document.querySelectorAll('.table')].every(t => t.getAttribute('aria-label'))")
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run(
        "[...document.querySelectorAll('select, button')].every(c => c.labels?.length || c.innerText)"
    )


def test_it_prints(browser, report, tmp_path):
    browser.open(report)
    printed = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert printed.startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine")
    file = tmp_path / "report.pdf"
    file.write_bytes(printed)
    text = subprocess.run(
        ["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = text.count("\f")
    assert f"1 / {pages}" in text
    # No page ends with a heading (its last line is the number of the page).
    headings = set(browser.run("[...document.querySelectorAll('main h2, main h3')].map(h => h.innerText)"))
    for page in text.split("\f")[:-1]:
        lines = [line.strip() for line in page.splitlines() if line.strip()]
        assert not {line for line in lines[-2:] if line in headings}
    for words in ("SIMULATED DATA", "Answer", "Methods", "Measurements as reported", "How to reproduce"):
        assert words in text
    assert "Colour-blind safe colours" not in text
    assert "Files beside this page" not in text


def test_the_reader_s_choice_of_light_or_dark_is_kept(browser, report):
    browser.open(report)
    browser.run("document.getElementById('theme').click()")
    assert browser.run("document.documentElement.dataset.theme") == "dark"
    ground = "getComputedStyle(document.querySelector('div.picture')).filter"
    assert "invert" in browser.run(ground), "the ground of pictures stays white in the dark"
    browser.open(report)
    assert browser.run("document.documentElement.dataset.theme") == "dark"
    browser.run("document.getElementById('theme').click()")
    browser.open(report)
    assert browser.run("document.documentElement.dataset.theme") == "light"
    assert browser.run(ground) == "none"
    browser.run("localStorage.clear()")


def test_how_firm_it_is_stands_in_the_section_of_each_analysis(browser, report):
    browser.open(report)
    missing = "[...document.querySelectorAll('[id^=analysis-]:is(section)')].map(s => s.querySelectorAll('.firmness li').length)"
    counts = browser.run(missing)
    assert counts
    assert all(counts), counts
