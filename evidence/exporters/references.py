"""The references of a review without their duplicates, for reference managers and screening tools."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evidence.errors import RefusedError
from evidence.facts.publication import BY_NAME, OTHER
from evidence.names import apart
from evidence.selection import Selection

_COLUMNS = (
    "record", "title", "authors", "year", "journal", "volume", "issue", "pages", "doi", "pmid", "type",
    "abstract", "keywords", "url", "sources", "n_found", "study", "title_abstract", "full_text",
)  # fmt: skip


def write_ris(selection: Selection, directory: Path) -> list[Path]:
    """Write ``references.ris``; the PMID stands in a note, which every reader of ours and of others finds."""
    import rispy

    class Writer(rispy.RisWriter):
        """Without the numbers that rispy writes before each reference."""

        def set_header(self, count: int) -> str:
            return ""

    entries = []
    for row in _rows(selection):
        first, last = _pages(row["pages"])
        entry = {
            "type_of_reference": BY_NAME.get(row["type"] or "journal article", OTHER).ris,
            "id": row["record"],
            "title": row["title"],
            "authors": _list(row["authors"]),
            "year": row["year"],
            "secondary_title": row["journal"],
            "volume": row["volume"],
            "number": row["issue"],
            "start_page": first,
            "end_page": last,
            "doi": row["doi"],
            "abstract": row["abstract"],
            "keywords": _list(row["keywords"]),
            "urls": [row["url"]] if row["url"] else [],
            "notes": [f"PMID: {row['pmid']}"] if row["pmid"] else [],
            "name_of_database": row["sources"],
        }
        entries.append({key: str(v) if isinstance(v, int) else v for key, v in entry.items() if v})
    path = directory / "references.ris"
    path.write_text(Writer().formats(entries), encoding="utf-8", newline="\n")
    return [path]


def write_bibtex(selection: Selection, directory: Path) -> list[Path]:
    """Write ``references.bib``, accents and signs as LaTeX has them."""
    import logging

    import bibtexparser
    from bibtexparser.library import Library
    from bibtexparser.middlewares import LatexEncodingMiddleware
    from bibtexparser.model import Block, Entry, Field

    # A sign that LaTeX has not stays as it is, which BibTeX of today reads.
    logging.getLogger("pylatexenc.latexencode").setLevel(logging.ERROR)
    taken: set[str] = set()
    encode = LatexEncodingMiddleware(keep_math=False, enclose_urls=False)
    entries: list[Block] = []
    for row in _rows(selection):
        kind = BY_NAME.get(row["type"] or "journal article", OTHER)
        journal = "booktitle" if kind.bibtex.startswith("in") else "journal"
        words = {
            "title": row["title"],
            "author": " and ".join(_list(row["authors"])),
            journal: row["journal"],
            "year": row["year"],
            "volume": row["volume"],
            "number": row["issue"],
            "pages": (row["pages"] or "").replace("-", "--"),
            "abstract": row["abstract"],
            "keywords": row["keywords"],
        }
        # Identifiers and addresses are not words: they stay as they are.
        plain = {"doi": row["doi"], "pmid": row["pmid"], "url": row["url"]}
        key = apart(re.sub(r"[^\w:.+/-]+", "-", row["record"]).strip("-") or "record", taken)
        entry: Any = encode.transform_entry(
            Entry(kind.bibtex, key, [Field(name, str(value)) for name, value in words.items() if value]),
            Library(),
        )
        fields = [*entry.fields, *(Field(name, str(value)) for name, value in plain.items() if value)]
        entries.append(Entry(kind.bibtex, key, fields))
    path = directory / "references.bib"
    path.write_text(bibtexparser.write_string(Library(entries)), encoding="utf-8", newline="\n")
    return [path]


def write_references(selection: Selection, directory: Path) -> list[Path]:
    """Write ``references.csv``, with the names of columns that screening tools know, and the decisions."""
    path = directory / "references.csv"
    rows = list(_rows(selection))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    entry = selection.catalog.entries["unique_record"]
    selection.describe(path.name, {column.name: column.comment for column in entry.columns})
    return [path]


def _rows(selection: Selection) -> Iterator[dict[str, Any]]:
    rows = selection.db.rows(
        "select unique_record.* from unique_record inner join record using (record) order by source_line"
    )
    if not rows:
        raise RefusedError("There is no record to write: import references first.")
    yield from rows


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(";") if part.strip()]


def _pages(text: str | None) -> tuple[str, str]:
    first, _, last = (text or "").partition("-")
    return (first.strip(), last.strip()) if first.strip() else (text or "", "")
