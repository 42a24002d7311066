"""The command that carries out every defensible analysis."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.commands.options import FILE, announce, example
from evidence.commands.progress import status
from evidence.errors import CallError

if TYPE_CHECKING:
    from analysis.firm.multiverse import Multiverse

_FORMATS = ("table", "json", "csv")
_TABLES = ("cells", "choices", "conclusions", "sources", "medians", "overturning", "permutation")


@click.command(
    epilog=example(
        "evidence multiverse diabetes hba1c-network",
        "evidence multiverse smoking cessation-individual --format csv --table overturning",
        "evidence multiverse diabetes hba1c-metformin --flips 999 -o metformin.svg",
    )
)
@FILE
@click.argument("analysis", metavar="[ANALYSIS]", required=False)
@click.option(
    "--where",
    "conditions",
    metavar="NAME=SQL",
    multiple=True,
    help="A condition that studies may have to meet, by a name: a choice of its own; repeat it.",
)
@click.option(
    "--leave-out",
    "columns",
    metavar="COLUMN",
    multiple=True,
    help="A variable of studies whose values are left out one by one, as labs or countries; repeat it.",
)
@click.option("--without", metavar="CHOICE", multiple=True, help="A choice that is none; repeat it.")
@click.option("--most", type=click.IntRange(min=1), help="Most cells.")
@click.option(
    "--flips",
    type=click.IntRange(min=0, max=100_000),
    default=0,
    show_default=True,
    help="Test whether the analyses agree more than chance: so many times signs of studies are flipped.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the flips.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="Tables to read; everything as one JSON object; or one kind of rows as CSV.",
)
@click.option(
    "--table",
    "table",
    type=click.Choice(_TABLES),
    default="cells",
    show_default=True,
    help="Which rows --format csv prints.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw the specification curve, too: svg, png, pdf, html, json or csv by its ending.",
)
def multiverse(
    file: str, analysis: str | None, conditions: tuple[str, ...], columns: tuple[str, ...],
    without: tuple[str, ...], most: int | None, flips: int, seed: int, form: str, table: str,
    output: Path | None,
) -> None:  # fmt: skip
    """Carry out every defensible analysis of a planned question.

    What could have been decided otherwise is decided in every way: effect measure, time point, studies at
    high risk of bias, tau or its prior, interval, pooling, dependence, and conditions and columns of your
    own, here or in review.toml ([protocol.multiverse]). Printed is how many analyses keep each conclusion,
    and on which choice it depends most.
    """
    from analysis import plan
    from analysis.firm.multiverse import multiverse as every
    from evidence.opening import open as open_base

    with status() as say, open_base(file) as db:
        announce(db)
        row = _planned(db, analysis)
        options = plan.planned_options(row)
        options["multiverse"] = _said(options.get("multiverse"), conditions, columns, without, most)
        found = every(db, row["kind"], options, progress=say)
        labels = {
            str(one["treatment"]): str(one["label"] or one["treatment"])
            for one in db.rows("select treatment, label from treatment")
        }
        if output is not None:
            _draw(db, row, found, output)
    if flips or table == "permutation":
        tested = found.permutation_test(flips or 999, seed)
    else:
        tested = None
    if form == "table":
        _show(row["analysis"], found, labels, tested)
    elif form == "csv":
        _csv(_frame(found, table, tested))
    else:
        names = [name for name in _TABLES if name != "permutation" or tested is not None]
        _json(row["analysis"], found, {name: _frame(found, name, tested) for name in names})
    if output is not None:
        click.echo(str(output), err=form != "table")


def _planned(db: Any, analysis: str | None) -> dict[str, Any]:
    """Find the analysis of the plan that is meant."""
    from evidence.names import not_found

    rows: list[dict[str, Any]] = db.rows("select * from plan order by position, analysis")
    found = [row for row in rows if analysis in (None, row["analysis"])]
    names = [str(row["analysis"]) for row in rows]
    if not rows:
        raise CallError("The review plans no analysis.")
    if analysis is not None and not found:
        raise CallError(not_found("analysis of the plan", analysis, names))
    if len(found) > 1:
        raise CallError(f"The plan has {len(found)} analyses: name one; there are {', '.join(names)}.")
    return found[0]


def _said(
    planned: Any, conditions: tuple[str, ...], columns: tuple[str, ...], without: tuple[str, ...],
    most: int | None,
) -> dict[str, Any]:  # fmt: skip
    said = dict(planned or {})
    for text in conditions:
        name, equals, condition = text.partition("=")
        if not (name.strip() and equals and condition.strip()):
            raise CallError(
                f"--where {text!r}: write a name, = and a condition, as in \"rats=species = 'rat'\"."
            )
        said["where"] = {**said.get("where", {}), name.strip(): condition.strip()}
    if columns:
        said["leave_out"] = [*said.get("leave_out", []), *columns]
    if without:
        said["without"] = [*said.get("without", []), *without]
    if most is not None:
        said["most"] = most
    return said


def _draw(db: Any, row: dict[str, Any], found: Multiverse, output: Path) -> None:
    from dataclasses import replace

    from analysis import plan
    from analysis.charts.base.files import save
    from analysis.plot.firm import specification_curve
    from analysis.plot.subject import Subject

    form = output.suffix.removeprefix(".").lower()
    if form not in ("svg", "png", "pdf", "html", "json", "csv"):
        raise CallError(f"{output.name!r} ends in no format of a picture: svg, png, pdf, html, json, csv.")
    fit, _ = plan.fitted(db, row["kind"], plan.planned_options(row))
    subject = Subject.of(fit)
    frames = {"multiverse": found.cells, "multiverse_choice": found.levels}
    chart = specification_curve(replace(subject, run=replace(subject.run, frames=frames)))
    save(chart, str(output)[: -len(form) - 1], (form,))


def _frame(found: Multiverse, name: str, tested: Any) -> Any:
    if name == "permutation":
        return tested
    if name == "choices":
        return found.levels
    return found.cells if name == "cells" else getattr(found, name)()


def _csv(frame: Any) -> None:
    from evidence.output import write_csv
    from evidence.system.frames import records

    rows = [list(row.values()) for row in records(frame)]
    write_csv(list(frame.columns), rows, sys.stdout)


def _json(analysis: str, found: Multiverse, frames: dict[str, Any]) -> None:
    from evidence.output import jsonable
    from evidence.system.frames import records

    tables = {
        name: [{key: jsonable(value) for key, value in row.items()} for row in records(frame)]
        for name, frame in frames.items()
    }
    head = {"analysis": analysis, "kind": found.kind, "dropped": list(found.dropped)}
    click.echo(json.dumps(head | tables, ensure_ascii=False, indent=1, allow_nan=False))


def _show(analysis: str, found: Multiverse, labels: dict[str, str], tested: Any) -> None:
    from analysis.firm.written import overview, size
    from evidence import facts
    from evidence.output import p_value, percent, significant, write_table
    from evidence.system.frames import records

    click.echo(f"{analysis}: {size(found)}")
    write_table(*overview(found, labels), sys.stdout)
    lead, measure = _lead(found), facts.measure(str(found.options["measure"]))
    medians = [row for row in records(found.medians()) if row["treatment"] == lead]
    click.echo(f"By level, {labels.get(lead, lead)}:")
    write_table(
        ["choice", "level", "analyses", "median estimate", "interval as planned"],
        [
            [
                row["choice"],
                row["level"] + (" (planned)" if row["position"] == 1 else ""),
                row["cells"],
                # A ratio is printed as one, as everywhere; what is kept is its logarithm.
                "" if row["estimate"] is None else significant(measure.shown(row["estimate"]), 3),
                percent(row["kept"], 0),
            ]
            for row in medians
        ],
        sys.stdout,
    )
    if tested is not None:
        click.echo()
        for row in records(tested):
            a, b = (labels.get(row[name], row[name]) for name in ("treatment", "versus"))
            click.echo(
                f"{a} versus {b}: effects as far from none in all {row['sets']} sets of data come about by "
                f"chance with p = {p_value(row['p_value'])} ({row['flips']:,} flips of signs)."
            )
    for said in found.dropped:
        click.echo(f"No choice: {said}.")


def _lead(found: Multiverse) -> str:
    best = found.planned["best"].iloc[0]
    there = list(found.planned["treatment"])
    return str(best if best in there else there[0])
