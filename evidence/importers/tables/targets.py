"""What a person can say that a column stands for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from evidence.errors import CallError, Problem
from evidence.folder.column_names import effect_name, plain, targets
from evidence.folder.layout import FILE
from evidence.importers.table import Table
from evidence.importers.tables.header import CONVERTED, STATISTICS, readings
from evidence.names import suggestion

_OF_ARM = (
    "n", "mean", "sd", "se", "median", "q1", "q3", "min", "max", "ci_lower", "ci_upper", "events", "exposure",
)  # fmt: skip

TARGETS: dict[str, tuple[str, ...]] = {
    "of the row": ("study", "experiment", "outcome", "timepoint", "timepoint_unit", "unit", "year"),
    "of its arm": ("treatment", "arm", "class", "dose", *_OF_ARM, *CONVERTED),
    "of one of several groups": (
        "treatment1", "n1", "mean1", "sd1", "events1", "treatment2", "n2", "mean2", "...", "ai, bi, ci, di",
    ),
    "of a contrast": (
        "arm_a", "arm_b", "estimate", "se", "variance", "ci_lower", "ci_upper", "o_minus_e", "n_a", "n_b",
    ),
}  # fmt: skip
"""Targets of ``--map``, by what a column is about; every column of studies, arms, measurements and
contrasts is one."""


def said() -> str:
    """List the targets in a sentence."""
    return "; ".join(f"{about}: {' '.join(names)}" for about, names in TARGETS.items())


def is_target(target: str) -> bool:
    """Whether a name is one that a column can stand for."""
    if (
        target in STATISTICS
        or plain(target) in ("control", "comparator", "na")
        or target.lower() in ("yi", "vi", "sei")
    ):
        return True
    short = plain(target)
    if short in targets("arm level") or short in targets("contrast level"):
        return True
    if any(r.group and not r.group.startswith("=") and not r.rest for r in readings(target)):
        return True
    return effect_name(target) is not None


def refuse_unknown(table: Table, chosen: Mapping[str, str]) -> None:
    """Refuse a mapping to what nothing is called, with the list of what there is.

    Raises
    ------
    CallError
        Names every such mapping.
    """
    names = sorted({c.name for file in ("studies.csv", "arms.csv", "measurements.csv", "contrasts.csv")
                    for c in FILE[file].columns} | set(CONVERTED))  # fmt: skip
    problems = [
        Problem(
            f"{source!r} is to stand for {target!r}, which nothing is called",
            f"{suggestion(target, names)}; leave a column of no known meaning as it is, and it becomes a"
            f" characteristic of the study. Targets {said()}",
            table.name,
            1,
            source,
        )
        for source, target in chosen.items()
        if target and not is_target(target)
    ]
    if problems:
        raise CallError("The mapping names targets that do not exist.", problems)


def as_options(mapping: Mapping[str, str]) -> str:
    """Write a mapping as options of the command."""
    return " ".join(f"--map {shlex.quote(f'{source}={target}')}" for source, target in mapping.items())
