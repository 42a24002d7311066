"""The command that draws one chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evidence.commands.options import (
    AS_OF,
    FILE,
    Grouped,
    announce,
    example,
    options_of_pictures,
    output_option,
)
from evidence.commands.progress import status
from evidence.errors import CallError

_FORMATS = ("svg", "png", "pdf", "html", "json", "csv")


def _show_charts(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(_charts())
        context.exit()


def _charts() -> str:
    from analysis.charts.registry import CHARTS

    said = {"pairwise": "pairwise", "network": "network", "review": "review"}
    width = max(map(len, CHARTS))
    return "\n".join(
        f"{name.replace('_', '-'):{width}}  {' or '.join(said[kind] for kind in entry.of):20}  {entry.shows}"
        for name, entry in CHARTS.items()
    )


@click.command(
    cls=Grouped,
    epilog=example(
        "evidence plot diabetes network-forest -o diabetes.svg",
        "evidence plot diabetes forest --analysis hba1c-metformin -o metformin.pdf",
        "evidence plot smoking funnel --outcome cessation --measure OR --treatment ind_counseling "
        "--versus no_contact",
        "evidence plot --list",
    ),
)
@FILE
@click.argument("kind", metavar="KIND")
@click.option(
    "--analysis",
    metavar="NAME",
    help="An analysis of the review's plan. Default: the only one that can be meant, or the question that "
    "the other options put in full.",
)
@click.option("--tool", metavar="TOOL", help="Tool of risk of bias, where studies were judged by several.")
@options_of_pictures
@AS_OF
@output_option(
    f"Picture to write: {', '.join(_FORMATS)} by its ending (json: Vega-Lite; csv: what is drawn). Default: "
    "an SVG in the working folder, whose name is printed."
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_charts,
    help="List the charts, what each is of and what it shows.",
)
def plot(
    file: str,
    kind: str,
    output: Path | None,
    as_of: str | None,
    analysis: str | None,
    tau2: str | None,
    model: str | None,
    treatments: tuple[str, ...],
    **options: Any,
) -> None:
    """Draw one chart: of an analysis of the plan, of a question of your own, or of the whole review.

    KIND is any of those that --list shows.
    """
    from analysis import plot as room
    from analysis.charts.base.files import save
    from evidence.commands.analyses import model_of, number_of, treatments_of
    from evidence.opening import open as open_base

    found = room.entry(kind)
    target = output or _named(file, analysis or options.get("outcome"), found.name)
    form = target.suffix.removeprefix(".").lower()
    if form not in _FORMATS:
        raise CallError(f"{target.name!r} ends in no format of a picture: {', '.join(_FORMATS)}.")
    given = {
        **options,
        "tau2": None if tau2 is None else number_of(tau2),
        "model": None if model is None else model_of(model),
        "treatments": treatments_of(treatments),
    }
    with status() as say, open_base(file, as_of=as_of) as db:
        announce(db)
        chart = room.of_base(db, found.name, analysis=analysis, progress=say, **given)
        say("writing the picture")
        (written,) = save(chart, str(target)[: -len(form) - 1], (form,))
    click.echo(str(written))


def _named(file: str, about: str | None, kind: str) -> Path:
    """Name a picture by what it is of."""
    from evidence.names import slug

    path = Path(file)
    review = path.stem if path.suffix == ".duckdb" else path.resolve().name
    parts = [review, *([about] if about else []), kind.replace("_", "-")]
    return Path(f"{slug('-'.join(parts))}.svg")
