"""The site: every chart, view and source is on it, it is built strictly, and it asks nothing of other servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from analysis.charts.registry import CHARTS
from evidence.store.objects import sql_objects

ROOT = Path(__file__).resolve().parents[1]


def load(name: str):
    spec = spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return load("pages").pages()


def test_the_gallery_has_every_chart_with_its_picture_and_its_line(pages):
    for name, entry in CHARTS.items():
        part = pages["gallery.md"].split(f"{{ #{name} }}")[1].split("\n## ")[0]
        assert f"charts/{name}.svg" in part
        assert f" {name.replace('_', '-')} " in part
        assert entry.shows in pages["gallery.md"]


def test_the_catalog_has_every_view_and_macro(pages):
    for item in sql_objects():
        assert f"\n### {item.name} {{ #{item.name} }}" in pages["catalog.md"]


def test_methods_name_the_sources_of_sql_and_python(pages):
    for words in ("Hedges LV (1981)", "DerSimonian and Laird 1986", "Lajeunesse MJ (2015)"):
        assert words in pages["methods.md"], words
    found = list(load("pages").sources())
    assert len(found) > 15
    assert all(said and references for _, _, said, references in found)


def test_what_agrees_with_what_is_the_page_of_the_oracles(pages):
    assert "| distributions.json |" in pages["agreement.md"]
    assert pages["agreement.md"].startswith("# What agrees with what")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, with a dot for each picture: to draw them takes longer than all else (`.ci/run` does it)."""
    gallery, target = tmp_path_factory.mktemp("gallery"), tmp_path_factory.mktemp("site")
    for name in CHARTS:
        (gallery / f"{name}.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT,
        env=os.environ | {"GALLERY": str(gallery), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(site):
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page.name
        assert "fonts.g" not in text, page.name


@pytest.mark.browser
def test_the_site_in_a_browser(site, tmp_path):
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium on this machine")
    window = load("picture").browser(tmp_path)
    try:
        for page in ("index", "query", "gallery", "catalog", "columns"):
            for width in (1280, 400):
                window.events.clear()
                window.open(site / f"{page}.html", width, 800)
                assert window.run("document.documentElement.scrollWidth") <= width, (page, width)
                sent = [e for e in window.events if e.get("method") == "Network.requestWillBeSent"]
                asked = [event["params"]["request"]["url"] for event in sent]
                assert all(url.startswith(("file:", "data:", "blob:")) for url in asked), asked
                errors = [
                    e
                    for e in window.events
                    if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
                ]
                assert errors == []
    finally:
        window.close()


def test_the_picture_of_the_readme_finds_what_steers_the_browser():
    assert callable(load("picture").steered().Browser)


@pytest.mark.browser
def test_the_picture_of_the_readme_can_be_taken(tmp_path):
    """A small report here; `python docs/picture.py` takes that of the README."""
    from analysis.report import write
    from evidence.system.resources import template_directory

    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium on this machine")
    folder = tmp_path / "trial"
    shutil.copytree(template_directory(), folder)
    said = load("picture").take(write(folder, tmp_path / "report"), tmp_path / "picture.webp")
    assert "measurements.csv:" in said
    assert 5_000 < (tmp_path / "picture.webp").stat().st_size < 200_000
