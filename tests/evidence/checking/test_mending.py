"""What mending a suspicion would do to the pooled results."""

from __future__ import annotations

import shutil

import pytest

import evidence
from evidence.checking import mending
from evidence.checking.mending import effects, telling
from evidence.checking.suspicions import reading_suspicions
from evidence.review import find


@pytest.fixture(scope="module")
def slipped(tmp_path_factory):
    """The diabetes review with one study's standard errors typed as SDs, and the same without the slip."""
    place = tmp_path_factory.mktemp("slipped")
    with evidence.open("diabetes") as db:
        right = evidence.build("diabetes", place / "right.duckdb")
        typed = db.rows("select n, sd from measurement where study like 'De Fronzo%' order by measurement_id")
    folder = place / "review"
    shutil.copytree(find("diabetes"), folder)
    file = folder / "measurements.csv"
    text = file.read_text(encoding="utf-8")
    for row in typed:
        slip = round(row["sd"] / row["n"] ** 0.5, 5)
        text = text.replace(f",{row['sd']:g},", f",{slip:g},", 1)
    file.write_text(text, encoding="utf-8")
    return right, evidence.build(folder, place / "wrong.duckdb")


@pytest.mark.slow
def test_mended_results_are_those_of_the_right_review(slipped):
    right, wrong = slipped
    with evidence.open(wrong) as db:
        found = effects(db)
        of_each = telling(db, found)
    assert {effect.suspicion for effect in found} == set(of_each)
    (told,) = (one for name, one in of_each.items() if name.startswith("se_as_sd|De Fronzo"))
    assert (told.measure, told.treatment_a, told.treatment_b) == ("MD", "metf", "plac")
    query = (
        "select k, random_estimate, random_ci_lower, random_ci_upper from pooled "
        "where measure = 'MD' and treatment_a = 'metf' and treatment_b = 'plac'"
    )
    with evidence.open(right) as db:
        (expected,) = db.rows(query)
    # The standard errors were typed with five decimals.
    assert told[9:] == pytest.approx(tuple(expected.values()), rel=1e-4)
    with evidence.open(wrong) as db:
        (typed,) = db.rows(query)
    assert told[5:9] == pytest.approx(tuple(typed.values()), rel=1e-12)


def test_views_are_computed_once_however_many_suspicions_are_mended(slipped, monkeypatch):
    computed = []
    once = mending.refresh
    monkeypatch.setattr(
        mending, "refresh", lambda *given, **more: (computed.append(given), once(*given, **more))
    )
    with evidence.open(slipped[1]) as db:
        assert len({effect.suspicion for effect in effects(db)}) > 1
    assert len(computed) == 1


def test_the_file_stays_as_it_is(slipped):
    _, wrong = slipped
    before = wrong.read_bytes()
    with evidence.open(wrong) as db:
        assert effects(db, most=0) == []
    assert wrong.read_bytes() == before


def test_check_prints_it(slipped, capsys):
    from evidence.cli import main

    with pytest.raises(SystemExit) as end:
        main(["check", str(slipped[1])])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "if it is a standard error" in text
    assert "random-effects estimates would move" in text


def test_suspicions_are_worked_out_once_for_what_reads_them():
    """Nothing takes as long to plan."""
    with evidence.open("alf-simulated") as db:
        for view in ("audit_suspicion", "mended_measurement"):
            rows = db.rows(f"from {view} order by all")
            assert rows
            assert db.rows(f"{reading_suspicions(db, view)} order by all") == rows
        db.connection.execute("delete from temp.suspicion_of_this_file")
        assert db.rows(reading_suspicions(db, view)) == []
        assert reading_suspicions(db, "audit_sign") == "select * from audit_sign"
