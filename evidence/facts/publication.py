"""Kinds of publications, as RIS, BibTeX, EndNote and the databases call them."""

from __future__ import annotations

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of publication.

    Attributes
    ----------
    name : str
        In words.
    ris, bibtex : str
        Its type in these formats.
    words : str
        What databases and programs call it, as a pattern.
    """

    name: str
    ris: str
    bibtex: str
    words: str


KINDS = (
    Kind(
        "journal article", "JOUR", "article", r"jour|ejour|journal.*|article|review.*|letter|note|editorial|j"
    ),
    Kind("conference paper", "CONF", "inproceedings", r"conf|cpaper|conference.*|.*proceedings?|meeting.*"),
    Kind("book chapter", "CHAP", "incollection", r"chap|echap|.*chapter|booksection|incollection|inbook"),
    Kind("book", "BOOK", "book", r"book|ebook|edbook|wholebook|monograph"),
    Kind("thesis", "THES", "phdthesis", r"thes|thesis|dissertation.*|(phd|masters)thesis"),
    Kind("report", "RPRT", "techreport", r"rprt|govdoc|.*report.*|guideline"),
    Kind("preprint", "UNPB", "unpublished", r"unpb|inpr|unpublished.*|preprint|.*postedcontent"),
    Kind("abstract", "ABST", "inproceedings", r"abst|.*abstract"),
    Kind("trial registration", "DBASE", "misc", r"dbase|clinicaltrial(registry)?|trialregistry.*"),
    Kind("web page", "ELEC", "misc", r"elec|webpage|website|blog|online"),
    Kind("news", "NEWS", "article", r"news|newspaper.*|magazine.*|mgzn"),
)
OTHER = Kind("other", "GEN", "misc", "")
BY_NAME = {kind.name: kind for kind in (*KINDS, OTHER)}


def kind_named(text: str) -> Kind:
    """Find the kind that a format or database means; `OTHER` where none is known.

    Examples
    --------
    >>> from evidence.facts.publication import kind_named
    >>> kind_named("JOUR").name, kind_named("Journal Article").bibtex, kind_named("xyz").ris
    ('journal article', 'article', 'GEN')
    """
    plain = re.sub(r"[^a-z]", "", text.lower())
    return next((kind for kind in KINDS if re.fullmatch(kind.words, plain)), OTHER)
