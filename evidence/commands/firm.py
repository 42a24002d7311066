"""Commands that say how firm an answer is: threshold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from evidence.commands.further import NEAREST, show_thresholds
from evidence.commands.options import (
    AS_OF,
    Grouped,
    announce,
    announce_as_of,
    declared,
    example,
    output_option,
)
from evidence.commands.progress import status
from evidence.errors import CallError

if TYPE_CHECKING:
    from analysis.plot import Subject
    from evidence.query import EvidenceBase


@click.command(
    cls=Grouped,
    epilog=example(
        "evidence threshold diabetes",
        'evidence threshold diabetes hba1c-network --decision "top 2" --plausible-bias 0.3',
        'evidence threshold diabetes --decision "rosi better than plac by 0.5" --refit 3',
        "evidence threshold diabetes -o thresholds.svg",
        "evidence threshold smoking --engine exact --region 1 2 -o region.svg",
    ),
)
@click.argument("review", metavar="REVIEW")
@click.argument("analysis", metavar="[ANALYSIS]", required=False)
@declared("decision", "network")
@declared("plausible_bias", "network")
@declared("refit", "network")
@declared("outcome", "network", needed=False)
@declared("measure", "network", needed=False)
@declared("engine", "network", needed=False)
@declared("model", "network", needed=False)
@declared("tau", "network", needed=False)
@AS_OF
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=NEAREST,
    show_default=True,
    metavar="N",
    help="Print the nearest N effects of studies, and the nearest N comparisons.",
)
@click.option(
    "--region",
    type=(click.IntRange(min=1), click.IntRange(min=1)),
    metavar="N N",
    help="Of -o: draw how these two may change together, by their numbers in the table.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv", "md")),
    default="table",
    show_default=True,
    help="A table to read; or all rows of result_threshold, with every digit.",
)
@output_option("Draw a picture, too: svg, png, pdf, html, json or csv by its ending.")
def threshold(
    review: str,
    analysis: str | None,
    decision: str | None,
    plausible_bias: float | None,
    refit: int | None,
    rows: int,
    region: tuple[int, int] | None,
    form: str,
    output: Path | None,
    model: str | None,
    as_of: str | None,
    **question: Any,
) -> None:
    """Say by how much what studies found would have to change before the best treatment changes.

    ANALYSIS is a network of the review's plan; without it the only one, or the question that --outcome and
    --measure put. Standard errors and heterogeneity are held as they were found; --refit estimates tau anew.
    (Phillippo et al. 2018, doi:10.1111/rssa.12341.)
    """
    from analysis.plot import threshold_rows
    from evidence.commands.analyses import model_of
    from evidence.opening import open as open_base

    if region and output is None:
        raise CallError("--region draws a picture: say where to, -o region.svg.")
    given = {name: value for name, value in question.items() if value is not None}
    if model is not None:
        given["model"] = model_of(model)
    with status() as say, open_base(review, as_of=as_of) as db:
        announce(db)
        announce_as_of(db)
        subject = _network(db, analysis, given, say)
        say("finding thresholds")
        found = subject.network_fit.thresholds(
            decision or "best", refit=refit or 0, plausible_bias=plausible_bias
        )
        if output is not None:
            say("drawing")
            _draw(subject, decision, region, output)
    if form == "table":
        some = threshold_rows(subject, found)
        show_thresholds(some, subject.effect, subject.review.studies, sys.stdout, rows)
    else:
        _write(found, form, sys.stdout)
    if output is not None:
        click.echo(str(output), err=form != "table")


def _network(db: EvidenceBase, analysis: str | None, given: dict[str, Any], say: Any) -> Subject:
    """Fit the network that is meant: one of the plan, or of the question that is put in full."""
    from analysis import plan
    from analysis.plot import Subject
    from evidence import facts

    able = facts.offering("thresholds")
    if given.get("engine", able[0]) not in able:
        raise CallError(
            f"The engine {given['engine']} has no thresholds: take the engine {' or '.join(able)}."
        )
    asked = given
    rows = db.rows("select * from plan where kind = 'network' order by position, analysis")
    if analysis is not None or not {"outcome", "measure"} <= given.keys():
        row = _planned(rows, analysis, given)
        engine = given.get("engine", row["engine"])
        if "engine" not in given and engine not in able:
            engine = able[0]
            click.echo(
                f"Note: the engine {row['engine']} has no thresholds; these are of {engine}.", err=True
            )
        asked = plan.planned_options({**row, "engine": engine}) | given
    fit, _ = plan.fitted(db, "network", asked, progress=say)
    return Subject.of(fit)


def _planned(rows: list[dict[str, Any]], analysis: str | None, given: dict[str, Any]) -> dict[str, Any]:
    from evidence.names import suggestion

    every = [row["analysis"] for row in rows]
    if analysis is not None and analysis not in every:
        there = suggestion(analysis, every) if every else "name --outcome and --measure"
        raise CallError(f"The plan has no network that is called {analysis!r}: {there}.")
    found = [
        row
        for row in rows
        if analysis in (None, row["analysis"])
        and all(given.get(name, row[name]) == row[name] for name in ("outcome", "measure"))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CallError("The plan has no such network: name --outcome and --measure.")
    raise CallError(
        f"The plan has {len(found)} networks: name one, such as {found[0]['analysis']}; there are "
        f"{', '.join(row['analysis'] for row in found)}."
    )


def _draw(subject: Subject, decision: str | None, region: tuple[int, int] | None, output: Path) -> None:
    from analysis import plot
    from analysis.charts.base.files import FORMATS, save

    form = output.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise CallError(f"{output.name!r} ends in no format of a picture: {', '.join(FORMATS)}.")
    own: dict[str, Any] = {} if decision is None else {"decision": decision}
    if region is not None:
        own |= {"first": region[0], "second": region[1]}
    chart = plot.of_fit(subject, "threshold_forest" if region is None else "threshold_region", **own)
    save(chart, str(output)[: -len(form) - 1], (form,))


def _write(found: Any, form: str, stream: TextIO) -> None:
    from evidence.output import write_csv, write_markdown
    from evidence.system.frames import records

    columns = list(found.columns)
    rows = records(found)
    if form == "json":
        json.dump(rows, stream, ensure_ascii=False, allow_nan=False, indent=1)
        stream.write("\n")
        return
    cells = ([row[column] for column in columns] for row in rows)
    (write_csv if form == "csv" else write_markdown)(columns, cells, stream)
