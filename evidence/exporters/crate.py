"""A research object crate: the review folder and its tables, described for repositories and search."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence.errors import CallError
from evidence.exporters.folder import write_review
from evidence.exporters.tables import write_csv
from evidence.results import versions
from evidence.selection import Selection

PROFILE = "1.1"
"""Version of RO-Crate that is written: the one that validators and repositories know best."""
_MEDIA = {".csv": "text/csv", ".json": "application/json", ".toml": "application/toml"}
_DOI = re.compile(r"10\.\d{4,9}/[^\s;,]+[^\s;,.)]")


def write_crate(selection: Selection, directory: Path) -> list[Path]:
    """Write ``ro-crate/``: the review folder, every table and view as CSV, and ``ro-crate-metadata.json``.

    The date of publication is today's, or that of the environment variable ``SOURCE_DATE_EPOCH``.

    Raises
    ------
    CallError
        If the package rocrate is not installed.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError:
        raise CallError(
            "The format ro-crate needs the package rocrate: pip install 'evidence-base[ro-crate]'."
        ) from None
    target = directory / "ro-crate"
    target.mkdir(exist_ok=True)
    inside = replace(selection, queries={})
    files = [*write_review(inside, target), *write_csv(inside, target)]
    selection.queries.update({f"ro-crate/{file}": query for file, query in inside.queries.items()})
    crate = ROCrate(version=PROFILE)
    about = selection.db.rows("select * from review")[0]
    tables = [_file(crate, selection, target, file) for file in files]
    root = crate.root_dataset
    for name, value in _described(selection, about).items():
        root[name] = value
    root["license"] = _licence(crate, about)
    if about["citation"]:
        root["citation"] = _cited(crate, about["citation"])
    made = _made(crate, tables)
    root["mentions"] = made
    metadata = target / "ro-crate-metadata.json"
    crate.metadata.write(target)
    return [*files, metadata]


def _described(selection: Selection, about: dict[str, Any]) -> dict[str, Any]:
    """Say what the crate holds."""
    said = [about["question"] or about["title"], about["source"]]
    if selection.synthetic:
        said.insert(0, "SIMULATED DATA: no study in it was ever done.")
    if not selection.whole:
        said.append(f"A part of the review: {selection.conditions}.")
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    today = datetime.datetime.now(datetime.UTC)
    if epoch and epoch.isdigit():
        today = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return {
        "name": about["title"],
        "description": " ".join(text for text in said if text),
        "datePublished": today.date().isoformat(),
        "keywords": "systematic review, meta-analysis",
    }


def _file(crate: Any, selection: Selection, target: Path, file: Path) -> Any:
    """Describe one file."""
    content = file.read_bytes()
    name = file.relative_to(target).as_posix()
    entry = selection.catalog.entries.get(file.stem) if file.suffix == ".csv" else None
    properties = {
        "name": name,
        "encodingFormat": _MEDIA.get(file.suffix, "application/octet-stream"),
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if name.startswith("review/"):
        properties["description"] = "Of the review folder, from which everything else is computed."
    elif entry is not None:
        properties["description"] = entry.comment
    return crate.add_file(file, dest_path=name, properties=properties)


def _licence(crate: Any, about: dict[str, Any]) -> Any:
    """Say what may be done with it, as the review does."""
    from rocrate.model import ContextEntity

    text = about["licence"] or "The review does not state a licence."
    return crate.add(
        ContextEntity(
            crate, "#licence", properties={"@type": "CreativeWork", "name": text, "description": text}
        )
    )


def _cited(crate: Any, citation: str) -> Any:
    """Name the article that the review stands in, by its DOI where the citation has one."""
    from rocrate.model import ContextEntity

    found = _DOI.search(citation)
    identifier = f"https://doi.org/{found[0]}" if found else "#citation"
    properties = {"@type": "ScholarlyArticle", "name": citation}
    return crate.add(ContextEntity(crate, identifier, properties=properties))


def _made(crate: Any, tables: list[Any]) -> Any:
    """How the tables were computed: from which files, by which programs."""
    from rocrate.model import ContextEntity

    programs = [
        crate.add(
            ContextEntity(
                crate,
                f"#{name}",
                properties={
                    "@type": "SoftwareApplication",
                    "name": name,
                    "version": version,
                    **({"url": url} if (url := _HOME.get(name)) else {}),
                },
            )
        )
        for name, version in versions().items()
    ]
    source, computed = list(_parts(tables, "review/")), list(_parts(tables, "tables/", "views/"))
    action = ContextEntity(
        crate,
        "#export",
        properties={"@type": "CreateAction", "name": "evidence export --format ro-crate"},
    )
    action["instrument"], action["object"], action["result"] = programs, source, computed
    return crate.add(action)


_HOME = {"duckdb": "https://duckdb.org"}


def _parts(tables: list[Any], *folders: str) -> Iterator[Any]:
    return (table for table in tables if str(table.id).startswith(folders))
