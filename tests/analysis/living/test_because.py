"""Because of which row: every planted change is found, none invented, and parts sum to what moved."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import Counter
from itertools import combinations, permutations
from pathlib import Path

import pandas as pd
import pytest

from analysis.living.because import Refits, because, least, shapley
from analysis.living.moved import moved, names_of, numbers
from analysis.plan import try_plan
from evidence.build import build
from evidence.living.difference import changes
from evidence.living.mixed import Between
from evidence.opening import open as open_base

PAIRS = int(os.environ.get("PAIRS", "8"))
"""Generated pairs that the slow test takes."""

_SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
planted = sys.modules["planted"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(planted)

KEY = ["analysis", "quantity", "model", "treatment", "versus", "evidence", "level"]


class Compared:
    """Both folders of a pair built, analysed and held against each other."""

    def __init__(self, planter, place):
        self.planter = planter
        files = [
            build(folder.write(place / side / "review"), place / f"{side}.duckdb")
            for side, folder in (("old", planter.old), ("new", planter.made()))
        ]
        self.old, self.new = map(open_base, files)
        self.found = changes(self.old, self.new)
        runs = [try_plan(db)[0] for db in (self.old, self.new)]
        self.moved = moved(*runs, names_of(self.found))

    def close(self):
        self.old.close()
        self.new.close()


def between_is_as_written(pair, place):
    """Refit with some of the changes made; the same as of a folder in which these were made by hand."""
    planter = pair.planter
    moving = [i for i, name in enumerate(planter.names) if name.split()[0] not in STILL]
    some = {i for i in moving if planter.rng.random() < 0.5}
    written = planter.made(sorted(some | set(range(len(planter.steps))) - set(moving)))
    with (
        open_base(build(written.write(place / "some" / "review"), place / "some.duckdb")) as db,
        Between(pair.old, pair.new, pair.found) as between,
    ):
        refits = Refits(between)
        made = {i for i, group in enumerate(between.groups) if _step_of(group, planter.names) in some}
        for run in try_plan(db)[0]:
            if between.plan(run.analysis, between.all) is None:
                continue
            found = numbers(
                refits.run(run.analysis, made & set(refits.bearing(run.analysis))), {}, run.reference
            )
            for key, cell in numbers(run, {}, run.reference).items():
                for one, other in zip(found[key], cell, strict=True):
                    if other is not None:
                        assert one == pytest.approx(other, rel=1e-9, abs=1e-9), (planter.names, some, key)


STILL = ("relabel", "reorder", "unit")


def _step_of(group, names):
    kind = {"plan": "estimator", "outcome": "important"}.get(group.table)
    (place,) = (i for i, name in enumerate(names) if name in (kind, *_of_study(group.study)))
    return place


def _of_study(study):
    return [] if study is None else [f"{kind} {study}" for kind in planted.KINDS]


def held(planter, place):
    """Hold everything that is promised of a pair; give how many changes, numbers and refits it had."""
    pair = Compared(planter, place)
    told = Counter((one.table, one.change, one.column or "") for one in pair.found)
    assert told == planter.expected, planter.names
    if not planter.moving:
        assert pair.moved.empty, planter.names
    parts = because(pair.old, pair.new, pair.found, pair.moved)
    both = pair.moved[pair.moved["change"] == "changed"]
    summed = Counter()
    for row in parts.itertuples():
        summed[tuple(getattr(row, name) for name in KEY)] += row.part
    for row in both.itertuples():
        key = tuple(getattr(row, name) for name in KEY)
        movement = row.after - row.before * row.factor
        assert summed[key] == pytest.approx(movement, abs=1e-9), (planter.names, key)
    # Refits explain everything: there is no remainder but where a number is not there in between.
    left = parts[parts["method"] == "remainder"]
    assert left["note"].notna().all(), (planter.names, left)
    studies = set(parts["study"].dropna())
    planted_in = {name.partition(" ")[2] for name in planter.names}
    assert studies <= planted_in, planter.names
    if planter.moving:
        between_is_as_written(pair, place)
    refits = parts.groupby("analysis")["n_refits"].max().sum() if len(parts) else 0
    pair.close()
    return len(pair.found), len(both), int(refits), len(left)


@pytest.mark.parametrize("seed", range(2))
def test_planted_changes_are_found_and_attributed(seed, tmp_path):
    held(planted.pair(seed), tmp_path)


def _pair(place, *changes, protocol=None):
    """A generated review, and the same with cells changed: (file, row, column, value)."""
    planter = planted.Planter(planted.generated(planted.Random(1)), planted.Random(1))

    def step(folder):
        for file, row, column, value in changes:
            folder.tables[file][row][column] = value

    planter.steps.append(step)
    if protocol is not None:
        planter.old.protocol = protocol(planter.old.protocol)
    return Compared(planter, place)


@pytest.mark.slow
def test_with_many_groups_each_is_taken_back_alone_and_the_remainder_is_shown(tmp_path):
    rows = {"S0": 1, "S1": 7, "S2": 13}
    pair = _pair(tmp_path, *(("measurements.csv", row, "mean", "12.5") for row in rows.values()))
    parts = because(pair.old, pair.new, pair.found, pair.moved, most=2)
    number = parts[
        (parts["analysis"] == "pair") & (parts["quantity"] == "estimate") & (parts["model"] == "random")
    ]
    pair.close()
    assert set(number["method"]) == {"without it", "remainder"}
    assert number["part"].sum() == pytest.approx(number["movement"].iloc[0], abs=1e-9)
    (left,) = number[number["method"] == "remainder"].to_dict("records")
    assert left["note"].startswith("3 groups of changes") or left["note"].startswith("2 groups of changes")


def _pooled(run):
    (found,) = (cell[0] for key, cell in numbers(run, {}, None).items() if key[:2] == ("estimate", "random"))
    return found


@pytest.mark.slow
def test_a_sentence_is_turned_by_the_smallest_sets_of_changes(tmp_path):
    pair = _pair(tmp_path, *(("measurements.csv", row, "mean", "12.5") for row in (1, 7)))
    with Between(pair.old, pair.new, pair.found) as between:
        refits = Refits(between)
        estimate = {made: _pooled(refits.run("pair", made)) for made in refits.subsets("pair")}
    # Said of the refits: whether the estimate is beyond what any one of the changes gives.
    bound = min(estimate[frozenset({0})], estimate[frozenset({1})]) - 1e-6

    def said(run, important):
        assert important == 1.5
        return {("effect", "a", "p"): "beyond" if _pooled(run) < bound else "within"}

    row = {
        "kind": "effect",
        "analysis": "pair",
        "treatment": "a",
        "versus": "p",
        "before": "within",
        "after": "beyond",
    }
    parts = because(pair.old, pair.new, pair.found, pair.moved, pd.DataFrame([row]), said)
    pair.close()
    turned = parts[parts["quantity"] == "effect"]
    assert list(turned["method"]) == ["together", "together"]
    assert list(turned["study"]) == ["S0", "S1"]
    assert set(turned["set_number"]) == {1}


@pytest.mark.slow
def test_an_outcome_in_another_unit_moves_nothing_and_what_else_changed_is_attributed(tmp_path):
    planter = planted.Planter(planted.generated(planted.Random(3)), planted.Random(3))

    def step(folder):
        folder.tables["outcomes.csv"][0] |= {"unit": "mg/dL", "smallest_important_difference": "0.15"}
        for row in folder.tables["measurements.csv"]:
            if row["unit"]:
                row |= {
                    "unit": "mg/dL",
                    "mean": repr(float(row["mean"]) / 10),
                    "sd": repr(float(row["sd"]) / 10),
                }

    def edit(folder):
        folder.tables["measurements.csv"][1]["mean"] = "1.25"

    planter.steps.append(step)
    still = Compared(planter, tmp_path / "still")
    assert still.moved.empty
    assert {one.change for one in still.found} == {"converted"}
    still.close()
    planter.steps.append(edit)
    pair = Compared(planter, tmp_path / "edited")
    parts = because(pair.old, pair.new, pair.found, pair.moved)
    pair.close()
    assert len(parts)
    assert set(parts["study"]) == {"S0"}
    assert set(parts["method"]) == {"Shapley"}


def test_parts_are_shapley_values_and_sets_have_no_smaller_one_within():
    rng = planted.Random(1)
    values = {frozenset(some): rng.random() for n in range(5) for some in combinations(range(4), n)}
    parts = dict.fromkeys(range(4), 0.0)
    for order in permutations(range(4)):
        for place, one in enumerate(order):
            parts[one] += (values[frozenset(order[: place + 1])] - values[frozenset(order[:place])]) / 24
    assert shapley(range(4), values) == pytest.approx(parts)
    assert least([frozenset({0, 1}), frozenset({1}), frozenset({2, 3})]) == [
        frozenset({1}),
        frozenset({2, 3}),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, PAIRS, 4))
def test_of_many_pairs_every_change_is_found_and_attributed(start, tmp_path):
    """Some here; all 300 with ``PAIRS=300``, half an hour of a processor."""
    for seed in range(start, min(start + 4, PAIRS)):
        held(planted.pair(seed), tmp_path / str(seed))
