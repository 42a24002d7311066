"""How far two people agree who screened, judged or read the same: only where there were two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analysis.charts.base.theme import count, missing, number, percent
from analysis.charts.tables import Column, Table
from analysis.language.catalog import interval, marked, tr, trn
from analysis.report.blocks import Block, Text
from analysis.report.material import Material
from evidence import facts

_STAGES = {"title_abstract": marked("Titles and abstracts"), "full_text": marked("Full texts")}


def screening(material: Material) -> Iterator[Block]:
    """Tabulate the agreement of every two screeners, by stage (``screening_agreement``)."""
    rows = material.db.rows("select * from screening_agreement order by stage desc, reviewer_a, reviewer_b")
    if not rows:
        return
    yield Text(
        tuple(
            trn(
                "{stage}: {a} and {b} agreed on {same} of {n} record ({share}; {measures}).",
                "{stage}: {a} and {b} agreed on {same} of {n} records ({share}; {measures}).",
                row["n"],
                stage=_stage(row),
                a=row["reviewer_a"],
                b=row["reviewer_b"],
                same=count(row["n_agree"]),
                n=count(row["n"]),
                share=percent(row["agreement"], 0),
                measures=_measures(row),
            )
            for row in rows
        )
    )
    yield _table(
        "screening-agreement",
        tr("Agreement of the reviewers in screening"),
        [{"what": _stage(row), "who": _two(row, "reviewer"), **_cells(row)} for row in rows],
        tr("Stage"),
        rows,
    )


def risk_of_bias(material: Material) -> Iterator[Block]:
    """Tabulate the agreement of every two assessors, by item (``rating_agreement``)."""
    rows = material.db.rows(
        "select agreed.*, rob_item.label from rating_agreement as agreed "
        "inner join rob_item on agreed.scale = rob_item.tool and agreed.item = rob_item.item "
        "where agreed.rating = 'risk of bias' "
        "order by agreed.scale, rob_item.position, agreed.rater_a, agreed.rater_b"
    )
    if not rows:
        return
    pairs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        pairs.setdefault((row["scale"], row["rater_a"], row["rater_b"]), []).append(row)
    yield Text(tuple(_said(*pair, some) for pair, some in pairs.items()))
    yield _table(
        "risk-of-bias-agreement",
        tr("Agreement of the assessors of risk of bias"),
        [
            {"group": row["scale"], "what": row["label"], "who": _two(row, "rater"), **_cells(row)}
            for row in rows
        ],
        tr("Item"),
        rows,
        note=tr(
            "Weighted κ counts answers by their distance in the order of the tool (linear weights). κ is "
            "empty "
            "where both gave one and the same answer throughout: there is no agreement beyond chance to "
            "measure."
        ),
    )


def _said(tool: str, a: str, b: str, rows: list[dict[str, Any]]) -> str:
    """Sum up the items of one tool for one pair of assessors."""
    n, same = (sum(row[key] for row in rows) for key in ("n", "n_agree"))
    known = [row for row in rows if not missing(row["kappa"])]
    values = {"tool": tool, "a": a, "b": b, "same": count(same), "n": count(n), "share": percent(same / n, 0)}
    if not known:
        return trn(
            "{tool}: {a} and {b} agreed in {same} of {n} judgement ({share}).",
            "{tool}: {a} and {b} agreed in {same} of {n} judgements ({share}).",
            n,
            **values,
        )
    least, most = (pick(known, key=lambda row: row["kappa"]) for pick in (min, max))
    return trn(
        "{tool}: {a} and {b} agreed in {same} of {n} judgement ({share}); κ by item from {least} "
        "({lowest}) to "
        "{most} ({highest}).",
        "{tool}: {a} and {b} agreed in {same} of {n} judgements ({share}); κ by item from {least} "
        "({lowest}) to "
        "{most} ({highest}).",
        n,
        least=number(least["kappa"]),
        lowest=least["label"],
        most=number(most["kappa"]),
        highest=most["label"],
        **values,
    )


def extraction(material: Material) -> Iterator[Block]:
    """Tabulate the agreement of every two extractors, by outcome and statistic (``extraction_agreement``)."""
    rows = [
        row
        for row in material.db.rows(
            "select agreed.* from extraction_agreement as agreed inner join outcome using (outcome) "
            "order by outcome.source_line, agreed.extractor_a, agreed.extractor_b, agreed.statistic"
        )
        if row["n"]
    ]
    if not rows:
        return
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        pairs.setdefault((row["extractor_a"], row["extractor_b"]), []).append(row)
    lines = []
    for (a, b), some in pairs.items():
        n, same = (sum(row[key] for row in some) for key in ("n", "n_equal"))
        lines.append(
            trn(
                "{a} and {b} read the same in {same} of {n} number ({share}).",
                "{a} and {b} read the same in {same} of {n} numbers ({share}).",
                n,
                a=a,
                b=b,
                same=count(same),
                n=count(n),
                share=percent(same / n, 0),
            )
        )
    yield Text(tuple(lines))
    yield Table(
        "extraction-agreement",
        tr("Agreement of the extractors"),
        (
            Column("what", tr("Statistic")), Column("who", tr("Who")), Column("n", tr("Numbers"), "right"),
            Column("agreement", tr("Equal"), "right"), Column("concordance", tr("Concordance"), "right"),
            Column("one", tr("By one alone"), "right"),
        ),
        tuple(
            {
                "group": material.outcomes.get(row["outcome"], row["outcome"]),
                "what": row["statistic"],
                "who": _two(row, "extractor"),
                "n": count(row["n"]),
                "agreement": percent(row["agreement"], 0),
                "concordance": number(row["concordance"], 3),
                "one": count(row["n_one_sided"]) if row["n_one_sided"] else "",
            }
            for row in rows
        ),
        note=tr("Concordance: Lin's coefficient; empty where both read one and the same number throughout."),
        data=tuple(rows),
    )  # fmt: skip


def _table(
    name: str,
    title: str,
    written: list[dict[str, Any]],
    what: str,
    rows: list[dict[str, Any]],
    note: str = "",
) -> Table:
    return Table(
        name,
        title,
        (
            Column("what", what), Column("who", tr("Who")), Column("n", "n", "right"),
            Column("agreement", tr("Agreement"), "right"), Column("kappa", "κ [95%]", "right"),
            Column("weighted", tr("Weighted κ"), "right"), Column("ac1", "AC1", "right"),
        ),
        tuple(written),
        note=note,
        data=tuple(rows),
    )  # fmt: skip


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    kappa, error = row["kappa"], row["kappa_std_error"]
    limits = ""
    if not missing(kappa) and not missing(error) and error > 0:
        half = facts.NORMAL_975 * error
        limits = f" {interval(number(max(-1.0, kappa - half)), number(min(1.0, kappa + half)))}"
    weighted = row.get("weighted_kappa_linear")
    return {
        "n": count(row["n"]),
        "agreement": percent(row["agreement"], 0),
        "kappa": number(kappa) + limits,
        "weighted": number(weighted),
        "ac1": number(row["ac1"]),
    }


def _measures(row: dict[str, Any]) -> str:
    """Write kappa, where there is one, and AC1."""
    said = [f"κ = {number(row['kappa'])}"] if not missing(row["kappa"]) else []
    said += [f"AC1 = {number(row['ac1'])}"] if not missing(row["ac1"]) else []
    return ", ".join(said)


def _stage(row: dict[str, Any]) -> str:
    return tr(_STAGES[row["stage"]]) if row["stage"] in _STAGES else str(row["stage"])


def _two(row: dict[str, Any], who: str) -> str:
    return tr("{a} and {b}", a=row[f"{who}_a"], b=row[f"{who}_b"])
