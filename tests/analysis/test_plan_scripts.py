"""The plan as a script for R or Stata: the rows that enter, the options of the plan, and our numbers."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import evidence
from analysis import plan
from analysis.exchange.datasets import plain_ids
from evidence.export import export
from evidence.results import save
from evidence.review import bundled

EVIL = "x\"; system('touch PWNED'); y <- \"\\\\' `z' $HOME */ /* & é"
"""An analysis, a level and a treatment are called so: names are data in R and Stata, too."""
PLAN = """
[[protocol.analysis]]
name = {evil}
kind = "pairwise"
outcome = "hba1c"
measure = "MD"
treatment = "rosi"
versus = "plac"
tau2 = "PM"
ci = "Wald"
subgroup = "evil"
moderators = ["evil", "amount"]
reference_levels = {{ evil = {evil} }}

[[protocol.analysis]]
name = "all of a class"
kind = "pairwise"
outcome = "hba1c"
measure = "SMD"
treatment = "drug"
versus = "plac"
tau2 = "DL"
where = "amount < 20"

[[protocol.analysis]]
name = "three levels"
kind = "pairwise"
outcome = "hba1c"
measure = "MD"
treatment = "drug"
versus = "plac"
dependence = "multilevel"

[[protocol.analysis]]
name = "each on its own"
kind = "pairwise"
outcome = "hba1c"
measure = "MD"
treatment = "drug"
versus = "plac"
dependence = "independent"

[[protocol.analysis]]
name = "network by DL"
kind = "network"
outcome = "hba1c"
measure = "MD"
tau2 = "DL"
node_split = true

[[protocol.analysis]]
name = "network by ML"
kind = "network"
outcome = "hba1c"
measure = "SMD"
tau2 = "ML"
model = "random"
treatments = ["plac", {evil}, "rosi", "acar"]

[[protocol.analysis]]
name = "exact, defaults"
kind = "network"
outcome = "hba1c"
measure = "MD"
engine = "exact"

[[protocol.analysis]]
name = "exact, log-normal"
kind = "network"
outcome = "hba1c"
measure = "MD"
engine = "exact"
model = "random"
tau_prior = "log-normal(-2.56, 1.74) of tau2"
effect_prior_sd = 2

[[protocol.analysis]]
name = "nothing of this kind"
kind = "pairwise"
outcome = "hba1c"
measure = "MD"
treatment = "acar"
versus = "rosi"
"""


@pytest.fixture(scope="module")
def analysed(tmp_path_factory) -> Path:
    """The diabetes review under hostile names, with a plan of every kind, carried out."""
    folder = tmp_path_factory.mktemp("plan") / "review"
    shutil.copytree(bundled()["diabetes"], folder)
    evil = json.dumps(EVIL, ensure_ascii=False)
    for file in folder.glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [[EVIL if cell == "metf" else cell for cell in row] for row in csv.reader(stream)]
        if file.name == "studies.csv":
            rows[0] += ["evil", "amount"]
            for number, row in enumerate(rows[1:]):
                row += [EVIL if number % 3 else "other", str(number * 7 % 24)]
        if file.name == "treatments.csv":
            place = rows[0].index("class") if "class" in rows[0] else len(rows[0])
            rows[0][place:] = ["class", *rows[0][place + 1 :]]
            for row in rows[1:]:
                row[place:] = ["control" if row[0] == "plac" else "drug", *row[place + 1 :]]
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
    protocol = (folder / "review.toml").read_text(encoding="utf-8")
    head = protocol.split("[[protocol.analysis]]")[0]
    (folder / "review.toml").write_text(head + PLAN.format(evil=evil), encoding="utf-8")
    file = evidence.build(folder, folder.parent / "review.duckdb")
    with evidence.open(file) as db:
        runs, refused = plan.try_plan(db)
    assert list(refused) == ["nothing of this kind"]
    save(file, runs)
    return file


@pytest.fixture(scope="module")
def scripts(analysed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    export(analysed, folder, ["plan-r", "plan-stata"])
    return folder


def has_r() -> bool:
    asked = ["Rscript", "-e", "stopifnot(requireNamespace('metafor', quietly = TRUE))"]
    return shutil.which("Rscript") is not None and subprocess.run(asked, capture_output=True).returncode == 0


TOLERANCE = {"exact": 2e-3}
"""Of numbers in R, in standard errors: of the quadrature of a posterior; of an optimiser, 1e-4."""


@pytest.mark.slow
def test_r_finds_the_numbers_of_every_planned_analysis(scripts):
    """Pairwise by every dependence and estimator, subgroups, meta-regression, left out in turn; networks."""
    if not has_r():
        pytest.skip("needs R with metafor")
    folder = scripts / "plan-r"
    done = subprocess.run(["Rscript", "plan.R"], cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert not list(folder.rglob("PWNED"))
    keys = ["analysis", "model", "subgroup", "without", "term", "treatment", "versus"]
    read = {"keep_default_na": False, "na_values": ["NA"], "dtype": dict.fromkeys(keys, str)}
    found = pd.read_csv(folder / "results.csv", **read)
    want = pd.read_csv(folder / "expected.csv", **read)
    both = want.merge(found, on=keys, suffixes=("", "_r"))
    assert len(both) == len(want)
    assert set(want["analysis"]) == {
        EVIL, "all of a class", "three levels", "each on its own", "network by DL", "network by ML",
        "exact, defaults", "exact, log-normal",
    }  # fmt: skip
    assert {"", EVIL, "other"} == set(want["subgroup"])
    assert {"intercept", "evil: other", "amount"} <= set(want["term"])
    for name, rows in both.groupby("analysis"):
        for number in ("estimate", "std_error", "ci_lower", "ci_upper"):
            apart = ((rows[number] - rows[f"{number}_r"]) / rows["std_error"]).abs()
            assert apart.max() < TOLERANCE.get(str(name).partition(",")[0], 1e-4), (name, number)
    assert f"difference|{(want['analysis'] == 'network by DL').sum()}|" in done.stdout


def test_a_script_says_what_the_plan_asks_and_what_it_leaves_out(scripts):
    text = (scripts / "plan-r" / "plan.R").read_text(encoding="utf-8")
    assert "# where = amount < 20" in text
    assert "# Not carried out: " in text.split("nothing of this kind")[1]
    assert "log-normal" not in text.split("results <- list()")[0]
    losses = json.loads((scripts / "provenance.json").read_text(encoding="utf-8"))["losses"]
    assert any(loss.startswith("nothing of this kind is not written") for loss in losses["plan-r"])
    assert any("the engine exact is Bayesian" in loss for loss in losses["plan-stata"])
    assert any("three levels is not written" in loss for loss in losses["plan-stata"])


def test_stata_reads_files_of_effects_and_no_name_is_code(scripts):
    folder = scripts / "plan-stata"
    script = (folder / "plan.do").read_text(encoding="utf-8")
    for line in script.splitlines():
        if line.startswith("*"):
            assert not set(line[1:]) & set("/*`$\"'\\"), line
        else:
            code = re.sub(r'^use "[\w.-]+", clear$', "use", line)
            assert re.fullmatch(r"[a-z0-9_ .,()]*", code), line
    assert "meta summarize, random(dlaird) se(khartung) predinterval" in script
    assert "meta regress i.moderator_1 c.moderator_2, random(ebayes)" in script
    # mvmeta has no method of moments for the heterogeneity that all comparisons share.
    assert "network meta consistency, mm" not in script
    assert "network meta consistency, fixed\n* Not in this do-file: random effects by DL" in script
    assert "network meta consistency, ml force\nnetwork rank min, meanrank seed(2013)\n" in script
    assert "network sidesplit" not in script
    assert (
        "network setup mean sd n, studyvar(study_number) trtvar(code) armvars(drop) ref(plac) smd\n* network has"
        in script
    )
    for line in script.splitlines():
        if line.startswith("use "):
            assert (folder / line.split('"')[1]).is_file(), line
    regression = pd.read_stata(next(folder.glob("*-regression.dta")))
    assert list(regression["moderator_1"].cat.categories) == [EVIL, "other"]
    levels = pd.read_stata(next(folder.glob("*-subgroups.dta")))["subgroup"]
    assert set(levels.cat.categories) == {EVIL, "other"}


def test_the_do_file_of_a_network_reads_codes_and_its_data_keep_the_names(analysed, tmp_path):
    """In every exporter to Stata a name is data: dollars, backquotes and apostrophes stand in no command."""
    export(analysed, tmp_path, ["stata"])
    (script,) = (tmp_path / "stata").glob("hba1c-MD.do")
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[1:] == [
        'use "hba1c-MD.dta", clear',
        "network setup mean sd n, studyvar(study_number) trtvar(code) armvars(drop) ref(plac) md",
        "network meta consistency, reml force",
        "network rank min, meanrank seed(2013)",
    ]
    rows = pd.read_stata(script.with_suffix(".dta"))
    assert EVIL in set(rows["treatment"])
    codes = rows[["treatment", "code"]].drop_duplicates()
    assert codes["code"].is_unique
    assert all(re.fullmatch(r"\w{1,32}", code, re.ASCII) for code in codes["code"])
    assert not rows.duplicated(["study_number", "code"]).any()


def test_codes_of_long_names_stay_within_what_stata_takes_and_apart():
    names = ["a" * 40, "a" * 41, "a" * 32 + "!", "b c", "b_c", "b_c_5"]
    ids = plain_ids(names, 32)
    assert len(set(ids.values())) == len(names)
    assert max(map(len, ids.values())) == 32


@pytest.mark.slow
def test_counts_of_arms_are_given_to_jags(tmp_path):
    """A likelihood that R's packages here have not is written for JAGS, and run where rjags is installed."""
    folder = tmp_path / "smoking"
    shutil.copytree(bundled()["smoking"], folder)
    text = (folder / "review.toml").read_text(encoding="utf-8").split("[[protocol.analysis]]")[0]
    text += '[[protocol.analysis]]\nname = "counts"\nkind = "network"\noutcome = "cessation"\n'
    text += 'measure = "OR"\nengine = "counts"\ntau_prior = "uniform(0, 2)"\n'
    (folder / "review.toml").write_text(text, encoding="utf-8")
    export(folder, tmp_path / "out", ["plan-r"])
    target = tmp_path / "out" / "plan-r"
    assert "r[i,k] ~ dbin" in (target / "counts-jags.model.txt").read_text(encoding="utf-8")
    assert "sd ~ dunif(0, 2)" in (target / "counts-jags.model.txt").read_text(encoding="utf-8")
    assert 'source("counts-jags.R"' in (target / "plan.R").read_text(encoding="utf-8")
