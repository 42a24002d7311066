"""How a table is read, and what cannot be decided of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from evidence.errors import Problem, ReviewError
from evidence.importers.table import Table
from evidence.importers.tables.targets import as_options

TREATED, CONTROL = "treatment", "control"
"""What two groups are called where the table does not name them."""

CENTRES = frozenset(("mean", "median", "events", "proportion", "percent"))
"""Statistics of which an arm must have one."""

OF_EFFECT = frozenset(("yi", "vi", "sei"))
"""Metafor's names of an effect: never of one arm."""


class NoShapeError(ReviewError):
    """A table that is not understood."""


class NoStudyError(NoShapeError):
    """A table of which all is understood, but for what names the study."""


@dataclass(frozen=True)
class Shape:
    """How a table is read.

    Attributes
    ----------
    rows : {"arms", "studies", "contrasts", "effects"}
        What a row is: one arm; a study with a set of columns for each group; a contrast of two named
        treatments; an effect whose groups nobody names.
    known : dict of str to int
        Column of each meaning that is of the whole row.
    groups : dict of str to dict
        Of rows of studies: column of each meaning, by group.
    labels : dict of str to str
        Name of a group that no column names.
    aside : dict of int to str
        Columns that say what others say better, and why they are not taken.
    units : dict of int to str
        Unit in the name of a column of times.
    notes : list of str
        What had to be decided.
    """

    rows: str
    known: dict[str, int]
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    aside: dict[int, str] = field(default_factory=dict)
    units: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def taken(self) -> set[int]:
        """Positions of all columns with a meaning."""
        return {*self.known.values(), *positions(self.groups)}


def positions(groups: Mapping[str, Mapping[str, int]]) -> set[int]:
    """Positions of the columns of all groups."""
    return {at for group in groups.values() for at in group.values()}


def is_complete(group: Mapping[str, int] | Collection[str]) -> bool:
    """Whether the statistics of a group are enough to be one."""
    found = set(group)
    if found & {"events", "proportion", "percent"}:
        return bool(found & {"n", "non_events", "exposure"})
    return bool(found & {"mean", "median"})


def undecided(table: Table, *said: tuple[str, str]) -> ReviewError:
    """Make the error of a table that can be read in several ways: what is unclear, what would settle it."""
    return ReviewError(
        "What a column holds cannot be decided.",
        [Problem(message, remedy, table.name, 1) for message, remedy in said],
    )


def left_out(table: Table, columns: Iterable[int]) -> str:
    """Options that leave columns out."""
    return as_options({table.header[at]: "" for at in columns})
