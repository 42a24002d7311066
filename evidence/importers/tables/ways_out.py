"""What an import can do about wrong cells, where the source cannot be changed: leave their column out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evidence.errors import ReviewError
from evidence.folder.layout import FILE
from evidence.importers.tables.melt import LongForm
from evidence.importers.tables.targets import as_options

_NEEDED = frozenset(
    ("experiment", "timepoint", "n", "mean", "median", "events", "exposure", "estimate", "treatment", "arm")
)
_CAN_GO = frozenset(
    column.name
    for file in ("studies.csv", "arms.csv", "measurements.csv", "contrasts.csv")
    for column in FILE[file].columns
    if not column.required and column.name not in _NEEDED
)


def dispensable(form: LongForm) -> dict[str, tuple[str, ...]]:
    """Return the table's columns of each meaning that an import can do without; and those without one."""
    header = form.table.header
    names = {what: header[form.known[what]] for what in form.known.keys() & _CAN_GO}
    names |= {header[at]: header[at] for at in form.further}
    return {what: form.sources.get(name, (name,)) for what, name in names.items()}


def with_a_way_out(error: ReviewError, columns: Mapping[str, tuple[str, ...]]) -> ReviewError:
    """Say, once for each column that an import can do without, how to leave it out.

    Parameters
    ----------
    error : ReviewError
        What is wrong with the folder that would come out.
    columns : mapping of str to tuple of str
        What `dispensable` returned.
    """
    problems, said = [], set[str]()
    for problem in error.problems:
        column = problem.column or ""
        if column not in said and (names := columns.get(column)):
            said.add(column)
            way = f"an import can leave it out: {as_options(dict.fromkeys(names, ''))}"
            problem = replace(problem, remedy=f"{problem.remedy}; {way}")
        problems.append(problem)
    return ReviewError(error.message, problems) if said else error
