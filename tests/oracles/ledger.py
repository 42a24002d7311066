"""Which blocks of reference figures beside the checkout no test has read: every set x measure x block has a reader.

Run after the tests, with ``ORACLE_LEDGER`` naming the folder they wrote to:
``python tests/oracles/ledger.py ORACLE LEDGER``. It prints what nothing read, and exits with 1 if there is any that
`UNREAD` does not account for, or if `UNREAD` accounts for what is read.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEASURE = r"pairwise/measures/\w+/"
UNREAD: dict[str, str] = {
    r"name|kind|split|[^/]+/(name|tool|R|note|times_s|time_s|priors|input|effect_measure|ids|n_\w+|\w+_note)": "no figure",
    MEASURE + "(study|k|k_used|warnings)": "no figure: labels, and how many rows there are",
    "network/contrasts_dropped": "no figure: what the tool left out",
    "pairwise/peto_[yv]i": "effects of single studies by Peto's method: not offered",
    MEASURE + "blup_reml": "best linear unbiased predictions: not offered",
    MEASURE + "fsn_rosenthal": "fail-safe N: not offered",
    MEASURE
    + "resid_rstandard_reml": "internally standardised residuals: not offered; the external ones are compared",
    MEASURE + "weights_reml": "the same numbers as influence_reml/weight, which are compared",
    MEASURE + "weights_ee": "1 / vi, whose sums are compared",
    MEASURE + "cumul_dl_by_year": "the same as in the order of the data, which is compared, in another order",
    MEASURE + "alt": "SMD with the unbiased variance: not offered",
    "pairwise/glmm": "five models on other software's optimisers: compared in test_pairwise_counts as pinned",
    "pairwise/mh_correct_TRUE": "Mantel-Haenszel with 0.5 added to all cells: not offered",
    "network/netmetabin_(MH|NCH)": "Mantel-Haenszel and non-central hypergeometric networks: not offered",
    "network/(netcomb|discomb)": "component networks: not offered",
    "network/(netimpact|rankogram)": "of one set; impacts are not offered, rank probabilities are compared as rank_mc",
    "bayes_gemtc/(consistency_re_omscale|nodesplit|ume_re)": "other bases than ours in studies with several arms",
    "franchini2012/bayes_gemtc/consistency_[fr]e_default": "a normal likelihood: the engine compared is that of counts",
    "eae_pairwise/.*/ranktest(_inexact)?": "rounding in the reference's data splits ties that are none",
    "(atrialfib|eae_mouse|linde2016)/network/contribution": "netcontrib() is too slow for so many treatments: there is no figure",
    "gurusamy2011/bayes_jags/re": "the chains did not converge (R-hat 1.5)",
    "smoking/bayes_jags/ume_re": "compared as pinned in network_counts.json",
}
"""Blocks that are not compared (a regular expression of their whole path, with or without the set), and why."""


class Block(dict[str, Any]):
    """A block of reference figures that writes down which of them are read."""

    def __init__(self, path: str, figures: dict[str, Any], read: set[str]):
        super().__init__()
        self._path, self._read = path, read
        for key, value in figures.items():
            super().__setitem__(
                key, Block(f"{path}/{key}", value, read) if isinstance(value, dict) else value
            )

    def __getitem__(self, key: str) -> Any:
        self._read.add(f"{self._path}/{key}")
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:  # being there makes ** and dict() ask for every key
        return super().__iter__()

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        return [self[key] for key in self]

    def pop(self, key: str, *default: Any) -> Any:
        self._read.add(f"{self._path}/{key}")
        return super().pop(key, *default)


def keep(folder: Path, read: set[str]) -> None:
    """Add what one process has read."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{os.getpid()}.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"{path}\n" for path in sorted(read))


def figures(path: str, block: dict[str, Any]) -> Iterator[str]:
    """Give the path of every figure (a value, a list or a matrix) below a block."""
    for key, value in block.items():
        if isinstance(value, dict):
            yield from figures(f"{path}/{key}", value)
        else:
            yield f"{path}/{key}"


def block_of(figure: str) -> str:
    """Give the block that a figure is part of: an estimator, a method, a run."""
    parts = figure.split("/")
    return "/".join(parts[: 5 if parts[1:3] == ["pairwise", "measures"] else 3])


def main(oracle: Path, folder: Path) -> int:
    """Compare what there is with what was read."""
    found = {
        figure
        for file in (oracle / "expected").glob("*.json")
        for figure in figures(file.stem, json.loads(file.read_text(encoding="utf-8")))
    }
    read = {line for file in folder.glob("*.txt") for line in file.read_text(encoding="utf-8").splitlines()}
    there, seen = {block_of(figure) for figure in found}, {block_of(figure) for figure in found & read}
    used: Counter[str] = Counter()
    unread = []
    for block in sorted(there - seen):
        reasons = [r for r in UNREAD if re.fullmatch(r, block) or re.fullmatch(r, block.partition("/")[2])]
        used.update(reasons)
        unread += [] if reasons else [block]
    idle = [reason for reason in UNREAD if not used[reason]]
    for block in unread:
        print(f"read by no test: {block}")
    for reason in idle:
        print(f"accounted for in UNREAD, but read: {reason}")
    print(
        f"{len(seen)} of {len(there)} blocks of reference figures are read, {len(there - seen)} accounted for"
    )
    return 1 if unread or idle else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
