"""The command that holds two states of a review against each other: diff."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from evidence.commands.options import example, output_option
from evidence.commands.progress import status


@click.command(
    epilog=example(
        "evidence diff my-review@HEAD my-review",
        "evidence diff my-review@HEAD my-review --format markdown --fail-on conclusions",
        "evidence diff my-review@HEAD my-review -o changed.duckdb",
    )
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "markdown")),
    default="text",
    show_default=True,
    help="To read; one JSON object with every row; or a comment for a pull request.",
)
@output_option("Write NEW's evidence base with its results and the tables change_* here.")
@click.option(
    "--because/--no-because",
    "why",
    default=True,
    show_default=True,
    help="Attribute what moved to the rows that changed, by exact refits.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("conclusions",)),
    help="Exit with 1 if a conclusion moved: for a workflow that guards a review.",
)
def diff(old: str, new: str, form: str, output: Path | None, why: bool, fail_on: str | None) -> None:
    """Say what changed between two states: conclusions, numbers, and the cells behind them.

    OLD and NEW are files, review folders, names of bundled reviews, or REVIEW@REVISION: a folder as it was in
    a revision of the git repository it stands in. Rows are matched by what they are, never by their order;
    where nothing changed it says "no change".
    """
    from analysis.changed.comparison import comparing
    from analysis.changed.kept import keep
    from analysis.changed.written import document, markdown, text

    complete = output is not None
    with status() as say, comparing(old, new, complete=complete, why=why, progress=say) as comparison:
        if form == "json":
            said = json.dumps(document(comparison), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        else:
            said = markdown(comparison) if form == "markdown" else text(comparison)
        if output is not None:
            say("keeping the changes")
            keep(comparison, output)
        failed = fail_on is not None and not comparison.conclusions.empty
    click.echo(said, nl=False)
    if failed:
        sys.exit(1)
