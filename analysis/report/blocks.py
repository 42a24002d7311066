"""What a page of the report is put together from: figures, tables, text and sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.charts.tables import Table
from analysis.plot.subject import NothingToDrawError
from evidence.names import apart, slug
from evidence.results import Run

SAFE = "-colour-blind-safe"
"""Ends the name of a figure's second form."""


@dataclass(frozen=True)
class Figure:
    """A chart on the page, under the name of its files; the second form of it, if any, is for a switch."""

    name: str
    chart: Any
    switch: Any = None

    def __post_init__(self) -> None:
        # Names of analyses and outcomes come from the review: none is a path, and none is markup.
        object.__setattr__(self, "name", slug(self.name))


def drawn(name: str, draw: Callable[[], Any]) -> list[Block]:
    """Make a figure of a chart; none where there is nothing to draw."""
    try:
        return [Figure(name, draw())]
    except NothingToDrawError:
        return []


@dataclass(frozen=True)
class Text:
    """Paragraphs with links; as a list where `items` is set."""

    paragraphs: tuple[str, ...]
    items: bool = False
    kind: str = ""


Block = Figure | Table | Text


@dataclass
class Section:
    """A section of the page.

    Attributes
    ----------
    anchor : str
        Its id.
    title : str
        Its heading.
    blocks : list
        What stands in it.
    parts : list of Section
        Subsections.
    analysis : str
        Outcome and measure that it is about: the page can show one at a time.
    kind : str
        What a part of the answer is: "conclusion", "picture" or "firm"; parts of a kind stand together.
    """

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)
    analysis: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        self.anchor = slug(self.anchor)


def key_of(run: Run) -> str:
    """Name the outcome and measure of a run, for the choice on the page."""
    return f"{run.outcome} {run.measure}"


def stem(*parts: Any) -> str:
    """Name of a file, from words: lower case, hyphens."""
    return slug("-".join(str(part) for part in parts if part is not None).lower().replace(" ", "-"))


_PAGE = ("panel", "panel-title", "panel-body", "choice", "data", "figures", "figures-title")
"""Ids that a page has beside; the list of figures is made when all have their names."""


def tell_apart(sections: Sequence[Section]) -> dict[str, str]:
    """Give every figure and table files and an id of its own, and every section an id.

    Returns
    -------
    dict of str to str
        Name of each figure and table, and what it was called before.
    """
    taken = {"figures"}
    before: dict[str, str] = {}
    for block in everything(sections):
        if not isinstance(block, Text):
            forms = (f"{{}}{SAFE}",) if isinstance(block, Figure) and block.switch else ()
            name = apart(block.name, taken, *forms)
            before[name] = block.name
            object.__setattr__(block, "name", name)
    ids = {*_PAGE, *(f"{kind}-{name.lower()}" for name in before for kind in ("figure", "table"))}

    def named(some: Sequence[Section]) -> None:
        for section in some:
            section.anchor = apart(section.anchor, ids, "{}-title")
            named(section.parts)

    named(sections)
    return before


def everything(sections: Sequence[Section]) -> Iterator[Block]:
    """Walk through the blocks of all sections, in the order of the page."""
    for section in sections:
        yield from section.blocks
        yield from everything(section.parts)
