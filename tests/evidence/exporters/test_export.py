import csv
import hashlib
import json
import shutil

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

import evidence
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import CallError, RefusedError
from evidence.export import export
from evidence.results import Run, save, versions
from evidence.selection import REVIEW_WIDE, Conditions, select


@pytest.fixture(scope="module")
def full(example_file, tmp_path_factory):
    """The whole worked example, exported."""
    folder = tmp_path_factory.mktemp("full")
    return folder, export(example_file, folder, ["csv", "parquet"])


@pytest.fixture(scope="module")
def rats(example_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rats")
    export(example_file, folder, ["csv"], where="species = 'rat'")
    return folder


def table(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_every_table_and_view_with_rows_is_written(full, example_file):
    folder, files = full
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(files)
    with evidence.open(example_file) as db:
        for name in (*db.names("table"), "contrast", "measurement_standard", "pooled"):
            n = db.value(f"select count(*) from {name}")
            file = folder / ("tables" if name in db.names("table") else "views") / f"{name}.csv"
            assert (len(table(folder, file)) if file.exists() else 0) == n, name


def test_numbers_keep_all_digits_in_both_formats(full, example_file):
    folder, _ = full
    with evidence.open(example_file) as db:
        want = {
            row["contrast_id"]: row["estimate"]
            for row in db.rows("select contrast_id, estimate from contrast")
        }
    got = {row["contrast_id"]: float(row["estimate"]) for row in table(folder, "views/contrast.csv")}
    assert got == want
    rows = connect().execute(
        "select contrast_id, estimate from read_parquet(?)", [str(folder / "views/contrast.parquet")]
    )
    assert dict(rows.fetchall()) == want


@pytest.mark.slow
def test_equal_evidence_gives_equal_bytes(full, tmp_path):
    from evidence.system.resources import template_directory

    folder, files = full
    export(template_directory(), tmp_path, ["parquet", "csv"])
    assert files[-1].name == "provenance.json"  # which says when it was made
    assert len(files) > 20
    for file in files[:-1]:
        assert file.read_bytes() == (tmp_path / file.relative_to(folder)).read_bytes(), file


@pytest.mark.slow
def test_a_subset_is_whole_in_itself(rats, example_file, tmp_path):
    """Its rows refer to nothing that is not there: they load into the schema, and its views come out the same."""
    from evidence.store.objects import create_objects, create_tables
    from evidence.store.stored import refresh

    assert {row["study"] for row in table(rats, "tables/study.csv")} == {"Example 2018", "Example 2020"}
    for file in [*(rats / "tables").iterdir(), *(rats / "views").iterdir()]:
        with file.open(encoding="utf-8", newline="") as stream:
            studies = {row["study"] for row in csv.DictReader(stream) if row.get("study")}
        assert studies <= {"Example 2018", "Example 2020"}, file
    connection = connect()
    create_tables(connection)
    for name in ("unit", "effect_measure", "rob_tool", "rob_item", "rob_answer", "study", "treatment", "outcome",
                 "arm", "measurement", "rob_judgement", "plan"):  # fmt: skip
        path = rats / "tables" / f"{name}.csv"
        if path.exists():
            connection.execute(f"copy {name} from '{path}' (header)")
    create_objects(connection, stored=True)
    refresh(connection)
    again = connection.execute("select contrast_id, estimate, std_error from contrast order by 1").fetchall()
    written = table(rats, "views/contrast.csv")
    assert sorted((r["contrast_id"], float(r["estimate"]), float(r["std_error"])) for r in written) == [
        (name, pytest.approx(estimate, rel=1e-14), pytest.approx(error, rel=1e-14))
        for name, estimate, error in again
    ]


def test_views_of_a_subset_count_the_subset(rats):
    nodes = {row["treatment"] for row in table(rats, "views/network_node.csv") if row["outcome"] == "alt"}
    assert nodes == {"a", "b", "vehicle"}
    assert {row["n_studies"] for row in table(rats, "views/network_node.csv") if row["treatment"] == "a"} == {
        "1"
    }


def test_what_describes_the_whole_review_is_left_out_of_a_part_and_said(rats, full, example_file, tmp_path):
    provenance = json.loads((rats / "provenance.json").read_text())
    assert provenance["where"] == "species = 'rat'"
    assert provenance["n_studies"] == {"selected": 2, "in_evidence_base": 4}
    assert provenance["studies"] == ["Example 2018", "Example 2020"]
    for name in REVIEW_WIDE:
        assert not (rats / "tables" / f"{name}.csv").exists()
        assert name in provenance["left_out"]
    whole = json.loads((full[0] / "provenance.json").read_text())
    assert whole["left_out"] == {}
    assert (full[0] / "tables" / "screening.csv").exists()


@pytest.mark.slow
def test_results_are_left_out_of_a_part(example_file, tmp_path):
    path = tmp_path / "example.duckdb"
    shutil.copyfile(example_file, path)
    save(path, [Run("pairwise", "frequentist", "alt", "ROM", "log", {}, "0", {}, versions=versions())])
    for where, n in ((None, 1), ("year = 2018", 0)):
        with select(path, Conditions(where)) as selection:
            assert selection.db.value("select count(*) from result_run") == n


def test_provenance_lists_every_file_with_its_hash(full):
    folder, files = full
    provenance = json.loads((folder / "provenance.json").read_text())
    for file in files[:-1]:
        name = file.relative_to(folder).as_posix()
        assert provenance["files"][name] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert provenance["versions"]["duckdb"]
    assert provenance["build"]["content_hash"]
    assert {row["file"] for row in provenance["loaded_files"]} >= {"studies.csv", "arms.csv"}


def test_the_dictionary_explains_every_column_written(full):
    folder, _ = full
    meanings = {(row["object"], row["column"]): row["meaning"] for row in table(folder, "dictionary.csv")}
    for file in [*(folder / "tables").glob("*.csv"), *(folder / "views").glob("*.csv")]:
        with file.open(encoding="utf-8", newline="") as stream:
            header = next(csv.reader(stream))
        for column in header:
            assert meanings[file.stem, column], (file.stem, column)
    assert "## contrast (view)" in (folder / "dictionary.md").read_text(encoding="utf-8")


def test_the_source_stays_as_it_was(example_file, tmp_path):
    before = example_file.read_bytes()
    with select(example_file, Conditions("year = 2018")) as selection:
        assert selection.db.value("select count(*) from study") == 1
        selection.db.connection.execute("delete from build_info")
    assert example_file.read_bytes() == before


def test_an_empty_selection_is_refused(example_file, tmp_path):
    with pytest.raises(RefusedError, match="nothing to export"):
        export(example_file, tmp_path / "out", ["csv"], where="species = 'cat'")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("formats", "where", "words"),
    [
        (["parqet"], None, "Did you mean 'parquet'?"),
        (["csv"], "spcies = 'rat'", "Did you mean 'species'?"),
        (["csv"], "1 = 1) or (1 = 1", "is no condition"),
    ],
)
def test_wrong_calls_write_nothing(example_file, tmp_path, formats, where, words):
    with pytest.raises(CallError) as caught:
        export(example_file, tmp_path / "out", formats, where=where)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(example_file, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CallError, match="cannot be written"):
        export(example_file, tmp_path / "file" / "out", ["csv"])


@pytest.mark.slow
def test_command(example_file, tmp_path):
    arguments = ["export", str(example_file), "--to", str(tmp_path / "out"), "--format", "csv,parquet"]
    result = CliRunner().invoke(cli, [*arguments, "--where", "year > 2018"])
    assert result.exit_code == 0
    assert (tmp_path / "out" / "tables" / "study.parquet").exists()
    assert "dictionary.md" in result.output
    result = CliRunner().invoke(cli, [*arguments[:-1], "csv,xml"])
    assert result.exit_code == 2
    assert "xml is none of csv, parquet" in result.output


@pytest.mark.slow
def test_an_export_of_simulated_data_says_so(tmp_path):
    files = export("alf-simulated", tmp_path / "out", ["xlsx"], where="study < 'S003'")
    notice = tmp_path / "out" / "SIMULATED-DATA.txt"
    assert notice in files
    assert notice.read_text(encoding="utf-8").startswith("SIMULATED DATA")
    book = load_workbook(tmp_path / "out" / "tables.xlsx")
    assert book.sheetnames[0] == "SIMULATED DATA"
    assert "SIMULATED-DATA.txt" in json.loads((tmp_path / "out" / "provenance.json").read_text())["files"]
