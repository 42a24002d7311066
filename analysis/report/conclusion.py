"""What a run says in a sentence or two: who was better, by how much, and which treatment is best, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, percent
from analysis.language.catalog import marked, percent_sign, tr, trn
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
    row = words.whole_effect(run)
    if row is None:
        a, b = effect.label(run.treatment), effect.label(run.versus)
        return tr("No effect of {a} versus {b} could be estimated ({size}).", a=a, b=b, size=size)
    named = {"treatment": run.treatment, "versus": run.versus, "kept": row}
    return effect_conclusion(row | named, effect, links, size, important)


def effect_conclusion(
    row: Mapping[str, Any], effect: Effect, links: Links, size: str, important: float | None = None
) -> str:
    """Say of one effect (`words.estimate_rows`) which treatment was better, if its interval does."""
    a, b = effect.label(row["treatment"]), effect.label(row["versus"])
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
        best(run, effect, links, model),
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


def leader(run: Run, effect: Effect, model: str) -> tuple[str, list[str]] | None:
    """Give the treatment that ranks first, and those that its intervals do not show to be worse.

    None where nothing ranks, or only two do.
    """
    order, score, _ = words.ranked(run, model)
    if score is None or len(order) < 3:
        return None
    beaten = {row["versus"] for row in words.directed(run, model, order[0]) if _benefit(row, effect)[0] > 0}
    return order[0], [other for other in order[1:] if other not in beaten]


def best(run: Run, effect: Effect, links: Links, model: str) -> str:
    """Name the best treatment where its intervals do; else say from which the first is not told."""
    led = leader(run, effect, model)
    if led is None:
        return ""
    first, left = led[0], [effect.label(other) for other in led[1]]
    name = effect.label(first)
    _, score, scores = words.ranked(run, model)
    own = next((row for row in words.against(run, model) if row["treatment"] == first), None)
    rank = f"{facts.score(str(score))['label']} {percent(scores[first][str(score)], 0)}"
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


def ranked_before(run: Run, effect: Effect, first: str, second: str) -> str:
    """Say that of two treatments one ranked before the other, by the score of the run's main model."""
    _, score, scores = words.ranked(run, words.main_model(run))
    x, y = (percent(scores[name][str(score)], 1) for name in (first, second))
    return tr(
        "{a} ranked before {b} ({score} {x} and {y}).",
        a=effect.label(first),
        b=effect.label(second),
        score=facts.score(str(score))["label"],
        x=x,
        y=y,
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


def standing(
    row: Mapping[str, Any], effect: Effect, important: float | None = None
) -> tuple[str, str | None]:
    """Say where an effect stands: against no effect, and against the smallest important difference.

    Returns
    -------
    tuple of (str, str or None)
        "better", "worse", "different" (without a direction of benefit), "not told apart", or "no conclusion";
        and which part of the interval is as large as the smallest important difference: "benefits and harms",
        "benefits", "harms", "nothing" (an interval with no effect), "all", "none" or "some" (one without);
        None where there is no such difference, or no conclusion.
    """
    limits = concluding(row)
    if limits is None:
        return "no conclusion", None
    matters = _matters(limits, effect, important)
    if limits[0] <= 0 <= limits[1]:
        return "not told apart", matters
    better = effect.better(row["estimate"])
    return ("different" if better is None else "better" if better else "worse"), matters


def _matters(limits: tuple[float, float], effect: Effect, important: float | None) -> str | None:
    """Hold an interval against the smallest important difference."""
    if important is None or effect.lower_is_better is None:
        return None
    lower, upper = _benefit(dict(zip(("ci_lower", "ci_upper"), limits)), effect)
    if lower <= 0 <= upper:
        return {
            (True, True): "benefits and harms",
            (True, False): "benefits",
            (False, True): "harms",
            (False, False): "nothing",
        }[upper >= important, lower <= -important]
    least, most = (lower, upper) if lower > 0 else (-upper, -lower)
    return "all" if least >= important else "none" if most < important else "some"


def _mattering(limits: tuple[float, float], effect: Effect, important: float | None) -> str:
    """Say how an interval stands to the smallest important difference, in words that follow "no effect"."""
    matters = _matters(limits, effect, important)
    if matters is None or important is None:
        return ""
    size = f"{figures(effect.shown(important))}{f' {effect.printed_unit}' if effect.printed_unit else ''}"
    named = tr("the smallest important difference ({size})", size=size)
    if matters == "some":
        if _benefit(dict(zip(("ci_lower", "ci_upper"), limits)), effect)[0] > 0:
            return tr(", but benefits smaller than {named} are within it", named=named)
        return tr(", but harms smaller than {named} are within it", named=named)
    return tr(_MATTERING[matters], named=named)


_MATTERING = {
    "benefits and harms": marked(", and benefits and harms of at least {named}"),
    "benefits": marked(", and benefits of at least {named}"),
    "harms": marked(", and harms of at least {named}"),
    "nothing": marked(", and no difference as large as {named}"),
    "all": marked(", and every value in it is at least {named}"),
    "none": marked(", but every value in it is smaller than {named}"),
}
