"""Since when something is true: verdicts year by year become sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Row = dict[str, Any]

_SUBJECT = ("analysis", "about", "treatment", "versus", "claim")


def timeline(rows: Sequence[Mapping[str, Any]], states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Put verdicts in order, by subject and year.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the frame timeline of `analysis.living.replay`.
    states : sequence of mapping
        Its states, for the order of analyses.
    """
    place = {name: i for i, name in enumerate(dict.fromkeys(row["analysis"] for row in states))}
    about = {name: i for i, name in enumerate(("best", "first", "effect", "claim"))}
    return sorted(
        (dict(row) for row in rows),
        key=lambda row: (
            place.get(row["analysis"], len(place)),
            about[row["about"]],
            str(row["treatment"]),
            str(row["versus"]),
            str(row.get("claim")),
            row["year"],
        ),
    )


def turned(rows: Sequence[Mapping[str, Any]], states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Say of each subject what is true now, since when, and what was said before.

    Parameters
    ----------
    rows : sequence of mapping
        As `timeline` gives them.
    states : sequence of mapping

    Returns
    -------
    list of dict
        Rows of the frame statements. `since` is the year from which the verdict is as it is now without a
        break, `turns` how often it changed; a year in which nothing could be said breaks it.
    """
    by_subject: dict[tuple[Any, ...], dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_subject.setdefault(tuple(row.get(name) for name in _SUBJECT), {})[row["year"]] = row
    every = sorted({row["year"] for row in (*states, *rows)})
    found = []
    for subject, by_year in by_subject.items():
        if every[-1] not in by_year:
            continue
        now = by_year[every[-1]]
        verdicts = [by_year[year]["verdict"] if year in by_year else None for year in every]
        since = len(every) - 1
        while since and verdicts[since - 1] == now["verdict"]:
            since -= 1
        told = [verdict for verdict in verdicts if verdict is not None]
        row = {
            **dict(zip(_SUBJECT, subject, strict=True)),
            "verdict": now["verdict"],
            "statement": now["statement"],
            "since": every[since],
            "n_studies": by_year[every[since]]["n_studies"],
            "n_all": now["n_studies"],
            "turns": sum(a != b for a, b in pairwise(told)),
            **_before(by_year, every, since, verdicts),
        }
        found.append(row | {"said": _said(row)})
    return found


def _before(
    by_year: Mapping[int, Mapping[str, Any]], every: Sequence[int], since: int, verdicts: Sequence[Any]
) -> Row:
    """Find the last thing that was said before, and from when to when."""
    last = next((i for i in range(since - 1, -1, -1) if verdicts[i] is not None), None)
    if last is None:
        return {"before": None, "before_from": None, "before_to": None}
    first = last
    while first and verdicts[first - 1] == verdicts[last]:
        first -= 1
    row = by_year[every[last]]
    return {
        "before": row["verdict"] if row["about"] == "claim" else row["statement"],
        "before_from": every[first],
        "before_to": every[last],
    }


def _said(row: Mapping[str, Any]) -> str:
    what = f"{row['statement']}: {row['verdict']}" if row["about"] == "claim" else f"{row['statement']}:"
    said = f"{what} since {row['since']}, after {row['n_studies']} of {row['n_all']} studies"
    if row["before"] is None:
        return f"{said}; before: nothing could be said."
    first, last = row["before_from"], row["before_to"]
    when = str(first) if first == last else f"{first} to {last}"
    return f"{said}; before: {_lowered(row['before'])} ({when})."


def _lowered(text: str) -> str:
    """Begin a sentence within another one, where its first word is no name."""
    return text[:1].lower() + text[1:] if text.startswith(("No ", "The ")) else text
