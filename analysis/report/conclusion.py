"""What a run says in a sentence or two: who was better, by how much, and which treatment is best, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, percent
from analysis.language.catalog import percent_sign, tr, trn
from analysis.report import words
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.verdict import concluding, from_adhoc
from evidence import facts
from evidence.results import Run

_NAMED = 3
"""Treatments that a sentence lists; of more it names one less, and counts the others."""


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
    return f"{tr(effect.about.label)} {number}"


def written(row: Mapping[str, Any], effect: Effect) -> str:
    """Write an effect with its unit and interval, in the row's ``digits``."""
    unit = effect.printed_unit
    of = "" if unit is None else percent_sign() if unit == "%" else f" {unit}"
    return tr(
        "{estimate} (95% {interval} {lower} to {upper})",
        estimate=f"{effect.text(row['estimate'], row['digits'])}{of}",
        interval=effect.interval,
        lower=effect.text(row["ci_lower"], row["digits"]),
        upper=effect.text(row["ci_upper"], row["digits"]),
    )


def pairwise_conclusion(
    run: Run, effect: Effect, links: Links, size: str, important: float | None = None
) -> str:
    """Say which of two treatments was better, or that they could not be told apart."""
    a, b = effect.label(run.treatment), effect.label(run.versus)
    row = words.whole_effect(run)
    if row is None:
        return tr("No effect of {a} versus {b} could be estimated ({size}).", a=a, b=b, size=size)
    about = {"a": a, "b": b, "size": size, "found": _directed(value(row, effect, links), effect)}
    limits = concluding(row)
    if limits is None:
        reason = row.get("no_verdict") or tr("the interval has no width")
        return tr(
            "No conclusion is drawn on {a} versus {b} from {size}: {reason} ({found}).",
            reason=reason,
            **about,
        )
    about["which"] = (
        tr("The interval with the Hartung-Knapp factor kept at 1") if from_adhoc(row) else tr("The interval")
    )
    matters = _mattering(limits, effect, important)
    if limits[0] <= 0 <= limits[1]:
        return tr(
            "In {size}, {a} and {b} could not be told apart: {found}. {which} includes no effect{matters}.",
            matters=matters,
            **about,
        )
    better = effect.better(row["estimate"])
    if better is None:
        return tr(
            "In {size}, {a} and {b} differed: {found}. {which} excludes no effect; the review does not "
            "say which "
            "direction is better.",
            **about,
        )
    if better:
        return tr(
            "In {size}, {a} was better than {b}: {found}. {which} excludes no effect{matters}.",
            matters=matters,
            **about,
        )
    return tr(
        "In {size}, {a} was worse than {b}: {found}. {which} excludes no effect{matters}.",
        matters=matters,
        **about,
    )


def network_conclusion(
    run: Run, effect: Effect, links: Links, size: str, important: float | None = None
) -> str:
    """Say which treatment is best, if the evidence does, and how many were better than the reference."""
    model = words.main_model(run)
    rows = words.against(run, model)
    reference = effect.label(run.reference)
    if not rows:
        return tr(
            "No effect against {reference} could be estimated ({size}).", reference=reference, size=size
        )
    clear = [row for row in rows if not row["ci_lower"] <= 0 <= row["ci_upper"]]
    if effect.lower_is_better is None:
        return tr(
            "Against {reference} the interval excludes no effect for {k} of {n} treatments ({size}); the "
            "review does "
            "not say which direction is better.",
            reference=reference,
            k=len(clear),
            n=len(rows),
            size=size,
        )
    better = [row for row in clear if effect.better(row["estimate"])]
    enough = None
    if better and important is not None:
        enough = sum(_benefit(row, effect)[0] >= important for row in better)
    counts = _counts(len(rows), len(better), len(clear) - len(better), enough)
    sentences = [
        _best(run, effect, links, model),
        tr("Against {reference}, {counts} ({size}).", reference=reference, counts=counts, size=size),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _counts(n: int, better: int, worse: int, enough: int | None) -> str:
    """Say of how many treatments the interval shows them to be better or worse, and of how many not."""
    if not better:
        counts = [tr("none of {n} treatments were better", n=n)]
    elif enough is None:
        counts = [
            trn(
                "{k} of {n} treatments was better", "{k} of {n} treatments were better", better, k=better, n=n
            )
        ]
    else:
        counts = [
            trn(
                "{k} of {n} treatments was better ({enough} of them by at least the smallest important "
                "difference)",
                "{k} of {n} treatments were better ({enough} of them by at least the smallest important "
                "difference)",
                better,
                k=better,
                n=n,
                enough=enough,
            )
        ]
    if worse:
        counts.append(trn("{k} was worse", "{k} were worse", worse, k=worse))
    if unclear := n - better - worse:
        counts.append(tr("for {k} the interval includes no effect", k=unclear))
    return "; ".join(counts)


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
    about = {"name": name, "rank": rank}
    if own is None:
        if left:
            return tr(
                "No single best treatment can be named: {name} ranked first ({rank}), but is not shown to "
                "be better "
                "than {others}.",
                others=listed(left),
                **about,
            )
        return tr(
            "The best is {name} ({rank}): its interval against each of the others excludes no effect.",
            **about,
        )
    about |= {
        "value": with_article(value(own, effect, links), effect),
        "reference": effect.label(run.reference),
    }
    if left:
        return tr(
            "No single best treatment can be named: {name} ranked first ({rank}) with {value} against "
            "{reference}, but "
            "is not shown to be better than {others}.",
            others=listed(left),
            **about,
        )
    return tr(
        "The best is {name} ({rank}) with {value} against {reference}: its interval against each of the "
        "others "
        "excludes no effect.",
        **about,
    )


def listed(names: Sequence[str]) -> str:
    """List names in a sentence; of many the first, and how many more."""
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], tr("{n} others", n=count(len(names) - _NAMED + 1))]
    return (
        names[0] if len(names) == 1 else tr("{names} or {last}", names=", ".join(names[:-1]), last=names[-1])
    )


def with_article(said: str, effect: Effect) -> str:
    """Put the article before an effect in running text, where the language has one there."""
    if effect.about.label[0] in "aeio":
        return tr("an {effect}", effect=said)
    return tr("a {effect}", effect=said)


def _directed(found: str, effect: Effect) -> str:
    """Say after an effect which way is better."""
    if effect.lower_is_better is None:
        return found
    if effect.lower_is_better:
        return tr("{effect}, lower is better", effect=found)
    return tr("{effect}, higher is better", effect=found)


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
    named = tr("the smallest important difference ({size})", size=size)
    if lower <= 0 <= upper:
        said = {
            (True, True): tr(", and benefits and harms of at least {named}"),
            (True, False): tr(", and benefits of at least {named}"),
            (False, True): tr(", and harms of at least {named}"),
            (False, False): tr(", and no difference as large as {named}"),
        }[upper >= important, lower <= -important]
        return said.format(named=named)
    least, most = (lower, upper) if lower > 0 else (-upper, -lower)
    if least >= important:
        return tr(", and every value in it is at least {named}", named=named)
    if most < important:
        return tr(", but every value in it is smaller than {named}", named=named)
    if lower > 0:
        return tr(", but benefits smaller than {named} are within it", named=named)
    return tr(", but harms smaller than {named} are within it", named=named)
