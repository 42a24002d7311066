"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evidence.folder import further
from evidence.folder.options import (
    BOTH,
    HEADINGS,
    OPTIONS,
    OUTPUT,
    Flag,
    Kind,
    Option,
    heading,
    options_of,
)

if TYPE_CHECKING:
    from evidence.query import EvidenceBase

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """Make the end of a command's help: how to call it, each line as it stands."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def announce(db: EvidenceBase) -> None:
    """Say on standard error that data are simulated, if they are: what is printed beside it shows them."""
    from evidence.output import SYNTHETIC

    if db.value("select coalesce(bool_or(synthetic), false) from review"):
        click.secho(SYNTHETIC, fg="red", bold=True, err=True)
    announce_as_of(db)
    if db.left_behind:
        names = ", ".join(db.left_behind)
        click.echo(f"Note: not of this package, and not read from the file: {names}.", err=True)


FILE = click.argument("file", metavar="FILE")
"""An evidence base: a file, a review folder, or the name of a bundled review."""

AS_OF = click.option(
    "--as-of",
    metavar="DATE",
    help="Take the review as it could have been at the end of a year, month or day (2015, 2015-06, "
    "2015-06-30): of a review folder or a bundled review.",
)


def announce_as_of(db: EvidenceBase) -> None:
    """Say on standard error what the review was cut to, and by which dates of its studies, if it was."""
    from evidence.folder.as_of import said_of

    if said := said_of({row["key"]: row["value"] for row in db.rows("select * from build_info")}):
        click.echo(said, err=True)


def taking_over(function: F) -> F:
    """Give a command the options that say where results are taken from that still hold."""
    function = click.option("--fresh", is_flag=True, help="Take no result from an earlier file.")(function)
    return click.option(
        "--previous",
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True),
        help="Take results that still hold from this file. Default: from what is there already.",
    )(function)


def previous_of(previous: Path | None, fresh: bool, default: Path | None) -> Path | None:
    """Find the earlier file: the one named, the one that is there, or none.

    Raises
    ------
    CallError
        If one is named, and none is to be taken from.
    """
    if previous is not None and fresh:
        from evidence.errors import CallError

        raise CallError("--fresh takes nothing from an earlier file: leave it out, or --previous.")
    return None if fresh else previous or default


_TYPES: dict[type, Any] = {str: click.STRING, float: click.FLOAT, int: click.IntRange(min=0)}


def declared(name: str, kind: Kind, *, needed: bool = True) -> Callable[[F], F]:
    """Make the option of a command from what an option of an analysis declares.

    Where it is not `needed`, it has no default: what is not given is said elsewhere.
    """
    option = OPTIONS[name]
    flag = option.flag_of(kind)
    if flag is None:
        raise LookupError(f"The option {name} of a {kind} analysis is not declared for commands.")
    if flag.each:
        return _words_with_flags(option, flag)
    default = option.default if flag.default is ... else flag.default
    default = default if needed else None
    spelled = _names(option, flag)
    required = flag.required and needed
    settings: dict[str, Any] = {"help": flag.help, "metavar": flag.metavar, "required": required}
    if option.typed in (list, dict):
        settings |= {"multiple": True, "callback": _pairs if option.typed is dict else None}
        settings |= {"type": _Pair(option.values) if option.typed is dict else _TYPES[option.values]}
    elif option.typed is bool:
        settings |= {"default": default, "is_flag": True, "show_default": any("/" in one for one in spelled)}
    else:
        choice = click.Choice(option.choices) if flag.only_choices else _TYPES[option.typed]
        settings |= {"type": choice}
        # A default of None, given, would stand in for what is required.
        settings |= {} if default is None else {"default": default, "show_default": True}
        settings |= {} if flag.alone is None else {"is_flag": False, "flag_value": flag.alone}
    return click.option(*spelled, option.takes, **settings)


class Grouped(click.Command):
    """A command whose help prints its options under headings."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the options, heading by heading."""
        for title, options in self.headed(context).items():
            if records := [record for one in options if (record := one.get_help_record(context))]:
                with formatter.section(title):
                    formatter.write_dl(records)

    def headed(self, context: click.Context) -> dict[str, list[click.Parameter]]:
        """Options by their headings."""
        found: dict[str, list[click.Parameter]] = {title: [] for title in (*HEADINGS, OUTPUT)}
        for one in self.get_params(context):
            name = str(one.name)
            known = next((option.name for option in OPTIONS.values() if option.takes == name), name)
            # What is no option of an analysis stands with what it is like.
            like = "sensitivity" if name.startswith("sensitivity_") else {"as_of": "where"}.get(name, known)
            found[heading(like)].append(one)
        return {title: options for title, options in found.items() if options}


def _names(option: Option, flag: Flag) -> list[str]:
    return flag.name.split() if flag.name else [_spelled(option.name)]


def _spelled(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words_with_flags(option: Option, flag: Flag) -> Callable[[F], F]:
    """Give the words of a list a flag each, and one to all: together they make the list."""

    def gather(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        found = context.params.setdefault(option.takes, [])
        if value:
            found.append((parameter.name or "").removeprefix(f"{option.takes}_"))

    def decorate(function: F) -> F:
        for word, said in reversed({further.ALL: flag.help, **flag.each}.items()):
            spelled = _spelled(option.name if word == further.ALL else word)
            function = click.option(
                spelled,
                f"{option.takes}_{word}",
                is_flag=True,
                help=said,
                callback=gather,
                expose_value=False,
            )(function)
        return function

    return decorate


class _Pair(click.ParamType):
    """A value of something: NAME=VALUE."""

    name = "NAME=VALUE"

    def __init__(self, values: type) -> None:
        self.values = values

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Part it; numbers are read as such where the option takes them."""
        name, equals, text = (part.strip() for part in str(value).partition("="))
        if not (name and equals and text):
            wanted = getattr(param, "metavar", None) or self.name
            self.fail(f"{value!r} is not {wanted}.", param, ctx)
        if self.values is str:
            return name, text
        try:
            return name, float(text)
        except ValueError:
            if self.values is float:
                self.fail(f"{text!r} of {name} is no number.", param, ctx)
        return name, text


def _pairs(context: click.Context, parameter: click.Parameter, value: tuple[Any, ...]) -> dict[str, Any]:
    return dict(value)


def options_of_analysis(kind: Kind) -> Callable[[F], F]:
    """Give a command every option of a kind of analysis, as `evidence.folder.options` declares them."""

    def decorate(function: F) -> F:
        for option in reversed([option for option in options_of(kind) if option.flag_of(kind)]):
            function = declared(option.name, kind)(function)
        return function

    return decorate


_NOT_DRAWN = frozenset(
    {
        "sensitivity", "predictor", "anyway", "side", "selection_step", "selection_direction", "permutations",
        "at", "contribution_method", "margin", "league", "chains", "node_split", "split_method",
        "leave_one_out", "plausible_bias", "refit",
    }
)  # fmt: skip
"""Options that say which rows an analysis makes or prints: no picture of it changes with them."""


def options_of_pictures(function: F) -> F:
    """Give a command the options of both kinds of analysis that pictures show, none of them needed.

    An option that the kinds spell alike is given once, a list before a single value.
    """
    chosen: dict[str, Kind] = {}
    taken: set[str] = set()
    every = [option for option in options_of() if option.name not in _NOT_DRAWN]
    for option in sorted(every, key=lambda option: option.typed is not list):
        kind = next((kind for kind in BOTH if option.flag_of(kind)), None)
        flag = kind and option.flag_of(kind)
        if kind and flag and not taken & set(_names(option, flag)):
            chosen[option.name] = kind
            taken |= set(_names(option, flag))
    for option in reversed(every):
        if option.name in chosen:
            function = declared(option.name, chosen[option.name], needed=False)(function)
    return function


WHERE = declared("where", "network")
SAVE = click.option("--save", is_flag=True, help="Keep the result rows in FILE (atomically).")


def _set_memory(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        from evidence.checking import gate

        gate.size(value)
        gate.MEMORY.set(value)


memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=_set_memory,
    expose_value=False,
    help="Memory that a query or condition from outside may use: 2GB. Default: 1GB.",
)


class Seconds(click.FloatRange):
    """A time limit: above 0, at most a week."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=604_800)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; what is none compares with no bound."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return number


class Choices(click.ParamType):
    """Comma-separated words out of a fixed list."""

    name = "words"

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the words in the help."""
        return f"[{','.join(self.allowed)}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split, and refuse what is not in the list."""
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(",") if word.strip())
        if unknown := [word for word in words if word not in self.allowed]:
            self.fail(f"{', '.join(unknown)} is none of {', '.join(self.allowed)}.", param, ctx)
        return words


def output_option(help: str) -> Callable[[F], F]:
    """Make the option ``-o FILE``."""
    return click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=help
    )
