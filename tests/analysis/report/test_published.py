"""Printed league tables: known answers for the model review, and planted errors in tables that are right.

The known answers for Ma et al. 2023 (doi 10.4252/wjsc.v15.i1.1) were worked out from its Table 1 apart from this
project, by a multivariate normal distribution with 200,000 draws.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import evidence
from analysis.published import from_cells, rebuild, try_rebuild
from evidence.errors import RefusedError

Z = 1.959963984540054


def build_two(path, third=2):
    """Build a review with one whole league table, given its third cell, and one that lacks a cell."""
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / "review.toml").write_text('title = "T"\n', encoding="utf-8")
    (folder / "studies.csv").write_text("study\ns1\n", encoding="utf-8")
    (folder / "arms.csv").write_text("study,arm,treatment\ns1,A,A\ns1,B,B\n", encoding="utf-8")
    (folder / "treatments.csv").write_text(
        "treatment,role\nA,control\nB,active\nC,active\n", encoding="utf-8"
    )
    (folder / "outcomes.csv").write_text(
        "outcome,kind,unit,lower_is_better\nwhole,continuous,U/L,true\npartial,continuous,U/L,true\n",
        encoding="utf-8",
    )
    cells = [("whole", "B", "A", -1), ("whole", "C", "A", -3), ("whole", "B", "C", third), ("partial", "B", "A", -1),
             ("partial", "C", "A", -3)]  # fmt: skip
    lines = [f"Paper,{o},{a},{b},MD,network,{d},{d - 2},{d + 2}" for o, a, b, d in cells]
    (folder / "published_estimates.csv").write_text(
        "publication,outcome,treatment,versus,measure,kind,estimate,ci_lower,ci_upper\n"
        + "\n".join(lines)
        + "\n",
        encoding="utf-8",
    )
    return evidence.build(folder, path)


@pytest.fixture(scope="module")
def alf():
    with evidence.open("alf") as db:
        yield db


def coherent(effects, covariance, names, digits=None):
    """Cells of the league table that a normal distribution prints."""
    cells = []
    for i, j in itertools.combinations(range(len(names)), 2):
        estimate = effects[i] - effects[j]
        error = np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        lower, upper = estimate - Z * error, estimate + Z * error
        if digits is not None:
            estimate, lower, upper = round(estimate, digits), round(lower, digits), round(upper, digits)
        cells.append(
            {
                "treatment": names[i],
                "versus": names[j],
                "estimate": float(estimate),
                "ci_lower": float(lower),
                "ci_upper": float(upper),
                "std_error": float((upper - lower) / (2 * Z)),
                "significant": bool(lower > 0 or upper < 0),
            }
        )
    return cells


def random_table(seed, n=6, digits=None):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n + 2))
    return coherent(rng.normal(0, 3, n), root @ root.T / n, [f"t{i}" for i in range(n)], digits)


def test_sucra_and_best_of_the_model_review(alf):
    (printed,) = rebuild(alf, outcome="tnf_alpha")
    ranking = printed.ranking().set_index("treatment")
    assert ranking.loc["UCMSC", "sucra"] == pytest.approx(0.88, abs=0.01)
    assert ranking.loc["ADMSC", "sucra"] == pytest.approx(0.73, abs=0.01)
    assert ranking.loc["LSC", "sucra"] == pytest.approx(0.44, abs=0.01)
    assert ranking.loc["UCMSC", "p_best"] == pytest.approx(0.53, abs=0.01)
    assert ranking.loc["ADMSC", "p_best"] == pytest.approx(0.16, abs=0.01)
    assert ranking.loc["LSC", "p_best"] == pytest.approx(0.08, abs=0.01)
    for outcome, best in (("alt", 1.0), ("ast", 1.0), ("il6", 0.76)):
        (printed,) = rebuild(alf, outcome=outcome)
        first = printed.ranking().iloc[0]
        assert first["treatment"] == "LSC"
        assert first["p_best"] == pytest.approx(best, abs=0.01)


def test_the_ranking_view_gives_the_same_sucra(alf):
    stored = dict(alf.sql("select treatment, sucra from published_ranking where outcome = 'il6'").fetchall())
    (printed,) = rebuild(alf, outcome="il6")
    for treatment, sucra in zip(printed.treatments, printed.sucra, strict=True):
        # the view takes each cell as printed, the rebuilt table all of them together
        assert stored[treatment] == pytest.approx(sucra, abs=0.005)


@pytest.mark.slow
def test_the_ranking_view_marks_tables_that_contradict_themselves(tmp_path):
    query = "select distinct outcome, n_incoherent from published_ranking order by outcome"
    for third, incoherent in ((2, 0), (-2, 1)):
        with evidence.open(build_two(tmp_path / f"third{third}.duckdb", third)) as db:
            assert db.sql(query).fetchall() == [("partial", 0), ("whole", incoherent)]
            (whole,) = try_rebuild(db, outcome="whole")[0]
            assert (whole.unranked is not None) == bool(incoherent)


def test_coherence_of_the_model_review(alf):
    found = alf.sql(
        "select outcome, count(*), max(abs(residual)), count(case when verdict <> 'coherent' then 1 end)"
        " from league_coherence group by outcome"
    ).fetchall()
    assert {outcome: (n, bad) for outcome, n, _, bad in found} == dict.fromkeys(
        ("alt", "ast", "tnf_alpha", "il6"), (35, 0)
    )
    largest = {outcome: size for outcome, _, size, _ in found}
    assert largest["alt"] == pytest.approx(17.8, abs=0.06)
    assert largest["ast"] == pytest.approx(34.1, abs=0.06)
    assert largest["tnf_alpha"] == pytest.approx(3.1, abs=0.06)
    assert largest["il6"] == pytest.approx(2.2, abs=0.06)
    assert alf.value("select max(abs(residual_se)) from league_coherence") == pytest.approx(0.027, abs=0.001)


def test_every_claim_has_its_known_verdict(alf):
    verdicts = dict(alf.sql("select claim, verdict from published_claim_check").fetchall())
    fails = {claim for claim, verdict in verdicts.items() if verdict == "does not hold"}
    unchecked = {claim for claim, verdict in verdicts.items() if verdict == "cannot be checked"}
    assert fails == {
        "table-symmetric",
        "rank-first-tnf-alpha",
        "rank-first-all",
        "subgroup-first-tnf-alpha",
        "lsc-position-tnf-alpha",
        "lsc-tnf-alpha-effect",
        "lsc-weight",
        "lsc-size-alt",
        "lsc-size-ast",
        "units",
        "planes-alt",
        "planes-ast",
        "planes-tnf-alpha",
        "planes-il6",
        "one-quantity-tnf-alpha",
        "one-quantity-il6",
        "menscs-bmscs",
        "order-alt",
        "order-ast",
        "order-tnf-alpha",
        "placebo-one",
        "search-date",
        "databases",
        "left-out",
        "left-out-named",
        "timing",
        "about-90-percent-randomised",
        "species",
        "cell-types",
        "prisma",
        "risk-of-bias-items",
        "psrf-name",
    }
    assert unchecked == {
        "one-unit",
        "pooled-precision",
        "heterogeneity",
        "inconsistency",
        "references-24-26",
        "risk-of-bias-high",
        "random-housing",
    }
    assert {"rank-first-alt", "rank-first-ast", "rank-first-il6"} <= verdicts.keys() - fails - unchecked


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ("rank-first-tnf-alpha", "UCMSC"),
        ("order-alt", "0.9"),
        ("order-ast", "0.6"),
        ("order-tnf-alpha", "0.8"),
        ("order-il6", "1"),
        ("lsc-size-alt", "4.52"),
        ("lsc-size-ast", "6.36"),
        ("planes-alt", "0.11"),
        ("planes-ast", "0.12"),
        ("planes-tnf-alpha", "0.23"),
        ("planes-il6", "0.21"),
        ("lsc-position-tnf-alpha", "3"),
        ("subgroup-first-tnf-alpha", "UCMSC"),
        ("units", "88"),
        ("left-out-named", "PMSC"),
        ("risk-of-bias-items", "10 other bias"),
        ("about-90-percent-randomised", "83.1"),
        ("about-90-percent-balanced", "91"),
        ("table-symmetric", "il6, BMSC, placebo, 9"),
        ("table-flagged-alt", "11"),
        ("table-flagged-ast", "8"),
        ("species", "4"),
        ("cell-types", "9"),
    ],
)
def test_what_a_claim_finds(alf, claim, found):
    assert alf.value("select found from published_claim_check where claim = ?", [claim]) == found


def test_a_table_gives_back_the_distribution_it_was_printed_from():
    rng = np.random.default_rng(7)
    root = rng.normal(size=(5, 8))
    covariance, effects = root @ root.T, rng.normal(0, 4, 5)
    names = list("abcde")
    printed = from_cells(coherent(effects, covariance, names), reference="c", lower_is_better=False)
    mean, error = printed.differences
    place = [printed.treatments.index(name) for name in names]
    expected = effects[:, None] - effects[None, :]
    np.testing.assert_allclose(mean[np.ix_(place, place)], expected, atol=1e-10)
    variance = np.diagonal(covariance)
    spread = variance[:, None] + variance[None, :] - 2 * covariance
    np.testing.assert_allclose(error[np.ix_(place, place)] ** 2, spread, atol=1e-9)
    assert printed.repair == 0
    assert printed.rank_matrix.sum(0) == pytest.approx(np.ones(5))


def test_widths_that_fit_no_covariance_are_mended_and_said():
    cells = coherent(np.array([0.0, 1.0, 2.0]), np.eye(3), list("abc"))
    cells[0]["std_error"] = 4.0  # above the sum of the other two
    printed = from_cells(cells, lower_is_better=True)
    assert printed.repair > 0.1
    assert "nearest" in printed.notes()["message"].iloc[-1]
    assert np.linalg.eigvalsh(printed.covariance).min() > -1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cells: cells[1:], "t0 vs t1 is missing|t1 vs t0 is missing"),
        (lambda cells: [*cells, cells[0]], "given twice"),
        (lambda cells: [{**cells[0], "std_error": None}, *cells[1:]], "no interval"),
        (lambda cells: [], "there is none"),
    ],
)
def test_a_table_that_is_not_whole_is_refused_by_name(change, message):
    with pytest.raises(RefusedError, match=message):
        from_cells(change(random_table(1)))


def test_tables_that_can_be_rebuilt_are_although_another_cannot(tmp_path):
    path = tmp_path / "two.duckdb"
    build_two(path)
    with evidence.open(path) as db:
        found, refused = try_rebuild(db)
        assert [printed.outcome for printed in found] == ["whole"]
        assert len(refused) == 1
        assert "B vs C is missing" in str(refused[0]) or "C vs B is missing" in str(refused[0])
        with pytest.raises(RefusedError, match="Paper partial"):
            rebuild(db)


def test_the_overview_has_each_effect_against_the_reference(alf):
    (printed,) = rebuild(alf, outcome="tnf_alpha")
    rows = printed.overview().set_index("treatment")
    assert rows["versus"].unique().tolist() == ["placebo"]
    assert np.isnan(rows.loc["placebo", "estimate"])
    # as printed in Table 1, to the Monte Carlo noise of its cells (0.03 standard errors)
    for name, estimate, error in (
        ("UCMSC", -114.68, 41.6), ("ADMSC", -77.20, 38.5), ("LSC", -20.86, 71.1), ("BMSC", -13.45, 33.5),
        ("MenSC", -3.78, 102.3), ("AFMSC", -1.11, 101.9),
    ):  # fmt: skip
        assert rows.loc[name, "estimate"] == pytest.approx(estimate, abs=0.03 * error)
        assert rows.loc[name, "std_error"] == pytest.approx(error, abs=0.06)


def test_the_same_seed_gives_the_same_ranks():
    one, two = (from_cells(random_table(3), lower_is_better=True, seed=5) for _ in range(2))
    assert (one.rank_matrix == two.rank_matrix).all()


# --- planted errors ---------------------------------------------------------------------------------------


@pytest.fixture
def judge(empty_database):
    """Load printed tables into an empty database; return, for each, the cells that the checks point at."""

    def run(*tables):
        columns = ("treatment", "versus", "estimate", "ci_lower", "ci_upper", "significant")
        rows = [
            (t, i, *(cell[c] for c in columns))
            for t, table in enumerate(tables)
            for i, cell in enumerate(table)
        ]
        empty_database.execute(
            "insert into published_estimate (published_estimate_id, publication, outcome, treatment, versus,"
            " measure, kind, estimate, ci_lower, ci_upper, significant, source_file, source_line) values "
            + ", ".join(
                f"({1000 * t + i}, '{t}', 'o', '{a}', '{b}', 'MD', 'network', {e}, {low}, {high}, {flag}, 'f', {i})"
                for t, i, a, b, e, low, high, flag in rows
            )
        )
        found = [(set(), set()) for _ in tables]
        for which, view, fine in (
            (0, "league_cell_check", "coherent"),
            (1, "published_interval_check", "agrees"),
        ):
            for (cell,) in empty_database.execute(
                f"select published_estimate_id from {view} where verdict <> '{fine}'"
            ).fetchall():
                found[cell // 1000][which].add(cell % 1000)
        return found

    return run


def flip(cell):
    return {
        **cell,
        "estimate": -cell["estimate"],
        "ci_lower": -cell["ci_upper"],
        "ci_upper": -cell["ci_lower"],
    }


def planted(cells, **changed):
    """Copy a table with some cells replaced; keys are c0, c1, ..."""
    return [changed.get(f"c{i}", cell) for i, cell in enumerate(cells)]


def test_a_coherent_table_raises_no_alarm(judge):
    tables = [random_table(seed, n=3 + seed % 6, digits=digits) for seed in range(24) for digits in (1, 2, 3)]
    assert judge(*tables) == [(set(), set())] * len(tables)


def test_every_flipped_sign_is_found_in_its_cell(judge):
    cases = [
        (planted(cells, **{f"c{i}": flip(cell)}), i)
        for cells in (random_table(seed, digits=2) for seed in range(3))
        for i, cell in enumerate(cells)
        if abs(cell["estimate"]) > 0.02
    ]
    assert len(cases) > 40
    found = judge(*(table for table, _ in cases))
    assert [suspects for suspects, _ in found] == [{i} for _, i in cases]


def test_every_swapped_pair_is_found_in_its_cells(judge):
    numbers = ("estimate", "ci_lower", "ci_upper", "significant")
    cases = [
        (
            planted(
                cells,
                **{f"c{i}": cells[i] | {k: cells[j][k] for k in numbers}},
                **{f"c{j}": cells[j] | {k: cells[i][k] for k in numbers}},
            ),
            {i, j},
        )
        for cells in (random_table(seed, digits=2) for seed in range(3))
        for i, j in itertools.combinations(range(len(cells)), 2)
        if abs(cells[i]["estimate"] - cells[j]["estimate"]) > 0.02
    ]
    assert len(cases) > 300
    found = judge(*(table for table, _ in cases))
    assert all(swapped & suspects for (_, swapped), (suspects, _) in zip(cases, found, strict=True))


def test_a_wrong_flag_is_found_in_its_row(judge):
    cells = random_table(2, digits=2)
    flags = [
        planted(cells, **{f"c{i}": c | {"significant": not c["significant"]}}) for i, c in enumerate(cells)
    ]
    assert [intervals for _, intervals in judge(*flags)] == [{i} for i in range(len(cells))]


def test_an_interval_of_another_row_is_found(judge):
    cells = random_table(2, digits=2)
    others = [*cells[1:], cells[0]]
    wrong = [
        planted(cells, **{f"c{i}": c | {k: o[k] for k in ("ci_lower", "ci_upper")}})
        for i, (c, o) in enumerate(zip(cells, others, strict=True))
    ]
    assert all(i in intervals for i, (_, intervals) in enumerate(judge(*wrong)))


def test_a_league_table_that_contradicts_itself_is_warned_of() -> None:
    effect = {"A": 0.0, "B": -1.0, "C": 1.0, "D": 2.0}
    cells = [
        {"treatment": a, "versus": b, "estimate": effect[a] - effect[b], "std_error": 0.5}
        for a, b in (("B", "A"), ("C", "A"), ("D", "A"), ("C", "B"), ("D", "B"), ("D", "C"))
    ]

    def warnings(rows):
        notes = from_cells(rows, lower_is_better=True).notes()
        return " ".join(notes.loc[notes["severity"] == "warning", "message"])

    assert warnings(cells) == ""
    turned = [cells[0] | {"estimate": 1.0}, *cells[1:]]
    assert "not to be relied on" in warnings(turned)
    tripled = [cells[0] | {"std_error": 1.5}, *cells[1:]]
    assert "not to be relied on" in warnings(tripled)
    for rows in (turned, tripled):
        printed = from_cells(rows, lower_is_better=True)
        for ranks in (printed.ranking, printed.rank_probabilities, printed.overview):
            with pytest.raises(RefusedError, match="contradict each other"):
                ranks()
        assert len(printed.estimates()) == 12
    assert from_cells(cells, lower_is_better=True).unranked is None


@pytest.mark.parametrize("digits", [1, 2])
def test_the_share_that_rounding_has_in_ranks_is_said_and_holds(digits: int) -> None:
    """The SUCRAs of tables that were rounded lie as near to the true ones as the note says."""
    inside, said = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(5, 7))
        effects, covariance = rng.normal(0, 0.4, 5), 0.02 * root @ root.T
        names = [f"t{i}" for i in range(5)]
        exact = from_cells(coherent(effects, covariance, names), lower_is_better=True)
        cells = [cell | {"rounding": 10.0**-digits} for cell in coherent(effects, covariance, names, digits)]
        if any(cell["std_error"] <= 0 for cell in cells):
            continue
        printed = from_cells(cells, lower_is_better=True)
        if printed.unranked:
            continue
        assert f"moves a SUCRA by up to {printed.rounding:.2g}" in " ".join(printed.notes()["message"])
        said.append(printed.rounding)
        inside.append(np.abs(printed.sucra - exact.sucra).max() <= 1.3 * printed.rounding)
    assert len(inside) >= 10
    assert np.mean(inside) >= 0.9
    assert np.median(said) == pytest.approx(0.025 if digits == 1 else 0.0025, rel=0.8)


def test_rounding_of_ratios_is_that_of_the_printed_numbers(alf) -> None:
    assert all(printed.rounding is not None and printed.rounding < 0.01 for printed in rebuild(alf))
