"""The command that shows what the disagreement of extractors costs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evidence.commands.options import FILE, example, output_option
from evidence.commands.progress import status
from evidence.errors import CallError


@click.command(
    epilog=example(
        "evidence readings my-review --outcome hba1c --measure MD",
        "evidence readings my-review.duckdb --extractor BW -o read-by-bw.duckdb",
    )
)
@FILE
@click.option("--outcome", metavar="OUTCOME", help="Only this outcome.")
@click.option("--measure", metavar="MEASURE", help="Only this effect measure.")
@click.option("--extractor", metavar="NAME", help="Write a file in which this extractor's readings count.")
@output_option("File to write; any command then runs on it.")
def readings(
    file: str, outcome: str | None, measure: str | None, extractor: str | None, output: Path | None
) -> None:
    """Pool by each extractor's readings, beside the readings that count.

    With --extractor and -o, write a copy of the evidence base in which that extractor's readings count
    wherever there are some: every analysis can be run on it.
    """
    from evidence.checking.readings import as_read_by, cost
    from evidence.output import write_table

    if (extractor is None) != (output is None):
        raise CallError("--extractor and -o go together: whose readings, and the file to write.")
    if extractor is not None and output is not None:
        if not Path(file).is_file():
            raise CallError(f"{file!r} is no file: build it first (evidence build).")
        with status() as say:
            say(f"counting the readings of {extractor}")
            written = as_read_by(file, extractor, output)
        click.echo(f"{written}: the readings of {extractor} count.")
        return
    with status() as say:
        say("pooling by each extractor's readings")
        columns, rows = cost(file, outcome=outcome, measure=measure)
    write_table(columns, rows, sys.stdout)
