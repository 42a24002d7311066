"""DOIs and PubMed's identifiers, wherever an export has put them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PMID_SAID = re.compile(
    r"(?:\bPMID|\bPUBMED(?:[ -]?ID)?|\bMEDLINE)\b\s*[:=#]?\s*(\d{1,8})(?!\d)", re.IGNORECASE
)
_PMID_LINK = re.compile(
    r"(?:pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/(?:\?term=)?|europepmc\.org/(?:article|abstract)/MED/)"
    r"(\d{1,8})(?!\d)",
    re.IGNORECASE,
)
_BARE = re.compile(r"[1-9]\d{0,7}")
_SAID = (_PMID_SAID, _PMID_LINK)
_OF_PUBMED = re.compile(r"pubmed|medline|\bnlm\b", re.IGNORECASE)


def normal_doi(text: str) -> str:
    """Return a DOI in lower case, without the address or the word before it; empty if it is none."""
    plain = text.strip().lower()
    # Addresses write the slash as %2f.
    match = _DOI.search(unquote(plain) if "%2f" in plain else plain)
    if match is None:
        return ""
    found = re.split(r"[&\"<>\s]|\[(?:doi|pii)\]", match[0])[0].rstrip(".,;:")
    # A bracket that closes what it does not open belongs to the sentence around it.
    while found.endswith(")") and found.count("(") < found.count(")"):
        found = found[:-1].rstrip(".,;:")
    return found


def first_doi(values: Iterable[str]) -> str:
    """Return the first DOI among texts."""
    return next(filter(None, map(normal_doi, values)), "")


def only_pmid(values: Sequence[str]) -> str:
    """Return the identifier that texts call PubMed's or link to; none where they name several."""
    found = {match for value in values for pattern in _SAID for match in pattern.findall(value)}
    return found.pop() if len(found) == 1 else ""


def bare_pmid(values: Iterable[str]) -> str:
    """Return the first of some texts that is a number of PubMed's length and nothing else."""
    for value in values:
        text = re.sub(r"\.0+$|\s*\[[^\]]*\]\s*$", "", value.strip())
        if _BARE.fullmatch(text):
            return text
    return ""


def long_pmid(values: Iterable[str]) -> str:
    """Return a number that is as long as PubMed's have been since 1985, and shorter than those of others."""
    found = bare_pmid(values)
    return found if len(found) >= 7 else ""


def of_pubmed(databases: Iterable[str]) -> bool | None:
    """Tell whether records come from PubMed or MEDLINE; None where no database is named."""
    named = [value for value in databases if value.strip()]
    return any(map(_OF_PUBMED.search, named)) if named else None
