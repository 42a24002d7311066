"""A state of a review with the results of its plan kept in it, as a report reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.living.update import updated
from analysis.report.material import Material
from evidence import results
from evidence.opening import open as open_base
from evidence.query import EvidenceBase

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Analysed:
    """A state with its results.

    Attributes
    ----------
    name : str
        What it was called by.
    db : EvidenceBase
        Open for reading, with the results of the plan in it.
    material : Material
        The same as a report reads it.
    """

    name: str
    db: EvidenceBase
    material: Material


@contextmanager
def analysed(
    db: EvidenceBase, name: str, other: EvidenceBase | None = None, progress: Progress | None = None
) -> Iterator[Analysed]:
    """Give a state with the results of its plan: those it keeps where it keeps them all, else new ones.

    New results go into a copy that is removed at the end: the file itself stays as it is.

    Parameters
    ----------
    db : EvidenceBase
        As it is opened.
    name : str
        What it was called by.
    other : EvidenceBase, optional
        Another state, whose results are taken where they are those of this one, too.
    progress : callable, optional
        Called with a few words before each step.

    Yields
    ------
    Analysed
    """
    planned = {row["analysis"] for row in db.rows("select analysis from plan")}
    kept = {row["analysis"] for row in db.rows("select analysis from result_run where analysis is not null")}
    if planned == kept or db.path is None:
        yield Analysed(name, db, Material(db, {}))
        return
    found = updated(db, db if kept else other, progress)
    with TemporaryDirectory(prefix="evidence-changed-") as folder:
        copy = Path(folder) / db.path.name
        shutil.copyfile(db.path, copy)
        results.save(copy, found.runs)
        with open_base(copy) as full:
            yield Analysed(name, full, Material(full, {key: str(why) for key, why in found.refused.items()}))
