"""Commands that ask an evidence base: sql, catalog, trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.commands.options import AS_OF, FILE, Seconds, announce, example, memory_option, output_option
from evidence.commands.progress import status

if TYPE_CHECKING:
    from rich.tree import Tree

    from evidence.catalog import Origin
    from evidence.query import EvidenceBase
    from evidence.trace import Part

FORMATS = ("table", "csv", "json", "md", "parquet", "xlsx")


@click.command(
    epilog=example("""evidence sql diabetes "select * from pooled where measure = 'MD'" --format csv""")
)
@FILE
@click.argument("query", metavar="QUERY")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to write the answer. Default: by the name of the output file, else table.",
)
@output_option("Write the answer into this file (parquet and xlsx need one).")
@click.option(
    "--timeout",
    type=Seconds(),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Stop the query after so many seconds.",
)
@memory_option
@AS_OF
def sql(
    file: str, query: str, form: str | None, output: Path | None, timeout: float, as_of: str | None
) -> None:
    """Run one SQL query, read-only.

    The query sees the evidence base and nothing else: no other file, no network, no settings; it is
    stopped when it takes too long or wants too much memory. A dash in place of QUERY reads it from
    standard input.
    """
    from evidence import opening
    from evidence import output as write
    from evidence.checking import gate
    from evidence.errors import CallError
    from evidence.system import files

    if query == "-":
        query = sys.stdin.read()
    form = form or _form_of(output)
    if output is None and form in ("parquet", "xlsx"):
        raise CallError(f"--format {form} needs a file to write to: add -o answer.{form}.")
    asking = f"asking, for {timeout:g} s at most"
    with status() as say:
        say(f"opening {file}")
        resolved = opening.resolve(file, as_of)
    with opening.open(resolved) as db:
        announce(db)
        about = [("query", query), ("evidence base", file), *_build_info(db)]
        if output is None:
            with status() as say:
                say(asking)
                answer = gate.ask(db, query, timeout=timeout)
            write.TEXT_WRITERS[form](answer.columns, answer.rows, sys.stdout)
            return
        with status() as say, files.replacing(output, inputs=[resolved]) as temporary:
            say(asking)
            if form == "parquet":
                gate.save_parquet(db, query, temporary, timeout=timeout)
                return
            answer = gate.ask(db, query, timeout=timeout)
            if form == "xlsx":
                write.write_xlsx(answer.columns, answer.rows, temporary, about)
            else:
                with temporary.open("w", encoding="utf-8", newline="") as stream:
                    write.TEXT_WRITERS[form](answer.columns, answer.rows, stream)


@click.command(
    epilog=example(
        "evidence catalog diabetes contrast", "evidence catalog diabetes --lineage contrast.estimate"
    )
)
@FILE
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--lineage", metavar="COLUMN", help="Follow this column (of NAME, or NAME.COLUMN) to its sources."
)
@click.option("--all", "every", is_flag=True, help="List steps, tools and reference data, too.")
@click.option("--sql", "definition", is_flag=True, help="Of NAME, print the definition in SQL, too.")
def catalog(file: str, name: str | None, lineage: str | None, every: bool, definition: bool) -> None:
    """Show what tables, views and macros there are, and what they mean.

    What a reviewer asks first stands first. With NAME, its whole documentation and every column. With
    --lineage, the columns of views and tables that a column is computed from.
    """
    from evidence.catalog import Catalog, grouped
    from evidence.errors import CallError
    from evidence.opening import open as open_base
    from evidence.opening import resolve
    from evidence.output import console, write_table

    with status() as say:
        say(f"opening {file}")
        resolved = resolve(file)
    with open_base(resolved) as db:
        known = Catalog(db)
        if lineage is not None:
            relation, _, column = lineage.rpartition(".")
            relation = relation or name or ""
            if not relation:
                raise CallError(f"Which {column!r}? Write VIEW.{column}, or name the view before --lineage.")
            console(sys.stdout).print(_tree(known.lineage(relation, column)))
        elif name is not None:
            entry = known.entry(name)
            click.echo(f"{entry.kind} {entry.signature}\n")
            click.echo(entry.comment + "\n")
            if entry.columns:
                rows = [(column.name, column.type.lower(), column.comment) for column in entry.columns]
                write_table(("column", "type", "meaning"), rows, sys.stdout)
            if definition:
                click.echo(_pretty(entry.sql) if entry.kind != "macro" else entry.sql)
        else:
            for said, entries in grouped(known, every=every).items():
                click.echo(f"{said[0].upper()}{said[1:]}")
                about = [(entry.signature, entry.title.partition(". ")[0]) for entry in entries]
                write_table(("name", "what it is"), about, sys.stdout)
            click.echo(
                "evidence catalog FILE NAME describes one of them" + ("." if every else "; --all lists all.")
            )


@click.command(
    epilog=example(
        "evidence analyse diabetes.duckdb",
        "evidence trace diabetes.duckdb hba1c-metformin/metf/plac/random",
    )
)
@FILE
@click.argument("row", metavar="[RESULT-ROW]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="A table to read, or one JSON object.",
)
def trace(file: str, row: str | None, form: str) -> None:
    """Show the rows and pages behind a number, heaviest first.

    RESULT-ROW is the address of a result (run/treatment/versus/model), a contrast_id, a measurement_id, or
    a file and line of the review folder. Without it, all addresses are listed.
    """
    import json
    from dataclasses import asdict

    from evidence import trace as tracing
    from evidence.opening import open as open_base
    from evidence.output import jsonable, write_table

    with status() as say, open_base(file) as db:
        announce(db)
        say("looking for the rows behind it")
        numbers = tracing.addresses(db) if row is None else {}
        found = None if row is None else tracing.trace(db, row)
    if found is None:
        cells = [
            (name, item["estimate"], item["ci_lower"], item["ci_upper"]) for name, item in numbers.items()
        ]
        write_table(("address", "estimate", "ci_lower", "ci_upper"), cells, sys.stdout)
        return
    if form == "json":
        click.echo(json.dumps(jsonable(asdict(found)), ensure_ascii=False, indent=2, default=str))
        return
    click.echo(found.address)
    shown = {key: value for key, value in found.number.items() if value is not None}
    write_table(("what", "value"), list(shown.items()), sys.stdout)
    write_table(
        ("weight %", "study", "effect", "se", "what", "as reported", "used as", "where", "how", "by", "row"),
        [line for part in found.parts for line in _lines(part)],
        sys.stdout,
    )
    for note in found.notes:
        click.echo(f"note: {note}")


def _lines(part: Part) -> Iterator[tuple[Any, ...]]:
    """Lay out a study's part: its own numbers on the first line, one line for each reading."""
    study = part.study if part.experiment in (None, "main") else f"{part.study} / {part.experiment}"
    weight = None if part.weight is None else 100 * part.weight
    head: tuple[Any, ...] = (weight, study, part.estimate, part.std_error)
    for reading in part.readings or (None,):
        if reading is None:
            yield (*head, *[None] * 7)
            continue
        where = ", ".join(item for item in (reading.source, reading.locator) if item)
        yield (
            *head,
            reading.what,
            reading.reported,
            reading.used_as,
            where,
            reading.method,
            reading.extractor,
            reading.place,
        )
        head = (None,) * 4


def _pretty(sql: str) -> str:
    import sqlglot

    try:
        return sqlglot.transpile(sql, read="duckdb", write="duckdb", pretty=True)[0]
    except (sqlglot.errors.SqlglotError, RecursionError):
        return sql.strip()


def _tree(origin: Origin) -> Tree:
    """Draw a lineage; steps that only hand a column on stand in one line."""
    from rich.text import Text
    from rich.tree import Tree

    names = [origin.name]
    while len(origin.sources) == 1 and origin.sources[0].column == origin.column:
        origin = origin.sources[0]
        names.append(origin.name)
    label = " < ".join(names)
    if origin.repeated:
        label += " (see above)"
    elif origin.kind == "view" and not origin.sources:
        label += " (of no column: a constant, or a count of rows)"
    tree = Tree(Text(label, style="bold" if origin.kind == "table" else ""), guide_style="dim")
    for source in origin.sources:
        tree.children.append(_tree(source))
    return tree


def _form_of(output: Path | None) -> str:
    suffix = output.suffix.lstrip(".").lower() if output is not None else ""
    return suffix if suffix in FORMATS else "table"


def _build_info(db: EvidenceBase) -> list[tuple[str, str]]:
    return [(row["key"], row["value"]) for row in db.rows("select key, value from build_info order by key")]
