"""What a page of the report is put together from: figures, tables, text and sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.charts.tables import Table
from evidence.names import slug
from evidence.results import Run


@dataclass(frozen=True)
class Figure:
    """A chart on the page, under the name of its files; the second form of it, if any, is for a switch."""

    name: str
    chart: Any
    switch: Any = None

    def __post_init__(self) -> None:
        # Names of analyses and outcomes come from the review: none is a path, and none is markup.
        object.__setattr__(self, "name", slug(self.name))


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
    """

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)
    analysis: str = ""

    def __post_init__(self) -> None:
        self.anchor = slug(self.anchor)


def key_of(run: Run) -> str:
    """Name the outcome and measure of a run, for the choice on the page."""
    return f"{run.outcome} {run.measure}"


def stem(*parts: Any) -> str:
    """Name of a file, from words: lower case, hyphens."""
    return slug("-".join(str(part) for part in parts if part is not None).lower())


def everything(sections: Sequence[Section]) -> Iterator[Block]:
    """Walk through the blocks of all sections, in the order of the page."""
    for section in sections:
        yield from section.blocks
        yield from everything(section.parts)
