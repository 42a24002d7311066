"""Files of a chart: SVG, PNG, PDF, an interactive page that needs no network, and the tables it draws."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import vl_convert

from analysis.charts.base.theme import FONTS
from evidence.errors import CallError

FORMATS = ("svg", "png", "pdf", "html", "csv", "json")
"""What a chart can be saved as; json is its Vega-Lite specification."""

# vl-convert resolves links within the page against this address.
_BASE = "https://vega.github.io/vega-datasets/#"

_TAG = re.compile(r"<[^<>]*>")
_COUNTED = re.compile(r'(\s(?:id="|[\w:-]+="url\(#))((?:clip|gradient_)\d+)(?=["\)])')


def specification(chart: Any) -> dict[str, Any]:
    """Vega-Lite specification of a chart, with its data; a specification is given back as it is."""
    # Altair has checked every part when it was made; to check the whole again takes longer than to draw it.
    return chart if isinstance(chart, dict) else chart.to_dict(validate=False)


def svg(chart: Any) -> str:
    """Draw a chart as SVG: text stays text, and the alternative text is its title."""
    spec = specification(chart)
    drawn = _renumbered(vl_convert.vegalite_to_svg(spec).replace(_BASE, "#"))
    # Vega names the fonts at every single text; said once, at the top, they make a file half as large.
    fonts = escape(FONTS, quote=True).replace("&#x27;", "'")
    drawn = drawn.replace(f' font-family="{fonts}"', "")
    head, _, rest = drawn.partition(">")
    label = escape(spec.get("description", ""), quote=True)
    return f'{head} font-family="{fonts}" role="img" aria-label="{label}"><title>{label}</title>{rest}'


def _renumbered(drawn: str) -> str:
    """Count clip paths and gradients from one: Vega counts on through all that a process has drawn."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], f"{match[2].rstrip('0123456789')}{len(numbers) + 1}")

    # Within tags only: what a text says is somebody's words.
    return _TAG.sub(lambda tag: _COUNTED.sub(number, tag[0]), drawn)


def png(chart: Any, scale: float = 2) -> bytes:
    """Draw a chart as PNG, `scale` pixels for each pixel of the figure."""
    return vl_convert.svg_to_png(svg(chart), scale=scale)


def pdf(chart: Any) -> bytes:
    """Draw a chart as PDF with its fonts embedded."""
    return vl_convert.svg_to_pdf(svg(chart))


def html(chart: Any) -> str:
    """Write a chart as an interactive page that loads nothing from the network."""
    return chart.to_html(
        inline=True, embed_options={"actions": {"export": True, "source": False, "editor": False}}
    )


def tables(chart: Any) -> dict[str, list[dict[str, Any]]]:
    """Take the tables that a chart draws out of the chart itself.

    Returns
    -------
    dict of str to list of dict
        Rows by the table's name, with the columns that mean something to a reader.
    """
    spec = specification(chart)
    wanted = spec["usermeta"]["evidence"]["tables"]
    found = dict(spec.get("datasets", {}))
    for data in _data(spec):
        if "name" in data and "values" in data:
            found[data["name"]] = data["values"]
    return {
        name: [{column: row.get(column) for column in columns} for row in found[name]]
        for name, columns in wanted.items()
    }


def csv_text(chart: Any) -> str:
    """Write the tables that a chart draws as CSV; with several, a first column names the table."""
    drawn = tables(chart)
    columns = list(dict.fromkeys(column for rows in drawn.values() for row in rows for column in row))
    several = len(drawn) > 1
    out = io.StringIO()
    writer = csv.DictWriter(out, (["table"] if several else []) + columns, lineterminator="\n")
    writer.writeheader()
    for name, rows in drawn.items():
        for row in rows:
            writer.writerow({**({"table": name} if several else {}), **row})
    return out.getvalue()


def save(
    chart: Any, stem: str | Path, formats: Iterable[str] = ("svg", "png", "csv"), scale: float = 2
) -> list[Path]:
    """Save a chart, and the table it draws, in several formats.

    Parameters
    ----------
    chart : altair chart
        Result of a function of `analysis.charts`.
    stem : path
        Where to, without the suffix; missing folders are made.
    formats : iterable of str
        Any of `FORMATS`.
    scale : float
        Pixels of a PNG for each pixel of the figure.

    Returns
    -------
    list of Path
        The files, in the order of `formats`.

    Raises
    ------
    CallError
        If a format is not known.
    """
    import json

    wanted = list(formats)
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise CallError(f"A chart cannot be saved as {unknown[0]!r}: choose from {', '.join(FORMATS)}.")
    spec = specification(chart)
    drawn = svg(spec) if {"svg", "png", "pdf"} & set(wanted) else ""
    make: dict[str, Any] = {
        "svg": lambda: drawn.encode(),
        "png": lambda: vl_convert.svg_to_png(drawn, scale=scale),
        "pdf": lambda: vl_convert.svg_to_pdf(drawn),
        "html": lambda: html(chart).encode(),
        "csv": lambda: csv_text(spec).encode(),
        "json": lambda: json.dumps(spec, ensure_ascii=False, indent=1).encode(),
    }
    files = []
    for name in wanted:
        # A name may hold a dot ("vs. placebo"), so the suffix is added, not replaced.
        file = Path(f"{stem}.{name}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(make[name]())
        files.append(file)
    return files


def _data(node: Any) -> Iterable[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("data"), dict):
            yield node["data"]
        for key, value in node.items():
            if key not in ("data", "datasets", "values"):
                yield from _data(value)
    elif isinstance(node, list):
        for value in node:
            yield from _data(value)
