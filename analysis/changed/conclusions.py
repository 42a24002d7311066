"""What may be concluded that could not be before, or no longer can: each with its sentence before and after.

A conclusion is a state in few words ("better", "holds"); it has turned where that is another, whatever its
numbers. Its sentences are those of the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from analysis.changed.analysed import Analysed
from analysis.charts.base.intervals import turned as turned_round
from analysis.charts.base.theme import missing
from analysis.living.moved import Names
from analysis.report import words
from analysis.report.conclusion import best, conclude, effect_conclusion, leader, ranked_before, standing
from analysis.report.links import Links, as_text
from analysis.report.material import Material
from evidence.results import Run

if TYPE_CHECKING:
    import pandas as pd

    from evidence.errors import Problem

KINDS = {
    "analysis": "analyses that could or can be carried out",
    "effect": "intervals against no effect",
    "importance": "intervals against the smallest important difference",
    "best": "the best treatment",
    "order": "treatments that swapped places",
    "claim": "claims",
    "audit": "audits new or settled",
}
"""Kinds of conclusions, in the order of print."""


@dataclass(frozen=True)
class Conclusion:
    """One conclusion that turned.

    Attributes
    ----------
    kind : str
        Of `KINDS`.
    analysis, outcome, treatment, versus : str or None
        What it is about.
    about : str
        The same in words.
    before, after : str or None
        The state that it was in and is in; None where there was, or is, nothing.
    sentence_before, sentence_after : str or None
        As a report says it.
    run_before, run_after : str or None
        The runs that it rests on.
    """

    kind: str
    analysis: str | None
    outcome: str | None
    treatment: str | None
    versus: str | None
    about: str
    before: str | None
    after: str | None
    sentence_before: str | None
    sentence_after: str | None
    run_before: str | None = None
    run_after: str | None = None


COLUMNS = tuple(Conclusion.__dataclass_fields__)


def turned(old: Analysed, new: Analysed, names: Names | None = None) -> pd.DataFrame:
    """Find the conclusions that turned.

    Parameters
    ----------
    old, new : Analysed
    names : mapping, optional
        What got another name, as `analysis.living.moved.names_of` gives it.

    Returns
    -------
    DataFrame
        One row a conclusion, with the columns of `Conclusion`: verdicts on effects (pairwise over all
        studies; of networks every comparison of the main model), the best treatment of a network, pairs of
        treatments that swapped places, analyses refused or no longer, claims, and audits.
    """
    import pandas as pd

    found = [
        *_of_analyses(old, new, names or {}),
        *_of_claims(old, new),
        *_of_audits(old, new, (names or {}).get("study", {})),
    ]
    order = {kind: place for place, kind in enumerate(KINDS)}
    found.sort(key=lambda one: order[one.kind])
    return pd.DataFrame([asdict(one) for one in found], columns=list(COLUMNS), dtype=object)


# --- of analyses --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """A conclusion in one of both states; nothing without both."""

    state: str | None = None
    sentence: str | None = None


_NOTHING = _State()
_Key = tuple[str, str | None, str | None]


def _of_analyses(old: Analysed, new: Analysed, names: Names) -> Iterator[Conclusion]:
    analyses, treatments = names.get("plan", {}), names.get("treatment", {})
    befores = {analyses.get(str(run.analysis), str(run.analysis)): run for run in old.material.runs}
    afters = {str(run.analysis): run for run in new.material.runs}
    refused = {analyses.get(name, name): said for name, said in old.material.refused.items()}
    for analysis in dict.fromkeys([*afters, *befores, *new.material.refused, *refused]):
        before, after = befores.get(analysis), afters.get(analysis)
        if before is None or after is None:
            was = _carried_out(old, before, refused.get(analysis))
            becomes = _carried_out(new, after, new.material.refused.get(analysis))
            if was.state != becomes.state:
                yield _conclusion(
                    analysis, ("analysis", None, None), (was, before), (becomes, after), analysis
                )
        elif _read_as(old, before) != _read_as(new, after):
            reference = str(after.reference)
            were = states(old.material, before, treatments, reference)
            are = states(new.material, after, {}, reference)
            for key in dict.fromkeys([*are, *were]):
                was, becomes = were.get(key, _NOTHING), are.get(key, _NOTHING)
                if was.state != becomes.state:
                    about = _about(key, new, after)
                    yield _conclusion(analysis, key, (was, before), (becomes, after), about)


def _read_as(state: Analysed, run: Run) -> tuple[Any, ...]:
    """Give what conclusions of a run follow from: its numbers, and what they are held against."""
    return run.run_id, run.lower_is_better, state.material.important(run)


def _conclusion(
    analysis: str | None,
    key: _Key,
    before: tuple[_State, Run | None],
    after: tuple[_State, Run | None],
    about: str,
) -> Conclusion:
    (was, old_run), (becomes, run) = before, after
    kind, treatment, versus = key
    shown = run or old_run
    return Conclusion(
        kind,
        analysis,
        shown.outcome if shown else None,
        treatment,
        versus,
        about,
        was.state,
        becomes.state,
        was.sentence,
        becomes.sentence,
        old_run.run_id if old_run else None,
        run.run_id if run else None,
    )


def _about(key: _Key, state: Analysed, run: Run) -> str:
    """Name what a conclusion is about."""
    effect = state.material.effect(run)
    sides = [effect.label(side) for side in key[1:] if side is not None]
    joined = (" and " if key[0] == "order" else " versus ").join(sides)
    return f"{effect.outcome}: {joined}" if sides else words.headline(run, effect)


def _carried_out(state: Analysed, run: Run | None, refused: str | None) -> _State:
    """Say what became of an analysis: what it found, why it is refused, or nothing if not planned."""
    if run is not None:
        return _State("carried out", as_text(conclude(state.material, run, Links())))
    return _NOTHING if refused is None else _State("refused", refused)


def states(material: Material, run: Run, names: Mapping[str, str], reference: str) -> dict[_Key, _State]:
    """Give every conclusion of a run under what tells it from the others, in the new names."""
    return states_with(material, run, material.important(run), names, reference)


def states_with(
    material: Material, run: Run, important: float | None, names: Mapping[str, str], reference: str
) -> dict[_Key, _State]:
    """Give every conclusion of a run, held against a smallest important difference of its own."""
    found: dict[_Key, _State] = {}
    effect, size = material.effect(run), words.size(material, run)
    for row, treatment, versus in _effects(run, names, reference):
        stands, matters = standing(row, effect, important)
        sentence = as_text(effect_conclusion(row, effect, Links(), size, important))
        found["effect", treatment, versus] = _State(stands, sentence)
        if matters is not None:
            found["importance", treatment, versus] = _State(f"{stands}: {matters}", sentence)
    if run.kind == "network":
        model = words.main_model(run)
        order, score, _ = words.ranked(run, model)
        if led := leader(run, effect, model):
            name = names.get(led[0], led[0])
            said = as_text(best(run, effect, Links(), model))
            found["best", None, None] = _State(f"{'first' if led[1] else 'best'}: {name}", said)
        for first, second in combinations(order, 2) if score else ():
            a, b = (names.get(name, name) for name in (first, second))
            said = ranked_before(run, effect, first, second)
            found["order", min(a, b), max(a, b)] = _State(f"{a} first", said)
    return found


def _effects(run: Run, names: Mapping[str, str], reference: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Give the effects that a conclusion is drawn from, each with both sides in the new names."""
    if run.kind == "pairwise":
        if (row := words.whole_effect(run)) is not None:
            a, b = str(run.treatment), str(run.versus)
            yield row | {"treatment": a, "versus": b, "kept": row}, names.get(a, a), names.get(b, b)
        return
    model = words.main_model(run)
    for row in words.estimate_rows(run):
        if row["model"] != model or row["evidence"] != "network" or missing(row["ci_lower"]):
            continue
        a, b = (names.get(str(row[side]), str(row[side])) for side in ("treatment", "versus"))
        if a == reference or a > b != reference:
            yield turned_round(row) | {"kept": row}, b, a
        else:
            yield row | {"kept": row}, a, b


# --- of claims and audits -----------------------------------------------------------------------------------

_CLAIMS = (
    "select claim, text, verdict, claim_result.found, claim_result.expected from claim "
    "inner join claim_result using (claim) order by claim"
)


def _of_claims(old: Analysed, new: Analysed) -> Iterator[Conclusion]:
    before, after = ({row["claim"]: row for row in state.db.rows(_CLAIMS)} for state in (old, new))
    for claim, row in after.items():
        was = _claimed(before.get(claim))
        becomes = _claimed(row)
        if was.state != becomes.state and (was.state or becomes.state != "holds"):
            states = (was, None), (becomes, None)
            yield _conclusion(None, ("claim", None, None), *states, claim)


def _claimed(row: Mapping[str, Any] | None) -> _State:
    if row is None:
        return _NOTHING
    found = f", found {row['found']}, expected {row['expected']}" if row["found"] is not None else ""
    return _State(row["verdict"], f"{row['text']} ({row['verdict']}{found})")


def _of_audits(old: Analysed, new: Analysed, studies: Mapping[str, str]) -> Iterator[Conclusion]:
    before = Counter(_audit(problem, studies) for problem in old.material.problems)
    after = Counter(_audit(problem, {}) for problem in new.material.problems)
    for audit in sorted((after - before).keys() | (before - after).keys()):
        _, severity, study, message = audit
        said = _State(severity, f"{study}: {message}" if study else message)
        was, becomes = (_NOTHING, said) if after[audit] > before[audit] else (said, _NOTHING)
        yield _conclusion(None, ("audit", None, None), (was, None), (becomes, None), study or severity)


def _audit(problem: Problem, studies: Mapping[str, str]) -> tuple[str, str, str, str]:
    study = studies.get(str(problem.study), problem.study) or ""
    return problem.file or "", problem.severity, study, problem.message
