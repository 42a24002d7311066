"""Write the references from the code: ``docs/api.md``, ``docs/cli.md`` and ``docs/formats.md``.

``python docs/generate.py`` rewrites them; ``tests/test_references.py`` holds them to the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

HERE = Path(__file__).parent

PLACES = {
    "The evidence base": (
        "evidence",
        "evidence.query",
        "evidence.errors",
        "evidence.review",
        "evidence.database",
    ),
    "What it holds": (
        "evidence.question",
        "evidence.catalog",
        "evidence.trace",
        "evidence.selection",
        "evidence.export",
        "evidence.results",
        "evidence.checking.audit",
        "evidence.checking.claims",
        "evidence.checking.mending",
        "evidence.checking.suspicions",
        "evidence.living.state",
        "evidence.living.difference",
        "evidence.living.mixed",
    ),
    "Analyses": (
        "analysis.pairwise",
        "analysis.network",
        "analysis.network.result",
        "analysis.network.frequentist",
        "analysis.network.exact",
        "analysis.network.counts",
        "analysis.network.mcmc",
        "analysis.published",
        "analysis.sensitivity",
        "analysis.living.because",
        "analysis.living.monitoring",
        "analysis.living.replay",
        "analysis.living.moved",
        "analysis.living.update",
        "analysis.plan",
        "analysis.results",
    ),
    "What is shown": (
        "analysis.charts",
        "analysis.plot",
        "analysis.report",
        "analysis.site",
        "analysis.changed",
    ),
}
"""Modules whose names are public, under the headings of the list. Each declares what is: ``__all__``."""

_HEAD = "Written by `python docs/generate.py` from the {}; do not edit.\n"


# --- the API ------------------------------------------------------------------------------------------------


def api() -> str:
    """List every public name with its signature and the first line of its docstring, as Markdown."""
    parts, listed = [f"# Python\n\n{_HEAD.format('docstrings')}"], dict[type, str]()
    for heading, modules in PLACES.items():
        parts.append(f"\n## {heading}\n")
        for name in modules:
            module = import_module(name)
            parts.append(f"\n### {name}\n\n{first_line(module)}\n\n")
            parts += [_entry(module, public, listed) for public in module.__all__]
    return "".join(parts)


def first_line(thing: Any) -> str:
    """First paragraph of a docstring, in one line.

    Raises
    ------
    ValueError
        If there is none: what is public says what it does.
    """
    if not (text := inspect.getdoc(thing)):
        raise ValueError(f"{thing!r} is public and has no docstring.")
    return " ".join(text.split("\n\n")[0].split())


def _entry(module: ModuleType, name: str, listed: dict[type, str]) -> str:
    """Describe one name; a class that stands further up is not described again."""
    thing = getattr(module, name)
    if inspect.isclass(thing):
        if thing in listed:
            return ""
        known = next((base for base in thing.__mro__ if base in listed), None)
        like = f" Like `{listed[known]}`, and:" if known else ""
        listed[thing] = name
        lines = [f"- **`{name}{_signature(thing)}`**: {first_line(thing)}{like}\n"]
        return "".join(lines + [f"  - {member}: {said}\n" for member, said in _members(thing, known)])
    if callable(thing):
        return f"- **`{name}{_signature(thing)}`**: {first_line(thing)}\n"
    value = ", ".join(map(str, thing)) if isinstance(thing, tuple | list | dict) else repr(thing)
    return f"- **`{name}`**: {value if len(value) < 200 else type(thing).__name__}\n"


def _members(kind: type, known: type | None) -> Iterator[tuple[str, str]]:
    """Public methods and properties with their first lines, but for those of a class that is `known`."""
    seen: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith(("evidence", "analysis")):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            if inspect.isfunction(member) or isinstance(member, classmethod | staticmethod):
                call = _signature(getattr(kind, name), bound=True)
                if not (hasattr(known, name) and call == _signature(getattr(known, name), bound=True)):
                    yield f"`.{name}{call}`", _said(kind, name)
            elif not hasattr(known, name) and (isinstance(member, property) or hasattr(member, "attrname")):
                yield f"`.{name}`", _said(kind, name)


def _said(kind: type, name: str) -> str:
    """First line of a member, inherited where the class gives none of its own."""
    return next(
        first_line(vars(base)[name])
        for base in kind.__mro__
        if name in vars(base) and inspect.getdoc(vars(base)[name])
    )


def _signature(thing: Any, *, bound: bool = False) -> str:
    """Names, types and defaults as they are written, on one line; of an error, nothing."""
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return ""
    signature = inspect.signature(thing)
    parameters = list(signature.parameters.values())
    if bound and parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    parameters = [one.replace(default=_Named.of(one.default)) for one in parameters if one.name[0] != "_"]
    text = str(signature.replace(parameters=parameters))
    # Annotations are kept as text, which is printed in quotation marks, or as a reference forward.
    text = re.sub(r"ForwardRef\(('[^']*')\)", r"\1", text)
    text = re.sub(r"(?<=(?:: |> ))(['\"])(.*?)\1(?=[,) ]|$)", r"\2", text)
    return text.removesuffix(" -> None")


class _Named:
    """A default that prints as its name: a function, a class, what a dataclass makes anew each time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    @classmethod
    def of(cls, default: Any) -> Any:
        if default is inspect.Parameter.empty or isinstance(default, str | int | float | tuple | None):
            return default
        return cls("..." if "<" in repr(default) or "lambda" in repr(default) else repr(default))


# --- the command line ---------------------------------------------------------------------------------------


def cli() -> str:
    """Describe every command by task, its arguments and options and their defaults, as Markdown."""
    from evidence.cli import by_task, main
    from evidence.cli import cli as root

    context = click.Context(root, info_name="evidence")
    codes = " ".join((inspect.getdoc(main) or "").split("\n\n")[1].split())
    head = (
        f"# Command line\n\n{_HEAD.format('commands')}\nThe exit code: {codes[0].lower()}{codes[1:]}\n"
        f"\n{_paragraphs(root.help)}\n\n"
        "Every example is run by a test (`tests/evidence/test_examples.py`). An option without a default "
        "need not be given; where few words are allowed they stand in square brackets.\n"
    )
    tasks = by_task(root.list_commands(context))
    contents = "".join(
        f"- [{task}](#{task.lower().replace(' ', '-')}): {', '.join(f'`{name}`' for name in names)}\n"
        for task, names in tasks.items()
    )
    parts = (f"\n## {task}\n" + "".join(_commands(root, context, names)) for task, names in tasks.items())
    return f"{head}\n{contents}" + "".join(parts) + _reached()


def _reached() -> str:
    """Tabulate where each analysis of Python's is reached."""
    from evidence.folder.further import REACHED

    lines = "".join(f"| `{name}` | {' | '.join(places)} |\n" for name, places in REACHED.items())
    return (
        "\n## From Python\n\n"
        "Of `analysis.pairwise`, `analysis.network` and `analysis.sensitivity`; *results*: "
        "`result_sensitivity`, and results/sensitivity.csv of the report.\n\n"
        f"| Python | command | plan | report |\n|---|---|---|---|\n{lines}"
    )


def _commands(group: click.Group, context: click.Context, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        path = inner.command_path
        head = f"\n{'#' * (1 + len(path.split()))} {path}\n"
        if isinstance(command, click.Group):
            yield f"{head}\n{_paragraphs(command.help)}\n"
            yield from _commands(command, inner, command.list_commands(inner))
            continue
        usage = " ".join(command.collect_usage_pieces(inner))
        yield f"{head}\n`{path} {usage}`\n\n{_paragraphs(command.help)}\n"
        if command.epilog:
            yield f"\n```sh\n{_example(command.epilog)}\n```\n"
        yield from _options(command, inner)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Tabulate the options of a command, under headings where it has some."""
    headed = getattr(command, "headed", lambda context: {"": command.params})(context)
    for title, params in headed.items():
        options = [one for one in params if isinstance(one, click.Option) and "--help" not in one.opts]
        if rows := "".join(map(_option, options)):
            yield f"\n| {title or 'option'} | what it does | default |\n|---|---|---|\n{rows}"


def _option(option: click.Option) -> str:
    names = ", ".join(option.opts) + (
        " / " + ", ".join(option.secondary_opts) if option.secondary_opts else ""
    )
    if not option.is_flag and not option.count:
        names += " " + _metavar(option)
    default = option.default if isinstance(option.default, str | int | float | tuple) else ""
    if option.is_flag:
        on = option.secondary_opts and option.default is not None
        default = (option.opts if option.default else option.secondary_opts)[0] if on else ""
    shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
    needed = "required" if option.required else f"`{shown}`" if shown != "" else ""
    help = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| `{names}` | {help} | {needed} |\n".replace(" ` |", "` |")


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "[" + ",".join(map(str, option.type.choices)) + "]"
    allowed = getattr(option.type, "allowed", None)
    return "[" + ",".join(allowed) + "]" if allowed else option.type.name.upper()


def _paragraphs(text: str | None) -> str:
    parts = (" ".join(part.split()) for part in (text or "").replace("\b", "").split("\n\n"))
    return "\n\n".join(part for part in parts if part)


def _example(epilog: str) -> str:
    lines = (line.strip() for line in epilog.replace("\b", "").splitlines())
    return "\n".join(line for line in lines if line and line != "Example:")


# --- formats ------------------------------------------------------------------------------------------------


def formats() -> str:
    """Print which content of a review comes back equal from which format, and what a format cannot hold."""
    from evidence.exporters import LOSSES, WRITERS
    from evidence.exporters.ways_back import CONTENT, PARTS, WAYS_BACK

    text = f"# Formats\n\n{_HEAD.format('matrix of formats')}\n## What comes back equal\n\n"
    text += (
        "`=`: exported and read back it is the same; `.`: it stands in the files, and no command reads it "
        "from there. An export says by name what its format has no place for. NAME is an outcome and a "
        "measure M. A change from baseline is an outcome of its own; correlations are in no review.\n\n"
    )
    text += "".join(f"- **{name}**: {content.said}\n" for name, content in CONTENT.items())
    formats = [f"`{name}`" for name in WAYS_BACK]
    text += f"\n| content | {' | '.join(formats)} |\n|{'---|' * (len(formats) + 1)}\n"
    for what in CONTENT:
        cells = (
            "=" if what in way.equal else "." if what in way.holds else " " for way in WAYS_BACK.values()
        )
        text += f"| {what} | {' | '.join(cells)} |\n"
    text += "\n| format | read back by | effects without arms |\n|---|---|---|\n"
    for name, way in WAYS_BACK.items():
        without = way.contrasts or ("" if "contrasts" in way.equal else "not at all")
        text += f"| `{name}` | {way.command} | {without} |\n"
    text += "\nOf one part of a review:\n\n"
    text += "".join(f"- `{name}`: {said}\n" for name, said in PARTS.items())
    others = [f"`{name}`" for name in WRITERS if name not in WAYS_BACK and name not in PARTS]
    text += (
        f"\nTo be read by other programs, not back: {', '.join(others)}.\n\n## What a format cannot hold\n\n"
    )
    return text + "".join(f"- `{name}` {LOSSES[name]}.\n" for name in WRITERS if name in LOSSES)


WRITTEN = {"api.md": api, "cli.md": cli, "formats.md": formats}
"""Files of this folder, and what writes each."""


if __name__ == "__main__":
    for file, make in WRITTEN.items():
        (HERE / file).write_text(make(), encoding="utf-8")
        print(HERE / file)
