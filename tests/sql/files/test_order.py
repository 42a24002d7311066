"""The order of views: what each stands on is read as a parser reads it, and rooms stand on each other one way."""

from __future__ import annotations

import graphlib
from collections import defaultdict

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from evidence.store.objects import SqlObject, sql_objects
from evidence.system.resources import sql_directory

OBJECTS = {item.name: item for item in sql_objects()}


def parsed(sql: str) -> set[str]:
    """Tables that a statement reads and functions that it calls, by sqlglot's reading of it."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    found = {call.name.lower() for call in tree.find_all(exp.Anonymous)}
    for scope in traverse_scope(tree.expression):
        found |= {source.name for source in scope.sources.values() if isinstance(source, exp.Table)}
    return found


def test_what_a_view_stands_on_is_what_a_parser_finds():
    for item in OBJECTS.values():
        found = parsed(item.sql) if item.kind == "view" else item.words - {item.name}
        assert item.uses & OBJECTS.keys() == found & OBJECTS.keys(), item.name


def test_every_object_comes_after_what_it_uses():
    place = {name: position for position, name in enumerate(OBJECTS)}
    for item in OBJECTS.values():
        assert all(place[used] < place[item.name] for used in item.uses & OBJECTS.keys()), item.name


def test_a_subquery_or_column_named_like_a_view_is_no_dependency():
    sql = """
    create or replace view v as
    with contrast as (select * from contrast),  -- the view: it has the name until the subquery ends
    pooled (a) as materialized (select (1 + (2)) as subgroup from contrast), exclusion as (select 1 as a)
    select exclusion.a, 'from network_edge' as league from pooled
    inner join exclusion on pooled.a is not distinct from exclusion.a
    where t_cdf(1, 2) > 0
    """
    item = SqlObject("v", "view", "staging", sql)
    assert item.uses & OBJECTS.keys() == {"contrast", "t_cdf"} == parsed(sql) & OBJECTS.keys()


def test_a_string_may_hold_what_begins_a_comment_and_a_comment_a_quote():
    sql = "create or replace view v as select '(--where)' as a -- it's\nfrom contrast"
    assert "contrast" in SqlObject("v", "view", "staging", sql).uses


def test_rooms_stand_on_each_other_one_way():
    rooms = defaultdict(set)
    for item in OBJECTS.values():
        rooms[item.room] |= {OBJECTS[used].room for used in item.uses & OBJECTS.keys()} - {item.room}
    assert list(graphlib.TopologicalSorter(rooms).static_order())
    assert not rooms["macros"]


def test_no_room_has_more_than_sixteen_objects():
    held = defaultdict(list)
    for path in sql_directory().rglob("*.sql"):
        held[path.parent].append(path.stem)
    assert {folder.name: len(names) for folder, names in held.items() if len(names) > 16} == {}
