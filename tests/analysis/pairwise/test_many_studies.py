"""Many studies: the same numbers as study by study, and work that grows as their number."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from analysis import pairwise
from analysis.pairwise import counts
from analysis.pairwise.influence import deletion
from analysis.pairwise.influence.gosh import gosh
from analysis.pairwise.model import rows as model_rows
from analysis.pairwise.model import tau2
from analysis.pairwise.model.parts import Stretches
from analysis.pairwise.model.rows import EffectRows, Profile
from analysis.pairwise.small_study.asymmetry import begg, trim_fill
from analysis.pairwise.small_study.rank import kendall
from analysis.pairwise.small_study.selection_model import _Likelihood, selection_model


def effects(k, tau2=0.1, seed=20230115):
    draw = np.random.default_rng(seed)
    v = draw.gamma(2, 0.05, k)
    return draw.normal(0.3, np.sqrt(v + tau2)), v


def _same(found, expected):
    for name, value in found.__dict__.items():
        other = getattr(expected, name)
        atol = 1e-9 * np.nanmax(np.abs(other.astype(float)), initial=0)
        assert value == pytest.approx(other, rel=1e-9, abs=atol, nan_ok=True), name


@pytest.mark.parametrize("method", [None, "DL", "HE", "HS", "SJ", "PM", "ML", "REML", 0.05])
@pytest.mark.parametrize("columns", [1, 2])
def test_studies_left_out_together_give_what_each_left_out_alone_gives(monkeypatch, method, columns):
    y, v = effects(120)
    y[7] += 5
    v[9] = 1e-4  # outweighs many others
    x = np.random.default_rng(1).normal(size=(120, 1))
    study = np.r_[np.arange(100), np.arange(20)]
    rows = EffectRows.of(y, v, np.column_stack([np.ones(120), x])[:, :columns], study)
    order = np.random.default_rng(2).permutation(100)
    member = np.random.default_rng(3).random((40, 120)) < 0.5

    def all_of_them():
        yield deletion.leave_out(rows, method)
        yield deletion.influence(rows, method)
        yield deletion.cumulative(rows, order, method)
        yield deletion.fit_subsets(rows, member, method)

    expected = list(all_of_them())
    monkeypatch.setattr(deletion, "MANY", 10)
    monkeypatch.setattr(deletion, "LARGE", 10)
    monkeypatch.setattr(model_rows, "LARGE", 10)
    for one, other in zip(all_of_them(), expected, strict=True):
        _same(one, other)


def test_a_study_that_outweighs_all_others_takes_no_digits_of_them_with_it():
    values = np.r_[1e15, np.arange(1.0, 500)][:, None]
    parts = Stretches.without_each(np.arange(500))
    assert parts.short
    assert (parts @ values)[0, 0] == 499 * 500 / 2


@pytest.mark.parametrize("n", [3, 10, 33, 49])
def test_kendalls_tau_and_its_p_values_are_those_of_scipy(n):
    draw = np.random.default_rng(n)
    for trial in range(6):
        x, y = draw.normal(size=n), draw.normal(size=n)
        for exact, method in ((True, "exact"), (False, "asymptotic")):
            other = kendalltau(x, y, method=method)
            assert kendall(x, y, exact) == pytest.approx((other.statistic, other.pvalue), rel=1e-12)
        x, y = draw.integers(0, n, n), draw.integers(0, 1 + trial, n)
        other = kendalltau(x, y, method="asymptotic")
        found = kendall(x, y, False)
        assert found == pytest.approx((other.statistic, other.pvalue), rel=1e-12, abs=1e-300, nan_ok=True)


def test_a_selection_model_of_many_effects_has_the_maximum_that_a_search_from_all_over_has(monkeypatch):
    y, v = effects(1500)
    seen = y / np.sqrt(v) > 1.96
    keep = seen | (np.random.default_rng(1).random(1500) < 0.4)
    monkeypatch.setattr("analysis.pairwise.small_study.selection_model.MANY_EFFECTS", 300)
    monkeypatch.setattr("analysis.pairwise.small_study.selection_model.PART", 200)
    fast = selection_model(y[keep], v[keep])
    monkeypatch.setattr(_Likelihood, "_from_a_part", _Likelihood._from_afar)
    slow = selection_model(y[keep], v[keep])
    assert fast.log_likelihood == pytest.approx(slow.log_likelihood, rel=1e-12)
    assert fast.effect.estimate == pytest.approx(slow.effect.estimate, rel=1e-6)


def test_a_hundred_thousand_studies_are_left_out_ranked_filled_and_drawn_from(monkeypatch):
    y, v = effects(100_000)
    rows = EffectRows.of(y, v)
    # Nothing takes an array of studies x studies: 80 GB.
    assert np.isfinite(deletion.leave_out(rows, "DL").beta).all()
    assert np.isfinite(deletion.influence(rows, "DL").dffits).all()
    assert 0 <= begg(y, v).p_value <= 1
    assert trim_fill(y, v, "DL", side="left").missing >= 0
    names = tuple(map(str, range(100_000)))
    assert np.isfinite(gosh(rows, names, "DL", subsets=5).estimate).all()


@pytest.mark.parametrize("case", ["plain", "one outweighs all", "a covariate alone", "far from zero"])
def test_rows_summed_piece_by_piece_give_what_they_give_at_once(monkeypatch, case):
    y, v = effects(300)
    x = np.random.default_rng(4).normal(size=(300, 1)) if case == "a covariate alone" else None
    v[7] = 1e-13 if case == "one outweighs all" else v[7]
    y = y + (1e6 if case == "far from zero" else 0)

    def of_all():
        rows = EffectRows.of(y, v, x)
        for method in ("DL", "HE", "HS", "SJ", "PM", "ML", "REML"):
            solution = rows.profile.solve(value := tau2.estimate(rows, method))
            yield [
                value,
                *solution.beta,
                *solution.covariance[0],
                solution.residual_ss,
                *solution.likelihoods(),
            ]
        yield [*tau2.interval(rows), tau2.typical_variance(rows)]

    expected = list(of_all())
    monkeypatch.setattr(model_rows, "LARGE", 100)
    monkeypatch.setattr(model_rows, "_PIECE", 64)
    for one, other in zip(of_all(), expected, strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_dersimonian_and_laird_go_over_very_many_effects_five_times_and_write_no_products(monkeypatch):
    seen = []
    whole = Profile._of_pieces
    monkeypatch.setattr(Profile, "_of_pieces", lambda *given: seen.append(1) or whole(*given))
    monkeypatch.setattr(Profile, "products", None)
    rows = EffectRows.of(*effects(5000))
    assert rows.profile.solve(tau2.estimate(rows, "DL")).tau2 == pytest.approx(0.1, rel=0.1)
    assert len(seen) == 5
    assert rows.X.strides[0] == rows.profile.basis.strides[0] == 0


def tables_of_events(k, seed=7):
    draw = np.random.default_rng(seed)
    n = draw.integers(5, 200, (2, k))
    risk = draw.beta(1, 20, k)
    events = draw.binomial(n, np.stack([risk * draw.uniform(0.4, 1.6, k), risk]))
    table = {
        "study": [f"s{i // 2 if i < 20 else i}" for i in range(k)],
        "events_a": events[0],
        "events_b": events[1],
    }
    return pd.DataFrame(table | {"n_a": n[0], "n_b": n[1]}).astype({"events_a": float, "events_b": float})


@pytest.mark.parametrize(
    ("measure", "method"), [("OR", "MH"), ("OR", "Peto"), ("RR", "MH"), ("RD", "MH"), ("IRR", "MH")]
)
def test_tables_left_out_together_give_what_each_left_out_alone_gives(monkeypatch, measure, method):
    rows = tables_of_events(60)
    rows.loc[7, ["events_a", "events_b", "n_a", "n_b"]] = [4e6, 5e6, 9e7, 9e7]  # outweighs all others
    whole = rows if measure != "IRR" else rows.rename(columns={"n_a": "exposure_a", "n_b": "exposure_b"})
    first, second = (rows[f"events_{side}"] + 0.5 for side in "ab")
    size, other = rows["n_a"] + 1, rows["n_b"] + 1
    whole = whole.assign(yi=np.log(first / size) - np.log(second / other), vi=1 / first + 1 / second)
    fit = pairwise.fit(whole, measure=measure, method=method, dependence="independent")
    whole_sets = [fit.leave_one_out, lambda: fit.cumulative("precision")]
    expected = [find() for find in whole_sets]
    monkeypatch.setattr(deletion, "MANY", 10)
    monkeypatch.setattr(fit.pooling.__class__, "common_of", None)
    for find, alone in zip(whole_sets, expected, strict=True):
        found = find()
        assert found["note"].fillna("").tolist() == alone["note"].fillna("").tolist()
        for name in ("estimate", "std_error", "ci_lower", "ci_upper", "tau", "i2", "q"):
            assert found[name].to_numpy(float) == pytest.approx(
                alone[name].to_numpy(float), rel=1e-9, nan_ok=True
            )


def test_twenty_thousand_tables_are_left_out_from_one_pass_over_their_sums(monkeypatch):
    rows = tables_of_events(20_000)
    rows = rows.assign(yi=0.1, vi=0.2)
    fit = pairwise.fit(rows, measure="OR", method="Peto", dependence="independent", tau2="DL")
    asked, whole = [], counts._summands
    monkeypatch.setattr(counts, "_summands", lambda *given: asked.append(1) or whole(*given))
    assert fit.left_out_at_once
    assert len(fit.leave_one_out()) == 2 * len(fit.studies)
    assert len(asked) == 1
