"""References with a grammar of their own: BibTeX and EndNote's XML."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from evidence.errors import Problem, ReviewError
from evidence.importers.references.reference import BIBTEX, Reference
from evidence.importers.sources import parse_xml
from evidence.names import INVISIBLE
from evidence.system.bounds import parsing, unreadable


def read_bibtex(path: Path, text: str) -> tuple[list[Reference], list[str]]:
    """Take BibTeX apart. A repeated key or field loses nothing, and is said; a broken entry is an error."""
    import bibtexparser
    from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock

    # What it could not read is reported below, with the line.
    logging.getLogger("bibtexparser").addHandler(logging.NullHandler())
    with parsing(path, "proper BibTeX"):
        library = bibtexparser.parse_string(text)
    found: list[tuple[int, Any]] = [(entry.start_line or 0, entry) for entry in library.entries]
    problems, fields = [], []
    for block in library.failed_blocks:
        line = (block.start_line or 0) + 1
        entry = getattr(block, "ignore_error_block", None)
        if isinstance(block, DuplicateBlockKeyBlock | DuplicateFieldKeyBlock) and entry is not None:
            found.append((line - 1, entry))
            if isinstance(block, DuplicateFieldKeyBlock):
                fields += [(line, name) for name in sorted(block.duplicate_keys)]
            continue
        remedy = "close every brace and quotation mark of the entry"
        what = f"an entry cannot be read: {_reason(block.error)}"
        problems.append(Problem(what, remedy, path.name, line))
    if problems:
        raise ReviewError(f"{path.name} is not proper BibTeX.", problems)
    found.sort(key=lambda item: item[0])
    references = [_of_entry(line + 1, entry) for line, entry in found]
    lines: dict[str, list[int]] = {}
    for line, entry in found:
        lines.setdefault(entry.key, []).append(line + 1)
    keys = [(further[0], key) for key, (_, *further) in lines.items() if further]
    notes = []
    if keys:
        notes.append(
            f"{_listed(keys)} stands for several entries: all are kept, numbered in place of the key"
        )
    if fields:
        notes.append(f"{_listed(fields)} is given twice in one entry: different values are both looked at")
    return references, notes


def _listed(found: list[tuple[int, str]]) -> str:
    shown = ", ".join(f"{name!r} (line {line})" for line, name in found[:5])
    return shown + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def _reason(error: Exception | None) -> str:
    said = str(getattr(error, "abort_reason", error) or "it is not BibTeX")
    return (said.splitlines() or [said])[0][:120]


def _of_entry(line: int, entry: Any) -> Reference:
    reference = Reference(line, {"key": [entry.key], "ENTRYTYPE": [entry.entry_type]})
    for item in entry.fields:
        name = item.key.lower()
        value = str(item.value).strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            # What the parser takes for a fault still has its quotation marks.
            value = value[1:-1]
        if name in BIBTEX.tags:
            # Only what becomes something is decoded: LaTeX takes its time.
            value = _decoded(value)
        values = re.split(r"\s+and\s+", value) if name in ("author", "editor") else [value]
        present = reference.fields.setdefault(name, [])
        present += [value for value in values if value not in present]
    return reference


def _decoded(value: str) -> str:
    """Turn LaTeX into text: accents, escaped signs; braces that only keep capitals go."""
    from bibtexparser.library import Library
    from bibtexparser.middlewares import LatexDecodingMiddleware
    from bibtexparser.model import Entry, Field

    text = value
    if re.search(r"[\\$~]", text):
        # A percent sign is one in an abstract, not the beginning of a comment.
        field = Field("value", re.sub(r"(?<!\\)%", r"\\%", text))
        decoded = LatexDecodingMiddleware().transform_entry(Entry("article", "key", [field]), Library())
        if isinstance(decoded, Entry):
            text = str(decoded.fields[0].value)
    return re.sub(r"\s+", " ", text.replace("{", "").replace("}", "")).strip()


_CONTROL = re.compile(r"&#(?:x0*1?[0-8bcefBCEF]|0*(?:[0-8]|1[124-9]|2\d|3[01]));")
"""References to control characters in XML."""


def read_endnote_xml(path: Path, raw: bytes) -> tuple[list[Reference], list[str]]:
    """Take EndNote's XML apart: every leaf of a record by its name, styles left out."""
    notes = []
    try:
        root = parse_xml(path, raw)
    except ReviewError:
        # EndNote writes control characters that came with text copied from a PDF; XML has none.
        text = raw.decode("utf-8", "replace")
        cleaned = INVISIBLE.sub(
            " ", re.sub(r"&#(?:x0*1?[0-8bcefBCEF]|0*(?:[0-8]|1[124-9]|2\d|3[01]));", " ", text)
        )
        if cleaned == text:
            raise
        root = parse_xml(path, cleaned.encode("utf-8"))
        notes.append("control characters, which XML has not, were read as blanks")
    records = root.findall(".//record")
    if root.tag not in ("xml", "records") or not records:
        raise unreadable(
            path, f"is XML of another kind (it begins with {root.tag})", "export EndNote XML, RIS or nbib"
        )
    references = []
    for number, record in enumerate(records, 1):
        reference = Reference(number)
        kind = record.find("ref-type")
        for leaf in _leaves(record):
            text = "".join(leaf.itertext()).strip()
            name = "url" if leaf.tag == "url" else leaf.tag
            if text and leaf.tag not in ("ref-type", "database", "source-app", "key"):
                reference.fields.setdefault(name, []).append(text)
        if kind is not None and kind.get("name"):
            reference.fields["ref-type"] = [str(kind.get("name"))]
        references.append(reference)
    return references, [*notes, "places in messages are numbers of records, as EndNote's XML has few lines"]


_GROUPS = frozenset(
    ("contributors", "authors", "secondary-authors", "tertiary-authors", "subsidiary-authors", "titles",
     "periodical", "alt-periodical", "keywords", "dates", "pub-dates", "urls", "related-urls", "pdf-urls",
     "text-urls", "image-urls", "foreign-keys", "web-urls", "translated-authors", "publisher")
)  # fmt: skip
_WITHIN = {
    "secondary-authors": "secondary-author",
    "tertiary-authors": "tertiary-author",
    "subsidiary-authors": "subsidiary-author",
    "translated-authors": "translated-author",
    "pub-dates": "pub-dates",
}


def _leaves(element: Any, within: str = "") -> list[Any]:
    found = []
    for child in element:
        if child.tag in _GROUPS and len(child):
            found += _leaves(child, _WITHIN.get(child.tag, within))
        else:
            if within:
                child.tag = within
            found.append(child)
    return found
