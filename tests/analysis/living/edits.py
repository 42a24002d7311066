"""Edits of a review folder, as people make them: each changes files in place, drawn by a random generator."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

Rows = list[dict[str, str]]


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: Rows) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def change(path: Path, what: Callable[[Rows], object]) -> None:
    rows = rows_of(path)
    what(rows)
    write(path, rows)


def _number(folder: Path, draw: random.Random) -> None:
    """A number was read wrongly."""

    def edit(rows: Rows) -> None:
        row, name = draw.choice(rows), draw.choice(["mean", "mean", "sd", "n"])
        if row.get(name):
            row[name] = f"{float(row[name]) * draw.choice([1.02, 1.5]):.0f}"

    change(folder / "measurements.csv", edit)


def _digit(folder: Path, draw: random.Random) -> None:
    """The last digit of a mean."""

    def edit(rows: Rows) -> None:
        row = draw.choice([row for row in rows if row["mean"]])
        row["mean"] = repr(float(row["mean"]) * (1 + 4e-16))

    change(folder / "measurements.csv", edit)


def _page(folder: Path, draw: random.Random) -> None:
    """The place of a number: no result is another."""
    change(folder / "measurements.csv", lambda rows: draw.choice(rows).update(locator="page 12"))


def _delete(folder: Path, draw: random.Random) -> None:
    """A study is taken out."""
    gone = draw.choice(rows_of(folder / "studies.csv"))["study"]
    for name in ("studies", "arms", "measurements", "risk_of_bias"):
        write(
            folder / f"{name}.csv", [row for row in rows_of(folder / f"{name}.csv") if row["study"] != gone]
        )


def _add(folder: Path, draw: random.Random) -> None:
    """A study is added, somewhere."""
    like = draw.choice(rows_of(folder / "studies.csv"))["study"]
    first = draw.random() < 0.5
    for name in ("studies", "arms", "measurements"):
        rows = rows_of(folder / f"{name}.csv")
        more = [row | {"study": "N001"} for row in rows if row["study"] == like]
        for row in more:
            row.update({key: f"New {row[key]}" for key in ("label",) if key in row})
        write(folder / f"{name}.csv", [*more, *rows] if first else [*rows, *more])


def _names(folder: Path, draw: random.Random) -> None:
    """A printed name."""
    file = draw.choice(["studies", "treatments", "outcomes"])
    change(folder / f"{file}.csv", lambda rows: draw.choice(rows).update(label="Another name"))


def _rename(folder: Path, draw: random.Random) -> None:
    """A study has another key."""
    old = draw.choice(rows_of(folder / "studies.csv"))["study"]
    for name in ("studies", "arms", "measurements", "risk_of_bias"):
        change(
            folder / f"{name}.csv",
            lambda rows: [row.update(study="Z900") for row in rows if row["study"] == old],
        )


def _order(folder: Path, draw: random.Random) -> None:
    """Rows in another order."""
    change(folder / f"{draw.choice(['measurements', 'studies', 'arms', 'treatments'])}.csv", draw.shuffle)


def _judgement(folder: Path, draw: random.Random) -> None:
    """A judgement of the risk of bias."""

    def edit(rows: Rows) -> None:
        for row in draw.sample(rows, 20):
            row["judgement"] = draw.choice(["high", "low", "unclear"])

    change(folder / "risk_of_bias.csv", edit)


def _study(folder: Path, draw: random.Random) -> None:
    """A variable of a study."""

    def edit(rows: Rows) -> None:
        row, name = draw.choice(rows), draw.choice(["year", "species", "sex", "route"])
        row[name] = draw.choice([other[name] for other in rows])

    change(folder / "studies.csv", edit)


def _treatment(folder: Path, draw: random.Random) -> None:
    """Class or role of a treatment."""
    column, value = draw.choice([("class", "other cells"), ("role", "sham"), ("role", "control")])
    change(folder / "treatments.csv", lambda rows: draw.choice(rows).update({column: value}))


def _outcome(folder: Path, draw: random.Random) -> None:
    """Direction, smallest important difference or unit of an outcome."""
    column, value = draw.choice(
        [("lower_is_better", "false"), ("lower_is_better", ""), ("smallest_important_difference", "25")]
    )
    change(folder / "outcomes.csv", lambda rows: draw.choice(rows).update({column: value}))


def _time(folder: Path, draw: random.Random) -> None:
    """Another day."""
    change(folder / "measurements.csv", lambda rows: draw.choice(rows).update(timepoint="9"))


def _plan(folder: Path, draw: random.Random) -> None:
    """An option of the plan."""
    path = folder / "review.toml"
    text = path.read_text(encoding="utf-8")
    old, new = draw.choice(
        [
            ('tau2 = "DL"', 'tau2 = "PM"'),
            ("seed = 2023", "seed = 7"),
            ('timepoint = "last"', 'timepoint = "first"'),
            ('name = "rob"', 'name = "without-high-risk"'),
            ("year > 2009", "year > 2010"),
            ("uniform(0, 350)", "half-normal(200)"),
            ('versus = "placebo"', 'versus = "Negative control"'),
        ]
    )
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _claim(folder: Path, draw: random.Random) -> None:
    """A claim of the review."""
    change(folder / "claims.csv", lambda rows: draw.choice(rows).update(expected="12"))


EDITS = (
    _number, _digit, _page, _delete, _add, _names, _rename, _order, _judgement, _study, _treatment, _outcome, _time,
    _plan, _claim,
)  # fmt: skip
"""Kinds of edits: called with a folder and a random generator."""

PLAN = """
[protocol]
reference = "placebo"
timepoint = "last"
seed = 2023

[[protocol.analysis]]
name = "class"
kind = "pairwise"
outcome = "il6"
measure = "MD"
treatment = "stem cell"
versus = "placebo"
subgroup = "treatment"
tau2 = "DL"
cumulative = "year"
sensitivity = ["bayes", "gosh"]
subsets = 500

[[protocol.analysis]]
name = "rob"
kind = "pairwise"
outcome = "il6"
measure = "ROM"
treatment = "BMSC"
versus = "placebo"
exclude_high_rob = true

[[protocol.analysis]]
name = "younger"
kind = "network"
outcome = "il6"
measure = "SMD"
smd = "g"
engine = "frequentist"
where = "year > 2009"
node_split = true

[[protocol.analysis]]
name = "moderated"
kind = "pairwise"
outcome = "tnf_alpha"
measure = "MD"
treatment = "stem cell"
versus = "placebo"
moderators = ["year", "species"]

[[protocol.analysis]]
name = "exact"
kind = "network"
outcome = "il6"
measure = "MD"
engine = "exact"
tau_prior = "uniform(0, 350)"
effect_prior_sd = 7000
leave_one_out = true

[[protocol.analysis]]
name = "regression"
kind = "network"
outcome = "tnf_alpha"
measure = "MD"
engine = "exact"
covariates = ["year"]
"""
"""A plan of the review alf-simulated that asks for what depends on as many kinds of rows as there are."""
