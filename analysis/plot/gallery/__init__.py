"""The gallery: every chart, drawn from the bundled reviews, on one page and as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from analysis.charts.registry import CHARTS
from analysis.plot.gallery.bench import Bench
from analysis.plot.gallery.drawings import code, command, draw
from evidence.system import files
from evidence.system.progress import heard

Progress = Callable[[str], None]


def write(directory: str | Path, *, progress: Progress | None = None) -> Path:
    """Draw every chart on the bundled reviews.

    Parameters
    ----------
    directory : str or Path
        Where to: ``index.html``, one page that loads nothing, and SVG, PNG and CSV of each chart.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CallError
        If the folder cannot be written.
    """
    from analysis.charts.base.files import save, svg

    say = progress or heard()
    folder = Path(directory)
    parts = []
    with files.scratch() as scratch, files.directory(folder) as staged:
        for name, chart in examples(scratch, say):
            save(chart, staged / name, ("svg", "png", "csv"))
            parts.append(_part(name, svg(chart)))
        page = _PAGE.replace("PARTS", "\n".join(parts))
        (staged / "index.html").write_text(page, encoding="utf-8")
    return folder / "index.html"


def overview(directory: Path, *, progress: Progress | None = None) -> Any:
    """Compose what a reader gets of one review: its network, its effects and its ranking.

    Parameters
    ----------
    directory : Path
        Where the diabetes review is compiled to.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    altair chart
    """
    from analysis.charts.base.theme import compose

    bench = Bench(directory, progress or heard())
    parts = [draw(name, bench) for name in ("network_diagram", "network_forest", "rankogram")]
    return compose(
        parts,
        name="overview",
        title="Glucose-lowering drugs added to sulfonylurea in type 2 diabetes (Senn et al. 2013)",
        description="Network diagram, effects against placebo and rank probabilities of the diabetes review.",
        beside=True,
    )


def examples(directory: Path, say: Progress = lambda step: None) -> Iterator[tuple[str, Any]]:
    """Draw each chart of the registry once, from a bundled review.

    Parameters
    ----------
    directory : Path
        Where the reviews are compiled to.
    say : callable
        Called with a few words before each step.

    Yields
    ------
    name : str
        Of the chart.
    chart : altair chart
    """
    bench = Bench(directory, say)
    for name in CHARTS:
        say(f"drawing {name}")
        yield name, draw(name, bench)


def _part(name: str, picture: str) -> str:
    import re

    entry = CHARTS[name]
    for found in set(re.findall(r'\bid="([^"]+)"', picture)):
        picture = picture.replace(f'id="{found}"', f'id="{name}-{found}"').replace(
            f"url(#{found})", f"url(#{name}-{found})"
        )
    # A figure shrinks to three quarters before it scrolls, so that its letters stay readable.
    width = 0.75 * float(re.search(r' width="([\d.]+)"', picture)[1])  # type: ignore[index]
    picture = picture.replace("<svg ", f'<svg style="min-width: {width:.0f}px" ', 1)
    return (
        f'<section id="{name}"><h2>{escape(entry.shows)}</h2>'
        f'<pre tabindex="0">{escape(command(name))}\n{escape(code(name))}</pre>'
        f'<p>Rows: {escape(entry.rows)}. <a href="{name}.svg">SVG</a> <a href="{name}.png">PNG</a> '
        f'<a href="{name}.csv">CSV</a></p><div class="picture" tabindex="0">{picture}</div></section>'
    )


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Gallery of charts</title>
<style>
body { font: 16px/1.5 "Liberation Sans", Arial, sans-serif; color: #1b1f24; }
body { margin: 2rem auto; max-width: 74rem; padding: 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 0.3rem; border-top: 1px solid #d0d7de; padding-top: 1rem; }
p { overflow-wrap: anywhere; }
pre { overflow-x: auto; background: #f6f8fa; padding: 0.5rem 0.7rem; font-size: 0.85rem; }
.picture { overflow-x: auto; }
.picture svg { max-width: 100%; height: auto; }
@media print { section { break-inside: avoid; } .picture svg { min-width: 0 !important; max-height: 230mm; } }
</style></head><body>
<h1>Gallery of charts</h1>
<p>Every chart of the package, drawn from the reviews that come with it: by the command above each picture, or
by the line of Python beneath it, after</p>
<pre>import evidence
from analysis import plot</pre>
PARTS
</body></html>
"""
