"""Studies without information about a measure, and what is added to zero cells: by the measure's own rule."""

from __future__ import annotations

import pytest

import evidence
from analysis import network, pairwise
from evidence import facts

SETS = {
    "every animal cured": [(20, 20, 22, 22), (18, 20, 22, 22), (15, 20, 12, 22)],
    "the same elsewhere": [(30, 30, 28, 28), (24, 25, 20, 26), (40, 44, 33, 42)],
    "no event besides": [(0, 20, 0, 22), (3, 20, 0, 22), (5, 20, 8, 22), (20, 20, 22, 22)],
}
# rma.mh(measure = "RR") and rma(method = "FE") on escalc(measure = "RR") of metafor 3.8-1 (Debian): ratio, ends of
# the interval; Q and its df of rma.mh. The study without any event is left out of the third, as ours is.
METAFOR = {
    "every animal cured": ((1.04107142857, 0.918999746561, 1.17935801772), (0.985172219337, 0.910797697256, 1.06562006544), (4.26061525017, 1)),
    "the same elsewhere": ((1.12345119798, 1.02161973104, 1.23543286793), (1.03262814246, 0.972621587974, 1.09633684239), (0.935994606143, 1)),
    "no event besides": ((1.02666666667, 0.810818357601, 1.29997604835), None, (2.54250467378, 1)),
}  # fmt: skip


def review(folder, tables):
    folder.mkdir()
    arms, rows, studies = ["study,arm,treatment"], ["study,arm,outcome,events,n"], ["study"]
    for number, (a, n1, c, n2) in enumerate(tables, 1):
        studies.append(f"s{number}")
        arms += [f"s{number},T,T", f"s{number},C,C"]
        rows += [f"s{number},T,cure,{a},{n1}", f"s{number},C,cure,{c},{n2}"]
    files = {
        "studies.csv": studies,
        "arms.csv": arms,
        "measurements.csv": rows,
        "treatments.csv": ["treatment,role", "T,active", "C,control"],
        "outcomes.csv": ["outcome,kind,lower_is_better", "cure,binary,false"],
        "review.toml": ['title = "cure"'],
    }
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return evidence.open(evidence.build(folder, folder.parent / f"{folder.name}.duckdb"))


@pytest.fixture(scope="module", params=list(SETS))
def case(request, tmp_path_factory):
    return request.param, review(tmp_path_factory.mktemp("cure") / "r", SETS[request.param])


def fit(db, measure, **options):
    return pairwise.fit(db, outcome="cure", measure=measure, treatment="T", versus="C", **options)


def common(fitted):
    import numpy as np

    row = fitted.estimates().query("model == 'common'").iloc[0]
    return np.exp([row["estimate"], row["ci_lower"], row["ci_upper"]])


def test_a_risk_ratio_keeps_studies_in_which_all_have_the_event(case):
    name, db = case
    mantel_haenszel, inverse_variance, (q, df) = METAFOR[name]
    found = fit(db, "RR", method="MH")
    assert common(found) == pytest.approx(mantel_haenszel, rel=1e-9)
    heterogeneity = found.heterogeneity().query("model == 'common'").iloc[0]
    assert (heterogeneity["q"], heterogeneity["df"]) == (pytest.approx(q, rel=1e-9), df)
    if inverse_variance:
        assert common(fit(db, "RR")) == pytest.approx(inverse_variance, rel=1e-9)


def test_each_measure_leaves_out_what_its_rule_says(case):
    name, db = case
    for measure in ("OR", "RR", "RD"):
        kept = {row["study"] for row in db.rows("select study from contrast where measure = ?", [measure])}
        rule = facts.measure(measure)
        for number, (a, n1, c, n2) in enumerate(SETS[name], 1):
            assert (f"s{number}" in kept) == rule.tells(a, n1, c, n2), (measure, number)
        gone = db.rows("select study, reason, remedy from exclusion where measure = ?", [measure])
        out = {row["study"] for row in gone}
        # The engine of counts has these rows, too: nobody is told to use what was used. What is advised helps.
        assert "counts" not in " ".join(row["reason"] + row["remedy"] for row in gone)
        for row in gone:
            a, n1, c, n2 = SETS[name][int(row["study"][1:]) - 1]
            advised = [other for other in ("RR", "RD") if other in row["remedy"]]
            assert advised
            assert all(facts.measure(other).tells(a, n1, c, n2) for other in advised)
        assert kept | out == {f"s{number}" for number in range(1, len(SETS[name]) + 1)}
        assert not kept & out


def test_what_was_added_to_zero_cells_is_a_column_and_a_note(case):
    name, db = case
    zero = {f"s{i}" for i, (a, n, c, m) in enumerate(SETS[name], 1) if 0 in (a, c, n - a, m - c)}
    rows = db.rows("select study, continuity from contrast where measure = 'RR'")
    assert all((row["continuity"] == 0.5) == (row["study"] in zero) for row in rows)
    kept = [row["study"] for row in rows]
    said = f"0.5 was added to the counts of {len(zero & set(kept))} of {len(kept)} studies"
    warned = fit(db, "RR").notes().set_index("message")["severity"]
    (note,) = [text for text in warned.index if said in text]
    assert warned[note] == "warning"
    assert "--method MH" in note
    assert any("MH itself adds nothing" in text for text in fit(db, "RR", method="MH").notes()["message"])
    assert any(said in text for text in network.fit(network.load(db, "cure", "RR")).notes()["message"])
