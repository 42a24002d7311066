"""The review's claims in each year: their queries run on the review as of then, with the results of then."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from evidence.checking.claims import check_claims
from evidence.folder.as_of import Days
from evidence.living.then import states
from evidence.results import TABLES, Run
from evidence.review import Review
from evidence.store.objects import used_by

KEPT = ("estimates", "heterogeneity", "ranking")
"""Frames of results that a replay makes."""

UNFOLLOWED = "not followed: it asks results that a replay does not make"


def checked(review: Review, days: Days, runs: Mapping[int, Iterable[Run]]) -> list[dict[str, Any]]:
    """Check the claims that the review itself makes at the end of each year.

    Parameters
    ----------
    review : Review
        All of it.
    days : Days
        When its studies came to be known.
    runs : mapping of int to iterable of Run
        What the planned analyses gave in each year.

    Returns
    -------
    list of dict
        Rows of the frame timeline: the verdict is that of `evidence.checking.claims`.
    """
    queries = _queries(review)
    if not queries:
        return []
    words = {word for query in queries.values() for word in re.findall(r"\w+", query)}
    others = {table for name, table in TABLES.items() if name not in KEPT}
    lost = {name for name, query in queries.items() if _asks(query) & others}
    asked = {name for name in KEPT if TABLES[name] in _asks(" ".join(queries.values()))}

    def results(day: date) -> list[Run]:
        return [replace(run, frames=_some(run.frames, asked)) for run in runs.get(day.year, ())]

    found: list[dict[str, Any]] = []
    ends = [date(year, 12, 31) for year in days.years]
    for day, db in zip(ends, states(review, ends, only=words, runs=results), strict=True):
        verdicts = [verdict for verdict in check_claims(db) if verdict.claim in queries]
        found += [
            {
                "analysis": None,
                "year": day.year,
                "n_studies": len(days.by(day)),
                "about": "claim",
                "treatment": None,
                "versus": None,
                "claim": verdict.claim,
                "verdict": UNFOLLOWED if verdict.claim in lost else verdict.verdict,
                "statement": verdict.text,
            }
            for verdict in verdicts
        ]
    return found


def _some(frames: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: frame for name, frame in frames.items() if name in names}


def _queries(review: Review) -> dict[str, str]:
    """Find the queries of the claims that are said, not of checks of what is printed."""
    found: dict[str, str] = {}
    for rows in review.rows:
        if rows.table == "claim":
            cells = (rows.columns[name] for name in ("claim", "kind", "query", "operator"))
            found |= {
                name: query
                for name, kind, query, how in zip(*cells, strict=True)
                if kind == "claim" and query and how
            }
    return found


def _asks(query: str) -> set[str]:
    """Names in a query, with those that its views stand on."""
    words = set(re.findall(r"\w+", query))
    return words | {name for item in used_by(words) for name in item.uses}
