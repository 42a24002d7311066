"""How many planted errors in printed league tables are found, and how many alarms are false.

Tables of 5 to 8 treatments are printed with two decimals from random normal distributions, then one error of each
kind is planted in each. Run with ``pytest tests/benchmarks/test_published_benchmark.py --benchmark-only -s``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

Z = 1.959963984540054
TABLES = 200

Cell = dict[str, Any]


def table(rng: np.random.Generator) -> list[Cell]:
    n = int(rng.integers(5, 9))
    root, effects = rng.normal(size=(n, n + 2)) / np.sqrt(n), rng.normal(0, 3, n)
    covariance = root @ root.T
    cells = []
    for i, j in itertools.combinations(range(n), 2):
        d, s = effects[i] - effects[j], np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        low, high = round(float(d - Z * s), 2), round(float(d + Z * s), 2)
        cells.append(
            {
                "a": f"t{i}",
                "b": f"t{j}",
                "d": round(float(d), 2),
                "low": low,
                "high": high,
                "flag": low * high > 0,
            }
        )
    return cells


def flipped_sign(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    c = cells[i]
    return {i: c | {"d": -c["d"], "low": -c["high"], "high": -c["low"]}}


def flipped_estimate(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    return {i: cells[i] | {"d": -cells[i]["d"]}}


def swapped_pair(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    numbers = ("d", "low", "high", "flag")
    return {
        i: cells[i] | {k: cells[j][k] for k in numbers},
        j: cells[j] | {k: cells[i][k] for k in numbers},
    }


def mistyped_digit(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    text = f"{abs(cells[i]['d']):.2f}"
    place = len(text) - 2 - 2 * (j % 2)  # the digit after the point, or the one before it
    wrong = float(text[:place] + str((int(text[place]) + 1 + j % 8) % 10) + text[place + 1 :])
    return {i: cells[i] | {"d": np.copysign(wrong, cells[i]["d"])}}


def wrong_flag(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    return {i: cells[i] | {"flag": not cells[i]["flag"]}}


def interval_of_another_row(cells: list[Cell], i: int, j: int) -> dict[int, Cell]:
    return {i: cells[i] | {k: cells[j][k] for k in ("low", "high")}}


def visible(cell: Cell, printed: Cell) -> bool:
    return cell["flag"] != printed["flag"] or any(
        abs(cell[k] - printed[k]) > 0.025 for k in ("d", "low", "high")
    )


KINDS: tuple[Callable[[list[Cell], int, int], dict[int, Cell]], ...] = (
    flipped_sign,
    flipped_estimate,
    swapped_pair,
    mistyped_digit,
    wrong_flag,
    interval_of_another_row,
)


def test_detection_of_planted_errors(benchmark, empty_database):
    rng = np.random.default_rng(2023)
    cases: list[tuple[str, list[Cell], set[int]]] = []
    for _ in range(TABLES):
        cells = table(rng)
        cases.append(("coherent", cells, set()))
        i, j = (int(k) for k in rng.choice(len(cells), 2, replace=False))
        for kind in KINDS:
            changed = kind(cells, i, j)
            # a change by no more than two units of the last digit is within what rounding alone does
            wrong = {k for k, cell in changed.items() if visible(cell, cells[k])}
            cases.append((kind.__name__, [changed.get(k, cell) for k, cell in enumerate(cells)], wrong))
    rows = ", ".join(
        f"({100 * t + i}, '{t}', 'o', '{c['a']}', '{c['b']}', 'MD', 'network', {c['d']}, {c['low']}, {c['high']},"
        f" {bool(c['flag'])}, 'f', {i})"
        for t, (_, cells, _) in enumerate(cases)
        for i, c in enumerate(cells)
    )
    empty_database.execute(
        "insert into published_estimate (published_estimate_id, publication, outcome, treatment, versus, measure,"
        f" kind, estimate, ci_lower, ci_upper, significant, source_file, source_line) values {rows}"
    )

    def alarms():
        found: dict[int, set[int]] = {}
        for view, fine in (("league_cell_check", "coherent"), ("published_interval_check", "agrees")):
            query = f"select published_estimate_id from {view} where verdict <> '{fine}'"
            for (cell,) in empty_database.execute(query).fetchall():
                found.setdefault(cell // 100, set()).add(cell % 100)
        return found

    found = benchmark.pedantic(alarms, rounds=1)
    print()
    for kind in ("coherent", *(kind.__name__ for kind in KINDS)):
        mine = [(wrong, found.get(t, set())) for t, (name, _, wrong) in enumerate(cases) if name == kind]
        planted = [(wrong, alarm) for wrong, alarm in mine if wrong]
        hits = sum(bool(wrong & alarm) for wrong, alarm in planted)
        false = sum(bool(alarm - wrong) for wrong, alarm in mine)
        print(
            f"{kind:24} planted {len(planted):3}, found {hits:3}; tables with a false alarm {false} of {len(mine)}"
        )
        if kind in ("flipped_sign", "flipped_estimate", "swapped_pair", "wrong_flag"):
            assert hits == len(planted)
        if kind == "coherent":
            assert false == 0
