"""A small review folder with two time points, risk of bias, subgroups and multi-arm studies; or a part of it."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Study:
    """One study: arms by name, with their treatment and number of animals."""

    study: str
    year: int
    model: str
    high_risk: bool
    arms: Mapping[str, tuple[str, int]]


DESIGNS = ("ac", "bc", "ab", "abc", "acd", "bc")
EFFECT = {"a": -6.0, "b": -3.0, "c": 0.0, "d": -1.0}
CLASS = {"a": "drugs", "b": "drugs", "c": "controls", "d": "others"}


def studies(n: int = 12, seed: int = 1) -> list[Study]:
    """Make studies of two and three arms, every second one at high risk of bias, of two models."""
    made = []
    for i in range(n):
        arms = {f"{t}-arm": (t, 6 + (i + place) % 5) for place, t in enumerate(DESIGNS[i % len(DESIGNS)])}
        made.append(Study(f"s{i:02}", 2001 + i, "acute" if i % 3 else "chronic", i % 4 == 1, arms))
    return made


def write(
    folder: Path,
    analyses: str,
    some: Iterable[Study],
    *,
    treatments: str = "abcd",
    times: Iterable[int] = (1, 4),
    outcome: Mapping[str, Any] | None = None,
    value: Callable[[Study, str, int], dict[str, Any]] | None = None,
) -> Path:
    """Write the review folder.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    analyses : str
        The ``[[protocol.analysis]]`` tables of review.toml.
    some : iterable of Study
        The studies that are in it.
    treatments : str
        Arms of other treatments are left out, and studies with fewer than two arms then.
    times : iterable of int
        Days that are measured.
    outcome : mapping, optional
        Row of outcomes.csv in place of the continuous outcome y.
    value : callable, optional
        Statistics of an arm by study, treatment and day, in place of `statistics`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = [
        (study, {arm: what for arm, what in study.arms.items() if what[0] in treatments}) for study in some
    ]
    kept = [(study, arms) for study, arms in kept if len(arms) > 1]
    (folder / "review.toml").write_text(
        f'title = "Small"\nquestion = "Which?"\n\n[protocol]\nreference = "c"\n\n{analyses}', encoding="utf-8"
    )
    _csv(
        folder / "studies.csv",
        [
            {
                "study": s.study,
                "label": f"{s.study} et al.",
                "year": s.year,
                "model": s.model,
                "species": "rat",
            }
            for s, _ in kept
        ],
    )
    used = sorted({t for _, arms in kept for t, _ in arms.values()})
    _csv(
        folder / "treatments.csv",
        [
            {
                "treatment": t,
                "label": f"Drug {t}",
                "role": "control" if t == "c" else "active",
                "class": CLASS[t],
            }
            for t in used
        ],
    )
    _csv(
        folder / "outcomes.csv",
        [
            dict(
                outcome or {"outcome": "y", "label": "Score", "kind": "continuous", "lower_is_better": "true"}
            )
        ],
    )
    _csv(
        folder / "arms.csv",
        [
            {"study": s.study, "arm": arm, "treatment": t, "n": n}
            for s, arms in kept
            for arm, (t, n) in arms.items()
        ],
    )
    _csv(
        folder / "measurements.csv",
        [
            {"study": s.study, "arm": arm, "outcome": "y", "timepoint": day, "timepoint_unit": "d", "n": n}
            | (value or statistics)(s, t, day)
            for s, arms in kept
            for arm, (t, n) in arms.items()
            for day in times
        ],
    )
    _csv(
        folder / "risk_of_bias.csv",
        [
            {"study": s.study, "tool": "SYRCLE", "item": item, "judgement": judgement}
            for s, _ in kept
            for item, judgement in (("1", "high" if s.high_risk else "low"), ("7", "unclear"))
        ],
    )
    return folder


def statistics(study: Study, treatment: str, day: int) -> dict[str, Any]:
    """Mean and SD of an arm: the same whatever else is in the review."""
    draw = random.Random(f"{study.study} {treatment} {day}")
    mean = 20 + EFFECT[treatment] * (0.5 + day / 8) + draw.gauss(0, 1.5)
    return {"mean": round(mean, 2), "sd": round(draw.uniform(3, 5), 2)}


def counts(study: Study, treatment: str, day: int) -> dict[str, Any]:
    """Events of an arm."""
    draw = random.Random(f"{study.study} {treatment} {day}")
    n = next(n for t, n in study.arms.values() if t == treatment)
    return {"events": sum(draw.random() < 0.5 + EFFECT[treatment] / 20 for _ in range(n))}


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
