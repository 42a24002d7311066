"""Take the picture of the README: a number of a report, and the pages behind it.

``python docs/picture.py`` makes the report of a bundled review, clicks the first number of its answer in a
headless Chromium, and writes ``docs/number-to-page.webp``.
"""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PICTURE = HERE / "number-to-page.webp"
REVIEW = "diabetes"
WIDTH, HEIGHT = 1080, 620
"""In points of the page; shown 830 wide, its text of 16 points is 12 high, that of tables 10."""

NUMBER = 'a[href^="#n"]'
PANEL = "dialog[open], [role=dialog]:not([hidden]), aside:not([hidden])"


def browser(profile: Path) -> Any:
    """Start the Chromium that the browser tests steer."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("There is no Chromium on this machine.")
    return steered().Browser(program, profile)


def steered() -> Any:
    """Load what steers it, from the tests."""
    spec = spec_from_file_location("chromium", HERE.parent / "tests" / "chromium.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def take(page: Path, target: Path) -> str:
    """Open a report, click the first number of its answer, and take the picture; gives the panel's text."""
    with tempfile.TemporaryDirectory() as profile:
        window = browser(Path(profile))
        try:
            window.open(page, WIDTH, HEIGHT)
            window.call(
                "Emulation.setDeviceMetricsOverride",
                width=WIDTH, height=HEIGHT, deviceScaleFactor=1.4, mobile=False,
            )  # fmt: skip
            window.run(f"document.querySelector('{NUMBER}').scrollIntoView({{block: 'start'}})")
            window.run("window.scrollBy(0, -90)")
            window.run(f"document.querySelector('{NUMBER}').click()")
            time.sleep(0.5)
            said = window.run(f"document.querySelector('{PANEL}')?.innerText ?? ''")
            shot = window.call("Page.captureScreenshot", format="webp", quality=80)["data"]
        finally:
            window.close()
    target.write_bytes(base64.b64decode(shot))
    return str(said)


def main() -> None:
    """Make the report, and take the picture."""
    from analysis.report import write

    with tempfile.TemporaryDirectory() as folder:
        said = take(write(REVIEW, Path(folder) / "report"), PICTURE)
    if not said:
        sys.exit("No panel opened.")
    print(PICTURE)


if __name__ == "__main__":
    main()
