"""Commands that make or extend a review folder from other people's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from evidence.cli import LazyGroup
from evidence.commands.options import example

IMPORTERS = {
    "arms": "evidence.commands.imports:arms",
}
"""Module and attribute of each importer's command, in the order of the help."""


@click.group(
    "import",
    cls=LazyGroup,
    table=IMPORTERS,
    epilog=example("evidence import arms trials.csv --into my-review --outcome hba1c --unit %"),
)
def import_() -> None:
    """Make or extend a review folder from a file of another tool."""


def source_and_folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every importer takes: the file to read, and the review folder to write."""
    for decorate in (
        click.option(
            "--into", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Review folder."
        ),
        click.argument("file", metavar="FILE", type=click.Path(exists=True, path_type=Path)),
    ):
        command = decorate(command)
    return command


@click.command(
    epilog=example(
        "evidence import arms trials.csv --into my-review --outcome hba1c --unit % --lower-is-better"
    )
)
@source_and_folder
@click.option("--outcome", required=True, metavar="OUTCOME", help="Outcome that the table is about.")
@click.option("--unit", metavar="UNIT", help="Unit of the outcome.")
@click.option("--measure", metavar="MEASURE", help="Effect measure of a table of contrasts.")
@click.option(
    "--lower-is-better/--higher-is-better", default=None, help="Direction of benefit of the outcome."
)
@click.option("--label", metavar="TEXT", help="Printed name of the outcome.")
@click.option(
    "--map",
    "--column",
    "columns",
    multiple=True,
    metavar="SOURCE=TARGET",
    help="What a column stands for where its name does not say; SOURCE= leaves it out. May be repeated.",
)
@click.option("--treatment", metavar="NAME", help="Name of the first group, where the table has none.")
@click.option("--control", metavar="NAME", help="Name of the second group, where the table has none.")
@click.option("--sheet", metavar="NAME", help="Sheet of a workbook.")
@click.option("--dry-run", is_flag=True, help="Check and report, write nothing.")
def arms(file: Path, into: Path, columns: tuple[str, ...], **options: Any) -> None:
    """Read a table with one row for each arm, for each contrast, or for each study.

    Columns with the field's usual names are recognised; what was understood is reported column by column.
    """
    from evidence.errors import CallError
    from evidence.importers.arms import import_arms

    if bad := [item for item in columns if "=" not in item]:
        raise CallError(f"--map {bad[0]!r} has no '=': write SOURCE=TARGET, for example 'SD diff=sd'.")
    mapping = dict(item.split("=", 1) for item in columns)
    click.echo(str(import_arms(file, into, mapping=mapping or None, **options)))
