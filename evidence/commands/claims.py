"""The command that checks what was printed: audit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import click

from evidence.commands.options import FILE, announce, example
from evidence.commands.progress import status
from evidence.system.frames import rows as rows_of

if TYPE_CHECKING:
    from analysis.published import PrintedNetwork
    from evidence.checking.claims import Verdict
    from evidence.query import EvidenceBase

_CLAIM = ("verdict", "kind", "claim", "text", "found", "expected", "needs", "locator", "publication")
_RANKING = (
    "publication", "outcome", "measure", "treatment", "versus", "estimate", "std_error", "ci_lower",
    "ci_upper", "mean_rank", "sucra", "p_best",
)  # fmt: skip
_RETRACTION = (
    "study", "label", "nature", "date", "reason", "reinstated", "matched_by", "doi", "pmid", "notice_doi",
    "notice_pmid", "in_evidence",
)  # fmt: skip
_WIDTH = 100
"""Columns of text where there is no terminal to ask."""

Records = list[dict[str, Any]]


@click.command(
    epilog=example(
        "evidence audit alf",
        "evidence audit alf --format json",
        "evidence audit alf --format csv --part rankings",
    )
)
@FILE
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "csv", "json", "md")),
    default="table",
    show_default=True,
    help="How to print. json is one object with every part.",
)
@click.option(
    "--part",
    type=click.Choice(("claims", "rankings", "tables", "retractions")),
    help="Only the verdicts on claims, the rebuilt rankings, how each printed table fits together, or the"
    " studies whose publications were retracted, corrected or doubted."
    " csv prints one part: the claims without this.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a claim does not hold.")
def audit(file: str, form: str, part: str | None, strict: bool) -> None:
    """Check printed tables and claims: what holds, what does not, what cannot be checked.

    Every claim's query is run on the evidence base. For printed league tables the joint distribution behind
    them is rebuilt, and with it the rankings they imply. Studies with a publication that was retracted,
    corrected or doubted (retractions.csv) are named first.
    """
    from evidence.checking.claims import FAILS, check_claims
    from evidence.opening import open as open_base

    with status() as say, open_base(file) as db:
        announce(db)
        say("checking claims")
        verdicts = check_claims(db)
        say("rebuilding printed tables")
        tables, rankings = _printed(db)
        retractions = db.rows(f"select {', '.join(_RETRACTION)} from retracted_study order by study, date")
    claims = [{name: asdict(verdict)[name] for name in _CLAIM} for verdict in verdicts]
    parts = {"tables": tables, "rankings": rankings, "claims": claims, "retractions": retractions}
    if part is not None:
        parts = {part: parts[part]}
    if form == "table":
        _read(parts, verdicts if "claims" in parts else [], sys.stdout)
    else:
        _write(parts if part or form != "csv" else {"claims": claims}, form, sys.stdout)
    if strict and any(verdict.verdict == FAILS for verdict in verdicts):
        sys.exit(1)


def _printed(db: EvidenceBase) -> tuple[Records, Records]:
    """How well each printed league table fits together, and the ranking that it implies."""
    if not db.value("select count(*) from published_contrast"):
        return [], []
    from analysis.published import try_rebuild

    found, refused = try_rebuild(db)
    tables: Records = [{"message": str(error)} for error in refused]
    rankings: Records = []
    for printed in found:
        about = {"publication": printed.publication, "outcome": printed.outcome, "measure": printed.measure}
        ranked = printed.unranked is None
        tables.append(
            about
            | {
                "n_treatments": len(printed.treatments),
                "lower_is_better": printed.lower_is_better,
                "residual_se": printed.residual,
                "repair": printed.repair,
                "poth": printed.poth if ranked else None,
                "message": " ".join(_said(db, printed)),
            }
        )
        if ranked:
            rankings += [about | row for row in rows_of(printed.overview())]
    names = dict.fromkeys(name for row in tables for name in row)
    return [{name: row.get(name) for name in names} for row in tables], rankings


def _said(db: EvidenceBase, printed: PrintedNetwork) -> Iterator[str]:
    yield from printed.notes()["message"]
    for row in db.rows(
        "select treatment, versus from league_cell_check where verdict = 'suspect'"
        " and publication = ? and outcome = ? and measure = ? order by all",
        [printed.publication, printed.outcome, printed.measure],
    ):
        yield f"The cell {row['treatment']} vs {row['versus']} does not fit the others."


def _write(parts: dict[str, Records], form: str, stream: TextIO) -> None:
    from evidence.output import TEXT_WRITERS, jsonable

    if form == "json":
        content = {name: [jsonable(row) for row in rows] for name, rows in parts.items()}
        stream.write(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
        return
    for name, rows in parts.items():
        if form == "md":
            stream.write(f"## {name.capitalize()}\n\n")
        columns = {"claims": _CLAIM, "rankings": _RANKING, "retractions": _RETRACTION}.get(name) or tuple(
            rows[0] if rows else ()
        )
        TEXT_WRITERS[form](columns, ([row[column] for column in columns] for row in rows), stream)
        if form == "md":
            stream.write("\n")


# --- for a reader -------------------------------------------------------------------------------------------


def _read(parts: dict[str, Records], verdicts: list[Verdict], stream: TextIO) -> None:
    """Print each league table with its ranking, then the claims by verdict, within the terminal's width."""
    _retracted(parts.get("retractions", []))
    for table in parts.get("tables", []):
        _heading(" ".join(str(table[key]) for key in ("publication", "outcome", "measure") if table.get(key)))
        _paragraph(table["message"], 2)
        if table.get("poth") is not None:
            _paragraph(f"Precision of the treatment hierarchy (POTH): {table['poth']:.2f}.", 2)
        if "rankings" in parts:
            _ranking([row for row in parts["rankings"] if _same_table(row, table)], stream)
    if "tables" not in parts:
        keys = dict.fromkeys(
            (r["publication"], r["outcome"], r["measure"]) for r in parts.get("rankings", [])
        )
        for key in keys:
            _heading(" ".join(key))
            about = dict(zip(("publication", "outcome", "measure"), key, strict=True))
            _ranking([row for row in parts["rankings"] if _same_table(row, about)], stream)
    _claims(verdicts)
    if not any(parts.values()):
        click.echo("No claim, no printed league table and no retraction to check.")


def _retracted(rows: Records) -> None:
    """Name the studies whose publications were retracted, corrected or doubted."""
    if not rows:
        return
    _heading(f"Retracted, corrected or doubted ({len(rows)})")
    for row in rows:
        day = f", {row['date']}" if row["date"] else ""
        back = "; reinstated later" if row["reinstated"] else ""
        publication = f"PubMed {row['pmid']}" if row["matched_by"] == "pmid" else f"doi {row['doi']}"
        _paragraph(f"{row['label']}: {row['nature'].replace('_', ' ')}{day} ({publication}){back}", 2)
        _paragraph(row["reason"] or "", 6)


def _same_table(row: dict[str, Any], table: dict[str, Any]) -> bool:
    return all(row[key] == table.get(key) for key in ("publication", "outcome", "measure"))


def _ranking(rows: Records, stream: TextIO) -> None:
    from evidence.output import write_table

    if not rows:
        return
    columns = ("treatment", f"versus {rows[0]['versus']}", "SE", "P(best)", "SUCRA", "mean rank")
    write_table(
        columns,
        (
            (
                row["treatment"],
                "" if row["estimate"] != row["estimate"] else _interval(row),
                "" if row["std_error"] != row["std_error"] else f"{row['std_error']:.4g}",
                f"{row['p_best']:.2f}",
                f"{row['sucra']:.2f}",
                f"{row['mean_rank']:.2f}",
            )
            for row in rows
        ),
        stream,
    )


def _interval(row: dict[str, Any]) -> str:
    return "{:.5g} [{:.5g}, {:.5g}]".format(*(row[key] for key in ("estimate", "ci_lower", "ci_upper")))


def _claims(verdicts: list[Verdict]) -> None:
    from evidence.checking.claims import FAILS, HOLDS, UNCHECKED

    counts = {name: sum(v.verdict == name for v in verdicts) for name in (HOLDS, FAILS, UNCHECKED)}
    for name, n in counts.items():
        if not n:
            continue
        _heading(f"{name.capitalize()} ({n})")
        for verdict in verdicts:
            if verdict.verdict != name:
                continue
            _paragraph(("Check: " if verdict.kind == "check" else "") + verdict.text, 2)
            details = []
            if verdict.found is not None:
                details.append(f"found {verdict.found}, expected {verdict.expected}")
            if verdict.needs:
                details.append(f"needs {verdict.needs}")
            if verdict.locator:
                details.append(f"({verdict.locator})")
            _paragraph(" ".join(details), 6)
    if verdicts:
        click.echo("")
        _paragraph("; ".join(f"{n} {name}" for name, n in counts.items() if n) + ".", 0)
        if any(verdict.kind == "check" for verdict in verdicts):
            _paragraph("Check: not said in these words, but what a reader would ask of it.", 0)


def _heading(text: str) -> None:
    click.echo("")
    click.secho(text, bold=True)


def _paragraph(text: str, indent: int) -> None:
    import shutil
    import textwrap

    width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
    if text:
        margin = " " * indent
        lines = textwrap.wrap(
            text, width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
        )
        click.echo("\n".join(lines))
