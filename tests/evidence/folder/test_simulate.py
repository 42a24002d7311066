"""The simulated twin has the counts that the model review prints, says that it is simulated, and knows its truth."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

import evidence
from evidence.errors import CallError
from evidence.folder.simulate import ALF, Shape, simulate, synthetic_shape, truth
from evidence.system.resources import reviews_directory


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return simulate(ALF, tmp_path_factory.mktemp("twin") / "alf-simulated", seed=2023)


@pytest.fixture(scope="module")
def db(twin):
    with evidence.open(twin) as base:
        yield base


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def printed(variable):
    """Counts that the paper prints, by level in lower case."""
    counts = rows(reviews_directory() / "alf", "published_counts.csv")
    return {
        row["level"].lower(): float(row["value"])
        for row in counts
        if row["variable"] == variable and row["value"]
    }


def test_the_bundled_twin_is_what_the_simulator_writes(twin):
    bundled = reviews_directory() / "alf-simulated"
    names = sorted(path.name for path in twin.iterdir())
    assert names == sorted(path.name for path in bundled.iterdir())
    for name in names:
        assert (twin / name).read_bytes() == (bundled / name).read_bytes()


@pytest.mark.parametrize(
    ("column", "variable"),
    [
        ("sex", "sex"),
        ("design", "design"),
        ("model", "alf_model"),
        ("route", "route"),
        ("negative_control", "negative_control"),
        ("strain", "species_strain"),
    ],
)
def test_every_count_equals_the_printed_one(twin, column, variable):
    simulated = Counter(row[column] for row in rows(twin, "studies.csv"))
    assert sum(simulated.values()) == 89
    # levels may be spelled otherwise; their sizes may not differ
    assert sorted(simulated.values()) == sorted(printed(variable).values())


def test_cell_types_and_head_to_head_studies(twin):
    arms = rows(twin, "arms.csv")
    cells = Counter(arm["treatment"] for arm in arms if arm["treatment"] != "placebo")
    assert {name.lower(): n for name, n in cells.items()} == printed("cell_type")
    several = Counter(arm["study"] for arm in arms)
    assert sum(n == 3 for n in several.values()) == 4
    assert all(n in (2, 3) for n in several.values())


def test_what_is_described_reaches_from_the_smallest_to_the_largest_that_is_printed(twin):
    with (reviews_directory() / "alf" / "published_counts.csv").open(encoding="utf-8") as handle:
        printed_range = {
            row["level"]: float(row["value"])
            for row in csv.DictReader(handle)
            if row["statistic"] in ("min", "max")
        }
    studies, arms = rows(twin, "studies.csv"), rows(twin, "arms.csv")
    factor = {"g": 1, "kg": 1000, "wk": 1, "years": 52}

    def extremes(values):
        numbers = [float(number) * factor[unit] for number, unit in (value.split() for value in values)]
        return min(numbers), max(numbers)

    assert extremes(row["weight"] for row in studies) == (
        printed_range["body weight minimum"],
        1000 * printed_range["body weight maximum"],
    )
    assert extremes(row["age"] for row in studies) == (
        printed_range["age minimum"],
        52 * printed_range["age maximum"],
    )
    doses = [float(arm["dose"]) for arm in arms if arm["dose"]]
    assert (min(doses), max(doses)) == (
        printed_range["transplantation dose minimum"],
        printed_range["transplantation dose maximum"],
    )
    animals = Counter()
    for arm in arms:
        animals[arm["study"]] += int(arm["n"])
    assert (min(animals.values()), max(animals.values())) == (
        printed_range["sample size minimum"],
        printed_range["sample size maximum"],
    )
    hours = [int(arm["timing"].split()[0]) for arm in arms if arm["timing"]]
    assert max(hours) == 24 * printed_range["transplantation after modelling, maximum"]
    early = {arm["study"] for arm in arms if arm["timing"].endswith("before modelling")}
    assert len(early) == 4
    assert early == {row["study"] for row in studies if row["transplantation"] == "before modelling"}


def test_its_plan_numbers_the_figures_of_the_model_review_and_states_its_priors(db):
    numbers = [n for (n,) in db.sql("select figure from plan_figure order by position").fetchall()]
    four = [[f"Figure {i}{letter}" for letter in "ABCD"] for i in (3, 4, 5, 6, 7)]
    supplement = [f"Supplementary Figure {i}" for i in (1, 2, 3, 4)]
    assert numbers == [
        "Supplementary Table 2", "Figure 1", "Figure 2", *four[0], "Table 1",
        *[number for panels in four[1:] for number in panels], *supplement,
    ]  # fmt: skip
    plan = db.rows("select * from plan where kind = 'network'")
    assert all(row["tau_prior"] and row["effect_prior_sd"] and row["chains"] for row in plan)


def test_its_sentences_on_what_was_included_hold(db):
    verdicts = dict(db.sql("select claim, verdict from published_claim_check").fetchall())
    assert {verdicts[claim] for claim in ("studies", "head-to-head", "network")} == {"holds"}


def test_risk_of_bias_counts(twin):
    low = Counter(row["item"] for row in rows(twin, "risk_of_bias.csv") if row["judgement"] == "low")
    counts = printed("risk_of_bias")
    for item, text in (("2", "balanced"), ("4", "4 random housing"), ("6", "6 random"), ("7", "7 blinding")):
        assert low[item] == next(n for level, n in counts.items() if text in level)


def test_outcomes_are_reported_by_the_printed_numbers_of_studies(db):
    found = dict(
        db.sql("select outcome, count(distinct study) from measurement_standard group by outcome").fetchall()
    )
    assert found == {"alt": 78, "ast": 71, "tnf_alpha": 26, "il6": 20}
    # the network of the model review: six cell types that report all four outcomes
    complete = db.sql(
        "select treatment from measurement_standard where role = 'active' group by treatment"
        " having count(distinct outcome) = 4 order by treatment"
    ).fetchall()
    assert [name for (name,) in complete] == ["ADMSC", "AFMSC", "BMSC", "LSC", "MenSC", "UCMSC"]


def test_habits_of_reporting_vary(db):
    ways = dict(
        db.sql("select derivation, count(*) from measurement_standard group by derivation").fetchall()
    )
    assert {"reported", "se"} <= ways.keys()
    assert any("median" in way for way in ways)
    assert db.value("select count(*) from measurement_standard where flags like '%unit%'") > 0


def test_true_effects_are_those_of_table_1():
    table = {
        (row["outcome"], row["treatment"]): float(row["estimate"])
        for row in rows(reviews_directory() / "alf", "published_estimates.csv")
        if row["kind"] == "network" and row["versus"] == "placebo"
    } | {
        (row["outcome"], row["versus"]): -float(row["estimate"])
        for row in rows(reviews_directory() / "alf", "published_estimates.csv")
        if row["kind"] == "network" and row["treatment"] == "placebo"
    }
    known = truth(ALF)
    assert len(table) == 24
    assert {key: known[key] for key in table} == table


def test_it_says_that_it_is_simulated(db, twin):
    assert db.value("select synthetic from review") is True
    assert "Simulated" in (twin / "review.toml").read_text(encoding="utf-8")
    assert all(row["label"].startswith("Simulated study") for row in rows(twin, "studies.csv"))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    shape = synthetic_shape(12, treatments=4, outcomes=2)
    one, two, three = (
        simulate(shape, tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    content = {f: (f / "measurements.csv").read_bytes() for f in (one, two, three)}
    assert content[one] == content[two] != content[three]
    with evidence.open(one) as db:
        assert db.value("select count(*) from study") == 12


def test_a_shape_that_contradicts_itself_is_refused(tmp_path):
    broken = Shape(**{**ALF.__dict__, "counts": {"sex": {"male": 3}}})
    with pytest.raises(CallError, match=re.escape("sex adds up to 3, not to 89")):
        simulate(broken, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(CallError, match="not empty"):
        simulate(ALF, tmp_path / "full")
