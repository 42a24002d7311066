"""One reference as exported, and what each format's tags mean: the columns of ``records.csv``."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from evidence.facts.publication import kind_named
from evidence.importers.references.identifiers import (
    bare_pmid,
    first_doi,
    long_pmid,
    of_pubmed,
    only_pmid,
)

_YEAR = re.compile(r"(?<!\d)(1[5-9]|20|21)\d\d(?!\d)")


@dataclass
class Reference:
    """One reference as exported.

    Attributes
    ----------
    line : int
        Line on which it begins.
    fields : dict of str to list of str
        Values by the format's own tag.
    """

    line: int
    fields: dict[str, list[str]] = field(default_factory=dict)

    def values(self, tags: tuple[str, ...]) -> list[str]:
        """All values of some tags that hold something."""
        return [value for tag in tags for value in self.fields.get(tag, ()) if value]

    def first(self, *tags: str) -> str:
        """Value of the first tag that has one."""
        return next(iter(self.values(tags)), "")


@dataclass(frozen=True)
class Layout:
    """Which tags of a format hold which column; of several, the first that has a value counts.

    Attributes
    ----------
    name : str
        The format, for messages.
    one : dict of str to tuple of str
        Tags of the columns that have one value.
    many : dict of str to tuple of str
        Tags of the columns whose values are joined by semicolons.
    last_page : tuple of str
        Tags of the last page, where the first has its own.
    ahead : tuple of str
        Tags of the month in which it appeared ahead of print.
    doi : tuple of str
        Tags in which a DOI may stand among other things.
    pmid : tuple of str
        Tags that hold PubMed's identifier and nothing else.
    pmid_text : tuple of str
        Tags whose text may name it.
    accession : tuple of str
        Tags that hold it where the record is PubMed's; where no database is named, the first one counts.
    custom : dict of str to str
        Tags that hold it in the records of one database.
    database : tuple of str
        Tags that name the database.
    key : tuple of str
        Tags that name the record.
    notes : tuple of str
        Tags in which programs write decisions.
    """

    name: str
    one: dict[str, tuple[str, ...]]
    many: dict[str, tuple[str, ...]]
    last_page: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    doi: tuple[str, ...] = ()
    pmid: tuple[str, ...] = ()
    pmid_text: tuple[str, ...] = ()
    accession: tuple[str, ...] = ()
    custom: dict[str, str] = field(default_factory=dict)
    database: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tags(self) -> set[str]:
        """Every tag that may become something."""
        groups = [
            *self.one.values(),
            *self.many.values(),
            self.last_page,
            self.doi,
            self.pmid,
            self.pmid_text,
        ]
        groups += [self.accession, tuple(self.custom), self.key, self.notes]
        return {tag for group in groups for tag in group}


RIS = Layout(
    "RIS",
    one={
        "title": ("TI", "T1", "CT"),
        "journal": ("T2", "JF", "JO", "JA", "J2", "BT"),
        "year": ("PY", "Y1", "YR", "DA"),
        "type": ("TY",),
        "volume": ("VL",),
        "issue": ("IS", "CP"),
        "pages": ("SP", "PG", "C7"),
        "abstract": ("AB", "N2"),
        "url": ("UR", "L2", "LK"),
    },
    many={"authors": ("AU", "A1", "A2", "ED"), "keywords": ("KW",)},
    last_page=("EP",),
    ahead=("C6",),
    doi=("DO", "DI", "UR", "L3", "M3", "L2", "LK", "N1"),
    pmid=("PM", "PMID"),
    pmid_text=(
        "C1",
        "C2",
        "C3",
        "C4",
        "C5",
        "C6",
        "C8",
        "N1",
        "M1",
        "U1",
        "U2",
        "UR",
        "L2",
        "LK",
        "AN",
        "ID",
    ),
    accession=("AN", "ID"),
    custom={"C2": "scopus", "C5": "embase"},
    database=("DB", "DP", "DS"),
    key=("ID", "AN", "U2"),
    notes=("N1", "RN", "PA"),
)
NBIB = Layout(
    "nbib",
    one={
        "title": ("TI", "BTI", "TT"),
        "journal": ("JT", "TA"),
        "year": ("DP", "DEP", "EDAT"),
        "type": ("PT",),
        "volume": ("VI",),
        "issue": ("IP",),
        "pages": ("PG",),
        "abstract": ("AB",),
    },
    many={"authors": ("FAU", "AU", "FED", "CN"), "keywords": ("OT", "MH")},
    doi=("AID", "LID", "SO"),
    pmid=("PMID",),
    key=("PMID",),
)
WOS = Layout(
    "Web of Science",
    one={
        "title": ("TI",),
        "journal": ("SO", "JI", "J9"),
        "year": ("PY",),
        "type": ("DT", "PT"),
        "volume": ("VL",),
        "issue": ("IS",),
        "pages": ("BP", "AR"),
        "abstract": ("AB",),
    },
    many={"authors": ("AF", "AU", "BA", "CA"), "keywords": ("DE", "ID")},
    last_page=("EP",),
    ahead=("EA",),
    doi=("DI", "D2"),
    pmid=("PM",),
    key=("UT",),
)
ENDNOTE = Layout(
    "EndNote",
    one={
        "title": ("%T", "title"),
        "journal": ("%J", "%B", "secondary-title", "full-title", "alt-title", "abbr-1"),
        "year": ("%D", "year", "%8", "pub-dates"),
        "type": ("%0", "ref-type"),
        "volume": ("%V", "volume"),
        "issue": ("%N", "number", "issue"),
        "pages": ("%P", "pages", "electronic-resource-number-pages"),
        "abstract": ("%X", "abstract"),
        "url": ("%U", "url"),
    },
    many={"authors": ("%A", "author", "%E", "secondary-author"), "keywords": ("%K", "keyword")},
    doi=("%R", "electronic-resource-num", "%U", "url", "%Z", "notes"),
    pmid=(),
    pmid_text=("%Z", "notes", "%U", "url", "%1", "%2", "%3", "%4", "custom1", "custom2", "custom3", "custom4",
               "custom5", "custom6", "custom7", "research-notes", "%M", "accession-num"),
    accession=("%M", "accession-num"),
    database=("%W", "remote-database-name", "%~", "remote-database-provider"),
    key=("%F", "label", "%M", "accession-num", "rec-number"),
    notes=("%Z", "notes", "research-notes"),
)  # fmt: skip
REFWORKS = Layout(
    "RefWorks",
    one={
        "title": ("T1", "OT"),
        "journal": ("JF", "T2", "JO"),
        "year": ("YR", "FD"),
        "type": ("RT",),
        "volume": ("VO",),
        "issue": ("IS",),
        "pages": ("SP",),
        "abstract": ("AB",),
        "url": ("UL", "LK"),
    },
    many={"authors": ("A1", "A2"), "keywords": ("K1",)},
    last_page=("OP",),
    doi=("DO", "LK", "UL", "NO"),
    pmid=("PMID",),
    pmid_text=("NO", "AN", "LK", "UL", *(f"U{n}" for n in range(1, 10))),
    accession=("AN",),
    database=("DB", "DS", "SF"),
    key=("ID", "AN"),
    notes=("NO",),
)
BIBTEX = Layout(
    "BibTeX",
    one={
        "title": ("title",),
        "journal": ("journal", "journaltitle", "booktitle", "source"),
        "year": ("year", "date"),
        "type": ("ENTRYTYPE", "type"),
        "volume": ("volume",),
        "issue": ("number", "issue"),
        "pages": ("pages", "art_number", "article-number", "eid"),
        "abstract": ("abstract",),
        "url": ("url",),
    },
    many={"authors": ("author", "editor"), "keywords": ("keywords", "author_keywords", "keywords-plus")},
    doi=("doi", "url", "note"),
    pmid=("pmid", "pubmed_id", "pubmedid", "pubmed"),
    pmid_text=("note", "url", "annote", "eprint", "annotation", "notes"),
    accession=("accession_number", "an"),
    database=("database", "db"),
    key=("key",),
    notes=("note", "notes", "annote"),
)


@dataclass
class Tally:
    """What became of each tag, over all references: written into the report."""

    used: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    repeated: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    yearless: list[tuple[int, str]] = field(default_factory=list)
    guessed_pmids: int = 0


def record_of(reference: Reference, layout: Layout, tally: Tally, database: str = "") -> dict[str, str]:
    """Return the columns of ``records.csv``, from whichever tags the format has for them.

    Parameters
    ----------
    reference : Reference
    layout : Layout
        Of its format.
    tally : Tally
        Takes what became of the tags.
    database : str
        The database that was searched, where a person has said it.
    """
    row: dict[str, str] = {}
    for column, tags in layout.one.items():
        tag = next((tag for tag in tags if any(reference.fields.get(tag, ()))), None)
        if tag is None:
            row[column] = ""
            continue
        values = list(dict.fromkeys(filter(None, map(_line, reference.fields[tag]))))
        tally.used[tag][column] += 1
        if column == "abstract":
            row[column] = " ".join(values)
        else:
            row[column] = next(iter(values), "")
            if len(values) > 1 and column not in ("url", "type", "year"):
                tally.repeated[tag].append(reference.line)
    for column, tags in layout.many.items():
        tag = next((tag for tag in tags if any(reference.fields.get(tag, ()))), None)
        values = [part for value in reference.fields.get(tag or "", ()) for part in _parts(column, value)]
        row[column] = "; ".join(dict.fromkeys(filter(None, values)))
        if tag is not None and row[column]:
            tally.used[tag][column] += 1
    row["year"] = _year(reference, layout, tally, row["year"])
    row["type"] = kind_named(row["type"]).name if row["type"] else ""
    row["pages"] = _pages(reference, layout, tally, row["pages"])
    row["doi"] = _from(reference, layout.doi, tally, "doi", first_doi)
    row["pmid"] = _pmid(reference, layout, tally, database)
    return row


def _line(text: str) -> str:
    return " ".join(text.split())


def _parts(column: str, text: str) -> list[str]:
    if column == "authors":
        return [_line(part).rstrip(",").strip() for part in text.split(";")]
    return [_line(part) for part in re.split(r"[;\n]", text)]


def _year(reference: Reference, layout: Layout, tally: Tally, text: str) -> str:
    # 2021a and 2019/03/04 hold a year; "in press" does not.
    for value in (text, *reference.values(layout.one["year"])):
        if match := _YEAR.search(value):
            return match[0]
    # Web of Science gives of what is published ahead the month alone: "EA JAN 2021".
    for value in reference.values(layout.ahead):
        if match := re.fullmatch(r"[A-Za-z]{3}[\s-](\d{4})", value.strip()):
            return match[1]
    if text:
        tally.yearless.append((reference.line, text))
    return ""


def _pages(reference: Reference, layout: Layout, tally: Tally, first: str) -> str:
    last = reference.first(*layout.last_page)
    if last:
        for tag in layout.last_page:
            tally.used[tag]["pages"] += tag in reference.fields
    first = re.sub(r"\s*[-\u2010-\u2015]+\s*", "-", first.removeprefix("p.").strip())
    start, _, end = first.partition("-")
    first = start if start == end else first
    return f"{first}-{last}" if first and last and last != first and "-" not in first else first or last


def _from(
    reference: Reference,
    tags: Iterable[str],
    tally: Tally,
    column: str,
    find: Callable[[Sequence[str]], str],
) -> str:
    """Return what is found in the first tag that has it."""
    for tag in tags:
        if found := find(reference.fields.get(tag, ())):
            tally.used[tag][column] += 1
            return found
    return ""


def _pmid(reference: Reference, layout: Layout, tally: Tally, database: str) -> str:
    """Look for PubMed's identifier: where it has a place of its own, where a text names it, as accession."""
    named = [*reference.values(layout.database), database]
    own = [tag for tag, of in layout.custom.items() if of in " ".join(named).lower()]
    from_pubmed = of_pubmed(named)
    accession = layout.accession if from_pubmed else layout.accession[: from_pubmed is None]
    for tags, find in (
        ((*layout.pmid, *own), bare_pmid),
        ((*layout.pmid, *layout.pmid_text), only_pmid),
        # Of a record of PubMed's the accession number is its own; a further key may be a program's count.
        (accession[:1], bare_pmid if from_pubmed else long_pmid),
        (accession[1:], long_pmid),
    ):
        if found := _from(reference, tags, tally, "pmid", find):
            tally.guessed_pmids += tags == accession[:1] and not from_pubmed
            return found
    return ""
