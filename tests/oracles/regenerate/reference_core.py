"""Make ``tests/oracles/reference_core.json`` from the directory of reference results beside the checkout.

Of every data set that may be passed on: the effects (or contrasts) that entered, and the few figures that tell an
engine that works from one that does not. Run as ``python tests/oracles/regenerate/reference_core.py ORACLE > MADE``.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

SOURCE = (
    "metafor 5.1.0, netmeta 3.4-0 (R 4.2.2), and a quadrature written apart from this project in R; data sets of "
    "metadat 1.7.2, multinma 0.8.0, gemtc, netmeta, metabook, rnmamod and orchaRd, each cited below"
)


def pairwise(found: dict[str, Any]) -> dict[str, Any]:
    exact = found["bayes_exact_contrast_level"]
    sharp = exact["input"].split("measures$")[1].split()[0]
    made = {}
    for measure, entry in found["pairwise"]["measures"].items():
        one = {"yi": entry["yi"], "vi": entry["vi"]}
        one["EE"] = {key: entry["models"]["EE"][key] for key in ("beta", "se", "QE")}
        for method in ("DL", "REML", "PM"):
            model = entry["models"][method]
            if "tau2" in model:  # else metafor did not find it
                one[method] = {key: model[key] for key in ("beta", "se", "tau2", "I2")}
        one["HK"] = {key: entry["knapp_hartung"]["DL"][key] for key in ("ci_lb", "ci_ub", "pval")}
        if measure == sharp:
            one["exact"] = posterior(exact["re_uniform"])
        made[measure] = one
    return made


def posterior(run: dict[str, Any]) -> dict[str, Any]:
    basic = {key: run["basic"][key] for key in ("treatment", "versus", "mean", "sd")}
    return {
        "prior_tau": run["prior_tau"],
        "tau": {key: run["tau"][key] for key in ("mean", "sd")},
        "basic": basic,
    }


def network(found: dict[str, Any], meta: dict[str, Any], table: Path) -> dict[str, Any]:
    net = found["network"]["net"]
    with table.open(encoding="utf-8", newline="") as file:
        contrasts = list(csv.DictReader(file))
    made: dict[str, Any] = {
        "measure": meta["effect_measure"],
        "reference": meta["reference"],
        "contrasts": {
            name: [float(row[name]) if name in ("te", "se") else row[name] for row in contrasts]
            for name in ("study", "treatment1", "treatment2", "te", "se")
        },
        "net": {key: net[key] for key in ("tau2", "Q", "df_Q", "I2")},
    }
    for model in ("common", "random"):
        pairs = net[f"pairs_{model}"]
        kept = [
            i for i, both in enumerate(zip(pairs["treat1"], pairs["treat2"])) if meta["reference"] in both
        ]
        made[model] = {key: [pairs[key][i] for i in kept] for key in ("treat1", "treat2", "TE", "seTE")}
    if "re_uniform" in found.get("bayes_exact_contrast_level", {}):
        made["exact"] = posterior(found["bayes_exact_contrast_level"]["re_uniform"])
    return made


def main(oracle: Path) -> None:
    made: dict[str, Any] = {"source": SOURCE, "cited": {}, "pairwise": {}, "network": {}}
    for file in sorted((oracle / "expected").glob("*.json")):
        name, found = file.stem, json.loads(file.read_text(encoding="utf-8"))
        meta = json.loads((oracle / "data" / f"{name}.meta.json").read_text(encoding="utf-8"))
        if "do not redistribute" in meta["licence"]:
            continue
        made["cited"][name] = f"{meta['citation']}; {meta['source']}"
        if "pairwise" in found:
            made["pairwise"][name] = pairwise(found)
        elif "net" in found["network"]:
            made["network"][name] = network(found, meta, oracle / "data" / f"{name}.contrasts.csv")
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"')
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
