"""Write what was taken from complete runs of tools that are not at hand: metafor 5.1.0, netmeta, JAGS, gemtc, a quadrature.

Run as ``python tests/oracles/regenerate/extracts.py ORACLE FILE > MADE``, where ORACLE is the directory of complete
results beside the checkout (``expected/NAME.json``, ``data/NAME.csv``). What is taken is what FILE has: to pin one more
figure, add its key with any value. What is typed in (sources, citations) stays.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
TYPED = {
    "citation",
    "source",
    "measure",
    "reference",
    "lower_is_better",
    "gemtc/prior_effects",
    "gemtc/prior_sd",
}
WHERE: dict[str, dict[str, list[str]]] = {
    "pairwise_metafor.json": {
        "tau2_ci": ["pairwise/measures/{measure}/tau2_ci/{rest}/values"],
        "cumul_dl": ["pairwise/measures/{measure}/cumul_dl_data_order/{rest}"],
        "": ["pairwise/measures/{measure}/{rest}", "pairwise/{rest}", "pairwise/measures/{rest}"],
    },
    "network_netmeta.json": {
        "contrasts": ["network/contrasts_all/{rest}"],
        "contribution": ["network/contribution/random/{rest}"],
        "contribution_randomwalk": ["network/contribution_randomwalk/random/{rest}"],
        "hat_davies_full": ["network/hat_davies_full/common/{rest}"],
        "": ["network/net/{rest}", "network/{rest}"],
    },
    "network_exact.json": {
        "quadrature/ume": ["bayes_exact_contrast_level/ume_re_uniform/{rest}"],
        "quadrature/node_splits": ["bayes_exact_contrast_level/nodesplit_omega/{rest}"],
        "quadrature": ["bayes_exact_contrast_level/{rest}"],
        "jags/prediction": ["bayes_jags/re/prediction_new_study/{rest}"],
        "jags/sucra_small_good": ["bayes_jags/re/ranking/small_values_good/sucra/{rest}"],
        "jags/rank_probabilities_small_good": ["bayes_jags/re/ranking/small_values_good/rank_prob/{rest}"],
        "jags": ["bayes_jags/re/{rest}"],
        "gemtc": ["bayes_gemtc/consistency_re_default/{rest}"],
    },
    "network_counts.json": {
        "models/common/sucra": ["bayes_jags/fe/ranking/large_values_good/sucra/{rest}"],
        "models/random/sucra": ["bayes_jags/re/ranking/large_values_good/sucra/{rest}"],
        "models/random/prediction": ["bayes_jags/re/prediction_new_study/{rest}"],
        "models/common": ["bayes_jags/fe/{rest}"],
        "models/random": ["bayes_jags/re/{rest}"],
        "unrelated_mean_effects": ["bayes_jags/ume_re/ume_contrasts/{rest}", "bayes_jags/ume_re/{rest}"],
    },
}
"""Where in the complete results of a data set each part of a file stands; the longest beginning counts."""
RENAMED = {
    "unrelated_mean_effects/versus": "unrelated_mean_effects/t1",
    "unrelated_mean_effects/treatment": "unrelated_mean_effects/t2",
    "unrelated_mean_effects/tau_median": "unrelated_mean_effects/tau/q50",
    "unrelated_mean_effects/DIC": "unrelated_mean_effects/dic/DIC",
}
COLUMNS = {"counts", "arms", "year", "ablat", "alloc"}
"""Parts that are columns of the data."""
PRINTED = {"network_netmeta.json": ".13g", "network_exact.json": ".13g", "network_counts.json": ".6f"}
"""How numbers are rounded; as they are without it. The DIC of counts has one decimal fewer."""


def at(found: Any, path: str) -> Any:
    for key in path.split("/"):
        found = found[key]
    return found


def leaf(file: str, place: str, entry: Any, found: Any) -> Any:
    place = RENAMED.get(place, place)
    begins = [key for key in WHERE[file] if not key or place.startswith(key + "/")]
    key = max(begins, key=len)
    *parents, last = place.removeprefix(key).removeprefix("/").split("/")
    for way in WHERE[file][key]:
        # The splits of the quadrature have their posterior one level down.
        for inner in ([last], ["omega", last]):
            with suppress(KeyError, TypeError):
                return at(found, way.format(measure=entry.get("measure"), rest="/".join(parents + inner)))
    raise KeyError(f"{file}: {place} stands nowhere in the complete results.")


def column(rows: list[dict[str, str]], name: str, old: list[Any]) -> list[Any]:
    names = ("events", "responders") if name == "events" else (name,)
    cells = next([row[known] for row in rows] for known in names if known in rows[0])
    return [type(was)(float(cell)) if isinstance(was, int | float) else cell for cell, was in zip(cells, old)]


def rounded(value: Any, form: str | None) -> Any:
    if isinstance(value, list):
        return [rounded(one, form) for one in value]
    return float(format(value, form)) if form and isinstance(value, float) else value


def filled(file: str, entry: Any, found: Any, rows: list[dict[str, str]]) -> Any:
    def walk(part: Any, place: str) -> Any:
        if isinstance(part, Mapping) and part:
            return {key: walk(value, f"{place}/{key}".lstrip("/")) for key, value in part.items()}
        if place in TYPED or place.endswith("/source"):
            return part
        if place.split("/")[0] in COLUMNS:
            return column(rows, place.split("/")[-1], part)
        form = None if place.startswith("funnel/") else PRINTED.get(file)
        if file == "network_counts.json" and place.split("/")[-1] in ("Dbar", "pD", "DIC"):
            form = ".5f"
        return rounded(leaf(file, place, entry, found), form)

    return walk(entry, "")


def main(oracle: Path, file: str) -> None:
    made = json.loads((HERE / file).read_text(encoding="utf-8"))
    sets = made["data" if file == "pairwise_metafor.json" else "networks"]
    for name, entry in sets.items():
        found = json.loads((oracle / "expected" / f"{name}.json").read_text(encoding="utf-8"))
        with (oracle / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            sets[name] = filled(file, entry, found, list(csv.DictReader(stream)))
    print(json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"'))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
