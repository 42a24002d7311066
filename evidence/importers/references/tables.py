"""References as a table: Scopus, Embase, PubMed, Zotero, Rayyan, Covidence, ASReview, whoever has titles."""

from __future__ import annotations

import re
from pathlib import Path

from evidence.folder.column_names import plain
from evidence.importers.references.decisions import ASREVIEW, LABEL_DECISIONS
from evidence.importers.references.reference import Layout, Reference
from evidence.importers.table import Reading, Table, read_table, table_of
from evidence.system.bounds import unreadable

_NAMES: dict[str, tuple[str, ...]] = {
    "title": (
        "title", "articletitle", "documenttitle", "primarytitle", "ti", "t1", "titleprimary", "displayname",
    ),
    "journal": (
        "journal", "sourcetitle", "publicationtitle", "journaltitle", "journalbook", "secondarytitle",
        "publicationname", "journalname", "jo", "so", "publication",
        "periodicalfull", "primarylocationsourcedisplayname", "source",
    ),
    "year": (
        "year", "publicationyear", "publishedyear", "pubyear", "py", "yearpublished", "date",
        "publicationdate", "datepublished", "dateofpublication", "coverdate",
    ),
    "type": (
        "documenttype", "publicationtype", "itemtype", "referencetype", "doctype", "type", "typeofreference",
    ),
    "volume": ("volume", "vol", "biblovolume", "bibliovolume"),
    "issue": ("issue", "issuenumber", "number", "biblioissue"),
    "pages": ("pages", "pagestart", "startpage", "firstpage", "bibliofirstpage", "artno", "articlenumber"),
    "abstract": ("abstract", "abstractnote", "abstracttext", "ab", "notesabstract"),
    "url": (
        "url", "link", "urls", "sourceurls", "externalurl", "plink", "embaselink",
        "primarylocationlandingpageurl",
    ),
}  # fmt: skip
_LISTS: dict[str, tuple[str, ...]] = {
    "authors": (
        "authors", "author", "authornames", "au", "firstauthors", "authorshipsauthordisplayname", "creator",
        "authorfullnames", "authorsprimary",
    ),
    "keywords": (
        "keywords", "authorkeywords", "indexkeywords", "manualtags", "subjects", "meshterms", "tags",
    ),
}  # fmt: skip
_LAST_PAGE = ("pageend", "endpage", "lastpage", "bibliolastpage", "otherpages")
_DOI = ("doi", "di", "idsdoi", "fulltextlink", "url", "link")
_PMID = ("pmid", "pubmedid", "medlinepmid", "pubmed", "idspmid", "pm")
_PMID_TEXT = ("extra", "url", "urls", "notes", "link", "accessionnumber", "note", "sourceurls", "customid")
_DATABASE = (
    "database",
    "databasename",
    "nameofdatabase",
    "db",
    "archive",
    "sourcedatabase",
    "librarycatalog",
)
_KEY = (
    "recordid", "record", "key", "id", "ut", "eid", "covidence", "internalid", "centralid", "accessionnumber",
    "lensid", "refid", "studyid", "openalexid", "pui", "pmid",
)  # fmt: skip
_NOTES = ("notes", "note", "extra")
_LABELS = (
    "asreviewlabel",
    "labelincluded",
    "included",
    "labelabstractscreening",
    "finalincluded",
    "includedlabel",
)
_WHOLE = ("citation",)
"""PubMed's column that holds volume, issue and pages."""

_CITATION = re.compile(r";\s*(?P<volume>[^;(:]*)(?:\((?P<issue>[^)]*)\))?:(?P<pages>[\w.-]*\w)")
_SURNAME_INITIALS = re.compile(r"[^\d;,]+?[\s-](?:[A-Z]\.?-?){1,5}\.?")


def read_reference_table(
    path: Path, raw: str | None, notes: list[str], reading: Reading
) -> tuple[list[Reference], Layout, list[str]]:
    """Read a table of references.

    Parameters
    ----------
    path : Path
    raw : str or None
        Its text; None for a workbook.
    notes : list of str
        What was done to read the text.
    reading : Reading
        Sheet and header, where a person says them.

    Returns
    -------
    references : list of Reference
        Values by the names of columns.
    layout : Layout
        What these names mean.
    notes : list of str

    Raises
    ------
    ReviewError
        If no column holds titles, or it is no table.
    """
    if raw is None:
        table = read_table(path, doubled="keep", **reading)
    else:
        table = table_of(path, raw, notes, reading.get("header") or _header_line(path, raw), doubled="keep")
    layout = _layout(table)
    if not layout.one["title"] and not layout.doi and not layout.pmid:
        raise unreadable(
            path,
            f"is a table without a column of titles, DOIs or PMIDs (it has {', '.join(table.header[:12])})",
            "name one Title, as Scopus, Zotero, Rayyan or ASReview do; or export RIS",
        )
    references = []
    for line, cells in table.rows:
        fields = {name: [cell] for name, cell in zip(table.header, cells, strict=True) if cell}
        for name in layout.many["authors"]:
            if name in fields:
                fields[name] = _authors(fields[name][0])
        references.append(Reference(line, fields))
    whole = [name for name in table.header if plain(name) in _WHOLE]
    for reference in references:
        if whole and (match := _CITATION.search(reference.first(*whole))):
            for column, value in match.groupdict().items():
                reference.fields[f"{whole[0]}: {column}"] = [value.strip()] if value else []
    return references, layout, list(table.notes)


def _header_line(path: Path, text: str) -> int | None:
    """Find the line that names the columns: Embase writes its query above them."""
    known = {name for names in (*_NAMES.values(), *_LISTS.values(), _DOI, _PMID, _LABELS) for name in names}
    lines = text.splitlines()[:30]
    counts = [len({plain(cell) for cell in re.split(r"[,;\t]", line)} & known) for line in lines]
    best = max(counts, default=0)
    first = counts.index(best) if counts else 0
    return first + 1 if best > 1 and first else None


def _layout(table: Table) -> Layout:
    """Find which columns hold what, by their names; of several, the more usual name comes first."""
    by_plain: dict[str, list[str]] = {}
    for name in table.header:
        by_plain.setdefault(plain(name), []).append(name)

    def of(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(column for name in names for column in by_plain.get(name, ()))

    one = {column: of(names) for column, names in _NAMES.items()}
    for name in of(_WHOLE):
        for column in ("volume", "issue", "pages"):
            one[column] = (*one[column], f"{name}: {column}")
    if len(one["journal"]) > 1 or "eid" in by_plain:
        # Scopus' column Source names the database.
        one["journal"] = tuple(name for name in one["journal"] if plain(name) != "source")
    return Layout(
        "a table of references",
        one,
        {column: of(names) for column, names in _LISTS.items()},
        last_page=of(_LAST_PAGE),
        doi=of(_DOI),
        pmid=of(_PMID),
        pmid_text=of(_PMID_TEXT),
        accession=of(("accessionnumber",)),
        database=of(_DATABASE),
        key=of(_KEY),
        notes=of(_NOTES),
    )


def _authors(text: str) -> list[str]:
    """Take a list of authors apart, however it is separated."""
    for separator in (r"\s*[;\n|]\s*", r"\s+and\s+"):
        if re.search(separator, text):
            return re.split(separator, text)
    # PubMed ends its list with a full stop, where no initial has one.
    whole = text[:-1] if text.endswith(".") and text.count(".") == 1 else text
    parts = [part.strip() for part in whole.split(",")]
    if len(parts) > 1 and all(_SURNAME_INITIALS.fullmatch(part) for part in parts if part):
        return parts
    return [text]


def labels_of(table_references: list[Reference]) -> tuple[str, str, dict[int, str]]:
    """Find the column of labels as ASReview writes it, and its decision by the line of the reference.

    Returns
    -------
    column : str
        Empty where there is none.
    reviewer : str
        ASReview where its columns are there, else the column, which names nobody.
    decisions : dict of int to str
        Decision by line; what is not labelled is not in it.
    """
    names = dict.fromkeys(name for reference in table_references for name in reference.fields)
    for label in _LABELS:
        for name in (name for name in names if plain(name) == label):
            values = {reference.line: reference.first(name).strip().lower() for reference in table_references}
            strange = set(values.values()) - LABEL_DECISIONS.keys() - {"", "-1", "-1.0", "nan"}
            if strange:
                continue
            theirs = any("asreview" in plain(other) for other in names)
            decisions = {line: LABEL_DECISIONS[v] for line, v in values.items() if v in LABEL_DECISIONS}
            return name, ASREVIEW if theirs else f"column {name}", decisions
    return "", "", {}
