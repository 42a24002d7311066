import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import duckdb
import pytest

import evidence
from evidence import opening
from evidence.checking import gate
from evidence.database import connect
from evidence.errors import CallError
from evidence.review import find
from evidence.system.resources import schema_directory

HOSTILE = [
    "copy study to 'stolen.csv'",
    "copy (select 1) to 'stolen.parquet' (format parquet)",
    "export database 'stolen'",
    "import database 'stolen'",
    "attach 'stolen.duckdb' as other",
    "attach ':memory:' as other",
    "detach evidence_file",
    "use memory",
    "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_parquet('/etc/passwd')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from glob('/*')",
    "select * from query('select * from read_text(''/etc/passwd'')')",
    "select * from query_table('/etc/passwd')",
    "install excel",
    "load excel",
    "select * from sqlite_scan('a', 'b')",
    "set threads = 1",
    "set lock_configuration = false",
    "set enable_external_access = true",
    "reset threads",
    "pragma threads = 1",
    "pragma enable_profiling",
    "call enable_logging()",
    "with i as (insert into build_info values ('a', 'b') returning *) select * from i",
    "explain analyze delete from study",
    "explain analyze insert into build_info values ('a', 'b')",
    "explain analyze copy study to 'stolen.csv'",
    "explain (analyze) delete from study",
    "/* explain */ explain /* select */ analyze -- select\n create temp table t as select 1",
    "explain analyze create or replace temp macro normal_cdf(x) as 1",
    "explain analyze set variable x = 1",
    "explain analyze checkpoint",
    "explain analyze prepare p as select 1",
    "explain update extensions",
    "update extensions",
    "copy from database evidence_file to memory",
    "merge into study using study s on false when not matched then insert values (1)",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''/etc/passwd'')'))",
    "select getenv('HOME')",
    "from 'https://example.com/x.csv'",
    "describe 'file.csv'",
    "summarize (select * from read_csv('/etc/passwd'))",
    "select * from duckdb_secrets()",
    "insert into build_info values ('a', 'b')",
    "update study set label = 'x'",
    "delete from study",
    "drop table study",
    "truncate study",
    "alter table study add column x integer",
    "create table t as select 1",
    "create temp table t as select 1",
    "create table memory.t as select 1",
    "create macro f(x) as x",
    "create secret s (type s3)",
    "comment on table study is 'x'",
    "prepare p as select 1",
    "execute p",
    "begin",
    "checkpoint",
    "vacuum",
    "analyze",
    "select 1; delete from study",
    "select 1; select 2",
    "",
    " ; ",
    "-- nothing",
    "selec 1",
    "select * from studie",
    "select lable from study",
    "select ? from study",
]


@pytest.fixture(scope="module")
def db(diabetes_file):
    with evidence.open(diabetes_file, memory_limit="300MB") as base:
        yield base


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- opening --------------------------------------------------------------------------------------------------


def test_open_reads_a_file(diabetes_file):
    with evidence.open(diabetes_file) as db:
        assert db.path == diabetes_file
        assert db.value("select count(*) from study") == 26
        assert db.rows("select study, year from study order by year, study limit 1") == [
            {"study": "Johnston (1994)", "year": 1994}
        ]
        assert db.value("select 1 where false") is None
        assert db.sql("select count(*) from arm where treatment = ?", ["plac"]).fetchall() == [(19,)]
        assert list(db.sql("select study from study").df().columns) == ["study"]


def test_names_and_columns(db):
    assert {"study", "contrast", "build_info"} <= set(db.names())
    assert "contrast" not in db.names("table")
    assert "study" not in db.names("view")
    assert db.columns("study")[:3] == ("study", "label", "year")
    assert list(db.names()) == sorted(db.names())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_folder_and_a_bundled_name_are_built_once_and_again_when_they_change(cache, tmp_path):
    first = opening.resolve("parkinson")
    assert first.parent == cache
    stamp = first.stat().st_mtime_ns
    assert opening.resolve("parkinson").stat().st_mtime_ns == stamp
    # One that was cut short is made again.
    first.write_bytes(first.read_bytes()[:5000])
    with evidence.open("parkinson") as db:
        assert db.value("select count(*) from study") == 7

    folder = tmp_path / "mine"
    shutil.copytree(find("parkinson"), folder)
    mine = opening.resolve(folder)
    assert mine != first
    with evidence.open(folder) as db:
        assert (
            db.value("select title from review")
            == "Dopamine agonists as adjunct therapy in Parkinson's disease"
        )
    text = (folder / "review.toml").read_text(encoding="utf-8")
    (folder / "review.toml").write_text(text.replace("Dopamine", "Other dopamine"), encoding="utf-8")
    with evidence.open(folder) as db:
        assert db.value("select title from review").startswith("Other dopamine")
    assert opening.resolve(folder) != mine


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nothing.duckdb", "There is no file 'nothing.duckdb'"),
        ("diabets", "diabetes"),
    ],
)
def test_what_cannot_be_found_is_said(source, words, cache, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CallError, match=words):
        evidence.open(source)


def test_other_duckdb_files_and_other_files_are_refused(tmp_path):
    other = tmp_path / "other.duckdb"
    connection = connect(other, write=True)
    connection.execute("create table t as select 1 as i")
    connection.close()
    with pytest.raises(CallError, match="no evidence base"):
        evidence.open(other)
    text = tmp_path / "text.duckdb"
    for content in ("hello " * 2000, ""):
        text.write_text(content)
        with pytest.raises(CallError, match="cannot be read as a DuckDB file"):
            evidence.open(text)


def test_results_are_kept_only_in_a_file_of_ones_own(cache, diabetes_file):
    assert opening.own_file(diabetes_file) == diabetes_file
    with pytest.raises(CallError, match=r"evidence build parkinson -o parkinson\.duckdb"):
        opening.own_file("parkinson")


@pytest.mark.slow
def test_a_file_that_was_replaced_is_read_anew(diabetes_file, tmp_path):
    file = tmp_path / "review.duckdb"
    shutil.copyfile(diabetes_file, file)
    with evidence.open(file) as old:
        other = tmp_path / "other.duckdb"
        shutil.copyfile(diabetes_file, other)
        connection = connect(other, write=True)
        connection.execute("update build_info set value = 'new' where key = 'review'")
        connection.close()
        other.replace(file)
        with evidence.open(file) as new:
            assert new.value("select value from build_info where key = 'review'") == "new"
        assert old.value("select value from build_info where key = 'review'") == "diabetes"


# --- other people's SQL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", HOSTILE)
def test_what_does_more_than_read_is_refused_and_leaves_no_trace(
    db, diabetes_file, statement, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = digest(diabetes_file)
    with pytest.raises(CallError) as caught:
        list(gate.ask(db, statement, timeout=20).rows)
    assert caught.value.exit_code == 2
    assert "Traceback" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert digest(diabetes_file) == before


def test_the_engine_itself_refuses_to_touch_files_and_evidence(diabetes_file, tmp_path, monkeypatch):
    """Whatever the check of statements lets through: nothing appears on the disk, nothing changes."""
    monkeypatch.chdir(tmp_path)
    before = digest(diabetes_file)
    connection = connect(diabetes_file, locked=True)
    for statement in HOSTILE:
        with contextlib.suppress(duckdb.Error, AttributeError):  # an empty statement has no result
            connection.execute(statement).fetchall()
        with contextlib.suppress(duckdb.Error):
            connection.execute("rollback")
        connection.execute("use evidence_file")
        assert list(tmp_path.iterdir()) == [], statement
        assert digest(diabetes_file) == before, statement
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select 1",
        "select 1;",
        "select 1 ; -- done",
        "from study",
        "values (1)",
        "table study",
        "describe contrast",
        "show tables",
        "summarize study",
        "explain select * from contrast",
        "explain analyze select * from study",
        "/* why */ explain (analyze, format json) (select study from study)",
        "explain -- this\nfrom study;",
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 5) select * from n",
        "pivot (select treatment, role, n from arm) on role in ('active', 'control') using sum(n)",
    ],
)
def test_what_only_reads_is_answered(db, statement):
    answer = gate.ask(db, statement, timeout=20)
    assert len(answer.columns) == len(answer.types)
    assert list(answer.rows)


def test_a_query_that_never_ends_is_stopped(db):
    started = time.monotonic()
    with pytest.raises(CallError, match="took too long"):
        list(
            gate.ask(
                db,
                "with recursive r as (select 1 as i union all select i from r) select count(*) from r",
                timeout=0.5,
            ).rows
        )
    assert time.monotonic() - started < 15
    assert list(gate.ask(db, "select 1", timeout=5).rows) == [(1,)]


def test_no_thread_outlives_a_query(db):
    """One that is still on its way out when Python ends would end the process with an abort."""
    before = threading.active_count()
    assert list(gate.ask(db, "select 1", timeout=60).rows) == [(1,)]
    assert threading.active_count() == before


def test_control_c_stops_a_query_and_then_python(db):
    # A shell that runs the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    usual = signal.getsignal(signal.SIGINT)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        gate.ask(
            db,
            "with recursive r as (select 1 as i union all select i from r) select count(*) from r",
            timeout=60,
        )
    assert signal.signal(signal.SIGINT, before) is usual
    assert list(gate.ask(db, "select 1", timeout=5).rows) == [(1,)]


def test_rows_that_never_end_are_stopped(db):
    answer = gate.ask(db, "select * from range(100000000000)", timeout=0.5)
    with pytest.raises(CallError, match="took too long"):
        for _ in answer.rows:
            pass


def test_time_spent_outside_the_engine_does_not_count(db):
    answer = gate.ask(db, "select * from range(10000)", timeout=0.5)
    next(answer.rows)
    time.sleep(0.7)
    assert sum(1 for _ in answer.rows) == 9999


@pytest.mark.parametrize(
    "statement",
    [
        "select list(i) from range(900000000) t(i)",
        "select * from range(300000000) t(i) order by hash(i)",
    ],
)
def test_a_query_that_wants_all_memory_is_refused_and_spills_nothing(db, diabetes_file, statement):
    with pytest.raises(CallError, match="more memory"):
        list(gate.ask(db, statement, timeout=60).rows)
    assert not list(diabetes_file.parent.glob("*.tmp"))


def test_python_variables_are_no_tables(db):
    import pandas as pd

    secret = pd.DataFrame({"i": [1]})
    with pytest.raises(CallError, match="no table or view 'secret'"):
        gate.ask(db, "select * from secret")
    assert len(secret) == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "select * from contrasts",
            "no table or view 'contrasts'. Did you mean 'contrast'? `evidence catalog",
        ),
        ("select estimat from contrast", "no column 'estimat'. Did you mean 'estimate'?"),
        (
            "select treatment from contrast",
            "no column 'treatment'. Did you mean 'treatment_a' or 'treatment_b'?",
        ),
        ("select s.lable from study s", "no column 'lable'. Did you mean 'label'?"),
        ("select study from study, arm", 'Ambiguous reference to column name "study"'),
        ("select sum(label) from study", "No function matches"),
        ("select cast(label as integer) from study", "Could not convert"),
        ("copy study to 'x'", "COPY does more: begin it with SELECT"),
        ("select 1; select 2", "One statement at a time"),
        ("delete from study", "DELETE does more"),
        ("explain analyze delete from study", "EXPLAIN is for queries here"),
        ("update extensions", "UPDATE does more"),
        ("select * from read_csv('x')", "files, network and settings are out of reach"),
        ("", "The query is empty"),
    ],
)
def test_refusals_say_what_would_be_right(db, statement, words):
    with pytest.raises(CallError) as caught:
        list(gate.ask(db, statement).rows)
    assert words in str(caught.value)


def test_the_same_words_in_python(db):
    with pytest.raises(CallError, match="Did you mean 'contrast'"):
        db.sql("select * from contrasts")
    with pytest.raises(CallError, match="Did you mean 'estimate'"):
        db.rows("select estimat from contrast")


# --- Parquet --------------------------------------------------------------------------------------------------


def test_parquet_is_written_by_the_engine_and_nothing_else_is(diabetes_file, tmp_path):
    target = tmp_path / "it's.parquet"
    with evidence.open(diabetes_file) as db:
        gate.save_parquet(db, "select study, 1.5::decimal(10, 2) as d, [1, 2] as l from study -- end", target)
    connection = connect()
    got = connection.execute("select count(*), min(d), min(l) from read_parquet(?)", [str(target)]).fetchone()
    assert (got[0], str(got[1]), got[2]) == (26, "1.50", [1, 2])
    assert [path.name for path in tmp_path.iterdir()] == ["it's.parquet"]


@pytest.mark.parametrize(
    "statement",
    [
        "select 1) to 'stolen.csv' (format csv); copy (select 1",
        "select 1) to 'stolen.csv' --",
        "select * from read_text('/etc/passwd')",
        "delete from study",
        "explain select 1",
        "select * from studie",
    ],
)
def test_parquet_cannot_be_talked_into_more(diabetes_file, statement, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with evidence.open(diabetes_file) as db, pytest.raises(CallError):
        gate.save_parquet(db, statement, tmp_path / "answer.parquet", timeout=10)
    assert {path.name for path in tmp_path.iterdir()} <= {"answer.parquet"}


def test_only_one_module_connects():
    """Every connection is made with the same safe options."""
    root = schema_directory().parent
    found = subprocess.run(
        ["grep", "-rln", "--include=*.py", "-E", r"duckdb\.connect\(", str(root / "evidence"), str(root / "analysis")],
        capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    assert [path.rsplit("/", 1)[1] for path in found] == ["database.py"]


def test_a_query_needs_neither_pandas_nor_numpy(diabetes_file):
    code = (
        "import sys, evidence\n"
        f"db = evidence.open({str(diabetes_file)!r})\n"
        "db.rows('select * from contrast')\n"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'pymc', 'altair', 'sqlglot') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
