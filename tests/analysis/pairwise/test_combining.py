"""Several effects of one study on one comparison: combined, unless something else is asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import network, pairwise
from evidence.errors import CallError


@pytest.fixture(scope="module")
def doses():
    """Three studies of one dose each and three of three doses against one control; and the covariances."""
    rng = np.random.default_rng(5)
    rows, pairs = [], []
    for study in range(6):
        arms = 3 if study % 2 else 1
        control, v_c, centre = rng.normal(0, 3), 8.0, rng.normal(4, 8)
        ids = []
        for dose in range(arms):
            v = 8.0 + 2 * dose
            ids.append(f"s{study}d{dose}")
            rows.append(
                {
                    "study": f"s{study}", "contrast_id": ids[-1], "arm_a": f"dose {dose}", "arm_b": "control",
                    "yi": centre + rng.normal(0, 5) - control, "vi": v + v_c, "dose": float(dose), "n_a": 8, "n_b": 8,
                    "events_a": 2 + dose, "events_b": 4,
                }
            )  # fmt: skip
        pairs += [(a, b, "control", v_c) for place, a in enumerate(ids) for b in ids[:place]]
    columns = ["contrast_1", "contrast_2", "arm_shared", "covariance"]
    return pd.DataFrame(rows), pd.DataFrame(pairs, columns=columns)


def by_hand(doses):
    """Arms of a study put together with weights 1 / v, and the control's variance added."""
    frame = doses[0].assign(weight=1 / (doses[0]["vi"] - 8.0))
    frame["part"] = frame["weight"] * frame["yi"]
    sums = frame.groupby("study")[["part", "weight"]].sum()
    return pd.DataFrame(
        {"study": sums.index, "yi": sums["part"] / sums["weight"], "vi": 1 / sums["weight"] + 8.0}
    ).reset_index(drop=True)


def test_arms_of_one_treatment_are_combined_by_default(doses):
    frame, pairs = doses
    fit, expected = pairwise.fit(frame, covariance=pairs), pairwise.fit(by_hand(doses))
    assert fit.options.dependence == "combine"
    for name in ("estimate", "std_error", "ci_lower", "pi_upper", "p_value"):
        assert fit.estimates()[name].to_numpy() == pytest.approx(
            expected.estimates()[name].to_numpy(), rel=1e-10, nan_ok=True
        )
    for name in ("tau2", "tau2_upper", "q", "df"):
        assert fit.heterogeneity()[name].to_numpy() == pytest.approx(
            expected.heterogeneity()[name].to_numpy(), rel=1e-9, nan_ok=True
        )
    left, theirs = fit.leave_one_out(), expected.leave_one_out()
    assert left["estimate"].to_numpy() == pytest.approx(theirs["estimate"].to_numpy(), rel=1e-9)
    # Every contrast keeps its row, and the weights act on the effects as they were.
    weights = fit.weights()
    assert len(weights) == 2 * len(frame)
    effects = fit.estimates().set_index("model")["estimate"]
    for model, part in weights.groupby("model"):
        estimate = effects[model]
        assert (part["weight"] * part["estimate"]).sum() == pytest.approx(estimate, rel=1e-10)
        assert part["weight"].sum() == pytest.approx(1, rel=1e-12)


def test_notes_count_effects_and_do_not_warn_of_the_method_in_use(doses):
    frame, pairs = doses
    for options in (
        {},
        {"dependence": "multilevel"},
        {"dependence": "CR2"},
        {"method": "multilevel"},
        {"ci": "CR2"},
    ):
        notes = pairwise.fit(frame, covariance=pairs, **options).notes()
        said = notes[notes["message"].str.startswith("9 of 12 effects come from 3 studies that give several")]
        assert list(said["severity"]) == ["info"]
        assert not notes["message"].str.contains("as if independent").any()
    notes = pairwise.fit(frame, covariance=pairs, dependence="independent").notes()
    said = notes[notes["message"].str.startswith("9 of 12 effects")]
    assert list(said["severity"]) == ["warning"]


def test_pairwise_its_bayes_and_the_network_agree(doses):
    frame, pairs = doses
    fit = pairwise.fit(frame, covariance=pairs, measure="MD", ci="Wald")
    rows = frame.rename(columns={"yi": "estimate"}).assign(
        std_error=np.sqrt(frame["vi"]), treatment_a="treatment", treatment_b="control", experiment="main"
    )
    net = network.from_contrasts(rows, outcome="y", measure="MD", reference="control", covariance=pairs)
    found = network.fit(net, engine="frequentist").estimates()
    for model in ("common", "random"):
        ours = fit.estimates().query("model == @model").iloc[0]
        theirs = found[(found["model"] == model) & (found["treatment"] == "treatment")].iloc[0]
        assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-6)
        assert ours["std_error"] == pytest.approx(theirs["std_error"], rel=1e-6)
    bayes = fit.bayes(tau_prior="uniform(0, 50)").estimates()
    combined = pairwise.fit(by_hand(doses), measure="MD").bayes(tau_prior="uniform(0, 50)").estimates()
    assert bayes["estimate"].to_numpy() == pytest.approx(combined["estimate"].to_numpy(), rel=1e-9)


def test_experiments_of_one_study_are_combined_too():
    frame = pd.DataFrame(
        {
            "study": list("aabcc"),
            "experiment": ["1", "2", "1", "1", "2"],
            "yi": [1.0, 2, 0, 1, 5],
            "vi": [1.0, 0.5, 1, 1, 1],
        }
    )
    fit = pairwise.fit(frame)
    y, v = [(1 + 2 * 2) / 3, 0, 3], [1 / 3, 1, 0.5]
    expected = pairwise.fit(pd.DataFrame({"study": list("abc"), "yi": y, "vi": v}))
    assert fit.estimates()["estimate"].to_numpy() == pytest.approx(
        expected.estimates()["estimate"].to_numpy()
    )
    assert fit.estimates()["ci_upper"].to_numpy() == pytest.approx(
        expected.estimates()["ci_upper"].to_numpy()
    )
    assert (fit.estimates()["n_studies"] == 3).all()


def test_a_subgroup_that_differs_within_a_study_combines_within_its_levels(doses):
    frame, pairs = doses
    frame = frame.assign(level=np.where(frame["dose"] > 0, "high", "low"))
    fit = pairwise.fit(frame, covariance=pairs, by="level")
    low = pairwise.fit(frame[frame["level"] == "low"], covariance=pairs)
    rows = fit.estimates().query("level == 'low'")
    assert rows["estimate"].to_numpy() == pytest.approx(low.estimates()["estimate"].to_numpy(), rel=1e-10)
    assert fit.estimates().query("level == 'high'")["n_studies"].tolist() == [3, 3]
    shared = pairwise.fit(frame, covariance=pairs, by="level", separate_tau2=False)
    assert np.isfinite(shared.heterogeneity()["tau2"]).all()
    assert "several subgroups" in str(fit.subgroups()["note"].iloc[0])


def test_a_moderator_that_differs_within_a_study_is_fitted_in_three_levels(doses):
    frame, pairs = doses
    found = pairwise.fit(frame, covariance=pairs).meta_regression("dose")
    assert found.rows.n == 12
    assert found.levels is not None
    assert np.isfinite(found.coefficients()["std_error"]).all()
    same = pairwise.fit(frame.assign(year=frame["study"].str[1:].astype(float)), covariance=pairs)
    assert same.meta_regression("year").rows.n == 6


def test_events_of_arms_that_share_a_control_are_added_up(doses):
    frame, pairs = doses
    fit = pairwise.fit(frame, covariance=pairs, measure="OR", method="MH")
    sums = frame.groupby("study").agg(
        events_a=("events_a", "sum"), n_a=("n_a", "sum"), events_b=("events_b", "first"), n_b=("n_b", "first")
    )
    a, n1, c, n2 = (sums[name].to_numpy(float) for name in ("events_a", "n_a", "events_b", "n_b"))
    ratio = np.sum(a * (n2 - c) / (n1 + n2)) / np.sum((n1 - a) * c / (n1 + n2))
    assert fit.estimates()["estimate"].iloc[0] == pytest.approx(np.log(ratio), rel=1e-12)
    assert len(fit.leave_one_out()) == 12
    assert fit.weights()["weight"].groupby(fit.weights()["model"]).sum().to_list() == pytest.approx([1, 1])
    for method in ("Peto", "binomial", "UM.FS"):
        assert np.isfinite(
            pairwise.fit(frame, covariance=pairs, measure="OR", method=method).estimates()["estimate"]
        ).all()


def test_every_side_analysis_runs_on_combined_effects(doses):
    frame, pairs = doses
    fit = pairwise.fit(frame, covariance=pairs, measure="MD")
    expected = pairwise.fit(by_hand(doses), measure="MD")
    for name in ("influence", "baujat", "outliers"):
        assert getattr(fit, name)()["value"].to_numpy() == pytest.approx(
            getattr(expected, name)()["value"].to_numpy(), rel=1e-7, abs=1e-9, nan_ok=True
        )
    assert len(fit.funnel()[0]) == 6


def test_options_that_contradict_each_other_are_refused(doses):
    frame, _ = doses
    for options in (
        {"dependence": "combine", "method": "multilevel"}, {"dependence": "independent", "ci": "CR2"},
        {"dependence": "multilevel", "method": "MH"}, {"dependence": "both"},
    ):  # fmt: skip
        with pytest.raises(CallError):
            pairwise.fit(frame, **options)


def test_unknown_covariances_are_taken_with_a_correlation_of_one_half(doses):
    frame, pairs = doses
    fit = pairwise.fit(frame, covariance=pairs.assign(covariance=np.nan))
    same = frame.set_index("contrast_id")["vi"]
    half = pairs.assign(
        covariance=[
            0.5 * np.sqrt(same[a] * same[b])
            for a, b in zip(pairs["contrast_1"], pairs["contrast_2"], strict=True)
        ]
    )
    expected = pairwise.fit(frame, covariance=half)
    assert fit.estimates()["ci_upper"].to_numpy() == pytest.approx(
        expected.estimates()["ci_upper"].to_numpy(), rel=1e-9
    )
    assert fit.notes()["message"].str.contains("correlation of 1/2").any()
