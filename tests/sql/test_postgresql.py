"""The same views on PostgreSQL, by sqlglot: the same rows."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pwd
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from evidence.store.objects import sql_objects

VIEWS = [
    item
    for item in sql_objects()
    if item.kind == "view"
    and item.room in ("staging", "contrasts", "network", "appraisal", "living", "suspicion", "audits")
]
HEAD = "here the rows of a view begin"
TYPES = {"VARCHAR": "text", "DOUBLE": "double precision"}

# The macros stand apart as DuckDB's own; here their values are looked up.
FUNCTIONS = """
create table looked_up (name text, a double precision, b double precision, value double precision);
create function t_quantile(a double precision, b double precision) returns double precision
    return (select value from looked_up l where l.name = 't' and l.a = t_quantile.a and l.b = t_quantile.b);
create function normal_quantile(a double precision) returns double precision
    return (select value from looked_up l where l.name = 'normal' and l.a = normal_quantile.a);
create function hedges_correction(a double precision) returns double precision
    return (select value from looked_up l where l.name = 'hedges' and l.a = hedges_correction.a);
create function printed_unit(x double precision) returns double precision return (
    select max(power(10.0, -k)) from generate_series(0, 6) as k
    where k = 6 or abs(x * power(10.0, k) - round(x * power(10.0, k))) < 1e-9 * greatest(1.0, abs(x)) * power(10.0, k)
);
create function filled_text(words text, detail text, more text, measure text) returns text return replace(replace(
    replace(words, '<detail>', coalesce(detail, '')), '<more>', coalesce(more, '')), '<measure>', coalesce(measure, ''));
create function arm_rank(role text, treatment text) returns text
    return concat(case role when 'active' then '1' when 'control' then '2' else '3' end, treatment);
create function percent_text(x double precision) returns text return cast(cast(100 * x as bigint) as text);
create function tenths_text(x double precision) returns text
    return cast(cast(cast(10 * x as integer) / 10.0 as double precision) as text);
create function part_of_id(name text) returns text
    return replace(replace(name, E'\\\\', E'\\\\\\\\'), '|', E'\\\\|');
create function slip_log_odds(distance double precision, mended_distance double precision) returns double precision
    return 3.5 * (ln(1 + distance * distance / 6) - ln(1 + mended_distance * mended_distance / 6));
create function digamma(x double precision) returns double precision
    return ln(x + 6) - 1 / (2 * (x + 6)) - (1 / 12.0 - (1 / 120.0 - (1 / 252.0 - 1 / (240 * power(x + 6, 2)))
        / power(x + 6, 2)) / power(x + 6, 2)) / power(x + 6, 2)
        - 1 / x - 1 / (x + 1) - 1 / (x + 2) - 1 / (x + 3) - 1 / (x + 4) - 1 / (x + 5);
create function trigamma(x double precision) returns double precision
    return 1 / (x + 6) + 1 / (2 * power(x + 6, 2)) + (1 / 6.0 - (1 / 30.0 - (1 / 42.0 - 1 / (30 * power(x + 6, 2)))
        / power(x + 6, 2)) / power(x + 6, 2)) / power(x + 6, 3)
        + 1 / power(x, 2) + 1 / power(x + 1, 2) + 1 / power(x + 2, 2) + 1 / power(x + 3, 2) + 1 / power(x + 4, 2)
        + 1 / power(x + 5, 2);
"""


class Server:
    """A PostgreSQL cluster of its own in a directory, reached by a socket."""

    def __init__(self, directory: Path, binaries: Path):
        self.data, self.socket, self.binaries = directory / "data", directory, binaries
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(directory, account.pw_uid, account.pw_gid)
        self._run(
            "initdb", "-D", self.data, "-U", "evidence", "--locale=C", "--encoding=UTF8", "-A", "trust", "-N"
        )
        self._run("pg_ctl", "-D", self.data, "-w", "-o", f"-c listen_addresses= -k {directory}", "-l",
                  directory / "log", "start")  # fmt: skip

    def _run(self, command: str, *arguments, text: str | None = None) -> str:
        done = subprocess.run(
            [self.binaries / command, *arguments],
            input=text,
            capture_output=True,
            text=True,
            user=self.user,
            cwd=self.socket,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def sql(self, text: str) -> list[list[str]]:
        options = (
            "-h",
            self.socket,
            "-U",
            "evidence",
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-q",
            "--csv",
            "-t",
        )
        return list(csv.reader(io.StringIO(self._run("psql", *options, text=text))))

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


@pytest.fixture
def server(tmp_path):
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].is_file():
        pytest.skip("there is no PostgreSQL server here (initdb)")
    directory = Path("/tmp") / f"evidence-postgresql-{os.getpid()}"
    directory.mkdir(mode=0o755)
    server = Server(directory, found[-1].parent)
    yield server
    server.stop()
    shutil.rmtree(directory)


def literal(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return f"{value!r}::double precision"
    return "'" + str(value).replace("'", "''") + "'"


def plain(cell) -> str:
    """A cell as text that both write alike: booleans as psql does, 7.0 as 7."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "t" if cell else "f"
    return re.sub(r"(\d)\.0\b", r"\1", str(cell))


def roughly(row: list[str]) -> list[str]:
    """What rows are sorted by: numbers without their last digits."""
    return [f"{float(cell):.6g}" if re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell) else cell for cell in row]


def same(one: str, two: str) -> bool:
    try:
        return math.isclose(float(one), float(two), rel_tol=1e-12, abs_tol=1e-12)
    except ValueError:
        return one == two


@cache
def translated(schema: str) -> dict[str, tuple[str, str]]:
    """Each view as PostgreSQL has it, the stored ones with their rows."""
    known = MappingSchema(json.loads(schema), dialect="duckdb")
    found = {}
    for view in VIEWS:
        query = qualify(
            sqlglot.parse_one(view.sql, dialect="duckdb").expression, schema=known, dialect="duckdb"
        )
        text = query.sql(dialect="postgres", unsupported_level=sqlglot.ErrorLevel.RAISE)
        found[view.name] = ("materialized view" if view.stored else "view", text)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("review", ["maternal-diet", "smoking", "alf"])
def test_views_give_the_same_rows(review, server, tmp_path):
    import evidence
    from evidence.database import connect

    connection = connect(evidence.build(review, tmp_path / "review.duckdb"))
    schema: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where not internal and schema_name = 'main' order by column_index"
    ).fetchall():
        schema.setdefault(table, {})[column] = kind
    tables = [
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'main'"
        ).fetchall()
    ]
    for table in tables:
        columns = ", ".join(f'"{column}" {TYPES.get(kind, kind)}' for column, kind in schema[table].items())
        rows = connection.execute(f"select * from {table}").fetchall()
        values = ",\n".join(f"({', '.join(map(literal, row))})" for row in rows)
        server.sql(
            f"create table {table} ({columns});" + (f"insert into {table} values {values};" if rows else "")
        )
    looked_up = connection.execute(
        """
        select 't', 1 - (1 - coalesce(ci_level, 0.95)) / 2, n - 1, t_quantile(1 - (1 - coalesce(ci_level, 0.95)) / 2, n - 1)
        from (select distinct ci_level, n from measurement where n > 1) as intervals
        union
        select 't', 1 - (1 - coalesce(ci_level, 0.95)) / 2, n, t_quantile(1 - (1 - coalesce(ci_level, 0.95)) / 2, n)
        from (select distinct ci_level, 4.0 as n from reported_contrast) as unknown_n
        union
        select 't', level, n, t_quantile(level, n)
        from (
            select distinct
                1 - (1 - coalesce(reported.ci_level, 0.95)) / 2 as level,
                coalesce(reported.n_a, a.n) + coalesce(reported.n_b, b.n) - 2 as n
            from reported_contrast as reported
            inner join arm as a
                on (reported.study, reported.experiment, reported.arm_a) = (a.study, a.experiment, a.arm)
            inner join arm as b
                on (reported.study, reported.experiment, reported.arm_b) = (b.study, b.experiment, b.arm)
        ) as known_n
        where n > 0
        union
        select 'normal', level, null, normal_quantile(level)
        from (
            select 1 - (1 - coalesce(ci_level, 0.95)) / 2 as level from measurement
            union
            select 1 - (1 - coalesce(ci_level, 0.95)) / 2 as level from reported_contrast
        ) as levels
        union
        select distinct 'normal', (n - 0.375) / (n + 0.25), null, normal_quantile((n - 0.375) / (n + 0.25))
        from measurement where n > 1
        union
        select distinct 'normal', (0.75 * n - 0.125) / (n + 0.25), null, normal_quantile((0.75 * n - 0.125) / (n + 0.25))
        from measurement where n > 1
        union
        select distinct 'hedges', a.n + b.n - 2, null, hedges_correction(a.n + b.n - 2)
        from measurement as a, measurement as b where a.study = b.study
        union
        select 'hedges', sum(n) - count(*), null, hedges_correction(sum(n) - count(*))
        from measurement_standard group by study, experiment, outcome, timepoint
        """
    ).fetchall()
    server.sql(
        FUNCTIONS
        + "".join(f"insert into looked_up values ({', '.join(map(literal, row))});" for row in looked_up)
    )
    written = translated(json.dumps(schema))
    server.sql("".join(f"create {kind} {name} as {query};\n" for name, (kind, query) in written.items()))
    answers: dict[str, list[list[str]]] = {}
    for row in server.sql("".join(f"\\echo {HEAD},{name}\nselect * from {name};\n" for name in written)):
        if row[0] == HEAD:
            rows = answers[row[1]] = []
        else:
            rows.append(row)
    for view in VIEWS:
        columns = list(schema[view.name])
        answer = connection.execute(f"select * from {view.name}").fetchall()
        ours = sorted(([plain(cell) for cell in row] for row in answer), key=roughly)
        theirs = sorted(([plain(cell) for cell in row] for row in answers[view.name]), key=roughly)
        assert len(ours) == len(theirs), view.name
        for one, two in zip(ours, theirs, strict=True):
            differing = [(c, a, b) for c, a, b in zip(columns, one, two, strict=True) if not same(a, b)]
            assert not differing, (view.name, differing)
    connection.close()
