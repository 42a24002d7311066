"""The README of a review folder: every file, column and key, what it means, and what may stand there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from evidence import facts
from evidence.facts.appraisal import tools
from evidence.facts.reference import keyed
from evidence.folder.layout import FILES, Column
from evidence.folder.options import OPTIONS, options_of
from evidence.folder.protocol import FIGURE_KEYS, REVIEW_KEYS
from evidence.folder.schemas import figure_meaning, key_meaning, meaning, values

TITLE = "# A review folder"
"""First line of the README: one that begins so was written by us and may be written anew."""

_HEAD = f"""{TITLE}

`review.toml` says what the review is and what it plans to analyse; each CSV file (UTF-8, commas, decimal
points) has one row for each of the things named below. Write statistics as they are printed: what follows is
computed.

An empty cell is a missing value; NR, NA and unclear say why; a number that stands for one (-99, 999) is
declared in review.toml: `missing = ["-99"]` under `[variables]`. A *name* is compared letter by letter, a
*text* describes, *verbatim* text is kept as typed.

`evidence build DIR` compiles the folder and names every error with file, line and what would be right. An
editor that knows `review.schema.json` (Even Better TOML, taplo) and `datapackage.json` (Frictionless, Open
Data Editor) says much of it while you type; `evidence describe DIR` writes both and this page anew, with the
columns that your files have by then.

"""
_TYPES = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    list: "list",
    dict: "table",
}
_TOLD_BELOW = {"unit": "units", "rob_tool": "tools", "effect_measure": "measures", "prisma_box": "boxes"}
"""Where the values are listed that a reference table has, by table: heading of this page."""


def guide() -> str:
    """Describe a review folder as Markdown."""
    return _HEAD + "".join((*_review(), *_files(), *_lists()))


def _review() -> Iterator[str]:
    yield "## review.toml\n\n| key | holds | meaning |\n| --- | --- | --- |\n"
    yield from (f"| {key} | {_TYPES[kind]} | {key_meaning(key)} |\n" for key, kind in REVIEW_KEYS.items())
    yield "\n`[protocol]`, for all analyses:\n\n| key | holds | meaning |\n| --- | --- | --- |\n"
    for option in OPTIONS.values():
        if option.shared:
            yield f"| {option.name} | {_holds_option(option.name)} | {_line(key_meaning(option.name))} |\n"
    for key in ("defaults", "analysis", "figure"):
        yield f"| {key} | {'list of tables' if key != 'defaults' else 'table'} | {key_meaning(key)} |\n"
    yield "\n`[[protocol.analysis]]`, once for each analysis:\n\n"
    yield "| key | of | holds | default | meaning |\n| --- | --- | --- | --- | --- |\n"
    for option in options_of(planned=True):
        of = "" if len(option.kinds) == 2 else option.kinds[0]
        default = "" if option.default in (None, (), False) else str(option.default)
        holds = _holds_option(option.name)
        yield f"| {option.name} | {of} | {holds} | {default} | {_line(key_meaning(option.name))} |\n"
    yield "\n`[[protocol.figure]]`, to give the report's figures and tables the review's own numbers:\n\n"
    yield "| key | holds | meaning |\n| --- | --- | --- |\n"
    yield from (
        f"| {key} | {_TYPES[kind]} | {_line(figure_meaning(key))} |\n" for key, kind in FIGURE_KEYS.items()
    )


def _holds_option(name: str) -> str:
    option = OPTIONS[name]
    if name == "measure":
        return "text; one of [measures](#measures)"
    return _TYPES[option.typed] + (f"; one of {', '.join(option.choices)}" if option.choices else "")


def _files() -> Iterator[str]:
    for file in FILES:
        yield f"\n## {file.name}\n\nOne row per {file.grain}{'' if file.required else ', optional'}."
        if file.further:
            yield " Any further column is a variable: it can be a moderator, a subgroup or a condition."
        yield "\n\n| column | holds | meaning |\n| --- | --- | --- |\n"
        for column in file.columns:
            yield f"| {column.name} | {_holds(column)} | {_line(meaning(file, column))} |\n"


def _holds(column: Column) -> str:
    said = [column.type + (", required" if column.required else "")]
    bounds = (
        (column.above, "above {:g}"),
        (column.at_least, "at least {:g}"),
        (column.below, "below {:g}"),
        (column.at_most, "at most {:g}"),
    )
    said += [words.format(bound) for bound, words in bounds if bound is not None and abs(bound) < 1000]
    if column.past:
        said.append("not in the future")
    if column.allowed:
        said.append("one of " + ", ".join(column.allowed))
    elif column.name == "timepoint_unit":
        said.append("one of " + ", ".join(values(column)))
    elif heading := _TOLD_BELOW.get(column.references or ""):
        said.append(f"one of [{heading}](#{heading})")
    elif column.references:
        said.append(f"one that {_FILE_OF[column.references]} has")
    elif column.name in ("item", "judgement"):
        said.append("one of the tool's: [tools](#tools)")
    if column.default is not None:
        said.append(f"empty means {column.default}")
    return "; ".join(said)


_FILE_OF = {file.table: file.name for file in FILES}


def _lists() -> Iterator[str]:
    yield "\n## measures\n\n| measure | what it is | of |\n| --- | --- | --- |\n"
    for measure in facts.measures(given=facts.REVIEW):
        yield f"| {measure.code} | {measure.label} | {keyed('effect_measure')[measure.code]['kind']} |\n"
    yield (
        "\n## tools\n\nJudgements and items of each tool for risk of bias, as risk_of_bias.csv names them; "
        "a tool of your own\ngoes into rob_tools.csv, rob_items.csv and rob_answers.csv.\n\n"
        "| tool | judgements | items |\n| --- | --- | --- |\n"
    )
    for tool in tools().values():
        items = "; ".join(
            f"{item.item} ({item.label})" if item.label != item.item else item.item
            for item in tool.items.values()
        )
        yield f"| {tool.tool} | {', '.join(tool.answers)} | {_line(items)} |\n"
    yield "\n## units\n\nUnits of one dimension convert into each other; others go into units.csv.\n\n"
    yield "| dimension | units |\n| --- | --- |\n"
    by_dimension: dict[str, list[str]] = defaultdict(list)
    for unit, row in keyed("unit").items():
        by_dimension[str(row["dimension"])].append(unit)
    yield from (f"| {dimension} | {', '.join(units)} |\n" for dimension, units in by_dimension.items())
    yield "\n## boxes\n\nBoxes of the PRISMA 2020 flow diagram, for flow.csv.\n\n"
    yield "| box | what it counts |\n| --- | --- |\n"
    yield from (f"| {box} | {row['label']} |\n" for box, row in keyed("prisma_box").items())


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
