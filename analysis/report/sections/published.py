"""What a publication printed, drawn again and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis import charts, plot
from analysis.charts.base.effect import Effect
from analysis.charts.base.theme import count, figures, missing, number, records
from analysis.charts.tables import Column, Table
from analysis.language.catalog import marked, tr
from analysis.plot.ranking import PUBLISHED
from analysis.report.blocks import Block, Figure, Section, Text, drawn, stem
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
    section = Section("published", tr("What is published, checked"))
    claims = checked_claims(material)
    said, asked = ([row for row in claims if row["kind"] == kind] for kind in ("claim", "check"))
    if said:
        section.blocks.append(
            _claims(material, "claims", tr("Claims, each put as a query"), (tr("Claim"), tr("Claimed")), said)
        )
    if asked:
        section.blocks.append(
            Text(
                (
                    tr(
                        "The authors did not say the following in these words: they are checks of our own, "
                        "what a reader would ask of what is printed."
                    ),
                )
            )
        )
        heads = tr("What a reader would ask"), tr("Would be right")
        title = tr("Checks of our own, each put as a query")
        section.blocks.append(_claims(material, "checks", title, heads, asked))
    printed = material.db.rows(
        "select cell.*, estimate.unit from published_contrast as cell"
        " inner join published_estimate as estimate using (published_estimate_id)"
        " where not cell.reversed order by published_estimate_id"
    )
    ranked = material.db.kept_rows(PUBLISHED)
    tables_ = dict.fromkeys((row["publication"], row["outcome"], row["measure"]) for row in printed)
    for publication, outcome, measure in tables_:
        about = {"publication": publication, "outcome": outcome, "measure": measure}
        rows = chosen(printed, **about)
        if len(rows) < 3:
            continue
        order = [row["treatment"] for row in chosen(ranked, **about)]
        order += [t for row in rows for t in (row["treatment"], row["versus"]) if t not in order]
        effect = printed_effect(material, outcome, measure, rows[0]["unit"])
        chart = charts.league(
            pd.DataFrame(rows),
            effect=effect,
            order=list(dict.fromkeys(order)),
            title=tr(
                "{outcome}: printed estimates ({publication})",
                outcome=effect.outcome,
                publication=publication,
            ),
        )
        section.blocks.append(Figure(stem("published", outcome, measure, "league"), chart))
    section.blocks += drawn("published-ranking", lambda: plot.published_ranking(material.whole))
    units = {(row["publication"], row["outcome"], row["measure"]): row["unit"] for row in printed}
    section.blocks += _rebuilt(material, units)
    section.blocks += _published_checks(material)
    return section


def _claims(
    material: Material, name: str, title: str, heads: tuple[str, str], rows: list[dict[str, Any]]
) -> Table:
    """Tabulate claims or checks with their verdicts."""
    return Table(
        name,
        title,
        (
            Column("text", heads[0]),
            Column("found", tr("Found")),
            Column("expected", heads[1]),
            Column("locator", tr("Where")),
            Column("needs", tr("What a check would need")),
        ),
        tuple(
            row
            | {
                "group": tr(str(row["verdict"]).capitalize()),
                "found": material.called(row["found"]),
                "expected": material.called(row["expected"]),
            }
            for row in rows
        ),
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
        effect = printed_effect(material, *table[1:], units[table])
        yield Figure(
            stem("published", printed.outcome, printed.measure, "rankogram"),
            charts.rankogram(
                printed.rank_probabilities(),
                printed.ranking(),
                labels=material.treatments,
                title=tr("{outcome}: ranks that the printed league table implies", outcome=effect.outcome),
            ),
        )
        about = {"title": effect.title, "poth": number(printed.poth)}
        group = tr("{title}; precision of the hierarchy (POTH) {poth}", **about)
        if printed.rounding is not None:
            group = tr(
                "{title}; precision of the hierarchy (POTH) {poth}; rounding of the printed numbers moves "
                "a SUCRA "
                "by up to {moved}",
                moved=figures(float(f"{printed.rounding:.2g}")),
                **about,
            )
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
                    **{key: number(row[key]) for key in ("p_best", "sucra", "mean_rank")},
                }
            )
    if rows:
        yield Table(
            "published-rankings",
            tr("Rankings that the printed league tables imply"),
            (
                Column("treatment", tr("Treatment")),
                Column("effect", tr("Effect against the reference [95% interval]"), "right"),
                Column("p_best", tr("P(best)"), "right"),
                Column("sucra", "SUCRA", "right"),
                Column("mean_rank", tr("Mean rank"), "right"),
            ),
            tuple(rows),
            note=tr("From the normal distribution that the printed estimates and intervals fix together."),
            data=tuple(data),
        )
    if said := [*unranked, *map(str, refused)]:
        yield Text(tuple(said), items=True, kind="warning")


def printed_effect(material: Material, outcome: str, measure: str, unit: str | None) -> Effect:
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


_CHECKS = {
    "league_coherence": (
        marked("triples of printed network estimates"),
        "coherent",
        marked("{right} of {n} triples of printed network estimates are coherent."),
    ),
    "published_interval_check": (
        marked("printed intervals"),
        "agrees",
        marked("{right} of {n} printed intervals agree with their estimates and flags."),
    ),
    "published_count_check": (
        marked("printed variables"),
        "adds up",
        marked("{right} of {n} printed variables add up to their totals."),
    ),
}
"""View of each check: what is checked, the verdict that is right, and how it is said."""
VERDICTS = (marked("Holds"), marked("Does not hold"), marked("Cannot be checked"))


def _published_checks(material: Material) -> Iterator[Block]:
    """Count printed numbers that agree with each other, and list those that do not."""
    lines = []
    wrong: list[dict[str, Any]] = []
    for view, (what, right, said) in _CHECKS.items():
        rows = material.db.rows(f"from {view} order by all")
        bad = [row for row in rows if row["verdict"] != right]
        if rows:
            lines.append(tr(said, right=count(len(rows) - len(bad)), n=count(len(rows))))
        wrong += [
            {
                "check": tr(what),
                "which": ", ".join(
                    material.called(row[key])
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
            Column("check", tr("Check")),
            Column("which", tr("Which")),
            Column("verdict", tr("Verdict")),
            Column("locator", tr("Where")),
        )
        yield Table("published-checks", tr("Printed numbers that do not agree"), columns, tuple(wrong))
