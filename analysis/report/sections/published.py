"""What a publication printed, drawn again and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis import charts
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, missing, records
from analysis.charts.tables import Column, Table
from analysis.report.blocks import Block, Figure, Section, Text, stem
from analysis.report.links import Links, chosen
from analysis.report.material import Material
from evidence import facts


def checked_claims(material: Material) -> list[dict[str, Any]]:
    """Rows of ``published_claim_check``: those that hold first."""
    order = {"holds": 0, "does not hold": 1}
    rows = material.db.kept_rows(
        "select checked.* from published_claim_check as checked inner join claim using (claim)"
        " order by claim.source_line"
    )
    return sorted(rows, key=lambda row: order.get(row["verdict"], 2))


def published_section(material: Material, links: Links) -> Section:
    """Redraw what a publication printed, and say whether it holds together."""
    section = Section("published", "What is published, checked")
    claims = checked_claims(material)
    said, asked = ([row for row in claims if row["kind"] == kind] for kind in ("claim", "check"))
    if said:
        section.blocks.append(_claims("claims", "Claims, each put as a query", ("Claim", "Claimed"), said))
    if asked:
        section.blocks.append(
            Text(
                (
                    "The authors did not say the following in these words: they are checks of our own, what "
                    "a reader would ask of what is printed.",
                )
            )
        )
        heads = "What a reader would ask", "Would be right"
        section.blocks.append(_claims("checks", "Checks of our own, each put as a query", heads, asked))
    printed = material.db.rows(
        "select cell.*, estimate.unit from published_contrast as cell"
        " inner join published_estimate as estimate using (published_estimate_id)"
        " where not cell.reversed order by published_estimate_id"
    )
    ranked = material.db.rows(
        "select ranking.* from published_ranking as ranking inner join outcome using (outcome)"
        " order by ranking.publication, outcome.source_line, ranking.measure, ranking.position"
    )
    tables_ = dict.fromkeys((row["publication"], row["outcome"], row["measure"]) for row in printed)
    for publication, outcome, measure in tables_:
        about = {"publication": publication, "outcome": outcome, "measure": measure}
        rows = chosen(printed, **about)
        if len(rows) < 3:
            continue
        order = [row["treatment"] for row in chosen(ranked, **about)]
        order += [t for row in rows for t in (row["treatment"], row["versus"]) if t not in order]
        effect = _printed_effect(material, outcome, measure, rows[0]["unit"])
        chart = charts.league(
            pd.DataFrame(rows),
            effect=effect,
            order=list(dict.fromkeys(order)),
            title=f"{effect.outcome}: printed estimates ({publication})",
        )
        section.blocks.append(Figure(stem("published", outcome, measure, "league"), chart))
    if len({row["outcome"] for row in ranked}) > 1:
        chart = charts.rank_heat_plot(
            pd.DataFrame(ranked),
            labels=material.treatments,
            outcomes=material.outcomes,
            title="Ranking that the printed league tables imply",
        )
        section.blocks.append(Figure("published-ranking", chart))
    units = {(row["publication"], row["outcome"], row["measure"]): row["unit"] for row in printed}
    section.blocks += _rebuilt(material, units)
    section.blocks += _published_checks(material)
    return section


def _claims(name: str, title: str, heads: tuple[str, str], rows: list[dict[str, Any]]) -> Table:
    """Tabulate claims or checks with their verdicts."""
    return Table(
        name,
        title,
        (
            Column("text", heads[0]),
            Column("found", "Found"),
            Column("expected", heads[1]),
            Column("locator", "Where"),
            Column("needs", "What a check would need"),
        ),
        tuple(row | {"group": str(row["verdict"]).capitalize()} for row in rows),
        data=tuple(rows),
    )


def _rebuilt(material: Material, units: Mapping[tuple[str, str, str], str | None]) -> Iterator[Block]:
    """Ranks that follow from the joint distribution behind each printed league table."""
    from analysis.published import try_rebuild

    found, refused = try_rebuild(material.db)
    unranked = []
    rows, data = [], []
    for printed in found:
        if printed.unranked:
            unranked.append(f"{printed.publication}, {printed.outcome}: {printed.unranked}")
            continue
        table = printed.publication, printed.outcome, printed.measure
        effect = _printed_effect(material, *table[1:], units[table])
        yield Figure(
            stem("published", printed.outcome, printed.measure, "rankogram"),
            charts.rankogram(
                printed.rank_probabilities(),
                printed.ranking(),
                labels=material.treatments,
                title=f"{effect.outcome}: ranks that the printed league table implies",
            ),
        )
        group = f"{effect.title}; precision of the hierarchy (POTH) {printed.poth:.2f}"
        if printed.rounding is not None:
            group += f"; rounding of the printed numbers moves a SUCRA by up to {printed.rounding:.2g}"
        for row in records(printed.overview()):
            data.append({"outcome": printed.outcome, "measure": printed.measure, **row})
            text = ""
            if not missing(row["estimate"]):
                half = (row["ci_upper"] - row["ci_lower"]) / 2
                limits = row["ci_lower"], row["ci_upper"]
                text = effect.estimate_text(row["estimate"], *limits, effect.digits([half]))
            rows.append(
                {
                    "group": group,
                    "treatment": effect.label(row["treatment"]),
                    "effect": text,
                    **{key: f"{row[key]:.2f}" for key in ("p_best", "sucra", "mean_rank")},
                }
            )
    if rows:
        yield Table(
            "published-rankings",
            "Rankings that the printed league tables imply",
            (
                Column("treatment", "Treatment"),
                Column("effect", "Effect against the reference [95% interval]", "right"),
                Column("p_best", "P(best)", "right"),
                Column("sucra", "SUCRA", "right"),
                Column("mean_rank", "Mean rank", "right"),
            ),
            tuple(rows),
            note="From the normal distribution that the printed estimates and intervals fix together.",
            data=tuple(data),
        )
    if said := [*unranked, *map(str, refused)]:
        yield Text(tuple(said), items=True, kind="warning")


def _printed_effect(material: Material, outcome: str, measure: str, unit: str | None) -> Effect:
    """Say what a printed table holds; its unit is the one that is printed, if any."""
    row = material.db.kept_rows(
        "select lower_is_better from outcome_direction where outcome = ? and measure = ?", [outcome, measure]
    )
    known = any(measure == found.code for found in facts.measures())
    return Effect(
        measure if known else "GEN",
        outcome=material.outcomes.get(outcome, outcome),
        unit=unit,
        lower_is_better=row[0]["lower_is_better"] if row else None,
        treatments=material.treatments,
    )


def _published_checks(material: Material) -> Iterator[Block]:
    """Count printed numbers that agree with each other, and list those that do not."""
    views = {
        "league_coherence": ("triples of printed network estimates", "coherent", "are coherent"),
        "published_interval_check": ("printed intervals", "agrees", "agree with their estimates and flags"),
        "published_count_check": ("printed variables", "adds up", "add up to their totals"),
    }
    lines = []
    wrong: list[dict[str, Any]] = []
    for view, (what, right, said) in views.items():
        rows = material.db.rows(f"from {view} order by all")
        bad = [row for row in rows if row["verdict"] != right]
        if rows:
            lines.append(f"{count(len(rows) - len(bad))} of {count(len(rows))} {what} {said}.")
        wrong += [
            {
                "check": what,
                "which": ", ".join(
                    str(row[key])
                    for key in (
                        "outcome",
                        "treatment_1",
                        "treatment_2",
                        "treatment_3",
                        "treatment",
                        "versus",
                        "variable",
                    )
                    if row.get(key) is not None
                ),
                "verdict": row["verdict"],
                "locator": row.get("locator"),
            }
            for row in bad
        ]
    if lines:
        yield Text((" ".join(lines),))
    if wrong:
        columns = (
            Column("check", "Check"),
            Column("which", "Which"),
            Column("verdict", "Verdict"),
            Column("locator", "Where"),
        )
        yield Table("published-checks", "Printed numbers that do not agree", columns, tuple(wrong))
