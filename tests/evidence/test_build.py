"""Building a file: what arrives in the tables, that the same folder gives the same content, and that it is atomic."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

import evidence
from evidence.build import build, fill
from evidence.database import connect
from evidence.errors import CallError, EvidenceError, ReviewError
from evidence.review import bundled, read
from evidence.store import blank
from evidence.store.blank import copy_blank


@pytest.fixture
def built(review_folder, tmp_path):
    return build(review_folder(), tmp_path / "liver.duckdb")


def rows(path: Path, query: str) -> list[tuple]:
    with connect(path) as connection:
        return connection.execute(query).fetchall()


def litter(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".wal"
    )


def test_what_arrives(built):
    assert rows(built, "select * from review") == [
        ("liver", "Stem cells in liver failure", "Which cell works best?", None, None, None, None, True)
    ]
    assert rows(built, "select treatment, label, role, source_line from treatment order by all") == [
        ("BMSC", "bone marrow stem cells", "active", 2),
        ("UCMSC", "umbilical cord stem cells", "active", 3),
        ("saline", "saline", "control", 4),
    ]
    assert rows(
        built, "select experiment, role, n, source_line from arm where arm = 'control' order by study"
    ) == [
        ("main", "control", 10.0, 3),
        ("main", "control", 9.0, 6),
        ("main", "control", 12.0, 8),
    ]
    assert rows(
        built, "select measurement_id, study, mean, se, unit, extractor, source_file, source_line from measurement "
        "where measurement_id in (3, 4) order by measurement_id"
    ) == [
        (3, "Wu 2020", 3.4, 0.2, "ukat/L", "extractor", "measurements.csv", 4),
        (4, "Wu 2020", None, None, "ukat/L", "extractor", "measurements.csv", 5),
    ]  # fmt: skip
    assert rows(built, "select dimension from outcome where outcome = 'alt'") == [
        ("catalytic activity concentration",)
    ]
    assert rows(built, "select search, source, date::text, hits from search order by all") == [
        ("Embase 2022-05-03", "Embase", "2022-05-03", 98),
        ("PubMed 2022-05-03", "PubMed", "2022-05-03", 120),
    ]
    assert rows(built, "select study, characteristic, value from characteristic order by all") == [
        ("Li 2019", "cell source", "human"),
        ("Wu 2020", "cell source", "human"),
        ("Xu 2021", "cell source", "not reported"),
    ]
    assert rows(built, "select record, duplicate_of, study from record order by all") == [
        ("r1", None, "Li 2019"),
        ("r2", "r1", None),
    ]
    assert rows(built, "select significant, estimate from published_estimate") == [(True, -181.05)]


def test_codes_for_missing_values_stay_apart(edited, tmp_path):
    folder = edited("measurements.csv", 2, "Li 2019,cells,alt,1,d,10,210,NR,NA,,,,,,,,,,U/L,")
    path = build(folder, tmp_path / "liver.duckdb")
    assert rows(path, "select mean, sd, se from measurement where measurement_id = 1") == [
        (210.0, None, None)
    ]
    assert rows(
        path, "select source_line, column_name, study, meaning from missing_value join missing_code using (code) order by 2"
    ) == [(2, "sd", "Li 2019", "not reported"), (2, "se", "Li 2019", "not applicable")]  # fmt: skip


def test_warnings_are_stored(edited, tmp_path):
    folder = edited("measurements.csv", 3, "Li 2019,control,alt,1,d,10,350,0,,,,,,,,,,,U/L,")
    path = build(folder, tmp_path / "liver.duckdb")
    assert rows(
        path, "select severity, source_file, source_line, column_name, study, arm from build_warning"
    ) == [("warning", "measurements.csv", 3, "sd", "Li 2019", "control")]


def test_units_of_the_review_are_added(review_folder, tmp_path):
    text = (review_folder() / "outcomes.csv").read_text(encoding="utf-8").replace("U/L", "U/dL")
    folder = review_folder(
        {
            "units.csv": "unit,dimension,factor\nU/dL,catalytic activity concentration,10\n",
            "outcomes.csv": text,
        }
    )
    path = build(folder, tmp_path / "liver.duckdb")
    assert rows(path, "select factor from unit where unit = 'U/dL'") == [(10.0,)]
    assert rows(path, "select mean from measurement_standard where measurement_id = 1") == [(21.0,)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(bundled()))
def test_bundled_reviews_build(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = evidence.build(name)
    assert path == Path(f"{name}.duckdb")
    assert rows(path, "select review from review") == [(name,)]
    assert rows(path, "select count(*) from study") > [(0,)]


def exported(path: Path, folder: Path) -> dict[str, bytes]:
    """Return every table as Parquet."""
    folder.mkdir()
    with connect(path) as connection:
        tables = [
            f"{schema}.{name}"
            for schema, name in connection.execute(
                "select schema_name, table_name from duckdb_tables()"
            ).fetchall()
        ]
        for table in tables:
            connection.execute(f"copy {table} to '{folder / table}.parquet'")
    return {table: (folder / f"{table}.parquet").read_bytes() for table in tables}


def test_the_same_folder_gives_the_same_bytes(review_folder, tmp_path):
    first = build(review_folder(), tmp_path / "first.duckdb")
    second = build(review_folder(), tmp_path / "second.duckdb")
    assert exported(first, tmp_path / "one") == exported(second, tmp_path / "two")


def test_nothing_in_the_file_says_where_or_when_it_was_built(built):
    texts = [value for _, value in rows(built, "select * from build_info")]
    assert not any(str(built.parent) in text or "2026" in text for text in texts)
    assert str(built.parent).encode() not in built.read_bytes()


def test_line_ends_quotes_and_a_byte_order_mark_do_not_change_the_content_hash(review_folder):
    plain = read(review_folder()).content_hash
    text = (review_folder() / "arms.csv").read_text(encoding="utf-8")
    for other in (
        text.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("cells", '"cells"').encode(),
    ):
        assert read(review_folder({"arms.csv": other})).content_hash == plain
    assert read(review_folder({"arms.csv": text.replace(",9\n", ",8\n")})).content_hash != plain


def test_a_failing_build_leaves_the_old_file(built, edited):
    before = built.read_bytes()
    with pytest.raises(ReviewError):
        build(edited("arms.csv", 2, "Li 2019,cells,BMSX,10"), built)
    assert built.read_bytes() == before
    assert litter(built.parent) == []


def test_a_reader_goes_on_reading_the_old_file(built, edited):
    with evidence.open(built) as db:
        before = db.sql("select sum(n) from arm").fetchall()
        build(edited("arms.csv", 2, "Li 2019,cells,BMSC,11"), built)
        assert db.sql("select sum(n) from arm").fetchall() == before
    with evidence.open(built) as db:
        assert db.sql("select sum(n) from arm").fetchall() == [(before[0][0] + 1,)]


KILLED = textwrap.dedent(
    """
    import sys, time
    from evidence.build import build

    def progress(step):
        print(step, flush=True)
        if step == sys.argv[3]:
            time.sleep(60)

    build(sys.argv[1], sys.argv[2], progress=progress)
    """
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        "creating tables and views",
        "storing rows",
        "computing views",
        "checking claims",
        "putting the file in place",
    ],
)
def test_a_killed_build_leaves_the_old_file_and_nothing_for_long(built, review_folder, step):
    before = built.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(review_folder()), str(built), step],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as told:
        while told.readline().strip() != step:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert built.read_bytes() == before
    assert all(str(process.pid) in name for name in litter(built.parent))
    assert rows(built, "select count(*) from arm") == [(7,)]
    build(review_folder(), built)
    assert litter(built.parent) == []


@pytest.mark.slow
def test_what_a_running_build_writes_is_left_alone(built, review_folder):
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as running:
        other = built.with_name(f".{built.name}.{running.pid}-0123abcd.part")
        other.write_bytes(b"being written")
        build(review_folder(), built)
        assert other.exists()
        running.communicate()
    build(review_folder(), built)
    assert not other.exists()


def test_steps_are_told(review_folder, tmp_path):
    steps: list[str] = []
    build(review_folder(), tmp_path / "liver.duckdb", progress=steps.append)
    assert steps == [
        "reading and checking the review folder",
        "creating tables and views",
        "storing rows",
        "computing views",
        "checking claims",
        "putting the file in place",
    ]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("folder", "is a folder: name the file"),
        ("none/x.duckdb", "There is no folder"),
        ("notes.txt", "not a DuckDB file"),
    ],
)
def test_outputs_that_cannot_be_written(review_folder, tmp_path, output, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("do not overwrite me", encoding="utf-8")
    with pytest.raises(CallError, match=message):
        build(review_folder(), tmp_path / output)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "do not overwrite me"


@pytest.mark.parametrize(
    ("name", "message"),
    [("diabetis", "did you mean 'diabetes'"), ("review.toml", "is a file: name the review folder")],
)
def test_reviews_that_are_not_there(review_folder, monkeypatch, name, message):
    monkeypatch.chdir(review_folder())
    with pytest.raises(CallError, match=message):
        build(name)


def test_rows_that_do_not_arrive_are_an_error(review_folder, tmp_path):
    review = read(review_folder())
    copy_blank(tmp_path / "blank.duckdb")
    with connect(tmp_path / "blank.duckdb", write=True) as connection:
        connection.execute(
            "insert into build_warning (severity, message) values ('warning', 'was here before')"
        )
        connection.execute("insert into build_info values ('was here', 'before')")
        with pytest.raises(EvidenceError, match="Not every row of liver was stored"):
            fill(connection, review)


def test_other_clients_can_read_the_file(built):
    with duckdb.connect(str(built), read_only=True) as plain:
        assert plain.execute("select count(*) from contrast where measure = 'MD'").fetchall() == [(4,)]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of the test's own, and few views, which take long to create."""
    from evidence.store import objects, stored
    from evidence.store.blank import blank_file

    few = ("study_variable", "outcome_unit")
    monkeypatch.setattr(
        blank,
        "create_objects",
        lambda connection, only, stored: objects.create_objects(connection, few, stored=stored),
    )
    monkeypatch.setattr(
        stored,
        "stored_views",
        lambda: [view for view in objects.sql_objects() if view.name == "outcome_unit"],
    )
    monkeypatch.setenv("EVIDENCE_CACHE", str(tmp_path / "cache"))
    blank_file.cache_clear()
    yield tmp_path / "cache"
    blank_file.cache_clear()


@pytest.mark.slow
def test_a_damaged_blank_is_made_again(own_cache, review_folder, tmp_path):
    first = build(review_folder(), tmp_path / "first.duckdb")
    (blank,) = own_cache.glob("blank-*.duckdb")
    blank.write_bytes(blank.read_bytes()[:5000])
    second = build(review_folder(), tmp_path / "second.duckdb")
    assert exported(first, tmp_path / "one") == exported(second, tmp_path / "two")


def test_a_cache_that_cannot_be_written_is_done_without(own_cache, review_folder, tmp_path):
    own_cache.write_text("a file stands where the folder should be", encoding="utf-8")
    path = build(review_folder(), tmp_path / "liver.duckdb")
    assert rows(path, "select count(*) > 0 from study_variable") == [(True,)]


def test_an_empty_file_made_anew_has_the_same_bytes(tmp_path, monkeypatch):
    made = []
    for place in (tmp_path / "one", tmp_path / "another"):
        monkeypatch.setattr(blank, "blank_file", lambda place=place: place / "blank-x.duckdb")
        place.mkdir()
        blank.copy_blank(place / "empty.duckdb")
        made.append((place / "empty.duckdb").read_bytes())
    # DuckDB 1.5 leaves a few bytes between its blocks as memory had them: there it is the header alone.
    until = 4096 if duckdb.__version__ < "2" else None
    assert made[0][:until] == made[1][:until]
    with connect(tmp_path / "one" / "empty.duckdb") as db:
        assert db.execute("select count(*) from effect_measure").fetchone()[0] > 5
