"""The frequentist engine against netmeta, on pinned networks and on all open reference results."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import network
from analysis.network.data.graph import comparisons
from analysis.network.frequentist import contribution
from analysis.network.model.gls import Gls
from analysis.network.model.inconsistency import pool_designs
from evidence.errors import RefusedError

PINNED = json.loads(
    (Path(__file__).parents[2] / "oracles" / "network_netmeta.json").read_text(encoding="utf-8")
)
BESIDE = (
    "atrialfib", "baker2009", "certolizumab", "diabetes", "dietaryfat", "eae_mouse", "franchini2012",
    "gurusamy2011", "hong2015", "linde2016", "pagliaro1992", "schwingshackl2014", "senn2013", "smoking",
)  # fmt: skip
TOLERANCE = 1e-8


def has_heat(block: dict[str, Any] | None) -> bool:
    """Whether some design can be detached, and a design of two arms then changes."""
    lines = zip(block["rows"], block["values"]) if block else ()
    return any(value is not None for row, line in lines if row.count(":") == 1 for value in line)


BLOCKS = {
    "SIDDE": lambda e: "netsplit_SIDDE" in e,
    "rank probabilities": lambda e: "rank_mc" in e,
    "studies": lambda e: "studies" in e["net"],
    "weights of designs": lambda e: "hat_krahn_design" in e or "H_krahn" in e.get("netheat_common", {}),
    "hat matrices": lambda e: bool(e.get("hat_davies_full") or e.get("hat_ruecker")),
    "contributions": lambda e: bool({"values", "common", "random"} & set(e.get("contribution", ()))),
    "paths": lambda e: "netmeasures_random" in e,
    "net heat": lambda e: has_heat(e.get("netheat_common", {}).get("diff")),
    "funnel": lambda e: "funnel" in e,
    "REML": lambda e: "net_REML" in e,
    "ML": lambda e: "net_ML" in e,
}
"""What the reference gives of some networks only, and how that is seen."""
PINNED_WITH = {
    "SIDDE": ["franchini2012"],
    "weights of designs": ["franchini2012"],
    "hat matrices": ["franchini2012"],
    "contributions": ["smoking", "franchini2012"],
    "net heat": ["franchini2012"],
    "funnel": ["senn2013"],
}
"""Networks with a block pinned; the complete results have more."""
BESIDE_WITHOUT = {
    "SIDDE": set(BESIDE) - {"franchini2012"},
    "hat matrices": {"eae_mouse", "linde2016"},
    "contributions": {"atrialfib", "eae_mouse", "linde2016"},
    "net heat": {"certolizumab"},  # no design can be detached
    "REML": {"atrialfib", "baker2009", "eae_mouse", "hong2015", "linde2016", "senn2013"},
    "ML": set(BESIDE) - {"franchini2012"},
}
"""Networks of which the reference has no such block: too many treatments for it, or done for one or some only."""
PRINTED = {"estimate": "TE", "std_error": "seTE", "ci_lower": "lower", "ci_upper": "upper", "p_value": "p"}
"""Columns of an estimate, here and in netmeta."""


@dataclass(frozen=True)
class Case:
    """A network as netmeta saw it, and what it made of it."""

    net: Any
    expected: dict[str, Any]
    fit: Any

    @property
    def place(self) -> dict[str, int]:
        return {name: t for t, name in enumerate(self.net.treatments)}

    def pair(self, label: str) -> tuple[str, str]:
        """Read ``A:B``; names may hold colons."""
        parts = label.split(":")
        for cut in range(1, len(parts)):
            pair = ":".join(parts[:cut]), ":".join(parts[cut:])
            if set(pair) <= set(self.net.treatments):
                return pair
        raise AssertionError(label)

    def design(self, label: str) -> frozenset[str]:
        return frozenset(label.split(":"))


def build(
    contrasts: pd.DataFrame, measure: str, reference: str, lower: bool, expected: dict[str, Any]
) -> Case:
    net = network.from_contrasts(contrasts, measure=measure, reference=reference, lower_is_better=lower)
    return Case(net, expected, network.fit(net, tau2="DL", draws=1000))


def cases(pinned: Any, beside: Any) -> list[Any]:
    return [f"pinned {name}" for name in pinned] + [
        pytest.param(name, marks=pytest.mark.oracle) for name in beside
    ]


def with_block(name: str) -> Any:
    """Run a test on the networks of which the reference has the block, and on no other."""
    beside = [other for other in BESIDE if other not in BESIDE_WITHOUT.get(name, ())]
    params = cases(PINNED_WITH.get(name, ()), beside)
    return pytest.mark.parametrize("case", params, indirect=True, scope="module")


@pytest.fixture(scope="module", params=cases(PINNED["networks"], BESIDE))
def case(request: pytest.FixtureRequest) -> Case:
    name = request.param.removeprefix("pinned ")
    if request.param != name:
        expected = PINNED["networks"][name]
        frame = pd.DataFrame(expected["contrasts"])
        return build(frame, expected["measure"], expected["reference"], expected["lower_is_better"], expected)
    directory = request.getfixturevalue("oracle_directory")
    expected = request.getfixturevalue("oracle")(name)["network"]
    frame = pd.read_csv(directory / "data" / f"{name}.contrasts.csv", dtype={"study": str})
    meta = json.loads((directory / "data" / f"{name}.meta.json").read_text(encoding="utf-8"))
    return build(frame, meta["effect_measure"], meta["reference"], meta["direction"] == "small", expected)


def close(ours: Any, theirs: Any, message: str = "") -> None:
    np.testing.assert_allclose(
        np.asarray(ours, float), np.asarray(theirs, float), rtol=TOLERANCE, atol=TOLERANCE, err_msg=message
    )


def matrix(block: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(block["values"], index=block["rows"], columns=block["cols"])


def test_the_pinned_blocks_are_those_that_tests_run_on() -> None:
    for block, has in BLOCKS.items():
        found = [name for name, expected in PINNED["networks"].items() if has(expected)]
        assert found == PINNED_WITH.get(block, []), block


@pytest.mark.oracle
def test_the_blocks_beside_are_those_that_tests_run_on(oracle) -> None:
    for name in BESIDE:
        expected = oracle(name)["network"]
        for block, has in BLOCKS.items():
            assert has(expected) == (name not in BESIDE_WITHOUT.get(block, ())), (name, block)


def test_estimates_and_standard_errors(case: Case) -> None:
    for model in ("common", "random"):
        theirs = (
            case.expected[f"pairs_{model}"]
            if "pairs_common" in case.expected
            else case.expected["net"][f"pairs_{model}"]
        )
        ours = case.fit.relative_effects(list(zip(theirs["treat1"], theirs["treat2"])))
        ours = ours[ours["model"] == model]
        for name, other in PRINTED.items():
            if other in theirs:
                close(ours[name], theirs[other], name)


def test_prediction_intervals(case: Case) -> None:
    theirs = case.expected.get("prediction") or case.expected["net"]["prediction"]
    ours = case.fit.relative_effects(list(zip(theirs["treat1"], theirs["treat2"])))
    ours = ours[ours["model"] == "random"]
    close(ours["pi_lower"], theirs["lower"])
    close(ours["pi_upper"], theirs["upper"])


def test_heterogeneity(case: Case) -> None:
    net = case.expected["net"]
    row = case.fit.heterogeneity().set_index("model").loc["random"]
    for ours, theirs in (
        ("tau2", "tau2"), ("tau", "tau"), ("q", "Q"), ("df", "df_Q"), ("p_value", "pval_Q"), ("i2", "I2"),
        ("i2_lower", "lower_I2"), ("i2_upper", "upper_I2"),
    ):  # fmt: skip
        close(row[ours], net[theirs], ours)


def test_decomposition_of_q(case: Case) -> None:
    theirs = case.expected["decomp"]
    table = case.fit.inconsistency()
    parts = table[table["method"] == "decomposition"]
    close(parts["q"], theirs["Q_decomp"]["Q"])
    close(parts["df"], theirs["Q_decomp"]["df"])
    close(parts["p_value"], theirs["Q_decomp"]["pval"])
    for method, block in (
        ("heterogeneity within design", "Q_het_design"),
        ("between designs after detaching", "Q_inc_detach"),
    ):
        ours = {
            case.design(row["component"]): row for row in table[table["method"] == method].to_dict("records")
        }
        for label, q, df in zip(*(theirs.get(block, {}).get(key, ()) for key in ("design", "Q", "df"))):
            close(ours[case.design(label)]["q"], q if df else 0.0, label)
            assert ours[case.design(label)]["df"] == df
    if theirs.get("Q_inc_random"):
        test = table[table["method"] == "design-by-treatment"].iloc[0]
        close(test["q"], theirs["Q_inc_random"]["Q"][0])
        close(test["df"], theirs["Q_inc_random"]["df"][0])
        close(np.sqrt(pool_designs(case.net).tau2_within), theirs["Q_inc_random"]["tau.within"][0])


def check_splits(case: Case, block: dict[str, Any], method: str, models: tuple[str, ...]) -> int:
    compared = 0
    table = case.fit.node_splits(method)
    for model in models:
        rows = {
            frozenset((row["treatment"], row["versus"])): row
            for row in table[table["model"] == model].to_dict("records")
        }
        for i, label in enumerate(block["comparison"]):
            a, b = case.pair(label)
            row = rows.get(frozenset((a, b)))
            direct = block[f"direct_{model}"]["TE"][i]
            if row is None:
                assert direct is None, label
                continue
            sign = 1.0 if row["treatment"] == a else -1.0
            compared += 1
            close(sign * row["direct"], direct, label)
            close(row["direct_std_error"], block[f"direct_{model}"]["seTE"][i], label)
            indirect = block[f"indirect_{model}"]["TE"][i]
            if indirect is None:
                assert np.isnan(row["indirect"]), label
                assert row["note"] == "there is no indirect evidence"
            else:
                close(sign * row["indirect"], indirect, label)
                close(row["indirect_std_error"], block[f"indirect_{model}"]["seTE"][i], label)
                if f"compare_{model}" in block:
                    theirs = {name: block[f"compare_{model}"][other][i] for name, other in PRINTED.items()}
                    close(sign * row["difference"], theirs["estimate"], label)
                    close(row["difference_std_error"], theirs["std_error"], label)
                    close(row["p_value"], theirs["p_value"], label)
                    limits = sorted(sign * row[limit] for limit in ("ci_lower", "ci_upper"))
                    close(limits, [theirs["ci_lower"], theirs["ci_upper"]], label)
            if f"prop_{model}" in block and method == "back-calculation":
                close(row["proportion_direct"], block[f"prop_{model}"][i], label)
    return compared


def test_direct_and_indirect_evidence(case: Case) -> None:
    assert check_splits(case, case.expected["netsplit_back"], "back-calculation", ("common", "random")) > 0


@with_block("SIDDE")
def test_splits_by_designs(case: Case) -> None:
    assert check_splits(case, case.expected["netsplit_SIDDE"], "SIDDE", ("random",)) == 6


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_p_scores(case: Case, lower_is_better: bool) -> None:
    fit = replace(case.fit, network=replace(case.net, lower_is_better=lower_is_better))
    ranking = fit.ranking().set_index(["model", "treatment"])
    theirs = case.expected["netrank"]["small_desirable" if lower_is_better else "small_undesirable"]
    for model in ("common", "random"):
        for name, value in theirs[f"P_{model}"].items():
            close(ranking.loc[(model, name), "p_score"], value, name)


@with_block("rank probabilities")
def test_rank_probabilities(case: Case) -> None:
    block = case.expected["rank_mc"]
    net = replace(case.net, lower_is_better=block["small_values"] == "desirable")
    table = replace(case.fit, network=net, n_draws=20_000).rank_probabilities()
    for model in ("common", "random"):
        ours = table[table["model"] == model].pivot(index="rank", columns="treatment", values="probability")
        theirs = pd.DataFrame(block[model]["prob"]["values"], columns=block[model]["prob"]["cols"])
        theirs.index = ours.index
        both = (ours + theirs) / 2
        error = np.sqrt((both * (1 - both) + 1e-4) * (1 / 20_000 + 1 / block["nsim"]))
        # Two simulations of up to 2 x 22 x 22 probabilities.
        assert ((ours - theirs).abs() / error).max(axis=None) < 5.0


@with_block("studies")
def test_studies(case: Case) -> None:
    theirs = case.expected["net"]["studies"]
    rows = comparisons(case.net)
    names, place = case.net.treatments, {}
    for position, (s, a, b) in enumerate(zip(rows.study, rows.first, rows.second)):
        for pair in ((names[a], names[b]), (names[b], names[a])):
            place[(case.net.study_label(int(s)), *pair)] = position
    at = [place[key] for key in zip(map(str, theirs["studlab"]), theirs["treat1"], theirs["treat2"])]
    first, second = ([case.place[name] for name in theirs[side]] for side in ("treat1", "treat2"))
    for model, tau2 in (("common", 0.0), ("random", case.fit.tau2)):
        weight = contribution.reduced_weights(case.net, tau2)[at]
        # netmeta takes small negative weights for 0.
        close(np.clip(weight, 0.0, None), theirs[f"w_{model}"], model)
        effect, variance = case.fit.gls.contrasts(tau2, np.array(first), np.array(second))
        close(effect, theirs[f"TE_nma_{model}"], model)
        close(np.sqrt(variance), theirs[f"seTE_nma_{model}"], model)
    leverage = np.diagonal(contribution.study_hat(case.net, case.fit.gls, 0.0))[at]
    known = [
        value is not None for value in theirs["leverage_common"]
    ]  # netmeta has none for multi-arm studies
    close(leverage[known], np.array(theirs["leverage_common"], float)[known])


@with_block("weights of designs")
def test_weights_of_designs(case: Case) -> None:
    blocks = dict(case.expected.get("hat_krahn_design", {}))
    if "H_krahn" in case.expected.get("netheat_common", {}):
        blocks["common, net heat"] = case.expected["netheat_common"]["H_krahn"]
    assert blocks
    for label, block in blocks.items():
        ours = case.fit.hat_matrix("designs", label.partition(",")[0])
        # Multi-arm designs have a column for each arm but the first: the n-th of a name is that of arm n + 1.
        columns = [(name, block["cols"][:at].count(name)) for at, name in enumerate(block["cols"])]
        found = {}
        for at, (design, contrast) in enumerate(ours.columns):
            base = design.split(":")[0]
            arm = case.pair(contrast)[0]
            found[design, [name for name in design.split(":") if name != base].index(arm)] = at
        by_members = {(frozenset(design.split(":")), n): at for (design, n), at in found.items()}
        at = [by_members[frozenset(design.split(":")), n] for design, n in columns]
        for row, values in zip(block["rows"], block["values"]):
            a, b = case.pair(row)
            sign = 1.0 if f"{a}:{b}" in ours.index else -1.0
            line = ours.loc[f"{a}:{b}" if sign > 0 else f"{b}:{a}"].to_numpy()
            # A design's first treatment leads in the name of its column.
            lead = [design.split(":")[0] for design, _ in columns]
            turned = [1.0 if ours.columns[c][0].split(":")[0] == name else -1.0 for c, name in zip(at, lead)]
            close(-sign * line[at] * turned, values, f"{label} {row}")


@with_block("hat matrices")
def test_hat_matrices(case: Case) -> None:
    tau2 = {"common": 0.0, "random": case.fit.tau2}
    gls = case.fit.gls
    place = case.place
    pinned = (
        {"common": case.expected["hat_davies_full"]}
        if "values" in case.expected.get("hat_davies_full", {})
        else None
    )
    for model, block in (pinned or case.expected.get("hat_davies_full", {})).items():
        theirs = matrix(block)
        pairs = np.array([[place[name] for name in case.pair(label)] for label in theirs.index])
        ours = contribution.comparison_hat(gls, tau2[model], pairs[:, 0], pairs[:, 1])
        columns = {case.pair(label): column for label, column in theirs.items()}
        names = case.net.treatments
        for edge, (low, high) in enumerate(zip(gls.low, gls.high)):
            forward = (names[high], names[low])
            expected = columns[forward] if forward in columns else -columns[forward[::-1]]
            close(ours[:, edge], expected)
    for model, block in case.expected.get("hat_ruecker", {}).items():
        studies = case.expected["net"]["studies"]
        ours = case.fit.hat_matrix("studies", model)
        place_of = {}
        for position, (study, label) in enumerate(ours.index):
            a, b = case.pair(label)
            place_of[study, a, b], place_of[study, b, a] = (position, 1.0), (position, -1.0)
        found = [
            place_of[key] for key in zip(map(str, studies["studlab"]), studies["treat1"], studies["treat2"])
        ]
        at, sign = [p for p, _ in found], np.array([s for _, s in found])
        close(ours.to_numpy()[np.ix_(at, at)] * np.outer(sign, sign), block["values"])


@with_block("contributions")
def test_contributions(case: Case) -> None:
    for key, method in (("contribution", "shortest path"), ("contribution_randomwalk", "random walk")):
        block = case.expected.get(key, {})
        models = (
            {"random": block}
            if "values" in block
            else {m: block[m] for m in ("common", "random") if m in block}
        )
        for model, theirs in models.items():
            table = matrix(theirs)
            ours = case.fit.contributions(method, model, [case.pair(label) for label in table.index])
            rows, columns = (
                {frozenset(case.pair(label)): label for label in labels}
                for labels in (table.index, table.columns)
            )
            close(ours.groupby("estimate")["share"].sum(), 1.0)
            for row in ours.to_dict("records"):
                value = table.loc[
                    rows[frozenset(case.pair(row["estimate"]))], columns[frozenset(case.pair(row["source"]))]
                ]
                close(row["share"], value, f"{method} {row}")


@with_block("paths")
def test_path_measures(case: Case) -> None:
    theirs = case.expected["netmeasures_random"]
    ours = case.fit.path_measures("random")
    ours.index = [frozenset(pair) for pair in zip(ours["treatment"], ours["versus"])]
    for ours_name, name in (("mean_path_length", "meanpath"), ("minimal_parallelism", "minpar")):
        for label, value in theirs[name].items():
            close(ours.loc[[frozenset(case.pair(label))], ours_name].iloc[0], value, label)


@with_block("net heat")
def test_net_heat(case: Case) -> None:
    theirs = matrix(case.expected["netheat_common"]["diff"])
    ours = case.fit.net_heat("common")
    cells = {
        (case.design(design), case.design(detached)): value
        for design, detached, value in zip(ours["row_design"], ours["column_design"], ours["change"])
    }
    compared = 0
    # netmeta lists the contrasts of multi-arm designs against its own base arm: rows of two-arm designs compare.
    for row, values in theirs[[len(case.design(label)) == 2 for label in theirs.index]].iterrows():
        for column, value in zip(theirs.columns, values):
            difference = cells[case.design(str(row)), case.design(column)]
            if value is None or pd.isna(value):
                # netmeta detaches no design that alone reaches a treatment; part of such a multi-arm design can be
                # detached all the same.
                assert np.isnan(difference) or abs(difference) < TOLERANCE or len(case.design(column)) > 2
            else:
                compared += 1
                close(difference, value, f"{row} {column}")
    assert compared > 0


@with_block("funnel")
def test_comparison_adjusted_funnel(case: Case) -> None:
    blocks = case.expected["funnel"]
    assert set(blocks) == {"common", "random"}
    for model, block in blocks.items():
        theirs = pd.DataFrame(block["data"]).astype({"studlab": str})
        ours = case.fit.funnel(block["order"], model)
        keys = ["studlab", "treat1", "treat2"], ["study", "treatment", "versus"]
        both = theirs.merge(ours, left_on=keys[0], right_on=keys[1])
        assert len(both) == len(theirs) == len(ours) > 0
        close(both["adjusted"], both["TE.adj"])
        close(both["std_error"], both["seTE"])
        # netmeta tests whatever the measure and however few; here that has to be asked for.
        tests = case.fit.small_study_effects(block["order"], model, predictor="se", anyway=True)
        tests = tests.set_index(["method", "quantity"])["value"]
        egger = tests["comparison-adjusted funnel, Egger"]
        close(egger["estimate"], block["egger"]["estimate"]["bias"])
        close(egger["std_error"], block["egger"]["estimate"]["se.bias"])
        close(egger["p_value"], block["egger"]["p"])
        # Comparisons that a single study makes lie at 0, tied. The reference ranks their rounding error.
        if not (ours.groupby(["treatment", "versus"]).size() == 1).any():
            pairs = len(ours) * (len(ours) - 1) / 2
            score = tests["comparison-adjusted funnel, Begg"]["estimate"] * pairs
            close(score, block["begg"]["estimate"]["ks"])


@pytest.mark.oracle
def test_a_disconnected_network_falls_into_the_parts_netmeta_finds(oracle_directory, oracle) -> None:
    expected = oracle("linde2016_disc")["network"]
    frame = pd.read_csv(oracle_directory / "data" / "linde2016_disc.contrasts.csv")
    with pytest.raises(RefusedError, match="3 parts"):
        network.from_contrasts(frame, measure="OR")
    for part in expected["subnets"].values():
        net = network.from_contrasts(
            frame, measure="OR", treatments=part["trts"], reference=part["reference"]
        )
        fit = network.fit(net, tau2="DL")
        close(fit.tau2, part["tau2"])
        for model in ("common", "random"):
            pairs = part[f"pairs_{model}"]
            ours = fit.relative_effects(list(zip(pairs["treat1"], pairs["treat2"])))
            close(ours.loc[ours["model"] == model, "estimate"], pairs["TE"])
            close(ours.loc[ours["model"] == model, "std_error"], pairs["seTE"])


@with_block("REML")
def test_restricted_likelihood_estimates_of_netmeta(case: Case) -> None:
    check_likelihood_estimate(case, "REML")


@with_block("ML")
def test_likelihood_estimates_of_netmeta(case: Case) -> None:
    check_likelihood_estimate(case, "ML")


def check_likelihood_estimate(case: Case, method: str) -> None:
    """netmeta maximises another likelihood where there are multi-arm studies: at its tau2 all else agrees."""
    theirs = case.expected[f"net_{method}"]
    ours = network.fit(case.net, tau2=method, draws=1000)
    if len(case.net.blocks) == 1 or theirs["tau2"] < 1e-8:
        assert ours.tau2 == pytest.approx(theirs["tau2"], abs=1e-8)
    restricted = method == "REML"
    height = [dense_log_likelihood(case.net, tau2, restricted) for tau2 in (ours.tau2, theirs["tau2"])]
    assert height[0] >= height[1] - 1e-9
    at_theirs = network.fit(case.net, tau=theirs["tau"], model="random", draws=1000)
    pairs = theirs["pairs_random"]
    table = at_theirs.relative_effects(list(zip(pairs["treat1"], pairs["treat2"])))
    for name, other in PRINTED.items():
        close(table[name], pairs[other], name)


REML = {
    # tau2, first treatment's effect against the reference and its standard error; metafor 3.8-1, rma.mv with the
    # multi-arm covariance, random = ~ arm | study, rho = 0.5, optimizer "optim" (BFGS, reltol 1e-15).
    "REML": {"smoking": (0.450230123126, 0.868733471425, 0.37207331274),
             "senn2013": (0.0999145482472, -0.841364253496, 0.238426431474)},
    "ML": {"smoking": (0.376392493979, 0.84954189209, 0.350380284177),
           "senn2013": (0.0563830330214, -0.838552752765, 0.196284475857)},
}  # fmt: skip


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["smoking", "senn2013"])
def test_likelihood_estimates_equal_those_of_metafor(method: str, name: str) -> None:
    expected = PINNED["networks"][name]
    net = network.from_contrasts(pd.DataFrame(expected["contrasts"]), reference=expected["reference"])
    fit = network.fit(net, tau2=method)
    first = fit.relative_effects().query("model == 'random'").iloc[0]
    tau2, estimate, std_error = REML[method][name]
    assert fit.tau2 == pytest.approx(tau2, rel=1e-6)
    assert first["estimate"] == pytest.approx(estimate, rel=1e-7)
    assert first["std_error"] == pytest.approx(std_error, rel=1e-7)


def dense_log_likelihood(net: Any, tau2: float, restricted: bool) -> float:
    """Log likelihood of tau2 by the textbook, study by study, with dense matrices."""
    T = len(net.treatments)
    information, right, spread, total = np.zeros((T - 1, T - 1)), np.zeros(T - 1), 0.0, 0.0
    for block in net.blocks:
        m = block.k - 1
        for s in range(len(block.study)):
            X = np.zeros((m, T))
            X[np.arange(m), block.treatment[s, 1:]] += 1
            X[:, block.treatment[s, 0]] -= 1
            V = block.S[s] + tau2 * (np.eye(m) + 1) / 2
            W = np.linalg.inv(V)
            information += X[:, 1:].T @ W @ X[:, 1:]
            right += X[:, 1:].T @ W @ block.y[s]
            total += block.y[s] @ W @ block.y[s]
            spread += np.linalg.slogdet(V)[1]
    d = np.linalg.solve(information, right)
    penalty = np.linalg.slogdet(information)[1] if restricted else 0.0
    return float(-0.5 * (spread + penalty + total - right @ d))


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_estimate_is_the_highest_point_of_the_likelihood(case: Case, method: str) -> None:
    fit = network.fit(case.net, tau2=method)
    top = dense_log_likelihood(case.net, fit.tau2, method == "REML")
    scale = max(fit.tau2, float(np.median(np.concatenate([b.S[:, 0, 0] for b in case.net.blocks]))))
    for tau2 in [*(fit.tau2 * np.array([0.9, 0.99, 1.01, 1.1])), *(scale * np.geomspace(1e-4, 1e2, 10)), 0.0]:
        assert dense_log_likelihood(case.net, tau2, method == "REML") <= top + 1e-9
    if fit.tau2 > 0:
        gls = Gls.of(case.net)
        h = 1e-4 * fit.tau2
        slope = [dense_log_likelihood(case.net, fit.tau2 + s * h, method == "REML") for s in (1, -1)]
        # The top of the parabola through three points lies within a millionth of the estimate.
        bend = (slope[0] + slope[1] - 2 * top) / h**2
        assert abs((slope[0] - slope[1]) / (2 * h) / bend) < 1e-4 * fit.tau2
        score = gls.score(gls.solve([fit.tau2]), method == "REML")[0]
        assert abs(score / bend) < 1e-9 * fit.tau2
