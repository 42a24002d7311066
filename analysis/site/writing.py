"""Write the site of a review: its report, and an explorer that answers SQL in the reader's browser."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.site import engine as browser_engine
from evidence.system.progress import heard

Progress = Callable[[str], None]

_PAGE = Path(__file__).resolve().parent / "page"
_FOLDER = "explorer"
_CHARTS = "globalThis.vegaEmbed = vegaEmbed;"
"""What the bundle of Vega-Lite gives the page."""


def write(
    review: str | Path,
    directory: str | Path,
    *,
    wasm: str | Path | None = None,
    previous: str | Path | None = None,
    fresh: bool = False,
    told: Callable[[list[str]], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a review, and beside it a page on which readers ask its data.

    The folder can be put on any web server as it stands, or opened from a disk; no page of it asks anything
    of another place.

    Parameters
    ----------
    review : str or Path
        A review folder, the name of a bundled one, or a ``.duckdb`` file.
    directory : str or Path
        Folder of the site; made where it is missing. Files of an earlier site or report in it are replaced.
    wasm : str or Path, optional
        Folder with DuckDB for browsers, from ``python wasm/make.py DIR``; without it the installed one.
    previous, fresh, told
        As in `analysis.report.write`.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Path
        ``index.html``, the report. Beside it ``explorer.html``, and what that loads in ``explorer``. Where
        DuckDB for browsers is not installed the explorer shows all but answers to SQL
        (`analysis.site.REMEDY` says what to do).

    Raises
    ------
    EvidenceError
        As `analysis.report.write`.
    CallError
        As `analysis.report.write`, or if `wasm` holds no engine.
    """
    from analysis import report
    from evidence.system.files import directory as directory_of

    say = progress or heard()
    engine = browser_engine.find(None if wasm is None else Path(wasm))
    folder = Path(directory)
    with directory_of(folder, inputs=[Path(review)]) as staged:
        if previous is None and Path(review).suffix != ".duckdb":
            previous = folder  # The report is written beside it first.
        page = report.write(
            review,
            staged,
            previous=previous,
            fresh=fresh,
            explorer="explorer.html",
            told=told,
            progress=progress,
        )
        [database] = staged.glob("*.duckdb")
        _add(staged, database, engine, say)
    return folder / page.name


def _add(folder: Path, database: Path, engine: Path | None, say: Progress) -> None:
    """Put the explorer into the folder of a report, and its files into the list of files."""
    import vl_convert

    from analysis.site import catalog, questions, what_if
    from evidence import facts
    from evidence.opening import open as open_evidence

    with open_evidence(database) as db:
        found, refused = what_if.rows(db, say)
        say("writing the explorer")
        review = db.rows("select * from review")[0]
        data = {
            "file": database.name,
            "catalog": catalog.groups(db),
            "questions": questions.of(db),
            "what_if": what_if.for_the_page(db, found, refused),
            "treatments": {row["treatment"]: row["label"] for row in db.rows("select * from treatment")},
            "ratios": sorted(measure.code for measure in facts.measures() if measure.scale == "log"),
            "version": db.value("select value from build_info where key = 'package_version'"),
        }
    files: dict[str, tuple[bytes, str]] = {
        f"{_FOLDER}/what-if.csv": (
            _csv(found),
            "every planned analysis without each study and under other priors",
        ),
        f"{_FOLDER}/explorer.js": ((_PAGE / "explorer.js").read_bytes(), "the explorer's own code"),
        f"{_FOLDER}/charts.js": (
            vl_convert.javascript_bundle(_CHARTS).encode(),
            "Vega-Lite, which draws its charts",
        ),
    }
    if engine is not None:
        files |= {
            f"{_FOLDER}/review.js": (_for_browsers(database), "the evidence base, as the explorer reads it"),
            f"{_FOLDER}/engine.js": ((engine / browser_engine.ENGINE).read_bytes(), "DuckDB for browsers"),
            f"{_FOLDER}/LICENSES.txt": (
                (engine / browser_engine.LICENCES).read_bytes(),
                "licences of engine.js",
            ),
        }
    page = _page(review, data, engine is not None)
    files["explorer.html"] = (page.encode(), "the explorer: SQL, and what if")
    for name, (content, _) in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        with file.open("xb") as stream:  # No file of the report is overwritten.
            stream.write(content)
    _list(folder, {name: what for name, (_, what) in files.items()})


def _for_browsers(database: Path) -> bytes:
    """Give a script that holds the database, in the format that the engine opens."""
    from evidence.exporters.older import write_older
    from evidence.system.files import scratch

    with scratch() as place:
        file = place / database.name
        shutil.copyfile(database, file)
        write_older(file, browser_engine.STORAGE)
        content = base64.b64encode(gzip.compress(file.read_bytes(), 9, mtime=0)).decode()
    return f'globalThis.evidenceReview = "{content}";\n'.encode()


def _page(review: dict[str, Any], data: dict[str, Any], has_engine: bool) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from analysis import report
    from analysis.charts.base.theme import SYNTHETIC

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    synthetic = SYNTHETIC if review["synthetic"] else ""
    # "</script" would end the element, "<!--<script" keep it open: no "<" stands in it.
    text = json.dumps(
        data | {"synthetic": synthetic, "engine": has_engine}, ensure_ascii=False, separators=(",", ":")
    )
    look = (Path(report.__file__).parent / "page" / "page.css").read_text(encoding="utf-8")
    return environment.get_template("explorer.html").render(
        review=review,
        synthetic=synthetic,
        has_engine=has_engine,
        remedy=browser_engine.REMEDY,
        file=data["file"],
        version=data["version"],
        analyses=[analysis for analysis in data["what_if"] if "refused" not in analysis],
        style=Markup(look + (_PAGE / "explorer.css").read_text(encoding="utf-8")),
        data=Markup(text.replace("<", "\\u003c")),
    )


def _csv(rows: list[dict[str, Any]]) -> bytes:
    from analysis.site.what_if import COLUMNS

    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _list(folder: Path, files: dict[str, str]) -> None:
    """Add files to the list that the report keeps of its own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for name, what in files.items():
        content = (folder / name).read_bytes()
        writer.writerow([name, what, len(content), hashlib.sha256(content).hexdigest()])
    with (folder / "manifest.csv").open("a", encoding="utf-8", newline="") as stream:
        stream.write(out.getvalue())
