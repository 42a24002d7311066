"""Pairs of small review folders: one generated or cut from a bundled review, the other with changes planted.

A folder is held as text: rows of cells by file, and its review.toml. Each planted change is a function of such
a folder, so that any of them can be made without the others: what a state between two states is, written down.
"""

from __future__ import annotations

import copy
import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from evidence.review import find

Text = dict[str, list[dict[str, str]]]

PROTOCOL = """title = "A generated review"
question = "Does it work?"
synthetic = true

[protocol]
reference = "p"
timepoint = "last"
seed = 1
"""
ANALYSES = {
    "pair": 'kind = "pairwise"\noutcome = "score"\nmeasure = "MD"\ntreatment = "a"\nversus = "p"\ntau2 = "{tau2}"\nci = "HK"',
    "net": 'kind = "network"\noutcome = "score"\nmeasure = "MD"\nengine = "{engine}"\nmodel = "{model}"',
    "death": 'kind = "pairwise"\noutcome = "death"\nmeasure = "OR"\ntreatment = "a"\nversus = "p"\ntau2 = "DL"\nci = "Wald"\nexclude_high_rob = true',
}  # fmt: skip
STATISTICS = ("mean", "sd", "se", "events", "n")


@dataclass
class Folder:
    """A review folder as text: rows by file, and what stands in review.toml."""

    tables: Text
    protocol: str

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "review.toml").write_text(self.protocol, encoding="utf-8")
        for name, rows in self.tables.items():
            if rows:
                header = list(dict.fromkeys(column for row in rows for column in row))
                with (folder / name).open("w", newline="", encoding="utf-8") as stream:
                    writer = csv.DictWriter(stream, header, restval="")
                    writer.writeheader()
                    writer.writerows(rows)
        return folder

    def of(self, file: str, study: str) -> list[dict[str, str]]:
        return [row for row in self.tables.get(file, []) if row["study"] == study]

    @property
    def studies(self) -> list[str]:
        return [row["study"] for row in self.tables["studies.csv"]]


def generated(rng: Random) -> Folder:
    """Five to seven studies of three treatments, two outcomes, judgements; two or three planned analyses."""
    tables: Text = {
        "treatments.csv": [
            {"treatment": name, "label": name.upper(), "role": "control" if name == "p" else "active"} for name in "abp"
        ],
        "outcomes.csv": [
            {"outcome": "score", "label": "Score", "kind": "continuous", "unit": "mg/L", "lower_is_better": "true", "smallest_important_difference": "1.5"},
            {"outcome": "death", "label": "Death", "kind": "binary", "unit": "", "lower_is_better": "true", "smallest_important_difference": ""},
        ],
        "studies.csv": [], "arms.csv": [], "measurements.csv": [], "risk_of_bias.csv": [],
    }  # fmt: skip
    folder = Folder(tables, "")
    designs = ["ap", "ap", "bp", "abp", "ap", "ab", "bp"][: rng.randint(5, 7)]
    for number, design in enumerate(designs):
        add_study(folder, f"S{number}", design, rng)
    engine = rng.choice(["exact", "frequentist"])
    chosen = {"tau2": rng.choice(["REML", "DL", "PM"]), "engine": engine, "model": "random"}
    analyses = (
        f'[[protocol.analysis]]\nname = "{name}"\n{text.format(**chosen)}\n'
        for name, text in ANALYSES.items()
    )
    folder.protocol = "\n".join([PROTOCOL, *analyses])
    return folder


def add_study(folder: Folder, study: str, design: str, rng: Random) -> None:
    """Add a study with its arms, measurements at two times, and judgements."""
    tables = folder.tables
    tables["studies.csv"].append(
        {"study": study, "label": f"Study {study}", "year": str(rng.randint(1990, 2020))}
    )
    for name in design:
        n = rng.randint(12, 60)
        tables["arms.csv"].append({"study": study, "arm": f"arm {name}", "treatment": name, "n": str(n)})
        for day in (7, 28):
            mean = 20 - {"a": 3, "b": 4, "p": 0}[name] * day / 28 + rng.gauss(0, 1)
            tables["measurements.csv"].append(
                _measured(study, name, "score", n, day) | {"mean": f"{mean:.2f}", "sd": f"{rng.uniform(2, 5):.2f}", "unit": "mg/L"}
            )  # fmt: skip
        tables["measurements.csv"].append(
            _measured(study, name, "death", n, 28) | {"events": str(rng.randint(2, n // 2))}
        )
    for item in ("D1", "Overall"):
        tables["risk_of_bias.csv"].append(
            {
                "study": study,
                "tool": "RoB 2",
                "item": item,
                "judgement": "low" if item == "D1" else "some concerns",
            }
        )


def _measured(study: str, name: str, outcome: str, n: int, day: int) -> dict[str, str]:
    cells = {
        "study": study,
        "arm": f"arm {name}",
        "outcome": outcome,
        "timepoint": str(day),
        "timepoint_unit": "d",
    }
    return cells | {
        "n": str(n),
        "mean": "",
        "sd": "",
        "events": "",
        "unit": "",
        "source": "made",
        "extractor": "me",
    }


def bundled(name: str, rng: Random) -> Folder:
    """A bundled review with its shortest plan."""
    tables: Text = {}
    for path in find(name).glob("*.csv"):
        with path.open(newline="", encoding="utf-8-sig") as stream:
            tables[path.name] = list(csv.DictReader(stream))
    protocol = (find(name) / "review.toml").read_text(encoding="utf-8")
    kept = (line for line in protocol.splitlines() if not line.startswith(("node_split", "leave_one_out")))
    return Folder(tables, "\n".join(kept) + "\n")


Told = tuple[str, str, str]
"""Table, change and column of a change that has to be found."""


@dataclass
class Planter:
    """Plants changes in a folder, each in a study or row of its own.

    Attributes
    ----------
    old : Folder
    rng : Random
    steps : list of callable
        What was planted: each takes a folder and changes it.
    expected : Counter of tuple
        The changes that have to be found: table, change, column.
    moving : bool
        Whether any of them may move a result.
    """

    old: Folder
    rng: Random
    steps: list[Callable[[Folder], None]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    expected: Counter[Told] = field(default_factory=Counter)
    moving: bool = False

    def __post_init__(self) -> None:
        self._free = self.rng.sample(self.old.studies, len(self.old.studies))

    def made(self, steps: Iterable[int] | None = None) -> Folder:
        """The folder with some of the changes, or all."""
        new = copy.deepcopy(self.old)
        for place in range(len(self.steps)) if steps is None else steps:
            self.steps[place](new)
        return new

    def plant(self, kind: str) -> None:
        """Plant a change of a kind, if the folder has anything to change for it."""
        getattr(self, kind)()

    def _do(self, name: str, step: Callable[[Folder], None], *expected: Told, moving: bool = True) -> None:
        self.steps.append(step)
        self.names.append(name)
        self.expected.update(expected)
        self.moving |= moving

    def _study(self) -> str | None:
        # Enough stay as they are for every analysis to go on.
        return self._free.pop() if len(self._free) > 3 else None

    def edit(self) -> None:
        if (study := self._study()) is None:
            return
        places = [
            (place, column)
            for place, row in enumerate(self.old.of("measurements.csv", study))
            for column in ("mean", "sd", "events")
            if row.get(column)
        ]
        place, column = self.rng.choice(places)
        by = self.rng.choice([1.0, 2.0])

        def step(folder: Folder) -> None:
            row = folder.of("measurements.csv", study)[place]
            row[column] = f"{float(row[column]) + by:.6g}"

        self._do(f"edit {study}", step, ("measurement", "changed", column))

    def add(self) -> None:
        study, design, seed = (
            f"new {len(self.steps)}",
            self.rng.choice(["ap", "abp", "bp"]),
            self.rng.random(),
        )
        if "score" in {row["outcome"] for row in self.old.tables["outcomes.csv"]}:

            def step(folder: Folder) -> None:
                add_study(folder, study, design, Random(seed))

            n = len(design)
            rows = {"study": 1, "arm": n, "measurement": 3 * n, "rob_judgement": 2}
        else:
            model, by = self.rng.choice(self.old.studies), 1 + round(self.rng.random(), 2)
            files = {"study": "studies.csv", "arm": "arms.csv", "measurement": "measurements.csv"}

            def step(folder: Folder) -> None:
                for file in files.values():
                    for row in self.old.of(file, model):
                        new = (
                            row
                            | {"study": study}
                            | ({"label": study, "year": "1901"} if "year" in row else {})
                        )
                        for column in ("mean", "sd"):
                            if row.get(column):
                                new[column] = f"{float(row[column]) * by:.6g}"
                        if row.get("events"):
                            new["events"] = str(int(row["events"]) + 1)
                        folder.tables[file].append(new)

            rows = {table: len(self.old.of(file, model)) for table, file in files.items()}
        told = [(table, "added", "") for table, n in rows.items() for _ in range(n)]
        self._do(f"add {study}", step, *told)

    def remove(self) -> None:
        if (study := self._study()) is None:
            return
        tables = {"studies.csv": "study", "arms.csv": "arm", "measurements.csv": "measurement", "risk_of_bias.csv": "rob_judgement"}  # fmt: skip

        def step(folder: Folder) -> None:
            for file in tables:
                if file in folder.tables:
                    folder.tables[file] = [row for row in folder.tables[file] if row["study"] != study]

        told = [(table, "removed", "") for file, table in tables.items() for _ in self.old.of(file, study)]
        self._do(f"remove {study}", step, *told)

    def relabel(self) -> None:
        if (study := self._study()) is None:
            return

        def step(folder: Folder) -> None:
            for rows in folder.tables.values():
                for row in rows:
                    if row.get("study") == study:
                        row["study"] = f"renamed {study}"

        self._do(f"relabel {study}", step, ("study", "relabelled", "study"), moving=False)

    def reorder(self) -> None:
        seed = self.rng.random()

        def step(folder: Folder) -> None:
            rng = Random(seed)
            for name, rows in folder.tables.items():
                header = list(dict.fromkeys(column for row in rows for column in row))
                rng.shuffle(header)
                folder.tables[name] = [
                    {column: row.get(column, "") for column in header} for row in rng.sample(rows, len(rows))
                ]

        self._do("reorder", step, moving=False)

    def unit(self) -> None:
        """One study's values, all of them, in another unit."""
        study = self._study()
        rows = [] if study is None else self.old.of("measurements.csv", study)
        having = [row for row in rows if row.get("unit") == "mg/L"]
        if not having:
            return

        def step(folder: Folder) -> None:
            for row in folder.of("measurements.csv", str(study)):
                if row["unit"] == "mg/L":
                    row["unit"] = "mg/dL"
                    row |= {name: repr(float(row[name]) / 10) for name in ("mean", "sd") if row[name]}

        told = [("measurement", "converted", "unit")] * len(having)
        self._do(f"unit {study}", step, *told, moving=False)

    def time(self) -> None:
        """One study's last time of the first outcome was another day: before the first, or after."""
        if (study := self._study()) is None:
            return
        rows = [row for row in self.old.of("measurements.csv", study) if row.get("timepoint") == "28"]
        outcome = rows[0]["outcome"] if rows else None
        if outcome is None:
            return
        day = self.rng.choice(["3", "56"])

        def step(folder: Folder) -> None:
            for row in folder.of("measurements.csv", study):
                if (row["timepoint"], row["outcome"]) == ("28", outcome):
                    row["timepoint"] = day

        told = [("measurement", "changed", "timepoint")] * sum(row["outcome"] == outcome for row in rows)
        self._do(f"time {study}", step, *told)

    def judgement(self) -> None:
        study = self._study()
        if study is None or not self.old.of("risk_of_bias.csv", study):
            return

        def step(folder: Folder) -> None:
            folder.of("risk_of_bias.csv", study)[1]["judgement"] = "high"

        self._do(f"judgement {study}", step, ("rob_judgement", "changed", "judgement"))

    def estimator(self) -> None:
        if 'tau2 = "DL"\nci = "HK"' in self.old.protocol or "ci = " not in self.old.protocol:
            return

        def step(folder: Folder) -> None:
            folder.protocol = folder.protocol.replace('ci = "HK"', 'ci = "Wald"')

        told = [("plan", "changed", "ci")] * self.old.protocol.count('ci = "HK"')
        self._do("estimator", step, *told)

    def important(self) -> None:
        row = self.old.tables["outcomes.csv"][0]
        if not row.get("smallest_important_difference"):
            return

        def step(folder: Folder) -> None:
            rows = {row["outcome"]: row for row in folder.tables["outcomes.csv"]}
            rows[row["outcome"]]["smallest_important_difference"] = "2.5"

        self._do("important", step, ("outcome", "changed", "smallest_important_difference"))


KINDS = ("edit", "add", "remove", "relabel", "reorder", "unit", "time", "judgement", "estimator", "important")


def pair(seed: int) -> Planter:
    """A folder and one to four changes planted in it; of every tenth nothing may move."""
    rng = Random(seed)
    old = bundled(rng.choice(["diabetes", "smoking"]), rng) if seed % 5 == 4 else generated(rng)
    planter = Planter(old, rng)
    still = ("relabel", "reorder", "unit")
    kinds = still if seed % 10 == 0 else [*rng.sample(KINDS, rng.randint(1, 4)), *["edit"] * (seed % 3)]
    # Rows are told by their place until they are shuffled.
    for kind in sorted(kinds, key=lambda kind: kind == "reorder"):
        planter.plant(kind)
    return planter
