import shutil

import pytest
from click.testing import CliRunner

import evidence
from evidence.catalog import Catalog, Column, Entry, Origin, dictionary, grouped
from evidence.cli import cli
from evidence.database import connect
from evidence.errors import CallError
from evidence.query import EvidenceBase
from evidence.store.objects import sql_objects
from evidence.store.viewmap import FIRST


@pytest.fixture(scope="module")
def catalog(diabetes_file):
    with evidence.open(diabetes_file) as db:
        yield Catalog(db)


def call(*arguments):
    return CliRunner().invoke(cli, ["catalog", *map(str, arguments)])


def test_every_object_is_listed_with_its_documentation(catalog):
    for item in sql_objects():
        entry = catalog.entries[item.name]
        assert (entry.kind, entry.comment, entry.title) == (item.kind, item.comment, item.header["Title"])
        for name, meaning in item.columns.items():
            assert {column.name: column.comment for column in entry.columns}[name] == meaning
    for table in ("study", "arm", "measurement"):
        entry = catalog.entries[table]
        assert entry.kind == "table"
        assert entry.title
        assert all(column.comment and column.type for column in entry.columns)


def test_a_macro_shows_its_parameters():
    assert Entry("t_cdf", "macro", parameters=("t", "df")).signature == "t_cdf(t, df)"
    assert Entry("study", "table").signature == "study"


def test_lineage_goes_down_to_the_cells_of_the_review_folder(catalog):
    leaves = set(catalog.lineage("contrast", "estimate").leaves())
    assert {
        "measurement.mean",
        "measurement.median",
        "measurement.events",
        "reported_contrast.estimate",
    } <= leaves
    assert {leaf.partition(".")[0] for leaf in leaves} <= {
        "measurement", "arm", "outcome", "unit", "treatment", "reported_contrast", "study", "effect_measure",
    }  # fmt: skip
    assert set(catalog.lineage("contrast", "study").leaves()) == {
        "measurement.study",
        "reported_contrast.study",
    }


def test_columns_keep_their_capitals(catalog):
    for name in ("Q", "q"):
        origin = catalog.lineage("leave_one_out", name)
        assert origin.name == "leave_one_out.Q"
        assert "measurement.mean" in set(origin.leaves())


def test_lineage_of_a_table_is_itself(catalog):
    assert catalog.lineage("measurement", "MEAN") == Origin("measurement", "mean", "table")


def test_each_tree_stands_once(catalog):
    seen = set()

    def walk(origin):
        assert not (origin.sources and origin.name in seen)
        if origin.sources:
            seen.add(origin.name)
        for source in origin.sources:
            walk(source)

    walk(catalog.lineage("contrast", "std_error"))
    assert "arm_effect.v" in seen


@pytest.mark.slow
def test_every_column_of_every_view_has_a_lineage(catalog):
    assert len(catalog.entries) > 50
    for entry in catalog.entries.values():
        for column in entry.columns:
            assert catalog.lineage(entry.name, column.name).name == f"{entry.name}.{column.name}"


def test_lineage_of_views_that_somebody_added(diabetes_file, tmp_path, monkeypatch):
    monkeypatch.setattr("evidence.opening.are_ours", lambda path: True)
    file = tmp_path / "review.duckdb"
    shutil.copyfile(diabetes_file, file)
    connection = connect(file, write=True)
    connection.execute(
        "create view heavy as with big as (select study, arm, n from arm where n > 100) "
        "select big.study, big.n * 2 as twice, (select max(year) from study) as latest, 1 as one from big "
        "union all select study, year, null, 2 from study"
    )
    connection.close()
    with evidence.open(file) as db:
        catalog = Catalog(db)
        assert list(catalog.lineage("heavy", "twice").leaves()) == ["arm.n", "study.year"]
        assert list(catalog.lineage("heavy", "latest").leaves()) == ["study.year"]
        assert list(catalog.lineage("heavy", "one").leaves()) == []


@pytest.mark.parametrize(
    ("relation", "column", "words"),
    [
        ("contrasts", "estimate", "Did you mean 'contrast'?"),
        ("contrast", "estimat", "Did you mean 'estimate'?"),
        ("contrast", "estimat", "It has: contrast_id, study"),
    ],
)
def test_unknown_names(catalog, relation, column, words):
    with pytest.raises(CallError) as caught:
        catalog.lineage(relation, column)
    assert words in str(caught.value)


def test_the_dictionary_has_every_column_once(catalog):
    rows = dictionary(catalog)
    keys = [(row["object"], row["column"]) for row in rows]
    assert len(keys) == len(set(keys)) == sum(len(entry.columns) for entry in catalog.entries.values())
    assert ("study", "table", "study") in {(row["object"], row["kind"], row["column"]) for row in rows}


def test_a_temporary_table_is_no_part_of_it(diabetes_file):
    with evidence.open(diabetes_file) as db:
        db.connection.execute("create temp table scratch as select 1 as i")
        assert "scratch" not in Catalog(db).entries
        assert "scratch" not in db.names()


def test_column_defaults():
    assert Column("study", "VARCHAR").comment == ""


# --- command --------------------------------------------------------------------------------------------------


def test_what_a_reviewer_needs_stands_first_and_internals_last(catalog):
    short, whole = grouped(catalog), grouped(catalog, every=True)
    assert [entry.name for entry in short["asked first"]] == list(FIRST)
    assert len(FIRST) == 10
    listed = [entry.name for entries in whole.values() for entry in entries]
    assert len(listed) == len(set(listed)) == len(catalog.entries)
    assert list(whole)[: len(short)] == list(short)
    inner = {entry.name for entries in list(whole.values())[len(short) :] for entry in entries}
    assert {"t_shape", "slip_log_odds", "omission_sum", "arm_pair", "missing_code"} <= inner
    assert not inner & {"study", "arm", "measurement", "pool_studies", "hours", "result_estimate"}
    # What is called a step names a view that the short list has.
    for entry in whole["steps and tools of the above"]:
        assert "A step of" in entry.comment or "A tool of" in entry.comment


def test_columns_of_a_contrast_each_have_a_meaning_of_their_own(catalog):
    meanings = {column.name: column.comment for column in catalog.entries["contrast"].columns}
    pairs = (
        "treatment_a",
        "treatment_b",
        "timepoint",
        "timepoint_unit",
        "estimate",
        "std_error",
        "study",
        "outcome",
    )
    assert len({meanings[name] for name in pairs}) == len(pairs)


def test_command_lists(diabetes_file):
    result = call(diabetes_file)
    assert result.exit_code == 0
    assert result.output.startswith("Asked first")
    assert "contrast_covariance" in result.output
    assert "t_cdf(t, df)" in result.output
    assert "t_shape" not in result.output
    assert "t_shape(" in call(diabetes_file, "--all").output


def test_command_describes(diabetes_file):
    result = call(diabetes_file, "contrast")
    assert result.exit_code == 0
    for words in ("view contrast", "Grain: pair of arms", "Reference: Hedges", "std_error"):
        assert words in result.output
    assert "CREATE VIEW" not in result.output
    assert "CREATE VIEW contrast" in call(diabetes_file, "contrast", "--sql").output


@pytest.mark.slow
def test_command_follows_a_column(diabetes_file):
    for arguments in (("arm_effect", "--lineage", "v"), ("--lineage", "arm_effect.v")):
        result = call(diabetes_file, *arguments)
        assert result.exit_code == 0
        assert result.output.startswith("arm_effect.v\n")
        assert "< measurement.events" in result.output
        assert "(see above)" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("contrasts",), "Did you mean 'contrast'?"),
        (("--lineage", "estimate"), "Which 'estimate'?"),
        (("--lineage", "contrast.estimat"), "Did you mean 'estimate'?"),
    ],
)
def test_command_refuses(diabetes_file, arguments, words):
    result = call(diabetes_file, *arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_a_column_named_with_its_view_is_recognised(diabetes_file):
    with evidence.open(diabetes_file) as db, pytest.raises(CallError, match=r"--lineage contrast\.estimate"):
        Catalog(db).entry("contrast.estimate")


def test_an_opened_evidence_base_says_in_a_notebook_what_is_in_it():
    with evidence.open("smoking") as db:
        html = db._repr_html_()
        assert "24 studies" in html
        assert f"version {evidence.__version__}" in html
        assert [html.index(f">{name}<") for name in FIRST] == sorted(
            html.index(f">{name}<") for name in FIRST
        )
    with evidence.open("alf-simulated") as db:
        assert "SIMULATED DATA" in db._repr_html_()


def test_names_of_an_evidence_base_are_escaped_in_a_notebook(empty_database):
    empty_database.execute("insert into review (review, title) values ('r', '<script>alert(1)</script>')")
    html = EvidenceBase(empty_database)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
