"""What the file holds, as the page lists it: the file's own documentation, in the groups of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evidence.catalog import Entry
    from evidence.query import EvidenceBase


def groups(db: EvidenceBase) -> list[dict[str, Any]]:
    """List every table, view and function of a file, with its documentation and columns.

    Parameters
    ----------
    db : EvidenceBase

    Returns
    -------
    list of dict
        title and entries of each group (`evidence.catalog.grouped`); an entry has name, signature, kind,
        title, about (the rest of its documentation, line by line) and columns (name, type, meaning).
    """
    from evidence.catalog import Catalog, grouped

    return [
        {"title": f"{said[0].upper()}{said[1:]}", "entries": [_entry(entry) for entry in entries]}
        for said, entries in grouped(Catalog(db), every=True).items()
    ]


def _entry(entry: Entry) -> dict[str, Any]:
    _, _, about = entry.comment.partition("\n")
    return {
        "name": entry.name,
        "signature": entry.signature,
        "kind": entry.kind,
        "title": entry.title,
        "about": about.splitlines(),
        "columns": [[column.name, column.type.lower(), column.comment] for column in entry.columns],
    }
