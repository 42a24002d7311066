"""Per-study effects of real data against escalc (metafor) and pairwise (netmeta), as recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PAIRWISE = [
    "bcg",
    "curtis1998",
    "eae_pairwise",
    "eklof2012",
    "karner2014",
    "nielweise2007",
    "nielweise2008",
    "normand1999",
    "statins",
]
NETWORK = [
    "atrialfib",
    "baker2009",
    "certolizumab",
    "diabetes",
    "dietaryfat",
    "eae_mouse",
    "franchini2012",
    "gurusamy2011",
    "hong2015",
    "linde2016",
    "linde2016_disc",
    "pagliaro1992",
    "schwingshackl2014",
    "senn2013",
    "smoking",
]


RANDOM = json.loads(
    (Path(__file__).parents[2] / "oracles" / "effects_metafor.json").read_text(encoding="utf-8")
)
COLUMNS = {
    "continuous": (("m1", "mean"), ("s1", "sd"), ("n1", "n")),
    "binary": (("e1", "events"), ("n1", "n")),
    "rate": (("x1", "events"), ("t1", "exposure")),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_random_data_equal_escalc(kind, rows):
    data = RANDOM[kind]
    rows.outcome("y", kind)
    length = len(next(iter(data.values())))
    for i in range(length):
        for arm, group in (("drug", "1"), ("control", "2")):
            given = {ours: data[theirs[0] + group][i] for theirs, ours in COLUMNS[kind]}
            rows.measure(f"s{i:02}", arm, "y", **given)
    found = {(row["measure"], row["study"]): row for row in rows.query("select * from contrast")}
    measures = [name.removesuffix("_y") for name in data if name.endswith("_y")]
    assert {measure for measure, _ in found} == set(measures)
    for measure in measures:
        for i in range(length):
            if kind == "continuous":
                informative = True
                y = data[f"{measure}_y"][i]
                if measure == "ROM":
                    part = [data[f"s{g}"][i] ** 2 / (data[f"n{g}"][i] * data[f"m{g}"][i] ** 2) for g in "12"]
                    y += (part[0] - part[1]) / 2
            else:
                y = data[f"{measure}_y"][i]
                one, two = (data["e1"], data["e2"]) if kind == "binary" else (data["x1"], data["x2"])
                all_events = kind == "binary" and one[i] == data["n1"][i] and two[i] == data["n2"][i]
                informative = measure in ("RD", "IRD") or (one[i] + two[i] > 0 and not all_events)
            assert ((measure, f"s{i:02}") in found) == informative
            if informative:
                row = found[measure, f"s{i:02}"]
                assert row["estimate"] == pytest.approx(y, rel=1e-12, abs=1e-14)
                assert row["std_error"] ** 2 == pytest.approx(data[f"{measure}_v"][i], rel=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("name", PAIRWISE)
def test_contrast_equals_escalc(name, load_oracle, rows):
    expected = load_oracle(name)["pairwise"]["measures"]
    left_out = set()
    for measure, reference in expected.items():
        found = {
            row["study"]: row
            for row in rows.query(
                "select study, estimate, std_error from contrast where measure = ?", [measure]
            )
        }
        studies = [row["study"] for row in rows.query("select study from study order by study")]
        for study, y, v in zip(studies, reference["yi"], reference["vi"], strict=True):
            if study not in found:
                # Without events nothing is known about a ratio; without positive means there is none.
                left_out.add((study, measure))
                continue
            assert found[study]["estimate"] == pytest.approx(y, rel=1e-10, abs=1e-13)
            assert found[study]["std_error"] ** 2 == pytest.approx(v, rel=1e-10)
    if left_out:
        found = rows.query("select distinct study, measure from exclusion")
        assert left_out <= {(row["study"], row["measure"]) for row in found}


@pytest.mark.oracle
def test_reported_contrasts_are_taken_as_they_are(oracle, rows):
    reference = oracle("raudenbush1985")["pairwise"]["measures"]["GEN"]
    for number, (y, v) in enumerate(zip(reference["yi"], reference["vi"], strict=True)):
        rows.report(f"study {number}", "drug", "control", measure="SMD", estimate=y, se=v**0.5)
    row = rows.one("select * from pooled")
    for model, estimate in (("EE", "common"), ("DL", "random")):
        expected = reference["models"][model]
        assert row[f"{estimate}_estimate"] == pytest.approx(expected["beta"], rel=1e-10)
        assert row[f"{estimate}_std_error"] == pytest.approx(expected["se"], rel=1e-10)
    assert row["Q"] == pytest.approx(reference["models"]["DL"]["QE"], rel=1e-10)
    assert 100 * row["I2"] == pytest.approx(reference["models"]["DL"]["I2"], rel=1e-8)


@pytest.mark.oracle
def test_every_reference_data_set_is_checked(oracle_directory):
    names = {file.stem for file in (oracle_directory / "expected").glob("*.json")}
    assert names == {*PAIRWISE, *NETWORK, "raudenbush1985"}


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("name", NETWORK)
def test_contrast_network_equals_pairwise(name, load_oracle, rows):
    meta = load_oracle(name)
    reference = meta["network"]["contrasts_all"]
    measure = rows.one("select kind from outcome")["kind"]
    measure = {"binary": "OR", "rate": "IRR"}.get(measure) or (
        "SMD" if name in ("eae_mouse", "hong2015") else "MD"
    )
    found = {}
    for row in rows.query("select * from contrast_network where measure = ?", [measure]):
        found[row["study"], row["treatment_a"], row["treatment_b"]] = (row["estimate"], row["std_error"])
        found[row["study"], row["treatment_b"], row["treatment_a"]] = (-row["estimate"], row["std_error"])
    expected = {
        (study, one, two): (te, se)
        for study, one, two, te, se in zip(
            reference["study"],
            reference["treatment1"],
            reference["treatment2"],
            reference["te"],
            reference["se"],
        )
        if te is not None
    }
    assert len(found) == 2 * len(expected)
    for key, (te, se) in expected.items():
        assert found[key][0] == pytest.approx(te, rel=1e-10, abs=1e-13), key
        assert found[key][1] == pytest.approx(se, rel=1e-10), key
