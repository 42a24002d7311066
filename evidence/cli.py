"""The command line. Commands are imported when they are called: asking for help costs next to nothing."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import click

from evidence import __version__
from evidence.commands.lazy import LazyGroup
from evidence.commands.options import example
from evidence.errors import CallError, EvidenceError

COMMANDS = {
    "reviews": "evidence.commands.make.folders:reviews",
    "new": "evidence.commands.make.folders:new",
    "describe": "evidence.commands.make.folders:describe",
    "import": "evidence.commands.make.imports:import_",
    "records": "evidence.commands.make.records:records",
    "readings": "evidence.commands.make.readings:readings",
    "build": "evidence.commands.make.folders:build",
    "check": "evidence.commands.make.folders:check",
    "sql": "evidence.commands.ask:sql",
    "catalog": "evidence.commands.ask:catalog",
    "pool": "evidence.commands.analyses:pool",
    "nma": "evidence.commands.analyses:nma",
    "plot": "evidence.commands.plotting:plot",
    "analyse": "evidence.commands.analyses:analyse",
    "replay": "evidence.commands.replaying:replay",
    "update-worth": "evidence.commands.monitoring:update_worth",
    "threshold": "evidence.commands.firm:threshold",
    "multiverse": "evidence.commands.multiverse:multiverse",
    "audit": "evidence.commands.claims:audit",
    "trace": "evidence.commands.ask:trace",
    "diff": "evidence.commands.living:diff",
    "report": "evidence.commands.products:report",
    "site": "evidence.commands.products:site",
    "export": "evidence.commands.products:export",
    "simulate": "evidence.commands.make.simulation:simulate",
    "gallery": "evidence.commands.products:gallery",
}
"""Module and attribute of each command, in the order of the help."""

TASKS = {
    "Make a review": (
        "reviews",
        "new",
        "describe",
        "import",
        "records",
        "readings",
        "build",
        "check",
        "simulate",
        "shelf",
    ),
    "Ask it": ("sql", "catalog", "trace", "diff"),
    "Analyse": (
        "pool",
        "nma",
        "analyse",
        "audit",
        "replay",
        "update-worth",
        "multiverse",
        "threshold",
        "certainty",
    ),
    "Draw": ("plot", "gallery"),
    "Report": ("report", "site"),
    "Export": ("export",),
}
"""Commands by what one wants to do: the order of the help and of docs/cli.md."""


def by_task(names: Sequence[str]) -> dict[str, list[str]]:
    """Put commands under their tasks, each in the order of `names`; those of no task under more."""
    found = {task: [name for name in names if name in some] for task, some in TASKS.items()}
    known = {name for some in found.values() for name in some}
    found["More"] = [name for name in names if name not in known]
    return {task: some for task, some in found.items() if some}


class _Evidence(LazyGroup):
    """All commands; what is wrong with data or call is said in words and by the exit code."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Refuse what is no text: it could be written into no file."""
        for word in args:
            if "\0" in word or word != word.encode("utf-8", "replace").decode():
                context.fail(f"{word!a} is not text in UTF-8: rename the file, or write the option anew.")
        return super().parse_args(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the commands by task."""
        shown = self.list_commands(context)
        width = formatter.width - 6 - max(map(len, shown))
        for task, names in by_task(shown).items():
            with formatter.section(task):
                commands = ((name, self.get_command(context, name)) for name in names)
                formatter.write_dl([(name, c.get_short_help_str(width)) for name, c in commands if c])

    def invoke(self, context: click.Context) -> Any:
        """Run the command; what is wrong with data or call is said in words and by the exit code."""
        try:
            return super().invoke(context)
        except EvidenceError as error:
            raise _Told(error) from None
        except KeyboardInterrupt:
            raise _Told(_StoppedError()) from None
        except BrokenPipeError:
            raise  # Whoever read what is printed has had enough: click ends quietly.
        except OSError as error:
            raise _Told(_of_the_system(error)) from None
        except MemoryError:
            raise _Told(
                EvidenceError(
                    "There is not enough memory for this: ask for less at once, or on a larger machine."
                )
            ) from None
        except RuntimeError as error:
            # So does DuckDB say that Ctrl-C came in, with a cause or without.
            if isinstance(error.__cause__, KeyboardInterrupt) or str(error) == "Query interrupted":
                raise _Told(_StoppedError()) from None
            raise


class _StoppedError(EvidenceError):
    """Ctrl-C came in; the code is what a shell gives for it."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("Stopped by Ctrl-C: what was there is as it was, and nothing is left half written.")


class _Told(click.ClickException):
    """An `EvidenceError` on its way out: text on stderr, its exit code."""

    def __init__(self, error: EvidenceError) -> None:
        from evidence.names import visible

        super().__init__(visible(str(error)))
        self.exit_code = error.exit_code  # type: ignore[misc]


@click.group(
    cls=_Evidence,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("evidence report diabetes -o diabetes-report"),
)
@click.version_option(__version__, package_name="evidence-base", prog_name="evidence")
def cli() -> None:
    """Keep a systematic review's data as a database, to query, meta-analyse and report from.

    REVIEW and FILE are a DuckDB file, a review folder, or the name of a bundled review.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    It is 0 if all is done, 1 if the data are wrong, 2 if the call is wrong, 130 if Ctrl-C stopped it.
    """
    from evidence.system.start import start_light

    start_light()
    _open_what_is_closed()
    before, sys.unraisablehook = sys.unraisablehook, _heed
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="evidence")
    except KeyboardInterrupt:
        click.echo(f"Error: {_StoppedError()}", err=True)
        sys.exit(_StoppedError.exit_code)
    except OSError as error:  # of what click prints itself, such as the help
        click.echo(f"Error: {_of_the_system(error)}", err=True)
        sys.exit(CallError.exit_code)
    finally:
        sys.unraisablehook = before
        # Ctrl-C within code that Python makes of a text (a dataclass) leaves a mark, for which `python -m`
        # ends itself by the signal whatever the exit code; the next such code wipes it.
        exec("")


def _heed(unraisable: sys.UnraisableHookArgs) -> None:
    """Heed a Ctrl-C that falls where Python can only print it (the end of an object): it comes once more."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        # A moment later, when what Python ends here has ended.
        again = threading.Timer(0.02, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def _of_the_system(error: OSError) -> CallError:
    """Say what the operating system refused."""
    from evidence.system.files import reason

    if error.filename is None:
        return CallError(f"What is printed cannot be written: {reason(error)}.")
    return CallError(f"{str(error.filename)!r} cannot be read or written: {reason(error)}.")


def _open_what_is_closed() -> None:
    """Put the null device in place of standard streams that the caller closed (`>&-`).

    Else the next files that are opened would take their numbers, and what is printed would go into these.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()
