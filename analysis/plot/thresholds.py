"""What charts of thresholds draw: rows of ``result_threshold``, and regions of a live fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import charts
from analysis.charts.base.theme import missing
from analysis.firm import words
from analysis.firm.decision import Decision
from analysis.firm.threshold import nearest_first, points, region
from analysis.plot.subject import NothingToDrawError, Rows, Subject
from evidence.errors import CallError
from evidence.system.frames import records

if TYPE_CHECKING:
    import pandas as pd

MOST = {"study": 25, "comparison": 12}
"""Rows of each level that a chart of thresholds holds: the nearest."""


def threshold_forest(
    subject: Subject, *, decision: str | None = None, level: str | None = None, most: int | None = None
) -> Any:
    """Draw the intervals within which effects may lie before another decision would be taken.

    Parameters
    ----------
    subject : Subject
    decision : str, optional
        Of a live fit: see `analysis.firm.decision.Decision`.
    level : {"study", "comparison"}, optional
        Studies' effects, or what all studies say of a comparison; both without it.
    most : int, optional
        Rows drawn of each level, the nearest first; without it `MOST` of them.
    """
    rows = threshold_rows(subject, subject.network_fit.thresholds(decision) if decision else None)
    if level is not None:
        if level not in ("study", "comparison"):
            raise CallError(f"There are thresholds of study and of comparison, not of {level!r}.")
        rows = [row for row in rows if row["level"] == level]
    with_any = [row for row in rows if not missing(row["nearest"])]
    if not with_any:
        raise NothingToDrawError(
            "The run keeps no thresholds (in a plan: sensitivity = ['thresholds'])."
            if not rows
            else "No change of one effect alone would change the decision: there are no thresholds to draw."
        )
    effect, studies = subject.effect, subject.review.studies
    some = [
        row
        for name, count in MOST.items()
        for row in [one for one in with_any if one["level"] == name][: most or count]
    ]
    digits = words.digits_of(some, effect)
    drawn = [
        {
            "level": row["level"],
            "invariant_text": words.invariant(row, effect, digits),
            "label": words.what(row, effect, studies),
            "below": words.named(row["lower_decision"], effect),
            "above": words.named(row["upper_decision"], effect),
            "near_lower": words.within_interval(row, "lower"),
            "near_upper": words.within_interval(row, "upper"),
        }
        | {
            name: row[name]
            for name in ("estimate", "ci_lower", "ci_upper", "invariant_lower", "invariant_upper")
        }
        for row in some
    ]
    return charts.threshold_forest(
        _frame(drawn), effect=effect, decided=words.decided(rows[0], effect), further=len(rows) - len(some)
    )


def threshold_rows(subject: Subject, found: pd.DataFrame | None = None) -> Rows:
    """Rows of ``result_threshold`` under the main model: those given, else those of the run."""
    rows = records(subject.rows("thresholds") if found is None else found)
    return [row for row in rows if row["model"] == subject.model]


def threshold_region(
    subject: Subject, *, decision: str | None = None, first: int | None = None, second: int | None = None
) -> Any:
    """Draw how two effects may change together before another decision would be taken.

    Parameters
    ----------
    subject : Subject
        Of a live fit.
    decision : str, optional
        See `analysis.firm.decision.Decision`.
    first, second : int, optional
        Numbers of the effects in the table of thresholds, from 1 on. Without them two arms of the study of
        several arms that is nearest to a change, or of a network without such studies the two nearest
        effects.
    """
    fit, effect = subject.network_fit, subject.effect
    rule = Decision.read(decision or "best", fit.network)
    response = fit.response(subject.model)
    now = rule.taken(response.effect)
    found = nearest_first(points(fit, subject.model, response), rule, now, response.effect)
    listed = [point for point, *_ in found]
    if first is None or second is None:
        chosen = _pair(listed)
    else:
        chosen = (first, second)
        if not all(1 <= number <= len(listed) for number in chosen) or first == second:
            raise CallError(f"Two different numbers from 1 to {len(listed)} name effects of the table.")
    two = [listed[number - 1] for number in chosen]
    made = region(rule, response.effect, np.array([point.change for point in two]).T)
    names = fit.network.treatments
    corners = [
        {"x": x, "y": y, "beyond": "" if then is None else words.named(rule.worded(then, names), effect)}
        for x, y, then in zip(made.x.tolist(), made.y.tolist(), made.edge)
    ]
    rows = threshold_rows(subject, fit.thresholds(rule.text))
    axes = tuple(words.what(rows[number - 1], effect, subject.review.studies) for number in chosen)
    return charts.threshold_region(
        _frame(corners),
        effect=effect,
        axes=(axes[0], axes[1]),
        windows=(made.x_window, made.y_window),
        decided=words.decided(rows[0], effect),
    )


def _pair(listed: Any) -> tuple[int, int]:
    """Choose two effects: arms of the nearest study of several arms, else the two nearest."""
    arms: dict[int, list[int]] = {}
    for number, point in enumerate(listed, 1):
        if point.level == "study" and point.n_arms > 2:
            arms.setdefault(point.study, []).append(number)
            if len(arms[point.study]) == 2:
                return arms[point.study][0], arms[point.study][1]
    if len(listed) < 2:
        raise NothingToDrawError("There are no two effects to change at once.")
    return 1, 2


def _frame(rows: Rows) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
