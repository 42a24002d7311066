"""What a run lets one say without numbers: who was better, which treatment is best, which ranked first.

A statement has a subject (two treatments, or the place at the top) and a verdict on it, so that those of two
runs of one analysis can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.network.ranking import best_first
from analysis.verdict import concluding
from evidence import facts
from evidence.results import Run
from evidence.system.frames import records

BETTER, WORSE, DIFFERENT, ALIKE = "better", "worse", "different", "not told apart"
UNSAID, NONE = "no conclusion", "not estimated"
"""Verdicts on two treatments: UNSAID where the interval bears no conclusion, NONE where there is none."""

_WORDS = {
    BETTER: "{a} was better than {b}",
    WORSE: "{a} was worse than {b}",
    DIFFERENT: "{a} and {b} differed",
    ALIKE: "{a} and {b} could not be told apart",
    UNSAID: "No conclusion is drawn on {a} versus {b}",
    NONE: "{a} versus {b} could not be estimated",
}
_BEST, _FIRST = "The best is {a}", "{a} ranked first"
_NOT = {"best": "No single best treatment can be named", "first": "No treatment ranked first"}


@dataclass(frozen=True)
class Statement:
    """One thing that a run says, or does not.

    Attributes
    ----------
    about : {"effect", "best", "first"}
        Of two treatments, of the treatment that is better than each other one, or that ranks first.
    treatment, versus : str or None
        Of an effect; else None: `verdict` names the treatment.
    verdict : str
        Of an effect one of the verdicts of this module, else a treatment, or empty.
    """

    about: str
    treatment: str | None
    versus: str | None
    verdict: str

    @property
    def subject(self) -> tuple[str, str | None, str | None]:
        """What it is about, whatever the verdict."""
        return self.about, self.treatment, self.versus

    def said(self, labels: Mapping[str, str]) -> str:
        """Say it.

        Parameters
        ----------
        labels : mapping of str to str
            Printed names of treatments.
        """
        if self.about == "effect":
            a, b = (labels.get(str(name), str(name)) for name in (self.treatment, self.versus))
            return _WORDS[self.verdict].format(a=a, b=b)
        if not self.verdict:
            return _NOT[self.about]
        words = _BEST if self.about == "best" else _FIRST
        return words.format(a=labels.get(self.verdict, self.verdict))


def statements(run: Run) -> list[Statement]:
    """List what a run says of its main effects.

    Parameters
    ----------
    run : Run
        Of whose frames estimates and, of a network, ranking are read.

    Returns
    -------
    list of Statement
        Of a pairwise run one; of a network one for each treatment against the reference, and, where three
        treatments or more are ranked, which ranks first and which is the best: that of which the intervals
        against all others say so.
    """
    rows = [row for row in records(run.frames["estimates"]) if row.get("level") is None]
    known = [row for row in rows if _number(row["ci_lower"])]
    model = "random" if any(row["model"] == "random" for row in known) else "common"
    if run.kind == "pairwise":
        row = next((row for row in known if row["model"] == model), None)
        verdict = NONE if row is None else _verdict(concluding(row), row["estimate"], run.lower_is_better)
        return [Statement("effect", run.treatment, run.versus, verdict)]
    pairs = {
        (row["treatment"], row["versus"]): row
        for row in rows
        if row["model"] == model and row["evidence"] == "network"
    }
    return [*_against(run, pairs), *_ranked(run, model, pairs)]


def _number(value: Any) -> bool:
    return value is not None and value == value


def _verdict(limits: tuple[float, float] | None, estimate: float, lower_is_better: bool | None) -> str:
    if limits is None:
        return UNSAID
    if limits[0] <= 0 <= limits[1]:
        return ALIKE
    if lower_is_better is None:
        return DIFFERENT
    return BETTER if (estimate < 0) == lower_is_better else WORSE


_Pairs = Mapping[tuple[str, str], Mapping[str, Any]]


def _of(pairs: _Pairs, a: str, b: str, lower_is_better: bool | None) -> str:
    """Judge the effect of one treatment against another, whichever way round its row stands."""
    row, sign = pairs.get((a, b)), 1.0
    if row is None:
        row, sign = pairs.get((b, a)), -1.0
    if row is None or not _number(row["ci_lower"]):
        return NONE
    lower, upper = sorted((sign * row["ci_lower"], sign * row["ci_upper"]))
    return _verdict((lower, upper), sign * row["estimate"], lower_is_better)


def _against(run: Run, pairs: _Pairs) -> Iterator[Statement]:
    reference = str(run.reference)
    for name in sorted({name for pair in pairs for name in pair} - {reference}):
        yield Statement("effect", name, reference, _of(pairs, name, reference, run.lower_is_better))


def _ranked(run: Run, model: str, pairs: _Pairs) -> Iterator[Statement]:
    score = facts.engine(run.engine).score
    rows = [row for row in records(run.frames["ranking"]) if row["model"] == model and _number(row[score])]
    if len(rows) < 3:
        return
    first = rows[best_first([row[score] for row in rows])[0]]["treatment"]
    yield Statement("first", None, None, first)
    others = {name for pair in pairs for name in pair} - {first}
    beats = all(_of(pairs, first, other, run.lower_is_better) == BETTER for other in others)
    yield Statement("best", None, None, first if beats else "")
