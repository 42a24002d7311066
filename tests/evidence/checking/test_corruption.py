"""Corrupted copies of the bundled reviews: none ends in a traceback, and none in a silent wrong number.

Each copy has one thing wrong with it. It ends in a named error; or in a warning, an exclusion or an audit row that the
sound review does not have; or, where the corrupted value is itself plausible, in numbers that changed with that cell
alone. Copies that build are loaded side by side into one database, their names told apart by a prefix, so that the
views run once over all of them.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evidence.database import connect
from evidence.errors import ReviewError
from evidence.facts.reference import keyed
from evidence.folder.layout import FILE, FILES
from evidence.review import Review, Rows, bundled, read
from evidence.store.blank import copy_blank
from evidence.store.rows import insert
from evidence.store.stored import refresh

Table = list[list[str]]


@dataclass
class Copy:
    """A corrupted copy: which cell was touched, and what became of it."""

    review: str
    kind: str
    file: str
    line: int
    column: str
    was: str
    now: str
    row: dict[str, str]
    built: Review | None = None
    errors: tuple = ()
    told: list[str] = field(default_factory=list)
    changed: set[tuple] = field(default_factory=set)
    kept: bool = False

    def __str__(self) -> str:
        return (
            f"{self.review}/{self.file}:{self.line} {self.column} {self.kind}: {self.was!r} -> {self.now!r}"
        )


# --- what can go wrong with a table -----------------------------------------------------------------------------


def cells(table: Table, draw: random.Random, wanted: Callable[[str], bool]) -> tuple[int, int] | None:
    """Pick a cell below the header that fits."""
    found = [(i, j) for i, row in enumerate(table[1:], 1) for j, cell in enumerate(row) if wanted(cell)]
    return draw.choice(found) if found else None


def is_number(cell: str) -> bool:
    try:
        return float(cell) != 0
    except ValueError:
        return False


def empty_cell(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    place = cells(table, draw, bool)
    return place and (*place, "")


def flip_sign(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    place = cells(table, draw, is_number)
    if place is None:
        return None
    cell = table[place[0]][place[1]]
    return (*place, cell[1:] if cell.startswith("-") else f"-{cell}")


def swap_digits(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    def pairs(cell: str) -> list[int]:
        return [k for k in range(len(cell) - 1) if cell[k : k + 2].isdigit() and cell[k] != cell[k + 1]]

    place = cells(table, draw, lambda cell: bool(pairs(cell)))
    if place is None:
        return None
    cell = table[place[0]][place[1]]
    k = draw.choice(pairs(cell))
    return (*place, cell[:k] + cell[k + 1] + cell[k] + cell[k + 2 :])


def change_unit(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    columns = [j for j, name in enumerate(table[0]) if name in ("unit", "timepoint_unit")]
    found = [(i, j) for i, row in enumerate(table[1:], 1) for j in columns if row[j]]
    if not found:
        return None
    i, j = draw.choice(found)
    return i, j, draw.choice([unit for unit in keyed("unit") if unit != table[i][j]])


def add_blank(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    place = cells(table, draw, bool)
    return place and (*place, table[place[0]][place[1]] + draw.choice([" ", "\u00a0", "\u200b"]))


def write_decimal_comma(table: Table, draw: random.Random) -> tuple[int, int, str] | None:
    place = cells(table, draw, lambda cell: is_number(cell) and "." in cell)
    return place and (*place, table[place[0]][place[1]].replace(".", ","))


CELL_CORRUPTIONS = {
    "cell emptied": empty_cell,
    "sign flipped": flip_sign,
    "digits swapped": swap_digits,
    "unit changed": change_unit,
    "blank added": add_blank,
    "decimal comma": write_decimal_comma,
}
KINDS = [*CELL_CORRUPTIONS, "row doubled", "column renamed", "encoding broken"]


def written(table: Table) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(table)
    return stream.getvalue()


def corrupted(sound: dict[str, Table], name: str, draw: random.Random, folder: Path) -> Copy | None:
    """Corrupt one file of a review folder in place; None if the draw does not fit the file."""
    kind = draw.choice(KINDS)
    file = draw.choices(
        list(sound), [4 if file in ("measurements.csv", "arms.csv") else 1 for file in sound]
    )[0]
    table = sound[file]
    if len(table) < 2:
        return None
    if kind in CELL_CORRUPTIONS:
        edit = CELL_CORRUPTIONS[kind](table, draw)
        if edit is None:
            return None
        i, j, now = edit
        changed = [list(row) for row in table]
        changed[i][j] = now
        content = written(changed).encode()
        copy = Copy(name, kind, file, i + 1, table[0][j], table[i][j], now, dict(zip(table[0], table[i])))
    elif kind == "row doubled":
        i = draw.randrange(1, len(table))
        content = written([*table[: i + 1], table[i], *table[i + 1 :]]).encode()
        copy = Copy(name, kind, file, i + 2, "", "", "", dict(zip(table[0], table[i])))
    elif kind == "column renamed":
        j = draw.randrange(len(table[0]))
        was = table[0][j]
        now = draw.choice([was.upper(), was + "s", was[:-1], was[::-1]])
        if now in table[0]:
            return None
        content = written([[*table[0][:j], now, *table[0][j + 1 :]], *table[1:]]).encode()
        copy = Copy(name, kind, file, 1, was, was, now, {})
    else:
        text = written(table)
        at = draw.randrange(len(text))
        now, content = draw.choice([
            ("UTF-16", text.encode("utf-16")),
            ("a byte of Windows-1252", text[:at].encode() + b"\xe9" + text[at:].encode()),
            ("half a character", text[:at].encode() + "é".encode()[:1] + text[at:].encode()),
            ("a NUL", text[:at].encode() + b"\0" + text[at:].encode()),
        ])  # fmt: skip
        copy = Copy(name, kind, file, text.count("\n", 0, at) + 1, "", "", now, {})
    (folder / file).write_bytes(content)
    return copy


def draw_copies(number: int, seed: int, root: Path) -> Iterator[Copy]:
    """Draw corrupted copies and read each of them."""
    draw = random.Random(seed)
    sound: dict[str, dict[str, Table]] = {}
    for name, source in bundled().items():
        (root / name).mkdir(parents=True)
        for path in source.iterdir():
            (root / name / path.name).write_bytes(path.read_bytes())
        sound[name] = {
            path.name: list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
            for path in source.iterdir()
            if path.name in FILE
        }
    names, made = sorted(sound), 0
    while made < number:
        name = draw.choices(names, [1 if name == "alf" else 3 for name in names])[0]
        copy = corrupted(sound[name], name, draw, root / name)
        if copy is None:
            continue
        made += 1
        try:
            copy.built = read(root / name)
        except ReviewError as error:
            copy.errors = error.problems
        (root / name / copy.file).write_bytes((bundled()[name] / copy.file).read_bytes())
        yield copy


# --- many reviews in one database -------------------------------------------------------------------------------

_OWN_NAMES = {
    "study",
    "treatment",
    "versus",
    "reference",
    "outcome",
    "search",
    "record",
    "duplicate_of",
    "claim",
    "review",
}
_ELSEWHERE = {
    "plan",
    "plan_figure",
    "missing_value",
    "build_warning",
    "loaded_file",
    "published_estimate",
    "published_count",
}
_NUMBERS = {"measurement_id", "reported_contrast_id", "rob_judgement_id", "report_id"}


def side_by_side(reviews: list[Review]) -> dict[str, dict[str, list]]:
    """Put the rows of several reviews together, each with its names behind a prefix of its own."""
    tables: dict[str, dict[str, list]] = {}
    units: set[str] = set()
    for number, review in enumerate(reviews):
        for rows in review.rows:
            if rows.table in _ELSEWHERE or rows.table == "review":
                continue
            keep = range(len(rows))
            if rows.table == "unit":
                keep = [k for k in keep if rows.columns["unit"][k] not in units]
                units.update(rows.columns["unit"])
            table = tables.setdefault(rows.table, {name: [] for name in rows.columns})
            for name, values in rows.columns.items():
                if name in _OWN_NAMES:
                    values = [value if value is None else f"{number}|{value}" for value in values]
                elif name in _NUMBERS:
                    values = [number * 1_000_000 + value for value in values]
                table[name] += [values[k] for k in keep]
    order = [file.table for file in FILES]
    return dict(
        sorted(tables.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    )


def seen_in(reviews: list[Review], file: Path) -> list[dict[str, dict]]:
    """Return contrasts, exclusions and audit rows of each review."""
    file.unlink(missing_ok=True)
    copy_blank(file)
    with connect(file, write=True) as connection:
        insert(connection, "review", {"review": ["side by side"], "title": ["copies"]})
        for table, columns in side_by_side(reviews).items():
            # Names of variables are the reviews' in common; their types play no part in what is seen here.
            if table not in ("variable", "variable_unit"):
                insert(connection, table, columns)
        refresh(connection)
        seen: list[dict[str, dict]] = [defaultdict(dict) for _ in reviews]

        def own(name: str | None) -> tuple[int, str]:
            number, _, rest = (name or "0|").partition("|")
            return int(number), rest

        for study, *rest in connection.execute(
            "select study, outcome, treatment_a, treatment_b, measure, timepoint, experiment, arm_a, arm_b, "
            "estimate, std_error, n_a, n_b from contrast"
        ).fetchall():
            number, study = own(study)
            outcome, a, b = (own(name)[1] for name in rest[:3])
            seen[number]["contrast"][study, outcome, a, b, *rest[3:8]] = tuple(rest[8:])
        for study, *rest in connection.execute(
            "select study, source_file, source_line, stage, reason from exclusion"
        ).fetchall():
            number, study = own(study)
            seen[number]["exclusion"][study, *rest] = True
        for (view,) in connection.execute(
            "select view_name from duckdb_views() where view_name like 'audit_%'"
        ).fetchall():
            for study, *rest in connection.execute(
                f"select study, source_file, source_line, message from {view}"
            ).fetchall():
                if study is not None:
                    number, study = own(study)
                    seen[number]["audit"][view, study, *rest] = True
    return seen


def judge(copies: list[Copy], root: Path) -> None:
    """Compare what each copy gives with what its sound review gives."""
    names = sorted(bundled())
    built = [copy for copy in copies if copy.built is not None]
    sound = [read(name) for name in names]
    seen = seen_in([*sound, *(copy.built for copy in built if copy.built is not None)], root / "copies")
    before = dict(zip(names, seen))
    warned = {name: {str(w) for w in review.warnings} for name, review in zip(names, sound)}
    rows = {name: stored(review) for name, review in zip(names, sound)}
    for copy, after in zip(built, seen[len(names) :]):
        assert copy.built is not None
        reference = before[copy.review]
        copy.told += sorted({str(w) for w in copy.built.warnings} - warned[copy.review])
        for kind in ("exclusion", "audit"):
            copy.told += [f"{kind}: {key}" for key in after[kind].keys() - reference[kind].keys()]
        old, new = reference["contrast"], after["contrast"]
        copy.changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        assert_local(copy, old.keys() - new.keys())
        copy.kept = stored(copy.built) == rows[copy.review]
        if copy.kind in ("sign flipped", "digits swapped", "unit changed", "decimal comma"):
            assert copy.told or copy.changed or not copy.kept, f"nothing came of {copy}"


def stored(review: Review) -> dict[str, dict]:
    return {rows.table: rows.columns for rows in review.rows if rows.table != "loaded_file"}


def assert_local(copy: Copy, lost: set[tuple]) -> None:
    """Only the touched study (treatment, outcome) may change, and what is lost is accounted for."""
    touched = {copy.was, copy.now, *(copy.row.get(name, "") for name in ("study", "treatment", "outcome"))}
    if copy.file == "units.csv":
        return
    if copy.column:
        own = {"studies.csv": 0, "arms.csv": 0, "measurements.csv": 0, "outcomes.csv": 1}.get(copy.file)
        strangers = [
            key for key in copy.changed
            if (key[own] not in touched if own is not None else not touched & set(key[:4]))
        ]  # fmt: skip
        assert not strangers or copy.kind == "column renamed", f"{copy} also changed {strangers[:3]}"
    moved = copy.column in (
        "timepoint",
        "timepoint_unit",
        "arm",
        "experiment",
        "study",
        "outcome",
        "treatment",
        "role",
    )
    assert not lost or copy.told or moved, f"{copy} lost {sorted(lost, key=str)[:3]} in silence"


def outcome_of(copy: Copy) -> str:
    if copy.built is None:
        return "named error"
    if copy.told:
        return "warning, exclusion or audit row"
    if copy.changed:
        return "number changed alone"
    return "same content" if copy.kept else "text changed alone"


def run(number: int, seed: int, root: Path) -> Counter:
    copies = list(draw_copies(number, seed, root))
    for copy in copies:
        for problem in copy.errors:
            assert problem.message, copy
            assert problem.file, copy
        # The file is named; or, where names were touched, a file that refers to them.
        if copy.errors and not copy.row and copy.column == "":
            assert copy.file in {problem.file for problem in copy.errors}, copy
    for start in range(0, number, 400):
        judge(copies[start : start + 400], root)
    return Counter((copy.kind, outcome_of(copy)) for copy in copies)


def show(counts: Counter) -> str:
    ends = sorted({end for _, end in counts})
    lines = [f"{'':18}" + "".join(f"{end:>34}" for end in ends)]
    for kind in KINDS:
        lines.append(f"{kind:18}" + "".join(f"{counts[kind, end]:>34}" for end in ends))
    return "\n".join(["", *lines, f"{sum(counts.values())} copies"])


COPIES = int(os.environ.get("COPIES", "120"))
"""How many the slow test corrupts: 2,000 take two minutes and a half of CPU."""


@pytest.mark.slow
def test_60_corrupted_copies(tmp_path, capsys):
    counts = run(60, 2023, tmp_path)
    with capsys.disabled():
        print(show(counts))
    assert sum(counts.values()) == 60


@pytest.mark.slow
def test_many_corrupted_copies(tmp_path, capsys):
    counts = run(COPIES, 115, tmp_path)
    with capsys.disabled():
        print(show(counts))
    assert sum(counts.values()) == COPIES


def test_reviews_side_by_side_give_what_they_give_alone(tmp_path):
    reviews = [read(name) for name in ("smoking", "parkinson", "smoking")]
    together = seen_in(reviews, tmp_path / "together")
    (alone,) = seen_in(reviews[1:2], tmp_path / "alone")
    assert together[1]["contrast"] == alone["contrast"]
    assert together[0]["contrast"] == together[2]["contrast"]
    assert len(together[0]["contrast"]) > 0


def test_rows_are_equally_long():
    assert len(read("maternal-diet").rows) > 1
    for rows in read("maternal-diet").rows:
        assert isinstance(rows, Rows)
        assert {len(values) for values in rows.columns.values()} == {len(rows)}
