"""Two states of a review held against each other: cells, numbers, conclusions, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.changed.analysed import Analysed, analysed
from analysis.changed.conclusions import states_with, turned
from analysis.living.because import COLUMNS, because
from analysis.living.moved import moved, names_of
from analysis.report.material import Material
from evidence.errors import CallError, EvidenceError, Problem, ReviewError
from evidence.living.difference import Change, changes
from evidence.living.state import opened
from evidence.query import EvidenceBase
from evidence.results import Run

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """What changed between two states.

    Attributes
    ----------
    old, new : Analysed
        Both states, open for as long as `comparing` is.
    evidence : list of Change
        Rows and cells of the folder.
    results : DataFrame
        Numbers of the planned analyses, as `analysis.living.moved.moved` gives them.
    conclusions : DataFrame
        As `analysis.changed.conclusions.turned` gives them.
    because : DataFrame
        Numbers and conclusions attributed to changes, as `analysis.living.because.because` gives them.
    """

    old: Analysed
    new: Analysed
    evidence: list[Change]
    results: pd.DataFrame
    conclusions: pd.DataFrame
    because: pd.DataFrame

    @property
    def nothing(self) -> bool:
        """Whether both states say the same."""
        return not self.evidence and self.results.empty and self.conclusions.empty

    def states(self) -> list[dict[str, Any]]:
        """Describe both states: rows of table ``change_state``."""
        return [_described(side, state) for side, state in (("old", self.old), ("new", self.new))]


@contextmanager
def comparing(
    old: str | Path,
    new: str | Path,
    *,
    complete: bool = False,
    why: bool = True,
    progress: Progress | None = None,
) -> Iterator[Comparison]:
    """Hold two states of a review against each other.

    Parameters
    ----------
    old, new : str or Path
        Folders, files, bundled names, or ``REVIEW@REVISION``; see `evidence.living.state.opened`.
    complete : bool
        Carry out the plan even where both states say the same, so that the new one has its results.
    why : bool
        Attribute what moved to what changed, by refits.
    progress : callable, optional
        Called with a few words before each step.

    Yields
    ------
    Comparison

    Raises
    ------
    ReviewError
        If either cannot be built, with every error of both.
    CallError
        If there is nothing of a name.
    """
    say = progress or (lambda step: None)
    with ExitStack() as stack:
        bases = _both(stack, old, new, say)
        say("comparing the evidence")
        evidence = changes(*bases)
        known = evidence or any(db.value("select count(*) from result_run") for db in bases)
        if known or complete:
            before = stack.enter_context(analysed(bases[0], str(old), None, _under("old", say)))
            after = stack.enter_context(analysed(bases[1], str(new), before.db, _under("new", say)))
        else:
            before, after = (Analysed(str(name), db, Material(db, {})) for db, name in zip(bases, (old, new)))
        say("comparing results and conclusions")
        names = names_of(evidence)
        results = moved(before.material.runs, after.material.runs, names)
        conclusions = turned(before, after, names)
        parts = _because(
            before, after, evidence, results, conclusions, _under("because of", say) if why else None
        )
        yield Comparison(before, after, evidence, results, conclusions, parts)


def _because(
    old: Analysed,
    new: Analysed,
    evidence: list[Change],
    results: pd.DataFrame,
    conclusions: pd.DataFrame,
    say: Progress | None,
) -> pd.DataFrame:
    """Attribute what moved to what changed."""
    import pandas as pd

    if say is None:
        return pd.DataFrame(columns=list(COLUMNS))

    def said(run: Run, important: float | None) -> dict[tuple[str, str | None, str | None], str | None]:
        found = states_with(new.material, run, important, {}, str(run.reference))
        return {key: one.state for key, one in found.items()}

    return because(old.db, new.db, evidence, results, conclusions, said, progress=say)


def _both(stack: ExitStack, old: str | Path, new: str | Path, say: Progress) -> list[EvidenceBase]:
    """Open both states; of what is wrong say everything, of both."""
    bases: list[EvidenceBase] = []
    errors: list[EvidenceError] = []
    for side, name in (("old", old), ("new", new)):
        say(f"opening the {side} state")
        try:
            bases.append(stack.enter_context(opened(name)))
        except EvidenceError as error:
            errors.append(error)
    if not errors:
        return bases
    if len(errors) == 1 or any(isinstance(error, CallError) for error in errors):
        raise next((error for error in errors if isinstance(error, CallError)), errors[0])
    problems: list[Problem] = [problem for error in errors for problem in error.problems]
    raise ReviewError(" ".join(error.message for error in errors), problems)


def _under(side: str, say: Progress) -> Progress:
    return lambda step: say(f"{side} state: {step}")


_COUNTED = ("study", "arm", "measurement", "reported_contrast", "rob_judgement", "record", "result_run")


def _described(side: str, state: Analysed) -> dict[str, Any]:
    counts = ", ".join(f"(select count(*) from {table}) as {table}" for table in _COUNTED)
    (row,) = state.db.rows(f"select {counts}")
    info = state.material.info
    return {
        "side": side,
        "name": state.name,
        "title": state.material.review["title"],
        "content_hash": info.get("content_hash"),
        "package_version": info.get("package_version"),
        "duckdb_version": info.get("duckdb_version"),
        **{f"n_{table}": row[table] for table in _COUNTED},
        "n_refused": len(state.material.refused),
    }
