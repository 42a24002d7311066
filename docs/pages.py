"""Pages of the site that are made of the code: catalog, methods, gallery, tables, columns and others.

A hook of mkdocs (``mkdocs.yml``): nothing that it makes is kept. The pictures of the gallery are drawn while
the site is built, or taken from the folder that ``GALLERY`` names (what ``evidence gallery -o`` wrote).
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and pictures that are made of the code."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    for name, picture in pictures().items():
        files.append(File.generated(config, f"charts/{name}.svg", content=picture))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Say where a file of the repository stands that is no page of the site."""
    return re.sub(r"\[([^]]+)\]\(\.\./([^)]+)\)", r"\1 (`\2`)", markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Take from the site itself what the theme takes from another server."""
    return output.replace("https://unpkg.com/iframe-worker/shim", "iframe-worker.js")


on_post_template = on_post_page
"""The page that is shown where there is none, too."""


def pages() -> dict[str, str]:
    """Text of every page that is made of the code, by its file."""
    from evidence.folder.guide import guide

    columns = guide().replace("# A review folder", "# Columns of a review folder", 1)
    return {
        "catalog.md": catalog(),
        "methods.md": methods(),
        "gallery.md": gallery(),
        "tables.md": _without_diagrams((ROOT / "schema" / "README.md").read_text(encoding="utf-8")),
        "columns.md": columns,
        "agreement.md": agreement(),
        "changes.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }


def _without_diagrams(text: str) -> str:
    """Leave out diagrams, which only a script from elsewhere would draw."""
    return re.sub(r"```mermaid\n.*?```\n", "", text, flags=re.DOTALL)


# --- views and macros ---------------------------------------------------------------------------------------


def catalog() -> str:
    """Describe every view and macro, by room, what a reviewer asks first at the top."""
    from evidence.store.objects import sql_objects
    from evidence.store.viewmap import FIRST, ROOMS

    objects = {item.name: item for item in sql_objects()}
    parts = [
        "# Views and macros\n\nWhat `evidence catalog FILE NAME` says, for all of them. Asked first:\n\n",
        "| view | what it is |\n| --- | --- |\n",
        *(f"| [{name}](#{name}) | {_cell(objects[name].header['Title'])} |\n" for name in FIRST),
    ]
    for room, said in ROOMS.items():
        parts.append(f"\n## {room}\n\n{said[0].upper()}{said[1:]}.\n")
        for item in sorted(objects.values(), key=lambda item: item.name):
            if item.room == room:
                parts.append(_object(item))
    return "".join(parts)


def _object(item: Any) -> str:
    shown = [key for key in ("Grain", "Formula", "Reference", "Caveats", "Message") if item.header.get(key)]
    lines = [f"\n### {item.name} {{ #{item.name} }}\n\n**{_prose(item.header['Title'])}**\n\n"]
    lines += [f"- *{key}:* {_prose(item.header[key])}\n" for key in shown]
    if item.columns:
        lines += ["\n| column | meaning |\n| --- | --- |\n"]
        lines += [f"| {name} | {_cell(said)} |\n" for name, said in item.columns.items()]
    return "".join(lines)


def _prose(text: str) -> str:
    """Text of a header as Markdown: what is no code keeps its stars and underscores."""
    parts = re.split(r"(`[^`]*`)", text)
    escaped = (re.sub(r"([*_\[\]])", r"\\\1", part).replace("<", "&lt;") for part in parts)
    return "".join(part if part[:1] == "`" else plain for part, plain in zip(parts, escaped, strict=True))


def _cell(text: str) -> str:
    return _prose(" ".join(text.split())).replace("|", "\\|")


# --- methods ------------------------------------------------------------------------------------------------


def methods() -> str:
    """Give formula and source of what is computed: of SQL from headers, of Python from docstrings."""
    from evidence.store.objects import sql_objects
    from evidence.store.viewmap import ROOMS

    parts = [
        "# Formulas and sources\n\nWhat is computed in SQL stands in the header of its view; in Python, in "
        "the docstring of its function. Both are printed here as they stand in the code.\n"
    ]
    for room in (*(room for room in ROOMS if room != "macros"), "macros"):
        sourced = [
            item
            for item in sql_objects()
            if item.room == room and not item.header.get("Reference", "see").startswith("see")
        ]
        if sourced:
            parts.append(f"\n## In SQL: {room}\n")
        for item in sorted(sourced, key=lambda item: item.name):
            parts.append(
                f"\n### [{item.name}](catalog.md#{item.name})\n\n**{_prose(item.header['Title'])}**\n\n"
                f"{_prose(item.header['Formula'])}\n\n*{_prose(item.header['Reference'])}*\n"
            )
    heading = ""
    for module, name, said, references in sources():
        if module != heading:
            parts.append(f"\n## In Python: {module}\n")
            heading = module
        parts.append(f"\n### {name}\n\n{_prose(said)}\n\n*{_prose(references)}*\n")
    return "".join(parts)


def sources() -> Iterator[tuple[str, str, str, str]]:
    """Find what has a section References: module, name, first paragraph, references."""
    for path in sorted((ROOT / "analysis").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            text = ast.get_docstring(node) or ""
            found = re.search(r"\nReferences\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.DOTALL)
            if found and not node.name.startswith("_"):
                first = " ".join(text.split("\n\n")[0].split())
                yield module, node.name, first, " ".join(found[1].split())


# --- what agrees with what ----------------------------------------------------------------------------------


def agreement() -> str:
    """Print which numbers are held to which reference, from the oracles' own page."""
    text = (ROOT / "tests" / "oracles" / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\((?!https?:)[^)]+\)", "]", text)  # Links to files that are no pages here.
    return text.replace("# Reference results", "# What agrees with what", 1)


# --- gallery ------------------------------------------------------------------------------------------------


def gallery() -> str:
    """List every chart of the registry with its picture and the line that draws it."""
    from analysis.charts.registry import CHARTS
    from analysis.plot.gallery.drawings import command

    parts = [
        "# Gallery\n\nEvery chart, drawn from the reviews that come with the package while this page was "
        "made, and the line that draws it.\n"
    ]
    for name, entry in CHARTS.items():
        parts.append(
            f"\n## {entry.shows} {{ #{name} }}\n\n```sh\n{command(name)}\n```\n\n"
            f"Rows: {_prose(entry.rows)}\n\n"
            f'<div class="chart" markdown>![{entry.shows}](charts/{name}.svg)</div>\n'
        )
    return "".join(parts)


def pictures() -> dict[str, str]:
    """Draw every chart of the registry as SVG, or read what ``evidence gallery`` wrote into ``GALLERY``."""
    from analysis.charts.registry import CHARTS

    if folder := os.environ.get("GALLERY"):
        return {name: (Path(folder) / f"{name}.svg").read_text(encoding="utf-8") for name in CHARTS}
    from analysis.charts.base.files import svg
    from analysis.plot.gallery import examples
    from evidence.system import files

    with files.scratch() as scratch:
        return {name: svg(chart) for name, chart in examples(scratch)}
