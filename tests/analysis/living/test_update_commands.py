"""What build, analyse and report take from an earlier file, and say of it."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import evidence
from analysis.living import update
from evidence import results
from evidence.cli import cli
from evidence.database import connect
from evidence.review import find


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def one_cell(folder: Path, file: Path, analysis: str) -> None:
    """Mend one mean that enters an analysis: 10 % more."""
    with evidence.open(file) as db:
        [ids] = db.rows(
            "select measurement_ids from result_contrast inner join result_run using (run_id) "
            "where analysis = ? order by contrast_id limit 1",
            [analysis],
        )
    path = folder / "measurements.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = rows[int(ids["measurement_ids"].split(",")[0]) - 1]
    row["mean"] = f"{float(row['mean']) * 1.1:.1f}"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "review"
    shutil.copytree(find("parkinson"), place)
    return place


@pytest.fixture
def carried_out(monkeypatch) -> list[str]:
    """Names of the analyses that are carried out."""
    names: list[str] = []
    actual = update.carry_out

    def counted(prepared, **options):
        names.append(prepared.about["analysis"])
        return actual(prepared, **options)

    monkeypatch.setattr(update, "carry_out", counted)
    return names


def stored(file: Path) -> dict[str, list]:
    with connect(file) as connection:
        return {
            table: connection.execute(f"select * from {table} order by all").fetchall()
            for table in ("result_run", *results.TABLES.values())
        }


def test_build_and_analyse_take_what_holds_and_end_in_the_rows_of_a_full_rebuild(
    folder, tmp_path, carried_out
):
    file, anew = tmp_path / "review.duckdb", tmp_path / "anew.duckdb"
    assert run("build", folder, "-o", file).stderr == ""
    assert run("analyse", file).stderr == ""
    assert carried_out == ["off-time-network", "off-time-pramipexole"]
    path = folder / "measurements.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("54,-1.22,3.7", "54,-1.24,3.7"), encoding="utf-8")  # of another comparison
    built = run("build", folder, "-o", file)
    assert built.stderr.splitlines() == [
        "off-time-network: to be run again, 1 of 9 rows that enter changed",
        "off-time-pramipexole: as before",
    ]
    assert f"1 analysis of the plan to be run: evidence analyse {file}" in built.output
    carried_out.clear()
    assert run("analyse", file).stderr.splitlines() == [
        "off-time-network: run, there is no earlier run of it",
        "off-time-pramipexole: as before",
    ]
    assert carried_out == ["off-time-network"]
    run("build", folder, "-o", anew)
    run("analyse", anew, "--fresh")
    assert repr(stored(file)) == repr(stored(anew))
    before = file.read_bytes()
    assert run("analyse", file).output.count("off-time") == 4
    assert file.read_bytes() == before


@pytest.mark.slow
def test_fresh_and_previous_say_where_results_come_from(folder, tmp_path, carried_out):
    file, other = tmp_path / "review.duckdb", tmp_path / "other.duckdb"
    run("build", folder, "-o", file)
    run("analyse", file)
    run("build", folder, "-o", other)
    carried_out.clear()
    assert run("analyse", other, "--previous", file).stderr.splitlines() == [
        "off-time-network: as before",
        "off-time-pramipexole: as before",
    ]
    assert carried_out == []
    assert repr(stored(file)) == repr(stored(other))
    assert run("build", folder, "-o", file, "--fresh").stderr == ""
    assert all(not rows for rows in stored(file).values())
    assert run("analyse", other, "--fresh").stderr == ""
    assert len(carried_out) == 2
    assert (
        "leave it out, or --previous" in run("analyse", file, "--fresh", "--previous", other, code=2).stderr
    )


def test_a_run_by_hand_that_a_plan_asks_for_becomes_the_plans(folder, tmp_path, carried_out):
    file = tmp_path / "review.duckdb"
    run("build", folder, "-o", file)
    with evidence.open(file) as db:
        first = update.updated(db, None).runs[1]
    results.save(file, [replace(first, analysis=None)])
    carried_out.clear()
    assert run("analyse", file).stderr == ""  # There was no run of a plan.
    assert carried_out == ["off-time-network"]
    with evidence.open(file) as db:
        assert [row["analysis"] for row in results.listing(db)] == [
            "off-time-network",
            "off-time-pramipexole",
        ]


def test_a_file_cut_short_is_said_and_built_over(folder, tmp_path):
    file = tmp_path / "review.duckdb"
    run("build", folder, "-o", file)
    file.write_bytes(file.read_bytes()[:30_000])
    built = run("build", folder, "-o", file)
    assert built.stderr.startswith("Nothing is taken from an earlier file: ")
    assert "Traceback" not in built.output
    assert run("sql", file, "select count(*) from study").exit_code == 0


@pytest.mark.slow
def test_a_report_takes_its_analyses_from_the_one_it_replaces(folder, tmp_path, carried_out):
    site, again = tmp_path / "report", tmp_path / "again"
    assert run("report", folder, "-o", site).stderr == ""
    carried_out.clear()
    assert run("report", folder, "-o", site).stderr.splitlines() == [
        "off-time-network: as before",
        "off-time-pramipexole: as before",
    ]
    assert carried_out == []
    run("report", folder, "-o", again, "--fresh")
    assert len(carried_out) == 2
    names = sorted(path.relative_to(site) for path in site.rglob("*") if path.suffix != ".duckdb")
    for name in names:
        if (site / name).is_file() and name.name != "manifest.csv":
            assert (site / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.slow
def test_one_cell_of_tnf_alpha_runs_its_analyses_again_and_no_other(tmp_path, carried_out):
    folder, file, anew = tmp_path / "alf", tmp_path / "alf.duckdb", tmp_path / "anew.duckdb"
    shutil.copytree(find("alf-simulated"), folder)
    toml = folder / "review.toml"
    # Chains take ten times as long as all the rest, and tell nothing of what is taken.
    toml.write_text(toml.read_text(encoding="utf-8").replace("chains = true", ""), encoding="utf-8")
    run("build", folder, "-o", file)
    run("analyse", file)
    assert len(carried_out) == 8
    one_cell(folder, file, "tnf_alpha-pairwise")
    carried_out.clear()
    built = run("build", folder, "-o", file).stderr.splitlines()
    assert built[4:6] == [
        "tnf_alpha-pairwise: to be run again, 1 of 28 rows that enter changed",
        "tnf_alpha-network: to be run again, 1 of 30 rows that enter changed",
    ]
    assert all(line.endswith(": as before") for line in [*built[:4], *built[6:]])
    run("analyse", file)
    assert carried_out == ["tnf_alpha-pairwise", "tnf_alpha-network"]
    run("build", folder, "-o", anew)
    run("analyse", anew, "--fresh")
    assert repr(stored(file)) == repr(stored(anew))
    with evidence.open(file) as db:
        assert db.value("select count(*) from audit_result_data") == 0
