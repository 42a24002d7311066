"""Screening decisions that programs write into the references they export: Rayyan, ASReview, Covidence."""

from __future__ import annotations

import re
from collections.abc import Iterable

_RAYYAN = re.compile(r"RAYYAN-INCLUSION:\s*\{(?P<votes>[^}]*)\}")
_RAYYAN_VOTE = re.compile(r'"(?P<reviewer>[^"]+)"\s*=>\s*"(?P<vote>[^"]+)"')
_RAYYAN_REASON = re.compile(r"RAYYAN-EXCLUSION-REASONS:\s*(?P<reasons>[^|\n]+)")
_ASREVIEW = re.compile(r"\bASReview_(?P<label>relevant|irrelevant|not_seen)\b", re.IGNORECASE)
_COVIDENCE = re.compile(r"\bExclusion reason:\s*(?P<reason>[^;\n|]+)")
_VOTES = {"included": "include", "excluded": "exclude", "maybe": "unclear", "undecided": "unclear"}
_LABELS = {"relevant": "include", "irrelevant": "exclude"}
LABEL_DECISIONS = {"1": "include", "1.0": "include", "0": "exclude", "0.0": "exclude"}
"""Labels of ASReview in a table; -1 and empty are not labelled."""

ASREVIEW = "ASReview"
"""Reviewer of its labels, which name nobody."""
COVIDENCE = "Covidence"
"""Reviewer of its exclusions, which name nobody: there reasons are given at full text alone."""


def decisions_in(notes: Iterable[str]) -> list[dict[str, str]]:
    """Read the decisions that stand in the notes of a reference.

    Returns
    -------
    list of dict
        reviewer, stage, decision and reason of each.
    """
    text = "\n".join(notes)
    found = []
    if votes := _RAYYAN.search(text):
        reasons = _RAYYAN_REASON.search(text)
        for vote in _RAYYAN_VOTE.finditer(votes["votes"]):
            if (said := vote["vote"].lower()) in _VOTES:
                why = reasons["reasons"].strip() if reasons and said == "excluded" else ""
                found.append(_decided(vote["reviewer"], _VOTES[said], why))
    labels = dict.fromkeys(match["label"].lower() for match in _ASREVIEW.finditer(text))
    decisions = [_LABELS[label] for label in labels if label in _LABELS]
    if decisions:
        found.append(_decided(ASREVIEW, decisions[-1]))
    if excluded := _COVIDENCE.search(text):
        found.append(_decided(COVIDENCE, "exclude", excluded["reason"].strip(), "full_text"))
    return found


def _decided(reviewer: str, decision: str, reason: str = "", stage: str = "title_abstract") -> dict[str, str]:
    return {"stage": stage, "reviewer": reviewer, "decision": decision, "reason": reason}


def labelled(reviewer: str, decision: str) -> dict[str, str]:
    """Make a decision of a label in a table."""
    return _decided(reviewer, decision)
