"""The report in a real browser: no error, no request, every control by keyboard, narrow screens, paper."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report import write
from evidence.system.resources import template_directory

pytestmark = pytest.mark.browser


class Browser:
    """Headless Chromium, steered through its DevTools pipe (file descriptors 3 and 4, JSON ended by a NUL)."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
        ]
        # The shell puts the pipes where Chromium looks for them.
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "browser", program, *flags, f"--user-data-dir={profile}"],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._number, self._rest, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank", session=None)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True, session=None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, session: str | None = "page", **parameters) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser went away"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def run(self, script: str):
        """Value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, file: Path, width: int = 1280, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.navigate", url=file.as_uri())
        deadline = time.monotonic() + 60
        while self.run("document.readyState") != "complete" or self.run("location.protocol") == "about:":
            assert time.monotonic() < deadline, "the page did not load"
            time.sleep(0.05)

    def press(self, key: str, code: int) -> None:
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("review") / "trial"
    shutil.copytree(template_directory(), folder)
    return write(folder, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def test_no_error_and_no_request(browser, report):
    browser.events.clear()
    browser.open(report)
    browser.run("document.querySelectorAll('a[href^=\"#n\"]')[0].click()")
    browser.run("new Promise(done => setTimeout(done, 300))")
    wrong = [
        event
        for event in browser.events
        if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
        or (
            event.get("method") == "Runtime.consoleAPICalled"
            and event["params"]["type"] in ("error", "warning")
        )
    ]
    assert wrong == []
    asked = [
        e["params"]["request"]["url"]
        for e in browser.events
        if e.get("method") == "Network.requestWillBeSent"
    ]
    assert asked == [report.as_uri()]


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
    for words in ("SIMULATED DATA", "Answer", "Methods", "Measurements as reported", "How to reproduce"):
        assert words in text
    assert "Colour-blind safe colours" not in text
    assert "Files beside this page" not in text
