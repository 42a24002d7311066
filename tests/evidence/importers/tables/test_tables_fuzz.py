"""Thousands of tables with columns in any order, other names, more columns and spoilt cells: never another number.

Each table is made of rows that are known. It is understood with exactly these numbers, or it is refused.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import pytest

from evidence.errors import EvidenceError
from evidence.facts.reference import reference
from evidence.importers.arms import import_arms
from evidence.importers.table import Table
from evidence.importers.tables.call import Call
from evidence.importers.tables.cells import is_gap

Row = dict[str, str]

PAIRS = [
    ("e", "c"), ("exp", "ctrl"), ("T", "C"), ("treatment", "control"), ("IG", "CG"), ("treat", "placebo"), ("1", "2"),
    ("Intervention", "Control"), ("experimental", "comparator"), ("drugx", "plac"),
]  # fmt: skip
PATTERNS = ["{s}_{g}", "{g}_{s}", "{s}.{g}", "{g} {s}", "{s} ({g})", "{g}: {s}", "{s} {g} group"]
SPOILT = [
    "5.1*",
    "<0.1",
    "~4",
    "",
    "NR",
    "n=10",
    "1,204",
    "35.7%",
    "8/20",
    "8 (40%)",
    "3 ± 1",
    "abc",
    "-",
    "1e400",
]
EXTRA = {
    "year": ("2001", "2005"), "country": ("DE", "FR"), "MD": ("-2", "-1"), "p value": ("0.01", "0.2"),
    "se": ("0.5", "0.6"), "id": ("7", "8"), "time": ("5.8", "3.1"), "r": ("0.5", "0.61"), "CI lower": ("-3", "-4"),
    "F": ("3.2", "10.4"), "Cohen's d": ("0.3", "0.5"), "rob": ("low", "high"), "notes": ("a", "b"),
    "mean_age": ("43", "51"), "age": ("30", "60"), "dose": ("5", "10"), "unit": ("g", "g"), "n_total": ("99", "88"),
}  # fmt: skip


SUBJECTS = ("study", "treatment", "experiment", "arm", "outcome")
"""What a row is about: a further column may claim to say it as well."""
CELLS_OF_SUBJECTS = [
    ("S9", "S8"),
    ("1", "2"),
    ("drug", "placebo"),
    ("Meier 2001", "Smith 2002"),
    ("x", "x"),
    ("2.5", ""),
]


def aliases(shape: str) -> dict[str, list[str]]:
    found = defaultdict(list)
    for row in reference("column_alias"):
        if row["file"] == shape:
            found[str(row["column_name"])].append(str(row["alias"]))
    # An x beside another column of means is whatever it is: it has tests of its own.
    return {what: [name for name in names if name != "x"] for what, names in found.items()}


ARM, CONTRAST = aliases("arm level"), aliases("contrast level")


def varied(rng: random.Random, name: str) -> str:
    """Write a name as some spreadsheet does."""
    name = rng.choice((str, str.upper, str.title, str))(name)
    return name.replace(" ", rng.choice((" ", "_", ".")))


def numbers(rng: random.Random, kind: str) -> Row:
    n = rng.randint(5, 200)
    if kind == "binary":
        return {"n": str(n), "events": str(rng.randint(0, n))}
    return {"n": str(n), "mean": f"{rng.uniform(-9, 90):.2f}", "sd": f"{rng.uniform(0.5, 9):.2f}"}


def long_table(rng: random.Random, kind: str) -> tuple[list[str], list[list[str]], list[Row]]:
    truth = [
        {"study": f"S{i}", "treatment": t, **numbers(rng, kind)}
        for i in range(rng.randint(2, 5))
        for t in "ab"
    ]
    names = [varied(rng, rng.choice(ARM[meaning])) for meaning in truth[0]]
    return names, [list(row.values()) for row in truth], truth


def wide_table(rng: random.Random, kind: str) -> tuple[list[str], list[list[str]], list[Row]]:
    pair, pattern = rng.choice(PAIRS), rng.choice(PATTERNS)
    meanings = list(numbers(rng, kind))
    words = {what: rng.choice([a for a in ARM[what] if len(a) > 1 or a in "nmr"]) for what in meanings}
    names = [varied(rng, rng.choice(ARM["study"]))]
    names += [pattern.format(s=words[what], g=group) for group in pair for what in meanings]
    cells, truth = [], []
    for i in range(rng.randint(2, 5)):
        groups = [numbers(rng, kind) for _ in pair]
        cells.append([f"S{i}", *(cell for group in groups for cell in group.values())])
        truth += [{"study": f"S{i}", **group} for group in groups]
    return names, cells, truth


def contrast_table(rng: random.Random, kind: str) -> tuple[list[str], list[list[str]], list[Row]]:
    truth = [
        {"study": f"S{i}", "arm_a": "a", "arm_b": rng.choice("bc"), "estimate": f"{rng.gauss(0, 1):.3f}",
         "se": f"{rng.uniform(0.1, 1):.3f}"} for i in range(rng.randint(2, 5))
    ]  # fmt: skip
    names = [varied(rng, rng.choice(CONTRAST[meaning])) for meaning in truth[0]]
    return names, [list(row.values()) for row in truth], truth


SHAPES = {"long": long_table, "wide": wide_table, "contrast": contrast_table}


def spoil(rng: random.Random, shape: str, cells: list[list[str]], truth: list[Row]) -> None:
    """Write something else into one cell of a number, in the table and in what is known of it."""
    row = rng.randrange(len(cells))
    first = {"long": 2, "wide": 1, "contrast": 3}[shape]
    at = rng.randrange(first, len(cells[row]))
    text = rng.choice(SPOILT)
    cells[row][at] = text
    text = "" if text in ("",) else text
    if shape == "wide":
        width = (len(cells[row]) - 1) // 2
        group, what = divmod(at - 1, width)
        known = truth[2 * row + group]
        known[list(known)[1 + what]] = text
    else:
        truth[row][list(truth[row])[at]] = text


def case(seed: int) -> tuple[str, Table, list[Row], bool]:
    """Make a table; gives its shape, itself, its rows as they are known, and whether names were added or spoilt."""
    rng = random.Random(seed)
    shape = rng.choice(list(SHAPES))
    names, cells, truth = SHAPES[shape](rng, rng.choice(("binary", "continuous")))
    cells = [list(row) for row in cells]
    changed = False
    if rng.random() < 0.4:
        spoil(rng, shape, cells, truth)
        changed = True
    for _ in range(rng.choice((0, 0, 1, 2, 4))):
        if rng.random() < 0.5:
            name = rng.choice(list(EXTRA))
            values = EXTRA[name]
        else:
            what = rng.choice(list(ARM))
            name = varied(rng, rng.choice(ARM[what]))
            values = (str(rng.randint(1, 60)), f"{rng.uniform(0, 9):.1f}")
            if what in SUBJECTS:
                values = rng.choice(CELLS_OF_SUBJECTS)
        if name in names:
            continue
        names.append(name)
        for row in cells:
            row.append(rng.choice(values))
        changed = True
    order = list(range(len(names)))
    rng.shuffle(order)
    rows = tuple((i + 2, tuple(row[at] for at in order)) for i, row in enumerate(cells))
    return shape, Table("t.csv", tuple(names[at] for at in order), rows), truth, changed


def found_in(shape: str, table: Table) -> list[Row]:
    """Rows as the table is understood."""
    form = Call(measure="MD" if shape == "contrast" else None).understand(table, {}).form
    return [{what: cells[at] for what, at in form.known.items()} for _, cells in form.table.rows]


def together(rows: list[Row]) -> set[tuple[int, int]]:
    """Pairs of rows that are of one study."""
    studies = [row["study"] for row in rows]
    return {(i, j) for i, one in enumerate(studies) for j, other in enumerate(studies) if one == other}


def test_three_thousand_tables_give_their_own_numbers_or_none():
    understood = plain = 0
    for seed in range(3000):
        shape, table, truth, changed = case(seed)
        plain += not changed
        try:
            found = found_in(shape, table)
        except EvidenceError:
            continue
        understood += not changed
        # An arm without any number is no row of a wide table.
        truth = [
            row for row in truth if shape != "wide" or not all(is_gap(row[w]) for w in row if w != "study")
        ]
        assert len(found) == len(truth), (seed, table.header)
        for row, known in zip(found, truth, strict=True):
            for what, cell in known.items():
                if what in ("study", "treatment", "arm_a", "arm_b"):
                    continue
                assert row.get(what, "") in (cell, ""), (seed, what, table.header)
            centre = {"mean", "events", "estimate"} & known.keys()
            assert all(what in row for what in centre), (seed, table.header)
        # Arms of one study stay in one, by whatever name.
        assert together(found) >= together(truth), (seed, table.header)
    assert understood > 0.95 * plain, (understood, plain)


def test_the_order_of_columns_says_nothing():
    for seed in range(400):
        shape, table, _, _ = case(seed)
        order = list(range(len(table.header)))[::-1]
        turned = Table(
            "t.csv",
            tuple(table.header[at] for at in order),
            tuple((i, tuple(c[at] for at in order)) for i, c in table.rows),
        )
        said = []
        for each in (table, turned):
            try:
                said.append([sorted(row.items()) for row in found_in(shape, each)])
            except EvidenceError as error:
                said.append(error.message)
        assert said[0] == said[1], (seed, table.header)


@pytest.mark.slow
def test_whole_imports_write_their_own_numbers_or_nothing(tmp_path):
    import csv

    written = 0
    for seed in range(5000, 5200):
        shape, table, truth, _ = case(seed)
        into = tmp_path / f"r{seed}"
        try:
            import_arms(table, into, outcome="o", measure="MD" if shape == "contrast" else None)
        except EvidenceError:
            assert not into.exists()
            continue
        written += 1
        name = "contrasts.csv" if shape == "contrast" else "measurements.csv"
        with (into / name).open(encoding="utf-8", newline="") as stream:
            found = list(csv.DictReader(stream))
        truth = [
            row for row in truth if any(row[w] for w in row if w in ("n", "mean", "sd", "events", "estimate"))
        ]
        assert len(found) == len(truth), seed
        for row, known in zip(found, truth, strict=True):
            assert all(
                row.get(what, "") in (known[what], "", None)
                for what in ("n", "mean", "sd", "events", "estimate", "se")
                if what in known
            ), (seed, table.header)
    assert written > 60
    assert Path(tmp_path).exists()
