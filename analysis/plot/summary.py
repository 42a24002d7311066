"""What the picture of an answer draws: a few main effects on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import charts
from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.theme import count, missing
from analysis.language.catalog import tr, trn
from analysis.plot.pairwise import as_frame, study_rows, whole_effect
from analysis.plot.reading import against
from analysis.plot.subject import NothingToDrawError, Rows, Subject

MOST = 12
"""Effects that the picture of an answer holds."""

_SHOWN = ("kind", "label", "model", "estimate", "ci_lower", "ci_upper", "weight", "href", "digits")


def summary_forest(subject: Subject, *, most: int | None = None) -> Any:
    """Draw every treatment against the reference, or studies and what they pool to: names and numbers alone.

    Parameters
    ----------
    subject : Subject
    most : int, optional
        Draw no more than so many of them: the best treatments, the heaviest studies.
    """
    return _of_studies(subject, most) if subject.pairwise else _of_network(subject, most)


def _of_network(subject: Subject, most: int | None) -> Any:
    rows = against(subject.run, subject.model)
    if not rows:
        raise NothingToDrawError("No effect against the reference could be estimated.")
    effect = subject.effect
    reference = effect.label(subject.run.reference)
    shown = subject.addressed(rows[:most])
    said = [tr("Best first.")] if effect.lower_is_better is not None else []
    if left := len(rows) - len(shown):
        said.append(
            trn(
                "{n} more treatment stands under Effects.",
                "{n} more treatments stand under Effects.",
                left,
                n=count(left),
            )
        )
    return charts.summary_forest(
        as_frame([row | {"label": effect.label(row["treatment"])} for row in shown]),
        effect=effect,
        sides=(tr("treatment"), reference),
        title=tr("{outcome}: every treatment versus {name}", outcome=effect.outcome, name=reference),
        caption=" ".join(said),
    )


def _of_studies(subject: Subject, most: int | None) -> Any:
    effect, weight = subject.effect, f"weight_{subject.model}"
    given = study_rows(subject)
    heaviest = sorted(given, key=lambda row: (-(row[weight] or 0), row["contrast_id"]))
    kept = {row["contrast_id"] for row in heaviest[:most]}
    rows: Rows = []
    for row in given:
        if row["contrast_id"] in kept:
            lower, upper = normal_interval(row["estimate"], row["std_error"])
            rows.append(row | {"ci_lower": lower, "ci_upper": upper, "kind": "study", "weight": row[weight]})
    whole = whole_effect(subject)
    if whole is not None:
        said = tr("All {n} effects", n=count(len(given))) if len(given) > len(rows) else tr("Pooled")
        rows.append(subject.addressed([whole])[0] | {"label": said, "kind": "pooled"})
    if not rows:
        raise NothingToDrawError("No effect could be estimated.")
    names = effect.label(subject.run.treatment), effect.label(subject.run.versus)
    left_out = len(given) > len(kept)
    return charts.summary_forest(
        as_frame([{key: row.get(key) for key in _SHOWN} for row in rows]),
        effect=effect,
        sides=names,
        title=tr("{outcome}: {a} versus {b}", outcome=effect.outcome, a=names[0], b=names[1]),
        caption=tr("The {k} heaviest of {n}.", k=count(len(kept)), n=count(len(given))) if left_out else "",
    )


def summary_of_analyses(subjects: Sequence[Subject]) -> Any:
    """Draw the pooled effects of pairwise analyses that share measure, unit and direction."""
    pairs = {(one.run.treatment, one.run.versus) for one in subjects}
    outcomes = {one.run.outcome for one in subjects}
    rows: Rows = []
    for one in subjects[:MOST]:
        row = whole_effect(one)
        if row is not None:
            names = one.effect.label(one.run.treatment), one.effect.label(one.run.versus)
            compared = tr("{a} vs {b}", a=names[0], b=names[1])
            parts = [one.effect.outcome if len(outcomes) > 1 else "", compared if len(pairs) > 1 else ""]
            label = ": ".join(part for part in parts if part) or str(one.run.analysis)
            rows.append(one.addressed([row])[0] | {"label": label, "kind": "point"})
    if not rows:
        raise NothingToDrawError("No effect could be estimated.")
    effect = subjects[0].effect
    names = effect.label(subjects[0].run.treatment), effect.label(subjects[0].run.versus)
    if len(outcomes) > 1:
        effect = replace(effect, outcome="")
    return charts.summary_forest(
        as_frame(rows),
        effect=effect,
        sides=names if len(pairs) == 1 else (tr("first"), tr("second")),
        title=tr("{a} versus {b}", a=names[0], b=names[1]) if len(pairs) == 1 else tr("Pooled effects"),
    )


def summary_of_printed(rows: Rows, effect: Effect) -> Any:
    """Draw the effects of a printed league table against one treatment.

    Parameters
    ----------
    rows : list of dict
        Rows of ``published_contrast`` of one publication, outcome, measure and ``versus``.
    effect : Effect
        What is printed.
    """
    known = [row for row in rows if not missing(row["ci_lower"])]
    if not known:
        raise NothingToDrawError("No printed estimate against the reference has an interval.")
    known.sort(key=lambda row: row["estimate"], reverse=effect.lower_is_better is False)
    name = effect.label(known[0]["versus"])
    return charts.summary_forest(
        as_frame([row | {"label": effect.label(row["treatment"])} for row in known[:MOST]]),
        effect=effect,
        sides=(tr("treatment"), name),
        title=tr("{outcome}: printed estimates versus {name}", outcome=effect.outcome, name=name),
        caption=tr("As {publication} print them.", publication=known[0]["publication"]),
    )
