"""What changed since an earlier state, where the evidence base keeps it (tables ``change_*``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, percent
from analysis.charts.tables import Column, Table
from analysis.language.catalog import tr
from analysis.plot.reading import MODELS, places
from analysis.report import words
from analysis.report.blocks import Section, Text
from analysis.report.links import Links, mark
from analysis.report.material import Material
from evidence import facts
from evidence.results import Run

_MOST = 100
"""Rows and cells of the evidence that the page shows; the database has all."""

_PLACE = ("source_file", "source_line")
_RANKED_BY = ("sucra", "p_score")


def changed_section(material: Material, links: Links) -> Section | None:
    """Say what changed since an earlier state: conclusions, numbers, rows and cells; None without one."""
    states = {row["side"]: row for row in material.db.rows("select * from change_state")}
    if not states:
        return None
    section = Section("changed", tr("What changed"))
    conclusions = material.db.rows("select * from change_conclusion order by change_id")
    results = material.db.rows("select * from change_result order by change_id")
    evidence = material.db.rows("select * from change_evidence order by change_id")
    if not (conclusions or results or evidence):
        section.blocks.append(Text((tr("Nothing changed since {name}.", name=states["old"]["name"]),)))
        return section
    said = tr(
        "Since {name}: conclusions that moved {conclusions}, numbers that moved {numbers}, changed rows and "
        "cells of the evidence {cells}.",
        name=states["old"]["name"],
        conclusions=count(len(conclusions)),
        numbers=count(len(results)),
        cells=count(len(evidence)),
    )
    section.blocks.append(Text((said,)))
    if conclusions:
        section.blocks.append(_conclusions(conclusions, links))
    if main := [row for row in results if row["main"]]:
        section.blocks.append(_numbers(material, main, links))
    if evidence:
        section.blocks.append(_evidence(evidence, links))
    return section


def _fact(links: Links, table: str, row: dict[str, Any], title: str, text: str) -> str:
    """Link a text to its row of a table of changes."""
    query = f"select * from {table} where change_id = {row['change_id']}"
    return mark(text, links.fact(title, text, query, [row]))


def _conclusions(rows: list[dict[str, Any]], links: Links) -> Table:
    written = tuple(
        {
            "about": _fact(links, "change_conclusion", row, tr("What changed"), str(row["about"])),
            "before": row["sentence_before"] or row["before"] or "—",
            "after": row["sentence_after"] or row["after"] or "—",
        }
        for row in rows
    )
    columns = Column("about", tr("Conclusion")), Column("before", tr("Before")), Column("after", tr("After"))
    return Table("changed-conclusions", tr("Conclusions that moved"), columns, written, data=tuple(rows))


def _numbers(material: Material, rows: list[dict[str, Any]], links: Links) -> Table:
    runs = {run.run_id: run for run in material.runs}
    written = []
    for row in rows:
        run = runs.get(row["run_after"])
        if run is None:
            continue
        effect, digits = material.effect(run), places(run)
        before = replace(effect, measure=row["measure_before"] or run.measure, unit=row["unit_before"])
        written.append(
            {
                "group": words.headline(run, effect),
                "what": _fact(links, "change_result", row, words.headline(run, effect), _what(row, effect)),
                "before": _written(row, "before", before, digits),
                "after": _linked(row, run, effect, digits, links),
            }
        )
    columns = Column("what", tr("Number")), Column("before", tr("Before")), Column("after", tr("After"))
    return Table("changed-numbers", tr("Numbers that moved"), columns, tuple(written), data=tuple(rows))


def _what(row: dict[str, Any], effect: Effect) -> str:
    model = tr(MODELS[row["model"]]) if row["model"] in MODELS else ""
    quantity = row["quantity"]
    if quantity == "n_studies":
        return tr("Studies")
    if quantity == "estimate":
        named = tr("{a} versus {b}", a=effect.label(row["treatment"]), b=effect.label(row["versus"]))
        return f"{named}, {model}"
    if quantity in _RANKED_BY:
        return f"{effect.label(row['treatment'])}, {facts.score(quantity)['label']}"
    return f"τ, {model}"


def _written(row: dict[str, Any], side: str, effect: Effect, digits: int) -> str:
    value, lower, upper = (row[name] for name in (side, f"{side}_lower", f"{side}_upper"))
    if value is None:
        return "—"
    if row["quantity"] == "estimate":
        return effect.estimate_text(value, lower, upper, digits)
    if row["quantity"] == "tau":
        return effect.spread_text(value, digits)
    return percent(value, 1) if row["quantity"] in _RANKED_BY else count(value)


def _linked(row: dict[str, Any], run: Run, effect: Effect, digits: int, links: Links) -> str:
    """Write the number that is now; an effect leads to its rows as everywhere."""
    text = _written(row, "after", effect, digits)
    if row["quantity"] != "estimate" or row["after"] is None:
        return text
    pair = {row["treatment"], row["versus"]}
    for kept in words.estimate_rows(run):
        same = kept["model"] == row["model"] and {kept["treatment"], kept["versus"]} == pair
        if same and kept["evidence"] == row["evidence"] and not isinstance(kept.get("level"), str):
            return mark(text, links.number(kept, effect))
    return text


def _evidence(rows: list[dict[str, Any]], links: Links) -> Table:
    written = tuple(
        {
            "place": ":".join(
                str(row[name]) for name in ("source_file", "source_line") if row[name] is not None
            ),
            "row": _fact(
                links, "change_evidence", row, tr("What changed"), str(row["row_key"] or row["table_name"])
            ),
            "column": row["column_name"] or "",
            "before": row["before"] or "—",
            "after": row["after"] or "—",
        }
        for row in rows[:_MOST]
    )
    columns = (
        Column("place", tr("File and line")),
        Column("row", tr("Row")),
        Column("column", tr("Column")),
        Column("before", tr("Before")),
        Column("after", tr("After")),
    )
    left = len(rows) - len(written)
    note = tr("{n} more stand in the table change_evidence of the database.", n=count(left)) if left else ""
    return Table("changed-evidence", tr("Evidence that changed"), columns, written, note, data=tuple(rows))
