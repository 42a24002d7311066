"""RevMan's judgements become rows of ``risk_of_bias.csv``, by the tool that their items are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evidence.errors import Problem
from evidence.facts.appraisal import tools
from evidence.folder.column_names import plain
from evidence.importers.appraisal.answers import Answers
from evidence.importers.appraisal.items import ItemNames
from evidence.importers.draft import Draft, ImportReport
from evidence.importers.revman.model import Judgement

_TOOLS = ("RoB 1", "RoB 2")
_OWN = "RoB of this review"
_ANSWERS = ("low", "unclear", "high")


def add_judgements(judgements: Sequence[Judgement], draft: Draft, report: ImportReport) -> None:
    """Add judgements; items that no tool has become a tool of the review's own."""
    if not judgements:
        return
    outcomes = _outcomes(draft)
    known = tools()
    given = _by_use(judgements, [ItemNames(known[tool]) for tool in _TOOLS])
    several = Counter((j.study, j.item) for j in judgements)
    left: Counter[str] = Counter()
    own: dict[str, None] = {}
    read: Counter[str] = Counter()
    for judgement in judgements:
        outcome = outcomes.get(plain(judgement.group), "") if judgement.group else ""
        tool, item = next(
            ((tool, item) for tool, names in given.items() if (item := names.find(judgement.item))),
            ("", None),
        )
        # A judgement for a group of outcomes that is no outcome of the folder is an item of its own.
        in_tool = item is not None and (outcome or not judgement.group or several[judgement[:2]] == 1)
        # Items of the review's own take the answers of RoB 1.
        judging = given[tool].tool if in_tool else known[_TOOLS[0]]
        asked = judging.items[item] if in_tool and item else next(iter(judging.items.values()))
        answer = Answers(judging, [judgement.answer], {}).read(asked, judgement.answer) or None
        name = judgement.item + (f": {judgement.group}" if judgement.group and not outcome else "")
        if answer is None:
            left[f"{name} ({judgement.answer})"] += 1
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


def _by_use(judgements: Sequence[Judgement], given: Sequence[ItemNames]) -> dict[str, ItemNames]:
    """Order tools, the one first that most items of the file are of."""
    items = {judgement.item for judgement in judgements}
    hits = {names.tool.tool: sum(names.find(item) is not None for item in items) for names in given}
    return {names.tool.tool: names for names in sorted(given, key=lambda names: -hits[names.tool.tool])}


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
