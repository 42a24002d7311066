"""Commands about the records of a review that goes on: records new."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.commands.lazy import LazyGroup
from evidence.commands.make.imports import DRY_RUN, READING, having
from evidence.commands.options import example
from evidence.commands.progress import status

if TYPE_CHECKING:
    from evidence.living.new_records import NewRecords

_MOST = 30
"""Pairs and flags that are printed; all of them stand in --format json."""


@click.group(
    cls=LazyGroup,
    table={"new": "evidence.commands.make.records:new"},
    epilog=example("evidence records new pubmed.nbib --into my-review --database PubMed --date 2026-11-01"),
)
def records() -> None:
    """Keep the records of a review up to date."""


@click.command(
    epilog=example(
        "evidence records new pubmed.nbib --into my-review --database PubMed --date 2026-11-01",
        "evidence records new pubmed.nbib --into my-review --database PubMed --dry-run --format json",
        "evidence records new pubmed.nbib --into my-review --retractions retraction_watch.csv",
    ),
)
@click.argument("export", metavar="SEARCH-EXPORT", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--into",
    required=True,
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    help="Review folder.",
)
@having(
    click.option("--database", metavar="NAME", help="Database or register that was searched."),
    click.option("--date", metavar="DATE", help="Day of the search, year-month-day."),
    click.option("--query", metavar="TEXT", help="Query as typed there."),
    click.option(
        "--search",
        metavar="NAME",
        help="A search of searches.csv that was run again: database and query are its.",
    ),
    click.option(
        "--retractions",
        metavar="CSV",
        type=click.Path(exists=True, path_type=Path),
        help="A list of retractions (Retraction Watch's): notices about the review's publications and the "
        "new ones are kept in retractions.csv.",
    ),
    *READING,
    DRY_RUN,
    click.option(
        "--format",
        "form",
        type=click.Choice(("text", "json")),
        default="text",
        show_default=True,
        help="Text to read, or every reference with its status as one JSON object.",
    ),
)
def new(export: Path, into: Path, form: str, dry_run: bool, **given: Any) -> None:
    """Add what is new in the export of a search that was run again.

    Reads what `evidence import references` reads. Each reference is held against the review's records and
    reports, and against those before it: what is known is passed over, what is new becomes a record of this
    search. What is only perhaps known becomes a record too, and its pair is named: `evidence import
    duplicates` asks a person. Retractions and corrections are flagged, of what is known as of what is new. A
    second run adds nothing; nothing is written if anything is wrong.
    """
    from evidence.living.new_records import new_records

    with status() as say:
        say(f"comparing {export.name} with {into.name}")
        found = new_records(export, into, dry_run=dry_run, **given)
    if form == "json":
        json.dump(found.document(), sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        _print(found, into, dry_run)


def _print(found: NewRecords, into: Path, dry_run: bool) -> None:
    """Say what is new, known and unsure, and what to do next."""
    from evidence.living.new_records import KNOWN, NEW, UNSURE

    fresh, known, unsure = map(found.of, (NEW, KNOWN, UNSURE))
    click.echo(
        f"{found.report.source}: {len(found.judged)} references: {len(fresh)} new, {len(known)} known, "
        f"{len(unsure)} unsure."
    )
    if unsure:
        click.echo("Unsure, and added until a person has looked:")
        for one in unsure[:_MOST]:
            click.echo(f"  {one.found.name} may be {one.same_as}: {one.evidence}")
    if len(unsure) > _MOST:
        click.echo(f"  and {len(unsure) - _MOST} more: --format json has all of them")
    if found.flags:
        click.echo("Retractions and corrections:")
        for flag in found.flags[:_MOST]:
            click.echo(f"  {flag}")
    if len(found.flags) > _MOST:
        click.echo(f"  and {len(found.flags) - _MOST} more: --format json has all of them")
    for note in found.report.notes:
        click.echo(f"Note: {note}.")
    for problem in found.report.left_out:
        click.echo(f"Left out: {problem}")
    _next(found, into, dry_run, unsure=bool(unsure))


def _next(found: NewRecords, into: Path, dry_run: bool, *, unsure: bool) -> None:
    """Say what was written, and what to do about what is unsure."""
    added = ", ".join(f"{n} row{'s' * (n != 1)} of {name}" for name, n in found.report.added.items())
    if dry_run:
        click.echo(f"Nothing was written; without --dry-run: {added or 'nothing to write'}.")
    elif added:
        click.echo(f"Written: {added}.")
    else:
        click.echo("Nothing to write: the review has all of it.")
    if unsure and not dry_run:
        click.echo(f"Next: evidence import duplicates --into {into} --propose pairs.csv")
