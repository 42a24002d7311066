"""A long file is read a stretch at a time, many rows go in through a file: nothing of it may show."""

from __future__ import annotations

import random

import pytest

from evidence.database import connect
from evidence.folder import records, sheet
from evidence.folder.layout import FILE
from evidence.store import rows

CELLS = (
    "a",
    "",
    " b ",
    '"c, d"',
    '"two\nlines"',
    '"a ""word"""',
    'it"s',
    "µg",
    "1",
    "-99",
    '"cr\r\nlf"',
    "x,y",
)


def text(seed: int) -> str:
    """Lines of a file, right and wrong: too wide, blank, quoted over several lines, never closed."""
    draw = random.Random(seed)
    lines = ["study,label,year,note"]
    for number in range(40):
        cells = [f"s{number}", draw.choice(CELLS), str(draw.randint(1990, 2020)), draw.choice(CELLS)]
        lines.append(draw.choice((",".join(cells),) * 12 + ("", ",,,", ",".join(cells[:3]))))
    end = draw.choice(("\n", "\r\n"))
    return end.join(lines) + draw.choice(("", end)) + draw.choice(("",) * 9 + ('"open',))


@pytest.mark.parametrize("seed", range(60))
def test_a_file_says_the_same_whatever_the_stretch_it_is_read_in(seed, tmp_path, monkeypatch):
    path = tmp_path / "studies.csv"
    path.write_bytes(text(seed).encode())
    found = []
    for size in (1, 17, 100, 1 << 30):
        monkeypatch.setattr(records, "_STRETCH", size)
        problems = sheet.Problems()
        read = sheet.read_sheet(path, FILE["studies.csv"], problems)
        found.append((read and (read.lines, read.values, read.sha256, read.refused), problems.found))
    # A sheet read record by record.
    monkeypatch.setattr(sheet, "_add_rows", lambda *given: False)
    problems = sheet.Problems()
    read = sheet.read_sheet(path, FILE["studies.csv"], problems)
    found.append((read and (read.lines, read.values, read.sha256, read.refused), problems.found))
    assert all(one == found[0] for one in found)


def test_rows_that_go_in_as_arrays_are_those_that_go_in_as_parameters(monkeypatch):
    texts = [None, "", "plain", "a,b", 'q"uo"te', "two\nlines", "cr\r\nlf", "cr\ronly", " blank ", "#c", "NULL", "\\", "'",
             "\\N", "ü→\u2028", '"', "nan", None, "1e5", "\t", '\\"x']  # fmt: skip
    numbers = [None, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 3, 1 / 3]
    columns = {
        "a": [texts[i % len(texts)] for i in range(400)],
        "b": [numbers[i % len(numbers)] for i in range(400)],
        "c": [(None, 1, -5, 2**62)[i % 4] for i in range(400)],
        "d": [(None, True, False)[i % 3] for i in range(400)],
        "e": [(None, "2020-02-29", "0001-01-01")[i % 3] for i in range(400)],
    }
    with connect() as connection:
        for few, table in ((10, "arrays"), (1000, "given")):
            monkeypatch.setattr(rows, "_FEW", few)
            connection.execute(
                f"create table {table} (a varchar, b double, c bigint, d boolean, e date, f varchar default 'x')"
            )
            rows.insert(connection, table, columns)
        arrays, given = (
            connection.execute(f"select a, b, c, d, e, f from {table}").fetchall()
            for table in ("arrays", "given")
        )
    assert [repr(row) for row in arrays] == [repr(row) for row in given]
    assert len(arrays) == 400
