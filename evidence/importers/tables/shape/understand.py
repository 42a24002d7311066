"""A table as a whole: the way in, and what a person says that has no place in the table."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.errors import CallError, Problem
from evidence.importers.table import Table
from evidence.importers.tables.shape.arms import rows_of_arms
from evidence.importers.tables.shape.claims import Columns
from evidence.importers.tables.shape.contrasts import rows_of_contrasts
from evidence.importers.tables.shape.groups import rows_of_studies
from evidence.importers.tables.shape.result import Shape


def understand(
    table: Table,
    chosen: Mapping[str, str],
    *,
    measure: str | None = None,
    treatment: str | None = None,
    control: str | None = None,
    by_arm: bool = False,
) -> Shape | None:
    """Tell what the rows and columns of a table are.

    Parameters
    ----------
    table : Table
    chosen : mapping of str to str
        What a person says that columns stand for; an empty target leaves a column out.
    measure : str, optional
        Effect measure of a table of contrasts: its name is the name of a column (``OR``, ``logHR``).
    treatment, control : str, optional
        Names of the two groups of a table that does not name them.
    by_arm : bool
        Whether a column of the arm will do where none names the treatment.

    Returns
    -------
    Shape or None
        None where the table is none that is known.

    Raises
    ------
    CallError
        If two columns are mapped to one meaning, a mapping has no place in a table of this shape, or groups
        are named that the table names itself.
    ReviewError
        If several columns claim one meaning with equal right; all of them are named.
    """
    columns = Columns(table, chosen)
    shape = (
        rows_of_studies(columns, treatment, control)
        or rows_of_arms(columns, measure, by_arm)
        or rows_of_contrasts(columns, measure, treatment, control)
    )
    if shape is not None:
        _refuse_unplaced(columns, shape)
        _refuse_named(columns, shape, treatment, control)
    return shape


def _refuse_unplaced(columns: Columns, shape: Shape) -> None:
    """Refuse a mapping that has no place in a table of this shape: it would be dropped without a word."""
    one = next(iter(shape.groups.get("1", ())), "mean")
    what, remedy = {
        "arms": (
            "one row for each arm",
            "a column of the row's arm is called mean, sd, n, events, treatment ...",
        ),
        "studies": (
            "a set of columns for each group",
            f"a column of one group is called by it: {one}1, {one}2, treatment1, treatment2 ...",
        ),
    }.get(
        shape.rows,
        (
            "one row for each contrast",
            "columns of a contrast are arm_a, arm_b, estimate, se, ci_lower, ci_upper ...",
        ),
    )
    problems = [
        Problem(
            f"the table has {what}, and {columns.header[at]!r} is to be {columns.names[at]!r}",
            f"{remedy}; see --map in evidence import arms --help",
            columns.table.name,
            1,
        )
        for at in sorted(columns.mapped - shape.taken)
    ]
    if problems:
        raise CallError("A mapping has no place in this table.", problems)


def _refuse_named(columns: Columns, shape: Shape, treatment: str | None, control: str | None) -> None:
    """Refuse names for groups that columns name."""
    if not (treatment or control):
        return
    if shape.rows in ("arms", "contrasts"):
        meanings = ("treatment",) if shape.rows == "arms" else ("arm_a", "arm_b")
        named = [shape.known[what] for what in meanings if what in shape.known]
    else:
        sides = ("1",) * bool(treatment) + ("2",) * bool(control)
        groups = [shape.groups.get(side, {}) for side in sides]
        named = [group["treatment"] for group in groups if "treatment" in group]
    if named:
        raise CallError(
            f"{columns.table.name} names its groups in {columns.called(named)}: --treatment and --control"
            " are for groups that no column names."
        )
