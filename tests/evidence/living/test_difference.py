"""What differs between two states: every planted change is found, and none is invented."""

from __future__ import annotations

import copy
import csv
import random
import shutil

import pytest

from evidence.facts.reference import keyed
from evidence.folder.layout import FILES
from evidence.living.difference import Change, _text, changes, differences
from evidence.living.state import opened
from evidence.living.tables import TABLES, state_of
from evidence.review import find

_NUMBERED = {file.table: file.numbered for file in FILES if file.numbered}


def _told(found):
    return sorted((one.table, one.change, one.column, one.before, one.after) for one in found)


# --- every table and column ---------------------------------------------------------------------------------


def _full_state():
    """One row in every table that a folder fills, every cell filled."""
    state = {}
    for name, table in TABLES.items():
        columns = table.columns or ("analysis", "outcome", "measure", "treatment", "versus", "tau2", "seed")
        row = {column: f"{column} 1" for column in columns}
        row |= {column: f"{kind} 1" for column, kind in table.names.items() if column in row}
        row |= {"source_file": table.file, "source_line": 2} | ({"factor": 1.0} if name == "unit" else {})
        row |= {_NUMBERED[name]: 1} if name in _NUMBERED else {}
        state[name] = [row | ({"treatments": None} if name == "plan" else {})]
    state["arm"].append(state["arm"][0] | {"arm": "arm 2", "source_line": 3})
    state["reported_contrast"][0]["arm_b"] = "arm 2"
    return state


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_cell_of_any_column_of_any_table_is_found_and_nothing_else(table):
    old, of = _full_state(), TABLES[table]
    for column in of.columns or ("measure", "tau2", "seed"):
        if (column,) == of.key and column in of.names:
            continue  # A name with another defining row: below.
        new = copy.deepcopy(old)
        new[table][0][column] = 3.0 if column == "factor" else "other"
        found = differences(old, new)
        if column in {*of.key, *of.shown} and len(found) == 2:
            assert sorted(one.change for one in found) == ["added", "removed"]
        else:
            [change] = found
            assert (change.table, change.change, change.column) == (table, "changed", column)
            assert (change.before, change.after) == (
                _text(old[table][0][column]),
                _text(new[table][0][column]),
            )


@pytest.mark.parametrize("table", [name for name in TABLES if name != "review"])
def test_an_added_and_a_removed_row_of_any_table_is_found_and_nothing_else(table):
    old = _full_state()
    new = copy.deepcopy(old)
    own = {*TABLES[table].key[-1:], *(set(old[table][0]) - set(TABLES[table].names))} - {"factor"}
    row = {name: f"new {name}" if name in own else value for name, value in old[table][0].items()}
    row |= {"source_line": 7, "source_file": old[table][0]["source_file"], "treatments": None}
    new[table].insert(0, row)
    [added] = differences(old, new)
    assert (added.table, added.change, added.file, added.line) == (table, "added", TABLES[table].file, 7)
    [removed] = differences(new, old)
    assert (removed.change, removed.old_line, removed.before) == ("removed", 7, added.after)


# --- planted in real ones -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bases():
    found = []
    for name, most in (("alf-simulated", 9), ("smoking", 30), ("diabetes", 30)):
        with opened(name) as db:
            state = state_of(db)
        kept = sorted({row["study"] for row in state["study"]})[:most]
        for table, rows in state.items():
            if "study" in TABLES[table].key or table == "report":
                state[table] = [row for row in rows if row["study"] in kept]
        found.append(state)
    with opened("alf-simulated") as db:
        extra = {
            "search": [{"search": f"q{n}", "source": "PubMed", "date": None, "query": f"cells {n}", "hits": n} for n in range(2)],
            "record": [
                {"record": f"r{n}", "search": f"q{n % 2}", "doi": f"10.1/{n}", "title": f"Title {n}", "duplicate_of": None, "study": None}
                for n in range(20)
            ],
            "screening": [
                {"record": f"r{n}", "stage": "title_abstract", "reviewer": who, "decision": ("include", "exclude")[n % 2], "reason": None}
                for n in range(20)
                for who in ("anna", "ben")
            ],
        }  # fmt: skip
    for table, rows in extra.items():
        lines = ({"source_file": TABLES[table].file, "source_line": n} for n in range(2, 99))
        found[0][table] = [row | line for row, line in zip(rows, lines)]
    return found


def _shuffled(state, rng):
    """Other order of rows and columns, other numbers and lines: what a spreadsheet program may do."""
    result = {}
    for table, rows in state.items():
        rows = rng.sample(rows, len(rows))
        result[table] = []
        for place, row in enumerate(rows):
            row = dict(rng.sample(list(row.items()), len(row)))
            if "source_line" in row:
                row["source_line"] = place + 2
            if table in _NUMBERED:
                row[_NUMBERED[table]] = place + 1
            result[table].append(row)
    return result


class _Planter:
    """Makes changes in a state, each of a study or name of its own, and knows what has to be found."""

    def __init__(self, old, rng):
        self.old, self.new, self.rng = old, copy.deepcopy(old), rng
        self.expected = []
        self.studies = rng.sample(sorted({row["study"] for row in old["study"]}), k=len(old["study"]))

    def _rows(self, table, study):
        return [row for row in self.new[table] if row.get("study") == study]

    def _data(self):
        return "measurement" if self.new["measurement"] else "reported_contrast"

    def _everywhere(self, kind, before, after, within=lambda row: True):
        for name, table in TABLES.items():
            for row in filter(within, self.new[name]):
                for column, of in table.names.items():
                    if of == kind and row.get(column) == before:
                        row[column] = after
                if kind == "treatment" and name == "plan" and row["treatments"]:
                    row["treatments"] = tuple(after if one == before else one for one in row["treatments"])

    def edit(self):
        row = self.rng.choice(self._rows(self._data(), self.studies.pop()))
        column = self.rng.choice([name for name, value in row.items() if isinstance(value, float)
                                  and name not in ("timepoint", "n") and not name.endswith("_id")])  # fmt: skip
        before = row[column]
        row[column] = before + self.rng.choice([1.0, -0.5, 100.0, before])
        self._expect(self._data(), "changed", column, before, row[column])

    def empty(self):
        row = self.rng.choice(self._rows("study", self.studies.pop()))
        column = self.rng.choice(["year", "label"])
        if (before := row[column]) is None or before == row["study"]:
            return
        row[column] = None
        self._expect("study", "changed", column, before, None)

    def judgement(self):
        if rows := self._rows("rob_judgement", self.studies.pop()):
            row = self.rng.choice(rows)
            before = row["judgement"]
            row["judgement"] = {"low": "high", "high": "unclear"}.get(before, "low")
            self._expect("rob_judgement", "changed", "judgement", before, row["judgement"])

    def screening(self):
        if self.new["screening"]:
            row = self.rng.choice(self.new["screening"])
            before, row["decision"] = row["decision"], "not_retrieved"
            self._expect("screening", "changed", "decision", before, "not_retrieved")

    def timepoint(self):
        study = self.studies.pop()
        rows = [row for row in self._rows(self._data(), study) if row["timepoint"] is not None]
        # One outcome of a study, in all arms: the same day misread.
        outcome = self.rng.choice(rows)["outcome"] if rows else None
        for row in [row for row in rows if row["outcome"] == outcome]:
            before = row["timepoint"]
            row["timepoint"] = before + 7
            self._expect(self._data(), "changed", "timepoint", before, before + 7)

    def time_unit(self):
        for row in self._rows(self._data(), self.studies.pop()):
            if row["timepoint_unit"] == "d":
                before = row["timepoint"]
                row["timepoint"], row["timepoint_unit"] = before * 24, "h"
                was, becomes = (f"{n:.15g} {unit}" for n, unit in ((before, "d"), (before * 24, "h")))
                self.expected.append((self._data(), "converted", "timepoint", was, becomes))

    def unit(self):
        units = keyed("unit")
        for row in self._rows("measurement", self.studies.pop()):
            own = row["unit"]
            same = [
                u
                for u, one in units.items()
                if own and one["dimension"] == units[own]["dimension"] and u != own
            ]
            if not same:
                return
            other = sorted(same)[0]
            for name in TABLES["measurement"].converted:
                if row.get(name) is not None:
                    row[name] *= float(units[own]["factor"]) / float(units[other]["factor"])
            row["unit"] = other
            self.expected.append(("measurement", "converted", "unit", own, other))

    def relabel_study(self):
        before = self.studies.pop()
        after = f"renamed {before}"
        for row in self.new["study"]:
            if row["study"] == before and row["label"] == before:
                row["label"] = after
        self._everywhere("study", before, after)
        self._expect("study", "relabelled", "study", before, after)

    def relabel_arm(self):
        study = self.studies.pop()
        row = self.rng.choice(self._rows("arm", study))
        before, where = row["arm"], (study, row["experiment"])
        self._everywhere(
            "arm", before, "new arm", lambda row: (row.get("study"), row.get("experiment")) == where
        )
        self._expect("arm", "relabelled", "arm", before, "new arm")

    def _relabel(self, kind, after):
        used = {row[column] for name in ("arm", "measurement", "reported_contrast", "record") for row in self.new[name]
                for column, of in TABLES[name].names.items() if of == kind}  # fmt: skip
        names = [row for row in self.new[kind] if row[kind] in used and not str(row[kind]).startswith("new ")]
        if names:
            row = self.rng.choice(names)
            before = row[kind]
            self._everywhere(kind, before, after)
            self._expect(kind, "relabelled", kind, before, after)

    def relabel_treatment(self):
        self._relabel("treatment", "new treatment")

    def relabel_outcome(self):
        self._relabel("outcome", "new outcome")

    def relabel_record(self):
        self._relabel("record", "new record")

    def relabel_search(self):
        self._relabel("search", "new search")

    def relabel_column(self):
        known = set(TABLES["study"].columns) | {"source_file", "source_line", "new column"}
        if further := sorted({name for row in self.new["study"] for name in row} - known):
            name = self.rng.choice(further)
            for row in self.new["study"]:
                if name in row:
                    row["new column"] = row.pop(name)
            self._expect("study", "relabelled", "new column", name, "new column")

    def remove_study(self):
        study = self.studies.pop()
        for table, rows in self.new.items():
            if "study" in TABLES[table].columns and table != "record":
                gone = [row for row in rows if row["study"] == study]
                self.new[table] = [row for row in rows if row["study"] != study]
                self.expected += [(table, "removed", None, "", None)] * len(gone)

    def add_study(self):
        model, study = self.studies.pop(), f"added {len(self.studies)}"
        for table in ("study", "arm", "measurement", "reported_contrast", "rob_judgement"):
            for row in self._rows(table, model):
                row = row | {"study": study}
                for name, value in row.items():
                    if isinstance(value, float) and name != "timepoint":
                        row[name] = value * self.rng.uniform(1.1, 2)
                row |= {"label": "An added study", "year": 1999} if table == "study" else {}
                self.new[table].append(row)
                self.expected.append((table, "added", None, None, ""))

    def remove_measurement(self):
        table = self._data()
        row = self.rng.choice(self._rows(table, self.studies.pop()))
        self.new[table] = [one for one in self.new[table] if one is not row]
        self.expected.append((table, "removed", None, "", None))

    def add_reading(self):
        row = self.rng.choice(self._rows(self._data(), self.studies.pop()))
        self.new[self._data()].append(row | {"extractor": "second reader"})
        self.expected.append((self._data(), "added", None, None, ""))

    def _expect(self, table, change, column, before, after):
        def text(value):
            return f"{value:.17g}" if isinstance(value, int | float) else value

        self.expected.append((table, change, column, text(before), text(after)))


_KINDS = [name for name in vars(_Planter) if not name.startswith("_")]


def _comparable(rows):
    """Tell rows apart by what is said, numbers as numbers, whole rows without their words."""

    def value(text):
        try:
            return ("number", float(text))
        except (TypeError, ValueError):
            return ("text", text or "")

    return sorted((table, change, column or "", value("" if column is None else before), value("" if column is None else after))
                  for table, change, column, before, after in rows)  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_of_planted_changes_every_one_is_found_and_none_is_invented(bases, seed):
    for turn in range(10):
        rng = random.Random(1000 * seed + turn)
        old = bases[rng.randrange(len(bases))]
        planter = _Planter(old, rng)
        kinds = rng.sample(_KINDS, k=rng.randint(1, 4))
        for kind in kinds:
            getattr(planter, kind)()
        found = differences(_shuffled(old, rng), _shuffled(planter.new, rng))
        assert _comparable(_told(found)) == _comparable(planter.expected), (turn, kinds)


def test_reordering_rows_and_columns_changes_nothing(bases):
    for base in bases:
        assert differences(base, _shuffled(base, random.Random(1))) == []


# --- from folder to folder ----------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """A review folder to change, and what it was."""
    for name in ("old", "new"):
        shutil.copytree(find("diabetes"), tmp_path / name)
    return tmp_path / "old", tmp_path / "new"


def _edit(folder, file, old, new):
    text = (folder / file).read_text()
    assert text.count(old) >= 1
    (folder / file).write_text(text.replace(old, new, 1))


def test_changes_of_files_are_found_with_file_and_line_of_both_sides(folders):
    old, new = folders
    lines = (new / "measurements.csv").read_text().splitlines()
    # The rows the other way round, the columns too, and one cell changed.
    rows = [line.replace(",-1.7,", ",-1.8,") for line in [lines[0], *lines[:0:-1]]]
    cells = [next(iter(csv.reader([row])))[::-1] for row in rows]
    with (new / "measurements.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(cells)
    _edit(new, "review.toml", 'title = "', 'title = "On ')
    with opened(old) as before, opened(new) as after:
        title, cell = changes(before, after)
    assert (title.table, title.column, title.file, title.line) == ("review", "title", "review.toml", None)
    assert cell == Change(
        "measurement", "De Fronzo (1995), metf, hba1c, Senn et al. 2013", "changed", "mean", "-1.7", "-1.8",
        "measurements.csv", len(lines), "measurements.csv", 2, "De Fronzo (1995)", "hba1c", "metf",
    )  # fmt: skip


def test_a_cell_that_now_says_why_it_is_empty_is_a_change(folders):
    old, new = folders
    for folder, said in ((old, ""), (new, "NR")):
        _edit(folder, "measurements.csv", ",213,-1.7", f",{said},-1.7")
    with opened(old) as before, opened(new) as after:
        [change] = changes(before, after)
    assert (change.table, change.column, change.before, change.after) == ("measurement", "n", None, "NR")
