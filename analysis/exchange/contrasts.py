"""Tables of contrasts: netmeta."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from analysis.exchange.datasets import MEANINGS, Dataset, datasets, quoted, write_rows
from analysis.network.model.gls import ESTIMATORS, Gls
from evidence import facts
from evidence.selection import Selection

CONTRAST_COLUMNS = {
    "studlab": "study",
    "treat1": "treat1",
    "treat2": "treat2",
    "TE": "estimate",
    "seTE": "std_error",
    "n1": "n1",
    "n2": "n2",
}
"""Columns of netmeta, and what each holds in our words."""

_TAU2 = frozenset(name for name, row in facts.estimators().items() if row.network)


def write_netmeta(selection: Selection, directory: Path) -> list[Path]:
    """Write each network as netmeta's contrasts, all pairs of a study's arms, and a script that fits it."""
    files = []
    target = directory / "netmeta"
    for dataset in datasets(selection, "netmeta"):
        files += pairs_and_script(selection, target, dataset)
    return files


def pairs_and_script(selection: Selection, target: Path, dataset: Dataset) -> list[Path]:
    """Write one network for netmeta: all pairs of each study's arms, and a script."""
    rows = [
        (study.label, study.treatments[i], study.treatments[j], estimate, error,
         study.value("n", i), study.value("n", j))
        for study in dataset.studies()
        for i, j, estimate, error in study.pairs()
    ]  # fmt: skip
    table = write_rows(target / f"{dataset.name}.csv", list(CONTRAST_COLUMNS), rows)
    meanings = {column: MEANINGS[ours] for column, ours in CONTRAST_COLUMNS.items()}
    selection.describe(f"{target.name}/{table.name}", meanings)
    script = target / f"{dataset.name}.R"
    script.write_text(_script(dataset), encoding="utf-8")
    return [table, script]


def _script(dataset: Dataset) -> str:
    net = dataset.net
    measure = facts.name_in("netmeta", net.measure) or net.measure
    tau2 = dataset.tau2 if dataset.tau2 in _TAU2 else "REML"
    preset, said = "", ""
    if tau2 != "DL" and any(block.k > 2 for block in net.blocks):
        between = ESTIMATORS[tau2](Gls.of(net))
        if isfinite(between):
            preset = f", tau.preset = {float(between) ** 0.5!r}"
            said = f"""\
# netmeta's {tau2} takes multi-arm studies apart into weighted pairs; evidence maximises the likelihood of the
# studies' contrasts with their covariance, which finds another heterogeneity: tau.preset is that one. Without
# it netmeta gives its own estimate, and other random-effects numbers.
"""
    small, rank = "", ""
    if net.lower_is_better is not None:
        small = f', small.values = "{"desirable" if net.lower_is_better else "undesirable"}"'
        rank = "print(netrank(fit))\n"
    return f"""\
# Network meta-analysis of {dataset.name}, as evidence nma fits it (engine frequentist).
{said}library(netmeta)
data <- read.csv("{dataset.name}.csv", colClasses = c(studlab = "character", treat1 = "character",
                 treat2 = "character"), na.strings = "")
fit <- netmeta(TE, seTE, treat1, treat2, studlab, data = data, sm = "{measure}",
               reference.group = {quoted(net.reference)}, method.tau = "{tau2}"{preset}{small},
               tol.multiarm = 1e-4, tol.multiarm.se = 1e-4)
print(summary(fit), digits = 6)
{rank}print(netsplit(fit))
"""
