import json
import shutil

import pytest
from click.testing import CliRunner

import evidence
from analysis.plan import run_pairwise
from evidence.cli import cli
from evidence.errors import CallError
from evidence.results import save
from evidence.store.definitions import remember
from evidence.trace import address, addresses, trace


@pytest.fixture(scope="module")
def analysed(example_file, tmp_path_factory):
    """The worked example with one pairwise analysis kept in it."""
    path = tmp_path_factory.mktemp("analysed") / "example.duckdb"
    shutil.copyfile(example_file, path)
    remember(path)
    with evidence.open(path) as db:
        run = run_pairwise(
            db, outcome="alt", measure="ROM", treatment="a", versus="vehicle", by="species", analysis="alt-a"
        )
    save(path, [run])
    return path


@pytest.fixture(scope="module")
def db(analysed):
    with evidence.open(analysed) as base:
        yield base


@pytest.mark.slow
def test_addresses_name_every_number_once(db):
    found = addresses(db)
    assert len(found) == db.value("select count(*) from result_estimate")
    assert "alt-a/a/vehicle/random" in found
    assert "alt-a/a/vehicle/common/species=rat" in found
    for name, row in found.items():
        assert address(row) == name
        assert trace(db, name).number == row


def test_a_pooled_number_goes_back_to_pages_heaviest_first(db):
    found = trace(db, "alt-a/a/vehicle/random")
    weights = [part.weight for part in found.parts]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1)
    assert {part.study for part in found.parts} == {"Example 2018", "Example 2019", "Example 2021"}
    for part in found.parts:
        assert len(part.readings) == 2
        for reading in part.readings:
            file, _, line = reading.place.partition(":")
            row = db.rows(
                "select source, locator, method, extractor, study from measurement "
                "where source_file = ? and source_line = ?",
                [file, int(line)],
            )[0]
            assert row["study"] == part.study
            assert (reading.source, reading.locator, reading.method, reading.extractor) == (
                row["source"], row["locator"], row["method"], row["extractor"],
            )  # fmt: skip


def test_what_was_computed_from_a_reading_is_said(db):
    part = next(part for part in trace(db, "alt-a/a/vehicle/random").parts if part.study == "Example 2019")
    arm = next(reading for reading in part.readings if reading.what.startswith("a low"))
    assert arm.reported == "n 8, mean 19.8, se 2.2 ukat/L"
    assert arm.used_as.startswith("mean 1188, sd 373.352 U/L")


def test_a_subgroup_shows_its_own_studies(db):
    found = trace(db, "alt-a/a/vehicle/common/species=rat")
    assert {part.study for part in found.parts} == {"Example 2018"}
    assert "Weights are those in the analysis of all studies." in found.notes


def test_contrasts_measurements_and_lines(db):
    contrast = db.rows("select contrast_id, estimate from contrast where outcome = 'alt' limit 1")[0]
    found = trace(db, contrast["contrast_id"])
    assert found.number["estimate"] == contrast["estimate"]
    assert len(found.parts[0].readings) == 2
    line = trace(db, "measurements.csv:2")
    assert line.parts[0].readings[0].place == "measurements.csv:2"
    number = line.number["measurement_id"]
    assert trace(db, str(number)).parts == line.parts


def test_a_reported_contrast_has_a_page_too(review_folder, tmp_path):
    file = evidence.build(review_folder(), tmp_path / "liver.duckdb")
    with evidence.open(file) as db:
        row = db.rows("select contrast_id from contrast where origin = 'reported'")[0]
        reading = trace(db, row["contrast_id"]).parts[0].readings[0]
        assert reading.reported == "log HR estimate -0.51, se 0.2, ci_lower -0.9, ci_upper -0.12"
        assert trace(db, reading.place).parts[0].readings == (reading,)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alt-a/a/vehicle", "6 numbers begin with 'alt-a/a/vehicle'"),
        ("alt-a/a/vehicle/randm", "Did you mean 'alt-a/a/vehicle/random'?"),
        ("nothing", "An address is run/treatment/versus/model"),
        ("99999", "no measurement 99999"),
        ("measurements.csv:1", "No measurement and no reported contrast"),
    ],
)
def test_what_has_no_address(db, name, words):
    with pytest.raises(CallError) as caught:
        trace(db, name)
    assert words in str(caught.value)


def test_without_results_it_is_said_how_to_get_them(example_file):
    with evidence.open(example_file) as db, pytest.raises(CallError, match="evidence analyse FILE"):
        trace(db, "alt-a/a/vehicle/random")


# --- command --------------------------------------------------------------------------------------------------


def call(*arguments):
    return CliRunner().invoke(cli, ["trace", *map(str, arguments)])


def test_command_prints_numbers_and_pages(analysed):
    result = call(analysed, "alt-a/a/vehicle/random")
    assert result.exit_code == 0
    for words in (
        "alt-a/a/vehicle/random",
        "Example et al. 2019, Table 2",
        "measurements.csv:7",
        "first reader",
        "figure",
    ):
        assert words in result.output


def test_command_lists_addresses(analysed):
    result = call(analysed)
    assert result.exit_code == 0
    assert "alt-a/a/vehicle/common/species=mouse" in result.output


def test_command_gives_json(analysed):
    result = call(analysed, "alt-a/a/vehicle/random", "--format", "json")
    document = json.loads(result.stdout)
    assert document["address"] == "alt-a/a/vehicle/random"
    assert document["parts"][0]["readings"][0]["place"].startswith("measurements.csv:")


def test_command_refuses(analysed):
    result = call(analysed, "nothing")
    assert result.exit_code == 2
    assert "There is no number 'nothing'" in result.output
