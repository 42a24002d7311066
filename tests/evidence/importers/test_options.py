"""What a message of an import command tells a person to type is an option of that command.

Every function that a command can reach is followed through the sources, and every ``--option`` in a text of it
is looked up in the command's help: so a message that nobody has met yet is tested as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence.cli import cli
from evidence.commands.make.imports import import_
from evidence.importers import IMPORTERS

ROOT = Path(__file__).parents[3]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
NOT_ASKED = {"--help"}
ELSEWHERE = ("evidence.folder.options", "evidence.folder.protocol", "evidence.checking", "evidence.query")
"""Modules whose options are of analyses, or of a query."""
READ_ELSEWHERE = dict.fromkeys(("gemtc", "bugs"), ("evidence.importers.table", "read_table"))
"""These give `import_arms` a table that they have read themselves."""
NEVER = {"bugs": {"--header"}}
"""A table of BUGS begins with its header, by which it is told; and it is no workbook."""
Name = tuple[str, str]


def path_of(module: str) -> Path | None:
    place = ROOT / Path(*module.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


@cache
def names(module: str) -> dict[str, ast.AST]:
    """What stands at the top of a module: functions, classes and constants, by name."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(path_of(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found |= {f"{node.name}.{method.name}": method for method in methods}
            found[node.name] = ast.Module([part for part in node.body if part not in methods], [])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found |= {leaf.id: node for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}
    return found


@cache
def imported(module: str) -> dict[str, Name]:
    """What each imported name is: of which module, and which of it (empty for the module itself)."""
    found: dict[str, Name] = {}
    for node in ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evidence"):
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                found[alias.asname or alias.name] = (
                    (within, "") if path_of(within) else (node.module, alias.name)
                )
    return found


def used(module: str, name: str) -> Iterator[Name]:
    """What a function, class or constant uses."""
    node = names(module).get(name)
    if node is None:
        if name in imported(module):
            yield imported(module)[name]
        return
    for leaf in ast.walk(node):
        if isinstance(leaf, ast.Name):
            if leaf.id in imported(module):
                yield imported(module)[leaf.id]
            elif leaf.id in names(module):
                yield module, leaf.id
        elif isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name):
            of, what = imported(module).get(leaf.value.id, ("", ""))
            if of and not what:
                yield of, leaf.attr


def reached(function: str, cut: Name | None = None) -> set[Name]:
    """What a function can reach; of a class, the methods whose names are used anywhere in that."""
    module, _, name = function.partition(":")
    found: set[Name] = set()
    waiting, attributes = [(module, name)], set()
    methods: set[Name] = set()
    while waiting:
        place = waiting.pop()
        if place == cut or place in found or not place[1] or not path_of(place[0]):
            continue
        if place[0].startswith(ELSEWHERE):
            continue
        found.add(place)
        waiting += used(*place)
        methods |= {(place[0], other) for other in names(place[0]) if other.startswith(f"{place[1]}.")}
        node = names(place[0]).get(place[1])
        attributes |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} if node else set()
        waiting += [
            m for m in methods if m[1].split(".")[1] in attributes or m[1].split(".")[1].startswith("__")
        ]
        methods -= set(waiting)
    return found


def texts(module: str, name: str) -> Iterator[str]:
    """Texts that a person may see: not those of docstrings."""
    node = names(module).get(name)
    docs = set()
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
            docs.add(inner.value)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner not in docs:
            yield inner.value


def options(command: str) -> set[str]:
    found = import_.get_command(None, command)
    return {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("command", IMPORTERS)
def test_every_option_in_a_message_of_an_import_command_is_one_of_that_command(command):
    places = reached(IMPORTERS[command].function, READ_ELSEWHERE.get(command))
    assert len(places) > 40
    strange = {
        (option, module, name)
        for module, name in places
        for text in texts(module, name)
        for option in OPTION.findall(text)
        if option not in options(command) | NOT_ASKED | NEVER.get(command, set())
    }
    assert not strange


CP1252 = {
    "arms": ("t.csv", "study,treatment,n,mean,sd\nMüller,a,9,5,2\nMüller,b,9,7,2\n", ["--outcome", "y"]),
    "extraction": ("t.csv", "study,arm,outcome,mean\nMüller,a,y,5\n", ["--extractor", "B"]),
    "screening": (
        "t.csv",
        "record,decision,reason\nr:1,exclude,größer\n",
        ["--reviewer", "A", "--stage", "full_text"],
    ),
    "references": ("t.ris", "TY  - JOUR\nTI  - Über Zellen\nER  - \n", []),
    "robvis": (
        "t.csv",
        "Study,D1,D2,D3,D4,D5,Overall\nMüller,Low,Low,Low,Low,High,High\n",
        ["--tool", "RoB 2"],
    ),
    "prisma": ("t.csv", "data,boxtext,n\ndatabase_results,Größe,5\n", []),
    "bugs": (
        "t.txt",
        "# Größe\nlist(ns=2)\nt[,1] t[,2] r[,1] n[,1] r[,2] n[,2]\n1 2 5 9 6 9\n1 2 5 9 4 9\nEND\n",
        ["--outcome", "y"],
    ),
    "gemtc": (
        "t.json",
        '{"entries": [{"study": "Müller", "treatment": "a", "responders": 1, "sampleSize": 9},'
        ' {"study": "Müller", "treatment": "b", "responders": 2, "sampleSize": 9}]}',
        ["--outcome", "y"],
    ),
}


@pytest.mark.parametrize("command", [*CP1252, "duplicates", "syrf", "metapsy", "metalab", "revman"])
def test_a_file_that_is_not_utf_8_is_read_as_the_refusal_says(tmp_path, command):
    name, text, given = CP1252.get(
        command, ("t.csv", "größe,b\n1,2\n", ["--outcome", "y"] * (command == "metalab"))
    )
    file, into = tmp_path / name, tmp_path / "review"
    file.write_bytes(text.encode("cp1252"))
    if command == "extraction":
        before = tmp_path / "before.csv"
        before.write_text("study,treatment,n,mean,sd\nMüller,a,9,5,2\nMüller,b,9,7,2\n", encoding="utf-8")
        run("arms", before, into, "--outcome", "y")
    if command == "screening":
        (tmp_path / "r.ris").write_text("TY  - JOUR\nID  - 1\nTI  - A\nER  - \n", encoding="utf-8")
        run("references", tmp_path / "r.ris", into)
        key = (into / "records.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
        file.write_bytes(text.replace("r:1", key).encode("cp1252"))
    refused = run(command, file, into, *given, ok=False)
    assert "--encoding cp1252" in refused, refused
    result = run(command, file, into, *given, "--encoding", "cp1252", ok=command in CP1252)
    assert "UTF-8" not in result


def run(command: str, file: Path, into: Path, *given: str, ok: bool = True) -> str:
    result = CliRunner().invoke(cli, ["import", command, str(file), "--into", str(into), *given])
    assert (result.exit_code == 0) is ok, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("t.csv", ["--sheet", "Data"], "it has no --sheet to choose"),
        ("t.ris", ["--header", "3"], "it has no --header to choose"),
        ("t.xml", ["--encoding", "latin-1"], "it has no --encoding to choose"),
    ],
)
def test_an_option_that_a_file_has_no_use_for_is_refused_and_not_ignored(tmp_path, name, given, said):
    texts = {
        "t.csv": "title,year\nA,2001\n",
        "t.ris": "TY  - JOUR\nTI  - A\nER  - \n",
        "t.xml": "<?xml version='1.0'?><xml><records></records></xml>",
    }
    file = tmp_path / name
    file.write_text(texts[name], encoding="utf-8")
    assert said in run("references", file, tmp_path / "review", *given, ok=False)
