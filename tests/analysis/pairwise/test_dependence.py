"""Shared controls, several effects of one study: exact covariance, splitting, three levels, cluster-robust intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import pairwise
from analysis.pairwise.model import dependence
from analysis.pairwise.model import tau2 as between_studies
from analysis.pairwise.model.rows import EffectRows, rotate
from evidence.errors import CallError, RefusedError

REFERENCE = json.loads(
    (Path(__file__).parents[2] / "oracles" / "pairwise_dependence.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def schools():
    data = REFERENCE["konstantopoulos2011"]
    return pd.DataFrame({"study": data["district"], "yi": data["yi"], "vi": data["vi"], "year": data["year"]})


@pytest.fixture(scope="module")
def shared():
    """Contrasts of which some share a control, and their covariance as a frame."""
    data = REFERENCE["shared"]
    frame = pd.DataFrame({"study": data["study"], "yi": data["yi"], "vi": data["vi"]})
    frame["contrast_id"] = [f"c{i}" for i in range(len(frame))]
    frame["arm_a"] = [f"dose {i}" for i in range(len(frame))]
    frame["arm_b"] = "control"
    pairs = pd.DataFrame(
        [(f"c{i}", f"c{j}", "control", value) for i, j, value in data["pairs"]],
        columns=["contrast_1", "contrast_2", "arm_shared", "covariance"],
    )
    return frame, pairs


def random(frame):
    return frame[frame["model"] == "random"].iloc[0]


def test_three_levels_equal_metafor(schools):
    expected = REFERENCE["m"]
    fit = pairwise.fit(schools, method="multilevel", ci="Wald")
    row = random(fit.estimates())
    assert row["estimate"] == pytest.approx(expected["b"], rel=1e-6)
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-6)
    assert [fit.pooling.levels.between, fit.pooling.levels.within] == pytest.approx(expected["s2"], rel=1e-6)
    assert fit.pooling.levels.solution.restricted_log_likelihood >= expected["ll"] - 1e-12
    assert fit.pooling.levels.solution.restricted_log_likelihood == pytest.approx(expected["ll"], rel=1e-10)
    weights = fit.weights().query("model == 'random'")
    assert (weights["weight"] * weights["estimate"]).sum() == pytest.approx(row["estimate"], rel=1e-12)
    spread = fit.heterogeneity().query("model == 'random'")
    assert list(spread["method"]) == ["REML, between studies", "REML, within studies"]
    assert spread["tau2"].to_numpy() == pytest.approx(expected["s2"], rel=1e-6)


def test_three_levels_with_t_on_the_number_of_studies(schools):
    expected = REFERENCE["m2"]
    row = random(pairwise.fit(schools, method="multilevel", ci="HK").estimates())
    assert [row["ci_lower"], row["ci_upper"]] == pytest.approx([expected["lb"], expected["ub"]], rel=1e-5)


@pytest.mark.parametrize(("method", "key"), [("inverse_variance", "r"), ("multilevel", "r2")])
def test_cluster_robust_equals_clubsandwich(schools, method, key):
    expected = REFERENCE[key]
    fit = pairwise.fit(schools, method=method, ci="CR2")
    row = random(fit.estimates())
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-6)
    assert fit.pooled[1].effect.df[0] == pytest.approx(expected["dfs"], rel=1e-6)
    assert [row["ci_lower"], row["ci_upper"]] == pytest.approx([expected["lb"], expected["ub"]], rel=1e-5)


def test_regression_in_three_levels(schools):
    expected = REFERENCE["r3"]
    X = np.column_stack([np.ones(len(schools)), schools["year"] - 1990])
    rows = EffectRows.of(schools["yi"], schools["vi"], X, np.unique(schools["study"], return_inverse=True)[1])
    found = dependence.multilevel(rows, "CR2")
    assert found.coefficients.estimate == pytest.approx(expected["b"], rel=1e-5)
    assert found.coefficients.std_error == pytest.approx(expected["se"], rel=1e-5)
    assert found.coefficients.df == pytest.approx(expected["dfs"], rel=1e-5)


def test_exact_covariance_equals_metafor(shared):
    frame, pairs = shared
    expected = REFERENCE["ms"]
    fit = pairwise.fit(frame, covariance=pairs, ci="Wald", dependence="independent")
    row = random(fit.estimates())
    assert fit.tau2 == pytest.approx(expected["tau2"], rel=1e-6)
    assert row["estimate"] == pytest.approx(expected["b"], rel=1e-6)
    assert row["std_error"] == pytest.approx(expected["se"], rel=1e-6)
    weights = fit.weights()
    for which in ("common", "random"):
        part = weights[weights["model"] == which]
        estimate = fit.estimates().query("model == @which")["estimate"].iloc[0]
        assert (part["weight"] * part["estimate"]).sum() == pytest.approx(estimate, rel=1e-12)
    robust = pairwise.fit(frame, covariance=pairs, ci="CR2")
    assert random(robust.estimates())["std_error"] == pytest.approx(REFERENCE["rs"]["se"], rel=1e-6)
    assert robust.pooled[1].effect.df[0] == pytest.approx(REFERENCE["rs"]["dfs"], rel=1e-6)
    assert fit.notes()["message"].str.contains("share an arm").any()


def test_common_effect_with_covariance_by_hand(shared):
    frame, pairs = shared
    V = np.diag(frame["vi"].to_numpy())
    for i, j, value in REFERENCE["shared"]["pairs"]:
        V[i, j] = V[j, i] = value
    inverse = np.linalg.inv(V)
    row = pairwise.fit(frame, covariance=pairs).estimates().iloc[0]
    assert row["estimate"] == pytest.approx(inverse.sum(0) @ frame["yi"] / inverse.sum(), rel=1e-12)
    assert row["std_error"] == pytest.approx(inverse.sum() ** -0.5, rel=1e-12)


def test_turning_a_contrast_round_changes_nothing(shared):
    frame, pairs = shared
    turned = frame.assign(treatment_a="drug", treatment_b="control").copy()
    turned.loc[3, ["treatment_a", "treatment_b", "arm_a", "arm_b"]] = ["control", "drug", "control", "dose 3"]
    turned.loc[3, "yi"] *= -1
    signs = pairs.assign(
        covariance=[
            -value if "c3" in (one, two) else value
            for one, two, value in zip(
                pairs["contrast_1"], pairs["contrast_2"], pairs["covariance"], strict=True
            )
        ]
    )
    one = pairwise.fit(frame, covariance=pairs).estimates()
    other = pairwise.fit(turned, covariance=signs, treatment="drug", versus="control").estimates()
    assert other["estimate"].to_numpy() == pytest.approx(one["estimate"].to_numpy(), rel=1e-12)
    assert other["std_error"].to_numpy() == pytest.approx(one["std_error"].to_numpy(), rel=1e-12)


def test_leaving_out_a_study_takes_all_its_contrasts(shared):
    frame, pairs = shared
    left_out = pairwise.fit(frame, covariance=pairs, ci="HK").leave_one_out()
    rest = frame["study"] != 3
    kept = pairs[pairs["contrast_1"].isin(frame.loc[rest, "contrast_id"])]
    refit = pairwise.fit(frame[rest], covariance=kept, ci="HK").estimates()
    rows = left_out[left_out["study"] == "3"]
    assert rows["estimate"].to_numpy() == pytest.approx(refit["estimate"].to_numpy(), rel=1e-10)
    assert rows["ci_upper"].to_numpy() == pytest.approx(refit["ci_upper"].to_numpy(), rel=1e-9)


def test_splitting_divides_the_control(shared):
    frame, pairs = shared
    fit = pairwise.fit(frame, covariance=pairs, shared="split")
    expected = frame["vi"].to_numpy().copy()
    expected[[0, 1]] += 0.05  # the control's variance counts twice
    expected[[3, 4, 5]] += 2 * 0.07  # and three times
    assert fit.assembly.variance == pytest.approx(expected, rel=1e-12)
    assert not fit.rows.rotation
    assert fit.notes().query("severity == 'warning'")["message"].str.contains("are divided among").any()


def test_splitting_for_standardised_differences():
    frame = pd.DataFrame(
        {"study": ["a", "a", "b"], "yi": [0.5, 0.8, 0.3], "vi": [0.3, 0.31, 0.2], "contrast_id": ["1", "2", "3"],
         "arm_a": ["low", "high", "x"], "arm_b": ["c", "c", "c"], "n_a": [10, 12, 20], "n_b": [14, 14, 20]}
    )  # fmt: skip
    pairs = pd.DataFrame(
        {"contrast_1": ["1"], "contrast_2": ["2"], "arm_shared": ["c"], "covariance": [0.08]}
    )
    fit = pairwise.fit(frame, measure="SMD", covariance=pairs, shared="split")
    expected = [1 / 10 + 1 / 7 + 0.25 / (2 * 17), 1 / 12 + 1 / 7 + 0.64 / (2 * 19), 0.2]
    assert fit.assembly.variance == pytest.approx(expected, rel=1e-12)


def test_ignoring_is_said(shared):
    frame, pairs = shared
    fit = pairwise.fit(frame, covariance=pairs, shared="ignore")
    assert fit.notes().query("severity == 'warning'")["message"].str.contains("as if independent").any()
    plain = pairwise.fit(frame).estimates()
    assert fit.estimates()["estimate"].to_numpy() == pytest.approx(plain["estimate"].to_numpy(), rel=1e-12)


def test_contrasts_that_follow_from_others_do_not_count_twice():
    # Two doses, two controls: the fourth contrast is the other three's sum.
    rng = np.random.default_rng(5)
    arms = {
        name: (mean, 0.2) for name, mean in zip(("t1", "t2", "c1", "c2"), rng.normal(size=4), strict=True)
    }
    rows, pairs = [], []
    for t in ("t1", "t2"):
        for c in ("c1", "c2"):
            y = arms[t][0] - arms[c][0]
            rows.append({"study": "a", "contrast_id": t + c, "arm_a": t, "arm_b": c, "yi": y, "vi": 0.4})
    for one in rows:
        for two in rows:
            if one["contrast_id"] < two["contrast_id"] and {one["arm_a"], one["arm_b"]} & {
                two["arm_a"],
                two["arm_b"],
            }:
                pairs.append((one["contrast_id"], two["contrast_id"], "x", 0.2))
    rows.append({"study": "b", "contrast_id": "other", "arm_a": "t", "arm_b": "c", "yi": 0.3, "vi": 0.5})
    frame = pd.DataFrame(rows)
    covariance = pd.DataFrame(pairs, columns=["contrast_1", "contrast_2", "arm_shared", "covariance"])
    fit = pairwise.fit(frame, covariance=covariance, dependence="independent")
    assert fit.rows.n == 4
    assert (fit.exclusions()["stage"] == "shared_arms").sum() == 1
    # The same from any three of the four, by generalised least squares on the arms.
    means = np.array([arms[name][0] for name in ("t1", "t2", "c1", "c2")])
    within = means[:2].mean() - means[2:].mean()
    expected = np.average([within, 0.3], weights=[1 / 0.2, 1 / 0.5])
    assert fit.estimates()["estimate"].iloc[0] == pytest.approx(expected, rel=1e-10)


def test_multilevel_needs_studies_with_several_effects(shared):
    frame, _ = shared
    with pytest.raises(RefusedError, match="Every study gives one effect"):
        pairwise.fit(frame.drop_duplicates("study"), method="multilevel")


def test_counts_refuse_shared_arms(shared):
    frame, pairs = shared
    frame = frame.assign(events_a=3.0, n_a=10.0, events_b=5.0, n_b=12.0)
    with pytest.raises(RefusedError, match="share arms"):
        pairwise.fit(frame, measure="OR", method="MH", covariance=pairs, dependence="independent")
    split = pairwise.fit(frame, measure="OR", method="MH", covariance=pairs, shared="split")
    assert split.estimates()["engine"].iloc[0] == "MH"


def test_likelihood_over_both_variances_is_nowhere_higher(schools):
    _, study = np.unique(schools["study"], return_inverse=True)
    rows = EffectRows.of(schools["yi"], schools["vi"], study=study)
    found = dependence.multilevel(rows)

    def height(between, within):
        block = np.diag(schools["vi"] + within) + between * (study[:, None] == study[None, :])
        inverse = np.linalg.inv(block)
        mu = inverse.sum(0) @ schools["yi"] / inverse.sum()
        r = schools["yi"] - mu
        return -0.5 * (np.linalg.slogdet(block)[1] + np.log(inverse.sum()) + r @ inverse @ r)

    best = height(found.between, found.within)
    for between in np.linspace(0, 0.3, 16):
        for within in np.linspace(0, 0.3, 16):
            assert best >= height(between, within) - 1e-10


def test_rotation_of_one_is_the_plain_row():
    rows = rotate(np.array([1.0]), np.array([0.5]), np.ones((1, 1)), np.array([0]), [])
    assert rows.v[0] == 0.5
    assert np.isnan(between_studies.estimate(rows, "REML"))


@pytest.fixture(scope="module")
def moderated(schools):
    return schools.assign(size=REFERENCE["regression"]["size"])


@pytest.mark.parametrize(
    ("method", "key", "rel"), [("inverse_variance", "rma", 1e-8), ("multilevel", "mv", 1e-6)]
)
def test_robust_meta_regression_equals_clubsandwich(moderated, method, key, rel):
    expected = REFERENCE["regression"][key]
    found = pairwise.fit(moderated, method=method, ci="CR2").meta_regression(
        "year", "size", reference_levels={"size": "a"}
    )
    coefficients, tests = found.coefficients(), found.tests().set_index("term")
    for ours, theirs in (("estimate", "b"), ("std_error", "se"), ("df", "df"), ("p_value", "p")):
        assert coefficients[ours].to_numpy() == pytest.approx(expected[theirs], rel=rel)
    for term in ("size", "all"):
        row, theirs = tests.loc[term], expected[term]
        numbers = [theirs[name] for name in ("F", "df1", "df2", "p")]
        assert row[["statistic", "df1", "df2", "p_value"]].to_list() == pytest.approx(numbers, rel=rel)
    # One coefficient: the same test as its t test.
    year = coefficients.set_index("term").loc["year"]
    assert tests.loc["year", "statistic"] == pytest.approx(year["statistic"] ** 2, rel=1e-8)
    assert tests.loc["year", "p_value"] == pytest.approx(year["p_value"], rel=1e-8)


def test_meta_regression_in_three_levels(moderated):
    expected = REFERENCE["regression"]["mvt"]
    found = pairwise.fit(moderated, method="multilevel").meta_regression(
        "year", "size", reference_levels={"size": "a"}
    )
    coefficients = found.coefficients()
    assert coefficients["estimate"].to_numpy() == pytest.approx(expected["b"], rel=1e-5)
    assert coefficients["std_error"].to_numpy() == pytest.approx(expected["se"], rel=1e-6)
    # The largest number that all coefficients have: metafor's containment gives 7 to those between studies.
    assert (coefficients["df"] == 11 - 4).all()
    assert found.solution.restricted_log_likelihood >= expected["ll"] - 1e-10
    rest = found.heterogeneity()
    assert [rest["tau2_between"], rest["tau2_within"]] == pytest.approx(expected["sigma2"], rel=3e-4)
    assert rest["tau2"] == rest["tau2_between"] + rest["tau2_within"]
    there, theirs = found.predict(year=1980, size="b"), expected["pred"]
    for ours, name in (
        ("estimate", "pred"),
        ("std_error", "se"),
        ("ci_lower", "ci.lb"),
        ("pi_upper", "pi.ub"),
    ):
        assert there[ours] == pytest.approx(theirs[name], rel=2e-6)
    with pytest.raises(RefusedError, match="permutation test does not apply"):
        found.permutation_test()


def test_robust_errors_need_more_than_one_study(schools):
    """A category that one study alone has: nothing shows how its effect would vary between studies."""
    own = (schools["study"] == 11).map({True: "only here", False: "elsewhere"})
    found = pairwise.fit(schools.assign(own=own), ci="CR2").meta_regression("own")
    row = found.coefficients().set_index("term").loc["own: only here"]
    assert np.isfinite(row["estimate"])
    assert row[["std_error", "ci_lower", "p_value", "df"]].isna().all()
    assert np.isnan(found.tests().set_index("term").loc["own", "p_value"])
    few = pairwise.fit(schools[schools["study"].isin([11, 12, 18])], ci="CR2")
    assert few.notes()["message"].str.contains("degrees of freedom, fewer than 4").any()


def test_prediction_intervals_of_three_levels(schools):
    fit = pairwise.fit(schools, method="multilevel")
    assert fit.options.prediction == "V"
    row, levels = random(fit.estimates()), fit.pooling.levels
    spread = np.sqrt(levels.between + levels.within + row["std_error"] ** 2)
    for variant, quantile in (
        ("V", 2.2281388519649385),
        ("HTS", 2.2621571627982049),
        ("S", 1.959963984540054),
    ):
        row = random(pairwise.fit(schools, method="multilevel", prediction=variant).estimates())
        assert row["pi_upper"] == pytest.approx(row["estimate"] + quantile * spread, rel=1e-9)
    with pytest.raises(CallError, match="choose V, HTS or S"):
        pairwise.fit(schools, method="multilevel", prediction="HK")


@pytest.mark.parametrize("options", [{"method": "multilevel"}, {"ci": "CR2"}])
def test_cumulative_equals_fitting_some(schools, options):
    rows = pairwise.fit(schools, **options).cumulative("precision")
    last = rows[rows["model"] == "random"].iloc[[-1]].squeeze()
    whole = random(pairwise.fit(schools, **options).estimates())
    assert last["estimate"] == pytest.approx(whole["estimate"], rel=1e-12)
    names = rows.loc[rows["model"] == "random", "study"].head(5)
    some = schools[schools["study"].astype(str).isin(names)]
    fifth = rows[rows["model"] == "random"].iloc[4]
    refit = random(pairwise.fit(some, **options).estimates())
    for column in ("estimate", "std_error", "ci_upper"):
        assert fifth[column] == pytest.approx(refit[column], rel=1e-9)


def test_sensitivity_says_where_it_takes_another_method(schools):
    notes = pairwise.fit(schools, method="multilevel").influence().groupby("model")["note"].first()
    assert notes["random"] == "by inverse variance, not multilevel"
    assert notes.isna()["common"]


@pytest.mark.parametrize("handling", ["covariance", "split", "ignore"])
def test_bayes_takes_shared_arms_as_the_fit_does(shared, handling):
    """With a flat prior the common effect is that of inverse variance."""
    frame, pairs = shared
    fit = pairwise.fit(frame, covariance=pairs, shared=handling)
    bayes = fit.bayes(effect_prior_sd=1e4).estimates().query("model == 'common'").iloc[0]
    common = fit.estimates().iloc[0]
    assert bayes["estimate"] == pytest.approx(common["estimate"], rel=1e-7)
    assert bayes["std_error"] == pytest.approx(common["std_error"], rel=1e-7)


def test_bayes_takes_several_effects_of_a_study(schools):
    fit = pairwise.fit(schools)
    bayes = fit.bayes(effect_prior_sd=1e4).estimates().query("model == 'common'").iloc[0]
    assert bayes["estimate"] == pytest.approx(fit.estimates()["estimate"].iloc[0], rel=1e-6)


def test_subgroups_of_dependent_effects(schools):
    frame = schools.assign(half=["a", "b"] * 28)
    with pytest.raises(CallError, match="needs inverse variance"):
        pairwise.fit(frame, by="half", separate_tau2=False, method="multilevel")
    fit = pairwise.fit(frame, by="half", ci="CR2")
    found = fit.subgroups().query("model == 'random'").set_index("quantity")
    assert found["note"].str.contains("studies in several subgroups").all()
    effects = [random(part.estimates()) for part in fit.levels.values()]
    difference = effects[0]["estimate"] - effects[1]["estimate"]
    q = difference**2 / sum(row["std_error"] ** 2 for row in effects)
    assert found.loc["q", "value"] == pytest.approx(q, rel=1e-9)
    lone = frame.assign(place=["here", *["there"] * 55])
    with pytest.raises(RefusedError, match="place = here"):
        pairwise.fit(lone, by="place", method="multilevel").estimates()
