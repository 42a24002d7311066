"""How firm the answers are: what every defensible analysis says of the planned conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis import plot
from analysis.charts.base.theme import count, percent
from analysis.language.catalog import marked, tr
from analysis.report import words
from analysis.report.blocks import Section, Text, drawn
from analysis.report.links import Links, mark
from analysis.report.material import Material
from evidence.results import Run

_PLANNED = {
    "above": marked("The planned interval lies above no effect"),
    "below": marked("The planned interval lies below no effect"),
    "not clear": marked("The planned interval includes no effect"),
}
_MARGIN = 0.005
"""Shares of a variance below this are not worth a sentence."""


def firm_section(material: Material, links: Links) -> Section:
    """Make the section of the analyses that were carried out in every defensible way."""
    section = Section("firm", tr("How firm is this?"))
    for run in material.runs:
        if rows := material.multiverse(run):
            section.parts.append(_part(material, run, rows, links))
    return section


def _part(material: Material, run: Run, rows: list[dict[str, Any]], links: Links) -> Section:
    subject = material.subject(run, links)
    part = Section(f"firm-{run.analysis}", words.headline(run, subject.effect))
    cells = run.frames["multiverse"]
    refused = cells.loc[cells["refused"].notna(), "cell"].nunique()
    n = max(row["n_cells"] for row in rows)
    said = [
        tr(
            "The question was analysed in every way that the choices below allow: {n} analyses. They are "
            "choices, not data: a share of them is no probability.",
            n=count(n),
        )
    ]
    if refused:
        said.append(tr("{n} more could not be carried out.", n=count(refused)))
    found = [_sentence(material, run, row, links) for row in rows]
    if rows[0]["best"] is not None:
        found.append(_first(run, subject.labels, rows[0], links))
    part.blocks += [Text((" ".join(said),)), Text(tuple(found), items=True)]
    part.blocks += drawn(f"{run.analysis}-specification-curve", lambda: plot.specification_curve(subject))
    return part


def _sentence(material: Material, run: Run, row: Mapping[str, Any], links: Links) -> str:
    """Say of one comparison how many analyses keep what the planned one says, and what it depends on."""
    labels = material.treatments
    about = tr("{a} versus {b}", a=labels.get(row["treatment"], row["treatment"]),
               b=labels.get(row["versus"], row["versus"]))  # fmt: skip
    if row["planned"] not in _PLANNED:
        return tr("{about}: the planned interval carries no conclusion.", about=about)
    text = tr(
        "{planned}; so does that of {kept} of {n} analyses ({share})",
        planned=tr(_PLANNED[row["planned"]]), kept=count(row["n_kept"]), n=count(row["n_cells"]),
        share=percent(row["n_kept"] / row["n_cells"], 0),
    )  # fmt: skip
    if row["planned"] != "not clear" and row["n_kept"] < row["n_cells"]:
        text += "; " + tr("{n} say the opposite", n=count(row["n_opposite"]))
    moved = [
        one
        for one in material.multiverse_choices(run)
        if (one["treatment"], one["versus"]) == (row["treatment"], row["versus"])
        and one["kept_share"] is not None
        and one["kept_share"] >= _MARGIN
    ]
    if moved:
        most = max(moved, key=lambda one: float(one["kept_share"]))
        text += ". " + tr(
            "Whether that is kept depends most on: {choice} ({share} of the variance between analyses)",
            choice=most["choice"], share=percent(most["kept_share"], 0),
        )  # fmt: skip
    query = (
        f"select * from run_multiverse where run_id = '{run.run_id}' and treatment = "
        f"{_quoted(row['treatment'])} and versus = {_quoted(row['versus'])}"
    )
    return tr("{about}: {said}.", about=mark(about, links.fact(about, text, query, [row])), said=text)


def _first(run: Run, labels: Mapping[str, str], row: Mapping[str, Any], links: Links) -> str:
    name = labels.get(row["best"], row["best"])
    text = tr(
        "{a} ranks first in {kept} of {n} analyses ({share}).",
        a=name, kept=count(row["n_best"]), n=count(row["n_cells"]),
        share=percent(row["n_best"] / row["n_cells"], 0),
    )  # fmt: skip
    query = f"select distinct best, n_best, n_cells from run_multiverse where run_id = '{run.run_id}'"
    shown = {key: row[key] for key in ("best", "n_best", "n_cells")}
    return mark(text, links.fact(tr("Treatment ranked first"), text, query, [shown]))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
