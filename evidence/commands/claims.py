"""The command that checks what was printed: audit."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from evidence.commands.options import FILE, example

if TYPE_CHECKING:
    from evidence.query import EvidenceBase


@click.command(epilog=example("evidence audit alf", "evidence audit alf --format json"))
@FILE
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "csv", "json", "md")),
    default="table",
    show_default=True,
    help="How to print the verdicts.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a claim does not hold.")
def audit(file: str, form: str, strict: bool) -> None:
    """Check printed tables and claims: what holds, what does not, what cannot be checked.

    Every claim's query is run on the evidence base. For printed league tables the joint distribution behind
    them is rebuilt, and with it the rankings they imply.
    """
    from evidence.claims import FAILS, check_claims
    from evidence.output import TEXT_WRITERS
    from evidence.query import open as open_base

    with open_base(file) as db:
        verdicts = check_claims(db)
        if form == "table":
            _show_tables(db)
        rows = [asdict(verdict) for verdict in verdicts]
        columns = ("verdict", "claim", "text", "found", "expected", "needs", "locator", "publication")
        shown = columns if form != "table" else ("verdict", "text", "found", "expected", "needs")
        TEXT_WRITERS[form](shown, (tuple(row[name] for name in shown) for row in rows), sys.stdout)
    if form == "table":
        counts = {
            name: sum(v.verdict == name for v in verdicts)
            for name in dict.fromkeys(v.verdict for v in verdicts)
        }
        click.echo("; ".join(f"{n} {name}" for name, n in counts.items()) + ".")
    if strict and any(verdict.verdict == FAILS for verdict in verdicts):
        sys.exit(1)


def _show_tables(db: EvidenceBase) -> None:
    """Print, for each printed league table, how well it fits together and what ranking it implies."""
    from analysis.published import rebuild
    from evidence.output import write_table

    for printed in rebuild(db):
        suspects = db.rows(
            "select treatment, versus from league_cell_check where verdict = 'suspect'"
            " and publication = ? and outcome = ? and measure = ?",
            [printed.publication, printed.outcome, printed.measure],
        )
        click.echo(f"{printed.publication}, {printed.outcome} ({printed.measure}):")
        for message in printed.notes()["message"]:
            click.echo(f"  {message}")
        for row in suspects:
            click.echo(f"  The cell {row['treatment']} vs {row['versus']} does not fit the others.")
        if printed.lower_is_better is None:
            click.echo("  The outcome has no direction of benefit: no ranking.")
            continue
        ranking = printed.ranking()
        columns = ("treatment", "sucra", "p_best", "mean_rank")
        digits = ranking.loc[:, list(columns)].round({"sucra": 3, "p_best": 3, "mean_rank": 2})
        write_table(columns, digits.itertuples(index=False, name=None), sys.stdout)
