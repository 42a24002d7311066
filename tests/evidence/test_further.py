"""Analyses of sensitivity from the command line and the plan: what is printed is what metafor and netmeta give."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import evidence
from analysis import plan
from analysis.absolute import of_estimates, under_treatment
from analysis.charts import tables
from analysis.charts.base.effect import Effect
from analysis.plot.reading import places
from evidence import facts
from evidence.cli import cli
from evidence.errors import EvidenceError, ReviewError
from evidence.folder.further import NETWORK, PAIRWISE

ORACLES = Path(__file__).parents[1] / "oracles"
QUESTION = ("--outcome", "tb", "--measure", "OR", "--treatment", "bcg", "--versus", "none")
ONE = pd.DataFrame(
    [{"engine": "exact", "model": "common", "treatment": "a", "versus": "c", "level": None, "evidence": "network",
      "estimate": 0.1, "ci_lower": 0.0, "ci_upper": 0.2, "pi_lower": None, "pi_upper": None}]
)  # fmt: skip
BAUJAT = ("contribution", "influence")
METAFOR = ("--tau2", "DL", "--ci", "Wald")


def call(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def answered(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def numbers(document, method, model=None):
    """Values of a method by item and quantity."""
    return {
        (row["item"], row["quantity"]): row["value"]
        for row in document["sensitivity"]
        if row["method"] == method and model in (None, row["model"])
    }


@pytest.fixture(scope="module")
def bcg():
    return json.loads((ORACLES / "pairwise_metafor.json").read_text())["data"]["bcg"]


@pytest.fixture(scope="module")
def more():
    return json.loads((ORACLES / "pairwise_sensitivity.json").read_text())


def write_vaccine(folder: Path, bcg, plan: str = "", studies: int = 13) -> Path:
    """Write the trials of BCG (Colditz et al. 1994) as a review folder."""
    folder.mkdir(parents=True)
    (folder / "review.toml").write_text(f'title = "BCG vaccine"\n{plan}', encoding="utf-8")
    (folder / "treatments.csv").write_text("treatment,role\nbcg,active\nnone,control\n")
    (folder / "outcomes.csv").write_text("outcome,kind,lower_is_better\ntb,binary,true\n")
    tables = {
        "studies.csv": ["study,year,ablat,alloc"],
        "arms.csv": ["study,arm,treatment"],
        "measurements.csv": ["study,arm,outcome,events,n"],
    }
    for i in range(studies):
        name = f"s{i + 1:02}"
        tables["studies.csv"].append(f"{name},{bcg['year'][i]},{bcg['ablat'][i]},{bcg['alloc'][i]}")
        a, b, c, d = (bcg["counts"][key][i] for key in ("ai", "bi", "ci", "di"))
        for arm, treatment, events, n in (("v", "bcg", a, a + b), ("c", "none", c, c + d)):
            tables["arms.csv"].append(f"{name},{arm},{treatment}")
            tables["measurements.csv"].append(f"{name},{arm},tb,{events},{n}")
    for file, lines in tables.items():
        (folder / file).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def vaccine(tmp_path_factory, bcg):
    folder = write_vaccine(tmp_path_factory.mktemp("further") / "bcg", bcg)
    return evidence.build(folder, folder.parent / "bcg.duckdb")


@pytest.fixture(scope="module")
def document(vaccine):
    asked = (f"--{name.replace('_', '-')}" for name in PAIRWISE if name not in ("bayes", "estimators"))
    regression = ("--covariate", "ablat", "--covariate", "year")
    return json.loads(
        answered(
            "pool", vaccine, *QUESTION, *METAFOR, *asked, "--anyway", "--cumulative", *regression,
            "--selection-direction", "less", "--predictor", "se", "--format", "json",
        )
    )  # fmt: skip


def test_tests_of_a_funnel_are_those_of_metafor_and_lm(document, bcg, more):
    egger = numbers(document, "Egger, multiplicative error, on se")
    classic = bcg["regtest"]["lm_coefficients"]["values"][1]
    found = [egger["bias", name] for name in ("estimate", "std_error", "statistic", "p_value")]
    assert found == pytest.approx(classic, rel=1e-9)
    assert (egger["bias", "df"], egger["effects", "k"]) == (11, 13)
    for method, expected in (
        ("Peters, on 1/n", more["peters"][1]),
        ("Harbord, score on its sd", more["harbord"][0]),
        ("PET", more["pet"][0]),
        ("PEESE", more["peese"][0]),
    ):
        rows = numbers(document, method)
        item = "limit" if method.startswith("P") and "E" in method[1:3] else "bias"
        found = [rows[item, name] for name in ("estimate", "std_error", "statistic", "p_value")]
        assert found == pytest.approx(expected, rel=1e-9), method
    begg = numbers(document, "Begg")
    assert begg["rank correlation", "tau"] == pytest.approx(bcg["ranktest"]["tau"]["tau"], rel=1e-12)
    assert begg["rank correlation", "p_value"] == pytest.approx(bcg["ranktest"]["pval"], rel=1e-9)


def test_trim_and_fill_and_the_selection_model_are_those_of_metafor(document, bcg, more):
    for model, estimator in (("common", "EE"), ("random", "DL")):
        for of_number in ("L0", "R0"):
            expected = bcg["trimfill"][f"{estimator}_{of_number}"]
            rows = numbers(document, f"trim and fill {of_number}", model)
            assert rows["all and filled in", "missing"] == expected["k0"]
            assert rows["all and filled in", "estimate"] == pytest.approx(expected["beta"], rel=1e-9)
            filled = [
                value for (item, name), value in rows.items() if "filled in " in item and name == "estimate"
            ]
            assert sorted(filled[-expected["k0"] :] if expected["k0"] else []) == pytest.approx(
                expected["fill_yi"], rel=1e-9
            )
    rows = numbers(document, "selection model, step at p = 0.025")
    assert rows["effect", "estimate"] == pytest.approx(more["selection"]["bcg"]["beta"], rel=1e-4)
    assert rows["relative probability of publication", "p_value"] == pytest.approx(
        more["selection"]["bcg"]["LRTp"], rel=1e-3
    )


def test_what_each_study_does_is_that_of_metafor(document, bcg, more):
    for model, key in (("random", "dl"), ("common", "ee")):
        rows = numbers(document, "influence", model)
        for quantity, name in (("rstudent", "rstudent"), ("cooks_distance", "cook"), ("hat", "hat")):
            found = [rows[f"s{i + 1:02}", quantity] for i in range(13)]
            assert found == pytest.approx(more[key][name], rel=1e-8)
        rows = numbers(document, "Baujat", model)
        for axis, quantity in (("x", BAUJAT[0]), ("y", BAUJAT[1])):
            found = [rows[f"s{i + 1:02}", quantity] for i in range(13)]
            assert found == pytest.approx([pair[axis] for pair in more[f"baujat_{key}"]], rel=1e-8)
    by_year = bcg["cumul_dl_by_year"]
    rows = numbers(document, "cumulative by year", "random")
    order = [f"s{place:02}" for place in by_year["order"]]
    found = [rows[study, "estimate"] for study in order]
    # s02 and s03 and others of one year have an order of their own; the last holds all studies.
    assert found[-1] == pytest.approx(by_year["estimate"][-1], rel=1e-9)
    assert found[:3] == pytest.approx(by_year["estimate"][:3], rel=1e-9)


def test_a_meta_regression_is_that_of_metafor(document, more):
    rows, expected = numbers(document, "meta-regression"), more["mods"]
    terms = ("intercept", "ablat", "year")
    assert [rows[term, "estimate"] for term in terms] == pytest.approx(expected["beta"], rel=1e-8)
    assert [rows[term, "std_error"] for term in terms] == pytest.approx(expected["se"], rel=1e-8)
    assert rows["test of all", "statistic"] == pytest.approx(expected["QM"], rel=1e-8)
    assert 100 * rows["residual heterogeneity", "r2"] == pytest.approx(expected["R2"], rel=1e-7)


def test_categories_permutations_and_predictions_are_those_of_metafor(vaccine, more):
    asked = ("--moderator", "ablat", "--moderator", "alloc", "--reference-level", "alloc=alternate")
    at = ("--at", "ablat=30", "--at", "alloc=random")
    found = json.loads(answered("pool", vaccine, *QUESTION, "--tau2", "DL", *asked, *at, "--format", "json"))
    expected = more["modshk"]
    rows = numbers(found, "meta-regression")
    terms = ("intercept", "ablat", "alloc: random", "alloc: systematic")
    assert [rows[term, "estimate"] for term in terms] == pytest.approx(expected["beta"], rel=1e-8)
    there = numbers(found, "prediction")
    for name, key in (("estimate", "pred"), ("std_error", "se"), ("ci_lower", "lb"), ("ci_upper", "ub")):
        value = there["ablat = 30, alloc = random", name]
        assert value == pytest.approx(expected["pi"][key], rel=1e-8)
    six = ("--where", "study <= 's06'", *METAFOR, "--moderator", "ablat", "--permutations", 720)
    permuted = json.loads(answered("pool", vaccine, *QUESTION, *six, "--format", "json"))
    assert numbers(permuted, "permutation test")["ablat", "p_value"] == pytest.approx(more["perm"]["p"][1])


def test_all_subsets_are_those_of_metafor(vaccine, more):
    asked = ("--where", "study <= 's06'", *METAFOR, "--gosh", "--format", "json")
    rows = numbers(json.loads(answered("pool", vaccine, *QUESTION, *asked)), "GOSH")
    fits = [(fit, row) for fit, row in zip(more["gosh"], more["gosh_incl"], strict=True) if fit["k"] > 1]
    estimates = [fit["estimate"] for fit, _ in fits]
    assert (rows["subsets", "subsets"], rows["subsets", "complete"]) == (len(fits), 1)
    assert rows["estimate", "median"] == pytest.approx(np.median(estimates), rel=1e-9)
    with_first = np.mean([fit["estimate"] for fit, row in fits if row[0]])
    assert rows["s01", "estimate_with"] == pytest.approx(with_first, rel=1e-9)


def test_a_page_to_read_says_what_tests_show_and_what_is_refused(vaccine):
    shown = answered("pool", vaccine, *QUESTION, "--peters", "--harbord", "--begg", "--trim-fill")
    assert "Peters' test, 13 studies: no asymmetry beyond chance (p = 0.20, level 10 %)." in shown
    assert "This does not show that there is no bias" in shown
    assert "Not carried out: Harbord. Harbord's test finds asymmetry too often" in shown
    assert "Not carried out: Begg. Begg's test takes OR to be independent of its standard error" in shown
    few = answered("pool", vaccine, *QUESTION, "--peters", "--where", "study <= 's06'")
    assert "No test of funnel asymmetry is given: there are 6 studies, and with fewer than 10" in few
    asked = (
        "--influence",
        "--cumulative",
        "precision",
        "--bayes",
        "--estimators",
        "--gosh",
        "--subsets",
        500,
    )
    read = answered("pool", vaccine, *QUESTION, *asked)
    for words in (
        "cooks_distance",
        "cumulative by precision",
        "REML, HK-adhoc",
        "a sample, seed 1",
        "Bayesian",
    ):
        assert words in read


@pytest.mark.parametrize(
    "asked",
    [
        ("pool", "parkinson", "--outcome", "off_time", "--measure", "MD", "--treatment", "pramipexole", "--versus", "placebo"),
        ("nma", "smoking", "--outcome", "cessation", "--measure", "OR"),
    ],
)  # fmt: skip
def test_the_terminal_prints_heterogeneity_and_tests_with_the_digits_of_the_report(asked):
    with evidence.open(asked[1]) as db:
        options = dict(zip((name[2:] for name in asked[2::2]), asked[3::2], strict=True))
        run = (plan.run_pairwise if asked[0] == "pool" else plan.run_network)(db, **options)
    lines = [line.split() for line in answered(*asked).splitlines()]
    table = tables.heterogeneity_and_inconsistency(
        run.frames["heterogeneity"],
        run.frames.get("inconsistency"),
        effect=Effect(run.measure),
        digits=places(run),
        name="x",
    )
    # What has no degrees of freedom tests nothing, and the terminal leaves it out.
    rows = [row for row in table.rows if row.get("q") and str(row.get("df")) != "0"]
    assert len(rows) > 1
    for row in rows:
        cells = [str(row[name]).split(" ")[0] for name in ("tau", "q", "df") if row.get(name)]
        cells += str(row["p"]).split()[-1:]
        assert any(set(cells) <= set(line) for line in lines), cells


def test_rows_of_one_kind_are_printed_as_csv_with_every_digit(vaccine, document):
    asked = ("pool", vaccine, *QUESTION, *METAFOR, "--peters")
    rows = list(csv.DictReader(answered(*asked, "--format", "csv").splitlines()))
    assert list(rows[0]) == ["engine", "model", "method", "item", "study", "quantity", "value", "note"]
    kept = {
        (row["item"], row["quantity"]): float(row["value"])
        for row in rows
        if row["method"].startswith("Peters")
    }
    assert kept == numbers(document, "Peters, on 1/n")
    assert answered(*asked, "--format", "md", "--table", "heterogeneity").startswith("| engine | model |")
    wrong = call(*asked, "--table", "weights")
    assert (wrong.exit_code, "--format csv or md" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("pool", "--permutations", "9"), "is of a meta-regression"),
        (("pool", "--tau-prior", "half-normal(1)"), "is of the Bayesian analysis"),
        (("pool", "--moderator", "year", "--at", "year"), "is not COLUMN=VALUE"),
        (("nma", "--net-heat", "--engine", "exact"), "has no net_heat; the engine frequentist has"),
        (("nma", "--prior-sensitivity"), "has no prior_sensitivity; the engine exact has"),
        (("nma", "--covariate", "year"), "take the engine exact, or mcmc"),
        (("nma", "--engine", "exact", "--slopes", "common"), "name a --covariate"),
        (("nma", "--small-study", "--funnel-order", "nobody"), "The order of the funnel names nobody"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(asked, said):
    command, *options = asked
    question = {
        "pool": ("--outcome", "hba1c", "--measure", "MD", "--treatment", "metf", "--versus", "plac"),
        "nma": ("--outcome", "hba1c", "--measure", "MD"),
    }[command]
    result = call(command, "diabetes", *question, *options)
    assert result.exit_code == 2
    assert said in result.output


def test_contributions_of_comparisons_are_those_of_netmeta():
    expected = json.loads((ORACLES / "network_netmeta.json").read_text())["networks"]["smoking"]
    asked = (
        "nma",
        "smoking",
        "--outcome",
        "cessation",
        "--measure",
        "OR",
        "--model",
        "random",
        "--tau2",
        "DL",
    )
    named = ("--contributions", "--net-heat", "--paths", "--hat", "--small-study", "--format", "json")
    found = json.loads(answered(*asked, *named))
    assert {row["method"].split(",")[0] for row in found["sensitivity"]} == {
        "contribution", "net heat", "paths", "hat matrix", "comparison-adjusted funnel",
    }  # fmt: skip
    shortest = ("--contributions", "--contribution-method", "shortest path", "--format", "json")
    for rows, method, key in (
        (found, "random walk", "contribution_randomwalk"),
        (json.loads(answered(*asked, *shortest)), "shortest path", "contribution"),
    ):
        shares = {
            tuple(":".join(sorted(name.split(":"))) for name in pair): value
            for pair, value in numbers(rows, f"contribution, {method}").items()
        }
        for estimate, values in zip(expected[key]["rows"], expected[key]["values"], strict=True):
            for source, value in zip(expected[key]["cols"], values, strict=True):
                assert shares.get((estimate, source), 0.0) == pytest.approx(value, abs=1e-9)


def test_a_network_meta_regression_is_weighted_least_squares():
    """A second method: the contrasts of every study against its first arm, with their covariance."""
    asked = ("--outcome", "hba1c", "--measure", "MD", "--engine", "exact", "--model", "common")
    flat = ("--effect-prior-sd", "inf", "--covariate", "year", "--centre", "year=2000", "--at", "year=2010")
    found = json.loads(answered("nma", "diabetes", *asked, *flat, "--format", "json"))
    from analysis import network

    with evidence.open("diabetes") as db:
        net = network.load(db, "hba1c", "MD", reference="plac")
        year = {row["study"]: row["year"] for row in db.rows("select study, year from study")}
    names, lines, y, parts = list(net.treatments), [], [], []
    for block in net.blocks:
        for study, treatments, effects, covariance in zip(
            block.study, block.treatment, block.y, block.S, strict=True
        ):
            for t, effect in zip(treatments[1:], effects, strict=True):
                line = np.zeros(len(names) + 1)
                for place, sign in ((t, 1), (treatments[0], -1)):
                    line[place] += sign
                    line[-1] += sign * (place != 0) * (year[net.studies[study][0]] - 2000)
                lines.append(line[1:])
                y.append(effect)
            parts.append(covariance)
    weight = np.zeros((len(y), len(y)))
    start = 0
    for part in parts:
        stop = start + len(part)
        weight[start:stop, start:stop] = np.linalg.inv(part)
        start = stop
    X = np.array(lines)
    inverse = np.linalg.inv(X.T @ weight @ X)
    beta = inverse @ X.T @ weight @ np.array(y)
    slope = numbers(found, "meta-regression")
    assert slope["year", "estimate"] == pytest.approx(beta[-1], rel=1e-8)
    assert slope["year", "std_error"] == pytest.approx(np.sqrt(inverse[-1, -1]), rel=1e-8)
    there = numbers(found, "effects at year = 2010")
    metformin = beta[names.index("metf") - 1] + 10 * beta[-1]
    assert there["metf versus plac", "estimate"] == pytest.approx(metformin, rel=1e-8)


def test_absolute_effects_are_those_of_the_handbook(vaccine, bcg):
    """Cochrane Handbook 5.1, 12.5.4: 62 and 24 fewer in 1000, and 17 and 42 to treat."""
    for measure, ratio, fewer, treated in (("OR", 0.73, 62, 17), ("RR", 0.92, 24, 42)):
        risk = float(under_treatment(measure, np.log(ratio), 0.3))
        assert (round(1000 * (0.3 - risk)), int(np.ceil(1 / (0.3 - risk)))) == (fewer, treated)
    assert under_treatment("HR", np.log(2.0), 0.3) == pytest.approx(1 - 0.7**2, rel=1e-12)
    asked = ("pool", vaccine, *QUESTION, *METAFOR)
    found = numbers(
        json.loads(answered(*asked, "--absolute", 0.05, "--format", "json")), "absolute effect", "random"
    )
    odds = np.exp([bcg["models"]["DL"][name] for name in ("beta", "ci_lb", "ci_ub")]) * 0.05 / 0.95
    kept = [found["bcg", name] for name in ("estimate", "ci_lower", "ci_upper")]
    assert kept == pytest.approx(odds / (1 + odds), rel=1e-9)
    assert found["bcg", "number needed to treat"] == np.ceil(1 / (0.05 - kept[0]))
    counts = bcg["counts"]
    risks = [c / (c + d) for c, d in zip(counts["ci"], counts["di"], strict=True)]
    median = json.loads(answered(*asked, "--absolute", "--format", "json"))
    assert numbers(median, "absolute effect", "random")["bcg", "baseline"] == pytest.approx(np.median(risks))
    assert "baseline: median of 13 arms of none; it is taken as known" in answered(*asked, "--absolute")


@pytest.mark.parametrize(
    ("measure", "baseline", "said"),
    [("OR", "1.2", "between 0 and 1"), ("OR", "some", "a number, or median"), ("SMD", "1", "own scale")],
)
def test_a_baseline_that_there_cannot_be_is_refused(measure, baseline, said):
    with pytest.raises(EvidenceError, match=said):
        of_estimates(measure, ONE, "c", baseline, lambda: ONE)


PLANNED = """
[[protocol.analysis]]
name = "vaccine"
outcome = "tb"
measure = "OR"
treatment = "bcg"
versus = "none"
covariates = ["ablat"]
by = "alloc"
at = { ablat = 30 }
sensitivity = ["begg", "gosh"]
anyway = true
cumulative = "year"
absolute = "median"
"""


def test_the_plan_has_the_same_and_its_rows_are_kept(tmp_path, bcg):
    folder = write_vaccine(tmp_path / "planned", bcg, PLANNED)
    file = evidence.build(folder, tmp_path / "planned.duckdb")
    answered("analyse", file)
    with evidence.open(file) as db:
        rows = db.rows("select method, item, quantity, value from result_sensitivity")
        plan = db.rows("select sensitivity, subgroup, moderators, at_values from plan")[0]
    assert plan == {
        "sensitivity": '["begg", "gosh"]', "subgroup": "alloc", "moderators": '["ablat"]',
        "at_values": '{"ablat": 30}',
    }  # fmt: skip
    methods = {row["method"] for row in rows}
    assert methods == {
        "Begg", "GOSH", "cumulative by year", "meta-regression", "prediction", "subgroups", "Peters, on 1/n",
        "Harbord, score on its sd", "absolute effect",
    }  # fmt: skip
    (p,) = (row["value"] for row in rows if (row["method"], row["quantity"]) == ("Begg", "p_value"))
    assert p == pytest.approx(bcg["ranktest"]["pval"], rel=1e-9)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('sensitivity = ["eger"]', "sensitivity names 'eger'"),
        ('sensitivity = ["net_heat"]', "is pairwise, which has no net_heat"),
        ('by = "alloc"\nsubgroup = "alloc"', "has by and subgroup, which are one"),
        ('cumulative = "yeer"', "names the unknown variable 'yeer'"),
        ("at = { ablat = 1 }", "at is of a meta-regression"),
        ("permutations = 100", "permutations is of a meta-regression"),
        ('side = "up"', "side is 'up'"),
        ('absolute = "mode"', "absolute is 'mode'"),
        ("selection_step = 2.5", "selection_step is 2.5"),
        ("contribution_method = 'random walk'", "is pairwise, which takes no contribution_method"),
    ],
)
def test_a_plan_that_is_wrong_is_told_what_would_be_right(tmp_path, bcg, line, said):
    plan = PLANNED.split("covariates")[0] + line + "\n"
    with pytest.raises(ReviewError) as refused:
        evidence.build(write_vaccine(tmp_path / "wrong", bcg, plan, 2), tmp_path / "wrong.duckdb")
    assert said in " ".join(problem.message for problem in refused.value.problems)


@pytest.mark.slow
def test_chains_are_drawn_from_the_command_line_as_from_python():
    """In a process of its own: a command starts without pyarrow, and nutpie then could not read names."""
    pytest.importorskip("pymc")
    asked = [
        "nma",
        "diabetes",
        "--outcome",
        "hba1c",
        "--measure",
        "MD",
        "--engine",
        "mcmc",
        "--model",
        "common",
    ]
    more = ["--draws", "300", "--covariate", "year", "--class-effects", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "evidence.cli", *asked, *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout)["sensitivity"]
    assert {row["method"] for row in rows} >= {"meta-regression", "class effects"}


def test_engines_have_what_the_plan_lets_them_have():
    from importlib import import_module

    from analysis.plan import engine_parameters

    fits = {"frequentist": "FrequentistFit", "exact": "ExactFit"}
    rows = {"leverage", "densities", "chains"}  # Of charts: held where these are drawn.
    for name in {name for engine in facts.engines() for name in engine.offers} - rows:
        engines = facts.offering(name)
        for engine in ("frequentist", "exact", "counts", "mcmc"):
            taken = "classes" if name == "class_effects" else name
            if name in NETWORK and engine in fits:
                fit = getattr(import_module(f"analysis.network.{engine}"), fits[engine])
                method = {"paths": "path_measures", "hat": "hat_matrix"}.get(name, name)
                assert hasattr(fit, method) == (engine in engines), (name, engine)
            elif name not in NETWORK and name != "contribution_method":
                assert (taken in engine_parameters(engine)) == (engine in engines), (name, engine)


def test_every_analysis_of_sensitivity_has_a_flag():
    for command, names in (("pool", PAIRWISE), ("nma", NETWORK)):
        help = answered(command, "--help")
        for name in names:
            assert f"--{name.replace('_', '-')}" in help
