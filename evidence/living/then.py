"""A review as it could have been on some days, built for a while: for questions that see all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from evidence.build import fill
from evidence.database import connect
from evidence.facts.reference import REFERENCE_TABLES, reference
from evidence.folder.layout import FILES
from evidence.query import EvidenceBase
from evidence.results import Run, put
from evidence.review import Review, Rows
from evidence.store.blank import copy_blank, create
from evidence.store.keys import load_order
from evidence.store.stored import refresh


def review_of(db: EvidenceBase) -> Review:
    """Read back the rows that an evidence base was filled with, without results.

    Parameters
    ----------
    db : EvidenceBase

    Returns
    -------
    Review
        As `evidence.review.read` gives it of the folder, but for its warnings.
    """
    info = {row["key"]: row["value"] for row in db.rows("select key, value from build_info")}
    own = {file.table: file.key[0] for file in FILES if file.table in REFERENCE_TABLES}
    found = []
    for table in load_order(db.connection):
        if table in ("build_info", "claim_result") or table.startswith("result_"):
            continue
        rows = db.rows(f"select * from {table}")
        if table in REFERENCE_TABLES:  # What the package brings is there already.
            brought = {row[own[table]] for row in reference(table)} if table in own else None
            rows = [] if brought is None else [row for row in rows if row[own[table]] not in brought]
        if rows:
            found.append(Rows(table, {name: [row[name] for row in rows] for name in rows[0]}))
    return Review(info["review"], tuple(found), (), info["content_hash"])


def states(
    review: Review,
    days: Iterable[date],
    *,
    only: Collection[str] | None = None,
    runs: Callable[[date], Sequence[Run]] = lambda day: (),
) -> Iterator[EvidenceBase]:
    """Build a review as of each of some days, and open it.

    Parameters
    ----------
    review : Review
        All of it.
    days : iterable of date
    only : collection of str, optional
        Names of the views that are asked; others are not there. A file of few views opens sooner.
    runs : callable, optional
        Gives the results to keep in the file of a day.

    Yields
    ------
    EvidenceBase
        Locked; gone when the next is asked for.

    Raises
    ------
    EvidenceError
        As `evidence.review.Review.cut`.
    """
    with TemporaryDirectory(prefix="evidence-as-of-") as folder:
        blank, path = Path(folder) / "blank.duckdb", Path(folder) / f"{review.name}.duckdb"
        if only is None:
            copy_blank(blank)
        else:
            with connect(blank, write=True, journal=False) as connection:
                create(connection, only)
                connection.execute("checkpoint")
        for day in days:
            shutil.copyfile(blank, path)
            with connect(path, write=True, journal=False) as connection:
                fill(connection, review.cut(day))
                refresh(connection, only)
                put(connection, runs(day))
                connection.execute("checkpoint")
            with EvidenceBase(connect(path, locked=True), path) as db:
                yield db
