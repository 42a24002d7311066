"""A multiverse: its cells are analyses that can be done by hand, and its shares are counts of them."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

import evidence
from analysis import charts, network, plan
from analysis.charts.base.effect import Effect
from analysis.firm.choices import Choice, Level, combinations
from analysis.firm.multiverse import Multiverse, multiverse
from analysis.firm.permutation import flipped
from analysis.network.exact.together import integrate_each, summaries
from analysis.network.model import priors
from analysis.network.model.posterior import integrate
from analysis.network.model.specification import effect_scale
from analysis.results import frame
from evidence.errors import CallError

PLANNED = [
    ("diabetes", "hba1c-network"),
    ("diabetes", "hba1c-metformin"),
    ("smoking", "cessation-network"),
    ("smoking", "cessation-individual"),
]


def row_of(db, analysis: str) -> dict:
    return next(row for row in db.rows("select * from plan") if row["analysis"] == analysis)


@pytest.fixture(scope="module", params=PLANNED, ids=lambda one: one[1])
def every(request):
    review, analysis = request.param
    with evidence.open(review) as db:
        row = row_of(db, analysis)
        yield db, row, multiverse(db, row["kind"], plan.planned_options(row))


def test_a_cell_is_the_analysis_that_its_options_ask_for(every):
    db, row, found = every
    numbers = sorted(found.cells["cell"].unique())
    for number in [1, *random.Random(5).sample(numbers, 7)]:
        options = found.options_of(number)
        model = options.pop("model", None) if row["kind"] == "pairwise" else None
        fit, _ = plan.fitted(db, row["kind"], {key: v for key, v in options.items() if v is not None})
        table = fit.estimates()
        for cell in found.cells[found.cells["cell"] == number].itertuples():
            some = table[(table["model"] == (model or cell.model)) & table["level"].isna()]
            if row["kind"] == "network":
                some = some[(some["evidence"] == "network") & (some["treatment"] == cell.treatment)]
                some = some[some["versus"] == cell.versus]
            (one,) = some.itertuples()
            for name in ("estimate", "std_error", "ci_lower", "ci_upper", "p_value"):
                assert getattr(cell, name) == pytest.approx(getattr(one, name), rel=1e-10, abs=1e-10), name
            if row["kind"] == "network":
                ranks = fit.ranking()
                ranks = ranks[ranks["model"] == cell.model].set_index("treatment")
                score = ranks["sucra" if ranks["sucra"].notna().all() else "p_score"]
                assert cell.sucra == pytest.approx(score[cell.treatment], abs=1e-10)
                assert cell.best == score.idxmax()


def test_the_planned_cell_comes_first_and_changes_nothing(every):
    _, _, found = every
    first = found.cells[found.cells["cell"] == 1]
    assert first["planned"].all()
    assert not found.cells.loc[found.cells["cell"] > 1, "planned"].any()
    assert set(first["options"]) == {"{}"}
    assert (found.levels.loc[found.levels["cell"] == 1, "position"] == 1).all()


def test_no_two_cells_are_the_same_analysis(every):
    _, _, found = every
    once = found.cells.drop_duplicates("cell")
    assert once["options"].is_unique
    assert found.levels.groupby("cell").agg(tuple)["level"].is_unique


def test_shares_are_counts_of_cells(every):
    _, _, found = every
    for row in found.conclusions().itertuples():
        if row.conclusion == "interval":
            own = found.cells[
                (found.cells["treatment"] == row.treatment) & (found.cells["versus"] == row.versus)
            ]
            side = np.where(own["ci_lower"] > 0, "above", np.where(own["ci_upper"] < 0, "below", "not clear"))
            if (own["conclusion"] == side).all():
                assert row.kept == (side == row.planned).sum()
        assert 0 <= row.kept + row.reversed <= row.cells
        assert row.share == row.kept / row.cells


def test_a_level_that_changes_no_row_is_none(every):
    _, _, found = every
    assert any("changes no row" in said for said in found.dropped)
    for choice in found.choices:
        assert len(choice.levels) > 1
        assert len({level.name for level in choice.levels}) == len(choice.levels)


def made(values: dict[tuple[str, str], float]) -> Multiverse:
    """A multiverse of two choices, a and b, with effects of standard error 1."""
    choices = tuple(
        Choice(name, tuple(Level(level) for level in dict.fromkeys(key[i] for key in values)))
        for i, name in enumerate("ab")
    )
    cells, levels = [], []
    for number, (key, value) in enumerate(values.items(), 1):
        side = "above" if value > 1.96 else "below" if value < -1.96 else "not clear"
        cells.append(
            {"cell": number, "planned": number == 1, "measure": "MD", "treatment": "t", "versus": "c",
             "estimate": value, "std_error": 1.0, "ci_lower": value - 1.96, "ci_upper": value + 1.96,
             "conclusion": side, "options": f"{{{number}}}"}
        )  # fmt: skip
        levels += [
            {
                "cell": number,
                "choice": choice.name,
                "level": level,
                "position": 1 + (level != choice.levels[0].name),
            }
            for choice, level in zip(choices, key, strict=True)
        ]
    table, chosen = frame("multiverse", cells), frame("multiverse_choice", levels)
    return Multiverse("pairwise", {}, choices, table, chosen, (), None, True, ())


def test_the_variance_of_additive_choices_is_divided_among_them():
    """Effects a_i + b_j: variance of the first over the sum of both, by hand 1 / (1 + 4) and 4 / 5."""
    found = made(
        {(a, b): x + y for a, x in (("a1", 0.0), ("a2", 2.0)) for b, y in (("b1", 0.0), ("b2", 4.0))}
    )
    shares = found.sources().set_index("choice")["z_share"]
    assert shares["a"] == pytest.approx(0.2)
    assert shares["b"] == pytest.approx(0.8)


def test_what_only_both_choices_together_do_is_of_neither():
    found = made({("a1", "b1"): 3.0, ("a1", "b2"): -3.0, ("a2", "b1"): -3.0, ("a2", "b2"): 3.0})
    assert found.sources()["z_share"].tolist() == pytest.approx([0.0, 0.0])
    kept = found.conclusions().set_index("conclusion")
    assert kept.loc["interval", ["planned", "cells", "kept", "reversed"]].tolist() == ["above", 4, 2, 2]
    assert kept.loc["direction", "share"] == 0.5
    assert found.overturning()["cell"].tolist() == [2, 3]


def test_choices_that_do_not_go_together_make_no_cell():
    with evidence.open("smoking") as db:
        row = row_of(db, "cessation-individual")
        found = multiverse(db, "pairwise", plan.planned_options(row))
    wide = found.levels.pivot(index="cell", columns="choice", values="level")
    common = wide[wide["heterogeneity"] == "common effect"]
    assert common["interval"].isna().all()
    assert set(wide.loc[wide["pooling"].isin(["MH", "Peto"]), "heterogeneity"]) == {"common effect"}
    assert set(wide.loc[wide["pooling"] == "Peto", "effect measure"]) == {"OR"}
    assert wide.loc[wide["pooling"] == "binomial", "heterogeneity"].isna().all()


def test_a_choice_of_ones_own_doubles_the_cells():
    levels = [Choice("x", (Level("1"), Level("2"))), Choice("y", (Level("1"), Level("2"), Level("3")))]
    assert len(list(combinations(levels))) == 6
    with evidence.open("diabetes") as db:
        row = row_of(db, "hba1c-metformin")
        options = plan.planned_options(row)
        plain = multiverse(db, "pairwise", options)
        said = {"where": {"large": "year >= 1990"}, "without": ["effect measure"], "leave_out": ["basis"]}
        own = multiverse(db, "pairwise", {**options, "multiverse": said})
    names = [choice.name for choice in own.choices]
    assert "effect measure" not in names
    assert "effect measure" in [choice.name for choice in plain.choices]
    assert all("year" in text for text in own.cells["options"] if "where" in text and "basis" not in text)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"measures": ["QQ"]}, "no effect measure of this outcome 'QQ'"),
        ({"leave_out": ["lab"]}, "no study variable 'lab'"),
        ({"without": ["moon"]}, "no choice 'moon'"),
        ({"tau2": ["XX"]}, "no estimator 'XX'"),
        ({"ci": ["XX"]}, "no interval 'XX'"),
        ({"most": 3}, "cells, more than 3"),
        ({"where": {"odd": "nothing > 3"}}, "cannot be analysed"),
    ],
)
def test_what_is_not_there_is_said(said, wrong):
    with evidence.open("diabetes") as db:
        options = plan.planned_options(row_of(db, "hba1c-metformin")) | {"multiverse": said}
        if "where" in said:
            assert any(wrong in text for text in multiverse(db, "pairwise", options).dropped)
            return
        with pytest.raises(CallError, match=wrong):
            multiverse(db, "pairwise", options)


@pytest.mark.parametrize("review", ["diabetes", "smoking", "parkinson"])
def test_many_priors_at_once_give_what_each_gives_alone(review):
    with evidence.open(review) as db:
        row = next(row for row in db.rows("select * from plan") if row["kind"] == "network")
        net = plan.planned_network(db, row)
    scale = effect_scale(net)
    some = [
        *priors.customary(scale),
        priors.parse("log-normal(-2.56, 1.74)"),
        priors.Uniform(upper=scale / 50),
    ]
    rows = network.fit(net, engine="exact", model="random").posteriors["random"].rows
    together = integrate_each(rows, some)
    treatment = np.arange(1, len(net.treatments))
    seen = summaries(together, treatment, np.zeros_like(treatment))
    for i, prior in enumerate(some):
        alone = integrate(rows, prior)
        assert together[i].log_total == pytest.approx(alone.log_total, abs=1e-9)
        fit = network.fit(net, engine="exact", model="random", tau_prior=prior)
        own = fit.effects("random", treatment, np.zeros_like(treatment))
        for mine, theirs in (
            (seen.mean[i], own.estimate), (seen.sd[i], own.std_error), (seen.lower[i], own.ci_lower),
            (seen.upper[i], own.ci_upper), (seen.tail[i], own.p_value),
        ):  # fmt: skip
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10 * scale)
        assert seen.tau[i] == pytest.approx(fit.tau("random").median, rel=1e-7)


def network_of(effects: np.ndarray, names: list[tuple[str, str, str]]) -> network.Network:
    table = pd.DataFrame(
        [
            {"study": study, "treatment_a": a, "treatment_b": b, "estimate": value, "std_error": 0.3}
            for (study, a, b), value in zip(names, effects, strict=True)
        ]
    )
    return network.from_contrasts(table, outcome="y", measure="MD", reference="c", lower_is_better=True)


DESIGN = [(f"s{i:02d}", "t" if i % 2 else "u", "c") for i in range(10)]


def test_signs_flipped_by_hand_give_the_same_share():
    """Eight studies of one comparison with known standard errors: all 256 sets of signs by a fit of each."""
    effects = np.array([0.5, 0.2, 0.9, -0.3, 0.7, 0.1, 0.6, 0.4])
    names = [(f"s{i}", "t", "c") for i in range(8)]
    nets = [network_of(effects, names)]
    (p,) = flipped(nets, [("t", "c")], 20_000, 1)
    scale = effect_scale(nets[0])
    signs = np.array(np.meshgrid(*[[1.0, -1.0]] * 8)).reshape(8, -1).T
    means = []
    for sign in signs:
        fit = network.fit(
            network_of(effects * sign, names), engine="exact", model="random",
            tau_prior=f"uniform(0, {scale!r})", effect_prior_sd=np.inf,
        )  # fmt: skip
        means.append(abs(float(fit.effects("random", np.array([1]), np.array([0])).estimate[0])))
    exact = np.mean(np.array(means) >= means[0] * (1 - 1e-9))
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_one_study_shows_nothing_by_its_sign():
    names = [*[(f"s{i}", "t", "c") for i in range(6)], ("only", "u", "c")]
    net = network_of(np.array([1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 2.0]), names)
    of_t, of_u, missing = flipped([net], [("t", "c"), ("u", "c"), ("z", "c")], 499, 3)
    assert of_t < 0.05
    assert of_u == 1.0
    assert np.isnan(missing)


@pytest.mark.slow
def test_the_permutation_test_holds_its_level():
    """400 reviews without any effect, two sets of data each: 5 % within three standard errors."""
    rng = np.random.default_rng(11)
    found = []
    for seed in range(400):
        truth = rng.normal(0.0, 0.4, len(DESIGN))
        sets = [network_of(truth + rng.normal(0.0, 0.3, len(DESIGN)), DESIGN) for _ in range(2)]
        found.append(flipped(sets, [("t", "c")], 199, seed)[0])
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 400))


def test_the_curve_has_every_cell_of_the_measure_in_order_and_marks_the_planned(every):
    _, row, found = every
    treatment = found.planned["treatment"].iloc[0]
    versus = found.planned["versus"].iloc[0]
    own = found.fitted[found.fitted["treatment"] == treatment]
    drawn = charts.specification_curve(
        own, found.levels, effect=Effect(row["measure"], outcome="O"), treatment=treatment, versus=versus
    ).to_dict()
    cells = drawn["datasets"]["cells"]
    assert len(cells) == (own["measure"] == row["measure"]).sum()
    values = [cell["estimate"] for cell in cells]
    assert values == sorted(values)
    assert [cell["cell"] for cell in cells if cell["planned"]] == [1]
    assert {tick["cell"] for tick in drawn["datasets"]["choices"]} == {cell["cell"] for cell in cells}
    assert next(cell for cell in cells if cell["planned"])["said"] == "as planned"


def test_a_curve_of_many_cells_is_an_even_sample_with_the_planned_one():
    values = {("a1", f"b{i}"): float(i % 97) for i in range(1300)}
    found = made(values)
    spec = charts.specification_curve(
        found.cells, found.levels, effect=Effect("MD", outcome="O"), treatment="t", versus="c"
    ).to_dict()
    cells = spec["datasets"]["cells"]
    assert len(cells) <= 501
    assert sum(cell["planned"] for cell in cells) == 1
    assert "An even sample" in " ".join(spec["title"]["subtitle"])


@pytest.mark.slow
def test_a_planned_multiverse_is_kept_and_the_report_says_what_the_views_say(tmp_path):
    import shutil

    from analysis.report import write
    from evidence import results
    from evidence.build import build
    from evidence.system.resources import reviews_directory

    folder = tmp_path / "diabetes"
    shutil.copytree(reviews_directory() / "diabetes", folder)
    text = (folder / "review.toml").read_text(encoding="utf-8")
    text = text.replace("node_split = true", 'node_split = true\nsensitivity = ["multiverse"]')
    (folder / "review.toml").write_text(text, encoding="utf-8")
    file = tmp_path / "d.duckdb"
    build(folder, file)
    with evidence.open(file) as db:
        row = row_of(db, "hba1c-network")
        run = plan.run_planned(db, row)
        alone = multiverse(db, "network", plan.planned_options(row))
    pd.testing.assert_frame_equal(run.frames["multiverse"], alone.cells)
    results.save(file, [run])
    with evidence.open(file) as db:
        kept = {(r["treatment"], r["versus"]): r for r in db.rows("select * from run_multiverse")}
        shares = {
            (r["treatment"], r["versus"], r["choice"]): r
            for r in db.rows("select * from run_multiverse_choice")
        }
    by_python = alone.conclusions()
    for one in by_python[by_python["conclusion"] == "interval"].itertuples():
        view = kept[one.treatment, one.versus]
        assert (view["planned"], view["n_cells"], view["n_kept"], view["n_opposite"]) == (
            one.planned, one.cells, one.kept, one.reversed,
        )  # fmt: skip
    for one in alone.sources().itertuples():
        view = shares[one.treatment, one.versus, one.choice]
        for name in ("z_share", "kept_share"):
            mine = getattr(one, name)
            assert (view[name] is None and mine != mine) or view[name] == pytest.approx(
                mine, rel=1e-9, abs=1e-12
            )
    page = write(folder, tmp_path / "report").read_text(encoding="utf-8")
    assert "How firm is this?" in page
    assert "14 of 27 analyses" in page
    assert "rosiglitazone ranks first in 27 of 27 analyses" in page


def test_the_command_prints_ratios_as_ratios_and_what_the_analyses_keep():
    from click.testing import CliRunner

    from evidence.cli import cli

    result = CliRunner().invoke(cli, ["multiverse", "smoking", "cessation-individual"])
    assert result.exit_code == 0
    with evidence.open("smoking") as db:
        row = row_of(db, "cessation-individual")
        found = multiverse(db, "pairwise", plan.planned_options(row))
    own = found.fitted[found.fitted["measure"] == "OR"]["estimate"].median()
    line = next(line for line in result.output.splitlines() if "OR (planned)" in line)
    assert f"{np.exp(own):.2f}" in line
    assert "lies above no effect" in result.output
