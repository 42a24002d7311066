"""The section of a pairwise meta-analysis."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from analysis import charts
from analysis.charts import tables
from analysis.charts.base.theme import count, missing, number, p_value, plain, records
from analysis.language.catalog import tr
from analysis.report import words
from analysis.report.blocks import Figure, Section, Text, key_of
from analysis.report.links import Links
from analysis.report.material import Material
from analysis.report.sections.about_runs import in_order_of_year, notes_of
from analysis.report.sections.regression_table import regression_table
from analysis.report.sections.small_study import asymmetry
from evidence.results import Run


def pairwise_section(material: Material, run: Run, links: Links) -> Section:
    """Make the section of a pairwise meta-analysis: forest, heterogeneity, leave-one-out, funnel."""
    effect = material.effect(run)
    section = Section(
        f"analysis-{run.analysis}",
        f"{words.headline(run, effect)} ({effect.measure})",
        analysis=key_of(run),
    )
    section.blocks.append(Text((" ".join(words.details(material, run)),)))
    studies = _study_rows(material, run, links)
    linked = [row | {"href": links.number(row, effect)} for row in words.estimate_rows(run)]
    pooled = pd.DataFrame(_spelled_levels(material, run, linked))
    spread = pd.DataFrame(_spelled_levels(material, run, records(run.frames["heterogeneity"])))
    rob = material.judgements(run)
    section.blocks.append(
        Figure(
            f"{run.analysis}-forest",
            charts.forest(
                studies,
                pooled,
                spread,
                effect=effect,
                treatment=str(run.treatment),
                versus=str(run.versus),
                rob=pd.DataFrame([row for row in rob if row["tool"] == rob[0]["tool"]]) if rob else None,
                footers=_tests(run),
            ),
        )
    )
    section.blocks.append(
        tables.heterogeneity_and_inconsistency(
            spread, effect=effect, digits=words.places(run), name=f"{run.analysis}-heterogeneity"
        )
    )
    if (regression := regression_table(run, effect)) is not None:
        section.blocks.append(regression)
    model = words.main_model(run)
    main = next((row for row in linked if row["model"] == model and missing(row.get("level"))), None)
    left_out = run.frames["leave_one_out"]
    left_out = left_out[left_out["model"] == model]
    if len(left_out) > 1:
        left_out = left_out.assign(href=[links.study(study) for study in left_out["study"]])
        left_out = in_order_of_year(material, left_out)
        chart = charts.leave_one_out(
            left_out,
            effect=effect,
            treatment=str(run.treatment),
            versus=str(run.versus),
            pooled=main,
            labels=material.studies,
            digits=None if main is None else main["digits"],
        )
        section.blocks.append(Figure(f"{run.analysis}-leave-one-out", chart))
    if len(studies) > 2:
        section.blocks.append(
            Figure(
                f"{run.analysis}-funnel",
                charts.funnel(
                    studies,
                    effect=effect,
                    pooled=None if main is None else plain(main["estimate"]),
                    title=tr("{comparison}, funnel plot", comparison=words.headline(run, effect)),
                ),
            )
        )
        section.blocks += asymmetry(run, effect)
    section.blocks += notes_of(run, material.treatments)
    return section


_BEHIND = (
    "measurement_ids", "reported_contrast_id", "animals_a", "animals_b", "variables", "continuity",
    "timepoint", "timepoint_unit", "exposure_a", "exposure_b",
)  # fmt: skip
"""Columns of a run's contrasts that no figure draws."""


def _study_rows(material: Material, run: Run, links: Links) -> pd.DataFrame:
    """Studies of a pairwise run, arms in the run's direction, each linked to its panel."""
    found = []
    for row in records(material.contrasts(run).drop(columns=list(_BEHIND))):
        label = (
            row["label"] if row["experiment"] in (None, "main") else f"{row['label']} / {row['experiment']}"
        )
        level = row["level"]
        if run.subgroup is None:
            level = None
        elif level is None:
            level = tr("not reported")
        found.append(
            row | {"key": row["study"], "label": label, "level": level, "href": links.study(row["study"])}
        )
    repeated = Counter(row["label"] for row in found)
    for row in found:
        if repeated[row["label"]] > 1 and row["arm_a"] is not None:
            row["label"] += f" / {material.arm(row['study'], row['arm_a'])}"
    if run.subgroup is not None:
        levels = [plain(v) for v in run.frames["estimates"]["level"].dropna().drop_duplicates()]
        place = {str(level): i for i, level in enumerate(levels)}
        found.sort(key=lambda row: place.get(str(row["level"]), len(place)))
    return pd.DataFrame(_spelled_levels(material, run, found))


def _spelled_levels(material: Material, run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the levels of a subgroup by treatment as the treatments are printed."""
    if run.subgroup != "treatment":
        return rows
    names = material.treatments
    return [row | {"level": names.get(str(row["level"]), row["level"])} for row in rows]


def _tests(run: Run) -> list[str]:
    """Footers of a forest plot: test for overall effect, test for subgroup differences."""
    lines = []
    for row in words.estimate_rows(run):
        if missing(row.get("level")) and not missing(row.get("p_value")):
            lines.append(
                tr(
                    "Test for overall effect ({model}): p {p}",
                    model=tr(words.MODELS[row["model"]]),
                    p=p_value(row["p_value"]),
                )
            )
    model = words.main_model(run)
    test = {
        row["quantity"]: row["value"]
        for row in records(run.frames["sensitivity"])
        if row["method"] == "subgroups" and row["model"] == model and not missing(row["value"])
    }
    if test.keys() >= {"q", "df", "p_value"}:
        lines.append(
            tr(
                "Test for subgroup differences ({model}): Q = {q} (df {df}, p {p})",
                model=tr(words.MODELS[model]),
                q=number(test["q"], 1),
                df=count(test["df"]),
                p=p_value(test["p_value"]),
            )
        )
    return lines
