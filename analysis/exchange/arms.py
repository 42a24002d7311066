"""Tables with one row per arm, in the columns of gemtc, multinma, CINeMA, MetaInsight and Stata's network."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.exchange.datasets import MEANINGS, Dataset, datasets, plain_ids, quoted, write_rows
from evidence import facts
from evidence.selection import Selection

Row = dict[str, Any]

STAMP = datetime.datetime(2000, 1, 1)
"""The time that a Stata file says it was made at: equal evidence gives equal bytes."""

_OF_KIND: dict[str, dict[str, tuple[str, ...]]] = {
    "gemtc": {
        "continuous": ("mean", "std.dev:sd", "sampleSize:n"),
        "binary": ("responders:events", "sampleSize:n"),
        "rate": ("responders:events", "exposure"),
    },
    "multinma": {
        "continuous": ("y:mean", "se", "sample_size:n"),
        "binary": ("r:events", "n"),
        "rate": ("r:events", "E:exposure"),
    },
    "cinema": {"continuous": ("y:mean", "sd", "n"), "binary": ("r:events", "n")},
    "metainsight": {"continuous": ("Mean:mean", "SD:sd", "N:n"), "binary": ("R:events", "N:n")},
    "stata": {
        "continuous": ("mean", "sd", "n"),
        "binary": ("events", "n"),
        "rate": ("events", "exposure", "n"),
    },
}
"""Statistics of an arm by format and kind of outcome: ``column`` or ``column:what of ours it holds``."""


def arm_rows(dataset: Dataset, format: str, study: str, treatment: str) -> list[Row] | None:
    """One row per arm in the columns of a format that hold anything; None if the dataset has no such data."""
    columns = _OF_KIND[format].get(dataset.kind)
    if dataset.arms is None or columns is None:
        return None
    rows = []
    for item in dataset.studies():
        for place, name in enumerate(item.treatments):
            row: Row = {study: item.label, treatment: name}
            for column in columns:
                column, _, ours = column.partition(":")
                row[column] = item.value(ours or column, place)
            rows.append(row)
    known = {column for row in rows for column, value in row.items() if value is not None}
    return [{column: value for column, value in row.items() if column in known} for row in rows]


def _relative_rows(dataset: Dataset, treatment: str, effect: str, error: str) -> list[Row]:
    """One row per arm: effects against the base arm, whose row has none but the error of the base arm's mean.

    That is how gemtc (``data.re``) and multinma (``set_agd_contrast``) write contrasts.
    """
    rows = []
    for study in dataset.studies():
        base: Row = {"study": study.label, treatment: study.treatments[0], effect: None, error: None}
        if len(study.y) > 1:
            base[error] = float(study.covariance[0, 1]) ** 0.5
        rows.append(base)
        rows += [
            {"study": study.label, treatment: name, effect: float(y), error: float(variance) ** 0.5}
            for name, y, variance in zip(study.treatments[1:], study.y, study.covariance.diagonal())
        ]
    return rows


def _one_covariance(dataset: Dataset, format: str, selection: Selection) -> bool:
    """Whether the contrasts of each study share one positive covariance, as ``data.re`` assumes."""
    for study in dataset.studies():
        off = study.covariance[~np.eye(len(study.y), dtype=bool)]
        if off.size and (off.min() <= 0 or off.max() - off.min() > 1e-9 * off.max()):
            selection.lose(
                format,
                f"{dataset.name} is not written: in {study.label} the contrasts with the base arm do not "
                "share one covariance above 0, and the format has place for one alone: use netmeta or jags",
            )
            return False
    return True


_OTHER = {
    **dict.fromkeys(("study", "Study", "id"), "study"),
    **dict.fromkeys(("treatment", "trt", "t", "T"), "treatment"),
    **dict.fromkeys(("treat1", "t1"), "treat1"),
    **dict.fromkeys(("treat2", "t2"), "treat2"),
    **dict.fromkeys(("effect", "TE"), "estimate"),
    "seTE": "std_error",
    **{name: name for name in ("rob", "study_number", "code")},
}
"""Columns that are no statistic of an arm, and what each holds in our words."""


def _describe(selection: Selection, format: str, dataset: Dataset, rows: Sequence[Row], file: str) -> None:
    """Say in the data dictionary what the columns of a file hold."""
    ours = {
        name: of or name for name, _, of in (c.partition(":") for c in _OF_KIND[format].get(dataset.kind, ()))
    }
    if "diff" in rows[0] or ("y" in rows[0] and rows[0]["y"] is None):
        ours = dict(zip(("diff", "std.err", "y", "se"), ("relative", "relative_error") * 2))
    elif "effect" in rows[0]:
        ours = {"se": "std_error"}
    columns = dict.fromkeys(column for row in rows for column in row)
    found = {column: MEANINGS[{**_OTHER, **ours}[column]] for column in columns}
    selection.describe(f"{format}/{file}", found)


def _write(path: Path, rows: Sequence[Row], missing: str = "") -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return write_rows(path, columns, [[row.get(column) for column in columns] for row in rows], missing)


def write_gemtc(selection: Selection, directory: Path) -> list[Path]:
    """Write each network for gemtc: arms or contrasts, treatments, a script, and the JSON of GeMTC."""
    files = []
    target = directory / "gemtc"
    for dataset in datasets(selection, "gemtc"):
        ids = plain_ids(dataset.net.treatments)
        rows = arm_rows(dataset, "gemtc", "study", "treatment") if dataset.by_arm else None
        shape = "data.re" if rows is None else "data.ab"
        if rows is None:
            if not _one_covariance(dataset, "gemtc", selection):
                continue
            rows = _relative_rows(dataset, "treatment", "diff", "std.err")
        rows = [{**row, "treatment": ids[row["treatment"]]} for row in rows]
        files.append(_write(target / f"{dataset.name}.csv", rows, "NA"))
        _describe(selection, "gemtc", dataset, rows, f"{dataset.name}.csv")
        treatments = [
            {"id": ids[name], "description": dataset.net.labels.get(name, name)}
            for name in dataset.net.treatments
        ]
        files.append(_write(target / f"{dataset.name}-treatments.csv", treatments))
        selection.describe(
            f"gemtc/{dataset.name}-treatments.csv",
            {"id": "treatment, in letters that gemtc takes", "description": "its printed name"},
        )
        entries = [{k: _jsonable(v) for k, v in row.items() if v is not None} for row in rows]
        named = [{"id": item["id"], "name": name} for item, name in zip(treatments, dataset.net.treatments)]
        text = json.dumps({"entries": entries, "treatments": named}, ensure_ascii=False, indent=1)
        problem = target / f"{dataset.name}.json"
        problem.write_text(text + "\n", encoding="utf-8")
        files.append(problem)
        files.append(_script(target, dataset, _gemtc_script(dataset, shape, ids)))
    return files


def _jsonable(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


_LIKELIHOOD = {
    "continuous": ("normal", "identity"),
    "binary": ("binom", "logit"),
    "rate": ("poisson", "log"),
}


def _gemtc_script(dataset: Dataset, shape: str, ids: Mapping[str, str]) -> str:
    model = ""
    if shape == "data.ab":
        likelihood, link = _LIKELIHOOD[dataset.kind]
        model = f', likelihood = "{likelihood}", link = "{link}"'
    elif dataset.net.scale == "log":
        model = ', likelihood = "normal", link = "identity"'
    return f"""\
library(gemtc)
data <- read.csv("{dataset.name}.csv", check.names = FALSE)
treatments <- read.csv("{dataset.name}-treatments.csv")
network <- mtc.network({shape} = data, treatments = treatments)
model <- mtc.model(network, linearModel = "random"{model})
fit <- mtc.run(model)
print(gelman.diag(fit))
print(summary(relative.effect(fit, t1 = "{ids[dataset.net.reference]}")))
"""


def _script(target: Path, dataset: Dataset, text: str, ending: str = "R", mark: str = "#") -> Path:
    path = target / f"{dataset.name}.{ending}"
    path.write_text(f"{mark} Network meta-analysis of {dataset.name}.\n{text}", encoding="utf-8")
    return path


def write_multinma(selection: Selection, directory: Path) -> list[Path]:
    """Write each network for multinma, as arms (``set_agd_arm``) or contrasts (``set_agd_contrast``)."""
    files = []
    target = directory / "multinma"
    for dataset in datasets(selection, "multinma"):
        rows = arm_rows(dataset, "multinma", "study", "trt") if dataset.by_arm else None
        if rows is not None:
            columns = {"continuous": "y = y, se = se, sample_size = sample_size", "binary": "r = r, n = n",
                       "rate": "r = r, E = E"}[dataset.kind]  # fmt: skip
            setup = f"set_agd_arm(data, study = study, trt = trt, {columns}"
        elif _one_covariance(dataset, "multinma", selection):
            rows = _relative_rows(dataset, "trt", "y", "se")
            setup = "set_agd_contrast(data, study = study, trt = trt, y = y, se = se"
        else:
            continue
        files.append(_write(target / f"{dataset.name}.csv", rows, "NA"))
        _describe(selection, "multinma", dataset, rows, f"{dataset.name}.csv")
        rank = ""
        if dataset.net.lower_is_better is not None:
            better = str(dataset.net.lower_is_better).upper()
            rank = f"print(posterior_rank_probs(fit, lower_better = {better}))\n"
        files.append(
            _script(
                target,
                dataset,
                f"""\
library(multinma)
data <- read.csv("{dataset.name}.csv")
net <- {setup},
  trt_ref = {quoted(dataset.net.reference)})
fit <- nma(net, trt_effects = "random", seed = {dataset.seed})
print(relative_effects(fit))
{rank}""",
            )
        )
    return files


def write_cinema(selection: Selection, directory: Path) -> list[Path]:
    """Write each network as CINeMA's long table of arms, or its table of contrasts."""
    files = []
    target = directory / "cinema"
    selection.lose("cinema", "indirectness is not in the evidence: CINeMA asks for it, add the column")
    for dataset in datasets(selection, "cinema"):
        rows = arm_rows(dataset, "cinema", "id", "t")
        if rows is None:
            rows = [
                {"id": study.label, "t1": study.treatments[i], "t2": study.treatments[j],
                 "effect": estimate, "se": error}
                for study in dataset.studies()
                for i, j, estimate, error in study.pairs()
            ]  # fmt: skip
        rows = _with_rob(dataset, rows, "id")
        files.append(_write(target / f"{dataset.name}.csv", rows))
        _describe(selection, "cinema", dataset, rows, f"{dataset.name}.csv")
    return files


def write_metainsight(selection: Selection, directory: Path) -> list[Path]:
    """Write each network as the long table of MetaInsight."""
    files = []
    target = directory / "metainsight"
    for dataset in datasets(selection, "metainsight"):
        rows = arm_rows(dataset, "metainsight", "Study", "T")
        if rows is None:
            selection.lose(
                "metainsight",
                f"{dataset.name} is not written: MetaInsight takes events or means of every arm",
            )
            continue
        rows = _with_rob(dataset, rows, "Study")
        files.append(_write(target / f"{dataset.name}.csv", rows))
        _describe(selection, "metainsight", dataset, rows, f"{dataset.name}.csv")
    return files


def _with_rob(dataset: Dataset, rows: Sequence[Row], study: str) -> list[Row]:
    """Add the overall risk of bias of each study (1 low, 2 some concerns, 3 high) where any is known."""
    rob = {item.label: item.rob for item in dataset.studies()}
    if not any(rob.values()):
        return list(rows)
    return [{**row, "rob": rob[row[study]]} for row in rows]


def write_stata(selection: Selection, directory: Path) -> list[Path]:
    """Write each network as a Stata file, by arm if that is known, and a do-file for Stata's network."""
    import pandas as pd

    files = []
    target = directory / "stata"
    for dataset in datasets(selection, "stata"):
        rows = for_network(dataset)
        if rows is None:
            rows = [
                {"study": study.label, "treat1": study.treatments[i], "treat2": study.treatments[j],
                 "TE": estimate, "seTE": error}
                for study in dataset.studies()
                for i, j, estimate, error in study.pairs()
            ]  # fmt: skip
        _describe(selection, "stata", dataset, rows, f"{dataset.name}.dta")
        path = target / f"{dataset.name}.dta"
        target.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_stata(
            path, write_index=False, version=118, time_stamp=STAMP, data_label=dataset.name[:80]
        )
        files.append(path)
        files.append(_script(target, dataset, _do_file(dataset, rows), "do", "*"))
    return files


_NETWORK = {"binary": ("events", "n"), "continuous": ("mean", "sd", "n"), "rate": ("events", "exposure")}
"""What network setup of Stata's network takes of an arm, by kind of outcome (White 2015, Stata J 15:951)."""
_LONGEST = 32
"""Letters that it takes of a treatment's name."""


def for_network(dataset: Dataset) -> list[Row] | None:
    """Arms for Stata's network; names stand beside a number and a code, so that none is read as code."""
    rows = arm_rows(dataset, "stata", "study", "treatment")
    if rows is None:
        return None
    ids = plain_ids(dataset.net.treatments, _LONGEST)
    numbers: dict[str, int] = {}
    return [
        {
            **row,
            "study_number": numbers.setdefault(row["study"], len(numbers) + 1),
            "code": ids[row["treatment"]],
        }
        for row in rows
    ]


def network_setup(dataset: Dataset, rows: Sequence[Row]) -> str | None:
    """Write the line that declares arms to Stata's network; None where it has no such measure or data."""
    measure = facts.name_in("stata", dataset.net.measure)
    needed = _NETWORK.get(dataset.kind, ())
    if measure is None or not needed or any(row.get(name) is None for row in rows for name in needed):
        return None
    reference = plain_ids(dataset.net.treatments, _LONGEST)[dataset.net.reference]
    return (
        f"network setup {' '.join(needed)}, studyvar(study_number) trtvar(code) armvars(drop) "
        f"ref({reference}) {measure}"
    )


def network_rank(dataset: Dataset) -> list[str]:
    """Write the line that ranks treatments with Stata's network; none without a direction of benefit."""
    lower = dataset.net.lower_is_better
    return (
        [] if lower is None else [f"network rank {'min' if lower else 'max'}, meanrank seed({dataset.seed})"]
    )


def _do_file(dataset: Dataset, rows: Sequence[Row]) -> str:
    read = f'use "{dataset.name}.dta", clear'
    setup = None if "treat1" in rows[0] else network_setup(dataset, rows)
    if setup is None:
        why = f"* The package network takes events or means of every arm: not {dataset.net.measure} of these."
        return f"{read}\n{why}\ndescribe\n"
    return "\n".join((read, setup, "network meta consistency, reml force", *network_rank(dataset), ""))
