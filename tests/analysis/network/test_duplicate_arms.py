"""Studies with several arms of one treatment: the network combines them as the dense algebra of their arms does."""

from __future__ import annotations

from math import lgamma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evidence
from analysis import network, pairwise
from evidence.errors import RefusedError
from evidence.query import EvidenceBase

LEAN = ("SMD", "SMDg", "OR")  # the other measures run with the slow tests
MEASURES = {
    "SMD": "size", "SMDg": "size", "MD": "size", "ROM": "size",
    "OR": "death", "RR": "death", "RD": "death", "IRR": "falls", "IRD": "falls",
}  # fmt: skip


def combined(statistic: np.ndarray, covariance: np.ndarray, treatment: np.ndarray) -> tuple:
    """Effects of treatments against the first, with their covariance, by dense generalised least squares.

    `covariance` is that of the arms' statistics, up to what differences do not see.
    """
    names, member = np.unique(treatment, return_inverse=True)
    contrast = np.eye(len(statistic))[1:] - np.eye(len(statistic))[0]
    C = contrast @ covariance @ contrast.T
    X = (contrast @ np.eye(len(names))[member])[:, 1:]
    S = np.linalg.inv(X.T @ np.linalg.inv(C) @ X)
    return names, S @ X.T @ np.linalg.inv(C) @ contrast @ statistic, S


def statistics(measure: str, arm: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Statistic of every arm of one study and their covariance, by the textbook's formulas."""
    n, mean, sd, r, t = (
        arm[name].to_numpy(dtype=float) for name in ("n", "mean", "sd", "events", "exposure")
    )
    v = sd**2 / n
    if measure in ("SMD", "SMDg"):
        df = n.sum() - len(n)
        s = np.sqrt(((n - 1) * sd**2).sum() / df)
        j = np.exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / np.sqrt(df / 2) if measure == "SMDg" else 1.0
        y = j * mean / s
        # Crippa and Orsini (2016): the common SD adds d_1 d_2 / (2 N) to every covariance of two differences.
        return y, np.diag(1 / n) + np.outer(y, y) / (2 * n.sum())
    if measure == "MD":
        return mean, np.diag(v)
    if measure == "ROM":
        return np.log(mean) + v / mean**2 / 2, np.diag(v / mean**2)
    if measure == "OR":
        return np.log(r / (n - r)), np.diag(1 / r + 1 / (n - r))
    if measure == "RR":
        return np.log(r / n), np.diag(1 / r - 1 / n)
    if measure == "RD":
        return r / n, np.diag(r / n * (1 - r / n) / n)
    if measure == "IRR":
        return np.log(r / t), np.diag(1 / r)
    return r / t, np.diag(r / t**2)


def random_arms(seed: int, studies: int = 24) -> pd.DataFrame:
    """Draw studies of three to seven arms, of at most four treatments and at least two."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(studies):
        treatment = rng.choice(list("ABCP"), rng.integers(3, 8))
        treatment[:2] = rng.choice(list("ABCP"), 2, replace=False)
        for a, name in enumerate(rng.permutation(treatment)):
            n = int(rng.integers(4, 30))
            rows.append(
                {
                    "study": f"s{s:02d}", "arm": f"arm{a}", "treatment": name, "n": n,
                    "mean": round(rng.uniform(50, 150), 1), "sd": round(rng.uniform(5, 15), 2),
                    "events": int(rng.integers(1, n)), "exposure": round(rng.uniform(20, 90), 1),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def write(folder: Path, arm: pd.DataFrame) -> Path:
    """Write a review with every arm under three outcomes."""
    folder.mkdir()
    frames = {
        "studies": arm[["study"]].drop_duplicates(),
        "treatments": pd.DataFrame(
            {"treatment": list("ABCP"), "label": list("ABCP"), "role": ["active"] * 3 + ["control"]}
        ),
        "outcomes": pd.DataFrame(
            {
                "outcome": ["size", "death", "falls"], "label": ["Size", "Death", "Falls"],
                "kind": ["continuous", "binary", "rate"], "unit": ["mg", "", ""], "lower_is_better": "true",
            }
        ),
        "arms": arm[["study", "arm", "treatment", "n"]],
        "measurements": pd.concat(
            [
                arm[["study", "arm", "n", "mean", "sd"]].assign(outcome="size", unit="mg"),
                arm[["study", "arm", "n", "events"]].assign(outcome="death"),
                arm[["study", "arm", "n", "events", "exposure"]].assign(outcome="falls"),
            ]
        ),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "review.toml").write_text('title = "Doses"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def arms() -> pd.DataFrame:
    return random_arms(20261129)


@pytest.fixture(scope="module")
def doses(tmp_path_factory: pytest.TempPathFactory, arms: pd.DataFrame) -> EvidenceBase:
    folder = write(tmp_path_factory.mktemp("doses") / "review", arms)
    with evidence.open(evidence.build(folder, output=folder.parent / "doses.duckdb")) as db:
        yield db


@pytest.mark.parametrize(
    "measure", [pytest.param(m, marks=() if m in LEAN else pytest.mark.slow) for m in MEASURES]
)
def test_arms_of_one_treatment_are_combined_as_dense_algebra_does(
    doses: EvidenceBase, arms: pd.DataFrame, measure: str
) -> None:
    options = {"smd": "g"} if measure == "SMDg" else {}
    net = network.load(doses, MEASURES[measure], measure[:3], reference="A", **options)
    assert len(net.studies) == arms["study"].nunique()
    for block in net.blocks:
        for s, members, y, S in zip(block.study, block.treatment, block.y, block.S, strict=True):
            study = arms[arms["study"] == net.studies[s][0]]
            names, effect, covariance = combined(*statistics(measure, study), study["treatment"].to_numpy())
            assert [net.treatments[t] for t in members] == list(names)
            np.testing.assert_allclose(y, effect, rtol=1e-9, atol=1e-9 * np.abs(effect).max())
            np.testing.assert_allclose(S, covariance, rtol=1e-8, atol=1e-9 * covariance.max())


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["MD"])
def test_the_common_effect_of_two_treatments_is_that_of_a_pairwise_question(
    doses: EvidenceBase, measure: str
) -> None:
    net = network.load(doses, MEASURES[measure], measure, reference="P", treatments=["A", "P"])
    ours = network.fit(net, model="common").relative_effects([("A", "P")]).iloc[0]
    theirs = pairwise.fit(doses, outcome=MEASURES[measure], measure=measure, treatment="A", versus="P")
    found = theirs.estimates().query("model == 'common'").iloc[0]
    for name in ("estimate", "std_error"):
        assert ours[name] == pytest.approx(found[name], rel=1e-6)


def table_of(measure: str, arm: pd.DataFrame) -> pd.DataFrame:
    """All differences of arms, also of one treatment, as a table of contrasts has them."""
    rows = []
    for study, members in arm.groupby("study"):
        y, C = statistics(measure, members)
        cells = members.to_dict("records")
        rows += [
            {
                "study": study, "arm_a": a["arm"], "arm_b": b["arm"], "n_a": a["n"], "n_b": b["n"],
                "treatment_a": a["treatment"], "treatment_b": b["treatment"],
                "estimate": y[i] - y[j], "std_error": np.sqrt(C[i, i] + C[j, j] - 2 * C[i, j]),
            }
            for i, a in enumerate(cells)
            for j, b in enumerate(cells)
            if i < j
        ]  # fmt: skip
    return pd.DataFrame(rows)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(MEASURES)))
@settings(max_examples=15, deadline=None)
def test_a_table_of_contrasts_gives_the_same(seed: int, measure: str) -> None:
    arm = random_arms(seed, studies=3)
    net = network.from_contrasts(table_of(measure, arm), measure=measure[:3]) if connected(arm) else None
    for block in net.blocks if net else ():
        for s, members, y, S in zip(block.study, block.treatment, block.y, block.S, strict=True):
            study = arm[arm["study"] == net.studies[s][0]]
            treatment = np.array([net.treatments.index(t) for t in study["treatment"]])
            names, effect, covariance = combined(*statistics(measure, study), treatment)
            assert list(members) == list(names)
            np.testing.assert_allclose(y, effect, rtol=1e-7, atol=1e-9 * np.abs(effect).max())
            np.testing.assert_allclose(S, covariance, rtol=1e-6, atol=1e-8 * covariance.max())


def connected(arm: pd.DataFrame) -> bool:
    """Say whether the studies link all their treatments."""
    parts: list[set[str]] = []
    for members in (set(study["treatment"]) for _, study in arm.groupby("study")):
        joined = [part for part in parts if part & members]
        parts = [part for part in parts if not part & members] + [members.union(*joined)]
    return len(parts) == 1


BOTH_SIDES = pd.DataFrame(
    {
        "study": "s", "arm": ["t1", "t2", "p1", "p2"], "treatment": ["T", "T", "P", "P"], "n": 10,
        "mean": [70.0, 80.0, 100.0, 90.0], "sd": 10.0, "events": 3, "exposure": 10.0,
    }
)  # fmt: skip


def test_the_worked_case_of_two_arms_on_both_sides() -> None:
    # The full covariance by hand: d = -3, -2, -2, -1; 1 / 10 for a common arm, d_1 d_2 / 80 for all.
    (block,) = network.from_contrasts(table_of("SMD", BOTH_SIDES), measure="SMD", reference="P").blocks
    assert block.y[0, 0] == pytest.approx(-1.778, abs=5e-4)
    assert np.sqrt(block.S[0, 0, 0]) == pytest.approx(0.380, abs=5e-4)


def test_without_numbers_of_animals_what_standardised_differences_share_is_asked_for() -> None:
    table = table_of("SMD", BOTH_SIDES).drop(columns=["n_a", "n_b"]).query("treatment_a != treatment_b")
    with pytest.raises(RefusedError, match="n of every arm"):
        network.from_contrasts(table, measure="SMD")


def test_how_arms_of_one_treatment_count_is_said() -> None:
    net = network.from_contrasts(table_of("MD", BOTH_SIDES), measure="MD")
    (said,) = (message for _, message in net.notes if "combined" in message)
    assert said.startswith("Arms with the same treatment were combined by their precision in: s.")
    assert "neither heterogeneity nor inconsistency" in said
