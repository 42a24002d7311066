"""Commands that make or extend a review folder from other people's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from evidence.commands.lazy import LazyGroup
from evidence.commands.options import example
from evidence.commands.progress import status
from evidence.importers import IMPORTERS
from evidence.importers.tables.targets import said


@click.group(
    "import",
    cls=LazyGroup,
    table={name: f"evidence.commands.make.imports:{name}" for name in IMPORTERS},
    epilog=example("evidence import arms trials.csv --into my-review --outcome hba1c --unit %"),
)
def import_() -> None:
    """Make or extend a review folder from a file of another tool."""


def source_and_folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every importer takes: the file to read, and the review folder to write."""
    for decorate in (
        click.option(
            "--into", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Review folder."
        ),
        click.argument("file", metavar="FILE", type=click.Path(exists=True, path_type=Path)),
    ):
        command = decorate(command)
    return command


def importer(name: str, *examples: str, more: str = "") -> Callable[[Callable[..., Any]], click.Command]:
    """Make the command of an importer, with its help."""
    found = IMPORTERS[name]
    help_ = f"{found.help}\n\nReads {found.formats}." + (f"\n\n{more}" if more else "")
    return click.command(name, help=help_, epilog=example(*examples))


def importer_command(
    name: str, *options: Callable[..., Any], examples: Sequence[str], more: str = ""
) -> click.Command:
    """Make the command of an importer that does nothing but call it and print its report."""

    def carry_out(file: Path, into: Path, **given: Any) -> None:
        with status() as say:
            say(f"reading {file.name}")
            report = IMPORTERS[name].load()(file, into, **given)
        click.echo(str(report))

    return importer(name, *examples, more=more)(having(source_and_folder, *options)(carry_out))


def having(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command options, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _pairs(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Take ``SOURCE=TARGET`` options apart."""
    from evidence.errors import CallError

    if bad := [item for item in given if "=" not in item]:
        raise CallError(f"--map {bad[0]!r} has no '=': write SOURCE=TARGET, for example 'SD diff=sd'.")
    pairs = [item.rsplit("=", 1) for item in given]
    for source, target in pairs:
        if others := [other for name, other in pairs if name == source and other != target]:
            raise CallError(f"{source!r} is mapped twice, to {target!r} and to {others[0]!r}: map it once.")
    return dict(pairs)


MAP = click.option(
    "--map",
    "--column",
    "mapping",
    multiple=True,
    callback=_pairs,
    metavar="SOURCE=TARGET",
    help="What a column stands for where its name does not say; SOURCE= leaves it out, SOURCE=mean+sd takes"
    " cells such as '210 (31)' apart. May be repeated.",
)
MAP_PLAIN = click.option(
    "--map",
    "mapping",
    multiple=True,
    callback=_pairs,
    metavar="SOURCE=TARGET",
    help="What a column stands for where its name does not say: 'Article DOI=doi'. May be repeated.",
)
ENCODING = click.option(
    "--encoding", metavar="NAME", help="Encoding of a text file that is not UTF-8: cp1252, latin-1, utf-16."
)
READING = (
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook."),
    click.option("--header", type=int, metavar="LINE", help="Line that names the columns; else the first."),
    ENCODING,
)
"""How a table is opened: `evidence.importers.table.Reading`."""
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check and report, write nothing.")


OF_TABLE = (
    MAP,
    click.option(
        "--rows",
        metavar="SQL",
        help="Take only rows that meet a condition on the table's columns: \"excluded = 'no'\".",
    ),
    click.option("--treatment", metavar="NAME", help="Name of the first group, where the table has none."),
    click.option("--control", metavar="NAME", help="Name of the second group, where the table has none."),
    click.option("--fill-down", is_flag=True, help="An empty study means the one above it (merged cells)."),
    click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="A text that stands for a missing number, besides NR, n/a and the like; kept in note. May be"
        " repeated.",
    ),
    click.option(
        "--number-studies",
        is_flag=True,
        help="Call the rows of a table that names no study by their numbers.",
    ),
)
"""How the rows and columns of a table are understood: `evidence.importers.tables.call.Call`."""
OF_ARMS = (
    click.option("--unit", metavar="UNIT", help="Unit of the outcome."),
    click.option("--measure", metavar="MEASURE", help="Effect measure of a table of contrasts."),
    click.option(
        "--scale",
        type=click.Choice(("natural", "log")),
        help="Whether ratios stand as printed (natural) or as logarithms; judged by the columns without it.",
    ),
    click.option(
        "--se-scale",
        type=click.Choice(("natural", "log")),
        help="Whether the SE beside ratios is that of the ratio itself (natural) or of its logarithm.",
    ),
    click.option(
        "--lower-is-better/--higher-is-better", default=None, help="Direction of benefit of the outcome."
    ),
    click.option(
        "--event-is-bad/--event-is-good",
        default=None,
        help="Of a time-to-event outcome: the direction of its hazard ratio.",
    ),
    click.option("--label", metavar="TEXT", help="Printed name of the outcome."),
    *OF_TABLE,
)
"""What a table of arms or contrasts is read with, whichever program wrote it."""


arms = importer_command(
    "arms",
    click.option(
        "--outcome",
        metavar="OUTCOME",
        help="Outcome that the table is about; without it, all those of a table with a column of outcomes.",
    ),
    *OF_ARMS,
    *READING,
    DRY_RUN,
    examples=[
        "evidence import arms trials.csv --into my-review --outcome hba1c --unit % --lower-is-better",
        "evidence import arms deaths.xlsx --into my-review --outcome death --map author+year=study "
        "--map 'Deaths %=percent'",
    ],
    more=f"Targets of --map {said()}.",
)


references = importer_command(
    "references",
    click.option("--database", metavar="NAME", help="Database or register that was searched."),
    click.option("--date", metavar="DATE", help="Day of the search, year-month-day."),
    click.option("--query", metavar="TEXT", help="Query as typed there."),
    *READING,
    DRY_RUN,
    examples=[
        "evidence import references pubmed.nbib --into my-review --database PubMed --date 2024-05-03",
        "evidence import references embase.ris --into my-review --database Embase --date 2024-05-03",
    ],
)


@importer(
    "duplicates",
    "evidence import duplicates --into my-review --propose duplicates.csv",
    "evidence import duplicates duplicates.csv --into my-review",
)
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--into", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Review folder.")
@click.option(
    "--propose", type=click.Path(path_type=Path), metavar="CSV", help="Write proposals to this file."
)
@click.option(
    "--accept-sure",
    is_flag=True,
    help="With --propose: fill in yes where nothing speaks against it, so that the doubtful pairs are left.",
)
@having(*READING, DRY_RUN)
def duplicates(
    file: Path | None, into: Path, propose: Path | None, accept_sure: bool, dry_run: bool, **reading: Any
) -> None:
    """Carry out the importer `duplicates`."""
    from evidence.errors import CallError
    from evidence.importers.duplicates import confirm, write_proposals

    if (file is None) == (propose is None):
        raise CallError("Give either a FILE of confirmed proposals, or --propose with the file to write.")
    if propose is not None:
        found = write_proposals(into, propose, accept_sure=accept_sure)
        ask = sum(proposal.certainty == "ask" for proposal in found)
        click.echo(
            f"{len(found)} proposal{'s' * (len(found) != 1)} in {propose}, {ask} of them doubtful (certainty"
            " ask); nothing was marked."
        )
    elif file is not None:
        with status() as say:
            say(f"comparing the records of {file.name}")
            confirmed = confirm(file, into, dry_run=dry_run, **reading)
        click.echo(str(confirmed))


retractions = importer_command(
    "retractions",
    MAP_PLAIN,
    *READING,
    DRY_RUN,
    examples=["evidence import retractions retraction_watch.csv --into my-review"],
)


screening = importer_command(
    "screening",
    click.option("--reviewer", metavar="NAME", help="Who decided, where the table does not say."),
    click.option(
        "--stage", metavar="STAGE", help="title_abstract or full_text, where the table does not say."
    ),
    MAP,
    *READING,
    DRY_RUN,
    examples=[
        "evidence import screening decisions-ab.csv --into my-review --reviewer AB --stage title_abstract"
    ],
)


syrf = importer_command(
    "syrf",
    click.option("--time-unit", metavar="UNIT", help="Unit of the time column: min, h, d, wk ..."),
    click.option("--annotator", metavar="ID", help="Whose rows count in studies that nobody reconciled."),
    click.option("--control", metavar="NAME", help="One name for the treatment of all control arms."),
    click.option("--iqr-to-sd", is_flag=True, help="Take SD = IQR/1.35 where an IQR is given as one number."),
    click.option(
        "--map",
        "mapping",
        multiple=True,
        callback=_pairs,
        metavar="SOURCE=TARGET",
        help="A question to an item of a tool ('Blinded?=SYRCLE:7'), or a column to what SyRF's own stands"
        " for; SOURCE= leaves it out. May be repeated.",
    ),
    *READING,
    DRY_RUN,
    examples=["evidence import syrf export.csv --into my-review --time-unit d --control vehicle"],
)


extraction = importer_command(
    "extraction",
    click.option(
        "--extractor", required=True, metavar="NAME", help="Who read it; consensus for what was agreed on."
    ),
    click.option(
        "--outcome", metavar="OUTCOME", help="Outcome that the table is about, where it has no column of it."
    ),
    *OF_TABLE,
    *READING,
    DRY_RUN,
    examples=["evidence import extraction table-bw.csv --into my-review --extractor BW"],
)


robvis = importer_command(
    "robvis",
    click.option(
        "--tool",
        metavar="TOOL",
        help="RoB 1, RoB 2 (cluster, crossover), ROBINS-I, ROBINS-I V2, ROBINS-E, QUADAS-2, QUIPS, SYRCLE,"
        " INSPECT-SR, NOS or JBI with the design, or the folder's own; where columns and cells do not tell.",
    ),
    click.option("--assessor", metavar="NAME", help="Who judged."),
    click.option("--outcome", metavar="OUTCOME", help="Outcome that the judgements are for; all without it."),
    click.option(
        "--map",
        "mapping",
        multiple=True,
        callback=_pairs,
        metavar="SOURCE=TARGET",
        help="A column to an item ('Blinded?=7'), to 'ITEM support', study, outcome, assessor or comment; a"
        " cell to a judgement ('x=high'); a study's name to the folder's. SOURCE= leaves it out. May be"
        " repeated.",
    ),
    *READING,
    DRY_RUN,
    examples=["evidence import robvis rob2.csv --into my-review --assessor AB"],
)


prisma = importer_command(
    "prisma",
    *READING,
    DRY_RUN,
    examples=["evidence import prisma PRISMA.csv --into my-review"],
)


@importer(
    "revman",
    "evidence import revman CD001234.rm5 --into my-review",
    "evidence import revman study-results.csv --arms study-arms.csv --into my-review",
)
@source_and_folder
@click.option("--treatment", metavar="NAME", help="Name of the experimental group, where the file has none.")
@click.option("--control", metavar="NAME", help="Name of the control group, where the file has none.")
@click.option(
    "--arms",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="Of study data: RevMan's table of what each arm was given.",
)
@click.option("--outcome", metavar="OUTCOME", help="Outcome of study data that names none.")
@having(*READING, DRY_RUN)
def revman(file: Path, into: Path, dry_run: bool, **options: Any) -> None:
    """Carry out the importer `revman`."""
    from evidence.commands.make.revman import beside_revman

    with status() as say:
        say(f"reading {file.name}")
        report, analyses = IMPORTERS["revman"].load()(file, into, dry_run=dry_run, **options)
    click.echo(str(report))
    if not dry_run and analyses:
        beside_revman(analyses, into)


OUTCOME = click.option("--outcome", required=True, metavar="OUTCOME", help="Outcome that the data are about.")


gemtc = importer_command(
    "gemtc",
    OUTCOME,
    *OF_ARMS,
    ENCODING,
    DRY_RUN,
    examples=["evidence import gemtc network.gemtc.xml --into my-review --outcome death"],
)


bugs = importer_command(
    "bugs",
    OUTCOME,
    *OF_ARMS,
    click.option(
        "--name",
        "names",
        multiple=True,
        callback=_pairs,
        metavar="NUMBER=TREATMENT",
        help="Name of a treatment.",
    ),
    click.option(
        "--by-column/--by-row",
        default=None,
        help="Order of the matrices, where the file's form does not tell.",
    ),
    ENCODING,
    DRY_RUN,
    examples=[
        "evidence import bugs data.txt --into my-review --outcome death --name 1=placebo --name 2=drug"
    ],
)


metalab = importer_command(
    "metalab",
    click.option("--outcome", required=True, metavar="OUTCOME", help="What the effects are about."),
    click.option(
        "--lower-is-better/--higher-is-better", default=None, help="Direction of benefit of the outcome."
    ),
    click.option(
        "--treatment", metavar="NAME", default="treatment", show_default=True, help="What stands in x_1."
    ),
    click.option(
        "--control",
        metavar="NAME",
        default="control",
        show_default=True,
        help="What stands in x_2, or chance.",
    ),
    *READING,
    DRY_RUN,
    examples=["evidence import metalab gaze_following.csv --into my-review --outcome 'gaze following'"],
)


metapsy = importer_command(
    "metapsy",
    click.option(
        "--control", "controls", multiple=True, metavar="NAME", help="A condition that is a control."
    ),
    *READING,
    DRY_RUN,
    examples=["evidence import metapsy depression.xlsx --into my-review --control wl --control cau"],
)
