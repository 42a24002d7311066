"""What a review made with RevMan holds, whichever of its files it comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evidence import facts
from evidence.folder.column_names import plain

METHODS = {"mantelhaenszel": "MH", "mh": "MH", "peto": "Peto", "petooe": "Peto", "expoev": "Peto"}
STATISTICS = {
    "Experimental mean": ("a", "mean"),
    "Experimental SD": ("a", "sd"),
    "Experimental cases": ("a", "events"),
    "Experimental N": ("a", "n"),
    "Control mean": ("b", "mean"),
    "Control SD": ("b", "sd"),
    "Control cases": ("b", "events"),
    "Control N": ("b", "n"),
    "MEAN_1": ("a", "mean"),
    "SD_1": ("a", "sd"),
    "EVENTS_1": ("a", "events"),
    "TOTAL_1": ("a", "n"),
    "MEAN_2": ("b", "mean"),
    "SD_2": ("b", "sd"),
    "EVENTS_2": ("b", "events"),
    "TOTAL_2": ("b", "n"),
    "GIV Mean": ("contrast", "estimate"),
    "GIV SE": ("contrast", "se"),
    "ESTIMATE": ("contrast", "estimate"),
    "SE": ("contrast", "se"),
    "O-E": ("contrast", "o_e"),
    "Variance": ("contrast", "variance"),
    "O_E": ("contrast", "o_e"),
    "VAR": ("contrast", "variance"),
}
"""Columns and attributes of RevMan's files: side and statistic."""


@dataclass(frozen=True)
class StudyRow:
    """One study in one analysis, as typed.

    Attributes
    ----------
    study, year, subgroup : str
        Which study, and under which subgroup it stands.
    cells : dict of (side, statistic) to str
        Side is ``a`` (experimental), ``b`` (control) or ``contrast``.
    place : str
        Where the row stands in the source.
    note : str
        Its footnote.
    """

    study: str
    year: str
    subgroup: str
    cells: dict[tuple[str, str], str]
    place: str
    note: str = ""


@dataclass(frozen=True)
class Analysis:
    """One analysis of a Cochrane review, with its own pooled result.

    Attributes
    ----------
    number, name, group : str
        ``1.2``, its name, and that of its comparison.
    kind : {"dichotomous", "continuous", "contrast", "o-e"}
        What its rows hold.
    measure : str
        Effect measure of ours, or RevMan's word where there is none.
    method : {"inverse_variance", "MH", "Peto"}
        How the common effect is pooled.
    model : {"common", "random"}
    tau2, ci : str
        Estimator and interval of the random effects, in the words of `analysis.pairwise.fit`.
    experimental, control : str
        Labels of the two groups.
    swapped : bool
        Analysed by those without the event.
    estimate, ci_lower, ci_upper : float or None
        RevMan's pooled result on the scale it prints (ratios as ratios); None where studies were not pooled.
    rows : tuple of StudyRow
    """

    number: str
    name: str
    group: str
    kind: str
    measure: str
    method: str
    model: str
    tau2: str
    ci: str
    experimental: str
    control: str
    swapped: bool
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    rows: tuple[StudyRow, ...]

    @property
    def outcome(self) -> str:
        """Name of its outcome in the review folder."""
        return f"{self.number} {self.name}"


@dataclass
class StudyInfo:
    """What a review says of one study besides its results.

    Attributes
    ----------
    name, year : str
    texts : dict of str to str
        Characteristics: methods, participants, interventions, outcomes, notes.
    reports : list of dict
        Publications: title, authors, journal, year, doi, pmid.
    """

    name: str
    year: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    reports: list[dict[str, str]] = field(default_factory=list)


class Judgement(NamedTuple):
    """One judgement of risk of bias, in the words of the file.

    Attributes
    ----------
    study, item, group, answer, support : str
        Group is the outcomes that it is for, where an item is judged for several.
    """

    study: str
    item: str
    group: str
    answer: str
    support: str


class Listed(NamedTuple):
    """A study that a review lists and does not include.

    Attributes
    ----------
    study, decision, reason : str
        Name; exclude, or unclear for one that waits or goes on; why.
    reports : list of dict
        Publications, as in `StudyInfo`.
    """

    study: str
    decision: str
    reason: str
    reports: list[dict[str, str]]


LISTS = {
    "excluded": ("exclude", ""),
    "awaiting": ("unclear", "awaiting classification"),
    "ongoing": ("unclear", "ongoing"),
}
"""Decision, and reason where none is given, of the studies that RevMan lists besides those included."""


class Content(NamedTuple):
    """What was read from a file.

    Attributes
    ----------
    analyses : list of Analysis
    judgements : sequence of Judgement
    studies : sequence of StudyInfo
        Studies included, also those without a result.
    listed : sequence of Listed
        Studies that were not included.
    title, source : str
        Of the review; source says where it comes from, with its footnotes.
    notes : sequence of str
        What was not read, and decisions that concern the whole file.
    """

    analyses: list[Analysis]
    judgements: Sequence[Judgement] = ()
    studies: Sequence[StudyInfo] = ()
    listed: Sequence[Listed] = ()
    title: str = ""
    source: str = ""
    notes: Sequence[str] = ()


def measure_named(words: str) -> str:
    """Give our code of an effect measure in RevMan's words, or the words where there is none."""
    known = facts.read_name("revman", re.sub(r"\(.*?\)", "", words))
    return known or words


def method_of(words: str, measure: str) -> str:
    """Give our word for how the common effect is pooled."""
    return "Peto" if plain(measure) == "petoor" else METHODS.get(plain(words), "inverse_variance")


def number(text: str | None) -> float | None:
    """Read a number; None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return None
