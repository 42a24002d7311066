"""Write the report of a review: build, analyse, draw, and put everything into one folder."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence.errors import EvidenceError, Problem
from evidence.system.progress import heard

Progress = Callable[[str], None]

_PAGE = Path(__file__).resolve().parent / "page"
_MOST_STACKED = 250
"""Cells of a table whose rows stand below each other on a narrow screen."""
_PALETTE = "select distinct color, color_blind_safe from rob_answer order by all"


def write(
    review: str | Path,
    directory: str | Path,
    *,
    strict: bool = False,
    language: str | None = None,
    as_of: str | None = None,
    previous: str | Path | None = None,
    fresh: bool = False,
    explorer: str = "",
    told: Callable[[list[str]], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Build a review, carry out its plan, and write the report.

    Parameters
    ----------
    review : str or Path
        A review folder, the name of a bundled one, or a ``.duckdb`` file.
    directory : str or Path
        Folder of the report; made where it is missing. Files of an earlier report in it are replaced.
    strict : bool
        Stop if any planned analysis is refused, and raise an error, once the report is written, if one of the
        review's own claims does not hold; without it the report says which, and why.
    language : {"en", "de", "fr", "es", "zh"}, optional
        Of the fixed texts and the signs of numbers; the review's own (``language`` in review.toml), or
        English, without it. Words of the review, notes of analyses and reasons of exclusions stay.
    as_of : str, optional
        A year, month or day: report the review as it could have been then. Of a folder or a bundled review.
    previous : path, optional
        File, or folder of an earlier report, from which results are taken that still hold
        (`analysis.living.update`). Without it those of the ``.duckdb`` file given, or of the report that is
        replaced.
    fresh : bool
        Take none.
    explorer : str
        Page beside the report on which its data can be asked, to be linked.
    told : callable, optional
        Called with a line for each analysis, where results could be taken: whether and why it was run.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Path
        ``index.html``: one page with everything in it, that loads nothing. Beside it the database,
        ``figures`` (SVG and PNG), ``tables`` and ``results`` (CSV), ``tables.xlsx``,
        ``report.docx`` and ``manifest.csv``.

    Raises
    ------
    EvidenceError
        If the review cannot be built; with `strict`, if an analysis is refused or a claim does not hold.
    CallError
        If there is no such review or language, the folder cannot be written, or no study was known then.

    Examples
    --------
    >>> from analysis import report
    >>> report.write("smoking", "smoking-report").name
    'index.html'
    """
    from analysis.language.catalog import speaking
    from analysis.report.material import Material
    from evidence.facts.languages import DEFAULT
    from evidence.opening import open as open_evidence
    from evidence.system.files import directory as directory_of

    say = progress or heard()
    with speaking(language or DEFAULT):  # an unknown one is refused before the work
        folder = Path(directory)
    with directory_of(folder, inputs=[Path(review)]) as staged:
        database = _database(review, staged, as_of, say)
        refused = _analysed(
            database, None if fresh else _earlier(review, previous, folder), strict, told, say
        )
        with open_evidence(database) as db:
            said = {name: str(error) for name, error in refused.items()}
            material = Material(db, said)
            with speaking(language or material.review.get("language") or DEFAULT):
                page = folder / _write(material, staged, database.name, explorer, say).name
            failed = db.rows(
                "select text, found, expected from published_claim_check"
                " where publication is null and verdict <> 'holds' order by all"
            )
    if strict and failed:
        raise EvidenceError(
            f"{page} is written; these sentences of the review are not borne out:",
            [Problem(row["text"], f"found {row['found']}, expected {row['expected']}") for row in failed],
        )
    return page


def _earlier(review: str | Path, previous: str | Path | None, folder: Path) -> Path:
    """Find what results are taken from: what was named, a file that is reported, or the report there is."""
    given = Path(review)
    return Path(previous or (given if given.suffix == ".duckdb" and given.is_file() else folder))


def _analysed(
    database: Path,
    earlier: Path | None,
    strict: bool,
    told: Callable[[list[str]], None] | None,
    say: Progress,
) -> dict[str, EvidenceError]:
    """Carry out what changed, and keep all; why analyses are refused."""
    from analysis.living.update import opened, updated
    from evidence import results
    from evidence.opening import open as open_evidence

    with opened(earlier) as old:
        with open_evidence(database) as db:
            found = updated(db, old.db, say)
        if told is not None and (lines := old.lines(found)):
            told(lines)
    if found.refused and strict:
        raise EvidenceError("\n".join(f"{name}: {error}" for name, error in found.refused.items()))
    say("keeping the results")
    results.save(database, found.runs)
    return found.refused


def _database(review: str | Path, folder: Path, as_of: str | None, say: Progress) -> Path:
    import evidence
    from evidence.opening import open as open_evidence
    from evidence.opening import resolve
    from evidence.review import find

    given = Path(review)
    if as_of is not None:
        resolve(review, as_of)  # which refuses what cannot be cut
    if given.suffix == ".duckdb" and given.is_file():
        with open_evidence(given) as db:  # under the views of this package, whatever the file has
            shutil.copyfile(str(db.path), folder / given.name)
        return folder / given.name
    name = find(review).resolve().name
    return evidence.build(review, folder / f"{name}.duckdb", as_of=as_of, progress=say)


class _Files:
    """The files of a report in its folder, each with what it is."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.listed = [(database, "the evidence base: every table, view and result row")]
        self.pictures: dict[str, Any] = {}

    def put(self, name: str, content: bytes, what: str) -> None:
        """Write a file that is not there yet."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as stream:  # No two write the same file.
            stream.write(content)
        self.listed.append((name, what))

    def manifest(self) -> bytes:
        """List the files with their sizes and hashes."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "what", "bytes", "sha256"])
        for name, what in self.listed:
            content = (self.folder / name).read_bytes()
            writer.writerow([name, what, len(content), hashlib.sha256(content).hexdigest()])
        return out.getvalue().encode()


def _write(material: Any, folder: Path, database: str, explorer: str, say: Progress) -> Path:
    from altair.utils.schemapi import debug_mode

    from analysis.charts.base.theme import SYNTHETIC
    from analysis.charts.tables import Table
    from analysis.language.catalog import tr
    from analysis.report.links import Links
    from analysis.report.sections import whole as sections
    from evidence.results import TABLES

    links = Links()
    # Altair would check each part of each chart against its schema again and again, for half of all the time.
    with debug_mode(False):
        made = sections.assemble(material, links, say)
    leagues = sections.league_tables(material, links)
    files = _Files(folder, database)
    figures: dict[str, str] = {}
    wide: set[str] = set()
    for block in sections.everything(made):
        if isinstance(block, sections.Figure):
            say(f"drawing {block.name}")
            figures[block.name], is_wide = _put_figure(block, material, files)
            if is_wide:
                wide.add(block.name)
    tables = [block for block in sections.everything(made) if isinstance(block, Table)]
    for table in tables:  # The figure of a league table has its CSV.
        content = _csv(table.records(), material.synthetic).encode()
        files.put(f"tables/{table.name}.csv", content, _titled(material, table.name, table.title))
    for name, rows in material.results().items():
        content = _csv(rows, material.synthetic).encode()
        files.put(f"results/{name}.csv", content, f"every row of table {TABLES[name]}")
    say("writing the workbook and the Word file")
    _put_documents(material, made, tables, leagues, files)
    say("writing the page")
    synthetic = tr(SYNTHETIC) if material.synthetic else ""
    page = _page(material, made, figures, wide, links, explorer, synthetic)
    files.put("index.html", page.encode(), "the report")
    files.put("manifest.csv", files.manifest(), "this list")
    return folder / "index.html"


def _titled(material: Any, name: str, title: str) -> str:
    return ". ".join(part for part in (material.numbers.get(name), title) if part)


def _put_figure(block: Any, material: Any, files: _Files) -> tuple[str, bool]:
    """Write the files of a figure in both its forms; give what stands on the page, and whether it is wide."""
    import vl_convert

    from analysis import charts
    from analysis.charts.base.files import csv_text, specification, svg
    from analysis.report import typeset
    from analysis.report.blocks import SAFE
    from analysis.report.word import Picture

    on_page, wide = "", False
    for tail, chart in (("", block.chart), (SAFE, block.switch)):
        if chart is None:
            continue
        spec = specification(charts.mark_synthetic(chart) if material.synthetic else chart)
        about = spec["usermeta"]["evidence"]
        title = _titled(material, block.name, about["title"])
        picture = svg(spec)
        # Alone, a figure has no panel to link to.
        alone = re.sub(r"<a [^>]*>|</a>", "", picture)
        files.put(f"figures/{block.name}{tail}.svg", alone.encode(), title)
        png = vl_convert.svg_to_png(alone, scale=2)
        files.put(f"figures/{block.name}{tail}.png", png, title)
        if not tail:
            files.pictures[block.name] = Picture(
                alone, png, about["title"], str(spec["description"]), about.get("cuts", ())
            )
            wide = typeset.wide(picture)
            on_page = typeset.sheets(_scoped(picture, block.name), block.name, about.get("cuts", ()))
            files.put(f"tables/{block.name}.csv", csv_text(spec).encode(), f"what the figure draws: {title}")
    return on_page, wide


def _put_documents(
    material: Any, made: list[Any], tables: list[Any], leagues: list[Any], files: _Files
) -> None:
    """Write what co-authors edit: the workbook of all tables, and the report for Word."""
    from analysis.report.documents import workbook
    from analysis.report.word import Title, word
    from analysis.report.words import as_of

    workbook([*tables, *leagues], files.folder / "tables.xlsx", synthetic=material.synthetic)
    files.listed.append(("tables.xlsx", "all tables, one sheet each"))
    review = material.review
    sources = [str(review[key]) for key in ("citation", "source", "licence") if review[key]]
    said = as_of(material)
    word(
        Title(str(review["title"]), [said, *sources] if said else sources),
        made,
        files.pictures,
        files.folder / "report.docx",
        leagues=leagues,
        numbers=material.numbers,
        synthetic=material.synthetic,
    )
    files.listed.append(("report.docx", "the report for Word: headings, figures and tables with captions"))


def _page(
    material: Any,
    made: list[Any],
    figures: dict[str, str],
    wide: set[str],
    links: Any,
    explorer: str,
    synthetic: str,
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from analysis.charts.tables import Table
    from analysis.language.catalog import current, tr
    from analysis.report import typeset
    from analysis.report.links import as_html, resolve
    from analysis.report.sections.whole import Figure, Text, everything
    from analysis.report.words import as_of

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["linked"] = lambda text: Markup(typeset.lines(as_html(str(text))))
    environment.filters["table"] = lambda table: Markup(typeset.lines(resolve(_table_html(table))))
    environment.tests["stacked"] = _stacked
    environment.globals["tr"] = tr
    environment.tests["figure"] = lambda block: isinstance(block, Figure)
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.tests["text"] = lambda block: isinstance(block, Text)
    panel = links.panel(material.db, material.studies) | {
        "readings": [
            row | {"outcome": material.outcomes.get(row["outcome"], row["outcome"])}
            for row in material.readings
        ],
        "words": _panel_words(),
        "palette": {row["color"].lower(): row["color_blind_safe"] for row in material.db.rows(_PALETTE)},
        "database": f"{material.info.get('review', 'review')}.duckdb",
    }
    # "</script" would end the element, "<!--<script" keep it open: no "<" stands in it.
    data = json.dumps(panel, ensure_ascii=False, separators=(",", ":"), default=str).replace("<", "\\u003c")
    script = (_PAGE / "page.js").read_text(encoding="utf-8")
    choices = {section.analysis: _choice(material, section.analysis) for section in made if section.analysis}
    return environment.get_template("page.html").render(
        review=material.review,
        language=current(),
        sections=made,
        figures={name: Markup(picture) for name, picture in figures.items()},
        wide=wide,
        switches={block.name for block in everything(made) if isinstance(block, Figure) and block.switch},
        style=Markup((_PAGE / "page.css").read_text(encoding="utf-8")),
        script=Markup(f"\n{script}\n"),
        # The page runs this one script and nothing that came with the data.
        allowed=b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode(),
        data=Markup(data),
        synthetic=synthetic,
        as_of=as_of(material),
        explorer=explorer,
        choices=choices,
        numbers=material.numbers,
        version=material.info.get("package_version", ""),
    )


def _stacked(table: Any) -> bool:
    """Tell whether rows of a table stand below each other on a narrow screen: of long ones columns scroll."""
    return len(table.rows) * len(table.columns) <= _MOST_STACKED


def _table_html(table: Any) -> str:
    from analysis.report import typeset

    html: str = table.html()
    labels = [column.label.replace("\n", " ") for column in table.columns]
    return typeset.labelled(html, labels) if _stacked(table) else html


def _panel_words() -> dict[str, Any]:
    """Say what stands in the panel of a number; the script of the page fills the places in braces."""
    from analysis.language.catalog import tr

    return {
        "heads": [
            tr("Arm"), tr("Outcome"), tr("As reported"), tr("Used as"), tr("Source"),
            tr("Page, figure or table"), tr("File and line"),
        ],
        "readings": tr("Readings, scrolls sideways where it is wider than the panel"),
        "contrasts": tr("{n} contrasts stand behind it, heaviest first."),
        "weight": tr(": weight {weight}"),
        "weight_and_effect": tr(": weight {weight}, own effect {effect}"),
        "not_kept": tr("not kept"),
        "command": tr("On the command line:"),
        "of_study": tr("{n} readings of this study."),
        "none_of_study": tr("No reading of this study was entered."),
    }  # fmt: skip


def _choice(material: Any, analysis: str) -> str:
    outcome, _, measure = analysis.rpartition(" ")
    return f"{material.outcomes.get(outcome, outcome)} ({measure})"


def _scoped(picture: str, name: str) -> str:
    """Make the ids within a picture unlike those of every other picture on the page."""
    ids = set(re.findall(r'\bid="([^"]+)"', picture))
    for found in ids:
        # No anchor of a section, figure or table has a slash.
        picture = picture.replace(f'id="{found}"', f'id="{name}/{found}"').replace(
            f"url(#{found})", f"url(#{name}/{found})"
        )
    return picture


def _csv(rows: list[dict[str, Any]], synthetic: bool) -> str:
    from analysis.charts.base.theme import SYNTHETIC
    from analysis.report.links import as_text

    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, *(["data"] if synthetic else [])])
    for row in rows:
        cells = [
            "" if (value := as_text(row.get(column))) is None or value != value else value
            for column in columns
        ]
        writer.writerow([*cells, *([SYNTHETIC] if synthetic else [])])
    return out.getvalue()
