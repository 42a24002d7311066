"""What an exported reference says of retractions and corrections: of itself, or of another publication.

PubMed says it in types and fields of their own (``RIN`` retraction in, ``ROF`` retraction of, ``EIN`` erratum
in, ``EFR`` erratum for, ``ECI`` and ``ECF`` of expressions of concern; NLM, MEDLINE/PubMed Data Element
Descriptions), publishers and other databases in the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evidence.importers.references import Found, normal_doi
from evidence.importers.references.identifiers import only_pmid
from evidence.importers.references.reference import NBIB, Layout

ITSELF = {
    "retracted": "retracted",
    "corrected": "corrected",
    "concern": "under an expression of concern",
}
"""What became of a publication itself."""
NOTICES = {
    "retraction": "a notice of retraction",
    "correction": "a correction",
    "expression of concern": "an expression of concern",
}
"""What a reference is, that is about another publication."""

_TYPES = {
    "retractedpublication": "retracted",
    "retractedarticle": "retracted",
    "retracted": "retracted",
    "retractionofpublication": "retraction",
    "retraction": "retraction",
    "retractionnotice": "retraction",
    "publishederratum": "correction",
    "erratum": "correction",
    "corrigendum": "correction",
    "correction": "correction",
    "correctedandrepublishedarticle": "corrected",
    "expressionofconcern": "expression of concern",
}
"""Types of publications, letters alone: PubMed's, Web of Science's, Embase's and Scopus's."""

_FIELDS = {
    "RIN": "retracted", "ROF": "retraction", "EIN": "corrected", "EFR": "correction", "ECI": "concern",
    "ECF": "expression of concern",
}  # fmt: skip
"""Fields of nbib."""

_ENDS = r"(?=\s*(?:$|to\b|[:.;\])–—-]|(?:of|for)\s*[\"'“‘:]))"
"""What follows such a word where it is no part of a subject: "correction of anaemia" is another thing."""

_TITLES = (
    (r"[\[(]?(?:retracted|withdrawn)(?: article| paper| publication)?\s*[\])]?\s*[:.\]–—-]", "retracted"),
    (r".*[\[(]retracted(?: article| publication)?[\])]\s*\.?$", "retracted"),
    (r"[\[(]?(?:notice of retraction|retraction (?:notice|note|statement))\b", "retraction"),
    (rf"[\[(]?retraction\b{_ENDS}", "retraction"),
    (rf"[\[(]?(?:(?:author|publisher|publisher's)\s+)?(?:erratum|errata|corrigend(?:um|a)|correction)\b{_ENDS}",
     "correction"),
    (r"[\[(]?(?:editorial\s+)?expression of concern\b", "expression of concern"),
)  # fmt: skip
"""How titles begin, or end, that say so."""


class Said(NamedTuple):
    """What a reference says.

    Attributes
    ----------
    kind : str
        One of `ITSELF` or of `NOTICES`.
    by : str
        Where it says so: type, title, or the field of PubMed's.
    doi, pmid : str
        Of a notice, the publication that it is about; empty where it does not say.
    """

    kind: str
    by: str
    doi: str = ""
    pmid: str = ""


def said_by(found: Found, layout: Layout) -> list[Said]:
    """Tell what a reference says of retractions and corrections, each kind once.

    Parameters
    ----------
    found : Found
        A reference as exported.
    layout : Layout
        What its format's tags mean.

    Returns
    -------
    list of Said
    """
    kinds: dict[str, Said] = {}
    for said in _all(found, layout):
        kinds.setdefault(said.kind, said)
    return list(kinds.values())


def _all(found: Found, layout: Layout) -> Iterator[Said]:
    # PubMed's own fields first: they name the publication.
    fields = found.reference.fields
    for tag, kind in _FIELDS.items() if layout is NBIB else ():
        for value in fields.get(tag, ()):
            yield Said(kind, tag, normal_doi(value), only_pmid([value]))
    for tag in layout.one.get("type", ()):
        for value in fields.get(tag, ()):
            if kind := _TYPES.get(re.sub(r"[^a-z]", "", value.lower()), ""):
                yield Said(kind, "type")
    title = found.record.get("title", "").strip().lower()
    for pattern, kind in _TITLES:
        if re.match(pattern, title):
            yield Said(kind, "title")
            break
