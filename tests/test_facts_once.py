"""A fact stands once: no list of effect measures, engines or estimators outside the reference tables.

What may stand elsewhere is code that computes one of them (its formula, its function), never a list that says which
there are or what they are like.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from evidence import facts

ROOT = Path(__file__).parents[1]
LISTS = {
    "measures": {measure.code for measure in facts.measures()},
    "engines": {engine.code for engine in facts.engines()},
    "estimators": set(facts.estimators()),
}
COMPUTES = {
    "analysis/network/gls.py": "the functions that estimate tau2, by name",
    "analysis/network/frequentist.py": "the estimators that have a likelihood",
    "analysis/network/likelihood.py": "the likelihoods of counts and the measures they give",
    "sql/contrasts/arm_effect.sql": "computes the measures from arms",
    "sql/contrasts/contrast.sql": "computes the measures from pairs of arms",
    "sql/contrasts/contrast_network.sql": "computes the measures of networks",
    "sql/appraisal/exclusion.sql": "says why a measure cannot be computed",
    "analysis/network/load.py": "",
}
"""Files that compute the measures or estimators themselves, and what of them they must name."""

MOVING = {"sql/appraisal/exclusion.sql", "analysis/network/load.py"}


def names_of(node: ast.AST) -> set[str]:
    """Texts that stand side by side in one literal."""
    if isinstance(node, ast.Dict):
        return {
            key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return {
            item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)
        }
    return set()


def lists_in_python(text: str) -> list[tuple[int, str, list[str]]]:
    """Literals that name two or more of one kind: line, kind, names."""
    return [
        (node.lineno, kind, sorted(found))
        for node in ast.walk(ast.parse(text))
        for kind, known in LISTS.items()
        if len(found := names_of(node) & known) > 1
    ]


def lists_in_sql(text: str) -> list[tuple[int, str, list[str]]]:
    """Statements whose texts name two or more of one kind."""
    code = re.sub(r"--[^\n]*", "", re.sub(r"(?im)^comment on [^\n]*$", "", text))
    said = set(re.findall(r"'([^']*)'", code))
    return [(0, kind, sorted(found)) for kind, known in LISTS.items() if len(found := said & known) > 1]


def test_the_finder_finds_lists():
    assert lists_in_python("x = measure in ('OR', 'RR')") == [(1, "measures", ["OR", "RR"])]
    assert lists_in_python("x = {'exact': 1, 'mcmc': 2}") == [(1, "engines", ["exact", "mcmc"])]
    assert not lists_in_python("x = ('OR', 'and')")
    assert lists_in_sql("select case when m = 'MD' then 1 when m = 'OR' then 2 end -- 'RR'\n") == [
        (0, "measures", ["MD", "OR"])
    ]


@pytest.mark.parametrize("room", ["evidence", "analysis", "sql", "schema"])
def test_no_second_list_of_measures_engines_or_estimators(room):
    found = []
    for path in sorted((ROOT / room).rglob("*.*")):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in (".py", ".sql") or name in COMPUTES:
            continue
        look = lists_in_python if path.suffix == ".py" else lists_in_sql
        for line, kind, names in look(path.read_text(encoding="utf-8")):
            found.append(f"{name}:{line}: a list of {kind} ({', '.join(names)}): ask evidence.facts")
    assert not found, "\n".join(found)


def test_what_computes_still_stands_where_it_is_allowed():
    for name in COMPUTES.keys() - MOVING:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert (lists_in_python if name.endswith(".py") else lists_in_sql)(text), f"{name} needs no exception"
