"""Which pairs of records are worth comparing: by identifier, by place, by title in neighbouring years."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from evidence.importers.duplicates.likeness import SIMILAR, Candidate, Likeness, compare

_CONTAINER = 3
"""Titles that a DOI may stand for; with as many it is a supplement's or a book's, and says nothing of one."""

_BLOCK = 500


def matches(records: Sequence[Candidate]) -> list[tuple[int, int, Likeness]]:
    """Find all pairs of records that may be one.

    Parameters
    ----------
    records : sequence of Candidate

    Returns
    -------
    list of (int, int, Likeness)
        Positions, the smaller first; the likeliest pairs first, then in the order of the records.
    """
    containers = _containers(records)
    pairs = sorted(set(_pairs(records)))
    found = []
    for first, second in pairs:
        one, other = records[first], records[second]
        if one.doi in containers:
            one, other = replace(one, doi=""), replace(other, doi="")
        likeness = compare(one, other)
        if likeness is not None:
            found.append((first, second, likeness))
    return sorted(found, key=lambda item: (-item[2].weight, item[0], item[1]))


def _containers(records: Sequence[Candidate]) -> set[str]:
    """DOIs that stand for several publications of different titles."""
    from rapidfuzz.fuzz import ratio

    titles: dict[str, list[str]] = defaultdict(list)
    found = set()
    for record in records:
        if not record.doi or not record.title or record.doi in found:
            continue
        known = titles[record.doi]
        if all(ratio(record.title, title) < 70 for title in known):
            known.append(record.title)
            if len(known) >= _CONTAINER:
                found.add(record.doi)
    return found


def _pairs(records: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        for key in _keys(record):
            groups[key].append(index)
    for members in groups.values():
        # Every pair of a small group; of a large one, each with the next, which joins it all the same.
        if len(members) <= 30:
            yield from ((a, b) for i, a in enumerate(members) for b in members[i + 1 :])
        else:
            yield from itertools.pairwise(members)
    yield from _similar_titles(records)


def _keys(record: Candidate) -> Iterator[Hashable]:
    """Give what equal records share: any of these is enough to look at a pair."""
    if record.doi:
        yield "doi", record.doi
    if record.pmid:
        yield "pmid", record.pmid
    if record.title:
        yield "title", record.title
    if len(record.title) >= 40:
        yield "beginning", record.title[:40], record.first_author
    if record.first_author and record.volume and record.page:
        yield "place", record.first_author, record.volume, record.page


def _similar_titles(records: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Compare titles of the same or the next year, and those without a year with all."""
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import cdist

    years: dict[int | None, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        if record.title:
            years[record.year].append(index)
    everything = [index for members in years.values() for index in members]
    for year, members in years.items():
        others = members + years.get(year + 1, []) if year is not None else everything
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            scores = cdist(
                [records[i].title for i in block],
                [records[i].title for i in others],
                scorer=ratio,
                score_cutoff=SIMILAR,
            )
            for i, j in zip(*scores.nonzero()):
                first, second = block[i], others[j]
                if first != second:
                    yield (first, second) if first < second else (second, first)
