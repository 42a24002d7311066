"""What a cell of a risk-of-bias table says: words and codes of the tool, or the symbols of one chart."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from evidence.facts.appraisal import Item, Tool
from evidence.folder.column_names import plain

_SAME = {
    **dict.fromkeys("xX×✕✖✗✘❌☒⨯", "×"),
    **dict.fromkeys("-−–—‐‑‒", "-"),
    **dict.fromkeys("+＋➕", "+"),
    **dict.fromkeys("?？", "?"),
    **dict.fromkeys("!！", "!"),
    **dict.fromkeys("✓✔☑", "✓"),
}
"""Signs that are printed for one another."""
_ALWAYS = frozenset("+-×!?✓☺☹±")
_NOT_APPLICABLE = frozenset(("notapplicable", "na"))
_TAILS = ("riskofbias", "rob", "risk", "bias")


def symbol_of(cell: str) -> str | None:
    """Return the symbol that a cell is, or None if it is a word."""
    sign = _SAME.get(cell, cell)
    return sign if sign in _ALWAYS else None


class Answers:
    """Read the cells of one table by one tool.

    Parameters
    ----------
    tool : Tool
        The instrument.
    cells : iterable of str
        Every cell that holds a judgement: which chart drew the symbols is decided by all of them.
    mapping : mapping of str to str
        What a person says that a cell stands for; nothing for a cell that is no judgement.

    Attributes
    ----------
    chart : str
        Program whose symbols they are; empty if they are ours, or if there are none.
    skipped : int
        Cells that say "not applicable" of an item that has no such answer: it was not judged.
    """

    def __init__(self, tool: Tool, cells: Iterable[str], mapping: Mapping[str, str]) -> None:
        self.tool = tool
        self.mapping = {key.casefold(): value for key, value in mapping.items()}
        found = {s for cell in cells if cell.casefold() not in self.mapping and (s := symbol_of(cell))}
        self.found = frozenset(s for s in found if not any(s in a.codes for a in tool.answers.values()))
        self.chart, self.symbols = "", tool.symbols
        self.skipped = 0
        if not self.found <= tool.symbols.keys():
            for chart, symbols in tool.charts.items():
                if self.found <= symbols.keys():
                    self.chart, self.symbols = chart, symbols
                    break

    def read(self, item: Item, cell: str) -> str | None:
        """Return the judgement of a cell; nothing for none, None for what cannot be read."""
        if (said := self.mapping.get(cell.casefold())) is not None:
            return self._named(item, said) if said else ""
        if sign := symbol_of(cell):
            meant = [j for j in self.symbols.get(sign, ()) if j in item.answers]
            if len(meant) == 1:
                return meant[0]
        if (judgement := self._named(item, cell)) is not None:
            return judgement
        if plain(cell) in _NOT_APPLICABLE:
            self.skipped += 1
            return ""
        return None

    def _named(self, item: Item, cell: str) -> str | None:
        """Find the answer of the item by its key, name or code."""
        forms = [plain(cell)]
        forms += [forms[0].removesuffix(tail) for tail in _TAILS if forms[0].endswith(tail)]
        for form in filter(None, forms):
            for judgement in item.answers:
                answer = self.tool.answers[judgement]
                if form in (plain(judgement), plain(answer.label)):
                    return judgement
            coded = [j for j in item.answers if form in map(plain, self.tool.answers[j].codes)]
            if len(coded) == 1:
                return coded[0]
        signs = cell.replace(" ", "").replace("\N{VARIATION SELECTOR-16}", "")
        by_sign = [j for j in item.answers if signs and signs in self.tool.answers[j].codes]
        return by_sign[0] if len(by_sign) == 1 else None

    def say_symbols(self) -> str:
        """Say how symbols were read, and what another chart would mean by them."""
        if not self.found or not self.found <= self.symbols.keys():
            return ""
        ours = {sign: self.symbols[sign][0] for sign in sorted(self.found)}
        whose = self.chart or "the chart of this tool here"
        text = f"symbols are read as {whose} draws them: " + ", ".join(f"{s} {j}" for s, j in ours.items())
        for chart, symbols in self.tool.charts.items():
            if chart == self.chart or not self.found <= symbols.keys():
                continue
            if other := {s: symbols[s][0] for s in ours if symbols[s][0] != ours[s]}:
                said = ", ".join(f"{s} {j}" for s, j in other.items())
                how = " ".join(f"--map {shlex.quote(f'{s}={j}')}" for s, j in other.items())
                return f"{text}; {chart} draws {said}: if yours is of that kind, {how}"
        return text

    def say_answers(self, item: Item, cell: str) -> str:
        """Say what would be right in place of a cell that cannot be read."""
        known = ", ".join(item.answers)
        return f"one of {known}; or say what it stands for: --map {shlex.quote(f'{cell}=JUDGEMENT')}"
