"""A small review written in Python: rows for the tables, answers from the views."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence.facts.reference import keyed
from evidence.store.objects import used_by
from evidence.store.stored import refresh

CONTROLS = ("control", "placebo", "plac", "no_contact", "no treatment", "no_intervention", "control/placebo")


class Rows:
    """Fills an empty database; studies, arms, treatments and outcomes that a row names are made with it."""

    def __init__(self, connection):
        self.connection = connection
        self.seen: set[tuple] = set()
        self.next_id = 0
        self.line = 1
        self.stored: set[str] = set()
        """Views whose rows are those of the tables as they now are."""

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        rows = list(rows)
        if rows:
            self.stored.clear()
            columns = list(dict.fromkeys(key for row in rows for key in row))
            one = f"({', '.join('?' for _ in columns)})"
            names = ", ".join(f'"{column}"' for column in columns)
            values = [row.get(column) for row in rows for column in columns]
            self.connection.execute(
                f"insert into {table} ({names}) values {', '.join([one] * len(rows))}", values
            )

    def place(self, file: str) -> dict:
        self.line += 1
        return {"source_file": file, "source_line": self.line}

    def once(self, table: str, key: tuple, **row) -> None:
        if (table, *key) not in self.seen:
            self.seen.add((table, *key))
            self.insert(table, [row])

    def unit(self, unit: str, dimension: str, factor: float) -> None:
        self.once("unit", (unit,), unit=unit, dimension=dimension, factor=factor)

    def effect_measure(self, measure: str) -> None:
        """Its row as every evidence base has it."""
        self.once("effect_measure", (measure,), **keyed("effect_measure")[measure])

    def treatment(self, treatment: str, role: str = "active") -> None:
        self.once(
            "treatment",
            (treatment,),
            treatment=treatment,
            label=treatment,
            role=role,
            **self.place("treatments.csv"),
        )

    def outcome(self, outcome: str, kind: str = "continuous", **row) -> None:
        self.once(
            "outcome",
            (outcome,),
            outcome=outcome,
            label=outcome,
            kind=kind,
            **row,
            **self.place("outcomes.csv"),
        )

    def study(self, study: str, **row) -> None:
        self.once("study", (study,), **{"study": study, "label": study, **row}, **self.place("studies.csv"))

    def arm(
        self, study: str, arm: str, treatment: str | None = None, experiment: str = "main", **row
    ) -> None:
        treatment = treatment or arm
        self.study(study)
        role = "control" if treatment.lower() in CONTROLS else "sham" if treatment == "sham" else "active"
        self.treatment(treatment, role)
        row = {"role": role, **row, **self.place("arms.csv")}
        self.once(
            "arm",
            (study, experiment, arm),
            study=study,
            experiment=experiment,
            arm=arm,
            treatment=treatment,
            **row,
        )

    def measure(self, study: str, arm: str, outcome: str = "alt", experiment: str = "main", **row) -> int:
        """One measurement; gives its id."""
        self.arm(study, arm, experiment=experiment)
        self.outcome(outcome)
        self.next_id += 1
        row = {"measurement_id": self.next_id, **row, **self.place("measurements.csv")}
        self.insert(
            "measurement", [{"study": study, "experiment": experiment, "arm": arm, "outcome": outcome, **row}]
        )
        return self.next_id

    def report(
        self, study: str, arm_a: str, arm_b: str, outcome: str = "alt", experiment: str = "main", **row
    ) -> int:
        """One contrast reported without arms; gives its id."""
        self.arm(study, arm_a, experiment=experiment)
        self.arm(study, arm_b, experiment=experiment)
        self.outcome(outcome)
        self.next_id += 1
        keys = {"study": study, "experiment": experiment, "outcome": outcome, "arm_a": arm_a, "arm_b": arm_b}
        row = {"reported_contrast_id": self.next_id, "measure": "MD", **row, **self.place("contrasts.csv")}
        self.effect_measure(row["measure"])
        self.insert("reported_contrast", [{**keys, **row}])
        return self.next_id

    def query(self, sql: str, parameters=None) -> list[dict]:
        """Rows of an answer as dictionaries, from views as a build would store them."""
        behind = {item.name for item in used_by(re.findall(r"\w+", sql)) if item.stored}
        if not behind <= self.stored:
            refresh(self.connection, behind)
            self.stored |= behind
        cursor = self.connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str, parameters=None) -> dict:
        """The only row of an answer."""
        (row,) = self.query(sql, parameters)
        return row


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Tables without a row, macros and views: a copy of the blank file, which is made once for all workers."""
    from evidence.database import connect
    from evidence.facts.reference import REFERENCE_TABLES
    from evidence.store.blank import copy_blank

    file = tmp_path_factory.mktemp("blank") / "blank.duckdb"
    copy_blank(file)
    with connect(file, write=True) as connection:
        # But the words of the view `exclusion`; other reference data each test fills in as it needs them.
        for table in reversed([table for table in REFERENCE_TABLES if table != "reason"]):
            connection.execute(f"delete from {table}")
        refresh(connection)
        yield connection


@pytest.fixture
def empty_database(database):
    """The empty database, which forgets what a test writes."""
    database.execute("begin transaction")
    yield database
    database.execute("rollback")


@pytest.fixture
def review_rows() -> type[Rows]:
    """What fills a review, for tests that make several."""
    return Rows


@pytest.fixture
def rows(empty_database) -> Rows:
    """An empty review to be filled."""
    return Rows(empty_database)


@pytest.fixture
def load_oracle(rows, oracle_directory, oracle):
    """Load an arm-level or two-group data set as outcome 'y', and give its reference results."""

    def load(name: str) -> dict:
        directory: Path = oracle_directory
        with open(directory / "data" / f"{name}.csv", encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        meta = json.loads((directory / "data" / f"{name}.meta.json").read_text(encoding="utf-8"))
        _load(rows, table, meta)
        return oracle(name)

    return load


def _load(rows: Rows, table: list[dict], meta: dict) -> None:
    kind = meta["outcome_type"]
    rows.outcome("y", kind)
    reference = meta["reference"] or "control"
    arms: list[dict] = []
    for position, row in enumerate(table):
        if meta["kind"] == "network":
            arms.append(_arm(row["study"], row["treatment"], row, "", kind, reference))
        else:
            # The same study may stand in several rows: each is a comparison of its own.
            study = f"{position:03d} {row['study']}"
            arms.append(_arm(study, "treated", row, "1", kind, reference))
            arms.append(_arm(study, "control", row, "2", kind, reference))
    rows.insert(
        "treatment",
        [
            {
                "treatment": name,
                "label": name,
                "role": "control" if name == reference else "active",
                **rows.place("treatments.csv"),
            }
            for name in dict.fromkeys(arm["arm"] for arm in arms)
        ],
    )
    rows.insert(
        "study",
        [
            {"study": name, "label": name, **rows.place("studies.csv")}
            for name in dict.fromkeys(a["study"] for a in arms)
        ],
    )
    rows.insert(
        "arm",
        [
            {
                "study": arm["study"],
                "experiment": "main",
                "arm": arm["arm"],
                "treatment": arm["arm"],
                "role": "active",
                **rows.place("arms.csv"),
            }
            for arm in arms
        ],
    )
    rows.insert(
        "measurement",
        [
            {
                "measurement_id": i,
                "experiment": "main",
                "outcome": "y",
                **arm,
                **rows.place("measurements.csv"),
            }
            for i, arm in enumerate(arms)
        ],
    )


def _arm(study: str, arm: str, row: dict, group: str, kind: str, reference: str) -> dict:
    def number(*names: str) -> float | None:
        for name in names:
            if row.get(name) not in (None, "", "NA"):
                return float(row[name])
        return None

    found = {"study": study, "arm": arm}
    if kind == "continuous":
        found["mean"] = number("mean", f"m{group}i")
        found["sd"] = number("sd", f"sd{group}i")
        found["n"] = number("n", f"n{group}i")
    elif kind == "binary" and group:
        events, others = ("ai", "bi") if group == "1" else ("ci", "di")
        found["events"] = number(events)
        found["n"] = number(events) + number(others)
    elif kind == "binary":
        found["events"] = number("responders")
        found["n"] = number("n")
    else:
        found["events"] = number("events", f"x{group}i")
        found["exposure"] = number("exposure", f"t{group}i")
    return found
