"""The fit as users see it: frames of both models, intervals and predictions by name, options, notes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise, results
from analysis.pairwise.influence import deletion
from analysis.pairwise.model.rows import EffectRows
from evidence.errors import CallError

ORACLES = Path(__file__).parents[2] / "oracles"
METAFOR = json.loads((ORACLES / "pairwise_metafor.json").read_text(encoding="utf-8"))["data"]
SENSITIVITY = json.loads((ORACLES / "pairwise_sensitivity.json").read_text(encoding="utf-8"))


def table(name="bcg", **more):
    entry = METAFOR[name]
    return pd.DataFrame({"study": entry["study"], "yi": entry["yi"], "vi": entry["vi"], **more})


def model(frame, which="random"):
    return frame[frame["model"] == which].iloc[0]


def value(frame, model, item, quantity):
    found = frame[(frame["model"] == model) & (frame["item"] == item) & (frame["quantity"] == quantity)]
    assert len(found) == 1
    return found["value"].iloc[0]


@pytest.mark.parametrize("name", METAFOR)
@pytest.mark.parametrize("method", ["DL", "HE"])
def test_both_models_stand_side_by_side(name, method):
    entry = METAFOR[name]
    fit = pairwise.fit(table(name), tau2=method, ci="Wald", prediction="S")
    estimates, spread = fit.estimates(), fit.heterogeneity()
    assert list(estimates["model"]) == ["common", "random"]
    assert list(estimates.columns) == list(results.COLUMNS["estimates"])
    assert list(spread.columns) == list(results.COLUMNS["heterogeneity"])
    for which, expected in (("common", entry["models"]["EE"]), ("random", entry["models"][method])):
        row = model(estimates, which)
        for ours, theirs in (
            ("estimate", "beta"), ("std_error", "se"), ("ci_lower", "ci_lb"), ("ci_upper", "ci_ub"), ("p_value", "pval"),
        ):  # fmt: skip
            assert row[ours] == pytest.approx(expected[theirs], rel=1e-9)
        row = model(spread, which)
        assert row["q"] == pytest.approx(expected["QE"], rel=1e-10)
        assert row["p_value"] == pytest.approx(expected["QEp"], rel=1e-9)
        assert 100 * row["i2"] == pytest.approx(expected["I2"], rel=1e-9, abs=1e-12)
    assert model(spread)["tau2"] == pytest.approx(expected["tau2"], rel=1e-10, abs=1e-14)
    assert model(spread)["h2"] == pytest.approx(expected["H2"], rel=1e-10)
    limits = entry["prediction"][method]
    assert model(estimates)["pi_lower"] == pytest.approx(limits["pi_lb"], rel=1e-9)
    assert model(estimates)["pi_upper"] == pytest.approx(limits["pi_ub"], rel=1e-9)


@pytest.mark.parametrize("name", METAFOR)
def test_hartung_knapp(name):
    entry = METAFOR[name]
    row = model(pairwise.fit(table(name), tau2="DL", ci="HK").estimates())
    expected, limits = entry["knapp_hartung"]["DL"], entry["prediction_kh"]["DL"]
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-10)
    assert row["ci_lower"] == pytest.approx(expected["ci_lb"], rel=1e-9)
    assert row["p_value"] == pytest.approx(expected["pval"], rel=1e-9)
    assert row["pi_lower"] == pytest.approx(limits["pi_lb"], rel=1e-9)
    assert row["pi_upper"] == pytest.approx(limits["pi_ub"], rel=1e-9)


def test_ad_hoc_correction():
    first = table().iloc[:3]
    expected = SENSITIVITY["adhoc"]
    row = model(pairwise.fit(first, tau2="DL", ci="HK-adhoc").estimates())
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-10)
    assert row["ci_lower"] == pytest.approx(expected["lb"], rel=1e-10)
    plain = pairwise.fit(first, tau2="DL", ci="HK")
    assert model(plain.estimates())["std_error"] == pytest.approx(SENSITIVITY["knha"]["se"], rel=1e-10)
    assert plain.notes()["message"].str.contains("factor kept at 1").any()


@pytest.mark.parametrize(
    ("variant", "df", "knapp"),
    [("HTS", 11, False), ("V", 12, False), ("HK", 12, True), ("HK-PR", 11, True), ("S", None, False)],
)
def test_prediction_intervals_by_name(variant, df, knapp):
    from scipy.stats import norm, t

    fit = pairwise.fit(table(), tau2="DL", ci="Wald", prediction=variant)
    row = model(fit.estimates())
    expected = METAFOR["bcg"]
    std_error = expected["knapp_hartung" if knapp else "models"]["DL"]["se"]
    quantile = norm.ppf(0.975) if df is None else t.ppf(0.975, df)
    half = quantile * np.sqrt(std_error**2 + expected["models"]["DL"]["tau2"])
    assert row["pi_upper"] - row["estimate"] == pytest.approx(half, rel=1e-9)
    assert fit.notes()["message"].str.startswith(f"Prediction interval {variant}:").any()


def test_the_default_prediction_goes_with_the_interval():
    chosen = {ci: pairwise.fit(table(), ci=ci).options.prediction for ci in ("HK", "HK-adhoc", "Wald", "CR2")}
    assert chosen == {"HK": "HK", "HK-adhoc": "HK", "Wald": "V", "CR2": "V"}
    assert pairwise.fit(table(), ci="Wald", prediction="metafor").options.prediction == "S"
    assert pairwise.fit(table(), prediction="metafor").options.prediction == "HK"


def test_intervals_of_heterogeneity():
    fit = pairwise.fit(table("normand1999"))
    for name in ("QP", "PL"):
        expected = METAFOR["normand1999"]["tau2_ci"][f"REML_{name}"]
        row = model(fit.heterogeneity(name))
        assert [row["tau2_lower"], row["tau2_upper"]] == pytest.approx(expected[0][1:], rel=1e-6)
        assert [row["tau_lower"], row["tau_upper"]] == pytest.approx(expected[1][1:], rel=1e-6)
        assert [100 * row["i2_lower"], 100 * row["i2_upper"]] == pytest.approx(expected[2][1:], rel=1e-6)
        assert [row["h2_lower"], row["h2_upper"]] == pytest.approx(expected[3][1:], rel=1e-6)


def test_weights_make_the_estimate():
    fit = pairwise.fit(table(), tau2="DL")
    weights = fit.weights()
    for which in ("common", "random"):
        part = weights[weights["model"] == which]
        assert part["weight"].sum() == pytest.approx(1, rel=1e-12)
        pooled = model(fit.estimates(), which)["estimate"]
        assert (part["weight"] * part["estimate"]).sum() == pytest.approx(pooled, rel=1e-12)
    expected = METAFOR["bcg"]["influence_reml"]["weight"]
    random = pairwise.fit(table()).weights().query("model == 'random'")["weight"]
    assert 100 * random.to_numpy() == pytest.approx(expected, rel=1e-6)


def test_leave_one_out():
    for name, entry in METAFOR.items():
        fit = pairwise.fit(table(name), tau2="DL", ci="Wald")
        frame = fit.leave_one_out().query("model == 'random'").set_index("study")
        expected = entry["leave1out_dl"]
        order = [str(study) for study in entry["study"]]
        if len(set(order)) < len(order):
            continue
        for ours, theirs in (
            ("estimate", "estimate"), ("std_error", "se"), ("ci_lower", "ci.lb"), ("ci_upper", "ci.ub"), ("q", "Q"),
        ):  # fmt: skip
            assert frame.loc[order, ours].to_numpy() == pytest.approx(expected[theirs], rel=1e-9)
        assert frame.loc[order, "tau"].to_numpy() ** 2 == pytest.approx(expected["tau2"], rel=1e-9, abs=1e-12)


def test_leaving_out_equals_fitting_without():
    frame = table()
    for options in (
        {"ci": "HK"},
        {"ci": "HK-adhoc", "tau2": "PM"},
        {"ci": "CR2"},
        {"tau2": 0.2, "ci": "Wald"},
    ):
        left_out = pairwise.fit(frame, **options).leave_one_out()
        for study in ("Aronson 1948", "TPT Madras 1980"):
            refit = pairwise.fit(frame[frame["study"] != study], **options).estimates()
            for which in ("common", "random"):
                row = left_out[(left_out["study"] == study) & (left_out["model"] == which)].iloc[0]
                for column in ("estimate", "std_error", "ci_lower", "ci_upper"):
                    assert row[column] == pytest.approx(model(refit, which)[column], rel=1e-9)


def test_cumulative_by_year():
    expected = METAFOR["bcg"]["cumul_dl_by_year"]
    fit = pairwise.fit(table(year=METAFOR["bcg"]["year"]), tau2="DL", ci="Wald")
    frame = fit.cumulative("year").query("model == 'random'").reset_index(drop=True)
    names = [METAFOR["bcg"]["study"][index - 1] for index in expected["order"]]
    # Studies of one year stand in another order in the reference, so only places where both hold the same set count.
    same = [set(names[: i + 1]) == set(frame["study"][: i + 1]) for i in range(len(names))]
    assert sum(same) >= 10
    for place, equal in enumerate(same):
        if equal and place:
            assert frame["estimate"][place] == pytest.approx(expected["estimate"][place], rel=1e-10)
            assert frame["std_error"][place] == pytest.approx(expected["se"][place], rel=1e-10)
    last = model(fit.estimates())
    assert frame["estimate"].iloc[-1] == pytest.approx(last["estimate"], rel=1e-12)
    precise = fit.cumulative("precision").query("model == 'common'")
    smallest = min(zip(METAFOR["bcg"]["vi"], METAFOR["bcg"]["study"], strict=True))[1]
    assert precise["study"].iloc[0] == smallest


@pytest.mark.parametrize(("which", "method"), [("dl", "DL"), ("ee", None)])
def test_influence_and_baujat(which, method):
    rows = EffectRows.of(SENSITIVITY["yi"], SENSITIVITY["vi"])
    found, expected = deletion.influence(rows, method), SENSITIVITY[which]
    for ours, theirs in (
        (found.rstudent, "rstudent"), (found.dffits, "dffits"), (found.cooks_distance, "cook"),
        (found.covariance_ratio, "covr"), (found.q_without, "QE"), (found.hat, "hat"), (found.dfbetas[:, 0], "dfbs"),
    ):  # fmt: skip
        assert ours == pytest.approx(expected[theirs], rel=1e-10)
    if method:
        assert found.tau2_without == pytest.approx(expected["tau2"], rel=1e-10)
    assert list(found.influential) == expected["infl"]
    contribution, moved = deletion.baujat(rows, method)
    baujat = SENSITIVITY[f"baujat_{which}"]
    assert contribution == pytest.approx([row["x"] for row in baujat], rel=1e-10)
    assert moved == pytest.approx([row["y"] for row in baujat], rel=1e-10)


def test_influence_in_meta_regression():
    entry = SENSITIVITY["mods"]
    X = np.column_stack([np.ones(13), SENSITIVITY["ablat"], SENSITIVITY["year"]])
    rows = EffectRows.of(SENSITIVITY["yi"], SENSITIVITY["vi"], X)
    found = deletion.influence(rows, "DL")
    for ours, theirs in (
        (found.rstudent, "rstudent"), (found.dffits, "dffits"), (found.cooks_distance, "cook"),
        (found.covariance_ratio, "covr"), (found.hat, "hat"),
    ):  # fmt: skip
        assert ours == pytest.approx(entry[theirs], rel=1e-7)
    for column, name in enumerate(("intrcpt", "ablat", "year")):
        assert found.dfbetas[:, column] == pytest.approx(entry["dfbs"][name], rel=1e-6)


def test_frames_of_sensitivity():
    fit = pairwise.fit(table(), tau2="DL", ci="Wald")
    influence = fit.influence()
    assert list(influence.columns) == list(results.COLUMNS["sensitivity"])
    study = METAFOR["bcg"]["study"][3]
    assert value(influence, "random", study, "rstudent") == pytest.approx(
        SENSITIVITY["dl"]["rstudent"][3], rel=1e-10
    )
    assert value(fit.baujat(), "common", study, "influence") == pytest.approx(
        SENSITIVITY["baujat_ee"][3]["y"], rel=1e-9
    )
    flags = fit.outliers()
    lower, upper = model(fit.estimates())[["ci_lower", "ci_upper"]]
    for name, y, v in zip(METAFOR["bcg"]["study"], METAFOR["bcg"]["yi"], METAFOR["bcg"]["vi"], strict=True):
        apart = y + 1.959964 * v**0.5 < lower or y - 1.959964 * v**0.5 > upper
        assert value(flags, "random", name, "interval") == float(apart)


def test_gosh_of_all_subsets():
    first = table().iloc[:6]
    found = pairwise.fit(first, tau2="DL", ci="Wald").gosh()
    assert found.complete
    expected = {
        tuple(include): row
        for include, row in zip(SENSITIVITY["gosh_incl"], SENSITIVITY["gosh"], strict=True)
    }
    order = np.argsort(METAFOR["bcg"]["study"][:6])
    assert len(found.estimate) == 2**6 - 6 - 1
    for place, member in enumerate(found.member):
        include = np.zeros(6, int)
        include[order] = member
        row = expected[tuple(include)]
        assert found.estimate[place] == pytest.approx(row["estimate"], rel=1e-9)
        assert found.tau2[place] == pytest.approx(row["tau2"], rel=1e-9, abs=1e-13)
        assert found.q[place] == pytest.approx(row["QE"], rel=1e-9)
        assert 100 * found.i2[place] == pytest.approx(row["I2"], rel=1e-9, abs=1e-11)
    assert set(found.frame()["k"]) == set(range(2, 7))
    assert list(found.by_study()["study"]) == list(found.studies)


def test_gosh_of_sampled_subsets_is_repeatable():
    fit = pairwise.fit(table())
    one, two, other = fit.gosh(subsets=500), fit.gosh(subsets=500), fit.gosh(subsets=500, seed=2)
    assert not one.complete
    assert (one.estimate == two.estimate).all()
    assert (one.estimate != other.estimate).any()
    whole = fit.gosh("common", subsets=3)
    for place, member in enumerate(whole.member):
        y, w = np.array(METAFOR["bcg"]["yi"]), 1 / np.array(METAFOR["bcg"]["vi"])
        held = np.isin(METAFOR["bcg"]["study"], np.array(whole.studies)[member])
        assert whole.estimate[place] == pytest.approx(np.average(y[held], weights=w[held]), rel=1e-12)


def test_subgroups():
    entry = METAFOR["bcg"]
    rr = entry["RR"]
    frame = pd.DataFrame(
        {
            "study": entry["study"],
            "yi": rr["yi"],
            "vi": rr["vi"],
            "alloc": entry["alloc"],
            "ablat": entry["ablat"],
        }
    )
    expected = rr["moderators"]["alloc"]
    fit = pairwise.fit(frame, by="alloc", tau2="DL", ci="Wald")
    estimates = fit.estimates().dropna(subset=["level"])
    for level, reference in expected["subgroups_separate_tau2_DL"].items():
        row = model(estimates[estimates["level"] == level])
        assert row["estimate"] == pytest.approx(reference["beta"], rel=1e-10)
        assert row["std_error"] == pytest.approx(reference["se"], rel=1e-10)
        spread = fit.heterogeneity()
        spread = model(spread[spread["level"] == level])
        assert spread["tau2"] == pytest.approx(reference["tau2"], rel=1e-10)
    for which, key in (("common", "EE"), ("random", "DL")):
        test = expected[f"Q_between_separate_tau2_{key}"]
        assert value(fit.subgroups(), which, "alloc", "q") == pytest.approx(test["Q"], rel=1e-10)
        assert value(fit.subgroups(), which, "alloc", "p_value") == pytest.approx(test["p"], rel=1e-9)
    one = pairwise.fit(frame, by="alloc", tau2="DL", ci="Wald", separate_tau2=False)
    common = expected["common_tau2_metareg_DL"]
    assert one.levels["random"].tau2 == pytest.approx(common["tau2"], rel=1e-9)
    assert value(one.subgroups(), "random", "alloc", "q") == pytest.approx(common["QM"], rel=1e-9)


def test_meta_regression():
    entry = SENSITIVITY["modshk"]
    frame = table(ablat=SENSITIVITY["ablat"], alloc=SENSITIVITY["alloc"], year=SENSITIVITY["year"])
    fit = pairwise.fit(frame, tau2="DL", ci="HK").meta_regression(
        "ablat", "alloc", reference_levels={"alloc": "alternate"}
    )
    coefficients = fit.coefficients()
    assert list(coefficients["term"]) == ["intercept", "ablat", "alloc: random", "alloc: systematic"]
    assert coefficients["estimate"].to_numpy() == pytest.approx(entry["beta"], rel=1e-8)
    assert coefficients["std_error"].to_numpy() == pytest.approx(entry["se"], rel=1e-8)
    assert coefficients["ci_lower"].to_numpy() == pytest.approx(entry["lb"], rel=1e-8)
    tests = fit.tests().set_index("term")
    assert tests.loc["all", "statistic"] == pytest.approx(entry["QM"], rel=1e-8)
    assert tests.loc["all", "p_value"] == pytest.approx(entry["QMp"], rel=1e-8)
    assert fit.tau2 == pytest.approx(entry["tau2"], rel=1e-8)
    assert 100 * fit.r2 == pytest.approx(entry["R2"], rel=1e-8)
    at = fit.predict(ablat=30, alloc="random")
    for ours, theirs in (
        ("estimate", "pred"), ("std_error", "se"), ("ci_lower", "lb"), ("ci_upper", "ub"), ("pi_lower", "pl"), ("pi_upper", "pu"),
    ):  # fmt: skip
        assert at[ours] == pytest.approx(entry["pi"][theirs], rel=1e-8)
    studies, line = fit.bubble("ablat")
    assert studies["weight"].sum() == pytest.approx(1)
    assert list(studies["x"]) == SENSITIVITY["ablat"]
    assert line["x"].iloc[[0, -1]].tolist() == [13, 55]
    assert set(fit.frame().columns) == set(results.COLUMNS["sensitivity"])
    wald = pairwise.fit(frame, tau2="DL", ci="Wald").meta_regression("ablat", "year")
    expected = SENSITIVITY["mods"]
    assert wald.coefficients()["estimate"].to_numpy() == pytest.approx(expected["beta"], rel=1e-6)
    assert wald.tests().set_index("term").loc["all", "p_value"] == pytest.approx(expected["QMp"], rel=1e-7)
    assert 100 * wald.r2 == pytest.approx(expected["R2"], rel=1e-8)


@pytest.mark.parametrize(
    ("options", "key"), [({"tau2": "DL", "ci": "Wald"}, "perm"), ({"tau2": "REML", "ci": "HK"}, "permhk")]
)
def test_exact_permutation_test(options, key):
    frame = table(ablat=SENSITIVITY["ablat"]).iloc[:6]
    found = pairwise.fit(frame, **options).meta_regression("ablat").permutation_test()
    assert bool(found["exact"].all())
    assert found["p_value"].iloc[0] == pytest.approx(SENSITIVITY[key]["p"][1], rel=1e-12)


def test_drawn_permutations():
    frame = table(ablat=SENSITIVITY["ablat"], noise=np.sin(np.arange(13) * 7.0))
    regression = pairwise.fit(frame).meta_regression("ablat", "noise")
    found = regression.permutation_test(2000, seed=3).set_index("term")["p_value"]
    assert found["ablat"] < 0.02
    assert found["noise"] > 0.05
    again = regression.permutation_test(2000, seed=3).set_index("term")["p_value"]
    assert (found == again).all()
    # No study is worth more digits than draws: the smallest p-value counts the order that was observed.
    assert found.min() >= 1 / 2001


def test_meta_regression_says_what_it_leaves_out():
    frame = table(ablat=[np.nan, *SENSITIVITY["ablat"][1:]])
    found = pairwise.fit(frame).meta_regression("ablat")
    assert list(found.left_out["study"]) == ["Aronson 1948"]
    assert found.left_out["reason"].iloc[0] == "the study has no value of ablat"
    assert found.rows.n == 12


def test_one_study_and_two():
    one = pairwise.fit(table().iloc[:1])
    assert model(one.estimates())["estimate"] == METAFOR["bcg"]["yi"][0]
    assert np.isnan(model(one.estimates())["ci_lower"])
    assert np.isnan(model(pairwise.fit(table().iloc[:1], ci="Wald", prediction="S").estimates())["pi_lower"])
    assert model(one.estimates(), "common")["estimate"] == METAFOR["bcg"]["yi"][0]
    assert one.notes()["message"].str.startswith("One effect").any()
    assert np.isnan(model(one.heterogeneity())["tau2"])
    two = pairwise.fit(table().iloc[:2], prediction="HTS")
    assert np.isnan(model(two.estimates())["pi_lower"])
    assert two.notes()["message"].str.contains("no prediction interval, which needs 3").any()
    left = two.leave_one_out().query("model == 'random'")
    assert sorted(left["estimate"]) == pytest.approx(sorted(METAFOR["bcg"]["yi"][:2]), rel=1e-14)
    assert left["tau"].isna().all()
    assert left["note"].notna().all()


@pytest.mark.parametrize("power", [-9, -3, 6])
def test_every_answer_scales_with_the_unit(power):
    scale = 10.0**power
    one = pairwise.fit(table(), ci="HK")
    other = pairwise.fit(
        table().assign(yi=lambda d: d["yi"] * scale, vi=lambda d: d["vi"] * scale**2), ci="HK"
    )
    for column in ("estimate", "std_error", "ci_lower", "ci_upper", "pi_lower", "pi_upper"):
        assert other.estimates()[column].to_numpy() / scale == pytest.approx(
            one.estimates()[column].to_numpy(), rel=1e-11, nan_ok=True
        )
    for column in ("q", "i2", "h2", "p_value", "i2_upper"):
        assert other.heterogeneity()[column].to_numpy() == pytest.approx(
            one.heterogeneity()[column].to_numpy(), rel=1e-9, nan_ok=True
        )
    for name in ("influence", "egger", "begg", "pet_peese"):
        ours, theirs = getattr(one, name)(), getattr(other, name)()
        free = ours["quantity"].isin(["rstudent", "dffits", "statistic", "p_value", "tau", "hat"])
        assert theirs[free]["value"].to_numpy() == pytest.approx(ours[free]["value"].to_numpy(), rel=1e-7)


def test_order_of_rows_does_not_matter():
    one = pairwise.fit(table())
    other = pairwise.fit(table().iloc[::-1].reset_index(drop=True))
    assert other.estimates()["estimate"].to_numpy() == pytest.approx(
        one.estimates()["estimate"].to_numpy(), rel=1e-13
    )


def test_extreme_numbers_stay_right():
    for factor in (1e-100, 1e100):
        frame = table()
        frame["yi"], frame["vi"] = frame["yi"] * factor, frame["vi"] * factor**2
        row = model(pairwise.fit(frame, tau2="DL", ci="Wald").estimates())
        assert row["estimate"] / factor == pytest.approx(METAFOR["bcg"]["models"]["DL"]["beta"], rel=1e-10)
        assert row["std_error"] / factor == pytest.approx(METAFOR["bcg"]["models"]["DL"]["se"], rel=1e-10)


def test_a_given_tau2():
    row = model(pairwise.fit(table(), tau2=0.25, ci="Wald").estimates())
    y, v = np.array(METAFOR["bcg"]["yi"]), np.array(METAFOR["bcg"]["vi"])
    assert row["estimate"] == pytest.approx(np.average(y, weights=1 / (v + 0.25)), rel=1e-12)
    assert pairwise.fit(table(), tau2=0.25).heterogeneity()["method"].iloc[1] == "given"


def test_subgroups_with_one_tau2_have_its_interval():
    frame = (
        table(alloc=SENSITIVITY["alloc"])
        if "alloc" in SENSITIVITY
        else table(alloc=["a", "b", "c"] * 4 + ["a"])
    )
    fit = pairwise.fit(frame, by="alloc", separate_tau2=False, ci="Wald")
    levels = fit.heterogeneity().query("model == 'random'").dropna(subset=["level"])
    regression = pairwise.fit(frame, ci="Wald").meta_regression("alloc").heterogeneity()
    for column in ("tau2", "tau2_lower", "tau2_upper"):
        assert levels[column].to_numpy() == pytest.approx(np.full(3, regression[column]), rel=1e-9)
    assert (levels["method"] == "REML, one for all subgroups").all()
    assert (levels["h2_lower"] < levels["h2"]).all()


def test_studies_in_no_subgroup_are_named():
    fit = pairwise.fit(table(alloc=[None, *["a", "b"] * 6]), by="alloc")
    gone = fit.exclusions()
    assert list(gone["study"]) == ["Aronson 1948"]
    assert (gone["stage"].iloc[0], gone["reason"].iloc[0]) == ("subgroup", "the study has no value of alloc")


def test_additive_egger_takes_a_tau2_that_was_given():
    frame = table()
    tau2 = pairwise.fit(frame, tau2="DL").tau2
    found = pairwise.fit(frame, tau2=tau2, ci="Wald").egger("additive")
    # By hand: weighted least squares on the standard error, weights 1 / (v + tau2).
    v = frame["vi"].to_numpy()
    x = np.column_stack([np.ones(len(v)), np.sqrt(v)])
    w = 1 / (v + tau2)
    covariance = np.linalg.inv(x.T @ (w[:, None] * x))
    slope = (covariance @ (x.T @ (w * frame["yi"].to_numpy())))[1]
    assert value(found, "random", "bias", "estimate") == pytest.approx(slope, rel=1e-9)
    assert value(found, "random", "bias", "std_error") == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-9)


def test_meta_regression_takes_the_prediction_interval_asked_for():
    frame = table(ablat=SENSITIVITY["ablat"])
    there = {
        variant: pairwise.fit(frame, ci="Wald", prediction=variant).meta_regression("ablat").predict(ablat=30)
        for variant in ("V", "S")
    }
    assert there["S"]["pi_upper"] < there["V"]["pi_upper"]


def test_interval_of_tau2_as_asked():
    frame = table()
    asked = pairwise.fit(frame, tau2_interval="pl").heterogeneity()
    assert asked.equals(pairwise.fit(frame).heterogeneity("PL"))
    with pytest.raises(CallError, match="There are: QP, PL"):
        pairwise.fit(frame, tau2_interval="Wald")
