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
    "analysis/network/model/gls.py": "the functions that estimate tau2, by name",
    "analysis/absolute.py": "the functions that give absolute effects, by measure",
    "analysis/pairwise/sequential.py": "the information that an effect needs, by measure",
    "analysis/network/frequentist/fitted.py": "the estimators that have a likelihood",
    "analysis/network/model/likelihood.py": "the likelihoods of counts and the measures they give",
    "sql/contrasts/arm_effect.sql": "computes the measures from arms",
    "sql/contrasts/contrast.sql": "computes the measures from pairs of arms",
    "sql/contrasts/contrast_standardised.sql": "computes the measures of networks",
    "sql/audits/exclusions/unused_measurement.sql": "says why a measure cannot be computed",
}
"""Files that compute the measures or estimators themselves, and what of them they must name."""


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


def test_the_normal_quantile_of_an_interval_has_one_home_in_python_and_the_same_digits_in_sql():
    said: dict[str, set[str]] = {".py": set(), ".sql": set()}
    for room in ("evidence", "analysis", "sql", "schema"):
        for path in (ROOT / room).rglob("*.*"):
            if path.suffix in said:
                code = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
                for digits in re.findall(r"1\.9599\d+", code):
                    said[path.suffix].add(digits if path.suffix == ".sql" else f"{path.name}: {digits}")
    assert said == {".py": {f"__init__.py: {facts.NORMAL_975!r}"}, ".sql": {repr(facts.NORMAL_975)}}


def test_an_option_of_pooling_lists_what_there_is_and_no_more():
    from analysis.pairwise import options as taken
    from evidence.folder.options import OPTIONS

    for name, known in {
        "ci": taken.INTERVALS, "prediction": taken.PREDICTIONS, "shared": taken.SHARED, "method": taken.METHODS,
        "tau2_interval": facts.interval_methods("tau2"), "dependence": taken.DEPENDENCE,
    }.items():  # fmt: skip
        words = OPTIONS[name].flag_of("pairwise").help
        assert all(re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", words) for code in known), name


def test_what_computes_still_stands_where_it_is_allowed():
    for name in COMPUTES:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert (lists_in_python if name.endswith(".py") else lists_in_sql)(text), f"{name} needs no exception"


FAKE = {
    "measure": "HDL", "label": "helpful difference", "title": "Helpful difference", "sentence": "helpful differences",
    "kind": "continuous", "scale": "log", "unit": "%", "analysis_unit": None, "direction": "higher",
    "given": "contrasts", "default_of_kind": "false", "least_digits": "1", "effect_in_variance": "false",
    "no_information": "never", "needs": "nothing", "formula": "none", "reference": None,
}  # fmt: skip


@pytest.fixture
def with_a_new_measure(monkeypatch):
    """The reference tables with one row more, as if a contributor had added it."""
    true = facts.reference

    def extended(table):
        assert table != "effect_measure" or set(FAKE) == set(true(table)[0]), "a row of every column"
        return (*true(table), FAKE) if table == "effect_measure" else true(table)

    monkeypatch.setattr(facts, "reference", extended)
    facts._measures.cache_clear()
    yield
    monkeypatch.undo()
    facts._measures.cache_clear()


@pytest.mark.slow
def test_a_new_measure_needs_its_row_and_nothing_else_to_be_named_drawn_and_read(with_a_new_measure):
    import pandas as pd

    from analysis import network, pairwise
    from analysis.charts.base.effect import Effect
    from analysis.network.model.specification import unit_of
    from evidence.database import connect
    from evidence.store.objects import create_objects, create_tables

    effect = Effect("HDL", outcome="Pain", unit="mm", lower_is_better=False)
    assert (effect.name, effect.title, effect.null) == (
        "Helpful difference", "Helpful difference: Pain (%)", 1.0,
    )  # fmt: skip
    assert effect.text(0.0) == "1.00"
    assert facts.measure("HDL").sentence == "helpful differences"
    assert facts.review_measure("HDL").lower_is_better({"lower_is_better": True}) is False

    table = pd.DataFrame(
        {"study": ["a", "b", "c"], "treatment_a": "x", "treatment_b": "y",
         "estimate": [0.1, 0.2, 0.3], "std_error": [0.1, 0.1, 0.1]}
    )  # fmt: skip
    assert pairwise.fit(table, measure="HDL").contrasts.scale == "log"
    net = network.from_contrasts(table, measure="HDL")
    assert net.scale == "log"
    assert unit_of(net) == "(log HDL)"

    with connect() as connection:
        create_tables(connection)
        create_objects(connection, stored=True)
        connection.execute(
            f"insert into effect_measure ({', '.join(FAKE)}) values ({', '.join('?' for _ in FAKE)})",
            list(FAKE.values()),
        )
        connection.execute(
            "insert into outcome (outcome, label, kind, lower_is_better, source_file, source_line) "
            "values ('pain', 'Pain', 'continuous', true, 'outcomes.csv', 2)"
        )
        assert connection.execute("from outcome_direction").fetchall() == [("pain", "HDL", False)]


def test_a_measure_that_nobody_knows_is_refused_in_tables_too():
    import pandas as pd

    from analysis import network
    from evidence.errors import CallError

    table = pd.DataFrame(
        {"study": ["a"], "treatment_a": ["x"], "treatment_b": ["y"], "estimate": [0.1], "std_error": [0.1]}
    )
    with pytest.raises(CallError, match=r"no effect measure 'HDL'\. There are: MD, "):
        network.from_contrasts(table, measure="HDL")
