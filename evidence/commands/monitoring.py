"""The command that tells whether an update is worth it: update-worth."""

from __future__ import annotations

import json
import sys

import click

from evidence.commands.options import FILE, announce, example
from evidence.commands.progress import status


@click.command(
    "update-worth",
    epilog=example(
        "evidence update-worth diabetes",
        "evidence update-worth diabetes hba1c-metformin --studies 2 --n 100",
        "evidence update-worth smoking --draws 200 --format csv",
    ),
)
@FILE
@click.argument("analysis", metavar="[ANALYSIS]", required=False)
@click.option(
    "--studies",
    default="1",
    show_default=True,
    metavar="K",
    help="New studies; records: as many as records of the last search wait for a decision.",
)
@click.option(
    "--n",
    type=float,
    metavar="N",
    help="Participants or animals in each. Default: the median of the analysis's studies.",
)
@click.option(
    "--draws", type=click.IntRange(1), default=1000, show_default=True, help="Times that it is simulated."
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of what is drawn at random."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "csv", "md")),
    default="text",
    show_default=True,
    help="A sentence for each analysis; or one row for each conclusion.",
)
def update_worth(
    file: str, analysis: str | None, studies: str, n: float | None, draws: int, seed: int, form: str
) -> None:
    """Tell how likely more studies are to change a conclusion of a planned analysis.

    The truth is drawn from what is known now, then new studies, then the analysis is carried out anew, many
    times: a conclusion changes where the interval comes to include or exclude no effect, or the smallest
    important difference, or where another treatment takes the first rank. Networks are refitted by the exact
    engine; pairwise analyses as planned, under random effects.
    """
    from analysis.living import monitoring
    from evidence.errors import CallError
    from evidence.opening import open as open_base
    from evidence.output import TEXT_WRITERS, jsonable

    if studies != monitoring.RECORDS and not studies.isdecimal():
        raise CallError(f"--studies {studies!r} is neither a whole number nor {monitoring.RECORDS}.")
    many: int | str = studies if studies == monitoring.RECORDS else int(studies)
    with status() as say, open_base(file) as db:
        announce(db)
        found = monitoring.update_worth(db, analysis, studies=many, n=n, draws=draws, seed=seed, progress=say)
    if form == "text":
        for worth in found:
            click.echo(worth.sentence())
        for note in dict.fromkeys(note for worth in found for note in worth.notes):
            click.echo(f"Note: {note}.")
        return
    rows = [row for worth in found for row in worth.rows()]
    if form == "json":
        json.dump([jsonable(row) for row in rows], sys.stdout, ensure_ascii=False, allow_nan=False, indent=1)
        sys.stdout.write("\n")
    else:
        TEXT_WRITERS[form](
            monitoring.COLUMNS, ([row[name] for name in monitoring.COLUMNS] for row in rows), sys.stdout
        )
