"""Words that hold: what is said of an interval, a tau, a subgroup, a p-value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise, sensitivity
from analysis.verdict import concluding, from_adhoc, may_be_said
from evidence.errors import RefusedError
from evidence.output import p_value, percent


def table(estimate, std_error, **more):
    return pd.DataFrame(
        {"study": [f"s{i}" for i in range(len(estimate))], "yi": estimate, "sei": std_error} | more
    )


def random(frame):
    return frame[(frame["model"] == "random") & frame["level"].isna()].iloc[0]


def warnings(fit):
    notes = fit.notes()
    return list(notes[notes["severity"] == "warning"]["message"])


@pytest.mark.parametrize("second", [2.0, 2.0 + 4e-16, 5.1 - 3.1, 2.0 - 1e-12])
def test_effects_that_agree_have_the_ad_hoc_interval_whatever_the_rounding(second):
    fit = pairwise.fit(table([2.0, second], [np.sqrt(0.2), np.sqrt(0.2)]))
    row = random(fit.estimates())
    # Two effects of variance 0.2: standard error sqrt(0.1), t on one degree of freedom 12.706.
    assert [row["ci_lower"], row["ci_upper"]] == pytest.approx(
        [2 - 12.7062047 * np.sqrt(0.1), 2 + 12.7062047 * np.sqrt(0.1)], rel=1e-8
    )
    assert row["p_value"] == pytest.approx(2 * (0.5 - np.arctan(2 / np.sqrt(0.1)) / np.pi), rel=1e-8)
    assert not may_be_said(row)
    assert any("no width" in message for message in warnings(fit))
    assert np.isnan(row["pi_lower"])
    left_out = fit.leave_one_out()
    assert left_out["estimate"].notna().all()


def test_a_factor_below_one_with_few_effects_gives_no_verdict_where_the_wider_interval_includes_no_effect():
    data = table([0.50, 0.55, 0.48], [0.3, 0.35, 0.4])
    fit = pairwise.fit(data)
    row, wider = random(fit.estimates()), random(pairwise.fit(data, ci="HK-adhoc").estimates())
    assert row["ci_upper"] - row["ci_lower"] < wider["ci_upper"] - wider["ci_lower"]
    assert [row["adhoc_lower"], row["adhoc_upper"]] == pytest.approx([wider["ci_lower"], wider["ci_upper"]])
    assert not may_be_said(row)
    assert may_be_said(wider)
    assert any("No verdict" in message and "disagree" in message for message in warnings(fit))
    # The common effect alone excludes 0: 0.51 +- 1.96 * 0.2; with t on 2 degrees of freedom 0.51 +- 0.86.
    assert wider["ci_lower"] < 0 < fit.estimates().query("model == 'common'")["ci_lower"].iloc[0]
    many = pairwise.fit(table([0.5, 0.52] * 6, [0.2, 0.3] * 6))
    assert may_be_said(random(many.estimates()))
    assert np.isnan(random(many.estimates())["adhoc_lower"])


@pytest.mark.parametrize("by", [None, "all"])
def test_the_verdict_is_of_the_ad_hoc_interval_where_the_common_effect_agrees_with_it(by):
    data = table([0.50, 0.55, 0.48, 0.52], [0.2, 0.25, 0.3, 0.2], all=["a"] * 4)
    fit = pairwise.fit(data, by=by)
    rows = fit.estimates().query("model == 'random'")
    wider = random(pairwise.fit(data, ci="HK-adhoc").estimates())
    for row in rows.to_dict("records"):
        assert from_adhoc(row)
        assert concluding(row) == pytest.approx((wider["ci_lower"], wider["ci_upper"]))
        # By hand: inverse variances 25, 16, 11.1, 25 (tau2 is 0), t on 3 degrees of freedom 3.1824.
        assert row["adhoc_lower"] == pytest.approx(0.513977 - 3.182446 / np.sqrt(77.1111), abs=1e-4)
    said = [message for message in warnings(fit) if "kept at 1 (HK-adhoc)" in message]
    assert len(said) == len(rows)
    assert not any("No verdict" in message for message in warnings(fit))


def test_intervals_that_both_include_no_effect_say_so():
    fit = pairwise.fit(table([0.10, 0.12, 0.09], [0.3, 0.35, 0.4]))
    row = random(fit.estimates())
    # Hartung and Knapp's own, narrowed by chance, excludes 0; the common effect does not.
    assert row["ci_lower"] > 0
    lower, upper = concluding(row)
    assert lower < 0 < upper


def test_a_factor_that_is_one_is_not_said_to_be_below_it():
    for data, tau2 in (
        (table([0.0, 1.0, 3.0], [0.3, 0.3, 0.3]), "REML"),
        (table([0.0, 1.0, 3.0], [0.3, 0.5, 0.4]), "PM"),
    ):
        fit = pairwise.fit(data, tau2=tau2)
        assert not fit.notes()["message"].str.contains("factor").any()
        assert may_be_said(random(fit.estimates()))


def test_each_subgroup_has_its_own_note_and_ad_hoc_interval():
    data = table([np.log(0.5), np.log(0.5), -0.4, -0.14], [0.35, 0.29, 0.39, 0.27], setting=list("aabb"))
    fit = pairwise.fit(data, by="setting")
    rows = fit.estimates().query("model == 'random'").set_index("level")
    assert isinstance(rows.loc["a", "no_verdict"], str)
    assert np.isfinite(rows.loc["a", "adhoc_lower"])
    assert rows.loc["a", "ci_upper"] > rows.loc["a", "ci_lower"] + 0.1
    assert any(message.startswith("setting = a: No verdict") for message in warnings(fit))


def test_two_effects_have_no_prediction_interval_of_any_kind():
    for ci in ("HK", "HK-adhoc", "Wald"):
        for prediction in ("HTS", "V", "S"):
            row = random(
                pairwise.fit(table([0.1, 1.4], [0.3, 0.4]), ci=ci, prediction=prediction).estimates()
            )
            assert np.isnan(row["pi_lower"])
            assert np.isfinite(row["ci_lower"])
    assert np.isfinite(random(pairwise.fit(table([0.1, 1.4, 0.3], [0.3, 0.4, 0.3])).estimates())["pi_lower"])


def test_a_tau_outside_its_interval_is_said_with_the_estimate_that_belongs_to_it():
    rng = np.random.default_rng(3)
    std_error = np.r_[np.full(4, 0.01), np.full(12, 2.0)]
    data = table(np.r_[[0, 0.02, 0.01, -0.01], rng.normal(0, 30, 12)], std_error)
    fit = pairwise.fit(data, tau2="DL")
    spread = fit.heterogeneity().query("model == 'random'").iloc[0]
    assert spread["interval_method"] == "Q-profile"
    assert not spread["tau_lower"] <= spread["tau"] <= spread["tau_upper"]
    assert any("two methods" in message and "Paule-Mandel" in message for message in warnings(fit))
    inside = pairwise.fit(data, tau2="PM")
    assert not any("two methods" in message for message in warnings(inside))


def test_h2_is_never_below_one():
    fit = pairwise.fit(table([0.5, 0.51, 0.52], [0.2, 0.3, 0.3]))
    assert (fit.heterogeneity()["h2"] >= 1).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.04966, "0.0497"), (0.0499999, "0.0499999"), (0.0504, "0.0504"), (0.05, "0.050"), (0.0123, "0.012"), (1e-9, "< 0.001"),
        (0.0, "< 0.001"), (0.3, "0.30"), (None, ""),
    ],
)  # fmt: skip
def test_a_p_value_is_never_printed_as_0_nor_rounded_over_the_border(value, text):
    assert p_value(value) == text


def test_nearly_all_is_not_printed_as_all():
    assert [percent(x) for x in (0.9998, 1.0, 0.0, 1e-5, 0.9994)] == [
        "> 99.9 %",
        "100.0 %",
        "0.0 %",
        "< 0.1 %",
        "99.9 %",
    ]


def test_a_subgroup_of_one_study_is_tested_with_one_tau2_for_all():
    data = table([1.0, 0.2, 0.9, 0.1, 2.5], [0.1, 0.12, 0.1, 0.15, 0.2], by=list("aaaab"))
    test = pairwise.fit(data, by="by").subgroups().query("model == 'random'")
    shared = pairwise.fit(data, by="by", separate_tau2=False).subgroups().query("model == 'random'")
    assert test["value"].to_numpy() == pytest.approx(shared["value"].to_numpy())
    assert "one study alone shows none (b)" in test["note"].iloc[0]
    notes = pairwise.fit(data, by="by").notes()["message"]
    assert notes.str.startswith("by = b: One effect").any()


@pytest.mark.parametrize(
    ("ci", "lower", "upper", "factor"),
    [
        ("Wald", (0.103174451777953, 1.536814701913309), (1.013260574525376, 3.463185298086690), 1),
        ("HK", (-0.181479047687687, 0.934291360701295), (1.297914073991016, 4.065708639298704), 1.00225),
    ],
)
def test_a_subgroup_of_one_study_has_an_interval_under_one_tau2_for_all(ci, lower, upper, factor):
    """metafor 3.8.1, REML stopped at 1e-14: rma(yi, vi, mods = ~ by - 1, test = "z" and "knha")."""
    data = table([1.0, 0.2, 0.9, 0.1, 2.5], [0.1, 0.12, 0.1, 0.15, 0.2], by=list("aaaab"))
    fit = pairwise.fit(data, by="by", ci=ci, separate_tau2=False)
    rows = fit.estimates().query("model == 'random'").dropna(subset=["level"])
    assert rows["estimate"].to_numpy() == pytest.approx([0.558217513151665, 2.5], rel=1e-8)
    assert rows["ci_lower"].to_numpy() == pytest.approx(lower, rel=1e-7)
    assert rows["ci_upper"].to_numpy() == pytest.approx(upper, rel=1e-7)
    error = np.array([0.232169093393059, 0.491430100595814]) * np.sqrt(factor)
    assert rows["std_error"].to_numpy() == pytest.approx(error, rel=1e-5)
    spread = fit.heterogeneity().query("model == 'random'").dropna(subset=["level"])
    assert spread["tau2"].to_numpy() == pytest.approx(0.201503543771612, rel=1e-8)
    # Q between subgroups: metafor's QM of mods = ~ by, without Hartung and Knapp's factor.
    between = fit.subgroups().query("model == 'random' and quantity == 'q'")["value"].iloc[0]
    assert between == pytest.approx(12.7638532109539, rel=1e-7)
    assert not any("cannot be estimated" in message or "lies outside" in message for message in warnings(fit))
    # A prediction interval still needs three effects of its own, whatever tau2 is.
    assert rows["pi_lower"].isna().tolist() == [False, True]


def test_an_r2_that_is_not_to_be_trusted_is_said():
    x = np.arange(12.0)
    noise = np.array([0.3, -0.4, 0.5, -0.2, 0.1, -0.6, 0.4, 0.2, -0.3, 0.6, -0.5, 0.1])

    def cautions(effects, x):
        data = table(effects, np.full(len(effects), 0.1), x=x)
        return dict(reversed(one) for one in pairwise.fit(data).meta_regression("x").cautions())

    few = cautions(x[:6] * 0.5 + noise[:6], x[:6])
    assert any("R2 of 6 effects" in said for said in few)
    assert any("6 effects on 1 coefficient" in said for said in few)
    assert set(few.values()) == {"warning"}
    assert not cautions(x * 0.5 + noise, x)
    cut = cautions(noise, np.cos(x * 40))
    assert any("R2 is cut off at 0" in said for said in cut)
    none = cautions(np.full(12, 0.5) + 1e-3 * noise, x)
    assert any("There is no R2" in said for said in none)


def test_cm_al_is_refused_where_events_are_common():
    counts = {"events_a": [120.0, 118, 125], "n_a": 200.0, "events_b": [66.0, 70, 64], "n_b": 200.0}
    data = table([1.0, 1.1, 1.2], [0.2, 0.2, 0.2], **counts)
    with pytest.raises(RefusedError, match="rare events"):
        pairwise.fit(data, measure="OR", method="CM.AL")
    rare = data.assign(events_a=[5.0, 6, 7], events_b=[10.0, 9, 8])
    assert np.isfinite(pairwise.fit(rare, measure="OR", method="CM.AL").estimates()["estimate"]).all()


def test_prediction_intervals_of_a_table_of_estimators_belong_to_their_interval():
    data = table([0.2, 1.0, -0.3, 0.8, 0.5], [0.2, 0.25, 0.3, 0.2, 0.2])
    found = sensitivity.estimators(data).query("case == 'DL, Wald'").iloc[0]
    expected = random(pairwise.fit(data, tau2="DL", ci="Wald").estimates())
    assert [found["pi_lower"], found["pi_upper"]] == pytest.approx(
        [expected["pi_lower"], expected["pi_upper"]]
    )
