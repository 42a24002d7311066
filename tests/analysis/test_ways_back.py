"""Every format that numbers can be read back from gives back what `WAYS_BACK` says, and no more than that."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import evidence
from evidence.export import export
from evidence.exporters import WRITERS
from evidence.exporters.ways_back import CONTENT, PARTS, WAYS_BACK
from evidence.importers.arms import import_arms
from evidence.importers.network import import_bugs, import_gemtc

STUDIES = ('S "1", é', "O'Neil; 2", "a=b & c", "Four 2004")
A, B = 'A & "B"', "b'c; d"
WHOLE = ("review", "duckdb", "ro-crate")
"""Formats of whole reviews: test_export_formats.py and test_crate.py hold every row of theirs."""


@pytest.fixture(scope="module")
def review(tmp_path_factory) -> Path:
    """Names with quotes, commas, semicolons and signs; three arms, two arms; events, and means with SDs."""
    folder = tmp_path_factory.mktemp("ways") / "review"
    folder.mkdir()
    arms, measurements, n = [], [], 10
    for i, study in enumerate(STUDIES):
        for j, treatment in enumerate([A, B, "plac"] if i == 0 else [A, "plac"] if i % 2 else [B, "plac"]):
            n += 3
            arms.append([study, f"arm {j}", treatment, "control" if treatment == "plac" else "active", n])
            place = [study, f"arm {j}"]
            measurements.append([*place, "death", 7, "d", n, "", "", 3 + i + j])
            measurements.append([*place, "pain", 7, "d", n, 5.25 + i / 3 - j, 2.1 + 0.1 * j, ""])
    tables = {
        "studies": [["study", "year"], *([study, 2001] for study in STUDIES)],
        "treatments": [["treatment", "label", "role"], [A, A, "active"], [B, B, "active"],
                       ["plac", "plac", "control"]],
        "outcomes": [["outcome", "label", "kind", "unit", "lower_is_better"],
                     ["death", "death", "binary", "", "true"], ["pain", "pain", "continuous", "points", "true"]],
        "arms": [["study", "arm", "treatment", "role", "n"], *arms],
        "measurements": [["study", "arm", "outcome", "timepoint", "timepoint_unit", "n", "mean", "sd", "events"],
                         *measurements],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
    (folder / "review.toml").write_text('title = "Ways back"\n[protocol]\nreference = "plac"\n', "utf-8")
    return folder


@pytest.fixture(scope="module")
def exported(review, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(review, folder, [name for name in WAYS_BACK if name not in WHOLE])
    return folder


def content(path: Path, outcome: str, measure: str, studies: dict[str, str]) -> tuple[dict, dict]:
    """Arms by study and treatment; effects by study and pair."""
    with evidence.open(path) as db:
        arms = {
            (studies.get(row["study"], row["study"]), row["treatment"]): row
            for row in db.rows("from measurement_standard where outcome = ?", [outcome])
        }
        effects = {
            (studies.get(row["study"], row["study"]), frozenset((row["treatment_a"], row["treatment_b"]))): (
                abs(row["estimate"]),
                row["std_error"],
            )
            for row in db.rows("from contrast where outcome = ? and measure = ?", [outcome, measure])
        }
    return arms, effects


def read_back(
    exported: Path, format: str, outcome: str, name: str, measure: str, back: Path
) -> dict[str, str]:
    """Import what was exported; gives the names of studies that a format has only numbers for."""
    folder = exported / format
    file = folder / WAYS_BACK[format].file.format(name=name)
    how = {"outcome": outcome, "lower_is_better": True}
    if format in ("jags", "bugs"):
        with (folder / f"{name}-codebook.csv").open(encoding="utf-8", newline="") as stream:
            codes = list(csv.DictReader(stream))
        import_bugs(
            file, back, names={row["number"]: row["name"] for row in codes if row["variable"] == "t"}, **how
        )
        return {f"Study {row['number']}": row["name"] for row in codes if row["variable"] == "study"}
    if format == "gemtc":
        import_gemtc(file, back, **how)
    elif format == "csv":
        import_arms(exported / "views" / "measurement_standard.csv", back, **how)
    else:
        import_arms(file, back, measure=measure if format == "netmeta" else None, **how)
    return {}


def close(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and other == pytest.approx(one, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "measure", "statistics"), [("death", "OR", ("events",)),
                                                                ("pain", "MD", ("mean", "sd"))])  # fmt: skip
@pytest.mark.parametrize("format", [name for name in WAYS_BACK if name not in WHOLE])
def test_what_comes_back_is_what_the_matrix_says(
    exported, review, tmp_path, format, outcome, measure, statistics
):
    back = tmp_path / "back"
    studies = read_back(exported, format, outcome, f"{outcome}-{measure}", measure, back)
    want, effects = content(review, outcome, measure, {})
    found, effects_found = content(back, outcome, measure, studies)

    def same(*columns: str) -> bool:
        return want.keys() == found.keys() and all(
            close(want[key][column], found[key][column]) for key in want for column in columns
        )

    what = "events" if outcome == "death" else "means"
    equal = {
        "studies": {study for study, _ in effects} == {study for study, _ in effects_found},
        "treatments": {t for _, pair in effects for t in pair} == {t for _, p in effects_found for t in p},
        "n": same("n"),
        what: same(*statistics),
        "effects": effects.keys() == effects_found.keys()
        and all(close(a, b) for key in effects for a, b in zip(effects[key], effects_found[key])),
        "times": same("timepoint"),
    }
    assert {name for name, is_equal in equal.items() if is_equal} == set(WAYS_BACK[format].equal) & set(equal)


def test_the_matrix_names_formats_and_content_that_there_are():
    assert {*WAYS_BACK, *PARTS} <= set(WRITERS)
    assert all(set(way.equal) <= set(CONTENT) for way in WAYS_BACK.values())
