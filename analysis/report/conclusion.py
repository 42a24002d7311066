"""What a run says in a sentence or two: who was better, by how much, and which treatment is best, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, percent
from analysis.report import words
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.verdict import concluding, from_adhoc
from evidence import facts
from evidence.results import Run

_NAMED = 3
"""Treatments that a sentence lists; of more it names one less, and counts the others."""

_UNDIRECTED = "the review does not say which direction is better"


def conclude(material: Material, run: Run, links: Links) -> str:
    """Say what a run found: a conclusion, then the numbers it rests on.

    Parameters
    ----------
    material : Material
    run : Run
    links : Links
        Hands out the anchors of the numbers.

    Returns
    -------
    str
        Sentences with links. Nothing is said to be better but by an interval that excludes no effect, and no
        treatment to be the best but by its intervals against all others.
    """
    effect, size, important = material.effect(run), words.size(material, run), material.important(run)
    if run.kind == "pairwise":
        return pairwise_conclusion(run, effect, links, size, important)
    return network_conclusion(run, effect, links, size, important)


def value(row: Mapping[str, Any], effect: Effect, links: Links) -> str:
    """Write an effect with its measure, unit and interval as a link to its rows."""
    number = mark(written(row, effect), links.number(row.get("kept", row), effect))
    return f"{effect.about.label} {number}"


def written(row: Mapping[str, Any], effect: Effect) -> str:
    """Write an effect with its unit and interval, in the row's ``digits``."""
    unit = effect.printed_unit
    of = "" if unit is None else "%" if unit == "%" else f" {unit}"
    ends = (effect.text(row[end], row["digits"]) for end in ("ci_lower", "ci_upper"))
    return f"{effect.text(row['estimate'], row['digits'])}{of} (95% {effect.interval} {' to '.join(ends)})"


def pairwise_conclusion(
    run: Run, effect: Effect, links: Links, size: str, important: float | None = None
) -> str:
    """Say which of two treatments was better, or that they could not be told apart."""
    a, b = effect.label(run.treatment), effect.label(run.versus)
    row = words.whole_effect(run)
    if row is None:
        return f"No effect of {a} versus {b} could be estimated ({size})."
    found = f"{value(row, effect, links)}{_which_way(effect)}"
    limits = concluding(row)
    if limits is None:
        reason = row.get("no_verdict") or "the interval has no width"
        return f"No conclusion is drawn on {a} versus {b} from {size}: {reason} ({found})."
    which = "The interval with the Hartung-Knapp factor kept at 1" if from_adhoc(row) else "The interval"
    matters = _mattering(limits, effect, important)
    if limits[0] <= 0 <= limits[1]:
        return (
            f"In {size}, {a} and {b} could not be told apart: {found}. {which} includes no effect{matters}."
        )
    better = effect.better(row["estimate"])
    if better is None:
        return f"In {size}, {a} and {b} differed: {found}. {which} excludes no effect; {_UNDIRECTED}."
    said = "better" if better else "worse"
    return f"In {size}, {a} was {said} than {b}: {found}. {which} excludes no effect{matters}."


def network_conclusion(
    run: Run, effect: Effect, links: Links, size: str, important: float | None = None
) -> str:
    """Say which treatment is best, if the evidence does, and how many were better than the reference."""
    model = words.main_model(run)
    rows = words.against(run, model)
    reference = effect.label(run.reference)
    if not rows:
        return f"No effect against {reference} could be estimated ({size})."
    clear = [row for row in rows if not row["ci_lower"] <= 0 <= row["ci_upper"]]
    if effect.lower_is_better is None:
        return (
            f"Against {reference} the interval excludes no effect for {len(clear)} of {len(rows)} treatments "
            f"({size}); {_UNDIRECTED}."
        )
    better = [row for row in clear if effect.better(row["estimate"])]
    worse, unclear = len(clear) - len(better), len(rows) - len(clear)
    verb = "was" if len(better) == 1 else "were"
    counts = [f"{len(better) or 'none'} of {len(rows)} treatments {verb} better"]
    if better and important is not None:
        enough = sum(_benefit(row, effect)[0] >= important for row in better)
        counts[0] += f" ({enough} of them by at least the smallest important difference)"
    if worse:
        counts.append(f"{worse} {'was' if worse == 1 else 'were'} worse")
    if unclear:
        counts.append(f"for {unclear} the interval includes no effect")
    sentences = [_best(run, effect, links, model), f"Against {reference}, {'; '.join(counts)} ({size})."]
    return " ".join(sentence for sentence in sentences if sentence)


def _best(run: Run, effect: Effect, links: Links, model: str) -> str:
    """Name the best treatment where its intervals do; else say from which the first is not told."""
    order, score, scores = words.ranked(run, model)
    if score is None or len(order) < 3:
        return ""
    first, others = order[0], order[1:]
    name = effect.label(first)
    beaten = {row["versus"] for row in words.directed(run, model, first) if _benefit(row, effect)[0] > 0}
    left = [effect.label(other) for other in others if other not in beaten]
    own = next((row for row in words.against(run, model) if row["treatment"] == first), None)
    rank = f"{facts.score(score)['label']} {percent(scores[first][score], 0)}"
    against = f"against {effect.label(run.reference)}"
    found = "" if own is None else f" with {article(effect)} {value(own, effect, links)} {against}"
    if left:
        return (
            f"No single best treatment can be named: {name} ranked first ({rank}){found}, but is not shown "
            f"to be better than {listed(left)}."
        )
    return f"The best is {name} ({rank}){found}: its interval against each of the others excludes no effect."


def listed(names: Sequence[str]) -> str:
    """List names in a sentence; of many the first, and how many more."""
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], f"{count(len(names) - _NAMED + 1)} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def article(effect: Effect) -> str:
    """Article of the measure in running text."""
    return "an" if effect.about.label[0] in "aeio" else "a"


def _which_way(effect: Effect) -> str:
    if effect.lower_is_better is None:
        return ""
    return f", {'lower' if effect.lower_is_better else 'higher'} is better"


def _benefit(row: Mapping[str, Any], effect: Effect) -> tuple[float, float]:
    """Turn an interval so that above 0 means better."""
    lower, upper = row["ci_lower"], row["ci_upper"]
    return (-upper, -lower) if effect.lower_is_better else (lower, upper)


def _mattering(limits: tuple[float, float], effect: Effect, important: float | None) -> str:
    """Hold an interval against the smallest important difference, in words that follow "no effect"."""
    if important is None or effect.lower_is_better is None:
        return ""
    lower, upper = _benefit(dict(zip(("ci_lower", "ci_upper"), limits)), effect)
    size = f"{figures(effect.shown(important))}{f' {effect.printed_unit}' if effect.printed_unit else ''}"
    named = f"the smallest important difference ({size})"
    if lower <= 0 <= upper:
        parts = [
            said
            for said, holds in (("benefits", upper >= important), ("harms", lower <= -important))
            if holds
        ]
        if parts:
            return f", and {' and '.join(parts)} of at least {named}"
        return f", and no difference as large as {named}"
    kind, least, most = ("benefits", lower, upper) if lower > 0 else ("harms", -upper, -lower)
    if least >= important:
        return f", and every value in it is at least {named}"
    if most < important:
        return f", but every value in it is smaller than {named}"
    return f", but {kind} smaller than {named} are within it"
