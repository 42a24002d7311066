"""Each format holds what was exported, and what can be read back is what was written."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli
from evidence.errors import CallError, RefusedError
from evidence.export import export
from evidence.exporters import LOSSES, WRITERS
from evidence.importers.appraisal.robvis import import_robvis
from evidence.importers.flow import import_prisma
from evidence.importers.revman import import_revman
from evidence.selection import Conditions, select

PLACE = {"source_file", "source_line"}


def provenance(folder: Path) -> dict:
    return json.loads((folder / "provenance.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rich_file(tmp_path_factory, right) -> Path:
    """A review with every table filled, a text that looks like a formula, a missing value's code, and a unit."""
    folder = tmp_path_factory.mktemp("rich") / "rich"
    folder.mkdir()
    changes = {
        "studies.csv": right["studies.csv"].replace("rat,human\n", 'rat,"=HYPERLINK(""http://x"")"\n'),
        "measurements.csv": right["measurements.csv"].replace("control,death,7,d,,", "control,death,7,d,NR,"),
        "risk_of_bias.csv": right["risk_of_bias.csv"]
        + "Li 2019,RoB 2,D1,some concerns,\nLi 2019,RoB 2,Overall,high,\n",
        "units.csv": "unit,dimension,factor,label\ncell/HPF,cell density,2.5,cells per field\n",
    }
    for name, text in {**right, **changes}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return evidence.build(folder, folder.parent / "rich.duckdb")


@pytest.fixture(scope="module")
def everything(rich_file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("everything")
    # ro-crate takes an extra, and holds csv and review again (test_crate.py).
    names = [n for n, writer in WRITERS.items() if writer.startswith("evidence.") and n != "ro-crate"]
    export(rich_file, folder, names)
    return folder


def content(db: evidence.EvidenceBase, *, leave: set[str] = PLACE) -> dict[str, list[tuple]]:
    """All rows of all tables, but for where they were loaded from."""
    found = {}
    for table in db.names("table"):
        columns = [column for column in db.columns(table) if column not in leave]
        rows = db.rows(f"select {', '.join(columns)} from {table}")
        found[table] = sorted((tuple(row.values()) for row in rows), key=repr)
    return found


@pytest.mark.slow
def test_review_folder_builds_into_the_same_evidence(everything, rich_file, tmp_path):
    again = evidence.build(everything / "review", tmp_path / "again.duckdb")
    own = {"build_info", "loaded_file", "build_warning", "review"}
    with evidence.open(rich_file) as one, evidence.open(again) as two:
        before, after = content(one), content(two)
        assert {name for name in before if name not in own and before[name] != after[name]} == set()
        assert len(before["missing_value"]) == 1
        for view in ("contrast", "pooled", "exclusion"):
            columns = [c for c in one.columns(view) if c not in PLACE]
            query = f"select {', '.join(columns)} from {view} order by all"
            assert one.rows(query) == two.rows(query), view


@pytest.mark.slow
def test_duckdb_is_an_evidence_base_of_its_own(everything, rich_file):
    with evidence.open(rich_file) as one, evidence.open(everything / "evidence.duckdb") as two:
        assert content(one, leave=set()) == content(two, leave=set())
        assert one.rows("from contrast order by contrast_id") == two.rows(
            "from contrast order by contrast_id"
        )
        assert one.names() == two.names()


def test_sqlite_and_json_hold_every_row(everything, rich_file):
    database = sqlite3.connect(everything / "evidence.sqlite")
    database.row_factory = sqlite3.Row
    with evidence.open(rich_file) as db:
        for kind, name in (("tables", "measurement"), ("tables", "study"), ("views", "contrast")):
            want = db.rows(f"from {name} order by all")
            assert [dict(row) for row in database.execute(f"select * from {name}")] == want
            assert json.loads((everything / kind / f"{name}.json").read_text(encoding="utf-8")) == want
    assert (
        database.execute("select typeof(mean) from measurement where mean is not null").fetchone()[0]
        == "real"
    )
    database.close()


def test_no_text_of_a_workbook_is_a_formula(everything):
    book = openpyxl.load_workbook(everything / "tables.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert '=HYPERLINK("http://x")' in [cell.value for cell in cells]
    assert "contrast" in openpyxl.load_workbook(everything / "views.xlsx").sheetnames


def test_data_package_describes_every_csv(everything):
    package = json.loads((everything / "datapackage.json").read_text(encoding="utf-8"))
    assert package["profile"] == "tabular-data-package"
    by_name = {resource["name"]: resource for resource in package["resources"]}
    files = [*(everything / "tables").glob("*.csv"), *(everything / "views").glob("*.csv")]
    assert {file.stem for file in files} == set(by_name)
    for file in files:
        resource = by_name[file.stem]
        assert resource["bytes"] == file.stat().st_size
        with file.open(encoding="utf-8", newline="") as stream:
            header = next(csv.reader(stream))
        assert [field["name"] for field in resource["schema"]["fields"]] == header
        assert all(field["description"] for field in resource["schema"]["fields"]), file.stem
    arm = by_name["arm"]["schema"]
    assert arm["primaryKey"] == ["study", "experiment", "arm"]
    assert {"fields": ["study"], "reference": {"resource": "study", "fields": ["study"]}} in arm[
        "foreignKeys"
    ]


def test_robvis_and_prisma_read_back(everything, rich_file, tmp_path):
    for file in sorted((everything / "robvis").iterdir()):
        import_robvis(file, tmp_path / "back")
    import_prisma(everything / "PRISMA.csv", tmp_path / "back")
    with evidence.open(rich_file) as db:
        judged = "select study, tool, item, judgement from rob_judgement order by all"
        boxes = (
            "select box, n, coalesce(reason, '') as reason from prisma_flow where n is not null order by all"
        )
        want = db.rows(judged), [row for row in db.rows(boxes) if row["box"] != "total_studies"]
    with (tmp_path / "back" / "risk_of_bias.csv").open(encoding="utf-8") as stream:
        got = [{k: row[k] for k in ("study", "tool", "item", "judgement")} for row in csv.DictReader(stream)]
    assert sorted(got, key=lambda row: tuple(row.values())) == want[0]
    with (tmp_path / "back" / "flow.csv").open(encoding="utf-8") as stream:
        flow = {(row["box"], int(row["n"]), row.get("reason", "")) for row in csv.DictReader(stream)}
    assert flow >= {tuple(row.values()) for row in want[1]}


def test_revman_package_reads_back_and_pools_to_the_same(everything, rich_file, tmp_path):
    archive = next(everything.glob("*-revman.zip"))
    _, analyses = import_revman(archive, tmp_path / "back")
    with evidence.open(rich_file) as db, evidence.open(tmp_path / "back") as back:
        arms = "select study, n, mean, sd, events from measurement_standard where kind <> 'rate' order by all"
        assert {tuple(row.values()) for row in back.rows(arms)} <= {
            tuple(row.values()) for row in db.rows(arms)
        }
        pooled = {(r["treatment_a"], r["treatment_b"], r["measure"]): r for r in db.rows("from pooled")}
        estimates = {round(row["random_estimate"], 9) for row in pooled.values()}
        for analysis in analyses:
            if analysis.measure == "MD":
                assert round(analysis.estimate, 9) in estimates
        n = back.value("select count(*) from contrast where measure = 'MD'")
        assert n == db.value("select count(*) from analysis_contrast where measure = 'MD'") > 0
    assert "RoB 2" in (tmp_path / "back" / "risk_of_bias.csv").read_text(encoding="utf-8")


def test_what_is_lost_and_what_was_asked_is_said(everything):
    said = provenance(everything)
    assert set(said["losses"]) >= {"robvis", "prisma2020", "revman"}
    always, named = (loss for loss in said["losses"]["revman"] if loss.startswith(("holds", "does not hold")))
    assert "the covariance of pairs that share an arm" in always
    assert "the plan, published numbers and claims (" in named
    assert said["queries"]["views/contrast.csv"] == "from contrast order by all"
    assert set(LOSSES) <= set(WRITERS)


class TestSubsets:
    """Studies, outcomes, treatments, years, risk of bias."""

    def test_by_outcome_and_treatment(self, rich_file):
        with select(
            rich_file, Conditions(outcomes="outcome = 'alt'", treatments="treatment <> 'UCMSC'")
        ) as part:
            assert part.studies == ("Li 2019", "Wu 2020")
            db = part.db
            assert db.value("select count(*) from measurement") == 4
            assert {row["treatment"] for row in db.rows("select distinct treatment from arm")} == {
                "BMSC",
                "saline",
            }
            assert db.value("select count(*) from outcome") == 1
            assert db.value("select count(*) from reported_contrast") == 0
            assert {row["arm_a"] for row in db.rows("from contrast")} == {"cells", "bm"}

    @pytest.mark.parametrize(
        ("where", "studies"),
        [
            ("year >= 2020", ("Wu 2020", "Xu 2021")),
            (
                "study in (select study from rob_judgement where tool = 'SYRCLE' and judgement = 'low')",
                ("Li 2019",),
            ),
            (
                "exists (from rob_traffic_light as rob where rob.study = study.study and severity = 3)",
                ("Li 2019",),
            ),
            ("\"cell source\" = 'human' or species = 'rat'", ("Li 2019", "Wu 2020")),
        ],
    )
    def test_by_study(self, rich_file, where, studies):
        with select(rich_file, Conditions(studies=where)) as part:
            assert part.studies == studies

    @pytest.mark.slow
    def test_a_duckdb_file_says_that_it_is_a_part(self, rich_file, tmp_path):
        export(rich_file, tmp_path, ["duckdb"], where="year = 2019")
        with evidence.open(tmp_path / "evidence.duckdb") as db:
            assert db.value("select value from build_info where key = 'subset'") == "study where year = 2019"
            assert db.value("select count(*) from study") == 1

    @pytest.mark.parametrize(
        ("conditions", "words"),
        [
            ({"outcomes": "outcom = 'alt'"}, "Did you mean 'outcome'?"),
            ({"treatments": "delete from arm"}, "is no condition"),
            ({"where": "study in (select study from nowhere)"}, "nowhere"),
        ],
    )
    def test_a_wrong_condition(self, rich_file, tmp_path, conditions, words):
        with pytest.raises(CallError) as caught:
            export(rich_file, tmp_path / "out", ["csv"], **conditions)
        assert words in str(caught.value)

    def test_nothing_left(self, rich_file, tmp_path):
        with pytest.raises(RefusedError, match="Nothing meets the condition: outcome where"):
            export(rich_file, tmp_path / "out", ["csv"], outcomes="kind = 'continuous' and unit = 'g'")


@pytest.mark.slow
def test_a_format_that_can_hold_nothing_is_refused_alone_and_said_among_others(rich_file, tmp_path):
    arguments = ["export", str(rich_file), "--to", str(tmp_path / "a"), "--where", "study = 'Xu 2021'"]
    result = CliRunner().invoke(cli, [*arguments, "--format", "robvis"])
    assert (result.exit_code, "no risk-of-bias judgement" in result.output) == (1, True)
    result = CliRunner().invoke(cli, [*arguments, "--format", "duckdb,robvis"])
    assert result.exit_code == 0
    assert "robvis: nothing is written: There is no risk-of-bias judgement" in result.output


@pytest.mark.slow
def test_equal_evidence_gives_equal_bytes(everything, rich_file, tmp_path):
    names = [
        name
        for name in WRITERS
        if WRITERS[name].startswith("evidence.") and name not in ("duckdb", "sqlite", "ro-crate")
    ]
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(rich_file, copy)
    files = export(copy, tmp_path / "out", names)
    assert len(files) > len(names)
    for file in files[:-1]:
        assert file.read_bytes() == (everything / file.relative_to(tmp_path / "out")).read_bytes(), file
