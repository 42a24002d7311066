"""Suspicions, worked out once for all that reads them: no other view takes as long to plan and compute."""

from __future__ import annotations

from evidence.query import EvidenceBase
from evidence.store.objects import sql_objects

__all__ = ["reading_suspicions"]

_KEPT = "temp.suspicion_of_this_file"


def reading_suspicions(db: EvidenceBase, view: str, columns: str = "*") -> str:
    """Write the query of a view; what it reads of `suspicion` is worked out once for an open file.

    Parameters
    ----------
    db : EvidenceBase
        Its rows do not change while it is open.
    view : str
        The view.
    columns : str
        What to select.

    Returns
    -------
    str
        A query, to which an order may be added.
    """
    read = (item.query for item in sql_objects() if item.name == view and "suspicion" in item.uses)
    query = next(read, "")
    if not query or db.path is None:
        return f"select {columns} from {view}"
    db.connection.execute(f"create temp table if not exists {_KEPT.removeprefix('temp.')} as from suspicion")
    return f"with suspicion as (from {_KEPT}) select {columns} from ({query}) as {view}"
