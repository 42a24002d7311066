"""Pooling what one asks for, the pages behind a pooled estimate, what was left out, and times in any unit."""

from __future__ import annotations

import math

import pytest
from click.testing import CliRunner

import evidence
from evidence.cli import cli

KEYS = ("outcome", "measure", "treatment_a", "treatment_b")
ORDER = ", ".join(KEYS)


def same(one: dict, other: dict) -> None:
    """Equal columns; numbers to a relative 1e-12, of what is around 0 to 1e-12 of its standard error."""
    assert list(one) == list(other)
    for name, value in one.items():
        if isinstance(value, float):
            assert other[name] == pytest.approx(value, rel=1e-12, abs=1e-12 * one["random_std_error"]), name
        else:
            assert other[name] == value, name


@pytest.fixture(scope="module")
def twin():
    with evidence.open("alf-simulated") as db:
        yield db


def test_all_studies_give_pooled(twin):
    expected = twin.rows(f"from pooled order by {ORDER}")
    found = twin.rows(f"from pool_studies((select list(study) from study)) order by {ORDER}")
    assert len(found) == len(expected) > 100
    for one, other in zip(expected, found, strict=True):
        same(one, other)


def test_some_studies_give_what_pool_gives_with_that_condition(twin):
    from analysis import pairwise

    asked = {"outcome": "alt", "measure": "MD", "treatment": "BMSC", "versus": "placebo"}
    found = twin.rows(
        "from pool_studies((select list(study) from study where year > 2018)) "
        "where outcome = 'alt' and measure = 'MD' and treatment_a = 'BMSC' and treatment_b = 'placebo'"
    )
    (row,) = found
    meta = pairwise.fit(twin, **asked, where="year > 2018", tau2="DL", ci="HK")
    heterogeneity = meta.heterogeneity().query("model == 'random'").iloc[0]
    for model, name in (("common", "common_ci"), ("random", "hk_ci")):
        estimate = meta.estimates().query("model == @model").iloc[0]
        assert row[f"{model}_estimate"] == pytest.approx(estimate["estimate"], rel=1e-9)
        assert row[f"{name}_lower"] == pytest.approx(estimate["ci_lower"], rel=1e-9)
        assert row[f"{name}_upper"] == pytest.approx(estimate["ci_upper"], rel=1e-9)
    assert row["tau2"] == pytest.approx(heterogeneity["tau"] ** 2, rel=1e-9)
    assert row["n_studies"] == estimate["n_studies"] < 30


def test_given_contrasts_are_pooled_as_worked_out_by_hand(rows):
    for study, mean, year in (("one", 4, 2001), ("two", 8, 2002), ("three", 40, 1990)):
        rows.study(study, year=year)
        rows.measure(study, "drug", n=4, mean=mean, sd=2)
        rows.measure(study, "control", n=4, mean=0, sd=2)
    rows.query("from comparison_contrast")
    row = rows.one(
        "from pool_studies((select list(study) from study where year > 2000)) where measure = 'MD'"
    )
    # Mean differences 4 and 8, of variance 4 / 4 + 4 / 4 = 2 each: Q = (4 + 4) / 2, c = 1 - 1/2, tau2 = (4 - 1) / c = 6,
    # and the mean 6 has the variance 2 / 2 = 1, or (2 + 6) / 2 = 4.
    assert (row["k"], row["study_ids"], row["df"]) == (2, "one,two", 1)
    assert (row["common_estimate"], row["common_std_error"]) == (6, 1)
    assert (row["Q"], row["tau2"]) == pytest.approx((4, 6), rel=1e-14)
    assert (row["random_estimate"], row["random_std_error"]) == pytest.approx((6, 2), rel=1e-14)
    assert row["pi_lower"] is None
    assert rows.query("from pool_studies([])") == []


def test_contrasts_of_any_time_can_be_chosen_in_hours_or_days(rows):
    rows.unit("h", "time", 1 / 24)
    rows.unit("d", "time", 1)
    for time, unit, mean in ((24, "h", 4), (3, "d", 8), (7, "d", 90)):
        for arm, value in (("drug", mean), ("control", 0)):
            rows.measure("s", arm, n=4, mean=value, sd=2, timepoint=time, timepoint_unit=unit)
    rows.query("from comparison_contrast")
    chosen = "select list(contrast_id) from contrast where hours(timepoint, timepoint_unit) between 24 and 72"
    row = rows.one(f"from pool_contrasts(({chosen})) where measure = 'MD'")
    assert (row["k"], row["n_studies"], row["common_estimate"]) == (2, 1, 6)
    assert row["n_shared"] == 2  # the arms are the same ones: the reader is told
    found = rows.query(
        "select unit, days(2, unit) as d, hours(2, unit) as h from (values ('h'), ('d'), (null), ('kg')) as t (unit)"
    )
    assert [(row["d"], row["h"]) for row in found] == [(2 / 24, 2), (2, 48), (None, None), (None, None)]


def test_every_pooled_estimate_leads_to_its_pages(rows):
    page = {"source": "Smith 2001", "locator": "table 2", "method": "table", "extractor": "zoe"}
    for study in ("one", "two"):
        rows.measure(study, "drug", n=4, mean=4, sd=2, **page)
        rows.measure(study, "control", n=4, mean=0, sd=2, **page)
    rows.report("three", "drug", "control", estimate=3, se=1, source="Jones 2002", locator="p. 7")
    found = rows.query(
        "select study, arm, source, locator, method, extractor, source_file, random_weight from evidence_page "
        "where measure = 'MD' order by study, arm desc"
    )
    assert [tuple(row.values())[:-1] for row in found] == [
        ("one", "drug", *page.values(), "measurements.csv"),
        ("one", "control", *page.values(), "measurements.csv"),
        ("three", "drug, control", "Jones 2002", "p. 7", None, "extractor", "contrasts.csv"),
        ("two", "drug", *page.values(), "measurements.csv"),
        ("two", "control", *page.values(), "measurements.csv"),
    ]
    # Variances 2, 2 and 1, no heterogeneity: a quarter, a quarter and a half.
    assert [row["random_weight"] for row in found] == pytest.approx([0.25, 0.25, 0.5, 0.25, 0.25], rel=1e-12)


@pytest.mark.parametrize("review", ["diabetes", "parkinson"])
def test_pages_are_of_all_that_was_pooled_and_weights_add_up(review):
    with evidence.open(review) as db:
        assert (
            db.rows("select contrast_id from pooling_effect except select contrast_id from evidence_page")
            == []
        )
        sums = db.rows(
            f"select sum(random_weight) as total from (select distinct {ORDER}, contrast_id, random_weight "
            f"from evidence_page) as one group by {ORDER}"
        )
        assert all(math.isclose(row["total"], 1, rel_tol=1e-12) for row in sums)


def test_what_was_left_out_can_be_read_on_a_terminal(rows):
    for arm in ("drug", "control"):
        rows.measure("s", arm, n=4, mean=4, sd=2)
        rows.measure("t", arm, n=4, mean=4)
        rows.measure("u", arm, n=4, mean=4, sd=2, extractor="anna")
        rows.measure("u", arm, n=4, mean=5, sd=2, extractor="consensus")
    found = rows.query("from left_out order by place")
    assert {row["study"] for row in found} == {"t"}  # of u another reading counts: nothing to be done
    assert len(found) == 2
    assert list(found[0]) == ["study", "arm", "outcome", "place", "reason", "remedy"]
    assert found[0]["place"].startswith("measurements.csv:")
    assert "no SD" in found[0]["reason"]
    assert "ask the authors" in found[0]["remedy"]


def test_build_tells_what_cannot_be_used_from_what_is_not_needed(tmp_path):
    done = CliRunner().invoke(cli, ["build", "alf-simulated", "-o", str(tmp_path / "a.duckdb")])
    assert "cannot be used" not in done.output
    assert "95 rows are of another time point or reading than the one that counts" in done.output
