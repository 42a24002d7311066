"""Commands that analyse: pool, nma, analyse."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.commands.options import (
    AS_OF,
    FILE,
    SAVE,
    F,
    Grouped,
    announce_as_of,
    example,
    options_of_analysis,
    previous_of,
    taking_over,
)
from evidence.commands.progress import status
from evidence.errors import CallError
from evidence.folder.options import ALL_OUTCOMES

if TYPE_CHECKING:
    from evidence.results import Run

_FRAMES = (
    "estimates", "heterogeneity", "ranking", "rank_probabilities", "inconsistency", "leave_one_out",
    "sensitivity", "weights", "fit", "diagnostics", "convergence", "contrasts", "notes", "exclusions",
    "league",
)  # fmt: skip


def _printing(function: F) -> F:
    """How a run is printed."""
    function = click.option(
        "--table",
        "table",
        type=click.Choice(_FRAMES),
        help="Which rows --format csv or md prints. Default: sensitivity where an analysis of it was named, "
        "else estimates.",
    )(function)
    return click.option(
        "--format",
        "form",
        type=click.Choice(("table", "json", "csv", "md")),
        default="table",
        show_default=True,
        help="Tables to read; all result rows as one JSON object; or one kind of them as CSV or Markdown. "
        "JSON and CSV have every digit.",
    )(function)


@click.command(
    cls=Grouped,
    epilog=example(
        "evidence pool diabetes --outcome hba1c --measure MD --treatment metf --versus plac",
        "evidence pool diabetes --outcome hba1c --measure MD --treatment rosi --versus plac --influence",
        "evidence pool diabetes --outcome hba1c --measure MD --treatment rosi --versus plac --moderator year",
    ),
)
@FILE
@options_of_analysis("pairwise")
@AS_OF
@_printing
@SAVE
def pool(
    file: str, form: str, table: str | None, save: bool, as_of: str | None, tau2: str, **options: Any
) -> None:
    """Meta-analyse one treatment against one comparator.

    Common-effect and random-effects models are both shown.
    """
    from analysis.plan import run_pairwise
    from evidence.opening import open as open_base

    _refuse_table(table, form)
    given = {key: value for key, value in options.items() if value is not None}
    with status() as say, open_base(file, as_of=as_of) as db:
        announce_as_of(db)
        run = run_pairwise(
            db,
            tau2=number_of(tau2),
            progress=say,
            printed=form == "table" and not save,
            **given,
        )
        if save:
            _keep(file, run, say)
    _show(file, run, form, table, save)


@click.command(
    cls=Grouped,
    epilog=example(
        "evidence nma diabetes --outcome hba1c --measure MD --reference plac",
        "evidence nma smoking --outcome cessation --measure OR --engine exact --format json",
        "evidence nma diabetes --outcome hba1c --measure MD --contributions --net-heat",
        "evidence nma diabetes --outcome hba1c --measure MD --engine exact --covariate year",
        "evidence nma smoking --outcome cessation --measure OR --absolute 0.1",
    ),
)
@FILE
@options_of_analysis("network")
@AS_OF
@_printing
@SAVE
def nma(
    file: str,
    form: str,
    table: str | None,
    save: bool,
    as_of: str | None,
    model: str,
    treatments: tuple[str, ...],
    tau2: str | None,
    **options: Any,
) -> None:
    """Run a network meta-analysis."""
    from analysis.plan import run_network
    from evidence.opening import open as open_base

    _refuse_table(table, form)
    with status() as say, open_base(file, as_of=as_of) as db:
        announce_as_of(db)
        run = run_network(
            db,
            model=model_of(model),
            treatments=treatments_of(treatments),
            tau2=None if tau2 is None else number_of(tau2),
            progress=say,
            printed=form == "table" and not save,
            **options,
        )
        if save:
            _keep(file, run, say)
    _show(file, run, form, table, save)


@click.command(
    epilog=example(
        "evidence build diabetes -o diabetes.duckdb",
        "evidence analyse diabetes.duckdb",
        "evidence trace diabetes.duckdb",
    )
)
@FILE
@taking_over
def analyse(file: str, previous: Path | None, fresh: bool) -> None:
    """Run the review's plan and keep every result row in the file.

    What did not change since the file was analysed is taken from it, to the last bit what running it again
    would give; standard error says which analyses that are and why the others are run. The rows go in through
    a copy and one atomic rename. An analysis that cannot be carried out is named with its reason, and the
    exit code is 1; the others are kept.
    """
    from analysis.living.update import opened, updated
    from evidence.opening import open as open_base
    from evidence.opening import own_file
    from evidence.results import TABLES, save

    path = own_file(file)
    earlier = previous_of(previous, fresh, path)
    with status() as say, opened(earlier) as old:
        with open_base(path) as db:
            found = updated(db, old.db, say)
        if found.unkept or earlier != path:
            say("keeping the results")
            save(path, found.runs)
    for line in old.lines(found):
        click.echo(line, err=True)
    for run in found.runs:
        rows = sum(len(frame) for name, frame in run.frames.items() if name in TABLES)
        click.echo(f"{run.analysis}: {run.kind}, {run.n_studies} studies, {rows} rows, run {run.run_id}")
    for name, error in found.refused.items():
        click.echo(f"{name} is not carried out: {error}", err=True)
    if found.refused:
        sys.exit(1)


def model_of(text: str) -> str:
    """Read a model, or both of them with a comma between."""
    words = {word.strip() for word in text.split(",")}
    return "both" if words in ({"both"}, {"common", "random"}) else text


def treatments_of(given: tuple[str, ...]) -> list[str] | str | None:
    """Read the treatments of a network: a list, the words for those of all outcomes, or none for all."""
    return ALL_OUTCOMES if given == (ALL_OUTCOMES,) else list(given) or None


def number_of(text: str) -> str | float:
    """Read a number where one is given in place of a method's name."""
    try:
        return float(text)
    except ValueError:
        return text


def _refuse_table(table: str | None, form: str) -> None:
    if table is not None and form not in ("csv", "md"):
        raise CallError("--table chooses the rows of --format csv or md: give one of these, too.")


def _keep(file: str, run: Run, say: Callable[[str], None]) -> None:
    from evidence.opening import own_file
    from evidence.results import save

    say("keeping the results")
    save(own_file(file), [run])


def _show(file: str, run: Run, form: str, table: str | None, kept: bool) -> None:
    if form == "json":
        json.dump(run.document(), sys.stdout, ensure_ascii=False, allow_nan=False, indent=1)
        sys.stdout.write("\n")
        return
    if form in ("csv", "md"):
        _print_one(
            run, table or ("sensitivity" if run.specification.get("sensitivity") else "estimates"), form
        )
        return
    from evidence.commands.display import show_run

    show_run(run, sys.stdout)
    if kept:
        click.echo(f"Kept in {Path(file)}: evidence trace {file} {run.run_id}")


def _print_one(run: Run, name: str, form: str) -> None:
    """Print one frame of a run, with the columns of its table of results."""
    from evidence.output import write_csv, write_markdown
    from evidence.system.frames import records

    frame = run.frames.get(name)
    if frame is None:
        there = ", ".join(name for name in _FRAMES if name in run.frames)
        raise CallError(f"This run has no rows of {name}; it has {there}.")
    columns = list(frame.columns)
    rows = ([row[column] for column in columns] for row in records(frame))
    (write_csv if form == "csv" else write_markdown)(columns, rows, sys.stdout)
