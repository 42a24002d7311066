"""What the charts of rankings draw: of one network, and across outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis import charts
from analysis.charts.base.theme import missing, records
from analysis.language.catalog import marked, tr
from analysis.plot.subject import NothingToDrawError, Subject
from analysis.plot.whole import Whole
from evidence import facts

PUBLISHED = (
    "select ranking.* from published_ranking as ranking inner join outcome using (outcome)"
    " order by ranking.publication, outcome.source_line, ranking.measure, ranking.position"
)
"""Asks for the rankings that printed league tables imply."""


def rankogram(subject: Subject) -> Any:
    """Draw the probability of every rank."""
    return _of_ranks(subject, charts.rankogram, marked("{outcome}: rank probabilities"))


def cumulative_ranking(subject: Subject) -> Any:
    """Draw cumulative ranking curves."""
    return _of_ranks(subject, charts.cumulative_ranking, marked("{outcome}: cumulative ranking"))


def _of_ranks(subject: Subject, draw: Any, title: str) -> Any:
    probabilities = subject.rows("rank_probabilities")
    if not len(probabilities):
        raise NothingToDrawError(
            "Treatments are not ranked: the outcome does not say whether lower or higher is better "
            "(lower_is_better in outcomes.csv)."
            if subject.run.lower_is_better is None
            else "Treatments are not ranked: the notes of the analysis say why."
        )
    effect = subject.effect
    return draw(
        probabilities,
        subject.rows("ranking"),
        labels=effect.treatments,
        title=tr(title, outcome=effect.outcome),
    )


def rank_heat_plot(whole: Whole) -> Any:
    """Draw the rankings of the plan's networks, one column an outcome; else those that are printed."""
    from analysis import plan
    from evidence import results

    db = whole.db
    rows = db.rows("select * from plan where kind = 'network' order by position")
    if len({row["outcome"] for row in rows}) < 2:
        return published_ranking(whole)
    kept = {run["analysis"] for run in results.listing(db)}
    subjects = []
    for row in rows:
        if row["analysis"] in kept:
            subjects.append(Subject(results.read(db, row["analysis"]), whole.review))
        else:
            subjects.append(Subject.of(plan.fitted(db, "network", plan.planned_options(row))[0]))
    return ranks_across(subjects)


def ranks_across(subjects: Sequence[Subject]) -> Any:
    """Draw the rankings of several networks, one column an outcome."""
    rows = [
        row | {"outcome": subject.run.outcome}
        for subject in subjects
        if not subject.pairwise
        for row in records(subject.rows("ranking"))
    ]
    if len({row["outcome"] for row in rows}) < 2:
        raise NothingToDrawError("A rank heat plot takes networks of two outcomes or more in the plan.")
    # Where engines differ, SUCRA: the P-score of a posterior is its SUCRA.
    scores = {facts.engine(row["engine"]).score for row in rows}
    score = scores.pop() if len(scores) == 1 else "sucra"
    if any(missing(row[score]) for row in rows):
        raise NothingToDrawError("Some treatments are not ranked: there is no common score to draw.")
    import pandas as pd

    review = subjects[0].review
    return charts.rank_heat_plot(
        pd.DataFrame(rows), labels=review.treatments, outcomes=review.outcomes, score=score
    )


def published_ranking(whole: Whole) -> Any:
    """Draw the ranking that printed league tables imply."""
    rows = whole.db.kept_rows(PUBLISHED)
    if len({row["outcome"] for row in rows}) < 2:
        raise NothingToDrawError("A rank heat plot takes networks of two outcomes or more in the plan.")
    import pandas as pd

    return charts.rank_heat_plot(
        pd.DataFrame(rows),
        labels=whole.review.treatments,
        outcomes=whole.review.outcomes,
        title=tr("Ranking that the printed league tables imply"),
    )
