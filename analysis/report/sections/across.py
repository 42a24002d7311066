"""Tables across analyses: one league of several outcomes, and figures by the review's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from analysis.charts.base.intervals import turned
from analysis.charts.base.theme import missing
from analysis.charts.tables import Column, Table
from analysis.language.catalog import marked, tr
from analysis.report import words
from analysis.report.links import Links, mark
from analysis.report.material import Material
from evidence.names import slug

NOT_MADE = marked("not made: the notes of its analysis may say why")
"""Where a numbered figure stands that the report does not have."""


def league_across(material: Material, links: Links) -> Table | None:
    """Write the network estimates of every pair of treatments, one column an outcome.

    Parameters
    ----------
    material : Material
    links : Links
        Hands out the anchors of numbers.

    Returns
    -------
    Table or None
        None where there are not several networks.
    """
    runs = [run for run in material.runs if run.kind == "network" and len(run.frames["estimates"])]
    if len(runs) < 2:
        return None
    known: set[str] = set()
    cells: dict[tuple[str, str, int], dict[str, Any]] = {}
    for place, run in enumerate(runs):
        model = words.main_model(run)
        for row in words.estimate_rows(run):
            if row["model"] != model or row["evidence"] != "network" or missing(row["ci_lower"]):
                continue
            known |= {row["treatment"], row["versus"]}
            for one in (row | {"kept": row}, turned(row) | {"kept": row}):
                cells.setdefault((one["treatment"], one["versus"], place), one)
    effects = [material.effect(run) for run in runs]
    label = effects[0].label
    rows, data = [], []
    # Active treatments minus controls, as everywhere.
    order = sorted(material.treatments, key=lambda treatment: material.roles.get(treatment) != "active")
    for a, b in combinations([name for name in order if name in known], 2):
        written = {"pair": tr("{a} versus {b}", a=label(a), b=label(b))}
        for place, (run, effect) in enumerate(zip(runs, effects, strict=True)):
            if (a, b, place) not in cells:
                continue
            row = cells[a, b, place]
            excludes = row["ci_lower"] > 0 or row["ci_upper"] < 0
            written[f"r{place}"] = words.linked(row, effect, links) + ("*" if excludes else "")
            data.append(
                {
                    "analysis": run.analysis,
                    "outcome": run.outcome,
                    "measure": run.measure,
                    "treatment": a,
                    "versus": b,
                    **{key: effect.shown(row[key]) for key in ("estimate", "ci_lower", "ci_upper")},
                    "excludes_no_effect": excludes,
                }
            )
        rows.append(written)
    return Table(
        "league-across-outcomes",
        tr("Every pair of treatments on every outcome"),
        (
            Column("pair", tr("Comparison")),
            *(Column(f"r{place}", effect.title, "right") for place, effect in enumerate(effects)),
        ),
        tuple(rows),
        note=tr(
            "Network estimates with 95% intervals, the treatment named first minus the other (or over it, "
            "for "
            "ratios). * The interval excludes no effect."
        ),
        data=tuple(data),
    )


def by_number(material: Material, where: Mapping[str, tuple[str, str, str]]) -> Table | None:
    """List the plan's numbered figures and tables, and where each stands.

    Parameters
    ----------
    material : Material
    where : mapping of str to (anchor, heading, file)
        Place of every figure and table of the report, by name.

    Returns
    -------
    Table or None
        None where the plan numbers none.
    """
    rows = [
        {
            "figure": row["figure"],
            "title": row["title"],
            "place": mark(where[slug(row["shows"])][1], f"#{where[slug(row['shows'])][0]}")
            if slug(row["shows"]) in where
            else tr(NOT_MADE),
            "file": where[slug(row["shows"])][2] if slug(row["shows"]) in where else "",
        }
        for row in material.numbered
    ]
    if not rows:
        return None
    return Table(
        "figures",
        tr("Figures and tables by the review's own numbers"),
        (
            Column("figure", tr("Number")),
            Column("title", tr("What it shows")),
            Column("place", tr("Where it stands")),
            Column("file", tr("File")),
        ),
        tuple(rows),
    )
