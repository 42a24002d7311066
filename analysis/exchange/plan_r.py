"""The plan as one R script, with the rows that enter: metafor; netmeta and rjags where they are installed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.exchange.bugs import for_jags
from analysis.exchange.contrasts import pairs_and_script
from analysis.exchange.datasets import number, one_line, quoted
from analysis.exchange.planned import Planned, planned, write_expected, write_table
from analysis.network.model import priors
from evidence.selection import Selection

FUNCTIONS = Path(__file__).with_name("plan_functions.R")

_TAILS_BEYOND = 1e3
"""How far beyond its reach a prior with a heavy tail is integrated."""


def write_plan_r(selection: Selection, directory: Path) -> list[Path]:
    """Write every analysis of the plan for R: its rows, and ``plan.R``, which carries them all out.

    The script compares what it finds with the result rows of the evidence base, if ``evidence analyse`` has
    made any.
    """
    target = directory / "plan-r"
    target.mkdir(exist_ok=True)
    files, parts, in_r = [], [], []
    for one in planned(selection):
        parts.append(_heading(one))
        if one.refused:
            selection.lose("plan-r", f"{one.name} is not written: {one.refused}")
            continue
        if one.of_counts:
            assert one.dataset is not None
            files += for_jags(selection, target, replace(one.dataset, name=f"{one.file}-jags"))
            parts.append(_sourced("rjags", f"{one.file}-jags.R"))
            continue
        prior = _prior(one) if one.bayesian else ""
        if prior is None:
            selection.lose("plan-r", f"{one.name} is not written: R has no density of {one.priors[0]}")
            continue
        files += write_table(selection, target, one)
        parts.append(_call(one, prior))
        in_r.append(one.name)
        if one.dataset is not None and not one.bayesian:
            files += pairs_and_script(selection, target, replace(one.dataset, name=f"{one.file}-netmeta"))
            parts.append(_sourced("netmeta", f"{one.file}-netmeta.R"))
    files += write_expected(selection, target, in_r)
    script = target / "plan.R"
    script.write_text(_script(selection, parts), encoding="utf-8")
    return [*files, script]


def _script(selection: Selection, parts: list[str]) -> str:
    title = one_line(str(selection.db.value("select title from review")))
    functions = FUNCTIONS.read_text(encoding="utf-8")
    return (
        f"# The planned analyses of: {title}\n"
        "# The files beside this script hold the rows that enter each analysis: conditions, time rule and\n"
        "# the rule on risk of bias are applied. Run it in this folder: Rscript plan.R\n"
        f"{functions}\nresults <- list()\n{''.join(parts)}\n"
        "results <- do.call(rbind, results)\n"
        'write.csv(results, "results.csv", row.names = FALSE)\n'
        "shown(results)\n"
        "compare(results)\n"
    )


def _heading(one: Planned) -> str:
    lines = [f"\n# --- {one_line(one.name)}", *(f"# {one_line(text)}" for text in one.said())]
    if one.refused:
        lines.append(f"# Not carried out: {one_line(one.refused)}")
    elif one.of_counts:
        lines.append("# A likelihood of the arms' counts: JAGS, by Markov chains.")
    elif one.bayesian:
        lines.append("# Bayesian, without sampling: tau by quadrature, all else in closed form.")
    if one.dataset is not None and one.row["leave_one_out"] and one.bayesian:
        lines.append("# Not in this script: the analysis without each study.")
    if one.row["node_split"]:
        split = "by netmeta, if it is installed" if not one.bayesian else "not in this script"
        lines.append(f"# Direct against indirect evidence: {split}.")
    return "\n".join(lines) + "\n"


def _call(one: Planned, prior: str) -> str:
    row = one.row
    given: dict[str, str] = {"name": quoted(one.name), "file": quoted(one.file)}
    if one.fit is not None:
        options = one.fit.options
        given |= {
            "treatment": quoted(one.fit.contrasts.treatment),
            "versus": quoted(one.fit.contrasts.versus),
            "tau2": quoted(options.tau2_method),
            "ci": quoted(options.ci),
            "dependence": quoted(options.dependence),
        }
        if options.by is not None:
            given["subgroup"] = quoted(options.by)
        if one.moderators:
            given["moderators"] = _vector(one.moderators)
            levels = (_vector(one.levels[name]) if name in one.levels else "NULL" for name in one.moderators)
            given["levels"] = f"list({', '.join(levels)})"
        return _listed("pairwise", given)
    assert one.dataset is not None
    net = one.dataset.net
    given |= {
        "treatments": _vector(net.treatments),
        "reference": quoted(net.reference),
        "models": _vector(one.models),
    }
    if not one.bayesian:
        leave = str(bool(row["leave_one_out"])).upper()
        return _listed("network", given | {"tau2": quoted(row["tau2"]), "leave_one_out": leave})
    stated, effect_sd = one.priors
    reach = stated.upper if math.isfinite(stated.upper) else stated.reach * _TAILS_BEYOND
    return _listed(
        "bayes",
        given
        | {
            "prior": prior,
            "tau_from": _plain(max(stated.minimum, 1e-9 * reach)),
            "tau_to": _plain(min(reach, stated.upper)),
            "effect_sd": "Inf" if math.isinf(effect_sd) else _plain(effect_sd),
        },
    )


def _listed(function: str, given: Mapping[str, str]) -> str:
    inside = ",\n  ".join(f"{name} = {value}" for name, value in given.items())
    return f"results[[length(results) + 1]] <- {function}(list(\n  {inside}\n))\n"


def _vector(values: Any) -> str:
    return f"c({', '.join(quoted(value) for value in values)})"


def _plain(value: float) -> str:
    return str(number(float(value)))


def _sourced(package: str, file: str) -> str:
    """Run a script of its own where its package is installed."""
    return (
        f'if (requireNamespace("{package}", quietly = TRUE)) {{\n'
        f'  source({quoted(file)}, encoding = "UTF-8", local = new.env())\n'
        f'}} else cat("{package} is not installed: not run:", {quoted(file)}, "\\n")\n'
    )


_DENSITY = {
    ("sd", "dunif"): "dunif(tau, {0}, {1})",
    ("sd", "dnorm"): "dnorm(tau, {0}, {1}^-0.5)",
    ("sd", "dt"): "dt((tau - {0}) * sqrt({1}), {2})",
    ("sd", "dlnorm"): "dlnorm(tau, {0}, {1}^-0.5)",
    ("sd", "dexp"): "dexp(tau, {0})",
    ("sd.2", "dlnorm"): "dlnorm(tau^2, {0}, {1}^-0.5) * tau",
    ("log.sd.2", "dt"): "dt((2 * log(tau) - {0}) * sqrt({1}), {2}) / tau",
    ("log.sd.2", "dnorm"): "dnorm(2 * log(tau), {0}, {1}^-0.5) / tau",
    ("tau", "dgamma"): "dgamma(tau^-2, {0}, {1}) * tau^-3",
}
"""Density of tau in R, up to a constant, by how BUGS states the prior: what has a distribution, and which."""


def _prior(one: Planned) -> str | None:
    """Write the prior of tau as an R function; None where R has none."""
    stated: priors.Prior = one.priors[0]
    try:
        bugs = stated.in_bugs()
    except NotImplementedError:
        return None
    density = _DENSITY.get((bugs.node, bugs.density))
    if density is None:
        return None
    return f"function(tau) {density.format(*(_plain(value) for value in bugs.parameters))}"
