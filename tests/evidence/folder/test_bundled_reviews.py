"""The bundled reviews hold the numbers of their sources, say where each stands, and build without an error."""

from __future__ import annotations

import csv
import math
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from evidence.system.resources import reviews_directory

REAL = ("diabetes", "smoking", "parkinson", "maternal-diet", "alf")


def rows(review: str, name: str) -> list[dict[str, str]]:
    with (reviews_directory() / review / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def metadat(tmp_path_factory) -> Path:
    """CSV copies of the data sets in the R package metadat."""
    if shutil.which("Rscript") is None:
        (pytest.fail if os.environ.get("REQUIRE_TOOLS") else pytest.skip)("Rscript is not installed")
    folder = tmp_path_factory.mktemp("metadat")
    names = ("senn2013", "hasselblad1998", "franchini2012", "besson2016")
    script = "library(metadat);" + ";".join(
        f'write.csv(dat.{name}, "{folder / name}.csv", row.names=FALSE, na="")' for name in names
    )
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if done.returncode:
        (pytest.fail if os.environ.get("REQUIRE_TOOLS") else pytest.skip)(f"metadat: {done.stderr[-200:]}")
    return folder


def source(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def same(ours: str, theirs: str) -> bool:
    return (ours == theirs == "") or (
        ours != "" and theirs != "" and math.isclose(float(ours), float(theirs))
    )


@pytest.mark.parametrize("review", REAL)
def test_a_review_names_its_source(review):
    about = tomllib.loads((reviews_directory() / review / "review.toml").read_text(encoding="utf-8"))
    assert "doi:10." in about["citation"]
    assert about["source"]
    assert about["licence"]
    assert about["question"].endswith("?")
    assert not about.get("synthetic", False)


@pytest.mark.parametrize(
    ("review", "studies", "arms", "measurements"),
    [
        ("diabetes", 26, 53, 53),
        ("smoking", 24, 50, 50),
        ("parkinson", 7, 15, 15),
        ("maternal-diet", 55, 763, 763),
    ],
)
def test_a_review_is_complete(review, studies, arms, measurements):
    assert len(rows(review, "studies.csv")) == studies
    assert len(rows(review, "arms.csv")) == arms
    assert len(rows(review, "measurements.csv")) == measurements
    assert all(
        row["source"] and row["locator"] and row["extractor"] for row in rows(review, "measurements.csv")
    )


def test_the_model_review_is_there_with_all_it_prints():
    estimates = rows("alf", "published_estimates.csv")
    league = [row for row in estimates if row["kind"] == "network"]
    assert len(league) == 84
    assert all(row["estimate"] and row["ci_lower"] and row["ci_upper"] and row["locator"] for row in league)
    # Table 1 of the paper: LSC against ADMSC on ALT, printed as "ADMSCs vs LSCs"
    cell = next(r for r in league if (r["outcome"], r["treatment"], r["versus"]) == ("alt", "ADMSC", "LSC"))
    assert (cell["estimate"], cell["ci_lower"], cell["ci_upper"]) == ("5933.08", "3909.44", "7997.17")
    pooled = {row["outcome"]: row for row in estimates if row["kind"] == "pairwise"}
    assert {outcome: row["n_studies"] for outcome, row in pooled.items()} == {
        "alt": "78",
        "ast": "71",
        "tnf_alpha": "26",
        "il6": "20",
    }
    assert len(rows("alf", "studies.csv")) == 50


def test_diabetes_equals_metadat(metadat):
    treatments = {row["treatment"]: row["label"] for row in rows("diabetes", "treatments.csv")}
    ours, theirs = rows("diabetes", "measurements.csv"), source(metadat, "senn2013")
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine["study"], treatments[mine["arm"]]) == (other["study"], other["treatment"])
        assert same(mine["n"], other["ni"])
        assert same(mine["mean"], other["mi"])
        assert same(mine["sd"], other["sdi"])


def test_smoking_equals_metadat(metadat):
    ours, theirs = rows("smoking", "measurements.csv"), source(metadat, "hasselblad1998")
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine["study"], mine["arm"]) == (other["study"], other["trt"])
        assert same(mine["events"], other["xi"])
        assert same(mine["n"], other["ni"])


def test_parkinson_equals_metadat(metadat):
    ours = {(row["study"], row["arm"]): row for row in rows("parkinson", "measurements.csv")}
    seen = 0
    for other in source(metadat, "franchini2012"):
        for j in "123":
            if other[f"Treatment{j}"]:
                mine = ours[other["Study"], other[f"Treatment{j}"].lower()]
                assert same(mine["mean"], other[f"y{j}"])
                assert same(mine["sd"], other[f"sd{j}"])
                assert same(mine["n"], other[f"n{j}"])
                seen += 1
    assert seen == len(ours)


def test_maternal_diet_equals_metadat(metadat):
    measured = rows("maternal-diet", "measurements.csv")
    exposed = {row["arm"]: row for row in measured if row["arm"] != "control"}
    control = {(row["study"], row["experiment"]): row for row in measured if row["arm"] == "control"}
    theirs = source(metadat, "besson2016")
    assert len(exposed) == len(theirs)
    for other in theirs:
        mine = exposed[other["comp_ID"]]
        base = control[mine["study"], mine["experiment"]]
        assert mine["study"] == other["study_ID"]
        assert mine["experiment"].startswith(other["con_ID"])
        for row, prefix in ((mine, "exp"), (base, "con")):
            assert same(row["mean"], other[f"{prefix}_mean"])
            assert same(row["se"], other[f"{prefix}_se"])
            assert same(row["n"], other[f"{prefix}_n"])
        assert ("SE imputed in the source" in mine["note"]) == (other["SE_imputed"] == "yes")


@pytest.mark.slow
@pytest.mark.parametrize("review", REAL)
def test_a_review_builds(review, tmp_path):
    import evidence

    file = evidence.build(review, tmp_path / "review.duckdb")
    with evidence.open(file) as db:
        expected = len(rows(review, "studies.csv"))
        assert db.sql("select count(*) from study").fetchall() == [(expected,)]
