"""RevMan's judgements become rows of ``risk_of_bias.csv``, by the tool that their items are of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from evidence.errors import Problem
from evidence.facts.reference import keyed, reference
from evidence.folder.column_names import plain
from evidence.folder.layout import FILE
from evidence.importers.draft import Draft, ImportReport
from evidence.importers.revman.model import Judgement

_TOOLS = ("RoB 1", "RoB 2")
_OWN = "RoB of this review"
_ANSWERS = ("low", "unclear", "high")
_IN_BRACKETS = re.compile(r"\s*\([^()]*\bbias[^()]*\)\s*\??\s*$")
"""What RevMan adds to the names of items: (selection bias)."""

_WITH = re.compile(r"(?:risk|of|bias)")


def add_judgements(judgements: Sequence[Judgement], draft: Draft, report: ImportReport) -> None:
    """Add judgements; items that no tool has become a tool of the review's own."""
    if not judgements:
        return
    outcomes = _outcomes(draft)
    tools = _tools(judgements)
    several = Counter((j.study, j.item) for j in judgements)
    left: Counter[str] = Counter()
    own: dict[str, None] = {}
    read: Counter[str] = Counter()
    for judgement in judgements:
        outcome = outcomes.get(plain(judgement.group), "") if judgement.group else ""
        tool, item = next(
            (
                (tool, items[name])
                for tool, items in tools.items()
                if (name := _plain_item(judgement.item)) in items
            ),
            ("", None),
        )
        # A judgement for a group of outcomes that is no outcome of the folder is an item of its own.
        in_tool = item is not None and (outcome or not judgement.group or several[judgement[:2]] == 1)
        answer = _answer(tool if in_tool else "", judgement.answer)
        name = judgement.item + (f": {judgement.group}" if judgement.group and not outcome else "")
        if answer is None or (not in_tool and "rob_tools.csv" not in FILE):
            left[f"{name} ({judgement.answer})" if answer is None else name] += 1
            continue
        if not in_tool:
            own[name] = None
        row = {
            "study": judgement.study,
            "tool": tool if in_tool else _OWN,
            "item": item if in_tool else name,
            "judgement": answer,
            "support": judgement.support,
            "outcome": outcome,
        }
        read[str(row["tool"])] += draft.add("risk_of_bias.csv", row)
    _declare(own, draft, report)
    for name, count in read.items():
        report.notes.append(f"{count} judgements of risk of bias by {name}")
    for what, count in left.items():
        remedy = "an item of RoB 1 or RoB 2, or use evidence import robvis"
        report.left_out.append(Problem(f"{count} judgements of {what!r}", remedy, report.source))


def _outcomes(draft: Draft) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in draft.rows("outcomes.csv"):
        for name in (row.get("label", ""), row["outcome"]):
            found.setdefault(plain(name), row["outcome"])
    return found


def _plain_item(name: str) -> str:
    return plain(_IN_BRACKETS.sub("", name))


def _items(tool: str) -> dict[str, str]:
    """Items of a tool by their names, without the bias in brackets."""
    found: dict[str, str] = {}
    for row in reference("rob_item"):
        if row["tool"] == tool:
            names = [str(row["label"]), *(row.get("aliases") or "").split("|")]
            for name in filter(None, names):
                found.setdefault(_plain_item(name), str(row["item"]))
            if str(row["item"]) == "Overall":
                found |= {"overall": "Overall", "overallbias": "Overall", "overallriskofbias": "Overall"}
    return found


def _tools(judgements: Sequence[Judgement]) -> dict[str, dict[str, str]]:
    """Give the items of each tool, the tool first that most items of the file are of."""
    names = {_plain_item(judgement.item) for judgement in judgements}
    items = {tool: _items(tool) for tool in _TOOLS if tool in keyed("rob_tool")}
    return dict(sorted(items.items(), key=lambda found: -len(names & found[1].keys())))


def _answer(tool: str, words: str) -> str | None:
    """Give the tool's own word for a judgement; of a tool of the review's own, low, unclear or high."""
    text = _WITH.sub("", plain(words))
    if not tool:
        return next((answer for answer in _ANSWERS if plain(answer) == text), None)
    answers: dict[str, str] = {}
    for row in reference("rob_answer"):
        if row["tool"] == tool:
            answers |= {
                _WITH.sub("", plain(str(row[key]))): str(row["judgement"]) for key in ("judgement", "label")
            }
    return answers.get(text)


def _declare(items: dict[str, None], draft: Draft, report: ImportReport) -> None:
    """Declare the review's own tool, its items and its answers in the folder."""
    if not items:
        return
    draft.add("rob_tools.csv", {"tool": _OWN, "label": "Risk of bias, further items of this review"})
    for position, answer in enumerate(_ANSWERS, 1):
        draft.add(
            "rob_answers.csv", {"tool": _OWN, "judgement": answer, "position": position, "severity": position}
        )
    for position, item in enumerate(items, 1):
        draft.add("rob_items.csv", {"tool": _OWN, "item": item, "position": position, "label": item})
    report.notes.append(f"items that no tool here has are those of {_OWN!r}: {'; '.join(items)}")
