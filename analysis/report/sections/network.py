"""The section of a network meta-analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd

from analysis import plot
from analysis.charts import tables
from analysis.charts.base.effect import Effect, normal_interval
from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import count, figures, missing, number, printed, records
from analysis.charts.tables import Column, Table
from analysis.firm.words import conclusions
from analysis.language.catalog import tr
from analysis.plot import Subject
from analysis.report import words
from analysis.report.blocks import Block, Section, Text, drawn, key_of
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.about_runs import notes_of, opening_of
from analysis.report.sections.regression_table import network_regression_table
from analysis.report.sections.small_study import asymmetry
from evidence.results import Run


def network_section(material: Material, run: Run, links: Links) -> Section:
    """Make the section of a network: geometry, effects, ranking, inconsistency, sensitivity, notes."""
    subject = material.subject(run, links)
    effect = subject.effect
    section = Section(
        f"analysis-{run.analysis}",
        tr("{outcome}: network of treatments ({measure})", outcome=effect.outcome, measure=effect.measure),
        analysis=key_of(run),
    )
    section.blocks += opening_of(material, run, links)
    section.parts += [
        part
        for part in (
            Section(
                f"{run.analysis}-geometry",
                tr("Network"),
                drawn(f"{run.analysis}-network", lambda: plot.network_diagram(subject)),
            ),
            _effects(subject),
            _ranking(subject),
            _thresholds(subject),
            _inconsistency(subject),
            _sensitivity(subject),
        )
        if part.blocks
    ]
    section.parts.append(Section(f"{run.analysis}-notes", tr("Notes"), notes_of(run, material.treatments)))
    section.parts = [part for part in section.parts if part.blocks]
    return section


def _effects(subject: Subject) -> Section:
    run, effect = subject.run, subject.effect
    section = Section(f"{run.analysis}-effects", tr("Effects"))
    section.blocks += drawn(f"{run.analysis}-forest", lambda: plot.network_forest(subject))
    section.blocks += drawn(f"{run.analysis}-league", lambda: plot.league(subject))
    section.blocks.append(
        tables.heterogeneity_and_inconsistency(
            run.frames["heterogeneity"],
            _tests_of_network(run),
            effect=effect,
            digits=words.places(run),
            name=f"{run.analysis}-heterogeneity",
        )
    )
    if (regression := network_regression_table(run, effect)) is not None:
        section.blocks.append(regression)
    fit = run.frames["fit"]
    if len(fit) and fit["study"].isna().any():
        section.blocks.append(
            tables.model_fit(
                fit[fit["study"].isna()],
                effect=effect,
                digits=words.places(run),
                write=lambda note: words.plain_words(note, subject.labels),
                name=f"{run.analysis}-fit",
            )
        )
    return section


def _ranking(subject: Subject) -> Section:
    run = subject.run
    section = Section(f"{run.analysis}-ranking", tr("Ranking"))
    section.blocks += drawn(f"{run.analysis}-rankogram", lambda: plot.rankogram(subject))
    section.blocks += drawn(f"{run.analysis}-cumulative-ranking", lambda: plot.cumulative_ranking(subject))
    if not section.blocks and run.lower_is_better is None:
        section.blocks.append(
            Text(
                (
                    tr(
                        "The outcome does not say whether lower or higher is better, so treatments are not "
                        "ranked."
                    ),
                )
            )
        )
    return section


def _inconsistency(subject: Subject) -> Section:
    run = subject.run
    section = Section(f"{run.analysis}-inconsistency", tr("Inconsistency"))
    section.blocks += drawn(f"{run.analysis}-node-split", lambda: plot.node_split(subject))
    section.blocks += _unrelated(run, subject.effect, subject.model)
    funnel = drawn(f"{run.analysis}-funnel", lambda: plot.comparison_adjusted_funnel(subject))
    if funnel:
        section.blocks += [*funnel, Text((_about_order(subject),)), *asymmetry(run, subject.effect)]
    return section


def _about_order(subject: Subject) -> str:
    """Say what gives the comparisons of the funnel plot their direction."""
    planned = plot.planned_order(subject)
    rest = {row["treatment"] for row in records(subject.run.frames["ranking"])} - set(planned)
    if not planned:
        return tr(
            "Each comparison is drawn as an earlier treatment minus a later one, as treatments.csv lists "
            "them, active "
            "treatments before controls: a funnel plot of a network needs an order that was not found in "
            "the results "
            "it examines (Chaimani and Salanti 2012)."
        )
    if rest:
        return tr(
            "Each comparison is drawn as an earlier treatment minus a later one, in the order of the plan "
            "(funnel_order); those it does not name as treatments.csv lists them, active treatments "
            "before controls: "
            "a funnel plot of a network needs an order that was not found in the results it examines "
            "(Chaimani and "
            "Salanti 2012)."
        )
    return tr(
        "Each comparison is drawn as an earlier treatment minus a later one, in the order of the plan "
        "(funnel_order): "
        "a funnel plot of a network needs an order that was not found in the results it examines "
        "(Chaimani and "
        "Salanti 2012)."
    )


def _unrelated(run: Run, effect: Effect, model: str) -> Iterator[Block]:
    """Tabulate the model without consistency: its fit beside that of the network, and its effects."""
    frame = run.frames["inconsistency"]
    some = frame[(frame["method"] == words.UNRELATED) & (frame["model"] == model)] if len(frame) else frame
    if not len(some):
        return
    whole = {
        frozenset((row["treatment"], row["versus"])): row
        for row in words.estimate_rows(run)
        if row["model"] == model and row["evidence"] == "network"
    }
    rows, notes = [], []
    for row in records(some):
        if missing(row["treatment"]):
            notes.append(words.plain_words(str(row["note"]), effect.treatments or {}))
            continue
        other = whole.get(frozenset((row["treatment"], row["versus"])))
        if other is not None and other["treatment"] != row["treatment"]:
            other = turned(other)
        digits = 2 if other is None else other["digits"]
        lower, upper = normal_interval(row["direct"], row["direct_std_error"])
        rows.append(
            {
                "comparison": tr(
                    "{a} versus {b}", a=effect.label(row["treatment"]), b=effect.label(row["versus"])
                ),
                "free": row["note"]
                if lower is None
                else effect.estimate_text(row["direct"], lower, upper, digits),
                "network": ""
                if other is None
                else effect.estimate_text(other["estimate"], other["ci_lower"], other["ci_upper"], digits),
            }
        )
    yield Table(
        f"{run.analysis}-unrelated",
        tr("With and without consistency"),
        (
            Column("comparison", tr("Comparison")),
            Column("free", tr("Unrelated mean effects [95% interval]"), "right"),
            Column("network", tr("Network [95% interval]"), "right"),
        ),
        tuple(rows),
        note=" ".join(f"{note}." for note in notes),
        data=tuple(records(some)),
    )


def _thresholds(subject: Subject) -> Section:
    """Say what would change the decision, where the plan asks for it."""
    run = subject.run
    section = Section(f"{run.analysis}-thresholds", tr("What would change the decision"))
    if rows := plot.threshold_rows(subject):
        said = conclusions(rows, subject.effect, subject.review.studies)
        section.blocks.append(Text(tuple(said)))
        section.blocks += drawn(f"{run.analysis}-thresholds", lambda: plot.threshold_forest(subject))
    return section


def _sensitivity(subject: Subject) -> Section:
    run = subject.run
    section = Section(f"{run.analysis}-sensitivity", tr("Sensitivity and influence"))
    left_out = drawn(f"{run.analysis}-leave-one-out", lambda: plot.leave_one_out(subject))
    if left_out:
        said = tr("Drawn for the treatment that is best by its effect; results/leave_one_out.csv has all.")
        section.blocks += [*left_out, Text((said,))]
    for name, draw in (
        ("contributions", plot.contributions),
        ("leverage", plot.leverage),
        ("psrf", plot.psrf),
    ):
        section.blocks += drawn(f"{run.analysis}-{name}", partial(draw, subject))
    if len(run.frames["diagnostics"]):
        section.blocks.append(_diagnostics(run, subject.labels))
    return section


def _diagnostics(run: Run, names: Mapping[str, str]) -> Table:
    given = records(run.frames["diagnostics"])
    # Without chains nothing has to converge: what is said is how exactly the integrals were computed.
    sampled = any(not missing(row["rhat"]) for row in given)
    rows = tuple(
        {
            "model": tr(words.MODELS.get(row["model"], str(row["model"]))),
            "parameter": printed(plot.spelled(row["parameter"], names)),
            "rhat": number(row["rhat"], 3),
            "ess_bulk": count(_whole(row["ess_bulk"])),
            "ess_tail": count(_whole(row["ess_tail"])),
            "mcse": "" if sampled or missing(row["mcse"]) else figures(row["mcse"]),
            "divergences": count(row["divergences"]),
            "note": printed(row["note"] or ""),
        }
        for row in given
    )
    return Table(
        f"{run.analysis}-diagnostics",
        tr("Convergence") if sampled else tr("Accuracy of the computation"),
        (
            Column("model", tr("Model")),
            Column("parameter", tr("Parameter")),
            Column("rhat", "R-hat", "right"),
            Column("ess_bulk", tr("ESS, bulk"), "right"),
            Column("ess_tail", tr("ESS, tail"), "right"),
            Column("divergences", tr("Divergences"), "right"),
            Column("mcse", tr("Error"), "right"),
            Column("note", tr("Note")),
        ),
        rows,
        data=tuple(given),
    )


def _tests_of_network(run: Run) -> pd.DataFrame:
    frame = run.frames["inconsistency"]
    wanted = ("decomposition", "design-by-treatment")
    return frame[frame["method"].isin(wanted)] if len(frame) else frame


def _whole(value: Any) -> Any:
    return None if missing(value) else round(value)
