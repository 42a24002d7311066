"""The command that invents a review: simulate."""

from __future__ import annotations

from pathlib import Path

import click

from evidence.commands.options import example
from evidence.commands.progress import status


@click.command(
    epilog=example("evidence simulate twin", "evidence simulate large --studies 5000 --treatments 40")
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--studies",
    type=click.IntRange(min=1),
    metavar="N",
    help="A review of N studies. Without it, the twin of the model review: its 89 studies and its counts.",
)
@click.option(
    "--treatments", type=click.IntRange(min=1), default=10, show_default=True, help="With --studies."
)
@click.option("--outcomes", type=click.IntRange(min=1), default=1, show_default=True, help="With --studies.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same review.",
)
def simulate(directory: Path, studies: int | None, treatments: int, outcomes: int, seed: int) -> None:
    """Write a review folder of simulated studies whose true effects are known.

    Everything made from it is marked as simulated.
    """
    from evidence.folder.simulate import ALF, NOTICE, synthetic_shape
    from evidence.folder.simulate import simulate as write

    shape = ALF if studies is None else synthetic_shape(studies, treatments=treatments, outcomes=outcomes)
    with status() as say:
        say(f"inventing {shape.n_studies} studies")
        folder = write(shape, directory, seed=seed)
    click.echo(f"{folder}: {shape.n_studies} studies. {NOTICE}")
