"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evidence import facts

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """Make the end of a command's help: how to call it, each line as it stands."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def announce(db: EvidenceBase) -> None:
    """Say on standard error that data are simulated, if they are: what is printed beside it shows them."""
    from evidence.output import SYNTHETIC

    if db.value("select coalesce(bool_or(synthetic), false) from review"):
        click.secho(SYNTHETIC, fg="red", bold=True, err=True)
    if db.left_behind:
        names = ", ".join(db.left_behind)
        click.echo(f"Note: not of this package, and not read from the file: {names}.", err=True)


FILE = click.argument("file", metavar="FILE")
"""An evidence base: a file, a review folder, or the name of a bundled review."""

OUTCOME = click.option("--outcome", required=True, metavar="OUTCOME", help="Outcome to analyse.")
MEASURE = click.option(
    "--measure",
    required=True,
    metavar="MEASURE",
    help=f"Effect measure: {', '.join(found.code for found in facts.measures(given=facts.REVIEW))}.",
)
TIMEPOINT = click.option(
    "--timepoint",
    metavar="RULE",
    help='first, last, a time with its unit ("24 h"), or "nearest:24 h". '
    "Default: the plan's rule for the outcome, else last.",
)
WHERE = click.option(
    "--where",
    metavar="SQL",
    help="Only what meets this condition on columns of studies, arms or measurements: \"species = 'rat'\".",
)
HIGH_RISK = click.option(
    "--exclude-high-rob", is_flag=True, help="Leave out studies at high risk of bias (high_risk_study)."
)
SAVE = click.option("--save", is_flag=True, help="Keep the result rows in FILE (atomically).")


def _set_memory(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        from evidence.checking import gate

        gate.size(value)
        gate.MEMORY.set(value)


memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=_set_memory,
    expose_value=False,
    help="Memory that a query or condition from outside may use: 2GB. Default: 1GB.",
)


class Seconds(click.FloatRange):
    """A time limit: above 0, at most a week."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=604_800)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; what is none compares with no bound."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return number


class Choices(click.ParamType):
    """Comma-separated words out of a fixed list."""

    name = "words"

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the words in the help."""
        return f"[{','.join(self.allowed)}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split, and refuse what is not in the list."""
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(",") if word.strip())
        if unknown := [word for word in words if word not in self.allowed]:
            self.fail(f"{', '.join(unknown)} is none of {', '.join(self.allowed)}.", param, ctx)
        return words


def output_option(help: str) -> Callable[[F], F]:
    """Make the option ``-o FILE``."""
    return click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=help
    )
