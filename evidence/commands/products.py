"""Commands that write something for others: report, site, export."""

from __future__ import annotations

from pathlib import Path

import click

from evidence.commands.options import AS_OF, FILE, WHERE, Choices, example, previous_of, taking_over
from evidence.commands.progress import status
from evidence.errors import CallError
from evidence.exporters import WRITERS
from evidence.facts.languages import LANGUAGES

INTO = click.option(
    "-o",
    "--output",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder.",
)


@click.command(epilog=example("evidence report diabetes -o diabetes-report"))
@click.argument("review", metavar="REVIEW")
@INTO
@AS_OF
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if an analysis is refused or a claim of the review does not hold.",
)
@click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    help="Language of the fixed texts; that of review.toml, or English, without it.",
)
@click.option(
    "--since",
    metavar="OLD",
    help="Open with what changed since this state: a file, folder, bundled name, or REVIEW@REVISION.",
)
@taking_over
def report(
    review: str,
    directory: Path,
    as_of: str | None,
    strict: bool,
    language: str | None,
    since: str | None,
    previous: Path | None,
    fresh: bool,
) -> None:
    """Build a review, carry out its plan, and write the report with all tables and figures.

    Analyses that did not change are taken from the report that is replaced; standard error says which.
    Sentences in claims.csv are printed as claims that hold only if their queries say so.
    """
    from analysis.changed.kept import since_kept
    from analysis.report import write

    if since is not None and as_of is not None:
        raise CallError(
            "--since and --as-of are one too many: build the review as of then, and report that file."
        )
    with status() as say, since_kept(since, review, progress=say) as source:
        path = write(
            source,
            directory,
            as_of=as_of,
            strict=strict,
            language=language,
            previous=previous_of(previous, fresh, None),
            fresh=fresh,
            told=_tell,
            progress=say,
        )
    click.echo(str(path))


def _tell(lines: list[str]) -> None:
    """Say what became of every analysis."""
    for line in lines:
        click.echo(line, err=True)


@click.command(epilog=example("evidence site diabetes -o diabetes-site"))
@click.argument("review", metavar="REVIEW")
@INTO
@click.option(
    "--wasm",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with DuckDB for browsers, where it is not installed (pip install ./wasm).",
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port for --open. Default: any free one.",
)
@taking_over
def site(
    review: str,
    directory: Path,
    wasm: Path | None,
    opens: bool,
    port: int,
    previous: Path | None,
    fresh: bool,
) -> None:
    """Write the report, and beside it a page on which readers ask its data.

    The explorer runs SQL in the reader's browser, leaves studies out and changes priors. It needs no server
    but one that gives files, or none, and asks nothing of any other place.
    """
    from analysis import site as sites

    with status() as say:
        path = sites.write(
            review,
            directory,
            wasm=wasm,
            previous=previous_of(previous, fresh, None),
            fresh=fresh,
            told=_tell,
            progress=say,
        )
    click.echo(str(path))
    if sites.find(wasm) is None:
        click.echo(sites.REMEDY, err=True)
    if opens:
        _show(directory, port)


def _show(directory: Path, port: int) -> None:
    """Serve a site to this machine alone, and open its explorer."""
    import webbrowser

    from analysis import site as sites

    with sites.serve(directory, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/explorer.html"
        click.echo(f"{address} until Ctrl-C", err=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)


@click.command(
    epilog=example(
        """evidence export maternal-diet --to rats --format csv,parquet --where "species = 'rat'\""""
    )
)
@FILE
@click.option(
    "--to",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder to write.",
)
@click.option(
    "--format",
    "formats",
    type=Choices(*WRITERS),
    default="csv",
    show_default=True,
    help="One or more, separated by commas.",
)
@WHERE
@AS_OF
@click.option("--outcomes", metavar="SQL", help="Only outcomes that meet this: \"kind = 'binary'\".")
@click.option(
    "--treatments", metavar="SQL", help="Only arms whose treatment meets this: \"class = 'statin'\"."
)
@click.option(
    "--storage",
    metavar="VERSION",
    help="With --format duckdb: v1.2.0, v1.4.0 or v1.5.0 (default), the oldest DuckDB that opens the file.",
)
def export(file: str, directory: Path, formats: tuple[str, ...], **conditions: str | None) -> None:
    """Write the evidence, or a subset of it, with data dictionary and provenance.

    A subset holds the rows selected, and every view computed from these alone. What describes the review as
    a whole (searches, screening, published numbers, results) is left out of it. A condition may ask any
    table or view: --where "study in (select study from rob_judgement where judgement = 'low')".
    """
    import json

    from evidence.export import export as write

    with status() as say:
        say("exporting")
        files = write(file, directory, formats, **conditions)
    lost: dict[str, list[str]] = {}
    for name, losses in json.loads(files[-1].read_text(encoding="utf-8"))["losses"].items():
        for loss in losses:
            lost.setdefault(loss, []).append(name)
    for loss, names in lost.items():
        click.echo(f"{', '.join(names)}: {loss}", err=True)
    click.echo(f"{len(files)} files in {directory}, described in {directory / 'dictionary.md'}")


@click.command(epilog=example("evidence gallery -o gallery"))
@INTO
def gallery(directory: Path) -> None:
    """Draw every chart on the bundled reviews, on one page and as files."""
    from analysis.plot.gallery import write

    with status() as say:
        path = write(directory, progress=say)
    click.echo(str(path))
