"""The gallery: every chart on the bundled reviews."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from analysis import charts
from analysis.charts.registry import CHARTS
from analysis.plot import gallery

pytestmark = pytest.mark.slow


def test_every_chart_is_valid_and_drawn_from_real_rows_with_its_files_on_a_page(
    tmp_path, monkeypatch, check_chart, browser
):
    # One test: what takes long is to draw them, and workers of a run share nothing.
    drawn = dict(gallery.examples(tmp_path))
    assert list(drawn) == list(CHARTS)
    for name, chart in drawn.items():
        check_chart(name, chart)
    monkeypatch.setattr(gallery, "examples", lambda directory, say: drawn.items())
    page = gallery.write(tmp_path / "gallery")
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)">', text) == list(CHARTS)
    for name in CHARTS:
        assert (page.parent / f"{name}.png").stat().st_size > 5000
        rows = list(csv.reader((page.parent / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        assert len(rows) > 1
    assert not re.findall(r'\b(?:src|xlink:href)="', text), "the page loads nothing"
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for width, height in ((1280, 720), (400, 844)):
        browser.open(page, width, height)
        assert browser.run("document.documentElement.scrollWidth") <= width


def test_the_overview_shows_network_effects_and_ranking(tmp_path):
    chart = gallery.overview(tmp_path)
    assert {name.rpartition("_")[0] for name in chart.datasets} >= {"nodes", "rows", "ranks"}


def test_the_pictures_that_are_kept_say_what_is_drawn_now(tmp_path):
    from analysis.charts.base.files import specification, svg
    from analysis.plot.gallery.bench import Bench
    from analysis.plot.gallery.drawings import draw

    kept = sorted((Path(charts.__file__).parent / "gallery").glob("*.svg"))
    assert len(kept) > 3
    bench = Bench(tmp_path, lambda said: None)
    for picture in kept:
        name = picture.stem.replace("-", "_")
        chart = gallery.overview(tmp_path) if name == "overview" else draw(name, bench)
        # Words and numbers, not their places: these depend on the version of what draws.
        now, then = (
            re.findall(r"<t(?:ext|span)[^>]*>([^<]+)", text)
            for text in (svg(specification(chart)), picture.read_text(encoding="utf-8"))
        )
        assert sorted(now) == sorted(then), picture.name
