"""Data and model of a network for JAGS and for BUGS, with the code-book of its numbers.

The models are those of Dias S, Sutton AJ, Ades AE, Welton NJ (2013), Med Decis Making 33:607-617: binomial,
Poisson or normal arms; for other measures the contrasts of each study with their covariance. R and JAGS write
a matrix column by column, BUGS row by row: the same numbers in another order.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from analysis.exchange.datasets import Dataset, datasets, number, one_line, write_rows
from analysis.network.model import priors
from analysis.network.model.specification import effect_scale
from evidence.selection import Selection

Data = dict[str, Any]

_ARMS = {
    "binary": {"r": "events", "n": "n"},
    "rate": {"r": "events", "E": "exposure"},
    "continuous": {"y": "mean", "se": "se"},
}
_LIKELIHOOD = {
    "binary": "      r[i,k] ~ dbin(p[i,k], n[i,k])\n      logit(p[i,k]) <- mu[i] + delta[i,k]\n",
    "rate": "      r[i,k] ~ dpois(theta[i,k])\n"
    "      log(lambda[i,k]) <- mu[i] + delta[i,k]\n      theta[i,k] <- lambda[i,k] * E[i,k]\n",
    "continuous": "      y[i,k] ~ dnorm(theta[i,k], prec[i,k])\n"
    "      theta[i,k] <- mu[i] + delta[i,k]\n      prec[i,k] <- 1 / pow(se[i,k], 2)\n",
}


_CODES = {
    "variable": "t for treatments, study for studies",
    "number": "number in the data: of t, or of the row",
    "name": "its name in the evidence",
    "label": "its printed name",
}
_NAMES = {
    "ns": "studies",
    "nt": "treatments",
    "na": "arms of each study",
    "n2": "studies of two arms, which come first",
    "t": "treatment of each arm by its number; study by arm, NA where there is no arm",
    "r": "events; study by arm",
    "n": "animals or participants; study by arm",
    "E": "time at risk; study by arm",
    "y": "mean, or effect against the base arm where P is given; study by arm",
    "se": "standard error of the mean; study by arm",
    "P": "inverse of the covariance of y in each study",
}


def write_jags(selection: Selection, directory: Path) -> list[Path]:
    """Write each network for JAGS: data as R dumps them (by column), model, script for rjags, code-book."""
    files = []
    for dataset in datasets(selection, "jags"):
        files += for_jags(selection, directory / "jags", dataset)
    return files


def for_jags(selection: Selection, target: Path, dataset: Dataset) -> list[Path]:
    """Write one network for JAGS."""
    data = _data(dataset)
    text = "".join(f"`{name}` <- {_r_value(value)}\n" for name, value in data.items())
    texts = {"data.R": text, "model.txt": _model(dataset, data, "T"), "R": _script(dataset)}
    return _written(selection, target, dataset, data, texts)


def write_bugs(selection: Selection, directory: Path) -> list[Path]:
    """Write each network for WinBUGS and OpenBUGS: data as a list (row by row), model, code-book."""
    files = []
    for dataset in datasets(selection, "bugs"):
        data = _data(dataset)
        text = ",\n".join(f"{name} = {_bugs_value(value)}" for name, value in data.items())
        texts = {"data.txt": f"list({text})\n", "model.txt": _model(dataset, data, "I")}
        files += _written(selection, directory / "bugs", dataset, data, texts)
    return files


def _written(
    selection: Selection, target: Path, dataset: Dataset, data: Data, texts: dict[str, str]
) -> list[Path]:
    """Write texts by the ending of their file, the first of which holds the data, and the code-book."""
    files = []
    target.mkdir(exist_ok=True)
    for ending, text in texts.items():
        path = target / f"{dataset.name}.{ending}"
        path.write_text(text, encoding="utf-8")
        files.append(path)
    net = dataset.net
    rows: list[tuple[Any, ...]] = [
        ("t", index, name, net.labels.get(name, name)) for index, name in enumerate(net.treatments, 1)
    ]
    rows += [
        ("study", index, net.studies[study.index][0], study.label)
        for index, study in enumerate(dataset.studies(), 1)
    ]
    codes = write_rows(target / f"{dataset.name}-codebook.csv", list(_CODES), rows)
    selection.describe(f"{target.name}/{files[0].name}", {name: _NAMES[name] for name in data})
    selection.describe(f"{target.name}/{codes.name}", _CODES)
    if dataset.by_arm and dataset.kind == "continuous" and "n" not in data:
        selection.lose(
            target.name, f"{dataset.name}: means and standard errors, not n, which some arms do not have"
        )
    return [*files, codes]


def _data(dataset: Dataset) -> Data:
    """Numbers and arrays by name; NaN where a study has fewer arms than the largest."""
    studies = list(dataset.studies())
    sizes = np.array([len(study.numbers) for study in studies])
    widest = int(sizes.max())
    data: Data = {"ns": len(studies), "nt": len(dataset.net.treatments), "na": sizes}
    t = np.full((len(studies), widest), np.nan)
    for i, study in enumerate(studies):
        t[i, : sizes[i]] = np.array(study.numbers) + 1
    data["t"] = t
    if dataset.by_arm:
        for name, ours in _ARMS[dataset.kind].items():
            values = np.full_like(t, np.nan)
            for i, study in enumerate(studies):
                values[i, : sizes[i]] = [study.value(ours, k) for k in range(sizes[i])]
            data[name] = values
        if dataset.kind == "continuous":
            sizes_known = np.full_like(t, np.nan)
            for i, study in enumerate(studies):
                n = [study.value("n", k) for k in range(sizes[i])]
                if None in n:
                    return data
                sizes_known[i, : sizes[i]] = n
            data["n"] = sizes_known
        return data
    data["n2"] = int((sizes == 2).sum())
    y = np.full((len(studies), widest - 1), np.nan)
    precision = np.full((len(studies), widest - 1, widest - 1), np.nan)
    for i, study in enumerate(studies):
        k = sizes[i] - 1
        y[i, :k] = study.y
        precision[i, :k, :k] = np.linalg.inv(study.covariance)
    return {**data, "y": y, "P": precision}


def _values(values: Iterable[Any]) -> str:
    return f"c({', '.join('NA' if np.isnan(value) else str(number(float(value))) for value in values)})"


def _r_value(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    if value.ndim == 1:
        return _values(value)
    return f"structure({_values(value.ravel(order='F'))}, .Dim = {_values(value.shape)})"


def _bugs_value(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    if value.ndim == 1:
        return _values(value)
    return f"structure(.Data = {_values(value.ravel(order='C'))}, .Dim = {_values(value.shape)})"


def _model(dataset: Dataset, data: Data, cut: str) -> str:
    """Random-effects model; ``cut`` is the word for a truncated prior: T in JAGS, I in WinBUGS."""
    scale = effect_scale(dataset.net)
    effect_sd = dataset.effect_prior_sd or 15 * scale
    prior = priors.Uniform(upper=scale) if dataset.tau_prior is None else priors.parse(dataset.tau_prior)
    stated = "" if dataset.tau_prior else ", by default the largest effect of any study, as in gemtc"
    if dataset.by_arm:
        centre = 15 * scale
        if dataset.kind == "continuous":
            centre = 1000 * max(scale, float(np.nanmax(np.abs(data["y"]))))
        # Programs refuse data that no node uses: the SD of each arm does.
        spread = "      sd.arm[i,k] <- se[i,k] * sqrt(n[i,k])\n" if "n" in data and "y" in data else ""
        likelihood = (
            f"    mu[i] ~ dnorm(0, {_precision(centre)})\n    for (k in 1:na[i]) {{\n"
            f"{_LIKELIHOOD[dataset.kind]}{spread}    }}\n"
        )
        contrasts = ""
    else:
        likelihood = ""
        contrasts = """\
  for (i in 1:n2) {
    y[i,1] ~ dnorm(delta[i,2], P[i,1,1])
  }
  for (i in (n2 + 1):ns) {
    y[i,1:(na[i] - 1)] ~ dmnorm(delta[i,2:na[i]], P[i,1:(na[i] - 1),1:(na[i] - 1)])
  }
"""
        if data["n2"] == data["ns"]:
            contrasts = contrasts[: contrasts.index("  for (i in (n2")]
    return f"""\
# {dataset.name}: random effects. Between-study SD: {prior}{stated}.
model {{
{contrasts}  for (i in 1:ns) {{
{likelihood}    delta[i,1] <- 0
    w[i,1] <- 0
    for (k in 2:na[i]) {{
      delta[i,k] ~ dnorm(md[i,k], taud[i,k])
      md[i,k] <- d[t[i,k]] - d[t[i,1]] + sw[i,k]
      taud[i,k] <- tau * 2 * (k - 1) / k
      w[i,k] <- delta[i,k] - d[t[i,k]] + d[t[i,1]]
      sw[i,k] <- sum(w[i,1:(k - 1)]) / (k - 1)
    }}
  }}
  d[1] <- 0
  for (k in 2:nt) {{
    d[k] ~ dnorm(0, {_precision(effect_sd)})
  }}
{_heterogeneity(prior, cut)}}}
"""


def _precision(sd: float) -> str:
    return str(number(sd**-2))


def _heterogeneity(prior: priors.Prior, cut: str) -> str:
    """Return the lines that give the between-study standard deviation its prior, and its precision tau."""
    stated = prior.in_bugs()
    numbers = ", ".join(str(number(float(value))) for value in stated.parameters)
    lines = (f"{stated.node} ~ {stated.density}({numbers}){_cut(cut, *stated.limits)}", *stated.follows)
    return "".join(f"  {line}\n" for line in lines)


def _cut(word: str, lower: float | None, upper: float | None) -> str:
    if lower is None and upper is None:
        return ""
    limits = ",".join("" if limit is None else str(number(float(limit))) for limit in (lower, upper))
    return f"{word}({limits})"


def _script(dataset: Dataset) -> str:
    name = dataset.name
    return f"""\
# Network meta-analysis of {name}: effects of each treatment against {one_line(dataset.net.reference)}.
library(rjags)
data <- new.env()
sys.source("{name}.data.R", data)
start <- function(chain) list(.RNG.name = "base::Mersenne-Twister", .RNG.seed = {dataset.seed} + chain)
model <- jags.model("{name}.model.txt", as.list(data), start, n.chains = 4, n.adapt = 2000)
update(model, 10000)
draws <- coda.samples(model, c("d", "sd"), n.iter = 40000, thin = 4)
codes <- read.csv("{name}-codebook.csv", colClasses = c(name = "character"))
table <- summary(draws)
rownames(table$statistics) <- c(codes$name[codes$variable == "t"], "sd")
print(cbind(table$statistics[, c("Mean", "SD")], table$quantiles[, c("2.5%", "50%", "97.5%")]), digits = 6)
print(gelman.diag(draws[, -1], multivariate = FALSE))
"""
