"""The command that shows a review over time: replay."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from evidence import facts
from evidence.commands.options import example, output_option
from evidence.commands.progress import status

if TYPE_CHECKING:
    from analysis.living.replay import Replay

_TABLES = ("states", "estimates", "heterogeneity", "ranking", "timeline", "statements")


@click.command(
    epilog=example(
        "evidence replay diabetes",
        "evidence replay smoking --analysis cessation-network --format csv --table ranking -o ranks.csv",
        "evidence plot diabetes replay-ranks --analysis hba1c-network -o ranks.svg",
    )
)
@click.argument("review", metavar="REVIEW")
@click.option(
    "--by",
    type=click.Choice(("year",)),
    default="year",
    show_default=True,
    help="Look at the end of each year in which a study came to be known.",
)
@click.option(
    "--analysis",
    "analyses",
    multiple=True,
    metavar="NAME",
    help="Only this analysis of the plan; repeatable.",
)
@click.option(
    "--engine",
    type=click.Choice(facts.engines_of_normal()),
    help="Engine of every network. Default: the plan's; the exact one in place of mcmc and counts.",
)
@click.option(
    "--claims/--no-claims",
    default=True,
    show_default=True,
    help="Check the claims of claims.csv in each year.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "csv", "md")),
    default="text",
    show_default=True,
    help="Tables and sentences to read; all rows as one JSON object; or one kind of them as CSV or Markdown.",
)
@click.option("--table", type=click.Choice(_TABLES), help="Which rows csv or md prints. Default: estimates.")
@output_option("Write into this file, not on the terminal.")
def replay(
    review: str,
    by: str,
    analyses: tuple[str, ...],
    engine: str | None,
    claims: bool,
    form: str,
    table: str | None,
    output: Path | None,
) -> None:
    """Show a review over time: every planned analysis as it could have been at the end of each year.

    Estimates, heterogeneity and ranks year by year; and of each thing that can be said now, since when it is
    true, after how many of the studies, and what was said before. What was known when: see --as-of of build.
    """
    from analysis.living.replay import replay as replayed
    from evidence.errors import CallError
    from evidence.system.files import replacing

    if table is not None and form not in ("csv", "md"):
        raise CallError("--table chooses the rows of --format csv or md: give one of these, too.")
    with status() as say:
        found = replayed(review, analyses=analyses, engine=engine, claims=claims, progress=say)
    if output is None:
        _write(found, form, table, sys.stdout)
        return
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        _write(found, form, table, stream)


def _write(found: Replay, form: str, table: str | None, stream: TextIO) -> None:
    from evidence.output import write_csv, write_markdown
    from evidence.system.frames import records

    if form == "json":
        json.dump(found.document(), stream, ensure_ascii=False, allow_nan=False, indent=1)
        stream.write("\n")
    elif form == "text":
        stream.writelines(f"{line}\n" for line in _text(found))
    else:
        frame = getattr(found, table or "estimates")
        columns = list(frame.columns)
        rows = ([row[column] for column in columns] for row in records(frame))
        (write_csv if form == "csv" else write_markdown)(columns, rows, stream)


def _text(found: Replay) -> Iterator[str]:
    """Say what happened, analysis by analysis."""
    import io

    from evidence.output import SYNTHETIC, write_table
    from evidence.system.frames import records

    if found.synthetic:
        yield SYNTHETIC
    yield found.dated()
    for name, states in found.states.groupby("analysis", sort=False):
        rows = records(states)
        yield ""
        yield f"{name}: {rows[0]['kind']}, {rows[0]['outcome']} ({rows[0]['measure']}), {rows[0]['engine']}"
        table = io.StringIO()
        lines = [_line(found, row) for row in rows]
        write_table(("year", "studies", *_heads(rows[0])), lines, table)
        yield table.getvalue().rstrip("\n")
        yield from (f"- {said}" for said in found.statements[found.statements["analysis"] == name]["said"])
        yield from sorted(
            {f"Note: {row['note']}." for row in rows if row["note"] and row["status"] != "refused"}
        )
    if len(claims := found.statements[found.statements["about"] == "claim"]):
        yield ""
        yield "Claims of the review:"
        yield from (f"- {said}" for said in claims["said"])


def _heads(state: dict[str, Any]) -> tuple[str, ...]:
    """Name what is told of each year of an analysis."""
    from evidence import facts

    if state["kind"] == "pairwise":
        return ("effect", "tau")
    score = facts.score(facts.engine(state["engine"]).score)
    return ("treatments", "ranks first", str(score["label"]), "tau")


def _line(found: Replay, state: dict[str, Any]) -> tuple[str, ...]:
    """Write one year of an analysis."""
    from evidence import facts
    from evidence.system.frames import records

    head = (str(state["year"]), str(state["n_studies"]))
    network = state["kind"] == "network"
    if state["status"] != "estimated":
        why = state["note"].splitlines()[0] if state["status"] == "refused" else state["status"]
        return (*head, why, *[""] * (len(_heads(state)) - 1))

    def of(frame: Any) -> list[dict[str, Any]]:
        chosen = frame[(frame["analysis"] == state["analysis"]) & (frame["year"] == state["year"])]
        return records(chosen)

    spread = next((row["tau"] for row in of(found.heterogeneity) if row["model"] == "random"), None)
    tau = "" if spread is None else f"{spread:.3g}"
    if network:
        first = next(
            (row for row in of(found.ranking) if row["place"] == 1 and row["model"] != "common"), None
        )
        if first is None:
            return (*head, str(int(state["n_treatments"])), "", "", tau)
        name = found.labels.get(first["treatment"], first["treatment"])
        score = first[facts.engine(first["engine"]).score]
        return (*head, str(int(state["n_treatments"])), name, f"{score:.0%}", tau)
    rows = {row["model"]: row for row in of(found.estimates)}
    row = next((rows[model] for model in ("random", "common") if rows[model]["ci_lower"] is not None), None)
    if row is None:
        return (*head, "no interval", tau)
    shown = facts.measure(str(state["measure"])).shown
    values = [row[name] for name in ("estimate", "ci_lower", "ci_upper")]
    estimate, lower, upper = (shown(value) for value in values)
    return (*head, f"{estimate:.3g} ({lower:.3g} to {upper:.3g})", tau)
