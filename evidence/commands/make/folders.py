"""Commands on review folders: reviews, new, build, check."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.commands.options import (
    AS_OF,
    FILE,
    announce,
    announce_as_of,
    example,
    output_option,
    previous_of,
    taking_over,
)
from evidence.commands.progress import status

if TYPE_CHECKING:
    from analysis.living.update import Previous
    from evidence.checking.mending import Effect
    from evidence.query import EvidenceBase


@click.command(epilog=example("evidence reviews"))
def reviews() -> None:
    """List the bundled reviews.

    A bundled review's name works wherever a review folder or a file does.
    """
    import tomllib

    from evidence.output import write_table
    from evidence.review import FILE_NAME, bundled

    rows = []
    for name, folder in bundled().items():
        about = tomllib.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        lines = (folder / "studies.csv").read_text(encoding="utf-8").splitlines()
        data = "simulated" if about.get("synthetic") else "real"
        rows.append((name, about["title"], len(lines) - 1, data))
    write_table(("review", "title", "studies", "data"), rows, sys.stdout)


@click.command(
    epilog=example(
        "evidence new my-review", "evidence new of-my-own --from-question", "evidence build my-review"
    )
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--from-question",
    "asked",
    is_flag=True,
    help="Ask for question, treatments, outcomes, design and tool, and begin with these.",
)
@click.option(
    "--answers",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read what --from-question asks from a TOML file.",
)
def new(directory: Path, asked: bool, answers: Path | None) -> None:
    """Write a review folder to fill in: a worked example, or what a few questions say.

    The folder builds as it stands. Its README.md says what each file, column and key holds; an editor that
    knows JSON Schema and Frictionless finds what it needs beside it.
    """
    from evidence.errors import CallError
    from evidence.folder import interview
    from evidence.system import files
    from evidence.system.resources import template_directory

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise CallError(f"{str(directory)!r} is there already and not empty: name a new folder.")
    said = interview.read_answers(answers) if answers else interview.interview(_ask) if asked else None
    with files.directory(directory) as staged:
        if said is None:
            shutil.copytree(template_directory(), staged, dirs_exist_ok=True)
        else:
            interview.write(said, staged)
        _describe(staged, directory.resolve().name)
    if said is None:
        click.echo(f"{directory} holds a worked example with invented numbers. Replace them, then:")
    else:
        click.echo(f"{directory} holds your question. Add studies, arms and measurements, then:")
    click.echo(f"  evidence build {directory}")


def _ask(words: str, *, check: Callable[[Any], Any], default: Any = None) -> Any:
    """Ask on the terminal until the answer is one that may be given."""
    from evidence.errors import CallError

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    try:
        return click.prompt(words, default=default, value_proc=checked, show_default=bool(default))
    except click.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        raise CallError(
            f"There is no answer to {words.strip()!r}: give all of them, a line each, or --answers FILE."
        ) from None


@click.command(epilog=example("evidence describe my-review"))
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
def describe(directory: Path) -> None:
    """Write what helps people and editors into a review folder: README.md and two schemas.

    README.md says what each file, column and key holds (one that you wrote yourself is left alone);
    review.schema.json and datapackage.json say the same to editors and to Frictionless.
    """
    for path in _describe(directory):
        click.echo(path)
    text = (
        (directory / "review.toml").read_text(encoding="utf-8")
        if (directory / "review.toml").is_file()
        else ""
    )
    if not text.startswith("#:schema"):
        click.echo("For completion in an editor, begin review.toml with: #:schema ./review.schema.json")


def _describe(folder: Path, name: str | None = None) -> list[Path]:
    """Write guide and schemas; the guide only where there is none but ours."""
    from evidence.folder import guide, schemas

    written = schemas.write(folder, name)
    readme = folder / "README.md"
    if not readme.is_file() or readme.read_text(encoding="utf-8", errors="replace").startswith(
        guide.TITLE + "\n"
    ):
        readme.write_text(guide.guide(), encoding="utf-8")
        written.append(readme)
    return written


@click.command(epilog=example("evidence build diabetes -o diabetes.duckdb"))
@click.argument("review", metavar="REVIEW")
@output_option("The file to write. Default: NAME.duckdb in the current folder.")
@AS_OF
@taking_over
def build(review: str, output: Path | None, as_of: str | None, previous: Path | None, fresh: bool) -> None:
    """Compile a review folder into one DuckDB file.

    Every error of the folder is listed, with file, line and what would be right; nothing is written then,
    and an older file stays as it was. Results of an older file that still hold are taken over; standard error
    says why others do not.
    """
    from evidence.build import build as compile_review
    from evidence.opening import open as open_base
    from evidence.review import find

    there = output or Path(f"{find(review).resolve().name}.duckdb")
    with status() as say, _earlier(previous_of(previous, fresh, there)) as old:
        path = compile_review(review, output, as_of=as_of, progress=say)
        lines, missing = _take_over(path, old, say) if old is not None else ([], 0)
        say("counting what is in it")
        with open_base(path) as db:
            announce_as_of(db)
            counts = _what_is_in(db)
            warnings, unused, unneeded = _what_is_amiss(db)
    for line in lines:
        click.echo(line, err=True)
    words = [_counted(n, what) for what, n in counts.items()] or ["nothing but its protocol"]
    click.echo(f"{path}: {', '.join(words)}.")
    if warnings:
        click.echo(f"{_counted(warnings, 'warning')}: evidence check {path}")
    if missing:
        analyses = "1 analysis" if missing == 1 else f"{missing} analyses"
        click.echo(f"{analyses} of the plan to be run: evidence analyse {path}")
    if unused:
        click.echo(f"{_counted(unused, 'row')} cannot be used: evidence sql {path} 'from left_out'")
    if unneeded:
        click.echo(
            f"{_counted(unneeded, 'row')} {'is' if unneeded == 1 else 'are'} of another time point or "
            f"reading than the one that counts: evidence sql {path} 'from exclusion'"
        )


def _what_is_in(db: EvidenceBase) -> dict[str, int]:
    """Count the rows of the main tables that have some."""
    for tables in (_MAIN, _FOUND):
        found = {what: db.value(f"select count(*) from {table}") for table, what in tables.items()}
        if counts := {what: n for what, n in found.items() if n}:
            return counts
    return {}


def _what_is_amiss(db: EvidenceBase) -> tuple[int, int, int]:
    """Count warnings, rows that cannot be used, and rows of another time point or reading."""
    warnings = db.value("select count(*) from build_warning where severity = 'warning'")
    unused = db.value("select count(*) from left_out")
    return warnings, unused, db.value("select count(*) from exclusion where measure is null") - unused


_MAIN = {
    name: name.replace("_", " ")
    for name in ("study", "arm", "treatment", "outcome", "measurement", "reported_contrast")
}
_FOUND = {"record": "record", "screening": "screening decision", "flow": "count of the flow diagram"}
"""Tables, and the word for one of their rows: a review may begin with its records, or its flow diagram."""


@contextmanager
def _earlier(file: Path | None) -> Iterator[Previous | None]:
    """Open the file that results are taken from; None where there is none: to read takes long to load."""
    if file is None or not file.exists():
        yield None
        return
    from analysis.living.update import opened

    with opened(file) as old:
        yield old


def _take_over(path: Path, old: Previous, say: Callable[[str], None]) -> tuple[list[str], int]:
    """Keep the results that still hold: what is said of each analysis, and how many are to be run."""
    from analysis.living.update import Updated, taken_over
    from evidence.opening import open as open_base
    from evidence.results import save

    found = Updated()
    if old.n_runs:
        say("looking which results still hold")
        with open_base(path) as db:
            found = taken_over(db, old.db)
    if found.runs:
        say("keeping the results")
        save(path, found.runs)
    refused = [f"{name} cannot be carried out: {error}" for name, error in found.refused.items()]
    gone = [f"{_counted(old.by_hand, 'run')} of no plan: not taken over"] if old.by_hand else []
    return [*old.lines(found, "to be run again"), *refused, *gone], len(found.rerun)


@click.command(epilog=example("evidence check diabetes", "evidence check my-review --mend 5"))
@FILE
@click.option(
    "--mend",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="For how many numbers that look mistyped, the likeliest first, to show what mending would change.",
)
def check(file: str, mend: int) -> None:
    """Run every audit on an evidence base or review folder.

    Prints what is wrong or doubtful, with file and line; then, for numbers that look mistyped, what the
    pooled results would be if they were mended. Exit code 1 on errors, 0 on warnings alone.
    """
    from evidence.checking.audit import run_audits
    from evidence.checking.mending import effects, telling
    from evidence.opening import open as open_base
    from evidence.output import write_table

    with status() as say, open_base(file) as db:
        announce(db)
        say("auditing")
        found = run_audits(db)
        mended = telling(db, effects(db, mend, say)) if mend else {}
        told = _mending_table(db, mended.values())
    for problem in found:
        click.echo(f"{problem.severity}: {problem}")
    if told:
        click.echo("If what looks mistyped were mended, each alone, random-effects estimates would move:")
        write_table(("suspicion", "comparison", "pooled now", "if mended"), told, sys.stdout)
    errors = sum(problem.severity == "error" for problem in found)
    click.echo(f"{_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}.")
    if errors:
        sys.exit(1)


def _mending_table(db: EvidenceBase, mended: Iterable[Effect]) -> list[tuple[str, str, str, str]]:
    logarithmic = {
        row["measure"] for row in db.rows("select measure from effect_measure where scale = 'log'")
    }

    def said(k: int, *estimate: float | None, log: bool) -> str:
        values = [math.exp(value) if log else value for value in estimate if value is not None]
        if len(values) < 3:
            return "nothing to pool"
        return f"{values[0]:.3g} ({values[1]:.3g} to {values[2]:.3g}), k = {k}"

    return [
        (
            effect.suspicion.replace("|main|", "|").rstrip("|"),
            f"{effect.outcome}, {effect.measure}: {effect.treatment_a} - {effect.treatment_b}",
            said(*effect[5:9], log=effect.measure in logarithmic),
            said(*effect[9:13], log=effect.measure in logarithmic),
        )
        for effect in mended
    ]


def _counted(n: int, what: str) -> str:
    """Count things in words: 1 study, 2 studies."""
    first, *rest = what.split(" of ", 1)
    plural = " of ".join([first[:-1] + "ies" if first.endswith("y") else first + "s", *rest])
    return f"{n} {what if n == 1 else plural}"
