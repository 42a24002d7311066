"""Bring the results of a review up to date: carry out what changed, take the rest from an earlier file.

Whether an analysis changed is decided before anything is computed: from fingerprints of all that its rows
follow from (`analysis.prepared`), which an earlier run has beside its rows. A row that is taken is the row
that computing it again would give; where there is doubt, it is computed.

>>> import evidence
>>> from analysis.living import update
>>> from evidence import results
>>> file = evidence.build("smoking", "updated.duckdb")
>>> with evidence.open(file) as db:
...     first = update.updated(db, None)
>>> results.save(file, first.runs)
>>> with evidence.open(file) as db:
...     again = update.updated(db, db)
>>> for line in [*first.lines(), *again.lines()]:
...     print(line)
cessation-network: run, there is no earlier file
cessation-individual: run, there is no earlier file
cessation-network: as before
cessation-individual: as before
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from analysis.plan import carry_out
from analysis.prepared import PARTS, Prepared, PreparedNetwork, PreparedPairwise, ids_of, prepare_planned
from evidence import results
from evidence.errors import EvidenceError
from evidence.opening import open as open_base
from evidence.results import Run
from evidence.system.frames import cells, records
from evidence.system.progress import heard

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase

__all__ = ["AS_BEFORE", "Previous", "Updated", "opened", "taken_over", "updated"]

Progress = Callable[[str], None]

AS_BEFORE = "as before"
"""Why a run is taken: everything that its rows follow from is as it was."""
_NONE = ("there is no earlier file", "there is no earlier run of it", "the earlier file cannot be read")
"""Why there is no earlier run."""

_PLACES = ("measurement_ids", "reported_contrast_id")
"""Columns of what entered that number rows of files, and say nothing of what they hold."""


@dataclass(frozen=True)
class Updated:
    """The planned analyses of a review, and how each was come by.

    Attributes
    ----------
    runs : list of Run
        In the plan's order. Those that were taken have the frames that tables keep
        (`evidence.results.TABLES`).
    taken : dict of str to str
        Why analyses were taken from the earlier file, by name.
    rerun : dict of str to str
        Why the others were carried out; of `taken_over`, why they are to be.
    refused : dict of str to EvidenceError
        Why analyses cannot be carried out, by name.
    order : list of str
        Names of all, as the plan has them.
    """

    runs: list[Run] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    rerun: dict[str, str] = field(default_factory=dict)
    refused: dict[str, EvidenceError] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    @property
    def unkept(self) -> bool:
        """Whether a file that results were taken from lacks any of them under its name."""
        return bool(self.rerun) or any(why != AS_BEFORE for why in self.taken.values())

    def lines(self, word: str = "re-run") -> Iterator[str]:
        """Say of every analysis, a line each, whether and why it was carried out.

        Parameters
        ----------
        word : str
            What those are of which there is an earlier run that does not hold.
        """
        for name in self.order:
            if name in self.refused:
                continue
            why = self.rerun.get(name)
            done = self.taken.get(name) or f"{'run' if why in _NONE else word}, {why}"
            yield f"{name}: {done}"


def updated(db: EvidenceBase, previous: EvidenceBase | None, progress: Progress | None = None) -> Updated:
    """Carry out the planned analyses that changed, and take the others from an earlier file.

    Parameters
    ----------
    db : EvidenceBase
        The review as it is now.
    previous : EvidenceBase or None
        A file with results, of this review or another; `db` itself where it holds them. None computes all.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Updated
        Every row of its runs is what `analysis.plan.try_plan` would give, to the last bit.
    """
    return _brought_up(db, previous, progress, carrying_out=True)


def taken_over(db: EvidenceBase, previous: EvidenceBase | None, progress: Progress | None = None) -> Updated:
    """Take what still holds from an earlier file, as `updated`, and compute nothing.

    Returns
    -------
    Updated
        Its runs are those that were taken; `rerun` says why the others are to be carried out.
    """
    return _brought_up(db, previous, progress, carrying_out=False)


def _brought_up(
    db: EvidenceBase, previous: EvidenceBase | None, progress: Progress | None, *, carrying_out: bool
) -> Updated:
    say = progress or heard()
    found = Updated()
    earlier = _Earlier(previous)
    rows = db.rows("select * from plan order by position, analysis")
    for number, row in enumerate(rows, 1):
        name, head = str(row["analysis"]), f"{number}/{len(rows)} {row['analysis']}"
        say(head)
        found.order.append(name)
        try:
            prepared = prepare_planned(db, row)
            run, why = earlier.holding(name, prepared)
            if run is not None:
                found.taken[name] = why
            else:
                found.rerun[name] = why
                if carrying_out:
                    run = carry_out(prepared, progress=partial(_under, say, head))
        except EvidenceError as error:
            found.rerun.pop(name, None)
            found.refused[name] = error
            continue
        if run is not None:
            found.runs.append(run)
    return found


def _under(say: Progress, head: str, step: str) -> None:
    say(f"{head}: {step}")


@dataclass(frozen=True)
class Previous:
    """An earlier file, open.

    Attributes
    ----------
    db : EvidenceBase or None
        None where there is no such file, or it cannot be read.
    n_runs : int
        Runs of planned analyses that it holds.
    by_hand : int
        Runs of no plan.
    why_not : str or None
        Why it cannot be read.
    """

    db: EvidenceBase | None = None
    n_runs: int = 0
    by_hand: int = 0
    why_not: str | None = None

    def lines(self, found: Updated, word: str = "re-run") -> list[str]:
        """Say what became of every analysis, where there was anything to take."""
        if self.why_not is not None:
            return [f"Nothing is taken from an earlier file: {self.why_not}"]
        return list(found.lines(word)) if self.n_runs else []


@contextmanager
def opened(file: str | Path | None) -> Iterator[Previous]:
    """Open an earlier file to take results from; whatever is wrong with it, there is then nothing to take.

    Parameters
    ----------
    file : path or None
        A file, or the folder of an earlier report, which holds one; it need not be there.

    Yields
    ------
    Previous
    """
    with ExitStack() as stack:
        yield _opened(None if file is None else Path(file), stack)


def _opened(file: Path | None, stack: ExitStack) -> Previous:
    if file is not None and file.is_dir():
        inside = sorted(file.glob("*.duckdb"))
        file = inside[0] if len(inside) == 1 else None
    if file is None or not file.is_file():
        return Previous()
    try:
        db = stack.enter_context(open_base(file))
        named = [row["analysis"] is not None for row in results.listing(db)]
    except (EvidenceError, duckdb.Error, OSError) as error:
        return Previous(why_not=str(error))
    return Previous(db, sum(named), len(named) - sum(named))


class _Earlier:
    """The runs of an earlier file."""

    def __init__(self, db: EvidenceBase | None) -> None:
        self.db = db
        self.rows: Sequence[Mapping[str, Any]] = ()
        self.why = _NONE[0]
        if db is not None:
            try:
                self.rows = results.listing(db)
                self.why = _NONE[1]
            except (EvidenceError, duckdb.Error):
                self.why = _NONE[2]

    def holding(self, name: str, prepared: PreparedPairwise | PreparedNetwork) -> tuple[Run | None, str]:
        """Give the earlier run that holds, under its new name and places; or why there is none."""
        named = [row for row in self.rows if row["analysis"] == name]
        key = prepared.key
        why = self.why
        for row in [*named, *(row for row in self.rows if row["analysis"] != name)]:
            if _key_of(row) != key:
                continue
            run = self._read(row)
            if run is None:
                why = "the rows of its earlier run are not those that were kept"
                continue
            if (moved := _moved(run, prepared)) is not None:
                before = row["analysis"]
                return moved, AS_BEFORE if before == name else f"{AS_BEFORE}, as {before or row['run_id']}"
            why = "rows of its files cannot be told from each other"
        return None, why if not named or _key_of(named[0]) == key else self._because(named[0], prepared)

    def _read(self, row: Mapping[str, Any]) -> Run | None:
        """Read a run whose rows are those that were kept."""
        if self.db is None:
            return None
        try:
            run = results.read(self.db, str(row["run_id"]))
        except (EvidenceError, duckdb.Error):
            return None
        return run if run.rows_hash == row["rows_hash"] else None

    def _because(self, row: Mapping[str, Any], prepared: PreparedPairwise | PreparedNetwork) -> str:
        """Say what changed since an earlier run."""
        before, now = _key_of(row), prepared.key
        if not before:
            return "its earlier run does not say what it was computed from"
        parts = [part for part in PARTS if before.get(part) != now.get(part)]
        said = []
        if "rows" in parts:
            run = self._read(row)
            said.append(_rows_changed(None if run is None else run.frames["contrasts"], prepared.contrasts()))
        # What follows from other rows goes without saying.
        silent = ("rows", "variables", "treatments", "notes") if said else ()
        words = [PARTS[part] for part in parts if part not in silent]
        if words:
            said.append(f"{'; '.join(words)} changed")
        return "; ".join(said)


def _key_of(row: Mapping[str, Any]) -> dict[str, str]:
    try:
        found = json.loads(row["computed_from"] or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _rows_changed(before: pd.DataFrame | None, now: pd.DataFrame) -> str:
    """Say how many rows that enter are others than before."""
    if before is None:
        return "what enters changed"
    old, new = _by_id(before), _by_id(now)
    changed = sum(old[name] != row for name, row in new.items() if name in old)
    added, gone = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    of = f"of {len(new)} rows that enter"
    if changed and not (added or gone):
        return f"{changed} {of} changed"
    counts = [f"{n} {word}" for n, word in ((changed, "changed"), (added, "new")) if n]
    lost = f"{gone} no longer enter{'s' if gone == 1 else ''}"
    if counts:
        return f"{', '.join(counts)} {of}" + (f", {lost}" if gone else "")
    return lost if gone else "covariances or order of what enters changed"


def _by_id(contrasts: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = records(contrasts.drop(columns=[name for name in _PLACES if name in contrasts]))
    return {
        str(row["contrast_id"]): {key: results.as_kept(value) for key, value in row.items()} for row in rows
    }


def _moved(run: Run, prepared: Prepared) -> Run | None:
    """Give an earlier run as one of today: its name, its review, and numbers of the rows of files.

    None where the numbers of today cannot be told.
    """
    about = prepared.about
    now = replace(
        run,
        input_hash=prepared.input_hash,
        computed_from=prepared.key,
        **{name: about[name] for name in ("analysis", "where", "synthetic", "content_hash")},
    )
    if now.input_hash == run.input_hash and run.kind == "pairwise":
        return now
    contrasts = prepared.contrasts()
    before = run.frames["contrasts"]
    if cells(before["contrast_id"]) != cells(contrasts["contrast_id"]):
        return None
    number: dict[int, int] = {}
    for old, new in zip(cells(before["measurement_ids"]), cells(contrasts["measurement_ids"]), strict=True):
        number |= dict(zip(ids_of(old), ids_of(new), strict=True))
    weights = run.frames["weights"]
    try:
        moved: Any = [
            ",".join(str(number[i]) for i in ids) or None
            for ids in map(ids_of, cells(weights["measurement_ids"]))
        ]
    except KeyError:
        return None
    frames = dict(run.frames) | {
        "contrasts": before.assign(**{name: contrasts[name].to_numpy() for name in _PLACES}),
        "weights": weights.assign(measurement_ids=moved),
    }
    return replace(now, frames=frames)
