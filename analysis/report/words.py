"""The report's sentences: the answer, and the methods, written from result rows, the plan and versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analysis.charts.base.effect import Effect, form_of
from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import count, missing, number, p_value, percent, positive, printed, records
from analysis.language.catalog import interval, marked, tr, trn
from analysis.plot.reading import MODELS, against, estimate_rows, main_model, places, ranked
from analysis.plot.reading import headline as headline
from analysis.report import procedures
from analysis.report.links import Links, mark
from analysis.report.material import Material
from analysis.verdict import LEAST_FOR_PREDICTION, concluding, from_adhoc, may_be_said
from evidence import facts
from evidence.folder.as_of import said_of
from evidence.results import Run

UNRELATED = "unrelated mean effects"
"""Method of the rows of a model without consistency."""

_MOST_LISTED = 8
"""Treatments that a sentence of the answer lists, the best first."""


def linked(row: Mapping[str, Any], effect: Effect, links: Links) -> str:
    """Write an estimate with its interval as a link to its rows."""
    text = effect.estimate_text(row["estimate"], row["ci_lower"], row["ci_upper"], row["digits"])
    # A row that was turned to the reader's direction still leads to the row that is kept.
    return mark(text, links.number(row.get("kept", row), effect))


def directed(run: Run, model: str, treatment: str) -> list[dict[str, Any]]:
    """Network effects of one treatment against every other; each knows the row kept."""
    found = []
    for row in estimate_rows(run):
        if row["model"] != model or row["evidence"] != "network" or missing(row["ci_lower"]):
            continue
        if row["treatment"] == treatment:
            found.append(row | {"kept": row})
        elif row["versus"] == treatment:
            found.append(turned(row) | {"kept": row})
    return found


def whole_effect(run: Run) -> dict[str, Any] | None:
    """Pooled effect of a pairwise run over all studies, under random effects where they were estimated."""
    whole = _whole(run)
    return whole.get("random") or whole.get("common")


def answer(material: Material, run: Run, links: Links) -> str:
    """Say what a run found, in words and numbers.

    Parameters
    ----------
    material : Material
    run : Run
    links : Links
        Hands out the anchors of the numbers.

    Returns
    -------
    str
        Sentences with links.
    """
    effect = material.effect(run)
    say = _pairwise_answer if run.kind == "pairwise" else _network_answer
    return f"{size(material, run)}. {say(run, effect, links)}"


def details(material: Material, run: Run) -> list[str]:
    """Say what a reader of a run's figures should know: prediction, heterogeneity, agreement."""
    effect = material.effect(run)
    found = [f"{size(material, run)}.", *procedures.of_run(material, run), spread(material, run)]
    if run.kind == "pairwise":
        found += [_prediction(run, effect), procedures.single_subgroups(run)]
    else:
        found.append(_agreement(run))
    return [sentence for sentence in found if sentence]


def opening(material: Material, run: Run, links: Links) -> str:
    """Open the section of a run: its answer in numbers, and what of its details the answer has not said."""
    said = answer(material, run, links)
    return " ".join([said, *(sentence for sentence in details(material, run) if sentence not in said)])


def as_of(material: Material) -> str:
    """Say what the review was cut to, by which dates of its studies; nothing where it is the whole review."""
    return said_of(material.info, tr)


def size(material: Material, run: Run) -> str:
    """Say how many studies entered a run, with how many animals or participants."""
    entered = material.size(run)
    n, unknown = entered.get("n_participants"), entered.get("n_unknown")
    studies = trn("{k} study", "{k} studies", run.n_studies or 0, k=count(run.n_studies))
    if missing(n):
        return studies
    said = _UNITS[material.units(run)]
    if not unknown:
        return tr(said, studies=studies, n=count(n))
    return trn(
        "{size} (n of {k} arm is not known)",
        "{size} (n of {k} arms is not known)",
        unknown,
        size=tr(said, studies=studies, n=count(n)),
        k=count(unknown),
    )


_UNITS = {
    "animals": marked("{studies} with {n} animals"),
    "participants": marked("{studies} with {n} participants"),
}


def _whole(run: Run) -> dict[str, dict[str, Any]]:
    """Pooled effects of a pairwise run over all studies, by model."""
    return {
        row["model"]: row
        for row in estimate_rows(run)
        if missing(row.get("level")) and not missing(row["ci_lower"])
    }


def _pairwise_answer(run: Run, effect: Effect, links: Links) -> str:
    whole = _whole(run)
    if not whole:
        return tr("No effect could be estimated.")
    parts = [
        f"{linked(whole[model], effect, links)} ({tr(MODELS[model])}{_beside(whole[model], effect)})"
        for model in ("random", "common")
        if model in whole
    ]
    names = effect.label(run.treatment), effect.label(run.versus)
    main = whole.get("random") or whole["common"]
    sentences = (
        f"{effect.name} {', '.join(parts)}.",
        _verdict(main, effect, names),
        _prediction(run, effect),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _beside(row: Mapping[str, Any], effect: Effect) -> str:
    """Write the interval that stands beside one that chance has narrowed."""
    if missing(row.get("adhoc_lower")):
        return ""
    text = effect.interval_text(row["adhoc_lower"], row["adhoc_upper"], row["digits"])
    return tr("; with the Hartung-Knapp factor kept at 1 {interval}", interval=text)


def _prediction(run: Run, effect: Effect) -> str:
    main = _whole(run).get("random")
    if main is None or missing(main.get("pi_lower")) or (run.n_studies or 0) < LEAST_FOR_PREDICTION:
        return ""
    row = _spread_of(run, "random")
    if row is not None and row.get("tau") == 0:
        said = tr(
            "95% prediction interval {interval}: it allows for no differences between studies, for τ is "
            "estimated as "
            "0."
        )
    elif main["pi_lower"] <= 0 <= main["pi_upper"]:
        said = tr(
            "95% prediction interval {interval}: the effect in a new study could lie on either side of no "
            "effect."
        )
    elif not may_be_said(main) or from_adhoc(main):
        said = tr("95% prediction interval {interval}.")
    else:
        said = tr(
            "95% prediction interval {interval}: the effect in a new study is expected on the same side."
        )
    return said.format(interval=effect.interval_text(main["pi_lower"], main["pi_upper"], main["digits"]))


def _network_answer(run: Run, effect: Effect, links: Links) -> str:
    model = main_model(run)
    rows = against(run, model)
    reference = effect.label(run.reference)
    clear = [row for row in rows if not row["ci_lower"] <= 0 <= row["ci_upper"]]
    better = [row for row in clear if effect.better(row["estimate"])]
    worse = [row for row in clear if effect.better(row["estimate"]) is False]
    measure = f"{tr(effect.about.label)}, {tr(MODELS[model])}"
    sentences = []

    def listed(some: list[dict[str, Any]]) -> str:
        said = [f"{effect.label(row['treatment'])} {linked(row, effect, links)}" for row in some]
        if len(said) > _MOST_LISTED + 1:
            said[_MOST_LISTED:] = [tr("and {n} more (Summary of findings)", n=len(said) - _MOST_LISTED)]
        return ", ".join(said)

    if effect.lower_is_better is None:
        said = tr(
            "Against {reference} the interval excludes no effect for {k} of {n} treatments ({measure})",
            reference=reference,
            k=len(clear),
            n=len(rows),
            measure=measure,
        )
        sentences.append(f"{said}: {listed(clear)}." if clear else f"{said}.")
    else:
        about = {"n": len(rows), "reference": reference, "measure": measure}
        if better:
            said = trn(
                "{k} of {n} treatments is better than {reference} by its interval ({measure}): {list}.",
                "{k} of {n} treatments are better than {reference} by their intervals ({measure}): {list}.",
                len(better),
                k=len(better),
                list=listed(better),
                **about,
            )
        else:
            said = tr(
                "Not one of {n} treatments is better than {reference} by its interval ({measure}).", **about
            )
        sentences.append(said)
        if worse:
            sentences.append(
                trn(
                    "{k} is worse: {list}.",
                    "{k} are worse: {list}.",
                    len(worse),
                    k=len(worse),
                    list=listed(worse),
                )
            )
        if unclear := len(rows) - len(clear):
            sentences.append(tr("For {k} of {n} the interval includes no effect.", k=unclear, n=len(rows)))
    order, score, scores = ranked(run, model)
    if score:
        name = facts.score(score)["label"]
        first = [f"{effect.label(t)} ({percent(scores[t][score], 0)})" for t in order[:3]]
        sentences.append(tr("Ranked by {score}: {order}.", score=name, order=tr(", then ").join(first)))
        best = scores[order[0]].get("p_best")
        if not missing(best):
            sentences.append(
                tr(
                    "The probability that {name} is the best is {share}.",
                    name=effect.label(order[0]),
                    share=percent(best, 0),
                )
            )
    return " ".join(sentences)


def _agreement(run: Run) -> str:
    rows = records(run.frames["inconsistency"])
    tested = [row for row in rows if row["method"] == "design-by-treatment" and not missing(row["p_value"])]
    if tested:
        p = tested[0]["p_value"]
        if p < 0.05:
            return tr("The network's designs disagree (design-by-treatment test, p {p}).", p=p_value(p))
        return tr(
            "No clear disagreement between the network's designs (design-by-treatment test, p {p}).",
            p=p_value(p),
        )
    model = main_model(run)
    free = [
        row
        for row in rows
        if row["method"] == UNRELATED and row["component"] == "network" and row["model"] == model
    ]
    if free:
        return tr(
            "Consistency against unrelated mean effects (lower DIC fits better): {note}.",
            note=printed(str(free[0]["note"])),
        )
    if any(not missing(row["difference"]) for row in rows):
        return tr("Direct and indirect evidence were set against each other: see Inconsistency.")
    return tr(
        "No test of inconsistency was made: node_split = true in the plan sets direct against indirect "
        "evidence."
    )


def _verdict(row: Mapping[str, Any], effect: Effect, names: tuple[str, str]) -> str:
    if missing(row["ci_lower"]):
        return ""
    limits = concluding(row)
    if limits is None:
        reason = row.get("no_verdict")
        if reason:
            return tr("No conclusion is drawn from this interval: {reason}.", reason=reason)
        return tr("No conclusion is drawn from this interval, which has no width.")
    which = (
        tr("The interval with the Hartung-Knapp factor kept at 1") if from_adhoc(row) else tr("The interval")
    )
    if limits[0] <= 0 <= limits[1]:
        return tr("{which} includes no effect.", which=which)
    better = effect.better(row["estimate"])
    if better is None:
        return tr("{which} excludes no effect.", which=which)
    return tr("{which} favours {name}.", which=which, name=names[0] if better else names[1])


def _spread_of(run: Run, model: str) -> dict[str, Any] | None:
    """Find the heterogeneity of a run over all studies under one model."""
    rows = records(run.frames["heterogeneity"])
    return next((row for row in rows if row["model"] == model and missing(row.get("level"))), None)


def spread(material: Material, run: Run) -> str:
    """Say how far the studies of a run differ, beyond chance."""
    effect = material.effect(run)
    row = _spread_of(run, main_model(run))
    if row is None:
        return ""
    parts = []
    if not missing(row.get("tau")):
        parts.append(_tau(row, effect, places(run)))
    if not missing(row.get("i2")):
        parts.append(f"I² = {percent(row['i2'], 0)}")
    if not missing(row.get("q")):
        parts.append(f"Q = {number(row['q'], 1)} (df {count(row['df'])}, p {p_value(row['p_value'])})")
    return tr("Heterogeneity: {parts}.", parts=", ".join(parts)) if parts else ""


def _tau(row: Mapping[str, Any], effect: Effect, digits: int) -> str:
    """Write tau with its interval; both methods where the estimate lies outside it."""
    values = {"tau": effect.spread_text(row["tau"], digits)}
    if effect.scale == "log":
        values["tau"] = tr("{tau} on the log scale", **values)
    lower, upper = row.get("tau_lower"), row.get("tau_upper")
    if missing(lower) or missing(upper):
        return tr("between-study standard deviation τ = {tau}", **values)
    values["interval"] = interval(positive(lower, digits), positive(upper, digits))
    slack = 1e-9 * max(upper, row["tau"])
    if lower - slack <= row["tau"] <= upper + slack:
        return tr("between-study standard deviation τ = {tau} {interval}", **values)
    return tr(
        "between-study standard deviation τ = {tau} by {method}, outside its interval {interval} by "
        "{other}: they "
        "are two methods",
        method=row["method"],
        other=row.get("interval_method") or tr("another method"),
        **values,
    )


def methods(material: Material) -> list[str]:
    """Write the methods section from the plan, the runs' specifications and the versions.

    Returns
    -------
    list of str
        Paragraphs.
    """
    runs = material.runs
    paragraphs = []
    counts = material.db.rows(
        "select (select count(*) from study) as studies, (select count(*) from arm) as arms, "
        "(select count(*) from measurement) as measurements"
    )[0]
    paragraphs.append(
        f"Data of {count(counts['studies'])} studies ({count(counts['arms'])} arms, "
        f"{count(counts['measurements'])} "
        "measurements) were kept as reported, each with its source and place, and compiled into a database; "
        "means, "
        "standard deviations and effects were derived there by documented views, never typed. What could not "
        "be "
        "used, and why, is listed under Exclusions."
    )
    used = list(dict.fromkeys((run.measure, form_of(run.row())) for run in runs))
    # Measures without forms are the same in every form.
    said = list(dict.fromkeys(f"{facts.measure(*measure).sentence} ({measure[0]})" for measure in used))
    if said:
        paragraphs.append(
            "Effects are "
            + "; ".join(said)
            + ". A contrast exists only within one study and experiment. Direction of benefit is a property "
            "of the outcome, or of the measure where it has its own"
            + _directions(material)
            + ". "
            + _timepoints(runs)
        )
    paragraphs += [
        _network_methods(
            [run for run in runs if run.kind == "network" and run.engine == engine],
            engine,
            material,
        )
        for engine in dict.fromkeys(run.engine for run in runs if run.kind == "network")
    ]
    paragraphs += procedures.each(material)
    paragraphs += _settling(material)
    versions: dict[str, str] = {}
    for run in runs:
        versions |= dict(run.versions)
    if versions:
        paragraphs.append(
            "Software: "
            + ", ".join(
                f"{name} {versions[name]}"
                for name in sorted(versions, key=lambda n: (n != "evidence-base", n))
            )
            + ". "
            "All intervals are 95% and equal-tailed. Common and random effects are both shown; neither was "
            "chosen by a "
            "test of heterogeneity."
        )
    return paragraphs


def _settling(material: Material) -> list[str]:
    """Say how what two people saw differently was settled, where they did and agreed on nothing."""
    (row,) = material.db.rows(
        "select (select count(*) from rob_traffic_light where settled_by = 'worst') as judgements, "
        "(select count(*) from rob_traffic_light) as judged, "
        "(select count(*) from audit_extractor_disagreement) as readings"
    )
    sentences = []
    if row["judgements"]:
        sentences.append(
            f"Assessors of risk of bias differ in {count(row['judgements'])} of {count(row['judged'])} "
            "judgements for which no consensus is entered; there the worst judgement counts (marked * in the "
            "figures)."
        )
    if row["readings"]:
        sentences.append(
            f"Extractors read {count(row['readings'])} "
            f"result{'s' if row['readings'] != 1 else ''} differently without an entered consensus; "
            "there the more cautious reading counts, which is the one that gives the arm the least weight."
        )
    return [" ".join(sentences)] if sentences else []


def _directions(material: Material) -> str:
    said = []
    for run in material.runs:
        if run.lower_is_better is None:
            continue
        better = "lower" if run.lower_is_better else "higher"
        # A measure with a direction of its own is named: the outcome's may be the other way round.
        about = facts.measure(run.measure)
        own = "" if about.direction == "outcome" else f" {about.label}"
        said.append(f"{material.outcomes.get(run.outcome, run.outcome)}: {better}{own} is better")
    return f" ({'; '.join(dict.fromkeys(said))})" if said else ""


def _timepoints(runs: list[Run]) -> str:
    rules = list(dict.fromkeys(str(run.timepoint) for run in runs if run.timepoint))
    if not rules:
        return ""
    said = ", ".join(f"the {rule}" if rule in ("first", "last") else rule for rule in rules)
    return f"Where a study measured an outcome at several times, {said} was taken."


_TREATMENTS = re.compile(
    r"(?<=^treatment = )[^:]+|(?<=effect against )\S+|(?<=is a class of treatments: ).+(?=\.)"
)


def plain_words(message: str, names: Mapping[str, str]) -> str:
    """Write a message of an analysis with the signs of print, and treatments as they are called."""

    def called(found: re.Match[str]) -> str:
        return ", ".join(names.get(key, key) for key in found[0].split(", "))

    return printed(_TREATMENTS.sub(called, message))


def _priors(run: Run, names: Mapping[str, str]) -> str:
    """Say under which priors a Bayesian run was fitted, in the outcome's unit."""
    model = main_model(run)
    for row in records(run.frames["fit"]):
        if row["quantity"] == "log_marginal_likelihood" and row["model"] == model and row["note"]:
            return plain_words(str(row["note"]), names)
    said = [row["message"] for row in records(run.frames["notes"]) if "prior" in str(row["message"]).lower()]
    return plain_words(" ".join(said).rstrip("."), names)


def _network_methods(runs: list[Run], engine: str, material: Material) -> str:
    """Say what all networks of an engine have in common; `procedures.each` says the rest of each."""
    text = f"Network meta-analyses, {engine} engine: {facts.engine(engine).sentence}."
    if not facts.engine(engine).bayesian:
        text += (
            " One between-study variance for the whole network. Inconsistency: Q decomposed within and "
            "between designs, the design-by-treatment interaction test, and, where planned, direct against "
            "indirect evidence for each comparison. Ranking: P-scores, and rank probabilities by drawing "
            "from the estimates' normal distribution."
        )
    else:
        for run in runs:
            if described := _priors(run, material.treatments):
                text += f" Priors, {material.outcomes.get(run.outcome, run.outcome)}: {described}."
        text += " Ranking: SUCRA from the posterior."
    seeds = list(dict.fromkeys(str(run.seed) for run in runs if run.seed is not None))
    return text + (f" Seed: {', '.join(seeds)}." if seeds else "")
