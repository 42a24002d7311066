"""Tools for risk of bias: their items, the answers each item takes, and how these are drawn and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evidence.facts.reference import keyed, reference

Added = Mapping[str, Iterable[Mapping[str, Any]]]
"""Rows of a review's own tools, by table: rob_tool, rob_item, rob_answer."""

APPLICABILITY = "applicability"
"""Domain of items that ask whether a study fits the review's question: no bias."""
OVERALL = "overall"
"""Domain of the judgement of the whole."""


@dataclass(frozen=True)
class Item:
    """What a tool judges.

    Attributes
    ----------
    item, domain, label : str
        Key, domain and name.
    question : str
        Signalling question, or nothing.
    answers : tuple of str
        Judgements that it takes.
    aliases : tuple of str
        Other names.
    """

    item: str
    domain: str
    label: str
    question: str
    answers: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A judgement that a tool knows: its key, its name, its symbol, and abbreviations of it."""

    judgement: str
    label: str
    symbol: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Tool:
    """An instrument.

    Attributes
    ----------
    tool, label : str
        Short and full name.
    aliases : tuple of str
        Other names.
    items : dict of str to Item
        In the tool's order.
    required : frozenset of str
        Items without which an assessment is not complete.
    answers : dict of str to Answer
        By judgement, the best first.
    charts : dict of str to dict of str to tuple of str
        What other programs' charts mean by a symbol, by program.
    """

    tool: str
    label: str
    aliases: tuple[str, ...]
    items: dict[str, Item] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    answers: dict[str, Answer] = field(default_factory=dict)
    charts: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    @cached_property
    def symbols(self) -> dict[str, tuple[str, ...]]:
        """What the symbols of our own charts mean."""
        found: dict[str, tuple[str, ...]] = {}
        for answer in self.answers.values():
            found[answer.symbol] = (*found.get(answer.symbol, ()), answer.judgement)
        return found


def parts(text: object) -> tuple[str, ...]:
    """Take a cell apart that holds several words, parted by ``|``."""
    return tuple(part.strip() for part in str(text or "").split("|") if part.strip())


def tools(added: Added | None = None) -> dict[str, Tool]:
    """Return every tool by its short name, the review's own last.

    Parameters
    ----------
    added : mapping of str to iterable of rows, optional
        Rows of ``rob_tools.csv``, ``rob_items.csv`` and ``rob_answers.csv``, by table, as `completed`
        leaves them.
    """
    given = {table: list((added or {}).get(table, ())) for table in ("rob_tool", "rob_item", "rob_answer")}
    found: dict[str, Tool] = {}
    for row in (*reference("rob_tool"), *given["rob_tool"]):
        found.setdefault(
            str(row["tool"]), Tool(str(row["tool"]), str(row["label"]), parts(row.get("aliases")))
        )
    every: dict[str, list[Mapping[str, Any]]] = {name: [] for name in found}
    answers = (*reference("rob_answer"), *given["rob_answer"])
    for row in sorted(answers, key=lambda row: int(row["position"] or 0)):
        if (name := str(row["tool"])) in found:
            found[name].answers.setdefault(
                str(row["judgement"]),
                Answer(
                    str(row["judgement"]),
                    str(row["label"]),
                    str(row.get("symbol") or ""),
                    parts(row.get("codes")),
                ),
            )
    for row in sorted(
        (*reference("rob_item"), *given["rob_item"]), key=lambda row: int(row["position"] or 0)
    ):
        if (name := str(row["tool"])) in found:
            every[name].append(row)
    for row in reference("rob_symbol"):
        chart = found[str(row["tool"])].charts.setdefault(str(row["chart"]), {})
        chart[str(row["symbol"])] = (*chart.get(str(row["symbol"]), ()), str(row["judgement"]))
    return {name: _with_items(tool, every[name]) for name, tool in found.items()}


def _with_items(tool: Tool, rows: Iterable[Mapping[str, Any]]) -> Tool:
    items: dict[str, Item] = {}
    optional = set()
    for row in rows:
        item = Item(
            str(row["item"]),
            str(row.get("domain") or ""),
            str(row.get("label") or row["item"]),
            str(row.get("question") or ""),
            parts(row.get("answers")) or tuple(tool.answers),
            parts(row.get("aliases")),
        )
        items.setdefault(item.item, item)
        if str(row.get("optional")).lower() == "true":
            optional.add(item.item)
    return Tool(
        tool.tool, tool.label, tool.aliases, items, frozenset(items) - optional, tool.answers, tool.charts
    )


def completed(
    table: str, rows: Iterable[Mapping[str, Any]], before: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Fill in what a review need not say of its own tools: places, domains, labels, symbols and colours.

    Parameters
    ----------
    table : {"rob_tool", "rob_item", "rob_answer"}
        What the rows are.
    rows : iterable of mapping
        As typed, in the order of the file.
    before : mapping of str to int, optional
        Rows of each tool that stand before these.

    Returns
    -------
    list of dict
        An answer's symbol and colours are those that other tools draw its severity with.
    """
    drawn = {row["severity"]: row for row in reference("rob_answer") if row["tool"] == "ROBINS-I"}
    counted: dict[str, int] = dict(before or {})
    found = []
    for row in rows:
        cells = dict(row)
        tool = str(cells.get("tool"))
        counted[tool] = counted.get(tool, 0) + 1
        if table == "rob_tool":
            cells["label"] = cells.get("label") or tool
        if table != "rob_tool" and not cells.get("position"):
            cells["position"] = counted[tool]
        if table == "rob_item":
            cells["domain"] = cells.get("domain") or cells.get("label") or cells.get("item")
            cells["label"] = cells.get("label") or cells.get("item")
            cells["optional"] = cells.get("optional") or False
        if table == "rob_answer":
            cells["label"] = cells.get("label") or cells.get("judgement")
            severity = cells.get("severity")
            look = drawn.get(None if severity in (None, "") else str(int(severity))) or drawn[None]
            for name in ("symbol", "color", "color_blind_safe"):
                cells[name] = cells.get(name) or look[name]
        found.append(cells)
    return found


def known(tool: str) -> bool:
    """Whether the project brings a tool itself."""
    return tool in keyed("rob_tool")
