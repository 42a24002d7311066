"""What other programs are given is what our engines are given, and they find our numbers."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import evidence
from analysis import network, pairwise
from analysis.exchange.datasets import datasets
from evidence.errors import RefusedError
from evidence.export import export
from evidence.importers.arms import import_arms
from evidence.selection import Conditions, select

FORMATS = ("netmeta", "gemtc", "multinma", "cinema", "metainsight", "stata", "jags", "bugs")


@cache
def has_r(package: str) -> bool:
    """Whether R and its package are installed."""
    if shutil.which("Rscript") is None:
        return False
    asked = f"stopifnot(requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", asked], capture_output=True).returncode == 0


@pytest.fixture
def r_with(request):
    """Skip a test where R lacks the package that its parameter names."""
    if not has_r(request.param):
        pytest.skip(f"needs R with {request.param}")


def run_r(script: Path, timeout: int = 300) -> str:
    done = subprocess.run(
        ["Rscript", script.name], cwd=script.parent, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The bundled reviews of counts (three-armed studies) and means, in every format of analysis programs."""
    folders = {}
    for review in ("smoking", "diabetes"):
        folders[review] = tmp_path_factory.mktemp(review)
        export(review, folders[review], FORMATS)
    return folders


def contrasts(source: Path | str, measure: str) -> dict[tuple[str, frozenset[str]], tuple[float, float]]:
    with evidence.open(source) as db:
        return {
            (row["study"], frozenset((row["treatment_a"], row["treatment_b"]))): (
                abs(row["estimate"]),
                row["std_error"],
            )
            for row in db.rows("from contrast where measure = ?", [measure])
        }


CASES = [("smoking", "cessation-OR", "OR"), ("diabetes", "hba1c-MD", "MD")]


@pytest.mark.parametrize("review", ["smoking", "diabetes"])
def test_the_dictionary_says_what_every_column_of_every_table_holds(exported, review):
    folder = exported[review]
    with (folder / "dictionary.csv").open(encoding="utf-8", newline="") as stream:
        meanings = {(row["object"], row["column"]): row["meaning"] for row in csv.DictReader(stream)}
    tables = [path for format in FORMATS for path in sorted((folder / format).glob("*.csv"))]
    assert len(tables) == 8
    for path in tables:
        with path.open(encoding="utf-8", newline="") as stream:
            for column in next(csv.reader(stream)):
                assert meanings[path.relative_to(folder).as_posix(), column], (path, column)


def test_every_row_of_bugs_and_every_column_of_r(exported):
    """The first matrix of the smoking data by hand: study 1 compares treatments 1 and 3."""
    bugs = (exported["smoking"] / "bugs" / "cessation-OR.data.txt").read_text(encoding="utf-8")
    assert "t = structure(.Data = c(1, 3, NA, 1, 3, NA," in bugs
    assert ".Dim = c(24, 3))" in bugs
    r = (exported["smoking"] / "jags" / "cessation-OR.data.R").read_text(encoding="utf-8")
    assert "`t` <- structure(c(1, 1, 1, 1, 1, 2," in r


@pytest.fixture(scope="module")
def contrast_level(tmp_path_factory):
    """A review of standardised differences: arms of equal treatment, three-armed studies, several experiments."""
    folder = tmp_path_factory.mktemp("diet")
    export("maternal-diet", folder, ("netmeta", "jags", "multinma", "gemtc"), outcomes="outcome = 'anxiety'")
    return folder


def test_arms_of_one_treatment_are_combined_and_said(contrast_level):
    import json

    losses = json.loads((contrast_level / "provenance.json").read_text(encoding="utf-8"))["losses"]
    assert any("Arms with the same treatment were combined" in loss for loss in losses["netmeta"])
    with (contrast_level / "netmeta" / "anxiety-SMD.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["treat1"] != row["treat2"] for row in rows)
    assert len({(row["studlab"], row["treat1"], row["treat2"]) for row in rows}) == len(rows)


@pytest.mark.slow
def test_rates_hazard_ratios_and_awkward_names(tmp_path):
    """Every format takes them or says why not: no n, no direction of benefit, names with quotes and signs."""
    rates = 'study,trt,r,E\n"S ""1"", é",A & B,3,100\n"S ""1"", é",p,5,90.5\ns2,A & B,2,80\ns2,p,4,81\n'
    ratios = "studlab,treat1,treat2,TE,seTE\ns1,a,p,-0.5,0.2\ns2,b,p,-0.3,0.25\ns3,a,p,-0.4,0.3\n"
    for name, text, measure in (("rates", rates, None), ("ratios", ratios, "HR")):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        import_arms(tmp_path / f"{name}.csv", tmp_path / name, outcome="falls", measure=measure)
        export(tmp_path / name, tmp_path / f"{name}-out", [*FORMATS, "metafor", "revman"])
    out = tmp_path / "rates-out"
    with (out / "netmeta" / "falls-IRR.csv").open(encoding="utf-8", newline="") as stream:
        assert next(csv.DictReader(stream))["studlab"] == 'S "1", é'
    assert "rank" not in (out / "netmeta" / "falls-IRR.R").read_text(encoding="utf-8")
    with (out / "gemtc" / "falls-IRR-treatments.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["id"]: row["description"] for row in csv.DictReader(stream)} == {
            "p": "p",
            "A___B": "A & B",
        }
    import_arms(out / "stata" / "falls-IRR.dta", tmp_path / "again", outcome="falls")
    want = contrasts(tmp_path / "rates", "IRR")
    found = contrasts(tmp_path / "again", "IRR")
    assert {key: pytest.approx(value) for key, value in want.items()} == found
    losses = (tmp_path / "ratios-out" / "provenance.json").read_text(encoding="utf-8")
    assert "falls-HR is not written: MetaInsight takes events or means of every arm" in losses


def test_a_disconnected_or_empty_part_is_refused_with_its_reason(tmp_path):
    with pytest.raises(RefusedError, match="no network to write as netmeta"):
        export("smoking", tmp_path, ["netmeta"], treatments="treatment = 'self_help'")


@pytest.fixture(scope="module")
def metafor_folders(tmp_path_factory):
    folders = {}
    for review, outcomes in (("diabetes", None), ("maternal-diet", "outcome = 'anxiety'")):
        folders[review] = tmp_path_factory.mktemp(f"metafor-{review}")
        export(review, folders[review], ["metafor"], outcomes=outcomes)
    return folders


@pytest.mark.slow
@pytest.mark.usefixtures("r_with")
@pytest.mark.parametrize("r_with", ["metafor"], indirect=True)
@pytest.mark.parametrize(
    ("review", "name", "outcome", "measure"),
    [("diabetes", "hba1c-MD", "hba1c", "MD"), ("maternal-diet", "anxiety-SMD", "anxiety", "SMD")],
)
def test_metafor_gives_our_pooled_estimates(metafor_folders, review, name, outcome, measure):
    """REML with Hartung and Knapp, effects of one study combined by their covariance, to 4 digits."""
    text = run_r(metafor_folders[review] / "metafor" / f"{name}.R")
    assert float(text.split("escalc:")[1].split()[0]) < 1e-12
    lines = [line.split("|") for line in text.splitlines() if line.count("|") > 5]
    assert len(lines) >= 3
    with evidence.open(review) as db:
        for comparison, interval, k, *numbers in (line[:8] for line in lines):
            treatment, versus = comparison.split(" - ")
            fit = pairwise.fit(
                db, outcome=outcome, measure=measure, treatment=treatment, versus=versus, ci=interval
            )
            ours = fit.estimates()
            ours = ours[(ours["model"] == "random") & ours["level"].isna()].iloc[0]
            heterogeneity = fit.heterogeneity()
            tau2 = heterogeneity.loc[heterogeneity["model"] == "random", "tau2"].iloc[0]
            estimate, error, lower, upper, theirs = map(float, numbers)
            scale = ours["std_error"]
            assert int(k) == fit.rows.n
            assert estimate == pytest.approx(ours["estimate"], abs=1e-4 * scale), comparison
            assert error == pytest.approx(scale, rel=1e-4), comparison
            assert theirs == pytest.approx(tau2, rel=1e-3, abs=1e-6), comparison
            limits = ours["ci_lower"], ours["ci_upper"]
            assert (lower, upper) == pytest.approx(limits, abs=1e-3 * scale), comparison


_NETWORK_IN_METAFOR = """
suppressMessages(library(metafor))
rows <- read.csv("{name}.csv")
rows$block <- match(rows$studlab, unique(rows$studlab))
nodes <- setdiff(sort(unique(c(rows$treat1, rows$treat2))), "{reference}")
X <- sapply(nodes, function(node) (rows$treat1 == node) - (rows$treat2 == node))
keep <- unlist(lapply(split(seq_len(nrow(rows)), rows$block), function(at) at[rows$treat1[at] == rows$treat1[at[1]]]))
V <- diag(rows$seTE^2)
for (i in keep) for (j in keep) if (i != j && rows$block[i] == rows$block[j]) {{
  third <- which(rows$block == rows$block[i] & ((rows$treat1 == rows$treat2[i] & rows$treat2 == rows$treat2[j]) |
                                               (rows$treat1 == rows$treat2[j] & rows$treat2 == rows$treat2[i])))
  V[i, j] <- (rows$seTE[i]^2 + rows$seTE[j]^2 - rows$seTE[third]^2) / 2
}}
rows$row <- seq_len(nrow(rows))
V <- V[keep, keep]
X <- X[keep, , drop = FALSE]
fit <- rma.mv(TE, V, mods = X, intercept = FALSE, data = rows[keep, ], random = ~ row | block, struct = "CS",
              rho = 0.5)
cat(paste(nodes, fit$beta, fit$se, fit$tau2, sep = "|"), sep = "\\n")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("r_with")
@pytest.mark.parametrize("r_with", ["metafor"], indirect=True)
@pytest.mark.parametrize(("review", "name", "measure"), CASES)
def test_the_contrasts_of_netmeta_give_our_network(exported, review, name, measure):
    """Metafor's multivariate model on netmeta's table: estimates, errors and tau2 of our REML fit."""
    outcome = name.split("-")[0]
    with evidence.open(review) as db:
        net = network.load(db, outcome=outcome, measure=measure)
    script = exported[review] / "netmeta" / "check.R"
    script.write_text(_NETWORK_IN_METAFOR.format(name=name, reference=net.reference), encoding="utf-8")
    fit = network.fit(net, engine="frequentist", tau2="REML")
    ours = fit.estimates()
    ours = ours[
        (ours["model"] == "random") & (ours["versus"] == net.reference) & (ours["evidence"] == "network")
    ]
    ours = ours.set_index("treatment")
    heterogeneity = fit.heterogeneity()
    tau2 = heterogeneity.loc[heterogeneity["model"] == "random", "tau2"].iloc[0]
    lines = [line.split("|") for line in run_r(script).splitlines() if line.count("|") == 3]
    assert len(lines) == len(net.treatments) - 1
    for node, estimate, error, theirs in lines:
        assert float(estimate) == pytest.approx(ours.loc[node, "estimate"], abs=1e-4), node
        assert float(error) == pytest.approx(ours.loc[node, "std_error"], rel=1e-4), node
        assert float(theirs) == pytest.approx(tau2, rel=1e-4)
    # netmeta's own estimator differs where there are multi-arm studies: its script is given ours.
    preset = re.search(
        r"tau\.preset = ([0-9.e-]+)", (script.parent / f"{name}.R").read_text(encoding="utf-8")
    )
    assert (preset is not None) == any(block.k > 2 for block in net.blocks)
    if preset is not None:
        assert float(preset[1]) ** 2 == pytest.approx(tau2, rel=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("r_with")
@pytest.mark.parametrize("r_with", ["rjags"], indirect=True)
@pytest.mark.parametrize(
    ("review", "name", "outcome", "measure"),
    [("diabetes", "hba1c-MD", "hba1c", "MD"), ("maternal-diet", "anxiety-SMD", "anxiety", "SMD")],
)
def test_jags_gives_our_exact_posterior(exported, contrast_level, review, name, outcome, measure):
    """Arms with a normal likelihood, and contrasts with their covariance: within the chains' own error."""
    folder = exported.get(review, contrast_level)
    text = run_r(folder / "jags" / f"{name}.R", timeout=500)
    rows = {}
    for line in text.splitlines():
        cells = line.split()
        if len(cells) == 6 and not line.startswith(" "):
            rows[cells[0]] = [float(cell) for cell in cells[1:]]
    with evidence.open(review) as db:
        net = network.load(db, outcome=outcome, measure=measure)
    fit = network.fit(net, engine="exact", model="random")
    ours = fit.estimates()
    ours = ours[(ours["versus"] == net.reference) & (ours["evidence"] == "network")].set_index("treatment")
    for node in net.treatments[1:]:
        mean, sd = rows[node][:2]
        assert mean == pytest.approx(ours.loc[node, "estimate"], abs=0.05 * sd), node
        assert rows[node][2] == pytest.approx(ours.loc[node, "ci_lower"], abs=0.1 * sd), node
        assert rows[node][4] == pytest.approx(ours.loc[node, "ci_upper"], abs=0.1 * sd), node
    tau = fit.heterogeneity().set_index("model").loc["random", "tau"]
    assert rows["sd"][0] == pytest.approx(tau, rel=0.1)


def test_contrasts_of_a_dataset_are_those_of_the_network():
    from evidence.opening import resolve

    with select(resolve("parkinson"), Conditions()) as selection:
        (dataset,) = datasets(selection, "netmeta")
        net = network.load(selection.db, outcome="off_time", measure="MD")
        pairs = [pair for study in dataset.studies() for pair in study.pairs()]
        assert len(pairs) == len(net.contrasts)
        want = sorted(net.contrasts["estimate"].abs())
        assert np.allclose(sorted(abs(pair[2]) for pair in pairs), want)
        assert np.allclose(sorted(pair[3] for pair in pairs), sorted(net.contrasts["std_error"]))
