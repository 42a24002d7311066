"""A review over time: every planned analysis at the end of each year, and since when each sentence is true.

What was known when says `evidence.folder.as_of`. The evidence is read once; of what answers an analysis the
studies known then are kept, and fitted as the plan says. That is what a review folder without the later
studies gives, for no view looks from one study to another on the way to an effect. Where a question itself
does (a condition with a query in it, the treatments that all outcomes share), the review is built as of each
year.

>>> from analysis.living.replay import replay
>>> found = replay("smoking")
>>> found.states[found.states["analysis"] == "cessation-individual"]["n_studies"].tolist()[-3:]
[14, 14, 15]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.living import claims_then
from analysis.living.parts import Readable, read_once
from analysis.living.statements import Statement, statements
from analysis.living.turning import timeline, turned
from evidence import facts
from evidence.errors import CallError, EvidenceError, RefusedError
from evidence.folder.as_of import BASES, UNDATED, Days, days_of, undated
from evidence.folder.options import ALL_OUTCOMES
from evidence.living.then import review_of, states
from evidence.names import suggestion
from evidence.results import Run
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

    from evidence.query import EvidenceBase
    from evidence.review import Review

__all__ = ["COLUMNS", "Replay", "replay"]

Progress = Callable[[str], None]

KEY = ("analysis", "year", "n_studies")
"""Begin every row of a state."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "states": (
        "analysis", "year", "n_studies", "n_new", "n_all", "n_treatments", "kind", "engine", "outcome",
        "measure", "status", "note",
    ),
    "estimates": (
        *KEY, "engine", "model", "treatment", "versus", "estimate", "std_error", "ci_lower", "ci_upper",
        "pi_lower", "pi_upper", "p_value", "evidence", "adhoc_lower", "adhoc_upper", "no_verdict",
    ),
    "heterogeneity": (*KEY, "engine", "model", "tau", "tau_lower", "tau_upper", "tau2", "i2", "q", "df"),
    "ranking": (*KEY, "engine", "model", "treatment", "mean_rank", "sucra", "p_score", "p_best", "place"),
    "timeline": (*KEY, "about", "treatment", "versus", "claim", "verdict", "statement"),
    "statements": (
        "analysis", "about", "treatment", "versus", "claim", "verdict", "statement", "since", "n_studies",
        "n_all", "before", "before_from", "before_to", "turns", "said",
    ),
}  # fmt: skip
"""Columns of each frame. Estimates are on the analysis scale, as in ``result_estimate``."""

NOT_YET, ESTIMATED, REFUSED = "no study yet", "estimated", "refused"
"""What became of an analysis in a year."""


@dataclass(frozen=True)
class Replay:
    """A review over time.

    Attributes
    ----------
    review : str
        Its name.
    days : Days
        When each study came to be known.
    states : DataFrame
        A row for each analysis and year: studies that entered, those new in that year, those of the last
        year, and what became of it. Columns of each frame: `COLUMNS`.
    estimates, heterogeneity, ranking : DataFrame
        Their rows in every year in which the analysis could be carried out; `place` in a ranking begins at 1.
    timeline : DataFrame
        What could be said in each year: `verdict` on a pair of treatments, the treatment that is the best or
        ranks first, and of a claim of the review whether it held.
    statements : DataFrame
        What can be said now: since when, after how many of the studies, and what was said before.
    labels : dict of str to str
        Printed names of treatments.
    synthetic : bool
        Whether the review's data are simulated.
    """

    review: str
    days: Days
    states: pd.DataFrame
    estimates: pd.DataFrame
    heterogeneity: pd.DataFrame
    ranking: pd.DataFrame
    timeline: pd.DataFrame
    statements: pd.DataFrame
    labels: dict[str, str]
    synthetic: bool = False

    def dated(self) -> str:
        """Say by which dates the studies came to be known."""
        by = ", ".join(f"{BASES[basis]} ({n})" for basis, n in self.days.bases.items())
        said = f"{len(self.days.by_study)} studies of {self.review}, each known from {by}."
        if self.days.undated:
            return f"{said} {UNDATED.format(n=len(self.days.undated), last=self.days.last)}"
        return said

    def document(self) -> dict[str, Any]:
        """Give it as one object of plain values, missing numbers as None."""
        head = {"review": self.review, "by": "year", "dates": self.days.bases, "undated": self.days.undated}
        return {"replay": head} | {name: records(getattr(self, name)) for name in COLUMNS}


def replay(
    review: EvidenceBase | str | Path,
    *,
    analyses: Sequence[str] = (),
    engine: str | None = None,
    claims: bool = True,
    progress: Progress | None = None,
) -> Replay:
    """Carry out every planned analysis of a review at the end of each year in which a study came to be known.

    Parameters
    ----------
    review : EvidenceBase, str or Path
        Open, or a review folder, a file, or the name of a bundled review.
    analyses : sequence of str
        Names in the plan; all of it without any.
    engine : str, optional
        ``exact`` or ``frequentist``, of every network. Without it the plan's; in place of Markov chains and
        of the likelihoods of counts, which take too long, the exact one.
    claims : bool
        Also check the review's claims in each year.
    progress : callable, optional
        Called with a few words before each step.

    Returns
    -------
    Replay
        An analysis that cannot be carried out in a year (too few studies, a network that is not connected)
        has the reason in its state.

    Raises
    ------
    CallError
        If there is no such review, analysis or engine.
    EvidenceError
        If no study has a date, or nothing is planned.
    """
    say = progress or (lambda step: None)
    with _opened(review) as db:
        say("reading the review")
        content = review_of(db)
        days = days_of(content.rows)
        if days.last is None:
            raise undated(content.name)
        planned = _planned(db, analyses, content.name)
        made = [
            part
            for number, row in enumerate(planned, 1)
            for part in _over_time(
                _Analysis.of(db, content, row, engine), days, _under(f"{number}/{len(planned)}", say)
            )
        ]
        told: list[dict[str, Any]] = []
        if claims:
            say("checking claims")
            runs: dict[int, list[Run]] = {}
            for part in made:
                runs.setdefault(part.year, []).extend([part.run] if part.run is not None else [])
            told = claims_then.checked(content, days, runs)
        treatments = db.rows("select treatment, label from treatment order by source_line")
        synthetic = bool(db.value("select bool_or(synthetic) from review"))
    labels = {row["treatment"]: row["label"] for row in treatments}
    return _put_together(content.name, days, made, told, labels, synthetic)


@contextmanager
def _opened(review: EvidenceBase | str | Path) -> Iterator[EvidenceBase]:
    from evidence.opening import open as open_base
    from evidence.query import EvidenceBase

    if isinstance(review, EvidenceBase):
        yield review
    else:
        with open_base(review) as db:
            yield db


def _under(head: str, say: Progress) -> Progress:
    return lambda step: say(f"{head} {step}")


def _planned(db: EvidenceBase, names: Sequence[str], review: str) -> list[dict[str, Any]]:
    rows = db.rows("select * from plan order by position, analysis")
    if not rows:
        raise EvidenceError(
            f"{review} plans no analysis, so there is nothing to replay: write [[protocol.analysis]] in "
            "review.toml, or enter data of two treatments, for which the usual analyses are planned."
        )
    known = [row["analysis"] for row in rows]
    if unknown := [name for name in names if name not in known]:
        raise CallError(f"The plan has no analysis {unknown[0]!r}: {suggestion(unknown[0], known)}.")
    return [row for row in rows if not names or row["analysis"] in names]


@dataclass(frozen=True)
class _State:
    """One analysis at the end of one year."""

    row: Mapping[str, Any]
    year: int
    studies: frozenset[str]
    new: int
    run: Run | None
    note: str | None = None


@dataclass(frozen=True)
class _Analysis:
    """An analysis of the plan."""

    review: Review
    row: dict[str, Any]
    entering: Readable | None
    note: str | None
    fresh: bool
    """Whether the question looks beyond the studies that answer it: it is then asked of each cut review."""

    @classmethod
    def of(cls, db: EvidenceBase, review: Review, row: dict[str, Any], engine: str | None) -> _Analysis:
        row, note = _with_engine(row, engine)
        fresh = "select" in str(row["where_sql"] or "").lower() or row["treatments"] == f'"{ALL_OUTCOMES}"'
        entering = None
        if not fresh:
            try:
                entering = read_once(db, row)
            except RefusedError as error:
                note = error.message
        return cls(review, row, entering, note, fresh)

    @property
    def studies(self) -> frozenset[str]:
        """Studies that enter it now."""
        return frozenset() if self.entering is None else self.entering.studies


def _with_engine(row: dict[str, Any], engine: str | None) -> tuple[dict[str, Any], str | None]:
    """Choose the engine of a network: the plan's, or one that is quick."""
    if row["kind"] != "network":
        return row, None
    if engine is not None:
        if engine not in _QUICK:
            raise CallError(f"A replay takes the engine {' or '.join(_QUICK)}, not {engine!r}.")
        return row | {"engine": engine}, None
    if row["engine"] in _QUICK:
        return row, None
    return row | {"engine": "exact"}, f"the exact engine stands in for {row['engine']}"


_QUICK = facts.engines_of_normal()


def _over_time(analysis: _Analysis, days: Days, say: Progress) -> Iterator[_State]:
    """Carry out one analysis at the end of each year."""
    last: _State | None = None
    for year in days.years:
        say(f"{analysis.row['analysis']} as of {year}")
        known = days.by(date(year, 12, 31))
        if analysis.fresh:
            last = _fresh(analysis, year, last)
        else:
            studies = analysis.studies & known
            if last is not None and studies == last.studies:
                last = replace(last, year=year, new=0)
            else:
                new = len(studies) - (0 if last is None else len(last.studies))
                run, note = _fitted(analysis, studies)
                last = _State(analysis.row, year, studies, new, run, note or analysis.note)
        yield last


def _fitted(analysis: _Analysis, studies: frozenset[str]) -> tuple[Run | None, str | None]:
    """Carry out an analysis on some studies, or say why not."""
    if not studies or analysis.entering is None:
        return None, None
    try:
        return _run(analysis, analysis.entering.fitted(studies)), None
    except EvidenceError as error:
        return None, error.message


def _fresh(analysis: _Analysis, year: int, last: _State | None) -> _State:
    """Carry out one analysis on the review as built from what was known."""
    studies: frozenset[str] = frozenset()
    run, note = None, None
    for db in states(analysis.review, [date(year, 12, 31)]):
        try:
            there = replace(analysis, entering=read_once(db, analysis.row))
        except RefusedError:
            continue
        studies = there.studies
        run, note = _fitted(there, studies)
    new = len(studies) - (0 if last is None else len(last.studies))
    return _State(analysis.row, year, studies, new, run, note or analysis.note)


def _entered(fit: Any) -> set[str]:
    if hasattr(fit, "network"):
        return {study for study, _ in fit.network.studies}
    return set(fit.studies)


def _run(analysis: _Analysis, fit: Any) -> Run:
    """Make a run of the main results of a fit."""
    row = analysis.row
    frames = {"estimates": fit.estimates(), "heterogeneity": fit.heterogeneity()}
    about: dict[str, Any] = {}
    if row["kind"] == "network":
        net = fit.network
        frames["ranking"] = fit.ranking()
        about = {"reference": net.reference, "n_treatments": len(net.treatments)}
    else:
        net = fit.contrasts
        about = {"treatment": net.treatment, "versus": net.versus, "n_treatments": 2}
    studies = _entered(fit)
    return Run(
        kind=row["kind"],
        engine=row["engine"] if row["kind"] == "network" else "frequentist",
        outcome=net.outcome,
        measure=net.measure,
        scale=net.scale,
        specification={"analysis": row["analysis"]},
        input_hash="",
        frames=frames,
        analysis=row["analysis"],
        unit=net.unit,
        lower_is_better=net.lower_is_better,
        n_studies=len(studies),
        synthetic=net.review.synthetic,
        **about,
    )


def _put_together(
    name: str,
    days: Days,
    made: Sequence[_State],
    claims: Sequence[Mapping[str, Any]],
    labels: dict[str, str],
    synthetic: bool,
) -> Replay:
    import pandas as pd

    total = {state.row["analysis"]: len(state.studies) for state in made}
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in COLUMNS}
    for state in made:
        key = {"analysis": state.row["analysis"], "year": state.year, "n_studies": len(state.studies)}
        rows["states"].append(key | _state_row(state, total[state.row["analysis"]]))
        said: list[Statement] = []
        if state.run is not None:
            for part in ("estimates", "heterogeneity", "ranking"):
                found = state.run.frames.get(part)
                rows[part] += [key | row for row in ([] if found is None else records(found))]
            said = statements(state.run)
        rows["timeline"] += [
            key
            | {
                "about": one.about,
                "treatment": one.treatment,
                "versus": one.versus,
                "verdict": one.verdict,
                "statement": one.said(labels),
            }
            for one in said
        ]
    rows["ranking"] = _with_places(rows["ranking"])
    rows["timeline"] += map(dict, claims)
    rows["timeline"] = timeline(rows["timeline"], rows["states"])
    rows["statements"] = turned(rows["timeline"], rows["states"])
    frames = {part: pd.DataFrame(found).reindex(columns=list(COLUMNS[part])) for part, found in rows.items()}
    return Replay(name, days, labels=labels, synthetic=synthetic, **frames)


def _state_row(state: _State, total: int) -> dict[str, Any]:
    row, run = state.row, state.run
    status = ESTIMATED if run is not None else REFUSED if state.note and state.studies else NOT_YET
    return {
        "n_new": state.new,
        "n_all": total,
        "n_treatments": None if run is None else run.n_treatments,
        "kind": row["kind"],
        "engine": row["engine"] if row["kind"] == "network" else "frequentist",
        "outcome": row["outcome"],
        "measure": row["measure"],
        "status": status,
        "note": state.note,
    }


def _with_places(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the place of each treatment, 1 the best, by the score of its engine."""
    from analysis.network.ranking import best_first
    from evidence import facts

    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["analysis"], row["year"], row["model"]), []).append(row)
    for group in groups.values():
        score = facts.engine(group[0]["engine"]).score
        scored = [row for row in group if row[score] is not None and row[score] == row[score]]
        for place, position in enumerate(best_first([row[score] for row in scored]), 1):
            scored[position]["place"] = place
    return rows
