"""A research object crate says what RO-Crate 1.1 demands; CSV on the Web describes every table.

By hand: rocrate-validator 0.13 (profile ro-crate-1.1, RECOMMENDED) misses author and publisher alone, which a
review folder does not name; csvw 4.1 finds the tables valid, frictionless 5.21 the data package.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

import evidence
from evidence.errors import CallError
from evidence.export import export


@pytest.fixture(scope="module")
def crate(tmp_path_factory) -> Path:
    pytest.importorskip("rocrate")
    folder = tmp_path_factory.mktemp("crate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        export("smoking", folder, ["ro-crate"])
    return folder / "ro-crate"


@pytest.fixture(scope="module")
def graph(crate) -> dict:
    content = json.loads((crate / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert content["@context"] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in content["@graph"]}


@pytest.mark.slow
def test_the_descriptor_and_the_root_are_as_the_specification_demands(graph):
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert root["datePublished"] == "2023-11-14"
    assert root["name"] == "Counselling and self-help for smoking cessation"
    assert root["description"]
    assert graph[root["license"]["@id"]]["name"].startswith("Facts")
    assert root["citation"]["@id"].startswith("https://doi.org/10.") or root["citation"]["@id"] == "#citation"


@pytest.mark.slow
def test_every_file_is_described_and_nothing_else(crate, graph):
    there = {file.relative_to(crate).as_posix() for file in crate.rglob("*") if file.is_file()}
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert there - {"ro-crate-metadata.json"} == parts
    for name in parts:
        file = graph[name]
        assert file["@type"] == "File"
        assert file["encodingFormat"]
        assert file["sha256"] == hashlib.sha256((crate / name).read_bytes()).hexdigest()
    made = graph["#export"]
    assert {graph[tool["@id"]]["name"] for tool in made["instrument"]} >= {"evidence-base", "duckdb"}
    assert {"@id": "review/studies.csv"} in made["object"]
    assert {"@id": "views/contrast.csv"} in made["result"]
    # Whatever an entity names is there.
    for entity in graph.values():
        for value in entity.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    assert item["@id"] in graph or item["@id"].startswith("https://w3id.org/"), item


@pytest.mark.slow
def test_csv_on_the_web_describes_every_table(crate):
    group = json.loads((crate / "csv-metadata.json").read_text(encoding="utf-8"))
    assert group["@context"] == "http://www.w3.org/ns/csvw"
    tables = {table["url"]: table["tableSchema"] for table in group["tables"]}
    assert set(tables) == {file.relative_to(crate).as_posix() for kind in ("tables", "views")
                           for file in (crate / kind).glob("*.csv")}  # fmt: skip
    for url, schema in tables.items():
        with (crate / url).open(encoding="utf-8", newline="") as stream:
            assert [column["name"] for column in schema["columns"]] == next(csv.reader(stream)), url
        assert all(column["dc:description"] for column in schema["columns"])
        for key in schema.get("foreignKeys", []):
            target = tables[key["reference"]["resource"]]
            assert set(key["reference"]["columnReference"]) <= {c["name"] for c in target["columns"]}
    assert tables["tables/arm.csv"]["primaryKey"] == ["study", "experiment", "arm"]


@pytest.mark.slow
def test_the_review_in_a_crate_builds_into_the_same_evidence(crate, tmp_path):
    again = evidence.build(crate / "review", tmp_path / "again.duckdb")
    with evidence.open("smoking") as one, evidence.open(again) as two:
        query = (
            "select study, treatment_a, treatment_b, measure, estimate, std_error from contrast order by all"
        )
        assert one.rows(query) == two.rows(query)


def test_without_the_package_it_says_how_to_get_it(example_file, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rocrate", None)
    monkeypatch.setitem(sys.modules, "rocrate.rocrate", None)
    with pytest.raises(CallError, match=r"pip install 'evidence-base\[ro-crate\]'"):
        export(example_file, tmp_path / "out", ["ro-crate"])
