"""Whether two records are the same reference: what speaks for it, what against, and how sure that is.

A DOI or PMID that both have is strong, but not enough: abstracts of one supplement and chapters of one book
share a DOI, so titles and first authors have their say. Where there is no identifier, a title is held against
authors, year, journal, volume and pages. Titles whose numbers differ (part 1, part II) are not taken for one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from evidence.importers.references.identifiers import normal_doi

Certainty = Literal["sure", "ask"]

SIMILAR = 85.0
"""Similarity of titles, in percent, from which they may be one."""

_LIKE = 92.0
_SAME = 95.0
_SHORT = 20
_GREEK = dict(
    zip("αβγδεκλμω", ("alpha", "beta", "gamma", "delta", "epsilon", "kappa", "lambda", "mu", "omega"))
)
_ROMAN = {
    roman: str(number)
    for number, roman in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"), 1)
}
_ABOUT = re.compile(
    r"^(?:erratum|corrigendum|correction|author correction|publisher correction|reply|in reply|author reply"
    r"|authors reply|response|comment|editorial|letter|retraction|retracted|addendum"
    r"|expression of concern)\b"
)
"""How the title of what is written about another publication begins."""

_OWN_DOI = "10.1002/central/"
"""DOIs that a database gives its records: CENTRAL's are not the publication's."""

_GENERIC = re.compile(
    r"introduction|editorial|preface|index|contents|abstracts?|discussion|foreword|news|letters?"
)


def plain_title(title: str) -> str:
    """Return letters and digits of a title, without accents, markup and case, words kept apart by blanks."""
    text = re.sub(r"<[^<>]{1,20}>", "", html.unescape(title))
    text = "".join(_GREEK.get(c, c) for c in text.replace("ß", "ss").replace("µ", "μ"))
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(re.findall(r"\w+", plain))


@dataclass(frozen=True)
class Candidate:
    """A record as it is compared.

    Attributes
    ----------
    name : str
        Its key.
    title, doi, pmid, volume, page, journal, abstract : str
        In the form in which equal ones are equal; empty where there is none.
    authors : tuple of str
        Family names, the first first.
    year : int or None
    """

    name: str
    title: str
    doi: str
    pmid: str
    volume: str
    page: str
    journal: str
    abstract: str
    authors: tuple[str, ...]
    year: int | None

    @cached_property
    def numbers(self) -> list[str]:
        """Numbers in the title, Roman ones as figures."""
        words = [_ROMAN.get(word, word) for word in self.title.split()]
        return re.findall(r"\d+", " ".join(words))

    @property
    def first_author(self) -> str:
        """Family name of the first author."""
        return self.authors[0] if self.authors else ""


def candidate(row: Mapping[str, str]) -> Candidate:
    """Prepare a row of ``records.csv`` for comparison."""
    year = row.get("year", "")
    return Candidate(
        name=row["record"],
        title=plain_title(row.get("title", "")),
        doi="" if (doi := normal_doi(row.get("doi", ""))).startswith(_OWN_DOI) else doi,
        pmid=row.get("pmid", "").strip(),
        volume=re.sub(r"[^0-9a-z]", "", row.get("volume", "").lower()),
        page=_page(row.get("pages", "")),
        journal=plain_title(re.sub(r"\(.*?\)|[:=.].*$", "", row.get("journal", ""))),
        abstract=plain_title(row.get("abstract", ""))[:400],
        authors=tuple(filter(None, map(_family, row.get("authors", "").split(";")))),
        year=int(year) if year.isdigit() else None,
    )


def _page(pages: str) -> str:
    first = re.split(r"[-\u2010-\u2015,;]", pages.lower().strip())[0]
    return re.sub(r"[^0-9a-z]", "", first).lstrip("0")


def _family(author: str) -> str:
    """Take the family name: before the comma, or the longest word (Smith J, J. Smith, John Smith)."""
    before, comma, _ = author.partition(",")
    words = plain_title(before if comma else author).split()
    return max(words, key=len) if words else ""


@dataclass(frozen=True)
class Likeness:
    """How alike two records are.

    Attributes
    ----------
    certainty : {"sure", "ask"}
        Whether nothing speaks against it, or a person has to look.
    evidence : str
        What they agree in, and what contradicts it.
    similarity : float
        Of their titles, 0 to 100.
    weight : float
        For choosing between pairs: larger is more alike.
    """

    certainty: Certainty
    evidence: str
    similarity: float
    weight: float


def compare(one: Candidate, other: Candidate) -> Likeness | None:
    """Compare two records.

    Returns
    -------
    Likeness or None
        None if nothing makes them likely to be one.
    """
    from rapidfuzz.fuzz import ratio

    similarity = float(ratio(one.title, other.title)) if one.title and other.title else 0.0
    alike = _titles_alike(one, other, similarity)
    said = _same_identifier(one, other)
    points = _points(one, other)
    against = _contradiction(one, other)
    if said:
        certainty = _of_identifier(one, other, said, alike, similarity, points)
        if certainty is None:
            return None
        if not alike and one.title and other.title:
            against = f"titles differ ({similarity:.0f} %)" + (f", {against}" if against else "")
        elif against.startswith(("doi", "pmid")) and similarity < _SAME:
            certainty = "ask"
        words = f"same {said}"
    else:
        if not alike or not _plausible(one, other, similarity, points, against):
            return _by_place(one, other, similarity, points)
        certainty = _of_title(one, other, similarity, points, against)
        words = "same title" if one.title == other.title else f"similar title ({similarity:.0f} %)"
        if certainty == "ask" and against.startswith(("doi", "pmid")) and one.title != other.title:
            return None
    weight = similarity + 100 * bool(said) + 10 * points - 200 * (certainty == "ask")
    return Likeness(certainty, f"{words}, but {against}" if against else words, round(similarity, 1), weight)


def _titles_alike(one: Candidate, other: Candidate, similarity: float) -> bool:
    if one.title == other.title:
        return bool(one.title)
    if bool(_ABOUT.match(one.title)) != bool(_ABOUT.match(other.title)):
        return False
    shorter, longer = sorted((one.title, other.title), key=len)
    if len(shorter) < _SHORT:
        return False
    # A title cut off, or without its subtitle; what follows may hold numbers that the shorter one has lost.
    if len(shorter) >= 2 * _SHORT and longer.startswith(f"{shorter} "):
        return True
    return similarity >= SIMILAR and one.numbers == other.numbers


def _same_identifier(one: Candidate, other: Candidate) -> str:
    if one.doi and one.doi == other.doi:
        return "doi"
    return "pmid" if one.pmid and one.pmid == other.pmid else ""


def _of_identifier(
    one: Candidate, other: Candidate, said: str, alike: bool, similarity: float, points: float
) -> Certainty | None:
    """Decide on records of one identifier: titles and first authors are asked whether it is a container's."""
    authors = _authors_agree(one, other)
    if alike or not one.title or not other.title:
        return "ask" if authors is False and similarity < _SAME else "sure"
    if one.numbers != other.numbers and similarity >= SIMILAR:
        return "ask"
    if authors is False and points <= 0:
        # Two abstracts of one supplement, two chapters of one book.
        return None if said == "doi" and similarity < 70 else "ask"
    return "sure" if similarity >= 70 and authors else "ask"


def _points(one: Candidate, other: Candidate) -> float:
    """Count what agrees besides titles and identifiers, less what differs."""
    points = 0.0
    for mine, theirs, agrees, differs in (
        (one.volume, other.volume, 1.0, 1.0),
        (one.page, other.page, 2.0, 1.5),
        (one.journal, other.journal, 1.0, 0.5),
    ):
        if mine and theirs:
            same = _journals_agree(mine, theirs) if mine is one.journal else mine == theirs
            points += agrees if same else -differs
    if one.year and other.year:
        apart = abs(one.year - other.year)
        points += 1.0 if apart == 0 else 0.0 if apart == 1 else -1.0
    authors = _authors_agree(one, other)
    points += 0.0 if authors is None else 2.0 if authors else -2.0
    if one.abstract and other.abstract:
        from rapidfuzz.fuzz import ratio

        likeness = ratio(one.abstract, other.abstract)
        points += 2.0 if likeness > 85 else -1.0 if likeness < 50 else 0.0
    return points


def _authors_agree(one: Candidate, other: Candidate) -> bool | None:
    """Tell whether the first authors are one; None where one has none."""
    if not one.authors or not other.authors:
        return None
    if one.first_author == other.first_author:
        return True
    from rapidfuzz.fuzz import ratio

    # Compound names are cut differently; order differs where editors or groups come first.
    return (
        ratio(one.first_author, other.first_author) >= 80
        or one.first_author in other.authors
        or other.first_author in one.authors
    )


def _journals_agree(one: str, other: str) -> bool:
    """Tell whether two names of a journal are one, one of them abbreviated perhaps."""
    if one == other:
        return True
    small = {"of", "the", "and", "in", "for", "a", "on", "de", "la", "der", "die", "und"}
    mine, theirs = ([word for word in name.split() if word not in small] for name in (one, other))
    shorter, longer = sorted((mine, theirs), key=len)
    if not shorter:
        return False
    # Each word of the shorter name begins, or is begun by, one of the longer name, in order.
    rest = iter(longer)
    return all(
        any(word.startswith(full[:3]) and full.startswith(word[:3]) for full in rest) for word in shorter
    )


def _contradiction(one: Candidate, other: Candidate) -> str:
    for name in ("doi", "pmid"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine and theirs and mine != theirs:
            return f"{name} {mine} against {theirs}"
    if _authors_agree(one, other) is False:
        return f"first author {one.first_author} against {other.first_author}"
    return ""


def _plausible(one: Candidate, other: Candidate, similarity: float, points: float, against: str) -> bool:
    """Tell whether records of like titles are worth a question."""
    apart = abs(one.year - other.year) if one.year and other.year else 0
    if one.title != other.title and against.startswith("first author"):
        return False
    if len(one.title) < _SHORT or _GENERIC.fullmatch(one.title):
        # Many editorials are called so: only one place is the same one.
        return points >= 3
    # A title that is merely like another, with nothing else to go by, is another title.
    return points >= 2 or (apart <= 1 and similarity >= _LIKE)


def _of_title(one: Candidate, other: Candidate, similarity: float, points: float, against: str) -> Certainty:
    """Decide on records of like titles without a common identifier."""
    if against:
        return "ask"
    apart = abs(one.year - other.year) if one.year and other.year else 0
    if _elsewhere(one, other):
        return "ask"
    if one.title == other.title and len(one.title) >= 2 * _SHORT and points >= 2 and apart <= 1:
        return "sure"
    enough = 4 if similarity >= SIMILAR else 5
    return "sure" if points >= enough and apart <= 2 else "ask"


def _elsewhere(one: Candidate, other: Candidate) -> bool:
    """Tell whether journals differ, and volume or page with them: an abstract printed twice."""
    if not one.journal or not other.journal or _journals_agree(one.journal, other.journal):
        return False
    return any(
        mine and theirs and mine != theirs
        for mine, theirs in ((one.volume, other.volume), (one.page, other.page))
    )


def _by_place(one: Candidate, other: Candidate, similarity: float, points: float) -> Likeness | None:
    """Propose records of one place whose titles differ: a title and its translation."""
    at_one_place = one.page and one.page == other.page and one.volume and one.volume == other.volume
    if not at_one_place or points < 5 or _contradiction(one, other):
        return None
    if bool(_ABOUT.match(one.title)) != bool(_ABOUT.match(other.title)):
        return None
    if similarity >= SIMILAR and one.numbers != other.numbers:
        return None
    words = f"same author, volume and page, but titles differ ({similarity:.0f} %)"
    return Likeness("ask", words, round(similarity, 1), similarity + 10 * points - 250)
